#include "cli/scenario_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool is_directory(const char *path)
{
    DIR *directory = opendir(path);
    if (directory != NULL)
        closedir(directory);
    return directory != NULL;
}

bool scenario_folder(char out[SCENARIO_PATH_SIZE])
{
    static const char *const places[] = {"scenarios", "../share/lockstep/scenarios"};
    char program[SCENARIO_PATH_SIZE - 64];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    if (size <= 0)
        return false;
    program[size] = '\0';
    char *slash = strrchr(program, '/');
    if (slash == NULL)
        return false;
    slash[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        snprintf(out, SCENARIO_PATH_SIZE, "%s%s", program, places[i]);
        if (is_directory(out))
            return true;
    }
    return false;
}

bool scenario_named(const char *prefix, char out[SCENARIO_NAME_SIZE])
{
    char folder[SCENARIO_PATH_SIZE];
    DIR *directory = scenario_folder(folder) ? opendir(folder) : NULL;
    bool found = false;
    if (directory == NULL)
        return false;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 4 || strcmp(entry->d_name + length - 4, ".lua") != 0 ||
            strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        entry->d_name[length - 4] = '\0';
        if (!found || strcmp(entry->d_name, out) < 0)
            snprintf(out, SCENARIO_NAME_SIZE, "%s", entry->d_name);
        found = true;
    }
    closedir(directory);
    return found;
}
