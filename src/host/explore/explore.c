/* Configuration, renamings and memory of the explorer (explore.h). */
#include "host/explore/explore.h"

#include <stdlib.h>
#include <string.h>

#include "host/explore/explore_internal.h"

#define GIB ((size_t)1 << 30)

static const char *wrong(const struct explore_config *config)
{
    if (config->protocol->canonical == NULL)
        return "the protocol does not write its canonical state, by which the explorer recognises states";
    if (config->nodes < 1 || config->nodes > EXPLORE_NODES_MAX)
        return "the explorer takes 1 to 5 nodes";
    if (config->requests > EXPLORE_REQUESTS_MAX)
        return "the explorer takes at most 8 requests";
    if (config->crashes > 100 || config->losses > 100 || config->duplicates > 100)
        return "the explorer takes at most 100 crashes, losses and duplicates";
    if (config->rounds && (config->doubling || config->fifo))
        return "a synchronous network is a channel of its own";
    if (config->skew && !config->rounds)
        return "clocks may differ over a synchronous network only: ask for rounds";
    if (config->traitors >> config->nodes != 0)
        return "a traitor must be one of the nodes";
    if (config->traitors != 0 && (config->property == NULL || config->property->lie == NULL))
        return "it is not known what a traitor under this protocol could say";
    if (config->traitors != 0 && (!config->rounds || config->values == 0))
        return "traitors are explored over a synchronous network, and with a number of values to lie about";
    if (config->values > 8 || config->value_first + config->values > 32)
        return "requests and lies carry at most 8 different values, below 32";
    if (config->request_at > config->nodes)
        return "requests cannot go to a node that does not exist";
    if (config->timer_count > EXPLORE_TIMERS_MAX)
        return "the explorer takes at most 4 kinds of timers";
    if (config->property != NULL && (config->property->facts_size > EXPLORE_FACTS_MAX ||
                                     config->property->ghost_size > EXPLORE_GHOST_MAX))
        return "the property notes more than the explorer keeps";
    return NULL;
}

/* A renaming that keeps the node of the requests in its place, and loyal members loyal. */
static bool is_allowed(const struct explore_config *config, const uint32_t *places)
{
    for (uint32_t i = 0; i < config->nodes; i++)
        if ((config->traitors >> i & 1) != (config->traitors >> places[i] & 1))
            return false;
    return config->request_at == 0 || places[config->request_at - 1] == config->request_at - 1;
}

/* All renamings in lexicographic order, the identity first. */
static void permutations_make(struct explorer *x)
{
    uint32_t count = x->config.nodes;
    uint32_t *list = x->permutations[0];
    for (uint32_t i = 0; i < count; i++)
        list[i] = i;
    x->permutation_count = 1;
    uint32_t next[EXPLORE_NODES_MAX];
    memcpy(next, list, sizeof next);
    while (x->config.symmetry) {
        uint32_t i = count - 1, j = count - 1;
        while (i > 0 && next[i - 1] > next[i])
            i--;
        if (i == 0)
            return;
        while (next[j] < next[i - 1])
            j--;
        uint32_t held = next[i - 1];
        next[i - 1] = next[j];
        next[j] = held;
        for (uint32_t low = i, high = count - 1; low < high; low++, high--) {
            held = next[low];
            next[low] = next[high];
            next[high] = held;
        }
        if (is_allowed(&x->config, next))
            memcpy(x->permutations[x->permutation_count++], next, sizeof next);
    }
}

static bool memory_open(struct explorer *x)
{
    return pool_open(&x->nodes, 16 * GIB) && pool_open(&x->images, 256 * GIB) && pool_open(&x->messages, 8 * GIB) &&
           pool_open(&x->records, 4 * GIB) && pool_open(&x->bytes, 16 * GIB) && pool_open(&x->hashes, 64 * GIB) &&
           pool_open(&x->outcomes, 32 * GIB) && pool_open(&x->sent_pool, 16 * GIB) &&
           pool_open(&x->facts, 16 * GIB) && pool_open(&x->ghosts, 8 * GIB) && pool_open(&x->states, 256 * GIB) &&
           pool_open(&x->parents, 64 * GIB) && pool_open(&x->edges, 256 * GIB) && pool_open(&x->alternates, GIB) &&
           pool_open(&x->alternate_counts, 16 * GIB) && pool_open(&x->ghost_hashes, GIB) &&
           pool_open(&x->lies, 4 * GIB) && table_open(&x->silent_table, 1024) && table_open(&x->lie_table, 1024) &&
           pool_open(&x->search->stack_pool, 64 * GIB) && table_open(&x->node_table, 1024) &&
           table_open(&x->message_table, 1024) && table_open(&x->record_table, 1024) &&
           table_open(&x->outcome_table, 1024) && table_open(&x->facts_table, 1024) &&
           table_open(&x->ghost_table, 1024) && table_open(&x->cut_table, 1024) && table_open(&x->name_table, 1024) &&
           table_open(&x->seen_table, 1 << 16) &&
           table_open(&x->state_table, 1 << 16);
}

void explore_destroy(struct explorer *x)
{
    if (x == NULL)
        return;
    struct pool *pools[] = {&x->nodes,  &x->images,     &x->messages,         &x->records,      &x->bytes, &x->hashes,
                            &x->facts,  &x->outcomes,   &x->sent_pool,        &x->ghosts,       &x->states, &x->parents,
                            &x->edges,  &x->alternates, &x->alternate_counts, &x->ghost_hashes,
                            &x->lies};
    struct table *tables[] = {&x->node_table,  &x->message_table, &x->record_table, &x->outcome_table,
                              &x->facts_table, &x->ghost_table,   &x->cut_table,    &x->state_table,
                              &x->name_table,  &x->seen_table,    &x->silent_table, &x->lie_table};
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        pool_close(pools[i]);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        table_close(tables[i]);
    explore_nodes_close(x);
    if (x->search != NULL)
        pool_close(&x->search->stack_pool);
    free(x->search);
    free(x);
}

struct explorer *explore_create(const struct explore_config *config, char *why, size_t why_size)
{
    const char *complaint = wrong(config);
    if (complaint != NULL) {
        snprintf(why, why_size, "%s", complaint);
        return NULL;
    }
    struct explorer *x = calloc(1, sizeof *x);
    if (x != NULL)
        x->search = calloc(1, sizeof *x->search);
    if (x == NULL || x->search == NULL) {
        snprintf(why, why_size, "no memory");
        free(x);
        return NULL;
    }
    x->config = *config;
    if (x->config.copies == 0)
        x->config.copies = 1;
    /* Covering keeps what can happen, not what must; in order, a message in front holds up those behind it; and over a
     * synchronous network the clocks wait for each. */
    if (x->config.progress || x->config.fifo || x->config.rounds)
        x->config.reduction = false;
    x->apart = config->rounds && config->reduction;
    if (config->property != NULL && config->property->by_place)
        x->config.symmetry = false;
    permutations_make(x);
    bool opened = memory_open(x);
    if (!opened)
        snprintf(why, why_size, "the system gives no address space");
    if (!opened || !explore_nodes_open(x, why, why_size)) {
        explore_destroy(x);
        return NULL;
    }
    return x;
}

void explore_run(struct explorer *x, struct explore_result *result)
{
    memset(result, 0, sizeof *result);
    explore_search(x, result);
    if (x->config.audit && result->verdict != EXPLORE_FAILED) {
        explore_audit(x, result);
        if (x->failed != NULL) {
            result->verdict = EXPLORE_FAILED;
            result->bound = x->failed;
        }
    }
    result->node_states = x->node_count;
    result->messages = x->message_count;
    result->steps = x->steps;
}
