#include "daemon/prepare.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "collateral/refresh.h"
#include "collateral/source.h"

/* One call of prepare(). */
struct preparation {
    const struct settings *s;
    struct prepared *out;
    struct problems *problems;
};

static size_t faults(const struct preparation *p)
{
    return p->problems->count + p->problems->left_off;
}

void prepared_clear(struct prepared *p)
{
    token_table_free(&p->tokens);
    tls_server_free(&p->tls);
    collateral_files_clear(&p->collateral);
}

static void blame(struct preparation *p, const char *file, const char *setting, enum err e,
                  const char *what)
{
    const struct problem_place place = {.file = file, .setting = setting};

    if (e == ERR_MEMORY)
        p->problems->out_of_memory = true;
    else
        problems_add(p->problems, &place, "%s", *what ? what : err_text(e));
}

static void root_read(struct preparation *p, const char *path)
{
    struct buffer bytes = {0};
    char why[FILE_WHY_SIZE] = "";
    enum err e = file_read_trusted(path, ATTEST_CHAIN_MAX, FILE_INPUT, &bytes, why);

    if (e == ERR_NONE &&
        (e = attest_trust_add_simulated(&p->out->trust, buffer_span(&bytes))) != ERR_NONE)
        (void)snprintf(why, sizeof why, "this is not a certificate in PEM of a simulated platform");
    buffer_clear(&bytes);
    if (e != ERR_NONE)
        blame(p, path, "attestation.trust_simulated_roots", e, why);
}

static void trust_read(struct preparation *p)
{
    attest_trust_vendors(&p->out->trust);
    for (size_t i = 0; i < p->s->attestation.simulated_root_count; i++)
        root_read(p, p->s->attestation.simulated_roots[i]);
}

static void tokens_read(struct preparation *p)
{
    enum err e = token_table_new(p->s->tokens, p->s->token_count, &p->out->tokens);

    if (e != ERR_NONE)
        blame(p, "settings", "tokens", e, "");
}

static void tls_read(struct preparation *p)
{
    const char *certificate_file = p->s->tls.certificate_file;
    const char *key_file = p->s->tls.key_file;
    struct tls_files_why why;
    enum err e;

    if (p->s->tls.mode != TLS_MODE_FILES)
        return;
    e = tls_server_from_files(certificate_file, key_file, &why, &p->out->tls);
    if (e == ERR_MEMORY)
        p->problems->out_of_memory = true;
    if (*certificate_file && *why.chain)
        blame(p, certificate_file, "tls.certificate_file", ERR_CONFIG, why.chain);
    if (*key_file && *why.key)
        blame(p, key_file, "tls.key_file", ERR_CONFIG, why.key);
}

/* Without all anchors good collateral would not verify, so only the files are judged then. */
static void collateral_read(struct preparation *p, const struct prepare_in_use *in_use,
                            bool has_trust, struct timestamp now)
{
    struct collateral_reading reading = {.trust = in_use ? in_use->trust : &p->out->trust,
                                         .in_use = in_use ? in_use->collateral : NULL,
                                         .now = now,
                                         .form_only = !has_trust || p->s->partial};

    reading.setting = "attestation.collateral";
    for (size_t i = 0; i < p->s->attestation.collateral_count; i++)
        collateral_files_read(&p->out->collateral, &reading, p->s->attestation.collateral[i],
                              p->problems);
    reading.setting = "collateral.directories";
    for (size_t i = 0; i < p->s->collateral.directory_count; i++)
        collateral_files_read(&p->out->collateral, &reading, p->s->collateral.directories[i],
                              p->problems);
    if (!has_trust && p->s->attestation.collateral_count + p->s->collateral.directory_count > 0)
        blame(p, "settings", "attestation.collateral", ERR_CONFIG,
              "the collateral was read but not verified, because a certificate of "
              "attestation.trust_simulated_roots cannot be used; correct that one first");
}

/* `path` is NULL or "" without a file. `source` is NULL when the name of the source is at fault. */
static bool source_file_is_good(struct preparation *p, const char *source, const char *key,
                                const char *path, enum file_trust trust)
{
    char why[FILE_WHY_SIZE] = "";
    char setting[128];
    int fd = -1;
    enum err e;

    if (!path || !*path)
        return true;
    if ((e = file_open_trusted(path, trust, &fd, why)) == ERR_NONE) {
        (void)close(fd);
        return true;
    }
    (void)snprintf(setting, sizeof setting, "collateral.sources: %.80s%s%s", source ? source : "",
                   source ? ": " : "", key);
    blame(p, path, setting, e, why);
    return false;
}

static void source_open(struct preparation *p, const struct collateral_source_options *o,
                        struct collateral_source **out)
{
    const bool has_ca = source_file_is_good(p, o->name, "ca_file", o->ca_file, FILE_INPUT);
    const bool has_token =
        source_file_is_good(p, o->name, "token_file", o->token_file, FILE_SECRET);
    char setting[128];
    enum err e;

    if (!has_ca || !has_token || p->s->partial || (e = collateral_source_new(o, out)) == ERR_NONE)
        return;
    (void)snprintf(setting, sizeof setting, "collateral.sources: %.80s", o->name);
    blame(p, "settings", setting, e,
          e == ERR_CONFIG ? "its URL cannot be used, or its token file is empty; correct it" : "");
}

static bool any_has(struct collateral_source *const *sources, size_t count,
                    const struct collateral_key *key)
{
    for (size_t i = 0; i < count; i++)
        if (sources[i] && collateral_source_has(sources[i], key))
            return true;
    return false;
}

static void prefetch_check(struct preparation *p, struct collateral_source *const *sources,
                           bool all_open)
{
    for (size_t i = 0; i < p->s->collateral.prefetch_count; i++) {
        const char *name = p->s->collateral.prefetch[i];
        struct collateral_key key;
        char what[256] = "";

        if (collateral_key_parse(span_string(name), &key) != ERR_NONE)
            (void)snprintf(what, sizeof what,
                           "%.120s is not the name of collateral that can be fetched, such as "
                           "intel-sgx-00906ed50000-platform; correct it",
                           name);
        else if (!p->s->collateral.offline && all_open &&
                 !any_has(sources, p->s->collateral.source_count, &key))
            (void)snprintf(what, sizeof what,
                           "no source can have %.120s; add a source that has it, or remove it",
                           name);
        if (*what)
            blame(p, "settings", "collateral.prefetch", ERR_CONFIG, what);
    }
}

/* The files that the refresher opens when it starts, and those that it reads at each fetch. */
static void sources_check(struct preparation *p)
{
    struct collateral_source *sources[COLLATERAL_SOURCES_MAX] = {0};
    const size_t before = faults(p);
    const size_t count = p->s->collateral.source_count;

    for (size_t i = 0; i < count; i++)
        source_open(p, &p->s->collateral.sources[i], &sources[i]);
    prefetch_check(p, sources, faults(p) == before && !p->s->partial);
    for (size_t i = 0; i < count; i++)
        collateral_source_free(&sources[i]);
}

enum err prepare(const struct settings *s, const struct prepare_in_use *in_use,
                 struct timestamp now, struct prepared *out, struct problems *problems)
{
    struct preparation p = {s, out, problems};
    const size_t first = problems->count;
    size_t before = faults(&p);

    trust_read(&p);
    /* a keystore that runs keeps its anchors */
    collateral_read(&p, in_use, in_use || faults(&p) == before, now);
    tokens_read(&p);
    tls_read(&p);
    sources_check(&p);
    settings_add_places(s, problems, first);
    return problems_err(problems);
}
