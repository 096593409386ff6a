#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/attest.h"
#include "base/file.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "unit/tee/fake_kernel.h"

#define TYPE "/dev/attestation/attestation_type"
#define MRENCLAVE_KEY "/dev/attestation/keys/_sgx_mrenclave"
#define MRSIGNER_KEY "/dev/attestation/keys/_sgx_mrsigner"

static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {1, 2, 3, [63] = 4};
#define POLICY_AT 7 /* in a blob: after magic and version */
static const struct span root = {(const uint8_t *)"thirty-two bytes of a root, or so", 32};
static const uint8_t key_a[16] = {1, 2}, key_b[16] = {1, 3};

static struct timestamp now(void)
{
    return timestamp_of_seconds(1800000000);
}

/* A platform that signs quotes like a quoting enclave, made once. */
static struct simulated_platform *platform;
static char parent[] = "/tmp/vouchsafe-sgx-XXXXXX";

static struct fake_kernel gramine(void)
{
    struct fake_kernel k = {.gramine = platform, .enclave = {.mr_enclave = {7}}};

    fake_kernel_file(&k, TYPE, SPAN_LITERAL("dcap"));
    fake_kernel_file(&k, MRENCLAVE_KEY, SPAN_OF(key_a));
    fake_kernel_file(&k, MRSIGNER_KEY, SPAN_OF(key_b));
    return k;
}

MUST_CHECK static enum err open_on(struct fake_kernel *k, enum tee_sgx_seal policy,
                                   struct tee **out, struct tee_failure *failure)
{
    struct tee_settings settings = {.sgx_seal = policy, .system = &k->system};

    fake_kernel_init(k);
    return tee_sgx_open(&settings, out, failure);
}

static struct tee *opened(struct fake_kernel *k, enum tee_sgx_seal policy)
{
    struct tee_failure failure = {""};
    struct tee *tee = NULL;

    assert_int_equal(open_on(k, policy, &tee, &failure), ERR_NONE);
    assert_string_equal(failure.text, "");
    return tee;
}

static void test_a_quote_binds_the_report_data_and_verifies(void **state)
{
    struct fake_kernel k = gramine();
    struct tee *tee = opened(&k, TEE_SGX_MRENCLAVE);
    struct tee_evidence evidence = {0};
    struct attest_trust trust = {0};
    struct attest_collateral *collateral = NULL;
    struct attest_result result = {0};
    struct buffer bundle = {0};

    (void)state;
    assert_string_equal(tee->ops->name, "sgx");
    assert_string_equal(tee->ops->evidence, "sgx");
    assert_false(tee->ops->simulated);
    k.read_max = 1000; /* short reads */
    assert_int_equal(tee->ops->quote(tee, report_data, now(), &evidence), ERR_NONE);
    assert_int_equal(evidence.certificates.size, 0);
    assert_int_equal(tee->ops->collateral(tee, now(), &bundle), ERR_NONE);
    assert_int_equal(bundle.size, 0);

    assert_int_equal(attest_trust_add_simulated(&trust, simulated_root_pem(platform)), ERR_NONE);
    assert_int_equal(
        simulated_collateral_bundle(platform, &(struct simulated_collateral){0}, now(), &bundle),
        ERR_NONE);
    assert_int_equal(
        attest_collateral_from_bundle(&trust, buffer_span(&bundle), &collateral, &result.reason),
        ERR_NONE);
    const struct attest_collateral *const items[] = {collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};

    assert_int_equal(attest_verify(&trust, &set, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&evidence.quote)},
                                   now(), &result),
                     ERR_NONE);
    assert_memory_equal(result.sgx.mr_enclave, k.enclave.mr_enclave, 32);
    attest_collateral_free(&collateral);
    buffer_clear(&bundle);
    tee_evidence_clear(&evidence);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_a_machine_without_gramine_is_refused(void **state)
{
    static const struct {
        const char *type; /* NULL: no such file */
        enum err e;
        const char *says;
    } cases[] = {
        {NULL,                                          ERR_NOT_FOUND,   "Gramine"   },
        {"none",                                        ERR_UNSUPPORTED, "manifest"  },
        {"epid",                                        ERR_UNSUPPORTED, "manifest"  },
        {"",                                            ERR_UNSUPPORTED, "manifest"  },
        {"DCAP",                                        ERR_UNSUPPORTED, "manifest"  },
        {"dcap\ndcap",                                  ERR_UNSUPPORTED, "manifest"  },
        {"a long name that no type of attestation has", ERR_MALFORMED,   "short line"},
        {"dcap\n",                                      ERR_NONE,        ""          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = {.gramine = platform};
        struct tee_failure failure = {""};
        struct tee *tee = NULL;

        if (cases[i].type)
            fake_kernel_file(&k, TYPE, span_string(cases[i].type));
        assert_int_equal(open_on(&k, TEE_SGX_MRENCLAVE, &tee, &failure), cases[i].e);
        assert_non_null(strstr(failure.text, cases[i].says));
        assert_true((tee != NULL) == (cases[i].e == ERR_NONE));
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_a_quote_over_other_data_is_refused(void **state)
{
    struct fake_kernel k = gramine();
    struct tee *tee = opened(&k, TEE_SGX_MRENCLAVE);
    struct tee_evidence evidence = {0};

    (void)state;
    k.somebody_writes = true;
    assert_int_equal(tee->ops->quote(tee, report_data, now(), &evidence), ERR_UNAVAILABLE);
    assert_non_null(strstr(tee->failure.text, "does not bind"));
    assert_null(evidence.quote.data);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void sealed_by(struct tee *tee, struct buffer *out)
{
    assert_int_equal(tee->ops->seal(tee, root, out), ERR_NONE);
}

MUST_CHECK static enum err unsealing(struct tee *tee, struct span blob)
{
    struct secret *plain = NULL;
    enum err e = tee->ops->unseal(tee, blob, &plain);

    assert_true((e == ERR_NONE) == (plain != NULL));
    if (plain)
        assert_true(bytes_equal_ct(secret_data(plain), root.data, root.size));
    if (e != ERR_NONE)
        assert_string_not_equal(tee->failure.text, "");
    secret_free(&plain);
    return e;
}

static void test_a_blob_opens_only_with_the_same_key(void **state)
{
    (void)state;
    for (enum tee_sgx_seal policy = TEE_SGX_MRENCLAVE; policy <= TEE_SGX_MRSIGNER; policy++) {
        static const uint8_t other[16] = {9};
        const char *path = policy == TEE_SGX_MRENCLAVE ? MRENCLAVE_KEY : MRSIGNER_KEY;
        struct fake_kernel k = gramine();
        struct tee *tee = opened(&k, policy);
        struct buffer blob = {0};

        sealed_by(tee, &blob);
        assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
        fake_kernel_file(&k, path, SPAN_OF(other)); /* another machine, or another enclave */
        assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_DENIED);
        tee_close(&tee);
        buffer_clear(&blob);
        fake_kernel_assert_clean(&k);
    }
}

/* Even with equal keys: the blob binds the name of the policy, and the settings choose it. */
static void test_the_policies_do_not_open_each_others_blobs(void **state)
{
    struct fake_kernel k = gramine();
    struct tee *enclave, *signer;
    struct buffer blob = {0};

    (void)state;
    fake_kernel_file(&k, MRSIGNER_KEY, SPAN_OF(key_a));
    enclave = opened(&k, TEE_SGX_MRENCLAVE);
    signer = opened(&k, TEE_SGX_MRSIGNER);
    sealed_by(signer, &blob);
    assert_int_equal(unsealing(enclave, buffer_span(&blob)), ERR_DENIED);
    assert_non_null(strstr(enclave->failure.text, "mrenclave, which tee.sgx_seal names"));

    /* another label, with the right hash */
    blob.data[POLICY_AT] = 1;
    sha256(span_of(blob.data, blob.size - SHA256_SIZE), blob.data + blob.size - SHA256_SIZE);
    assert_int_equal(unsealing(enclave, buffer_span(&blob)), ERR_DENIED);
    tee_close(&enclave);
    tee_close(&signer);
    buffer_clear(&blob);
}

static void test_every_flipped_bit_and_every_prefix_is_refused(void **state)
{
    struct fake_kernel k = gramine();
    struct tee *tee = opened(&k, TEE_SGX_MRENCLAVE);
    struct buffer blob = {0};

    (void)state;
    sealed_by(tee, &blob);
    for (size_t i = 0; i < blob.size; i++)
        assert_int_equal(unsealing(tee, span_of(blob.data, i)), ERR_MALFORMED);
    for (size_t bit = 0; bit < 8 * blob.size; bit++) {
        enum err e;

        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_MALFORMED);
        if (bit / 8 < blob.size - SHA256_SIZE) { /* with the right hash */
            struct buffer copy = {0};

            assert_int_equal(buffer_append(&copy, buffer_span(&blob)), ERR_NONE);
            sha256(span_of(copy.data, copy.size - SHA256_SIZE),
                   copy.data + copy.size - SHA256_SIZE);
            e = unsealing(tee, buffer_span(&copy));
            assert_true(e == ERR_MALFORMED || e == ERR_DENIED);
            buffer_clear(&copy);
        }
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    fake_kernel_assert_clean(&k);
}

static void test_malformed_keys_seal_nothing(void **state)
{
    static const uint8_t zeros[16], longer[17] = {1};
    const struct span keys[] = {{0}, SPAN_OF(zeros), SPAN_OF(longer), span_of(longer, 15)};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct fake_kernel k = gramine();
        struct tee *tee = opened(&k, TEE_SGX_MRENCLAVE);
        struct buffer blob = {0};

        fake_kernel_file(&k, MRENCLAVE_KEY, keys[i]);
        assert_int_equal(tee->ops->seal(tee, root, &blob), ERR_UNAVAILABLE);
        assert_non_null(strstr(tee->failure.text, MRENCLAVE_KEY));
        assert_int_equal(blob.size, 0);
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_limits_of_sealed_data(void **state)
{
    struct fake_kernel k = gramine();
    struct tee *tee = opened(&k, TEE_SGX_MRSIGNER);
    uint8_t *large = calloc(1, TEE_SECRET_MAX + 1);
    struct buffer blob = {0};
    struct secret *plain = NULL;

    (void)state;
    assert_non_null(large);
    assert_int_equal(tee->ops->seal(tee, span_of(large, TEE_SECRET_MAX + 1), &blob), ERR_TOO_LARGE);
    assert_int_equal(tee->ops->seal(tee, span_of(large, TEE_SECRET_MAX), &blob), ERR_NONE);
    assert_true(blob.size <= TEE_SEALED_MAX);
    assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_NONE);
    assert_int_equal(secret_size(plain), TEE_SECRET_MAX);
    secret_free(&plain);
    buffer_clear(&blob);
    assert_int_equal(tee->ops->seal(tee, (struct span){0}, &blob), ERR_NONE);
    assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_NONE);
    assert_int_equal(secret_size(plain), 0);
    secret_free(&plain);
    buffer_clear(&blob);
    free(large);
    tee_close(&tee);
}

/* Opens, quotes, seals, unseals; the first that fails. */
MUST_CHECK static enum err everything(struct fake_kernel *k, char text[TEE_FAILURE_SIZE])
{
    struct tee_failure failure = {""};
    struct tee_evidence evidence = {0};
    struct buffer blob = {0};
    struct tee *tee = NULL;
    struct secret *plain = NULL;
    enum err e = open_on(k, TEE_SGX_MRENCLAVE, &tee, &failure);

    if (e == ERR_NONE && (e = tee->ops->quote(tee, report_data, now(), &evidence)) == ERR_NONE &&
        (e = tee->ops->seal(tee, root, &blob)) == ERR_NONE)
        e = tee->ops->unseal(tee, buffer_span(&blob), &plain);
    assert_true((e == ERR_NONE) == (plain != NULL));
    memcpy(text, tee ? tee->failure.text : failure.text, TEE_FAILURE_SIZE);
    secret_free(&plain);
    tee_evidence_clear(&evidence);
    buffer_clear(&blob);
    tee_close(&tee);
    return e;
}

static void test_every_failing_call_is_an_error_without_leaks(void **state)
{
    static const int numbers[] = {EIO, EACCES, ENODATA, ENOMEM};
    unsigned refused = 0;

    (void)state;
    for (size_t n = 0; n < COUNT_OF(numbers); n++) {
        for (unsigned at = 1;; at++) {
            struct fake_kernel k = gramine();
            char text[TEE_FAILURE_SIZE];
            enum err e;

            k.fail_at = at;
            k.fail_errno = numbers[n];
            e = everything(&k, text);
            fake_kernel_assert_clean(&k);
            if (e != ERR_NONE) {
                assert_non_null(strstr(text, "/dev/attestation/"));
                refused++;
            }
            if (k.calls < at)
                break;
        }
    }
    assert_true(refused > 4 * COUNT_OF(numbers));
}

static void test_interrupted_reads_go_on(void **state)
{
    (void)state;
    for (unsigned at = 1;; at++) {
        struct fake_kernel k = gramine();
        char text[TEE_FAILURE_SIZE];
        enum err e;

        k.fail_at = at;
        k.fail_errno = EINTR;
        e = everything(&k, text);
        fake_kernel_assert_clean(&k);
        if (k.calls < at)
            break;
        /* opening and closing are not retried: these files do not block there */
        assert_true(e == ERR_NONE || strstr(text, "opening") || strstr(text, "closing"));
    }
}

/* The real system calls, on plain files. */
static void make(const char *top, const char *path, struct span content)
{
    char full[256];

    (void)snprintf(full, sizeof full, "%s%s", top, path);
    if (content.data)
        assert_int_equal(file_write(full, content, 0600, true), ERR_NONE);
    else
        assert_int_equal(mkdir(full, 0700), 0);
}

static void test_plain_files_through_the_real_calls(void **state)
{
    static const char *const left[] = {TYPE, MRENCLAVE_KEY, "/dev/attestation/user_report_data",
                                       "/dev/attestation/quote"};
    static const char *const dirs[] = {"/dev/attestation/keys", "/dev/attestation", "/dev", ""};
    char top[] = "/tmp/vouchsafe-gramine-XXXXXX";
    struct tee_system system = tee_system_linux;
    const struct tee_settings settings = {.system = &system};
    struct tee_evidence evidence = {0};
    struct tee_failure failure = {""};
    struct simulated_enclave enclave = {0};
    struct buffer quote = {0}, blob = {0}, written = {0};
    struct tee *tee = NULL;
    char full[256];

    (void)state;
    assert_non_null(mkdtemp(top));
    system.context = top;
    for (size_t i = COUNT_OF(dirs) - 1; i-- > 0;)
        make(top, dirs[i], (struct span){0});
    assert_int_equal(simulated_quote(platform, &enclave, report_data, &quote), ERR_NONE);
    make(top, TYPE, SPAN_LITERAL("dcap\n"));
    make(top, MRENCLAVE_KEY, SPAN_OF(key_a));
    make(top, "/dev/attestation/user_report_data", SPAN_OF("longer than the 64 bytes? no"));
    make(top, "/dev/attestation/quote", buffer_span(&quote));

    assert_int_equal(tee_sgx_open(&settings, &tee, &failure), ERR_NONE);
    assert_int_equal(tee->ops->quote(tee, report_data, now(), &evidence), ERR_NONE);
    assert_true(span_equal(buffer_span(&evidence.quote), buffer_span(&quote)));
    (void)snprintf(full, sizeof full, "%s/dev/attestation/user_report_data", top);
    assert_int_equal(file_read(full, 4096, &written), ERR_NONE);
    assert_true(span_equal(buffer_span(&written), SPAN_OF(report_data)));
    sealed_by(tee, &blob);
    assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    for (size_t i = 0; i < COUNT_OF(left); i++) {
        (void)snprintf(full, sizeof full, "%s%s", top, left[i]);
        assert_int_equal(unlink(full), 0);
    }
    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        (void)snprintf(full, sizeof full, "%s%s", top, dirs[i]);
        assert_int_equal(rmdir(full), 0);
    }
    tee_evidence_clear(&evidence);
    buffer_clear(&quote);
    buffer_clear(&blob);
    buffer_clear(&written);
}

static int start(void **state)
{
    char dir[64];

    (void)state;
    if (crypto_start() != ERR_NONE || !mkdtemp(parent))
        return -1;
    (void)snprintf(dir, sizeof dir, "%s/sim", parent);
    if (simulated_create(dir, now()) != ERR_NONE || simulated_open(dir, &platform) != ERR_NONE)
        return -1;
    return 0;
}

static int stop(void **state)
{
    static const char *const files[] = {"root_ca.pem",     "pck_chain.pem",   "root_ca.key",
                                        "platform_ca.key", "tcb_signing.key", "pck.key",
                                        "sealing.key",     "attestation.key"};
    char path[128];

    (void)state;
    simulated_close(&platform);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof path, "%s/sim/%s", parent, files[i]);
        (void)unlink(path);
    }
    (void)snprintf(path, sizeof path, "%s/sim", parent);
    (void)rmdir(path);
    return rmdir(parent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quote_binds_the_report_data_and_verifies),
        cmocka_unit_test(test_a_machine_without_gramine_is_refused),
        cmocka_unit_test(test_a_quote_over_other_data_is_refused),
        cmocka_unit_test(test_a_blob_opens_only_with_the_same_key),
        cmocka_unit_test(test_the_policies_do_not_open_each_others_blobs),
        cmocka_unit_test(test_every_flipped_bit_and_every_prefix_is_refused),
        cmocka_unit_test(test_malformed_keys_seal_nothing),
        cmocka_unit_test(test_limits_of_sealed_data),
        cmocka_unit_test(test_every_failing_call_is_an_error_without_leaks),
        cmocka_unit_test(test_interrupted_reads_go_on),
        cmocka_unit_test(test_plain_files_through_the_real_calls),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
