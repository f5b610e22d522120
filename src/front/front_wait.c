/* WAIT n timeout: how many members, this one counted too, have durably stored the last write of the connection.
 *
 * Every acknowledged write is stored by a quorum already, so WAIT asks for more than the promise: for a copy on slow or
 * returning members too. The node asks the member that orders; here the question is put again every 10 ms until enough
 * have it or the time is up. A connection that has written nothing yet gets the number of members that are connected.
 * At a gateway, which is no member, the answer is the quorum that had each write before it was answered.
 * Deviation from Redis, which counts replicas only: there the one that took the write does not count. */
#include "base/number.h"
#include "base/time.h"
#include "front/front_internal.h"

static const int64_t POLL_NS = 10 * NS_PER_MS;

void front_wait_free(struct connection *connection)
{
    connection_list_remove(connection, LIST_WAITING);
    heap_free(connection->front->heap, connection->wait);
    connection->wait = NULL;
}

static void finish(struct connection *connection)
{
    struct front *front = connection->front;
    uint32_t sequence = connection->wait->sequence, seen = connection->wait->seen;
    front_wait_free(connection);
    buffer_clear(&front->value);
    (void)reply_integer(&front->value, seen);
    connection_answer(connection, sequence, buffer_span(&front->value));
    front_unstall(connection);
}

/* The node may answer before node_request_count returns; so nothing of the connection is used after it. */
static void ask(struct connection *connection)
{
    struct wait *wait = connection->wait;
    wait->asked = true;
    connection->pending++;
    connection->front->handed_in = true;
    node_request_count(connection->front->node, wait->group, wait->index, connection_cookie(connection, wait->sequence));
}

static uint32_t members_connected(const struct front *front)
{
    uint32_t count = front_is_gateway(front) ? 0 : 1;
    struct node_peer_status peer;
    for (uint32_t place = 0; node_peer_status(front->node, place, &peer); place++)
        count += peer.connected;
    return count;
}

static enum front_outcome answer_now(struct connection *connection)
{
    connection_answer_new(connection, buffer_span(&connection->front->value));
    return FRONT_DONE;
}

enum front_outcome front_wait(struct front_call *call)
{
    struct front *front = call->front;
    struct connection *connection = call->connection;
    if (connection_unanswered(connection) > 0)
        return front_stall(connection, STALL_BARRIER);
    int64_t target, timeout_ms;
    buffer_clear(&front->value);
    if (!number_parse_i64(call_argument(call, 1), &target)) {
        (void)reply_error(&front->value, "ERR value is not an integer or out of range");
        return answer_now(connection);
    }
    if (!number_parse_i64(call_argument(call, 2), &timeout_ms)) {
        (void)reply_error(&front->value, "ERR timeout is not an integer or out of range");
        return answer_now(connection);
    }
    if (timeout_ms < 0) {
        (void)reply_error(&front->value, "ERR timeout is negative");
        return answer_now(connection);
    }
    if (connection->last_write_index == 0) {
        (void)reply_integer(&front->value, members_connected(front));
        return answer_now(connection);
    }
    struct wait *wait = heap_alloc_zero(front->heap, sizeof *wait);
    bool ok = wait != NULL;
    uint32_t sequence = ok ? connection_slot_add(connection, SLOT_WAIT, MEANING_PLAIN, &ok) : 0;
    if (!ok) {
        heap_free(front->heap, wait);
        connection_break(connection);
        return FRONT_DONE;
    }
    bool for_ever = timeout_ms == 0 || timeout_ms > (INT64_MAX - front->now_ns) / NS_PER_MS - 1;
    *wait = (struct wait){
        .target = target <= 0 ? 0 : target > UINT32_MAX ? UINT32_MAX : (uint32_t)target,
        .sequence = sequence,
        .group = connection->last_write_group,
        .index = connection->last_write_index,
        .deadline_ns = for_ever ? INT64_MAX : front->now_ns + timeout_ms * NS_PER_MS,
        .poll_ns = INT64_MAX,
    };
    connection->wait = wait;
    connection->barrier = true;
    connection_list_add(connection, LIST_WAITING);
    ask(connection);
    return FRONT_DONE;
}

void front_wait_answer(struct connection *connection, uint32_t sequence, const struct answer *answer)
{
    struct wait *wait = connection->wait;
    if (wait == NULL || wait->sequence != sequence)
        return; /* the connection is broken */
    wait->asked = false;
    if (answer->kind == ANSWER_COUNT && answer->count > wait->seen)
        wait->seen = answer->count;
    wait->poll_ns = connection->front->now_ns + POLL_NS;
    if (answer->kind == ANSWER_COUNT && wait->seen >= wait->target)
        finish(connection);
}

void front_wait_turn(struct front *front)
{
    struct connection *next;
    for (struct connection *at = front->queues[LIST_WAITING].first; at != NULL; at = next) {
        next = at->links[LIST_WAITING].next;
        const struct wait *wait = at->wait;
        if (wait->deadline_ns <= front->now_ns)
            finish(at);
        else if (!wait->asked && wait->poll_ns <= front->now_ns)
            ask(at);
    }
}

int64_t front_wait_next_ns(const struct front *front)
{
    int64_t next = INT64_MAX;
    for (const struct connection *at = front->queues[LIST_WAITING].first; at != NULL;
         at = at->links[LIST_WAITING].next) {
        const struct wait *wait = at->wait;
        int64_t due = wait->asked || wait->deadline_ns < wait->poll_ns ? wait->deadline_ns : wait->poll_ns;
        if (due < next)
            next = due;
    }
    return next;
}
