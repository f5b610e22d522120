/* Histories of transactions from short scripts. For *_test.c files only.
 *
 * A script is steps separated by blanks. A step is a process (a letter) and
 *     (MICRO,MICRO...  an invocation, with what its reads will return
 *     )                its ok end; '!' fail; '?' info
 *     =MICRO,...       both, one after the other
 * A micro-operation is a letter for its function (a, w, r), a letter for the key, and digits, each of which is a value:
 * "ax1" appends 1 to x, "rx12" reads [1, 2] (of a list) or 12 (of a register), "rx_" reads nothing. */
#ifndef LOCKSTEP_LAB_TXN_TESTING_H
#define LOCKSTEP_LAB_TXN_TESTING_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lab/txn/txn.h"

static inline uint32_t testing_text(struct record *record, const char *text)
{
    return record_text(record, span_of(text, strlen(text)));
}

/* One micro-operation; `answered`: with what was read. */
static inline uint32_t testing_micro(struct record *record, const char *text, size_t size, bool lists, bool answered)
{
    char key[2] = {text[1], '\0'};
    uint32_t parts[3] = {VALUE_NONE, testing_text(record, key), record_null(record)}, digits[32], count = 0;
    parts[0] = testing_text(record, text[0] == 'a' ? "append" : text[0] == 'w' ? "w" : "r");
    bool reads = text[0] == 'r', nothing = text[2] == '_';
    if (!reads || (answered && !nothing && !lists))
        parts[2] = record_integer(record, strtoll(text + 2, NULL, 10));
    else if (answered && lists) {
        for (size_t at = 2; at < size && !nothing; at++)
            digits[count++] = record_integer(record, text[at] - '0');
        parts[2] = record_list(record, VALUE_LIST, digits, count);
    }
    return record_list(record, VALUE_LIST, parts, 3);
}

static inline uint32_t testing_txn(struct record *record, const char *text, bool lists, bool answered)
{
    uint32_t micros[64], count = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        micros[count++] = testing_micro(record, text, size, lists, answered);
        text += text[size] == ',' ? size + 1 : size;
    }
    return record_list(record, VALUE_LIST, micros, count);
}

static inline void testing_script(struct record *record, const char *script, bool lists)
{
    uint32_t open[26] = {0}, answers[26] = {0};
    char *copy = strdup(script), *rest = copy;
    for (char *step; (step = strtok_r(rest, " ", &rest)) != NULL;) {
        uint32_t process = (uint32_t)(step[0] - 'a');
        if (step[1] == '(' || step[1] == '=') {
            uint32_t called = testing_txn(record, step + 2, lists, false);
            answers[process] = testing_txn(record, step + 2, lists, true);
            open[process] = record_invoke(record, process, testing_text(record, "txn"), VALUE_NONE, called, 0);
        }
        if (step[1] == '=' || step[1] == ')')
            record_end(record, open[process], RECORD_OK, answers[process], 0);
        else if (step[1] == '!')
            record_end(record, open[process], RECORD_FAIL, VALUE_NONE, 0);
        else if (step[1] == '?')
            record_end(record, open[process], RECORD_INFO, VALUE_NONE, 0);
    }
    free(copy);
}

#endif
