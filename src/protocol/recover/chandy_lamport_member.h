/* The state of a member of Chandy-Lamport snapshots, shared by
 *   chandy_lamport.c           events, the application's messages, the protocol's table
 *   chandy_lamport_snapshot.c  recording, completing and gathering snapshots
 *   chandy_lamport_check.c     invariants, and what the laboratory looks at
 *   chandy_lamport_print.c, chandy_lamport_canonical.c  the state for people and for the explorer */
#ifndef LOCKSTEP_PROTOCOL_RECOVER_CHANDY_LAMPORT_MEMBER_H
#define LOCKSTEP_PROTOCOL_RECOVER_CHANDY_LAMPORT_MEMBER_H

#include "base/buffer.h"
#include "base/random.h"
#include "contract/effect.h"
#include "contract/event.h"
#include "contract/spec.h"
#include "protocol/cast/fifo_channel.h"
#include "protocol/recover/chandy_lamport.h"

/* Both messages are the channels'. */
enum cl_message { CL_DATA, CL_ACK, CL_MESSAGES };

/* A message that was in the channel from `from` when the snapshot was taken. */
#define CL_CHANNEL_FIELDS(FIELD, S) \
    FIELD(S, NODE, initiator) FIELD(S, U64, number) FIELD(S, NODE, from) FIELD(S, BYTES, bundle)
#define CL_COMPLETE_FIELDS(FIELD, S) FIELD(S, NODE, initiator) FIELD(S, U64, number)
MESSAGE_STRUCT(cl_channel, CL_CHANNEL_FIELDS)
MESSAGE_STRUCT(cl_complete, CL_COMPLETE_FIELDS)

enum cl_record { CL_RECORD_CHANNEL, CL_RECORD_COMPLETE, CL_RECORDS };

/* Kinds of frames on the channels, with the meaning of their fields. */
enum cl_frame {
    CL_FRAME_MESSAGE, /* number: of this message on this channel; bytes: bundle */
    CL_FRAME_MARKER,  /* node, number: of the snapshot; bytes: the question, a bundle of one command, or none */
    CL_FRAME_REPORT,  /* node, number: of the snapshot; bytes: the sender's part of the answer */
};

enum { CL_SLOT_OWN, CL_SLOT_CHANNELS };
enum { CL_TIMER_PERIOD, CL_TIMER_GIVE_UP, CL_TIMER_MARKERS, CL_TIMER_CHANNELS };

enum {
    CL_QUESTION_BYTES_MAX = 4096,
    CL_RECORDED_BYTES_MAX = 12 << 10, /* of one member's part of an answer: it must fit a frame */
    CL_FRAMES_A_TURN_MAX = 16,
    CL_RESTORED_MAX = 256, /* messages of the channels that a restart delivers */
    CL_NOBODY = -1,
};

enum cl_state { CL_NONE, CL_RECORDING, CL_COMPLETE };

/* The newest snapshot of one initiator, as this member takes part in it. */
struct cl_snapshot {
    enum cl_state state;
    uint64_t number;
    uint64_t index;
    uint64_t tag; /* of the question */
    bool asked, answered, markers_due;
    uint32_t open;                /* channels that are being recorded */
    bool *recording;              /* by place, as all that follow */
    uint64_t *sent, *received, *highest, *recorded;
    uint64_t *closed_at; /* `received` when the channel's marker came */
    uint32_t recorded_count;
    struct buffer question, answer;
    struct buffer messages; /* what was recorded, as it stands in the answer */
};

/* What this member, as initiator, is gathering. */
struct cl_gathering {
    bool active;
    bool for_client;
    bool wanted; /* to begin as soon as the member is quiet */
    uint64_t number;
    uint64_t request_number;
    uint32_t reports;
    bool *reported; /* by place */
    struct buffer question;
    struct buffer parts;
    uint64_t completed;
};

struct cl_member {
    struct heap *heap;
    const struct group_spec *spec;
    struct random random;
    struct fifo *fifo;
    bool started, room; /* room: in the log, for what is recorded */
    uint64_t incarnation;
    uint64_t *lives; /* incarnations of the peers that the counters below belong to, by place */
    int64_t now_ns, wall_ns, time_ns;
    uint64_t last_position;
    uint64_t index;

    uint64_t *sent, *received, *highest; /* messages of the services, by place */
    uint64_t dropped;
    uint32_t outstanding; /* deliveries whose RESULT has not come */
    uint64_t last_tag;
    bool checkpointing;
    int held; /* place whose channel has a first marker in front that waits for quiet, or CL_NOBODY */

    struct cl_snapshot *snapshots; /* by the initiator's place */
    struct cl_gathering gathering;
    uint64_t highest_number; /* of the own node's session that was ever handed in */
    uint8_t part[16];

    struct {
        bool known;
        uint32_t initiator;
        uint64_t number;
        uint64_t positions[CL_RESTORED_MAX];
        uint32_t count;
    } restored;
    uint64_t *checked; /* numbers of the snapshots as check() saw them last, by place */
};

static inline bool cl_ablated(const struct cl_member *self, enum chandy_lamport_ablation ablation)
{
    return (self->spec->ablations & ((uint32_t)ABLATION_PROTOCOL_FIRST << ablation)) != 0;
}

extern const struct message_table cl_messages;
extern const struct message_table cl_records;

/* What a RESULT answers is told by its tag's last bit. */
enum cl_tag { CL_TAG_MESSAGE, CL_TAG_QUESTION };
static inline uint64_t cl_tag(struct cl_member *self, enum cl_tag kind)
{
    return (++self->last_tag << 1) | (uint64_t)kind;
}

uint64_t cl_store(struct cl_member *self, struct effects *out, enum cl_record type, const void *body);

/* True when nothing is under way between this member's protocol and its service, and a checkpoint may be taken. To be
 * asked in TURN only. */
bool cl_quiet(const struct cl_member *self);

/* ---- snapshots ---- */

/* Begins one at this member as soon as it is quiet. The question is a bundle of one command, or empty. */
void cl_want_snapshot(struct cl_member *self, struct span question, bool for_client, uint64_t request_number,
                      struct effects *out);
void cl_begin_when_wanted(struct cl_member *self, struct effects *out);
/* A message of a service was taken from the channel of `place`. */
void cl_record_message(struct cl_member *self, uint32_t place, struct span bundle, struct effects *out);
/* The frame is at the front of the channel. False: it has to wait until the member is quiet. */
bool cl_on_marker(struct cl_member *self, uint32_t place, const struct fifo_data *frame, struct effects *out);
void cl_on_report(struct cl_member *self, uint32_t place, const struct fifo_data *frame, struct effects *out);
void cl_on_answer(struct cl_member *self, const struct event_result *result, struct effects *out);
void cl_on_give_up(struct cl_member *self, uint64_t number, struct effects *out);
/* The channels to and from `place` began anew: no snapshot that is under way can become whole any more. */
void cl_drop_recordings(struct cl_member *self, struct effects *out);
/* Sends the markers that the ablation "marker-not-first" kept back. */
void cl_send_due_markers(struct cl_member *self, struct effects *out);

/* ---- check ---- */

const char *cl_check(void *self);

/* ---- print, canonical state ---- */

void cl_print(const void *self, struct text *out);
void cl_canonical(const void *self, struct canon *out);

#endif
