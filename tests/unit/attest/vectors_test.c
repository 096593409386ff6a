/* Real evidence, and what gen_negative.py derives from it: every verdict as the vectors say. */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

#define GENERATED BUILD_ROOT "/attestation-negative"

struct tally {
    size_t run, valid, refused, collateral_missing, wrong;
    size_t by_reason[ATTEST_REASON_COUNT];
};

static void complain(struct tally *t, const char *id, const char *what, const char *expected,
                     const char *got)
{
    t->wrong++;
    (void)fprintf(stderr, "%s: %s: expected %s, got %s\n", id, what, expected ? expected : "-",
                  got);
}

static void check_hex(struct tally *t, const char *id, const json_t *report, const char *member,
                      struct span bytes)
{
    const char *expected = json_string_value(json_object_get(report, member));
    char hex[2 * 64 + 1];

    hex_write(bytes, hex);
    if (!expected || strcmp(expected, hex) != 0)
        complain(t, id, member, expected, hex);
}

static void check_number(struct tally *t, const char *id, const json_t *report, const char *member,
                         uint16_t value)
{
    const json_t *expected = json_object_get(report, member);
    char text[16];

    (void)snprintf(text, sizeof text, "%u", value);
    if (!json_is_integer(expected) || json_integer_value(expected) != value)
        complain(t, id, member, NULL, text);
}

static void check_report(struct tally *t, const char *id, const json_t *report,
                         const struct attest_result *r)
{
    const uint8_t misc[] = {(uint8_t)r->sgx.misc_select, (uint8_t)(r->sgx.misc_select >> 8),
                            (uint8_t)(r->sgx.misc_select >> 16),
                            (uint8_t)(r->sgx.misc_select >> 24)};

    check_hex(t, id, report, "miscselect", SPAN_OF(misc));
    check_hex(t, id, report, "cpusvn", SPAN_OF(r->sgx.cpu_svn));
    check_hex(t, id, report, "attributes", SPAN_OF(r->sgx.attributes));
    check_hex(t, id, report, "mrenclave", SPAN_OF(r->sgx.mr_enclave));
    check_hex(t, id, report, "mrsigner", SPAN_OF(r->sgx.mr_signer));
    check_hex(t, id, report, "configid", SPAN_OF(r->sgx.config_id));
    check_hex(t, id, report, "isvfamilyid", SPAN_OF(r->sgx.isv_family_id));
    check_hex(t, id, report, "isvextprodid", SPAN_OF(r->sgx.isv_ext_prod_id));
    check_hex(t, id, report, "report_data", SPAN_OF(r->report_data));
    check_number(t, id, report, "isvprodid", r->sgx.isv_prod_id);
    check_number(t, id, report, "isvsvn", r->sgx.isv_svn);
    check_number(t, id, report, "configsvn", r->sgx.config_svn);
}

static void check_advisories(struct tally *t, const char *id, const json_t *expected,
                             const struct attest_result *r)
{
    size_t count = json_array_size(expected);

    if (count != r->advisory_count)
        complain(t, id, "advisories", NULL, "another number");
    for (size_t i = 0; i < count && i < r->advisory_count; i++)
        if (strcmp(json_string_value(json_array_get(expected, i)), r->advisories[i]) != 0)
            complain(t, id, "advisory", json_string_value(json_array_get(expected, i)),
                     r->advisories[i]);
}

/*
 * The index has the date of the platform's level; a result's is the earliest of all levels used.
 * In all stored evidence the QE is at the newest level of its identity.
 */
static void check_date(struct tally *t, const struct evidence_case *c,
                       const struct attest_result *r)
{
    const char *platform = json_string_value(json_object_get(c->expected, "tcb_date"));
    json_t *identity = json_loadb((const char *)c->qe_identity.data, c->qe_identity.size, 0, NULL);
    const char *qe = NULL;
    struct timestamp dates[2] = {{0}, {0}};

    if (platform && json_unpack(identity, "{s{s[{ss}]}}", "enclaveIdentity", "tcbLevels", "tcbDate",
                                &qe) == 0) {
        if (timestamp_parse(span_string(platform), &dates[0]) != ERR_NONE ||
            timestamp_parse(span_string(qe), &dates[1]) != ERR_NONE ||
            r->tcb_date.ms != (dates[0].ms < dates[1].ms ? dates[0].ms : dates[1].ms))
            complain(t, c->id, "tcb_date", platform, "another");
    } else if (platform) {
        complain(t, c->id, "tcb_date", platform, "no identity to read");
    }
    json_decref(identity);
}

static void check_valid(struct tally *t, const struct evidence_case *c,
                        const struct attest_result *r)
{
    const char *status = json_string_value(json_object_get(c->expected, "tcb_status"));
    const json_t *report = json_object_get(c->expected, "report");
    const json_t *debug = json_object_get(c->expected, "debug");
    const json_t *advisories = json_object_get(c->expected, "advisory_ids");

    if (!status || strcmp(status, tcb_status_name(r->status)) != 0)
        complain(t, c->id, "status", status, tcb_status_name(r->status));
    if (debug && json_is_true(debug) != r->debug)
        complain(t, c->id, "debug", NULL, r->debug ? "true" : "false");
    if (report)
        check_report(t, c->id, report, r);
    if (advisories)
        check_advisories(t, c->id, advisories, r);
    check_date(t, c, r);
    if (r->version != 3 || r->earliest_expiry.ms < c->now.ms)
        complain(t, c->id, "version or expiry", NULL, "wrong");
}

static bool reason_accepted(const struct evidence_case *c, const char *code)
{
    const json_t *reasons = json_object_get(c->expected, "reasons");
    const char *only = json_string_value(json_object_get(c->expected, "reason"));
    size_t i;
    json_t *entry;

    if (only)
        return strcmp(only, code) == 0;
    json_array_foreach(reasons, i, entry)
    {
        if (strcmp(json_string_value(entry), code) == 0)
            return true;
    }
    return false;
}

static void check_case(struct tally *t, const struct evidence_case *c, struct attest_cache *cache,
                       bool either_verdict)
{
    const char *result = json_string_value(json_object_get(c->expected, "result"));
    struct attest_result r;
    enum attest_reason reason = evidence_judge(c, cache, &r);
    const char *code = attest_reason_code(reason);

    t->run++;
    t->by_reason[reason]++;
    t->valid += reason == ATTEST_OK;
    t->refused += reason != ATTEST_OK;
    t->collateral_missing += reason == ATTEST_COLLATERAL_MISSING;
    if (reason != ATTEST_OK && r.step[0] == '\0' && r.reason != ATTEST_OK)
        complain(t, c->id, "step", "a name", "none");
    if (strcmp(result, "valid") == 0) {
        if (reason == ATTEST_OK)
            check_valid(t, c, &r);
        else if (!either_verdict)
            complain(t, c->id, "verdict", "valid", code);
    } else if (strcmp(result, "signature_only") == 0) {
        /* collateral is looked for after structure, chain and signatures were verified */
        if (reason != ATTEST_COLLATERAL_MISSING)
            complain(t, c->id, "verdict", "collateral_missing", code);
    } else if (reason == ATTEST_OK ? !either_verdict : !reason_accepted(c, code)) {
        complain(t, c->id, "verdict", "reject with an accepted reason", code);
    }
}

static void print_tally(const char *what, const struct tally *t)
{
    (void)fprintf(stderr, "# %s: %zu cases: %zu valid, %zu refused, %zu wrong\n", what, t->run,
                  t->valid, t->refused, t->wrong);
    for (size_t i = 0; i < ATTEST_REASON_COUNT; i++)
        if (t->by_reason[i] > 0)
            (void)fprintf(stderr, "#   %-32s %zu\n", attest_reason_code((enum attest_reason)i),
                          t->by_reason[i]);
}

/* Every case runs without and with a cache, twice: a hit gives the same verdict as a miss. */
static void run_index(const json_t *index, const char *generated, struct tally *t)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, generated};
    struct attest_cache *cache = NULL;
    struct tally cached = {0};
    size_t i;
    json_t *entry;

    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        const char *tier = json_string_value(json_object_get(entry, "tier"));
        bool either = tier && strcmp(tier, "policy") == 0;
        struct evidence_case c;

        if (strcmp(json_string_value(json_object_get(entry, "tee")), "sgx") != 0)
            continue;
        evidence_load(entry, &roots, &c);
        check_case(t, &c, NULL, either);
        check_case(&cached, &c, cache, either);
        check_case(&cached, &c, cache, either);
        evidence_clear(&c);
    }
    attest_cache_free(&cache);
    assert_int_equal(cached.wrong, 0);
    assert_int_equal(cached.valid, 2 * t->valid);
}

static void stored_evidence_is_judged_as_documented(void **state)
{
    struct tally t = {0};

    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "stored evidence"))
        skip();
    json_t *index = vectors_json(EVIDENCE_INDEX);

    run_index(index, NULL, &t);
    json_decref(index);
    print_tally("stored sgx evidence", &t);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.valid, 10);
    assert_int_equal(t.collateral_missing, 2);
    assert_true(t.run >= 17);
}

/* Runs the generator of derived evidence. It prints to stderr: stdout belongs to cmocka. */
static bool generator_runs(const char *script)
{
    char *arguments[] = {"python3", (char *)(uintptr_t)script, "--out", GENERATED, NULL};
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
    json_error_t error;
    struct tally t = {0};

    (void)state;
    if (!vectors_have(EVIDENCE_FOLDER "/gen_negative.py", "derived evidence"))
        skip();
    (void)remove(GENERATED "/index.json"); /* of an earlier run */
    if (!generator_runs(vectors_path(EVIDENCE_FOLDER "/gen_negative.py"))) {
        (void)fprintf(stderr, "SKIPPED: derived evidence: python3 cannot run gen_negative.py\n");
        skip();
    }
    json_t *index = json_load_file(GENERATED "/index.json", 0, &error);

    assert_non_null(index);
    run_index(index, GENERATED, &t);
    json_decref(index);
    print_tally("derived sgx evidence", &t);
    assert_int_equal(t.wrong, 0);
    assert_true(t.run >= 140);
    assert_true(t.valid >= 15);
}

/* TDX, SEV-SNP and Nitro are for verifiers to come: refused, and with a code that says why. */
static void other_kinds_of_evidence_are_refused(void **state)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    size_t i, refused = 0;
    json_t *entry;

    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "other evidence"))
        skip();
    json_t *index = vectors_json(EVIDENCE_INDEX);

    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        const char *tee = json_string_value(json_object_get(entry, "tee"));
        struct attest_result r;
        struct evidence_case c;

        if (strcmp(tee, "tdx") != 0 && strcmp(tee, "nitro") != 0)
            continue;
        json_object_del(entry, "trust_anchor");
        json_object_del(entry, "collateral");
        evidence_load(entry, &roots, &c);
        assert_int_equal(evidence_judge(&c, NULL, &r), ATTEST_UNSUPPORTED_VERSION);
        assert_string_equal(r.step, "header");
        evidence_clear(&c);
        refused++;
    }
    json_decref(index);
    assert_true(refused > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_evidence_is_judged_as_documented),
        cmocka_unit_test(derived_evidence_is_judged_as_documented),
        cmocka_unit_test(other_kinds_of_evidence_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
