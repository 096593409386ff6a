/*
 * The most expensive evidence and collateral within the limits. It must not use more memory than
 * the limits here. Times are printed but not checked, because the machine may be busy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "attest/td_report.h"
#include "crypto/x509_make.h"
#include "support/allocations.h"
#include "unit/attest/forge.h"

/* Of one verification with its chain; and of one stored set of collateral. */
#define VERIFY_PEAK_MAX (128u * 1024)
#define COLLATERAL_PEAK_MAX (1024u * 1024)

enum { LEVELS = 256, FORM_SIZE = 4 * 384 };

static struct forge forge;

static int open_forge(void **state)
{
    (void)state;
    forge_open(&forge);
    return 0;
}

static int close_forge(void **state)
{
    (void)state;
    forge_close(&forge);
    return 0;
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void tell(const char *what, double ms, struct allocations a)
{
    (void)fprintf(stderr, "# %s: %.2f ms, %zu bytes at most, %zu allocations\n", what, ms, a.peak,
                  a.count);
}

/* The fastest of a few runs: the cost of the work, without other load of the machine. */
static enum attest_reason verify(const char *what, const struct buffer *quote,
                                 const struct attest_collateral *collateral)
{
    const struct attest_collateral *items[] = {collateral};
    const struct attest_collateral_set set = {.count = collateral ? 1 : 0, .items = items};
    const struct attest_evidence evidence = {.bytes = buffer_span(quote)};
    struct attest_result r;
    struct allocations a = {0};
    double best = 1e9;

    for (size_t i = 0; i < 5; i++) {
        double start = now_ms();

        allocations_begin();
        assert_int_not_equal(attest_verify(&forge.trust, &set, NULL, &evidence, forge.now, &r),
                             ERR_MEMORY);
        a = allocations_end();
        best = now_ms() - start < best ? now_ms() - start : best;
    }
    tell(what, best, a);
    assert_true(a.peak <= VERIFY_PEAK_MAX);
    return r.reason;
}

static void quote_with_chain(struct span chain, struct buffer *out)
{
    const uint8_t body[TD_REPORT_15_SIZE] = {6, 1, 7};

    forge_quote(&forge,
                &(struct forge_quote){.version = 5,
                                      .tee_type = QUOTE_TEE_TDX,
                                      .body_type = QUOTE_BODY_TD_15,
                                      .body = SPAN_OF(body),
                                      .chain = chain},
                out);
    assert_true(out->size <= ATTEST_EVIDENCE_MAX);
}

/* A certificate of about `size` bytes: the rest is an extension. */
static void big_certificate(size_t size, struct buffer *pem)
{
    uint8_t *filling = calloc(1, size);
    struct buffer der = {0};
    const struct x509_template t = {
        .common_name = "Intel SGX PCK Certificate",
        .issuer_name = "Intel SGX PCK Platform CA",
        .key = forge.pck,
        .signer = forge.ca,
        .serial = 4,
        .not_before = timestamp_of_seconds(timestamp_seconds(forge.now) - 1000),
        .not_after = timestamp_of_seconds(timestamp_seconds(forge.now) + 1000),
        .extension_oid = "1.2.3.4",
        .extension = span_of(filling, size - 500),
    };

    assert_non_null(filling);
    filling[0] = 0x04; /* OCTET STRING, two bytes of length */
    filling[1] = 0x82;
    filling[2] = (uint8_t)((size - 504) >> 8);
    filling[3] = (uint8_t)((size - 504) & 0xff);
    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    assert_true(der.size <= 8192);
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&der), pem), ERR_NONE);
    buffer_clear(&der);
    free(filling);
}

static void chains_of_the_greatest_size_are_cheap_to_refuse(void **state)
{
    static const struct {
        const char *what;
        size_t count, size;
        enum attest_reason reason;
    } chains[] = {
        {"8 certificates that fill the evidence", 8,  5700, ATTEST_PCK_CHAIN_INVALID },
        {"3 certificates of the greatest size",   3,  8150, ATTEST_PCK_CHAIN_INVALID },
        {"9 certificates",                        9,  5000, ATTEST_PCK_CHAIN_TOO_LONG},
        {"60 small certificates",                 60, 600,  ATTEST_PCK_CHAIN_TOO_LONG},
    };
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(chains); i++) {
        struct buffer pem = {0};

        for (size_t k = 0; k < chains[i].count; k++)
            big_certificate(chains[i].size, &pem);
        quote_with_chain(buffer_span(&pem), &quote);
        assert_int_equal(verify(chains[i].what, &quote, NULL), chains[i].reason);
        buffer_clear(&pem);
    }
    buffer_clear(&quote);
}

/* Fills the place of the PEM by repeating this text. */
static void junk_in_place_of_a_chain_is_cheap_to_refuse(void **state)
{
    static const char *const junk[] = {
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----MIIB-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE----",
        "MIIEjzCCBDWgAwIBAgIVAO+QdZQKNZJfhTcDj3KKJ3gHCRcoMAoGCCqGSM49BAMC\n",
        "\n",
        "-",
        "\xff",
    };
    struct buffer quote = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        struct buffer text = {0};
        char what[64];

        /* one beginning, and then nothing but this */
        assert_int_equal(buffer_append_string(&text, "-----BEGIN CERTIFICATE-----\n"), ERR_NONE);
        while (text.size + strlen(junk[i]) < ATTEST_EVIDENCE_MAX - FORM_SIZE)
            assert_int_equal(buffer_append_string(&text, junk[i]), ERR_NONE);
        quote_with_chain(buffer_span(&text), &quote);
        (void)snprintf(what, sizeof what, "64 KiB of junk, kind %zu", i);
        assert_int_not_equal(verify(what, &quote, NULL), ATTEST_OK);
        buffer_clear(&text);
    }
    buffer_clear(&quote);
}

static void put(struct buffer *out, const char *text)
{
    assert_int_equal(buffer_append_string(out, text), ERR_NONE);
}

/* 255 levels that this platform does not reach, and a last one that it reaches. */
static void put_levels(struct buffer *out)
{
    for (unsigned i = 0; i < LEVELS; i++) {
        const bool last = i == LEVELS - 1;

        put(out, i == 0 ? "[" : ",");
        put(out, "{\"tcb\":{\"sgxtcbcomponents\":[");
        for (unsigned k = 0; k < 16; k++)
            assert_int_equal(buffer_printf(out, "%s{\"svn\":%u}", k == 0 ? "" : ",",
                                           last      ? 0
                                           : k == 15 ? 255 - i
                                                     : 7),
                             ERR_NONE);
        put(out, "],\"pcesvn\":11,\"tdxtcbcomponents\":[");
        for (unsigned k = 0; k < 16; k++)
            put(out, k == 0 ? "{\"svn\":0}" : ",{\"svn\":0}");
        put(out, "]},\"tcbDate\":\"2025-05-14T00:00:00Z\",\"tcbStatus\":\"UpToDate\","
                 "\"advisoryIDs\":[");
        for (unsigned k = 0; k < 12; k++)
            assert_int_equal(
                buffer_printf(out, "%s\"INTEL-SA-%05u\"", k == 0 ? "" : ",", i * 16 + k), ERR_NONE);
        put(out, "]}");
    }
    put(out, "]");
}

static void put_tcb_info(struct buffer *out)
{
    put(out, "{\"id\":\"TDX\",\"version\":3,\"issueDate\":\"2025-10-01T00:00:00Z\","
             "\"nextUpdate\":\"2025-10-31T00:00:00Z\",\"fmspc\":\"" FORGE_FMSPC "\","
             "\"pceId\":\"0000\",\"tcbType\":0,\"tcbEvaluationDataNumber\":17,\"tdxModule\":{"
             "\"mrsigner\":\"000000000000000000000000000000000000000000000000"
             "000000000000000000000000000000000000000000000000\","
             "\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"
             "\"tcbLevels\":");
    put_levels(out);
    put(out, "}");
    assert_int_equal(buffer_append(out, SPAN_LITERAL("\0")), ERR_NONE);
}

static void collateral_with_all_levels_is_cheap(void **state)
{
    const uint8_t body[TD_REPORT_15_SIZE] = {6, 0, 7};
    struct buffer info = {0}, identity = {0}, quote = {0};
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason = ATTEST_OK;
    struct allocations a;
    double start;

    (void)state;
    put_tcb_info(&info);
    forge_qe_identity(ATTEST_TDX, "UpToDate", &identity);
    start = now_ms();
    allocations_begin(); /* with the forging, which adds the text twice */
    collateral =
        forge_collateral(&forge, (const char *)info.data, (const char *)identity.data, &reason);
    a = allocations_end();
    tell("collateral of 256 levels, signing included", now_ms() - start, a);
    if (!collateral)
        fail_msg("%s", attest_reason_code(reason));
    assert_true(a.peak <= COLLATERAL_PEAK_MAX + 4 * info.size);
    forge_quote(&forge,
                &(struct forge_quote){.version = 5,
                                      .tee_type = QUOTE_TEE_TDX,
                                      .body_type = QUOTE_BODY_TD_15,
                                      .body = SPAN_OF(body)},
                &quote);
    assert_int_equal(verify("a platform at the last of 256 levels", &quote, collateral), ATTEST_OK);
    attest_collateral_free(&collateral);
    buffer_clear(&quote);
    buffer_clear(&identity);
    buffer_clear(&info);
}

static void padding_is_cheap(void **state)
{
    const uint8_t body[SGX_REPORT_SIZE] = {0};
    struct buffer quote = {0};

    (void)state;
    forge_quote(&forge, &(struct forge_quote){.version = 3, .body = SPAN_OF(body)}, &quote);
    assert_int_equal(verify("a quote", &quote, NULL), ATTEST_COLLATERAL_MISSING);
    while (quote.size < ATTEST_EVIDENCE_MAX)
        assert_int_equal(buffer_append(&quote, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(verify("64 KiB of padding", &quote, NULL), ATTEST_COLLATERAL_MISSING);
    quote.data[quote.size - 1] = 1;
    assert_int_equal(verify("64 KiB of padding but for its last byte", &quote, NULL),
                     ATTEST_TRAILING_DATA);
    buffer_clear(&quote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_of_the_greatest_size_are_cheap_to_refuse),
        cmocka_unit_test(junk_in_place_of_a_chain_is_cheap_to_refuse),
        cmocka_unit_test(collateral_with_all_levels_is_cheap),
        cmocka_unit_test(padding_is_cheap),
    };

    return cmocka_run_group_tests(tests, open_forge, close_forge);
}
