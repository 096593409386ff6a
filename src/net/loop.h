/*
 * One event loop: a thread, its event_base, its listening socket, its connections, and the tasks
 * other threads post to it. Everything here but the task list and the figures belongs to its
 * thread, so nothing here is locked.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <stdatomic.h>

#include "net/http_server.h"
#include "net/peers.h"

#define LOOP_SCRATCH_SIZE 65536
#define ADMIN_CONNECTIONS_MAX 64

struct connection;

enum figure {
    FIGURE_ACCEPTED,
    FIGURE_CLOSED,
    FIGURE_REFUSED_CONNECTIONS,
    FIGURE_EVICTED,
    FIGURE_REQUESTS,
    FIGURE_REFUSED_REQUESTS,
    FIGURE_TIMEOUTS,
    FIGURE_BYTES_IN,
    FIGURE_BYTES_OUT,
    FIGURE_TLS_HANDSHAKES,
    FIGURE_TLS_FAILURES,
    FIGURE_COUNT
};

struct loop {
    struct http_server *server;
    unsigned index;
    pthread_t thread; /* for who joins it */
    pthread_t self;   /* for itself: `thread` may be written after it has begun */
    struct event_base *base;
    struct event listen_event, wake_event, accept_pause;
    int listen_fd; /* -1 when it no longer accepts */
    struct event admin_event;
    int admin_fd;               /* of the second listener, on one loop; else -1 */
    unsigned admin_connections; /* that came to it */
    int wake_fd;
    int reserve_fd; /* given up to shed a connection when there are no descriptors left */
    bool draining;

    struct connection_list {
        struct connection *first, *last; /* the newest, the oldest */
    } strangers, authenticated;
    size_t connection_count;
    struct http_exchange *exchanges; /* unused ones, kept for the next requests */
    size_t exchange_count;
    struct http_exchange *live; /* handed out, doubly linked */
    int64_t now_us;             /* monotonic, as of the event being handled */

    uint8_t *scratch;          /* LOOP_SCRATCH_SIZE bytes read but not looked at yet */
    struct secret *tls_record; /* where a head and its body meet to be one TLS record */

    pthread_mutex_t task_lock;
    struct http_task *first_task, *last_task; /* under task_lock */

    _Atomic uint64_t figures[FIGURE_COUNT]; /* written by the loop's thread only */
};

struct http_server {
    struct http_server_options options;
    struct http_handler handler;
    struct peers *peers;
    struct peers *owners;    /* the places of authenticated callers */
    struct quota *strangers; /* memory held, bytes */
    struct quota *authenticated;
    uint16_t port;
    bool drained;
    /* signalled while draining, whenever a loop has closed its last connection */
    pthread_mutex_t idle_lock;
    pthread_cond_t idle_changed;
    unsigned busy_loops; /* under idle_lock */
    struct http_task drain_tasks[HTTP_LOOPS_MAX];
    unsigned loop_count; /* that were made */
    struct loop loops[];
};

/*
 * Makes everything but the thread. `listen_fd` and `admin_fd` (-1: none) are the loop's from here
 * on, also on failure.
 * ERR_MEMORY, ERR_IO
 */
MUST_CHECK enum err loop_init(struct loop *l, struct http_server *server, unsigned index,
                              int listen_fd, int admin_fd);
MUST_CHECK enum err loop_thread_start(struct loop *l);
/* After its thread has ended, or when it never began. */
void loop_clear(struct loop *l);

void loop_post(struct loop *l, struct http_task *first, struct http_task *last);

/* On the loop's thread. */
void loop_stop_accepting(struct loop *l);
void loop_count(struct loop *l, enum figure f, uint64_t by);
uint64_t loop_figure(const struct loop *l, enum figure f); /* on any thread */

#endif
