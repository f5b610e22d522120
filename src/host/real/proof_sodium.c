/* Proofs by libsodium (proof_sodium.h). */
#include "host/real/proof_sodium.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "base/error.h"

enum { HALF = 32, FILE_SIZE = 2 * HALF, PATH_SIZE = 4096 };
_Static_assert(PROOF_SIGNATURE_SIZE == crypto_sign_BYTES, "a signature is one of Ed25519");
_Static_assert((int)PROOF_KEY_SIZE == (int)FILE_SIZE, "a public key is what its file holds");
_Static_assert(HALF == crypto_scalarmult_SCALARBYTES && HALF == crypto_sign_SEEDBYTES, "both halves are seeds");

/* What a node's public key gives together with the own secret. */
struct shared {
    uint32_t node; /* 0: the place is free */
    uint8_t mac[crypto_generichash_KEYBYTES];
    uint8_t public_sign[crypto_sign_PUBLICKEYBYTES];
};

struct proof_sodium {
    uint32_t self;
    uint8_t secret_mac[HALF], public_mac[HALF];
    uint8_t secret_sign[crypto_sign_SECRETKEYBYTES];
    uint32_t count;
    struct shared nodes[PROOF_SODIUM_NODES_MAX]; /* from files: fixed */
    struct shared clients[PROOF_SODIUM_CLIENTS_MAX]; /* enrolled while the node runs */
};

static int refuse(char *why, size_t why_size, int error, const char *what, const char *path)
{
    snprintf(why, why_size, "key file %s: %s", path, what);
    return error;
}

static int read_file(const char *path, uint8_t out[FILE_SIZE], bool secret, char *why, size_t why_size)
{
    struct stat status;
    uint8_t more;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return refuse(why, why_size, ERROR_NOT_FOUND, strerror(errno), path);
    bool open_to_others = fstat(file, &status) != 0 || (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    bool whole = read(file, out, FILE_SIZE) == FILE_SIZE && read(file, &more, 1) == 0;
    close(file);
    if (secret && open_to_others)
        return refuse(why, why_size, ERROR_INVALID, "others may read it; take that right away with chmod 600", path);
    return whole ? 0 : refuse(why, why_size, ERROR_CORRUPT, "it must hold exactly 64 bytes", path);
}

static int write_file(const char *path, const uint8_t bytes[FILE_SIZE], mode_t mode, char *why, size_t why_size)
{
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0)
        return refuse(why, why_size, ERROR_INVALID, strerror(errno), path);
    bool good = write(file, bytes, FILE_SIZE) == FILE_SIZE && fsync(file) == 0;
    good = close(file) == 0 && good;
    return good ? 0 : refuse(why, why_size, ERROR_IO, "it could not be written", path);
}

static int begin(char *why, size_t why_size)
{
    if (sodium_init() >= 0)
        return 0;
    snprintf(why, why_size, "libsodium finds no source of randomness");
    return ERROR_IO;
}

static void public_of(const uint8_t secret[FILE_SIZE], uint8_t out[FILE_SIZE], uint8_t *secret_sign)
{
    uint8_t expanded[crypto_sign_SECRETKEYBYTES];
    (void)crypto_scalarmult_base(out, secret);
    (void)crypto_sign_seed_keypair(out + HALF, expanded, secret + HALF);
    if (secret_sign != NULL)
        memcpy(secret_sign, expanded, sizeof expanded);
    sodium_memzero(expanded, sizeof expanded);
}

int proof_sodium_new(const char *directory, uint32_t node, char *why, size_t why_size)
{
    char path[PATH_SIZE], public_path[PATH_SIZE];
    uint8_t secret[FILE_SIZE], public[FILE_SIZE];
    snprintf(path, sizeof path, "%s/secret", directory);
    snprintf(public_path, sizeof public_path, "%s/node-%u", directory, node);
    /* Both or none: a secret beside the public file of another one would be refused for ever after. */
    if (access(public_path, F_OK) == 0)
        return refuse(why, why_size, ERROR_INVALID, "it exists already, and keys are never overwritten", public_path);
    if (access(path, F_OK) == 0)
        return refuse(why, why_size, ERROR_INVALID,
                      "it exists already and is another node's; each node has a directory of its own, and keys are never "
                      "overwritten", path);
    int error = begin(why, why_size);
    if (error < 0)
        return error;
    randombytes_buf(secret, sizeof secret);
    public_of(secret, public, NULL);
    error = write_file(path, secret, S_IRUSR | S_IWUSR, why, why_size);
    sodium_memzero(secret, sizeof secret);
    if (error < 0)
        return error;
    error = write_file(public_path, public, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH, why, why_size);
    if (error < 0)
        unlink(path);
    return error;
}

int proof_sodium_show(const char *directory, uint8_t out[PROOF_KEY_SIZE], char *why, size_t why_size)
{
    char path[PATH_SIZE];
    uint8_t secret[FILE_SIZE];
    int error = begin(why, why_size);
    snprintf(path, sizeof path, "%s/secret", directory);
    if (error == 0 && access(path, F_OK) != 0 && errno == ENOENT)
        return refuse(why, why_size, ERROR_NOT_FOUND, "there is none; `lockstep keys new` makes one", path);
    if (error == 0)
        error = read_file(path, secret, true, why, why_size);
    if (error == 0)
        public_of(secret, out, NULL);
    sodium_memzero(secret, sizeof secret);
    return error;
}

/* BLAKE2b of the shared point and both public keys, the lower node's first (libsodium's advice for its points). */
static bool share(const uint8_t *secret, const uint8_t *own, const uint8_t *other, bool own_first, struct shared *out)
{
    uint8_t point[crypto_scalarmult_BYTES];
    crypto_generichash_state state;
    if (crypto_scalarmult(point, secret, other) != 0)
        return false;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof out->mac);
    (void)crypto_generichash_update(&state, point, sizeof point);
    (void)crypto_generichash_update(&state, own_first ? own : other, HALF);
    (void)crypto_generichash_update(&state, own_first ? other : own, HALF);
    (void)crypto_generichash_final(&state, out->mac, sizeof out->mac);
    sodium_memzero(point, sizeof point);
    return true;
}

/* False: these bytes are no key. */
static bool learn(const struct proof_sodium *keys, uint32_t node, const uint8_t *public, struct shared *out)
{
    out->node = node;
    memcpy(out->public_sign, public + HALF, HALF);
    return share(keys->secret_mac, keys->public_mac, public, keys->self <= node, out);
}

static int add_node(struct proof_sodium *keys, const char *directory, const uint8_t *own, uint32_t node, char *why,
                    size_t why_size)
{
    char path[PATH_SIZE];
    uint8_t public[FILE_SIZE];
    snprintf(path, sizeof path, "%s/node-%u", directory, node);
    int error = read_file(path, public, false, why, why_size);
    if (error < 0)
        return error;
    if (node == keys->self && memcmp(public, own, FILE_SIZE) != 0)
        return refuse(why, why_size, ERROR_INVALID, "it does not belong to this node's secret", path);
    if (!learn(keys, node, public, &keys->nodes[keys->count]))
        return refuse(why, why_size, ERROR_CORRUPT, "it is no key", path);
    keys->count++;
    return 0;
}

int proof_sodium_open(struct proof_sodium **out, const char *directory, uint32_t self, const uint32_t *nodes,
                      uint32_t node_count, char *why, size_t why_size)
{
    char path[PATH_SIZE];
    uint8_t secret[FILE_SIZE], own[FILE_SIZE];
    int error = begin(why, why_size);
    if (error == 0 && node_count > PROOF_SODIUM_NODES_MAX) {
        snprintf(why, why_size, "keys for %u nodes: at most %d are held", node_count, PROOF_SODIUM_NODES_MAX);
        error = ERROR_INVALID;
    }
    if (error < 0)
        return error;
    snprintf(path, sizeof path, "%s/secret", directory);
    error = read_file(path, secret, true, why, why_size);
    if (error < 0)
        return error;
    struct proof_sodium *keys = calloc(1, sizeof *keys);
    if (keys == NULL)
        return ERROR_NO_MEMORY;
    public_of(secret, own, keys->secret_sign);
    keys->self = self;
    memcpy(keys->secret_mac, secret, HALF);
    memcpy(keys->public_mac, own, HALF);
    sodium_memzero(secret, sizeof secret);
    for (uint32_t i = 0; i < node_count && error == 0; i++)
        error = add_node(keys, directory, own, nodes[i], why, why_size);
    if (error < 0) {
        proof_sodium_close(keys);
        return error;
    }
    *out = keys;
    return 0;
}

void proof_sodium_close(struct proof_sodium *keys)
{
    sodium_memzero(keys, sizeof *keys);
    free(keys);
}

static const struct shared *find(const struct proof_sodium *keys, uint32_t node)
{
    for (uint32_t i = 0; i < keys->count; i++)
        if (keys->nodes[i].node == node)
            return &keys->nodes[i];
    for (uint32_t i = 0; i < PROOF_SODIUM_CLIENTS_MAX; i++)
        if (keys->clients[i].node == node)
            return &keys->clients[i];
    return NULL;
}

static struct shared *client_place(struct proof_sodium *keys, uint32_t client)
{
    for (uint32_t i = 0; i < PROOF_SODIUM_CLIENTS_MAX; i++)
        if (keys->clients[i].node == client)
            return &keys->clients[i];
    return NULL;
}

static void enrol(void *context, uint32_t client, const uint8_t *key)
{
    struct proof_sodium *keys = context;
    struct shared *place = client_place(keys, client);
    if (client == 0)
        return;
    if (place == NULL && key != NULL)
        place = client_place(keys, 0);
    if (place == NULL)
        return;
    /* With bytes that are no key nobody can prove anything, which is what the client then deserves. */
    if (key == NULL || !learn(keys, client, key, place))
        sodium_memzero(place, sizeof *place);
}

static void mac(void *context, uint32_t node, struct span head, struct span body, uint8_t *out)
{
    const struct shared *shared = find(context, node);
    crypto_generichash_state state;
    if (shared == NULL) { /* bytes that no key gives: nobody accepts them, and nothing that comes is equal to them */
        randombytes_buf(out, PROOF_MAC_SIZE);
        return;
    }
    (void)crypto_generichash_init(&state, shared->mac, sizeof shared->mac, PROOF_MAC_SIZE);
    (void)crypto_generichash_update(&state, head.data, head.size);
    (void)crypto_generichash_update(&state, body.data, body.size);
    (void)crypto_generichash_final(&state, out, PROOF_MAC_SIZE);
}

static void sign(void *context, struct span head, struct span body, uint8_t *out)
{
    const struct proof_sodium *keys = context;
    crypto_sign_state state;
    (void)crypto_sign_init(&state);
    (void)crypto_sign_update(&state, head.data, head.size);
    (void)crypto_sign_update(&state, body.data, body.size);
    (void)crypto_sign_final_create(&state, out, NULL, keys->secret_sign);
}

static bool signed_by(void *context, uint32_t node, struct span head, struct span body, const uint8_t *signature)
{
    const struct shared *shared = find(context, node);
    crypto_sign_state state;
    if (shared == NULL)
        return false;
    (void)crypto_sign_init(&state);
    (void)crypto_sign_update(&state, head.data, head.size);
    (void)crypto_sign_update(&state, body.data, body.size);
    return crypto_sign_final_verify(&state, signature, shared->public_sign) == 0;
}

struct proof_door proof_sodium_door(struct proof_sodium *keys)
{
    return (struct proof_door){
        .context = keys, .mac = mac, .sign = sign, .signed_by = signed_by, .enrol = enrol};
}
