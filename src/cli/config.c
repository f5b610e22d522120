/* The options of a node (config.h). A new option is one line in the table and one field of struct host_options. */
#include "cli/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"

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
static const struct option_entry options[] = {OPTION_LIST(OPTION_ENTRY)};

enum {
    OPTION_COUNT = sizeof options / sizeof options[0],
    VALUE_SIZE_MAX = 4096,
    LINE_SIZE_MAX = 8192,
};

struct config {
    struct host_options host;
    enum config_role role;
    char *texts[OPTION_COUNT]; /* of OPTION_TEXTs */
    char *file;
    struct front_parameter parameters[OPTION_COUNT];
};

static const struct option_entry *option_find(const char *name, size_t size)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == size && memcmp(options[i].name, name, size) == 0)
            return &options[i];
    return NULL;
}

static const char *role_name(enum config_role role)
{
    return role == CONFIG_GATEWAY ? "gateway" : "server";
}

/* The option, if this command takes it; else NULL and a sentence. */
static const struct option_entry *option_taken(const struct config *config, const char *name, size_t size,
                                               const char *before, char *why, size_t why_size)
{
    const struct option_entry *option = option_find(name, size);
    const char *command = role_name(config->role);
    if (option == NULL) {
        const char *quote = before[0] == '\0' ? "'" : ""; /* a word of a file may be anything */
        snprintf(why, why_size, "there is no option %s%s%.*s%s; `lockstep help %s` lists them", quote, before,
                 (int)(size < 100 ? size : 100), name, quote, command);
    } else if ((option->roles & (uint32_t)config->role) == 0) {
        snprintf(why, why_size, "%s%s is an option of `lockstep %s`; `lockstep %s` does not take it", before,
                 option->name, role_name(config->role == CONFIG_SERVER ? CONFIG_GATEWAY : CONFIG_SERVER), command);
        return NULL;
    }
    return option;
}

/* ---- values ---- */

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

static const char *expected(enum option_kind kind)
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

static size_t value_print(const struct host_options *host, const struct option_entry *option, char *out, size_t size);

static void print_bounds(const struct option_entry *option, char *out, size_t size)
{
    /* The bounds printed as the option's own values are. */
    struct host_options low = {.id = 0}, high = {.id = 0};
    size_t bytes = option->kind == OPTION_NUMBER ? sizeof(uint32_t) : sizeof(uint64_t);
    uint32_t numbers[2] = {(uint32_t)option->min, (uint32_t)option->max};
    memcpy((char *)&low + option->offset, bytes == 4 ? (const void *)&numbers[0] : &option->min, bytes);
    memcpy((char *)&high + option->offset, bytes == 4 ? (const void *)&numbers[1] : &option->max, bytes);
    char from[32], to[32];
    value_print(&low, option, from, sizeof from);
    value_print(&high, option, to, sizeof to);
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
        snprintf(why, why_size, "%s expects %s, and '%s' is none", option->name, expected(option->kind), value);
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

static int value_set(struct config *config, const struct option_entry *option, const char *value, char *why,
                     size_t why_size)
{
    char *field = (char *)&config->host + option->offset;
    if (option->kind == OPTION_YES_NO) {
        bool yes = strcmp(value, "yes") == 0;
        if (!yes && strcmp(value, "no") != 0) {
            snprintf(why, why_size, "%s expects yes or no, and '%s' is neither", option->name, value);
            return ERROR_INVALID;
        }
        memcpy(field, &yes, sizeof yes);
        return OK;
    }
    if (option->kind != OPTION_TEXT)
        return number_set(&config->host, option, value, why, why_size);
    char *copy = strdup(value);
    if (copy == NULL)
        return ERROR_NO_MEMORY;
    size_t place = (size_t)(option - options);
    free(config->texts[place]);
    config->texts[place] = copy;
    memcpy(field, &copy, sizeof copy);
    return OK;
}

static size_t time_print(int64_t ns, char *out, size_t size)
{
    if (ns % NS_PER_S == 0 && ns != 0)
        return (size_t)snprintf(out, size, "%" PRId64 "s", ns / NS_PER_S);
    if (ns % NS_PER_MS == 0)
        return (size_t)snprintf(out, size, "%" PRId64 "ms", ns / NS_PER_MS);
    return (size_t)snprintf(out, size, "%" PRId64 "us", ns / NS_PER_US);
}

static size_t value_print(const struct host_options *host, const struct option_entry *option, char *out, size_t size)
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

/* ---- the file ---- */

/* Cuts spaces at both ends, and one pair of quotes around the whole. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    text[size] = '\0';
    return text;
}

static int line_read(struct config *config, char *line, char *why, size_t why_size)
{
    char *text = trim(line);
    if (text[0] == '\0' || text[0] == '#')
        return OK;
    size_t name_size = strcspn(text, " \t");
    const struct option_entry *option = option_taken(config, text, name_size, "", why, why_size);
    if (option == NULL)
        return ERROR_INVALID;
    char *value = trim(text + name_size);
    if (value[0] == '\0') {
        snprintf(why, why_size, "%s expects %s after its name", option->name, expected(option->kind));
        return ERROR_INVALID;
    }
    return value_set(config, option, value, why, why_size);
}

static int file_read(struct config *config, const char *path, char *why, size_t why_size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(why, why_size, "cannot read the configuration file %s: %s", path, strerror(errno));
        return ERROR_INVALID;
    }
    char line[LINE_SIZE_MAX], sentence[512];
    int status = OK;
    for (unsigned number = 1; status == OK && fgets(line, sizeof line, file) != NULL; number++) {
        status = line_read(config, line, sentence, sizeof sentence);
        if (status != OK)
            snprintf(why, why_size, "%s:%u: %s", path, number, sentence);
    }
    fclose(file);
    config->file = status == OK ? strdup(path) : NULL;
    config->host.config_file = config->file;
    return status;
}

/* ---- environment and flags ---- */

/* "peer-listen" is LOCKSTEP_PEER_LISTEN. */
static const char *environment_value(const char *name, char variable[64])
{
    int size = snprintf(variable, 64, "LOCKSTEP_%s", name);
    for (int i = 0; i < size && i < 63; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
    return getenv(variable);
}

static int environment_read(struct config *config, char *why, size_t why_size)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char variable[64], sentence[512];
        const char *value = environment_value(options[i].name, variable);
        /* The environment is for all processes of a machine, so what is not for this one is not looked at. */
        if (value == NULL || (options[i].roles & (uint32_t)config->role) == 0)
            continue;
        int status = value_set(config, &options[i], value, sentence, sizeof sentence);
        if (status != OK) {
            snprintf(why, why_size, "environment variable %s: %s", variable, sentence);
            return status;
        }
    }
    return OK;
}

/* One flag of the command line, taken apart. */
struct flag {
    const char *name;
    size_t name_size;
    const char *value; /* NULL: there is none */
    int next;          /* place of the argument after it */
};

static bool is_yes_no(const char *text)
{
    return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static bool flag_read(int argc, char *const *argv, int at, struct flag *out)
{
    const char *text = argv[at];
    if (text[0] != '-' || text[1] != '-' || text[2] == '\0')
        return false;
    const char *equals = strchr(text, '=');
    *out = (struct flag){.name = text + 2, .name_size = strcspn(text + 2, "="), .next = at + 1};
    if (equals != NULL) {
        out->value = equals + 1;
        return true;
    }
    const struct option_entry *option = option_find(out->name, out->name_size);
    const char *following = at + 1 < argc ? argv[at + 1] : NULL;
    bool switches = option != NULL && option->kind == OPTION_YES_NO;
    if (switches && (following == NULL || !is_yes_no(following))) {
        out->value = "yes"; /* --init alone */
        return true;
    }
    out->value = following;
    out->next = at + 2;
    return true;
}

static bool flag_is(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->name_size && memcmp(name, flag->name, flag->name_size) == 0;
}

static int flag_set(struct config *config, const struct flag *flag, char *why, size_t why_size)
{
    const struct option_entry *option = option_taken(config, flag->name, flag->name_size, "--", why, why_size);
    if (option == NULL)
        return ERROR_INVALID;
    if (flag->value == NULL) {
        snprintf(why, why_size, "--%s expects %s after it", option->name, expected(option->kind));
        return ERROR_INVALID;
    }
    char sentence[512];
    int status = value_set(config, option, flag->value, sentence, sizeof sentence);
    if (status != OK)
        snprintf(why, why_size, "--%s", sentence);
    return status;
}

static int flags_read(struct config *config, int argc, char *const *argv, char *why, size_t why_size)
{
    int status = OK;
    struct flag flag;
    for (int at = 1; at < argc && status == OK; at = flag.next) {
        if (!flag_read(argc, argv, at, &flag)) {
            snprintf(why, why_size, "'%s' is no option: they begin with --", argv[at]);
            return ERROR_INVALID;
        }
        if (flag_is(&flag, "config")) /* read before all others */
            continue;
        status = flag_set(config, &flag, why, why_size);
    }
    return status;
}

/* The file's name must be known before everything else, because the flags are to win over it. */
static int config_path(int argc, char *const *argv, const char **path, char *why, size_t why_size)
{
    *path = getenv("LOCKSTEP_CONFIG");
    struct flag flag;
    for (int at = 1; at < argc && flag_read(argc, argv, at, &flag); at = flag.next) {
        if (!flag_is(&flag, "config"))
            continue;
        if (flag.value == NULL) {
            snprintf(why, why_size, "--config expects the path of a file after it");
            return ERROR_INVALID;
        }
        *path = flag.value;
    }
    return OK;
}

/* ---- all of it ---- */

static size_t parameter_get(void *context, const char *name, char *out, size_t size)
{
    const struct config *config = context;
    const struct option_entry *option = option_find(name, strlen(name));
    if (option == NULL || size == 0)
        return 0;
    size_t length = value_print(&config->host, option, out, size);
    return length < size ? length : size - 1;
}

int config_read(struct config **out, enum config_role role, int argc, char *const *argv, char *why, size_t why_size)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return ERROR_NO_MEMORY;
    config->role = role;
    host_options_default(&config->host);
    config->host.listen = "127.0.0.1:7001";
    config->host.gateway = role == CONFIG_GATEWAY;
    const char *path;
    int status = config_path(argc, argv, &path, why, why_size);
    if (status == OK && path != NULL)
        status = file_read(config, path, why, why_size);
    if (status == OK)
        status = environment_read(config, why, why_size);
    if (status == OK)
        status = flags_read(config, argc, argv, why, why_size);
    if (status != OK) {
        config_free(config);
        return status;
    }
    uint32_t taken = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((options[i].roles & (uint32_t)role) != 0)
            config->parameters[taken++] =
                (struct front_parameter){.name = options[i].name, .context = config, .get = parameter_get};
    config->host.parameters = config->parameters;
    config->host.parameter_count = taken;
    *out = config;
    return OK;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        free(config->texts[i]);
    free(config->file);
    free(config);
}

const struct host_options *config_host_options(const struct config *config)
{
    return &config->host;
}

void config_print_help(enum config_role role, FILE *out)
{
    struct host_options defaults;
    host_options_default(&defaults);
    defaults.listen = "127.0.0.1:7001";
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char value[VALUE_SIZE_MAX];
        if ((options[i].roles & (uint32_t)role) == 0)
            continue;
        value_print(&defaults, &options[i], value, sizeof value);
        fprintf(out, "  --%-18s %s", options[i].name, options[i].help);
        if (value[0] != '\0')
            fprintf(out, " (%s)", value);
        fputc('\n', out);
    }
    fprintf(out, "  --%-18s %s\n", "config", "file with these options, one `name value` a line");
}
