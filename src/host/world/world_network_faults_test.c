/* Omissions, bandwidth and early messages: each strikes whom it names, changes nothing else, and is keyed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "contract/header.h"
#include "host/world/world_network.h"

enum { SIZE = HEADER_SIZE + 8, MESSAGES = 1000, NODES = 4 };

static struct {
    bool came[MESSAGES];
    int64_t times[MESSAGES];
    uint32_t count;
} arrived;

static struct heap *heap;
static struct network network;

static void sink(void *context, struct packet *packet, int64_t arrival_ns)
{
    (void)context;
    for (size_t at = 0; at < packet->size; at += SIZE) {
        const uint8_t *message = packet->parcel->bytes + packet->offset + at;
        struct header header;
        header_decode(message, &header);
        /* An omission never invents content. */
        assert_int_equal(header.crc, header_crc(0, message, span_of(message + HEADER_SIZE, 8), (struct span){0}));
        uint32_t number = load_u32(message + HEADER_SIZE);
        assert_false(arrived.came[number]);
        arrived.came[number] = true;
        arrived.times[number] = arrival_ns;
        arrived.count++;
    }
    packet_free(&network, packet);
}

static int begin(void **state)
{
    (void)state;
    memset(&arrived, 0, sizeof arrived);
    heap = heap_create_system(16 << 20);
    network_init(&network, heap, 1, NODES);
    return 0;
}

static int end(void **state)
{
    (void)state;
    network_free(&network);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
    return 0;
}

static void send(uint32_t from, uint32_t to, uint32_t number, int64_t now_ns)
{
    uint8_t bytes[SIZE], body[8] = {0};
    store_u32(body, number);
    struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .length = sizeof body};
    header_seal(0, &header, span_of(body, sizeof body), (struct span){0}, bytes);
    memcpy(bytes + HEADER_SIZE, body, sizeof body);
    network_send(&network, from, to, span_of(bytes, sizeof bytes), UINT32_MAX, now_ns, sink, NULL);
}

static uint32_t send_many(uint32_t from, uint32_t to)
{
    memset(&arrived, 0, sizeof arrived);
    for (uint32_t i = 0; i < MESSAGES; i++)
        send(from, to, i, (int64_t)i);
    return arrived.count;
}

static void a_send_omission_strikes_its_sender_only(void **state)
{
    (void)state;
    network_omit_send(&network, 1, 300, 5);
    uint32_t count = send_many(1, 2);
    assert_in_range(count, 600, 800);
    assert_int_equal(network.illness.send_omitted, MESSAGES - count);
    assert_int_equal(send_many(2, 1), MESSAGES);
    assert_int_equal(send_many(0, 2), MESSAGES);
    assert_int_equal(network.illness.receive_omitted, 0);
}

static void a_receive_omission_strikes_its_receiver_only(void **state)
{
    (void)state;
    network_omit_receive(&network, 1, 1000, 5);
    assert_int_equal(send_many(2, 1), 0);
    assert_int_equal(send_many(1, 2), MESSAGES);
    assert_int_equal(network.illness.receive_omitted, MESSAGES);
    network_omit_receive(&network, 1, 0, 0);
    assert_int_equal(send_many(2, 1), MESSAGES);
}

static void the_same_draw_omits_the_same_messages(void **state)
{
    (void)state;
    bool first[MESSAGES];
    for (uint64_t round = 0; round < 3; round++) {
        network_free(&network);
        network_init(&network, heap, 1 + round, NODES); /* the network's own seed does not matter */
        network_omit_send(&network, 0, 500, round < 2 ? 11 : 12);
        send_many(0, 1);
        if (round == 0)
            memcpy(first, arrived.came, sizeof first);
        else if (round == 1)
            assert_memory_equal(first, arrived.came, sizeof first);
    }
    assert_true(memcmp(first, arrived.came, sizeof first) != 0);
}

static void a_narrow_link_lets_bytes_leave_at_its_rate(void **state)
{
    (void)state;
    network.manner.latency_tail_ns = 0;
    network_bandwidth(&network, 0, SIZE * 10); /* ten messages a second */
    for (uint32_t i = 0; i < 20; i++)
        send(0, 1 + i % 2, i, 0);
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(arrived.times[i], (i + 1) * (NS_PER_S / 10) + network.manner.latency_ns);
    assert_int_equal(network.illness.queued, 19);
    send(0, 1, 20, 10 * NS_PER_S); /* the queue has run empty long ago */
    assert_int_equal(arrived.times[20], 10 * NS_PER_S + NS_PER_S / 10 + network.manner.latency_ns);
    send(1, 0, 21, 0);
    assert_int_equal(arrived.times[21], network.manner.latency_ns);
    network_well(&network);
    send(0, 3, 22, 0);
    assert_int_equal(arrived.times[22], network.manner.latency_ns);
}

static void a_narrow_link_loses_what_its_buffer_does_not_hold(void **state)
{
    (void)state;
    network_bandwidth(&network, 0, SIZE * 10);
    for (uint32_t i = 0; i < 30; i++)
        send(0, 1, i, 0);
    assert_int_equal(network.lost, 9); /* the first leaves at once, and two seconds' worth waits */
}

static void early_messages_take_no_time_and_do_not_overtake(void **state)
{
    (void)state;
    send(0, 1, 0, 0);
    network_early(&network, 0, 1, true);
    send(0, 1, 1, 1);
    send(0, 1, 2, NS_PER_S);
    send(0, 2, 3, NS_PER_S);
    assert_true(arrived.times[1] >= arrived.times[0]);
    assert_int_equal(arrived.times[2], NS_PER_S);
    assert_true(arrived.times[3] > NS_PER_S);
    assert_int_equal(network.illness.hastened, 2);
    network_early(&network, 0, 1, false);
    send(0, 1, 4, 2 * NS_PER_S);
    assert_true(arrived.times[4] > 2 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_send_omission_strikes_its_sender_only, begin, end),
        cmocka_unit_test_setup_teardown(a_receive_omission_strikes_its_receiver_only, begin, end),
        cmocka_unit_test_setup_teardown(the_same_draw_omits_the_same_messages, begin, end),
        cmocka_unit_test_setup_teardown(a_narrow_link_lets_bytes_leave_at_its_rate, begin, end),
        cmocka_unit_test_setup_teardown(a_narrow_link_loses_what_its_buffer_does_not_hold, begin, end),
        cmocka_unit_test_setup_teardown(early_messages_take_no_time_and_do_not_overtake, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
