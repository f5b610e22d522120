/* What the log is told of others: who gave wrong answers to a gateway, whose proofs are not theirs, and who is connected
 * with a gateway and silent.
 *
 * All of it may come many times a second from one liar, so a sentence about the same comes every ten seconds at most,
 * with the number so far. */
#include <inttypes.h>

#include "host/real/clock.h"
#include "host/real/host_internal.h"

enum { INTERVAL_S = 10, LOOK_MS = 100, SILENT_S = 3 };

static bool due(struct complaint *complaint, uint32_t node, uint64_t count, int64_t now_ns)
{
    if (complaint->node != node) /* another one has that place now */
        *complaint = (struct complaint){.node = node};
    if (count == complaint->told)
        return false;
    if (complaint->told_ns != 0 && now_ns - complaint->told_ns < INTERVAL_S * NS_PER_S)
        return false;
    complaint->told = count;
    complaint->told_ns = now_ns;
    return true;
}

static void wrong_answers(struct real_host *host, uint32_t place, const struct node_peer_status *peer, int64_t now_ns)
{
    if (due(&host->wrong_answers[place], peer->node, peer->suspicion, now_ns))
        report(&host->report, REPORT_WARNING,
               "node %" PRIu32 " gave a wrong answer to %" PRIu32 " requests; others outvoted it", peer->node,
               peer->suspicion);
}

static void unproven(struct real_host *host, uint32_t place, const struct node_peer_status *peer, int64_t now_ns)
{
    static const char remedy[] = "it lies, or its secret does not belong to the file or key by which it is known here, or its "
                                 "--signatures differ";
    if (!due(&host->unproven[place], peer->node, peer->unproven, now_ns))
        return;
    if (host->options.gateway)
        report(&host->report, REPORT_WARNING,
               "node %" PRIu32 "'s answers bear no valid proof, %" PRIu64 " were dropped: %s", peer->node, peer->unproven,
               remedy);
    else
        report(&host->report, REPORT_WARNING,
               "dropped %" PRIu64 " messages of %s %" PRIu32 " whose proof is not their sender's: %s", peer->unproven,
               peer->client ? "gateway" : "node", peer->node, remedy);
}

/* Where lies are masked a gateway asks all nodes as soon as they are connected, and those that cannot believe it say
 * nothing: it hears of its wrong keys by never hearing anything. */
static void silent(struct real_host *host, uint32_t place, const struct node_peer_status *peer, int64_t now_ns)
{
    int64_t since_s = peer->connected && !peer->heard ? (now_ns - peer->last_heard_ns) / NS_PER_S : 0;
    if (since_s < SILENT_S || !due(&host->silent[place], peer->node, (uint64_t)since_s, now_ns))
        return;
    report(&host->report, REPORT_WARNING,
           "node %" PRIu32 " has answered nothing since it was connected %" PRId64 " s ago: it hangs, is still being filled "
           "from the others, or finds no valid proof in what this gateway sends (then its log names gateway %" PRIu32
           "; compare secret, enrolled key and --signatures)",
           peer->node, since_s, host->options.id);
}

void host_complain(struct real_host *host)
{
    struct node_peer_status peer;
    int64_t now_ns = clock_monotone_ns();
    if (now_ns < host->complain_at_ns)
        return;
    host->complain_at_ns = now_ns + LOOK_MS * NS_PER_MS;
    for (uint32_t place = 0; place < PEERS_MAX && node_peer_status(host->node, place, &peer); place++) {
        unproven(host, place, &peer, now_ns);
        if (host->options.gateway)
            wrong_answers(host, place, &peer, now_ns);
        if (host->options.gateway && spec_proven(&host->spec))
            silent(host, place, &peer, now_ns);
    }
}
