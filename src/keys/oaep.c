#include "keys/oaep.h"

#include "crypto/rsa.h"

static struct rsa_oaep parameters(const struct key_spec *key, struct span label)
{
    const struct algorithm_info *info = algorithm_info(key->algorithm);

    return (struct rsa_oaep){.digest = info->digest, .mgf = info->mgf, .label = label};
}

enum err oaep_encrypt(const struct key_spec *key, const struct key_material *m, struct span label,
                      struct span plain, uint8_t *out)
{
    const struct rsa_oaep oaep = parameters(key, label);

    return rsa_oaep_encrypt(key_public(m), &oaep, plain, out);
}

enum err oaep_decrypt(const struct key_spec *key, const struct key_material *m, struct span label,
                      struct span ciphertext, struct secret **plain)
{
    const struct rsa_oaep oaep = parameters(key, label);

    return rsa_oaep_decrypt(secret_span(m->secret), &oaep, ciphertext, plain);
}
