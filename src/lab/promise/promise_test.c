/* The promise checkers: hand-made runs that they must accept and reject, and random ones against the definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap_system.h"
#include "base/random.h"
#include "base/test_seed.h"
#include "lab/promise/promise.h"

static struct heap *heap;

/* Reads "1 send 7; 2 deliver 7" into observations of processes 1 to 3: process, kind, first, second. */
static void read_run(struct observations *out, const char *text)
{
    observations_init(out, heap, 0xe);
    while (*text != '\0') {
        unsigned process;
        char name[24];
        unsigned long long first = 0, second = 0;
        int used = 0;
        assert_true(sscanf(text, " %u %23[a-z] %n", &process, name, &used) >= 2);
        text += used;
        if (sscanf(text, "%llu %n", &first, &used) == 1)
            text += used;
        if (sscanf(text, "%llu %n", &second, &used) == 1)
            text += used;
        enum observed kind;
        assert_true(observed_find(span_string(name), &kind));
        observe(out, kind, process, first, second, 0);
        text += *text == ';';
    }
}

struct example {
    const char *promise, *anomaly; /* NULL: kept */
    const char *run;
};

static const struct example examples[] = {
    {"agreement", NULL, "1 propose 1 5; 1 decide 1 5; 2 decide 1 5; 1 decide 2 6"},
    {"agreement", "disagreement", "1 decide 1 5; 2 decide 2 7; 2 decide 1 6"},
    {"agreement", NULL, "1 decide 1 5; 1 crash; 2 decide 1 6"},
    {"agreement", "disagreement", "1 decide 1 5; 1 crash; 2 decide 1 6; 1 restart"},
    {"uniform-agreement", "disagreement", "1 decide 1 5; 1 crash; 2 decide 1 6"},
    {"uniform-agreement", NULL, "1 decide 1 5; 1 crash; 2 decide 1 5"},
    {"validity", NULL, "2 propose 1 5; 1 decide 1 5"},
    {"validity", "invented value", "2 propose 1 4; 1 decide 1 5"},
    {"validity", "invented value", "2 propose 2 5; 1 decide 1 5"},
    {"validity", "invented value", "1 decide 1 5; 2 propose 1 5"},
    {"integrity", NULL, "1 decide 1 5; 2 decide 1 5; 1 decide 2 5"},
    {"integrity", "decided twice", "1 decide 1 5; 1 decide 1 5"},
    {"termination", NULL, "1 propose 1 5; 1 decide 1 5; 2 decide 1 5; 3 crash"},
    {"termination", "no decision", "1 propose 1 5; 1 decide 1 5; 2 decide 1 5"},
    {"termination", "no decision", "1 propose 1 5; 3 crash; 1 decide 1 5; 2 decide 1 5; 3 restart"},

    {"fifo-order", NULL, "1 send 1; 1 send 2; 2 deliver 1; 2 deliver 2; 3 deliver 1"},
    {"fifo-order", "FIFO order", "1 send 1; 1 send 2; 2 deliver 2; 2 deliver 1"},
    {"fifo-order", "FIFO order", "1 send 1; 1 send 2; 2 deliver 2"},
    {"fifo-order", NULL, "1 send 1 3; 1 send 2 2; 2 deliver 2; 3 deliver 1"},
    {"fifo-order", NULL, "1 send 1; 1 deliver 1; 2 deliver 1; 2 send 2; 3 deliver 2; 3 deliver 1"},
    {"causal-order", "causal order", "1 send 1; 2 deliver 1; 2 send 2; 3 deliver 2; 3 deliver 1"},
    {"causal-order", NULL, "1 send 1; 2 deliver 1; 2 send 2; 3 deliver 1; 3 deliver 2"},
    {"causal-order", NULL, "1 send 1; 2 send 2; 2 deliver 1; 3 deliver 2; 3 deliver 1"},
    {"causal-order", "causal order", "1 send 1; 2 deliver 1; 2 send 2 1; 1 deliver 2; 1 send 3; 3 deliver 3"},
    {"total-order", NULL, "1 send 1; 2 send 2; 1 deliver 1; 1 deliver 2; 2 deliver 1; 2 deliver 2; 3 deliver 2"},
    {"total-order", "total order", "1 send 1; 2 send 2; 1 deliver 1; 1 deliver 2; 2 deliver 2; 2 deliver 1"},
    {"total-order", NULL, "1 send 1; 2 send 2; 1 deliver 1; 2 deliver 2"},

    {"reliable-delivery", NULL, "1 send 1; 1 deliver 1; 2 deliver 1; 3 deliver 1"},
    {"reliable-delivery", "delivered twice", "1 send 1; 1 deliver 1; 2 deliver 1; 2 deliver 1; 3 deliver 1"},
    {"reliable-delivery", "invented message", "1 deliver 1; 2 deliver 1; 3 deliver 1"},
    {"reliable-delivery", "agreement", "1 send 1; 1 deliver 1; 2 deliver 1"},
    {"reliable-delivery", "validity", "1 send 1; 2 crash"},
    {"reliable-delivery", NULL, "1 send 1; 1 deliver 1; 1 crash"},
    {"uniform-delivery", "agreement", "1 send 1; 1 deliver 1; 1 crash"},
    {"uniform-delivery", NULL, "1 send 1; 1 crash"},
    {"atomic-delivery", NULL, "1 send 1; 2 send 2; 1 deliver 2; 1 deliver 1; 2 deliver 2; 2 deliver 1; 3 crash"},
    {"atomic-delivery", "total order",
     "1 send 1; 2 send 2; 1 deliver 1; 1 deliver 2; 2 deliver 2; 2 deliver 1; 3 crash"},
    {"atomic-delivery", "agreement", "1 send 1; 1 deliver 1; 2 deliver 1"},

    /* Sets of processes: 14 is {1, 2, 3}, 6 is {1, 2}. */
    {"virtual-synchrony", NULL,
     "1 view 1 14; 2 view 1 14; 3 view 1 14; 3 send 7; 1 deliver 7; 3 crash; 2 deliver 7; 1 view 2 6; 2 view 2 6"},
    {"virtual-synchrony", "different sets",
     "1 view 1 14; 2 view 1 14; 3 view 1 14; 3 send 7; 1 deliver 7; 3 crash; 1 view 2 6; 2 view 2 6"},
    {"virtual-synchrony", NULL,
     "1 view 1 14; 2 view 1 14; 3 view 1 14; 3 send 7; 1 deliver 7; 3 crash; 1 view 2 2; 2 view 3 4"},
    {"virtual-synchrony", "delivered in another view",
     "1 view 1 6; 2 view 1 6; 1 send 7; 1 view 2 6; 2 view 2 6; 1 deliver 7; 2 deliver 7"},
    {"virtual-synchrony", "two views of one number", "1 view 1 6; 2 view 1 14"},
    {"virtual-synchrony", "self inclusion", "3 view 1 6"},
    {"virtual-synchrony", "view went back", "1 view 2 6; 1 view 1 6"},

    {"atomic-commit", NULL, "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 1 decide 9 1; 2 decide 9 1; 3 decide 9 1"},
    {"atomic-commit", NULL, "1 vote 9 1; 2 vote 9 0; 3 vote 9 1; 1 decide 9 0; 2 decide 9 0; 3 decide 9 0"},
    {"atomic-commit", "AC1", "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 1 decide 9 1; 2 decide 9 0; 3 decide 9 1"},
    {"atomic-commit", "AC2",
     "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 1 decide 9 0; 1 decide 9 1; 2 decide 9 0; 3 decide 9 0"},
    {"atomic-commit", "AC3", "1 vote 9 1; 2 vote 9 0; 1 decide 9 1; 2 decide 9 1"},
    {"atomic-commit", "AC3", "1 vote 9 1; 1 decide 9 1; 2 decide 9 1; 2 vote 9 0; 3 crash"},
    {"atomic-commit", "AC4", "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 1 decide 9 0; 2 decide 9 0; 3 decide 9 0"},
    {"atomic-commit", NULL, "1 vote 9 1; 2 vote 9 1; 3 crash; 1 decide 9 0; 2 decide 9 0"},
    {"atomic-commit", "AC5", "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 3 crash; 1 decide 9 0"},
    {"atomic-commit", NULL, "1 vote 9 1; 2 vote 9 1; 3 vote 9 1; 1 decide 9 0; 2 decide 9 0; 3 crash"},

    {"mutual-exclusion", NULL, "1 acquire 5 1; 9 access 5 1; 1 release 5 1; 2 acquire 5 2; 9 access 5 2"},
    {"mutual-exclusion", "two holders", "1 acquire 5 1; 2 acquire 5 2"},
    {"mutual-exclusion", NULL, "1 acquire 5 1; 2 acquire 6 1"},
    {"mutual-exclusion", "token did not rise", "1 acquire 5 3; 1 release 5 3; 2 acquire 5 3"},
    {"mutual-exclusion", "stale token accepted",
     "1 acquire 5 1; 1 release 5 1; 2 acquire 5 2; 9 access 5 2; 9 access 5 1"},
    {"mutual-exclusion", NULL, "1 acquire 5 1; 1 release 5 1; 9 access 5 1; 2 acquire 5 2; 1 release 5 1; 9 access 5 2"},
    {"mutual-exclusion", "two holders", "1 acquire 5 1; 1 release 5 1; 2 acquire 5 2; 1 release 5 1; 3 acquire 5 3"},

    {"detector-completeness", NULL, "3 crash; 1 suspect 3; 2 suspect 3"},
    {"detector-completeness", "completeness", "3 crash; 1 suspect 3"},
    {"detector-completeness", "completeness", "3 crash; 1 suspect 3; 2 suspect 3; 2 trust 3"},
    {"detector-completeness", NULL, "3 crash; 3 restart"},
    {"detector-accuracy", NULL, "3 crash; 1 suspect 3"},
    {"detector-accuracy", "accuracy", "1 suspect 3; 3 crash; 2 suspect 3"},
    {"detector-eventual-accuracy", NULL, "1 suspect 3; 1 trust 3"},
    {"detector-eventual-accuracy", "eventual accuracy", "1 suspect 3"},
    {"detector-eventual-accuracy", NULL, "1 suspect 3; 3 crash"},

    {"consistent-cut", NULL, "1 send 1 2; 1 checkpoint 1; 2 receive 1; 2 checkpoint 1; 1 line 1 1; 2 line 1 1"},
    {"consistent-cut", "orphan message",
     "1 checkpoint 1; 1 send 1 2; 2 receive 1; 2 checkpoint 1; 1 line 1 1; 2 line 1 1"},
    {"consistent-cut", "orphan message", "1 checkpoint 1; 1 send 1 2; 2 receive 1; 1 line 1 1"},
    {"consistent-cut", NULL, "1 checkpoint 1; 1 send 1 2; 2 checkpoint 1; 2 receive 1; 1 line 1 1; 2 line 1 1"},
    {"consistent-cut", "no such checkpoint", "1 checkpoint 1; 1 line 2 1"},
    {"consistent-cut", "orphan message",
     "1 checkpoint 1; 2 checkpoint 1; 1 line 1 1; 2 line 1 1; 1 send 1 2; 2 receive 1; 2 checkpoint 2; 1 line 1 2; "
     "2 line 2 2"},
    {"recovery-line", NULL, "1 checkpoint 1; 1 send 1 2; 2 receive 1; 1 crash; 1 line 1 1; 2 line 0 1"},
    {"recovery-line", "orphan message", "1 checkpoint 1; 1 send 1 2; 2 receive 1; 1 crash; 1 line 1 1"},
    {"recovery-line", "rolled back too far",
     "2 checkpoint 1; 1 send 1 2; 2 receive 1; 1 checkpoint 1; 2 checkpoint 2; 1 crash; 1 line 1 1; 2 line 1 1"},
    /* The domino effect: every pair of checkpoints is crossed by a message, so both begin anew. */
    {"recovery-line", NULL,
     "1 send 1 2; 2 receive 1; 2 checkpoint 1; 2 send 2 1; 1 receive 2; 1 checkpoint 1; 1 send 3 2; 2 receive 3; "
     "2 checkpoint 2; 2 send 4 1; 1 receive 4; 2 crash; 2 line 0 1; 1 line 0 1"},
    {"recovery-line", NULL,
     "2 send 1 1; 1 receive 1; 1 checkpoint 1; 1 send 2 2; 2 receive 2; 2 checkpoint 1; 2 send 3 1; 1 receive 3; "
     "1 checkpoint 2; 1 send 4 2; 2 receive 4; 1 crash; 1 line 0 1; 2 line 0 1"},
    {"recovery-line", NULL, "1 send 1 2; 2 receive 1; 2 checkpoint 1; 1 crash; 1 line 0 1; 2 line 0 1"},

    {"orphan-freedom", NULL, "1 send 1 2; 2 deliver 1; 2 logged 1 0; 2 send 2 3; 3 deliver 2; 2 crash; 2 restart"},
    {"orphan-freedom", "orphan process", "1 send 1 2; 2 deliver 1; 2 send 2 3; 3 deliver 2; 2 crash; 2 restart"},
    {"orphan-freedom", "orphan process", "1 send 1 2; 2 deliver 1; 2 send 2 3; 3 deliver 2; 2 crash"},
    {"orphan-freedom", NULL, "1 send 1 2; 2 deliver 1; 2 logged 1 3; 2 send 2 3; 3 deliver 2; 2 crash; 2 restart"},
    {"orphan-freedom", "orphan process",
     "1 send 1 2; 2 deliver 1; 2 logged 1 3; 2 send 2 1; 1 deliver 2; 2 crash; 3 crash; 2 restart; 3 restart"},
    {"orphan-freedom", NULL, "1 send 1 2; 2 deliver 1; 2 send 2 3; 2 crash; 2 restart"},
    {"orphan-freedom", NULL,
     "1 send 1 2; 2 deliver 1; 2 send 2 3; 3 deliver 2; 2 crash; 3 crash; 2 restart; 3 restart"},
};

static void examples_are_judged_as_their_definitions_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const struct example *example = &examples[i];
        struct observations run;
        struct verdict verdict = {0};
        read_run(&run, example->run);
        if (strcmp(example->promise, "mutual-exclusion") == 0)
            run.processes = 0xe; /* the resource is no member */
        const struct promise *promise = promise_find(span_string(example->promise));
        assert_non_null(promise);
        size_t used = heap_used(heap);
        promise->check(&run, heap, &verdict);
        enum verdict_kind expected = example->anomaly == NULL ? VERDICT_OK : VERDICT_ILLEGAL;
        if (verdict.kind != expected || strcmp(verdict.anomaly, example->anomaly == NULL ? "" : example->anomaly) != 0)
            fail_msg("%s, run '%s': %s (%s) %s", example->promise, example->run, verdict_name(verdict.kind),
                     verdict.anomaly, verdict.reason);
        for (uint32_t at = 0; at < verdict.operation_count; at++)
            assert_true(verdict.operations[at] < run.count);
        verdict_clear(&verdict, heap);
        assert_int_equal(heap_used(heap), used);
        observations_free(&run);
    }
}

static void every_promise_has_examples_of_both_kinds(void **state)
{
    (void)state;
    for (const struct promise *promise = promise_list(); promise->name != NULL; promise++) {
        uint32_t good = 0, bad = 0;
        for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
            if (strcmp(examples[i].promise, promise->name) == 0)
                *(examples[i].anomaly == NULL ? &good : &bad) += 1;
        if (good == 0 || bad == 0)
            fail_msg("%s has %u good and %u bad examples", promise->name, good, bad);
    }
}

/* ---- random runs against the definitions, by closure over all pairs ---- */

enum { RUNS = 20000, EVENTS = 14, MESSAGES = 6 };

static void random_run(struct observations *run, struct random *random)
{
    observations_init(run, heap, 0xe);
    uint64_t sent = 0, delivered[4] = {0};
    for (int i = 0; i < EVENTS; i++) {
        uint32_t process = 1 + (uint32_t)random_below(random, 3);
        if (sent < MESSAGES && random_chance(random, 1, 3)) {
            observe(run, OBSERVED_SEND, process, ++sent, 0, 0);
            continue;
        }
        uint64_t message = 1 + random_below(random, MESSAGES);
        if (message > sent || (delivered[process] >> message & 1) != 0)
            continue;
        delivered[process] |= UINT64_C(1) << message;
        observe(run, OBSERVED_DELIVER, process, message, 0, 0);
    }
}

/* before[i][j]: observation i happened before j: same process, or send and delivery, closed. */
static void happened_before(const struct observations *run, bool fifo_only, bool before[EVENTS][EVENTS])
{
    for (uint32_t i = 0; i < run->count; i++)
        for (uint32_t j = 0; j < run->count; j++) {
            const struct observation *a = &run->list[i], *b = &run->list[j];
            before[i][j] = i < j && (a->process == b->process || (a->kind == OBSERVED_SEND &&
                                                                  b->kind == OBSERVED_DELIVER && a->first == b->first));
        }
    for (uint32_t k = 0; !fifo_only && k < run->count; k++)
        for (uint32_t i = 0; i < run->count; i++)
            for (uint32_t j = 0; j < run->count; j++)
                before[i][j] = before[i][j] || (before[i][k] && before[k][j]);
}

static uint32_t delivery_of(const struct observations *run, uint32_t process, uint64_t message)
{
    for (uint32_t i = 0; i < run->count; i++)
        if (run->list[i].kind == OBSERVED_DELIVER && run->list[i].process == process && run->list[i].first == message)
            return i;
    return UINT32_MAX;
}

/* Whoever delivers the later of two messages whose sends are ordered has delivered the earlier one before. */
static bool naive_order(const struct observations *run, bool fifo_only)
{
    bool before[EVENTS][EVENTS];
    happened_before(run, fifo_only, before);
    for (uint32_t i = 0; i < run->count; i++)
        for (uint32_t j = 0; j < run->count; j++) {
            const struct observation *a = &run->list[i], *b = &run->list[j];
            if (a->kind != OBSERVED_SEND || b->kind != OBSERVED_SEND || !before[i][j])
                continue;
            for (uint32_t process = 1; process <= 3; process++) {
                uint32_t later = delivery_of(run, process, b->first);
                if (later != UINT32_MAX && delivery_of(run, process, a->first) >= later)
                    return false;
            }
        }
    return true;
}

static bool naive_total(const struct observations *run)
{
    for (uint64_t a = 1; a <= MESSAGES; a++)
        for (uint64_t b = 1; b <= MESSAGES; b++)
            for (uint32_t p = 1; p <= 3; p++)
                for (uint32_t q = 1; q <= 3; q++) {
                    uint32_t pa = delivery_of(run, p, a), pb = delivery_of(run, p, b);
                    uint32_t qa = delivery_of(run, q, a), qb = delivery_of(run, q, b);
                    bool all = pa != UINT32_MAX && pb != UINT32_MAX && qa != UINT32_MAX && qb != UINT32_MAX;
                    if (all && pa < pb && qa > qb)
                        return false;
                }
    return true;
}

static void random_runs_are_judged_as_by_the_definitions(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("promise_test"));
    uint32_t good[3] = {0}, bad[3] = {0};
    static const char *const names[3] = {"fifo-order", "causal-order", "total-order"};
    for (int i = 0; i < RUNS; i++) {
        struct observations run;
        random_run(&run, &random);
        bool expected[3] = {naive_order(&run, true), naive_order(&run, false), naive_total(&run)};
        for (int p = 0; p < 3; p++) {
            struct verdict verdict = {0};
            promise_find(span_string(names[p]))->check(&run, heap, &verdict);
            if ((verdict.kind == VERDICT_OK) != expected[p])
                fail_msg("run %d: %s says %s %s", i, names[p], verdict_name(verdict.kind), verdict.reason);
            *(expected[p] ? &good[p] : &bad[p]) += 1;
            verdict_clear(&verdict, heap);
        }
        observations_free(&run);
    }
    for (int p = 0; p < 3; p++)
        assert_true(good[p] > RUNS / 100 && bad[p] > RUNS / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_are_judged_as_their_definitions_say),
        cmocka_unit_test(every_promise_has_examples_of_both_kinds),
        cmocka_unit_test(random_runs_are_judged_as_by_the_definitions),
    };
    heap = heap_create_system((size_t)1 << 30);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heap_destroy_system(heap);
    return failed;
}
