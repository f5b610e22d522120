/* Two generals, explored (AG-1): from wherever a run has come, both can still come to attack, or none does: TG-1. Where
 * the last message of a plan is lost, nothing that may still happen makes them agree. */
#include "lab/judge/explore_two_generals.h"

#include "protocol/consensus/two_generals.h"

struct facts {
    struct two_generals_plan proposed, heard;
};

static void observe(const struct explore_view *view, void *out)
{
    struct facts *facts = out;
    *facts = (struct facts){0};
    two_generals_proposed(view->self, &facts->proposed);
    two_generals_heard(view->self, &facts->heard);
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *ghost)
{
    (void)facts;
    (void)count;
    (void)stepped;
    (void)ghost;
    return NULL; /* they may differ while messages are under way */
}

static void ghost_canonical(const void *ghost, struct canon *out)
{
    (void)ghost;
    (void)out;
}

/* Do the two generals of each plan do the same? */
static bool agree(const void *const *facts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct two_generals_plan *own = &((const struct facts *)facts[i])->proposed;
        const struct two_generals_plan *heard = &((const struct facts *)facts[(i + 1) % count])->heard;
        bool partner_attacks = heard->number == own->number && heard->attacks;
        if (own->attacks != partner_attacks)
            return false;
    }
    return true;
}

const struct explore_property explore_two_generals_property = {
    .name = "two-generals",
    .facts_size = sizeof(struct facts),
    .ghost_size = 1,
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = agree,
    .stuck = "TG-1 one general attacks, and whatever happens from here the other does not",
};
