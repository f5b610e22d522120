/* Reading a record as a history of registers (causal_internal.h). */
#include <stdio.h>
#include <string.h>

#include "lab/causal/causal_internal.h"

void causal_out_of_memory(struct verdict *out)
{
    out->kind = VERDICT_UNKNOWN;
    snprintf(out->reason, sizeof out->reason, "there is not enough memory");
}

void causal_illegal(struct verdict *out, const char *anomaly)
{
    if (out->kind != VERDICT_OK)
        return;
    out->kind = VERDICT_ILLEGAL;
    snprintf(out->anomaly, sizeof out->anomaly, "%s", anomaly);
}

/* ---- functions and values ---- */

enum function { FUNCTION_READ, FUNCTION_WRITE, FUNCTION_OTHER };

static enum function function_of(const struct record *record, uint32_t value)
{
    static const char *const reads[] = {"read", "get", "r"}, *const writes[] = {"write", "put", "set", "w"};
    struct span text = record_text_of(record, value);
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        if (strlen(reads[i]) == text.size && memcmp(reads[i], text.data, text.size) == 0)
            return FUNCTION_READ;
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++)
        if (strlen(writes[i]) == text.size && memcmp(writes[i], text.data, text.size) == 0)
            return FUNCTION_WRITE;
    return FUNCTION_OTHER;
}

/* The function of each operation, asked for each different text once. */
struct functions {
    uint32_t known;
    enum function function;
};

static enum function function_cached(const struct record *record, struct functions cache[4], uint32_t value)
{
    struct functions *entry = &cache[value & 3];
    if (entry->known != value + 1)
        *entry = (struct functions){value + 1, function_of(record, value)};
    return entry->function;
}

/* ---- a map from two numbers to one ---- */

struct pair_map {
    uint64_t *keys; /* first << 32 | second, plus 1; 0: empty */
    uint32_t *values;
    uint32_t mask;
};

static bool pair_map_init(struct pair_map *map, struct heap *heap, uint32_t entries)
{
    uint32_t size = 16;
    while (size < 2 * (uint64_t)entries)
        size *= 2;
    map->mask = size - 1;
    map->keys = heap_alloc_zero(heap, size * sizeof *map->keys);
    map->values = heap_alloc(heap, size * sizeof *map->values);
    return map->keys != NULL && map->values != NULL;
}

static void pair_map_free(struct pair_map *map, struct heap *heap)
{
    heap_free(heap, map->keys);
    heap_free(heap, map->values);
}

/* The entry of a pair; `*fresh` when it is new. */
static uint32_t *pair_map_at(struct pair_map *map, uint32_t first, uint32_t second, bool *fresh)
{
    uint64_t key = ((uint64_t)first << 32 | second) + 1;
    uint32_t slot = (uint32_t)((key * UINT64_C(0x9fb21c651e98df25)) >> 32) & map->mask;
    while (map->keys[slot] != 0 && map->keys[slot] != key)
        slot = (slot + 1) & map->mask;
    *fresh = map->keys[slot] == 0;
    map->keys[slot] = key;
    return &map->values[slot];
}

/* ---- reading ---- */

struct reading {
    struct causal *causal;
    const struct record *record;
    struct functions functions[4];
    uint32_t *keys;  /* by value id: number of the key + 1; the last one is of operations without a key */
    struct pair_map written; /* key and value: the operation of the record that wrote it */
    uint32_t *state; /* by operation of the record: of a write whether it was read; then its place in the list */
    struct verdict *out;
};

static bool allocate(struct causal *causal)
{
    struct heap *heap = causal->heap;
    causal->list = heap_alloc(heap, (causal->count + 1) * sizeof *causal->list);
    causal->first = heap_alloc_zero(heap, (causal->session_count + 1) * sizeof *causal->first);
    causal->clocks = heap_alloc(heap, ((size_t)causal->count * causal->session_count + 1) * sizeof *causal->clocks);
    causal->order = heap_alloc(heap, (causal->count + 1) * sizeof *causal->order);
    return causal->list != NULL && causal->first != NULL && causal->clocks != NULL && causal->order != NULL;
}

static uint32_t key_number(struct reading *reading, uint32_t key)
{
    uint32_t *number = &reading->keys[key == VALUE_NONE ? record_value_count(reading->record) : key];
    if (*number == 0)
        *number = ++reading->causal->key_count;
    return *number - 1;
}

static bool unsupported(struct reading *reading, uint32_t operation, const char *why)
{
    char text[200];
    record_print_operation(reading->record, operation, text, sizeof text);
    reading->out->kind = VERDICT_UNKNOWN;
    snprintf(reading->out->reason, sizeof reading->out->reason, "%s: %s", why, text);
    return false;
}

static bool impossible(struct reading *reading, uint32_t operation, const char *anomaly, const char *why)
{
    char text[200];
    record_print_operation(reading->record, operation, text, sizeof text);
    causal_illegal(reading->out, anomaly);
    snprintf(reading->out->reason, sizeof reading->out->reason, "%s: %s: %s", anomaly, why, text);
    reading->out->operations = heap_alloc(reading->causal->heap, sizeof *reading->out->operations);
    if (reading->out->operations != NULL)
        reading->out->operations[reading->out->operation_count++] = operation;
    return false;
}

static bool is_null(const struct record *record, uint32_t value)
{
    return value == VALUE_NONE || record_kind(record, value) == VALUE_NULL;
}

static enum function function_at(struct reading *reading, uint32_t operation)
{
    return function_cached(reading->record, reading->functions, reading->record->operations[operation].function);
}

static bool gather_writes(struct reading *reading)
{
    const struct record *record = reading->record;
    for (uint32_t i = 0; i < record->operation_count; i++) {
        const struct record_operation *operation = &record->operations[i];
        enum function function = function_at(reading, i);
        if (function == FUNCTION_OTHER)
            return unsupported(reading, i, "this level is checked for reads and writes of registers only");
        if (function != FUNCTION_WRITE)
            continue;
        bool fresh;
        uint32_t *entry = pair_map_at(&reading->written, key_number(reading, operation->key), operation->called, &fresh);
        if (!fresh)
            return unsupported(reading, i, "a value is written to a key twice, so a read does not tell what it saw");
        *entry = i;
    }
    return true;
}

/* The write that a read saw, as an operation of the record, or CAUSAL_INITIAL, or CAUSAL_THIN_AIR. */
static uint32_t seen_by(struct reading *reading, uint32_t read)
{
    const struct record_operation *operation = &reading->record->operations[read];
    bool fresh;
    uint32_t *entry = pair_map_at(&reading->written, key_number(reading, operation->key), operation->answered, &fresh);
    if (fresh)
        *entry = is_null(reading->record, operation->answered) ? CAUSAL_INITIAL : CAUSAL_THIN_AIR;
    return *entry;
}

static bool gather_reads(struct reading *reading)
{
    const struct record *record = reading->record;
    for (uint32_t i = 0; i < record->operation_count; i++) {
        if (record->operations[i].outcome != RECORD_OK || function_at(reading, i) != FUNCTION_READ)
            continue;
        uint32_t write = seen_by(reading, i);
        if (write == CAUSAL_THIN_AIR)
            return impossible(reading, i, "thin-air read", "the value was never written");
        if (write == CAUSAL_INITIAL)
            continue;
        if (record->operations[write].outcome == RECORD_FAIL)
            return impossible(reading, i, "aborted read", "the value is that of a write that never happened");
        reading->state[write] = 1;
    }
    return true;
}

/* Does an operation take part? What ended info takes part when it was seen. */
static bool counts(struct reading *reading, uint32_t operation)
{
    enum record_outcome outcome = (enum record_outcome)reading->record->operations[operation].outcome;
    if (outcome == RECORD_INFO)
        return function_at(reading, operation) == FUNCTION_WRITE && reading->state[operation] != 0;
    return outcome == RECORD_OK;
}

static bool count_operations(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->record->operation_count; i++)
        reading->causal->count += counts(reading, i);
    return allocate(reading->causal);
}

static bool place_operations(struct reading *reading)
{
    struct causal *causal = reading->causal;
    const struct record *record = reading->record;
    uint32_t *fill = heap_alloc_zero(causal->heap, (causal->session_count + 1) * sizeof *fill);
    if (fill == NULL)
        return false;
    for (uint32_t i = 0; i < record->operation_count; i++)
        if (counts(reading, i))
            causal->first[record->operations[i].process + 1]++;
    for (uint32_t s = 0; s < causal->session_count; s++)
        causal->first[s + 1] += causal->first[s];
    for (uint32_t i = 0; i < record->operation_count; i++) {
        if (!counts(reading, i))
            continue;
        const struct record_operation *operation = &record->operations[i];
        uint32_t place = ++fill[operation->process];
        bool write = function_at(reading, i) == FUNCTION_WRITE;
        causal->list[causal_at(causal, operation->process, place)] = (struct causal_operation){
            .session = operation->process,
            .place = place,
            .key = key_number(reading, operation->key),
            .write = write,
            .source = write ? CAUSAL_NONE : seen_by(reading, i),
            .recorded = i,
        };
    }
    heap_free(causal->heap, fill);
    return true;
}

/* From operations of the record to places in the list. */
static void translate_sources(struct reading *reading)
{
    struct causal *causal = reading->causal;
    for (uint32_t at = 0; at < causal->count; at++)
        reading->state[causal->list[at].recorded] = at;
    for (uint32_t at = 0; at < causal->count; at++)
        if (!causal->list[at].write && causal->list[at].source != CAUSAL_INITIAL)
            causal->list[at].source = reading->state[causal->list[at].source];
}

/* ---- writes by session and key ---- */

static bool index_writes(struct causal *causal)
{
    size_t lists = (size_t)causal->session_count * causal->key_count;
    causal->starts = heap_alloc_zero(causal->heap, (lists + 2) * sizeof *causal->starts);
    causal->writes = heap_alloc(causal->heap, (causal->count + 1) * sizeof *causal->writes);
    if (causal->starts == NULL || causal->writes == NULL)
        return false;
    for (uint32_t at = 0; at < causal->count; at++)
        if (causal->list[at].write)
            causal->starts[(size_t)causal->list[at].session * causal->key_count + causal->list[at].key + 2]++;
    for (size_t i = 2; i <= lists + 1; i++)
        causal->starts[i] += causal->starts[i - 1];
    for (uint32_t at = 0; at < causal->count; at++)
        if (causal->list[at].write) {
            size_t list = (size_t)causal->list[at].session * causal->key_count + causal->list[at].key;
            causal->writes[causal->starts[list + 1]++] = causal->list[at].place;
        }
    return true;
}

uint32_t causal_last_write(const struct causal *causal, uint32_t session, uint32_t key, uint32_t end)
{
    size_t list = (size_t)session * causal->key_count + key;
    uint32_t low = causal->starts[list], high = causal->starts[list + 1];
    uint32_t first = low;
    while (low < high) { /* the first that is after `end` */
        uint32_t middle = low + (high - low) / 2;
        if (causal->writes[middle] <= end)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first ? causal_at(causal, session, causal->writes[low - 1]) : CAUSAL_NONE;
}

/* ---- making ---- */

bool causal_init(struct causal *causal, const struct record *record, struct heap *heap, struct verdict *out)
{
    *causal = (struct causal){.heap = heap, .record = record, .session_count = record->process_count};
    struct reading reading = {.causal = causal, .record = record, .out = out};
    reading.keys = heap_alloc_zero(heap, ((size_t)record_value_count(record) + 1) * sizeof *reading.keys);
    reading.state = heap_alloc_zero(heap, ((size_t)record->operation_count + 1) * sizeof *reading.state);
    bool room = reading.keys != NULL && reading.state != NULL &&
                pair_map_init(&reading.written, heap, record->operation_count);
    bool good = room && gather_writes(&reading) && gather_reads(&reading);
    if (good) {
        room = count_operations(&reading) && place_operations(&reading);
        if (room)
            translate_sources(&reading);
        room = room && index_writes(causal);
    }
    heap_free(heap, reading.keys);
    heap_free(heap, reading.state);
    pair_map_free(&reading.written, heap);
    if (!room)
        causal_out_of_memory(out);
    if (!room || !good)
        causal_free(causal);
    return room && good;
}

bool causal_part(struct causal *part, const struct causal *whole, const uint32_t *operations, uint32_t count)
{
    *part = (struct causal){.heap = whole->heap,
                            .record = whole->record,
                            .count = count,
                            .session_count = whole->session_count,
                            .key_count = whole->key_count};
    uint32_t *now = heap_alloc(whole->heap, (whole->count + 1) * sizeof *now);
    if (now == NULL || !allocate(part)) {
        heap_free(whole->heap, now);
        causal_free(part);
        return false;
    }
    memset(now, 0xff, whole->count * sizeof *now);
    for (uint32_t i = 0; i < count; i++)
        now[operations[i]] = i;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) { /* numbers change when reads go, so writes are numbered anew below */
        const struct causal_operation *old = &whole->list[operations[i]];
        bool orphan = !old->write && old->source != CAUSAL_INITIAL && now[old->source] == UINT32_MAX;
        if (!orphan) {
            part->list[kept] = *old;
            now[operations[i]] = kept++;
        }
    }
    part->count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        struct causal_operation *operation = &part->list[i];
        if (!operation->write && operation->source != CAUSAL_INITIAL)
            operation->source = now[operation->source];
        part->first[operation->session + 1]++;
    }
    for (uint32_t s = 0; s < part->session_count; s++)
        part->first[s + 1] += part->first[s];
    for (uint32_t i = 0; i < kept; i++)
        part->list[i].place = i - part->first[part->list[i].session] + 1;
    heap_free(whole->heap, now);
    if (index_writes(part))
        return true;
    causal_free(part);
    return false;
}

void causal_free(struct causal *causal)
{
    heap_free(causal->heap, causal->list);
    heap_free(causal->heap, causal->first);
    heap_free(causal->heap, causal->clocks);
    heap_free(causal->heap, causal->order);
    heap_free(causal->heap, causal->starts);
    heap_free(causal->heap, causal->writes);
    *causal = (struct causal){.heap = causal->heap};
}
