/* The index of deadlines against a search through all of them. */
#include "service/kv/kv_test.h"

enum { ENTRIES = 1500 };

static struct entry *make_entry(struct heap *heap, uint64_t number)
{
    struct entry *entry = heap_alloc_zero(heap, sizeof *entry + sizeof(struct deadline_field) + sizeof number);
    entry->key_size = sizeof number;
    entry->value_size_and_flag = ENTRY_FLAG_FIELD;
    entry_field(entry)->at_ms = KV_NEVER;
    store_u64(entry->bytes + sizeof(struct deadline_field), number);
    return entry;
}

static uint64_t hash_of(uint64_t number)
{
    return hash_mix(number / 3, 1); /* some share a hash: then the key decides */
}

static int64_t earliest(struct entry *const *entries)
{
    int64_t least = KV_NEVER;
    for (int i = 0; i < ENTRIES; i++)
        if (entry_deadline_ms(entries[i]) < least)
            least = entry_deadline_ms(entries[i]);
    return least;
}

static void test_against_search(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 28);
    struct deadlines deadlines;
    static struct entry *entries[ENTRIES];
    struct random random;
    kv_deadlines_init(&deadlines, heap);
    random_seed(&random, 11);
    print_message("seed 11\n");
    for (uint64_t i = 0; i < ENTRIES; i++)
        entries[i] = make_entry(heap, i);
    for (int step = 0; step < 20000; step++) {
        uint64_t number = random_below(&random, ENTRIES);
        struct entry *entry = entries[number];
        int64_t at_ms = random_between(&random, 1, 300);
        bool in = entry_deadline_ms(entry) != KV_NEVER;
        if (!in) {
            assert_true(kv_deadlines_reserve(&deadlines));
            kv_deadlines_add(&deadlines, at_ms, hash_of(number), entry);
        } else if (random_chance(&random, 1, 2)) {
            kv_deadlines_move(&deadlines, entry, at_ms);
        } else {
            kv_deadlines_remove(&deadlines, entry);
        }
        kv_deadlines_trim(&deadlines);
        const struct deadline *first = kv_deadlines_first(&deadlines);
        if (step % 64 == 0)
            assert_true((first == NULL ? KV_NEVER : first->at_ms) == earliest(entries));
    }
    kv_deadlines_check(&deadlines);
    heap_destroy_system(heap);
}

/* Takes all out and writes their numbers. */
static void drain(struct deadlines *deadlines, uint64_t *numbers)
{
    for (const struct deadline *first; (first = kv_deadlines_first(deadlines)) != NULL;) {
        *numbers++ = load_u64(entry_key(first->entry).data);
        kv_deadlines_remove(deadlines, first->entry);
    }
}

/* The order in which keys expire does not depend on the order in which they were added, even among equal deadlines. */
static void test_order_without_history(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 28);
    static uint64_t orders[2][ENTRIES];
    for (uint64_t round = 0; round < 2; round++) {
        struct deadlines deadlines;
        kv_deadlines_init(&deadlines, heap);
        for (uint64_t i = 0; i < ENTRIES; i++) {
            uint64_t number = round == 0 ? i : ENTRIES - 1 - i;
            assert_true(kv_deadlines_reserve(&deadlines));
            kv_deadlines_add(&deadlines, (int64_t)(number % 7), hash_of(number), make_entry(heap, number));
        }
        drain(&deadlines, orders[round]);
    }
    assert_memory_equal(orders[0], orders[1], sizeof orders[0]);
    heap_destroy_system(heap);
}

static void test_memory_comes_back(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)1 << 28);
    struct deadlines deadlines;
    kv_deadlines_init(&deadlines, heap);
    for (uint64_t i = 0; i < 20 * ENTRIES; i++) {
        assert_true(kv_deadlines_reserve(&deadlines));
        kv_deadlines_add(&deadlines, (int64_t)i, i, make_entry(heap, i));
    }
    assert_true(deadlines.chunk_count > 50);
    kv_deadlines_clear(&deadlines);
    for (int i = 0; i < 20; i++)
        kv_deadlines_trim(&deadlines);
    assert_true(deadlines.chunk_count <= 2);
    assert_null(kv_deadlines_first(&deadlines));
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_search),
        cmocka_unit_test(test_order_without_history),
        cmocka_unit_test(test_memory_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
