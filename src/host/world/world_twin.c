/* A doubled identity: two correct instances under one name, which do not know of each other.
 *
 * The twin is a process like any other, on its own region, with a copy of the disk; only its place is taken already. So
 * its entries in the schedule carry WORLD_TWIN, it has no clients and no connections of its own, and it believes in
 * those of the other. Incarnations differ, since each start counts one; on the way out the twin's is replaced by the
 * other's, and on the way in the other's by the twin's. */
#include <string.h>

#include "base/hash.h"
#include "base/panic.h"
#include "contract/header.h"
#include "host/world/world_adversary.h"
#include "host/world/world_plan.h"
#include "host/world/world_state.h"

enum { PHASE_ELECTIONS = 8 /* election timeouts for which a sender is heard by one and the same */ };

static struct process *twin_make(struct process *process)
{
    struct world *world = process->world;
    struct process *twin = heap_alloc_zero(world->heap, sizeof *twin);
    invariant(twin != NULL, "the world's region has room for a twin");
    process_init_twin(twin, process);
    twin->turned = true; /* its word never counted */
    return twin;
}

void twin_begin(struct process *process, uint64_t draw)
{
    struct world *world = process->world;
    if (process->twin == NULL && world->twin_count >= world_twins_max(world->member_count))
        return;
    if (process->twin == NULL) {
        world->twin_count++;
        process->twin = twin_make(process);
    }
    struct process *twin = process->twin;
    if (twin->twin_lives)
        twin_end(process); /* another one, with today's disk */
    twin->twin_lives = true;
    twin->twin_draw = draw;
    twin->amnesiac = process->amnesiac;
    twin->clock = process->clock;
    world_disk_copy(&twin->disk, &process->disk);
    trace_mark(world, process, WORLD_MARK_FAULT, "has a twin");
    process_boot_guarded(twin);
}

void twin_end(struct process *process)
{
    struct process *twin = process->twin;
    if (twin == NULL || !twin->twin_lives)
        return;
    twin->twin_lives = false; /* it does not start again */
    process_crash(twin, PLAN_FOREVER, twin->twin_draw);
    world_disk_crash(&twin->disk);
    world_disk_wipe(&twin->disk);
}

/* ---- messages ---- */

/* Replaces one incarnation in each whole message, and seals it again; what is damaged is left as it is. */
static void rename_life(uint8_t *bytes, size_t size, bool sender, uint64_t from, uint64_t to)
{
    for (size_t at = 0; at + HEADER_SIZE <= size;) {
        size_t body = load_u32(bytes + at + 4);
        struct header header;
        header_decode(bytes + at, &header);
        if (body > size - at - HEADER_SIZE)
            return;
        struct span content = span_of(bytes + at + HEADER_SIZE, body);
        uint64_t *life = sender ? &header.incarnation : &header.position;
        bool whole = header.crc == header_crc(0, bytes + at, content, (struct span){0});
        bool meant = sender || header.kind == HEADER_MESSAGE || header.kind == HEADER_CLIENT;
        if (whole && meant && *life == from) {
            *life = to;
            header_seal(0, &header, content, (struct span){0}, bytes + at);
        }
        at += HEADER_SIZE + body;
    }
}

void twin_send(struct process *twin, uint32_t to, struct span bytes, uint32_t count_max, int64_t at_ns)
{
    struct process *process = twin->twin_of;
    struct world *world = twin->world;
    if (!process->up)
        return;
    struct parcel *parcel = parcel_create(world->heap, bytes);
    rename_life(parcel->bytes, parcel->size, true, node_incarnation(twin->node), node_incarnation(process->node));
    link_put(process, to, span_of(parcel->bytes, parcel->size), count_max, at_ns);
    adversary_count_twin(process, false);
    parcel_release(world->heap, parcel);
}

/* Now and then both hear everybody; mostly each sender is heard by one of them for as long as elections take, so that
 * two halves of a group may each believe that it is theirs. */
enum heard { HEARD_BY_BOTH, HEARD_BY_FIRST, HEARD_BY_TWIN };

uint32_t twin_heard_by(const struct process *process, uint64_t draw, uint32_t from)
{
    const struct world *world = process->world;
    int64_t phase = world->now_ns / (1 + world->tuning.election_timeout_ns * PHASE_ELECTIONS);
    uint64_t key = hash_mix(draw, (uint64_t)phase);
    if (key % 4 == 0)
        return HEARD_BY_BOTH;
    return hash_mix(key, from) % 2 == 0 ? HEARD_BY_FIRST : HEARD_BY_TWIN;
}

bool twin_packet(struct process *process, const struct packet *packet)
{
    struct world *world = process->world;
    struct process *twin = process->twin;
    if (twin == NULL || !twin->up || !process->up)
        return false;
    uint32_t heard = twin_heard_by(process, twin->twin_draw, packet->from);
    if (heard == HEARD_BY_FIRST)
        return false;
    struct packet *copy = heap_alloc(world->heap, sizeof *copy);
    invariant(copy != NULL, "the world's region has room for a packet");
    *copy = (struct packet){.from = packet->from, .to = packet->to, .size = packet->size};
    copy->parcel = parcel_create(world->heap, span_of(packet->parcel->bytes + packet->offset, packet->size));
    rename_life(copy->parcel->bytes, copy->size, false, node_incarnation(process->node), node_incarnation(twin->node));
    link_give(twin, copy);
    adversary_count_twin(process, true);
    return heard == HEARD_BY_TWIN;
}

void twin_feed(struct process *twin)
{
    struct process *process = twin->twin_of;
    struct world *world = twin->world;
    for (uint32_t place = 0; place < world->node_count; place++) {
        struct process *other = &world->processes[place];
        bool believes = (twin->connected >> place & 1) != 0;
        bool connected = process->up && other->up && (process->connected >> place & 1) != 0;
        bool same = believes && twin->peer_life[place] == process->peer_life[place];
        if (believes && (!connected || !same)) {
            node_peer_lost(twin->node, other->id);
            twin->connected &= ~(UINT64_C(1) << place);
            believes = false;
        }
        if (!connected || believes)
            continue;
        node_peer_connected(twin->node, other->id, node_incarnation(other->node), span_string(other->address));
        twin->connected |= UINT64_C(1) << place;
        twin->peer_life[place] = process->peer_life[place];
    }
}
