/* Which members have which entries on disk, seen from outside (raft_durable.h).
 *
 * A STORED event says up to which position a member's records are durable; the log says at which position each entry
 * is. For the youngest entries a ring keeps (last index, term, members that have it). Members come to it by their
 * STORED events, or by a checkpoint that covers it. Entries of neighbouring terms under one index have places of their
 * own, so that one that another leader overwrites is not forgotten while the old leader still counts. Who loses its disk
 * counts for what it had: it said so in time, and gives no other leader its vote before it is filled. */
#include "lab/judge/raft_durable.h"

#include <string.h>

enum { PLACES_MAX = 64, ENTRIES_KEPT = 4096, TERMS_KEPT = 4 };

struct stored_entry {
    uint64_t index, term; /* of its last command */
    uint64_t places;      /* bits: who has it on disk, or had it until its disk was lost */
};

struct raft_durable {
    uint32_t place_count;
    bool blind; /* somebody may lie */
    uint64_t stored[PLACES_MAX];  /* position up to which a member's records are durable */
    uint64_t covered[PLACES_MAX]; /* index that its checkpoint covers */
    uint64_t commit[PLACES_MAX];
    const struct raft_accessors *look;
    struct stored_entry ring[ENTRIES_KEPT][TERMS_KEPT];
};

struct raft_durable *raft_durable_create(struct heap *heap, uint32_t place_count,
                                         const struct raft_accessors *accessors)
{
    struct raft_durable *durable = heap_alloc_zero(heap, sizeof *durable);
    if (durable == NULL)
        return NULL;
    durable->place_count = place_count;
    durable->look = accessors;
    return durable;
}

void raft_durable_clear(struct raft_durable *durable)
{
    uint32_t place_count = durable->place_count;
    const struct raft_accessors *look = durable->look;
    memset(durable, 0, sizeof *durable);
    durable->place_count = place_count;
    durable->look = look;
}

void raft_durable_turned(struct raft_durable *durable)
{
    durable->blind = true;
}

/* Notes that a member has an entry. False when that was known. */
static bool note(struct raft_durable *durable, uint32_t place, uint64_t index, uint64_t term)
{
    struct stored_entry *entry = &durable->ring[index % ENTRIES_KEPT][term % TERMS_KEPT];
    uint64_t bit = UINT64_C(1) << place;
    if (entry->index != index || entry->term != term) {
        if (entry->index > index || (entry->index == index && entry->term > term))
            return true; /* an entry that is of no interest any more */
        *entry = (struct stored_entry){.index = index, .term = term};
    }
    bool known = (entry->places & bit) != 0;
    entry->places |= bit;
    return !known;
}

/* From the youngest entry down to the first that was known to be durable. */
static void note_entries(struct raft_durable *durable, uint32_t place, const void *raft)
{
    const struct raft_accessors *look = durable->look;
    uint64_t term, first, position;
    uint32_t count;
    for (uint64_t index = look->last_index(raft); look->entry_at(raft, index, &term, &first, &count, &position);
         index = first - 1)
        if (position <= durable->stored[place] && !note(durable, place, first + count - 1, term))
            break;
}

static bool on_majority(const struct raft_durable *durable, uint64_t index, uint64_t term)
{
    const struct stored_entry *entry = &durable->ring[index % ENTRIES_KEPT][term % TERMS_KEPT];
    if (entry->index == index && entry->term > term)
        return true; /* who has the older one is not remembered (RAFT-4 and RAFT-5 see what comes of that) */
    bool there = entry->index == index && entry->term == term;
    uint32_t count = 0;
    for (uint32_t place = 0; place < durable->place_count; place++)
        count += (there && (entry->places >> place & 1) != 0) || durable->covered[place] >= index;
    return count > durable->place_count / 2;
}

static const char *check_commit(struct raft_durable *durable, uint32_t place, const void *raft)
{
    uint64_t commit = durable->look->commit_index(raft), term, first, position;
    uint32_t count;
    bool rose = commit > durable->commit[place];
    durable->commit[place] = commit;
    if (!rose || durable->look->role(raft) != RAFT_LEADER || durable->blind ||
        !durable->look->entry_at(raft, commit, &term, &first, &count, &position) || first + count - 1 != commit)
        return NULL;
    return on_majority(durable, commit, term) ? NULL
                                              : "RAFT-D a leader committed what is not durable on a majority";
}

const char *raft_durable_step(struct raft_durable *durable, uint32_t place, const void *raft,
                              const struct event *event)
{
    if (event->kind == EVENT_START) {
        durable->stored[place] = event->start.position;
        durable->commit[place] = durable->look->commit_index(raft);
        note_entries(durable, place, raft);
    } else if (event->kind == EVENT_STORED) {
        durable->stored[place] = event->stored.position;
        note_entries(durable, place, raft);
    }
    uint64_t base = durable->look->first_index(raft) - 1;
    if (base > durable->covered[place])
        durable->covered[place] = base;
    return check_commit(durable, place, raft);
}
