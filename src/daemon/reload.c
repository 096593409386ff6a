#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "service/identity.h"

/* The new state of one reload, and its result. */
struct attempt {
    const struct reload *r;
    struct timestamp now;
    struct settings settings;
    struct prepared prepared;
    struct collateral_watch *watch;
    struct reload_report *report;
    void (*waiting)(void *context);
    void *context;
    bool not_recorded;
    enum err e;
};

/* Refuses settings that cannot change while serving, and a certificate that is worse than the
 * old one. */
static void check_tls(const struct attempt *a, struct problems *problems)
{
    const struct settings *s = &a->settings;
    const struct problem_place mode = {.file = "settings", .setting = "tls.mode"};
    const struct problem_place certificate = {.file = s->tls.certificate_file,
                                              .setting = "tls.certificate_file"};
    char end[TIMESTAMP_TEXT_SIZE];
    struct timestamp not_after;

    if (s->tls.mode != a->r->settings->tls.mode)
        problems_add(problems, &mode,
                     "was changed; restart the daemon for that, or change it back");
    if (!a->prepared.tls)
        return;
    not_after = tls_server_not_after(a->prepared.tls);
    timestamp_write(not_after, end);
    if (a->now.ms >= not_after.ms)
        problems_add(problems, &certificate,
                     "the certificate expired at %s; put one into place that is in its time", end);
}

/* On any error nothing changes. */
MUST_CHECK static enum err judge(struct attempt *a, struct problems *problems)
{
    const struct reload *r = a->r;
    const struct prepare_in_use in_use = {r->trust, daemon_collateral_store(r->collateral)};
    enum err e = settings_load(&r->files, r->environment, &a->settings, problems);
    enum err of_files;

    if (e != ERR_NONE && !a->settings.partial)
        return e;
    of_files = prepare(&a->settings, &in_use, a->now, &a->prepared, problems);
    if (of_files == ERR_MEMORY || e != ERR_NONE)
        return of_files == ERR_MEMORY ? of_files : e;
    check_tls(a, problems);
    e = problems_err(problems);
    return e == ERR_NONE ? daemon_collateral_watch(&a->settings, &a->watch) : e;
}

/* Before anything is in use. */
static void report_fill(const struct attempt *a, const struct policy_stage *policies,
                        const struct collateral_stage *collateral)
{
    const struct reload *r = a->r;
    struct reload_report *report = a->report;

    report->tokens = token_table_count(a->prepared.tokens);
    report->policies = a->settings.attestation.policies.count;
    report->policies_changed = service_policies_differ(r->service, policies);
    report->collateral = daemon_collateral_changes(collateral);
    if (a->prepared.tls) {
        report->certificate = true;
        report->certificate_not_after = tls_server_not_after(a->prepared.tls);
        tls_server_spki_sha256(a->prepared.tls, report->tls_spki_sha256);
    }
    settings_needing_restart(r->settings, &a->settings, report->restart, sizeof report->restart);
}

/* The log is evidence of administrative acts, too. So a reload has its entry before it is in
 * effect. */
MUST_CHECK static enum err record(const struct attempt *a)
{
    const struct reload_report *report = a->report;
    char text[384];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    char end[TIMESTAMP_TEXT_SIZE];
    char spki[2 * SHA256_SIZE + 1];

    json_open_object(&j, NULL);
    json_put_int(&j, "tokens", (int64_t)report->tokens);
    json_put_int(&j, "policies", (int64_t)report->policies);
    json_put_bool(&j, "policies_changed", report->policies_changed);
    json_put_int(&j, "collateral_changed", (int64_t)report->collateral);
    if (report->certificate) {
        timestamp_write(report->certificate_not_after, end);
        hex_write(SPAN_OF(report->tls_spki_sha256), spki);
        json_put_string(&j, "tls_spki_sha256", span_string(spki));
        json_put_string(&j, "tls_not_after", span_string(end));
    }
    json_close_object(&j);
    return server_event_commit(a->r->server, SPAN_LITERAL("reload"), span_of(text, w.size), a->now);
}

/*
 * Cannot fail. Each part is in use at once, one after the other. The tokens come last, so that a
 * token of the new settings never meets an old policy.
 */
static void take_into_use(struct attempt *a, struct policy_stage *policies,
                          struct collateral_stage *collateral)
{
    const struct reload *r = a->r;

    service_adopt_policies(r->service, policies);
    daemon_collateral_adopt(r->collateral, collateral);
    if (a->prepared.tls) {
        tls_server_replace(r->tls, &a->prepared.tls);
        service_tls_key_set(r->service, a->report->tls_spki_sha256);
    }
    token_store_replace(r->tokens, &a->prepared.tokens);
    collateral_watch_replace(daemon_collateral_refresh(r->collateral), &a->watch);
}

/* On the thread that makes changes, so no policy changes between the stage and its use. */
static void replace(void *context)
{
    struct attempt *a = context;
    const struct collateral_files *files = &a->prepared.collateral;
    struct policy_stage policies = {0};
    struct collateral_stage collateral = {0};

    if ((a->e = service_stage_policies(a->r->service, &a->settings.attestation.policies,
                                       &policies)) == ERR_NONE &&
        (a->e = collateral_store_stage(daemon_collateral_store(a->r->collateral), files->items,
                                       files->count, a->now, &collateral)) == ERR_NONE) {
        report_fill(a, &policies, &collateral);
        if ((a->e = record(a)) == ERR_NONE)
            take_into_use(a, &policies, &collateral);
        else
            a->not_recorded = true;
    }
    policy_stage_clear(&policies);
    collateral_stage_clear(&collateral);
}

static void wait_on(void *context)
{
    const struct attempt *a = context;

    a->waiting(a->context);
}

enum err reload_run(const struct reload *r, struct timestamp now, void (*waiting)(void *context),
                    void *context, struct reload_report *report, struct problems *problems)
{
    struct attempt a = {
        .r = r, .now = now, .report = report, .waiting = waiting, .context = context};
    enum err e = judge(&a, problems);

    *report = (struct reload_report){0};
    if (e == ERR_NONE && (e = server_run_exclusive(r->server, replace, wait_on, &a)) == ERR_NONE)
        e = a.e;
    if (a.not_recorded)
        problems_add(problems, &(struct problem_place){.file = "log"},
                     e == ERR_UNAVAILABLE
                         ? "the daemon stops, and it is not known whether the entry `reload` is "
                           "stored; the next start reads the settings"
                         : "the entry `reload` cannot be written (%s); make the disk and the "
                           "database writable, then send SIGHUP again",
                     err_text(e));
    collateral_watch_free(&a.watch);
    prepared_clear(&a.prepared);
    settings_clear(&a.settings);
    return e;
}
