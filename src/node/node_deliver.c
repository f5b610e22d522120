/* Commands to services, and their answers.
 *
 * A delivered bundle of an ordered group goes through the session table, which lets each command execute once and in
 * the order sent. Groups without a total order deliver in different orders on different members, so there the protocol
 * itself sees to that, and a bundle goes straight to the service. */
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "node/node_internal.h"

static const char reply_lost[] = "INDETERMINATE the command was executed once, but its answer was too large to keep";

/* The bulk of a stored record is its bundle: what follows the fixed fields and the bulk's length. */
static struct span bundle_of_record(struct member *member, uint64_t position)
{
    uint8_t slot;
    uint16_t type;
    struct span body = {0};
    int error = wal_read(member->node->wal, member->spec->group, position, &slot, &type, &body);
    if (error < 0) {
        node_fail(member->node, "a committed record could not be read back: %s (%s)", "log", error);
        return (struct span){0};
    }
    invariant(type < RECORD_TYPES_MAX && member->record_head_size[type] <= body.size,
              "DELIVER names a record that ends in a bundle");
    size_t head = member->record_head_size[type];
    return (struct span){body.data + head, body.size - head};
}

static void queue_calls(struct member *member, const struct service_out *out)
{
    for (uint32_t i = 0; i < out->call_count; i++) {
        const struct service_call *call = &out->calls[i];
        size_t size = BUNDLE_HEADER_SIZE + call->bytes.size;
        uint8_t *entry = buffer_grow(&member->calls, 12 + size);
        invariant(entry != NULL, "a service's calls have room in the node's heap");
        store_u32(entry, call->to.node);
        store_u32(entry + 4, call->to.group);
        store_u32(entry + 8, (uint32_t)size);
        struct bundle header = {.node = member->node->options->id,
                                .count = 1,
                                .incarnation = member->node->incarnation,
                                .level = COMMAND_LEVEL};
        bundle_header_write(entry + 12, &header);
        memcpy(entry + 12 + BUNDLE_HEADER_SIZE, call->bytes.data, call->bytes.size);
        member->touched = true;
    }
}

static void tamper_answer(struct member *member, const struct delivery *delivery, struct buffer *reply, size_t from)
{
    const struct node_tamper *tamper = &member->node->tamper;
    if (tamper->answered != NULL && reply->size > from)
        tamper->answered(tamper->context, member->spec->group, delivery, reply->data + from, reply->size - from);
}

/* One command to the service; its answer is in member->reply. */
static void execute(struct member *member, const struct delivery *delivery)
{
    struct service_call calls[DELIVER_CALLS_MAX];
    struct service_out out = {.reply = &member->reply,
                              .tick_at_ns = member->tick_at_ns,
                              .calls = calls,
                              .call_capacity = DELIVER_CALLS_MAX};
    /* After a restart a tick is due to learn whether the service wants one; without its word it was the last. */
    if (delivery->command.op == OP_TICK && !delivery->read) out.tick_at_ns = SERVICE_NO_TICK;
    buffer_clear(&member->reply);
    member->service->deliver(member->service_self, delivery, &out);
    tamper_answer(member, delivery, &member->reply, 0);
    member->tick_at_ns = out.tick_at_ns;
    queue_calls(member, &out);
}

void member_start_service(struct member *member)
{
    if (member->service->start == NULL || member->start.kind != START_FIRST) return;
    struct service_call calls[DELIVER_CALLS_MAX];
    struct service_out out = {.reply = &member->reply,
                              .tick_at_ns = member->tick_at_ns,
                              .calls = calls,
                              .call_capacity = DELIVER_CALLS_MAX};
    member->service->start(member->service_self, member->node->options->id, &out);
    member->tick_at_ns = out.tick_at_ns;
    queue_calls(member, &out);
}

static void queue_result(struct member *member, uint64_t tag)
{
    uint8_t *entry = buffer_grow(&member->results, 12);
    invariant(entry != NULL, "results have room in the node's heap");
    store_u64(entry, tag);
    store_u32(entry + 8, (uint32_t)member->reply.size);
    invariant(buffer_append(&member->results, member->reply.data, member->reply.size), "results have room");
    member->touched = true;
}

static bool own(const struct member *member, const struct bundle *bundle)
{
    return bundle->node == member->node->options->id && bundle->incarnation == member->node->incarnation;
}

static void answer_own(struct member *member, uint64_t number, uint64_t index, struct span bytes)
{
    struct answer answer = {.kind = ANSWER_VALUE, .bytes = bytes, .index = index};
    lane_answer(member, &member->lanes[0], number, &answer);
}

static void execute_update(struct member *member, const struct effect_deliver *deliver, const struct bundle *bundle,
                           const struct command *command, uint64_t index)
{
    struct delivery delivery = {.read = deliver->kind == DELIVER_READ,
                                .index = index,
                                .time_ns = deliver->time_ns,
                                .origin = bundle->node,
                                .command = *command};
    execute(member, &delivery);
    struct node *node = member->node;
    node->counters.updates++;
    if (node->observer.applied != NULL)
        node->observer.applied(node->observer.context, member->spec->group, &delivery);
    if (deliver->result) queue_result(member, deliver->tag);
}

static void tell_again(struct member *member, const struct peer *client, const struct session *session, uint64_t number)
{
    struct client_answer answer = {.number = number};
    answer.lost = !session_reply(session, number, &answer.bytes);
    member_tell_client(member, client, false, &answer);
}

/* The command's number decides whether it executes now. */
static void deliver_in_session(struct member *member, const struct effect_deliver *deliver,
                               const struct bundle *bundle, struct session *session, const struct command *command,
                               uint32_t place)
{
    struct node *node = member->node;
    const struct peer *client = member_client(member, bundle->node, bundle->incarnation);
    uint64_t number = bundle->first_number + place, index = deliver->index + place;
    struct span reply = {0};
    switch (session == NULL ? SESSION_STALE : session_judge(session, number)) {
    case SESSION_EXECUTE:
        execute_update(member, deliver, bundle, command, index);
        reply = (struct span){member->reply.data, member->reply.size};
        session_record(&member->sessions, session, number, reply);
        if (own(member, bundle)) answer_own(member, number, index, reply);
        if (client != NULL)
            member_tell_client(member, client, false, &(struct client_answer){.number = number, .index = index, .bytes = reply});
        break;
    case SESSION_DUPLICATE:
        node->counters.duplicates++;
        if (client != NULL) tell_again(member, client, session, number);
        if (!own(member, bundle) || !lane_waiting(&member->lanes[0], number)) break;
        if (session_reply(session, number, &reply)) {
            answer_own(member, number, index, reply);
        } else {
            struct answer answer = {.kind = ANSWER_INDETERMINATE, .bytes = span_string(reply_lost)};
            lane_answer(member, &member->lanes[0], number, &answer);
        }
        break;
    case SESSION_STALE: node->counters.duplicates++; break;
    case SESSION_GAP: node->counters.gaps_skipped++; break;
    }
}

static void deliver_plain(struct member *member, const struct effect_deliver *deliver, const struct bundle *bundle,
                          const struct command *command, uint32_t place)
{
    execute_update(member, deliver, bundle, command, deliver->index + place);
    if (deliver->result || deliver->kind == DELIVER_READ || bundle->first_number == 0 || !own(member, bundle)) return;
    answer_own(member, bundle->first_number + place, deliver->index + place,
               (struct span){member->reply.data, member->reply.size});
}

/* The group knows a younger life of this node: its disk was lost and its clock has been set back since. The next start
 * must count from there, or none of its requests would ever execute. */
static void overtaken(struct member *member, uint32_t self)
{
    struct node *node = member->node;
    struct identity identity = {.cluster = node->options->cluster, .node = self, .initialised = true};
    for (uint32_t i = 0; i < member->sessions.count; i++)
        if (member->sessions.sessions[i].node == self) identity.incarnation = member->sessions.sessions[i].incarnation;
    int error = identity_write(node->disk, node->heap, &identity);
    node_fail(node, "the group knows a later start of this node: its clock was set back after its disk was lost; "
              "start it again: %s (%s)", "the number of starts is corrected now", error);
}

static void deliver_bundle(struct member *member, const struct effect_deliver *deliver, struct span bytes)
{
    struct bundle bundle;
    if (!bundle_open(bytes, &bundle)) {
        node_reject(member->node, REJECT_BODY);
        return;
    }
    /* A question (a vote, say) changes nothing, so it is no matter of the session's. */
    bool ordered = member->protocol->order == ORDER_TOTAL && deliver->kind == DELIVER_UPDATE;
    bool of_member = spec_member_place(member->spec, bundle.node) >= 0;
    struct session *session = ordered && bundle.count > 0 ? session_open(&member->sessions, &bundle, of_member) : NULL;
    if (ordered && session == NULL && bundle.count > 0 && own(member, &bundle)) {
        overtaken(member, bundle.node);
        return;
    }
    struct span rest = bundle.commands;
    struct command command;
    for (uint32_t place = 0; command_next(&rest, &command); place++) {
        if (ordered) deliver_in_session(member, deliver, &bundle, session, &command, place);
        else deliver_plain(member, deliver, &bundle, &command, place);
    }
    if (deliver->kind == DELIVER_READ) return;
    uint64_t last = deliver->index + (bundle.count > 0 ? bundle.count - 1 : 0);
    if (last > member->state_index) member->state_index = last;
    if (deliver->time_ns > member->state_time_ns) member->state_time_ns = deliver->time_ns;
}

bool member_read(struct member *member, struct span command_bytes, int64_t time_ns, uint32_t origin,
                 struct buffer *reply)
{
    struct delivery delivery = {.read = true,
                                .index = member->state_index,
                                .time_ns = time_ns,
                                .random = random_u64(&member->random),
                                .origin = origin};
    if (!command_open(command_bytes, &delivery.command)) return false;
    struct service_out out = {.reply = reply, .tick_at_ns = member->tick_at_ns};
    size_t from = reply->size;
    member->service->deliver(member->service_self, &delivery, &out);
    tamper_answer(member, &delivery, reply, from);
    member->node->counters.reads++;
    return true;
}

/* Reads by number: the commands lie in the bundles of the own reads' lane. */
static void deliver_reads(struct member *member, const struct effect_deliver *deliver)
{
    struct lane *lane = &member->lanes[1];
    uint64_t number = deliver->first_number, end = number + deliver->count;
    while (number < end) {
        struct outgoing *outgoing = lane_find(lane, number);
        if (outgoing == NULL) {
            number++;
            continue;
        }
        uint64_t last = outgoing->first + outgoing->count < end ? outgoing->first + outgoing->count : end;
        struct span rest = {outgoing->bytes.data + BUNDLE_HEADER_SIZE, outgoing->bytes.size - BUNDLE_HEADER_SIZE};
        struct command command;
        for (uint64_t skip = outgoing->first; skip < number && command_next(&rest, &command); skip++) {
        }
        /* The answer that completes the bundle frees it: its last number may have been answered before. */
        uint64_t complete = outgoing->first + outgoing->count;
        for (; number < last && lane->first_incomplete < complete && command_next(&rest, &command); number++) {
            if (!lane_waiting(lane, number)) continue;
            buffer_clear(&member->reply);
            member_read(member, command.whole, deliver->time_ns, member->node->options->id, &member->reply);
            struct answer answer = {.kind = ANSWER_VALUE,
                                    .bytes = {member->reply.data, member->reply.size},
                                    .index = member->state_index};
            lane_answer(member, lane, number, &answer);
        }
        number = last;
    }
}

void member_deliver(struct member *member, const struct effect_deliver *deliver)
{
    invariant(member->adopting.phase == ADOPT_NONE, "nothing is delivered while a checkpoint is adopted");
    if (deliver->kind == DELIVER_LOOK) {
        member_deliver_looks(member, deliver);
        return;
    }
    if (deliver->kind == DELIVER_READ && deliver->record == 0 && deliver->bundle.size == 0) {
        deliver_reads(member, deliver);
        return;
    }
    struct span bytes = deliver->record != 0 ? bundle_of_record(member, deliver->record) : deliver->bundle;
    if (member->node->failed) return;
    deliver_bundle(member, deliver, bytes);
}

bool node_read_local(struct node *node, uint32_t group, struct span command, struct buffer *reply)
{
    struct member *member = node_member_of(node, group);
    if (member == NULL || member->adopting.phase != ADOPT_NONE || member->spec->served_by != NULL) return false;
    return member_read(member, command, node->wall_ns, node->options->id, reply);
}

uint64_t node_digest(struct node *node, uint32_t group)
{
    struct member *member = node_member_of(node, group);
    return hash_mix(session_table_digest(&member->sessions), member->service->digest(member->service_self));
}
