#include "keys/key_derive.h"

#include <assert.h>
#include <string.h>

#include "crypto/curve25519.h"
#include "crypto/hmac.h"
#include "crypto/mac.h"
#include "crypto/mlkem.h"

_Static_assert(KEY_DERIVED_MAX <= PBKDF2_SIZE_MAX && KEY_DERIVED_MAX <= HKDF_MAX_SIZE &&
                   KEY_PBKDF2_ITERATIONS_MAX <= PBKDF2_ITERATIONS_MAX,
               "crypto/ has room");
_Static_assert(KEY_ENCAPSULATE_RANDOM_SIZE == MLKEM768_RANDOM_SIZE, "FIPS 203");

MUST_CHECK static enum err check(const struct key_spec *key, const struct key_material *m,
                                 enum key_operation operation)
{
    const struct algorithm_request request = {.operation = operation};

    assert(key->type == m->type);
    if (algorithm_misfit(key, &request) != MISFIT_NONE ||
        (operation != KEY_ENCAPSULATE && !m->secret))
        return ERR_UNSUPPORTED;
    return ERR_NONE;
}

/* The work is iterations times blocks. A caller must not keep a thread busy for minutes. */
static bool pbkdf2_fits(enum algorithm a, const struct derive_input *input)
{
    size_t block = digest_size(algorithm_info(a)->digest);
    size_t blocks = (input->size + block - 1) / block;

    return input->iterations > 0 && input->iterations <= KEY_PBKDF2_ITERATIONS_MAX / blocks;
}

/* The inputs that an algorithm does not have must be absent. */
MUST_CHECK static enum err check_input(enum algorithm a, const struct derive_input *input)
{
    bool is_ecdh = a == ALGORITHM_ECDH || a == ALGORITHM_ECDH_HKDF_SHA256;
    bool is_hkdf = a == ALGORITHM_HKDF_SHA256 || a == ALGORITHM_ECDH_HKDF_SHA256;
    bool is_pbkdf2 = a == ALGORITHM_PBKDF2_SHA256 || a == ALGORITHM_PBKDF2_SHA512;

    if ((input->peer.size > 0 && !is_ecdh) || (input->info.size > 0 && !is_hkdf) ||
        (input->salt.size > 0 && !is_hkdf && !is_pbkdf2) || (input->iterations > 0 && !is_pbkdf2))
        return ERR_UNSUPPORTED;
    if (input->size == 0 || input->size > KEY_DERIVED_MAX || (is_pbkdf2 && !pbkdf2_fits(a, input)))
        return ERR_TOO_LARGE;
    return ERR_NONE;
}

/* The shared secret of ECDH. `*size` is 32 or 48. The caller wipes `shared`. */
MUST_CHECK static enum err agree(const struct key_material *m, struct span peer,
                                 uint8_t shared[EC_SIZE_MAX], size_t *size)
{
    uint8_t point[EC_POINT_MAX];
    enum err e;

    if (m->type == KEY_X25519) {
        *size = X25519_SIZE;
        return peer.size == X25519_SIZE ? x25519(secret_span(m->secret).data, peer.data, shared)
                                        : ERR_MALFORMED;
    }
    *size = ec_size(key_curve(m->type));
    e = ec_point_read(key_curve(m->type), peer, point);
    return e == ERR_NONE ? ec_shared(key_curve(m->type), secret_span(m->secret).data, point, shared)
                         : e;
}

MUST_CHECK static enum err derive_ecdh(const struct key_spec *key, const struct key_material *m,
                                       const struct derive_input *input, uint8_t *out)
{
    uint8_t shared[EC_SIZE_MAX];
    size_t size = 0;
    enum err e = agree(m, input->peer, shared, &size);

    if (e == ERR_NONE && key->algorithm == ALGORITHM_ECDH_HKDF_SHA256)
        e = hkdf_sha256(input->salt, span_of(shared, size), input->info, out, input->size);
    else if (e == ERR_NONE && input->size != size)
        e = ERR_TOO_LARGE;
    else if (e == ERR_NONE)
        memcpy(out, shared, size);
    bytes_wipe(shared, sizeof shared);
    return e;
}

enum err key_derive(const struct key_spec *key, const struct key_material *m,
                    const struct derive_input *input, struct secret **out)
{
    struct secret *made = NULL;
    enum err e = check(key, m, KEY_DERIVE);

    if (e != ERR_NONE || (e = check_input(key->algorithm, input)) != ERR_NONE ||
        (e = secret_new(input->size, &made)) != ERR_NONE)
        return e;
    if (key_type_info(m->type)->family != KEY_FAMILY_SYMMETRIC)
        e = derive_ecdh(key, m, input, secret_data(made));
    else if (key->algorithm == ALGORITHM_HKDF_SHA256)
        e = hkdf_sha256(input->salt, secret_span(m->secret), input->info, secret_data(made),
                        input->size);
    else
        e = pbkdf2(algorithm_info(key->algorithm)->digest, secret_span(m->secret), input->salt,
                   input->iterations, secret_data(made), input->size);
    if (e == ERR_NONE) {
        *out = made;
        made = NULL; /* the caller owns it now */
    }
    secret_free(&made);
    return e;
}

enum err key_encapsulate(const struct key_spec *key, const struct key_material *m,
                         const uint8_t random[KEY_ENCAPSULATE_RANDOM_SIZE], struct buffer *out,
                         struct secret **shared)
{
    struct secret *made = NULL;
    enum err e = check(key, m, KEY_ENCAPSULATE);

    if (e != ERR_NONE || (e = buffer_reserve(out, MLKEM768_CIPHERTEXT_SIZE)) != ERR_NONE ||
        (e = secret_new(MLKEM768_SHARED_SIZE, &made)) != ERR_NONE)
        return e;
    e = mlkem768_encapsulate(m->public_key, random, out->data + out->size, secret_data(made));
    if (e == ERR_NONE) {
        out->size += MLKEM768_CIPHERTEXT_SIZE;
        *shared = made;
        made = NULL; /* the caller owns it now */
    }
    secret_free(&made);
    return e;
}

enum err key_decapsulate(const struct key_spec *key, const struct key_material *m,
                         struct span ciphertext, struct secret **shared)
{
    struct secret *made = NULL;
    enum err e = check(key, m, KEY_DECAPSULATE);

    if (e != ERR_NONE)
        return e;
    if (ciphertext.size != MLKEM768_CIPHERTEXT_SIZE)
        return ERR_MALFORMED;
    if ((e = secret_new(MLKEM768_SHARED_SIZE, &made)) == ERR_NONE)
        e = mlkem768_decapsulate(secret_span(m->secret).data, ciphertext.data, secret_data(made));
    if (e == ERR_NONE) {
        *shared = made;
        made = NULL; /* the caller owns it now */
    }
    secret_free(&made);
    return e;
}
