/* What the files of the front share.
 *
 *     front.c              making one, accepting, receiving, turns, lists
 *     connection.c         slots, answers in order, output
 *     front_execute.c      a parsed command: table, arity, order, encoding for the node
 *     front_answer.c       an answer of the node: to its slot
 *     front_connection.c   PING ECHO HELLO AUTH SELECT RESET QUIT READONLY READWRITE
 *     front_client.c       CLIENT
 *     front_info.c         INFO
 *     front_status.c       ROLE TIME LOCKSTEP
 *     front_command.c      COMMAND
 *     front_config.c       CONFIG
 *     front_multi.c        MULTI EXEC DISCARD WATCH UNWATCH
 *     front_wait.c         WAIT
 *     front_route.c        which group owns a command's keys
 *     front_group.c        GROUP.…
 *
 * A command of the front is either *plain*: it writes one RESP3 value and may change its connection, wherever it is
 * executed, also inside a transaction; or it *controls* the stream: it may stop it, take slots or talk to the node. */
#ifndef LOCKSTEP_FRONT_FRONT_INTERNAL_H
#define LOCKSTEP_FRONT_FRONT_INTERNAL_H

#include "base/buffer.h"
#include "base/bytes.h"
#include "contract/reply.h"
#include "front/connection.h"
#include "front/front.h"
#include "front/resp_parser.h"
#include "front/resp_writer.h"
#include "service/commands.h"

#define FRONT_REDIS_VERSION "7.0.15"
#ifndef LOCKSTEP_VERSION
#define LOCKSTEP_VERSION "0.1.0"
#endif

enum {
    FRONT_ARGUMENTS_MAX = 1 << 20,
    FRONT_PLACES_MAX = 1 << 20, /* connections, those that wait only for their last answers included */
    FRONT_OPS_MAX = 1024,
};

/* A place in the table of connections. */
struct connection_place {
    struct connection *connection; /* NULL: free */
    uint32_t generation;           /* of the connection there, or of the last one; 1 is the first */
    uint32_t next_free;
};

struct front {
    struct heap *heap;
    struct node *node;
    struct front_options options;
    struct resp_limits limits;
    int64_t now_ns, wall_ns, started_ns;
    struct resp_scratch parse;
    struct buffer value; /* a RESP3 value in the making */
    struct buffer text;  /* the text of one in the making */
    struct buffer other; /* for who needs one more: the command of a local read, an early answer in RESP2 */

    struct connection_place *places;
    uint32_t place_count, place_capacity, free_place; /* free_place: UINT32_MAX is none */
    uint32_t sweep_place;
    uint64_t next_client_id;
    struct connection_queue queues[LIST_COUNT];

    bool handed_in;            /* something went to the node since front_turn began */
    uint64_t command_bytes_max; /* of the group's specification */
    int64_t client_timeout_ns; /* CONFIG timeout; 0: none */
    struct front_counters counters;
    uint64_t calls[FRONT_OPS_MAX]; /* by op */
    uint64_t errors;
    char save[128];            /* CONFIG save, as it was set */
};

/* One command on its way: its words, and who sent it. */
struct front_call {
    struct front *front;
    struct connection *connection;
    const struct command_spec *spec; /* of the subcommand, if there is one */
    struct resp_command words;       /* the name (and the subcommand's) included */
};

static inline struct span call_argument(const struct front_call *call, uint32_t place)
{
    return resp_argument(&call->words, place);
}

/* What became of a command. */
enum front_outcome {
    FRONT_DONE,  /* it has its answer or its slot */
    FRONT_STALL, /* it must be tried again: connection->stall says why */
};

typedef void front_plain(struct front_call *call, struct buffer *reply);
typedef enum front_outcome front_control(struct front_call *call);

/* front_execute.c */
enum front_outcome front_execute(struct front *front, struct connection *connection,
                                 const struct resp_command *command);
/* The spec of the words, its subcommand resolved, and its arity checked; NULL: `reply` has the error. */
const struct command_spec *front_resolve(struct front *front, const struct resp_command *words, struct buffer *reply);
front_plain *front_plain_of(uint16_t op);
/* Appends a command with the words from `first` on. False when the heap is full; then nothing is appended. */
bool front_encode(struct buffer *out, uint16_t op, uint16_t flags, const struct resp_command *words, uint32_t first);
/* The number of words from `first` on, encoded. */
uint64_t front_encoded_size(const struct resp_command *words, uint32_t first);
/* May this connection hand in another request of that kind to that group now? Else `stall` is set. */
bool front_may_submit(struct connection *connection, uint32_t group, bool read);
/* It has handed one in: through the log, or as a read. */
void front_submitted(struct connection *connection, uint32_t group, bool by_log);
/* Stops the connection's stream for that reason. */
enum front_outcome front_stall(struct connection *connection, enum stall stall);

/* front.c: after something was answered, a connection that stopped for it goes on in front_turn. */
void front_unstall(struct connection *connection);

/* front_route.c: errors are texts that are valid until front->text is used again. */
/* The group that owns the keys of a command, `default` (0) when it has none. NULL, or the error: keys of two groups,
 * or a group that has no member here. */
const char *front_route(struct front *front, const struct command_spec *spec, const struct resp_command *words,
                        uint32_t *group);
/* NULL when the group has a member here, else the error that says where. */
const char *front_reach(struct front *front, uint32_t group);
/* The error for keys of two groups. */
const char *front_crossing(struct front *front, uint32_t one, uint32_t other);

/* front_group.c, front_group_create.c */
front_control front_group_create, front_group_drop, front_group_list, front_group_info;
front_control front_group_enrol, front_group_expel, front_group_clients, front_group_directory;
/* front_group_card.c: the directory as the client gets it, in front->value (which `value` may not lie in). */
struct span front_group_answer(struct connection *connection, struct span value, enum slot_meaning meaning);

/* front_answer.c */
void front_answer(void *context, uint64_t cookie, const struct answer *answer);
/* A read that has become an update: those behind it on its connection go the same way. */
void front_ordered(void *context, uint64_t cookie);

/* front_multi.c */
front_control front_multi, front_exec, front_discard, front_watch;
front_plain front_unwatch;
/* Collects a command in the open transaction. */
void front_multi_queue(struct front_call *call);
/* A command was refused while a transaction collects. */
void front_multi_failed(struct connection *connection);
/* Forgets MULTI and WATCH. */
void front_multi_reset(struct connection *connection);
void front_multi_free(struct connection *connection);
/* Gives its memory back when nothing is collected or watched. */
void front_multi_shrink(struct connection *connection);
static inline bool front_multi_open(const struct connection *connection)
{
    return connection->transaction != NULL && connection->transaction->open;
}
/* The service's answers to WATCH and EXEC, turned into what the client gets, in front->value (which `value` may not
 * lie in). */
struct span front_watch_answer(struct connection *connection, struct span value);
struct span front_exec_answer(struct connection *connection, struct span value);

/* front_wait.c */
front_control front_wait;
void front_wait_answer(struct connection *connection, uint32_t sequence, const struct answer *answer);
void front_wait_turn(struct front *front);
int64_t front_wait_next_ns(const struct front *front);
void front_wait_free(struct connection *connection);

/* front_connection.c */
front_plain front_ping, front_echo, front_hello, front_auth, front_select, front_readonly, front_readwrite, front_reset;
front_plain front_quit;

/* front_client.c */
front_plain front_client_id, front_client_setname, front_client_getname, front_client_setinfo, front_client_list,
    front_client_info, front_client_kill, front_client_no_evict, front_client_reply, front_client_help;
/* A name that CLIENT LIST can print. False: it has characters that would break the line. */
bool front_client_set_text(struct connection *connection, char **field, struct span text);

/* front_info.c, front_status.c, front_command.c, front_config.c */
front_plain front_info, front_role, front_time, front_lockstep_status, front_lockstep_help;
front_plain front_command, front_command_count, front_command_info, front_command_docs, front_command_list,
    front_command_getkeys;
front_plain front_config_get, front_config_set, front_config_resetstat, front_config_rewrite, front_config_help;
front_plain front_slowlog, front_cluster;

/* Is this node's member the one that orders? */
/* Is this a client of its group rather than a member? */
bool front_is_gateway(const struct front *front);
bool front_is_leader(const struct front *front);
/* The client address of the node that orders, or an empty span. */
struct span front_leader_address(const struct front *front, uint32_t *node);

#endif
