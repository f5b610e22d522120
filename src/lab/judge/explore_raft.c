/* Raft's properties across members, for the explorer: thesis, figure 3.2.
 *
 * The ghost remembers who led each term and which entries were ever committed, with the term of the member that was
 * first to know: leaders of later terms must have them. */
#include <string.h>

#include "lab/judge/explore_properties.h"
#include "protocol/consensus/raft.h"

enum { ENTRIES_MAX = 12, TERMS_MAX = 12 };

struct entry {
    uint8_t term;
    uint8_t request; /* EXPLORE_NO_REQUEST: the no-op that begins a term */
};

struct raft_facts {
    uint8_t up, role, term, commit, last;
    struct entry entries[ENTRIES_MAX]; /* by index - 1 */
};

struct raft_ghost {
    uint8_t leaders[TERMS_MAX]; /* by term: 1 + place */
    uint8_t committed;
    struct entry entries[ENTRIES_MAX];
    uint8_t known_in[ENTRIES_MAX]; /* term of the member that knew first that it is committed */
};

static void observe(const struct explore_view *view, void *out)
{
    struct raft_facts *facts = out;
    facts->up = view->up;
    facts->role = (uint8_t)raft_role(view->self);
    facts->term = (uint8_t)raft_term(view->self);
    facts->commit = (uint8_t)raft_commit_index(view->self);
    uint64_t last = raft_last_index(view->self);
    facts->last = (uint8_t)(last < ENTRIES_MAX ? last : ENTRIES_MAX);
    for (uint64_t index = 1; index <= facts->last; index++) {
        uint64_t term, first, position;
        uint32_t count;
        if (raft_entry_at(view->self, index, &term, &first, &count, &position))
            facts->entries[index - 1] = (struct entry){(uint8_t)term, view->request_at(view->context, position)};
    }
}

static bool same(struct entry a, struct entry b)
{
    return a.term == b.term && a.request == b.request;
}

/* Figure 3.2, Log Matching: where two logs have an entry of the same term, they agree up to there. */
static const char *check_matching(const struct raft_facts *a, const struct raft_facts *b)
{
    uint8_t common = a->last < b->last ? a->last : b->last;
    bool agree = false;
    for (uint32_t i = common; i-- > 0;) {
        agree |= a->entries[i].term == b->entries[i].term;
        if (agree && !same(a->entries[i], b->entries[i]))
            return "RAFT-3 log matching: two logs share an entry and differ before it, or in it";
    }
    return NULL;
}

static const char *check_committed(const struct raft_facts *one, struct raft_ghost *ghost)
{
    for (uint32_t i = 0; i < one->commit && i < ENTRIES_MAX; i++) {
        if (i >= one->last)
            return "RAFT-7 committed entries are not in the log";
        if (i >= ghost->committed) {
            ghost->entries[i] = one->entries[i];
            ghost->known_in[i] = one->term;
            ghost->committed = (uint8_t)(i + 1);
        } else if (!same(ghost->entries[i], one->entries[i])) {
            return "RAFT-5 state machine safety: two members commit different entries at one index";
        }
    }
    return NULL;
}

static const char *check_leader(const struct raft_facts *one, uint32_t place, struct raft_ghost *ghost)
{
    if (one->term < TERMS_MAX) {
        uint8_t *leader = &ghost->leaders[one->term];
        if (*leader != 0 && *leader != place + 1)
            return "RAFT-1 election safety: two members lead one term";
        *leader = (uint8_t)(place + 1);
    }
    for (uint32_t i = 0; i < ghost->committed; i++)
        if (ghost->known_in[i] < one->term && (i >= one->last || !same(one->entries[i], ghost->entries[i])))
            return "RAFT-4 leader completeness: a leader lacks an entry that was committed in an earlier term";
    return NULL;
}

static const char *check(const void *const *facts, uint32_t count, uint32_t stepped, void *state)
{
    struct raft_ghost *ghost = state;
    const struct raft_facts *one = facts[stepped];
    const char *broken = NULL;
    for (uint32_t i = 0; i < count && broken == NULL; i++)
        if (i != stepped)
            broken = check_matching(one, facts[i]);
    if (broken == NULL && one->up)
        broken = check_committed(one, ghost);
    for (uint32_t i = 0; i < count && broken == NULL; i++) {
        const struct raft_facts *other = facts[i];
        if (other->up && other->role == RAFT_LEADER)
            broken = check_leader(other, i, ghost);
    }
    return broken;
}

static void ghost_canonical(const void *state, struct canon *out)
{
    const struct raft_ghost *ghost = state;
    for (uint32_t i = 0; i < TERMS_MAX; i++) {
        uint32_t node = ghost->leaders[i] == 0 ? 0 : out->members[ghost->leaders[i] - 1];
        canon_node(out, node);
    }
    canon_u8(out, ghost->committed);
    canon_bytes(out, ghost->entries, sizeof ghost->entries);
    canon_bytes(out, ghost->known_in, sizeof ghost->known_in);
}

/* Somebody leads and has committed all requests that anybody's log holds, and everybody is up. */
static bool goal(const void *const *facts, uint32_t count)
{
    bool led = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct raft_facts *one = facts[i];
        led |= one->up && one->role == RAFT_LEADER && one->commit == one->last;
    }
    return led;
}

const struct explore_property explore_raft_property = {
    .name = "raft",
    .facts_size = sizeof(struct raft_facts),
    .ghost_size = sizeof(struct raft_ghost),
    .observe = observe,
    .check = check,
    .ghost_canonical = ghost_canonical,
    .goal = goal,
    .stuck = "no leader can ever commit from here",
};
