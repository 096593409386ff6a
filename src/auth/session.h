/*
 * Sessions. A worker attests once and gets a JWT in the style of EAT (RFC 7519, RFC 9711). The
 * keystore signs the JWT with ES256. Any replica can check it without shared state. Claims:
 *   iss  origin of the keystore      sub  name of the token it was issued to
 *   iat, exp, jti                    eat_nonce  hex of the nonce that was attested
 *   cnf  {"jwk": {"kty":"OKP","crv":"X25519","x":...}} the attested key (RFC 7800)
 *   vs   {"tee","policy","policy_version","claims" (SHA-256 hex),"token" (SHA-256 of the token,
 * hex), "simulated", "collateral" (absent when no collateral judged the platform)}
 * The header is exactly {"alg":"ES256","typ":"JWT","kid":"<8 hex>"}. Any other header is refused,
 * which prevents algorithm confusion. Pure: time and randomness are arguments.
 */
#ifndef AUTH_SESSION_H
#define AUTH_SESSION_H

#include "auth/principal.h"
#include "base/clock.h"
#include "crypto/curve25519.h"
#include "crypto/hash.h"
#include "crypto/p256.h"

#define SESSION_TOKEN_MAX 2048
#define SESSION_NAME_MAX 64
#define SESSION_COLLATERAL_MAX 63
#define SESSION_ID_SIZE 16

struct session {
    char issuer[129];
    char subject[PRINCIPAL_NAME_MAX + 1];
    uint8_t token_hash[SHA256_SIZE];  /* of the bearer token to which the session is bound */
    struct timestamp issued, expires; /* whole seconds */
    uint8_t id[SESSION_ID_SIZE];
    uint8_t nonce[32];
    uint8_t key[X25519_SIZE]; /* the attested key */
    char tee[16];
    char policy[SESSION_NAME_MAX + 1];
    uint8_t policy_version[8]; /* of the policy set; a changed policy set revokes sessions */
    uint8_t claims[SHA256_SIZE];
    char collateral[SESSION_COLLATERAL_MAX + 1]; /* that judged the platform; "" means none */
    bool simulated;
};

/* Writes a compact JWS with a terminator. ERR_TOO_LARGE, ERR_CRYPTO */
MUST_CHECK enum err session_write(const struct session *s, const struct p256_private *key,
                                  char *out, size_t out_size);

/*
 * Checks the signature and the form. session_check() checks time and binding.
 * ERR_MALFORMED, ERR_CRYPTO
 */
MUST_CHECK enum err session_parse(struct span token, const struct p256_public *key,
                                  const uint8_t public_point[P256_POINT_SIZE], struct session *out);

/*
 * Checks that a request may use the session.
 * ERR_EXPIRED; ERR_DENIED the session belongs to another token, issuer or policy set
 */
MUST_CHECK enum err session_check(const struct session *s, const char *issuer,
                                  const uint8_t token_hash[SHA256_SIZE],
                                  const uint8_t policy_version[8], struct timestamp now,
                                  const char **code);

/*
 * Remembers verified tokens by their SHA-256, so a known session costs only one hash. The cache is
 * not thread-safe: each loop has its own.
 *
 * The cache is bounded and shared. A full cache forgets the least recently used session of the
 * principal that holds most sessions. If several principals hold equally many, it forgets the least
 * recently used session among theirs. So a caller that makes sessions without end cannot displace
 * the sessions of a principal with at most capacity / n sessions, where n is the number of
 * principals in the cache.
 */
struct session_cache;
MUST_CHECK enum err session_cache_new(size_t capacity, struct session_cache **out);
const struct session *session_cache_find(struct session_cache *c, struct span token);
void session_cache_put(struct session_cache *c, struct span token, const struct session *s);
void session_cache_free(struct session_cache **c);

#endif
