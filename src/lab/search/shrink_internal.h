/* Shared by shrink*.c. */
#ifndef LOCKSTEP_LAB_SHRINK_INTERNAL_H
#define LOCKSTEP_LAB_SHRINK_INTERNAL_H

#include "lab/search/campaign.h"
#include "lab/search/shrink.h"

/* A run to try. Its items lie on the shrinker's heap; their texts are those of the recorded plan, which nobody
 * changes. */
struct shrink_case {
    struct plan_item *items;
    uint32_t count;
    uint32_t node_count, client_count;
    int64_t time_ns, heal_at_ns;
};

struct shrinker {
    const struct shrink_options *options;
    struct world_options world;     /* what is drawn, and from which seed */
    struct plan recorded;           /* of that seed; its texts are borrowed by the items of all cases */
    struct heap *heap;
    struct campaign_runner *runner; /* for runner_nodes nodes; NULL before the first run */
    uint32_t runner_nodes;
    struct shrink_case best;        /* the smallest that fails so far */
    struct campaign_result seen;    /* what its run came to */
    char property[32];              /* that must break */
    uint64_t runs, runs_max;
    double shown_s;
};

/* A copy of `best` with room for its items, to be changed and tried; give it back with shrink_drop. */
struct shrink_case shrink_copy(struct shrinker *shrinker);
void shrink_drop(struct shrinker *shrinker, struct shrink_case *candidate);
/* Sorts its items and runs it. True: the same property breaks; then `best` is it, and the candidate is used up. Else it
 * is given back. */
bool shrink_try(struct shrinker *shrinker, struct shrink_case *candidate);
/* No more runs are to be made: everything passes from now on. */
bool shrink_spent(const struct shrinker *shrinker);

/* Runs a world from its seed and notes all that was done, sorted. False: no memory. */
bool shrink_record(struct shrinker *shrinker, const struct world_options *world, struct plan *plan,
                   struct campaign_result *result);

/* ---- shrink_neighbours.c ---- */

/* Looks for a smaller run that violates the same property. */
void shrink_neighbours(struct shrinker *shrinker);

/* ---- shrink_items.c ---- */

/* Takes out items for which `chosen` says so, by delta debugging; NULL: any. */
void shrink_items(struct shrinker *shrinker, bool (*chosen)(const struct plan_item *item));
void shrink_clients(struct shrinker *shrinker);
bool shrink_is_request(const struct plan_item *item);
bool shrink_is_fault(const struct plan_item *item);
/* One pass over all items, clients and nodes, each alone: true when none of them could go. */
bool shrink_is_minimal(struct shrinker *shrinker);
/* Tries with one node, or one client, less; true when it still fails. `place` counts from 0. */
bool shrink_without_node(struct shrinker *shrinker, uint32_t place);
bool shrink_without_client(struct shrinker *shrinker, uint32_t client);

/* ---- shrink_times.c ---- */

/* Nothing after the violation, an end soon behind it. */
void shrink_end(struct shrinker *shrinker);
/* Earlier, rounder and shorter times, zero draws. */
void shrink_times(struct shrinker *shrinker);

#endif
