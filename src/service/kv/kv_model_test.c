/* Random commands against a naive model, with checkpoints and restores on the way.
 *
 * The model is an array with one place a key. Beside the service under test runs a twin: at random moments the twin is
 * restored from a checkpoint that was written piece by piece while commands went on, and catches up with the commands
 * since its beginning; from then on both must give the same answers, cursors, wishes for ticks and digests. So the test
 * says that a restored member has the same future.
 *
 * Replay one run with: KV_SEED=<seed> kv_model_test */
#include "service/kv/kv_test.h"

enum { KEYS = 1500, STEPS = 6000, SEEDS = 30, VALUE_MAX = 700, LINE_MAX = 1024, LOG_MAX = 4096 };

struct model_key {
    bool exists;
    char value[VALUE_MAX + 1];
    int64_t deadline_ms;
};

struct model {
    struct model_key keys[KEYS];
    int64_t now_ms;
};

/* What was delivered since the checkpoint began, for the twin. */
struct logged {
    char line[LINE_MAX];
    int64_t now_ns;
};

struct run {
    struct random random;
    struct kv_test *kv, *twin;
    struct model *model;
    struct buffer checkpoint, whole;
    bool writing;
    uint64_t begin_index;
    struct logged *log;
    uint32_t logged;
    uint32_t keys; /* of the population now */
};

static struct model_key *model_find(struct model *model, uint64_t key)
{
    struct model_key *found = &model->keys[key];
    if (found->exists && found->deadline_ms <= model->now_ms)
        found->exists = false;
    return found;
}

static void model_set(struct model_key *key, const char *value, int64_t deadline_ms)
{
    key->exists = true;
    memmove(key->value, value, strlen(value) + 1);
    key->deadline_ms = deadline_ms;
}

static void answer_bulk(char *out, const struct model_key *key)
{
    if (key->exists)
        snprintf(out, LINE_MAX, "$%zu|%s|", strlen(key->value), key->value);
    else
        snprintf(out, LINE_MAX, "_|");
}

/* Delivers a line to both and compares. */
static void step(struct run *run, const char *line, const char *answer)
{
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    const char *got = kv_test_run(run->kv, line);
    if (answer != NULL)
        assert_string_equal(got, answer);
    assert_true(run->logged < LOG_MAX);
    struct logged *logged = &run->log[run->logged];
    snprintf(logged->line, sizeof logged->line, "%s", line);
    logged->now_ns = run->kv->now_ns;
    run->logged += run->writing;
    if (run->twin == NULL)
        return;
    run->twin->now_ns = run->kv->now_ns;
    run->twin->random = run->kv->random;
    assert_string_equal(kv_test_run(run->twin, line), got);
    assert_true(run->twin->tick_at_ns == run->kv->tick_at_ns);
}

static void random_value(struct run *run, char *out)
{
    uint64_t size = random_below(&run->random, 20) == 0 ? random_below(&run->random, VALUE_MAX - 64)
                                                        : random_below(&run->random, 40) + 1;
    memset(out, (int)('a' + random_below(&run->random, 26)), size);
    out[size] = '\0';
    if (size == 0)
        snprintf(out, 3, "%s", "xy");
}

static uint64_t random_key(struct run *run)
{
    return random_below(&run->random, run->keys);
}

static int64_t ms_until(struct run *run)
{
    return random_between(&run->random, 1, 30000);
}

static void do_set(struct run *run)
{
    char line[LINE_MAX], value[VALUE_MAX + 1], answer[LINE_MAX] = "+OK|";
    uint64_t key = random_key(run);
    random_value(run, value);
    int64_t ms = random_chance(&run->random, 1, 3) ? ms_until(run) : 0;
    int64_t now_ms = run->kv->now_ns / NS_PER_MS;
    bool get = random_chance(&run->random, 1, 5);
    run->model->now_ms = now_ms;
    struct model_key *found = model_find(run->model, key);
    if (get)
        answer_bulk(answer, found);
    if (ms > 0)
        snprintf(line, sizeof line, "SET key:%llu %s PX %lld%s", (unsigned long long)key, value, (long long)ms,
                 get ? " GET" : "");
    else
        snprintf(line, sizeof line, "SET key:%llu %s%s", (unsigned long long)key, value, get ? " GET" : "");
    model_set(found, value, ms > 0 ? now_ms + ms : INT64_MAX);
    step(run, line, answer);
}

static void do_del(struct run *run)
{
    char line[LINE_MAX], answer[32];
    uint64_t a = random_key(run), b = random_key(run);
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    int deleted = model_find(run->model, a)->exists;
    run->model->keys[a].exists = false;
    deleted += model_find(run->model, b)->exists;
    run->model->keys[b].exists = false;
    snprintf(line, sizeof line, "DEL key:%llu key:%llu", (unsigned long long)a, (unsigned long long)b);
    snprintf(answer, sizeof answer, ":%d|", deleted);
    step(run, line, answer);
}

static void do_get(struct run *run)
{
    char line[64], answer[LINE_MAX];
    uint64_t key = random_key(run);
    snprintf(line, sizeof line, "GET key:%llu", (unsigned long long)key);
    /* A read does not move the time that decides what exists. */
    answer_bulk(answer, model_find(run->model, key));
    step(run, line, NULL);
    run->model->now_ms = run->kv->kv->now_ms;
    answer_bulk(answer, model_find(run->model, key));
    assert_string_equal(kv_test_run(run->kv, line), answer);
}

static void do_append(struct run *run)
{
    char line[LINE_MAX], answer[32];
    uint64_t key = random_key(run);
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    struct model_key *found = model_find(run->model, key);
    if (!found->exists)
        model_set(found, "", INT64_MAX);
    if (strlen(found->value) + 9 > VALUE_MAX)
        found->value[0] = '\0', found->exists = false;
    if (!found->exists) {
        snprintf(line, sizeof line, "DEL key:%llu", (unsigned long long)key);
        step(run, line, ":1|");
        return;
    }
    strcat(found->value, "+appended");
    snprintf(line, sizeof line, "APPEND key:%llu +appended", (unsigned long long)key);
    snprintf(answer, sizeof answer, ":%zu|", strlen(found->value));
    step(run, line, answer);
}

static void do_expire(struct run *run)
{
    char line[LINE_MAX], answer[32];
    uint64_t key = random_key(run);
    int64_t ms = random_chance(&run->random, 1, 10) ? -1 : ms_until(run);
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    struct model_key *found = model_find(run->model, key);
    snprintf(line, sizeof line, "PEXPIRE key:%llu %lld", (unsigned long long)key, (long long)ms);
    snprintf(answer, sizeof answer, ":%d|", found->exists);
    found->deadline_ms = run->model->now_ms + ms;
    step(run, line, answer);
}

static void do_persist(struct run *run)
{
    char line[64], answer[32];
    uint64_t key = random_key(run);
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    struct model_key *found = model_find(run->model, key);
    snprintf(line, sizeof line, "PERSIST key:%llu", (unsigned long long)key);
    snprintf(answer, sizeof answer, ":%d|", found->exists && found->deadline_ms != INT64_MAX);
    found->deadline_ms = INT64_MAX;
    step(run, line, answer);
}

static void do_rename(struct run *run)
{
    char line[64];
    uint64_t from = random_key(run), to = random_key(run);
    run->model->now_ms = run->kv->now_ns / NS_PER_MS;
    struct model_key *found = model_find(run->model, from);
    bool exists = found->exists;
    if (exists && from != to) {
        model_set(&run->model->keys[to], found->value, found->deadline_ms);
        found->exists = false;
    }
    snprintf(line, sizeof line, "RENAME key:%llu key:%llu", (unsigned long long)from, (unsigned long long)to);
    step(run, line, exists ? "+OK|" : "-ERR no such key|");
}

static void do_flush(struct run *run)
{
    if (!random_chance(&run->random, 1, 50))
        return;
    for (uint32_t i = 0; i < KEYS; i++)
        run->model->keys[i].exists = false;
    step(run, "FLUSHALL", "+OK|");
}

/* Walks through all keys by SCAN and compares what comes with the model. */
static void do_scan(struct run *run)
{
    if (!random_chance(&run->random, 1, 20))
        return;
    static bool seen[KEYS];
    memset(seen, 0, sizeof seen);
    char cursor[32] = "0", line[64];
    do {
        snprintf(line, sizeof line, "SCAN %s COUNT %d", cursor, (int)random_between(&run->random, 1, 300));
        step(run, line, NULL);
        const char *at = strchr((const char *)run->kv->reply.data, '$');
        sscanf(at, "$%*d|%31[0-9]", cursor);
        while ((at = strstr(at, "|key:")) != NULL) {
            unsigned key;
            sscanf(at, "|key:%u", &key);
            assert_true(key < KEYS && !seen[key]);
            seen[key] = true;
            at += 5;
        }
    } while (strcmp(cursor, "0") != 0);
    run->model->now_ms = run->kv->kv->now_ms;
    for (uint32_t i = 0; i < KEYS; i++)
        assert_int_equal(seen[i], model_find(run->model, i)->exists);
}

static void do_time(struct run *run)
{
    kv_test_pass(run->kv, random_between(&run->random, 0, 2000));
}

static void do_exec(struct run *run)
{
    run->kv->random = random_u64(&run->random);
    step(run, "RANDOMKEY", NULL);
    step(run, "DBSIZE", NULL);
}

/* Brings the twin to the state of the service under test, from the checkpoint and the log. */
static void twin_restore(struct run *run)
{
    if (run->twin == NULL)
        run->twin = kv_test_start();
    struct kv_test *twin = run->twin;
    size_t piece = (size_t)random_between(&run->random, 1, 5000);
    assert_true(kv_test_restore(twin, buffer_span(&run->checkpoint), piece));
    twin->index = run->begin_index;
    for (uint32_t i = 0; i < run->logged; i++) {
        twin->now_ns = run->log[i].now_ns;
        kv_test_run(twin, run->log[i].line);
    }
    twin->tick_at_ns = run->kv->tick_at_ns;
    assert_true(kv_service.digest(twin->kv) == kv_service.digest(run->kv->kv));
    assert_int_equal(kv_service.bytes_used(twin->kv), kv_service.bytes_used(run->kv->kv));
    assert_int_equal(twin->kv->index, run->kv->kv->index);
    kv_table_check(twin->kv->table);
    kv_deadlines_check(&twin->kv->deadlines);
}

static void do_checkpoint(struct run *run)
{
    void *kv = run->kv->kv;
    if (!run->writing && random_chance(&run->random, 1, 10)) {
        buffer_clear(&run->whole);
        kv_test_checkpoint(run->kv, &run->whole, 1 << 16);
        buffer_clear(&run->checkpoint);
        kv_service.checkpoint_begin(kv);
        run->writing = true;
        run->begin_index = run->kv->index;
        run->logged = 0;
    } else if (run->writing && (run->logged > LOG_MAX / 2 || random_chance(&run->random, 1, 3))) {
        if (kv_service.checkpoint_next(kv, &run->checkpoint, (size_t)random_below(&run->random, 3000)))
            return;
        kv_service.checkpoint_end(kv);
        run->writing = false;
        /* What was written during changes is what was written at once before them. */
        assert_true(span_equal(buffer_span(&run->checkpoint), buffer_span(&run->whole)));
        twin_restore(run);
    }
}

static void one_step(struct run *run)
{
    static void (*const actions[])(struct run *) = {
        do_set,    do_set,    do_set,  do_set,     do_del,  do_get,   do_append,     do_append,     do_time,
        do_expire, do_rename, do_scan, do_persist, do_exec, do_flush, do_checkpoint, do_checkpoint, do_checkpoint};
    actions[random_below(&run->random, sizeof actions / sizeof actions[0])](run);
}

/* All keys of the model, and nothing else, are in the service. */
static void compare_all(struct run *run)
{
    kv_test_tick(run->kv);
    run->model->now_ms = run->kv->kv->now_ms;
    char line[64], answer[LINE_MAX];
    for (uint64_t key = 0; key < KEYS; key++) {
        snprintf(line, sizeof line, "GET key:%llu", (unsigned long long)key);
        answer_bulk(answer, model_find(run->model, key));
        assert_string_equal(kv_test_run(run->kv, line), answer);
    }
}

static void run_seed(uint64_t seed)
{
    struct run run = {.kv = kv_test_start(), .keys = KEYS};
    random_seed(&run.random, seed);
    run.model = heap_alloc_zero(run.kv->other, sizeof *run.model);
    run.log = heap_alloc(run.kv->other, LOG_MAX * sizeof *run.log);
    buffer_init(&run.checkpoint, run.kv->other);
    buffer_init(&run.whole, run.kv->other);
    for (uint32_t i = 0; i < STEPS; i++) {
        if (i % 500 == 0)
            run.keys = (uint32_t)random_between(&run.random, 5, KEYS);
        one_step(&run);
    }
    if (run.writing)
        kv_service.checkpoint_end(run.kv->kv);
    compare_all(&run);
    if (run.twin != NULL)
        kv_test_free(run.twin);
    kv_test_free(run.kv);
}

static void test_model(void **state)
{
    (void)state;
    const char *given = getenv("KV_SEED");
    uint64_t first = given != NULL ? strtoull(given, NULL, 10) : 1;
    for (uint64_t seed = first; seed < first + (given != NULL ? 1 : SEEDS); seed++) {
        print_message("KV_SEED=%llu\n", (unsigned long long)seed);
        run_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
