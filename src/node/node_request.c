/* This node's own requests: laid out in bundles, numbered, handed to the member when somebody orders, handed in again
 * when that changes or nothing comes back, and answered exactly once.
 *
 * Updates may be handed in as often as we like: sessions see to it that they execute once. The order sent is kept
 * because the session skips a number whose predecessor is missing, and what was skipped is handed in again in order.
 *
 * What the answer at a deadline may say follows from one bit: was the bundle ever with the member, and not given back?
 * If not, it certainly has not happened. */
#include <string.h>

#include "base/panic.h"
#include "base/time.h"
#include "node/node_internal.h"

enum { COUNT_DEADLINE_S = 2, RETRY_DELAYS_MAX = 8, AGAIN_DELAY_MS = 10 };

static const char no_leader[] = "CLUSTERDOWN no leader: nobody orders requests now; it has not been executed";
static const char too_few[] =
    "CLUSTERDOWN too few nodes of the cluster can be reached for an answer; it has not been executed";
static const char no_leader_read[] = "CLUSTERDOWN no leader: the read could not be confirmed in time";
static const char too_many_reads[] =
    "BUSY the read needs a place in the order, and too many commands wait for one; it has not been executed";
static const char unknown_fate[] =
    "INDETERMINATE no answer in time: the command may have been executed, or may yet be; read before trying again";
static const char reply_lost[] =
    "INDETERMINATE the command was executed once, but its answer is lost (this node was filled from a peer)";

struct buffer node_buffer_take(struct node *node)
{
    if (node->pool_count > 0) return node->pool[--node->pool_count];
    struct buffer buffer;
    buffer_init(&buffer, node->heap);
    return buffer;
}

void node_buffer_give(struct node *node, struct buffer *buffer)
{
    if (node->pool_count < POOL_BUFFERS && buffer->capacity <= POOL_BUFFER_BYTES_MAX) {
        buffer_clear(buffer);
        node->pool[node->pool_count++] = *buffer;
    } else {
        buffer_free(buffer);
    }
    buffer_init(buffer, node->heap);
}

bool lane_init(struct member *member, bool read)
{
    struct node *node = member->node;
    struct lane *lane = &member->lanes[read];
    uint32_t window = node->options->window;
    *lane = (struct lane){.read = read, .mask = window - 1, .next_number = 1, .first_incomplete = 1};
    lane->ring = heap_alloc_zero(node->heap, window * sizeof(struct pending));
    lane->bundles = heap_alloc_zero(node->heap, window * sizeof(struct outgoing));
    buffer_init(&lane->building, node->heap);
    lane->retry_at_ns = lane->again_at_ns = INT64_MAX;
    return lane->ring != NULL && lane->bundles != NULL;
}

void lane_free(struct member *member, struct lane *lane)
{
    for (uint64_t place = lane->bundles_head; place != lane->bundles_tail; place++)
        buffer_free(&lane->bundles[place & lane->mask].bytes);
    buffer_free(&lane->building);
    heap_free(member->node->heap, lane->ring);
    heap_free(member->node->heap, lane->bundles);
}

static struct outgoing *bundle_at(struct lane *lane, uint64_t place) { return &lane->bundles[place & lane->mask]; }

bool node_request_room(const struct node *node, uint32_t group, bool read)
{
    const struct member *member = node_member_of(node, group);
    if (member == NULL) return true; /* dropped meanwhile: who asks again learns it */
    const struct lane *lane = &member->lanes[read];
    return lane->next_number - lane->first_incomplete <= lane->mask;
}

struct buffer *node_request_begin(struct node *node, uint32_t group, bool read)
{
    struct lane *lane = &node_member_of(node, group)->lanes[read];
    if (lane->building_count == 0 && lane->building.size == 0) {
        if (lane->building.capacity == 0) lane->building = node_buffer_take(node);
        invariant(bundle_begin(&lane->building), "a bundle's header has room in the node's heap");
        lane->building_first = lane->next_number;
    }
    lane->command_at = lane->building.size;
    return &lane->building;
}

void node_request_commit(struct node *node, uint32_t group, bool read, uint64_t cookie)
{
    struct member *member = node_member_of(node, group);
    struct lane *lane = &member->lanes[read];
    struct pending *pending = &lane->ring[lane->next_number & lane->mask];
    invariant(!pending->waiting, "a request is committed only when the window has room");
    *pending = (struct pending){.cookie = cookie, .deadline_ns = INT64_MAX, .waiting = true};
    lane->next_number++;
    lane->building_count++;
    member->touched = true;
}

void node_request_abandon(struct node *node, uint32_t group, bool read)
{
    struct lane *lane = &node_member_of(node, group)->lanes[read];
    lane->building.size = lane->command_at;
}

/* Patience begins with the turn, whose time is known; a node that slept may have taken the requests long after its last
 * one. A read that has become an update brings its deadline. */
static void set_deadlines(struct member *member, struct lane *lane, const struct outgoing *outgoing)
{
    const struct node *node = member->node;
    for (uint64_t number = outgoing->first; number < outgoing->first + outgoing->count; number++) {
        struct pending *pending = &lane->ring[number & lane->mask];
        if (pending->deadline_ns == INT64_MAX) pending->deadline_ns = node->now_ns + node->options->request_timeout_ns;
    }
}

/* The turn's bundle is complete: it gets its header and a place among those that wait for answers. */
void lane_close_bundle(struct member *member, struct lane *lane)
{
    if (lane->building_count == 0) return;
    struct outgoing *outgoing = bundle_at(lane, lane->bundles_tail++);
    *outgoing = (struct outgoing){
        .bytes = lane->building, .first = lane->building_first, .count = lane->building_count};
    buffer_init(&lane->building, member->node->heap);
    lane->building_count = 0;
    lane->hand_in = true;
    set_deadlines(member, lane, outgoing);
}

static void write_bundle_header(struct member *member, struct lane *lane, struct outgoing *outgoing)
{
    struct bundle header = {.node = member->node->options->id,
                            .count = outgoing->count,
                            .incarnation = member->node->incarnation,
                            .first_number = outgoing->first,
                            .first_incomplete = lane->first_incomplete,
                            .level = COMMAND_LEVEL};
    bundle_header_write(outgoing->bytes.data, &header);
}

static void hand_in_one(struct member *member, struct lane *lane, struct outgoing *outgoing)
{
    write_bundle_header(member, lane, outgoing);
    if (outgoing->handed > 0) member->node->counters.resubmitted++;
    outgoing->handed++;
    outgoing->with_member = true;
    struct event event = {.kind = EVENT_REQUEST};
    event.request = (struct event_request){
        .kind = lane->read ? REQUEST_READ : REQUEST_UPDATE,
        .incarnation = member->node->incarnation,
        .first_number = outgoing->first,
        .count = outgoing->count,
        .first_incomplete = lane->first_incomplete,
        .bytes = {outgoing->bytes.data, outgoing->bytes.size},
    };
    member_step(member, &event);
}

/* Protocols that name no orderer (plain members) take requests at any time; a client of a group names itself as long as
 * it reaches enough members. */
static bool may_hand_in(const struct member *member)
{
    bool needs_orderer = member->protocol->order == ORDER_TOTAL || member->spec->served_by != NULL;
    return member->adopting.phase == ADOPT_NONE && (member->orderer != 0 || !needs_orderer);
}

/* Something waits to be handed in, and can be. */
bool member_hand_in_due(const struct member *member)
{
    return (member->lanes[0].hand_in || member->lanes[1].hand_in) && may_hand_in(member);
}

/* What was refused must never be handed in again, even while an earlier bundle still waits. */
static bool has_unanswered(const struct lane *lane, const struct outgoing *outgoing)
{
    for (uint64_t number = outgoing->first; number < outgoing->first + outgoing->count; number++)
        if (lane_waiting(lane, number)) return true;
    return false;
}

void lane_hand_in(struct member *member, struct lane *lane)
{
    if (!lane->hand_in || !may_hand_in(member)) return;
    lane->hand_in = false;
    while (!lane->hand_in) {
        /* A step may answer, and so free, bundles that were not looked at yet. */
        if (lane->bundles_looked < lane->bundles_head) lane->bundles_looked = lane->bundles_head;
        if (lane->bundles_looked == lane->bundles_tail) break;
        if (!may_hand_in(member)) {
            lane->hand_in = true;
            break;
        }
        struct outgoing *outgoing = bundle_at(lane, lane->bundles_looked++);
        if (!outgoing->with_member && has_unanswered(lane, outgoing)) hand_in_one(member, lane, outgoing);
    }
    if (lane->retry_at_ns == INT64_MAX && lane->bundles_head != lane->bundles_tail) {
        lane->retry_delay_ns = member->spec->tuning.election_timeout_ns;
        lane->retry_at_ns = member->node->now_ns + lane->retry_delay_ns;
    }
}

/* Who orders has changed: what is unanswered must reach the new one. Reads are the protocol's until it gives them back. */
void lane_orderer_changed(struct lane *lane)
{
    if (lane->bundles_head == lane->bundles_tail) return;
    lane->hand_in = true;
    lane->bundles_looked = lane->bundles_head;
    if (lane->read) return;
    for (uint64_t place = lane->bundles_head; place != lane->bundles_tail; place++)
        bundle_at(lane, place)->with_member = false;
}

/* The member did not take them; if it never had them before, they certainly have not happened. */
void lane_given_back(struct member *member, struct lane *lane, uint64_t first, uint32_t count)
{
    lane->again_at_ns = member->node->now_ns + AGAIN_DELAY_MS * NS_PER_MS;
    for (uint64_t place = lane->bundles_head; place != lane->bundles_tail; place++) {
        struct outgoing *outgoing = bundle_at(lane, place);
        if (outgoing->first + outgoing->count <= first || outgoing->first >= first + count) continue;
        if (!outgoing->with_member) continue;
        outgoing->with_member = false;
        outgoing->handed--;
    }
}

struct outgoing *lane_find(struct lane *lane, uint64_t number)
{
    uint64_t low = lane->bundles_head, high = lane->bundles_tail;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct outgoing *outgoing = bundle_at(lane, middle);
        if (number < outgoing->first) high = middle;
        else if (number >= outgoing->first + outgoing->count) low = middle + 1;
        else return outgoing;
    }
    return NULL;
}

bool lane_waiting(const struct lane *lane, uint64_t number)
{
    return number >= lane->first_incomplete && number < lane->next_number && lane->ring[number & lane->mask].waiting;
}

/* Numbers that are answered leave the window, and bundles without unanswered numbers go. */
static void advance(struct member *member, struct lane *lane)
{
    while (lane->first_incomplete < lane->next_number && !lane->ring[lane->first_incomplete & lane->mask].waiting)
        lane->first_incomplete++;
    while (lane->bundles_head != lane->bundles_tail) {
        struct outgoing *outgoing = bundle_at(lane, lane->bundles_head);
        if (outgoing->first + outgoing->count > lane->first_incomplete) break;
        node_buffer_give(member->node, &outgoing->bytes);
        lane->bundles_head++;
    }
    lane->retry_delay_ns = member->spec->tuning.election_timeout_ns;
    lane->retry_at_ns = lane->bundles_head == lane->bundles_tail ? INT64_MAX
                                                                 : member->node->now_ns + lane->retry_delay_ns;
}

/* One that was refused (the disk is full, say) is proposed again, but not at once and for ever. */
static void tick_answered(struct member *member, enum answer_kind kind)
{
    member->tick_pending = false;
    if (kind != ANSWER_VALUE) member->tick_again_at_ns = member->node->now_ns + AGAIN_DELAY_MS * NS_PER_MS;
}

static bool submit_as_update(struct member *member, struct span command, const struct pending *read)
{
    struct node *node = member->node;
    uint32_t group = member->spec->group;
    if (!node_request_room(node, group, false)) return false;
    if (!buffer_append(node_request_begin(node, group, false), command.data, command.size)) {
        node_request_abandon(node, group, false);
        return false;
    }
    node_request_commit(node, group, false, read->cookie);
    struct lane *lane = &member->lanes[0];
    lane->ring[(lane->next_number - 1) & lane->mask].deadline_ns = read->deadline_ns;
    return true;
}

static void order_read(struct member *member, struct lane *lane, uint64_t number, struct span command)
{
    struct node *node = member->node;
    struct pending *pending = &lane->ring[number & lane->mask];
    uint64_t cookie = pending->cookie;
    if (!submit_as_update(member, command, pending)) {
        struct answer answer = {.kind = ANSWER_REFUSED, .bytes = span_string(too_many_reads)};
        lane_answer(member, lane, number, &answer);
        return;
    }
    pending->waiting = false; /* its cookie has moved */
    if (number == lane->first_incomplete) advance(member, lane);
    if (node->door.ordered != NULL && cookie != NODE_COOKIE_OWN) node->door.ordered(node->door.context, cookie);
}

static bool some_waiting(const struct lane *lane, uint64_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (lane_waiting(lane, first + i)) return true;
    return false;
}

void lane_order_reads(struct member *member, uint64_t first, uint32_t count)
{
    struct lane *lane = &member->lanes[1];
    if (!some_waiting(lane, first, count)) return;
    lane_close_bundle(member, lane);
    for (uint64_t place = lane->bundles_head; place != lane->bundles_tail; place++) {
        const struct outgoing *outgoing = bundle_at(lane, place);
        struct span rest = {outgoing->bytes.data + BUNDLE_HEADER_SIZE, outgoing->bytes.size - BUNDLE_HEADER_SIZE};
        struct command command;
        /* The last one that is unanswered frees the bundle, though answered ones may lie behind it. */
        uint64_t number = outgoing->first, complete = outgoing->first + outgoing->count;
        for (; lane->first_incomplete < complete && command_next(&rest, &command); number++)
            if (lane_waiting(lane, number)) order_read(member, lane, number, command.whole);
    }
}

static void tell(struct member *member, uint64_t cookie, const struct answer *answer)
{
    struct node *node = member->node;
    if (cookie == 0) {
        tick_answered(member, answer->kind);
    } else if (cookie == NODE_COOKIE_OWN) {
        node_learn_answer(node, answer);
    } else {
        node_learn_hint(node, answer);
        if (node->door.answer != NULL) node->door.answer(node->door.context, cookie, answer);
    }
}

void lane_answer(struct member *member, struct lane *lane, uint64_t number, const struct answer *answer)
{
    if (!lane_waiting(lane, number)) return;
    struct node *node = member->node;
    struct pending *pending = &lane->ring[number & lane->mask];
    pending->waiting = false;
    uint64_t cookie = pending->cookie;
    if (number == lane->first_incomplete) advance(member, lane);
    if (answer->kind == ANSWER_REFUSED) node->counters.refused++;
    if (answer->kind == ANSWER_INDETERMINATE) node->counters.indeterminate++;
    tell(member, cookie, answer);
}

static void expire_lane(struct member *member, struct lane *lane)
{
    while (lane->first_incomplete < lane->next_number) {
        uint64_t number = lane->first_incomplete;
        if (lane->ring[number & lane->mask].deadline_ns > member->node->now_ns) break;
        const struct outgoing *outgoing = lane_find(lane, number);
        bool may_have_happened = !lane->read && outgoing != NULL && outgoing->handed > 0;
        bool client = member->spec->served_by != NULL;
        const char *text = may_have_happened ? unknown_fate : client ? too_few : lane->read ? no_leader_read : no_leader;
        struct answer answer = {.kind = may_have_happened ? ANSWER_INDETERMINATE : ANSWER_REFUSED,
                                .bytes = span_string(text)};
        lane_answer(member, lane, number, &answer);
    }
}

static void retry_lane(struct member *member, struct lane *lane)
{
    if (lane->again_at_ns <= member->node->now_ns) {
        lane->again_at_ns = INT64_MAX;
        lane->hand_in = true;
        lane->bundles_looked = lane->bundles_head;
    }
    if (lane->retry_at_ns > member->node->now_ns) return;
    if (!lane->read)
        for (uint64_t place = lane->bundles_head; place != lane->bundles_tail; place++)
            bundle_at(lane, place)->with_member = false;
    lane->hand_in = true;
    lane->bundles_looked = lane->bundles_head;
    int64_t longest = RETRY_DELAYS_MAX * member->spec->tuning.election_timeout_ns;
    lane->retry_delay_ns = lane->retry_delay_ns * 2 < longest ? lane->retry_delay_ns * 2 : longest;
    lane->retry_at_ns = member->node->now_ns + lane->retry_delay_ns;
}

void member_requests_expire(struct member *member)
{
    for (int read = 0; read < 2; read++) {
        struct lane *lane = &member->lanes[read];
        lane_close_bundle(member, lane);
        expire_lane(member, lane);
        retry_lane(member, lane);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < member->count_requests; i++) {
        struct count_request *count = &member->counts[i];
        if (count->deadline_ns <= member->node->now_ns) {
            struct answer answer = {.kind = ANSWER_REFUSED, .bytes = span_string(no_leader_read)};
            member->node->door.answer(member->node->door.context, count->cookie, &answer);
        } else {
            member->counts[kept++] = *count;
        }
    }
    member->count_requests = kept;
}

int64_t member_requests_next_ns(const struct member *member)
{
    int64_t next = INT64_MAX;
    for (int read = 0; read < 2; read++) {
        const struct lane *lane = &member->lanes[read];
        if (lane->first_incomplete == lane->next_number) continue;
        int64_t deadline = lane->ring[lane->first_incomplete & lane->mask].deadline_ns;
        if (deadline < next) next = deadline;
        if (lane->retry_at_ns < next) next = lane->retry_at_ns;
        if (lane->again_at_ns < next) next = lane->again_at_ns;
    }
    for (uint32_t i = 0; i < member->count_requests; i++)
        if (member->counts[i].deadline_ns < next) next = member->counts[i].deadline_ns;
    return next;
}

void node_request_count(struct node *node, uint32_t group, uint64_t index, uint64_t cookie)
{
    struct member *member = node_member_of(node, group);
    if (member == NULL || member->count_requests == COUNTS_MAX) {
        const char *text = member == NULL ? "ERR the group of the last write is no longer on this node"
                                          : "BUSY 1024 WAITs are under way on this node";
        struct answer answer = {.kind = ANSWER_REFUSED, .bytes = span_string(text)};
        node->door.answer(node->door.context, cookie, &answer);
        return;
    }
    member->counts[member->count_requests++] =
        (struct count_request){.id = ++member->next_count_id,
                               .cookie = cookie,
                               .index = index,
                               .deadline_ns = INT64_MAX};
    member->counts_due = true;
}

static void hand_in_counts(struct member *member)
{
    if (!member->counts_due) return;
    member->counts_due = false;
    /* From the back: an answer that comes at once puts the last one, which was handed in, into its place. */
    for (uint32_t i = member->count_requests; i > 0; i--) {
        struct count_request *count = &member->counts[i - 1];
        if (count->sent) continue;
        count->sent = true;
        count->deadline_ns = member->node->now_ns + COUNT_DEADLINE_S * NS_PER_S;
        struct event event = {.kind = EVENT_REQUEST};
        event.request = (struct event_request){
            .kind = REQUEST_COUNT, .first_number = count->id, .count = 1, .index = count->index};
        member_step(member, &event);
    }
}

void member_count_answer(struct member *member, const struct effect_reply *reply)
{
    for (uint32_t i = 0; i < member->count_requests; i++) {
        struct count_request *count = &member->counts[i];
        if (count->id != reply->first_number) continue;
        struct answer answer = {.kind = ANSWER_COUNT, .count = reply->count_stored};
        uint64_t cookie = count->cookie;
        member->counts[i] = member->counts[--member->count_requests];
        member->node->door.answer(member->node->door.context, cookie, &answer);
        return;
    }
}

/* Messages of the service to other members of its group come to its own protocol. */
static void hand_in_calls(struct member *member)
{
    size_t at = 0;
    while (at < member->calls.size) {
        const uint8_t *entry = member->calls.data + at;
        uint32_t size = load_u32(entry + 8);
        struct event event = {.kind = EVENT_REQUEST};
        event.request = (struct event_request){.kind = REQUEST_CALL,
                                               .incarnation = member->node->incarnation,
                                               .count = 1,
                                               .to = {load_u32(entry), load_u32(entry + 4)},
                                               .bytes = {entry + 12, size}};
        at += 12 + size;
        member_step(member, &event);
    }
    buffer_clear(&member->calls);
}

void member_requests_turn(struct member *member)
{
    hand_in_calls(member);
    for (int read = 0; read < 2; read++) {
        lane_close_bundle(member, &member->lanes[read]);
        lane_hand_in(member, &member->lanes[read]);
    }
    hand_in_counts(member);
}

/* After adopting a checkpoint: requests of ours that it contains were executed; their answers are in its table. */
void member_answers_from_sessions(struct member *member)
{
    struct node *node = member->node;
    const struct session *session = session_find(&member->sessions, node->options->id, node->incarnation);
    if (session == NULL) return;
    struct lane *lane = &member->lanes[0];
    for (uint64_t number = lane->first_incomplete; number <= session->last_executed; number++) {
        if (!lane_waiting(lane, number)) continue;
        struct answer answer = {.kind = ANSWER_VALUE, .index = member->state_index};
        if (!session_reply(session, number, &answer.bytes)) {
            answer.kind = ANSWER_INDETERMINATE;
            answer.bytes = span_string(reply_lost);
        }
        lane_answer(member, lane, number, &answer);
    }
}

void member_submit_tick(struct member *member)
{
    struct node *node = member->node;
    member->tick_again_at_ns = node->now_ns + AGAIN_DELAY_MS * NS_PER_MS;
    if (!node_request_room(node, member->spec->group, false)) return;
    struct buffer *out = node_request_begin(node, member->spec->group, false);
    size_t at = command_begin(out, OP_TICK, 0, 0);
    if (at == SIZE_MAX) {
        node_request_abandon(node, member->spec->group, false);
        return;
    }
    command_end(out, at);
    node_request_commit(node, member->spec->group, false, 0);
    member->tick_pending = true;
    member->tick_again_at_ns = 0;
}
