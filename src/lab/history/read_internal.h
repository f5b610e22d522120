/* What the readers of histories share; private to read_*.c. */
#ifndef LOCKSTEP_LAB_READ_INTERNAL_H
#define LOCKSTEP_LAB_READ_INTERNAL_H

#include "base/buffer.h"
#include "lab/history/read_history.h"

enum { READ_DEPTH_MAX = 64 };

/* A value that was parsed. Kept ones are interned and have an id; others are looked at and forgotten. */
struct read_datum {
    enum value_kind kind;
    int64_t integer;  /* VALUE_INTEGER */
    struct span text; /* VALUE_TEXT; until the next one is parsed */
    uint32_t id;      /* kept ones */
};

struct reading;

/* What a syntax knows. All skip space first; the functions that return bool are false after read_fail(). */
struct read_syntax {
    /* Skips what separates values. */
    void (*space)(struct reading *reading);
    /* Inside of a map: the next member's name; or, with `end` set, the map is over. */
    bool (*name)(struct reading *reading, bool first, struct span *name, bool *end);
    bool (*value)(struct reading *reading, bool keep, unsigned depth, struct read_datum *out);
};

struct reading {
    struct record *record;
    const struct read_syntax *syntax;
    const uint8_t *at, *end;
    const uint8_t *counted; /* up to here lines have been counted */
    uint64_t line;
    struct read_problem *problem;
    struct buffer text;     /* of the string at hand, when it holds escapes */
    struct buffer elements; /* ids of the lists at hand, the innermost's last */
    uint32_t *open;         /* operation that each process has open, or RECORD_NEVER */
    uint32_t open_count;
};

/* Reads one event, whose opening brace has been skipped, and records it. */
bool read_event(struct reading *reading);

/* Says what is wrong here; returns false. Only the first complaint counts. */
__attribute__((format(printf, 2, 3))) bool read_fail(struct reading *reading, const char *format, ...);
/* The line at hand. */
uint64_t read_line_number(struct reading *reading);

/* Notes an element of the list at hand. */
bool read_element(struct reading *reading, uint32_t id);
/* Makes a list or map of the elements since `first` bytes, and drops them. */
bool read_list_end(struct reading *reading, bool keep, enum value_kind kind, size_t first, struct read_datum *out);
/* Makes a value of a number's characters. */
bool read_number(struct reading *reading, bool keep, struct span digits, struct read_datum *out);
/* Makes a value of a text. */
bool read_text(struct reading *reading, bool keep, struct span text, struct read_datum *out);
/* Makes null, false or true. */
bool read_word(struct reading *reading, bool keep, enum value_kind kind, struct read_datum *out);
/* Reads a string in double quotes, with JSON's escapes, from behind its opening quote. */
bool read_quoted(struct reading *reading, struct span *out);

extern const struct read_syntax read_json, read_edn;

#endif
