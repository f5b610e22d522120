/* Wrong contents for messages and answers, from the table of messages: what value faults and adversaries say instead of
 * the truth. What comes out is well-formed: it has the same size and decodes as before. */
#ifndef LOCKSTEP_HOST_WORLD_MUTATE_H
#define LOCKSTEP_HOST_WORLD_MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "contract/message.h"

/* Numbers that were seen in messages, the youngest ones: lies that may be believed are made of other truths. */
enum { MUTATE_SEEN_MAX = 64 };
struct mutate_seen {
    uint64_t numbers[MUTATE_SEEN_MAX];
    uint64_t count; /* ever */
};

/* Keeps the numbers of an encoded body. */
void mutate_learn(struct mutate_seen *seen, const struct message_type *type, const uint8_t *body, size_t size);

/* One number of the body becomes a neighbour of what it was (a flag, the other one); node ids, times and incarnations
 * stay. False: it has none. */
bool mutate_number(const struct message_type *type, uint8_t *body, size_t size, struct random *random);

/* One field becomes anything of its kind: a number one more or less, or one seen, or if `wild` none or the largest; a
 * node another of `nodes`; of the bulk a byte changes (of records, one in their bodies). False: nothing changed. */
bool mutate_field(const struct message_type *type, uint8_t *body, size_t size, struct random *random,
                  const uint32_t *nodes, uint32_t node_count, const struct mutate_seen *seen, bool wild);

/* The answer of a service, a RESP value, becomes another of its kind and size: an integer a different one, a string
 * different in one byte. False: it says nothing that could be different (OK, nil, an error). */
bool mutate_answer(uint8_t *bytes, size_t size, struct random *random);

/* In an encoded CLIENT_ANSWERS, answers as above: all, or one. False: there is none that could be different. */
bool mutate_answers(uint8_t *body, size_t size, struct random *random);

#endif
