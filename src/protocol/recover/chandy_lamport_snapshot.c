/* Recording, completing and gathering of snapshots (chandy_lamport.h). */
#include "base/panic.h"
#include "contract/command.h"
#include "contract/reply.h"
#include "protocol/recover/chandy_lamport_member.h"

/* ---- recording ---- */

static void send_marker(struct cl_member *self, int initiator, uint32_t to, struct effects *out)
{
    const struct cl_snapshot *snapshot = &self->snapshots[initiator];
    const struct fifo_data marker = {.kind = CL_FRAME_MARKER,
                                     .node = self->spec->members[initiator],
                                     .number = snapshot->number,
                                     .bytes = buffer_span(&snapshot->question)};
    if (!fifo_send(self->fifo, to, &marker, self->now_ns, out)) {
        self->dropped++;
        effect_note(out, "channel full: marker dropped", to);
    }
}

static void send_markers(struct cl_member *self, int initiator, struct effects *out)
{
    self->snapshots[initiator].markers_due = false;
    for (uint32_t to = 0; to < self->spec->member_count; to++)
        send_marker(self, initiator, to, out);
}

void cl_send_due_markers(struct cl_member *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        if (self->snapshots[i].markers_due)
            send_markers(self, (int)i, out);
}

/* The question is delivered, as read, right after CHECKPOINT: so it sees the state that is recorded. */
static void ask(struct cl_member *self, struct cl_snapshot *snapshot, struct effects *out)
{
    snapshot->asked = snapshot->question.size > 0;
    snapshot->answered = !snapshot->asked;
    if (!snapshot->asked)
        return;
    struct span question = effects_copy(out, snapshot->question.data, snapshot->question.size);
    struct effect_deliver *deliver =
        effect_deliver_bytes(out, DELIVER_READ, self->index, self->time_ns, question);
    deliver->result = true;
    deliver->tag = snapshot->tag = cl_tag(self, CL_TAG_QUESTION);
}

static void checkpoint(struct cl_member *self, uint32_t initiator, uint64_t number, struct effects *out)
{
    if (self->checkpointing)
        return; /* only with the rule of quiet switched off */
    store_u64(self->part, initiator);
    store_u64(self->part + 8, number);
    self->checkpointing = true;
    effect_checkpoint(out, self->last_position + 1, span_of(self->part, sizeof self->part));
}

/* Records the own state and sends the markers, before anything else. All channels are recorded from now on but the one
 * that the first marker came on, whose state is empty. */
static void record(struct cl_member *self, int initiator, uint64_t number, struct span question, struct effects *out)
{
    struct cl_snapshot *snapshot = &self->snapshots[initiator];
    snapshot->state = CL_RECORDING;
    snapshot->number = number;
    snapshot->index = self->index;
    snapshot->recorded_count = 0;
    snapshot->open = self->spec->member_count;
    buffer_clear(&snapshot->messages);
    buffer_clear(&snapshot->answer);
    buffer_clear(&snapshot->question);
    if (!buffer_append(&snapshot->question, question.data, question.size))
        effect_note(out, "out of memory: a snapshot is taken without its question", number);
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        snapshot->recording[i] = true;
        snapshot->sent[i] = self->sent[i];
        snapshot->received[i] = self->received[i];
        snapshot->highest[i] = self->highest[i];
        snapshot->recorded[i] = 0;
        snapshot->closed_at[i] = 0;
    }
    effect_note(out, "state recorded", number);
    checkpoint(self, self->spec->members[initiator], number, out);
    ask(self, snapshot, out);
    if (cl_ablated(self, CL_MARKER_NOT_FIRST)) {
        snapshot->markers_due = true;
        effect_arm(out, CL_SLOT_OWN, CL_TIMER_MARKERS, 0, self->now_ns + self->spec->tuning.heartbeat_ns);
    } else {
        send_markers(self, initiator, out);
    }
}

static void record_in(struct cl_member *self, int initiator, uint32_t place, struct span bundle, struct effects *out)
{
    struct cl_snapshot *snapshot = &self->snapshots[initiator];
    if (snapshot->state != CL_RECORDING || !snapshot->recording[place] || cl_ablated(self, CL_CHANNEL_NOT_RECORDED))
        return;
    const struct cl_channel message = {.initiator = self->spec->members[initiator],
                                       .number = snapshot->number,
                                       .from = self->spec->members[place],
                                       .bundle = bundle};
    cl_store(self, out, CL_RECORD_CHANNEL, &message);
    snapshot->recorded[place]++;
    struct buffer *list = &snapshot->messages;
    if (list->size + bundle.size > CL_RECORDED_BYTES_MAX)
        return; /* it is in the log; the answer to the client shows what fits */
    size_t before = list->size;
    if (reply_array(list, 2) && reply_integer(list, self->spec->members[place]) && reply_bulk(list, bundle))
        snapshot->recorded_count++;
    else
        list->size = before;
}

void cl_record_message(struct cl_member *self, uint32_t place, struct span bundle, struct effects *out)
{
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        record_in(self, (int)i, place, bundle, out);
}

/* ---- completing ---- */

static bool write_report(const struct cl_member *self, const struct cl_snapshot *snapshot, struct buffer *out)
{
    return reply_array(out, 4) && reply_integer(out, self->spec->self) &&
           reply_integer(out, (int64_t)snapshot->index) &&
           (snapshot->answer.size > 0 ? reply_append(out, buffer_span(&snapshot->answer)) : reply_null(out)) &&
           reply_array(out, snapshot->recorded_count) && reply_append(out, buffer_span(&snapshot->messages));
}

static void complete(struct cl_member *self, int initiator, struct effects *out)
{
    struct cl_snapshot *snapshot = &self->snapshots[initiator];
    snapshot->state = CL_COMPLETE;
    const struct cl_complete record = {.initiator = self->spec->members[initiator], .number = snapshot->number};
    cl_store(self, out, CL_RECORD_COMPLETE, &record);
    effect_note(out, "snapshot complete here", snapshot->number);

    struct buffer report;
    buffer_init(&report, self->heap);
    bool sent = write_report(self, snapshot, &report) &&
                fifo_send(self->fifo, (uint32_t)initiator,
                          &(struct fifo_data){.kind = CL_FRAME_REPORT,
                                              .node = record.initiator,
                                              .number = record.number,
                                              .bytes = buffer_span(&report)},
                          self->now_ns, out);
    if (!sent) /* the initiator gives up in time and may begin another */
        effect_note(out, "channel full: report dropped", snapshot->number);
    buffer_free(&report);
}

static void complete_when_done(struct cl_member *self, int initiator, struct effects *out)
{
    const struct cl_snapshot *snapshot = &self->snapshots[initiator];
    if (snapshot->state == CL_RECORDING && snapshot->open == 0 && snapshot->answered)
        complete(self, initiator, out);
}

bool cl_on_marker(struct cl_member *self, uint32_t place, const struct fifo_data *frame, struct effects *out)
{
    int initiator = spec_member_place(self->spec, frame->node);
    if (initiator < 0 || frame->bytes.size > CL_QUESTION_BYTES_MAX)
        return true; /* nobody of ours sends this */
    struct cl_snapshot *snapshot = &self->snapshots[initiator];
    if (frame->number < snapshot->number)
        return true; /* of one that was given up */
    if (frame->number > snapshot->number) {
        if (!cl_quiet(self) && !cl_ablated(self, CL_RECORD_WITHOUT_QUIET))
            return false;
        record(self, initiator, frame->number, frame->bytes, out);
    }
    if (snapshot->state == CL_RECORDING && snapshot->recording[place]) {
        snapshot->recording[place] = false;
        snapshot->closed_at[place] = self->received[place];
        snapshot->open--;
    }
    complete_when_done(self, initiator, out);
    return true;
}

void cl_on_answer(struct cl_member *self, const struct event_result *result, struct effects *out)
{
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        struct cl_snapshot *snapshot = &self->snapshots[i];
        if (!snapshot->asked || snapshot->answered || snapshot->tag != result->tag)
            continue;
        snapshot->answered = true;
        if (result->bytes.size <= CL_QUESTION_BYTES_MAX)
            buffer_append(&snapshot->answer, result->bytes.data, result->bytes.size);
        complete_when_done(self, (int)i, out);
        return;
    }
}

void cl_drop_recordings(struct cl_member *self, struct effects *out)
{
    for (uint32_t i = 0; i < self->spec->member_count; i++) {
        struct cl_snapshot *snapshot = &self->snapshots[i];
        if (snapshot->state == CL_NONE)
            continue;
        if (snapshot->state == CL_RECORDING)
            effect_note(out, "a peer began anew: snapshot given up here", snapshot->number);
        snapshot->state = CL_NONE; /* its counters are of another life; its number keeps its old markers out */
        snapshot->open = 0;
        for (uint32_t j = 0; j < self->spec->member_count; j++)
            snapshot->recording[j] = false;
    }
}

/* ---- the initiator ---- */

static uint32_t own_place(const struct cl_member *self)
{
    int place = spec_member_place(self->spec, self->spec->self);
    invariant(place >= 0, "a member is one of its group");
    return (uint32_t)place;
}

void cl_want_snapshot(struct cl_member *self, struct span question, bool for_client, uint64_t request_number,
                      struct effects *out)
{
    struct cl_gathering *gathering = &self->gathering;
    buffer_clear(&gathering->question);
    buffer_clear(&gathering->parts);
    if (!buffer_append(&gathering->question, question.data, question.size))
        effect_note(out, "out of memory: a snapshot is taken without its question", 0);
    gathering->active = gathering->wanted = true;
    gathering->for_client = for_client;
    gathering->request_number = request_number;
    gathering->number++;
    gathering->reports = 0;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        gathering->reported[i] = false;
    effect_arm(out, CL_SLOT_OWN, CL_TIMER_GIVE_UP, gathering->number,
               self->now_ns + 20 * self->spec->tuning.election_timeout_ns);
}

void cl_begin_when_wanted(struct cl_member *self, struct effects *out)
{
    struct cl_gathering *gathering = &self->gathering;
    if (!gathering->wanted || (!cl_quiet(self) && !cl_ablated(self, CL_RECORD_WITHOUT_QUIET)))
        return;
    gathering->wanted = false;
    record(self, (int)own_place(self), gathering->number, buffer_span(&gathering->question), out);
}

static void finish(struct cl_member *self, struct effects *out)
{
    struct cl_gathering *gathering = &self->gathering;
    gathering->active = false;
    gathering->completed++;
    effect_disarm(out, CL_SLOT_OWN, CL_TIMER_GIVE_UP, gathering->number);
    effect_note(out, "snapshot complete", gathering->number);
    if (gathering->for_client)
        effect_reply(out, REPLY_ANSWER, false, gathering->request_number, 1, buffer_span(&gathering->parts));
}

void cl_on_report(struct cl_member *self, uint32_t place, const struct fifo_data *frame, struct effects *out)
{
    struct cl_gathering *gathering = &self->gathering;
    if (!gathering->active || frame->node != self->spec->self || frame->number != gathering->number ||
        gathering->reported[place])
        return;
    gathering->reported[place] = true;
    bool kept = gathering->reports > 0 || reply_array(&gathering->parts, self->spec->member_count);
    kept = kept && reply_append(&gathering->parts, frame->bytes);
    if (!kept) {
        cl_on_give_up(self, gathering->number, out);
        return;
    }
    if (++gathering->reports == self->spec->member_count)
        finish(self, out);
}

void cl_on_give_up(struct cl_member *self, uint64_t number, struct effects *out)
{
    struct cl_gathering *gathering = &self->gathering;
    if (!gathering->active || gathering->number != number)
        return;
    gathering->active = gathering->wanted = false;
    effect_note(out, "snapshot given up", number);
    if (gathering->for_client)
        effect_reply(out, REPLY_REFUSED, false, gathering->request_number, 1,
                     span_string("TIMEOUT the snapshot did not complete in time"));
}
