/* Report data binds domain, nonce, key and context. No two different inputs give the same data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/attest.h"

static void report_data_is_the_documented_hash(void **state)
{
    static const char bytes[] = "d\0"
                                "\0\x01"
                                "n"
                                "\0\x02"
                                "kk"
                                "\0\x03"
                                "ccc";
    uint8_t expected[SHA512_SIZE], got[REPORT_DATA_SIZE];

    (void)state;
    sha512(span_of(bytes, sizeof bytes - 1), expected);
    report_data_bind("d", SPAN_LITERAL("n"), SPAN_LITERAL("kk"), SPAN_LITERAL("ccc"), got);
    assert_memory_equal(expected, got, sizeof got);
}

static void moving_a_byte_between_fields_changes_it(void **state)
{
    static const struct {
        const char *domain, *nonce, *key, *context;
    } cases[] = {
        {"domain", "nonce",   "key",        "context"   },
        {"domai",  "nnonce",  "key",        "context"   },
        {"domain", "nonc",    "ekey",       "context"   },
        {"domain", "nonceke", "y",          "context"   },
        {"domain", "nonce",   "keyc",       "ontext"    },
        {"domain", "nonce",   "keycontext", ""          },
        {"domain", "",        "noncekey",   "context"   },
        {"domain", "nonce",   "",           "keycontext"},
        {"other",  "nonce",   "key",        "context"   },
    };
    uint8_t seen[COUNT_OF(cases)][REPORT_DATA_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        report_data_bind(cases[i].domain, span_string(cases[i].nonce), span_string(cases[i].key),
                         span_string(cases[i].context), seen[i]);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], REPORT_DATA_SIZE);
    }
}

/* A difference in any claim changes the digest; the expiry is not a claim. */
static void the_digest_of_claims_covers_every_claim(void **state)
{
    struct attest_result base = {.kind = ATTEST_SGX, .tee = "sgx", .version = 3}, changed[12];
    uint8_t digest[SHA256_SIZE], other[SHA256_SIZE];

    (void)state;
    attest_claims_digest(&base, digest);
    for (size_t i = 0; i < COUNT_OF(changed); i++)
        changed[i] = base;
    changed[0].tee = "simulated";
    changed[1].debug = true;
    changed[2].sgx.mr_enclave[31] = 1;
    changed[3].sgx.isv_svn = 1;
    changed[4].report_data[63] = 1;
    changed[5].status = TCB_REVOKED;
    changed[6].advisory_count = 1;
    changed[7].tcb_date.ms = 1;
    changed[8].intel.tcb_evaluation_number = 1;
    changed[9].intel.fmspc[0] = 1;
    changed[10].intel.ppid[0] = 1;
    changed[11].simulated = true;
    for (size_t i = 0; i < COUNT_OF(changed); i++) {
        attest_claims_digest(&changed[i], other);
        assert_memory_not_equal(digest, other, SHA256_SIZE);
    }
    changed[0].kind = ATTEST_CCA; /* two kinds, one encoding, and one name when simulated */
    changed[1] = changed[0];
    changed[1].kind = ATTEST_PSA;
    attest_claims_digest(&changed[0], digest);
    attest_claims_digest(&changed[1], other);
    assert_memory_not_equal(digest, other, SHA256_SIZE);
    attest_claims_digest(&base, digest);
    base.earliest_expiry.ms = 1;
    attest_claims_digest(&base, other);
    assert_memory_equal(digest, other, SHA256_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report_data_is_the_documented_hash),
        cmocka_unit_test(moving_a_byte_between_fields_changes_it),
        cmocka_unit_test(the_digest_of_claims_covers_every_claim),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
