#include "lab/plan/plan_duration.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"
#include "lab/plan/plan_model.h"

static const double YEARS_MAX = 1e9, DAY_S = 86400;

/* From the largest to the smallest. */
static const struct {
    const char *unit;
    const char *word; /* as printed; years and days have a plural */
    double seconds;
} units[] = {
    {"y", "year", PLAN_YEAR_S}, {"w", NULL, 604800}, {"d", "day", 86400},     {"h", "h", 3600},
    {"m", "min", 60},            {"s", "s", 1},       {"ms", "ms", 1.0 / 1000},
};
enum { UNITS = sizeof units / sizeof units[0] };

/* Reads "12.5" and returns its length; 0 when there is no such number. */
static size_t parse_number(const char *text, double *out)
{
    size_t length = strspn(text, "0123456789.");
    bool digits = text[0] >= '0' && text[0] <= '9';
    struct span number = {(const uint8_t *)text, length};
    return digits && number_parse_double(number, out) ? length : 0;
}

bool plan_duration_parse(const char *text, double *seconds)
{
    double sum = 0;
    if (strcmp(text, "never") == 0) {
        *seconds = INFINITY;
        return true;
    }
    for (int next = 0; *text != '\0' || next == 0;) {
        double number = 0;
        size_t digits = parse_number(text, &number);
        size_t letters = strspn(text + digits, "abcdefghijklmnopqrstuvwxyz");
        int unit = next;
        while (unit < UNITS && (strlen(units[unit].unit) != letters ||
                                memcmp(units[unit].unit, text + digits, letters) != 0))
            unit++;
        if (digits == 0 || unit == UNITS)
            return false;
        sum += number * units[unit].seconds;
        text += digits + letters;
        next = unit + 1;
    }
    if (!(sum > 0) || sum > YEARS_MAX * PLAN_YEAR_S)
        return false;
    *seconds = sum;
    return true;
}

void plan_duration_print(char out[PLAN_DURATION_SIZE], double seconds)
{
    if (isinf(seconds)) {
        snprintf(out, PLAN_DURATION_SIZE, "never");
        return;
    }
    int unit = 0;
    while (unit < UNITS - 1 && (units[unit].word == NULL || seconds < units[unit].seconds))
        unit++;
    double value = seconds / units[unit].seconds;
    int length;
    if (value >= 1e6)
        length = snprintf(out, PLAN_DURATION_SIZE, "%.3g", value);
    else if (value >= 1000)
        length = snprintf(out, PLAN_DURATION_SIZE, "%.0f", value);
    else
        length = snprintf(out, PLAN_DURATION_SIZE, "%.4g", value);
    bool plural = units[unit].seconds >= DAY_S && strcmp(out, "1") != 0;
    snprintf(out + length, PLAN_DURATION_SIZE - (size_t)length, " %s%s", units[unit].word, plural ? "s" : "");
}
