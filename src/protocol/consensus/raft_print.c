/* A Raft member's state in one line for people (protocol.print): role and term first, then the log, then what only
 * some roles have. */
#include "contract/text.h"
#include "protocol/consensus/raft_internal.h"

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

/* log=1.1,2.1,3.2: each entry's last index and its term, after the base; at most the last few of them. */
static void print_log(struct text *out, const struct raft_log *log)
{
    enum { SHOWN_MAX = 8 };
    text_add(out, " log=");
    uint64_t from = log->head;
    if (raft_log_count(log) > SHOWN_MAX)
        from = log->tail - SHOWN_MAX;
    text_add(out, from > log->head || log->base_index > 0 ? ".." : "");
    text_add(out, "[");
    for (uint64_t ordinal = from; ordinal < log->tail; ordinal++) {
        const struct raft_slot *slot = raft_log_at(log, ordinal);
        text_add(out, ordinal > from ? "," : "");
        text_add_u64(out, raft_slot_last(slot));
        text_add(out, ".");
        text_add_u64(out, slot->term);
    }
    text_add(out, "]");
}

static void print_votes(struct text *out, const struct raft *self)
{
    text_add(out, " granted=");
    bool first = true;
    for (uint32_t i = 0; i < self->peers.count; i++) {
        bool own = i == self->peers.self_place && self->own_vote_counted;
        if (!own && !self->peers.list[i].granted)
            continue;
        text_add(out, first ? "" : ",");
        text_add_u64(out, self->peers.list[i].node);
        first = false;
    }
    text_add(out, first ? "none" : "");
}

void raft_print(const void *member, struct text *out)
{
    const struct raft *self = member;
    text_add(out, "role=");
    text_add(out, self->recovering ? "recovering" : raft_role_name(self->role));
    number(out, "term", self->term);
    number(out, "voted", self->voted_for);
    number(out, "leader", self->leader);
    number(out, "commit", self->commit);
    number(out, "applied", self->applied);
    number(out, "last", raft_log_last_index(&self->log));
    print_log(out, &self->log);
    number(out, "written", self->disk.written);
    number(out, "stored", self->disk.stored);
    if (self->role == RAFT_LEADER) {
        peers_print(&self->peers, out);
        number(out, "round", self->peers.beat);
    } else if (self->role == RAFT_CANDIDATE || self->role == RAFT_PRE_CANDIDATE) {
        print_votes(out, self);
    } else {
        number(out, "matched", self->matched);
    }
    if (self->checkpoint_index > 0)
        number(out, "checkpoint", self->checkpoint_index);
    if (self->adopt_pending)
        text_add(out, " adopts=yes");
    if (self->disk.full)
        text_add(out, " disk=full");
}
