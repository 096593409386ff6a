/*
 * Makes the answers of Intel's provisioning service: TCB info version 3, QE identity version 2,
 * CRLs (Intel SGX and TDX Provisioning Certification Service API, version 4), signed by the
 * platform.
 */
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "codec/json.h"
#include "crypto/x509_make.h"
#include "tee/simulated_platform.h"

#define DEFAULT_LIFETIME_S (30LL * 24 * 60 * 60)
#define DEFAULT_EVALUATION_NUMBER 17
#define JSON_ROOM (16u * 1024)
#define BUNDLE_ROOM (64u * 1024)

/* Fixed dates, the newest first, so that tests can check grace periods. */
#define DATE_NEXT "2025-02-12T00:00:00Z"
#define DATE_PRESENT "2024-03-13T00:00:00Z"
#define DATE_OLD "2021-11-10T00:00:00Z"

struct validity {
    struct timestamp from, until;
    char from_text[TIMESTAMP_TEXT_SIZE], until_text[TIMESTAMP_TEXT_SIZE];
};

/* Whole seconds, "2026-11-21T22:58:00Z": the only form that PCS uses. */
static void second_text(struct timestamp t, char out[TIMESTAMP_TEXT_SIZE])
{
    timestamp_write(t, out);
    memcpy(out + strlen("2026-11-21T22:58:00"), "Z", sizeof("Z"));
}

static struct validity validity_of(const struct simulated_collateral *how, struct timestamp now)
{
    int64_t lifetime = how->lifetime_s ? how->lifetime_s : DEFAULT_LIFETIME_S;
    int64_t from = timestamp_seconds(now) - how->issued_before_s;
    struct validity v = {.from = timestamp_of_seconds(from),
                         .until = timestamp_of_seconds(from + lifetime)};

    second_text(v.from, v.from_text);
    second_text(v.until, v.until_text);
    return v;
}

static void put_head(struct json_writer *j, const char *id, int version, const struct validity *v)
{
    json_put_string(j, "id", span_string(id));
    json_put_int(j, "version", version);
    json_put_string(j, "issueDate", span_string(v->from_text));
    json_put_string(j, "nextUpdate", span_string(v->until_text));
}

static void put_level_end(struct json_writer *j, const char *date, const char *status,
                          const char *advisory)
{
    json_put_string(j, "tcbDate", span_string(date));
    json_put_string(j, "tcbStatus", span_string(status));
    if (advisory) {
        json_open_array(j, "advisoryIDs");
        json_put_string(j, NULL, span_string(advisory));
        json_close_array(j);
    }
    json_close_object(j);
}

/* A level whose first two components (microcode) differ from the platform's by `step`. */
static void put_level(struct json_writer *j, int step, const char *date, const char *status,
                      const char *advisory)
{
    json_open_object(j, NULL);
    json_open_object(j, "tcb");
    json_open_array(j, "sgxtcbcomponents");
    for (size_t i = 0; i < SIMULATED_COMPONENTS; i++) {
        json_open_object(j, NULL);
        json_put_int(j, "svn", simulated_components[i] + (i < 2 ? step : 0));
        json_close_object(j);
    }
    json_close_array(j);
    json_put_int(j, "pcesvn", SIMULATED_PCE_SVN);
    json_close_object(j);
    put_level_end(j, date, status, advisory);
}

/*
 * Newest first. A platform that is out of date has a newer level above its own. The lowest level is
 * always out of date.
 */
static void put_levels(struct json_writer *j, const struct simulated_collateral *how)
{
    const char *status = how->tcb_status ? how->tcb_status : "UpToDate";

    json_open_array(j, "tcbLevels");
    if (strncmp(status, "OutOfDate", strlen("OutOfDate")) == 0)
        put_level(j, 1, DATE_NEXT, "UpToDate", NULL);
    put_level(j, 0, DATE_PRESENT, status, how->advisory);
    put_level(j, -2, DATE_OLD, "OutOfDate", "INTEL-SA-00615");
    json_close_array(j);
}

static int64_t evaluation_number(const struct simulated_collateral *how)
{
    return how->tcb_evaluation_number ? how->tcb_evaluation_number : DEFAULT_EVALUATION_NUMBER;
}

static void put_tcb_info(struct json_writer *j, const struct simulated_platform *p,
                         const struct simulated_collateral *how, const struct validity *v)
{
    json_open_object(j, NULL);
    put_head(j, "SGX", 3, v);
    json_put_hex(j, "fmspc", SPAN_OF(p->identity.fmspc));
    json_put_string(j, "pceId", SPAN_LITERAL("0000"));
    json_put_int(j, "tcbType", 0);
    json_put_int(j, "tcbEvaluationDataNumber", evaluation_number(how));
    put_levels(j, how);
    json_close_object(j);
}

static void put_qe_level(struct json_writer *j, int svn, const char *date, const char *status,
                         const char *advisory)
{
    json_open_object(j, NULL);
    json_open_object(j, "tcb");
    json_put_int(j, "isvsvn", svn);
    json_close_object(j);
    put_level_end(j, date, status, advisory);
}

/* Masks as Intel uses them: all of MISCSELECT, and ATTRIBUTES without MODE64 and XFRM. */
static void put_qe_identity(struct json_writer *j, const struct simulated_platform *p,
                            const struct simulated_collateral *how, const struct validity *v)
{
    uint8_t signer[32];

    (void)p;
    simulated_qe_signer(signer);
    json_open_object(j, NULL);
    put_head(j, "QE", 2, v);
    json_put_int(j, "tcbEvaluationDataNumber", evaluation_number(how));
    json_put_string(j, "miscselect", SPAN_LITERAL("00000000"));
    json_put_string(j, "miscselectMask", SPAN_LITERAL("FFFFFFFF"));
    json_put_string(j, "attributes", SPAN_LITERAL("11000000000000000000000000000000"));
    json_put_string(j, "attributesMask", SPAN_LITERAL("FBFFFFFFFFFFFFFF0000000000000000"));
    json_put_hex(j, "mrsigner", SPAN_OF(signer));
    json_put_int(j, "isvprodid", SIMULATED_QE_PROD_ID);
    json_open_array(j, "tcbLevels");
    put_qe_level(j, SIMULATED_QE_SVN, DATE_PRESENT, "UpToDate", NULL);
    put_qe_level(j, SIMULATED_QE_SVN - 2, DATE_OLD, "OutOfDate", "INTEL-SA-00615");
    json_close_array(j);
    json_close_object(j);
}

typedef void put_body(struct json_writer *j, const struct simulated_platform *p,
                      const struct simulated_collateral *how, const struct validity *v);

/* Members `name`: the body as a string, and `signature_name`: r || s over exactly its bytes. */
MUST_CHECK static enum err put_signed(struct json_writer *bundle, const char *name,
                                      const char *signature_name, put_body *put,
                                      const struct simulated_platform *p,
                                      const struct simulated_collateral *how,
                                      const struct validity *v)
{
    uint8_t signature[P256_SIGNATURE_SIZE];
    uint8_t *room = malloc(JSON_ROOM);
    struct writer w = writer_over(room, JSON_ROOM);
    struct json_writer j = json_writer_over(&w);
    struct span body = {0};
    enum err e;

    if (!room)
        return ERR_MEMORY;
    put(&j, p, how, v);
    if ((e = writer_finish(&w, &body)) == ERR_NONE &&
        (e = p256_sign(p->keys[SIMULATED_TCB_SIGNING], body, signature)) == ERR_NONE) {
        json_put_string(bundle, name, body);
        json_put_hex(bundle, signature_name, SPAN_OF(signature));
    }
    free(room);
    return e;
}

MUST_CHECK static enum err put_crl(struct json_writer *bundle, const char *name,
                                   const struct x509_crl_template *t)
{
    struct buffer der = {0};
    enum err e = x509_make_crl(t, &der);

    if (e == ERR_NONE)
        json_put_hex(bundle, name, buffer_span(&der));
    buffer_clear(&der);
    return e;
}

MUST_CHECK static enum err put_crls(struct json_writer *bundle, const struct simulated_platform *p,
                                    const struct simulated_collateral *how,
                                    const struct validity *v)
{
    static const uint64_t pck = SERIAL_PCK;
    static const uint64_t platform_ca = SERIAL_PLATFORM_CA;
    const struct x509_crl_template pck_crl = {.issuer_name = NAME_PLATFORM_CA,
                                              .signer = p->keys[SIMULATED_PLATFORM_CA],
                                              .this_update = v->from,
                                              .next_update = v->until,
                                              .revoked = &pck,
                                              .revoked_count = how->revoke_pck ? 1 : 0,
                                              .number = 1};
    const struct x509_crl_template root_crl = {.issuer_name = NAME_ROOT,
                                               .signer = p->keys[SIMULATED_ROOT],
                                               .this_update = v->from,
                                               .next_update = v->until,
                                               .revoked = &platform_ca,
                                               .revoked_count = how->revoke_pck_ca ? 1 : 0,
                                               .number = 1};
    enum err e = put_crl(bundle, "root_ca_crl", &root_crl);

    return e == ERR_NONE ? put_crl(bundle, "pck_crl", &pck_crl) : e;
}

MUST_CHECK static enum err put_bundle(struct json_writer *j, const struct simulated_platform *p,
                                      const struct simulated_collateral *how,
                                      const struct validity *v)
{
    enum err e;

    json_open_object(j, NULL);
    json_put_string(j, "pck_crl_issuer_chain", p->ca_chain);
    if ((e = put_crls(j, p, how, v)) != ERR_NONE)
        return e;
    json_put_string(j, "tcb_info_issuer_chain", buffer_span(&p->tcb_signing));
    if ((e = put_signed(j, "tcb_info", "tcb_info_signature", put_tcb_info, p, how, v)) != ERR_NONE)
        return e;
    json_put_string(j, "qe_identity_issuer_chain", buffer_span(&p->tcb_signing));
    e = put_signed(j, "qe_identity", "qe_identity_signature", put_qe_identity, p, how, v);
    json_close_object(j);
    return e;
}

enum err simulated_collateral_bundle(const struct simulated_platform *p,
                                     const struct simulated_collateral *how, struct timestamp now,
                                     struct buffer *out)
{
    const struct validity v = validity_of(how, now);
    struct writer w;
    struct json_writer j;
    enum err e = buffer_reserve(out, BUNDLE_ROOM);

    if (e != ERR_NONE)
        return e;
    w = writer_over(out->data + out->size, BUNDLE_ROOM);
    j = json_writer_over(&w);
    if ((e = put_bundle(&j, p, how, &v)) == ERR_NONE && (e = writer_finish(&w, NULL)) == ERR_NONE)
        out->size += w.size;
    return e;
}
