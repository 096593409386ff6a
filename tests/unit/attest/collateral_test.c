/* Collateral: the signed bytes of Intel, unchanged, and the right one of several. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/attest.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

#define GOOD_SET EVIDENCE_FOLDER "/collateral/intel/sgx-00606a000000-e17-20250815-15f4"
#define OLD_SET EVIDENCE_FOLDER "/collateral/intel/sgx-00606a000000-e15-20230515-5e30"

static bool load(struct evidence_case *c, json_t **index, const char *id)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};

    if (!vectors_have(EVIDENCE_INDEX, "collateral_test"))
        return false;
    *index = vectors_json(EVIDENCE_INDEX);
    evidence_load(evidence_find(*index, id), &roots, c);
    return true;
}

static enum attest_reason build(const struct evidence_case *c)
{
    struct attest_collateral_input input = evidence_input(c);
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason = ATTEST_INTERNAL;
    enum err e = attest_collateral_new(&c->trust, &input, &collateral, &reason);

    assert_true((e == ERR_NONE) == (reason == ATTEST_OK));
    assert_true((e == ERR_NONE) == (collateral != NULL));
    attest_collateral_free(&collateral);
    return reason;
}

/* Every `step`-th bit of a part. */
static void flip_part(const struct evidence_case *c, struct buffer *part, size_t step,
                      const char *what)
{
    size_t unsigned_tail = part->data[0] == '{' ? 2 * 64 + 2 : 0;

    for (size_t bit = 0; bit < part->size * 8; bit += step) {
        if (bit / 8 >= part->size - unsigned_tail && bit % 8 == 5)
            continue; /* hex digits of a signature may be of either case */
        part->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (build(c) == ATTEST_OK)
            fail_msg("%s: bit %zu may be flipped", what, bit);
        part->data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void flipped_bits_of_collateral_are_refused(void **state)
{
    struct evidence_case c;
    json_t *index = NULL;

    (void)state;
    if (!load(&c, &index, EVIDENCE_GOOD))
        skip();
    assert_int_equal(build(&c), ATTEST_OK);
    flip_part(&c, &c.tcb_info, 61, "tcb_info");
    flip_part(&c, &c.qe_identity, 13, "qe_identity");
    flip_part(&c, &c.pck_crl, 29, "pck_crl");
    flip_part(&c, &c.root_crl, 5, "root_crl");
    evidence_clear(&c);
    json_decref(index);
}

static void cut_part(const struct evidence_case *c, struct buffer *part, size_t step)
{
    size_t size = part->size;

    for (part->size = 0; part->size < size; part->size += step)
        assert_int_not_equal(build(c), ATTEST_OK);
    part->size = size;
}

static void every_part_is_needed_whole(void **state)
{
    struct evidence_case c;
    json_t *index = NULL;

    (void)state;
    if (!load(&c, &index, EVIDENCE_GOOD))
        skip();
    cut_part(&c, &c.tcb_info, 97);
    cut_part(&c, &c.qe_identity, 31);
    cut_part(&c, &c.pck_crl, 53);
    cut_part(&c, &c.root_crl, 7);
    cut_part(&c, &c.signing_chain, 53);
    cut_part(&c, &c.issuer_chain, 53);
    assert_int_equal(build(&c), ATTEST_OK);
    c.root_crl.size = 0;
    assert_int_equal(build(&c), ATTEST_CRL_MISSING);
    evidence_clear(&c);
    json_decref(index);
}

static void claims_under(const struct evidence_case *c, const struct attest_collateral *collateral,
                         uint8_t digest[SHA256_SIZE])
{
    const struct attest_collateral_set set = {.count = 1, .items = &collateral};
    struct attest_result r;

    assert_int_equal(attest_verify(&c->trust, &set, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&c->quote)},
                                   c->now, &r),
                     ERR_NONE);
    attest_claims_digest(&r, digest);
}

/* The bundle holds the same documents as text inside JSON, without their envelope. */
static void a_bundle_gives_the_same_as_its_parts(void **state)
{
    struct evidence_case c;
    struct buffer bundle = {0};
    struct attest_collateral *from_bundle = NULL, *from_parts = NULL;
    struct attest_collateral_input input;
    uint8_t digests[2][SHA256_SIZE];
    enum attest_reason reason;
    json_t *index = NULL;

    (void)state;
    if (!load(&c, &index, EVIDENCE_GOOD))
        skip();
    vectors_read(GOOD_SET "/bundle.json", &bundle);
    input = evidence_input(&c);
    assert_int_equal(
        attest_collateral_from_bundle(&c.trust, buffer_span(&bundle), &from_bundle, &reason),
        ERR_NONE);
    assert_int_equal(attest_collateral_new(&c.trust, &input, &from_parts, &reason), ERR_NONE);
    claims_under(&c, from_bundle, digests[0]);
    claims_under(&c, from_parts, digests[1]);
    assert_memory_equal(digests[0], digests[1], SHA256_SIZE);
    assert_int_equal(attest_collateral_expiry(from_bundle).ms,
                     attest_collateral_expiry(from_parts).ms);
    attest_collateral_free(&from_bundle);
    attest_collateral_free(&from_parts);

    for (size_t size = 0; size < bundle.size; size += 199) {
        assert_int_equal(attest_collateral_from_bundle(&c.trust,
                                                       span_slice(buffer_span(&bundle), 0, size),
                                                       &from_bundle, &reason),
                         ERR_DENIED);
        assert_int_not_equal(reason, ATTEST_OK);
    }
    buffer_clear(&bundle);
    evidence_clear(&c);
    json_decref(index);
}

static void bundles_with_more_or_less_than_they_should_have_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"tcb_info\":1}",
        "{\"tcb_info\":\"\",\"tcb_info\":\"\"}",
        "{\"surprise\":\"\"}",
    };
    struct attest_trust trust;

    (void)state;
    attest_trust_vendors(&trust);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct attest_collateral *collateral = NULL;
        enum attest_reason reason = ATTEST_OK;

        assert_int_equal(
            attest_collateral_from_bundle(&trust, span_string(texts[i]), &collateral, &reason),
            ERR_DENIED);
        assert_int_equal(reason, ATTEST_MALFORMED);
        assert_null(collateral);
    }
}

static void only_pinned_roots_count(void **state)
{
    struct evidence_case c;
    json_t *index = NULL;

    (void)state;
    if (!load(&c, &index, EVIDENCE_GOOD))
        skip();
    c.trust.count = 0;
    assert_int_equal(build(&c), ATTEST_ROOT_NOT_PINNED);
    c.trust.count = 1;
    c.trust.roots[0].spki_sha256[0] ^= 1;
    assert_int_equal(build(&c), ATTEST_ROOT_NOT_PINNED);
    evidence_clear(&c);
    json_decref(index);
}

static struct attest_collateral *load_set(const struct attest_trust *trust, const char *folder)
{
    struct attest_collateral *collateral = NULL;
    struct buffer bundle = {0};
    enum attest_reason reason;
    char path[512];

    (void)snprintf(path, sizeof path, "%s/bundle.json", folder);
    vectors_read(path, &bundle);
    assert_int_equal(
        attest_collateral_from_bundle(trust, buffer_span(&bundle), &collateral, &reason), ERR_NONE);
    buffer_clear(&bundle);
    return collateral;
}

/* The older set of the same platform is not used while the newer is valid, but is used at its
 * own time. */
static void the_newest_collateral_that_is_valid_is_chosen(void **state)
{
    struct evidence_case c;
    struct attest_result r;
    json_t *index = NULL;

    (void)state;
    if (!load(&c, &index, "sgx-v3-matter-labs-3bfe5a-outofdate-e17"))
        skip();
    struct attest_collateral *new_set = load_set(&c.trust, GOOD_SET);
    struct attest_collateral *old_set = load_set(&c.trust, OLD_SET);
    struct attest_collateral *other =
        load_set(&c.trust, EVIDENCE_FOLDER "/collateral/intel/sgx-00906ed50000-e17-20250527-9829");
    const struct attest_collateral *orders[2][3] = {
        {old_set, new_set, other  },
        {other,   new_set, old_set}
    };

    for (size_t i = 0; i < 2; i++) {
        const struct attest_collateral_set set = {.count = 3, .items = orders[i]};

        assert_int_equal(attest_verify(&c.trust, &set, NULL,
                                       &(struct attest_evidence){.bytes = buffer_span(&c.quote)},
                                       c.now, &r),
                         ERR_NONE);
        assert_int_equal(r.intel.tcb_evaluation_number, 17);
        assert_int_equal(r.status, TCB_OUT_OF_DATE);
        assert_int_equal(attest_verify(&c.trust, &set, NULL,
                                       &(struct attest_evidence){.bytes = buffer_span(&c.quote)},
                                       timestamp_of_seconds(1685382861), &r),
                         ERR_NONE);
        assert_int_equal(r.intel.tcb_evaluation_number, 15);
        assert_int_equal(r.status, TCB_SW_HARDENING_NEEDED);
        /* between the two neither is valid */
        assert_int_equal(attest_verify(&c.trust, &set, NULL,
                                       &(struct attest_evidence){.bytes = buffer_span(&c.quote)},
                                       timestamp_of_seconds(1700000000), &r),
                         ERR_DENIED);
        assert_int_equal(r.reason, ATTEST_CERTIFICATE_TIME); /* of the newer set's signer */
    }
    const struct attest_collateral *others[] = {other, other};
    const struct attest_collateral_set foreign = {.count = 2, .items = others};

    assert_int_equal(attest_verify(&c.trust, &foreign, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&c.quote)}, c.now,
                                   &r),
                     ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_COLLATERAL_MISSING);
    attest_collateral_free(&new_set);
    attest_collateral_free(&old_set);
    attest_collateral_free(&other);
    evidence_clear(&c);
    json_decref(index);
}

static void simulated_roots_are_added_once_and_never_replace_a_vendor(void **state)
{
    struct buffer root = {0};
    struct attest_trust trust;

    (void)state;
    if (!vectors_have(EVIDENCE_FOLDER "/collateral/intel/intel_sgx_root_ca.pem", "trust"))
        skip();
    vectors_read(EVIDENCE_FOLDER "/collateral/intel/intel_sgx_root_ca.pem", &root);
    attest_trust_vendors(&trust);
    size_t vendors = trust.count;

    assert_int_equal(attest_trust_add_simulated(&trust, buffer_span(&root)), ERR_NONE);
    assert_int_equal(trust.count, vendors);
    assert_false(trust.roots[0].simulated);
    assert_int_equal(attest_trust_add_simulated(&trust, SPAN_LITERAL("no certificate")),
                     ERR_MALFORMED);
    assert_int_equal(attest_trust_add_simulated(&trust, (struct span){0}), ERR_MALFORMED);
    trust.count = ATTEST_ROOTS_MAX;
    assert_int_equal(attest_trust_add_simulated(&trust, buffer_span(&root)), ERR_TOO_LARGE);
    trust.count = 0;
    assert_int_equal(attest_trust_add_simulated(&trust, buffer_span(&root)), ERR_NONE);
    assert_true(trust.roots[0].simulated);
    buffer_clear(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits_of_collateral_are_refused),
        cmocka_unit_test(every_part_is_needed_whole),
        cmocka_unit_test(a_bundle_gives_the_same_as_its_parts),
        cmocka_unit_test(bundles_with_more_or_less_than_they_should_have_are_refused),
        cmocka_unit_test(only_pinned_roots_count),
        cmocka_unit_test(the_newest_collateral_that_is_valid_is_chosen),
        cmocka_unit_test(simulated_roots_are_added_once_and_never_replace_a_vendor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
