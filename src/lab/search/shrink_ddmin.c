/* Delta debugging: ddmin (Zeller and Hildebrandt 2002, section 3.2).
 *
 * What is kept is cut into n parts. If it fails without one part, that part goes; else the parts are made smaller. With
 * parts of one element none of which can go, it is 1-minimal.
 *
 * Deviation: a part alone is tried only while there are two, where it is what is left without the other. Later it would
 * seldom fail, as what breaks a distributed system is spread over the whole run. */
#include <string.h>

#include "base/panic.h"
#include "lab/search/shrink.h"

struct ddmin {
    bool *kept, *tried;
    uint32_t count; /* of all elements */
    bool (*fails)(void *context, const bool *kept);
    void *context;
};

static uint32_t count_kept(const struct ddmin *ddmin)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ddmin->count; i++)
        kept += ddmin->kept[i];
    return kept;
}

/* Tries the elements of part `part` of `parts`, or all others. True when it fails: that is kept from then on. */
static bool try_part(struct ddmin *ddmin, uint32_t kept, uint32_t part, uint32_t parts, bool others)
{
    uint32_t from = (uint32_t)((uint64_t)kept * part / parts), to = (uint32_t)((uint64_t)kept * (part + 1) / parts);
    uint32_t place = 0;
    for (uint32_t i = 0; i < ddmin->count; i++) {
        ddmin->tried[i] = false;
        if (!ddmin->kept[i])
            continue;
        bool inside = place >= from && place < to;
        ddmin->tried[i] = inside != others;
        place++;
    }
    if (!ddmin->fails(ddmin->context, ddmin->tried))
        return false;
    memcpy(ddmin->kept, ddmin->tried, ddmin->count * sizeof *ddmin->kept);
    return true;
}

static bool to_subset(struct ddmin *ddmin, uint32_t kept, uint32_t parts)
{
    for (uint32_t part = 0; part < parts; part++)
        if (try_part(ddmin, kept, part, parts, false))
            return true;
    return false;
}

/* Goes on with the part that follows the one taken out, so that a long list is walked once, not from its start
 * again. */
static bool to_complement(struct ddmin *ddmin, uint32_t kept, uint32_t *parts)
{
    bool any = false;
    for (uint32_t part = 0; part < *parts && *parts > 1;) {
        if (!try_part(ddmin, kept, part, *parts, true)) {
            part++;
            continue;
        }
        any = true;
        --*parts;
        kept = count_kept(ddmin);
        if (*parts > kept)
            *parts = kept;
    }
    return any;
}

void shrink_ddmin(struct heap *heap, bool *kept, uint32_t count, bool (*fails)(void *context, const bool *kept),
                  void *context)
{
    struct ddmin ddmin = {.kept = kept, .count = count, .fails = fails, .context = context};
    ddmin.tried = heap_alloc(heap, count + 1);
    invariant(ddmin.tried != NULL, "the heap of a shrinker has room for one flag an item");
    memset(ddmin.tried, 0, count + 1);
    bool empty_fails = fails(context, ddmin.tried); /* nothing of it is needed: the commonest case of a later pass */
    if (empty_fails)
        memset(kept, 0, count * sizeof *kept);
    uint32_t left = count_kept(&ddmin), parts = 2;
    while (left > 1) {
        if (parts > left)
            parts = left;
        bool less = parts == 2 ? to_subset(&ddmin, left, parts) : to_complement(&ddmin, left, &parts);
        left = count_kept(&ddmin);
        if (less)
            parts = parts > 2 ? parts : 2;
        else if (parts == left)
            break;
        else
            parts = 2 * parts < left ? 2 * parts : left;
    }
    heap_free(heap, ddmin.tried);
}
