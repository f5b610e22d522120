#include "host/world/world_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/time.h"
#include "contract/header.h"

enum { MESSAGES = 20, PACKETS_MAX = 4096 };

/* What arrives, by its time. */
static struct {
    uint32_t numbers[PACKETS_MAX];
    int64_t times[PACKETS_MAX];
    size_t packets, messages, damaged;
} arrived;

static struct heap *heap;
static struct network network;
static uint8_t bytes[MESSAGES * (HEADER_SIZE + 8)];

/* Messages with a number as their body. */
static struct span lay_out(uint32_t first, uint32_t count)
{
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t body[8] = {0};
        store_u32(body, first + i);
        struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .length = sizeof body};
        header_seal(0, &header, span_of(body, sizeof body), (struct span){0}, bytes + at);
        memcpy(bytes + at + HEADER_SIZE, body, sizeof body);
        at += HEADER_SIZE + sizeof body;
    }
    return span_of(bytes, at);
}

static void sink(void *context, struct packet *packet, int64_t arrival_ns)
{
    (void)context;
    arrived.packets++;
    for (size_t at = 0; at < packet->size; at += HEADER_SIZE + 8) {
        const uint8_t *message = packet->parcel->bytes + packet->offset + at;
        struct header header;
        header_decode(message, &header);
        struct span body = span_of(message + HEADER_SIZE, 8);
        arrived.damaged += header.crc != header_crc(0, message, body, (struct span){0});
        assert_true(arrived.messages < PACKETS_MAX);
        arrived.numbers[arrived.messages] = load_u32(message + HEADER_SIZE);
        arrived.times[arrived.messages++] = arrival_ns;
    }
    packet_free(&network, packet);
}

static int begin(void **state)
{
    (void)state;
    memset(&arrived, 0, sizeof arrived);
    heap = heap_create_system(16 << 20);
    network_init(&network, heap, 1, 4);
    return 0;
}

static int end(void **state)
{
    (void)state;
    network_free(&network);
    assert_int_equal(heap_used(heap), 0); /* every packet and its bytes are gone */
    heap_destroy_system(heap);
    return 0;
}

static void send(uint32_t count, uint32_t count_max, int64_t now_ns)
{
    network_send(&network, 0, 1, lay_out(0, count), count_max, now_ns, sink, NULL);
}

static void a_quiet_network_brings_all_in_order_in_one_packet(void **state)
{
    (void)state;
    send(MESSAGES, UINT32_MAX, NS_PER_S);
    assert_int_equal(arrived.packets, 1);
    assert_int_equal(arrived.messages, MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_int_equal(arrived.numbers[i], i);
    assert_true(arrived.times[0] >= NS_PER_S + network.manner.latency_ns);
}

static void later_packets_do_not_overtake(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 200; i++)
        send(1, UINT32_MAX, i);
    for (size_t i = 1; i < arrived.messages; i++)
        assert_true(arrived.times[i] >= arrived.times[i - 1]);
}

static void a_crash_cuts_at_a_message(void **state)
{
    (void)state;
    send(MESSAGES, 7, 0);
    assert_int_equal(arrived.messages, 7);
    assert_int_equal(network_message_count(lay_out(0, 5)), 5);
    send(MESSAGES, 0, 0);
    assert_int_equal(arrived.messages, 7);
}

static void cuts_have_a_direction(void **state)
{
    (void)state;
    network_cut(&network, 0, 1, true);
    send(1, UINT32_MAX, 0);
    assert_int_equal(arrived.messages, 0);
    assert_false(network_is_cut(&network, 1, 0));
    network_send(&network, 1, 0, lay_out(0, 1), UINT32_MAX, 0, sink, NULL);
    assert_int_equal(arrived.messages, 1);
    network_heal(&network);
    send(1, UINT32_MAX, 0);
    assert_int_equal(arrived.messages, 2);
}

static void lost_messages_leave_the_others_whole(void **state)
{
    (void)state;
    network.manner.loss_ppm = 300000;
    for (int i = 0; i < 50; i++)
        send(MESSAGES, UINT32_MAX, 0);
    assert_int_equal(arrived.messages + network.lost, 50 * MESSAGES);
    assert_in_range(network.lost, 50 * MESSAGES / 5, 50 * MESSAGES / 5 * 2);
    assert_int_equal(arrived.damaged, 0);
}

static void doubled_messages_come_twice(void **state)
{
    (void)state;
    network.manner.duplicate_ppm = 1000000;
    send(MESSAGES, UINT32_MAX, 0);
    assert_int_equal(arrived.messages, 2 * MESSAGES);
    uint32_t seen[MESSAGES] = {0};
    for (size_t i = 0; i < arrived.messages; i++)
        seen[arrived.numbers[i]]++;
    for (uint32_t i = 0; i < MESSAGES; i++)
        assert_int_equal(seen[i], 2);
}

static void reordered_messages_overtake(void **state)
{
    (void)state;
    network.manner.reorder_ppm = 500000;
    bool overtaken = false;
    for (int64_t i = 0; i < 50; i++)
        send(MESSAGES, UINT32_MAX, i);
    for (size_t i = 1; i < arrived.messages; i++)
        overtaken = overtaken || arrived.times[i] < arrived.times[i - 1];
    assert_int_equal(arrived.messages, 50 * MESSAGES);
    assert_true(overtaken);
}

static void corruption_is_seen_by_the_checksum_and_spares_the_original(void **state)
{
    (void)state;
    network.manner.corrupt_ppm = 500000;
    network.manner.duplicate_ppm = 0;
    for (int i = 0; i < 20; i++)
        send(1, UINT32_MAX, 0);
    assert_int_equal(arrived.damaged, network.corrupted);
    assert_true(network.corrupted > 0);
}

static void late_messages_are_late(void **state)
{
    (void)state;
    network.manner.delay_ppm = 1000000;
    network.manner.delay_ns_max = NS_PER_S;
    int64_t latest = 0;
    for (int i = 0; i < 50; i++)
        send(1, UINT32_MAX, 0);
    for (size_t i = 0; i < arrived.messages; i++)
        latest = arrived.times[i] > latest ? arrived.times[i] : latest;
    assert_true(latest > NS_PER_S / 2 && latest < 2 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_quiet_network_brings_all_in_order_in_one_packet, begin, end),
        cmocka_unit_test_setup_teardown(later_packets_do_not_overtake, begin, end),
        cmocka_unit_test_setup_teardown(a_crash_cuts_at_a_message, begin, end),
        cmocka_unit_test_setup_teardown(cuts_have_a_direction, begin, end),
        cmocka_unit_test_setup_teardown(lost_messages_leave_the_others_whole, begin, end),
        cmocka_unit_test_setup_teardown(doubled_messages_come_twice, begin, end),
        cmocka_unit_test_setup_teardown(reordered_messages_overtake, begin, end),
        cmocka_unit_test_setup_teardown(corruption_is_seen_by_the_checksum_and_spares_the_original, begin, end),
        cmocka_unit_test_setup_teardown(late_messages_are_late, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
