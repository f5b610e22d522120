/* Finds the end of a RESP value (resp_scan.h). A value is a line, perhaps followed by bytes or by other values, so
 * counting how many values are still missing takes the place of a recursion. */
#include "host/real/resp_scan.h"

#include <stdbool.h>

#include "base/error.h"
#include "base/number.h"

enum {
    LINE_SIZE_MAX = 64 * 1024, /* of an error or simple string; ours are far shorter */
};

static bool is_bulk(char type)
{
    return type == '$' || type == '=' || type == '!';
}

static bool is_aggregate(char type)
{
    return type == '*' || type == '%' || type == '~' || type == '>' || type == '|';
}

static bool is_line(char type)
{
    return type == '+' || type == '-' || type == ':' || type == ',' || type == '#' || type == '_' || type == '(';
}

int64_t resp_scan_line(struct span bytes, char *type, int64_t *number)
{
    if (bytes.size == 0)
        return 0;
    *type = (char)bytes.data[0];
    *number = 0;
    if (!is_bulk(*type) && !is_aggregate(*type) && !is_line(*type))
        return ERROR_INVALID;
    size_t limit = bytes.size < LINE_SIZE_MAX ? bytes.size : LINE_SIZE_MAX;
    const uint8_t *end = memchr(bytes.data, '\n', limit);
    if (end == NULL)
        return bytes.size < LINE_SIZE_MAX ? 0 : ERROR_INVALID;
    size_t line_size = (size_t)(end - bytes.data) + 1;
    if (line_size < 3 || end[-1] != '\r')
        return ERROR_INVALID;
    bool numeric = is_bulk(*type) || is_aggregate(*type) || *type == ':';
    if (numeric && !number_parse_i64(span_of(bytes.data + 1, line_size - 3), number))
        return ERROR_INVALID;
    return (int64_t)line_size;
}

/* How many bytes and values belong to a line, after it. */
static int after_line(char type, int64_t number, uint64_t *bytes, uint64_t *values)
{
    *bytes = 0;
    *values = 0;
    if (!is_bulk(type) && !is_aggregate(type))
        return OK;
    if (number < -1 || number > INT64_C(1) << 40)
        return ERROR_INVALID;
    if (number == -1) /* the nulls of RESP2 */
        return OK;
    if (is_bulk(type))
        *bytes = (uint64_t)number + 2;
    else
        *values = type == '%' ? (uint64_t)number * 2 : (uint64_t)number;
    if (type == '|') /* attributes: pairs that precede the value they belong to */
        *values = (uint64_t)number * 2 + 1;
    return OK;
}

int64_t resp_scan(struct span bytes)
{
    size_t at = 0;
    uint64_t missing = 1;
    while (missing > 0) {
        char type;
        int64_t number;
        int64_t line = resp_scan_line(span_of(bytes.data + at, bytes.size - at), &type, &number);
        if (line <= 0)
            return line;
        at += (size_t)line;
        uint64_t skipped, values;
        if (after_line(type, number, &skipped, &values) != OK || values > (UINT64_C(1) << 42) - missing)
            return ERROR_INVALID;
        if (skipped > bytes.size - at)
            return 0;
        at += (size_t)skipped;
        missing += values - 1;
    }
    return (int64_t)at;
}
