/* lockstep bench, private parts: its options, its connections, its two kinds of run. */
#ifndef LOCKSTEP_CLI_BENCH_INTERNAL_H
#define LOCKSTEP_CLI_BENCH_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/bench_histogram.h"

enum { BENCH_PORTS_MAX = 16, BENCH_ERROR_SIZE = 120 };

enum bench_load { BENCH_SET, BENCH_GET, BENCH_INCR, BENCH_MIXED, BENCH_FILL };

struct bench_options {
    const char *host; /* an IPv4 address */
    uint16_t ports[BENCH_PORTS_MAX];
    uint32_t port_count;
    uint32_t connections, pipeline;
    uint64_t requests; /* 0: no bound */
    double seconds, warm_seconds;
    uint32_t value_size;
    uint64_t keys;
    enum bench_load load;
    bool failover, quiet;
    uint64_t seed;
};

/* What a run found. */
struct bench_result {
    double seconds;
    uint64_t replies, errors, lost; /* errors: replies that were errors; lost: connections */
    double gap_seconds;             /* failover: the longest time without a success */
    double gap_at_seconds;          /* and when it began */
    char error[BENCH_ERROR_SIZE];   /* the first one's text */
    struct bench_histogram latencies;
};

/* Runs to the end. False, with a sentence in result->error, when it could not even begin or lost everything. */
bool bench_load_run(const struct bench_options *options, struct bench_result *result);
bool bench_failover_run(const struct bench_options *options, struct bench_result *result);

uint64_t bench_now_ns(void);

/* Starts a connection; returns the descriptor, which does not block and may still be connecting, or -1. */
int bench_connect(const struct bench_options *options, uint16_t port);

/* Where a connection's replies stand. Zero is the beginning. */
struct bench_reader {
    uint64_t skip;  /* bytes of a string to be passed over */
    int64_t number; /* of the line so far */
    char type;      /* of the line, 0 between lines */
    bool negative;
    uint32_t error_size;
    char error[BENCH_ERROR_SIZE];
};

struct bench_replies {
    uint64_t count, errors;
    const char *error; /* text of the last of them, in the reader; NULL */
    bool damaged;
};

/* Counts the replies that end within these bytes. Knows the replies of simple commands: lines and strings. */
struct bench_replies bench_read(struct bench_reader *reader, const char *bytes, size_t size);

#endif
