/* Promises of protocols, checked on what their members did.
 *
 * A spectator writes down observations, in the order of (global) time: who proposed, decided, sent, delivered, voted,
 * crashed. A checker reads them once the run is over and says whether a promise was kept: yes, or no with the
 * observations that break it and a sentence. Checkers know no protocol: any that makes the promise is judged by the
 * same one. Safety is judged on all observations; liveness ("in the end") takes the end of the list for the end of
 * time, so the list must last until everything that must happen could.
 *
 * A process is correct when it does not crash, or restarts after its last crash; its observations after a restart are
 * its own again. */
#ifndef LOCKSTEP_LAB_PROMISE_H
#define LOCKSTEP_LAB_PROMISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/heap.h"
#include "lab/history/verdict.h"

/* X(NAME, "name", first number's name, second number's name, what happened at `process`). The names are those of the
 * stored form; an empty name is a number that does not count. */
#define OBSERVED(X)                                                                                                    \
    X(CRASH, "crash", "", "", "it stopped")                                                                            \
    X(RESTART, "restart", "", "", "it is back, with its stable storage")                                               \
    X(PROPOSE, "propose", "instance", "value", "")                                                                     \
    X(DECIDE, "decide", "instance", "value", "for commitment 1 is commit and 0 abort")                                 \
    X(VOTE, "vote", "instance", "value", "1 is yes")                                                                   \
    X(SEND, "send", "message", "to", "it multicast the message, or sent it to one process; to 0: to the group")        \
    X(RECEIVE, "receive", "message", "", "it came from the network")                                                   \
    X(DELIVER, "deliver", "message", "", "the protocol handed it up")                                                  \
    X(VIEW, "view", "number", "members", "it installed the view; members is a set of bits, process p is bit p")        \
    X(ACQUIRE, "acquire", "lock", "token", "it got the lock with that fencing token")                                  \
    X(RELEASE, "release", "lock", "token", "it gave it back, or its lease ended")                                      \
    X(ACCESS, "access", "lock", "token", "a resource (the process) took a request that bore the token")                \
    X(SUSPECT, "suspect", "of", "", "")                                                                                \
    X(TRUST, "trust", "of", "", "it suspects that process no more")                                                    \
    X(CHECKPOINT, "checkpoint", "number", "", "its local checkpoint with that number; 0 is its beginning")             \
    X(LINE, "line", "number", "line", "that recovery line or snapshot takes this checkpoint of it")                    \
    X(LOGGED, "logged", "message", "at", "the determinant of the message's delivery at the process is now held by"     \
      " process `at`; at 0: on stable storage")

enum observed {
#define OBSERVED_ENUM(name, text, first, second, what) OBSERVED_##name,
    OBSERVED(OBSERVED_ENUM) OBSERVED_COUNT
#undef OBSERVED_ENUM
};

/* Processes are numbered 0 to 63, and from 1 where a SEND or LOGGED names one of them. In a set each is its bit. */
enum { PROMISE_PROCESSES_MAX = 64 };

struct observation {
    enum observed kind;
    uint32_t process;
    uint64_t first, second;
    int64_t time_ns;
};

struct observations {
    struct heap *heap; /* borrowed */
    struct observation *list;
    uint32_t count, capacity;
    uint64_t processes; /* set of those that belong to the run, also where they did nothing */
    bool incomplete;    /* the heap was full */
};

void observations_init(struct observations *observations, struct heap *heap, uint64_t processes);
void observations_free(struct observations *observations);
void observations_clear(struct observations *observations);
void observe(struct observations *observations, enum observed kind, uint32_t process, uint64_t first, uint64_t second,
             int64_t time_ns);

const char *observed_name(enum observed kind);
/* Names of the two numbers; "" where there is none. */
const char *observed_first(enum observed kind);
const char *observed_second(enum observed kind);
bool observed_find(struct span name, enum observed *out);
/* Prints "process 2 delivers message 7"; returns the length. */
size_t observation_print(const struct observation *observation, char *out, size_t size);

/* ---- the promises ---- */

struct promise {
    const char *name;    /* "total-order" */
    const char *source;  /* where it is defined */
    const char *says;    /* one sentence */
    /* OK, ILLEGAL (operations: places of the observations that break it), or UNKNOWN when memory ran out. */
    void (*check)(const struct observations *observations, struct heap *heap, struct verdict *out);
};

/* All of them; the list ends with a NULL name. */
const struct promise *promise_list(void);
const struct promise *promise_find(struct span name);

#endif
