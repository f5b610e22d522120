/* How a leader sends its entries (pacing.h). The protocol here has entries 1 to `last` of a hundred bytes each, up to
 * three in a message; an entry's number is its mark. */
#include "protocol/consensus/pacing.h"

#include "protocol/consensus/peers_testing.h"

enum { RUN_MAX = 3, SENT_MAX = 64 };

struct sent {
    char kind; /* records, light, install */
    uint64_t first, next;
    uint32_t to[5], count;
    bool ask;
};

static struct group group;
static struct sent sent[SENT_MAX];
static uint32_t sent_count;
static uint64_t last, entry_bytes;
static struct pacing_bounds bounds;

static struct sent *note(char kind, const uint32_t *to, uint32_t count)
{
    assert_true(sent_count < SENT_MAX && count <= 5);
    struct sent *entry = &sent[sent_count++];
    *entry = (struct sent){.kind = kind, .count = count};
    memcpy(entry->to, to, count * sizeof *to);
    return entry;
}

static bool has(const void *self, uint64_t next)
{
    (void)self;
    return next <= last;
}

static uint64_t mark_before(const void *self, uint64_t next)
{
    (void)self;
    return next - 1;
}

static struct pacing_run send(void *self, uint64_t first, const uint32_t *to, uint32_t count, struct effects *out)
{
    (void)self;
    (void)out;
    uint64_t next = first + RUN_MAX > last + 1 ? last + 1 : first + RUN_MAX;
    struct sent *entry = note('r', to, count);
    entry->first = first;
    entry->next = next;
    return (struct pacing_run){.next = next, .last = next - 1, .bytes = (next - first) * entry_bytes};
}

static void send_light(void *self, bool ask, const uint32_t *to, uint32_t count, struct effects *out)
{
    (void)self;
    (void)out;
    note('l', to, count)->ask = ask;
}

static void send_install(void *self, uint32_t to, struct effects *out)
{
    (void)self;
    (void)out;
    note('i', &to, 1);
}

static struct pacing_source source = {.has = has, .mark_before = mark_before, .send = send, .send_light = send_light,
                                      .send_install = send_install};

static void turn(void)
{
    group_clear(&group);
    sent_count = 0;
    pacing_turn(&group.peers, &source, NULL, &bounds, &group.out);
}

static struct peer *peer(uint32_t node)
{
    return peers_find(&group.peers, node);
}

static int begin(void **state)
{
    (void)state;
    group_create(&group);
    last = 0;
    entry_bytes = 100;
    source.probe_sends = false;
    bounds = (struct pacing_bounds){.now_ns = 1000, .tuning = &group.spec.tuning, .head = 1};
    peers_lead(&group.peers, 1, 0, GROUP_TIMEOUT_NS);
    for (uint32_t node = 1; node <= 5; node++)
        peer(node)->pace = PACE_STREAM;
    return 0;
}

static int end(void **state)
{
    (void)state;
    group_free(&group);
    return 0;
}

/* Those that are furthest, normally all, share a message; who lags gets its own. */
static void who_needs_the_same_shares_a_message(void **state)
{
    (void)state;
    last = 2;
    peer(5)->next = 1;
    for (uint32_t node = 1; node <= 4; node++)
        peer(node)->next = 2;
    turn();
    assert_int_equal(sent_count, 2);
    assert_true(sent[0].count == 1 && sent[0].to[0] == 5 && sent[0].first == 1 && sent[0].next == 3);
    assert_true(sent[1].count == 3 && sent[1].first == 2 && sent[1].next == 3);
    turn();
    assert_int_equal(sent_count, 0);
}

/* Messages follow each other without waiting, up to a bound; answers make room. */
static void the_window_of_unanswered_messages_is_bounded(void **state)
{
    (void)state;
    last = 100;
    turn();
    assert_int_equal(sent_count, PACING_SENDS_MAX);
    assert_int_equal(sent[3].first, 10);
    assert_int_equal(sent[3].count, 4);
    assert_int_equal(group_effects(&group, EFFECT_AGAIN, NULL), 1);
    turn();
    assert_int_equal(sent_count, 0); /* four are unanswered, which is the specification's bound */
    pacing_answered(&group.peers, peer(2), 6);
    turn();
    assert_int_equal(sent_count, 2);
    assert_true(sent[0].to[0] == 2 && sent[0].first == 13 && sent[1].first == 16);
    pacing_answered(&group.peers, peer(2), 18);
    assert_true(peer(2)->flight_count == 0 && peer(2)->flight_bytes == 0);
}

static void the_bytes_under_way_are_bounded(void **state)
{
    (void)state;
    last = 100;
    entry_bytes = 3 * group.spec.tuning.append_bytes_max;
    turn();
    assert_int_equal(sent_count, 1); /* nine times the bound of one message */
}

/* A question that carries records is asked once, and again with a heartbeat, unless it is large and still under way. */
static void a_question_is_repeated_with_a_heartbeat(void **state)
{
    (void)state;
    source.probe_sends = true;
    last = 2;
    for (uint32_t node = 1; node <= 5; node++)
        pacing_probe(peer(node), 1);
    turn();
    assert_int_equal(sent_count, 1);
    turn();
    assert_int_equal(sent_count, 0);
    group.peers.heartbeat_due = true;
    turn();
    assert_int_equal(sent_count, 1);
    entry_bytes = PACING_LARGE_BYTES;
    group.peers.heartbeat_due = true;
    turn();
    group.peers.heartbeat_due = true;
    turn();
    assert_int_equal(sent_count, 1);
    assert_int_equal(sent[0].kind, 'l'); /* a sign of life only */
    bounds.now_ns += 2 * group.spec.tuning.election_timeout_ns;
    group.peers.heartbeat_due = true;
    turn();
    assert_int_equal(sent[0].kind, 'r');
}

static void without_records_in_questions_only_the_stream_sends(void **state)
{
    (void)state;
    last = 2;
    for (uint32_t node = 1; node <= 5; node++)
        pacing_probe(peer(node), 1);
    bounds.head = 2;
    turn();
    assert_int_equal(sent_count, 0);
    assert_int_equal(peer(1)->pace, PACE_PROBE);
}

static void who_fell_behind_adopts_a_checkpoint(void **state)
{
    (void)state;
    last = 9;
    for (uint32_t node = 1; node <= 5; node++)
        peer(node)->next = 10;
    peer(4)->next = 3;
    bounds.send_from = 5; /* what it needs is about to go */
    turn();
    assert_int_equal(sent_count, 0);
    bounds = (struct pacing_bounds){.now_ns = 1000, .tuning = &group.spec.tuning, .head = 5};
    turn();
    assert_int_equal(sent_count, 1);
    assert_true(sent[0].kind == 'i' && sent[0].to[0] == 4);
    turn();
    assert_int_equal(sent_count, 0);
    group.peers.heartbeat_due = true;
    turn();
    assert_int_equal(sent[0].kind, 'i');
}

/* A heartbeat's answer tells what came; what was sent before it and did not come is lost. */
static void what_is_lost_shows_at_the_heartbeat(void **state)
{
    (void)state;
    last = 3;
    group.peers.heartbeat_due = true;
    turn();
    assert_int_equal(group.peers.beat, 1);
    assert_int_equal(sent_count, 1); /* who got records needs no sign of life beside */
    assert_false(pacing_lost(peer(1), 0, 0)); /* an answer to an earlier beat */
    assert_false(pacing_lost(peer(1), 1, 3));
    assert_true(pacing_lost(peer(2), 1, 2));
    assert_false(pacing_lost(peer(2), 1, 2)); /* once */
}

/* Between heartbeats a beat asks those who answered first the last time, if they are enough. */
static void a_beat_asks_the_quick_ones(void **state)
{
    (void)state;
    for (uint32_t node = 1; node <= 5; node++)
        peer(node)->voter = true;
    group.peers.beat_due = true;
    turn();
    assert_int_equal(sent[0].count, 4);
    peer(2)->quick = peer(5)->quick = true;
    group.peers.beat_due = true;
    turn();
    assert_true(sent[0].kind == 'l' && sent[0].count == 2 && sent[0].to[0] == 2 && sent[0].to[1] == 5);
    assert_false(sent[0].ask);
    peer(5)->voter = false;
    peer(1)->told = group.peers.told_due = group.peers.beat_due = true;
    turn();
    assert_int_equal(sent[0].count, 4); /* one voter and the own one are no majority */
    group.peers.heartbeat_due = true;
    turn();
    assert_true(sent[0].count == 4 && sent[0].ask);
    peer(1)->told = group.peers.told_due = true;
    turn();
    assert_true(sent_count == 1 && sent[0].count == 1 && sent[0].to[0] == 1);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        test(who_needs_the_same_shares_a_message),
        test(the_window_of_unanswered_messages_is_bounded),
        test(the_bytes_under_way_are_bounded),
        test(a_question_is_repeated_with_a_heartbeat),
        test(without_records_in_questions_only_the_stream_sends),
        test(who_fell_behind_adopts_a_checkpoint),
        test(what_is_lost_shows_at_the_heartbeat),
        test(a_beat_asks_the_quick_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
