/* Bundles and commands: written, opened and walked; every damage to a size is refused. */
#include "contract/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

static _Alignas(HEAP_ALIGNMENT) uint8_t region[1 << 16];

/* Two commands: SET key value, and one without arguments. */
static void write_sample(struct buffer *out)
{
    buffer_init(out, heap_init(region, sizeof region));
    assert_true(bundle_begin(out));
    size_t at = command_begin(out, 17, 3, 2);
    assert_int_equal(at, BUNDLE_HEADER_SIZE);
    assert_true(command_argument(out, span_string("key")));
    assert_true(command_argument(out, span_string("value")));
    command_end(out, at);
    at = command_begin(out, 18, 0, 0);
    assert_int_not_equal(at, SIZE_MAX);
    command_end(out, at);
    const struct bundle header = {.node = 4,
                                  .count = 2,
                                  .incarnation = 5,
                                  .first_number = 6,
                                  .first_incomplete = 7,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(out->data, &header);
}

static void layout_is_as_documented(void **state)
{
    (void)state;
    struct buffer out;
    write_sample(&out);
    static const uint8_t wanted[] = {
        4, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
        0, 0, 0, 0, 16, 0, 0, 0, 17, 0, 3, 0, 2, 0, 0, 0, 3, 0, 0, 0, 'k', 'e', 'y', 5, 0, 0, 0, 'v', 'a', 'l', 'u',
        'e', 0, 0, 0, 0, 18, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(out.size, sizeof wanted);
    assert_memory_equal(out.data, wanted, sizeof wanted);
}

static void open_bundle_is_walked(void **state)
{
    (void)state;
    struct buffer out;
    write_sample(&out);
    struct bundle bundle;
    assert_true(bundle_open(buffer_span(&out), &bundle));
    assert_int_equal(bundle.node, 4);
    assert_int_equal(bundle.count, 2);
    assert_int_equal(bundle.incarnation, 5);
    assert_int_equal(bundle.first_number, 6);
    assert_int_equal(bundle.first_incomplete, 7);

    struct span rest = bundle.commands, argument;
    struct command command, again;
    assert_true(command_next(&rest, &command));
    assert_int_equal(command.op, 17);
    assert_int_equal(command.flags, 3);
    assert_true(command_open(command.whole, &again));
    struct span arguments = command.arguments;
    assert_true(argument_next(&arguments, &argument));
    assert_true(span_equal(argument, span_string("key")));
    assert_true(argument_next(&arguments, &argument));
    assert_true(span_equal(argument, span_string("value")));
    assert_false(argument_next(&arguments, &argument));
    assert_true(command_next(&rest, &command));
    assert_int_equal(command.op, 18);
    assert_false(command_next(&rest, &command));
}

static void empty_span_is_an_empty_bundle(void **state)
{
    (void)state;
    struct bundle bundle;
    assert_true(bundle_open((struct span){0}, &bundle));
    assert_int_equal(bundle.count, 0);
    assert_int_equal(bundle.commands.size, 0);
}

/* The bytes are copied to a block of exactly their size, so that a read beyond them is seen by the sanitizer. */
static bool open_exact(const uint8_t *bytes, size_t size, struct bundle *out, uint32_t *walked)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, bytes, size);
    bool opened = bundle_open(span_of(copy, size), out);
    *walked = 0;
    struct span rest = out->commands, argument;
    struct command command;
    while (opened && command_next(&rest, &command)) {
        (*walked)++;
        while (argument_next(&command.arguments, &argument))
            assert_true(argument.size <= size);
    }
    free(copy);
    return opened;
}

static void damaged_sizes_are_refused(void **state)
{
    (void)state;
    struct buffer out;
    write_sample(&out);
    struct bundle bundle;
    uint32_t walked;
    for (size_t cut = 1; cut < out.size; cut++)
        assert_false(open_exact(out.data, cut, &bundle, &walked));
    static const size_t places[] = {4, 36, BUNDLE_HEADER_SIZE, BUNDLE_HEADER_SIZE + 8, BUNDLE_HEADER_SIZE + 12};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        static const uint32_t changes[] = {1, UINT32_MAX, 0x80000000u, 0xfffffff4u};
        for (size_t j = 0; j < sizeof changes / sizeof changes[0]; j++) {
            uint32_t before = load_u32(out.data + places[i]);
            store_u32(out.data + places[i], before + changes[j]);
            assert_false(open_exact(out.data, out.size, &bundle, &walked));
            store_u32(out.data + places[i], before);
        }
    }
    assert_true(open_exact(out.data, out.size, &bundle, &walked));
    assert_int_equal(walked, 2);
}

static void numbers_that_would_wrap_are_refused(void **state)
{
    (void)state;
    struct buffer out;
    write_sample(&out);
    struct bundle bundle;
    store_u64(out.data + 16, UINT64_MAX - 1);
    assert_false(bundle_open(buffer_span(&out), &bundle));
    store_u64(out.data + 16, UINT64_MAX - 2);
    assert_true(bundle_open(buffer_span(&out), &bundle));
}

static void random_damage_never_leads_outside(void **state)
{
    (void)state;
    const uint64_t seed = 731;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct random random;
    random_seed(&random, seed);
    struct buffer out;
    write_sample(&out);
    uint32_t opened = 0;
    for (uint32_t round = 0; round < 50000; round++) {
        size_t at = (size_t)random_below(&random, out.size);
        uint8_t before = out.data[at];
        out.data[at] = (uint8_t)random_u64(&random);
        struct bundle bundle;
        uint32_t walked;
        if (open_exact(out.data, out.size, &bundle, &walked)) {
            assert_int_equal(walked, bundle.count);
            opened++;
        }
        out.data[at] = before;
    }
    assert_true(opened > 0 && opened < 50000);
}

static void writers_report_a_full_heap(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, heap_init(region, HEAP_REGION_SIZE_MIN));
    static const uint8_t large[HEAP_REGION_SIZE_MIN];
    size_t at = command_begin(&out, 17, 0, 1);
    assert_int_equal(at, 0);
    assert_false(command_argument(&out, span_of(large, sizeof large)));
    assert_int_equal(out.size, COMMAND_HEADER_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_as_documented),
        cmocka_unit_test(open_bundle_is_walked),
        cmocka_unit_test(empty_span_is_an_empty_bundle),
        cmocka_unit_test(damaged_sizes_are_refused),
        cmocka_unit_test(numbers_that_would_wrap_are_refused),
        cmocka_unit_test(random_damage_never_leads_outside),
        cmocka_unit_test(writers_report_a_full_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
