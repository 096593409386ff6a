/* The choice of the provider, and evidence from one provider with sealing by another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/random.h"
#include "unit/tee/fake_kernel.h"
#include "unit/tee/swtpm.h"

#define TYPE "/dev/attestation/attestation_type"

static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {1, 2, 3, [63] = 4};
static const struct timestamp now = {0};
static const struct span root = {(const uint8_t *)"thirty-two bytes of a root, or so", 32};

MUST_CHECK static enum err open_on(struct fake_kernel *k, struct tee_settings settings,
                                   struct tee **out, char text[TEE_FAILURE_SIZE])
{
    struct tee_failure failure = {""};
    enum err e;

    fake_kernel_init(k);
    settings.system = &k->system;
    e = tee_open(&settings, out, &failure);
    memcpy(text, failure.text, TEE_FAILURE_SIZE);
    assert_true((e == ERR_NONE) == (*out != NULL));
    assert_true((e == ERR_NONE) == (*text == '\0'));
    fake_kernel_assert_clean(k);
    return e;
}

static void test_the_machine_is_found_out(void **state)
{
    static const struct {
        const char *gramine, *provider; /* NULL: absent */
        bool sev;
        const char *name;
    } cases[] = {
        {"dcap", NULL,        false, "sgx"},
        {"dcap", "sev_guest", true,  "sgx"}, /* the innermost */
        {NULL,   "sev_guest", true,  "snp"},
        {NULL,   NULL,        true,  "snp"},
        {"none", NULL,        true,  "snp"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = {.provider = cases[i].provider, .has_sev = cases[i].sev};
        char text[TEE_FAILURE_SIZE];
        struct tee *tee = NULL;

        if (cases[i].gramine)
            fake_kernel_file(&k, TYPE, span_string(cases[i].gramine));
        assert_int_equal(open_on(&k, (struct tee_settings){.kind = TEE_AUTO}, &tee, text),
                         ERR_NONE);
        assert_string_equal(tee->ops->name, cases[i].name);
        assert_non_null(tee->evidence_by);
        assert_non_null(tee->sealed_by);
        tee_close(&tee);
    }
}

static void test_without_a_tee_each_candidate_has_its_reason(void **state)
{
    /* everything for simulated and tpm2 is present, but they are not chosen */
    const struct tee_settings settings = {
        .kind = TEE_AUTO, .simulated_dir = "/tmp", .tpm2_tcti = "device:/dev/null"};
    struct fake_kernel k = {0};
    char text[TEE_FAILURE_SIZE];
    struct tee *tee = NULL;

    (void)state;
    assert_int_equal(open_on(&k, settings, &tee, text), ERR_UNSUPPORTED);
    assert_string_equal(
        text,
        "sgx: /dev/attestation/attestation_type is missing: this is no SGX enclave under Gramine | "
        "snp: /sys/kernel/config/tsm/report does not exist or has no driver: mount configfs, "
        "load the guest driver; kernel 6.7 or newer; /dev/sev-guest is missing: this is no SEV-SNP "
        "guest, or the sev-guest driver is not loaded | "
        "tdx: /sys/kernel/config/tsm/report does not exist or has no driver: mount configfs, "
        "load the guest driver; kernel 6.7 or newer");

    k = (struct fake_kernel){.has_sev = true, .sev_errno = EACCES};
    assert_int_equal(open_on(&k, settings, &tee, text), ERR_UNSUPPORTED);
    assert_non_null(strstr(text, "/dev/sev-guest may not be opened by this user"));
}

static void test_a_named_provider_is_not_replaced(void **state)
{
    static const struct {
        enum tee_kind kind;
        const char *says;
    } cases[] = {
        {TEE_SGX,       "Gramine"        },
        {TEE_TDX,       "answers for"    },
        {TEE_TPM2,      "TPM"            },
        {TEE_SIMULATED, "/does/not/exist"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = {.provider = "sev_guest", .has_sev = true};
        char text[TEE_FAILURE_SIZE];
        struct tee *tee = NULL;
        const struct tee_settings settings = {.kind = cases[i].kind,
                                              .tpm2_tcti = "device:/does/not/exist",
                                              .simulated_dir = "/does/not/exist"};

        assert_int_not_equal(open_on(&k, settings, &tee, text), ERR_NONE);
        assert_non_null(strstr(text, cases[i].says));
    }
}

static void test_tdx_needs_another_provider_to_seal(void **state)
{
    static const enum tee_kind kinds[] = {TEE_TDX, TEE_AUTO};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct fake_kernel k = {.provider = "tdx_guest"};
        char text[TEE_FAILURE_SIZE];
        struct tee *tee = NULL;

        assert_int_equal(open_on(&k, (struct tee_settings){.kind = kinds[i]}, &tee, text),
                         ERR_UNSUPPORTED);
        assert_non_null(strstr(text, "set tee.sealing to tpm2"));
        assert_int_equal(open_on(&k,
                                 (struct tee_settings){.kind = kinds[i],
                                                       .seal_with_tpm2 = true,
                                                       .tpm2_tcti = "device:/does/not/exist"},
                                 &tee, text),
                         ERR_UNAVAILABLE);
    }
}

/* Evidence from `k`, sealing by a software TPM, which the code cannot distinguish from a real
 * one. */
static void check_composite(struct fake_kernel *k, const struct tee_settings *settings,
                            const char *name, const char *evidence_kind)
{
    struct tee_evidence evidence = {0};
    struct buffer blob = {0}, bundle = {0};
    struct secret *plain = NULL;
    struct tee *tee = NULL;
    char text[TEE_FAILURE_SIZE];

    assert_int_equal(open_on(k, *settings, &tee, text), ERR_NONE);
    assert_string_equal(tee->ops->name, name);
    assert_string_equal(tee->ops->evidence, evidence_kind);
    assert_true(tee->ops->seals);
    assert_false(tee->ops->simulated);
    assert_string_equal(tee->evidence_by, "/sys/kernel/config/tsm/report");
    assert_non_null(strstr(tee->sealed_by, "TPM"));
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    assert_true(span_equal(span_slice(buffer_span(&evidence.quote), k->evidence_data, 64),
                           SPAN_OF(report_data)));
    assert_int_equal(tee->ops->collateral(tee, now, &bundle), ERR_NONE);
    assert_int_equal(bundle.size, 0);
    assert_int_equal(tee->ops->seal(tee, root, &blob), ERR_NONE);
    assert_true(span_starts_with(buffer_span(&blob), SPAN_LITERAL("VSTPM2")));
    assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_NONE);
    assert_true(bytes_equal_ct(secret_data(plain), root.data, root.size));
    secret_free(&plain);
    assert_int_equal(k->asked.fields, 0); /* the platform's key was not asked for */

    /* the caller gets failures of either part */
    blob.data[20] ^= 1;
    assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_MALFORMED);
    assert_non_null(strstr(tee->failure.text, "TPM"));
    tee_evidence_clear(&evidence);
    k->binds_nothing = true;
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_UNAVAILABLE);
    assert_non_null(strstr(tee->failure.text, "does not bind"));
    buffer_clear(&blob);
    tee_close(&tee);
    fake_kernel_assert_clean(k);
}

static void test_evidence_of_one_and_sealing_by_the_tpm(void **state)
{
    static uint8_t tdx[5000];
    static const uint8_t snp[SNP_REPORT_SIZE];
    struct writer w = writer_over(tdx, sizeof tdx);
    struct swtpm t;

    (void)state;
    if (!swtpm_have())
        skip();
    writer_u16le(&w, 4);
    writer_u16le(&w, 2);
    writer_u32le(&w, 0x81);
    swtpm_new(&t);
    for (int i = 0; i < 3; i++) {
        struct fake_kernel k = {
            .provider = "tdx_guest", .evidence = SPAN_OF(tdx), .evidence_data = 48 + 520};
        struct tee_settings settings = {.kind = i == 0 ? TEE_TDX : TEE_AUTO,
                                        .seal_with_tpm2 = true,
                                        .tpm2_tcti = t.tcti,
                                        .tpm2_pcrs = "0,7"};

        if (i == 2) /* without /dev/sev-guest, which only its own sealing needs */
            k = (struct fake_kernel){
                .provider = "sev_guest", .evidence = SPAN_OF(snp), .evidence_data = 0x50};
        check_composite(&k, &settings, i == 2 ? "snp+tpm2" : "tdx+tpm2", i == 2 ? "snp" : "tdx");
    }
    swtpm_remove(&t);
}

static void test_a_tpm_that_is_named_twice_is_one(void **state)
{
    struct fake_kernel k = {0};
    char text[TEE_FAILURE_SIZE];
    struct tee *tee = NULL;
    struct swtpm t;

    (void)state;
    if (!swtpm_have())
        skip();
    swtpm_new(&t);
    assert_int_equal(open_on(&k,
                             (struct tee_settings){.kind = TEE_TPM2,
                                                   .seal_with_tpm2 = true,
                                                   .tpm2_tcti = t.tcti,
                                                   .tpm2_pcrs = "7"},
                             &tee, text),
                     ERR_NONE);
    assert_string_equal(tee->ops->name, "tpm2");
    assert_null(tee->ops->evidence);
    tee_close(&tee);
    swtpm_remove(&t);
}

static int start(void **state)
{
    (void)state;
    (void)setenv("TSS2_LOG", "all+NONE", 1); /* suppresses the library's own lines */
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_machine_is_found_out),
        cmocka_unit_test(test_without_a_tee_each_candidate_has_its_reason),
        cmocka_unit_test(test_a_named_provider_is_not_replaced),
        cmocka_unit_test(test_tdx_needs_another_provider_to_seal),
        cmocka_unit_test(test_evidence_of_one_and_sealing_by_the_tpm),
        cmocka_unit_test(test_a_tpm_that_is_named_twice_is_one),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
