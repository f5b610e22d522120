/* The adversary's script, and what it does to messages.
 *
 * Time is cut into phases of a drawn length. For a phase and a receiver the script holds one manner: to behave, or one
 * of the deeds. It is a hash of (draw, phase, receiver), so all who share the draw share it, and what one message meets
 * does not depend on which messages were sent before, but for its own ordinal. */
#include "host/world/world_adversary.h"

#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/client.h"
#include "contract/header.h"
#include "host/world/world_mutate.h"
#include "host/world/world_plan.h"
#include "host/world/world_proof.h"
#include "host/world/world_state.h"

enum {
    KEPT_MAX = 32,          /* messages that may be sent once more */
    RESTART_MS = 20,        /* after a relapse to an older disk */
    STRIKE_DOUBLINGS = 4,   /* a phase strikes each message, or one in 2, 4, 8 */
    FORGET_PHASES_MAX = 16, /* until the disk's older state comes back */
};

/* What colluders share. */
struct adversary_script {
    struct adversary_script *next;
    uint64_t draw;
    uint32_t users;
    struct mutate_seen seen;
};

struct adversary {
    struct adversary_script *script;
    uint32_t deeds;
    int64_t phase_ns;
    uint64_t number; /* of what is scheduled for it: anything older no longer applies */
    uint64_t sent[WORLD_NODES_MAX];
    struct parcel *kept[KEPT_MAX];
    uint64_t kept_count; /* ever */
    bool has_old;
    struct world_disk old; /* the state of its disk when it was turned */
    struct adversary_counters counters;
};

/* ---- beginning and end ---- */

static struct adversary_script *script_take(struct world *world, uint64_t draw)
{
    struct adversary_script *script = world->scripts;
    while (script != NULL && script->draw != draw)
        script = script->next;
    if (script == NULL) {
        script = heap_alloc_zero(world->heap, sizeof *script);
        invariant(script != NULL, "the world's region has room for an adversary");
        script->draw = draw;
        script->next = world->scripts;
        world->scripts = script;
    }
    script->users++;
    return script;
}

static void script_give(struct world *world, struct adversary_script *script)
{
    if (--script->users > 0)
        return;
    struct adversary_script **link = &world->scripts;
    while (*link != script)
        link = &(*link)->next;
    *link = script->next;
    heap_free(world->heap, script);
}

static uint64_t key(const struct adversary *adversary, uint64_t first, uint64_t second)
{
    return hash_mix(hash_mix(adversary->script->draw, first), second);
}

/* The copy of a disk has no operations. */
static void never(void *context, struct world_disk_operation *operation, int64_t at_ns)
{
    (void)context;
    (void)operation;
    (void)at_ns;
    invariant(false, "nobody writes to the copy of a disk");
}

static void schedule_act(struct process *process, int64_t delay_ns)
{
    struct world *world = process->world;
    uint64_t number = ++process->adversary->number;
    schedule_push(&world->schedule, world->now_ns + delay_ns, WORLD_ADVERSARY, process->place,
                  (void *)(uintptr_t)number);
}

static void begin_forgetting(struct process *process)
{
    struct adversary *adversary = process->adversary;
    world_disk_init(&adversary->old, process->world->heap, 0, process->disk.capacity_bytes, never, NULL);
    world_disk_copy(&adversary->old, &process->disk);
    adversary->has_old = true;
    uint64_t phases = 1 + key(adversary, process->place, DEED_FORGET) % FORGET_PHASES_MAX;
    schedule_act(process, (int64_t)phases * adversary->phase_ns);
}

void adversary_begin(struct process *process, uint32_t deeds, uint64_t draw)
{
    struct world *world = process->world;
    struct adversary_counters counters = {0};
    if (process->adversary != NULL) {
        counters = process->adversary->counters;
        adversary_end(process);
    }
    struct adversary *adversary = heap_alloc_zero(world->heap, sizeof *adversary);
    invariant(adversary != NULL, "the world's region has room for an adversary");
    process->adversary = adversary;
    adversary->script = script_take(world, draw);
    adversary->deeds = deeds & DEED_ALL;
    adversary->phase_ns = 1 + (world->tuning.election_timeout_ns >> (hash_mix(draw, 0) % 5));
    adversary->counters = counters;
    process_turn(process);
    if ((deeds & DEED_FORGET) != 0)
        begin_forgetting(process);
    if ((deeds & DEED_TWIN) != 0)
        twin_begin(process, draw);
}

void adversary_end(struct process *process)
{
    struct world *world = process->world;
    struct adversary *adversary = process->adversary;
    if (adversary == NULL)
        return;
    twin_end(process);
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (adversary->kept[i] != NULL)
            parcel_release(world->heap, adversary->kept[i]);
    if (adversary->has_old)
        world_disk_free(&adversary->old);
    script_give(world, adversary->script);
    heap_free(world->heap, adversary);
    process->adversary = NULL;
}

const struct adversary_counters *adversary_counters(const struct process *process)
{
    static const struct adversary_counters none;
    return process->adversary != NULL ? &process->adversary->counters : &none;
}

void adversary_count_twin(struct process *process, bool heard)
{
    if (process->adversary == NULL)
        return;
    process->adversary->counters.twin_heard += heard;
    process->adversary->counters.twin_spoke += !heard;
}

/* ---- forgetting ---- */

/* It restarts from what its disk was when it was turned: whatever it promised since, it has never heard of. */
static void relapse(struct process *process)
{
    struct adversary *adversary = process->adversary;
    process_crash(process, RESTART_MS * NS_PER_MS, key(adversary, adversary->number, 0));
    world_disk_crash(&process->disk);
    world_disk_wipe(&process->disk);
    world_disk_copy(&process->disk, &adversary->old);
    adversary->counters.forgot++;
    trace_mark(process->world, process, WORLD_MARK_FAULT, "forgets what it stored since it was turned");
}

void adversary_act(struct process *process, void *object)
{
    struct adversary *adversary = process->adversary;
    if (adversary == NULL || adversary->number != (uint64_t)(uintptr_t)object)
        return;
    bool up = process->up;
    if (up)
        relapse(process);
    uint64_t phases = 1 + key(adversary, adversary->number, DEED_FORGET) % FORGET_PHASES_MAX;
    schedule_act(process, (int64_t)(up ? 4 * phases : 1) * adversary->phase_ns);
}

/* ---- messages ---- */

/* What the script wants for a receiver in this phase; 0: to behave. */
static uint32_t manner(const struct adversary *adversary, uint64_t phase, uint32_t to)
{
    static const uint32_t choices[] = {DEED_MUTATE, DEED_WITHHOLD, DEED_DELAY, DEED_REPLAY};
    uint64_t drawn = key(adversary, phase, to);
    uint32_t count = 0, wanted[sizeof choices / sizeof choices[0]];
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if ((adversary->deeds & choices[i]) != 0)
            wanted[count++] = choices[i];
    if (count == 0 || drawn % 4 == 0)
        return 0;
    return wanted[(drawn >> 8) % count];
}

static bool strikes(const struct adversary *adversary, uint64_t phase, uint32_t to, uint64_t number)
{
    uint64_t one_in = UINT64_C(1) << (key(adversary, phase, ~(uint64_t)to) % STRIKE_DOUBLINGS);
    return key(adversary, phase << 8 ^ to, number) % one_in == 0;
}

static const struct message_type *type_of(const struct process *process, const struct header *header)
{
    return client_or_member_type(&process->spec.protocol->messages, header);
}

static void keep(struct process *process, struct span message)
{
    struct adversary *adversary = process->adversary;
    struct parcel **slot = &adversary->kept[adversary->kept_count++ % KEPT_MAX];
    if (*slot != NULL)
        parcel_release(process->world->heap, *slot);
    *slot = parcel_create(process->world->heap, message);
}

/* In half of the phases the same lie is told with every message of a type: one that colluders repeat. */
static struct random lie(const struct adversary *adversary, uint64_t phase, uint32_t to, uint16_t type,
                         uint64_t number)
{
    bool firm = key(adversary, phase, type) % 2 == 0;
    struct random random;
    random_seed(&random, key(adversary, hash_mix(phase << 8 ^ to, type), firm ? 0 : number));
    return random;
}

/* Half of the scripts tell only lies that may be believed: a single absurd term would make all others pointless. */
static bool is_wild(const struct adversary *adversary)
{
    return hash_mix(adversary->script->draw, 1) % 2 == 0;
}

/* Changes a field and seals the message again, as its own sender. */
static void mutate(struct process *process, uint64_t phase, uint32_t to, uint64_t number, struct parcel *parcel)
{
    struct adversary *adversary = process->adversary;
    struct world *world = process->world;
    struct header header;
    header_decode(parcel->bytes, &header);
    uint8_t *body = parcel->bytes + HEADER_SIZE;
    size_t size = parcel->size - HEADER_SIZE - world_proof_size(process, span_of(parcel->bytes, parcel->size));
    const struct message_type *type = type_of(process, &header);
    struct random random = lie(adversary, phase, to, header.type, number);
    bool changed = false;
    if (header.kind == HEADER_CLIENT && random_chance(&random, 3, 4))
        changed = mutate_answers(body, size, &random);
    else if (type != NULL)
        changed = mutate_field(type, body, size, &random, world->members, world->member_count, &adversary->script->seen,
                               is_wild(adversary));
    else if (size > 0 && random_chance(&random, 1, 4)) {
        body[random_below(&random, size)] ^= (uint8_t)(1 + random_below(&random, 255)); /* of a checkpoint's piece */
        changed = true;
    }
    adversary->counters.mutated += changed;
    world_proof_renew(process, to + 1, parcel->bytes, parcel->size);
    header_seal(0, &header, span_of(body, parcel->size - HEADER_SIZE), (struct span){0}, parcel->bytes);
}

static void send_mutated(struct process *process, uint64_t phase, uint32_t to, uint64_t number, struct span message,
                         int64_t at_ns)
{
    struct parcel *parcel = parcel_create(process->world->heap, message);
    mutate(process, phase, to, number, parcel);
    link_put(process, to, span_of(parcel->bytes, parcel->size), UINT32_MAX, at_ns);
    parcel_release(process->world->heap, parcel);
}

static void send_one(struct process *process, uint32_t to, struct span message, int64_t at_ns)
{
    struct adversary *adversary = process->adversary;
    uint64_t phase = (uint64_t)(process->world->now_ns / adversary->phase_ns);
    uint64_t number = ++adversary->sent[to];
    uint32_t deed = manner(adversary, phase, to);
    if (deed != 0 && !strikes(adversary, phase, to, number))
        deed = 0;
    switch (deed) {
    case DEED_MUTATE:
        send_mutated(process, phase, to, number, message, at_ns);
        return;
    case DEED_WITHHOLD:
        adversary->counters.withheld++;
        return;
    case DEED_DELAY:
        adversary->counters.delayed++;
        link_put_late(process, to, message,
                      at_ns + (int64_t)(key(adversary, to, number) % (2 * (uint64_t)adversary->phase_ns)));
        return;
    case DEED_REPLAY: {
        uint64_t kept = adversary->kept_count < KEPT_MAX ? adversary->kept_count : KEPT_MAX;
        link_put(process, to, message, UINT32_MAX, at_ns);
        if (kept == 0)
            return;
        const struct parcel *old = adversary->kept[key(adversary, number, to) % kept];
        link_put(process, to, span_of(old->bytes, old->size), UINT32_MAX, at_ns);
        adversary->counters.replayed++;
        return;
    }
    default:
        link_put(process, to, message, UINT32_MAX, at_ns);
        return;
    }
}

void adversary_send(struct process *process, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns)
{
    struct adversary *adversary = process->adversary;
    for (size_t at = 0; at < bytes.size && count_max > 0; count_max--) {
        struct span message = span_of(bytes.data + at, HEADER_SIZE + (size_t)load_u32(bytes.data + at + 4));
        struct header header;
        header_decode(message.data, &header);
        const struct message_type *type = type_of(process, &header);
        if (type != NULL)
            mutate_learn(&adversary->script->seen, type, message.data + HEADER_SIZE,
                         message.size - HEADER_SIZE - world_proof_size(process, message));
        send_one(process, to, message, at_ns);
        keep(process, message);
        at += message.size;
    }
}
