/* The child processes of `lockstep up` (up_nodes.h).
 *
 * A child dies with its parent (PR_SET_PDEATHSIG), so a killed `up` leaves nothing behind. */
#include "cli/up_nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/real/clock.h"

enum {
    PATH_SIZE_MAX = 4096,
    PEERS_SIZE_MAX = 512,
    WORDS_MAX = 24,
    PEER_PORT_OFFSET = 10000,
    STOP_S = 5,
    LOG_TAIL_SIZE = 2000,
    EARLY_S = 2, /* a node that ends sooner than that after its start did not come up */
};

static const int64_t BACKOFF_MIN_NS = 200 * NS_PER_MS, BACKOFF_MAX_NS = 5 * NS_PER_S;

int up_process_count(const struct up_cluster *cluster)
{
    return cluster->count + (cluster->gateway ? 1 : 0);
}

static bool is_gateway(const struct up_cluster *cluster, const struct up_node *node)
{
    return node == &cluster->nodes[cluster->count];
}

const char *up_process_kind(const struct up_cluster *cluster, const struct up_node *node)
{
    return is_gateway(cluster, node) ? "gateway" : "node";
}

int up_node_port(const struct up_cluster *cluster, int place)
{
    return cluster->port + place + (cluster->gateway ? 1 : 0);
}

static void log_path(const struct up_cluster *cluster, const struct up_node *node, char *out, size_t size)
{
    snprintf(out, size, "%s/%s-%u.log", cluster->data, up_process_kind(cluster, node), node->id);
}

/* The command line of a child. */
struct command {
    char id[16], listen[32], peer_listen[32], data[PATH_SIZE_MAX], keys[PATH_SIZE_MAX], peers[PEERS_SIZE_MAX], client[16];
    const char *words[WORDS_MAX + 1];
    int count;
};

static void add(struct command *command, const char *name, const char *value)
{
    command->words[command->count++] = name;
    if (value != NULL)
        command->words[command->count++] = value;
}

static void peers_print(const struct up_cluster *cluster, char *out, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < cluster->count; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%d=127.0.0.1:%d", i > 0 ? "," : "", i + 1,
                                   up_node_port(cluster, i) + PEER_PORT_OFFSET);
}

static void command_fill(const struct up_cluster *cluster, const struct up_node *node, struct command *out)
{
    bool gateway = is_gateway(cluster, node);
    snprintf(out->id, sizeof out->id, "%u", node->id);
    snprintf(out->listen, sizeof out->listen, "127.0.0.1:%d", node->port);
    snprintf(out->peer_listen, sizeof out->peer_listen, "127.0.0.1:%d", node->port + PEER_PORT_OFFSET);
    snprintf(out->data, sizeof out->data, "%s/%s-%u", cluster->data, up_process_kind(cluster, node), node->id);
    snprintf(out->keys, sizeof out->keys, "%s/keys/node-%u", cluster->data, node->id);
    snprintf(out->client, sizeof out->client, "%d", cluster->count + 1);
    peers_print(cluster, out->peers, sizeof out->peers);
    add(out, "lockstep", gateway ? "gateway" : "server");
    add(out, "--id", out->id);
    add(out, "--listen", out->listen);
    add(out, "--data", out->data);
    if (cluster->count > 1)
        add(out, "--peers", out->peers);
    if (cluster->count > 1 && !gateway)
        add(out, "--peer-listen", out->peer_listen);
    if (cluster->init && !gateway)
        add(out, "--init", NULL);
    if (cluster->protocol != NULL)
        add(out, "--protocol", cluster->protocol);
    if (cluster->gateway)
        add(out, "--keys", out->keys);
    if (cluster->gateway && !gateway)
        add(out, "--clients", out->client);
    if (cluster->signatures)
        add(out, "--signatures", NULL);
}

/* In the child: becomes the server or the gateway, or ends with 127. */
static _Noreturn void become(const struct up_cluster *cluster, const struct up_node *node, int log, pid_t parent)
{
    struct command command = {.count = 0};
    command_fill(cluster, node, &command);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* A group of its own: Ctrl-C goes to the parent alone, which then stops the nodes in order. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    if (getppid() == parent) /* else it died before the line above */
        execv(cluster->program, (char *const *)command.words);
    _exit(127);
}

bool up_node_start(struct up_cluster *cluster, struct up_node *node, char *why, size_t why_size)
{
    char path[PATH_SIZE_MAX];
    log_path(cluster, node, path, sizeof path);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (log < 0) {
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
        return false;
    }
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(cluster, node, log, parent);
    close(log);
    if (pid < 0) {
        snprintf(why, why_size, "cannot start a process for %s %u: %s", up_process_kind(cluster, node),
                 node->id, strerror(errno));
        return false;
    }
    node->pid = pid;
    node->started_ns = clock_monotone_ns();
    node->starts++;
    return true;
}

/* The end of its log, from the beginning of a line on; true if something was cut off before it. */
static bool log_tail(const struct up_cluster *cluster, const struct up_node *node, char text[LOG_TAIL_SIZE + 1])
{
    char path[PATH_SIZE_MAX];
    text[0] = '\0';
    log_path(cluster, node, path, sizeof path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    long at = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
    (void)fseek(file, at > LOG_TAIL_SIZE ? at - LOG_TAIL_SIZE : 0, SEEK_SET);
    size_t size = fread(text, 1, LOG_TAIL_SIZE, file);
    fclose(file);
    text[size] = '\0';
    char *line = strchr(text, '\n');
    if (at <= LOG_TAIL_SIZE || line == NULL)
        return false;
    memmove(text, line + 1, strlen(line + 1) + 1);
    return true;
}

/* The last lines of a node's log, on standard error. */
static void show_log(const struct up_cluster *cluster, const struct up_node *node)
{
    char path[PATH_SIZE_MAX], text[LOG_TAIL_SIZE + 1];
    log_path(cluster, node, path, sizeof path);
    bool cut = log_tail(cluster, node, text);
    fprintf(stderr, "%s%s:\n%s", cut ? "the end of " : "", path, text);
}

void up_node_last_words(const struct up_cluster *cluster, const struct up_node *node, char *out, size_t size)
{
    char text[LOG_TAIL_SIZE + 1];
    (void)log_tail(cluster, node, text);
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n')
        text[--length] = '\0';
    const char *line = strrchr(text, '\n');
    line = line != NULL ? line + 1 : text;
    static const char prefix[] = "lockstep server: "; /* ours comes before it */
    if (strncmp(line, prefix, sizeof prefix - 1) == 0)
        line += sizeof prefix - 1;
    snprintf(out, size, "%s", line[0] != '\0' ? line : "its log says nothing");
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

static struct up_node *node_of(struct up_cluster *cluster, pid_t pid)
{
    for (int i = 0; i < up_process_count(cluster); i++)
        if (cluster->nodes[i].pid == pid)
            return &cluster->nodes[i];
    return NULL;
}

/* True if it will be started again. */
static bool ended(struct up_cluster *cluster, struct up_node *node, int status)
{
    char how[128];
    int64_t now_ns = clock_monotone_ns();
    bool early = now_ns - node->started_ns < EARLY_S * NS_PER_S;
    describe_end(status, how, sizeof how);
    if (!early || node->backoff_ns == 0)
        node->backoff_ns = BACKOFF_MIN_NS;
    /* Where the status line stands on a terminal, the report begins on a line of its own. */
    fprintf(stderr, "%s%s %u (process %d) %s", isatty(STDOUT_FILENO) == 1 ? "\n" : "", up_process_kind(cluster, node),
            node->id, (int)node->pid, how);
    node->pid = 0;
    if (!cluster->restart) {
        fputs("; it is not started again\n", stderr);
        return false;
    }
    fprintf(stderr, "; it is started again in %lld ms\n", (long long)(node->backoff_ns / NS_PER_MS));
    if (early && WIFEXITED(status) && node->starts == 1)
        show_log(cluster, node);
    node->restart_at_ns = now_ns + node->backoff_ns;
    node->backoff_ns = node->backoff_ns * 2 < BACKOFF_MAX_NS ? node->backoff_ns * 2 : BACKOFF_MAX_NS;
    return true;
}

bool up_nodes_reap(struct up_cluster *cluster, bool stopping)
{
    bool all_well = true;
    int status;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        struct up_node *node = node_of(cluster, pid);
        if (node == NULL)
            continue;
        if (stopping)
            node->pid = 0;
        else if (!ended(cluster, node, status))
            all_well = false;
    }
    return all_well;
}

void up_nodes_restart(struct up_cluster *cluster)
{
    int64_t now_ns = clock_monotone_ns();
    for (int i = 0; i < up_process_count(cluster); i++) {
        struct up_node *node = &cluster->nodes[i];
        char why[PATH_SIZE_MAX + 128];
        if (node->pid != 0 || !cluster->restart || node->restart_at_ns > now_ns)
            continue;
        if (!up_node_start(cluster, node, why, sizeof why)) {
            fprintf(stderr, "lockstep up: %s\n", why);
            node->restart_at_ns = now_ns + BACKOFF_MAX_NS;
        }
    }
}

static void signal_all(const struct up_cluster *cluster, int number)
{
    for (int i = 0; i < up_process_count(cluster); i++)
        if (cluster->nodes[i].pid != 0)
            kill(cluster->nodes[i].pid, number);
}

static bool any_runs(const struct up_cluster *cluster)
{
    for (int i = 0; i < up_process_count(cluster); i++)
        if (cluster->nodes[i].pid != 0)
            return true;
    return false;
}

void up_nodes_stop(struct up_cluster *cluster)
{
    int64_t kill_at_ns = clock_monotone_ns() + STOP_S * NS_PER_S;
    signal_all(cluster, SIGTERM);
    up_nodes_reap(cluster, true);
    while (any_runs(cluster)) {
        if (clock_monotone_ns() > kill_at_ns)
            signal_all(cluster, SIGKILL);
        struct timespec pause = {.tv_nsec = 10 * NS_PER_MS};
        nanosleep(&pause, NULL);
        up_nodes_reap(cluster, true);
    }
}
