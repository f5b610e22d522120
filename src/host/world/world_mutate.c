/* Changing encoded messages in place: the fields lie in their order, fixed sizes first, the bulk last. */
#include "host/world/world_mutate.h"

#include <string.h>

#include "base/bytes.h"
#include "contract/client.h"

/* ---- fields ---- */

static size_t fixed_size(enum field_kind kind)
{
    switch (kind) {
    case FIELD_U8:
        return 1;
    case FIELD_U32:
    case FIELD_NODE:
        return 4;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_INCARNATION:
        return 8;
    case FIELD_BYTES:
    case FIELD_RECORDS:
        break;
    }
    return 0;
}

static uint64_t number_load(const uint8_t *at, size_t size)
{
    return size == 1 ? *at : size == 4 ? load_u32(at) : load_u64(at);
}

static void number_store(uint8_t *at, size_t size, uint64_t number)
{
    if (size == 1)
        *at = (uint8_t)number;
    else if (size == 4)
        store_u32(at, (uint32_t)number);
    else
        store_u64(at, number);
}

static uint64_t largest(size_t size)
{
    return size == 1 ? UINT8_MAX : size == 4 ? UINT32_MAX : UINT64_MAX;
}

/* Where the place-th field of an encoded body begins; the body's size when it does not reach that far. */
static size_t field_at(const struct message_type *type, uint32_t place, size_t size)
{
    size_t at = 0;
    for (uint32_t i = 0; i < place; i++)
        at += fixed_size(type->fields[i].kind);
    return at < size ? at : size;
}

void mutate_learn(struct mutate_seen *seen, const struct message_type *type, const uint8_t *body, size_t size)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        size_t width = fixed_size(type->fields[i].kind), at = field_at(type, i, size);
        bool plain = type->fields[i].kind == FIELD_U64 || type->fields[i].kind == FIELD_I64;
        if (plain && at + width <= size)
            seen->numbers[seen->count++ % MUTATE_SEEN_MAX] = number_load(body + at, width);
    }
}

/* ---- numbers ---- */

/* A field of one of the kinds (bits), drawn; field_count when there is none. */
static uint32_t draw_field(const struct message_type *type, uint32_t kinds, struct random *random)
{
    uint32_t chosen = type->field_count, count = 0;
    for (uint32_t i = 0; i < type->field_count; i++)
        if ((kinds >> type->fields[i].kind & 1) != 0 && random_below(random, ++count) == 0)
            chosen = i;
    return chosen;
}

static uint64_t neighbour(uint64_t number, size_t size, struct random *random)
{
    bool more = random_chance(random, 1, 2);
    if (size == 1 && number <= 1)
        return 1 - number; /* a flag */
    if (number == 0 || (more && number != largest(size)))
        return number + 1;
    return number - 1;
}

bool mutate_number(const struct message_type *type, uint8_t *body, size_t size, struct random *random)
{
    const uint32_t kinds = 1u << FIELD_U8 | 1u << FIELD_U32 | 1u << FIELD_U64 | 1u << FIELD_I64;
    uint32_t place = draw_field(type, kinds, random);
    if (place == type->field_count)
        return false;
    size_t width = fixed_size(type->fields[place].kind), at = field_at(type, place, size);
    if (at + width > size)
        return false;
    number_store(body + at, width, neighbour(number_load(body + at, width), width, random));
    return true;
}

/* ---- anything ---- */

static uint64_t other_number(uint64_t number, size_t size, struct random *random, const struct mutate_seen *seen,
                             bool wild)
{
    uint64_t kept = seen->count < MUTATE_SEEN_MAX ? seen->count : MUTATE_SEEN_MAX;
    uint64_t other = number;
    switch (random_below(random, 8)) {
    case 0:
        other = wild ? 0 : number;
        break;
    case 1:
        other = wild ? largest(size) : number;
        break;
    case 2:
    case 3:
    case 4:
        if (kept > 0)
            other = seen->numbers[random_below(random, kept)];
        break;
    default:
        break;
    }
    return other != number ? other : neighbour(number, size, random);
}

static bool mutate_node(uint8_t *at, struct random *random, const uint32_t *nodes, uint32_t node_count)
{
    uint32_t node = load_u32(at);
    if (node_count < 2)
        return false;
    uint32_t place = (uint32_t)random_below(random, node_count);
    if (nodes[place] == node)
        place = (place + 1) % node_count;
    store_u32(at, nodes[place]);
    return true;
}

static bool mutate_byte(uint8_t *bytes, size_t size, struct random *random)
{
    if (size == 0)
        return false;
    uint64_t at = random_below(random, size);
    bytes[at] ^= (uint8_t)(1 + random_below(random, 255));
    return true;
}

/* The sizes of records stay as they are. */
static bool mutate_record(uint8_t *records, size_t size, struct random *random)
{
    uint32_t count = 0;
    size_t chosen = 0, chosen_size = 0;
    for (size_t at = 0; at + RECORD_PREFIX_SIZE <= size;) {
        size_t body = load_u32(records + at);
        if (body > 0 && random_below(random, ++count) == 0) {
            chosen = at + RECORD_PREFIX_SIZE;
            chosen_size = body;
        }
        at += RECORD_PREFIX_SIZE + body;
    }
    return chosen + chosen_size <= size && mutate_byte(records + chosen, chosen_size, random);
}

bool mutate_field(const struct message_type *type, uint8_t *body, size_t size, struct random *random,
                  const uint32_t *nodes, uint32_t node_count, const struct mutate_seen *seen, bool wild)
{
    uint32_t place = draw_field(type, UINT32_MAX, random);
    if (place == type->field_count)
        return false;
    enum field_kind kind = type->fields[place].kind;
    size_t width = fixed_size(kind), at = field_at(type, place, size);
    if (kind == FIELD_BYTES)
        return at + 4 <= size && mutate_byte(body + at + 4, size - at - 4, random);
    if (kind == FIELD_RECORDS)
        return mutate_record(body + at, size - at, random);
    if (at + width > size)
        return false;
    if (kind == FIELD_NODE)
        return mutate_node(body + at, random, nodes, node_count);
    number_store(body + at, width, other_number(number_load(body + at, width), width, random, seen, wild));
    return true;
}

/* ---- answers ---- */

/* The line's length without its end; `size` when it has none. */
static size_t line_size(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memchr(bytes, '\r', size);
    return end == NULL ? size : (size_t)(end - bytes);
}

static bool mutate_digit(uint8_t *digits, size_t size, struct random *random)
{
    size_t sign = size > 0 && digits[0] == '-';
    if (size == sign)
        return false;
    /* The last digit: neither a leading zero nor a minus zero can come about from one that is not the only one. */
    uint8_t *last = digits + size - 1;
    uint8_t before = *last;
    uint8_t least = sign && size == 2 ? '1' : '0';
    uint8_t span = (uint8_t)('9' - least + 1);
    if (before < least || before > '9')
        return false;
    *last = (uint8_t)(least + (before - least + 1 + (int)random_below(random, (uint64_t)span - 1)) % span);
    return true;
}

bool mutate_answer(uint8_t *bytes, size_t size, struct random *random)
{
    while (size > 0) {
        size_t line = line_size(bytes, size), next = line + 2;
        char mark = (char)bytes[0];
        if (mark == ':')
            return mutate_digit(bytes + 1, line - 1, random);
        if (mark == '$' && next < size && bytes[1] != '-') {
            size_t text = 0; /* of this string; the line is its size */
            for (size_t i = 1; i < line; i++)
                text = text * 10 + (size_t)(bytes[i] - '0');
            return text <= size - next && mutate_byte(bytes + next, text, random);
        }
        if (strchr("*%~>", mark) == NULL || next >= size)
            return false;
        bytes += next; /* of an aggregate, the first that it holds */
        size -= next;
    }
    return false;
}

bool mutate_answers(uint8_t *body, size_t size, struct random *random)
{
    struct client_answers answers;
    struct client_answer answer;
    if (!message_decode(&client_message_types[CLIENT_ANSWERS], span_of(body, size), &answers))
        return false;
    uint32_t count = 0, changed = 0;
    for (struct span rest = answers.answers; client_answer_next(&rest, &answer);)
        count++;
    uint64_t chosen = random_chance(random, 1, 2) || count == 0 ? UINT64_MAX : random_below(random, count);
    count = 0;
    for (struct span rest = answers.answers; client_answer_next(&rest, &answer); count++)
        if (chosen == UINT64_MAX || chosen == count)
            changed += mutate_answer(body + (answer.bytes.data - body), answer.bytes.size, random);
    return changed > 0;
}
