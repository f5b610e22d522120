/* Times that are earlier, rounder and shorter, and draws that are zero: not fewer things, but simpler ones. */
#include "base/time.h"
#include "lab/search/shrink_internal.h"

/* From coarse to fine; what is a multiple of one of them is round enough. */
static const int64_t units_ns[] = {NS_PER_S, 100 * NS_PER_MS, 10 * NS_PER_MS, NS_PER_MS, 100 * NS_PER_US,
                                   10 * NS_PER_US, NS_PER_US};
enum { UNIT_COUNT = sizeof units_ns / sizeof units_ns[0], GAPS_MAX = 64 };

static int64_t rounded(int64_t time_ns, int64_t unit_ns)
{
    return (time_ns + unit_ns / 2) / unit_ns * unit_ns;
}

static int64_t rounded_up(int64_t time_ns, int64_t unit_ns)
{
    return (time_ns + unit_ns - 1) / unit_ns * unit_ns;
}

/* ---- the end ---- */

static bool try_end(struct shrinker *shrinker, int64_t time_ns, int64_t heal_at_ns)
{
    if (time_ns >= shrinker->best.time_ns && heal_at_ns == shrinker->best.heal_at_ns)
        return false;
    struct shrink_case candidate = shrink_copy(shrinker);
    candidate.time_ns = time_ns;
    candidate.heal_at_ns = heal_at_ns;
    return shrink_try(shrinker, &candidate);
}

static int64_t last_item_ns(const struct shrink_case *of)
{
    int64_t last_ns = 0;
    for (uint32_t i = 0; i < of->count; i++)
        if (of->items[i].at_ns > last_ns)
            last_ns = of->items[i].at_ns;
    return last_ns;
}

static void drop_after(struct shrinker *shrinker, int64_t time_ns)
{
    struct shrink_case candidate = shrink_copy(shrinker);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < candidate.count; i++)
        if (candidate.items[i].at_ns <= time_ns)
            candidate.items[kept++] = candidate.items[i];
    candidate.count = kept;
    shrink_try(shrinker, &candidate);
}

void shrink_end(struct shrinker *shrinker)
{
    int64_t violated_ns = shrinker->seen.world.time_ns;
    drop_after(shrinker, violated_ns);
    /* Most properties break at a step, before anything heals: then the run needs no healed phase. */
    for (uint32_t i = 2; i-- > 0;)
        if (try_end(shrinker, rounded_up(violated_ns + 1, units_ns[i]), PLAN_FOREVER))
            return;
    /* Others, such as progress, are judged at the end: it heals behind the last item. */
    int64_t last_ns = rounded_up(last_item_ns(&shrinker->best) + 1, 100 * NS_PER_MS);
    try_end(shrinker, last_ns * 10 / 7 + NS_PER_S, last_ns);
}

/* ---- one value ---- */

/* Makes the change that `to` says to one item, if the value is another one. */
struct change {
    int64_t *(*field)(struct plan_item *item);
    uint32_t place;
};

static int64_t *at_of(struct plan_item *item) { return &item->at_ns; }

static int64_t *duration_of(struct plan_item *item) { return &item->duration_ns; }

static bool try_value(struct shrinker *shrinker, struct change change, int64_t value)
{
    if (*change.field(&shrinker->best.items[change.place]) == value)
        return false;
    struct shrink_case candidate = shrink_copy(shrinker);
    *change.field(&candidate.items[change.place]) = value;
    return shrink_try(shrinker, &candidate);
}

static void round_value(struct shrinker *shrinker, struct change change)
{
    int64_t value = *change.field(&shrinker->best.items[change.place]);
    for (uint32_t i = 0; i < UNIT_COUNT && value % units_ns[i] != 0; i++)
        if (try_value(shrinker, change, rounded(value, units_ns[i])))
            return;
}

static void shorten(struct shrinker *shrinker, uint32_t place)
{
    struct change change = {.field = duration_of, .place = place};
    int64_t duration_ns = shrinker->best.items[place].duration_ns;
    if (duration_ns <= 0 || duration_ns == PLAN_FOREVER)
        return;
    for (uint32_t i = UNIT_COUNT; i-- > 0;)
        if (units_ns[i] < duration_ns && try_value(shrinker, change, units_ns[i]))
            return;
    round_value(shrinker, change);
}

static void zero_draw(struct shrinker *shrinker, uint32_t place)
{
    if (shrinker->best.items[place].draw == 0)
        return;
    struct shrink_case candidate = shrink_copy(shrinker);
    candidate.items[place].draw = 0;
    shrink_try(shrinker, &candidate);
}

/* ---- the whole run ---- */

/* Everything from the place-th item on happens that much earlier. */
static bool try_earlier(struct shrinker *shrinker, uint32_t place, int64_t by_ns)
{
    if (by_ns <= 0)
        return false;
    struct shrink_case candidate = shrink_copy(shrinker);
    for (uint32_t i = place; i < candidate.count; i++)
        candidate.items[i].at_ns -= by_ns;
    return shrink_try(shrinker, &candidate);
}

/* Waiting before an item is cut to nothing, or by half again and again. */
static void shorten_gap(struct shrinker *shrinker, uint32_t place)
{
    int64_t before_ns = place > 0 ? shrinker->best.items[place - 1].at_ns : 0;
    int64_t gap_ns = shrinker->best.items[place].at_ns - before_ns;
    for (int64_t by_ns = gap_ns; by_ns >= 10 * NS_PER_MS; by_ns /= 2)
        while (shrinker->best.items[place].at_ns - before_ns >= by_ns && try_earlier(shrinker, place, by_ns)) {
        }
}

static void shorten_gaps(struct shrinker *shrinker)
{
    for (uint32_t i = 0; i < shrinker->best.count && i < GAPS_MAX; i++)
        if (!plan_kind_is_fate(shrinker->best.items[i].kind))
            shorten_gap(shrinker, i);
}

void shrink_times(struct shrinker *shrinker)
{
    shorten_gaps(shrinker);
    shrink_end(shrinker);
    for (uint32_t i = 0; i < shrinker->best.count; i++) {
        if (plan_kind_is_fate(shrinker->best.items[i].kind))
            continue;
        shorten(shrinker, i);
        zero_draw(shrinker, i);
        round_value(shrinker, (struct change){.field = at_of, .place = i});
    }
}
