#include "collateral/source.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/x509.h"
#include "net/http_client.h"

enum { TIMEOUT_DEFAULT_MS = 30000, TOKEN_MAX = 4096, PATH_MAX_SIZE = 512, TURIN_HWID_SIZE = 8 };

struct collateral_source {
    const struct source_kind *kind;
    struct collateral_source_options options;
    struct secret *authorization; /* "Authorization: Bearer ...", terminated; or NULL */
};

/* One fetch: several requests under one deadline. */
struct fetch {
    struct collateral_source *source;
    int64_t deadline_us;
    struct collateral_failure *failure;
};

typedef MUST_CHECK enum err fetch_kind(struct fetch *f, const struct collateral_key *key,
                                       struct buffer *out);
static fetch_kind intel_fetch, kds_fetch, peer_fetch;

static const struct source_kind {
    const char *name;
    const char *url;          /* the vendor's URL; NULL: the setting is required */
    const char *root_crl_url; /* host of the root CRL; NULL: the source's own */
    const char *root_crl_path;
    unsigned kinds; /* bit per collateral_kind */
    fetch_kind *fetch;
} source_kinds[COLLATERAL_SOURCE_TYPES] = {
    [COLLATERAL_SOURCE_PCS] = {"pcs",  COLLATERAL_PCS_URL, COLLATERAL_PCS_ROOT_CRL_URL,
                               "/IntelSGXRootCA.der",                                                                      1u << COLLATERAL_INTEL, intel_fetch},
    [COLLATERAL_SOURCE_PCCS] = {"pccs", NULL,               NULL,                        "/sgx/certification/v4/rootcacrl",
                               1u << COLLATERAL_INTEL,                                                                                             intel_fetch},
    [COLLATERAL_SOURCE_KDS] = {"kds",  COLLATERAL_KDS_URL, NULL,                        NULL,
                               1u << COLLATERAL_AMD | 1u << COLLATERAL_VEK,                                                                        kds_fetch  },
    [COLLATERAL_SOURCE_PEER] = {"peer", NULL,               NULL,                        NULL,
                               1u << COLLATERAL_INTEL | 1u << COLLATERAL_AMD |
                                    1u << COLLATERAL_VEK,
                               peer_fetch                                                                                                                     },
};

const char *collateral_source_type_name(enum collateral_source_type type)
{
    assert((unsigned)type < COLLATERAL_SOURCE_TYPES);
    return source_kinds[type].name;
}

/* ---- requests ---- */

/* What came has not the form of collateral. */
MUST_CHECK static enum err fail_form(struct fetch *f, enum err e, const char *expected)
{
    (void)snprintf(f->failure->why, sizeof f->failure->why,
                   "the answers do not have the form of %s", expected);
    return e;
}

MUST_CHECK static enum err fail(struct fetch *f, enum err e, const char *path, const char *why)
{
    (void)snprintf(f->failure->why, sizeof f->failure->why, "GET %.120s: %.110s", path, why);
    return e;
}

/* Handles an answer that is not a success. */
MUST_CHECK static enum err judge_status(struct fetch *f, const char *path,
                                        const struct http_client_reply *reply)
{
    char why[64];

    if (reply->status == 200)
        return ERR_NONE;
    f->failure->status = reply->status;
    f->failure->retry_after_s = reply->retry_after_s;
    f->failure->absent = reply->status == 404;
    (void)snprintf(why, sizeof why, "status %u", reply->status);
    return fail(f, ERR_IO, path, why);
}

/* GET <host><path> into `out`; headers as http_client_send() has them. */
MUST_CHECK static enum err get(struct fetch *f, const char *host, const char *path, size_t max,
                               struct http_client_header *wanted, size_t wanted_count,
                               struct buffer *out)
{
    const struct collateral_source_options *o = &f->source->options;
    int64_t left_ms = (f->deadline_us - clock_monotonic_us()) / 1000;
    const char *const headers[] = {
        f->source->authorization ? (const char *)secret_data(f->source->authorization) : NULL,
        NULL};
    struct http_client_options options = {.base_url = host,
                                          .ca_file = o->ca_file,
                                          .timeout_ms = left_ms > 0 ? (unsigned)left_ms : 1,
                                          .body_max = max,
                                          .stop = o->stop};
    struct http_client_request request = {.method = "GET",
                                          .path = path,
                                          .headers = headers,
                                          .wanted = wanted,
                                          .wanted_count = wanted_count};
    struct http_client_reply reply = {0};
    struct http_client *client = NULL;
    char why[256] = "out of memory";
    enum err e;

    if (left_ms <= 0)
        return fail(f, ERR_TIMEOUT, path, "the deadline passed");
    if ((e = http_client_new(&options, &client)) != ERR_NONE ||
        (e = http_client_send(client, &request, &reply, why)) != ERR_NONE)
        e = fail(f, e, path, why);
    else if ((e = judge_status(f, path, &reply)) == ERR_NONE)
        e = buffer_append(out, secret_span(reply.body));
    http_client_free(&client);
    secret_free(&reply.body);
    return e;
}

/* ---- Intel ---- */

/* The parts of one platform, as received. */
struct intel_parts {
    struct buffer tcb_info, qe_identity, pck_crl, root_crl;
    struct buffer tcb_chain, qe_chain, crl_chain; /* PEM */
};

static void intel_clear(struct intel_parts *p)
{
    buffer_clear(&p->tcb_info);
    buffer_clear(&p->qe_identity);
    buffer_clear(&p->pck_crl);
    buffer_clear(&p->root_crl);
    buffer_clear(&p->tcb_chain);
    buffer_clear(&p->qe_chain);
    buffer_clear(&p->crl_chain);
}

/* Gets a body, and the issuer chain from the one of two headers that is present. */
MUST_CHECK static enum err get_with_chain(struct fetch *f, const char *path, size_t max,
                                          const char *header, const char *other_header,
                                          struct buffer *body, struct buffer *chain)
{
    struct http_client_header wanted[] = {
        {header,       {0}},
        {other_header, {0}},
    };
    enum err e = get(f, f->source->options.url, path, max, wanted, COUNT_OF(wanted), body);

    if (e == ERR_NONE) {
        const struct buffer *given = wanted[0].value.size > 0 ? &wanted[0].value : &wanted[1].value;

        if (given->size == 0)
            e = fail(f, ERR_MALFORMED, path, "no header with the issuer's chain");
        else if ((e = collateral_url_decode(buffer_span(given), chain)) != ERR_NONE)
            e = fail(f, e, path, "the header with the issuer's chain is not URL-encoded PEM");
    }
    buffer_clear(&wanted[0].value);
    buffer_clear(&wanted[1].value);
    return e;
}

MUST_CHECK static enum err root_crl_get(struct fetch *f, struct buffer *out)
{
    const struct collateral_source *s = f->source;
    const char *host = s->options.root_crl_url;

    return get(f, host, s->kind->root_crl_path, 2 * ATTEST_CRL_MAX + 64, NULL, 0, out);
}

static bool is_early(const struct collateral_source_options *o)
{
    return o->early || o->evaluation_number > 0;
}

/* The query for another set than the standard one (PCS API v4); "" for the standard set. */
static void set_write(const struct collateral_source_options *o, char out[40])
{
    if (o->evaluation_number > 0)
        (void)snprintf(out, 40, "tcbEvaluationDataNumber=%u", o->evaluation_number);
    else
        (void)snprintf(out, 40, "%s", o->early ? "update=early" : "");
}

MUST_CHECK static enum err intel_get(struct fetch *f, const struct collateral_key *key,
                                     struct intel_parts *p)
{
    const char *tee = key->tdx ? "tdx" : "sgx";
    char set[40];
    char tcb[PATH_MAX_SIZE];
    char qe[PATH_MAX_SIZE];
    char crl[PATH_MAX_SIZE];
    enum err e;

    set_write(&f->source->options, set);
    /* upper case, as in Intel's documents */
    (void)snprintf(tcb, sizeof tcb, "/%s/certification/v4/tcb?fmspc=%02X%02X%02X%02X%02X%02X%s%s",
                   tee, key->fmspc[0], key->fmspc[1], key->fmspc[2], key->fmspc[3], key->fmspc[4],
                   key->fmspc[5], *set ? "&" : "", set);
    (void)snprintf(qe, sizeof qe, "/%s/certification/v4/qe/identity%s%s", tee, *set ? "?" : "",
                   set);
    (void)snprintf(crl, sizeof crl, "/sgx/certification/v4/pckcrl?ca=%s&encoding=der",
                   key->processor_ca ? "processor" : "platform");
    if ((e = get_with_chain(f, tcb, ATTEST_JSON_MAX, "TCB-Info-Issuer-Chain",
                            "SGX-TCB-Info-Issuer-Chain", &p->tcb_info, &p->tcb_chain)) !=
            ERR_NONE ||
        (e = get_with_chain(f, qe, ATTEST_JSON_MAX, "SGX-Enclave-Identity-Issuer-Chain",
                            "Enclave-Identity-Issuer-Chain", &p->qe_identity, &p->qe_chain)) !=
            ERR_NONE ||
        (e = get_with_chain(f, crl, 2 * ATTEST_CRL_MAX + 64, "SGX-PCK-CRL-Issuer-Chain",
                            "PCK-CRL-Issuer-Chain", &p->pck_crl, &p->crl_chain)) != ERR_NONE)
        return e;
    return root_crl_get(f, &p->root_crl);
}

MUST_CHECK static enum err intel_fetch(struct fetch *f, const struct collateral_key *key,
                                       struct buffer *out)
{
    struct intel_parts p = {0};
    enum err e = intel_get(f, key, &p);

    if (e == ERR_NONE) {
        e = collateral_document_intel(
            &(struct attest_collateral_input){
                .tcb_info = buffer_span(&p.tcb_info),
                .qe_identity = buffer_span(&p.qe_identity),
                .tcb_signing_chain = buffer_span(&p.tcb_chain),
                .qe_identity_chain = buffer_span(&p.qe_chain),
                .pck_crl = buffer_span(&p.pck_crl),
                .pck_crl_issuer_chain = buffer_span(&p.crl_chain),
                .root_crl = buffer_span(&p.root_crl),
            },
            out);
        if (e != ERR_NONE)
            e = fail_form(f, e, "TCB info, QE identity and CRLs");
        else if (key->early)
            e = collateral_document_early(out);
    }
    intel_clear(&p);
    return e;
}

/* ---- AMD ---- */

MUST_CHECK static enum err kds_get(struct fetch *f, const char *type,
                                   const struct collateral_key *key, const char *what, size_t max,
                                   struct buffer *out)
{
    char path[PATH_MAX_SIZE];

    (void)snprintf(path, sizeof path, "/%s/v1/%s/%s", type, collateral_product_title(key->product),
                   what);
    return get(f, f->source->options.url, path, max, NULL, 0, out);
}

MUST_CHECK static enum err amd_fetch(struct fetch *f, const struct collateral_key *key,
                                     struct buffer *out)
{
    struct buffer vcek = {0};
    struct buffer vlek = {0};
    struct buffer crl = {0};
    enum err e;

    if ((e = kds_get(f, "vcek", key, "cert_chain", ATTEST_CHAIN_MAX, &vcek)) == ERR_NONE &&
        (e = kds_get(f, "vlek", key, "cert_chain", ATTEST_CHAIN_MAX, &vlek)) == ERR_NONE &&
        (e = kds_get(f, "vcek", key, "crl", ATTEST_CRL_MAX, &crl)) == ERR_NONE) {
        e = collateral_document_amd(
            &(struct attest_amd_input){buffer_span(&vcek), buffer_span(&vlek), buffer_span(&crl)},
            out);
        if (e != ERR_NONE)
            e = fail_form(f, e, "certificate chains and a CRL");
    }
    buffer_clear(&vcek);
    buffer_clear(&vlek);
    buffer_clear(&crl);
    return e;
}

MUST_CHECK static enum err vcek_fetch(struct fetch *f, const struct collateral_key *key,
                                      struct buffer *out)
{
    bool turin = key->product == ATTEST_AMD_TURIN;
    char hwid[2 * sizeof key->chip_id + 1];
    char name[COLLATERAL_NAME_SIZE];
    char query[PATH_MAX_SIZE / 2];
    char fmc[16] = "";
    struct buffer certificate = {0};
    enum err e;

    hex_write(span_of(key->chip_id, turin ? TURIN_HWID_SIZE : sizeof key->chip_id), hwid);
    if (turin)
        (void)snprintf(fmc, sizeof fmc, "&fmcSPL=%02u", key->tcb.fmc);
    (void)snprintf(query, sizeof query, "%s?blSPL=%02u&teeSPL=%02u&snpSPL=%02u&ucodeSPL=%02u%s",
                   hwid, key->tcb.boot_loader, key->tcb.tee, key->tcb.snp, key->tcb.microcode, fmc);
    collateral_key_name(key, name);
    e = kds_get(f, "vcek", key, query, X509_MAX_SIZE, &certificate);
    if (e == ERR_NONE &&
        (e = collateral_document_vek(buffer_span(&certificate), name, out)) != ERR_NONE)
        e = fail_form(f, e, "a certificate");
    buffer_clear(&certificate);
    return e;
}

MUST_CHECK static enum err kds_fetch(struct fetch *f, const struct collateral_key *key,
                                     struct buffer *out)
{
    return key->kind == COLLATERAL_AMD ? amd_fetch(f, key, out) : vcek_fetch(f, key, out);
}

/* ---- a peer ---- */

MUST_CHECK static enum err peer_fetch(struct fetch *f, const struct collateral_key *key,
                                      struct buffer *out)
{
    char name[COLLATERAL_NAME_SIZE];
    char path[PATH_MAX_SIZE];

    collateral_key_name(key, name);
    (void)snprintf(path, sizeof path, "/v1/collateral/item?name=%s", name);
    return get(f, f->source->options.url, path, COLLATERAL_DOCUMENT_MAX, NULL, 0, out);
}

/* ---- life ---- */

static bool is_set(const char *text)
{
    return text && *text;
}

MUST_CHECK static enum err token_read(const char *path, struct secret **out)
{
    static const char prefix[] = "Authorization: Bearer ";
    struct buffer token = {0};
    uint8_t *text;
    char why[FILE_WHY_SIZE];
    enum err e = file_read_trusted(path, TOKEN_MAX, FILE_SECRET, &token, why);

    while (e == ERR_NONE && token.size > 0 && strchr(" \t\r\n", token.data[token.size - 1]))
        token.size--;
    if (e == ERR_NONE && token.size == 0)
        e = ERR_CONFIG;
    if (e == ERR_NONE && (e = secret_new(sizeof prefix + token.size, out)) == ERR_NONE) {
        text = secret_data(*out);
        memcpy(text, prefix, sizeof prefix - 1);
        memcpy(text + sizeof prefix - 1, token.data, token.size);
        text[sizeof prefix - 1 + token.size] = '\0';
    }
    buffer_clear(&token);
    return e;
}

enum err collateral_source_new(const struct collateral_source_options *options,
                               struct collateral_source **out)
{
    struct collateral_source *s;
    struct http_client *trial = NULL;
    enum err e;

    if ((unsigned)options->type >= COLLATERAL_SOURCE_TYPES)
        return ERR_CONFIG;
    s = calloc(1, sizeof *s);
    if (!s)
        return ERR_MEMORY;
    s->options = *options;
    s->kind = &source_kinds[options->type];
    if (!is_set(options->url))
        s->options.url = s->kind->url;
    if (!is_set(options->root_crl_url))
        s->options.root_crl_url =
            is_set(options->url) || !s->kind->root_crl_url ? s->options.url : s->kind->root_crl_url;
    if (!is_set(options->ca_file))
        s->options.ca_file = NULL;
    if (s->options.timeout_ms == 0)
        s->options.timeout_ms = TIMEOUT_DEFAULT_MS;
    e = http_client_new(&(struct http_client_options){.base_url = s->options.url}, &trial);
    http_client_free(&trial);
    if (e == ERR_NONE && is_set(options->token_file))
        e = token_read(options->token_file, &s->authorization);
    if (e != ERR_NONE) {
        collateral_source_free(&s);
        return e;
    }
    *out = s;
    return ERR_NONE;
}

void collateral_source_free(struct collateral_source **s)
{
    if (*s)
        secret_free(&(*s)->authorization);
    free(*s);
    *s = NULL;
}

const char *collateral_source_name(const struct collateral_source *s)
{
    return s->options.name;
}

bool collateral_source_has(const struct collateral_source *s, const struct collateral_key *key)
{
    /* a peer may have any item; of Intel's sets a source serves only the configured one */
    if (key->kind == COLLATERAL_INTEL && s->options.type != COLLATERAL_SOURCE_PEER &&
        key->early != is_early(&s->options))
        return false;
    return (s->kind->kinds & 1u << key->kind) != 0;
}

enum err collateral_source_fetch(struct collateral_source *s, const struct collateral_key *key,
                                 struct buffer *out, struct collateral_failure *failure)
{
    struct fetch f = {.source = s,
                      .deadline_us = clock_monotonic_us() + (int64_t)s->options.timeout_ms * 1000,
                      .failure = failure};

    *failure = (struct collateral_failure){0};
    return s->kind->fetch(&f, key, out);
}
