/* A small driver for tests of replication protocols: members with encoded messages between them, a disk each whose
 * completions the test controls, timers, checkpoints and restarts. Test-only, and headers so that it never becomes part
 * of the library. What it checks on the way is said in replica_members.h. */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_DRIVER_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_DRIVER_H

#include "protocol/consensus/replica_members.h"

/* The disk has finished everything up to `position`. */
static inline void driver_stored(struct driver *driver, uint32_t place, uint64_t position)
{
    struct driver_member *member = &driver->members[place];
    if (position > member->count)
        position = member->count;
    if (member->self == NULL || position <= member->told)
        return;
    if (position > member->durable)
        member->durable = position;
    member->told = member->durable;
    for (uint32_t i = 0; i < member->held.count;) {
        if (member->held.list[i].after > member->durable)
            i++;
        else
            driver_push(&driver->network, driver_take(&member->held, i));
    }
    driver_step(driver, place,
                (struct event){.kind = EVENT_STORED,
                               .stored = {.position = member->durable, .room_bytes = member->full ? 0 : 1 << 30}});
}

static inline void driver_restore(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    uint64_t from = 1;
    if (member->has_disk) {
        const struct driver_checkpoint *disk = &member->disk;
        from = disk->keep_from;
        member->applied = disk->index;
        member->state = disk->digest;
        member->time_ns = disk->time_ns;
        driver_step_once(driver, place,
                         &(struct event){.kind = EVENT_RESTORE,
                                         .restore = {.kind = RESTORE_PART,
                                                     .position = from,
                                                     .index = disk->index,
                                                     .part = span_of(disk->part, disk->part_size)}});
    }
    for (uint64_t at = from; at <= member->count; at++) {
        const struct driver_record *record = &member->records[at - 1];
        if (record->lost) {
            driver_step_once(driver, place, &(struct event){.kind = EVENT_RESTORE,
                                                            .restore = {.kind = RESTORE_GAP, .position = at}});
            continue;
        }
        union {
            uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
            uint64_t align;
        } body;
        assert_true(message_decode(&driver->subject->protocol->records.types[record->type],
                                   span_of(record->bytes, record->size), &body));
        driver_step_once(driver, place,
                         &(struct event){.kind = EVENT_RESTORE,
                                         .restore = {.kind = RESTORE_RECORD,
                                                     .type = record->type,
                                                     .position = at,
                                                     .body = &body,
                                                     .record_size = record->size}});
    }
}

/* Starts a member on what its disk holds. */
static inline void driver_start(struct driver *driver, uint32_t place, enum start_kind kind)
{
    struct driver_member *member = &driver->members[place];
    assert_null(member->self);
    if (member->forgot && member->durable == 0)
        kind = START_AMNESIAC; /* node/ tells it again until the member has stored something */
    const struct protocol *protocol = driver->subject->protocol;
    member->spec = (struct group_spec){
        .group = 1, .name = "test", .self = place + 1, .members = driver->nodes, .member_count = driver->count,
        .k = (driver->count - 1) / 2, .protocol = protocol, .tuning = driver->tuning,
        .ablations = driver->ablations};
    size_t size = protocol->heap_size(&member->spec);
    free(member->region);
    member->region = aligned_alloc(HEAP_ALIGNMENT, (size + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT);
    struct heap *heap = heap_init(member->region, size);
    assert_non_null(heap);
    free(member->effects.list);
    free(member->effects.scratch);
    member->effects = (struct effects){.capacity = protocol->effects_max(&member->spec),
                                       .scratch_size = protocol->scratch_max(&member->spec)};
    member->effects.list = malloc(member->effects.capacity * sizeof(struct effect));
    member->effects.scratch = malloc(member->effects.scratch_size);
    member->self = protocol->create(heap, &member->spec, random_u64(&driver->random));
    member->incarnation++;
    member->next_number = member->next_read = 1;
    member->applied = member->state = 0;
    member->time_ns = 0;
    member->orderer = 0;
    for (uint32_t i = 0; i < 4; i++)
        member->timers[i] = EFFECT_DISARM;
    member->durable = member->told = member->count;
    member->forgot |= kind == START_AMNESIAC;
    driver_restore(driver, place);
    driver_step(driver, place,
                (struct event){.kind = EVENT_START,
                               .start = {.kind = kind, .incarnation = member->incarnation, .position = member->count}});
}

/* Damages the records from `first` to `last` of a member that is down. */
static inline void driver_damage(struct driver *driver, uint32_t place, uint64_t first, uint64_t last)
{
    for (uint64_t at = first; at <= last; at++)
        driver->members[place].records[at - 1].lost = true;
}

/* The process dies; of the writes that were out a prefix up to `keep` survives (at least what was durable). */
static inline void driver_crash_keep(struct driver *driver, uint32_t place, uint64_t keep)
{
    struct driver_member *member = &driver->members[place];
    member->self = NULL;
    member->has_pending = member->adopting = false;
    driver_clear(&member->held);
    driver_free_records(member, keep < member->durable ? member->durable : keep);
}

static inline void driver_crash(struct driver *driver, uint32_t place)
{
    driver_crash_keep(driver, place, 0);
}

/* The disk is lost as well. */
static inline void driver_wipe(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    driver_crash(driver, place);
    driver_free_records(member, 0);
    member->durable = 0;
    member->has_disk = false;
}

/* The checkpoint that is being written is done, or the one to adopt has come. */
static inline void driver_state(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    if (member->self == NULL)
        return;
    if (member->has_pending) {
        member->has_pending = false;
        member->disk = member->pending;
        member->has_disk = true;
        driver_step(driver, place, (struct event){.kind = EVENT_STATE,
                                                  .state = {.kind = STATE_DURABLE,
                                                            .index = member->disk.index,
                                                            .position = member->disk.keep_from,
                                                            .digest = member->disk.digest}});
    } else if (member->adopting) {
        const struct driver_member *holder = &driver->members[driver_place(member->adopt_holder)];
        if (member->durable < member->adopt_keep)
            return; /* not sealed before that is on disk */
        member->adopting = false;
        struct event event = {.kind = EVENT_STATE, .state = {.kind = STATE_FAILED}};
        if (holder->self != NULL && holder->has_disk && holder->disk.index == member->adopt_index &&
            !driver->cut[driver_place(member->adopt_holder)][place]) {
            member->disk = holder->disk;
            member->disk.keep_from = member->adopt_keep;
            member->has_disk = true;
            member->applied = holder->disk.index;
            member->state = holder->disk.digest;
            member->time_ns = holder->disk.time_ns;
            event.state = (struct event_state){.kind = STATE_ADOPTED,
                                               .index = holder->disk.index,
                                               .position = member->disk.keep_from,
                                               .digest = holder->disk.digest,
                                               .part = span_of(member->disk.part, member->disk.part_size)};
        }
        driver_step(driver, place, event);
    }
}

/* Hands one message over, or loses it where the receiver is down, cut off or another incarnation. Frees it. */
static inline void driver_receive(struct driver *driver, struct driver_message message)
{
    uint32_t from = driver_place(message.from), to = driver_place(message.to);
    struct driver_member *member = &driver->members[to];
    bool meant = message.to_incarnation == 0 || message.to_incarnation == member->incarnation;
    if (member->self != NULL && !driver->cut[from][to] && meant) {
        union {
            uint8_t bytes[MESSAGE_STRUCT_SIZE_MAX];
            uint64_t align;
        } body;
        assert_true(message_decode(&driver->subject->protocol->messages.types[message.type],
                                   span_of(message.bytes, message.size), &body));
        driver_step(driver, to, (struct event){.kind = EVENT_MESSAGE,
                                               .message = {.from = {message.from, 1},
                                                           .incarnation = message.incarnation,
                                                           .type = message.type,
                                                           .body = &body}});
    }
    free(message.bytes);
}

/* A message made by hand, from a member of this incarnation. */
static inline void driver_inject(struct driver *driver, uint32_t from, uint32_t to, uint64_t incarnation,
                                 uint16_t type, const void *body)
{
    driver_step(driver, to, (struct event){.kind = EVENT_MESSAGE,
                                           .message = {.from = {from + 1, 1},
                                                       .incarnation = incarnation,
                                                       .type = type,
                                                       .body = body}});
}

/* The latest message of this type that waits in the network for this member (0 to count - 1), decoded into `body`
 * (which borrows its bulk); false when there is none. */
static inline bool driver_find(struct driver *driver, uint32_t to, uint16_t type, void *body)
{
    for (uint32_t i = driver->network.count; i-- > 0;) {
        const struct driver_message *message = &driver->network.list[i];
        if (message->to == to + 1 && message->type == type)
            return message_decode(&driver->subject->protocol->messages.types[type],
                                  span_of(message->bytes, message->size), body);
    }
    return false;
}

/* How many messages of this type wait in the network for this member. */
static inline uint32_t driver_waiting(const struct driver *driver, uint32_t to, uint16_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < driver->network.count; i++)
        count += driver->network.list[i].to == to + 1 && driver->network.list[i].type == type;
    return count;
}

/* Hands over what is in the network now, and loses nothing; what that causes stays in the network. */
static inline void driver_hop(struct driver *driver)
{
    for (uint32_t left = driver->network.count; left > 0; left--)
        driver_receive(driver, driver_take(&driver->network, 0));
}

/* Completes all writes and checkpoints of members whose disk is automatic, and all messages, until nothing is left. */
static inline void driver_pump(struct driver *driver)
{
    for (bool busy = true; busy;) {
        busy = driver->network.count > 0;
        if (busy)
            driver_receive(driver, driver_take(&driver->network, 0));
        for (uint32_t i = 0; i < driver->count; i++) {
            struct driver_member *member = &driver->members[i];
            if (!member->auto_store || member->self == NULL)
                continue;
            busy |= member->told < member->count || member->has_pending || member->adopting;
            driver_stored(driver, i, member->count);
            driver_state(driver, i);
        }
    }
}

/* Fires the timers of a member that are due. */
static inline void driver_fire(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    for (uint16_t name = 1; name < 4; name++) {
        if (member->self == NULL || member->timers[name] > driver->now_ns)
            continue;
        member->timers[name] = EFFECT_DISARM;
        driver_step(driver, place, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = name}});
    }
}

/* Lets time pass by milliseconds, everything working at once. */
static inline void driver_run(struct driver *driver, int64_t ms)
{
    for (int64_t i = 0; i < ms; i++) {
        driver->now_ns += NS_PER_MS;
        driver->wall_ns += NS_PER_MS;
        for (uint32_t place = 0; place < driver->count; place++) {
            driver_fire(driver, place);
            driver_pump(driver);
        }
    }
}

/* Makes this member campaign now: its election timer fires, whatever it hears. */
static inline void driver_campaign(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    uint16_t timer = driver->subject->election_timer;
    *driver->subject->deadline_ns(member->self) = driver->now_ns;
    driver->subject->forget_leader(member->self);
    member->timers[timer] = EFFECT_DISARM;
    driver_step(driver, place, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = timer}});
}

/* Lets every member forget that it heard a leader. */
static inline void driver_forget_leader(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        void *self = driver->members[i].self;
        if (self != NULL && !driver->subject->leads(self))
            driver->subject->forget_leader(self);
    }
}

/* Cuts a member off from all others, or joins it again. */
static inline void driver_isolate(struct driver *driver, uint32_t place, bool cut)
{
    for (uint32_t i = 0; i < driver->count; i++)
        driver->cut[place][i] = driver->cut[i][place] = cut && i != place;
}

/* This member is elected, whatever it takes but the votes of others. */
static inline void driver_elect(struct driver *driver, uint32_t place)
{
    driver_forget_leader(driver);
    driver_campaign(driver, place);
    driver_pump(driver);
    assert_true(driver->subject->leads(driver->members[place].self));
}

/* Place of the member that leads the highest term or round and is up, or -1. */
static inline int driver_leader(struct driver *driver)
{
    int found = -1;
    for (uint32_t i = 0; i < driver->count; i++) {
        const void *self = driver->members[i].self;
        if (self == NULL || !driver->subject->leads(self))
            continue;
        if (found < 0 || driver->subject->rank(self) > driver->subject->rank(driver->members[found].self))
            found = (int)i;
    }
    return found;
}

static inline void driver_peer(struct driver *driver, uint32_t place, uint32_t other, enum peer_state state)
{
    driver_step(driver, place, (struct event){.kind = EVENT_PEER, .peer = {other + 1, state}});
}

static inline size_t driver_bundle(uint8_t *bytes, uint32_t node, uint64_t incarnation, uint64_t number,
                                   uint32_t count)
{
    const struct bundle header = {.node = node, .count = count, .incarnation = incarnation, .first_number = number,
                                  .level = COMMAND_LEVEL};
    bundle_header_write(bytes, &header);
    for (uint32_t i = 0; i < count; i++)
        memset(bytes + BUNDLE_HEADER_SIZE + i * COMMAND_HEADER_SIZE, 0, COMMAND_HEADER_SIZE);
    return BUNDLE_HEADER_SIZE + count * COMMAND_HEADER_SIZE;
}

/* `count` (at most 8) updates of a session of `node`, handed in at this member. */
static inline void driver_update_of(struct driver *driver, uint32_t place, uint32_t node, uint64_t incarnation,
                                    uint64_t first_number, uint32_t count)
{
    uint8_t bytes[BUNDLE_HEADER_SIZE + 8 * COMMAND_HEADER_SIZE];
    size_t size = driver_bundle(bytes, node, incarnation, first_number, count);
    driver_step(driver, place, (struct event){.kind = EVENT_REQUEST,
                                              .request = {.kind = REQUEST_UPDATE,
                                                          .origin = node == place + 1 ? 0 : node,
                                                          .incarnation = incarnation,
                                                          .first_number = first_number,
                                                          .count = count,
                                                          .bytes = span_of(bytes, size)}});
}

/* A client of this member sends `count` (at most 8) updates. */
static inline void driver_update(struct driver *driver, uint32_t place, uint32_t count)
{
    struct driver_member *member = &driver->members[place];
    driver_update_of(driver, place, place + 1, member->incarnation, member->next_number, count);
    member->next_number += count;
}

static inline void driver_read(struct driver *driver, uint32_t place, uint32_t count)
{
    struct driver_member *member = &driver->members[place];
    for (uint32_t i = 0; i < count; i++)
        member->read_bound[(member->next_read + i) % DRIVER_READS_MAX] = driver->delivered;
    uint64_t first = member->next_read;
    member->next_read += count;
    driver_step(driver, place, (struct event){.kind = EVENT_REQUEST,
                                              .request = {.kind = REQUEST_READ,
                                                          .incarnation = member->incarnation,
                                                          .first_number = first,
                                                          .count = count}});
}

/* All start, and this one is elected. */
static inline void driver_begin_with(struct driver *driver, uint32_t leader)
{
    for (uint32_t i = 0; i < driver->count; i++)
        driver_start(driver, i, START_FIRST);
    driver_elect(driver, leader);
}

/* All start; with time a leader is elected. Returns its place. */
static inline uint32_t driver_begin(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->count; i++)
        driver_start(driver, i, START_FIRST);
    driver_run(driver, 1000);
    int leader = driver_leader(driver);
    assert_true(leader >= 0);
    return (uint32_t)leader;
}

#endif
