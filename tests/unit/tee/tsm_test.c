/* TDX and SEV-SNP evidence through configfs-tsm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/writer.h"
#include "codec/snp_certs.h"
#include "crypto/random.h"
#include "support/vectors.h"
#include "tee/tsm.h"
#include "unit/tee/fake_kernel.h"

#define TDX_V4_DATA (48 + 520)
#define TDX_V5_DATA (54 + 520)
#define SNP_DATA 0x50

static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {1, 2, 3, [63] = 4};
static const struct timestamp now = {0};

/* Of the right form and larger than a page, but without a signature. */
static struct span tdx_form(uint16_t version)
{
    static uint8_t bytes[3 * 4096];
    struct writer w = writer_over(bytes, sizeof bytes);

    writer_u16le(&w, version);
    writer_u16le(&w, 2);
    writer_u32le(&w, 0x81);
    while (w.size < sizeof bytes)
        writer_u8(&w, (uint8_t)w.size);
    return SPAN_OF(bytes);
}

static struct span snp_form(void)
{
    static const uint8_t bytes[SNP_REPORT_SIZE] = {3};

    return SPAN_OF(bytes);
}

static struct fake_kernel tdx_kernel(void)
{
    return (struct fake_kernel){
        .provider = "tdx_guest", .evidence = tdx_form(4), .evidence_data = TDX_V4_DATA};
}

static struct fake_kernel snp_kernel(void)
{
    return (struct fake_kernel){.provider = "sev_guest",
                                .evidence = snp_form(),
                                .evidence_data = SNP_DATA,
                                .has_sev = true};
}

typedef MUST_CHECK enum err open_function(const struct tee_settings *, struct tee **,
                                          struct tee_failure *);

static struct tee *opened(open_function *open, struct fake_kernel *k)
{
    const struct tee_settings settings = {.system = &k->system};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;

    fake_kernel_init(k);
    assert_int_equal(open(&settings, &tee, &failure), ERR_NONE);
    assert_string_equal(failure.text, "");
    fake_kernel_assert_clean(k);
    return tee;
}

static void assert_refused(struct tee *tee, const char *says)
{
    struct tee_evidence evidence = {0};

    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_UNAVAILABLE);
    assert_null(evidence.quote.data);
    assert_null(evidence.certificates.data);
    assert_non_null(strstr(tee->failure.text, says));
}

static void test_tdx_quotes_of_both_versions(void **state)
{
    static const struct {
        uint16_t version;
        size_t at;
    } cases[] = {
        {4, TDX_V4_DATA},
        {5, TDX_V5_DATA}
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = tdx_kernel();
        struct tee *tee = opened(tee_tdx_open, &k);
        struct tee_evidence evidence = {0};

        k.evidence = tdx_form(cases[i].version);
        k.evidence_data = cases[i].at;
        k.read_max = 700; /* short reads */
        assert_string_equal(tee->ops->evidence, "tdx");
        assert_false(tee->ops->simulated);
        assert_false(tee->ops->seals);
        assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
        assert_int_equal(evidence.quote.size, 3 * 4096);
        assert_memory_equal(evidence.quote.data + cases[i].at, report_data, 64);
        assert_int_equal(evidence.certificates.size, 0);
        assert_int_equal(k.pauses, 0);
        tee_evidence_clear(&evidence);
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_tdx_seals_nothing(void **state)
{
    struct fake_kernel k = tdx_kernel();
    struct tee *tee = opened(tee_tdx_open, &k);
    struct buffer blob = {0};
    struct secret *plain = NULL;

    (void)state;
    assert_int_equal(tee->ops->seal(tee, SPAN_OF("root"), &blob), ERR_UNSUPPORTED);
    assert_int_equal(tee->ops->unseal(tee, SPAN_OF("blob"), &plain), ERR_UNSUPPORTED);
    assert_int_equal(blob.size, 0);
    assert_null(plain);
    tee_close(&tee);
}

static void test_snp_reports_at_the_least_level_allowed(void **state)
{
    (void)state;
    for (unsigned floor = 0; floor <= 3; floor++) {
        struct fake_kernel k = snp_kernel();
        struct tee *tee = opened(tee_snp_open, &k);
        struct tee_evidence evidence = {0};

        k.floor = floor; /* the kernel refuses less */
        assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
        assert_int_equal(evidence.quote.size, SNP_REPORT_SIZE);
        assert_int_equal(k.reports[0].privilege, floor);
        tee_evidence_clear(&evidence);
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_a_malformed_floor_is_refused(void **state)
{
    struct fake_kernel k = snp_kernel();
    struct tee *tee = opened(tee_snp_open, &k);

    (void)state;
    k.floor = 4;
    assert_refused(tee, "privlevel_floor is 4");
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_certificates_come_along_when_the_host_has_some(void **state)
{
    static const uint8_t table[] =
        "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd" /* VCEK */
        "\x30\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        "DER.padding";
    struct fake_kernel k = snp_kernel();
    struct tee *tee = opened(tee_snp_open, &k);
    struct tee_evidence evidence = {0};

    (void)state;
    k.auxblob = SPAN_OF(table);
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    assert_true(span_equal(buffer_span(&evidence.certificates), span_of(table, 48 + 4)));
    tee_evidence_clear(&evidence);
    k.auxblob = span_of(table, 48 + 3); /* damaged: the report is still good */
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    assert_int_equal(evidence.certificates.size, 0);
    tee_evidence_clear(&evidence);
    k.auxblob = (struct span){0};
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    assert_int_equal(evidence.certificates.size, 0);
    tee_evidence_clear(&evidence);
    k.without_certificates = true;
    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    tee_evidence_clear(&evidence);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_another_writer_is_noticed_and_outlived(void **state)
{
    (void)state;
    for (unsigned races = 1; races <= 2; races++) {
        struct fake_kernel k = snp_kernel();
        struct tee *tee = opened(tee_snp_open, &k);
        struct tee_evidence evidence = {0};

        k.races = races;
        k.made = k.removed = 0;
        assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
        assert_memory_equal(evidence.quote.data + SNP_DATA, report_data, 64);
        assert_int_equal(k.made, races + 1); /* a new directory each time */
        assert_int_equal(k.pauses, races);
        tee_evidence_clear(&evidence);
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_three_attempts_and_no_more(void **state)
{
    struct fake_kernel k = tdx_kernel();
    struct tee *tee = opened(tee_tdx_open, &k);

    (void)state;
    k.made = k.removed = 0;
    k.races = 1000;
    assert_refused(tee, "another process writes");
    assert_int_equal(k.made, 3);
    k.races = 0;
    k.busy = 1000;
    assert_refused(tee, "outblob: Device or resource busy");
    assert_int_equal(k.made, 6);
    k.busy = 2;
    struct tee_evidence evidence = {0};

    assert_int_equal(tee->ops->quote(tee, report_data, now, &evidence), ERR_NONE);
    tee_evidence_clear(&evidence);
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
}

static void test_evidence_over_other_data_is_refused(void **state)
{
    static const uint8_t short_report[SNP_REPORT_SIZE - 1], long_report[SNP_REPORT_SIZE + 1];
    static const struct {
        open_function *open;
        struct span evidence;
    } cases[] = {
        {tee_tdx_open, {0}                                },
        {tee_tdx_open, {(const uint8_t *)"\x04", 1}       },
        {tee_snp_open, {0}                                },
        {tee_snp_open, {short_report, sizeof short_report}},
        {tee_snp_open, {long_report, sizeof long_report}  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = cases[i].open == tee_tdx_open ? tdx_kernel() : snp_kernel();
        struct tee *tee = opened(cases[i].open, &k);

        k.binds_nothing = true;
        assert_refused(tee, "does not bind");
        k.binds_nothing = false;
        k.evidence = cases[i].evidence;
        assert_refused(tee, "does not bind");
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

static void test_quotes_of_other_versions_are_refused(void **state)
{
    static const uint16_t versions[] = {0, 3, 6};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(versions); i++) {
        struct fake_kernel k = tdx_kernel();
        struct tee *tee = opened(tee_tdx_open, &k);

        k.evidence = tdx_form(versions[i]);
        assert_refused(tee, "does not bind");
        tee_close(&tee);
    }
}

static void test_evidence_beyond_the_limit_is_refused(void **state)
{
    struct fake_kernel k = tdx_kernel();
    struct tee *tee = opened(tee_tdx_open, &k);
    uint8_t *large = calloc(1, TEE_QUOTE_MAX + 1);

    (void)state;
    assert_non_null(large);
    memcpy(large, tdx_form(4).data, 4096);
    k.evidence = span_of(large, TEE_QUOTE_MAX + 1);
    assert_refused(tee, "more than");
    tee_close(&tee);
    fake_kernel_assert_clean(&k);
    free(large);
}

static void test_machines_that_are_something_else(void **state)
{
    static const struct {
        open_function *open;
        const char *provider; /* NULL: configfs is not mounted */
        bool without_driver, has_sev, has_tdx;
        enum err e;
        const char *says;
    } cases[] = {
        {tee_tdx_open, NULL,            false, false, false, ERR_NOT_FOUND,   "mount configfs"           },
        {tee_tdx_open, NULL,            false, false, true,  ERR_UNSUPPORTED, "only a TDREPORT"          },
        {tee_tdx_open, "tdx_guest",     true,  false, false, ERR_NOT_FOUND,   "kernel 6.7"               },
        {tee_tdx_open, "sev_guest",     false, false, false, ERR_UNSUPPORTED,
         "answers for \"sev_guest\""                                                                     },
        {tee_tdx_open, "arm_cca_guest", false, false, false, ERR_UNSUPPORTED, "answers for"              },
        {tee_tdx_open, "tdx_guest2",    false, false, false, ERR_UNSUPPORTED, "answers for"              },
        {tee_tdx_open, "",              false, false, false, ERR_UNSUPPORTED, "answers for"              },
        {tee_snp_open, NULL,            false, false, false, ERR_NOT_FOUND,   "/dev/sev-guest is missing"},
        {tee_snp_open, "tdx_guest",     false, false, false, ERR_UNSUPPORTED,
         "answers for \"tdx_guest\""                                                                     },
        {tee_snp_open, "sev_guest",     false, false, false, ERR_NOT_FOUND,
         "/dev/sev-guest is missing"                                                                     },
        {tee_snp_open, "sev_guest",     false, true,  false, ERR_NONE,        ""                         },
        {tee_snp_open, NULL,            false, true,  false, ERR_NONE,        ""                         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fake_kernel k = {.provider = cases[i].provider,
                                .without_driver = cases[i].without_driver,
                                .has_sev = cases[i].has_sev};
        const struct tee_settings settings = {.system = &k.system};
        struct tee_failure failure = {""};
        struct tee *tee = NULL;

        if (cases[i].has_tdx)
            fake_kernel_file(&k, "/dev/tdx_guest", (struct span){0});
        fake_kernel_init(&k);
        assert_int_equal(cases[i].open(&settings, &tee, &failure), cases[i].e);
        assert_non_null(strstr(failure.text, cases[i].says));
        assert_true((tee != NULL) == (cases[i].e == ERR_NONE));
        tee_close(&tee);
        fake_kernel_assert_clean(&k);
    }
}

/* Opens and quotes, with the n-th call failing. */
MUST_CHECK static enum err with_fault(struct fake_kernel *k, open_function *open, unsigned at,
                                      int number, char text[TEE_FAILURE_SIZE])
{
    const struct tee_settings settings = {.system = &k->system};
    struct tee_failure failure = {""};
    struct tee_evidence evidence = {0};
    struct tee *tee = NULL;
    enum err e;

    fake_kernel_init(k);
    k->fail_at = at;
    k->fail_errno = number;
    e = open(&settings, &tee, &failure);
    if (e == ERR_NONE)
        e = tee->ops->quote(tee, report_data, now, &evidence);
    assert_true((e == ERR_NONE) == (evidence.quote.size > 0));
    memcpy(text, tee ? tee->failure.text : failure.text, TEE_FAILURE_SIZE);
    tee_evidence_clear(&evidence);
    tee_close(&tee);
    fake_kernel_assert_clean(k);
    return e;
}

static void test_every_failing_call_is_an_error_without_leaks(void **state)
{
    static const int numbers[] = {EIO, EACCES, ENODATA, EINTR, EBUSY, EWOULDBLOCK, ETIMEDOUT};
    open_function *const opens[] = {tee_tdx_open, tee_snp_open};

    (void)state;
    for (size_t n = 0; n < COUNT_OF(numbers) * COUNT_OF(opens); n++) {
        unsigned refused = 0;

        for (unsigned at = 1;; at++) {
            bool tdx = n % 2 == 0;
            struct fake_kernel k = tdx ? tdx_kernel() : snp_kernel();
            char text[TEE_FAILURE_SIZE];

            if (with_fault(&k, opens[n % 2], at, numbers[n / 2], text) != ERR_NONE) {
                assert_string_not_equal(text, "");
                refused++;
            }
            if (k.calls < at)
                break;
        }
        assert_true(refused > 0);
    }
}

static void test_busy_moments_are_outlived(void **state)
{
    struct fake_kernel k = tdx_kernel();
    char text[TEE_FAILURE_SIZE];
    unsigned probing;

    (void)state;
    tee_close(&(struct tee *){opened(tee_tdx_open, &k)});
    probing = k.calls; /* the calls of the opening are not repeated */
    for (unsigned at = probing + 1;; at++) {
        k = tdx_kernel();
        assert_int_equal(with_fault(&k, tee_tdx_open, at, EBUSY, text), ERR_NONE);
        if (k.calls < at)
            break;
    }
}

/* Genuine evidence: the test requests its report data, and gets all of it back. */
static void check_genuine(open_function *open, struct fake_kernel *k, const char *path, size_t at)
{
    struct buffer genuine = {0};
    struct tee_evidence evidence = {0};
    struct tee *tee;

    vectors_read(path, &genuine);
    k->evidence = buffer_span(&genuine);
    k->evidence_data = at;
    tee = opened(open, k);
    assert_int_equal(tee->ops->quote(tee, genuine.data + at, now, &evidence), ERR_NONE);
    assert_true(span_equal(buffer_span(&evidence.quote), buffer_span(&genuine)));
    assert_true(span_equal(buffer_span(&evidence.certificates), k->auxblob));
    k->binds_nothing = true;
    tee_evidence_clear(&evidence);
    assert_refused(tee, "does not bind");
    tee_close(&tee);
    fake_kernel_assert_clean(k);
    buffer_clear(&genuine);
}

static void test_genuine_tdx_quotes(void **state)
{
    struct fake_kernel v4 = tdx_kernel(), v5 = tdx_kernel();

    (void)state;
    if (!vectors_have("attestation/tdx", "genuine TDX quotes"))
        skip();
    check_genuine(tee_tdx_open, &v4, "attestation/tdx/tdx-v4-dstack-tee-149ed8/quote.bin",
                  TDX_V4_DATA);
    check_genuine(tee_tdx_open, &v5, "attestation/tdx/tdx-v5-google-cf77a6/quote.bin", TDX_V5_DATA);
}

/* VCEK, ASK and ARK in one table, as a host makes it. */
static void table_write(struct buffer *out)
{
    static const char *const files[] = {
        "attestation/snp/snp-v3-milan-vcek-veehaitch-40a277/vek.der",
        "attestation/collateral/amd/milan/ask.der", "attestation/collateral/amd/milan/ark.der"};
    static const char *const guids[] = {
        "\x8d\x75\xda\x63\x64\xe6\x64\x45\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd",
        "\x79\xb3\xb7\x4a\xac\xbb\xe4\x4f\xa0\x2f\x05\xae\xf3\x27\xc7\x82",
        "\xa4\x06\xb4\xc0\x03\xa8\x52\x49\x97\x43\x3f\xb6\x01\x4c\xd0\xae"};
    uint8_t head[4 * 24] = {0};
    struct writer w = writer_over(head, sizeof head);
    struct buffer body = {0};

    for (size_t i = 0; i < COUNT_OF(files); i++) {
        size_t before = body.size;

        vectors_read(files[i], &body);
        writer_put(&w, span_of(guids[i], 16));
        writer_u32le(&w, (uint32_t)(sizeof head + before));
        writer_u32le(&w, (uint32_t)(body.size - before));
    }
    assert_int_equal(buffer_append(out, SPAN_OF(head)), ERR_NONE);
    assert_int_equal(buffer_append(out, buffer_span(&body)), ERR_NONE);
    buffer_clear(&body);
}

static void test_genuine_snp_report_with_its_certificates(void **state)
{
    struct fake_kernel k = snp_kernel();
    struct snp_certificates c = {0};
    struct buffer table = {0};

    (void)state;
    if (!vectors_have("attestation/snp", "genuine SEV-SNP reports"))
        skip();
    table_write(&table);
    assert_int_equal(snp_certificates_parse(buffer_span(&table), &c), ERR_NONE);
    assert_true(c.vcek.size == 1351 && c.ask.size == 1677 && c.ark.size == 1639);
    k.auxblob = buffer_span(&table);
    check_genuine(tee_snp_open, &k, "attestation/snp/snp-v3-milan-vcek-veehaitch-40a277/report.bin",
                  SNP_DATA);
    buffer_clear(&table);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tdx_quotes_of_both_versions),
        cmocka_unit_test(test_tdx_seals_nothing),
        cmocka_unit_test(test_snp_reports_at_the_least_level_allowed),
        cmocka_unit_test(test_a_malformed_floor_is_refused),
        cmocka_unit_test(test_certificates_come_along_when_the_host_has_some),
        cmocka_unit_test(test_another_writer_is_noticed_and_outlived),
        cmocka_unit_test(test_three_attempts_and_no_more),
        cmocka_unit_test(test_evidence_over_other_data_is_refused),
        cmocka_unit_test(test_quotes_of_other_versions_are_refused),
        cmocka_unit_test(test_evidence_beyond_the_limit_is_refused),
        cmocka_unit_test(test_machines_that_are_something_else),
        cmocka_unit_test(test_every_failing_call_is_an_error_without_leaks),
        cmocka_unit_test(test_busy_moments_are_outlived),
        cmocka_unit_test(test_genuine_tdx_quotes),
        cmocka_unit_test(test_genuine_snp_report_with_its_certificates),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
