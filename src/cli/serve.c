/* A node or a gateway in the foreground (serve.h). */
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/build.h"
#include "cli/cli.h"
#include "cli/serve.h"
#include "host/real/host.h"

enum { DESCRIPTORS_OWN = 256 };

/* Tells systemd (Type=notify), where it is the one that started us; see sd_notify(3). */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (path == NULL || strlen(path) < 2 || strlen(path) >= sizeof address.sun_path)
        return;
    size_t size = strlen(path);
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') /* a name that is no file begins with a zero */
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    /* Nobody else is to be told when this fails: systemd then says that the start timed out. */
    (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, address_size);
    close(fd);
}

/* Each client takes a descriptor; the files of the log and the peers take a few more. */
static void raise_descriptor_limit(const char *command, uint32_t clients_max)
{
    const rlim_t wanted = (rlim_t)clients_max + DESCRIPTORS_OWN;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    rlim_t allowed = limit.rlim_max;
    limit.rlim_cur = wanted < allowed ? wanted : allowed;
    bool raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
    if (!raised || allowed < wanted)
        fprintf(stderr,
                "lockstep %s: warning: %llu file descriptors are allowed, and --maxclients %u may need %llu; raise "
                "the limit (ulimit -n, or LimitNOFILE= of systemd) or lower --maxclients\n",
                command, (unsigned long long)allowed, clients_max, (unsigned long long)wanted);
}

static int run(const char *command, const struct config *config)
{
    char why[1024] = "";
    struct real_host *host;
    struct host_options options = *config_host_options(config);
    options.build = cli_build();
    int status = real_host_create(&host, &options, why, sizeof why);
    if (status != OK) {
        fprintf(stderr, "lockstep %s: %s\n", command, why[0] != '\0' ? why : error_text(status));
        return CLI_FAILED;
    }
    if (real_host_handle_signals(host) != 0)
        fprintf(stderr, "lockstep %s: warning: SIGTERM cannot be handled, so it will end the node at once\n", command);
    notify("READY=1");
    int result = real_host_run(host);
    notify("STOPPING=1");
    real_host_destroy(host);
    return result == 0 ? CLI_OK : CLI_FAILED;
}

int serve(enum config_role role, int argc, char **argv)
{
    const char *command = argv[0];
    struct config *config;
    char why[1024];
    int status = config_read(&config, role, argc, argv, why, sizeof why);
    if (status != OK) {
        fprintf(stderr, "lockstep %s: %s\n", command, why);
        return CLI_USAGE;
    }
    /* A client or a reader of the log that goes away is an error of one write, not the end of the node. */
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit(command, config_host_options(config)->clients_max);
    int result = run(command, config);
    config_free(config);
    return result;
}

bool serve_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}
