/* Paxos under random schedules (replica_random.h). */
#include "protocol/consensus/paxos_driver.h"
#include "protocol/consensus/replica_random.h"

int main(int argc, char **argv)
{
    /* Those that chance meets soon; of the others the world says more, as it sees what is accepted and not only what is
     * delivered (lab/judge/paxos_check.c). */
    const struct random_plan often = {
        .subject = &paxos_subject,
        .noticed = PAXOS_ABLATION_ACCEPT_NOT_STORED | PAXOS_ABLATION_CHOOSE_OWN | PAXOS_ABLATION_QUORUM_SMALL |
                   PAXOS_ABLATION_LEARN_EARLY | PAXOS_ABLATION_READ_NO_ROUND | PAXOS_ABLATION_AMNESIAC_VOTES,
        .ablation_seeds = 4000,
    };
    return random_main(&often, argc, argv);
}
