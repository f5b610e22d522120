/* Words of command lines: numbers, lists, endings. */
#ifndef LOCKSTEP_CLI_WORDS_H
#define LOCKSTEP_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number from least to most that is the whole text. */
bool words_whole(const char *text, uint64_t least, uint64_t most, uint64_t *out);
/* Copies the next word of a comma-separated list, cut to size - 1, and moves on. False at the end. */
bool words_next(const char **list, char *word, size_t size);
/* True when the arguments after the program's name contain --help or -h. */
bool words_ask_for_help(int argc, char **argv);
/* True when the path ends so and is longer. */
bool words_end_with(const char *path, const char *ending);

#endif
