/* lockstep run: runs scenarios, and says what they expected and what was seen. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/pictures.h"
#include "cli/scenario_folder.h"
#include "cli/words.h"
#include "lab/scenario/scenario.h"

enum { FILES_MAX = 1024, BREAKS_MAX = 16, PATH_SIZE = SCENARIO_PATH_SIZE };

struct arguments {
    const char *files[FILES_MAX];
    int file_count;
    bool all, quiet;
    uint32_t run; /* that pictures show, from 1 */
    uint64_t seed;
    bool seed_given;
    char breaks_text[512];
    const char *breaks[BREAKS_MAX + 1]; /* into breaks_text */
    struct pictures pictures;
};

static void print_help(void)
{
    puts("usage: lockstep run [OPTION]... FILE...\n"
         "       lockstep run --all\n"
         "\n"
         "Runs scenarios: Lua scripts that set up a group in the simulated world, say what fails and when, and state\n"
         "what must be seen. FILE may be the name of one that came with the program, such as raft-figure-8. The exit\n"
         "status is 0 if what was seen agrees with what was expected, 1 if not, 2 if a script makes no sense.\n"
         "\n"
         "  --all            every scenario that came with the program\n"
         "  --break LIST     rules to switch off besides the script's own, to see that it disagrees then\n"
         "  --seed S         of what is still drawn, in place of the script's\n"
         "  --quiet          one line a scenario\n"
         "  --run N          which run pictures show, where a script sets up several groups (default 1)");
    pictures_help(stdout);
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "lockstep run: %s '%s'; see `lockstep run --help`\n", what, value);
    return CLI_USAGE;
}

/* ---- where scenarios are ---- */

/* A name without a folder that is no file here may be one of ours. */
static const char *find_file(const char *name)
{
    char folder[PATH_SIZE];
    if (strchr(name, '/') != NULL || access(name, F_OK) == 0 || !scenario_folder(folder))
        return name;
    char *path = malloc(PATH_SIZE + 256);
    if (path == NULL)
        return name;
    size_t length = strlen(name);
    bool whole = length > 4 && strcmp(name + length - 4, ".lua") == 0;
    snprintf(path, PATH_SIZE + 256, "%s/%s%s", folder, name, whole ? "" : ".lua");
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return name;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_all(struct arguments *arguments)
{
    char folder[PATH_SIZE];
    DIR *directory = scenario_folder(folder) ? opendir(folder) : NULL;
    if (directory == NULL) {
        fprintf(stderr, "lockstep run: the folder of scenarios is neither beside the program nor in ../share/lockstep "
                        "of it; name the files instead\n");
        return CLI_USAGE;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && arguments->file_count < FILES_MAX;) {
        size_t length = strlen(entry->d_name);
        if (length <= 4 || strcmp(entry->d_name + length - 4, ".lua") != 0)
            continue;
        char *path = malloc(strlen(folder) + length + 2);
        if (path == NULL)
            break;
        sprintf(path, "%s/%s", folder, entry->d_name);
        arguments->files[arguments->file_count++] = path;
    }
    closedir(directory);
    qsort(arguments->files, (size_t)arguments->file_count, sizeof arguments->files[0], by_name);
    return CLI_OK;
}

/* ---- options ---- */

static int add_breaks(struct arguments *arguments, const char *list)
{
    int count = 0;
    if ((size_t)snprintf(arguments->breaks_text, sizeof arguments->breaks_text, "%s", list) >=
        sizeof arguments->breaks_text)
        return usage_error("too many rules:", list);
    for (char *at = arguments->breaks_text; *at != '\0' && count < BREAKS_MAX;) {
        arguments->breaks[count++] = at;
        at += strcspn(at, ",");
        if (*at == ',')
            *at++ = '\0';
    }
    return CLI_OK;
}

static bool parse_number(const char *value, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(value, &end, 10);
    return *value >= '0' && *value <= '9' && *end == '\0' && errno == 0;
}

static int set_run(struct arguments *arguments, const char *value)
{
    uint64_t number;
    if (!parse_number(value, &number) || number < 1 || number > 1000)
        return usage_error("--run takes a number from 1 to 1000, not", value);
    arguments->run = (uint32_t)number;
    return CLI_OK;
}

static int set_seed(struct arguments *arguments, const char *value)
{
    arguments->seed_given = parse_number(value, &arguments->seed);
    return arguments->seed_given ? CLI_OK : usage_error("--seed takes a number, not", value);
}

/* Reads one option; `*i` moves over its value. */
static int parse_option(struct arguments *arguments, int argc, char **argv, int *i)
{
    char name[64];
    size_t length = strcspn(argv[*i], "=");
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), argv[*i]);
    const char *value = argv[*i][length] == '=' ? argv[*i] + length + 1 : NULL;
    if (strcmp(name, "--all") == 0) {
        arguments->all = true;
        return CLI_OK;
    }
    if (strcmp(name, "--quiet") == 0) {
        arguments->quiet = true;
        return CLI_OK;
    }
    bool breaks = strcmp(name, "--break") == 0, run = strcmp(name, "--run") == 0, seed = strcmp(name, "--seed") == 0;
    if (!breaks && !run && !seed && !pictures_takes(name))
        return usage_error("there is no option", name);
    if (value == NULL && (breaks || run || seed || pictures_takes_value(name))) {
        if (*i + 1 == argc)
            return usage_error("a value is missing after", name);
        value = argv[++*i];
    }
    if (value != NULL && *value == '\0')
        return usage_error("a value is missing after", name);
    if (run || seed)
        return run ? set_run(arguments, value) : set_seed(arguments, value);
    return breaks ? add_breaks(arguments, value) : pictures_option("run", &arguments->pictures, name, value);
}

static int parse(struct arguments *arguments, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int status = CLI_OK;
        if (argv[i][0] == '-' && argv[i][1] != '\0')
            status = parse_option(arguments, argc, argv, &i);
        else if (arguments->file_count == FILES_MAX)
            status = usage_error("at most 1024 files at a time; one too many is", argv[i]);
        else
            arguments->files[arguments->file_count++] = find_file(argv[i]);
        if (status != CLI_OK)
            return status;
    }
    if (arguments->all && arguments->file_count > 0)
        return usage_error("--all runs every scenario; it goes without", arguments->files[0]);
    int status = arguments->all ? add_all(arguments) : CLI_OK;
    if (status == CLI_OK && arguments->file_count == 0)
        return usage_error("a file is missing after", "run");
    if (status == CLI_OK && pictures_wanted(&arguments->pictures) && arguments->file_count != 1)
        return usage_error("a picture shows one scenario, not several:", arguments->files[1]);
    return status;
}

/* ---- running ---- */

static int run_one(struct arguments *arguments, const char *path)
{
    char title[PATH_SIZE + 32];
    struct scenario_options options = {.path = path, .breaks = arguments->breaks,
                                       .seed = arguments->seed_given ? &arguments->seed : NULL,
                                       .out = arguments->quiet ? NULL : stdout,
                                       .traced_run = arguments->run > 0 ? arguments->run - 1 : 0};
    struct scenario_report report;
    snprintf(title, sizeof title, "lockstep run %s", path);
    int status = pictures_begin("run", &arguments->pictures, title, "", &options.tracer);
    if (status != CLI_OK)
        return status;
    scenario_run(&options, &report);
    status = pictures_end("run", &arguments->pictures);
    if (pictures_wanted(&arguments->pictures) && report.ran && options.traced_run >= report.runs) {
        fprintf(stderr, "lockstep run: %s sets up %u groups, so the pictures of --run %u are empty\n", path, report.runs,
                arguments->run);
        status = CLI_USAGE;
    }
    if (arguments->quiet)
        printf("%s: %s%s%s\n", path,
               report.verdict == SCENARIO_AGREES ? "agrees" : report.verdict == SCENARIO_ERROR ? "error" : "DISAGREES",
               report.sentence[0] != '\0' ? ": " : "", report.sentence);
    fflush(stdout);
    if (report.verdict == SCENARIO_ERROR) {
        bool name = strchr(path, '/') == NULL && access(path, F_OK) != 0;
        fprintf(stderr, "lockstep run: %s%s\n", report.sentence,
                name ? "; nor did a scenario of that name come with the program: `lockstep run --all --quiet` lists them"
                     : "");
    }
    return (int)report.verdict > status ? (int)report.verdict : status;
}

int cli_run(int argc, char **argv)
{
    static struct arguments arguments;
    int worst = CLI_OK, agreed = 0;
    if (argc < 2 || words_ask_for_help(argc, argv)) {
        print_help();
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    int status = parse(&arguments, argc, argv);
    if (status != CLI_OK)
        return status;
    for (int i = 0; i < arguments.file_count; i++) {
        status = run_one(&arguments, arguments.files[i]);
        agreed += status == CLI_OK;
        worst = status > worst ? status : worst;
    }
    if (arguments.file_count > 1)
        printf("%d scenarios, %d agree\n", arguments.file_count, agreed);
    return worst;
}
