/* The bytes of the table of groups (directory.h).
 *
 *   table  = u64 version, u32 next number, u32 count, u32 format, u32 client count, then the groups, then the clients
 *   group  = u32 number, u32 k, u64 created, u32 member count, u32 prefix size, 16 x u32 members,
 *            32 bytes each of name, protocol, service and prefix, padded with zeros                       (216 bytes)
 *   client = u32 node, 64 bytes of key                                                                     (68 bytes)
 *
 * Format 1 has no clients: a table without clients is written as it was before there were any, so that programs of that
 * time read it. One with clients is of format 2, which they refuse. */
#include "service/directory/directory.h"
#include "service/directory/directory_bytes.h"

enum {
    HEAD_SIZE = 24,
    GROUP_SIZE = 216,
    CLIENT_SIZE = 4 + DIRECTORY_KEY_SIZE,
    FORMAT_GROUPS = 1,
    FORMAT_CLIENTS = 2,
    TEXT_SIZE = DIRECTORY_TEXT_SIZE_MAX + 1,
};

_Static_assert(HEAD_SIZE + DIRECTORY_GROUPS_MAX * GROUP_SIZE + DIRECTORY_CLIENTS_MAX * CLIENT_SIZE ==
                   DIRECTORY_BYTES_MAX,
               "the bound is exact");
_Static_assert(24 + 4 * DIRECTORY_MEMBERS_MAX + 3 * TEXT_SIZE + DIRECTORY_PREFIX_SIZE_MAX == GROUP_SIZE,
               "the parts of a group fill it");

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == '+';
}

bool directory_is_name(const char text[DIRECTORY_TEXT_SIZE_MAX + 1])
{
    size_t size = 0;
    while (size < TEXT_SIZE && text[size] != '\0')
        if (!is_name_byte(text[size++]))
            return false;
    return size > 0 && size < TEXT_SIZE;
}

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
    store_u32(out + 16, directory->client_count == 0 ? FORMAT_GROUPS : FORMAT_CLIENTS);
    store_u32(out + 20, directory->client_count);
    for (uint32_t i = 0; i < directory->count; i++)
        encode_group(&directory->groups[i], out + HEAD_SIZE + (size_t)i * GROUP_SIZE);
    uint8_t *at = out + HEAD_SIZE + (size_t)directory->count * GROUP_SIZE;
    for (uint32_t i = 0; i < directory->client_count; i++, at += CLIENT_SIZE) {
        store_u32(at, directory->clients[i].node);
        memcpy(at + 4, directory->clients[i].key, DIRECTORY_KEY_SIZE);
    }
    return (size_t)(at - out);
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
    return directory_is_name(out->name) && directory_is_name(out->protocol) && directory_is_name(out->service);
}

static bool decode_groups(const uint8_t *in, struct directory *out)
{
    for (uint32_t i = 0, last = 0; i < out->count; i++) {
        struct directory_group *group = &out->groups[i];
        if (!decode_group(in + (size_t)i * GROUP_SIZE, group) || group->number <= last ||
            group->number >= out->next_number)
            return false;
        last = group->number;
    }
    return true;
}

static bool decode_clients(const uint8_t *in, struct directory *out)
{
    for (uint32_t i = 0, last = 0; i < out->client_count; i++) {
        struct directory_client *client = &out->clients[i];
        client->node = load_u32(in + (size_t)i * CLIENT_SIZE);
        memcpy(client->key, in + (size_t)i * CLIENT_SIZE + 4, DIRECTORY_KEY_SIZE);
        if (client->node <= last || client->node > DIRECTORY_CLIENT_NODE_MAX)
            return false;
        last = client->node;
    }
    return true;
}

/* The head's counts, when the bytes are as many as it says. */
static bool decode_head(struct span bytes, struct directory *out)
{
    if (bytes.size < HEAD_SIZE)
        return false;
    out->version = load_u64(bytes.data);
    out->next_number = load_u32(bytes.data + 8);
    out->count = load_u32(bytes.data + 12);
    out->client_count = load_u32(bytes.data + 20);
    uint32_t format = load_u32(bytes.data + 16);
    return out->next_number != 0 && out->count <= DIRECTORY_GROUPS_MAX && out->client_count <= DIRECTORY_CLIENTS_MAX &&
           format == (out->client_count == 0 ? FORMAT_GROUPS : FORMAT_CLIENTS) &&
           bytes.size == HEAD_SIZE + (size_t)out->count * GROUP_SIZE + (size_t)out->client_count * CLIENT_SIZE;
}

bool directory_decode(struct span bytes, struct directory *out)
{
    directory_init(out);
    bool good = decode_head(bytes, out) && decode_groups(bytes.data + HEAD_SIZE, out) &&
                decode_clients(bytes.data + HEAD_SIZE + (size_t)out->count * GROUP_SIZE, out);
    if (!good)
        directory_init(out);
    return good;
}
