#include "crypto/rsa_key.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/writer.h"
#include "codec/der.h"
#include "crypto/rsa.h"

enum {
    EXPONENT = 65537,
    PRIME_ROUNDS = 32,
    DISTANCE = 100, /* FIPS 186-5 A.1.1: |p - q| > 2^(bits/2 - 100) */
};

/* The members of RSAPrivateKey in their order. */
enum { N, E, D, P, Q, DP, DQ, QI, NUMBERS };

MUST_CHECK static enum err private_read(struct span der, struct span numbers[NUMBERS])
{
    struct reader outer = reader_over(der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));

    (void)der_take_uint(&inner, DER_INTEGER, 0); /* version: two primes */
    for (size_t i = 0; i < NUMBERS; i++) {
        numbers[i] = der_take_unsigned(&inner);
        if (numbers[i].size > RSA_SIZE_MAX || numbers[i].size == 0)
            inner.failed = true;
    }
    if (reader_finish(&outer) != ERR_NONE)
        return ERR_MALFORMED;
    return reader_finish(&inner);
}

enum err rsa_public_numbers(struct span public_der, struct span *modulus, struct span *exponent)
{
    struct reader outer = reader_over(public_der);
    struct reader inner = reader_over(der_take(&outer, DER_SEQUENCE));
    struct span n = der_take_unsigned(&inner);
    struct span e = der_take_unsigned(&inner);

    if (reader_finish(&outer) != ERR_NONE || reader_finish(&inner) != ERR_NONE ||
        n.size > RSA_SIZE_MAX || n.size == 0 || e.size > RSA_SIZE_MAX || e.size == 0)
        return ERR_MALFORMED;
    *modulus = n;
    *exponent = e;
    return ERR_NONE;
}

enum err rsa_public_write(struct span modulus, struct span exponent, uint8_t *out, size_t *size)
{
    struct writer w = writer_over(out, RSA_PUBLIC_DER_MAX);

    der_put_head(&w, DER_SEQUENCE, der_unsigned_size(modulus) + der_unsigned_size(exponent));
    der_put_unsigned(&w, modulus);
    der_put_unsigned(&w, exponent);
    *size = w.size;
    return writer_finish(&w, NULL);
}

static bool set_all(RSA *key, BIGNUM *number[NUMBERS])
{
    for (size_t i = 0; i < NUMBERS; i++)
        if (!number[i])
            return false;
    if (RSA_set0_key(key, number[N], number[E], number[D]) != 1)
        return false;
    number[N] = number[E] = number[D] = NULL; /* the key owns them now */
    if (RSA_set0_factors(key, number[P], number[Q]) != 1)
        return false;
    number[P] = number[Q] = NULL;
    if (RSA_set0_crt_params(key, number[DP], number[DQ], number[QI]) != 1)
        return false;
    number[DP] = number[DQ] = number[QI] = NULL;
    return true;
}

enum err rsa_key_private(struct span private_der, struct rsa_st **out)
{
    struct span numbers[NUMBERS];
    BIGNUM *number[NUMBERS] = {0};
    RSA *key = RSA_new();
    enum err e = private_read(private_der, numbers);

    if (e == ERR_NONE) {
        for (size_t i = 0; i < NUMBERS; i++)
            number[i] = BN_bin2bn(numbers[i].data, numbers[i].size, NULL);
        if (!key || !set_all(key, number))
            e = ERR_MEMORY;
    }
    for (size_t i = 0; i < NUMBERS; i++)
        BN_clear_free(number[i]);
    if (e == ERR_NONE) {
        *out = key;
    } else {
        RSA_free(key);
        ERR_clear_error(); /* AWS-LC keeps the last errors of each thread */
    }
    return e;
}

enum err rsa_key_public(struct span public_der, struct rsa_st **out)
{
    struct span modulus;
    struct span exponent;
    BIGNUM *n = NULL;
    BIGNUM *e = NULL;
    RSA *key = NULL;
    enum err failed = rsa_public_numbers(public_der, &modulus, &exponent);

    if (failed != ERR_NONE)
        return failed;
    n = BN_bin2bn(modulus.data, modulus.size, NULL);
    e = BN_bin2bn(exponent.data, exponent.size, NULL);
    key = RSA_new();
    if (n && e && key && RSA_set0_key(key, n, e, NULL) == 1) {
        *out = key;
        return ERR_NONE;
    }
    BN_free(n);
    BN_free(e);
    RSA_free(key);
    ERR_clear_error();
    return ERR_MEMORY;
}

/* In bytes, as all accepted moduli have a whole number of them. */
MUST_CHECK static enum err sizes_check(struct span modulus, struct span exponent, unsigned *bits)
{
    uint64_t e = 0;

    for (size_t i = 0; i < exponent.size && i <= sizeof(uint32_t); i++)
        e = e << 8 | exponent.data[i];
    if ((modulus.size != 256 && modulus.size != 384 && modulus.size != 512) ||
        modulus.data[0] < 0x80 || e < EXPONENT || e > UINT32_MAX || e % 2 == 0)
        return ERR_UNSUPPORTED;
    *bits = (unsigned)(8 * modulus.size);
    return ERR_NONE;
}

enum err rsa_public_check(struct span public_der, unsigned *bits)
{
    struct span modulus;
    struct span exponent;
    RSA *key = NULL;
    unsigned found = 0;
    enum err e = rsa_public_numbers(public_der, &modulus, &exponent);

    if (e != ERR_NONE || (e = sizes_check(modulus, exponent, &found)) != ERR_NONE ||
        (e = rsa_key_public(public_der, &key)) != ERR_NONE)
        return e;
    if (RSA_check_fips(key) != 1) {
        ERR_clear_error();
        e = ERR_CRYPTO;
    }
    RSA_free(key);
    if (e == ERR_NONE)
        *bits = found;
    return e;
}

static bool is_prime(const BIGNUM *number, BN_CTX *work)
{
    int probably = 0;

    return BN_primality_test(&probably, number, PRIME_ROUNDS, work, 1, NULL) == 1 && probably == 1;
}

/* Whether the primes are far enough from each other. */
static bool are_distant(const BIGNUM *p, const BIGNUM *q, unsigned bits)
{
    BIGNUM *difference = BN_new();
    bool distant = difference && BN_sub(difference, p, q) == 1 &&
                   BN_num_bits(difference) > bits / 2 - DISTANCE;

    BN_clear_free(difference);
    return distant;
}

static bool is_sound(const RSA *key, unsigned bits)
{
    const BIGNUM *p = RSA_get0_p(key);
    const BIGNUM *q = RSA_get0_q(key);
    BN_CTX *work = BN_CTX_new();
    bool sound = work && BN_num_bits(p) == bits / 2 && BN_num_bits(q) == bits / 2 &&
                 BN_num_bits(RSA_get0_d(key)) > bits / 2 && RSA_check_key(key) == 1 &&
                 are_distant(p, q, bits) && is_prime(p, work) && is_prime(q, work);

    BN_CTX_free(work);
    return sound;
}

enum err rsa_private_check(struct span private_der, unsigned bits, uint8_t *public_der,
                           size_t *public_size)
{
    struct span numbers[NUMBERS];
    RSA *key = NULL;
    unsigned found = 0;
    enum err e = private_read(private_der, numbers);

    if (e != ERR_NONE || (e = sizes_check(numbers[N], numbers[E], &found)) != ERR_NONE)
        return e;
    if (found != bits)
        return ERR_UNSUPPORTED;
    if ((e = rsa_key_private(private_der, &key)) != ERR_NONE)
        return e;
    if (!is_sound(key, bits))
        e = ERR_CRYPTO;
    ERR_clear_error();
    RSA_free(key);
    stack_wipe();
    return e == ERR_NONE ? rsa_public_write(numbers[N], numbers[E], public_der, public_size) : e;
}

enum err rsa_generate(unsigned bits, struct secret **out)
{
    RSA *key = RSA_new();
    BIGNUM *exponent = BN_new();
    uint8_t *der = NULL;
    size_t size = 0;
    enum err e = ERR_MEMORY;

    if (key && exponent && BN_set_word(exponent, EXPONENT) == 1) {
        if (RSA_generate_key_ex(key, (int)bits, exponent, NULL) != 1)
            e = ERR_CRYPTO;
        else if (RSA_private_key_to_bytes(&der, &size, key) == 1)
            e = secret_copy(span_of(der, size), out);
    }
    OPENSSL_free(der); /* wipes */
    BN_free(exponent);
    RSA_free(key);
    ERR_clear_error();
    stack_wipe();
    return e;
}
