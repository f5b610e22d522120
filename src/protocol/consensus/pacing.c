/* How a leader sends its entries (pacing.h). */
#include "protocol/consensus/pacing.h"

#include "base/time.h"

enum {
    SLOWEST_BYTES_PER_MS = 16384, /* what is large is given the time that it takes at this speed */
    FLIGHT_BYTES_TIMES = 8        /* unanswered bytes to one member, in units of append_bytes_max */
};

/* One turn of a leader. */
struct turn {
    struct peers *peers;
    const struct pacing_source *source;
    void *self;
    const struct pacing_bounds *bounds;
    struct effects *out;
};

void pacing_probe(struct peer *peer, uint64_t next)
{
    peer->pace = PACE_PROBE;
    peer->paused = false;
    peer->probe_records = false;
    peer->next = next;
    peer->flight_count = 0;
    peer->flight_bytes = peer->sent_bytes = 0;
    peer->checked_beat = 0;
}

static bool wants_records(const struct turn *turn, const struct peer *peer)
{
    if (peer->next < turn->bounds->send_from)
        return false; /* what it needs is about to go: it waits for what becomes of the checkpoint */
    if (peer->pace == PACE_PROBE)
        return turn->source->probe_sends && !peer->paused;
    if (peer->pace == PACE_INSTALL || !turn->source->has(turn->self, peer->next))
        return false;
    return peer->flight_count < turn->peers->flight_max &&
           peer->flight_bytes < FLIGHT_BYTES_TIMES * turn->bounds->tuning->append_bytes_max;
}

/* Books a message with entries [next, run.next) that goes to this member. */
static void book(const struct turn *turn, struct peer *peer, struct pacing_run run)
{
    peer->served = true;
    peer->sent_ns = turn->bounds->now_ns;
    peer->sent_bytes = peer->flight_bytes + run.bytes;
    if (peer->pace == PACE_PROBE) {
        peer->paused = true;
        peer->probe_records = run.next > peer->next;
        return;
    }
    uint32_t place = peer->flight_first + peer->flight_count++;
    peer->flights[place % turn->peers->flight_max] = (struct flight){.last = run.last, .bytes = run.bytes};
    peer->flight_bytes += run.bytes;
    peer->next = run.next;
}

static const uint32_t *receivers(const struct turn *turn, const uint32_t *to, uint32_t count)
{
    return (const uint32_t *)(const void *)effects_copy(turn->out, to, count * sizeof *to).data;
}

static struct pacing_run send(const struct turn *turn, uint64_t first, const uint32_t *to, uint32_t count)
{
    return turn->source->send(turn->self, first, receivers(turn, to, count), count, turn->out);
}

/* One message for each member that wants entries; those that are furthest, normally all, share theirs. */
static bool send_pass(const struct turn *turn)
{
    struct peers *peers = turn->peers;
    uint64_t furthest = 0;
    bool any = false;
    for (uint32_t i = 0; i < peers->count; i++) {
        const struct peer *peer = &peers->list[i];
        if (i == peers->self_place || !wants_records(turn, peer))
            continue;
        furthest = any && furthest > peer->next ? furthest : peer->next;
        any = true;
    }
    if (!any)
        return false;
    uint32_t count = 0;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        peer->picked = false;
        if (i == peers->self_place || !wants_records(turn, peer))
            continue;
        peer->picked = peer->next == furthest;
        if (peer->picked)
            peers->pick[count++] = peer->node;
        else
            book(turn, peer, send(turn, peer->next, &peer->node, 1));
    }
    struct pacing_run run = send(turn, furthest, peers->pick, count);
    for (uint32_t i = 0; i < peers->count; i++)
        if (peers->list[i].picked)
            book(turn, &peers->list[i], run);
    return true;
}

/* A beat needs a majority's answers, and asking more than that costs everybody time. Between heartbeats, which ask all,
 * those are asked who answered first the last time; all, when they are not enough. */
static bool quick_suffice(const struct peers *peers)
{
    uint32_t asked = 1;
    for (uint32_t i = 0; i < peers->count; i++) {
        const struct peer *peer = &peers->list[i];
        asked += i != peers->self_place && peer->voter && (peer->served || peer->quick);
    }
    return asked >= peers->majority;
}

/* For those who got nothing in this turn. */
static void send_light(const struct turn *turn)
{
    struct peers *peers = turn->peers;
    uint32_t count = 0;
    bool all = peers->heartbeat_due || !quick_suffice(peers);
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        if (i != peers->self_place && !peer->served && ((peers->beat_due && (all || peer->quick)) || peer->told))
            peers->pick[count++] = peer->node;
        peer->told = false;
    }
    if (count > 0)
        turn->source->send_light(turn->self, peers->heartbeat_due, receivers(turn, peers->pick, count), count,
                                 turn->out);
    peers->beat_due = peers->heartbeat_due = peers->told_due = false;
}

/* Sending it again at each heartbeat would only make it later. */
static bool on_its_way(const struct turn *turn, const struct peer *peer)
{
    if (peer->sent_bytes <= PACING_LARGE_BYTES)
        return false;
    int64_t travel_ns = (int64_t)(peer->sent_bytes / SLOWEST_BYTES_PER_MS) * NS_PER_MS;
    return turn->bounds->now_ns < peer->sent_ns + turn->bounds->tuning->election_timeout_ns + travel_ns;
}

/* Before sending: who fell behind what is kept has to adopt a checkpoint; a heartbeat repeats what got no answer. */
static void begin_turn(const struct turn *turn)
{
    struct peers *peers = turn->peers;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        peer->served = false;
        if (i == peers->self_place)
            continue;
        if (peers->heartbeat_due && !(peer->pace == PACE_PROBE && peer->probe_records && on_its_way(turn, peer)))
            peer->paused = false;
        bool sent_to = peer->pace == PACE_STREAM || (peer->pace == PACE_PROBE && turn->source->probe_sends);
        if (sent_to && peer->next < turn->bounds->head) {
            peer->pace = PACE_INSTALL;
            peer->paused = false;
        }
        if (peer->pace == PACE_INSTALL && !peer->paused) {
            turn->source->send_install(turn->self, peer->node, turn->out);
            peer->paused = peer->served = true;
        }
    }
}

/* The answer to this heartbeat has to report all that was sent before it. */
static void expect_receipt(const struct turn *turn)
{
    struct peers *peers = turn->peers;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        if (i == peers->self_place || peer->pace != PACE_STREAM || peer->checked_beat != 0 || on_its_way(turn, peer))
            continue;
        peer->checked_beat = peers->beat;
        peer->checked_mark = turn->source->mark_before(turn->self, peer->next);
    }
}

void pacing_turn(struct peers *peers, const struct pacing_source *source, void *self,
                 const struct pacing_bounds *bounds, struct effects *out)
{
    const struct turn turn = {peers, source, self, bounds, out};
    if (peers->heartbeat_due) {
        peers->beat++;
        peers->beat_due = true;
    }
    begin_turn(&turn);
    uint32_t passes = 0;
    while (passes < PACING_SENDS_MAX && send_pass(&turn))
        passes++;
    if (passes == PACING_SENDS_MAX)
        effect_again(out);
    if (peers->heartbeat_due)
        expect_receipt(&turn);
    if (peers->beat_due || peers->told_due)
        send_light(&turn);
}

void pacing_answered(const struct peers *peers, struct peer *peer, uint64_t mark)
{
    while (peer->flight_count > 0 && peer->flights[peer->flight_first].last <= mark) {
        peer->flight_bytes -= peer->flights[peer->flight_first].bytes;
        peer->flight_first = (peer->flight_first + 1) % peers->flight_max;
        peer->flight_count--;
    }
    if (peer->flight_count == 0)
        peer->sent_bytes = 0;
}

bool pacing_lost(struct peer *peer, uint64_t beat, uint64_t received)
{
    if (peer->checked_beat == 0 || beat < peer->checked_beat)
        return false;
    peer->checked_beat = 0;
    return peer->pace == PACE_STREAM && received < peer->checked_mark;
}
