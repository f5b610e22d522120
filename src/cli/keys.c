/* lockstep keys: the keys by which nodes and clients prove their messages, where members may lie. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "cli/cli.h"
#include "host/real/proof_sodium.h"

enum { PATH_SIZE = 4096 };

struct wish {
    const char *directory;
    uint32_t id;
};

static void print_help(void)
{
    puts("usage: lockstep keys new --dir DIR --id N\n"
         "       lockstep keys show --dir DIR\n"
         "\n"
         "Protocols that mask arbitrary failures (pbft) need to know who a message is from. Each node, and each gateway,\n"
         "has a directory of keys: its own `secret`, which never leaves it, and one file `node-N` of public bytes for\n"
         "itself and for every node and gateway that it talks to.\n"
         "\n"
         "  new    makes DIR, if there is none, with `secret` and `node-N`. What is there is never overwritten.\n"
         "         Copy `node-N` into the keys directories of the others, and theirs into this one.\n"
         "  show   prints the public bytes that belong to `secret`, in hexadecimal: what GROUP.ENROL takes\n"
         "\n"
         "  --dir DIR   the directory; a server looks in DATA/keys unless --keys says otherwise\n"
         "  --id N      of the node or gateway");
}

static int fail(const char *why)
{
    fprintf(stderr, "lockstep keys: %s\n", why);
    return CLI_FAILED;
}

/* With those above it, so that DATA/keys can be made before the server makes DATA. */
static bool make_directory(const char *path)
{
    char part[PATH_SIZE];
    if (strlen(path) >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - path), path);
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return false;
    }
    return mkdir(path, 0700) == 0 || errno == EEXIST;
}

static int make_new(const struct wish *wish)
{
    char why[512];
    if (!make_directory(wish->directory)) {
        snprintf(why, sizeof why, "cannot make the directory %s: %s", wish->directory, strerror(errno));
        return fail(why);
    }
    if (proof_sodium_new(wish->directory, wish->id, why, sizeof why) != OK)
        return fail(why);
    printf("made %s/secret, which stays here, and %s/node-%" PRIu32 ", which the other nodes need in their keys "
           "directories\n",
           wish->directory, wish->directory, wish->id);
    return CLI_OK;
}

static int show(const struct wish *wish)
{
    char why[512];
    uint8_t key[PROOF_KEY_SIZE];
    if (proof_sodium_show(wish->directory, key, why, sizeof why) != OK) {
        size_t used = strlen(why);
        snprintf(why + used, sizeof why - used, "; `lockstep keys new --dir DIR --id N` makes keys");
        return fail(why);
    }
    for (size_t i = 0; i < sizeof key; i++)
        printf("%02x", key[i]);
    putchar('\n');
    return CLI_OK;
}

static bool id_read(const char *text, uint32_t *out)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number == 0 || number > 999999999)
        return false;
    *out = (uint32_t)number;
    return true;
}

static bool wish_read(int argc, char **argv, struct wish *out)
{
    for (int i = 2; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool good = value[0] != '\0';
        if (strcmp(argv[i], "--dir") == 0)
            out->directory = value;
        else
            good = good && strcmp(argv[i], "--id") == 0 && id_read(value, &out->id);
        if (!good) {
            fprintf(stderr, "lockstep keys: cannot make sense of '%s%s%s'; see `lockstep help keys`\n", argv[i],
                    value[0] != '\0' ? " " : "", value);
            return false;
        }
    }
    return true;
}

int cli_keys(int argc, char **argv)
{
    struct wish wish = {.id = 0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return CLI_OK;
        }
    }
    const char *what = argc > 1 ? argv[1] : "";
    bool new = strcmp(what, "new") == 0;
    if (!new && strcmp(what, "show") != 0) {
        fputs("lockstep keys: it takes `new` or `show`; see `lockstep help keys`\n", stderr);
        return CLI_USAGE;
    }
    if (!wish_read(argc, argv, &wish))
        return CLI_USAGE;
    if (wish.directory == NULL || (new && wish.id == 0)) {
        fprintf(stderr, "lockstep keys %s: %s; see `lockstep help keys`\n", what,
                wish.directory == NULL ? "name the directory with --dir" : "give the node's number with --id");
        return CLI_USAGE;
    }
    if (!new && wish.id != 0) {
        fputs("lockstep keys show: the secret says whose it is, so --id is not taken\n", stderr);
        return CLI_USAGE;
    }
    return new ? make_new(&wish) : show(&wish);
}
