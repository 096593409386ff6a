/* <vouchsafe/attest.h>: verifiers and results, with real evidence if the vectors are present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vouchsafe/attest.h>

#include "base/text.h"
#include "support/vectors.h"

#define INDEX "attestation/index.json"

static char dir[] = "/tmp/vouchsafe-attest-XXXXXX";
static struct vs_sim *sim;
static struct vs_blob bundle, quote;
static const struct vs_sim_enclave enclave = {
    .mr_enclave = {1, 2},
      .mr_signer = {3, 4},
      .isv_prod_id = 7, .isv_svn = 5
};
static const uint8_t report_data[VS_REPORT_DATA_SIZE] = {9, 8};

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *out = path[next++ % 4];

    (void)snprintf(out, sizeof path[0], "%s/%s", dir, name);
    return out;
}

static int start(void **state)
{
    const struct vs_sim_collateral good = {0};

    (void)state;
    return vs_start() == VS_OK && mkdtemp(dir) != NULL && vs_sim_create(in_dir("sim")) == VS_OK &&
                   vs_sim_open(in_dir("sim"), &sim) == VS_OK &&
                   vs_sim_collateral(sim, &good, &bundle) == VS_OK &&
                   vs_sim_quote(sim, &enclave, report_data, &quote) == VS_OK
               ? 0
               : -1;
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
    vs_blob_clear(&quote);
    vs_sim_free(&sim);
    return 0;
}

static struct vs_bytes bytes_of(const struct vs_blob *b)
{
    return (struct vs_bytes){b->data, b->size};
}

/* A verifier of the simulated platform's evidence, with or without its collateral. */
static struct vs_verifier *verifier(bool with_collateral)
{
    struct vs_verifier *v = NULL;

    assert_int_equal(vs_verifier_new(VS_VERIFIER_NO_VENDOR_ROOTS, &v), VS_OK);
    assert_int_equal(vs_verifier_add_root(v, VS_VENDOR_SIMULATED, vs_sim_root(sim)), VS_OK);
    if (with_collateral)
        assert_int_equal(vs_verifier_add_bundle(v, bytes_of(&bundle)), VS_OK);
    return v;
}

static void valid_evidence_has_every_field(void **state)
{
    const struct vs_tee_evidence evidence = {.kind = VS_TEE_SGX, .bytes = bytes_of(&quote)};
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;
    const struct vs_field *f;

    (void)state;
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_OK);
    assert_int_equal(vs_result_verdict(r), VS_VALID);
    assert_string_equal(vs_result_reason(r), "ok");
    assert_string_equal(vs_result_step(r), "");
    assert_true(vs_result_authentic(r) && vs_result_simulated(r) && !vs_result_debug(r));
    assert_string_equal(vs_result_status(r), "UpToDate");
    assert_memory_equal(vs_result_report_data(r), report_data, sizeof report_data);
    assert_true(vs_result_expiry(r) > vs_result_tcb_date(r));
    f = vs_result_field(r, "report.mrenclave");
    assert_non_null(f);
    assert_int_equal(f->kind, VS_FIELD_HEX);
    assert_memory_equal(f->bytes.data, enclave.mr_enclave, 32);
    f = vs_result_field(r, "report.isvsvn");
    assert_non_null(f);
    assert_int_equal(f->number, 5);
    assert_null(vs_result_field(r, "report.mrtd"));
    assert_null(vs_result_field(r, NULL));
    assert_null(vs_result_field_at(r, vs_result_field_count(r)));
    assert_null(vs_result_step_at(r, vs_result_step_count(r)));
    for (size_t i = 0; i < vs_result_step_count(r); i++) {
        assert_true(vs_result_step_at(r, i)->passed);
        assert_string_not_equal(vs_result_step_at(r, i)->text, "");
    }
    vs_result_free(&r);
    vs_result_free(&r);
    vs_verifier_free(&v);
    vs_verifier_free(&v);
}

static void a_result_outlives_its_inputs(void **state)
{
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;
    uint8_t *copy = malloc(quote.size);

    (void)state;
    assert_non_null(copy);
    memcpy(copy, quote.data, quote.size);
    assert_int_equal(vs_verifier_verify(v,
                                        &(struct vs_tee_evidence){
                                            .bytes = {copy, quote.size}
    },
                                        0, &r),
                     VS_OK);
    memset(copy, 0, quote.size);
    free(copy);
    vs_verifier_free(&v);
    assert_memory_equal(vs_result_field(r, "report.mrsigner")->bytes.data, enclave.mr_signer, 32);
    vs_result_free(&r);
}

static void without_collateral_only_the_signature_is_known(void **state)
{
    const struct vs_tee_evidence evidence = {.bytes = bytes_of(&quote)};
    struct vs_verifier *v = verifier(false);
    struct vs_result *r = NULL;
    struct vs_missing missing;

    (void)state;
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_ERR_UNTRUSTED);
    assert_int_equal(vs_result_verdict(r), VS_SIGNATURE_ONLY);
    assert_string_equal(vs_result_reason(r), "collateral_missing");
    assert_true(vs_result_signatures_valid(r));
    assert_false(vs_result_authentic(r)); /* only collateral identifies the quoting enclave */
    assert_string_equal(vs_result_status(r), "");
    assert_int_equal(vs_result_expiry(r), 0);
    assert_int_equal(vs_result_appraise(r, &(struct vs_appraisal){0}, NULL), VS_ERR_UNTRUSTED);
    vs_result_missing(r, &missing);
    assert_true(missing.known);
    assert_int_equal(missing.vendor, VS_VENDOR_INTEL);
    assert_int_equal(strlen(missing.platform), 12);
    assert_false(vs_result_step_at(r, vs_result_step_count(r) - 1)->passed);
    vs_result_free(&r);
    vs_verifier_free(&v);
}

static void what_is_not_authentic_says_nothing(void **state)
{
    struct vs_verifier *v = NULL;
    struct vs_result *r = NULL;
    static const uint8_t zeros[VS_REPORT_DATA_SIZE];
    const struct vs_tee_evidence evidence = {.bytes = bytes_of(&quote)};

    (void)state;
    assert_int_equal(vs_verifier_new(0, &v), VS_OK);
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_ERR_UNTRUSTED);
    assert_string_equal(vs_result_reason(r), "root_not_pinned");
    assert_string_equal(vs_result_step(r), "pck_chain");
    assert_int_equal(vs_result_verdict(r), VS_REJECT);
    assert_int_equal(vs_result_field_count(r), 0);
    assert_memory_equal(vs_result_report_data(r), zeros, sizeof zeros);
    assert_memory_equal(vs_result_evidence_id(r), zeros, VS_EVIDENCE_ID_SIZE);
    assert_memory_equal(vs_result_claims_digest(r), zeros, VS_HASH_SIZE);
    vs_result_free(&r);
    vs_verifier_free(&v);
}

static void no_result_is_a_refusal(void **state)
{
    (void)state;
    assert_int_equal(vs_result_verdict(NULL), VS_REJECT);
    assert_string_equal(vs_result_reason(NULL), "internal");
    assert_false(vs_result_authentic(NULL));
    assert_false(vs_result_signatures_valid(NULL));
    assert_int_equal(vs_result_field_count(NULL), 0);
    assert_int_equal(vs_result_step_count(NULL), 0);
    assert_null(vs_result_step_at(NULL, 0));
    assert_string_equal(vs_result_status(NULL), "");
    assert_string_equal(vs_result_advisory_at(NULL, 0), "");
    assert_int_equal(vs_result_report_data(NULL)[63], 0);
    assert_string_equal(vs_verdict_name((enum vs_verdict)77), "reject");
    assert_string_equal(vs_tcb_status_text("Splendid"), "");
    assert_string_equal(vs_tcb_status_text(NULL), "");
}

static void wrong_calls_are_refused(void **state)
{
    static const uint8_t large[VS_EVIDENCE_MAX + 1];
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;
    struct vs_blob text = {0};
    enum vs_tee tee;

    (void)state;
    assert_int_equal(vs_verifier_new(2, &v), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_new(0, NULL), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_verify(v, NULL, 0, &r), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_verify(NULL, &(struct vs_tee_evidence){0}, 0, &r),
                     VS_ERR_ARGUMENT);
    assert_int_equal(
        vs_verifier_verify(
            v, &(struct vs_tee_evidence){.kind = (enum vs_tee)8, .bytes = bytes_of(&quote)}, 0, &r),
        VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_verify(v,
                                        &(struct vs_tee_evidence){
                                            .certificates = {large, sizeof large}
    },
                                        0, &r),
                     VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_add_root(v, (enum vs_vendor)0, vs_sim_root(sim)), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_add_root(v, VS_VENDOR_AWS, (struct vs_bytes){"x", 1}),
                     VS_ERR_MALFORMED);
    assert_int_equal(vs_verifier_add_intel(v, NULL), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_add_amd(v, NULL), VS_ERR_ARGUMENT);
    assert_int_equal(vs_verifier_add_bundle(NULL, bytes_of(&bundle)), VS_ERR_ARGUMENT);
    assert_int_equal(vs_evidence_decode((struct vs_bytes){NULL, 4}, &text), VS_ERR_ARGUMENT);
    assert_int_equal(vs_tee_parse("SGX", &tee), VS_ERR_NOT_FOUND);
    assert_int_equal(vs_tee_parse(NULL, &tee), VS_ERR_ARGUMENT);
    assert_null(r);
    vs_verifier_free(&v);
}

static void too_large_and_of_another_kind_are_refused(void **state)
{
    static const uint8_t large[VS_EVIDENCE_MAX + 1];
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;
    struct vs_tee_evidence evidence = {
        .bytes = {large, sizeof large}
    };

    (void)state;
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_ERR_UNTRUSTED);
    assert_string_equal(vs_result_reason(r), "too_large");
    vs_result_free(&r);
    for (enum vs_tee kind = VS_TEE_SNP; kind <= VS_TEE_PSA; kind++) {
        evidence = (struct vs_tee_evidence){.kind = kind, .bytes = bytes_of(&quote)};
        assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_ERR_UNTRUSTED);
        assert_int_equal(vs_result_verdict(r), VS_REJECT);
        vs_result_free(&r);
    }
    evidence = (struct vs_tee_evidence){0};
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    vs_verifier_free(&v);
}

static void collateral_that_does_not_verify_is_named_and_not_kept(void **state)
{
    struct vs_verifier *stranger = NULL;
    struct vs_verifier *v = verifier(false);
    struct vs_why why = {0};
    size_t count = 0;

    (void)state;
    assert_int_equal(vs_verifier_new(0, &stranger), VS_OK);
    assert_int_equal(vs_verifier_add_bundle(stranger, bytes_of(&bundle)), VS_ERR_UNTRUSTED);
    assert_string_not_equal(vs_verifier_reason(stranger), "");
    assert_int_not_equal(vs_verifier_add_bundle(v, (struct vs_bytes){"{}", 2}), VS_OK);
    assert_int_not_equal(vs_verifier_add_intel(v, &(struct vs_intel_collateral){0}), VS_OK);
    assert_int_not_equal(vs_verifier_add_amd(v, &(struct vs_amd_collateral){0}), VS_OK);
    assert_int_not_equal(vs_verifier_add_vek(v, (struct vs_bytes){"x", 1}), VS_OK);

    /* a directory with one good and one bad piece: none is used */
    assert_int_equal(mkdir(in_dir("set"), 0700), 0);
    assert_int_equal(vs_file_write(in_dir("set/a.json"), bytes_of(&bundle), 0600, true), VS_OK);
    assert_int_equal(vs_verifier_add_directory(v, in_dir("set"), &count, &why), VS_OK);
    assert_int_equal(count, 1);
    assert_int_equal(vs_file_write(in_dir("set/b.json"), (struct vs_bytes){"{}", 2}, 0600, true),
                     VS_OK);
    vs_verifier_free(&v);
    v = verifier(false);
    assert_int_equal(vs_verifier_add_directory(v, in_dir("set"), NULL, &why), VS_ERR_UNTRUSTED);
    assert_non_null(strstr(why.text, "b.json: The document"));
    struct vs_result *r = NULL;
    assert_int_equal(
        vs_verifier_verify(v, &(struct vs_tee_evidence){.bytes = bytes_of(&quote)}, 0, &r),
        VS_ERR_UNTRUSTED);
    assert_int_equal(vs_result_verdict(r), VS_SIGNATURE_ONLY);
    vs_result_free(&r);
    assert_int_equal(vs_verifier_add_directory(v, in_dir("none"), NULL, NULL), VS_ERR_NOT_FOUND);
    assert_int_equal(mkdir(in_dir("empty"), 0700), 0);
    assert_int_equal(vs_verifier_add_directory(v, in_dir("empty"), NULL, NULL), VS_ERR_NOT_FOUND);
    vs_verifier_free(&v);
    vs_verifier_free(&stranger);
}

static void time_is_an_argument(void **state)
{
    const struct vs_tee_evidence evidence = {.bytes = bytes_of(&quote)};
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;

    (void)state;
    assert_int_equal(vs_verifier_verify(v, &evidence, 1, &r), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    assert_int_equal(vs_verifier_verify(v, &evidence, 4000000000, &r), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    assert_int_equal(vs_verifier_verify(v, &evidence, INT64_MAX, &r), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    assert_int_equal(vs_verifier_verify(v, &evidence, INT64_MIN, &r), VS_ERR_UNTRUSTED);
    vs_result_free(&r);
    vs_verifier_free(&v);
}

static void appraisal_needs_a_name_for_the_code(void **state)
{
    static const struct {
        struct vs_appraisal appraisal;
        enum vs_error e;
        const char *code;
    } cases[] = {
        {{.mr_signer = NULL},                                                  VS_ERR_POLICY, "no_policy"              },
        {{.mr_enclave = {enclave.mr_enclave, 32}},                             VS_OK,         ""                       },
        {{.mr_enclave = {enclave.mr_signer, 32}},                              VS_ERR_POLICY, "measurement_mismatch"   },
        {{.mr_signer = enclave.mr_signer, .isv_prod_id = 7, .min_isv_svn = 5}, VS_OK,         ""                       },
        {{.mr_signer = enclave.mr_signer, .isv_prod_id = 7, .min_isv_svn = 6},
         VS_ERR_POLICY,                                                                       "svn_too_low"            },
        {{.mr_signer = enclave.mr_signer, .isv_prod_id = 8},                   VS_ERR_POLICY, "product_mismatch"       },
        {{.mr_signer = enclave.mr_enclave, .isv_prod_id = 7},                  VS_ERR_POLICY, "signer_mismatch"        },
        {{.mr_enclave = {enclave.mr_enclave, 32}, .accepted_statuses = 2},
         VS_ERR_POLICY,                                                                       "tcb_status_not_accepted"},
    };
    const struct vs_tee_evidence evidence = {.bytes = bytes_of(&quote)};
    struct vs_verifier *v = verifier(true);
    struct vs_result *r = NULL;

    (void)state;
    assert_int_equal(vs_verifier_verify(v, &evidence, 0, &r), VS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vs_refusal refusal = {0};

        assert_int_equal(vs_result_appraise(r, &cases[i].appraisal, &refusal), cases[i].e);
        assert_string_equal(refusal.code, cases[i].code);
        assert_int_equal(vs_result_appraise(r, &cases[i].appraisal, NULL), cases[i].e);
    }
    vs_result_free(&r);
    vs_verifier_free(&v);
}

static void evidence_is_read_as_people_keep_it(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
        size_t size;
    } cases[] = {
        {"03000200",                      "\3\0\2\0",                    4 },
        {"0x03 00\n02 00 ",               "\3\0\2\0",                    4 },
        {"AbCdEf01",                      "\xab\xcd\xef\1",              4 },
        {"AwACAA==",                      "\3\0\2\0",                    4 },
        {"AwAC\r\nAA==\n",                "\3\0\2\0",                    4 },
        {"-_-_",                          "\xfb\xff\xbf",                3 },
        {"+/-_",                          "\xfb\xff\xbf",                3 },
        {"AwACAA",                        "\3\0\2\0",                    4 },
        {"\"AwACAA==\"",                  "\3\0\2\0",                    4 },
        {" '03000200' \n",                "\3\0\2\0",                    4 },
        {"\"AwACAA\",\n",                 "\3\0\2\0",                    4 },
        {"\xef\xbb\xbf"
         "03000200",             "\3\0\2\0",                    4 },
        {"\xef\xbb\xbf\"AwACAA\"",        "\3\0\2\0",                    4 },
        {"[3, 0, 2,0]",                   "\3\0\2\0",                    4 },
        {"[255]",                         "\xff",                        1 },
        {"\3\2\1",                        "\3\2\1",                      3 }, /* raw */
        {"-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----", 27},
    };
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"",                          "empty"              },
        {"\n",                        "empty"              },
        {"\"\"",                      "empty"              },
        {"AwACAA=",                   "neither hex"        },
        {"AwACA",                     "neither hex"        }, /* padding does not make this right */
        {"abc def!",                  "'abc def!'"         },
        {"no quote here, only words", "'no quote here, o'" },
        {"[256]",                     "JSON"               },
        {"[1,,2]",                    "JSON"               },
        {"[]",                        "none of its strings"},
        {"{",                         "not valid JSON"     },
        {"{\"quote\":\"AwACAA\"}",    "none of its strings"}, /* too short for evidence */
        {"{\"quote\":3}",             "none of its strings"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vs_blob got = {0};
        struct vs_why why = {0};

        if (vs_evidence_read((struct vs_bytes){cases[i].text, strlen(cases[i].text)}, &got, &why) !=
            VS_OK)
            fail_msg("%s: %s", cases[i].text, why.text);
        assert_int_equal(got.size, cases[i].size);
        assert_memory_equal(got.data, cases[i].bytes, got.size);
        vs_blob_clear(&got);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct vs_bytes text = {bad[i].text, strlen(bad[i].text)};
        struct vs_blob got = {0};
        struct vs_why why = {0};

        assert_int_equal(vs_evidence_read(text, &got, &why), VS_ERR_MALFORMED);
        if (strstr(why.text, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].text, why.text);
        assert_int_equal(vs_evidence_decode(text, &got), VS_ERR_MALFORMED);
        assert_null(got.data);
    }
    static char large[4 * VS_EVIDENCE_MAX + 1];
    struct vs_blob got = {0};
    assert_int_equal(vs_evidence_decode((struct vs_bytes){large, sizeof large}, &got),
                     VS_ERR_TOO_LARGE);
}

/* Evidence of our own making, in documents of several shapes. */
static void evidence_is_found_in_json(void **state)
{
    static const char *const shapes[] = {
        "{\"quote\":\"%s\"}",
        "{\"version\":1,\"evidence\":{\"tee\":\"snp\",\"report\":\"%s\",\"nonce\":\"00ff\"}}",
        "[\"AAAA\",[{\"a\":null,\"b\":\"%s\"}]]",
        "\xef\xbb\xbf{\"quote\":\"%s\",\"again\":\"%1$s\"}\n", /* the same twice is one */
    };
    static uint8_t report[1184] = {2}; /* SNP, version 2 */
    static char text[2 * sizeof report + 1];
    static char document[8192];
    struct vs_blob got = {0};
    struct vs_why why = {0};

    (void)state;
    report[0x34] = 1; /* signature algorithm: ECDSA P-384 with SHA-384 */
    for (unsigned form = 0; form < 3; form++) {
        memset(text, 0, sizeof text);
        if (form == 0)
            hex_write(SPAN_OF(report), text);
        else if (form == 1)
            base64_write(SPAN_OF(report), text);
        else
            base64url_write(SPAN_OF(report), text);
        for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
            char *at = document;

            for (const char *p = shapes[i]; *p != '\0';) {
                const size_t plain = strcspn(p, "%");

                memcpy(at, p, plain);
                at += plain;
                p += plain;
                if (*p == '\0')
                    break;
                memcpy(at, text, strlen(text));
                at += strlen(text);
                p = strchr(p, 's') + 1;
            }
            if (vs_evidence_read((struct vs_bytes){document, (size_t)(at - document)}, &got,
                                 &why) != VS_OK)
                fail_msg("%s: %s", shapes[i], why.text);
            assert_int_equal(got.size, sizeof report);
            assert_memory_equal(got.data, report, sizeof report);
            vs_blob_clear(&got);
        }
    }
    /* two pieces: the reader does not choose */
    hex_write(SPAN_OF(report), text);
    int size = snprintf(document, sizeof document, "{\"a\":\"%s\",\"b\":\"03%s\"}", text, text + 2);
    assert_int_equal(vs_evidence_read((struct vs_bytes){document, (size_t)size}, &got, &why),
                     VS_ERR_MALFORMED);
    assert_non_null(strstr(why.text, "several"));
}

static void *verify_often(void *shared)
{
    const struct vs_tee_evidence evidence = {.bytes = bytes_of(&quote)};

    for (int i = 0; i < 20; i++) {
        struct vs_result *r = NULL;

        if (vs_verifier_verify(shared, &evidence, 0, &r) != VS_OK)
            return shared;
        vs_result_free(&r);
    }
    return NULL;
}

static void threads_share_a_verifier(void **state)
{
    struct vs_verifier *v = verifier(true);
    pthread_t threads[4];
    void *fault = NULL;

    (void)state;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, verify_often, v), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &fault), 0);
        assert_null(fault);
    }
    vs_verifier_free(&v);
}

/* ------------------------------------------------------------------- the vectors, by name */

static const char *vector_path(const char *relative)
{
    char path[512];

    (void)snprintf(path, sizeof path, "attestation/%s", relative);
    return vectors_path(path);
}

static void read_vector(const char *relative, struct vs_blob *out)
{
    assert_int_equal(vs_file_read(vector_path(relative), 1u << 22, out), VS_OK);
}

static void directory_of(const char *path, char out[256])
{
    (void)snprintf(out, 256, "%.*s", (int)(strrchr(path, '/') - path), path);
}

static void add_arm_key(struct vs_verifier *v, const char *path, const struct vs_blob *evidence)
{
    uint8_t instance[VS_ARM_INSTANCE_SIZE];
    struct vs_blob pem = {0};

    read_vector(path, &pem);
    assert_int_equal(vs_evidence_arm_instance(bytes_of(evidence), instance), VS_OK);
    assert_int_equal(
        vs_verifier_add_arm_key(v, (struct vs_bytes){instance, sizeof instance}, bytes_of(&pem)),
        VS_OK);
    vs_blob_clear(&pem);
}

static void add_case_collateral(struct vs_verifier *v, const json_t *c,
                                const struct vs_blob *evidence)
{
    static const char *const folders[] = {"tcb_info", "ark", "vek"};
    static const char *const keys[] = {"platform_key", "iak"};
    const json_t *collateral = json_object_get(c, "collateral");
    char folder[256];

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const char *path = json_string_value(json_object_get(collateral, folders[i]));

        if (path == NULL)
            continue;
        directory_of(path, folder);
        assert_int_equal(vs_verifier_add_directory(v, vector_path(folder), NULL, NULL), VS_OK);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *path = json_string_value(json_object_get(collateral, keys[i]));

        if (path != NULL)
            add_arm_key(v, path, evidence);
    }
}

/* Members of the index about the index itself. */
static bool is_fact(const char *name)
{
    static const char *const others[] = {"result",           "reason",          "note",
                                         "check_errors",     "advisory_ids",    "tcb_status",
                                         "vek_extensions",   "debug",           "signatures_valid",
                                         "sgx_level_status", "runtime_data_sha"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return true;
}

static bool text_is(const struct vs_field *f, const char *text)
{
    char hex[2 * 4096 + 1] = "";

    if (f->kind == VS_FIELD_TEXT)
        return strcmp(f->bytes.data, text) == 0;
    if (f->kind != VS_FIELD_HEX || f->bytes.size > 4096)
        return false;
    for (size_t i = 0; i < f->bytes.size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)f->bytes.data)[i]);
    return strcmp(hex, text) == 0;
}

static bool field_is(const struct vs_field *f, const json_t *value)
{
    if (f == NULL)
        return false;
    if (json_is_string(value))
        return text_is(f, json_string_value(value));
    if (json_is_null(value))
        return f->kind == VS_FIELD_NULL;
    if (json_is_boolean(value))
        return f->kind == VS_FIELD_FLAG && (f->number != 0) == json_is_true(value);
    return f->kind == VS_FIELD_NUMBER && f->number == (uint64_t)json_integer_value(value);
}

static size_t differences(const struct vs_result *r, const char *prefix, const json_t *expected);

static size_t difference(const struct vs_result *r, const char *name, const json_t *value)
{
    char element[80];
    size_t count = 0;

    if (json_is_object(value))
        return differences(r, name, value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        (void)snprintf(element, sizeof element, "%s[%zu]", name, i);
        count += difference(r, element, json_array_get(value, i));
    }
    if (json_is_array(value) || field_is(vs_result_field(r, name), value))
        return count;
    print_error("%s differs\n", name);
    return 1;
}

static size_t differences(const struct vs_result *r, const char *prefix, const json_t *expected)
{
    const char *key;
    json_t *value;
    char name[64];
    size_t count = 0;

    json_object_foreach((json_t *)(uintptr_t)expected, key, value)
    {
        (void)snprintf(name, sizeof name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key);
        if (prefix[0] != '\0' || is_fact(key))
            count += difference(r, name, value);
    }
    return count;
}

static void check_judgement(const struct vs_result *r, const json_t *expected)
{
    const char *status = json_string_value(json_object_get(expected, "tcb_status"));
    const json_t *advisories = json_object_get(expected, "advisory_ids");

    assert_string_equal(vs_result_status(r), status != NULL ? status : "");
    assert_int_equal(vs_result_advisory_count(r), json_array_size(advisories));
    for (size_t i = 0; i < json_array_size(advisories); i++)
        assert_string_equal(vs_result_advisory_at(r, i),
                            json_string_value(json_array_get(advisories, i)));
    assert_int_equal(vs_result_debug(r), json_is_true(json_object_get(expected, "debug")));
    assert_int_equal(differences(r, "", expected), 0);
}

static void check_case(const json_t *c)
{
    const json_t *expected = json_object_get(c, "expected");
    const char *reason = json_string_value(json_object_get(expected, "reason"));
    struct vs_verifier *v = NULL;
    struct vs_result *r = NULL;
    struct vs_blob evidence = {0};

    assert_int_equal(vs_verifier_new(0, &v), VS_OK);
    read_vector(json_string_value(json_object_get(c, "evidence")), &evidence);
    add_case_collateral(v, c, &evidence);
    const enum vs_error e =
        vs_verifier_verify(v, &(struct vs_tee_evidence){.bytes = bytes_of(&evidence)},
                           json_integer_value(json_object_get(c, "verify_time")), &r);
    if (vs_result_tee(r) == VS_TEE_AZURE_HCL) {
        /* the index judges only the binding; nothing here proves the report inside */
        assert_string_equal(vs_result_reason(r), "collateral_missing");
        assert_int_equal(vs_result_field(r, "binding_valid")->number, 1);
        assert_int_equal(differences(r, "", expected), 0);
    } else {
        assert_string_equal(vs_verdict_name(vs_result_verdict(r)),
                            json_string_value(json_object_get(expected, "result")));
    }
    assert_string_equal(vs_tee_name(vs_result_tee(r)),
                        json_string_value(json_object_get(c, "tee")));
    assert_int_equal(e, vs_result_verdict(r) == VS_VALID ? VS_OK : VS_ERR_UNTRUSTED);
    if (reason != NULL)
        assert_string_equal(vs_result_reason(r), reason);
    if (vs_result_verdict(r) == VS_VALID)
        check_judgement(r, expected);
    for (size_t i = 0; i < vs_result_step_count(r); i++)
        if (vs_result_step_at(r, i)->text[0] == '\0')
            fail_msg("the step %s has no words", vs_result_step_at(r, i)->name);
    vs_result_free(&r);
    vs_verifier_free(&v);
    vs_blob_clear(&evidence);
}

static void every_stored_case_is_judged_as_the_index_says(void **state)
{
    size_t i;
    json_t *c;

    (void)state;
    if (!vectors_have(INDEX, "stored evidence of every kind"))
        skip();
    json_t *index = vectors_json(INDEX);
    json_array_foreach(json_object_get(index, "cases"), i, c)
    {
        print_message("%s\n", json_string_value(json_object_get(c, "id")));
        check_case(c);
    }
    json_decref(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_evidence_has_every_field),
        cmocka_unit_test(a_result_outlives_its_inputs),
        cmocka_unit_test(without_collateral_only_the_signature_is_known),
        cmocka_unit_test(what_is_not_authentic_says_nothing),
        cmocka_unit_test(no_result_is_a_refusal),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(too_large_and_of_another_kind_are_refused),
        cmocka_unit_test(collateral_that_does_not_verify_is_named_and_not_kept),
        cmocka_unit_test(time_is_an_argument),
        cmocka_unit_test(appraisal_needs_a_name_for_the_code),
        cmocka_unit_test(evidence_is_read_as_people_keep_it),
        cmocka_unit_test(evidence_is_found_in_json),
        cmocka_unit_test(threads_share_a_verifier),
        cmocka_unit_test(every_stored_case_is_judged_as_the_index_says),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
