/* The causal family: hand-made histories for each level, and random tiny ones against the definitions, tried out order by
 * order. */
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
#include "lab/causal/causal.h"

static struct heap *heap;

/* ---- making histories ---- */

/* One operation after the other: invoked and ended at once, in the order of the calls. Value 0 is nothing. */
static void operate(struct record *record, uint32_t process, bool write, char key, int64_t value,
                    enum record_outcome outcome)
{
    uint32_t function = record_text(record, span_string(write ? "write" : "read"));
    uint32_t id = value == 0 ? record_null(record) : record_integer(record, value);
    uint32_t operation = record_invoke(record, process, function, record_text(record, span_of(&key, 1)),
                                       write ? id : record_null(record), 0);
    record_end(record, operation, outcome, id, 0);
}

/* "0wx1 1rx1 1ry0": session, w or r, key, value; a ! after it: it failed, a ?: info. */
static struct record *read_text(const char *text)
{
    struct record *record = record_create(heap);
    record_process(record, 0);
    record_process(record, 1);
    record_process(record, 2);
    while (*text != '\0') {
        enum record_outcome outcome = text[4] == '!' ? RECORD_FAIL : text[4] == '?' ? RECORD_INFO : RECORD_OK;
        operate(record, (uint32_t)(text[0] - '0'), text[1] == 'w', text[2], text[3] - '0', outcome);
        text += strcspn(text, " ");
        text += *text == ' ';
    }
    return record;
}

struct example {
    const char *text;
    const char *broken; /* letters of the levels that it breaks, in the order of CAUSAL_LEVELS: cmvpRMWFe */
};

static const struct example examples[] = {
    {"0wx1 1rx1 1wy2 2ry2 2rx1", ""},
    /* A cause is missing: y's write came after x's was read. */
    {"0wx1 1rx1 1wy2 2ry2 2rx0", "cmvFe"},
    {"0wx1 0wy2 1ry2 1rx0", "cmvpWe"}, /* both by one session */
    {"0wx1 0wx2 1rx2 1rx1", "cmvpW"},
    {"0wx1 0rx0", "cmvpRe"},
    {"0wx1 1wx2 1rx2 1rx1 0rx1", ""},
    /* Two sessions agree on neither order: causal, but not convergent. */
    {"0wx1 1wx2 0rx2 1rx1", "vRe"},
    {"0wx1 1wx2 0rx1 1rx2", "e"}, /* each may put the other's write before its own */
    {"0wx1 1wx2 2rx1 2rx2 2rx1", "mvpMWF"},
    /* Causal, and no one order for session 1 explains both of its reads (Bouajjani and others, figure 3). */
    {"0wx1 0ry0 1wx2 1rx2 1rx1", ""},
    {"0wx1 1rx1 0wx2? 1rx1", ""},
    {"0wx1 0wx2? 1rx2 1rx1", "cmvpW"},
    {"0wx1! 1rx0", ""},
};

static uint32_t level_of(char letter)
{
    return (uint32_t)(strchr("cmvpRMWFe", letter) - "cmvpRMWFe");
}

static bool is_broken(const struct example *example, uint32_t level)
{
    for (const char *at = example->broken; *at != '\0'; at++)
        if (level_of(*at) == level)
            return true;
    return false;
}

static void examples_break_what_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        for (uint32_t level = 0; level < CAUSAL_LEVEL_COUNT; level++) {
            struct record *record = read_text(examples[i].text);
            size_t used = heap_used(heap);
            struct verdict verdict;
            causal_check(record, (enum causal_level)level, NULL, heap, &verdict);
            if ((verdict.kind == VERDICT_ILLEGAL) != is_broken(&examples[i], level))
                fail_msg("'%s' is %s at %s: %s", examples[i].text, verdict_name(verdict.kind),
                         causal_level_name((enum causal_level)level), verdict.reason);
            if (verdict.kind == VERDICT_OK) {
                const char *wrong = causal_verify(record, (enum causal_level)level, &verdict, heap);
                if (wrong != NULL)
                    fail_msg("'%s' at %s: %s", examples[i].text, causal_level_name((enum causal_level)level), wrong);
            }
            verdict_clear(&verdict, heap);
            assert_int_equal(heap_used(heap), used);
            record_free(record);
        }
}

static void what_was_never_written_is_told_from_what_failed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"0wx1 1rx7", "thin-air read"}, {"0wx1! 1rx1", "aborted read"}};
    for (size_t i = 0; i < 2; i++) {
        struct record *record = read_text(cases[i][0]);
        struct verdict verdict;
        causal_check(record, CAUSAL_LEVEL_CAUSAL, NULL, heap, &verdict);
        assert_int_equal(verdict.kind, VERDICT_ILLEGAL);
        assert_string_equal(verdict.anomaly, cases[i][1]);
        verdict_clear(&verdict, heap);
        record_free(record);
    }
    struct record *record = read_text("0wx1 1wx1");
    struct verdict verdict;
    causal_check(record, CAUSAL_LEVEL_CAUSAL, NULL, heap, &verdict);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_non_null(strstr(verdict.reason, "twice"));
    record_free(record);
}

/* ---- by definition ---- */

enum { TINY = 7, SESSIONS = 3, RUNS = 6000 };

struct tiny {
    uint32_t count;
    uint32_t session[TINY], source[TINY]; /* source: TINY is nothing */
    bool write[TINY];
    char key[TINY];
    int64_t value[TINY];
    bool past[TINY][TINY]; /* past[b][a] */
};

/* Reads see any write of their key, before or after, or nothing. */
static void draw(struct tiny *tiny, struct random *random)
{
    *tiny = (struct tiny){.count = 3 + (uint32_t)random_below(random, TINY - 2)};
    for (uint32_t i = 0; i < tiny->count; i++) {
        tiny->session[i] = (uint32_t)random_below(random, SESSIONS);
        tiny->write[i] = random_chance(random, 1, 2);
        tiny->key[i] = random_chance(random, 2, 3) ? 'x' : 'y';
        tiny->value[i] = tiny->write[i] ? (int64_t)i + 1 : 0;
    }
    for (uint32_t i = 0; i < tiny->count; i++) {
        if (tiny->write[i])
            continue;
        tiny->source[i] = (uint32_t)random_below(random, tiny->count + 1);
        uint32_t source = tiny->source[i];
        if (source == tiny->count || !tiny->write[source] || tiny->key[source] != tiny->key[i])
            tiny->source[i] = TINY;
        else
            tiny->value[i] = (int64_t)source + 1;
    }
    for (uint32_t b = 0; b < tiny->count; b++)
        for (uint32_t a = 0; a < tiny->count; a++)
            tiny->past[b][a] = (a < b && tiny->session[a] == tiny->session[b]) ||
                               (!tiny->write[b] && tiny->source[b] == a);
    for (uint32_t k = 0; k < tiny->count; k++)
        for (uint32_t b = 0; b < tiny->count; b++)
            for (uint32_t a = 0; a < tiny->count; a++)
                tiny->past[b][a] = tiny->past[b][a] || (tiny->past[b][k] && tiny->past[k][a]);
}

static bool is_cyclic(const struct tiny *tiny)
{
    for (uint32_t i = 0; i < tiny->count; i++)
        if (tiny->past[i][i])
            return true;
    return false;
}

/* What an order of some operations must do. */
struct task {
    const struct tiny *tiny;
    bool in[TINY];            /* operations to be ordered */
    bool before[TINY][TINY];  /* before[b][a] */
    bool explains[TINY];      /* reads that must return the last write so far */
    bool (*accept)(const struct task *task, const uint32_t *order, uint32_t count); /* of a whole order; may be NULL */
    enum causal_level level;
};

static bool try_orders(const struct task *task, uint32_t *order, uint32_t count, uint32_t taken)
{
    const struct tiny *tiny = task->tiny;
    bool all = true;
    for (uint32_t next = 0; next < tiny->count; next++) {
        if (!task->in[next] || (taken >> next & 1) != 0)
            continue;
        all = false;
        bool ready = true;
        for (uint32_t a = 0; a < tiny->count; a++)
            ready = ready && !(task->in[a] && task->before[next][a] && (taken >> a & 1) == 0);
        if (ready && task->explains[next]) {
            uint32_t last = TINY;
            for (uint32_t i = 0; i < count; i++)
                if (tiny->write[order[i]] && tiny->key[order[i]] == tiny->key[next])
                    last = order[i];
            ready = last == tiny->source[next];
        }
        order[count] = next;
        if (ready && try_orders(task, order, count + 1, taken | 1u << next))
            return true;
    }
    return all && (task->accept == NULL || task->accept(task, order, count));
}

static bool exists(const struct task *task)
{
    uint32_t order[TINY];
    return try_orders(task, order, 0, 0);
}

static bool naive_causal(const struct tiny *tiny)
{
    for (uint32_t read = 0; read < tiny->count; read++) {
        struct task task = {.tiny = tiny};
        memcpy(task.before, tiny->past, sizeof task.before);
        for (uint32_t i = 0; i < tiny->count; i++)
            task.in[i] = i == read || tiny->past[read][i];
        task.explains[read] = true;
        if (!tiny->write[read] && !exists(&task))
            return false;
    }
    return true;
}

static bool naive_memory(const struct tiny *tiny, bool pram)
{
    for (uint32_t session = 0; session < SESSIONS; session++) {
        struct task task = {.tiny = tiny};
        for (uint32_t b = 0; b < tiny->count; b++) {
            bool own = tiny->session[b] == session;
            task.explains[b] = own && !tiny->write[b];
            task.in[b] = task.in[b] || own || (pram && tiny->write[b]);
            for (uint32_t a = 0; a < tiny->count; a++) {
                task.before[b][a] = pram ? a < b && tiny->session[a] == tiny->session[b] : tiny->past[b][a];
                if (own && !pram && tiny->past[b][a])
                    task.in[a] = true;
            }
        }
        if (!exists(&task))
            return false;
    }
    return true;
}

static uint32_t rank_in(const uint32_t *order, uint32_t count, uint32_t operation)
{
    for (uint32_t i = 0; i < count; i++)
        if (order[i] == operation)
            return i;
    return UINT32_MAX;
}

static bool accept_convergence(const struct task *task, const uint32_t *order, uint32_t count)
{
    const struct tiny *tiny = task->tiny;
    for (uint32_t read = 0; read < tiny->count; read++) {
        uint32_t last = TINY;
        for (uint32_t i = 0; !tiny->write[read] && i < count; i++)
            if (tiny->write[order[i]] && tiny->key[order[i]] == tiny->key[read] && tiny->past[read][order[i]])
                last = order[i];
        if (!tiny->write[read] && last != tiny->source[read])
            return false;
    }
    return true;
}

static bool naive_convergence(const struct tiny *tiny)
{
    struct task task = {.tiny = tiny, .accept = accept_convergence};
    memcpy(task.before, tiny->past, sizeof task.before);
    memset(task.in, 1, sizeof task.in);
    return exists(&task);
}

/* Everything that a session must have seen when it does b, for the guarantee, as a set; by induction over the past. */
static uint32_t visible(const struct tiny *tiny, enum causal_level level, uint32_t b)
{
    uint32_t seen = 0;
    for (uint32_t a = 0; a < tiny->count; a++) {
        bool own = tiny->session[a] == tiny->session[b] && a < b;
        if (level == CAUSAL_LEVEL_READ_YOUR_WRITES) {
            if (own && tiny->write[a])
                seen |= 1u << a;
            continue;
        }
        bool now = own || (a == b && level == CAUSAL_LEVEL_MONOTONIC_WRITES);
        if (!now || tiny->write[a] || tiny->source[a] == TINY)
            continue;
        seen |= 1u << tiny->source[a];
        for (uint32_t w = 0; level == CAUSAL_LEVEL_MONOTONIC_WRITES && w < tiny->source[a]; w++)
            if (tiny->write[w] && tiny->session[w] == tiny->session[tiny->source[a]])
                seen |= 1u << w;
    }
    return seen;
}

/* With each write that is seen, what its session had seen when it wrote. */
static uint32_t follow(const struct tiny *tiny, uint32_t b)
{
    uint32_t seen[TINY] = {0};
    for (int round = 0; round < TINY * 2; round++)
        for (uint32_t at = 0; at < tiny->count; at++)
            for (uint32_t a = 0; a < tiny->count; a++) {
                bool own = tiny->session[a] == tiny->session[at] && a < at;
                bool read = (own || a == at) && !tiny->write[a] && tiny->source[a] != TINY;
                if (!read)
                    continue;
                if (own || at != b)
                    seen[at] |= 1u << tiny->source[a];
                seen[at] |= seen[tiny->source[a]];
            }
    return seen[b];
}

static bool accept_session(const struct task *task, const uint32_t *order, uint32_t count)
{
    const struct tiny *tiny = task->tiny;
    for (uint32_t read = 0; read < tiny->count; read++) {
        if (tiny->write[read])
            continue;
        bool follows = task->level == CAUSAL_LEVEL_WRITES_FOLLOW_READS;
        uint32_t seen = follows ? follow(tiny, read) : visible(tiny, task->level, read);
        uint32_t mine = tiny->source[read] == TINY ? 0 : rank_in(order, count, tiny->source[read]);
        for (uint32_t w = 0; w < tiny->count; w++) {
            if ((seen >> w & 1) == 0 || tiny->key[w] != tiny->key[read] || w == tiny->source[read])
                continue;
            if (tiny->source[read] == TINY || rank_in(order, count, w) > mine)
                return false;
        }
    }
    return true;
}

static bool naive_session(const struct tiny *tiny, enum causal_level level)
{
    struct task task = {.tiny = tiny, .accept = accept_session, .level = level};
    for (uint32_t b = 0; b < tiny->count; b++) {
        task.in[b] = tiny->write[b];
        for (uint32_t a = 0; a < b; a++)
            task.before[b][a] = level == CAUSAL_LEVEL_MONOTONIC_WRITES && tiny->session[a] == tiny->session[b] &&
                                tiny->key[a] == tiny->key[b];
    }
    return exists(&task);
}

/* In a cycle of what happened before, no level that goes by it can hold; guarantees that do not may. */
static bool naive(const struct tiny *tiny, enum causal_level level)
{
    switch (level) {
    case CAUSAL_LEVEL_CAUSAL:
        return !is_cyclic(tiny) && naive_causal(tiny);
    case CAUSAL_LEVEL_CAUSAL_MEMORY:
        return !is_cyclic(tiny) && naive_memory(tiny, false);
    case CAUSAL_LEVEL_CAUSAL_CONVERGENCE:
        return !is_cyclic(tiny) && naive_convergence(tiny);
    case CAUSAL_LEVEL_PRAM:
        return naive_memory(tiny, true);
    default:
        return naive_session(tiny, level);
    }
}

static struct record *record_of(const struct tiny *tiny)
{
    struct record *record = record_create(heap);
    for (uint32_t s = 0; s < SESSIONS; s++)
        record_process(record, s);
    for (uint32_t i = 0; i < tiny->count; i++)
        operate(record, tiny->session[i], tiny->write[i], tiny->key[i], tiny->value[i], RECORD_OK);
    return record;
}

/* The same without one operation of the counter-history, and without the reads of a write that went. */
static struct record *record_without(const struct tiny *tiny, const struct verdict *verdict, uint32_t without)
{
    struct record *record = record_create(heap);
    for (uint32_t s = 0; s < SESSIONS; s++)
        record_process(record, s);
    for (uint32_t i = 0; i < verdict->operation_count; i++) {
        uint32_t at = verdict->operations[i];
        bool orphan = !tiny->write[at] && tiny->source[at] == without;
        if (at != without && !orphan)
            operate(record, tiny->session[at], tiny->write[at], tiny->key[at], tiny->value[at], RECORD_OK);
    }
    return record;
}

static void check_minimal(const struct tiny *tiny, enum causal_level level, const struct verdict *verdict)
{
    for (uint32_t i = 0; i <= verdict->operation_count; i++) {
        bool whole = i == verdict->operation_count;
        struct record *record = record_without(tiny, verdict, whole ? UINT32_MAX - 9 : verdict->operations[i]);
        struct verdict again;
        causal_check(record, level, NULL, heap, &again);
        if ((again.kind == VERDICT_ILLEGAL) != whole)
            fail_msg("%s: the counter-history %s: %s", causal_level_name(level),
                     whole ? "is legal by itself" : "is not minimal", verdict->reason);
        verdict_clear(&again, heap);
        record_free(record);
    }
}

static void random_histories_are_judged_by_the_definitions(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, test_seed("causal_test"));
    uint32_t good[CAUSAL_LEVEL_COUNT] = {0}, bad[CAUSAL_LEVEL_COUNT] = {0};
    for (int run = 0; run < RUNS; run++) {
        struct tiny tiny;
        draw(&tiny, &random);
        struct record *record = record_of(&tiny);
        for (uint32_t l = 0; l < CAUSAL_LEVEL_EVENTUAL; l++) {
            enum causal_level level = (enum causal_level)l;
            if (is_cyclic(&tiny) && level == CAUSAL_LEVEL_WRITES_FOLLOW_READS)
                continue;
            struct verdict verdict;
            causal_check(record, level, NULL, heap, &verdict);
            bool expected = naive(&tiny, level);
            if ((verdict.kind == VERDICT_OK) != expected) {
                for (uint32_t i = 0; i < tiny.count; i++)
                    printf("%u%c%c%d ", tiny.session[i], tiny.write[i] ? 'w' : 'r', tiny.key[i], (int)tiny.value[i]);
                fail_msg("run %d: %s says %s, by definition it is %s; %s", run, causal_level_name(level),
                         verdict_name(verdict.kind), expected ? "ok" : "illegal", verdict.reason);
            }
            *(expected ? &good[l] : &bad[l]) += 1;
            const char *wrong = expected ? causal_verify(record, level, &verdict, heap) : NULL;
            if (wrong != NULL)
                fail_msg("run %d: %s: %s", run, causal_level_name(level), wrong);
            if (!expected)
                check_minimal(&tiny, level, &verdict);
            verdict_clear(&verdict, heap);
        }
        record_free(record);
    }
    for (uint32_t l = 0; l < CAUSAL_LEVEL_EVENTUAL; l++)
        assert_true(good[l] > RUNS / 100 && bad[l] > RUNS / 100);
}

static void a_wrong_witness_is_noticed(void **state)
{
    (void)state;
    struct record *record = read_text("0wx1 1rx1 1wy2 2ry2 2rx1 0wx3 2rx3");
    for (uint32_t level = 0; level < CAUSAL_LEVEL_EVENTUAL; level++) {
        struct verdict verdict;
        causal_check(record, (enum causal_level)level, NULL, heap, &verdict);
        assert_int_equal(verdict.kind, VERDICT_OK);
        assert_null(causal_verify(record, (enum causal_level)level, &verdict, heap));
        uint32_t last = verdict.operation_count - 1, first = verdict.operations[0];
        verdict.operations[0] = verdict.operations[last];
        assert_non_null(causal_verify(record, (enum causal_level)level, &verdict, heap));
        verdict.operations[0] = first;
        verdict.operation_count--;
        if (verdict.part_count > 0)
            verdict.parts[verdict.part_count]--;
        assert_non_null(causal_verify(record, (enum causal_level)level, &verdict, heap));
        verdict_clear(&verdict, heap);
    }
    record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_break_what_they_should),
        cmocka_unit_test(what_was_never_written_is_told_from_what_failed),
        cmocka_unit_test(random_histories_are_judged_by_the_definitions),
        cmocka_unit_test(a_wrong_witness_is_noticed),
    };
    heap = heap_create_system((size_t)1 << 30);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    heap_destroy_system(heap);
    return failed;
}
