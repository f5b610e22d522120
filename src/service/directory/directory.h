/* The directory of groups: which groups a cluster has, who is in them, and which keys are theirs.
 *
 * It is replicated state: a part of the group `default`, changed by delivered commands alone (kv_groups.h), so all
 * nodes agree on it through restarts and partitions. Here is the plain table: what may be entered, and its bytes, which
 * stand in checkpoints and in each node's file of groups. Its version counts the changes: equal versions of one cluster
 * are equal tables.
 *
 * Prefixes never overlap, so a key belongs to at most one group and no choice depends on the order of creation; keys
 * under no prefix belong to `default`. Numbers are never used again: records and messages of a group that is gone can
 * not be taken for those of a later one. */
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
    DIRECTORY_BYTES_MAX = 24 + DIRECTORY_GROUPS_MAX * 216,
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

struct directory {
    uint64_t version; /* changes so far */
    uint32_t next_number;
    uint32_t count;
    struct directory_group groups[DIRECTORY_GROUPS_MAX]; /* ascending by number */
};

/* No groups, version 0. */
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
/* The group whose prefix the key begins with, or NULL: the key belongs to `default`. */
const struct directory_group *directory_owner(const struct directory *directory, struct span key);
bool directory_has_member(const struct directory_group *group, uint32_t node);

/* Its bytes, a function of the table alone: how many were written. */
size_t directory_encode(const struct directory *directory, uint8_t out[DIRECTORY_BYTES_MAX]);
/* The table of those bytes; false, and `out` is empty, when they are none. */
bool directory_decode(struct span bytes, struct directory *out);

#endif
