/* lockstep check: are recorded histories linearizable?
 *
 * A history is a file of JSON Lines as Jepsen's users write them: one object for each invocation and each end, in the
 * order in which they happened, with the members
 *
 *   process  integer; lines of others ("nemesis") are skipped
 *   type     invoke, ok, fail (it certainly never happens) or info (it may have happened, or may yet)
 *   f        the function; lines about other functions than the model's are an error
 *   key      string or integer; one register when it is left out
 *   value    of an invocation the argument; of an ok the answer: a string, an integer or null
 *   time     nanoseconds; only shown
 *   error    of an ok: the service answered an error, in its turn
 *
 * The last line may be cut, as a recorder that is killed leaves it. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap_system.h"
#include "cli/cli.h"
#include "lab/linearizable.h"

enum {
    PROCESSES_MIN = 64,
    WHY_SIZE = 160,
    WORK_MAX = 20000000, /* a minute, and a gigabyte */
};

/* The operation that a process has open. */
struct process {
    json_int_t number;
    uint32_t operation; /* HISTORY_NONE: none */
};

struct reading {
    struct history *history;
    bool registers; /* the model */
    struct process *processes;
    size_t process_count, process_capacity;
    unsigned long line;
    char why[WHY_SIZE];
};

static void print_help(void)
{
    puts("usage: lockstep check [--model register|kv] [--work N] FILE...\n"
         "\n"
         "Checks whether recorded histories are linearizable, and prints one line for each file:\n"
         "FILE: ok, FILE: illegal REASON, or FILE: unknown REASON. - is the standard input.\n"
         "\n"
         "  --model MODEL   kv (default): get, set, setnx, setxx, getset, cas, incr, append, del, getdel, strlen,\n"
         "                  exists, on keys that hold a string or nothing; the value of a cas is [expected, new].\n"
         "                  register: read, write and cas\n"
         "  --work N        configurations after which the search in one key gives up (default 20000000)\n"
         "\n"
         "A file holds one JSON object a line, in the order of events: process, type (invoke, ok, fail, info), f, key,\n"
         "value, time. Exit status: 0 all are ok, 1 some are illegal, 2 none is, but some are unknown or no history.");
}

static struct process *process_find(struct reading *reading, json_int_t number)
{
    for (size_t at = 0; at < reading->process_count; at++)
        if (reading->processes[at].number == number)
            return &reading->processes[at];
    if (reading->process_count == reading->process_capacity) {
        size_t capacity = reading->process_capacity == 0 ? PROCESSES_MIN : reading->process_capacity * 2;
        struct process *processes = realloc(reading->processes, capacity * sizeof *processes);
        if (processes == NULL)
            return NULL;
        reading->processes = processes;
        reading->process_capacity = capacity;
    }
    struct process *process = &reading->processes[reading->process_count++];
    *process = (struct process){.number = number, .operation = HISTORY_NONE};
    return process;
}

/* A JSON value as the bytes that a key holds; `room` is for those that need printing. False for null. */
static bool text_of(const json_t *value, char room[32], struct span *out)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        *out = span_of(json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        *out = span_of(room, (size_t)snprintf(room, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value)));
        return true;
    case JSON_REAL:
        *out = span_of(room, (size_t)snprintf(room, 32, "%.17g", json_real_value(value)));
        return true;
    case JSON_TRUE:
        *out = span_string("true");
        return true;
    case JSON_FALSE:
        *out = span_string("false");
        return true;
    case JSON_NULL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    *out = span_of(NULL, 0);
    return false;
}

static bool function_of(const struct reading *reading, const char *name, enum history_function *out)
{
    if (!reading->registers)
        return history_function_find(span_string(name), out);
    *out = strcmp(name, "read") == 0 ? HISTORY_GET : strcmp(name, "write") == 0 ? HISTORY_SET : HISTORY_CAS;
    return *out != HISTORY_CAS || strcmp(name, "cas") == 0;
}

/* Bytes of a line that the history copies. */
struct line_text {
    char key[32], argument[32], expected[32];
};

static bool read_argument(struct reading *reading, const json_t *line, struct history_call *call,
                          struct line_text *text)
{
    const json_t *value = json_object_get(line, "value");
    bool given = value != NULL && !json_is_null(value);
    call->number = 1;
    if (history_function_reads(call->function) || call->function == HISTORY_DEL || call->function == HISTORY_GETDEL)
        return true;
    if (call->function == HISTORY_INCR) {
        if (given)
            call->number = json_integer_value(value);
        snprintf(reading->why, WHY_SIZE, "the value of an incr is an integer, or left out");
        return !given || json_is_integer(value);
    }
    if (call->function != HISTORY_CAS) {
        snprintf(reading->why, WHY_SIZE, "the value to be written is a string or a number");
        return given && text_of(value, text->argument, &call->argument);
    }
    snprintf(reading->why, WHY_SIZE, "the value of a cas is [expected, new]");
    return given && json_array_size(value) == 2 &&
           text_of(json_array_get(value, 0), text->expected, &call->expected) &&
           text_of(json_array_get(value, 1), text->argument, &call->argument);
}

static bool read_invoke(struct reading *reading, const json_t *line, struct process *process, const char *function)
{
    struct history_call call = {.process = (uint32_t)process->number};
    struct line_text text;
    const json_t *key = json_object_get(line, "key");
    if (process->operation != HISTORY_NONE) {
        snprintf(reading->why, WHY_SIZE, "process %" JSON_INTEGER_FORMAT " invokes while its last operation is open",
                 process->number);
        return false;
    }
    if (!function_of(reading, function, &call.function)) {
        snprintf(reading->why, WHY_SIZE, "the model has no function '%.40s'", function);
        return false;
    }
    if (key != NULL && !text_of(key, text.key, &call.key)) {
        snprintf(reading->why, WHY_SIZE, "a key is a string or an integer");
        return false;
    }
    if (!read_argument(reading, line, &call, &text))
        return false;
    process->operation =
        history_invoke(reading->history, &call, json_integer_value(json_object_get(line, "time")));
    return true;
}

/* The answer in the form in which the function gives it. */
static struct history_answer answer_of(enum history_function function, const json_t *line, char room[32])
{
    const json_t *value = json_object_get(line, "value");
    struct history_answer answer = {.kind = HISTORY_NIL};
    bool shows = function == HISTORY_GET || function == HISTORY_GETSET || function == HISTORY_GETDEL;
    if (json_object_get(line, "error") != NULL)
        answer.kind = HISTORY_ERROR;
    else if (function == HISTORY_SET || json_is_true(value))
        answer.kind = HISTORY_DONE;
    else if (shows && value != NULL && text_of(value, room, &answer.bytes))
        answer.kind = HISTORY_BYTES;
    else if (!shows && json_is_integer(value))
        answer = (struct history_answer){.kind = HISTORY_INTEGER, .integer = json_integer_value(value)};
    else if (!shows && (json_is_string(value) || json_is_array(value) || (value == NULL && function == HISTORY_CAS)))
        answer.kind = HISTORY_DONE; /* Jepsen's cas says what it did, or nothing more than that it succeeded */
    return answer;
}

static bool read_end(struct reading *reading, const json_t *line, struct process *process, const char *type)
{
    uint32_t id = process->operation;
    int64_t time_ns = json_integer_value(json_object_get(line, "time"));
    process->operation = HISTORY_NONE;
    if (strcmp(type, "fail") != 0 && strcmp(type, "info") != 0 && strcmp(type, "ok") != 0) {
        snprintf(reading->why, WHY_SIZE, "the type is invoke, ok, fail or info, not '%.40s'", type);
        return false;
    }
    if (id == HISTORY_NONE) {
        snprintf(reading->why, WHY_SIZE, "process %" JSON_INTEGER_FORMAT " ends what it did not invoke",
                 process->number);
        return reading->history->incomplete;
    }
    if (type[0] == 'f') {
        history_fail(reading->history, id, time_ns);
    } else if (type[0] == 'i') {
        history_info(reading->history, id, time_ns);
    } else {
        char room[32];
        struct history_answer answer =
            answer_of((enum history_function)reading->history->operations[id].function, line, room);
        history_ok(reading->history, id, &answer, time_ns);
    }
    return true;
}

static bool read_event(struct reading *reading, const json_t *line)
{
    const json_t *number = json_object_get(line, "process");
    const char *type = json_string_value(json_object_get(line, "type"));
    const char *function = json_string_value(json_object_get(line, "f"));
    if (number != NULL && !json_is_integer(number))
        return true;
    if (number == NULL || type == NULL || (function == NULL && strcmp(type, "invoke") == 0)) {
        snprintf(reading->why, WHY_SIZE, "an event has the members process, type and f");
        return false;
    }
    struct process *process = process_find(reading, json_integer_value(number));
    if (process == NULL) {
        snprintf(reading->why, WHY_SIZE, "there is not enough memory");
        return false;
    }
    if (strcmp(type, "invoke") == 0)
        return read_invoke(reading, line, process, function);
    return read_end(reading, line, process, type);
}

/* Reads all lines; false with a sentence in reading->why. */
static bool read_lines(struct reading *reading, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    bool good = true;
    ssize_t size;
    for (reading->line = 1; good && (size = getline(&line, &capacity, file)) >= 0; reading->line++) {
        bool whole = size > 0 && line[size - 1] == '\n';
        if (strspn(line, " \t\r\n") == (size_t)size)
            continue;
        json_error_t error;
        json_t *event = json_loadb(line, (size_t)size, 0, &error);
        if (event == NULL && !whole)
            break;
        if (event == NULL)
            snprintf(reading->why, WHY_SIZE, "%.100s", error.text);
        good = event != NULL && read_event(reading, event);
        json_decref(event);
        if (!good)
            break;
    }
    free(line);
    return good;
}

/* Checks one file and prints its line; returns 0, 1 or 2 as the exit status. */
static int check_file(const char *name, bool registers, uint64_t work_max)
{
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
    if (file == NULL) {
        printf("%s: unknown it cannot be read: %s\n", name, strerror(errno));
        return CLI_USAGE;
    }
    /* Address space, not memory: pages are taken as they are used. */
    struct heap *heap = heap_create_system((size_t)64 << 30);
    struct reading reading = {.registers = registers};
    struct linearizable *checker = NULL;
    if (heap != NULL) {
        reading.history = history_create(heap);
        checker = linearizable_create(heap);
    }
    struct linearizable_result result = {.verdict = LINEARIZABLE_UNKNOWN};
    if (checker == NULL || reading.history == NULL)
        snprintf(result.reason, sizeof result.reason, "there is not enough memory");
    else if (!read_lines(&reading, file))
        snprintf(result.reason, sizeof result.reason, "it is no history: line %lu: %s", reading.line,
                 reading.why);
    else
        linearizable_check(checker, reading.history, work_max, &result);
    const char *verdict = linearizable_verdict_name(result.verdict);
    printf(result.reason[0] != '\0' ? "%s: %s %s\n" : "%s: %s\n", name, verdict, result.reason);
    if (file != stdin)
        fclose(file);
    free(reading.processes);
    heap_destroy_system(heap);
    return result.verdict == LINEARIZABLE_YES ? CLI_OK : result.verdict == LINEARIZABLE_NO ? CLI_FAILED : CLI_USAGE;
}

struct check_options {
    bool registers;
    uint64_t work_max;
    int first_file;
};

/* Reads the options; returns false after a complaint. */
static bool options_read(int argc, char **argv, struct check_options *out)
{
    int at = 1;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != '\0'; at++) {
        const char *value = at + 1 < argc ? argv[at + 1] : "";
        char *end;
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        if (strcmp(argv[at], "--model") == 0 && (strcmp(value, "register") == 0 || strcmp(value, "kv") == 0)) {
            out->registers = value[0] == 'r';
            at++;
            continue;
        }
        if (strcmp(argv[at], "--work") == 0 && value[0] >= '1' && value[0] <= '9') {
            out->work_max = strtoull(value, &end, 10);
            at++;
            if (*end == '\0')
                continue;
        }
        if (strcmp(argv[at], "--model") == 0)
            fprintf(stderr, "lockstep check: the model is register or kv, not '%s'\n", value);
        else
            fprintf(stderr, "lockstep check: '%s' is not understood; see `lockstep help check`\n", argv[at]);
        return false;
    }
    out->first_file = at;
    if (at == argc)
        fputs("lockstep check: name at least one file; see `lockstep help check`\n", stderr);
    return at < argc;
}

int cli_check(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return CLI_OK;
    }
    struct check_options options = {.work_max = WORK_MAX};
    if (!options_read(argc, argv, &options))
        return CLI_USAGE;
    bool illegal = false, unknown = false;
    for (int at = options.first_file; at < argc; at++) {
        int status = check_file(argv[at], options.registers, options.work_max);
        illegal = illegal || status == CLI_FAILED;
        unknown = unknown || status == CLI_USAGE;
    }
    return illegal ? CLI_FAILED : unknown ? CLI_USAGE : CLI_OK;
}
