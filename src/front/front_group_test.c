/* Keys to groups, and the commands of groups, as far as the front decides. */
#include "front/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "front/test_client.h"
#include "protocol/registry.h"
#include "service/directory/kv_groups.h"

struct fixture {
    struct fake_world w;
    struct connection *c;
};

static void add(struct directory *directory, const char *name, const char *prefix, uint32_t last)
{
    static const uint32_t nodes[] = {1, 2, 3};
    struct directory_group group = {.members = {last < 3 ? last : 1, 3}, .member_count = 2};
    snprintf(group.name, sizeof group.name, "%s", name);
    snprintf(group.protocol, sizeof group.protocol, "raft");
    snprintf(group.service, sizeof group.service, "kv");
    group.prefix_size = (uint32_t)strlen(prefix);
    memcpy(group.prefix, prefix, group.prefix_size);
    char why[128];
    assert_int_equal(directory_add(directory, &group, nodes, 3, why, sizeof why), 0);
}

/* Node 1 hosts groups 1 and 2 of three; group 3 is on nodes 2 and 3. */
static struct fixture begin(void)
{
    struct fixture f = {.w = fake_world_create(NULL)};
    f.c = client_connect(&f.w);
    add(&f.w.node->directory, "a", "a:", 1);
    add(&f.w.node->directory, "b", "b:", 1);
    add(&f.w.node->directory, "far", "f:", 2);
    f.w.node->hosted = 1 << 1 | 1 << 2;
    return f;
}

static void end(struct fixture *f)
{
    assert_int_equal(fake_world_destroy(&f->w), 0);
}

#define ASK(text, answer) client_ask(&f.w, f.c, text "\r\n", answer)
#define GROUP(number) assert_int_equal(f.w.node->last_group, number)

static void test_prefix_chooses_the_group(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("SET a:1 x", "+OK\r\n");
    GROUP(1);
    ASK("GET b:1", "$-1\r\n");
    GROUP(2);
    ASK("SET plain a:1", "+OK\r\n"); /* a value is no key */
    GROUP(0);
    ASK("SET a x", "+OK\r\n");
    GROUP(0);
    (void)client_answer(&f.w, f.c, "DBSIZE\r\n");
    GROUP(0);
    (void)client_answer(&f.w, f.c, "DEL a:1 a:2 a:3\r\n");
    GROUP(1);
    (void)client_answer(&f.w, f.c, "MSET b:1 a:1 b:2 f:1\r\n"); /* every other word is a key */
    GROUP(2);
    end(&f);
}

static void test_groups_do_not_mix(void **state)
{
    (void)state;
    struct fixture f = begin();
    static const char *const crossing[] = {"DEL a:1 b:1\r\n", "DEL a:1 plain\r\n", "MSET plain 1 b:1 2\r\n",
                                           "MGET a:1 f:1\r\n", "WATCH a:1 b:1\r\n", "RENAME a:1 b:1\r\n"};
    for (size_t i = 0; i < sizeof crossing / sizeof crossing[0]; i++)
        assert_has(client_answer(&f.w, f.c, crossing[i]), "-CROSSGROUP keys of group ");
    assert_int_equal(f.w.node->executed_updates + f.w.node->executed_reads, 0);
    end(&f);
}

static void test_other_nodes_are_named(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("GET f:1", "-MOVED 3 127.0.0.1:7002\r\n");
    ASK("SET f:1 x", "-MOVED 3 127.0.0.1:7002\r\n");
    ASK("MULTI\r\nSET f:1 x\r\nEXEC", "+OK\r\n-MOVED 3 127.0.0.1:7002\r\n"
                                      "-EXECABORT Transaction discarded because of previous errors.\r\n");
    /* Only node 3, which is not connected, has it. */
    f.w.node->directory.groups[2].members[0] = 3;
    f.w.node->directory.groups[2].member_count = 1;
    assert_has(client_answer(&f.w, f.c, "GET f:1\r\n"), "-CLUSTERDOWN no member of group 'far'");
    f.w.node->hosted = 0; /* a member that could not be made */
    assert_has(client_answer(&f.w, f.c, "GET a:1\r\n"), "-CLUSTERDOWN the member of group 'a' on this node");
    end(&f);
}

static void test_transactions_stay_in_their_group(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("MULTI\r\nSET a:1 1\r\nINCR a:1\r\nPING\r\nEXEC",
        "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:2\r\n+PONG\r\n");
    GROUP(1);
    assert_has(client_answer(&f.w, f.c, "MULTI\r\nSET a:1 1\r\nSET b:1 1\r\nEXEC\r\n"), "-EXECABORT");
    assert_has(client_answer(&f.w, f.c, "MULTI\r\nSET a:1 1\r\nDBSIZE\r\nEXEC\r\n"), "-CROSSGROUP");
    ASK("WATCH a:1\r\nMULTI\r\nSET a:1 5\r\nEXEC", "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    GROUP(1);
    assert_has(client_answer(&f.w, f.c, "WATCH a:1\r\nMULTI\r\nSET b:1 5\r\nEXEC\r\n"), "-CROSSGROUP");
    assert_has(client_answer(&f.w, f.c, "WATCH a:1\r\nWATCH b:1\r\n"), "-CROSSGROUP");
    ASK("UNWATCH\r\nWATCH b:1\r\nMULTI\r\nSET b:1 5\r\nEXEC", "+OK\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    GROUP(2);
    ASK("WATCH a:1\r\nMULTI\r\nSET a:1 1", "+OK\r\n+OK\r\n+QUEUED\r\n");
    f.w.node->hosted = 0;
    (void)directory_remove(&f.w.node->directory, span_string("a"));
    assert_has(client_answer(&f.w, f.c, "EXEC\r\n"), "-TRYAGAIN the group was dropped");
    end(&f);
}

/* What goes to another group waits for what is unanswered, so that a connection's requests keep their order. */
static void test_a_pipeline_keeps_its_order(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->hold[0] = true;
    client_send(&f.w, f.c, "SET a:1 1\r\nSET a:2 2\r\nSET b:1 3\r\nGET a:1\r\n");
    fake_world_turn(&f.w);
    assert_int_equal(f.w.node->lanes[0].count, 2);
    GROUP(1);
    f.w.node->hold[0] = false;
    fake_world_turn(&f.w);
    client_expect(f.c, "+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n");
    end(&f);
}

static void test_creation_is_checked(void **state)
{
    (void)state;
    struct fixture f = begin();
    assert_has(client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL raft\r\n"), "no directory of groups");
    assert_has(client_answer(&f.w, f.c, "GROUP.LIST\r\n"), "no directory of groups");
    static const uint32_t members[] = {1, 2, 3};
    f.w.node->spec.service = &kv_groups_service;
    f.w.node->spec.members = members;
    static const struct {
        const char *words, *part;
    } cases[] = {
        {"x PROTOCOL nosuch", "no protocol 'nosuch'; there are: raft"},
        {"x PROTOCOL raft SERVICE nosuch", "no service 'nosuch' for groups; there are: kv"},
        {"x PROTOCOL raft SERVICE kv+groups", "no service"},
        {"x PROTOCOL raft K 2", "needs 2k+1 = 5 members"},
        {"x PROTOCOL raft K -1", "syntax error"},
        {"x PROTOCOL raft K 9999999999", "syntax error"},
        {"x PROTOCOL raft MEMBERS 0", "MEMBERS are node ids"},
        {"x PROTOCOL raft MEMBERS 1,,2", "MEMBERS are node ids"},
        {"x PROTOCOL raft MEMBERS 1,2,", "MEMBERS are node ids"},
        {"x PROTOCOL raft MEMBERS 1,2,1", "ascend"},
        {"x PROTOCOL raft MEMBERS 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16 members"},
        {"x PROTOCOL two-phase-commit", "lab maturity"},
        {"x PROTOCOL", "wrong number"},
        {"x PROTOCOL raft K", "syntax error"},
        {"x K 1 MEMBERS 1,2,3", "syntax error"},
        {"0123456789012345678901234567890123 PROTOCOL raft", "1 to 31 letters"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "GROUP.CREATE %s\r\n", cases[i].words);
        const char *answer = client_answer(&f.w, f.c, line);
        assert_int_equal(answer[0], '-');
        assert_has(answer, cases[i].part);
    }
    assert_int_equal(f.w.node->executed_updates, 0);
    (void)client_answer(&f.w, f.c, "GROUP.CREATE x protocol raft k 1 members 3,1,2 prefix q:\r\n");
    assert_int_equal(f.w.node->executed_updates, 1);
    assert_has(client_answer(&f.w, f.c, "GROUP.DROP default\r\n"), "cannot be dropped");
    end(&f);
}

/* Only what looks right reaches the directory, in the form that it takes. */
static void test_clients_are_checked(void **state)
{
    (void)state;
    struct fixture f = begin();
    assert_has(client_answer(&f.w, f.c, "GROUP.ENROL 100\r\n"), "no directory of groups");
    assert_has(client_answer(&f.w, f.c, "GROUP.EXPEL 100\r\n"), "no directory of groups");
    assert_has(client_answer(&f.w, f.c, "GROUP.CLIENTS\r\n"), "no directory of groups");
    assert_has(client_answer(&f.w, f.c, "GROUP.DIRECTORY\r\n"), "no directory of groups");
    f.w.node->spec.service = &kv_groups_service;
    static const char *const bad_numbers[] = {"0", "-1", "x", "1000000000", "18446744073709551617", "1.5"};
    for (size_t i = 0; i < sizeof bad_numbers / sizeof bad_numbers[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "GROUP.ENROL %s\r\n", bad_numbers[i]);
        assert_has(client_answer(&f.w, f.c, line), "the number of a client is 1 to 999999999");
        snprintf(line, sizeof line, "GROUP.EXPEL %s\r\n", bad_numbers[i]);
        assert_has(client_answer(&f.w, f.c, line), "the number of a client is 1 to 999999999");
    }
    char line[256], key[130] = {0};
    memset(key, 'a', 128);
    key[127] = 'g';
    snprintf(line, sizeof line, "GROUP.ENROL 100 %s\r\n", key);
    assert_has(client_answer(&f.w, f.c, line), "128 hexadecimal digits");
    key[127] = 'F';
    snprintf(line, sizeof line, "GROUP.ENROL 100 %sa\r\n", key);
    assert_has(client_answer(&f.w, f.c, line), "128 hexadecimal digits");
    snprintf(line, sizeof line, "GROUP.ENROL 100 %s more\r\n", key);
    assert_has(client_answer(&f.w, f.c, line), "syntax error");
    assert_int_equal(f.w.node->executed_updates, 0);
    snprintf(line, sizeof line, "GROUP.ENROL 100 %s\r\n", key);
    (void)client_answer(&f.w, f.c, line);
    (void)client_answer(&f.w, f.c, "GROUP.ENROL 101\r\nGROUP.EXPEL 100\r\n");
    assert_int_equal(f.w.node->executed_updates, 3);
    end(&f);
}

/* What the directory's bytes become for the client. */
static void test_what_clients_see(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct directory *directory = &f.w.node->directory;
    struct directory_client client = {.node = 77}, plain = {.node = 9};
    char why[128];
    add(directory, "inner", "a:b:", 1);
    memset(client.key, 0xa5, sizeof client.key);
    assert_int_equal(directory_enrol(directory, &client, NULL, 0, why, sizeof why), 0);
    assert_int_equal(directory_enrol(directory, &plain, NULL, 0, why, sizeof why), 0);
    f.w.node->spec.service = &kv_groups_service;
    const char *list = client_answer(&f.w, f.c, "GROUP.CLIENTS\r\n");
    assert_has(list, "*2\r\n*2\r\n:9\r\n$0\r\n\r\n*2\r\n:77\r\n$128\r\na5a5a5");
    assert_has(client_answer(&f.w, f.c, "GROUP.LIST\r\n"), "*5\r\n$7\r\ndefault\r\n$1\r\na\r\n");
    assert_has(client_answer(&f.w, f.c, "GROUP.INFO inner\r\n"), "$6\r\nwithin\r\n$1\r\na\r\n");
    assert_has(client_answer(&f.w, f.c, "GROUP.INFO a\r\n"), "$6\r\nwithin\r\n$7\r\ndefault\r\n");
    ASK("SET a:1 x", "+OK\r\n");
    GROUP(1);
    f.w.node->hosted |= 1 << 4;
    ASK("SET a:b:1 x", "+OK\r\n");
    GROUP(4);
    assert_has(client_answer(&f.w, f.c, "MSET a:1 x a:b:1 x\r\n"), "-CROSSGROUP keys of group 'a' and of group 'inner'");
    end(&f);
}

/* A protocol that masks more than default does would hang on what default decides: no option changes that, so it is what
 * is said first. */
static void test_default_must_mask_as_much(void **state)
{
    (void)state;
    for (int lab = 0; lab < 2; lab++) {
        struct front_options options;
        front_options_default(&options);
        options.lab = lab == 1;
        struct fixture f = {.w = fake_world_create(&options)};
        f.c = client_connect(&f.w);
        static const uint32_t members[] = {1, 2, 3, 4};
        f.w.node->spec.service = &kv_groups_service;
        f.w.node->spec.members = members;
        f.w.node->spec.member_count = 4;
        f.w.node->protocol.masks = MASKS_TIMING;
        const char *answer = client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL pbft\r\n");
        assert_has(answer, "-ERR protocol pbft masks ");
        assert_has(answer, "lockstep up --protocol pbft");
        assert_int_equal(f.w.node->executed_updates, 0);
        f.w.node->protocol.masks = MASKS_ARBITRARY;
        (void)client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL pbft\r\n");
        assert_int_equal(f.w.node->executed_updates, lab);
        end(&f);
    }
}

/* The service of a lab protocol must still get what it needs. */
static void test_lab_protocols_are_taken_where_allowed(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.lab = true;
    struct fixture f = {.w = fake_world_create(&options)};
    f.c = client_connect(&f.w);
    static const uint32_t members[] = {1, 2, 3};
    f.w.node->spec.service = &kv_groups_service;
    f.w.node->spec.members = members;
    assert_has(client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL chandy-lamport\r\n"), "service kv needs total order");
    assert_has(client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL nosuch\r\n"), "two-phase-commit");
    (void)client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL chandy-lamport SERVICE token\r\n");
    assert_int_equal(f.w.node->executed_updates, 1);
    end(&f);
}

/* What masks liars masks one at least, unless none is asked for. */
static void test_masking_nobody_is_asked_for(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.lab = true;
    struct fixture f = {.w = fake_world_create(&options)};
    f.c = client_connect(&f.w);
    static const uint32_t members[] = {1, 2, 3, 4};
    f.w.node->spec.service = &kv_groups_service;
    f.w.node->spec.members = members;
    f.w.node->spec.member_count = 4;
    f.w.node->protocol.masks = MASKS_ARBITRARY;
    const char *answer = client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL pbft MEMBERS 1,2,3\r\n");
    assert_has(answer, "-ERR group x: protocol pbft needs 3k+1 = 4 members");
    assert_has(answer, "with K 0 it is created and masks none");
    answer = client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL pbft MEMBERS 1,2,3 K 1\r\n");
    assert_has(answer, "needs 3k+1 = 4 members");
    assert_null(strstr(answer, "K 0"));
    assert_int_equal(f.w.node->executed_updates, 0);
    (void)client_answer(&f.w, f.c, "GROUP.CREATE x PROTOCOL pbft MEMBERS 1,2,3 K 0\r\n");
    (void)client_answer(&f.w, f.c, "GROUP.CREATE y PROTOCOL raft MEMBERS 1\r\n");
    assert_int_equal(f.w.node->executed_updates, 2);
    end(&f);
}

/* Node 1 as a gateway that compares three answers of `default`, which runs Raft on nodes 2 to 4. */
static struct fixture begin_gateway(void)
{
    static const uint32_t members[] = {2, 3, 4};
    struct fixture f = begin();
    f.w.node->protocol.name = "voter";
    f.w.node->service.name = "none";
    f.w.node->spec.members = members;
    f.w.node->spec.served_by = protocol_find("raft");
    f.w.node->spec.vote = 3;
    return f;
}

/* The card is that of the group, not of how the gateway asks it. */
static void test_a_gateway_prints_the_groups_card(void **state)
{
    (void)state;
    struct fixture f = begin();
    f.w.node->spec.service = &kv_groups_service;
    assert_has(client_answer(&f.w, f.c, "GROUP.INFO a\r\n"), "$11\r\nanswered-by\r\n$6\r\nnode 1\r\n");
    end(&f);
    f = begin_gateway();
    const char *answer = client_answer(&f.w, f.c, "GROUP.INFO default\r\n");
    assert_has(answer, "$8\r\nprotocol\r\n$4\r\nraft\r\n$7\r\nservice\r\n$9\r\nkv+groups\r\n$1\r\nk\r\n:1\r\n");
    assert_has(answer, "$7\r\nmembers\r\n*3\r\n:2\r\n:3\r\n:4\r\n");
    assert_has(answer, "$5\r\norder\r\n$5\r\ntotal\r\n");
    assert_has(answer, "stored by members enough to survive k faults");
    assert_has(answer, "$4\r\nrole\r\n$22\r\nno member on this node\r\n$7\r\norderer\r\n:0\r\n");
    assert_has(answer, "$11\r\nanswered-by\r\n$9\r\ngateway 1\r\n");
    assert_has(client_answer(&f.w, f.c, "GROUP.INFO a\r\n"), "$9\r\ngateway 1\r\n");
    end(&f);
}

/* Answers that cannot be compared are not asked for, and the client hears it at once. */
static void test_a_gateway_says_what_it_cannot_ask(void **state)
{
    (void)state;
    struct fixture f = begin_gateway();
    f.w.node->hosted = 0;
    const char *answer = client_answer(&f.w, f.c, "INCRBY f:1 5\r\n");
    assert_has(answer, "-ERR group 'far' has 2 members, and this gateway compares the answers of 3 (--vote); nothing was "
                       "executed: ask a node of the group, such as 127.0.0.1:7002\r\n");
    struct directory_group *far = &f.w.node->directory.groups[2];
    snprintf(far->protocol, sizeof far->protocol, "anti-entropy");
    assert_has(client_answer(&f.w, f.c, "GET f:1\r\n"), "-ERR group 'far' runs anti-entropy, whose members have no common "
                                                        "order");
    far->members[0] = 3; /* which is not connected */
    far->member_count = 1;
    assert_has(client_answer(&f.w, f.c, "GET f:1\r\n"), ": ask a node of the group\r\n");
    snprintf(far->protocol, sizeof far->protocol, "raft");
    assert_has(client_answer(&f.w, f.c, "GET f:1\r\n"), "has 1 member, and");
    f.w.node->spec.vote = 0;
    assert_has(client_answer(&f.w, f.c, "GET f:1\r\n"), "-ERR this gateway cannot ask group 'far'");
    assert_int_equal(f.w.node->executed_updates + f.w.node->executed_reads, 0);
    end(&f);
}

/* It is no member, so it does not count itself. */
static void test_a_gateway_is_not_counted(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("WAIT 0 0", ":2\r\n");
    end(&f);
    f = begin_gateway();
    ASK("WAIT 0 0", ":1\r\n");
    ASK("SET x 1\r\nWAIT 0 0", "+OK\r\n:3\r\n");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefix_chooses_the_group),
        cmocka_unit_test(test_groups_do_not_mix),
        cmocka_unit_test(test_other_nodes_are_named),
        cmocka_unit_test(test_transactions_stay_in_their_group),
        cmocka_unit_test(test_a_pipeline_keeps_its_order),
        cmocka_unit_test(test_creation_is_checked),
        cmocka_unit_test(test_clients_are_checked),
        cmocka_unit_test(test_what_clients_see),
        cmocka_unit_test(test_default_must_mask_as_much),
        cmocka_unit_test(test_lab_protocols_are_taken_where_allowed),
        cmocka_unit_test(test_masking_nobody_is_asked_for),
        cmocka_unit_test(test_a_gateway_prints_the_groups_card),
        cmocka_unit_test(test_a_gateway_says_what_it_cannot_ask),
        cmocka_unit_test(test_a_gateway_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
