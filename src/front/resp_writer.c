/* RESP3 to RESP2 (resp_writer.h). Values nest, but each head is translated by itself (a map of n pairs is an array of
 * 2n), so one pass over the row of heads and leaves does it, without a stack. Bytes that stay as they are get copied in
 * runs as long as possible. */
#include "front/resp_writer.h"

#include "base/number.h"

/* A head or leaf: a type byte, a line, and for counted types the bytes that follow it. */
struct token {
    uint8_t type;
    struct span line;    /* without type and line end */
    struct span payload; /* of counted types */
    uint64_t count;      /* values that follow as elements */
    size_t size;         /* of it all, without the elements */
};

static bool is_counted(uint8_t type)
{
    return type == '$' || type == '=' || type == '!';
}

static bool is_aggregate(uint8_t type)
{
    return type == '*' || type == '~' || type == '%' || type == '>';
}

static bool is_leaf(uint8_t type)
{
    return type == '+' || type == '-' || type == ':' || type == '_' || type == ',' || type == '#' || type == '(';
}

static bool token_read(struct span bytes, struct token *out)
{
    if (bytes.size < 3)
        return false;
    const uint8_t *end = memchr(bytes.data, '\r', bytes.size - 1);
    if (end == NULL || end[1] != '\n')
        return false;
    size_t line_size = (size_t)(end - bytes.data);
    *out = (struct token){
        .type = bytes.data[0], .line = span_of(bytes.data + 1, line_size - 1), .size = line_size + 2};
    if (is_leaf(out->type))
        return true;
    int64_t number;
    if (line_size == 0 || !number_parse_i64(out->line, &number) || number < -1)
        return false;
    uint64_t count = number < 0 ? 0 : (uint64_t)number; /* -1: RESP2's nulls have nothing behind them */
    if (is_counted(out->type)) {
        if (number < 0)
            return true;
        if (bytes.size - out->size < 2 || count > bytes.size - out->size - 2)
            return false;
        out->payload = span_of(bytes.data + out->size, (size_t)count);
        out->size += (size_t)count + 2;
        return true;
    }
    if (!is_aggregate(out->type) || count > (UINT64_C(1) << 40))
        return false;
    out->count = out->type == '%' ? count * 2 : count;
    return true;
}

size_t resp_value_size(struct span bytes)
{
    uint64_t missing = bytes.size > 0 ? 1 : 0;
    size_t at = 0;
    while (missing > 0) {
        struct token token;
        if (!token_read(span_of(bytes.data + at, bytes.size - at), &token))
            return 0;
        at += token.size;
        missing += token.count;
        missing--;
        if (missing > bytes.size)
            return 0;
    }
    return at;
}

bool resp_aggregate(struct span bytes, uint64_t *count, size_t *head_size)
{
    struct token token;
    if (!token_read(bytes, &token) || !is_aggregate(token.type) || span_equal(token.line, span_string("-1")))
        return false;
    *count = token.count;
    *head_size = token.size;
    return true;
}

static bool number_line(struct buffer *out, char type, uint64_t number)
{
    char line[NUMBER_INTEGER_SIZE_MAX + 3];
    line[0] = type;
    size_t size = 1 + number_print_u64(line + 1, number);
    line[size] = '\r';
    line[size + 1] = '\n';
    return buffer_append(out, line, size + 2);
}

static bool bulk(struct buffer *out, struct span bytes)
{
    return number_line(out, '$', bytes.size) && buffer_append(out, bytes.data, bytes.size) &&
           buffer_append(out, "\r\n", 2);
}

/* RESP2 has the type already. */
static bool is_resp2(uint8_t type)
{
    return type == '+' || type == '-' || type == ':' || type == '$' || type == '*';
}

static bool token_write(struct buffer *out, const struct token *token, bool null_array)
{
    switch (token->type) {
    case '_':
        return buffer_append(out, null_array ? "*-1\r\n" : "$-1\r\n", 5);
    case ',':
    case '(':
        return bulk(out, token->line);
    case '#':
        return buffer_append(out, token->line.size > 0 && token->line.data[0] == 't' ? ":1\r\n" : ":0\r\n", 4);
    case '=': {
        size_t prefix = token->payload.size < 4 ? token->payload.size : 4; /* "txt:" */
        return bulk(out, span_of(token->payload.data + prefix, token->payload.size - prefix));
    }
    case '!':
        return resp_error_write(out, token->payload);
    default: /* aggregates */
        return number_line(out, '*', token->count);
    }
}

static bool translate(struct buffer *out, struct span value, bool null_array)
{
    uint64_t missing = 1;
    size_t at = 0, run = 0; /* value[run .. at) is to be copied as it is */
    while (missing > 0) {
        struct token token;
        if (!token_read(span_of(value.data + at, value.size - at), &token))
            return false;
        if (!is_resp2(token.type)) {
            if (!buffer_append(out, value.data + run, at - run) ||
                !token_write(out, &token, null_array && at == 0))
                return false;
            run = at + token.size;
        }
        at += token.size;
        missing += token.count;
        missing--;
    }
    return at == value.size && buffer_append(out, value.data + run, at - run);
}

bool resp2_write(struct buffer *out, struct span value, bool null_array)
{
    if (value.size == 0)
        return false;
    uint8_t type = value.data[0];
    if (type == '+' || type == '-' || type == ':' || type == '$')
        return buffer_append(out, value.data, value.size);
    size_t before = out->size;
    if (translate(out, value, null_array))
        return true;
    out->size = before;
    return false;
}

bool resp_error_write(struct buffer *out, struct span text)
{
    uint8_t *at = buffer_grow(out, text.size + 3);
    if (at == NULL)
        return false;
    at[0] = '-';
    for (size_t i = 0; i < text.size; i++)
        at[1 + i] = text.data[i] < ' ' ? ' ' : text.data[i];
    at[1 + text.size] = '\r';
    at[2 + text.size] = '\n';
    return true;
}
