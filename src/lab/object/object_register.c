/* Registers to which no value is written twice, without compare-and-set: linear in the number of events.
 *
 * Gibbons and Korach, "Testing shared memories", SIAM J. Computing 1997, section 4: the operations of one value, its
 * write and the reads of it, form a cluster. Its zone lies between its first end and its last invocation. Where the end
 * comes first, the zone is *forward*: the register certainly holds the value throughout. Else it is *backward*, and one
 * moment of it will do for all operations of the value. There is an order if and only if no value is read before its
 * write begins, no two forward zones overlap, and no backward zone lies within a forward one.
 *
 * The order is then: by zones; a backward one whose beginning lies in a forward zone comes right after that. */
#include <string.h>

#include "lab/object/object_internal.h"

#define NOBODY UINT32_MAX

struct cluster {
    uint32_t write; /* NOBODY: of the initial value, or nobody wrote it */
    uint32_t first_end, last_invoke; /* places */
    uint32_t end_by, invoke_by;      /* whose they are */
    uint32_t operations; /* that are certain */
    uint32_t count;      /* of the order: how many, then where the next one goes */
};

struct registers {
    const struct object_part *part;
    struct special *out;
    struct cluster *clusters; /* number 0 is the initial value's */
    uint32_t *cluster_of;     /* of each operation */
    uint32_t *at_place;       /* cluster + 1 whose zone begins at a place, by half places */
    uint32_t cluster_count, place_count;
};

/* Numbers the values; false when one is written twice, or something else than reads and writes happens. */
static enum special_end number_values(struct registers *registers)
{
    const struct object_part *part = registers->part;
    uint32_t *numbers = part->objects->scratch;
    registers->cluster_count = 1;
    registers->clusters[0] = (struct cluster){.write = NOBODY, .first_end = 0, .end_by = NOBODY, .invoke_by = NOBODY};
    enum special_end end = SPECIAL_LEGAL;
    for (uint32_t at = 0; at < part->count && end == SPECIAL_LEGAL; at++) {
        const struct object_operation *operation = &part->operations[at];
        bool read = operation->function == OBJECT_READ;
        uint32_t value = read ? operation->answer : operation->argument;
        registers->cluster_of[at] = NOBODY;
        if (operation->function == OBJECT_CAS || operation->certainty == OBJECT_RELAXED ||
            (!read && value == VALUE_NONE))
            end = SPECIAL_NONE;
        if (end == SPECIAL_NONE || (read && operation->certainty != OBJECT_HAPPENED))
            continue;
        uint32_t number = value == VALUE_NONE ? 0 : numbers[value];
        if (value != VALUE_NONE && number == 0) {
            numbers[value] = number = registers->cluster_count++;
            registers->clusters[number] =
                (struct cluster){.write = NOBODY, .first_end = RECORD_NEVER, .end_by = NOBODY, .invoke_by = NOBODY};
        }
        registers->cluster_of[at] = number;
        if (!read && registers->clusters[number].write != NOBODY)
            end = SPECIAL_NONE;
        if (!read)
            registers->clusters[number].write = at;
    }
    for (uint32_t at = 0; at < part->count; at++) {
        const struct object_operation *operation = &part->operations[at];
        uint32_t value = operation->function == OBJECT_READ ? operation->answer : operation->argument;
        if (value != VALUE_NONE)
            numbers[value] = 0;
    }
    return end;
}

static void stretch(struct cluster *cluster, const struct object_operation *operation, uint32_t at)
{
    cluster->operations++;
    if (operation->certainty == OBJECT_HAPPENED && operation->completed < cluster->first_end) {
        cluster->first_end = operation->completed;
        cluster->end_by = at;
    }
    if (operation->invoked >= cluster->last_invoke) {
        cluster->last_invoke = operation->invoked;
        cluster->invoke_by = at;
    }
}

/* The zones, and reads of what was not written by then. A write that may have happened counts when it was read. */
static enum special_end find_zones(struct registers *registers)
{
    const struct object_operation *operations = registers->part->operations;
    for (uint32_t at = 0; at < registers->part->count; at++) {
        if (registers->cluster_of[at] == NOBODY || operations[at].function != OBJECT_READ)
            continue;
        struct cluster *cluster = &registers->clusters[registers->cluster_of[at]];
        bool initial = registers->cluster_of[at] == 0, written = cluster->write != NOBODY;
        if (!initial && (!written || operations[cluster->write].certainty == OBJECT_FAILED ||
                         operations[cluster->write].invoked > operations[at].completed))
            return object_culprits(registers->out, (uint32_t[]){cluster->write, at}, 2);
        stretch(cluster, &operations[at], at);
    }
    for (uint32_t number = 1; number < registers->cluster_count; number++) {
        struct cluster *cluster = &registers->clusters[number];
        if (cluster->operations > 0 || operations[cluster->write].certainty == OBJECT_HAPPENED)
            stretch(cluster, &operations[cluster->write], cluster->write);
    }
    return SPECIAL_LEGAL;
}

static bool is_forward(const struct registers *registers, uint32_t number)
{
    const struct cluster *cluster = &registers->clusters[number];
    return number == 0 || cluster->first_end < cluster->last_invoke;
}

/* Sorts the clusters into at_place: forward zones by their beginning. False when two overlap. */
static enum special_end place_forward(struct registers *registers)
{
    for (uint32_t number = 0; number < registers->cluster_count; number++) {
        const struct cluster *cluster = &registers->clusters[number];
        if (cluster->operations > 0 && is_forward(registers, number))
            registers->at_place[2 * (size_t)cluster->first_end] = number + 1;
    }
    const struct cluster *last = NULL;
    for (uint32_t place = 0; place < registers->place_count; place++) {
        if (registers->at_place[2 * (size_t)place] == 0)
            continue;
        const struct cluster *cluster = &registers->clusters[registers->at_place[2 * (size_t)place] - 1];
        if (last != NULL && cluster->first_end < last->last_invoke)
            return object_culprits(registers->out,
                            (uint32_t[]){last->write, last->end_by, last->invoke_by, cluster->write, cluster->end_by,
                                         cluster->invoke_by},
                            6);
        last = cluster;
    }
    return SPECIAL_LEGAL;
}

/* Puts the backward zones in between; false when one lies within a forward zone. Those that follow the same forward
 * zone form a list, by `next`. */
static enum special_end place_backward(struct registers *registers, uint32_t *covered, uint32_t *next)
{
    /* covered[p]: the forward zone that covers place p, + 1. Zones are disjoint, so this is linear. */
    for (uint32_t number = 0; number < registers->cluster_count; number++) {
        const struct cluster *cluster = &registers->clusters[number];
        if (cluster->operations > 0 && is_forward(registers, number))
            for (uint32_t place = cluster->first_end; place <= cluster->last_invoke; place++)
                covered[place] = number + 1;
    }
    for (uint32_t number = 1; number < registers->cluster_count; number++) {
        const struct cluster *cluster = &registers->clusters[number];
        if (cluster->operations == 0 || is_forward(registers, number))
            continue;
        size_t place = 2 * (size_t)cluster->last_invoke;
        if (covered[cluster->last_invoke] != 0) {
            const struct cluster *forward = &registers->clusters[covered[cluster->last_invoke] - 1];
            if (cluster->first_end < forward->last_invoke)
                return object_culprits(registers->out,
                                (uint32_t[]){forward->write, forward->end_by, forward->invoke_by, cluster->write,
                                             cluster->end_by, cluster->invoke_by},
                                6);
            place = 2 * (size_t)forward->last_invoke + 1;
        }
        next[number] = registers->at_place[place];
        registers->at_place[place] = number + 1;
    }
    return SPECIAL_LEGAL;
}

/* Writes the order: clusters by their places, in each the write and then the reads by their invocations. */
static void write_order(struct registers *registers, const uint32_t *next)
{
    uint32_t total = 0;
    for (size_t place = 0; place < 2 * (size_t)registers->place_count; place++)
        for (uint32_t link = registers->at_place[place]; link != 0; link = next[link - 1]) {
            struct cluster *cluster = &registers->clusters[link - 1];
            cluster->count = total;
            total += cluster->operations;
            if (cluster->write != NOBODY)
                registers->out->order[cluster->count++] = cluster->write;
        }
    const struct object_operation *operations = registers->part->operations;
    for (uint32_t at = 0; at < registers->part->count; at++)
        if (registers->cluster_of[at] != NOBODY && operations[at].function == OBJECT_READ)
            registers->out->order[registers->clusters[registers->cluster_of[at]].count++] = at;
    registers->out->order_count = total;
}

static enum special_end decide(struct registers *registers, uint32_t *covered, uint32_t *next)
{
    enum special_end end = number_values(registers);
    if (end == SPECIAL_LEGAL)
        end = find_zones(registers);
    if (end == SPECIAL_LEGAL)
        end = place_forward(registers);
    if (end == SPECIAL_LEGAL)
        end = place_backward(registers, covered, next);
    if (end == SPECIAL_LEGAL)
        write_order(registers, next);
    return end;
}

enum special_end special_register(const struct object_part *part, struct special *out)
{
    struct heap *heap = part->objects->heap;
    size_t places = 2 * (size_t)part->count + 1, count = part->count;
    struct registers registers = {.part = part, .out = out, .place_count = (uint32_t)places};
    registers.clusters = heap_alloc(heap, (count + 1) * sizeof *registers.clusters);
    registers.cluster_of = heap_alloc(heap, (count + 1) * sizeof *registers.cluster_of);
    registers.at_place = heap_alloc_zero(heap, 2 * places * sizeof *registers.at_place);
    uint32_t *covered = heap_alloc_zero(heap, places * sizeof *covered);
    uint32_t *next = heap_alloc_zero(heap, (count + 1) * sizeof *next);
    enum special_end end = SPECIAL_MEMORY;
    if (registers.clusters != NULL && registers.cluster_of != NULL && registers.at_place != NULL && covered != NULL &&
        next != NULL)
        end = decide(&registers, covered, next);
    heap_free(heap, registers.clusters);
    heap_free(heap, registers.cluster_of);
    heap_free(heap, registers.at_place);
    heap_free(heap, covered);
    heap_free(heap, next);
    return end;
}
