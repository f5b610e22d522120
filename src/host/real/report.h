/* Lines for the people who run a node: time, level, one sentence.
 *
 * They go to standard error or to a function of the caller. A node must not stand still because nobody reads its log:
 * a line that standard error cannot take at once is dropped and counted, and the next one that fits says how many. */
#ifndef LOCKSTEP_HOST_REAL_REPORT_H
#define LOCKSTEP_HOST_REAL_REPORT_H

#include <stdint.h>

enum report_level { REPORT_NOTICE, REPORT_WARNING, REPORT_ERROR };

struct report {
    void (*write)(void *context, enum report_level level, const char *sentence); /* NULL: standard error */
    void *context;
    uint64_t dropped;
};

/* `sentence` is a printf format; what is longer than 1 KiB is cut. A NULL report says nothing. */
__attribute__((format(printf, 3, 4))) void report(struct report *report, enum report_level level, const char *sentence,
                                                  ...);

const char *report_level_name(enum report_level level);

#endif
