/* Tokens that travel between the members of a group: the smallest application with messages of its own.
 *
 * Whoever gets a token passes one on to the next member round robin, by CALL. Now and then a member that has none keeps
 * it, and one that has several passes two, so that the counts move. Tokens are neither made nor lost: those held and
 * those under way are token_total() together, which is what a consistent snapshot must find (Chandy and Lamport 1985;
 * the tag of the checkers is CL-3).
 *
 * start() gives all tokens to the lowest member; it passes half of them on, and the rest as they return.
 * The service's state is its counts; it is deterministic in the order of its deliveries. */
#ifndef LOCKSTEP_SERVICE_TOKEN_TOKEN_H
#define LOCKSTEP_SERVICE_TOKEN_TOKEN_H

#include "contract/service.h"

enum token_op {
    TOKEN_PASS = 220,  /* no arguments: a token arrives; answers how many are held then */
    TOKEN_COUNT = 221, /* no arguments: how many are held */
};

extern const struct service token_service;

/* How many tokens there are in a group of so many members. */
uint64_t token_total(uint32_t member_count);

#endif
