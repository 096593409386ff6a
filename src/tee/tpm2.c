/* The provider that seals to a TPM 2.0 and to the boot state of the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/random.h"
#include "tee/tee.h"
#include "tee/tpm2_device.h"

#define DEFAULT_TCTI "device:/dev/tpmrm0"
#define DEFAULT_PCRS "7"
#define TCTI_MAX 256

struct tpm2 {
    struct tee tee; /* first, so that a `struct tee *` of ours is one of these */
    char tcti[TCTI_MAX];
    uint32_t pcr_mask;
};

static struct tpm2 *tpm2_of(struct tee *tee)
{
    return (struct tpm2 *)(void *)tee;
}

/* A TPM quote proves what booted, not what code runs: attest/ could not appraise it. */
MUST_CHECK static enum err quote(struct tee *tee, const uint8_t report_data[TEE_REPORT_DATA_SIZE],
                                 struct timestamp now, struct tee_evidence *out)
{
    (void)report_data;
    (void)now;
    (void)out;
    tee_failure_set(&tee->failure, "a TPM only seals: it gives no evidence of the running code");
    return ERR_UNSUPPORTED;
}

MUST_CHECK static enum err collateral(struct tee *tee, struct timestamp now, struct buffer *out)
{
    (void)tee;
    (void)now;
    (void)out;
    return ERR_NONE; /* there is no collateral without evidence */
}

/* `state` as in tee_ops.seal_for. */
MUST_CHECK static enum err seal_with(struct tpm2_device *device, uint32_t pcr_mask,
                                     const char *state, struct span plain, struct buffer *out,
                                     struct tee_failure *failure)
{
    struct tpm2_blob blob = {.srk_name = tpm2_device_srk_name(device)};
    uint8_t key[TPM2_WRAPPING_KEY_SIZE];
    enum err e = tpm2_device_pcrs(device, pcr_mask, &blob.pcrs, failure);

    if (e != ERR_NONE)
        return e;
    if (tpm2_pcr_values_parse(state, &blob.pcrs) != ERR_NONE) {
        tee_failure_set(failure,
                        "\"%s\" is not a list of PCR=VALUE with commas between: a number that "
                        "tee.tpm2_pcrs names, and 64 hex digits",
                        state);
        return ERR_CONFIG;
    }
    random_bytes(key, sizeof(key));
    if ((e = tpm2_device_seal(device, key, &blob, failure)) == ERR_NONE)
        e = tpm2_blob_seal(&blob, key, plain, out);
    bytes_wipe(key, sizeof(key));
    return e;
}

MUST_CHECK static enum err seal_for(struct tee *tee, struct span plain, const char *state,
                                    struct buffer *out, struct tee_failure *failure)
{
    const struct tpm2 *t = tpm2_of(tee);
    struct tpm2_device *device = NULL;
    enum err e;

    if (plain.size > TEE_SECRET_MAX) {
        tee_failure_set(failure, "sealing %zu bytes: %u are the limit", plain.size, TEE_SECRET_MAX);
        return ERR_TOO_LARGE;
    }
    if ((e = tpm2_device_open(t->tcti, &device, failure)) == ERR_NONE)
        e = seal_with(device, t->pcr_mask, state, plain, out, failure);
    tpm2_device_close(&device);
    return e;
}

MUST_CHECK static enum err seal(struct tee *tee, struct span plain, struct buffer *out)
{
    return seal_for(tee, plain, "", out, &tee->failure);
}

/* "7", "0, 7": the PCRs that differ; returns 0 when none does. */
static uint32_t name_differences(const struct tpm2_pcrs *sealed, const struct tpm2_pcrs *present,
                                 char *text, size_t size)
{
    uint32_t differing = 0;
    size_t used = 0;

    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++) {
        if (span_equal(SPAN_OF(sealed->values[i]), SPAN_OF(present->values[i])))
            continue;
        used += (size_t)snprintf(text + used, size - used, "%s%u", differing ? ", " : "", i);
        differing |= 1u << i;
    }
    return differing;
}

/* Only for the message: the TPM itself refuses, in tpm2_device_unseal(). */
MUST_CHECK static enum err explain_pcrs(struct tpm2_device *device, const struct tpm2_blob *blob,
                                        struct tee_failure *failure)
{
    struct tpm2_pcrs present;
    char numbers[TPM2_PCR_COUNT * 4];
    uint32_t differing;
    enum err e = tpm2_device_pcrs(device, blob->pcrs.mask, &present, failure);

    if (e != ERR_NONE)
        return e;
    differing = name_differences(&blob->pcrs, &present, numbers, sizeof(numbers));
    if (differing == 0)
        return ERR_NONE;
    if ((differing & (differing - 1)) == 0)
        tee_failure_set(failure, "PCR %s differs from when the root was sealed", numbers);
    else
        tee_failure_set(failure, "PCRs %s differ from when the root was sealed", numbers);
    return ERR_DENIED;
}

/* All checks of the blob that do not open it. */
MUST_CHECK static enum err look(struct tpm2_device *device, const struct tpm2_blob *blob,
                                uint32_t pcr_mask, struct tee_failure *failure)
{
    /* the disk is not trusted, so the blob must not choose its own binding */
    if (blob->pcrs.mask != pcr_mask) {
        tee_failure_set(failure, "the root was sealed to other PCRs than tee.tpm2_pcrs names");
        return ERR_DENIED;
    }
    if (!span_equal(blob->srk_name, tpm2_device_srk_name(device))) {
        tee_failure_set(failure,
                        "the root was sealed by another TPM, or this one was cleared since "
                        "(its storage root key is another)");
        return ERR_DENIED;
    }
    return explain_pcrs(device, blob, failure);
}

MUST_CHECK static enum err unseal_with(struct tpm2_device *device, const struct tpm2_blob *blob,
                                       uint32_t pcr_mask, struct secret **plain,
                                       struct tee_failure *failure)
{
    uint8_t key[TPM2_WRAPPING_KEY_SIZE] = {0};
    enum err e = look(device, blob, pcr_mask, failure);

    if (e != ERR_NONE)
        return e;
    e = tpm2_device_unseal(device, blob, key, failure);
    /* if a PCR was extended since look(), the message can name it now */
    if (e == ERR_DENIED && explain_pcrs(device, blob, failure) == ERR_UNAVAILABLE)
        e = ERR_UNAVAILABLE;
    if (e == ERR_NONE && (e = tpm2_blob_open(blob, key, plain)) == ERR_CRYPTO) {
        tee_failure_set(failure, "the blob was put together from two");
        e = ERR_MALFORMED;
    }
    bytes_wipe(key, sizeof(key));
    return e;
}

/* A blob and a connection to the TPM that should open it. The caller closes `*device`. */
MUST_CHECK static enum err open_blob(const struct tpm2 *t, struct span sealed,
                                     struct tpm2_blob *blob, struct tpm2_device **device,
                                     struct tee_failure *failure)
{
    if (tpm2_blob_parse(sealed, blob) != ERR_NONE) {
        tee_failure_set(failure, "this is not a blob sealed by a TPM, or is damaged");
        return ERR_MALFORMED;
    }
    return tpm2_device_open(t->tcti, device, failure);
}

MUST_CHECK static enum err unseal(struct tee *tee, struct span sealed, struct secret **plain)
{
    const struct tpm2 *t = tpm2_of(tee);
    struct tpm2_device *device = NULL;
    struct tpm2_blob blob;
    enum err e = open_blob(t, sealed, &blob, &device, &tee->failure);

    if (e == ERR_NONE)
        e = unseal_with(device, &blob, t->pcr_mask, plain, &tee->failure);
    tpm2_device_close(&device);
    return e;
}

MUST_CHECK static enum err preflight(struct tee *tee, struct span sealed,
                                     struct tee_failure *failure)
{
    const struct tpm2 *t = tpm2_of(tee);
    struct tpm2_device *device = NULL;
    struct tpm2_blob blob;
    enum err e = open_blob(t, sealed, &blob, &device, failure);

    if (e == ERR_NONE)
        e = look(device, &blob, t->pcr_mask, failure);
    tpm2_device_close(&device);
    return e;
}

static void close_tpm2(struct tee *tee)
{
    free(tpm2_of(tee));
}

static const struct tee_ops tpm2_ops = {
    .name = "tpm2",
    .simulated = false,
    .seals = true,
    .quote = quote,
    .collateral = collateral,
    .seal = seal,
    .unseal = unseal,
    .preflight = preflight,
    .seal_for = seal_for,
    .close = close_tpm2,
};

MUST_CHECK static enum err configure(struct tpm2 *t, const struct tee_settings *settings,
                                     struct tee_failure *failure)
{
    const char *tcti = settings->tpm2_tcti ? settings->tpm2_tcti : DEFAULT_TCTI;
    const char *pcrs = settings->tpm2_pcrs ? settings->tpm2_pcrs : DEFAULT_PCRS;

    if (span_to_string(span_string(tcti), t->tcti, sizeof(t->tcti)) != ERR_NONE) {
        tee_failure_set(failure, "the TCTI string is longer than %d characters", TCTI_MAX - 1);
        return ERR_CONFIG;
    }
    if (tpm2_pcr_list_parse(pcrs, &t->pcr_mask) != ERR_NONE) {
        tee_failure_set(failure,
                        "\"%s\" is not a list of PCRs: numbers from 0 to %d, ascending, "
                        "with commas between them",
                        pcrs, TPM2_PCR_COUNT - 1);
        return ERR_CONFIG;
    }
    return ERR_NONE;
}

/* Checks that the TPM answers, and has a storage root key and the requested PCRs. */
MUST_CHECK static enum err probe(struct tpm2 *t, struct tee_failure *failure)
{
    struct tpm2_device *device = NULL;
    struct tpm2_pcrs pcrs;
    enum err e = tpm2_device_open(t->tcti, &device, failure);

    if (e == ERR_NONE)
        e = tpm2_device_pcrs(device, t->pcr_mask, &pcrs, failure);
    tpm2_device_close(&device);
    return e;
}

enum err tee_tpm2_open(const struct tee_settings *settings, struct tee **out,
                       struct tee_failure *failure)
{
    struct tpm2 *t = calloc(1, sizeof(*t));
    enum err e;

    if (!t)
        return ERR_MEMORY;
    /* tpm2-tss prints its own line for every failure, also for expected ones (no persistent key,
     * another PCR), past our log. The operator gets the message in `failure` instead. */
    (void)setenv("TSS2_LOG", "all+NONE", 0);
    t->tee.ops = &tpm2_ops;
    if ((e = configure(t, settings, failure)) == ERR_NONE && (e = probe(t, failure)) == ERR_NONE) {
        t->tee.sealed_by = "the TPM and the PCRs of tee.tpm2_pcrs";
        *out = &t->tee;
        return ERR_NONE;
    }
    free(t);
    return e;
}
