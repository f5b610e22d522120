/* The options of a node, or of a gateway, from everywhere (config.h). */
#include "cli/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/config_option.h"

enum {
    VALUE_SIZE_MAX = 4096,
    LINE_SIZE_MAX = 8192,
};

struct config {
    struct host_options host;
    enum config_role role;
    char *texts[CONFIG_OPTIONS_MAX]; /* of OPTION_TEXTs, by the option's place */
    char *file;
    struct front_parameter parameters[CONFIG_OPTIONS_MAX];
};

static const char *role_name(enum config_role role)
{
    return role == CONFIG_GATEWAY ? "gateway" : "server";
}

/* The option, if this command takes it; else NULL and a sentence. */
static const struct option_entry *option_taken(const struct config *config, const char *name, size_t size,
                                               const char *before, char *why, size_t why_size)
{
    const struct option_entry *option = option_find(name, size);
    const char *command = role_name(config->role);
    if (option == NULL) {
        const char *quote = before[0] == '\0' ? "'" : ""; /* a word of a file may be anything */
        snprintf(why, why_size, "there is no option %s%s%.*s%s; `lockstep help %s` lists them", quote, before,
                 (int)(size < 100 ? size : 100), name, quote, command);
    } else if ((option->roles & (uint32_t)config->role) == 0) {
        snprintf(why, why_size, "%s%s is an option of `lockstep %s`; `lockstep %s` does not take it", before,
                 option->name, role_name(config->role == CONFIG_SERVER ? CONFIG_GATEWAY : CONFIG_SERVER), command);
        return NULL;
    }
    return option;
}

static int value_set(struct config *config, const struct option_entry *option, const char *value, char *why,
                     size_t why_size)
{
    if (option->kind != OPTION_TEXT)
        return option_set(&config->host, option, value, why, why_size);
    char *copy = strdup(value);
    if (copy == NULL)
        return ERROR_NO_MEMORY;
    size_t place = (size_t)(option - config_options);
    free(config->texts[place]);
    config->texts[place] = copy;
    return option_set(&config->host, option, copy, why, why_size);
}

/* ---- the file ---- */

/* Cuts spaces at both ends, and one pair of quotes around the whole. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    if (size >= 2 && text[0] == '"' && text[size - 1] == '"') {
        text++;
        size -= 2;
    }
    text[size] = '\0';
    return text;
}

static int line_read(struct config *config, char *line, char *why, size_t why_size)
{
    char *text = trim(line);
    if (text[0] == '\0' || text[0] == '#')
        return OK;
    size_t name_size = strcspn(text, " \t");
    const struct option_entry *option = option_taken(config, text, name_size, "", why, why_size);
    if (option == NULL)
        return ERROR_INVALID;
    char *value = trim(text + name_size);
    if (value[0] == '\0') {
        snprintf(why, why_size, "%s expects %s after its name", option->name, option_expected(option->kind));
        return ERROR_INVALID;
    }
    return value_set(config, option, value, why, why_size);
}

static int file_read(struct config *config, const char *path, char *why, size_t why_size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        snprintf(why, why_size, "cannot read the configuration file %s: %s", path, strerror(errno));
        return ERROR_INVALID;
    }
    char line[LINE_SIZE_MAX], sentence[512];
    int status = OK;
    for (unsigned number = 1; status == OK && fgets(line, sizeof line, file) != NULL; number++) {
        status = line_read(config, line, sentence, sizeof sentence);
        if (status != OK)
            snprintf(why, why_size, "%s:%u: %s", path, number, sentence);
    }
    fclose(file);
    config->file = status == OK ? strdup(path) : NULL;
    config->host.config_file = config->file;
    return status;
}

/* ---- environment and flags ---- */

/* "peer-listen" is LOCKSTEP_PEER_LISTEN. */
static const char *environment_value(const char *name, char variable[64])
{
    int size = snprintf(variable, 64, "LOCKSTEP_%s", name);
    for (int i = 0; i < size && i < 63; i++)
        variable[i] = variable[i] == '-' ? '_' : (char)toupper((unsigned char)variable[i]);
    return getenv(variable);
}

static int environment_read(struct config *config, char *why, size_t why_size)
{
    for (size_t i = 0; i < config_option_count; i++) {
        char variable[64], sentence[512];
        const char *value = environment_value(config_options[i].name, variable);
        /* The environment is for all processes of a machine, so what is not for this one is not looked at. */
        if (value == NULL || (config_options[i].roles & (uint32_t)config->role) == 0)
            continue;
        int status = value_set(config, &config_options[i], value, sentence, sizeof sentence);
        if (status != OK) {
            snprintf(why, why_size, "environment variable %s: %s", variable, sentence);
            return status;
        }
    }
    return OK;
}

/* One flag of the command line, taken apart. */
struct flag {
    const char *name;
    size_t name_size;
    const char *value; /* NULL: there is none */
    int next;          /* place of the argument after it */
};

static bool is_yes_no(const char *text)
{
    return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static bool flag_read(int argc, char *const *argv, int at, struct flag *out)
{
    const char *text = argv[at];
    if (text[0] != '-' || text[1] != '-' || text[2] == '\0')
        return false;
    const char *equals = strchr(text, '=');
    *out = (struct flag){.name = text + 2, .name_size = strcspn(text + 2, "="), .next = at + 1};
    if (equals != NULL) {
        out->value = equals + 1;
        return true;
    }
    const struct option_entry *option = option_find(out->name, out->name_size);
    const char *following = at + 1 < argc ? argv[at + 1] : NULL;
    bool switches = option != NULL && option->kind == OPTION_YES_NO;
    if (switches && (following == NULL || !is_yes_no(following))) {
        out->value = "yes"; /* --init alone */
        return true;
    }
    out->value = following;
    out->next = at + 2;
    return true;
}

static bool flag_is(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->name_size && memcmp(name, flag->name, flag->name_size) == 0;
}

static int flag_set(struct config *config, const struct flag *flag, char *why, size_t why_size)
{
    const struct option_entry *option = option_taken(config, flag->name, flag->name_size, "--", why, why_size);
    if (option == NULL)
        return ERROR_INVALID;
    if (flag->value == NULL) {
        snprintf(why, why_size, "--%s expects %s after it", option->name, option_expected(option->kind));
        return ERROR_INVALID;
    }
    char sentence[512];
    int status = value_set(config, option, flag->value, sentence, sizeof sentence);
    if (status != OK)
        snprintf(why, why_size, "--%s", sentence);
    return status;
}

static int flags_read(struct config *config, int argc, char *const *argv, char *why, size_t why_size)
{
    int status = OK;
    struct flag flag;
    for (int at = 1; at < argc && status == OK; at = flag.next) {
        if (!flag_read(argc, argv, at, &flag)) {
            snprintf(why, why_size, "'%s' is no option: they begin with --", argv[at]);
            return ERROR_INVALID;
        }
        if (flag_is(&flag, "config")) /* read before all others */
            continue;
        status = flag_set(config, &flag, why, why_size);
    }
    return status;
}

/* The file's name must be known before everything else, because the flags are to win over it. */
static int config_path(int argc, char *const *argv, const char **path, char *why, size_t why_size)
{
    *path = getenv("LOCKSTEP_CONFIG");
    struct flag flag;
    for (int at = 1; at < argc && flag_read(argc, argv, at, &flag); at = flag.next) {
        if (!flag_is(&flag, "config"))
            continue;
        if (flag.value == NULL) {
            snprintf(why, why_size, "--config expects the path of a file after it");
            return ERROR_INVALID;
        }
        *path = flag.value;
    }
    return OK;
}

/* ---- all of it ---- */

static size_t parameter_get(void *context, const char *name, char *out, size_t size)
{
    const struct config *config = context;
    const struct option_entry *option = option_find(name, strlen(name));
    if (option == NULL || size == 0)
        return 0;
    size_t length = option_print(&config->host, option, out, size);
    return length < size ? length : size - 1;
}

int config_read(struct config **out, enum config_role role, int argc, char *const *argv, char *why, size_t why_size)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL)
        return ERROR_NO_MEMORY;
    config->role = role;
    host_options_default(&config->host);
    config->host.listen = "127.0.0.1:7001";
    config->host.gateway = role == CONFIG_GATEWAY;
    const char *path;
    int status = config_path(argc, argv, &path, why, why_size);
    if (status == OK && path != NULL)
        status = file_read(config, path, why, why_size);
    if (status == OK)
        status = environment_read(config, why, why_size);
    if (status == OK)
        status = flags_read(config, argc, argv, why, why_size);
    if (status != OK) {
        config_free(config);
        return status;
    }
    uint32_t taken = 0;
    for (size_t i = 0; i < config_option_count; i++)
        if ((config_options[i].roles & (uint32_t)role) != 0)
            config->parameters[taken++] =
                (struct front_parameter){.name = config_options[i].name, .context = config, .get = parameter_get};
    config->host.parameters = config->parameters;
    config->host.parameter_count = taken;
    *out = config;
    return OK;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config_option_count; i++)
        free(config->texts[i]);
    free(config->file);
    free(config);
}

const struct host_options *config_host_options(const struct config *config)
{
    return &config->host;
}

void config_print_help(enum config_role role, FILE *out)
{
    struct host_options defaults;
    host_options_default(&defaults);
    defaults.listen = "127.0.0.1:7001";
    for (size_t i = 0; i < config_option_count; i++) {
        char value[VALUE_SIZE_MAX];
        if ((config_options[i].roles & (uint32_t)role) == 0)
            continue;
        option_print(&defaults, &config_options[i], value, sizeof value);
        fprintf(out, "  --%-18s %s", config_options[i].name, config_options[i].help);
        if (value[0] != '\0')
            fprintf(out, " (%s)", value);
        fputc('\n', out);
    }
    fprintf(out, "  --%-18s %s\n", "config", "file with these options, one `name value` a line");
}
