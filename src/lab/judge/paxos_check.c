/* Paxos' invariants across members (paxos_check.h).
 *
 * Two tables of rows: of every slot and ballot the value that was first seen accepted there and who has it on disk;
 * of every slot the value that is chosen, and the lowest ballot in which it was seen to be. A member's open slots are
 * looked at at the end of its turns, when its state and its disk's progress are both known. */
#include "lab/judge/paxos_check.h"

#include <string.h>

#include "base/hash.h"

enum { PLACES_MAX = 64, ROWS_MIN = 1024 };

const struct paxos_accessors PAXOS_ACCESSORS = {
    .promised = paxos_promised,
    .role = paxos_role,
    .recovering = paxos_recovering,
    .commit_slot = paxos_commit_slot,
    .first_slot = paxos_first_slot,
    .top_slot = paxos_top_slot,
    .slot_at = paxos_slot_at,
};

struct value {
    int64_t time_ns;
    uint32_t count, origin;
};

/* Of a slot and ballot; with ballot {0, 0} of the slot itself: what is chosen there. */
struct row {
    uint64_t slot; /* 0: the row is free */
    struct paxos_ballot ballot;
    struct value value;
    struct paxos_ballot chosen_in;
    uint64_t places;  /* bits: who has it on disk and counts */
    uint64_t ever;    /* … or had it, before it forgot */
    bool chosen;
};

/* What was last seen of a member. */
struct seen {
    struct paxos_ballot led;
    uint64_t led_life;
    uint64_t life, stored, commit;
    struct paxos_ballot told_promise, told_ballot;
    uint64_t told_match;
    bool turned;
};

struct paxos_check {
    struct heap *heap; /* borrowed */
    const struct paxos_accessors *look;
    uint32_t member_count;
    bool blind; /* somebody may lie */
    struct row *rows;
    uint64_t row_slots, row_count;
    struct seen members[PLACES_MAX];
};

struct paxos_check *paxos_check_create(struct heap *heap, uint32_t members, const struct paxos_accessors *accessors)
{
    struct paxos_check *check = heap_alloc_zero(heap, sizeof *check);
    if (check == NULL || members > PLACES_MAX)
        return NULL;
    check->heap = heap;
    check->look = accessors;
    check->member_count = members;
    return check;
}

void paxos_check_clear(struct paxos_check *check)
{
    if (check->row_count > 0)
        memset(check->rows, 0, check->row_slots * sizeof *check->rows);
    check->row_count = 0;
    check->blind = false;
    memset(check->members, 0, sizeof check->members);
}

void paxos_check_turned(struct paxos_check *check, uint32_t place)
{
    check->blind = true;
    check->members[place].turned = true;
}

static bool same_value(struct value a, struct value b)
{
    return a.time_ns == b.time_ns && a.count == b.count && a.origin == b.origin;
}

static struct row *place_of(struct row *rows, uint64_t slots, uint64_t slot, struct paxos_ballot ballot)
{
    uint64_t at = hash_mix(slot, ballot.round << 8 ^ ballot.node) & (slots - 1);
    while (rows[at].slot != 0 && (rows[at].slot != slot || !paxos_ballot_same(rows[at].ballot, ballot)))
        at = (at + 1) & (slots - 1);
    return &rows[at];
}

static bool grow(struct paxos_check *check)
{
    uint64_t slots = check->row_slots == 0 ? ROWS_MIN : check->row_slots * 2;
    struct row *rows = heap_alloc_zero(check->heap, slots * sizeof *rows);
    if (rows == NULL)
        return false;
    for (uint64_t i = 0; i < check->row_slots; i++)
        if (check->rows[i].slot != 0)
            *place_of(rows, slots, check->rows[i].slot, check->rows[i].ballot) = check->rows[i];
    heap_free(check->heap, check->rows);
    check->rows = rows;
    check->row_slots = slots;
    return true;
}

/* The row of a slot and ballot, made when it is new. NULL when there is no room. */
static struct row *row_of(struct paxos_check *check, uint64_t slot, struct paxos_ballot ballot, bool *fresh)
{
    if (check->row_count >= check->row_slots / 2 && !grow(check))
        return NULL;
    struct row *row = place_of(check->rows, check->row_slots, slot, ballot);
    *fresh = row->slot == 0;
    if (*fresh) {
        *row = (struct row){.slot = slot, .ballot = ballot};
        check->row_count++;
    }
    return row;
}

static uint32_t bits(uint64_t places)
{
    uint32_t count = 0;
    for (; places != 0; places &= places - 1)
        count++;
    return count;
}

static bool majority(const struct paxos_check *check, uint64_t places)
{
    return bits(places) > check->member_count / 2;
}

/* PAX-4 and PAX-3: the value is chosen in this slot and ballot. */
static const char *choose(struct paxos_check *check, uint64_t slot, struct paxos_ballot ballot, struct value value)
{
    bool fresh;
    struct row *row = row_of(check, slot, (struct paxos_ballot){0}, &fresh);
    if (row == NULL)
        return NULL;
    if (fresh) {
        row->value = value;
        row->chosen_in = ballot;
    } else if (!same_value(row->value, value)) {
        return "PAX-4 two values are chosen in one slot";
    }
    if (paxos_ballot_compare(ballot, row->chosen_in) < 0)
        row->chosen_in = ballot;
    return NULL;
}

/* PAX-3 for one acceptance, which is a proposal of its ballot. */
static const char *check_proposal(struct paxos_check *check, uint64_t slot, struct paxos_ballot ballot,
                                  struct value value)
{
    const struct row *row =
        check->row_slots == 0 ? NULL : place_of(check->rows, check->row_slots, slot, (struct paxos_ballot){0});
    if (row == NULL || row->slot == 0 || same_value(row->value, value))
        return NULL;
    if (paxos_ballot_compare(ballot, row->chosen_in) > 0)
        return "PAX-3 another value is proposed in a higher ballot than one that chose a value";
    return NULL;
}

/* One slot that a member has accepted. */
static const char *check_slot(struct paxos_check *check, uint32_t place, uint64_t slot,
                              const struct paxos_accepted_slot *accepted, bool counts)
{
    struct seen *seen = &check->members[place];
    struct value value = {accepted->time_ns, accepted->count, accepted->origin};
    bool fresh;
    struct row *row = row_of(check, slot, accepted->ballot, &fresh);
    if (row == NULL)
        return NULL;
    if (fresh) {
        row->value = value;
        const char *broken = check_proposal(check, slot, accepted->ballot, value);
        if (broken != NULL)
            return broken;
    } else if (!same_value(row->value, value)) {
        return "PAX-1 two values are accepted in one slot and ballot";
    }
    uint64_t bit = UINT64_C(1) << place;
    if (!counts || accepted->reported || accepted->position > seen->stored || (row->places & bit) != 0)
        return NULL;
    row->places |= bit;
    row->ever |= bit;
    if (row->chosen || !majority(check, row->places))
        return NULL;
    row->chosen = true;
    return choose(check, slot, accepted->ballot, value);
}

/* PAX-4 and PAX-D for a slot that a member has come to know as chosen. */
static const char *check_learned(struct paxos_check *check, uint64_t slot,
                                 const struct paxos_accepted_slot *accepted)
{
    struct value value = {accepted->time_ns, accepted->count, accepted->origin};
    const struct row *row =
        check->row_slots == 0 ? NULL : place_of(check->rows, check->row_slots, slot, (struct paxos_ballot){0});
    if (row == NULL || row->slot == 0) {
        if (check->blind)
            return NULL;
        bool fresh;
        struct row *accepting = row_of(check, slot, accepted->ballot, &fresh);
        bool had = accepting != NULL && majority(check, accepting->ever); /* somebody forgot meanwhile */
        return accepting == NULL || had ? NULL : "PAX-D a slot is taken for chosen that no majority has on disk";
    }
    return same_value(row->value, value) ? NULL : "PAX-4 a member takes another value for chosen";
}

static const char *check_open(struct paxos_check *check, uint32_t place, const void *paxos)
{
    const struct paxos_accessors *look = check->look;
    struct seen *seen = &check->members[place];
    uint64_t commit = look->commit_slot(paxos), first = look->first_slot(paxos);
    uint64_t from = seen->commit + 1 > first ? seen->commit + 1 : first;
    bool counts = !look->recovering(paxos);
    struct paxos_accepted_slot accepted;
    for (uint64_t slot = from; slot <= look->top_slot(paxos); slot++) {
        if (!look->slot_at(paxos, slot, &accepted))
            continue;
        const char *broken = check_slot(check, place, slot, &accepted, counts);
        if (broken == NULL && slot <= commit)
            broken = check_learned(check, slot, &accepted);
        if (broken != NULL)
            return broken;
    }
    seen->commit = commit;
    return NULL;
}

/* PAX-5: a ballot is led in one life only, of the member that it names. */
static const char *check_leader(struct paxos_check *check, uint32_t place, const void *paxos)
{
    struct seen *seen = &check->members[place];
    struct paxos_ballot ballot = check->look->promised(paxos);
    if (check->look->role(paxos) != PAXOS_LEADER)
        return NULL;
    for (uint32_t i = 0; i < check->member_count; i++)
        if (i != place && paxos_ballot_same(check->members[i].led, ballot))
            return "PAX-5 two members lead with one ballot";
    if (paxos_ballot_same(seen->led, ballot) && seen->led_life != seen->life)
        return "PAX-5 a member leads with a ballot of its former life";
    seen->led = ballot;
    seen->led_life = seen->life;
    return NULL;
}

static void forget(struct paxos_check *check, uint32_t place)
{
    struct seen *seen = &check->members[place];
    for (uint64_t i = 0; i < check->row_slots; i++)
        check->rows[i].places &= ~(UINT64_C(1) << place);
    seen->told_promise = seen->told_ballot = (struct paxos_ballot){0};
    seen->told_match = 0;
}

/* Is what was chosen in this slot the value that is accepted there? */
static bool is_chosen(const struct paxos_check *check, uint64_t slot, const struct paxos_accepted_slot *accepted)
{
    struct value value = {accepted->time_ns, accepted->count, accepted->origin};
    const struct row *row =
        check->row_slots == 0 ? NULL : place_of(check->rows, check->row_slots, slot, (struct paxos_ballot){0});
    return row != NULL && row->slot != 0 && same_value(row->value, value);
}

/* PAX-2 over a restart. */
static const char *check_start(struct paxos_check *check, uint32_t place, const void *paxos, const struct event *event)
{
    struct seen *seen = &check->members[place];
    seen->life++;
    seen->stored = event->start.position;
    seen->commit = check->look->commit_slot(paxos);
    bool told = seen->told_promise.round != 0 || seen->told_ballot.round != 0;
    if (event->start.kind == START_AMNESIAC && told && !check->look->recovering(paxos))
        return "PAX-2 a member that forgot what it promised promises again";
    /* What it found damaged may have held its promises: it knows, and makes none before it was filled. */
    if (event->start.kind == START_AMNESIAC || check->look->recovering(paxos)) {
        forget(check, place);
        return NULL;
    }
    if (paxos_ballot_compare(check->look->promised(paxos), seen->told_promise) < 0)
        return "PAX-2 a restart took back a promise";
    struct paxos_accepted_slot accepted;
    /* A prefix that was known to be chosen is acknowledged in whatever ballot it was accepted. */
    bool kept = check->look->slot_at(paxos, seen->told_match, &accepted) &&
                (paxos_ballot_compare(accepted.ballot, seen->told_ballot) >= 0 ||
                 is_chosen(check, seen->told_match, &accepted));
    if (seen->told_match > seen->commit && !kept)
        return "PAX-2 a restart took back an acceptance";
    return NULL;
}

const char *paxos_check_step(struct paxos_check *check, uint32_t place, const void *paxos, const struct event *event)
{
    struct seen *seen = &check->members[place];
    if (seen->turned)
        return NULL;
    if (event->kind == EVENT_STORED)
        seen->stored = event->stored.position;
    if (event->kind != EVENT_START && event->kind != EVENT_TURN)
        return NULL;
    const char *broken = event->kind == EVENT_START ? check_start(check, place, paxos, event) : NULL;
    if (broken == NULL)
        broken = check_leader(check, place, paxos);
    if (broken == NULL)
        broken = check_open(check, place, paxos);
    return broken;
}

void paxos_check_sent(struct paxos_check *check, uint32_t place, uint32_t to, uint16_t type, const void *body)
{
    struct seen *seen = &check->members[place];
    if (type == PAXOS_PROMISE) {
        const struct paxos_promise *promise = body;
        struct paxos_ballot ballot = {promise->round, to};
        if (!promise->pre && paxos_ballot_compare(ballot, seen->told_promise) > 0)
            seen->told_promise = ballot;
    } else if (type == PAXOS_ACCEPTED) {
        const struct paxos_accepted *accepted = body;
        struct paxos_ballot ballot = {accepted->round, to};
        if (!accepted->voter || paxos_ballot_compare(ballot, seen->told_ballot) < 0)
            return;
        seen->told_match = accepted->match;
        seen->told_ballot = ballot;
    }
}
