/* A trace in memory: what happened in a run, step by step, and which message caused what.
 *
 * It is filled in the order of time through the functions below, either from events and effects as a host tells them
 * (trace_add_event and its sisters; trace_tracer makes a door for the world) or item by item, as a reader of stored
 * traces does. trace_finish then finds out what belongs together: the lines (one a member), the arrows (which sending
 * led to which reception) and the spans (down, paused, cut). Checkers and pictures read the result and nothing else.
 *
 * An arrow is found by what was sent, not by how: a reception belongs to a sending of the same bytes by that member to
 * this one, the n-th to the n-th; one more reception than sendings is a message that came twice. So one code serves the
 * simulator, the explorer and the recordings of real nodes.
 *
 * Strings are interned; each kind of text has its words separated by blanks, fields as name=value. All memory comes
 * from the heap and is given back by trace_free. Where the heap or TRACE_ITEMS_MAX is exhausted, later items are left
 * out and `cut` says so. */
#ifndef LOCKSTEP_LAB_TRACE_H
#define LOCKSTEP_LAB_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "contract/effect.h"
#include "contract/event.h"
#include "contract/spec.h"
#include "host/world/world.h"
#include "lab/history/intern.h"

#define TRACE_NONE UINT32_MAX

enum {
    TRACE_ITEMS_MAX = 4000000, /* steps and marks */
    TRACE_LINES_MAX = 65535,
    TRACE_TEXT_MAX = 1024, /* bytes of one string; longer ones are cut */
};

enum trace_kind { TRACE_STEP, TRACE_MARK };

/* A step of a member, or a mark. */
struct trace_item {
    int64_t at_ns;
    uint32_t node, group; /* node 0: nowhere */
    uint32_t line;        /* place in `lines`, or TRACE_NONE; after trace_finish */
    enum trace_kind kind;
    enum event_kind event; /* TRACE_STEP */
    enum world_mark mark;  /* TRACE_MARK */
    uint32_t name;         /* string: "VOTE", "first", "lease"; TRACE_NONE: none */
    uint32_t text;         /* string: fields; of a mark its sentence */
    uint32_t state;        /* string: the member's state after the step; TRACE_NONE: not told */
    uint32_t from;         /* EVENT_MESSAGE: node of the sender */
    uint64_t key;          /* EVENT_MESSAGE: what was received */
    uint32_t arrow;        /* EVENT_MESSAGE: place in `arrows`, TRACE_NONE: nobody sent it; after trace_finish */
    uint32_t deed_first, deed_count;
};

/* One effect of a step. */
struct trace_deed {
    enum effect_kind kind;
    uint32_t name, text; /* strings: of a message or record its name and fields, of a note what it says */
    uint64_t key;        /* EFFECT_SEND: what was sent */
    uint32_t target_first, target_count; /* EFFECT_SEND: in `targets`, nodes */
    uint32_t arrow_first;                /* EFFECT_SEND: one arrow a target; after trace_finish */
};

enum trace_fate {
    TRACE_RECEIVED,
    TRACE_RECEIVED_AGAIN, /* one more reception of what another arrow stands for */
    TRACE_LOST,
    TRACE_UNDER_WAY, /* sent so late that it could not have arrived */
};

struct trace_arrow {
    uint32_t send_item, deed;
    uint32_t receive_item; /* TRACE_NONE: it was not received */
    uint32_t from_line, to_line;
    enum trace_fate fate;
};

struct trace_line {
    uint32_t node, group;
    bool gateway; /* it asks the members and is none */
};

enum trace_span_kind { TRACE_DOWN, TRACE_PAUSED, TRACE_CUT, TRACE_FAULT };

/* A time in which something was not as it should be. */
struct trace_span {
    enum trace_span_kind kind;
    uint32_t node;                  /* 0: nowhere, as for links that are cut */
    uint32_t item_first, item_last; /* marks; item_last TRACE_NONE: to the end */
    uint32_t text;
};

struct trace {
    struct heap *heap;
    struct intern strings;
    uint32_t title, protocol; /* strings, or TRACE_NONE */
    bool cut;                 /* the end is missing */
    bool finished;
    uint32_t last_step; /* item, TRACE_NONE: none yet */
    struct trace_item *items;
    struct trace_deed *deeds;
    uint32_t *targets;
    struct trace_arrow *arrows; /* in the order of sending; those received again last */
    struct trace_line *lines;   /* by group, then node */
    struct trace_span *spans;   /* in the order of their beginning */
    uint32_t item_count, deed_count, target_count, arrow_count, line_count, span_count;
    uint32_t item_capacity, deed_capacity, target_capacity, arrow_capacity, line_capacity, span_capacity;
};

/* Empty; the heap is borrowed. */
void trace_init(struct trace *trace, struct heap *heap);
void trace_free(struct trace *trace);

/* ---- filling, as a host tells it ---- */

/* What a member is told, wants, and is afterwards. Spans are borrowed for the call; `node` is an id. The spec's
 * protocol says how messages and states are printed. Effects belong to the event before them on the same member. */
void trace_add_event(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                     const struct event *event);
/* What a member's node sends to clients by itself (a whole message, contract/header.h); of others it knows already. */
void trace_add_sent(struct trace *trace, uint32_t node, uint32_t to, struct span message);
void trace_add_effect(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                      const struct effect *effect);
void trace_add_stepped(struct trace *trace, int64_t at_ns, uint32_t node, const struct group_spec *spec,
                       const void *member);
/* Anything else; node 0 is nowhere. */
void trace_add_mark(struct trace *trace, int64_t at_ns, uint32_t node, enum world_mark mark, const char *text);
/* The door for the world; places become ids. */
struct world_tracer trace_tracer(struct trace *trace);
/* A door that tells both, which must outlive it; either may be empty. */
struct world_tracer trace_tracer_both(struct world_tracer tracers[2]);
/* What the pictures are called; texts are copied. */
void trace_set_title(struct trace *trace, const char *title, const char *protocol);

/* ---- filling, item by item ---- */

/* The id of a text, made clean: control characters and what is no UTF-8 become '?'. */
uint32_t trace_string(struct trace *trace, struct span text);
/* Adds a copy of an item, its deeds still to come; NULL: there is no room. */
struct trace_item *trace_add_item(struct trace *trace, const struct trace_item *item);
/* Adds a deed of the last step, with its targets. False: there is no room. */
bool trace_add_deed(struct trace *trace, const struct trace_deed *deed, const uint32_t *targets, uint32_t target_count);

/* ---- reading ---- */

/* Finds lines, arrows and spans; to be called once, after the last item and before anything below. False: the heap is
 * full. */
bool trace_finish(struct trace *trace);

static inline struct span trace_text(const struct trace *trace, uint32_t string)
{
    return string == TRACE_NONE ? (struct span){0} : intern_span(&trace->strings, string);
}

/* The state of the item's member before the step: TRACE_NONE when none was told since it last started. */
uint32_t trace_state_before(const struct trace *trace, uint32_t item);
/* Place of a line, or TRACE_NONE. A binary search. */
uint32_t trace_find_line(const struct trace *trace, uint32_t node, uint32_t group);
/* The first WORLD_MARK_VIOLATION, or TRACE_NONE. */
uint32_t trace_first_violation(const struct trace *trace);
/* "up", "down", "paused", …; what stored traces and pictures call a mark. */
const char *trace_mark_name(enum world_mark mark);
bool trace_mark_find(struct span name, enum world_mark *out);

#endif
