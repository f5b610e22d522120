/* A recorded history: operations in the order of their invocations, and the processes that they belong to. */
#include "lab/history/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "lab/history/record_internal.h"

enum {
    OPERATIONS_MIN = 256,
    PROCESSES_MIN = 32,
    PROCESS_SLOTS_MIN = 128,
};

/* Numbers of processes by name: open addressing, at most half full. */
struct process_table {
    uint32_t *slots; /* number + 1, or 0 */
    uint32_t slot_count, used;
};

struct record *record_create(struct heap *heap)
{
    struct record *record = heap_alloc_zero(heap, sizeof *record);
    if (record == NULL)
        return NULL;
    record->heap = heap;
    record->values = value_table_create(heap);
    record->processes = heap_alloc_zero(heap, sizeof *record->processes);
    if (record->values == NULL || record->processes == NULL) {
        record_free(record);
        return NULL;
    }
    return record;
}

void record_free(struct record *record)
{
    if (record == NULL)
        return;
    value_table_free(record->values);
    if (record->processes != NULL)
        heap_free(record->heap, record->processes->slots);
    heap_free(record->heap, record->processes);
    heap_free(record->heap, record->process_names);
    heap_free(record->heap, record->operations);
    heap_free(record->heap, record);
}

void record_clear(struct record *record)
{
    value_table_clear(record->values);
    if (record->processes->slot_count > 0)
        memset(record->processes->slots, 0, record->processes->slot_count * sizeof *record->processes->slots);
    record->processes->used = 0;
    record->process_count = 0;
    record->operation_count = record->event_count = 0;
    record->incomplete = false;
}

/* ---- processes ---- */

static uint32_t process_slot(const struct record *record, int64_t name)
{
    const struct process_table *table = record->processes;
    uint32_t mask = table->slot_count - 1, slot = (uint32_t)hash_mix((uint64_t)name, 0) & mask;
    while (table->slots[slot] != 0 && record->process_names[table->slots[slot] - 1] != name)
        slot = (slot + 1) & mask;
    return slot;
}

static bool process_slots_grow(struct record *record)
{
    struct process_table *table = record->processes;
    struct process_table old = *table;
    uint32_t slot_count = old.slot_count == 0 ? PROCESS_SLOTS_MIN : old.slot_count * 2;
    uint32_t *slots = slot_count == 0 ? NULL : heap_alloc_zero(record->heap, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    table->slots = slots;
    table->slot_count = slot_count;
    for (uint32_t at = 0; at < old.slot_count; at++)
        if (old.slots[at] != 0)
            slots[process_slot(record, record->process_names[old.slots[at] - 1])] = old.slots[at];
    heap_free(record->heap, old.slots);
    return true;
}

static bool process_names_room(struct record *record, uint32_t count)
{
    if (count <= record->process_capacity)
        return true;
    uint64_t capacity = record->process_capacity == 0 ? PROCESSES_MIN : record->process_capacity;
    while (capacity < count)
        capacity *= 2;
    if (capacity > UINT32_MAX)
        return false;
    int64_t *names = heap_resize(record->heap, record->process_names, capacity * sizeof *names);
    if (names == NULL)
        return false;
    record->process_names = names;
    record->process_capacity = (uint32_t)capacity;
    return true;
}

uint32_t record_process(struct record *record, int64_t name)
{
    struct process_table *table = record->processes;
    if ((table->used + 1 > table->slot_count / 2 && !process_slots_grow(record)) ||
        !process_names_room(record, record->process_count + 1)) {
        record->incomplete = true;
        return RECORD_NEVER;
    }
    uint32_t slot = process_slot(record, name);
    if (table->slots[slot] != 0)
        return table->slots[slot] - 1;
    record->process_names[record->process_count] = name;
    table->slots[slot] = ++record->process_count;
    table->used++;
    return record->process_count - 1;
}

/* ---- operations ---- */

static bool operations_room(struct record *record)
{
    if (record->operation_count < record->operation_capacity)
        return true;
    uint32_t capacity = record->operation_capacity == 0 ? OPERATIONS_MIN : record->operation_capacity * 2;
    struct record_operation *operations =
        capacity == 0 ? NULL : heap_resize(record->heap, record->operations, capacity * sizeof *operations);
    if (operations == NULL)
        return false;
    record->operations = operations;
    record->operation_capacity = capacity;
    return true;
}

/* Names processes up to this one by their numbers. */
static bool processes_reach(struct record *record, uint32_t process)
{
    if (process < record->process_count)
        return true;
    if (process == RECORD_NEVER || !process_names_room(record, process + 1))
        return false;
    while (record->process_count <= process) {
        record->process_names[record->process_count] = record->process_count;
        record->process_count++;
    }
    return true;
}

uint32_t record_invoke(struct record *record, uint32_t process, uint32_t function, uint32_t key, uint32_t called,
                       int64_t now_ns)
{
    if (!processes_reach(record, process) || !operations_room(record)) {
        record->incomplete = true;
        return RECORD_NEVER;
    }
    record->operations[record->operation_count] = (struct record_operation){
        .process = process,
        .function = function,
        .key = key,
        .called = called,
        .answered = VALUE_NONE,
        .invoked = record->event_count++,
        .completed = RECORD_NEVER,
        .invoked_ns = now_ns,
        .outcome = RECORD_INFO,
    };
    return record->operation_count++;
}

void record_end(struct record *record, uint32_t operation, enum record_outcome outcome, uint32_t answered,
                int64_t now_ns)
{
    if (operation == RECORD_NEVER)
        return;
    struct record_operation *ended = &record->operations[operation];
    invariant(ended->outcome == RECORD_INFO && ended->completed == RECORD_NEVER, "an operation ends once");
    ended->outcome = (uint8_t)outcome;
    ended->completed_ns = now_ns;
    uint32_t place = record->event_count++;
    if (outcome != RECORD_INFO)
        ended->completed = place;
    if (outcome == RECORD_OK)
        ended->answered = answered == VALUE_NONE ? ended->called : answered;
}

size_t record_print_operation(const struct record *record, uint32_t operation, char *out, size_t size)
{
    enum { SHOWN_SIZE = 200 };
    const struct record_operation *shown = &record->operations[operation];
    struct span function = record_text_of(record, shown->function);
    char key[SHOWN_SIZE] = "", called[SHOWN_SIZE] = "", answered[SHOWN_SIZE] = "";
    if (shown->key != VALUE_NONE) {
        key[0] = ' ';
        record_print(record, shown->key, key + 1, sizeof key - 1);
    }
    if (shown->called != VALUE_NONE && record_kind(record, shown->called) != VALUE_NULL) {
        called[0] = ' ';
        record_print(record, shown->called, called + 1, sizeof called - 1);
    }
    if (shown->outcome == RECORD_INFO)
        strcpy(answered, " (may have happened)");
    else if (shown->outcome == RECORD_FAIL)
        strcpy(answered, " (failed)");
    else if (shown->answered != VALUE_NONE && (shown->answered != shown->called || called[0] == '\0')) {
        strcpy(answered, " -> ");
        record_print(record, shown->answered, answered + 4, sizeof answered - 4);
    }
    int length = snprintf(out, size, "process %" PRId64 ": %.*s%s%s%s", record->process_names[shown->process],
                          (int)function.size, (const char *)function.data, key, called, answered);
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}
