/* The loop of a real node: turns.
 *
 * libuv's order within a pass is timers, idle, prepare, poll, check. Callbacks of the poll only gather inputs: bytes of
 * clients go to front/, bytes of peers and completions of the disk to node/. The check runs the turn.
 *
 * Invariants: the clocks are read after the inputs were gathered, so a pause of the process cannot make an old request
 * look younger than a lease. Peers are written before clients, and both before the disk is begun, so that the followers'
 * disks work at the same time as this one's. The loop never sleeps while there is something to do, and never spins: it
 * polls without sleeping only in a pass after which node/ says that it wants a turn. */
#include "host/real/clock.h"
#include "host/real/host_internal.h"

enum {
    ROUNDS_PER_TURN_MAX = 4, /* then new inputs are gathered before more is done */
    STEPS_PER_ROUND_MAX = 4, /* of requests that waited and now go in */
};

static void fail(struct real_host *host, const char *why)
{
    if (host->failed)
        return;
    host->failed = true;
    host->stopped = true;
    report(&host->report, REPORT_ERROR, "node %u stops: %s", host->options.id, why);
    uv_stop(&host->loop);
}

/* Everything that was gathered goes through the members; then what waited for it goes in too. */
static void step(struct real_host *host)
{
    for (int i = 0; i < STEPS_PER_ROUND_MAX; i++) {
        int64_t now_ns = clock_monotone_ns();
        int64_t wall_ns = clock_wall_ns();
        node_turn(host->node, now_ns, wall_ns);
        transport_compact(host->transport);
        transport_follow(host->transport);
        if (!front_turn(host->front, now_ns, wall_ns))
            return;
    }
}

/* Returns true when there is more to do at once. */
static bool round_run(struct real_host *host)
{
    step(host);
    transport_flush(host->transport);
    clients_flush(host->front);
    int written = node_write(host->node);
    record_file_flush(&host->record, &host->report);
    const char *failure = node_failure(host->node);
    if (failure != NULL) {
        fail(host, failure);
        return false;
    }
    return written == 1 || node_wants_turn(host->node);
}

/* Stopped cleanly once nothing is on the way any more, or the time is over. */
static void stop_if_done(struct real_host *host)
{
    struct node_group_status status;
    bool busy = node_group_status(host->node, host->spec.group, &status) &&
                status.pending_updates + status.pending_reads > 0;
    if (host->clients != NULL && clients_unsent(host->clients) > 0)
        busy = true;
    if (busy && clock_monotone_ns() < host->stop_by_ns)
        return;
    host->stopped = true;
    uv_stop(&host->loop);
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active is all that it is for */
}

static void on_check(uv_check_t *check)
{
    struct real_host *host = check->data;
    if (host->failed)
        return;
    bool more = true;
    for (int i = 0; i < ROUNDS_PER_TURN_MAX && more; i++)
        more = round_run(host);
    if (more)
        uv_idle_start(&host->idle, on_idle);
    else
        uv_idle_stop(&host->idle);
    host_complain(host);
    if (host->stopping)
        stop_if_done(host);
}

static void on_timer(uv_timer_t *timer)
{
    struct real_host *host = timer->data;
    host->timer_at_ns = INT64_MAX; /* the turn after the poll does what is due */
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct real_host *host = prepare->data;
    int64_t node_ns = node_next_timer_ns(host->node);
    int64_t front_ns = front_next_timer_ns(host->front);
    int64_t at_ns = node_ns < front_ns ? node_ns : front_ns;
    if (host->stopping && host->stop_by_ns < at_ns)
        at_ns = host->stop_by_ns;
    if (at_ns == host->timer_at_ns)
        return;
    host->timer_at_ns = at_ns;
    if (at_ns == INT64_MAX) {
        uv_timer_stop(&host->timer);
        return;
    }
    /* Rounded up: waking early would only mean to wake twice. */
    int64_t wait_ns = at_ns - clock_monotone_ns();
    uint64_t wait_ms = wait_ns > 0 ? (uint64_t)((wait_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
    uv_update_time(&host->loop);
    uv_timer_start(&host->timer, on_timer, wait_ms, 0);
}

static void on_limit(uv_timer_t *limit)
{
    (void)limit; /* it ends a wait; nothing is to be done */
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct real_host *host = signal->data;
    report(&host->report, REPORT_NOTICE, "node %u stops: it got %s", host->options.id,
           number == SIGINT ? "SIGINT" : "SIGTERM");
    real_host_stop(host);
}

int loop_open(struct real_host *host)
{
    int status = uv_prepare_init(&host->loop, &host->prepare);
    if (status == 0)
        status = uv_check_init(&host->loop, &host->check);
    if (status == 0)
        status = uv_idle_init(&host->loop, &host->idle);
    if (status == 0)
        status = uv_timer_init(&host->loop, &host->timer);
    if (status == 0)
        status = uv_timer_init(&host->loop, &host->limit);
    if (status != 0)
        return status;
    host->handles_open = true;
    host->prepare.data = host->check.data = host->idle.data = host->timer.data = host->limit.data = host;
    host->timer_at_ns = INT64_MAX;
    uv_prepare_start(&host->prepare, on_prepare);
    uv_check_start(&host->check, on_check);
    uv_idle_start(&host->idle, on_idle); /* the first turn comes at once: the node has its START to take */
    return 0;
}

int real_host_handle_signals(struct real_host *host)
{
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(&host->loop, &host->signals[i]);
        host->signals[i].data = host;
        if (uv_signal_start(&host->signals[i], on_signal, numbers[i]) != 0)
            return 1;
    }
    host->signals_open = true;
    return 0;
}

int real_host_run(struct real_host *host)
{
    while (!host->stopped)
        uv_run(&host->loop, UV_RUN_DEFAULT);
    return host->failed ? 1 : 0;
}

bool real_host_run_once(struct real_host *host, int timeout_ms)
{
    if (host->stopped)
        return false;
    if (timeout_ms > 0) {
        uv_update_time(&host->loop);
        uv_timer_start(&host->limit, on_limit, (uint64_t)timeout_ms, 0);
    }
    uv_run(&host->loop, timeout_ms != 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    uv_timer_stop(&host->limit);
    return !host->stopped;
}

void real_host_wake(struct real_host *host)
{
    if (!host->stopped)
        uv_idle_start(&host->idle, on_idle);
}

void real_host_stop(struct real_host *host)
{
    if (host->stopping)
        return;
    host->stopping = true;
    host->stop_by_ns = clock_monotone_ns() + NS_PER_S;
    if (host->clients != NULL)
        clients_stop(host->clients);
    real_host_wake(host);
}

void loop_close(struct real_host *host)
{
    if (host->handles_open) {
        uv_close((uv_handle_t *)&host->prepare, NULL);
        uv_close((uv_handle_t *)&host->check, NULL);
        uv_close((uv_handle_t *)&host->idle, NULL);
        uv_close((uv_handle_t *)&host->timer, NULL);
        uv_close((uv_handle_t *)&host->limit, NULL);
    }
    for (int i = 0; host->signals_open && i < 2; i++)
        uv_close((uv_handle_t *)&host->signals[i], NULL);
    while (uv_run(&host->loop, UV_RUN_DEFAULT) != 0)
        continue;
    uv_loop_close(&host->loop);
}
