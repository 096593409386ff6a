#include "attest/collateral.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const struct certificates_rule signing_rule = {
    .step = "tcb_signing",
    .count = 2,
    .first_is_ca = false,
    .first_name = "Intel SGX TCB Signing",
    .missing = ATTEST_TCB_SIGNING_CHAIN_INVALID,
    .invalid = ATTEST_TCB_SIGNING_CHAIN_INVALID,
    .too_long = ATTEST_TCB_SIGNING_CHAIN_INVALID,
};

static const struct certificates_rule crl_issuer_rule = {
    .step = "crl",
    .count = 2,
    .first_is_ca = true,
    .first_name = NULL,
    .missing = ATTEST_CRL_INVALID,
    .invalid = ATTEST_CRL_INVALID,
    .too_long = ATTEST_CRL_INVALID,
};

/* Collateral taken apart, before anything of it is believed. */
enum { KNOWN_CAPACITY = 4 };

struct parts {
    struct attest_cache *known; /* CAs that verified: the chains share their root */
    struct intel_signed tcb_info, qe_identity;
    struct span tcb_signing_chain, qe_identity_chain;
    struct span pck_crl, pck_crl_issuer_chain, root_crl;
};

static void narrow(struct timestamp *from, struct timestamp *until, struct timestamp other_from,
                   struct timestamp other_until)
{
    if (other_from.ms > from->ms)
        *from = other_from;
    if (other_until.ms < until->ms)
        *until = other_until;
}

/* All chains of one collateral end in one root: a simulated one cannot lend itself to others. */
MUST_CHECK static enum err root_adopt(struct attest_collateral *c, const struct certificates *chain,
                                      bool is_first, const char *step, struct refusal *r)
{
    if (is_first)
        memcpy(c->root_spki, chain->root_spki, SHA256_SIZE);
    else if (!span_equal(SPAN_OF(c->root_spki), SPAN_OF(chain->root_spki)))
        return refuse_bytes(r, ATTEST_ROOT_NOT_PINNED, step, "SHA-256 of root key",
                            SPAN_OF(c->root_spki), SPAN_OF(chain->root_spki));
    narrow(&c->certificates_from, &c->certificates_until, chain->valid_from, chain->valid_until);
    return ERR_NONE;
}

MUST_CHECK static enum err crl_read(struct span bytes, const struct x509_cert *issuer,
                                    struct x509_crl **out, struct refusal *r)
{
    enum err e;

    if (bytes.size == 0)
        return refuse(r, ATTEST_CRL_MISSING, "crl", "a revocation list", "nothing");
    if ((e = x509_crl_parse(bytes, out)) != ERR_NONE)
        return refuse_unless_memory(r, e, ATTEST_CRL_INVALID, "crl",
                                    "a complete revocation list with nextUpdate, in DER", NULL);
    if (!x509_crl_issuer_is(*out, issuer))
        return refuse(r, ATTEST_CRL_ISSUER_MISMATCH, "crl", "the list of its CA",
                      "a list of another issuer");
    if (x509_crl_signed_by(*out, issuer, X509_ECDSA_P256_SHA256) != ERR_NONE)
        return refuse(r, ATTEST_CRL_INVALID, "crl", "a list signed by its CA", NULL);
    return ERR_NONE;
}

/* The CRLs and their issuers: root CRL by the root, PCK CRL by a PCK CA that is not revoked. */
MUST_CHECK static enum err crls_read(struct attest_collateral *c, const struct attest_trust *trust,
                                     const struct parts *parts, struct refusal *r)
{
    struct certificates issuers = {0};
    enum err e;

    if ((e = certificates_read_cached(trust, parts->known, parts->pck_crl_issuer_chain,
                                      &crl_issuer_rule, &issuers, r)) != ERR_NONE ||
        (e = root_adopt(c, &issuers, true, "crl", r)) != ERR_NONE)
        goto out;
    if (!certificates_is_pck_ca(issuers.certs[0])) {
        e = refuse(r, ATTEST_CRL_ISSUER_MISMATCH, "crl",
                   "Intel SGX PCK Platform CA or Intel SGX PCK Processor CA", NULL);
        goto out;
    }
    if ((e = crl_read(parts->root_crl, issuers.certs[1], &c->root_crl, r)) != ERR_NONE ||
        (e = crl_read(parts->pck_crl, issuers.certs[0], &c->pck_crl, r)) != ERR_NONE)
        goto out;
    if (x509_crl_lists(c->root_crl, issuers.certs[0])) {
        e = refuse(r, ATTEST_PCK_CA_REVOKED, "crl", "a CA that is not revoked", "a revoked CA");
        goto out;
    }
    x509_cert_spki_sha256(issuers.certs[0], c->pck_ca_spki);
    c->pck_ca = issuers.certs[0];
    issuers.certs[0] = NULL; /* the collateral owns it now */
out:
    certificates_clear(&issuers);
    return e;
}

/* Intel's TCB signing key, by way of `pem`; the caller owns it. */
MUST_CHECK static enum err signer_read(struct attest_collateral *c,
                                       const struct attest_trust *trust, struct attest_cache *known,
                                       struct span pem, struct p256_public **out, struct refusal *r)
{
    struct certificates chain = {0};
    enum err e;

    if ((e = certificates_read_cached(trust, known, pem, &signing_rule, &chain, r)) != ERR_NONE ||
        (e = root_adopt(c, &chain, false, signing_rule.step, r)) != ERR_NONE)
        goto out;
    if (x509_crl_lists(c->root_crl, chain.certs[0])) {
        e = refuse(r, ATTEST_TCB_SIGNING_REVOKED, signing_rule.step,
                   "a certificate that is not revoked", "a revoked certificate");
        goto out;
    }
    if ((e = x509_cert_p256(chain.certs[0], out)) != ERR_NONE)
        e = refuse_unless_memory(r, e, ATTEST_TCB_SIGNING_CHAIN_INVALID, signing_rule.step,
                                 "a P-256 key", NULL);
out:
    certificates_clear(&chain);
    return e;
}

MUST_CHECK static enum err signature_check(const struct p256_public *key,
                                           const struct intel_signed *document,
                                           const struct intel_reasons *reasons, struct refusal *r)
{
    if (p256_verify(key, document->bytes, document->signature) != ERR_NONE)
        return refuse(r, reasons->signature_invalid, reasons->step,
                      "a signature over the document exactly as received", NULL);
    return ERR_NONE;
}

/* One chain for both documents is the rule; it is read once then. */
MUST_CHECK static enum err signatures_check(struct attest_collateral *c,
                                            const struct attest_trust *trust,
                                            const struct parts *parts, struct refusal *r)
{
    const bool is_shared = span_equal(parts->tcb_signing_chain, parts->qe_identity_chain);
    struct p256_public *key = NULL;
    struct p256_public *other = NULL;
    enum err e;

    if ((e = signer_read(c, trust, parts->known, parts->tcb_signing_chain, &key, r)) != ERR_NONE ||
        (e = signature_check(key, &parts->tcb_info, &tcb_info_reasons, r)) != ERR_NONE)
        goto out;
    if (!is_shared &&
        (e = signer_read(c, trust, parts->known, parts->qe_identity_chain, &other, r)) != ERR_NONE)
        goto out;
    e = signature_check(is_shared ? key : other, &parts->qe_identity, &qe_identity_reasons, r);
out:
    p256_public_free(&key);
    p256_public_free(&other);
    return e;
}

/* Verified first, interpreted later, and from a copy of our own. */
MUST_CHECK static enum err documents_read(struct attest_collateral *c,
                                          const struct attest_trust *trust,
                                          const struct parts *parts, struct refusal *r)
{
    enum err e;

    if ((e = signatures_check(c, trust, parts, r)) != ERR_NONE ||
        (e = buffer_append(&c->tcb_info_text, parts->tcb_info.bytes)) != ERR_NONE ||
        (e = buffer_append(&c->qe_identity_text, parts->qe_identity.bytes)) != ERR_NONE ||
        (e = tcb_info_parse(buffer_span(&c->tcb_info_text), &c->tcb_info, r)) != ERR_NONE ||
        (e = qe_identity_parse(buffer_span(&c->qe_identity_text), &c->qe_identity, r)) != ERR_NONE)
        return e;
    return ERR_NONE;
}

static void validity_read(struct attest_collateral *c)
{
    c->valid_from = c->certificates_from;
    c->valid_until = c->certificates_until;
    narrow(&c->valid_from, &c->valid_until, c->tcb_info.issued, c->tcb_info.next_update);
    narrow(&c->valid_from, &c->valid_until, c->qe_identity.issued, c->qe_identity.next_update);
    narrow(&c->valid_from, &c->valid_until, x509_crl_this_update(c->root_crl),
           x509_crl_next_update(c->root_crl));
    narrow(&c->valid_from, &c->valid_until, x509_crl_this_update(c->pck_crl),
           x509_crl_next_update(c->pck_crl));
}

MUST_CHECK static enum err collateral_build(const struct attest_trust *trust, struct parts *parts,
                                            struct attest_collateral **out, struct refusal *r)
{
    struct attest_collateral *c = calloc(1, sizeof *c);
    enum err e = ERR_MEMORY;

    if (!c)
        return e;
    if ((e = attest_cache_new(KNOWN_CAPACITY, &parts->known)) != ERR_NONE)
        goto out;
    c->certificates_from = (struct timestamp){INT64_MIN};
    c->certificates_until = (struct timestamp){INT64_MAX};
    if ((e = crls_read(c, trust, parts, r)) != ERR_NONE ||
        (e = documents_read(c, trust, parts, r)) != ERR_NONE)
        goto out;
    validity_read(c);
    *out = c;
    c = NULL; /* the caller owns it now */
out:
    attest_cache_free(&parts->known);
    attest_collateral_free(&c);
    return e;
}

MUST_CHECK static enum err result_of(enum err e, const struct refusal *r,
                                     enum attest_reason *reason)
{
    *reason = e == ERR_NONE ? ATTEST_OK : e == ERR_DENIED ? r->reason : ATTEST_INTERNAL;
    return e;
}

enum err attest_collateral_new(const struct attest_trust *trust,
                               const struct attest_collateral_input *input,
                               struct attest_collateral **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct parts parts = {
        .tcb_signing_chain = input->tcb_signing_chain,
        .qe_identity_chain =
            input->qe_identity_chain.size > 0 ? input->qe_identity_chain : input->tcb_signing_chain,
        .pck_crl = input->pck_crl,
        .pck_crl_issuer_chain = input->pck_crl_issuer_chain,
        .root_crl = input->root_crl,
    };
    enum err e;

    if ((e = intel_envelope_read(input->tcb_info, "tcbInfo", &tcb_info_reasons, &parts.tcb_info,
                                 &r)) == ERR_NONE &&
        (e = intel_envelope_read(input->qe_identity, "enclaveIdentity", &qe_identity_reasons,
                                 &parts.qe_identity, &r)) == ERR_NONE)
        e = collateral_build(trust, &parts, out, &r);
    return result_of(e, &r, reason);
}

struct timestamp attest_collateral_expiry(const struct attest_collateral *c)
{
    return c->valid_until;
}

void attest_collateral_free(struct attest_collateral **collateral)
{
    struct attest_collateral *c = *collateral;

    if (c) {
        tcb_info_clear(&c->tcb_info);
        qe_identity_clear(&c->qe_identity);
        x509_crl_free(&c->root_crl);
        x509_crl_free(&c->pck_crl);
        x509_cert_free(&c->pck_ca);
        buffer_clear(&c->tcb_info_text);
        buffer_clear(&c->qe_identity_text);
    }
    free(c);
    *collateral = NULL;
}

/* ---- bundles */

/* Members of a bundle in the order of the table below. */
struct bundle {
    struct buffer tcb_info, qe_identity, signing_chain, identity_chain, issuer_chain;
    struct buffer pck_crl, root_crl;
    struct buffer tcb_info_signature, qe_identity_signature;
};

static void bundle_clear(struct bundle *b)
{
    buffer_clear(&b->tcb_info);
    buffer_clear(&b->qe_identity);
    buffer_clear(&b->signing_chain);
    buffer_clear(&b->identity_chain);
    buffer_clear(&b->issuer_chain);
    buffer_clear(&b->pck_crl);
    buffer_clear(&b->root_crl);
    buffer_clear(&b->tcb_info_signature);
    buffer_clear(&b->qe_identity_signature);
}

/* A string without its escapes: the text inside is what was signed. */
MUST_CHECK static enum err text_read(struct json_value value, size_t max, struct buffer *out)
{
    size_t size = 0;
    enum err e;

    if (value.raw.size > 6 * max + 2) /* \u0000 is the longest way to write a byte */
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, value.raw.size)) != ERR_NONE ||
        (e = json_string(value, out->data, value.raw.size, &size)) != ERR_NONE)
        return e;
    if (size > max)
        return ERR_TOO_LARGE;
    out->size = size;
    return ERR_NONE;
}

MUST_CHECK static enum err hex_text_read(struct json_value value, size_t max, struct buffer *out)
{
    struct span hex;
    enum err e;

    if ((e = json_string_plain(value, &hex)) != ERR_NONE)
        return e;
    if (hex.size / 2 > max)
        return ERR_TOO_LARGE;
    if ((e = buffer_reserve(out, hex.size / 2 + 1)) != ERR_NONE ||
        (e = hex_read(hex, out->data, hex.size / 2)) != ERR_NONE)
        return e;
    out->size = hex.size / 2;
    return ERR_NONE;
}

MUST_CHECK static enum err bundle_read(struct json_value document, struct bundle *b,
                                       struct refusal *r)
{
    enum { MEMBERS = 9 };
    struct json_value values[MEMBERS] = {{0}};
    struct json_value ignored = {0};
    const struct {
        const char *name;
        size_t max;
        MUST_CHECK enum err (*read)(struct json_value value, size_t max, struct buffer *out);
        struct buffer *out;
    } members[MEMBERS] = {
        {"tcb_info",                 ATTEST_JSON_MAX,         text_read,     &b->tcb_info             },
        {"tcb_info_signature",       2 * P256_SIGNATURE_SIZE, text_read,     &b->tcb_info_signature   },
        {"tcb_info_issuer_chain",    ATTEST_CHAIN_MAX,        text_read,     &b->signing_chain        },
        {"qe_identity",              ATTEST_JSON_MAX,         text_read,     &b->qe_identity          },
        {"qe_identity_signature",    2 * P256_SIGNATURE_SIZE, text_read,     &b->qe_identity_signature},
        {"qe_identity_issuer_chain", ATTEST_CHAIN_MAX,        text_read,     &b->identity_chain       },
        {"pck_crl",                  ATTEST_CRL_MAX,          hex_text_read, &b->pck_crl              },
        {"pck_crl_issuer_chain",     ATTEST_CHAIN_MAX,        text_read,     &b->issuer_chain         },
        {"root_ca_crl",              ATTEST_CRL_MAX,          hex_text_read, &b->root_crl             },
    };
    /* newer bundles may carry the chain of one quote; only the quote's own is ever used */
    struct json_field fields[MEMBERS + 1] = {
        [MEMBERS] = {"pck_certificate_chain", JSON_STRING, false, &ignored}
    };
    const char *bad = "";
    enum err e;

    for (size_t i = 0; i < MEMBERS; i++)
        fields[i] = (struct json_field){members[i].name, JSON_STRING, true, &values[i]};
    if (json_object_read(document, fields, COUNT_OF(fields), false, &bad) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, "bundle", "a collateral bundle", bad);
    for (size_t i = 0; i < MEMBERS; i++)
        if ((e = members[i].read(values[i], members[i].max, members[i].out)) != ERR_NONE)
            return refuse_unless_memory(r, e,
                                        e == ERR_TOO_LARGE ? ATTEST_TOO_LARGE : ATTEST_MALFORMED,
                                        "bundle", "text or hex within its limit", members[i].name);
    return ERR_NONE;
}

MUST_CHECK static enum err bundle_build(const struct attest_trust *trust, const struct bundle *b,
                                        struct attest_collateral **out, struct refusal *r)
{
    struct parts parts = {
        .tcb_info.bytes = buffer_span(&b->tcb_info),
        .qe_identity.bytes = buffer_span(&b->qe_identity),
        .tcb_signing_chain = buffer_span(&b->signing_chain),
        .qe_identity_chain = buffer_span(&b->identity_chain),
        .pck_crl = buffer_span(&b->pck_crl),
        .pck_crl_issuer_chain = buffer_span(&b->issuer_chain),
        .root_crl = buffer_span(&b->root_crl),
    };
    enum err e;

    if ((e = intel_signature_read(buffer_span(&b->tcb_info_signature), &tcb_info_reasons,
                                  &parts.tcb_info, r)) != ERR_NONE ||
        (e = intel_signature_read(buffer_span(&b->qe_identity_signature), &qe_identity_reasons,
                                  &parts.qe_identity, r)) != ERR_NONE)
        return e;
    return collateral_build(trust, &parts, out, r);
}

enum err attest_collateral_from_bundle(const struct attest_trust *trust, struct span bundle,
                                       struct attest_collateral **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct json_value document;
    struct bundle b = {0};
    enum err e;

    if (bundle.size > ATTEST_BUNDLE_MAX)
        e = refuse(&r, ATTEST_TOO_LARGE, "bundle", NULL, NULL);
    else if (json_parse(bundle, &document, NULL) != ERR_NONE)
        e = refuse(&r, ATTEST_MALFORMED, "bundle", "JSON", NULL);
    else if ((e = bundle_read(document, &b, &r)) == ERR_NONE)
        e = bundle_build(trust, &b, out, &r);
    bundle_clear(&b);
    return result_of(e, &r, reason);
}

/* ---- use */

static bool is_for(const struct attest_collateral *c, enum tcb_info_tee tee,
                   const struct pck_chain *chain)
{
    return c->tcb_info.tee == tee &&
           span_equal(SPAN_OF(c->tcb_info.fmspc), SPAN_OF(chain->pck.fmspc)) &&
           span_equal(SPAN_OF(c->root_spki), SPAN_OF(chain->certificates.root_spki)) &&
           span_equal(SPAN_OF(c->pck_ca_spki), SPAN_OF(chain->ca_spki));
}

static bool is_valid_at(const struct attest_collateral *c, struct timestamp now)
{
    return c->valid_from.ms <= now.ms && now.ms <= c->valid_until.ms;
}

/* Valid now before not; then the higher evaluation number; then the later end. */
static bool is_better(const struct attest_collateral *a, const struct attest_collateral *b,
                      struct timestamp now)
{
    if (is_valid_at(a, now) != is_valid_at(b, now))
        return is_valid_at(a, now);
    if (a->tcb_info.evaluation_number != b->tcb_info.evaluation_number)
        return a->tcb_info.evaluation_number > b->tcb_info.evaluation_number;
    return a->valid_until.ms > b->valid_until.ms;
}

enum err collateral_choose(const struct attest_collateral_set *set, enum tcb_info_tee tee,
                           const struct pck_chain *chain, struct timestamp now,
                           const struct attest_collateral **out, struct refusal *r)
{
    const struct attest_collateral *best = NULL;

    for (size_t i = 0; set && i < set->count; i++)
        if (is_for(set->items[i], tee, chain) && (!best || is_better(set->items[i], best, now)))
            best = set->items[i];
    if (!best && set && set->count == 1)
        best = set->items[0];
    if (!best) {
        enum err e = refuse_bytes(r, ATTEST_COLLATERAL_MISSING, "collateral", "fmspc",
                                  SPAN_OF(chain->pck.fmspc), (struct span){0});

        r->presented[0] = '\0';
        return e;
    }
    *out = best;
    return ERR_NONE;
}

MUST_CHECK static enum err document_check_time(struct timestamp issued,
                                               struct timestamp next_update, const char *step,
                                               struct timestamp now, struct refusal *r)
{
    if (now.ms < issued.ms)
        return refuse_time(r, ATTEST_COLLATERAL_NOT_YET_VALID, step, "valid from", issued, now);
    if (now.ms > next_update.ms)
        return refuse_time(r, ATTEST_COLLATERAL_EXPIRED, step, "valid until", next_update, now);
    return ERR_NONE;
}

MUST_CHECK static enum err crl_check_time(const struct x509_crl *crl, struct timestamp now,
                                          struct refusal *r)
{
    struct timestamp from = x509_crl_this_update(crl);

    if (x509_crl_valid_at(crl, now))
        return ERR_NONE;
    if (now.ms < from.ms)
        return refuse_time(r, ATTEST_CRL_TIME, "crl", "valid from", from, now);
    return refuse_time(r, ATTEST_CRL_TIME, "crl", "valid until", x509_crl_next_update(crl), now);
}

enum err collateral_check_signing(const struct attest_collateral *c, struct timestamp now,
                                  struct refusal *r)
{
    return certificates_check_time(c->certificates_from, c->certificates_until, "tcb_signing", now,
                                   r);
}

MUST_CHECK static enum err check_revocation(const struct attest_collateral *c,
                                            const struct pck_chain *chain, struct refusal *r)
{
    if (!span_equal(SPAN_OF(c->root_spki), SPAN_OF(chain->certificates.root_spki)))
        return refuse_bytes(r, ATTEST_CRL_ISSUER_MISMATCH, "crl", "SHA-256 of root key",
                            SPAN_OF(chain->certificates.root_spki), SPAN_OF(c->root_spki));
    /* name and key: the list is this CA's, not one of a namesake */
    if (!x509_cert_same_subject(c->pck_ca, pck_chain_ca(chain)) ||
        !span_equal(SPAN_OF(c->pck_ca_spki), SPAN_OF(chain->ca_spki)))
        return refuse(r, ATTEST_CRL_ISSUER_MISMATCH, "crl",
                      "the list of the CA that issued the PCK certificate",
                      "the list of another CA");
    if (x509_crl_lists(c->root_crl, pck_chain_ca(chain)))
        return refuse(r, ATTEST_PCK_CA_REVOKED, "crl", "a CA that is not revoked", "a revoked CA");
    if (x509_crl_lists(c->pck_crl, pck_chain_leaf(chain)))
        return refuse(r, ATTEST_PCK_REVOKED, "crl", "a PCK certificate that is not revoked",
                      "a revoked certificate");
    return ERR_NONE;
}

enum err collateral_check_crls(const struct attest_collateral *c, const struct pck_chain *chain,
                               struct timestamp now, struct refusal *r)
{
    enum err e;

    if ((e = crl_check_time(c->root_crl, now, r)) != ERR_NONE ||
        (e = crl_check_time(c->pck_crl, now, r)) != ERR_NONE)
        return e;
    return check_revocation(c, chain, r);
}

enum err collateral_check_tcb_info(const struct attest_collateral *c, enum tcb_info_tee tee,
                                   const struct pck *pck, struct timestamp now, struct refusal *r)
{
    static const char *const ids[] = {[TCB_INFO_SGX] = "id SGX", [TCB_INFO_TDX] = "id TDX"};
    const struct tcb_info *info = &c->tcb_info;

    if (info->tee != tee)
        return refuse(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", ids[tee], ids[info->tee]);
    if (!span_equal(SPAN_OF(info->fmspc), SPAN_OF(pck->fmspc)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "fmspc", SPAN_OF(info->fmspc),
                            SPAN_OF(pck->fmspc));
    if (!span_equal(SPAN_OF(info->pce_id), SPAN_OF(pck->pce_id)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "pceId", SPAN_OF(info->pce_id),
                            SPAN_OF(pck->pce_id));
    return document_check_time(info->issued, info->next_update, "tcb_info", now, r);
}

enum err collateral_check_qe_identity(const struct attest_collateral *c, enum qe_identity_kind kind,
                                      struct timestamp now, struct refusal *r)
{
    static const char *const ids[] = {[QE_IDENTITY_SGX] = "id QE", [QE_IDENTITY_TDX] = "id TD_QE"};
    const struct qe_identity *identity = &c->qe_identity;

    if (identity->kind != kind)
        return refuse(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", ids[kind],
                      ids[identity->kind]);
    return document_check_time(identity->issued, identity->next_update, "qe_identity", now, r);
}
