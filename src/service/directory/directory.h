/* The directory of groups: which groups a cluster has, who is in them, which keys are theirs, and which clients may speak
 * to their members as voting gateways do.
 *
 * It is replicated state: a part of the group `default`, changed by delivered commands alone (kv_groups.h), so all
 * nodes agree on it through restarts and partitions. Here is the plain table: what may be entered, and its bytes, which
 * stand in checkpoints and in each node's file of groups. Its version counts the changes: equal versions of one cluster
 * are equal tables.
 *
 * A key belongs to the group with the longest prefix that it begins with, and to `default` when there is none. No two
 * prefixes are equal, so no choice depends on the order of creation. Numbers are never used again: records and messages
 * of a group that is gone can not be taken for those of a later one.
 *
 * An enrolled client has a number from the same range as the nodes, which is no node's, and the public keys by which
 * members check what it sends. It is enrolled in the cluster, not in a group. */
#ifndef LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_H
#define LOCKSTEP_SERVICE_DIRECTORY_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    DIRECTORY_GROUPS_MAX = 16,      /* beside `default` */
    DIRECTORY_MEMBERS_MAX = 16,     /* of one group */
    DIRECTORY_TEXT_SIZE_MAX = 31,   /* bytes of a group's name, protocol's name and service's name */
    DIRECTORY_PREFIX_SIZE_MAX = 32, /* bytes */
    DIRECTORY_CLIENTS_MAX = 16,
    DIRECTORY_KEY_SIZE = 64,            /* bytes: an X25519 and an Ed25519 public key, as a file `node-N` of keys has them */
    DIRECTORY_CLIENT_NODE_MAX = 999999999,
    DIRECTORY_BYTES_MAX = 24 + DIRECTORY_GROUPS_MAX * 216 + DIRECTORY_CLIENTS_MAX * (4 + DIRECTORY_KEY_SIZE),
};

struct directory_group {
    uint32_t number; /* 1 and up; `default` is 0 and not listed */
    uint32_t k;
    uint64_t created; /* index of the command that created it */
    char name[DIRECTORY_TEXT_SIZE_MAX + 1], protocol[DIRECTORY_TEXT_SIZE_MAX + 1],
        service[DIRECTORY_TEXT_SIZE_MAX + 1];
    uint8_t prefix[DIRECTORY_PREFIX_SIZE_MAX];
    uint32_t prefix_size; /* 0: the group owns no keys */
    uint32_t members[DIRECTORY_MEMBERS_MAX]; /* node ids, ascending */
    uint32_t member_count;
};

struct directory_client {
    uint32_t node;
    uint8_t key[DIRECTORY_KEY_SIZE]; /* all zeros: none, which is enough for groups that only mask crashes */
};

struct directory {
    uint64_t version; /* changes so far, of groups and of clients */
    uint32_t next_number;
    uint32_t count, client_count;
    struct directory_group groups[DIRECTORY_GROUPS_MAX];    /* ascending by number */
    struct directory_client clients[DIRECTORY_CLIENTS_MAX]; /* ascending by node */
};

/* No groups, no clients, version 0. */
void directory_init(struct directory *out);

/* Enters a group under the next number, which `group->number` gets. 0, or ERROR_INVALID with an error's text (code word
 * first) in `why`: a name or prefix that is malformed or taken, members that are not ascending among `nodes`, or a limit
 * that is named. On failure nothing changes. */
int directory_add(struct directory *directory, struct directory_group *group, const uint32_t *nodes,
                  uint32_t node_count, char *why, size_t why_size);
/* Takes the group of that name out; false when there is none. */
bool directory_remove(struct directory *directory, struct span name);

/* The group of that name or number, or NULL. */
const struct directory_group *directory_find(const struct directory *directory, struct span name);
const struct directory_group *directory_find_number(const struct directory *directory, uint32_t number);
/* The group with the longest prefix that the key begins with, or NULL: the key belongs to `default`. */
const struct directory_group *directory_owner(const struct directory *directory, struct span key);
/* The group that owns the prefix of `group` but for `group` itself, or NULL: `default` does, or `group` has no prefix.
 * Keys with that prefix which it holds are out of reach as long as `group` is there. */
const struct directory_group *directory_around(const struct directory *directory, const struct directory_group *group);
bool directory_has_member(const struct directory_group *group, uint32_t node);

/* Enrols a client. 0, also when that client is enrolled with the same key already, which changes nothing; ERROR_INVALID
 * with an error's text in `why` and no change: the number is out of range, one of `nodes`, or enrolled with another key,
 * or there is no room. */
int directory_enrol(struct directory *directory, const struct directory_client *client, const uint32_t *nodes,
                    uint32_t node_count, char *why, size_t why_size);
/* Takes the client of that number out; false when there is none. */
bool directory_expel(struct directory *directory, uint32_t node);
/* The client of that number, or NULL. */
const struct directory_client *directory_client(const struct directory *directory, uint32_t node);
bool directory_client_has_key(const struct directory_client *client);

/* Its bytes, a function of the table alone: how many were written. */
size_t directory_encode(const struct directory *directory, uint8_t out[DIRECTORY_BYTES_MAX]);
/* The table of those bytes, those written before there were clients among them; false, and `out` is empty, when they are
 * none. */
bool directory_decode(struct span bytes, struct directory *out);

#endif
