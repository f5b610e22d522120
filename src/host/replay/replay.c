/* Stepping recorded members again (replay.h). */
#include "host/replay/replay.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "contract/effect_hash.h"
#include "protocol/registry.h"
#include "protocol/replica/voter.h"
#include "service/registry.h"

struct replayed {
    void *self;
    struct heap *heap;
    struct effects effects;
    uint64_t next_position;
};

struct replay {
    struct heap *heap;
    struct span bytes;
    size_t at;
    uint64_t steps;
    struct recording_head head;
    struct recording_group groups[RECORDING_GROUPS_MAX];
    struct replayed members[RECORDING_GROUPS_MAX];
    union {
        max_align_t align;
        uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
    } decoded;
};

/* A protocol that cannot be found, or not enough memory. */
static int make_member(struct replay *replay, uint32_t place, char *why, size_t why_size)
{
    struct recording_group *group = &replay->groups[place];
    struct group_spec *spec = &group->spec;
    struct replayed *member = &replay->members[place];
    /* The voter is nobody's choice for a group, so it is not among the protocols that are found by name. */
    bool client = strcmp(group->protocol, voter_protocol.name) == 0;
    spec->protocol = client ? &voter_protocol : protocol_find(group->protocol);
    spec->service = service_find(group->service);
    spec->served_by = group->served_by[0] != '\0' ? protocol_find(group->served_by) : NULL;
    bool server_lacks = group->served_by[0] != '\0' && spec->served_by == NULL;
    if (spec->protocol == NULL || spec->service == NULL || server_lacks) {
        snprintf(why, why_size, "group '%s' runs %s with the service %s, which this build does not have", group->name,
                 server_lacks ? group->served_by : group->protocol, group->service);
        return ERROR_NOT_FOUND;
    }
    size_t size = spec->protocol->heap_size(spec);
    void *region = heap_alloc(replay->heap, size);
    struct effects *effects = &member->effects;
    effects->capacity = spec->protocol->effects_max(spec);
    effects->list = heap_alloc(replay->heap, effects->capacity * sizeof *effects->list);
    effects->scratch_size = spec->protocol->scratch_max(spec);
    effects->scratch = heap_alloc(replay->heap, effects->scratch_size + HEAP_ALIGNMENT);
    if (region != NULL) member->heap = heap_init(region, size);
    if (member->heap != NULL && effects->list != NULL && effects->scratch != NULL)
        member->self = spec->protocol->create(member->heap, spec, replay->head.seed);
    if (member->self != NULL) return OK;
    snprintf(why, why_size, "there is no memory for the member of group '%s', which needs %zu MiB", group->name,
             size >> 20);
    return ERROR_NO_MEMORY;
}

int replay_open(struct replay **out, struct span bytes, struct heap *heap, char *why, size_t why_size)
{
    struct replay *replay = heap_alloc_zero(heap, sizeof *replay);
    if (replay == NULL) {
        snprintf(why, why_size, "there is no memory for a replay");
        return ERROR_NO_MEMORY;
    }
    replay->heap = heap;
    replay->bytes = bytes;
    int64_t head = recording_open(bytes, &replay->head, replay->groups, why, why_size);
    int error = head < 0 ? (int)head : OK;
    replay->at = head < 0 ? 0 : (size_t)head;
    for (uint32_t i = 0; error == OK && i < replay->head.group_count; i++) error = make_member(replay, i, why, why_size);
    if (error != OK) {
        replay_close(replay);
        return error;
    }
    *out = replay;
    return OK;
}

void replay_close(struct replay *replay)
{
    for (uint32_t i = 0; i < RECORDING_GROUPS_MAX; i++) {
        heap_free(replay->heap, replay->members[i].heap); /* lies at the start of its region */
        heap_free(replay->heap, replay->members[i].effects.list);
        heap_free(replay->heap, replay->members[i].effects.scratch);
    }
    heap_free(replay->heap, replay);
}

const struct recording_head *replay_head(const struct replay *replay) { return &replay->head; }

const struct group_spec *replay_group(const struct replay *replay, uint32_t place)
{
    return &replay->groups[place].spec;
}

static int place_of(const struct replay *replay, uint32_t group)
{
    for (uint32_t i = 0; i < replay->head.group_count; i++)
        if (replay->groups[i].spec.group == group) return (int)i;
    return -1;
}

/* Fills in the decoded body. False: the bytes do not fit the protocol's tables. */
static bool decode(struct replay *replay, const struct protocol *protocol, struct recording_step *step)
{
    struct event *event = &step->event;
    const struct message_table *table;
    uint16_t type;
    if (event->kind == EVENT_MESSAGE) {
        table = &protocol->messages;
        type = event->message.type;
        event->message.body = replay->decoded.bytes;
    } else if (event->kind == EVENT_RESTORE && event->restore.kind == RESTORE_RECORD) {
        table = &protocol->records;
        type = event->restore.type;
        event->restore.body = replay->decoded.bytes;
    } else {
        return true;
    }
    return type < table->count && table->types[type].name != NULL &&
           message_decode(&table->types[type], step->encoded, replay->decoded.bytes);
}

static uint64_t hash_effects(const struct effects *effects)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < effects->count; i++)
        hash = fold_effect(fold(hash, (uint64_t)effects->list[i].kind), &effects->list[i]);
    return hash;
}

enum recording_item replay_step(struct replay *replay, replay_before *before, void *context,
                                struct replay_moment *out)
{
    struct recording_step step;
    enum recording_item item = recording_next(replay->bytes, &replay->at, &step);
    if (item != RECORDING_STEP) return item;
    int place = place_of(replay, step.group);
    if (place < 0) return RECORDING_DAMAGED;
    const struct group_spec *spec = &replay->groups[place].spec;
    struct replayed *member = &replay->members[place];
    if (!decode(replay, spec->protocol, &step)) return RECORDING_DAMAGED;
    if (before != NULL) before(context, spec, member->self, &step.event);
    member->effects.count = 0;
    member->effects.scratch_used = 0;
    member->effects.next_position = step.next_position;
    spec->protocol->step(member->self, &step.event, &member->effects);
    *out = (struct replay_moment){
        .number = ++replay->steps,
        .spec = spec,
        .member = member->self,
        .event = step.event,
        .effects = &member->effects,
        .recorded_count = step.effect_count,
        .differs =
            member->effects.count != step.effect_count || hash_effects(&member->effects) != step.effect_hash,
    };
    return RECORDING_STEP;
}
