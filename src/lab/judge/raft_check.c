/* Raft's invariants across members.
 *
 * The checker remembers of the whole run: who led each term; every entry that was ever seen in a log, by index and
 * term, with its extent and the term of the entry before it; the committed entries in order; the hash of each delivered
 * command. And of each member: what it saw last, with its log as a list of *runs*, stretches of one term.
 *
 * Log matching is checked entry by entry: when two logs hold an entry of the same index and term, then each must have
 * an entry of the same term right before it, and so on by induction. An entry is looked at when it is new in its log,
 * which the runs tell: entries of one index and term are the same, so where a log's last known entry still has its
 * term, nothing before it has changed.
 *
 * Leader completeness speaks of entries committed in earlier terms: an old candidate may learn late that it won, when
 * a newer leader has long committed more. So with each committed entry goes the term of the member that was first seen
 * to know; it never falls along the log. */
#include "lab/judge/raft_check.h"

#include <string.h>

#include "base/hash.h"

enum {
    TABLE_SLOTS_MIN = 1024,
    VECTOR_ITEMS_MIN = 256,
    INDEX_MAX = 1 << 26, /* of delivered commands that are remembered */
};

const struct raft_accessors RAFT_ACCESSORS = {
    .term = raft_term,
    .role = raft_role,
    .voted_for = raft_voted_for,
    .commit_index = raft_commit_index,
    .applied_index = raft_applied_index,
    .first_index = raft_first_index,
    .last_index = raft_last_index,
    .recovering = raft_recovering,
    .entry_at = raft_entry_at,
};

/* Entries that begin at `first` and go up to the next run's have this term. */
struct run {
    uint64_t first, term;
};

struct committed {
    uint64_t first, term;
    uint64_t commit_term; /* of the member that was first seen to know of it */
    uint32_t count;
};

/* A row of a table of 64-bit pairs to 64-bit pairs: terms and their leaders, entries and what they are. */
struct row {
    uint64_t key[2]; /* the first is never 0 in a row that is used */
    uint64_t value[2];
};

struct table {
    struct row *rows;
    uint64_t slots; /* a power of two, or 0 */
    uint64_t used;
};

struct seen {
    bool up;
    uint64_t term, commit, applied, last;
    enum raft_role role;
    uint32_t voted_for;
    uint64_t promised_term; /* the latest term in which it gave its vote away, and to whom */
    uint32_t promised_to;
    uint64_t cursor; /* committed entries that were compared */
    struct run *runs;
    uint32_t run_count, run_capacity;
};

struct raft_check {
    struct heap *heap; /* borrowed */
    struct raft_accessors look;
    uint32_t member_count;
    struct table leaders, entries;
    struct committed *committed;
    uint64_t committed_count, committed_capacity;
    uint64_t *delivered; /* hashes by index; 0: not yet */
    uint64_t delivered_count;
    struct seen members[];
};

struct raft_check *raft_check_create(struct heap *heap, uint32_t members, const struct raft_accessors *accessors)
{
    struct raft_check *check = heap_alloc_zero(heap, sizeof *check + members * sizeof check->members[0]);
    if (check == NULL)
        return NULL;
    check->heap = heap;
    check->look = *accessors;
    check->member_count = members;
    return check;
}

void raft_check_free(struct raft_check *check)
{
    if (check == NULL)
        return;
    for (uint32_t place = 0; place < check->member_count; place++)
        heap_free(check->heap, check->members[place].runs);
    heap_free(check->heap, check->leaders.rows);
    heap_free(check->heap, check->entries.rows);
    heap_free(check->heap, check->committed);
    heap_free(check->heap, check->delivered);
    heap_free(check->heap, check);
}

static void table_clear(struct table *table)
{
    if (table->used > 0)
        memset(table->rows, 0, table->slots * sizeof *table->rows);
    table->used = 0;
}

void raft_check_clear(struct raft_check *check)
{
    table_clear(&check->leaders);
    table_clear(&check->entries);
    check->committed_count = 0;
    if (check->delivered_count > 0)
        memset(check->delivered, 0, check->delivered_count * sizeof *check->delivered);
    for (uint32_t place = 0; place < check->member_count; place++) {
        struct seen *seen = &check->members[place];
        *seen = (struct seen){.runs = seen->runs, .run_capacity = seen->run_capacity};
    }
}

static struct row *table_place(const struct table *table, uint64_t a, uint64_t b)
{
    uint64_t slot = hash_mix(a, b) & (table->slots - 1);
    while (table->rows[slot].key[0] != 0 && (table->rows[slot].key[0] != a || table->rows[slot].key[1] != b))
        slot = (slot + 1) & (table->slots - 1);
    return &table->rows[slot];
}

static bool table_grow(struct heap *heap, struct table *table)
{
    struct table larger = {.slots = table->slots == 0 ? TABLE_SLOTS_MIN : table->slots * 2, .used = table->used};
    larger.rows = heap_alloc_zero(heap, larger.slots * sizeof *larger.rows);
    if (larger.rows == NULL)
        return false;
    for (uint64_t slot = 0; slot < table->slots; slot++) {
        const struct row *row = &table->rows[slot];
        if (row->key[0] != 0)
            *table_place(&larger, row->key[0], row->key[1]) = *row;
    }
    heap_free(heap, table->rows);
    *table = larger;
    return true;
}

/* The row of a key, which is made when it is new: then its first value is 0. NULL when there is no room. */
static struct row *table_row(struct heap *heap, struct table *table, uint64_t a, uint64_t b)
{
    if (table->used >= table->slots / 2 && !table_grow(heap, table))
        return NULL;
    struct row *row = table_place(table, a, b);
    if (row->key[0] == 0) {
        *row = (struct row){.key = {a, b}};
        table->used++;
    }
    return row;
}

/* Room for one more item in a growing array. */
static void *items_room(struct heap *heap, void *items, uint64_t count, uint64_t *capacity, size_t item_size)
{
    if (count < *capacity)
        return items;
    uint64_t more = *capacity == 0 ? VECTOR_ITEMS_MIN : *capacity * 2;
    void *grown = heap_resize(heap, items, more * item_size);
    if (grown != NULL)
        *capacity = more;
    return grown;
}

/* RAFT-1: election safety. */
static const char *check_leader(struct raft_check *check, uint32_t place, uint64_t term)
{
    if (term == 0)
        return "RAFT-1 a member leads term 0";
    struct row *row = table_row(check->heap, &check->leaders, term, 0);
    if (row == NULL)
        return NULL;
    if (row->value[0] != 0 && row->value[0] != (uint64_t)place + 1)
        return "RAFT-1 two members led one term";
    row->value[0] = (uint64_t)place + 1;
    return NULL;
}

/* The latest entry that was committed in an earlier term than this; NULL when there is none. */
static const struct committed *committed_before(const struct raft_check *check, uint64_t term)
{
    uint64_t count = check->committed_count;
    while (count > 0 && check->committed[count - 1].commit_term >= term)
        count--;
    return count == 0 ? NULL : &check->committed[count - 1];
}

/* RAFT-4: leader completeness. What precedes the entry is the same by log matching. */
static const char *check_complete(const struct raft_check *check, const void *raft)
{
    const struct committed *entry = committed_before(check, check->look.term(raft));
    if (entry == NULL || entry->first < check->look.first_index(raft))
        return NULL; /* gone into a checkpoint of what was committed */
    uint64_t term, first, position;
    uint32_t count;
    if (!check->look.entry_at(raft, entry->first, &term, &first, &count, &position))
        return "RAFT-4 a new leader lacks a committed entry";
    if (term != entry->term || first != entry->first || count != entry->count)
        return "RAFT-4 a new leader holds another entry where one was committed";
    return NULL;
}

/* RAFT-6 and RAFT-7 of the step; RAFT-2 in so far as a leader's log got shorter. */
static const char *check_step(const struct raft_check *check, const struct seen *seen, const void *raft)
{
    uint64_t term = check->look.term(raft), commit = check->look.commit_index(raft);
    uint64_t applied = check->look.applied_index(raft);
    if (term < seen->term)
        return "RAFT-6 the term fell";
    if (term == seen->term && seen->voted_for != 0 && check->look.voted_for(raft) != seen->voted_for)
        return "RAFT-6 the vote changed within a term";
    if (commit < seen->commit)
        return "RAFT-7 the commit index fell";
    if (applied < seen->applied)
        return "RAFT-7 the applied index fell";
    if (applied > commit)
        return "RAFT-7 more was applied than is committed";
    bool leads_on = term == seen->term && seen->role == RAFT_LEADER && check->look.role(raft) == RAFT_LEADER;
    if (leads_on && check->look.last_index(raft) < seen->last)
        return "RAFT-2 a leader's log got shorter";
    return NULL;
}

/* The term that the member's log had at an index when it was last looked at; 0 when it is not known. Pops nothing. */
static uint64_t known_term(const struct seen *seen, uint64_t index, uint32_t *run)
{
    while (*run > 0 && seen->runs[*run - 1].first > index)
        (*run)--;
    return *run == 0 ? 0 : seen->runs[*run - 1].term;
}

/* RAFT-3 for one entry: whoever holds it has the same extent for it, and the same term before it. */
static const char *check_entry(struct raft_check *check, uint64_t first, uint64_t term, uint32_t count,
                               uint64_t term_before)
{
    struct row *row = table_row(check->heap, &check->entries, first, term);
    if (row == NULL)
        return NULL;
    if (row->value[0] == 0) {
        row->value[0] = count;
        row->value[1] = term_before;
        return NULL;
    }
    if (row->value[0] != count)
        return "RAFT-3 two logs hold different entries of one index and term";
    if (term_before != 0 && row->value[1] != 0 && row->value[1] != term_before)
        return "RAFT-3 two logs agree on an entry and differ before it";
    if (row->value[1] == 0)
        row->value[1] = term_before;
    return NULL;
}

/* Notes that the log has this term from `first` on. */
static void run_add(struct raft_check *check, struct seen *seen, uint64_t first, uint64_t term)
{
    if (seen->run_count > 0 && seen->runs[seen->run_count - 1].term == term)
        return;
    uint64_t capacity = seen->run_capacity;
    struct run *runs = items_room(check->heap, seen->runs, seen->run_count, &capacity, sizeof *runs);
    if (runs == NULL)
        return;
    seen->runs = runs;
    seen->run_capacity = (uint32_t)capacity;
    runs[seen->run_count++] = (struct run){.first = first, .term = term};
}

/* How far the log is as it was when last looked at: walks back from its end over what is new. */
static uint64_t unchanged_index(const struct raft_check *check, const struct seen *seen, const void *raft)
{
    uint64_t index = check->look.last_index(raft), begin = check->look.first_index(raft);
    uint32_t run = seen->run_count;
    while (index >= begin) {
        uint64_t term, first, position;
        uint32_t count;
        if (!check->look.entry_at(raft, index, &term, &first, &count, &position))
            break;
        if (index <= seen->last && known_term(seen, first, &run) == term)
            return index;
        index = first - 1;
    }
    return index;
}

/* RAFT-3 for what is new in the log. */
static const char *check_log(struct raft_check *check, struct seen *seen, const void *raft)
{
    uint64_t last = check->look.last_index(raft), begin = check->look.first_index(raft);
    uint64_t index = unchanged_index(check, seen, raft);
    if (index < seen->last && check->look.role(raft) == RAFT_LEADER && seen->role == RAFT_LEADER &&
        check->look.term(raft) == seen->term && index + 1 >= begin)
        return "RAFT-2 a leader changed an entry of its log";
    while (seen->run_count > 0 && seen->runs[seen->run_count - 1].first > index)
        seen->run_count--;
    uint64_t term, first, position, term_before = 0;
    uint32_t count;
    if (index >= begin && check->look.entry_at(raft, index, &term, &first, &count, &position))
        term_before = term;
    while (index < last) {
        if (!check->look.entry_at(raft, index + 1, &term, &first, &count, &position))
            return "RAFT-3 a log has a hole";
        if (term < term_before)
            return "RAFT-3 terms fall along a log";
        const char *broken = check_entry(check, first, term, count, term_before);
        if (broken != NULL)
            return broken;
        run_add(check, seen, first, term);
        term_before = term;
        index = first + count - 1;
    }
    return NULL;
}

/* Where in the list the first committed entry lies that ends after `index`. */
static uint64_t committed_after(const struct raft_check *check, uint64_t index)
{
    uint64_t low = 0, high = check->committed_count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        const struct committed *entry = &check->committed[middle];
        if (entry->first + entry->count - 1 <= index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Appends what this member is the first to know as committed. */
static void committed_add(struct raft_check *check, const struct committed *entry)
{
    struct committed *items = items_room(check->heap, check->committed, check->committed_count,
                                         &check->committed_capacity, sizeof *items);
    if (items == NULL)
        return;
    check->committed = items;
    items[check->committed_count++] = *entry;
}

/* RAFT-5 for logs: what the member knows as committed since it was last looked at is what all others know. */
static const char *check_committed(struct raft_check *check, struct seen *seen, const void *raft)
{
    uint64_t commit = check->look.commit_index(raft);
    if (commit == seen->commit)
        return NULL;
    uint64_t index = seen->commit + 1, begin = check->look.first_index(raft);
    if (index < begin)
        index = begin; /* a checkpoint was adopted */
    uint64_t place = seen->cursor;
    bool near = place < check->committed_count && check->committed[place].first == index;
    if (!near)
        place = committed_after(check, index - 1);
    while (index <= commit) {
        struct committed entry = {.commit_term = check->look.term(raft)};
        uint64_t position;
        if (!check->look.entry_at(raft, index, &entry.term, &entry.first, &entry.count, &position))
            break;
        const struct committed *known = place < check->committed_count ? &check->committed[place] : NULL;
        if (known == NULL)
            committed_add(check, &entry);
        else if (known->first == entry.first && (known->term != entry.term || known->count != entry.count))
            return "RAFT-5 two members committed different entries at one index";
        else if (known->first != entry.first)
            return "RAFT-5 two members committed entries of different extents";
        place++;
        index = entry.first + entry.count;
    }
    seen->cursor = place;
    return NULL;
}

static void remember(const struct raft_check *check, struct seen *seen, const void *raft)
{
    seen->term = check->look.term(raft);
    seen->role = check->look.role(raft);
    seen->voted_for = check->look.voted_for(raft);
    seen->commit = check->look.commit_index(raft);
    seen->applied = check->look.applied_index(raft);
    seen->last = check->look.last_index(raft);
}

const char *raft_check_step(struct raft_check *check, uint32_t place, const void *raft)
{
    struct seen *seen = &check->members[place];
    if (!seen->up)
        return NULL;
    const char *broken = check_step(check, seen, raft);
    uint64_t term = check->look.term(raft);
    bool leads = check->look.role(raft) == RAFT_LEADER;
    bool new_leader = leads && (seen->role != RAFT_LEADER || seen->term != term);
    if (broken == NULL && new_leader)
        broken = check_leader(check, place, term);
    if (broken == NULL)
        broken = check_log(check, seen, raft);
    if (broken == NULL && new_leader)
        broken = check_complete(check, raft);
    if (broken == NULL)
        broken = check_committed(check, seen, raft);
    remember(check, seen, raft);
    return broken;
}

void raft_check_stopped(struct raft_check *check, uint32_t place)
{
    check->members[place].up = false;
}

/* Everything that a crash may undo is forgotten; the log is looked at anew. */
static void begin(struct seen *seen)
{
    *seen = (struct seen){
        .up = true,
        .promised_term = seen->promised_term,
        .promised_to = seen->promised_to,
        .runs = seen->runs,
        .run_capacity = seen->run_capacity,
    };
}

const char *raft_check_restarted(struct raft_check *check, uint32_t place, const void *raft)
{
    struct seen *seen = &check->members[place];
    /* What it found damaged may have held its promises: it knows, and makes none before it was filled. */
    if (check->look.recovering(raft)) {
        raft_check_forgot(check, place);
        return raft_check_step(check, place, raft);
    }
    begin(seen);
    uint64_t term = check->look.term(raft);
    if (term < seen->promised_term)
        return "RAFT-6 a restart took back the term of a vote that was given";
    if (term == seen->promised_term && seen->promised_to != 0 && check->look.voted_for(raft) != seen->promised_to)
        return "RAFT-6 a restart took back a vote that was given";
    return raft_check_step(check, place, raft);
}

void raft_check_forgot(struct raft_check *check, uint32_t place)
{
    struct seen *seen = &check->members[place];
    begin(seen);
    seen->promised_term = 0;
    seen->promised_to = 0;
}

void raft_check_sent(struct raft_check *check, uint32_t place, uint32_t to, uint16_t type, const void *body)
{
    if (type != RAFT_VOTE_ACK)
        return;
    const struct raft_vote_ack *vote = body;
    struct seen *seen = &check->members[place];
    if (!vote->granted || vote->pre || vote->asked < seen->promised_term)
        return;
    seen->promised_term = vote->asked;
    seen->promised_to = to;
}

const char *raft_check_delivered(struct raft_check *check, uint32_t place, uint64_t index, struct span command)
{
    static const uint64_t key[2] = {UINT64_C(0x64656c6976657265), UINT64_C(0x6420636f6d6d616e)};
    (void)place;
    if (index >= INDEX_MAX)
        return NULL;
    if (index >= check->delivered_count) {
        uint64_t count = check->delivered_count == 0 ? VECTOR_ITEMS_MIN : check->delivered_count;
        while (count <= index)
            count *= 2;
        uint64_t *grown = heap_resize(check->heap, check->delivered, count * sizeof *grown);
        if (grown == NULL)
            return NULL;
        memset(grown + check->delivered_count, 0, (count - check->delivered_count) * sizeof *grown);
        check->delivered = grown;
        check->delivered_count = count;
    }
    uint64_t hash = hash_keyed(key, command.data, command.size) | 1;
    if (check->delivered[index] != 0 && check->delivered[index] != hash)
        return "RAFT-5 two members delivered different commands at one index";
    check->delivered[index] = hash;
    return NULL;
}
