#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/attest.h"
#include "base/file.h"
#include "crypto/random.h"
#include "support/tally.h"
#include "tee/simulated.h"

#define NOW_S 1800000000
#define DAY_S (24 * 60 * 60)
#define AUTHENTICATED_SIZE 1018 /* of a quote, before the size of its PEM chain */

static const char *const key_names[] = {"root_ca.key", "platform_ca.key", "tcb_signing.key",
                                        "pck.key",     "attestation.key", "sealing.key"};

static const struct simulated_enclave enclave = {
    .mr_enclave = {1, 2, 3},
      .mr_signer = {4, 5, 6},
      .isv_prod_id = 7, .isv_svn = 8
};
static const uint8_t report_data[TEE_REPORT_DATA_SIZE] = {9, [63] = 10};

static struct timestamp now(void)
{
    return timestamp_of_seconds(NOW_S);
}

struct place {
    char parent[40];
    char dir[64];
};

static struct place place_new(void)
{
    struct place p = {.parent = "/tmp/vouchsafe-simulated-XXXXXX"};

    assert_non_null(mkdtemp(p.parent));
    (void)snprintf(p.dir, sizeof(p.dir), "%s/platform", p.parent);
    return p;
}

static struct place platform_new(void)
{
    struct place p = place_new();

    assert_int_equal(simulated_create(p.dir, now()), ERR_NONE);
    return p;
}

static void place_remove(const struct place *p)
{
    struct dirent *entry;
    DIR *dir = opendir(p->dir);

    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    if (dir)
        (void)closedir(dir);
    (void)rmdir(p->dir);
    (void)rmdir(p->parent);
}

static const char *file_of(const struct place *p, const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", p->dir, name);
    return path;
}

MUST_CHECK static enum err open_error(const struct place *p, char text[TEE_FAILURE_SIZE])
{
    const struct tee_settings settings = {.simulated_dir = p->dir};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    enum err e = tee_simulated_open(&settings, &tee, &failure);

    assert_true((e == ERR_NONE) == (tee != NULL));
    tee_close(&tee);
    memcpy(text, failure.text, sizeof(failure.text));
    return e;
}

static struct tee *opened(const struct place *p)
{
    const struct tee_settings settings = {.simulated_dir = p->dir};
    struct tee_failure failure = {""};
    struct tee *tee = NULL;

    assert_int_equal(tee_simulated_open(&settings, &tee, &failure), ERR_NONE);
    return tee;
}

/* Verification of a quote by the real verifier, under this platform's root. */
struct judgement {
    enum err e;
    struct attest_result result;
};

static struct judgement judge(const struct simulated_platform *p, struct span quote,
                              const struct simulated_collateral *how, struct timestamp at)
{
    struct attest_trust trust = {0};
    struct attest_collateral *collateral = NULL;
    struct buffer bundle = {0};
    struct judgement j = {0};

    assert_int_equal(attest_trust_add_simulated(&trust, simulated_root_pem(p)), ERR_NONE);
    assert_int_equal(simulated_collateral_bundle(p, how, now(), &bundle), ERR_NONE);
    j.e =
        attest_collateral_from_bundle(&trust, buffer_span(&bundle), &collateral, &j.result.reason);
    if (j.e == ERR_NONE) {
        const struct attest_collateral *const items[] = {collateral};
        const struct attest_collateral_set set = {.count = 1, .items = items};

        j.e = attest_verify(&trust, &set, NULL, &(struct attest_evidence){.bytes = quote}, at,
                            &j.result);
    }
    attest_collateral_free(&collateral);
    buffer_clear(&bundle);
    return j;
}

static struct simulated_platform *platform_opened(const struct place *p)
{
    struct simulated_platform *platform = NULL;

    assert_int_equal(simulated_open(p->dir, &platform), ERR_NONE);
    return platform;
}

static void quoted(const struct simulated_platform *p, const struct simulated_enclave *what,
                   struct buffer *out)
{
    assert_int_equal(simulated_quote(p, what, report_data, out), ERR_NONE);
    tally_made(1);
    assert_true(out->size <= TEE_QUOTE_MAX);
}

/* The directory */

static void a_platform_is_private(void **state)
{
    struct place p = platform_new();
    struct stat status;

    (void)state;
    assert_int_equal(stat(p.dir, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    for (size_t i = 0; i < COUNT_OF(key_names); i++) {
        assert_int_equal(stat(file_of(&p, key_names[i]), &status), 0);
        assert_int_equal(status.st_mode & 07777, 0600);
        assert_int_equal(status.st_size, 32);
    }
    place_remove(&p);
}

static void a_second_platform_in_the_same_place_is_refused(void **state)
{
    struct place p = platform_new();
    struct buffer before = {0}, after = {0};

    (void)state;
    assert_int_equal(file_read(file_of(&p, "root_ca.pem"), 4096, &before), ERR_NONE);
    assert_int_equal(simulated_create(p.dir, now()), ERR_CONFLICT);
    assert_int_equal(file_read(file_of(&p, "root_ca.pem"), 4096, &after), ERR_NONE);
    assert_true(span_equal(buffer_span(&before), buffer_span(&after)));
    buffer_clear(&before);
    buffer_clear(&after);
    place_remove(&p);
}

static void a_half_made_platform_is_made_again(void **state)
{
    struct place p = platform_new();
    char text[TEE_FAILURE_SIZE];

    (void)state;
    assert_int_equal(unlink(file_of(&p, "root_ca.pem")), 0); /* as after a crash */
    assert_int_equal(open_error(&p, text), ERR_NOT_FOUND);
    assert_int_equal(simulated_create(p.dir, now()), ERR_NONE);
    assert_int_equal(open_error(&p, text), ERR_NONE);
    place_remove(&p);
}

static void places_without_a_platform_are_not_found(void **state)
{
    const struct tee_settings unset = {0};
    struct place p = place_new();
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    char text[TEE_FAILURE_SIZE];

    (void)state;
    assert_int_equal(open_error(&p, text), ERR_NOT_FOUND);
    assert_non_null(strstr(text, p.dir));
    assert_int_equal(mkdir(p.dir, 0700), 0);
    assert_int_equal(open_error(&p, text), ERR_NOT_FOUND);
    assert_int_equal(tee_simulated_open(&unset, &tee, &failure), ERR_CONFIG);
    assert_int_equal(simulated_create("/nonexistent/platform", now()), ERR_IO);
    assert_int_equal(simulated_create("/dev/null", now()), ERR_IO);
    place_remove(&p);
}

static void keys_open_to_others_are_refused(void **state)
{
    static const mode_t modes[] = {0604, 0602, 0601, 0644, 0666, 0664};
    static const mode_t own_group[] = {0400, 0440, 0640, 0660}; /* as fsGroup leaves a volume */
    struct place p = platform_new();
    char text[TEE_FAILURE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(key_names); i++)
        for (size_t j = 0; j < COUNT_OF(modes); j++) {
            assert_int_equal(chmod(file_of(&p, key_names[i]), modes[j]), 0);
            assert_int_equal(open_error(&p, text), ERR_CONFIG);
            assert_non_null(strstr(text, key_names[i]));
            assert_non_null(strstr(text, "chmod"));
            assert_int_equal(chmod(file_of(&p, key_names[i]), 0600), 0);
        }
    for (size_t j = 0; j < COUNT_OF(own_group); j++) {
        assert_int_equal(chmod(file_of(&p, key_names[0]), own_group[j]), 0);
        assert_int_equal(open_error(&p, text), ERR_NONE);
    }
    assert_int_equal(chmod(file_of(&p, key_names[0]), 0600), 0);
    assert_int_equal(open_error(&p, text), ERR_NONE);
    place_remove(&p);
}

static void damaged_key_files_are_refused(void **state)
{
    static const uint8_t zeros[33] = {0};
    static const size_t sizes[] = {0, 31, 33};
    struct place p = platform_new();
    char text[TEE_FAILURE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(key_names); i++) {
        const char *path = file_of(&p, key_names[i]);
        struct buffer good = {0};

        assert_int_equal(file_read(path, 64, &good), ERR_NONE);
        for (size_t j = 0; j < COUNT_OF(sizes); j++) {
            assert_int_equal(file_write(path, span_of(zeros, sizes[j]), 0600, true), ERR_NONE);
            assert_int_equal(open_error(&p, text), ERR_TAMPERED);
        }
        assert_int_equal(unlink(path), 0);
        assert_int_equal(open_error(&p, text), ERR_NOT_FOUND);
        assert_int_equal(symlink("/dev/zero", path), 0);
        assert_int_equal(open_error(&p, text), ERR_CONFIG);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(open_error(&p, text), ERR_CONFIG);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(file_write(path, buffer_span(&good), 0600, true), ERR_NONE);
        buffer_clear(&good);
    }
    assert_int_equal(file_write(file_of(&p, "pck.key"), span_of(zeros, 32), 0600, true), ERR_NONE);
    assert_int_equal(open_error(&p, text), ERR_TAMPERED); /* zero is no scalar */
    place_remove(&p);
}

static void files_of_two_platforms_do_not_mix(void **state)
{
    static const char *const files[] = {"root_ca.key", "platform_ca.key", "pck.key",
                                        "pck_chain.pem", "root_ca.pem"};
    struct place one = platform_new(), other = platform_new();
    char text[TEE_FAILURE_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct buffer own = {0}, foreign = {0};

        assert_int_equal(file_read(file_of(&one, files[i]), 8192, &own), ERR_NONE);
        assert_int_equal(file_read(file_of(&other, files[i]), 8192, &foreign), ERR_NONE);
        assert_int_equal(file_write(file_of(&one, files[i]), buffer_span(&foreign), 0600, true),
                         ERR_NONE);
        assert_int_equal(open_error(&one, text), ERR_TAMPERED);
        assert_non_null(strstr(text, "do not belong together"));
        assert_int_equal(file_write(file_of(&one, files[i]), buffer_span(&own), 0600, true),
                         ERR_NONE);
        buffer_clear(&own);
        buffer_clear(&foreign);
    }
    assert_int_equal(open_error(&one, text), ERR_NONE);
    place_remove(&one);
    place_remove(&other);
}

/* Evidence */

static void the_verifier_accepts_every_status_as_asked(void **state)
{
    static const struct {
        const char *name;
        enum tcb_status status;
    } cases[] = {
        {NULL,                                TCB_UP_TO_DATE                           },
        {"UpToDate",                          TCB_UP_TO_DATE                           },
        {"SWHardeningNeeded",                 TCB_SW_HARDENING_NEEDED                  },
        {"ConfigurationNeeded",               TCB_CONFIGURATION_NEEDED                 },
        {"ConfigurationAndSWHardeningNeeded", TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED},
        {"OutOfDate",                         TCB_OUT_OF_DATE                          },
        {"OutOfDateConfigurationNeeded",      TCB_OUT_OF_DATE_CONFIGURATION_NEEDED     },
        {"Revoked",                           TCB_REVOKED                              },
    };
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct buffer quote = {0};

    (void)state;
    quoted(platform, &enclave, &quote);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct simulated_collateral how = {.tcb_status = cases[i].name,
                                                 .advisory = "INTEL-SA-00828"};
        struct judgement j = judge(platform, buffer_span(&quote), &how, now());

        assert_int_equal(j.e, ERR_NONE);
        assert_int_equal(j.result.reason, ATTEST_OK);
        assert_int_equal(j.result.status, cases[i].status);
        assert_int_equal(j.result.advisory_count, 1);
        assert_string_equal(j.result.advisories[0], "INTEL-SA-00828");
    }
    simulated_close(&platform);
    buffer_clear(&quote);
    place_remove(&p);
}

static void claims_are_those_of_the_enclave(void **state)
{
    static const struct simulated_collateral how = {.tcb_evaluation_number = 21};
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct buffer quote = {0};
    struct judgement j;

    (void)state;
    quoted(platform, &enclave, &quote);
    j = judge(platform, buffer_span(&quote), &how, now());
    assert_int_equal(j.e, ERR_NONE);
    assert_true(j.result.simulated);
    assert_string_equal(j.result.tee, "simulated");
    assert_int_equal(j.result.version, 3);
    assert_false(j.result.debug);
    assert_memory_equal(j.result.sgx.mr_enclave, enclave.mr_enclave, 32);
    assert_memory_equal(j.result.sgx.mr_signer, enclave.mr_signer, 32);
    assert_int_equal(j.result.sgx.isv_prod_id, enclave.isv_prod_id);
    assert_int_equal(j.result.sgx.isv_svn, enclave.isv_svn);
    assert_memory_equal(j.result.report_data, report_data, sizeof(report_data));
    assert_int_equal(j.result.intel.tcb_evaluation_number, 21);
    assert_int_equal(j.result.advisory_count, 0);
    assert_int_equal(timestamp_seconds(j.result.earliest_expiry), NOW_S + 30 * DAY_S);
    simulated_close(&platform);
    buffer_clear(&quote);
    place_remove(&p);
}

static void a_debug_enclave_shows(void **state)
{
    static const struct simulated_collateral how = {0};
    struct simulated_enclave debugged = enclave;
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct buffer quote = {0};
    struct judgement j;

    (void)state;
    debugged.debug = true;
    quoted(platform, &debugged, &quote);
    j = judge(platform, buffer_span(&quote), &how, now());
    assert_int_equal(j.e, ERR_NONE);
    assert_true(j.result.debug);
    simulated_close(&platform);
    buffer_clear(&quote);
    place_remove(&p);
}

/* `also`: the answer of a verifier that checks another part first. */
static void collateral_can_be_made_bad(void **state)
{
    static const struct {
        struct simulated_collateral how;
        int64_t at_s;
        enum attest_reason reason, also;
    } cases[] = {
        {{.revoke_pck = true},            NOW_S,                  ATTEST_PCK_REVOKED,             ATTEST_PCK_REVOKED             },
        {{.revoke_pck_ca = true},         NOW_S,                  ATTEST_PCK_CA_REVOKED,          ATTEST_PCK_CA_REVOKED          },
        {{.issued_before_s = 31 * DAY_S}, NOW_S,                  ATTEST_CRL_TIME,                ATTEST_COLLATERAL_EXPIRED      },
        {{.lifetime_s = 60},              NOW_S + 61,             ATTEST_CRL_TIME,                ATTEST_COLLATERAL_EXPIRED      },
        {{0},                             NOW_S + 30 * DAY_S + 1, ATTEST_CRL_TIME,                ATTEST_COLLATERAL_EXPIRED      },
        {{.issued_before_s = -60},        NOW_S,                  ATTEST_CRL_TIME,                ATTEST_COLLATERAL_NOT_YET_VALID},
        {{.lifetime_s = 4000LL * DAY_S},
         NOW_S + 3000LL * DAY_S,
         ATTEST_CERTIFICATE_TIME,                                                                 ATTEST_CERTIFICATE_TIME        },
        {{.issued_before_s = 3 * DAY_S},
         NOW_S - 2 * DAY_S,
         ATTEST_CERTIFICATE_TIME,                                                                 ATTEST_CERTIFICATE_TIME        },
        {{.tcb_status = "NoSuchStatus"},
         NOW_S,                                                   ATTEST_TCB_STATUS_UNRECOGNIZED,
         ATTEST_TCB_STATUS_UNRECOGNIZED                                                                                          },
    };
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct buffer quote = {0};

    (void)state;
    quoted(platform, &enclave, &quote);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct judgement j = judge(platform, buffer_span(&quote), &cases[i].how,
                                   timestamp_of_seconds(cases[i].at_s));

        assert_int_equal(j.e, ERR_DENIED);
        if (j.result.reason != cases[i].also)
            assert_string_equal(attest_reason_code(j.result.reason),
                                attest_reason_code(cases[i].reason));
    }
    simulated_close(&platform);
    buffer_clear(&quote);
    place_remove(&p);
}

static void no_default_trust_accepts_it(void **state)
{
    static const struct simulated_collateral how = {0};
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct attest_collateral *collateral = NULL;
    struct attest_collateral_set none = {0};
    struct attest_trust trust = {0};
    struct attest_result result = {0};
    struct buffer quote = {0}, bundle = {0};

    (void)state;
    attest_trust_vendors(&trust);
    quoted(platform, &enclave, &quote);
    assert_int_equal(simulated_collateral_bundle(platform, &how, now(), &bundle), ERR_NONE);
    assert_int_not_equal(
        attest_collateral_from_bundle(&trust, buffer_span(&bundle), &collateral, &result.reason),
        ERR_NONE);
    assert_null(collateral);
    assert_int_equal(attest_verify(&trust, &none, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&quote)}, now(),
                                   &result),
                     ERR_DENIED);
    assert_string_equal(attest_reason_code(result.reason), "root_not_pinned");
    simulated_close(&platform);
    buffer_clear(&quote);
    buffer_clear(&bundle);
    place_remove(&p);
}

static void one_platform_does_not_vouch_for_another(void **state)
{
    static const struct simulated_collateral how = {0};
    struct place one = platform_new(), other = platform_new();
    struct simulated_platform *p = platform_opened(&one), *q = platform_opened(&other);
    struct buffer quote = {0};
    struct judgement j;

    (void)state;
    quoted(q, &enclave, &quote);
    j = judge(p, buffer_span(&quote), &how, now());
    assert_int_equal(j.e, ERR_DENIED);
    assert_string_equal(attest_reason_code(j.result.reason), "root_not_pinned");
    simulated_close(&p);
    simulated_close(&q);
    buffer_clear(&quote);
    place_remove(&one);
    place_remove(&other);
}

/* Verifies many variants of one quote against one collateral. */
static void changed_quotes_are_refused(void **state)
{
    static const struct simulated_collateral how = {0};
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct attest_collateral *collateral = NULL;
    struct attest_trust trust = {0};
    struct attest_result result = {0};
    struct buffer quote = {0}, bundle = {0};

    (void)state;
    quoted(platform, &enclave, &quote);
    assert_int_equal(attest_trust_add_simulated(&trust, simulated_root_pem(platform)), ERR_NONE);
    assert_int_equal(simulated_collateral_bundle(platform, &how, now(), &bundle), ERR_NONE);
    assert_int_equal(
        attest_collateral_from_bundle(&trust, buffer_span(&bundle), &collateral, &result.reason),
        ERR_NONE);
    const struct attest_collateral *const items[] = {collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};

    assert_int_equal(attest_verify(&trust, &set, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&quote)}, now(),
                                   &result),
                     ERR_NONE);
    for (size_t size = 0; size < quote.size; size += 7)
        assert_int_equal(
            attest_verify(&trust, &set, NULL,
                          &(struct attest_evidence){.bytes = span_of(quote.data, size)}, now(),
                          &result),
            ERR_DENIED);
    for (size_t bit = 0; bit < (size_t)AUTHENTICATED_SIZE * 8; bit += 5) {
        quote.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(attest_verify(&trust, &set, NULL,
                                       &(struct attest_evidence){.bytes = buffer_span(&quote)},
                                       now(), &result),
                         ERR_DENIED);
        quote.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    attest_collateral_free(&collateral);
    simulated_close(&platform);
    buffer_clear(&quote);
    buffer_clear(&bundle);
    place_remove(&p);
}

/* The provider */

static void the_provider_measures_this_program(void **state)
{
    struct place p = platform_new();
    struct simulated_platform *platform = platform_opened(&p);
    struct tee *tee = opened(&p);
    struct tee_evidence evidence = {0};
    struct buffer program = {0}, bundle = {0};
    uint8_t measured[SHA256_SIZE];

    (void)state;
    assert_int_equal(file_read("/proc/self/exe", 64u << 20, &program), ERR_NONE);
    sha256(buffer_span(&program), measured);
    assert_string_equal(tee->ops->name, "simulated");
    assert_true(tee->ops->simulated);
    assert_int_equal(tee->ops->quote(tee, report_data, now(), &evidence), ERR_NONE);
    assert_int_equal(tee->ops->collateral(tee, now(), &bundle), ERR_NONE);

    struct attest_trust trust = {0};
    struct attest_collateral *collateral = NULL;
    struct attest_result result = {0};

    assert_int_equal(attest_trust_add_simulated(&trust, simulated_root_pem(platform)), ERR_NONE);
    assert_int_equal(
        attest_collateral_from_bundle(&trust, buffer_span(&bundle), &collateral, &result.reason),
        ERR_NONE);
    const struct attest_collateral *const items[] = {collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};

    assert_int_equal(attest_verify(&trust, &set, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&evidence.quote)},
                                   now(), &result),
                     ERR_NONE);
    assert_memory_equal(result.sgx.mr_enclave, measured, sizeof(measured));
    assert_false(span_is_zero(SPAN_OF(result.sgx.mr_signer)));
    assert_int_equal(result.sgx.isv_prod_id, 1);
    assert_int_equal(result.sgx.isv_svn, 1);
    assert_false(result.debug);
    attest_collateral_free(&collateral);
    tee_close(&tee);
    assert_null(tee);
    simulated_close(&platform);
    tee_evidence_clear(&evidence);
    buffer_clear(&program);
    buffer_clear(&bundle);
    place_remove(&p);
}

MUST_CHECK static enum err unseal_error(struct tee *tee, struct span blob)
{
    struct secret *plain = NULL;
    enum err e = tee->ops->unseal(tee, blob, &plain);

    assert_true((e == ERR_NONE) == (plain != NULL));
    secret_free(&plain);
    return e;
}

static void secrets_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 32, 4096, TEE_SECRET_MAX};
    uint8_t *bytes = malloc(TEE_SECRET_MAX + 1);
    struct place p = platform_new();
    struct tee *tee = opened(&p);
    struct buffer none = {0};

    (void)state;
    random_bytes(bytes, TEE_SECRET_MAX + 1);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct buffer blob = {0};
        struct secret *plain = NULL;

        assert_int_equal(tee->ops->seal(tee, span_of(bytes, sizes[i]), &blob), ERR_NONE);
        assert_true(blob.size <= TEE_SEALED_MAX);
        tee_close(&tee); /* the next opening can open blobs of the last one */
        tee = opened(&p);
        assert_int_equal(tee->ops->unseal(tee, buffer_span(&blob), &plain), ERR_NONE);
        assert_true(span_equal(secret_span(plain), span_of(bytes, sizes[i])));
        secret_free(&plain);
        buffer_clear(&blob);
    }
    assert_int_equal(tee->ops->seal(tee, span_of(bytes, TEE_SECRET_MAX + 1), &none), ERR_TOO_LARGE);
    assert_int_equal(none.size, 0);
    free(bytes);
    tee_close(&tee);
    place_remove(&p);
}

static void another_platform_is_told_from_damage(void **state)
{
    struct place one = platform_new(), other = platform_new();
    struct tee *tee = opened(&one), *stranger = opened(&other);
    struct buffer blob = {0};

    (void)state;
    assert_int_equal(tee->ops->seal(tee, SPAN_LITERAL("root"), &blob), ERR_NONE);
    assert_int_equal(unseal_error(stranger, buffer_span(&blob)), ERR_DENIED);
    assert_non_null(strstr(stranger->failure.text, "another simulated platform"));
    blob.data[blob.size - 1] ^= 1;
    assert_int_equal(unseal_error(stranger, buffer_span(&blob)), ERR_MALFORMED);
    assert_non_null(strstr(stranger->failure.text, "damaged"));
    tee_close(&tee);
    tee_close(&stranger);
    buffer_clear(&blob);
    place_remove(&one);
    place_remove(&other);
}

static void damaged_blobs_are_refused(void **state)
{
    struct place p = platform_new();
    struct tee *tee = opened(&p);
    struct buffer blob = {0};

    (void)state;
    assert_int_equal(tee->ops->seal(tee, SPAN_LITERAL("root"), &blob), ERR_NONE);
    for (size_t size = 0; size < blob.size; size++)
        assert_int_equal(unseal_error(tee, span_of(blob.data, size)), ERR_MALFORMED);
    for (size_t bit = 0; bit < blob.size * 8; bit++) {
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(unseal_error(tee, buffer_span(&blob)), ERR_MALFORMED);
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(buffer_append_string(&blob, "x"), ERR_NONE);
    assert_int_equal(unseal_error(tee, buffer_span(&blob)), ERR_MALFORMED);
    tee_close(&tee);
    buffer_clear(&blob);
    place_remove(&p);
}

/* An attacker who also computes the hash again fails at the form, the key's name and the AEAD. */
static void forged_blobs_are_refused(void **state)
{
    struct place p = platform_new();
    struct tee *tee = opened(&p);
    struct buffer blob = {0};
    size_t hashed;

    (void)state;
    assert_int_equal(tee->ops->seal(tee, SPAN_LITERAL("root"), &blob), ERR_NONE);
    hashed = blob.size - SHA256_SIZE;
    for (size_t bit = 0; bit < hashed * 8; bit++) {
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        sha256(span_of(blob.data, hashed), blob.data + hashed);
        enum err e = unseal_error(tee, buffer_span(&blob));
        assert_true(e == ERR_MALFORMED || e == ERR_DENIED);
        blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    sha256(span_of(blob.data, hashed), blob.data + hashed);
    assert_int_equal(unseal_error(tee, buffer_span(&blob)), ERR_NONE);
    tee_close(&tee);
    buffer_clear(&blob);
    place_remove(&p);
}

static int start(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platform_is_private),
        cmocka_unit_test(a_second_platform_in_the_same_place_is_refused),
        cmocka_unit_test(a_half_made_platform_is_made_again),
        cmocka_unit_test(places_without_a_platform_are_not_found),
        cmocka_unit_test(keys_open_to_others_are_refused),
        cmocka_unit_test(damaged_key_files_are_refused),
        cmocka_unit_test(files_of_two_platforms_do_not_mix),
        cmocka_unit_test(the_verifier_accepts_every_status_as_asked),
        cmocka_unit_test(claims_are_those_of_the_enclave),
        cmocka_unit_test(a_debug_enclave_shows),
        cmocka_unit_test(collateral_can_be_made_bad),
        cmocka_unit_test(no_default_trust_accepts_it),
        cmocka_unit_test(one_platform_does_not_vouch_for_another),
        cmocka_unit_test(changed_quotes_are_refused),
        cmocka_unit_test(the_provider_measures_this_program),
        cmocka_unit_test(secrets_of_every_size_come_back),
        cmocka_unit_test(another_platform_is_told_from_damage),
        cmocka_unit_test(damaged_blobs_are_refused),
        cmocka_unit_test(forged_blobs_are_refused),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
