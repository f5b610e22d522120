/* The peer codec: bytes from another node, into a whole node with a Raft member of three.
 *
 * The input is a script. Some of its steps hand the node bytes as they are; others wrap them in a header whose magic,
 * length, sender and checksum are right, so that what is behind those checks is reached too. What must hold: no
 * sanitizer complains, and whatever was consumed was whole.
 *
 * A peer whose messages are well formed and contradict each other is an arbitrary failure, which Raft does not mask: a
 * member may then stop on a broken invariant, loudly. That ends the script; it is no finding. */
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include "base/panic.h"
#include "contract/header.h"
#include "node/node.h"
#include "protocol/registry.h"
#include "service/registry.h"
#include "storage/disk_testing.h"

enum { NODE_BYTES = 96 << 20, DISK_BYTES = 16 << 20, STEPS_MAX = 200, MESSAGE_BYTES_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t node_memory[NODE_BYTES] __attribute__((aligned(16)));
static uint8_t disk_memory[DISK_BYTES] __attribute__((aligned(16)));
static uint8_t received[2 * MESSAGE_BYTES_MAX];
static struct disk_testing disk;
static jmp_buf stopped;

static const uint32_t members[] = {1, 2, 3};
static const uint32_t peers[] = {2, 3};

struct script {
    const uint8_t *data;
    size_t size;
};

static uint8_t byte(struct script *script)
{
    if (script->size == 0) return 0;
    script->size--;
    return *script->data++;
}

static struct span take(struct script *script, size_t size)
{
    if (size > script->size) size = script->size;
    struct span bytes = {script->data, size};
    script->data += size;
    script->size -= size;
    return bytes;
}

/* The member stops; memory begins anew with the next input. */
static void on_panic(const char *what, void *argument)
{
    (void)what;
    (void)argument;
    longjmp(stopped, 1);
}

static struct node *make_node(struct group_spec *spec, struct node_options *options)
{
    static char why[256];
    struct heap *disk_heap = heap_init(disk_memory, sizeof disk_memory);
    disk_testing_init(&disk, disk_heap, 1);
    *spec = (struct group_spec){.name = "default",
                                .self = 1,
                                .members = members,
                                .member_count = 3,
                                .k = 1,
                                .protocol = protocol_find("raft"),
                                .service = service_find("kv")};
    spec_defaults(&spec->tuning);
    spec->tuning.log_entries_max = 256;
    spec->tuning.checkpoint_log_bytes = 1 << 16;
    spec->tuning.service_heap_bytes = 2 << 20;
    spec->tuning.command_bytes_max = 1 << 20;
    node_options_default(options);
    options->id = 1;
    options->cluster = 7;
    options->peers = peers;
    options->peer_count = 2;
    options->groups = spec;
    options->group_count = 1;
    options->init = true;
    options->seed = 1;
    options->disk = &disk.door;
    options->wal_segment_bytes = 64 << 10;
    options->window = 64;
    options->working_bytes = 32 << 20;
    options->now_ns = options->wall_ns = 1000000000;
    invariant(node_heap_size(options) <= sizeof node_memory, "the fuzzer's node fits");
    struct node *node;
    invariant(node_create(&node, heap_init(node_memory, sizeof node_memory), options, why, sizeof why) == 0, why);
    return node;
}

static void turn(struct node *node, int64_t now_ns)
{
    for (int rounds = 0; rounds < 8; rounds++) {
        node_turn(node, now_ns, now_ns);
        for (int i = 0; i < 2; i++) node_output_sent(node, peers[i], node_output(node, peers[i]).size);
        if (node_write(node) != 1 && !node_wants_turn(node)) break;
    }
}

/* A message that passes every check of the frame: only its body and the rest of its header are the script's. */
static size_t framed(struct script *script, uint32_t sender, uint8_t *out)
{
    struct header header = {.magic = HEADER_MAGIC, .version = HEADER_VERSION, .sender = sender, .incarnation = 5};
    header.kind = byte(script) % 5;
    header.type = byte(script) % 32;
    header.slot = byte(script) % 2;
    if (header.kind == HEADER_FRAGMENT) {
        header.sequence = byte(script);
        header.position = (uint64_t)byte(script) * 16;
        header.synced = (uint64_t)byte(script) * 64;
    }
    struct span body = take(script, (size_t)byte(script) * 4);
    header.length = (uint32_t)body.size;
    header_seal(0, &header, body, (struct span){0}, out);
    if (body.size > 0) memcpy(out + HEADER_SIZE, body.data, body.size);
    return HEADER_SIZE + body.size;
}

static void receive(struct node *node, uint32_t peer, size_t size)
{
    int64_t taken = node_receive(node, peer, received, size);
    invariant(taken <= (int64_t)size, "no more is consumed than was given");
}

static void step(struct node *node, struct script *script, int64_t *now_ns)
{
    uint8_t what = byte(script);
    uint32_t peer = peers[(what >> 4) & 1];
    size_t size = 0;
    switch (what & 7) {
    case 0: {
        struct greeting greeting;
        char why[128];
        struct span bytes = take(script, byte(script));
        (void)node_greeting_read(node, bytes, &greeting, why, sizeof why);
        break;
    }
    case 1: {
        struct span bytes = take(script, byte(script));
        if (bytes.size > 0) memcpy(received, bytes.data, bytes.size);
        receive(node, peer, bytes.size);
        break;
    }
    case 2:
    case 3:
        size = framed(script, peer, received);
        if (what & 8) size += framed(script, peer, received + size);
        receive(node, peer, size);
        break;
    case 4: *now_ns += (int64_t)byte(script) * 4000000; break;
    case 5:
        if (what & 8) node_peer_lost(node, peer);
        else node_peer_connected(node, peer, 5 + (what >> 5), (struct span){0});
        break;
    default:
        if (node_request_room(node, 0, false)) {
            struct buffer *out = node_request_begin(node, 0, false);
            size_t at = command_begin(out, OP_TICK, 0, 0);
            command_end(out, at);
            node_request_commit(node, 0, false, 1);
        }
        break;
    }
    turn(node, *now_ns); /* what was received lies still until here */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct group_spec spec;
    struct node_options options;
    struct script script = {data, size};
    int64_t now_ns = 1000000000;
    panic_hook_set(NULL, NULL);
    struct node *node = make_node(&spec, &options);
    node_peer_connected(node, 2, 5, (struct span){0});
    node_peer_connected(node, 3, 5, (struct span){0});
    turn(node, now_ns);
    panic_hook_set(on_panic, NULL);
    if (setjmp(stopped) == 0)
        for (int steps = 0; steps < STEPS_MAX && script.size > 0; steps++) step(node, &script, &now_ns);
    panic_hook_set(NULL, NULL);
    return 0;
}
