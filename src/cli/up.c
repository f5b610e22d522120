/* lockstep up: a whole cluster on this machine, for trying out and for tests. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/node_view.h"
#include "cli/resp_client.h"
#include "cli/up_data.h"
#include "cli/up_nodes.h"
#include "contract/protocol.h"
#include "host/real/clock.h"
#include "host/real/host.h"
#include "protocol/registry.h"

enum {
    POLL_MS = 500,
    READY_POLL_MS = 50,
    SETTLED_MS = 500,
    ASK_TIMEOUT_MS = 400,
    PATH_SIZE = 4096,
    LINE_SIZE = 256,
};

struct up {
    struct up_cluster cluster;
    bool fresh;
    bool terminal;
    bool ready;
    char line[LINE_SIZE];   /* the status shown last */
    uint64_t last_commit;
    int64_t last_commit_ns;
};

static void print_help(void)
{
    puts("usage: lockstep up [OPTION]...\n"
         "\n"
         "Runs a cluster on this machine: one `lockstep server` a node, on 127.0.0.1. Ctrl-C stops all of them; their\n"
         "data stays. Options of the nodes may come from the environment, for example LOCKSTEP_HEARTBEAT=20ms.\n"
         "\n"
         "With a protocol that masks nodes that lie (--nodes 4 --protocol pbft) it also makes keys and runs a `lockstep\n"
         "gateway`, whose answers are those of enough nodes: it has PORT, and the nodes the ports behind it.\n"
         "\n"
         "  --nodes N         how many, 1 to 9 (3)\n"
         "  --port PORT       of the first node, or the gateway; the next ones follow, and each node has its own + 10000\n"
         "                    for the others (7001)\n"
         "  --data DIR        root of the nodes' data directories, keys and logs (data)\n"
         "  --protocol P      by which the nodes agree: raft, paxos or pbft (raft)\n"
         "  --signatures yes  prove messages by signatures rather than MACs (pbft)\n"
         "  --fresh           begin with empty data: removes the nodes' directories below DIR first\n"
         "  --no-restart      a node that ends stays down");
}

/* ---- looking at the cluster ---- */

/* Asks one of our processes what it knows; false when nobody answers, or somebody else who has its port. */
static bool ask_own(const struct up_node *node, struct node_view *out)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", node->port);
    return node->pid != 0 && node_view_ask(out, address, ASK_TIMEOUT_MS) && out->pid == node->pid;
}

/* Do all processes run, as far as one can know? One that has ended once is to show first that it stays this time. */
static bool all_run(const struct up_cluster *cluster)
{
    int64_t now_ns = clock_monotone_ns();
    for (int i = 0; i < up_process_count(cluster); i++) {
        const struct up_node *node = &cluster->nodes[i];
        if (node->pid == 0 || (node->starts > 1 && now_ns - node->started_ns < SETTLED_MS * NS_PER_MS))
            return false;
    }
    return true;
}

/* Does a linearizable read work, and is it our cluster that answers? */
static bool is_ready(const struct up_cluster *cluster)
{
    const struct up_node *first = &cluster->nodes[cluster->gateway ? cluster->count : 0];
    struct node_view view;
    char address[32], why[256];
    if (!all_run(cluster) || !ask_own(first, &view))
        return false;
    snprintf(address, sizeof address, "127.0.0.1:%d", cluster->port);
    struct resp_client *client;
    if (resp_client_open(&client, address, ASK_TIMEOUT_MS, why, sizeof why) != OK)
        return false;
    const char *const command[] = {"EXISTS", "lockstep:ready"};
    struct resp_value answer;
    bool ready = resp_client_command(client, 2, command, &answer) == OK && !resp_value_is_error(&answer);
    resp_value_free(&answer);
    resp_client_close(client);
    return ready;
}

struct summary {
    uint32_t leader;
    uint64_t term, commit;
    char down[96];
};

static void look(const struct up_cluster *cluster, struct summary *out)
{
    *out = (struct summary){.leader = 0};
    size_t length = 0;
    for (int i = 0; i < cluster->count; i++) {
        struct node_view view;
        if (!ask_own(&cluster->nodes[i], &view)) {
            length += (size_t)snprintf(out->down + length, sizeof out->down - length, "%s%d", length > 0 ? ", " : "",
                                       i + 1);
            continue;
        }
        const struct group_view *group = &view.groups[0];
        if (view.group_count > 0 && group->term >= out->term && group->leader != 0) {
            out->term = group->term;
            out->leader = group->leader;
        }
        if (view.group_count > 0 && group->commit > out->commit)
            out->commit = group->commit;
    }
    if (cluster->gateway && cluster->nodes[cluster->count].pid == 0)
        snprintf(out->down + length, sizeof out->down - length, "%sthe gateway", length > 0 ? ", " : "");
}

/* Commands a second since the last look. */
static uint64_t rate(struct up *up, uint64_t commit)
{
    int64_t now_ns = clock_monotone_ns();
    int64_t passed_ns = now_ns - up->last_commit_ns;
    uint64_t result = 0;
    if (up->last_commit_ns != 0 && commit > up->last_commit && passed_ns > 0)
        result = (uint64_t)((double)(commit - up->last_commit) * 1e9 / (double)passed_ns);
    up->last_commit = commit;
    up->last_commit_ns = now_ns;
    return result;
}

static void show(struct up *up)
{
    struct summary summary;
    look(&up->cluster, &summary);
    bool views = up->cluster.gateway; /* then it is who orders, not who knows */
    char leader[64], down[128] = "all nodes up", line[LINE_SIZE];
    snprintf(leader, sizeof leader, views ? "no primary" : "no leader");
    if (summary.leader != 0)
        snprintf(leader, sizeof leader, "%s node %" PRIu32 ", %s %" PRIu64, views ? "primary" : "leader",
                 summary.leader, views ? "view" : "term", summary.term);
    if (summary.down[0] != '\0')
        snprintf(down, sizeof down, "down: %s", summary.down);
    if (up->terminal) {
        snprintf(line, sizeof line, "%s, %" PRIu64 " writes/s, %s", leader, rate(up, summary.commit), down);
        printf("\r\033[K%s", line);
    } else {
        snprintf(line, sizeof line, "%s, %s", leader, down);
        if (strcmp(line, up->line) != 0)
            printf("%s\n", line);
    }
    memcpy(up->line, line, sizeof up->line);
    fflush(stdout);
}

/* ---- running ---- */

static bool start_all(struct up *up)
{
    struct up_cluster *cluster = &up->cluster;
    for (int i = 0; i < up_process_count(cluster); i++) {
        struct up_node *node = &cluster->nodes[i];
        *node = (struct up_node){.id = (uint32_t)i + 1, .port = up_node_port(cluster, i)};
        if (i == cluster->count)
            node->port = cluster->port;
        char why[PATH_SIZE + 128];
        if (!up_node_start(cluster, node, why, sizeof why)) {
            fprintf(stderr, "lockstep up: %s\n", why);
            return false;
        }
    }
    return true;
}

/* Before it was ever ready, a node that ends at once will hardly do better the next time. */
static bool failed_at_start(struct up *up)
{
    if (up->ready)
        return false;
    for (int i = 0; i < up_process_count(&up->cluster); i++) {
        const struct up_node *node = &up->cluster.nodes[i];
        if (node->pid == 0 && (node->starts > 1 || !up->cluster.restart)) {
            char last[1024];
            up_node_last_words(&up->cluster, node, last, sizeof last);
            fprintf(stderr, "lockstep up: %s %u does not come up: %s%s\n", up_process_kind(&up->cluster, node), node->id,
                    last, strstr(last, " is in use") != NULL ? " (of `lockstep up`: another --port)" : "");
            return true;
        }
    }
    return false;
}

/* Who wonders why a cluster stopped finds it in the output. */
static void say_stopping(const struct up *up, const siginfo_t *info)
{
    const char *begin = up->terminal ? "\n" : "";
    if (info->si_code == SI_USER)
        fprintf(stderr, "%sstopping: process %d sent %s\n", begin, (int)info->si_pid, strsignal(info->si_signo));
    else
        fprintf(stderr, "%sstopping: %s\n", begin, strsignal(info->si_signo));
}

static int watch(struct up *up, const sigset_t *signals)
{
    for (;;) {
        struct timespec wait = {.tv_nsec = (up->ready ? POLL_MS : READY_POLL_MS) * NS_PER_MS};
        siginfo_t info;
        int number = sigtimedwait(signals, &info, &wait);
        if (number == SIGINT || number == SIGTERM || number == SIGHUP) {
            say_stopping(up, &info);
            return CLI_OK;
        }
        up_nodes_reap(&up->cluster, false);
        if (failed_at_start(up))
            return CLI_FAILED;
        up_nodes_restart(&up->cluster);
        if (!up->ready && is_ready(&up->cluster)) {
            up->ready = true;
            /* A directory that vanishes from now on was not a new one. */
            if (up->cluster.init && !up_data_mark(up->cluster.data, up->cluster.count, false))
                fprintf(stderr, "lockstep up: cannot write in %s: %s\n", up->cluster.data, strerror(errno));
            up->cluster.init = false;
            printf("ready: redis-cli -p %d\n", up->cluster.port);
            if (up->cluster.gateway)
                printf("a gateway, which compares what nodes 1 to %d at ports %d to %d answer\n", up->cluster.count,
                       up_node_port(&up->cluster, 0), up_node_port(&up->cluster, up->cluster.count - 1));
            fflush(stdout);
        }
        if (up->ready && number != SIGCHLD)
            show(up);
    }
}

static int run(struct up *up)
{
    char program[PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0) {
        fputs("lockstep up: cannot find its own program file in /proc\n", stderr);
        return CLI_FAILED;
    }
    program[size] = '\0';
    up->cluster.program = program;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    /* They are waited for, so none is lost between two looks. */
    sigprocmask(SIG_BLOCK, &signals, NULL);
    int result = up_data_prepare(&up->cluster, up->fresh) && start_all(up) ? watch(up, &signals) : CLI_FAILED;
    up_nodes_stop(&up->cluster);
    return result;
}

/* ---- arguments ---- */

static bool number_argument(const char *text, long min, long max, int *out)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < min || number > max)
        return false;
    *out = (int)number;
    return true;
}

static bool yes_no_argument(const char *text, bool *out)
{
    *out = strcmp(text, "yes") == 0;
    return *out || strcmp(text, "no") == 0;
}

/* False: `why` says what is wrong with it. */
static bool option_read(struct up_cluster *cluster, const char *name, const char *value, char *why, size_t why_size)
{
    const char *expected = "a directory";
    bool good = value[0] != '\0';
    if (strcmp(name, "--data") == 0) {
        cluster->data = value;
    } else if (strcmp(name, "--protocol") == 0) {
        expected = "the name of a protocol";
        cluster->protocol = value;
    } else if (strcmp(name, "--nodes") == 0) {
        expected = "a number from 1 to 9";
        good = number_argument(value, 1, UP_NODES_MAX, &cluster->count);
    } else if (strcmp(name, "--port") == 0) {
        expected = "a port from 1 to 55526";
        good = number_argument(value, 1, 55526, &cluster->port);
    } else if (strcmp(name, "--signatures") == 0) {
        expected = "yes or no";
        good = yes_no_argument(value, &cluster->signatures);
    } else {
        snprintf(why, why_size, "there is no option '%s'", name);
        return false;
    }
    if (!good)
        snprintf(why, why_size, "%s expects %s, and '%s' is none", name, expected, value);
    return good;
}

/* What every node would refuse is refused here, once. */
static bool agreeable(struct up_cluster *cluster)
{
    const char *name = cluster->protocol != NULL ? cluster->protocol : "raft";
    char why[1024];
    if (real_host_check_protocol(name, (uint32_t)cluster->count, cluster->signatures, why, sizeof why) != OK) {
        fprintf(stderr, "lockstep up: %s\n", why);
        return false;
    }
    cluster->gateway = protocol_find(name)->masks == MASKS_ARBITRARY;
    return true;
}

int cli_up(int argc, char **argv)
{
    struct up up = {.cluster = {.count = 3, .port = 7001, .data = "data", .restart = true},
                    .terminal = isatty(STDOUT_FILENO) == 1};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            print_help();
            return CLI_OK;
        }
        if (strcmp(name, "--fresh") == 0) {
            up.fresh = true;
            continue;
        }
        if (strcmp(name, "--no-restart") == 0) {
            up.cluster.restart = false;
            continue;
        }
        char why[512];
        if (!option_read(&up.cluster, name, value, why, sizeof why)) {
            fprintf(stderr, "lockstep up: %s; see `lockstep help up`\n", why);
            return CLI_USAGE;
        }
        i++;
    }
    return agreeable(&up.cluster) ? run(&up) : CLI_USAGE;
}
