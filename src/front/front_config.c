/* CONFIG GET and SET: the front's own parameters under Redis' names, what clients ask for and this server has a fixed
 * answer to (save, appendonly), and the parameters that the host passed in (front_options.parameters).
 *
 * SET changes nothing when one of the names is unknown or a value of the front's own is wrong. The host's parameters
 * can only be tried: those go first, one after the other, and the first refusal ends the command. */
#include <stdio.h>

#include "base/time.h"
#include "front/front_internal.h"
#include "front/front_text.h"

enum parameter {
    PARAMETER_MAXCLIENTS,
    PARAMETER_TIMEOUT,
    PARAMETER_VALUE_MAX,
    PARAMETER_QUERY_MAX,
    PARAMETER_OUTPUT_MAX,
    PARAMETER_PIPELINE_MAX,
    PARAMETER_SAVE,
    PARAMETER_MAXMEMORY, /* from here on: only shown */
    PARAMETER_PORT,
    PARAMETER_CONSTANT,
};

static const struct own_parameter {
    const char *name;
    enum parameter kind;
    const char *constant;
} own_parameters[] = {
    {"maxclients", PARAMETER_MAXCLIENTS, NULL},
    {"timeout", PARAMETER_TIMEOUT, NULL},
    {"proto-max-bulk-len", PARAMETER_VALUE_MAX, NULL},
    {"client-query-buffer-limit", PARAMETER_QUERY_MAX, NULL},
    {"client-output-buffer-max", PARAMETER_OUTPUT_MAX, NULL},
    {"client-pipeline-max", PARAMETER_PIPELINE_MAX, NULL},
    {"save", PARAMETER_SAVE, NULL},
    {"maxmemory", PARAMETER_MAXMEMORY, NULL},
    {"port", PARAMETER_PORT, NULL},
    {"appendonly", PARAMETER_CONSTANT, "yes"},
    {"appendfsync", PARAMETER_CONSTANT, "always"},
    {"maxmemory-policy", PARAMETER_CONSTANT, "noeviction"},
    {"databases", PARAMETER_CONSTANT, "1"},
    {"cluster-enabled", PARAMETER_CONSTANT, "no"},
    {"requirepass", PARAMETER_CONSTANT, ""},
    {"notify-keyspace-events", PARAMETER_CONSTANT, ""},
    {"slowlog-max-len", PARAMETER_CONSTANT, "0"},
};
enum { OWN_COUNT = sizeof own_parameters / sizeof own_parameters[0], VALUE_SIZE_MAX = 512 };

static const struct own_parameter *own_parameter(struct span name)
{
    for (size_t i = 0; i < OWN_COUNT; i++)
        if (front_same(name, own_parameters[i].name))
            return &own_parameters[i];
    return NULL;
}

/* The front can change it while it runs. */
static bool is_changeable(const struct own_parameter *parameter)
{
    return parameter->kind < PARAMETER_MAXMEMORY;
}

/* The host's parameter of that name; NULL when it has none. What the front can change is the front's. */
static const struct front_parameter *host_parameter(const struct front *front, struct span name)
{
    const struct own_parameter *own = own_parameter(name);
    if (own != NULL && is_changeable(own))
        return NULL;
    for (uint32_t i = 0; i < front->options.parameter_count; i++)
        if (front_same(name, front->options.parameters[i].name))
            return &front->options.parameters[i];
    return NULL;
}

/* ---- GET ---- */

static void print_own(const struct front *front, const struct own_parameter *parameter, struct buffer *out)
{
    const struct front_options *options = &front->options;
    uint64_t number = 0;
    switch (parameter->kind) {
    case PARAMETER_SAVE:
        front_print(out, "%s", front->save);
        return;
    case PARAMETER_CONSTANT:
        front_print(out, "%s", parameter->constant);
        return;
    case PARAMETER_MAXCLIENTS:
        number = options->clients_max;
        break;
    case PARAMETER_TIMEOUT:
        number = (uint64_t)(front->client_timeout_ns / NS_PER_S);
        break;
    case PARAMETER_VALUE_MAX:
        number = front->limits.value_bytes_max;
        break;
    case PARAMETER_QUERY_MAX:
        number = front->limits.query_bytes_max;
        break;
    case PARAMETER_OUTPUT_MAX:
        number = options->output_bytes_max;
        break;
    case PARAMETER_PIPELINE_MAX:
        number = options->pipeline_max;
        break;
    case PARAMETER_MAXMEMORY: {
        struct node_group_status status;
        if (node_group_status(front->node, 0, &status))
            number = status.spec->tuning.service_bytes_max;
        break;
    }
    case PARAMETER_PORT:
        number = options->tcp_port;
        break;
    }
    front_print(out, "%llu", (unsigned long long)number);
}

static bool asked_for(const struct front_call *call, const char *name)
{
    for (uint32_t i = 2; i < call->words.count; i++)
        if (front_glob(call_argument(call, i), span_string(name)))
            return true;
    return false;
}

static void reply_pair(struct buffer *reply, const char *name, struct span value)
{
    (void)reply_bulk(reply, span_string(name));
    (void)reply_bulk(reply, value);
}

/* The host's parameter of that place is shown: no own one takes its name. */
static bool host_asked_for(const struct front_call *call, uint32_t place)
{
    const struct front_parameter *parameter = &call->front->options.parameters[place];
    return asked_for(call, parameter->name) && host_parameter(call->front, span_string(parameter->name)) == parameter;
}

void front_config_get(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    uint64_t count = 0;
    for (uint32_t i = 0; i < front->options.parameter_count; i++)
        count += host_asked_for(call, i);
    for (size_t i = 0; i < OWN_COUNT; i++)
        count += asked_for(call, own_parameters[i].name) &&
                 host_parameter(front, span_string(own_parameters[i].name)) == NULL;
    (void)reply_map(reply, count);
    for (uint32_t i = 0; i < front->options.parameter_count; i++) {
        const struct front_parameter *parameter = &front->options.parameters[i];
        if (!host_asked_for(call, i))
            continue;
        char value[VALUE_SIZE_MAX];
        size_t size = parameter->get(parameter->context, parameter->name, value, sizeof value);
        reply_pair(reply, parameter->name, span_of(value, size < sizeof value ? size : sizeof value));
    }
    for (size_t i = 0; i < OWN_COUNT; i++) {
        if (!asked_for(call, own_parameters[i].name) ||
            host_parameter(front, span_string(own_parameters[i].name)) != NULL)
            continue;
        buffer_clear(&front->text);
        print_own(front, &own_parameters[i], &front->text);
        reply_pair(reply, own_parameters[i].name, buffer_span(&front->text));
    }
}

/* ---- SET ---- */

/* A size as Redis reads it: digits and perhaps a unit (k, kb, m, mb, g, gb). */
static bool parse_bytes(struct span text, uint64_t *out)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    struct span unit = span_of(text.data + digits, text.size - digits);
    static const struct {
        const char *name;
        uint64_t factor;
    } units[] = {
        {"", 1},           {"b", 1},          {"k", 1000},          {"kb", 1024},
        {"m", 1000000},    {"mb", 1024 * 1024}, {"g", 1000000000}, {"gb", 1024 * 1024 * 1024},
    };
    uint64_t number;
    if (!front_number(span_of(text.data, digits), &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (front_same(unit, units[i].name) && number <= UINT64_MAX / units[i].factor) {
            *out = number * units[i].factor;
            return true;
        }
    }
    return false;
}

enum { WHY_SIZE_MAX = 128 };
static const char immutable[] = "can't set immutable config";

static bool in_range(bool parsed, uint64_t value, uint64_t low, uint64_t high, char *why)
{
    if (!parsed)
        snprintf(why, WHY_SIZE_MAX, "argument couldn't be parsed into an integer");
    else if (value < low || value > high)
        snprintf(why, WHY_SIZE_MAX, "argument must be between %llu and %llu inclusive", (unsigned long long)low,
                 (unsigned long long)high);
    else
        return true;
    return false;
}

/* Checks a value for an own parameter, and takes it if `commit`. False: `why` (WHY_SIZE_MAX bytes) says why not. */
static bool set_own(struct front *front, const struct own_parameter *parameter, struct span value, bool commit,
                    char *why)
{
    uint64_t number = 0;
    bool parsed = parse_bytes(value, &number);
    bool ok = false;
    switch (parameter->kind) {
    case PARAMETER_MAXCLIENTS:
        ok = in_range(parsed, number, 1, FRONT_PLACES_MAX / 2, why);
        if (ok && commit)
            front->options.clients_max = (uint32_t)number;
        return ok;
    case PARAMETER_TIMEOUT:
        ok = in_range(parsed, number, 0, INT32_MAX, why);
        if (ok && commit)
            front->client_timeout_ns = (int64_t)number * NS_PER_S;
        return ok;
    case PARAMETER_VALUE_MAX:
        ok = in_range(parsed, number, 1024 * 1024, UINT32_MAX / 2, why);
        if (ok && commit)
            front->limits.value_bytes_max = number;
        return ok;
    case PARAMETER_QUERY_MAX:
        ok = in_range(parsed, number, 1024 * 1024, UINT32_MAX / 4 * UINT64_C(3), why);
        if (ok && commit)
            front->limits.query_bytes_max = number;
        return ok;
    case PARAMETER_OUTPUT_MAX:
        ok = in_range(parsed, number, 1024, INT64_MAX, why);
        if (ok && commit)
            front->options.output_bytes_max = number;
        return ok;
    case PARAMETER_PIPELINE_MAX:
        ok = in_range(parsed, number, 1, 1 << 20, why);
        if (ok && commit)
            front->options.pipeline_max = (uint32_t)number;
        return ok;
    case PARAMETER_SAVE:
        if (value.size >= sizeof front->save) {
            snprintf(why, WHY_SIZE_MAX, "argument too long");
            return false;
        }
        if (commit) {
            if (value.size > 0)
                memcpy(front->save, value.data, value.size);
            front->save[value.size] = '\0';
        }
        return true;
    case PARAMETER_CONSTANT:
        snprintf(why, WHY_SIZE_MAX, "%s", immutable);
        return front_same(value, parameter->constant);
    case PARAMETER_MAXMEMORY:
    case PARAMETER_PORT:
        snprintf(why, WHY_SIZE_MAX, "%s", immutable);
        return false;
    }
    return false;
}

static void refuse(struct front *front, struct span name, const char *why, struct buffer *reply)
{
    buffer_clear(&front->text);
    front_print(&front->text, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
                (int)(name.size < 128 ? name.size : 128), (const char *)name.data, why);
    (void)resp_error_write(reply, buffer_span(&front->text));
}

/* Checks what can be checked before anything changes. */
static bool set_check(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    for (uint32_t i = 2; i < call->words.count; i += 2) {
        struct span name = call_argument(call, i);
        const struct front_parameter *host = host_parameter(front, name);
        const struct own_parameter *own = own_parameter(name);
        char why[WHY_SIZE_MAX];
        snprintf(why, sizeof why, "%s", immutable);
        if (host == NULL && own == NULL) {
            buffer_clear(&front->text);
            front_print(&front->text, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                        (int)(name.size < 128 ? name.size : 128), (const char *)name.data);
            (void)resp_error_write(reply, buffer_span(&front->text));
            return false;
        }
        if (host != NULL ? host->set == NULL : !set_own(front, own, call_argument(call, i + 1), false, why)) {
            refuse(front, name, why, reply);
            return false;
        }
    }
    return true;
}

void front_config_set(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    if (call->words.count % 2 != 0) {
        (void)reply_error(reply, "ERR syntax error");
        return;
    }
    if (!set_check(call, reply))
        return;
    for (uint32_t i = 2; i < call->words.count; i += 2) {
        const struct front_parameter *host = host_parameter(front, call_argument(call, i));
        char why[WHY_SIZE_MAX] = "";
        if (host != NULL && !host->set(host->context, host->name, call_argument(call, i + 1), why, sizeof why)) {
            refuse(front, call_argument(call, i), why, reply);
            return;
        }
    }
    char why[WHY_SIZE_MAX];
    for (uint32_t i = 2; i < call->words.count; i += 2)
        if (host_parameter(front, call_argument(call, i)) == NULL)
            (void)set_own(front, own_parameter(call_argument(call, i)), call_argument(call, i + 1), true, why);
    (void)reply_simple(reply, "OK");
}

/* ---- the rest ---- */

void front_config_resetstat(struct front_call *call, struct buffer *reply)
{
    struct front *front = call->front;
    memset(front->calls, 0, sizeof front->calls);
    front->errors = 0;
    uint32_t clients = front->counters.clients;
    front->counters = (struct front_counters){.clients = clients};
    (void)reply_simple(reply, "OK");
}

void front_config_rewrite(struct front_call *call, struct buffer *reply)
{
    (void)call;
    (void)reply_error(reply, "ERR the configuration file is never written by the server");
}

void front_config_help(struct front_call *call, struct buffer *reply)
{
    static const char *const lines[] = {
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]",
        "    Parameters whose names match, with their values.",
        "SET <parameter> <value> [<parameter> <value> ...]",
        "    Changes parameters of this node.",
        "RESETSTAT",
        "    Sets the counters of commands back to zero.",
        "HELP",
        "    Prints this help.",
    };
    (void)call;
    (void)reply_array(reply, sizeof lines / sizeof lines[0]);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        (void)reply_simple(reply, lines[i]);
}
