/* The parser of requests (resp_parser.h): the protocol of https://redis.io/docs/reference/protocol-spec, requests only,
 * with the error texts of Redis' networking.c.
 *
 * Progress is counted from the start of the command, never by address, so the bytes may move between two calls. While a
 * command is whole, its pieces lie in the shared scratch. The first time it turns out to be incomplete they move into
 * an array of the parser's own and stay there until the command is done: each is written once, however many reads the
 * command takes.
 *
 * Deviations from Redis: the line end after a size and after a bulk must be CR LF (Redis skips any two bytes, and so
 * goes on with a stream that is out of step), the number of arguments is limited, and the error for what is over a
 * limit names the limit. */
#include "front/resp_parser.h"

#include <stdio.h>

#include "base/number.h"

enum { PIECES_MIN = 64, REST_KEPT_MAX = 16384 };

void resp_scratch_init(struct resp_scratch *scratch, struct heap *heap)
{
    *scratch = (struct resp_scratch){.heap = heap};
    buffer_init(&scratch->text, heap);
}

void resp_scratch_free(struct resp_scratch *scratch)
{
    heap_free(scratch->heap, scratch->pieces);
    buffer_free(&scratch->text);
    scratch->pieces = NULL;
    scratch->capacity = 0;
}

void resp_parser_init(struct resp_parser *parser, struct heap *heap)
{
    *parser = (struct resp_parser){0};
    buffer_init(&parser->rest, heap);
}

/* The next command starts afresh. */
static void parser_restart(struct resp_parser *parser)
{
    parser->at = 0;
    parser->expected = 0;
    parser->count = 0;
    parser->bulk_known = false;
    if (parser->pieces != NULL) {
        heap_free(parser->rest.heap, parser->pieces);
        parser->pieces = NULL;
        parser->capacity = 0;
    }
}

void resp_parser_free(struct resp_parser *parser)
{
    parser_restart(parser);
    buffer_free(&parser->rest);
    parser->rest_at = 0;
}

void resp_parser_shrink(struct resp_parser *parser)
{
    if (resp_parser_kept(parser) == 0) {
        buffer_free(&parser->rest);
        parser->rest_at = 0;
    }
}

/* ---- pieces ---- */

static bool pieces_grow(struct heap *heap, struct resp_piece **pieces, uint32_t *capacity)
{
    uint32_t wish = *capacity == 0 ? PIECES_MIN : *capacity * 2;
    struct resp_piece *grown = heap_resize(heap, *pieces, wish * sizeof **pieces);
    if (grown == NULL)
        return false;
    *pieces = grown;
    *capacity = wish;
    return true;
}

/* Notes one more argument; false when the heap is full. */
static inline bool piece_add(struct resp_parser *parser, struct resp_scratch *scratch, size_t offset, size_t size)
{
    bool own = parser->pieces != NULL;
    struct resp_piece **pieces = own ? &parser->pieces : &scratch->pieces;
    uint32_t *capacity = own ? &parser->capacity : &scratch->capacity;
    if (parser->count == *capacity && !pieces_grow(scratch->heap, pieces, capacity))
        return false;
    (*pieces)[parser->count++] = (struct resp_piece){(uint32_t)offset, (uint32_t)size};
    return true;
}

/* The command is incomplete: its pieces must outlast the scratch. */
static bool pieces_own(struct resp_parser *parser, const struct resp_scratch *scratch)
{
    if (parser->pieces != NULL || parser->count == 0)
        return true;
    uint32_t capacity = PIECES_MIN;
    while (capacity < parser->count)
        capacity *= 2;
    parser->pieces = heap_alloc(scratch->heap, capacity * sizeof *parser->pieces);
    if (parser->pieces == NULL)
        return false;
    parser->capacity = capacity;
    memcpy(parser->pieces, scratch->pieces, parser->count * sizeof *parser->pieces);
    return true;
}

/* ---- errors ---- */

static enum resp_status bad(struct resp_scratch *scratch, const char *what)
{
    snprintf(scratch->why, sizeof scratch->why, "ERR Protocol error: %s", what);
    return RESP_BAD;
}

static enum resp_status over_limit(struct resp_scratch *scratch, const char *what, const char *limit, uint64_t value)
{
    snprintf(scratch->why, sizeof scratch->why, "ERR Protocol error: %s (limit %s %llu)", what, limit,
             (unsigned long long)value);
    return RESP_BAD;
}

static enum resp_status no_memory(struct resp_scratch *scratch)
{
    snprintf(scratch->why, sizeof scratch->why, "OOM no memory left to hold the request");
    return RESP_BAD;
}

/* ---- a count or a size, up to the end of its line ---- */

/* The usual number: one to nine digits without a leading zero, and CR LF. Returns its size with the line end, or 0 when
 * it is anything else, whole or not. */
static inline size_t short_number(const uint8_t *bytes, size_t size, int64_t *out)
{
    size_t digits = 0;
    int64_t value = 0;
    while (digits < 9 && digits < size && (unsigned)bytes[digits] - '0' < 10)
        value = value * 10 + (bytes[digits++] - '0');
    if (digits == 0 || digits + 2 > size || bytes[digits] != '\r' || bytes[digits + 1] != '\n' ||
        (bytes[0] == '0' && digits > 1))
        return 0;
    *out = value;
    return digits + 2;
}

struct number_errors {
    const char *too_long, *invalid;
};

/* Any number. `*line_size` is that of the line with its end. */
static enum resp_status line_number(struct resp_scratch *scratch, const uint8_t *bytes, size_t size,
                                    const struct number_errors *errors, int64_t *out, size_t *line_size)
{
    *line_size = short_number(bytes, size, out);
    if (*line_size != 0)
        return RESP_COMMAND;
    size_t scan = size < RESP_LINE_SIZE_MAX ? size : RESP_LINE_SIZE_MAX;
    const uint8_t *end = scan == 0 ? NULL : memchr(bytes, '\r', scan);
    if (end == NULL)
        return scan < RESP_LINE_SIZE_MAX ? RESP_MORE : bad(scratch, errors->too_long);
    size_t digits = (size_t)(end - bytes);
    if (digits + 2 > size)
        return RESP_MORE;
    if (end[1] != '\n' || !number_parse_i64(span_of(bytes, digits), out))
        return bad(scratch, errors->invalid);
    *line_size = digits + 2;
    return RESP_COMMAND;
}

/* ---- multibulk ---- */

static enum resp_status count_read(struct resp_parser *parser, struct resp_scratch *scratch,
                                   const struct resp_limits *limits, const uint8_t *base, size_t size)
{
    static const struct number_errors errors = {"too big mbulk count string", "invalid multibulk length"};
    int64_t count;
    size_t line_size;
    enum resp_status status = line_number(scratch, base + 1, size - 1, &errors, &count, &line_size);
    if (status != RESP_COMMAND)
        return status;
    parser->at = 1 + line_size;
    if (count <= 0)
        return RESP_EMPTY;
    if (count > limits->arguments_max)
        return over_limit(scratch, "invalid multibulk length", "arguments", limits->arguments_max);
    parser->expected = (uint32_t)count;
    return RESP_COMMAND;
}

static enum resp_status size_read(struct resp_parser *parser, struct resp_scratch *scratch,
                                  const struct resp_limits *limits, const uint8_t *base, size_t size)
{
    static const struct number_errors errors = {"too big bulk count string", "invalid bulk length"};
    if (base[parser->at] != '$') {
        char what[] = "expected '$', got '?'";
        uint8_t got = base[parser->at];
        what[sizeof what - 3] = (char)(got < ' ' || got > '~' ? ' ' : got);
        return bad(scratch, what);
    }
    int64_t bulk_size;
    size_t line_size;
    enum resp_status status =
        line_number(scratch, base + parser->at + 1, size - parser->at - 1, &errors, &bulk_size, &line_size);
    if (status != RESP_COMMAND)
        return status;
    if (bulk_size < 0)
        return bad(scratch, "invalid bulk length");
    if ((uint64_t)bulk_size > limits->value_bytes_max)
        return over_limit(scratch, "invalid bulk length", "proto-max-bulk-len", limits->value_bytes_max);
    parser->at += 1 + line_size;
    if (parser->at + (uint64_t)bulk_size + 2 > limits->query_bytes_max)
        return over_limit(scratch, "too big query", "client-query-buffer-limit", limits->query_bytes_max);
    parser->bulk_size = (uint32_t)bulk_size;
    parser->bulk_known = true;
    return RESP_COMMAND;
}

static enum resp_status multibulk(struct resp_parser *parser, struct resp_scratch *scratch,
                                  const struct resp_limits *limits, const uint8_t *base, size_t size)
{
    if (parser->expected == 0) {
        enum resp_status status = count_read(parser, scratch, limits, base, size);
        if (status != RESP_COMMAND)
            return status;
    }
    while (parser->count < parser->expected) {
        if (!parser->bulk_known) {
            if (parser->at >= size)
                return RESP_MORE;
            enum resp_status status = size_read(parser, scratch, limits, base, size);
            if (status != RESP_COMMAND)
                return status;
        }
        size_t end = parser->at + parser->bulk_size;
        if (end + 2 > size)
            return RESP_MORE;
        if (base[end] != '\r' || base[end + 1] != '\n')
            return bad(scratch, "expected CRLF after bulk");
        if (!piece_add(parser, scratch, parser->at, parser->bulk_size))
            return no_memory(scratch);
        parser->at = end + 2;
        parser->bulk_known = false;
    }
    return RESP_COMMAND;
}

/* ---- inline: words of a line, perhaps in quotes (sdssplitargs) ---- */

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that an escape in double quotes stands for; `*line` stands behind the backslash and moves behind it all. */
static uint8_t unescape(struct span *line)
{
    uint8_t c = *line->data;
    if (c == 'x' && line->size >= 3 && hex_digit(line->data[1]) >= 0 && hex_digit(line->data[2]) >= 0) {
        uint8_t value = (uint8_t)(hex_digit(line->data[1]) * 16 + hex_digit(line->data[2]));
        line->data += 3;
        line->size -= 3;
        return value;
    }
    line->data++;
    line->size--;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return c;
    }
}

/* Unquotes one word, at which `*line` stands, to `*to`. False: its quotes are unbalanced. */
static bool inline_word(struct span *line, uint8_t **to)
{
    uint8_t quote = 0;
    while (line->size > 0) {
        uint8_t c = *line->data;
        if (quote == 0 && is_space(c))
            return true;
        line->data++;
        line->size--;
        if (quote == 0 && (c == '"' || c == '\'')) {
            quote = c;
        } else if (quote != 0 && c == quote) {
            return line->size == 0 || is_space(*line->data);
        } else if (quote == '"' && c == '\\' && line->size > 0) {
            *(*to)++ = unescape(line);
        } else if (quote == '\'' && c == '\\' && line->size > 0 && *line->data == '\'') {
            *(*to)++ = '\'';
            line->data++;
            line->size--;
        } else {
            *(*to)++ = c;
        }
    }
    return quote == 0;
}

static enum resp_status inline_split(struct resp_parser *parser, struct resp_scratch *scratch, struct span line)
{
    parser->count = 0;
    buffer_clear(&scratch->text);
    /* Unquoting never makes a line longer. */
    uint8_t *start = buffer_grow(&scratch->text, line.size);
    if (start == NULL)
        return no_memory(scratch);
    uint8_t *to = start;
    for (;;) {
        while (line.size > 0 && is_space(*line.data)) {
            line.data++;
            line.size--;
        }
        if (line.size == 0)
            return parser->count > 0 ? RESP_COMMAND : RESP_EMPTY;
        uint8_t *word = to;
        if (!inline_word(&line, &to))
            return bad(scratch, "unbalanced quotes in request");
        if (!piece_add(parser, scratch, (size_t)(word - start), (size_t)(to - word)))
            return no_memory(scratch);
    }
}

/* parser->at counts the bytes that have no line end. */
static enum resp_status inline_command(struct resp_parser *parser, struct resp_scratch *scratch, const uint8_t *base,
                                       size_t size)
{
    const uint8_t *end = size > parser->at ? memchr(base + parser->at, '\n', size - parser->at) : NULL;
    size_t line_size = end == NULL ? size : (size_t)(end - base);
    if (line_size > RESP_LINE_SIZE_MAX)
        return bad(scratch, "too big inline request");
    if (end == NULL) {
        parser->at = size;
        return RESP_MORE;
    }
    parser->at = line_size + 1;
    if (line_size > 0 && base[line_size - 1] == '\r')
        line_size--;
    return inline_split(parser, scratch, span_of(base, line_size));
}

/* ---- the whole ---- */

static enum resp_status parse(struct resp_parser *parser, struct resp_scratch *scratch,
                              const struct resp_limits *limits, struct span bytes, struct resp_command *out)
{
    bool is_inline = bytes.data[0] != '*';
    enum resp_status status = is_inline ? inline_command(parser, scratch, bytes.data, bytes.size)
                                        : multibulk(parser, scratch, limits, bytes.data, bytes.size);
    *out = (struct resp_command){
        .base = is_inline ? scratch->text.data : bytes.data,
        .pieces = parser->pieces != NULL ? parser->pieces : scratch->pieces,
        .count = parser->count,
        .size = parser->at,
    };
    if (status == RESP_MORE)
        return pieces_own(parser, scratch) ? RESP_MORE : no_memory(scratch);
    /* Others use the scratch before this command may be asked for again; then it is parsed again, from its start. */
    if (parser->pieces == NULL)
        parser_restart(parser);
    return status;
}

enum resp_status resp_parser_next(struct resp_parser *parser, struct resp_scratch *scratch,
                                  const struct resp_limits *limits, struct span *input, struct resp_command *out)
{
    if (resp_parser_kept(parser) > 0) {
        if (input->size > 0) {
            if (!resp_parser_keep(parser, *input))
                return no_memory(scratch);
            *input = (struct span){0};
        }
        struct span kept = span_of(parser->rest.data + parser->rest_at, resp_parser_kept(parser));
        return parse(parser, scratch, limits, kept, out);
    }
    if (input->size == 0)
        return RESP_MORE;
    return parse(parser, scratch, limits, *input, out);
}

void resp_parser_advance(struct resp_parser *parser, struct span *input, size_t command_size)
{
    if (resp_parser_kept(parser) > 0) {
        parser->rest_at += command_size;
        if (resp_parser_kept(parser) == 0) {
            parser->rest_at = 0;
            buffer_clear(&parser->rest);
            if (parser->rest.capacity > REST_KEPT_MAX)
                buffer_free(&parser->rest);
        }
    } else {
        input->data += command_size;
        input->size -= command_size;
    }
    parser_restart(parser);
}

bool resp_parser_keep(struct resp_parser *parser, struct span input)
{
    if (parser->rest_at > 0) {
        buffer_consume(&parser->rest, parser->rest_at);
        parser->rest_at = 0;
    }
    return buffer_append(&parser->rest, input.data, input.size);
}
