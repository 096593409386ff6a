/*
 * Translates HTTP requests to service operations, and results to replies. It decides nothing.
 * Admission checks credentials, rates and sizes when a request's head is complete, before its body
 * is read.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "auth/growth.h"
#include "auth/rate.h"
#include "net/http_server.h"
#include "service/service.h"

struct server_options {
    struct http_server_options http;
    struct rate_limit per_token, per_address, total;
    struct rate_limit denials;   /* of one token; when exceeded, admission refuses its requests */
    struct growth_limit growth;  /* of the log, by one token */
    uint64_t store_max_bytes;    /* of disk; 0: no limit */
    unsigned attest_threads;     /* threads that verify evidence */
    uint32_t archive_after_days; /* of the log's entries; 0: only when asked */
    uint32_t summary_interval_s; /* for refusals before authentication, in the log */
    uint32_t scrub_per_second;   /* entries of the log to read back in a second; 0: none */
    uint32_t scrub_pause_hours;  /* between two passes over the log */
    const char *version;
    struct collateral_refresh *collateral; /* for its figures; borrowed */
};

struct server;
struct collateral_refresh;

/* Starts serving. The service must outlive it. ERR_IO, ERR_MEMORY */
MUST_CHECK enum err server_start(const struct server_options *options, struct service *svc,
                                 struct server **out);
uint16_t server_port(const struct server *s);

/* Call it about once a second: writes the summary of refusals when its interval has passed, and
 * lets the scrub go on. */
void server_tick(struct server *s, struct timestamp now);

/*
 * Writes an entry about the keystore itself to the log, later. While the log cannot be written, up
 * to 4096 such entries are kept in memory, and server_tick() tries them again. The line
 * `event_lost` of the operational log reports an entry that is lost: there is no memory, too many
 * are kept, or the server stops while the log cannot be written. It also reports an entry that may
 * be lost: the server stops while the outcome of its commit is unknown.
 */
void server_event(struct server *s, struct span op, struct span detail, struct timestamp now);

/*
 * The same, and waits until the entry is durable. Do not call it on a loop or on the writer's
 * thread.
 * ERR_UNAVAILABLE the server stops, and the entry may be stored. On any other error it is not
 * stored.
 */
MUST_CHECK enum err server_event_commit(struct server *s, struct span op, struct span detail,
                                        struct timestamp now);

/* Counts a jump of this machine's clock for the metrics; `by_ms` is not 0, negative for backward.
 */
void server_clock_jumped(struct server *s, int64_t by_ms);

/*
 * Runs `run` on the thread that makes changes, between two changes, and waits for it. Calls
 * `waiting` about once a second meanwhile: a change waits for its entry, and a disk can be slow.
 * ERR_OVERLOADED too many changes wait
 */
MUST_CHECK enum err server_run_exclusive(struct server *s, void (*run)(void *context),
                                         void (*waiting)(void *context), void *context);

/*
 * The server stops soon: changes whose commit has an unknown outcome end now, with ERR_UNAVAILABLE.
 * So a thread in server_run_exclusive() can call server_stop() next. Any thread.
 */
void server_hurry(struct server *s);

/* Drains and ends; every accepted outcome is committed. */
void server_stop(struct server **s);

#endif
