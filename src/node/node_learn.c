/* Groups at a client's node: it learns the directory from the members.
 *
 * A client has no replicated state, so it asks: its own read of GROUP.DIRECTORY goes through its core for the first group
 * like any other read, so that what comes back is what the members agree on. Of each group that is listed, and whose
 * answers it can compare, it becomes a client, with the core and the tuning that it has for the first; requests are
 * routed as at a member. Nothing is noted on the disk: a client promises nothing, and asks again after a restart.
 *
 * It asks at the start, then every second, and at once when an answer says that the directory has changed (TRYAGAIN). A
 * group that it knows too late costs an answer TRYAGAIN from default, one that it knows too long an INDETERMINATE: what
 * the members say is never wrong, since they judge each command by their own directory. */
#include <string.h>

#include "base/number.h"
#include "base/time.h"
#include "node/node_internal.h"
#include "protocol/registry.h"
#include "service/commands.h"

static const int64_t interval_ns = NS_PER_S;
static const int64_t hurry_ns = 10 * NS_PER_MS; /* from one question to the next, at least */

bool node_learns_directory(const struct node *node)
{
    return node->options->groups_max > 0 && node->options->groups[0].served_by != NULL;
}

void node_learn_spec(const struct node *node, const struct directory_group *group, struct group_spec *spec)
{
    const struct group_spec *first = &node->options->groups[0];
    spec->served_by = protocol_find(group->protocol);
    spec->protocol = first->protocol;
    spec->vote = first->vote;
    spec->service = first->service;
}

bool node_learn_suits(const struct node *node, const struct directory_group *group)
{
    const struct protocol *protocol = protocol_find(group->protocol);
    return protocol != NULL && protocol->order == ORDER_TOTAL && group->member_count >= node->options->groups[0].vote;
}

/* ---- asking ---- */

static void ask(struct node *node)
{
    struct learning *learning = &node->learning;
    uint32_t group = node->members[0]->spec->group;
    learning->next_ns = node->now_ns + hurry_ns;
    if (!node_request_room(node, group, true)) return;
    struct buffer *out = node_request_begin(node, group, true);
    size_t at = command_begin(out, OP_GROUP_DIRECTORY, 0, 0);
    if (at == SIZE_MAX) {
        node_request_abandon(node, group, true);
        return;
    }
    command_end(out, at);
    node_request_commit(node, group, true, NODE_COOKIE_OWN);
    learning->asked = true;
}

/* The bytes of a RESP3 bulk string; false when the value is something else. */
static bool bulk_of(struct span value, struct span *out)
{
    const uint8_t *end = value.size > 0 ? memchr(value.data, '\r', value.size) : NULL;
    int64_t size = 0;
    if (end == NULL || value.data[0] != '$') return false;
    size_t head = (size_t)(end - value.data) + 2;
    if (!number_parse_i64(span_of(value.data + 1, head - 3), &size) || size < 0) return false;
    if (value.size < head + 2 || (uint64_t)size != value.size - head - 2) return false;
    *out = span_of(value.data + head, (size_t)size);
    return true;
}

void node_learn_answer(struct node *node, const struct answer *answer)
{
    struct learning *learning = &node->learning;
    struct span bytes;
    struct directory heard;
    learning->asked = false;
    learning->next_ns = node->now_ns + interval_ns;
    if (answer->kind != ANSWER_VALUE || !bulk_of(answer->bytes, &bytes) || !directory_decode(bytes, &heard)) return;
    if (heard.version <= node->directory.version) return;
    learning->heard = heard;
    learning->news = true;
}

void node_learn_hint(struct node *node, const struct answer *answer)
{
    static const char again[] = "-TRYAGAIN";
    size_t size = sizeof again - 1;
    bool changed = answer->kind == ANSWER_VALUE && answer->bytes.size > size && memcmp(answer->bytes.data, again, size) == 0;
    if (!changed || !node_learns_directory(node) || node->learning.asked) return;
    int64_t soon_ns = node->now_ns + hurry_ns;
    if (soon_ns < node->learning.next_ns) node->learning.next_ns = soon_ns;
}

/* ---- each turn ---- */

bool node_learn_turn(struct node *node)
{
    struct learning *learning = &node->learning;
    bool news = learning->news;
    if (news) {
        node->directory = learning->heard;
        learning->news = false;
    }
    if (!learning->asked && learning->next_ns <= node->now_ns && node->members[0]->started) ask(node);
    return news;
}

int64_t node_learn_next_ns(const struct node *node)
{
    return node->learning.asked ? INT64_MAX : node->learning.next_ns;
}
