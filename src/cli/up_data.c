/* The data root of a local cluster (up_data.h). */
#include "cli/up_data.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/up_keys.h"

enum { PATH_SIZE = 4096 };

static void remove_node_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    closedir(directory);
    rmdir(path);
}

/* Removes what an earlier `up` made there, and nothing else. */
static void remove_data(const char *root)
{
    char path[PATH_SIZE];
    static const char *const directories[] = {"node-", "gateway-", "keys/node-"};
    static const char *const logs[] = {"node-", "gateway-"};
    for (int id = 1; id <= UP_NODES_MAX + 1; id++) {
        for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
            snprintf(path, sizeof path, "%s/%s%d", root, directories[i], id);
            remove_node_directory(path);
        }
        for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
            snprintf(path, sizeof path, "%s/%s%d.log", root, logs[i], id);
            unlink(path);
        }
    }
    snprintf(path, sizeof path, "%s/keys", root);
    rmdir(path);
    snprintf(path, sizeof path, "%s/cluster", root);
    unlink(path);
}

/* The number of nodes that the root was made for; 0: it is new; -1: it cannot be read. `*unused`: it was never ready. */
static int marker_read(const char *root, bool *unused)
{
    *unused = true;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/cluster", root);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return errno == ENOENT ? 0 : -1;
    int nodes = -1;
    char word[8] = "";
    if (fscanf(file, "nodes %d %7s", &nodes, word) < 1)
        nodes = -1;
    *unused = strcmp(word, "new") == 0;
    fclose(file);
    return nodes;
}

bool up_data_mark(const char *root, int nodes, bool unused)
{
    char path[PATH_SIZE], next[PATH_SIZE];
    snprintf(path, sizeof path, "%s/cluster", root);
    snprintf(next, sizeof next, "%s/cluster.next", root);
    FILE *file = fopen(next, "w");
    if (file == NULL)
        return false;
    bool written = fprintf(file, "nodes %d%s\n", nodes, unused ? " new" : "") > 0 && fflush(file) == 0 &&
                   fsync(fileno(file)) == 0;
    return fclose(file) == 0 && written && rename(next, path) == 0;
}

bool up_data_prepare(struct up_cluster *cluster, bool fresh)
{
    if (mkdir(cluster->data, 0750) != 0 && errno != EEXIST) {
        fprintf(stderr, "lockstep up: cannot make the data directory %s: %s; choose another --data\n", cluster->data,
                strerror(errno));
        return false;
    }
    if (fresh)
        remove_data(cluster->data);
    bool unused;
    int nodes = marker_read(cluster->data, &unused);
    if (nodes != 0 && nodes != cluster->count) {
        fprintf(stderr,
                "lockstep up: %s holds a cluster of %d nodes, not %d; give --nodes %d, another --data, or --fresh to "
                "begin with empty data\n",
                cluster->data, nodes, cluster->count, nodes);
        return false;
    }
    cluster->init = unused;
    if (nodes == 0 && !up_data_mark(cluster->data, cluster->count, true)) {
        fprintf(stderr, "lockstep up: cannot write in %s: %s\n", cluster->data, strerror(errno));
        return false;
    }
    char why[PATH_SIZE];
    /* Later, keys that are missing are lost, and new ones would make strangers of nodes that have promised something. */
    if (cluster->gateway && unused && !up_keys_make(cluster->data, up_process_count(cluster), why, sizeof why)) {
        fprintf(stderr, "lockstep up: %s\n", why);
        return false;
    }
    return true;
}
