#include "auth/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/random.h"

static struct p256_private *key;
static struct p256_public *public_key;
static uint8_t point[P256_POINT_SIZE];
static char kid[9];

static int start(void **state)
{
    uint8_t hash[SHA256_SIZE];

    (void)state;
    if (crypto_start() != ERR_NONE || p256_generate(&key) != ERR_NONE)
        return -1;
    p256_private_point(key, point);
    sha256(SPAN_OF(point), hash);
    hex_write(span_of(hash, 4), kid);
    return p256_public_from_point(point, &public_key) != ERR_NONE;
}

static int stop(void **state)
{
    (void)state;
    p256_private_free(&key);
    p256_public_free(&public_key);
    return 0;
}

static struct session example(void)
{
    struct session s = {.issuer = "vouchsafe.local/log",
                        .subject = "worker:dc45a475",
                        .issued = {1700000000000},
                        .expires = {1700000900000},
                        .tee = "simulated",
                        .policy = "executors",
                        .simulated = true};

    memset(s.token_hash, 0xa1, sizeof s.token_hash);
    memset(s.id, 0xa2, sizeof s.id);
    memset(s.nonce, 0xa3, sizeof s.nonce);
    memset(s.key, 0xa4, sizeof s.key);
    memset(s.policy_version, 0xa5, sizeof s.policy_version);
    memset(s.claims, 0xa6, sizeof s.claims);
    return s;
}

MUST_CHECK static enum err parse(struct span token, struct session *out)
{
    return session_parse(token, public_key, point, out);
}

static void assert_same(const struct session *a, const struct session *b)
{
    assert_string_equal(a->issuer, b->issuer);
    assert_string_equal(a->subject, b->subject);
    assert_memory_equal(a->token_hash, b->token_hash, sizeof a->token_hash);
    assert_int_equal(a->issued.ms, b->issued.ms);
    assert_int_equal(a->expires.ms, b->expires.ms);
    assert_memory_equal(a->id, b->id, sizeof a->id);
    assert_memory_equal(a->nonce, b->nonce, sizeof a->nonce);
    assert_memory_equal(a->key, b->key, sizeof a->key);
    assert_string_equal(a->tee, b->tee);
    assert_string_equal(a->policy, b->policy);
    assert_memory_equal(a->policy_version, b->policy_version, sizeof a->policy_version);
    assert_memory_equal(a->claims, b->claims, sizeof a->claims);
    assert_int_equal(a->simulated, b->simulated);
}

static void what_is_written_is_read(void **state)
{
    struct session s = example();
    struct session back;
    char token[SESSION_TOKEN_MAX];

    (void)state;
    for (int i = 0; i < 4; i++) {
        if (i == 1)
            memset(s.issuer, 'i', sizeof s.issuer - 1);
        if (i == 2)
            memset(s.subject, '"', sizeof s.subject - 1); /* needs escapes */
        if (i == 3)
            memset(s.policy, 'p', sizeof s.policy - 1);
        s.simulated = i % 2;
        assert_int_equal(session_write(&s, key, token, sizeof token), ERR_NONE);
        assert_int_equal(parse(span_string(token), &back), ERR_NONE);
        assert_same(&s, &back);
    }
}

static void a_small_buffer_is_refused(void **state)
{
    struct session s = example();
    char token[SESSION_TOKEN_MAX];
    size_t size;

    (void)state;
    assert_int_equal(session_write(&s, key, token, sizeof token), ERR_NONE);
    size = strlen(token);
    assert_int_equal(session_write(&s, key, token, size), ERR_TOO_LARGE);
    assert_int_equal(session_write(&s, key, token, 0), ERR_TOO_LARGE);
    assert_int_equal(session_write(&s, key, token, size + 1), ERR_NONE);
}

static void every_prefix_is_refused(void **state)
{
    struct session s = example();
    struct session back;
    char token[SESSION_TOKEN_MAX];

    (void)state;
    assert_int_equal(session_write(&s, key, token, sizeof token), ERR_NONE);
    for (size_t size = 0; size < strlen(token); size++)
        assert_int_not_equal(parse(span_of(token, size), &back), ERR_NONE);
}

static void every_flipped_bit_is_refused(void **state)
{
    struct session s = example();
    struct session back;
    char token[SESSION_TOKEN_MAX];
    size_t size;

    (void)state;
    assert_int_equal(session_write(&s, key, token, sizeof token), ERR_NONE);
    size = strlen(token);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        token[bit / 8] = (char)(token[bit / 8] ^ (1 << bit % 8));
        assert_int_not_equal(parse(span_of(token, size), &back), ERR_NONE);
        token[bit / 8] = (char)(token[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(parse(span_of(token, size), &back), ERR_NONE);
}

static void what_is_added_is_refused(void **state)
{
    static const char *const added[] = {".", "A", "=", " ", "\n", ".AA", "=="};
    struct session s = example();
    struct session back;
    char token[SESSION_TOKEN_MAX];
    char longer[SESSION_TOKEN_MAX + 8];

    (void)state;
    assert_int_equal(session_write(&s, key, token, sizeof token), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(added); i++) {
        (void)snprintf(longer, sizeof longer, "%s%s", token, added[i]);
        assert_int_not_equal(parse(span_string(longer), &back), ERR_NONE);
        (void)snprintf(longer, sizeof longer, "%s%s", added[i], token);
        assert_int_not_equal(parse(span_string(longer), &back), ERR_NONE);
    }
}

static void another_key_is_refused(void **state)
{
    struct session s = example();
    struct session back;
    struct p256_private *other = NULL;
    struct p256_public *other_public = NULL;
    uint8_t other_point[P256_POINT_SIZE];
    char token[SESSION_TOKEN_MAX];

    (void)state;
    assert_int_equal(p256_generate(&other), ERR_NONE);
    p256_private_point(other, other_point);
    assert_int_equal(p256_public_from_point(other_point, &other_public), ERR_NONE);
    assert_int_equal(session_write(&s, other, token, sizeof token), ERR_NONE);
    assert_int_equal(parse(span_string(token), &back), ERR_MALFORMED); /* its kid */
    assert_int_equal(session_parse(span_string(token), public_key, other_point, &back), ERR_CRYPTO);
    assert_int_equal(session_parse(span_string(token), other_public, other_point, &back), ERR_NONE);
    p256_private_free(&other);
    p256_public_free(&other_public);
}

/* A token with any header and payload, under a good signature of the keystore's own key. */
static void forge(const char *header, const char *payload, char out[2 * SESSION_TOKEN_MAX])
{
    uint8_t signature[P256_SIGNATURE_SIZE];
    size_t size = base64url_size(strlen(header));

    base64url_write(span_string(header), out);
    out[size++] = '.';
    base64url_write(span_string(payload), out + size);
    size += base64url_size(strlen(payload));
    assert_int_equal(p256_sign(key, span_of(out, size), signature), ERR_NONE);
    out[size++] = '.';
    base64url_write(SPAN_OF(signature), out + size);
    out[size + 86] = '\0';
}

#define ID "a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
#define HEX8 "a5a5a5a5a5a5a5a5"
#define HEX32 "a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6"
#define X "pKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKQ"
#define ISS "\"iss\":\"vouchsafe.local/log\","
#define SUB "\"sub\":\"w\","
#define TIMES "\"iat\":1700000000,\"exp\":1700000900,"
#define IDS "\"jti\":\"" ID "\",\"eat_nonce\":\"" HEX32 "\","
#define CNF "\"cnf\":{\"jwk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}},"
#define VS_BEGIN "\"vs\":{\"tee\":\"sgx\",\"policy\":\"p\",\"policy_version\":\"" HEX8 "\","
#define VS_END "\"claims\":\"" HEX32 "\",\"token\":\"" HEX32 "\",\"simulated\":false}"
#define GOOD "{" ISS SUB TIMES IDS CNF VS_BEGIN VS_END "}"

static void good_header(char out[64])
{
    (void)snprintf(out, 64, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
}

static void other_headers_are_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES384\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"es256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"jwt\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\",\"jku\":\"https://x\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"} ",
        "{\"alg\":\"ES256\", \"typ\":\"JWT\",\"kid\":\"%s\"}",
        "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"%s\"}",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"00000000\"}%.0s",
        "{\"alg\":\"ES256\",\"typ\":\"JWT\"}%.0s",
        "{\"alg\":\"ES256\",\"crit\":[\"x\"],\"typ\":\"JWT\",\"kid\":\"%s\"}",
        "%.0s",
    };
    char header[128];
    char token[2 * SESSION_TOKEN_MAX];
    struct session back;

    (void)state;
    good_header(header);
    forge(header, GOOD, token);
    assert_int_equal(parse(span_string(token), &back), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(header, sizeof header, headers[i], kid);
#pragma GCC diagnostic pop
        forge(header, GOOD, token);
        assert_int_equal(parse(span_string(token), &back), ERR_MALFORMED);
    }
}

/* Even with our own signature, only the form of session_write() is a session. */
static void other_payloads_are_refused(void **state)
{
    static const char *const payloads[] = {
        "",
        "{}",
        "[]",
        "null",
        GOOD " ",
        " " GOOD,
        GOOD "{}",
        "{" SUB TIMES IDS CNF VS_BEGIN VS_END "}",
        "{" ISS TIMES IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES CNF VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS CNF VS_BEGIN "\"simulated\":false}}",
        "{" SUB ISS TIMES IDS CNF VS_BEGIN VS_END "}", /* another order */
        "{" ISS ISS SUB TIMES IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS CNF VS_BEGIN VS_END ",\"admin\":true}",
        "{\"iss\":\"\"," SUB TIMES IDS CNF VS_BEGIN VS_END "}",
        "{\"iss\":1," SUB TIMES IDS CNF VS_BEGIN VS_END "}",
        "{\"iss\":\"a\\u0000b\"," SUB TIMES IDS CNF VS_BEGIN VS_END "}",
        "{\"iss\":\"\\u0076\"," SUB TIMES IDS CNF VS_BEGIN VS_END "}", /* needless escape */
        "{" ISS SUB "\"iat\":\"1700000000\",\"exp\":1700000900," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB "\"iat\":1.7e9,\"exp\":1700000900," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB "\"iat\":-1,\"exp\":1," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB "\"iat\":1700000900,\"exp\":1700000900," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB "\"iat\":1700000000,\"exp\":1700086401," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB "\"iat\":0,\"exp\":9223372036854775807," IDS CNF VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES "\"jti\":\"A2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2\",\"eat_nonce\":\"" HEX32
        "\"," CNF VS_BEGIN VS_END "}", /* upper case */
        "{" ISS SUB TIMES "\"jti\":\"a2\",\"eat_nonce\":\"" HEX32 "\"," CNF VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS "\"cnf\":{\"jwk\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" X
        "\"}}," VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS "\"cnf\":{\"jwk\":{\"kty\":\"EC\",\"crv\":\"X25519\",\"x\":\"" X
        "\"}}," VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS "\"cnf\":{\"jwk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X
        "=\"}}," VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS
        "\"cnf\":{\"jwk\":{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}}," VS_BEGIN VS_END "}",
        "{" ISS SUB TIMES IDS CNF VS_BEGIN "\"claims\":\"" HEX32 "\",\"token\":\"" HEX32
        "\",\"simulated\":0}}",
        "{" ISS SUB TIMES IDS CNF "\"vs\":{\"tee\":\"a-name-that-is-too-long\",\"policy\":\"p\","
        "\"policy_version\":\"" HEX8 "\"," VS_END "}",
    };
    char header[64];
    char token[2 * SESSION_TOKEN_MAX];
    struct session back;

    (void)state;
    good_header(header);
    for (size_t i = 0; i < COUNT_OF(payloads); i++) {
        forge(header, payloads[i], token);
        assert_int_equal(parse(span_string(token), &back), ERR_MALFORMED);
    }
}

static void a_session_must_fit_the_request(void **state)
{
    static const struct {
        const char *issuer;
        uint8_t token, policy;
        int64_t at_ms; /* after it was issued */
        enum err expected;
        const char *code;
    } cases[] = {
        {"vouchsafe.local/log", 0xa1, 0xa5, 0,      ERR_NONE,    NULL                     },
        {"vouchsafe.local/log", 0xa1, 0xa5, 899999, ERR_NONE,    NULL                     },
        {"vouchsafe.local/log", 0xa1, 0xa5, -30000, ERR_NONE,    NULL                     },
        {"vouchsafe.local/log", 0xa1, 0xa5, -30001, ERR_DENIED,  "session_not_yet_valid"  },
        {"vouchsafe.local/log", 0xa1, 0xa5, 900000, ERR_EXPIRED, "session_expired"        },
        {"vouchsafe.local/log", 0xa1, 0xa5, 900001, ERR_EXPIRED, "session_expired"        },
        {"vouchsafe.local/log", 0xb1, 0xa5, 0,      ERR_DENIED,  "session_token_mismatch" },
        {"vouchsafe.local/log", 0xb1, 0xa5, 900000, ERR_DENIED,  "session_token_mismatch" },
        {"vouchsafe.local/log", 0xa1, 0xb5, 0,      ERR_DENIED,  "session_policy_changed" },
        {"vouchsafe.local/lo",  0xa1, 0xa5, 0,      ERR_DENIED,  "session_issuer_mismatch"},
        {"",                    0xa1, 0xa5, 0,      ERR_DENIED,  "session_issuer_mismatch"},
    };
    struct session s = example();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct timestamp now = {s.issued.ms + cases[i].at_ms};
        uint8_t token[SHA256_SIZE];
        uint8_t version[8];
        const char *code = NULL;

        memset(token, cases[i].token, sizeof token);
        memset(version, cases[i].policy, sizeof version);
        assert_int_equal(session_check(&s, cases[i].issuer, token, version, now, &code),
                         cases[i].expected);
        if (cases[i].code)
            assert_string_equal(code, cases[i].code);
        else
            assert_null(code);
    }
}

static struct span numbered(unsigned i, char out[16])
{
    (void)snprintf(out, 16, "token-%u", i);
    return span_string(out);
}

static void the_least_recently_used_goes_first(void **state)
{
    struct session_cache *c = NULL;
    struct session s = example();
    char text[16];

    (void)state;
    assert_int_equal(session_cache_new(3, &c), ERR_NONE);
    for (unsigned i = 0; i < 3; i++) {
        s.issued.ms = i;
        session_cache_put(c, numbered(i, text), &s);
    }
    assert_int_equal(session_cache_find(c, numbered(0, text))->issued.ms, 0);
    s.issued.ms = 3;
    session_cache_put(c, numbered(3, text), &s);
    assert_null(session_cache_find(c, numbered(1, text)));
    assert_non_null(session_cache_find(c, numbered(0, text)));
    assert_non_null(session_cache_find(c, numbered(2, text)));
    assert_int_equal(session_cache_find(c, numbered(3, text))->issued.ms, 3);
    assert_null(session_cache_find(c, SPAN_LITERAL("")));
    session_cache_free(&c);
    assert_null(c);
}

/* One caller makes sessions without end; the few sessions of others stay. */
static void the_largest_holder_gives_way(void **state)
{
    enum { CAPACITY = 64, QUIET = 5, EACH = 10 };
    struct session_cache *c = NULL;
    struct session s = example();
    char text[16];

    (void)state;
    assert_int_equal(session_cache_new(CAPACITY, &c), ERR_NONE);
    for (unsigned i = 0; i < QUIET * EACH; i++) {
        memset(s.token_hash, (int)(1 + i % QUIET), sizeof s.token_hash);
        session_cache_put(c, numbered(i, text), &s);
    }
    memset(s.token_hash, 0xee, sizeof s.token_hash);
    for (unsigned i = 1000; i < 3000; i++)
        session_cache_put(c, numbered(i, text), &s);
    for (unsigned i = 0; i < QUIET * EACH; i++)
        assert_non_null(session_cache_find(c, numbered(i, text)));
    for (unsigned i = 2999; i > 2999 - (CAPACITY - QUIET * EACH); i--)
        assert_non_null(session_cache_find(c, numbered(i, text)));
    assert_null(session_cache_find(c, numbered(2999 - (CAPACITY - QUIET * EACH), text)));
    session_cache_free(&c);
}

/* A token that is put again with another owner counts for the new owner. */
static void an_entry_follows_its_owner(void **state)
{
    struct session_cache *c = NULL;
    struct session s = example();
    char text[16];

    (void)state;
    assert_int_equal(session_cache_new(3, &c), ERR_NONE);
    for (unsigned i = 0; i < 3; i++) {
        memset(s.token_hash, i == 2 ? 2 : 1, sizeof s.token_hash);
        session_cache_put(c, numbered(i, text), &s);
    }
    memset(s.token_hash, 2, sizeof s.token_hash);
    session_cache_put(c, numbered(0, text), &s); /* 2 holds two now: entries 2 and 0 */
    memset(s.token_hash, 3, sizeof s.token_hash);
    session_cache_put(c, numbered(9, text), &s);
    assert_null(session_cache_find(c, numbered(2, text)));
    assert_non_null(session_cache_find(c, numbered(0, text)));
    assert_non_null(session_cache_find(c, numbered(1, text)));
    session_cache_free(&c);
}

static void impossible_caches_are_refused(void **state)
{
    struct session_cache *c = NULL;

    (void)state;
    assert_int_equal(session_cache_new(0, &c), ERR_TOO_LARGE);
    assert_int_equal(session_cache_new(SIZE_MAX, &c), ERR_TOO_LARGE);
    assert_null(c);
    session_cache_free(&c);
}

/* Random finds and puts against a plain list in the order of use. */
static void the_cache_agrees_with_a_plain_list(void **state)
{
    enum { CAPACITY = 13, KEYS = 40, STEPS = 50000 };
    struct session_cache *c = NULL;
    struct session s = example();
    unsigned order[CAPACITY + 1];
    unsigned count = 0;
    unsigned random = 3;

    (void)state;
    assert_int_equal(session_cache_new(CAPACITY, &c), ERR_NONE);
    for (int step = 0; step < STEPS; step++) {
        unsigned id = (random = random * 1103515245u + 12345u) >> 16 & 0xffff;
        bool put = id & 0x8000;
        unsigned at = 0;
        char text[16];

        id %= KEYS;
        while (at < count && order[at] != id)
            at++;
        if (put) {
            s.issued.ms = id;
            session_cache_put(c, numbered(id, text), &s);
        } else {
            const struct session *found = session_cache_find(c, numbered(id, text));

            assert_int_equal(found != NULL, at < count);
            if (!found)
                continue;
            assert_int_equal(found->issued.ms, id);
        }
        if (at == count)
            count++;
        memmove(order + 1, order, at * sizeof *order);
        order[0] = id;
        if (count > CAPACITY)
            count = CAPACITY;
    }
    session_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_small_buffer_is_refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(what_is_added_is_refused),
        cmocka_unit_test(another_key_is_refused),
        cmocka_unit_test(other_headers_are_refused),
        cmocka_unit_test(other_payloads_are_refused),
        cmocka_unit_test(a_session_must_fit_the_request),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(the_largest_holder_gives_way),
        cmocka_unit_test(an_entry_follows_its_owner),
        cmocka_unit_test(impossible_caches_are_refused),
        cmocka_unit_test(the_cache_agrees_with_a_plain_list),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
