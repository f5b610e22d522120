/* The seeds of a campaign dealt out over the ranks of an MPI job, on one machine or many.
 *
 * The laboratory knows ranks by the door below only. libmpi stays out of the program, which is the server's too: a
 * plugin opens the door (plugins/ranks_mpi.c), and is loaded when the program runs under mpirun. */
#ifndef LOCKSTEP_LAB_CAMPAIGN_RANKS_H
#define LOCKSTEP_LAB_CAMPAIGN_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RANKS_VERSION = 1,
    RANKS_MESSAGE_SIZE_MAX = 1024, /* of what is handed to send */
};

struct ranks {
    void *context;
    uint32_t rank, count;
    /* A copy of the bytes goes to that rank; messages between two ranks stay in order and are not lost. */
    void (*send)(void *context, uint32_t to, const void *data, size_t size);
    /* The next message from any rank; `data` has room for RANKS_MESSAGE_SIZE_MAX. Its size; 0 when there is none, which
     * only happens when it was not to wait. */
    size_t (*receive)(void *context, bool wait, uint32_t *from, void *data);
    /* All ranks call it once, at the end. */
    void (*close)(void *context);
};

/* What the plugin shows, under this name: fills in the door. 0, or nonzero with a sentence in `why`. */
#define RANKS_PLUGIN_SYMBOL "lockstep_ranks_open"
typedef int ranks_plugin_open(uint32_t version, struct ranks *out, char *why, size_t why_size);

/* Runs under mpirun? Then `*rank` is set. */
bool ranks_under_mpi(uint32_t *rank);
/* Loads the plugin from the folder of the program, or from where it is installed, `libdir_from_bin` (for example
 * "../lib") away from it. False with a sentence in `why`. */
bool ranks_load(struct ranks *out, const char *libdir_from_bin, char *why, size_t why_size);

#endif
