/* The log format of ShiViz. */
#include "lab/trace/trace_shiviz.h"

#include "lab/trace/trace_vectors.h"

static void write_host(const struct trace *trace, FILE *out, uint32_t line)
{
    fprintf(out, "n%u", trace->lines[line].node);
    if (trace->lines[line].group != 0)
        fprintf(out, ".%u", trace->lines[line].group);
}

static void write_clock(const struct trace *trace, FILE *out, const uint32_t *vector)
{
    const char *between = "{";
    for (uint32_t i = 0; i < trace->line_count; i++) {
        if (vector[i] == 0)
            continue;
        fprintf(out, "%s\"", between);
        write_host(trace, out, i);
        fprintf(out, "\":%u", vector[i]);
        between = ", ";
    }
    putc('}', out);
}

static void write_text(const struct trace *trace, FILE *out, uint32_t string)
{
    struct span text = trace_text(trace, string);
    if (text.size == 0)
        return;
    putc(' ', out);
    fwrite(text.data, 1, text.size, out);
}

/* One line: what happened, then what the member sent and noted. */
static void write_event(const struct trace *trace, FILE *out, const struct trace_item *item)
{
    fputs(event_kind_name(item->event), out);
    write_text(trace, out, item->name);
    write_text(trace, out, item->text);
    if (item->event == EVENT_MESSAGE)
        fprintf(out, " from n%u", item->from);
    for (uint32_t i = 0; i < item->deed_count; i++) {
        const struct trace_deed *deed = &trace->deeds[item->deed_first + i];
        if (deed->kind != EFFECT_SEND && deed->kind != EFFECT_NOTE)
            continue;
        fprintf(out, "; %s", effect_kind_name(deed->kind));
        write_text(trace, out, deed->name);
        write_text(trace, out, deed->text);
        for (uint32_t t = 0; t < deed->target_count; t++)
            fprintf(out, "%s n%u", t == 0 ? " to" : "", trace->targets[deed->target_first + t]);
    }
}

enum trace_shiviz_result trace_write_shiviz(const struct trace *trace, FILE *out)
{
    struct trace_vectors vectors;
    if (!trace_vectors_make(&vectors, trace))
        return SHIVIZ_NO_MEMORY;
    fputs("(?<host>\\S*) (?<clock>{.*})\\n(?<event>.*)\n\n", out);
    for (uint32_t i = 0; i < trace->item_count; i++) {
        const struct trace_item *item = &trace->items[i];
        if (item->kind != TRACE_STEP || item->line == TRACE_NONE)
            continue;
        write_host(trace, out, item->line);
        putc(' ', out);
        write_clock(trace, out, trace_vector(&vectors, i));
        putc('\n', out);
        write_event(trace, out, item);
        putc('\n', out);
    }
    trace_vectors_free(&vectors);
    return fflush(out) == 0 && !ferror(out) ? SHIVIZ_OK : SHIVIZ_NOT_WRITTEN;
}
