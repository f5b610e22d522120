/* The journal of a campaign: what has been run, so that it can go on after an interruption, a kill -9 included.
 *
 *     lockstep campaign 1
 *     build 0.1.0 9f3c…
 *     options raft, kv, 5 nodes, …, seeds 1..2000
 *     report seed 17: RAFT-1 …
 *     report   replay: …
 *     done 18 runs 17 violations 1 events 412345 undecided 0 outside 0 seconds 3.250000
 *
 * Lines are only ever added. What follows the last whole `done` line was not finished and is cut off when the campaign
 * goes on. Results come in the order of the seeds, so the seeds done are those before one number. A `done` line is
 * written whenever 1 % has been added to the time spent so far (and half a second): so an interruption loses little,
 * and the file of a long campaign stays small. */
#ifndef LOCKSTEP_LAB_CAMPAIGN_JOURNAL_H
#define LOCKSTEP_LAB_CAMPAIGN_JOURNAL_H

#include "lab/search/campaign.h"

struct journal;

/* Opens or makes the file. `summary` becomes what it says was done, and what was reported is printed again to
 * options->out. NULL with a sentence in `why`: it cannot be written, is damaged, or is of another build or campaign. */
struct journal *journal_open(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                             size_t why_size);
/* Keeps one or more whole lines of the report for the next `done` line. */
void journal_report(struct journal *journal, const char *lines);
/* All seeds before summary->next_seed are done. Writes when it is time to, or when it is `final`. False: it could
 * not. */
bool journal_done(struct journal *journal, const struct campaign_summary *summary, bool final);
/* Closes it; NULL is ignored. */
void journal_close(struct journal *journal);

/* The options that decide what a campaign finds, in words: what the file's `options` line says. */
void campaign_describe(const struct campaign_options *options, char *out, size_t size);

#endif
