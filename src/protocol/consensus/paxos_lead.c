/* Paxos, phase 2: the leader (PMS 2.2, 3).
 *
 * Proposals are stored, and thereby accepted by the leader itself, as requests come in; pacing.h says when they go out,
 * many slots at a time. The leader sends while its own write is under way, but counts itself only after that.
 *
 * Everything from its commit slot on that it holds is accepted in its own ballot, so counting how many members have
 * accepted a prefix in that ballot tells what is chosen. What lies below it is chosen already; members that lack it
 * get it the same way, as proposals of this ballot, which they are free to be: a leader of a higher ballot would
 * propose nothing else there (PAX-3). */
#include "protocol/consensus/paxos_internal.h"

void paxos_propose(struct paxos *self, const struct event *event, struct span bundle, uint32_t count, uint32_t origin,
                   struct effects *out)
{
    const struct paxos_cell *last = paxos_window_at(&self->window, self->window.top);
    int64_t last_ns = last != NULL && last->time_ns > self->applied_time_ns ? last->time_ns : self->applied_time_ns;
    const struct paxos_entry entry = {
        .slot = self->window.top + 1,
        .time = event->wall_ns > last_ns ? event->wall_ns : last_ns,
        .count = count,
        .origin = origin,
        .bundle = bundle,
    };
    self->open_bytes += paxos_take_entry(self, event, &entry, self->promised, out)->size;
    self->peers.commit_due |= paxos_ablated(self, PAXOS_ABLATION_LEARN_EARLY);
}

void paxos_lead(struct paxos *self, const struct event *event, struct effects *out)
{
    self->reads.remote_gathered = 0;
    self->own_match = self->commit;
    self->checkpoint_wanted = 0;
    peers_lead(&self->peers, self->window.top + 1, event->now_ns, self->spec->tuning.election_timeout_ns);
    self->open_bytes = 0;
    for (uint64_t slot = self->commit + 1; slot <= self->window.top; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        self->open_bytes += cell == NULL ? 0 : cell->size;
    }
    paxos_set_leader(self, event, self->peers.self_node, out);
    paxos_lead_stored(self);
    self->peers.commit_due = self->peers.heartbeat_due = true;
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

void paxos_unlead(struct paxos *self, struct effects *out)
{
    effect_disarm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0);
    peers_unlead(&self->peers, out);
    reads_unlead(&self->reads, &self->peers);
}

void paxos_heartbeat(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->role == PAXOS_CANDIDATE)
        paxos_prepare_again(self, event, out);
    if (self->role != PAXOS_LEADER)
        return;
    int64_t timeout_ns = self->spec->tuning.election_timeout_ns;
    bool alone = peers_alone(&self->peers, event->now_ns, timeout_ns);
    if (alone || own_disk_stalled(&self->disk, event->now_ns, timeout_ns)) {
        effect_note(out, alone ? "steps down: no majority answers" : "steps down: the disk hangs",
                    self->promised.round);
        paxos_become_follower(self, event, self->promised, 0, out);
        return;
    }
    peers_heartbeat(&self->peers, event->now_ns, timeout_ns, out);
    effect_arm(out, PAXOS_SLOT, PAXOS_TIMER_HEARTBEAT, 0, event->now_ns + self->spec->tuning.heartbeat_ns);
}

/* Accepted by a majority in one ballot: chosen (PMS 2.2). Whose clients wait is told at once. */
static void choose_counted(struct paxos *self)
{
    self->peers.commit_due = false;
    uint64_t before = self->commit;
    uint64_t chosen = peers_matched(&self->peers);
    if (paxos_ablated(self, PAXOS_ABLATION_LEARN_EARLY))
        chosen = self->own_match;
    if (chosen <= before)
        return;
    paxos_learn(self, chosen);
    for (uint64_t slot = before + 1; slot <= chosen; slot++) {
        const struct paxos_cell *cell = paxos_window_at(&self->window, slot);
        self->open_bytes -= cell->size;
        peers_tell(&self->peers, cell->origin);
    }
}

static bool has(const void *member, uint64_t slot)
{
    const struct paxos *self = member;
    return paxos_window_at(&self->window, slot) != NULL;
}

static uint64_t mark_before(const void *member, uint64_t slot)
{
    (void)member;
    return slot - 1;
}

/* Slots from `first` on, which is held, whose records follow each other, up to the bounds of one message; at least one,
 * however large. */
static struct pacing_run run_from(const struct paxos *self, uint64_t first)
{
    const struct paxos_cell *last = paxos_window_at(&self->window, first);
    struct pacing_run run = {.next = first + 1, .last = first, .bytes = last->size};
    while (run.next - first < PAXOS_ACCEPT_RECORDS_MAX) {
        const struct paxos_cell *next = paxos_window_at(&self->window, run.next);
        if (next == NULL || next->position != last->position + 1 ||
            run.bytes + next->size > self->spec->tuning.append_bytes_max)
            break;
        run.bytes += next->size;
        run.last = run.next++;
        last = next;
    }
    return run;
}

static struct effect_send *send_accept(struct paxos *self, bool ask, const uint32_t *to, uint32_t count,
                                       struct effects *out)
{
    const struct paxos_accept accept = {
        .round = self->promised.round,
        .commit = self->commit,
        .beat = self->peers.beat,
        .last = self->window.top,
        .ask = ask,
    };
    return effect_send(out, &paxos_messages, PAXOS_SLOT, PAXOS_ACCEPT, &accept, to, count);
}

static struct pacing_run send_records(void *member, uint64_t first, const uint32_t *to, uint32_t count,
                                      struct effects *out)
{
    struct paxos *self = member;
    struct pacing_run run = run_from(self, first);
    struct effect_send *send = send_accept(self, true, to, count, out);
    send->records_first = paxos_window_at(&self->window, first)->position;
    send->records_last = paxos_window_at(&self->window, run.last)->position;
    return run;
}

static void send_light(void *member, bool ask, const uint32_t *to, uint32_t count, struct effects *out)
{
    (void)send_accept(member, ask, to, count, out);
}

static const struct pacing_source source = {
    .probe_sends = false,
    .has = has,
    .mark_before = mark_before,
    .send = send_records,
    .send_light = send_light,
    .send_install = paxos_install_send,
};

void paxos_lead_turn(struct paxos *self, const struct event *event, struct effects *out)
{
    if (self->peers.commit_due)
        choose_counted(self);
    paxos_read_beats(self, event, out);
    const struct pacing_bounds bounds = {self->now_ns, &self->spec->tuning, self->window.head, self->send_from};
    pacing_turn(&self->peers, &source, self, &bounds, out);
}
