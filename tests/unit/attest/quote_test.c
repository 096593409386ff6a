/* No part of a quote may be missing, and no bit of it may change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

enum { SIGNED_SIZE = QUOTE_HEADER_SIZE + SGX_REPORT_SIZE };

struct fixture {
    json_t *index;
    struct evidence_case good;
    struct attest_collateral *collateral;
    struct attest_cache *cache;
};

/* False when there are no vectors. */
static bool fixture_open_case(struct fixture *f, const char *id)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    struct attest_collateral_input input;
    enum attest_reason reason;

    *f = (struct fixture){0};
    if (!vectors_have(EVIDENCE_INDEX, "quote_test"))
        return false;
    f->index = vectors_json(EVIDENCE_INDEX);
    evidence_load(evidence_find(f->index, id), &roots, &f->good);
    input = evidence_input(&f->good);
    assert_int_equal(attest_collateral_new(&f->good.trust, &input, &f->collateral, &reason),
                     ERR_NONE);
    assert_int_equal(attest_cache_new(4, &f->cache), ERR_NONE);
    return true;
}

static bool fixture_open(struct fixture *f)
{
    return fixture_open_case(f, EVIDENCE_GOOD);
}

static void fixture_close(struct fixture *f)
{
    attest_cache_free(&f->cache);
    attest_collateral_free(&f->collateral);
    evidence_clear(&f->good);
    json_decref(f->index);
}

MUST_CHECK static enum err verify_into(struct fixture *f, struct span quote,
                                       struct attest_result *r)
{
    const struct attest_collateral *items[] = {f->collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};

    return attest_verify(&f->good.trust, &set, f->cache, &(struct attest_evidence){.bytes = quote},
                         f->good.now, r);
}

static enum attest_reason verify(struct fixture *f, struct span quote)
{
    struct attest_result r;
    enum err e = verify_into(f, quote, &r);

    assert_true((e == ERR_NONE) == (r.reason == ATTEST_OK));
    if (r.reason != ATTEST_OK) {
        assert_int_equal(e, ERR_DENIED);
        assert_true(r.step[0] != '\0');
    }
    assert_true(r.signatures_valid || !r.authentic);
    if (!r.signatures_valid) { /* without a valid signature there are no claims */
        assert_true(r.reason != ATTEST_OK);
        assert_null(r.tee);
        assert_true(span_is_zero(SPAN_OF(r.report_data)));
        assert_true(span_is_zero(SPAN_OF(r.evidence_id)));
    }
    return r.reason;
}

/* One stored quote of each form. VOUCHSAFE_EXHAUSTIVE=1: all of them, and every bit of their chains
 * (half an hour). */
static const char *const one_of_each[] = {EVIDENCE_GOOD, "tdx-v4-canvasxyz-3bffae-uptodate-e17",
                                          "tdx-v5-google-cf77a6-uptodate-e18"};

static bool is_exhaustive(void)
{
    const char *value = getenv("VOUCHSAFE_EXHAUSTIVE");

    return value && strcmp(value, "1") == 0;
}

static bool is_quote(const json_t *entry)
{
    const char *tee = json_string_value(json_object_get(entry, "tee"));

    return strcmp(tee, "sgx") == 0 || strcmp(tee, "tdx") == 0;
}

static bool is_verified(const json_t *entry)
{
    return is_quote(entry) &&
           strcmp(json_string_value(json_object_get(json_object_get(entry, "expected"), "result")),
                  "valid") == 0;
}

static bool is_one_of_each(const json_t *entry)
{
    for (size_t i = 0; i < COUNT_OF(one_of_each); i++)
        if (strcmp(json_string_value(json_object_get(entry, "id")), one_of_each[i]) == 0)
            return true;
    return false;
}

/* A copy of exactly this size, so that a sanitizer detects reads beyond its end. */
static void refuse_prefix(struct span whole, size_t size, const char *id)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    struct refusal r = {0};
    struct quote q;

    assert_non_null(copy);
    memcpy(copy, whole.data, size);
    if (quote_parse(span_of(copy, size), &q, &r) != ERR_DENIED || r.step[0] == '\0')
        fail_msg("%s: %zu bytes are enough", id, size);
    free(copy);
}

static void every_prefix_of_every_stored_quote_is_refused(void **state)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    size_t i, count = 0;
    json_t *index, *entry;

    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "quote_test"))
        skip();
    index = vectors_json(EVIDENCE_INDEX);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct evidence_case c;

        if (!is_quote(entry))
            continue;
        evidence_load(entry, &roots, &c);
        for (size_t size = 0; size < c.quote.size; size++)
            refuse_prefix(buffer_span(&c.quote), size, c.id);
        evidence_clear(&c);
        count++;
    }
    json_decref(index);
    assert_true(count >= 44);
}

static void flip_and_refuse(struct fixture *f, size_t offset, unsigned bit)
{
    f->good.quote.data[offset] ^= (uint8_t)(1u << bit);
    if (verify(f, buffer_span(&f->good.quote)) == ATTEST_OK)
        fail_msg("%s: bit %u of byte %zu may be flipped", f->good.id, bit, offset);
    f->good.quote.data[offset] ^= (uint8_t)(1u << bit);
}

/* Up to the end of the last certificate. Bytes that are not a certificate may follow. */
static size_t chain_end(struct span chain)
{
    static const char mark[] = "-----END CERTIFICATE-----";
    size_t end = chain.size - (sizeof mark - 1);

    while (memcmp(chain.data + end, mark, sizeof mark - 1) != 0)
        end--;
    return end + sizeof mark - 1;
}

/*
 * Every bit of header, body, both signatures, the attestation key, the QE's report and data, and
 * every length; and of the chain, whose characters all count, every `stride`th.
 */
static void flip_bits(struct fixture *f, size_t stride)
{
    struct refusal r = {0};
    struct quote q;
    size_t start, end;

    assert_int_equal(verify(f, buffer_span(&f->good.quote)), ATTEST_OK);
    assert_int_equal(quote_parse(buffer_span(&f->good.quote), &q, &r), ERR_NONE);
    start = (size_t)(q.certification.data.data - f->good.quote.data);
    end = start + chain_end(q.certification.data);
    for (size_t bit = 0; bit < start * 8; bit++)
        flip_and_refuse(f, bit / 8, (unsigned)(bit % 8));
    for (size_t bit = start * 8; bit < end * 8; bit += stride)
        flip_and_refuse(f, bit / 8, (unsigned)(bit % 8));
    assert_int_equal(verify(f, buffer_span(&f->good.quote)), ATTEST_OK);
}

static void every_flipped_bit_is_refused(void **state)
{
    size_t i, count = 0;
    json_t *index, *entry;

    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "quote_test"))
        skip();
    index = vectors_json(EVIDENCE_INDEX);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct fixture f;

        if (is_exhaustive() ? !is_verified(entry) : !is_one_of_each(entry))
            continue;
        assert_true(fixture_open_case(&f, json_string_value(json_object_get(entry, "id"))));
        flip_bits(&f, is_exhaustive() ? 1 : 37);
        fixture_close(&f);
        count++;
    }
    json_decref(index);
    assert_true(count >= COUNT_OF(one_of_each));
}

static void zero_padding_is_trimmed_and_nothing_else(void **state)
{
    struct fixture f;
    struct buffer padded = {0};

    (void)state;
    if (!fixture_open(&f))
        skip();
    assert_int_equal(buffer_append(&padded, buffer_span(&f.good.quote)), ERR_NONE);
    for (size_t i = 0; i < 4096; i++)
        assert_int_equal(buffer_append(&padded, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(verify(&f, buffer_span(&padded)), ATTEST_OK);
    padded.data[padded.size - 1] = 1;
    assert_int_equal(verify(&f, buffer_span(&padded)), ATTEST_TRAILING_DATA);
    padded.data[padded.size - 1] = 0;
    assert_int_equal(buffer_reserve(&padded, ATTEST_EVIDENCE_MAX), ERR_NONE);
    memset(padded.data + padded.size, 0, ATTEST_EVIDENCE_MAX + 1 - padded.size);
    padded.size = ATTEST_EVIDENCE_MAX + 1;
    assert_int_equal(verify(&f, buffer_span(&padded)), ATTEST_TOO_LARGE);
    padded.size = ATTEST_EVIDENCE_MAX;
    assert_int_equal(verify(&f, buffer_span(&padded)), ATTEST_OK);
    buffer_clear(&padded);
    fixture_close(&f);
}

/* A verdict does not depend on what was verified before, nor on the order. */
/* s := n - s gives another valid signature of the same bytes. The order n of P-256: SEC 2 2.4.2. */
static void turn_signature_over(uint8_t s[32])
{
    static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                      0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                      0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    int borrow = 0;

    for (size_t i = sizeof order; i-- > 0;) {
        int difference = order[i] - s[i] - borrow;

        borrow = difference < 0;
        s[i] = (uint8_t)(difference + 256 * borrow);
    }
}

static void same_id(struct fixture *f, struct span quote, const uint8_t id[SHA256_SIZE])
{
    struct attest_result r;

    assert_int_equal(verify_into(f, quote, &r), ERR_NONE);
    assert_memory_equal(r.evidence_id, id, SHA256_SIZE);
}

static void evidence_keeps_its_id_in_every_encoding(void **state)
{
    const size_t signature = SIGNED_SIZE + 4;
    const size_t chain = signature + 64 + 64 + 384 + 64 + 2 + 32 + 2 + 4;
    struct fixture f;
    struct attest_result r;
    struct buffer padded = {0};
    struct buffer *quote = &f.good.quote;
    uint8_t *newline;

    (void)state;
    if (!fixture_open(&f))
        skip();
    assert_int_equal(verify_into(&f, buffer_span(quote), &r), ERR_NONE);
    assert_false(span_is_zero(SPAN_OF(r.evidence_id)));

    turn_signature_over(quote->data + signature + 32);
    same_id(&f, buffer_span(quote), r.evidence_id);
    turn_signature_over(quote->data + signature + 32);
    turn_signature_over(quote->data + SIGNED_SIZE + 4 + 64 + 64 + 384 + 32); /* the QE's */
    same_id(&f, buffer_span(quote), r.evidence_id);

    newline = memchr(quote->data + chain, '\n', quote->size - chain);
    assert_non_null(newline);
    newline = memchr(newline + 1, '\n', 100); /* the end of a line of base64 */
    assert_non_null(newline);
    *newline = ' ';
    same_id(&f, buffer_span(quote), r.evidence_id);

    assert_int_equal(buffer_append(&padded, buffer_span(quote)), ERR_NONE);
    assert_int_equal(buffer_append(&padded, SPAN_LITERAL("\0\0\0")), ERR_NONE);
    same_id(&f, buffer_span(&padded), r.evidence_id);
    buffer_clear(&padded);
    fixture_close(&f);
}

/* Other pieces of evidence have other ids; every_flipped_bit_is_refused() has the rest. */
static void ids_of_different_evidence_differ(void **state)
{
    static const char *const ids[] = {EVIDENCE_GOOD, "sgx-v3-matter-labs-3bfe5a-outofdate-e17"};
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    uint8_t seen[COUNT_OF(ids)][SHA256_SIZE];
    json_t *index;

    (void)state;
    if (!vectors_have(EVIDENCE_INDEX, "quote_test"))
        skip();
    index = vectors_json(EVIDENCE_INDEX);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct evidence_case c;
        struct attest_result r;

        evidence_load(evidence_find(index, ids[i]), &roots, &c);
        assert_int_equal(evidence_judge(&c, NULL, &r), ATTEST_OK);
        memcpy(seen[i], r.evidence_id, SHA256_SIZE);
        evidence_clear(&c);
    }
    assert_memory_not_equal(seen[0], seen[1], SHA256_SIZE);
    json_decref(index);
}

static void the_cache_forgets_the_least_recent_and_changes_no_verdict(void **state)
{
    static const char *const ids[] = {EVIDENCE_GOOD, "sgx-v3-matter-labs-3bfe5a-outofdate-e17",
                                      "sgx-v3-oasisprotocol-d2457b-outofdate-e17",
                                      "sgx-v3-canvasxyz-9fd922-outofdate-e19"};
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    struct attest_cache *cache = NULL;
    struct attest_trust nobody = {0};
    struct fixture f;

    (void)state;
    if (!fixture_open(&f))
        skip();
    assert_int_equal(attest_cache_new(0, &cache), ERR_TOO_LARGE);
    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    for (size_t round = 0; round < 12; round++) {
        struct attest_result cold, warm;
        uint8_t cold_digest[SHA256_SIZE], warm_digest[SHA256_SIZE];
        struct evidence_case c;

        evidence_load(evidence_find(f.index, ids[round * 7 % COUNT_OF(ids)]), &roots, &c);
        assert_int_equal(evidence_judge(&c, NULL, &cold), ATTEST_OK);
        assert_int_equal(evidence_judge(&c, cache, &warm), ATTEST_OK);
        attest_claims_digest(&cold, cold_digest);
        attest_claims_digest(&warm, warm_digest);
        assert_memory_equal(cold_digest, warm_digest, SHA256_SIZE);
        evidence_clear(&c);
    }
    /* a cached chain is not trusted by a caller that does not pin its root, nor after its end */
    const struct attest_collateral *items[] = {f.collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};
    struct attest_result r;
    struct span quote = buffer_span(&f.good.quote);

    assert_int_equal(attest_verify(&f.good.trust, &set, f.cache,
                                   &(struct attest_evidence){.bytes = quote}, f.good.now, &r),
                     ERR_NONE);
    assert_int_equal(attest_verify(&nobody, &set, f.cache,
                                   &(struct attest_evidence){.bytes = quote}, f.good.now, &r),
                     ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(attest_verify(&f.good.trust, &set, f.cache,
                                   &(struct attest_evidence){.bytes = quote},
                                   timestamp_of_seconds(4102444800), &r),
                     ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_CERTIFICATE_TIME);
    assert_non_null(strstr(r.presented, "2100-01-01"));
    attest_cache_free(&cache);
    fixture_close(&f);
}

static void refusals_explain_themselves(void **state)
{
    struct fixture f;
    struct attest_result r;
    const struct attest_collateral_set none = {0};

    (void)state;
    if (!fixture_open(&f))
        skip();
    assert_int_equal(attest_verify(&f.good.trust, &none, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&f.good.quote)},
                                   f.good.now, &r),
                     ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_COLLATERAL_MISSING);
    assert_string_equal(r.step, "collateral");
    assert_string_equal(r.expected, "fmspc 00606a000000");
    f.good.quote.data[0] = 6;
    assert_int_equal(verify(&f, buffer_span(&f.good.quote)), ATTEST_UNSUPPORTED_VERSION);
    assert_int_equal(attest_verify(&f.good.trust, &none, NULL,
                                   &(struct attest_evidence){.bytes = buffer_span(&f.good.quote)},
                                   f.good.now, &r),
                     ERR_DENIED);
    assert_string_equal(r.expected, "version 3, 4 or 5");
    assert_string_equal(r.presented, "version 6");
    for (unsigned i = 0; i < ATTEST_REASON_COUNT; i++) {
        assert_true(strlen(attest_reason_code((enum attest_reason)i)) > 1);
        assert_true(strlen(attest_reason_text((enum attest_reason)i)) > 10);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_of_every_stored_quote_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(zero_padding_is_trimmed_and_nothing_else),
        cmocka_unit_test(the_cache_forgets_the_least_recent_and_changes_no_verdict),
        cmocka_unit_test(evidence_keeps_its_id_in_every_encoding),
        cmocka_unit_test(ids_of_different_evidence_differ),
        cmocka_unit_test(refusals_explain_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
