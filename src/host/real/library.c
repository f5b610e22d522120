/* The C library (include/lockstep.h): a real host with one connection that has no socket.
 *
 * Commands are written to a buffer, which lockstep_poll gives to front/; so a callback may hand in commands while
 * front/ is still writing answers. The connection speaks RESP3, where every command has exactly one answer that is not
 * a push; so answers are matched with callbacks by their order. */
#include "lockstep.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/panic.h"
#include "host/real/clock.h"
#include "host/real/host.h"
#include "host/real/resp_scan.h"

enum {
    UNANSWERED_MAX = 1 << 20,
    WAITING_BYTES_MAX = 256 << 20, /* of commands that front/ has not taken yet */
    NUMBER_SIZE_MAX = 32,
};

struct call {
    lockstep_callback callback;
    void *context;
};

struct lockstep {
    struct real_host *host;
    struct connection *connection; /* NULL once front/ has closed it */
    struct client_door door;
    char *waiting; /* commands that front/ has not taken yet */
    size_t waiting_size, waiting_capacity;
    struct call *calls; /* a ring */
    size_t call_first, call_count, call_capacity; /* a power of two */
    int answered; /* callbacks called in this poll */
    bool closing;
    void (*log)(void *context, enum lockstep_log_level level, const char *sentence);
    void *log_context;
};

const char *lockstep_strerror(int error)
{
    return error == LOCKSTEP_OK ? "no error" : error_text(error);
}

const char *lockstep_version(void)
{
    return LOCKSTEP_VERSION;
}

/* ---- answers ---- */

static void answer(struct lockstep *node, int status, const char *reply, size_t size)
{
    invariant(node->call_count > 0, "every answer belongs to a command");
    struct call call = node->calls[node->call_first];
    node->call_first = (node->call_first + 1) & (node->call_capacity - 1);
    node->call_count--;
    if (call.callback == NULL)
        return;
    node->answered++;
    call.callback(call.context, status, reply, size);
}

static void disconnect(struct lockstep *node)
{
    struct connection *connection = node->connection;
    node->connection = NULL;
    front_disconnected(real_host_front(node->host), connection);
    while (node->call_count > 0)
        answer(node, LOCKSTEP_ERROR_CLOSED, NULL, 0);
}

static void on_ready(struct client_door *door)
{
    struct lockstep *node = (struct lockstep *)((char *)door - offsetof(struct lockstep, door));
    while (node->connection != NULL) {
        struct span output = connection_output(node->connection);
        int64_t size = resp_scan(output);
        invariant(size >= 0, "front/ answers in RESP");
        if (size == 0)
            break;
        if (output.data[0] != '>')
            answer(node, LOCKSTEP_OK, (const char *)output.data, (size_t)size);
        connection_output_sent(node->connection, (size_t)size);
    }
    if (node->connection != NULL && connection_closing(node->connection))
        disconnect(node);
}

static void on_resumed(struct client_door *door)
{
    (void)door; /* lockstep_poll looks before each pass */
}

/* ---- commands ---- */

static bool waiting_reserve(struct lockstep *node, size_t extra)
{
    if (node->waiting_capacity - node->waiting_size >= extra)
        return true;
    size_t capacity = node->waiting_capacity * 2 + 4096;
    if (capacity < node->waiting_size + extra)
        capacity = node->waiting_size + extra;
    char *waiting = realloc(node->waiting, capacity);
    if (waiting == NULL)
        return false;
    node->waiting = waiting;
    node->waiting_capacity = capacity;
    return true;
}

static bool calls_reserve(struct lockstep *node)
{
    if (node->call_count < node->call_capacity)
        return true;
    size_t capacity = node->call_capacity > 0 ? node->call_capacity * 2 : 64;
    struct call *calls = malloc(capacity * sizeof *calls);
    if (calls == NULL)
        return false;
    for (size_t i = 0; i < node->call_count; i++)
        calls[i] = node->calls[(node->call_first + i) & (node->call_capacity - 1)];
    free(node->calls);
    node->calls = calls;
    node->call_first = 0;
    node->call_capacity = capacity;
    return true;
}

static bool is_word(const char *text, size_t size, const char *word)
{
    return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

/* Commands that have no answer of their own or more than one, or that change how answers look. */
static bool is_refused(int argc, const char *const *argv, const size_t *sizes)
{
    static const char *const words[] = {"SUBSCRIBE",    "PSUBSCRIBE",   "SSUBSCRIBE", "UNSUBSCRIBE",
                                        "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR",    "HELLO",
                                        "RESET",        "QUIT"};
    size_t size = sizes != NULL ? sizes[0] : strlen(argv[0]);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_word(argv[0], size, words[i]))
            return true;
    return argc > 1 && is_word(argv[0], size, "CLIENT") &&
           is_word(argv[1], sizes != NULL ? sizes[1] : strlen(argv[1]), "REPLY");
}

static void write_bytes(struct lockstep *node, const char *bytes, size_t size)
{
    memcpy(node->waiting + node->waiting_size, bytes, size);
    node->waiting_size += size;
}

static void write_number(struct lockstep *node, char type, size_t number)
{
    char line[NUMBER_SIZE_MAX];
    int size = snprintf(line, sizeof line, "%c%zu\r\n", type, number);
    write_bytes(node, line, (size_t)size);
}

static int hand_in(struct lockstep *node, int argc, const char *const *argv, const size_t *sizes, struct call call)
{
    size_t total = NUMBER_SIZE_MAX;
    for (int i = 0; i < argc; i++) {
        size_t size = sizes != NULL ? sizes[i] : strlen(argv[i]);
        if (size > WAITING_BYTES_MAX)
            return LOCKSTEP_ERROR_TOO_LARGE;
        total += size + NUMBER_SIZE_MAX + 2;
    }
    if (node->waiting_size > 0 && node->waiting_size + total > WAITING_BYTES_MAX)
        return LOCKSTEP_ERROR_BUSY;
    if (!calls_reserve(node) || !waiting_reserve(node, total))
        return LOCKSTEP_ERROR_MEMORY;
    write_number(node, '*', (size_t)argc);
    for (int i = 0; i < argc; i++) {
        size_t size = sizes != NULL ? sizes[i] : strlen(argv[i]);
        write_number(node, '$', size);
        write_bytes(node, argv[i], size);
        write_bytes(node, "\r\n", 2);
    }
    node->calls[(node->call_first + node->call_count) & (node->call_capacity - 1)] = call;
    node->call_count++;
    return LOCKSTEP_OK;
}

int lockstep_execute(struct lockstep *node, int argc, const char *const *argv, const size_t *argument_sizes,
                     lockstep_callback callback, void *context)
{
    if (node->connection == NULL || node->closing)
        return LOCKSTEP_ERROR_CLOSED;
    if (argc < 1 || callback == NULL || is_refused(argc, argv, argument_sizes))
        return LOCKSTEP_ERROR_INVALID;
    if (node->call_count >= UNANSWERED_MAX)
        return LOCKSTEP_ERROR_BUSY;
    return hand_in(node, argc, argv, argument_sizes, (struct call){callback, context});
}

size_t lockstep_unanswered(const struct lockstep *node)
{
    return node->call_count;
}

/* ---- working ---- */

static void give_waiting(struct lockstep *node)
{
    if (node->connection == NULL || node->waiting_size == 0 || !connection_wants_read(node->connection))
        return;
    front_receive(real_host_front(node->host), node->connection, (const uint8_t *)node->waiting, node->waiting_size);
    node->waiting_size = 0;
    real_host_wake(node->host);
}

int lockstep_poll(struct lockstep *node, int timeout_ms)
{
    int64_t end_ns = clock_monotone_ns() + (timeout_ms > 0 ? timeout_ms : 0) * NS_PER_MS;
    node->answered = 0;
    for (;;) {
        give_waiting(node);
        int64_t rest_ms = (end_ns - clock_monotone_ns() + NS_PER_MS - 1) / NS_PER_MS;
        bool runs = real_host_run_once(node->host, rest_ms > 0 ? (int)rest_ms : 0);
        if (node->answered > 0)
            return node->answered;
        if (!runs)
            return LOCKSTEP_ERROR_CLOSED;
        if (rest_ms <= 0)
            return 0;
    }
}

void lockstep_status(const struct lockstep *node, struct lockstep_status *out)
{
    const struct node *core = real_host_node(node->host);
    struct node_group_status group;
    *out = (struct lockstep_status){.id = node_id(core)};
    if (node_group_status(core, 0, &group)) {
        out->leader = group.member.orderer;
        out->term = group.member.term;
        out->commit_index = group.member.commit_index;
        out->applied_index = group.member.applied_index;
        out->bytes_used = group.bytes_used;
        out->items = group.items;
    }
    struct node_peer_status peer;
    for (; node_peer_status(core, out->peers, &peer); out->peers++)
        out->peers_connected += peer.connected;
}

/* ---- opening and closing ---- */

void lockstep_options_init(struct lockstep_options *options)
{
    *options = (struct lockstep_options){.size = sizeof *options, .id = 1};
}

static void on_log(void *context, enum report_level level, const char *sentence)
{
    const struct lockstep *node = context;
    static const enum lockstep_log_level levels[] = {LOCKSTEP_LOG_NOTICE, LOCKSTEP_LOG_WARNING, LOCKSTEP_LOG_ERROR};
    node->log(node->log_context, levels[level], sentence);
}

static void fill_options(struct host_options *out, struct lockstep *node, const struct lockstep_options *options)
{
    host_options_default(out);
    out->data = options->data;
    out->id = options->id;
    out->peers = options->peers;
    out->peer_listen = options->peer_listen;
    out->listen = options->listen;
    out->init = options->init != 0;
    out->protected_mode = options->open_to_network == 0;
    out->memory_bytes_max = options->memory_bytes_max;
    if (options->cluster_name != NULL)
        out->cluster_name = options->cluster_name;
    if (options->request_timeout_ms > 0)
        out->request_timeout_ns = options->request_timeout_ms * NS_PER_MS;
    if (options->log != NULL) {
        node->log = options->log;
        node->log_context = options->log_context;
        out->log = on_log;
        out->log_context = node;
    }
}

static int connect_within(struct lockstep *node)
{
    static const char *const hello[] = {"HELLO", "3"};
    node->door = (struct client_door){.ready = on_ready, .resumed = on_resumed};
    node->connection = front_accept(real_host_front(node->host), "library", "library", &node->door);
    if (node->connection == NULL)
        return LOCKSTEP_ERROR_MEMORY;
    return hand_in(node, 2, hello, NULL, (struct call){NULL, NULL});
}

int lockstep_open(const struct lockstep_options *options, struct lockstep **out, char *why, size_t why_size)
{
    char sentence[LOCKSTEP_WHY_SIZE] = "";
    if (why == NULL) {
        why = sentence;
        why_size = sizeof sentence;
    }
    *out = NULL;
    struct lockstep *node = calloc(1, sizeof *node);
    if (node == NULL) {
        snprintf(why, why_size, "there is no memory for a node");
        return LOCKSTEP_ERROR_MEMORY;
    }
    if (options->size != sizeof *options) {
        snprintf(why, why_size, "struct lockstep_options was not filled in by lockstep_options_init of this library");
        free(node);
        return LOCKSTEP_ERROR_INVALID;
    }
    struct host_options host_options;
    fill_options(&host_options, node, options);
    int status = real_host_create(&node->host, &host_options, why, why_size);
    if (status == OK)
        status = connect_within(node);
    if (status != OK) {
        lockstep_close(node);
        return status;
    }
    *out = node;
    return LOCKSTEP_OK;
}

void lockstep_close(struct lockstep *node)
{
    if (node == NULL)
        return;
    node->closing = true;
    if (node->host != NULL) {
        give_waiting(node);
        real_host_stop(node->host);
        while (real_host_run_once(node->host, 100))
            continue;
        if (node->connection != NULL)
            disconnect(node);
        real_host_destroy(node->host);
    }
    free(node->waiting);
    free(node->calls);
    free(node);
}
