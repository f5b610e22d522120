/* One turn: the order of events, and stepping.
 *
 * Within a turn each member sees STORED, RESULT, STATE, PEER, MESSAGE, REQUEST, TIMEOUT, then TURN. Timers come last,
 * so that after a pause everything that arrived meanwhile is heard before anybody's silence is acted on. */
#include <string.h>

#include "base/panic.h"
#include "node/node_internal.h"

enum { TIMEOUTS_A_TURN_MAX = 64 };

struct member *node_member_of(const struct node *node, uint32_t group)
{
    if (node->member_count > 0 && node->members[0]->spec->group == group) return node->members[0];
    for (uint32_t i = 1; i < node->member_count; i++)
        if (node->members[i]->spec->group == group) return node->members[i];
    return NULL;
}

static void step_once(struct member *member, struct event *event)
{
    struct node *node = member->node;
    invariant(!member->stepping, "interpreting effects never steps a member");
    member->stepping = true;
    event->now_ns = node->now_ns;
    event->wall_ns = node->wall_ns;
    event->wall_error_ns = INT64_MAX;
    member->effects.count = 0;
    member->effects.scratch_used = 0;
    /* While the directory is opened there is no log yet, and nothing may be stored. */
    member->effects.next_position = node->wal != NULL ? wal_next_position(node->wal, member->spec->group) : 0;
    node->counters.steps++;
    if (node->observer.event != NULL) node->observer.event(node->observer.context, member->spec->group, event);
    member->protocol->step(member->self, event, &member->effects);
    member_interpret(member);
    member->stepping = false;
    if (event->kind != EVENT_TURN) member->touched = true;
    if (node->observer.stepped != NULL) node->observer.stepped(node->observer.context, member->spec->group);
}

/* Without these a member could not even be wrong: it would not exist, or never store again. */
static bool comes_once(enum event_kind kind)
{
    return kind == EVENT_RESTORE || kind == EVENT_START || kind == EVENT_STATE || kind == EVENT_TURN;
}

void member_step(struct member *member, struct event *event)
{
    const struct node_tamper *tamper = &member->node->tamper;
    uint32_t times = 1;
    if (tamper->event != NULL && !comes_once(event->kind))
        times = tamper->event(tamper->context, member->spec->group, event);
    for (; times > 0 && !member->node->failed; times--) step_once(member, event);
}

void member_queue_state(struct member *member, const struct event_state *event, struct span part)
{
    invariant(!member->state_queued, "one CHECKPOINT or ADOPT at a time");
    buffer_clear(&member->state_part);
    if (part.size > 0)
        invariant(buffer_append(&member->state_part, part.data, part.size), "a checkpoint's part has room");
    member->state_event = *event;
    member->state_queued = true;
    member->touched = true;
}

void member_timer_refresh(struct member *member)
{
    member->timer_next_ns = INT64_MAX;
    for (uint32_t i = 0; i < member->timer_count; i++)
        if (member->timers[i].at_ns < member->timer_next_ns) member->timer_next_ns = member->timers[i].at_ns;
}

static void step_stored(struct member *member)
{
    struct node *node = member->node;
    uint64_t stored = wal_stored_position(node->wal, member->spec->group);
    uint64_t room = wal_room(node->wal);
    bool room_turned = (room == 0) != (member->room_told == 0);
    if (stored <= member->stored_told && !room_turned) return;
    if (stored < member->stored_told) stored = member->stored_told;
    member_release_held(member, stored);
    member->stored_told = stored;
    member->room_told = room;
    struct event event = {.kind = EVENT_STORED};
    event.stored = (struct event_stored){
        .position = stored, .room_bytes = room, .latency_ns = node->counters.last_sync_ns};
    member_step(member, &event);
}

static void step_results(struct member *member)
{
    size_t at = 0;
    while (at < member->results.size) {
        const uint8_t *entry = member->results.data + at;
        size_t size = load_u32(entry + 8);
        struct event event = {.kind = EVENT_RESULT};
        event.result = (struct event_result){.tag = load_u64(entry), .bytes = {entry + 12, size}};
        at += 12 + size;
        member_step(member, &event);
    }
    buffer_clear(&member->results);
}

static void step_state(struct member *member)
{
    if (!member->state_queued) return;
    member->state_queued = false;
    struct event event = {.kind = EVENT_STATE, .state = member->state_event};
    event.state.part = (struct span){member->state_part.data, member->state_part.size};
    member_step(member, &event);
}

static void step_peers(struct member *member)
{
    for (uint32_t i = 0; i < member->peers_changed_count; i++) {
        struct event event = {.kind = EVENT_PEER};
        event.peer = (struct event_peer){member->peers_changed[i].node, member->peers_changed[i].state};
        member_step(member, &event);
    }
    member->peers_changed_count = 0;
}

bool member_take_proof(const struct member *member, const struct message_type *type, const struct header *header,
                       struct span *body, struct span *proof)
{
    enum message_proof kind = proof_kind(member->spec, type);
    *proof = (struct span){0};
    if (kind == PROOF_NONE) return true;
    size_t size = proof_size(member->spec, kind);
    if (body->size < size) return false;
    body->size -= size;
    *proof = (struct span){body->data + body->size, size};
    return proof_check(&member->node->options->proofs, member->spec, kind, header, *body, proof->data);
}

/* Members speak with members, clients with members; a client's core hears of client's messages only. Proofs say who sent
 * a message, and not whether it may. */
static bool may_send(const struct member *member, const struct peer *from, enum header_kind kind)
{
    bool client = member->spec->served_by != NULL;
    if (from == NULL) return !client;
    if (from->client) return !client && kind == HEADER_CLIENT;
    return spec_member_place(member->spec, from->id) >= 0 && (kind == HEADER_CLIENT) == client;
}

static bool is_known(const struct member *member, uint16_t type)
{
    const struct message_table *table = &member->protocol->messages;
    if (member->spec->served_by != NULL) return type == CLIENT_ANSWERS;
    return type < table->count && table->types[type].name != NULL;
}

static void step_message(struct node *node, struct peer *from, const uint8_t *bytes)
{
    struct header header;
    header_decode(bytes, &header);
    struct span body = {bytes + HEADER_SIZE, header.length};
    if (from != NULL && from->id != header.sender) { /* a client that was expelled since it came */
        node_reject(node, REJECT_SENDER);
        return;
    }
    if (from != NULL) {
        from->heard = true;
        from->last_heard_ns = node->now_ns;
    }
    struct member *member = node_member_of(node, header.group);
    if (member == NULL) {
        node_reject(node, REJECT_GROUP);
        return;
    }
    if (!may_send(member, from, header.kind)) {
        node_reject(node, REJECT_ROLE);
        return;
    }
    if (header.kind == HEADER_NODE) {
        if (from != NULL) member_adopt_message(member, from, header.type, body);
        return;
    }
    if (header.position != 0 && header.position != node->incarnation) {
        node_reject(node, REJECT_INCARNATION);
        return;
    }
    if (from != NULL && from->client) {
        member_client_message(member, from, &header, body);
        return;
    }
    if (!is_known(member, header.type)) {
        node_reject(node, REJECT_TYPE);
        return;
    }
    const struct message_type *type = &member->protocol->messages.types[header.type];
    struct span proof;
    if (!member_take_proof(member, type, &header, &body, &proof)) {
        if (from != NULL) from->unproven++;
        node_reject(node, REJECT_PROOF);
        return;
    }
    if (!message_decode(type, body, member->decoded)) {
        node_reject(node, REJECT_BODY);
        return;
    }
    struct event event = {.kind = EVENT_MESSAGE};
    event.message = (struct event_message){.from = {header.sender, header.group},
                                           .incarnation = header.incarnation,
                                           .slot = header.slot,
                                           .type = header.type,
                                           .body = member->decoded,
                                           .proof = proof};
    member_step(member, &event);
}

/* Messages of members, or requests of clients: a turn's requests come behind its messages. */
static void step_inputs(struct node *node, bool clients)
{
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i].peer->client == clients) step_message(node, node->inputs[i].peer, node->inputs[i].bytes);
}

static void step_messages_to_self(struct member *member)
{
    /* What these steps send to the own member again comes in the next turn. */
    struct buffer batch = member->to_self;
    member->to_self = node_buffer_take(member->node);
    for (size_t at = 0; at < batch.size; at += HEADER_SIZE + load_u32(batch.data + at + 4))
        step_message(member->node, NULL, batch.data + at);
    node_buffer_give(member->node, &batch);
}

static void step_timeouts(struct member *member)
{
    const struct node_tamper *tamper = &member->node->tamper;
    bool hastened = tamper->hastens != NULL && member->timer_count > 0 &&
                    tamper->hastens(tamper->context, member->spec->group);
    for (int fired = 0; fired < TIMEOUTS_A_TURN_MAX && (hastened || member->timer_next_ns <= member->node->now_ns);
         fired++, hastened = false) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < member->timer_count; i++)
            if (member->timers[i].at_ns < member->timers[first].at_ns) first = i;
        struct armed armed = member->timers[first];
        member->timers[first] = member->timers[--member->timer_count];
        member_timer_refresh(member);
        struct event event = {.kind = EVENT_TIMEOUT};
        event.timeout = (struct event_timeout){.slot = armed.slot, .name = armed.name, .key = armed.key};
        member_step(member, &event);
    }
}

static bool orders(const struct member *member) { return member->orderer == member->node->options->id; }

static void tick_if_due(struct member *member)
{
    const struct node *node = member->node;
    if (member->tick_at_ns > node->wall_ns || member->tick_pending || !orders(member)) return;
    if (member->adopting.phase == ADOPT_NONE && member->tick_again_at_ns <= node->now_ns) member_submit_tick(member);
}

static void step_turn(struct member *member)
{
    if (!member->touched && !member->again) return;
    member->touched = member->again = false;
    struct event event = {.kind = EVENT_TURN};
    member_step(member, &event);
}

static void start_member(struct member *member)
{
    if (member->started) return;
    member->started = true;
    struct event event = {.kind = EVENT_START, .start = member->start};
    member_step(member, &event);
    member_start_service(member);
}

static void note_write_latency(struct node *node)
{
    if (!node->stored_changed) return;
    node->stored_changed = false;
    /* What completed may also have been the allocation of a segment. */
    if (!node->writing) return;
    node->writing = false;
    int64_t latency = node->now_ns - node->write_began_ns;
    node->counters.last_sync_ns = latency;
    if (latency > node->counters.max_sync_ns) node->counters.max_sync_ns = latency;
}

void node_turn(struct node *node, int64_t now_ns, int64_t wall_ns)
{
    if (node->failed) return;
    if (now_ns > node->now_ns) node->now_ns = now_ns;
    node->wall_ns = wall_ns;
    node->counters.turns++;
    note_write_latency(node);
    wal_tick(node->wal, node->now_ns);
    node_groups_turn(node);
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        start_member(member);
        step_stored(member);
        step_results(member);
        step_state(member);
        step_peers(member);
        step_messages_to_self(member);
    }
    step_inputs(node, false);
    step_inputs(node, true);
    node_inputs_drop(node);
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        tick_if_due(member);
        member_requests_expire(member);
        member_requests_turn(member);
        member_clients_turn(member);
        step_timeouts(member);
        step_turn(member);
        member_checkpoint_drive(member);
        member_adopt_drive(member);
        member_answer_clients(member);
    }
}

static bool member_has_input(const struct member *member)
{
    if (!member->started || member->again || member->state_queued || member->touched) return true;
    if (member->results.size > 0 || member->calls.size > 0 || member->to_self.size > 0) return true;
    if (member->peers_changed_count > 0 || member->lanes[0].building_count + member->lanes[1].building_count > 0)
        return true;
    if (wal_stored_position(member->node->wal, member->spec->group) > member->stored_told) return true;
    if (member_hand_in_due(member) || member->counts_due) return true;
    return member_checkpoint_busy(member) || member_adopt_busy(member);
}

bool node_wants_turn(const struct node *node)
{
    if (node->failed) return false;
    if (node->input_count > 0 || node_groups_wants_turn(node)) return true;
    for (uint32_t i = 0; i < node->member_count; i++)
        if (member_has_input(node->members[i])) return true;
    return false;
}

/* A tick is due by the wall clock; the host sleeps by the monotone one. */
static int64_t tick_in_monotone(const struct member *member)
{
    bool waits = member->tick_at_ns != SERVICE_NO_TICK && !member->tick_pending && orders(member);
    if (!waits || member->adopting.phase != ADOPT_NONE) return INT64_MAX;
    int64_t wait = member->tick_at_ns - member->node->wall_ns;
    int64_t at_ns = wait <= 0 ? member->node->now_ns : member->node->now_ns + wait;
    return at_ns > member->tick_again_at_ns ? at_ns : member->tick_again_at_ns;
}

static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }

int64_t node_next_timer_ns(const struct node *node)
{
    int64_t next = node_groups_next_ns(node);
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        next = earlier(next, member->timer_next_ns);
        next = earlier(next, member_requests_next_ns(member));
        next = earlier(next, member->clients.again_at_ns);
        next = earlier(next, tick_in_monotone(member));
        next = earlier(next, member_adopt_next_ns(member));
        next = earlier(next, member_checkpoint_next_ns(member));
    }
    return next;
}

int node_write(struct node *node)
{
    if (node->failed || !wal_wants_write(node->wal)) return 0;
    if (!node->writing) node->write_began_ns = node->now_ns;
    node->writing = true;
    int done = wal_write(node->wal);
    if (done < 0) {
        node_fail(node, "the log could not be written: %s (%s); a failed sync is never tried again", "disk", done);
        return done;
    }
    if (done == 1) node->stored_changed = true;
    return done;
}

size_t node_write_size(const struct node *node) { return wal_write_size(node->wal); }

void node_disk_complete(struct node *node, uint64_t token, int status)
{
    if (node->failed) return;
    if (disk_token_owner(token) == DISK_TOKEN_LOG) {
        int done = wal_complete(node->wal, disk_token_value(token), status);
        if (done < 0) node_fail(node, "the log could not be written: %s (%s); a failed sync is never tried again",
                                "disk", done);
        node->stored_changed = true;
        return;
    }
    for (uint32_t i = 0; i < node->member_count; i++)
        member_checkpoint_complete(node->members[i], disk_token_value(token), status);
    node_leaving_complete(node, disk_token_value(token), status);
}
