/* What events and effects are called in traces: a name ("VOTE", "restarted"), and their fields as words name=value.
 * The text of a trace and its pictures say the same, because both ask here. */
#ifndef LOCKSTEP_LAB_TRACE_WORDS_H
#define LOCKSTEP_LAB_TRACE_WORDS_H

#include <stdint.h>

#include "base/heap.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/protocol.h"

enum { TRACE_WORDS_MAX = 1024 };

struct trace_words {
    const char *name;           /* "" where the kind says it all; literals and names of tables */
    char text[TRACE_WORDS_MAX]; /* without the name */
    uint64_t key;               /* of a message, sent or received: a hash of its contents */
};

void trace_words_event(const struct protocol *protocol, const struct event *event, struct trace_words *out);
/* A whole message that a member's node sends to a client (CLIENT_ANSWERS); false: it is another. */
bool trace_words_client(struct span message, struct trace_words *out);
/* The heap is for the time of the call. */
void trace_words_effect(struct heap *heap, const struct protocol *protocol, const struct effect *effect,
                        struct trace_words *out);
/* The member's state: protocol.print, or what status() says where there is none. */
void trace_words_state(const struct protocol *protocol, const void *member, char *out, size_t size);

#endif
