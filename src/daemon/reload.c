#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

#include "service/identity.h"

/* Everything new, checked and not yet in use. */
struct prepared {
    struct settings settings;
    struct tls_server *tls; /* NULL: as before */
    struct token_table *tokens;
};

static void prepared_clear(struct prepared *p)
{
    tls_server_free(&p->tls);
    token_table_free(&p->tokens);
    settings_clear(&p->settings);
}

MUST_CHECK static enum err prepare_settings(const struct reload *r, struct settings *out,
                                            char why[RELOAD_WHY_SIZE])
{
    struct problems problems = {0};
    enum err e = settings_load(&r->files, r->environment, out, &problems);

    if (e != ERR_NONE && problems.count > 1)
        (void)snprintf(why, RELOAD_WHY_SIZE,
                       "%s (and %zu more faults: run `vouchsafe config check`)",
                       problems.items[0].text, problems.count - 1);
    else if (e != ERR_NONE)
        (void)snprintf(why, RELOAD_WHY_SIZE, "%s",
                       problems.count == 1 ? problems.items[0].text : err_text(e));
    problems_clear(&problems);
    return e;
}

MUST_CHECK static enum err prepare_tls(const struct reload *r, struct timestamp now,
                                       struct prepared *p, char why[RELOAD_WHY_SIZE])
{
    const struct settings *s = &p->settings;
    char text[TLS_WHY_SIZE] = "";
    char end[TIMESTAMP_TEXT_SIZE];
    struct timestamp not_after;
    enum err e;

    if (s->tls.mode != r->settings->tls.mode) {
        (void)snprintf(why, RELOAD_WHY_SIZE,
                       "tls.mode was changed: restart the daemon for that, or put it back");
        return ERR_CONFIG;
    }
    if (s->tls.mode != TLS_MODE_FILES)
        return ERR_NONE;
    e = tls_server_from_files(s->tls.certificate_file, s->tls.key_file, text, &p->tls);
    if (e != ERR_NONE) {
        (void)snprintf(why, RELOAD_WHY_SIZE, "%s", *text ? text : err_text(e));
        return e;
    }
    not_after = tls_server_not_after(p->tls);
    if (now.ms < not_after.ms)
        return ERR_NONE;
    timestamp_write(not_after, end);
    (void)snprintf(why, RELOAD_WHY_SIZE, "%s: the certificate expired at %s",
                   s->tls.certificate_file, end);
    return ERR_EXPIRED;
}

/* Cannot fail. */
static void take_into_use(const struct reload *r, struct prepared *p, struct reload_report *report)
{
    *report = (struct reload_report){.tokens = token_table_count(p->tokens)};
    token_store_replace(r->tokens, &p->tokens);
    if (p->tls) {
        tls_server_replace(r->tls, &p->tls);
        tls_server_spki_sha256(r->tls, report->tls_spki_sha256);
        service_tls_key_set(r->service, report->tls_spki_sha256);
        report->certificate = true;
        report->certificate_not_after = tls_server_not_after(r->tls);
    }
}

enum err reload_run(const struct reload *r, struct timestamp now, struct reload_report *report,
                    char why[RELOAD_WHY_SIZE])
{
    struct prepared p = {0};
    enum err e;

    why[0] = '\0';
    if ((e = prepare_settings(r, &p.settings, why)) == ERR_NONE &&
        (e = prepare_tls(r, now, &p, why)) == ERR_NONE &&
        (e = token_table_new(p.settings.tokens, p.settings.token_count, &p.tokens)) == ERR_NONE)
        take_into_use(r, &p, report);
    prepared_clear(&p);
    return e;
}
