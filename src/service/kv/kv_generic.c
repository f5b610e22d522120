/* Commands on keys whatever their value: delete, count, rename, flush. */
#include "service/kv/kv_state.h"

void kv_del(struct kv_call *call)
{
    int64_t deleted = 0;
    for (uint32_t i = 0; i < call->argc; i++) {
        struct spot spot = kv_store_find(call->kv, kv_call_next(call));
        if (spot.entry == NULL)
            continue;
        if (kv_call_failed(call, kv_store_drop(call->kv, &spot)))
            return;
        deleted++;
    }
    kv_call_count(call, deleted);
}

void kv_unlink(struct kv_call *call)
{
    kv_del(call);
}

void kv_exists(struct kv_call *call)
{
    int64_t found = 0;
    for (uint32_t i = 0; i < call->argc; i++)
        found += kv_store_find(call->kv, kv_call_next(call)).entry != NULL;
    kv_call_count(call, found);
}

void kv_touch(struct kv_call *call)
{
    kv_exists(call);
}

void kv_type(struct kv_call *call)
{
    bool found = kv_store_find(call->kv, kv_call_next(call)).entry != NULL;
    (void)reply_simple(call->reply, found ? "string" : "none");
}

void kv_dbsize(struct kv_call *call)
{
    kv_call_count(call, (int64_t)call->kv->table->count);
}

/* Moves the value and the deadline of one key to another, which differs from it. */
static const char *move(struct kv_call *call, struct spot *from, struct span to_key)
{
    enum { ROOM_MIN = 64 << 10 };
    /* Deleting the old name needs memory while a checkpoint runs, so it is made sure of beforehand. */
    if (!kv_store_has_room(call->kv, heap_size_of(from->entry) + to_key.size + ROOM_MIN))
        return KV_ERROR_MEMORY;
    struct spot to = kv_store_find(call->kv, to_key);
    struct span value = entry_value(from->entry);
    const char *error = kv_store_put(call, &to, value, entry_deadline_ms(from->entry));
    return error != NULL ? error : kv_store_drop(call->kv, from);
}

static void rename_key(struct kv_call *call, bool only_new)
{
    struct spot from = kv_store_find(call->kv, kv_call_next(call));
    struct span to_key = kv_call_next(call);
    bool taken = kv_store_find(call->kv, to_key).entry != NULL;
    if (from.entry == NULL)
        kv_call_error(call, KV_ERROR_NO_KEY);
    else if (only_new && taken)
        kv_call_count(call, 0);
    else if (!span_equal(from.key, to_key) && kv_call_failed(call, move(call, &from, to_key)))
        return;
    else if (only_new)
        kv_call_count(call, 1);
    else
        kv_call_ok(call);
}

void kv_rename(struct kv_call *call)
{
    rename_key(call, false);
}

void kv_renamenx(struct kv_call *call)
{
    rename_key(call, true);
}

/* ASYNC and SYNC are the same here: the keys are gone at once, their memory follows in pieces. */
void kv_flushall(struct kv_call *call)
{
    struct span how = kv_call_next(call);
    if (call->argc > 1 || (call->argc == 1 && !kv_argument_is(how, "ASYNC") && !kv_argument_is(how, "SYNC")))
        kv_call_error(call, KV_ERROR_SYNTAX);
    else if (!kv_call_failed(call, kv_store_flush(call->kv) ? NULL : KV_ERROR_MEMORY))
        kv_call_ok(call);
}

void kv_flushdb(struct kv_call *call)
{
    kv_flushall(call);
}
