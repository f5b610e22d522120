/* lockstep bench: a light load for any server that speaks RESP, and what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_internal.h"
#include "cli/cli.h"

static void print_help(void)
{
    puts("usage: lockstep bench [OPTION]...\n"
         "\n"
         "Loads a server that speaks RESP (lockstep, Redis) from one thread: each connection sends a batch of requests,\n"
         "waits for all replies, and sends the next. Prints throughput and latencies.\n"
         "\n"
         "  -h ADDRESS        IPv4 address (127.0.0.1)\n"
         "  -p PORT[,PORT]... ports; connections are dealt out to them in turn (7001)\n"
         "  -c COUNT          connections (64)\n"
         "  -P COUNT          requests in a batch: pipelining (1)\n"
         "  -n COUNT          stop after so many requests\n"
         "  -s SECONDS        stop after so many seconds (10)\n"
         "  -w SECONDS        of warming up, which are not counted (0)\n"
         "  -d BYTES          size of values (100)\n"
         "  -k COUNT          different keys (100000)\n"
         "  -t LOAD           set, get, incr, mixed (half set, half get), fill (set each key once) (set)\n"
         "  --failover        increment through every port at once, whatever fails meanwhile, and report the longest\n"
         "                    time without a success\n"
         "  --seed N          of the choice of keys (1)\n"
         "  -q                print one line: name=value pairs, times in microseconds\n"
         "\n"
         "Exit status: 0, or 1 when nothing could be measured.");
}

struct load_name {
    const char *name;
    enum bench_load load;
};

static const struct load_name load_names[] = {
    {"set", BENCH_SET}, {"get", BENCH_GET}, {"incr", BENCH_INCR}, {"mixed", BENCH_MIXED}, {"fill", BENCH_FILL},
};

static bool number_read(const char *text, double min, double max, double *out)
{
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= min && *out <= max;
}

static bool ports_read(const char *text, struct bench_options *options)
{
    options->port_count = 0;
    for (const char *at = text; options->port_count < BENCH_PORTS_MAX; at++) {
        char *end;
        unsigned long port = strtoul(at, &end, 10);
        if (end == at || port == 0 || port > UINT16_MAX || (*end != ',' && *end != '\0'))
            return false;
        options->ports[options->port_count++] = (uint16_t)port;
        if (*end == '\0')
            return true;
        at = end;
    }
    return false;
}

/* An option with a value. */
static bool option_read(const char *name, const char *value, struct bench_options *options)
{
    double number;
    if (strcmp(name, "-h") == 0) {
        options->host = value;
        return true;
    }
    if (strcmp(name, "-p") == 0)
        return ports_read(value, options);
    if (strcmp(name, "-t") == 0) {
        for (size_t at = 0; at < sizeof load_names / sizeof load_names[0]; at++)
            if (strcmp(value, load_names[at].name) == 0) {
                options->load = load_names[at].load;
                return true;
            }
        return false;
    }
    bool seconds = strcmp(name, "-s") == 0 || strcmp(name, "-w") == 0;
    if (!number_read(value, seconds ? 0 : 1, seconds ? 1e6 : 4e9, &number))
        return false;
    if (strcmp(name, "-s") == 0)
        options->seconds = number;
    else if (strcmp(name, "-w") == 0)
        options->warm_seconds = number;
    else if (strcmp(name, "-c") == 0 && number <= 10000)
        options->connections = (uint32_t)number;
    else if (strcmp(name, "-P") == 0 && number <= 10000)
        options->pipeline = (uint32_t)number;
    else if (strcmp(name, "-n") == 0)
        options->requests = (uint64_t)number;
    else if (strcmp(name, "-d") == 0 && number <= 1 << 20)
        options->value_size = (uint32_t)number;
    else if (strcmp(name, "-k") == 0)
        options->keys = (uint64_t)number;
    else if (strcmp(name, "--seed") == 0)
        options->seed = (uint64_t)number;
    else
        return false;
    return true;
}

static bool options_read(int argc, char **argv, struct bench_options *options)
{
    bool seconds_given = false;
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "-q") == 0) {
            options->quiet = true;
        } else if (strcmp(argv[at], "--failover") == 0) {
            options->failover = true;
        } else if (at + 1 < argc && option_read(argv[at], argv[at + 1], options)) {
            seconds_given = seconds_given || strcmp(argv[at], "-s") == 0;
            at++;
        } else {
            fprintf(stderr, "lockstep bench: '%s%s%s' is not understood; see `lockstep help bench`\n", argv[at],
                    at + 1 < argc ? " " : "", at + 1 < argc ? argv[at + 1] : "");
            return false;
        }
    }
    if (options->load == BENCH_FILL && options->requests == 0)
        options->requests = options->keys;
    /* A number of requests alone is no reason to stop earlier; an hour is only for a server that hangs. */
    if (options->requests > 0 && !seconds_given)
        options->seconds = 3600;
    return true;
}

static double micros(uint64_t ns)
{
    return (double)ns / 1e3;
}

static void print_line(const struct bench_options *options, const struct bench_result *result)
{
    const struct bench_histogram *latencies = &result->latencies;
    double mean = latencies->count == 0 ? 0 : micros(latencies->sum) / (double)latencies->count;
    printf("seconds=%.3f replies=%llu errors=%llu lost=%llu ops=%.1f mean=%.1f p50=%.1f p99=%.1f p999=%.1f max=%.1f",
           result->seconds, (unsigned long long)result->replies, (unsigned long long)result->errors,
           (unsigned long long)result->lost,
           result->seconds > 0 ? (double)(result->replies - result->errors) / result->seconds : 0, mean,
           micros(bench_histogram_quantile(latencies, 500)), micros(bench_histogram_quantile(latencies, 990)),
           micros(bench_histogram_quantile(latencies, 999)), micros(latencies->max));
    if (options->failover)
        printf(" gap_ms=%.1f gap_at_ms=%.1f", result->gap_seconds * 1e3, result->gap_at_seconds * 1e3);
    putchar('\n');
}

static void print_report(const struct bench_options *options, const struct bench_result *result)
{
    const struct bench_histogram *latencies = &result->latencies;
    if (latencies->count > 0) {
        printf("%llu replies in %.2f s: %.0f operations/s\n", (unsigned long long)result->replies, result->seconds,
               (double)(result->replies - result->errors) / result->seconds);
        printf("latency in microseconds: mean %.0f, p50 %.0f, p99 %.0f, p99.9 %.0f, max %.0f\n",
               micros(latencies->sum) / (double)latencies->count, micros(bench_histogram_quantile(latencies, 500)),
               micros(bench_histogram_quantile(latencies, 990)), micros(bench_histogram_quantile(latencies, 999)),
               micros(latencies->max));
    }
    printf("error replies %llu, lost connections %llu%s%s\n", (unsigned long long)result->errors,
           (unsigned long long)result->lost, result->error[0] != '\0' ? "; the first: " : "", result->error);
    if (options->failover)
        printf("longest time without a successful write: %.1f ms, beginning %.3f s after the start\n",
               result->gap_seconds * 1e3, result->gap_at_seconds);
}

int cli_bench(int argc, char **argv)
{
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || (argc == 2 && strcmp(argv[1], "-h") == 0));
    if (help) {
        print_help();
        return CLI_OK;
    }
    struct bench_options options = {
        .host = "127.0.0.1",
        .ports = {7001},
        .port_count = 1,
        .connections = 64,
        .pipeline = 1,
        .seconds = 10,
        .value_size = 100,
        .keys = 100000,
        .seed = 1,
    };
    if (!options_read(argc, argv, &options))
        return CLI_USAGE;
    static struct bench_result result;
    bool measured = options.failover ? bench_failover_run(&options, &result) : bench_load_run(&options, &result);
    if (options.quiet)
        print_line(&options, &result);
    else
        print_report(&options, &result);
    if (!measured)
        fprintf(stderr, "lockstep bench: nothing could be measured: %s\n", result.error);
    return measured ? CLI_OK : CLI_FAILED;
}
