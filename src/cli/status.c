/* lockstep status: every node and group of a running cluster.
 *
 * Asks one node, then all others that it names, by the addresses that they told it. Each row is what the node itself
 * says; suspicion is what the others think of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli/cli.h"
#include "cli/node_view.h"

enum { TIMEOUT_MS = 1000, NODES_MAX = NODE_VIEW_PEERS_MAX + 1 };

struct cluster {
    struct node_view *nodes;
    size_t count;
};

static void print_help(void)
{
    puts("usage: lockstep status [-p PORT | -a HOST:PORT] [-o table|json]\n"
         "\n"
         "Shows every node and group of a running cluster: node, process, role, term, commit and applied index, lag,\n"
         "duration of the last durable write, and by whom a node is suspected; and of gateways, which node gave wrong\n"
         "answers.\n"
         "\n"
         "  -p, --port PORT          of any node on this machine (7001)\n"
         "  -a, --address HOST:PORT  of any node\n"
         "  -o, --output FORMAT      table (default) or json\n"
         "\n"
         "The status is 0 if every node answers and a leader is known, else 1.");
}

static int compare_nodes(const void *a, const void *b)
{
    uint32_t left = ((const struct node_view *)a)->node, right = ((const struct node_view *)b)->node;
    return (left > right) - (left < right);
}

/* The first node and all peers that it knows. */
static void cluster_ask(struct cluster *cluster, const char *address)
{
    struct node_view *first = &cluster->nodes[0];
    cluster->count = 1;
    if (!node_view_ask(first, address, TIMEOUT_MS))
        return;
    for (uint32_t i = 0; i < first->peer_count; i++) {
        const struct peer_view *peer = &first->peers[i];
        struct node_view *view = &cluster->nodes[cluster->count++];
        if (peer->address[0] != '\0') {
            node_view_ask(view, peer->address, TIMEOUT_MS);
        } else {
            memset(view, 0, sizeof *view);
            snprintf(view->why, sizeof view->why, "node %" PRIu32 " has not connected, so its address is not known",
                     peer->node);
        }
        view->node = peer->node;
    }
    qsort(cluster->nodes, cluster->count, sizeof *cluster->nodes, compare_nodes);
}

/* "2,3" or "-": who suspects the node or has no connection with it. */
static void suspects_print(const struct cluster *cluster, uint32_t node, char *out, size_t size)
{
    size_t length = 0;
    snprintf(out, size, "-");
    for (size_t i = 0; i < cluster->count; i++) {
        const struct node_view *view = &cluster->nodes[i];
        for (uint32_t j = 0; view->reachable && j < view->peer_count; j++) {
            const struct peer_view *peer = &view->peers[j];
            if (peer->node != node || (peer->connected && peer->suspicion == 0) || length + 12 > size)
                continue;
            length += (size_t)snprintf(out + length, size - length, "%s%" PRIu32, length > 0 ? "," : "", view->node);
        }
    }
}

static void print_row(const struct cluster *cluster, const struct node_view *node, const struct group_view *group)
{
    char suspects[128], sync[32] = "-";
    suspects_print(cluster, node->node, suspects, sizeof suspects);
    if (node->last_fsync_us >= 0)
        snprintf(sync, sizeof sync, "%" PRId64 " us", node->last_fsync_us);
    printf("%-5" PRIu32 " %-22s %-8" PRId64 " %-8s %-10s %-7" PRIu64 " %-12" PRIu64 " %-12" PRIu64 " %-8" PRIu64
           " %-10s %s%s\n",
           node->node, node->address, node->pid, group->name, group->role, group->term, group->commit, group->applied,
           group->lag, sync, suspects, group->voter ? "" : " (does not vote)");
}

static void print_table(const struct cluster *cluster)
{
    printf("%-5s %-22s %-8s %-8s %-10s %-7s %-12s %-12s %-8s %-10s %s\n", "NODE", "ADDRESS", "PID", "GROUP", "ROLE",
           "TERM", "COMMIT", "APPLIED", "LAG", "FSYNC", "SUSPECTED BY");
    for (size_t i = 0; i < cluster->count; i++) {
        const struct node_view *node = &cluster->nodes[i];
        char suspects[128];
        suspects_print(cluster, node->node, suspects, sizeof suspects);
        if (!node->reachable)
            printf("%-5" PRIu32 " %-22s down      %s (suspected by %s)\n", node->node,
                   node->address[0] != '\0' ? node->address : "?", node->why, suspects);
        for (uint32_t j = 0; node->reachable && j < node->group_count; j++)
            print_row(cluster, node, &node->groups[j]);
    }
}

/* What gateways found out about nodes. */
static void print_wrong_answers(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct node_view *view = &cluster->nodes[i];
        for (uint32_t j = 0; view->reachable && j < view->peer_count; j++)
            if (view->peers[j].wrong_answers > 0)
                printf("gateway %" PRIu32 ": node %" PRIu32 " gave a wrong answer to %" PRIu64 " requests\n", view->node,
                       view->peers[j].node, view->peers[j].wrong_answers);
    }
}

static json_t *wrong_answers_json(const struct node_view *view)
{
    json_t *wrong = json_object();
    for (uint32_t i = 0; i < view->peer_count; i++) {
        char node[16];
        snprintf(node, sizeof node, "%" PRIu32, view->peers[i].node);
        if (view->peers[i].wrong_answers > 0)
            json_object_set_new(wrong, node, json_integer((json_int_t)view->peers[i].wrong_answers));
    }
    return wrong;
}

static json_t *groups_json(const struct node_view *node)
{
    json_t *groups = json_array();
    for (uint32_t i = 0; i < node->group_count; i++) {
        const struct group_view *group = &node->groups[i];
        json_array_append_new(
            groups, json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "group", (json_int_t)group->group,
                              "name", group->name, "role", group->role, "term", (json_int_t)group->term, "leader",
                              (json_int_t)group->leader, "commit", (json_int_t)group->commit, "applied",
                              (json_int_t)group->applied, "lag", (json_int_t)group->lag, "voter", (int)group->voter));
    }
    return groups;
}

static void print_json(const struct cluster *cluster)
{
    json_t *nodes = json_array();
    for (size_t i = 0; i < cluster->count; i++) {
        const struct node_view *node = &cluster->nodes[i];
        char suspects[128];
        suspects_print(cluster, node->node, suspects, sizeof suspects);
        json_t *object = json_pack("{s:I, s:s, s:b, s:s}", "node", (json_int_t)node->node, "address", node->address,
                                   "reachable", (int)node->reachable, "suspected_by",
                                   strcmp(suspects, "-") == 0 ? "" : suspects);
        if (node->reachable) {
            json_object_set_new(object, "pid", json_integer(node->pid));
            json_object_set_new(object, "last_fsync_us", json_integer(node->last_fsync_us));
            json_object_set_new(object, "groups", groups_json(node));
            json_object_set_new(object, "wrong_answers_of", wrong_answers_json(node));
        } else {
            json_object_set_new(object, "why", json_string(node->why));
        }
        json_array_append_new(nodes, object);
    }
    json_dumpf(nodes, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(nodes);
}

static int verdict(const struct cluster *cluster)
{
    bool leader = false;
    for (size_t i = 0; i < cluster->count; i++) {
        if (!cluster->nodes[i].reachable)
            return CLI_FAILED;
        for (uint32_t j = 0; j < cluster->nodes[i].group_count; j++)
            leader = leader || cluster->nodes[i].groups[j].leader != 0;
    }
    return leader ? CLI_OK : CLI_FAILED;
}

static int show(const char *address, bool json)
{
    struct cluster cluster = {.nodes = calloc(NODES_MAX, sizeof *cluster.nodes)};
    if (cluster.nodes == NULL) {
        fputs("lockstep status: there is no memory for the answers\n", stderr);
        return CLI_FAILED;
    }
    cluster_ask(&cluster, address);
    int result = verdict(&cluster);
    if (cluster.count == 1 && !cluster.nodes[0].reachable) {
        fprintf(stderr, "lockstep status: %s; is a node running there? -p PORT or -a HOST:PORT names another\n",
                cluster.nodes[0].why);
    } else if (json) {
        print_json(&cluster);
    } else {
        print_table(&cluster);
        print_wrong_answers(&cluster);
    }
    free(cluster.nodes);
    return result;
}

int cli_status(int argc, char **argv)
{
    char address[NODE_VIEW_ADDRESS_SIZE_MAX] = "127.0.0.1:7001";
    bool json = false;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            print_help();
            return CLI_OK;
        }
        const char *value = i + 1 < argc ? argv[++i] : NULL;
        if (value != NULL && (strcmp(name, "-p") == 0 || strcmp(name, "--port") == 0)) {
            snprintf(address, sizeof address, "127.0.0.1:%s", value);
        } else if (value != NULL && (strcmp(name, "-a") == 0 || strcmp(name, "--address") == 0)) {
            snprintf(address, sizeof address, "%s", value);
        } else if (value != NULL && (strcmp(name, "-o") == 0 || strcmp(name, "--output") == 0) &&
                   (strcmp(value, "json") == 0 || strcmp(value, "table") == 0)) {
            json = strcmp(value, "json") == 0;
        } else {
            fprintf(stderr, "lockstep status: cannot make sense of '%s%s%s'; see `lockstep help status`\n", name,
                    value != NULL ? " " : "", value != NULL ? value : "");
            return CLI_USAGE;
        }
    }
    return show(address, json);
}
