/* From keys to groups: which group owns a command's keys, and is it here?
 *
 * Keys under the prefix of a group belong to it, all others to `default`, and so do commands without keys. The table is
 * the node's own copy of the directory, which may lack what the node has not heard yet: `default` itself
 * refuses keys that are no longer its own (service/directory/kv_groups.h).
 *
 * A node without a member of the group answers as Redis Cluster does, "MOVED number host:port", with the address of a
 * connected node that has one, so that redis-cli -c and cluster clients find it; the number is the group's. A gateway
 * serves all groups whose answers it can compare, and says of the others why not; it sends nobody to a single node that
 * did not ask for that. */
#include "front/front_internal.h"
#include "front/front_text.h"
#include "protocol/registry.h"

/* The text in the making as an error's text. */
static const char *finish(struct front *front)
{
    return buffer_append(&front->text, "", 1) ? (const char *)front->text.data : "OOM no memory left for the answer";
}

static const char *group_name(const struct front *front, uint32_t number)
{
    const struct directory_group *group = directory_find_number(node_directory(front->node), number);
    return group != NULL ? group->name : "default";
}

const char *front_crossing(struct front *front, uint32_t one, uint32_t other)
{
    buffer_clear(&front->text);
    front_print(&front->text,
                "CROSSGROUP keys of group '%s' and of group '%s' in one command or transaction; nothing was executed: "
                "only keys of one group can change together", group_name(front, one), group_name(front, other));
    return finish(front);
}

/* Where a connected member of the group answers clients; empty: nowhere that is known. */
static struct span member_address(const struct front *front, const struct directory_group *group)
{
    struct node_peer_status peer;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++)
        if (peer.connected && peer.client_address.size > 0 && directory_has_member(group, peer.node))
            return peer.client_address;
    return (struct span){0};
}

static const char *moved(struct front *front, const struct directory_group *group)
{
    struct span address = member_address(front, group);
    buffer_clear(&front->text);
    if (address.size > 0) {
        front_print(&front->text, "MOVED %u %.*s", group->number, (int)address.size, (const char *)address.data);
        return finish(front);
    }
    front_print(&front->text, "CLUSTERDOWN no member of group '%s' is here or connected; nothing was executed",
                group->name);
    return finish(front);
}

/* Of a group that this gateway, whose specification of `default` is `first`, does not ask (node_learn_suits). */
static const char *not_asked(struct front *front, const struct group_spec *first, const struct directory_group *group)
{
    const struct protocol *protocol = protocol_find(group->protocol);
    struct span address = member_address(front, group);
    struct buffer *text = &front->text;
    buffer_clear(text);
    if (protocol != NULL && protocol->order < ORDER_TOTAL)
        front_print(text, "ERR group '%s' runs %s, whose members have no common order and answer each from a state of its "
                    "own, so a gateway cannot compare their answers", group->name, protocol->name);
    else if (group->member_count < first->vote)
        front_print(text, "ERR group '%s' has %u member%s, and this gateway compares the answers of %u (--vote)",
                    group->name, group->member_count, group->member_count == 1 ? "" : "s", first->vote);
    else
        front_print(text, "ERR this gateway cannot ask group '%s' (memory, or a protocol that this build lacks: %s)",
                    group->name, group->protocol);
    front_print(text, "; nothing was executed: ask a node of the group");
    if (address.size > 0)
        front_print(text, ", such as %.*s", (int)address.size, (const char *)address.data);
    return finish(front);
}

const char *front_reach(struct front *front, uint32_t group)
{
    if (group == 0 || node_hosts(front->node, group))
        return NULL;
    const struct directory_group *entry = directory_find_number(node_directory(front->node), group);
    if (entry == NULL)
        return "TRYAGAIN the group was dropped; nothing was executed";
    struct node_group_status first;
    if (node_group_status(front->node, 0, &first) && first.spec->served_by != NULL)
        return not_asked(front, first.spec, entry);
    if (!directory_has_member(entry, node_id(front->node)))
        return moved(front, entry);
    buffer_clear(&front->text);
    front_print(&front->text,
                "CLUSTERDOWN the member of group '%s' on this node could not be made (memory, disk, or a protocol that "
                "this build lacks); nothing was executed", entry->name);
    return finish(front);
}

static uint32_t group_of_key(const struct directory *directory, struct span key)
{
    const struct directory_group *owner = directory_owner(directory, key);
    return owner != NULL ? owner->number : 0;
}

const char *front_route(struct front *front, const struct command_spec *spec, const struct resp_command *words,
                        uint32_t *group)
{
    const struct directory *directory = node_directory(front->node);
    *group = 0;
    if (directory->count == 0 || spec->first_key == 0)
        return NULL;
    int64_t last = spec->last_key < 0 ? (int64_t)words->count + spec->last_key : spec->last_key;
    for (int64_t place = spec->first_key; place <= last && place < (int64_t)words->count; place += spec->key_step) {
        uint32_t owner = group_of_key(directory, resp_argument(words, (uint32_t)place));
        if (place > spec->first_key && owner != *group)
            return front_crossing(front, *group, owner);
        *group = owner;
    }
    return front_reach(front, *group);
}
