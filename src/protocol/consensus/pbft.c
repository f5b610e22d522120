/* PBFT: tables, sizes, creation and the dispatch of events (pbft.h tells what the other files hold). */
#include "base/sha256.h"
#include "protocol/consensus/pbft_internal.h"

#define FIELDS(S, LIST) static const struct field S##_fields[] = {MESSAGE_FIELDS(S, LIST)};
FIELDS(pbft_vote, PBFT_VOTE_FIELDS)
FIELDS(pbft_bundle, PBFT_BUNDLE_FIELDS)
FIELDS(pbft_body, PBFT_BODY_FIELDS)
FIELDS(pbft_fetch, PBFT_FETCH_FIELDS)
FIELDS(pbft_checkpoint, PBFT_CHECKPOINT_FIELDS)
FIELDS(pbft_view_change, PBFT_VIEW_CHANGE_FIELDS)
FIELDS(pbft_ack, PBFT_ACK_FIELDS)
FIELDS(pbft_new_view, PBFT_NEW_VIEW_FIELDS)
FIELDS(pbft_status, PBFT_STATUS_FIELDS)
FIELDS(pbft_recover, PBFT_RECOVER_FIELDS)
FIELDS(pbft_recovery_marks, PBFT_RECOVERY_MARKS_FIELDS)
FIELDS(pbft_have, PBFT_HAVE_FIELDS)
FIELDS(pbft_record_request, PBFT_RECORD_REQUEST_FIELDS)
FIELDS(pbft_record_state, PBFT_RECORD_STATE_FIELDS)

#define PROVEN(text, S) MESSAGE_TYPE_PROVEN(text, S, S##_fields, PROOF_MAC)
static const struct message_type message_types[] = {
    [PBFT_REQUEST] = PROVEN("REQUEST", pbft_bundle),
    [PBFT_PRE_PREPARE] = PROVEN("PRE_PREPARE", pbft_vote),
    [PBFT_PREPARE] = PROVEN("PREPARE", pbft_vote),
    [PBFT_COMMIT] = PROVEN("COMMIT", pbft_vote),
    [PBFT_COMMITTED] = PROVEN("COMMITTED", pbft_vote),
    [PBFT_FETCH] = PROVEN("FETCH", pbft_fetch),
    [PBFT_BODY] = PROVEN("BODY", pbft_body),
    [PBFT_CHECKPOINT] = PROVEN("CHECKPOINT", pbft_checkpoint),
    [PBFT_VIEW_CHANGE] = PROVEN("VIEW_CHANGE", pbft_view_change),
    [PBFT_VIEW_CHANGE_ACK] = PROVEN("VIEW_CHANGE_ACK", pbft_ack),
    [PBFT_NEW_VIEW] = PROVEN("NEW_VIEW", pbft_new_view),
    [PBFT_STATUS] = PROVEN("STATUS", pbft_status),
    [PBFT_RECOVER] = PROVEN("RECOVER", pbft_recover),
    [PBFT_RECOVERY_MARKS] = PROVEN("RECOVERY_MARKS", pbft_recovery_marks),
    [PBFT_HAVE] = PROVEN("HAVE", pbft_have),
};
static const struct message_type record_types[] = {
    [PBFT_RECORD_REQUEST] = MESSAGE_TYPE("REQUEST", pbft_record_request, pbft_record_request_fields),
    [PBFT_RECORD_ACCEPTED] = MESSAGE_TYPE("ACCEPTED", pbft_vote, pbft_vote_fields),
    [PBFT_RECORD_PREPARED] = MESSAGE_TYPE("PREPARED", pbft_vote, pbft_vote_fields),
    [PBFT_RECORD_STATE] = MESSAGE_TYPE("STATE", pbft_record_state, pbft_record_state_fields),
};
_Static_assert(sizeof message_types / sizeof message_types[0] == PBFT_MESSAGE_COUNT, "every message is declared");
_Static_assert(sizeof record_types / sizeof record_types[0] == PBFT_RECORD_COUNT, "every record is declared");

const struct message_table pbft_messages = {message_types, PBFT_MESSAGE_COUNT};
const struct message_table pbft_records = {record_types, PBFT_RECORD_COUNT};

/* ---- what all files need ---- */

void pbft_digest(struct span bytes, uint64_t out[4])
{
    uint8_t digest[SHA256_SIZE];
    sha256(bytes.data, bytes.size, digest);
    for (int i = 0; i < 4; i++)
        out[i] = load_u64(digest + 8 * i);
}

uint64_t pbft_store(struct pbft *self, uint16_t type, const void *body, struct effects *out)
{
    uint64_t position = effect_store(out, &pbft_records, PBFT_SLOT, type, body);
    invariant(position > self->last_position, "positions rise");
    self->last_position = position;
    return position;
}

void pbft_reject(struct effects *out, const char *why, uint32_t node)
{
    effect_note(out, why, node);
}

struct effect_send *pbft_to_others(struct pbft *self, uint16_t type, const void *body, struct effects *out)
{
    return effect_send(out, &pbft_messages, PBFT_SLOT, type, body, self->others, self->member_count - 1);
}

struct effect_send *pbft_send(struct pbft *self, uint32_t to, uint16_t type, const void *body, struct effects *out)
{
    if (to == 0)
        return pbft_to_others(self, type, body, out);
    return effect_send_one(out, &pbft_messages, PBFT_SLOT, type, body, to);
}

struct pbft_slot *pbft_slot(struct pbft *self, uint64_t number)
{
    if (number <= self->stable.number || number - self->stable.number > self->window)
        return NULL; /* PBFT-6 */
    struct pbft_slot *slot = &self->slots[number % self->window];
    if (slot->number == number)
        return slot;
    self->top = number > self->top ? number : self->top;
    struct pbft_saying *says = slot->says;
    memset(says, 0, self->member_count * sizeof *says);
    *slot = (struct pbft_slot){.number = number, .says = says};
    return slot;
}

const struct pbft_slot *pbft_slot_known(const struct pbft *self, uint64_t number)
{
    if (number <= self->stable.number || number - self->stable.number > self->window)
        return NULL;
    const struct pbft_slot *slot = &self->slots[number % self->window];
    return slot->number == number ? slot : NULL;
}

struct pbft_vote pbft_vote_of(uint64_t view, uint64_t number, const struct pbft_value *value)
{
    return (struct pbft_vote){.view = view,
                              .number = number,
                              .digest0 = value->digest[0],
                              .digest1 = value->digest[1],
                              .digest2 = value->digest[2],
                              .digest3 = value->digest[3],
                              .time = value->time};
}

void pbft_tell_view(struct pbft *self, struct effects *out)
{
    effect_view(out, self->view, self->peers[pbft_primary_place(self, self->view)].node);
}

/* ---- events ---- */

typedef void handler(struct pbft *self, const struct event *event, struct effects *out);
static handler *const handlers[PBFT_MESSAGE_COUNT] = {
    [PBFT_REQUEST] = pbft_on_request,
    [PBFT_PRE_PREPARE] = pbft_on_vote,
    [PBFT_PREPARE] = pbft_on_vote,
    [PBFT_COMMIT] = pbft_on_vote,
    [PBFT_COMMITTED] = pbft_on_vote,
    [PBFT_FETCH] = pbft_on_fetch,
    [PBFT_BODY] = pbft_on_body,
    [PBFT_CHECKPOINT] = pbft_on_checkpoint,
    [PBFT_VIEW_CHANGE] = pbft_on_view_change,
    [PBFT_VIEW_CHANGE_ACK] = pbft_on_ack,
    [PBFT_NEW_VIEW] = pbft_on_new_view,
    [PBFT_STATUS] = pbft_on_status,
    [PBFT_RECOVER] = pbft_on_recover,
    [PBFT_RECOVERY_MARKS] = pbft_on_recovery_marks,
    [PBFT_HAVE] = pbft_on_have,
};

static void on_message(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct event_message *message = &event->message;
    if (spec_member_place(self->spec, message->from.node) < 0 || message->from.node == self->self_node ||
        message->slot != PBFT_SLOT || message->type >= PBFT_MESSAGE_COUNT) {
        pbft_reject(out, "rejected: not from a member, or of no known type", message->from.node);
        return;
    }
    handlers[message->type](self, event, out);
}

static void on_stored(struct pbft *self, const struct event *event, struct effects *out)
{
    self->disk_full = event->stored.room_bytes == 0;
    if (event->stored.position <= self->stored_position)
        return;
    self->stored_position = event->stored.position;
    pbft_window_advance(self, out);
}

static void on_timeout(struct pbft *self, const struct event *event, struct effects *out)
{
    if (event->timeout.slot != PBFT_SLOT)
        return;
    if (event->timeout.name == PBFT_TIMER_VIEW)
        pbft_view_timeout(self, out);
    else if (event->timeout.name == PBFT_TIMER_STATUS)
        pbft_status_due(self, out);
}

static void on_turn(struct pbft *self, const struct event *event, struct effects *out)
{
    pbft_propose(self, event, out);
    pbft_deliver(self, out);
    pbft_reads(self, event, out);
    pbft_looks_deliver(self, event, out);
    pbft_await(self, out);
}

static void step(void *member, const struct event *event, struct effects *out)
{
    struct pbft *self = member;
    self->now_ns = event->now_ns;
    self->wall_ns = event->wall_ns;
    switch (event->kind) {
    case EVENT_RESTORE:
        pbft_restore(self, event);
        return;
    case EVENT_START:
        pbft_start(self, event, out);
        return;
    case EVENT_STORED:
        on_stored(self, event, out);
        return;
    case EVENT_STATE:
        pbft_on_state(self, event, out);
        return;
    case EVENT_MESSAGE:
        on_message(self, event, out);
        return;
    case EVENT_REQUEST:
        pbft_on_client(self, event, out);
        return;
    case EVENT_TIMEOUT:
        on_timeout(self, event, out);
        return;
    case EVENT_TURN:
        on_turn(self, event, out);
        return;
    case EVENT_RESULT: /* no results are asked for, and connections prove nothing */
    case EVENT_PEER:
        return;
    }
}

/* ---- sizes and creation ---- */

uint64_t pbft_interval(const struct group_spec *spec)
{
    uint64_t interval = spec->tuning.checkpoint_interval;
    if (interval < PBFT_INTERVAL_MIN)
        return PBFT_INTERVAL_MIN;
    return interval > PBFT_INTERVAL_MAX ? PBFT_INTERVAL_MAX : interval;
}

static uint64_t known_each(const struct group_spec *spec)
{
    return 10 * pbft_interval(spec) + PBFT_REQUESTS_EACH;
}

/* Of those who have room for requests of their own. */
static size_t rooms(const struct group_spec *spec)
{
    return spec->member_count + PBFT_CLIENTS_MAX;
}

static uint32_t clients_max(const struct group_spec *spec)
{
    uint64_t window = 2 * pbft_interval(spec);
    return window > PBFT_CLIENTS_MAX ? (uint32_t)window : PBFT_CLIENTS_MAX;
}

static size_t part_max(const struct group_spec *spec)
{
    return PBFT_PART_HEAD_SIZE + PBFT_CLIENTS_HEAD_SIZE +
           ((size_t)spec->member_count + clients_max(spec)) * PBFT_CLIENT_SIZE;
}

static uint32_t bucket_count(const struct group_spec *spec)
{
    uint32_t count = 1;
    while (count < rooms(spec) * known_each(spec))
        count *= 2;
    return count;
}

static size_t heap_bytes(const struct group_spec *spec)
{
    size_t members = spec->member_count, window = 2 * (size_t)pbft_interval(spec), change = pbft_change_max(spec);
    size_t bytes = sizeof(struct pbft) + window * (sizeof(struct pbft_slot) + members * sizeof(struct pbft_saying));
    bytes += rooms(spec) * known_each(spec) * sizeof(struct pbft_known);
    bytes += (members + clients_max(spec)) * sizeof(struct pbft_client) + part_max(spec);
    bytes += (2 * rooms(spec) + bucket_count(spec)) * sizeof(uint32_t) + PBFT_LOOKS_MAX * sizeof(struct pbft_look);
    bytes += members * (sizeof(struct pbft_peer) + members * sizeof(struct pbft_heard_ack) + change + 16);
    bytes += members * (change + 8 + 2 * sizeof(uint32_t)) + 3 * change;
    return bytes + bytes / 4 + ((size_t)256 << 10);
}

/* The longest steps go over the whole window: each number may be accepted, prepared and voted for. */
static uint32_t effects_max(const struct group_spec *spec)
{
    return (uint32_t)(2 * pbft_interval(spec)) * 5 + 4 * PBFT_DELIVERIES_MAX + 4 * PBFT_PROPOSALS_MAX +
           4 * PBFT_RESENDS_MAX + PBFT_READ_RANGES_MAX + PBFT_LOOKS_MAX + PBFT_HAVE_MAX + 4 * spec->member_count + 64;
}

static size_t scratch_max(const struct group_spec *spec)
{
    return effects_max(spec) * (size_t)EFFECT_SCRATCH_SIZE_MAX + 8 * (2 * pbft_change_max(spec) + 64) + 2 * part_max(spec) +
           PBFT_HAVE_MAX * (PBFT_DIGEST_SIZE + 8);
}

/* Not touched before it is used: most of what the window could need never is. */
static void *reserve(struct heap *heap, size_t size)
{
    void *block = heap_alloc(heap, size);
    invariant(block != NULL, "heap_size covers what a member takes");
    return block;
}

static void *take(struct heap *heap, size_t size)
{
    return memset(reserve(heap, size), 0, size);
}

static void make_peers(struct pbft *self, struct heap *heap)
{
    const struct group_spec *spec = self->spec;
    uint32_t others = 0;
    self->peers = take(heap, self->member_count * sizeof *self->peers);
    self->others = take(heap, self->member_count * sizeof *self->others);
    self->holders = take(heap, self->member_count * sizeof *self->holders);
    for (uint32_t i = 0; i < self->member_count; i++) {
        self->peers[i].node = spec->members[i];
        self->peers[i].acks = take(heap, self->member_count * sizeof *self->peers[i].acks);
        self->peers[i].change.body = reserve(heap, pbft_change_max(spec));
        if (i != self->self_place)
            self->others[others++] = spec->members[i];
    }
}

static void *create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    struct pbft *self = take(heap, sizeof *self);
    invariant(spec->member_count <= PBFT_PLACES_MAX, "a group has at most 64 members");
    self->spec = spec;
    self->seed = seed;
    self->self_node = spec->self;
    self->member_count = spec->member_count;
    self->self_place = (uint32_t)spec_member_place(spec, spec->self);
    self->k = (spec->member_count - 1) / 3;
    self->quorum = (spec->member_count + self->k) / 2 + 1;
    self->interval = pbft_interval(spec);
    self->window = 2 * self->interval;
    self->view = 1;
    self->active = true;
    self->next = 1;
    self->mark_count = 1; /* the state before all commands, which everybody has */
    self->deadline_ns = INT64_MAX;
    make_peers(self, heap);
    self->slots = take(heap, self->window * sizeof *self->slots);
    for (uint64_t i = 0; i < self->window; i++)
        self->slots[i].says = reserve(heap, self->member_count * sizeof(struct pbft_saying));
    self->known_each = (uint32_t)known_each(spec);
    self->known = reserve(heap, rooms(spec) * self->known_each * sizeof *self->known);
    self->known_free = take(heap, rooms(spec) * sizeof *self->known_free);
    self->known_top = take(heap, rooms(spec) * sizeof *self->known_top);
    self->bucket_mask = bucket_count(spec) - 1;
    self->buckets = take(heap, (self->bucket_mask + (size_t)1) * sizeof *self->buckets);
    self->clients_max = clients_max(spec);
    self->clients = take(heap, (self->member_count + (size_t)self->clients_max) * sizeof *self->clients);
    self->part = reserve(heap, part_max(spec));
    self->client_count = self->member_count;
    for (uint32_t i = 0; i < self->member_count; i++)
        self->clients[i].node = spec->members[i];
    self->looks = take(heap, PBFT_LOOKS_MAX * sizeof *self->looks);
    size_t change = pbft_change_max(spec);
    self->change_body = reserve(heap, change);
    self->state_body = reserve(heap, 2 * change);
    self->new_view = reserve(heap, self->member_count * (change + 8));
    return self;
}

/* So many numbers k + 1 others have executed beyond the last one here, by their own word: a correct one among them. */
static uint64_t numbers_behind(const struct pbft *self)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < self->member_count; i++) {
        uint32_t reached = 0;
        for (uint32_t j = 0; j < self->member_count; j++)
            reached += j != self->self_place && self->peers[j].executed >= self->peers[i].executed;
        if (i != self->self_place && reached > self->k && self->peers[i].executed > most)
            most = self->peers[i].executed;
    }
    return most > self->executed ? most - self->executed : 0;
}

/* What was committed elsewhere is counted as one command for each number, for how many each holds is not known here. */
static void status(const void *member, struct member_status *out)
{
    const struct pbft *self = member;
    *out = (struct member_status){
        .role = self->forgot ? "forgot" : !self->active ? "changing view" : pbft_leads(self) ? "primary" : "backup",
        .term = self->view,
        .orderer = self->peers[pbft_primary_place(self, self->view)].node,
        .commit_index = self->index + numbers_behind(self),
        .applied_index = self->index,
        .last_index = self->index,
        .voter = !self->forgot,
    };
}

static bool progress(const void *member, uint32_t place, struct member_progress *out)
{
    (void)member;
    (void)place;
    (void)out;
    return false; /* nobody's word for its own progress counts */
}

/* ---- for the laboratory ---- */

uint64_t pbft_view(const void *self)
{
    return ((const struct pbft *)self)->view;
}

uint64_t pbft_executed(const void *self)
{
    return ((const struct pbft *)self)->executed;
}

uint64_t pbft_stable(const void *self)
{
    return ((const struct pbft *)self)->stable.number;
}

uint64_t pbft_window(const void *self)
{
    return ((const struct pbft *)self)->window;
}

bool pbft_prepared_at(const void *self, uint64_t number, uint64_t *view, struct pbft_value *value)
{
    const struct pbft_slot *slot = pbft_slot_known(self, number);
    if (slot == NULL || slot->prepared.view == 0)
        return false;
    *view = slot->prepared.view;
    *value = slot->prepared.value;
    return true;
}

bool pbft_committed_at(const void *self, uint64_t number, struct pbft_value *value)
{
    const struct pbft_slot *slot = pbft_slot_known(self, number);
    if (slot == NULL || !slot->committed)
        return false;
    *value = slot->committed_value;
    return true;
}

static const char *const ablations[] = {"no-prepare-phase", "view-change-without-certificates", "commit-quorum-2k",
                                        "checkpoint-without-proof", "request-unproven", "vote-not-stored",
                                        "look-at-once",     "vote-after-amnesia",               NULL};

const struct protocol pbft_protocol = {
    .name = "pbft",
    .question = "consensus",
    .summary = "A primary orders and 2k+1 of 3k+1 members agree to it, though k of them may lie.",
    .order = ORDER_TOTAL,
    .atomic = true,
    .durable = true,
    .masks = MASKS_ARBITRARY,
    .members_for_k = MEMBERS_3K_PLUS_1,
    .maturity = MATURITY_LAB,
    .messages = {message_types, PBFT_MESSAGE_COUNT},
    .records = {record_types, PBFT_RECORD_COUNT},
    .ablations = ablations,
    .heap_size = heap_bytes,
    .effects_max = effects_max,
    .scratch_max = scratch_max,
    .create = create,
    .step = step,
    .check = pbft_check,
    .status = status,
    .progress = progress,
    .print = pbft_print,
    .canonical = pbft_canonical,
};
