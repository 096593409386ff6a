/*
 * What verifying a quote costs beside the signature checks in it: with the PCK chain known there
 * are two (QE report, quote); with its CAs known, three; with nothing known, five. SEV-SNP: with
 * the chain known one (P-384, the report), with nothing known three of RSA-4096 more. Prints `name
 * value` lines; prints nothing when there are no vectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/snp_report.h"
#include "crypto/p256.h"
#include "crypto/x509.h"
#include "crypto/x509_make.h"
#include "support/vectors.h"
#include "unit/attest/evidence.h"

#define SNP_GOOD "snp-v5-milan-vcek-canvasxyz-bcc3fb"
#define SNP_FOLDER EVIDENCE_FOLDER "/snp/" SNP_GOOD

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
    struct snp {
        struct buffer report, pem, forged; /* PEM: VEK, ASK, ARK; forged: the last signed bit */
        struct timestamp now;
        struct attest_trust trust;
        struct p384_public *key; /* of the VEK */
        struct snp_evidence parsed;
    } snp;
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

static void verify_p384(struct work *w)
{
    must(p384_verify(w->snp.key, w->snp.parsed.signed_bytes, w->snp.parsed.signature) == ERR_NONE,
         "p384_verify");
}

static enum attest_reason verify_snp(const struct work *w, const struct buffer *report,
                                     struct attest_cache *cache)
{
    const struct attest_evidence evidence = {.bytes = buffer_span(report),
                                             .certificates = buffer_span(&w->snp.pem)};
    struct attest_result r;

    must(attest_verify(&w->snp.trust, NULL, cache, &evidence, w->snp.now, &r) != ERR_MEMORY,
         "attest_verify of snp");
    return r.reason;
}

static void verify_snp_cached(struct work *w)
{
    must(verify_snp(w, &w->snp.report, w->cache) == ATTEST_OK, "snp, cached");
}

static void verify_snp_uncached(struct work *w)
{
    must(verify_snp(w, &w->snp.report, NULL) == ATTEST_OK, "snp");
}

/* What costs a stranger nothing and us the most. */
static void refuse_snp(struct work *w)
{
    must(verify_snp(w, &w->snp.forged, NULL) == ATTEST_SIGNATURE_INVALID, "snp, forged");
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

static void certificate_add(struct work *w, const char *file, bool is_vek)
{
    struct buffer der = {0};
    struct x509_cert *c = NULL;

    vectors_read(file, &der);
    must(pem_write("CERTIFICATE", buffer_span(&der), &w->snp.pem) == ERR_NONE, "pem_write");
    if (is_vek)
        must(x509_cert_parse(buffer_span(&der), &c) == ERR_NONE &&
                 x509_cert_p384(c, &w->snp.key) == ERR_NONE,
             "VEK");
    x509_cert_free(&c);
    buffer_clear(&der);
}

static void prepare_snp(struct work *w, const json_t *index)
{
    const json_t *entry = evidence_find(index, SNP_GOOD);
    struct refusal r;

    vectors_read(SNP_FOLDER "/report.bin", &w->snp.report);
    must(snp_report_parse(buffer_span(&w->snp.report), &w->snp.parsed, &r) == ERR_NONE, "report");
    must(buffer_append(&w->snp.forged, buffer_span(&w->snp.report)) == ERR_NONE, "memory");
    w->snp.forged.data[0x50] ^= 1; /* REPORT_DATA */
    certificate_add(w, SNP_FOLDER "/vek.der", true);
    certificate_add(w, EVIDENCE_FOLDER "/collateral/amd/milan/ask.der", false);
    certificate_add(w, EVIDENCE_FOLDER "/collateral/amd/milan/ark.der", false);
    w->snp.now = timestamp_of_seconds(json_integer_value(json_object_get(entry, "verify_time")));
    attest_trust_vendors(&w->snp.trust);
}

static void clear_snp(struct work *w)
{
    buffer_clear(&w->snp.report);
    buffer_clear(&w->snp.forged);
    buffer_clear(&w->snp.pem);
    p384_public_free(&w->snp.key);
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
        {"p256_verifies_per_s",   verify_signature   },
        {"attest_cached_per_s",   verify_cached      },
        {"attest_new_leaf_per_s", verify_new_leaf    },
        {"attest_uncached_per_s", verify_uncached    },
        {"p384_verifies_per_s",   verify_p384        },
        {"snp_cached_per_s",      verify_snp_cached  },
        {"snp_uncached_per_s",    verify_snp_uncached},
        {"snp_forged_per_s",      refuse_snp         },
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

    (void)printf("snp_bytes %zu\n", w->snp.report.size + w->snp.pem.size);
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
    prepare_snp(&w, index);
    measure(&w);
    clear_snp(&w);
    p256_public_free(&w.key);
    attest_cache_free(&w.cache);
    attest_collateral_free(&w.collateral);
    evidence_clear(&w.evidence);
    json_decref(index);
    return 0;
}
