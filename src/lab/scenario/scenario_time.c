/* Durations and times as scripts write them. Integers only, so nothing is ever rounded. */
#include "lab/scenario/scenario_time.h"

#include "base/number.h"
#include "base/panic.h"
#include "base/time.h"

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {{"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS}, {"us", NS_PER_US}, {"ns", 1}};
enum { UNIT_COUNT = sizeof units / sizeof units[0] };

static bool find_unit(struct span name, int64_t *ns)
{
    for (size_t i = 0; i < UNIT_COUNT; i++)
        if (span_equal(name, span_string(units[i].name))) {
            *ns = units[i].ns;
            return true;
        }
    return false;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* value * 10 + digit, unless that is too much. */
static bool add_digit(int64_t *value, uint8_t digit)
{
    if (*value > (INT64_MAX - 9) / 10)
        return false;
    *value = *value * 10 + (digit - '0');
    return true;
}

bool scenario_time_parse(struct span text, int64_t *out_ns)
{
    if (span_equal(text, span_string("forever"))) {
        *out_ns = INT64_MAX;
        return true;
    }
    int64_t whole = 0, part = 0, part_unit = 1, unit_ns;
    size_t at = 0, part_from;
    for (; at < text.size && is_digit(text.data[at]); at++)
        if (!add_digit(&whole, text.data[at]))
            return false;
    if (at == 0)
        return false;
    if (at < text.size && text.data[at] == '.') {
        part_from = ++at;
        for (; at < text.size && is_digit(text.data[at]); at++, part_unit *= 10)
            if (part_unit > INT64_C(100000000000) || !add_digit(&part, text.data[at]))
                return false;
        if (at == part_from)
            return false;
    }
    if (at < text.size && text.data[at] == ' ')
        at++;
    if (!find_unit(span_of(text.data + at, text.size - at), &unit_ns))
        return false;
    if (part > INT64_MAX / unit_ns || part * unit_ns % part_unit != 0)
        return false;
    int64_t part_ns = part * unit_ns / part_unit;
    if (whole > (INT64_MAX - 1 - part_ns) / unit_ns)
        return false;
    *out_ns = whole * unit_ns + part_ns;
    return true;
}

static size_t print_in(int64_t time_ns, const struct unit *unit, char *out)
{
    size_t length = number_print_i64(out, time_ns / unit->ns);
    int64_t rest = time_ns % unit->ns;
    if (rest > 0)
        out[length++] = '.';
    for (int64_t digit_ns = unit->ns / 10; rest > 0; rest %= digit_ns, digit_ns /= 10)
        out[length++] = (char)('0' + rest / digit_ns);
    size_t name_size = strlen(unit->name);
    memcpy(out + length, unit->name, name_size + 1);
    return length + name_size;
}

size_t scenario_time_print(int64_t time_ns, char out[SCENARIO_TIME_SIZE])
{
    invariant(time_ns >= 0, "a time in a script is not negative");
    if (time_ns == INT64_MAX) {
        memcpy(out, "forever", sizeof "forever");
        return sizeof "forever" - 1;
    }
    size_t length = print_in(time_ns, &units[1], out);
    for (size_t i = 2; i < UNIT_COUNT && time_ns > 0; i++) { /* minutes have no decimal parts */
        char other[SCENARIO_TIME_SIZE];
        size_t other_length = print_in(time_ns, &units[i], other);
        if (other_length < length) {
            memcpy(out, other, other_length + 1);
            length = other_length;
        }
    }
    return length;
}
