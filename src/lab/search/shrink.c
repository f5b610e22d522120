/* The order of the passes, and the runs that they try. */
#include "lab/search/shrink.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/time.h"
#include "lab/search/shrink_internal.h"

enum { PROGRESS_EVERY_MS = 200 };

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- cases ---- */

struct shrink_case shrink_copy(struct shrinker *shrinker)
{
    struct shrink_case copy = shrinker->best;
    copy.items = heap_alloc(shrinker->heap, (copy.count + 1) * sizeof *copy.items);
    invariant(copy.items != NULL, "the heap of a shrinker has room for one more plan");
    memcpy(copy.items, shrinker->best.items, copy.count * sizeof *copy.items);
    return copy;
}

void shrink_drop(struct shrinker *shrinker, struct shrink_case *candidate)
{
    heap_free(shrinker->heap, candidate->items);
    candidate->items = NULL;
}

bool shrink_spent(const struct shrinker *shrinker)
{
    return shrinker->runs >= shrinker->runs_max || (shrinker->options->stop != NULL && *shrinker->options->stop != 0);
}

static struct world_options options_of(const struct shrinker *shrinker, const struct shrink_case *of,
                                       const struct plan *plan)
{
    struct world_options world = shrinker->world;
    world.node_count = of->node_count;
    world.client_count = of->client_count;
    world.time_ns = of->time_ns;
    world.heal_at_ns = of->heal_at_ns;
    world.plan = plan;
    return world;
}

/* The judges of a runner are made for a number of nodes. False: no memory. */
static bool prepare_runner(struct shrinker *shrinker, const struct world_options *world)
{
    if (shrinker->runner != NULL && shrinker->runner_nodes == world->node_count)
        return true;
    if (shrinker->runner != NULL)
        campaign_runner_free(shrinker->runner);
    shrinker->runner = campaign_runner_create(world);
    shrinker->runner_nodes = world->node_count;
    return shrinker->runner != NULL;
}

static bool run_case(struct shrinker *shrinker, const struct shrink_case *of, struct campaign_result *result)
{
    struct plan plan = {.heap = shrinker->heap, .items = of->items, .count = of->count, .capacity = of->count};
    struct world_options world = options_of(shrinker, of, &plan);
    shrinker->runs++;
    if (!prepare_runner(shrinker, &world))
        return false;
    campaign_runner_run(shrinker->runner, &world, result);
    return result->world.violated && strcmp(result->world.property, shrinker->property) == 0;
}

static void show_progress(struct shrinker *shrinker)
{
    FILE *progress = shrinker->options->progress;
    double now = progress != NULL ? clock_seconds() : 0;
    if (progress == NULL || now - shrinker->shown_s < PROGRESS_EVERY_MS / 1e3)
        return;
    shrinker->shown_s = now;
    fprintf(progress, "\r%llu runs, %u items, %u nodes, %u clients ", (unsigned long long)shrinker->runs,
            shrinker->best.count, shrinker->best.node_count, shrinker->best.client_count);
    fflush(progress);
}

/* By time, as plans are; those that concern one message have none, and stand at the front. Mostly sorted already. */
static void sort_items(struct shrink_case *of)
{
    for (uint32_t i = 1; i < of->count; i++) {
        struct plan_item item = of->items[i];
        uint32_t at = i;
        for (; at > 0 && of->items[at - 1].at_ns > item.at_ns; at--)
            of->items[at] = of->items[at - 1];
        of->items[at] = item;
    }
}

bool shrink_try(struct shrinker *shrinker, struct shrink_case *candidate)
{
    struct campaign_result result;
    show_progress(shrinker);
    sort_items(candidate);
    if (shrink_spent(shrinker) || !run_case(shrinker, candidate, &result)) {
        shrink_drop(shrinker, candidate);
        return false;
    }
    shrink_drop(shrinker, &shrinker->best);
    shrinker->best = *candidate;
    shrinker->seen = result;
    return true;
}

/* ---- the passes ---- */

static struct shrink_size size_of(const struct shrinker *shrinker)
{
    struct shrink_size size = {.nodes = shrinker->best.node_count, .clients = shrinker->best.client_count,
                               .time_ns = shrinker->seen.world.time_ns};
    for (uint32_t i = 0; i < shrinker->best.count; i++)
        if (shrink_is_request(&shrinker->best.items[i]))
            size.requests++;
        else
            size.faults++;
    return size;
}

static void shrink_nodes(struct shrinker *shrinker)
{
    for (uint32_t place = shrinker->best.node_count; place-- > 0;)
        shrink_without_node(shrinker, place);
}

/* True: 1-minimal. What is simpler may be able to lose something that was needed before, so passes come again. */
static bool reduce(struct shrinker *shrinker)
{
    shrink_neighbours(shrinker);
    shrink_end(shrinker);
    shrink_clients(shrinker);
    shrink_items(shrinker, shrink_is_request);
    shrink_end(shrinker);
    shrink_items(shrinker, shrink_is_fault);
    shrink_nodes(shrinker);
    do {
        shrink_items(shrinker, NULL);
        shrink_times(shrinker);
        shrink_end(shrinker);
        if (shrink_spent(shrinker))
            return false;
    } while (!shrink_is_minimal(shrinker));
    return true;
}

bool shrink_record(struct shrinker *shrinker, const struct world_options *world, struct plan *plan,
                   struct campaign_result *result)
{
    struct world_options recorded = *world;
    recorded.record = plan;
    shrinker->runs++;
    show_progress(shrinker);
    if (!prepare_runner(shrinker, &recorded))
        return false;
    campaign_runner_run(shrinker->runner, &recorded, result);
    plan_sort(plan);
    return true;
}

/* The recorded run as the first case; an error with a sentence: there is nothing to shrink. */
static int begin(struct shrinker *shrinker, char *why, size_t why_size)
{
    const struct world_options *world = &shrinker->world;
    const struct plan *recorded = &shrinker->recorded;
    if (!shrink_record(shrinker, world, &shrinker->recorded, &shrinker->seen)) {
        snprintf(why, why_size, "no memory for a world of %u nodes", world->node_count);
        return ERROR_NO_MEMORY;
    }
    if (!shrinker->seen.world.violated) {
        snprintf(why, why_size, "seed %llu violates nothing, so there is nothing to shrink",
                 (unsigned long long)world->seed);
        return ERROR_NOT_FOUND;
    }
    snprintf(shrinker->property, sizeof shrinker->property, "%s", shrinker->seen.world.property);
    struct plan_item *items = heap_alloc(shrinker->heap, (recorded->count + 1) * sizeof *items);
    invariant(items != NULL, "the heap of a shrinker has room for one more plan");
    memcpy(items, recorded->items, recorded->count * sizeof *items);
    struct shrink_case all = {.items = items, .count = recorded->count, .node_count = world->node_count,
                              .client_count = world->client_count, .time_ns = world->time_ns,
                              .heal_at_ns = world->heal_at_ns};
    if (shrink_try(shrinker, &all))
        return OK;
    snprintf(why, why_size, "seed %llu violates %s, but its recorded plan of %u items does not",
             (unsigned long long)world->seed, shrinker->property, recorded->count);
    return ERROR_INVALID;
}

static void hand_over(struct shrinker *shrinker, struct heap *heap, struct shrink_result *out)
{
    plan_init(&out->plan, heap);
    for (uint32_t i = 0; i < shrinker->best.count; i++)
        plan_add(&out->plan, &shrinker->best.items[i]);
    out->world = options_of(shrinker, &shrinker->best, &out->plan);
    out->after = size_of(shrinker);
    snprintf(out->property, sizeof out->property, "%s", shrinker->property);
    snprintf(out->sentence, sizeof out->sentence, "%s", shrinker->seen.world.sentence);
}

int shrink_run(const struct shrink_options *options, struct heap *heap, struct shrink_result *out, char *why,
               size_t why_size)
{
    struct shrinker shrinker = {.options = options, .heap = heap};
    double began_s = clock_seconds();
    *out = (struct shrink_result){0};
    shrinker.world = options->world;
    shrinker.runs_max = options->runs_max > 0 ? options->runs_max : SHRINK_RUNS_MAX;
    plan_init(&shrinker.recorded, heap);
    int error = begin(&shrinker, why, why_size);
    if (error == OK) {
        out->before = size_of(&shrinker);
        out->minimal = reduce(&shrinker);
        hand_over(&shrinker, heap, out);
        shrink_drop(&shrinker, &shrinker.best);
    }
    if (shrinker.runner != NULL)
        campaign_runner_free(shrinker.runner);
    plan_free(&shrinker.recorded);
    if (options->progress != NULL)
        fputs("\r\033[K", options->progress);
    out->runs = shrinker.runs;
    out->seconds = clock_seconds() - began_s;
    return error;
}
