#include "unit/attest/forge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/hash.h"
#include "crypto/x509_make.h"

#define NAME_ROOT "Intel SGX Root CA"
#define NAME_CA "Intel SGX PCK Platform CA"
#define PCK_EXTENSION "1.2.840.113741.1.13.1"

enum { NOW_S = 1760000000, YEAR_S = 365 * 24 * 3600 };
enum { SGX_BODY = 384 };

static void must(enum err e, const char *what)
{
    if (e == ERR_NONE)
        return;
    (void)fprintf(stderr, "forge: %s\n", what);
    abort();
}

/* The keys are constant, so that a fuzzer's finding can be repeated. */
static void key_make(const char *label, struct p256_private **out)
{
    uint8_t sum[64];

    sha512_parts((const struct span[]){span_string("vouchsafe test forge"), span_string(label)}, 2,
                 sum);
    must(p256_derive(sum, out), label);
}

static void put_tlv(struct writer *w, uint8_t tag, struct span value)
{
    der_put_head(w, tag, value.size);
    writer_put(w, value);
}

/* SEQUENCE { OID of the extension followed by `arcs`, value } */
static void put_item(struct writer *w, struct span arcs, uint8_t tag, struct span value)
{
    static const uint8_t arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    uint8_t bytes[512];
    uint8_t oid[sizeof arc + 2];
    struct writer inner = writer_over(bytes, sizeof bytes);

    memcpy(oid, arc, sizeof arc);
    memcpy(oid + sizeof arc, arcs.data, arcs.size);
    put_tlv(&inner, DER_OID, span_of(oid, sizeof arc + arcs.size));
    put_tlv(&inner, tag, value);
    put_tlv(w, DER_SEQUENCE, span_of(bytes, inner.size));
}

static struct span arcs_of(uint8_t arcs[2], uint8_t first, uint8_t second)
{
    arcs[0] = first;
    arcs[1] = second;
    return span_of(arcs, second ? 2 : 1);
}

static void put_tcb(struct writer *w)
{
    static const uint8_t components[] = FORGE_COMPONENTS; /* all below 128 */
    const uint8_t pce_svn = FORGE_PCE_SVN;
    uint8_t bytes[512], arcs[2];
    struct writer inner = writer_over(bytes, sizeof bytes);

    for (uint8_t i = 0; i < sizeof components; i++)
        put_item(&inner, arcs_of(arcs, 2, (uint8_t)(i + 1)), DER_INTEGER,
                 span_of(&components[i], 1));
    put_item(&inner, arcs_of(arcs, 2, 17), DER_INTEGER, span_of(&pce_svn, 1));
    put_item(&inner, arcs_of(arcs, 2, 18), DER_OCTET_STRING, SPAN_OF(components));
    put_item(w, arcs_of(arcs, 2, 0), DER_SEQUENCE, span_of(bytes, inner.size));
}

static void put_configuration(struct writer *w)
{
    static const uint8_t yes = 0xff, no = 0;
    uint8_t bytes[128], arcs[2];
    struct writer inner = writer_over(bytes, sizeof bytes);

    put_item(&inner, arcs_of(arcs, 7, 1), DER_BOOLEAN, span_of(&yes, 1));
    put_item(&inner, arcs_of(arcs, 7, 2), DER_BOOLEAN, span_of(&no, 1));
    put_item(&inner, arcs_of(arcs, 7, 3), DER_BOOLEAN, span_of(&yes, 1));
    put_item(w, arcs_of(arcs, 7, 0), DER_SEQUENCE, span_of(bytes, inner.size));
}

static size_t extension_make(uint8_t *out, size_t size)
{
    static const uint8_t name[16] = {0x70, 0x70}, pce_id[2] = {0};
    static const uint8_t fmspc[6] = {0x00, 0x80, 0x6f, 0x05, 0x00, 0x00}, type = 1;
    uint8_t bytes[1024], arcs[2];
    struct writer items = writer_over(bytes, sizeof bytes);
    struct writer w = writer_over(out, size);

    put_item(&items, arcs_of(arcs, 1, 0), DER_OCTET_STRING, SPAN_OF(name));
    put_tcb(&items);
    put_item(&items, arcs_of(arcs, 3, 0), DER_OCTET_STRING, SPAN_OF(pce_id));
    put_item(&items, arcs_of(arcs, 4, 0), DER_OCTET_STRING, SPAN_OF(fmspc));
    put_item(&items, arcs_of(arcs, 5, 0), DER_ENUMERATED, span_of(&type, 1));
    put_item(&items, arcs_of(arcs, 6, 0), DER_OCTET_STRING, SPAN_OF(name));
    put_configuration(&items);
    must(writer_finish(&items, NULL), "extension");
    put_tlv(&w, DER_SEQUENCE, span_of(bytes, items.size));
    must(writer_finish(&w, NULL), "extension");
    return w.size;
}

/* Appends the certificate's PEM to all of `chains`. */
static void certificate_make(const struct forge *f, struct x509_template t,
                             struct buffer *const *chains, size_t count)
{
    struct buffer der = {0};

    t.not_before = timestamp_of_seconds(timestamp_seconds(f->now) - YEAR_S);
    t.not_after = timestamp_of_seconds(timestamp_seconds(f->now) + YEAR_S);
    must(x509_make(&t, &der), t.common_name);
    for (size_t i = 0; i < count; i++)
        must(pem_write("CERTIFICATE", buffer_span(&der), chains[i]), "pem");
    buffer_clear(&der);
}

static void certificates_make(struct forge *f)
{
    uint8_t extension[1100];
    const size_t size = extension_make(extension, sizeof extension);
    struct buffer *const pck[] = {&f->pck_chain};
    struct buffer *const signing[] = {&f->signing_chain};
    struct buffer *const cas[] = {&f->pck_chain, &f->issuer_chain};
    struct buffer *const all[] = {&f->pck_chain, &f->issuer_chain, &f->signing_chain};

    certificate_make(f,
                     (struct x509_template){.common_name = "Intel SGX PCK Certificate",
                                            .issuer_name = NAME_CA,
                                            .key = f->pck,
                                            .signer = f->ca,
                                            .serial = 4,
                                            .extension_oid = PCK_EXTENSION,
                                            .extension = span_of(extension, size)},
                     pck, 1);
    certificate_make(f,
                     (struct x509_template){.common_name = "Intel SGX TCB Signing",
                                            .issuer_name = NAME_ROOT,
                                            .key = f->signing,
                                            .signer = f->root,
                                            .serial = 3},
                     signing, 1);
    certificate_make(f,
                     (struct x509_template){.common_name = NAME_CA,
                                            .issuer_name = NAME_ROOT,
                                            .key = f->ca,
                                            .signer = f->root,
                                            .serial = 2,
                                            .is_ca = true},
                     cas, COUNT_OF(cas));
    certificate_make(f,
                     (struct x509_template){
                         .common_name = NAME_ROOT, .key = f->root, .serial = 1, .is_ca = true},
                     all, COUNT_OF(all));
}

static void crl_make(const struct forge *f, const char *issuer, const struct p256_private *signer,
                     struct buffer *out)
{
    const struct x509_crl_template t = {
        .issuer_name = issuer,
        .signer = signer,
        .this_update = timestamp_of_seconds(timestamp_seconds(f->now) - YEAR_S / 12),
        .next_update = timestamp_of_seconds(timestamp_seconds(f->now) + YEAR_S / 12),
        .number = 1};

    must(x509_make_crl(&t, out), issuer);
}

void forge_open(struct forge *f)
{
    struct span root;
    size_t at;

    *f = (struct forge){.now = timestamp_of_seconds(NOW_S)};
    key_make("root", &f->root);
    key_make("ca", &f->ca);
    key_make("pck", &f->pck);
    key_make("signing", &f->signing);
    key_make("attestation", &f->attestation);
    certificates_make(f);
    crl_make(f, NAME_ROOT, f->root, &f->root_crl);
    crl_make(f, NAME_CA, f->ca, &f->pck_crl);
    /* the root is the second of two */
    for (at = 1; memcmp(f->issuer_chain.data + at, "-----BEGIN", 10) != 0; at++)
        ;
    root = span_slice(buffer_span(&f->issuer_chain), at, f->issuer_chain.size);
    must(attest_trust_add(&f->trust, ATTEST_INTEL, root, false), "root");
}

void forge_close(struct forge *f)
{
    p256_private_free(&f->root);
    p256_private_free(&f->ca);
    p256_private_free(&f->pck);
    p256_private_free(&f->signing);
    p256_private_free(&f->attestation);
    buffer_clear(&f->pck_chain);
    buffer_clear(&f->issuer_chain);
    buffer_clear(&f->signing_chain);
    buffer_clear(&f->root_crl);
    buffer_clear(&f->pck_crl);
}

static void put_header(struct writer *w, const struct forge_quote *what)
{
    static const uint8_t vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
                                       0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

    writer_u16le(w, what->version);
    writer_u16le(w, 2);
    writer_u32le(w, what->tee_type);
    writer_zero(w, 4);
    writer_put(w, SPAN_OF(vendor));
    writer_zero(w, 20);
    if (what->version == 5) {
        writer_u16le(w, what->body_type);
        writer_u32le(w, (uint32_t)what->body.size);
    }
    writer_put(w, what->body);
}

/* MRSIGNER is all 0x8c; see forge_qe_identity(). */
static void put_certification(struct writer *w, const struct forge *f,
                              const struct forge_quote *what, struct span chain,
                              const uint8_t point[P256_POINT_SIZE])
{
    static const uint8_t authentication[32] = {1, 2, 3};
    const struct span vouched[] = {span_of(point, P256_POINT_SIZE), SPAN_OF(authentication)};
    uint8_t report[SGX_BODY] = {0}, signature[P256_SIGNATURE_SIZE];

    report[48] = 0x11;
    memset(report + 128, 0x8c, 32);
    report[256] = 2;
    report[258] = FORGE_QE_SVN;
    sha256_parts(vouched, COUNT_OF(vouched), report + 320);
    if (what->qe_change_at > 0)
        report[what->qe_change_at] = what->qe_change_to;
    must(p256_sign(f->pck, SPAN_OF(report), signature), "QE report");
    writer_put(w, SPAN_OF(report));
    writer_put(w, SPAN_OF(signature));
    writer_u16le(w, sizeof authentication);
    writer_put(w, SPAN_OF(authentication));
    writer_u16le(w, 5);
    writer_u32le(w, (uint32_t)chain.size);
    writer_put(w, chain);
}

void forge_quote(const struct forge *f, const struct forge_quote *what, struct buffer *out)
{
    const struct span chain = what->chain.size > 0 ? what->chain : buffer_span(&f->pck_chain);
    const uint32_t inner = (uint32_t)(SGX_BODY + 64 + 2 + 32 + 2 + 4 + chain.size);
    uint8_t point[P256_POINT_SIZE], signature[P256_SIGNATURE_SIZE];
    struct writer w;

    buffer_clear(out);
    must(buffer_reserve(out, 2048 + what->body.size + chain.size), "room");
    w = writer_over(out->data, out->capacity);
    put_header(&w, what);
    must(p256_sign(f->attestation, span_of(w.data, w.size), signature), "quote");
    p256_private_point(f->attestation, point);
    writer_u32le(&w, 128 + inner + (what->version == 3 ? 0 : 6));
    writer_put(&w, SPAN_OF(signature));
    writer_put(&w, SPAN_OF(point));
    if (what->version != 3) {
        writer_u16le(&w, 6);
        writer_u32le(&w, inner);
    }
    put_certification(&w, f, what, chain, point);
    must(writer_finish(&w, NULL), "quote");
    out->size = w.size;
}

/* {"member":text,"signature":"..."} */
static void put_signed(const struct forge *f, const char *member, const char *text,
                       struct buffer *out)
{
    uint8_t signature[P256_SIGNATURE_SIZE];

    must(p256_sign(f->signing, span_string(text), signature), member);
    must(buffer_printf(out, "{\"%s\":%s,\"signature\":\"", member, text), member);
    for (size_t i = 0; i < sizeof signature; i++)
        must(buffer_printf(out, "%02x", signature[i]), member);
    must(buffer_append_string(out, "\"}"), member);
}

struct attest_collateral *forge_collateral(const struct forge *f, const char *tcb_info,
                                           const char *qe_identity, enum attest_reason *reason)
{
    struct buffer info = {0}, identity = {0};
    struct attest_collateral *collateral = NULL;
    enum err e;

    put_signed(f, "tcbInfo", tcb_info, &info);
    put_signed(f, "enclaveIdentity", qe_identity, &identity);
    const struct attest_collateral_input input = {
        .tcb_info = buffer_span(&info),
        .qe_identity = buffer_span(&identity),
        .tcb_signing_chain = buffer_span(&f->signing_chain),
        .pck_crl = buffer_span(&f->pck_crl),
        .pck_crl_issuer_chain = buffer_span(&f->issuer_chain),
        .root_crl = buffer_span(&f->root_crl),
    };

    e = attest_collateral_new(&f->trust, &input, &collateral, reason);
    if (e != ERR_NONE && e != ERR_DENIED)
        must(e, "collateral");
    buffer_clear(&info);
    buffer_clear(&identity);
    return collateral;
}

void forge_qe_identity(enum attest_tee tee, const char *status, struct buffer *out)
{
    must(
        buffer_printf(out,
                      "{\"id\":\"%s\",\"version\":2,\"issueDate\":\"2025-10-01T00:00:00Z\","
                      "\"nextUpdate\":\"2025-10-31T00:00:00Z\",\"tcbEvaluationDataNumber\":17,"
                      "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
                      "\"attributes\":\"11000000000000000000000000000000\","
                      "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
                      "\"mrsigner\":\"%s\",\"isvprodid\":2,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":%d},"
                      "\"tcbDate\":\"2025-05-14T00:00:00Z\",\"tcbStatus\":\"%s\"}]}",
                      tee == ATTEST_TDX ? "TD_QE" : "QE",
                      "8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c",
                      FORGE_QE_SVN, status),
        "identity");
    must(buffer_append(out, SPAN_LITERAL("\0")), "identity");
}
