/* lockstep: replicated data and coordination inside your program.
 *
 * A program opens a node, gives it commands in the language of Redis, and gets each answer in a callback. The node may
 * be alone (its data is on disk, and an acknowledged write survives a crash) or one of a cluster (an acknowledged write
 * also survives the loss of any minority of the nodes). Other programs may talk to the same node with any Redis client
 * when it listens for them.
 *
 *     struct lockstep_options options;
 *     struct lockstep *node;
 *     char why[LOCKSTEP_WHY_SIZE];
 *     lockstep_options_init(&options);
 *     options.data = "data";
 *     if (lockstep_open(&options, &node, why, sizeof why) != LOCKSTEP_OK)
 *         fprintf(stderr, "%s\n", why);
 *     const char *command[] = {"SET", "colour", "blue"};
 *     lockstep_execute(node, 3, command, NULL, answered, NULL);
 *     while (!done)
 *         lockstep_poll(node, 100);
 *     lockstep_close(node);
 *
 * Threads. A node belongs to the thread that opened it: call it from there alone. It starts threads of its own for the
 * disk; callbacks never run on them. Two nodes in one process are independent of each other.
 *
 * Link with `pkg-config --libs lockstep`. */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- errors ---- */

/* What an operation returns: LOCKSTEP_OK, or how it failed. */
enum lockstep_error {
    LOCKSTEP_OK = 0,
    LOCKSTEP_ERROR_MEMORY = -1,
    LOCKSTEP_ERROR_IO = -2,
    LOCKSTEP_ERROR_NO_SPACE = -3,
    LOCKSTEP_ERROR_CORRUPT = -4,       /* the data on disk is damaged beyond repair */
    LOCKSTEP_ERROR_TOO_LARGE = -5,
    LOCKSTEP_ERROR_NOT_FOUND = -6,
    LOCKSTEP_ERROR_INVALID = -8,       /* an argument or option makes no sense */
    LOCKSTEP_ERROR_VERSION = -9,       /* the data is of a version that this library does not speak */
    LOCKSTEP_ERROR_WRONG_NODE = -10,   /* the data directory belongs to another node */
    LOCKSTEP_ERROR_WRONG_CLUSTER = -11, /* the data directory belongs to another cluster */
    LOCKSTEP_ERROR_BUSY = -12,         /* too much is unanswered, or the directory or port is in use */
    LOCKSTEP_ERROR_CLOSED = -14,       /* the node was closed or has failed */
    LOCKSTEP_ERROR_PERMISSION = -15
};

/* The text of an error, never NULL; static. */
const char *lockstep_strerror(int error);

/* Version of the library, for example "0.1.0"; static. */
const char *lockstep_version(void);

/* ---- a node ---- */

struct lockstep;

/* Bytes that are enough for every sentence that lockstep_open writes. */
#define LOCKSTEP_WHY_SIZE 1024

enum lockstep_log_level { LOCKSTEP_LOG_NOTICE = 0, LOCKSTEP_LOG_WARNING = 1, LOCKSTEP_LOG_ERROR = 2 };

/* How a node is to be. Always begin with lockstep_options_init: later versions add fields at the end. Texts are copied
 * by lockstep_open; NULL is the default. */
struct lockstep_options {
    size_t size;              /* set by lockstep_options_init */
    const char *data;         /* data directory; it is made if it is not there. Required */
    uint32_t id;              /* of this node in its cluster, from 1 on (1) */
    const char *cluster_name; /* ("lockstep") nodes of clusters with other names are refused */
    const char *peers;        /* all nodes, this one too: "1=10.0.0.1:17001,2=10.0.0.2:17001,...". NULL: it is alone */
    const char *peer_listen;  /* "host:port" for the other nodes; required with peers unless listen is given */
    const char *listen;       /* "host:port" for Redis clients. NULL: only this program uses it */
    int init;                 /* not 0: this is a new node of a new cluster. Otherwise a node with peers and an empty
                                 directory is filled from them, because it may have promised something and lost it */
    int open_to_network;      /* not 0: addresses that other machines can reach are allowed. Connections are neither
                                 encrypted nor authenticated */
    uint32_t request_timeout_ms; /* after which an unanswered command gets INDETERMINATE; 0: the default */
    uint64_t memory_bytes_max;   /* of data; 0: no limit */
    /* Called with each line of the node's log; NULL: standard error. */
    void (*log)(void *context, enum lockstep_log_level level, const char *sentence);
    void *log_context;
};

/* Fills in the defaults. */
void lockstep_options_init(struct lockstep_options *options);

/* Opens a node and reads its data. LOCKSTEP_OK and the node, which lockstep_close ends; or an error, and in `why` a
 * sentence that says what happened, to what, and what to do. `why` may be NULL. */
int lockstep_open(const struct lockstep_options *options, struct lockstep **node, char *why, size_t why_size);

/* Ends the node: waits up to a second for unanswered commands, then tells the callbacks of the rest
 * LOCKSTEP_ERROR_CLOSED. Not to be called from a callback. NULL is ignored. */
void lockstep_close(struct lockstep *node);

/* ---- commands ---- */

/* The answer to a command. `status` is LOCKSTEP_OK and `reply` holds one RESP3 value of `size` bytes, which is valid
 * during the call; or it is LOCKSTEP_ERROR_CLOSED and there is none: the command may or may not have been executed.
 * A reply that begins with '-' is an error in words: "-INDETERMINATE ..." means that the command may or may not have
 * been executed, or may yet be; every other one that it certainly was not.
 * The callback may call lockstep_execute, but neither lockstep_poll nor lockstep_close. */
typedef void (*lockstep_callback)(void *context, int status, const char *reply, size_t size);

/* Hands in a command, for example {"INCR", "visits"}; it is executed, and answered, from lockstep_poll. The arguments
 * are copied. `argument_sizes` may be NULL: then they are zero-terminated. Commands take effect, and are answered, in
 * the order in which they were handed in. LOCKSTEP_OK; LOCKSTEP_ERROR_BUSY: too many are unanswered, poll first;
 * LOCKSTEP_ERROR_INVALID: no argument at all, or a command that has no single answer (SUBSCRIBE and its relatives,
 * MONITOR, HELLO, RESET, QUIT, CLIENT REPLY); LOCKSTEP_ERROR_CLOSED. On an error the callback is not called. */
int lockstep_execute(struct lockstep *node, int argc, const char *const *argv, const size_t *argument_sizes,
                     lockstep_callback callback, void *context);

/* Lets the node work: waits until a callback was called, at most `timeout_ms` (0: does what can be done at once). A
 * node of a cluster must be polled all the time, or the others take it for dead. Returns how many callbacks were
 * called, or LOCKSTEP_ERROR_CLOSED when the node has failed; the log says why. */
int lockstep_poll(struct lockstep *node, int timeout_ms);

/* Commands whose callback has not been called. */
size_t lockstep_unanswered(const struct lockstep *node);

/* ---- looking in ---- */

struct lockstep_status {
    uint32_t id;
    uint32_t leader;         /* 0: this node knows of none */
    uint64_t term;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t bytes_used;     /* of data, by the node's own accounting */
    uint64_t items;
    uint32_t peers_connected;
    uint32_t peers;
};

/* Fills in what the node knows at this moment. */
void lockstep_status(const struct lockstep *node, struct lockstep_status *out);

#ifdef __cplusplus
}
#endif

#endif
