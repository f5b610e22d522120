/* How long a member waits for a leader (election_timer.h). */
#include "protocol/consensus/election_timer.h"

#include "base/time.h"

void election_timer_postpone(struct election_timer *timer, int64_t now_ns)
{
    timer->deadline_ns = now_ns + timer->drawn_ns;
}

void election_timer_draw(struct election_timer *timer, int64_t now_ns)
{
    timer->drawn_ns = timer->timeout_ns + (int64_t)random_below(timer->random, (uint64_t)timer->timeout_ns);
    election_timer_postpone(timer, now_ns);
}

void election_timer_try(struct election_timer *timer, int64_t now_ns)
{
    election_timer_draw(timer, now_ns);
    if (timer->quick_tries == 0)
        return;
    timer->quick_tries--;
    int64_t quick_ns = random_between(timer->random, 10 * NS_PER_MS, 20 * NS_PER_MS);
    if (quick_ns < timer->drawn_ns)
        timer->deadline_ns = now_ns + quick_ns;
}

void election_timer_broken(struct election_timer *timer, int64_t now_ns)
{
    timer->quick_tries = ELECTION_QUICK_TRIES;
    int64_t most_ns = timer->timeout_ns / 4;
    if (most_ns > 10 * NS_PER_MS)
        most_ns = 10 * NS_PER_MS;
    timer->deadline_ns = now_ns + random_between(timer->random, 0, most_ns);
}

void election_timer_arm(struct election_timer *timer, struct effects *out)
{
    if (timer->at_ns <= timer->deadline_ns)
        return; /* it fires before, and looks at the deadline then */
    timer->at_ns = timer->deadline_ns;
    effect_arm(out, timer->slot, timer->name, 0, timer->deadline_ns);
}
