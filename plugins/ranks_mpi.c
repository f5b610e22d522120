/* The plugin that opens the door to the other ranks of an MPI job (lab/search/campaign_ranks.h). It is loaded only when the
 * program runs under mpirun, so that the program itself needs no MPI. */
#include <mpi.h>

#include <stdio.h>
#include <string.h>

#include "lab/search/campaign_ranks.h"

enum { TAG = 1 };

ranks_plugin_open lockstep_ranks_open;

static void send_to(void *context, uint32_t to, const void *data, size_t size)
{
    (void)context;
    MPI_Send(data, (int)size, MPI_BYTE, (int)to, TAG, MPI_COMM_WORLD);
}

static size_t receive(void *context, bool wait, uint32_t *from, void *data)
{
    (void)context;
    MPI_Status status;
    int there = 0, size = 0;
    if (wait) {
        MPI_Probe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &status);
    } else {
        MPI_Iprobe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &there, &status);
        if (!there)
            return 0;
    }
    MPI_Get_count(&status, MPI_BYTE, &size);
    MPI_Recv(data, RANKS_MESSAGE_SIZE_MAX, MPI_BYTE, status.MPI_SOURCE, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    *from = (uint32_t)status.MPI_SOURCE;
    return (size_t)size;
}

static void close_door(void *context)
{
    (void)context;
    MPI_Finalize();
}

int lockstep_ranks_open(uint32_t version, struct ranks *out, char *why, size_t why_size)
{
    int rank = 0, count = 1;
    if (version != RANKS_VERSION) {
        snprintf(why, why_size, "the plugin for Open MPI is of another version; build both together");
        return 1;
    }
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS) {
        snprintf(why, why_size, "MPI does not start");
        return 1;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &count);
    memset(out, 0, sizeof *out);
    out->rank = (uint32_t)rank;
    out->count = (uint32_t)count;
    out->send = send_to;
    out->receive = receive;
    out->close = close_door;
    return 0;
}
