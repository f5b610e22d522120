/* lockstep protocols: one row for each protocol of this build, with what it declares. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "protocol/registry.h"

static void print_help(void)
{
    puts("usage: lockstep protocols [-o table|json]\n"
         "\n"
         "One row for each protocol of this build: the order in which it delivers, whether delivery is atomic and\n"
         "durable, the strongest failure model that it masks, the members it needs to mask k faults, its maturity.\n"
         "\n"
         "  -o, --output FORMAT   table (default) or json");
}

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

static void print_table(void)
{
    const char *format = "%-22s %-10s %-7s %-7s %-8s %-10s %-8s %-11s %s\n";
    printf(format, "PROTOCOL", "QUESTION", "ORDER", "ATOMIC", "DURABLE", "MASKS", "MEMBERS", "MATURITY", "SUMMARY");
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        const struct protocol *protocol = *at;
        printf(format, protocol->name, protocol->question, order_name(protocol->order), yes_no(protocol->atomic),
               yes_no(protocol->durable), failure_model_name(protocol->masks),
               members_for_k_name(protocol->members_for_k), maturity_name(protocol->maturity), protocol->summary);
    }
}

/* A JSON string. The texts are our own literals: quotes and backslashes are all that could hurt. */
static void print_string(const char *name, const char *text)
{
    printf("\"%s\": \"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_json(void)
{
    putchar('[');
    const char *separator = "\n";
    for (const struct protocol *const *at = protocol_registry(); *at != NULL; at++) {
        const struct protocol *protocol = *at;
        printf("%s  {", separator);
        separator = ",\n";
        print_string("name", protocol->name);
        fputs(", ", stdout);
        print_string("question", protocol->question);
        fputs(", ", stdout);
        print_string("order", order_name(protocol->order));
        printf(", \"atomic\": %s, \"durable\": %s, ", protocol->atomic ? "true" : "false",
               protocol->durable ? "true" : "false");
        print_string("masks", failure_model_name(protocol->masks));
        fputs(", ", stdout);
        print_string("members", members_for_k_name(protocol->members_for_k));
        fputs(", ", stdout);
        print_string("maturity", maturity_name(protocol->maturity));
        fputs(", ", stdout);
        print_string("summary", protocol->summary);
        putchar('}');
    }
    puts("\n]");
}

int cli_protocols(int argc, char **argv)
{
    const char *output = "table";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return CLI_OK;
        }
        if ((strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "--output") == 0) && i + 1 < argc) {
            output = argv[++i];
            continue;
        }
        fprintf(stderr, "lockstep protocols: '%s' is not an option of it; see `lockstep help protocols`\n", argv[i]);
        return CLI_USAGE;
    }
    if (strcmp(output, "table") == 0)
        print_table();
    else if (strcmp(output, "json") == 0)
        print_json();
    else {
        fprintf(stderr, "lockstep protocols: the output is table or json, not '%s'\n", output);
        return CLI_USAGE;
    }
    return CLI_OK;
}
