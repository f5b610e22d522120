/* Single objects on their way from a record to a search; private to object_*.c. */
#ifndef LOCKSTEP_LAB_OBJECT_INTERNAL_H
#define LOCKSTEP_LAB_OBJECT_INTERNAL_H

#include "lab/history/history.h"
#include "lab/object/linearizable_internal.h"
#include "lab/object/object.h"

enum object_function {
    OBJECT_READ,     /* register, counter; of a set all elements */
    OBJECT_WRITE,    /* register */
    OBJECT_CAS,      /* register */
    OBJECT_ADD,      /* set, counter */
    OBJECT_REMOVE,   /* set */
    OBJECT_CONTAINS, /* set */
    OBJECT_PUT,      /* queue, stack */
    OBJECT_TAKE,     /* queue, stack */
    OBJECT_ACQUIRE,
    OBJECT_RELEASE,
    OBJECT_TRANSACT, /* multi-register */
};

/* How sure it is that an operation happened, and when. */
enum object_certainty {
    OBJECT_HAPPENED,
    OBJECT_OPEN,    /* at some time after its invocation, or not at all */
    OBJECT_FAILED,  /* not at all */
    OBJECT_RELAXED, /* at any time, with this answer, or not at all: see object_minimal.c */
};

struct object_operation {
    uint32_t id;                 /* in the record */
    uint32_t process;
    uint32_t argument, expected; /* values; VALUE_NONE: nothing, or null */
    uint32_t answer;
    int64_t number;              /* counter: what is added, or was read; fenced mutex: the token */
    uint32_t invoked, completed; /* places among the object's own events, from 0; RECORD_NEVER */
    uint8_t function;            /* enum object_function; of kv enum history_function */
    uint8_t certainty;
    bool answered;               /* ok, and the answer says something */
};

/* All operations, sorted by object and then by invocation. */
struct objects {
    const struct record *record;
    struct heap *heap;
    enum object_type type;
    struct object_operation *operations;
    uint32_t *starts; /* object o is from starts[o] to starts[o + 1] */
    uint32_t count;   /* of objects */
    uint32_t *scratch; /* one zero for each value and one more; whoever uses it leaves zeros */
};

/* Operations of one object. */
struct object_part {
    const struct objects *objects;
    struct object_operation *operations;
    uint32_t count;
};

enum { OBJECT_WHY_SIZE = 200 };

/* Reads a record as objects of a type. False, with a sentence: it is no such history, or the heap is full. */
bool objects_read(struct objects *objects, const struct record *record, enum object_type type, struct heap *heap,
                  char why[OBJECT_WHY_SIZE]);
void objects_free(struct objects *objects);
struct object_part objects_part(const struct objects *objects, uint32_t object);

/* What a search needs of a type; NULL: a key-value store's key, and registers. */
const struct linearizable_model *object_model(enum object_type type);
/* Fills a history with these operations, in the order of their events, as the model wants them; the id of each is its
 * place here. False when the heap is full. */
bool object_load(const struct object_part *part, struct history *history);

/* An operation and what it is sorted by. */
struct object_pair {
    uint32_t key, operation;
};
/* Sorts stably by key; `spare` is as large. Returns which of the two holds the result. */
struct object_pair *object_sort(struct object_pair *pairs, struct object_pair *spare, uint32_t count);

/* The tools of a check, made once. */
struct object_search {
    struct linearizable *checker;
    struct history *history;
    const struct verdict_bounds *bounds;
    enum object_level level;
    uint64_t work;
};

/* Searches an order of these operations; after FOUND it is in `order`, places in the part, `order_count` long. */
enum search_end object_search(struct object_search *search, const struct object_part *part, uint32_t *order,
                              uint32_t *order_count);
/* Searches a counter-history in an illegal part: marks all other operations as relaxed. False when bounds ran out on
 * the way, so that it may not be minimal. */
bool object_minimise(struct object_search *search, const struct object_part *part);

/* Special cases. Each decides a part in a time proportional to its size, where it applies. */
enum special_end {
    SPECIAL_NONE,    /* it does not apply */
    SPECIAL_LEGAL,   /* `order` holds an order */
    SPECIAL_ILLEGAL, /* `culprits` cannot be explained by themselves: all others may be relaxed */
    SPECIAL_MEMORY,
};
enum { SPECIAL_CULPRITS_MAX = 8 };
struct special {
    uint32_t *order; /* room for the part, for places in it; NULL: only the answer counts */
    uint32_t order_count;
    uint32_t culprits[SPECIAL_CULPRITS_MAX];
    uint32_t culprit_count;
};
/* ILLEGAL, by the operations of the list: each once, UINT32_MAX being none. */
enum special_end object_culprits(struct special *out, const uint32_t *list, uint32_t count);
enum special_end special_register(const struct object_part *part, struct special *out);
enum special_end special_queue(const struct object_part *part, struct special *out);
enum special_end special_set(const struct object_part *part, struct special *out);
/* Only looks for single elements that are wrong: popped twice, or before they were pushed. */
enum special_end special_stack(const struct object_part *part, struct special *out);

/* Stacks (object_stack.c). Notes in a loaded history when each value is popped, where no value is pushed twice: values
 * are then named by their pushes. */
void stack_annotate(const struct object_part *part, struct history *history);
/* Would this push, onto these values, lie above one that has to be popped first? Only of annotated pushes. */
bool stack_dooms(const struct history *history, const struct history_operation *push, struct span below);
/* Copies the part without the values whose push and pop overlap; `pair_of`, of each operation, is for stack_put_back().
 * The copy's operations are to be given back to the heap. False when that is full. */
bool stack_thin(const struct object_part *part, struct object_part *thin, uint32_t *pair_of);
/* Makes an order of the whole part of one of the thin one; returns its length. */
uint32_t stack_put_back(const struct object_part *part, const struct object_part *thin, const uint32_t *pair_of,
                        const uint32_t *thin_order, uint32_t thin_count, uint32_t *order);

/* Names what is wrong with the operations that are not relaxed. */
const char *object_anomaly(const struct object_part *part);

/* Searches one order of all operations of all objects that keeps the order of each process. */
enum search_end object_sequential(struct object_search *search, const struct object_part *all, uint32_t *order,
                                  uint32_t *order_count);

#endif
