#include "attest/collateral_build.h"

#include "base/text.h"

/* The members of a bundle in the order of the table below. */
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

/* A string without its escapes: the signature covers the text inside. */
MUST_CHECK static enum err text_read(struct json_value value, size_t max, struct buffer *out)
{
    size_t size = 0;
    enum err e;

    if (value.raw.size > 6 * max + 2) /* \u0000 is the longest form of one byte */
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
    /* newer bundles may carry the chain of one quote; only the quote's own chain is used */
    struct json_field fields[MEMBERS + 2] = {
        [MEMBERS] = {"pck_certificate_chain", JSON_STRING, false, &ignored},
        [MEMBERS + 1] = {"set",                   JSON_STRING, false, &ignored}, /* of collateral/parts.h */
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
    struct collateral_parts parts = {
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

MUST_CHECK static enum err from_text(const struct attest_trust *trust, struct span bundle,
                                     struct attest_collateral **out, struct refusal *r)
{
    struct json_value document;
    struct bundle b = {0};
    enum err e;

    if (bundle.size > ATTEST_BUNDLE_MAX)
        e = refuse(r, ATTEST_TOO_LARGE, "bundle", NULL, NULL);
    else if (json_parse(bundle, &document, NULL) != ERR_NONE)
        e = refuse(r, ATTEST_MALFORMED, "bundle", "JSON", NULL);
    else if ((e = bundle_read(document, &b, r)) == ERR_NONE)
        e = bundle_build(trust, &b, out, r);
    bundle_clear(&b);
    return e;
}

enum err attest_collateral_from_bundle(const struct attest_trust *trust, struct span bundle,
                                       struct attest_collateral **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};
    struct attest_collateral *made = NULL;
    enum err e = from_text(trust, bundle, &made, &r);

    if (e == ERR_NONE && (e = collateral_strict(&made, &r)) == ERR_NONE)
        *out = made;
    return collateral_result(e, &r, reason);
}

enum err attest_collateral_keep_bundle(const struct attest_trust *trust, struct span bundle,
                                       struct attest_collateral **out, enum attest_reason *reason)
{
    struct refusal r = {.reason = ATTEST_INTERNAL};

    return collateral_result(from_text(trust, bundle, out, &r), &r, reason);
}
