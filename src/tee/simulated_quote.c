/* SGX quotes, version 3: Intel's "SGX ECDSA QuoteLibReference DCAP API", appendix A.4. */
#include "base/writer.h"
#include "crypto/hash.h"
#include "tee/simulated_platform.h"

#define QUOTE_HEADER_SIZE 48
#define SIGNED_SIZE (QUOTE_HEADER_SIZE + SGX_REPORT_SIZE)
#define QE_AUTHENTICATION_SIZE 32

enum { KEY_TYPE_ECDSA_P256 = 2, CERTIFICATION_PCK_CHAIN = 5 };

/* ATTRIBUTES.FLAGS */
#define FLAG_INIT 0x01u
#define FLAG_DEBUG 0x02u
#define FLAG_MODE64 0x04u
#define FLAG_PROVISION_KEY 0x10u
#define XFRM_AVX512 0xe7u

static const uint8_t intel_vendor_id[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                            0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

/* 0..31, as in Intel's quoting enclave. */
static const uint8_t qe_authentication[QE_AUTHENTICATION_SIZE] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};

static void put_report(struct writer *w, const struct simulated_enclave *enclave, uint64_t flags,
                       const uint8_t report_data[TEE_REPORT_DATA_SIZE])
{
    writer_put(w, SPAN_OF(simulated_components)); /* CPUSVN */
    writer_u32le(w, 0);                           /* MISCSELECT */
    writer_zero(w, 12 + 16);                      /* reserved, ISVEXTPRODID */
    writer_u64le(w, flags);
    writer_u64le(w, XFRM_AVX512);
    writer_put(w, SPAN_OF(enclave->mr_enclave));
    writer_zero(w, 32);
    writer_put(w, SPAN_OF(enclave->mr_signer));
    writer_zero(w, 32 + 64); /* reserved, CONFIGID */
    writer_u16le(w, enclave->isv_prod_id);
    writer_u16le(w, enclave->isv_svn);
    writer_zero(w, 2 + 42 + 16); /* CONFIGSVN, reserved, ISVFAMILYID */
    writer_put(w, span_of(report_data, TEE_REPORT_DATA_SIZE));
}

void simulated_qe_signer(uint8_t out[32])
{
    sha256(SPAN_LITERAL("vouchsafe simulated quoting enclave signer"), out);
}

/* REPORTDATA = SHA-256(attestation key || QE authentication data) || 32 zero bytes */
static void bind_attestation_key(const struct simulated_platform *p,
                                 uint8_t out[TEE_REPORT_DATA_SIZE])
{
    uint8_t point[P256_POINT_SIZE];
    const struct span parts[] = {SPAN_OF(point), SPAN_OF(qe_authentication)};
    struct writer w = writer_over(out, TEE_REPORT_DATA_SIZE);

    p256_private_point(p->keys[SIMULATED_ATTESTATION], point);
    sha256_parts(parts, COUNT_OF(parts), out);
    w.size = SHA256_SIZE;
    writer_zero(&w, TEE_REPORT_DATA_SIZE - SHA256_SIZE);
}

enum err simulated_quoting_enclave(struct simulated_platform *p)
{
    struct simulated_enclave qe = {.isv_prod_id = SIMULATED_QE_PROD_ID,
                                   .isv_svn = SIMULATED_QE_SVN};
    struct writer w = writer_over(p->qe_report, sizeof(p->qe_report));
    uint8_t report_data[TEE_REPORT_DATA_SIZE];
    enum err e;

    sha256(SPAN_LITERAL("vouchsafe simulated quoting enclave"), qe.mr_enclave);
    simulated_qe_signer(qe.mr_signer);
    bind_attestation_key(p, report_data);
    put_report(&w, &qe, FLAG_INIT | FLAG_MODE64 | FLAG_PROVISION_KEY, report_data);
    if ((e = writer_finish(&w, NULL)) != ERR_NONE)
        return e;
    return p256_sign(p->keys[SIMULATED_PCK], SPAN_OF(p->qe_report), p->qe_report_signature);
}

static void put_header(struct writer *w, const struct simulated_platform *p)
{
    writer_u16le(w, 3);
    writer_u16le(w, KEY_TYPE_ECDSA_P256);
    writer_u32le(w, 0); /* reserved; TEE type SGX in later versions */
    writer_u16le(w, SIMULATED_QE_SVN);
    writer_u16le(w, SIMULATED_PCE_SVN);
    writer_put(w, SPAN_OF(intel_vendor_id));
    writer_put(w, SPAN_OF(p->identity.qe_id));
    writer_zero(w, 4); /* the rest of the user data */
}

/* Writes the part after the signed bytes. NUL ends the chain, as in Intel's library. */
static void put_authentication(struct writer *w, const struct simulated_platform *p,
                               const uint8_t signature[P256_SIGNATURE_SIZE])
{
    uint32_t chain_size = (uint32_t)p->pck_chain.size + 1;
    uint32_t fixed_size = P256_SIGNATURE_SIZE + P256_POINT_SIZE + SGX_REPORT_SIZE +
                          P256_SIGNATURE_SIZE + 2 + QE_AUTHENTICATION_SIZE + 2 + 4;
    uint8_t point[P256_POINT_SIZE];

    p256_private_point(p->keys[SIMULATED_ATTESTATION], point);
    writer_u32le(w, fixed_size + chain_size);
    writer_put(w, span_of(signature, P256_SIGNATURE_SIZE));
    writer_put(w, SPAN_OF(point));
    writer_put(w, SPAN_OF(p->qe_report));
    writer_put(w, SPAN_OF(p->qe_report_signature));
    writer_u16le(w, QE_AUTHENTICATION_SIZE);
    writer_put(w, SPAN_OF(qe_authentication));
    writer_u16le(w, CERTIFICATION_PCK_CHAIN);
    writer_u32le(w, chain_size);
    writer_put(w, buffer_span(&p->pck_chain));
    writer_u8(w, 0);
}

enum err simulated_quote(const struct simulated_platform *p,
                         const struct simulated_enclave *enclave,
                         const uint8_t report_data[TEE_REPORT_DATA_SIZE], struct buffer *out)
{
    size_t room = SIGNED_SIZE + 1024 + p->pck_chain.size;
    uint64_t flags = FLAG_INIT | FLAG_MODE64 | (enclave->debug ? FLAG_DEBUG : 0);
    uint8_t signature[P256_SIGNATURE_SIZE];
    struct writer w;
    enum err e = buffer_reserve(out, room);

    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data + out->size, room);
    put_header(&w, p);
    put_report(&w, enclave, flags, report_data);
    e = p256_sign(p->keys[SIMULATED_ATTESTATION], span_of(w.data, w.size), signature);
    if (e != ERR_NONE)
        return e;
    put_authentication(&w, p, signature);
    if ((e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size += w.size;
    return e;
}
