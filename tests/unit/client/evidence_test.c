#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/attest.h>

#include "attest/ra_tls.h"
#include "crypto/x509_make.h"

static char dir[] = "/tmp/vouchsafe-evidence-XXXXXX";
static char platform_dir[64];
static struct vs_sim *sim;
static struct vs_blob bundle;
static const struct vs_sim_enclave enclave = {
    .mr_enclave = {1, 2},
      .mr_signer = {3, 4},
      .isv_prod_id = 7, .isv_svn = 5
};
static const uint8_t report_data[VS_REPORT_DATA_SIZE] = {9, 8};

static int start(void **state)
{
    const struct vs_sim_collateral good = {0};

    (void)state;
    if (vs_start() != VS_OK || mkdtemp(dir) == NULL)
        return -1;
    (void)snprintf(platform_dir, sizeof platform_dir, "%s/sim", dir);
    if (vs_sim_create(platform_dir) != VS_OK || vs_sim_open(platform_dir, &sim) != VS_OK)
        return -1;
    return vs_sim_collateral(sim, &good, &bundle) == VS_OK ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int stop(void **state)
{
    (void)state;
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    vs_blob_clear(&bundle);
    vs_sim_free(&sim);
    return 0;
}

MUST_CHECK static enum vs_error judge(const struct vs_sim_enclave *what,
                                      const struct vs_blob *collateral,
                                      const struct vs_appraisal *appraisal,
                                      struct vs_claims *claims)
{
    struct vs_blob quote = {0};
    enum vs_error e;

    assert_int_equal(vs_sim_quote(sim, what, report_data, &quote), VS_OK);
    const struct vs_evidence evidence = {
        .quote = {quote.data,       quote.size      },
        .collateral = {collateral->data, collateral->size},
        .trust_root = vs_sim_root(sim),
        .report_data = report_data,
    };
    e = vs_attest_verify(&evidence, appraisal, claims);
    vs_blob_clear(&quote);
    return e;
}

static void genuine_evidence_is_accepted_and_marked_simulated(void **state)
{
    const struct vs_appraisal by_measurement = {
        .mr_enclave = {enclave.mr_enclave, 32}
    };
    const struct vs_appraisal by_signer = {
        .mr_signer = enclave.mr_signer, .isv_prod_id = 7, .min_isv_svn = 5};
    struct vs_claims claims;

    (void)state;
    assert_int_equal(judge(&enclave, &bundle, &by_measurement, &claims), VS_OK);
    assert_true(claims.simulated);
    assert_string_equal(claims.tee, "simulated");
    assert_string_equal(claims.code, "ok");
    assert_string_equal(claims.status, "UpToDate");
    assert_int_equal(claims.isv_prod_id, 7);
    assert_int_equal(judge(&enclave, &bundle, &by_signer, &claims), VS_OK);
    assert_int_equal(judge(&enclave, &bundle, NULL, &claims), VS_OK);
}

static void the_root_counts_only_when_named(void **state)
{
    struct vs_claims claims;
    struct vs_blob quote = {0};

    (void)state;
    assert_int_equal(vs_sim_quote(sim, &enclave, report_data, &quote), VS_OK);
    struct vs_evidence evidence = {
        .quote = {quote.data,  quote.size },
          .collateral = {bundle.data, bundle.size}
    };
    assert_int_equal(vs_attest_verify(&evidence, NULL, &claims), VS_ERR_UNTRUSTED);
    assert_string_equal(claims.code, "root_not_pinned");
    evidence.trust_root = (struct vs_bytes){"no certificate", 14};
    assert_int_equal(vs_attest_verify(&evidence, NULL, &claims), VS_ERR_MALFORMED);
    vs_blob_clear(&quote);
}

static void every_changed_byte_of_a_quote_is_refused(void **state)
{
    struct vs_claims claims;
    struct vs_blob quote = {0};

    (void)state;
    assert_int_equal(vs_sim_quote(sim, &enclave, report_data, &quote), VS_OK);
    const struct vs_evidence evidence = {
        .quote = {quote.data,  quote.size },
        .collateral = {bundle.data, bundle.size},
        .trust_root = vs_sim_root(sim),
    };
    for (size_t i = 0; i < 1020; i += 3) { /* header, report, signature, key, QE report */
        quote.data[i] ^= 0x10;
        const enum vs_error e = vs_attest_verify(&evidence, NULL, &claims);

        assert_int_equal(e, VS_ERR_UNTRUSTED);
        assert_string_not_equal(claims.code, "ok");
        quote.data[i] ^= 0x10;
    }
    assert_int_equal(vs_attest_verify(&evidence, NULL, &claims), VS_OK);
    vs_blob_clear(&quote);
}

static void other_report_data_is_refused(void **state)
{
    static const uint8_t other[VS_REPORT_DATA_SIZE] = {1};
    struct vs_claims claims;
    struct vs_blob quote = {0};

    (void)state;
    assert_int_equal(vs_sim_quote(sim, &enclave, report_data, &quote), VS_OK);
    const struct vs_evidence evidence = {
        .quote = {quote.data,  quote.size },
        .collateral = {bundle.data, bundle.size},
        .trust_root = vs_sim_root(sim),
        .report_data = other,
    };
    assert_int_equal(vs_attest_verify(&evidence, NULL, &claims), VS_ERR_UNTRUSTED);
    assert_string_equal(claims.code, "report_data_mismatch");
    vs_blob_clear(&quote);
}

static void what_the_appraisal_does_not_name_is_refused(void **state)
{
    static const uint8_t other[32] = {0xff};
    static const uint8_t zero[32];
    const struct {
        struct vs_appraisal appraisal;
        const char *code;
    } cases[] = {
        {{.mr_signer = NULL},                                                               "no_policy"           },
        {{.mr_enclave = {other, 32}},                                                       "measurement_mismatch"},
        {{.mr_enclave = {enclave.mr_enclave, 31}},                                          "no_policy"           },
        {{.mr_enclave = {zero, 32}},                                                        "no_policy"           },
        {{.mr_signer = zero},                                                               "no_policy"           },
        {{.mr_enclave = {enclave.mr_enclave, 32}, .accepted_statuses = 0x40000000},         "no_policy"           },
        {{.mr_enclave = {enclave.mr_enclave, 32}, .accepted_statuses = VS_TCB_OUT_OF_DATE},
         "no_policy"                                                                                              },
        {{.mr_enclave = {enclave.mr_enclave, 32}, .out_of_date_grace_days = 9},             "no_policy"           },
        {{.mr_signer = other, .isv_prod_id = 7, .min_isv_svn = 5},                          "signer_mismatch"     },
        {{.mr_signer = enclave.mr_signer, .isv_prod_id = 8, .min_isv_svn = 5},              "product_mismatch"    },
        {{.mr_signer = enclave.mr_signer, .isv_prod_id = 7, .min_isv_svn = 6},              "svn_too_low"         },
        {{.mr_enclave = {enclave.mr_enclave, 32},
          .accepted_statuses = VS_TCB_OUT_OF_DATE,
          .out_of_date_grace_days = 9},
         "tcb_status_not_accepted"                                                                                },
        {{.mr_enclave = {enclave.mr_enclave, 32}, .min_tcb_evaluation_number = 1000},
         "tcb_evaluation_too_old"                                                                                 },
    };
    struct vs_claims claims;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(judge(&enclave, &bundle, &cases[i].appraisal, &claims), VS_ERR_POLICY);
        assert_string_equal(claims.code, cases[i].code);
        assert_string_equal(claims.step, "appraisal");
    }
}

/* More measurements than one rule holds, one of them twice; and any of them, or the signer. */
static void one_of_many_measurements_is_enough(void **state)
{
    uint8_t many[40][32];
    struct vs_appraisal appraisal = {
        .mr_enclave = {many, sizeof many}
    };
    struct vs_claims claims;

    (void)state;
    for (size_t i = 0; i < 40; i++)
        memset(many[i], (int)(i / 2 + 1), 32);
    assert_int_equal(judge(&enclave, &bundle, &appraisal, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "measurement_mismatch");
    appraisal.mr_signer = enclave.mr_signer;
    appraisal.isv_prod_id = 7;
    assert_int_equal(judge(&enclave, &bundle, &appraisal, &claims), VS_OK);
    assert_string_equal(claims.code, "ok");
    appraisal.mr_signer = NULL;
    for (size_t i = 0; i < 40; i += 39) {
        memcpy(many[i], enclave.mr_enclave, 32);
        assert_int_equal(judge(&enclave, &bundle, &appraisal, &claims), VS_OK);
        memset(many[i], 0xee, 32);
    }
}

static void debug_enclaves_are_never_accepted(void **state)
{
    const struct vs_appraisal appraisal = {
        .mr_enclave = {enclave.mr_enclave, 32}
    };
    struct vs_sim_enclave debugged = enclave;
    struct vs_claims claims;

    (void)state;
    debugged.debug = true;
    assert_int_not_equal(judge(&debugged, &bundle, &appraisal, &claims), VS_OK);
    assert_string_equal(claims.code, "debug");
}

/* Without an appraisal, too: the default policy applies to all callers. */
static void what_nobody_accepts_needs_no_appraisal_to_be_refused(void **state)
{
    const struct vs_sim_collateral revoked = {.tcb_status = "Revoked"};
    const struct vs_sim_collateral behind = {.tcb_status = "OutOfDate"};
    struct vs_sim_enclave debugged = enclave;
    struct vs_blob collateral = {0};
    struct vs_claims claims;

    (void)state;
    debugged.debug = true;
    assert_int_equal(judge(&debugged, &bundle, NULL, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "debug");
    assert_string_equal(claims.step, "appraisal");
    assert_true(claims.debug);
    assert_int_equal(vs_sim_collateral(sim, &revoked, &collateral), VS_OK);
    assert_int_equal(judge(&enclave, &collateral, NULL, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "tcb_status_not_accepted");
    assert_string_equal(claims.presented, "Revoked");
    assert_string_equal(claims.status, "Revoked");
    vs_blob_clear(&collateral);
    assert_int_equal(vs_sim_collateral(sim, &behind, &collateral), VS_OK);
    assert_int_equal(judge(&enclave, &collateral, NULL, &claims), VS_OK);
    vs_blob_clear(&collateral);
}

static struct vs_result *result_of(const struct vs_sim_enclave *what, struct vs_bytes collateral)
{
    struct vs_verifier *v = NULL;
    struct vs_result *result = NULL;
    struct vs_blob quote = {0};

    assert_int_equal(vs_verifier_new(0, &v), VS_OK);
    assert_int_equal(vs_verifier_add_root(v, VS_VENDOR_SIMULATED, vs_sim_root(sim)), VS_OK);
    if (collateral.size > 0)
        assert_int_equal(vs_verifier_add_bundle(v, collateral), VS_OK);
    assert_int_equal(vs_sim_quote(sim, what, report_data, &quote), VS_OK);
    const struct vs_tee_evidence evidence = {
        .bytes = {quote.data, quote.size}
    };

    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &result),
                     collateral.size > 0 ? VS_OK : VS_ERR_UNTRUSTED);
    assert_non_null(result);
    vs_blob_clear(&quote);
    vs_verifier_free(&v);
    return result;
}

static void the_default_policy_says_why(void **state)
{
    const struct vs_bytes good = {bundle.data, bundle.size};
    struct vs_sim_enclave debugged = enclave;
    struct vs_refusal refusal = {.rule = "stale", .expected = "stale"};
    struct vs_result *r = result_of(&enclave, good);

    (void)state;
    assert_int_equal(vs_result_judge_default(r, &refusal), VS_OK);
    assert_string_equal(refusal.code, "ok");
    assert_string_equal(refusal.rule, "");
    assert_string_equal(refusal.expected, "");
    vs_result_free(&r);
    debugged.debug = true;
    r = result_of(&debugged, good);
    assert_int_equal(vs_result_verdict(r), VS_VALID);
    assert_int_equal(vs_result_judge_default(r, &refusal), VS_ERR_POLICY);
    assert_string_equal(refusal.code, "debug");
    assert_int_equal(vs_result_judge_default(r, NULL), VS_ERR_POLICY);
    vs_result_free(&r);
    r = result_of(&debugged, (struct vs_bytes){0});
    assert_int_equal(vs_result_judge_default(r, &refusal), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    assert_int_equal(vs_result_judge_default(NULL, &refusal), VS_ERR_ARGUMENT);
}

static void platforms_that_fell_behind_need_to_be_named(void **state)
{
    static const char *const tolerated[] = {"INTEL-SA-00615"};
    const struct vs_sim_collateral behind = {.tcb_status = "OutOfDate",
                                             .advisory = "INTEL-SA-00615"};
    struct vs_appraisal appraisal = {
        .mr_enclave = {enclave.mr_enclave, 32}
    };
    struct vs_blob old = {0};
    struct vs_claims claims;

    (void)state;
    assert_int_equal(vs_sim_collateral(sim, &behind, &old), VS_OK);
    assert_int_equal(judge(&enclave, &old, &appraisal, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "tcb_status_not_accepted");
    assert_string_equal(claims.presented, "OutOfDate: INTEL-SA-00615");
    appraisal.accepted_statuses = VS_TCB_UP_TO_DATE | VS_TCB_OUT_OF_DATE;
    assert_int_equal(judge(&enclave, &old, &appraisal, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "no_policy");
    assert_non_null(strstr(claims.expected, "out_of_date_grace_days"));
    appraisal.out_of_date_grace_days = 1;
    assert_int_equal(judge(&enclave, &old, &appraisal, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "out_of_date_too_long");
    appraisal.out_of_date_grace_days = 3650;
    assert_int_equal(judge(&enclave, &old, &appraisal, &claims), VS_ERR_POLICY);
    assert_string_equal(claims.code, "advisory_not_accepted");
    appraisal.advisories = tolerated;
    appraisal.advisory_count = 1;
    assert_int_equal(judge(&enclave, &old, &appraisal, &claims), VS_OK);
    vs_blob_clear(&old);
}

static void revoked_and_stale_platforms_are_refused(void **state)
{
    const struct vs_sim_collateral cases[] = {
        {.tcb_status = "Revoked"},
        {                             .revoke_pck = true                      },
        { .issued_before_s = 10 * 86400,                       .lifetime_s = 86400},
    };
    const struct vs_appraisal appraisal = {
        .mr_enclave = {enclave.mr_enclave, 32},
        .accepted_statuses = 0x3f,
        .out_of_date_grace_days = 3650
    };
    struct vs_claims claims;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vs_blob collateral = {0};

        assert_int_equal(vs_sim_collateral(sim, &cases[i], &collateral), VS_OK);
        assert_int_not_equal(judge(&enclave, &collateral, &appraisal, &claims), VS_OK);
        assert_string_not_equal(claims.code, "ok");
        vs_blob_clear(&collateral);
    }
    const struct vs_sim_collateral unknown = {.tcb_status = "Splendid"};
    struct vs_blob none = {0};
    assert_int_equal(vs_sim_collateral(sim, &unknown, &none), VS_ERR_MALFORMED);
}

MUST_CHECK static enum vs_error read_certificate(const struct p256_private *key, const char *oid,
                                                 struct span extension, struct vs_ra_tls *out)
{
    const struct x509_template t = {
        .common_name = "RA-TLS",
        .key = key,
        .serial = 1,
        .not_before = timestamp_of_seconds(1700000000),
        .not_after = timestamp_of_seconds(1800000000),
        .extension_oid = oid,
        .extension = extension,
    };
    struct buffer der = {0};
    enum vs_error e;

    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    assert_true(vs_is_certificate((struct vs_bytes){der.data, der.size}));
    for (size_t size = 0; size < der.size; size += 7) {
        assert_int_equal(vs_ra_tls_read((struct vs_bytes){der.data, size}, out), VS_ERR_MALFORMED);
        assert_null(out->evidence.data);
    }
    e = vs_ra_tls_read((struct vs_bytes){der.data, der.size}, out);
    buffer_clear(&der);
    return e;
}

static void certificates_give_their_evidence(void **state)
{
    static const uint8_t quote[] = {3, 0, 2, 0, 9};
    const struct span nothing = {0};
    struct p256_private *key = NULL;
    struct p256_private *other = NULL;
    struct buffer extension = {0};
    struct vs_ra_tls r;
    uint8_t bound[VS_REPORT_DATA_SIZE];

    (void)state;
    assert_int_equal(p256_generate(&key), ERR_NONE);
    assert_int_equal(p256_generate(&other), ERR_NONE);
    assert_int_equal(read_certificate(key, NULL, nothing, &r), VS_ERR_NOT_FOUND);
    assert_int_equal(read_certificate(key, RA_TLS_OID_TCG, SPAN_OF(quote), &r), VS_ERR_MALFORMED);
    assert_int_equal(read_certificate(key, RA_TLS_OID_GRAMINE, SPAN_OF(quote), &r), VS_OK);
    assert_string_equal(vs_ra_tls_form_name(r.form), "gramine");
    assert_int_equal(r.evidence.size, sizeof quote);
    assert_memory_equal(r.evidence.data, quote, sizeof quote);
    assert_memory_equal(r.report_data, r.key_sha256, sizeof r.key_sha256);
    assert_int_equal(ra_tls_write(RA_TLS_TCG, SPAN_OF(quote), r.key_sha256, &extension), ERR_NONE);
    ra_tls_report_data(RA_TLS_TCG, r.key_sha256, bound);
    vs_ra_tls_clear(&r);
    assert_int_equal(read_certificate(key, RA_TLS_OID_TCG, buffer_span(&extension), &r), VS_OK);
    assert_string_equal(vs_ra_tls_form_name(r.form), "tcg");
    assert_memory_equal(r.report_data, bound, sizeof bound);
    vs_ra_tls_clear(&r);
    assert_int_equal(read_certificate(other, RA_TLS_OID_TCG, buffer_span(&extension), &r),
                     VS_ERR_UNTRUSTED);
    assert_null(r.evidence.data);
    assert_int_equal(vs_ra_tls_read((struct vs_bytes){NULL, 1}, &r), VS_ERR_ARGUMENT);
    assert_false(vs_is_certificate((struct vs_bytes){quote, sizeof quote}));
    assert_string_equal(vs_ra_tls_form_name((enum vs_ra_tls_form)3), "");
    vs_ra_tls_clear(NULL);
    buffer_clear(&extension);
    p256_private_free(&key);
    p256_private_free(&other);
}

static void a_platform_is_not_overwritten(void **state)
{
    struct vs_sim *other = NULL;

    (void)state;
    assert_int_equal(vs_sim_create(platform_dir), VS_ERR_EXISTS);
    assert_int_not_equal(vs_sim_open("/nonexistent", &other), VS_OK);
    assert_null(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_evidence_is_accepted_and_marked_simulated),
        cmocka_unit_test(the_root_counts_only_when_named),
        cmocka_unit_test(every_changed_byte_of_a_quote_is_refused),
        cmocka_unit_test(other_report_data_is_refused),
        cmocka_unit_test(what_the_appraisal_does_not_name_is_refused),
        cmocka_unit_test(one_of_many_measurements_is_enough),
        cmocka_unit_test(debug_enclaves_are_never_accepted),
        cmocka_unit_test(what_nobody_accepts_needs_no_appraisal_to_be_refused),
        cmocka_unit_test(the_default_policy_says_why),
        cmocka_unit_test(platforms_that_fell_behind_need_to_be_named),
        cmocka_unit_test(revoked_and_stale_platforms_are_refused),
        cmocka_unit_test(certificates_give_their_evidence),
        cmocka_unit_test(a_platform_is_not_overwritten),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
