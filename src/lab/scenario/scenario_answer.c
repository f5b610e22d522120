/* Answers as people and scripts read them: RESP told in a line, and as a Lua value. Bytes that make no sense are told
 * as far as they do. */
#include <string.h>

#include <lauxlib.h>

#include "base/number.h"
#include "contract/text.h"
#include "lab/scenario/scenario_stage.h"

/* Bytes that are no plain text are told by their number. */
static void add_printable(struct text *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] >= ' ' && bytes.data[i] <= '~')
            continue;
        text_add(out, "<");
        text_add_u64(out, bytes.size);
        text_add(out, " bytes>");
        return;
    }
    text_add_bytes(out, (const char *)bytes.data, bytes.size);
}

/* One RESP value at `*at`, told as people read it. */
static void print_value(struct span bytes, size_t *at, struct text *out)
{
    const uint8_t *begin = bytes.data + *at;
    const uint8_t *end = *at < bytes.size ? memchr(begin, '\n', bytes.size - *at) : NULL;
    int64_t count = 0;
    if (end == NULL || end - begin < 2) {
        *at = bytes.size;
        return;
    }
    struct span line = span_of(begin + 1, (size_t)(end - begin) - 2);
    *at += (size_t)(end - begin) + 1;
    bool counted = strchr("$*%~>=", *begin) != NULL && number_parse_i64(line, &count);
    if (*begin == '_' || (counted && count < 0)) {
        text_add(out, "nil");
    } else if (counted && (*begin == '$' || *begin == '=')) {
        size_t size = (uint64_t)count <= bytes.size - *at ? (size_t)count : bytes.size - *at;
        add_printable(out, span_of(bytes.data + *at, size));
        *at += size + 2;
    } else {
        text_add_bytes(out, (const char *)line.data, line.size);
    }
}

static bool is_list(struct span bytes, size_t at, int64_t *count)
{
    const uint8_t *end = at < bytes.size ? memchr(bytes.data + at, '\n', bytes.size - at) : NULL;
    if (end == NULL || strchr("*~>", bytes.data[at]) == NULL)
        return false;
    size_t size = (size_t)(end - bytes.data) - at;
    return size >= 2 && number_parse_i64(span_of(bytes.data + at + 1, size - 2), count) && *count >= 0;
}

/* Lists are told in brackets, nested as deep as `left` has room. */
void stage_print_answer(struct span bytes, char *out, size_t size)
{
    enum { DEPTH_MAX = 16 };
    int64_t left[DEPTH_MAX];
    int depth = 0;
    size_t at = 0;
    struct text text = text_begin(out, size);
    while (at < bytes.size) {
        int64_t count;
        if (depth < DEPTH_MAX && is_list(bytes, at, &count)) {
            at += (size_t)((const uint8_t *)memchr(bytes.data + at, '\n', bytes.size - at) - (bytes.data + at)) + 1;
            text_add(&text, "[");
            left[depth++] = count;
        } else {
            print_value(bytes, &at, &text);
            if (depth > 0)
                left[depth - 1]--;
        }
        while (depth > 0 && left[depth - 1] == 0) {
            text_add(&text, "]");
            if (--depth > 0)
                left[depth - 1]--;
        }
        if (at < bytes.size && (text.length == 0 || text.out[text.length - 1] != '['))
            text_add(&text, depth > 0 ? ", " : " ");
    }
}

void stage_push_answer(lua_State *state, struct span bytes, size_t *at)
{
    const uint8_t *begin = bytes.data + *at;
    const uint8_t *end = *at < bytes.size ? memchr(begin, '\n', bytes.size - *at) : NULL;
    int64_t count = 0;
    luaL_checkstack(state, 4, "an answer is nested too deep");
    if (end == NULL || end - begin < 2) {
        *at = bytes.size;
        lua_pushboolean(state, false);
        return;
    }
    struct span line = span_of(begin + 1, (size_t)(end - begin) - 2);
    bool is_number = number_parse_i64(line, &count);
    *at += (size_t)(end - begin) + 1;
    if (strchr("*~>", *begin) != NULL && is_number && count >= 0) {
        lua_newtable(state);
        for (int64_t i = 1; i <= count && *at < bytes.size; i++) {
            stage_push_answer(state, bytes, at);
            lua_rawseti(state, -2, i);
        }
    } else if (strchr("$=", *begin) != NULL && is_number && count >= 0 && (uint64_t)count <= bytes.size - *at) {
        lua_pushlstring(state, (const char *)bytes.data + *at, (size_t)count);
        *at += (size_t)count + 2;
    } else if (*begin == ':' && is_number) {
        lua_pushinteger(state, count);
    } else if (*begin == '_' || (is_number && count < 0)) {
        lua_pushboolean(state, false);
    } else {
        lua_pushlstring(state, (const char *)line.data, line.size);
    }
}
