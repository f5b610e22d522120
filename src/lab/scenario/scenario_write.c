/* Writing a run down as a script: its options and every item of its plan, exactly (docs/scenarios.md shows one). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "lab/search/mutants.h"
#include "lab/scenario/scenario.h"
#include "lab/scenario/scenario_time.h"

/* ---- values ---- */

/* A Lua string: every byte that is not plain text as \ddd. */
static void write_text(FILE *out, struct span text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < ' ' || byte > '~')
            fprintf(out, "\\%03u", byte);
        else
            fputc(byte, out);
    }
    fputc('"', out);
}

static void write_time(FILE *out, const char *name, int64_t time_ns)
{
    char text[SCENARIO_TIME_SIZE];
    scenario_time_print(time_ns < 0 ? 0 : time_ns, text);
    fprintf(out, ", %s = \"%s\"", name, text);
}

/* As Lua reads it back into 64 bits: decimal where it is one of Lua's integers, else hexadecimal, which wraps. */
static void write_u64(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, value <= INT64_MAX ? ", %s = %" PRIu64 : ", %s = 0x%" PRIx64, name, value);
}

/* A comment holds no line's end. */
static void write_comment(FILE *out, const char *property, const char *sentence)
{
    if (property == NULL && sentence == NULL)
        return;
    fputs("--", out);
    if (property != NULL)
        fprintf(out, " %s%s", property, sentence != NULL ? ":" : "");
    if (sentence != NULL)
        fputc(' ', out);
    for (const char *at = sentence; at != NULL && *at != '\0'; at++)
        fputc(*at == '\n' || *at == '\r' ? ' ' : *at, out);
    fputc('\n', out);
}

/* ---- the group ---- */

static void write_breaks(FILE *out, const struct world_options *options)
{
    bool any = false;
    struct mutant mutant;
    for (uint32_t place = 0; mutant_at(options->protocol, place, &mutant); place++) {
        struct world_options alone = {0};
        mutant_apply(&mutant, &alone);
        if (((options->ablations & alone.ablations) | (options->gateway_ablations & alone.gateway_ablations)) == 0)
            continue;
        fprintf(out, "%s\"%s\"", any ? ", " : ",\n    breaks = { ", mutant.rule);
        any = true;
    }
    if (any)
        fputs(" }", out);
}

static void write_elections(FILE *out, const struct world_options *options)
{
    char text[SCENARIO_TIME_SIZE];
    if (options->election_timeouts_ns == NULL)
        return;
    fputs(",\n    elections = { ", out);
    for (uint32_t i = 0; i < options->node_count; i++) {
        scenario_time_print(options->election_timeouts_ns[i], text);
        fprintf(out, "%s\"%s\"", i > 0 ? ", " : "", text);
    }
    fputs(" }", out);
}

static void write_group(FILE *out, const struct world_options *options)
{
    fprintf(out, "group {\n    protocol = \"%s\", service = \"%s\", nodes = %u, clients = %u", options->protocol->name,
            options->service->name, options->node_count, options->client_count);
    if (options->gateways > 0)
        write_u64(out, "gateways", options->gateways);
    if (options->vote > 0)
        write_u64(out, "vote", options->vote);
    write_u64(out, "seed", options->seed);
    write_breaks(out, options);
    fputs(",\n    drawn = ", out);
    fputs(options->calm ? "false" : "true", out);
    write_time(out, "time", options->time_ns);
    if (options->heal_at_ns == PLAN_FOREVER)
        fputs(", heal = \"never\"", out);
    else if (options->heal_at_ns != 0)
        write_time(out, "heal", options->heal_at_ns);
    if (options->calm && options->latency_ns != 0)
        write_time(out, "latency", options->latency_ns);
    if (options->calm && options->append_bytes_max != 0)
        write_u64(out, "append_bytes", options->append_bytes_max);
    if (options->calm && options->checkpoint_log_bytes != 0)
        write_u64(out, "checkpoint_bytes", options->checkpoint_log_bytes);
    if (options->calm)
        write_elections(out, options);
    fputs(",\n}\n", out);
}

/* ---- the plan ---- */

static void write_set(FILE *out, uint64_t set)
{
    bool any = false;
    fputs(", set = { ", out);
    for (uint32_t place = 0; place < 64; place++) {
        if ((set >> place & 1) == 0)
            continue;
        fprintf(out, "%s%u", any ? ", " : "", place + 1);
        any = true;
    }
    fputs(any ? " }" : "}", out);
}

/* Fields that are zero are left out, as a script may. */
static void write_field(FILE *out, const struct plan_item *item, struct span field)
{
    if (span_equal(field, span_string("node")))
        fprintf(out, ", node = %u", item->node);
    else if (span_equal(field, span_string("other")))
        fprintf(out, ", other = %u", item->other);
    else if (span_equal(field, span_string("client")))
        fprintf(out, ", client = %u", item->client);
    else if (span_equal(field, span_string("set")))
        write_set(out, item->set);
    else if (span_equal(field, span_string("duration")))
        write_time(out, "duration", item->duration_ns);
    else if (span_equal(field, span_string("number")))
        write_u64(out, "number", item->number);
    else if (span_equal(field, span_string("draw")) && item->draw != 0)
        fprintf(out, ", draw = 0x%" PRIx64, item->draw);
    else if (span_equal(field, span_string("amount")) && item->amount != 0)
        fprintf(out, ", amount = %" PRId64, item->amount);
    else if (span_equal(field, span_string("text"))) {
        fputs(", text = ", out);
        write_text(out, item->text);
    }
}

static void write_item(FILE *out, const struct plan_item *item)
{
    fprintf(out, "    { \"%s\"", plan_kind_name(item->kind));
    if (!plan_kind_is_fate(item->kind))
        write_time(out, "at", item->at_ns);
    for (const char *at = plan_kind_fields(item->kind); *at != '\0';) {
        size_t size = strcspn(at, " ");
        write_field(out, item, span_of(at, size));
        at += size + (at[size] == ' ');
    }
    fputs(" },\n", out);
}

int scenario_write(FILE *out, const struct world_options *options, const struct plan *plan, const char *property,
                   const char *sentence)
{
    write_comment(out, property, sentence);
    write_group(out, options);
    fputs("plan {\n", out);
    for (uint32_t i = 0; i < plan->count; i++)
        write_item(out, &plan->items[i]);
    fputs("}\n", out);
    if (property != NULL)
        fprintf(out, "violates \"%s\"\n", property);
    return fflush(out) == 0 && ferror(out) == 0 ? OK : ERROR_IO;
}
