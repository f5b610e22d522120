/* PBFT: invariants of a member's state, and of its step from the one that was checked last (tags as in AG-9). What only
 * a view across members can tell (PBFT-1, 2, 3) is the laboratory's too, through the accessors in pbft.h. */
#include "protocol/consensus/pbft_internal.h"

static const char *check_step(const struct pbft *self)
{
    const struct pbft_shadow *before = &self->shadow;
    if (self->view < before->view)
        return "PBFT-1 the view fell";
    if (self->executed < before->executed || self->index < before->index)
        return "PBFT-3 execution went back";
    if (self->stable.number < before->stable)
        return "PBFT-6 the low water mark fell";
    return NULL;
}

static const char *check_slot(const struct pbft *self, const struct pbft_slot *slot)
{
    if (slot->number <= self->stable.number)
        return NULL; /* forgotten */
    if (slot->number - self->stable.number > self->window)
        return "PBFT-6 a number above the high water mark was taken";
    if (slot->prepared.view == self->view && slot->accepted.view != self->view)
        return "PBFT-1 something prepared that was not accepted";
    if (slot->prepared.view == self->view && !pbft_value_equal(&slot->prepared.value, &slot->accepted.value))
        return "PBFT-1 two requests prepared at one number of a view";
    if (slot->accepted.view > self->view || slot->prepared.view > self->view)
        return "PBFT-1 a vote is of a view that was not reached";
    return NULL;
}

const char *pbft_check(void *member)
{
    struct pbft *self = member;
    if (!self->started)
        return NULL;
    const char *broken = self->broken != NULL ? self->broken : check_step(self);
    for (uint64_t i = 0; i < self->window && broken == NULL; i++)
        broken = check_slot(self, &self->slots[i]);
    if (broken == NULL && self->mark_count == 0)
        broken = "PBFT-6 the low water mark has no checkpoint";
    self->shadow = (struct pbft_shadow){self->view, self->executed, self->stable.number, self->index};
    return broken;
}
