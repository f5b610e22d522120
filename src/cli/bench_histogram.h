/* A histogram of latencies with a relative error below 1 %, whatever their size: each power of two is cut into 128 equal
 * buckets (after Gil Tene's HdrHistogram). Recording is a few instructions. */
#ifndef LOCKSTEP_CLI_BENCH_HISTOGRAM_H
#define LOCKSTEP_CLI_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_FINE_BITS = 7,
    HISTOGRAM_FINE = 1 << HISTOGRAM_FINE_BITS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_FINE_BITS + 1) * HISTOGRAM_FINE,
};

struct bench_histogram {
    uint64_t count;
    uint64_t sum; /* nanoseconds */
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline void bench_histogram_add(struct bench_histogram *histogram, uint64_t value_ns)
{
    unsigned shift = 0;
    if (value_ns >= HISTOGRAM_FINE)
        shift = 63u - (unsigned)__builtin_clzll(value_ns) - HISTOGRAM_FINE_BITS;
    /* Values below 256 have a bucket each; above, the leading one is dropped, and the octave takes its place. */
    uint64_t bucket = (uint64_t)shift * HISTOGRAM_FINE + (value_ns >> shift);
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum += value_ns;
    if (value_ns > histogram->max)
        histogram->max = value_ns;
}

/* The value that so many of a thousand are not above, to within the width of a bucket. */
static inline uint64_t bench_histogram_quantile(const struct bench_histogram *histogram, uint64_t per_mille)
{
    uint64_t wanted = (histogram->count * per_mille + 999) / 1000, seen = 0;
    for (uint64_t bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->buckets[bucket];
        if (seen < wanted || histogram->buckets[bucket] == 0)
            continue;
        uint64_t shift = bucket < 2 * HISTOGRAM_FINE ? 0 : bucket / HISTOGRAM_FINE - 1;
        uint64_t low = (bucket - shift * HISTOGRAM_FINE) << shift;
        uint64_t middle = low + ((UINT64_C(1) << shift) - 1) / 2;
        return middle < histogram->max ? middle : histogram->max;
    }
    return histogram->max;
}

#endif
