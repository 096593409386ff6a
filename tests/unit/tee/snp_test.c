/* SEV-SNP through /dev/sev-guest: reports without configfs-tsm, and sealing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "support/vectors.h"
#include "tee/sealed_blob.h"
#include "unit/tee/fake_kernel.h"

#define PAGE 4096u

static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {1, 2, 3, [63] = 4};
static const struct timestamp now = {0};
static const struct span root = {(const uint8_t *)"thirty-two bytes of a root, or so", 32};

/* One VCEK of four bytes at 48. */
static const uint8_t table[52] =
    "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd"
    "\x30\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0DER.";

static struct fake_kernel guest(void)
{
    static const uint8_t report[SNP_REPORT_SIZE] = {3};

    return (struct fake_kernel){.has_sev = true,
                                .evidence = SPAN_OF(report),
                                .evidence_data = 0x50,
                                .auxblob = SPAN_OF(table),
                                .chip = {1},
                                .image = {2},
                                .guest_svn = 5,
                                .committed_tcb = 0x1700000000000904};
}

MUST_CHECK static enum err open_on(struct fake_kernel *k, enum tee_snp_root snp_root,
                                   struct tee **out, struct tee_failure *failure)
{
    const struct tee_settings settings = {.system = &k->system, .snp_root = snp_root};

    fake_kernel_init(k);
    return tee_snp_open(&settings, out, failure);
}

static struct tee *opened_with(struct fake_kernel *k, enum tee_snp_root snp_root)
{
    struct tee_failure failure = {""};
    struct tee *tee = NULL;

    assert_int_equal(open_on(k, snp_root, &tee, &failure), ERR_NONE);
    return tee;
}

static struct tee *opened(struct fake_kernel *k)
{
    return opened_with(k, TEE_SNP_VCEK);
}

/* ---- reports ---- */

static void test_a_report_with_certificates(void **state)
{
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct tee_evidence evidence = {0};

    (void)state;
    assert_string_equal(tee->ops->evidence, "snp");
    assert_true(tee->ops->seals);
    assert_string_equal(tee->evidence_by, "/dev/sev-guest");
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    assert_int_equal(evidence.quote.size, SNP_REPORT_SIZE);
    assert_memory_equal(evidence.quote.data + 0x50, report_data, 64);
    assert_true(span_equal(buffer_span(&evidence.certificates), SPAN_OF(table)));
    tee_evidence_clear(&evidence);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_forms_of_certificates_from_hosts(void **state)
{
    static const struct {
        const char *what;
        size_t room;
        bool without_extended, without_table;
        size_t certificates;
    } cases[] = {
        {"more room than Linux allows now", 8 * PAGE, false, false, sizeof table},
        {"more than we hold",               9 * PAGE, false, false, 0           },
        {"none",                            0,        false, true,  0           },
        {"no such call",                    0,        true,  false, 0           },
        {"as much as we offer",             4 * PAGE, false, false, sizeof table},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = guest();
        struct tee *tee = opened(&k);
        struct tee_evidence evidence = {0};

        print_message("# %s\n", cases[i].what);
        k.host_certificates_room = cases[i].room;
        k.without_extended = cases[i].without_extended;
        if (cases[i].without_table)
            k.auxblob = (struct span){0};
        assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
        assert_int_equal(evidence.quote.size, SNP_REPORT_SIZE);
        assert_int_equal(evidence.certificates.size, cases[i].certificates);
        tee_evidence_clear(&evidence);
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void assert_refused(struct tee *tee, const char *says)
{
    struct tee_evidence evidence = {0};

    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_UNAVAILABLE);
    assert_null(evidence.quote.data);
    assert_null(evidence.certificates.data);
    assert_non_null(strstr(tee->failure.text, says));
}

static void test_reports_that_are_refused(void **state)
{
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);

    (void)state;
    k.report_status = 0x16;
    assert_refused(tee, "status 0x16");
    k.report_status = 0;
    k.binds_nothing = true;
    assert_refused(tee, "does not bind");
    k.binds_nothing = false;
    k.vmpl = 2; /* and the kernel does not report it */
    assert_refused(tee, "SNP_GET_REPORT: Input/output error");
    fake_kernel_init(&k);
    k.has_sev = false;
    assert_refused(tee, "is missing");
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_the_level_is_the_kernels(void **state)
{
    static const struct {
        const char *text;
        unsigned level;
    } cases[] = {
        {"0\n", 0},
        {"2\n", 2},
        {"3",   3},
        {"4\n", 0},
        {"\n",  0},
        {"-1",  0},
        {"1x",  0}
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = guest();
        struct tee *tee = opened(&k);
        struct tee_evidence evidence = {0};

        fake_kernel_file(&k, "/sys/devices/system/cpu/sev/vmpl", span_string(cases[i].text));
        k.vmpl = cases[i].level;
        assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
        assert_int_equal(evidence.quote.data[0x30], cases[i].level);
        tee_evidence_clear(&evidence);
        tee_close(&tee);
    }
}

static void test_devices_that_do_not_open(void **state)
{
    static const struct {
        bool there;
        int number;
        enum err e;
        const char *says;
    } cases[] = {
        {false, 0,      ERR_NOT_FOUND, "is missing"},
        {true,  EACCES, ERR_NOT_FOUND, "udev"      },
        {true,  EBUSY,  ERR_NOT_FOUND, "busy"      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = {.has_sev = cases[i].there, .sev_errno = cases[i].number};
        struct tee_failure failure = {""};
        struct tee *tee = NULL;

        assert_int_equal(open_on(&k, TEE_SNP_VCEK, &tee, &failure), cases[i].e);
        assert_non_null(strstr(failure.text, cases[i].says));
        assert_non_null(strstr(failure.text, "mount configfs")); /* it names both reasons */
        assert_null(tee);
    }
}

/* ---- sealing ---- */

static struct buffer sealed_by(struct tee *tee)
{
    struct buffer blob = {0};

    assert_int_equal(tee->ops->seal(tee, root, &blob), ERR_NONE);
    return blob;
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

static void test_files_are_read_up_to_their_limit(void **state)
{
    struct fake_kernel k = guest();
    struct tee_failure failure = {""};
    struct buffer content = {0};

    (void)state;
    fake_kernel_init(&k);
    fake_kernel_file(&k, "/some/file", SPAN_LITERAL("abc"));
    assert_int_equal(system_read(&k.system, "/some/file", 3, &content, &failure), ERR_NONE);
    assert_true(span_equal_string(buffer_span(&content), "abc"));
    assert_int_equal(system_read(&k.system, "/some/file", 2, &content, &failure), ERR_TOO_LARGE);
    assert_non_null(strstr(failure.text, "/some/file holds more than 2 bytes"));
    buffer_clear(&content);
    fake_kernel_assert_clean(&k);
}

static void test_without_the_device_there_is_no_key(void **state)
{
    const struct snp_key_request request = {0};
    struct fake_kernel k = guest();
    struct tee_failure failure = {""};
    uint8_t key[SNP_KEY_SIZE];

    (void)state;
    fake_kernel_init(&k);
    k.has_sev = false;
    assert_int_equal(snp_device_key(&k.system, &request, key, &failure), ERR_UNAVAILABLE);
    assert_non_null(strstr(failure.text, "is missing"));
    fake_kernel_assert_clean(&k);
}

static void test_the_key_depends_on_image_svn_and_tcb(void **state)
{
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct buffer blob = sealed_by(tee);

    (void)state;
    assert_int_equal(k.asked.root, 2); /* VCEK */
    assert_int_equal(k.asked.fields, 1 | 1 << 3 | 1 << 4 | 1 << 5);
    assert_int_equal(k.asked.vmpl, 0);
    assert_int_equal(k.asked.guest_svn, 5);
    assert_true(k.asked.tcb_version == 0x1700000000000904);
    assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    fake_kernel_assert_clean(&k);
}

static void test_who_may_open_it(void **state)
{
    static const struct {
        const char *what;
        uint8_t chip, image;
        uint32_t svn;
        uint64_t tcb;
        enum err e;
    } cases[] = {
        {"the same",       1, 2, 5, 0x1700000000000904, ERR_NONE       },
        {"newer firmware", 1, 2, 5, 0x1800000000000904, ERR_NONE       },
        {"a higher SVN",   1, 2, 6, 0x1700000000000904, ERR_NONE       },
        {"older firmware", 1, 2, 5, 0x1600000000000904, ERR_UNAVAILABLE},
        {"a lower SVN",    1, 2, 4, 0x1700000000000904, ERR_UNAVAILABLE},
        {"another image",  1, 3, 5, 0x1700000000000904, ERR_DENIED     },
        {"another chip",   2, 2, 5, 0x1700000000000904, ERR_DENIED     },
    };
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct buffer blob = sealed_by(tee);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        print_message("# %s\n", cases[i].what);
        k.chip[0] = cases[i].chip;
        k.image[0] = cases[i].image;
        k.guest_svn = cases[i].svn;
        k.committed_tcb = cases[i].tcb;
        assert_int_equal(unsealing(tee, buffer_span(&blob)), cases[i].e);
    }
    tee_close(&tee);
    buffer_clear(&blob);
}

static void fit_hash(struct buffer *blob)
{
    sha256(span_of(blob->data, blob->size - SHA256_SIZE), blob->data + blob->size - SHA256_SIZE);
}

/* A blob made under a weaker selection, with the genuine firmware's key for it. */
static void test_weaker_selections_are_refused(void **state)
{
    static const struct {
        const char *what;
        struct snp_key_request selection;
        const char *says;
    } cases[] = {
        {"the firmware's choice of root", {0, 0x39, 0, 5, 1},  "another root key than vcek"   },
        {"VMRK",                          {1, 0x39, 0, 5, 1},  "another root key than vcek"   },
        {"VLEK, which is the cloud's",    {4, 0x39, 0, 5, 1},  "another root key than vcek"   },
        {"bits that mean nothing",        {10, 0x39, 0, 5, 1}, "another root key than vcek"   },
        {"no fields",                     {2, 0, 0, 5, 1},     "other properties of the guest"},
        {"no measurement",                {2, 0x31, 0, 5, 1},  "other properties of the guest"},
        {"no policy",                     {2, 0x38, 0, 5, 1},  "other properties of the guest"},
        {"no SVN",                        {2, 0x29, 0, 0, 1},  "other properties of the guest"},
        {"no TCB",                        {2, 0x19, 0, 5, 0},  "other properties of the guest"},
        {"an unknown field",              {2, 0x79, 0, 5, 1},  "other properties of the guest"},
        {"a less privileged level",       {2, 0x39, 1, 5, 1},  "VMPL 1, and this is VMPL 0"   },
    };
    static const struct sealed_form form = {"VSSNPB", 28 + SEALED_KEY_ID_SIZE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct snp_key_request *s = &cases[i].selection;
        struct fake_kernel k = guest();
        struct tee *tee = opened(&k);
        struct tee_failure failure = {""};
        struct sealing_keys keys;
        struct buffer blob = {0};
        uint8_t key[SNP_KEY_SIZE];
        uint8_t how[28 + SEALED_KEY_ID_SIZE];
        struct writer w = writer_over(how, sizeof how);

        print_message("# %s\n", cases[i].what);
        assert_int_equal(snp_device_key(&k.system, s, key, &failure), ERR_NONE);
        assert_int_equal(sealing_keys_derive(SPAN_OF(key), "vouchsafe snp sealing v1", &keys),
                         ERR_NONE);
        writer_u32le(&w, s->root);
        writer_u64le(&w, s->fields);
        writer_u32le(&w, s->vmpl);
        writer_u32le(&w, s->guest_svn);
        writer_u64le(&w, s->tcb_version);
        writer_put(&w, SPAN_OF(keys.id));
        assert_int_equal(sealed_blob_seal(&form, keys.key, SPAN_OF(how), root, &blob), ERR_NONE);
        k.asked = (struct snp_key_request){0};
        assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_DENIED);
        assert_non_null(strstr(tee->failure.text, cases[i].says));
        assert_int_equal(k.asked.root, 0); /* not even asked for */
        tee_close(&tee);
        buffer_clear(&blob);
        fake_kernel_assert_clean(&k);
    }
}

static void test_root_keys_do_not_open_each_others_blobs(void **state)
{
    static const uint32_t selects[] = {2, 4, 1};

    (void)state;
    for (enum tee_snp_root one = TEE_SNP_VCEK; one <= TEE_SNP_VMRK; one++) {
        struct fake_kernel k = guest();
        struct tee *tee = opened_with(&k, one);
        struct buffer blob = sealed_by(tee);

        assert_int_equal(k.asked.root, selects[one]);
        for (enum tee_snp_root other = TEE_SNP_VCEK; other <= TEE_SNP_VMRK; other++) {
            struct tee *second = opened_with(&k, other);

            assert_int_equal(unsealing(second, buffer_span(&blob)),
                             one == other ? ERR_NONE : ERR_DENIED);
            tee_close(&second);
        }
        tee_close(&tee);
        buffer_clear(&blob);
    }
}

static void test_old_firmware_says_why(void **state)
{
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct buffer blob = {0};

    (void)state;
    k.old_firmware = true;
    assert_int_equal(tee->ops->seal(tee, root, &blob), ERR_UNAVAILABLE);
    assert_non_null(strstr(tee->failure.text, "ABI 1.54"));
    assert_int_equal(blob.size, 0);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_every_flipped_bit_and_every_prefix_is_refused(void **state)
{
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct buffer blob = sealed_by(tee);

    (void)state;
    for (size_t i = 0; i < blob.size; i++)
        assert_int_equal(unsealing(tee, span_of(blob.data, i)), ERR_MALFORMED);
    for (size_t bit = 0; bit < 8 * (blob.size - SHA256_SIZE); bit++) {
        uint8_t flip = (uint8_t)(1u << bit % 8);

        blob.data[bit / 8] ^= flip;
        assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_MALFORMED);
        fit_hash(&blob);
        assert_int_not_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
        blob.data[bit / 8] ^= flip;
        fit_hash(&blob);
    }
    assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    fake_kernel_assert_clean(&k);
}

static void test_blobs_of_other_providers_are_malformed(void **state)
{
    static const struct sealed_form sgx = {"VSGXSB", 1 + SEALED_KEY_ID_SIZE};
    static const uint8_t key[AEAD_KEY_SIZE], how[1 + SEALED_KEY_ID_SIZE] = {1};
    struct fake_kernel k = guest();
    struct tee *tee = opened(&k);
    struct buffer blob = {0};

    (void)state;
    assert_int_equal(sealed_blob_seal(&sgx, key, SPAN_OF(how), root, &blob), ERR_NONE);
    assert_int_equal(unsealing(tee, buffer_span(&blob)), ERR_MALFORMED);
    tee_close(&tee);
    buffer_clear(&blob);
}

MUST_CHECK static enum err everything(struct fake_kernel *k, char text[TEE_FAILURE_SIZE])
{
    struct tee_failure failure = {""};
    struct tee_evidence evidence = {0};
    struct buffer blob = {0};
    struct secret *plain = NULL;
    struct tee *tee = NULL;
    enum err e = open_on(k, TEE_SNP_VCEK, &tee, &failure);

    if (e == ERR_NONE && (e = tee->ops->quote(tee, report_data, now, &evidence)) == ERR_NONE &&
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
    static const int numbers[] = {EIO, EACCES, ENODATA, EINTR, ENOTTY, ENOSPC};

    (void)state;
    for (size_t n = 0; n < COUNT_OF(numbers); n++) {
        unsigned refused = 0;

        for (unsigned at = 1;; at++) {
            struct fake_kernel k = guest();
            char text[TEE_FAILURE_SIZE];

            k.fail_at = at;
            k.fail_errno = numbers[n];
            if (everything(&k, text) != ERR_NONE) {
                assert_non_null(strstr(text, "/dev/sev-guest"));
                refused++;
            }
            fake_kernel_assert_clean(&k);
            if (k.calls < at)
                break;
        }
        assert_true(refused > 3);
    }
}

static void test_a_genuine_report_comes_back_whole(void **state)
{
    struct fake_kernel k = guest();
    struct buffer genuine = {0};
    struct tee_evidence evidence = {0};
    struct tee *tee;

    (void)state;
    if (!vectors_have("attestation/snp", "genuine SEV-SNP reports"))
        skip();
    vectors_read("attestation/snp/snp-v3-milan-vcek-veehaitch-40a277/report.bin", &genuine);
    k.evidence = buffer_span(&genuine);
    memcpy(&k.guest_svn, genuine.data + 0x004, 4); /* the fake writes the requested values */
    memcpy(&k.committed_tcb, genuine.data + 0x1e0, 8);
    tee = opened(&k);
    assert_int_equal(tee->ops->quote(tee, genuine.data + 0x50, now, &evidence), ERR_NONE);
    assert_true(span_equal(buffer_span(&evidence.quote), buffer_span(&genuine)));
    tee_evidence_clear(&evidence);
    buffer_clear(&genuine);
    tee_close(&tee);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_with_certificates),
        cmocka_unit_test(test_forms_of_certificates_from_hosts),
        cmocka_unit_test(test_reports_that_are_refused),
        cmocka_unit_test(test_the_level_is_the_kernels),
        cmocka_unit_test(test_devices_that_do_not_open),
        cmocka_unit_test(test_files_are_read_up_to_their_limit),
        cmocka_unit_test(test_without_the_device_there_is_no_key),
        cmocka_unit_test(test_the_key_depends_on_image_svn_and_tcb),
        cmocka_unit_test(test_who_may_open_it),
        cmocka_unit_test(test_weaker_selections_are_refused),
        cmocka_unit_test(test_root_keys_do_not_open_each_others_blobs),
        cmocka_unit_test(test_old_firmware_says_why),
        cmocka_unit_test(test_every_flipped_bit_and_every_prefix_is_refused),
        cmocka_unit_test(test_blobs_of_other_providers_are_malformed),
        cmocka_unit_test(test_every_failing_call_is_an_error_without_leaks),
        cmocka_unit_test(test_a_genuine_report_comes_back_whole),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
