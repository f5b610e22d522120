/* One option of a node or gateway: the table of all of them, and values as texts. A new option is one line in the table
 * (config_option.c) and one field of struct host_options. */
#ifndef LOCKSTEP_CLI_CONFIG_OPTION_H
#define LOCKSTEP_CLI_CONFIG_OPTION_H

#include <stddef.h>
#include <stdint.h>

#include "host/real/host.h"

enum option_kind {
    OPTION_TEXT,    /* const char * */
    OPTION_NUMBER,  /* uint32_t */
    OPTION_BYTES,   /* uint64_t: 64mb */
    OPTION_TIME,    /* int64_t nanoseconds: 50ms */
    OPTION_YES_NO,  /* bool */
};

struct option_entry {
    const char *name;
    uint32_t roles; /* who takes it: bits of enum config_role */
    enum option_kind kind;
    size_t offset; /* in struct host_options */
    uint64_t min, max; /* of numbers; times in nanoseconds */
    const char *help;
};

extern const struct option_entry config_options[];
extern const size_t config_option_count;

enum { CONFIG_OPTIONS_MAX = 48 };

/* The option of that name, of `size` bytes; NULL: there is none. */
const struct option_entry *option_find(const char *name, size_t size);
/* What a value of that kind looks like, for sentences: "a time such as 50ms, 2s or 800us". */
const char *option_expected(enum option_kind kind);
/* Reads the value into the field. A text is borrowed. 0, or ERROR_INVALID with a sentence in `why`. */
int option_set(struct host_options *host, const struct option_entry *option, const char *value, char *why,
               size_t why_size);
/* Prints the field's value as it is read; the length that it would have. */
size_t option_print(const struct host_options *host, const struct option_entry *option, char *out, size_t size);

#endif
