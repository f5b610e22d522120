/* What the parts of an SVG diagram share: which rows it has and where everything stands. */
#ifndef LOCKSTEP_LAB_DIAGRAM_INTERNAL_H
#define LOCKSTEP_LAB_DIAGRAM_INTERNAL_H

#include "lab/diagram/diagram.h"
#include "lab/trace/trace_vectors.h"

enum {
    DIAGRAM_NAMES_MAX = 64, /* kinds of messages, and of states, that get a colour of their own in the legend */
    DIAGRAM_COLOURS = 8,
};

/* One or more items of a line that stand at one height. */
struct diagram_row {
    uint32_t item, item_last; /* items between them that are not this line's belong to other rows */
    uint32_t line;            /* TRACE_NONE: a mark that concerns no member */
    double y;
};

struct diagram_box {
    double left, top, right, bottom;
};

struct diagram {
    const struct trace *trace;
    const struct diagram_options *options;
    struct trace_vectors vectors; /* only when they are wanted */
    struct diagram_row *rows;
    uint32_t row_count;
    uint32_t *row_of;   /* of each item, or TRACE_NONE */
    uint32_t *column_of; /* of each line, or TRACE_NONE */
    uint32_t *columns;   /* lines */
    uint32_t column_count;
    bool clients;           /* there is a column for them, on the left */
    uint32_t rows_before, rows_after; /* visible ones that the picture has no room for */
    uint32_t lines_left_out;
    struct diagram_box *boxes; /* places of texts, so that others keep off */
    uint32_t box_count, box_capacity;
    uint32_t message_names[DIAGRAM_NAMES_MAX], state_names[DIAGRAM_NAMES_MAX];
    uint32_t message_name_count, state_name_count;
    double left, spacing, width, top, bottom; /* of the columns' area */
    FILE *out;
};

/* diagram_select.c: rows, columns, and what is hidden. False: no memory. */
bool diagram_select(struct diagram *diagram);
bool diagram_hides(const struct diagram *diagram, uint32_t name);
/* What a mark of a client says, behind "client N "; `*asks`: it goes from the client to the node. */
struct span diagram_client(const struct diagram *diagram, const struct trace_item *item, bool *asks, bool *hears);

/* diagram_layout.c */
void diagram_layout(struct diagram *diagram);
double diagram_x(const struct diagram *diagram, uint32_t line);
double diagram_client_x(const struct diagram *diagram);
/* Where a text of that size fits best among these places; takes the place. Returns which. */
uint32_t diagram_place(struct diagram *diagram, const struct diagram_box *places, uint32_t count);
/* Fields worth their room: long numbers and zeros are left out, and what is over the length. Returns the length. */
size_t diagram_shorten(struct span fields, char *out, size_t most);
/* Small number of a kind of message or state: the order of its first appearance. */
uint32_t diagram_message_number(struct diagram *diagram, uint32_t name);
uint32_t diagram_state_number(struct diagram *diagram, struct span name);
/* The state that a note leads to: what stands behind "->"; empty: none. */
struct span diagram_state_of(struct span note);
/* Bytes are not characters. */
size_t diagram_characters(struct span text);

/* diagram_marks.c and diagram_arrows.c: draw. */
void diagram_draw_spans(struct diagram *diagram);
void diagram_draw_lines(struct diagram *diagram);
void diagram_draw_arrows(struct diagram *diagram);
void diagram_draw_rows(struct diagram *diagram);
/* Text as XML. */
void diagram_text(FILE *out, struct span text);

#endif
