/* Options from flags, environment and file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The program's files are no library, so the test is built from the file itself. */
#include "cli/config.c"
#include "cli/config_option.c"

#include <unistd.h>

static char why[1024];

enum { ARGUMENTS_MAX = 8 };

static int read_flags(struct config **config, const char *a, const char *b, const char *c, const char *d)
{
    char texts[ARGUMENTS_MAX][128];
    char *argv[ARGUMENTS_MAX + 1] = {NULL};
    const char *given[] = {"server", a, b, c, d};
    int argc = 0;
    for (size_t i = 0; i < 5 && given[i] != NULL; i++) {
        snprintf(texts[argc], sizeof texts[argc], "%s", given[i]);
        argv[argc] = texts[argc];
        argc++;
    }
    why[0] = '\0';
    return config_read(config, CONFIG_SERVER, argc, argv, why, sizeof why);
}

static void expect_refusal(const char *a, const char *b, const char *named)
{
    struct config *config;
    assert_int_equal(read_flags(&config, a, b, NULL, NULL), ERROR_INVALID);
    if (strstr(why, named) == NULL)
        fail_msg("'%s' does not name %s", why, named);
}

static void defaults_are_those_of_production(void **state)
{
    (void)state;
    struct config *config;
    struct host_options defaults;
    host_options_default(&defaults);
    assert_int_equal(read_flags(&config, NULL, NULL, NULL, NULL), OK);
    const struct host_options *host = config_host_options(config);
    assert_int_equal(host->heartbeat_ns, defaults.heartbeat_ns);
    assert_string_equal(host->listen, "127.0.0.1:7001");
    assert_true(host->protected_mode);
    assert_false(host->init);
    config_free(config);
}

static void units_are_read(void **state)
{
    (void)state;
    struct config *config;
    assert_int_equal(read_flags(&config, "--disk-slow=800us", "--segment-size=64mb", "--init", "--maxmemory=5k"), OK);
    const struct host_options *host = config_host_options(config);
    assert_int_equal(host->disk_slow_ns, 800 * NS_PER_US);
    assert_true(host->init);
    assert_int_equal(host->segment_bytes, 64 << 20);
    assert_int_equal(host->memory_bytes_max, 5000);
    config_free(config);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    expect_refusal("--heartbet", "5ms", "--heartbet");
    expect_refusal("--heartbeat", "fast", "'fast'");
    expect_refusal("--heartbeat", "5 parsecs", "50ms");
    expect_refusal("--heartbeat", NULL, "50ms");
    expect_refusal("--heartbeat", "2m", "2m");
    expect_refusal("--id", "0", "from 1 to");
    expect_refusal("--id", "99999999999999999999", "a number");
    expect_refusal("--segment-size", "99999999999gb", "a size");
    expect_refusal("--protected-mode=maybe", NULL, "yes or no");
    expect_refusal("data", NULL, "'data'");
    expect_refusal("--config", "absent.conf", "absent.conf");
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void flags_win_over_environment_and_that_over_the_file(void **state)
{
    (void)state;
    char path[] = "config-test-XXXXXX";
    close(mkstemp(path));
    write_file(path, "# a comment\n\n  maxclients 10\ndata \"/from the/file\"\nid 3\r\nheartbeat 20ms\n");
    setenv("LOCKSTEP_ID", "4", 1);
    setenv("LOCKSTEP_MAXCLIENTS", "20", 1);
    struct config *config;
    assert_int_equal(read_flags(&config, "--maxclients", "30", "--config", path), OK);
    const struct host_options *host = config_host_options(config);
    assert_int_equal(host->clients_max, 30);
    assert_int_equal(host->id, 4);
    assert_string_equal(host->data, "/from the/file");
    assert_int_equal(host->heartbeat_ns, 20 * NS_PER_MS);
    assert_string_equal(host->config_file, path);
    config_free(config);
    setenv("LOCKSTEP_ID", "four", 1);
    expect_refusal("--init", NULL, "LOCKSTEP_ID");
    unsetenv("LOCKSTEP_ID");
    unsetenv("LOCKSTEP_MAXCLIENTS");
    unlink(path);
}

static void a_line_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    char path[] = "config-test-XXXXXX", line[64];
    close(mkstemp(path));
    write_file(path, "id 1\n\ncolour blue\n");
    snprintf(line, sizeof line, "%s:3: there is no option 'colour'", path);
    expect_refusal("--config", path, line);
    write_file(path, "id\n");
    snprintf(line, sizeof line, "%s:1: id expects a number", path);
    expect_refusal("--config", path, line);
    unlink(path);
}

/* What is for the other command is refused where it was said to this one, and ignored where it was said to all. */
static void each_command_takes_its_own_options(void **state)
{
    (void)state;
    struct config *config;
    char name[] = "gateway", vote[] = "--vote=3", init[] = "--init";
    char *right[] = {name, vote, NULL}, *wrong[] = {name, init, NULL};
    expect_refusal("--vote", "3", "`lockstep gateway`");
    assert_int_equal(config_read(&config, CONFIG_GATEWAY, 2, wrong, why, sizeof why), ERROR_INVALID);
    assert_non_null(strstr(why, "--init is an option of `lockstep server`"));
    setenv("LOCKSTEP_INIT", "yes", 1);
    assert_int_equal(config_read(&config, CONFIG_GATEWAY, 2, right, why, sizeof why), OK);
    const struct host_options *host = config_host_options(config);
    assert_true(host->gateway && host->vote == 3 && !host->init);
    for (uint32_t i = 0; i < host->parameter_count; i++)
        assert_string_not_equal(host->parameters[i].name, "init");
    config_free(config);
    unsetenv("LOCKSTEP_INIT");
}

/* CONFIG GET shows what --heartbeat takes. */
static void values_are_printed_as_they_are_read(void **state)
{
    (void)state;
    struct config *config;
    assert_int_equal(read_flags(&config, "--heartbeat=15ms", "--maxclients=7", "--disk-slow=3s", "--init"), OK);
    static const struct {
        const char *name, *value;
    } expected_values[] = {{"heartbeat", "15ms"}, {"maxclients", "7"}, {"disk-slow", "3s"}, {"init", "yes"},
                           {"data", ""}};
    const struct host_options *host = config_host_options(config);
    for (size_t i = 0; i < 5; i++) {
        for (uint32_t j = 0; j < host->parameter_count; j++) {
            const struct front_parameter *parameter = &host->parameters[j];
            char text[64];
            if (strcmp(parameter->name, expected_values[i].name) != 0)
                continue;
            size_t size = parameter->get(parameter->context, parameter->name, text, sizeof text);
            assert_int_equal(size, strlen(expected_values[i].value));
            assert_memory_equal(text, expected_values[i].value, size);
        }
    }
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_production),
        cmocka_unit_test(units_are_read),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(flags_win_over_environment_and_that_over_the_file),
        cmocka_unit_test(a_line_that_cannot_be_read_is_named),
        cmocka_unit_test(each_command_takes_its_own_options),
        cmocka_unit_test(values_are_printed_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
