/* Checkpoints: written while updates go on, started from, adopted from another node; damage; and how a node starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/test_seed.h"
#include "base/time.h"
#include "node/node_testing.h"
#include "storage/checkpoint.h"

enum { PADDING = 700000 }; /* of a state that is many chunks long */

static int set_up(void **state)
{
    *state = bench_create(3, &puppet_protocol, &tally_service);
    return 0;
}

static int tear_down(void **state)
{
    bench_free(*state);
    return 0;
}

static struct machine *started(struct bench *bench, uint32_t id)
{
    struct machine *machine = bench_machine(bench, id);
    assert_int_equal(machine_start(machine, true), 0);
    machine_settle(machine);
    return machine;
}

static void add(struct machine *machine, int64_t amount)
{
    machine_request(machine, false, TALLY_ADD, amount, 1);
    machine_settle(machine);
    machine->answer_count = 0;
}

/* word: what to do at the next read. */
enum order_given { NOTHING, CHECKPOINT_NOW, ADOPT_FROM_2, ADOPT_FROM_2_OR_3 };

static uint64_t keep_from, adopt_index, adopt_digest;
static struct sha256_seal adopt_seal;

static void obeys(struct puppet *puppet, const struct event *event, struct effects *out)
{
    static const uint32_t holders[] = {2, 3};
    if (event->kind != EVENT_REQUEST || event->request.kind != REQUEST_READ) return;
    enum order_given order = (enum order_given)puppet->word;
    puppet->word = NOTHING;
    if (order == CHECKPOINT_NOW) effect_checkpoint(out, keep_from, span_string("own part"));
    if (order != ADOPT_FROM_2 && order != ADOPT_FROM_2_OR_3) return;
    puppet_mark(out, 77); /* the term and vote, as it were */
    puppet->adopting = true;
    effect_adopt(out, holders, order == ADOPT_FROM_2 ? 1 : 2, adopt_index, adopt_digest)->seal = adopt_seal;
}

static void give_order(struct machine *machine, enum order_given order)
{
    machine_puppet(machine)->script = obeys;
    machine_puppet(machine)->word = order;
    machine_request(machine, true, TALLY_GET, 0, 500);
    machine_turn(machine);
    machine->answer_count = 0;
}

/* Deep enough for any checkpoint; its pieces keep a distance of a millisecond. */
static void settle_disk(struct machine *machine)
{
    for (int i = 0; i < 200; i++) {
        machine_settle(machine);
        machine_disk(machine);
        bool due = node_next_timer_ns(machine->node) <= machine->bench->now_ns + NS_PER_MS;
        if (due) machine->bench->now_ns += NS_PER_MS;
    }
}

static void checkpoint(struct machine *machine, uint64_t keep)
{
    keep_from = keep;
    give_order(machine, CHECKPOINT_NOW);
    settle_disk(machine);
}

static const struct puppet_seen *last_state(const struct machine *machine)
{
    const struct puppet_seen *seen = puppet_last(machine_puppet(machine), EVENT_STATE);
    assert_non_null(seen);
    return seen;
}

/* ---- writing ---- */

static void updates_go_on_while_a_checkpoint_is_written(void **state)
{
    struct machine *machine = started(*state, 1);
    machine_request(machine, false, TALLY_GROW, PADDING, 1);
    machine_settle(machine);
    add(machine, 5);
    machine->disk.completes_later = true;
    keep_from = 3;
    give_order(machine, CHECKPOINT_NOW);
    struct node_group_status status;
    for (int i = 0; i < 300; i++) {
        if (i % 30 == 0) machine_request(machine, false, TALLY_ADD, 1, 100 + (uint64_t)i);
        machine_settle(machine);
        machine_disk(machine);
        machine->bench->now_ns += NS_PER_MS;
        if (i == 3) assert_true(node_group_status(machine->node, BENCH_GROUP, &status) && status.checkpointing);
    }
    assert_int_equal(last_state(machine)->a, STATE_DURABLE);
    assert_int_equal(last_state(machine)->b, 2); /* as of the effect, not of its end */
    assert_int_equal(machine_tally(machine)->total, 15);
    assert_true(node_group_status(machine->node, BENCH_GROUP, &status));
    assert_int_equal(status.checkpoint_index, 2);
    assert_false(status.checkpointing);
    machine_stop(machine);
    machine = started(*state, 1);
    const struct puppet *puppet = machine_puppet(machine);
    assert_int_equal(puppet->seen[0].kind, EVENT_RESTORE);
    assert_int_equal(puppet->seen[0].a, RESTORE_PART);
    assert_int_equal(puppet->seen[0].b, 3);
    assert_int_equal(puppet->seen[0].c, 2);
    assert_int_equal(puppet_count(puppet, EVENT_RESTORE, 0), 11); /* and the ten records behind it */
    assert_int_equal(puppet_nth(puppet, EVENT_START, 0)->a, START_RESTARTED);
    assert_int_equal(machine_tally(machine)->total, 15);
    assert_int_equal(machine_tally(machine)->padding, PADDING);
}

static void a_full_disk_fails_a_checkpoint_and_nothing_else(void **state)
{
    struct machine *machine = started(*state, 1);
    machine_request(machine, false, TALLY_GROW, PADDING, 1);
    machine_settle(machine);
    machine->disk.capacity = disk_testing_bytes(&machine->disk);
    checkpoint(machine, 2);
    assert_int_equal(last_state(machine)->a, STATE_FAILED);
    assert_int_equal(node_counters(machine->node)->checkpoints_failed, 1);
    assert_null(node_failure(machine->node));
    add(machine, 3);
    assert_int_equal(machine_tally(machine)->total, 3);
    machine->disk.capacity = SIZE_MAX;
    checkpoint(machine, 2);
    assert_int_equal(last_state(machine)->a, STATE_DURABLE);
}

static void sessions_live_on_in_the_checkpoint(void **state)
{
    struct machine *machine = started(*state, 1);
    add(machine, 5);
    uint64_t before = node_digest(machine->node, BENCH_GROUP);
    checkpoint(machine, 2);
    machine_stop(machine);
    puppet_orders_at_start = false; /* else a tick would begin the next session */
    machine = started(*state, 1);
    assert_int_equal(node_digest(machine->node, BENCH_GROUP), before);
}

/* ---- crashes at any moment ---- */

static void what_was_answered_survives_any_crash(void **state)
{
    struct bench *bench = *state;
    struct random random;
    random_seed(&random, test_seed("node_checkpoint_test"));
    struct machine *machine = started(bench, 1);
    int64_t acknowledged = 0;
    for (int life = 0; life < 60; life++) {
        machine->disk.completes_later = true;
        int64_t asked = machine_tally(machine)->total;
        assert_true(asked >= acknowledged);
        int steps = (int)random_below(&random, 40);
        for (int i = 0; i < steps; i++) {
            machine->answer_count = 0;
            if (node_request_room(machine->node, BENCH_GROUP, false)) {
                machine_request(machine, false, TALLY_ADD, 1, 1 + (uint64_t)i);
                asked++;
            }
            if (i == 5 && machine_puppet(machine)->delivered_index > 0) {
                keep_from = machine_puppet(machine)->entries_head < machine_puppet(machine)->entries_tail
                                ? machine_puppet(machine)->entries[machine_puppet(machine)->entries_head %
                                                                   PUPPET_ENTRIES_MAX].position
                                : machine_puppet(machine)->stored + 1;
                give_order(machine, CHECKPOINT_NOW);
            }
            machine_settle(machine);
            if (random_chance(&random, 2, 3)) machine_disk(machine);
            machine_settle(machine);
            for (uint32_t k = 0; k < machine->answer_count; k++) {
                int64_t total = machine->answers[k].text[0] == ':' ? atol(machine->answers[k].text + 1) : 0;
                if (total > acknowledged) acknowledged = total;
            }
        }
        machine_crash(machine);
        bench->now_ns += NS_PER_S;
        machine->disk.completes_later = false;
        machine = started(bench, 1);
        assert_int_equal(puppet_nth(machine_puppet(machine), EVENT_START, 0)->a, START_RESTARTED);
        for (uint32_t i = 0; i < machine_puppet(machine)->seen_count; i++)
            if (machine_puppet(machine)->seen[i].kind == EVENT_RESTORE)
                assert_int_not_equal(machine_puppet(machine)->seen[i].a, RESTORE_GAP);
        assert_true(machine_tally(machine)->total >= acknowledged && machine_tally(machine)->total <= asked);
    }
    assert_true(acknowledged > 100);
}

/* ---- gaps ---- */

static struct disk_testing_file *log_file(struct machine *machine)
{
    struct disk_testing_file *youngest = NULL;
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
        struct disk_testing_file *file = &machine->disk.files[i];
        if (!file->used || strncmp(file->name, "log-", 4) != 0) continue;
        if (youngest == NULL || strcmp(file->name, youngest->name) < 0) youngest = file;
    }
    assert_non_null(youngest);
    return youngest;
}

/* Flips a byte in the place-th log record of this file that has a header (in order of the file). */
static void damage_record(struct machine *machine, uint64_t position)
{
    struct disk_testing_file *file = log_file(machine);
    for (size_t at = 0; at + HEADER_SIZE <= file->size; at += 8) {
        struct header header;
        header_decode(file->seen + at, &header);
        if (header.magic != HEADER_MAGIC || header.kind != HEADER_RECORD || header.position != position ||
            header.group != BENCH_GROUP)
            continue;
        file->seen[at + HEADER_SIZE] ^= 0x40;
        file->stable[at + HEADER_SIZE] ^= 0x40;
        return;
    }
    fail_msg("no such record");
}

/* Ten records, one write each; a checkpoint keeps from `keep` on when that is not 0. */
static struct machine *ten_records(struct bench *bench, uint64_t keep)
{
    struct machine *machine = started(bench, 1);
    for (int i = 0; i < 10; i++) {
        add(machine, 1);
        if ((uint64_t)i + 2 == keep) checkpoint(machine, keep);
    }
    machine_stop(machine);
    return machine;
}

static void gap_is_told(struct machine *machine, uint64_t gap, uint64_t first_after)
{
    assert_int_equal(machine_start(machine, true), 0);
    const struct puppet *puppet = machine_puppet(machine);
    uint32_t gaps = 0;
    for (uint32_t i = 0; i < puppet->seen_count; i++) {
        const struct puppet_seen *seen = &puppet->seen[i];
        if (seen->kind != EVENT_RESTORE || seen->a != RESTORE_GAP) continue;
        gaps++;
        assert_int_equal(seen->b, gap);
        if (first_after != 0) assert_int_equal(seen[1].b, first_after);
    }
    assert_int_equal(gaps, gap != 0);
}

static void a_gap_in_the_middle(void **state)
{
    struct machine *machine = ten_records(*state, 0);
    damage_record(machine, 5);
    gap_is_told(machine, 5, 6);
}

static void a_gap_at_the_front(void **state)
{
    struct machine *machine = ten_records(*state, 0);
    damage_record(machine, 1);
    gap_is_told(machine, 1, 2);
}

static void a_gap_right_behind_the_checkpoint(void **state)
{
    struct machine *machine = ten_records(*state, 6);
    damage_record(machine, 6);
    gap_is_told(machine, 6, 7);
}

static void damage_that_the_checkpoint_covers(void **state)
{
    struct machine *machine = ten_records(*state, 6);
    damage_record(machine, 3);
    gap_is_told(machine, 0, 0);
    machine_settle(machine);
    assert_int_equal(machine_tally(machine)->total, 10);
}

static void a_log_that_is_gone(void **state)
{
    struct machine *machine = ten_records(*state, 6);
    struct disk_testing_file *file = NULL;
    for (uint32_t i = 0; i < DISK_TESTING_FILES_MAX; i++) {
        file = &machine->disk.files[i];
        if (!file->used || strncmp(file->name, "log-", 4) != 0) continue;
        char name[DISK_NAME_SIZE_MAX];
        strcpy(name, file->name);
        machine->disk.door.now(&machine->disk.door, &(struct disk_request){.op = DISK_REMOVE, .name = name});
    }
    gap_is_told(machine, 6, 0);
    assert_int_equal(machine_tally(machine)->total, 5);
    machine_turn(machine);
    assert_int_equal(puppet_nth(machine_puppet(machine), EVENT_START, 0)->b, 5);
}

/* The last record was synced, which a later one proves; here the proof is the write after it. */
static void a_gap_before_the_last(void **state)
{
    struct machine *machine = ten_records(*state, 0);
    damage_record(machine, 9);
    gap_is_told(machine, 9, 10);
}

/* ---- adopting ---- */

/* 2 (and 3) have a long state at index `adopt_index`, 2 perhaps another one; 1 is empty. */
static void unlike_holders(struct bench *bench, bool third, int64_t of_second)
{
    started(bench, 1);
    for (uint32_t id = 2; id <= 3; id++) {
        struct machine *machine = started(bench, id);
        machine_request(machine, false, TALLY_GROW, PADDING, 1);
        machine_settle(machine);
        add(machine, id == 2 ? of_second : 42);
        if (id == 2 || third) checkpoint(machine, 3);
    }
    bench_connect(bench, 1, 2);
    bench_connect(bench, 1, 3);
    bench_settle(bench);
    adopt_index = 2;
    adopt_digest = 0;
    adopt_seal = (struct sha256_seal){0};
}

static void holders(struct bench *bench, bool third)
{
    unlike_holders(bench, third, 42);
}

static void has_adopted(struct bench *bench)
{
    const struct machine *machine = bench_machine(bench, 1);
    assert_int_equal(last_state(machine)->a, STATE_ADOPTED);
    assert_int_equal(last_state(machine)->b, 2);
    assert_int_equal(machine_tally(machine)->total, 42);
    assert_int_equal(machine_tally(machine)->padding, PADDING);
}

static void adopts_and_keeps_it(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    bench_advance(bench, NS_PER_S);
    has_adopted(bench);
    machine_crash(bench_machine(bench, 1));
    struct machine *machine = started(bench, 1);
    assert_int_equal(machine_tally(machine)->total, 42);
    const struct puppet *puppet = machine_puppet(machine);
    assert_int_equal(puppet->seen[0].a, RESTORE_PART);
    assert_int_equal(puppet->seen[1].a, RESTORE_RECORD); /* what was stored right before */
    assert_int_equal(puppet->seen[1].b, puppet->seen[0].b);
    add(machine, 1);
    assert_int_equal(machine_tally(machine)->total, 43);
}

static bool every_third_chunk(struct bench *bench, const struct header *header)
{
    return header->kind == HEADER_NODE && header->type == 3 && ++bench->word % 3 == 0;
}

static void lost_chunks_are_asked_for_again(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    bench->lose = every_third_chunk;
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    bench_advance(bench, 4 * NS_PER_S);
    assert_true(bench->lost > 3);
    has_adopted(bench);
}

/* A disk that is slower than the network delays the adoption by its own time, not by waits for lost chunks. */
static void a_slow_disk_does_not_lose_chunks(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    bench_machine(bench, 1)->disk.completes_later = true;
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    bench_settle(bench); /* no time passes */
    has_adopted(bench);
}

static void who_no_longer_has_it_is_passed_over(void **state)
{
    struct bench *bench = *state;
    holders(bench, true);
    struct machine *second = bench_machine(bench, 2);
    for (int i = 0; i < 2; i++) { /* two younger ones push it out */
        add(second, 1);
        checkpoint(second, 4 + (uint64_t)i);
    }
    bench_settle(bench);
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    bench_advance(bench, NS_PER_S);
    assert_int_equal(last_state(bench_machine(bench, 1))->a, STATE_FAILED);
    assert_int_equal(machine_tally(bench_machine(bench, 1))->total, 0);
    give_order(bench_machine(bench, 1), ADOPT_FROM_2_OR_3);
    bench_advance(bench, NS_PER_S);
    has_adopted(bench);
}

static void who_is_silent_is_left_in_time(void **state)
{
    struct bench *bench = *state;
    holders(bench, true);
    machine_stop(bench_machine(bench, 2));
    give_order(bench_machine(bench, 1), ADOPT_FROM_2_OR_3);
    bench_advance(bench, NS_PER_S);
    assert_int_equal(puppet_count(machine_puppet(bench_machine(bench, 1)), EVENT_STATE, 0), 0);
    bench_advance(bench, 3 * NS_PER_S);
    has_adopted(bench);
}

/* As storage/checkpoint.c says what a seal is. */
static void seal_of(struct machine *machine, struct sha256_seal *out)
{
    struct checkpoint_head head;
    struct checkpoint_reader *reader;
    struct span bytes;
    struct sha256 sha;
    uint8_t sizes[32], digest[SHA256_SIZE];
    assert_int_equal(checkpoint_open(&reader, machine->heap, &machine->disk.door, BENCH_GROUP, adopt_index, &head),
                     OK);
    sha256_begin(&sha);
    for (uint64_t at = 0; at < head.size; at += bytes.size) {
        assert_int_equal(checkpoint_read(reader, at, 65536, &bytes), OK);
        sha256_add(&sha, bytes.data, bytes.size);
    }
    checkpoint_reader_free(reader);
    store_u64(sizes, head.size);
    store_u64(sizes + 8, head.part_size);
    store_u64(sizes + 16, head.table_size);
    store_u64(sizes + 24, head.index);
    sha256_add(&sha, sizes, sizeof sizes);
    sha256_end(&sha, digest);
    out->size = head.size;
    for (int i = 0; i < 4; i++) out->digest[i] = load_u64(digest + 8 * i);
}

/* A message about state transfer that the sender was not asked for: u64 index, and what follows. */
static void says_unasked(struct bench *bench, uint32_t from, uint16_t type, size_t size)
{
    static uint8_t messages[2][HEADER_SIZE + 64];
    uint8_t *message = messages[type == 3];
    struct node *node = bench_machine(bench, 1)->node;
    uint8_t body[64] = {0};
    struct header header = {.magic = HEADER_MAGIC,
                            .version = HEADER_VERSION,
                            .type = type,
                            .kind = HEADER_NODE,
                            .length = (uint32_t)size,
                            .group = BENCH_GROUP,
                            .sender = from};
    assert_true(size <= sizeof body);
    store_u64(body, adopt_index);
    if (type == 3) { /* a chunk of another state: its offset is 0, its size 1 */
        store_u64(body + 16, 1);
        store_u32(body + 48, 1);
    }
    header_seal(0, &header, span_of(body, size), (struct span){0}, message);
    memcpy(message + HEADER_SIZE, body, size);
    assert_int_equal(node_receive(node, from, message, HEADER_SIZE + size), HEADER_SIZE + size);
}

/* One that lies sends chunks, or that it has none, while another is asked. */
static void who_was_not_asked_is_not_heard(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    seal_of(bench_machine(bench, 2), &adopt_seal);
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    says_unasked(bench, 3, 3, 53);
    says_unasked(bench, 3, 4, 8);
    bench_advance(bench, NS_PER_S);
    has_adopted(bench);
}

/* The first holder has another state of the same size, whatever digest it announces. */
static void who_holds_another_state_is_passed_over(void **state)
{
    struct bench *bench = *state;
    unlike_holders(bench, true, 41);
    seal_of(bench_machine(bench, 3), &adopt_seal);
    give_order(bench_machine(bench, 1), ADOPT_FROM_2_OR_3);
    bench_advance(bench, NS_PER_S);
    has_adopted(bench);
    struct machine *machine = bench_machine(bench, 1);
    struct checkpoint_head head;
    struct checkpoint_reader *reader;
    assert_int_equal(checkpoint_open(&reader, machine->heap, &machine->disk.door, BENCH_GROUP, adopt_index, &head), OK);
    checkpoint_reader_free(reader);
    assert_true(head.sealed && sha256_seal_equal(&head.seal, &adopt_seal));
}

static void other_bytes_than_wanted_are_not_adopted(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    adopt_digest = 12345;
    give_order(bench_machine(bench, 1), ADOPT_FROM_2);
    bench_advance(bench, NS_PER_S);
    assert_int_equal(last_state(bench_machine(bench, 1))->a, STATE_FAILED);
}

/* Three chunks are two writes, which is what the writer has under way at most. */
static bool all_but_some_chunks(struct bench *bench, const struct header *header)
{
    return header->kind == HEADER_NODE && header->type == 3 && header->sender == 2 && ++bench->word > 3;
}

/* The disk still reads what the writer gave it when the holder is left: that memory must stay until it is done. */
static void a_holder_is_left_while_the_disk_is_busy(void **state)
{
    struct bench *bench = *state;
    holders(bench, true);
    struct machine *machine = bench_machine(bench, 1);
    bench->lose = all_but_some_chunks;
    machine->disk.completes_later = true;
    give_order(machine, ADOPT_FROM_2_OR_3);
    for (int i = 0; i < 5; i++) {
        machine_settle(machine);
        bench_carry(bench, 1, 2);
        bench_carry(bench, 2, 1);
    }
    assert_true(machine->disk.pending_count > 0);
    const struct disk_testing_pending pending = machine->disk.pending[machine->disk.pending_count - 1];
    uint8_t *copy = malloc(pending.size);
    memcpy(copy, pending.data, pending.size);
    for (int i = 0; i < 40; i++) { /* 2 says no more; 3 is asked once the disk has done */
        bench->now_ns += 100 * NS_PER_MS;
        machine_settle(machine);
        assert_false(bench_carry(bench, 1, 3));
    }
    assert_memory_equal(copy, pending.data, pending.size);
    free(copy);
    bench->lose = NULL;
    bench_advance(bench, 3 * NS_PER_S);
    has_adopted(bench);
}

static void a_crash_leaves_the_old_state_or_the_new(void **state)
{
    struct bench *bench = *state;
    holders(bench, false);
    uint32_t old = 0, fresh = 0;
    for (int steps = 1; steps < 80; steps += 2) {
        struct machine *machine = bench_machine(bench, 1);
        machine->disk.completes_later = true;
        give_order(machine, ADOPT_FROM_2);
        for (int i = 0; i < steps; i++) {
            machine_turn(machine);
            (void)node_write(machine->node);
            if (machine->disk.pending_count > 0) {
                int status;
                uint64_t token = disk_testing_complete(&machine->disk, 0, &status);
                node_disk_complete(machine->node, token, status);
            }
            bench_carry(bench, 1, 2);
            bench_carry(bench, 2, 1);
        }
        machine_crash(machine);
        machine->disk.completes_later = false;
        machine = started(bench, 1);
        int64_t total = machine_tally(machine)->total;
        assert_true(total == 0 || total == 42);
        assert_int_equal(machine_tally(machine)->padding, total == 0 ? 0 : PADDING);
        old += total == 0;
        fresh += total == 42;
        assert_true(fresh == 0 || total == 42); /* once sealed it stays */
        bench_connect(bench, 1, 2);
        bench_settle(bench);
    }
    assert_true(old > 2 && fresh > 2);
}

/* ---- kinds of start ---- */

static enum start_kind kind_of(struct machine *machine)
{
    return (enum start_kind)puppet_nth(machine_puppet(machine), EVENT_START, 0)->a;
}

static void kinds_of_start(void **state)
{
    struct bench *bench = *state;
    struct machine *first = started(bench, 1);
    assert_int_equal(kind_of(first), START_FIRST);
    uint64_t incarnation = node_incarnation(first->node);
    machine_stop(first);
    first = started(bench, 1); /* nothing was stored, and nothing is lost */
    assert_int_equal(kind_of(first), START_RESTARTED);
    assert_true(node_incarnation(first->node) > incarnation);
    struct machine *second = bench_machine(bench, 2);
    assert_int_equal(machine_start(second, false), 0);
    machine_settle(second);
    assert_int_equal(kind_of(second), START_AMNESIAC);
    machine_stop(second);
    assert_int_equal(machine_start(second, true), 0); /* --init does not make it forget that it has forgotten */
    machine_settle(second);
    assert_int_equal(kind_of(second), START_AMNESIAC);
}

static void a_node_alone_starts_first_without_init(void **state)
{
    (void)state;
    struct bench *bench = bench_create(1, &puppet_protocol, &tally_service);
    assert_int_equal(machine_start(bench_machine(bench, 1), false), 0);
    machine_settle(bench_machine(bench, 1));
    assert_int_equal(kind_of(bench_machine(bench, 1)), START_FIRST);
    bench_free(bench);
}

static void anothers_directory_is_refused(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = started(bench, 1);
    add(machine, 1);
    machine_stop(machine);
    machine->options.cluster++;
    assert_int_equal(machine_start(machine, true), ERROR_WRONG_CLUSTER);
    assert_non_null(strstr(machine->why, "belongs to another cluster"));
    machine->options.cluster--;
    machine->options.id = 2;
    assert_int_equal(machine_start(machine, true), ERROR_WRONG_NODE);
    assert_non_null(strstr(machine->why, "belongs to node 1, this is node 2"));
    machine->options.id = 1;
    struct disk_testing_file *file = disk_testing_file(&machine->disk, "identity");
    assert_non_null(file);
    memset(file->seen, 0x55, file->size);
    assert_int_equal(machine_start(machine, true), ERROR_CORRUPT);
    assert_non_null(strstr(machine->why, "remove the directory and start without --init"));
}

static void ablations_are_for_the_laboratory(void **state)
{
    struct machine *machine = bench_machine(*state, 1);
    machine->spec.ablations = ABLATION_ACK_BEFORE_SYNC;
    assert_int_equal(machine_start(machine, true), ERROR_INVALID);
    assert_non_null(strstr(machine->why, "laboratory"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(updates_go_on_while_a_checkpoint_is_written),
        TEST(a_full_disk_fails_a_checkpoint_and_nothing_else),
        TEST(sessions_live_on_in_the_checkpoint),
        TEST(what_was_answered_survives_any_crash),
        TEST(a_gap_in_the_middle),
        TEST(a_gap_at_the_front),
        TEST(a_gap_right_behind_the_checkpoint),
        TEST(damage_that_the_checkpoint_covers),
        TEST(a_log_that_is_gone),
        TEST(a_gap_before_the_last),
        TEST(adopts_and_keeps_it),
        TEST(lost_chunks_are_asked_for_again),
        TEST(a_slow_disk_does_not_lose_chunks),
        TEST(who_no_longer_has_it_is_passed_over),
        TEST(who_is_silent_is_left_in_time),
        TEST(who_was_not_asked_is_not_heard),
        TEST(who_holds_another_state_is_passed_over),
        TEST(other_bytes_than_wanted_are_not_adopted),
        TEST(a_holder_is_left_while_the_disk_is_busy),
        TEST(a_crash_leaves_the_old_state_or_the_new),
        TEST(kinds_of_start),
        TEST(a_node_alone_starts_first_without_init),
        TEST(anothers_directory_is_refused),
        TEST(ablations_are_for_the_laboratory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
