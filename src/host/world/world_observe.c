/* What the world sees of its nodes: every event and effect goes into the run's hash and into the trace, and after every
 * step the invariants are checked.
 *
 * The hash covers the contents that count: kinds, numbers, decoded fields, and the bytes of bulks by their CRC. Two runs
 * of one seed must have the same, whatever compiler made them; so nothing that depends on addresses goes in.
 * hash_mix closes each event. */
#include "base/hash.h"
#include "base/panic.h"
#include "contract/effect_hash.h"
#include "host/world/world_attack.h"
#include "host/world/world_state.h"

/* ---- hashing ---- */

static uint64_t fold_body(uint64_t hash, const struct message_type *type, const uint8_t *body)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const uint8_t *at = body + type->fields[i].offset;
        uint64_t word = 0;
        uint32_t half = 0;
        struct span bulk;
        switch (type->fields[i].kind) {
        case FIELD_U8:
            hash = fold(hash, *at);
            break;
        case FIELD_U32:
        case FIELD_NODE:
            memcpy(&half, at, sizeof half);
            hash = fold(hash, half);
            break;
        case FIELD_U64:
        case FIELD_I64:
        case FIELD_TIME:
        case FIELD_INCARNATION:
            memcpy(&word, at, sizeof word);
            hash = fold(hash, word);
            break;
        case FIELD_BYTES:
        case FIELD_RECORDS:
            memcpy(&bulk, at, sizeof bulk);
            hash = fold_span(hash, bulk);
            break;
        }
    }
    return hash;
}

static uint64_t fold_event(uint64_t hash, const struct process *process, const struct event *event)
{
    const struct protocol *protocol = process->spec.protocol;
    switch (event->kind) {
    case EVENT_RESTORE:
    case EVENT_TURN:
        break;
    case EVENT_START:
        hash = fold(fold(hash, (uint64_t)event->start.kind), event->start.position);
        break;
    case EVENT_STORED:
        hash = fold(hash, event->stored.position);
        break;
    case EVENT_RESULT:
        hash = fold_span(fold(hash, event->result.tag), event->result.bytes);
        break;
    case EVENT_STATE:
        hash = fold(fold(fold(hash, (uint64_t)event->state.kind), event->state.index), event->state.digest);
        break;
    case EVENT_PEER:
        hash = fold(fold(hash, event->peer.node), (uint64_t)event->peer.state);
        break;
    case EVENT_MESSAGE:
        hash = fold(fold(hash, event->message.from.node), event->message.incarnation);
        hash = fold(hash, (uint64_t)event->message.type << 8 | event->message.slot);
        hash = fold_body(hash, &protocol->messages.types[event->message.type], event->message.body);
        break;
    case EVENT_REQUEST:
        hash = fold(fold(hash, event->request.first_number), event->request.count);
        hash = fold_span(hash, event->request.bytes);
        if (event->request.origin != 0)
            hash = fold(hash, event->request.origin);
        break;
    case EVENT_TIMEOUT:
        hash = fold(fold(hash, event->timeout.name), event->timeout.key);
        break;
    }
    return hash;
}

/* ---- the observer ---- */

static void on_event(void *context, uint32_t group, const struct event *event)
{
    struct process *process = context;
    struct world *world = process->world;
    (void)group;
    if (event->kind == EVENT_START)
        process->begun = true;
    world->event = event;
    uint64_t head = (uint64_t)event->kind << 32 | process->place;
    world->hash = hash_mix(world->hash, fold_event(fold((uint64_t)event->now_ns, head), process, event));
    trace_event(world, process, event);
}

static void on_effect(void *context, uint32_t group, const struct effect *effect)
{
    struct process *process = context;
    struct world *world = process->world;
    (void)group;
    world->hash = fold_effect(fold(world->hash, (uint64_t)effect->kind), effect);
    if (effect->kind == EFFECT_STORE && world->faults.hunted != 0)
        faults_stored(process);
    if (effect->kind == EFFECT_VIEW && effect->view.orderer == process->id && !process_is_gateway(process) &&
        effect->view.number > process->orderer_seen) {
        process->orderer_seen = effect->view.number;
        faults_orders(process);
    }
    trace_effect(world, process, effect);
}

static void on_stepped(void *context, uint32_t group)
{
    struct process *process = context;
    struct world *world = process->world;
    (void)group;
    world->steps++;
    trace_stepped(world, process);
    if (process->turned)
        return;
    const char *broken = process->spec.protocol->check(node_member(process->node, WORLD_GROUP));
    if (broken == NULL && world->options.watch.stepped != NULL && process_is_watched(process))
        broken = world->options.watch.stepped(world->options.watch.context, process->place, world->event);
    if (broken != NULL)
        world_fail_tagged(world, process, broken);
}

static void check_digest(struct process *process, uint64_t index)
{
    struct world *world = process->world;
    struct digest_entry *entry = &world->digests[index / DIGEST_EVERY % DIGESTS_KEPT];
    uint64_t digest = node_digest(process->node, WORLD_GROUP);
    if (entry->index != index || world->processes[entry->place].turned) {
        *entry = (struct digest_entry){.index = index, .digest = digest, .place = process->place};
        return;
    }
    if (entry->digest != digest)
        world_fail(world, "DIGEST", "nodes %u and %u have executed the same %llu commands and differ", process->id,
                   entry->place + 1, (unsigned long long)index);
}

static void on_applied(void *context, uint32_t group, const struct delivery *delivery)
{
    struct process *process = context;
    struct world *world = process->world;
    (void)group;
    if (process->attack != NULL)
        attack_applied(process, delivery);
    if (!process_is_watched(process))
        return;
    if (!delivery->read && delivery->index % DIGEST_EVERY == 0 && !world->raw)
        check_digest(process, delivery->index);
    if (world->options.watch.applied == NULL)
        return;
    const char *broken = world->options.watch.applied(world->options.watch.context, process->place, delivery);
    if (broken != NULL)
        world_fail_tagged(world, process, broken);
}

void observe_install(struct process *process)
{
    struct world *world = process->world;
    struct node_observer observer = {
        .context = process,
        .event = on_event,
        .effect = on_effect,
        .stepped = on_stepped,
        .applied = on_applied,
    };
    node_set_observer(process->node, &observer);
    if (world->options.watch.started != NULL && process_is_watched(process))
        world->options.watch.started(world->options.watch.context, process->place, &process->spec,
                                     node_member(process->node, WORLD_GROUP),
                                     node_service(process->node, WORLD_GROUP));
}

/* ---- the end of a run ---- */

/* Everybody is up, counts, and has come to the same state; but for those whose word does not count, and the dead. */
static void check_members_equal(struct world *world)
{
    struct node_group_status first = {0};
    const struct process *compared = NULL;
    uint64_t digest = 0;
    for (uint32_t i = 0; i < world->member_count && !world->stopped; i++) {
        struct process *process = &world->processes[i];
        struct node_group_status status;
        if (process->turned || (world->acts.dead >> i & 1) != 0)
            continue;
        if (!process->up || !node_group_status(process->node, WORLD_GROUP, &status)) {
            world_fail(world, "PROGRESS", "node %u did not come back after everything healed", process->id);
            return;
        }
        if (!status.member.voter)
            world_fail(world, "PROGRESS", "node %u was not filled from the others", process->id);
        if (compared == NULL) {
            compared = process;
            first = status;
            digest = node_digest(process->node, WORLD_GROUP);
        } else if (status.state_index != first.state_index) {
            world_fail(world, "PROGRESS", "node %u has executed %llu commands and node %u %llu, long after it all healed",
                       process->id, (unsigned long long)status.state_index, compared->id,
                       (unsigned long long)first.state_index);
        } else if (node_digest(process->node, WORLD_GROUP) != digest) {
            world_fail(world, "DIGEST", "nodes %u and %u have executed the same %llu commands and differ", compared->id,
                       process->id, (unsigned long long)first.state_index);
        }
    }
}

void observe_end(struct world *world)
{
    if (world->options.protocol->order != ORDER_TOTAL || world->raw)
        return;
    for (uint32_t i = 0; i < world->client_count && !world->stopped; i++)
        if (!world->clients[i].wrote_after_heal)
            world_fail(world, "PROGRESS", "no write of client %u succeeded after everything healed", i);
    check_members_equal(world);
}
