/* Durations and times as scripts write them: a decimal number and a unit, exact to the nanosecond. */
#ifndef LOCKSTEP_LAB_SCENARIO_TIME_H
#define LOCKSTEP_LAB_SCENARIO_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* Bytes that scenario_time_print may write, with its terminator. */
enum { SCENARIO_TIME_SIZE = 40 };

/* Reads "150ms", "1.5 s", "20us", "7ns", "2m" or "forever" (INT64_MAX). False for anything else: for a negative or
 * missing number, an unknown unit, a part of a nanosecond, and for more than 292 years. */
bool scenario_time_parse(struct span text, int64_t *out_ns);

/* Writes the shortest such text that is read back as the same; "0s" for 0. Times are not negative (an invariant).
 * Returns its length. */
size_t scenario_time_print(int64_t time_ns, char out[SCENARIO_TIME_SIZE]);

#endif
