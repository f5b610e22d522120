/* A node that lies (adversary.h). */
#include "host/real/adversary.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "contract/client.h"
#include "contract/header.h"
#include "host/real/clock.h"

enum { RULES_MAX = 64, NODES_MAX = 16, WORDS_MAX = 16, LINE_SIZE_MAX = 512 };

enum deed { DEED_WITHHOLD, DEED_CHANGE, DEED_FORGE, DEED_LIE, DEED_HASTEN };

static const struct {
    const char *name;
    bool message; /* it is done to messages, which its object names */
} deeds[] = {
    [DEED_WITHHOLD] = {"withhold", true}, [DEED_CHANGE] = {"change", true}, [DEED_FORGE] = {"forge", true},
    [DEED_LIE] = {"lie", false},          [DEED_HASTEN] = {"hasten", false},
};

struct rule {
    enum deed deed;
    enum header_kind kind;             /* of the message; HEADER_NODE: of every kind */
    uint16_t type;
    const struct message_type *layout; /* DEED_CHANGE */
    uint32_t field;
    uint32_t as; /* DEED_FORGE */
    int64_t after_ns;
    uint64_t one_in, seen[NODES_MAX + 1]; /* by receiver's number, larger ones together */
    uint32_t to[NODES_MAX], to_count;     /* 0: everybody else */
};

struct adversary {
    const struct protocol *protocol;
    int64_t began_ns;
    struct rule rules[RULES_MAX];
    uint32_t count;
};

/* ---- lies ---- */

static bool strikes(const struct adversary *adversary, struct rule *rule, uint32_t receiver)
{
    if (clock_monotone_ns() - adversary->began_ns < rule->after_ns)
        return false;
    uint64_t *seen = &rule->seen[receiver < NODES_MAX ? receiver : NODES_MAX];
    return (*seen)++ % rule->one_in == 0;
}

/* The last letter or digit becomes its neighbour: the value stays one of its kind and size. Texts of errors and what
 * says nothing but OK stay, for nobody would be deceived by another. */
static void change_answer(uint8_t *bytes, size_t size)
{
    if (size < 4 || bytes[0] == '+' || bytes[0] == '-' || bytes[0] == '!')
        return;
    for (size_t at = size; at-- > 1;) {
        bool digit = isdigit(bytes[at]) != 0;
        if (!digit && isalpha(bytes[at]) == 0)
            continue;
        bytes[at] = (uint8_t)(bytes[at] == '9' ? '8' : bytes[at] == 'z' || bytes[at] == 'Z' ? bytes[at] - 1
                                                                                          : bytes[at] + 1);
        return;
    }
}

static void change_answers(uint8_t *body, size_t size)
{
    struct client_answers answers;
    struct client_answer answer;
    if (!message_decode(&client_messages.types[CLIENT_ANSWERS], span_of(body, size), &answers))
        return;
    struct span rest = answers.answers;
    while (client_answer_next(&rest, &answer))
        if (!answer.lost)
            change_answer(body + (answer.bytes.data - body), answer.bytes.size);
}

static size_t number_size(enum field_kind kind)
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
        return 0;
    }
    return 0;
}

static void change(const struct rule *rule, uint8_t *body, size_t size)
{
    size_t at = 0;
    for (uint32_t i = 0; i < rule->field; i++)
        at += number_size(rule->layout->fields[i].kind);
    bool number = number_size(rule->layout->fields[rule->field].kind) > 0;
    if (!number && rule->kind == HEADER_CLIENT && rule->type == CLIENT_ANSWERS)
        change_answers(body, size);
    else if (number && at < size)
        body[at] = (uint8_t)(body[at] + 1);
    else if (!number && size > at + sizeof(uint32_t))
        body[size - 1] ^= 1;
}

static bool concerns(const struct rule *rule, const struct node_sending *sending)
{
    if (!deeds[rule->deed].message)
        return false;
    if (rule->kind != HEADER_NODE && (rule->kind != sending->kind || rule->type != sending->type))
        return false;
    for (uint32_t i = 0; i < rule->to_count; i++)
        if (rule->to[i] == sending->to)
            return true;
    return rule->to_count == 0 && !sending->to_self;
}

static bool on_sends_to(void *context, const struct node_sending *sending)
{
    struct adversary *adversary = context;
    bool goes = true;
    for (uint32_t i = 0; i < adversary->count && sending->group == 0; i++) {
        struct rule *rule = &adversary->rules[i];
        if (!concerns(rule, sending) || !strikes(adversary, rule, sending->to))
            continue;
        if (rule->deed == DEED_WITHHOLD)
            goes = false;
        else if (rule->deed == DEED_FORGE)
            *sending->sender = rule->as;
        else
            change(rule, sending->body, sending->size);
    }
    return goes;
}

static void on_answered(void *context, uint32_t group, const struct delivery *delivery, uint8_t *bytes, size_t size)
{
    struct adversary *adversary = context;
    (void)delivery;
    for (uint32_t i = 0; i < adversary->count && group == 0; i++)
        if (adversary->rules[i].deed == DEED_LIE && strikes(adversary, &adversary->rules[i], 0))
            change_answer(bytes, size);
}

static bool on_hastens(void *context, uint32_t group)
{
    struct adversary *adversary = context;
    bool result = false;
    for (uint32_t i = 0; i < adversary->count && group == 0; i++)
        if (adversary->rules[i].deed == DEED_HASTEN && strikes(adversary, &adversary->rules[i], 0))
            result = true;
    return result;
}

struct node_tamper adversary_tamper(struct adversary *adversary)
{
    struct node_tamper tamper = {.context = adversary};
    for (uint32_t i = 0; i < adversary->count; i++) {
        if (deeds[adversary->rules[i].deed].message)
            tamper.sends_to = on_sends_to;
        else if (adversary->rules[i].deed == DEED_LIE)
            tamper.answered = on_answered;
        else
            tamper.hastens = on_hastens;
    }
    return tamper;
}

/* ---- the script ---- */

struct line {
    char *words[WORDS_MAX];
    uint32_t count, at;
    char *why;
    size_t why_size;
};

static bool mistake(const struct line *line, const char *what, const char *found)
{
    snprintf(line->why, line->why_size, "%s '%s'", what, found);
    return false;
}

static const char *next_word(struct line *line)
{
    return line->at < line->count ? line->words[line->at++] : "";
}

static bool take(struct line *line, const char *word)
{
    if (line->at == line->count || strcmp(line->words[line->at], word) != 0)
        return false;
    line->at++;
    return true;
}

static bool number_read(const char *text, uint64_t max, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return isdigit((unsigned char)text[0]) != 0 && *end == '\0' && *out > 0 && *out <= max;
}

static bool read_conditions(struct line *line, struct rule *rule)
{
    uint64_t number;
    if (take(line, "after")) {
        const char *text = next_word(line);
        char *end;
        unsigned long long amount = strtoull(text, &end, 10);
        bool seconds = strcmp(end, "s") == 0;
        if (end == text || (!seconds && strcmp(end, "ms") != 0) || amount > 3600000)
            return mistake(line, "expected a time such as 500ms or 3s, not", text);
        rule->after_ns = (int64_t)amount * (seconds ? NS_PER_S : NS_PER_MS);
    }
    if (take(line, "one")) {
        if (!take(line, "in") || !number_read(next_word(line), 1000000, &number))
            return mistake(line, "expected `one in N`, a number from 1 to", "1000000");
        rule->one_in = number;
    }
    return true;
}

static bool find_type(const struct message_table *table, const char *name, size_t size, uint16_t *out)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const char *known = table->types[i].name;
        if (known == NULL || strlen(known) != size || memcmp(known, name, size) != 0)
            continue;
        *out = (uint16_t)i;
        return true;
    }
    return false;
}

static bool read_field(struct line *line, struct rule *rule, const char *name)
{
    for (rule->field = 0; rule->field < rule->layout->field_count; rule->field++)
        if (strcmp(rule->layout->fields[rule->field].name, name) == 0)
            return true;
    return mistake(line, "the message has no field", name);
}

/* MESSAGE or MESSAGE.FIELD or `*`. */
static bool read_message(struct line *line, const struct protocol *protocol, struct rule *rule)
{
    const char *text = next_word(line), *dot = strchr(text, '.');
    size_t size = dot != NULL ? (size_t)(dot - text) : strlen(text);
    if (strcmp(text, "*") == 0 && rule->deed != DEED_CHANGE)
        return true;
    const struct message_table *table = &protocol->messages;
    rule->kind = HEADER_MESSAGE;
    if (!find_type(table, text, size, &rule->type)) {
        table = &client_messages;
        rule->kind = HEADER_CLIENT;
        if (!find_type(table, text, size, &rule->type))
            return mistake(line, "there is no message", text);
    }
    rule->layout = &table->types[rule->type];
    if (rule->deed != DEED_CHANGE)
        return dot == NULL || mistake(line, "only `change` takes a field, in", text);
    return dot != NULL ? read_field(line, rule, dot + 1) : mistake(line, "expected MESSAGE.FIELD, not", text);
}

static bool read_receivers(struct line *line, struct rule *rule)
{
    if (!take(line, "to"))
        return true;
    while (line->at < line->count) {
        for (char *part = strtok(line->words[line->at++], ","); part != NULL; part = strtok(NULL, ",")) {
            uint64_t number;
            if (!number_read(part, 999999999, &number) || rule->to_count == NODES_MAX)
                return mistake(line, "expected at most 16 numbers of nodes, not", part);
            rule->to[rule->to_count++] = (uint32_t)number;
        }
    }
    return rule->to_count > 0 || mistake(line, "expected numbers of nodes behind", "to");
}

static bool read_rule(struct line *line, const struct protocol *protocol, struct rule *rule)
{
    *rule = (struct rule){.kind = HEADER_NODE, .one_in = 1};
    if (!read_conditions(line, rule))
        return false;
    const char *name = next_word(line);
    size_t deed = 0, known = sizeof deeds / sizeof deeds[0];
    while (deed < known && strcmp(deeds[deed].name, name) != 0)
        deed++;
    if (deed == known)
        return mistake(line, "expected withhold, change, forge, lie or hasten, not", name);
    rule->deed = (enum deed)deed;
    if (deeds[deed].message && !read_message(line, protocol, rule))
        return false;
    uint64_t as;
    if (rule->deed == DEED_FORGE) {
        if (!take(line, "as") || !number_read(next_word(line), 999999999, &as))
            return mistake(line, "expected `as` and the number of a node behind", name);
        rule->as = (uint32_t)as;
    }
    if (deeds[deed].message && !read_receivers(line, rule))
        return false;
    return line->at == line->count || mistake(line, "there is more than expected:", line->words[line->at]);
}

static bool read_line(struct adversary *adversary, char *text, char *why, size_t why_size)
{
    struct line line = {.why = why, .why_size = why_size};
    text[strcspn(text, "#\n")] = '\0';
    for (char *word = strtok(text, " \t\r"); word != NULL; word = strtok(NULL, " \t\r")) {
        if (line.count == WORDS_MAX)
            return mistake(&line, "there are too many words before", word);
        line.words[line.count++] = word;
    }
    if (line.count == 0)
        return true;
    if (adversary->count == RULES_MAX)
        return mistake(&line, "there are more sentences than", "64");
    return read_rule(&line, adversary->protocol, &adversary->rules[adversary->count++]);
}

int adversary_read(struct adversary **out, const char *path, const struct protocol *protocol, char *why,
                   size_t why_size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(why, why_size, "cannot read the adversary's script %s: %s", path, strerror(errno));
        return ERROR_NOT_FOUND;
    }
    struct adversary *adversary = calloc(1, sizeof *adversary);
    char text[LINE_SIZE_MAX], sentence[LINE_SIZE_MAX + 128] = "";
    unsigned number = 0;
    bool good = adversary != NULL;
    if (good) {
        adversary->protocol = protocol;
        adversary->began_ns = clock_monotone_ns();
    }
    while (good && fgets(text, sizeof text, file) != NULL) {
        number++;
        good = read_line(adversary, text, sentence, sizeof sentence);
    }
    fclose(file);
    if (good) {
        *out = adversary;
        return OK;
    }
    snprintf(why, why_size, "%s:%u: %s", path, number, sentence);
    free(adversary);
    return ERROR_INVALID;
}

void adversary_free(struct adversary *adversary)
{
    free(adversary);
}
