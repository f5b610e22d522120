/* Writing effects: order, positions, borrowed and copied bytes, and that running over a bound stops. */
#include "contract/effect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/panic.h"
#include "contract/command.h"

#define NOTE_FIELDS(FIELD, S) FIELD(S, U64, term) FIELD(S, BYTES, payload)
MESSAGE_STRUCT(note, NOTE_FIELDS)
static const struct field note_fields[] = {MESSAGE_FIELDS(note, NOTE_FIELDS)};
static const struct message_type types[] = {MESSAGE_TYPE("NOTE", note, note_fields)};
static const struct message_table table = {.types = types, .count = 1};

static struct effect list[16];
static uint8_t scratch[256];

static struct effects begin(void)
{
    return (struct effects){.list = list,
                            .capacity = sizeof list / sizeof list[0],
                            .scratch = scratch,
                            .scratch_size = sizeof scratch,
                            .next_position = 41};
}

static jmp_buf stopped;

static void on_panic(const char *what, void *arg)
{
    (void)what;
    (void)arg;
    longjmp(stopped, 1);
}

static void stores_get_rising_positions(void **state)
{
    (void)state;
    struct effects out = begin();
    const struct note body = {.term = 5, .payload = span_string("bulk")};
    assert_int_equal(effect_store(&out, &table, 2, 0, &body), 41);
    assert_int_equal(effect_store(&out, &table, 2, 0, &body), 42);
    assert_int_equal(out.next_position, 43);
    assert_int_equal(out.count, 2);
    assert_int_equal(list[0].kind, EFFECT_STORE);
    assert_int_equal(list[0].store.position, 41);
    assert_int_equal(list[0].store.head.size, 12);
    assert_int_equal(load_u64(list[0].store.head.data), 5);
    assert_ptr_equal(list[0].store.tail.data, body.payload.data);
    assert_ptr_not_equal(list[0].store.head.data, list[1].store.head.data);
}

static void send_to_one_keeps_its_receiver(void **state)
{
    (void)state;
    struct effects out = begin();
    out.scratch_used = 1; /* so that alignment has something to do */
    const struct note body = {.term = 6};
    struct effect_send *first = effect_send_one(&out, &table, 0, 0, &body, 7);
    first->after = 9;
    effect_send_one(&out, &table, 0, 0, &body, 8);
    assert_int_equal(list[0].send.to[0], 7);
    assert_int_equal(list[0].send.to_count, 1);
    assert_int_equal(list[0].send.after, 9);
    assert_int_equal(list[1].send.to[0], 8);
    assert_int_equal(list[1].send.after, 0);
    assert_int_equal((uintptr_t)list[1].send.to % _Alignof(uint32_t), 0);
}

static void deliver_takes_numbers_from_the_bundle(void **state)
{
    (void)state;
    struct effects out = begin();
    uint8_t bytes[BUNDLE_HEADER_SIZE];
    bundle_header_write(bytes, &(struct bundle){.count = 3, .first_number = 12});
    struct effect_deliver *deliver =
        effect_deliver_bytes(&out, DELIVER_UPDATE, 100, 200, span_of(bytes, sizeof bytes));
    assert_int_equal(deliver->first_number, 12);
    assert_int_equal(deliver->count, 3);
    assert_int_equal(deliver->index, 100);
    assert_int_equal(deliver->time_ns, 200);
    assert_int_equal(effect_deliver_record(&out, 1, 2, 33)->record, 33);
    deliver = effect_deliver_reads(&out, 1, 2, 44, 5);
    assert_int_equal(deliver->kind, DELIVER_READ);
    assert_int_equal(deliver->first_number, 44);
    assert_int_equal(deliver->count, 5);
}

static void each_effect_is_written_as_asked(void **state)
{
    (void)state;
    struct effects out = begin();
    static const uint32_t holders[] = {1, 2};
    effect_arm(&out, 1, 2, 3, 4);
    effect_disarm(&out, 1, 2, 3);
    effect_checkpoint(&out, 5, span_string("part"));
    effect_adopt(&out, holders, 2, 6, 7);
    effect_reply(&out, REPLY_REFUSED, true, 8, 9, span_string("ERR no"));
    effect_suspect(&out, 10, 11);
    effect_view(&out, 12, 13);
    effect_note(&out, "A -> B", 14);
    effect_again(&out);
    static const enum effect_kind kinds[] = {EFFECT_ARM,     EFFECT_ARM,  EFFECT_CHECKPOINT, EFFECT_ADOPT, EFFECT_REPLY,
                                             EFFECT_SUSPECT, EFFECT_VIEW, EFFECT_NOTE,       EFFECT_AGAIN};
    assert_int_equal(out.count, sizeof kinds / sizeof kinds[0]);
    for (uint32_t i = 0; i < out.count; i++)
        assert_int_equal(list[i].kind, kinds[i]);
    assert_int_equal(list[0].arm.at_ns, 4);
    assert_int_equal(list[1].arm.at_ns, EFFECT_DISARM);
    assert_int_equal(list[2].checkpoint.keep_from, 5);
    assert_int_equal(list[3].adopt.digest, 7);
    assert_int_equal(list[4].reply.count, 9);
    assert_int_equal(list[5].suspect.level, 11);
    assert_int_equal(list[6].view.orderer, 13);
    assert_int_equal(list[7].note.value, 14);
}

static void copies_do_not_overlap(void **state)
{
    (void)state;
    struct effects out = begin();
    char text[] = "abc";
    struct span first = effects_copy(&out, text, 3);
    struct span second = effects_copy(&out, "xyz", 3);
    text[0] = '!';
    assert_true(span_equal(first, span_string("abc")));
    assert_true(span_equal(second, span_string("xyz")));
}

static void too_many_effects_stop(void **state)
{
    (void)state;
    struct effects out = begin();
    out.capacity = 1;
    effect_again(&out);
    panic_hook_set(on_panic, NULL);
    if (setjmp(stopped) == 0) {
        effect_again(&out);
        panic_hook_set(NULL, NULL);
        fail_msg("the bound was not noticed");
    }
    panic_hook_set(NULL, NULL);
    assert_int_equal(out.count, 1);
}

static void too_much_scratch_stops(void **state)
{
    (void)state;
    struct effects out = begin();
    out.scratch_size = 16;
    panic_hook_set(on_panic, NULL);
    if (setjmp(stopped) == 0) {
        effects_copy(&out, "0123456789abcdefg", 17);
        panic_hook_set(NULL, NULL);
        fail_msg("the bound was not noticed");
    }
    panic_hook_set(NULL, NULL);
    assert_int_equal(effects_copy(&out, "0123456789abcdef", 8).size, 8);
}

static void names_are_those_of_the_design(void **state)
{
    (void)state;
    assert_string_equal(effect_kind_name(EFFECT_STORE), "STORE");
    assert_string_equal(effect_kind_name(EFFECT_AGAIN), "AGAIN");
    assert_string_equal(effect_kind_name((enum effect_kind)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_get_rising_positions),       cmocka_unit_test(send_to_one_keeps_its_receiver),
        cmocka_unit_test(deliver_takes_numbers_from_the_bundle), cmocka_unit_test(each_effect_is_written_as_asked),
        cmocka_unit_test(copies_do_not_overlap),             cmocka_unit_test(too_many_effects_stop),
        cmocka_unit_test(too_much_scratch_stops),            cmocka_unit_test(names_are_those_of_the_design),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
