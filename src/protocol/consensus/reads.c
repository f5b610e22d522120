/* Linearizable reads (reads.h). */
#include "protocol/consensus/reads.h"

#include <string.h>

static bool list_add(struct reads_list *list, uint64_t first_number, uint32_t count)
{
    if (list->count > 0) {
        struct reads_range *last = &list->list[list->count - 1];
        if (last->first_number + last->count == first_number && last->count <= UINT32_MAX - count) {
            last->count += count;
            return true;
        }
    }
    if (list->count == READS_RANGES_MAX)
        return false;
    list->list[list->count++] = (struct reads_range){first_number, count};
    return true;
}

static void list_move(struct reads_list *to, struct reads_list *from)
{
    to->count = from->count;
    memcpy(to->list, from->list, from->count * sizeof *from->list);
    from->count = 0;
}

static void again(uint64_t first_number, uint32_t count, struct effects *out)
{
    effect_reply(out, REPLY_AGAIN, true, first_number, count, (struct span){0});
}

static void list_again(struct reads_list *list, struct effects *out)
{
    for (uint32_t i = 0; i < list->count; i++)
        again(list->list[i].first_number, list->list[i].count, out);
    list->count = 0;
}

void reads_request(struct reads *reads, uint32_t leader, uint64_t first_number, uint32_t count, struct effects *out)
{
    if (count > 0 && (leader == 0 || !list_add(&reads->gathered, first_number, count)))
        again(first_number, count, out);
}

/* What was out is gathered again, to be asked anew. */
static void unfly(struct reads *reads, struct effects *out)
{
    for (uint32_t i = 0; i < reads->flying.count; i++) {
        const struct reads_range *range = &reads->flying.list[i];
        if (!list_add(&reads->gathered, range->first_number, range->count))
            again(range->first_number, range->count, out);
    }
    reads->flying.count = 0;
}

void reads_leader_changed(struct reads *reads, uint32_t leader, struct effects *out)
{
    if (leader != 0) {
        unfly(reads, out);
    } else {
        list_again(&reads->gathered, out);
        list_again(&reads->flying, out);
    }
    reads->out = reads->confirmed = false;
}

void reads_unlead(struct reads *reads, struct peers *peers)
{
    for (uint32_t i = 0; i < peers->count; i++)
        peers->list[i].read_gathered = peers->list[i].read_flying = 0;
    reads->remote_gathered = 0;
}

void reads_forget(struct reads *reads, struct peer *peer)
{
    reads->remote_gathered -= peer->read_gathered != 0;
    peer->read_gathered = peer->read_flying = 0;
}

/* A new question of the same member replaces one that still waits: it has given up on that. */
void reads_on_question(struct reads *reads, struct peer *peer, const struct leader_read *question)
{
    uint64_t number = question->number;
    if (number <= peer->read_gathered || number <= peer->read_flying)
        return; /* doubled on the way, or no number at all */
    reads->remote_gathered += peer->read_gathered == 0;
    peer->read_gathered = number;
}

/* A majority has answered: everything in this flight may be served. */
static void confirm(struct reads *reads, struct peers *peers, int64_t time_ns, struct effects *out)
{
    for (uint32_t i = 0; i < peers->count; i++)
        peers->list[i].quick = peers->beat_quorum.value[i] >= reads->beat;
    reads->confirmed = true;
    reads->time_ns = time_ns;
    for (uint32_t i = 0; i < peers->count; i++) {
        struct peer *peer = &peers->list[i];
        if (peer->read_flying == 0)
            continue;
        const struct leader_read_ack ack = {.number = peer->read_flying, .mark = reads->mark, .time = time_ns};
        const struct leader_wire *wire = reads->wire;
        effect_send_one(out, wire->table, wire->slot, wire->read_ack, &ack, peer->node)->to_incarnation =
            peer->incarnation;
        peer->read_flying = 0;
    }
}

/* Confirmed reads wait for the state machine; the next flight only for those before it. */
static void land(struct reads *reads)
{
    if (!reads->out || !reads->confirmed || reads->ready.count > 0)
        return;
    list_move(&reads->ready, &reads->flying);
    reads->ready_mark = reads->mark;
    reads->ready_time_ns = reads->time_ns;
    reads->out = reads->confirmed = false;
}

static void take_off(struct reads *reads)
{
    list_move(&reads->flying, &reads->gathered);
    reads->out = true;
    reads->confirmed = false;
}

static void begin_beat(struct reads *reads, struct peers *peers, uint64_t commit)
{
    take_off(reads);
    for (uint32_t i = 0; reads->remote_gathered > 0 && i < peers->count; i++) {
        peers->list[i].read_flying = peers->list[i].read_gathered;
        peers->list[i].read_gathered = 0;
    }
    reads->remote_gathered = 0;
    reads->mark = commit;
    reads->beat = ++peers->beat;
    peers->beat_due = true;
}

void reads_lead_turn(struct reads *reads, struct peers *peers, const struct reads_leader *leader, struct effects *out)
{
    if (reads->out && !reads->confirmed && (leader->trust || peers_beaten(peers) >= reads->beat))
        confirm(reads, peers, leader->time_ns, out);
    land(reads);
    bool waiting = reads->gathered.count > 0 || reads->remote_gathered > 0;
    if (reads->out || !waiting || !(leader->current || leader->trust))
        return;
    begin_beat(reads, peers, leader->commit);
    if (!leader->trust && peers_beaten(peers) < reads->beat)
        return;
    confirm(reads, peers, leader->time_ns, out); /* a group of one needs nobody's answer */
    land(reads);
}

static void ask(struct reads *reads, uint32_t leader, int64_t at_ns, struct effects *out)
{
    const struct leader_wire *wire = reads->wire;
    uint32_t count = 0;
    for (uint32_t i = 0; i < reads->flying.count; i++)
        count += reads->flying.list[i].count;
    reads->number = ++reads->last_number;
    const struct leader_read question = {.number = reads->number, .count = count};
    effect_send_one(out, wire->table, wire->slot, wire->read, &question, leader);
    effect_arm(out, wire->slot, wire->read_timer, 0, at_ns);
}

void reads_follow_turn(struct reads *reads, uint32_t leader, int64_t now_ns, int64_t again_ns, struct effects *out)
{
    land(reads);
    if (leader == 0 || reads->out || reads->gathered.count == 0)
        return;
    take_off(reads);
    ask(reads, leader, now_ns + again_ns, out);
}

void reads_on_answer(struct reads *reads, const struct leader_read_ack *ack, struct effects *out)
{
    if (!reads->out || reads->confirmed || ack->number != reads->number)
        return;
    reads->confirmed = true;
    reads->mark = ack->mark;
    reads->time_ns = ack->time;
    effect_disarm(out, reads->wire->slot, reads->wire->read_timer, 0);
    land(reads);
}

void reads_timeout(struct reads *reads, uint32_t leader, int64_t now_ns, int64_t again_ns, struct effects *out)
{
    if (leader != 0 && reads->out && !reads->confirmed)
        ask(reads, leader, now_ns + again_ns, out);
}

void reads_deliver(struct reads *reads, const struct reads_applied *applied, struct effects *out)
{
    if (reads->ready.count == 0 || applied->mark < reads->ready_mark)
        return;
    int64_t time_ns = reads->ready_time_ns > applied->time_ns ? reads->ready_time_ns : applied->time_ns;
    for (uint32_t i = 0; i < reads->ready.count; i++)
        effect_deliver_reads(out, applied->index, time_ns, reads->ready.list[i].first_number,
                             reads->ready.list[i].count);
    reads->ready.count = 0;
    if (reads->confirmed || (applied->leads && reads->gathered.count > 0 && !reads->out))
        effect_again(out);
}

static void list_canonical(const struct reads_list *list, struct canon *out)
{
    canon_u64(out, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        canon_u64(out, list->list[i].first_number);
        canon_u64(out, list->list[i].count);
    }
}

void reads_canonical(const struct reads *reads, struct canon *out)
{
    list_canonical(&reads->gathered, out);
    list_canonical(&reads->flying, out);
    list_canonical(&reads->ready, out);
    canon_u8(out, reads->out);
    canon_u8(out, reads->confirmed);
    canon_u64(out, reads->out ? reads->beat : 0);
    canon_u64(out, reads->out ? reads->mark : 0);
    canon_u64(out, reads->out ? reads->number : 0);
    canon_u64(out, reads->last_number);
    canon_u64(out, reads->ready.count > 0 ? reads->ready_mark : 0);
}
