/* Recordings: what concerns clients of a group comes back, and a recording of another form says what it is. */
#include "node/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "base/error.h"
#include "base/heap.h"
#include "node/node_testing.h"

static uint8_t region[1 << 20] __attribute__((aligned(4096)));
static const uint32_t members[] = {1, 2, 3};

enum { GROUP = 5, CLIENT = 9, VERSION_AT = 8 + 1 + 16 };

static struct group_spec spec_of(uint32_t self)
{
    struct group_spec spec = {.group = GROUP, .name = "some", .self = self, .members = members, .member_count = 3,
                              .protocol = &puppet_protocol, .service = &tally_service};
    spec_defaults(&spec.tuning);
    return spec;
}

static struct node_options options_of(const struct group_spec *spec)
{
    return (struct node_options){.id = spec->self, .groups = spec, .group_count = 1, .seed = 7};
}

static void clients_and_their_requests_come_back(void **state)
{
    (void)state;
    struct heap *heap = heap_init(region, sizeof region);
    struct group_spec spec = spec_of(CLIENT);
    spec.served_by = &puppet_protocol;
    spec.vote = 3;
    struct node_options options = options_of(&spec);
    struct recorder recorder;
    recorder_begin(&recorder, heap, &options, "this build");
    struct node_observer observer = recorder_observer(&recorder);
    struct event event = {.kind = EVENT_REQUEST};
    event.request = (struct event_request){.kind = REQUEST_READ, .origin = CLIENT, .incarnation = 11,
                                           .first_number = 12, .count = 13, .first_incomplete = 14,
                                           .bytes = span_string("bundle")};
    observer.event(observer.context, GROUP, &event);
    observer.stepped(observer.context, GROUP);

    struct recording_head head;
    static struct recording_group groups[RECORDING_GROUPS_MAX];
    char why[200] = "";
    struct span bytes = buffer_span(&recorder.out);
    int64_t begin = recording_open(bytes, &head, groups, why, sizeof why);
    assert_string_equal(why, "");
    assert_true(begin > 0);
    assert_string_equal(groups[0].served_by, "puppet");
    assert_int_equal(groups[0].spec.vote, 3);
    assert_int_equal(groups[0].spec.self, CLIENT);
    size_t at = (size_t)begin;
    struct recording_step step;
    assert_int_equal(recording_next(bytes, &at, &step), RECORDING_STEP);
    assert_int_equal(step.event.request.origin, CLIENT);
    assert_int_equal(step.event.request.kind, REQUEST_READ);
    assert_int_equal(step.event.request.incarnation, 11);
    assert_int_equal(step.event.request.first_number, 12);
    assert_int_equal(step.event.request.count, 13);
    assert_int_equal(step.event.request.first_incomplete, 14);
    assert_true(span_equal(step.event.request.bytes, span_string("bundle")));
}

/* A member is one of its group's, a client is none: anything else was not written by a recorder. */
static void who_is_neither_member_nor_client_is_refused(void **state)
{
    (void)state;
    for (int client = 0; client <= 1; client++) {
        struct group_spec spec = spec_of(client != 0 ? 2 : CLIENT);
        spec.served_by = client != 0 ? &puppet_protocol : NULL;
        struct node_options options = options_of(&spec);
        struct recorder recorder;
        recorder_begin(&recorder, heap_init(region, sizeof region), &options, "this build");
        struct recording_head head;
        static struct recording_group groups[RECORDING_GROUPS_MAX];
        char why[200] = "";
        assert_int_equal(recording_open(buffer_span(&recorder.out), &head, groups, why, sizeof why), ERROR_CORRUPT);
    }
}

static void another_form_names_its_build(void **state)
{
    (void)state;
    struct group_spec spec = spec_of(1);
    struct node_options options = options_of(&spec);
    struct recorder recorder;
    recorder_begin(&recorder, heap_init(region, sizeof region), &options, "lockstep of old");
    uint8_t *item = recorder.out.data;
    assert_int_equal(load_u32(item + VERSION_AT), RECORDING_VERSION);
    store_u32(item + VERSION_AT, RECORDING_VERSION - 1);
    store_u32(item + 4, crc32c(0, item + 8, load_u32(item)));
    struct recording_head head;
    static struct recording_group groups[RECORDING_GROUPS_MAX];
    char why[200] = "";
    assert_int_equal(recording_open(buffer_span(&recorder.out), &head, groups, why, sizeof why), ERROR_VERSION);
    assert_non_null(strstr(why, "form 2"));
    assert_non_null(strstr(why, "lockstep of old"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clients_and_their_requests_come_back),
        cmocka_unit_test(who_is_neither_member_nor_client_is_refused),
        cmocka_unit_test(another_form_names_its_build),
    };
    return cmocka_run_group_tests_name("recording", tests, NULL, NULL);
}
