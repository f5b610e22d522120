/* GROUP.CREATE, GROUP.DROP, GROUP.LIST, GROUP.INFO.
 *
 * What the programs that are present decide is checked here: is there such a protocol and service, do they suit one
 * another and the number of members, is it allowed. What the replicated state decides (names, prefixes, limits) is
 * checked where the command is delivered (service/directory/kv_groups.h). LIST and INFO are linearizable reads of the
 * directory. */
#include "base/number.h"
#include "front/front_internal.h"
#include "front/front_text.h"
#include "protocol/registry.h"
#include "service/directory/kv_groups.h"
#include "service/registry.h"

static const char usage[] =
    "ERR syntax error; it is GROUP.CREATE name PROTOCOL name [K k] [MEMBERS 1,2,3] [PREFIX p:] [SERVICE kv]";

/* What GROUP.CREATE asks for, and its specification as far as it can be checked here. */
struct wish {
    struct span name, protocol, service, prefix, members_text;
    bool has_k;
    uint64_t k;
    uint32_t members[DIRECTORY_MEMBERS_MAX];
    char texts[3][DIRECTORY_TEXT_SIZE_MAX + 1];
    struct group_spec spec;
};

static enum front_outcome answer_error(struct front_call *call, const char *error)
{
    struct front *front = call->front;
    front->errors++;
    buffer_clear(&front->value);
    (void)reply_error(&front->value, error);
    connection_answer_new(call->connection, buffer_span(&front->value));
    return FRONT_DONE;
}

static const char *finish(struct front *front)
{
    return buffer_append(&front->text, "", 1) ? (const char *)front->text.data : "OOM no memory left for the answer";
}

/* ---- reading the words ---- */

static const char *read_words(const struct front_call *call, struct wish *wish)
{
    wish->name = call_argument(call, 1);
    wish->service = span_string("kv");
    if (call->words.count % 2 != 0)
        return usage;
    for (uint32_t i = 2; i < call->words.count; i += 2) {
        struct span word = call_argument(call, i), value = call_argument(call, i + 1);
        if (front_same(word, "PROTOCOL"))
            wish->protocol = value;
        else if (front_same(word, "SERVICE"))
            wish->service = value;
        else if (front_same(word, "MEMBERS"))
            wish->members_text = value;
        else if (front_same(word, "PREFIX") && value.size > 0)
            wish->prefix = value;
        else if (front_same(word, "K") && front_number(value, &wish->k) && wish->k <= UINT32_MAX)
            wish->has_k = true;
        else
            return usage;
    }
    return wish->protocol.size > 0 ? NULL : usage;
}

static bool copy_text(struct span text, char out[DIRECTORY_TEXT_SIZE_MAX + 1])
{
    if (text.size == 0 || text.size > DIRECTORY_TEXT_SIZE_MAX || memchr(text.data, 0, text.size) != NULL)
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

/* "1,2,3", in any order; without a text all nodes of the cluster. */
static const char *read_members(struct front *front, const struct group_spec *first, struct wish *wish)
{
    struct span text = wish->members_text;
    struct group_spec *spec = &wish->spec;
    spec->members = wish->members;
    if (text.size == 0 && first->member_count > DIRECTORY_MEMBERS_MAX)
        return "ERR the cluster has more nodes than a group may have members (16): name some with MEMBERS";
    for (uint32_t i = 0; text.size == 0 && i < first->member_count; i++)
        wish->members[spec->member_count++] = first->members[i];
    while (text.size > 0) {
        const uint8_t *comma = memchr(text.data, ',', text.size);
        size_t size = comma != NULL ? (size_t)(comma - text.data) : text.size;
        uint64_t node;
        if (!front_number(span_of(text.data, size), &node) || node == 0 || node > UINT32_MAX ||
            (comma != NULL && size + 1 == text.size))
            return "ERR MEMBERS are node ids with commas between, such as 1,2,3";
        if (spec->member_count == DIRECTORY_MEMBERS_MAX) {
            buffer_clear(&front->text);
            front_print(&front->text, "ERR a group has at most %d members", (int)DIRECTORY_MEMBERS_MAX);
            return finish(front);
        }
        uint32_t place = spec->member_count++;
        for (; place > 0 && wish->members[place - 1] > node; place--)
            wish->members[place] = wish->members[place - 1];
        wish->members[place] = (uint32_t)node;
        text = comma != NULL ? span_of(text.data + size + 1, text.size - size - 1) : (struct span){0};
    }
    return NULL;
}

/* ---- checking ---- */

static const char *unknown_protocol(struct front *front, const char *name)
{
    buffer_clear(&front->text);
    front_print(&front->text, "ERR there is no protocol '%s'; there are:", name);
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++)
        if ((*at)->maturity == MATURITY_PRODUCTION || front->options.lab)
            front_print(&front->text, " %s", (*at)->name);
    return finish(front);
}

static const char *unknown_service(struct front *front, const char *name)
{
    buffer_clear(&front->text);
    front_print(&front->text, "ERR there is no service '%s' for groups; there are:", name);
    for (const struct service *const *at = service_registry(); *at != NULL; at++)
        if (*at != &kv_groups_service)
            front_print(&front->text, " %s", (*at)->name);
    return finish(front);
}

static uint32_t most_faults(enum members_for_k rule, uint32_t members)
{
    switch (rule) {
    case MEMBERS_ANY:
        return 0;
    case MEMBERS_K_PLUS_1:
        return members - 1;
    case MEMBERS_2K_PLUS_1:
        return (members - 1) / 2;
    case MEMBERS_3K_PLUS_1:
        return (members - 1) / 3;
    }
    return 0;
}

/* May this protocol be used here at all? */
static const char *check_protocol(struct front *front, const struct group_spec *first, const struct protocol *protocol)
{
    buffer_clear(&front->text);
    if (protocol->maturity == MATURITY_LAB && !front->options.lab) {
        front_print(&front->text,
                    "ERR protocol %s is of lab maturity: it is there to be studied. Servers started with --lab yes "
                    "take it", protocol->name);
        return finish(front);
    }
    if (protocol->masks > MASKS_TIMING && first->protocol->masks < protocol->masks) {
        front_print(&front->text,
                    "ERR protocol %s masks %s failures, but the group default, which decides what groups there are, "
                    "runs %s and masks %s failures only: a single malicious member of it could drop the group or "
                    "redirect its keys. Start the cluster with --protocol %s",
                    protocol->name, failure_model_name(protocol->masks), first->protocol->name,
                    failure_model_name(first->protocol->masks), protocol->name);
        return finish(front);
    }
    return NULL;
}

static const char *check_spec(struct front *front, struct wish *wish)
{
    struct group_spec *spec = &wish->spec;
    spec->k = wish->has_k ? (uint32_t)wish->k : most_faults(spec->protocol->members_for_k, spec->member_count);
    spec->self = spec->members[0];
    char why[256];
    if (spec_check(spec, why, sizeof why) == 0)
        return NULL;
    buffer_clear(&front->text);
    front_print(&front->text, "ERR %s", why);
    return finish(front);
}

static const char *check(struct front_call *call, struct wish *wish)
{
    struct front *front = call->front;
    struct node_group_status status;
    if (!node_group_status(front->node, 0, &status) || status.spec->service != &kv_groups_service)
        return "ERR this node has no directory of groups: its group default was not made by lockstep server";
    const char *error = read_words(call, wish);
    if (error != NULL)
        return error;
    if (!copy_text(wish->name, wish->texts[0]) || !copy_text(wish->protocol, wish->texts[1]) ||
        !copy_text(wish->service, wish->texts[2]))
        return "ERR names are 1 to 31 letters, digits and any of - _ . +";
    wish->spec.name = wish->texts[0];
    wish->spec.protocol = protocol_find(wish->texts[1]);
    wish->spec.service = service_find(wish->texts[2]);
    if (wish->spec.protocol == NULL)
        return unknown_protocol(front, wish->texts[1]);
    if (wish->spec.service == NULL || wish->spec.service == &kv_groups_service)
        return unknown_service(front, wish->texts[2]);
    error = read_members(front, status.spec, wish);
    if (error == NULL)
        error = check_protocol(front, status.spec, wish->spec.protocol);
    return error != NULL ? error : check_spec(front, wish);
}

/* ---- handing in ---- */

static bool encode_create(struct buffer *out, const struct wish *wish)
{
    const struct group_spec *spec = &wish->spec;
    size_t at = command_begin(out, OP_GROUP_CREATE, 0, 5 + spec->member_count);
    uint8_t number[4];
    store_u32(number, spec->k);
    bool ok = at != SIZE_MAX && command_argument(out, wish->name) && command_argument(out, wish->protocol) &&
              command_argument(out, wish->service) && command_argument(out, wish->prefix) &&
              command_argument(out, span_of(number, sizeof number));
    for (uint32_t i = 0; ok && i < spec->member_count; i++) {
        store_u32(number, spec->members[i]);
        ok = command_argument(out, span_of(number, sizeof number));
    }
    if (ok)
        command_end(out, at);
    return ok;
}

/* Hands one command of the directory in; `wish` is NULL when its words travel as they are. */
static enum front_outcome submit(struct front_call *call, uint16_t op, bool read, enum slot_meaning meaning,
                                 const struct wish *wish)
{
    struct connection *connection = call->connection;
    struct node *node = call->front->node;
    bool by_log = !read || connection->updates > 0;
    struct buffer *bundle = node_request_begin(node, 0, !by_log);
    struct resp_command none = call->words;
    none.count = 1;
    bool ok = wish != NULL ? encode_create(bundle, wish)
                           : front_encode(bundle, op, 0, op == OP_GROUP_LIST ? &none : &call->words, 1);
    uint32_t sequence = ok ? connection_slot_add(connection, by_log ? SLOT_UPDATE : SLOT_READ, meaning, &ok) : 0;
    if (!ok) {
        node_request_abandon(node, 0, !by_log);
        return answer_error(call, "OOM no memory left to hold the request");
    }
    node_request_commit(node, 0, !by_log, connection_cookie(connection, sequence));
    front_submitted(connection, 0, by_log);
    return FRONT_DONE;
}

enum front_outcome front_group_create(struct front_call *call)
{
    struct wish wish = {.has_k = false};
    const char *error = check(call, &wish);
    if (error != NULL)
        return answer_error(call, error);
    if (!front_may_submit(call->connection, 0, false))
        return FRONT_STALL;
    return submit(call, OP_GROUP_CREATE, false, MEANING_WRITE, &wish);
}

enum front_outcome front_group_drop(struct front_call *call)
{
    if (span_equal(call_argument(call, 1), span_string("default")))
        return answer_error(call, "ERR the group default holds the directory of groups and cannot be dropped");
    if (!front_may_submit(call->connection, 0, false))
        return FRONT_STALL;
    return submit(call, OP_GROUP_DROP, false, MEANING_WRITE, NULL);
}

static enum front_outcome ask(struct front_call *call, enum slot_meaning meaning)
{
    struct node_group_status status;
    if (!node_group_status(call->front->node, 0, &status) || status.spec->service != &kv_groups_service)
        return answer_error(call, "ERR this node has no directory of groups");
    if (!front_may_submit(call->connection, 0, true))
        return FRONT_STALL;
    call->connection->barrier = true; /* the name of INFO is kept for one answer at a time */
    return submit(call, OP_GROUP_LIST, true, meaning, NULL);
}

enum front_outcome front_group_list(struct front_call *call)
{
    return ask(call, MEANING_GROUP_LIST);
}

enum front_outcome front_group_info(struct front_call *call)
{
    if (!copy_text(call_argument(call, 1), call->connection->asked_group))
        return answer_error(call, "ERR there is no group of that name; GROUP.LIST names those that there are");
    return ask(call, MEANING_GROUP_INFO);
}

/* ---- answers ---- */

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

static void put_card(struct front *front, const struct card *card, struct buffer *reply)
{
    struct node_group_status status = {0};
    bool here = node_hosts(front->node, card->number) && node_group_status(front->node, card->number, &status);
    (void)reply_map(reply, 16);
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
    put_protocol(reply, protocol_find(card->protocol));
    put_text(reply, "role", here ? status.member.role : "no member on this node");
    put_number(reply, "orderer", here ? status.member.orderer : 0);
}

static void put_default(struct front *front, struct buffer *reply)
{
    struct node_group_status status = {0};
    (void)node_group_status(front->node, 0, &status);
    struct card card = {.name = status.spec->name,
                        .protocol = status.spec->protocol->name,
                        .service = status.spec->service->name,
                        .k = status.spec->k,
                        .member_count = status.spec->member_count,
                        .members = status.spec->members};
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
        struct card card = {.name = group->name,
                            .protocol = group->protocol,
                            .service = group->service,
                            .number = group->number,
                            .k = group->k,
                            .member_count = group->member_count,
                            .members = group->members,
                            .prefix = span_of(group->prefix, group->prefix_size)};
        put_card(front, &card, reply);
    }
}

struct span front_group_answer(struct connection *connection, struct span value, bool info)
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
    if (info) {
        put_info(front, &directory, connection->asked_group, reply);
        return buffer_span(reply);
    }
    (void)reply_array(reply, 1 + directory.count);
    (void)reply_bulk(reply, span_string("default"));
    for (uint32_t i = 0; i < directory.count; i++)
        (void)reply_bulk(reply, span_string(directory.groups[i].name));
    return buffer_span(reply);
}
