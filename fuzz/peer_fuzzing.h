/* Bytes from other nodes, into a whole node of a three-node group: what the fuzzers of each protocol share (peer_fuzz.c,
 * peer_paxos_fuzz.c). A fuzzer names its protocol and says what an obliging node 2 answers. The peers can be obliging, so that the node
 * leads, replicates and writes checkpoints while it gets bad bytes. The input is a script: bytes as they come, messages that are
 * sealed properly around any body, the node's own messages sent back to it changed, answers that make it leader,
 * fragments, lost connections, greetings, requests, and time. What must hold for all bytes: no sanitizer complains, the
 * node says only what is a whole and well sealed message, and the protocol's own check finds nothing.
 *
 * An operation is a byte that says what, a byte that says how, a byte of length, and so many bytes. */
#ifndef LOCKSTEP_FUZZ_PEER_FUZZING_H
#define LOCKSTEP_FUZZ_PEER_FUZZING_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/header.h"
#include "node/node.h"
#include "protocol/registry.h"
#include "service/commands.h"
#include "service/registry.h"
#include "storage/disk_testing.h"

enum { GROUP = 0, OPERATIONS_MAX = 300, INPUT_MAX = 1 << 17, HEARD_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What differs: PEER_PROTOCOL is the protocol's name, defined before this header is included, and here node 2 does what
 * the candidate or leader hopes for, who sent it this message. */
static void oblige_message(uint16_t type, struct span bytes);

static uint8_t region[160 << 20] __attribute__((aligned(4096)));
static uint8_t disk_region[64 << 20] __attribute__((aligned(4096)));
static const uint32_t members[] = {1, 2, 3};
static const uint32_t peers[] = {2, 3};
static struct disk_testing disk;
static struct group_spec spec;
static struct node_options options;
static struct node *node;
static int64_t now_ns;
static uint64_t stream;
static uint8_t input[INPUT_MAX]; /* what was received stays here until the turn */
static uint8_t heard[HEARD_MAX]; /* the node's last messages to node 2 */
static size_t heard_size;

static void answered(void *context, uint64_t cookie, const struct answer *answer)
{
    (void)context;
    invariant(cookie != 0 && (answer->bytes.size == 0 || answer->bytes.data != NULL), "an answer is whole");
}

static void open_node(bool init)
{
    spec = (struct group_spec){.group = GROUP, .name = "fuzz", .self = 1, .members = members, .member_count = 3, .k = 1,
                               .protocol = protocol_find(PEER_PROTOCOL), .service = service_find("kv")};
    spec_defaults(&spec.tuning);
    spec.tuning.log_entries_max = 512;
    spec.tuning.service_heap_bytes = 8 << 20;
    spec.tuning.service_bytes_max = 1 << 20;
    spec.tuning.command_bytes_max = 1 << 16;
    spec.tuning.append_bytes_max = 1 << 16;
    spec.tuning.checkpoint_log_bytes = 1 << 14;
    node_options_default(&options);
    options.id = 1;
    options.cluster = 3;
    options.client_address = "127.0.0.1:7001";
    options.peers = peers;
    options.peer_count = 2;
    options.groups = &spec;
    options.group_count = 1;
    options.init = init;
    options.disk = &disk.door;
    options.wal_segment_bytes = 1 << 16;
    options.window = 64;
    options.peer_output_bytes_max = 1 << 20;
    options.working_bytes = 32 << 20;
    options.now_ns = options.wall_ns = now_ns;
    size_t size = (node_heap_size(&options) + 4095) & ~(size_t)4095;
    invariant(size <= sizeof region, "the region has room for the node");
    char why[256];
    int error = node_create(&node, heap_init(region, size), &options, why, sizeof why);
    invariant(error == 0, "a healthy directory opens");
    node_set_door(node, &(struct node_door){.answer = answered});
}

/* What the node says must be what another node would take. */
static void listen_to(uint32_t peer)
{
    struct span out = node_output(node, peer);
    for (size_t at = 0; at < out.size;) {
        struct header header;
        invariant(out.size - at >= HEADER_SIZE, "output consists of whole messages");
        header_decode(out.data + at, &header);
        struct span body = span_of(out.data + at + HEADER_SIZE, header.length);
        invariant(header.magic == HEADER_MAGIC && header.length <= NODE_FRAME_SIZE_MAX && header.sender == 1 &&
                      body.size <= out.size - at - HEADER_SIZE &&
                      header_crc(0, out.data + at, body, (struct span){0}) == header.crc,
                  "output is well sealed");
        at += HEADER_SIZE + body.size;
    }
    if (peer == 2 && out.size > 0) {
        heard_size = out.size < HEARD_MAX ? out.size : HEARD_MAX;
        memcpy(heard, out.data, heard_size);
    }
    node_output_sent(node, peer, out.size);
}

static void turn(void)
{
    for (int turns = 0; turns < 50; turns++) {
        node_turn(node, now_ns, now_ns + NS_PER_S);
        const char *wrong = spec.protocol->check(node_member(node, GROUP));
        if (wrong != NULL)
            panic_at(__FILE__, __LINE__, wrong);
        listen_to(2);
        listen_to(3);
        if (node_write(node) != 1 && !node_wants_turn(node))
            return;
    }
}

/* The peer is gone when it breaks the framing, and comes back. */
static void receive(uint32_t peer, size_t size)
{
    if (node_receive(node, peer, input, size) < 0) {
        node_peer_lost(node, peer);
        node_peer_connected(node, peer, 5, span_string("127.0.0.1:7002"));
    }
    turn();
}

static struct header header_of(uint32_t peer, uint16_t type)
{
    return (struct header){.magic = HEADER_MAGIC, .version = HEADER_VERSION, .type = type, .kind = HEADER_MESSAGE,
                           .group = GROUP, .sender = peer, .incarnation = 5};
}

static void receive_sealed(struct header header, struct span body)
{
    header.length = (uint32_t)body.size;
    header_seal(0, &header, body, (struct span){0}, input);
    if (body.size > 0)
        memmove(input + HEADER_SIZE, body.data, body.size);
    receive(header.sender == 3 ? 3 : 2, HEADER_SIZE + body.size);
}

/* Any body in a message of its type, or (how's high bit) of the nodes themselves; with any header fields behind it. */
static void structured(uint8_t how, struct span bytes, bool forged)
{
    struct header header = header_of(2 + (how & 1u), (uint16_t)(how >> 1) % 16);
    if ((how & 0x80) != 0)
        header.kind = HEADER_NODE;
    if (forged && bytes.size > 4) {
        header.kind = bytes.data[0] % 6;
        header.group = bytes.data[1] & 1u;
        header.slot = bytes.data[2];
        header.version = (uint8_t)(bytes.data[3] & 3);
        bytes = span_of(bytes.data + 4, bytes.size - 4);
    }
    receive_sealed(header, bytes);
}

/* A message in two fragments, of which the second may not follow. */
static void fragments(uint8_t how, struct span bytes)
{
    static uint8_t whole[HEADER_SIZE + 256];
    struct header inner = header_of(2, (uint16_t)(how % spec.protocol->messages.count)), outer = inner;
    inner.length = (uint32_t)bytes.size;
    header_seal(0, &inner, bytes, (struct span){0}, whole);
    if (bytes.size > 0)
        memcpy(whole + HEADER_SIZE, bytes.data, bytes.size);
    size_t size = HEADER_SIZE + bytes.size, cut = size / 2;
    outer.kind = HEADER_FRAGMENT;
    outer.sequence = ++stream;
    outer.synced = size;
    receive_sealed(outer, span_of(whole, cut));
    if ((how & 0x80) != 0)
        return;
    outer.position = cut;
    receive_sealed(outer, span_of(whole + cut, size - cut));
}

/* One of the node's own messages comes back, from 2, with some bytes of its body changed. */
static void echo(uint8_t how, struct span bytes)
{
    size_t at = 0;
    struct header header;
    for (uint8_t skip = how % 8;; skip--) {
        if (heard_size - at < HEADER_SIZE)
            return;
        header_decode(heard + at, &header);
        if (header.length > heard_size - at - HEADER_SIZE)
            return;
        if (skip == 0)
            break;
        at += HEADER_SIZE + header.length;
    }
    static uint8_t body[NODE_FRAME_SIZE_MAX];
    memcpy(body, heard + at + HEADER_SIZE, header.length);
    for (size_t i = 0; i + 1 < bytes.size && header.length > 0; i += 2)
        body[bytes.data[i] % header.length] ^= bytes.data[i + 1];
    header.sender = 2;
    header.incarnation = 5;
    header.position = 0;
    receive_sealed(header, span_of(body, header.length));
}

static void reply(uint16_t type, const void *message)
{
    uint8_t body[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    size_t size = message_encode(&spec.protocol->messages.types[type], message, body, &tail);
    receive_sealed(header_of(2, type), span_of(body, size));
}

/* Each message that node 2 heard last is answered. */
static void oblige(void)
{
    static uint8_t copy[HEARD_MAX];
    size_t size = heard_size;
    memcpy(copy, heard, size);
    for (size_t at = 0; size - at >= HEADER_SIZE;) {
        struct header header;
        header_decode(copy + at, &header);
        if (header.length > size - at - HEADER_SIZE)
            return;
        if (header.kind == HEADER_MESSAGE)
            oblige_message(header.type, span_of(copy + at + HEADER_SIZE, header.length));
        at += HEADER_SIZE + header.length;
    }
}

static void request(uint8_t how, struct span bytes)
{
    bool read = (how & 1) != 0;
    if (!node_request_room(node, GROUP, read))
        return;
    struct buffer *out = node_request_begin(node, GROUP, read);
    size_t at = command_begin(out, read ? OP_GET : OP_SET, 0, read ? 1 : 2);
    bool good = at != SIZE_MAX && command_argument(out, span_string("key")) && (read || command_argument(out, bytes));
    invariant(good, "a request has room");
    command_end(out, at);
    node_request_commit(node, GROUP, read, 1);
    turn();
}

static void greet(uint8_t how, struct span bytes)
{
    uint8_t copy[NODE_GREETING_SIZE_MAX + 256];
    size_t size = node_greeting(node, copy);
    struct header header;
    header_decode(copy, &header);
    for (size_t i = 0; i + 1 < bytes.size; i += 2)
        copy[bytes.data[i] % size] ^= bytes.data[i + 1];
    if ((how & 1) != 0)
        store_u32(copy, header_crc(0, copy, span_of(copy + HEADER_SIZE, size - HEADER_SIZE), (struct span){0}));
    struct greeting greeting;
    char why[64];
    int64_t taken = node_greeting_read(node, span_of(copy, how % (size + 1)), &greeting, why, sizeof why);
    invariant(taken <= (int64_t)size, "no more is taken than was given");
}

static void operate(uint8_t what, uint8_t how, struct span bytes)
{
    switch (what % 11) {
    case 0:
        if (bytes.size > 0)
            memcpy(input, bytes.data, bytes.size);
        receive(2 + (how & 1u), bytes.size);
        break;
    case 1: structured(how, bytes, false); break;
    case 2: structured(how, bytes, true); break;
    case 3: fragments(how, bytes); break;
    case 4:
    case 5: echo(how, bytes); break;
    case 6: oblige(); break;
    case 7: request(how, bytes); break;
    case 8: greet(how, bytes); break;
    case 9:
        node_peer_lost(node, 2);
        turn();
        node_peer_connected(node, 2, 5 + (how & 1u), span_of(bytes.data, bytes.size));
        turn();
        break;
    default:
        now_ns += (int64_t)how * 4 * NS_PER_MS;
        turn();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct heap *disk_heap = heap_init(disk_region, sizeof disk_region);
    disk_testing_init(&disk, disk_heap, 1);
    now_ns = NS_PER_S;
    stream = heard_size = 0;
    open_node((data[0] & 1) == 0);
    turn();
    node_peer_connected(node, 2, 5, span_string("127.0.0.1:7002"));
    node_peer_connected(node, 3, 5, span_string("127.0.0.1:7003"));
    turn();
    data++, size--;
    for (int i = 0; i < OPERATIONS_MAX && size >= 3 && node_failure(node) == NULL; i++) {
        size_t length = data[2] < size - 3 ? data[2] : size - 3;
        operate(data[0], data[1], span_of(data + 3, length));
        data += 3 + length;
        size -= 3 + length;
    }
    node_destroy(node);
    disk_testing_free(&disk);
    return 0;
}

#endif
