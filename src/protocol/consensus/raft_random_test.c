/* Raft under random schedules (replica_random.h). */
#include "protocol/consensus/raft_driver.h"
#include "protocol/consensus/replica_random.h"

int main(int argc, char **argv)
{
    struct random_plan all = {.subject = &raft_subject, .ablation_seeds = 20000};
    for (uint32_t i = 0; raft_protocol.ablations[i] != NULL; i++)
        all.noticed |= (uint32_t)ABLATION_PROTOCOL_FIRST << i;
    /* Too rare by chance: raft_append_test.c plays figure 3.7 by hand. */
    all.noticed &= ~(uint32_t)RAFT_ABLATION_COMMIT_OLD_TERM;
    /* Nothing false is ever said, it only stands still: the world's healed phase sees that. */
    all.noticed &= ~(uint32_t)RAFT_ABLATION_TIMER_NOT_REARMED;
    return random_main(&all, argc, argv);
}
