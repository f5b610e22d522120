/* Chandy-Lamport snapshots: events, the services' messages, and the protocol's table. The header describes it. */
#include "protocol/recover/chandy_lamport.h"

#include "base/panic.h"
#include "contract/command.h"
#include "protocol/recover/chandy_lamport_member.h"

/* ---- tables ---- */

static const struct field data_fields[] = {MESSAGE_FIELDS(fifo_data, FIFO_DATA_FIELDS)};
static const struct field ack_fields[] = {MESSAGE_FIELDS(fifo_ack, FIFO_ACK_FIELDS)};
static const struct field channel_fields[] = {MESSAGE_FIELDS(cl_channel, CL_CHANNEL_FIELDS)};
static const struct field complete_fields[] = {MESSAGE_FIELDS(cl_complete, CL_COMPLETE_FIELDS)};

static const struct message_type message_types[CL_MESSAGES] = {
    [CL_DATA] = MESSAGE_TYPE("DATA", fifo_data, data_fields),
    [CL_ACK] = MESSAGE_TYPE("ACK", fifo_ack, ack_fields),
};
static const struct message_type record_types[CL_RECORDS] = {
    [CL_RECORD_CHANNEL] = MESSAGE_TYPE("CHANNEL", cl_channel, channel_fields),
    [CL_RECORD_COMPLETE] = MESSAGE_TYPE("COMPLETE", cl_complete, complete_fields),
};
const struct message_table cl_messages = {.types = message_types, .count = CL_MESSAGES};
const struct message_table cl_records = {.types = record_types, .count = CL_RECORDS};

uint64_t cl_store(struct cl_member *self, struct effects *out, enum cl_record type, const void *body)
{
    self->last_position = effect_store(out, &cl_records, CL_SLOT_OWN, (uint16_t)type, body);
    return self->last_position;
}

bool cl_quiet(const struct cl_member *self)
{
    return self->outstanding == 0 && !self->checkpointing;
}

/* ---- the services' messages ---- */

static void on_call(struct cl_member *self, const struct event_request *request, struct effects *out)
{
    int place = spec_member_place(self->spec, request->to.node);
    if (place < 0)
        return; /* no member of this group */
    const struct fifo_data frame = {
        .kind = CL_FRAME_MESSAGE, .number = self->sent[place] + 1, .bytes = request->bytes};
    if (fifo_send(self->fifo, (uint32_t)place, &frame, self->now_ns, out)) {
        self->sent[place]++;
    } else {
        self->dropped++;
        effect_note(out, "channel full: message dropped", request->to.node);
    }
}

/* The answer comes back as RESULT: that is how the member knows that the delivery, and its calls, are over. */
static void deliver(struct cl_member *self, struct effect_deliver *effect)
{
    effect->result = true;
    effect->tag = cl_tag(self, CL_TAG_MESSAGE);
    self->outstanding++;
}

static void on_app_message(struct cl_member *self, uint32_t place, const struct fifo_data *frame,
                           struct effects *out)
{
    struct bundle bundle;
    if (!bundle_open(frame->bytes, &bundle) || bundle.count != 1 || bundle.level > COMMAND_LEVEL)
        return;
    self->received[place]++;
    if (frame->number > self->highest[place])
        self->highest[place] = frame->number;
    /* The frame's bytes go with it, and the effects are interpreted after this step. */
    struct span bytes = effects_copy(out, frame->bytes.data, frame->bytes.size);
    cl_record_message(self, place, bytes, out);
    if (self->wall_ns > self->time_ns)
        self->time_ns = self->wall_ns;
    deliver(self, effect_deliver_bytes(out, DELIVER_UPDATE, ++self->index, self->time_ns, bytes));
}

/* ---- the turn ---- */

/* Handles the frame at the front of a channel. False: it is a first marker, and the member must fall quiet first. */
static bool on_frame(struct cl_member *self, uint32_t place, const struct fifo_data *frame, struct effects *out)
{
    switch ((enum cl_frame)frame->kind) {
    case CL_FRAME_MESSAGE:
        on_app_message(self, place, frame, out);
        return true;
    case CL_FRAME_MARKER:
        return cl_on_marker(self, place, frame, out);
    case CL_FRAME_REPORT:
        cl_on_report(self, place, frame, out);
        return true;
    }
    return true; /* a kind that nobody of ours sends */
}

/* Takes up to `room` frames from one channel; returns how many. Sets `held` when it meets a first marker. */
static uint32_t drain_channel(struct cl_member *self, uint32_t place, uint32_t room, struct effects *out)
{
    struct fifo_data frame;
    uint32_t taken = 0;
    while (taken < room && fifo_peek(self->fifo, place, &frame)) {
        if (!on_frame(self, place, &frame, out)) {
            self->held = (int)place;
            break;
        }
        fifo_pop(self->fifo, place);
        taken++;
    }
    return taken;
}

/* While a marker waits, or a snapshot of the own is to begin, nothing is taken: so the service falls quiet. */
static void drain(struct cl_member *self, struct effects *out)
{
    uint32_t room = CL_FRAMES_A_TURN_MAX;
    if (self->held != CL_NOBODY) {
        uint32_t place = (uint32_t)self->held;
        self->held = CL_NOBODY;
        room -= drain_channel(self, place, 1, out);
    }
    uint32_t count = self->spec->member_count;
    for (uint32_t i = 0; i < count && room > 0 && self->held == CL_NOBODY && !self->gathering.wanted; i++)
        room -= drain_channel(self, i, room, out);
    if (room == 0)
        effect_again(out);
}

static void on_turn(struct cl_member *self, struct effects *out)
{
    if (self->room) { /* what is taken may have to be recorded; untaken it waits with its sender */
        cl_begin_when_wanted(self, out);
        drain(self, out);
    }
    fifo_turn(self->fifo, out);
}

/* ---- requests ---- */

/* Refuses the numbers from `from` on that were not handed in before: a host that is not answered for a while hands the
 * same ones in again, and those are under way or answered. */
static void refuse(struct cl_member *self, const struct event_request *request, uint64_t from, const char *why,
                   struct effects *out)
{
    uint64_t end = request->first_number + request->count;
    if (from <= self->highest_number)
        from = self->highest_number + 1;
    if (from < end)
        effect_reply(out, REPLY_REFUSED, false, from, (uint32_t)(end - from), span_string(why));
    if (end > self->highest_number + 1)
        self->highest_number = end - 1;
}

/* The first command of the bundle is the question of a snapshot; the others find this member busy. */
static void on_update(struct cl_member *self, const struct event_request *request, struct effects *out)
{
    struct bundle bundle;
    struct command command;
    uint64_t first = request->first_number;
    if (!bundle_open(request->bytes, &bundle) || bundle.count == 0 || bundle.level > COMMAND_LEVEL) {
        refuse(self, request, first, "ERR malformed bundle", out);
        return;
    }
    struct span rest = bundle.commands;
    if (self->gathering.active || first <= self->highest_number || !command_next(&rest, &command)) {
        refuse(self, request, first, "BUSY a snapshot of this member is under way", out);
        return;
    }
    if (command.whole.size > CL_QUESTION_BYTES_MAX - BUNDLE_HEADER_SIZE) {
        refuse(self, request, first, "TOOLARGE the command is larger than the question of a snapshot may be", out);
        return;
    }
    uint8_t question[CL_QUESTION_BYTES_MAX];
    struct bundle header = bundle;
    header.count = 1;
    bundle_header_write(question, &header);
    memcpy(question + BUNDLE_HEADER_SIZE, command.whole.data, command.whole.size);
    cl_want_snapshot(self, span_of(question, BUNDLE_HEADER_SIZE + command.whole.size), true, first, out);
    refuse(self, request, first + 1, "BUSY a snapshot of this member is under way", out);
}

static void on_request(struct cl_member *self, const struct event_request *request, struct effects *out)
{
    switch (request->kind) {
    case REQUEST_UPDATE:
        on_update(self, request, out);
        break;
    case REQUEST_READ: /* the own member's state: there is no other order to speak of */
        effect_deliver_reads(out, self->index, self->time_ns, request->first_number, request->count);
        break;
    case REQUEST_COUNT:
        effect_reply(out, REPLY_COUNT, false, request->first_number, request->count, (struct span){0})->count_stored =
            1;
        break;
    case REQUEST_CALL:
        on_call(self, request, out);
        break;
    }
}

/* ---- restart ---- */

static void on_restore(struct cl_member *self, const struct event_restore *restore)
{
    switch (restore->kind) {
    case RESTORE_PART:
        self->index = restore->index;
        self->restored.known = restore->part.size == sizeof self->part;
        if (self->restored.known) {
            self->restored.initiator = (uint32_t)load_u64(restore->part.data);
            self->restored.number = load_u64(restore->part.data + 8);
        }
        break;
    case RESTORE_RECORD:
        if (self->restored.known && restore->type == CL_RECORD_CHANNEL) {
            const struct cl_channel *message = restore->body;
            if (message->initiator == self->restored.initiator && message->number == self->restored.number &&
                self->restored.count < CL_RESTORED_MAX)
                self->restored.positions[self->restored.count++] = restore->position;
        }
        break;
    case RESTORE_GAP: /* what is lost belongs to a snapshot that is then not whole: start without it */
        self->restored.count = 0;
        break;
    }
}

static void arm_period(struct cl_member *self, struct effects *out)
{
    int64_t period_ns = 20 * self->spec->tuning.election_timeout_ns;
    effect_arm(out, CL_SLOT_OWN, CL_TIMER_PERIOD, 0,
               self->now_ns + period_ns + random_between(&self->random, 0, period_ns / 4));
}

static void on_start(struct cl_member *self, const struct event_start *start, struct effects *out)
{
    self->started = true;
    self->incarnation = start->incarnation;
    self->last_position = start->position;
    self->gathering.number = start->incarnation << 32; /* numbers rise over lives without being stored */
    effect_view(out, start->incarnation, self->spec->self);
    /* The state is that of the recorded cut; now come the messages that were in the channels. */
    for (uint32_t i = 0; i < self->restored.count; i++)
        deliver(self,
                effect_deliver_record(out, ++self->index, self->time_ns, self->restored.positions[i]));
    if (self->spec->members[0] == self->spec->self)
        arm_period(self, out);
}

/* ---- events ---- */

/* When a peer has come back in a new life, both count their messages from one again. */
static void begin_anew_with(struct cl_member *self, uint32_t node, struct effects *out)
{
    int place = spec_member_place(self->spec, node);
    uint64_t life = place < 0 ? 0 : fifo_peer_incarnation(self->fifo, (uint32_t)place);
    if (place < 0 || life == self->lives[place])
        return;
    bool first = self->lives[place] == 0;
    self->lives[place] = life;
    if (first)
        return;
    self->sent[place] = self->received[place] = self->highest[place] = 0;
    cl_drop_recordings(self, out);
}

static void on_message(struct cl_member *self, const struct event_message *message, struct effects *out)
{
    if (message->slot != CL_SLOT_CHANNELS)
        return;
    if (message->type == CL_DATA)
        fifo_on_data(self->fifo, message);
    else if (message->type == CL_ACK)
        fifo_on_ack(self->fifo, message, self->now_ns, out);
    begin_anew_with(self, message->from.node, out);
}

static void on_timeout(struct cl_member *self, const struct event_timeout *timeout, struct effects *out)
{
    if (timeout->slot == CL_SLOT_CHANNELS) {
        fifo_on_timeout(self->fifo, timeout->key, self->now_ns, out);
    } else if (timeout->name == CL_TIMER_PERIOD) {
        if (!self->gathering.active)
            cl_want_snapshot(self, (struct span){0}, false, 0, out);
        arm_period(self, out);
    } else if (timeout->name == CL_TIMER_GIVE_UP) {
        cl_on_give_up(self, timeout->key, out);
    } else if (timeout->name == CL_TIMER_MARKERS) {
        cl_send_due_markers(self, out);
    }
}

static void on_result(struct cl_member *self, const struct event_result *result, struct effects *out)
{
    if ((result->tag & 1) == CL_TAG_QUESTION)
        cl_on_answer(self, result, out);
    else if (self->outstanding > 0)
        self->outstanding--;
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct cl_member *self = state;
    self->now_ns = event->now_ns;
    self->wall_ns = event->wall_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        on_restore(self, &event->restore);
        break;
    case EVENT_START:
        on_start(self, &event->start, out);
        break;
    case EVENT_STORED:
        self->room = event->stored.room_bytes > 0;
        break;
    case EVENT_PEER:
        break;
    case EVENT_RESULT:
        on_result(self, &event->result, out);
        break;
    case EVENT_STATE:
        self->checkpointing = false;
        break;
    case EVENT_MESSAGE:
        on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        on_request(self, &event->request, out);
        break;
    case EVENT_TIMEOUT:
        on_timeout(self, &event->timeout, out);
        break;
    case EVENT_TURN:
        on_turn(self, out);
        break;
    }
}

/* ---- the table ---- */

static size_t snapshot_bytes(const struct group_spec *spec)
{
    return sizeof(struct cl_snapshot) + (size_t)spec->member_count * (sizeof(bool) + 5 * sizeof(uint64_t)) +
           4 * (2 * CL_QUESTION_BYTES_MAX + CL_RECORDED_BYTES_MAX) + 1024;
}

static size_t heap_bytes(const struct group_spec *spec)
{
    size_t each = snapshot_bytes(spec) + 6 * (sizeof(uint64_t) + 16) + 4 * FIFO_FRAME_BYTES_MAX;
    return HEAP_REGION_SIZE_MIN + sizeof(struct cl_member) + 2 * fifo_heap_size(spec) + spec->member_count * each +
           ((size_t)64 << 10);
}

/* In one TURN every frame may be a first marker, or a message that every snapshot records; a marker or a report sends
 * on channels whose window may be empty. */
static uint32_t effects_max(const struct group_spec *spec)
{
    uint32_t a_frame = 8 + FIFO_EFFECTS_MAX + spec->member_count * (2 + FIFO_EFFECTS_MAX);
    return CL_RESTORED_MAX + 8 + spec->member_count + (CL_FRAMES_A_TURN_MAX + 1) * a_frame;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX +
           (CL_FRAMES_A_TURN_MAX + 1) * (size_t)(FIFO_FRAME_BYTES_MAX + 8);
}

static void *allocate(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size() counts what create() needs");
    return block;
}

static uint64_t *counters(struct heap *heap, const struct group_spec *spec)
{
    return allocate(heap, spec->member_count * sizeof(uint64_t));
}

static void snapshot_init(struct cl_snapshot *snapshot, struct heap *heap, const struct group_spec *spec)
{
    snapshot->recording = allocate(heap, spec->member_count * sizeof(bool));
    snapshot->sent = counters(heap, spec);
    snapshot->received = counters(heap, spec);
    snapshot->highest = counters(heap, spec);
    snapshot->recorded = counters(heap, spec);
    snapshot->closed_at = counters(heap, spec);
    buffer_init(&snapshot->question, heap);
    buffer_init(&snapshot->answer, heap);
    buffer_init(&snapshot->messages, heap);
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct cl_member *self = allocate(heap, sizeof *self);
    self->heap = heap;
    self->spec = spec;
    self->held = CL_NOBODY;
    self->room = true;
    random_seed(&self->random, seed);
    self->sent = counters(heap, spec);
    self->received = counters(heap, spec);
    self->highest = counters(heap, spec);
    self->checked = counters(heap, spec);
    self->lives = counters(heap, spec);
    self->snapshots = allocate(heap, spec->member_count * sizeof *self->snapshots);
    for (uint32_t i = 0; i < spec->member_count; i++)
        snapshot_init(&self->snapshots[i], heap, spec);
    self->gathering.reported = allocate(heap, spec->member_count * sizeof(bool));
    buffer_init(&self->gathering.question, heap);
    buffer_init(&self->gathering.parts, heap);
    self->fifo = fifo_create(heap, spec,
                             &(struct fifo_config){.messages = &cl_messages,
                                                   .data_type = CL_DATA,
                                                   .ack_type = CL_ACK,
                                                   .slot = CL_SLOT_CHANNELS,
                                                   .timer_name = CL_TIMER_CHANNELS,
                                                   .unordered = cl_ablated(self, CL_NON_FIFO)});
    return self;
}

static void status(const void *state, struct member_status *out)
{
    const struct cl_member *self = state;
    bool recording = false;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        recording = recording || self->snapshots[i].state == CL_RECORDING;
    *out = (struct member_status){.role = recording ? "recording" : "member",
                                  .term = self->incarnation,
                                  .orderer = self->spec->self,
                                  .commit_index = self->index,
                                  .applied_index = self->index,
                                  .last_index = self->index,
                                  .voter = true};
}

static bool progress(const void *state, uint32_t place, struct member_progress *out)
{
    (void)state;
    (void)place;
    (void)out;
    return false; /* members do not follow one another */
}

static const char *const ablations[] = {
    [CL_MARKER_NOT_FIRST] = "marker-not-first",
    [CL_CHANNEL_NOT_RECORDED] = "channel-not-recorded",
    [CL_NON_FIFO] = "non-fifo",
    [CL_RECORD_WITHOUT_QUIET] = "record-without-quiet",
    NULL,
};

const struct protocol chandy_lamport_protocol = {
    .name = "chandy-lamport",
    .question = "recover",
    .summary = "Members' services talk over FIFO channels, and consistent snapshots of states and channels are taken.",
    .order = ORDER_FIFO,
    .atomic = false,
    .durable = false,
    .masks = MASKS_NOTHING,
    .members_for_k = MEMBERS_ANY,
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = CL_MESSAGES},
    .records = {.types = record_types, .count = CL_RECORDS},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = cl_check,
    .status = status,
    .progress = progress,
    .print = cl_print,
    .canonical = cl_canonical,
};
