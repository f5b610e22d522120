/* Specifications: production's tuning, and each reason to refuse a group, by its sentence. */
#include "contract/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/error.h"
#include "contract/protocol.h"
#include "contract/service.h"

static const uint32_t members[] = {1, 2, 5};

struct example {
    struct protocol protocol;
    struct service service;
    struct group_spec spec;
};

static void example_init(struct example *example)
{
    *example = (struct example){
        .protocol = {.name = "ring",
                     .order = ORDER_TOTAL,
                     .atomic = true,
                     .durable = true,
                     .members_for_k = MEMBERS_2K_PLUS_1},
        .service = {.name = "bank", .needs_order = ORDER_TOTAL, .needs_atomic = true, .needs_durable = true},
        .spec = {.name = "g", .self = 1, .members = members, .member_count = 3, .k = 1},
    };
    example->spec.protocol = &example->protocol;
    example->spec.service = &example->service;
}

static void assert_refused(const struct example *example, const char *sentence)
{
    char why[160];
    assert_int_equal(spec_check(&example->spec, why, sizeof why), ERROR_INVALID);
    assert_string_equal(why, sentence);
}

static void defaults_are_those_of_production(void **state)
{
    (void)state;
    struct tuning tuning;
    spec_defaults(&tuning);
    assert_int_equal(tuning.heartbeat_ns, 50000000);
    assert_int_equal(tuning.election_timeout_ns, 200000000);
    assert_int_equal(tuning.append_bytes_max, 1048576);
    assert_int_equal(tuning.append_inflight_max, 64);
    assert_int_equal(tuning.log_entries_max, 262144);
    assert_int_equal(tuning.checkpoint_log_bytes, 67108864);
    assert_int_equal(tuning.service_bytes_max, 0);
    assert_int_equal(tuning.service_heap_bytes, UINT64_C(17179869184));
    assert_int_equal(tuning.command_bytes_max, 68157440);
}

static void group_that_fits_is_accepted(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    char why[160] = "?";
    assert_int_equal(spec_check(&example.spec, why, sizeof why), OK);
    assert_string_equal(why, "");
}

static void missing_requirement_is_named(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    example.protocol.order = ORDER_FIFO;
    assert_refused(&example, "group g: service bank needs total order, and protocol ring gives FIFO order");
    example_init(&example);
    example.protocol.atomic = false;
    assert_refused(&example, "group g: service bank needs atomic delivery, and protocol ring gives none");
    example_init(&example);
    example.protocol.durable = false;
    assert_refused(&example, "group g: service bank needs durability, and protocol ring gives none");
}

static void too_few_members_are_refused(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    example.spec.k = 2;
    assert_refused(&example, "group g: protocol ring needs 2k+1 = 5 members to mask k = 2 faults, and there are 3");
    example.protocol.members_for_k = MEMBERS_K_PLUS_1;
    char why[160];
    assert_int_equal(spec_check(&example.spec, why, sizeof why), OK);
    example.spec.k = UINT32_MAX; /* must not wrap */
    example.protocol.members_for_k = MEMBERS_3K_PLUS_1;
    assert_int_equal(spec_check(&example.spec, why, sizeof why), ERROR_INVALID);
}

static void unfit_member_lists_are_refused(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    example.spec.members = (const uint32_t[]){1, 5, 5};
    assert_refused(&example, "group g: its members must ascend and differ");
    example.spec.members = (const uint32_t[]){0, 1, 2};
    assert_refused(&example, "group g: node 0 is nobody and cannot be a member");
    example.spec.member_count = 0;
    assert_refused(&example, "group g: it has no members");
}

static void a_sentence_is_cut_to_its_room(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    example.spec.member_count = 0;
    char why[12];
    assert_int_equal(spec_check(&example.spec, why, sizeof why), ERROR_INVALID);
    assert_string_equal(why, "group g: it");
}

static void places_follow_the_list(void **state)
{
    (void)state;
    struct example example;
    example_init(&example);
    assert_int_equal(spec_member_place(&example.spec, 1), 0);
    assert_int_equal(spec_member_place(&example.spec, 5), 2);
    assert_int_equal(spec_member_place(&example.spec, 3), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_production), cmocka_unit_test(group_that_fits_is_accepted),
        cmocka_unit_test(missing_requirement_is_named),     cmocka_unit_test(too_few_members_are_refused),
        cmocka_unit_test(unfit_member_lists_are_refused),   cmocka_unit_test(a_sentence_is_cut_to_its_room),
        cmocka_unit_test(places_follow_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
