/* The replay host: steps the members of a recorded node again, event by event, and compares what they want with what
 * was recorded.
 *
 * It runs the same object code as the node did; nothing is sent, stored or applied. A difference means another build,
 * a recording that is not whole, or a member that is not a pure function of its events, which is a bug. */
#ifndef LOCKSTEP_HOST_REPLAY_REPLAY_H
#define LOCKSTEP_HOST_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "node/recording.h"

struct replay;

/* Opens a recording for replay. `bytes` is borrowed for the replay's life; memory of members comes from `heap`. 0, or a
 * negative error and a sentence: ERROR_INVALID (no recording), ERROR_NOT_FOUND (this build has no such protocol),
 * ERROR_NO_MEMORY. */
int replay_open(struct replay **out, struct span bytes, struct heap *heap, char *why, size_t why_size);
void replay_close(struct replay *replay);

const struct recording_head *replay_head(const struct replay *replay);
const struct group_spec *replay_group(const struct replay *replay, uint32_t place);

/* One step, as it went again. */
struct replay_moment {
    uint64_t number; /* of the step, from 1 */
    const struct group_spec *spec;
    const void *member; /* after the step */
    struct event event; /* decoded; borrowed until the next step */
    const struct effects *effects; /* of the replay; the same */
    uint32_t recorded_count; /* of effects */
    bool differs;       /* the recorded member wanted something else */
};

/* Before a step: the member's state and the event. May be NULL. */
typedef void replay_before(void *context, const struct group_spec *spec, const void *member,
                           const struct event *event);

/* Takes the next step. STEP: `out` is filled in; else the recording is over, as the kind says. */
enum recording_item replay_step(struct replay *replay, replay_before *before, void *context,
                                struct replay_moment *out);

#endif
