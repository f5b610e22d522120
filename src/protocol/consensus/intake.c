/* What clients ask for (intake.h). */
#include "protocol/consensus/intake.h"

#include <string.h>

#include "base/number.h"
#include "contract/command.h"

static struct span disk_full_text(const struct intake *intake, struct effects *out)
{
    static const char before[] = "MISCONF disk full on node ";
    static const char after[] = ": it takes no writes until there is room";
    char text[sizeof before + sizeof after + NUMBER_INTEGER_SIZE_MAX];
    size_t size = sizeof before - 1;
    memcpy(text, before, size);
    size += number_print_u64(text + size, intake->peers->self_node);
    memcpy(text + size, after, sizeof after - 1);
    size += sizeof after - 1;
    return effects_copy(out, text, size);
}

static void take_own(struct intake *intake, uint64_t first_number, uint32_t count)
{
    uint64_t last = first_number + count - 1;
    if (first_number <= intake->last && intake->repeated_last < last)
        intake->repeated_last = last;
    if (intake->last < last)
        intake->last = last;
}

static void forward(const struct intake *intake, uint32_t leader, struct span bundle, struct effects *out)
{
    const struct leader_wire *wire = intake->order->wire;
    const struct leader_forward message = {.bundle = bundle};
    /* Not to a later life of the leader, which would not know that it took the bundle before. */
    effect_send_one(out, wire->table, wire->slot, wire->forward, &message, leader)->to_incarnation =
        peers_find(intake->peers, leader)->incarnation;
}

static bool can_order(const struct intake *intake, struct intake_role role)
{
    return role.leads && !role.disk_full && !intake->order->overloaded(intake->self);
}

/* Of a client's session: none of its numbers is ever refused, so nothing is noted of them. */
static void on_client_update(struct intake *intake, struct intake_role role, const struct event *event,
                             struct effects *out)
{
    const struct event_request *request = &event->request;
    if (can_order(intake, role))
        intake->order->append(intake->self, event, request->bytes, request->count, request->origin, out);
    else if (!role.leads && role.leader != 0)
        forward(intake, role.leader, request->bytes, out);
    else
        effect_reply(out, REPLY_AGAIN, false, request->first_number, request->count, (struct span){0});
}

static void on_update(struct intake *intake, struct intake_role role, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    if (request->count == 0)
        return;
    if (request->origin != 0) {
        on_client_update(intake, role, event, out);
        return;
    }
    if (request->incarnation != intake->incarnation) {
        intake->incarnation = request->incarnation; /* another session counts its numbers anew */
        intake->last = intake->repeated_last = 0;
    }
    bool repeated = request->first_number <= intake->last;
    bool busy = role.leads && (role.disk_full || intake->order->overloaded(intake->self));
    if (role.leads && role.disk_full && !repeated) {
        effect_reply(out, REPLY_REFUSED, false, request->first_number, request->count, disk_full_text(intake, out));
        return;
    }
    if (role.leader == 0 || busy) {
        effect_reply(out, REPLY_AGAIN, false, request->first_number, request->count, (struct span){0});
        return;
    }
    take_own(intake, request->first_number, request->count);
    if (role.leads)
        intake->order->append(intake->self, event, request->bytes, request->count, intake->peers->self_node, out);
    else
        forward(intake, role.leader, request->bytes, out);
}

static void refuse(const struct intake *intake, const struct event *event, const struct bundle *bundle,
                   struct effects *out)
{
    const struct leader_wire *wire = intake->order->wire;
    const struct leader_refuse refusal = {
        .incarnation = bundle->incarnation,
        .first_number = bundle->first_number,
        .count = bundle->count,
        .text = disk_full_text(intake, out),
    };
    effect_send_one(out, wire->table, wire->slot, wire->refuse, &refusal, event->message.from.node)->to_incarnation =
        event->message.incarnation;
}

static uint64_t highest(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static const char *on_forward(struct intake *intake, struct intake_role role, const struct event *event,
                              struct effects *out)
{
    const struct leader_forward *message = event->message.body;
    struct peer *peer = peers_find(intake->peers, event->message.from.node);
    struct bundle bundle;
    if (!bundle_open(message->bundle, &bundle) || bundle.count == 0)
        return "rejected: malformed bundle";
    if (!role.leads)
        return NULL;
    if (bundle.node != peer->node) {
        if (can_order(intake, role))
            intake->order->append(intake->self, event, message->bundle, bundle.count, bundle.node, out);
        return NULL;
    }
    if (peer->taken_incarnation != bundle.incarnation) {
        peer->taken_incarnation = bundle.incarnation;
        peer->taken_last = peer->refused_last = 0;
    }
    uint64_t last = bundle.first_number + bundle.count - 1;
    if (bundle.first_number <= peer->refused_last)
        return NULL; /* doubled on the way: it must not happen any more */
    if (role.disk_full && bundle.first_number > peer->taken_last) {
        peer->refused_last = highest(peer->refused_last, last);
        refuse(intake, event, &bundle, out);
        return NULL;
    }
    if (role.disk_full || intake->order->overloaded(intake->self))
        return NULL;
    peer->taken_last = highest(peer->taken_last, last);
    intake->order->append(intake->self, event, message->bundle, bundle.count, peer->node, out);
    return NULL;
}

static void on_refuse(const struct intake *intake, const struct event *event, struct effects *out)
{
    const struct leader_refuse *refusal = event->message.body;
    if (refusal->count == 0 || refusal->incarnation != intake->incarnation)
        return;
    if (refusal->first_number > intake->repeated_last)
        effect_reply(out, REPLY_REFUSED, false, refusal->first_number, refusal->count, refusal->text);
}

static void reply_count(uint64_t number, uint32_t members, struct effects *out)
{
    effect_reply(out, REPLY_COUNT, false, number, 1, (struct span){0})->count_stored = members;
}

static void on_count_request(const struct intake *intake, struct intake_role role, const struct event *event,
                             struct effects *out)
{
    const struct leader_wire *wire = intake->order->wire;
    const struct leader_count count = {.number = event->request.first_number, .index = event->request.index};
    if (role.leads || role.leader == 0)
        reply_count(count.number, intake->order->count_stored(intake->self, count.index), out);
    else
        effect_send_one(out, wire->table, wire->slot, wire->count, &count, role.leader);
}

static void on_count(const struct intake *intake, struct intake_role role, const struct event *event,
                     struct effects *out)
{
    const struct leader_wire *wire = intake->order->wire;
    const struct leader_count *count = event->message.body;
    if (!role.leads)
        return;
    const struct leader_count_ack ack = {.number = count->number,
                                         .count = intake->order->count_stored(intake->self, count->index)};
    effect_send_one(out, wire->table, wire->slot, wire->count_ack, &ack, event->message.from.node)->to_incarnation =
        event->message.incarnation;
}

static void on_count_ack(const struct event *event, struct effects *out)
{
    const struct leader_count_ack *ack = event->message.body;
    reply_count(ack->number, ack->count, out);
}

void intake_on_request(struct intake *intake, struct intake_role role, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    if (request->kind == REQUEST_UPDATE)
        on_update(intake, role, event, out);
    else if (request->kind == REQUEST_READ)
        reads_request(intake->reads, role.leader, request->first_number, request->count, out);
    else if (request->kind == REQUEST_COUNT)
        on_count_request(intake, role, event, out);
}

const char *intake_on_message(struct intake *intake, struct intake_role role, const struct event *event,
                              struct effects *out)
{
    const struct leader_wire *wire = intake->order->wire;
    uint16_t type = event->message.type;
    uint32_t from = event->message.from.node;
    if (type == wire->forward)
        return on_forward(intake, role, event, out);
    if (type == wire->refuse)
        on_refuse(intake, event, out);
    else if (type == wire->count)
        on_count(intake, role, event, out);
    else if (type == wire->count_ack)
        on_count_ack(event, out);
    else if (type == wire->read && role.leads)
        reads_on_question(intake->reads, peers_find(intake->peers, from), event->message.body);
    else if (type == wire->read_ack && !role.leads && from == role.leader)
        reads_on_answer(intake->reads, event->message.body, out);
    return NULL;
}

void intake_canonical(const struct intake *intake, struct canon *out)
{
    canon_u64(out, intake->incarnation);
    canon_u64(out, intake->last);
    canon_u64(out, intake->repeated_last);
}
