/* Reading traces from JSON Lines: hostile input, so everything is checked, and the first thing wrong is named with its
 * line. */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lab/trace/trace_store.h"

enum { TARGETS_MAX = 65536 };

struct loader {
    struct trace *trace;
    char *why;
    size_t why_size;
    uint64_t line;
    int error;
    uint32_t *targets; /* TARGETS_MAX */
    int64_t last_ns;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct loader *loader, int error, const char *format, ...)
{
    char sentence[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (loader->error == OK)
        snprintf(loader->why, loader->why_size, "line %llu: %s", (unsigned long long)loader->line, sentence);
    loader->error = loader->error != OK ? loader->error : error;
    return false;
}

/* ---- values ---- */

static bool get_number(struct loader *loader, const json_t *object, const char *name, bool needed, int64_t most,
                       int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL && !needed)
        return true;
    if (!json_is_integer(value))
        return fail(loader, ERROR_INVALID, "\"%s\" should be a whole number", name);
    *out = json_integer_value(value);
    if (*out < 0 || *out > most)
        return fail(loader, ERROR_INVALID, "\"%s\" is not between 0 and %lld", name, (long long)most);
    return true;
}

static bool get_string(struct loader *loader, const json_t *object, const char *name, uint32_t *out)
{
    const json_t *value = json_object_get(object, name);
    *out = TRACE_NONE;
    if (value == NULL)
        return true;
    if (!json_is_string(value))
        return fail(loader, ERROR_INVALID, "\"%s\" should be a string", name);
    *out = trace_string(loader->trace, span_of(json_string_value(value), json_string_length(value)));
    return true;
}

static bool get_key(struct loader *loader, const json_t *object, uint64_t *out)
{
    const char *text = json_string_value(json_object_get(object, "key"));
    char *end = NULL;
    if (text != NULL && strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16)
        *out = strtoull(text, &end, 16);
    return end != NULL || fail(loader, ERROR_INVALID, "\"key\" should be a string of 16 hexadecimal digits");
}

static int find_event(const char *name)
{
    for (int kind = EVENT_RESTORE; kind <= EVENT_TURN; kind++)
        if (strcmp(name, event_kind_name((enum event_kind)kind)) == 0)
            return kind;
    return -1;
}

static int find_effect(const char *name)
{
    for (int kind = EFFECT_STORE; kind <= EFFECT_AGAIN; kind++)
        if (strcmp(name, effect_kind_name((enum effect_kind)kind)) == 0)
            return kind;
    return -1;
}

/* ---- items ---- */

static bool load_targets(struct loader *loader, const json_t *list, uint32_t *count)
{
    if (!json_is_array(list) || json_array_size(list) > TARGETS_MAX)
        return fail(loader, ERROR_INVALID, "\"to\" should be a list of at most %d nodes", TARGETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *node = json_array_get(list, i);
        if (!json_is_integer(node) || json_integer_value(node) <= 0 || json_integer_value(node) > UINT32_MAX)
            return fail(loader, ERROR_INVALID, "\"to\" should hold nodes' numbers");
        loader->targets[i] = (uint32_t)json_integer_value(node);
    }
    *count = (uint32_t)json_array_size(list);
    return true;
}

static bool load_deed(struct loader *loader, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "kind"));
    int kind = name == NULL ? -1 : find_effect(name);
    if (kind < 0)
        return fail(loader, ERROR_INVALID, "an effect's \"kind\" should be STORE, SEND, …, not %.40s",
                    name != NULL ? name : "missing");
    struct trace_deed deed = {.kind = (enum effect_kind)kind};
    uint32_t target_count = 0;
    if (!get_string(loader, object, "name", &deed.name) || !get_string(loader, object, "text", &deed.text))
        return false;
    if (kind == EFFECT_SEND && (!load_targets(loader, json_object_get(object, "to"), &target_count) ||
                                !get_key(loader, object, &deed.key)))
        return false;
    trace_add_deed(loader->trace, &deed, loader->targets, target_count);
    return true;
}

static bool load_step(struct loader *loader, const json_t *object, struct trace_item *item)
{
    const char *event = json_string_value(json_object_get(object, "event"));
    int kind = event == NULL ? -1 : find_event(event);
    int64_t group = 0, from = 0;
    if (kind < 0)
        return fail(loader, ERROR_INVALID, "\"event\" should be START, MESSAGE, …, not %.40s",
                    event != NULL ? event : "something else");
    item->event = (enum event_kind)kind;
    if (item->node == 0)
        return fail(loader, ERROR_INVALID, "an event needs a \"node\"");
    if (!get_number(loader, object, "group", false, UINT32_MAX, &group) ||
        !get_string(loader, object, "name", &item->name) || !get_string(loader, object, "state", &item->state))
        return false;
    item->group = (uint32_t)group;
    bool of_client = kind == EVENT_REQUEST && json_object_get(object, "from") != NULL;
    if (kind == EVENT_MESSAGE || of_client) {
        if (!get_number(loader, object, "from", true, UINT32_MAX, &from) || !get_key(loader, object, &item->key))
            return false;
        item->from = (uint32_t)from;
    }
    trace_add_item(loader->trace, item);
    const json_t *effects = json_object_get(object, "effects");
    if (effects != NULL && !json_is_array(effects))
        return fail(loader, ERROR_INVALID, "\"effects\" should be a list");
    for (size_t i = 0; i < json_array_size(effects); i++)
        if (!load_deed(loader, json_array_get(effects, i)))
            return false;
    return true;
}

static bool load_item(struct loader *loader, const json_t *object)
{
    struct trace_item item = {.kind = TRACE_STEP, .name = TRACE_NONE, .state = TRACE_NONE};
    int64_t node = 0;
    if (!get_number(loader, object, "at", true, INT64_MAX, &item.at_ns) ||
        !get_number(loader, object, "node", false, UINT32_MAX, &node) ||
        !get_string(loader, object, "text", &item.text))
        return false;
    if (item.at_ns < loader->last_ns)
        return fail(loader, ERROR_INVALID, "time goes back: \"at\" is %lld after %lld", (long long)item.at_ns,
                    (long long)loader->last_ns);
    loader->last_ns = item.at_ns;
    item.node = (uint32_t)node;
    const json_t *mark = json_object_get(object, "mark");
    if (mark == NULL)
        return load_step(loader, object, &item);
    item.kind = TRACE_MARK;
    const char *name = json_string_value(mark);
    if (name == NULL || !trace_mark_find(span_string(name), &item.mark))
        return fail(loader, ERROR_INVALID, "\"mark\" should be up, down, …, not %.40s", name != NULL ? name : "that");
    trace_add_item(loader->trace, &item);
    return true;
}

static bool load_head(struct loader *loader, const json_t *object)
{
    const json_t *version = json_object_get(object, "trace");
    if (!json_is_integer(version))
        return fail(loader, ERROR_INVALID, "this is no stored trace: it should begin with {\"trace\":%d}",
                    TRACE_VERSION);
    if (json_integer_value(version) != TRACE_VERSION)
        return fail(loader, ERROR_VERSION, "the trace is of version %lld, and this build reads version %d",
                    (long long)json_integer_value(version), TRACE_VERSION);
    return get_string(loader, object, "title", &loader->trace->title) &&
           get_string(loader, object, "protocol", &loader->trace->protocol);
}

static bool load_line(struct loader *loader, const char *line, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb(line, size, 0, &error);
    bool good;
    if (!json_is_object(object))
        good = fail(loader, ERROR_INVALID, "this is no JSON object: %.100s", error.text);
    else if (loader->line == 1)
        good = load_head(loader, object);
    else if (json_is_true(json_object_get(object, "cut")))
        good = loader->trace->cut = true;
    else
        good = load_item(loader, object);
    json_decref(object);
    return good;
}

int trace_read(struct trace *trace, FILE *in, char *why, size_t why_size)
{
    struct loader loader = {.trace = trace, .why = why, .why_size = why_size, .last_ns = 0};
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    loader.targets = heap_alloc(trace->heap, TARGETS_MAX * sizeof *loader.targets);
    if (loader.targets == NULL)
        return ERROR_NO_MEMORY;
    for (ssize_t size; good && (size = getline(&line, &capacity, in)) >= 0;) {
        loader.line++;
        if (size > 0 && strspn(line, " \t\r\n") < (size_t)size)
            good = load_line(&loader, line, (size_t)size);
    }
    free(line);
    heap_free(trace->heap, loader.targets);
    if (good && ferror(in))
        fail(&loader, ERROR_IO, "it cannot be read further");
    else if (good && loader.line == 0) {
        loader.line = 1;
        fail(&loader, ERROR_INVALID, "the file is empty");
    }
    return loader.error;
}
