/* Lines for the people who run a node (report.h). */
#include "host/real/report.h"

#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SENTENCE_SIZE_MAX = 1024, LINE_SIZE_MAX = SENTENCE_SIZE_MAX + 128 };

const char *report_level_name(enum report_level level)
{
    switch (level) {
    case REPORT_NOTICE:
        return "notice";
    case REPORT_WARNING:
        return "warning";
    case REPORT_ERROR:
        return "error";
    }
    return "?";
}

/* "2026-01-31T12:00:00.123Z" */
static void time_print(char *out, size_t size)
{
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char seconds[32];
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

static void write_standard_error(struct report *report, enum report_level level, const char *sentence)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) {
        report->dropped++;
        return;
    }
    char time_text[48], missing[64] = "";
    time_print(time_text, sizeof time_text);
    if (report->dropped > 0)
        snprintf(missing, sizeof missing, " (%llu lines before this one were dropped)",
                 (unsigned long long)report->dropped);
    char line[LINE_SIZE_MAX + sizeof missing];
    int length = snprintf(line, sizeof line, "%s %-7s %s%s\n", time_text, report_level_name(level), sentence, missing);
    size_t size = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    if (write(STDERR_FILENO, line, size) == (ssize_t)size)
        report->dropped = 0;
    else
        report->dropped++;
}

void report(struct report *report, enum report_level level, const char *sentence, ...)
{
    if (report == NULL)
        return;
    char text[SENTENCE_SIZE_MAX];
    va_list arguments;
    va_start(arguments, sentence);
    vsnprintf(text, sizeof text, sentence, arguments);
    va_end(arguments);
    if (report->write != NULL)
        report->write(report->context, level, text);
    else
        write_standard_error(report, level, text);
}
