/* The table of keys against an array that remembers what is in it. */
#include "service/kv/kv_test.h"

static const uint64_t hash_key[2] = {3, 4};

static struct entry *make_entry(struct heap *heap, uint64_t number)
{
    struct entry *entry = heap_alloc(heap, sizeof *entry + sizeof number);
    *entry = (struct entry){.key_size = sizeof number};
    store_u64(entry->bytes, number);
    return entry;
}

static uint64_t hash_of(const struct table *table, uint64_t number)
{
    uint8_t key[8];
    store_u64(key, number);
    return kv_table_hash(table, span_of(key, sizeof key));
}

static struct entry *find(const struct table *table, uint64_t number)
{
    uint8_t key[8];
    store_u64(key, number);
    return kv_table_find(table, hash_of(table, number), span_of(key, sizeof key));
}

/* The walk gives every entry once, in the order of the hashes. */
static void check_walk(const struct table *table)
{
    struct table_cursor cursor;
    uint64_t count = 0, last = 0;
    kv_table_seek(table, 0, &cursor);
    for (struct entry *entry; (entry = kv_table_next(table, &cursor)) != NULL; count++) {
        uint64_t hash = kv_table_hash(table, entry_key(entry));
        assert_true(count == 0 || hash > last);
        last = hash;
    }
    assert_int_equal(count, table->count);
}

static void test_against_array(void **state)
{
    (void)state;
    enum { NUMBERS = 20000, STEPS = 300000 };
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct table *table = kv_table_create(heap, hash_key);
    static struct entry *entries[NUMBERS];
    memset(entries, 0, sizeof entries);
    struct random random;
    random_seed(&random, 42);
    print_message("seed 42\n");
    for (uint32_t step = 0; step < STEPS; step++) {
        /* Grows, then shrinks. */
        bool grow = random_below(&random, STEPS) >= step;
        uint64_t number = random_below(&random, NUMBERS);
        assert_ptr_equal(find(table, number), entries[number]);
        if (grow && entries[number] == NULL) {
            entries[number] = make_entry(heap, number);
            assert_true(kv_table_insert(table, hash_of(table, number), entries[number]));
        } else if (!grow && entries[number] != NULL) {
            kv_table_remove(table, hash_of(table, number), entries[number]);
            heap_free(heap, entries[number]);
            entries[number] = NULL;
        }
        if (step % 30000 == 0) {
            kv_table_check(table);
            check_walk(table);
        }
    }
    kv_table_check(table);
    for (uint64_t number = 0; number < NUMBERS; number++) {
        assert_ptr_equal(find(table, number), entries[number]);
        if (entries[number] != NULL)
            kv_table_remove(table, hash_of(table, number), entries[number]);
        heap_free(heap, entries[number]);
    }
    assert_int_equal(table->count, 0);
    assert_int_equal(table->depth, 0);
    uint64_t bytes = UINT64_MAX;
    assert_true(kv_table_free_some(table, &bytes));
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

/* A seek finds the first entry that is not before the hash, wherever it is. */
static void test_seek(void **state)
{
    (void)state;
    enum { NUMBERS = 3000 };
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct table *table = kv_table_create(heap, hash_key);
    static uint64_t hashes[NUMBERS];
    for (uint64_t number = 0; number < NUMBERS; number++) {
        hashes[number] = hash_of(table, number);
        assert_true(kv_table_insert(table, hashes[number], make_entry(heap, number)));
    }
    struct random random;
    random_seed(&random, 7);
    for (int i = 0; i < 500; i++) {
        uint64_t from = i % 2 == 0 ? random_u64(&random) : hashes[random_below(&random, NUMBERS)];
        uint64_t best = UINT64_MAX;
        for (uint32_t n = 0; n < NUMBERS; n++)
            if (hashes[n] >= from && hashes[n] < best)
                best = hashes[n];
        struct table_cursor cursor;
        kv_table_seek(table, from, &cursor);
        struct entry *entry = kv_table_next(table, &cursor);
        assert_int_equal(entry == NULL, best == UINT64_MAX);
        if (entry != NULL)
            assert_true(kv_table_hash(table, entry_key(entry)) == best);
    }
    heap_destroy_system(heap);
}

/* Keys that somebody who knows the hash key chose to collide: the directory stays small and everything is found. */
static void test_collisions(void **state)
{
    (void)state;
    enum { KEYS = 3000, PREFIX_BITS = 10 };
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct table *table = kv_table_create(heap, hash_key);
    static uint64_t numbers[KEYS];
    uint32_t count = 0;
    for (uint64_t number = 0; count < KEYS; number++) {
        if (hash_of(table, number) >> (64 - PREFIX_BITS) != 5)
            continue;
        numbers[count++] = number;
        assert_true(kv_table_insert(table, hash_of(table, number), make_entry(heap, number)));
    }
    kv_table_check(table);
    check_walk(table);
    assert_true(table->depth <= 8);
    for (uint32_t i = 0; i < KEYS; i++)
        assert_non_null(find(table, numbers[i]));
    for (uint32_t i = 0; i < KEYS; i++)
        kv_table_remove(table, hash_of(table, numbers[i]), find(table, numbers[i]));
    kv_table_check(table);
    heap_destroy_system(heap);
}

static void test_sized(void **state)
{
    (void)state;
    enum { NUMBERS = 10000 };
    struct heap *heap = heap_create_system((size_t)1 << 30);
    struct table *table = kv_table_create_sized(heap, hash_key, NUMBERS);
    uint32_t depth = table->depth;
    for (uint64_t number = 0; number < NUMBERS; number++)
        assert_true(kv_table_insert(table, hash_of(table, number), make_entry(heap, number)));
    assert_int_equal(table->depth, depth);
    kv_table_check(table);
    assert_null(kv_table_create_sized(heap, hash_key, UINT64_MAX));
    /* Freed piece by piece, with the entries. */
    uint32_t pieces = 0;
    for (uint64_t bytes = 4096; !kv_table_free_some(table, &bytes); bytes = 4096)
        pieces++;
    assert_true(pieces > 50);
    assert_int_equal(heap_used(heap), 0);
    heap_destroy_system(heap);
}

/* On a full heap an insertion fails and changes nothing. */
static void test_full_heap(void **state)
{
    (void)state;
    struct heap *heap = heap_create_system((size_t)256 << 10);
    struct table *table = kv_table_create(heap, hash_key);
    uint64_t number = 0;
    for (;; number++) {
        struct entry *entry = heap_alloc(heap, sizeof *entry + sizeof number);
        if (entry == NULL)
            break;
        *entry = (struct entry){.key_size = sizeof number};
        store_u64(entry->bytes, number);
        if (!kv_table_insert(table, hash_of(table, number), entry)) {
            heap_free(heap, entry);
            break;
        }
    }
    assert_true(number > 500);
    kv_table_check(table);
    for (uint64_t i = 0; i < number; i++)
        assert_non_null(find(table, i));
    assert_null(find(table, number));
    heap_destroy_system(heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_array), cmocka_unit_test(test_seek),      cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_sized),         cmocka_unit_test(test_full_heap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
