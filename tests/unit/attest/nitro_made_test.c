/*
 * Nitro documents under certificates of our own: what is accepted, and each member, certificate and
 * envelope that must be refused, with its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/nitro.h"
#include "base/text.h"
#include "support/authority.h"
#include "support/tally.h"

enum { NOW_S = 1760000000, HOUR_S = 3600 };
enum { ROOT, MIDDLE, ISSUER, LEAF, LINKS };

static const char *const names[LINKS] = {"aws.nitro-enclaves", "us-east-1.aws.nitro-enclaves",
                                         "i-1.us-east-1.aws.nitro-enclaves", "i-1-enc1.us-east-1"};

/* Which certificate is not as it should be. */
enum fault {
    FAULT_NONE,
    SIGNED_BY_ANOTHER, /* the key of another certificate */
    NAMES_ANOTHER,     /* the issuer's name is another */
    NOT_YET,
    EXPIRED,
    OTHER_ROLE, /* the leaf is a CA, a CA is a leaf */
    PATH_SHORT, /* fewer CAs may follow than do */
    PATH_EXACT,
    SUBJECT_TWICE, /* that of the certificate above */
};

static struct authority_key *keys[LINKS], *other_key;
static struct buffer chain[LINKS]; /* DER */
static struct attest_trust trust;

static void make_chain(int link, enum fault fault)
{
    for (int i = 0; i < LINKS; i++) {
        const enum fault here = i == link ? fault : FAULT_NONE;
        struct authority_template t = {
            .common_name = here == SUBJECT_TWICE ? names[i - 1] : names[i],
            .issuer_name = here == NAMES_ANOTHER ? "another" : names[i > 0 ? i - 1 : 0],
            .key = keys[i],
            .signer = here == SIGNED_BY_ANOTHER ? other_key : keys[i > 0 ? i - 1 : 0],
            .serial = i + 1,
            .not_before = timestamp_of_seconds(here == NOT_YET ? NOW_S + 10 : NOW_S - HOUR_S),
            .not_after = timestamp_of_seconds(here == EXPIRED ? NOW_S - 10 : NOW_S + HOUR_S),
            .is_ca = (i != LEAF) != (here == OTHER_ROLE),
        };

        if (here == PATH_SHORT || here == PATH_EXACT) /* pathLenConstraint is one less */
            t.path_length = ISSUER - i + (here == PATH_EXACT ? 1 : 0);
        authority_certificate(&t, &chain[i]);
    }
    trust = (struct attest_trust){0};
    assert_int_equal(attest_trust_add(&trust, ATTEST_AWS, buffer_span(&chain[ROOT]), false),
                     ERR_NONE);
}

static int open_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINKS; i++)
        keys[i] = authority_key_p384();
    other_key = authority_key_p384();
    return 0;
}

static int close_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINKS; i++) {
        authority_key_free(&keys[i]);
        buffer_clear(&chain[i]);
    }
    authority_key_free(&other_key);
    return 0;
}

/* A member of the document in CBOR, in hex, in place of its own. NULL: left out. */
struct member {
    const char *name, *hex;
};

/* A document; what is NULL or zero is as it should be. */
struct made {
    struct member member;
    const char *protected_hex;
    uint8_t unprotected; /* CBOR, one byte */
    bool tagged;
    const struct authority_key *signer;
    size_t skip;                    /* certificates left out at the start of the cabundle */
    size_t repeat;                  /* how often its last one is there again */
    const struct span *certificate; /* the leaf */
};

#define ONES16 "01010101010101010101010101010101"
#define ZEROS16 "00000000000000000000000000000000"
#define HASH32 "5820" ONES16 ONES16
#define HASH48 "5830" ONES16 ONES16 ONES16
#define ZERO48 "5830" ZEROS16 ZEROS16 ZEROS16

static void put_hex(struct writer *w, const char *hex)
{
    uint8_t bytes[4096];
    const size_t size = strlen(hex) / 2;

    assert_in_range(size, 0, sizeof bytes);
    assert_int_equal(hex_read(span_string(hex), bytes, size), ERR_NONE);
    writer_put(w, span_of(bytes, size));
}

static void put_cabundle(struct writer *w, const struct made *m)
{
    cbor_put_array(w, ISSUER + 1 - m->skip + m->repeat);
    for (size_t i = m->skip; i <= ISSUER; i++)
        cbor_put_bytes(w, buffer_span(&chain[i]));
    for (size_t i = 0; i < m->repeat; i++)
        cbor_put_bytes(w, buffer_span(&chain[ISSUER]));
}

static bool is_changed(const struct made *m, const char *name)
{
    return m->member.name && strcmp(m->member.name, name) == 0;
}

/* The member's key, and true when its own value is to follow. */
static bool put_key(struct writer *w, const struct made *m, const char *name)
{
    if (is_changed(m, name) && !m->member.hex)
        return false;
    cbor_put_text(w, span_string(name));
    if (!is_changed(m, name))
        return true;
    put_hex(w, m->member.hex);
    return false;
}

static const char *const scalars[][2] = {
    {"module_id",  "69692d312d656e632d31"                           }, /* "i-1-enc-1" */
    {"digest",     "66534841333834"                                 }, /* "SHA384" */
    {"timestamp",  "1b00000199c82cc000"                             }, /* NOW_S * 1000 */
    {"pcrs",       "a400" HASH48 "01" HASH48 "02" HASH48 "04" HASH48},
    {"public_key", "43706b79"                                       },
    {"user_data",  "f6"                                             },
    {"nonce",      "426e6f"                                         },
};

static struct span payload_make(const struct made *m, uint8_t *space, size_t capacity)
{
    const bool extra = is_changed(m, "later");
    const bool removed = m->member.name && !m->member.hex;
    struct writer w = writer_over(space, capacity);
    struct span written;

    cbor_put_map(&w, COUNT_OF(scalars) + 2 + (extra ? 1 : 0) - (removed ? 1 : 0));
    for (size_t i = 0; i < COUNT_OF(scalars); i++)
        if (put_key(&w, m, scalars[i][0]))
            put_hex(&w, scalars[i][1]);
    if (put_key(&w, m, "certificate"))
        cbor_put_bytes(&w, m->certificate ? *m->certificate : buffer_span(&chain[LEAF]));
    if (put_key(&w, m, "cabundle"))
        put_cabundle(&w, m);
    if (extra)
        (void)put_key(&w, m, "later");
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    return written;
}

static void document_make(const struct made *m, struct buffer *out)
{
    static uint8_t payload_space[16384], space[20000], header_space[64];
    struct writer header = writer_over(header_space, sizeof header_space);
    struct writer w = writer_over(space, sizeof space);
    struct cose_sign1 s = {.payload = payload_make(m, payload_space, sizeof payload_space)};
    struct buffer message = {0};
    struct span written;
    uint8_t signature[P384_SIGNATURE_SIZE];

    put_hex(&header, m->protected_hex ? m->protected_hex : "a1013822"); /* ES384 */
    assert_int_equal(writer_finish(&header, &s.protected_header), ERR_NONE);
    assert_int_equal(cose_sign1_message(&s, &message), ERR_NONE);
    authority_sign(m->signer ? m->signer : keys[LEAF], buffer_span(&message), signature);
    if (m->tagged)
        cbor_put_tag(&w, 18);
    cbor_put_array(&w, 4);
    cbor_put_bytes(&w, s.protected_header);
    writer_u8(&w, m->unprotected ? m->unprotected : 0xa0);
    cbor_put_bytes(&w, s.payload);
    cbor_put_bytes(&w, SPAN_OF(signature));
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    buffer_clear(out);
    assert_int_equal(buffer_append(out, written), ERR_NONE);
    buffer_clear(&message);
    tally_made(1);
}

static enum attest_reason judge(struct span document, struct attest_cache *cache,
                                struct attest_result *r)
{
    const struct attest_evidence evidence = {.kind = ATTEST_NITRO, .bytes = document};
    enum err e = attest_verify(&trust, NULL, cache, &evidence, timestamp_of_seconds(NOW_S), r);

    assert_int_equal(e, r->reason == ATTEST_OK ? ERR_NONE : ERR_DENIED);
    assert_true(r->reason == ATTEST_OK || r->step[0] != '\0');
    return r->reason;
}

/* Without a cache and twice with one: a hit is judged as a miss. */
static enum attest_reason judge_made(const struct made *m, struct attest_result *r)
{
    struct attest_cache *cache = NULL;
    struct buffer document = {0};
    enum attest_reason reason;

    document_make(m, &document);
    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    reason = judge(buffer_span(&document), NULL, r);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(judge(buffer_span(&document), cache, r), reason);
    attest_cache_free(&cache);
    buffer_clear(&document);
    /* borrowed from the document */
    r->nitro.public_key = r->nitro.user_data = r->nitro.nonce = (struct span){0};
    return reason;
}

/*
 * What is accepted.
 */

static void a_document_is_accepted_with_its_claims(void **state)
{
    struct buffer document = {0};
    struct attest_result r;

    (void)state;
    make_chain(0, FAULT_NONE);
    for (unsigned tagged = 0; tagged < 2; tagged++) {
        document_make(&(struct made){.tagged = tagged == 1}, &document);
        assert_int_equal(attest_evidence_kind(buffer_span(&document)), ATTEST_NITRO);
        assert_int_equal(judge(buffer_span(&document), NULL, &r), ATTEST_OK);
        assert_true(r.authentic && !r.simulated && !r.debug);
        assert_string_equal(r.tee, "nitro");
        assert_string_equal(r.nitro.module_id, "i-1-enc-1");
        assert_int_equal(r.nitro.timestamp_ms, (int64_t)NOW_S * 1000);
        assert_int_equal(r.nitro.pcr_present, 0x17);
        assert_int_equal(r.nitro.pcr_size[4], 48);
        assert_int_equal(r.nitro.pcr[4][47], 1);
        assert_int_equal(r.nitro.cabundle_count, 3);
        assert_true(span_equal_string(r.nitro.public_key, "pky"));
        assert_true(span_equal_string(r.nitro.nonce, "no"));
        assert_null(r.nitro.user_data.data);
        assert_int_equal(timestamp_seconds(r.earliest_expiry), NOW_S + HOUR_S);
    }
    trust.roots[0].simulated = true;
    assert_int_equal(judge(buffer_span(&document), NULL, &r), ATTEST_OK);
    assert_true(r.simulated);
    attest_trust_vendors(&trust);
    assert_int_equal(judge(buffer_span(&document), NULL, &r), ATTEST_ROOT_NOT_PINNED);
    assert_false(r.authentic);
    buffer_clear(&document);
}

/*
 * Members.
 */

static void documents_are_judged_member_by_member(void **state)
{
    static const struct {
        struct member member;
        enum attest_reason reason;
        bool debug;
    } cases[] = {
        {{"later", "8101"},                               ATTEST_OK,                        false},
        {{"later", "f93c00"},                             ATTEST_MALFORMED,                 false}, /* a float */
        {{"module_id", NULL},                             ATTEST_MALFORMED,                 false},
        {{"module_id", "60"},                             ATTEST_MALFORMED,                 false},
        {{"module_id", "626900"},                         ATTEST_MALFORMED,                 false},
        {{"module_id", "4169"},                           ATTEST_MALFORMED,                 false},
        {{"digest", NULL},                                ATTEST_MALFORMED,                 false},
        {{"digest", "66534841323536"},                    ATTEST_UNSUPPORTED_ALGORITHM,     false},
        {{"digest", "46534841333834"},                    ATTEST_MALFORMED,                 false},
        {{"timestamp", NULL},                             ATTEST_MALFORMED,                 false},
        {{"timestamp", "00"},                             ATTEST_TIMESTAMP,                 false},
        {{"timestamp", "20"},                             ATTEST_MALFORMED,                 false},
        {{"timestamp", "1b8000000000000000"},             ATTEST_TIMESTAMP,                 false},
        {{"timestamp", "1b00000199c7f5d17f"},             ATTEST_TIMESTAMP,                 false}, /* before the leaf */
        {{"timestamp", "1b00000199c7f5d180"},             ATTEST_OK,                        false},
        {{"timestamp", "1b00000199c863ae80"},             ATTEST_OK,                        false},
        {{"timestamp", "1b00000199c863ae81"},             ATTEST_TIMESTAMP,                 false}, /* behind it */
        {{"pcrs", NULL},                                  ATTEST_MALFORMED,                 false},
        {{"pcrs", "a0"},                                  ATTEST_MALFORMED,                 false},
        {{"pcrs", "80"},                                  ATTEST_MALFORMED,                 false},
        {{"pcrs", "a100" HASH32},                         ATTEST_OK,                        false},
        {{"pcrs", "a10040"},                              ATTEST_MALFORMED,                 false},
        {{"pcrs", "a1184b" HASH48},                       ATTEST_MALFORMED,                 false},
        {{"pcrs", "a1181f" HASH48},                       ATTEST_OK,                        true },
        {{"pcrs", "a11820" HASH48},                       ATTEST_MALFORMED,                 false},
        {{"pcrs", "a120" HASH48},                         ATTEST_MALFORMED,                 false},
        {{"pcrs", "a16130" HASH48},                       ATTEST_MALFORMED,                 false},
        {{"pcrs", "a200" HASH48 "00" HASH48},             ATTEST_MALFORMED,                 false}, /* twice */
        {{"pcrs", "a300" ZERO48 "01" ZERO48 "02" ZERO48}, ATTEST_OK,                        true },
        {{"pcrs", "a300" ZERO48 "01" ZERO48 "02" HASH48}, ATTEST_OK,                        false},
        {{"pcrs", "a300" HASH48 "01" ZERO48 "02" ZERO48}, ATTEST_OK,                        false},
        {{"certificate", NULL},                           ATTEST_MALFORMED,                 false},
        {{"certificate", "40"},                           ATTEST_MALFORMED,                 false},
        {{"certificate", "433003a0"},                     ATTEST_CERTIFICATE_CHAIN_INVALID, false},
        {{"cabundle", NULL},                              ATTEST_MALFORMED,                 false},
        {{"cabundle", "80"},                              ATTEST_MALFORMED,                 false},
        {{"cabundle", "81f6"},                            ATTEST_MALFORMED,                 false},
        {{"cabundle", "8140"},                            ATTEST_MALFORMED,                 false},
        {{"cabundle", "81433003a0"},                      ATTEST_CERTIFICATE_CHAIN_INVALID, false},
        {{"cabundle", "f6"},                              ATTEST_MALFORMED,                 false},
        {{"cabundle", "874101410141014101410141014101"},  ATTEST_TOO_LARGE,                 false},
        {{"public_key", NULL},                            ATTEST_OK,                        false},
        {{"public_key", "f6"},                            ATTEST_OK,                        false},
        {{"public_key", "40"},                            ATTEST_MALFORMED,                 false},
        {{"public_key", "6170"},                          ATTEST_MALFORMED,                 false},
        {{"user_data", NULL},                             ATTEST_OK,                        false},
        {{"user_data", "40"},                             ATTEST_OK,                        false},
        {{"user_data", "6175"},                           ATTEST_MALFORMED,                 false},
        {{"nonce", NULL},                                 ATTEST_OK,                        false},
        {{"nonce", "6e"},                                 ATTEST_MALFORMED,                 false},
        {{"nonce", "616e"},                               ATTEST_MALFORMED,                 false},
    };

    (void)state;
    make_chain(0, FAULT_NONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;

        if (judge_made(&(struct made){.member = cases[i].member}, &r) != cases[i].reason)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(r.reason), r.presented,
                     r.expected);
        assert_int_equal(r.debug, cases[i].debug);
    }
}

/* 1024 bytes are the most; report data is user data of exactly 64. */
static void fields_of_the_callers_own_are_bounded(void **state)
{
    static const char *const fields[] = {"public_key", "user_data", "nonce"};
    static char hex[2 * 1028 + 1];
    const uint8_t zero[64] = {0};
    struct attest_result r;

    (void)state;
    make_chain(0, FAULT_NONE);
    memset(hex, '7', sizeof hex - 1);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const struct made m = {
            .member = {fields[i], hex}
        };

        memcpy(hex, "590400", 6);
        hex[2 * (3 + 1024)] = '\0';
        assert_int_equal(judge_made(&m, &r), ATTEST_OK);
        assert_memory_equal(r.report_data, zero, sizeof zero);
        hex[2 * (3 + 1024)] = '7';
        memcpy(hex, "590401", 6);
        assert_int_equal(judge_made(&m, &r), ATTEST_MALFORMED);
    }
    memcpy(hex, "584077", 6);
    hex[2 * (2 + 64)] = '\0';
    assert_int_equal(judge_made(
                         &(struct made){
                             .member = {"user_data", hex}
    },
                         &r),
                     ATTEST_OK);
    assert_int_equal(r.report_data[0], 0x77);
    assert_int_equal(r.report_data[63], 0x77);
}

/*
 * The envelope.
 */

static void envelopes_are_judged(void **state)
{
    static const struct {
        const char *protected_hex;
        uint8_t unprotected;
        enum attest_reason reason;
    } cases[] = {
        {"a1013822",         0,    ATTEST_OK                   },
        {"a10126",           0,    ATTEST_UNSUPPORTED_ALGORITHM}, /* ES256 */
        {"a1013823",         0,    ATTEST_UNSUPPORTED_ALGORITHM},
        {"a101654553333834", 0,    ATTEST_UNSUPPORTED_ALGORITHM},
        {"a2013822044101",   0,    ATTEST_MALFORMED            },
        {"820138",           0,    ATTEST_MALFORMED            },
        {"a0",               0,    ATTEST_UNSUPPORTED_ALGORITHM},
        {"a101382200",       0,    ATTEST_MALFORMED            },
        {"a1013822",         0xf6, ATTEST_MALFORMED            },
        {"a1013822",         0x80, ATTEST_MALFORMED            },
    };

    (void)state;
    make_chain(0, FAULT_NONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;

        if (judge_made(&(struct made){.protected_hex = cases[i].protected_hex,
                                      .unprotected = cases[i].unprotected},
                       &r) != cases[i].reason)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(r.reason), r.presented,
                     r.expected);
    }
}

static void a_signature_by_another_key_is_refused(void **state)
{
    struct attest_result r;

    (void)state;
    make_chain(0, FAULT_NONE);
    for (size_t i = ROOT; i < LEAF; i++)
        assert_int_equal(judge_made(&(struct made){.signer = keys[i]}, &r),
                         ATTEST_SIGNATURE_INVALID);
    assert_int_equal(judge_made(&(struct made){.signer = other_key}, &r), ATTEST_SIGNATURE_INVALID);
    assert_false(r.authentic);
}

/*
 * The chain.
 */

static void chains_are_judged_link_by_link(void **state)
{
    static const struct {
        int link;
        enum fault fault;
        enum attest_reason reason;
    } cases[] = {
        {ROOT,   SIGNED_BY_ANOTHER, ATTEST_CERTIFICATE_CHAIN_INVALID},
        {MIDDLE, SIGNED_BY_ANOTHER, ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ISSUER, SIGNED_BY_ANOTHER, ATTEST_CERTIFICATE_CHAIN_INVALID},
        {LEAF,   SIGNED_BY_ANOTHER, ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ROOT,   NAMES_ANOTHER,     ATTEST_CERTIFICATE_CHAIN_INVALID},
        {MIDDLE, NAMES_ANOTHER,     ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ISSUER, NAMES_ANOTHER,     ATTEST_CERTIFICATE_CHAIN_INVALID},
        {LEAF,   NAMES_ANOTHER,     ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ROOT,   NOT_YET,           ATTEST_CERTIFICATE_TIME         },
        {MIDDLE, NOT_YET,           ATTEST_CERTIFICATE_TIME         },
        {ISSUER, EXPIRED,           ATTEST_CERTIFICATE_TIME         },
        {LEAF,   EXPIRED,           ATTEST_CERTIFICATE_TIME         },
        {LEAF,   NOT_YET,           ATTEST_CERTIFICATE_TIME         },
        {MIDDLE, OTHER_ROLE,        ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ISSUER, OTHER_ROLE,        ATTEST_CERTIFICATE_CHAIN_INVALID},
        {LEAF,   OTHER_ROLE,        ATTEST_LEAF_IS_CA               },
        {ROOT,   PATH_SHORT,        ATTEST_CERTIFICATE_CHAIN_INVALID},
        {ROOT,   PATH_EXACT,        ATTEST_OK                       },
        {MIDDLE, PATH_SHORT,        ATTEST_CERTIFICATE_CHAIN_INVALID},
        {MIDDLE, PATH_EXACT,        ATTEST_OK                       },
        {ISSUER, PATH_EXACT,        ATTEST_OK                       },
        {ISSUER, SUBJECT_TWICE,     ATTEST_CERTIFICATE_CHAIN_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;

        make_chain(cases[i].link, cases[i].fault);
        if (judge_made(&(struct made){0}, &r) != cases[i].reason)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(r.reason), r.presented,
                     r.expected);
        assert_int_equal(r.authentic, r.reason == ATTEST_OK);
    }
}

static void bundles_with_other_certificates_are_refused(void **state)
{
    struct attest_result r;
    struct span root, leaf;

    (void)state;
    make_chain(0, FAULT_NONE);
    root = buffer_span(&chain[ROOT]);
    leaf = buffer_span(&chain[LEAF]);
    assert_int_equal(judge_made(&(struct made){.skip = 1}, &r), ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(judge_made(&(struct made){.repeat = 1}, &r), ATTEST_CERTIFICATE_CHAIN_INVALID);
    assert_int_equal(judge_made(&(struct made){.repeat = 4}, &r), ATTEST_TOO_LARGE);
    assert_int_equal(judge_made(&(struct made){.certificate = &root}, &r), ATTEST_LEAF_IS_CA);
    /* without a bundle a certificate that signs itself is its own authority */
    const struct member no_bundle = {"cabundle", "f6"};

    assert_int_equal(judge_made(&(struct made){.member = no_bundle, .certificate = &root}, &r),
                     ATTEST_ROOT_NOT_PINNED);
    assert_int_equal(judge_made(&(struct made){.member = no_bundle, .certificate = &leaf}, &r),
                     ATTEST_MALFORMED);
}

/*
 * Damage.
 */

static void every_prefix_tail_and_flipped_bit_is_refused(void **state)
{
    struct attest_cache *cache = NULL;
    struct buffer document = {0};
    struct attest_result r;

    (void)state;
    make_chain(0, FAULT_NONE);
    document_make(&(struct made){0}, &document);
    for (size_t size = 0; size < document.size; size++)
        assert_int_equal(judge(span_of(document.data, size), NULL, &r), ATTEST_MALFORMED);
    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_OK);
    for (size_t bit = 0; bit < 8 * document.size; bit += 37) {
        document.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge(buffer_span(&document), cache, &r) == ATTEST_OK || r.authentic)
            fail_msg("accepted with bit %zu flipped", bit);
        document.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_OK);
    assert_int_equal(buffer_append(&document, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_TRAILING_DATA);
    attest_cache_free(&cache);
    buffer_clear(&document);
}

/* What the cache knows says nothing about pins and time. */
static void a_cached_chain_is_judged_anew(void **state)
{
    struct attest_cache *cache = NULL;
    struct buffer document = {0};
    struct attest_trust nobody = {0}, pinned;
    struct attest_result r;

    (void)state;
    make_chain(0, FAULT_NONE);
    pinned = trust;
    document_make(&(struct made){0}, &document);
    assert_int_equal(attest_cache_new(2, &cache), ERR_NONE);
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_OK);
    trust = nobody;
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_ROOT_NOT_PINNED);
    trust = pinned;
    trust.roots[0].vendor = ATTEST_INTEL;
    assert_int_equal(judge(buffer_span(&document), cache, &r), ATTEST_ROOT_NOT_PINNED);
    trust = pinned;
    for (int later = -1; later <= 1; later += 2) {
        const struct attest_evidence evidence = {.kind = ATTEST_NITRO,
                                                 .bytes = buffer_span(&document)};
        const struct timestamp now = timestamp_of_seconds(NOW_S + later * (HOUR_S + 1));

        assert_int_equal(attest_verify(&trust, NULL, cache, &evidence, now, &r), ERR_DENIED);
        assert_int_equal(r.reason, ATTEST_CERTIFICATE_TIME);
        assert_non_null(strstr(r.presented, "says that it was made at 2025-10-09"));
    }
    attest_cache_free(&cache);
    buffer_clear(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_accepted_with_its_claims),
        cmocka_unit_test(documents_are_judged_member_by_member),
        cmocka_unit_test(fields_of_the_callers_own_are_bounded),
        cmocka_unit_test(envelopes_are_judged),
        cmocka_unit_test(a_signature_by_another_key_is_refused),
        cmocka_unit_test(chains_are_judged_link_by_link),
        cmocka_unit_test(bundles_with_other_certificates_are_refused),
        cmocka_unit_test(every_prefix_tail_and_flipped_bit_is_refused),
        cmocka_unit_test(a_cached_chain_is_judged_anew),
    };

    return cmocka_run_group_tests(tests, open_chain, close_chain);
}
