/* A small driver for tests of Paxos: members with encoded messages between them, a disk each whose completions the test
 * controls, timers, checkpoints and restarts. Test-only, and a header so that it never becomes part of the library.
 *
 * It checks on the way what no test should have to repeat: invariants after each step (check), that an index is
 * delivered with the same value everywhere (PAX-4, MPX-1), deliveries in order and in rising time (MPX-2), messages
 * that name entries only, and reads that see all that anybody had delivered when they came (MPX-4). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_DRIVER_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_PAXOS_DRIVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "contract/command.h"
#include "contract/spec.h"
#include "protocol/consensus/paxos_internal.h"

enum { DRIVER_MEMBERS_MAX = 7, DRIVER_INDEX_MAX = 1 << 16, DRIVER_READS_MAX = 4096 };

struct driver_record {
    uint16_t type;
    uint32_t size;
    uint8_t *bytes;
    bool lost; /* damaged: a replay meets a gap here */
};

struct driver_message {
    uint32_t from, to;
    uint64_t incarnation, to_incarnation, after;
    uint16_t type;
    uint32_t size;
    uint8_t *bytes;
};

struct driver_queue {
    struct driver_message *list;
    uint32_t count, capacity;
};

struct driver_checkpoint {
    uint64_t index, keep_from, digest;
    int64_t time_ns;
    uint8_t part[MESSAGE_HEAD_SIZE_MAX];
    size_t part_size;
};

struct driver_member {
    struct group_spec spec;
    void *region;
    void *self; /* NULL: down */
    struct effects effects;
    uint64_t incarnation;
    bool in_turn, again;

    struct driver_record *records; /* records[position - 1] */
    uint64_t count, capacity, durable, told; /* positions: stored, on disk, told to the member */
    bool auto_store, full;
    bool forgot;          /* it started with an empty disk, and what it promised before is lost */
    struct driver_queue held; /* messages that wait for the disk */

    struct driver_checkpoint disk, pending;
    bool has_disk, has_pending, adopting;
    uint64_t adopt_index, adopt_keep; /* records from adopt_keep on stay with the adopted checkpoint */
    uint32_t adopt_holder;

    int64_t timers[4];
    uint64_t applied, state; /* the service: a digest of all that was delivered */
    int64_t time_ns;
    uint64_t next_number, next_read;
    uint64_t read_bound[DRIVER_READS_MAX]; /* what a read must see */

    /* what was seen */
    uint32_t orderer, views, reads_done, reads_again, again_count, refused_count, counted, sends, suspicions;
    char refusal[128];
};

struct driver {
    uint32_t count;
    uint32_t nodes[DRIVER_MEMBERS_MAX];
    struct driver_member members[DRIVER_MEMBERS_MAX];
    struct driver_queue network;
    bool cut[DRIVER_MEMBERS_MAX][DRIVER_MEMBERS_MAX];
    int64_t now_ns, wall_ns;
    struct random random;
    struct tuning tuning;
    uint32_t ablations;
    uint64_t *chosen;       /* by index: digest of the entry that was delivered first */
    uint64_t delivered;     /* highest index delivered anywhere */
    bool violated;          /* RAFT-1, 5 or 8 did not hold: noted instead of failing when ablated */
    const char *broken;     /* what check() said, when ablated */
    bool trace;             /* print what happens */
};

static inline struct tuning driver_tuning(void)
{
    struct tuning tuning;
    spec_defaults(&tuning);
    tuning.heartbeat_ns = 20 * NS_PER_MS;
    tuning.election_timeout_ns = 100 * NS_PER_MS;
    tuning.log_entries_max = 1024;
    return tuning;
}

static inline uint32_t driver_place(uint32_t node)
{
    return node - 1;
}

/* Ablated runs are meant to break; others fail the test at once. */
static inline void driver_violation(struct driver *driver, const char *what)
{
    if (driver->ablations == 0)
        fail_msg("%s", what);
    driver->violated = true;
}

static inline void driver_trace(struct driver *driver, uint32_t place, const struct event *event)
{
    char text[256] = "";
    if (!driver->trace || event->kind == EVENT_TURN)
        return;
    const struct paxos *paxos = driver->members[place].self;
    if (event->kind == EVENT_MESSAGE)
        message_print(&paxos_messages.types[event->message.type], event->message.body, text, sizeof text);
    else if (event->kind == EVENT_STORED)
        snprintf(text, sizeof text, "%llu", (unsigned long long)event->stored.position);
    else if (event->kind == EVENT_RESTORE && event->restore.kind == RESTORE_RECORD)
        message_print(&paxos_records.types[event->restore.type], event->restore.body, text, sizeof text);
    printf("%lld.%06lld node %u %s from %u %s | %s promised %llu.%u commit %llu applied %llu top %llu%s\n",
           (long long)(driver->now_ns / NS_PER_MS), (long long)(driver->now_ns % NS_PER_MS), place + 1,
           event_kind_name(event->kind), event->kind == EVENT_MESSAGE ? event->message.from.node : 0, text,
           paxos_role_name(paxos->role), (unsigned long long)paxos->promised.round,
           paxos->promised.node, (unsigned long long)paxos->commit,
           (unsigned long long)paxos->applied, (unsigned long long)paxos_top_slot(paxos),
           paxos->recovering ? " recovering" : "");
}

static inline void driver_push(struct driver_queue *queue, struct driver_message message)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity * 2 + 16;
        queue->list = realloc(queue->list, queue->capacity * sizeof *queue->list);
        assert_non_null(queue->list);
    }
    queue->list[queue->count++] = message;
}

static inline struct driver_message driver_take(struct driver_queue *queue, uint32_t at)
{
    struct driver_message message = queue->list[at];
    memmove(queue->list + at, queue->list + at + 1, (queue->count - at - 1) * sizeof *queue->list);
    queue->count--;
    return message;
}

static inline void driver_clear(struct driver_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        free(queue->list[i].bytes);
    queue->count = 0;
}

static inline void driver_create(struct driver *driver, uint32_t count, uint64_t seed, uint32_t ablations)
{
    memset(driver, 0, sizeof *driver);
    driver->count = count;
    driver->now_ns = NS_PER_S;
    driver->wall_ns = 1000 * NS_PER_S;
    driver->tuning = driver_tuning();
    driver->ablations = ablations;
    random_seed(&driver->random, seed);
    driver->chosen = calloc(DRIVER_INDEX_MAX, sizeof *driver->chosen);
    for (uint32_t i = 0; i < count; i++) {
        driver->nodes[i] = i + 1;
        driver->members[i].auto_store = true;
        driver->members[i].next_number = driver->members[i].next_read = 1;
    }
}

static inline void driver_free_records(struct driver_member *member, uint64_t keep)
{
    while (member->count > keep)
        free(member->records[--member->count].bytes);
}

static inline void driver_destroy(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        struct driver_member *member = &driver->members[i];
        driver_free_records(member, 0);
        driver_clear(&member->held);
        free(member->held.list);
        free(member->records);
        free(member->region);
        free(member->effects.list);
        free(member->effects.scratch);
    }
    driver_clear(&driver->network);
    free(driver->network.list);
    free(driver->chosen);
}

static inline void driver_step(struct driver *driver, uint32_t place, struct event event);

static inline void driver_store(struct driver_member *member, const struct effect_store *store)
{
    assert_int_equal(store->position, member->count + 1);
    if (member->count == member->capacity) {
        member->capacity = member->capacity * 2 + 64;
        member->records = realloc(member->records, member->capacity * sizeof *member->records);
        assert_non_null(member->records);
    }
    struct driver_record *record = &member->records[member->count++];
    record->lost = false;
    record->type = store->type;
    record->size = (uint32_t)(store->head.size + store->tail.size);
    record->bytes = malloc(record->size + 1);
    memcpy(record->bytes, store->head.data, store->head.size);
    if (store->tail.size > 0)
        memcpy(record->bytes + store->head.size, store->tail.data, store->tail.size);
}

static inline void driver_send(struct driver *driver, uint32_t place, const struct effect_send *send)
{
    struct driver_member *member = &driver->members[place];
    size_t size = send->head.size + send->tail.size;
    for (uint64_t at = send->records_first; at != 0 && at <= send->records_last; at++) {
        assert_true(at <= member->count && (!member->has_disk || at >= member->disk.keep_from));
        assert_true(!member->has_pending || at >= member->pending.keep_from); /* it may go at any moment */
        assert_int_equal(member->records[at - 1].type, PAXOS_ENTRY);
        size += RECORD_PREFIX_SIZE + member->records[at - 1].size;
    }
    for (uint32_t i = 0; i < send->to_count; i++) {
        uint8_t *bytes = malloc(size + 1), *to = bytes;
        memcpy(to, send->head.data, send->head.size);
        to += send->head.size;
        if (send->tail.size > 0)
            memcpy(to, send->tail.data, send->tail.size);
        to += send->tail.size;
        for (uint64_t at = send->records_first; at != 0 && at <= send->records_last; at++) {
            const struct driver_record *record = &member->records[at - 1];
            record_prefix_write(to, record->size, record->type, PAXOS_SLOT);
            memcpy(to + RECORD_PREFIX_SIZE, record->bytes, record->size);
            to += RECORD_PREFIX_SIZE + record->size;
        }
        struct driver_message message = {.from = place + 1,
                                         .to = send->to[i],
                                         .incarnation = member->incarnation,
                                         .to_incarnation = send->to_incarnation,
                                         .after = send->after,
                                         .type = send->type,
                                         .size = (uint32_t)size,
                                         .bytes = bytes};
        member->sends++;
        driver_push(send->after > member->durable ? &member->held : &driver->network, message);
    }
}

static inline void driver_deliver(struct driver *driver, uint32_t place, const struct effect_deliver *deliver)
{
    struct driver_member *member = &driver->members[place];
    assert_false(member->adopting);
    assert_true(deliver->time_ns >= member->time_ns);
    if (deliver->kind == DELIVER_READ) {
        assert_int_equal(deliver->index, member->applied);
        for (uint32_t i = 0; i < deliver->count; i++)
            if (member->read_bound[(deliver->first_number + i) % DRIVER_READS_MAX] > member->applied)
                driver_violation(driver, "MPX-4 a stale read");
        member->reads_done += deliver->count;
        return;
    }
    assert_int_equal(deliver->index, member->applied + 1);
    assert_true(deliver->record > 0 && deliver->record <= member->count);
    const struct driver_record *record = &member->records[deliver->record - 1];
    struct paxos_entry entry;
    assert_true(message_decode(&paxos_records.types[PAXOS_ENTRY], span_of(record->bytes, record->size), &entry));
    assert_int_equal(entry.count, deliver->count);
    const uint64_t key[2] = {1, 2};
    uint64_t value = hash_keyed(key, entry.bundle.data, entry.bundle.size);
    uint64_t digest = hash_mix(hash_mix(value, entry.slot), (uint64_t)deliver->time_ns ^ entry.count) | 1;
    assert_true(deliver->index < DRIVER_INDEX_MAX);
    if (driver->chosen[deliver->index] == 0)
        driver->chosen[deliver->index] = digest;
    else if (driver->chosen[deliver->index] != digest)
        driver_violation(driver, "PAX-4 two values delivered at one index");
    member->applied += entry.count;
    member->state = hash_mix(member->state, digest);
    member->time_ns = deliver->time_ns;
    if (driver->delivered < member->applied)
        driver->delivered = member->applied;
}

static inline void driver_reply(struct driver_member *member, const struct effect_reply *reply)
{
    switch (reply->kind) {
    case REPLY_ANSWER:
        fail();
        return;
    case REPLY_REFUSED:
        member->refused_count += reply->count;
        snprintf(member->refusal, sizeof member->refusal, "%.*s", (int)reply->bytes.size,
                 (const char *)reply->bytes.data);
        return;
    case REPLY_AGAIN:
        member->again_count += reply->count;
        if (reply->read)
            member->reads_again += reply->count;
        return;
    case REPLY_COUNT:
        member->counted = reply->count_stored;
        return;
    }
}

static inline void driver_view(struct driver *driver, uint32_t place, const struct effect_view *view)
{
    struct driver_member *member = &driver->members[place];
    member->orderer = view->orderer;
    member->views++;
}

static inline void driver_interpret(struct driver *driver, uint32_t place)
{
    struct driver_member *member = &driver->members[place];
    for (uint32_t i = 0; i < member->effects.count; i++) {
        const struct effect *effect = &member->effects.list[i];
        switch (effect->kind) {
        case EFFECT_STORE:
            driver_store(member, &effect->store);
            break;
        case EFFECT_SEND:
            driver_send(driver, place, &effect->send);
            break;
        case EFFECT_ARM:
            member->timers[effect->arm.name] = effect->arm.at_ns;
            break;
        case EFFECT_CHECKPOINT: {
            struct driver_checkpoint *pending = &member->pending;
            assert_false(member->has_pending);
            *pending = (struct driver_checkpoint){member->applied, effect->checkpoint.keep_from, member->state,
                                                  member->time_ns, {0}, effect->checkpoint.part.size};
            memcpy(pending->part, effect->checkpoint.part.data, pending->part_size);
            member->has_pending = true;
            break;
        }
        case EFFECT_ADOPT:
            assert_false(member->adopting);
            member->adopting = true;
            member->adopt_index = effect->adopt.index;
            member->adopt_keep = member->count; /* the record right before the effect */
            member->adopt_holder = effect->adopt.holders[0];
            break;
        case EFFECT_DELIVER:
            driver_deliver(driver, place, &effect->deliver);
            break;
        case EFFECT_REPLY:
            driver_reply(member, &effect->reply);
            break;
        case EFFECT_SUSPECT:
            member->suspicions = effect->suspect.level;
            break;
        case EFFECT_VIEW:
            driver_view(driver, place, &effect->view);
            break;
        case EFFECT_NOTE:
            if (driver->trace)
                printf("  node %u: %s %llu\n", place + 1, effect->note.text, (unsigned long long)effect->note.value);
            break;
        case EFFECT_AGAIN:
            member->again = true;
            break;
        }
    }
}

static inline void driver_step_once(struct driver *driver, uint32_t place, struct event *event)
{
    struct driver_member *member = &driver->members[place];
    event->now_ns = driver->now_ns;
    event->wall_ns = driver->wall_ns;
    member->effects.count = 0;
    member->effects.scratch_used = 0;
    member->effects.next_position = member->count + 1;
    paxos_protocol.step(member->self, event, &member->effects);
    const char *broken = paxos_protocol.check(member->self);
    if (broken != NULL && driver->ablations == 0)
        fail_msg("member %u: %s", place + 1, broken);
    if (broken != NULL)
        driver->broken = broken;
    driver_trace(driver, place, event);
    driver_interpret(driver, place);
}

/* One event and its TURN, with as many more as the member asks for. */
static inline void driver_step(struct driver *driver, uint32_t place, struct event event)
{
    struct driver_member *member = &driver->members[place];
    if (member->self == NULL)
        return;
    driver_step_once(driver, place, &event);
    do {
        member->again = false;
        driver_step_once(driver, place, &(struct event){.kind = EVENT_TURN});
    } while (member->again);
}

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
        assert_true(message_decode(&paxos_records.types[record->type], span_of(record->bytes, record->size), &body));
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
    member->spec = (struct group_spec){
        .group = 1, .name = "test", .self = place + 1, .members = driver->nodes, .member_count = driver->count,
        .k = (driver->count - 1) / 2, .protocol = &paxos_protocol, .tuning = driver->tuning,
        .ablations = driver->ablations};
    size_t size = paxos_protocol.heap_size(&member->spec);
    free(member->region);
    member->region = aligned_alloc(HEAP_ALIGNMENT, (size + HEAP_ALIGNMENT - 1) / HEAP_ALIGNMENT * HEAP_ALIGNMENT);
    struct heap *heap = heap_init(member->region, size);
    assert_non_null(heap);
    free(member->effects.list);
    free(member->effects.scratch);
    member->effects = (struct effects){.capacity = paxos_protocol.effects_max(&member->spec),
                                       .scratch_size = paxos_protocol.scratch_max(&member->spec)};
    member->effects.list = malloc(member->effects.capacity * sizeof(struct effect));
    member->effects.scratch = malloc(member->effects.scratch_size);
    member->self = paxos_protocol.create(heap, &member->spec, random_u64(&driver->random));
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
        assert_true(
            message_decode(&paxos_messages.types[message.type], span_of(message.bytes, message.size), &body));
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
            return message_decode(&paxos_messages.types[type], span_of(message->bytes, message->size), body);
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
    struct paxos *paxos = driver->members[place].self;
    paxos->deadline_ns = driver->now_ns;
    paxos->leader = 0;
    driver->members[place].timers[PAXOS_TIMER_ELECTION] = EFFECT_DISARM;
    driver_step(driver, place, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = PAXOS_TIMER_ELECTION}});
}

/* Lets every member forget that it heard a leader. */
static inline void driver_forget_leader(struct driver *driver)
{
    for (uint32_t i = 0; i < driver->count; i++) {
        struct paxos *paxos = driver->members[i].self;
        if (paxos != NULL && paxos->role != PAXOS_LEADER)
            paxos->leader = 0;
    }
}

static inline struct paxos *driver_paxos(struct driver *driver, uint32_t place)
{
    return driver->members[place].self;
}

/* Cuts a member off from all others, or joins it again. */
static inline void driver_isolate(struct driver *driver, uint32_t place, bool cut)
{
    for (uint32_t i = 0; i < driver->count; i++)
        driver->cut[place][i] = driver->cut[i][place] = cut && i != place;
}

/* This member is elected, whatever it takes but promises. */
static inline void driver_elect(struct driver *driver, uint32_t place)
{
    driver_forget_leader(driver);
    driver_campaign(driver, place);
    driver_pump(driver);
    assert_int_equal(driver_paxos(driver, place)->role, PAXOS_LEADER);
}

/* Place of the member that leads the highest round and is up, or -1. */
static inline int driver_leader(struct driver *driver)
{
    int found = -1;
    for (uint32_t i = 0; i < driver->count; i++) {
        struct paxos *paxos = driver->members[i].self;
        if (paxos == NULL || paxos->role != PAXOS_LEADER)
            continue;
        if (found < 0 || paxos->promised.round > driver_paxos(driver, (uint32_t)found)->promised.round)
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

/* A client of this member sends `count` (at most 8) updates. */
static inline void driver_update(struct driver *driver, uint32_t place, uint32_t count)
{
    struct driver_member *member = &driver->members[place];
    uint8_t bytes[BUNDLE_HEADER_SIZE + 8 * COMMAND_HEADER_SIZE];
    size_t size = driver_bundle(bytes, place + 1, member->incarnation, member->next_number, count);
    driver_step(driver, place, (struct event){.kind = EVENT_REQUEST,
                                              .request = {.kind = REQUEST_UPDATE,
                                                          .incarnation = member->incarnation,
                                                          .first_number = member->next_number,
                                                          .count = count,
                                                          .bytes = span_of(bytes, size)}});
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
