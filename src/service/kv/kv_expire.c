/* Commands on expiry. Deadlines are wall times in milliseconds; what a client gives relative to now is made absolute
 * by the agreed time of the update, so all members hold the same deadline. */
#include "service/kv/kv_state.h"

enum expire_condition {
    ONLY_WITHOUT = 1 << 0, /* NX: if the key does not expire */
    ONLY_WITH = 1 << 1,    /* XX: if it does */
    ONLY_LATER = 1 << 2,   /* GT */
    ONLY_EARLIER = 1 << 3, /* LT */
};

static unsigned condition_of(struct span word)
{
    return kv_argument_is(word, "NX")   ? ONLY_WITHOUT
           : kv_argument_is(word, "XX") ? ONLY_WITH
           : kv_argument_is(word, "GT") ? ONLY_LATER
           : kv_argument_is(word, "LT") ? ONLY_EARLIER
                                        : 0;
}

static void unsupported_option(struct kv_call *call, struct span word)
{
    static const char head[] = "ERR Unsupported option ";
    char text[128];
    memcpy(text, head, sizeof head);
    size_t at = sizeof head - 1;
    for (size_t i = 0; i < word.size && word.data[i] != '\0' && at + 1 < sizeof text; i++)
        text[at++] = (char)word.data[i];
    text[at] = '\0';
    kv_call_error(call, text);
}

/* Reads the conditions to the end of the arguments; false after an answered error. */
static bool conditions_read(struct kv_call *call, unsigned *out)
{
    *out = 0;
    while (call->rest.size > 0) {
        struct span word = kv_call_next(call);
        unsigned condition = condition_of(word);
        if (condition == 0) {
            unsupported_option(call, word);
            return false;
        }
        *out |= condition;
    }
    const char *error = NULL;
    if ((*out & ONLY_WITHOUT) && (*out & ~(unsigned)ONLY_WITHOUT))
        error = "ERR NX and XX, GT or LT options at the same time are not compatible";
    else if ((*out & ONLY_LATER) && (*out & ONLY_EARLIER))
        error = "ERR GT and LT options at the same time are not compatible";
    return !kv_call_failed(call, error);
}

/* A key that does not expire has the latest deadline of all, for GT and LT. */
static bool conditions_hold(unsigned conditions, int64_t present_ms, int64_t wanted_ms)
{
    if ((conditions & ONLY_WITHOUT) && present_ms != KV_NEVER)
        return false;
    if ((conditions & ONLY_WITH) && present_ms == KV_NEVER)
        return false;
    if ((conditions & ONLY_LATER) && wanted_ms <= present_ms)
        return false;
    return !((conditions & ONLY_EARLIER) && wanted_ms >= present_ms && present_ms != KV_NEVER);
}

static void expire(struct kv_call *call, bool relative, int64_t unit_ms)
{
    struct span key = kv_call_next(call);
    struct span number = kv_call_next(call);
    unsigned conditions;
    int64_t value;
    if (!conditions_read(call, &conditions) || !kv_call_integer(call, number, &value))
        return;
    int64_t base_ms = relative ? call->kv->now_ms : 0;
    if (value > INT64_MAX / unit_ms || value < INT64_MIN / unit_ms || value * unit_ms > INT64_MAX - base_ms) {
        kv_call_error_named(call, "ERR invalid expire time in '", "' command");
        return;
    }
    int64_t deadline_ms = value * unit_ms + base_ms;
    struct spot spot = kv_store_find(call->kv, key);
    if (spot.entry == NULL || !conditions_hold(conditions, entry_deadline_ms(spot.entry), deadline_ms)) {
        kv_call_count(call, 0);
        return;
    }
    bool over = deadline_ms <= call->kv->now_ms;
    if (!kv_call_failed(call, over ? kv_store_drop(call->kv, &spot) : kv_store_expire(call, &spot, deadline_ms)))
        kv_call_count(call, 1);
}

void kv_expire(struct kv_call *call)
{
    expire(call, true, 1000);
}

void kv_pexpire(struct kv_call *call)
{
    expire(call, true, 1);
}

void kv_expireat(struct kv_call *call)
{
    expire(call, false, 1000);
}

void kv_pexpireat(struct kv_call *call)
{
    expire(call, false, 1);
}

void kv_persist(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    bool expires = spot.entry != NULL && entry_deadline_ms(spot.entry) != KV_NEVER;
    if (!expires)
        kv_call_count(call, 0);
    else if (!kv_call_failed(call, kv_store_expire(call, &spot, KV_NEVER)))
        kv_call_count(call, 1);
}

enum { ANSWER_NO_KEY = -2, ANSWER_NO_DEADLINE = -1 };

/* Answers the deadline, or what is left until it, in units rounded to the nearest as Redis does. */
static void answer_deadline(struct kv_call *call, bool left, int64_t unit_ms)
{
    const struct entry *entry = kv_store_find(call->kv, kv_call_next(call)).entry;
    int64_t at_ms = entry == NULL ? 0 : entry_deadline_ms(entry);
    if (entry == NULL || at_ms == KV_NEVER) {
        kv_call_count(call, entry == NULL ? ANSWER_NO_KEY : ANSWER_NO_DEADLINE);
        return;
    }
    if (left)
        at_ms = at_ms > call->time_ms ? at_ms - call->time_ms : 0;
    /* (at + unit / 2) / unit, without overflow. */
    kv_call_count(call, at_ms / unit_ms + (at_ms % unit_ms + unit_ms / 2) / unit_ms);
}

void kv_ttl(struct kv_call *call)
{
    answer_deadline(call, true, 1000);
}

void kv_pttl(struct kv_call *call)
{
    answer_deadline(call, true, 1);
}

void kv_expiretime(struct kv_call *call)
{
    answer_deadline(call, false, 1000);
}

void kv_pexpiretime(struct kv_call *call)
{
    answer_deadline(call, false, 1);
}
