/* A depth-first search for an order of items, with a memory of dead ends, in the manner of Wing and Gong ("Testing and
 * verifying concurrent objects", JPDC 1993) and Lowe (2017); that the set of transactions done so far is all there is
 * to remember is Biswas and Enea's point ("On the complexity of checking transactional consistency", OOPSLA 2019).
 *
 * Items are tried in the order in which they were invoked, which in practice is nearly the order that is sought. A dead
 * end is remembered as the exact set of what was done: everything up to some item, and a few bits after that. */
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "lab/txn/txn_internal.h"

enum {
    HARMLESS_WINDOW = 64, /* how far ahead harmless items are looked for */
    CLOCK_EVERY = 4096,
    NO_ITEM = 0, /* of the list, whose links are item + 1 */
};

struct frame {
    uint32_t item;   /* + 1; 0: the next one has to be found */
    uint32_t last;   /* the highest item entered so far, + 1 */
    bool forced;     /* there is nothing else to try */
};

struct memory {
    uint64_t *words; /* of the dead ends: count, then the words */
    size_t used, capacity;
    size_t *slots; /* place + 1 */
    size_t slot_count, count;
};

struct run {
    struct txn_search *search;
    struct txn_arena *arena;
    uint32_t *next, *previous; /* items that are not entered, a ring through 0 */
    uint64_t *entered;
    struct frame *frames;
    struct memory memory;
    uint64_t *key;
    uint32_t mandatory; /* items that must still be entered */
    uint64_t work_max;
    int64_t stop_ns;
    bool memory_out;
};

static int64_t processor_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static bool is_optional(const struct run *run, uint32_t item)
{
    return run->search->optional != NULL && run->search->optional[item];
}

static void enter(struct run *run, uint32_t item)
{
    uint32_t link = item + 1;
    run->next[run->previous[link]] = run->next[link];
    run->previous[run->next[link]] = run->previous[link];
    run->entered[item / 64] |= UINT64_C(1) << item % 64;
    run->mandatory -= !is_optional(run, item);
    run->search->order[run->search->order_count++] = item;
}

static void leave(struct run *run, uint32_t item)
{
    uint32_t link = item + 1;
    run->search->leave(run->search->model, item);
    run->next[run->previous[link]] = run->previous[run->next[link]] = link;
    run->entered[item / 64] &= ~(UINT64_C(1) << item % 64);
    run->mandatory += !is_optional(run, item);
    run->search->order_count--;
}

/* ---- dead ends ---- */

/* Writes the state at hand into `key`; the number of words. */
static size_t state_key(struct run *run, const struct frame *frame)
{
    uint32_t first = (run->next[0] == NO_ITEM ? run->search->item_count : run->next[0] - 1) / 64;
    uint32_t end = (frame->last + 63) / 64;
    size_t count = 0;
    run->key[count++] = first;
    for (uint32_t word = first; word < end; word++)
        run->key[count++] = run->entered[word];
    if (run->search->state != NULL) {
        run->key[count++] = UINT64_MAX; /* ends the set, which never has this word: its first item is missing */
        count += run->search->state(run->search->model, run->key + count);
    }
    return count;
}

static uint64_t hash_words(const uint64_t *words, size_t count)
{
    uint64_t hash = count;
    for (size_t at = 0; at < count; at++) {
        hash = (hash ^ words[at]) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 29;
    }
    return hash ^ hash >> 32;
}

/* The slot of the key, which holds it or is empty. */
static size_t *memory_slot(const struct memory *memory, const uint64_t *key, size_t count)
{
    for (size_t slot = hash_words(key, count);; slot++) {
        size_t *at = &memory->slots[slot & (memory->slot_count - 1)];
        if (*at == 0)
            return at;
        const uint64_t *words = memory->words + *at - 1;
        if (words[0] == count && memcmp(words + 1, key, count * sizeof *key) == 0)
            return at;
    }
}

static bool memory_grow(struct run *run, size_t more)
{
    struct memory *memory = &run->memory;
    while (memory->used + more > memory->capacity) {
        size_t capacity = memory->capacity == 0 ? 4096 : memory->capacity * 2;
        uint64_t *words = heap_resize(run->arena->heap, memory->words, capacity * sizeof *words);
        if (words == NULL)
            return false;
        memory->words = words;
        memory->capacity = capacity;
    }
    if ((memory->count + 1) * 2 <= memory->slot_count)
        return true;
    size_t *old = memory->slots, old_count = memory->slot_count;
    memory->slot_count = old_count == 0 ? 1024 : old_count * 2;
    memory->slots = heap_alloc_zero(run->arena->heap, memory->slot_count * sizeof *memory->slots);
    for (size_t at = 0; memory->slots != NULL && at < old_count; at++)
        if (old[at] != 0)
            *memory_slot(memory, memory->words + old[at], memory->words[old[at] - 1]) = old[at];
    heap_free(run->arena->heap, old);
    return memory->slots != NULL;
}

static void remember(struct run *run, const struct frame *frame)
{
    size_t count = state_key(run, frame);
    if (!memory_grow(run, count + 1)) {
        run->memory_out = true;
        return;
    }
    struct memory *memory = &run->memory;
    size_t *slot = memory_slot(memory, run->key, count);
    if (*slot != 0)
        return;
    *slot = memory->used + 1;
    memory->words[memory->used] = count;
    memcpy(memory->words + memory->used + 1, run->key, count * sizeof *run->key);
    memory->used += count + 1;
    memory->count++;
}

static bool is_dead(struct run *run, const struct frame *frame)
{
    return run->memory.count > 0 && *memory_slot(&run->memory, run->key, state_key(run, frame)) != 0;
}

/* ---- steps ---- */

static bool try_item(struct run *run, uint32_t item)
{
    run->search->work++;
    return run->search->enter(run->search->model, item);
}

/* Enters the first item behind `link` that can be next; 0 when there is none. */
static uint32_t advance(struct run *run, uint32_t link, bool harmless)
{
    struct txn_search *search = run->search;
    uint32_t end = RECORD_NEVER, window = HARMLESS_WINDOW;
    /* An item that began after another one, not yet entered, ended must wait for that. */
    for (uint32_t at = run->next[0]; at != NO_ITEM && search->completed != NULL; at = run->next[at]) {
        if (search->invoked[at - 1] > end)
            break;
        if (search->completed[at - 1] < end && !is_optional(run, at - 1))
            end = search->completed[at - 1];
    }
    bool passed = link == NO_ITEM;
    for (uint32_t at = run->next[0]; at != NO_ITEM; at = run->next[at]) {
        if (search->completed != NULL && search->invoked[at - 1] > end)
            return 0;
        if (harmless && window-- == 0)
            return 0;
        if (!passed) {
            passed = at > link;
            if (!passed)
                continue;
        }
        if (harmless && !search->harmless(search->model, at - 1))
            continue;
        if (try_item(run, at - 1))
            return at;
    }
    return 0;
}

static enum txn_search_end search_from(struct run *run)
{
    struct txn_search *search = run->search;
    uint32_t depth = 0;
    run->frames[0] = (struct frame){0};
    for (;;) {
        struct frame *frame = &run->frames[depth];
        if (run->mandatory == 0)
            return TXN_SEARCH_FOUND;
        if (run->memory_out)
            return TXN_SEARCH_MEMORY;
        if (search->work > run->work_max)
            return TXN_SEARCH_WORK;
        if (search->work % CLOCK_EVERY == 0 && run->stop_ns != 0 && processor_ns() > run->stop_ns)
            return TXN_SEARCH_TIME;
        uint32_t chosen = 0;
        bool fresh = frame->item == 0, dead = fresh && is_dead(run, frame);
        search->work++;
        if (fresh && !dead && search->harmless != NULL) {
            chosen = advance(run, NO_ITEM, true);
            frame->forced = chosen != 0;
        }
        if (chosen == 0 && !dead && !frame->forced)
            chosen = advance(run, frame->item, false);
        if (chosen != 0) {
            frame->item = chosen;
            enter(run, chosen - 1);
            run->frames[depth + 1] = (struct frame){.last = chosen > frame->last ? chosen : frame->last};
            depth++;
            continue;
        }
        remember(run, frame);
        if (depth == 0)
            return TXN_SEARCH_NONE;
        leave(run, run->frames[--depth].item - 1);
    }
}

enum txn_search_end txn_search_run(struct txn_search *search, struct txn_arena *arena)
{
    uint32_t count = search->item_count;
    struct run run = {.search = search, .arena = arena};
    run.next = txn_take(arena, (size_t)count + 1, sizeof(uint32_t));
    run.previous = txn_take(arena, (size_t)count + 1, sizeof(uint32_t));
    run.entered = txn_take(arena, (size_t)count / 64 + 1, sizeof(uint64_t));
    run.frames = txn_take(arena, (size_t)count + 1, sizeof(struct frame));
    run.key = txn_take(arena, (size_t)count / 64 + 4 + search->state_words, sizeof(uint64_t));
    search->order_count = 0;
    if (arena->full)
        return TXN_SEARCH_MEMORY;
    for (uint32_t link = 0; link <= count; link++) {
        run.next[link] = link == count ? 0 : link + 1;
        run.previous[link] = link == 0 ? count : link - 1;
    }
    for (uint32_t item = 0; item < count; item++)
        run.mandatory += !is_optional(&run, item);
    run.work_max = search->bounds->work_max == 0 ? search->work_default : search->bounds->work_max;
    run.work_max += search->work;
    if (search->bounds->time_ns_max != 0)
        run.stop_ns = processor_ns() + search->bounds->time_ns_max;
    enum txn_search_end end = search_from(&run);
    heap_free(arena->heap, run.memory.words);
    heap_free(arena->heap, run.memory.slots);
    return end;
}

const char *txn_search_end_text(enum txn_search_end end)
{
    switch (end) {
    case TXN_SEARCH_FOUND:
        return "an order was found";
    case TXN_SEARCH_NONE:
        return "there is no order";
    case TXN_SEARCH_WORK:
        return "the steps allowed for the search ran out";
    case TXN_SEARCH_TIME:
        return "the time allowed for the search ran out";
    case TXN_SEARCH_MEMORY:
        return "the memory for the search ran out";
    }
    return "";
}
