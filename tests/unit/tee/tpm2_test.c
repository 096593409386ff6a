#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/random.h"
#include "support/failing.h"
#include "tee/tee.h"
#include "tee/tpm2_device.h"
#include "unit/tee/swtpm.h"

#define SRK_HANDLE 0x81000001u
#define HASH_SIZE 32

/* First handles of each kind (TPM 2.0 part 2, section 7.4); the library's macros shift signs. */
#define FIRST_LOADED_SESSION 0x02000000u
#define FIRST_SAVED_SESSION 0x03000000u
#define FIRST_TRANSIENT 0x80000000u
#define FIRST_PERSISTENT 0x81000000u

#define ROOT SPAN_LITERAL("the root secret of a keystore")

static void need_swtpm(void)
{
    if (!swtpm_have())
        skip();
}

static struct tee *opened(const char *tcti, const char *pcrs)
{
    const struct tee_settings settings = {.tpm2_tcti = tcti, .tpm2_pcrs = pcrs};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    enum err e = tee_tpm2_open(&settings, &tee, &failure);

    if (e != ERR_NONE)
        print_message("# %s\n", failure.text);
    assert_int_equal(e, ERR_NONE);
    return tee;
}

static void sealed_root(struct swtpm *t, const char *pcrs, struct buffer *out)
{
    struct tee *tee = opened(t->tcti, pcrs);

    assert_int_equal(tee->ops->seal(tee, ROOT, out), ERR_NONE);
    tee_close(&tee);
}

/* The error of unsealing; when there is none, it was the root that came out. */
MUST_CHECK static enum err unsealed(struct tee *tee, struct span blob)
{
    struct secret *plain = NULL;
    enum err e = tee->ops->unseal(tee, blob, &plain);

    if (e == ERR_NONE)
        assert_true(span_equal(secret_span(plain), ROOT));
    else
        assert_null(plain);
    secret_free(&plain);
    return e;
}

static void assert_says(const struct tee *tee, const char *text)
{
    if (!strstr(tee->failure.text, text))
        fail_msg("\"%s\" does not say \"%s\"", tee->failure.text, text);
}

static void extend(const struct swtpm *t, unsigned pcr)
{
    ESYS_CONTEXT *esys = swtpm_connect(t);
    TPML_DIGEST_VALUES values = {.count = 1};

    values.digests[0].hashAlg = TPM2_ALG_SHA256;
    memset(&values.digests[0].digest.sha256, 0x5a, HASH_SIZE);
    assert_int_equal(Esys_PCR_Extend(esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                     ESYS_TR_NONE, &values),
                     TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
}

static void repair_hash(struct buffer *blob)
{
    size_t size = blob->size - SHA256_SIZE;

    sha256(span_of(blob->data, size), blob->data + size);
}

static void secrets_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 32, 128, 129, 4096, TEE_SECRET_MAX};
    uint8_t *bytes = malloc(TEE_SECRET_MAX + 1);
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "0,7");
    random_bytes(bytes, TEE_SECRET_MAX + 1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer blob = {0};
        struct secret *plain = NULL;

        assert_int_equal(tee->ops->seal(tee, span_of(bytes, sizes[i]), &blob), ERR_NONE);
        assert_true(blob.size <= TEE_SEALED_MAX);
        assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_NONE);
        assert_true(span_equal(secret_span(plain), span_of(bytes, sizes[i])));
        secret_free(&plain);
        buffer_clear(&blob);
    }
    struct buffer none = {0};
    assert_int_equal(tee->ops->seal(tee, span_of(bytes, TEE_SECRET_MAX + 1), &none), ERR_TOO_LARGE);
    assert_int_equal(none.size, 0);
    free(bytes);
    tee_close(&tee);
    swtpm_remove(&t);
}

static void all_pcrs_at_once_fit(void **state)
{
    static const char all[] = "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23";
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, all, &blob);
    tee = opened(t.tcti, "0"); /* a blob from the disk does not choose what it is bound to */
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_says(tee, "other PCRs");
    tee_close(&tee);
    tee = opened(t.tcti, all);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    extend(&t, 16);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_says(tee, "PCR 16 differs");
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void a_restarted_machine_opens_its_own_blobs(void **state)
{
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "0,7", &blob);
    swtpm_stop(&t);
    swtpm_start(&t, true);
    tee = opened(t.tcti, "0,7");
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void another_tpm_is_told_from_damage(void **state)
{
    struct buffer blob = {0};
    struct swtpm one, other;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&one);
    swtpm_new(&other);
    sealed_root(&one, "7", &blob);
    tee = opened(other.tcti, "7");
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_says(tee, "another TPM");
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&one);
    swtpm_remove(&other);
}

static void a_changed_pcr_is_named(void **state)
{
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "0,7", &blob);
    tee = opened(t.tcti, "0,7");
    extend(&t, 5); /* not selected */
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    extend(&t, 7);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_says(tee, "PCR 7 differs from when the root was sealed");
    extend(&t, 0);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_says(tee, "PCRs 0, 7 differ");
    tee_close(&tee);
    swtpm_stop(&t); /* a restart resets them */
    swtpm_start(&t, true);
    tee = opened(t.tcti, "0,7");
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

/* The comparison in tpm2.c only words the message: without it, the TPM itself refuses. */
static void the_tpm_itself_refuses_after_a_pcr_changed(void **state)
{
    struct buffer sealed = {0};
    struct tpm2_device *device = NULL;
    struct tee_failure failure = {""};
    uint8_t key[TPM2_WRAPPING_KEY_SIZE] = {0};
    struct tpm2_blob blob;
    struct swtpm t;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "7", &sealed);
    assert_int_equal(tpm2_blob_parse(buffer_span(&sealed), &blob), ERR_NONE);
    extend(&t, 7);
    assert_int_equal(tpm2_device_open(t.tcti, &device, &failure), ERR_NONE);
    assert_int_equal(tpm2_device_unseal(device, &blob, key, &failure), ERR_DENIED);
    /* nor with the present values written into the blob: the object's policy is different */
    assert_int_equal(tpm2_device_pcrs(device, blob.pcrs.mask, &blob.pcrs, &failure), ERR_NONE);
    assert_int_equal(tpm2_device_unseal(device, &blob, key, &failure), ERR_DENIED);
    assert_true(span_is_zero(SPAN_OF(key)));
    tpm2_device_close(&device);
    buffer_clear(&sealed);
    swtpm_remove(&t);
}

static void damaged_blobs_are_refused(void **state)
{
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "0,7", &blob);
    tee = opened(t.tcti, "0,7");
    for (size_t size = 0; size < blob.size; size++)
        assert_int_equal(unsealed(tee, span_of(blob.data, size)), ERR_MALFORMED);
    for (size_t bit = 0; bit < blob.size * 8; bit++) {
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_MALFORMED);
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(buffer_append_string(&blob, "x"), ERR_NONE);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_MALFORMED);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

/* An attacker who also computes the hash again fails at the form, the TPM and the AEAD. */
static void forged_blobs_are_refused(void **state)
{
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "0,7", &blob);
    tee = opened(t.tcti, "0,7");
    for (size_t bit = 3; bit < (blob.size - SHA256_SIZE) * 8; bit += 41) {
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        repair_hash(&blob);
        assert_int_not_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    repair_hash(&blob);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void halves_of_two_blobs_are_refused(void **state)
{
    struct buffer one = {0}, two = {0};
    size_t tail = ROOT.size + AEAD_TAG_SIZE + SHA256_SIZE;
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "7", &one);
    sealed_root(&t, "7", &two);
    assert_int_equal(one.size, two.size);
    memcpy(one.data + one.size - tail, two.data + two.size - tail, tail);
    repair_hash(&one);
    tee = opened(t.tcti, "7");
    assert_int_equal(unsealed(tee, buffer_span(&one)), ERR_MALFORMED);
    assert_says(tee, "put together");
    tee_close(&tee);
    buffer_clear(&one);
    buffer_clear(&two);
    swtpm_remove(&t);
}

static uint32_t handles(ESYS_CONTEXT *esys, uint32_t first)
{
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;
    uint32_t count;

    assert_int_equal(Esys_GetCapability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                        TPM2_CAP_HANDLES, first, 64, &more, &data),
                     TSS2_RC_SUCCESS);
    count = data->data.handles.count;
    Esys_Free(data);
    return count;
}

/* A TPM has room for three objects and a few sessions, so a leak of one per round would fail at
 * once. */
static void fifty_rounds_leave_no_handles(void **state)
{
    struct swtpm t;
    struct tee *tee;
    ESYS_CONTEXT *esys;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "7");
    for (int i = 0; i < 50; i++) {
        struct buffer blob = {0};

        if (i % 10 == 9)
            extend(&t, 7);
        assert_int_equal(tee->ops->seal(tee, ROOT, &blob), ERR_NONE);
        assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
        if (i % 10 == 5) {
            extend(&t, 7); /* refused rounds flush, too */
            assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
        }
        buffer_clear(&blob);
    }
    tee_close(&tee);
    esys = swtpm_connect(&t);
    assert_int_equal(handles(esys, FIRST_TRANSIENT), 0);
    assert_int_equal(handles(esys, FIRST_LOADED_SESSION), 0);
    assert_int_equal(handles(esys, FIRST_SAVED_SESSION), 0);
    assert_int_equal(handles(esys, FIRST_PERSISTENT), 0);
    swtpm_disconnect(&esys);
    swtpm_remove(&t);
}

/* Puts a P-256 key at the SRK's place. */
static void make_persistent(const struct swtpm *t, bool storage)
{
    TPM2B_PUBLIC template = {0};
    TPMT_PUBLIC *area = &template.publicArea;
    const TPM2B_SENSITIVE_CREATE no_secret = {0};
    const TPM2B_DATA no_data = {0};
    const TPML_PCR_SELECTION no_pcrs = {0};
    ESYS_CONTEXT *esys = swtpm_connect(t);
    ESYS_TR key, persistent;

    area->type = TPM2_ALG_ECC;
    area->nameAlg = TPM2_ALG_SHA256;
    area->objectAttributes =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN |
        TPMA_OBJECT_USERWITHAUTH |
        (storage ? TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT : TPMA_OBJECT_SIGN_ENCRYPT);
    area->parameters.eccDetail.symmetric.algorithm = storage ? TPM2_ALG_AES : TPM2_ALG_NULL;
    area->parameters.eccDetail.symmetric.keyBits.aes = 128;
    area->parameters.eccDetail.symmetric.mode.aes = TPM2_ALG_CFB;
    area->parameters.eccDetail.scheme.scheme = TPM2_ALG_NULL;
    area->parameters.eccDetail.kdf.scheme = TPM2_ALG_NULL;
    area->parameters.eccDetail.curveID = TPM2_ECC_NIST_P256;
    assert_int_equal(Esys_CreatePrimary(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                        ESYS_TR_NONE, &no_secret, &template, &no_data, &no_pcrs,
                                        &key, NULL, NULL, NULL, NULL),
                     TSS2_RC_SUCCESS);
    assert_int_equal(Esys_EvictControl(esys, ESYS_TR_RH_OWNER, key, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                       ESYS_TR_NONE, SRK_HANDLE, &persistent),
                     TSS2_RC_SUCCESS);
    assert_int_equal(Esys_FlushContext(esys, key), TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
}

static void a_persistent_root_key_is_used(void **state)
{
    struct buffer before = {0}, after = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    sealed_root(&t, "7", &before);
    make_persistent(&t, true);
    sealed_root(&t, "7", &after);
    swtpm_stop(&t);
    swtpm_start(&t, true);
    tee = opened(t.tcti, "7");
    assert_int_equal(unsealed(tee, buffer_span(&after)), ERR_NONE);
    assert_int_equal(unsealed(tee, buffer_span(&before)), ERR_DENIED); /* under the key before */
    tee_close(&tee);
    buffer_clear(&before);
    buffer_clear(&after);
    swtpm_remove(&t);
}

static void a_key_that_stores_nothing_is_not_trusted(void **state)
{
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    struct swtpm t;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    make_persistent(&t, false);
    const struct tee_settings settings = {.tpm2_tcti = t.tcti};
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_UNAVAILABLE);
    assert_non_null(strstr(failure.text, "not a storage root key"));
    assert_null(tee);
    swtpm_remove(&t);
}

static void an_owner_password_is_named(void **state)
{
    const TPM2B_AUTH password = {.size = 4, .buffer = "pass"};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    ESYS_CONTEXT *esys;
    struct swtpm t;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    esys = swtpm_connect(&t);
    assert_int_equal(Esys_HierarchyChangeAuth(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
                                              ESYS_TR_NONE, ESYS_TR_NONE, &password),
                     TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
    const struct tee_settings settings = {.tpm2_tcti = t.tcti};
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_UNAVAILABLE);
    assert_non_null(strstr(failure.text, "owner password"));
    swtpm_remove(&t);
}

static void a_tpm_that_was_not_started_is_named(void **state)
{
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    struct swtpm t;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    swtpm_stop(&t);
    swtpm_start(&t, false);
    const struct tee_settings settings = {.tpm2_tcti = t.tcti};
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_UNAVAILABLE);
    assert_non_null(strstr(failure.text, "has not been started"));
    swtpm_remove(&t);
}

static void a_missing_tpm_is_unavailable(void **state)
{
    static const char *const places[] = {"swtpm:host=127.0.0.1,port=1", "device:/dev/null/tpm",
                                         "no such tcti:at all"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        const struct tee_settings settings = {.tpm2_tcti = places[i]};
        struct tee_failure failure = {""};
        struct tee *tee = NULL;

        assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_UNAVAILABLE);
        assert_non_null(strstr(failure.text, "no TPM answers"));
        assert_null(tee);
    }
}

/* The number in the message is the longest that is taken. */
static void a_name_that_is_too_long_is_refused(void **state)
{
    static const char says[] = "longer than ";
    char name[4096];
    const struct tee_settings settings = {.tpm2_tcti = name};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    const char *at;
    size_t longest;

    (void)state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_CONFIG);
    at = strstr(failure.text, says);
    assert_non_null(at);
    longest = strtoul(at + sizeof says - 1, NULL, 10);
    assert_in_range(longest, 1, sizeof name - 3);
    name[longest + 1] = '\0';
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_CONFIG);
    name[longest] = '\0';
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_UNAVAILABLE);
    failing_begin(0);
    assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_MEMORY);
    assert_true(failing_end());
    assert_null(tee);
}

static void a_tpm_that_goes_away_is_unavailable(void **state)
{
    struct buffer blob = {0};
    struct buffer none = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "7");
    assert_int_equal(tee->ops->seal(tee, ROOT, &blob), ERR_NONE);
    swtpm_stop(&t);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_UNAVAILABLE);
    assert_says(tee, "no TPM answers");
    assert_int_equal(tee->ops->seal(tee, ROOT, &none), ERR_UNAVAILABLE);
    assert_int_equal(none.size, 0);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void pcr_lists_have_one_spelling(void **state)
{
    static const char *const bad[] = {"",        ",",    "24",   "7,0", "7,7",
                                      "0,",      ",0",   " 7",   "7 ",  "+7",
                                      "-1",      "0x7",  "07",   "00",  "007",
                                      "0,07",    "0 ,7", "0,,7", "a",   "99999999999999999999999",
                                      "sha256:7"};
    static const struct {
        const char *text;
        uint32_t mask;
    } good[] = {
        {"0",         1       },
        {"7",         0x80    },
        {"0,7",       0x81    },
        {"4,7,11,23", 0x800890},
    };
    uint32_t mask = 77;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct tee_settings settings = {.tpm2_pcrs = bad[i]};
        struct tee_failure failure = {""};
        struct tee *tee = NULL;

        assert_int_equal(tpm2_pcr_list_parse(bad[i], &mask), ERR_CONFIG);
        assert_int_equal(mask, 77);
        assert_int_equal(tee_tpm2_open(&settings, &tee, &failure), ERR_CONFIG);
        assert_non_null(strstr(failure.text, "not a list of PCRs"));
    }
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(tpm2_pcr_list_parse(good[i].text, &mask), ERR_NONE);
        assert_int_equal(mask, good[i].mask);
        mask = 77;
    }
}

static void it_gives_no_evidence(void **state)
{
    static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {0};
    const struct timestamp now = timestamp_of_seconds(1800000000);
    struct tee_evidence evidence = {0};
    struct buffer out = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "7");
    assert_string_equal(tee->ops->name, "tpm2");
    assert_false(tee->ops->simulated);
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_UNSUPPORTED);
    assert_null(tee->ops->evidence);
    assert_int_equal(tee->ops->collateral(tee, now, &out), ERR_NONE);
    assert_int_equal(out.size, 0);
    tee_close(&tee);
    swtpm_remove(&t);
}

static int start(void **state)
{
    (void)state;
    (void)setenv("TSS2_LOG", "all+NONE", 1); /* the library's own lines are none of ours */
    return crypto_start() == ERR_NONE ? 0 : -1;
}

static void preflight_agrees_with_the_next_unsealing(void **state)
{
    struct tee_failure failure = {""};
    struct buffer blob = {0};
    struct swtpm t, other;
    struct tee *tee, *elsewhere;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    swtpm_new(&other);
    sealed_root(&t, "0,7", &blob);
    tee = opened(t.tcti, "0,7");
    elsewhere = opened(other.tcti, "0,7");
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_NONE);
    extend(&t, 16); /* not one of ours */
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_NONE);
    assert_string_equal(failure.text, "");
    assert_int_equal(elsewhere->ops->preflight(elsewhere, buffer_span(&blob), &failure),
                     ERR_DENIED);
    assert_non_null(strstr(failure.text, "another TPM"));
    extend(&t, 7);
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_DENIED);
    assert_non_null(strstr(failure.text, "PCR 7 differs"));
    assert_string_equal(tee->failure.text, ""); /* that is for the thread that unseals */
    assert_int_equal(tee->ops->preflight(tee, SPAN_LITERAL("nothing"), &failure), ERR_MALFORMED);
    swtpm_stop(&t);
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_UNAVAILABLE);
    tee_close(&tee);
    tee_close(&elsewhere);
    buffer_clear(&blob);
    swtpm_remove(&t);
    swtpm_remove(&other);
}

/* What extend() makes of a PCR that is zero. */
static void extended_value(char hex[2 * HASH_SIZE + 1])
{
    uint8_t bytes[2 * HASH_SIZE] = {0}, digest[HASH_SIZE];

    memset(bytes + HASH_SIZE, 0x5a, HASH_SIZE);
    sha256(SPAN_OF(bytes), digest);
    hex_write(SPAN_OF(digest), hex);
}

static void a_root_sealed_for_the_next_state_opens_there(void **state)
{
    struct tee_failure failure = {""};
    char hex[2 * HASH_SIZE + 1];
    char values[2 * HASH_SIZE + 8];
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "0,7");
    extended_value(hex);
    (void)snprintf(values, sizeof values, "7=%s", hex);
    assert_int_equal(tee->ops->seal_for(tee, ROOT, values, &blob, &failure), ERR_NONE);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_DENIED);
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_DENIED);
    extend(&t, 7);
    assert_int_equal(tee->ops->preflight(tee, buffer_span(&blob), &failure), ERR_NONE);
    assert_int_equal(unsealed(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void a_state_that_is_no_list_seals_nothing(void **state)
{
    static const char *const bad[] = {"7", "7=", "7=00", "1=" /* not among tee.tpm2_pcrs */};
    struct buffer blob = {0};
    struct swtpm t;
    struct tee *tee;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    tee = opened(t.tcti, "0,7");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tee_failure failure = {""};

        if (tee->ops->seal_for(tee, ROOT, bad[i], &blob, &failure) != ERR_CONFIG)
            fail_msg("\"%s\" is not refused", bad[i]);
        assert_non_null(strstr(failure.text, "is not a list of PCR=VALUE"));
        assert_int_equal(buffer_span(&blob).size, 0);
    }
    tee_close(&tee);
    buffer_clear(&blob);
    swtpm_remove(&t);
}

static void values_of_pcrs_are_strict(void **state)
{
#define V32 "00000000000000000000000000000000"
#define V V32 V32
    static const char *const bad[] = {
        "7",
        "7=",
        "=" V,
        "7=" V32,
        "7=" V "0",
        "7=" V ",",
        "8=" V,
        "24=" V,
        "7=" V ",0=" V,
        "7=" V ",7=" V,
        "07=" V,
        " 7=" V,
        "+7=" V,
        "7 =" V,
        "7= " V,
        "7=" V " ",
        "7=" V ";0=" V,
        "99999999999999999999=" V,
        "7=0x" V,
        "-1=" V,
        ",7=" V,
        "0=" V ",,7=" V,
        "7:" V,
    };
    struct tpm2_pcrs pcrs = {.mask = 1u << 0 | 1u << 7};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (tpm2_pcr_values_parse(bad[i], &pcrs) != ERR_CONFIG)
            fail_msg("\"%s\" is taken", bad[i]);
    memset(pcrs.values, 0xff, sizeof pcrs.values);
    assert_int_equal(tpm2_pcr_values_parse("", &pcrs), ERR_NONE);
    assert_int_equal(pcrs.values[0][0], 0xff);
    assert_int_equal(tpm2_pcr_values_parse("0=" V ",7=" V, &pcrs), ERR_NONE);
    assert_int_equal(pcrs.values[0][0], 0);
    assert_int_equal(pcrs.values[7][31], 0);
    assert_int_equal(pcrs.values[8][0], 0xff);
#undef V
#undef V32
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preflight_agrees_with_the_next_unsealing),
        cmocka_unit_test(a_root_sealed_for_the_next_state_opens_there),
        cmocka_unit_test(a_state_that_is_no_list_seals_nothing),
        cmocka_unit_test(values_of_pcrs_are_strict),
        cmocka_unit_test(secrets_of_every_size_come_back),
        cmocka_unit_test(all_pcrs_at_once_fit),
        cmocka_unit_test(a_restarted_machine_opens_its_own_blobs),
        cmocka_unit_test(another_tpm_is_told_from_damage),
        cmocka_unit_test(a_changed_pcr_is_named),
        cmocka_unit_test(the_tpm_itself_refuses_after_a_pcr_changed),
        cmocka_unit_test(damaged_blobs_are_refused),
        cmocka_unit_test(forged_blobs_are_refused),
        cmocka_unit_test(halves_of_two_blobs_are_refused),
        cmocka_unit_test(fifty_rounds_leave_no_handles),
        cmocka_unit_test(a_persistent_root_key_is_used),
        cmocka_unit_test(a_key_that_stores_nothing_is_not_trusted),
        cmocka_unit_test(an_owner_password_is_named),
        cmocka_unit_test(a_tpm_that_was_not_started_is_named),
        cmocka_unit_test(a_missing_tpm_is_unavailable),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
        cmocka_unit_test(a_tpm_that_goes_away_is_unavailable),
        cmocka_unit_test(pcr_lists_have_one_spelling),
        cmocka_unit_test(it_gives_no_evidence),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
