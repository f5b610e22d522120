/* The table of groups (directory.h).
 *
 *   table = u64 version, u32 next number, u32 count, u32 format (1), u32 zero, then the groups
 *   group = u32 number, u32 k, u64 created, u32 member count, u32 prefix size, 16 x u32 members,
 *           32 bytes each of name, protocol, service and prefix, padded with zeros                        (216 bytes) */
#include "service/directory/directory.h"

#include "base/error.h"
#include "contract/text.h"

enum { HEAD_SIZE = 24, GROUP_SIZE = 216, FORMAT = 1, TEXT_SIZE = DIRECTORY_TEXT_SIZE_MAX + 1 };

_Static_assert(HEAD_SIZE + DIRECTORY_GROUPS_MAX * GROUP_SIZE == DIRECTORY_BYTES_MAX, "the bound is exact");
_Static_assert(24 + 4 * DIRECTORY_MEMBERS_MAX + 3 * TEXT_SIZE + DIRECTORY_PREFIX_SIZE_MAX == GROUP_SIZE,
               "the parts of a group fill it");

void directory_init(struct directory *out)
{
    memset(out, 0, sizeof *out);
    out->next_number = 1;
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
}

/* One to 31 letters, digits and - _ . + */
static bool is_name(const char text[TEXT_SIZE])
{
    size_t size = 0;
    while (size < TEXT_SIZE && text[size] != '\0')
        if (!is_name_byte(text[size++]))
            return false;
    return size > 0 && size < TEXT_SIZE;
}

static bool begins_with(struct span text, const uint8_t *prefix, size_t size)
{
    return text.size >= size && memcmp(text.data, prefix, size) == 0;
}

static struct span prefix_of(const struct directory_group *group)
{
    return span_of(group->prefix, group->prefix_size);
}

static bool overlap(struct span a, struct span b)
{
    return a.size > 0 && b.size > 0 && (begins_with(a, b.data, b.size) || begins_with(b, a.data, a.size));
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
    if (!is_name(group->name) || !is_name(group->protocol) || !is_name(group->service))
        return refuse(why, why_size, "ERR names are 1 to 31 letters, digits and any of - _ . +", "", "");
    if (strcmp(group->name, "default") == 0 || directory_find(directory, span_string(group->name)) != NULL)
        return refuse(why, why_size, "ERR there is a group '", group->name, "' already");
    if (group->prefix_size > DIRECTORY_PREFIX_SIZE_MAX)
        return refuse_number(why, why_size, "ERR a prefix has at most ", DIRECTORY_PREFIX_SIZE_MAX, " bytes");
    for (uint32_t i = 0; i < directory->count; i++)
        if (overlap(prefix_of(group), prefix_of(&directory->groups[i])))
            return refuse(why, why_size, "ERR the prefix overlaps that of group '", directory->groups[i].name,
                          "': no prefix may begin with another one");
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

const struct directory_group *directory_owner(const struct directory *directory, struct span key)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        const struct directory_group *group = &directory->groups[i];
        if (group->prefix_size > 0 && begins_with(key, group->prefix, group->prefix_size))
            return group;
    }
    return NULL;
}

bool directory_has_member(const struct directory_group *group, uint32_t node)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i] == node)
            return true;
    return false;
}

/* ---- bytes ---- */

static void encode_group(const struct directory_group *group, uint8_t out[GROUP_SIZE])
{
    memset(out, 0, GROUP_SIZE);
    store_u32(out, group->number);
    store_u32(out + 4, group->k);
    store_u64(out + 8, group->created);
    store_u32(out + 16, group->member_count);
    store_u32(out + 20, group->prefix_size);
    for (uint32_t i = 0; i < group->member_count; i++)
        store_u32(out + 24 + 4 * i, group->members[i]);
    uint8_t *texts = out + 24 + 4 * DIRECTORY_MEMBERS_MAX;
    memcpy(texts, group->name, strlen(group->name));
    memcpy(texts + TEXT_SIZE, group->protocol, strlen(group->protocol));
    memcpy(texts + 2 * TEXT_SIZE, group->service, strlen(group->service));
    memcpy(texts + 3 * TEXT_SIZE, group->prefix, group->prefix_size);
}

size_t directory_encode(const struct directory *directory, uint8_t out[DIRECTORY_BYTES_MAX])
{
    store_u64(out, directory->version);
    store_u32(out + 8, directory->next_number);
    store_u32(out + 12, directory->count);
    store_u32(out + 16, FORMAT);
    store_u32(out + 20, 0);
    for (uint32_t i = 0; i < directory->count; i++)
        encode_group(&directory->groups[i], out + HEAD_SIZE + (size_t)i * GROUP_SIZE);
    return HEAD_SIZE + (size_t)directory->count * GROUP_SIZE;
}

static bool decode_group(const uint8_t *in, struct directory_group *out)
{
    memset(out, 0, sizeof *out);
    out->number = load_u32(in);
    out->k = load_u32(in + 4);
    out->created = load_u64(in + 8);
    out->member_count = load_u32(in + 16);
    out->prefix_size = load_u32(in + 20);
    if (out->number == 0 || out->member_count == 0 || out->member_count > DIRECTORY_MEMBERS_MAX ||
        out->prefix_size > DIRECTORY_PREFIX_SIZE_MAX)
        return false;
    for (uint32_t i = 0; i < out->member_count; i++) {
        out->members[i] = load_u32(in + 24 + 4 * i);
        if (out->members[i] == 0 || (i > 0 && out->members[i] <= out->members[i - 1]))
            return false;
    }
    const uint8_t *texts = in + 24 + 4 * DIRECTORY_MEMBERS_MAX;
    memcpy(out->name, texts, TEXT_SIZE);
    memcpy(out->protocol, texts + TEXT_SIZE, TEXT_SIZE);
    memcpy(out->service, texts + 2 * TEXT_SIZE, TEXT_SIZE);
    memcpy(out->prefix, texts + 3 * TEXT_SIZE, out->prefix_size);
    return is_name(out->name) && is_name(out->protocol) && is_name(out->service);
}

bool directory_decode(struct span bytes, struct directory *out)
{
    directory_init(out);
    if (bytes.size < HEAD_SIZE || load_u32(bytes.data + 16) != FORMAT)
        return false;
    uint32_t count = load_u32(bytes.data + 12), next = load_u32(bytes.data + 8), last = 0;
    if (count > DIRECTORY_GROUPS_MAX || bytes.size != HEAD_SIZE + (size_t)count * GROUP_SIZE || next == 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct directory_group *group = &out->groups[i];
        bool good = decode_group(bytes.data + HEAD_SIZE + (size_t)i * GROUP_SIZE, group) && group->number > last &&
                    group->number < next;
        if (!good) {
            directory_init(out);
            return false;
        }
        last = group->number;
    }
    out->version = load_u64(bytes.data);
    out->next_number = next;
    out->count = count;
    return true;
}
