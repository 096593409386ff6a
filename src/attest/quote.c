#include "attest/quote.h"

#include <stdio.h>

#include "attest/sgx_report.h"
#include "attest/td_report.h"
#include "base/reader.h"
#include "crypto/p256.h"

static const uint8_t intel_vendor[QUOTE_VENDOR_SIZE] = {
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

static struct quote_header header_read(struct reader *r)
{
    struct quote_header h = {0};

    h.version = reader_u16le(r);
    h.key_type = reader_u16le(r);
    h.tee_type = reader_u32le(r);
    h.qe_svn = reader_u16le(r);
    h.pce_svn = reader_u16le(r);
    h.vendor = reader_take(r, QUOTE_VENDOR_SIZE);
    h.user_data = reader_take(r, 20);
    return h;
}

MUST_CHECK static enum err version_refuse(uint16_t version, struct refusal *r)
{
    enum err e = refuse_number(r, ATTEST_UNSUPPORTED_VERSION, "header", "version", 5, version);

    (void)snprintf(r->expected, sizeof r->expected, "version 3, 4 or 5");
    return e;
}

MUST_CHECK static enum err header_check(const struct quote_header *h, struct refusal *r)
{
    if (h->version < 3 || h->version > 5)
        return version_refuse(h->version, r);
    if (h->key_type != QUOTE_KEY_ECDSA_P256)
        return refuse_number(r, ATTEST_UNSUPPORTED_ATTESTATION_KEY_TYPE, "header",
                             "attestation key type", QUOTE_KEY_ECDSA_P256, h->key_type);
    if (h->tee_type != QUOTE_TEE_SGX && (h->tee_type != QUOTE_TEE_TDX || h->version == 3))
        return refuse_number(r, ATTEST_TEE_TYPE_MISMATCH, "header", "TEE type",
                             h->version == 3 ? QUOTE_TEE_SGX : QUOTE_TEE_TDX, h->tee_type);
    if (!span_equal(h->vendor, SPAN_OF(intel_vendor)))
        return refuse_bytes(r, ATTEST_UNKNOWN_QE_VENDOR, "header", "vendor", SPAN_OF(intel_vendor),
                            h->vendor);
    return ERR_NONE;
}

/* The bodies of version 5. */
static const struct body {
    uint16_t type;
    uint32_t tee_type;
    uint32_t size;
} bodies[] = {
    {QUOTE_BODY_SGX,   QUOTE_TEE_SGX, SGX_REPORT_SIZE  },
    {QUOTE_BODY_TD_10, QUOTE_TEE_TDX, TD_REPORT_10_SIZE},
    {QUOTE_BODY_TD_15, QUOTE_TEE_TDX, TD_REPORT_15_SIZE},
};

static const struct body *body_find(uint16_t type)
{
    for (size_t i = 0; i < COUNT_OF(bodies); i++)
        if (bodies[i].type == type)
            return &bodies[i];
    return NULL;
}

/* Type, size and TEE type contain the same information three times, and must agree. */
MUST_CHECK static enum err typed_body_read(struct reader *reader, struct quote *q,
                                           struct refusal *r)
{
    const uint16_t type = reader_u16le(reader);
    const uint32_t size = reader_u32le(reader);
    const struct body *body = body_find(type);

    if (!body)
        return refuse_number(r, ATTEST_MALFORMED, "header", "body type at most", QUOTE_BODY_TD_15,
                             type);
    if (size != body->size)
        return refuse_number(r, ATTEST_MALFORMED, "header", "bytes of body", body->size, size);
    if (q->header.tee_type != body->tee_type)
        return refuse_number(r, ATTEST_TEE_TYPE_MISMATCH, "header", "TEE type", body->tee_type,
                             q->header.tee_type);
    q->body = reader_take(reader, body->size);
    return ERR_NONE;
}

MUST_CHECK static enum err body_read(struct reader *reader, struct quote *q, struct refusal *r)
{
    if (q->header.version == 5)
        return typed_body_read(reader, q, r);
    q->body = reader_take(reader, q->header.tee_type == QUOTE_TEE_TDX ? TD_REPORT_10_SIZE
                                                                      : SGX_REPORT_SIZE);
    return ERR_NONE;
}

static struct quote_certification certification_read(struct reader *r)
{
    struct quote_certification c = {0};

    c.qe_report = reader_take(r, SGX_REPORT_SIZE);
    c.qe_report_signature = reader_take(r, P256_SIGNATURE_SIZE);
    c.qe_auth_data = reader_take(r, reader_u16le(r));
    c.type = reader_u16le(r);
    c.data = reader_take(r, reader_u32le(r));
    return c;
}

MUST_CHECK static enum err certification_check(const struct quote_certification *c,
                                               struct refusal *r)
{
    if (c->qe_auth_data.size > QUOTE_QE_AUTH_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, "header",
                             "bytes of QE authentication data at most", QUOTE_QE_AUTH_MAX,
                             c->qe_auth_data.size);
    if (c->type != QUOTE_CERTIFICATION_PCK_CHAIN)
        return refuse_number(r, ATTEST_UNSUPPORTED_CERT_DATA_TYPE, "header",
                             "certification data type", QUOTE_CERTIFICATION_PCK_CHAIN, c->type);
    return ERR_NONE;
}

MUST_CHECK static enum err lengths_refuse(struct refusal *r)
{
    return refuse(r, ATTEST_MALFORMED, "header", "signature data whose lengths fill it exactly",
                  NULL);
}

/*
 * The lengths nest: the certification must fill the authentication data exactly. Since version 4 it
 * is inside a block of type 6.
 */
MUST_CHECK static enum err authentication_read(struct span bytes, struct quote *q,
                                               struct refusal *r)
{
    struct reader outer = reader_over(bytes);
    struct reader inner;
    uint16_t type = QUOTE_CERTIFICATION_QE_REPORT;

    q->signature = reader_take(&outer, P256_SIGNATURE_SIZE);
    q->attestation_key = reader_take(&outer, P256_POINT_SIZE);
    if (q->header.version == 3) {
        inner = outer;
    } else {
        type = reader_u16le(&outer);
        inner = reader_over(reader_take(&outer, reader_u32le(&outer)));
        if (reader_finish(&outer) != ERR_NONE)
            return lengths_refuse(r);
    }
    if (type != QUOTE_CERTIFICATION_QE_REPORT)
        return refuse_number(r, ATTEST_UNSUPPORTED_CERT_DATA_TYPE, "header",
                             "outer certification data type", QUOTE_CERTIFICATION_QE_REPORT, type);
    q->certification = certification_read(&inner);
    if (reader_finish(&inner) != ERR_NONE)
        return lengths_refuse(r);
    return certification_check(&q->certification, r);
}

enum err quote_parse(struct span evidence, struct quote *out, struct refusal *r)
{
    struct reader reader = reader_over(evidence);
    struct quote q = {0};
    struct span authentication;
    enum err e;

    if (evidence.size > ATTEST_EVIDENCE_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, "header", "bytes at most", ATTEST_EVIDENCE_MAX,
                             evidence.size);
    q.header = header_read(&reader);
    if (reader.failed)
        return refuse_number(r, ATTEST_MALFORMED, "header", "bytes at least", QUOTE_HEADER_SIZE,
                             evidence.size);
    if ((e = header_check(&q.header, r)) != ERR_NONE || (e = body_read(&reader, &q, r)) != ERR_NONE)
        return e;
    q.signed_bytes = span_slice(evidence, 0, evidence.size - reader.rest.size);
    authentication = reader_take(&reader, reader_u32le(&reader));
    if (reader.failed)
        return refuse(r, ATTEST_MALFORMED, "header", "report body and the declared signature data",
                      "fewer bytes");
    if ((e = authentication_read(authentication, &q, r)) != ERR_NONE)
        return e;
    if (!span_is_zero(reader.rest))
        return refuse(r, ATTEST_TRAILING_DATA, "header", "nothing but zero bytes behind the quote",
                      NULL);
    *out = q;
    return ERR_NONE;
}
