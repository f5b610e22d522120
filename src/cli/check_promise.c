/* Reading observations from JSON Lines, and checking promises on them.
 *
 * One object a line, in the order in which things happened: `process` (1 to 63), `type` (what happened: lab/promise/promise.h),
 * the numbers that belong to it by their names, and `time` in nanoseconds if that is known:
 *
 *     {"process": 1, "type": "send", "message": 7}
 *     {"process": 2, "type": "deliver", "message": 7, "time": 1200}
 *
 * A first line {"processes": [1, 2, 3]} names those that belong to the run, also if they did nothing. */
#include "cli/check_promise.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap_system.h"
#include "cli/cli.h"
#include "lab/promise/promise.h"

enum { WHY_SIZE = 200 };

static const size_t HEAP_BYTES = (size_t)64 << 30; /* address space */

void check_promise_help(FILE *out)
{
    for (const struct promise *promise = promise_list(); promise->name != NULL; promise++)
        fprintf(out, "  %-27s %s\n", promise->name, promise->says);
}

/* ---- reading ---- */

static bool number_read(const json_t *line, const char *name, uint64_t *out)
{
    const json_t *value = json_object_get(line, name);
    if (value == NULL || !json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (uint64_t)json_integer_value(value);
    return true;
}

static bool set_read(const json_t *list, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *process = json_array_get(list, i);
        if (!json_is_integer(process) || json_integer_value(process) < 1 ||
            json_integer_value(process) >= PROMISE_PROCESSES_MAX)
            return false;
        *out |= UINT64_C(1) << json_integer_value(process);
    }
    return json_is_array(list);
}

/* One of the two numbers of an observation; a view's members are a list. */
static bool value_read(const json_t *line, const char *name, uint64_t *out)
{
    *out = 0;
    if (name[0] == '\0')
        return true;
    if (strcmp(name, "members") == 0)
        return set_read(json_object_get(line, name), out);
    if (strcmp(name, "to") == 0 && json_object_get(line, name) == NULL)
        return true; /* to the group */
    return number_read(line, name, out);
}

static bool observation_read(struct observations *observations, const json_t *line, char why[WHY_SIZE])
{
    uint64_t process, first, second, time = 0;
    if (json_object_get(line, "processes") != NULL) {
        if (set_read(json_object_get(line, "processes"), &observations->processes))
            return true;
        snprintf(why, WHY_SIZE, "\"processes\" wants a list of numbers from 1 to %d", PROMISE_PROCESSES_MAX - 1);
        return false;
    }
    const char *type = json_string_value(json_object_get(line, "type"));
    enum observed kind;
    if (type == NULL || !observed_find(span_string(type), &kind)) {
        snprintf(why, WHY_SIZE, "there is no type of observation '%.40s'", type != NULL ? type : "");
        return false;
    }
    if (!number_read(line, "process", &process) || process < 1 || process >= PROMISE_PROCESSES_MAX) {
        snprintf(why, WHY_SIZE, "\"process\" wants a number from 1 to %d", PROMISE_PROCESSES_MAX - 1);
        return false;
    }
    const char *names[2] = {observed_first(kind), observed_second(kind)};
    if (!value_read(line, names[0], &first) || !value_read(line, names[1], &second)) {
        snprintf(why, WHY_SIZE, "'%s' wants %s%s%s", type, names[0], names[1][0] != '\0' ? " and " : "", names[1]);
        return false;
    }
    (void)number_read(line, "time", &time);
    observe(observations, kind, (uint32_t)process, first, second, (int64_t)time);
    return true;
}

static bool file_read(FILE *file, struct observations *observations, char why[WHY_SIZE])
{
    char *text = NULL;
    size_t size = 0;
    unsigned long number = 0;
    bool good = true;
    for (ssize_t length; good && (length = getline(&text, &size, file)) > 0;) {
        char wrong[WHY_SIZE] = "it is no JSON object";
        number++;
        if (strspn(text, " \t\r\n") == (size_t)length)
            continue;
        json_t *line = json_loadb(text, (size_t)length, 0, NULL);
        good = json_is_object(line) && observation_read(observations, line, wrong);
        json_decref(line);
        if (!good)
            snprintf(why, WHY_SIZE, "line %lu: %.150s", number, wrong);
    }
    free(text);
    if (good && observations->incomplete)
        snprintf(why, WHY_SIZE, "the memory for the observations ran out");
    return good && !observations->incomplete;
}

/* ---- checking ---- */

static int print_verdict(const char *path, const char *promise, const struct verdict *verdict)
{
    if (verdict->kind == VERDICT_OK)
        return CLI_OK;
    printf("%s: %s %s: %s%s%s\n", path, verdict_name(verdict->kind), promise, verdict->anomaly,
           verdict->anomaly[0] != '\0' ? ": " : "", verdict->reason);
    return verdict->kind == VERDICT_ILLEGAL ? CLI_FAILED : CLI_USAGE;
}

static int check_all(const char *path, const char *name, const struct observations *observations, struct heap *heap)
{
    for (const struct promise *promise = promise_list(); promise->name != NULL; promise++) {
        if (strcmp(name, "all") != 0 && strcmp(name, promise->name) != 0)
            continue;
        struct verdict verdict = {.kind = VERDICT_OK};
        promise->check(observations, heap, &verdict);
        int status = print_verdict(path, promise->name, &verdict);
        verdict_clear(&verdict, heap);
        if (status != CLI_OK)
            return status;
    }
    printf("%s: ok\n", path);
    return CLI_OK;
}

static int check_file(const char *path, const char *name)
{
    char why[WHY_SIZE] = "";
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    struct heap *heap = heap_create_system(HEAP_BYTES);
    struct observations observations;
    int status = CLI_USAGE;
    if (heap != NULL)
        observations_init(&observations, heap, 0);
    if (file == NULL || heap == NULL)
        snprintf(why, sizeof why, "%s", file == NULL ? strerror(errno) : "there is no memory");
    else if (file_read(file, &observations, why))
        status = check_all(path, name, &observations, heap);
    if (why[0] != '\0')
        printf("%s: unknown %s\n", path, why);
    if (file != NULL && file != stdin)
        fclose(file);
    heap_destroy_system(heap);
    return status;
}

int check_promise_files(const char *name, int count, char **paths)
{
    if (strcmp(name, "all") != 0 && promise_find(span_string(name)) == NULL) {
        fprintf(stderr, "lockstep check: there is no promise '%s'; there are:\n", name);
        check_promise_help(stderr);
        return CLI_USAGE;
    }
    bool illegal = false, unknown = false;
    for (int i = 0; i < count; i++) {
        int status = check_file(paths[i], name);
        illegal = illegal || status == CLI_FAILED;
        unknown = unknown || status == CLI_USAGE;
    }
    return illegal ? CLI_FAILED : unknown ? CLI_USAGE : CLI_OK;
}
