#include "attest/quote.h"

#include "attest/sgx_report.h"
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

static enum err header_check(const struct quote_header *h, struct refusal *r)
{
    if (h->version != 3)
        return refuse_number(r, ATTEST_UNSUPPORTED_VERSION, "header", "version", 3, h->version);
    if (h->key_type != QUOTE_KEY_ECDSA_P256)
        return refuse_number(r, ATTEST_UNSUPPORTED_ATTESTATION_KEY_TYPE, "header",
                             "attestation key type", QUOTE_KEY_ECDSA_P256, h->key_type);
    if (h->tee_type != QUOTE_TEE_SGX)
        return refuse_number(r, ATTEST_TEE_TYPE_MISMATCH, "header", "TEE type", QUOTE_TEE_SGX,
                             h->tee_type);
    if (!span_equal(h->vendor, SPAN_OF(intel_vendor)))
        return refuse_bytes(r, ATTEST_UNKNOWN_QE_VENDOR, "header", "vendor", SPAN_OF(intel_vendor),
                            h->vendor);
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

/* The lengths nest: the certification must fill the authentication data exactly. */
static enum err authentication_read(struct span bytes, struct quote *q, struct refusal *r)
{
    struct reader reader = reader_over(bytes);

    q->signature = reader_take(&reader, P256_SIGNATURE_SIZE);
    q->attestation_key = reader_take(&reader, P256_POINT_SIZE);
    q->certification = certification_read(&reader);
    if (reader_finish(&reader) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, "authentication_data",
                      "signature data whose lengths fill it exactly", NULL);
    if (q->certification.qe_auth_data.size > QUOTE_QE_AUTH_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, "authentication_data",
                             "bytes of QE authentication data at most", QUOTE_QE_AUTH_MAX,
                             q->certification.qe_auth_data.size);
    if (q->certification.type != QUOTE_CERTIFICATION_PCK_CHAIN)
        return refuse_number(r, ATTEST_UNSUPPORTED_CERT_DATA_TYPE, "authentication_data",
                             "certification data type", QUOTE_CERTIFICATION_PCK_CHAIN,
                             q->certification.type);
    return ERR_NONE;
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
    if ((e = header_check(&q.header, r)) != ERR_NONE)
        return e;
    q.body = reader_take(&reader, SGX_REPORT_SIZE);
    q.signed_bytes = span_slice(evidence, 0, QUOTE_HEADER_SIZE + q.body.size);
    authentication = reader_take(&reader, reader_u32le(&reader));
    if (reader.failed)
        return refuse(r, ATTEST_MALFORMED, "quote", "report body and the declared signature data",
                      "fewer bytes");
    if ((e = authentication_read(authentication, &q, r)) != ERR_NONE)
        return e;
    if (!span_is_zero(reader.rest))
        return refuse(r, ATTEST_TRAILING_DATA, "quote", "nothing but zero bytes behind the quote",
                      NULL);
    *out = q;
    return ERR_NONE;
}
