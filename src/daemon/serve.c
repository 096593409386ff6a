#include "daemon/serve.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"
#include "collateral/expiry.h"
#include "collateral/refresh.h"
#include "daemon/notify.h"
#include "daemon/watch.h"
#include "service/sealing.h"

enum { SEALING_CHECK_US = 10 * 1000 * 1000, EXPIRY_CHECK_US = 60 * 1000 * 1000 };

/* The state that changes while serving. */
struct loop {
    const struct serving *s;
    struct notify notify;
    struct watch_clock clock;
    struct watch_certificate certificate;
    int64_t sealing_checked_us;
    struct collateral_expiry expiry;
    int64_t expiry_checked_us;
};

static void signals_of_loop(sigset_t *set)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

    (void)sigemptyset(set);
    for (size_t i = 0; i < COUNT_OF(handled); i++)
        (void)sigaddset(set, handled[i]);
}

void serve_block_signals(void)
{
    sigset_t set;

    signals_of_loop(&set); /* also SIGHUP: a closed terminal does not stop a daemon */
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool serve_told_to_stop(unsigned seconds)
{
    const struct timespec limit = {.tv_sec = seconds};
    struct notify n;
    sigset_t set;

    notify_open(&n, getenv("NOTIFY_SOCKET"), NULL);
    notify_starting(&n, "waiting for the database");
    notify_close(&n);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    return sigtimedwait(&set, NULL, &limit) > 0;
}

static void watch_now(struct loop *l, struct timestamp now)
{
    struct tls_server *tls = l->s->reload.tls;
    int64_t jump_ms = watch_clock_jump(&l->clock, now, clock_monotonic_us());
    char end[TIMESTAMP_TEXT_SIZE];

    if (jump_ms != 0) {
        server_clock_jumped(l->s->server, jump_ms);
        log_write(LOG_WARN, "daemon", "clock_jumped", LOG_NUMBER("by_ms", jump_ms),
                  LOG_STRING("effect",
                             "evidence, sessions and collateral are judged by this clock: "
                             "check NTP"));
        l->expiry_checked_us = 0;
    }
    if (!tls || !watch_certificate_warn(&l->certificate, tls_server_not_after(tls), now))
        return;
    timestamp_write(tls_server_not_after(tls), end);
    log_write(LOG_WARN, "daemon",
              l->certificate.said == WATCH_EXPIRED ? "tls_certificate_expired"
                                                   : "tls_certificate_expires_soon",
              LOG_STRING("not_after", end),
              LOG_STRING("next", l->s->reload.settings->tls.mode == TLS_MODE_FILES
                                     ? "put the new certificate into place and send SIGHUP"
                                     : "restart the daemon: it makes a new certificate"));
}

static void collateral_warn(void *context, const struct collateral_item *item, bool expired)
{
    char end[TIMESTAMP_TEXT_SIZE];

    (void)context;
    timestamp_write(item->expires, end);
    log_write(LOG_WARN, "daemon", expired ? "collateral_expired" : "collateral_expires_soon",
              LOG_STRING("name", item->name), LOG_STRING("expires", end),
              LOG_STRING("source", item->source),
              LOG_STRING("next", expired
                                     ? "evidence that needs it is refused: find out why no "
                                       "source has a newer one, or import one"
                                     : "find out why no source has a newer one, or import one"));
}

/* Fetched items are renewed long before they expire. Files are not, and neither are items that no
 * source serves any more. */
static void collateral_watch(struct loop *l, struct timestamp now, int64_t monotonic_us)
{
    struct collateral_snapshot *held;

    if (l->expiry_checked_us != 0 && monotonic_us - l->expiry_checked_us < EXPIRY_CHECK_US)
        return;
    l->expiry_checked_us = monotonic_us;
    held = collateral_store_hold(service_collateral(l->s->reload.service));
    if (collateral_expiry_look(&l->expiry, held, now, collateral_warn, NULL) != ERR_NONE)
        log_write(LOG_WARN, "daemon", "collateral_not_checked", LOG_STRING("reason", "no memory"));
    collateral_snapshot_release(&held);
}

/* A PCR that changed, or a sealed root that is gone, would be silent until the next start. */
static void sealing_watch(struct loop *l, int64_t monotonic_us)
{
    if (l->sealing_checked_us != 0 && monotonic_us - l->sealing_checked_us < SEALING_CHECK_US)
        return;
    l->sealing_checked_us = monotonic_us;
    sealing_check(l->s->reload.service);
}

static bool stop_is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* The daemon is alive, even when the log stalls the reload for long. The stop does not wait. */
static void reload_waits(void *context)
{
    struct loop *l = context;

    notify_alive(&l->notify, clock_monotonic_us());
    if (stop_is_pending())
        server_hurry(l->s->server);
}

static void say_certificate(const struct reload_report *report)
{
    char end[TIMESTAMP_TEXT_SIZE];
    char spki[2 * SHA256_SIZE + 1];

    timestamp_write(report->certificate_not_after, end);
    hex_write(SPAN_OF(report->tls_spki_sha256), spki);
    log_write(LOG_INFO, "daemon", "tls_certificate_loaded", LOG_STRING("spki_sha256", spki),
              LOG_STRING("not_after", end));
}

static void reload_done(struct loop *l, const struct reload_report *report)
{
    if (*report->restart)
        log_write(LOG_WARN, "daemon", "restart_needed", LOG_STRING("settings", report->restart),
                  LOG_STRING("effect", "the daemon goes on with the values of its start"));
    if (report->certificate)
        say_certificate(report);
    collateral_refresh_hurry(l->s->refresh);
    log_write(LOG_INFO, "daemon", "reloaded", LOG_NUMBER("tokens", report->tokens),
              LOG_NUMBER("certificate", report->certificate),
              LOG_NUMBER("policies", report->policies),
              LOG_NUMBER("policies_changed", report->policies_changed),
              LOG_NUMBER("collateral_changed", report->collateral));
    notify_ready(&l->notify, "Serving; reloaded");
}

static void reload_refused(struct loop *l, enum err e, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_write(LOG_ERROR, "daemon", "reload_fault",
                  LOG_STRING("reason", problems->items[i].text));
    log_write(LOG_ERROR, "daemon", "reload_refused", LOG_STRING("code", err_code(e)),
              LOG_STRING("reason", problems->count > 0 ? problems->items[0].text : err_text(e)),
              LOG_NUMBER("faults", problems->count + problems->left_off),
              LOG_STRING("effect", "everything stays as it was before"));
    notify_ready(&l->notify, "Serving; the reload was refused, see the log");
}

static void reload(struct loop *l)
{
    struct timestamp now = clock_now();
    struct reload_report report = {0};
    struct problems problems = {0};
    enum err e;

    notify_reloading(&l->notify);
    l->sealing_checked_us = 0;
    e = reload_run(&l->s->reload, now, reload_waits, l, &report, &problems);
    if (e == ERR_NONE)
        reload_done(l, &report);
    else
        reload_refused(l, e, &problems);
    problems_clear(&problems);
}

static void write_state(const struct loop *l)
{
    const struct service *svc = l->s->reload.service;
    struct service_facts facts;
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;

    service_facts(svc, &facts);
    store_checkpoint(service_store(svc), &checkpoint, note);
    log_write(LOG_INFO, "daemon", "state", LOG_STRING("version", VOUCHSAFE_VERSION),
              LOG_NUMBER("uptime_s", (clock_now().ms - facts.started.ms) / 1000),
              LOG_NUMBER("port", server_port(l->s->server)),
              LOG_NUMBER("log_size", checkpoint.size), LOG_NUMBER("epoch", facts.epoch),
              LOG_STRING("tls", l->s->reload.tls ? "1.3" : "off"));
}

/* The next signal, or 0 after one second. */
static int signal_await(void)
{
    const struct timespec second = {1, 0};
    sigset_t set;
    int number;

    signals_of_loop(&set);
    number = sigtimedwait(&set, NULL, &second);
    return number > 0 ? number : 0;
}

void serve_until_told(const struct serving *s)
{
    struct loop l = {.s = s};
    int number;

    notify_open(&l.notify, getenv("NOTIFY_SOCKET"), getenv("WATCHDOG_USEC"));
    notify_ready(&l.notify, "Serving");
    do {
        struct timestamp now = clock_now();

        watch_now(&l, now);
        sealing_watch(&l, clock_monotonic_us());
        collateral_watch(&l, now, clock_monotonic_us());
        server_tick(s->server, now);
        notify_alive(&l.notify, clock_monotonic_us());
        number = signal_await();
        if (number == SIGHUP)
            reload(&l);
        else if (number == SIGUSR1)
            write_state(&l);
    } while (number != SIGTERM && number != SIGINT);
    collateral_expiry_clear(&l.expiry);
    log_write(LOG_INFO, "daemon", "stopping", LOG_NUMBER("signal", number));
    notify_stopping(&l.notify);
    notify_close(&l.notify);
}
