/* The levels and what counts at each. */
#include <string.h>

#include "lab/txn/txn_internal.h"

static const char *const NAMES[TXN_LEVELS] = {
    [TXN_STRICT_SERIALIZABLE] = "strict-serializable",
    [TXN_SERIALIZABLE] = "serializable",
    [TXN_SNAPSHOT_ISOLATION] = "snapshot-isolation",
    [TXN_REPEATABLE_READ] = "repeatable-read",
    [TXN_READ_COMMITTED] = "read-committed",
    [TXN_READ_UNCOMMITTED] = "read-uncommitted",
};

const char *txn_level_name(enum txn_level level)
{
    return NAMES[level];
}

bool txn_level_find(const char *name, enum txn_level *level)
{
    for (int at = 0; at < TXN_LEVELS; at++)
        if (strcmp(name, NAMES[at]) == 0) {
            *level = (enum txn_level)at;
            return true;
        }
    return false;
}

unsigned txn_level_kinds(enum txn_level level)
{
    if (level == TXN_READ_UNCOMMITTED)
        return KINDS_WW | KINDS_TIME;
    if (level == TXN_READ_COMMITTED)
        return KINDS_WW | KINDS_WR | KINDS_TIME;
    return KINDS_WW | KINDS_WR | KINDS_RW | KINDS_TIME;
}

bool txn_level_is_at_least_repeatable(enum txn_level level)
{
    return level <= TXN_REPEATABLE_READ;
}
