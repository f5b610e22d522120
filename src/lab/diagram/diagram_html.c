/* The page that explores a trace: the texts of web/viewer/ with the trace as columns of numbers, in base64, and one
 * list of strings. Nothing is loaded from anywhere, and the page forbids itself to try. */
#include <string.h>

#include "lab/diagram/diagram.h"
#include "lab/diagram/diagram_page.h"
#include "lab/trace/trace_store.h"

enum { MARKS_FROM = 16 }; /* kinds of items: events from 0, marks from here (web/viewer/trace.js) */

/* Base64 (RFC 4648, section 4) of a stream of bytes. */
struct encoder {
    FILE *out;
    uint8_t pending[3];
    uint32_t count;
};

static void encode_group(struct encoder *encoder)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = (uint32_t)encoder->pending[0] << 16 | (uint32_t)encoder->pending[1] << 8 | encoder->pending[2];
    char text[4] = {digits[word >> 18], digits[word >> 12 & 63], digits[word >> 6 & 63], digits[word & 63]};
    if (encoder->count < 3)
        text[3] = '=';
    if (encoder->count < 2)
        text[2] = '=';
    fwrite(text, 1, 4, encoder->out);
    encoder->count = 0;
    memset(encoder->pending, 0, 3);
}

static void encode(struct encoder *encoder, uint64_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        encoder->pending[encoder->count++] = (uint8_t)(value >> 8 * i);
        if (encoder->count == 3)
            encode_group(encoder);
    }
}

/* One column: `of` says the value of an entry, `size` its bytes. */
static void write_column(const struct trace *trace, FILE *out, const char *name, uint32_t count, uint32_t size,
                         uint64_t (*of)(const struct trace *trace, uint32_t at))
{
    struct encoder encoder = {.out = out};
    fprintf(out, ",\n\"%s\":\"", name);
    for (uint32_t i = 0; i < count; i++)
        encode(&encoder, of(trace, i), size);
    if (encoder.count > 0)
        encode_group(&encoder);
    putc('"', out);
}

/* ---- items ---- */

static uint64_t item_at(const struct trace *trace, uint32_t i)
{
    double at_ns = (double)trace->items[i].at_ns;
    uint64_t bits;
    memcpy(&bits, &at_ns, sizeof bits);
    return bits;
}

static uint64_t item_kind(const struct trace *trace, uint32_t i)
{
    const struct trace_item *item = &trace->items[i];
    return item->kind == TRACE_STEP ? (uint64_t)item->event : MARKS_FROM + (uint64_t)item->mark;
}

static uint64_t item_line(const struct trace *trace, uint32_t i) { return trace->items[i].line; }
static uint64_t item_node(const struct trace *trace, uint32_t i) { return trace->items[i].node; }
static uint64_t item_name(const struct trace *trace, uint32_t i) { return trace->items[i].name; }
static uint64_t item_text(const struct trace *trace, uint32_t i) { return trace->items[i].text; }
static uint64_t item_state(const struct trace *trace, uint32_t i) { return trace->items[i].state; }
static uint64_t item_arrow(const struct trace *trace, uint32_t i) { return trace->items[i].arrow; }

/* One entry more than there are items: the deeds of an item end where those of the next one begin. */
static void write_deed_ends(const struct trace *trace, FILE *out)
{
    struct encoder encoder = {.out = out};
    fputs(",\n\"deed\":\"", out);
    uint32_t end = 0;
    for (uint32_t i = 0; i < trace->item_count; i++) {
        encode(&encoder, end, 4);
        end += trace->items[i].deed_count;
    }
    encode(&encoder, end, 4);
    if (encoder.count > 0)
        encode_group(&encoder);
    putc('"', out);
}

static void write_items(const struct trace *trace, FILE *out)
{
    uint32_t count = trace->item_count;
    fprintf(out, ",\n\"items\":{\"count\":%u", count);
    write_column(trace, out, "at", count, 8, item_at);
    write_column(trace, out, "kind", count, 1, item_kind);
    write_column(trace, out, "line", count, 4, item_line);
    write_column(trace, out, "node", count, 4, item_node);
    write_column(trace, out, "name", count, 4, item_name);
    write_column(trace, out, "text", count, 4, item_text);
    write_column(trace, out, "state", count, 4, item_state);
    write_column(trace, out, "arrow", count, 4, item_arrow);
    write_deed_ends(trace, out);
    putc('}', out);
}

/* ---- deeds and arrows ---- */

static uint64_t deed_kind(const struct trace *trace, uint32_t i) { return (uint64_t)trace->deeds[i].kind; }
static uint64_t deed_name(const struct trace *trace, uint32_t i) { return trace->deeds[i].name; }
static uint64_t deed_text(const struct trace *trace, uint32_t i) { return trace->deeds[i].text; }
static uint64_t deed_arrow(const struct trace *trace, uint32_t i) { return trace->deeds[i].arrow_first; }
static uint64_t deed_targets(const struct trace *trace, uint32_t i) { return trace->deeds[i].target_count; }

static uint64_t arrow_send(const struct trace *trace, uint32_t i) { return trace->arrows[i].send_item; }
static uint64_t arrow_receive(const struct trace *trace, uint32_t i) { return trace->arrows[i].receive_item; }
static uint64_t arrow_deed(const struct trace *trace, uint32_t i) { return trace->arrows[i].deed; }
static uint64_t arrow_from(const struct trace *trace, uint32_t i) { return trace->arrows[i].from_line; }
static uint64_t arrow_to(const struct trace *trace, uint32_t i) { return trace->arrows[i].to_line; }
static uint64_t arrow_fate(const struct trace *trace, uint32_t i) { return (uint64_t)trace->arrows[i].fate; }

static void write_deeds(const struct trace *trace, FILE *out)
{
    uint32_t count = trace->deed_count;
    fprintf(out, ",\n\"deeds\":{\"count\":%u", count);
    write_column(trace, out, "kind", count, 1, deed_kind);
    write_column(trace, out, "name", count, 4, deed_name);
    write_column(trace, out, "text", count, 4, deed_text);
    write_column(trace, out, "arrow", count, 4, deed_arrow);
    write_column(trace, out, "targets", count, 4, deed_targets);
    fprintf(out, "},\n\"arrows\":{\"count\":%u", trace->arrow_count);
    count = trace->arrow_count;
    write_column(trace, out, "send", count, 4, arrow_send);
    write_column(trace, out, "receive", count, 4, arrow_receive);
    write_column(trace, out, "deed", count, 4, arrow_deed);
    write_column(trace, out, "from", count, 4, arrow_from);
    write_column(trace, out, "to", count, 4, arrow_to);
    write_column(trace, out, "fate", count, 1, arrow_fate);
    putc('}', out);
}

/* ---- the page ---- */

static void write_lists(const struct trace *trace, FILE *out)
{
    fputs(",\n\"lines\":[", out);
    for (uint32_t i = 0; i < trace->line_count; i++)
        fprintf(out, "%s[%u,%u,%d]", i > 0 ? "," : "", trace->lines[i].node, trace->lines[i].group,
                trace->lines[i].gateway);
    fputs("],\n\"spans\":[", out);
    for (uint32_t i = 0; i < trace->span_count; i++) {
        const struct trace_span *span = &trace->spans[i];
        fprintf(out, "%s{\"kind\":%d,\"node\":%u,\"first\":%u,\"last\":%d}", i > 0 ? "," : "", (int)span->kind,
                span->node, span->item_first, span->item_last == TRACE_NONE ? -1 : (int)span->item_last);
    }
    fputs("],\n\"strings\":[", out);
    for (uint32_t i = 0; i < trace->strings.count; i++) {
        if (i > 0)
            fputs(",\n", out);
        trace_write_json(out, intern_span(&trace->strings, i));
    }
    putc(']', out);
}

static void write_data(const struct trace *trace, FILE *out)
{
    fputs("<script id=\"data\" type=\"application/json\">\n{\"title\":", out);
    trace_write_json(out, trace_text(trace, trace->title));
    fputs(",\"protocol\":", out);
    trace_write_json(out, trace_text(trace, trace->protocol));
    fprintf(out, ",\"cut\":%s", trace->cut ? "true" : "false");
    write_lists(trace, out);
    write_items(trace, out);
    write_deeds(trace, out);
    fputs("}\n</script>\n", out);
}

enum diagram_result diagram_write_html(const struct trace *trace, FILE *out)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
          "script-src 'unsafe-inline'\">\n<title>trace</title>\n<style>\n",
          out);
    fwrite(diagram_page_style, 1, diagram_page_style_size, out);
    fputs("</style>\n<body>\n", out);
    fwrite(diagram_page_body, 1, diagram_page_body_size, out);
    write_data(trace, out);
    fputs("<script>\n\"use strict\";\n{\n", out);
    fwrite(diagram_page_script, 1, diagram_page_script_size, out);
    fputs("}\n</script>\n</body>\n</html>\n", out);
    return fflush(out) == 0 && !ferror(out) ? DIAGRAM_OK : DIAGRAM_NOT_WRITTEN;
}
