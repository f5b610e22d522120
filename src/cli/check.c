/* lockstep check: is a recorded history right?
 *
 * Reads each file whole, finds out what it holds, has it checked and prints one line. lab/history/read_history.h describes the
 * formats, lab/check_table.c says who checks what, docs/checking.md is the manual. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buffer.h"
#include "base/heap_system.h"
#include "cli/check_promise.h"
#include "cli/cli.h"
#include "lab/check_table.h"
#include "lab/history/read_history.h"

enum {
    WORK_MAX = 20000000, /* a minute, and a gigabyte */
    LIST_SIZE = 2048,
    WHY_SIZE = 512,
    PIECE_SIZE = 1 << 20,
};

/* Address space, not memory: pages are taken as they are used. */
#define RESERVE_SIZE ((size_t)64 << 30)

struct check_options {
    const char *model, *level, *witness;
    struct read_options reading;
    struct verdict_bounds bounds;
    size_t memory_size;
    bool figures;
    const char *promise; /* NULL: a history is checked */
    char **files;
    int file_count;
};

static void print_help(void)
{
    char list[LIST_SIZE];
    check_list(list, sizeof list);
    puts("usage: lockstep check [--model MODEL] [--consistency LEVEL] [OPTION]... FILE...\n"
         "\n"
         "Checks recorded histories and prints one line for each file: FILE: ok, FILE: illegal REASON,\n"
         "or FILE: unknown REASON. - is the standard input.\n"
         "\n"
         "  --model MODEL        what the operations are about (kv)\n"
         "  --consistency LEVEL  what is promised; the first of the model's levels when left out,\n"
         "                       of a kv with transactions strict-serializable\n"
         "  --format FORMAT      jsonl, json or edn; guessed when left out\n"
         "  --independent        keys are inside of values, [key value], as in Jepsen's independent tests;\n"
         "                       guessed when left out\n"
         "  --time SECONDS       of the processor, after which a check gives up (no bound)\n"
         "  --memory MIB         of memory, likewise (no bound)\n"
         "  --work N             steps of the search in one object, likewise (20000000)\n"
         "  --witness FILE       write the order that explains an ok history, or the operations that make an\n"
         "                       illegal one so: one a line, with its line in the history\n"
         "  --figures            also print operations, and seconds for reading and checking\n"
         "\n"
         "  --promise NAME       the file holds observations of a protocol's members; checks that promise, or all\n"
         "\n"
         "Models and their levels:\n");
    for (char *line = strtok(list, "\n"); line != NULL; line = strtok(NULL, "\n"))
        printf("  %s\n", line);
    puts("\nPromises:\n");
    check_promise_help(stdout);
    puts("\n"
         "Exit status: 0 all are ok, 1 some are illegal, 2 none is, but some are unknown or no history.\n"
         "docs/checking.md describes formats, models and verdicts.");
}

/* ---- one file ---- */

struct seconds {
    double reading, checking;
};

/* Reads all of a file into a buffer on the heap. */
static bool file_read(FILE *file, struct buffer *out, char *why)
{
    struct stat status;
    bool regular = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode);
    if (regular && !buffer_reserve(out, (size_t)status.st_size + 1)) {
        snprintf(why, WHY_SIZE, "the memory for the history ran out");
        return false;
    }
    for (;;) {
        if (out->capacity - out->size < 2 && !buffer_reserve(out, PIECE_SIZE)) {
            snprintf(why, WHY_SIZE, "the memory for the history ran out");
            return false;
        }
        size_t size = fread(out->data + out->size, 1, out->capacity - out->size, file);
        out->size += size;
        if (size > 0)
            continue;
        if (ferror(file))
            snprintf(why, WHY_SIZE, "it cannot be read: %s", strerror(errno));
        return !ferror(file);
    }
}

static bool file_load(const char *name, const struct read_options *options, struct record *record, char *why)
{
    struct read_problem problem;
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (file == NULL) {
        snprintf(why, WHY_SIZE, "it cannot be read: %s", strerror(errno));
        return false;
    }
    struct buffer text;
    buffer_init(&text, record->heap);
    bool good = file_read(file, &text, why);
    if (file != stdin)
        fclose(file);
    if (good && !read_history(record, buffer_span(&text), options, &problem)) {
        snprintf(why, WHY_SIZE, "it is no history: line %" PRIu64 ": %s", problem.line, problem.why);
        good = false;
    }
    buffer_free(&text);
    return good;
}

/* Writes the verdict's operations. */
static bool witness_write(const char *path, const struct record *record, const struct verdict *verdict)
{
    char text[1024];
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "lockstep check: %s cannot be written: %s\n", path, strerror(errno));
        return false;
    }
    uint32_t part = 1;
    for (uint32_t at = 0; at < verdict->operation_count; at++) {
        uint32_t id = verdict->operations[at];
        for (; part < verdict->part_count && verdict->parts[part] <= at; part++)
            fputc('\n', file);
        record_print_operation(record, id, text, sizeof text);
        fprintf(file, "%" PRIu32 "\t%s\n", record->operations[id].line, text);
    }
    bool good = ferror(file) == 0;
    return fclose(file) == 0 && good;
}

static double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool record_check(const char *name, const struct check_options *options, struct record *record,
                         struct verdict *verdict, struct seconds *seconds)
{
    struct check_choice choice;
    bool examined;
    double began = clock_seconds();
    bool good = file_load(name, &options->reading, record, verdict->reason);
    seconds->reading = clock_seconds() - began;
    if (!good || !check_find(options->model, options->level, record, &choice, verdict->reason, sizeof verdict->reason))
        return true;
    began = clock_seconds();
    check_run(&choice, record, &options->bounds, record->heap, verdict, &examined);
    seconds->checking = clock_seconds() - began;
    return options->witness == NULL || witness_write(options->witness, record, verdict);
}

/* Checks one file and prints its line; returns 0, 1 or 2 as the exit status. */
static int check_file(const char *name, const struct check_options *options)
{
    struct heap *heap = heap_create_system(options->memory_size);
    struct record *record = heap == NULL ? NULL : record_create(heap);
    struct verdict verdict = {.kind = VERDICT_UNKNOWN};
    struct seconds seconds = {0};
    bool good = true;
    if (record == NULL)
        snprintf(verdict.reason, sizeof verdict.reason, "there is not enough memory");
    else
        good = record_check(name, options, record, &verdict, &seconds);
    if (verdict.kind == VERDICT_OK && record->operation_count == 0)
        snprintf(verdict.reason, sizeof verdict.reason, "(it holds no operations)");
    printf(verdict.reason[0] != '\0' ? "%s: %s %s\n" : "%s: %s\n", name, verdict_name(verdict.kind), verdict.reason);
    if (options->figures && record != NULL)
        printf("%s: operations=%" PRIu32 " read_s=%.3f check_s=%.3f work=%" PRIu64 " memory_mib=%zu\n", name,
               record->operation_count, seconds.reading, seconds.checking, verdict.work, heap_extent(heap) >> 20);
    heap_destroy_system(heap);
    if (!good)
        return CLI_USAGE;
    return verdict.kind == VERDICT_OK ? CLI_OK : verdict.kind == VERDICT_ILLEGAL ? CLI_FAILED : CLI_USAGE;
}

/* ---- options ---- */

/* A number from 1 on; 0 when it is none, or above the bound. */
static uint64_t number_of(const char *text, uint64_t max)
{
    char *end;
    if (text[0] < '1' || text[0] > '9')
        return 0;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 && number <= max ? number : 0;
}

/* Reads one option with a value; false when it is none, or the value is wrong. */
static bool option_read(const char *name, const char *value, struct check_options *out)
{
    uint64_t number;
    if (strcmp(name, "--model") == 0) {
        out->model = value;
    } else if (strcmp(name, "--consistency") == 0) {
        out->level = value;
    } else if (strcmp(name, "--promise") == 0) {
        out->promise = value;
    } else if (strcmp(name, "--witness") == 0) {
        out->witness = value;
    } else if (strcmp(name, "--format") == 0) {
        return read_format_find(value, &out->reading.format);
    } else if (strcmp(name, "--work") == 0) {
        out->bounds.work_max = number_of(value, UINT64_MAX);
        return out->bounds.work_max != 0;
    } else if (strcmp(name, "--time") == 0) {
        number = number_of(value, 1000000000);
        out->bounds.time_ns_max = (int64_t)number * 1000000000;
        return number != 0;
    } else if (strcmp(name, "--memory") == 0) {
        number = number_of(value, HEAP_REGION_SIZE_MAX >> 20);
        out->memory_size = (size_t)number << 20;
        return number != 0;
    } else {
        return false;
    }
    return true;
}

static bool complain(const char *option, const char *value)
{
    fprintf(stderr, "lockstep check: '%s%s%s' is not understood; see `lockstep help check`\n", option,
            value != NULL ? " " : "", value != NULL ? value : "");
    return false;
}

/* One option, with its value in the same word or the next one. Moves `at` to its last word. */
static bool argument_read(int argc, char **argv, int *at, struct check_options *out)
{
    char *option = argv[*at];
    if (strcmp(option, "--independent") == 0) {
        out->reading.keys = READ_KEYS_IN_VALUES;
        return true;
    }
    if (strcmp(option, "--figures") == 0) {
        out->figures = true;
        return true;
    }
    char name[32];
    size_t length = strcspn(option, "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < 31 ? length : 31), option);
    const char *value = option[length] == '=' ? option + length + 1 : *at + 1 < argc ? argv[++*at] : NULL;
    return (value != NULL && option_read(name, value, out)) || complain(name, value);
}

/* Reads the options and gathers the files at the end of argv; returns false after a complaint. */
static bool options_read(int argc, char **argv, struct check_options *out)
{
    char why[LIST_SIZE];
    struct check_choice choice;
    int files = 0; /* moved to argv[1] and on, which are read already */
    for (int at = 1; at < argc; at++) {
        if (argv[at][0] != '-' || argv[at][1] == '\0')
            argv[1 + files++] = argv[at];
        else if (strcmp(argv[at], "--") == 0)
            while (++at < argc)
                argv[1 + files++] = argv[at];
        else if (!argument_read(argc, argv, &at, out))
            return false;
    }
    out->files = argv + 1;
    out->file_count = files;
    if (out->promise == NULL && !check_find(out->model, out->level, NULL, &choice, why, sizeof why)) {
        fprintf(stderr, "lockstep check: %s\n", why);
        return false;
    }
    if (files == 0)
        fputs("lockstep check: name at least one file; see `lockstep help check`\n", stderr);
    return files > 0;
}

int cli_check(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return CLI_OK;
    }
    struct check_options options = {
        .model = "kv", .bounds = {.work_max = WORK_MAX}, .memory_size = RESERVE_SIZE};
    if (!options_read(argc, argv, &options))
        return CLI_USAGE;
    if (options.promise != NULL)
        return check_promise_files(options.promise, options.file_count, options.files);
    bool illegal = false, unknown = false;
    for (int at = 0; at < options.file_count; at++) {
        int status = check_file(options.files[at], &options);
        illegal = illegal || status == CLI_FAILED;
        unknown = unknown || status == CLI_USAGE;
    }
    return illegal ? CLI_FAILED : unknown ? CLI_USAGE : CLI_OK;
}
