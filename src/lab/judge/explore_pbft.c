/* PBFT's properties across members, for the explorer (AG-9): PBFT-1, no two requests prepare at one number of one view;
 * PBFT-2, what is committed at a number anywhere is the only thing that commits there, or prepares in a later view.
 *
 * The ghost remembers what was ever prepared and committed. Requests are told apart by the first word of their digests. */
#include "lab/judge/explore_properties.h"
#include "protocol/consensus/pbft.h"

enum { NUMBERS = 3, VIEWS = 4 };

struct seen {
    uint64_t view, prepared; /* the latest */
    uint64_t committed;
    uint8_t is_prepared, is_committed;
};

struct pbft_facts {
    uint64_t executed, view;
    struct seen numbers[NUMBERS]; /* by number - 1 */
    uint64_t up;
};

struct pbft_ghost {
    uint64_t prepared[NUMBERS][VIEWS]; /* by view - 1 */
    uint64_t committed[NUMBERS], committed_view[NUMBERS];
    uint8_t is_prepared[NUMBERS][VIEWS], is_committed[NUMBERS];
};

static void observe(const struct explore_view *view, void *out)
{
    struct pbft_facts *facts = out;
    facts->up = view->up;
    facts->executed = pbft_executed(view->self);
    facts->view = pbft_view(view->self);
    for (uint64_t n = 1; n <= NUMBERS; n++) {
        struct seen *seen = &facts->numbers[n - 1];
        struct pbft_value value;
        seen->is_prepared = pbft_prepared_at(view->self, n, &seen->view, &value);
        seen->prepared = seen->is_prepared ? value.digest[0] : 0;
        seen->is_committed = pbft_committed_at(view->self, n, &value);
        seen->committed = seen->is_committed ? value.digest[0] : 0;
    }
}

static const char *check_number(const struct seen *seen, uint32_t n, struct pbft_ghost *ghost)
{
    if (seen->is_prepared && seen->view >= 1 && seen->view <= VIEWS) {
        uint64_t at = seen->view - 1;
        if (ghost->is_prepared[n][at] && ghost->prepared[n][at] != seen->prepared)
            return "PBFT-1 two requests prepared at one number of one view";
        ghost->is_prepared[n][at] = 1;
        ghost->prepared[n][at] = seen->prepared;
        if (ghost->is_committed[n] && seen->view > ghost->committed_view[n] && ghost->committed[n] != seen->prepared)
            return "PBFT-2 another request prepared after one was committed";
    }
    if (!seen->is_committed)
        return NULL;
    if (ghost->is_committed[n])
        return ghost->committed[n] == seen->committed ? NULL : "PBFT-2 two requests are committed at one number";
    ghost->is_committed[n] = 1;
    ghost->committed[n] = seen->committed;
    ghost->committed_view[n] = seen->is_prepared ? seen->view : UINT64_MAX;
    return NULL;
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *state)
{
    const struct pbft_facts *one = facts[stepped];
    const char *broken = NULL;
    (void)count;
    for (uint32_t n = 0; n < NUMBERS && one->up != 0 && broken == NULL; n++)
        broken = check_number(&one->numbers[n], n, state);
    return broken;
}

static void ghost_canonical(const void *state, struct canon *out)
{
    canon_bytes(out, state, sizeof(struct pbft_ghost));
}

/* Everybody who is up has executed as much. */
static bool goal(const void *const *facts, uint32_t count)
{
    uint64_t most = 0;
    bool all = true;
    for (uint32_t i = 0; i < count; i++)
        most = ((const struct pbft_facts *)facts[i])->executed > most ? ((const struct pbft_facts *)facts[i])->executed
                                                                      : most;
    for (uint32_t i = 0; i < count; i++) {
        const struct pbft_facts *one = facts[i];
        all = all && (one->up == 0 || one->executed == most);
    }
    return most > 0 && all;
}

const struct explore_property explore_pbft_property = {
    .name = "pbft",
    .facts_size = sizeof(struct pbft_facts),
    .ghost_size = sizeof(struct pbft_ghost),
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = goal,
    .stuck = "what was asked for can never be executed by all from here",
};
