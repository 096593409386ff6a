#include "auth/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"

enum {
    HEADER_SIZE = 44, /* {"alg":"ES256","typ":"JWT","kid":"<8 hex>"} */
    HEADER_TEXT_SIZE = 59,
    PAYLOAD_MAX = 1400, /* in base64url, with header and signature, under SESSION_TOKEN_MAX */
    SIGNATURE_TEXT_SIZE = 86,
    LIFETIME_MAX_S = 86400,
    SKEW_MS = 30000, /* between the clocks of replicas */
};

/* base64url of the only allowed header; `kid` is the first 4 bytes of SHA-256 of the public key. */
static void header_write(const uint8_t public_point[P256_POINT_SIZE], char out[HEADER_TEXT_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    char kid[9];
    char header[HEADER_SIZE + 1];

    sha256(span_of(public_point, P256_POINT_SIZE), hash);
    hex_write(span_of(hash, 4), kid);
    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}",
                   kid);
    base64url_write(span_of(header, HEADER_SIZE), out);
}

static void key_write(struct json_writer *j, const uint8_t key[X25519_SIZE])
{
    char x[43];

    base64url_write(span_of(key, X25519_SIZE), x);
    json_open_object(j, "cnf");
    json_open_object(j, "jwk");
    json_put_string(j, "kty", SPAN_LITERAL("OKP"));
    json_put_string(j, "crv", SPAN_LITERAL("X25519"));
    json_put_string(j, "x", SPAN_OF(x));
    json_close_object(j);
    json_close_object(j);
}

/* The one spelling of a session's claims. */
MUST_CHECK static enum err payload_write(const struct session *s, uint8_t *out, size_t out_size,
                                         struct span *payload)
{
    struct writer w = writer_over(out, out_size);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_string(&j, "iss", span_string(s->issuer));
    json_put_string(&j, "sub", span_string(s->subject));
    json_put_int(&j, "iat", timestamp_seconds(s->issued));
    json_put_int(&j, "exp", timestamp_seconds(s->expires));
    json_put_hex(&j, "jti", SPAN_OF(s->id));
    json_put_hex(&j, "eat_nonce", SPAN_OF(s->nonce));
    key_write(&j, s->key);
    json_open_object(&j, "vs");
    json_put_string(&j, "tee", span_string(s->tee));
    json_put_string(&j, "policy", span_string(s->policy));
    json_put_hex(&j, "policy_version", SPAN_OF(s->policy_version));
    json_put_hex(&j, "claims", SPAN_OF(s->claims));
    json_put_hex(&j, "token", SPAN_OF(s->token_hash));
    json_put_bool(&j, "simulated", s->simulated);
    if (s->collateral[0])
        json_put_string(&j, "collateral", span_string(s->collateral));
    json_close_object(&j);
    json_close_object(&j);
    return writer_finish(&w, payload);
}

enum err session_write(const struct session *s, const struct p256_private *key, char *out,
                       size_t out_size)
{
    uint8_t bytes[PAYLOAD_MAX];
    uint8_t point[P256_POINT_SIZE];
    uint8_t signature[P256_SIGNATURE_SIZE];
    struct span payload;
    size_t signed_size;
    enum err e = payload_write(s, bytes, sizeof bytes, &payload);

    if (e != ERR_NONE)
        return e;
    signed_size = HEADER_TEXT_SIZE + 1 + base64url_size(payload.size);
    if (out_size < signed_size + 1 + SIGNATURE_TEXT_SIZE + 1)
        return ERR_TOO_LARGE;
    p256_private_point(key, point);
    header_write(point, out);
    out[HEADER_TEXT_SIZE] = '.';
    base64url_write(payload, out + HEADER_TEXT_SIZE + 1);
    e = p256_sign(key, span_of(out, signed_size), signature);
    if (e != ERR_NONE)
        return e;
    out[signed_size] = '.';
    base64url_write(SPAN_OF(signature), out + signed_size + 1);
    out[signed_size + 1 + SIGNATURE_TEXT_SIZE] = '\0';
    return ERR_NONE;
}

/* Checks the bytes of the header and the signature; `*payload_text` is the part between them. */
MUST_CHECK static enum err envelope_check(struct span token, const struct p256_public *key,
                                          const uint8_t public_point[P256_POINT_SIZE],
                                          struct span *payload_text)
{
    char header[HEADER_TEXT_SIZE];
    uint8_t signature[P256_SIGNATURE_SIZE];
    size_t size = 0;
    size_t signed_size;

    header_write(public_point, header);
    if (token.size > SESSION_TOKEN_MAX || token.size < HEADER_TEXT_SIZE + 3 + SIGNATURE_TEXT_SIZE ||
        !span_starts_with(token, SPAN_OF(header)) || token.data[HEADER_TEXT_SIZE] != '.')
        return ERR_MALFORMED;
    signed_size = token.size - SIGNATURE_TEXT_SIZE - 1;
    if (token.data[signed_size] != '.' ||
        base64url_read(span_slice(token, signed_size + 1, SIGNATURE_TEXT_SIZE), signature,
                       sizeof signature, &size) != ERR_NONE ||
        size != sizeof signature)
        return ERR_MALFORMED;
    *payload_text = span_slice(token, HEADER_TEXT_SIZE + 1, signed_size - HEADER_TEXT_SIZE - 1);
    return p256_verify(key, span_slice(token, 0, signed_size), signature);
}

MUST_CHECK static enum err text_read(struct json_value value, char *out, size_t out_size)
{
    size_t size = 0;
    enum err e = json_string(value, out, out_size - 1, &size);

    if (e != ERR_NONE || size == 0 || memchr(out, 0, size) != NULL)
        return ERR_MALFORMED;
    out[size] = '\0';
    return ERR_NONE;
}

MUST_CHECK static enum err bytes_read(struct json_value value, uint8_t *out, size_t size)
{
    struct span text;
    enum err e = json_string_plain(value, &text);

    return e == ERR_NONE ? hex_read(text, out, size) : e;
}

MUST_CHECK static enum err key_read(struct json_value cnf, uint8_t out[X25519_SIZE])
{
    struct json_value jwk, kty, crv, x;
    const struct json_field outer[] = {
        {"jwk", JSON_OBJECT, true, &jwk}
    };
    const struct json_field inner[] = {
        {"kty", JSON_STRING, true, &kty},
        {"crv", JSON_STRING, true, &crv},
        {"x",   JSON_STRING, true, &x  }
    };
    struct span text;
    size_t size = 0;
    enum err e = json_object_read(cnf, outer, COUNT_OF(outer), false, NULL);

    if (e == ERR_NONE)
        e = json_object_read(jwk, inner, COUNT_OF(inner), false, NULL);
    if (e == ERR_NONE && (!json_string_equal(kty, "OKP") || !json_string_equal(crv, "X25519")))
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        e = json_string_plain(x, &text);
    if (e == ERR_NONE)
        e = base64url_read(text, out, X25519_SIZE, &size);
    return e == ERR_NONE && size != X25519_SIZE ? ERR_MALFORMED : e;
}

MUST_CHECK static enum err own_read(struct json_value vs, struct session *s)
{
    struct json_value tee, policy, version, claims, token, simulated, collateral;
    const struct json_field fields[] = {
        {"tee",            JSON_STRING, true,  &tee       },
        {"policy",         JSON_STRING, true,  &policy    },
        {"claims",         JSON_STRING, true,  &claims    },
        {"policy_version", JSON_STRING, true,  &version   },
        {"token",          JSON_STRING, true,  &token     },
        {"simulated",      JSON_TRUE,   true,  &simulated },
        {"collateral",     JSON_STRING, false, &collateral}
    };
    enum err e = json_object_read(vs, fields, COUNT_OF(fields), false, NULL);

    if (e != ERR_NONE || (e = text_read(tee, s->tee, sizeof s->tee)) != ERR_NONE ||
        (e = text_read(policy, s->policy, sizeof s->policy)) != ERR_NONE ||
        (e = bytes_read(version, s->policy_version, sizeof s->policy_version)) != ERR_NONE ||
        (e = bytes_read(claims, s->claims, sizeof s->claims)) != ERR_NONE ||
        (e = bytes_read(token, s->token_hash, sizeof s->token_hash)) != ERR_NONE)
        return e;
    s->simulated = simulated.type == JSON_TRUE;
    return collateral.type == JSON_NULL
               ? ERR_NONE
               : text_read(collateral, s->collateral, sizeof s->collateral);
}

MUST_CHECK static enum err times_read(struct json_value iat, struct json_value exp,
                                      struct session *s)
{
    int64_t issued = 0;
    int64_t expires = 0;
    enum err e = json_int64(iat, &issued);

    if (e == ERR_NONE)
        e = json_int64(exp, &expires);
    if (e != ERR_NONE)
        return e;
    if (issued < 0 || expires > INT64_MAX / 1000 || expires <= issued ||
        expires - issued > LIFETIME_MAX_S)
        return ERR_MALFORMED;
    s->issued = timestamp_of_seconds(issued);
    s->expires = timestamp_of_seconds(expires);
    return ERR_NONE;
}

MUST_CHECK static enum err claims_read(struct json_value object, struct session *s)
{
    struct json_value iss, sub, iat, exp, jti, nonce, cnf, vs;
    const struct json_field fields[] = {
        {"iss",       JSON_STRING, true, &iss  },
        {"sub",       JSON_STRING, true, &sub  },
        {"iat",       JSON_NUMBER, true, &iat  },
        {"exp",       JSON_NUMBER, true, &exp  },
        {"jti",       JSON_STRING, true, &jti  },
        {"eat_nonce", JSON_STRING, true, &nonce},
        {"cnf",       JSON_OBJECT, true, &cnf  },
        {"vs",        JSON_OBJECT, true, &vs   }
    };
    enum err e = json_object_read(object, fields, COUNT_OF(fields), false, NULL);

    if (e != ERR_NONE || (e = text_read(iss, s->issuer, sizeof s->issuer)) != ERR_NONE ||
        (e = text_read(sub, s->subject, sizeof s->subject)) != ERR_NONE ||
        (e = times_read(iat, exp, s)) != ERR_NONE ||
        (e = bytes_read(jti, s->id, sizeof s->id)) != ERR_NONE ||
        (e = bytes_read(nonce, s->nonce, sizeof s->nonce)) != ERR_NONE ||
        (e = key_read(cnf, s->key)) != ERR_NONE)
        return e;
    return own_read(vs, s);
}

enum err session_parse(struct span token, const struct p256_public *key,
                       const uint8_t public_point[P256_POINT_SIZE], struct session *out)
{
    uint8_t payload[PAYLOAD_MAX];
    uint8_t canonical[PAYLOAD_MAX];
    struct session s = {0};
    struct json_value object;
    struct span text;
    struct span written;
    size_t size = 0;
    enum err e = envelope_check(token, key, public_point, &text);

    if (e != ERR_NONE)
        return e;
    if (base64url_read(text, payload, sizeof payload, &size) != ERR_NONE ||
        json_parse(span_of(payload, size), &object, NULL) != ERR_NONE ||
        claims_read(object, &s) != ERR_NONE ||
        payload_write(&s, canonical, sizeof canonical, &written) != ERR_NONE ||
        !span_equal(written, span_of(payload, size))) /* one spelling: session_write()'s */
        return ERR_MALFORMED;
    *out = s;
    return ERR_NONE;
}

MUST_CHECK static enum err refuse(enum err e, const char **code, const char *text)
{
    *code = text;
    return e;
}

enum err session_check(const struct session *s, const char *issuer,
                       const uint8_t token_hash[SHA256_SIZE], const uint8_t policy_version[8],
                       struct timestamp now, const char **code)
{
    if (strcmp(s->issuer, issuer) != 0)
        return refuse(ERR_DENIED, code, "session_issuer_mismatch");
    if (!bytes_equal_ct(s->token_hash, token_hash, SHA256_SIZE))
        return refuse(ERR_DENIED, code, "session_token_mismatch");
    if (now.ms >= s->expires.ms)
        return refuse(ERR_EXPIRED, code, "session_expired");
    if (now.ms < s->issued.ms - SKEW_MS)
        return refuse(ERR_DENIED, code, "session_not_yet_valid");
    if (!bytes_equal_ct(s->policy_version, policy_version, sizeof s->policy_version))
        return refuse(ERR_DENIED, code, "session_policy_changed");
    return ERR_NONE;
}
