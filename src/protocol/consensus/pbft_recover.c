/* PBFT: a member that may have promised what it does not know any more, its disk being lost or damaged (after Castro02,
 * section 4.3.2: estimation).
 *
 * Until it is whole again it is one of the k. It executes what others committed, and neither votes, nor leads, nor takes
 * part in view changes, nor answers looks. It asks all (RECOVER, with a number that no earlier life used) and hears
 * from each what view it is in and what its newest checkpoint is (MARKS). From these it learns two bounds:
 *
 *   numbers. Let h be the low water mark of its former life, which voted up to h + L at most. A quorum held the
 *   checkpoint h, or a new view began there and the former life had executed it; then k+1 others had prepared h, so held
 *   one at h - L or later. Any 2k+1 answers contain one of these k+1, so the largest of them, c, is at least h - L: all
 *   that was voted for lies at c + 2L or below. k+1 answers of c or more keep a liar from putting it out of reach.
 *   views. Whoever goes to view v+1 has seen a quorum on its way to v or beyond. So with w, than which a quorum answers
 *   no more and a quorum no less, the former life went to w+1 at most; and so will this one, should it forget again.
 *
 * It votes again in views from w+1 on, for numbers above its low water mark, once that is at c + 2L. So each vote is for
 * a view or a number for which its former life cannot have voted. It may send a second VIEW-CHANGE for w+1 itself: both
 * say the truth about all views before. So that numbers go by without clients, it orders barriers of its own.
 *
 * If more than k members are in this state at once they wait for each other for ever. */
#include "protocol/consensus/pbft_internal.h"

void pbft_recover_due(struct pbft *self, struct effects *out)
{
    if (!self->forgot || self->recovery_bound != 0)
        return;
    const struct pbft_recover message = {.nonce = self->nonce};
    pbft_to_others(self, PBFT_RECOVER, &message, out);
}

void pbft_on_recover(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_recover *message = event->message.body;
    if (self->forgot)
        return;
    const struct pbft_recovery_marks marks = {
        .nonce = message->nonce,
        .view = self->view > self->vote_from ? self->view : self->vote_from,
        .number = self->marks[self->mark_count - 1].number,
    };
    pbft_send(self, event->message.from.node, PBFT_RECOVERY_MARKS, &marks, out);
}

/* An answer than which `no_more` answer no more, and `no_less` no less. */
static bool answer_between(const struct pbft *self, bool of_view, uint32_t no_more, uint32_t no_less, uint64_t *out)
{
    for (uint32_t i = 0; i < self->member_count; i++) {
        uint32_t below = 0, above = 0;
        const struct pbft_answer *answer = &self->peers[i].answer;
        uint64_t value = of_view ? answer->view : answer->number;
        for (uint32_t j = 0; answer->heard && j < self->member_count; j++) {
            const struct pbft_answer *other = &self->peers[j].answer;
            uint64_t another = of_view ? other->view : other->number;
            below += other->heard && another <= value;
            above += other->heard && another >= value;
        }
        *out = value;
        if (below >= no_more && above >= no_less)
            return true;
    }
    return false;
}

bool pbft_recovery_ends(const struct pbft *self)
{
    return self->forgot && self->recovery_bound != 0 && self->stable.number >= self->recovery_bound;
}

void pbft_on_recovery_marks(struct pbft *self, const struct event *event, struct effects *out)
{
    const struct pbft_recovery_marks *message = event->message.body;
    uint64_t view, number;
    if (!self->forgot || message->nonce != self->nonce || self->recovery_bound != 0 ||
        message->number > UINT64_MAX / 2 || message->view > UINT64_MAX / 2)
        return;
    self->peers[spec_member_place(self->spec, event->message.from.node)].answer =
        (struct pbft_answer){true, message->view, message->number};
    if (!answer_between(self, true, self->quorum, self->quorum, &view) ||
        !answer_between(self, false, self->quorum, self->k + 1, &number))
        return;
    self->recovery_bound = number + 2 * self->window;
    self->vote_from = view + 1;
    effect_note(out, "knows from where it may vote again", self->recovery_bound);
}

void pbft_forget(struct pbft *self, uint64_t nonce)
{
    self->forgot = true;
    self->nonce = nonce;
    self->recovery_bound = 0;
}
