/* Raft: terms, votes and roles (thesis chapter 3.4, 3.6.1, 3.8, 4.2.3, 9.6).
 *
 * A follower that hears nothing from a leader for a time drawn from [T, 2T) first asks whether it would be elected
 * (pre-vote, 9.6), so that a member that was cut off cannot disturb the others with its terms; then it raises the term
 * and asks for real. Members ignore both while they hear a leader (4.2.3), unless their connection to it broke: a
 * reset connection starts an election at once, timeouts are for hangs and partitions.
 *
 * Invariants. A term never falls; in a term a member votes once. A vote leaves after the record that holds it is
 * stored. A candidate asks while its own vote is being written, which saves a disk write of each election, but it does
 * not lead before that write is done, however many votes it has: else it could crash, forget the term, win the same
 * term again from the same voters, and put other entries under the same index and term. */
#include "protocol/consensus/raft_internal.h"

static const char *const role_notes[4][4] = {
    [RAFT_FOLLOWER] = {[RAFT_PRE_CANDIDATE] = "FOLLOWER -> PRE-CANDIDATE", [RAFT_CANDIDATE] = "FOLLOWER -> CANDIDATE",
                       [RAFT_LEADER] = "FOLLOWER -> LEADER"},
    [RAFT_PRE_CANDIDATE] = {[RAFT_FOLLOWER] = "PRE-CANDIDATE -> FOLLOWER",
                            [RAFT_CANDIDATE] = "PRE-CANDIDATE -> CANDIDATE"},
    [RAFT_CANDIDATE] = {[RAFT_FOLLOWER] = "CANDIDATE -> FOLLOWER", [RAFT_PRE_CANDIDATE] = "CANDIDATE -> PRE-CANDIDATE",
                        [RAFT_LEADER] = "CANDIDATE -> LEADER"},
    [RAFT_LEADER] = {[RAFT_FOLLOWER] = "LEADER -> FOLLOWER"},
};

static void set_role(struct raft *self, enum raft_role role, struct effects *out)
{
    if (self->role == role)
        return;
    effect_note(out, role_notes[self->role][role], self->term);
    self->role = role;
}

void raft_set_leader(struct raft *self, const struct event *event, uint32_t leader, struct effects *out)
{
    if (leader != 0)
        self->heard_ns = event->now_ns;
    if (self->leader == leader && (leader == 0 || self->view_term == self->term))
        return;
    self->leader = leader;
    self->view_term = self->term;
    effect_view(out, self->term, leader);
    reads_leader_changed(&self->reads, leader, out);
}

/* What agreed with the log of another leader, or of another term, need not agree with this one's; what is committed
 * does (thesis 3.6.3). */
static void forget_agreement(struct raft *self, uint32_t leader)
{
    self->matched = self->commit;
    self->matched_leader = leader;
    self->round_seen = 0;
    self->round_ack_due = self->ack_due = false;
}

/* Thesis 3.3: whoever sees a higher term takes it over and is a follower from then on. */
static void take_term(struct raft *self, uint64_t term)
{
    if (term <= self->term)
        return;
    self->term = term;
    self->voted_for = 0;
    self->hard_dirty = true;
    forget_agreement(self, 0);
}

void raft_become_follower(struct raft *self, const struct event *event, uint64_t term, uint32_t leader,
                          struct effects *out)
{
    take_term(self, term);
    if (leader != 0 && leader != self->matched_leader)
        forget_agreement(self, leader);
    bool led = self->role == RAFT_LEADER;
    set_role(self, RAFT_FOLLOWER, out);
    if (led) {
        raft_unlead(self, out);
        election_timer_draw(&self->timer, event->now_ns);
    }
    raft_set_leader(self, event, leader, out);
    election_timer_arm(&self->timer, out);
}

static void ask_for_votes(struct raft *self, bool pre, struct effects *out)
{
    const struct raft_vote request = {
        .term = pre ? self->term + 1 : self->term,
        .last_index = raft_log_last_index(&self->log),
        .last_term = raft_log_last_term(&self->log),
        .nonce = self->incarnation,
        .pre = pre,
    };
    for (uint32_t i = 0; i < self->peers.count; i++)
        self->peers.list[i].granted = false;
    if (self->peers.count > 1)
        effect_send(out, &raft_messages, RAFT_SLOT, RAFT_VOTE, &request, self->peers.others, self->peers.count - 1);
}

/* Thesis 3.4: raise the term, vote for oneself, ask the others. */
static void campaign(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->term == UINT64_MAX)
        return; /* from a message that nobody meant; there is no term above it */
    take_term(self, self->term + 1);
    self->voted_for = self->peers.self_node;
    set_role(self, RAFT_CANDIDATE, out);
    self->votes = 0;
    self->own_vote_counted = false;
    (void)raft_hard_after(self, event, out);
    ask_for_votes(self, false, out);
    election_timer_draw(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

/* Thesis 9.6: would a majority vote for me? Nothing is stored, no term is raised. While the connection to the leader
 * is known to be broken but others have not noticed yet, the question is repeated after a few milliseconds. */
static void pre_campaign(struct raft *self, const struct event *event, struct effects *out)
{
    raft_set_leader(self, event, 0, out);
    set_role(self, RAFT_PRE_CANDIDATE, out);
    self->votes = 1;
    election_timer_try(&self->timer, event->now_ns);
    if (self->votes >= self->peers.majority) {
        campaign(self, event, out);
        return;
    }
    ask_for_votes(self, true, out);
    if (!raft_ablated(self, RAFT_ABLATION_TIMER_NOT_REARMED))
        election_timer_arm(&self->timer, out);
}

void raft_election_timeout(struct raft *self, const struct event *event, struct effects *out)
{
    self->timer.at_ns = EFFECT_DISARM;
    if (self->role == RAFT_LEADER)
        return;
    if (self->recovering)
        raft_recover_ask(self, out); /* again, those who have not answered */
    if (event->now_ns < self->timer.deadline_ns) {
        election_timer_arm(&self->timer, out);
        return;
    }
    raft_log_make_room(self);
    bool hangs = own_disk_stalled(&self->disk, event->now_ns, self->timer.timeout_ns);
    bool able = !self->recovering && !self->adopt_pending && !hangs && raft_log_room(&self->log) > 0;
    if (able) {
        pre_campaign(self, event, out);
        return;
    }
    /* A member that may not vote, that is being replaced, or whose disk hangs, would only be in the way. */
    if (self->role != RAFT_FOLLOWER || self->leader != 0)
        raft_become_follower(self, event, self->term, 0, out);
    election_timer_draw(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

void raft_election_peer_lost(struct raft *self, const struct event *event, uint32_t node, struct effects *out)
{
    if (node != self->leader || self->role == RAFT_LEADER)
        return;
    raft_set_leader(self, event, 0, out);
    election_timer_broken(&self->timer, event->now_ns);
    election_timer_arm(&self->timer, out);
}

static void lead_if_elected(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->votes < self->peers.majority || !self->own_vote_counted)
        return;
    set_role(self, RAFT_LEADER, out);
    self->timer.quick_tries = 0;
    raft_lead(self, event, out);
}

void raft_election_stored(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->role != RAFT_CANDIDATE || self->own_vote_counted || self->disk.stored < self->hard_position)
        return;
    self->own_vote_counted = true;
    self->votes++;
    lead_if_elected(self, event, out);
}

/* Thesis 4.2.3: a leader is alive as far as this member can tell. */
static bool leader_heard(const struct raft *self, int64_t now_ns)
{
    return self->role == RAFT_LEADER ||
           (self->leader != 0 && now_ns - self->heard_ns < self->spec->tuning.election_timeout_ns);
}

/* Thesis 3.6.1: the pair (last term, last index) is compared, not one of them. */
static bool log_current(const struct raft *self, const struct raft_vote *request)
{
    if (raft_ablated(self, RAFT_ABLATION_VOTE_ANY_LOG))
        return true;
    uint64_t last_term = raft_log_last_term(&self->log);
    if (request->last_term != last_term)
        return request->last_term > last_term;
    return request->last_index >= raft_log_last_index(&self->log);
}

static struct effect_send *answer(struct raft *self, const struct event *event, bool granted, struct effects *out)
{
    const struct raft_vote *request = event->message.body;
    const struct raft_vote_ack ack = {
        .term = self->term,
        .asked = request->term,
        .nonce = request->nonce,
        .pre = request->pre,
        .granted = granted,
    };
    struct effect_send *send =
        effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_VOTE_ACK, &ack, event->message.from.node);
    send->to_incarnation = event->message.incarnation;
    return send;
}

void raft_on_vote(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_vote *request = event->message.body;
    uint32_t candidate = event->message.from.node;
    bool heard = leader_heard(self, event->now_ns);
    if (request->pre) {
        bool granted = !self->recovering && !heard && request->term > self->term && log_current(self, request);
        answer(self, event, granted, out);
        return;
    }
    if (request->term > self->term) {
        if (heard)
            return;
        raft_become_follower(self, event, request->term, 0, out);
    }
    bool granted = !self->recovering && request->term == self->term &&
                   (self->voted_for == 0 || self->voted_for == candidate) && log_current(self, request);
    if (!granted) {
        answer(self, event, false, out);
        return;
    }
    if (self->role == RAFT_PRE_CANDIDATE)
        raft_become_follower(self, event, self->term, 0, out);
    election_timer_postpone(&self->timer, event->now_ns);
    uint64_t after = 0;
    if (raft_ablated(self, RAFT_ABLATION_VOTE_NOT_STORED)) {
        (void)raft_hard_after(self, event, out);
        self->voted_for = candidate;
    } else {
        self->hard_dirty |= self->voted_for != candidate;
        self->voted_for = candidate;
        after = raft_hard_after(self, event, out);
    }
    answer(self, event, true, out)->after = after;
}

void raft_on_vote_ack(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_vote_ack *ack = event->message.body;
    if (ack->term > self->term && !(ack->pre && ack->granted)) {
        raft_become_follower(self, event, ack->term, 0, out);
        return;
    }
    struct peer *peer = peers_find(&self->peers, event->message.from.node);
    if (!ack->granted || ack->nonce != self->incarnation || peer->granted)
        return;
    bool pre = ack->pre && self->role == RAFT_PRE_CANDIDATE && ack->asked == self->term + 1;
    bool real = !ack->pre && self->role == RAFT_CANDIDATE && ack->asked == self->term;
    if (!pre && !real)
        return;
    peer->granted = true;
    self->votes++;
    if (real)
        lead_if_elected(self, event, out);
    else if (self->votes >= self->peers.majority)
        campaign(self, event, out);
}
