/* The table of groups (directory.h). Its bytes are in directory_bytes.c. */
#include "service/directory/directory.h"

#include "base/error.h"
#include "contract/text.h"
#include "service/directory/directory_bytes.h"

enum { TEXT_SIZE = DIRECTORY_TEXT_SIZE_MAX + 1 };

void directory_init(struct directory *out)
{
    memset(out, 0, sizeof *out);
    out->next_number = 1;
}

static bool begins_with(struct span text, const uint8_t *prefix, size_t size)
{
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static struct span prefix_of(const struct directory_group *group)
{
    return span_of(group->prefix, group->prefix_size);
}

static int refuse(char *why, size_t why_size, const char *head, const char *name, const char *tail)
{
    struct text text = text_begin(why, why_size);
    text_add(&text, head);
    text_add(&text, name);
    text_add(&text, tail);
    return ERROR_INVALID;
}

static int refuse_number(char *why, size_t why_size, const char *head, uint64_t number, const char *tail)
{
    struct text text = text_begin(why, why_size);
    text_add(&text, head);
    text_add_u64(&text, number);
    text_add(&text, tail);
    return ERROR_INVALID;
}

static int check_members(const struct directory_group *group, const uint32_t *nodes, uint32_t node_count, char *why,
                         size_t why_size)
{
    if (group->member_count == 0 || group->member_count > DIRECTORY_MEMBERS_MAX)
        return refuse_number(why, why_size, "ERR a group has 1 to ", DIRECTORY_MEMBERS_MAX, " members");
    for (uint32_t i = 0; i < group->member_count; i++) {
        if (i > 0 && group->members[i] <= group->members[i - 1])
            return refuse(why, why_size, "ERR the members of a group must ascend and differ", "", "");
        bool known = false;
        for (uint32_t j = 0; j < node_count; j++)
            known = known || nodes[j] == group->members[i];
        if (!known)
            return refuse_number(why, why_size, "ERR node ", group->members[i], " is no node of this cluster");
    }
    return OK;
}

static int check(const struct directory *directory, const struct directory_group *group, char *why, size_t why_size)
{
    if (!directory_is_name(group->name) || !directory_is_name(group->protocol) || !directory_is_name(group->service))
        return refuse(why, why_size, "ERR names are 1 to 31 letters, digits and any of - _ . +", "", "");
    if (strcmp(group->name, "default") == 0 || directory_find(directory, span_string(group->name)) != NULL)
        return refuse(why, why_size, "ERR there is a group '", group->name, "' already");
    if (group->prefix_size > DIRECTORY_PREFIX_SIZE_MAX)
        return refuse_number(why, why_size, "ERR a prefix has at most ", DIRECTORY_PREFIX_SIZE_MAX, " bytes");
    for (uint32_t i = 0; i < directory->count; i++)
        if (group->prefix_size > 0 && span_equal(prefix_of(group), prefix_of(&directory->groups[i])))
            return refuse(why, why_size, "ERR the prefix is that of group '", directory->groups[i].name, "' already");
    if (directory->count == DIRECTORY_GROUPS_MAX)
        return refuse_number(why, why_size, "ERR a cluster has at most ", DIRECTORY_GROUPS_MAX,
                             " groups beside default; drop one first");
    if (directory->next_number == UINT32_MAX)
        return refuse(why, why_size, "ERR all numbers of groups are used up", "", "");
    return OK;
}

int directory_add(struct directory *directory, struct directory_group *group, const uint32_t *nodes,
                  uint32_t node_count, char *why, size_t why_size)
{
    int status = check(directory, group, why, why_size);
    if (status == OK)
        status = check_members(group, nodes, node_count, why, why_size);
    if (status != OK)
        return status;
    group->number = directory->next_number++;
    directory->groups[directory->count++] = *group;
    directory->version++;
    return OK;
}

bool directory_remove(struct directory *directory, struct span name)
{
    const struct directory_group *found = directory_find(directory, name);
    if (found == NULL)
        return false;
    size_t place = (size_t)(found - directory->groups);
    directory->count--;
    memmove(&directory->groups[place], &directory->groups[place + 1],
            (directory->count - place) * sizeof directory->groups[0]);
    memset(&directory->groups[directory->count], 0, sizeof directory->groups[0]);
    directory->version++;
    return true;
}

const struct directory_group *directory_find(const struct directory *directory, struct span name)
{
    for (uint32_t i = 0; i < directory->count; i++)
        if (span_equal(span_string(directory->groups[i].name), name))
            return &directory->groups[i];
    return NULL;
}

const struct directory_group *directory_find_number(const struct directory *directory, uint32_t number)
{
    for (uint32_t i = 0; i < directory->count; i++)
        if (directory->groups[i].number == number)
            return &directory->groups[i];
    return NULL;
}

/* The group of the longest prefix, of at most so many bytes, that the key begins with. */
static const struct directory_group *longest(const struct directory *directory, struct span key, uint32_t size_max)
{
    const struct directory_group *best = NULL;
    for (uint32_t i = 0; i < directory->count; i++) {
        const struct directory_group *group = &directory->groups[i];
        if (group->prefix_size <= size_max && group->prefix_size > (best != NULL ? best->prefix_size : 0) &&
            begins_with(key, group->prefix, group->prefix_size))
            best = group;
    }
    return best;
}

const struct directory_group *directory_owner(const struct directory *directory, struct span key)
{
    return longest(directory, key, DIRECTORY_PREFIX_SIZE_MAX);
}

const struct directory_group *directory_around(const struct directory *directory, const struct directory_group *group)
{
    return group->prefix_size > 0 ? longest(directory, prefix_of(group), group->prefix_size - 1) : NULL;
}

bool directory_has_member(const struct directory_group *group, uint32_t node)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i] == node)
            return true;
    return false;
}

/* ---- clients ---- */

/* The place of that number among the clients, or where it would stand. */
static uint32_t client_place(const struct directory *directory, uint32_t node)
{
    uint32_t place = 0;
    while (place < directory->client_count && directory->clients[place].node < node)
        place++;
    return place;
}

const struct directory_client *directory_client(const struct directory *directory, uint32_t node)
{
    uint32_t place = client_place(directory, node);
    return place < directory->client_count && directory->clients[place].node == node ? &directory->clients[place] : NULL;
}

bool directory_client_has_key(const struct directory_client *client)
{
    uint8_t any = 0;
    for (size_t i = 0; i < DIRECTORY_KEY_SIZE; i++)
        any |= client->key[i];
    return any != 0;
}

static int check_client(const struct directory *directory, const struct directory_client *client,
                        const uint32_t *nodes, uint32_t node_count, char *why, size_t why_size)
{
    if (client->node == 0 || client->node > DIRECTORY_CLIENT_NODE_MAX)
        return refuse_number(why, why_size, "ERR the number of a client is 1 to ", DIRECTORY_CLIENT_NODE_MAX, "");
    for (uint32_t i = 0; i < node_count; i++)
        if (nodes[i] == client->node)
            return refuse_number(why, why_size, "ERR node ", client->node,
                                 " is a node of this cluster; a client needs a number that no node has");
    const struct directory_client *there = directory_client(directory, client->node);
    if (there != NULL && memcmp(there->key, client->key, DIRECTORY_KEY_SIZE) != 0)
        return refuse_number(why, why_size, "ERR client ", client->node,
                             " is enrolled with another key; expel it first (GROUP.EXPEL)");
    if (there == NULL && directory->client_count == DIRECTORY_CLIENTS_MAX)
        return refuse_number(why, why_size, "ERR a cluster has at most ", DIRECTORY_CLIENTS_MAX,
                             " enrolled clients; expel one first (GROUP.EXPEL)");
    return OK;
}

int directory_enrol(struct directory *directory, const struct directory_client *client, const uint32_t *nodes,
                    uint32_t node_count, char *why, size_t why_size)
{
    int status = check_client(directory, client, nodes, node_count, why, why_size);
    if (status != OK || directory_client(directory, client->node) != NULL)
        return status;
    uint32_t place = client_place(directory, client->node);
    memmove(&directory->clients[place + 1], &directory->clients[place],
            (directory->client_count - place) * sizeof directory->clients[0]);
    directory->clients[place] = *client;
    directory->client_count++;
    directory->version++;
    return OK;
}

bool directory_expel(struct directory *directory, uint32_t node)
{
    if (directory_client(directory, node) == NULL)
        return false;
    uint32_t place = client_place(directory, node);
    directory->client_count--;
    memmove(&directory->clients[place], &directory->clients[place + 1],
            (directory->client_count - place) * sizeof directory->clients[0]);
    memset(&directory->clients[directory->client_count], 0, sizeof directory->clients[0]);
    directory->version++;
    return true;
}
