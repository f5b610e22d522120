/* Shared by the files of campaigns: who runs the seeds, and what is done with each result. */
#ifndef LOCKSTEP_LAB_CAMPAIGN_INTERNAL_H
#define LOCKSTEP_LAB_CAMPAIGN_INTERNAL_H

#include "lab/search/campaign.h"
#include "lab/search/campaign_journal.h"

enum { CAMPAIGN_JOBS_MAX = 256 };

/* A campaign under way. */
struct campaign {
    const struct campaign_options *options;
    struct campaign_summary *summary;
    struct journal *journal; /* may be NULL */
    double began_s, before_s; /* when this part began, and what earlier parts took */
    double shown_s;
    char *why;
    size_t why_size;
};

/* Takes the result of summary->next_seed: reports, counts and keeps it. False: the campaign is over, as this was the
 * last seed, or the last violation that is wanted, or it is to stop. */
bool campaign_take(struct campaign *campaign, const struct campaign_result *result);
/* Have all seeds been run, or enough violations been seen? */
bool campaign_is_over(const struct campaign *campaign);
/* Was it asked to end early? */
bool campaign_stopped(const struct campaign *campaign);

/* Each runs the seeds from summary->next_seed on and hands the results to campaign_take. 0, or a negative error with a
 * sentence in campaign->why. */
int campaign_run_workers(struct campaign *campaign, uint32_t jobs); /* campaign_workers.c */
int campaign_run_ranks(struct campaign *campaign);                  /* campaign_ranks.c */

#endif
