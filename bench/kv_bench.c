/* Speed and memory of the key-value service alone: no network, no log. Not run in CI.
 *
 *   kv_bench [million keys]
 *
 * Prints nanoseconds a command, the heap after filling, the worst delivery, and what checkpoint and restore take. Keys
 * have 16 bytes and values 100, as in docs about speed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/command.h"
#include "service/commands.h"
#include "service/kv/kv.h"

enum { VALUE_SIZE = 100, BATCH = 1 << 14 };

struct bench {
    struct group_spec spec;
    struct heap *heap, *other;
    void *kv;
    struct buffer commands, reply;
    struct random random;
    uint64_t index;
    int64_t worst_ns;
    uint64_t keys;
};

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void add_command(struct bench *bench, uint16_t op, uint64_t key, const char *value)
{
    char text[32];
    snprintf(text, sizeof text, "key:%012llu", (unsigned long long)key);
    size_t at = command_begin(&bench->commands, op, 0, value == NULL ? 1 : 2);
    command_argument(&bench->commands, span_of(text, 16));
    if (value != NULL)
        command_argument(&bench->commands, span_of(value, VALUE_SIZE));
    command_end(&bench->commands, at);
}

/* Delivers all commands in the buffer; returns the time they took. With `timed`, each is timed for the worst. */
static int64_t deliver(struct bench *bench, bool read, bool timed)
{
    struct span rest = buffer_span(&bench->commands);
    struct delivery delivery = {.read = read, .time_ns = NS_PER_S};
    struct service_out out = {.reply = &bench->reply};
    int64_t begin = now_ns();
    int64_t last = begin;
    while (command_next(&rest, &delivery.command)) {
        delivery.index = read ? bench->index : ++bench->index;
        if (bench->reply.size > 1 << 20)
            buffer_clear(&bench->reply);
        kv_service.deliver(bench->kv, &delivery, &out);
        if (!timed)
            continue;
        int64_t now = now_ns();
        if (now - last > bench->worst_ns)
            bench->worst_ns = now - last;
        last = now;
    }
    int64_t took = now_ns() - begin;
    buffer_clear(&bench->commands);
    return took;
}

static void run(struct bench *bench, const char *name, uint16_t op, bool read, bool valued, uint64_t count,
                uint64_t keys, bool ascending)
{
    char value[VALUE_SIZE];
    memset(value, 'v', sizeof value);
    int64_t took = 0;
    bench->worst_ns = 0;
    for (uint64_t done = 0; done < count; done += BATCH) {
        uint64_t batch = count - done < BATCH ? count - done : BATCH;
        for (uint64_t i = 0; i < batch; i++)
            add_command(bench, op, ascending ? done + i : random_below(&bench->random, keys), valued ? value : NULL);
        took += deliver(bench, read, !read);
    }
    printf("%-28s %8.1f ns/command   worst %8.1f us\n", name, (double)took / (double)count,
           (double)bench->worst_ns / 1e3);
}

static void checkpoint(struct bench *bench, struct buffer *out)
{
    char value[VALUE_SIZE];
    memset(value, 'w', sizeof value);
    int64_t worst = 0, total = 0;
    bool more = true;
    bench->worst_ns = 0;
    kv_service.checkpoint_begin(bench->kv);
    while (more) {
        int64_t begin = now_ns();
        more = kv_service.checkpoint_next(bench->kv, out, 64 << 10);
        int64_t took = now_ns() - begin;
        total += took;
        worst = took > worst ? took : worst;
        for (int i = 0; i < 64; i++)
            add_command(bench, OP_SET, random_below(&bench->random, bench->keys), value);
        deliver(bench, false, true);
    }
    kv_service.checkpoint_end(bench->kv);
    printf("checkpoint of %.1f MB          %8.1f ms, worst piece %.1f us, worst command meanwhile %.1f us\n",
           (double)out->size / 1e6, (double)total / 1e6, (double)worst / 1e3, (double)bench->worst_ns / 1e3);
}

static void restore(struct bench *bench, const struct buffer *from)
{
    struct heap *heap = heap_create_system((size_t)1 << 36);
    void *kv = kv_service.create(heap, &bench->spec);
    int64_t begin = now_ns();
    kv_service.restore_begin(kv);
    for (size_t at = 0; at < from->size; at += 64 << 10) {
        size_t size = from->size - at < 64 << 10 ? from->size - at : 64 << 10;
        kv_service.restore_next(kv, span_of(from->data + at, size));
    }
    bool whole = kv_service.restore_end(kv);
    int64_t took = now_ns() - begin;
    printf("restore %s            %8.2f million keys/s\n", whole ? "(whole)" : "(FAILED)",
           (double)kv_service.item_count(kv) / ((double)took / 1e3));
    heap_destroy_system(heap);
}

int main(int argc, char **argv)
{
    uint64_t keys = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1) * 1000000;
    struct bench bench = {.keys = keys};
    bench.spec.hash_key[0] = 1;
    bench.spec.tuning.service_heap_bytes = (uint64_t)1 << 36;
    bench.heap = heap_create_system((size_t)1 << 36);
    bench.other = heap_create_system((size_t)1 << 36);
    bench.kv = kv_service.create(bench.heap, &bench.spec);
    buffer_init(&bench.commands, bench.other);
    buffer_init(&bench.reply, bench.other);
    random_seed(&bench.random, 1);

    int64_t begin = now_ns();
    for (int i = 0; i < 10000000; i++) {
        const char *names[] = {"get", "SET", "incr", "mget"};
        const struct command_spec *volatile found = command_find(span_of(names[i & 3], (i & 3) < 2 ? 3 : 4));
        (void)found;
    }
    printf("command_find                 %8.1f ns\n", (double)(now_ns() - begin) / 1e7);

    run(&bench, "SET, new keys", OP_SET, false, true, keys, keys, true);
    printf("heap for %llu keys: %.1f MB used, %.1f MB extent, %.1f MB charged\n", (unsigned long long)keys,
           (double)heap_used(bench.heap) / 1e6, (double)heap_extent(bench.heap) / 1e6,
           (double)kv_service.bytes_used(bench.kv) / 1e6);
    run(&bench, "SET, random keys", OP_SET, false, true, 2000000, keys, false);
    run(&bench, "GET, random keys", OP_GET, true, false, 2000000, keys, false);
    run(&bench, "SET, 1000 keys", OP_SET, false, true, 2000000, 1000, false);
    run(&bench, "GET, 1000 keys", OP_GET, true, false, 2000000, 1000, false);
    struct buffer bytes;
    buffer_init(&bytes, bench.other);
    memset(buffer_grow(&bytes, keys * 160), 1, keys * 160); /* so that the pages are there */
    buffer_clear(&bytes);
    checkpoint(&bench, &bytes);
    restore(&bench, &bytes);
    run(&bench, "DEL 1000 keys", OP_DEL, false, false, 1000, 1000, true);
    run(&bench, "INCR, 1000 keys", OP_INCR, false, false, 2000000, 1000, false);
    size_t at = command_begin(&bench.commands, OP_FLUSHALL, 0, 0);
    command_end(&bench.commands, at);
    printf("FLUSHALL                     %8.1f us\n", (double)deliver(&bench, false, false) / 1e3);
    run(&bench, "SET after it, 1000 keys", OP_SET, false, true, 100000, 1000, false);
    return 0;
}
