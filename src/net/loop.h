/*
 * One event loop: a thread, its event_base, its listening socket, its connections, and the tasks
 * that other threads post to it. Only its own thread uses it, except for the task list and the
 * figures. So it has no other lock.
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
#define WARM_CONNECTIONS_MAX 64 /* of a loop; about 33 KiB each */

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
    pthread_t thread; /* for the thread that joins it */
    pthread_t self;   /* for the loop itself: `thread` may be written after the thread has begun */
    struct event_base *base;
    struct event listen_event, wake_event, accept_pause;
    int listen_fd; /* -1 when it no longer accepts */
    struct event admin_event;
    int admin_fd;               /* of the second listener, on one loop; else -1 */
    unsigned admin_connections; /* connections of the second listener */
    int wake_fd;
    int reserve_fd; /* released to shed a connection when no descriptor is left */
    bool draining;

    struct connection_list {
        struct connection *first, *last; /* the newest, the oldest */
    } strangers, authenticated;
    size_t connection_count;
    struct http_exchange *exchanges; /* unused ones, kept for the next requests */
    size_t exchange_count;
    struct http_exchange *live; /* given to the handler, doubly linked */
    int64_t now_us;             /* monotonic, at the start of the present event */

    uint8_t *scratch;          /* LOOP_SCRATCH_SIZE bytes, read but not parsed yet */
    struct secret *tls_record; /* joins a head and its body to one TLS record */

    /* connections with TLS that keep their buffers; a new one takes the place of the oldest */
    struct connection *warm[WARM_CONNECTIONS_MAX];
    size_t next_warm;

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
    /* signalled while draining, each time a loop has closed its last connection */
    pthread_mutex_t idle_lock;
    pthread_cond_t idle_changed;
    unsigned busy_loops; /* under idle_lock */
    struct http_task drain_tasks[HTTP_LOOPS_MAX];
    unsigned loop_count; /* number of loops made */
    struct loop loops[];
};

/*
 * Makes a loop without its thread. Takes over `listen_fd` and `admin_fd` (-1: none), also on
 * failure.
 * ERR_MEMORY, ERR_IO
 */
MUST_CHECK enum err loop_init(struct loop *l, struct http_server *server, unsigned index,
                              int listen_fd, int admin_fd);
MUST_CHECK enum err loop_thread_start(struct loop *l);
/* Call after its thread has ended, or if it never began. */
void loop_clear(struct loop *l);

void loop_post(struct loop *l, struct http_task *first, struct http_task *last);

/* Call on the loop's thread. */
void loop_stop_accepting(struct loop *l);
void loop_count(struct loop *l, enum figure f, uint64_t by);
uint64_t loop_figure(const struct loop *l, enum figure f); /* any thread */

#endif
