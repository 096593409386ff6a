#include "tee/tpm2_counter.h"

#include <string.h>

#include "base/reader.h"
#include "tee/tpm2_device.h"

/*
 * Only the authorization value reads and increments. It has 256 bits, so wrong guesses at it need
 * no lockout.
 */
#define ATTRIBUTES                                                                                 \
    (TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA |                                        \
     ((TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT))

static const TPM2B_NV_PUBLIC template = {
    .nvPublic = {.nameAlg = TPM2_ALG_SHA256, .attributes = ATTRIBUTES, .dataSize = 8},
};

/* `written` is TPMA_NV_WRITTEN, or 0 for a counter that has never counted. */
static bool is_counter(const TPMS_NV_PUBLIC *found, uint32_t index, TPMA_NV written)
{
    return found->nvIndex == index && found->nameAlg == TPM2_ALG_SHA256 && found->dataSize == 8 &&
           found->attributes == (ATTRIBUTES | written);
}

MUST_CHECK static enum err counter_open(struct tpm2_device *d, const struct tpm2_counter *c,
                                        struct tpm2_nv *nv, struct tee_failure *failure)
{
    enum err e = tpm2_device_nv_open(d, c->index, c->auth, TPM2_COUNTER_AUTH_SIZE, nv, failure);

    if (e == ERR_NONE && is_counter(&nv->found.nvPublic, c->index, 0)) {
        tee_failure_set(failure,
                        "the counter at index 0x%08x of the TPM at %s has no value: its creation "
                        "was interrupted",
                        c->index, c->tcti);
        return ERR_NOT_FOUND;
    }
    if (e == ERR_NONE && !is_counter(&nv->found.nvPublic, c->index, TPMA_NV_WRITTEN)) {
        tee_failure_set(failure,
                        "index 0x%08x of the TPM at %s is not the counter of a keystore: another "
                        "program uses it; name another index in anchor.tpm2_index",
                        c->index, c->tcti);
        return ERR_TAMPERED;
    }
    return e;
}

MUST_CHECK static enum err value_read(struct tpm2_device *d, const struct tpm2_nv *nv,
                                      uint64_t *value, struct tee_failure *failure)
{
    uint8_t bytes[8];
    struct reader r = reader_over(SPAN_OF(bytes));
    enum err e = tpm2_device_nv_read(d, nv, bytes, sizeof bytes, failure);

    if (e == ERR_NONE)
        *value = reader_u64be(&r);
    return e;
}

/*
 * Defines the counter, or opens one whose creation was interrupted before it counted. If that one
 * has another authorization value, the first increment fails.
 */
MUST_CHECK static enum err counter_define(struct tpm2_device *d, const struct tpm2_counter *c,
                                          struct tpm2_nv *nv, struct tee_failure *failure)
{
    struct tee_failure other = {""};
    TPM2B_NV_PUBLIC public = template;
    enum err e;

    public.nvPublic.nvIndex = c->index;
    e = tpm2_device_nv_define(d, &public, c->auth, TPM2_COUNTER_AUTH_SIZE, nv, failure);
    if (e == ERR_CONFLICT &&
        tpm2_device_nv_open(d, c->index, c->auth, TPM2_COUNTER_AUTH_SIZE, nv, &other) == ERR_NONE &&
        is_counter(&nv->found.nvPublic, c->index, 0))
        return ERR_NONE;
    return e;
}

enum err tpm2_counter_create(const struct tpm2_counter *c, uint64_t *value,
                             struct tee_failure *failure)
{
    struct tpm2_device *d = NULL;
    struct tpm2_nv nv = {.handle = ESYS_TR_NONE};
    enum err e = tpm2_device_open(c->tcti, &d, failure);

    if (e == ERR_NONE)
        e = counter_define(d, c, &nv, failure);
    if (e == ERR_NONE)
        e = tpm2_device_nv_increment(d, &nv, failure);
    if (e == ERR_NONE)
        e = value_read(d, &nv, value, failure);
    tpm2_device_nv_close(d, &nv);
    tpm2_device_close(&d);
    return e;
}

enum err tpm2_counter_read(const struct tpm2_counter *c, uint64_t *value,
                           struct tee_failure *failure)
{
    struct tpm2_device *d = NULL;
    struct tpm2_nv nv = {.handle = ESYS_TR_NONE};
    enum err e = tpm2_device_open_plain(c->tcti, &d, failure);

    if (e == ERR_NONE)
        e = counter_open(d, c, &nv, failure);
    if (e == ERR_NONE)
        e = value_read(d, &nv, value, failure);
    tpm2_device_nv_close(d, &nv);
    tpm2_device_close(&d);
    return e;
}

enum err tpm2_counter_look(const char *tcti, uint32_t index, struct tee_failure *failure)
{
    static const uint8_t no_auth[TPM2_COUNTER_AUTH_SIZE] = {0};
    const struct tpm2_counter c = {tcti, index, no_auth};
    struct tpm2_device *d = NULL;
    struct tpm2_nv nv = {.handle = ESYS_TR_NONE};
    enum err e = tpm2_device_open_plain(tcti, &d, failure);

    if (e == ERR_NONE)
        e = counter_open(d, &c, &nv, failure);
    tpm2_device_nv_close(d, &nv);
    tpm2_device_close(&d);
    return e;
}

MUST_CHECK static enum err not_there(uint64_t to, uint64_t found, struct tee_failure *failure)
{
    tee_failure_set(failure, "the counter of the TPM is at %llu, and was to move to %llu",
                    (unsigned long long)found, (unsigned long long)to);
    return ERR_CONFLICT;
}

enum err tpm2_counter_move(const struct tpm2_counter *c, uint64_t to, uint64_t *value,
                           struct tee_failure *failure)
{
    struct tpm2_device *d = NULL;
    struct tpm2_nv nv = {.handle = ESYS_TR_NONE};
    enum err e = tpm2_device_open_plain(c->tcti, &d, failure);

    if (e == ERR_NONE)
        e = counter_open(d, c, &nv, failure);
    if (e == ERR_NONE)
        e = value_read(d, &nv, value, failure);
    if (e == ERR_NONE && *value + 1 == to) {
        e = tpm2_device_nv_increment(d, &nv, failure);
        if (e == ERR_NONE)
            e = value_read(d, &nv, value, failure);
    }
    if (e == ERR_NONE && *value != to)
        e = not_there(to, *value, failure);
    tpm2_device_nv_close(d, &nv);
    tpm2_device_close(&d);
    return e;
}
