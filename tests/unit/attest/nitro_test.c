/*
 * Real Nitro documents, and cases that nitro_cases.py derives from one: every verdict and every
 * claim.
 *
 * VOUCHSAFE_EXHAUSTIVE=1 flips every bit of every real document instead of a sample (minutes).
 */
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

#include "attest/nitro.h"
#include "base/text.h"
#include "support/tally.h"
#include "support/vectors.h"

#define FOLDER "attestation"
#define GENERATED BUILD_ROOT "/nitro-cases"
#define GOOD "nitro-base-org-69d51f"    /* definite lengths, no user data */
#define OTHER "nitro-dstack-tee-54ae0f" /* an indefinite map, 64 bytes of user data */
#define FLIPS_PER_DOCUMENT 60

struct nitro_case {
    const char *id;
    const json_t *expected;
    struct timestamp now;
    struct buffer evidence;
    struct attest_trust trust;
};

static void read_absolute(const char *path, struct buffer *out)
{
    uint8_t chunk[4096];
    FILE *file = fopen(path, "rb");
    size_t got;

    assert_non_null(file);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        assert_int_equal(buffer_append(out, span_of(chunk, got)), ERR_NONE);
    (void)fclose(file);
}

static void read_file(const char *path, bool generated, struct buffer *out)
{
    char full[1024];

    (void)snprintf(full, sizeof full, "%s/%s", generated ? GENERATED : FOLDER, path);
    if (generated)
        read_absolute(full, out);
    else
        vectors_read(full, out);
}

static bool is_generated(const json_t *root)
{
    return json_is_string(root) && strcmp(json_string_value(root), "generated") == 0;
}

static void case_load(const json_t *json, struct nitro_case *out)
{
    const json_t *anchor = json_object_get(json, "trust_anchor");

    *out = (struct nitro_case){
        .id = json_string_value(json_object_get(json, "id")),
        .expected = json_object_get(json, "expected"),
        .now = timestamp_of_seconds(json_integer_value(json_object_get(json, "verify_time"))),
    };
    read_file(json_string_value(json_object_get(json, "evidence")),
              is_generated(json_object_get(json, "evidence_root")), &out->evidence);
    attest_trust_vendors(&out->trust);
    if (json_is_object(anchor) && is_generated(json_object_get(anchor, "root"))) {
        struct buffer root = {0};

        read_file(json_string_value(json_object_get(anchor, "path")), true, &root);
        assert_int_equal(attest_trust_add(&out->trust, ATTEST_AWS, buffer_span(&root), true),
                         ERR_NONE);
        buffer_clear(&root);
    }
}

static void case_clear(struct nitro_case *c)
{
    buffer_clear(&c->evidence);
}

static enum attest_reason judge_bytes(const struct nitro_case *c, struct span bytes,
                                      struct attest_cache *cache, struct attest_result *result)
{
    const struct attest_evidence evidence = {.kind = ATTEST_NITRO, .bytes = bytes};
    enum err e = attest_verify(&c->trust, NULL, cache, &evidence, c->now, result);

    assert_true(e == ERR_NONE || e == ERR_DENIED);
    assert_int_equal(e == ERR_NONE, result->reason == ATTEST_OK);
    assert_true(result->reason == ATTEST_OK || result->step[0] != '\0');
    return result->reason;
}

static enum attest_reason judge(const struct nitro_case *c, struct attest_cache *cache,
                                struct attest_result *result)
{
    return judge_bytes(c, buffer_span(&c->evidence), cache, result);
}

/*
 * The stored index, one case of it.
 */

static json_t *stored_index(void)
{
    if (!vectors_have(FOLDER "/index.json", "Nitro documents"))
        return NULL;
    return vectors_json(FOLDER "/index.json");
}

static void load_by_id(const json_t *index, const char *id, struct nitro_case *out)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0) {
            case_load(entry, out);
            return;
        }
    }
    fail_msg("no case %s", id);
}

static bool is_nitro(const json_t *entry)
{
    return strcmp(json_string_value(json_object_get(entry, "tee")), "nitro") == 0;
}

/*
 * Comparing.
 */

static void check_field(const json_t *expected, const char *member, struct span got)
{
    const json_t *value = json_object_get(expected, member);
    char hex[2 * ATTEST_NITRO_FIELD_MAX + 1];

    if (json_is_null(value)) {
        assert_null(got.data);
        return;
    }
    assert_in_range(got.size, 0, ATTEST_NITRO_FIELD_MAX);
    assert_non_null(got.data);
    hex_write(got, hex);
    assert_string_equal(json_string_value(value), hex);
}

static void check_pcrs(const json_t *expected, const struct nitro_claims *claims)
{
    for (size_t i = 0; i < ATTEST_NITRO_PCRS; i++) {
        char index[8];
        char hex[2 * SHA512_SIZE + 1];
        const json_t *pcr;

        (void)snprintf(index, sizeof index, "%zu", i);
        pcr = json_object_get(expected, index);
        assert_int_equal(pcr != NULL, (claims->pcr_present >> i & 1u) != 0);
        hex_write(span_of(claims->pcr[i], claims->pcr_size[i]), hex);
        assert_string_equal(pcr ? json_string_value(pcr) : "", hex);
    }
}

static void check_claims(const json_t *expected, const struct attest_result *r)
{
    const struct nitro_claims *claims = &r->nitro;

    assert_string_equal(json_string_value(json_object_get(expected, "module_id")),
                        claims->module_id);
    assert_int_equal(json_integer_value(json_object_get(expected, "timestamp_ms")),
                     claims->timestamp_ms);
    assert_int_equal(json_integer_value(json_object_get(expected, "cabundle_count")),
                     claims->cabundle_count);
    check_pcrs(json_object_get(expected, "pcrs"), claims);
    check_field(expected, "user_data", claims->user_data);
    check_field(expected, "public_key", claims->public_key);
    check_field(expected, "nonce", claims->nonce);
}

static void check_accepted(const struct nitro_case *c, const struct attest_result *r)
{
    const json_t *debug = json_object_get(c->expected, "debug");

    assert_int_equal(r->reason, ATTEST_OK);
    assert_true(r->authentic);
    assert_int_equal(r->kind, ATTEST_NITRO);
    assert_string_equal(r->tee, r->simulated ? "simulated" : "nitro");
    assert_int_equal(r->status, TCB_NOT_JUDGED);
    assert_true(r->earliest_expiry.ms >= c->now.ms);
    if (debug)
        assert_int_equal(json_is_true(debug), r->debug);
    if (json_object_get(c->expected, "module_id"))
        check_claims(c->expected, r);
}

static bool reason_accepted(const json_t *expected, const char *code)
{
    const char *only = json_string_value(json_object_get(expected, "reason"));
    size_t i;
    json_t *entry;

    if (only)
        return strcmp(only, code) == 0;
    json_array_foreach(json_object_get(expected, "reasons"), i, entry)
    {
        if (strcmp(json_string_value(entry), code) == 0)
            return true;
    }
    return false;
}

static bool expects_valid(const struct nitro_case *c)
{
    return strcmp(json_string_value(json_object_get(c->expected, "result")), "valid") == 0;
}

static void check_verdict(const struct nitro_case *c, const struct attest_result *r)
{
    const char *code = attest_reason_code(r->reason);

    if (expects_valid(c) ? r->reason != ATTEST_OK : !reason_accepted(c->expected, code))
        fail_msg("%s: %s at %s: %s, not %s", c->id, code, r->step, r->presented, r->expected);
    if (expects_valid(c))
        check_accepted(c, r);
}

/* Without a cache, then twice with one: a hit gives the verdict of a miss. */
static void run_index(const json_t *index, size_t *valid, size_t *refused)
{
    struct attest_cache *cache = NULL;
    size_t i;
    json_t *entry;

    assert_int_equal(attest_cache_new(3, &cache), ERR_NONE);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct nitro_case c;
        struct attest_result r;

        if (!is_nitro(entry))
            continue;
        case_load(entry, &c);
        (void)judge(&c, NULL, &r);
        check_verdict(&c, &r);
        (*valid) += r.reason == ATTEST_OK;
        (*refused) += r.reason != ATTEST_OK;
        for (size_t round = 0; round < 2; round++) {
            (void)judge(&c, cache, &r);
            check_verdict(&c, &r);
        }
        case_clear(&c);
    }
    attest_cache_free(&cache);
}

static void test_stored_documents_are_judged_as_documented(void **state)
{
    json_t *index = stored_index();
    size_t valid = 0;
    size_t refused = 0;

    (void)state;
    if (!index)
        skip();
    run_index(index, &valid, &refused);
    assert_int_equal(valid, 10);
    assert_int_equal(refused, 2);
    json_decref(index);
}

static bool generator_runs(void)
{
    char vectors[1024];
    char *arguments[] = {"/usr/bin/python3", SOURCE_ROOT "/tests/unit/attest/nitro_cases.py",
                         vectors, GENERATED, NULL};
    pid_t child;
    int status = -1;

    (void)snprintf(vectors, sizeof vectors, "%s", vectors_path(FOLDER));
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0)
        assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_derived_documents_are_judged_as_documented(void **state)
{
    size_t valid = 0;
    size_t refused = 0;
    json_error_t error;
    json_t *index;

    (void)state;
    if (!vectors_have(FOLDER "/gen_negative.py", "derived Nitro documents"))
        skip();
    (void)remove(GENERATED "/index.json"); /* of an earlier run */
    assert_true(generator_runs());
    index = json_load_file(GENERATED "/index.json", 0, &error);
    assert_non_null(index);
    run_index(index, &valid, &refused);
    tally_stored(valid + refused);
    assert_in_range(valid, 13, 20);
    assert_in_range(refused, 110, 200);
    json_decref(index);
}

static void test_every_prefix_is_refused(void **state)
{
    json_t *index = stored_index();
    size_t i;
    json_t *entry;

    (void)state;
    if (!index)
        skip();
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct nitro_case c;
        struct attest_result r;

        if (!is_nitro(entry))
            continue;
        case_load(entry, &c);
        for (size_t size = 0; size < c.evidence.size; size++)
            assert_int_equal(judge_bytes(&c, span_of(c.evidence.data, size), NULL, &r),
                             ATTEST_MALFORMED);
        case_clear(&c);
    }
    json_decref(index);
}

static void flip_and_judge(struct nitro_case *c, struct attest_cache *cache, size_t bit)
{
    struct attest_result r;

    c->evidence.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (judge(c, cache, &r) == ATTEST_OK)
        fail_msg("%s: accepted with bit %zu flipped", c->id, bit);
    c->evidence.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Includes envelope and signature. The real document stays in the cache, so this tests the fast
 * path. */
static void test_every_flipped_bit_is_refused(void **state)
{
    const bool exhaustive = getenv("VOUCHSAFE_EXHAUSTIVE") != NULL;
    json_t *index = stored_index();
    size_t flipped = 0;
    size_t i;
    json_t *entry;

    (void)state;
    if (!index)
        skip();
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct attest_cache *cache = NULL;
        struct nitro_case c;
        struct attest_result r;
        size_t step;

        if (!is_nitro(entry))
            continue;
        assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
        case_load(entry, &c);
        (void)judge(&c, cache, &r);
        step = exhaustive ? 1 : 8 * c.evidence.size / FLIPS_PER_DOCUMENT + 1;
        for (size_t bit = i % step; bit < 8 * c.evidence.size; bit += step, flipped++)
            flip_and_judge(&c, cache, bit);
        (void)judge(&c, cache, &r);
        check_verdict(&c, &r); /* and back */
        case_clear(&c);
        attest_cache_free(&cache);
    }
    (void)fprintf(stderr, "# %zu bits flipped\n", flipped);
    json_decref(index);
}

/*
 * Cached results do not replace checks of the present.
 */

static void test_a_cached_chain_is_checked_again(void **state)
{
    json_t *index = stored_index();
    struct attest_cache *cache = NULL;
    struct attest_trust trust;
    struct attest_result r;
    struct nitro_case c;
    struct timestamp claimed, stored;
    char text[TIMESTAMP_TEXT_SIZE];

    (void)state;
    if (!index)
        skip();
    assert_int_equal(attest_evidence_time((struct span){0}, &claimed), ERR_NOT_FOUND);
    assert_int_not_equal(attest_evidence_time(SPAN_LITERAL("\x84"), &claimed), ERR_NONE);
    assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
    load_by_id(index, GOOD, &c);
    trust = c.trust;
    assert_int_equal(judge(&c, cache, &r), ATTEST_OK);
    c.trust.count = 0; /* the root is no longer trusted */
    assert_int_equal(judge(&c, cache, &r), ATTEST_ROOT_NOT_PINNED);
    c.trust = trust;
    assert_int_equal(judge(&c, cache, &r), ATTEST_OK);
    c.now.ms += 4 * 3600 * 1000; /* the leaf lives for three hours */
    assert_int_equal(judge(&c, cache, &r), ATTEST_CERTIFICATE_TIME);
    /* the refusal tells the time in the document, and for that time the document is valid */
    assert_int_equal(attest_evidence_time(buffer_span(&c.evidence), &claimed), ERR_NONE);
    timestamp_write(claimed, text);
    assert_non_null(strstr(r.presented, text));
    stored = c.now;
    c.now = claimed;
    assert_int_equal(judge(&c, cache, &r), ATTEST_OK);
    c.now = stored;
    c.now.ms -= 8 * 3600 * 1000;
    assert_int_equal(judge(&c, cache, &r), ATTEST_CERTIFICATE_TIME);
    case_clear(&c);
    attest_cache_free(&cache);
    json_decref(index);
}

static void test_a_root_vouches_only_for_its_own_vendor(void **state)
{
    json_t *index = stored_index();
    struct attest_result r;
    struct nitro_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, GOOD, &c);
    for (size_t i = 0; i < c.trust.count; i++)
        if (c.trust.roots[i].vendor == ATTEST_AWS)
            c.trust.roots[i].vendor = ATTEST_INTEL;
    assert_int_equal(judge(&c, NULL, &r), ATTEST_ROOT_NOT_PINNED);
    case_clear(&c);
    json_decref(index);
}

static void test_report_data_is_user_data_of_64_bytes(void **state)
{
    const uint8_t zero[64] = {0};
    json_t *index = stored_index();
    struct attest_result r;
    struct nitro_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, OTHER, &c);
    assert_int_equal(judge(&c, NULL, &r), ATTEST_OK);
    assert_int_equal(r.nitro.user_data.size, 64);
    assert_memory_equal(r.report_data, r.nitro.user_data.data, 64);
    assert_memory_not_equal(r.report_data, zero, 64);
    case_clear(&c);
    load_by_id(index, GOOD, &c);
    assert_int_equal(judge(&c, NULL, &r), ATTEST_OK);
    assert_memory_equal(r.report_data, zero, 64);
    case_clear(&c);
    json_decref(index);
}

/* s becomes n - s, which verifies too (FIPS 186-5 does not forbid it). n of P-384: SP 800-186. */
static void negate_s(uint8_t s[P384_SCALAR_SIZE])
{
    uint8_t n[P384_SCALAR_SIZE];
    unsigned borrow = 0;

    assert_int_equal(hex_read(SPAN_LITERAL("ffffffffffffffffffffffffffffffffffffffffffffffff"
                                           "c7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
                              n, sizeof n),
                     ERR_NONE);
    for (size_t i = P384_SCALAR_SIZE; i > 0; i--) {
        unsigned difference = 0x100u + n[i - 1] - s[i - 1] - borrow;

        s[i - 1] = (uint8_t)difference;
        borrow = difference < 0x100u;
    }
}

static void test_the_id_stays_under_changes_without_the_key(void **state)
{
    json_t *index = stored_index();
    struct attest_result first;
    struct attest_result r;
    struct nitro_case c;
    struct nitro_case other;
    struct buffer tagged = {0};

    (void)state;
    if (!index)
        skip();
    load_by_id(index, GOOD, &c);
    assert_int_equal(judge(&c, NULL, &first), ATTEST_OK);
    assert_int_equal(buffer_append(&tagged, SPAN_LITERAL("\xd2")), ERR_NONE);
    assert_int_equal(buffer_append(&tagged, buffer_span(&c.evidence)), ERR_NONE);
    assert_int_equal(judge_bytes(&c, buffer_span(&tagged), NULL, &r), ATTEST_OK);
    assert_memory_equal(r.evidence_id, first.evidence_id, SHA256_SIZE);
    negate_s(c.evidence.data + c.evidence.size - P384_SCALAR_SIZE);
    assert_int_equal(judge(&c, NULL, &r), ATTEST_OK);
    assert_memory_equal(r.evidence_id, first.evidence_id, SHA256_SIZE);
    load_by_id(index, OTHER, &other);
    assert_int_equal(judge(&other, NULL, &r), ATTEST_OK);
    assert_memory_not_equal(r.evidence_id, first.evidence_id, SHA256_SIZE);
    case_clear(&c);
    case_clear(&other);
    buffer_clear(&tagged);
    json_decref(index);
}

static void test_documents_are_known_by_their_form(void **state)
{
    json_t *index = stored_index();
    size_t i;
    json_t *entry;

    (void)state;
    if (!index)
        skip();
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct nitro_case c;

        case_load(entry, &c);
        assert_int_equal(attest_evidence_kind(buffer_span(&c.evidence)) == ATTEST_NITRO,
                         is_nitro(entry));
        case_clear(&c);
    }
    json_decref(index);
}

static void test_refuses_too_large_input_before_reading_it(void **state)
{
    static uint8_t bytes[NITRO_DOCUMENT_MAX + 1];
    const struct nitro_case c = {.now = {0}};
    struct attest_result r;

    (void)state;
    memset(bytes, 0x81, sizeof bytes);
    assert_int_equal(judge_bytes(&c, span_of(bytes, sizeof bytes), NULL, &r), ATTEST_TOO_LARGE);
    assert_int_equal(judge_bytes(&c, span_of(bytes, sizeof bytes - 1), NULL, &r), ATTEST_TOO_LARGE);
    assert_int_equal(r.step_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_documents_are_judged_as_documented),
        cmocka_unit_test(test_derived_documents_are_judged_as_documented),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_a_cached_chain_is_checked_again),
        cmocka_unit_test(test_a_root_vouches_only_for_its_own_vendor),
        cmocka_unit_test(test_report_data_is_user_data_of_64_bytes),
        cmocka_unit_test(test_the_id_stays_under_changes_without_the_key),
        cmocka_unit_test(test_documents_are_known_by_their_form),
        cmocka_unit_test(test_refuses_too_large_input_before_reading_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
