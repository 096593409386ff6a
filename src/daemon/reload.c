#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

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

    if (e != ERR_NONE)
        return e;
    if ((e = prepare(&a->settings, &in_use, a->now, &a->prepared, problems)) == ERR_MEMORY)
        return e;
    check_tls(a, problems);
    e = problems_err(problems);
    return e == ERR_NONE ? daemon_collateral_watch(&a->settings, &a->watch) : e;
}

static void take_tls(const struct attempt *a)
{
    struct reload_report *report = a->report;
    struct tls_server *tls = a->r->tls;
    struct tls_server *fresh = a->prepared.tls;

    tls_server_replace(tls, &fresh);
    tls_server_spki_sha256(tls, report->tls_spki_sha256);
    service_tls_key_set(a->r->service, report->tls_spki_sha256);
    report->certificate = true;
    report->certificate_not_after = tls_server_not_after(tls);
}

/* Cannot fail. */
static void take_into_use(struct attempt *a, struct policy_stage *policies,
                          struct collateral_stage *collateral)
{
    const struct reload *r = a->r;

    a->report->tokens = token_table_count(a->prepared.tokens);
    a->report->policies = a->settings.attestation.policies.count;
    token_store_replace(r->tokens, &a->prepared.tokens);
    if (a->prepared.tls) {
        take_tls(a);
        a->prepared.tls = NULL;
    }
    a->report->policies_changed = service_adopt_policies(r->service, policies);
    a->report->collateral = daemon_collateral_adopt(r->collateral, collateral);
    collateral_watch_replace(daemon_collateral_refresh(r->collateral), &a->watch);
    settings_needing_restart(r->settings, &a->settings, a->report->restart,
                             sizeof a->report->restart);
}

/* On the thread that changes policies. */
static void replace(void *context)
{
    struct attempt *a = context;
    const struct collateral_files *files = &a->prepared.collateral;
    struct policy_stage policies = {0};
    struct collateral_stage collateral = {0};

    if ((a->e = service_stage_policies(a->r->service, &a->settings.attestation.policies,
                                       &policies)) == ERR_NONE &&
        (a->e = collateral_store_stage(daemon_collateral_store(a->r->collateral), files->items,
                                       files->count, a->now, &collateral)) == ERR_NONE)
        take_into_use(a, &policies, &collateral);
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
    if (e == ERR_NONE && (e = server_run_alone(r->server, replace, wait_on, &a)) == ERR_NONE)
        e = a.e;
    collateral_watch_free(&a.watch);
    prepared_clear(&a.prepared);
    settings_clear(&a.settings);
    return e;
}
