/* One request on its way through the server. Internal to server/. */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include <semaphore.h>

#include "auth/rate.h"
#include "base/log.h"
#include "collateral/refresh.h"
#include "net/http_server.h"
#include "server/archiver.h"
#include "server/metrics.h"
#include "server/server.h"
#include "service/executor.h"
#include "service/operation.h"
#include "service/space.h"

struct call;

/* Where a route runs. Each executor has its own threads and queue; see executors.c. */
enum executor_id {
    EXECUTOR_ATTEST,  /* signatures of evidence */
    EXECUTOR_READ,    /* reading the log, collateral and policies */
    EXECUTOR_TILES,   /* hashes of the log's tree, for everyone */
    EXECUTOR_QUOTE,   /* our own quotes, which hardware makes slowly and one by one */
    EXECUTOR_CHANGE,  /* changes, one after the other */
    EXECUTOR_WITNESS, /* checkpoints of other logs, one after the other */
    EXECUTOR_SCRUB,   /* the store's scrub; no route runs here */
    EXECUTORS,
    ON_LOOP = EXECUTORS /* short work, on the loop that received it */
};

struct route {
    const char *method;
    const char *path;
    enum action action; /* the action; policy/authorize.h says who may do it */
    enum executor_id executor;
    size_t body_max; /* bytes of a body, which must be application/json except for
                        ACTION_WITNESS; 0: no body */
    bool expensive;  /* expensive without authentication: the stricter limit applies */
    void (*run)(struct call *c, struct service_thread *thread);
};
extern const struct route routes[];
extern const size_t route_count;

enum call_flag {
    /* The caller left, or got an answer about a timeout: the reply will be dropped. Set on the
     * loop. */
    CALL_GONE = 1,
    /* The writer has the call: only the loop may free its memory. */
    CALL_COMMITTING = 2
};

struct call {
    struct server *server;
    struct http_exchange *exchange;
    const struct http_request *request;
    const struct route *route;
    struct principal principal; /* PRINCIPAL_NONE on public routes */
    unsigned loop;
    struct timestamp now; /* time of arrival */
    int64_t now_us;       /* the same, monotonic */
    char request_id[REQUEST_ID_SIZE + 1];
    struct executor_job job;
    struct http_task task;
    struct outcome outcome;    /* of recorded operations */
    struct secret *reply;      /* the outcome as JSON, held back until its entry is durable */
    bool recorded;             /* the outcome goes through the log before it is revealed */
    _Atomic unsigned flags;    /* bits of enum call_flag */
    size_t committing_size;    /* counted in the server's `committing` */
    sem_t *awaited;            /* a thread waits for the commit; else NULL */
    const void *parsed;        /* the route's request, for a call that continues on an executor */
    struct call_block *memory; /* see call_allocate() */
    /* the reply */
    unsigned status;
    const char *content_type;
    const char *cache_control; /* NULL: no-store */
    struct buffer body;
    struct secret *secret_body;
    unsigned retry_after_s;
};

struct loop_state {
    struct principal admitted; /* of the request that was admitted last; see handle() */
    struct service_thread thread;
    struct latency latency;
    char reply[4096]; /* bodies of refusals at admission */
    char headers[256];
};

enum rejection {
    REFUSED_FRAMING,
    REFUSED_TOKEN,
    REFUSED_ROLE,
    REFUSED_RATE,
    REFUSED_QUOTA,
    REFUSED_OTHER,
    REFUSALS
};

/* Entries about the keystore itself that are not durable yet; see server_event(). */
struct event;
struct kept_events {
    pthread_mutex_t lock; /* guards the fields below */
    struct event *first, *last;
    size_t count;
};

/* See scrub.c. */
struct server_scrub {
    struct executor_job job;
    struct server *server;
    _Atomic bool busy;
    bool troubled; /* the last run failed, which was logged; of the executor's thread */
};

struct server {
    struct server_options options;
    struct service *svc;
    bool simulated; /* every entry of the log says so */
    struct http_server *http;
    struct store_writer *writer;
    struct executor *executors[EXECUTORS];
    struct rate_table *per_token, *denials, *per_address, *total, *expensive, *tiles;
    struct space *space;                /* of the disk */
    struct growth *growth;              /* of the log, by principal */
    struct loop_state *loops;           /* options.http.loops of them */
    _Atomic uint64_t refused[REFUSALS]; /* since the start */
    uint64_t summarised[REFUSALS];      /* at the last summary */
    struct timestamp last_summary;
    struct kept_events events;
    struct server_scrub scrub;
    struct log_limit denials_logged, tokens_logged;
    struct denial_counters denied;
    _Atomic uint64_t clock_jumps[2]; /* backward, forward */
    _Atomic uint64_t replies[6];     /* by hundreds of the status */
    _Atomic uint64_t pending;        /* calls between handle and reply */
    struct quota *committing;    /* memory of calls between their work and their commit, bytes */
    struct archiver *archiver;   /* NULL: no archive is configured */
    bool has_admin_listener;     /* administrative routes are served only there */
    _Atomic bool stopping;       /* no call is begun any more */
    struct executor_job refresh; /* of policies that another node changed */
    atomic_bool refreshing;      /* `refresh` is in use */
};

/* Has the policies read again that another node of a shared database may have changed; soon, on the
 * thread of changes. Any thread. */
void server_refresh_policies(struct server *s);

/* Before work that a commit follows. ERR_UNAVAILABLE: the store is full; the reply says so. */
MUST_CHECK enum err call_space_check(struct call *c);

/* Commits the call's outcome and waits until it is durable, or why not. Not on a loop. */
MUST_CHECK enum err call_commit(struct call *c);

/*
 * Allocates zeroed memory for the call: requests, and the data that they borrow. It is wiped and
 * freed when the call ends.
 * ERR_MEMORY, ERR_TOO_LARGE
 */
#define CALL_MEMORY_MAX ((size_t)32 * 1024 * 1024) /* of one piece */
MUST_CHECK enum err call_allocate(struct call *c, size_t size, void **out);
void call_memory_free(struct call *c);

/* Ends with {"error","code","request_id"[,"detail"]}. */
void call_refuse(struct call *c, unsigned status, const char *code, const char *text);
void call_refuse_err(struct call *c, enum err e, const char *code, const char *text);

/* The JSON in c->body is the reply; ERR_NONE gives 200, any other error refuses with its own
 * code. */
void call_answer(struct call *c, enum err e);

/*
 * Runs an operation for the caller and prepares its reply; call_finish() then commits its entry and
 * reveals the reply. `request` is the operation's own type, and stays until the call ends.
 */
void call_operate(struct call *c, struct service_thread *thread, enum operation_id id,
                  const void *request);

/*
 * The same for an operation whose change affects the next operation. ERR_NONE: its entry is durable
 * and the change is in effect. The route then makes the reply from the outcome's result, in memory
 * that it reserved before. On any other error the call is refused. Do not call it on a loop.
 */
MUST_CHECK enum err call_operate_and_commit(struct call *c, struct service_thread *thread,
                                            enum operation_id id, const void *request);

/* Continues the call on an executor, or refuses it with 429 or 503. A call that ran must call
 * call_finish(). */
void call_submit(struct call *c, enum executor_id id,
                 void (*run)(struct executor_job *, struct service_thread *));

/* The same for a call whose outcome is committed: its caller's share does not count. ERR_OVERLOADED
 */
MUST_CHECK enum err call_continue(struct call *c, enum executor_id id,
                                  void (*run)(struct executor_job *, struct service_thread *));

MUST_CHECK enum err executors_start(struct server *s);
void executors_stop(struct server *s); /* finishes the queues first */
void executors_free(struct server *s);

/* The only place that sends a reply; `argument` is the call. On its loop's thread. */
void call_reveal(void *argument);

/* For the writer: gives each loop its part of a committed batch with one wake-up. */
void batch_done(void *context, struct writer_request *batch, size_t count);

/* In events.c. */
void events_init(struct server *s);
void events_clear(struct server *s);
/* Submits the kept events again. */
void events_try_again(struct server *s);
/* Like server_event(), but one attempt is enough: the event is not kept. */
void event_try(struct server *s, struct span op, struct span detail, struct timestamp now);
/* Like server_event_commit(), with the end of what the archive has (store/transaction.h). */
MUST_CHECK enum err event_commit_archived(struct server *s, struct span op, struct span detail,
                                          uint64_t archived, struct timestamp now);
/* For the writer, which hands the request of an event back. */
void event_done(struct server *s, struct writer_request *request);

/* The headers of every reply. */
void headers_write(char *out, size_t size, const char *request_id, unsigned retry_after_s,
                   const char *cache_control);

/* The caller in the form of operations; borrows from the call. */
struct caller call_caller(const struct call *c);

/* For struct http_handler: the caller of the exchange has left. */
void call_gone(void *context, struct http_exchange *x);

/* Routes call this when their work is done, on any thread. */
void call_finish(struct call *c);

void route_health(struct call *c, struct service_thread *thread);
void route_pubkey(struct call *c, struct service_thread *thread);
void route_pubkey_post(struct call *c, struct service_thread *thread);
void route_signed_pubkey(struct call *c, struct service_thread *thread);
void route_decrypt(struct call *c, struct service_thread *thread);
void route_challenge(struct call *c, struct service_thread *thread);
void route_attest(struct call *c, struct service_thread *thread);
void route_attest_explain(struct call *c, struct service_thread *thread);
void route_own_evidence(struct call *c, struct service_thread *thread);
void route_checkpoint(struct call *c, struct service_thread *thread);
void route_log_key(struct call *c, struct service_thread *thread);
void route_log_entries(struct call *c, struct service_thread *thread);
void route_log_inclusion(struct call *c, struct service_thread *thread);
void route_log_consistency(struct call *c, struct service_thread *thread);
void route_tile(struct call *c, struct service_thread *thread);
void route_log_archive(struct call *c, struct service_thread *thread);
void route_log_archive_status(struct call *c, struct service_thread *thread);
void route_log_receipt(struct call *c, struct service_thread *thread);
void route_explain(struct call *c, struct service_thread *thread);
void route_collateral(struct call *c, struct service_thread *thread);
void route_collateral_item(struct call *c, struct service_thread *thread);
void route_reseal(struct call *c, struct service_thread *thread);
void route_policies(struct call *c, struct service_thread *thread);
void route_reference_value_add(struct call *c, struct service_thread *thread);
void route_reference_value_remove(struct call *c, struct service_thread *thread);
void route_status(struct call *c, struct service_thread *thread);
void route_metrics(struct call *c, struct service_thread *thread);
void route_healthz(struct call *c, struct service_thread *thread);
void route_readyz(struct call *c, struct service_thread *thread);
void route_add_checkpoint(struct call *c, struct service_thread *thread);
void route_witness(struct call *c, struct service_thread *thread);
void route_openapi(struct call *c, struct service_thread *thread);

/* In scrub.c: server_tick() calls the first; the second is its part of GET /v1/status. */
struct json_writer;
void scrub_tick(struct server *s);
void scrub_status_write(const struct server *s, struct json_writer *j);

/* In anchor_info.c: its part of GET /metrics and of GET /v1/status. */
MUST_CHECK enum err anchor_metrics(struct call *c);
void anchor_status_write(struct json_writer *j, const struct service *svc);

/* In collateral_route.c: its part of GET /metrics and of GET /v1/status. */
MUST_CHECK enum err collateral_metrics(struct call *c);
uint64_t collateral_seconds_left(const struct call *c); /* 0 once an item has expired */
size_t collateral_count(const struct call *c);

/* docs/openapi.yaml as JSON, made at build time. */
extern const char openapi_json[];
extern const size_t openapi_json_size;

#endif
