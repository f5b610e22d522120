/* Other seeds, in simpler worlds: a run that violates the same property sooner, or with less in it, is a better one to
 * begin with.
 *
 * A fault that struck a leader in the very millisecond in which it mattered, four times in a row, cannot be moved:
 * whatever is taken out before, the next election ends a little earlier or later. Such a run cannot be shrunk far by
 * taking out items. But the campaign that found it finds others of its kind: with one class of faults less, one client,
 * fewer nodes, and no longer than the best run so far. So this pass makes the draw simpler, not the run, and looks at a
 * bounded number of seeds for each simplification. What it ends with is recorded, and shrunk item by item from then
 * on. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "lab/search/shrink_internal.h"

enum { SEEDS_TRIED = 60, SEEDS_TRIED_LAST = 1500, ROUNDS_MAX = 6, NODES_LEAST = 3, SMALL_ITEMS = 10 };

/* Runs a world and notes it; true when the property breaks with fewer items than the best run has: then that is the
 * best run from then on. */
static bool try_world(struct shrinker *shrinker, const struct world_options *world)
{
    struct campaign_result result;
    struct plan plan;
    plan_init(&plan, shrinker->heap);
    bool fails = shrink_record(shrinker, world, &plan, &result) && result.world.violated &&
                 strcmp(result.world.property, shrinker->property) == 0;
    uint32_t until = 0;
    for (uint32_t i = 0; fails && i < plan.count; i++)
        until += plan.items[i].at_ns <= result.world.time_ns;
    if (!fails || until >= shrinker->best.count) {
        plan_free(&plan);
        return false;
    }
    struct shrink_case found = {.items = plan.items, .count = plan.count, .node_count = world->node_count,
                                .client_count = world->client_count, .time_ns = world->time_ns,
                                .heal_at_ns = world->heal_at_ns};
    struct world_options before = shrinker->world;
    shrinker->world = *world;
    struct plan_item *copy = heap_alloc(shrinker->heap, (plan.count + 1) * sizeof *copy);
    invariant(copy != NULL, "the heap of a shrinker has room for one more plan");
    memcpy(copy, plan.items, plan.count * sizeof *copy);
    found.items = copy;
    if (!shrink_try(shrinker, &found)) { /* its plan must do what it did */
        shrinker->world = before;
        plan_free(&plan);
        return false;
    }
    plan_free(&shrinker->recorded); /* its texts were those of the run before */
    shrinker->recorded = plan;
    return true;
}

/* Looks at some seeds, that of the best run first. */
static bool try_seeds(struct shrinker *shrinker, struct world_options world, uint64_t count)
{
    uint64_t seed = world.seed;
    for (uint64_t i = 0; i < count && !shrink_spent(shrinker); i++) {
        world.seed = seed + i;
        if (try_world(shrinker, &world))
            return true;
    }
    return false;
}

/* No longer than the best run: its violation ends it. */
static struct world_options as_long(const struct shrinker *shrinker)
{
    struct world_options world = shrinker->world;
    int64_t seen_ns = shrinker->seen.world.time_ns;
    int64_t heal_at_ns = world.heal_at_ns != 0 ? world.heal_at_ns : world.time_ns / 10 * 7;
    if (seen_ns >= world.time_ns || seen_ns >= heal_at_ns)
        return world; /* only the healed phase shows it */
    world.heal_at_ns = PLAN_FOREVER;
    world.time_ns = seen_ns / NS_PER_MS * NS_PER_MS + NS_PER_MS;
    return world;
}

static bool shorter(struct shrinker *shrinker)
{
    struct world_options world = as_long(shrinker);
    world.time_ns /= 2;
    if (world.heal_at_ns != PLAN_FOREVER)
        world.heal_at_ns /= 2;
    return world.time_ns >= 100 * NS_PER_MS && try_seeds(shrinker, world, SEEDS_TRIED);
}

static bool fewer_clients(struct shrinker *shrinker)
{
    struct world_options world = as_long(shrinker);
    if (world.client_count <= 1)
        return false;
    world.client_count = 1;
    if (try_seeds(shrinker, world, SEEDS_TRIED))
        return true;
    world = as_long(shrinker);
    world.client_count--;
    return try_seeds(shrinker, world, SEEDS_TRIED);
}

static bool fewer_nodes(struct shrinker *shrinker)
{
    struct world_options world = as_long(shrinker);
    if (world.node_count <= NODES_LEAST || world.gateways > 0)
        return false;
    world.node_count = NODES_LEAST;
    if (try_seeds(shrinker, world, SEEDS_TRIED))
        return true;
    world.node_count = shrinker->world.node_count - 1;
    return world.node_count > NODES_LEAST && try_seeds(shrinker, world, SEEDS_TRIED);
}

static bool fewer_classes(struct shrinker *shrinker)
{
    bool any = false;
    for (uint32_t i = 0; i < WORLD_FAULT_COUNT; i++) {
        struct world_options world = as_long(shrinker);
        if ((world.faults & 1u << i) == 0)
            continue;
        world.faults &= ~(1u << i);
        any = try_seeds(shrinker, world, SEEDS_TRIED) || any;
    }
    return any;
}

void shrink_neighbours(struct shrinker *shrinker)
{
    bool better = true;
    for (uint32_t round = 0; round < ROUNDS_MAX && better && shrinker->best.count > SMALL_ITEMS; round++) {
        better = shorter(shrinker); /* first, as all that follows then takes less time */
        better = fewer_classes(shrinker) || better;
        better = fewer_clients(shrinker) || better;
        better = fewer_nodes(shrinker) || better;
        /* Where nothing simpler fails in few seeds, the draw stays as it is, and more of them are looked at. */
        better = better || try_seeds(shrinker, as_long(shrinker), SEEDS_TRIED_LAST);
    }
}
