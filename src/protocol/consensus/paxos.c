/* Multi-Paxos: tables, sizes, creation and the dispatch of events (paxos.h tells what the other files hold). */
#include "contract/command.h"
#include "protocol/consensus/paxos_internal.h"

#define FIELDS(S, LIST) static const struct field S##_fields[] = {MESSAGE_FIELDS(S, LIST)};
FIELDS(paxos_prepare, PAXOS_PREPARE_FIELDS)
FIELDS(paxos_promise, PAXOS_PROMISE_FIELDS)
FIELDS(paxos_accept, PAXOS_ACCEPT_FIELDS)
FIELDS(paxos_accepted, PAXOS_ACCEPTED_FIELDS)
FIELDS(paxos_nack, PAXOS_NACK_FIELDS)
FIELDS(paxos_beat_ack, PAXOS_BEAT_ACK_FIELDS)
FIELDS(leader_forward, LEADER_FORWARD_FIELDS)
FIELDS(leader_refuse, LEADER_REFUSE_FIELDS)
FIELDS(leader_read, LEADER_READ_FIELDS)
FIELDS(leader_read_ack, LEADER_READ_ACK_FIELDS)
FIELDS(leader_count, LEADER_COUNT_FIELDS)
FIELDS(leader_count_ack, LEADER_COUNT_ACK_FIELDS)
FIELDS(paxos_install, PAXOS_INSTALL_FIELDS)
FIELDS(paxos_recover, PAXOS_RECOVER_FIELDS)
FIELDS(paxos_recover_ack, PAXOS_RECOVER_ACK_FIELDS)
FIELDS(paxos_entry, PAXOS_ENTRY_FIELDS)
FIELDS(paxos_state, PAXOS_STATE_FIELDS)
FIELDS(paxos_renew, PAXOS_RENEW_FIELDS)
FIELDS(paxos_part, PAXOS_PART_FIELDS)

static const struct message_type message_types[] = {
    [PAXOS_PREPARE] = MESSAGE_TYPE("PREPARE", paxos_prepare, paxos_prepare_fields),
    [PAXOS_PROMISE] = MESSAGE_TYPE("PROMISE", paxos_promise, paxos_promise_fields),
    [PAXOS_ACCEPT] = MESSAGE_TYPE("ACCEPT", paxos_accept, paxos_accept_fields),
    [PAXOS_ACCEPTED] = MESSAGE_TYPE("ACCEPTED", paxos_accepted, paxos_accepted_fields),
    [PAXOS_NACK] = MESSAGE_TYPE("NACK", paxos_nack, paxos_nack_fields),
    [PAXOS_BEAT_ACK] = MESSAGE_TYPE("BEAT_ACK", paxos_beat_ack, paxos_beat_ack_fields),
    [PAXOS_FORWARD] = MESSAGE_TYPE("FORWARD", leader_forward, leader_forward_fields),
    [PAXOS_REFUSE] = MESSAGE_TYPE("REFUSE", leader_refuse, leader_refuse_fields),
    [PAXOS_READ] = MESSAGE_TYPE("READ", leader_read, leader_read_fields),
    [PAXOS_READ_ACK] = MESSAGE_TYPE("READ_ACK", leader_read_ack, leader_read_ack_fields),
    [PAXOS_COUNT] = MESSAGE_TYPE("COUNT", leader_count, leader_count_fields),
    [PAXOS_COUNT_ACK] = MESSAGE_TYPE("COUNT_ACK", leader_count_ack, leader_count_ack_fields),
    [PAXOS_INSTALL] = MESSAGE_TYPE("INSTALL", paxos_install, paxos_install_fields),
    [PAXOS_RECOVER] = MESSAGE_TYPE("RECOVER", paxos_recover, paxos_recover_fields),
    [PAXOS_RECOVER_ACK] = MESSAGE_TYPE("RECOVER_ACK", paxos_recover_ack, paxos_recover_ack_fields),
};
static const struct message_type record_types[] = {
    [PAXOS_ENTRY] = MESSAGE_TYPE("ENTRY", paxos_entry, paxos_entry_fields),
    [PAXOS_STATE] = MESSAGE_TYPE("STATE", paxos_state, paxos_state_fields),
    [PAXOS_RENEW] = MESSAGE_TYPE("RENEW", paxos_renew, paxos_renew_fields),
};
_Static_assert(sizeof message_types / sizeof message_types[0] == PAXOS_MESSAGE_COUNT, "every message is declared");
_Static_assert(sizeof record_types / sizeof record_types[0] == PAXOS_RECORD_COUNT, "every record is declared");

const struct message_table paxos_messages = {message_types, PAXOS_MESSAGE_COUNT};
const struct message_table paxos_records = {record_types, PAXOS_RECORD_COUNT};
const struct message_type paxos_part_type = MESSAGE_TYPE("PART", paxos_part, paxos_part_fields);

uint64_t paxos_store(struct paxos *self, const struct event *event, uint16_t type, const void *body,
                    struct effects *out)
{
    uint64_t position = effect_store(out, &paxos_records, PAXOS_SLOT, type, body);
    own_disk_write(&self->disk, position, event->now_ns);
    return position;
}

static void state_store(struct paxos *self, const struct event *event, uint8_t flags, struct effects *out)
{
    const struct paxos_state record = {
        .sequence = ++self->state_sequence,
        .round = self->promised.round,
        .node = self->promised.node,
        .flags = (uint8_t)(flags | (self->recovering ? PAXOS_RECOVERING : 0)),
    };
    self->state_position = paxos_store(self, event, PAXOS_STATE, &record, out);
    self->state_dirty = false;
}

void paxos_store_loss(struct paxos *self, const struct event *event, struct effects *out)
{
    /* Beyond the sequence of any record that is lost now, should a disk ever find it again. */
    self->state_sequence += UINT64_C(1) << 32;
    state_store(self, event, PAXOS_AFTER_LOSS, out);
}

uint64_t paxos_state_after(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->state_dirty)
        state_store(self, event, 0, out);
    return own_disk_after(&self->disk, self->state_position);
}

void paxos_reject(struct effects *out, const char *why, uint32_t node)
{
    effect_note(out, why, node);
}

bool paxos_entry_sound(const struct paxos_entry *entry)
{
    struct bundle bundle;
    if (entry->slot == 0 || entry->count == 0 || entry->slot == UINT64_MAX)
        return false;
    if (!bundle_open(entry->bundle, &bundle))
        return false;
    return entry->bundle.size == 0 ? entry->count == 1 : bundle.count == entry->count;
}

struct paxos_cell *paxos_take_entry(struct paxos *self, const struct event *event, const struct paxos_entry *entry,
                                    struct paxos_ballot ballot, struct effects *out)
{
    enum { ENTRY_HEAD_SIZE = 49 }; /* encoded fields before the bundle */
    struct paxos_entry record = *entry;
    record.round = ballot.round;
    record.node = ballot.node;
    record.commit = self->commit;
    const struct paxos_cell *held = paxos_window_at(&self->window, entry->slot);
    if (paxos_ballot_compare(ballot, self->promised) > 0)
        self->broken = "PAX-2 accepted in a higher ballot than was promised";
    if (held != NULL && paxos_ballot_compare(ballot, held->ballot) < 0)
        self->broken = "PAX-2 the ballot of an acceptance fell";
    const struct paxos_cell cell = {
        .slot = entry->slot,
        .ballot = ballot,
        .position = paxos_store(self, event, PAXOS_ENTRY, &record, out),
        .time_ns = entry->time,
        .count = entry->count,
        .size = (uint32_t)(RECORD_PREFIX_SIZE + ENTRY_HEAD_SIZE + entry->bundle.size),
        .origin = entry->origin,
        .reported = entry->reported,
    };
    return paxos_window_put(&self->window, &cell);
}

static void on_stored(struct paxos *self, const struct event *event, struct effects *out)
{
    if (!own_disk_stored(&self->disk, &event->stored, event->now_ns))
        return;
    if (self->role == PAXOS_LEADER)
        paxos_lead_stored(self);
    else
        paxos_candidate_stored(self, event, out);
}

static void on_peer(struct paxos *self, const struct event *event, struct effects *out)
{
    struct peer *peer = peers_find(&self->peers, event->peer.node);
    if (peer == NULL || peer->node == self->peers.self_node)
        return;
    if (event->peer.state == PEER_CONNECTED)
        peer->incarnation_open = true;
    if (self->role == PAXOS_LEADER && peer->pace == PACE_STREAM) {
        /* What was on the way is lost, or may be. */
        paxos_stream_from(self, peer, peer->match);
    } else if (self->role == PAXOS_LEADER && event->peer.state == PEER_CONNECTED) {
        peer->paused = false;
    }
    if (event->peer.state == PEER_LOST)
        paxos_peer_lost(self, event, peer->node, out);
}

static void on_timeout(struct paxos *self, const struct event *event, struct effects *out)
{
    if (event->timeout.slot != PAXOS_SLOT)
        return;
    if (event->timeout.name == PAXOS_TIMER_ELECTION)
        paxos_election_timeout(self, event, out);
    else if (event->timeout.name == PAXOS_TIMER_HEARTBEAT)
        paxos_heartbeat(self, event, out);
    else if (event->timeout.name == PAXOS_TIMER_READ)
        paxos_read_timeout(self, event, out);
}

typedef void handler(struct paxos *self, const struct event *event, struct effects *out);

static handler *const handlers[PAXOS_MESSAGE_COUNT] = {
    [PAXOS_PREPARE] = paxos_on_prepare,
    [PAXOS_PROMISE] = paxos_on_promise,
    [PAXOS_ACCEPT] = paxos_on_accept,
    [PAXOS_ACCEPTED] = paxos_on_accepted,
    [PAXOS_NACK] = paxos_on_nack,
    [PAXOS_BEAT_ACK] = paxos_on_beat_ack,
    [PAXOS_FORWARD] = paxos_on_leader_message,
    [PAXOS_REFUSE] = paxos_on_leader_message,
    [PAXOS_READ] = paxos_on_leader_message,
    [PAXOS_READ_ACK] = paxos_on_leader_message,
    [PAXOS_COUNT] = paxos_on_leader_message,
    [PAXOS_COUNT_ACK] = paxos_on_leader_message,
    [PAXOS_INSTALL] = paxos_on_install,
    [PAXOS_RECOVER] = paxos_on_recover,
    [PAXOS_RECOVER_ACK] = paxos_on_recover_ack,
};

static void on_message(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct event_message *message = &event->message;
    struct peer *peer = peers_find(&self->peers, message->from.node);
    if (peer == NULL || peer->node == self->peers.self_node || message->slot != PAXOS_SLOT ||
        message->type >= PAXOS_MESSAGE_COUNT) {
        paxos_reject(out, "rejected: not from a member, or of no known type", message->from.node);
        return;
    }
    enum peer_life life = peers_life(peer, message->incarnation);
    if (life == PEER_FORMER)
        return;
    if (life == PEER_RESTARTED)
        paxos_peer_restarted(self, peer);
    handlers[message->type](self, event, out);
}

/* Everything of this turn is in. The followers come first, so that their disks work while this member's service does
 * (and while its own disk does: node/ writes after it has sent). */
static void on_turn(struct paxos *self, const struct event *event, struct effects *out)
{
    paxos_candidate_turn(self, event, out);
    if (self->role == PAXOS_LEADER)
        paxos_lead_turn(self, event, out);
    else
        paxos_accept_turn(self, event, out);
    paxos_deliver(self, out);
    paxos_read_deliver(self, out);
    paxos_checkpoint(self, out);
}

static void step(void *member, const struct event *event, struct effects *out)
{
    struct paxos *self = member;
    self->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        paxos_restore(self, event);
        return;
    case EVENT_START:
        paxos_start(self, event, out);
        break;
    case EVENT_STORED:
        on_stored(self, event, out);
        break;
    case EVENT_RESULT: /* Paxos asks for no results */
        break;
    case EVENT_STATE:
        paxos_on_state(self, event, out);
        break;
    case EVENT_PEER:
        on_peer(self, event, out);
        break;
    case EVENT_MESSAGE:
        on_message(self, event, out);
        break;
    case EVENT_REQUEST:
        paxos_on_request(self, event, out);
        break;
    case EVENT_TIMEOUT:
        on_timeout(self, event, out);
        break;
    case EVENT_TURN:
        on_turn(self, event, out);
        break;
    }
    if (self->state_dirty)
        state_store(self, event, 0, out);
}

/* Memory comes as a few blocks whose sizes follow from the specification. The heap's own header, its classes' runs
 * and the rounding of each block are covered by an eighth and a fixed sum. */
static size_t heap_bytes(const struct group_spec *spec)
{
    size_t cells = paxos_window_capacity(spec->tuning.log_entries_max);
    size_t bytes = sizeof(struct paxos) + cells * sizeof(struct paxos_cell);
    bytes += peers_bytes(spec) + spec->member_count * sizeof(uint64_t);
    bytes += bytes / 8 + ((size_t)128 << 10);
    return bytes > HEAP_REGION_SIZE_MIN ? bytes : HEAP_REGION_SIZE_MIN;
}

/* The longest steps: an ACCEPT of a new leader (a record each, the promise, all waiting reads handed back, peers that
 * are trusted again), and a TURN (PAXOS_FILLS_MAX no-ops of one who begins to lead, PACING_SENDS_MAX messages, one
 * INSTALL, one answer to a read and one light message a member, deliveries, reads). */
static uint32_t effects_max(const struct group_spec *spec)
{
    return PAXOS_ACCEPT_RECORDS_MAX + PAXOS_FILLS_MAX + PAXOS_DELIVERIES_MAX + 3 * READS_RANGES_MAX + 32 +
           (PACING_SENDS_MAX + 6) * spec->member_count;
}

/* An effect's head is never longer than its struct, aligned; besides there are lists of receivers. */
static size_t scratch_max(const struct group_spec *spec)
{
    return effects_max(spec) * (sizeof(struct paxos_promise) + 32) +
           (size_t)(PACING_SENDS_MAX + 4) * (spec->member_count * sizeof(uint32_t) + 8) + 1024;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct paxos *self = heap_alloc_zero(heap, sizeof *self);
    uint64_t capacity = paxos_window_capacity(spec->tuning.log_entries_max);
    /* Not cleared: the window may be large, and its pages are to be touched only as it grows. */
    struct paxos_cell *ring = heap_alloc(heap, capacity * sizeof *ring);
    invariant(self != NULL && ring != NULL, "heap_size covers what a member takes");
    paxos_window_init(&self->window, ring, capacity);
    random_seed(&self->random, seed);
    self->spec = spec;
    peers_create(&self->peers, heap, spec);
    if (paxos_ablated(self, PAXOS_ABLATION_QUORUM_SMALL) && self->peers.majority > 1)
        self->peers.majority--;
    self->reported = heap_alloc_zero(heap, spec->member_count * sizeof *self->reported);
    invariant(self->reported != NULL, "heap_size covers what a member takes");
    election_timer_create(&self->timer, &self->random, spec->tuning.election_timeout_ns, PAXOS_SLOT,
                          PAXOS_TIMER_ELECTION);
    paxos_request_create(self);
    return self;
}

/* The index of a slot's last command, as far as it is known; of open slots at least that. */
static uint64_t index_of(const struct paxos *self, uint64_t slot)
{
    const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
    if (slot >= self->commit)
        return self->commit_index + (slot - self->commit);
    return cell == NULL ? 0 : cell->index + cell->count - 1;
}

static void status(const void *member, struct member_status *out)
{
    const struct paxos *self = member;
    *out = (struct member_status){
        .role = self->recovering ? "recovering" : paxos_role_name(self->role),
        .term = self->promised.round,
        .orderer = self->leader,
        .commit_index = self->commit_index,
        .applied_index = self->applied_index,
        .last_index = index_of(self, self->window.top > self->commit ? self->window.top : self->commit),
        .voter = !self->recovering,
    };
}

static bool progress(const void *member, uint32_t place, struct member_progress *out)
{
    const struct paxos *self = member;
    if (self->role != PAXOS_LEADER || place + 1 >= self->peers.count)
        return false;
    const struct peer *peer = &self->peers.list[place + (place >= self->peers.self_place)];
    *out = (struct member_progress){peer->node, index_of(self, peer->match), peer->suspected ? 1 : 0};
    return true;
}

static const char *const ablations[] = {
    "promise-not-stored", "accept-not-stored", "choose-own-value", "choose-first-seen", "accept-lower-ballot",
    "quorum-too-small", "no-gap-filling", "learn-before-quorum", "read-without-round", "amnesiac-promises", NULL};

const struct protocol paxos_protocol = {
    .name = "paxos",
    .question = "consensus",
    .summary = "The proposer with the highest ballot that a majority promised fills slots that a majority accepts.",
    .order = ORDER_TOTAL,
    .atomic = true,
    .durable = true,
    .masks = MASKS_TIMING,
    .members_for_k = MEMBERS_2K_PLUS_1,
    .maturity = MATURITY_PRODUCTION,
    .messages = {message_types, PAXOS_MESSAGE_COUNT},
    .records = {record_types, PAXOS_RECORD_COUNT},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = paxos_check,
    .status = status,
    .progress = progress,
    .print = paxos_print,
    .canonical = paxos_canonical,
};
