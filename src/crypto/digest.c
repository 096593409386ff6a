#include "crypto/digest.h"

#include <assert.h>
#include <openssl/sha.h>

static void sha1_of(struct span bytes, uint8_t *out)
{
    (void)SHA1(bytes.data, bytes.size, out);
}

static void sha256_of(struct span bytes, uint8_t *out)
{
    (void)SHA256(bytes.data, bytes.size, out);
}

static void sha384_of(struct span bytes, uint8_t *out)
{
    (void)SHA384(bytes.data, bytes.size, out);
}

static void sha512_of(struct span bytes, uint8_t *out)
{
    (void)SHA512(bytes.data, bytes.size, out);
}

static const struct {
    const char *name;
    size_t size;
    void (*hash)(struct span bytes, uint8_t *out);
} digests[DIGEST_COUNT] = {
    [DIGEST_NONE] = {"none",    0,                    NULL     },
    [DIGEST_SHA1] = {"SHA-1",   SHA_DIGEST_LENGTH,    sha1_of  },
    [DIGEST_SHA256] = {"SHA-256", SHA256_DIGEST_LENGTH, sha256_of},
    [DIGEST_SHA384] = {"SHA-384", SHA384_DIGEST_LENGTH, sha384_of},
    [DIGEST_SHA512] = {"SHA-512", SHA512_DIGEST_LENGTH, sha512_of},
};

size_t digest_size(enum digest d)
{
    return digests[d].size;
}

const char *digest_name(enum digest d)
{
    return digests[d].name;
}

void digest_of(enum digest d, struct span bytes, uint8_t *out)
{
    assert(digests[d].hash);
    digests[d].hash(bytes, out);
}
