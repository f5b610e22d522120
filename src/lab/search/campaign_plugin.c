/* Loading the plugin that opens the door to the other ranks. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/search/campaign_ranks.h"

#define PLUGIN_NAME "lockstep-mpi.so"

bool ranks_under_mpi(uint32_t *rank)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE"), *own = getenv("OMPI_COMM_WORLD_RANK");
    *rank = own != NULL ? (uint32_t)strtoul(own, NULL, 10) : 0;
    return size != NULL;
}

/* The folder of the program, with a slash at its end. */
static bool program_folder(char out[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (length <= 0)
        return false;
    out[length] = '\0';
    char *slash = strrchr(out, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    return true;
}

/* Neither place has it, or it cannot be loaded: says so for the first place where there is one. */
static void *load_from(const char *const paths[2], char *why, size_t why_size)
{
    for (int i = 0; i < 2; i++) {
        if (access(paths[i], F_OK) != 0)
            continue;
        /* Open MPI loads parts of its own, which look for its symbols. */
        void *plugin = dlopen(paths[i], RTLD_NOW | RTLD_GLOBAL);
        if (plugin == NULL)
            snprintf(why, why_size, "cannot load the plugin for Open MPI: %s", dlerror());
        return plugin;
    }
    snprintf(why, why_size, "runs under mpirun, but the plugin for Open MPI is neither %s nor %s; build it with "
             "libopenmpi-dev installed, or use --jobs without mpirun", paths[0], paths[1]);
    return NULL;
}

bool ranks_load(struct ranks *out, const char *libdir_from_bin, char *why, size_t why_size)
{
    char folder[PATH_MAX], beside[PATH_MAX + 64], installed[PATH_MAX + 256];
    if (!program_folder(folder)) {
        snprintf(why, why_size, "cannot tell where the program lies, to find the plugin for Open MPI");
        return false;
    }
    snprintf(beside, sizeof beside, "%s%s", folder, PLUGIN_NAME);
    snprintf(installed, sizeof installed, "%s%.100s/lockstep/%s", folder, libdir_from_bin, PLUGIN_NAME);
    void *plugin = load_from((const char *const[]){beside, installed}, why, why_size);
    if (plugin == NULL)
        return false;
    ranks_plugin_open *open_door = NULL;
    void *symbol = dlsym(plugin, RANKS_PLUGIN_SYMBOL);
    memcpy(&open_door, &symbol, sizeof open_door); /* ISO C has no cast from an object to a function */
    if (symbol == NULL) {
        snprintf(why, why_size, "the plugin for Open MPI is not of this program: %s", dlerror());
        return false;
    }
    return open_door(RANKS_VERSION, out, why, why_size) == 0;
}
