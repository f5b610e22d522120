/* The tills (till.h). A checkpoint is the books' bytes behind a u64 with their size. */
#include "service/till/till.h"

#include "base/crc32c.h"
#include "base/hash.h"
#include "base/number.h"
#include "base/panic.h"
#include "contract/reply.h"
#include "contract/text.h"
#include "service/commands.h"
#include "service/till/till_books.h"

enum { HEAP_PART = 8, HEAD_SIZE = 8, REASON_SIZE = 96 };

_Static_assert((int)TILL_NAME_SIZE_MAX == (int)BOOKS_NAME_MAX, "the books hold every name");

static const char reversed_suffix[] = "/reversed";

struct till {
    struct heap *heap;
    uint64_t bytes_max;
    struct books books;
    struct buffer frozen; /* as of checkpoint_begin */
    size_t frozen_at;
    struct buffer restored; /* what came so far */
    bool malformed;
};

/* ---- what is asked ---- */

struct payment {
    struct span name;
    int64_t amount;
};

static bool parse(const struct command *command, struct payment *out)
{
    struct span rest = command->arguments, amount;
    return command->argc == 2 && argument_next(&rest, &out->name) && argument_next(&rest, &amount) &&
           number_parse_i64(amount, &out->amount) && out->amount > 0 && out->amount <= TILL_AMOUNT_MAX &&
           out->name.size > 0 && out->name.size <= TILL_NAME_SIZE_MAX &&
           memchr(out->name.data, '/', out->name.size) == NULL;
}

static bool answer_balance(const struct till *till, struct span name, struct buffer *reply)
{
    uint64_t balance = 0, reversed = 0;
    const struct till_account *account = books_find(&till->books, name);
    if (account != NULL)
        books_settle(account, &balance, &reversed);
    return reply_integer(reply, (int64_t)balance);
}

/* What its own books do not cover is refused here and stays unknown elsewhere. */
static const char *hindrance(const struct till *till, uint16_t op, const struct payment *payment,
                             char text[REASON_SIZE])
{
    uint64_t balance = 0, reversed = 0;
    const struct till_account *account = books_find(&till->books, payment->name);
    if (books_size(&till->books) > till->bytes_max)
        return "OOM the books of the tills are full";
    if (account != NULL)
        books_settle(account, &balance, &reversed);
    if (op == OP_DECRBY && balance < (uint64_t)payment->amount) {
        struct text why = text_begin(text, REASON_SIZE);
        text_add(&why, "ERR insufficient funds: the balance here is ");
        text_add_u64(&why, balance);
        return text;
    }
    if (op == OP_INCRBY && account != NULL && account->deposits > (uint64_t)(INT64_MAX - payment->amount))
        return "ERR the deposits would be too large";
    return NULL;
}

static bool pay(struct till *till, const struct payment *payment, uint16_t op, const struct till_origin *origin,
                struct buffer *reply)
{
    struct till_account *account = books_open(&till->books, payment->name);
    invariant(account != NULL, "the books stay far below the service's heap");
    uint64_t amount = (uint64_t)payment->amount;
    if (op == OP_INCRBY) {
        account->deposits = account->deposits > INT64_MAX - amount ? INT64_MAX : account->deposits + amount;
    } else {
        const struct withdrawal withdrawal = {.number = origin->updates, .origin = origin->node, .amount = amount};
        bool entered = books_enter(&till->books, account, &withdrawal);
        invariant(entered, "the numbers of an origin differ, and the books stay far below the service's heap");
    }
    return answer_balance(till, payment->name, reply);
}

/* Counts the update before anything else, good or not: the numbers are the same everywhere. */
static const struct till_origin *count_update(struct till *till, const struct delivery *delivery)
{
    struct till_origin *origin = books_origin(&till->books, delivery->origin);
    invariant(origin != NULL, "the books stay far below the service's heap");
    struct span whole = delivery->command.whole;
    origin->updates++;
    origin->chain = hash_mix(origin->chain, (uint64_t)whole.size << 32 | crc32c(0, whole.data, whole.size));
    return origin;
}

static bool update(struct till *till, const struct delivery *delivery, struct buffer *reply)
{
    const struct till_origin *origin = delivery->read ? NULL : count_update(till, delivery);
    struct payment payment;
    if (!parse(&delivery->command, &payment))
        return reply_error(reply, "ERR it is INCRBY or DECRBY, a name of 1 to 63 bytes without '/', and an amount of "
                                  "1 to 1000000000000");
    if (!delivery->read)
        return pay(till, &payment, delivery->command.op, origin, reply);
    char text[REASON_SIZE];
    const char *why_not = hindrance(till, delivery->command.op, &payment, text);
    return why_not != NULL ? reply_error(reply, why_not) : reply_simple(reply, "OK");
}

static bool look(const struct till *till, const struct command *command, struct buffer *reply)
{
    struct span rest = command->arguments, name;
    if (command->argc != 1 || !argument_next(&rest, &name))
        return reply_error(reply, "ERR wrong number of arguments");
    size_t tail = sizeof reversed_suffix - 1;
    bool asks_reversed = name.size > tail && memcmp(name.data + name.size - tail, reversed_suffix, tail) == 0;
    const struct till_account *account =
        books_find(&till->books, asks_reversed ? span_of(name.data, name.size - tail) : name);
    if (account == NULL)
        return reply_null(reply);
    uint64_t balance, reversed;
    books_settle(account, &balance, &reversed);
    char digits[NUMBER_INTEGER_SIZE_MAX];
    return reply_bulk(reply, span_of(digits, number_print_u64(digits, asks_reversed ? reversed : balance)));
}

static bool execute(struct till *till, const struct delivery *delivery, struct buffer *reply)
{
    switch (delivery->command.op) {
    case OP_TICK: /* an update like any other: it counts */
        if (!delivery->read)
            (void)count_update(till, delivery);
        return reply_simple(reply, "OK");
    case OP_INCRBY:
    case OP_DECRBY:
        return update(till, delivery, reply);
    case OP_GET:
        return look(till, &delivery->command, reply);
    default: /* an op is remote input */
        if (!delivery->read)
            (void)count_update(till, delivery);
        return reply_error(reply, "ERR tills know INCRBY, DECRBY and GET only");
    }
}

static void deliver(void *self, const struct delivery *delivery, struct service_out *out)
{
    bool written = execute(self, delivery, out->reply);
    invariant(written, "there is room for an answer");
}

/* ---- life ---- */

static void *create(struct heap *heap, const struct group_spec *spec)
{
    struct till *till = heap_alloc_zero(heap, sizeof *till);
    invariant(till != NULL, "a new service fits its heap");
    till->heap = heap;
    till->bytes_max = spec->tuning.service_heap_bytes / HEAP_PART;
    if (spec->tuning.service_bytes_max != 0 && spec->tuning.service_bytes_max < till->bytes_max)
        till->bytes_max = spec->tuning.service_bytes_max;
    books_init(&till->books, heap);
    buffer_init(&till->frozen, heap);
    buffer_init(&till->restored, heap);
    return till;
}

static void write_all(const struct till *till, struct buffer *out)
{
    uint8_t *head = buffer_grow(out, HEAD_SIZE);
    bool written = head != NULL && books_write(&till->books, out);
    invariant(written, "the books stay far below the service's heap");
    store_u64(out->data, out->size - HEAD_SIZE);
}

static void checkpoint_begin(void *self)
{
    struct till *till = self;
    buffer_clear(&till->frozen);
    write_all(till, &till->frozen);
    till->frozen_at = 0;
}

static bool checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct till *till = self;
    size_t left = till->frozen.size - till->frozen_at, size = left < bytes ? left : bytes;
    bool appended = buffer_append(out, till->frozen.data + till->frozen_at, size);
    invariant(appended, "there is room for a piece of a checkpoint");
    till->frozen_at += size;
    return till->frozen_at < till->frozen.size;
}

static void checkpoint_end(void *self)
{
    struct till *till = self;
    buffer_free(&till->frozen);
    till->frozen_at = 0;
}

static void restore_begin(void *self)
{
    struct till *till = self;
    books_clear(&till->books);
    buffer_clear(&till->restored);
    till->malformed = false;
}

static bool restore_next(void *self, struct span bytes)
{
    struct till *till = self;
    if (!buffer_append(&till->restored, bytes.data, bytes.size))
        till->malformed = true;
    return !till->malformed;
}

static bool restore_end(void *self)
{
    struct till *till = self;
    struct span all = buffer_span(&till->restored);
    bool good = !till->malformed && all.size >= HEAD_SIZE && load_u64(all.data) == all.size - HEAD_SIZE &&
                books_read(&till->books, span_of(all.data + HEAD_SIZE, all.size - HEAD_SIZE));
    if (!good)
        books_clear(&till->books);
    buffer_free(&till->restored);
    return good;
}

static uint64_t digest(void *self)
{
    static const uint64_t key[2] = {UINT64_C(0x74696c6c73), UINT64_C(0x626f6f6b73)};
    const struct till *till = self;
    struct buffer bytes;
    buffer_init(&bytes, till->heap);
    write_all(till, &bytes);
    uint64_t value = hash_keyed(key, bytes.data, bytes.size);
    buffer_free(&bytes);
    return value;
}

static uint64_t bytes_used(const void *self)
{
    return books_size(&((const struct till *)self)->books);
}

static uint64_t item_count(const void *self)
{
    return ((const struct till *)self)->books.account_count;
}

/* ---- accessors ---- */

static const struct till_origin *find_origin(const void *self, uint32_t node)
{
    const struct books *books = &((const struct till *)self)->books;
    for (uint32_t i = 0; i < books->origin_count; i++)
        if (books->origins[i].node == node)
            return &books->origins[i];
    return NULL;
}

uint64_t till_updates(const void *self, uint32_t node)
{
    const struct till_origin *origin = find_origin(self, node);
    return origin != NULL ? origin->updates : 0;
}

uint64_t till_chain(const void *self, uint32_t node)
{
    const struct till_origin *origin = find_origin(self, node);
    return origin != NULL ? origin->chain : 0;
}

const struct service till_service = {
    .name = "till",
    .needs_order = ORDER_FIFO,
    .needs_atomic = false,
    .needs_durable = false,
    .create = create,
    .start = NULL,
    .deliver = deliver,
    .checkpoint_begin = checkpoint_begin,
    .checkpoint_next = checkpoint_next,
    .checkpoint_end = checkpoint_end,
    .restore_begin = restore_begin,
    .restore_next = restore_next,
    .restore_end = restore_end,
    .digest = digest,
    .bytes_used = bytes_used,
    .item_count = item_count,
};
