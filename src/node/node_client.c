/* Clients of a group, at a member: their requests come in, and the answers of what was executed here go back.
 *
 * A client is believed in nothing: it may be malicious, where members may. Its bundles are checked whole before the
 * member hears of them, it speaks for its own session only, and what is kept for it is bounded. What gets over a bound
 * is dropped, as if it were lost: clients ask again.
 *
 * Every member answers from what it executed itself, and the client compares. All answers of a turn to one client leave
 * together, so that one proof serves them all. */
#include <string.h>

#include "base/panic.h"
#include "node/node_internal.h"

enum {
    ANSWERS_FIELDS_SIZE = 8 + 1 + 4 + 4, /* of CLIENT_ANSWERS, before the list */
    TOLD_FIRST = 4,
};
/* Of all looks that a member keeps. */
static const size_t LOOK_BYTES_MAX = (size_t)64 << 20;

void member_clients_init(struct member *member)
{
    member->clients = (struct clients){.next_look = 1, .again_at_ns = INT64_MAX};
}

static void free_look(struct clients *clients, struct look *look)
{
    clients->look_bytes -= look->bundle.size;
    buffer_free(&look->bundle);
    look->number = 0;
}

void member_clients_free(struct member *member)
{
    struct clients *clients = &member->clients;
    struct heap *heap = member->node->heap;
    for (uint32_t i = 0; clients->looks != NULL && i < LOOKS_MAX; i++)
        if (clients->looks[i].number != 0) free_look(clients, &clients->looks[i]);
    for (uint32_t i = 0; i < clients->told_count; i++) buffer_free(&clients->told[i].answers);
    heap_free(heap, clients->looks);
    heap_free(heap, clients->told);
    member_client_again_free(member);
    member_clients_init(member);
}

/* ---- answers ---- */

/* A client may be enrolled without a key, for groups that need none. */
static bool may_prove(const struct member *member, const struct peer *client)
{
    return client->keyed || !spec_proven(member->spec);
}

const struct peer *member_client(const struct member *member, uint32_t id, uint64_t incarnation)
{
    const struct peer *peer = id == member->node->options->id ? NULL : node_peer_of(member->node, id);
    bool here = peer != NULL && peer->client && peer->connected && peer->incarnation == incarnation;
    return here && may_prove(member, peer) ? peer : NULL;
}

static struct told *told_of(struct member *member, const struct peer *client, bool looks)
{
    struct clients *clients = &member->clients;
    for (uint32_t i = 0; i < clients->told_count; i++)
        if (clients->told[i].client == client->id && clients->told[i].looks == looks) return &clients->told[i];
    if (clients->told_count == clients->told_capacity) {
        uint32_t capacity = clients->told_capacity == 0 ? TOLD_FIRST : clients->told_capacity * 2;
        struct told *grown = heap_resize(member->node->heap, clients->told, capacity * sizeof(struct told));
        if (grown == NULL) return NULL;
        clients->told = grown;
        clients->told_capacity = capacity;
    }
    struct told *told = &clients->told[clients->told_count++];
    *told = (struct told){.client = client->id, .session = client->incarnation, .looks = looks};
    told->answers = node_buffer_take(member->node);
    return told;
}

void member_tell_client(struct member *member, const struct peer *client, bool looks,
                        const struct client_answer *answer)
{
    struct told *told = told_of(member, client, looks);
    struct client_answer fits = *answer;
    /* The client would take it for damage. */
    if (fits.bytes.size > member->spec->tuning.command_bytes_max) fits.lost = true;
    /* A small bundle can ask for more than there is memory: what would not leave for its size is not even kept. */
    bool leaves = told != NULL && (told->answers.size == 0 || told->answers.size + fits.bytes.size <=
                                                                 member->node->options->peer_output_bytes_max);
    if (leaves) (void)client_answer_append(&told->answers, &fits); /* no room: it is lost, and asked for again */
}

static void send_answers(struct member *member, const struct told *told, struct span answers)
{
    const struct client_answers message = {
        .session = told->session, .looks = told->looks, .orderer = member->orderer, .answers = answers};
    member_send_client(member, told->client, told->session, CLIENT_ANSWERS, &message);
}

/* As many to a message as fit a frame; one that is larger goes alone. */
static void send_told(struct member *member, const struct told *told)
{
    const struct message_type *type = &client_messages.types[CLIENT_ANSWERS];
    size_t proof = proof_size(member->spec, proof_kind(member->spec, type));
    size_t room = NODE_FRAME_SIZE_MAX - HEADER_SIZE - ANSWERS_FIELDS_SIZE - proof;
    struct span rest = buffer_span(&told->answers), part = span_of(rest.data, 0);
    struct client_answer answer;
    uint32_t count = 0;
    for (const uint8_t *at = rest.data; client_answer_next(&rest, &answer); at = rest.data) {
        size_t size = (size_t)(rest.data - at);
        if (part.size > 0 && (part.size + size > room || count == CLIENT_ANSWERS_MAX)) {
            send_answers(member, told, part);
            part = span_of(at, 0);
            count = 0;
        }
        part.size += size;
        count++;
    }
    if (part.size > 0) send_answers(member, told, part);
}

void member_answer_clients(struct member *member)
{
    struct clients *clients = &member->clients;
    for (uint32_t i = 0; i < clients->told_count; i++) {
        struct told *told = &clients->told[i];
        if (member_client(member, told->client, told->session) != NULL) send_told(member, told);
        node_buffer_give(member->node, &told->answers);
    }
    clients->told_count = 0;
    /* A command can ask for an answer as large as the state; its room is not kept for smaller ones. */
    if (member->reply.capacity > POOL_BUFFER_BYTES_MAX) buffer_free(&member->reply);
}

/* ---- requests ---- */

/* A session's numbers that will not execute any more get what was kept. False: some may execute yet. */
static bool answered_from_session(struct member *member, const struct peer *client, const struct bundle *bundle)
{
    const struct session *session = session_find(&member->sessions, client->id, bundle->incarnation);
    uint64_t end = bundle->first_number + bundle->count;
    if (session == NULL || (end - 1 > session->last_executed && end > session->first_incomplete)) return false;
    for (uint64_t number = bundle->first_number; number < end && number <= session->last_executed; number++) {
        struct client_answer answer = {.number = number};
        answer.lost = !session_reply(session, number, &answer.bytes);
        member_tell_client(member, client, false, &answer);
    }
    member->node->counters.duplicates += bundle->count;
    return true;
}

static void hand_in(struct member *member, enum request_kind kind, const struct bundle *bundle, uint64_t first,
                    uint32_t count, struct span bytes)
{
    struct event event = {.kind = EVENT_REQUEST};
    event.request = (struct event_request){.kind = kind,
                                           .origin = bundle->node,
                                           .incarnation = bundle->incarnation,
                                           .first_number = first,
                                           .count = count,
                                           .first_incomplete = bundle->first_incomplete,
                                           .bytes = bytes};
    member->asked_by_client = true;
    member_step(member, &event);
    member->asked_by_client = false;
}

void member_client_request(struct member *member, const struct peer *client, const struct bundle *bundle,
                           struct span bytes)
{
    if (answered_from_session(member, client, bundle)) return;
    if (!member_client_waits(member, bundle))
        hand_in(member, REQUEST_UPDATE, bundle, bundle->first_number, bundle->count, bytes);
    else
        member->gave_back = true;
    if (member->gave_back) member_client_keep(member, bundle, bytes);
    member->gave_back = false;
}

/* ---- looks ---- */

/* A protocol may forget a look (it gave way to a change of view, say): its place is free again after a while. */
static bool may_take(const struct member *member, const struct look *look)
{
    return look->number == 0 || look->deadline_ns <= member->node->now_ns;
}

/* A free place, whose number is next_look then; NULL: there is none, or this client has its share. */
static struct look *place_of_look(struct member *member, uint32_t client, size_t size)
{
    struct clients *clients = &member->clients;
    if (clients->looks == NULL) clients->looks = heap_alloc_zero(member->node->heap, LOOKS_MAX * sizeof(struct look));
    if (clients->looks == NULL) return NULL;
    uint32_t own = 0;
    for (uint32_t i = 0; i < LOOKS_MAX; i++) {
        struct look *look = &clients->looks[i];
        if (look->number != 0 && may_take(member, look)) free_look(clients, look);
        own += look->number != 0 && look->client == client;
    }
    if (own == LOOKS_OF_CLIENT_MAX || size > LOOK_BYTES_MAX - clients->look_bytes) return NULL;
    for (uint32_t i = 0; i < LOOKS_MAX; i++, clients->next_look++)
        if (clients->looks[clients->next_look % LOOKS_MAX].number == 0)
            return &clients->looks[clients->next_look % LOOKS_MAX];
    return NULL;
}

static void take_look(struct member *member, const struct peer *client, const struct bundle *bundle, struct span bytes)
{
    struct look *look = place_of_look(member, client->id, bytes.size);
    if (look == NULL) return;
    buffer_init(&look->bundle, member->node->heap);
    if (!buffer_append(&look->bundle, bytes.data, bytes.size)) return;
    look->number = member->clients.next_look++;
    look->client = client->id;
    look->incarnation = bundle->incarnation;
    look->deadline_ns = member->node->now_ns + member->node->options->request_timeout_ns;
    member->clients.look_bytes += look->bundle.size;
    hand_in(member, REQUEST_READ, bundle, look->number, 1, bytes);
}

static void execute_look(struct member *member, const struct look *look, int64_t time_ns)
{
    const struct peer *client = member_client(member, look->client, look->incarnation);
    if (client == NULL) return;
    struct span rest = buffer_span(&look->bundle);
    struct bundle bundle;
    bundle_header_read(rest.data, &bundle);
    rest = span_of(rest.data + BUNDLE_HEADER_SIZE, rest.size - BUNDLE_HEADER_SIZE);
    struct command command;
    for (uint64_t number = bundle.first_number; command_next(&rest, &command); number++) {
        buffer_clear(&member->reply);
        member_read(member, command.whole, time_ns, look->client, &member->reply);
        const struct client_answer answer = {
            .number = number, .index = member->state_index, .bytes = buffer_span(&member->reply)};
        member_tell_client(member, client, true, &answer);
    }
}

void member_deliver_looks(struct member *member, const struct effect_deliver *deliver)
{
    struct clients *clients = &member->clients;
    for (uint32_t i = 0; clients->looks != NULL && i < deliver->count; i++) {
        struct look *look = &clients->looks[(deliver->first_number + i) % LOOKS_MAX];
        if (look->number == 0 || look->number != deliver->first_number + i) continue;
        execute_look(member, look, deliver->time_ns);
        free_look(clients, look);
    }
}

/* ---- messages ---- */

/* NONE, or why such a bundle is not taken. Numbers cannot wrap: bundle_open saw to it. */
static enum reject judge_bundle(const struct member *member, const struct header *header, struct span bytes,
                                struct bundle *bundle)
{
    const struct tuning *tuning = &member->spec->tuning;
    if (bytes.size > tuning->command_bytes_max + tuning->append_bytes_max) return REJECT_LENGTH;
    if (!bundle_open(bytes, bundle) || bundle->count == 0 || bundle->first_number == 0) return REJECT_BODY;
    if (bundle->level > COMMAND_LEVEL) return REJECT_BODY;
    if (bundle->node != header->sender) return REJECT_SENDER;
    return bundle->incarnation == header->incarnation ? REJECT_NONE : REJECT_INCARNATION;
}

static enum reject judge_type(const struct member *member, uint16_t type)
{
    bool ordered = member->protocol->order == ORDER_TOTAL;
    bool known = type == CLIENT_REQUEST || (type == CLIENT_LOOK && spec_proven(member->spec));
    return ordered && known ? REJECT_NONE : REJECT_TYPE;
}

void member_client_message(struct member *member, struct peer *client, const struct header *header,
                           struct span body)
{
    struct client_bundle message;
    struct bundle bundle;
    struct span proof;
    enum reject reason = judge_type(member, header->type);
    const struct message_type *type = &client_messages.types[header->type];
    if (reason == REJECT_NONE && !may_prove(member, client)) reason = REJECT_PROOF;
    if (reason == REJECT_NONE && !member_take_proof(member, type, header, &body, &proof)) reason = REJECT_PROOF;
    if (reason == REJECT_NONE && !message_decode(type, body, &message)) reason = REJECT_BODY;
    if (reason == REJECT_NONE) reason = judge_bundle(member, header, message.bundle, &bundle);
    if (reason == REJECT_PROOF) client->unproven++;
    if (reason != REJECT_NONE) {
        node_reject(member->node, reason);
        return;
    }
    if (member->adopting.phase != ADOPT_NONE) return; /* neither state nor sessions are whole: it asks again */
    if (header->type == CLIENT_LOOK) take_look(member, client, &bundle, message.bundle);
    else member_client_request(member, client, &bundle, message.bundle);
}
