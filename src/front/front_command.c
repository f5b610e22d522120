/* COMMAND and its subcommands: the command table as Redis 7.0 prints it. */
#include "front/front_internal.h"
#include "front/front_text.h"

typedef const char *bit_text(unsigned place);

static void reply_bits(struct buffer *reply, unsigned bits, bit_text *text, const char *prefix)
{
    uint64_t count = 0;
    for (unsigned place = 0; text(place) != NULL; place++)
        count += bits >> place & 1;
    (void)reply_set(reply, count);
    for (unsigned place = 0; text(place) != NULL; place++) {
        if ((bits >> place & 1) == 0)
            continue;
        char line[64];
        size_t prefix_size = strlen(prefix), size = strlen(text(place));
        if (prefix_size + size >= sizeof line)
            size = sizeof line - prefix_size - 1;
        memcpy(line, prefix, prefix_size);
        memcpy(line + prefix_size, text(place), size);
        line[prefix_size + size] = '\0';
        (void)reply_simple(reply, line);
    }
}

static void reply_text(struct buffer *reply, const char *text)
{
    (void)reply_bulk(reply, span_string(text));
}

/* Tips are bulks, where flags are simple strings. */
static void reply_tips(struct buffer *reply, unsigned bits)
{
    uint64_t count = 0;
    for (unsigned place = 0; command_tip_text(place) != NULL; place++)
        count += bits >> place & 1;
    (void)reply_set(reply, count);
    for (unsigned place = 0; command_tip_text(place) != NULL; place++)
        if ((bits >> place & 1) != 0)
            reply_text(reply, command_tip_text(place));
}

/* Where the keys are: one range that begins at an index. */
static void reply_key_specs(struct buffer *reply, const struct command_spec *spec)
{
    if (spec->first_key == 0) {
        (void)reply_set(reply, 0);
        return;
    }
    (void)reply_set(reply, 1);
    (void)reply_map(reply, 3);
    reply_text(reply, "flags");
    reply_bits(reply, spec->key_flags, command_key_text, "");
    reply_text(reply, "begin_search");
    (void)reply_map(reply, 2);
    reply_text(reply, "type");
    reply_text(reply, "index");
    reply_text(reply, "spec");
    (void)reply_map(reply, 1);
    reply_text(reply, "index");
    (void)reply_integer(reply, spec->first_key);
    reply_text(reply, "find_keys");
    (void)reply_map(reply, 2);
    reply_text(reply, "type");
    reply_text(reply, "range");
    reply_text(reply, "spec");
    (void)reply_map(reply, 3);
    reply_text(reply, "lastkey");
    (void)reply_integer(reply, spec->last_key < 0 ? spec->last_key : spec->last_key - spec->first_key);
    reply_text(reply, "keystep");
    (void)reply_integer(reply, spec->key_step);
    reply_text(reply, "limit");
    (void)reply_integer(reply, 0);
}

static uint64_t subcommand_count(const struct command_spec *parent)
{
    uint64_t count = 0;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        count += spec->parent == parent->op;
    return count;
}

/* All but the last of the ten elements, the subcommands. */
static void reply_own_info(struct buffer *reply, const struct command_spec *spec)
{
    (void)reply_array(reply, 10);
    reply_text(reply, spec->name);
    (void)reply_integer(reply, spec->arity);
    reply_bits(reply, spec->flags, command_flag_text, "");
    (void)reply_integer(reply, spec->first_key);
    (void)reply_integer(reply, spec->last_key);
    (void)reply_integer(reply, spec->key_step);
    reply_bits(reply, spec->acl, command_acl_text, "@");
    reply_tips(reply, spec->tips);
    reply_key_specs(reply, spec);
}

static void reply_info(struct buffer *reply, const struct command_spec *spec)
{
    reply_own_info(reply, spec);
    uint64_t subcommands = subcommand_count(spec);
    if (subcommands == 0)
        (void)reply_set(reply, 0); /* an array only when there are some, as in Redis */
    else
        (void)reply_array(reply, subcommands);
    for (const struct command_spec *sub = NULL; (sub = command_following(sub)) != NULL;) {
        if (sub->parent != spec->op)
            continue;
        reply_own_info(reply, sub);
        (void)reply_set(reply, 0);
    }
}

static uint64_t command_count(void)
{
    uint64_t count = 0;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        count += spec->parent == 0;
    return count;
}

static void reply_all_info(struct buffer *reply)
{
    (void)reply_array(reply, command_count());
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        if (spec->parent == 0)
            reply_info(reply, spec);
}

void front_command(struct front_call *call, struct buffer *reply)
{
    (void)call;
    reply_all_info(reply);
}

void front_command_count(struct front_call *call, struct buffer *reply)
{
    (void)call;
    (void)reply_integer(reply, (int64_t)command_count());
}

/* The spec of "name" or "name|subcommand"; NULL when there is none. */
static const struct command_spec *find(struct span name)
{
    const uint8_t *bar = name.size == 0 ? NULL : memchr(name.data, '|', name.size);
    if (bar == NULL)
        return command_find(name);
    size_t size = (size_t)(bar - name.data);
    const struct command_spec *parent = command_find(span_of(name.data, size));
    return parent == NULL ? NULL : command_find_sub(parent, span_of(bar + 1, name.size - size - 1));
}

void front_command_info(struct front_call *call, struct buffer *reply)
{
    if (call->words.count == 2) {
        reply_all_info(reply);
        return;
    }
    (void)reply_array(reply, call->words.count - 2);
    for (uint32_t i = 2; i < call->words.count; i++) {
        const struct command_spec *spec = find(call_argument(call, i));
        if (spec == NULL)
            (void)reply_null(reply);
        else
            reply_info(reply, spec);
    }
}

/* ---- DOCS ---- */

static void reply_own_docs(struct buffer *reply, const struct command_spec *spec, bool with_subcommands)
{
    (void)reply_map(reply, with_subcommands ? 5 : 4);
    reply_text(reply, "summary");
    reply_text(reply, spec->summary);
    reply_text(reply, "since");
    reply_text(reply, spec->since);
    reply_text(reply, "group");
    reply_text(reply, command_group_text((enum command_group)spec->group));
    reply_text(reply, "complexity");
    reply_text(reply, spec->complexity);
}

static void reply_docs(struct buffer *reply, const struct command_spec *spec)
{
    uint64_t subcommands = subcommand_count(spec);
    reply_text(reply, spec->name);
    reply_own_docs(reply, spec, subcommands > 0);
    if (subcommands == 0)
        return;
    reply_text(reply, "subcommands");
    (void)reply_map(reply, subcommands);
    for (const struct command_spec *sub = NULL; (sub = command_following(sub)) != NULL;) {
        if (sub->parent != spec->op)
            continue;
        reply_text(reply, sub->name);
        reply_own_docs(reply, sub, false);
    }
}

void front_command_docs(struct front_call *call, struct buffer *reply)
{
    if (call->words.count == 2) {
        (void)reply_map(reply, command_count());
        for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
            if (spec->parent == 0)
                reply_docs(reply, spec);
        return;
    }
    uint64_t known = 0;
    for (uint32_t i = 2; i < call->words.count; i++)
        known += find(call_argument(call, i)) != NULL;
    (void)reply_map(reply, known);
    for (uint32_t i = 2; i < call->words.count; i++) {
        const struct command_spec *spec = find(call_argument(call, i));
        if (spec != NULL)
            reply_docs(reply, spec);
    }
}

/* ---- LIST ---- */

enum filter_kind { FILTER_NONE, FILTER_PATTERN, FILTER_CATEGORY, FILTER_MODULE };

static bool passes(const struct command_spec *spec, enum filter_kind kind, struct span text)
{
    switch (kind) {
    case FILTER_NONE:
        return spec->parent == 0;
    case FILTER_PATTERN:
        return front_glob(text, span_string(spec->name));
    case FILTER_CATEGORY:
        for (unsigned place = 0; command_acl_text(place) != NULL; place++)
            if (front_same(text, command_acl_text(place)))
                return (spec->acl >> place & 1) != 0;
        return false;
    case FILTER_MODULE:
        return false; /* there are no modules */
    }
    return false;
}

/* COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern] */
void front_command_list(struct front_call *call, struct buffer *reply)
{
    enum filter_kind kind = FILTER_NONE;
    struct span text = {0};
    if (call->words.count == 5 && front_same(call_argument(call, 2), "FILTERBY")) {
        struct span word = call_argument(call, 3);
        text = call_argument(call, 4);
        kind = front_same(word, "PATTERN")  ? FILTER_PATTERN
               : front_same(word, "ACLCAT") ? FILTER_CATEGORY
               : front_same(word, "MODULE") ? FILTER_MODULE
                                            : FILTER_NONE;
    }
    if (call->words.count != 2 && kind == FILTER_NONE) {
        (void)reply_error(reply, "ERR syntax error");
        return;
    }
    uint64_t count = 0;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        count += passes(spec, kind, text);
    (void)reply_array(reply, count);
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;)
        if (passes(spec, kind, text))
            reply_text(reply, spec->name);
}

/* ---- GETKEYS ---- */

void front_command_getkeys(struct front_call *call, struct buffer *reply)
{
    struct resp_command inner = call->words;
    inner.pieces += 2;
    inner.count -= 2;
    const struct command_spec *spec = command_find(resp_argument(&inner, 0));
    if (spec == NULL) {
        (void)reply_error(reply, "ERR Invalid command specified");
        return;
    }
    if (spec->first_key == 0) {
        (void)reply_error(reply, "ERR The command has no key arguments");
        return;
    }
    int64_t last = spec->last_key < 0 ? (int64_t)inner.count + spec->last_key : spec->last_key;
    if (!command_arity_suits(spec, inner.count) || last >= (int64_t)inner.count) {
        (void)reply_error(reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    int64_t count = last < spec->first_key ? 0 : (last - spec->first_key) / spec->key_step + 1;
    (void)reply_array(reply, (uint64_t)count);
    for (int64_t i = 0; i < count; i++)
        (void)reply_bulk(reply, resp_argument(&inner, (uint32_t)(spec->first_key + i * spec->key_step)));
}
