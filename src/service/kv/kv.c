/* The key-value service: its table of functions, and how a delivery becomes a command.
 *
 * Every op of the table of commands whose kind is UPDATE or READ has a function kv_<name>; two more ops, EXEC and
 * WATCH, come from the front in forms of their own (kv_exec.c). Whatever a delivery holds, it was written by some
 * client or peer: each thing about it that can be wrong is answered with an error, the same on every member.
 *
 * After every update a bounded part of the housekeeping is done: expired keys are deleted and discarded memory is
 * freed. So the cost of a delivery is that of its command plus a constant. */
#include "service/kv/kv.h"

#include "service/kv/kv_state.h"

enum { COLLECT_BYTES = 32 << 10 }; /* of discarded memory freed with each update, and twice its own size */

typedef void (*kv_function)(struct kv_call *call);

#define KV_FUNCTION_UPDATE(name) kv_##name
#define KV_FUNCTION_READ(name) kv_##name
#define KV_FUNCTION_FRONT(name) NULL
static const kv_function functions[] = {
#define COMMAND(id, name, op, kind, ...) [op] = KV_FUNCTION_##kind(name),
#define SUBCOMMAND(...)
#define DOTTED(...)
#include "service/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED
};

struct span kv_call_next(struct kv_call *call)
{
    struct span argument = {0};
    argument_next(&call->rest, &argument);
    return argument;
}

bool kv_argument_is(struct span argument, const char *word)
{
    size_t i = 0;
    for (; i < argument.size && word[i] != '\0'; i++) {
        uint8_t c = argument.data[i];
        if (c >= 'a' && c <= 'z')
            c = (uint8_t)(c - ('a' - 'A'));
        if (c != (uint8_t)word[i])
            return false;
    }
    return i == argument.size && word[i] == '\0';
}

void kv_call_ok(struct kv_call *call)
{
    (void)reply_simple(call->reply, "OK");
}

void kv_call_error(struct kv_call *call, const char *text)
{
    (void)reply_error(call->reply, text);
}

bool kv_call_failed(struct kv_call *call, const char *error)
{
    if (error == NULL)
        return false;
    call->reply->size = call->reply_begin;
    kv_call_error(call, error);
    return true;
}

void kv_call_value(struct kv_call *call, const struct entry *entry)
{
    if (entry == NULL)
        (void)reply_null(call->reply);
    else
        (void)reply_bulk(call->reply, entry_value(entry));
}

void kv_call_count(struct kv_call *call, int64_t value)
{
    (void)reply_integer(call->reply, value);
}

bool kv_call_integer(struct kv_call *call, struct span text, int64_t *out)
{
    if (number_parse_i64(text, out))
        return true;
    kv_call_error(call, KV_ERROR_INTEGER);
    return false;
}

/* Appends to a text of bounded size, which stays zero-terminated. */
static size_t text_add(char *text, size_t size, size_t at, const char *more)
{
    while (*more != '\0' && at + 1 < size)
        text[at++] = *more++;
    text[at] = '\0';
    return at;
}

void kv_call_error_named(struct kv_call *call, const char *head, const char *tail)
{
    char text[128];
    size_t at = text_add(text, sizeof text, 0, head);
    at = text_add(text, sizeof text, at, call->spec->name);
    text_add(text, sizeof text, at, tail);
    kv_call_error(call, text);
}

void kv_call_array_insert(struct kv_call *call, size_t begin, uint64_t count)
{
    struct buffer *reply = call->reply;
    size_t end = reply->size;
    if (!reply_array(reply, count))
        return;
    uint8_t head[32];
    size_t head_size = reply->size - end;
    memcpy(head, reply->data + end, head_size);
    memmove(reply->data + begin + head_size, reply->data + begin, end - begin);
    memcpy(reply->data + begin, head, head_size);
}

/* The function of an op, and its line of the table. */
static kv_function function_of(const struct kv_request *request, const struct command_spec **spec)
{
    uint16_t op = request->command->op;
    *spec = command_by_op(op);
    if (*spec == NULL || op >= sizeof functions / sizeof functions[0])
        return NULL;
    if (request->nested)
        return functions[op];
    return op == OP_EXEC ? kv_exec : op == OP_WATCH ? kv_watch : functions[op];
}

void kv_execute(struct kv *kv, const struct kv_request *request)
{
    const struct command *command = request->command;
    struct kv_call call = {
        .kv = kv,
        .rest = command->arguments,
        .argc = command->argc,
        .time_ms = request->time_ms > kv->now_ms ? request->time_ms : kv->now_ms,
        .random = request->random,
        .reply = request->reply,
        .reply_begin = request->reply->size,
        .bytes_max = kv->bytes_max + kv->bytes_max / 8, /* what frees or only renames may pass the limit a little */
    };
    kv_function function = function_of(request, &call.spec);
    if (function == NULL) {
        kv_call_error(&call, "ERR unknown command of the key-value service");
        return;
    }
    bool update = call.spec->kind == COMMAND_UPDATE || function == kv_exec;
    if (update && request->read) {
        kv_call_error(&call, "ERR a command that writes was delivered as a read");
        return;
    }
    if (function != kv_exec && !command_arity_suits(call.spec, (uint64_t)command->argc + 1)) {
        kv_call_error_named(&call, "ERR wrong number of arguments for '", "' command");
        return;
    }
    if (call.spec->flags & CMD_DENYOOM) {
        call.bytes_max = kv->bytes_max;
        if (kv->bytes > kv->bytes_max) {
            kv_call_error(&call, KV_ERROR_MEMORY);
            return;
        }
    }
    function(&call);
}

static void *kv_create(struct heap *heap, const struct group_spec *spec)
{
    struct kv *kv = heap_alloc_zero(heap, sizeof *kv);
    if (kv == NULL)
        return NULL;
    kv->heap = heap;
    kv->spec = spec;
    kv->table = kv_table_create(heap, spec->hash_key);
    if (kv->table == NULL) {
        heap_free(heap, kv);
        return NULL;
    }
    kv_deadlines_init(&kv->deadlines, heap);
    /* Three eighths of the heap: blocks may be three eighths larger than what they hold, and as much again may be kept
     * as old versions for a checkpoint. */
    uint64_t heap_bytes = spec->tuning.service_heap_bytes != 0 ? spec->tuning.service_heap_bytes : heap_size(heap);
    uint64_t limit = spec->tuning.service_bytes_max;
    kv->bytes_max = heap_bytes / 8 * 3;
    if (limit != 0 && limit < kv->bytes_max)
        kv->bytes_max = limit;
    return kv;
}

/* Index and time of an update. Time never falls. */
static void advance(struct kv *kv, const struct delivery *delivery)
{
    kv->index = delivery->index;
    if (delivery->time_ns > kv->now_ns) {
        kv->now_ns = delivery->time_ns;
        kv->now_ms = kv->now_ns / NS_PER_MS;
    }
}

/* The time of the tick that is wanted: when the first key expires. */
static int64_t tick_wanted_ns(const struct kv *kv)
{
    const struct deadline *first = kv_deadlines_first(&kv->deadlines);
    if (first == NULL || first->at_ms >= SERVICE_NO_TICK / NS_PER_MS)
        return SERVICE_NO_TICK;
    return first->at_ms <= kv->now_ms ? kv->now_ns : first->at_ms * NS_PER_MS;
}

static void kv_deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    struct kv *kv = self;
    if (!delivery->read)
        advance(kv, delivery);
    if (delivery->command.op == OP_TICK)
        (void)reply_null(out->reply);
    else
        kv_execute(kv, &(struct kv_request){
                           .command = &delivery->command,
                           .read = delivery->read,
                           .time_ms = delivery->time_ns / NS_PER_MS,
                           .random = delivery->read ? delivery->random : delivery->index,
                           .reply = out->reply,
                       });
    if (!delivery->read) {
        kv_store_reclaim(kv);
        kv_store_collect(kv, COLLECT_BYTES + 2 * (uint64_t)delivery->command.whole.size);
    }
    out->tick_at_ns = tick_wanted_ns(kv);
}

/* The digest covers everything that the future depends on: each entry, in the order of the table, and the time. */
static uint64_t kv_digest(void *self)
{
    const struct kv *kv = self;
    uint64_t digest = hash_mix((uint64_t)kv->now_ns, kv->table->count);
    struct table_cursor cursor;
    kv_table_seek(kv->table, 0, &cursor);
    for (struct entry *entry; (entry = kv_table_next(kv->table, &cursor)) != NULL;) {
        struct span value = entry_value(entry);
        digest = hash_mix(digest, kv_table_hash(kv->table, entry_key(entry)));
        digest = hash_mix(digest, entry->version);
        digest = hash_mix(digest, (uint64_t)entry_deadline_ms(entry));
        digest = hash_mix(digest, hash_keyed(kv->spec->hash_key, value.data, value.size));
    }
    return digest;
}

static uint64_t kv_bytes_used(const void *self)
{
    return ((const struct kv *)self)->bytes;
}

static uint64_t kv_item_count(const void *self)
{
    return ((const struct kv *)self)->table->count;
}

const struct service kv_service = {
    .name = "kv",
    .needs_order = ORDER_TOTAL,
    .needs_atomic = true,
    .needs_durable = false,
    .create = kv_create,
    .deliver = kv_deliver,
    .checkpoint_begin = kv_checkpoint_begin,
    .checkpoint_next = kv_checkpoint_next,
    .checkpoint_end = kv_checkpoint_end,
    .restore_begin = kv_restore_begin,
    .restore_next = kv_restore_next,
    .restore_end = kv_restore_end,
    .digest = kv_digest,
    .bytes_used = kv_bytes_used,
    .item_count = kv_item_count,
};
