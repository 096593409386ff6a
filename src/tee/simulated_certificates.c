/* The certificates of a simulated platform, with the PCK extension of Intel's certificate profile.
 */
#include "base/writer.h"
#include "codec/der.h"
#include "crypto/x509_make.h"
#include "tee/simulated_platform.h"

#define DAY_S (24 * 60 * 60)
#define YEAR_S (365LL * DAY_S)

#define PCK_EXTENSION "1.2.840.113741.1.13.1"
#define ROOT_CRL_URL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define PCK_CRL_URL                                                                                \
    "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der"

/* DER contents of 1.2.840.113741.1.13.1; members append one or two arcs, all below 128. */
static const uint8_t sgx_arc[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

/* SEQUENCE { OID sgx_arc.first[.second], value }; second 0: none. */
static void put_member(struct writer *w, uint8_t first, uint8_t second, uint8_t tag,
                       struct span value)
{
    size_t oid_size = sizeof(sgx_arc) + (second ? 2 : 1);

    der_put_head(w, DER_SEQUENCE,
                 der_head_size(oid_size) + oid_size + der_head_size(value.size) + value.size);
    der_put_head(w, DER_OID, oid_size);
    writer_put(w, SPAN_OF(sgx_arc));
    writer_u8(w, first);
    if (second)
        writer_u8(w, second);
    der_put_head(w, tag, value.size);
    writer_put(w, value);
}

/* INTEGER 0..255. A leading zero keeps it positive if the top bit is set. */
static void put_component(struct writer *w, uint8_t number, uint8_t svn)
{
    const uint8_t value[] = {0x00, svn};

    put_member(w, 2, number, DER_INTEGER, svn < 0x80 ? span_of(value + 1, 1) : SPAN_OF(value));
}

static void put_tcb(struct writer *w)
{
    uint8_t bytes[512];
    struct writer inner = writer_over(bytes, sizeof(bytes));

    for (uint8_t i = 0; i < SIMULATED_COMPONENTS; i++)
        put_component(&inner, (uint8_t)(i + 1), simulated_components[i]);
    put_component(&inner, 17, SIMULATED_PCE_SVN);
    put_member(&inner, 2, 18, DER_OCTET_STRING, SPAN_OF(simulated_components)); /* CPUSVN */
    put_member(w, 2, 0, DER_SEQUENCE, span_of(bytes, inner.size));
}

/* Dynamic platform, cached keys, SMT enabled. */
static void put_configuration(struct writer *w)
{
    static const uint8_t yes[] = {0xff};
    static const uint8_t no[] = {0x00};
    uint8_t bytes[64];
    struct writer inner = writer_over(bytes, sizeof(bytes));

    put_member(&inner, 7, 1, DER_BOOLEAN, SPAN_OF(yes));
    put_member(&inner, 7, 2, DER_BOOLEAN, SPAN_OF(no));
    put_member(&inner, 7, 3, DER_BOOLEAN, SPAN_OF(no));
    put_member(w, 7, 0, DER_SEQUENCE, span_of(bytes, inner.size));
}

MUST_CHECK static enum err pck_extension(const struct simulated_identity *id, struct writer *w)
{
    static const uint8_t pce_id[2] = {0};
    static const uint8_t type_scalable[] = {1};
    uint8_t bytes[768];
    struct writer inner = writer_over(bytes, sizeof(bytes));
    enum err e;

    put_member(&inner, 1, 0, DER_OCTET_STRING, SPAN_OF(id->ppid));
    put_tcb(&inner);
    put_member(&inner, 3, 0, DER_OCTET_STRING, SPAN_OF(pce_id));
    put_member(&inner, 4, 0, DER_OCTET_STRING, SPAN_OF(id->fmspc));
    put_member(&inner, 5, 0, DER_ENUMERATED, SPAN_OF(type_scalable));
    put_member(&inner, 6, 0, DER_OCTET_STRING, SPAN_OF(id->instance));
    put_configuration(&inner);
    if ((e = writer_finish(&inner, NULL)) != ERR_NONE)
        return e;
    der_put_head(w, DER_SEQUENCE, inner.size);
    writer_put(w, span_of(bytes, inner.size));
    return writer_finish(w, NULL);
}

MUST_CHECK static enum err append_pem(const struct x509_template *t, struct buffer *out)
{
    struct buffer der = {0};
    enum err e = x509_make(t, &der);

    if (e == ERR_NONE)
        e = pem_write("CERTIFICATE", buffer_span(&der), out);
    buffer_clear(&der);
    return e;
}

static struct timestamp later(struct timestamp t, int64_t seconds)
{
    return (struct timestamp){t.ms + seconds * 1000};
}

enum err simulated_certificates(const struct simulated_platform *p, struct timestamp now,
                                struct buffer *root, struct buffer *chain)
{
    uint8_t bytes[1024];
    struct writer extension = writer_over(bytes, sizeof(bytes));
    struct timestamp start = later(now, -DAY_S); /* clocks differ */
    const struct x509_template root_ca = {.common_name = NAME_ROOT,
                                          .key = p->keys[SIMULATED_ROOT],
                                          .serial = SERIAL_ROOT,
                                          .not_before = start,
                                          .not_after = later(now, 20 * YEAR_S),
                                          .is_ca = true,
                                          .crl_url = ROOT_CRL_URL};
    const struct x509_template platform_ca = {.common_name = NAME_PLATFORM_CA,
                                              .issuer_name = NAME_ROOT,
                                              .key = p->keys[SIMULATED_PLATFORM_CA],
                                              .signer = p->keys[SIMULATED_ROOT],
                                              .serial = SERIAL_PLATFORM_CA,
                                              .not_before = start,
                                              .not_after = later(now, 15 * YEAR_S),
                                              .is_ca = true,
                                              .crl_url = ROOT_CRL_URL};
    struct x509_template pck = {.common_name = NAME_PCK,
                                .issuer_name = NAME_PLATFORM_CA,
                                .key = p->keys[SIMULATED_PCK],
                                .signer = p->keys[SIMULATED_PLATFORM_CA],
                                .serial = SERIAL_PCK,
                                .not_before = start,
                                .not_after = later(now, 7 * YEAR_S),
                                .crl_url = PCK_CRL_URL,
                                .extension_oid = PCK_EXTENSION};
    enum err e = pck_extension(&p->identity, &extension);

    pck.extension = span_of(bytes, extension.size);
    if (e != ERR_NONE || (e = append_pem(&root_ca, root)) != ERR_NONE ||
        (e = append_pem(&pck, chain)) != ERR_NONE ||
        (e = append_pem(&platform_ca, chain)) != ERR_NONE)
        return e;
    return buffer_append(chain, buffer_span(root));
}

enum err simulated_tcb_signing_chain(struct simulated_platform *p, struct timestamp not_before,
                                     struct timestamp not_after)
{
    const struct x509_template tcb_signing = {.common_name = NAME_TCB_SIGNING,
                                              .issuer_name = NAME_ROOT,
                                              .key = p->keys[SIMULATED_TCB_SIGNING],
                                              .signer = p->keys[SIMULATED_ROOT],
                                              .serial = SERIAL_TCB_SIGNING,
                                              .not_before = not_before,
                                              .not_after = not_after,
                                              .crl_url = ROOT_CRL_URL};
    enum err e = append_pem(&tcb_signing, &p->tcb_signing);

    return e == ERR_NONE ? buffer_append(&p->tcb_signing, buffer_span(&p->root_pem)) : e;
}
