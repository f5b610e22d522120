/* Simulated clients: what they did, as they saw it. */
#ifndef LOCKSTEP_HOST_WORLD_CLIENT_H
#define LOCKSTEP_HOST_WORLD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum world_op {
    WORLD_OP_GET,
    WORLD_OP_SET,
    WORLD_OP_GETSET,
    WORLD_OP_SETNX,
    WORLD_OP_APPEND,
    WORLD_OP_DEL,
    WORLD_OP_INCR,
    WORLD_OP_COUNT,
};

enum world_outcome {
    WORLD_OPEN, /* no answer came, or one that left it open: it may have happened, or may yet */
    WORLD_OK,
    WORLD_FAIL, /* refused: it certainly never happened */
};

enum world_result_kind { WORLD_RESULT_NONE, WORLD_RESULT_NULL, WORLD_RESULT_STRING, WORLD_RESULT_INTEGER };

/* One operation of one client on one key. */
struct world_operation {
    uint32_t client;
    enum world_op op;
    uint32_t key;         /* number of the key */
    enum world_outcome outcome;
    bool after_heal;      /* invoked in the healed phase */
    bool stale_allowed;   /* a read on a READONLY connection: it promises nothing */
    int64_t invoke_ns;
    int64_t complete_ns;  /* INT64_MAX while it is open */
    struct span argument; /* SET, GETSET, SETNX, APPEND */
    enum world_result_kind result;
    int64_t integer;
    struct span string;
};

const char *world_op_name(enum world_op op);
/* Does it take a value, beside its key? */
static inline bool world_op_writes_value(enum world_op op)
{
    return op == WORLD_OP_SET || op == WORLD_OP_GETSET || op == WORLD_OP_SETNX || op == WORLD_OP_APPEND;
}

#endif
