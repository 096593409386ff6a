/*
 * Constant time: secrets are marked undefined for valgrind's memcheck, which then objects to every
 * branch and every index that depends on them. Run it under valgrind; otherwise it prints a line
 * and skips.
 *
 * Some operations end in one verdict that is not secret (not authentic, low-order point, not
 * base64; there also the number of final "=", which is its size). Their `verdicts` give the allowed
 * number of branches on it. A branch on the bytes themselves causes one objection per byte or
 * digit, so these few cannot hide it.
 */
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "crypto/aes_gcm.h"
#include "crypto/aes_wrap.h"
#include "crypto/ec.h"
#include "crypto/envelope.h"
#include "crypto/hmac.h"
#include "crypto/mac.h"
#include "crypto/p256.h"
#include "crypto/random.h"

#define SKIPPED 77 /* meson's code for a test that did not run */

#ifdef HAVE_MEMCHECK
#include <valgrind/memcheck.h>

#define SECRET_SIZE 96
#define TEXT_SIZE 128 /* base64 of the secret */

struct sample {
    uint8_t secret[SECRET_SIZE];
    uint8_t other[SECRET_SIZE];
    char text[TEXT_SIZE];
    uint8_t sealed[64 + AEAD_TAG_SIZE];
    uint8_t envelope[64 + ENVELOPE_ECIES_OVERHEAD];
    uint8_t hpke[64 + ENVELOPE_HPKE_OVERHEAD];
    uint8_t gcm[64 + AES_GCM_TAG_SIZE];
    uint8_t wrapped[64 + 8];
    uint8_t peer[X25519_SIZE];
    uint8_t out[256];
};

static const uint8_t nonce[AEAD_NONCE_SIZE] = {1};
static const struct envelope_context context = {.key_version = 1};

/* A verdict is public once reached. */
static bool published(enum err e)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(&e, sizeof e);
    return e == ERR_NONE;
}

static bool run_equal(struct sample *s)
{
    bool equal = bytes_equal_ct(s->secret, s->other, sizeof s->secret);

    (void)VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof equal);
    return equal;
}

static bool run_hex_write(struct sample *s)
{
    hex_write(SPAN_OF(s->secret), (char *)s->out);
    return true;
}

static bool run_base64_write(struct sample *s)
{
    base64_write(SPAN_OF(s->secret), (char *)s->out);
    return true;
}

static bool run_base64_read(struct sample *s)
{
    size_t size = 0;

    return published(base64_read(SPAN_OF(s->text), s->out, sizeof s->out, &size));
}

static bool run_hmac(struct sample *s)
{
    const struct span message = SPAN_OF(s->secret);

    hmac_sha256(SPAN_OF(s->secret), &message, 1, s->out);
    return true;
}

static bool run_hkdf(struct sample *s)
{
    return published(
        hkdf_sha256((struct span){0}, SPAN_OF(s->secret), SPAN_LITERAL("info"), s->out, 100));
}

static bool run_x25519_public(struct sample *s)
{
    x25519_public(s->secret, s->out);
    return true;
}

static bool run_x25519(struct sample *s)
{
    return published(x25519(s->secret, s->peer, s->out));
}

static bool run_ed25519_sign(struct sample *s)
{
    ed25519_sign(s->secret, SPAN_LITERAL("message"), s->out);
    return true;
}

/* The point of a key and its signatures are public. AWS-LC checks whether each result is on the
 * curve, in range and not zero. It always is; these are the verdicts. */
static bool sign_with(enum err made, struct p256_private *key, struct sample *s)
{
    bool good = published(made);

    (void)VALGRIND_MAKE_MEM_DEFINED(&key, sizeof key);
    good = good && published(p256_sign(key, SPAN_LITERAL("message"), s->out));
    p256_private_free(&key);
    return good;
}

static bool run_p256_derive(struct sample *s)
{
    struct p256_private *key = NULL;
    enum err e = p256_derive(s->secret, &key);

    return sign_with(e, key, s);
}

static bool run_p256_from_scalar(struct sample *s)
{
    struct p256_private *key = NULL;
    enum err e = p256_private_from_scalar(s->secret, &key);

    return sign_with(e, key, s);
}

static bool run_aead_seal(struct sample *s)
{
    aead_seal(AEAD_CHACHA20_POLY1305, s->secret, nonce, (struct span){0}, SPAN_OF(s->secret),
              s->out);
    return true;
}

static bool run_aead_open(struct sample *s)
{
    return published(aead_open(AEAD_CHACHA20_POLY1305, s->secret, nonce, (struct span){0},
                               SPAN_OF(s->sealed), s->out));
}

static bool open_envelope(struct sample *s, struct span sealed)
{
    struct secret *plain = NULL;
    bool opened = published(envelope_open(s->secret, NULL, &context, sealed, &plain));

    (void)VALGRIND_MAKE_MEM_DEFINED(&plain, sizeof plain);
    secret_free(&plain);
    return opened;
}

static bool run_ecies_open(struct sample *s)
{
    return open_envelope(s, SPAN_OF(s->envelope));
}

static bool run_hpke_open(struct sample *s)
{
    return open_envelope(s, SPAN_OF(s->hpke));
}

static const uint8_t digest[EC_SIZE_MAX] = {1, 2, 3};

/* The verdicts: the scalar is in range, and so is each nonce. Then the point and the signature are
 * public, and the libraries check them: on the curve, in range, not zero. */
static bool use_scalar(enum ec_curve curve, struct sample *s)
{
    uint8_t point[EC_POINT_MAX];
    uint8_t signature[EC_SIGNATURE_MAX];
    uint8_t shared[EC_SIZE_MAX];
    bool good = published(ec_public(curve, s->secret, point));

    (void)VALGRIND_MAKE_MEM_DEFINED(point, sizeof point);
    good = published(ec_sign(curve, s->secret, digest, true, signature)) && good;
    good = published(ec_sign(curve, s->secret, digest, false, signature)) && good;
    return published(ec_shared(curve, s->secret, point, shared)) && good;
}

static bool run_p256(struct sample *s)
{
    return use_scalar(EC_P256, s);
}

static bool run_p384(struct sample *s)
{
    return use_scalar(EC_P384, s);
}

static bool run_secp256k1(struct sample *s)
{
    return use_scalar(EC_SECP256K1, s);
}

static bool run_hmac_sha384(struct sample *s)
{
    const struct span message = SPAN_OF(s->secret);

    hmac(DIGEST_SHA384, SPAN_OF(s->secret), &message, 1, s->out);
    return true;
}

static bool run_pbkdf2(struct sample *s)
{
    return published(
        pbkdf2(DIGEST_SHA256, SPAN_OF(s->secret), SPAN_LITERAL("salt"), 10, s->out, 48));
}

static bool run_gcm_seal(struct sample *s)
{
    return published(aes_gcm_seal(span_of(s->secret, 32), nonce, (struct span){0},
                                  span_of(s->secret, 64), s->out));
}

static bool run_gcm_open(struct sample *s)
{
    return published(
        aes_gcm_open(span_of(s->secret, 16), nonce, (struct span){0}, SPAN_OF(s->gcm), s->out));
}

static bool run_wrap(struct sample *s)
{
    return published(
        aes_wrap(AES_WRAP_KWP, span_of(s->secret, 16), span_of(s->secret, 64), s->out));
}

static bool run_unwrap(struct sample *s)
{
    size_t size = 0;

    return published(
        aes_unwrap(AES_WRAP_KW, span_of(s->secret, 32), SPAN_OF(s->wrapped), s->out, &size));
}

/* The method must detect an index and a branch that depend on a secret, or it detects nothing. */
static bool leak_by_index(struct sample *s)
{
    static const uint8_t table[256] = {1, 2, 3};

    for (size_t i = 0; i < sizeof s->secret; i++)
        s->out[i] = ((const volatile uint8_t *)table)[s->secret[i]];
    return true;
}

static bool leak_by_branch(struct sample *s)
{
    volatile unsigned count = 0;

    for (size_t i = 0; i < sizeof s->secret; i++)
        if (s->secret[i] > 100)
            count++;
    return true;
}

static const struct operation {
    const char *name;
    bool (*run)(struct sample *s);
    unsigned verdicts;
    bool leaks;
} operations[] = {
    {"leak_by_index",    leak_by_index,        0,  true },
    {"leak_by_branch",   leak_by_branch,       0,  true },
    {"bytes_equal_ct",   run_equal,            0,  false},
    {"hex_write",        run_hex_write,        0,  false},
    {"base64_write",     run_base64_write,     0,  false},
    {"base64_read",      run_base64_read,      3,  false},
    {"hmac_sha256",      run_hmac,             0,  false},
    {"hkdf_sha256",      run_hkdf,             0,  false},
    {"x25519_public",    run_x25519_public,    0,  false},
    {"x25519",           run_x25519,           2,  false},
    {"ed25519_sign",     run_ed25519_sign,     0,  false},
    {"p256_derive",      run_p256_derive,      20, false},
    {"p256_from_scalar", run_p256_from_scalar, 20, false},
    {"aead_seal",        run_aead_seal,        0,  false},
    {"aead_open",        run_aead_open,        5,  false},
    {"ecies_open",       run_ecies_open,       9,  false},
    {"hpke_open",        run_hpke_open,        9,  false},
    {"hmac_sha384",      run_hmac_sha384,      0,  false},
    {"pbkdf2",           run_pbkdf2,           0,  false},
    {"aes_gcm_seal",     run_gcm_seal,         0,  false},
    {"aes_gcm_open",     run_gcm_open,         5,  false},
    {"aes_wrap",         run_wrap,             0,  false},
    {"aes_unwrap",       run_unwrap,           5,  false},
    {"p256",             run_p256,             60, false},
    {"p384",             run_p384,             60, false},
    {"secp256k1",        run_secp256k1,        60, false},
};

static bool prepare(struct sample *s)
{
    const struct span plain = span_of(s->secret, 64);

    random_bytes(s->secret, sizeof s->secret);
    memcpy(s->other, s->secret, sizeof s->other);
    base64_write(SPAN_OF(s->secret), s->text);
    x25519_public(s->secret, s->peer);
    aead_seal(AEAD_CHACHA20_POLY1305, s->secret, nonce, (struct span){0}, plain, s->sealed);
    if (envelope_seal(ENVELOPE_ECIES, s->peer, NULL, plain, NULL, s->envelope) != ERR_NONE ||
        envelope_seal(ENVELOPE_HPKE, s->peer, &context, plain, NULL, s->hpke) != ERR_NONE ||
        aes_gcm_seal(span_of(s->secret, 16), nonce, (struct span){0}, plain, s->gcm) != ERR_NONE ||
        aes_wrap(AES_WRAP_KW, span_of(s->secret, 32), plain, s->wrapped) != ERR_NONE)
        return false;
    (void)VALGRIND_MAKE_MEM_UNDEFINED(s->secret, sizeof s->secret);
    (void)VALGRIND_MAKE_MEM_UNDEFINED(s->text, sizeof s->text);
    return true;
}

static bool holds(const struct operation *operation)
{
    struct sample s = {0};
    unsigned before;
    unsigned objections;
    bool worked;
    bool fine;

    if (!prepare(&s))
        return false;
    before = VALGRIND_COUNT_ERRORS;
    worked = operation->run(&s);
    objections = VALGRIND_COUNT_ERRORS - before;
    fine = worked &&
           (operation->leaks ? objections >= SECRET_SIZE : objections <= operation->verdicts);
    (void)printf("%s %s: %u objections, %u allowed\n", fine ? "ok" : "not ok", operation->name,
                 objections, operation->verdicts);
    return fine;
}

int main(void)
{
    bool all = true;

    if (!RUNNING_ON_VALGRIND) {
        (void)fprintf(stderr, "SKIPPED: constant time: not run under valgrind\n");
        return SKIPPED;
    }
    if (crypto_start() != ERR_NONE)
        return 1;
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        all = holds(&operations[i]) && all;
    return all ? 0 : 1;
}
#else
int main(void)
{
    (void)fprintf(stderr, "SKIPPED: constant time: built without valgrind/memcheck.h\n");
    return SKIPPED;
}
#endif
