#include "net/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/connection.h"
#include "net/output.h"
#include "net/proxy.h"

enum {
    ACCEPT_BATCH = 64,
    ACCEPT_PAUSE_MS = 50,
    EVENTS_MAX = 32, /* handled before the loop polls for new ones */
};

void loop_count(struct loop *l, enum figure f, uint64_t by)
{
    uint64_t old = atomic_load_explicit(&l->figures[f], memory_order_relaxed);

    /* one writer, so no read-modify-write is needed */
    atomic_store_explicit(&l->figures[f], old + by, memory_order_relaxed);
}

uint64_t loop_figure(const struct loop *l, enum figure f)
{
    return atomic_load_explicit(&l->figures[f], memory_order_relaxed);
}

/* Tasks */

void loop_post(struct loop *l, struct http_task *first, struct http_task *last)
{
    bool was_empty;
    uint64_t one = 1;

    last->next = NULL;
    (void)pthread_mutex_lock(&l->task_lock);
    was_empty = l->first_task == NULL;
    if (was_empty)
        l->first_task = first;
    else
        l->last_task->next = first;
    l->last_task = last;
    (void)pthread_mutex_unlock(&l->task_lock);
    /* the write cannot fail: the counter is far from its limit, and we own the descriptor */
    if (was_empty)
        (void)!write(l->wake_fd, &one, sizeof one);
}

static void run_tasks(struct loop *l)
{
    struct http_task *task;

    (void)pthread_mutex_lock(&l->task_lock);
    task = l->first_task;
    l->first_task = NULL;
    l->last_task = NULL;
    (void)pthread_mutex_unlock(&l->task_lock);
    while (task) {
        struct http_task *next = task->next; /* the caller may reuse the task once it has run */

        task->call(task->argument);
        task = next;
    }
}

static void on_wake(int fd, short what, void *context)
{
    struct loop *l = context;
    uint64_t count;

    (void)what;
    /* read before the list is taken: tasks posted after this wake the loop again */
    (void)!read(fd, &count, sizeof count);
    l->now_us = clock_monotonic_us();
    run_tasks(l);
}

/* Accepting */

static void pause_accepting(struct loop *l)
{
    const struct timeval pause = {0, ACCEPT_PAUSE_MS * 1000};

    (void)event_del(&l->listen_event);
    if (event_add(&l->accept_pause, &pause) != 0)
        (void)event_add(&l->listen_event, NULL);
}

static void on_accept_pause_over(int fd, short what, void *context)
{
    struct loop *l = context;

    (void)fd;
    (void)what;
    if (l->listen_fd >= 0)
        (void)event_add(&l->listen_event, NULL);
}

/*
 * No descriptor is left. The waiting connection would keep the listener readable forever. So the
 * loop accepts it with the reserved descriptor and closes it, and stops accepting for a while.
 */
static void shed(struct loop *l)
{
    int fd;

    loop_count(l, FIGURE_REFUSED_CONNECTIONS, 1);
    log_write(LOG_WARN, "net", "no file descriptor left", LOG_NUMBER("loop", l->index));
    if (l->reserve_fd >= 0)
        (void)close(l->reserve_fd);
    fd = accept4(l->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        (void)close(fd);
    l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pause_accepting(l);
}

static void admit_connection(struct loop *l, int fd, const struct sockaddr_storage *address)
{
    struct peer_key key;
    const struct http_server_options *o = &l->server->options;
    bool trusted = network_has(o->proxies, o->proxy_count, address);
    enum peers_entered entered;

    peer_key_of(address, &key);
    if (!trusted && o->proxy_protocol)
        entered = PEERS_SHARE_USED; /* only proxies may connect here */
    else
        entered = peers_enter(l->server->peers, &key, trusted);
    if (entered == PEERS_FULL && connection_evict(l))
        entered = peers_enter(l->server->peers, &key, trusted);
    if (entered != PEERS_ENTERED) {
        loop_count(l, FIGURE_REFUSED_CONNECTIONS, 1);
        (void)close(fd);
        return;
    }
    loop_count(l, FIGURE_ACCEPTED, 1);
    connection_begin(l, fd, &key, address, false);
}

static bool is_out_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

static void on_acceptable(int listen_fd, short what, void *context)
{
    struct loop *l = context;

    (void)what;
    l->now_us = clock_monotonic_us();
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address = {0};
        socklen_t size = sizeof address;
        int fd =
            accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            admit_connection(l, fd, &address);
        } else if (is_out_of_descriptors(errno)) {
            shed(l);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return; /* no more connections, or an error of that one connection: accept(2) */
        }
    }
}

/* The second listener has few places, which only it uses. */
static void on_admin_acceptable(int listen_fd, short what, void *context)
{
    struct loop *l = context;

    (void)what;
    l->now_us = clock_monotonic_us();
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address = {0};
        struct peer_key key;
        socklen_t size = sizeof address;
        int fd =
            accept4(listen_fd, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        if (l->admin_connections >= ADMIN_CONNECTIONS_MAX) {
            loop_count(l, FIGURE_REFUSED_CONNECTIONS, 1);
            (void)close(fd);
            continue;
        }
        peer_key_of(&address, &key);
        loop_count(l, FIGURE_ACCEPTED, 1);
        connection_begin(l, fd, &key, &address, true);
    }
}

void loop_stop_accepting(struct loop *l)
{
    if (l->admin_fd >= 0) {
        (void)event_del(&l->admin_event);
        (void)close(l->admin_fd);
        l->admin_fd = -1;
    }
    if (l->listen_fd < 0)
        return;
    (void)event_del(&l->listen_event);
    (void)event_del(&l->accept_pause);
    (void)close(l->listen_fd);
    l->listen_fd = -1;
}

/* Life */

static void *run(void *context)
{
    struct loop *l = context;
    const struct http_handler *h = &l->server->handler;

    secret_hide_stack();
    l->self = pthread_self();
    if (h->loop_begin)
        h->loop_begin(h->context, l->index);
    (void)event_base_dispatch(l->base);
    run_tasks(l); /* each caller gets the memory of its task back */
    connection_end_all(l);
    if (h->loop_end)
        h->loop_end(h->context, l->index);
    secret_cache_clear();
    return NULL;
}

/*
 * Only one thread uses the event_base, so it needs no locks. Connections activate their own event
 * again while they have more work. Without a limit libevent handles those events before it polls
 * any other socket.
 */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;

    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_max_dispatch_interval(config, NULL, EVENTS_MAX, 0) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    return base;
}

static bool events_add(struct loop *l)
{
    return event_assign(&l->listen_event, l->base, l->listen_fd, EV_READ | EV_PERSIST,
                        on_acceptable, l) == 0 &&
           event_assign(&l->wake_event, l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l) ==
               0 &&
           (l->admin_fd < 0 || (event_assign(&l->admin_event, l->base, l->admin_fd,
                                             EV_READ | EV_PERSIST, on_admin_acceptable, l) == 0 &&
                                event_add(&l->admin_event, NULL) == 0)) &&
           event_assign(&l->accept_pause, l->base, -1, 0, on_accept_pause_over, l) == 0 &&
           event_add(&l->listen_event, NULL) == 0 && event_add(&l->wake_event, NULL) == 0;
}

enum err loop_init(struct loop *l, struct http_server *server, unsigned index, int listen_fd,
                   int admin_fd)
{
    enum err e;

    l->server = server;
    l->index = index;
    l->listen_fd = listen_fd;
    l->admin_fd = admin_fd;
    (void)pthread_mutex_init(&l->task_lock, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    l->base = base_new();
    l->scratch = malloc(LOOP_SCRATCH_SIZE);
    e = l->base && l->scratch ? ERR_NONE : ERR_MEMORY;
    if (e == ERR_NONE && server->options.tls)
        e = secret_new(OUTPUT_RECORD_SIZE, &l->tls_record);
    if (e == ERR_NONE && (l->wake_fd < 0 || l->reserve_fd < 0 || !events_add(l)))
        e = ERR_IO;
    return e;
}

enum err loop_thread_start(struct loop *l)
{
    sigset_t all;
    sigset_t old;
    int failed;

    /* the thread that waits for signals handles them, not the loops */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(&l->thread, NULL, run, l);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed ? ERR_IO : ERR_NONE;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void loop_clear(struct loop *l)
{
    close_if_open(l->listen_fd);
    close_if_open(l->admin_fd);
    close_if_open(l->wake_fd);
    close_if_open(l->reserve_fd);
    if (l->base)
        event_base_free(l->base);
    free(l->scratch);
    secret_free(&l->tls_record);
    (void)pthread_mutex_destroy(&l->task_lock);
}
