/* Raft: the follower (thesis 3.5, 3.6).
 *
 * Records are taken over as they come; acknowledgements are written once, at the end of the turn, and wait for the
 * disk. A round is answered at once, before the own disk write: it only says whom this member follows.
 *
 * Invariants. The log is cut only where an entry conflicts, never because a message is short or late (rule 3 of AG-6).
 * `matched` is the boundary up to which the log is known to be as in the leader's: within a term it only rises, as the
 * leader only appends. Nothing below the commit index is ever cut. */
#include "protocol/consensus/raft_internal.h"

/* The records of an APPEND do not follow anything here; or its term is over. */
static void refuse_append(struct raft *self, const struct event *event, uint64_t prev_index, uint64_t prev_term,
                          struct effects *out)
{
    uint64_t last = raft_log_last_index(&self->log);
    uint64_t after = raft_log_after_term(&self->log, prev_index < last ? prev_index : last, prev_term);
    const struct raft_append_ack ack = {
        .term = self->term,
        .prev_index = prev_index,
        .hint_index = raft_log_before_index(&self->log, after),
        .hint_term = raft_log_before_term(&self->log, after),
        .voter = !self->recovering,
    };
    effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_APPEND_ACK, &ack, event->message.from.node);
}

bool raft_follow_leader(struct raft *self, const struct event *event, uint64_t term, uint64_t round,
                        struct effects *out)
{
    uint32_t from = event->message.from.node;
    if (term < self->term) {
        refuse_append(self, event, 0, 0, out); /* thesis 3.3: it learns the higher term and steps down */
        return false;
    }
    if (term == self->term && self->role == RAFT_LEADER) {
        raft_reject(out, "rejected: another leader in the own term", from);
        return false;
    }
    if (term > self->term || self->role != RAFT_FOLLOWER || self->leader != from)
        raft_become_follower(self, event, term, from, out);
    self->heard_ns = event->now_ns;
    self->timer.quick_tries = 0;
    election_timer_postpone(&self->timer, event->now_ns);
    if (self->hard_dirty)
        (void)raft_hard_after(self, event, out); /* the term lies in the log before the term's entries */
    if (round > self->round_seen) {
        self->round_seen = round;
        self->round_ack_due = true;
    }
    return true;
}

/* Finds the place after prev. A prev within what is committed matches without a look: the leader has all of that. */
static bool prev_matches(const struct raft *self, const struct raft_append *append, uint64_t *at)
{
    *at = self->log.head;
    if (append->prev_index <= self->log.base_index)
        return true;
    return raft_log_after(&self->log, append->prev_index, at) &&
           raft_log_before_term(&self->log, *at) == append->prev_term;
}

/* Why an entry cannot be taken, or NULL. */
static const char *entry_fault(const struct raft *self, const struct raft_append *append,
                               const struct raft_entry *entry, uint64_t index)
{
    if (!raft_entry_sound(entry) || entry->index != index || entry->term > append->term)
        return "rejected: malformed entry";
    if (entry->index <= self->log.base_index && entry->index + entry->count - 1 > self->log.base_index)
        return "rejected: entry across the base of the log";
    return NULL;
}

/* Takes one entry at place *at. False: it cannot be, and nothing after it. */
static bool take_entry(struct raft *self, const struct event *event, const struct raft_entry *entry, uint32_t size,
                       uint64_t *at, struct effects *out)
{
    uint64_t last = entry->index + entry->count - 1;
    if (last <= self->log.base_index)
        return true;
    if (*at < self->log.tail) {
        const struct raft_slot *held = raft_log_at(&self->log, *at);
        if (held->index == entry->index && held->term == entry->term && held->count == entry->count) {
            (*at)++;
            return true;
        }
        if (entry->index <= self->commit || entry->index <= self->matched) {
            raft_reject(out, "rejected: conflict with what is committed", event->message.from.node);
            return false;
        }
        raft_log_truncate(&self->log, *at); /* thesis 3.5: it conflicts, with all that follows it */
    }
    if (entry->term < raft_log_last_term(&self->log)) {
        raft_reject(out, "rejected: the term falls", event->message.from.node);
        return false;
    }
    raft_log_make_room(self);
    if (raft_log_room(&self->log) == 0)
        return false; /* acknowledged is what had room; the leader sends the rest again */
    struct raft_slot slot = {
        .index = entry->index,
        .term = entry->term,
        .time_ns = entry->time,
        .count = entry->count,
        .size = size,
        .origin = entry->origin,
    };
    slot.position = raft_store(self, event, RAFT_ENTRY, entry, out);
    raft_log_append(&self->log, &slot);
    *at = self->log.tail;
    return true;
}

static void take_records(struct raft *self, const struct event *event, uint64_t at, struct effects *out)
{
    const struct raft_append *append = event->message.body;
    struct span rest = append->records;
    struct record_view record;
    uint64_t index = append->prev_index + 1;
    for (uint32_t i = 0; i < RAFT_APPEND_RECORDS_MAX && record_next(&rest, &record); i++) {
        struct raft_entry entry;
        const char *fault = "rejected: not an entry";
        if (record.type == RAFT_ENTRY && record.slot == RAFT_SLOT &&
            message_decode(&raft_records.types[RAFT_ENTRY], record.body, &entry))
            fault = entry_fault(self, append, &entry, index);
        if (fault != NULL) {
            raft_reject(out, fault, event->message.from.node);
            return;
        }
        if (!take_entry(self, event, &entry, (uint32_t)(RECORD_PREFIX_SIZE + record.body.size), &at, out))
            return;
        index += entry.count;
        if (index - 1 > self->matched)
            self->matched = index - 1;
    }
    if (raft_ablated(self, RAFT_ABLATION_TRUNCATE_ALWAYS) && append->prev_index != 0 && index > self->commit &&
        at < self->log.tail) {
        raft_log_truncate(&self->log, at);
        self->matched = index - 1;
    }
}

void raft_on_append(struct raft *self, const struct event *event, struct effects *out)
{
    const struct raft_append *append = event->message.body;
    if (!raft_follow_leader(self, event, append->term, append->round, out))
        return;
    uint64_t at;
    if (!prev_matches(self, append, &at)) {
        refuse_append(self, event, append->prev_index, append->prev_term, out);
        return;
    }
    if (append->prev_index > self->matched)
        self->matched = append->prev_index;
    if (append->records.size > 0)
        take_records(self, event, at, out);
    self->ack_due |= append->records.size > 0 || append->ask;
    uint64_t commit = append->commit < self->matched ? append->commit : self->matched;
    if (commit > self->commit)
        self->commit = commit;
    if (self->recovering)
        raft_recover_progress(self, append->last, out);
}

/* Position of the record that ends at the boundary `index`; 0 when a checkpoint holds it. */
static uint64_t position_of(const struct raft *self, uint64_t index)
{
    uint64_t after;
    if (!raft_log_after(&self->log, index, &after) || after == self->log.head)
        return 0;
    return raft_log_at(&self->log, after - 1)->position;
}

void raft_follow_turn(struct raft *self, const struct event *event, struct effects *out)
{
    if (self->leader != 0 && self->round_ack_due) {
        const struct raft_round_ack ack = {
            .term = self->term,
            .round = self->round_seen,
            .received = self->matched,
            .voter = !self->recovering,
        };
        effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_ROUND_ACK, &ack, self->leader);
    }
    if (self->leader != 0 && self->ack_due) {
        const struct raft_append_ack ack = {
            .term = self->term,
            .match = self->matched,
            .ok = 1,
            .voter = !self->recovering,
        };
        uint64_t after = raft_hard_after(self, event, out);
        uint64_t records = own_disk_after(&self->disk, position_of(self, self->matched));
        effect_send_one(out, &raft_messages, RAFT_SLOT, RAFT_APPEND_ACK, &ack, self->leader)->after =
            records > after ? records : after;
    }
    self->round_ack_due = self->ack_due = false;
    raft_read_ask(self, event, out);
}
