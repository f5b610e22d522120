/* The data root of a local cluster.
 *
 * It gets a marker, the file "cluster": "nodes 3 new" when it is made, "nodes 3" once the cluster was ready
 * for the first time. Nodes are told that they are new only before that: later a node whose directory is empty must be
 * filled from the others, because it may have voted and forgotten it. */
#ifndef LOCKSTEP_CLI_UP_DATA_H
#define LOCKSTEP_CLI_UP_DATA_H

#include <stdbool.h>

#include "cli/up_nodes.h"

/* Makes the root, empties it if `fresh`, and says whether its nodes are new ones (cluster->init). False, with a sentence on
 * standard error: it cannot be used. */
bool up_data_prepare(struct up_cluster *cluster, bool fresh);
/* Writes the marker. */
bool up_data_mark(const char *root, int nodes, bool unused);

#endif
