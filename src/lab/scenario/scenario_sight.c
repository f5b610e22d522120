/* Sights: whether they are what a pattern names, and how they are told. */
#include "lab/scenario/scenario_sight.h"

#include <stdio.h>

#include "base/number.h"

/* ---- tests ---- */

static bool compare(int64_t left, enum sight_comparison comparison, int64_t right)
{
    switch (comparison) {
    case IS_EQUAL:
        return left == right;
    case IS_OTHER:
        return left != right;
    case IS_LESS:
        return left < right;
    case IS_MORE:
        return left > right;
    case IS_AT_MOST:
        return left <= right;
    case IS_AT_LEAST:
        return left >= right;
    }
    return false;
}

/* Numbers of fields are far below 2^63 in practice; a larger one compares as negative, as Lua's integers do. Of a bulk
 * its size counts. */
static int64_t field_value(const struct field *field, const uint8_t *body)
{
    const uint8_t *at = body + field->offset;
    uint32_t half;
    int64_t word;
    struct span bulk;
    switch (field->kind) {
    case FIELD_U8:
        return *at;
    case FIELD_U32:
    case FIELD_NODE:
        memcpy(&half, at, sizeof half);
        return half;
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_TIME:
    case FIELD_INCARNATION:
        memcpy(&word, at, sizeof word);
        return word;
    case FIELD_BYTES:
    case FIELD_RECORDS:
        memcpy(&bulk, at, sizeof bulk);
        return (int64_t)bulk.size;
    }
    return 0;
}

static bool tests_hold(const struct sight_pattern *pattern, const struct sight *sight)
{
    for (uint32_t i = 0; i < pattern->test_count; i++) {
        const struct sight_test *test = &pattern->tests[i];
        int64_t value;
        if (test->field != NULL) {
            if (sight->body == NULL)
                return false;
            value = field_value(test->field, sight->body);
        } else {
            value = (int64_t)(strcmp(test->name, "count") == 0 ? sight->count : sight->value);
        }
        if (!compare(value, test->comparison, test->number))
            return false;
    }
    return true;
}

/* ---- notes ---- */

/* "coordinator: INIT -> WAIT" has the prefix "coordinator: " and goes from INIT to WAIT. False: it is no transition. */
static bool split_note(const char *text, struct span *prefix, struct span *from, struct span *to)
{
    const char *arrow = strstr(text, " -> ");
    if (arrow == NULL)
        return false;
    const char *colon = strstr(text, ": ");
    const char *begin = colon != NULL && colon < arrow ? colon + 2 : text;
    *prefix = span_of(text, (size_t)(begin - text));
    *from = span_of(begin, (size_t)(arrow - begin));
    *to = span_string(arrow + 4);
    return true;
}

/* Is the text the prefix and then the state? */
static bool is_joined(const char *text, struct span prefix, struct span state)
{
    size_t size = strlen(text);
    return size == prefix.size + state.size && memcmp(text, prefix.data, prefix.size) == 0 &&
           memcmp(text + prefix.size, state.data, state.size) == 0;
}

static bool note_matches(const struct sight_pattern *pattern, const char *text)
{
    struct span prefix, from, to;
    if (pattern->note == NOTE_WHOLE)
        return strcmp(text, pattern->text) == 0;
    return split_note(text, &prefix, &from, &to) &&
           is_joined(pattern->text, prefix, pattern->note == NOTE_ENTERS ? to : from);
}

/* ---- matching ---- */

static bool details_match(const struct sight_pattern *pattern, const struct sight *sight)
{
    switch (pattern->kind) {
    case SIGHT_SENDS:
    case SIGHT_RECEIVES:
        return pattern->type == sight->type && (pattern->other == 0 || pattern->other == sight->other);
    case SIGHT_STORES:
        return pattern->type == sight->type;
    case SIGHT_VIEW:
        if (pattern->nobody)
            return sight->other == 0;
        if (pattern->follows)
            return sight->other != sight->node && sight->other != 0 &&
                   (pattern->other == 0 || pattern->other == sight->other);
        return sight->other == sight->node;
    case SIGHT_NOTE:
        return note_matches(pattern, sight->text);
    case SIGHT_BREAKS:
        return strcmp(pattern->text, sight->text) == 0;
    case SIGHT_DELIVERS:
    case SIGHT_STARTS:
    case SIGHT_CRASHES:
    case SIGHT_PAUSES:
    case SIGHT_RESUMES:
        return true;
    case SIGHT_STATE:
        break;
    }
    return false;
}

bool sight_matches(const struct sight_pattern *pattern, const struct sight *sight)
{
    return pattern->kind == sight->kind && (pattern->node == 0 || pattern->node == sight->node) &&
           details_match(pattern, sight) && tests_hold(pattern, sight);
}

/* ---- states ---- */

bool sight_state_word(const char *state, const char *name, struct span *value)
{
    size_t name_size = strlen(name);
    while (*state != '\0') {
        size_t size = strcspn(state, " ");
        if (size > name_size && memcmp(state, name, name_size) == 0 && state[name_size] == '=') {
            *value = span_of(state + name_size + 1, size - name_size - 1);
            return true;
        }
        state += size;
        state += strspn(state, " ");
    }
    return false;
}

static bool word_holds(const struct sight_test *test, struct span value)
{
    int64_t number;
    bool same = span_equal(value, span_string(test->text));
    if (test->comparison == IS_EQUAL || test->comparison == IS_OTHER)
        return same == (test->comparison == IS_EQUAL);
    return number_parse_i64(value, &number) && compare(number, test->comparison, test->number);
}

bool sight_state_holds(const struct sight_pattern *pattern, const char *state, const char **missing)
{
    *missing = NULL;
    if (pattern->up_asked)
        return pattern->up == (state != NULL);
    for (uint32_t i = 0; i < pattern->test_count; i++) {
        struct span value;
        if (state == NULL)
            return false;
        if (!sight_state_word(state, pattern->tests[i].name, &value)) {
            *missing = pattern->tests[i].name;
            return false;
        }
        if (!word_holds(&pattern->tests[i], value))
            return false;
    }
    return true;
}

/* ---- telling ---- */

static void print_body(const struct message_type *type, const void *body, char *out, size_t size)
{
    out[0] = '\0';
    if (body != NULL)
        message_print(type, body, out, size);
    else
        snprintf(out, size, "%s", type->name);
}

static int print_message(const struct sight *sight, const struct message_table *table, char *out, size_t size)
{
    char body[400];
    print_body(&table->types[sight->type], sight->body, body, sizeof body);
    const char *fields = strchr(body, ' ');
    int name_size = (int)(fields != NULL ? (size_t)(fields - body) : strlen(body));
    fields = fields != NULL ? fields : "";
    if (sight->kind == SIGHT_STORES)
        return snprintf(out, size, "%u stores %.*s%s", sight->node, name_size, body, fields);
    bool sends = sight->kind == SIGHT_SENDS;
    return snprintf(out, size, "%u %s %.*s %s %u%s", sight->node, sends ? "sends" : "receives", name_size, body,
                    sends ? "to" : "from", sight->other, fields);
}

static int print_view(const struct sight *sight, char *out, size_t size)
{
    unsigned long long term = sight->value;
    if (sight->other == 0)
        return snprintf(out, size, "%u follows nobody, term %llu", sight->node, term);
    if (sight->other == sight->node)
        return snprintf(out, size, "%u leads, term %llu", sight->node, term);
    return snprintf(out, size, "%u follows %u, term %llu", sight->node, sight->other, term);
}

static int print_sight(const struct sight *sight, const struct protocol *protocol, char *out, size_t size)
{
    switch (sight->kind) {
    case SIGHT_SENDS:
    case SIGHT_RECEIVES:
        return print_message(sight, &protocol->messages, out, size);
    case SIGHT_STORES:
        return print_message(sight, &protocol->records, out, size);
    case SIGHT_DELIVERS:
        return snprintf(out, size, "%u delivers index %llu", sight->node, (unsigned long long)sight->value);
    case SIGHT_VIEW:
        return print_view(sight, out, size);
    case SIGHT_NOTE:
        return snprintf(out, size, "%u notes %s (%llu)", sight->node, sight->text, (unsigned long long)sight->value);
    case SIGHT_STARTS:
        return snprintf(out, size, "%u starts", sight->node);
    case SIGHT_CRASHES:
        return snprintf(out, size, "%u crashes", sight->node);
    case SIGHT_PAUSES:
        return snprintf(out, size, "%u pauses", sight->node);
    case SIGHT_RESUMES:
        return snprintf(out, size, "%u resumes", sight->node);
    case SIGHT_BREAKS:
        return snprintf(out, size, "%s breaks", sight->text);
    case SIGHT_STATE:
        break;
    }
    return 0;
}

size_t sight_print(const struct sight *sight, const struct protocol *protocol, char *out, size_t size)
{
    int length = print_sight(sight, protocol, out, size);
    return length < 0 ? 0 : (size_t)length < size ? (size_t)length : size - 1;
}
