/* What is on the own disk (own_disk.h). */
#include "protocol/consensus/own_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TIMEOUT_NS = 100 };

static void what_is_not_on_disk_is_waited_for(void **state)
{
    (void)state;
    struct own_disk disk = {0};
    own_disk_start(&disk, 7);
    assert_int_equal(own_disk_after(&disk, 7), 0);
    own_disk_write(&disk, 8, 10);
    own_disk_write(&disk, 9, 20);
    assert_int_equal(own_disk_after(&disk, 8), 8);
    assert_true(own_disk_stored(&disk, &(struct event_stored){.position = 8, .room_bytes = 1}, 30));
    assert_int_equal(own_disk_after(&disk, 8), 0);
    assert_int_equal(own_disk_after(&disk, 9), 9);
    assert_false(own_disk_stored(&disk, &(struct event_stored){.position = 8, .room_bytes = 1}, 40));
}

/* The time counts from the oldest write that is out, or from the last progress; an idle disk does not hang. */
static void a_disk_without_progress_hangs(void **state)
{
    (void)state;
    struct own_disk disk = {0};
    own_disk_start(&disk, 0);
    assert_false(own_disk_stalled(&disk, 1000, TIMEOUT_NS));
    own_disk_write(&disk, 1, 1000);
    own_disk_write(&disk, 2, 1090);
    assert_false(own_disk_stalled(&disk, 1100, TIMEOUT_NS));
    assert_true(own_disk_stalled(&disk, 1101, TIMEOUT_NS));
    (void)own_disk_stored(&disk, &(struct event_stored){.position = 1, .room_bytes = 1}, 1101);
    assert_false(own_disk_stalled(&disk, 1201, TIMEOUT_NS));
    assert_true(own_disk_stalled(&disk, 1202, TIMEOUT_NS));
    (void)own_disk_stored(&disk, &(struct event_stored){.position = 2, .room_bytes = 1}, 1203);
    assert_false(own_disk_stalled(&disk, 5000, TIMEOUT_NS));
}

static void a_full_disk_says_so_even_without_progress(void **state)
{
    (void)state;
    struct own_disk disk = {0};
    assert_false(own_disk_stored(&disk, &(struct event_stored){.room_bytes = 0}, 1));
    assert_true(disk.full);
    assert_false(own_disk_stored(&disk, &(struct event_stored){.room_bytes = 1}, 2));
    assert_false(disk.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_on_disk_is_waited_for),
        cmocka_unit_test(a_disk_without_progress_hangs),
        cmocka_unit_test(a_full_disk_says_so_even_without_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
