/* Interned values: entries in the order of appearance, and open addressing with linear probes over their numbers. At
 * most half of the slots are in use. Texts lie in one buffer, elements of lists and maps in another. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/number.h"
#include "lab/history/record_internal.h"

enum {
    SLOTS_MIN = 256,
    ENTRIES_MIN = 128,
    PRINT_DEPTH_MAX = 16, /* deeper lists are shown as "..." */
};

static const uint64_t HASH_KEY[2] = {UINT64_C(0x6c6f636b73746570), UINT64_C(0x76616c7565732121)};

struct entry {
    uint32_t hash;
    uint32_t size;  /* bytes of a text, elements of a list */
    uint64_t datum; /* a number's bits, or the place of what it holds */
    uint8_t kind;
};

struct value_table {
    struct heap *heap;
    struct buffer texts, elements;
    struct entry *entries;
    uint32_t count, capacity;
    uint32_t *slots; /* id + 1, or 0 */
    uint32_t slot_count;
};

struct value_table *value_table_create(struct heap *heap)
{
    struct value_table *table = heap_alloc_zero(heap, sizeof *table);
    if (table == NULL)
        return NULL;
    table->heap = heap;
    buffer_init(&table->texts, heap);
    buffer_init(&table->elements, heap);
    return table;
}

void value_table_free(struct value_table *table)
{
    if (table == NULL)
        return;
    buffer_free(&table->texts);
    buffer_free(&table->elements);
    heap_free(table->heap, table->entries);
    heap_free(table->heap, table->slots);
    heap_free(table->heap, table);
}

void value_table_clear(struct value_table *table)
{
    table->count = 0;
    buffer_clear(&table->texts);
    buffer_clear(&table->elements);
    if (table->slot_count > 0)
        memset(table->slots, 0, table->slot_count * sizeof *table->slots);
}

static bool slots_grow(struct value_table *table)
{
    uint32_t slot_count = table->slot_count == 0 ? SLOTS_MIN : table->slot_count * 2;
    uint32_t *slots = slot_count == 0 ? NULL : heap_alloc_zero(table->heap, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t id = 0; id < table->count; id++) {
        uint32_t slot = table->entries[id].hash & (slot_count - 1);
        while (slots[slot] != 0)
            slot = (slot + 1) & (slot_count - 1);
        slots[slot] = id + 1;
    }
    heap_free(table->heap, table->slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return true;
}

static bool entries_grow(struct value_table *table)
{
    uint32_t capacity = table->capacity == 0 ? ENTRIES_MIN : table->capacity * 2;
    struct entry *entries = heap_resize(table->heap, table->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    table->entries = entries;
    table->capacity = capacity;
    return true;
}

/* What is looked for: numbers are compared by `datum`, the others by their bytes. */
struct sought {
    enum value_kind kind;
    uint32_t size;
    uint64_t datum;
    const void *bytes;
    size_t byte_count;
};

static const uint8_t *entry_bytes(const struct value_table *table, const struct entry *entry)
{
    const struct buffer *buffer = entry->kind == VALUE_TEXT ? &table->texts : &table->elements;
    return buffer->data + entry->datum;
}

static bool entry_is(const struct value_table *table, const struct entry *entry, const struct sought *sought)
{
    if (entry->kind != sought->kind || entry->size != sought->size)
        return false;
    if (sought->bytes == NULL)
        return entry->datum == sought->datum;
    return sought->byte_count == 0 || memcmp(entry_bytes(table, entry), sought->bytes, sought->byte_count) == 0;
}

static uint32_t value_id(struct record *record, const struct sought *sought)
{
    struct value_table *table = record->values;
    uint64_t bits = sought->bytes == NULL ? sought->datum : hash_keyed(HASH_KEY, sought->bytes, sought->byte_count);
    uint64_t wide = hash_mix(bits, sought->kind);
    uint32_t hash = (uint32_t)(wide ^ wide >> 32);
    if (table->count + 1 <= table->slot_count / 2 || slots_grow(table)) {
        uint32_t mask = table->slot_count - 1, slot = hash & mask;
        for (; table->slots[slot] != 0; slot = (slot + 1) & mask) {
            const struct entry *entry = &table->entries[table->slots[slot] - 1];
            if (entry->hash == hash && entry_is(table, entry, sought))
                return table->slots[slot] - 1;
        }
        struct buffer *buffer = sought->kind == VALUE_TEXT ? &table->texts : &table->elements;
        uint64_t place = buffer->size;
        if ((table->count < table->capacity || entries_grow(table)) &&
            (sought->bytes == NULL || buffer_append(buffer, sought->bytes, sought->byte_count))) {
            table->entries[table->count] = (struct entry){.hash = hash,
                                                          .size = sought->size,
                                                          .datum = sought->bytes == NULL ? sought->datum : place,
                                                          .kind = (uint8_t)sought->kind};
            table->slots[slot] = ++table->count;
            return table->count - 1;
        }
    }
    record->incomplete = true;
    return VALUE_NONE;
}

uint32_t record_null(struct record *record)
{
    return value_id(record, &(struct sought){.kind = VALUE_NULL});
}

uint32_t record_boolean(struct record *record, bool value)
{
    return value_id(record, &(struct sought){.kind = value ? VALUE_TRUE : VALUE_FALSE});
}

uint32_t record_integer(struct record *record, int64_t value)
{
    return value_id(record, &(struct sought){.kind = VALUE_INTEGER, .datum = (uint64_t)value});
}

uint32_t record_real(struct record *record, double value)
{
    /* Below 2^63 in size, so the conversion is exact when there is no fraction. */
    if (value >= -0x1p63 && value < 0x1p63 && (double)(int64_t)value == value)
        return record_integer(record, (int64_t)value);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value_id(record, &(struct sought){.kind = VALUE_REAL, .datum = bits});
}

uint32_t record_text(struct record *record, struct span text)
{
    if (text.size > UINT32_MAX) {
        record->incomplete = true;
        return VALUE_NONE;
    }
    return value_id(record, &(struct sought){.kind = VALUE_TEXT,
                                             .size = (uint32_t)text.size,
                                             .bytes = text.size == 0 ? (const void *)"" : text.data,
                                             .byte_count = text.size});
}

/* Sorts a map's pairs by key and takes out all but the last of equal keys; returns how many elements are left. */
static uint32_t pairs_sort(uint32_t *pairs, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t at = 0; at + 1 < count; at += 2) {
        uint32_t key = pairs[at], value = pairs[at + 1], place = kept;
        while (place > 0 && pairs[place - 2] > key)
            place -= 2;
        if (place > 0 && pairs[place - 2] == key) {
            pairs[place - 1] = value;
            continue;
        }
        memmove(pairs + place + 2, pairs + place, (kept - place) * sizeof *pairs);
        pairs[place] = key;
        pairs[place + 1] = value;
        kept += 2;
    }
    return kept;
}

uint32_t record_list(struct record *record, enum value_kind kind, const uint32_t *elements, uint32_t count)
{
    struct sought sought = {.kind = kind, .size = count, .bytes = elements, .byte_count = count * sizeof *elements};
    if (count == 0)
        sought.bytes = "";
    if (kind == VALUE_LIST || count == 0)
        return value_id(record, &sought);
    uint32_t *sorted = heap_alloc(record->heap, sought.byte_count);
    if (sorted == NULL) {
        record->incomplete = true;
        return VALUE_NONE;
    }
    memcpy(sorted, elements, sought.byte_count);
    sought.size = pairs_sort(sorted, count);
    sought.byte_count = sought.size * sizeof *sorted;
    sought.bytes = sorted;
    uint32_t id = value_id(record, &sought);
    heap_free(record->heap, sorted);
    return id;
}

enum value_kind record_kind(const struct record *record, uint32_t value)
{
    return (enum value_kind)record->values->entries[value].kind;
}

int64_t record_integer_of(const struct record *record, uint32_t value)
{
    return (int64_t)record->values->entries[value].datum;
}

double record_real_of(const struct record *record, uint32_t value)
{
    const struct entry *entry = &record->values->entries[value];
    if (entry->kind == VALUE_INTEGER)
        return (double)(int64_t)entry->datum;
    double real;
    memcpy(&real, &entry->datum, sizeof real);
    return real;
}

struct span record_text_of(const struct record *record, uint32_t value)
{
    const struct entry *entry = &record->values->entries[value];
    return entry->size == 0 ? span_string("") : span_of(entry_bytes(record->values, entry), entry->size);
}

uint32_t record_size_of(const struct record *record, uint32_t value)
{
    return record->values->entries[value].size;
}

const uint32_t *record_elements_of(const struct record *record, uint32_t value)
{
    const struct entry *entry = &record->values->entries[value];
    /* Only multiples of four bytes are ever appended, and the heap aligns the buffer. */
    return entry->size == 0 ? NULL : (const uint32_t *)(const void *)entry_bytes(record->values, entry);
}

uint32_t record_value_count(const struct record *record)
{
    return record->values->count;
}

/* ---- printing ---- */

struct printer {
    char *out;
    size_t size, room; /* room: of text, without the terminator */
};

static void print_bytes(struct printer *printer, const char *bytes, size_t size)
{
    size_t left = printer->room - printer->size;
    memcpy(printer->out + printer->size, bytes, size < left ? size : left);
    printer->size += size < left ? size : left;
}

static void print_text(struct printer *printer, struct span text)
{
    print_bytes(printer, "\"", 1);
    for (size_t at = 0; at < text.size && printer->size < printer->room; at++) {
        uint8_t byte = text.data[at];
        char escape[8] = {'\\', (char)byte};
        if (byte == '"' || byte == '\\')
            print_bytes(printer, escape, 2);
        else if (byte < ' ' || byte == 127)
            print_bytes(printer, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", byte));
        else
            print_bytes(printer, (const char *)&text.data[at], 1);
    }
    print_bytes(printer, "\"", 1);
}

static void print_number(struct printer *printer, const struct record *record, uint32_t value)
{
    char text[NUMBER_DOUBLE_SIZE_MAX];
    size_t size = record_kind(record, value) == VALUE_INTEGER
                      ? number_print_i64(text, record_integer_of(record, value))
                      : number_print_double(text, record_real_of(record, value));
    print_bytes(printer, text, size);
}

static void print_value(struct printer *printer, const struct record *record, uint32_t value, unsigned depth)
{
    static const char *const words[] = {[VALUE_NULL] = "null", [VALUE_FALSE] = "false", [VALUE_TRUE] = "true"};
    enum value_kind kind = record_kind(record, value);
    switch (kind) {
    case VALUE_NULL:
    case VALUE_FALSE:
    case VALUE_TRUE:
        print_bytes(printer, words[kind], strlen(words[kind]));
        return;
    case VALUE_INTEGER:
    case VALUE_REAL:
        print_number(printer, record, value);
        return;
    case VALUE_TEXT:
        print_text(printer, record_text_of(record, value));
        return;
    case VALUE_LIST:
    case VALUE_MAP:
        break;
    }
    if (depth == PRINT_DEPTH_MAX) {
        print_bytes(printer, "...", 3);
        return;
    }
    const uint32_t *elements = record_elements_of(record, value);
    print_bytes(printer, kind == VALUE_LIST ? "[" : "{", 1);
    for (uint32_t at = 0; at < record_size_of(record, value) && printer->size < printer->room; at++) {
        if (at > 0)
            print_bytes(printer, kind == VALUE_MAP && at % 2 == 1 ? ": " : ", ", 2);
        print_value(printer, record, elements[at], depth + 1);
    }
    print_bytes(printer, kind == VALUE_LIST ? "]" : "}", 1);
}

size_t record_print(const struct record *record, uint32_t value, char *out, size_t size)
{
    struct printer printer = {.out = out, .room = size - 1};
    if (value == VALUE_NONE)
        print_bytes(&printer, "nothing", 7);
    else
        print_value(&printer, record, value, 0);
    out[printer.size] = '\0';
    return printer.size;
}
