/* Real nodes on loopback, several in one process: the loop, the transport and the clients together. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "host/real/clock.h"
#include "host/real/host.h"
#include "host/real/resp_scan.h"
#include "host/real/socket.h"

enum { NODES = 3, TIMEOUT_S = 20, ANSWER_SIZE_MAX = 256 };

struct cluster {
    char root[32];
    int ports[NODES], peer_ports[NODES];
    char peers[128];
    struct real_host *hosts[NODES]; /* NULL: down */
    char log[8192]; /* all lines of all nodes */
};

static void on_log(void *context, enum report_level level, const char *sentence)
{
    struct cluster *cluster = context;
    size_t used = strlen(cluster->log);
    snprintf(cluster->log + used, sizeof cluster->log - used, "%s %s\n", report_level_name(level), sentence);
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct socket_address address;
    char why[128];
    assert_int_equal(socket_address_parse("127.0.0.1:0", &address, why, sizeof why), OK);
    int fd = socket_listen(&address);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address.storage, &address.size), 0);
    close(fd);
    return socket_address_port(&address);
}

static int try_start(struct cluster *cluster, int place, const char *cluster_name, bool init, char *why, size_t size)
{
    char listen[32], peer_listen[32], data[64];
    struct host_options options;
    host_options_default(&options);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", cluster->ports[place]);
    snprintf(peer_listen, sizeof peer_listen, "127.0.0.1:%d", cluster->peer_ports[place]);
    snprintf(data, sizeof data, "%s/%d", cluster->root, place + 1);
    options.id = (uint32_t)place + 1;
    options.listen = listen;
    options.peer_listen = peer_listen;
    options.peers = cluster->peers;
    options.data = data;
    options.cluster_name = cluster_name;
    options.init = init;
    options.segment_bytes = 4 << 20;
    options.log = on_log;
    options.log_context = cluster;
    return real_host_create(&cluster->hosts[place], &options, why, size);
}

static void start(struct cluster *cluster, int place, bool init)
{
    char why[1024] = "";
    if (try_start(cluster, place, "test", init, why, sizeof why) != OK)
        fail_msg("%s", why);
}

static void stop(struct cluster *cluster, int place)
{
    if (cluster->hosts[place] == NULL)
        return;
    real_host_destroy(cluster->hosts[place]);
    cluster->hosts[place] = NULL;
}

static int setup(void **state)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    strcpy(cluster->root, "host-test-XXXXXX");
    assert_non_null(mkdtemp(cluster->root));
    size_t used = 0;
    for (int i = 0; i < NODES; i++) {
        cluster->ports[i] = free_port();
        cluster->peer_ports[i] = free_port();
        used += (size_t)snprintf(cluster->peers + used, sizeof cluster->peers - used, "%s%d=%s:%d",
                                 i > 0 ? "," : "", i + 1, i == 1 ? "localhost" : "127.0.0.1", cluster->peer_ports[i]);
    }
    *state = cluster;
    return 0;
}

static int teardown(void **state)
{
    struct cluster *cluster = *state;
    char command[64];
    for (int i = 0; i < NODES; i++)
        stop(cluster, i);
    snprintf(command, sizeof command, "rm -rf ./%s", cluster->root);
    int result = system(command);
    free(cluster);
    return result;
}

static void run_all(struct cluster *cluster)
{
    for (int i = 0; i < NODES; i++)
        if (cluster->hosts[i] != NULL)
            assert_true(real_host_run_once(cluster->hosts[i], 1));
}

static int dial(int port)
{
    struct socket_address address;
    char text[32], why[128];
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    assert_int_equal(socket_address_parse(text, &address, why, sizeof why), OK);
    int fd = socket_dial(&address);
    assert_true(fd >= 0);
    return fd;
}

/* Runs the nodes until a whole answer is there; false when the connection was closed instead. */
static bool receive(struct cluster *cluster, int fd, char answer[ANSWER_SIZE_MAX])
{
    size_t size = 0;
    int64_t end_ns = clock_monotone_ns() + TIMEOUT_S * NS_PER_S;
    while (resp_scan(span_of(answer, size)) <= 0) {
        run_all(cluster);
        ssize_t count = recv(fd, answer + size, ANSWER_SIZE_MAX - 1 - size, MSG_DONTWAIT);
        if (count == 0)
            return false;
        if (count > 0)
            size += (size_t)count;
        assert_true(clock_monotone_ns() < end_ns);
    }
    answer[size] = '\0';
    return true;
}

static void ask(struct cluster *cluster, int place, const char *command, char answer[ANSWER_SIZE_MAX])
{
    int fd = dial(cluster->ports[place]);
    run_all(cluster);
    assert_int_equal(send(fd, command, strlen(command), MSG_NOSIGNAL), (ssize_t)strlen(command));
    assert_true(receive(cluster, fd, answer));
    close(fd);
}

/* Asks until the answer is the expected one: at first nobody leads. */
static void expect(struct cluster *cluster, int place, const char *command, const char *expected)
{
    char answer[ANSWER_SIZE_MAX] = "";
    int64_t end_ns = clock_monotone_ns() + TIMEOUT_S * NS_PER_S;
    do {
        ask(cluster, place, command, answer);
        if (strcmp(answer, expected) == 0)
            return;
    } while (clock_monotone_ns() < end_ns);
    fail_msg("%s was answered by %s, not %s", command, answer, expected);
}

static void what_one_node_took_every_node_has(void **state)
{
    struct cluster *cluster = *state;
    for (int i = 0; i < NODES; i++)
        start(cluster, i, true);
    expect(cluster, 0, "SET a 1\r\n", "+OK\r\n");
    for (int i = 0; i < NODES; i++)
        expect(cluster, i, "GET a\r\n", "$1\r\n1\r\n");
}

static void a_node_that_was_away_catches_up(void **state)
{
    struct cluster *cluster = *state;
    for (int i = 0; i < NODES; i++)
        start(cluster, i, true);
    expect(cluster, 0, "SET a 1\r\n", "+OK\r\n");
    for (int away = 0; away < NODES; away++) {
        stop(cluster, away);
        expect(cluster, (away + 1) % NODES, "SET a 2\r\n", "+OK\r\n");
        expect(cluster, (away + 2) % NODES, "GET a\r\n", "$1\r\n2\r\n");
        start(cluster, away, false);
        expect(cluster, away, "GET a\r\n", "$1\r\n2\r\n");
        expect(cluster, away, "SET a 1\r\n", "+OK\r\n");
    }
    assert_non_null(strstr(cluster->log, "lost the connection with node"));
}

static void run_until_logged(struct cluster *cluster, const char *sentence)
{
    int64_t end_ns = clock_monotone_ns() + TIMEOUT_S * NS_PER_S;
    while (strstr(cluster->log, sentence) == NULL) {
        run_all(cluster);
        if (clock_monotone_ns() > end_ns)
            fail_msg("nobody said '%s' in:\n%s", sentence, cluster->log);
    }
}

static void a_node_of_another_cluster_is_refused(void **state)
{
    struct cluster *cluster = *state;
    char why[1024] = "";
    start(cluster, 0, true);
    start(cluster, 1, true);
    assert_int_equal(try_start(cluster, 2, "other", true, why, sizeof why), OK);
    run_until_logged(cluster, "refused the connection");
    expect(cluster, 0, "SET a 1\r\n", "+OK\r\n");
}

/* Garbage, silence and a client's bytes on the peers' port cost one connection and disturb nobody. */
static void strangers_on_the_peers_port_are_disconnected(void **state)
{
    struct cluster *cluster = *state;
    static const char garbage[512] = "PING\r\nGET / HTTP/1.1\r\n\r\n";
    char answer[ANSWER_SIZE_MAX];
    for (int i = 0; i < NODES; i++)
        start(cluster, i, true);
    expect(cluster, 0, "SET a 1\r\n", "+OK\r\n");
    for (int i = 0; i < NODES; i++) {
        int fd = dial(cluster->peer_ports[i]);
        run_all(cluster);
        assert_int_equal(send(fd, garbage, sizeof garbage, MSG_NOSIGNAL), sizeof garbage);
        char byte;
        ssize_t count = 1;
        int64_t end_ns = clock_monotone_ns() + TIMEOUT_S * NS_PER_S;
        while (count > 0 || (count < 0 && errno == EAGAIN)) {
            run_all(cluster);
            count = recv(fd, &byte, 1, MSG_DONTWAIT); /* the node greets us too */
            assert_true(clock_monotone_ns() < end_ns);
        }
        close(fd);
    }
    ask(cluster, 0, "GET a\r\n", answer);
    assert_string_equal(answer, "$1\r\n1\r\n");
}

static void a_data_directory_belongs_to_one_node(void **state)
{
    struct cluster *cluster = *state;
    char why[1024] = "";
    start(cluster, 0, true);
    stop(cluster, 0);
    assert_true(try_start(cluster, 0, "other", false, why, sizeof why) < 0);
    assert_true(strlen(why) > 20);
}

static void a_port_in_use_is_named(void **state)
{
    struct cluster *cluster = *state;
    char why[1024] = "", port[16];
    start(cluster, 0, true);
    cluster->ports[1] = cluster->ports[0];
    assert_int_equal(try_start(cluster, 1, "test", true, why, sizeof why), ERROR_BUSY);
    snprintf(port, sizeof port, "port %d", cluster->ports[0]);
    assert_non_null(strstr(why, port));
    assert_non_null(strstr(why, "--listen"));
}

static void addresses_for_everybody_are_refused(void **state)
{
    struct cluster *cluster = *state;
    char why[1024] = "";
    struct host_options options;
    struct real_host *host = NULL;
    host_options_default(&options);
    options.data = cluster->root;
    options.listen = "0.0.0.0:7999";
    options.log = on_log;
    options.log_context = cluster;
    assert_int_equal(real_host_create(&host, &options, why, sizeof why), ERROR_PERMISSION);
    assert_non_null(strstr(why, "--protected-mode no"));
}

/* Many commands in one go, more than fit into the shared buffer, on a connection that reads late. */
static void a_long_pipeline_is_answered_in_order(void **state)
{
    struct cluster *cluster = *state;
    enum { COUNT = 20000 };
    for (int i = 0; i < NODES; i++)
        start(cluster, i, true);
    expect(cluster, 0, "SET a 1\r\n", "+OK\r\n");
    int fd = dial(cluster->ports[1]);
    run_all(cluster);
    size_t sent = 0, seen = 0, size = 0;
    char answers[8192], expected[32];
    static const char command[] = "INCR counter\r\n";
    int64_t end_ns = clock_monotone_ns() + TIMEOUT_S * NS_PER_S;
    while (seen < COUNT) {
        char batch[16 * sizeof command];
        size_t at = 0;
        while (at + sizeof command < sizeof batch) {
            memcpy(batch + at, command, sizeof command - 1);
            at += sizeof command - 1;
        }
        size_t total = (size_t)COUNT * (sizeof command - 1);
        /* Part of a command at a time: `sent` counts bytes of the endless repetition. */
        size_t offset = sent % (sizeof command - 1);
        size_t rest = total - sent < at - offset ? total - sent : at - offset;
        ssize_t count = rest > 0 ? send(fd, batch + offset, rest, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        sent += count > 0 ? (size_t)count : 0;
        if (sent % 1000 < 200)
            run_all(cluster);
        count = recv(fd, answers + size, sizeof answers - size, MSG_DONTWAIT);
        size += count > 0 ? (size_t)count : 0;
        size_t taken = 0;
        for (int64_t next = resp_scan(span_of(answers, size)); next > 0;
             next = resp_scan(span_of(answers + taken, size - taken))) {
            int length = snprintf(expected, sizeof expected, ":%zu\r\n", ++seen);
            assert_int_equal(next, length);
            assert_memory_equal(answers + taken, expected, (size_t)length);
            taken += (size_t)next;
        }
        memmove(answers, answers + taken, size - taken);
        size -= taken;
        assert_true(clock_monotone_ns() < end_ns);
    }
    close(fd);
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(what_one_node_took_every_node_has),
        HOST_TEST(a_node_that_was_away_catches_up),
        HOST_TEST(a_node_of_another_cluster_is_refused),
        HOST_TEST(strangers_on_the_peers_port_are_disconnected),
        HOST_TEST(a_data_directory_belongs_to_one_node),
        HOST_TEST(a_port_in_use_is_named),
        HOST_TEST(addresses_for_everybody_are_refused),
        HOST_TEST(a_long_pipeline_is_answered_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
