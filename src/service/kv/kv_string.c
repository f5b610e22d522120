/* Commands that read and set whole values. */
#include "service/kv/kv_option.h"

/* The deadline of a key that may not exist. */
static int64_t deadline_of(const struct spot *spot)
{
    return spot->entry == NULL ? KV_NEVER : entry_deadline_ms(spot->entry);
}

void kv_get(struct kv_call *call)
{
    kv_call_value(call, kv_store_find(call->kv, kv_call_next(call)).entry);
}

void kv_set(struct kv_call *call)
{
    struct span key = kv_call_next(call);
    struct span value = kv_call_next(call);
    struct kv_options options;
    int64_t deadline_ms = KV_NEVER;
    if (!kv_options_read(call, false, &options))
        return;
    if (options.expiry.given && !kv_expiry_deadline(call, &options.expiry, &deadline_ms))
        return;
    struct spot spot = kv_store_find(call->kv, key);
    bool found = spot.entry != NULL;
    if (options.get)
        kv_call_value(call, spot.entry);
    if ((options.condition == CONDITION_NX && found) || (options.condition == CONDITION_XX && !found)) {
        if (!options.get)
            kv_call_value(call, NULL);
        return;
    }
    if (options.keep)
        deadline_ms = deadline_of(&spot);
    if (!kv_call_failed(call, kv_store_put(call, &spot, value, deadline_ms)) && !options.get)
        kv_call_ok(call);
}

void kv_setnx(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    if (spot.entry != NULL)
        kv_call_count(call, 0);
    else if (!kv_call_failed(call, kv_store_put(call, &spot, kv_call_next(call), KV_NEVER)))
        kv_call_count(call, 1);
}

static void set_expiring(struct kv_call *call, enum kv_unit unit)
{
    struct span key = kv_call_next(call);
    struct kv_expiry expiry = {.given = true, .relative = true, .unit = unit, .text = kv_call_next(call)};
    int64_t deadline_ms;
    if (!kv_expiry_deadline(call, &expiry, &deadline_ms))
        return;
    struct spot spot = kv_store_find(call->kv, key);
    if (!kv_call_failed(call, kv_store_put(call, &spot, kv_call_next(call), deadline_ms)))
        kv_call_ok(call);
}

void kv_setex(struct kv_call *call)
{
    set_expiring(call, UNIT_SECONDS);
}

void kv_psetex(struct kv_call *call)
{
    set_expiring(call, UNIT_MILLISECONDS);
}

void kv_getset(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    kv_call_value(call, spot.entry);
    kv_call_failed(call, kv_store_put(call, &spot, kv_call_next(call), KV_NEVER));
}

void kv_getdel(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    kv_call_value(call, spot.entry);
    if (spot.entry != NULL)
        kv_call_failed(call, kv_store_drop(call->kv, &spot));
}

/* The deadline that GETEX leaves, or false when nothing is to be changed. */
static bool getex_changes(const struct kv_options *options, const struct spot *spot, int64_t *deadline_ms)
{
    if (options->persist) {
        *deadline_ms = KV_NEVER;
        return deadline_of(spot) != KV_NEVER;
    }
    return options->expiry.given;
}

void kv_getex(struct kv_call *call)
{
    struct span key = kv_call_next(call);
    struct kv_options options;
    int64_t deadline_ms = KV_NEVER;
    if (!kv_options_read(call, true, &options))
        return;
    struct spot spot = kv_store_find(call->kv, key);
    if (spot.entry != NULL && options.expiry.given && !kv_expiry_deadline(call, &options.expiry, &deadline_ms))
        return;
    kv_call_value(call, spot.entry);
    if (spot.entry == NULL || !getex_changes(&options, &spot, &deadline_ms))
        return;
    if (deadline_ms <= call->kv->now_ms)
        kv_call_failed(call, kv_store_drop(call->kv, &spot));
    else
        kv_call_failed(call, kv_store_expire(call, &spot, deadline_ms));
}

void kv_mget(struct kv_call *call)
{
    (void)reply_array(call->reply, call->argc);
    for (uint32_t i = 0; i < call->argc; i++)
        kv_get(call);
}

/* What setting all pairs would fail on, found before any is set; NULL: nothing. */
static const char *pairs_error(const struct kv_call *call)
{
    enum { ROOM_MIN = 64 << 10 };
    struct kv_call ahead = *call;
    while (ahead.rest.size > 0)
        if (kv_call_next(&ahead).size > ENTRY_VALUE_SIZE_MAX)
            return KV_ERROR_SIZE;
    uint64_t charge = call->rest.size + (uint64_t)call->argc / 2 * entry_charge(0, 0, KV_NEVER);
    if (call->kv->bytes + charge > call->bytes_max || !kv_store_has_room(call->kv, 2 * charge + ROOM_MIN))
        return KV_ERROR_MEMORY;
    return NULL;
}

/* Sets all pairs, or answers an error and sets none. */
static bool set_pairs(struct kv_call *call)
{
    if (call->argc % 2 != 0) {
        kv_call_error_named(call, "ERR wrong number of arguments for '", "' command");
        return false;
    }
    const char *error = pairs_error(call);
    while (error == NULL && call->rest.size > 0) {
        struct spot spot = kv_store_find(call->kv, kv_call_next(call));
        error = kv_store_put(call, &spot, kv_call_next(call), KV_NEVER);
    }
    return !kv_call_failed(call, error);
}

void kv_mset(struct kv_call *call)
{
    if (set_pairs(call))
        kv_call_ok(call);
}

void kv_msetnx(struct kv_call *call)
{
    struct kv_call ahead = *call;
    while (call->argc % 2 == 0 && ahead.rest.size > 0) {
        if (kv_store_find(call->kv, kv_call_next(&ahead)).entry != NULL) {
            kv_call_count(call, 0);
            return;
        }
        kv_call_next(&ahead);
    }
    if (set_pairs(call))
        kv_call_count(call, 1);
}
