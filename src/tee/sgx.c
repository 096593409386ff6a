/* The provider: an SGX enclave under Gramine, through its pseudo files in /dev/attestation. */
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "tee/sealed_blob.h"
#include "tee/system.h"

/* https://gramine.readthedocs.io/en/stable/attestation.html, "Low-level /dev/attestation interface"
 */
#define ATTESTATION_TYPE "/dev/attestation/attestation_type"
#define REPORT_DATA "/dev/attestation/user_report_data"
#define QUOTE "/dev/attestation/quote"
#define SEALING_KEY_SIZE 16 /* of _sgx_mrenclave and _sgx_mrsigner: EGETKEY's */

/* In a quote of version 3: header 48, report body 384, of which the report data is the last. */
#define QUOTE_REPORT_DATA (48 + 320)

struct sealing_policy {
    const char *name; /* bound to what it seals */
    const char *path;
    const char *context; /* of the derivation */
    uint8_t code;        /* in the blob */
};

static const struct sealing_policy policies[] = {
    [TEE_SGX_MRENCLAVE] = {"mrenclave", "/dev/attestation/keys/_sgx_mrenclave",
                           "vouchsafe sgx sealing v1 mrenclave", 1},
    [TEE_SGX_MRSIGNER] = {"mrsigner",  "/dev/attestation/keys/_sgx_mrsigner",
                           "vouchsafe sgx sealing v1 mrsigner",  2},
};

/* How: code of the policy, identifier of the key. */
static const struct sealed_form form = {"VSGXSB", 1 + SEALED_KEY_ID_SIZE};

struct sgx {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    const struct tee_system *system;
    const struct sealing_policy *policy;
};

static struct sgx *sgx_of(struct tee *tee)
{
    return (struct sgx *)(void *)tee;
}

MUST_CHECK static enum err check_quote(struct tee *tee, struct span report_data, struct span quote)
{
    if (span_equal(span_slice(quote, QUOTE_REPORT_DATA, TEE_REPORT_DATA_SIZE), report_data))
        return ERR_NONE;
    tee_failure_set(&tee->failure, QUOTE " does not bind what was written to " REPORT_DATA
                                         ": does another process of this enclave write to it?");
    return ERR_UNAVAILABLE;
}

MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    const struct tee_system *system = sgx_of(tee)->system;
    struct span bound = span_of(report_data, TEE_REPORT_DATA_SIZE);
    enum err e;

    (void)now; /* a quote has no time */
    if ((e = system_write(system, REPORT_DATA, bound, &tee->failure)) == ERR_NONE &&
        (e = system_read(system, QUOTE, TEE_QUOTE_MAX, &out->quote, &tee->failure)) == ERR_NONE)
        e = check_quote(tee, bound, buffer_span(&out->quote));
    if (e == ERR_NONE)
        return e;
    buffer_clear(&out->quote);
    return e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    (void)tee;
    (void)now;
    (void)out;
    return ERR_NONE; /* Intel's, which verifiers get from their own PCCS */
}

MUST_CHECK static enum err sealing_keys(struct sgx *s, struct sealing_keys *out)
{
    static const uint8_t zeros[SEALING_KEY_SIZE];
    uint8_t material[SEALING_KEY_SIZE];
    enum err e =
        system_read_exactly(s->system, s->policy->path, material, sizeof material, &s->tee.failure);

    if (e != ERR_NONE)
        return e == ERR_MEMORY ? e : ERR_UNAVAILABLE;
    if (bytes_equal_ct(material, zeros, sizeof material)) { /* not the key of an enclave */
        tee_failure_set(&s->tee.failure, "%s holds zeros", s->policy->path);
        return ERR_UNAVAILABLE;
    }
    e = sealing_keys_derive(SPAN_OF(material), s->policy->context, out);
    bytes_wipe(material, sizeof material);
    return e;
}

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    struct sgx *s = sgx_of(tee);
    struct sealing_keys keys = {0};
    uint8_t how[1 + SEALED_KEY_ID_SIZE];
    struct writer w = writer_over(how, sizeof how);
    enum err e = sealing_keys(s, &keys);

    if (e != ERR_NONE)
        return e;
    writer_u8(&w, s->policy->code);
    writer_put(&w, SPAN_OF(keys.id));
    e = sealed_blob_seal(&form, keys.key, SPAN_OF(how), plain, out);
    bytes_wipe(&keys, sizeof keys);
    if (e != ERR_NONE)
        tee_failure_set(&tee->failure, "sealing %zu bytes: %s", plain.size, err_text(e));
    return e;
}

MUST_CHECK static enum err open_with(struct sgx *s, const struct sealed_blob *blob,
                                     const struct sealing_keys *keys, struct secret **plain)
{
    enum err e;

    if (!span_equal(span_slice(blob->how, 1, SEALED_KEY_ID_SIZE), SPAN_OF(keys->id))) {
        tee_failure_set(&s->tee.failure,
                        "this blob was sealed on another machine, or by another "
                        "%s than this enclave's",
                        s->policy->name);
        return ERR_DENIED;
    }
    if ((e = sealed_blob_open(blob, keys->key, plain)) != ERR_CRYPTO)
        return e;
    tee_failure_set(&s->tee.failure, "this blob names this enclave's key but was not sealed by it");
    return ERR_MALFORMED;
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    struct sgx *s = sgx_of(tee);
    struct sealed_blob blob = {0};
    struct sealing_keys keys = {0};
    enum err e;

    if (sealed_blob_parse(&form, sealed, &blob) != ERR_NONE) {
        tee_failure_set(&tee->failure, "this is not a blob sealed by SGX, or is damaged");
        return ERR_MALFORMED;
    }
    /* the disk is not trusted, so the blob must not choose its own binding */
    if (blob.how.data[0] != s->policy->code) {
        tee_failure_set(&tee->failure, "the blob was not sealed to %s, which tee.sgx_seal names",
                        s->policy->name);
        return ERR_DENIED;
    }
    if ((e = sealing_keys(s, &keys)) == ERR_NONE)
        e = open_with(s, &blob, &keys, plain);
    bytes_wipe(&keys, sizeof keys);
    return e;
}

static void close_sgx(struct tee *tee)
{
    free(sgx_of(tee));
}

static const struct tee_ops sgx_ops = {
    .name = "sgx",
    .evidence = "sgx",
    .seals = true,
    .quote = quote,
    .collateral = collateral,
    .seal = seal,
    .unseal = unseal,
    .close = close_sgx,
};

MUST_CHECK static enum err check_type(const struct tee_system *system, struct tee_failure *failure)
{
    char type[32];
    enum err e = system_read_line(system, ATTESTATION_TYPE, type, sizeof type, failure);

    if (e == ERR_NOT_FOUND)
        tee_failure_set(failure, ATTESTATION_TYPE " is missing: this is no SGX enclave under "
                                                  "Gramine");
    if (e != ERR_NONE || strcmp(type, "dcap") == 0)
        return e;
    tee_failure_set(failure,
                    ATTESTATION_TYPE " is \"%s\": set sgx.remote_attestation = \"dcap\" "
                                     "in Gramine's manifest",
                    type);
    return ERR_UNSUPPORTED;
}

enum err tee_sgx_open(const struct tee_settings *settings, struct tee **out,
                      struct tee_failure *failure)
{
    const struct tee_system *system = tee_system_of(settings);
    struct sgx *s;
    enum err e = check_type(system, failure);

    if (e != ERR_NONE)
        return e;
    if (!(s = calloc(1, sizeof *s)))
        return ERR_MEMORY;
    s->tee.ops = &sgx_ops;
    s->system = system;
    s->policy = &policies[settings->sgx_seal];
    s->tee.evidence_by = QUOTE;
    s->tee.sealed_by = s->policy->path;
    *out = &s->tee;
    return ERR_NONE;
}
