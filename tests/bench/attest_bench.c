/*
 * What verifying a quote costs beside the signature checks in it: with the PCK chain known there
 * are two (QE report, quote); with its CAs known, three; with nothing known, five. Prints `name
 * value` lines; prints nothing when there are no vectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/attest.h"
#include "crypto/p256.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

enum { ROUNDS = 5, MEASURE_MS = 200, CACHE_CAPACITY = 64, BREAKS = 16 };

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
    uint8_t *breaks[BREAKS]; /* ends of lines in the leaf's PEM */
    unsigned variant;
};

static void verify_signature(struct work *w)
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

static void verify_cached(struct work *w)
{
    verify_quote(w, w->cache);
}

/* The same certificates in a text that was not seen for 65,536 quotes: the chain is unknown to the
 * cache, its CAs are known. */
static void verify_new_leaf(struct work *w)
{
    w->variant++;
    for (size_t i = 0; i < BREAKS; i++)
        *w->breaks[i] = (w->variant >> i & 1) ? ' ' : '\n';
    verify_quote(w, w->cache);
}

static void verify_uncached(struct work *w)
{
    verify_quote(w, NULL);
}

/* Per second of CPU time of one core. */
static double rate(void (*run)(struct work *w), struct work *w)
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

static void prepare_breaks(struct work *w)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    struct buffer *quote = &w->evidence.quote;
    uint8_t *at = memmem(quote->data, quote->size, begin, sizeof begin - 1);

    must(at != NULL, "no PEM in the quote");
    at += sizeof begin - 1;
    for (size_t i = 0; i < BREAKS; i++, at++) {
        at = memchr(at, '\n', quote->size - (size_t)(at - quote->data));
        must(at != NULL, "a short PEM");
        w->breaks[i] = at;
    }
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The median of rounds in which every kind of work has its turn: the machine has other things to do
 * and does not do them evenly. */
static void measure(struct work *w)
{
    static const struct {
        const char *name;
        void (*run)(struct work *w);
    } kinds[] = {
        {"p256_verifies_per_s",   verify_signature},
        {"attest_cached_per_s",   verify_cached   },
        {"attest_new_leaf_per_s", verify_new_leaf },
        {"attest_uncached_per_s", verify_uncached },
    };
    double rates[COUNT_OF(kinds)][ROUNDS];

    for (size_t round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNT_OF(kinds); i++)
            rates[i][round] = rate(kinds[i].run, w);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        qsort(rates[i], ROUNDS, sizeof rates[i][0], by_value);
        (void)printf("%s %.0f\n", kinds[i].name, rates[i][ROUNDS / 2]);
    }
    double bare_us = 2e6 / rates[0][ROUNDS / 2];
    double ratio = 1e6 / rates[1][ROUNDS / 2] / bare_us;

    (void)printf("bare_us %.1f\nratio %.2f\nattest_cached_to_bare_ratio %.2f\n", bare_us, ratio,
                 ratio);
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
    must(attest_cache_new(CACHE_CAPACITY, &w.cache) == ERR_NONE, "cache");
    prepare_signature(&w);

    prepare_breaks(&w);
    measure(&w);
    p256_public_free(&w.key);
    attest_cache_free(&w.cache);
    attest_collateral_free(&w.collateral);
    evidence_clear(&w.evidence);
    json_decref(index);
    return 0;
}
