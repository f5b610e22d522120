/* What clients get of the directory of groups: names, cards, enrolled clients. */
#include "front/front_group.h"
#include "front/front_text.h"
#include "protocol/registry.h"
#include "service/directory/kv_groups.h"

static void put_text(struct buffer *reply, const char *name, const char *text)
{
    (void)reply_bulk(reply, span_string(name));
    (void)reply_bulk(reply, span_string(text));
}

static void put_number(struct buffer *reply, const char *name, uint64_t number)
{
    (void)reply_bulk(reply, span_string(name));
    (void)reply_integer(reply, (int64_t)number);
}

/* What a group's card says beside its protocol's properties. */
struct card {
    const char *name, *protocol, *service;
    uint32_t number, k, member_count;
    const uint32_t *members;
    struct span prefix;
    const char *around; /* the group that owns the keys around the prefix */
};

static void put_protocol(struct buffer *reply, const struct protocol *protocol)
{
    put_text(reply, "order", protocol != NULL ? order_name(protocol->order) : "unknown");
    put_text(reply, "atomic", protocol == NULL ? "unknown" : protocol->atomic ? "yes" : "no");
    put_text(reply, "durable", protocol == NULL ? "unknown" : protocol->durable ? "yes" : "no");
    put_text(reply, "masks", protocol != NULL ? failure_model_name(protocol->masks) : "unknown");
    put_text(reply, "members-needed", protocol != NULL ? members_for_k_name(protocol->members_for_k) : "unknown");
    put_text(reply, "maturity", protocol != NULL ? maturity_name(protocol->maturity) : "unknown");
    put_text(reply, "acknowledgement",
             protocol != NULL && protocol->durable
                 ? "executed, and stored by members enough to survive k faults"
                 : "executed; what members store is not promised to survive");
}

/* Role and orderer are what this node's member says; a gateway has none of any group. */
static void put_here(struct front *front, uint32_t number, struct buffer *reply)
{
    struct node_group_status status = {0};
    bool gateway = front_is_gateway(front);
    bool here = !gateway && node_hosts(front->node, number) && node_group_status(front->node, number, &status);
    put_text(reply, "role", here ? status.member.role : "no member on this node");
    put_number(reply, "orderer", here ? status.member.orderer : 0);
    buffer_clear(&front->text);
    front_print(&front->text, "%s %u", gateway ? "gateway" : "node", node_id(front->node));
    (void)reply_bulk(reply, span_string("answered-by"));
    (void)reply_bulk(reply, buffer_span(&front->text));
}

static void put_card(struct front *front, const struct card *card, struct buffer *reply)
{
    (void)reply_map(reply, 18);
    put_text(reply, "name", card->name);
    put_number(reply, "number", card->number);
    put_text(reply, "protocol", card->protocol);
    put_text(reply, "service", card->service);
    put_number(reply, "k", card->k);
    (void)reply_bulk(reply, span_string("members"));
    (void)reply_array(reply, card->member_count);
    for (uint32_t i = 0; i < card->member_count; i++)
        (void)reply_integer(reply, card->members[i]);
    (void)reply_bulk(reply, span_string("prefix"));
    (void)reply_bulk(reply, card->prefix);
    put_text(reply, "within", card->around);
    put_protocol(reply, protocol_find(card->protocol));
    put_here(front, card->number, reply);
}

/* What a gateway's own specification of it names is how it asks, not what is asked. */
static void put_default(struct front *front, struct buffer *reply)
{
    struct node_group_status status = {0};
    (void)node_group_status(front->node, 0, &status);
    const struct group_spec *spec = status.spec;
    bool asks = spec->served_by != NULL;
    const struct protocol *protocol = asks ? spec->served_by : spec->protocol;
    struct card card = {.name = spec->name,
                        .protocol = protocol->name,
                        .service = asks ? kv_groups_service.name : spec->service->name, /* it has a directory */
                        .k = asks ? front_most_faults(protocol->members_for_k, spec->member_count) : spec->k,
                        .member_count = spec->member_count,
                        .members = spec->members,
                        .around = ""};
    put_card(front, &card, reply);
}

static void put_info(struct front *front, const struct directory *directory, const char *name, struct buffer *reply)
{
    const struct directory_group *group = directory_find(directory, span_string(name));
    if (strcmp(name, "default") == 0) {
        put_default(front, reply);
    } else if (group == NULL) {
        (void)reply_error(reply, "ERR there is no group of that name; GROUP.LIST names those that there are");
    } else {
        const struct directory_group *around = directory_around(directory, group);
        const char *owner = around != NULL ? around->name : group->prefix_size > 0 ? "default" : "";
        struct card card = {.name = group->name,
                            .protocol = group->protocol,
                            .service = group->service,
                            .number = group->number,
                            .k = group->k,
                            .member_count = group->member_count,
                            .members = group->members,
                            .prefix = span_of(group->prefix, group->prefix_size),
                            .around = owner};
        put_card(front, &card, reply);
    }
}

static void put_list(const struct directory *directory, struct buffer *reply)
{
    (void)reply_array(reply, 1 + directory->count);
    (void)reply_bulk(reply, span_string("default"));
    for (uint32_t i = 0; i < directory->count; i++)
        (void)reply_bulk(reply, span_string(directory->groups[i].name));
}

static void put_clients(const struct directory *directory, struct buffer *reply)
{
    static const char digits[] = "0123456789abcdef";
    (void)reply_array(reply, directory->client_count);
    for (uint32_t i = 0; i < directory->client_count; i++) {
        const struct directory_client *client = &directory->clients[i];
        char text[2 * DIRECTORY_KEY_SIZE];
        for (size_t at = 0; at < DIRECTORY_KEY_SIZE; at++) {
            text[2 * at] = digits[client->key[at] >> 4];
            text[2 * at + 1] = digits[client->key[at] & 15];
        }
        (void)reply_array(reply, 2);
        (void)reply_integer(reply, client->node);
        (void)reply_bulk(reply, span_of(text, directory_client_has_key(client) ? sizeof text : 0));
    }
}

struct span front_group_answer(struct connection *connection, struct span value, enum slot_meaning meaning)
{
    struct front *front = connection->front;
    struct directory directory;
    size_t at = 0;
    while (at < value.size && value.data[at] != '\n')
        at++;
    bool bulk = value.size > 0 && value.data[0] == '$' && at + 3 <= value.size;
    if (!bulk || !directory_decode(span_of(value.data + at + 1, value.size - at - 3), &directory))
        return value; /* an error */
    struct buffer *reply = &front->value;
    buffer_clear(reply);
    if (meaning == MEANING_GROUP_INFO)
        put_info(front, &directory, connection->asked_group, reply);
    else if (meaning == MEANING_GROUP_CLIENTS)
        put_clients(&directory, reply);
    else
        put_list(&directory, reply);
    return buffer_span(reply);
}
