/* The commands that the front answers by itself, in shapes and texts that clients of Redis read. */
#include "front/front.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/time.h"
#include "front/test_client.h"

struct fixture {
    struct fake_world w;
    struct connection *c;
};

static struct fixture begin(void)
{
    struct fixture f = {.w = fake_world_create(NULL)};
    f.c = client_connect(&f.w);
    return f;
}

static void end(struct fixture *f)
{
    assert_int_equal(fake_world_destroy(&f->w), 0);
}

#define ASK(text, answer) client_ask(&f.w, f.c, text "\r\n", answer)
#define HAS(text, part) assert_has(client_answer(&f.w, f.c, text "\r\n"), part)

static void test_connection(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("PING hello", "$5\r\nhello\r\n");
    ASK("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    ASK("ECHO a", "$1\r\na\r\n");
    ASK("SELECT 0", "+OK\r\n");
    ASK("SELECT 1", "-ERR DB index is out of range\r\n");
    ASK("SELECT x", "-ERR value is not an integer or out of range\r\n");
    ASK("AUTH secret", "-ERR AUTH <password> called without any password configured for the default user. Are you "
                       "sure your configuration is correct?\r\n");
    ASK("AUTH default secret", "+OK\r\n");
    ASK("AUTH somebody secret", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ASK("AUTH a b c", "-ERR syntax error\r\n");
    end(&f);
}

static void test_hello(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    ASK("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    ASK("HELLO 3 AUTH somebody p", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ASK("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n");
    ASK("HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    ASK("HELLO 3 SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    ASK("GET none", "$-1\r\n"); /* none of these changed the protocol */
    ASK("HELLO 3 AUTH default secret SETNAME me",
        "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n"
        "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n");
    ASK("GET none", "_\r\n");
    ASK("CLIENT GETNAME", "$2\r\nme\r\n");
    HAS("HELLO", "proto\r\n:3\r\n");
    HAS("HELLO 2", "*14\r\n");
    ASK("GET none", "$-1\r\n");
    f.w.node->follower = true;
    HAS("HELLO", "$7\r\nreplica\r\n");
    end(&f);
}

static void test_reset(void **state)
{
    (void)state;
    struct fixture f = begin();
    HAS("HELLO 3 SETNAME me", "proto");
    ASK("READONLY", "+OK\r\n");
    ASK("MULTI", "+OK\r\n");
    ASK("RESET", "+RESET\r\n");
    ASK("CLIENT GETNAME", "$-1\r\n");
    ASK("EXEC", "-ERR EXEC without MULTI\r\n");
    ASK("GET a", "$-1\r\n");
    assert_int_equal(f.w.node->executed_local, 0);
    end(&f);
}

static void test_client(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("CLIENT ID", ":1\r\n");
    ASK("CLIENT GETNAME", "$-1\r\n");
    ASK("CLIENT SETNAME worker", "+OK\r\n");
    ASK("CLIENT SETNAME \"a b\"", "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    ASK("CLIENT GETNAME", "$6\r\nworker\r\n");
    ASK("CLIENT SETINFO LIB-NAME redis-py", "+OK\r\n");
    ASK("CLIENT SETINFO lib-ver 8.0", "+OK\r\n");
    ASK("CLIENT SETINFO LIB-NAME \"a b\"", "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
    ASK("CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'\r\n");
    HAS("CLIENT INFO", "id=1 addr=127.0.0.1:50000 laddr=127.0.0.1:7001 fd=0 name=worker age=0 idle=0 flags=N db=0");
    HAS("CLIENT INFO", "cmd=client|info user=default redir=-1 resp=2 lib-name=redis-py lib-ver=8.0\n");
    ASK("CLIENT NO-EVICT on", "+OK\r\n");
    ASK("CLIENT NO-EVICT maybe", "-ERR syntax error\r\n");
    ASK("CLIENT MAINT_NOTIFICATIONS on", "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
    ASK("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
    ASK("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n");
    ASK("CLIENT SETNAME", "-ERR wrong number of arguments for 'client|setname' command\r\n");
    HAS("CLIENT HELP", "SETNAME <name>");
    assert_false(connection_closing(f.c));
    end(&f);
}

static void test_client_list(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct connection *gone = client_connect(&f.w);
    client_connect(&f.w);
    front_disconnected(f.w.front, gone);
    const char *answer = client_answer(&f.w, f.c, "CLIENT LIST\r\n");
    assert_has(answer, "id=1 ");
    assert_null(strstr(answer, "id=2 "));
    assert_has(answer, "id=3 ");
    answer = client_answer(&f.w, f.c, "CLIENT LIST ID 3 9\r\n");
    assert_null(strstr(answer, "id=1 "));
    assert_has(answer, "id=3 ");
    HAS("CLIENT LIST TYPE normal", "id=1 ");
    ASK("CLIENT LIST TYPE pubsub", "$0\r\n\r\n");
    ASK("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    ASK("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    ASK("CLIENT LIST foo", "-ERR syntax error\r\n");
    HAS("HELLO 3", "proto");
    HAS("CLIENT LIST ID 3", "\r\ntxt:id=3 ");
    end(&f);
}

static void test_client_kill(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct connection *other = front_accept(f.w.front, "10.0.0.9:1", "l", NULL);
    ASK("CLIENT KILL 1.2.3.4:5", "-ERR No such client\r\n");
    ASK("CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
    ASK("CLIENT KILL ID 99", ":0\r\n");
    ASK("CLIENT KILL ID", "-ERR No such client\r\n"); /* the old form: an address */
    ASK("CLIENT KILL FOO bar", "-ERR syntax error\r\n");
    ASK("CLIENT KILL ID 2 ADDR", "-ERR syntax error\r\n");
    ASK("CLIENT KILL TYPE pubsub", ":0\r\n");
    ASK("CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n");
    ASK("CLIENT KILL LADDR nowhere", ":0\r\n");
    ASK("CLIENT KILL MAXAGE 1000", ":0\r\n");
    assert_false(connection_closing(other));
    ASK("CLIENT KILL 10.0.0.9:1", "+OK\r\n");
    assert_true(connection_closing(other));
    front_disconnected(f.w.front, other);
    client_connect(&f.w);
    client_connect(&f.w);
    ASK("CLIENT KILL TYPE normal", ":2\r\n"); /* not the own one */
    assert_false(connection_closing(f.c));
    ASK("CLIENT KILL ID 1 SKIPME yes", ":0\r\n");
    client_send(&f.w, f.c, "CLIENT KILL ID 1 SKIPME no\r\nPING\r\n");
    client_expect(f.c, ":1\r\n");
    assert_true(connection_closing(f.c));
    end(&f);
}

/* A killed client's requests may still be with the node. */
static void test_client_kill_with_unanswered(void **state)
{
    (void)state;
    struct fixture f = begin();
    struct connection *other = client_connect(&f.w);
    f.w.node->hold[0] = true;
    client_send(&f.w, other, "SET a 1\r\nPING\r\nSET a 2\r\n");
    ASK("CLIENT KILL ID 2", ":1\r\n");
    assert_true(connection_closing(other));
    fake_answer(f.w.node, false, 1);
    client_expect(other, "");
    front_disconnected(f.w.front, other);
    fake_answer(f.w.node, false, 1);
    end(&f);
}

static void test_client_reply(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("CLIENT REPLY ON", "+OK\r\n");
    ASK("CLIENT REPLY SKIP\r\nPING\r\nECHO a", "$1\r\na\r\n");
    ASK("CLIENT REPLY SKIP\r\nSET a 1\r\nGET a", "$1\r\n1\r\n");
    ASK("CLIENT REPLY OFF\r\nPING\r\nSET a 2\r\nbogus\r\nGET a", "");
    ASK("CLIENT REPLY SKIP\r\nPING", "");
    ASK("CLIENT REPLY ON", "+OK\r\n");
    ASK("GET a", "$1\r\n2\r\n");
    ASK("CLIENT REPLY maybe", "-ERR syntax error\r\n");
    end(&f);
}

static void test_info(void **state)
{
    (void)state;
    struct fixture f = begin();
    const char *answer = client_answer(&f.w, f.c, "INFO\r\n");
    assert_has(answer, "# Server\r\nredis_version:7.0.15\r\n");
    assert_has(answer, "loading:0\r\n");
    assert_has(answer, "role:master\r\n");
    assert_has(answer, "connected_clients:1\r\n");
    assert_has(answer, "\r\ndb0:keys=5,expires=0,avg_ttl=0\r\n");
    assert_has(answer, "# Lockstep\r\nnode:1\r\n");
    assert_has(answer, "group0:name=main,protocol=raft,service=kv,role=leader,term=7,leader=1,voter=1\r\n");
    assert_has(answer, "peer2:connected=1,address=127.0.0.1:7002,suspicion=0\r\n");
    assert_null(strstr(answer, "cmdstat_"));
    HAS("INFO all", "cmdstat_info:calls=1,");
    answer = client_answer(&f.w, f.c, "INFO SERVER keyspace\r\n");
    assert_has(answer, "redis_version");
    assert_has(answer, "db0:");
    assert_null(strstr(answer, "role:"));
    ASK("INFO nonsense", "$0\r\n\r\n");
    f.w.node->follower = true;
    HAS("INFO replication", "role:slave\r\nmaster_host:127.0.0.1\r\nmaster_port:7002\r\nmaster_link_status:up\r\n");
    f.w.node->leaderless = true;
    HAS("INFO replication", "role:slave\r\nmaster_host:\r\nmaster_port:\r\nmaster_link_status:down\r\n");
    end(&f);
}

static void test_role_and_time(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("SET a 1", "+OK\r\n");
    ASK("ROLE", "*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n$4\r\n7002\r\n$1\r\n1\r\n");
    f.w.node->follower = true;
    ASK("ROLE", "*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:7002\r\n$9\r\nconnected\r\n:1\r\n");
    f.w.node->leaderless = true;
    ASK("ROLE", "*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$7\r\nconnect\r\n:1\r\n");
    ASK("TIME", "*2\r\n$10\r\n1700000000\r\n$6\r\n123456\r\n");
    ASK("SLOWLOG GET 10", "*0\r\n");
    ASK("SLOWLOG LEN", ":0\r\n");
    ASK("CLUSTER SLOTS", "-ERR This instance has cluster support disabled\r\n");
    end(&f);
}

static void test_command(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("COMMAND GETKEYS MSET a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    ASK("COMMAND GETKEYS GET k", "*1\r\n$1\r\nk\r\n");
    ASK("COMMAND GETKEYS DEL a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    ASK("COMMAND GETKEYS PING x", "-ERR The command has no key arguments\r\n");
    ASK("COMMAND GETKEYS bogus x", "-ERR Invalid command specified\r\n");
    ASK("COMMAND GETKEYS GET a b", "-ERR Invalid number of arguments specified for command\r\n");
    ASK("COMMAND INFO GET bogus",
        "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n+@string\r\n+@fast\r\n"
        "*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n"
        "$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n"
        "$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
    HAS("COMMAND INFO client|id", "$9\r\nclient|id\r\n:2\r\n");
    HAS("COMMAND DOCS get", "*2\r\n$3\r\nget\r\n*8\r\n$7\r\nsummary\r\n");
    HAS("COMMAND DOCS config", "$11\r\nsubcommands\r\n");
    ASK("COMMAND DOCS bogus", "*0\r\n");
    HAS("COMMAND DOCS", "$8\r\nlockstep\r\n");
    HAS("COMMAND", "$5\r\nsetnx\r\n");
    ASK("COMMAND LIST FILTERBY PATTERN h[a-f]l*", "*1\r\n$5\r\nhello\r\n");
    HAS("COMMAND LIST FILTERBY ACLCAT transaction", "$4\r\nexec\r\n");
    ASK("COMMAND LIST FILTERBY MODULE x", "*0\r\n");
    ASK("COMMAND LIST FILTERBY", "-ERR syntax error\r\n");
    HAS("COMMAND LIST", "$3\r\nget\r\n");
    int64_t count = 0;
    sscanf(client_answer(&f.w, f.c, "COMMAND COUNT\r\n"), ":%lld", (long long *)&count);
    assert_true(count > 50);
    HAS("HELLO 3", "proto");
    HAS("COMMAND DOCS get", "%1\r\n$3\r\nget\r\n%4\r\n");
    HAS("COMMAND INFO get", "~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@read\r\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n");
    end(&f);
}

static size_t host_get(void *context, const char *name, char *out, size_t size)
{
    (void)name;
    return (size_t)snprintf(out, size, "%s", (const char *)context);
}

static bool host_set(void *context, const char *name, struct span value, char *why, size_t why_size)
{
    (void)name;
    if (value.size == 0 || value.size > 9) {
        snprintf(why, why_size, "no such level");
        return false;
    }
    memcpy(context, value.data, value.size);
    ((char *)context)[value.size] = '\0';
    return true;
}

static void test_config(void **state)
{
    (void)state;
    char level[10] = "notice";
    struct front_parameter parameters[] = {{"loglevel", level, host_get, host_set},
                                           {"dir", "/data", host_get, NULL},
                                           {"maxclients", "77", host_get, NULL}, /* the front's own is what counts */
                                           {"maxmemory", "1gb", host_get, NULL}};
    struct front_options options;
    front_options_default(&options);
    options.parameters = parameters;
    options.parameter_count = 4;
    struct fixture f = {.w = fake_world_create(&options)};
    f.c = client_connect(&f.w);
    ASK("CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
    ASK("CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n");
    ASK("CONFIG GET MaxClients", "*2\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n");
    ASK("CONFIG GET proto-max-*", "*2\r\n$18\r\nproto-max-bulk-len\r\n$8\r\n67108864\r\n");
    ASK("CONFIG GET loglevel d?r", "*4\r\n$8\r\nloglevel\r\n$6\r\nnotice\r\n$3\r\ndir\r\n$5\r\n/data\r\n");
    ASK("CONFIG GET nothing", "*0\r\n");
    ASK("CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$3\r\n1gb\r\n");
    ASK("CONFIG SET maxclients 20 save \"900 1\" loglevel debug", "+OK\r\n");
    ASK("CONFIG GET maxclients loglevel save",
        "*6\r\n$8\r\nloglevel\r\n$5\r\ndebug\r\n$10\r\nmaxclients\r\n$2\r\n20\r\n$4\r\nsave\r\n$5\r\n900 1\r\n");
    ASK("CONFIG SET maxclients 30 bogus 1",
        "-ERR Unknown option or number of arguments for CONFIG SET - 'bogus'\r\n");
    ASK("CONFIG SET maxclients 30 dir /",
        "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set immutable config\r\n");
    ASK("CONFIG SET loglevel \"\"",
        "-ERR CONFIG SET failed (possibly related to argument 'loglevel') - no such level\r\n");
    ASK("CONFIG SET maxclients x", "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument "
                                   "couldn't be parsed into an integer\r\n");
    ASK("CONFIG SET appendonly no",
        "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - can't set immutable config\r\n");
    ASK("CONFIG SET appendonly yes", "+OK\r\n");
    ASK("CONFIG SET a b c", "-ERR syntax error\r\n");
    ASK("CONFIG GET maxclients", "*2\r\n$10\r\nmaxclients\r\n$2\r\n20\r\n"); /* nothing of those was taken */
    ASK("CONFIG SET proto-max-bulk-len 1mb", "+OK\r\n");
    ASK("CONFIG GET proto-max-bulk-len", "*2\r\n$18\r\nproto-max-bulk-len\r\n$7\r\n1048576\r\n");
    ASK("*2\r\n$4\r\nECHO\r\n$1048577",
        "-ERR Protocol error: invalid bulk length (limit proto-max-bulk-len 1048576)\r\n");
    end(&f);
}

static void test_config_rest(void **state)
{
    (void)state;
    struct fixture f = begin();
    ASK("PING", "+PONG\r\n");
    HAS("INFO commandstats", "cmdstat_ping:calls=1,");
    ASK("CONFIG RESETSTAT", "+OK\r\n");
    assert_null(strstr(client_answer(&f.w, f.c, "INFO commandstats\r\n"), "cmdstat_ping"));
    HAS("INFO clients", "connected_clients:1\r\n");
    HAS("CONFIG HELP", "RESETSTAT");
    HAS("CONFIG REWRITE", "-ERR ");
    ASK("CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n");
    end(&f);
}

/* Reads one JSON value; returns where it ends, NULL when it is none. */
static const char *json_value(const char *at)
{
    if (*at == '"') {
        for (at++; *at != '"'; at++) {
            if ((unsigned char)*at < ' ')
                return NULL;
            if (*at == '\\' && *++at == '\0')
                return NULL;
        }
        return at + 1;
    }
    if (*at == '{' || *at == '[') {
        char close = *at == '{' ? '}' : ']';
        bool object = *at == '{';
        if (*++at == close)
            return at + 1;
        for (;;) {
            if (object && (*at != '"' || (at = json_value(at)) == NULL || *at++ != ':'))
                return NULL;
            at = json_value(at);
            if (at == NULL)
                return NULL;
            if (*at == close)
                return at + 1;
            if (*at++ != ',')
                return NULL;
        }
    }
    if (strncmp(at, "true", 4) == 0)
        return at + 4;
    if (strncmp(at, "false", 5) == 0)
        return at + 5;
    size_t size = strspn(at, "-0123456789");
    return size > 0 ? at + size : NULL;
}

static void test_lockstep_status(void **state)
{
    (void)state;
    struct front_options options;
    front_options_default(&options);
    options.cluster_name = "a \"cluster\"\n\xff\xc3\xa9";
    options.client_address = "127.0.0.1:7001";
    options.process_id = 4711;
    struct fixture f = {.w = fake_world_create(&options)};
    f.c = client_connect(&f.w);
    const char *answer = client_answer(&f.w, f.c, "LOCKSTEP STATUS\r\n");
    size_t size = 0;
    int head = 0;
    assert_int_equal(sscanf(answer, "$%zu\r\n%n", &size, &head), 1);
    const char *json = answer + head;
    const char *json_end = json_value(json);
    assert_non_null(json_end);
    assert_int_equal(json_end - json, size);
    assert_has(json, "{\"node\":1,\"pid\":4711,");
    assert_has(json, "\"cluster\":\"a \\\"cluster\\\"\\u000a\xef\xbf\xbd\xc3\xa9\"");
    assert_has(json, "\"name\":\"main\",\"group\":0,\"protocol\":\"raft\",\"service\":\"kv\",\"role\":\"leader\",\"term\":7,");
    assert_has(json, "\"progress\":[{\"node\":2,\"stored\":0,\"suspicion\":0},{\"node\":3,");
    assert_has(json, "\"peers\":[{\"node\":2,\"connected\":true,\"client_address\":\"127.0.0.1:7002\"");
    assert_has(json, "\"last_fsync_us\":0");
    HAS("LOCKSTEP HELP", "STATUS");
    ASK("LOCKSTEP FOO", "-ERR unknown subcommand 'FOO'. Try LOCKSTEP HELP.\r\n");
    ASK("LOCKSTEP", "-ERR wrong number of arguments for 'lockstep' command\r\n");
    end(&f);
}

/* Every command of the table that is the front's has somebody who answers it, and none closes the connection. */
static void test_every_front_command_is_answered(void **state)
{
    (void)state;
    for (const struct command_spec *spec = NULL; (spec = command_following(spec)) != NULL;) {
        if (spec->kind != COMMAND_FRONT || spec->op == OP_QUIT)
            continue;
        struct fixture f = begin();
        char line[256];
        size_t size = (size_t)snprintf(line, sizeof line, "%s", spec->name);
        char *bar = strchr(line, '|');
        if (bar != NULL)
            *bar = ' ';
        int words = (spec->arity < 0 ? -spec->arity : spec->arity) - (bar != NULL ? 2 : 1);
        for (int i = 0; i < words; i++)
            size += (size_t)snprintf(line + size, sizeof line - size, " 1");
        snprintf(line + size, sizeof line - size, "\r\n");
        const char *answer = client_answer(&f.w, f.c, line);
        if (answer[0] == '\0' || strstr(answer, "not supported") != NULL)
            fail_msg("%s is answered by nobody", line);
        assert_false(connection_closing(f.c));
        end(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_hello),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_client_list),
        cmocka_unit_test(test_client_kill),
        cmocka_unit_test(test_client_kill_with_unanswered),
        cmocka_unit_test(test_client_reply),
        cmocka_unit_test(test_info),
        cmocka_unit_test(test_role_and_time),
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_config_rest),
        cmocka_unit_test(test_lockstep_status),
        cmocka_unit_test(test_every_front_command_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
