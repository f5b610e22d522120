/* What the promise checkers share. */
#ifndef LOCKSTEP_LAB_PROMISE_INTERNAL_H
#define LOCKSTEP_LAB_PROMISE_INTERNAL_H

#include "lab/promise/promise.h"

/* Sets the verdict to ILLEGAL with the anomaly's name, up to three observations (UINT32_MAX: none) and a sentence. Only
 * the first call counts. */
void promise_broken(struct verdict *verdict, struct heap *heap, const char *anomaly, const uint32_t places[3],
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
#define PROMISE_NO UINT32_MAX

/* Memory ran out. */
void promise_unknown(struct verdict *verdict);

/* Processes that are correct at the end: never crashed, or restarted since. */
uint64_t promise_correct(const struct observations *observations);
/* Processes that crashed at any time. */
uint64_t promise_crashed(const struct observations *observations);

/* A map from a 64-bit number to a 32-bit one, for messages and instances; open addressing on the heap. */
struct promise_map {
    struct heap *heap;
    uint64_t *keys;
    uint32_t *values; /* PROMISE_NO: empty */
    uint32_t used, capacity;
};
void promise_map_init(struct promise_map *map, struct heap *heap);
void promise_map_free(struct promise_map *map);
/* The value of a key, or NULL. */
uint32_t *promise_map_find(const struct promise_map *map, uint64_t key);
/* The value of a key, PROMISE_NO when it is new; NULL when memory ran out. The caller must set a new one. */
uint32_t *promise_map_get(struct promise_map *map, uint64_t key);

/* All messages of the observations, numbered densely in the order in which they first appear. */
struct promise_message {
    uint64_t id;
    uint32_t sent;   /* place of the SEND, or PROMISE_NO */
    uint32_t sender; /* its process, or PROMISE_NO */
    uint64_t delivered; /* set of processes that delivered it */
};
struct promise_messages {
    struct promise_map map;
    struct promise_message *list;
    uint32_t count, capacity;
};
/* False when memory ran out. */
bool promise_messages_init(struct promise_messages *messages, const struct observations *observations,
                           struct heap *heap);
void promise_messages_free(struct promise_messages *messages);
/* Dense number of a message that the observations mention. */
uint32_t promise_message(const struct promise_messages *messages, uint64_t id);

/* ---- the checkers ---- */

#define PROMISE_CHECKS(X)                                                                                              \
    X(agreement) X(uniform_agreement) X(validity) X(integrity) X(termination) X(fifo_order) X(causal_order)            \
    X(total_order) X(reliable_delivery) X(uniform_delivery) X(atomic_delivery) X(virtual_synchrony)                    \
    X(atomic_commit) X(mutual_exclusion) X(detector_completeness) X(detector_accuracy)                                 \
    X(detector_eventual_accuracy) X(consistent_cut) X(recovery_line) X(orphan_freedom)
#define PROMISE_CHECK_DECLARE(name)                                                                                    \
    void promise_check_##name(const struct observations *observations, struct heap *heap, struct verdict *out);
PROMISE_CHECKS(PROMISE_CHECK_DECLARE)

#endif
