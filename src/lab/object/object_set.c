/* Sets that only grow, to which no element is added twice, and that are read as a whole: linear in the size of the
 * history.
 *
 * Each read shows how many adds came before it, so reads of different size have a forced order, and what they show must
 * grow. An add comes before the first read that shows its element, and after the last that does not. That gives blocks
 * of adds and reads in a forced order; within a block any order will do. An order exists if and only if no operation
 * ended before one of an earlier block began, which one pass over the blocks tells. */
#include <string.h>

#include "lab/object/object_internal.h"

#define NOBODY UINT32_MAX

struct growing {
    const struct object_part *part;
    struct special *out;
    uint32_t *block_of;         /* of each operation; NOBODY: it takes no part */
    struct object_pair *reads;  /* by size */
    struct object_pair *sorted; /* all operations, by block */
    uint32_t read_count, block_count;
};

static enum special_end culprits(struct special *out, uint32_t first, uint32_t second, uint32_t third)
{
    uint32_t list[] = {first, second, third};
    out->culprit_count = 0;
    for (uint32_t at = 0; at < 3; at++)
        if (list[at] != NOBODY)
            out->culprits[out->culprit_count++] = list[at];
    return SPECIAL_ILLEGAL;
}

static bool is_certain(const struct object_operation *operation)
{
    return operation->certainty == OBJECT_HAPPENED;
}

/* Numbers the adds by element in the scratch, and lists the reads. NONE when the set does more than grow. */
static enum special_end list_operations(struct growing *growing)
{
    const struct object_part *part = growing->part;
    for (uint32_t at = 0; at < part->count; at++) {
        const struct object_operation *operation = &part->operations[at];
        growing->block_of[at] = NOBODY;
        if (operation->function == OBJECT_ADD) {
            if (operation->answered || part->objects->scratch[operation->argument] != 0)
                return SPECIAL_NONE;
            part->objects->scratch[operation->argument] = at + 1;
        } else if (operation->function != OBJECT_READ) {
            return SPECIAL_NONE;
        } else if (is_certain(operation)) {
            growing->reads[growing->read_count++] = (struct object_pair){
                .key = record_size_of(part->objects->record, operation->answer), .operation = at};
        }
    }
    return SPECIAL_LEGAL;
}

/* Deals with one read: its new elements' adds go into the block before its own. `known` counts elements so far. */
static enum special_end level_read(struct growing *growing, uint32_t read, uint32_t block, uint32_t *known)
{
    const struct object_part *part = growing->part;
    const struct record *record = part->objects->record;
    uint32_t answer = part->operations[read].answer;
    for (uint32_t at = 0; at < record_size_of(record, answer); at++) {
        uint32_t add = part->objects->scratch[record_elements_of(record, answer)[at]];
        if (add == 0)
            return culprits(growing->out, read, NOBODY, NOBODY);
        if (part->operations[add - 1].certainty == OBJECT_FAILED)
            return culprits(growing->out, add - 1, read, NOBODY);
        if (growing->block_of[add - 1] == NOBODY) {
            growing->block_of[add - 1] = block - 1;
            ++*known;
        }
    }
    growing->block_of[read] = block;
    return SPECIAL_LEGAL;
}

/* A list that shows an element twice is no set. */
static bool shows_twice(const struct growing *growing, uint32_t read)
{
    const struct objects *objects = growing->part->objects;
    uint32_t answer = growing->part->operations[read].answer, size = record_size_of(objects->record, answer);
    const uint32_t *elements = record_elements_of(objects->record, answer);
    bool twice = false;
    /* The scratch holds small numbers of adds: its upper bit is free for marks. */
    for (uint32_t at = 0; at < size; at++) {
        twice = twice || (objects->scratch[elements[at]] & UINT32_C(1) << 31) != 0;
        objects->scratch[elements[at]] |= UINT32_C(1) << 31;
    }
    for (uint32_t at = 0; at < size; at++)
        objects->scratch[elements[at]] &= ~(UINT32_C(1) << 31);
    return twice;
}

/* Gives every operation its block; the reads must grow. */
static enum special_end level(struct growing *growing)
{
    const struct object_part *part = growing->part;
    uint32_t known = 0, block = 0;
    for (uint32_t at = 0; at < growing->read_count; at++) {
        const struct object_pair *read = &growing->reads[at];
        if (read->key > 0 && (at == 0 || read->key > growing->reads[at - 1].key))
            block += 2;
        if (shows_twice(growing, read->operation))
            return culprits(growing->out, read->operation, NOBODY, NOBODY);
        enum special_end end = level_read(growing, read->operation, block, &known);
        if (end != SPECIAL_LEGAL)
            return end;
        if (known != read->key)
            return culprits(growing->out, at == 0 ? NOBODY : growing->reads[at - 1].operation, read->operation, NOBODY);
    }
    growing->block_count = block + 2;
    for (uint32_t at = 0; at < part->count; at++)
        if (part->operations[at].function == OBJECT_ADD && growing->block_of[at] == NOBODY &&
            is_certain(&part->operations[at]))
            growing->block_of[at] = block + 1;
    return SPECIAL_LEGAL;
}

static uint32_t sort_blocks(struct growing *growing)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < growing->part->count; at++)
        if (growing->block_of[at] != NOBODY)
            growing->sorted[count++] = (struct object_pair){.key = growing->block_of[at], .operation = at};
    growing->sorted = object_sort(growing->sorted, growing->sorted + growing->part->count, count);
    return count;
}

/* A read that shows the earlier one of two adds, and not the later. */
static uint32_t read_between(const struct growing *growing, uint32_t earlier)
{
    for (uint32_t at = 0; at < growing->read_count; at++)
        if (growing->block_of[growing->reads[at].operation] == growing->block_of[earlier] + 1)
            return growing->reads[at].operation;
    return NOBODY;
}

/* Nothing may have ended before an operation of an earlier block began. */
static enum special_end check_blocks(const struct growing *growing, uint32_t count)
{
    const struct object_operation *operations = growing->part->operations;
    uint32_t latest = NOBODY; /* of the blocks before this one */
    for (uint32_t at = 0, block_begin = 0; at < count; at++) {
        uint32_t id = growing->sorted[at].operation;
        for (; growing->sorted[block_begin].key != growing->sorted[at].key; block_begin++) {
            uint32_t before = growing->sorted[block_begin].operation;
            bool relaxed = operations[before].certainty == OBJECT_RELAXED;
            if (!relaxed && (latest == NOBODY || operations[before].invoked > operations[latest].invoked))
                latest = before;
        }
        if (latest == NOBODY || !is_certain(&operations[id]) || operations[id].completed > operations[latest].invoked)
            continue;
        bool adds = operations[id].function == OBJECT_ADD && operations[latest].function == OBJECT_ADD;
        return culprits(growing->out, latest, id, adds ? read_between(growing, latest) : NOBODY);
    }
    return SPECIAL_LEGAL;
}

static enum special_end decide(struct growing *growing)
{
    enum special_end end = list_operations(growing);
    if (end != SPECIAL_LEGAL)
        return end;
    struct object_pair *unsorted = growing->reads;
    growing->reads = object_sort(unsorted, unsorted + growing->part->count, growing->read_count);
    end = level(growing);
    if (end != SPECIAL_LEGAL)
        return end;
    uint32_t count = sort_blocks(growing);
    end = check_blocks(growing, count);
    if (end != SPECIAL_LEGAL || growing->out->order == NULL)
        return end;
    for (uint32_t at = 0; at < count; at++)
        growing->out->order[at] = growing->sorted[at].operation;
    growing->out->order_count = count;
    return end;
}

enum special_end special_set(const struct object_part *part, struct special *out)
{
    struct heap *heap = part->objects->heap;
    size_t count = (size_t)part->count + 1;
    struct growing growing = {.part = part, .out = out};
    growing.block_of = heap_alloc(heap, count * sizeof *growing.block_of);
    struct object_pair *pairs = heap_alloc(heap, 4 * count * sizeof *pairs);
    enum special_end end = SPECIAL_MEMORY;
    if (growing.block_of != NULL && pairs != NULL) {
        growing.reads = pairs;
        growing.sorted = pairs + 2 * count;
        end = decide(&growing);
    }
    for (uint32_t at = 0; at < part->count; at++)
        if (part->operations[at].argument != VALUE_NONE)
            part->objects->scratch[part->operations[at].argument] = 0;
    heap_free(heap, growing.block_of);
    heap_free(heap, pairs);
    return end;
}
