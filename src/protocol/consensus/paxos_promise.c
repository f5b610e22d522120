/* Paxos, phase 1: the acceptor (PMS 2.2, phase 1b).
 *
 * A promise is answered when it is on disk, and reports what was accepted from the slot asked for on, one run of
 * records a message: records that follow each other, all accepted in one ballot, without a hole between. After a few
 * runs the candidate has to ask for the next. The acceptor keeps no account of that: as long as its promise stands,
 * what it accepted below it does not change, so the answers to one ballot's questions fit together.
 *
 * It does not promise to a candidate that asks about slots that are gone here, into a checkpoint: it could not report
 * them, and silence about a slot means that nothing was accepted there (MPX-3). Nor while it hears a leader: else a
 * member that was cut off would depose one that works (Ongaro 2014, 4.2.3, has the same rule). */
#include "protocol/consensus/paxos_internal.h"

void paxos_nack(struct paxos *self, const struct event *event, uint64_t asked, bool pre, struct effects *out)
{
    const struct paxos_nack nack = {
        .asked = asked,
        .round = self->promised.round,
        .node = self->promised.node,
        .pre = pre,
    };
    effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_NACK, &nack, event->message.from.node)->to_incarnation =
        event->message.incarnation;
}

static bool leader_heard(const struct paxos *self, int64_t now_ns)
{
    return self->role == PAXOS_LEADER ||
           (self->leader != 0 && now_ns - self->heard_ns < self->spec->tuning.election_timeout_ns);
}

struct report {
    const struct paxos_cell *first; /* NULL: nothing was accepted from there on */
    uint64_t last, upto;
};

/* The first run of accepted slots from `from` on. */
static struct report report_from(const struct paxos *self, uint64_t from)
{
    struct report report = {.upto = PAXOS_REPORTED_ALL};
    uint64_t slot = from, bytes;
    while (slot <= self->window.top && paxos_window_at(&self->window, slot) == NULL)
        slot++;
    const struct paxos_cell *last = report.first = paxos_window_at(&self->window, slot);
    if (last == NULL)
        return report;
    bytes = last->size;
    for (uint32_t count = 1; count < PAXOS_ACCEPT_RECORDS_MAX; count++) {
        const struct paxos_cell *next = paxos_window_at(&self->window, last->slot + 1);
        if (next == NULL || next->position != last->position + 1 || !paxos_ballot_same(next->ballot, last->ballot))
            break;
        bytes += next->size;
        if (bytes > self->spec->tuning.append_bytes_max)
            break;
        last = next;
    }
    report.last = last->position;
    report.upto = last->slot == self->window.top ? PAXOS_REPORTED_ALL : last->slot;
    return report;
}

static struct effect_send *send_promise(const struct event *event, const struct report *report, uint64_t from, bool ask,
                                        struct effects *out)
{
    const struct paxos_prepare *prepare = event->message.body;
    struct paxos_promise promise = {
        .round = prepare->round,
        .nonce = prepare->nonce,
        .pre = prepare->pre,
        .from = from,
        .upto = report->upto,
        .ask = ask,
    };
    if (report->first != NULL) {
        promise.accepted_round = report->first->ballot.round;
        promise.accepted_node = report->first->ballot.node;
    }
    struct effect_send *send =
        effect_send_one(out, &paxos_messages, PAXOS_SLOT, PAXOS_PROMISE, &promise, event->message.from.node);
    send->to_incarnation = event->message.incarnation;
    if (report->first != NULL) {
        send->records_first = report->first->position;
        send->records_last = report->last;
    }
    return send;
}

static void on_pre(struct paxos *self, const struct event *event, bool able, struct effects *out)
{
    const struct paxos_prepare *prepare = event->message.body;
    const struct report nothing = {.upto = PAXOS_REPORTED_ALL};
    bool higher = prepare->round > self->promised.round;
    if (able && higher && !leader_heard(self, event->now_ns))
        (void)send_promise(event, &nothing, prepare->from, false, out);
    else if (!higher)
        paxos_nack(self, event, prepare->round, true, out); /* it learns which round to go above */
}

/* The promise is taken over, and lies on disk before it is told. */
static uint64_t promise(struct paxos *self, const struct event *event, struct paxos_ballot ballot,
                        struct effects *out)
{
    if (paxos_ballot_same(ballot, self->promised))
        return paxos_state_after(self, event, out);
    paxos_become_follower(self, event, ballot, 0, out);
    election_timer_postpone(&self->timer, event->now_ns);
    if (!paxos_ablated(self, PAXOS_ABLATION_PROMISE_NOT_STORED))
        return paxos_state_after(self, event, out);
    self->state_dirty = false;
    return 0;
}

void paxos_on_prepare(struct paxos *self, const struct event *event, struct effects *out)
{
    const struct paxos_prepare *prepare = event->message.body;
    struct paxos_ballot ballot = paxos_ballot_of(prepare->round, event->message.from.node);
    bool able = !self->recovering && prepare->from >= paxos_first_sendable(self);
    if (prepare->pre) {
        on_pre(self, event, able, out);
        return;
    }
    if (!paxos_may_promise(self->promised, ballot)) {
        paxos_nack(self, event, prepare->round, false, out);
        return;
    }
    bool again = paxos_ballot_same(ballot, self->promised);
    if (!able || (!again && leader_heard(self, event->now_ns)))
        return;
    uint64_t after = promise(self, event, ballot, out);
    uint64_t from = prepare->from;
    for (uint32_t i = 1; from != PAXOS_REPORTED_ALL; i++) {
        struct report report = report_from(self, from);
        bool ask = i == PAXOS_REPORTS_MAX && report.upto != PAXOS_REPORTED_ALL;
        send_promise(event, &report, from, ask, out)->after = after;
        from = ask || report.upto == PAXOS_REPORTED_ALL ? PAXOS_REPORTED_ALL : report.upto + 1;
    }
}
