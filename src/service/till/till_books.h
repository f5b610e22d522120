/* The books of the tills (till.h): accounts, their payments, and how many updates each origin has made. */
#ifndef LOCKSTEP_SERVICE_TILL_TILL_BOOKS_H
#define LOCKSTEP_SERVICE_TILL_TILL_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/heap.h"

enum { BOOKS_NAME_MAX = 63 };

struct withdrawal {
    uint64_t number; /* of its origin's updates */
    uint32_t origin; /* node */
    uint64_t amount;
};

struct till_account {
    uint8_t name_size, name[BOOKS_NAME_MAX];
    uint64_t deposits;       /* their sum; stays at its largest value rather than overflow */
    struct withdrawal *list; /* ascending by number, then origin */
    uint32_t count, capacity;
};

struct till_origin {
    uint32_t node;
    uint64_t updates, chain;
};

struct books {
    struct heap *heap;
    struct till_account *accounts; /* ascending by name */
    uint32_t account_count, account_capacity;
    struct till_origin *origins; /* ascending by node */
    uint32_t origin_count, origin_capacity;
    uint64_t payments; /* withdrawals of all accounts */
};

void books_init(struct books *books, struct heap *heap);
void books_clear(struct books *books);

/* The account of that name, or NULL. */
const struct till_account *books_find(const struct books *books, struct span name);
/* The same; it is made when there is none. NULL: no memory. */
struct till_account *books_open(struct books *books, struct span name);
/* The entry of that origin; it is made when there is none. NULL: no memory. */
struct till_origin *books_origin(struct books *books, uint32_t node);
/* Enters a withdrawal at its place. False: no memory, or it is there already. */
bool books_enter(struct books *books, struct till_account *account, const struct withdrawal *withdrawal);

/* Honours withdrawals in their order as long as the deposits cover them: what is left, and the sum of the others. */
void books_settle(const struct till_account *account, uint64_t *balance, uint64_t *reversed);

/* Bytes in memory, roughly. */
uint64_t books_size(const struct books *books);
/* Appends the books' bytes, a function of the state alone. False: no memory. */
bool books_write(const struct books *books, struct buffer *out);
/* The other way, into cleared books. False: malformed, or no memory. */
bool books_read(struct books *books, struct span bytes);

#endif
