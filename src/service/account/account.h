/* A small bank: accounts with balances, and transfers between them.
 *
 * The classic of distributed commit and of global predicates: money is neither made nor lost, so the sum over all
 * accounts changes by OPEN alone. A transfer that is asked as read answers what it would answer as update, and changes
 * nothing: that is how a commit protocol asks for a vote.
 *
 * Accounts lie sorted by name in one array, so opening costs O(n): this service is for the laboratory and for examples.
 * Limits: ACCOUNT_NAME_SIZE_MAX bytes a name. */
#ifndef LOCKSTEP_SERVICE_ACCOUNT_ACCOUNT_H
#define LOCKSTEP_SERVICE_ACCOUNT_ACCOUNT_H

#include "contract/service.h"

enum account_op {
    ACCOUNT_OPEN = 200,     /* name, amount >= 0: "+OK", or an error when the account exists */
    ACCOUNT_TRANSFER = 201, /* from, to, amount > 0: "+OK", or an error, and then nothing has changed */
    ACCOUNT_BALANCE = 202,  /* name: an integer, or null */
    ACCOUNT_TOTAL = 203,    /* an integer: the sum of all balances */
};

enum { ACCOUNT_NAME_SIZE_MAX = 31 };

extern const struct service account_service;

#endif
