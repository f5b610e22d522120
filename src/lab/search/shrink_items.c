/* Taking out items, clients and nodes. */
#include <string.h>

#include "base/panic.h"
#include "lab/search/shrink_internal.h"

bool shrink_is_request(const struct plan_item *item)
{
    return item->kind == PLAN_REQUEST || item->kind == PLAN_LEAVE;
}

bool shrink_is_fault(const struct plan_item *item)
{
    return !shrink_is_request(item);
}

/* ---- delta debugging over the items that may be chosen ---- */

struct choice {
    struct shrinker *shrinker;
    struct shrink_case all; /* as it was when this pass began */
    uint32_t *places;       /* of the chosen items in it */
    uint32_t count;
};

static bool fails_with(void *context, const bool *kept)
{
    struct choice *choice = context;
    struct shrinker *shrinker = choice->shrinker;
    struct shrink_case candidate = choice->all;
    candidate.items = heap_alloc(shrinker->heap, (candidate.count + 1) * sizeof *candidate.items);
    invariant(candidate.items != NULL, "the heap of a shrinker has room for one more plan");
    candidate.count = 0;
    for (uint32_t i = 0, next = 0; i < choice->all.count; i++) {
        bool chosen = next < choice->count && choice->places[next] == i;
        if (!chosen || kept[next])
            candidate.items[candidate.count++] = choice->all.items[i];
        next += chosen;
    }
    return shrink_try(shrinker, &candidate);
}

void shrink_items(struct shrinker *shrinker, bool (*chosen)(const struct plan_item *item))
{
    struct heap *heap = shrinker->heap;
    struct choice choice = {.shrinker = shrinker, .all = shrink_copy(shrinker)};
    uint32_t count = choice.all.count;
    bool *kept = heap_alloc(heap, count + 1);
    choice.places = heap_alloc(heap, (count + 1) * sizeof *choice.places);
    invariant(kept != NULL && choice.places != NULL, "the heap of a shrinker has room for a place an item");
    memset(kept, 1, count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (chosen == NULL || chosen(&choice.all.items[i]))
            choice.places[choice.count++] = i;
    if (choice.count > 0)
        shrink_ddmin(heap, kept, choice.count, fails_with, &choice);
    heap_free(heap, choice.places);
    heap_free(heap, kept);
    shrink_drop(shrinker, &choice.all);
}

/* ---- clients ---- */

static void remove_item(struct shrink_case *of, uint32_t place)
{
    of->count--;
    memmove(&of->items[place], &of->items[place + 1], (of->count - place) * sizeof *of->items);
}

bool shrink_without_client(struct shrinker *shrinker, uint32_t client)
{
    struct shrink_case candidate = shrink_copy(shrinker);
    for (uint32_t i = candidate.count; i-- > 0;) {
        struct plan_item *item = &candidate.items[i];
        if (!shrink_is_request(item) || item->client < client)
            continue;
        if (item->client == client)
            remove_item(&candidate, i);
        else
            item->client--;
    }
    candidate.client_count--;
    return shrink_try(shrinker, &candidate);
}

void shrink_clients(struct shrinker *shrinker)
{
    for (uint32_t client = shrinker->best.client_count; client-- > 0;)
        shrink_without_client(shrinker, client);
}

/* ---- nodes ---- */

static uint64_t without_bit(uint64_t set, uint32_t place)
{
    uint64_t below = set & ((UINT64_C(1) << place) - 1);
    return below | (set >> place >> 1 << place);
}

static uint32_t renumber(uint32_t node, uint32_t place)
{
    return node > place + 1 ? node - 1 : node;
}

/* What concerned the node goes, but requests, which go to its neighbour. False: the item is no more. */
static bool lose_node(struct plan_item *item, uint32_t place, uint32_t node_count, uint32_t process_count)
{
    bool request = item->kind == PLAN_REQUEST;
    if (!request && (item->node == place + 1 || item->other == place + 1))
        return false;
    if (item->kind == PLAN_CUT) {
        item->set = without_bit(item->set, place);
        uint64_t all = (UINT64_C(1) << (process_count - 1)) - 1;
        return item->set != 0 && (item->set & all) != all;
    }
    bool moved = request && item->node == place + 1;
    item->node = moved ? place % (node_count - 1) + 1 : renumber(item->node, place);
    item->other = renumber(item->other, place);
    return true;
}

/* How many lies gateways mask hangs on the members: with fewer, anything goes wrong. */
static bool may_lose_node(const struct shrinker *shrinker, uint32_t node_count)
{
    const struct protocol *protocol = shrinker->world.protocol;
    return shrinker->world.gateways == 0 ||
           world_k_of(protocol, node_count - 1) == world_k_of(protocol, shrinker->world.node_count);
}

bool shrink_without_node(struct shrinker *shrinker, uint32_t place)
{
    uint32_t processes = shrinker->best.node_count + shrinker->world.gateways;
    if (shrinker->best.node_count <= 1 || !may_lose_node(shrinker, shrinker->best.node_count))
        return false;
    struct shrink_case candidate = shrink_copy(shrinker);
    for (uint32_t i = candidate.count; i-- > 0;)
        if (!lose_node(&candidate.items[i], place, candidate.node_count, processes))
            remove_item(&candidate, i);
    candidate.node_count--;
    return shrink_try(shrinker, &candidate);
}

/* ---- the last pass ---- */

static bool without_item(struct shrinker *shrinker, uint32_t place)
{
    struct shrink_case candidate = shrink_copy(shrinker);
    remove_item(&candidate, place);
    return shrink_try(shrinker, &candidate);
}

bool shrink_is_minimal(struct shrinker *shrinker)
{
    bool minimal = true;
    for (uint32_t place = shrinker->best.count; place-- > 0;)
        if (place < shrinker->best.count && without_item(shrinker, place))
            minimal = false;
    for (uint32_t client = shrinker->best.client_count; client-- > 0;)
        if (shrink_without_client(shrinker, client))
            minimal = false;
    for (uint32_t place = shrinker->best.node_count; place-- > 0;)
        if (shrink_without_node(shrinker, place))
            minimal = false;
    return minimal && !shrink_spent(shrinker);
}
