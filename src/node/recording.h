/* A recording: everything that the members of one node were told, from the node's start on, so that each of them can be
 * stepped again elsewhere, with the same build, and looked at.
 *
 * A step is a pure function of what went before and of one event, so events are enough; of what each step wanted only
 * the number of effects and their hash are kept, to notice where a replay differs.
 *
 * The form, all integers little-endian: an item is u32 size, u32 CRC32C of the rest, and `size` bytes that begin with
 * the item's kind. The first item is the head, then a group item for each group, then steps. The last item may be cut,
 * as a recorder that is killed leaves it. This file does no I/O: the host writes what `out` gathers. */
#ifndef LOCKSTEP_NODE_RECORDING_H
#define LOCKSTEP_NODE_RECORDING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "node/node.h"

enum {
    RECORDING_VERSION = 3,
    RECORDING_TEXT_MAX = 64,    /* bytes of a build's, protocol's or service's name */
    RECORDING_MEMBERS_MAX = 64, /* of one group */
    RECORDING_GROUPS_MAX = 16,  /* of one node */
};

/* ---- writing ---- */

struct recorder {
    struct buffer out; /* the host writes it to its file and clears it */
    const struct node_options *options;
    const struct node *node; /* once there is one; NULL while the directory is opened */
    bool full;               /* the heap had no room: what follows is missing, so nothing more is recorded */
    bool passes;             /* the step under way is of a group of the directory, which is not recorded: the head names
                                the groups of the node's options */
    size_t item_at;          /* where the step under way began in `out` */
    uint32_t effect_count;
    uint64_t effect_hash;
};

/* Begins a recording of a node that will be made with these options (borrowed, as is the recorder by the observer):
 * writes head and groups. `build` names the program. To be called before node_create, which gets the observer by its
 * options; the recorder's `node` is to be set right after. Fails an invariant when a name is longer than its bound. */
void recorder_begin(struct recorder *recorder, struct heap *heap, const struct node_options *options,
                    const char *build);
struct node_observer recorder_observer(struct recorder *recorder);
void recorder_free(struct recorder *recorder);

/* ---- reading ---- */

struct recording_head {
    char build[RECORDING_TEXT_MAX];
    uint32_t node;
    uint32_t group_count;
    uint64_t seed; /* of the node's members */
};

/* What a group's specification was; names are looked up by the reader. */
struct recording_group {
    char protocol[RECORDING_TEXT_MAX], service[RECORDING_TEXT_MAX], name[RECORDING_TEXT_MAX];
    char served_by[RECORDING_TEXT_MAX]; /* of a client; empty: a member */
    uint32_t members[RECORDING_MEMBERS_MAX];
    struct group_spec spec; /* protocol, served_by and service NULL; name and members point into this struct: it must not move */
};

struct recording_step {
    uint32_t group;
    uint64_t next_position;
    struct event event; /* `body` is not decoded: see encoded; spans lie in the recording */
    struct span encoded; /* of EVENT_MESSAGE and RESTORE_RECORD: the body */
    uint32_t effect_count;
    uint64_t effect_hash;
};

enum recording_item { RECORDING_END, RECORDING_STEP, RECORDING_CUT, RECORDING_DAMAGED };

/* Reads head and groups at the start of `bytes`; `groups` has room for RECORDING_GROUPS_MAX. Returns the bytes that they
 * take, or a negative error and a sentence in `why`. */
int64_t recording_open(struct span bytes, struct recording_head *head, struct recording_group *groups, char *why,
                       size_t why_size);

/* The step at `*at`, which moves on. END: there is none any more; CUT: the last one is not whole; DAMAGED: its bytes are
 * not those that were written. */
enum recording_item recording_next(struct span bytes, size_t *at, struct recording_step *out);

#endif
