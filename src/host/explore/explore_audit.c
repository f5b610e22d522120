/* Do canonically equal states behave alike? A protocol that leaves out of its canonical state something that it decides
 * by would make the explorer miss behaviour, silently. So images that were taken for a state already known are kept
 * beside it, and at the end each is given the inputs that the known one was given: what comes of it must be canonically
 * equal, and the same messages must leave. */
#include <stdlib.h>
#include <string.h>

#include "host/explore/explore_internal.h"

enum { ALTERNATES_MAX = 200000, ALTERNATES_ALL = 4 };

struct alternate {
    uint32_t node;
    uint64_t image;
};

/* Of many arrivals at a state the first few, and then ever fewer: those that come one after another often differ in
 * times only. */
static bool is_taken(uint32_t arrivals)
{
    return arrivals <= ALTERNATES_ALL || (arrivals & (arrivals - 1)) == 0;
}

/* The image that is loaded is at hand as another one of a known node state. */
void explore_audit_note(struct explorer *x, uint32_t node)
{
    uint32_t *arrivals = &((uint32_t *)(void *)x->alternate_counts.bytes)[node];
    if (!is_taken(++*arrivals) || x->alternate_count >= ALTERNATES_MAX)
        return;
    size_t before = x->images.size;
    uint64_t image = explore_image_save(x);
    if (image == UINT64_MAX) {
        explore_fail(x, "memory for the audit");
        return;
    }
    uint64_t known = kept_node(x, node)->image;
    size_t size = x->images.size - before;
    bool same = known + size <= before && memcmp(x->images.bytes + known, x->images.bytes + image, size) == 0;
    struct alternate *alternate = same ? NULL : pool_take(&x->alternates, sizeof *alternate);
    if (alternate == NULL) {
        memset(x->images.bytes + before, 0, size);
        x->images.size = before;
        return;
    }
    *alternate = (struct alternate){node, image};
    x->alternate_count++;
}

static bool same_messages(const struct explorer *x, const struct outcome *outcome)
{
    const uint32_t *sent = (const uint32_t *)(const void *)x->sent_pool.bytes + outcome->first;
    if (outcome->count != x->sent_count)
        return false;
    for (uint32_t i = 0; i < outcome->count; i++) {
        uint32_t mine = 0, theirs = 0;
        for (uint32_t j = 0; j < outcome->count; j++) {
            mine += x->sent[j] == sent[i];
            theirs += sent[j] == sent[i];
        }
        if (mine != theirs)
            return false;
    }
    return true;
}

/* The same input to the alternate. Disks are equal by what is not durable yet, so a crash leaves as many records of
 * that; how many are durable makes no difference, and may differ. All other inputs mean the same to both. */
static uint32_t same_input(const struct node *known, const struct node *alternate, uint32_t input)
{
    if (input_kind(input) != INPUT_CRASH)
        return input;
    return input_of(INPUT_CRASH, alternate->durable + (input_argument(input) - known->durable));
}

/* Gives the input to the alternate and compares with what is remembered. */
static bool agrees(struct explorer *x, const struct alternate *alternate, uint32_t input,
                   const struct outcome *outcome)
{
    const struct node *image = (const struct node *)(const void *)(x->images.bytes + alternate->image);
    uint32_t own = same_input(explore_node_image(x, alternate->node), image, input);
    explore_node_load(x, image);
    const char *broken = explore_node_step(x, own);
    bool refused = x->refused && input_kind(input) == INPUT_REQUEST;
    if (refused || outcome->refused)
        return refused == outcome->refused;
    return (broken == NULL) == (outcome->broken == NULL) && same_messages(x, outcome) &&
           fingerprint_equal(explore_node_fingerprint(x, 0), kept_node(x, outcome->node)->key);
}

static int by_node(const void *a, const void *b)
{
    const struct alternate *left = a, *right = b;
    if (left->node != right->node)
        return left->node < right->node ? -1 : 1;
    return (left->image > right->image) - (left->image < right->image);
}

/* The first of the node's alternates in the sorted list, or where it would be. */
static uint64_t first_of(const struct alternate *list, uint64_t count, uint32_t node)
{
    uint64_t low = 0, high = count;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (list[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Calls `each` for every step that is remembered and every alternate of the state that it was taken from. */
static void each_step(struct explorer *x, struct explore_result *result,
                      void (*each)(struct explorer *x, struct explore_result *result,
                                   const struct alternate *alternate, uint32_t input, const struct outcome *outcome))
{
    struct alternate *list = (struct alternate *)(void *)x->alternates.bytes;
    const struct table *table = &x->outcome_table;
    uint64_t count = x->alternate_count;
    qsort(list, count, sizeof *list, by_node);
    for (uint64_t i = 0; i <= table->mask && x->failed == NULL; i++) {
        if ((table->keys[i].low | table->keys[i].high) == 0)
            continue;
        uint32_t node = (uint32_t)(table->keys[i].high >> 32), input = (uint32_t)table->keys[i].high;
        const struct outcome outcome = *kept_outcome(x, table->values[i]);
        for (uint64_t at = first_of(list, count, node); at < count && list[at].node == node; at++)
            each(x, result, &list[at], input, &outcome);
    }
}

/* After the last crash members are sealed, and only sealed states are given further inputs: an alternate of the state
 * before is one of the state after. */
static void note_sealed(struct explorer *x, struct explore_result *result, const struct alternate *alternate,
                        uint32_t input, const struct outcome *outcome)
{
    (void)result;
    if (input_kind(input) == INPUT_SEAL && agrees(x, alternate, input, outcome))
        explore_audit_note(x, outcome->node);
}

static void compare(struct explorer *x, struct explore_result *result, const struct alternate *alternate,
                    uint32_t input, const struct outcome *outcome)
{
    result->audited++;
    if (agrees(x, alternate, input, outcome))
        return;
    result->audit_failures++;
    if (result->audit_input == 0) {
        result->audit_node = x->members[kept_node(x, alternate->node)->place];
        result->audit_input = (uint32_t)input_kind(input) + 1;
    }
}

void explore_audit(struct explorer *x, struct explore_result *result)
{
    each_step(x, result, note_sealed);
    each_step(x, result, compare);
}
