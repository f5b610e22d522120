/* The nodes of a cluster (members.h). */
#include "host/real/members.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "host/real/socket.h"

/* "2=127.0.0.1:17002", of that many bytes. */
static bool entry_parse(const char *text, size_t size, uint32_t *node, char address[MEMBERS_ADDRESS_SIZE_MAX])
{
    char entry[MEMBERS_ADDRESS_SIZE_MAX + 16];
    if (size == 0 || size >= sizeof entry)
        return false;
    memcpy(entry, text, size);
    entry[size] = '\0';
    size_t digits = strspn(entry, "0123456789");
    if (digits == 0 || digits > 9 || entry[digits] != '=')
        return false;
    *node = (uint32_t)strtoul(entry, NULL, 10);
    char host[SOCKET_HOST_SIZE_MAX], port[SOCKET_PORT_SIZE_MAX], why[512];
    if (*node == 0 || socket_address_split(entry + digits + 1, host, port, why, sizeof why) != OK)
        return false;
    snprintf(address, MEMBERS_ADDRESS_SIZE_MAX, "%s", entry + digits + 1);
    return true;
}

/* Puts a member in its place. */
static bool insert(struct members *out, uint32_t node, const char *address)
{
    uint32_t place = out->count;
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->nodes[i] == node || strcmp(out->addresses[i], address) == 0)
            return false;
        if (out->nodes[i] > node && place == out->count)
            place = i;
    }
    for (uint32_t i = out->count; i > place; i--) {
        out->nodes[i] = out->nodes[i - 1];
        memcpy(out->addresses[i], out->addresses[i - 1], sizeof out->addresses[i]);
    }
    out->nodes[place] = node;
    snprintf(out->addresses[place], sizeof out->addresses[place], "%s", address);
    out->count++;
    return true;
}

static int entries_parse(const char *text, struct members *out, char *why, size_t why_size)
{
    for (const char *at = text; at != NULL;) {
        at += strspn(at, " ");
        const char *comma = strchr(at, ',');
        size_t size = comma != NULL ? (size_t)(comma - at) : strlen(at);
        while (size > 0 && at[size - 1] == ' ')
            size--;
        uint32_t node;
        char address[MEMBERS_ADDRESS_SIZE_MAX];
        if (!entry_parse(at, size, &node, address)) {
            snprintf(why, why_size, "'%.*s' is no entry of --peers: expected id=host:port, for example 2=10.0.0.2:17002",
                     (int)(size < 200 ? size : 200), at);
            return ERROR_INVALID;
        }
        if (out->count == MEMBERS_MAX) {
            snprintf(why, why_size, "--peers lists more than %d nodes", MEMBERS_MAX);
            return ERROR_INVALID;
        }
        if (!insert(out, node, address)) {
            snprintf(why, why_size, "--peers lists node %" PRIu32 " or its address %s twice", node, address);
            return ERROR_INVALID;
        }
        at = comma != NULL ? comma + 1 : NULL;
    }
    return OK;
}

int members_parse(const char *text, uint32_t self, struct members *out, char *why, size_t why_size)
{
    out->count = 0;
    if (text == NULL || text[0] == '\0') {
        out->count = 1;
        out->nodes[0] = self;
        out->addresses[0][0] = '\0';
        return OK;
    }
    int status = entries_parse(text, out, why, why_size);
    if (status != OK || self == 0)
        return status;
    for (uint32_t i = 0; i < out->count; i++)
        if (out->nodes[i] == self)
            return OK;
    snprintf(why, why_size, "--peers does not list this node, %" PRIu32 "; it lists all nodes of the cluster", self);
    return ERROR_INVALID;
}

uint64_t members_identity(const struct members *members, const char *cluster_name)
{
    static const uint64_t key[2] = {UINT64_C(0x6c6f636b73746570), UINT64_C(0x636c757374657231)};
    uint64_t identity = hash_keyed(key, cluster_name, strlen(cluster_name));
    for (uint32_t i = 0; i < members->count; i++) {
        identity = hash_mix(identity, members->nodes[i]);
        identity = hash_mix(identity, hash_keyed(key, members->addresses[i], strlen(members->addresses[i])));
    }
    return identity;
}
