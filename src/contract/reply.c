/* RESP3 values (reply.h): https://github.com/antirez/RESP3, sections "Simple types" and "Aggregate data types".
 * A value goes in whole or not at all: room for it is reserved before its first byte is written. */
#include "contract/reply.h"

#include "base/number.h"

static const struct span LINE_END = {.data = (const uint8_t *)"\r\n", .size = 2};

/* A type byte, a number and the end of the line. */
struct head {
    uint8_t bytes[1 + NUMBER_INTEGER_SIZE_MAX + 2];
    size_t size;
};

static void head_finish(struct head *head, char type, size_t digits)
{
    head->bytes[0] = (uint8_t)type;
    head->bytes[1 + digits] = '\r';
    head->bytes[2 + digits] = '\n';
    head->size = digits + 3;
}

static struct head head_of(char type, uint64_t number)
{
    struct head head;
    head_finish(&head, type, number_print_u64((char *)head.bytes + 1, number));
    return head;
}

static bool append_head(struct buffer *out, char type, uint64_t number)
{
    struct head head = head_of(type, number);
    return buffer_append(out, head.bytes, head.size);
}

/* A line of text. It may quote what a client sent, and a line end in that would forge a second reply, so control
 * characters become spaces. */
static bool append_line(struct buffer *out, char type, const char *text)
{
    size_t size = strlen(text);
    uint8_t *at = buffer_grow(out, size + 3);
    if (at == NULL)
        return false;
    at[0] = (uint8_t)type;
    for (size_t i = 0; i < size; i++)
        at[1 + i] = (uint8_t)text[i] < ' ' ? ' ' : (uint8_t)text[i];
    at[1 + size] = '\r';
    at[2 + size] = '\n';
    return true;
}

bool reply_simple(struct buffer *out, const char *text)
{
    return append_line(out, '+', text);
}

bool reply_error(struct buffer *out, const char *text)
{
    return append_line(out, '-', text);
}

bool reply_integer(struct buffer *out, int64_t value)
{
    struct head head;
    head_finish(&head, ':', number_print_i64((char *)head.bytes + 1, value));
    return buffer_append(out, head.bytes, head.size);
}

/* A counted run of bytes, with a prefix that belongs to the count. */
static bool append_counted(struct buffer *out, char type, struct span prefix, struct span bytes)
{
    struct head head = head_of(type, prefix.size + bytes.size);
    uint8_t *at = buffer_grow(out, head.size + prefix.size + bytes.size + LINE_END.size);
    if (at == NULL)
        return false;
    memcpy(at, head.bytes, head.size);
    at += head.size;
    if (prefix.size > 0)
        memcpy(at, prefix.data, prefix.size);
    at += prefix.size;
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    memcpy(at + bytes.size, LINE_END.data, LINE_END.size);
    return true;
}

bool reply_bulk(struct buffer *out, struct span bytes)
{
    return append_counted(out, '$', (struct span){0}, bytes);
}

bool reply_null(struct buffer *out)
{
    return buffer_append(out, "_\r\n", 3);
}

bool reply_array(struct buffer *out, uint64_t count)
{
    return append_head(out, '*', count);
}

bool reply_map(struct buffer *out, uint64_t pairs)
{
    return append_head(out, '%', pairs);
}

bool reply_set(struct buffer *out, uint64_t count)
{
    return append_head(out, '~', count);
}

bool reply_double(struct buffer *out, double value)
{
    char digits[NUMBER_DOUBLE_SIZE_MAX];
    size_t size = number_print_double(digits, value);
    uint8_t *at = buffer_grow(out, size + 3);
    if (at == NULL)
        return false;
    at[0] = ',';
    memcpy(at + 1, digits, size);
    memcpy(at + 1 + size, LINE_END.data, LINE_END.size);
    return true;
}

bool reply_boolean(struct buffer *out, bool value)
{
    return buffer_append(out, value ? "#t\r\n" : "#f\r\n", 4);
}

bool reply_verbatim(struct buffer *out, struct span bytes)
{
    return append_counted(out, '=', span_string("txt:"), bytes);
}

bool reply_append(struct buffer *out, struct span value)
{
    return buffer_append(out, value.data, value.size);
}
