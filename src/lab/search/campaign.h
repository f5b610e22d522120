/* Campaigns: many runs of the world, one for each seed, each judged; and their report.
 *
 * A run is judged by the world itself (invariants of each member, equal digests, progress), by the cross-member checks
 * of its protocol, and by the linearizability of what its clients saw. A violation is printed with its seed, the
 * property, and the one command that replays it.
 *
 * The seeds are run here, by several processes of this machine, or by the ranks of an MPI job; the report is in the
 * order of the seeds and the same for all of them. With a journal, a campaign that was interrupted goes on where it
 * stopped. */
#ifndef LOCKSTEP_LAB_CAMPAIGN_H
#define LOCKSTEP_LAB_CAMPAIGN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "host/world/world.h"

struct ranks; /* lab/search/campaign_ranks.h */

/* What one run came to. */
struct campaign_result {
    uint64_t seed;
    struct world_result world;
    bool undecided; /* its history was too much work to judge */
    uint64_t liveness_steps; /* that the healed phase took until something was executed (liveness_watch.h) */
};

struct campaign_options {
    struct world_options world; /* seed and watch are the campaign's; with a tracer, everything is run here */
    uint64_t seed_first, seed_last; /* both included */
    uint32_t jobs;                  /* processes that share the seeds */
    uint64_t violations_max;        /* ends after that many; 0: never before the last seed */
    bool print_hashes;              /* a line for each run */
    const char *replay;             /* the command without its seed: "lockstep sim raft --nodes 5" */
    const char *journal_path;       /* NULL: none; see campaign_journal.h */
    const char *build;              /* names the program; a journal and all ranks must be of the same */
    struct ranks *ranks;            /* NULL: this process is alone */
    const volatile sig_atomic_t *stop; /* becomes true when it is to end early; may be NULL */
    FILE *out, *progress;           /* NULL: says nothing */
    /* Sees each result, in the order of the seeds; may be NULL. Not those that a journal already has. */
    void (*seen)(void *context, const struct campaign_result *result);
    void *context;
};

struct campaign_summary {
    uint64_t runs, violations, events;
    uint64_t undecided;     /* histories whose linearizability was too much work to tell */
    uint64_t outside;       /* runs with faults beyond what the protocol's card claims */
    uint64_t next_seed;     /* the first that was not run */
    bool interrupted;
    double seconds;         /* of all parts, interruptions left out */
};

/* Runs it. 0, or a negative error when it could not (memory, processes, the journal); then `why` has a sentence. On a
 * rank other than 0 it works until rank 0 has no more seeds, and the summary stays empty. */
int campaign_run(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                 size_t why_size);

/* One place to run worlds in, used again and again: one at a time in a process. NULL: no memory. */
struct campaign_runner;
struct campaign_runner *campaign_runner_create(const struct world_options *options);
void campaign_runner_free(struct campaign_runner *runner);
/* Runs and judges one seed. */
void campaign_runner_run(struct campaign_runner *runner, const struct world_options *options,
                         struct campaign_result *result);

#endif
