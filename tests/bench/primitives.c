/*
 * Measures the cryptography by itself on this machine: one line "name nanoseconds" per primitive,
 * to compare with the figures of script/bench. Each is the median of several rounds of CPU time, so
 * that other load matters less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/p256.h"
#include "crypto/random.h"

#define ROUNDS 9
#define ROUND_US 20000

struct bench {
    uint8_t private_key[X25519_SIZE];
    uint8_t public_key[X25519_SIZE];
    uint8_t text[64];
    uint8_t out[256];
    uint8_t sealed[64 + AEAD_TAG_SIZE];
    uint8_t ecies[64 + ENVELOPE_ECIES_OVERHEAD];
    uint8_t hpke[64 + ENVELOPE_HPKE_OVERHEAD];
    uint8_t point[P256_POINT_SIZE];
    uint8_t signature[P256_SIGNATURE_SIZE];
    struct p256_private *signer;
    struct p256_public *verifier;
};

static const uint8_t nonce[AEAD_NONCE_SIZE] = {1};
static const struct envelope_context context = {.key_version = 1};

MUST_CHECK static enum err run_sha256(struct bench *b)
{
    sha256(SPAN_OF(b->text), b->out);
    return ERR_NONE;
}

MUST_CHECK static enum err run_hmac(struct bench *b)
{
    const struct span text = SPAN_OF(b->text);

    hmac_sha256(SPAN_OF(b->private_key), &text, 1, b->out);
    return ERR_NONE;
}

MUST_CHECK static enum err run_hkdf(struct bench *b)
{
    return hkdf_sha256((struct span){0}, SPAN_OF(b->private_key),
                       SPAN_LITERAL("outlayer-keystore-v1"), b->out, AEAD_KEY_SIZE);
}

MUST_CHECK static enum err run_x25519(struct bench *b)
{
    return x25519(b->private_key, b->public_key, b->out);
}

MUST_CHECK static enum err run_x25519_public(struct bench *b)
{
    x25519_public(b->private_key, b->out);
    return ERR_NONE;
}

MUST_CHECK static enum err run_aead_open(struct bench *b)
{
    return aead_open(AEAD_CHACHA20_POLY1305, b->private_key, nonce, (struct span){0},
                     SPAN_OF(b->sealed), b->out);
}

MUST_CHECK static enum err open_envelope(struct bench *b, struct span sealed)
{
    struct secret *plain = NULL;
    enum err e = envelope_open(b->private_key, b->public_key, &context, sealed, &plain);

    secret_free(&plain);
    return e;
}

MUST_CHECK static enum err run_ecies(struct bench *b)
{
    return open_envelope(b, SPAN_OF(b->ecies));
}

MUST_CHECK static enum err run_hpke(struct bench *b)
{
    return open_envelope(b, SPAN_OF(b->hpke));
}

MUST_CHECK static enum err run_ed25519_sign(struct bench *b)
{
    ed25519_sign(b->private_key, SPAN_OF(b->text), b->out);
    return ERR_NONE;
}

MUST_CHECK static enum err run_p256_sign(struct bench *b)
{
    return p256_sign(b->signer, SPAN_OF(b->text), b->out);
}

MUST_CHECK static enum err run_p256_verify(struct bench *b)
{
    return p256_verify(b->verifier, SPAN_OF(b->text), b->signature);
}

MUST_CHECK static enum err run_p256_public(struct bench *b)
{
    struct p256_public *key = NULL;
    enum err e = p256_public_from_point(b->point, &key);

    p256_public_free(&key);
    return e;
}

static const struct {
    const char *name;
    MUST_CHECK enum err (*run)(struct bench *b);
} primitives[] = {
    {"sha256_64",           run_sha256       },
    {"hmac_sha256_64",      run_hmac         },
    {"hkdf_sha256_32",      run_hkdf         },
    {"x25519",              run_x25519       },
    {"x25519_public",       run_x25519_public},
    {"aead_open_64",        run_aead_open    },
    {"envelope_open_ecies", run_ecies        },
    {"envelope_open_hpke",  run_hpke         },
    {"ed25519_sign",        run_ed25519_sign },
    {"p256_sign",           run_p256_sign    },
    {"p256_verify",         run_p256_verify  },
    {"p256_public",         run_p256_public  },
};

MUST_CHECK static enum err prepare(struct bench *b)
{
    const struct span text = SPAN_OF(b->text);
    enum err e;

    random_bytes(b->private_key, sizeof b->private_key);
    x25519_public(b->private_key, b->public_key);
    aead_seal(AEAD_CHACHA20_POLY1305, b->private_key, nonce, (struct span){0}, text, b->sealed);
    if ((e = envelope_seal(ENVELOPE_ECIES, b->public_key, NULL, text, NULL, b->ecies)) !=
            ERR_NONE ||
        (e = envelope_seal(ENVELOPE_HPKE, b->public_key, &context, text, NULL, b->hpke)) !=
            ERR_NONE ||
        (e = p256_generate(&b->signer)) != ERR_NONE)
        return e;
    p256_private_point(b->signer, b->point);
    if ((e = p256_public_from_point(b->point, &b->verifier)) != ERR_NONE)
        return e;
    return p256_sign(b->signer, text, b->signature);
}

/* CPU time, as the server's is counted: what other processes take is neither's. */
static int64_t cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* CPU nanoseconds per call of one round; exits when the primitive fails, for that measures nothing.
 */
static int64_t one_round(struct bench *b, size_t index)
{
    int64_t start = cpu_us();
    int64_t elapsed;
    int64_t calls = 0;

    do {
        for (int i = 0; i < 16; i++)
            if (primitives[index].run(b) != ERR_NONE) {
                (void)fprintf(stderr, "primitives: %s failed\n", primitives[index].name);
                exit(1);
            }
        calls += 16;
        elapsed = cpu_us() - start;
    } while (elapsed < ROUND_US);
    return elapsed * 1000 / calls;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

int main(void)
{
    struct bench b = {0};

    if (crypto_start() != ERR_NONE || prepare(&b) != ERR_NONE) {
        (void)fprintf(stderr, "primitives: cannot start\n");
        return 1;
    }
    for (size_t i = 0; i < COUNT_OF(primitives); i++) {
        int64_t rounds[ROUNDS];

        for (int round = 0; round < ROUNDS; round++)
            rounds[round] = one_round(&b, i);
        qsort(rounds, ROUNDS, sizeof rounds[0], by_size);
        (void)printf("%s %lld\n", primitives[i].name, (long long)rounds[ROUNDS / 2]);
    }
    p256_public_free(&b.verifier);
    p256_private_free(&b.signer);
    return 0;
}
