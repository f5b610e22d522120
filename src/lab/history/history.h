/* A history: what clients asked, when, and what they were told.
 *
 * An operation of a client, its *process*, begins with an invocation and ends in one of three ways, as in Jepsen's
 * histories:
 *
 *   ok    it happened, and this is the answer
 *   fail  it certainly did not happen and never will (a refusal)
 *   info  it may have happened, may still happen at any later time, or never (INDETERMINATE, a lost connection)
 *
 * An operation that never ends counts as info. What orders events is the order in which they were recorded, which is
 * why a history has one writer, who records an invocation before the request leaves and an end after the answer came.
 * Times are kept for people: in a simulated world many events share one instant. Where only times are known,
 * history_order() makes an order of them.
 *
 * Keys, arguments and answers are copied and interned, so that checkers compare numbers instead of bytes. All memory
 * comes from the heap of the caller; history_clear() keeps it, so that a campaign that re-uses one history allocates
 * nothing once it is warm. */
#ifndef LOCKSTEP_LAB_HISTORY_H
#define LOCKSTEP_LAB_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "lab/history/intern.h"

/* X(name, text, reads only) */
#define HISTORY_FUNCTION_LIST(X)                                                                                       \
    X(HISTORY_GET, "get", true)         /* answer: bytes or nil */                                                     \
    X(HISTORY_STRLEN, "strlen", true)   /* integer */                                                                  \
    X(HISTORY_EXISTS, "exists", true)   /* integer 0 or 1 */                                                           \
    X(HISTORY_SET, "set", false)        /* done */                                                                     \
    X(HISTORY_SET_NX, "setnx", false)   /* set when there is nothing: done or 1, else nil or 0 */                      \
    X(HISTORY_SET_XX, "setxx", false)   /* set when there is something: done or 1, else nil or 0 */                    \
    X(HISTORY_GETSET, "getset", false)  /* the old value: bytes or nil */                                              \
    X(HISTORY_CAS, "cas", false)        /* set when it is `expected`: done or 1, else nil or 0 */                      \
    X(HISTORY_INCR, "incr", false)      /* add `number` to an integer: the new one, or error */                        \
    X(HISTORY_APPEND, "append", false)  /* integer: the new length, or done */                                          \
    X(HISTORY_DEL, "del", false)        /* integer 0 or 1 */                                                           \
    X(HISTORY_GETDEL, "getdel", false)  /* the old value: bytes or nil */

enum history_function {
#define HISTORY_FUNCTION(name, text, reads) name,
    HISTORY_FUNCTION_LIST(HISTORY_FUNCTION)
#undef HISTORY_FUNCTION
    HISTORY_FUNCTION_COUNT
};

/* How an operation ended. HISTORY_OPEN counts as info. So does HISTORY_MAYBE, but if such an operation happened, it got
 * the answer that it has: that is how a checker asks what follows from the rest of a history. */
enum history_outcome { HISTORY_OPEN, HISTORY_OK, HISTORY_FAIL, HISTORY_INFO, HISTORY_MAYBE };

/* What kind of answer an ok operation got. HISTORY_ERROR is the service's own answer, such as INCR's to a value that
 * is no integer: the command took its place in the order, and changed nothing. (A refusal is HISTORY_FAIL instead.) */
enum history_answer_kind { HISTORY_DONE, HISTORY_NIL, HISTORY_BYTES, HISTORY_INTEGER, HISTORY_ERROR };

struct history_call {
    uint32_t process;
    enum history_function function;
    struct span key;
    struct span argument; /* SET*, GETSET, CAS, APPEND */
    struct span expected; /* CAS */
    int64_t number;       /* INCR */
};

struct history_answer {
    enum history_answer_kind kind;
    int64_t integer;
    struct span bytes;
};

/* Places of events that never came. */
#define HISTORY_NEVER UINT32_MAX
/* An operation that could not be recorded. */
#define HISTORY_NONE UINT32_MAX

struct history_operation {
    uint32_t process;
    uint32_t key;                /* id in history.keys */
    uint32_t argument, expected; /* ids in history.values */
    int64_t number;
    uint32_t answer; /* id in history.values, of HISTORY_BYTES */
    int64_t integer; /* of HISTORY_INTEGER */
    uint32_t invoked, completed; /* places in the record of events; HISTORY_NEVER */
    int64_t invoked_ns, completed_ns;
    uint8_t function;    /* enum history_function */
    uint8_t outcome;     /* enum history_outcome */
    uint8_t answer_kind; /* enum history_answer_kind, of an ok one */
};

struct history {
    struct heap *heap; /* borrowed */
    struct intern keys, values;
    struct history_operation *operations;
    uint32_t operation_count, operation_capacity;
    uint32_t event_count; /* recorded invocations and ends; places are 0 to this */
    bool incomplete;      /* the heap was full: something is missing, so no verdict can be given */
};

/* An empty history on that heap, or NULL when it has no room. */
struct history *history_create(struct heap *heap);
/* Gives all memory back; NULL is ignored. */
void history_free(struct history *history);
/* Empties it and keeps the memory. Ids of operations start at 0 again. */
void history_clear(struct history *history);

/* Records an invocation; returns the operation's id, counted from 0. When the heap is full it returns HISTORY_NONE,
 * which the functions below take and ignore, and marks the history as incomplete. */
uint32_t history_invoke(struct history *history, const struct history_call *call, int64_t now_ns);

/* Records how an open operation ended (an invariant: it is open). */
void history_ok(struct history *history, uint32_t operation, const struct history_answer *answer, int64_t now_ns);
void history_fail(struct history *history, uint32_t operation, int64_t now_ns);
void history_info(struct history *history, uint32_t operation, int64_t now_ns);

/* For a history that was recorded elsewhere, as whole operations in any order: record each with these two times (an
 * open or info operation's second is ignored; `answer` is that of an ok one), then call history_order() once. */
uint32_t history_add(struct history *history, const struct history_call *call, enum history_outcome outcome,
                     const struct history_answer *answer, int64_t invoked_ns, int64_t completed_ns);

/* Gives events their places by their times. Of two at the same time an invocation comes first, so that operations which
 * only touch count as concurrent: no false alarm follows. Marks the history as incomplete when the heap is full. */
void history_order(struct history *history);

/* The function of a name such as "setnx"; false when there is none. */
bool history_function_find(struct span name, enum history_function *out);
const char *history_function_name(enum history_function function);
/* True when the function never changes anything. */
bool history_function_reads(enum history_function function);

/* Reads a Redis command from its words ("SET", "key", "value", "NX"), in any case: GET, STRLEN, EXISTS, SET [NX|XX],
 * SETNX, GETSET, INCR, DECR, INCRBY, DECRBY, APPEND, DEL, GETDEL, each with one key. False for any other, which a
 * history cannot hold. Borrows the words. */
bool history_call_from_words(const struct span *words, uint32_t count, struct history_call *out);

/* Reads an answer from a RESP2 or RESP3 value: a simple string is done, an error is HISTORY_ERROR (the caller has
 * looked for refusals before). False when it is damaged or an aggregate. Borrows the bytes. */
bool history_answer_from_resp(struct span reply, struct history_answer *out);

#endif
