/* Members of a replication protocol in a unit test, and what becomes of their effects: the lower half of the driver
 * that tests of Raft and of Paxos share (replica_driver.h has the upper one). What differs comes as a struct
 * driver_subject. Test-only.
 *
 * It checks on the way what no test should have to repeat: invariants after each step (check), that an index is
 * delivered with the same content everywhere (RAFT-5; PAX-4, MPX-1), one leader a term (RAFT-1), deliveries in order
 * and in rising time (MPX-2), messages that name entries only, and reads that see all that anybody had delivered when
 * they came (RAFT-8, MPX-4). */
#ifndef LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_MEMBERS_H
#define LOCKSTEP_PROTOCOL_CONSENSUS_REPLICA_MEMBERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "base/time.h"
#include "contract/command.h"
#include "contract/protocol.h"
#include "contract/spec.h"

enum { DRIVER_MEMBERS_MAX = 7, DRIVER_INDEX_MAX = 1 << 16, DRIVER_VIEWS_MAX = 1 << 14, DRIVER_READS_MAX = 4096 };

/* What is particular to one protocol: raft_driver.h, paxos_driver.h. */
struct driver_subject {
    const struct protocol *protocol;
    uint8_t slot;
    uint16_t entry; /* type of the records that are delivered and sent along */
    uint16_t election_timer;
    const char *stale_read, *two_at_index; /* tag of the rule, and what happened against it */
    const char *two_orderers;              /* the same; NULL: views of one number may have two */
    /* Checks a record against its delivery; a digest of what must be the same at this index everywhere. */
    uint64_t (*digest)(struct span record, const struct effect_deliver *deliver);
    void (*describe)(const void *self, char *text, size_t size); /* its state, for the trace */
    bool (*leads)(const void *self);
    uint64_t (*rank)(const void *self);  /* of two that lead the later one has the higher */
    void (*forget_leader)(void *self);   /* as if it had heard none */
    int64_t *(*deadline_ns)(void *self); /* when it campaigns */
    bool (*recovering)(const void *self);
    bool (*unstored)(const void *self);  /* what it promised is not on its disk yet */
    uint32_t (*reads)(const void *self); /* how many wait in it: for a round, or to be delivered */
};

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
    const struct driver_subject *subject;
    uint64_t *chosen;       /* by index: digest of the entry that was delivered first */
    uint32_t *orderers;     /* by number of the view: node that ordered, where only one may */
    uint64_t delivered;     /* highest index delivered anywhere */
    bool violated;          /* a rule did not hold: noted instead of failing when ablated */
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
    const struct driver_subject *subject = driver->subject;
    char state[192];
    subject->describe(driver->members[place].self, state, sizeof state);
    if (event->kind == EVENT_MESSAGE)
        message_print(&subject->protocol->messages.types[event->message.type], event->message.body, text, sizeof text);
    else if (event->kind == EVENT_STORED)
        snprintf(text, sizeof text, "%llu", (unsigned long long)event->stored.position);
    else if (event->kind == EVENT_RESTORE && event->restore.kind == RESTORE_RECORD)
        message_print(&subject->protocol->records.types[event->restore.type], event->restore.body, text, sizeof text);
    printf("%lld.%06lld node %u %s from %u %s | %s\n", (long long)(driver->now_ns / NS_PER_MS),
           (long long)(driver->now_ns % NS_PER_MS), place + 1, event_kind_name(event->kind),
           event->kind == EVENT_MESSAGE ? event->message.from.node : 0, text, state);
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

/* A group of `count` members of this protocol, all down, with empty disks. Ends with driver_destroy. */
static inline void driver_create_of(struct driver *driver, const struct driver_subject *subject, uint32_t count,
                                    uint64_t seed, uint32_t ablations)
{
    memset(driver, 0, sizeof *driver);
    driver->subject = subject;
    driver->count = count;
    driver->now_ns = NS_PER_S;
    driver->wall_ns = 1000 * NS_PER_S;
    driver->tuning = driver_tuning();
    driver->ablations = ablations;
    random_seed(&driver->random, seed);
    driver->chosen = calloc(DRIVER_INDEX_MAX, sizeof *driver->chosen);
    driver->orderers = calloc(DRIVER_VIEWS_MAX, sizeof *driver->orderers);
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
    free(driver->orderers);
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
        assert_int_equal(member->records[at - 1].type, driver->subject->entry);
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
            record_prefix_write(to, record->size, record->type, driver->subject->slot);
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
                driver_violation(driver, driver->subject->stale_read);
        member->reads_done += deliver->count;
        return;
    }
    assert_int_equal(deliver->index, member->applied + 1);
    assert_true(deliver->record > 0 && deliver->record <= member->count);
    const struct driver_record *record = &member->records[deliver->record - 1];
    uint64_t digest = driver->subject->digest(span_of(record->bytes, record->size), deliver) | 1;
    assert_true(deliver->index < DRIVER_INDEX_MAX);
    if (driver->chosen[deliver->index] == 0)
        driver->chosen[deliver->index] = digest;
    else if (driver->chosen[deliver->index] != digest)
        driver_violation(driver, driver->subject->two_at_index);
    member->applied += deliver->count;
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
    case REPLY_ORDER: /* of voters alone */
    case REPLY_INDETERMINATE:
        break;
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
    if (view->orderer != place + 1 || driver->subject->two_orderers == NULL)
        return;
    assert_true(view->number < DRIVER_VIEWS_MAX);
    if (driver->orderers[view->number] != 0)
        driver_violation(driver, driver->subject->two_orderers);
    driver->orderers[view->number] = place + 1;
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
    driver->subject->protocol->step(member->self, event, &member->effects);
    const char *broken = driver->subject->protocol->check(member->self);
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

#endif
