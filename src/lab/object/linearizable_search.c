/* The search for an order: Wing and Gong, "Testing and verifying concurrent objects", JPDC 1993, with the memory of
 * Lowe, "Testing for linearizability", Concurrency and Computation 2017, and just-in-time as in his section 5.
 *
 * Deadlines are met one after the other. Where the next one's operation is not linearized yet, it is tried at once,
 * then every other pending or open operation before it; so an operation is linearized only when it, or one that needs
 * its effect, must be. A configuration is never entered again, nor is one that differs from it only in that more open
 * operations are used up; the comparison is of the sets themselves, not of their hashes.
 *
 * Candidates after which the deadline can be met come first: they lead straight to a value that was read.
 *
 * A step that leaves a state which a later answer still needs, and nothing can bring about again, is not taken
 * (linearizable_demand.c).
 *
 * Open operations may have happened or not, which doubles the search for each. Two more rules keep that small, and neither
 * loses a linearization. Of open operations that do the same, only the earliest is tried, since all stay available to
 * the end. And an open operation must be of use to the very next one: when that could have been executed in the state
 * before the open one, to the same effect, then the open one can be left out, and the search that leaves it out goes on
 * from the configuration before. linearizable_of_use() tells early that no next one can need it. */
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/panic.h"
#include "lab/object/linearizable_internal.h"

enum {
    SLOTS_MIN = 1024,
    NEAR = 64, /* see slot_find */
    STEPS_PER_LOOK = 1024, /* at the clock */
};

int64_t linearizable_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct search {
    struct linearizable *checker;
    struct history *history;
    const struct task *tasks;
    const struct deadline *deadlines;
    const uint32_t *pending, *open;
    uint32_t deadline_count;
    size_t set_words, pending_words;
    uint64_t *set;       /* of the configuration at hand */
    uint32_t depth;      /* frames on the stack */
    uint32_t best;       /* the furthest deadline that was reached */
    bool found, memory_full;
};

static void set_add(uint64_t *set, uint32_t bit)
{
    set[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static void set_remove(uint64_t *set, uint32_t bit)
{
    set[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
}

static uint64_t *record_at(const struct visited *visited, uint32_t record)
{
    return (uint64_t *)visited->records.data + record * visited->stride;
}

static uint64_t words_hash(uint64_t hash, const uint64_t *words, size_t count)
{
    hash *= UINT64_C(0x9e3779b97f4a7c15);
    for (size_t at = 0; at < count; at++)
        hash = (hash ^ hash >> 29 ^ words[at]) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 32;
}

/* Looks for a configuration that makes this record superfluous: the same deadline, state and pending tasks, and no open
 * task that this one has not used. Whatever can be reached from here can be reached from there as well. Configurations
 * that only differ in open tasks lie together, so the first NEAR of them are compared; behind those only the record
 * itself is looked for. True when there is one, else `slot` is where the record belongs. */
static bool slot_find(const struct search *search, const uint64_t *record, uint64_t *slot)
{
    const struct visited *visited = &search->checker->visited;
    const uint64_t *slots = visited->slots.data;
    uint64_t mask = visited->slot_count - 1;
    size_t pending = search->pending_words, all = search->set_words;
    *slot = record[RECORD_HASH] & mask;
    for (uint32_t step = 0;; step++) {
        if (slots[*slot] >> 32 != visited->generation)
            return false;
        if (step == NEAR)
            *slot = words_hash(record[RECORD_HASH], record + RECORD_SET + pending, all - pending) & mask;
        if (slots[*slot] >> 32 != visited->generation)
            return false;
        const uint64_t *other = record_at(visited, (uint32_t)slots[*slot]);
        bool same = other[RECORD_HASH] == record[RECORD_HASH] && other[RECORD_PLACE] == record[RECORD_PLACE] &&
                    memcmp(other + RECORD_SET, record + RECORD_SET, pending * sizeof(uint64_t)) == 0;
        for (size_t at = RECORD_SET + pending; same && at < RECORD_SET + all; at++)
            same = (other[at] & ~record[at]) == 0;
        if (same)
            return true;
        *slot = (*slot + 1) & mask;
    }
}

/* A slot holds the generation in the upper half and the record's number in the lower. */
static bool slots_grow(const struct search *search)
{
    struct visited *visited = &search->checker->visited;
    struct heap *heap = search->checker->heap;
    uint64_t slot_count = visited->slot_count == 0 ? SLOTS_MIN : visited->slot_count * 2;
    uint64_t *slots = heap_alloc_zero(heap, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    heap_free(heap, visited->slots.data);
    visited->slots.data = slots;
    visited->slot_count = slot_count;
    for (uint32_t number = 0; number < visited->count; number++) {
        uint64_t slot;
        if (!slot_find(search, record_at(visited, number), &slot))
            slots[slot] = (uint64_t)visited->generation << 32 | number;
    }
    return true;
}

enum { VISITED_BEFORE = -1, VISITED_FULL = -2 };

/* Adds the configuration at hand; returns its number, or one of the above. */
static int64_t visited_add(struct search *search, uint32_t deadline, uint32_t state)
{
    struct visited *visited = &search->checker->visited;
    size_t size = ((size_t)visited->count + 1) * visited->stride * sizeof(uint64_t);
    if (visited->count == UINT32_MAX || !vector_room(search->checker->heap, &visited->records, size) ||
        (visited->count >= visited->slot_count / 2 && !slots_grow(search)))
        return VISITED_FULL;
    uint64_t *record = record_at(visited, visited->count);
    record[RECORD_PLACE] = (uint64_t)deadline << 32 | state;
    record[RECORD_HASH] = words_hash(record[RECORD_PLACE], search->set, search->pending_words);
    memcpy(record + RECORD_SET, search->set, search->set_words * sizeof(uint64_t));
    uint64_t slot;
    if (slot_find(search, record, &slot))
        return VISITED_BEFORE;
    ((uint64_t *)visited->slots.data)[slot] = (uint64_t)visited->generation << 32 | visited->count;
    return visited->count++;
}

/* The task is to be linearized some time after this configuration, or may be. */
static bool is_to_come(const struct task *task, const uint64_t *set, uint32_t deadline)
{
    return deadline <= task->deadline && !(task->deadline_first <= deadline && linearizable_set_has(set, task->bit));
}

/* Will an answer other than `except` still insist on this state? */
static bool is_demanded(const struct search *search, const uint64_t *set, uint32_t deadline, uint32_t number,
                        const struct task *except)
{
    const struct key_history *key = &search->checker->key;
    const struct demand *demands = key->demands.data;
    const struct link *links = key->links.data;
    for (uint32_t at = demands[number].observers; at != NO_LINK; at = links[at].next) {
        const struct task *task = &search->tasks[links[at].task];
        if (task->deadline < deadline)
            return false; /* and so are those that follow it */
        if (task != except && is_to_come(task, set, deadline))
            return true;
    }
    return false;
}

/* Can a task other than `except` still bring this state about? */
static bool is_producible(const struct search *search, const uint64_t *set, uint32_t deadline, uint32_t number,
                          const struct task *except)
{
    const struct key_history *key = &search->checker->key;
    const struct demand *demands = key->demands.data;
    const struct link *links = key->links.data;
    for (uint32_t at = demands[number].producers; at != NO_LINK; at = links[at].next) {
        const struct task *task = &search->tasks[links[at].task];
        if (task != except && is_to_come(task, set, deadline))
            return true;
    }
    return false;
}

/* When a task leaves this state for another, is an answer left without what it demands? */
static bool strands(const struct search *search, const uint64_t *set, uint32_t deadline, uint32_t state,
                    const struct task *leaving)
{
    uint32_t number = linearizable_demand_of(&search->checker->key, state);
    return number != NO_DEMAND && is_demanded(search, set, deadline, number, leaving) &&
           !is_producible(search, set, deadline, number, leaving);
}

/* Linearizes what can be at no cost: tasks that change nothing and fit the state now. True when there was any. */
static bool absorb(struct search *search, uint32_t number, uint32_t state)
{
    const struct deadline *deadline = &search->deadlines[number];
    const uint32_t *pending = search->pending + deadline->pending_first;
    bool any = false;
    for (uint32_t at = 0; at < deadline->pending_count; at++) {
        const struct task *task = &search->tasks[pending[at]];
        uint32_t next;
        if (!task->passive || linearizable_set_has(search->set, task->bit) ||
            !linearizable_apply(search->checker, search->history, task, state, &next))
            continue;
        set_add(search->set, task->bit);
        any = true;
    }
    return any;
}

/* Enters the configuration in search->set: passes the deadlines that it has met, and pushes it unless it is known. */
static void enter(struct search *search, uint32_t deadline, uint32_t state, uint32_t base)
{
    for (; deadline < search->deadline_count; deadline++) {
        if (absorb(search, deadline, state))
            base = NO_STATE; /* the last step was of use */
        uint32_t bit = search->tasks[search->deadlines[deadline].task].bit;
        if (!linearizable_set_has(search->set, bit))
            break;
        set_remove(search->set, bit);
    }
    if (deadline > search->best)
        search->best = deadline;
    if (deadline == search->deadline_count) {
        search->found = true;
        return;
    }
    int64_t configuration = visited_add(search, deadline, state);
    if (configuration == VISITED_BEFORE)
        return;
    if (configuration == VISITED_FULL ||
        !vector_room(search->checker->heap, &search->checker->stack,
                     ((size_t)search->depth + 1) * sizeof(struct frame))) {
        search->memory_full = true;
        return;
    }
    struct frame *stack = search->checker->stack.data;
    stack[search->depth++] = (struct frame){.configuration = (uint32_t)configuration, .base = base};
}

/* Candidates of a frame are counted by its cursor: the deadline's own task, then every other twice: first those after
 * which the deadline can be met at once, then the others. */
struct candidate {
    uint32_t task;
    bool is_open, first_pass;
};

static bool candidate_next(const struct search *search, const struct deadline *deadline, struct frame *frame,
                           struct candidate *out)
{
    uint32_t others = deadline->pending_count - 1 + deadline->open_count;
    if (frame->cursor > 2 * others)
        return false;
    uint32_t place = frame->cursor++;
    out->first_pass = place <= others;
    if (!out->first_pass)
        place -= others;
    out->is_open = place >= deadline->pending_count;
    out->task = out->is_open ? search->open[place - deadline->pending_count]
                             : search->pending[deadline->pending_first + place];
    return true;
}

/* The state after the candidate, when it may be linearized here and it is this pass's turn. */
static bool candidate_apply(const struct search *search, const struct frame *frame, const struct candidate *candidate,
                            const uint64_t *set, uint32_t deadline, uint32_t state, uint32_t *next)
{
    const struct task *task = &search->tasks[candidate->task];
    const struct task *due = &search->tasks[search->deadlines[deadline].task];
    if (linearizable_set_has(set, task->bit) || (task->twin != NO_TASK && !linearizable_set_has(set, search->tasks[task->twin].bit)) ||
        !linearizable_apply(search->checker, search->history, task, state, next))
        return false;
    if (candidate->is_open && *next == state)
        return false;
    if (candidate->is_open && !linearizable_of_use(search->checker, search->history, set,
                                                   &search->deadlines[deadline], state, *next))
        return false;
    uint32_t without;
    if (frame->base != NO_STATE && linearizable_apply(search->checker, search->history, task, frame->base, &without) &&
        without == *next)
        return false;
    if (*next != state && search->checker->look_ahead && strands(search, set, deadline, state, task))
        return false;
    if (task == due)
        return true;
    uint32_t after;
    return linearizable_apply(search->checker, search->history, due, *next, &after) == candidate->first_pass;
}

/* Tries the next candidate of the frame on top; pops it when there is none. */
static void advance(struct search *search)
{
    struct frame *frame = &((struct frame *)search->checker->stack.data)[search->depth - 1];
    const uint64_t *record = record_at(&search->checker->visited, frame->configuration);
    uint32_t number = (uint32_t)(record[RECORD_PLACE] >> 32), state = (uint32_t)record[RECORD_PLACE];
    const struct deadline *deadline = &search->deadlines[number];
    struct candidate candidate;
    while (candidate_next(search, deadline, frame, &candidate)) {
        uint32_t next;
        if (!candidate_apply(search, frame, &candidate, record + RECORD_SET, number, state, &next))
            continue;
        memcpy(search->set, record + RECORD_SET, search->set_words * sizeof(uint64_t));
        set_add(search->set, search->tasks[candidate.task].bit);
        enter(search, number, next, candidate.is_open ? state : NO_STATE);
        return;
    }
    search->depth--;
}

static bool search_begin(struct search *search, struct linearizable *checker, struct history *history)
{
    struct key_history *key = &checker->key;
    size_t set_words = (size_t)key->pending_words + key->open_words;
    if (!vector_room(checker->heap, &checker->set, (set_words + 1) * sizeof(uint64_t)))
        return false;
    memset(checker->set.data, 0, set_words * sizeof(uint64_t));
    *search = (struct search){
        .checker = checker,
        .history = history,
        .tasks = key->tasks.data,
        .deadlines = key->deadlines.data,
        .pending = key->pending.data,
        .open = key->open.data,
        .deadline_count = key->deadline_count,
        .set_words = set_words,
        .pending_words = key->pending_words,
        .set = checker->set.data,
    };
    struct visited *visited = &checker->visited;
    visited->stride = RECORD_SET + set_words;
    visited->count = 0;
    if (++visited->generation == 0) {
        /* After 2^32 searches old slots could look new. */
        if (visited->slot_count > 0)
            memset(visited->slots.data, 0, visited->slot_count * sizeof(uint64_t));
        visited->generation = 1;
    }
    return true;
}

enum search_end linearizable_search(struct linearizable *checker, struct history *history, uint64_t work_max,
                                    uint64_t *work, uint32_t *deadline)
{
    struct search search;
    if (!search_begin(&search, checker, history))
        return SEARCH_MEMORY;
    enter(&search, 0, checker->initial, NO_STATE);
    bool late = false;
    for (uint32_t step = 1; search.depth > 0 && !search.found && !search.memory_full && !history->incomplete && !late &&
                            checker->visited.count <= work_max;
         step++) {
        advance(&search);
        if (step % STEPS_PER_LOOK == 0 && checker->stop_ns != 0)
            late = linearizable_clock_ns() > checker->stop_ns;
    }
    *work += checker->visited.count;
    *deadline = search.best;
    if (search.found)
        return SEARCH_FOUND;
    if (search.memory_full || history->incomplete)
        return SEARCH_MEMORY;
    if (late)
        return SEARCH_TIME;
    return search.depth > 0 ? SEARCH_WORK : SEARCH_EXHAUSTED;
}

/* Notes the tasks that enter() linearizes without a step, and passes the same deadlines; gives the state's deadline. */
static uint32_t order_enter(struct search *search, uint32_t deadline, uint32_t state, uint32_t *out, uint32_t *count)
{
    for (; deadline < search->deadline_count; deadline++) {
        const struct deadline *at_hand = &search->deadlines[deadline];
        const uint32_t *pending = search->pending + at_hand->pending_first;
        for (uint32_t at = 0; at < at_hand->pending_count; at++) {
            const struct task *task = &search->tasks[pending[at]];
            uint32_t next;
            if (!task->passive || linearizable_set_has(search->set, task->bit) ||
                !linearizable_apply(search->checker, search->history, task, state, &next))
                continue;
            set_add(search->set, task->bit);
            out[(*count)++] = (uint32_t)(task->operation - search->history->operations);
        }
        uint32_t bit = search->tasks[at_hand->task].bit;
        if (!linearizable_set_has(search->set, bit))
            break;
        set_remove(search->set, bit);
    }
    return deadline;
}

/* The frames that are left on the stack are the way to the end: each one's last candidate led on to the next. */
uint32_t linearizable_order(struct linearizable *checker, struct history *history, uint32_t *out)
{
    struct search search = {
        .checker = checker,
        .history = history,
        .tasks = checker->key.tasks.data,
        .deadlines = checker->key.deadlines.data,
        .pending = checker->key.pending.data,
        .open = checker->key.open.data,
        .deadline_count = checker->key.deadline_count,
        .set_words = (size_t)checker->key.pending_words + checker->key.open_words,
        .pending_words = checker->key.pending_words,
        .set = checker->set.data,
    };
    memset(search.set, 0, search.set_words * sizeof(uint64_t));
    uint32_t count = 0, state = checker->initial, deadline = order_enter(&search, 0, state, out, &count);
    for (uint32_t depth = 0; deadline < search.deadline_count; depth++) {
        struct frame frame = ((const struct frame *)checker->stack.data)[depth];
        struct candidate candidate;
        frame.cursor--;
        invariant(candidate_next(&search, &search.deadlines[deadline], &frame, &candidate),
                  "the way of the search consists of candidates");
        const struct task *task = &search.tasks[candidate.task];
        invariant(linearizable_apply(checker, history, task, state, &state), "each step of the way was possible");
        set_add(search.set, task->bit);
        out[count++] = (uint32_t)(task->operation - history->operations);
        deadline = order_enter(&search, deadline, state, out, &count);
    }
    return count;
}
