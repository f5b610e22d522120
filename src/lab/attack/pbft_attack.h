/* What the files of PBFT's attacks share. */
#ifndef LOCKSTEP_LAB_PBFT_ATTACK_H
#define LOCKSTEP_LAB_PBFT_ATTACK_H

#include "lab/attack/attack.h"
#include "protocol/consensus/pbft.h"

static inline uint32_t foe_primary(const struct attack_scene *scene, uint64_t view)
{
    return (uint32_t)((view - 1) % attack_node_count(scene));
}

/* The view that the own member is in; 0 while it is down. */
static inline uint64_t foe_view(const struct attack_scene *scene)
{
    const void *member = attack_member(scene);
    return member != NULL ? pbft_view(member) : 0;
}

static inline bool foe_leads(const struct attack_scene *scene, uint64_t view)
{
    return view != 0 && foe_primary(scene, view) == attack_place(scene);
}

/* To all others, but those of the mask `but`. */
static inline void foe_tell(struct attack_scene *scene, uint16_t type, const void *body, uint64_t but)
{
    for (uint32_t to = 0; to < attack_node_count(scene); to++)
        if ((but >> to & 1) == 0)
            attack_send(scene, to, type, body, ATTACK_GOOD_FOR_ALL);
}

#endif
