/* The bank (account.h). A piece of a checkpoint is one account: u8 size of the name, the name padded with zeros to 31
 * bytes, i64 balance; 40 bytes, in the order of the names. */
#include "service/account/account.h"

#include "base/hash.h"
#include "base/number.h"
#include "base/panic.h"
#include "contract/reply.h"

enum { PIECE_SIZE = 40, PIECE_BALANCE_AT = 32, CAPACITY_MIN = 16 };

struct account {
    uint8_t name_size;
    uint8_t name[ACCOUNT_NAME_SIZE_MAX];
    int64_t balance;
};

struct bank {
    struct heap *heap;
    uint64_t bytes_max; /* of the accounts; 0 is no limit */
    struct account *accounts; /* ascending by name */
    uint64_t count, capacity;
    struct account *copy; /* as of checkpoint_begin; as large as `accounts`, so that a checkpoint needs no memory */
    uint64_t copy_count, copy_next;
    uint8_t piece[PIECE_SIZE]; /* restoring: a piece that is not whole yet */
    size_t piece_size;
    bool malformed;
};

/* ---- accounts ---- */

static struct span name_of(const struct account *account)
{
    return span_of(account->name, account->name_size);
}

/* Place of the account, or where it would be inserted. */
static uint64_t find(const struct bank *bank, struct span name, bool *found)
{
    uint64_t low = 0, high = bank->count;
    *found = false;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        int order = span_compare(name_of(&bank->accounts[middle]), name);
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

/* Room for one more, in both arrays or in none that matters. */
static bool reserve(struct bank *bank)
{
    if (bank->count < bank->capacity)
        return true;
    uint64_t capacity = bank->capacity == 0 ? CAPACITY_MIN : bank->capacity * 2;
    size_t size = (size_t)capacity * sizeof(struct account);
    struct account *copy = heap_resize(bank->heap, bank->copy, size);
    if (copy == NULL)
        return false;
    bank->copy = copy;
    struct account *accounts = heap_resize(bank->heap, bank->accounts, size);
    if (accounts == NULL)
        return false; /* the copy is larger than it need be, which does no harm */
    bank->accounts = accounts;
    bank->capacity = capacity;
    return true;
}

static bool insert(struct bank *bank, uint64_t place, struct span name, int64_t balance)
{
    if (!reserve(bank))
        return false;
    memmove(&bank->accounts[place + 1], &bank->accounts[place],
            (size_t)(bank->count - place) * sizeof(struct account));
    struct account *account = &bank->accounts[place];
    *account = (struct account){.name_size = (uint8_t)name.size, .balance = balance};
    if (name.size > 0)
        memcpy(account->name, name.data, name.size);
    bank->count++;
    return true;
}

/* ---- commands: each returns the error's text, or NULL when it answers "+OK" ---- */

static const char *open_account(struct bank *bank, bool read, const struct span *arguments)
{
    int64_t amount;
    bool found;
    if (!number_parse_i64(arguments[1], &amount) || amount < 0)
        return "ERR the amount is not a number from 0";
    if (arguments[0].size > ACCOUNT_NAME_SIZE_MAX)
        return "ERR the name is too long";
    uint64_t place = find(bank, arguments[0], &found);
    if (found)
        return "ERR the account exists";
    if (bank->bytes_max != 0 && (bank->count + 1) * sizeof(struct account) > bank->bytes_max)
        return "OOM the limit of this service is reached";
    if (!read && !insert(bank, place, arguments[0], amount))
        return "OOM the memory of this service is used up";
    return NULL;
}

static const char *transfer(struct bank *bank, bool read, const struct span *arguments)
{
    int64_t amount;
    bool from_found, to_found;
    if (!number_parse_i64(arguments[2], &amount) || amount <= 0)
        return "ERR the amount is not a number above 0";
    uint64_t from = find(bank, arguments[0], &from_found);
    uint64_t to = find(bank, arguments[1], &to_found);
    if (!from_found || !to_found)
        return "ERR no such account";
    if (bank->accounts[from].balance < amount)
        return "ERR insufficient funds";
    if (from != to && bank->accounts[to].balance > INT64_MAX - amount)
        return "ERR the balance would be too large";
    if (!read) {
        bank->accounts[from].balance -= amount;
        bank->accounts[to].balance += amount;
    }
    return NULL;
}

static bool answer_balance(const struct bank *bank, struct span name, struct buffer *reply)
{
    bool found;
    uint64_t place = find(bank, name, &found);
    return found ? reply_integer(reply, bank->accounts[place].balance) : reply_null(reply);
}

static bool answer_total(const struct bank *bank, struct buffer *reply)
{
    uint64_t total = 0; /* modulo 2^64: exact as long as the true sum fits */
    for (uint64_t i = 0; i < bank->count; i++)
        total += (uint64_t)bank->accounts[i].balance;
    return reply_integer(reply, (int64_t)total);
}

static bool answer_text(struct buffer *reply, const char *error)
{
    return error == NULL ? reply_simple(reply, "OK") : reply_error(reply, error);
}

static uint32_t arity(uint16_t op)
{
    switch (op) {
    case ACCOUNT_OPEN:
        return 2;
    case ACCOUNT_TRANSFER:
        return 3;
    case ACCOUNT_BALANCE:
        return 1;
    default: /* ACCOUNT_TOTAL, OP_TICK, and numbers that are not ours: an op is remote input */
        return 0;
    }
}

static bool execute(struct bank *bank, const struct delivery *delivery, struct buffer *reply)
{
    struct span arguments[3] = {0};
    struct span rest = delivery->command.arguments;
    uint32_t count = 0;
    while (count < 3 && argument_next(&rest, &arguments[count]))
        count++;
    if (count != delivery->command.argc || count != arity(delivery->command.op))
        return reply_error(reply, "ERR wrong number of arguments");
    switch (delivery->command.op) {
    case OP_TICK:
        return reply_simple(reply, "OK");
    case ACCOUNT_OPEN:
        return answer_text(reply, open_account(bank, delivery->read, arguments));
    case ACCOUNT_TRANSFER:
        return answer_text(reply, transfer(bank, delivery->read, arguments));
    case ACCOUNT_BALANCE:
        return answer_balance(bank, arguments[0], reply);
    case ACCOUNT_TOTAL:
        return answer_total(bank, reply);
    default: /* remote input again */
        return reply_error(reply, "ERR unknown operation of the account service");
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
    struct bank *bank = heap_alloc_zero(heap, sizeof *bank);
    invariant(bank != NULL, "a new service fits its heap");
    bank->heap = heap;
    bank->bytes_max = spec->tuning.service_bytes_max;
    return bank;
}

static void checkpoint_begin(void *self)
{
    struct bank *bank = self;
    bank->copy_count = bank->count;
    bank->copy_next = 0;
    if (bank->count > 0)
        memcpy(bank->copy, bank->accounts, (size_t)bank->count * sizeof(struct account));
}

static bool checkpoint_next(void *self, struct buffer *out, size_t bytes)
{
    struct bank *bank = self;
    size_t written = 0;
    while (bank->copy_next < bank->copy_count && written < bytes) {
        const struct account *account = &bank->copy[bank->copy_next];
        uint8_t *piece = buffer_grow(out, PIECE_SIZE);
        invariant(piece != NULL, "there is room for a piece of a checkpoint");
        piece[0] = account->name_size;
        memcpy(piece + 1, account->name, ACCOUNT_NAME_SIZE_MAX);
        store_u64(piece + PIECE_BALANCE_AT, (uint64_t)account->balance);
        bank->copy_next++;
        written += PIECE_SIZE;
    }
    return bank->copy_next < bank->copy_count;
}

static void checkpoint_end(void *self)
{
    struct bank *bank = self;
    bank->copy_count = bank->copy_next = 0;
}

static void restore_begin(void *self)
{
    struct bank *bank = self;
    bank->count = 0;
    bank->piece_size = 0;
    bank->malformed = false;
}

/* One whole piece. Names must ascend, as they were written: so damage cannot bring an account in twice. */
static bool restore_piece(struct bank *bank)
{
    struct span name = span_of(bank->piece + 1, bank->piece[0]);
    int64_t balance = (int64_t)load_u64(bank->piece + PIECE_BALANCE_AT);
    if (name.size > ACCOUNT_NAME_SIZE_MAX || balance < 0)
        return false;
    if (bank->count > 0 && span_compare(name_of(&bank->accounts[bank->count - 1]), name) >= 0)
        return false;
    return insert(bank, bank->count, name, balance);
}

static bool restore_next(void *self, struct span bytes)
{
    struct bank *bank = self;
    while (bytes.size > 0 && !bank->malformed) {
        size_t want = PIECE_SIZE - bank->piece_size;
        size_t taken = bytes.size < want ? bytes.size : want;
        memcpy(bank->piece + bank->piece_size, bytes.data, taken);
        bank->piece_size += taken;
        bytes = span_of(bytes.data + taken, bytes.size - taken);
        if (bank->piece_size == PIECE_SIZE) {
            bank->malformed = !restore_piece(bank);
            bank->piece_size = 0;
        }
    }
    return !bank->malformed;
}

static bool restore_end(void *self)
{
    const struct bank *bank = self;
    return !bank->malformed && bank->piece_size == 0;
}

static uint64_t digest(void *self)
{
    const struct bank *bank = self;
    static const uint64_t key[2] = {0, 0};
    uint64_t value = bank->count;
    for (uint64_t i = 0; i < bank->count; i++) {
        value = hash_mix(value, hash_keyed(key, bank->accounts[i].name, bank->accounts[i].name_size));
        value = hash_mix(value, (uint64_t)bank->accounts[i].balance);
    }
    return value;
}

static uint64_t bytes_used(const void *self)
{
    return ((const struct bank *)self)->count * sizeof(struct account);
}

static uint64_t item_count(const void *self)
{
    return ((const struct bank *)self)->count;
}

const struct service account_service = {
    .name = "account",
    .needs_order = ORDER_TOTAL,
    .needs_atomic = true,
    .needs_durable = true,
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
