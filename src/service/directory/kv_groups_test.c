/* kv with the directory of groups: its commands, whose keys are whose, checkpoints, and what plain kv left behind. */
#include "service/directory/kv_groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "contract/reply.h"
#include "service/commands.h"
#include "service/kv/kv.h"

struct fixture {
    struct group_spec spec;
    struct heap *heap, *other;
    const struct service *service;
    void *self;
    struct buffer command, reply;
    uint64_t index;
};

static const uint32_t nodes[] = {1, 2, 3};

static struct fixture *begin(const struct service *service)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->heap = heap_create_system((size_t)256 << 20);
    f->other = heap_create_system((size_t)64 << 20);
    f->spec = (struct group_spec){.name = "default", .self = 1, .members = nodes, .member_count = 3,
                                  .hash_key = {1, 2}};
    spec_defaults(&f->spec.tuning);
    f->spec.tuning.service_heap_bytes = (size_t)256 << 20;
    f->service = service;
    f->self = service->create(f->heap, &f->spec);
    buffer_init(&f->command, f->other);
    buffer_init(&f->reply, f->other);
    return f;
}

static void end(struct fixture *f)
{
    heap_destroy_system(f->heap);
    heap_destroy_system(f->other);
    free(f);
}

static const char *deliver(struct fixture *f, bool read)
{
    struct delivery delivery = {.read = read, .index = read ? f->index : ++f->index, .time_ns = 1000};
    assert_true(command_open(buffer_span(&f->command), &delivery.command));
    struct service_out out = {.reply = &f->reply, .tick_at_ns = SERVICE_NO_TICK};
    buffer_clear(&f->reply);
    f->service->deliver(f->self, &delivery, &out);
    buffer_append(&f->reply, "", 1);
    return (const char *)f->reply.data;
}

static void encode(struct buffer *out, uint16_t op, const char *const *words, uint32_t count)
{
    size_t at = command_begin(out, op, 0, count);
    for (uint32_t i = 0; i < count; i++)
        command_argument(out, span_string(words[i]));
    command_end(out, at);
}

static const char *run(struct fixture *f, uint16_t op, const char *a, const char *b, const char *c)
{
    const char *const words[] = {a, b, c};
    buffer_clear(&f->command);
    encode(&f->command, op, words, a == NULL ? 0 : b == NULL ? 1 : c == NULL ? 2 : 3);
    const struct command_spec *spec = command_by_op(op);
    return deliver(f, spec->kind == COMMAND_READ || op == OP_WATCH || op == OP_GROUP_LIST);
}

static const char *create(struct fixture *f, const char *name, const char *prefix, uint32_t last)
{
    buffer_clear(&f->command);
    uint32_t numbers[] = {1, 1, 2, last};
    size_t at = command_begin(&f->command, OP_GROUP_CREATE, 0, 8);
    command_argument(&f->command, span_string(name));
    command_argument(&f->command, span_string("raft"));
    command_argument(&f->command, span_string("kv"));
    command_argument(&f->command, span_string(prefix));
    for (int i = 0; i < 4; i++) {
        uint8_t bytes[4];
        store_u32(bytes, numbers[i]);
        command_argument(&f->command, span_of(bytes, 4));
    }
    command_end(&f->command, at);
    return deliver(f, false);
}

#define HAS(text, part) assert_non_null(strstr(text, part))

static void test_keys_change_hands(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    assert_string_equal(run(f, OP_SET, "p:1", "x", NULL), "+OK\r\n");
    HAS(create(f, "g", "p:", 3), "-ERR the group default holds keys");
    assert_string_equal(run(f, OP_DEL, "p:1", NULL, NULL), ":1\r\n");
    assert_string_equal(create(f, "g", "p:", 3), "+OK\r\n");
    HAS(create(f, "g", "q:", 3), "already");
    HAS(create(f, "h", "q:", 9), "no node");
    assert_int_equal(kv_groups_directory(f->service, f->self)->version, 1);
    assert_int_equal(kv_groups_directory(f->service, f->self)->groups[0].created, f->index - 2);
    /* Nothing of the group's keys is executed here, in whatever form it comes. */
    HAS(run(f, OP_SET, "p:1", "x", NULL), "-TRYAGAIN");
    HAS(run(f, OP_GET, "p:1", NULL, NULL), "-TRYAGAIN");
    HAS(run(f, OP_DEL, "a", "p:2", NULL), "-TRYAGAIN");
    HAS(run(f, OP_WATCH, "a", "p:2", NULL), "-TRYAGAIN");
    assert_string_equal(run(f, OP_SET, "p", "p:x", NULL), "+OK\r\n"); /* a value is no key */
    assert_string_equal(run(f, OP_DBSIZE, NULL, NULL, NULL), ":1\r\n");
    assert_string_equal(run(f, OP_GROUP_DROP, "g", NULL, NULL), "+OK\r\n");
    HAS(run(f, OP_GROUP_DROP, "g", NULL, NULL), "-ERR there is no group");
    assert_string_equal(run(f, OP_SET, "p:1", "x", NULL), "+OK\r\n");
    end(f);
}

/* A prefix inside another one: default gives up its own keys only, and the keys of either group are not default's. */
static void test_prefixes_inside_one_another(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    assert_string_equal(create(f, "inner", "p:q:", 3), "+OK\r\n");
    assert_string_equal(run(f, OP_SET, "p:1", "x", NULL), "+OK\r\n");
    HAS(create(f, "outer", "p:", 3), "-ERR the group default holds keys");
    assert_string_equal(run(f, OP_DEL, "p:1", NULL, NULL), ":1\r\n");
    assert_string_equal(create(f, "outer", "p:", 3), "+OK\r\n");
    HAS(create(f, "again", "p:", 3), "-ERR the prefix is that of group 'outer' already");
    HAS(run(f, OP_SET, "p:1", "x", NULL), "group 'outer'");
    HAS(run(f, OP_SET, "p:q:1", "x", NULL), "group 'inner'");
    assert_string_equal(run(f, OP_GROUP_DROP, "inner", NULL, NULL), "+OK\r\n");
    HAS(run(f, OP_SET, "p:q:1", "x", NULL), "group 'outer'");
    assert_string_equal(create(f, "inside", "p:q:", 3), "+OK\r\n");
    HAS(run(f, OP_SET, "p:q:1", "x", NULL), "group 'inside'");
    end(f);
}

static const char *client_command(struct fixture *f, uint16_t op, uint32_t node, int key, size_t key_size, bool read)
{
    uint8_t number[4], bytes[80];
    store_u32(number, node);
    memset(bytes, key, sizeof bytes);
    buffer_clear(&f->command);
    size_t at = command_begin(&f->command, op, 0, op == OP_GROUP_ENROL ? 2 : 1);
    command_argument(&f->command, span_of(number, 4));
    if (op == OP_GROUP_ENROL)
        command_argument(&f->command, span_of(bytes, key_size));
    command_end(&f->command, at);
    return deliver(f, read);
}

#define ENROL(node, key) client_command(f, OP_GROUP_ENROL, node, key, 64, false)

static void test_clients_are_enrolled(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    assert_string_equal(ENROL(100, 5), "+OK\r\n");
    assert_string_equal(ENROL(100, 5), "+OK\r\n");
    assert_string_equal(ENROL(50, 0), "+OK\r\n");
    HAS(ENROL(100, 6), "-ERR client 100 is enrolled with another key");
    HAS(ENROL(2, 6), "-ERR node 2 is a node of this cluster");
    HAS(client_command(f, OP_GROUP_ENROL, 7, 1, 63, false), "-ERR a malformed");
    HAS(client_command(f, OP_GROUP_ENROL, 7, 1, 64, true), "delivered as a read");
    HAS(client_command(f, OP_GROUP_EXPEL, 7, 0, 0, false), "-ERR there is no enrolled client");
    HAS(client_command(f, OP_GROUP_EXPEL, 50, 0, 0, true), "delivered as a read");
    HAS(run(f, OP_GROUP_EXPEL, "fifty", NULL, NULL), "-ERR there is no enrolled client");
    const struct directory *directory = kv_groups_directory(f->service, f->self);
    assert_int_equal(directory->version, 2);
    assert_int_equal(directory->client_count, 2);
    assert_int_equal(directory->clients[1].key[63], 5);
    assert_string_equal(client_command(f, OP_GROUP_EXPEL, 50, 0, 0, false), "+OK\r\n");
    assert_int_equal(directory->version, 3);
    /* The bytes that programs read. */
    uint8_t bytes[DIRECTORY_BYTES_MAX];
    size_t size = directory_encode(directory, bytes);
    buffer_clear(&f->command);
    encode(&f->command, OP_GROUP_DIRECTORY, NULL, 0);
    const char *reply = deliver(f, true);
    const char *body = strchr(reply, '\n') + 1;
    assert_int_equal(strtoul(reply + 1, NULL, 10), size);
    assert_memory_equal(body, bytes, size);
    end(f);
}

/* Where members believe only what is proven, a client without a key would be of no use, or worse. */
static void test_a_key_is_needed_where_default_is_byzantine(void **state)
{
    (void)state;
    static const struct protocol byzantine = {.name = "b", .masks = MASKS_ARBITRARY}, crash = {.masks = MASKS_TIMING};
    struct fixture *f = begin(&kv_groups_service);
    f->spec.protocol = &byzantine;
    HAS(ENROL(100, 0), "-ERR the group default masks arbitrary failures, so a client needs a key");
    assert_string_equal(ENROL(100, 1), "+OK\r\n");
    f->spec.protocol = &crash;
    assert_string_equal(ENROL(101, 0), "+OK\r\n");
    end(f);
}

static const char *transaction(struct fixture *f, const char *watched, const char *key)
{
    struct buffer inner, watch;
    buffer_init(&inner, f->other);
    buffer_init(&watch, f->other);
    const char *const words[] = {key, "v"};
    encode(&inner, OP_SET, words, 2);
    if (watched != NULL) {
        uint8_t *head = buffer_grow(&watch, 12);
        store_u64(head, 0);
        store_u32(head + 8, (uint32_t)strlen(watched));
        buffer_append(&watch, watched, strlen(watched));
    }
    buffer_clear(&f->command);
    size_t at = command_begin(&f->command, OP_EXEC, 0, 2);
    command_argument(&f->command, buffer_span(&watch));
    command_argument(&f->command, buffer_span(&inner));
    command_end(&f->command, at);
    return deliver(f, false);
}

static void test_transactions(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    assert_string_equal(create(f, "g", "p:", 3), "+OK\r\n");
    HAS(transaction(f, NULL, "p:1"), "-TRYAGAIN");
    HAS(transaction(f, "p:2", "a"), "-TRYAGAIN");
    HAS(transaction(f, "b", "a"), "*1\r\n+OK");
    assert_string_equal(run(f, OP_DBSIZE, NULL, NULL, NULL), ":1\r\n");
    end(f);
}

static void test_malformed_commands(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    HAS(run(f, OP_GROUP_CREATE, "a", "b", "c"), "malformed");
    HAS(create(f, "0123456789012345678901234567890123", "p:", 3), "malformed");
    HAS(run(f, OP_GROUP_DROP, NULL, NULL, NULL), "no group");
    buffer_clear(&f->command);
    encode(&f->command, OP_GROUP_DROP, NULL, 0);
    HAS(deliver(f, true), "delivered as a read");
    assert_int_equal(kv_groups_directory(f->service, f->self)->version, 0);
    assert_null(kv_groups_directory(&kv_service, f->self));
    end(f);
}

static void checkpoint(struct fixture *f, struct buffer *out)
{
    f->service->checkpoint_begin(f->self);
    HAS(create(f, "late", "l:", 3), "+OK"); /* after the beginning: not part of it */
    while (f->service->checkpoint_next(f->self, out, 64)) {
    }
    f->service->checkpoint_end(f->self);
}

static bool restore(struct fixture *f, struct span bytes, size_t piece)
{
    f->service->restore_begin(f->self);
    assert_null(kv_groups_directory(f->service, f->self));
    bool good = true;
    for (size_t at = 0; at < bytes.size && good; at += piece)
        good = f->service->restore_next(f->self, span_of(bytes.data + at, bytes.size - at < piece ? bytes.size - at : piece));
    return f->service->restore_end(f->self) && good;
}

static void test_checkpoints(void **state)
{
    (void)state;
    struct fixture *f = begin(&kv_groups_service);
    create(f, "g", "p:", 3);
    create(f, "h", "q:", 3);
    run(f, OP_SET, "a", "1", NULL);
    run(f, OP_GROUP_DROP, "g", NULL, NULL);
    assert_string_equal(ENROL(100, 3), "+OK\r\n");
    uint64_t digest = f->service->digest(f->self);
    struct buffer bytes;
    buffer_init(&bytes, f->other);
    checkpoint(f, &bytes);
    assert_true(f->service->digest(f->self) != digest);
    for (size_t piece = 1; piece < 700; piece += 37) {
        struct fixture *other = begin(&kv_groups_service);
        assert_true(restore(other, buffer_span(&bytes), piece));
        assert_int_equal(other->service->digest(other->self), digest);
        assert_int_equal(kv_groups_directory(other->service, other->self)->version, 4);
        assert_int_equal(directory_client(kv_groups_directory(other->service, other->self), 100)->key[0], 3);
        assert_string_equal(run(other, OP_GET, "a", NULL, NULL), "$1\r\n1\r\n");
        end(other);
    }
    for (size_t size = 0; size < bytes.size; size += 7)
        assert_false(restore(f, span_of(bytes.data, size), 64));
    store_u32(bytes.data + 4, DIRECTORY_BYTES_MAX + 1);
    assert_false(restore(f, buffer_span(&bytes), 64));
    end(f);
}

/* Directories of data that plain kv wrote are taken over. */
static void test_checkpoint_of_plain_kv(void **state)
{
    (void)state;
    struct fixture *plain = begin(&kv_service), *f = begin(&kv_groups_service);
    run(plain, OP_SET, "a", "1", NULL);
    struct buffer bytes;
    buffer_init(&bytes, plain->other);
    plain->service->checkpoint_begin(plain->self);
    while (plain->service->checkpoint_next(plain->self, &bytes, 64)) {
    }
    plain->service->checkpoint_end(plain->self);
    create(f, "g", "p:", 3);
    assert_true(restore(f, buffer_span(&bytes), 5));
    assert_int_equal(kv_groups_directory(f->service, f->self)->count, 0);
    assert_string_equal(run(f, OP_GET, "a", NULL, NULL), "$1\r\n1\r\n");
    end(plain);
    end(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_change_hands),    cmocka_unit_test(test_transactions),
        cmocka_unit_test(test_prefixes_inside_one_another),
        cmocka_unit_test(test_clients_are_enrolled),
        cmocka_unit_test(test_a_key_is_needed_where_default_is_byzantine),
        cmocka_unit_test(test_malformed_commands),   cmocka_unit_test(test_checkpoints),
        cmocka_unit_test(test_checkpoint_of_plain_kv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
