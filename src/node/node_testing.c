/* The puppet, the tally, and nodes for tests (node_testing.h). */
#include "node/node_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/heap_system.h"
#include "base/number.h"
#include "base/panic.h"
#include "base/time.h"
#include "contract/reply.h"

enum { NOTE_BYTES_MAX = 2 << 20, SETTLE_MAX = 200000, TALLY_PIECE = 4096 };
static const size_t disk_heap_bytes = (size_t)256 << 20;
static const int64_t wall_offset_ns = INT64_C(1700000000) * NS_PER_S;

/* ---- the protocol ---- */

enum puppet_manner puppet_updates_at_start = PUPPET_TAKE;
bool puppet_orders_at_start = true;

static const struct field note_fields[] = {MESSAGE_FIELDS(puppet_note, PUPPET_NOTE_FIELDS)};
static const struct field entry_fields[] = {MESSAGE_FIELDS(puppet_entry, PUPPET_ENTRY_FIELDS)};
static const struct field mark_fields[] = {MESSAGE_FIELDS(puppet_mark, PUPPET_MARK_FIELDS)};
static const struct message_type message_types[] = {MESSAGE_TYPE("NOTE", puppet_note, note_fields)};
static const struct message_type record_types[] = {MESSAGE_TYPE("ENTRY", puppet_entry, entry_fields),
                                                   MESSAGE_TYPE("MARK", puppet_mark, mark_fields)};
static const struct message_table messages = {message_types, 1};
static const struct message_table records = {record_types, 2};

static const uint8_t *pattern(void)
{
    static uint8_t bytes[NOTE_BYTES_MAX];
    if (bytes[1] == 0)
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i * 31 + i / 251);
    return bytes;
}

uint32_t puppet_note_crc(size_t size)
{
    return crc32c(0, pattern(), size);
}

struct effect_send *puppet_send(struct effects *out, uint32_t to, uint64_t value, size_t size)
{
    const struct puppet_note note = {.value = value, .bytes = {pattern(), size}};
    return effect_send_one(out, &messages, 0, PUPPET_NOTE, &note, to);
}

uint64_t puppet_mark(struct effects *out, uint64_t value)
{
    const struct puppet_mark mark = {.value = value};
    return effect_store(out, &records, 0, PUPPET_MARK, &mark);
}

static void push_entry(struct puppet *puppet, struct puppet_stored entry)
{
    invariant(puppet->entries_tail - puppet->entries_head < PUPPET_ENTRIES_MAX, "a test stores few entries");
    puppet->entries[puppet->entries_tail++ % PUPPET_ENTRIES_MAX] = entry;
}

static void deliver_stored(struct puppet *puppet, struct effects *out)
{
    for (int i = 0; i < PUPPET_DELIVERIES_A_STEP && puppet->entries_head < puppet->entries_tail; i++) {
        const struct puppet_stored *entry = &puppet->entries[puppet->entries_head % PUPPET_ENTRIES_MAX];
        if (entry->position > puppet->stored || puppet->adopting) return;
        puppet->entries_head++;
        puppet->delivered_index = entry->index + entry->count - 1;
        struct effect_deliver *deliver = effect_deliver_record(out, entry->index, entry->time_ns, entry->position);
        deliver->result = puppet->results;
        deliver->tag = entry->index;
    }
    if (puppet->entries_head < puppet->entries_tail &&
        puppet->entries[puppet->entries_head % PUPPET_ENTRIES_MAX].position <= puppet->stored)
        effect_again(out);
}

static void on_restore(struct puppet *puppet, const struct event_restore *restore)
{
    if (restore->kind == RESTORE_PART) puppet->delivered_index = puppet->next_index = restore->index;
    if (restore->kind != RESTORE_RECORD || restore->type != PUPPET_ENTRY) return;
    const struct puppet_entry *entry = restore->body;
    struct bundle bundle;
    bundle_header_read(entry->bundle.data, &bundle);
    uint64_t last = entry->index + bundle.count - 1;
    if (last <= puppet->delivered_index) return;
    push_entry(puppet, (struct puppet_stored){restore->position, entry->index, bundle.count, entry->time_ns});
    puppet->next_index = last;
}

static void on_update(struct puppet *puppet, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    switch (puppet->updates) {
    case PUPPET_TAKE: {
        const struct puppet_entry entry = {puppet->next_index + 1, event->wall_ns, request->bytes};
        uint64_t position = effect_store(out, &records, 0, PUPPET_ENTRY, &entry);
        push_entry(puppet, (struct puppet_stored){position, entry.index, request->count, entry.time_ns});
        puppet->next_index += request->count;
        break;
    }
    case PUPPET_KEEP: break;
    case PUPPET_AGAIN:
        effect_reply(out, REPLY_AGAIN, false, request->first_number, request->count, (struct span){0});
        break;
    case PUPPET_REFUSE:
        effect_reply(out, REPLY_REFUSED, false, request->first_number, request->count, span_string("NO not this"));
        break;
    }
}

static void on_read(struct puppet *puppet, const struct event *event, struct effects *out)
{
    const struct event_request *request = &event->request;
    switch (puppet->reads) {
    case PUPPET_TAKE:
        if (request->origin != 0)
            effect_deliver_looks(out, puppet->delivered_index, event->wall_ns, request->first_number, request->count);
        else
            effect_deliver_reads(out, puppet->delivered_index, event->wall_ns, request->first_number, request->count);
        break;
    case PUPPET_KEEP: break;
    case PUPPET_AGAIN:
        effect_reply(out, REPLY_AGAIN, true, request->first_number, request->count, (struct span){0});
        break;
    case PUPPET_REFUSE:
        effect_reply(out, REPLY_REFUSED, true, request->first_number, request->count, span_string("NO not this"));
        break;
    }
}

static void on_request(struct puppet *puppet, const struct event *event, struct effects *out)
{
    switch (event->request.kind) {
    case REQUEST_UPDATE: on_update(puppet, event, out); break;
    case REQUEST_READ: on_read(puppet, event, out); break;
    case REQUEST_COUNT:
        if (puppet->count_answer > 0)
            effect_reply(out, REPLY_COUNT, false, event->request.first_number, 1, (struct span){0})->count_stored =
                puppet->count_answer;
        break;
    case REQUEST_CALL: break;
    }
}

static struct puppet_seen summary(const struct event *event)
{
    struct puppet_seen seen = {.kind = event->kind, .now_ns = event->now_ns};
    switch (event->kind) {
    case EVENT_RESTORE:
        seen.a = event->restore.kind, seen.b = event->restore.position, seen.c = event->restore.index;
        break;
    case EVENT_START:
        seen.a = event->start.kind, seen.b = event->start.position, seen.c = event->start.incarnation;
        break;
    case EVENT_STORED: seen.a = event->stored.position, seen.b = event->stored.room_bytes; break;
    case EVENT_RESULT: seen.a = event->result.tag; break;
    case EVENT_STATE:
        seen.a = event->state.kind, seen.b = event->state.index, seen.c = event->state.position;
        break;
    case EVENT_PEER: seen.a = event->peer.node, seen.b = event->peer.state; break;
    case EVENT_MESSAGE: {
        const struct puppet_note *note = event->message.body;
        seen.a = note->value, seen.b = note->bytes.size, seen.c = event->message.from.node;
        seen.crc = crc32c(0, note->bytes.data, note->bytes.size);
        break;
    }
    case EVENT_REQUEST:
        seen.a = event->request.kind, seen.b = event->request.first_number, seen.c = event->request.first_incomplete;
        seen.origin = event->request.origin;
        break;
    case EVENT_TIMEOUT: seen.a = event->timeout.name, seen.b = event->timeout.key; break;
    case EVENT_TURN: break;
    }
    return seen;
}

static void puppet_step(void *self, const struct event *event, struct effects *out)
{
    struct puppet *puppet = self;
    if (puppet->seen_count < PUPPET_SEEN_MAX) puppet->seen[puppet->seen_count++] = summary(event);
    switch (event->kind) {
    case EVENT_RESTORE: on_restore(puppet, &event->restore); break;
    case EVENT_START:
        puppet->stored = event->start.position;
        puppet->amnesiac = event->start.kind == START_AMNESIAC;
        if (puppet_orders_at_start) effect_view(out, 1, puppet->spec->self);
        break;
    case EVENT_STORED:
        puppet->stored = event->stored.position;
        deliver_stored(puppet, out);
        break;
    case EVENT_REQUEST: on_request(puppet, event, out); break;
    case EVENT_TURN: deliver_stored(puppet, out); break;
    case EVENT_STATE:
        puppet->adopting = false;
        if (event->state.kind == STATE_ADOPTED) puppet->delivered_index = puppet->next_index = event->state.index;
        break;
    case EVENT_RESULT: case EVENT_PEER: case EVENT_MESSAGE: case EVENT_TIMEOUT: break;
    }
    if (puppet->script != NULL) puppet->script(puppet, event, out);
}

static void *puppet_create(struct heap *heap, const struct group_spec *spec, uint64_t seed)
{
    (void)seed;
    struct puppet *puppet = heap_alloc_zero(heap, sizeof *puppet);
    puppet->spec = spec;
    puppet->updates = puppet_updates_at_start;
    return puppet;
}

static size_t puppet_heap_size(const struct group_spec *spec)
{
    (void)spec;
    return sizeof(struct puppet) + 65536;
}

static uint32_t puppet_effects_max(const struct group_spec *spec)
{
    (void)spec;
    return 128;
}

static size_t puppet_scratch_max(const struct group_spec *spec)
{
    (void)spec;
    return 128 * EFFECT_SCRATCH_SIZE_MAX;
}

static const char *puppet_check(void *self)
{
    (void)self;
    return NULL;
}

static void puppet_status(const void *self, struct member_status *out)
{
    const struct puppet *puppet = self;
    *out = (struct member_status){.role = "puppet", .applied_index = puppet->delivered_index,
                                  .last_index = puppet->delivered_index, .voter = !puppet->amnesiac};
}

static const char *const no_ablations[] = {NULL};

const struct protocol puppet_protocol = {
    .name = "puppet", .question = "consensus", .summary = "does as a test tells it",
    .order = ORDER_TOTAL, .atomic = true, .durable = true, .masks = MASKS_CRASH,
    .members_for_k = MEMBERS_ANY, .maturity = MATURITY_LAB,
    .messages = {message_types, 1}, .records = {record_types, 2}, .ablations = no_ablations,
    .heap_size = puppet_heap_size, .effects_max = puppet_effects_max, .scratch_max = puppet_scratch_max,
    .create = puppet_create, .step = puppet_step, .check = puppet_check, .status = puppet_status,
};

/* ---- the service ---- */

static void *tally_create(struct heap *heap, const struct group_spec *spec)
{
    (void)spec;
    struct tally *tally = heap_alloc_zero(heap, sizeof *tally);
    tally->heap = heap;
    return tally;
}

static void tally_say(struct buffer *reply, int64_t size)
{
    reply_bulk(reply, span_of(pattern(), (size_t)size));
}

static void tally_deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    struct tally *tally = self;
    struct span rest = delivery->command.arguments, text;
    int64_t number = 0;
    if (argument_next(&rest, &text)) number_parse_i64(text, &number);
    switch (delivery->command.op) {
    case OP_TICK:
        tally->ticks++;
        out->tick_at_ns = SERVICE_NO_TICK;
        reply_simple(out->reply, "OK");
        return;
    case TALLY_ADD: tally->total += delivery->read ? 0 : number; break;
    case TALLY_WAKE: out->tick_at_ns = number; break;
    case TALLY_SAY: tally_say(out->reply, number); return;
    case TALLY_GROW: tally->padding = (uint64_t)number; break;
    case TALLY_CALL:
        out->calls[out->call_count++] =
            (struct service_call){.to = {(uint32_t)number, BENCH_GROUP}, .bytes = delivery->command.whole};
        break;
    default: break; /* TALLY_GET; and ticks after a restart that nobody wants */
    }
    reply_integer(out->reply, tally->total);
}

static uint8_t padding_at(uint64_t place) { return (uint8_t)(place * 7 + place / 255); }

static void tally_checkpoint_begin(void *self)
{
    struct tally *tally = self;
    tally->frozen_total = tally->total;
    tally->frozen_padding = tally->padding;
    tally->frozen_ticks = tally->ticks;
    tally->frozen_at = 0;
}

static bool tally_checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct tally *tally = self;
    if (tally->frozen_at == 0) {
        uint8_t *head = buffer_grow(out, sizeof tally->head);
        store_u64(head, (uint64_t)tally->frozen_total);
        store_u64(head + 8, tally->frozen_padding);
        store_u64(head + 16, tally->frozen_ticks);
    }
    for (size_t i = 0; i < bytes && tally->frozen_at < tally->frozen_padding; i++) {
        uint8_t byte = padding_at(tally->frozen_at++);
        buffer_append(out, &byte, 1);
    }
    return tally->frozen_at < tally->frozen_padding;
}

static void tally_checkpoint_end(void *self) { ((struct tally *)self)->frozen_at = 0; }

static void tally_restore_begin(void *self)
{
    struct tally *tally = self;
    tally->restored = 0;
    tally->malformed = false;
}

static bool tally_restore_next(void *self, struct span bytes)
{
    struct tally *tally = self;
    for (size_t i = 0; i < bytes.size; i++, tally->restored++) {
        if (tally->restored < sizeof tally->head) tally->head[tally->restored] = bytes.data[i];
        else if (bytes.data[i] != padding_at(tally->restored - sizeof tally->head)) tally->malformed = true;
    }
    return !tally->malformed;
}

static bool tally_restore_end(void *self)
{
    struct tally *tally = self;
    tally->total = (int64_t)load_u64(tally->head);
    tally->padding = load_u64(tally->head + 8);
    tally->ticks = load_u64(tally->head + 16);
    return !tally->malformed && tally->restored == sizeof tally->head + tally->padding;
}

static uint64_t tally_digest(void *self)
{
    const struct tally *tally = self;
    return (uint64_t)tally->total * 31 + tally->padding;
}

static uint64_t tally_bytes(const void *self) { return ((const struct tally *)self)->padding; }
static uint64_t tally_items(const void *self) { return (uint64_t)((const struct tally *)self)->total; }

const struct service tally_service = {
    .name = "tally", .needs_order = ORDER_TOTAL, .needs_atomic = true, .needs_durable = true,
    .create = tally_create, .deliver = tally_deliver,
    .checkpoint_begin = tally_checkpoint_begin, .checkpoint_next = tally_checkpoint_next,
    .checkpoint_end = tally_checkpoint_end, .restore_begin = tally_restore_begin,
    .restore_next = tally_restore_next, .restore_end = tally_restore_end,
    .digest = tally_digest, .bytes_used = tally_bytes, .item_count = tally_items,
};

/* ---- nodes ---- */

static void answered(void *context, uint64_t cookie, const struct answer *answer)
{
    struct machine *machine = context;
    invariant(machine->answer_count < BENCH_ANSWERS_MAX, "a test asks little");
    struct bench_answer *kept = &machine->answers[machine->answer_count++];
    *kept = (struct bench_answer){
        .cookie = cookie, .index = answer->index, .kind = answer->kind, .count = answer->count};
    size_t size = answer->bytes.size < sizeof kept->text - 1 ? answer->bytes.size : sizeof kept->text - 1;
    if (size > 0) memcpy(kept->text, answer->bytes.data, size);
}

static void machine_init(struct bench *bench, uint32_t place, const struct protocol *protocol,
                         const struct service *service)
{
    struct machine *machine = &bench->machines[place];
    machine->bench = bench;
    machine->id = place + 1;
    machine->disk_heap = heap_create_system(disk_heap_bytes);
    disk_testing_init(&machine->disk, machine->disk_heap, machine->id);
    snprintf(machine->address, sizeof machine->address, "127.0.0.1:%u", 7000 + machine->id);
    machine->spec = (struct group_spec){.group = BENCH_GROUP,
                                        .name = "bench",
                                        .self = machine->id,
                                        .members = bench->members,
                                        .member_count = bench->node_count,
                                        .k = (bench->node_count - 1) / 2,
                                        .protocol = protocol,
                                        .service = service};
    spec_defaults(&machine->spec.tuning);
    machine->spec.tuning.service_heap_bytes = (size_t)16 << 20;
    node_options_default(&machine->options);
    uint32_t count = 0;
    for (uint32_t i = 0; i < bench->node_count; i++)
        if (i != place) machine->peers[count++] = bench->members[i];
    machine->options.id = machine->id;
    machine->options.cluster = 77;
    machine->options.client_address = machine->address;
    machine->options.peers = machine->peers;
    machine->options.peer_count = count;
    machine->options.groups = &machine->spec;
    machine->options.group_count = 1;
    machine->options.disk = &machine->disk.door;
    machine->options.wal_segment_bytes = 1 << 20;
    machine->options.window = BENCH_WINDOW;
    machine->options.working_bytes = (size_t)512 << 20;
    machine->options.request_timeout_ns = 5 * NS_PER_S;
}

struct bench *bench_create(uint32_t node_count, const struct protocol *protocol, const struct service *service)
{
    struct bench *bench = calloc(1, sizeof *bench);
    invariant(bench != NULL && node_count <= BENCH_NODES_MAX, "a test has memory");
    puppet_updates_at_start = PUPPET_TAKE;
    puppet_orders_at_start = true;
    bench->node_count = node_count;
    bench->now_ns = NS_PER_S;
    for (uint32_t i = 0; i < node_count; i++) bench->members[i] = i + 1;
    for (uint32_t i = 0; i < node_count; i++) machine_init(bench, i, protocol, service);
    return bench;
}

void bench_free(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->node_count; i++) {
        struct machine *machine = &bench->machines[i];
        if (machine->node != NULL) machine_stop(machine);
        heap_destroy_system(machine->disk_heap);
    }
    free(bench);
}

struct machine *bench_machine(struct bench *bench, uint32_t id) { return &bench->machines[id - 1]; }

struct node_door machine_door(struct machine *machine)
{
    return (struct node_door){.context = machine, .answer = answered};
}

int machine_start(struct machine *machine, bool init)
{
    struct node_options *options = &machine->options;
    options->init = init;
    options->seed++;
    options->now_ns = machine->bench->now_ns;
    options->wall_ns = machine->bench->now_ns + wall_offset_ns;
    machine->heap = heap_create_system((node_heap_size(options) + 65535) & ~(size_t)65535);
    invariant(machine->heap != NULL, "a test has memory");
    machine->why[0] = 0;
    int error = node_create(&machine->node, machine->heap, options, machine->why, sizeof machine->why);
    if (error < 0) {
        machine->node = NULL;
        heap_destroy_system(machine->heap);
        for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) machine->disk.files[i].open_count = 0;
        return error;
    }
    struct node_door door = machine_door(machine);
    node_set_door(machine->node, &door);
    return 0;
}

static void machine_gone(struct machine *machine)
{
    struct bench *bench = machine->bench;
    heap_destroy_system(machine->heap);
    machine->node = NULL;
    for (uint32_t i = 0; i < bench->node_count; i++)
        if (bench->machines[i].node != NULL) node_peer_lost(bench->machines[i].node, machine->id);
}

void machine_crash(struct machine *machine)
{
    disk_testing_crash(&machine->disk);
    machine_gone(machine);
}

void machine_stop(struct machine *machine)
{
    machine_disk(machine);
    node_destroy(machine->node);
    machine_gone(machine);
}

void bench_connect(struct bench *bench, uint32_t a, uint32_t b)
{
    struct machine *ends[2] = {bench_machine(bench, a), bench_machine(bench, b)};
    for (int i = 0; i < 2; i++)
        node_peer_connected(ends[i]->node, ends[!i]->id, node_incarnation(ends[!i]->node),
                            span_string(ends[!i]->address));
}

void machine_turn(struct machine *machine)
{
    int64_t now_ns = machine->bench->now_ns;
    node_turn(machine->node, now_ns, now_ns + wall_offset_ns);
}

void machine_disk(struct machine *machine)
{
    while (machine->disk.pending_count > 0) {
        int status;
        uint64_t token = disk_testing_complete(&machine->disk, 0, &status);
        if (machine->node != NULL) node_disk_complete(machine->node, token, status);
    }
}

void machine_settle(struct machine *machine)
{
    int turns = 0;
    bool done = true;
    do {
        machine_turn(machine);
        done = node_write(machine->node) != 1 && !node_wants_turn(machine->node);
        invariant(++turns < SETTLE_MAX, "a node comes to rest");
    } while (!done && node_failure(machine->node) == NULL);
}

/* Copies what may arrive. */
static size_t let_through(struct bench *bench, struct span bytes, uint8_t *out)
{
    size_t size = 0;
    for (size_t at = 0; at < bytes.size;) {
        struct header header;
        header_decode(bytes.data + at, &header);
        size_t whole = HEADER_SIZE + (size_t)header.length;
        if (bench->lose != NULL && bench->lose(bench, &header)) {
            bench->lost++;
        } else {
            memcpy(out + size, bytes.data + at, whole);
            size += whole;
        }
        at += whole;
    }
    return size;
}

/* In pieces, as a socket would give them: what is not taken is given again with what follows. */
static void give(struct bench *bench, struct machine *to, uint32_t from, const uint8_t *bytes, size_t size)
{
    size_t piece = bench->piece_bytes == 0 ? size : bench->piece_bytes;
    size_t taken = 0;
    for (size_t end = piece; taken < size; end += piece) {
        if (end > size) end = size;
        int64_t result = node_receive(to->node, from, bytes + taken, end - taken);
        invariant(result >= 0, "nodes speak with each other properly");
        taken += (size_t)result;
        invariant(end < size || taken == size, "output consists of whole messages");
    }
}

bool bench_carry(struct bench *bench, uint32_t from, uint32_t to)
{
    struct machine *sender = bench_machine(bench, from), *receiver = bench_machine(bench, to);
    if (sender->node == NULL) return false;
    struct span bytes = node_output(sender->node, to);
    if (bytes.size == 0) return false;
    uint8_t *copy = malloc(bytes.size);
    invariant(copy != NULL, "a test has memory");
    size_t size = let_through(bench, bytes, copy);
    node_output_sent(sender->node, to, bytes.size);
    if (receiver->node != NULL) {
        give(bench, receiver, from, copy, size);
        machine_turn(receiver);
    }
    free(copy);
    return true;
}

void bench_settle(struct bench *bench)
{
    bool moved = true;
    for (int rounds = 0; moved; rounds++) {
        moved = false;
        for (uint32_t i = 0; i < bench->node_count; i++) {
            if (bench->machines[i].node == NULL) continue;
            machine_settle(&bench->machines[i]);
            moved = moved || bench->machines[i].disk.pending_count > 0;
            machine_disk(&bench->machines[i]);
        }
        for (uint32_t from = 1; from <= bench->node_count; from++)
            for (uint32_t to = 1; to <= bench->node_count; to++)
                if (from != to && bench_carry(bench, from, to)) moved = true;
        invariant(rounds < SETTLE_MAX, "nodes come to rest");
    }
}

void bench_advance(struct bench *bench, int64_t duration_ns)
{
    int64_t end_ns = bench->now_ns + duration_ns;
    bench_settle(bench);
    while (bench->now_ns < end_ns) {
        int64_t next_ns = end_ns;
        for (uint32_t i = 0; i < bench->node_count; i++) {
            if (bench->machines[i].node == NULL) continue;
            int64_t timer_ns = node_next_timer_ns(bench->machines[i].node);
            if (timer_ns < next_ns) next_ns = timer_ns;
        }
        bench->now_ns = next_ns > bench->now_ns ? next_ns : bench->now_ns + 1;
        bench_settle(bench);
    }
}

struct puppet *machine_puppet(const struct machine *machine) { return node_member(machine->node, BENCH_GROUP); }
struct tally *machine_tally(const struct machine *machine) { return node_service(machine->node, BENCH_GROUP); }

void machine_request(struct machine *machine, bool read, enum tally_op op, int64_t argument, uint64_t cookie)
{
    invariant(node_request_room(machine->node, BENCH_GROUP, read), "a test asks when there is room");
    struct buffer *out = node_request_begin(machine->node, BENCH_GROUP, read);
    char text[NUMBER_INTEGER_SIZE_MAX];
    size_t size = number_print_i64(text, argument);
    size_t at = command_begin(out, (uint16_t)op, 0, 1);
    invariant(at != SIZE_MAX && command_argument(out, span_of(text, size)), "a test has memory");
    command_end(out, at);
    node_request_commit(machine->node, BENCH_GROUP, read, cookie);
}

const struct bench_answer *machine_answer(const struct machine *machine, uint64_t cookie)
{
    const struct bench_answer *found = NULL;
    for (uint32_t i = 0; i < machine->answer_count; i++) {
        if (machine->answers[i].cookie != cookie) continue;
        invariant(found == NULL, "a request is answered once");
        found = &machine->answers[i];
    }
    return found;
}

uint32_t puppet_count(const struct puppet *puppet, enum event_kind kind, uint32_t from)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < puppet->seen_count; i++) count += puppet->seen[i].kind == kind;
    return count;
}

const struct puppet_seen *puppet_nth(const struct puppet *puppet, enum event_kind kind, uint32_t place)
{
    for (uint32_t i = 0; i < puppet->seen_count; i++)
        if (puppet->seen[i].kind == kind && place-- == 0) return &puppet->seen[i];
    return NULL;
}

const struct puppet_seen *puppet_last(const struct puppet *puppet, enum event_kind kind)
{
    for (uint32_t i = puppet->seen_count; i > 0; i--)
        if (puppet->seen[i - 1].kind == kind) return &puppet->seen[i - 1];
    return NULL;
}
