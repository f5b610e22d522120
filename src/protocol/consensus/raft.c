/* Raft: tables, sizes, creation and the dispatch of events (raft.h tells what the other files hold). */
#include "contract/command.h"
#include "protocol/consensus/raft_internal.h"

#define FIELDS(S, LIST) static const struct field S##_fields[] = {MESSAGE_FIELDS(S, LIST)};
FIELDS(raft_append, RAFT_APPEND_FIELDS)
FIELDS(raft_append_ack, RAFT_APPEND_ACK_FIELDS)
FIELDS(raft_round_ack, RAFT_ROUND_ACK_FIELDS)
FIELDS(raft_vote, RAFT_VOTE_FIELDS)
FIELDS(raft_vote_ack, RAFT_VOTE_ACK_FIELDS)
FIELDS(leader_forward, LEADER_FORWARD_FIELDS)
FIELDS(leader_refuse, LEADER_REFUSE_FIELDS)
FIELDS(leader_read, LEADER_READ_FIELDS)
FIELDS(leader_read_ack, LEADER_READ_ACK_FIELDS)
FIELDS(leader_count, LEADER_COUNT_FIELDS)
FIELDS(leader_count_ack, LEADER_COUNT_ACK_FIELDS)
FIELDS(raft_install, RAFT_INSTALL_FIELDS)
FIELDS(raft_recover, RAFT_RECOVER_FIELDS)
FIELDS(raft_recover_ack, RAFT_RECOVER_ACK_FIELDS)
FIELDS(raft_entry, RAFT_ENTRY_FIELDS)
FIELDS(raft_hard_state, RAFT_HARD_STATE_FIELDS)
FIELDS(raft_base, RAFT_BASE_FIELDS)
FIELDS(raft_part, RAFT_PART_FIELDS)

static const struct message_type message_types[] = {
    [RAFT_APPEND] = MESSAGE_TYPE("APPEND", raft_append, raft_append_fields),
    [RAFT_APPEND_ACK] = MESSAGE_TYPE("APPEND_ACK", raft_append_ack, raft_append_ack_fields),
    [RAFT_ROUND_ACK] = MESSAGE_TYPE("ROUND_ACK", raft_round_ack, raft_round_ack_fields),
    [RAFT_VOTE] = MESSAGE_TYPE("VOTE", raft_vote, raft_vote_fields),
    [RAFT_VOTE_ACK] = MESSAGE_TYPE("VOTE_ACK", raft_vote_ack, raft_vote_ack_fields),
    [RAFT_FORWARD] = MESSAGE_TYPE("FORWARD", leader_forward, leader_forward_fields),
    [RAFT_REFUSE] = MESSAGE_TYPE("REFUSE", leader_refuse, leader_refuse_fields),
    [RAFT_READ] = MESSAGE_TYPE("READ", leader_read, leader_read_fields),
    [RAFT_READ_ACK] = MESSAGE_TYPE("READ_ACK", leader_read_ack, leader_read_ack_fields),
    [RAFT_COUNT] = MESSAGE_TYPE("COUNT", leader_count, leader_count_fields),
    [RAFT_COUNT_ACK] = MESSAGE_TYPE("COUNT_ACK", leader_count_ack, leader_count_ack_fields),
    [RAFT_INSTALL] = MESSAGE_TYPE("INSTALL", raft_install, raft_install_fields),
    [RAFT_RECOVER] = MESSAGE_TYPE("RECOVER", raft_recover, raft_recover_fields),
    [RAFT_RECOVER_ACK] = MESSAGE_TYPE("RECOVER_ACK", raft_recover_ack, raft_recover_ack_fields),
};
static const struct message_type record_types[] = {
    [RAFT_ENTRY] = MESSAGE_TYPE("ENTRY", raft_entry, raft_entry_fields),
    [RAFT_HARD_STATE] = MESSAGE_TYPE("HARD_STATE", raft_hard_state, raft_hard_state_fields),
    [RAFT_BASE] = MESSAGE_TYPE("BASE", raft_base, raft_base_fields),
};
_Static_assert(sizeof message_types / sizeof message_types[0] == RAFT_MESSAGE_COUNT, "every message is declared");
_Static_assert(sizeof record_types / sizeof record_types[0] == RAFT_RECORD_COUNT, "every record is declared");

const struct message_table raft_messages = {message_types, RAFT_MESSAGE_COUNT};
const struct message_table raft_records = {record_types, RAFT_RECORD_COUNT};
const struct message_type raft_part_type = MESSAGE_TYPE("PART", raft_part, raft_part_fields);

uint64_t raft_store(struct raft *self, const struct event *event, uint16_t type, const void *body,
                    struct effects *out)
{
    uint64_t position = effect_store(out, &raft_records, RAFT_SLOT, type, body);
    own_disk_write(&self->disk, position, event->now_ns);
    return position;
}

static void hard_store(struct raft *self, const struct event *event, uint8_t flags, struct effects *out)
{
    const struct raft_hard_state record = {
        .sequence = ++self->hard_sequence,
        .term = self->term,
        .voted_for = self->voted_for,
        .flags = (uint8_t)(flags | (self->recovering ? RAFT_RECOVERING : 0)),
        .last_index = raft_log_last_index(&self->log),
        .last_term = raft_log_last_term(&self->log),
    };
    self->hard_position = raft_store(self, event, RAFT_HARD_STATE, &record, out);
    self->hard_dirty = false;
}

static void hard_save(struct raft *self, const struct event *event, struct effects *out)
{
    hard_store(self, event, 0, out);
}

void raft_store_loss(struct raft *self, const struct event *event, struct effects *out)
{
    /* Beyond the sequence of any record that is lost now, should a disk ever find it again. */
    self->hard_sequence += UINT64_C(1) << 32;
    hard_store(self, event, RAFT_AFTER_LOSS, out);
}

uint64_t raft_hard_after(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->hard_dirty)
        hard_save(self, event, out);
    return own_disk_after(&self->disk, self->hard_position);
}

void raft_reject(struct effects *out, const char *why, uint32_t node)
{
    effect_note(out, why, node);
}

bool raft_entry_sound(const struct raft_entry *entry)
{
    struct bundle bundle;
    if (entry->term == 0 || entry->index == 0 || entry->count == 0 || entry->index > UINT64_MAX - entry->count)
        return false;
    if (!bundle_open(entry->bundle, &bundle))
        return false;
    return entry->bundle.size == 0 ? entry->count == 1 : bundle.count == entry->count;
}

static void on_stored(struct raft *self, const struct event *event, struct effects *out)
{
    if (!own_disk_stored(&self->disk, &event->stored, event->now_ns))
        return;
    (void)raft_log_stored(&self->log, event->stored.position);
    if (self->role == RAFT_LEADER)
        raft_lead_stored(self);
    else
        raft_election_stored(self, event, out);
}

static void on_peer(struct raft *self, const struct event *event, struct effects *out)
{
    struct peer *peer = peers_find(&self->peers, event->peer.node);
    if (peer == NULL || peer->node == self->peers.self_node)
        return;
    if (event->peer.state == PEER_CONNECTED)
        peer->incarnation_open = true;
    if (self->role == RAFT_LEADER && peer->pace == PACE_STREAM) {
        /* What was on the way is lost, or may be: find out where the logs agree. */
        raft_probe_from(self, peer, peer->match);
    } else if (self->role == RAFT_LEADER && event->peer.state == PEER_CONNECTED) {
        peer->paused = false;
    }
    if (event->peer.state == PEER_LOST)
        raft_election_peer_lost(self, event, peer->node, out);
}

static void on_timeout(struct raft *self, const struct event *event, struct effects *out)
{
    if (event->timeout.slot != RAFT_SLOT)
        return;
    if (event->timeout.name == RAFT_TIMER_ELECTION)
        raft_election_timeout(self, event, out);
    else if (event->timeout.name == RAFT_TIMER_HEARTBEAT)
        raft_heartbeat(self, event, out);
    else if (event->timeout.name == RAFT_TIMER_READ)
        raft_read_timeout(self, event, out);
}

typedef void handler(struct raft *self, const struct event *event, struct effects *out);

static handler *const handlers[RAFT_MESSAGE_COUNT] = {
    [RAFT_APPEND] = raft_on_append,
    [RAFT_APPEND_ACK] = raft_on_append_ack,
    [RAFT_ROUND_ACK] = raft_on_round_ack,
    [RAFT_VOTE] = raft_on_vote,
    [RAFT_VOTE_ACK] = raft_on_vote_ack,
    [RAFT_FORWARD] = raft_on_leader_message,
    [RAFT_REFUSE] = raft_on_leader_message,
    [RAFT_READ] = raft_on_leader_message,
    [RAFT_READ_ACK] = raft_on_leader_message,
    [RAFT_COUNT] = raft_on_leader_message,
    [RAFT_COUNT_ACK] = raft_on_leader_message,
    [RAFT_INSTALL] = raft_on_install,
    [RAFT_RECOVER] = raft_on_recover,
    [RAFT_RECOVER_ACK] = raft_on_recover_ack,
};

static void on_message(struct raft *self, const struct event *event, struct effects *out)
{
    const struct event_message *message = &event->message;
    struct peer *peer = peers_find(&self->peers, message->from.node);
    if (peer == NULL || peer->node == self->peers.self_node || message->slot != RAFT_SLOT ||
        message->type >= RAFT_MESSAGE_COUNT) {
        raft_reject(out, "rejected: not from a member, or of no known type", message->from.node);
        return;
    }
    enum peer_life life = peers_life(peer, message->incarnation);
    if (life == PEER_FORMER)
        return;
    if (life == PEER_RESTARTED)
        raft_peer_restarted(self, peer);
    handlers[message->type](self, event, out);
}

/* Everything of this turn is in. The followers come first, so that their disks work while this member's service does
 * (and while its own disk does: node/ writes after it has sent). */
static void on_turn(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role == RAFT_LEADER)
        raft_lead_turn(self, event, out);
    else
        raft_follow_turn(self, event, out);
    raft_deliver(self, out);
    raft_read_deliver(self, out);
    raft_checkpoint(self, out);
}

static void step(void *member, const struct event *event, struct effects *out)
{
    struct raft *self = member;
    self->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        raft_restore(self, event);
        return;
    case EVENT_START:
        raft_start(self, event, out);
        break;
    case EVENT_STORED:
        on_stored(self, event, out);
        break;
    case EVENT_RESULT: /* Raft asks for no results */
        break;
    case EVENT_STATE:
        raft_on_state(self, event, out);
        break;
    case EVENT_PEER:
        on_peer(self, event, out);
        break;
    case EVENT_MESSAGE:
        on_message(self, event, out);
        break;
    case EVENT_REQUEST:
        raft_on_request(self, event, out);
        break;
    case EVENT_TIMEOUT:
        on_timeout(self, event, out);
        break;
    case EVENT_TURN:
        on_turn(self, event, out);
        break;
    }
    if (self->hard_dirty)
        hard_save(self, event, out);
}

/* Memory comes as a few blocks whose sizes follow from the specification. The heap's own header, its classes' runs
 * and the rounding of each block are covered by an eighth and a fixed sum. */
static size_t heap_bytes(const struct group_spec *spec)
{
    size_t bytes = sizeof(struct raft) + raft_log_capacity(spec->tuning.log_entries_max) * sizeof(struct raft_slot);
    bytes += peers_bytes(spec);
    bytes += bytes / 8 + ((size_t)128 << 10);
    return bytes > HEAP_REGION_SIZE_MIN ? bytes : HEAP_REGION_SIZE_MIN;
}

/* The longest steps: an APPEND of a new leader (a record each, hard state, all waiting reads handed back, peers that
 * are trusted again), and a TURN (PACING_SENDS_MAX messages, one INSTALL, one answer to a read and one light message a
 * member, deliveries, reads). */
static uint32_t effects_max(const struct group_spec *spec)
{
    return RAFT_APPEND_RECORDS_MAX + RAFT_DELIVERIES_MAX + 3 * READS_RANGES_MAX + 32 +
           (PACING_SENDS_MAX + 6) * spec->member_count;
}

/* An effect's head is never longer than its struct, aligned; besides there are lists of receivers. */
static size_t scratch_max(const struct group_spec *spec)
{
    return effects_max(spec) * (sizeof(struct raft_append) + 32) +
           (size_t)(PACING_SENDS_MAX + 4) * (spec->member_count * sizeof(uint32_t) + 8) + 1024;
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct raft *self = heap_alloc_zero(heap, sizeof *self);
    uint64_t capacity = raft_log_capacity(spec->tuning.log_entries_max);
    /* Not cleared: the table may be large, and its pages are to be touched only as the log grows. */
    struct raft_slot *ring = heap_alloc(heap, capacity * sizeof *ring);
    invariant(self != NULL && ring != NULL, "heap_size covers what a member takes");
    raft_log_init(&self->log, ring, capacity);
    random_seed(&self->random, seed);
    self->spec = spec;
    peers_create(&self->peers, heap, spec);
    election_timer_create(&self->timer, &self->random, spec->tuning.election_timeout_ns, RAFT_SLOT,
                          RAFT_TIMER_ELECTION);
    raft_request_create(self);
    return self;
}

static void status(const void *member, struct member_status *out)
{
    const struct raft *self = member;
    *out = (struct member_status){
        .role = self->recovering ? "recovering" : raft_role_name(self->role),
        .term = self->term,
        .orderer = self->leader,
        .commit_index = self->commit,
        .applied_index = self->applied,
        .last_index = raft_log_last_index(&self->log),
        .voter = !self->recovering,
    };
}

static bool progress(const void *member, uint32_t place, struct member_progress *out)
{
    const struct raft *self = member;
    if (self->role != RAFT_LEADER || place + 1 >= self->peers.count)
        return false;
    const struct peer *peer = &self->peers.list[place + (place >= self->peers.self_place)];
    *out = (struct member_progress){peer->node, peer->match, peer->suspected ? 1 : 0};
    return true;
}

const char *raft_role_name(enum raft_role role)
{
    switch (role) {
    case RAFT_FOLLOWER:
        return "follower";
    case RAFT_PRE_CANDIDATE:
        return "pre-candidate";
    case RAFT_CANDIDATE:
        return "candidate";
    case RAFT_LEADER:
        return "leader";
    }
    return "?";
}

uint64_t raft_term(const void *self)
{
    return ((const struct raft *)self)->term;
}

enum raft_role raft_role(const void *self)
{
    return ((const struct raft *)self)->role;
}

uint32_t raft_voted_for(const void *self)
{
    return ((const struct raft *)self)->voted_for;
}

uint64_t raft_commit_index(const void *self)
{
    return ((const struct raft *)self)->commit;
}

uint64_t raft_applied_index(const void *self)
{
    return ((const struct raft *)self)->applied;
}

uint64_t raft_first_index(const void *self)
{
    return ((const struct raft *)self)->log.base_index + 1;
}

uint64_t raft_last_index(const void *self)
{
    return raft_log_last_index(&((const struct raft *)self)->log);
}

bool raft_recovering(const void *self)
{
    return ((const struct raft *)self)->recovering;
}

bool raft_entry_at(const void *member, uint64_t index, uint64_t *term, uint64_t *first, uint32_t *count,
                   uint64_t *position)
{
    const struct raft *self = member;
    uint64_t ordinal;
    if (!raft_log_find(&self->log, index, &ordinal))
        return false;
    const struct raft_slot *slot = raft_log_at(&self->log, ordinal);
    *term = slot->term;
    *first = slot->index;
    *count = slot->count;
    *position = slot->position;
    return true;
}

static const char *const ablations[] = {
    "vote-not-stored", "commit-old-term", "read-without-round", "vote-any-log", "truncate-always", "amnesiac-votes",
    "count-self-early", "election-timer-not-rearmed", NULL};

const struct protocol raft_protocol = {
    .name = "raft",
    .question = "consensus",
    .summary = "One leader a term orders commands in a log that a majority keeps on disk.",
    .order = ORDER_TOTAL,
    .atomic = true,
    .durable = true,
    .masks = MASKS_TIMING,
    .members_for_k = MEMBERS_2K_PLUS_1,
    .maturity = MATURITY_PRODUCTION,
    .messages = {message_types, RAFT_MESSAGE_COUNT},
    .records = {record_types, RAFT_RECORD_COUNT},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = raft_check,
    .status = status,
    .progress = progress,
    .print = raft_print,
    .canonical = raft_canonical,
};
