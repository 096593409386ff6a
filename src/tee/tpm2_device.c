#include "tee/tpm2_device.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

/* TCG TPM v2.0 Provisioning Guidance, section 7.8: where operating systems keep the SRK. */
#define SRK_HANDLE 0x81000001u

enum { UNSEAL_TRIES = 8 };

#define NO_SESSIONS ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE

struct tpm2_device {
    TSS2_TCTI_CONTEXT *tcti;
    ESYS_CONTEXT *esys;
    const char *tcti_name; /* borrowed, for messages */
    ESYS_TR srk;
    bool srk_is_transient;
    uint8_t srk_name[TPM2_NAME_SIZE];
};

/* Failures */

/* The error number without layer, session, handle and parameter number (TPM 2.0 part 2, section
 * 6.6.2). */
static TSS2_RC bare(TSS2_RC rc)
{
    return rc & TPM2_RC_FMT1 ? rc & (TPM2_RC_FMT1 | 0x3fu) : rc & 0xfffu;
}

static bool from_tpm(TSS2_RC rc, TSS2_RC expected)
{
    TSS2_RC layer = rc & TSS2_RC_LAYER_MASK;

    return (layer == TSS2_TPM_RC_LAYER || layer == TSS2_RESMGR_TPM_RC_LAYER) &&
           bare(rc) == expected;
}

MUST_CHECK static enum err fail(const struct tpm2_device *d, const char *doing, TSS2_RC rc,
                                struct tee_failure *failure)
{
    if ((rc & TSS2_RC_LAYER_MASK) == TSS2_TCTI_RC_LAYER)
        tee_failure_set(failure, "no TPM answers at %s: %s", d->tcti_name, Tss2_RC_Decode(rc));
    else if (from_tpm(rc, TPM2_RC_LOCKOUT))
        tee_failure_set(failure,
                        "the TPM at %s is locked out after failed authorizations: wait, or "
                        "run tpm2_dictionarylockout --clear-lockout",
                        d->tcti_name);
    else if (from_tpm(rc, TPM2_RC_INITIALIZE))
        tee_failure_set(failure, "the TPM at %s has not been started: run tpm2_startup --clear",
                        d->tcti_name);
    else if (from_tpm(rc, TPM2_RC_SESSION_MEMORY))
        tee_failure_set(
            failure,
            "the TPM at %s has no room for another session: killed programs left theirs "
            "behind. Use it through the kernel's resource manager (/dev/tpmrm0), or run "
            "tpm2_flushcontext --loaded-session",
            d->tcti_name);
    else if (from_tpm(rc, TPM2_RC_BAD_AUTH) || from_tpm(rc, TPM2_RC_AUTH_FAIL))
        tee_failure_set(failure,
                        "the TPM at %s wants an owner password: %s; make the storage root "
                        "key persistent at 0x%08x",
                        d->tcti_name, doing, SRK_HANDLE);
    else
        tee_failure_set(failure, "the TPM at %s refused, %s: %s", d->tcti_name, doing,
                        Tss2_RC_Decode(rc));
    return ERR_UNAVAILABLE;
}

/* The storage root key */

/* ECC P-256 storage key: TCG TPM v2.0 Provisioning Guidance, section 7.5.1. */
static const TPM2B_PUBLIC srk_template = {
    .publicArea =
        {
                     .type = TPM2_ALG_ECC,
                     .nameAlg = TPM2_ALG_SHA256,
                     .objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
                                TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT,
                     .parameters.eccDetail =
                {
                    .symmetric = {.algorithm = TPM2_ALG_AES,
                                  .keyBits.aes = 128,
                                  .mode.aes = TPM2_ALG_CFB},
                    .scheme.scheme = TPM2_ALG_NULL,
                    .curveID = TPM2_ECC_NIST_P256,
                    .kdf.scheme = TPM2_ALG_NULL,
                }, },
};

static TSS2_RC make_srk(struct tpm2_device *d)
{
    static const TPM2B_SENSITIVE_CREATE no_secret = {0};
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    TPM2B_PUBLIC *public = NULL;
    TPM2B_CREATION_DATA *data = NULL;
    TPM2B_DIGEST *hash = NULL;
    TPMT_TK_CREATION *ticket = NULL;
    TSS2_RC rc = Esys_CreatePrimary(d->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                    ESYS_TR_NONE, &no_secret, &srk_template, &no_data, &no_pcrs,
                                    &d->srk, &public, &data, &hash, &ticket);

    d->srk_is_transient = rc == TSS2_RC_SUCCESS;
    Esys_Free(public);
    Esys_Free(data);
    Esys_Free(hash);
    Esys_Free(ticket);
    return rc;
}

/* A key that can leave this TPM, or that any user can decrypt with, would protect nothing. */
static bool is_storage_key(const TPMT_PUBLIC *area)
{
    static const TPMA_OBJECT wanted = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                      TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_RESTRICTED |
                                      TPMA_OBJECT_DECRYPT;

    return (area->objectAttributes & wanted) == wanted &&
           (area->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) == 0 &&
           area->nameAlg == TPM2_ALG_SHA256 &&
           (area->type == TPM2_ALG_ECC || area->type == TPM2_ALG_RSA);
}

MUST_CHECK static enum err check_srk(struct tpm2_device *d, struct tee_failure *failure)
{
    TPM2B_PUBLIC *public = NULL;
    TPM2B_NAME *name = NULL;
    TPM2B_NAME *qualified = NULL;
    TSS2_RC rc = Esys_ReadPublic(d->esys, d->srk, NO_SESSIONS, &public, &name, &qualified);
    enum err e = ERR_NONE;

    if (rc != TSS2_RC_SUCCESS) {
        e = fail(d, "reading the storage root key", rc, failure);
    } else if (!is_storage_key(&public->publicArea) || name->size != TPM2_NAME_SIZE) {
        tee_failure_set(failure,
                        "the key at 0x%08x of the TPM at %s is not a storage root key with "
                        "SHA-256 name",
                        SRK_HANDLE, d->tcti_name);
        e = ERR_UNAVAILABLE;
    } else {
        memcpy(d->srk_name, name->name, TPM2_NAME_SIZE);
    }
    Esys_Free(public);
    Esys_Free(name);
    Esys_Free(qualified);
    return e;
}

MUST_CHECK static enum err find_srk(struct tpm2_device *d, struct tee_failure *failure)
{
    TSS2_RC rc = Esys_TR_FromTPMPublic(d->esys, SRK_HANDLE, NO_SESSIONS, &d->srk);

    if (from_tpm(rc, TPM2_RC_HANDLE)) /* no persistent key */
        rc = make_srk(d);
    if (rc != TSS2_RC_SUCCESS)
        return fail(d, "finding its storage root key", rc, failure);
    return check_srk(d, failure);
}

/* Connections */

MUST_CHECK static enum err device_connect(struct tpm2_device *d, struct tee_failure *failure)
{
    TSS2_RC rc = Tss2_TctiLdr_Initialize(d->tcti_name, &d->tcti);

    if (rc != TSS2_RC_SUCCESS) {
        tee_failure_set(failure, "no TPM answers at %s", d->tcti_name);
        return ERR_UNAVAILABLE;
    }
    if ((rc = Esys_Initialize(&d->esys, d->tcti, NULL)) != TSS2_RC_SUCCESS)
        return fail(d, "connecting", rc, failure);
    return ERR_NONE;
}

MUST_CHECK static enum err device_open(const char *tcti, bool with_srk, struct tpm2_device **out,
                                       struct tee_failure *failure)
{
    struct tpm2_device *d = calloc(1, sizeof(*d));
    enum err e;

    if (!d)
        return ERR_MEMORY;
    d->tcti_name = tcti;
    d->srk = ESYS_TR_NONE;
    e = device_connect(d, failure);
    if (e == ERR_NONE && with_srk)
        e = find_srk(d, failure);
    if (e == ERR_NONE) {
        *out = d;
        d = NULL; /* the caller owns it now */
    }
    tpm2_device_close(&d);
    return e;
}

enum err tpm2_device_open(const char *tcti, struct tpm2_device **out, struct tee_failure *failure)
{
    return device_open(tcti, true, out, failure);
}

enum err tpm2_device_open_plain(const char *tcti, struct tpm2_device **out,
                                struct tee_failure *failure)
{
    return device_open(tcti, false, out, failure);
}

void tpm2_device_close(struct tpm2_device **device)
{
    struct tpm2_device *d = *device;

    *device = NULL;
    if (!d)
        return;
    if (d->srk_is_transient)
        (void)Esys_FlushContext(d->esys, d->srk);
    else if (d->srk != ESYS_TR_NONE)
        (void)Esys_TR_Close(d->esys, &d->srk);
    if (d->esys)
        Esys_Finalize(&d->esys);
    if (d->tcti)
        Tss2_TctiLdr_Finalize(&d->tcti);
    free(d);
}

struct span tpm2_device_srk_name(const struct tpm2_device *device)
{
    return SPAN_OF(device->srk_name);
}

/*
 * A session whose key only the holder of the SRK can compute. So an attacker on the bus cannot read
 * or change parameters. `direction` is TPMA_SESSION_DECRYPT for parameters to the TPM,
 * TPMA_SESSION_ENCRYPT for those from it.
 */
static TSS2_RC start_session(struct tpm2_device *d, TPM2_SE type, TPMA_SESSION direction,
                             ESYS_TR *out)
{
    static const TPMT_SYM_DEF aes = {
        .algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB};
    TSS2_RC rc = Esys_StartAuthSession(d->esys, d->srk, ESYS_TR_NONE, NO_SESSIONS, NULL, type, &aes,
                                       TPM2_ALG_SHA256, out);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    rc = Esys_TRSess_SetAttributes(d->esys, *out, direction | TPMA_SESSION_CONTINUESESSION, 0xff);
    if (rc != TSS2_RC_SUCCESS) {
        (void)Esys_FlushContext(d->esys, *out);
        *out = ESYS_TR_NONE;
    }
    return rc;
}

static void flush(struct tpm2_device *d, ESYS_TR object)
{
    if (object != ESYS_TR_NONE)
        (void)Esys_FlushContext(d->esys, object);
}

/* PCRs */

/* The PCRs of `wanted` in one answer; 0 when the TPM gives none, or others. */
static uint32_t take_answer(const TPML_PCR_SELECTION *selection, const TPML_DIGEST *values,
                            uint32_t wanted, struct tpm2_pcrs *out)
{
    const TPMS_PCR_SELECTION *bank = &selection->pcrSelections[0];
    uint32_t given = 0;
    uint32_t next = 0;

    if (selection->count != 1 || bank->hash != TPM2_ALG_SHA256 ||
        bank->sizeofSelect != TPM2_PCR_COUNT / 8)
        return 0;
    for (unsigned i = 0; i < TPM2_PCR_COUNT; i++) {
        if ((bank->pcrSelect[i / 8] >> (i % 8) & 1) == 0)
            continue;
        if (next >= values->count || values->digests[next].size != SHA256_SIZE)
            return 0;
        memcpy(out->values[i], values->digests[next++].buffer, SHA256_SIZE);
        given |= 1u << i;
    }
    return (given & ~wanted) == 0 ? given : 0;
}

enum err tpm2_device_pcrs(struct tpm2_device *d, uint32_t mask, struct tpm2_pcrs *out,
                          struct tee_failure *failure)
{
    struct tpm2_pcrs pcrs = {.mask = mask};
    uint32_t missing = mask;

    while (missing) { /* the TPM gives at most eight at a time */
        TPML_PCR_SELECTION wanted = tpm2_pcr_selection(missing);
        TPML_PCR_SELECTION *selection = NULL;
        TPML_DIGEST *values = NULL;
        uint32_t given = 0;
        TSS2_RC rc = Esys_PCR_Read(d->esys, NO_SESSIONS, &wanted, NULL, &selection, &values);

        if (rc == TSS2_RC_SUCCESS)
            given = take_answer(selection, values, missing, &pcrs);
        Esys_Free(selection);
        Esys_Free(values);
        if (rc != TSS2_RC_SUCCESS)
            return fail(d, "reading PCRs", rc, failure);
        if (given == 0) {
            tee_failure_set(failure,
                            "the TPM at %s does not give its SHA-256 PCRs: is that bank "
                            "active?",
                            d->tcti_name);
            return ERR_UNAVAILABLE;
        }
        missing &= ~given;
    }
    *out = pcrs;
    return ERR_NONE;
}

/* Sealing */

/* No userWithAuth: only the policy gives access. noDA: the object has no password to guess. */
MUST_CHECK static enum err object_template(const struct tpm2_pcrs *pcrs, TPM2B_PUBLIC *out)
{
    TPMT_PUBLIC *area = &out->publicArea;

    *out = (TPM2B_PUBLIC){0};
    area->type = TPM2_ALG_KEYEDHASH;
    area->nameAlg = TPM2_ALG_SHA256;
    area->objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA;
    area->parameters.keyedHashDetail.scheme.scheme = TPM2_ALG_NULL;
    area->authPolicy.size = SHA256_SIZE;
    return tpm2_pcr_policy(pcrs, area->authPolicy.buffer);
}

static TSS2_RC create(struct tpm2_device *d, ESYS_TR session, const TPM2B_SENSITIVE_CREATE *secret,
                      const TPM2B_PUBLIC *template, struct tpm2_blob *blob)
{
    static const TPM2B_DATA no_data = {0};
    static const TPML_PCR_SELECTION no_pcrs = {0};
    TPM2B_PRIVATE *private = NULL;
    TPM2B_PUBLIC *public = NULL;
    TPM2B_CREATION_DATA *data = NULL;
    TPM2B_DIGEST *hash = NULL;
    TPMT_TK_CREATION *ticket = NULL;
    TSS2_RC rc = Esys_Create(d->esys, d->srk, session, ESYS_TR_NONE, ESYS_TR_NONE, secret, template,
                             &no_data, &no_pcrs, &private, &public, &data, &hash, &ticket);

    if (rc == TSS2_RC_SUCCESS) {
        blob->public = *public;
        blob->private = *private;
    }
    Esys_Free(private);
    Esys_Free(public);
    Esys_Free(data);
    Esys_Free(hash);
    Esys_Free(ticket);
    return rc;
}

enum err tpm2_device_seal(struct tpm2_device *d, const uint8_t key[TPM2_WRAPPING_KEY_SIZE],
                          struct tpm2_blob *blob, struct tee_failure *failure)
{
    TPM2B_SENSITIVE_CREATE secret = {.sensitive.data.size = TPM2_WRAPPING_KEY_SIZE};
    TPM2B_PUBLIC template;
    ESYS_TR session = ESYS_TR_NONE;
    enum err e = object_template(&blob->pcrs, &template);
    TSS2_RC rc;

    if (e != ERR_NONE)
        return e;
    rc = start_session(d, TPM2_SE_HMAC, TPMA_SESSION_DECRYPT, &session);
    if (rc == TSS2_RC_SUCCESS) {
        memcpy(secret.sensitive.data.buffer, key, TPM2_WRAPPING_KEY_SIZE);
        rc = create(d, session, &secret, &template, blob);
        bytes_wipe(&secret, sizeof(secret));
        stack_wipe();
    }
    flush(d, session);
    return rc == TSS2_RC_SUCCESS ? ERR_NONE : fail(d, "sealing", rc, failure);
}

static bool take_key(TPM2B_SENSITIVE_DATA *data, uint8_t key[TPM2_WRAPPING_KEY_SIZE])
{
    bool fits = data->size == TPM2_WRAPPING_KEY_SIZE;

    if (fits)
        memcpy(key, data->buffer, TPM2_WRAPPING_KEY_SIZE);
    bytes_wipe(data, sizeof(*data));
    Esys_Free(data);
    return fits;
}

static TSS2_RC unseal_by_policy(struct tpm2_device *d, ESYS_TR object, const struct tpm2_pcrs *pcrs,
                                TPM2B_SENSITIVE_DATA **out)
{
    TPML_PCR_SELECTION selection = tpm2_pcr_selection(pcrs->mask);
    TPM2B_DIGEST digest = {.size = SHA256_SIZE};
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = start_session(d, TPM2_SE_POLICY, TPMA_SESSION_ENCRYPT, &session);

    if (rc != TSS2_RC_SUCCESS)
        return rc;
    tpm2_pcr_digest(pcrs, digest.buffer);
    rc = Esys_PolicyPCR(d->esys, session, NO_SESSIONS, &digest, &selection);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_Unseal(d->esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, out);
    flush(d, session);
    return rc;
}

/*
 * A policy session ends when any PCR is extended after TPM2_PolicyPCR, even one that the policy
 * does not name (TPM 2.0 part 3, TPM2_PolicyPCR: pcrUpdateCounter). That happens often while a
 * machine boots. A new session checks whether the PCRs of the blob are still the same.
 */
static TSS2_RC unseal_with_retries(struct tpm2_device *d, ESYS_TR object,
                                   const struct tpm2_pcrs *pcrs, TPM2B_SENSITIVE_DATA **out)
{
    TSS2_RC rc = TSS2_RC_SUCCESS;

    for (int i = 0; i < UNSEAL_TRIES; i++) {
        rc = unseal_by_policy(d, object, pcrs, out);
        if (!from_tpm(rc, TPM2_RC_PCR_CHANGED))
            break;
    }
    return rc;
}

enum err tpm2_device_unseal(struct tpm2_device *d, const struct tpm2_blob *blob,
                            uint8_t key[TPM2_WRAPPING_KEY_SIZE], struct tee_failure *failure)
{
    TPM2B_SENSITIVE_DATA *data = NULL;
    ESYS_TR object = ESYS_TR_NONE;
    TSS2_RC rc = Esys_Load(d->esys, d->srk, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
                           &blob->private, &blob->public, &object);

    if (from_tpm(rc, TPM2_RC_INTEGRITY) || from_tpm(rc, TPM2_RC_SIZE)) {
        tee_failure_set(failure, "the sealed object was not made by the TPM at %s", d->tcti_name);
        return ERR_MALFORMED;
    }
    if (rc == TSS2_RC_SUCCESS)
        rc = unseal_with_retries(d, object, &blob->pcrs, &data);
    flush(d, object);
    if (from_tpm(rc, TPM2_RC_PCR_CHANGED)) {
        tee_failure_set(failure,
                        "unsealing at the TPM at %s: something extended a PCR during each of %d "
                        "attempts, so the TPM ended each session. The PCRs of the root may be as "
                        "they were: try again when the machine has finished booting",
                        d->tcti_name, UNSEAL_TRIES);
        return ERR_UNAVAILABLE;
    }
    if (from_tpm(rc, TPM2_RC_VALUE) || from_tpm(rc, TPM2_RC_POLICY_FAIL)) {
        tee_failure_set(failure, "the TPM at %s refuses the policy of the sealed object (%s)",
                        d->tcti_name, Tss2_RC_Decode(rc));
        return ERR_DENIED;
    }
    if (rc != TSS2_RC_SUCCESS)
        return fail(d, "unsealing", rc, failure);
    if (take_key(data, key))
        return ERR_NONE;
    tee_failure_set(failure, "the sealed object holds no key of ours");
    return ERR_MALFORMED;
}

/* Indexes of the non-volatile memory */

MUST_CHECK static enum err nv_fail(const struct tpm2_device *d, const char *doing, TSS2_RC rc,
                                   struct tee_failure *failure)
{
    if (from_tpm(rc, TPM2_RC_BAD_AUTH) || from_tpm(rc, TPM2_RC_AUTH_FAIL)) {
        tee_failure_set(failure,
                        "the index in the TPM at %s has another authorization value than this "
                        "keystore's root gives: it was made by another program or for another "
                        "root. If that keystore is gone, "
                        "remove the counter with tpm2_nvundefine; else name another index in "
                        "anchor.tpm2_index",
                        d->tcti_name);
        return ERR_TAMPERED;
    }
    if (rc == TSS2_ESYS_RC_RSP_AUTH_FAILED) {
        tee_failure_set(failure, "the answer from %s, %s, was not made by the TPM", d->tcti_name,
                        doing);
        return ERR_UNAVAILABLE;
    }
    return fail(d, doing, rc, failure);
}

static TPM2B_AUTH auth_of(const uint8_t *auth, size_t size)
{
    TPM2B_AUTH value = {.size = (UINT16)size};

    assert(size <= sizeof value.buffer);
    memcpy(value.buffer, auth, size);
    return value;
}

enum err tpm2_device_nv_define(struct tpm2_device *d, const TPM2B_NV_PUBLIC *public,
                               const uint8_t *auth, size_t auth_size, struct tpm2_nv *out,
                               struct tee_failure *failure)
{
    TPM2B_AUTH value = auth_of(auth, auth_size);
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = start_session(d, TPM2_SE_HMAC, TPMA_SESSION_DECRYPT, &session);

    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_NV_DefineSpace(d->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, session, ESYS_TR_NONE,
                                 &value, public, &out->handle);
    flush(d, session);
    bytes_wipe(&value, sizeof value);
    stack_wipe();
    if (from_tpm(rc, TPM2_RC_NV_DEFINED)) {
        tee_failure_set(failure,
                        "index 0x%08x of the TPM at %s is in use. If it is a counter of a keystore "
                        "that is gone, remove it with tpm2_nvundefine 0x%08x; else name another "
                        "index in anchor.tpm2_index",
                        public->nvPublic.nvIndex, d->tcti_name, public->nvPublic.nvIndex);
        return ERR_CONFLICT;
    }
    return rc == TSS2_RC_SUCCESS ? ERR_NONE : fail(d, "making the counter", rc, failure);
}

enum err tpm2_device_nv_open(struct tpm2_device *d, uint32_t index, const uint8_t *auth,
                             size_t auth_size, struct tpm2_nv *out, struct tee_failure *failure)
{
    TPM2B_AUTH value = auth_of(auth, auth_size);
    TPM2B_NV_PUBLIC *public = NULL;
    TPM2B_NAME *name = NULL;
    TSS2_RC rc = Esys_TR_FromTPMPublic(d->esys, index, NO_SESSIONS, &out->handle);

    if (from_tpm(rc, TPM2_RC_HANDLE)) {
        tee_failure_set(failure,
                        "the TPM at %s has nothing at index 0x%08x: the counter was deleted, the "
                        "TPM was cleared, or it is another TPM",
                        d->tcti_name, index);
        bytes_wipe(&value, sizeof value);
        return ERR_NOT_FOUND;
    }
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_NV_ReadPublic(d->esys, out->handle, NO_SESSIONS, &public, &name);
    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_TR_SetAuth(d->esys, out->handle, &value);
    bytes_wipe(&value, sizeof value);
    if (rc == TSS2_RC_SUCCESS)
        out->found = *public;
    Esys_Free(public);
    Esys_Free(name);
    return rc == TSS2_RC_SUCCESS ? ERR_NONE : nv_fail(d, "finding the counter", rc, failure);
}

void tpm2_device_nv_close(struct tpm2_device *d, struct tpm2_nv *nv)
{
    if (d && nv->handle != ESYS_TR_NONE)
        (void)Esys_TR_Close(d->esys, &nv->handle);
    nv->handle = ESYS_TR_NONE;
}

enum err tpm2_device_nv_increment(struct tpm2_device *d, const struct tpm2_nv *nv,
                                  struct tee_failure *failure)
{
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = start_session(d, TPM2_SE_HMAC, 0, &session);

    if (rc == TSS2_RC_SUCCESS)
        rc =
            Esys_NV_Increment(d->esys, nv->handle, nv->handle, session, ESYS_TR_NONE, ESYS_TR_NONE);
    flush(d, session);
    stack_wipe();
    return rc == TSS2_RC_SUCCESS ? ERR_NONE : nv_fail(d, "counting", rc, failure);
}

enum err tpm2_device_nv_read(struct tpm2_device *d, const struct tpm2_nv *nv, uint8_t *out,
                             size_t size, struct tee_failure *failure)
{
    TPM2B_MAX_NV_BUFFER *data = NULL;
    ESYS_TR session = ESYS_TR_NONE;
    TSS2_RC rc = start_session(d, TPM2_SE_HMAC, 0, &session);
    enum err e = ERR_NONE;

    if (rc == TSS2_RC_SUCCESS)
        rc = Esys_NV_Read(d->esys, nv->handle, nv->handle, session, ESYS_TR_NONE, ESYS_TR_NONE,
                          (UINT16)size, 0, &data);
    flush(d, session);
    stack_wipe();
    if (rc != TSS2_RC_SUCCESS)
        return nv_fail(d, "reading the counter", rc, failure);
    if (data->size == size) {
        memcpy(out, data->buffer, size);
    } else {
        tee_failure_set(failure, "the TPM at %s gives %u bytes of the counter, not %zu",
                        d->tcti_name, data->size, size);
        e = ERR_UNAVAILABLE;
    }
    Esys_Free(data);
    return e;
}
