/*
 * Verifies every kind of evidence, and measures its signatures for comparison: with its chain in
 * the cache, without a cache, and with its collateral verified again, too. Measures the most bytes
 * that one verification holds at a time. Prints `name value` lines, rates per second of CPU time of
 * one core; prints nothing when there are no vectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/p256.h"
#include "crypto/p384.h"
#include "crypto/x509.h"
#include "support/allocations.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

enum { ROUNDS = 5, MEASURE_MS = 200 };

/* Kinds of stored evidence; `signatures` that are left when the chain is remembered. */
static const struct kind {
    const char *name, *id;
    size_t p256, p384;
} kinds[] = {
    {"sgx",   EVIDENCE_GOOD,                          2, 0},
    {"tdx",   "tdx-v4-canvasxyz-3bffae-uptodate-e17", 2, 0},
    {"tdx15", "tdx-v5-google-cf77a6-uptodate-e18",    2, 0},
    {"nitro", "nitro-base-org-69d51f",                0, 1},
};

struct work {
    struct evidence_case evidence;
    struct attest_collateral *collateral; /* NULL: the kind has none */
    struct attest_cache *cache;
    struct p256_public *p256;
    uint8_t signature[P256_SIGNATURE_SIZE];
    struct p384_public *p384;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    (void)fprintf(stderr, "evidence_bench: %s\n", what);
    exit(1);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void verify_with(const struct work *w, const struct attest_collateral *collateral,
                        struct attest_cache *cache)
{
    const struct attest_collateral *items[] = {collateral};
    const struct attest_collateral_set set = {.count = collateral ? 1 : 0, .items = items};
    const struct attest_evidence evidence = {.bytes = buffer_span(&w->evidence.quote)};
    struct attest_result r;

    must(attest_verify(&w->evidence.trust, &set, cache, &evidence, w->evidence.now, &r) == ERR_NONE,
         w->evidence.id);
}

static struct attest_collateral *collateral_of(const struct work *w)
{
    const struct attest_collateral_input input = evidence_input(&w->evidence);
    struct attest_collateral *collateral = NULL;
    enum attest_reason reason;

    if (w->evidence.has_collateral)
        must(attest_collateral_new(&w->evidence.trust, &input, &collateral, &reason) == ERR_NONE,
             "collateral");
    return collateral;
}

static void verify_cached(struct work *w)
{
    verify_with(w, w->collateral, w->cache);
}

static void verify_cold(struct work *w)
{
    verify_with(w, w->collateral, NULL);
}

static void verify_with_collateral(struct work *w)
{
    struct attest_collateral *collateral = collateral_of(w);

    verify_with(w, collateral, NULL);
    attest_collateral_free(&collateral);
}

static void verify_p256(struct work *w)
{
    must(p256_verify(w->p256, span_slice(buffer_span(&w->evidence.quote), 0, 632), w->signature) ==
             ERR_NONE,
         "p256_verify");
}

/* Costs the same whether it fits or not: r and s are in range. */
static void verify_p384(struct work *w)
{
    uint8_t signature[P384_SIGNATURE_SIZE];

    memset(signature, 0x55, sizeof signature);
    must(p384_verify(w->p384, buffer_span(&w->evidence.quote), signature) == ERR_CRYPTO,
         "p384_verify");
}

static double rate(void (*run)(struct work *w), struct work *w)
{
    double start = now_s();
    double end = start;
    size_t count = 0;

    for (; end - start < MEASURE_MS / 1000.0; end = now_s())
        for (size_t i = 0; i < 4; i++, count++)
            run(w);
    return (double)count / (end - start);
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static size_t peak_of(void (*run)(struct work *w), struct work *w)
{
    allocations_begin();
    run(w);
    return allocations_end().peak;
}

/* The median of rounds in which every kind of work has its turn. */
static void measure(const struct kind *kind, struct work *w)
{
    enum { CACHED, COLD, COLLATERAL, P256, P384, RUNS };
    static void (*const runs[RUNS])(struct work * w) = {
        verify_cached, verify_cold, verify_with_collateral, verify_p256, verify_p384};
    double rates[RUNS][ROUNDS];

    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < RUNS; i++)
            rates[i][round] = rate(runs[i], w);
    for (size_t i = 0; i < RUNS; i++)
        qsort(rates[i], ROUNDS, sizeof rates[i][0], by_value);

    const double bare_s =
        (double)kind->p256 / rates[P256][ROUNDS / 2] + (double)kind->p384 / rates[P384][ROUNDS / 2];

    (void)printf("%s_cached_per_s %.0f\n%s_uncached_per_s %.0f\n", kind->name,
                 rates[CACHED][ROUNDS / 2], kind->name, rates[COLD][ROUNDS / 2]);
    if (w->collateral)
        (void)printf("%s_with_collateral_per_s %.0f\n", kind->name, rates[COLLATERAL][ROUNDS / 2]);
    (void)printf("%s_bare_us %.1f\n%s_cached_to_bare_ratio %.2f\n", kind->name, bare_s * 1e6,
                 kind->name, 1 / rates[CACHED][ROUNDS / 2] / bare_s);
    (void)printf("%s_cached_peak_bytes %zu\n%s_uncached_peak_bytes %zu\n", kind->name,
                 peak_of(verify_cached, w), kind->name, peak_of(verify_cold, w));
}

static void keys_open(struct work *w)
{
    struct p256_private *key = NULL;
    struct buffer root = {0};
    struct x509_cert *c = NULL;
    uint8_t point[P256_POINT_SIZE];

    must(p256_generate(&key) == ERR_NONE &&
             p256_sign(key, span_slice(buffer_span(&w->evidence.quote), 0, 632), w->signature) ==
                 ERR_NONE,
         "p256");
    p256_private_point(key, point);
    must(p256_public_from_point(point, &w->p256) == ERR_NONE, "p256 point");
    p256_private_free(&key);
    vectors_read(EVIDENCE_FOLDER "/collateral/aws/aws_nitro_root_g1.der", &root);
    must(x509_cert_parse(buffer_span(&root), &c) == ERR_NONE &&
             x509_cert_p384(c, &w->p384) == ERR_NONE,
         "p384");
    x509_cert_free(&c);
    buffer_clear(&root);
}

int main(void)
{
    const struct evidence_roots roots = {EVIDENCE_FOLDER, NULL};
    json_t *index;

    if (!vectors_have(EVIDENCE_INDEX, "evidence_bench"))
        return 0;
    index = vectors_json(EVIDENCE_INDEX);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct work w = {0};

        evidence_load(evidence_find(index, kinds[i].id), &roots, &w.evidence);
        w.collateral = collateral_of(&w);
        must(attest_cache_new(64, &w.cache) == ERR_NONE, "cache");
        keys_open(&w);
        measure(&kinds[i], &w);
        p256_public_free(&w.p256);
        p384_public_free(&w.p384);
        attest_cache_free(&w.cache);
        attest_collateral_free(&w.collateral);
        evidence_clear(&w.evidence);
    }
    json_decref(index);
    return 0;
}
