/* Durations as people plan with them: from milliseconds to billions of years, so in seconds as a double, unlike those
 * that the system itself keeps (int64_t nanoseconds, which end at 292 years). */
#ifndef LOCKSTEP_LAB_PLAN_DURATION_H
#define LOCKSTEP_LAB_PLAN_DURATION_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that the printed form needs at most, with its terminator. */
enum { PLAN_DURATION_SIZE = 40 };

/* Reads numbers with units, the larger unit first: "4y", "1.5h", "1d12h", "250ms". Units are y (365.25 days), w, d, h,
 * m (minutes), s and ms. "never" is INFINITY. False, and `out` untouched, for anything else, for nothing at all, for a
 * duration of 0, and for one above a billion years. */
bool plan_duration_parse(const char *text, double *seconds);

/* Prints it with three or four digits, or whole: "2 h", "11.4 years", "3.62e+15 years", "180 ms", "never". */
void plan_duration_print(char out[PLAN_DURATION_SIZE], double seconds);

#endif
