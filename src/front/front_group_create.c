/* GROUP.CREATE, as far as the programs that are present decide: is there such a protocol and service, do they suit one
 * another and the number of members, is it allowed. What the replicated state decides (names, prefixes, limits) is
 * checked where the command is delivered (service/directory/kv_groups.h). */
#include "front/front_group.h"
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

uint32_t front_most_faults(enum members_for_k rule, uint32_t members)
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

/* May this protocol be used here at all? First what no option changes. */
static const char *check_protocol(struct front *front, const struct group_spec *first, const struct protocol *protocol)
{
    buffer_clear(&front->text);
    if (protocol->masks > MASKS_TIMING && first->protocol->masks < protocol->masks) {
        front_print(&front->text,
                    "ERR protocol %s masks %s failures, but the group default, which decides what groups there are, "
                    "runs %s and masks %s failures only: a single malicious member of it could drop the group or "
                    "redirect its keys. Begin a cluster whose default masks them too: lockstep up --protocol %s, or "
                    "--protocol %s for each server",
                    protocol->name, failure_model_name(protocol->masks), first->protocol->name,
                    failure_model_name(first->protocol->masks), protocol->name, protocol->name);
        return finish(front);
    }
    if (protocol->maturity == MATURITY_LAB && !front->options.lab) {
        front_print(&front->text,
                    "ERR protocol %s is of lab maturity: it is there to be studied. Servers started with --lab yes "
                    "take it", protocol->name);
        return finish(front);
    }
    return NULL;
}

static const char *check_spec(struct front *front, struct wish *wish)
{
    struct group_spec *spec = &wish->spec;
    uint32_t most = front_most_faults(spec->protocol->members_for_k, spec->member_count);
    spec->k = wish->has_k ? (uint32_t)wish->k : most;
    /* Who asks for a protocol that masks liars means to mask one at least: a group that masks none is to be asked for. */
    bool too_few = !wish->has_k && spec->k == 0 && spec->protocol->masks == MASKS_ARBITRARY;
    if (too_few)
        spec->k = 1;
    spec->self = spec->members[0];
    char why[256];
    if (spec_check(spec, why, sizeof why) == 0)
        return NULL;
    buffer_clear(&front->text);
    front_print(&front->text, "ERR %s%s", why, too_few ? "; with K 0 it is created and masks none" : "");
    return finish(front);
}

static const char *check(struct front_call *call, struct wish *wish)
{
    struct front *front = call->front;
    struct node_group_status status;
    bool known = node_group_status(front->node, 0, &status);
    if (known && status.spec->served_by != NULL)
        return "ERR a gateway creates no groups, for it does not know what its cluster can host; ask one of the nodes";
    if (!known || status.spec->service != &kv_groups_service)
        return "ERR this node has no directory of groups: its group default was not made by lockstep server";
    const char *error = read_words(call, wish);
    if (error != NULL)
        return error;
    if (!front_group_name(wish->name, wish->texts[0]) || !front_group_name(wish->protocol, wish->texts[1]) ||
        !front_group_name(wish->service, wish->texts[2]))
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

static bool encode(struct buffer *out, const void *context)
{
    const struct wish *wish = context;
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

enum front_outcome front_group_create(struct front_call *call)
{
    struct wish wish = {.has_k = false};
    const char *error = check(call, &wish);
    if (error != NULL)
        return front_group_error(call, error);
    return front_group_update(call, encode, &wish);
}
