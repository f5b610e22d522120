/* Between attacks and the world (world_attack.h): the attacked process's messages on their way out and in, and the
 * deeds.
 *
 * A message that is not whole, not of the protocol, or in fragments passes unseen. Holding a link back is extra latency
 * on it, of which the scene notes how much is its own, so that it can be taken back exactly. */
#include "host/world/world_attack.h"

#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/header.h"
#include "host/world/world_adversary.h"
#include "host/world/world_proof.h"
#include "host/world/world_state.h"

enum { POWER_BACK_MS = 10, POWER_BACK_DOUBLINGS = 6 };

struct attack_scene {
    struct process *process;
    const struct world_attack *attack;
    uint64_t draw;
    void *state;
    int64_t *held_ns; /* of each directed link */
    bool twin;        /* it has begun one */
    bool executing;   /* a command of its own */
    bool power_fails;
};

/* ---- names ---- */

uint32_t attack_number(const struct world *world, struct span name)
{
    const struct world_attacks *attacks = world->options.attacks;
    for (uint32_t i = 0; attacks != NULL && i < attacks->count; i++)
        if (span_equal(span_string(attacks->list[i]->name), name))
            return i + 1;
    return 0;
}

uint32_t attack_classes(const struct world *world, struct span name)
{
    uint32_t number = attack_number(world, name);
    return number > 0 ? world->options.attacks->list[number - 1]->classes : 0;
}

/* ---- beginning and end ---- */

static void *take(struct world *world, size_t size)
{
    void *block = heap_alloc_zero(world->heap, size > 0 ? size : 1);
    invariant(block != NULL, "the world's region has room for an attack");
    return block;
}

void attack_begin(struct process *process, uint32_t number, uint64_t draw)
{
    struct world *world = process->world;
    attack_end(process);
    struct attack_scene *scene = take(world, sizeof *scene);
    *scene = (struct attack_scene){.process = process,
                                   .attack = world->options.attacks->list[number - 1],
                                   .draw = draw,
                                   .held_ns = take(world, world->node_count * world->node_count * sizeof(int64_t))};
    scene->state = take(world, scene->attack->state_size);
    process->attack = scene;
    trace_mark(world, process, WORLD_MARK_FAULT, "attack: %s", scene->attack->name);
    if ((scene->attack->classes & WORLD_BYZANTINE) != 0)
        process_turn(process);
    if (scene->attack->begins != NULL)
        scene->attack->begins(scene->state, scene);
}

void attack_end(struct process *process)
{
    struct world *world = process->world;
    struct attack_scene *scene = process->attack;
    if (scene == NULL)
        return;
    for (uint32_t from = 0; from < world->node_count; from++)
        for (uint32_t to = 0; to < world->node_count; to++)
            attack_hold(scene, from, to, 0);
    if (scene->twin)
        twin_end(process);
    trace_mark(world, process, WORLD_MARK_FAULT_END, "attack: %s is over", scene->attack->name);
    process->attack = NULL;
    heap_free(world->heap, scene->state);
    heap_free(world->heap, scene->held_ns);
    heap_free(world->heap, scene);
}

struct attack_scene *attack_of(const struct process *process)
{
    return process->twin_of != NULL ? process->twin_of->attack : process->attack;
}

/* ---- what it sees ---- */

uint32_t attack_place(const struct attack_scene *scene)
{
    return scene->process->place;
}

uint32_t attack_node_count(const struct attack_scene *scene)
{
    return scene->process->world->member_count;
}

const void *attack_member(const struct attack_scene *scene)
{
    return scene->process->node != NULL ? node_member(scene->process->node, WORLD_GROUP) : NULL;
}

bool attack_ally(const struct attack_scene *scene, uint32_t place)
{
    const struct process *other = &scene->process->world->processes[place];
    return other == scene->process || (other->attack != NULL && other->attack->draw == scene->draw);
}

uint64_t attack_draw(const struct attack_scene *scene, uint64_t key)
{
    return hash_mix(hash_mix(scene->draw, UINT64_C(0x61747461636b)), key);
}

int64_t attack_now_ns(const struct attack_scene *scene)
{
    return scene->process->world->now_ns;
}

int64_t attack_election_ns(const struct attack_scene *scene)
{
    return scene->process->world->tuning.election_timeout_ns;
}

/* ---- messages ---- */

/* Of a whole message of the protocol that begins the bytes: its type, with the body decoded to `out`. */
static const struct message_type *open(const struct process *process, struct span bytes, struct header *header,
                                       void *out)
{
    const struct message_table *table = &process->spec.protocol->messages;
    header_decode(bytes.data, header);
    size_t size = bytes.size - HEADER_SIZE;
    struct span body = span_of(bytes.data + HEADER_SIZE, size);
    if (header->kind != HEADER_MESSAGE || header->type >= table->count || table->types[header->type].name == NULL ||
        header->crc != header_crc(0, bytes.data, body, (struct span){0}))
        return NULL;
    size_t proof = world_proof_size(process, bytes);
    if (proof > size)
        return NULL;
    body.size = size - proof;
    return message_decode(&table->types[header->type], body, out) ? &table->types[header->type] : NULL;
}

/* Bytes of the whole message that comes first; 0: there is none. */
static size_t first_size(struct span bytes)
{
    if (bytes.size < HEADER_SIZE)
        return 0;
    size_t size = HEADER_SIZE + (size_t)load_u32(bytes.data + 4);
    return size <= bytes.size ? size : 0;
}

union body {
    uint64_t align;
    uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
};

void attack_filter(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns)
{
    struct attack_scene *scene = attack_of(process);
    for (size_t size; count_max > 0 && (size = first_size(bytes)) > 0; count_max--) {
        struct span whole = span_of(bytes.data, size);
        struct header header;
        union body body;
        bytes = span_of(bytes.data + size, bytes.size - size);
        const struct attack_message message = {.from = process->place,
                                               .to = to,
                                               .of_twin = process->twin_of != NULL,
                                               .body = body.bytes};
        struct attack_message seen = message;
        bool known = scene->attack->sends != NULL && open(process, whole, &header, body.bytes) != NULL;
        seen.type = known ? header.type : 0;
        if (!known || scene->attack->sends(scene->state, scene, &seen))
            link_pass(process, to, whole, 1, at_ns);
    }
}

int64_t attack_receive(struct process *process, uint32_t from, struct span bytes)
{
    struct attack_scene *scene = process->attack;
    int64_t taken = 0;
    while (bytes.size > 0 && taken >= 0) {
        size_t size = first_size(bytes);
        struct span whole = span_of(bytes.data, size > 0 ? size : bytes.size);
        struct header header;
        union body body;
        bytes = span_of(bytes.data + whole.size, bytes.size - whole.size);
        bool known = size > 0 && scene->attack->hears != NULL && open(process, whole, &header, body.bytes) != NULL &&
                     header.sender == from + 1;
        const struct attack_message message = {.from = from,
                                               .to = process->place,
                                               .type = known ? header.type : 0,
                                               .body = body.bytes};
        if (!known || scene->attack->hears(scene->state, scene, &message))
            taken = node_receive(process->node, from + 1, whole.data, whole.size);
    }
    return taken;
}

/* Spoils the MACs that are not to be good. False: it cannot be done, the proof is a signature. */
static bool spoil(const struct process *process, uint8_t *proof, size_t size, uint64_t good_for)
{
    if (size != (size_t)PROOF_MAC_SIZE * process->spec.member_count)
        return false;
    for (uint32_t i = 0; i < process->spec.member_count; i++)
        if ((good_for >> i & 1) == 0)
            proof[(size_t)i * PROOF_MAC_SIZE] ^= 1;
    return true;
}

void attack_send(struct attack_scene *scene, uint32_t to, uint16_t type, const void *body, uint64_t good_for)
{
    struct process *process = scene->process;
    struct world *world = process->world;
    if (!process->up || to == process->place)
        return;
    struct span tail;
    uint8_t head[MESSAGE_HEAD_SIZE_MAX];
    struct header header = {.magic = HEADER_MAGIC,
                            .version = HEADER_VERSION,
                            .type = type,
                            .kind = HEADER_MESSAGE,
                            .group = WORLD_GROUP,
                            .sender = process->id,
                            .incarnation = node_incarnation(process->node)};
    const struct message_type *message = &process->spec.protocol->messages.types[type];
    size_t head_size = message_encode(message, body, head, &tail);
    size_t proof = proof_size(&process->spec, proof_kind(&process->spec, message));
    header.length = (uint32_t)(head_size + tail.size + proof);
    size_t size = HEADER_SIZE + header.length;
    uint8_t *bytes = take(world, size);
    memcpy(bytes + HEADER_SIZE, head, head_size);
    if (tail.size > 0)
        memcpy(bytes + HEADER_SIZE + head_size, tail.data, tail.size);
    header_encode(&header, bytes);
    world_proof_renew(process, to + 1, bytes, size);
    bool leaves = true;
    if (good_for != ATTACK_GOOD_FOR_ALL && !spoil(process, bytes + size - proof, proof, good_for))
        leaves = (good_for >> to & 1) != 0;
    header_seal(0, &header, span_of(bytes + HEADER_SIZE, header.length), (struct span){0}, bytes);
    if (leaves) {
        const uint32_t node = to + 1;
        const struct effect_send said = {
            .to = &node, .to_count = 1, .type = type, .head = span_of(head, head_size), .tail = tail};
        trace_effect(world, process, &(struct effect){.kind = EFFECT_SEND, .send = said});
        link_put(process, to, span_of(bytes, size), 1, world->now_ns);
    }
    heap_free(world->heap, bytes);
}

/* ---- deeds ---- */

void attack_hold(struct attack_scene *scene, uint32_t from, uint32_t to, int64_t late_ns)
{
    struct world *world = scene->process->world;
    int64_t *held_ns = &scene->held_ns[from * world->node_count + to];
    if (from == to || *held_ns == late_ns)
        return;
    network_slow_link(&world->network, from, to, late_ns - *held_ns);
    if (late_ns < *held_ns)
        network_connect(&world->network, from, to); /* what is said from now on waits for nothing */
    *held_ns = late_ns;
}

void attack_applied(struct process *process, const struct delivery *delivery)
{
    struct attack_scene *scene = process->attack;
    if (scene->attack->executes == NULL || scene->executing)
        return;
    scene->executing = true;
    scene->attack->executes(scene->state, scene, delivery);
    scene->executing = false;
}

void attack_execute(struct attack_scene *scene, const struct delivery *delivery)
{
    struct process *process = scene->process;
    struct service_call calls[1];
    struct buffer reply;
    if (process->node == NULL)
        return;
    buffer_init(&reply, process->world->heap);
    struct service_out out = {.reply = &reply, .tick_at_ns = SERVICE_NO_TICK, .calls = calls, .call_capacity = 1};
    process->spec.service->deliver(node_service(process->node, WORLD_GROUP), delivery, &out);
    buffer_free(&reply);
}

void attack_twin(struct attack_scene *scene)
{
    twin_begin(scene->process, scene->draw);
    scene->twin = true;
}

uint32_t attack_twin_heard(const struct attack_scene *scene, uint32_t place)
{
    return twin_heard_by(scene->process, scene->draw, place);
}

void attack_power(struct attack_scene *scene)
{
    struct process *process = scene->process;
    if (scene->power_fails || process->world->healed)
        return;
    scene->power_fails = true;
    schedule_push_ranked(&process->world->schedule, RANK_ITEM, process->world->now_ns, WORLD_ATTACK, process->place,
                         NULL);
}

void attack_act(struct process *process)
{
    struct attack_scene *scene = process->attack;
    struct world *world = process->world;
    if (scene == NULL || !scene->power_fails || world->healed)
        return;
    scene->power_fails = false;
    for (uint32_t i = 0; i < world->node_count; i++) {
        int64_t back_ms = POWER_BACK_MS << attack_draw(scene, (uint64_t)world->now_ns ^ i) % POWER_BACK_DOUBLINGS;
        process_crash(&world->processes[i], back_ms * NS_PER_MS, 0);
    }
    world->acts.due = true;
}
