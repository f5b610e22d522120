/* Single-decree Paxos: the proposer (synod.h). */
#include "protocol/consensus/synod_internal.h"

enum {
    REFUSALS_DOUBLING = 5, /* the bound of back-off is at most 2^5 heartbeats */
    REPEATS_DOUBLING = 3,
};

static uint32_t at_most(uint32_t count, uint32_t most)
{
    return count < most ? count : most;
}

static bool has_answered(const struct synod *self, uint32_t place)
{
    return (self->answered >> place & 1) != 0;
}

/* To those that have not answered yet; `after`: the position that it depends on. */
static void send_to_silent(struct synod *self, enum synod_message type, const void *body, uint64_t after,
                           struct effects *out)
{
    uint32_t silent[SYNOD_MEMBERS_MAX], count = 0;
    for (uint32_t i = 0; i < self->spec->member_count; i++)
        if (i != self->place && !has_answered(self, i))
            silent[count++] = self->spec->members[i];
    if (count == 0)
        return;
    struct span kept = effects_copy(out, silent, count * sizeof silent[0]);
    const uint32_t *to = (const uint32_t *)(const void *)kept.data;
    effect_send(out, &synod_messages, 0, (uint16_t)type, body, to, count)->after = after;
}

/* Says what the phase has to say. Nobody hears of a ballot before the own promise is on disk; what is proposed in it
 * needs nothing more. */
static void say(struct synod *self, struct effects *out)
{
    const struct synod_round prepare = {.round = self->round};
    const struct synod_accept accept = {.round = self->round, .value = self->proposal};
    if (self->phase == SYNOD_PREPARING)
        send_to_silent(self, SYNOD_PREPARE, &prepare, synod_after(self), out);
    else
        send_to_silent(self, SYNOD_ACCEPT, &accept, 0, out);
    int64_t patience_ns = self->spec->tuning.election_timeout_ns;
    effect_arm(out, 0, SYNOD_TIMER_RETRY, 0,
               self->now_ns + patience_ns + synod_drawn(self, patience_ns, at_most(self->repeats, REPEATS_DOUBLING)));
}

static void begin(struct synod *self, struct effects *out)
{
    uint64_t highest = self->promised.round > self->seen_round ? self->promised.round : self->seen_round;
    self->phase = SYNOD_PREPARING;
    self->round = highest + 1;
    self->answered = 0;
    self->repeats = 0;
    self->best = self->accepted;
    self->best_value = self->value;
    synod_promise(self, synod_own_ballot(self), out);
    effect_note(out, "begins a ballot", self->round);
    say(self, out);
}

void synod_propose(struct synod *self, struct effects *out)
{
    if (self->phase == SYNOD_IDLE && self->queue_count > 0 && !self->decided)
        begin(self, out);
}

/* Phase 2: the value of the highest ballot that a majority knows of, or where there is none, the own one. */
static void propose_value(struct synod *self, struct effects *out)
{
    bool free = self->best.round == 0 || synod_ablated(self, SYNOD_CHOOSE_OWN_VALUE);
    self->phase = SYNOD_PROPOSING;
    self->proposal = free ? self->queue[0].value : self->best_value;
    self->answered = 0;
    self->repeats = 0;
    effect_note(out, free ? "proposes its own value" : "proposes what it heard of", self->proposal);
    effect_view(out, self->round, self->spec->self);
    synod_accept(self, synod_own_ballot(self), self->proposal, out);
    say(self, out);
}

static void decide(struct synod *self, struct effects *out)
{
    const struct synod_decided decided = {.value = self->proposal};
    if (self->others_count > 0)
        effect_send(out, &synod_messages, 0, SYNOD_DECIDED, &decided, self->others, self->others_count);
    synod_learn(self, self->proposal, out);
}

void synod_advance(struct synod *self, struct effects *out)
{
    while (synod_in_ballot(self)) {
        if (synod_after(self) == 0)
            self->answered |= UINT64_C(1) << self->place;
        if ((uint32_t)__builtin_popcountll(self->answered) < self->majority)
            return;
        if (self->phase == SYNOD_PREPARING)
            propose_value(self, out);
        else
            decide(self, out);
    }
}

/* Who is refused again and again waits longer and longer, so that one of two proposers gets the time that it needs. */
void synod_give_up(struct synod *self, struct effects *out)
{
    int64_t delay_ns = synod_drawn(self, self->spec->tuning.heartbeat_ns, at_most(self->refusals, REFUSALS_DOUBLING));
    self->phase = SYNOD_WAITING;
    self->refusals++;
    if (synod_ablated(self, SYNOD_NO_BACK_OFF))
        delay_ns = 0;
    effect_note(out, "gives its ballot up", self->round);
    effect_arm(out, 0, SYNOD_TIMER_RETRY, 0, self->now_ns + delay_ns);
}

void synod_on_retry(struct synod *self, struct effects *out)
{
    if (synod_in_ballot(self)) {
        self->repeats++;
        say(self, out);
    } else if (self->phase == SYNOD_WAITING) {
        begin(self, out);
    }
}

/* ---- answers ---- */

void synod_on_promise(struct synod *self, uint32_t from, const struct synod_promise *promise)
{
    struct paxos_ballot reported = synod_ballot(promise->accepted, promise->by);
    if (self->phase != SYNOD_PREPARING || promise->round != self->round)
        return;
    self->answered |= UINT64_C(1) << from;
    bool first_only = synod_ablated(self, SYNOD_CHOOSE_FIRST_SEEN) && self->best.round != 0;
    if (paxos_report_wins(self->best, reported) && !first_only) {
        self->best = reported;
        self->best_value = promise->value;
    }
}

void synod_on_accepted(struct synod *self, uint32_t from, uint64_t round)
{
    if (self->phase == SYNOD_PROPOSING && round == self->round)
        self->answered |= UINT64_C(1) << from;
}

void synod_on_nack(struct synod *self, const struct synod_nack *nack, struct effects *out)
{
    if (!synod_in_ballot(self) || nack->round != self->round)
        return;
    if (nack->promised > self->seen_round)
        self->seen_round = nack->promised;
    synod_give_up(self, out);
}
