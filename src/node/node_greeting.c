/* The greeting that a connection begins with: a header (the cluster's identity in `sequence`, the oldest version that is
 * understood in `position`) and the address for clients. Who dials greets first; who was dialled answers by its own
 * greeting, or, when it does not know the number that it read, by a refusal: a header alone. */
#include <string.h>

#include "node/node_internal.h"

enum { GREETING_TYPE = 1, REFUSAL_TYPE = 2 };

static size_t seal(const struct node *node, uint16_t type, struct span body, uint8_t out[NODE_GREETING_SIZE_MAX])
{
    struct header header = node_header(node, HEADER_NODE, 0, 0, type);
    header.length = (uint32_t)body.size;
    header.sequence = node->options->cluster;
    header.position = HEADER_VERSION_OLDEST;
    header_seal(0, &header, body, (struct span){0}, out);
    if (body.size > 0) memcpy(out + HEADER_SIZE, body.data, body.size);
    return HEADER_SIZE + body.size;
}

size_t node_greeting(const struct node *node, uint8_t out[NODE_GREETING_SIZE_MAX])
{
    const char *address = node->options->client_address != NULL ? node->options->client_address : "";
    struct span body = span_string(address);
    if (body.size > NODE_GREETING_SIZE_MAX - HEADER_SIZE) body.size = NODE_GREETING_SIZE_MAX - HEADER_SIZE;
    return seal(node, GREETING_TYPE, body, out);
}

size_t node_greeting_refusal(const struct node *node, uint8_t out[NODE_GREETING_SIZE_MAX])
{
    return seal(node, REFUSAL_TYPE, (struct span){0}, out);
}

static int refuse(char *why, size_t why_size, int error, const char *text)
{
    size_t length = strlen(text);
    if (why_size > 0) {
        if (length >= why_size) length = why_size - 1;
        memcpy(why, text, length);
        why[length] = 0;
    }
    return error;
}

static int64_t read_greeting(const struct node *node, struct span bytes, struct greeting *out, char *why,
                             size_t why_size)
{
    if (bytes.size >= 2 + 8 && load_u16(bytes.data + 8) != HEADER_MAGIC)
        return refuse(why, why_size, ERROR_INVALID, "what it sent is no lockstep greeting: is this a peer port?");
    if (bytes.size < HEADER_SIZE) return 0;
    struct header header;
    header_decode(bytes.data, &header);
    if (header.kind != HEADER_NODE || (header.type != GREETING_TYPE && header.type != REFUSAL_TYPE) ||
        header.length > NODE_GREETING_SIZE_MAX - HEADER_SIZE)
        return refuse(why, why_size, ERROR_INVALID, "its first message is no greeting");
    if (bytes.size < HEADER_SIZE + header.length) return 0;
    struct span body = {bytes.data + HEADER_SIZE, header.length};
    if (header_crc(0, bytes.data, body, (struct span){0}) != header.crc)
        return refuse(why, why_size, ERROR_CORRUPT, "its greeting is damaged");
    if (header.position > HEADER_VERSION || header.version < HEADER_VERSION_OLDEST)
        return refuse(why, why_size, ERROR_VERSION, "it speaks no version of the peer protocol that this build knows");
    if (header.sequence != node->options->cluster)
        return refuse(why, why_size, ERROR_WRONG_CLUSTER,
                      "it belongs to another cluster (other name or other list of first peers)");
    *out = (struct greeting){.node = header.sender, .incarnation = header.incarnation, .client_address = body};
    if (header.type == REFUSAL_TYPE)
        return refuse(why, why_size, ERROR_PERMISSION, "it does not know this node's id");
    if (node_peer_of(node, header.sender) == NULL)
        return refuse(why, why_size, ERROR_WRONG_NODE, "its node id is neither in this node's list of peers nor that of an enrolled client; a gateway is "
                      "enrolled by GROUP.ENROL at a node of the cluster");
    return (int64_t)(HEADER_SIZE + header.length);
}

int64_t node_greeting_read(struct node *node, struct span bytes, struct greeting *out, char *why, size_t why_size)
{
    int64_t size = read_greeting(node, bytes, out, why, why_size);
    if (size < 0) node_reject(node, REJECT_GREETING);
    return size;
}
