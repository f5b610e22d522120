/* Reading a journal back, and adding to it. */
#include "lab/search/campaign_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/time.h"

enum { LINE_SIZE = 1024, HEADER_LINES = 3 };
static const double write_every_s = 0.5, write_every_part = 0.01;
static const char magic[] = "lockstep campaign 1";

struct journal {
    FILE *file;
    char *pending; /* lines of the report since the last `done` */
    size_t pending_size, pending_capacity;
    bool lacks; /* there was no memory for a line */
    double written_s;      /* summary->seconds at the last `done` */
    uint64_t written_next; /* and its first seed that was not run */
};

void campaign_describe(const struct campaign_options *options, char *out, size_t size)
{
    const struct world_options *world = &options->world;
    snprintf(out, size,
             "%s, %s, %" PRIu32 " nodes, %" PRIu32 " gateways of vote %" PRIu32 ", %" PRIu32 " clients, %" PRId64
             " ms, faults %" PRIx64 " of %" PRIx64 ", healed at %" PRId64 ", k %" PRIu32 ", dead %" PRIu32
             ", rules off %" PRIx32 " and %" PRIx32 ", seeds %" PRIu64
             "..%" PRIu64 "%s, violations %s%" PRIu64,
             world->protocol->name, world->service->name, world->node_count, world->gateways,
             world->vote, world->client_count,
             world->time_ns / NS_PER_MS, (uint64_t)world->faults, (uint64_t)world->claims,
             world->heal_at_ns, world->k, world->dead, world->ablations, world->gateway_ablations, options->seed_first,
             options->seed_last, options->print_hashes ? ", hashes" : "",
             options->violations_max > 0 ? "at most " : "without limit ", options->violations_max);
}

/* ---- reading ---- */

struct reading {
    const struct campaign_options *options;
    struct campaign_summary *summary;
    unsigned line;
    off_t sound; /* offset behind the last whole `done` line, or behind the header */
    char *report; /* what it says was reported, up to there */
    size_t report_size;
};

static bool parse_done(const char *line, struct campaign_summary *out)
{
    struct campaign_summary read = {0};
    int end = 0;
    int fields = sscanf(line,
                        "done %" SCNu64 " runs %" SCNu64 " violations %" SCNu64 " events %" SCNu64
                        " undecided %" SCNu64 " outside %" SCNu64 " seconds %lf%n",
                        &read.next_seed, &read.runs, &read.violations, &read.events, &read.undecided, &read.outside,
                        &read.seconds, &end);
    if (fields != 7 || line[end] != '\0')
        return false;
    *out = read;
    return true;
}

static bool same_header(const struct reading *reading, const char *line, char *why, size_t why_size)
{
    char described[LINE_SIZE];
    campaign_describe(reading->options, described, sizeof described);
    const char *path = reading->options->journal_path;
    if (reading->line == 1 && strcmp(line, magic) != 0)
        snprintf(why, why_size, "%s is not the journal of a campaign; give another file", path);
    else if (reading->line == 2 && (strncmp(line, "build ", 6) != 0 || strcmp(line + 6, reading->options->build) != 0))
        snprintf(why, why_size, "%s was begun by another build (%.80s; this is %.80s), whose runs may differ; remove "
                 "it to begin anew", path, line, reading->options->build);
    else if (reading->line == 3 && (strncmp(line, "options ", 8) != 0 || strcmp(line + 8, described) != 0))
        snprintf(why, why_size, "%s is of a campaign with other options (%.300s; now %.300s); give the same options, "
                 "or another file", path, line, described);
    else
        return true;
    return false;
}

static bool read_line(struct reading *reading, FILE *file, const char *line, FILE *report, char *why, size_t why_size)
{
    if (reading->line <= HEADER_LINES) {
        reading->sound = ftello(file);
        return same_header(reading, line, why, why_size);
    }
    if (strncmp(line, "report ", 7) == 0) {
        fprintf(report, "%s\n", line + 7);
        return true;
    }
    if (!parse_done(line, reading->summary)) {
        snprintf(why, why_size, "%s is damaged in line %u; remove it to begin anew", reading->options->journal_path,
                 reading->line);
        return false;
    }
    fflush(report);
    reading->sound = ftello(file);
    return true;
}

/* Reads all whole lines. `*sound_report` is how much of the report is covered by a `done` line. */
static bool read_lines(struct reading *reading, FILE *file, FILE *report, size_t *sound_report, char *why,
                       size_t why_size)
{
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(line);
        bool whole = length > 0 && line[length - 1] == '\n';
        if (!whole && length + 1 < sizeof line)
            break; /* torn by a crash */
        if (whole)
            line[length - 1] = '\0';
        reading->line++;
        off_t before = reading->sound;
        if (!read_line(reading, file, line, report, why, why_size))
            return false;
        if (reading->sound != before)
            *sound_report = reading->report_size;
    }
    return true;
}

static bool read_back(struct reading *reading, FILE *file, char *why, size_t why_size)
{
    FILE *report = open_memstream(&reading->report, &reading->report_size);
    if (report == NULL) {
        snprintf(why, why_size, "no memory to read %s", reading->options->journal_path);
        return false;
    }
    size_t sound_report = 0;
    fflush(report);
    bool read = read_lines(reading, file, report, &sound_report, why, why_size);
    fclose(report);
    if (read && reading->options->out != NULL)
        fwrite(reading->report, 1, sound_report, reading->options->out);
    free(reading->report);
    return read;
}

/* ---- writing ---- */

static bool begin(struct journal *journal, const struct campaign_options *options)
{
    char described[LINE_SIZE];
    campaign_describe(options, described, sizeof described);
    fprintf(journal->file, "%s\nbuild %s\noptions %s\n", magic, options->build, described);
    return fflush(journal->file) == 0 && fsync(fileno(journal->file)) == 0;
}

static bool go_on(struct journal *journal, const struct campaign_options *options, struct campaign_summary *summary,
                  char *why, size_t why_size)
{
    struct reading reading = {.options = options, .summary = summary};
    if (!read_back(&reading, journal->file, why, why_size))
        return false;
    bool fresh = reading.line < HEADER_LINES;
    off_t end = fresh ? 0 : reading.sound;
    bool written = ftruncate(fileno(journal->file), end) == 0 && fseeko(journal->file, end, SEEK_SET) == 0 &&
                   (!fresh || begin(journal, options));
    if (!written)
        snprintf(why, why_size, "cannot write %s: %s", options->journal_path, strerror(errno));
    return written;
}

struct journal *journal_open(const struct campaign_options *options, struct campaign_summary *summary, char *why,
                             size_t why_size)
{
    struct journal *journal = calloc(1, sizeof *journal);
    int file = open(options->journal_path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (journal == NULL || file < 0 || (journal->file = fdopen(file, "r+")) == NULL) {
        snprintf(why, why_size, "cannot open %s: %s", options->journal_path, strerror(errno));
        if (file >= 0)
            close(file);
        free(journal);
        return NULL;
    }
    summary->next_seed = options->seed_first;
    bool mine = flock(file, LOCK_EX | LOCK_NB) == 0;
    if (!mine)
        snprintf(why, why_size, "%s is being written by another campaign; wait for it, or give another file",
                 options->journal_path);
    if (!mine || !go_on(journal, options, summary, why, why_size)) {
        journal_close(journal);
        return NULL;
    }
    journal->written_s = summary->seconds;
    journal->written_next = summary->next_seed;
    return journal;
}

static void keep(struct journal *journal, const char *text, size_t size)
{
    if (journal->pending_size + size > journal->pending_capacity) {
        size_t capacity = 2 * (journal->pending_size + size);
        char *grown = realloc(journal->pending, capacity);
        journal->lacks = journal->lacks || grown == NULL;
        if (grown == NULL)
            return;
        journal->pending = grown;
        journal->pending_capacity = capacity;
    }
    memcpy(journal->pending + journal->pending_size, text, size);
    journal->pending_size += size;
}

void journal_report(struct journal *journal, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        keep(journal, "report ", 7);
        keep(journal, lines, length);
        keep(journal, "\n", 1);
        lines += length + (lines[length] == '\n');
    }
}

bool journal_done(struct journal *journal, const struct campaign_summary *summary, bool final)
{
    double since = summary->seconds - journal->written_s;
    if (!final && (since < write_every_s || since < write_every_part * summary->seconds))
        return true;
    if (summary->next_seed == journal->written_next)
        return true;
    journal->written_s = summary->seconds;
    journal->written_next = summary->next_seed;
    if (journal->pending_size > 0)
        fwrite(journal->pending, 1, journal->pending_size, journal->file);
    journal->pending_size = 0;
    fprintf(journal->file,
            "done %" PRIu64 " runs %" PRIu64 " violations %" PRIu64 " events %" PRIu64 " undecided %" PRIu64
            " outside %" PRIu64 " seconds %.6f\n",
            summary->next_seed, summary->runs, summary->violations, summary->events, summary->undecided,
            summary->outside, summary->seconds);
    return !journal->lacks && fflush(journal->file) == 0 && fdatasync(fileno(journal->file)) == 0;
}

void journal_close(struct journal *journal)
{
    if (journal == NULL)
        return;
    fclose(journal->file);
    free(journal->pending);
    free(journal);
}
