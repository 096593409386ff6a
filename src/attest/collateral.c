#include "attest/collateral_build.h"

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

enum { KNOWN_CAPACITY = 4 };

static void narrow(struct timestamp *from, struct timestamp *until, struct timestamp other_from,
                   struct timestamp other_until)
{
    if (other_from.ms > from->ms)
        *from = other_from;
    if (other_until.ms < until->ms)
        *until = other_until;
}

/* All chains of one collateral end in one root, so a simulated root cannot serve for others. */
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

/* Checks the CRLs and their issuers: root CRL by the root, PCK CRL by a PCK CA that is not
 * revoked. */
MUST_CHECK static enum err crls_read(struct attest_collateral *c, const struct attest_trust *trust,
                                     const struct collateral_parts *parts, struct refusal *r)
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
    if (x509_crl_lists(c->root_crl, issuers.certs[0]))
        c->revoked = ATTEST_PCK_CA_REVOKED;
    x509_cert_spki_sha256(issuers.certs[0], c->pck_ca_spki);
    c->pck_ca = issuers.certs[0];
    issuers.certs[0] = NULL; /* the collateral owns it now */
out:
    certificates_clear(&issuers);
    return e;
}

/* Reads Intel's TCB signing key through `pem`; the caller owns it. */
MUST_CHECK static enum err signer_read(struct attest_collateral *c,
                                       const struct attest_trust *trust, struct attest_cache *known,
                                       struct span pem, struct x509_cert **signer,
                                       struct p256_public **out, struct refusal *r)
{
    struct certificates chain = {0};
    enum err e;

    if ((e = certificates_read_cached(trust, known, pem, &signing_rule, &chain, r)) != ERR_NONE ||
        (e = root_adopt(c, &chain, false, signing_rule.step, r)) != ERR_NONE)
        goto out;
    if (x509_crl_lists(c->root_crl, chain.certs[0]))
        c->revoked = ATTEST_TCB_SIGNING_REVOKED;
    if ((e = x509_cert_p256(chain.certs[0], out)) != ERR_NONE) {
        e = refuse_unless_memory(r, e, ATTEST_TCB_SIGNING_CHAIN_INVALID, signing_rule.step,
                                 "a P-256 key", NULL);
        goto out;
    }
    *signer = chain.certs[0];
    chain.certs[0] = NULL; /* the collateral owns it now */
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

/* Usually both documents have the same chain. Then it is read once. */
MUST_CHECK static enum err signatures_check(struct attest_collateral *c,
                                            const struct attest_trust *trust,
                                            const struct collateral_parts *parts, struct refusal *r)
{
    const bool is_shared = span_equal(parts->tcb_signing_chain, parts->qe_identity_chain);
    struct p256_public *key = NULL;
    struct p256_public *other = NULL;
    enum err e;

    if ((e = signer_read(c, trust, parts->known, parts->tcb_signing_chain, &c->tcb_signer, &key,
                         r)) != ERR_NONE ||
        (e = signature_check(key, &parts->tcb_info, &tcb_info_reasons, r)) != ERR_NONE)
        goto out;
    if (!is_shared && (e = signer_read(c, trust, parts->known, parts->qe_identity_chain,
                                       &c->qe_signer, &other, r)) != ERR_NONE)
        goto out;
    e = signature_check(is_shared ? key : other, &parts->qe_identity, &qe_identity_reasons, r);
out:
    p256_public_free(&key);
    p256_public_free(&other);
    return e;
}

/* Verifies first, then parses its own copy. */
MUST_CHECK static enum err documents_read(struct attest_collateral *c,
                                          const struct attest_trust *trust,
                                          const struct collateral_parts *parts, struct refusal *r)
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

enum err collateral_build(const struct attest_trust *trust, struct collateral_parts *parts,
                          struct attest_collateral **out, struct refusal *r)
{
    struct attest_collateral *c = calloc(1, sizeof *c);
    enum err e = ERR_MEMORY;

    if (!c)
        return e;
    if ((e = attest_cache_new(KNOWN_CAPACITY, &parts->known)) != ERR_NONE)
        goto out;
    c->revoked = ATTEST_OK;
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

enum err collateral_result(enum err e, const struct refusal *r, enum attest_reason *reason)
{
    *reason = e == ERR_NONE ? ATTEST_OK : e == ERR_DENIED ? r->reason : ATTEST_INTERNAL;
    return e;
}

/* Refuses collateral that its own root CRL revokes. */
enum err collateral_strict(struct attest_collateral **c, struct refusal *r)
{
    enum attest_reason revoked = (*c)->revoked;

    if (revoked == ATTEST_OK)
        return ERR_NONE;
    attest_collateral_free(c);
    if (revoked == ATTEST_PCK_CA_REVOKED)
        return refuse(r, revoked, "crl", "a CA that is not revoked", "a revoked CA");
    return refuse(r, revoked, signing_rule.step, "a certificate that is not revoked",
                  "a revoked certificate");
}

enum err attest_collateral_new(const struct attest_trust *trust,
                               const struct attest_collateral_input *input,
                               struct attest_collateral **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct attest_collateral *made = NULL;
    struct collateral_parts parts = {
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
        e = collateral_build(trust, &parts, &made, &r);
    if (e == ERR_NONE && (e = collateral_strict(&made, &r)) == ERR_NONE)
        *out = made;
    return collateral_result(e, &r, reason);
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
        x509_cert_free(&c->tcb_signer);
        x509_cert_free(&c->qe_signer);
        buffer_clear(&c->tcb_info_text);
        buffer_clear(&c->qe_identity_text);
    }
    free(c);
    *collateral = NULL;
}
