/* From a record to transactions: keys numbered, micro-operations side by side, an index of who wrote what. */
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_internal.h"

/* ---- memory ---- */

struct txn_block {
    struct txn_block *next;
    uint64_t unused; /* keeps what follows aligned */
};

void *txn_take(struct txn_arena *arena, size_t count, size_t size)
{
    struct txn_block *block = NULL;
    if (count <= (SIZE_MAX - sizeof *block) / size)
        block = heap_alloc(arena->heap, sizeof *block + count * size);
    if (block == NULL) {
        arena->full = true;
        return NULL;
    }
    memset(block, 0, sizeof *block + count * size);
    block->next = arena->blocks;
    arena->blocks = block;
    return block + 1;
}

void txn_arena_free(struct txn_arena *arena)
{
    for (struct txn_block *block = arena->blocks, *next; block != NULL; block = next) {
        next = block->next;
        heap_free(arena->heap, block);
    }
    arena->blocks = NULL;
}

/* ---- the index of writes ---- */

static uint32_t slot_of(const struct txn_history *history, uint32_t key, uint32_t value)
{
    uint64_t hash = ((uint64_t)key << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32) & history->slot_mask;
}

uint32_t txn_writer(const struct txn_history *history, uint32_t key, uint32_t value)
{
    for (uint32_t slot = slot_of(history, key, value);; slot = (slot + 1) & history->slot_mask) {
        if (history->slots[slot] == 0)
            return TXN_NONE;
        const struct txn_micro *micro = &history->micros[history->slots[slot] - 1];
        if (micro->key == key && micro->value == value)
            return history->slots[slot] - 1;
    }
}

/* Indexes all writes; `again` is the first that repeats another, or TXN_NONE. False when memory ran out. */
static bool index_writes(struct txn_history *history, uint32_t *again)
{
    uint32_t writes = 0, slot_count = 16;
    for (uint32_t at = 0; at < history->micro_count; at++)
        writes += history->micros[at].function != TXN_READ;
    while (slot_count < writes * UINT64_C(2))
        slot_count *= 2;
    history->slots = txn_take(history->arena, slot_count, sizeof *history->slots);
    history->slot_mask = slot_count - 1;
    *again = TXN_NONE;
    if (history->slots == NULL)
        return false;
    for (uint32_t at = 0; at < history->micro_count; at++) {
        const struct txn_micro *micro = &history->micros[at];
        if (micro->function == TXN_READ)
            continue;
        uint32_t slot = slot_of(history, micro->key, micro->value);
        for (; history->slots[slot] != 0; slot = (slot + 1) & history->slot_mask) {
            const struct txn_micro *other = &history->micros[history->slots[slot] - 1];
            if (other->key == micro->key && other->value == micro->value) {
                *again = at;
                return true;
            }
        }
        history->slots[slot] = at + 1;
    }
    return true;
}

/* Marks each transaction's last write to a key, and the reads that one of its earlier micro-operations decides. */
static void mark_places(struct txn_history *history, const struct txn *txn)
{
    struct txn_micro *micros = history->micros + txn->first;
    for (uint32_t at = 0; at < txn->count; at++) {
        micros[at].final = micros[at].function != TXN_READ;
        for (uint32_t before = 0; before < at; before++) {
            if (micros[before].key != micros[at].key)
                continue;
            if (micros[at].function == TXN_READ)
                micros[at].internal = true;
            else
                micros[before].final = false;
        }
    }
}

static bool finish(struct txn_history *history, uint32_t *again)
{
    for (uint32_t at = 0; at < history->txn_count; at++)
        mark_places(history, &history->txns[at]);
    return index_writes(history, again);
}

/* ---- reading ---- */

struct reading {
    struct txn_history *history;
    const struct record *record;
    const struct txn_names *names;
    uint8_t *function_of; /* value id -> enum txn_function + 1, or 0 */
    uint32_t *key_of;     /* value id -> number + 1, or 0 */
    uint32_t txn_function, null;
    char *reason;
    size_t reason_size;
};

static bool refuse(struct reading *reading, const struct record_operation *operation, const char *why)
{
    char text[200];
    uint32_t number = (uint32_t)(operation - reading->record->operations);
    record_print_operation(reading->record, number, text, sizeof text);
    snprintf(reading->reason, reading->reason_size, "operation %u (line %u) is no transaction of this model: %s: %s",
             (unsigned)number, (unsigned)operation->line, text, why);
    return false;
}

static bool text_is(struct span text, const char *name)
{
    return name != NULL && text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

/* Finds the ids of the functions' names. */
static bool find_names(struct reading *reading)
{
    uint32_t count = record_value_count(reading->record);
    reading->function_of = txn_take(reading->history->arena, count, 1);
    reading->key_of = txn_take(reading->history->arena, count, sizeof *reading->key_of);
    reading->txn_function = reading->null = VALUE_NONE;
    if (reading->history->arena->full)
        return false;
    for (uint32_t id = 0; id < count; id++) {
        enum value_kind kind = record_kind(reading->record, id);
        if (kind == VALUE_NULL)
            reading->null = id;
        if (kind != VALUE_TEXT)
            continue;
        struct span text = record_text_of(reading->record, id);
        if (text.size > 6)
            continue;
        if (text_is(text, "txn"))
            reading->txn_function = id;
        for (int name = 0; name < 3; name++) {
            if (text_is(text, reading->names->read[name]))
                reading->function_of[id] = TXN_READ + 1;
            if (text_is(text, reading->names->append[name]))
                reading->function_of[id] = TXN_APPEND + 1;
            if (text_is(text, reading->names->write[name]))
                reading->function_of[id] = TXN_WRITE + 1;
        }
    }
    return true;
}

static uint32_t key_number(struct reading *reading, uint32_t value)
{
    if (reading->key_of[value] == 0)
        reading->key_of[value] = ++reading->history->key_count;
    return reading->key_of[value] - 1;
}

static bool read_micro(struct reading *reading, const struct record_operation *operation, uint32_t function,
                       uint32_t key, uint32_t value)
{
    struct txn_history *history = reading->history;
    if (reading->function_of[function] == 0)
        return refuse(reading, operation, "its micro-operations must be reads, or the writes of this model");
    struct txn_micro *micro = &history->micros[history->micro_count++];
    *micro = (struct txn_micro){.txn = history->txn_count, .value = value};
    micro->function = (uint8_t)(reading->function_of[function] - 1);
    micro->key = key_number(reading, key);
    if (micro->function != TXN_READ) {
        bool good = value != VALUE_NONE && (micro->function == TXN_APPEND || value != reading->null);
        return good || refuse(reading, operation, "it writes no value");
    }
    micro->known = operation->outcome == RECORD_OK;
    bool nothing = value == reading->null || value == VALUE_NONE;
    if (nothing)
        micro->value = VALUE_NONE;
    if (!history->lists || nothing || !micro->known)
        return true;
    if (record_kind(reading->record, value) != VALUE_LIST)
        return refuse(reading, operation, "a read must return a list");
    micro->elements = record_elements_of(reading->record, value);
    micro->count = record_size_of(reading->record, value);
    return true;
}

static bool read_list(struct reading *reading, const struct record_operation *operation, uint32_t value)
{
    if (value == VALUE_NONE || record_kind(reading->record, value) != VALUE_LIST)
        return refuse(reading, operation, "its value must be a list of [f, key, value]");
    const uint32_t *elements = record_elements_of(reading->record, value);
    uint32_t count = record_size_of(reading->record, value);
    for (uint32_t at = 0; at < count; at++) {
        uint32_t size = 0;
        if (record_kind(reading->record, elements[at]) == VALUE_LIST)
            size = record_size_of(reading->record, elements[at]);
        if (size != 2 && size != 3)
            return refuse(reading, operation, "its value must be a list of [f, key, value]");
        const uint32_t *parts = record_elements_of(reading->record, elements[at]);
        if (!read_micro(reading, operation, parts[0], parts[1], size == 3 ? parts[2] : VALUE_NONE))
            return false;
    }
    return true;
}

static bool read_operation(struct reading *reading, uint32_t number)
{
    struct txn_history *history = reading->history;
    const struct record_operation *operation = &reading->record->operations[number];
    struct txn *txn = &history->txns[history->txn_count];
    uint32_t value = operation->called;
    if (operation->outcome == RECORD_OK && operation->answered != VALUE_NONE)
        value = operation->answered;
    *txn = (struct txn){.operation = number,
                        .first = history->micro_count,
                        .invoked = operation->invoked,
                        .completed = operation->outcome == RECORD_INFO ? RECORD_NEVER : operation->completed,
                        .outcome = operation->outcome,
                        .happened = operation->outcome == RECORD_OK};
    if (operation->function == reading->txn_function && operation->function != VALUE_NONE) {
        if (!read_list(reading, operation, value))
            return false;
    } else if (reading->names->single && operation->key != VALUE_NONE &&
               reading->function_of[operation->function] != 0) {
        bool writes = reading->function_of[operation->function] != TXN_READ + 1;
        if (!read_micro(reading, operation, operation->function, operation->key, writes ? operation->called : value))
            return false;
    } else
        return refuse(reading, operation, "its function must be \"txn\"");
    txn->count = history->micro_count - txn->first;
    history->txn_count++;
    return true;
}

/* An upper bound of the number of micro-operations. */
static size_t count_micros(const struct record *record)
{
    size_t count = 0;
    for (uint32_t at = 0; at < record->operation_count; at++) {
        const struct record_operation *operation = &record->operations[at];
        uint32_t value = operation->called;
        if (operation->outcome == RECORD_OK && operation->answered != VALUE_NONE)
            value = operation->answered;
        bool list = value != VALUE_NONE && record_kind(record, value) == VALUE_LIST;
        count += list && record_size_of(record, value) > 0 ? record_size_of(record, value) : 1;
    }
    return count;
}

static bool name_keys(struct reading *reading)
{
    struct txn_history *history = reading->history;
    history->keys = txn_take(history->arena, history->key_count, sizeof *history->keys);
    for (uint32_t id = 0; history->keys != NULL && id < record_value_count(reading->record); id++)
        if (reading->key_of[id] != 0)
            history->keys[reading->key_of[id] - 1] = id;
    return history->keys != NULL;
}

static bool memory_out(char *reason, size_t reason_size)
{
    snprintf(reason, reason_size, "the memory for the check ran out; allow more, or check a shorter history");
    return false;
}

bool txn_history_read(struct txn_history *history, const struct record *record, const struct txn_names *names,
                      struct txn_arena *arena, bool *twice, char *reason, size_t reason_size)
{
    *history = (struct txn_history){.record = record, .arena = arena, .lists = names->append[0] != NULL};
    struct reading reading = {
        .history = history, .record = record, .names = names, .reason = reason, .reason_size = reason_size};
    if (record->incomplete)
        return memory_out(reason, reason_size);
    size_t micros = count_micros(record);
    if (micros > UINT32_MAX / 8 || record->operation_count > UINT32_MAX / 16) {
        snprintf(reason, reason_size, "more than %u operations in transactions; check a shorter history",
                 (unsigned)(UINT32_MAX / 8));
        return false;
    }
    history->txns = txn_take(arena, record->operation_count, sizeof *history->txns);
    history->micros = txn_take(arena, micros, sizeof *history->micros);
    if (!find_names(&reading) || arena->full)
        return memory_out(reason, reason_size);
    for (uint32_t number = 0; number < record->operation_count; number++)
        if (!read_operation(&reading, number))
            return false;
    uint32_t again;
    if (!name_keys(&reading) || !finish(history, &again))
        return memory_out(reason, reason_size);
    if (twice != NULL)
        *twice = again != TXN_NONE;
    if (again == TXN_NONE)
        return true;
    char key[64], value[64];
    txn_print_value(history, history->keys[history->micros[again].key], key);
    snprintf(reason, reason_size,
             "value %s is written to %s twice, so reads do not tell who wrote it; write values once",
             txn_print_value(history, history->micros[again].value, value), key);
    return false;
}

/* ---- parts ---- */

static bool kept_writer(const struct txn_history *history, const uint8_t *kept, uint32_t key, uint32_t value)
{
    uint32_t writer = txn_writer(history, key, value);
    return writer == TXN_NONE || kept[history->micros[writer].txn] != 0;
}

/* Leaves out of a read what was not kept. */
static bool strip_read(const struct txn_history *history, const uint8_t *kept, struct txn_micro *read,
                       struct txn_arena *arena)
{
    if (!history->lists) {
        if (read->value != VALUE_NONE && !kept_writer(history, kept, read->key, read->value))
            read->known = false;
        return true;
    }
    uint32_t *elements = txn_take(arena, read->count, sizeof *elements), count = 0;
    for (uint32_t at = 0; elements != NULL && at < read->count; at++)
        if (kept_writer(history, kept, read->key, read->elements[at]))
            elements[count++] = read->elements[at];
    read->elements = elements;
    read->count = count;
    return elements != NULL;
}

bool txn_history_subset(struct txn_history *subset, const struct txn_history *history, const uint32_t *txns,
                        uint32_t count, struct txn_arena *arena)
{
    *subset = *history;
    subset->arena = arena;
    subset->versions = subset->version_first = NULL;
    subset->txn_count = count;
    subset->micro_count = 0;
    uint8_t *kept = txn_take(arena, history->txn_count, 1);
    size_t micros = 0;
    for (uint32_t at = 0; at < count; at++)
        micros += history->txns[txns[at]].count;
    subset->txns = txn_take(arena, count, sizeof *subset->txns);
    subset->micros = txn_take(arena, micros, sizeof *subset->micros);
    if (arena->full)
        return false;
    for (uint32_t at = 0; at < count; at++)
        kept[txns[at]] = 1;
    for (uint32_t at = 0; at < count; at++) {
        const struct txn *from = &history->txns[txns[at]];
        struct txn *txn = &subset->txns[at];
        *txn = *from;
        txn->first = subset->micro_count;
        txn->happened = txn->outcome == RECORD_OK;
        for (uint32_t micro = 0; micro < from->count; micro++) {
            struct txn_micro *copy = &subset->micros[subset->micro_count++];
            *copy = history->micros[from->first + micro];
            copy->txn = at;
            copy->internal = false;
            if (copy->function != TXN_READ)
                copy->count = 0;
            else if (copy->known && !strip_read(history, kept, copy, arena))
                return false;
        }
    }
    uint32_t again;
    return finish(subset, &again);
}
