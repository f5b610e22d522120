/* The members of a group as one of them sees them (peers.h). */
#include "protocol/consensus/peers.h"

#include "base/panic.h"
#include "protocol/consensus/pacing.h"

static uint32_t flight_max(const struct group_spec *spec)
{
    uint32_t wanted = spec->tuning.append_inflight_max;
    return wanted == 0 ? 1 : wanted < PEERS_FLIGHTS_MAX ? wanted : PEERS_FLIGHTS_MAX;
}

size_t peers_bytes(const struct group_spec *spec)
{
    size_t of_one = sizeof(struct peer) + flight_max(spec) * sizeof(struct flight);
    of_one += 2 * sizeof(uint32_t) + 2 * (sizeof(uint64_t) + 2 * sizeof(uint32_t));
    return spec->member_count * of_one;
}

static void *take(struct heap *heap, size_t size)
{
    void *block = heap_alloc_zero(heap, size);
    invariant(block != NULL, "heap_size covers what a member takes");
    return block;
}

static void quorum_create(struct heap *heap, struct quorum *quorum, uint32_t members)
{
    uint64_t *value = take(heap, members * sizeof(uint64_t));
    uint32_t *order = take(heap, members * sizeof(uint32_t));
    uint32_t *rank = take(heap, members * sizeof(uint32_t));
    quorum_init(quorum, value, order, rank, members);
}

void peers_create(struct peers *peers, struct heap *heap, const struct group_spec *spec)
{
    int place = spec_member_place(spec, spec->self);
    invariant(place >= 0, "a member belongs to its group");
    uint32_t count = spec->member_count;
    *peers = (struct peers){
        .list = take(heap, count * sizeof *peers->list),
        .others = take(heap, count * sizeof *peers->others),
        .pick = take(heap, count * sizeof *peers->pick),
        .self_node = spec->self,
        .self_place = (uint32_t)place,
        .count = count,
        .majority = count / 2 + 1,
        .flight_max = flight_max(spec),
    };
    quorum_create(heap, &peers->match_quorum, count);
    quorum_create(heap, &peers->beat_quorum, count);
    uint32_t others = 0;
    for (uint32_t i = 0; i < count; i++) {
        peers->list[i].node = spec->members[i];
        peers->list[i].flights = take(heap, peers->flight_max * sizeof(struct flight));
        if (i != peers->self_place)
            peers->others[others++] = spec->members[i];
    }
}

struct peer *peers_find(const struct peers *peers, uint32_t node)
{
    uint32_t low = 0, high = peers->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (peers->list[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low < peers->count && peers->list[low].node == node ? &peers->list[low] : NULL;
}

enum peer_life peers_life(struct peer *peer, uint64_t incarnation)
{
    if (peer->incarnation == incarnation)
        return PEER_SAME;
    if (incarnation < peer->incarnation && !peer->incarnation_open)
        return PEER_FORMER;
    bool first = peer->incarnation == 0;
    peer->incarnation = incarnation;
    peer->incarnation_open = false;
    return first ? PEER_SAME : PEER_RESTARTED;
}

void peers_lead(struct peers *peers, uint64_t next, int64_t now_ns, int64_t timeout_ns)
{
    peers->beat = 0;
    peers->beat_due = peers->heartbeat_due = peers->told_due = false;
    peers->window_end_ns = now_ns + timeout_ns;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        bool own = i == peers->self_place;
        pacing_probe(peer, next);
        peer->voter = own;
        peer->heard = peer->suspected = peer->told = peer->quick = false;
        peer->heard_ns = now_ns;
        peer->match = 0;
        peer->read_gathered = peer->read_flying = 0;
        quorum_set(&peers->match_quorum, i, 0);
        quorum_set(&peers->beat_quorum, i, own ? UINT64_MAX : 0);
    }
}

void peers_unlead(struct peers *peers, struct effects *out)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        if (peers->list[i].suspected)
            effect_suspect(out, peers->list[i].node, 0);
        peers->list[i].suspected = false;
    }
}

static bool quorum_heard(struct peers *peers)
{
    uint32_t heard = 1;
    for (uint32_t i = 0; i < peers->count; i++) {
        heard += i != peers->self_place && peers->list[i].heard && peers->list[i].voter;
        peers->list[i].heard = false;
    }
    return heard >= peers->majority;
}

bool peers_alone(struct peers *peers, int64_t now_ns, int64_t timeout_ns)
{
    if (now_ns < peers->window_end_ns)
        return false;
    peers->window_end_ns = now_ns + timeout_ns;
    return !quorum_heard(peers);
}

void peers_heartbeat(struct peers *peers, int64_t now_ns, int64_t timeout_ns, struct effects *out)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        bool silent = now_ns - peer->heard_ns > timeout_ns;
        if (i == peers->self_place || peer->suspected || !silent)
            continue;
        peer->suspected = true;
        effect_suspect(out, peer->node, 1);
    }
    peers->heartbeat_due = true;
}

struct peer *peers_heard(struct peers *peers, uint32_t node, int64_t now_ns, struct effects *out)
{
    struct peer *peer = peers_find(peers, node);
    peer->heard = true;
    peer->heard_ns = now_ns;
    if (peer->suspected)
        effect_suspect(out, node, 0);
    peer->suspected = false;
    return peer;
}

void peers_match(struct peers *peers, struct peer *peer, uint64_t match)
{
    uint32_t place = (uint32_t)(peer - peers->list);
    peer->match = match;
    uint64_t counted = peer->voter ? match : 0;
    if (peers->match_quorum.value[place] == counted)
        return;
    quorum_set(&peers->match_quorum, place, counted);
    peers->commit_due = true;
}

void peers_voter(struct peers *peers, struct peer *peer, bool voter)
{
    if (peer->voter == voter)
        return;
    peer->voter = voter;
    if (!voter)
        quorum_set(&peers->beat_quorum, (uint32_t)(peer - peers->list), 0);
    peers_match(peers, peer, peer->match);
}

void peers_restarted(struct peers *peers, struct peer *peer, uint64_t next)
{
    peers_voter(peers, peer, false);
    peers_match(peers, peer, 0);
    pacing_probe(peer, next);
}

void peers_beat(struct peers *peers, const struct peer *peer, uint64_t beat)
{
    uint32_t place = (uint32_t)(peer - peers->list);
    if (peer->voter && beat > peers->beat_quorum.value[place])
        quorum_set(&peers->beat_quorum, place, beat);
}

void peers_tell(struct peers *peers, uint32_t origin)
{
    if (origin == 0 || origin == peers->self_node)
        return;
    struct peer *member = peers_find(peers, origin);
    for (uint32_t i = 0; member == NULL && i < peers->count; i++)
        peers->list[i].told = i != peers->self_place;
    if (member != NULL)
        member->told = true;
    peers->told_due = true;
}

void peers_canonical(const struct peers *peers, struct canon *out)
{
    for (uint32_t i = 0; i < peers->count; i++) {
        const struct peer *peer = &peers->list[canon_place(out, i)];
        canon_u64(out, peer->incarnation);
        canon_u8(out, peer->incarnation_open);
        canon_u64(out, peer->taken_incarnation);
        canon_u64(out, peer->taken_last);
        canon_u64(out, peer->refused_last);
        canon_u8(out, peer->recover_answered);
    }
}

/* What a leader knows of one member. */
static void canon_peer(const struct peers *peers, uint32_t place, struct canon *out)
{
    const struct peer *peer = &peers->list[place];
    canon_u8(out, (uint8_t)peer->pace);
    canon_u8(out, peer->voter);
    canon_u8(out, peer->paused);
    canon_u8(out, peer->probe_records);
    canon_u8(out, peer->quick);
    canon_u8(out, peer->told);
    canon_u8(out, peer->heard);
    canon_u64(out, peer->match);
    canon_u64(out, peer->checked_beat);
    canon_u64(out, peer->checked_beat != 0 ? peer->checked_mark : 0);
    canon_u64(out, peer->flight_count);
    for (uint32_t i = 0; i < peer->flight_count; i++)
        canon_u64(out, peer->flights[(peer->flight_first + i) % peers->flight_max].last);
    canon_u64(out, peer->read_gathered);
    canon_u64(out, peer->read_flying);
    canon_u64(out, peers->beat_quorum.value[place]);
}

void peers_canonical_leader(const struct peers *peers, struct canon *out)
{
    canon_u64(out, peers->beat);
    canon_u8(out, peers->beat_due);
    canon_u8(out, peers->heartbeat_due);
    canon_u8(out, peers->commit_due);
    canon_u8(out, peers->told_due);
    for (uint32_t i = 0; i < peers->count; i++)
        canon_peer(peers, canon_place(out, i), out);
}

void peers_print(const struct peers *peers, struct text *out)
{
    text_add(out, " match=");
    for (uint32_t i = 0; i < peers->count; i++) {
        text_add(out, i == 0 ? "" : ",");
        text_add_u64(out, peers->list[i].node);
        text_add(out, peers->list[i].voter ? ":" : "?:");
        text_add_u64(out, peers->list[i].match);
    }
}
