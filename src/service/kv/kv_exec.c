/* Transactions: EXEC and WATCH as ops of the service.
 *
 * The front collects the commands after MULTI. WATCH asks the service, as a read, for the versions of its keys: the
 * index of each one's last modification, 0 when it is absent. EXEC then brings those back:
 *
 *   EXEC   first argument: watched keys, each u64 version, u32 size, key; then one argument a command, encoded whole
 *          answer: null when a watched key has another version now, else an array of the commands' answers
 *   WATCH  arguments: keys; answer: an array of versions
 *
 * Deviation from Redis: a key that was absent at WATCH, and is created and deleted again before EXEC, has version 0
 * both times and goes unnoticed. A transaction that began with its absence sees its absence, so nothing is lost but the
 * notice. Transactions do not nest. */
#include "service/kv/kv_state.h"

/* Takes the next watched key off the list; false at its end or when it is malformed (`rest` is then not empty). */
static bool watched_next(struct span *rest, uint64_t *version, struct span *key)
{
    enum { HEAD_SIZE = 12 };
    if (rest->size < HEAD_SIZE)
        return false;
    size_t size = load_u32(rest->data + 8);
    if (size > rest->size - HEAD_SIZE)
        return false;
    *version = load_u64(rest->data);
    *key = span_of(rest->data + HEAD_SIZE, size);
    rest->data += HEAD_SIZE + size;
    rest->size -= HEAD_SIZE + size;
    return true;
}

/* True when list and commands are well-formed, before anything is executed. */
static bool well_formed(struct span watched, struct span rest)
{
    uint64_t version;
    struct span part;
    while (watched_next(&watched, &version, &part))
        ;
    if (watched.size != 0)
        return false;
    struct command command;
    while (argument_next(&rest, &part))
        if (!command_open(part, &command))
            return false;
    return true;
}

static bool unchanged(const struct kv *kv, struct span watched)
{
    uint64_t version;
    struct span key;
    while (watched_next(&watched, &version, &key))
        if (kv_store_version(kv, key) != version)
            return false;
    return true;
}

void kv_exec(struct kv_call *call)
{
    struct span watched = kv_call_next(call);
    if (call->argc == 0 || !well_formed(watched, call->rest)) {
        kv_call_error(call, "ERR malformed transaction");
        return;
    }
    if (!unchanged(call->kv, watched)) {
        (void)reply_null(call->reply);
        return;
    }
    (void)reply_array(call->reply, call->argc - 1);
    for (uint32_t i = 1; i < call->argc; i++) {
        struct command command;
        (void)command_open(kv_call_next(call), &command);
        kv_execute(call->kv, &(struct kv_request){
                                 .command = &command,
                                 .nested = true,
                                 .time_ms = call->time_ms,
                                 .random = hash_mix(call->random, i),
                                 .reply = call->reply,
                             });
    }
}

void kv_watch(struct kv_call *call)
{
    (void)reply_array(call->reply, call->argc);
    for (uint32_t i = 0; i < call->argc; i++)
        kv_call_count(call, (int64_t)kv_store_version(call->kv, kv_call_next(call)));
}
