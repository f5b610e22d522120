/* The bank: money moves between accounts, and whoever reads all of them must see all of it.
 *
 * A sum that changes is a read that saw half of a transfer (read skew), which every level from snapshot isolation and
 * repeatable-read on forbids; below those nothing is promised, and only what was never there is refused. At the
 * serializable levels an order is searched for: transfers add and subtract, so what the accounts hold follows from
 * which transfers are done, whatever their order, and from what they held at first. Where no read says that, accounts
 * count from nothing until a read in the order that is tried shows them; from there on they are fixed. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lab/txn/txn_internal.h"

#define WORK_DEFAULT UINT64_C(5000000)

enum { WORDS_PER_ACCOUNT = 3 };
#define FIXED_AT_FIRST UINT32_MAX

struct balance {
    uint32_t account; /* number */
    int64_t amount;
};

struct bank_item {
    uint32_t operation;
    bool reads;
    uint32_t from, to; /* of a transfer */
    int64_t amount;
    int64_t lowest_before; /* of the account it took from, while it is entered */
    uint32_t first, count; /* of a read: balances */
};

struct bank {
    const struct record *record;
    struct txn_arena *arena;
    bool debts;
    struct bank_item *items;
    uint32_t item_count;
    struct balance *balances;
    uint32_t balance_count;
    uint32_t *account_of; /* value id -> number + 1 */
    uint32_t account_count;
    int64_t *accounts;  /* what is there, in a search; of those that are not fixed, as if nothing had been at first */
    int64_t *lowest;    /* the least that was there so far, of those that are not fixed */
    int64_t *at_first;  /* what a fixed one must have held, where it was not known */
    uint32_t *fixed_by; /* the item whose read showed it, + 1; FIXED_AT_FIRST; 0: not fixed */
    struct verdict *verdict;
    struct heap *heap;
};

static bool misfit(struct bank *bank, uint32_t operation, const char *why)
{
    char text[200];
    record_print_operation(bank->record, operation, text, sizeof text);
    txn_verdict_unknown(bank->verdict, "operation %" PRIu32 " (line %" PRIu32 ") is none of a bank: %s: %s", operation,
                        bank->record->operations[operation].line, text, why);
    return false;
}

static bool illegal(struct bank *bank, const char *anomaly, const uint32_t *operations, uint32_t count,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));
static bool illegal(struct bank *bank, const char *anomaly, const uint32_t *operations, uint32_t count,
                    const char *format, ...)
{
    struct verdict *verdict = bank->verdict;
    *verdict = (struct verdict){.kind = VERDICT_ILLEGAL};
    snprintf(verdict->anomaly, sizeof verdict->anomaly, "%s", anomaly);
    int used = snprintf(verdict->reason, sizeof verdict->reason, "%s: ", anomaly);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->reason + used, sizeof verdict->reason - (size_t)used, format, arguments);
    va_end(arguments);
    verdict->operations = heap_alloc(bank->heap, count * sizeof *operations);
    if (verdict->operations == NULL) {
        txn_verdict_unknown(verdict, "the memory for the check ran out; allow more, or check a shorter history");
        return false;
    }
    memcpy(verdict->operations, operations, count * sizeof *operations);
    verdict->operation_count = count;
    return false;
}

/* ---- reading ---- */

static uint32_t account_number(struct bank *bank, uint32_t value)
{
    if (bank->account_of[value] == 0)
        bank->account_of[value] = ++bank->account_count;
    return bank->account_of[value] - 1;
}

static bool is_number(const struct bank *bank, uint32_t value)
{
    return value != VALUE_NONE && record_kind(bank->record, value) == VALUE_INTEGER;
}

static bool text_is(const struct record *record, uint32_t value, const char *text)
{
    if (value == VALUE_NONE || record_kind(record, value) != VALUE_TEXT)
        return false;
    struct span span = record_text_of(record, value);
    return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}

static bool read_balances(struct bank *bank, struct bank_item *item, uint32_t value)
{
    const struct record *record = bank->record;
    enum value_kind kind = value == VALUE_NONE ? VALUE_NULL : record_kind(record, value);
    if (kind != VALUE_MAP && kind != VALUE_LIST)
        return misfit(bank, item->operation, "a read returns a map of accounts to balances");
    uint32_t size = record_size_of(record, value), step = kind == VALUE_MAP ? 2 : 1;
    item->first = bank->balance_count;
    for (uint32_t at = 0; at < size; at += step) {
        const uint32_t *pair = record_elements_of(record, value) + at;
        if (kind == VALUE_LIST) {
            if (record_kind(record, *pair) != VALUE_LIST || record_size_of(record, *pair) != 2)
                return misfit(bank, item->operation, "a read returns pairs of an account and its balance");
            pair = record_elements_of(record, *pair);
        }
        if (!is_number(bank, pair[1]))
            return misfit(bank, item->operation, "a balance is a whole number");
        bank->balances[bank->balance_count++] =
            (struct balance){account_number(bank, pair[0]), record_integer_of(record, pair[1])};
    }
    item->count = bank->balance_count - item->first;
    return true;
}

static bool read_transfer(struct bank *bank, struct bank_item *item, uint32_t value)
{
    const struct record *record = bank->record;
    uint32_t parts[3] = {VALUE_NONE, VALUE_NONE, VALUE_NONE};
    static const char *const names[3] = {"from", "to", "amount"};
    enum value_kind kind = value == VALUE_NONE ? VALUE_NULL : record_kind(record, value);
    uint32_t size = kind == VALUE_LIST || kind == VALUE_MAP ? record_size_of(record, value) : 0;
    for (uint32_t at = 0; at < size; at++) {
        uint32_t element = record_elements_of(record, value)[at];
        if (kind == VALUE_LIST && at < 3)
            parts[at] = element;
        for (int name = 0; kind == VALUE_MAP && at % 2 == 0 && name < 3; name++)
            if (text_is(record, element, names[name]))
                parts[name] = record_elements_of(record, value)[at + 1];
    }
    if (parts[0] == VALUE_NONE || parts[1] == VALUE_NONE || !is_number(bank, parts[2]))
        return misfit(bank, item->operation, "a transfer is {from, to, amount}, and the amount a whole number");
    item->from = account_number(bank, parts[0]);
    item->to = account_number(bank, parts[1]);
    item->amount = record_integer_of(record, parts[2]);
    return true;
}

static bool read_item(struct bank *bank, uint32_t number)
{
    const struct record_operation *operation = &bank->record->operations[number];
    struct bank_item *item = &bank->items[bank->item_count];
    *item = (struct bank_item){.operation = number};
    item->reads = text_is(bank->record, operation->function, "read");
    if (!item->reads && !text_is(bank->record, operation->function, "transfer"))
        return misfit(bank, number, "its function must be \"read\" or \"transfer\"");
    if (operation->outcome == RECORD_FAIL || (item->reads && operation->outcome != RECORD_OK))
        return true;
    if (!(item->reads ? read_balances(bank, item, operation->answered) : read_transfer(bank, item, operation->called)))
        return false;
    bank->item_count++;
    return true;
}

static bool read_bank(struct bank *bank)
{
    const struct record *record = bank->record;
    size_t balances = 0;
    for (uint32_t at = 0; at < record->operation_count; at++) {
        uint32_t value = record->operations[at].answered;
        bool many = value != VALUE_NONE && record_kind(record, value) >= VALUE_LIST;
        balances += many ? record_size_of(record, value) : 0;
    }
    bank->items = txn_take(bank->arena, record->operation_count, sizeof *bank->items);
    bank->balances = txn_take(bank->arena, balances, sizeof *bank->balances);
    bank->account_of = txn_take(bank->arena, record_value_count(record), sizeof(uint32_t));
    if (bank->arena->full || record->incomplete || balances > UINT32_MAX) {
        txn_verdict_unknown(bank->verdict, "the memory for the check ran out; allow more, or check a shorter history");
        return false;
    }
    for (uint32_t at = 0; at < record->operation_count; at++)
        if (!read_item(bank, at))
            return false;
    bank->accounts = txn_take(bank->arena, bank->account_count, sizeof(int64_t));
    bank->lowest = txn_take(bank->arena, bank->account_count, sizeof(int64_t));
    bank->at_first = txn_take(bank->arena, bank->account_count, sizeof(int64_t));
    bank->fixed_by = txn_take(bank->arena, bank->account_count, sizeof(uint32_t));
    if (bank->arena->full)
        txn_verdict_unknown(bank->verdict, "the memory for the check ran out; allow more, or check a shorter history");
    return !bank->arena->full;
}

/* ---- sums ---- */

static int64_t sum_of(const struct bank *bank, const struct bank_item *item)
{
    uint64_t sum = 0;
    for (uint32_t at = 0; at < item->count; at++)
        sum += (uint64_t)bank->balances[item->first + at].amount;
    return (int64_t)sum;
}

static bool check_sums(struct bank *bank)
{
    const struct bank_item *first = NULL;
    for (uint32_t at = 0; at < bank->item_count; at++) {
        const struct bank_item *item = &bank->items[at];
        if (!item->reads)
            continue;
        for (uint32_t balance = item->first; !bank->debts && balance < item->first + item->count; balance++)
            if (bank->balances[balance].amount < 0)
                return illegal(bank, "negative balance", &item->operation, 1,
                               "operation %" PRIu32 " read a balance of %" PRId64 ", below zero", item->operation,
                               bank->balances[balance].amount);
        if (first == NULL)
            first = item;
        if (sum_of(bank, item) != sum_of(bank, first) || item->count != first->count) {
            uint32_t operations[2] = {first->operation, item->operation};
            return illegal(bank, "wrong total", operations, 2,
                           "operation %" PRIu32 " read %" PRIu32 " accounts with %" PRId64
                           " in all, but operation %" PRIu32 " read %" PRIu32 " with %" PRId64,
                           item->operation, item->count, sum_of(bank, item), first->operation, first->count,
                           sum_of(bank, first));
        }
    }
    return true;
}

/* ---- the search ---- */

static int64_t sum(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left + (uint64_t)right);
}

static int64_t difference(int64_t left, int64_t right)
{
    return (int64_t)((uint64_t)left - (uint64_t)right);
}

static bool transfer(struct bank *bank, struct bank_item *item)
{
    int64_t *from = &bank->accounts[item->from], *to = &bank->accounts[item->to];
    bool fixed = bank->fixed_by[item->from] != 0;
    if (fixed && !bank->debts && *from < item->amount && item->from != item->to)
        return false;
    *from = difference(*from, item->amount);
    *to = sum(*to, item->amount);
    item->lowest_before = bank->lowest[item->from];
    if (!fixed && *from < item->lowest_before)
        bank->lowest[item->from] = *from;
    return true;
}

static void transfer_back(struct bank *bank, const struct bank_item *item)
{
    bank->lowest[item->from] = item->lowest_before;
    bank->accounts[item->to] = difference(bank->accounts[item->to], item->amount);
    bank->accounts[item->from] = sum(bank->accounts[item->from], item->amount);
}

/* Does a read show what is there? It fixes accounts that are not, unless they would have been below zero before. */
static bool show(struct bank *bank, uint32_t number)
{
    const struct bank_item *item = &bank->items[number];
    const struct balance *balances = bank->balances + item->first;
    for (uint32_t at = 0; at < item->count; at++) {
        uint32_t account = balances[at].account;
        int64_t there = bank->accounts[account];
        if (bank->fixed_by[account] != 0 && there != balances[at].amount)
            return false;
        int64_t at_first = difference(balances[at].amount, there);
        if (bank->fixed_by[account] == 0 && !bank->debts && sum(at_first, bank->lowest[account]) < 0)
            return false;
    }
    for (uint32_t at = 0; at < item->count; at++) {
        uint32_t account = balances[at].account;
        if (bank->fixed_by[account] != 0)
            continue;
        bank->fixed_by[account] = number + 1;
        bank->at_first[account] = difference(balances[at].amount, bank->accounts[account]);
        bank->accounts[account] = balances[at].amount;
    }
    return true;
}

static void show_back(struct bank *bank, uint32_t number)
{
    const struct bank_item *item = &bank->items[number];
    for (uint32_t at = item->first; at < item->first + item->count; at++) {
        uint32_t account = bank->balances[at].account;
        if (bank->fixed_by[account] != number + 1)
            continue;
        bank->fixed_by[account] = 0;
        bank->accounts[account] = difference(bank->accounts[account], bank->at_first[account]);
    }
}

static bool enter(void *context, uint32_t number)
{
    struct bank *bank = context;
    return bank->items[number].reads ? show(bank, number) : transfer(bank, &bank->items[number]);
}

static void leave(void *context, uint32_t number)
{
    struct bank *bank = context;
    if (bank->items[number].reads)
        show_back(bank, number);
    else
        transfer_back(bank, &bank->items[number]);
}

/* A read that fixes nothing. */
static bool harmless(const void *context, uint32_t number)
{
    const struct bank *bank = context;
    const struct bank_item *item = &bank->items[number];
    for (uint32_t at = item->first; item->reads && at < item->first + item->count; at++)
        if (bank->fixed_by[bank->balances[at].account] == 0)
            return false;
    return item->reads;
}

static uint32_t state_words(const void *context, uint64_t *out)
{
    const struct bank *bank = context;
    for (uint32_t account = 0; account < bank->account_count; account++) {
        bool fixed = bank->fixed_by[account] != 0;
        *out++ = fixed;
        *out++ = (uint64_t)bank->accounts[account];
        *out++ = fixed ? 0 : (uint64_t)bank->lowest[account];
    }
    return bank->account_count * WORDS_PER_ACCOUNT;
}

/* In real time the read that says what was there at first: it ended before any transfer began. NULL: none. (Without
 * real time even such a read may come after transfers.) */
static const struct bank_item *first_read(const struct bank *bank)
{
    for (uint32_t at = 0; at < bank->item_count; at++) {
        const struct bank_item *item = &bank->items[at];
        const struct record_operation *read = &bank->record->operations[item->operation];
        if (!item->reads)
            return NULL;
        uint32_t began = RECORD_NEVER;
        for (uint32_t next = at + 1; next < bank->item_count && began == RECORD_NEVER; next++)
            if (!bank->items[next].reads)
                began = bank->record->operations[bank->items[next].operation].invoked;
        if (read->completed < began)
            return item;
    }
    return NULL;
}

static bool has_reads(const struct bank *bank)
{
    for (uint32_t at = 0; at < bank->item_count; at++)
        if (bank->items[at].reads)
            return true;
    return false;
}

/* One search; with `completed` it keeps to real time, and a read may say what was there at first. */
static enum txn_search_end search_once(struct bank *bank, struct txn_search *search, const uint32_t *completed)
{
    const struct bank_item *first = completed == NULL ? NULL : first_read(bank);
    for (uint32_t account = 0; account < bank->account_count; account++) {
        bank->accounts[account] = bank->lowest[account] = 0;
        bank->fixed_by[account] = first != NULL ? FIXED_AT_FIRST : 0;
    }
    for (uint32_t at = 0; first != NULL && at < first->count; at++)
        bank->accounts[bank->balances[first->first + at].account] = bank->balances[first->first + at].amount;
    search->completed = completed;
    search->state = first != NULL ? NULL : state_words;
    search->state_words = first != NULL ? 0 : bank->account_count * WORDS_PER_ACCOUNT;
    return txn_search_run(search, bank->arena);
}

static void search_order(struct bank *bank, enum txn_level level, const struct verdict_bounds *bounds)
{
    uint32_t *invoked = txn_take(bank->arena, bank->item_count, sizeof *invoked);
    uint32_t *completed = txn_take(bank->arena, bank->item_count, sizeof *completed);
    bool *optional = txn_take(bank->arena, bank->item_count, sizeof *optional);
    uint32_t *order = heap_alloc(bank->heap, (bank->item_count + (size_t)1) * sizeof *order);
    if (bank->arena->full || order == NULL) {
        heap_free(bank->heap, order);
        txn_verdict_unknown(bank->verdict, "the memory for the check ran out; allow more, or check a shorter history");
        return;
    }
    for (uint32_t at = 0; at < bank->item_count; at++) {
        const struct record_operation *operation = &bank->record->operations[bank->items[at].operation];
        invoked[at] = operation->invoked;
        optional[at] = operation->outcome == RECORD_INFO;
        completed[at] = optional[at] ? RECORD_NEVER : operation->completed;
    }
    struct txn_search search = {.model = bank,
                                .enter = enter,
                                .leave = leave,
                                .harmless = harmless,
                                .item_count = bank->item_count,
                                .invoked = invoked,
                                .optional = optional,
                                .bounds = bounds,
                                .work_default = WORK_DEFAULT,
                                .order = order};
    /* An order that keeps to real time is found soon, if there is one, and does for every level. */
    enum txn_search_end end = search_once(bank, &search, completed);
    if (level != TXN_STRICT_SERIALIZABLE && (end == TXN_SEARCH_NONE || end == TXN_SEARCH_WORK))
        end = search_once(bank, &search, NULL);
    bank->verdict->work = search.work;
    for (uint32_t at = 0; at < search.order_count; at++)
        order[at] = bank->items[order[at]].operation;
    if (end == TXN_SEARCH_FOUND) {
        bank->verdict->operations = order;
        bank->verdict->operation_count = search.order_count;
        return;
    }
    for (uint32_t at = 0; at < bank->item_count; at++)
        order[at] = bank->items[at].operation;
    if (end == TXN_SEARCH_NONE)
        illegal(bank, "no serial order", order, bank->item_count,
                "all totals are right, but in no order of the transfers does every read of balances fit");
    else
        txn_verdict_unknown(bank->verdict,
                            "all totals are right, but in the search for an order %s; allow more, or check a shorter "
                            "history",
                            txn_search_end_text(end));
    heap_free(bank->heap, order);
}

static void check(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                  struct heap *heap, struct verdict *verdict, bool debts)
{
    static const struct verdict_bounds none = {0};
    struct txn_arena arena = {.heap = heap};
    struct bank bank = {
        .record = record, .arena = &arena, .debts = debts, .verdict = verdict, .heap = heap};
    *verdict = (struct verdict){.kind = VERDICT_OK};
    bool good = read_bank(&bank);
    if (good && txn_level_is_at_least_repeatable(level))
        good = check_sums(&bank);
    bool serial = txn_level_is_at_least_repeatable(level) && level != TXN_SNAPSHOT_ISOLATION;
    if (good && serial && has_reads(&bank))
        search_order(&bank, level, bounds == NULL ? &none : bounds);
    txn_arena_free(&arena);
}

void txn_check_bank(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                    struct heap *heap, struct verdict *verdict)
{
    check(record, level, bounds, heap, verdict, false);
}

void txn_check_bank_with_debts(const struct record *record, enum txn_level level, const struct verdict_bounds *bounds,
                               struct heap *heap, struct verdict *verdict)
{
    check(record, level, bounds, heap, verdict, true);
}
