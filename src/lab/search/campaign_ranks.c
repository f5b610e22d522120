/* Dealing seeds to ranks as they ask for them.
 *
 * A rank asks for its next deal before it begins with the last one, so that it does not wait for an answer. Rank 0 runs
 * seeds too, and looks after the others between two runs. Results may come in any order; they are taken in the order of
 * the seeds, and nothing is dealt so far ahead that their ring would not hold them. The last deal is empty; who got it
 * says good-bye, so that nothing is on its way any more when the ranks part. */
#include "lab/search/campaign_ranks.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "lab/search/campaign_internal.h"

enum { WINDOW = 8192, DEAL_SEEDS_MAX = 16 };

enum note_kind { NOTE_ASK, NOTE_DEAL, NOTE_RESULT, NOTE_BYE };

/* What ranks say to one another. They run one program, so it travels as it lies in memory. */
struct note {
    enum note_kind kind;
    uint32_t broken;        /* ASK: the rank could not make a world */
    uint64_t program;       /* ASK: hash of the build and of the options */
    uint64_t first, count;  /* DEAL */
    struct campaign_result result; /* RESULT */
};
_Static_assert(sizeof(struct note) <= RANKS_MESSAGE_SIZE_MAX, "a note fits into a message");

struct dealer {
    struct campaign *campaign;
    const struct ranks *ranks;
    uint64_t program;
    uint64_t next;  /* seed to be dealt */
    uint64_t deal;  /* seeds in one deal */
    bool over;      /* no more is dealt */
    int error;
    uint32_t gone;  /* ranks that have said good-bye */
    bool *asking;   /* by rank */
    struct campaign_result *ring; /* WINDOW, by seed */
    bool *there;
};

static uint64_t program_of(const struct campaign_options *options)
{
    static const uint64_t key[2] = {0x6c6f636b73746570, 1};
    char described[1024];
    campaign_describe(options, described, sizeof described);
    uint64_t hash = hash_keyed(key, described, strlen(described));
    const char *build = options->build != NULL ? options->build : "";
    return hash_mix(hash, hash_keyed(key, build, strlen(build)));
}

/* ---- the other ranks ---- */

static void say(const struct ranks *ranks, enum note_kind kind, uint64_t program, bool broken)
{
    struct note note;
    memset(&note, 0, sizeof note);
    note.kind = kind;
    note.broken = broken;
    note.program = program;
    ranks->send(ranks->context, 0, &note, sizeof note);
}

static struct note hear_deal(const struct ranks *ranks)
{
    union {
        struct note note;
        uint8_t bytes[RANKS_MESSAGE_SIZE_MAX];
    } heard;
    uint32_t from;
    ranks->receive(ranks->context, true, &from, heard.bytes);
    return heard.note;
}

static void run_deal(const struct campaign_options *options, struct campaign_runner *runner, const struct note *deal)
{
    struct world_options world = options->world;
    struct note note;
    memset(&note, 0, sizeof note);
    note.kind = NOTE_RESULT;
    for (uint64_t i = 0; i < deal->count; i++) {
        world.seed = deal->first + i;
        campaign_runner_run(runner, &world, &note.result);
        options->ranks->send(options->ranks->context, 0, &note, sizeof note);
    }
}

static int serve(struct campaign *campaign)
{
    const struct campaign_options *options = campaign->options;
    struct world_options world = options->world;
    struct campaign_runner *runner = campaign_runner_create(&world);
    uint64_t program = program_of(options);
    say(options->ranks, NOTE_ASK, program, runner == NULL);
    for (;;) {
        struct note deal = hear_deal(options->ranks);
        if (deal.count == 0)
            break;
        say(options->ranks, NOTE_ASK, program, false);
        run_deal(options, runner, &deal);
    }
    say(options->ranks, NOTE_BYE, program, false);
    if (runner != NULL)
        campaign_runner_free(runner);
    return OK;
}

/* ---- rank 0 ---- */

static bool may_deal(const struct dealer *dealer)
{
    return !dealer->over && dealer->next <= dealer->campaign->options->seed_last &&
           dealer->next + dealer->deal - dealer->campaign->summary->next_seed < WINDOW;
}

/* Nothing is left for whoever asks from now on. */
static bool has_ended(const struct dealer *dealer)
{
    return dealer->over || dealer->next > dealer->campaign->options->seed_last;
}

static void send_deal(struct dealer *dealer, uint32_t rank, uint64_t first, uint64_t count)
{
    struct note note;
    memset(&note, 0, sizeof note);
    note.kind = NOTE_DEAL;
    note.first = first;
    note.count = count;
    dealer->ranks->send(dealer->ranks->context, rank, &note, sizeof note);
    dealer->asking[rank] = false;
}

static void answer_all(struct dealer *dealer)
{
    for (uint32_t rank = 1; rank < dealer->ranks->count; rank++) {
        if (!dealer->asking[rank])
            continue;
        if (has_ended(dealer)) {
            send_deal(dealer, rank, 0, 0);
        } else if (may_deal(dealer)) {
            uint64_t left = dealer->campaign->options->seed_last - dealer->next + 1;
            uint64_t count = dealer->deal < left ? dealer->deal : left;
            send_deal(dealer, rank, dealer->next, count);
            dealer->next += count;
        }
    }
}

static void fail(struct dealer *dealer, uint32_t rank, bool broken)
{
    struct campaign *campaign = dealer->campaign;
    dealer->over = true;
    dealer->error = broken ? ERROR_NO_MEMORY : ERROR_VERSION;
    if (broken)
        snprintf(campaign->why, campaign->why_size, "rank %u has no memory for a world of %u nodes", rank,
                 campaign->options->world.node_count);
    else
        snprintf(campaign->why, campaign->why_size,
                 "rank %u runs another build or other options than rank 0; install the same program everywhere", rank);
}

static void put(struct dealer *dealer, const struct campaign_result *result)
{
    struct campaign *campaign = dealer->campaign;
    if (dealer->over)
        return;
    dealer->ring[result->seed % WINDOW] = *result;
    dealer->there[result->seed % WINDOW] = true;
    while (!dealer->over && dealer->there[campaign->summary->next_seed % WINDOW]) {
        uint64_t place = campaign->summary->next_seed % WINDOW;
        dealer->there[place] = false;
        dealer->over = !campaign_take(campaign, &dealer->ring[place]);
    }
}

/* Takes in what the others say. */
static void hear(struct dealer *dealer, bool wait)
{
    union {
        struct note note;
        uint8_t bytes[RANKS_MESSAGE_SIZE_MAX];
    } heard;
    uint32_t from;
    while (dealer->ranks->receive(dealer->ranks->context, wait, &from, heard.bytes) != 0) {
        if (heard.note.kind == NOTE_RESULT) {
            put(dealer, &heard.note.result);
        } else if (heard.note.kind == NOTE_BYE) {
            dealer->gone++;
        } else {
            if (heard.note.broken || heard.note.program != dealer->program)
                fail(dealer, from, heard.note.broken != 0);
            dealer->asking[from] = true;
        }
        wait = false;
    }
    dealer->over = dealer->over || campaign_stopped(dealer->campaign);
    answer_all(dealer);
}

static void run_one(struct dealer *dealer, struct campaign_runner *runner)
{
    struct world_options world = dealer->campaign->options->world;
    struct campaign_result result;
    world.seed = dealer->next++;
    campaign_runner_run(runner, &world, &result);
    put(dealer, &result);
}

static void deal_all(struct dealer *dealer, struct campaign_runner *runner)
{
    bool alone_runs = dealer->ranks->count == 1;
    while (!has_ended(dealer) || dealer->gone + 1 < dealer->ranks->count) {
        bool mine = may_deal(dealer);
        if (!alone_runs)
            hear(dealer, !mine);
        else
            dealer->over = dealer->over || campaign_stopped(dealer->campaign);
        if (may_deal(dealer))
            run_one(dealer, runner);
    }
}

/* So small that the last deals end together, so large that asking costs nothing. */
static uint64_t deal_size(const struct dealer *dealer, uint32_t count)
{
    uint64_t left = dealer->campaign->options->seed_last - dealer->next + 1;
    uint64_t size = left / (8 * (uint64_t)count);
    return size < 1 ? 1 : size > DEAL_SEEDS_MAX ? DEAL_SEEDS_MAX : size;
}

static bool begin(struct dealer *dealer, struct campaign *campaign)
{
    const struct campaign_options *options = campaign->options;
    *dealer = (struct dealer){.campaign = campaign, .ranks = options->ranks, .next = campaign->summary->next_seed};
    dealer->program = program_of(options);
    dealer->deal = dealer->next > options->seed_last ? 1 : deal_size(dealer, options->ranks->count);
    dealer->over = campaign->why[0] != '\0' || campaign_is_over(campaign); /* the others wait to hear it */
    dealer->asking = calloc(options->ranks->count, sizeof *dealer->asking);
    dealer->ring = calloc(WINDOW, sizeof *dealer->ring);
    dealer->there = calloc(WINDOW, sizeof *dealer->there);
    return dealer->asking != NULL && dealer->ring != NULL && dealer->there != NULL;
}

static int lead(struct campaign *campaign)
{
    struct dealer dealer;
    struct world_options world = campaign->options->world;
    struct campaign_runner *runner = campaign_runner_create(&world);
    if (!begin(&dealer, campaign) || runner == NULL) {
        snprintf(campaign->why, campaign->why_size, "no memory for a world of %u nodes", world.node_count);
        dealer.over = true;
        dealer.error = ERROR_NO_MEMORY;
    }
    if (dealer.asking != NULL)
        deal_all(&dealer, runner);
    if (runner != NULL)
        campaign_runner_free(runner);
    free(dealer.asking);
    free(dealer.ring);
    free(dealer.there);
    return dealer.error;
}

int campaign_run_ranks(struct campaign *campaign)
{
    return campaign->options->ranks->rank == 0 ? lead(campaign) : serve(campaign);
}
