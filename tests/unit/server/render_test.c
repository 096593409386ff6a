/* Typed results and refusals become the texts that clients read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/render.h"

#define ID "0193e0a4-0000-7000-8000-000000000000"

static const char *body_of(const struct refusal *why)
{
    static char text[4096];
    struct writer w = writer_over(text, sizeof text - 1);

    render_refusal(why, ID, &w);
    assert_false(w.failed);
    text[w.size] = '\0';
    return text;
}

/* The texts that OutLayer's worker and our own clients know. */
static void test_each_code_has_its_sentence(void **state)
{
    static const struct {
        struct refusal why;
        const char *sentence;
    } cases[] = {
        {{.code = "attestation_required"},
         "Attestation verification failed: neither a session nor evidence; attest through "
         "/v1/attest, or send an attestation object"                                                                                  },
        {{.code = "evidence_stale", .limit_s = 300},
         "Attestation verification failed: Attestation expired (older than 300 seconds)"                                              },
        {{.code = "evidence_from_future", .limit_s = 30},
         "Attestation verification failed: the timestamp is more than 30 seconds ahead"                                               },
        {{.code = "session_expired"},
         "TEE session not found or expired: it has expired; attest again"                                                             },
        {{.code = "session_token_mismatch"},
         "TEE session not found or expired: it is not a valid session of this token; attest "
         "again"                                                                                                                      },
        {{.code = "seed_not_allowed"},                                             "Access denied: the policy does not cover this key"},
        {{.code = "envelope_not_authentic"},
         "Decryption failed: not encrypted to this key, or changed"                                                                   },
        {{.code = "envelope_malformed", .hint = "shorter than its format allows"},
         "Decryption failed: shorter than its format allows"                                                                          },
        {{.code = "legacy_envelope", .hint = "it is old"},                         "Decryption failed: it is old"                     },
        {{.code = "report_data_mismatch", .step = "policy"},
         "Attestation verification failed: the evidence does not bind this key and this nonce or "
         "time"                                                                                                                       },
 /* codes of the verifier and of the appraisal */
        {{.code = "debug", .hint = "a debug enclave"},
         "Attestation verification failed: a debug enclave"                                                                           },
        {{.code = "measurement_mismatch", .step = "policy"},
         "Attestation verification failed: no policy accepts this evidence"                                                           },
 /* faults of our own */
        {{.code = "out_of_memory", .error = ERR_MEMORY},                           "out of memory"                                    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char sentence[REFUSAL_SENTENCE_MAX];

        refusal_sentence(&cases[i].why, sentence);
        assert_string_equal(sentence, strcmp(cases[i].why.code, "out_of_memory") == 0
                                          ? err_text(ERR_MEMORY)
                                          : cases[i].sentence);
    }
}

static void test_a_refusal_has_only_its_own_members(void **state)
{
    struct refusal why = {.error = ERR_DENIED, .code = "may_not_administer"};

    (void)state;
    assert_string_equal(body_of(&why), "{\"error\":\"Access denied: this token may not change "
                                       "policies\",\"code\":\"may_not_administer\",\"request_id\":"
                                       "\"" ID "\"}");
    refusal_detail(&why, "policy", NULL, "a \"b\"", "");
    assert_non_null(
        strstr(body_of(&why), ",\"detail\":{\"step\":\"policy\",\"expected\":\"a \\\"b\\\"\"}}"));
}

static void test_the_longest_refusal_fits(void **state)
{
    static char long_text[4096];
    struct refusal why = {.error = ERR_DENIED, .code = "debug", .hint = long_text};
    char sentence[REFUSAL_SENTENCE_MAX];

    (void)state;
    memset(long_text, '\x01', sizeof long_text - 1); /* six bytes each when escaped */
    refusal_detail(&why, long_text, long_text, long_text, long_text);
    refusal_sentence(&why, sentence);
    assert_int_equal(strlen(sentence), REFUSAL_SENTENCE_MAX - 1);
    memset(long_text, 'x', sizeof long_text - 1);
    refusal_detail(&why, long_text, long_text, long_text, long_text);
    assert_true(strlen(body_of(&why)) < 4096);
}

static void assert_opened(const struct opened *opened, const char *expected)
{
    struct secret *body = NULL;

    assert_int_equal(render_opened(opened, &body), ERR_NONE);
    assert_int_equal(secret_size(body), strlen(expected));
    assert_memory_equal(secret_data(body), expected, strlen(expected));
    secret_free(&body);
}

static void test_three_forms_of_a_plaintext(void **state)
{
    uint8_t sealed[] = {0xff, 0xfe, 0xfd};
    struct opened opened = {.form = OPENED_PLAIN};

    (void)state;
    assert_int_equal(secret_copy(SPAN_LITERAL("secret"), &opened.plain), ERR_NONE);
    assert_opened(&opened, "{\"plaintext_secrets\":\"c2VjcmV0\"}");
    secret_free(&opened.plain);

    opened.sealed = (struct buffer){.data = sealed, .size = sizeof sealed};
    opened.opening_size = 3;
    opened.form = OPENED_FOR_SESSION;
    assert_opened(&opened, "{\"sealed_secrets\":{\"nonce\":\"AAAA\",\"ciphertext\":\"//79\"}}");
    opened.form = OPENED_FOR_KEY;
    assert_opened(&opened, "{\"sealed_secrets\":{\"enc\":\"AAAA\",\"ciphertext\":\"//79\"}}");
}

/* ---- explanations */

static struct explanation explanation; /* large */
static char explained[64 * 1024];

static const char *explanation_text(void)
{
    struct secret *body = NULL;

    assert_int_equal(render_explanation(&explanation, &body), ERR_NONE);
    assert_true(secret_size(body) < sizeof explained);
    memcpy(explained, secret_data(body), secret_size(body));
    explained[secret_size(body)] = '\0';
    secret_free(&body);
    return explained;
}

static void assert_has(const char *text, const char *part, bool wanted)
{
    if ((strstr(text, part) != NULL) != wanted)
        fail_msg("%s %s: %.2000s", part, wanted ? "is missing" : "is not wanted", text);
}

static void explain_valid_evidence(void)
{
    struct attest_result *r = &explanation.evidence;

    explanation = (struct explanation){
        .kind_is_right = true,
        .has_nearest = true,
        .nearest = {.name = "p", .accepts = true, .demands_met = 3}
    };
    r->kind = ATTEST_SGX;
    r->tee = "sgx";
    r->signatures_valid = r->authentic = true;
    r->status = TCB_UP_TO_DATE;
    memset(r->sgx.mr_enclave, 0xab, sizeof r->sgx.mr_enclave);
    r->steps[0] = "header";
    r->step_count = 1;
}

static void test_accepted_evidence_is_explained(void **state)
{
    const char *text;

    (void)state;
    explain_valid_evidence();
    text = explanation_text();
    assert_has(text, "{\"result\":\"valid\",\"tee\":\"sgx\",\"reason\":\"ok\"", true);
    assert_has(text, "\"steps\":[{\"step\":\"header\",\"passed\":true}]", true);
    assert_has(text, "\"mrenclave\":\"abab", true);
    assert_has(text, "\"mrtd\"", false);
    assert_has(text, "\"cpusvn\"", false); /* measurements only */
    assert_has(text, "\"claims_digest\":\"", true);
    assert_has(text, "\"status\":\"UpToDate\"", true);
    assert_has(text, "\"accepted\":true,\"binding\":\"not checked\",\"policy\":\"p\"}", true);
    assert_has(text, "\"rules\"", false);
    assert_has(text, "\"update\"", false);
    assert_has(text, "\"early_set_missing\"", false);
    explanation.has_set = explanation.early_set_missing = true;
    explanation.tcb_evaluation_number = 17;
    text = explanation_text();
    assert_has(text,
               "\"update\":\"standard\",\"tcb_evaluation_number\":17,"
               "\"early_set_missing\":true,\"notice\":\"The keystore holds no early set",
               true);
    explanation.set_is_early = true;
    explanation.early_set_missing = false;
    text = explanation_text();
    assert_has(text, "\"update\":\"early\"", true);
    assert_has(text, "\"notice\"", false);
    explanation.binding_checked = explanation.tells_rules = true;
    explanation.rule_count = 1;
    explanation.rules_left_out = 2;
    explanation.rules[0] = (struct rule_verdict){.name = "r", .demands_met = 7};
    explanation.rules[0].denial.code = "debug";
    text = explanation_text();
    assert_has(text,
               "\"rules\":[{\"name\":\"r\",\"accepts\":false,\"demands_met\":7,"
               "\"code\":\"debug\"}],\"rules_left_out\":2,",
               true);
    assert_has(text, "\"binding\":\"checked\"", true);
}

static void test_refused_evidence_is_explained(void **state)
{
    struct attest_result *r = &explanation.evidence;
    const char *text;

    (void)state;
    explain_valid_evidence();
    explanation.kind_is_right = false;
    text = explanation_text();
    assert_has(text,
               "\"accepted\":false,\"binding\":\"not checked\",\"code\":\"tee_type_mismatch\"}",
               true);
    explanation.kind_is_right = true;
    explanation.nearest.accepts = false;
    explanation.nearest.denial.code = "signer_mismatch";
    text = explanation_text();
    assert_has(text, "\"accepted\":false", true);
    assert_has(text, "\"policy\":\"p\",\"code\":\"signer_mismatch\"}", true);
    r->reason = ATTEST_SIGNATURE_INVALID;
    r->signatures_valid = r->authentic = false;
    (void)snprintf(r->step, sizeof r->step, "signature");
    (void)snprintf(r->expected, sizeof r->expected, "a good one");
    text = explanation_text();
    assert_has(text, "{\"result\":\"reject\"", true);
    assert_has(text, "{\"step\":\"signature\",\"passed\":false}]", true);
    assert_has(text, "\"expected\":\"a good one\"", true);
    assert_has(text, "\"claims\"", false);
    assert_has(text, "\"claims_digest\"", false);
    assert_has(text, "\"accepted\":false}", true);
    assert_has(text, "\"policy\"", false);
}

/* Kinds that are made before the commit are rendered; what does not fit is refused, not cut. */
static void write_too_much(struct json_writer *j, const void *subject)
{
    json_put_string(j, NULL, span_string(subject));
}

static void test_a_reply_that_does_not_fit_is_refused(void **state)
{
    struct secret *body = NULL;

    (void)state;
    assert_int_equal(render_into(5, write_too_much, "1234", &body), ERR_TOO_LARGE);
    assert_null(body);
    assert_int_equal(render_into(6, write_too_much, "1234", &body), ERR_NONE);
    assert_int_equal(secret_size(body), 6);
    secret_free(&body);
}

static void test_an_unknown_outcome_is_not_called_unchanged(void **state)
{
    static const enum err not_stored[] = {ERR_IO, ERR_OVERLOADED, ERR_MEMORY, ERR_TOO_LARGE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(not_stored); i++)
        assert_non_null(strstr(render_not_committed(not_stored[i]), "so nothing was changed"));
    assert_null(strstr(render_not_committed(ERR_UNAVAILABLE), "so nothing was changed"));
    assert_non_null(strstr(render_not_committed(ERR_UNAVAILABLE), "/v1/explain"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_has_its_sentence),
        cmocka_unit_test(test_a_refusal_has_only_its_own_members),
        cmocka_unit_test(test_the_longest_refusal_fits),
        cmocka_unit_test(test_three_forms_of_a_plaintext),
        cmocka_unit_test(test_a_reply_that_does_not_fit_is_refused),
        cmocka_unit_test(test_an_unknown_outcome_is_not_called_unchanged),
        cmocka_unit_test(test_accepted_evidence_is_explained),
        cmocka_unit_test(test_refused_evidence_is_explained),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
