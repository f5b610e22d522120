/* PBFT: a member's state for people. */
#include "contract/text.h"
#include "protocol/consensus/pbft_internal.h"

static void number(struct text *out, const char *name, uint64_t value)
{
    text_add(out, " ");
    text_add(out, name);
    text_add(out, "=");
    text_add_u64(out, value);
}

void pbft_print(const void *member, struct text *out)
{
    const struct pbft *self = member;
    uint32_t accepted = 0, prepared = 0, committed = 0;
    for (uint64_t n = self->executed + 1; n <= self->stable.number + self->window; n++) {
        const struct pbft_slot *slot = pbft_slot_known(self, n);
        accepted += slot != NULL && slot->accepted.view == self->view;
        prepared += slot != NULL && slot->prepared.view == self->view;
        committed += slot != NULL && slot->committed;
    }
    text_add(out, "role=");
    text_add(out, self->forgot ? "forgot" : !self->active ? "changing" : pbft_leads(self) ? "primary" : "backup");
    number(out, "view", self->view);
    number(out, "executed", self->executed);
    number(out, "index", self->index);
    number(out, "stable", self->stable.number);
    number(out, "next", self->next);
    number(out, "accepted", accepted);
    number(out, "prepared", prepared);
    number(out, "committed", committed);
    number(out, "written", self->last_position);
    number(out, "stored", self->stored_position);
    if (self->checkpoint_pending)
        text_add(out, " checkpoint=pending");
    if (self->adopt_pending)
        text_add(out, " adopts=yes");
    if (self->disk_full)
        text_add(out, " disk=full");
}
