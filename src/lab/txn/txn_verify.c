/* Executes a witness again. Reads the record by itself and shares no code with the checks; slow and simple on purpose.
 *
 * Serial: transactions run one after the other on a store that starts empty. Snapshot isolation: at its start a
 * transaction reads, and notes which version of each key it writes is there; at its commit these must still be there.
 * Read committed and below: whoever wrote what a transaction read comes earlier in the order. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn.h"

struct cell {
    uint32_t *list; /* value ids; a register has one, or none */
    uint32_t count, capacity;
    uint32_t version; /* commits so far */
};

struct verifier {
    const struct record *record;
    struct heap *heap;
    enum txn_level level;
    struct cell *cells;    /* by value id of the key */
    uint32_t *noted;       /* by operation: where its notes begin, + 1 */
    uint32_t *notes;       /* versions of the keys that it writes */
    uint32_t note_count;
    uint8_t *seen;         /* by operation: how often */
    char *reason;
    size_t reason_size;
};

static bool complain(struct verifier *verifier, uint32_t operation, const char *what)
{
    snprintf(verifier->reason, verifier->reason_size, "the witness fails at operation %" PRIu32 ": %s", operation,
             what);
    return false;
}

static uint32_t value_of(const struct verifier *verifier, uint32_t operation)
{
    const struct record_operation *at = &verifier->record->operations[operation];
    return at->outcome == RECORD_OK && at->answered != VALUE_NONE ? at->answered : at->called;
}

enum what { READS, APPENDS, WRITES };

static enum what what_is(const struct verifier *verifier, const uint32_t *parts)
{
    struct span name = record_text_of(verifier->record, parts[0]);
    if (name.size > 0 && name.data[0] == 'a')
        return APPENDS;
    return name.size > 0 && (name.data[0] == 'w' || name.data[0] == 'p') ? WRITES : READS;
}

static bool cell_put(struct verifier *verifier, struct cell *cell, enum what what, uint32_t value)
{
    if (what == WRITES)
        cell->count = 0;
    if (cell->count == cell->capacity) {
        uint32_t capacity = cell->capacity == 0 ? 4 : cell->capacity * 2;
        uint32_t *list = heap_resize(verifier->heap, cell->list, capacity * sizeof *list);
        if (list == NULL)
            return false;
        cell->list = list;
        cell->capacity = capacity;
    }
    cell->list[cell->count++] = value;
    return true;
}

static bool same_as(const struct verifier *verifier, const struct cell *cell, const uint32_t *parts, uint32_t size)
{
    uint32_t value = size == 3 ? parts[2] : VALUE_NONE;
    if (value == VALUE_NONE || record_kind(verifier->record, value) == VALUE_NULL)
        return cell->count == 0;
    if (cell->count == 1 && cell->list[0] == value)
        return true;
    return record_kind(verifier->record, value) == VALUE_LIST &&
           record_size_of(verifier->record, value) == cell->count &&
           (cell->count == 0 || memcmp(record_elements_of(verifier->record, value), cell->list,
                                       cell->count * sizeof(uint32_t)) == 0);
}

/* Executes one transaction: its reads are compared when `reading`. What it wrote is taken back when `taking_back`. */
static bool execute(struct verifier *verifier, uint32_t operation, bool reading, bool taking_back)
{
    const struct record *record = verifier->record;
    uint32_t txn = value_of(verifier, operation), count = record_size_of(record, txn);
    const uint32_t *micros = record_elements_of(record, txn);
    bool known = record->operations[operation].outcome == RECORD_OK, good = true;
    struct saved {
        uint32_t key, count, first;
    } *saved = heap_alloc(verifier->heap, (count + 1) * sizeof *saved);
    for (uint32_t at = 0; saved != NULL && good && at < count; at++) {
        const uint32_t *parts = record_elements_of(record, micros[at]);
        struct cell *cell = &verifier->cells[parts[1]];
        enum what what = what_is(verifier, parts);
        saved[at] = (struct saved){parts[1], cell->count, cell->count > 0 ? cell->list[0] : 0};
        if (what != READS)
            good = cell_put(verifier, cell, what, parts[2]) || complain(verifier, operation, "the memory ran out");
        else if (reading && known && !same_as(verifier, cell, parts, record_size_of(record, micros[at])))
            good = complain(verifier, operation, "a read returned something else");
    }
    for (uint32_t at = count; saved != NULL && good && taking_back && at-- > 0;) {
        struct cell *cell = &verifier->cells[saved[at].key];
        if (saved[at].count > 0 && cell->count > 0)
            cell->list[0] = saved[at].first;
        cell->count = saved[at].count;
    }
    good &= saved != NULL;
    heap_free(verifier->heap, saved);
    return good;
}

/* Notes the versions of the keys that it writes, or compares them with those noted and counts them up. */
static bool note(struct verifier *verifier, uint32_t operation, bool compare)
{
    const struct record *record = verifier->record;
    uint32_t txn = value_of(verifier, operation), count = record_size_of(record, txn);
    const uint32_t *micros = record_elements_of(record, txn);
    uint32_t first = compare ? verifier->noted[operation] - 1 : verifier->note_count;
    for (uint32_t at = 0; at < count; at++) {
        const uint32_t *parts = record_elements_of(record, micros[at]);
        struct cell *cell = &verifier->cells[parts[1]];
        if (!compare)
            verifier->notes[verifier->note_count++] = cell->version;
        else if (what_is(verifier, parts) != READS && verifier->notes[first + at] != cell->version)
            return complain(verifier, operation, "another writer of the same key committed in between");
    }
    for (uint32_t at = 0; compare && at < count; at++) {
        const uint32_t *parts = record_elements_of(record, micros[at]);
        if (what_is(verifier, parts) != READS)
            verifier->cells[parts[1]].version++;
    }
    verifier->noted[operation] = first + 1;
    return true;
}

/* ---- what the levels ask for ---- */

static bool verify_serial(struct verifier *verifier, const struct verdict *verdict)
{
    uint32_t latest = 0;
    for (uint32_t at = 0; at < verdict->operation_count; at++) {
        uint32_t operation = verdict->operations[at];
        const struct record_operation *it = &verifier->record->operations[operation];
        bool info = it->outcome == RECORD_INFO;
        if (verifier->level == TXN_STRICT_SERIALIZABLE && !info && it->completed < latest)
            return complain(verifier, operation, "it ended before an earlier one of the order began");
        if (it->invoked > latest)
            latest = it->invoked;
        if (!execute(verifier, operation, true, false))
            return false;
    }
    return true;
}

static bool verify_snapshots(struct verifier *verifier, const struct verdict *verdict)
{
    for (uint32_t at = 0; at < verdict->operation_count; at++) {
        uint32_t operation = verdict->operations[at];
        bool start = verifier->noted[operation] == 0;
        if (!note(verifier, operation, !start) || !execute(verifier, operation, start, start))
            return false;
    }
    return true;
}

/* Who wrote a value to a key, by looking everywhere: place in the order, or `count` when nobody did. */
struct written {
    uint32_t key, value, place;
};

static uint32_t place_of(const struct written *table, uint32_t mask, uint32_t key, uint32_t value)
{
    for (uint32_t slot = key * 31 + value;; slot++) {
        const struct written *at = &table[slot & mask];
        if (at->place == 0)
            return 0;
        if (at->key == key && at->value == value)
            return at->place;
    }
}

/* Every element was written by an earlier transaction of the order, or the own one; in lists in that order. */
static bool read_is_later(struct verifier *verifier, const struct written *table, uint32_t mask, const uint32_t *parts,
                          uint32_t place)
{
    const struct record *record = verifier->record;
    uint32_t value = parts[2], count = 1, before = 0;
    const uint32_t *elements = &value;
    if (record_kind(record, value) == VALUE_NULL)
        return true;
    if (place_of(table, mask, parts[1], value) == 0 && record_kind(record, value) == VALUE_LIST) {
        count = record_size_of(record, value);
        elements = record_elements_of(record, value);
    }
    for (uint32_t at = 0; at < count; at++) {
        uint32_t writer = place_of(table, mask, parts[1], elements[at]);
        if (writer == 0 && verifier->level == TXN_READ_UNCOMMITTED)
            continue; /* a failed transaction's */
        if (writer == 0 || writer < before || (writer > place && verifier->level != TXN_READ_UNCOMMITTED))
            return false;
        before = writer;
    }
    return true;
}

static bool verify_dependencies(struct verifier *verifier, const struct verdict *verdict)
{
    const struct record *record = verifier->record;
    uint32_t size = 16, writes = 0;
    for (uint32_t at = 0; at < verdict->operation_count; at++)
        writes += record_size_of(record, value_of(verifier, verdict->operations[at]));
    while (size < writes * 2)
        size *= 2;
    struct written *table = heap_alloc_zero(verifier->heap, size * sizeof *table);
    bool good = table != NULL;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t at = 0; good && at < verdict->operation_count; at++) {
            uint32_t operation = verdict->operations[at], txn = value_of(verifier, operation);
            for (uint32_t micro = 0; good && micro < record_size_of(record, txn); micro++) {
                uint32_t part = record_elements_of(record, txn)[micro];
                const uint32_t *parts = record_elements_of(record, part);
                bool reads = what_is(verifier, parts) == READS;
                uint32_t slot = parts[1] * 31 + (record_size_of(record, part) == 3 ? parts[2] : 0);
                for (; pass == 0 && !reads && table[slot & (size - 1)].place != 0;)
                    slot++;
                if (pass == 0 && !reads)
                    table[slot & (size - 1)] = (struct written){parts[1], parts[2], at + 1};
                if (pass == 1 && reads && record->operations[operation].outcome == RECORD_OK &&
                    record_size_of(record, part) == 3 && !read_is_later(verifier, table, size - 1, parts, at + 1))
                    good = complain(verifier, operation, "it read what comes later in the order, or in another order");
            }
        }
    heap_free(verifier->heap, table);
    return good;
}

/* Each ok transaction is there as often as it must be, a failed one never, one that may have happened at most so
 * often. */
static bool verify_counts(struct verifier *verifier, const struct verdict *verdict)
{
    uint32_t times = verifier->level == TXN_SNAPSHOT_ISOLATION ? 2 : 1;
    for (uint32_t at = 0; at < verdict->operation_count; at++) {
        if (verdict->operations[at] >= verifier->record->operation_count)
            return complain(verifier, verdict->operations[at], "there is no such operation");
        if (verifier->seen[verdict->operations[at]]++ == times)
            return complain(verifier, verdict->operations[at], "it is there too often");
    }
    for (uint32_t at = 0; at < verifier->record->operation_count; at++) {
        uint8_t outcome = verifier->record->operations[at].outcome, seen = verifier->seen[at];
        if (outcome == RECORD_FAIL && seen != 0)
            return complain(verifier, at, "it failed, and is there");
        if (outcome == RECORD_OK && seen != times)
            return complain(verifier, at, "it is missing");
        if (seen != 0 && seen != times)
            return complain(verifier, at, "its start or its commit is missing");
    }
    return true;
}

bool txn_verify(const struct record *record, enum txn_level level, const struct verdict *verdict, struct heap *heap,
                char *reason, size_t reason_size)
{
    struct verifier verifier = {
        .record = record, .heap = heap, .level = level, .reason = reason, .reason_size = reason_size};
    size_t notes = 1;
    for (uint32_t at = 0; at < verdict->operation_count; at++)
        if (verdict->operations[at] < record->operation_count)
            notes += record_size_of(record, value_of(&verifier, verdict->operations[at]));
    uint32_t keys = record_value_count(record) + 1;
    verifier.cells = heap_alloc_zero(heap, keys * sizeof *verifier.cells);
    verifier.noted = heap_alloc_zero(heap, (record->operation_count + (size_t)1) * sizeof(uint32_t));
    verifier.notes = heap_alloc_zero(heap, notes * sizeof(uint32_t));
    verifier.seen = heap_alloc_zero(heap, record->operation_count + (size_t)1);
    bool good = verifier.cells != NULL && verifier.noted != NULL && verifier.notes != NULL && verifier.seen != NULL;
    if (!good)
        complain(&verifier, 0, "the memory ran out");
    good = good && verify_counts(&verifier, verdict);
    if (good && level == TXN_SNAPSHOT_ISOLATION)
        good = verify_snapshots(&verifier, verdict);
    else if (good)
        good = level <= TXN_REPEATABLE_READ ? verify_serial(&verifier, verdict)
                                            : verify_dependencies(&verifier, verdict);
    for (uint32_t key = 0; verifier.cells != NULL && key < keys; key++)
        heap_free(heap, verifier.cells[key].list);
    heap_free(heap, verifier.cells);
    heap_free(heap, verifier.noted);
    heap_free(heap, verifier.notes);
    heap_free(heap, verifier.seen);
    return good;
}
