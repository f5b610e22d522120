/* Shrinking: from a failing run to a scenario so small that everything in it is needed.
 *
 * A run that violates a property is noted item by item (host/world/world_plan.h): each request, each fault, each
 * message that was lost. Items are then taken out, and the rest made simpler, as long as the same property still
 * breaks:
 *
 *   0. the same property in a simpler draw: fewer fault classes, clients, nodes; other seeds (shrink_neighbours.c)
 *   1. nothing after the violation; fewer clients, fewer requests
 *   2. fewer faults
 *   3. fewer nodes
 *   4. delta debugging over all that is left
 *   5. shorter and rounder times, draws that are zero
 *   6. again single items, clients and nodes, until none of them can go
 *
 * The result is 1-minimal: without any one item, client or node the property no longer breaks. That is what the last
 * pass has tried, each of them, and `minimal` says so. It is not the smallest of all: that would take every subset.
 *
 * Source: Zeller and Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 28(2), 2002: the
 * algorithm ddmin (section 3.2) and 1-minimality (definition 10). Deviation: sets that a run did not fail with are not
 * remembered, as passes seldom meet one twice. */
#ifndef LOCKSTEP_LAB_SHRINK_H
#define LOCKSTEP_LAB_SHRINK_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/heap.h"
#include "host/world/world.h"
#include "host/world/world_plan.h"

enum { SHRINK_RUNS_MAX = 20000 }; /* when nothing else is asked for */

struct shrink_options {
    struct world_options world; /* with the seed; no plan, no record */
    uint64_t runs_max;          /* 0: SHRINK_RUNS_MAX */
    const volatile sig_atomic_t *stop; /* may be NULL */
    FILE *progress;                    /* may be NULL */
};

/* How large something is. */
struct shrink_size {
    uint32_t requests, faults; /* items */
    uint32_t nodes, clients;
    int64_t time_ns; /* of the run, to its violation */
};

struct shrink_result {
    struct world_options world; /* what the small run needs; world.plan is `plan` below */
    struct plan plan;           /* on the heap that was given; plan_free() gives it back */
    char property[32];
    char sentence[256];         /* of the small run */
    struct shrink_size before, after;
    uint64_t runs;
    double seconds;
    bool minimal; /* false: it was stopped, or the runs were used up */
};

/* Shrinks the run of options->world.seed. 0, or a negative error with a sentence in `why`: ERROR_NOT_FOUND when it
 * violates nothing. The heap must have room for the recorded run (some MB); what else is needed comes from there and
 * goes again. `out->world` points into `out`, so that stays where it is. */
int shrink_run(const struct shrink_options *options, struct heap *heap, struct shrink_result *out, char *why,
               size_t why_size);

/* ---- for tests ---- */

/* Takes out elements (kept[i] = false) of those kept, as long as `fails` says that the rest still fails; it fails at
 * the start. The result is 1-minimal: taking out one more makes it pass. `fails` is asked O(n²) times at most, O(log n)
 * when one element is to blame. `heap` gives n bytes and more for the time of the call. */
void shrink_ddmin(struct heap *heap, bool *kept, uint32_t count, bool (*fails)(void *context, const bool *kept),
                  void *context);

#endif
