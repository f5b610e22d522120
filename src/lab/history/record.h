/* A recorded history, from anywhere: operations of clients, with values of any JSON kind.
 *
 * Every reader (JSON Lines, JSON and EDN arrays, the simulated clients) fills one of these, and every checker reads it.
 * An operation is an invocation and its end, joined: ok (it happened, and this came back), fail (it certainly never
 * happened) or info (it may have happened, may yet, or never; so does one that never ended).
 *
 * Processes are numbered from 0. A reader numbers those of its file in the order of their appearance, with
 * record_process(), and the record keeps what the file calls them. A process has at most one operation open.
 *
 * Values are interned: two values are equal if and only if their ids are, whatever their kind (integers and reals that
 * are equal as numbers are one value, as 1 and 1.0). So checkers compare and hash numbers.
 *
 * All memory comes from the heap of the caller; record_clear() keeps it. */
#ifndef LOCKSTEP_LAB_RECORD_H
#define LOCKSTEP_LAB_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"

enum value_kind { VALUE_NULL, VALUE_FALSE, VALUE_TRUE, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_LIST, VALUE_MAP };

/* No value: a member that the file left out. Distinct from the id of null. */
#define VALUE_NONE UINT32_MAX

enum record_outcome { RECORD_OK, RECORD_FAIL, RECORD_INFO };

/* Place of an end that never came. */
#define RECORD_NEVER UINT32_MAX

struct record_operation {
    uint32_t process;
    uint32_t function;  /* id of its text among the values: "read", "txn" */
    uint32_t key;       /* value id, or VALUE_NONE */
    uint32_t called;    /* value id of the invocation, or VALUE_NONE */
    uint32_t answered;  /* value id of an ok end (the invocation's own when the end had none), or VALUE_NONE */
    uint32_t invoked;   /* place in the order of all events, from 0 */
    uint32_t completed; /* the same, RECORD_NEVER for info */
    int64_t invoked_ns, completed_ns; /* for people; 0 where the file has none */
    uint8_t outcome;    /* enum record_outcome */
    uint32_t line;      /* in the file, of the invocation; 0: none */
};

struct value_table;   /* record_value.c */
struct process_table; /* record.c */

struct record {
    struct heap *heap; /* borrowed */
    struct value_table *values;
    struct record_operation *operations; /* in the order of invocation */
    uint32_t operation_count, operation_capacity;
    uint32_t event_count; /* invocations and ends */
    uint32_t process_count; /* numbers of processes are 0 to this */
    uint32_t process_capacity;
    int64_t *process_names; /* what the file calls each */
    struct process_table *processes; /* record.c */
    bool incomplete; /* the heap was full: something is missing, so no verdict can be given */
};

struct record *record_create(struct heap *heap);
void record_free(struct record *record);
void record_clear(struct record *record);

/* ---- values ---- */

/* Each gives the id of a value, made when it is new; VALUE_NONE when the heap is full, which marks the record. Texts
 * and elements are copied, and are the caller's own: not borrowed from this record. */
uint32_t record_null(struct record *record);
uint32_t record_boolean(struct record *record, bool value);
uint32_t record_integer(struct record *record, int64_t value);
uint32_t record_real(struct record *record, double value);
uint32_t record_text(struct record *record, struct span text);
/* Elements are ids; a map's are key, value, key, value, and are kept in the order of the keys' ids, so that maps which
 * differ in order only are one value. */
uint32_t record_list(struct record *record, enum value_kind kind, const uint32_t *elements, uint32_t count);

enum value_kind record_kind(const struct record *record, uint32_t value);
int64_t record_integer_of(const struct record *record, uint32_t value); /* VALUE_INTEGER */
double record_real_of(const struct record *record, uint32_t value); /* VALUE_REAL, VALUE_INTEGER */
/* VALUE_TEXT; borrowed until a value is added. */
struct span record_text_of(const struct record *record, uint32_t value);
uint32_t record_size_of(const struct record *record, uint32_t value); /* elements of VALUE_LIST, VALUE_MAP */
/* The elements, borrowed until a value is added; NULL when there are none. */
const uint32_t *record_elements_of(const struct record *record, uint32_t value);
uint32_t record_value_count(const struct record *record); /* ids are 0 to this */
/* Prints it as JSON, cut to size - 1; returns the length. */
size_t record_print(const struct record *record, uint32_t value, char *out, size_t size);

/* ---- operations ---- */

/* The number of the process that the file calls so; a new one when it has not been seen. RECORD_NEVER when the heap is
 * full. */
uint32_t record_process(struct record *record, int64_t name);

/* Records an invocation; the operation's id, counted from 0, or RECORD_NEVER when the heap is full, which record_end()
 * takes and ignores. A process that no record_process() has named is called by its number. */
uint32_t record_invoke(struct record *record, uint32_t process, uint32_t function, uint32_t key, uint32_t called,
                       int64_t now_ns);
/* Records the end of an open one (an invariant: it is open). `answered` may be VALUE_NONE. */
void record_end(struct record *record, uint32_t operation, enum record_outcome outcome, uint32_t answered,
                int64_t now_ns);

/* Prints "process 3: cas x [1, 2] -> true" for sentences and counter-histories. */
size_t record_print_operation(const struct record *record, uint32_t operation, char *out, size_t size);

#endif
