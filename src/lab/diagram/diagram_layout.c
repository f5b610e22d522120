/* Where everything stands in a diagram. Distances in pixels. */
#include <string.h>

#include "base/time.h"
#include "lab/diagram/diagram_internal.h"

enum { GUTTER = 92, CLIENT_ROOM = 150, ROW_HEIGHT = 27, VECTOR_HEIGHT = 12, HEAD_HEIGHT = 112, RIGHT_ROOM = 200 };
enum { INSTANT_NS = 10000 };
enum { BOXES_LOOKED_AT = 2000 }; /* texts come roughly from top to bottom, so older ones are far away */

/* A longer pause leaves more room, a little. */
static double pause_height(int64_t pause_ns)
{
    return pause_ns >= NS_PER_S ? 20 : pause_ns >= 100 * NS_PER_MS ? 14 : pause_ns >= 10 * NS_PER_MS ? 8
           : pause_ns >= NS_PER_MS ? 3 : 0;
}

/* Whether a row may stand beside those from `first` on, which share one height: it is of the same instant, of a member
 * that none of them is of, and none of them is what caused it. A multicast then is a fan rather than a bundle. */
static bool stands_beside(const struct diagram *diagram, uint32_t first, uint32_t row)
{
    const struct trace *trace = diagram->trace;
    const struct trace_item *item = &trace->items[diagram->rows[row].item];
    if (item->kind != TRACE_STEP || trace->items[diagram->rows[first].item].kind != TRACE_STEP ||
        item->at_ns - trace->items[diagram->rows[first].item].at_ns > INSTANT_NS)
        return false;
    uint32_t cause = item->arrow == TRACE_NONE ? TRACE_NONE : diagram->row_of[trace->arrows[item->arrow].send_item];
    if (cause != TRACE_NONE && cause >= first)
        return false;
    for (uint32_t i = first; i < row; i++)
        if (diagram->rows[i].line == diagram->rows[row].line)
            return false;
    return true;
}

void diagram_layout(struct diagram *diagram)
{
    const struct trace *trace = diagram->trace;
    double spacing = 980.0 / (diagram->column_count > 0 ? diagram->column_count : 1);
    diagram->spacing = spacing > 300 ? 300 : spacing < 130 ? 130 : spacing;
    diagram->left = GUTTER + (diagram->clients ? CLIENT_ROOM + 30 : 24);
    diagram->width = diagram->left + diagram->spacing * (diagram->column_count > 0 ? diagram->column_count - 1 : 0) +
                     RIGHT_ROOM;
    diagram->width = diagram->width < 640 ? 640 : diagram->width;
    diagram->top = HEAD_HEIGHT;
    double y = HEAD_HEIGHT + 22;
    uint32_t first = 0; /* of those that share this height */
    for (uint32_t i = 0; i < diagram->row_count; i++) {
        if (i > 0 && !stands_beside(diagram, first, i)) {
            int64_t at_ns = trace->items[diagram->rows[i].item].at_ns;
            y += ROW_HEIGHT + pause_height(at_ns - trace->items[diagram->rows[i - 1].item].at_ns);
            y += diagram->options->vectors ? VECTOR_HEIGHT : 0;
            first = i;
        }
        diagram->rows[i].y = y;
    }
    diagram->bottom = y + 34;
}

double diagram_x(const struct diagram *diagram, uint32_t line)
{
    return diagram->left + diagram->spacing * diagram->column_of[line];
}

double diagram_client_x(const struct diagram *diagram)
{
    return diagram->left - CLIENT_ROOM;
}

/* ---- texts keep off one another ---- */

static double shared(const struct diagram_box *a, const struct diagram_box *b)
{
    double width = (a->right < b->right ? a->right : b->right) - (a->left > b->left ? a->left : b->left);
    double height = (a->bottom < b->bottom ? a->bottom : b->bottom) - (a->top > b->top ? a->top : b->top);
    return width > 0 && height > 0 ? width * height : 0;
}

static double overlap(const struct diagram *diagram, const struct diagram_box *box)
{
    double sum = 0;
    if (box->right > diagram->width - 4)
        sum += 40 * (box->right - diagram->width + 4);
    if (box->left < GUTTER - 8)
        sum += 40 * (GUTTER - 8 - box->left);
    uint32_t oldest = diagram->box_count > BOXES_LOOKED_AT ? diagram->box_count - BOXES_LOOKED_AT : 0;
    for (uint32_t i = diagram->box_count; i-- > oldest;)
        sum += shared(box, &diagram->boxes[i]);
    return sum;
}

uint32_t diagram_place(struct diagram *diagram, const struct diagram_box *places, uint32_t count)
{
    uint32_t best = 0;
    double least = -1;
    for (uint32_t i = 0; i < count && least != 0; i++) {
        double sum = overlap(diagram, &places[i]);
        if (least < 0 || sum < least) {
            least = sum;
            best = i;
        }
    }
    if (diagram->box_count < diagram->box_capacity)
        diagram->boxes[diagram->box_count++] = places[best];
    return best;
}

/* ---- words ---- */

size_t diagram_characters(struct span text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += (text.data[i] & 0xc0) != 0x80;
    return count;
}

/* "term=3" is worth its room, "pre=0" and "nonce=111411200000438454" are not. */
static bool worth_it(struct span word)
{
    const uint8_t *value = memchr(word.data, '=', word.size);
    if (value == NULL)
        return word.size < 24;
    size_t size = word.size - (size_t)(value + 1 - word.data), digits = 0;
    while (digits < size && value[1 + digits] >= '0' && value[1 + digits] <= '9')
        digits++;
    bool zero = (size == 1 && value[1] == '0') || (size == 3 && memcmp(value + 1, "[0]", 3) == 0);
    return !zero && digits < 10 && size < 24;
}

size_t diagram_shorten(struct span fields, char *out, size_t most)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t at = 0; at < fields.size;) {
        size_t end = at;
        while (end < fields.size && fields.data[end] != ' ')
            end++;
        struct span word = span_of(fields.data + at, end - at);
        at = end + 1;
        if (word.size == 0 || !worth_it(word))
            continue;
        if (length + word.size + 1 > most) {
            if (length + 4 <= most) {
                memcpy(out + length, " \xe2\x80\xa6", 5);
                length += 4;
            }
            break;
        }
        if (length > 0)
            out[length++] = ' ';
        memcpy(out + length, word.data, word.size);
        length += word.size;
        out[length] = '\0';
    }
    return length;
}

struct span diagram_state_of(struct span note)
{
    for (size_t i = 0; i + 3 < note.size; i++)
        if (note.data[i] == '-' && note.data[i + 1] == '>' && note.data[i + 2] == ' ')
            return span_of(note.data + i + 3, note.size - i - 3);
    return (struct span){0};
}

/* ---- colours ---- */

uint32_t diagram_message_number(struct diagram *diagram, uint32_t name)
{
    for (uint32_t i = 0; i < diagram->message_name_count; i++)
        if (diagram->message_names[i] == name)
            return i;
    if (diagram->message_name_count == DIAGRAM_NAMES_MAX)
        return DIAGRAM_NAMES_MAX - 1;
    diagram->message_names[diagram->message_name_count] = name;
    return diagram->message_name_count++;
}

uint32_t diagram_state_number(struct diagram *diagram, struct span name)
{
    for (uint32_t i = 0; i < diagram->state_name_count; i++)
        if (span_equal(diagram_state_of(trace_text(diagram->trace, diagram->state_names[i])), name))
            return i;
    return DIAGRAM_NAMES_MAX;
}
