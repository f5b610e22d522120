/* Anti-entropy: events of a member, and the protocol's table. The header describes the protocol. */
#include "protocol/replica/anti_entropy.h"

#include "base/panic.h"
#include "protocol/replica/anti_entropy_member.h"

enum {
    /* Deliveries, mail, a digest's answer with its bursts, refusals of a whole queue, and a checkpoint. */
    EFFECTS_MAX = AE_DELIVERIES_MAX + AE_BURST_MAX + ANTI_ENTROPY_QUEUE_MAX + 24,
    REASON_SIZE_MAX = 160,
    LOG_CAPACITY_MIN = 64,
};

static const struct field digest_fields[] = {MESSAGE_FIELDS(ae_digest, AE_DIGEST_FIELDS)};
static const struct field updates_fields[] = {MESSAGE_FIELDS(ae_updates, AE_UPDATES_FIELDS)};
static const struct field update_fields[] = {MESSAGE_FIELDS(ae_update, AE_UPDATE_FIELDS)};

static const struct message_type message_types[AE_MESSAGES] = {
    [AE_DIGEST] = MESSAGE_TYPE("DIGEST", ae_digest, digest_fields),
    [AE_UPDATES] = MESSAGE_TYPE("UPDATES", ae_updates, updates_fields),
};

static const struct message_type record_types[AE_RECORDS] = {
    [AE_RECORD_UPDATE] = MESSAGE_TYPE("UPDATE", ae_update, update_fields),
};

const struct message_table ae_messages = {.types = message_types, .count = AE_MESSAGES};
const struct message_table ae_records = {.types = record_types, .count = AE_RECORDS};

/* ---- events ---- */

static void on_start(struct ae_member *self, const struct event_start *start, struct effects *out)
{
    self->started = true;
    self->incarnation = start->incarnation;
    self->last_position = self->stored = start->position;
    if (start->kind == START_AMNESIAC)
        self->inert = true;
    if (self->inert) {
        effect_note(out, "inert: what it stored is lost", 0);
        return;
    }
    effect_view(out, start->incarnation, self->spec->self); /* everybody takes what is asked of it */
    ae_arm_digests(self, out);
}

static void on_message(struct ae_member *self, const struct event_message *message, struct effects *out)
{
    int from = spec_member_place(self->spec, message->from.node);
    if (from < 0 || (uint32_t)from == self->place || message->slot != 0 || message->type >= AE_MESSAGES ||
        self->inert || !self->started)
        return;
    switch ((enum ae_message)message->type) {
    case AE_DIGEST:
        ae_on_digest(self, (uint32_t)from, message->body, out);
        break;
    case AE_UPDATES:
        ae_on_updates(self, (uint32_t)from, message->body, out);
        break;
    case AE_MESSAGES:
        break;
    }
}

static void step(void *state, const struct event *event, struct effects *out)
{
    struct ae_member *self = state;
    self->now_ns = event->now_ns;
    self->wall_ns = event->wall_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        ae_on_restore(self, &event->restore);
        return;
    case EVENT_START:
        on_start(self, &event->start, out);
        break;
    case EVENT_STORED:
        self->stored = event->stored.position;
        self->room = event->stored.room_bytes > 0;
        break;
    case EVENT_RESULT:
        ae_on_result(self, &event->result, out);
        break;
    case EVENT_STATE:
        ae_on_state(self, &event->state);
        break;
    case EVENT_MESSAGE:
        on_message(self, &event->message, out);
        break;
    case EVENT_REQUEST:
        ae_on_request(self, &event->request, out);
        break;
    case EVENT_TIMEOUT:
        if (!self->inert && event->timeout.name == AE_TIMER_DIGEST)
            ae_on_digest_due(self, event->timeout.key, out);
        break;
    case EVENT_PEER: /* a hint that nobody needs: digests find out */
    case EVENT_TURN:
        break;
    }
    ae_deliver(self, out);
    ae_requests_advance(self, out);
    ae_checkpoint_when_due(self, out);
}

/* ---- making ---- */

static uint32_t log_capacity(const struct group_spec *spec)
{
    return spec->tuning.log_entries_max > LOG_CAPACITY_MIN ? spec->tuning.log_entries_max : LOG_CAPACITY_MIN;
}

/* Half of the log is for the own updates of all members, each its part; the other half for those that have left the logs
 * of their origins and not yet this one. */
uint32_t anti_entropy_own_max(const struct group_spec *spec)
{
    uint32_t part = log_capacity(spec) / (2 * (spec->member_count + 1));
    return part > 0 ? part : 1;
}

static size_t heap_bytes(const struct group_spec *spec)
{
    size_t count = spec->member_count;
    return HEAP_REGION_SIZE_MIN + sizeof(struct ae_member) + log_capacity(spec) * sizeof(struct ae_entry) +
           (count * count + 4 * count) * 8 + ae_part_size(spec) + 2 * AE_QUEUE_BYTES + 4 * ANTI_ENTROPY_BYTES_MAX +
           ((size_t)64 << 10);
}

static uint32_t effects_max(const struct group_spec *spec)
{
    return EFFECTS_MAX + spec->member_count; /* START arms a timer for each */
}

static size_t scratch_max(const struct group_spec *spec)
{
    return (size_t)effects_max(spec) * EFFECT_SCRATCH_SIZE_MAX + (size_t)ANTI_ENTROPY_QUEUE_MAX * (REASON_SIZE_MAX + 8) +
           4 * ((size_t)spec->member_count * 8 + 8);
}

static void *allocate(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size() counts what create() needs");
    return block;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct ae_member *self = allocate(heap, sizeof *self);
    uint32_t count = spec->member_count;
    self->heap = heap;
    self->spec = spec;
    random_seed(&self->random, seed);
    self->room = true;
    self->count = count;
    self->place = (uint32_t)spec_member_place(spec, spec->self);
    self->log_capacity = log_capacity(spec);
    self->log = heap_alloc(heap, self->log_capacity * sizeof *self->log); /* written before it is read */
    invariant(self->log != NULL, "heap_size() counts what create() needs");
    self->have = allocate(heap, count * sizeof *self->have);
    self->delivered = allocate(heap, count * sizeof *self->delivered);
    self->seen = allocate(heap, count * sizeof *self->seen);
    self->known = allocate(heap, (size_t)count * count * sizeof *self->known);
    self->part = allocate(heap, ae_part_size(spec));
    self->numbers = allocate(heap, (size_t)count * 8);
    self->others = allocate(heap, count * sizeof *self->others);
    for (uint32_t i = 0, at = 0; i < count; i++)
        if (i != self->place)
            self->others[at++] = spec->members[i];
    return self;
}

static const char *const ablations[] = {
    [AE_ACK_BEFORE_STORED] = "ack-before-stored",
    [AE_DELIVER_OUT_OF_ORDER] = "deliver-out-of-order",
    [AE_EXECUTE_DUPLICATES] = "execute-duplicates",
    [AE_DIGEST_NOT_EXCHANGED] = "digest-not-exchanged",
    [AE_WAIT_FOR_OTHERS] = "wait-for-others",
    [AE_PRUNE_TOO_EARLY] = "prune-too-early",
    NULL,
};

const struct protocol anti_entropy_protocol = {
    .name = "anti-entropy",
    .question = "replica",
    .summary = "Every member takes updates at any time, also alone, and all of them come to hold the same.",
    .order = ORDER_FIFO,
    .atomic = false,
    .durable = false, /* of one member's disk when it is answered: that survives crashes, but not that disk's loss */
    .masks = MASKS_TIMING,
    .members_for_k = MEMBERS_ANY, /* each answers alone, whoever is away */
    .maturity = MATURITY_LAB,
    .messages = {.types = message_types, .count = AE_MESSAGES},
    .records = {.types = record_types, .count = AE_RECORDS},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = ae_check,
    .status = ae_status,
    .progress = ae_progress,
    .print = ae_print,
    .canonical = ae_canonical,
};
