/* Restart: records that were superseded before the checkpoint, and lie behind it, are no damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "contract/command.h"
#include "protocol/consensus/raft_internal.h"

static const uint32_t members[] = {1, 2, 3};

struct restart {
    struct group_spec spec;
    void *memory;
    struct effect *list;
    struct effects effects;
    void *member;
    uint64_t position;
};

static void begin(struct restart *restart)
{
    *restart = (struct restart){.spec = {.self = 2, .members = members, .member_count = 3, .k = 1}};
    restart->spec.protocol = &raft_protocol;
    spec_defaults(&restart->spec.tuning);
    restart->spec.tuning.log_entries_max = 64;
    size_t size = raft_protocol.heap_size(&restart->spec);
    restart->memory = aligned_alloc(64, (size + 63) / 64 * 64);
    restart->effects.capacity = raft_protocol.effects_max(&restart->spec);
    restart->list = calloc(restart->effects.capacity, sizeof(struct effect));
    restart->effects.list = restart->list;
    restart->effects.scratch_size = raft_protocol.scratch_max(&restart->spec);
    restart->effects.scratch = malloc(restart->effects.scratch_size);
    restart->member = raft_protocol.create(heap_init(restart->memory, size), &restart->spec, 1);
}

static void end(struct restart *restart)
{
    free(restart->memory);
    free(restart->list);
    free(restart->effects.scratch);
}

static void step(struct restart *restart, struct event event)
{
    restart->effects.count = 0;
    restart->effects.scratch_used = 0;
    restart->effects.next_position = restart->position + 1;
    raft_protocol.step(restart->member, &event, &restart->effects);
}

static void restore_part(struct restart *restart, uint64_t last_index, uint64_t base_index, uint64_t keep_from)
{
    const struct raft_part part = {.node = 2,
                                   .last_index = last_index,
                                   .last_term = 2,
                                   .sequence = 2,
                                   .term = 2,
                                   .base_index = base_index,
                                   .base_term = 2};
    uint8_t bytes[MESSAGE_HEAD_SIZE_MAX];
    struct span tail;
    size_t size = message_encode(&raft_part_type, &part, bytes, &tail);
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){
        .kind = RESTORE_PART, .position = keep_from, .index = last_index, .part = {bytes, size}};
    restart->position = keep_from - 1;
    step(restart, event);
}

/* A no-op covers one index; a longer entry needs a bundle of as many commands. */
static void restore_entry(struct restart *restart, uint64_t term, uint64_t index, uint32_t count)
{
    static uint8_t bundle[1024];
    size_t size = 0;
    if (count > 1) {
        struct bundle header = {.node = 3, .count = count, .incarnation = 1, .first_number = index, .level = 1};
        memset(bundle, 0, sizeof bundle);
        bundle_header_write(bundle, &header);
        size = BUNDLE_HEADER_SIZE + (size_t)count * COMMAND_HEADER_SIZE;
    }
    const struct raft_entry entry = {
        .term = term, .index = index, .count = count, .origin = count > 1 ? 3 : 0, .bundle = {bundle, size}};
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){
        .kind = RESTORE_RECORD, .type = RAFT_ENTRY, .position = ++restart->position,
        .body = &entry, .record_size = 36 + size};
    step(restart, event);
}

static void superseded_entries_across_the_base_are_no_damage(void **state)
{
    (void)state;
    struct restart restart;
    begin(&restart);
    restore_part(&restart, 94, 81, 44);
    restore_entry(&restart, 1, 76, 4);
    restore_entry(&restart, 1, 80, 5); /* reaches across 81, where an entry of term 2 ends */
    restore_entry(&restart, 1, 85, 5); /* follows nothing that is kept */
    restore_entry(&restart, 2, 77, 5);
    restore_entry(&restart, 2, 82, 4);
    restore_entry(&restart, 2, 86, 9);
    restore_entry(&restart, 2, 95, 4);
    struct event start = {.kind = EVENT_START};
    start.start = (struct event_start){.kind = START_RESTARTED, .incarnation = 9, .position = restart.position};
    step(&restart, start);
    struct member_status status;
    raft_protocol.status(restart.member, &status);
    assert_true(status.voter);
    assert_int_equal(raft_term(restart.member), 2);
    assert_int_equal(raft_last_index(restart.member), 98);
    assert_null(raft_protocol.check(restart.member));
    end(&restart);
}

static void an_entry_that_does_not_follow_is_damage(void **state)
{
    (void)state;
    struct restart restart;
    begin(&restart);
    restore_part(&restart, 94, 81, 44);
    restore_entry(&restart, 2, 82, 13);
    restore_entry(&restart, 2, 97, 2);
    struct event start = {.kind = EVENT_START};
    start.start = (struct event_start){.kind = START_RESTARTED, .incarnation = 9, .position = restart.position};
    step(&restart, start);
    struct member_status status;
    raft_protocol.status(restart.member, &status);
    assert_false(status.voter);
    end(&restart);
}

static void restore_hard_state(struct restart *restart, uint64_t sequence, uint64_t term)
{
    const struct raft_hard_state hard = {.sequence = sequence, .term = term};
    struct event event = {.kind = EVENT_RESTORE};
    event.restore = (struct event_restore){
        .kind = RESTORE_RECORD, .type = RAFT_HARD_STATE, .position = ++restart->position,
        .body = &hard, .record_size = 41};
    step(restart, event);
}

static void no_content(void *context, struct canon *out, uint64_t position)
{
    (void)context;
    (void)out;
    (void)position;
}

/* The canonical state of a member whose disk has an entry and hard states in that order: 'e', 'h'. */
static size_t canonical_of(const char *records, uint8_t *bytes, size_t capacity)
{
    static const uint32_t places[] = {0, 1, 2};
    struct restart restart;
    begin(&restart);
    uint64_t left = 0;
    for (const char *record = records; *record != 0; record++)
        left += *record == 'h';
    uint64_t term = 3 - left; /* whatever their number, the last one is of term 2 */
    for (const char *record = records; *record != 0; record++) {
        if (*record == 'h')
            restore_hard_state(&restart, term, term);
        else
            restore_entry(&restart, 1, 1, 1);
        term += *record == 'h';
    }
    struct canon out = {.bytes = bytes, .capacity = capacity, .member_count = 3, .places = places,
                        .members = members, .record = no_content, .written = restart.position};
    raft_protocol.canonical(restart.member, &out);
    assert_false(out.overflow);
    end(&restart);
    return out.size;
}

/* A leader sends entries in one message whose records follow one another: whether the next entry will do so is part of
 * what it decides by. How many hard states came before is not. */
static void what_lies_behind_the_last_entry_is_canonical(void **state)
{
    (void)state;
    uint8_t alone[4096], behind_two[4096], before_another[4096];
    size_t size = canonical_of("he", alone, sizeof alone);
    assert_int_equal(canonical_of("hhe", behind_two, sizeof behind_two), size);
    assert_int_equal(canonical_of("heh", before_another, sizeof before_another), size);
    assert_memory_equal(alone, behind_two, size);
    assert_memory_not_equal(alone, before_another, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(superseded_entries_across_the_base_are_no_damage),
        cmocka_unit_test(an_entry_that_does_not_follow_is_damage),
        cmocka_unit_test(what_lies_behind_the_last_entry_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
