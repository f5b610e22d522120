/* Raft's log replication: a test for every few sentences of the thesis, sections 3.5 and 3.6, with figures 3.6 and 3.7
 * (figure 8 of the paper), and the traps of AG-6 and III.1. */
#include "protocol/consensus/raft_driver.h"

static struct driver driver;

static void end(void)
{
    driver_destroy(&driver);
}

static uint64_t last(uint32_t place)
{
    return raft_last_index(driver_raft(&driver, place));
}

static uint64_t commit(uint32_t place)
{
    return raft_commit_index(driver_raft(&driver, place));
}

static uint64_t term_at(uint32_t place, uint64_t index)
{
    uint64_t term, first, position;
    uint32_t count;
    return raft_entry_at(driver_raft(&driver, place), index, &term, &first, &count, &position) ? term : 0;
}

/* 3.5: the leader appends, replicates, and applies once the entry is committed; followers apply when they learn. */
static void entries_are_replicated_and_delivered_everywhere(void **state)
{
    (void)state;
    driver_create(&driver, 5, 1, 0);
    driver_begin_with(&driver, 2);
    driver_update(&driver, 2, 3);
    driver_update(&driver, 2, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[2].applied, 5); /* the no-op and four commands */
    driver_run(&driver, 30);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(driver.members[i].applied, 5);
        assert_true(driver.members[i].state == driver.members[2].state);
    }
    end();
}

/* 3.4 and 6.4: a leader begins its term with a no-op, without which old entries would wait for new ones. */
static void term_begins_with_a_no_op(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    assert_int_equal(last(0), 1);
    assert_int_equal(commit(0), 1);
    driver_elect(&driver, 1);
    assert_int_equal(last(1), 2);
    assert_int_equal(term_at(1, 2), 2);
    end();
}

/* Design: once for all of a turn, one message for all followers that need the same. */
static void one_message_serves_all_followers(void **state)
{
    (void)state;
    driver_create(&driver, 5, 1, 0);
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 1);
    const struct effects *effects = &driver.members[0].effects; /* of the last TURN */
    uint32_t sends = 0;
    for (uint32_t i = 0; i < effects->count; i++) {
        if (effects->list[i].kind != EFFECT_SEND)
            continue;
        sends++;
        assert_int_equal(effects->list[i].send.to_count, 4);
        assert_int_equal(effects->list[i].send.records_first, effects->list[i].send.records_last);
    }
    assert_int_equal(sends, 1);
    end();
}

/* AG-6, stable state: the leader sends while its own write is under way, but counts itself only after it. */
static void leader_counts_itself_only_when_stored(void **state)
{
    (void)state;
    for (uint32_t ablated = 0; ablated < 2; ablated++) {
        driver_create(&driver, 3, 1, ablated ? RAFT_ABLATION_COUNT_SELF_EARLY : 0);
        driver_begin_with(&driver, 0);
        driver_crash(&driver, 2);
        driver.members[0].auto_store = false;
        driver_update(&driver, 0, 1);
        driver_pump(&driver);
        assert_int_equal(driver_raft(&driver, 0)->peers.list[1].match, 2);
        assert_int_equal(commit(0), ablated ? 2 : 1);
        driver_stored(&driver, 0, driver.members[0].count);
        assert_int_equal(commit(0), 2);
        end();
    }
}

/* Followers acknowledge what is on disk, not what has arrived; rounds they answer before. */
static void acknowledgement_waits_for_the_disk(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver.members[1].auto_store = driver.members[2].auto_store = false;
    driver_update(&driver, 0, 1);
    driver_read(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(last(1), 2);
    assert_int_equal(commit(0), 1);
    assert_int_equal(driver.members[0].reads_done, 1);
    driver_stored(&driver, 1, driver.members[1].count);
    driver_pump(&driver);
    assert_int_equal(commit(0), 2);
    end();
}

/* Commitment is pushed to the member whose client waits, and to no other. */
static void origin_hears_of_commitment_at_once(void **state)
{
    (void)state;
    driver_create(&driver, 5, 1, 0);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 30);
    driver_update(&driver, 3, 2);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, 3);
    assert_int_equal(driver.members[3].applied, 3);
    assert_int_equal(driver.members[1].applied, 1);
    driver_run(&driver, 30); /* the next heartbeat tells the others */
    assert_int_equal(driver.members[1].applied, 3);
    end();
}

/* The group's own client, no member, compares what several members answer: it would wait for the heartbeat else. */
static void a_clients_commitment_is_pushed_to_all(void **state)
{
    (void)state;
    for (uint32_t asked = 0; asked <= 3; asked += 3) { /* the leader, and one that forwards */
        driver_create(&driver, 5, 1, 0);
        driver_begin_with(&driver, 0);
        driver_run(&driver, 30);
        driver_update_of(&driver, asked, 9, 70, 1, 2);
        driver_pump(&driver);
        for (uint32_t i = 0; i < 5; i++)
            assert_int_equal(driver.members[i].applied, 3);
        end();
    }
}

/* 3.5: "In Raft, the leader handles inconsistencies by forcing the followers' logs to duplicate its own". */
static void conflicting_entries_are_replaced(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    for (uint32_t i = 0; i < 20; i++)
        driver_update(&driver, 0, 2); /* never committed */
    assert_int_equal(last(0), 41);
    driver_elect(&driver, 1);
    driver_update(&driver, 1, 5);
    driver_pump(&driver);
    assert_int_equal(commit(1), 7);
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 100);
    assert_int_equal(last(0), 7);
    assert_int_equal(driver.members[0].applied, 7);
    assert_true(driver.members[0].state == driver.members[1].state);
    end();
}

/* 3.5: "the protocol can be optimized to reduce the number of rejected AppendEntries": one question for each term. */
static void hints_skip_whole_terms(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    for (uint32_t i = 0; i < 200; i++)
        driver_update(&driver, 0, 1);
    driver_elect(&driver, 1);
    for (uint32_t i = 0; i < 200; i++) {
        driver_update(&driver, 1, 1);
        driver_pump(&driver);
    }
    driver_isolate(&driver, 0, false);
    uint32_t before = driver.members[1].sends;
    driver_run(&driver, 60);
    assert_int_equal(driver.members[0].applied, driver.members[1].applied);
    assert_true(driver.members[1].sends - before < 30);
    end();
}

/* AG-6 rule 3: only a conflict cuts the log. A late, short APPEND does not; the mutant loses an entry by it. */
static void late_short_append_does_not_cut(void **state)
{
    (void)state;
    for (uint32_t ablated = 0; ablated < 2; ablated++) {
        driver_create(&driver, 3, 1, ablated ? RAFT_ABLATION_TRUNCATE_ALWAYS : 0);
        driver_begin_with(&driver, 0);
        driver_run(&driver, 30);
        driver_update(&driver, 0, 1);
        struct driver_message late = {0};
        for (uint32_t i = 0; i < driver.network.count; i++)
            if (driver.network.list[i].to == 2)
                late = driver.network.list[i];
        uint8_t *copy = malloc(late.size + 1);
        memcpy(copy, late.bytes, late.size);
        late.bytes = copy;
        driver_hop(&driver);
        driver_update(&driver, 0, 1);
        driver_hop(&driver);
        assert_int_equal(last(1), 3);
        driver_receive(&driver, late);
        assert_int_equal(last(1), ablated ? 2 : 3);
        end();
    }
}

/* Loses all messages of this type that are under way. */
static void lose(uint16_t type)
{
    for (uint32_t i = 0; i < driver.network.count;) {
        if (driver.network.list[i].type == type)
            free(driver_take(&driver.network, i).bytes);
        else
            i++;
    }
}

/* Elects a member while no APPEND of anybody arrives. */
static void elect_only(uint32_t place)
{
    driver_forget_leader(&driver);
    for (uint32_t tries = 0; driver_raft(&driver, place)->role != RAFT_LEADER; tries++) {
        assert_true(tries < 3); /* higher terms of others have to be passed */
        driver_campaign(&driver, place);
        for (uint32_t i = 0; i < 8; i++) {
            lose(RAFT_APPEND);
            driver_hop(&driver);
            for (uint32_t at = 0; at < driver.count; at++)
                driver_stored(&driver, at, driver.members[at].count);
        }
    }
    lose(RAFT_APPEND);
}

/* Figure 3.7 (figure 8 of the paper), S1 to S5 at places 0 to 4; III.1. In (c) S1 leads anew and has copied its entry
 * of an older term to a majority; its own no-op has reached nobody. Counting the old entry would be an error. */
static void figure_8(bool ablated)
{
    driver_create(&driver, 5, 1, ablated ? RAFT_ABLATION_COMMIT_OLD_TERM : 0);
    driver_begin_with(&driver, 0); /* (a) everybody has index 1; S1 copies index 2 to S2 only */
    driver_run(&driver, 30);
    for (uint32_t i = 2; i < 5; i++)
        driver_isolate(&driver, i, true);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(last(1), 2);
    driver_crash(&driver, 0); /* (b) S5 is elected by S3, S4 and itself, and has another index 2, alone */
    memset(driver.cut, 0, sizeof driver.cut);
    driver_isolate(&driver, 1, true);
    elect_only(4);
    assert_int_equal(last(4), 2);
    assert_true(term_at(4, 2) > term_at(1, 2));
    driver_crash(&driver, 4); /* (c) S1 is elected by S2 and S3, and index 2 gets to S3 */
    memset(driver.cut, 0, sizeof driver.cut);
    driver_start(&driver, 0, START_RESTARTED);
    elect_only(0);
    assert_int_equal(last(0), 3);
    uint64_t term, first, position;
    uint32_t count;
    assert_true(raft_entry_at(driver_raft(&driver, 0), 2, &term, &first, &count, &position));
    const struct driver_record *held = &driver.members[0].records[position - 1];
    uint8_t bytes[256];
    record_prefix_write(bytes, held->size, RAFT_ENTRY, RAFT_SLOT);
    memcpy(bytes + RECORD_PREFIX_SIZE, held->bytes, held->size);
    const struct raft_append append = {.term = driver_raft(&driver, 0)->term, .prev_index = 1, .prev_term = 1,
                                       .last = 3, .ask = 1,
                                       .records = span_of(bytes, RECORD_PREFIX_SIZE + held->size)};
    for (uint32_t i = 1; i < 3; i++) {
        driver_inject(&driver, 0, i, driver.members[0].incarnation, RAFT_APPEND, &append);
        driver_stored(&driver, i, driver.members[i].count);
        assert_int_equal(term_at(i, 2), 1);
    }
    lose(RAFT_APPEND);
    driver_hop(&driver); /* the acknowledgements */
    assert_int_equal(driver_raft(&driver, 0)->peers.list[1].match, 2);
    assert_int_equal(driver_raft(&driver, 0)->peers.list[2].match, 2);
    assert_int_equal(commit(0), ablated ? 2 : 0);
    assert_int_equal(driver.members[0].applied, ablated ? 2 : 0);
}

/* (e): once an entry of its own term is on a majority, all before it is committed as well. */
static void old_terms_are_not_committed_by_counting(void **state)
{
    (void)state;
    figure_8(false);
    driver_pump(&driver);
    driver_run(&driver, 30);
    assert_int_equal(commit(0), 3);
    end();
}

/* (d): S1 fails, S5 leads again with the votes of S3 and S4, whose logs end in older terms, and index 2 gets its
 * content. Where index 2 had been delivered already, two contents were delivered at one index. */
static void counting_old_terms_loses_a_committed_entry(void **state)
{
    (void)state;
    for (uint32_t ablated = 0; ablated < 2; ablated++) {
        figure_8(ablated);
        driver_crash(&driver, 0);
        driver_crash(&driver, 1);
        driver_clear(&driver.network);
        driver_start(&driver, 4, START_RESTARTED);
        driver_run(&driver, 1500);
        assert_int_equal(driver_leader(&driver), 4);
        assert_int_equal(driver.members[2].applied, last(4));
        assert_int_equal(driver.violated, ablated);
        end();
    }
}

/* Lost messages are sent again after a heartbeat; doubled and reordered ones do no harm (the random test does all). */
static void lost_records_are_sent_again(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    driver_update(&driver, 0, 2);
    driver_clear(&driver.network);
    driver_pump(&driver);
    assert_int_equal(commit(0), 1);
    driver_run(&driver, 50);
    assert_int_equal(commit(0), 3);
    driver_update(&driver, 0, 2);
    driver_hop(&driver);
    driver_stored(&driver, 1, driver.members[1].count);
    driver_stored(&driver, 2, driver.members[2].count);
    driver_clear(&driver.network); /* now the acknowledgements */
    driver_run(&driver, 50);
    assert_int_equal(commit(0), 5);
    end();
}

static uint32_t large_waiting(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < driver.network.count; i++)
        count += driver.network.list[i].size > PACING_LARGE_BYTES;
    return count;
}

/* A large message takes its time: heartbeats that overtake it do not make the leader send it again at once. */
static void large_records_are_given_time(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    enum { COMMANDS = 6000 };
    uint8_t *bytes = malloc(BUNDLE_HEADER_SIZE + COMMANDS * COMMAND_HEADER_SIZE);
    size_t size = driver_bundle(bytes, 1, 1, 1, COMMANDS);
    driver_step(&driver, 0, (struct event){.kind = EVENT_REQUEST,
                                           .request = {.kind = REQUEST_UPDATE, .incarnation = 1, .first_number = 1,
                                                       .count = COMMANDS, .bytes = span_of(bytes, size)}});
    free(bytes);
    assert_int_equal(large_waiting(), 2);
    driver_clear(&driver.network); /* lost, after all */
    driver_run(&driver, 90);
    assert_int_equal(last(1), 1);
    driver_run(&driver, 100);
    assert_int_equal(last(1), 1 + COMMANDS);
    assert_int_equal(commit(0), 1 + COMMANDS);
    end();
}

/* Bounds of tuning: bytes of one message (a larger record goes alone), messages without an answer. */
static void messages_are_bounded(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver.tuning.append_bytes_max = 300;
    driver.tuning.append_inflight_max = 2;
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    driver_isolate(&driver, 1, true);
    for (uint32_t i = 0; i < 6; i++) {
        driver_update(&driver, 0, i % 2 ? 8 : 1); /* 96 and 180 bytes */
        for (uint32_t at = 0; at < driver.network.count; at++)
            assert_true(driver.network.list[at].size <= 300 + 64);
    }
    assert_int_equal(driver_waiting(&driver, 1, RAFT_APPEND), 2);
    assert_int_equal(driver_waiting(&driver, 2, RAFT_APPEND), 2);
    driver_isolate(&driver, 1, false);
    driver_pump(&driver);
    driver_run(&driver, 100);
    assert_int_equal(driver.members[1].applied, last(0));
    end();
}

static void leader_pushes_back_when_too_much_is_open(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver.tuning.log_entries_max = 64;
    driver_begin_with(&driver, 0);
    driver_isolate(&driver, 0, true);
    for (uint32_t i = 0; i < 100; i++)
        driver_update(&driver, 0, 1);
    assert_int_equal(driver.members[0].again_count, 100 - (64 - RAFT_ROOM_RESERVED - 1));
    driver_isolate(&driver, 0, false);
    driver_run(&driver, 200);
    driver_update(&driver, 0, 1);
    driver_pump(&driver);
    assert_int_equal(driver.members[0].applied, last(0));
    end();
}

/* Time in entries never falls, also when the clock does and when another member, whose clock is behind, leads. */
static void agreed_time_never_falls(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    for (uint32_t i = 0; i < 6; i++) {
        driver.wall_ns -= 3 * NS_PER_S; /* the driver checks each delivery */
        driver_elect(&driver, (i + 1) % 3);
        driver_update(&driver, (i + 1) % 3, 1);
        driver_pump(&driver);
    }
    driver_run(&driver, 50);
    assert_int_equal(driver.members[0].applied, 13);
    end();
}

static size_t record(uint8_t *out, const struct raft_entry *entry)
{
    struct span tail;
    size_t size = message_encode(&raft_records.types[RAFT_ENTRY], entry, out + RECORD_PREFIX_SIZE, &tail);
    if (tail.size > 0)
        memcpy(out + RECORD_PREFIX_SIZE + size, tail.data, tail.size);
    size += tail.size;
    record_prefix_write(out, (uint32_t)size, RAFT_ENTRY, RAFT_SLOT);
    return RECORD_PREFIX_SIZE + size;
}

/* Remote bytes never assert: entries that cannot be are noted and left out, and what is committed stays. */
static void impossible_entries_are_rejected(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_run(&driver, 50);
    driver_update(&driver, 0, 2);
    driver_pump(&driver);
    driver_run(&driver, 50);
    assert_int_equal(commit(1), 3);
    uint8_t junk[] = {1, 2, 3, 4, 5};
    const struct raft_entry entries[] = {
        {.term = 1, .index = 4, .count = 0},                                        /* nothing */
        {.term = 0, .index = 4, .count = 1},                                        /* no term */
        {.term = 7, .index = 4, .count = 1},                                        /* later than its message */
        {.term = 1, .index = 5, .count = 1},                                        /* a hole */
        {.term = 1, .index = 4, .count = 2},                                        /* an empty bundle of two */
        {.term = 1, .index = 4, .count = 1, .bundle = {junk, sizeof junk}},         /* no bundle */
        {.term = 1, .index = 4, .count = UINT32_MAX, .bundle = {junk, sizeof junk}},
    };
    uint8_t bytes[512];
    struct raft_append append = {.term = 1, .prev_index = 3, .prev_term = 1, .last = 4};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        append.records = span_of(bytes, record(bytes, &entries[i]));
        driver_inject(&driver, 0, 1, driver.members[0].incarnation, RAFT_APPEND, &append);
        assert_int_equal(last(1), 3);
    }
    record_prefix_write(bytes, (uint32_t)append.records.size - RECORD_PREFIX_SIZE, RAFT_HARD_STATE, RAFT_SLOT);
    driver_inject(&driver, 0, 1, driver.members[0].incarnation, RAFT_APPEND, &append);
    assert_int_equal(last(1), 3);
    /* A "leader" of a later term that conflicts with what is committed. */
    const struct raft_entry conflict = {.term = 2, .index = 2, .count = 1};
    append = (struct raft_append){.term = 2, .prev_index = 1, .prev_term = 1, .commit = 900, .last = 900};
    append.records = span_of(bytes, record(bytes, &conflict));
    driver_inject(&driver, 2, 1, driver.members[2].incarnation, RAFT_APPEND, &append);
    assert_int_equal(term_at(1, 2), 1);
    assert_int_equal(commit(1), 3);
    end();
}

static void impossible_acknowledgements_are_ignored(void **state)
{
    (void)state;
    driver_create(&driver, 3, 1, 0);
    driver_begin_with(&driver, 0);
    driver_update(&driver, 0, 4);
    driver_clear(&driver.network);
    const struct raft_append_ack acks[] = {
        {.term = 1, .match = 1000, .ok = 1, .voter = 1},
        {.term = 1, .match = 3, .ok = 1, .voter = 1}, /* inside an entry */
        {.term = 0, .match = 5, .ok = 1, .voter = 1},
        {.term = 1, .prev_index = UINT64_MAX, .hint_index = UINT64_MAX, .hint_term = UINT64_MAX, .voter = 1},
        {.term = 1, .prev_index = 0, .voter = 1},
    };
    for (size_t i = 0; i < sizeof acks / sizeof acks[0]; i++)
        for (uint32_t from = 1; from < 3; from++)
            driver_inject(&driver, from, 0, 1, RAFT_APPEND_ACK, &acks[i]);
    const struct raft_round_ack round = {.term = 1, .round = 1000, .received = 1000, .voter = 1};
    driver_inject(&driver, 1, 0, 1, RAFT_ROUND_ACK, &round);
    driver_stored(&driver, 0, driver.members[0].count);
    assert_int_equal(commit(0), 1);
    driver_run(&driver, 100);
    assert_int_equal(commit(0), 5);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_replicated_and_delivered_everywhere),
        cmocka_unit_test(term_begins_with_a_no_op),
        cmocka_unit_test(one_message_serves_all_followers),
        cmocka_unit_test(leader_counts_itself_only_when_stored),
        cmocka_unit_test(acknowledgement_waits_for_the_disk),
        cmocka_unit_test(origin_hears_of_commitment_at_once),
        cmocka_unit_test(a_clients_commitment_is_pushed_to_all),
        cmocka_unit_test(conflicting_entries_are_replaced),
        cmocka_unit_test(hints_skip_whole_terms),
        cmocka_unit_test(late_short_append_does_not_cut),
        cmocka_unit_test(old_terms_are_not_committed_by_counting),
        cmocka_unit_test(counting_old_terms_loses_a_committed_entry),
        cmocka_unit_test(lost_records_are_sent_again),
        cmocka_unit_test(large_records_are_given_time),
        cmocka_unit_test(messages_are_bounded),
        cmocka_unit_test(leader_pushes_back_when_too_much_is_open),
        cmocka_unit_test(agreed_time_never_falls),
        cmocka_unit_test(impossible_entries_are_rejected),
        cmocka_unit_test(impossible_acknowledgements_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
