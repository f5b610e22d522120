/* Commands that compute with the number that a key holds.
 *
 * INCRBYFLOAT computes in IEEE double, in which all members agree on every digit; Redis computes in the machine's long
 * double, and prints 17 digits of it. */
#include "service/kv/kv_state.h"

/* Puts the text of a number under a key that keeps its deadline. False after an answered error. */
static bool put_number(struct kv_call *call, struct spot *spot, const char *text, size_t size)
{
    int64_t deadline_ms = spot->entry == NULL ? KV_NEVER : entry_deadline_ms(spot->entry);
    return !kv_call_failed(call, kv_store_put(call, spot, span_of(text, size), deadline_ms));
}

static void add_integer(struct kv_call *call, struct spot *spot, int64_t by)
{
    int64_t value = 0;
    if (spot->entry != NULL && !kv_call_integer(call, entry_value(spot->entry), &value))
        return;
    if (by < 0 ? value < INT64_MIN - by : value > INT64_MAX - by) {
        kv_call_error(call, KV_ERROR_OVERFLOW);
        return;
    }
    value += by;
    char text[NUMBER_INTEGER_SIZE_MAX];
    if (put_number(call, spot, text, number_print_i64(text, value)))
        kv_call_count(call, value);
}

void kv_incr(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    add_integer(call, &spot, 1);
}

void kv_decr(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    add_integer(call, &spot, -1);
}

void kv_incrby(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    int64_t by;
    if (kv_call_integer(call, kv_call_next(call), &by))
        add_integer(call, &spot, by);
}

void kv_decrby(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    int64_t by;
    if (!kv_call_integer(call, kv_call_next(call), &by))
        return;
    if (by == INT64_MIN)
        kv_call_error(call, "ERR decrement would overflow");
    else
        add_integer(call, &spot, -by);
}

/* Not a number, or beyond the largest one. */
static bool is_finite(double value)
{
    return value - value == 0;
}

void kv_incrbyfloat(struct kv_call *call)
{
    struct spot spot = kv_store_find(call->kv, kv_call_next(call));
    double value = 0;
    double by;
    if ((spot.entry != NULL && !number_parse_double(entry_value(spot.entry), &value)) ||
        !number_parse_double(kv_call_next(call), &by)) {
        kv_call_error(call, KV_ERROR_FLOAT);
        return;
    }
    value += by;
    if (!is_finite(value)) {
        kv_call_error(call, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[NUMBER_DOUBLE_SIZE_MAX];
    size_t size = number_print_double(text, value);
    if (put_number(call, &spot, text, size))
        (void)reply_bulk(call->reply, span_of(text, size));
}
