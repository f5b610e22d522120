/* The books (till_books.h).
 *
 *   bytes      = u32 origins, u32 accounts, then the origins, then the accounts
 *   origin     = u32 node, u64 updates, u64 chain
 *   account    = u8 size and bytes of the name, u64 deposits, u32 withdrawals, then these
 *   withdrawal = u64 number, u32 origin, u64 amount */
#include "service/till/till_books.h"

#include "base/bytes.h"

enum { ORIGIN_SIZE = 20, WITHDRAWAL_SIZE = 20, ACCOUNT_TAIL_SIZE = 12 };

void books_init(struct books *books, struct heap *heap)
{
    *books = (struct books){.heap = heap};
}

void books_clear(struct books *books)
{
    for (uint32_t i = 0; i < books->account_count; i++)
        heap_free(books->heap, books->accounts[i].list);
    heap_free(books->heap, books->accounts);
    heap_free(books->heap, books->origins);
    books_init(books, books->heap);
}

/* Room for one more of `size` bytes in a list. */
static bool reserve(struct heap *heap, void **list, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t larger = *capacity > 0 ? *capacity * 2 : 8;
    void *moved = heap_resize(heap, *list, larger * size);
    if (moved == NULL)
        return false;
    *list = moved;
    *capacity = larger;
    return true;
}

static struct span name_of(const struct till_account *account)
{
    return span_of(account->name, account->name_size);
}

/* Its place, or where it would stand. */
static uint32_t place_of(const struct books *books, struct span name, bool *found)
{
    uint32_t low = 0, high = books->account_count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = span_compare(name_of(&books->accounts[middle]), name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct till_account *books_find(const struct books *books, struct span name)
{
    bool found;
    uint32_t place = place_of(books, name, &found);
    return found ? &books->accounts[place] : NULL;
}

struct till_account *books_open(struct books *books, struct span name)
{
    bool found;
    uint32_t place = place_of(books, name, &found);
    if (found)
        return &books->accounts[place];
    void *list = books->accounts;
    if (name.size > BOOKS_NAME_MAX ||
        !reserve(books->heap, &list, books->account_count, &books->account_capacity, sizeof *books->accounts))
        return NULL;
    books->accounts = list;
    memmove(&books->accounts[place + 1], &books->accounts[place],
            (books->account_count - place) * sizeof *books->accounts);
    books->account_count++;
    struct till_account *account = &books->accounts[place];
    *account = (struct till_account){.name_size = (uint8_t)name.size};
    if (name.size > 0)
        memcpy(account->name, name.data, name.size);
    return account;
}

struct till_origin *books_origin(struct books *books, uint32_t node)
{
    uint32_t place = 0;
    while (place < books->origin_count && books->origins[place].node < node)
        place++;
    if (place < books->origin_count && books->origins[place].node == node)
        return &books->origins[place];
    void *list = books->origins;
    if (!reserve(books->heap, &list, books->origin_count, &books->origin_capacity, sizeof *books->origins))
        return NULL;
    books->origins = list;
    memmove(&books->origins[place + 1], &books->origins[place],
            (books->origin_count - place) * sizeof *books->origins);
    books->origin_count++;
    books->origins[place] = (struct till_origin){.node = node};
    return &books->origins[place];
}

static bool before(const struct withdrawal *a, const struct withdrawal *b)
{
    return a->number < b->number || (a->number == b->number && a->origin < b->origin);
}

bool books_enter(struct books *books, struct till_account *account, const struct withdrawal *withdrawal)
{
    uint32_t place = account->count;
    while (place > 0 && before(withdrawal, &account->list[place - 1]))
        place--;
    if (place > 0 && !before(&account->list[place - 1], withdrawal))
        return false;
    void *list = account->list;
    if (!reserve(books->heap, &list, account->count, &account->capacity, sizeof *account->list))
        return false;
    account->list = list;
    memmove(&account->list[place + 1], &account->list[place], (account->count - place) * sizeof *account->list);
    account->list[place] = *withdrawal;
    account->count++;
    books->payments++;
    return true;
}

void books_settle(const struct till_account *account, uint64_t *balance, uint64_t *reversed)
{
    *balance = account->deposits;
    *reversed = 0;
    for (uint32_t i = 0; i < account->count; i++) {
        uint64_t amount = account->list[i].amount;
        if (amount <= *balance)
            *balance -= amount;
        else
            *reversed = *reversed > INT64_MAX - amount ? INT64_MAX : *reversed + amount;
    }
}

uint64_t books_size(const struct books *books)
{
    return books->account_count * sizeof(struct till_account) + books->origin_count * sizeof(struct till_origin) +
           books->payments * sizeof(struct withdrawal);
}

/* ---- bytes ---- */

static bool write_account(const struct till_account *account, struct buffer *out)
{
    uint8_t *at = buffer_grow(out, 1 + (size_t)account->name_size + ACCOUNT_TAIL_SIZE +
                                       (size_t)account->count * WITHDRAWAL_SIZE);
    if (at == NULL)
        return false;
    *at++ = account->name_size;
    memcpy(at, account->name, account->name_size);
    at += account->name_size;
    store_u64(at, account->deposits);
    store_u32(at + 8, account->count);
    at += ACCOUNT_TAIL_SIZE;
    for (uint32_t i = 0; i < account->count; i++, at += WITHDRAWAL_SIZE) {
        store_u64(at, account->list[i].number);
        store_u32(at + 8, account->list[i].origin);
        store_u64(at + 12, account->list[i].amount);
    }
    return true;
}

bool books_write(const struct books *books, struct buffer *out)
{
    uint8_t *at = buffer_grow(out, 8 + (size_t)books->origin_count * ORIGIN_SIZE);
    if (at == NULL)
        return false;
    store_u32(at, books->origin_count);
    store_u32(at + 4, books->account_count);
    at += 8;
    for (uint32_t i = 0; i < books->origin_count; i++, at += ORIGIN_SIZE) {
        store_u32(at, books->origins[i].node);
        store_u64(at + 4, books->origins[i].updates);
        store_u64(at + 12, books->origins[i].chain);
    }
    bool good = true;
    for (uint32_t i = 0; i < books->account_count && good; i++)
        good = write_account(&books->accounts[i], out);
    return good;
}

/* Takes `size` bytes from the front; NULL when there are fewer. */
static const uint8_t *take(struct span *bytes, size_t size)
{
    const uint8_t *at = bytes->data;
    if (bytes->size < size)
        return NULL;
    *bytes = span_of(at + size, bytes->size - size);
    return at;
}

static bool read_origins(struct books *books, uint32_t count, struct span *bytes)
{
    for (uint32_t i = 0, last = 0; i < count; i++) {
        const uint8_t *at = take(bytes, ORIGIN_SIZE);
        if (at == NULL || load_u32(at) <= last)
            return false;
        last = load_u32(at);
        struct till_origin *origin = books_origin(books, last);
        if (origin == NULL)
            return false;
        origin->updates = load_u64(at + 4);
        origin->chain = load_u64(at + 12);
    }
    return true;
}

static bool read_withdrawals(struct books *books, struct till_account *account, uint32_t count, struct span *bytes)
{
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = take(bytes, WITHDRAWAL_SIZE);
        if (at == NULL)
            return false;
        const struct withdrawal withdrawal = {
            .number = load_u64(at), .origin = load_u32(at + 8), .amount = load_u64(at + 12)};
        bool ascends = account->count == 0 || before(&account->list[account->count - 1], &withdrawal);
        if (!ascends || !books_enter(books, account, &withdrawal))
            return false;
    }
    return true;
}

static bool read_account(struct books *books, struct span *bytes)
{
    const uint8_t *size = take(bytes, 1);
    const uint8_t *name = size != NULL ? take(bytes, *size) : NULL;
    const uint8_t *tail = name != NULL ? take(bytes, ACCOUNT_TAIL_SIZE) : NULL;
    if (tail == NULL || *size > BOOKS_NAME_MAX)
        return false;
    struct span text = span_of(name, *size);
    uint32_t count = books->account_count;
    if (count > 0 && span_compare(name_of(&books->accounts[count - 1]), text) >= 0)
        return false;
    struct till_account *account = books_open(books, text);
    if (account == NULL)
        return false;
    account->deposits = load_u64(tail);
    return read_withdrawals(books, account, load_u32(tail + 8), bytes);
}

bool books_read(struct books *books, struct span bytes)
{
    const uint8_t *head = take(&bytes, 8);
    if (head == NULL || !read_origins(books, load_u32(head), &bytes))
        return false;
    for (uint32_t i = load_u32(head + 4); i > 0; i--)
        if (!read_account(books, &bytes))
            return false;
    return bytes.size == 0;
}
