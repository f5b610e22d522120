/* FIFO channels: two ends over a network of the test's own, under loss, doubling and reordering. */
#include "protocol/cast/fifo_channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/time.h"

enum { DATA, ACK, NETWORK_MAX = 4096, REGION_SIZE = 4 << 20, EFFECTS = 64 };

static const struct field data_fields[] = {MESSAGE_FIELDS(fifo_data, FIFO_DATA_FIELDS)};
static const struct field ack_fields[] = {MESSAGE_FIELDS(fifo_ack, FIFO_ACK_FIELDS)};
static const struct message_type types[] = {[DATA] = MESSAGE_TYPE("DATA", fifo_data, data_fields),
                                            [ACK] = MESSAGE_TYPE("ACK", fifo_ack, ack_fields)};
static const struct message_table table = {.types = types, .count = 2};
static const uint32_t nodes[] = {1, 2};

struct packet {
    uint32_t to, from;
    uint16_t type;
    uint64_t incarnation, to_incarnation;
    size_t size;
    uint8_t bytes[128];
};

struct end {
    struct group_spec spec;
    struct fifo *fifo;
    uint64_t incarnation;
    bool armed;
};

static struct end ends[2];
static struct packet network[NETWORK_MAX];
static uint32_t network_count;
static int64_t now_ns;
static void *region[2];
static struct effect list[EFFECTS];
static uint8_t scratch[EFFECTS * EFFECT_SCRATCH_SIZE_MAX];
static struct effects out;

static struct effects *begin_step(void)
{
    out = (struct effects){.list = list, .capacity = EFFECTS, .scratch = scratch, .scratch_size = sizeof scratch};
    return &out;
}

static void end_step(uint32_t self)
{
    for (uint32_t i = 0; i < out.count; i++) {
        const struct effect *effect = &list[i];
        if (effect->kind == EFFECT_ARM)
            ends[self].armed = effect->arm.at_ns != EFFECT_DISARM;
        if (effect->kind != EFFECT_SEND)
            continue;
        const struct effect_send *send = &effect->send;
        assert_true(network_count < NETWORK_MAX);
        struct packet *packet = &network[network_count++];
        *packet = (struct packet){.to = send->to[0] - 1,
                                  .from = self,
                                  .type = send->type,
                                  .incarnation = ends[self].incarnation,
                                  .to_incarnation = send->to_incarnation,
                                  .size = send->head.size + send->tail.size};
        assert_true(packet->size <= sizeof packet->bytes);
        memcpy(packet->bytes, send->head.data, send->head.size);
        if (send->tail.size > 0)
            memcpy(packet->bytes + send->head.size, send->tail.data, send->tail.size);
    }
    assert_null(fifo_check(ends[self].fifo));
}

static void make(uint32_t self, bool unordered)
{
    struct end *end = &ends[self];
    end->incarnation++;
    end->armed = false;
    end->spec = (struct group_spec){.self = self + 1, .members = nodes, .member_count = 2};
    spec_defaults(&end->spec.tuning);
    assert_true(fifo_heap_size(&end->spec) < REGION_SIZE);
    end->fifo = fifo_create(
        heap_init(region[self], REGION_SIZE), &end->spec,
        &(struct fifo_config){
            .messages = &table, .data_type = DATA, .ack_type = ACK, .slot = 1, .unordered = unordered});
}

static int set_up(void **state)
{
    (void)state;
    memset(ends, 0, sizeof ends);
    network_count = 0;
    for (uint32_t i = 0; i < 2; i++) {
        region[i] = aligned_alloc(HEAP_ALIGNMENT, REGION_SIZE);
        make(i, false);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(region[0]);
    free(region[1]);
    return 0;
}

static bool send_number(uint32_t from, uint32_t to, uint64_t number)
{
    uint8_t bytes[8];
    store_u64(bytes, number);
    bool sent = fifo_send(ends[from].fifo, to,
                          &(struct fifo_data){.kind = 3, .node = 9, .number = number, .bytes = span_of(bytes, 8)},
                          now_ns, begin_step());
    end_step(from);
    return sent;
}

static void receive(struct packet packet)
{
    struct end *end = &ends[packet.to];
    if (packet.to_incarnation != 0 && packet.to_incarnation != end->incarnation)
        return;
    union {
        struct fifo_data data;
        struct fifo_ack ack;
    } body;
    assert_true(message_decode(&types[packet.type], span_of(packet.bytes, packet.size), &body));
    const struct event_message message = {.from = {.node = packet.from + 1},
                                          .incarnation = packet.incarnation,
                                          .slot = 1,
                                          .type = packet.type,
                                          .body = &body};
    begin_step();
    if (packet.type == DATA)
        fifo_on_data(end->fifo, &message);
    else
        fifo_on_ack(end->fifo, &message, now_ns, &out);
    end_step(packet.to);
}

static void turn(uint32_t self)
{
    fifo_turn(ends[self].fifo, begin_step());
    end_step(self);
}

static void timeout(uint32_t self, uint32_t peer)
{
    fifo_on_timeout(ends[self].fifo, peer, now_ns, begin_step());
    end_step(self);
}

static struct packet take_packet(uint32_t place)
{
    struct packet packet = network[place];
    memmove(&network[place], &network[place + 1], (--network_count - place) * sizeof packet);
    return packet;
}

/* Takes one frame at `self` from the other end; 0 when none is there. */
static uint64_t take(uint32_t self, uint32_t from)
{
    struct fifo_data frame;
    if (!fifo_peek(ends[self].fifo, from, &frame))
        return 0;
    assert_int_equal(frame.kind, 3);
    assert_int_equal(frame.node, 9);
    assert_int_equal(load_u64(frame.bytes.data), frame.number);
    fifo_pop(ends[self].fifo, from);
    return frame.number;
}

static void frames_come_in_order(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 3; i++)
        assert_true(send_number(0, 1, i));
    while (network_count > 0)
        receive(take_packet(network_count - 1)); /* the last one first */
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(1, 0), i);
    assert_int_equal(take(1, 0), 0);
    assert_int_equal(fifo_unacknowledged(ends[0].fifo, 1), 3);
    turn(1);
    assert_int_equal(network_count, 1); /* one acknowledgement for all */
    receive(take_packet(0));
    assert_int_equal(fifo_unacknowledged(ends[0].fifo, 1), 0);
    assert_false(ends[0].armed);
}

static void lost_frame_is_sent_again(void **state)
{
    (void)state;
    send_number(0, 1, 1);
    network_count = 0;
    assert_true(ends[0].armed);
    timeout(0, 1);
    assert_int_equal(network_count, 1);
    receive(network[0]);
    receive(network[0]); /* doubled */
    assert_int_equal(take(1, 0), 1);
    receive(network[0]); /* and late */
    assert_int_equal(take(1, 0), 0);
}

static void who_does_not_take_stops_the_sender(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= FIFO_QUEUE_MAX; i++)
        assert_true(send_number(0, 1, i));
    assert_false(send_number(0, 1, 999));
    assert_int_equal(network_count, FIFO_WINDOW);
    for (int round = 0; round < 3; round++) {
        while (network_count > 0)
            receive(take_packet(0));
        turn(1);
        while (network_count > 0)
            receive(take_packet(0));
        timeout(0, 1);
    }
    assert_int_equal(fifo_unacknowledged(ends[0].fifo, 1), FIFO_QUEUE_MAX - FIFO_WINDOW);
    for (uint64_t i = 1; i <= FIFO_WINDOW; i++)
        assert_int_equal(take(1, 0), i);
    assert_int_equal(take(1, 0), 0);
}

static void too_large_frame_is_refused(void **state)
{
    (void)state;
    static const uint8_t large[FIFO_FRAME_BYTES_MAX + 1];
    assert_false(fifo_send(ends[0].fifo, 1, &(struct fifo_data){.bytes = span_of(large, sizeof large)}, now_ns,
                           begin_step()));
    assert_int_equal(out.count, 0);
}

static void acknowledgement_of_what_was_never_sent_is_ignored(void **state)
{
    (void)state;
    send_number(0, 1, 1);
    const struct fifo_ack ack = {.next = UINT64_MAX};
    const struct event_message message = {.from = {.node = 2}, .incarnation = 1, .type = ACK, .body = &ack};
    fifo_on_ack(ends[0].fifo, &message, now_ns, begin_step());
    end_step(0);
    assert_int_equal(fifo_unacknowledged(ends[0].fifo, 1), 1);
}

static void new_incarnation_begins_anew(void **state)
{
    (void)state;
    send_number(0, 1, 1);
    receive(take_packet(0));
    turn(1);
    receive(take_packet(0)); /* so the sender knows the first life */
    send_number(0, 1, 2);
    struct packet old = take_packet(0);
    make(1, false);
    receive(old); /* is meant for the former life */
    assert_int_equal(take(1, 0), 0);
    send_number(1, 0, 50);
    receive(take_packet(0)); /* the new life is heard of */
    assert_int_equal(take(0, 1), 50);
    assert_int_equal(fifo_peer_incarnation(ends[0].fifo, 1), 2);
    assert_int_equal(fifo_unacknowledged(ends[0].fifo, 1), 0);
    send_number(0, 1, 3);
    receive(take_packet(0));
    assert_int_equal(take(1, 0), 3);
    receive(old);
    assert_int_equal(take(1, 0), 0);
}

/* Sends 300 frames over a bad network and returns how many came out of order or twice. */
static uint32_t random_run(uint64_t seed)
{
    struct random random;
    random_seed(&random, seed);
    uint64_t sent = 0, taken = 0;
    uint32_t wrong = 0;
    while (taken < 300) {
        if (sent < 300 && random_chance(&random, 1, 3))
            sent += send_number(0, 1, sent + 1);
        if (network_count > 0) {
            struct packet packet = take_packet((uint32_t)random_below(&random, network_count));
            if (!random_chance(&random, 1, 5))
                receive(packet);
            if (random_chance(&random, 1, 5))
                receive(packet);
        } else {
            timeout(0, 1);
        }
        if (random_chance(&random, 1, 3))
            turn(1);
        if (random_chance(&random, 1, 2)) {
            uint64_t number = take(1, 0);
            taken += number != 0;
            wrong += number != 0 && number != taken;
        }
        if (random_chance(&random, 1, 20))
            timeout(0, 1);
    }
    return wrong;
}

static void random_networks_keep_order(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint32_t wrong = random_run(seed);
        if (wrong != 0)
            fail_msg("seed %llu: %u frames out of order", (unsigned long long)seed, wrong);
        tear_down(state);
        set_up(state);
    }
}

static void order_switched_off_is_noticed(void **state)
{
    (void)state;
    memset(ends, 0, sizeof ends);
    make(0, true);
    make(1, true);
    assert_true(random_run(1) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_frame_is_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_take_stops_the_sender, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_large_frame_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(acknowledgement_of_what_was_never_sent_is_ignored, set_up, tear_down),
        cmocka_unit_test_setup_teardown(new_incarnation_begins_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(random_networks_keep_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(order_switched_off_is_noticed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
