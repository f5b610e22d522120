/* Writing traces as JSON Lines. */
#include "lab/trace/trace_store.h"

#include <errno.h>

/* Strings of a trace are clean UTF-8 (trace_string), so only the quote and the backslash need care; others are escaped
 * all the same, for texts from elsewhere. '<' is, so that a string cannot end the script of a page that it lies in. */
void trace_write_json(FILE *out, struct span text)
{
    putc('"', out);
    size_t run = 0;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte >= ' ' && byte != '"' && byte != '\\' && byte != '<' && byte != 0x7f)
            continue;
        fwrite(text.data + run, 1, i - run, out);
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else
            fprintf(out, "\\u%04x", byte);
        run = i + 1;
    }
    if (run < text.size)
        fwrite(text.data + run, 1, text.size - run, out);
    putc('"', out);
}

static void write_string(const struct trace *trace, FILE *out, const char *name, uint32_t string)
{
    if (string == TRACE_NONE)
        return;
    fprintf(out, ",\"%s\":", name);
    trace_write_json(out, trace_text(trace, string));
}

static void write_deed(const struct trace *trace, FILE *out, const struct trace_deed *deed)
{
    fprintf(out, "{\"kind\":\"%s\"", effect_kind_name(deed->kind));
    write_string(trace, out, "name", deed->name);
    write_string(trace, out, "text", deed->text);
    if (deed->kind == EFFECT_SEND) {
        fputs(",\"to\":[", out);
        for (uint32_t i = 0; i < deed->target_count; i++)
            fprintf(out, "%s%u", i > 0 ? "," : "", trace->targets[deed->target_first + i]);
        fprintf(out, "],\"key\":\"%016llx\"", (unsigned long long)deed->key);
    }
    putc('}', out);
}

static void write_step(const struct trace *trace, FILE *out, const struct trace_item *item)
{
    fprintf(out, "{\"at\":%lld,\"node\":%u,\"group\":%u,\"event\":\"%s\"", (long long)item->at_ns, item->node,
            item->group, event_kind_name(item->event));
    write_string(trace, out, "name", item->name);
    write_string(trace, out, "text", item->text);
    if (item->event == EVENT_MESSAGE || item->from != 0)
        fprintf(out, ",\"from\":%u,\"key\":\"%016llx\"", item->from, (unsigned long long)item->key);
    if (item->deed_count > 0) {
        fputs(",\"effects\":[", out);
        for (uint32_t i = 0; i < item->deed_count; i++) {
            if (i > 0)
                putc(',', out);
            write_deed(trace, out, &trace->deeds[item->deed_first + i]);
        }
        putc(']', out);
    }
    write_string(trace, out, "state", item->state);
    fputs("}\n", out);
}

bool trace_write(const struct trace *trace, FILE *out)
{
    errno = 0;
    fprintf(out, "{\"trace\":%d", TRACE_VERSION);
    write_string(trace, out, "title", trace->title);
    write_string(trace, out, "protocol", trace->protocol);
    fputs("}\n", out);
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind == TRACE_STEP) {
            write_step(trace, out, item);
            continue;
        }
        fprintf(out, "{\"at\":%lld", (long long)item->at_ns);
        if (item->node != 0)
            fprintf(out, ",\"node\":%u", item->node);
        fprintf(out, ",\"mark\":\"%s\"", trace_mark_name(item->mark));
        write_string(trace, out, "text", item->text);
        fputs("}\n", out);
    }
    if (trace->cut)
        fputs("{\"cut\":true}\n", out);
    return fflush(out) == 0 && !ferror(out);
}
