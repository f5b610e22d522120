/* Campaigns: many runs of the world, one for each seed, each judged; and their report.
 *
 * A run is judged by the world itself (invariants of each member, equal digests, progress), by the cross-member checks
 * of its protocol, and by the linearizability of what its clients saw. A violation is printed with its seed, the
 * property, and the one command that replays it. */
#ifndef LOCKSTEP_LAB_CAMPAIGN_H
#define LOCKSTEP_LAB_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/world/world.h"

struct campaign_options {
    struct world_options world; /* seed, watch and trace are the campaign's */
    uint64_t seed_first, seed_last; /* both included */
    uint32_t jobs;                  /* processes that share the seeds */
    bool print_hashes;              /* a line for each run */
    const char *replay;             /* the command without its seed: "lockstep sim raft --nodes 5" */
    const char *trace_path;         /* NULL: none; only with one seed */
    FILE *out, *progress;           /* progress may be NULL */
};

struct campaign_summary {
    uint64_t runs, violations, events;
    uint64_t undecided; /* histories whose linearizability was too much work to tell */
    double seconds;
};

/* Runs it. 0, or a negative error when it could not (memory, processes, the trace's file); then `why` has a sentence. */
int campaign_run(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                 size_t why_size);

/* What one run came to. */
struct campaign_result {
    uint64_t seed;
    struct world_result world;
    bool undecided;
};

/* One place to run worlds in, used again and again. NULL: no memory. */
struct campaign_runner;
struct campaign_runner *campaign_runner_create(const struct world_options *options);
void campaign_runner_free(struct campaign_runner *runner);
/* Runs and judges one seed. */
void campaign_runner_run(struct campaign_runner *runner, const struct world_options *options,
                         struct campaign_result *result);

#endif
