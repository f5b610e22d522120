/* The table of options, and their values (config_option.h). */
#include "cli/config_option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "cli/config.h"

#define AT(field) offsetof(struct host_options, field)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

enum { SERVER = CONFIG_SERVER, GATEWAY = CONFIG_GATEWAY, BOTH = CONFIG_SERVER | CONFIG_GATEWAY };

/* X(name, roles, kind, field, min, max, help) */
#define OPTION_LIST(X)                                                                                                 \
    X("id", BOTH, OPTION_NUMBER, id, 1, 999999999, "number of this node, from 1 on, different on every node")          \
    X("listen", BOTH, OPTION_TEXT, listen, 0, 0, "host:port for clients")                                              \
    X("advertise", BOTH, OPTION_TEXT, advertise, 0, 0,                                                                 \
      "host:port at which clients elsewhere reach it, if not --listen")                                                \
    X("peer-listen", SERVER, OPTION_TEXT, peer_listen, 0, 0,                                                           \
      "host:port for the other nodes, if not that of --listen with its port + 10000")                                  \
    X("peers", BOTH, OPTION_TEXT, peers, 0, 0,                                                                         \
      "all nodes of the cluster, this one included: 1=host:port,2=host:port,...; none: a cluster of one; those "       \
      "that a gateway asks")                                                                                           \
    X("data", BOTH, OPTION_TEXT, data, 0, 0, "data directory")                                                         \
    X("cluster-name", BOTH, OPTION_TEXT, cluster_name, 0, 0,                                                           \
      "nodes of clusters with different names refuse one another")                                                     \
    X("protocol", BOTH, OPTION_TEXT, protocol, 0, 0, "by which the nodes agree, the same on all: raft, paxos or pbft") \
    X("vote", GATEWAY, OPTION_NUMBER, vote, 3, 63,                                                                     \
      "how many nodes' answers are compared, an odd number, where the protocol masks crashes alone")                   \
    X("keys", BOTH, OPTION_TEXT, keys, 0, 0,                                                                           \
      "directory of keys (`lockstep help keys`), if not DATA/keys; needed where the protocol masks nodes that lie")    \
    X("signatures", BOTH, OPTION_YES_NO, signatures, 0, 0,                                                             \
      "prove messages by signatures instead of MACs, where the protocol masks nodes that lie; the same on all")        \
    X("clients", SERVER, OPTION_TEXT, clients, 0, 0,                                                                   \
      "numbers of gateways that are enrolled from the start: 101,102; others by GROUP.ENROL")                          \
    X("adversary", SERVER, OPTION_TEXT, adversary, 0, 0,                                                               \
      "script of a node that lies, for tests; only builds for tests take it")                                          \
    X("init", SERVER, OPTION_YES_NO, init, 0, 0,                                                                       \
      "this is a new node of a new cluster; without it an empty directory is filled from the other nodes")             \
    X("lab", SERVER, OPTION_YES_NO, lab, 0, 0, "GROUP.CREATE takes protocols of lab maturity too")                     \
    X("protected-mode", BOTH, OPTION_YES_NO, protected_mode, 0, 0,                                                     \
      "refuse to listen on addresses that are not loopback")                                                           \
    X("request-timeout", BOTH, OPTION_TIME, request_timeout_ns, NS_PER_MS, 3600 * NS_PER_S,                            \
      "after which an unanswered command gets INDETERMINATE")                                                          \
    X("heartbeat", BOTH, OPTION_TIME, heartbeat_ns, NS_PER_MS, 60 * NS_PER_S,                                          \
      "between two signs of life of the leader")                                                                       \
    X("election-timeout", BOTH, OPTION_TIME, election_timeout_ns, 2 * NS_PER_MS, 600 * NS_PER_S,                       \
      "silence of the leader after which a follower campaigns, drawn from once to twice this")                         \
    X("segment-size", BOTH, OPTION_BYTES, segment_bytes, MIB, 4 * GIB, "of a file of the log")                         \
    X("max-value-size", BOTH, OPTION_BYTES, value_bytes_max, 1024, 512 * MIB, "of one argument of a command")          \
    X("maxmemory", SERVER, OPTION_BYTES, memory_bytes_max, 0, 1024 * GIB,                                              \
      "of data, after which writes that need more are refused with OOM; 0: no limit")                                  \
    X("maxclients", BOTH, OPTION_NUMBER, clients_max, 1, 1000000, "connections at the same time")                      \
    X("record", BOTH, OPTION_TEXT, record, 0, 0,                                                                     \
      "directory for a recording of what this node's members are told, for `lockstep replay` and `lockstep diagram`")  \
    X("disk-inline-size", BOTH, OPTION_BYTES, disk_inline_bytes_max, 0, 64 * MIB,                                      \
      "smaller log writes are done on the loop while the disk is fast; 0: all go to a thread")                         \
    X("disk-slow", BOTH, OPTION_TIME, disk_slow_ns, 0, 60 * NS_PER_S,                                                  \
      "average log write from which all go to a thread")

#define OPTION_ENTRY(name, roles, kind, field, min, max, help)                                                         \
    {name, roles, kind, AT(field), (uint64_t)(min), (uint64_t)(max), help},
const struct option_entry config_options[] = {OPTION_LIST(OPTION_ENTRY)};
const size_t config_option_count = sizeof config_options / sizeof config_options[0];
_Static_assert(sizeof config_options / sizeof config_options[0] <= CONFIG_OPTIONS_MAX, "who reads them has room");

const struct option_entry *option_find(const char *name, size_t size)
{
    for (size_t i = 0; i < config_option_count; i++)
        if (strlen(config_options[i].name) == size && memcmp(config_options[i].name, name, size) == 0)
            return &config_options[i];
    return NULL;
}

/* ---- reading ---- */

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1},
    {"b", 1},
    {"k", 1000},
    {"kb", 1024},
    {"m", 1000000},
    {"mb", MIB},
    {"g", 1000000000},
    {"gb", GIB},
    {NULL, 0},
};

static const struct unit time_units[] = {
    {"", NS_PER_MS}, {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {NULL, 0},
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static bool number_parse(const char *text, const struct unit *units, uint64_t *out)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    char suffix[4] = "";
    if (strlen(end) >= sizeof suffix)
        return false;
    for (size_t i = 0; end[i] != '\0'; i++)
        suffix[i] = (char)tolower((unsigned char)end[i]);
    for (const struct unit *unit = units; unit->name != NULL; unit++)
        if (strcmp(unit->name, suffix) == 0)
            return !__builtin_mul_overflow((uint64_t)number, unit->factor, out);
    return false;
}

const char *option_expected(enum option_kind kind)
{
    switch (kind) {
    case OPTION_TEXT:
        return "a text";
    case OPTION_NUMBER:
        return "a number";
    case OPTION_BYTES:
        return "a size such as 64mb or 65536";
    case OPTION_TIME:
        return "a time such as 50ms, 2s or 800us";
    case OPTION_YES_NO:
        return "yes or no";
    }
    return "?";
}

static void print_bounds(const struct option_entry *option, char *out, size_t size)
{
    /* The bounds printed as the option's own values are. */
    struct host_options low = {.id = 0}, high = {.id = 0};
    size_t bytes = option->kind == OPTION_NUMBER ? sizeof(uint32_t) : sizeof(uint64_t);
    uint32_t numbers[2] = {(uint32_t)option->min, (uint32_t)option->max};
    memcpy((char *)&low + option->offset, bytes == 4 ? (const void *)&numbers[0] : &option->min, bytes);
    memcpy((char *)&high + option->offset, bytes == 4 ? (const void *)&numbers[1] : &option->max, bytes);
    char from[32], to[32];
    option_print(&low, option, from, sizeof from);
    option_print(&high, option, to, sizeof to);
    snprintf(out, size, "from %s to %s", from, to);
}

static int number_set(struct host_options *host, const struct option_entry *option, const char *value, char *why,
                      size_t why_size)
{
    const struct unit *units = option->kind == OPTION_BYTES  ? byte_units
                               : option->kind == OPTION_TIME ? time_units
                                                             : no_units;
    uint64_t number;
    if (!number_parse(value, units, &number)) {
        snprintf(why, why_size, "%s expects %s, and '%s' is none", option->name, option_expected(option->kind), value);
        return ERROR_INVALID;
    }
    if (number < option->min || number > option->max) {
        char bounds[80];
        print_bounds(option, bounds, sizeof bounds);
        snprintf(why, why_size, "%s must be %s, and '%s' is not", option->name, bounds, value);
        return ERROR_INVALID;
    }
    char *field = (char *)host + option->offset;
    uint32_t narrow = (uint32_t)number;
    if (option->kind == OPTION_NUMBER)
        memcpy(field, &narrow, sizeof narrow);
    else
        memcpy(field, &number, sizeof number);
    return OK;
}

int option_set(struct host_options *host, const struct option_entry *option, const char *value, char *why,
               size_t why_size)
{
    char *field = (char *)host + option->offset;
    if (option->kind == OPTION_TEXT) {
        memcpy(field, &value, sizeof value);
        return OK;
    }
    if (option->kind != OPTION_YES_NO)
        return number_set(host, option, value, why, why_size);
    bool yes = strcmp(value, "yes") == 0;
    if (!yes && strcmp(value, "no") != 0) {
        snprintf(why, why_size, "%s expects yes or no, and '%s' is neither", option->name, value);
        return ERROR_INVALID;
    }
    memcpy(field, &yes, sizeof yes);
    return OK;
}

/* ---- printing ---- */

static size_t time_print(int64_t ns, char *out, size_t size)
{
    if (ns % NS_PER_S == 0 && ns != 0)
        return (size_t)snprintf(out, size, "%" PRId64 "s", ns / NS_PER_S);
    if (ns % NS_PER_MS == 0)
        return (size_t)snprintf(out, size, "%" PRId64 "ms", ns / NS_PER_MS);
    return (size_t)snprintf(out, size, "%" PRId64 "us", ns / NS_PER_US);
}

size_t option_print(const struct host_options *host, const struct option_entry *option, char *out, size_t size)
{
    const char *field = (const char *)host + option->offset;
    uint32_t number;
    uint64_t bytes;
    int64_t ns;
    bool yes;
    const char *text;
    switch (option->kind) {
    case OPTION_TEXT:
        memcpy(&text, field, sizeof text);
        return (size_t)snprintf(out, size, "%s", text != NULL ? text : "");
    case OPTION_NUMBER:
        memcpy(&number, field, sizeof number);
        return number == 0 ? (size_t)snprintf(out, size, "%s", "") : (size_t)snprintf(out, size, "%" PRIu32, number);
    case OPTION_BYTES:
        memcpy(&bytes, field, sizeof bytes);
        return (size_t)snprintf(out, size, "%" PRIu64, bytes);
    case OPTION_TIME:
        memcpy(&ns, field, sizeof ns);
        return time_print(ns, out, size);
    case OPTION_YES_NO:
        memcpy(&yes, field, sizeof yes);
        return (size_t)snprintf(out, size, "%s", yes ? "yes" : "no");
    }
    return 0;
}
