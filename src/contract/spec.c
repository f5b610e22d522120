/* Specifications of groups (spec.h): production's tuning, and the check that a group can keep its promise. */
#include "contract/spec.h"

#include "base/error.h"
#include "base/time.h"
#include "contract/protocol.h"
#include "contract/service.h"
#include "contract/text.h"

static const uint64_t MIB = UINT64_C(1) << 20;
static const uint64_t GIB = UINT64_C(1) << 30;

void spec_defaults(struct tuning *out)
{
    *out = (struct tuning){
        .heartbeat_ns = 50 * NS_PER_MS,
        .election_timeout_ns = 200 * NS_PER_MS,
        .append_bytes_max = MIB,
        .append_inflight_max = 64,
        .log_entries_max = 262144,
        .checkpoint_log_bytes = 64 * MIB,
        .checkpoint_interval = 4096,
        .service_bytes_max = 0,
        .service_heap_bytes = 16 * GIB, /* a reservation: pages are taken as they are touched */
        .command_bytes_max = 64 * MIB + MIB, /* Redis' largest useful values, and room for the rest of the command */
    };
}

static uint64_t members_needed(enum members_for_k rule, uint64_t k)
{
    switch (rule) {
    case MEMBERS_ANY:
        return 1;
    case MEMBERS_K_PLUS_1:
        return k + 1;
    case MEMBERS_2K_PLUS_1:
        return 2 * k + 1;
    case MEMBERS_3K_PLUS_1:
        return 3 * k + 1;
    }
    return UINT64_MAX;
}

/* Begins the sentence with what every refusal says. */
static struct text refusal(const struct group_spec *spec, char *why, size_t why_size)
{
    struct text text = text_begin(why, why_size);
    text_add(&text, "group ");
    text_add(&text, spec->name != NULL ? spec->name : "without a name");
    text_add(&text, ": ");
    return text;
}

static int refuse(const struct group_spec *spec, const char *reason, char *why, size_t why_size)
{
    struct text text = refusal(spec, why, why_size);
    text_add(&text, reason);
    return ERROR_INVALID;
}

static int check_members(const struct group_spec *spec, char *why, size_t why_size)
{
    if (spec->member_count == 0 || spec->members == NULL)
        return refuse(spec, "it has no members", why, why_size);
    for (uint32_t i = 0; i < spec->member_count; i++) {
        if (spec->members[i] == 0)
            return refuse(spec, "node 0 is nobody and cannot be a member", why, why_size);
        if (i > 0 && spec->members[i] <= spec->members[i - 1])
            return refuse(spec, "its members must ascend and differ", why, why_size);
    }
    uint64_t needed = members_needed(spec->protocol->members_for_k, spec->k);
    if (spec->member_count >= needed)
        return OK;
    struct text text = refusal(spec, why, why_size);
    text_add(&text, "protocol ");
    text_add(&text, spec->protocol->name);
    text_add(&text, " needs ");
    text_add(&text, members_for_k_name(spec->protocol->members_for_k));
    text_add(&text, " = ");
    text_add_u64(&text, needed);
    text_add(&text, " members to mask k = ");
    text_add_u64(&text, spec->k);
    text_add(&text, " faults, and there are ");
    text_add_u64(&text, spec->member_count);
    return ERROR_INVALID;
}

/* One requirement of the service that the protocol does not meet. */
static int refuse_need(const struct group_spec *spec, const char *needed, const char *given, char *why,
                       size_t why_size)
{
    struct text text = refusal(spec, why, why_size);
    text_add(&text, "service ");
    text_add(&text, spec->service->name);
    text_add(&text, " needs ");
    text_add(&text, needed);
    text_add(&text, ", and protocol ");
    text_add(&text, spec->protocol->name);
    text_add(&text, " gives ");
    text_add(&text, given);
    return ERROR_INVALID;
}

static const char *order_needed_name(enum order order)
{
    switch (order) {
    case ORDER_NONE:
        return "no order";
    case ORDER_FIFO:
        return "FIFO order";
    case ORDER_CAUSAL:
        return "causal order";
    case ORDER_TOTAL:
        return "total order";
    }
    return "?";
}

int spec_check(const struct group_spec *spec, char *why, size_t why_size)
{
    (void)text_begin(why, why_size); /* an accepted specification leaves an empty sentence */
    if (spec->protocol == NULL)
        return refuse(spec, "it has no protocol", why, why_size);
    int status = check_members(spec, why, why_size);
    if (status != OK || spec->service == NULL)
        return status;
    /* The orders are declared from the weakest to the strongest, and each implies the ones before it. */
    if (spec->protocol->order < spec->service->needs_order)
        return refuse_need(spec, order_needed_name(spec->service->needs_order),
                           order_needed_name(spec->protocol->order), why, why_size);
    if (spec->service->needs_atomic && !spec->protocol->atomic)
        return refuse_need(spec, "atomic delivery", "none", why, why_size);
    if (spec->service->needs_durable && !spec->protocol->durable)
        return refuse_need(spec, "durability", "none", why, why_size);
    return OK;
}

bool spec_proven(const struct group_spec *spec)
{
    const struct protocol *members = spec->served_by != NULL ? spec->served_by : spec->protocol;
    return members->masks == MASKS_ARBITRARY;
}

int spec_member_place(const struct group_spec *spec, uint32_t node)
{
    for (uint32_t i = 0; i < spec->member_count; i++)
        if (spec->members[i] == node)
            return (int)i;
    return -1;
}
