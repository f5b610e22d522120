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
    for (uint32_t i = 0; i < world->member_count; i++) {
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

bool world_gateways_fit(const struct world_options *options, char *why, size_t why_size)
{
    const struct protocol *protocol = options->protocol;
    const char *what = NULL;
    if (world_process_count(options) > WORLD_NODES_MAX)
        what = "there are at most 64 nodes and gateways";
    else if (options->gateways > 0 && (protocol->order != ORDER_TOTAL || strcmp(options->service->name, "kv") != 0))
        what = "gateways are for protocols that replicate the keyspace, such as raft, paxos and pbft";
    else if (options->gateways == 0 && (options->vote > 0 || options->gateway_ablations != 0))
        what = "it is gateways that vote, and there are none (--gateways 2)";
    else if (options->vote > options->node_count)
        what = "there are fewer members than answers to be compared";
    else if (options->vote > 0 && protocol->masks == MASKS_ARBITRARY)
        what = "how many answers are compared follows from the protocol, which masks arbitrary failures";
    snprintf(why, why_size, "%s", what != NULL ? what : "");
    return what == NULL;
}
