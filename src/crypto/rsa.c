#include "crypto/rsa.h"

#include <assert.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>
#include <string.h>

#include "crypto/rsa_key.h"

static const EVP_MD *md_of(enum digest d)
{
    static const EVP_MD *(*const table[DIGEST_COUNT])(void) = {
        [DIGEST_SHA1] = EVP_sha1,
        [DIGEST_SHA256] = EVP_sha256,
        [DIGEST_SHA384] = EVP_sha384,
        [DIGEST_SHA512] = EVP_sha512,
    };

    assert(table[d]);
    return table[d]();
}

/* AWS-LC keeps the last errors of each thread. */
MUST_CHECK static enum err verdict(bool good, enum err otherwise)
{
    ERR_clear_error();
    stack_wipe();
    return good ? ERR_NONE : otherwise;
}

enum err rsa_sign(struct span private_der, enum rsa_signature form, enum digest d,
                  const uint8_t *digest, uint8_t *signature)
{
    RSA *key = NULL;
    enum err e = rsa_key_private(private_der, &key);
    size_t size = 0;
    unsigned short_size = 0;
    bool done;

    if (e != ERR_NONE)
        return e;
    if (form == RSA_PSS)
        done = RSA_sign_pss_mgf1(key, &size, signature, RSA_size(key), digest, digest_size(d),
                                 md_of(d), md_of(d), RSA_PSS_SALTLEN_DIGEST) == 1;
    else
        done = RSA_sign(EVP_MD_type(md_of(d)), digest, digest_size(d), signature, &short_size,
                        key) == 1;
    RSA_free(key);
    return verdict(done, ERR_MEMORY);
}

enum err rsa_verify(struct span public_der, enum rsa_signature form, enum digest d,
                    size_t salt_size, const uint8_t *digest, struct span signature)
{
    RSA *key = NULL;
    enum err e = rsa_key_public(public_der, &key);
    bool good;

    if (e != ERR_NONE)
        return e;
    if (form == RSA_PSS)
        good = RSA_verify_pss_mgf1(key, digest, digest_size(d), md_of(d), md_of(d), (int)salt_size,
                                   signature.data, signature.size) == 1;
    else
        good = RSA_verify(EVP_MD_type(md_of(d)), digest, digest_size(d), signature.data,
                          signature.size, key) == 1;
    RSA_free(key);
    return verdict(good, ERR_CRYPTO);
}

size_t rsa_oaep_plain_max(unsigned bits, enum digest d)
{
    return bits / 8 - 2 * digest_size(d) - 2;
}

/* EVP owns a copy of the label. */
static bool set_oaep(EVP_PKEY_CTX *work, const struct rsa_oaep *oaep)
{
    uint8_t *label = NULL;

    if (EVP_PKEY_CTX_set_rsa_padding(work, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(work, md_of(oaep->digest)) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(work, md_of(oaep->mgf)) != 1)
        return false;
    if (oaep->label.size == 0)
        return true;
    label = OPENSSL_memdup(oaep->label.data, oaep->label.size);
    if (label && EVP_PKEY_CTX_set0_rsa_oaep_label(work, label, oaep->label.size) == 1)
        return true;
    OPENSSL_free(label);
    return false;
}

/* A context for one operation. Takes `key`, also on failure. NULL when out of memory. */
static EVP_PKEY_CTX *begin(RSA *key, int (*init)(EVP_PKEY_CTX *), const struct rsa_oaep *oaep)
{
    EVP_PKEY *holder = EVP_PKEY_new();
    EVP_PKEY_CTX *work = NULL;

    if (!holder || EVP_PKEY_assign_RSA(holder, key) != 1) {
        RSA_free(key);
    } else {
        work = EVP_PKEY_CTX_new(holder, NULL); /* keeps a reference to the key */
        if (work && (init(work) != 1 || !set_oaep(work, oaep))) {
            EVP_PKEY_CTX_free(work);
            work = NULL;
        }
    }
    EVP_PKEY_free(holder);
    return work;
}

enum err rsa_oaep_encrypt(struct span public_der, const struct rsa_oaep *oaep, struct span plain,
                          uint8_t *out)
{
    RSA *key = NULL;
    EVP_PKEY_CTX *work;
    enum err e = rsa_key_public(public_der, &key);
    size_t size;
    bool done;

    if (e != ERR_NONE)
        return e;
    size = RSA_size(key);
    if (size < 2 * digest_size(oaep->digest) + 2 ||
        plain.size > rsa_oaep_plain_max((unsigned)(8 * size), oaep->digest)) {
        RSA_free(key);
        return ERR_TOO_LARGE;
    }
    work = begin(key, EVP_PKEY_encrypt_init, oaep);
    done = work && EVP_PKEY_encrypt(work, out, &size, plain.data, plain.size) == 1;
    EVP_PKEY_CTX_free(work);
    return verdict(done, ERR_MEMORY);
}

enum err rsa_oaep_decrypt(struct span private_der, const struct rsa_oaep *oaep,
                          struct span ciphertext, struct secret **plain)
{
    RSA *key = NULL;
    struct secret *text = NULL;
    EVP_PKEY_CTX *work = NULL;
    enum err e = rsa_key_private(private_der, &key);
    size_t size = 0;

    if (e != ERR_NONE)
        return e;
    size = RSA_size(key);
    if ((e = secret_new(size, &text)) != ERR_NONE) {
        RSA_free(key);
        return e;
    }
    work = begin(key, EVP_PKEY_decrypt_init, oaep);
    if (!work)
        e = ERR_MEMORY;
    else if (ciphertext.size != size || EVP_PKEY_decrypt(work, secret_data(text), &size,
                                                         ciphertext.data, ciphertext.size) != 1)
        e = ERR_CRYPTO;
    EVP_PKEY_CTX_free(work);
    e = verdict(e == ERR_NONE, e);
    if (e == ERR_NONE) {
        secret_shrink(text, size);
        *plain = text;
        text = NULL; /* the caller owns it now */
    }
    secret_free(&text);
    return e;
}
