/* The search for a linearization of one key; private to linearizable*.c. */
#ifndef LOCKSTEP_LAB_LINEARIZABLE_INTERNAL_H
#define LOCKSTEP_LAB_LINEARIZABLE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "lab/history/history.h"
#include "lab/object/kv_model.h"

/* An array on the heap that grows and is kept from check to check. */
struct vector {
    void *data;
    size_t capacity; /* bytes */
};

/* Makes room for so many bytes, keeping what is there; false when the heap is full. */
bool vector_room(struct heap *heap, struct vector *vector, size_t size);

/* An operation of the key that takes part in the search. */
struct task {
    const struct history_operation *operation;
    uint32_t bit;            /* its place in the sets of linearized operations */
    uint32_t twin;           /* open ones: the latest earlier open one that does the same, or NO_TASK */
    uint32_t deadline_first; /* the first deadline after its invocation */
    uint32_t deadline;       /* its own; NO_DEADLINE of open ones */
    uint32_t demand;         /* the one state that its answer fits, or NO_STATE when others may fit as well */
    uint32_t product;        /* the state that it certainly leaves behind, or NO_STATE */
    bool passive;            /* with this answer it changed nothing, whenever it was executed */
};
static inline bool linearizable_set_has(const uint64_t *set, uint32_t bit)
{
    return set[bit / 64] >> (bit % 64) & 1;
}
#define NO_TASK UINT32_MAX
#define NO_DEADLINE UINT32_MAX
#define NO_STATE UINT32_MAX

/* A state that answers demand: the tasks that need it, by falling deadline, and those that can bring it about. Both are
 * lists of links. */
struct demand {
    uint32_t state;
    uint32_t observers, producers; /* links, or NO_LINK */
};
struct link {
    uint32_t task, next;
};
#define NO_LINK UINT32_MAX

/* The moment of an answer, which its task must not be linearized after. */
struct deadline {
    uint32_t task;
    uint32_t pending_first, pending_count; /* tasks that were invoked and must be linearized, but have not ended */
    uint32_t open_count;                   /* open tasks that were invoked: the first so many of `open` */
};

/* One key, prepared. */
struct key_history {
    struct vector tasks, deadlines, pending, open;
    uint32_t task_count, deadline_count, open_count;
    size_t pending_count;
    uint32_t pending_words, open_words; /* of the sets: the bits of pending tasks come first */
    bool open_append, open_cas; /* there are open tasks of that kind */
    int64_t open_incr;          /* the sum of what open increments add or take */

    struct vector demands, demand_of, links; /* demand_of: number of a state's demand, by id + 1; NO_DEMAND */
    uint32_t demand_count, demand_of_count, link_count;
};
#define NO_DEMAND UINT32_MAX

/* The configurations that were visited. A configuration is a next deadline, a state, and the set of the pending and open
 * tasks that are linearized. Records are whole 64-bit words: hash, deadline and state, the set. */
struct visited {
    struct vector records, slots;
    size_t stride; /* words of a record */
    uint32_t count;
    uint64_t slot_count; /* a power of two, or 0 */
    uint32_t generation; /* slots of other generations are empty, so that nobody has to clear them */
};

struct frame {
    uint32_t configuration;
    uint32_t base;   /* the state before the last step, when that step was an open task; else NO_STATE */
    uint32_t cursor; /* candidates that were tried */
};

/* Another object than a key of a key-value store. Its states are ids in history.values; what the fields of its
 * operations mean is its own affair. */
struct linearizable_model {
    /* As kv_model_apply(). */
    bool (*apply)(struct history *history, const struct history_operation *operation, uint32_t state, uint32_t *next);
    /* With this answer the operation changes nothing, whenever it is executed. */
    bool (*passive)(const struct history_operation *operation);
};

struct linearizable {
    struct heap *heap;
    const struct linearizable_model *model; /* NULL: a key of a key-value store */
    uint32_t initial;                       /* the state before everything */
    struct vector events, key_starts; /* of the whole history, sorted by key */
    struct vector marks, seen;        /* by bit or value: see the preparation */
    struct key_history key;
    struct visited visited;
    struct vector stack, set;
    int64_t stop_ns;                  /* of the processor's clock; 0: no bound on time */
    bool look_ahead; /* give a configuration up as soon as a later answer is known to be lost */
};

/* An event of the history: operation * 2, plus 1 when it is its end. */
static inline uint32_t event_operation(uint32_t event) { return event >> 1; }
static inline bool event_is_end(uint32_t event) { return event & 1; }

/* Sorts the events by key, and in their order: `events`, where `key_starts` says where each key's begin. */
bool linearizable_sort(struct linearizable *checker, const struct history *history);
/* Prepares one key from its events. Interns values. */
bool linearizable_prepare(struct linearizable *checker, struct history *history, const uint32_t *events,
                          uint32_t count);
/* The last part of that: what the tasks demand and produce. */
bool linearizable_demands(struct linearizable *checker, struct history *history);

/* Once an open task has led from `base` to `state`: can anything that is pending at this deadline, and not in the set, be
 * reason enough? Errs only towards yes. */
bool linearizable_of_use(struct linearizable *checker, struct history *history, const uint64_t *set,
                         const struct deadline *deadline, uint32_t base, uint32_t state);

/* The number of a state's demand, or NO_DEMAND when no answer insists on it. */
static inline uint32_t linearizable_demand_of(const struct key_history *key, uint32_t state)
{
    uint32_t place = state == KV_NOTHING ? 0 : state + 1;
    return place < key->demand_of_count ? ((const uint32_t *)key->demand_of.data)[place] : NO_DEMAND;
}

/* Executes a task in a state: see kv_model_apply(). */
static inline bool linearizable_apply(const struct linearizable *checker, struct history *history,
                                      const struct task *task, uint32_t state, uint32_t *next)
{
    if (checker->model != NULL)
        return checker->model->apply(history, task->operation, state, next);
    return kv_model_apply(history, task->operation, state, next);
}

/* Words of a configuration's record. */
enum {
    RECORD_HASH,
    RECORD_PLACE, /* deadline in the upper half, state in the lower */
    RECORD_SET,
};

enum search_end { SEARCH_FOUND, SEARCH_EXHAUSTED, SEARCH_WORK, SEARCH_MEMORY, SEARCH_TIME };

/* The processor's time that this process has used. */
int64_t linearizable_clock_ns(void);

/* Searches the prepared key. After EXHAUSTED, `deadline` is the first that no order meets. Adds to `work`. */
enum search_end linearizable_search(struct linearizable *checker, struct history *history, uint64_t work_max,
                                    uint64_t *work, uint32_t *deadline);

/* After FOUND: the order that the search found, as ids of operations, in `out`, which has room for all tasks of the
 * key. Returns how many there are: operations that need not have happened may be missing. */
uint32_t linearizable_order(struct linearizable *checker, struct history *history, uint32_t *out);

#endif
