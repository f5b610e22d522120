/* Single-decree Paxos, one member by itself, whose messages and disk the test makes up: Lamport 1998, section 2, and
 * 2001, section 2; AG-4. */
#include "protocol/consensus/synod.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "contract/command.h"
#include "protocol/consensus/synod_internal.h"

enum { SCRATCH_SIZE = 1 << 16, EFFECTS = 128, OP = 230 };

static const uint32_t three[] = {1, 2, 3};

/* ---- one member ---- */

struct one {
    struct group_spec spec;
    void *region;
    struct synod *self;
    struct effect list[EFFECTS];
    uint8_t scratch[SCRATCH_SIZE];
    struct effects out;
    uint64_t position;
    int64_t now_ns;
};

static void give(struct one *one, struct event event)
{
    one->now_ns += NS_PER_MS;
    event.now_ns = one->now_ns;
    one->out = (struct effects){.list = one->list,
                                .capacity = synod_protocol.effects_max(&one->spec),
                                .scratch = one->scratch,
                                .scratch_size = synod_protocol.scratch_max(&one->spec),
                                .next_position = one->position + 1};
    synod_protocol.step(one->self, &event, &one->out);
    one->position = one->out.next_position - 1;
    if (event.kind != EVENT_RESTORE)
        assert_null(synod_protocol.check(one->self));
}

static void restore(struct one *one, struct event_restore what)
{
    give(one, (struct event){.kind = EVENT_RESTORE, .restore = what});
}

static void begin(struct one *one, uint32_t ablations)
{
    free(one->region);
    one->spec = (struct group_spec){.group = 1,
                                    .name = "g",
                                    .self = 2,
                                    .members = three,
                                    .member_count = 3,
                                    .protocol = &synod_protocol,
                                    .ablations = ablations};
    spec_defaults(&one->spec.tuning);
    size_t size = (synod_protocol.heap_size(&one->spec) + 15) / 16 * 16;
    one->region = aligned_alloc(HEAP_ALIGNMENT, size);
    assert_non_null(one->region);
    one->self = synod_protocol.create(heap_init(one->region, size), &one->spec, 1);
}

static struct one *new_one(enum start_kind kind, uint32_t ablations)
{
    struct one *one = calloc(1, sizeof *one);
    assert_non_null(one);
    begin(one, ablations);
    give(one, (struct event){.kind = EVENT_START, .start = {.kind = kind, .incarnation = 1}});
    return one;
}

static void end(struct one *one)
{
    free(one->region);
    free(one);
}

static void hear(struct one *one, uint32_t from, enum synod_message type, const void *body)
{
    give(one, (struct event){.kind = EVENT_MESSAGE,
                             .message = {.from = {.node = from}, .type = (uint16_t)type, .body = body}});
}

static void prepare(struct one *one, uint32_t from, uint64_t round)
{
    hear(one, from, SYNOD_PREPARE, &(struct synod_round){.round = round});
}

static void propose(struct one *one, uint32_t from, uint64_t round, uint64_t value)
{
    hear(one, from, SYNOD_ACCEPT, &(struct synod_accept){.round = round, .value = value});
}

static void promise(struct one *one, uint32_t from, uint64_t round, struct paxos_ballot accepted, uint64_t value)
{
    const struct synod_promise body = {.round = round, .accepted = accepted.round, .by = accepted.node, .value = value};
    hear(one, from, SYNOD_PROMISE, &body);
}

static void stored(struct one *one)
{
    give(one, (struct event){.kind = EVENT_STORED, .stored = {.position = one->position, .room_bytes = 1}});
}

static void request(struct one *one, uint64_t number, struct span argument)
{
    uint8_t bytes[128];
    const struct bundle header = {
        .node = 2, .count = 1, .incarnation = 1, .first_number = number, .level = COMMAND_LEVEL};
    size_t size = BUNDLE_HEADER_SIZE + COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE + argument.size;
    bundle_header_write(bytes, &header);
    uint8_t *at = bytes + BUNDLE_HEADER_SIZE;
    store_u32(at, (uint32_t)(ARGUMENT_HEADER_SIZE + argument.size));
    store_u16(at + 4, OP);
    store_u16(at + 6, 0);
    store_u32(at + 8, 1);
    store_u32(at + COMMAND_HEADER_SIZE, (uint32_t)argument.size);
    memcpy(at + COMMAND_HEADER_SIZE + ARGUMENT_HEADER_SIZE, argument.data, argument.size);
    give(one, (struct event){.kind = EVENT_REQUEST,
                             .request = {.kind = REQUEST_UPDATE,
                                         .incarnation = 1,
                                         .first_number = number,
                                         .count = 1,
                                         .bytes = span_of(bytes, size)}});
}

static const struct effect *found(const struct one *one, enum effect_kind kind, int type)
{
    for (uint32_t i = 0; i < one->out.count; i++) {
        const struct effect *effect = &one->list[i];
        if (effect->kind == kind && (kind != EFFECT_SEND || effect->send.type == type))
            return effect;
    }
    return NULL;
}

static const struct effect_send *says(const struct one *one, enum synod_message type)
{
    const struct effect *effect = found(one, EFFECT_SEND, (int)type);
    return effect != NULL ? &effect->send : NULL;
}

static const struct effect_reply *replies(const struct one *one)
{
    const struct effect *effect = found(one, EFFECT_REPLY, 0);
    return effect != NULL ? &effect->reply : NULL;
}

static bool reads(struct span bytes, const char *text)
{
    return span_equal(bytes, span_string(text));
}

static struct synod_seen seen(const struct one *one)
{
    struct synod_seen out;
    synod_look(one->self, &out);
    return out;
}

/* 2001, 2.2, P1a: an acceptor that has promised a ballot accepts and promises nothing lower; a higher one it does. What
 * it says waits for its disk. */
static void an_acceptor_keeps_its_promise(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    prepare(one, 3, 5);
    assert_non_null(found(one, EFFECT_STORE, 0));
    assert_int_equal(says(one, SYNOD_PROMISE)->after, 1);
    propose(one, 1, 4, 7);
    assert_null(says(one, SYNOD_ACCEPTED));
    assert_non_null(says(one, SYNOD_NACK));
    assert_null(found(one, EFFECT_STORE, 0));
    prepare(one, 1, 5); /* of the same round that of the lower node is the lower ballot */
    assert_non_null(says(one, SYNOD_NACK));
    propose(one, 3, 5, 8);
    assert_int_equal(says(one, SYNOD_ACCEPTED)->after, 2);
    assert_false(seen(one).accepted_stored);
    stored(one);
    assert_true(seen(one).accepted_stored);
    propose(one, 3, 5, 8); /* said again: answered again, and nothing is written */
    assert_int_equal(says(one, SYNOD_ACCEPTED)->after, 0);
    assert_null(found(one, EFFECT_STORE, 0));
    propose(one, 1, 9, 6); /* what it never promised may be accepted, and binds like a promise */
    assert_non_null(says(one, SYNOD_ACCEPTED));
    assert_int_equal(seen(one).promised.round, 9);
    end(one);
}

/* The records are read back; each holds all. */
static void a_restart_remembers(void **state)
{
    (void)state;
    static const struct synod_state first = {.promised = 3, .promised_to = 1};
    static const struct synod_state last = {
        .promised = 6, .promised_to = 3, .accepted = 4, .accepted_by = 1, .value = 9};
    for (uint32_t forgets = 0; forgets <= 1; forgets++) {
        struct one *one = calloc(1, sizeof *one);
        begin(one, forgets ? ABLATION_PROTOCOL_FIRST << SYNOD_PROMISE_FORGOTTEN_ON_RESTART : 0);
        restore(one, (struct event_restore){.kind = RESTORE_RECORD, .position = 1, .body = &first});
        restore(one, (struct event_restore){.kind = RESTORE_GAP, .position = 2});
        restore(one, (struct event_restore){.kind = RESTORE_RECORD, .position = 3, .body = &last});
        one->position = 3;
        give(one, (struct event){.kind = EVENT_START, .start = {.kind = START_RESTARTED, .position = 3}});
        assert_false(seen(one).amnesiac); /* what was lost is superseded */
        assert_int_equal(found(one, EFFECT_ARM, 0)->arm.name, SYNOD_TIMER_ASK);
        propose(one, 1, 5, 7);
        assert_int_equal(says(one, SYNOD_ACCEPTED) != NULL, forgets == 1);
        end(one);
    }
}

/* 2001, 2.2, P2c: the value of the highest ballot that a majority reports; the own one only where there is none. */
static void a_proposer_takes_over_the_highest(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    propose(one, 1, 3, 30);
    stored(one);
    request(one, 1, span_string("5"));
    assert_int_equal(seen(one).round, 4);
    const struct effect_send *send = says(one, SYNOD_PREPARE);
    assert_int_equal(send->after, 2);
    assert_int_equal(send->to_count, 2);
    promise(one, 3, 4, (struct paxos_ballot){2, 3}, 20); /* lower than its own acceptance */
    assert_int_equal(seen(one).phase, SYNOD_PREPARING); /* its own promise is not on disk */
    give(one, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = SYNOD_TIMER_RETRY}});
    assert_int_equal(says(one, SYNOD_PREPARE)->to_count, 1); /* who has answered is not asked again */
    assert_int_equal(says(one, SYNOD_PREPARE)->to[0], 1);
    stored(one);
    assert_int_equal(seen(one).phase, SYNOD_PROPOSING);
    assert_int_equal(seen(one).proposal, 30);
    hear(one, 3, SYNOD_ACCEPTED, &(struct synod_round){.round = 3}); /* of another ballot */
    stored(one);
    assert_false(seen(one).decided);
    hear(one, 3, SYNOD_ACCEPTED, &(struct synod_round){.round = 4});
    assert_true(seen(one).decided);
    assert_int_equal(says(one, SYNOD_DECIDED)->to_count, 2);
    assert_true(reads(replies(one)->bytes, ":30\r\n"));
    end(one);
}

/* Phase 1 ends with a majority; who is silent is told again, the others are not. */
static void who_is_silent_is_told_again(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    request(one, 1, span_string("5"));
    stored(one);
    const struct event timeout = {.kind = EVENT_TIMEOUT, .timeout = {.name = SYNOD_TIMER_RETRY}};
    give(one, timeout);
    assert_int_equal(says(one, SYNOD_PREPARE)->to_count, 2);
    assert_int_equal(seen(one).round, 1); /* in the same ballot */
    promise(one, 3, 1, (struct paxos_ballot){0}, 0);
    assert_int_equal(seen(one).proposal, 5);
    stored(one);
    give(one, timeout);
    assert_int_equal(says(one, SYNOD_ACCEPT)->to_count, 2); /* promises are no acceptances */
    assert_null(says(one, SYNOD_PREPARE));
    end(one);
}

static int64_t back_off_ns(const struct one *one)
{
    const struct effect *arm = found(one, EFFECT_ARM, 0);
    assert_non_null(arm);
    assert_int_equal(arm->arm.name, SYNOD_TIMER_RETRY);
    return arm->arm.at_ns - one->now_ns;
}

/* 2001, 2.4: who is refused takes a higher ballot than the one that it heard of, after a time whose bound doubles. */
static void a_refused_proposer_backs_off(void **state)
{
    (void)state;
    for (uint32_t at_once = 0; at_once <= 1; at_once++) {
        struct one *one = new_one(START_FIRST, at_once ? ABLATION_PROTOCOL_FIRST << SYNOD_NO_BACK_OFF : 0);
        int64_t longest_ns = 0;
        request(one, 1, span_string("5"));
        for (uint64_t i = 1; i <= 8; i++) {
            stored(one);
            const struct synod_nack nack = {.round = seen(one).round, .promised = 10 * i, .to = 3};
            hear(one, 3, SYNOD_NACK, &(struct synod_nack){.round = nack.round + 1, .promised = 99});
            assert_int_equal(seen(one).phase, SYNOD_PREPARING); /* that was no answer to this ballot */
            hear(one, 3, SYNOD_NACK, &nack);
            assert_int_equal(seen(one).phase, SYNOD_WAITING);
            int64_t waits_ns = back_off_ns(one);
            longest_ns = waits_ns > longest_ns ? waits_ns : longest_ns;
            give(one, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = SYNOD_TIMER_RETRY}});
            assert_int_equal(seen(one).round, 10 * i + 1);
        }
        assert_int_equal(longest_ns == 0, at_once);
        assert_int_equal(longest_ns > 2 * one->spec.tuning.heartbeat_ns, !at_once);
        end(one);
    }
}

/* A promise to a higher ballot ends the own one: its acceptor would refuse it. */
static void a_proposer_yields_to_a_higher_ballot(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    request(one, 1, span_string("5"));
    stored(one);
    prepare(one, 3, 2);
    assert_non_null(says(one, SYNOD_PROMISE));
    assert_int_equal(seen(one).phase, SYNOD_WAITING);
    promise(one, 1, 1, (struct paxos_ballot){0}, 0);
    stored(one);
    assert_int_equal(seen(one).phase, SYNOD_WAITING);
    end(one);
}

/* Who lost its disk says nothing but the decision, once it knows it; and asks for it until then. */
static void an_amnesiac_only_learns(void **state)
{
    (void)state;
    struct one *one = new_one(START_AMNESIAC, 0);
    struct member_status status;
    synod_protocol.status(one->self, &status);
    assert_false(status.voter);
    prepare(one, 3, 5);
    assert_int_equal(one->out.count, 0);
    propose(one, 3, 5, 1);
    assert_int_equal(one->out.count, 0);
    request(one, 1, span_string("5"));
    assert_int_equal(replies(one)->kind, REPLY_REFUSED);
    assert_null(says(one, SYNOD_PREPARE));
    give(one, (struct event){.kind = EVENT_TIMEOUT, .timeout = {.name = SYNOD_TIMER_ASK}});
    assert_int_equal(says(one, SYNOD_ASK)->to_count, 2);
    assert_int_equal(found(one, EFFECT_ARM, 0)->arm.name, SYNOD_TIMER_ASK);
    hear(one, 1, SYNOD_DECIDED, &(struct synod_decided){.value = 12});
    assert_non_null(found(one, EFFECT_STORE, 0));
    synod_protocol.status(one->self, &status);
    assert_true(status.voter);
    prepare(one, 3, 6);
    assert_null(says(one, SYNOD_PROMISE));
    assert_non_null(says(one, SYNOD_DECIDED));
    hear(one, 1, SYNOD_ASK, &(struct synod_ask){0});
    assert_non_null(says(one, SYNOD_DECIDED));
    request(one, 2, span_string("5"));
    assert_true(reads(replies(one)->bytes, ":12\r\n"));
    end(one);
}

/* A register is written once: being told another decision is an error that check() reports. */
static void a_second_decision_is_noticed(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    hear(one, 1, SYNOD_DECIDED, &(struct synod_decided){.value = 1});
    hear(one, 3, SYNOD_DECIDED, &(struct synod_decided){.value = 1});
    struct event event = {.kind = EVENT_MESSAGE,
                          .message = {.from = {.node = 3},
                                      .type = SYNOD_DECIDED,
                                      .body = &(struct synod_decided){.value = 2}}};
    synod_protocol.step(one->self, &event, &one->out);
    assert_string_equal(synod_protocol.check(one->self), "PAX-4 two values are said to be decided");
    end(one);
}

static void what_cannot_be_proposed_is_refused(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    uint64_t number = 1;
    request(one, number++, span_string("-1"));
    assert_int_equal(replies(one)->kind, REPLY_REFUSED);
    request(one, number++, span_string("x"));
    assert_int_equal(replies(one)->kind, REPLY_REFUSED);
    for (uint32_t i = 0; i < SYNOD_QUEUE_MAX; i++) {
        request(one, number, span_string("4"));
        assert_null(replies(one));
        request(one, number++, span_string("4")); /* handed in again: it waits already */
        assert_null(replies(one));
        assert_int_equal(seen(one).waiting, i + 1);
    }
    request(one, number, span_string("4"));
    assert_int_equal(replies(one)->kind, REPLY_REFUSED);
    hear(one, 1, SYNOD_DECIDED, &(struct synod_decided){.value = 3});
    uint32_t answers = 0;
    for (uint32_t i = 0; i < one->out.count; i++)
        answers += one->list[i].kind == EFFECT_REPLY;
    assert_int_equal(answers, SYNOD_QUEUE_MAX);
    end(one);
}

static void what_no_member_sends_is_counted(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    prepare(one, 9, 1); /* nobody of this group */
    prepare(one, 2, 1); /* itself */
    prepare(one, 1, 0);
    prepare(one, 1, UINT64_MAX);
    propose(one, 1, 1, UINT64_MAX);
    hear(one, 1, SYNOD_DECIDED, &(struct synod_decided){.value = UINT64_MAX});
    hear(one, 1, SYNOD_NACK, &(struct synod_nack){.promised = UINT64_MAX});
    assert_int_equal(one->self->malformed, 7);
    assert_int_equal(one->position, 0);
    end(one);
}

/* However often ballots change, the log stays within its bound: a checkpoint that holds all takes its place. */
static void the_log_is_bounded(void **state)
{
    (void)state;
    struct one *one = new_one(START_FIRST, 0);
    uint64_t kept_from = 1;
    uint32_t checkpoints = 0;
    for (uint64_t round = 1; round <= 3000; round++) {
        prepare(one, round % 2 == 0 ? 1 : 3, round);
        stored(one);
        const struct effect *effect = found(one, EFFECT_CHECKPOINT, 0);
        assert_true(one->position + 1 - kept_from <= SYNOD_CHECKPOINT_RECORDS);
        if (effect == NULL)
            continue;
        checkpoints++;
        kept_from = effect->checkpoint.keep_from;
        struct one *other = calloc(1, sizeof *other);
        begin(other, 0);
        restore(other, (struct event_restore){.kind = RESTORE_PART, .part = effect->checkpoint.part});
        give(other, (struct event){.kind = EVENT_START,
                                   .start = {.kind = START_RESTARTED, .position = one->position}});
        assert_int_equal(seen(other).promised.round, round);
        end(other);
        give(one, (struct event){.kind = EVENT_STATE, .state = {.kind = STATE_DURABLE}});
    }
    assert_int_equal(checkpoints, 3000 / SYNOD_CHECKPOINT_RECORDS);
    end(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acceptor_keeps_its_promise),
        cmocka_unit_test(a_restart_remembers),
        cmocka_unit_test(a_proposer_takes_over_the_highest),
        cmocka_unit_test(who_is_silent_is_told_again),
        cmocka_unit_test(a_refused_proposer_backs_off),
        cmocka_unit_test(a_proposer_yields_to_a_higher_ballot),
        cmocka_unit_test(an_amnesiac_only_learns),
        cmocka_unit_test(a_second_decision_is_noticed),
        cmocka_unit_test(what_cannot_be_proposed_is_refused),
        cmocka_unit_test(what_no_member_sends_is_counted),
        cmocka_unit_test(the_log_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
