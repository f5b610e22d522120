/* What every protocol of the registry has to keep: a whole table, declared messages within their bounds that go there
 * and back, members that fit the heap that they ask for, and a state that holds before anything happened. */
#include "protocol/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "contract/text.h"

static void names_are_found_and_differ(void **state)
{
    (void)state;
    const struct protocol *const *all = protocol_registry();
    assert_non_null(all[0]);
    for (uint32_t i = 0; all[i] != NULL; i++) {
        assert_ptr_equal(protocol_find(all[i]->name), all[i]);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(all[i]->name, all[j]->name);
    }
    assert_null(protocol_find("no such protocol"));
}

static void tables_are_whole(void **state)
{
    (void)state;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        const struct protocol *protocol = *at;
        assert_non_null(protocol->question);
        assert_non_null(protocol->summary);
        assert_non_null(protocol->heap_size);
        assert_non_null(protocol->effects_max);
        assert_non_null(protocol->scratch_max);
        assert_non_null(protocol->create);
        assert_non_null(protocol->step);
        assert_non_null(protocol->check);
        assert_non_null(protocol->status);
        assert_non_null(protocol->progress);
        assert_non_null(protocol->ablations);
        uint32_t ablations = 0;
        while (protocol->ablations[ablations] != NULL)
            ablations++;
        assert_true(ablations <= 24); /* bits of the specification from ABLATION_PROTOCOL_FIRST on */
    }
}

static size_t field_size(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U8:
        return 1;
    case FIELD_U32:
    case FIELD_NODE:
        return 4;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_INCARNATION:
        return 8;
    case FIELD_BYTES:
    case FIELD_RECORDS:
        return sizeof(struct span);
    }
    return 0;
}

static void check_type(const struct message_type *type)
{
    assert_true(type->struct_size <= MESSAGE_STRUCT_SIZE_MAX);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct field *field = &type->fields[i];
        assert_true(field->offset + field_size(field->kind) <= type->struct_size);
        bool bulk = field->kind == FIELD_BYTES || field->kind == FIELD_RECORDS;
        assert_true(!bulk || i + 1 == type->field_count);
    }
}

/* Random bytes that decode must encode to the same bytes again. */
static uint32_t round_trips(const struct message_type *type, struct random *random)
{
    uint32_t accepted = 0;
    for (int round = 0; round < 300; round++) {
        uint8_t bytes[192];
        size_t size = (size_t)random_below(random, sizeof bytes);
        for (size_t i = 0; i < size; i++)
            bytes[i] = random_chance(random, 1, 8) ? (uint8_t)random_u64(random) : 0;
        _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
        uint8_t *exact = malloc(size > 0 ? size : 1);
        memcpy(exact, bytes, size);
        if (message_decode(type, span_of(exact, size), body)) {
            accepted++;
            uint8_t again[MESSAGE_HEAD_SIZE_MAX];
            struct span tail;
            size_t head = message_encode(type, body, again, &tail);
            assert_true(head + tail.size <= size);
            assert_memory_equal(again, bytes, head);
            char text[512];
            assert_true(message_print(type, body, text, sizeof text) > 0);
        }
        free(exact);
    }
    return accepted;
}

/* The shortest body of a type, all zeros: it must be accepted. */
static bool accepts_shortest(const struct message_type *type)
{
    static const uint8_t zeros[MESSAGE_HEAD_SIZE_MAX];
    size_t size = 0;
    for (uint32_t i = 0; i < type->field_count; i++) {
        enum field_kind kind = type->fields[i].kind;
        size += kind == FIELD_BYTES ? 4 : kind == FIELD_RECORDS ? 0 : field_size(kind);
    }
    _Alignas(16) uint8_t body[MESSAGE_STRUCT_SIZE_MAX];
    return message_decode(type, span_of(zeros, size), body) &&
           (size == 0 || !message_decode(type, span_of(zeros, size - 1), body));
}

static void messages_and_records_go_there_and_back(void **state)
{
    (void)state;
    const uint64_t seed = 31;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        const struct message_table *tables[] = {&(*at)->messages, &(*at)->records};
        for (uint32_t t = 0; t < 2; t++) {
            for (uint32_t i = 0; i < tables[t]->count; i++) {
                if (tables[t]->types[i].name == NULL)
                    continue; /* a number that is not used */
                check_type(&tables[t]->types[i]);
                assert_true(accepts_shortest(&tables[t]->types[i]));
                (void)round_trips(&tables[t]->types[i], &random);
            }
        }
    }
}

static void members_fit_the_heap_that_they_ask_for(void **state)
{
    (void)state;
    static const uint32_t nodes[] = {1, 2, 3, 4, 5, 6, 7};
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        for (uint32_t count = 1; count <= 7; count += 2) {
            struct group_spec spec = {
                .group = 1, .name = "g", .self = 1, .members = nodes, .member_count = count, .protocol = *at};
            spec_defaults(&spec.tuning);
            size_t size = (*at)->heap_size(&spec);
            void *region = aligned_alloc(HEAP_ALIGNMENT, (size + 15) / 16 * 16);
            assert_non_null(region);
            struct heap *heap = heap_init(region, size);
            assert_non_null(heap);
            void *self = (*at)->create(heap, &spec, 1);
            assert_non_null(self);
            assert_null((*at)->check(self));
            assert_true((*at)->effects_max(&spec) > 0);
            struct member_status status;
            (*at)->status(self, &status);
            assert_non_null(status.role);
            heap_check(heap);
            free(region);
        }
    }
}

/* ---- the state in words and in canonical bytes ---- */

static const uint32_t five_nodes[] = {1, 2, 3, 4, 5};

struct made {
    struct group_spec spec;
    void *region;
    void *self;
};

static void make(struct made *made, const struct protocol *protocol, uint32_t self)
{
    made->spec = (struct group_spec){
        .group = 1, .name = "g", .self = self, .members = five_nodes, .member_count = 5, .protocol = protocol};
    spec_defaults(&made->spec.tuning);
    size_t size = (protocol->heap_size(&made->spec) + 15) / 16 * 16;
    made->region = aligned_alloc(HEAP_ALIGNMENT, size);
    assert_non_null(made->region);
    made->self = protocol->create(heap_init(made->region, size), &made->spec, self);
}

static void states_are_printed_as_words(void **state)
{
    (void)state;
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        struct made made;
        if ((*at)->print == NULL)
            continue;
        make(&made, *at, 2);
        char line[512];
        struct text text = text_begin(line, sizeof line);
        (*at)->print(made.self, &text);
        assert_true(text.length > 0 && text.length < sizeof line - 1);
        assert_null(strchr(line, '\n'));
        for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " "))
            if (strchr(word, '=') == NULL || strchr(word, '=') == word)
                fail_msg("%s prints '%s', which is no name=value", (*at)->name, word);
        char tiny[4];
        text = text_begin(tiny, sizeof tiny);
        (*at)->print(made.self, &text);
        assert_int_equal(text.length, sizeof tiny - 1);
        free(made.region);
    }
}

static uint64_t no_bundle(void *context, const struct canon *canon, struct span bundle)
{
    (void)context;
    (void)canon;
    return bundle.size;
}

static void no_record(void *context, struct canon *out, uint64_t position)
{
    (void)context;
    (void)position;
    canon_u8(out, 0);
}

static size_t canonical_of(const struct made *made, const uint32_t *places, uint8_t *bytes, size_t size)
{
    struct canon out = {.bytes = bytes,
                        .capacity = size,
                        .member_count = 5,
                        .places = places,
                        .members = five_nodes,
                        .bundle = no_bundle,
                        .record = no_record};
    made->spec.protocol->canonical(made->self, &out);
    assert_false(out.overflow);
    return out.size;
}

/* New members differ in nothing but who they are, which is not part of the canonical state: under any renaming, and
 * with any seed, they are the same. */
static void new_members_are_canonically_alike(void **state)
{
    (void)state;
    static const uint32_t identity[] = {0, 1, 2, 3, 4}, turned[] = {3, 4, 0, 2, 1};
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        static uint8_t first[1 << 16], second[1 << 16];
        struct made one, other;
        if ((*at)->canonical == NULL)
            continue;
        make(&one, *at, 1);
        make(&other, *at, 4);
        size_t size = canonical_of(&one, identity, first, sizeof first);
        assert_true(size > 0);
        assert_int_equal(canonical_of(&other, turned, second, sizeof second), size);
        assert_memory_equal(first, second, size);
        free(one.region);
        free(other.region);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_and_differ),
        cmocka_unit_test(tables_are_whole),
        cmocka_unit_test(messages_and_records_go_there_and_back),
        cmocka_unit_test(members_fit_the_heap_that_they_ask_for),
        cmocka_unit_test(states_are_printed_as_words),
        cmocka_unit_test(new_members_are_canonically_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
