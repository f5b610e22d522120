/* A history by its processes, for the search of object_sequential.c; private to object_*.c. */
#ifndef LOCKSTEP_LAB_OBJECT_SEQUENTIAL_H
#define LOCKSTEP_LAB_OBJECT_SEQUENTIAL_H

#include "lab/object/object_internal.h"

#define SEQUENCE_NONE UINT32_MAX

/* An operation on its way through the search. */
struct step {
    uint32_t object;
    uint32_t process;  /* SEQUENCE_NONE: a relaxed one belongs to none */
    uint32_t index;    /* in its process' chain; of one that may have happened how many of the chain come before it */
    uint32_t used_bit; /* of those that may have happened; else SEQUENCE_NONE */
    uint32_t next_reader, next_writer; /* of the same value of the same object */
    bool passive;      /* with its answer it changes nothing, whenever it is executed */
};

struct sequence {
    struct heap *heap;
    struct history *history;
    const struct linearizable_model *model;
    struct step *steps;
    uint32_t *chains, *chain_starts;  /* certain operations of each process, in order */
    uint32_t *open;                   /* others that may have happened */
    struct object_pair *values;       /* registers: state and object, sorted by object and state */
    uint32_t *readers, *writers;      /* first of each value's lists */
    uint32_t process_count, object_count, open_count, used_words, value_count;
    size_t stride;     /* words of a configuration: positions, bits, states */
    uint32_t *at_hand; /* a configuration */
    uint32_t *trail;   /* operations on the way to it */
    uint32_t trail_count, depth;
    struct vector visited, slots, stack;
    uint32_t visited_count, slot_count;
    bool full, found;
};

/* Prepares the operations of all objects. False when the heap is full. To be freed in any case. */
bool sequence_prepare(struct sequence *sequence, struct object_search *tools, const struct object_part *all);
void sequence_free(struct sequence *sequence);

/* The number of an object's value, or SEQUENCE_NONE when nobody reads it or the object is no register. */
uint32_t sequence_value(const struct sequence *sequence, uint32_t object, uint32_t state);

#endif
