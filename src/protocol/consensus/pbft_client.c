/* PBFT: whose requests were executed (Castro99, section 4.1: the last timestamp of each client).
 *
 * Origins are the members' own nodes, by place, and clients that are no members, ascending by node id. The table is part
 * of the checkpoint, so it changes by executions alone, in the same way at all members: it keeps those clients whose
 * requests were executed last, at least as many as the window has numbers; so whatever was executed inside the window is
 * known to be. Who falls out and comes back is taken for new; node/'s sessions, which forget nobody, see to it that
 * nothing is executed twice. */
#include "protocol/consensus/pbft_internal.h"

/* The first client, behind the members, with this id or a higher one. */
static uint32_t place_from(const struct pbft *self, uint32_t node)
{
    uint32_t low = self->member_count, high = self->client_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->clients[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct pbft_client *client_find(const struct pbft *self, uint32_t node)
{
    int place = spec_member_place(self->spec, node);
    if (place >= 0)
        return &self->clients[place];
    uint32_t at = place_from(self, node);
    return at < self->client_count && self->clients[at].node == node ? &self->clients[at] : NULL;
}

static void client_remove(struct pbft *self, uint32_t place)
{
    self->client_count--;
    memmove(&self->clients[place], &self->clients[place + 1], (self->client_count - place) * sizeof *self->clients);
}

/* Its place, where need be that of the one which was executed longest ago: a number executes one origin's request, so
 * no two are equally old. */
static struct pbft_client *client_take(struct pbft *self, uint32_t node)
{
    struct pbft_client *client = client_find(self, node);
    if (client != NULL)
        return client;
    uint32_t first = self->member_count, oldest = first;
    if (self->client_count - first == self->clients_max) {
        for (uint32_t i = first; i < self->client_count; i++)
            oldest = self->clients[i].last < self->clients[oldest].last ? i : oldest;
        client_remove(self, oldest);
    }
    uint32_t place = place_from(self, node);
    memmove(&self->clients[place + 1], &self->clients[place], (self->client_count - place) * sizeof *self->clients);
    self->client_count++;
    self->clients[place] = (struct pbft_client){.node = node};
    return &self->clients[place];
}

bool pbft_client_done(const struct pbft *self, const struct pbft_known *known)
{
    const struct pbft_client *client = client_find(self, known->origin);
    if (client == NULL)
        return false;
    if (known->barrier)
        return known->incarnation < client->barrier_incarnation ||
               (known->incarnation == client->barrier_incarnation && known->first_number <= client->barrier);
    if (known->incarnation != client->incarnation)
        return known->incarnation < client->incarnation;
    uint64_t last = known->first_number + known->count - 1;
    return last <= client->executed || last < client->first_incomplete;
}

/* The rule of node/session.c for a whole bundle: a number executes when it follows the last one, or when all between
 * are complete; then all after it in the bundle do. */
static void executed(struct pbft_client *client, struct pbft_known *known)
{
    if (known->incarnation < client->incarnation)
        return;
    if (known->incarnation > client->incarnation)
        client->executed = client->first_incomplete = 0;
    client->incarnation = known->incarnation;
    if (client->first_incomplete < known->first_incomplete)
        client->first_incomplete = known->first_incomplete;
    uint64_t last = known->first_number + known->count - 1, first = known->first_number;
    if (first < client->first_incomplete)
        first = client->first_incomplete;
    if (first <= client->executed)
        first = client->executed + 1;
    if (first > last)
        return;
    if (first > client->executed + 1 && first > client->first_incomplete)
        known->parked = true;
    else
        client->executed = last;
}

/* What was ordered too early has its turn now. */
static void unpark_next(struct pbft *self, const struct pbft_client *client)
{
    bool any = false;
    for (struct pbft_known *at = pbft_known_first(self); at != NULL; at = pbft_known_next(self, at)) {
        bool next = at->parked && at->origin == client->node && at->incarnation == client->incarnation &&
                    at->first_number <= client->executed + 1;
        if (next)
            pbft_known_unpark(at);
        any = any || at->parked;
    }
    self->any_parked = any;
}

void pbft_client_executed(struct pbft *self, struct pbft_known *known)
{
    struct pbft_client *client = client_take(self, known->origin);
    client->last = self->executed;
    if (!known->barrier) {
        executed(client, known);
        known->executed = !known->parked;
        if (self->any_parked)
            unpark_next(self, client);
        self->any_parked = self->any_parked || known->parked;
        return;
    }
    if (pbft_client_done(self, known))
        return;
    client->barrier_incarnation = known->incarnation;
    client->barrier = known->first_number;
    if (known->origin == self->self_node && self->barrier_out && known->incarnation == self->incarnation &&
        known->first_number == self->barrier)
        self->reads_ready = true;
}

size_t pbft_clients_write(const struct pbft *self, uint8_t *out)
{
    store_u64(out, self->client_count);
    uint8_t *at = out + PBFT_CLIENTS_HEAD_SIZE;
    for (uint32_t i = 0; i < self->client_count; i++, at += PBFT_CLIENT_SIZE) {
        const struct pbft_client *client = &self->clients[i];
        store_u64(at, client->node);
        store_u64(at + 8, client->last);
        store_u64(at + 16, client->incarnation);
        store_u64(at + 24, client->executed);
        store_u64(at + 32, client->first_incomplete);
        store_u64(at + 40, client->barrier_incarnation);
        store_u64(at + 48, client->barrier);
    }
    return (size_t)(at - out);
}

static bool clients_sound(const struct pbft *self, struct span bytes)
{
    if (bytes.size < PBFT_CLIENTS_HEAD_SIZE)
        return false;
    uint64_t count = load_u64(bytes.data);
    if (count < self->member_count || count > self->member_count + self->clients_max ||
        bytes.size != PBFT_CLIENTS_HEAD_SIZE + count * PBFT_CLIENT_SIZE)
        return false;
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *at = bytes.data + PBFT_CLIENTS_HEAD_SIZE + i * PBFT_CLIENT_SIZE;
        uint64_t node = load_u64(at);
        bool member = node <= UINT32_MAX && spec_member_place(self->spec, (uint32_t)node) >= 0;
        if (i < self->member_count ? node != self->spec->members[i] : node == 0 || node > UINT32_MAX || member)
            return false;
        if (i > self->member_count && node <= load_u64(at - PBFT_CLIENT_SIZE))
            return false;
    }
    return true;
}

bool pbft_clients_read(struct pbft *self, struct span bytes)
{
    if (!clients_sound(self, bytes))
        return false;
    self->client_count = (uint32_t)load_u64(bytes.data);
    const uint8_t *at = bytes.data + PBFT_CLIENTS_HEAD_SIZE;
    for (uint32_t i = 0; i < self->client_count; i++, at += PBFT_CLIENT_SIZE)
        self->clients[i] = (struct pbft_client){
            .node = (uint32_t)load_u64(at),
            .last = load_u64(at + 8),
            .incarnation = load_u64(at + 16),
            .executed = load_u64(at + 24),
            .first_incomplete = load_u64(at + 32),
            .barrier_incarnation = load_u64(at + 40),
            .barrier = load_u64(at + 48),
        };
    return true;
}
