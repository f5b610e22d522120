/* Fuzzes the key-value service: commands with whatever arguments, and damaged checkpoints.
 *
 * The first byte chooses: 'G' and 'g' kv with the directory of groups beside it, else kv. 'C' and 'G': what follows is a
 * sequence of steps, each u8 op, u8 number of arguments, then u8 size and bytes of each; an op that no command has moves
 * time, ticks, or takes a step of a checkpoint. At the end the service is checkpointed and restored into another one,
 * which must have the same digest. Else: what follows is a checkpoint. */
#include <stdlib.h>

#include "base/heap_system.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/command.h"
#include "service/commands.h"
#include "service/directory/kv_groups.h"
#include "service/kv/kv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAP_SIZE = 512 << 10 };

struct fuzz {
    const struct service *service;
    struct group_spec spec;
    struct heap *heap, *twin_heap, *other;
    void *kv;
    struct buffer command, reply, checkpoint;
    bool writing;
    uint64_t index;
    int64_t now_ns;
};

static uint8_t take(struct span *rest)
{
    if (rest->size == 0)
        return 0;
    rest->size--;
    return *rest->data++;
}

static void encode(struct fuzz *fuzz, uint16_t op, struct span *rest)
{
    uint32_t argc = take(rest) % 16;
    buffer_clear(&fuzz->command);
    size_t at = command_begin(&fuzz->command, op, 0, argc);
    for (uint32_t i = 0; i < argc; i++) {
        size_t size = take(rest);
        if (size > rest->size)
            size = rest->size;
        command_argument(&fuzz->command, span_of(rest->data, size));
        rest->data += size;
        rest->size -= size;
    }
    command_end(&fuzz->command, at);
}

static void deliver(struct fuzz *fuzz, bool read)
{
    struct delivery delivery = {.read = read, .time_ns = fuzz->now_ns, .random = fuzz->index};
    struct service_out out = {.reply = &fuzz->reply};
    invariant(command_open(buffer_span(&fuzz->command), &delivery.command), "FUZZ the command is well-formed");
    fuzz->index += !read;
    delivery.index = fuzz->index;
    buffer_clear(&fuzz->reply);
    fuzz->service->deliver(fuzz->kv, &delivery, &out);
    invariant(fuzz->reply.size >= 3, "FUZZ every command is answered");
}

/* What is not a command: time, ticks, checkpoints. */
static void other_step(struct fuzz *fuzz, uint8_t op)
{
    if (op % 4 == 0)
        fuzz->now_ns += op * 10 * NS_PER_MS;
    else if (op % 4 == 1) {
        buffer_clear(&fuzz->command);
        command_end(&fuzz->command, command_begin(&fuzz->command, OP_TICK, 0, 0));
        deliver(fuzz, false);
    } else if (!fuzz->writing) {
        fuzz->service->checkpoint_begin(fuzz->kv);
        fuzz->writing = true;
    } else if (!fuzz->service->checkpoint_next(fuzz->kv, &fuzz->checkpoint, op)) {
        fuzz->service->checkpoint_end(fuzz->kv);
        fuzz->writing = false;
    }
}

static void commands(struct fuzz *fuzz, struct span rest)
{
    while (rest.size > 0) {
        uint8_t op = take(&rest);
        if (command_by_op(op) == NULL) {
            other_step(fuzz, op);
            continue;
        }
        bool read = command_by_op(op)->kind == COMMAND_READ;
        encode(fuzz, op, &rest);
        deliver(fuzz, read);
    }
    if (fuzz->writing)
        fuzz->service->checkpoint_end(fuzz->kv);
    buffer_clear(&fuzz->checkpoint);
    fuzz->service->checkpoint_begin(fuzz->kv);
    while (fuzz->service->checkpoint_next(fuzz->kv, &fuzz->checkpoint, 1000))
        ;
    fuzz->service->checkpoint_end(fuzz->kv);
    void *twin = fuzz->service->create(fuzz->twin_heap, &fuzz->spec);
    fuzz->service->restore_begin(twin);
    invariant(fuzz->service->restore_next(twin, buffer_span(&fuzz->checkpoint)), "FUZZ a checkpoint can be read");
    invariant(fuzz->service->restore_end(twin), "FUZZ a checkpoint is whole");
    invariant(fuzz->service->digest(twin) == fuzz->service->digest(fuzz->kv), "FUZZ restored state is the same");
}

static void restore(struct fuzz *fuzz, struct span rest)
{
    fuzz->service->restore_begin(fuzz->kv);
    fuzz->service->restore_next(fuzz->kv, rest);
    fuzz->service->restore_end(fuzz->kv);
    (void)fuzz->service->digest(fuzz->kv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    static const uint32_t nodes[] = {1, 2, 3};
    bool groups = data[0] == 'G' || data[0] == 'g';
    struct fuzz fuzz = {.now_ns = NS_PER_S, .service = groups ? &kv_groups_service : &kv_service};
    fuzz.spec.members = nodes;
    fuzz.spec.member_count = 3;
    void *memory = aligned_alloc(HEAP_ALIGNMENT, 4 * HEAP_SIZE);
    uint8_t *regions = memory;
    fuzz.heap = heap_init(regions, HEAP_SIZE);
    fuzz.twin_heap = heap_init(regions + HEAP_SIZE, HEAP_SIZE);
    fuzz.other = heap_init(regions + 2 * HEAP_SIZE, 2 * HEAP_SIZE);
    fuzz.spec.hash_key[0] = 1;
    fuzz.kv = fuzz.service->create(fuzz.heap, &fuzz.spec);
    buffer_init(&fuzz.command, fuzz.other);
    buffer_init(&fuzz.reply, fuzz.other);
    buffer_init(&fuzz.checkpoint, fuzz.other);
    struct span rest = span_of(data + 1, size - 1);
    if (data[0] == 'C' || data[0] == 'G')
        commands(&fuzz, rest);
    else
        restore(&fuzz, rest);
    heap_check(fuzz.heap);
    free(memory);
    return 0;
}
