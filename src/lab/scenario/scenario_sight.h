/* What a scenario can see, and the sentences that name it.
 *
 * A *sight* is one thing that happened in the run: a message left, a note was written, a node crashed. A *pattern* is a
 * sentence of a script, understood: "3 receives APPEND from 1 with term=2". The names of messages, records and fields
 * are those of the protocol's tables, so a new protocol brings its own words.
 *
 * Sentences. NODE is a number, a letter and a number (S1, P2), or `any`; what stands in brackets may be left out.
 *
 *     NODE sends MESSAGE [to NODE] [with FIELDS]        it leaves for the network
 *     NODE receives MESSAGE [from NODE] [with FIELDS]   it is handed to the member
 *     NODE stores RECORD [with FIELDS]                  it is written; whether it is durable is another thing
 *     NODE delivers [with index=I count=C]              commands go to the service as update
 *     NODE leads [with term=T]                          it says that it orders, from view T
 *     NODE follows NODE|nobody [with term=T]            it says that another does, or that it knows of nobody
 *     NODE enters STATE [with value=V]                  a note "OLD -> STATE"; "coordinator: WAIT" for a note with that
 *     NODE leaves STATE [with value=V]                  prefix
 *     NODE notes TEXT [with value=V]                    a note of exactly that text
 *     NODE starts | crashes | pauses | resumes
 *     NODE is up | down                                 a state, as the next one is
 *     NODE has FIELDS                                   words of the member's state, as protocol.print writes it
 *     PROPERTY breaks                                   a property is violated: "RAFT-5 breaks"
 *
 * FIELDS are tests NAME=VALUE, also with != < > <= >=, separated by blanks. Those of messages, records and notes
 * compare integers; those of states compare text, or integers where an order is asked for. */
#ifndef LOCKSTEP_LAB_SCENARIO_SIGHT_H
#define LOCKSTEP_LAB_SCENARIO_SIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "contract/protocol.h"

enum sight_kind {
    SIGHT_SENDS,
    SIGHT_RECEIVES,
    SIGHT_STORES,
    SIGHT_DELIVERS,
    SIGHT_VIEW,
    SIGHT_NOTE,
    SIGHT_STARTS,
    SIGHT_CRASHES,
    SIGHT_PAUSES,
    SIGHT_RESUMES,
    SIGHT_BREAKS,
    SIGHT_STATE, /* of patterns only: NODE has …, NODE is … */
};

enum { SIGHT_TESTS_MAX = 12, SIGHT_WORD_SIZE = 64, SIGHT_STATE_SIZE = 1024 };

struct sight {
    enum sight_kind kind;
    int64_t at_ns;
    uint32_t node;    /* id, 0: none */
    uint32_t other;   /* of SENDS, RECEIVES; of VIEW the orderer */
    uint16_t type;    /* of SENDS, RECEIVES, STORES: place in the table */
    const void *body; /* decoded, without its bulk (whose size is right); NULL where there is none */
    uint64_t value;   /* NOTE: its value; VIEW: its number; DELIVERS: index */
    uint64_t count;   /* DELIVERS */
    const char *text; /* NOTE; BREAKS: the property */
};

enum sight_comparison { IS_EQUAL, IS_OTHER, IS_LESS, IS_MORE, IS_AT_MOST, IS_AT_LEAST };

struct sight_test {
    char name[SIGHT_WORD_SIZE];
    const struct field *field; /* of a message or record; NULL: by name */
    enum sight_comparison comparison;
    bool is_number;
    int64_t number;
    char text[SIGHT_WORD_SIZE];
};

enum sight_note { NOTE_WHOLE, NOTE_ENTERS, NOTE_LEAVES };

struct sight_pattern {
    enum sight_kind kind;
    uint32_t node, other;  /* 0: any */
    uint16_t type;
    enum sight_note note;
    bool follows, nobody;  /* VIEW: of another, or of nobody; else of itself */
    bool up_asked, up;     /* STATE: NODE is up, NODE is down */
    char text[SIGHT_WORD_SIZE];
    struct sight_test tests[SIGHT_TESTS_MAX];
    uint32_t test_count;
};

/* Reads "3", "S3" or "any" (0). False: it is none of a group of so many nodes. */
bool sight_node_parse(struct span word, uint32_t node_count, uint32_t *node);

/* Understands a sentence about a group. False: `why` has a sentence that says which word is wrong and what could stand
 * there. */
bool sight_pattern_parse(struct span sentence, const struct protocol *protocol, uint32_t node_count,
                         struct sight_pattern *out, char *why, size_t why_size);

/* Is this what the pattern names? Never for a STATE. */
bool sight_matches(const struct sight_pattern *pattern, const struct sight *sight);

/* Does a STATE pattern hold for a member whose state is that line of words (NULL: it is down)? False too when a word
 * that it asks for is not there; then `*missing` is its name, else NULL. */
bool sight_state_holds(const struct sight_pattern *pattern, const char *state, const char **missing);

/* The value of `name` in a line of words "name=value". False: it is not there. */
bool sight_state_word(const char *state, const char *name, struct span *value);

/* Prints a sight as the sentence that names it: "3 receives APPEND from 1 {term=2 …}". Returns the length. */
size_t sight_print(const struct sight *sight, const struct protocol *protocol, char *out, size_t size);

#endif
