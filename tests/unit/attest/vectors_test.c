/*
 * Real evidence of every kind, and cases that gen_negative.py derives from it. Every verdict,
 * status and claim must be that of the vectors. Where they leave the verdict open (tier "policy"),
 * our verdict is: zero bytes after a quote are padding and are removed, other bytes are refused; a
 * chain must be exactly leaf, CA, root in this order; an SEV-SNP report has exactly its size, and
 * its signature is padded with zeros; a Nitro document may have COSE's tag 18.
 */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/tally.h"
#include "support/vectors.h"
#include "unit/attest/expected.h"

#define GENERATOR EVIDENCE_FOLDER "/gen_negative.py"

/* The minimum number of cases, so that a loss is noticed. */
static const struct {
    enum attest_tee kind;
    size_t stored, derived;
} least[] = {
    {ATTEST_SGX,       17, 143},
    {ATTEST_TDX,       27, 314},
    {ATTEST_SNP,       15, 200},
    {ATTEST_NITRO,     12, 68 },
    {ATTEST_CCA,       2,  0  },
    {ATTEST_PSA,       1,  0  },
    {ATTEST_AZURE_HCL, 2,  0  },
};

struct tally {
    size_t run[ATTEST_TEE_COUNT], wrong[ATTEST_TEE_COUNT], skipped[ATTEST_TEE_COUNT];
};

static struct tally stored, derived;

static enum attest_tee kind_of(const json_t *entry)
{
    enum attest_tee kind = ATTEST_TEE_NONE;
    const char *name = json_string_value(json_object_get(entry, "tee"));

    assert_int_equal(attest_tee_parse(span_string(name), &kind), ERR_NONE);
    return kind;
}

/* Whether the dispatcher has a verifier for it. */
static bool is_supported(enum attest_tee kind)
{
    const struct attest_evidence nothing = {.kind = kind, .bytes = SPAN_LITERAL("?")};
    const struct attest_trust nobody = {0};
    struct attest_result r;

    assert_int_equal(attest_verify(&nobody, NULL, NULL, &nothing, timestamp_of_seconds(0), &r),
                     ERR_DENIED);
    return r.reason != ATTEST_UNSUPPORTED_VERSION || strcmp(r.step, "format") != 0;
}

/* Compares the result with the expected one, when the kind is named. */
static size_t judge(const struct evidence_case *c, struct attest_result *r)
{
    enum attest_reason reason = evidence_judge_as(c, c->kind, NULL, r);
    const char *wanted = json_string_value(json_object_get(c->expected, "result"));

    if (!expected_verdict(c, r)) {
        (void)fprintf(stderr, "%s: expected %s, got %s at %s (expected %s, presented %s)\n", c->id,
                      wanted, attest_reason_code(reason), r->step, r->expected, r->presented);
        return 1;
    }
    return expected_differences(c, r);
}

/* When the form tells the kind, and with a cache: the same result, but input without a form may
 * be refused for another reason. */
static size_t judge_again(const struct evidence_case *c, const struct attest_result *first,
                          struct attest_cache *cache)
{
    struct attest_result again;
    const bool ok = first->reason == ATTEST_OK;

    if (ok != (evidence_judge(c, cache, &again) == ATTEST_OK) ||
        (ok && (again.kind != first->kind || again.status != first->status))) {
        (void)fprintf(stderr, "%s: another verdict when its form tells the kind: %s\n", c->id,
                      attest_reason_code(again.reason));
        return 1;
    }
    return expected_differences(c, &again);
}

/* Every case runs without and with a cache: a hit gives the same verdict as a miss. */
static void run_index(const json_t *index, const char *generated, struct tally *t)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, generated};
    struct attest_cache *cache = NULL;
    bool supported[ATTEST_TEE_COUNT];
    size_t i;
    json_t *entry;

    for (unsigned k = ATTEST_TEE_NONE + 1; k < ATTEST_TEE_COUNT; k++)
        supported[k] = is_supported((enum attest_tee)k);
    assert_int_equal(attest_cache_new(8, &cache), ERR_NONE);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        const enum attest_tee kind = kind_of(entry);
        struct evidence_case c;
        struct attest_result r;

        if (!supported[kind]) {
            t->skipped[kind]++;
            continue;
        }
        evidence_load(entry, &roots, &c);
        t->run[kind]++;
        tally_stored(1);
        t->wrong[kind] += judge(&c, &r) + judge_again(&c, &r, cache) > 0;
        evidence_clear(&c);
    }
    attest_cache_free(&cache);
}

static void stored_evidence_is_judged_as_documented(void **state)
{
    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "stored evidence"))
        skip();
    json_t *index = vectors_json(EVIDENCE_INDEX);

    run_index(index, NULL, &stored);
    json_decref(index);
    for (size_t i = 0; i < COUNT_OF(least); i++) {
        assert_int_equal(stored.wrong[least[i].kind], 0);
        assert_true(stored.run[least[i].kind] + stored.skipped[least[i].kind] >= least[i].stored);
    }
}

/* The generator takes longer than the verification, so its output is kept for the same input. */
static void derived_folder(char *out, size_t size)
{
    struct buffer script = {0}, index = {0};
    uint8_t sum[SHA256_SIZE];
    char name[2 * 8 + 1];

    vectors_read(GENERATOR, &script);
    vectors_read(EVIDENCE_INDEX, &index);
    sha256_parts((const struct span[]){buffer_span(&script), buffer_span(&index)}, 2, sum);
    hex_write(span_of(sum, 8), name);
    (void)snprintf(out, size, "%s/attestation-derived-%s", BUILD_ROOT, name);
    buffer_clear(&script);
    buffer_clear(&index);
}

/* Runs the generator of derived evidence. It prints to stderr: stdout belongs to cmocka. */
static bool generator_runs(const char *script, const char *folder)
{
    char *arguments[] = {"python3", (char *)(uintptr_t)script, "--out", (char *)(uintptr_t)folder,
                         NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;

    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    assert_int_equal(posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO), 0);
    if (posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ) == 0)
        assert_int_equal(waitpid(child, &status, 0), child);
    (void)posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void derived_evidence_is_judged_as_documented(void **state)
{
    char folder[1024], path[1100];
    json_error_t error;

    (void)state;
    if (!vectors_have(GENERATOR, "derived evidence"))
        skip();
    derived_folder(folder, sizeof folder);
    (void)snprintf(path, sizeof path, "%s/index.json", folder); /* written last */
    if (access(path, R_OK) != 0 && !generator_runs(vectors_path(GENERATOR), folder)) {
        (void)fprintf(stderr, "SKIPPED: derived evidence: python3 cannot run gen_negative.py\n");
        skip();
    }
    json_t *index = json_load_file(path, 0, &error);

    assert_non_null(index);
    run_index(index, folder, &derived);
    json_decref(index);
    for (size_t i = 0; i < COUNT_OF(least); i++) {
        assert_int_equal(derived.wrong[least[i].kind], 0);
        assert_true(derived.run[least[i].kind] + derived.skipped[least[i].kind] >=
                    least[i].derived);
    }
}

static void every_case_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(least); i++) {
        const enum attest_tee kind = least[i].kind;
        const size_t skipped = stored.skipped[kind] + derived.skipped[kind];

        if (skipped > 0)
            (void)fprintf(stderr, "SKIPPED: %s: %zu cases: there is no verifier for it\n",
                          attest_tee_name(kind), skipped);
        else
            (void)fprintf(stderr, "# %s: %zu stored, %zu derived, %zu not as expected\n",
                          attest_tee_name(kind), stored.run[kind], derived.run[kind],
                          stored.wrong[kind] + derived.wrong[kind]);
    }
    assert_true(is_supported(ATTEST_SGX) && is_supported(ATTEST_TDX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_evidence_is_judged_as_documented),
        cmocka_unit_test(derived_evidence_is_judged_as_documented),
        cmocka_unit_test(every_case_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
