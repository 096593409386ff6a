/*
 * Sessions. First the bytes as a whole token; then as the payload of a token under a good header
 * and signature, so that the parser of claims is reached. An accepted token equals the one that we
 * would write.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/session.h"
#include "base/text.h"
#include "crypto/random.h"

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p256_private *key;
static struct p256_public *public_key;
static uint8_t point[P256_POINT_SIZE];
static char header[45];

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    static const uint8_t seed[P256_DERIVE_SIZE] = {7};
    uint8_t hash[SHA256_SIZE];
    char kid[9];

    (void)count;
    (void)arguments;
    if (crypto_start() != ERR_NONE || p256_derive(seed, &key) != ERR_NONE)
        abort();
    p256_private_point(key, point);
    if (p256_public_from_point(point, &public_key) != ERR_NONE)
        abort();
    sha256(SPAN_OF(point), hash);
    hex_write(span_of(hash, 4), kid);
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                   kid);
    return 0;
}

static size_t forge(const uint8_t *payload, size_t payload_size, char *out)
{
    uint8_t signature[P256_SIGNATURE_SIZE];
    size_t size = base64url_size(44);

    base64url_write(span_of(header, 44), out);
    out[size++] = '.';
    base64url_write(span_of(payload, payload_size), out + size);
    size += base64url_size(payload_size);
    if (p256_sign(key, span_of(out, size), signature) != ERR_NONE)
        abort();
    out[size++] = '.';
    base64url_write(SPAN_OF(signature), out + size);
    return size + 86;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char token[2 * SESSION_TOKEN_MAX];
    char again[SESSION_TOKEN_MAX];
    struct session s;
    size_t token_size;

    (void)!session_parse(span_of(data, size), public_key, point, &s);
    if (size > 1500)
        return 0;
    token_size = forge(data, size, token);
    if (session_parse(span_of(token, token_size), public_key, point, &s) != ERR_NONE)
        return 0;
    assert(s.expires.ms > s.issued.ms && *s.issuer && *s.subject && *s.policy);
    assert(session_write(&s, key, again, sizeof again) == ERR_NONE);
    assert(strlen(again) == token_size && memcmp(again, token, token_size - 86) == 0);
    return 0;
}
