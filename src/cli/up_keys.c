/* Keys of a local cluster (up_keys.h). */
#include "cli/up_keys.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "host/real/proof_sodium.h"

enum { PATH_SIZE = 4096 };

static void directory_of(const char *root, int id, char out[PATH_SIZE])
{
    snprintf(out, PATH_SIZE, "%s/keys/node-%d", root, id);
}

static bool make_directory(const char *path, char *why, size_t why_size)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    snprintf(why, why_size, "cannot make the directory %s: %s", path, strerror(errno));
    return false;
}

static bool make_own(const char *root, int id, char *why, size_t why_size)
{
    char directory[PATH_SIZE], path[PATH_SIZE + 16];
    directory_of(root, id, directory);
    snprintf(path, sizeof path, "%s/secret", directory);
    if (access(path, F_OK) == 0)
        return true;
    return make_directory(directory, why, why_size) && proof_sodium_new(directory, (uint32_t)id, why, why_size) == OK;
}

/* Gives `reader` the public file of `owner`. */
static bool give(const char *root, int owner, int reader, char *why, size_t why_size)
{
    char directory[PATH_SIZE], path[PATH_SIZE + 32];
    uint8_t key[PROOF_KEY_SIZE];
    directory_of(root, owner, directory);
    if (proof_sodium_show(directory, key, why, why_size) != OK)
        return false;
    directory_of(root, reader, directory);
    snprintf(path, sizeof path, "%s/node-%d", directory, owner);
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(key, 1, sizeof key, file) == sizeof key;
    if (file != NULL)
        written = fclose(file) == 0 && written;
    if (!written)
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
    return written;
}

bool up_keys_make(const char *root, int count, char *why, size_t why_size)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/keys", root);
    bool good = make_directory(path, why, why_size);
    for (int id = 1; id <= count && good; id++)
        good = make_own(root, id, why, why_size);
    for (int owner = 1; owner <= count; owner++)
        for (int reader = 1; reader <= count && good; reader++)
            good = owner == reader || give(root, owner, reader, why, why_size);
    return good;
}
