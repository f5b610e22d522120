/* Sentences of scenarios: a reader with one word of look-ahead, whose errors say what could have stood there. */
#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"
#include "lab/scenario/scenario_sight.h"

struct reader {
    struct span rest;
    const struct protocol *protocol;
    uint32_t node_count;
    struct sight_pattern *out;
    char *why;
    size_t why_size;
};

static bool fail(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->why, reader->why_size, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- words ---- */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n';
}

static void skip_blanks(struct reader *reader)
{
    while (reader->rest.size > 0 && is_blank(reader->rest.data[0]))
        reader->rest = span_of(reader->rest.data + 1, reader->rest.size - 1);
}

/* The next word, which stays; empty at the end. */
static struct span peek(struct reader *reader)
{
    skip_blanks(reader);
    size_t size = 0;
    while (size < reader->rest.size && !is_blank(reader->rest.data[size]))
        size++;
    return span_of(reader->rest.data, size);
}

static struct span take(struct reader *reader)
{
    struct span word = peek(reader);
    reader->rest = span_of(reader->rest.data + word.size, reader->rest.size - word.size);
    return word;
}

static bool take_if(struct reader *reader, const char *word)
{
    if (!span_equal(peek(reader), span_string(word)))
        return false;
    (void)take(reader);
    return true;
}

static bool copy_word(struct reader *reader, struct span word, char out[SIGHT_WORD_SIZE])
{
    if (word.size >= SIGHT_WORD_SIZE)
        return fail(reader, "'%.*s' is too long: a word may have %d bytes", (int)SIGHT_WORD_SIZE,
                    (const char *)word.data, (int)SIGHT_WORD_SIZE - 1);
    memcpy(out, word.data, word.size);
    out[word.size] = '\0';
    return true;
}

/* ---- nodes ---- */

static bool is_letter(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

bool sight_node_parse(struct span word, uint32_t node_count, uint32_t *node)
{
    int64_t number;
    if (span_equal(word, span_string("any"))) {
        *node = 0;
        return true;
    }
    if (word.size > 1 && is_letter(word.data[0]))
        word = span_of(word.data + 1, word.size - 1);
    if (!number_parse_i64(word, &number) || number < 1 || number > (int64_t)node_count)
        return false;
    *node = (uint32_t)number;
    return true;
}

static bool take_node(struct reader *reader, uint32_t *node)
{
    struct span word = take(reader);
    if (sight_node_parse(word, reader->node_count, node))
        return true;
    return fail(reader, "'%.*s' is no node of the group: nodes are 1 to %u, also with a letter in front (S1), or any",
                (int)word.size, (const char *)word.data, reader->node_count);
}

/* ---- tests ---- */

static const struct {
    const char *sign;
    enum sight_comparison comparison;
} comparisons[] = {{"!=", IS_OTHER}, {"<=", IS_AT_MOST}, {">=", IS_AT_LEAST},
                   {"=", IS_EQUAL},  {"<", IS_LESS},     {">", IS_MORE}};

/* Finds the sign in the word, the longer ones first. */
static bool split_test(struct span word, struct span *name, struct span *value, enum sight_comparison *comparison)
{
    size_t at = 0;
    while (at < word.size && memchr("!<>=", word.data[at], 4) == NULL)
        at++;
    struct span rest = span_of(word.data + at, word.size - at);
    for (size_t i = 0; i < sizeof comparisons / sizeof comparisons[0]; i++) {
        size_t size = strlen(comparisons[i].sign);
        if (rest.size < size || memcmp(rest.data, comparisons[i].sign, size) != 0)
            continue;
        *name = span_of(word.data, at);
        *value = span_of(rest.data + size, rest.size - size);
        *comparison = comparisons[i].comparison;
        return name->size > 0 && value->size > 0;
    }
    return false;
}

static bool take_test(struct reader *reader)
{
    struct span name, value, word = take(reader);
    enum sight_comparison comparison;
    if (reader->out->test_count == SIGHT_TESTS_MAX)
        return fail(reader, "a sentence may have %d tests", (int)SIGHT_TESTS_MAX);
    if (!split_test(word, &name, &value, &comparison))
        return fail(reader, "'%.*s' is no test: write NAME=VALUE, or with != < > <= >=, without blanks", (int)word.size,
                    (const char *)word.data);
    struct sight_test *test = &reader->out->tests[reader->out->test_count++];
    *test = (struct sight_test){.comparison = comparison};
    if (!copy_word(reader, name, test->name) || !copy_word(reader, value, test->text))
        return false;
    test->is_number = number_parse_i64(value, &test->number);
    bool ordered = comparison != IS_EQUAL && comparison != IS_OTHER;
    if (!test->is_number && (ordered || reader->out->kind != SIGHT_STATE))
        return fail(reader, "'%.*s' compares with '%s', which is no integer", (int)word.size, (const char *)word.data,
                    test->text);
    return true;
}

static bool take_tests(struct reader *reader)
{
    do {
        if (!take_test(reader))
            return false;
    } while (peek(reader).size > 0);
    return true;
}

/* [with FIELDS], where the names that may stand there are in a list that ends with NULL. */
static bool take_named_tests(struct reader *reader, const char *const *names)
{
    if (!take_if(reader, "with"))
        return true;
    if (!take_tests(reader))
        return false;
    for (uint32_t i = 0; i < reader->out->test_count; i++) {
        const char *const *name = names;
        while (*name != NULL && strcmp(*name, reader->out->tests[i].name) != 0)
            name++;
        if (*name == NULL)
            return fail(reader, "there is no '%s' to test here; there is %s%s%s", reader->out->tests[i].name, names[0],
                        names[1] != NULL ? ", " : "", names[1] != NULL ? names[1] : "");
    }
    return true;
}

static const struct field *find_field(const struct message_type *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            return &type->fields[i];
    return NULL;
}

static bool no_field(struct reader *reader, const struct message_type *type, const char *name)
{
    char list[300] = "";
    for (uint32_t i = 0; i < type->field_count; i++) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i > 0 ? ", " : "", type->fields[i].name);
    }
    return fail(reader, "%s has no field '%s'; it has %s", type->name, name, list);
}

static bool take_field_tests(struct reader *reader, const struct message_type *type)
{
    if (!take_if(reader, "with"))
        return true;
    if (!take_tests(reader))
        return false;
    for (uint32_t i = 0; i < reader->out->test_count; i++) {
        struct sight_test *test = &reader->out->tests[i];
        test->field = find_field(type, test->name);
        if (test->field == NULL)
            return no_field(reader, type, test->name);
    }
    return true;
}

/* ---- verbs ---- */

static bool take_type(struct reader *reader, const struct message_table *table, const char *what)
{
    struct span word = take(reader);
    char list[400] = "";
    for (uint32_t i = 0; i < table->count; i++) {
        if (span_equal(word, span_string(table->types[i].name))) {
            reader->out->type = (uint16_t)i;
            return true;
        }
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", i > 0 ? ", " : "", table->types[i].name);
    }
    return fail(reader, "%s has no %s '%.*s'; it has %s", reader->protocol->name, what, (int)word.size,
                (const char *)word.data, list);
}

static bool parse_message(struct reader *reader, enum sight_kind kind, const char *towards)
{
    reader->out->kind = kind;
    if (!take_type(reader, &reader->protocol->messages, "message"))
        return false;
    if (take_if(reader, towards) && !take_node(reader, &reader->out->other))
        return false;
    return take_field_tests(reader, &reader->protocol->messages.types[reader->out->type]);
}

static bool parse_sends(struct reader *reader)
{
    return parse_message(reader, SIGHT_SENDS, "to");
}

static bool parse_receives(struct reader *reader)
{
    return parse_message(reader, SIGHT_RECEIVES, "from");
}

static bool parse_stores(struct reader *reader)
{
    reader->out->kind = SIGHT_STORES;
    return take_type(reader, &reader->protocol->records, "record") &&
           take_field_tests(reader, &reader->protocol->records.types[reader->out->type]);
}

static bool parse_delivers(struct reader *reader)
{
    static const char *const names[] = {"index", "count", NULL};
    reader->out->kind = SIGHT_DELIVERS;
    return take_named_tests(reader, names);
}

static const char *const view_names[] = {"term", NULL};

static bool parse_leads(struct reader *reader)
{
    reader->out->kind = SIGHT_VIEW;
    return take_named_tests(reader, view_names);
}

static bool parse_follows(struct reader *reader)
{
    reader->out->kind = SIGHT_VIEW;
    reader->out->follows = true;
    reader->out->nobody = take_if(reader, "nobody");
    if (reader->out->nobody)
        return take_named_tests(reader, view_names);
    return take_node(reader, &reader->out->other) && take_named_tests(reader, view_names);
}

/* Everything up to "with". */
static bool parse_note(struct reader *reader, enum sight_note note)
{
    static const char *const names[] = {"value", NULL};
    reader->out->kind = SIGHT_NOTE;
    reader->out->note = note;
    struct span first = peek(reader), last = {0};
    while (peek(reader).size > 0 && !span_equal(peek(reader), span_string("with")))
        last = take(reader);
    if (last.data == NULL)
        return fail(reader, "which %s? The sentence ends too early", note == NOTE_WHOLE ? "note" : "state");
    struct span text = span_of(first.data, (size_t)(last.data + last.size - first.data));
    return copy_word(reader, text, reader->out->text) && take_named_tests(reader, names);
}

static bool parse_enters(struct reader *reader)
{
    return parse_note(reader, NOTE_ENTERS);
}

static bool parse_leaves(struct reader *reader)
{
    return parse_note(reader, NOTE_LEAVES);
}

static bool parse_notes(struct reader *reader)
{
    return parse_note(reader, NOTE_WHOLE);
}

static bool parse_is(struct reader *reader)
{
    struct sight_pattern *out = reader->out;
    out->kind = SIGHT_STATE;
    out->up_asked = true;
    out->up = take_if(reader, "up");
    if (out->up || take_if(reader, "down"))
        return true;
    return fail(reader, "a node is up or down; for its state write `NODE has role=leader`");
}

static bool parse_has(struct reader *reader)
{
    reader->out->kind = SIGHT_STATE;
    return take_tests(reader);
}

static bool parse_starts(struct reader *reader)
{
    reader->out->kind = SIGHT_STARTS;
    return true;
}

static bool parse_crashes(struct reader *reader)
{
    reader->out->kind = SIGHT_CRASHES;
    return true;
}

static bool parse_pauses(struct reader *reader)
{
    reader->out->kind = SIGHT_PAUSES;
    return true;
}

static bool parse_resumes(struct reader *reader)
{
    reader->out->kind = SIGHT_RESUMES;
    return true;
}

static const struct {
    const char *verb;
    bool (*parse)(struct reader *reader);
} verbs[] = {
    {"sends", parse_sends},     {"receives", parse_receives}, {"stores", parse_stores},   {"delivers", parse_delivers},
    {"leads", parse_leads},     {"follows", parse_follows},   {"enters", parse_enters},   {"leaves", parse_leaves},
    {"notes", parse_notes},     {"starts", parse_starts},     {"crashes", parse_crashes}, {"pauses", parse_pauses},
    {"resumes", parse_resumes}, {"is", parse_is},             {"has", parse_has},
};

static bool parse_verb(struct reader *reader)
{
    struct span word = take(reader);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (span_equal(word, span_string(verbs[i].verb)))
            return verbs[i].parse(reader);
    return fail(reader, "'%.*s' is nothing that a node does here; it sends, receives, stores, delivers, leads, "
                "follows, enters, leaves, notes, starts, crashes, pauses, resumes, is or has", (int)word.size,
                (const char *)word.data);
}

static bool parse_sentence(struct reader *reader)
{
    struct span first = peek(reader);
    const uint8_t *end = reader->rest.data + reader->rest.size;
    if (first.size == 0)
        return fail(reader, "a sentence is missing");
    size_t after = (size_t)(end - (first.data + first.size));
    struct reader next = *reader;
    next.rest = span_of(first.data + first.size, after);
    if (span_equal(peek(&next), span_string("breaks"))) {
        reader->out->kind = SIGHT_BREAKS;
        bool fine = copy_word(reader, take(reader), reader->out->text);
        (void)take(reader);
        return fine;
    }
    return take_node(reader, &reader->out->node) && parse_verb(reader);
}

bool sight_pattern_parse(struct span sentence, const struct protocol *protocol, uint32_t node_count,
                         struct sight_pattern *out, char *why, size_t why_size)
{
    struct reader reader = {.rest = sentence, .protocol = protocol, .node_count = node_count, .out = out, .why = why,
                            .why_size = why_size};
    *out = (struct sight_pattern){0};
    if (!parse_sentence(&reader))
        return false;
    struct span left = peek(&reader);
    if (left.size > 0)
        return fail(&reader, "'%.*s' does not belong there: the sentence was complete before it", (int)left.size,
                    (const char *)left.data);
    return true;
}
