/* The command table for programs: commands.def as constants and as a look-up. The table is constant and the same in
 * every build of a level; the front and the services share it. */
#ifndef LOCKSTEP_SERVICE_COMMANDS_H
#define LOCKSTEP_SERVICE_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Op numbers: OP_GET, OP_CLIENT_ID, … Those below 16 belong to the contract (OP_TICK). */
enum command_op {
#define COMMAND(id, name, op, ...) OP_##id = (op),
#define SUBCOMMAND(parent, id, name, op, ...) OP_##id = (op),
#define DOTTED(id, upper, name, op, ...) OP_##id = (op),
#include "service/commands.def"
#undef COMMAND
#undef SUBCOMMAND
#undef DOTTED
};

enum command_kind {
    COMMAND_UPDATE, /* ordered through the log */
    COMMAND_READ,   /* looks at the service's state, needs no log entry */
    COMMAND_FRONT,  /* answered without the service (EXEC and WATCH reach it in a form of their own) */
};

/* As COMMAND INFO prints them: X(name, bit, text). */
#define COMMAND_FLAG_LIST(X)                                                                                           \
    X(CMD_WRITE, 0, "write")                                                                                           \
    X(CMD_READONLY, 1, "readonly")                                                                                     \
    X(CMD_DENYOOM, 2, "denyoom")                                                                                       \
    X(CMD_ADMIN, 3, "admin")                                                                                           \
    X(CMD_NOSCRIPT, 4, "noscript")                                                                                     \
    X(CMD_LOADING, 5, "loading")                                                                                       \
    X(CMD_STALE, 6, "stale")                                                                                           \
    X(CMD_SKIP_SLOWLOG, 7, "skip_slowlog")                                                                             \
    X(CMD_FAST, 8, "fast")                                                                                             \
    X(CMD_NO_AUTH, 9, "no_auth")                                                                                       \
    X(CMD_ALLOW_BUSY, 10, "allow_busy")

/* Categories of access control; the texts are without the "@". */
#define COMMAND_ACL_LIST(X)                                                                                            \
    X(ACL_KEYSPACE, 0, "keyspace")                                                                                     \
    X(ACL_READ, 1, "read")                                                                                             \
    X(ACL_WRITE, 2, "write")                                                                                           \
    X(ACL_STRING, 3, "string")                                                                                         \
    X(ACL_ADMIN, 4, "admin")                                                                                           \
    X(ACL_FAST, 5, "fast")                                                                                             \
    X(ACL_SLOW, 6, "slow")                                                                                             \
    X(ACL_DANGEROUS, 7, "dangerous")                                                                                   \
    X(ACL_CONNECTION, 8, "connection")                                                                                 \
    X(ACL_TRANSACTION, 9, "transaction")

#define COMMAND_TIP_LIST(X)                                                                                            \
    X(TIP_NONDETERMINISTIC_OUTPUT, 0, "nondeterministic_output")                                                       \
    X(TIP_NONDETERMINISTIC_OUTPUT_ORDER, 1, "nondeterministic_output_order")

/* What a command does with its keys. */
#define COMMAND_KEY_LIST(X)                                                                                            \
    X(KEY_RO, 0, "RO")                                                                                                 \
    X(KEY_RW, 1, "RW")                                                                                                 \
    X(KEY_OW, 2, "OW")                                                                                                 \
    X(KEY_RM, 3, "RM")                                                                                                 \
    X(KEY_ACCESS, 4, "access")                                                                                         \
    X(KEY_UPDATE, 5, "update")                                                                                         \
    X(KEY_INSERT, 6, "insert")                                                                                         \
    X(KEY_DELETE, 7, "delete")                                                                                         \
    X(KEY_VARIABLE_FLAGS, 8, "variable_flags")

#define COMMAND_GROUP_LIST(X)                                                                                          \
    X(GROUP_CONNECTION, "connection")                                                                                  \
    X(GROUP_SERVER, "server")                                                                                          \
    X(GROUP_STRING, "string")                                                                                          \
    X(GROUP_GENERIC, "generic")                                                                                        \
    X(GROUP_TRANSACTIONS, "transactions")                                                                              \
    X(GROUP_GROUPS, "groups")

enum command_bits {
#define COMMAND_BIT(name, bit, text) name = 1 << (bit),
    COMMAND_FLAG_LIST(COMMAND_BIT) COMMAND_ACL_LIST(COMMAND_BIT) COMMAND_TIP_LIST(COMMAND_BIT)
        COMMAND_KEY_LIST(COMMAND_BIT)
#undef COMMAND_BIT
};

enum command_group {
#define COMMAND_GROUP(name, text) name,
    COMMAND_GROUP_LIST(COMMAND_GROUP)
#undef COMMAND_GROUP
};

struct command_spec {
    const char *name; /* in lower case; of a subcommand "client|id" */
    uint16_t op;
    uint16_t parent; /* op of the container, 0 for what is no subcommand */
    uint8_t kind;    /* enum command_kind */
    uint8_t group;   /* enum command_group */
    int16_t arity;   /* with the name, of a subcommand with both; -n is at least n */
    int16_t first_key, last_key, key_step;
    uint16_t flags, acl, tips, key_flags;
    const char *since, *complexity, *summary;
};

/* The command of that name in any case; no subcommands. NULL when there is none. On the hot path: a few
 * nanoseconds. */
const struct command_spec *command_find(struct span name);

/* The subcommand of that name ("ID"), in any case, of a container; NULL when there is none. */
const struct command_spec *command_find_sub(const struct command_spec *parent, struct span name);

/* The command or subcommand with that op; NULL when there is none. */
const struct command_spec *command_by_op(uint16_t op);

/* All commands and subcommands in the order of their ops: starts with NULL, ends with NULL. A container's
 * subcommands come after it. */
const struct command_spec *command_following(const struct command_spec *spec);

/* True when so many words, the name (and the subcommand's) included, suit the arity. */
static inline bool command_arity_suits(const struct command_spec *spec, uint64_t words)
{
    return spec->arity >= 0 ? words == (uint64_t)spec->arity : words >= (uint64_t)-spec->arity;
}

/* Texts of single bits (place 0 is bit 0), NULL behind the last. */
const char *command_flag_text(unsigned place);
const char *command_acl_text(unsigned place);
const char *command_tip_text(unsigned place);
const char *command_key_text(unsigned place);
const char *command_group_text(enum command_group group);

#endif
