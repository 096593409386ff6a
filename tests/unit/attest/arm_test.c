/*
 * Real PSA and CCA tokens, and tokens made here with P-256 keys: every rule refuses on its own.
 *
 * VOUCHSAFE_EXHAUSTIVE=1 flips every bit of the real CCA token instead of a sample (half a minute).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/arm.h"
#include "base/text.h"
#include "support/tally.h"
#include "support/vectors.h"

#define FOLDER "attestation"
#define PSA "psa-tfm-psa-2.0.0"
#define CCA "cca-veraison-tfrmm"
#define CCA_OTHER_KEY "cca-veraison-otherkey"
#define FLIPS 400

static enum attest_reason judge(enum attest_tee kind, struct span token,
                                const struct attest_arm_key *key, struct attest_result *result)
{
    const struct attest_arm_key *keys[] = {key};
    const struct attest_collateral_set set = {.arm_key_count = key ? 1 : 0, .arm_keys = keys};
    const struct attest_evidence evidence = {.kind = kind, .bytes = token};
    const struct attest_trust nobody = {0};
    enum err e =
        attest_verify(&nobody, &set, NULL, &evidence, timestamp_of_seconds(1767225600), result);

    assert_true(e == ERR_NONE || e == ERR_DENIED);
    assert_int_equal(e == ERR_NONE, result->reason == ATTEST_OK);
    assert_true(result->reason == ATTEST_OK || result->step[0] != '\0');
    return result->reason;
}

/*
 * Stored tokens.
 */

struct arm_case {
    json_t *index;
    const json_t *expected;
    enum attest_tee kind;
    struct buffer token;
    struct buffer pem;
    struct attest_arm_key *key;
};

static void read_relative(const char *path, struct buffer *out)
{
    char full[512];

    (void)snprintf(full, sizeof full, "%s/%s", FOLDER, path);
    vectors_read(full, out);
}

static struct span instance_of(enum attest_tee kind, struct span token)
{
    struct arm_platform p;
    struct arm_realm realm;
    struct refusal r;

    assert_int_equal(kind == ATTEST_PSA ? arm_psa_parse(token, &p, &r)
                                        : arm_cca_parse(token, &p, &realm, &r),
                     ERR_NONE);
    return p.instance_id;
}

static bool case_load(const char *id, struct arm_case *out)
{
    const json_t *entry = NULL;
    const json_t *collateral;
    const char *pem;
    enum attest_reason reason;
    size_t i;
    json_t *each;

    *out = (struct arm_case){0};
    if (!vectors_have(FOLDER "/index.json", "Arm tokens"))
        return false;
    out->index = vectors_json(FOLDER "/index.json");
    json_array_foreach(json_object_get(out->index, "cases"), i, each)
    {
        if (strcmp(json_string_value(json_object_get(each, "id")), id) == 0)
            entry = each;
    }
    assert_non_null(entry);
    out->expected = json_object_get(entry, "expected");
    assert_int_equal(
        attest_tee_parse(span_string(json_string_value(json_object_get(entry, "tee"))), &out->kind),
        ERR_NONE);
    read_relative(json_string_value(json_object_get(entry, "evidence")), &out->token);
    collateral = json_object_get(entry, "collateral");
    pem = json_string_value(
        json_object_get(collateral, out->kind == ATTEST_PSA ? "iak" : "platform_key"));
    read_relative(pem, &out->pem);
    assert_int_equal(attest_arm_key_new(instance_of(out->kind, buffer_span(&out->token)),
                                        buffer_span(&out->pem), &out->key, &reason),
                     ERR_NONE);
    return true;
}

static void case_clear(struct arm_case *c)
{
    attest_arm_key_free(&c->key);
    buffer_clear(&c->token);
    buffer_clear(&c->pem);
    json_decref(c->index);
}

static void check_hex(const json_t *object, const char *member, struct span got)
{
    const char *expected = json_string_value(json_object_get(object, member));
    char hex[2 * 256 + 1];

    assert_non_null(expected);
    assert_in_range(got.size, 1, 256);
    hex_write(got, hex);
    assert_string_equal(hex, expected);
}

static void check_text(const json_t *object, const char *member, struct span got)
{
    const char *expected = json_string_value(json_object_get(object, member));

    assert_non_null(expected);
    assert_true(span_equal_string(got, expected));
}

static void check_number(const json_t *object, const char *member, int64_t got)
{
    assert_true(json_is_integer(json_object_get(object, member)));
    assert_int_equal(json_integer_value(json_object_get(object, member)), got);
}

static void test_a_stored_psa_token_is_accepted_with_its_claims(void **state)
{
    struct attest_result r;
    struct arm_platform p;
    struct refusal refusal;
    struct arm_case c;
    const json_t *claims;

    (void)state;
    if (!case_load(PSA, &c))
        skip();
    claims = json_object_get(c.expected, "claims");
    assert_int_equal(arm_psa_parse(buffer_span(&c.token), &p, &refusal), ERR_NONE);
    check_text(claims, "265", p.profile);
    check_number(claims, "2394", p.client_id);
    check_text(claims, "2398", p.certification);
    check_text(claims, "2400", p.service);
    assert_int_equal(judge(c.kind, buffer_span(&c.token), c.key, &r), ATTEST_OK);
    assert_true(r.authentic);
    assert_string_equal(r.tee, "arm-psa");
    assert_false(r.debug);
    check_text(claims, "265", r.arm.profile);
    check_hex(claims, "10", r.arm.nonce);
    check_hex(claims, "10", span_of(r.report_data, r.arm.nonce.size));
    check_hex(claims, "256", r.arm.instance_id);
    check_hex(claims, "2396", r.arm.implementation_id);
    check_hex(claims, "2397", r.arm.boot_seed);
    check_number(claims, "2395", r.arm.lifecycle);
    assert_int_equal(r.arm.component_count, 2);
    assert_true(span_equal_string(r.arm.components[0].type, "SPE"));
    assert_true(span_equal_string(r.arm.components[1].version, "0.0.0"));
    assert_int_equal(r.arm.components[1].measurement.size, 32);
    assert_int_equal(r.arm.components[1].signer.size, 32);
    assert_null(r.arm.challenge.data);
    case_clear(&c);
}

static void check_realm(const json_t *realm, const struct arm_claims *claims)
{
    const json_t *extensible = json_object_get(realm, "rem");
    char hex[2 * 64 + 1];

    check_hex(realm, "challenge", claims->challenge);
    check_hex(realm, "rpv", claims->personalization);
    check_hex(realm, "public_key", claims->public_key);
    check_hex(realm, "rim", claims->initial_measurement);
    check_text(realm, "hash_alg", claims->realm_hash_algorithm);
    assert_int_equal(json_array_size(extensible), 4);
    for (size_t i = 0; i < 4; i++) {
        hex_write(claims->extensible_measurements[i], hex);
        assert_string_equal(hex, json_string_value(json_array_get(extensible, i)));
    }
}

static void check_platform(const json_t *platform, const struct arm_platform *p)
{
    check_text(platform, "265", p->profile);
    check_hex(platform, "10", p->nonce);
    check_hex(platform, "2396", p->implementation_id);
    check_hex(platform, "256", p->instance_id);
    check_hex(platform, "2401", p->config);
    check_number(platform, "2395", p->lifecycle);
    check_text(platform, "2400", p->service);
    check_text(platform, "2402", p->hash_algorithm);
    assert_int_equal(p->component_count, 4);
    assert_true(span_equal_string(p->components[0].type, "BL"));
    assert_true(span_equal_string(p->components[3].type, "M3"));
}

static void test_a_stored_cca_token_is_accepted_with_its_claims(void **state)
{
    struct attest_result r;
    struct arm_platform p;
    struct arm_realm realm;
    struct refusal refusal;
    struct arm_case c;

    (void)state;
    if (!case_load(CCA, &c))
        skip();
    assert_int_equal(arm_cca_parse(buffer_span(&c.token), &p, &realm, &refusal), ERR_NONE);
    check_platform(json_object_get(c.expected, "platform"), &p);
    check_text(json_object_get(c.expected, "realm"), "public_key_hash_alg", realm.public_key_hash);
    assert_int_equal(judge(c.kind, buffer_span(&c.token), c.key, &r), ATTEST_OK);
    assert_true(r.authentic);
    assert_string_equal(r.tee, "arm-cca");
    check_realm(json_object_get(c.expected, "realm"), &r.arm);
    check_hex(json_object_get(c.expected, "realm"), "challenge", SPAN_OF(r.report_data));
    check_hex(json_object_get(c.expected, "platform"), "2401", r.arm.config);
    assert_int_equal(r.arm.component_count, 4);
    case_clear(&c);
}

static void test_a_token_of_another_key_is_refused_by_its_signature(void **state)
{
    struct attest_result r;
    struct arm_platform p;
    struct arm_realm realm;
    struct refusal refusal;
    struct arm_case c;

    (void)state;
    if (!case_load(CCA_OTHER_KEY, &c))
        skip();
    assert_int_equal(arm_cca_parse(buffer_span(&c.token), &p, &realm, &refusal), ERR_NONE);
    check_platform(json_object_get(c.expected, "platform"), &p);
    assert_string_equal(json_string_value(json_object_get(c.expected, "reason")),
                        attest_reason_code(judge(c.kind, buffer_span(&c.token), c.key, &r)));
    assert_false(r.authentic);
    case_clear(&c);
}

static void test_without_the_instances_key_collateral_is_missing(void **state)
{
    const char *const ids[] = {PSA, CCA};
    struct attest_result r;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct attest_arm_key *other = NULL;
        enum attest_reason reason;
        struct arm_case c;

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(judge(c.kind, buffer_span(&c.token), NULL, &r), ATTEST_COLLATERAL_MISSING);
        assert_int_equal(attest_arm_key_new(SPAN_LITERAL("\x01 another instance"),
                                            buffer_span(&c.pem), &other, &reason),
                         ERR_NONE);
        assert_int_equal(judge(c.kind, buffer_span(&c.token), other, &r),
                         ATTEST_COLLATERAL_MISSING);
        assert_false(r.authentic);
        attest_arm_key_free(&other);
        case_clear(&c);
    }
}

static void test_tokens_are_known_by_their_form(void **state)
{
    const char *const ids[] = {PSA, CCA, CCA_OTHER_KEY};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct arm_case c;

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(attest_evidence_kind(buffer_span(&c.token)), c.kind);
        case_clear(&c);
    }
}

static void test_every_prefix_is_refused(void **state)
{
    const char *const ids[] = {PSA, CCA};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct attest_result r;
        struct arm_case c;

        if (!case_load(ids[i], &c))
            skip();
        for (size_t size = 0; size < c.token.size; size++)
            assert_int_equal(judge(c.kind, span_of(c.token.data, size), c.key, &r),
                             ATTEST_MALFORMED);
        case_clear(&c);
    }
}

static void test_trailing_bytes_are_refused(void **state)
{
    const char *const ids[] = {PSA, CCA};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct attest_result r;
        struct arm_case c;

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(buffer_append(&c.token, SPAN_LITERAL("\0")), ERR_NONE);
        assert_int_equal(judge(c.kind, buffer_span(&c.token), c.key, &r), ATTEST_TRAILING_DATA);
        case_clear(&c);
    }
}

static void test_every_flipped_bit_is_refused(void **state)
{
    const char *const ids[] = {PSA, CCA};
    const bool exhaustive = getenv("VOUCHSAFE_EXHAUSTIVE") != NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct attest_result r;
        struct arm_case c;
        size_t step;

        if (!case_load(ids[i], &c))
            skip();
        step = exhaustive ? 1 : 8 * c.token.size / FLIPS + 1;
        for (size_t bit = 0; bit < 8 * c.token.size; bit += step) {
            c.token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (judge(c.kind, buffer_span(&c.token), c.key, &r) == ATTEST_OK)
                fail_msg("%s: accepted with bit %zu flipped", ids[i], bit);
            c.token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(judge(c.kind, buffer_span(&c.token), c.key, &r), ATTEST_OK);
        case_clear(&c);
    }
}

/* Both tokens are real and signed, but the platform certified another realm's key. */
static void test_a_realm_of_another_platform_is_refused(void **state)
{
    struct cbor_value parts[2];
    struct cbor_value map;
    struct attest_result r;
    struct arm_case platform;
    struct arm_case realm;
    struct buffer token = {0};
    uint8_t head[16];
    struct writer w = writer_over(head, sizeof head);
    struct span written;
    uint64_t tag;

    (void)state;
    if (!case_load(CCA, &platform) || !case_load(CCA_OTHER_KEY, &realm))
        skip();
    for (size_t i = 0; i < 2; i++) {
        struct cbor_value document;

        assert_int_equal(
            cbor_parse(buffer_span(i == 0 ? &platform.token : &realm.token), &document, NULL),
            ERR_NONE);
        assert_int_equal(cbor_tagged(document, &tag, &map), ERR_NONE);
        assert_int_equal(cbor_label(map, i == 0 ? 44234 : 44241, &parts[i]), ERR_NONE);
    }
    cbor_put_tag(&w, 399);
    cbor_put_map(&w, 2);
    cbor_put_uint(&w, 44234);
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    assert_int_equal(buffer_append(&token, written), ERR_NONE);
    assert_int_equal(buffer_append(&token, parts[0].raw), ERR_NONE);
    w = writer_over(head, sizeof head);
    cbor_put_uint(&w, 44241);
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    assert_int_equal(buffer_append(&token, written), ERR_NONE);
    assert_int_equal(buffer_append(&token, parts[1].raw), ERR_NONE);
    assert_int_equal(judge(ATTEST_CCA, buffer_span(&token), platform.key, &r),
                     ATTEST_BINDING_MISMATCH);
    assert_false(r.authentic);
    buffer_clear(&token);
    case_clear(&platform);
    case_clear(&realm);
}

/*
 * Tokens made here.
 */

#define INSTANCE                                                                                   \
    "\x01"                                                                                         \
    "instance.instance.instance.insta"

/* One claim, written unchanged. `hex` NULL: left out. */
struct made_claim {
    int64_t label;
    const char *hex;
};

static struct p256_private *key_of(uint8_t seed)
{
    uint8_t scalar[P256_SCALAR_SIZE] = {0};
    struct p256_private *key = NULL;

    scalar[P256_SCALAR_SIZE - 1] = seed;
    assert_int_equal(p256_private_from_scalar(scalar, &key), ERR_NONE);
    return key;
}

static struct attest_arm_key *endorse(const struct p256_private *key)
{
    /* SubjectPublicKeyInfo up to the point: id-ecPublicKey, prime256v1 */
    static const char head[] = "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a"
                               "\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
    uint8_t spki[sizeof head - 1 + P256_POINT_SIZE];
    struct attest_arm_key *endorsed = NULL;
    enum attest_reason reason;

    memcpy(spki, head, sizeof head - 1);
    p256_private_point(key, spki + sizeof head - 1);
    assert_int_equal(attest_arm_key_new(SPAN_LITERAL(INSTANCE), SPAN_OF(spki), &endorsed, &reason),
                     ERR_NONE);
    return endorsed;
}

static void put_hex(struct writer *w, const char *hex)
{
    uint8_t bytes[2048];
    size_t size = strlen(hex) / 2;

    assert_in_range(size, 0, sizeof bytes);
    assert_int_equal(hex_read(span_string(hex), bytes, size), ERR_NONE);
    writer_put(w, span_of(bytes, size));
}

/* The claims of `base`; those of `change` replace them or follow them. */
static void put_claims(struct writer *w, const struct made_claim *base, size_t base_count,
                       const struct made_claim *change)
{
    bool replaced = false;
    size_t count = 0;
    uint8_t space[4096];
    struct writer members = writer_over(space, sizeof space);
    struct span written;

    for (size_t i = 0; i <= base_count; i++) {
        const struct made_claim *claim = i < base_count ? &base[i] : change;

        if (i < base_count && change && change->label == claim->label) {
            claim = change;
            replaced = true;
        } else if (i == base_count && replaced) {
            continue;
        }
        if (!claim || !claim->hex)
            continue;
        cbor_put_int(&members, claim->label);
        put_hex(&members, claim->hex);
        count++;
    }
    assert_int_equal(writer_finish(&members, &written), ERR_NONE);
    cbor_put_map(w, count);
    writer_put(w, written);
}

static void put_sign1(struct writer *w, struct span payload, const struct p256_private *key)
{
    const struct cose_sign1 s = {.protected_header = SPAN_LITERAL("\xa1\x01\x26"),
                                 .payload = payload};
    struct buffer message = {0};
    uint8_t signature[P256_SIGNATURE_SIZE];

    assert_int_equal(cose_sign1_message(&s, &message), ERR_NONE);
    assert_int_equal(p256_sign(key, buffer_span(&message), signature), ERR_NONE);
    cbor_put_tag(w, 18);
    cbor_put_array(w, 4);
    cbor_put_bytes(w, s.protected_header);
    cbor_put_map(w, 0);
    cbor_put_bytes(w, payload);
    cbor_put_bytes(w, SPAN_OF(signature));
    buffer_clear(&message);
}

#define HASH "58200101010101010101010101010101010101010101010101010101010101010101"
#define BYTES64                                                                                    \
    "5840"                                                                                         \
    "0202020202020202020202020202020202020202020202020202020202020202"                             \
    "0202020202020202020202020202020202020202020202020202020202020202"
#define INSTANCE_HEX "582101696e7374616e63652e696e7374616e63652e696e7374616e63652e696e737461"
#define COMPONENT "a202" HASH "05" HASH
#define PROFILE_2 "7818687474703a2f2f61726d2e636f6d2f7073612f322e302e30"
#define PROFILE_RFC "78217461673a7073616365727469666965642e6f72672c323032333a7073612374666d"
#define PROFILE_1 "715053415f494f545f50524f46494c455f31"

static const struct made_claim psa_base[] = {
    {265,  PROFILE_2     },
    {2394, "01"          },
    {2395, "193000"      },
    {2396, HASH          },
    {2399, "81" COMPONENT},
    {10,   HASH          },
    {256,  INSTANCE_HEX  },
};

/* What judge_psa() or judge_cca() judged last. */
static struct span last_token;

static enum attest_reason judge_psa(const struct made_claim *base, size_t count,
                                    const struct made_claim *change, struct attest_result *r)
{
    struct p256_private *key = key_of(7);
    struct attest_arm_key *endorsed = endorse(key);
    static uint8_t payload_space[4096];
    static uint8_t space[8192];
    struct writer payload = writer_over(payload_space, sizeof payload_space);
    struct writer w = writer_over(space, sizeof space);
    struct span claims;
    struct span token;
    enum attest_reason reason;

    put_claims(&payload, base, count, change);
    assert_int_equal(writer_finish(&payload, &claims), ERR_NONE);
    put_sign1(&w, claims, key);
    assert_int_equal(writer_finish(&w, &token), ERR_NONE);
    reason = judge(ATTEST_PSA, token, endorsed, r);
    last_token = token;
    tally_made(1);
    attest_arm_key_free(&endorsed);
    p256_private_free(&key);
    return reason;
}

static void test_made_psa_tokens_are_judged_claim_by_claim(void **state)
{
    static const struct {
        struct made_claim change;
        enum attest_reason expected;
    } cases[] = {
  /* an unknown claim */
        {{0, "f6"},                                                                       ATTEST_OK                 },
 /* then it is profile 1, whose claims are missing */
        {{265, NULL},                                                                     ATTEST_MALFORMED          },
        {{265, "6161"},                                                                   ATTEST_UNSUPPORTED_VERSION},
        {{265, "01"},                                                                     ATTEST_UNSUPPORTED_VERSION},
 /* with the number of another profile */
        {{265, PROFILE_1},                                                                ATTEST_UNSUPPORTED_VERSION},
 /* next to another profile */
        {{-75000, PROFILE_1},                                                             ATTEST_UNSUPPORTED_VERSION},
        {{265, PROFILE_RFC},                                                              ATTEST_OK                 },
        {{2394, "20"},                                                                    ATTEST_OK                 }, /* -1 */
        {{2394, NULL},                                                                    ATTEST_MALFORMED          },
        {{2394, "1a80000000"},                                                            ATTEST_MALFORMED          },
        {{2394, "6131"},                                                                  ATTEST_MALFORMED          },
        {{2395, "1930ff"},                                                                ATTEST_OK                 },
        {{2395, "193100"},                                                                ATTEST_DEBUG              },
        {{2395, "192000"},                                                                ATTEST_DEBUG              },
 /* debug of a part other than the root of trust */
        {{2395, "194000"},                                                                ATTEST_DEBUG              },
        {{2395, "195000"},                                                                ATTEST_DEBUG              }, /* recoverable debug of the root of trust */
        {{2395, "196000"},                                                                ATTEST_DEBUG              },
        {{2395, "00"},                                                                    ATTEST_DEBUG              },
        {{2395, "1a00013000"},                                                            ATTEST_MALFORMED          },
        {{2395, "20"},                                                                    ATTEST_MALFORMED          },
        {{2395, NULL},                                                                    ATTEST_MALFORMED          },
        {{2396, BYTES64},                                                                 ATTEST_MALFORMED          },
        {{2396, NULL},                                                                    ATTEST_MALFORMED          },
        {{2397, "41aa"},                                                                  ATTEST_MALFORMED          },
        {{2397, "48a0a1a2a3a4a5a6a7"},                                                    ATTEST_OK                 },
        {{2397, HASH},                                                                    ATTEST_OK                 },
        {{2397, BYTES64},                                                                 ATTEST_MALFORMED          },
        {{2398, "40"},                                                                    ATTEST_MALFORMED          },
        {{2398, "6130"},                                                                  ATTEST_OK                 },
        {{2399, NULL},                                                                    ATTEST_MALFORMED          },
        {{2399, "80"},                                                                    ATTEST_MALFORMED          },
        {{2399, "9f" COMPONENT COMPONENT "ff"},                                           ATTEST_OK                 },
        {{2399, "81a102" HASH},                                                           ATTEST_MALFORMED          }, /* no signer */
        {{2399, "81a105" HASH},                                                           ATTEST_MALFORMED          }, /* no measurement */
        {{2399, "81a2024101"
                "05" HASH},
         ATTEST_MALFORMED                                                                                           },
        {{2399, "81f6"},                                                                  ATTEST_MALFORMED          },
        {{2399, "a0"},                                                                    ATTEST_MALFORMED          },
        {{2399, "91" COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT
                    COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT COMPONENT
                        COMPONENT},
         ATTEST_TOO_LARGE                                                                                           },
        {{10, NULL},                                                                      ATTEST_MALFORMED          },
        {{10, "4101"},                                                                    ATTEST_MALFORMED          },
        {{10, "81" HASH},                                                                 ATTEST_MALFORMED          },
        {{10, BYTES64},                                                                   ATTEST_OK                 },
        {{256, NULL},                                                                     ATTEST_MALFORMED          },
        {{256, HASH},                                                                     ATTEST_MALFORMED          },
        {{256, "582102696e7374616e63652e696e7374616e63652e696e7374616e63652e696e737461"},
         ATTEST_MALFORMED                                                                                           }, /* no UEID of the kind RAND */
        {{256, "582101696e7374616e63652e696e7374616e63652e696e7374616e63652e696e737462"},
         ATTEST_COLLATERAL_MISSING                                                                                  },
        {{3, "f93c00"},                                                                   ATTEST_MALFORMED          }, /* a float */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;
        enum attest_reason reason = judge_psa(psa_base, COUNT_OF(psa_base), &cases[i].change, &r);

        if (reason != cases[i].expected)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(reason), r.presented,
                     r.expected);
        assert_int_equal(r.authentic, reason == ATTEST_OK || reason == ATTEST_DEBUG);
    }
}

static void test_the_first_psa_profile_is_read_under_its_own_numbers(void **state)
{
    static const struct made_claim base[] = {
        {-75000, PROFILE_1     },
        {-75001, "01"          },
        {-75002, "193001"      },
        {-75003, HASH          },
        {-75004, HASH          },
        {-75006, "81" COMPONENT},
        {-75008, BYTES64       },
        {-75009, INSTANCE_HEX  },
    };
    const struct made_claim without_name = {-75000, NULL};
    const struct made_claim without_nonce = {-75008, NULL};
    struct attest_result r;

    (void)state;
    assert_int_equal(judge_psa(base, COUNT_OF(base), NULL, &r), ATTEST_OK);
    assert_int_equal(r.arm.lifecycle, 0x3001);
    assert_int_equal(r.arm.boot_seed.size, 32);
    assert_int_equal(r.arm.nonce.size, 64);
    assert_int_equal(r.report_data[63], 2);
    assert_int_equal(judge_psa(base, COUNT_OF(base), &without_name, &r), ATTEST_OK);
    assert_null(r.arm.profile.data);
    assert_int_equal(judge_psa(base, COUNT_OF(base), &without_nonce, &r), ATTEST_MALFORMED);
}

/* Both parts signed with P-256 keys of ours. */
struct made_cca {
    struct made_claim platform, realm; /* one claim of each, replaced */
    const char *public_key; /* claim 44237; NULL: the realm's own key, in the form of its profile */
    bool other_signer;      /* another key signs for the realm */
};

#define PROFILE_CCA "781c687474703a2f2f61726d2e636f6d2f4343412d5353442f312e302e30"
#define PROFILE_REALM "781c7461673a61726d2e636f6d2c323032333a7265616c6d23312e302e30"
#define PROFILE_CCA_2024 "781f7461673a61726d2e636f6d2c323032343a706c6174666f726d23322e302e30"
#define PROFILE_REALM_2024 "781c7461673a61726d2e636f6d2c323032343a7265616c6d23322e302e30"
#define PROFILE_REALM_2025 "781c7461673a61726d2e636f6d2c323032353a7265616c6d23322e302e30"
#define SHA_256 "677368612d323536"

static struct span realm_key_claim(const struct made_cca *made, const struct p256_private *key,
                                   uint8_t *space, size_t capacity)
{
    struct writer w = writer_over(space, capacity);
    uint8_t point[P256_POINT_SIZE];
    struct span written;

    p256_private_point(key, point);
    if (made->public_key) {
        put_hex(&w, made->public_key);
    } else if (made->realm.label == 265 && !made->realm.hex) {
        writer_u8(&w, 0x04);
        writer_put(&w, SPAN_OF(point));
    } else {
        put_hex(&w, "a401022001215820");
        writer_put(&w, span_of(point, 32));
        put_hex(&w, "225820");
        writer_put(&w, span_of(point + 32, 32));
    }
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    return written;
}

static void hex_of_bytes(struct span bytes, char *out, size_t capacity)
{
    uint8_t space[300];
    struct writer w = writer_over(space, sizeof space);
    struct span written;

    cbor_put_bytes(&w, bytes);
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    assert_in_range(2 * written.size + 1, 1, capacity);
    hex_write(written, out);
}

static enum attest_reason judge_cca(const struct made_cca *made, struct attest_result *r)
{
    struct p256_private *platform_key = key_of(7);
    struct p256_private *realm_key = key_of(9);
    struct p256_private *other_key = key_of(11);
    struct attest_arm_key *endorsed = endorse(platform_key);
    static uint8_t space[4][4096];
    struct writer w[4];
    struct span written[4];
    uint8_t hash[SHA256_SIZE];
    char nonce_hex[600];
    char key_hex[600];
    struct span key_claim = realm_key_claim(made, realm_key, space[0], sizeof space[0]);
    enum attest_reason reason;

    sha256(key_claim, hash);
    hex_of_bytes(SPAN_OF(hash), nonce_hex, sizeof nonce_hex);
    hex_of_bytes(key_claim, key_hex, sizeof key_hex);
    const struct made_claim platform[] = {
        {265,  PROFILE_CCA   },
        {10,   nonce_hex     },
        {2396, HASH          },
        {256,  INSTANCE_HEX  },
        {2401, "4101"        },
        {2395, "193000"      },
        {2399, "81" COMPONENT},
        {2402, SHA_256       },
    };
    const struct made_claim realm[] = {
        {265,   PROFILE_REALM           },
        {10,    BYTES64                 },
        {44235, BYTES64                 },
        {44236, SHA_256                 },
        {44237, key_hex                 },
        {44238, HASH                    },
        {44239, "84" HASH HASH HASH HASH},
        {44240, SHA_256                 },
    };
    for (size_t i = 0; i < COUNT_OF(w); i++)
        w[i] = writer_over(space[i], sizeof space[i]);
    put_claims(&w[0], platform, COUNT_OF(platform), &made->platform);
    put_claims(&w[1], realm, COUNT_OF(realm), &made->realm);
    assert_int_equal(writer_finish(&w[0], &written[0]), ERR_NONE);
    assert_int_equal(writer_finish(&w[1], &written[1]), ERR_NONE);
    put_sign1(&w[2], written[0], platform_key);
    put_sign1(&w[3], written[1], made->other_signer ? other_key : realm_key);
    assert_int_equal(writer_finish(&w[2], &written[2]), ERR_NONE);
    assert_int_equal(writer_finish(&w[3], &written[3]), ERR_NONE);
    w[0] = writer_over(space[0], sizeof space[0]);
    cbor_put_tag(&w[0], 399);
    cbor_put_map(&w[0], 2);
    cbor_put_uint(&w[0], 44234);
    cbor_put_bytes(&w[0], written[2]);
    cbor_put_uint(&w[0], 44241);
    cbor_put_bytes(&w[0], written[3]);
    assert_int_equal(writer_finish(&w[0], &written[0]), ERR_NONE);
    reason = judge(ATTEST_CCA, written[0], endorsed, r);
    last_token = written[0];
    tally_made(1);
    attest_arm_key_free(&endorsed);
    p256_private_free(&platform_key);
    p256_private_free(&realm_key);
    p256_private_free(&other_key);
    return reason;
}

static void test_made_cca_tokens_are_judged_claim_by_claim(void **state)
{
    static const struct made_claim none = {0, "f6"};
    const struct {
        struct made_cca made;
        enum attest_reason expected;
    } cases[] = {
        {{none, none, NULL, false},                                         ATTEST_OK                     },
        {{none, {265, NULL}, NULL, false},                                  ATTEST_OK                     }, /* the first profile: a bare point */
        {{{265, PROFILE_CCA_2024}, {265, PROFILE_REALM_2024}, NULL, false}, ATTEST_OK                     },
        {{{265, PROFILE_CCA_2024}, none, NULL, false},                      ATTEST_OK                     },
        {{none, {265, PROFILE_REALM_2024}, NULL, false},                    ATTEST_OK                     },
        {{none, {265, PROFILE_REALM_2025}, NULL, false},                    ATTEST_UNSUPPORTED_VERSION    },
        {{{265, PROFILE_REALM_2024}, none, NULL, false},                    ATTEST_UNSUPPORTED_VERSION    },
        {{none, none, NULL, true},                                          ATTEST_SIGNATURE_INVALID      },
        {{{10, HASH}, none, NULL, false},                                   ATTEST_BINDING_MISMATCH       },
        {{{10, BYTES64}, none, NULL, false},                                ATTEST_BINDING_MISMATCH       },
        {{none, {44240, "677368612d353132"}, NULL, false},                  ATTEST_BINDING_MISMATCH       }, /* sha-512 */
        {{none, {44240, "63736861"}, NULL, false},                          ATTEST_UNSUPPORTED_ALGORITHM  },
        {{none, {44240, NULL}, NULL, false},                                ATTEST_MALFORMED              },
        {{{2395, "194000"}, none, NULL, false},                             ATTEST_DEBUG                  },
        {{{265, PROFILE_2}, none, NULL, false},                             ATTEST_UNSUPPORTED_VERSION    },
        {{{265, NULL}, none, NULL, false},                                  ATTEST_MALFORMED              },
        {{{2401, NULL}, none, NULL, false},                                 ATTEST_MALFORMED              },
        {{{2402, NULL}, none, NULL, false},                                 ATTEST_MALFORMED              },
        {{{2399, "80"}, none, NULL, false},                                 ATTEST_MALFORMED              },
        {{{256, HASH}, none, NULL, false},                                  ATTEST_MALFORMED              },
        {{none, {265, PROFILE_CCA}, NULL, false},                           ATTEST_UNSUPPORTED_VERSION    },
        {{none, {10, HASH}, NULL, false},                                   ATTEST_MALFORMED              },
        {{none, {44235, HASH}, NULL, false},                                ATTEST_MALFORMED              },
        {{none, {44236, NULL}, NULL, false},                                ATTEST_MALFORMED              },
        {{none, {44238, "4101"}, NULL, false},                              ATTEST_MALFORMED              },
        {{none, {44239, "83" HASH HASH HASH}, NULL, false},                 ATTEST_MALFORMED              },
        {{none, {44239, "84" HASH HASH HASH "f6"}, NULL, false},            ATTEST_MALFORMED              },
 /* keys: not CBOR, off the curve, an unknown curve, another kind, too short, more than one
  item */
        {{none, none, "04", false},                                         ATTEST_ATTESTATION_KEY_INVALID},
        {{none, none, "a40102200121" HASH "22" HASH, false},                ATTEST_ATTESTATION_KEY_INVALID},
        {{none, none, "a40102200321" HASH "22" HASH, false},                ATTEST_ATTESTATION_KEY_INVALID},
        {{none, none, "a40101200121" HASH "22" HASH, false},                ATTEST_ATTESTATION_KEY_INVALID},
        {{none, none, "a401022001214101224102", false},                     ATTEST_ATTESTATION_KEY_INVALID},
        {{none, none,
          "a301022001"
          "21" HASH,
          false},
         ATTEST_ATTESTATION_KEY_INVALID                                                                   },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct attest_result r;
        enum attest_reason reason = judge_cca(&cases[i].made, &r);

        if (reason != cases[i].expected)
            fail_msg("case %zu: %s: %s, not %s", i, attest_reason_code(reason), r.presented,
                     r.expected);
        assert_int_equal(r.authentic, reason == ATTEST_OK || reason == ATTEST_DEBUG);
    }
}

/* `last_token`, which is good: damaged, and with the endorsement of another key. */
static void check_damage(enum attest_tee kind)
{
    struct p256_private *keys[] = {key_of(7), key_of(8)};
    struct attest_arm_key *endorsed = endorse(keys[0]);
    struct attest_arm_key *another = endorse(keys[1]);
    struct buffer token = {0};
    struct attest_result r;

    assert_int_equal(buffer_append(&token, last_token), ERR_NONE);
    assert_int_equal(attest_evidence_kind(buffer_span(&token)), kind);
    for (size_t size = 0; size < token.size; size++)
        assert_int_equal(judge(kind, span_of(token.data, size), endorsed, &r), ATTEST_MALFORMED);
    for (size_t bit = 0; bit < 8 * token.size; bit += 7) {
        token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (judge(kind, buffer_span(&token), endorsed, &r) == ATTEST_OK || r.authentic)
            fail_msg("accepted with bit %zu flipped", bit);
        token.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(judge(kind, buffer_span(&token), endorsed, &r), ATTEST_OK);
    assert_int_equal(judge(kind, buffer_span(&token), another, &r), ATTEST_SIGNATURE_INVALID);
    assert_int_equal(judge(kind, buffer_span(&token), NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_int_equal(buffer_append(&token, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(judge(kind, buffer_span(&token), endorsed, &r), ATTEST_TRAILING_DATA);
    buffer_clear(&token);
    attest_arm_key_free(&endorsed);
    attest_arm_key_free(&another);
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        p256_private_free(&keys[i]);
}

static void test_made_tokens_are_refused_when_damaged_or_of_another_key(void **state)
{
    const struct made_cca good = {
        {0, "f6"},
        {0, "f6"},
        NULL, false
    };
    struct attest_result r;

    (void)state;
    assert_int_equal(judge_psa(psa_base, COUNT_OF(psa_base), NULL, &r), ATTEST_OK);
    check_damage(ATTEST_PSA);
    assert_int_equal(judge_cca(&good, &r), ATTEST_OK);
    check_damage(ATTEST_CCA);
}

static void test_endorsements_are_checked(void **state)
{
    static const char other_curve[] = /* secp256k1 */
        "-----BEGIN PUBLIC KEY-----\n"
        "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\n"
        "WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==\n"
        "-----END PUBLIC KEY-----\n";
    const uint8_t long_id[ATTEST_ARM_INSTANCE_MAX + 1] = {1};
    struct attest_arm_key *key = NULL;
    enum attest_reason reason = ATTEST_OK;

    (void)state;
    assert_int_equal(attest_arm_key_new(SPAN_LITERAL("\x01"), SPAN_LITERAL(""), &key, &reason),
                     ERR_DENIED);
    assert_int_equal(reason, ATTEST_MALFORMED);
    assert_int_equal(
        attest_arm_key_new(SPAN_LITERAL("\x01"), span_string(other_curve), &key, &reason),
        ERR_DENIED);
    assert_int_equal(attest_arm_key_new((struct span){0}, SPAN_LITERAL(""), &key, &reason),
                     ERR_DENIED);
    assert_int_equal(attest_arm_key_new(SPAN_OF(long_id), SPAN_LITERAL(""), &key, &reason),
                     ERR_DENIED);
    assert_null(key);
}

static void test_refuses_too_large_input_before_reading_it(void **state)
{
    static uint8_t bytes[ARM_TOKEN_MAX + 1];
    struct attest_result r;

    (void)state;
    memset(bytes, 0x81, sizeof bytes);
    assert_int_equal(judge(ATTEST_PSA, SPAN_OF(bytes), NULL, &r), ATTEST_TOO_LARGE);
    assert_int_equal(judge(ATTEST_CCA, SPAN_OF(bytes), NULL, &r), ATTEST_TOO_LARGE);
    assert_int_equal(judge(ATTEST_PSA, span_of(bytes, 10), NULL, &r), ATTEST_TOO_LARGE);
    assert_int_equal(judge(ATTEST_PSA, span_of(bytes, 8), NULL, &r), ATTEST_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stored_psa_token_is_accepted_with_its_claims),
        cmocka_unit_test(test_a_stored_cca_token_is_accepted_with_its_claims),
        cmocka_unit_test(test_a_token_of_another_key_is_refused_by_its_signature),
        cmocka_unit_test(test_without_the_instances_key_collateral_is_missing),
        cmocka_unit_test(test_tokens_are_known_by_their_form),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_trailing_bytes_are_refused),
        cmocka_unit_test(test_every_flipped_bit_is_refused),
        cmocka_unit_test(test_a_realm_of_another_platform_is_refused),
        cmocka_unit_test(test_made_psa_tokens_are_judged_claim_by_claim),
        cmocka_unit_test(test_the_first_psa_profile_is_read_under_its_own_numbers),
        cmocka_unit_test(test_made_cca_tokens_are_judged_claim_by_claim),
        cmocka_unit_test(test_made_tokens_are_refused_when_damaged_or_of_another_key),
        cmocka_unit_test(test_endorsements_are_checked),
        cmocka_unit_test(test_refuses_too_large_input_before_reading_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
