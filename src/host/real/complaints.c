/* What the log is told of others: who gave wrong answers to a gateway, and proofs that are nobody's.
 *
 * Both may come many times a second from one liar, so a sentence about the same comes every ten seconds at most, with
 * the number so far. */
#include <inttypes.h>

#include "host/real/clock.h"
#include "host/real/host_internal.h"

enum { INTERVAL_S = 10, LOOK_MS = 100 };

static bool due(struct complaint *complaint, uint64_t count, int64_t now_ns)
{
    if (count == complaint->told)
        return false;
    if (complaint->told_ns != 0 && now_ns - complaint->told_ns < INTERVAL_S * NS_PER_S)
        return false;
    complaint->told = count;
    complaint->told_ns = now_ns;
    return true;
}

static void wrong_answers(struct real_host *host, int64_t now_ns)
{
    struct node_peer_status peer;
    for (uint32_t place = 0; place < MEMBERS_MAX && node_peer_status(host->node, place, &peer); place++)
        if (due(&host->wrong_answers[place], peer.suspicion, now_ns))
            report(&host->report, REPORT_WARNING,
                   "node %" PRIu32 " gave a wrong answer to %" PRIu32 " requests; others outvoted it", peer.node,
                   peer.suspicion);
}

void host_complain(struct real_host *host)
{
    int64_t now_ns = clock_monotone_ns();
    if (now_ns < host->complain_at_ns)
        return;
    host->complain_at_ns = now_ns + LOOK_MS * NS_PER_MS;
    if (host->options.gateway)
        wrong_answers(host, now_ns);
    uint64_t rejected = node_counters(host->node)->rejected[REJECT_PROOF];
    if (due(&host->bad_proofs, rejected, now_ns))
        report(&host->report, REPORT_WARNING,
               "dropped %" PRIu64 " messages whose proof is not their sender's: somebody lies, or does not have the key "
               "that this node's keys directory names; compare the files node-N on both sides",
               rejected);
}
