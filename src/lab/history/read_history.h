/* Reads recorded histories: JSON Lines, and Jepsen's histories as EDN or as a JSON array.
 *
 * A history is a sequence of events, each a map with the members (in EDN: the keywords)
 *
 *   process  an integer; info events of others, and all of "nemesis", are skipped; other events of others are errors
 *   type     invoke, ok, fail or info
 *   f        the function; of an end the same one, or left out
 *   key      which object, any value; may be left out when there is one only; of an end the same one, or left out
 *   value    of an invocation the argument; of an ok the answer
 *   time     nanoseconds, for people
 *   error    of an ok: the service answered an error, in its turn; the answer is then the map {"error": true}
 *
 * Other members are skipped. JSON Lines hold one map a line; the last line may be cut, as a recorder that is killed
 * leaves it, and so may the last of bare EDN maps. EDN is a sequence of maps, bare or in one vector or list, as Jepsen's history.edn; keywords, symbols and
 * characters become texts, sets become lists in the order of their values' ids, and of a tagged literal the tag is
 * dropped, as in #jepsen.history.Op{...}.
 *
 * Jepsen's "independent" tests put the key into the value: [key value]. That is recognised where no event has a key,
 * every invocation's value is such a pair, and one of them has no value beside its key, as a read's [key nil].
 *
 * Limits: integers of 64 bits, 64 levels of nesting, 2^32 - 2 different values, 2^31 operations. */
#ifndef LOCKSTEP_LAB_READ_HISTORY_H
#define LOCKSTEP_LAB_READ_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "lab/history/record.h"

enum read_format { READ_GUESS, READ_JSON_LINES, READ_JSON_ARRAY, READ_EDN };
enum read_keys { READ_KEYS_GUESS, READ_KEYS_APART, READ_KEYS_IN_VALUES };

struct read_options {
    enum read_format format;
    enum read_keys keys;
};

enum { READ_WHY_SIZE = 160 };

/* What is wrong with a text, and where. */
struct read_problem {
    uint64_t line; /* from 1 */
    char why[READ_WHY_SIZE];
};

/* Appends a text's events to an empty record. False with the problem when it is no history; what was read before it is
 * in the record then. A heap that is full is such a problem too. Costs about 0.5 µs an event. */
bool read_history(struct record *record, struct span text, const struct read_options *options,
                  struct read_problem *problem);

/* "jsonl", "json" or "edn"; false for another name. */
bool read_format_find(const char *name, enum read_format *out);

#endif
