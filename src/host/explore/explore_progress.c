/* From which states can the goal be reached? Backwards over all transitions from the states where it holds.
 *
 * In a finite graph, when the goal can be reached from every state, a run in which each transition that is enabled
 * again and again is taken at last reaches it (strong fairness; Baier and Katoen, "Principles of Model Checking",
 * section 3.5). A state from which it cannot is stuck, whatever happens. */
#include <stdlib.h>

#include "host/explore/explore_internal.h"

static bool is_goal(const struct explorer *x, uint32_t id)
{
    const void *facts[EXPLORE_NODES_MAX];
    const struct state *state = kept_state(x, id);
    for (uint32_t i = 0; i < x->config.nodes; i++)
        facts[i] = facts_of(x, state->nodes[i]);
    return x->config.property->goal(facts, x->config.nodes);
}

struct reverse {
    uint32_t *first; /* by state: of its incoming transitions in `from`; one more at the end */
    uint32_t *from;
    uint32_t *queue;
    uint8_t *reached;
};

static void reverse_free(struct reverse *reverse)
{
    free(reverse->first);
    free(reverse->from);
    free(reverse->queue);
    free(reverse->reached);
}

/* Sorts the transitions by where they lead. */
static bool reverse_make(const struct explorer *x, struct reverse *reverse)
{
    const uint32_t *edges = (const uint32_t *)(const void *)x->edges.bytes;
    size_t count = x->edges.size / (2 * sizeof *edges), states = x->search->count;
    reverse->first = calloc(states + 2, sizeof *reverse->first);
    reverse->from = malloc((count + 1) * sizeof *reverse->from);
    reverse->queue = malloc((states + 1) * sizeof *reverse->queue);
    reverse->reached = calloc(states + 1, 1);
    if (reverse->first == NULL || reverse->from == NULL || reverse->queue == NULL || reverse->reached == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        reverse->first[edges[2 * i + 1] + 2]++;
    for (size_t i = 2; i < states + 2; i++)
        reverse->first[i] += reverse->first[i - 1];
    for (size_t i = 0; i < count; i++)
        reverse->from[reverse->first[edges[2 * i + 1] + 1]++] = edges[2 * i];
    return true;
}

uint32_t explore_stuck(struct explorer *x)
{
    struct reverse reverse = {0};
    uint32_t stuck = UINT32_MAX, head = 0, tail = 0, states = x->search->count;
    if (!reverse_make(x, &reverse)) {
        explore_fail(x, "memory for the search for progress");
        reverse_free(&reverse);
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < states; i++)
        if (is_goal(x, i)) {
            reverse.reached[i] = 1;
            reverse.queue[tail++] = i;
        }
    while (head < tail) {
        uint32_t at = reverse.queue[head++];
        for (uint32_t i = reverse.first[at]; i < reverse.first[at + 1]; i++) {
            uint32_t from = reverse.from[i];
            if (reverse.reached[from])
                continue;
            reverse.reached[from] = 1;
            reverse.queue[tail++] = from;
        }
    }
    for (uint32_t i = 0; i < states; i++) /* the least deep one: the first, breadth first */
        if (!reverse.reached[i] && (stuck == UINT32_MAX || kept_step(x, i)->depth < kept_step(x, stuck)->depth))
            stuck = i;
    reverse_free(&reverse);
    return stuck;
}
