#include "crypto/rfc6979.h"

#include <string.h>

#include "crypto/hmac.h"

/* K = HMAC_K(V || byte || scalar || reduced), V = HMAC_K(V). */
static void update(struct rfc6979 *state, uint8_t byte, struct span scalar, struct span reduced)
{
    const struct span v = span_of(state->v, digest_size(state->digest));
    const struct span input[] = {
        v, {&byte, 1},
         scalar, reduced
    };

    hmac(state->digest, span_of(state->k, v.size), input, COUNT_OF(input), state->k);
    hmac(state->digest, span_of(state->k, v.size), &v, 1, state->v);
}

void rfc6979_begin(struct rfc6979 *state, enum digest d, const uint8_t *scalar,
                   const uint8_t *reduced)
{
    struct span key = span_of(scalar, digest_size(d));
    struct span message = span_of(reduced, digest_size(d));

    state->digest = d;
    memset(state->v, 0x01, sizeof state->v);
    memset(state->k, 0x00, sizeof state->k);
    update(state, 0x00, key, message);
    update(state, 0x01, key, message);
}

void rfc6979_next(struct rfc6979 *state, uint8_t *candidate)
{
    const struct span v = span_of(state->v, digest_size(state->digest));

    hmac(state->digest, span_of(state->k, v.size), &v, 1, state->v);
    memcpy(candidate, state->v, v.size);
    /* for the next candidate, if this one is out of range */
    update(state, 0x00, (struct span){0}, (struct span){0});
}

void rfc6979_clear(struct rfc6979 *state)
{
    bytes_wipe(state, sizeof *state);
}
