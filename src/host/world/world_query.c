/* What scripts, checkers and reports may ask of a world. */
#include <string.h>

#include "host/world/world_state.h"

const char *world_fault_name(enum world_fault_bit bit)
{
#define WORLD_FAULT_TEXT(name, text, what) text,
    static const char *const names[] = {WORLD_FAULTS(WORLD_FAULT_TEXT)};
#undef WORLD_FAULT_TEXT
    return (unsigned)bit < WORLD_FAULT_COUNT ? names[bit] : "?";
}

uint32_t world_fault_find(const char *name)
{
    for (unsigned i = 0; i < WORLD_FAULT_COUNT; i++)
        if (strcmp(name, world_fault_name((enum world_fault_bit)i)) == 0)
            return 1u << i;
    return strcmp(name, "timing") == 0 ? WORLD_TIMING_FAULTS : 0;
}

int64_t world_now_ns(const struct world *world)
{
    return world->now_ns;
}

bool world_is_up(const struct world *world, uint32_t place)
{
    return place < world->node_count && world->processes[place].up;
}

bool world_is_healed(const struct world *world)
{
    return world->healed;
}

bool world_member_status(const struct world *world, uint32_t place, struct member_status *out)
{
    return place < world->node_count && process_status(&world->processes[place], out);
}

uint32_t world_orderer(const struct world *world)
{
    uint32_t found = 0;
    uint64_t term = 0;
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct member_status status;
        if (!process_status(&world->processes[i], &status) || status.orderer != i + 1 || status.term < term)
            continue;
        term = status.term;
        found = i + 1;
    }
    return found;
}

uint64_t world_requests(const struct world *world, uint32_t client)
{
    return client < world->client_count ? world->clients[client].requests : 0;
}

const struct world_operation *world_history(const struct world *world, size_t *count)
{
    *count = world->history.count;
    return world->history.list;
}

bool world_history_whole(const struct world *world)
{
    return !world->history_torn;
}

struct span world_key_name(const struct world *world, uint32_t key)
{
    return key < world->keys.count ? world->keys.list[key] : (struct span){0};
}
