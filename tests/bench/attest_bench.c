/*
 * What verifying a quote costs beside the signature checks in it: with the PCK chain known there
 * are two (QE report, quote). Prints `name value` lines; prints nothing when there are no vectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attest/attest.h"
#include "crypto/p256.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

enum { MEASURE_MS = 1000 };

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "attest_bench: %s\n", what);
    exit(1);
}

struct work {
    struct evidence_case evidence;
    struct attest_collateral *collateral;
    struct attest_cache *cache;
    struct p256_public *key;
    struct span message;
    uint8_t signature[P256_SIGNATURE_SIZE];
};

static void verify_signature(const struct work *w)
{
    must(p256_verify(w->key, w->message, w->signature) == ERR_NONE, "p256_verify");
}

static void verify_quote(const struct work *w, struct attest_cache *cache)
{
    const struct attest_collateral *items[] = {w->collateral};
    const struct attest_collateral_set set = {.count = 1, .items = items};
    struct attest_result r;

    must(attest_verify(&w->evidence.trust, &set, cache,
                       &(struct attest_evidence){.bytes = buffer_span(&w->evidence.quote)},
                       w->evidence.now, &r) == ERR_NONE,
         "attest_verify");
}

static void verify_cached(const struct work *w)
{
    verify_quote(w, w->cache);
}

static void verify_uncached(const struct work *w)
{
    verify_quote(w, NULL);
}

/* Per second of CPU time of one core. */
static double rate(void (*run)(const struct work *w), const struct work *w)
{
    double start = now_s();
    double end = start;
    size_t count = 0;

    for (; end - start < MEASURE_MS / 1000.0; end = now_s())
        for (size_t i = 0; i < 16; i++, count++)
            run(w);
    return (double)count / (end - start);
}

static void prepare_signature(struct work *w)
{
    struct p256_private *key = NULL;
    uint8_t point[P256_POINT_SIZE];

    /* header and body, as the quote's own signature covers */
    w->message = span_slice(buffer_span(&w->evidence.quote), 0, 432);
    must(p256_generate(&key) == ERR_NONE && p256_sign(key, w->message, w->signature) == ERR_NONE,
         "p256");
    p256_private_point(key, point);
    must(p256_public_from_point(point, &w->key) == ERR_NONE, "p256 point");
    p256_private_free(&key);
}

int main(void)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    struct attest_collateral_input input;
    enum attest_reason reason;
    struct work w = {0};
    json_t *index;

    if (!vectors_have(EVIDENCE_INDEX, "attest_bench"))
        return 0;
    index = vectors_json(EVIDENCE_INDEX);
    evidence_load(evidence_find(index, EVIDENCE_GOOD), &roots, &w.evidence);
    input = evidence_input(&w.evidence);
    must(attest_collateral_new(&w.evidence.trust, &input, &w.collateral, &reason) == ERR_NONE,
         "collateral");
    must(attest_cache_new(64, &w.cache) == ERR_NONE, "cache");
    prepare_signature(&w);

    double verifies = rate(verify_signature, &w);
    double cached = rate(verify_cached, &w);
    double uncached = rate(verify_uncached, &w);

    (void)printf("p256_verifies_per_s %.0f\n", verifies);
    (void)printf("attest_cached_per_s %.0f\n", cached);
    (void)printf("attest_cached_to_bare_ratio %.2f\n", verifies / 2 / cached);
    (void)printf("attest_uncached_per_s %.0f\n", uncached);
    p256_public_free(&w.key);
    attest_cache_free(&w.cache);
    attest_collateral_free(&w.collateral);
    evidence_clear(&w.evidence);
    json_decref(index);
    return 0;
}
