#include "client/reply.h"

#include <string.h>

#include "base/text.h"
#include "codec/json.h"

/* U+0080..U+009F are C2 80..C2 9F in UTF-8; some terminals treat them like escape sequences. */
void text_make_printable(char *text)
{
    for (uint8_t *p = (uint8_t *)text; *p != 0; p++) {
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
        if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f)
            p[0] = p[1] = '?';
    }
}

/* A terminated string without NUL inside. */
MUST_CHECK static enum err text_read(struct json_value value, char *out, size_t out_size)
{
    size_t size = 0;
    enum err e = json_string(value, out, out_size - 1, &size);

    if (e != ERR_NONE)
        return e;
    if (memchr(out, 0, size) != NULL)
        return ERR_MALFORMED;
    out[size] = '\0';
    return ERR_NONE;
}

/* The same for texts that are shown to people. */
MUST_CHECK static enum err name_read(struct json_value value, char *out, size_t out_size)
{
    enum err e = text_read(value, out, out_size);

    if (e == ERR_NONE)
        text_make_printable(out);
    return e;
}

MUST_CHECK static enum err hex_member(struct json_value value, uint8_t *out, size_t size)
{
    struct span text = {0};
    enum err e = json_string_plain(value, &text);

    return e == ERR_NONE ? hex_read(text, out, size) : e;
}

/* Hex of 1 to `capacity` bytes. */
MUST_CHECK static enum err hex_member_any(struct json_value value, uint8_t *out, size_t capacity,
                                          size_t *size)
{
    struct span text = {0};
    enum err e = json_string_plain(value, &text);

    if (e != ERR_NONE)
        return e;
    if (text.size == 0 || text.size % 2 != 0 || text.size / 2 > capacity)
        return ERR_MALFORMED;
    e = hex_read(text, out, text.size / 2);
    if (e == ERR_NONE)
        *size = text.size / 2;
    return e;
}

/* Base64 of exactly `size` bytes. */
MUST_CHECK static enum err base64_member(struct json_value value, uint8_t *out, size_t size)
{
    struct span text = {0};
    size_t got = 0;
    enum err e = json_string_plain(value, &text);

    if (e == ERR_NONE)
        e = base64_read(text, out, size, &got);
    return e == ERR_NONE && got != size ? ERR_MALFORMED : e;
}

MUST_CHECK static enum err u32_member(struct json_value value, uint32_t *out)
{
    uint64_t wide = 0;
    enum err e = json_uint64(value, &wide);

    if (e == ERR_NONE && wide > UINT32_MAX)
        e = ERR_MALFORMED;
    if (e == ERR_NONE)
        *out = (uint32_t)wide;
    return e;
}

MUST_CHECK static enum err document_read(struct span body, const struct json_field *fields,
                                         size_t count)
{
    struct json_value document;
    enum err e = json_parse(body, &document, NULL);

    return e == ERR_NONE ? json_object_read(document, fields, count, true, NULL) : e;
}

void reply_error_parse(struct span body, struct reply_error *out)
{
    struct json_value document, value;
    size_t size = 0;

    *out = (struct reply_error){0};
    if (json_parse(body, &document, NULL) != ERR_NONE)
        return;
    if (json_member(document, "code", &value) != ERR_NONE ||
        name_read(value, out->code, sizeof out->code) != ERR_NONE)
        out->code[0] = '\0';
    if (json_member(document, "error", &value) == ERR_NONE &&
        json_string(value, out->message, sizeof out->message - 1, &size) == ERR_NONE) {
        out->message[size] = '\0';
        text_make_printable(out->message);
    } else {
        out->message[0] = '\0';
    }
    if (json_member(document, "detail", &value) == ERR_NONE && value.type == JSON_OBJECT &&
        span_to_string(value.raw, out->detail, sizeof out->detail) == ERR_NONE)
        text_make_printable(out->detail);
    else
        out->detail[0] = '\0';
}

enum err reply_challenge_parse(struct span body, struct reply_challenge *out)
{
    struct reply_challenge c = {0};
    struct json_value nonce, expires;
    const struct json_field fields[] = {
        {"nonce",      JSON_STRING, true, &nonce  },
        {"expires_in", JSON_NUMBER, true, &expires},
    };
    enum err e;

    if ((e = document_read(body, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = hex_member(nonce, c.nonce, sizeof c.nonce)) != ERR_NONE ||
        (e = u32_member(expires, &c.expires_in_s)) != ERR_NONE)
        return e;
    *out = c;
    return ERR_NONE;
}

/* A compact JWS (RFC 7515 section 7.1): base64url and dots. It goes into a header line later. */
static bool is_jws(struct span token)
{
    size_t dots = 0;

    for (size_t i = 0; i < token.size; i++) {
        uint8_t b = token.data[i];

        dots += b == '.';
        if (!(b >= 'a' && b <= 'z') && !(b >= 'A' && b <= 'Z') && !(b >= '0' && b <= '9') &&
            b != '-' && b != '_' && b != '.')
            return false;
    }
    return dots == 2 && token.size <= 2048;
}

MUST_CHECK static enum err session_read(struct span body, struct reply_session *out)
{
    struct reply_session s = {0};
    struct json_value token, expires, tee, policy, status, advisories, claims;
    const struct json_field fields[] = {
        {"session",    JSON_STRING, true, &token     },
        {"expires_at", JSON_NUMBER, true, &expires   },
        {"tee",        JSON_STRING, true, &tee       },
        {"policy",     JSON_STRING, true, &policy    },
        {"status",     JSON_STRING, true, &status    },
        {"advisories", JSON_ARRAY,  true, &advisories},
        {"claims",     JSON_STRING, true, &claims    },
    };
    enum err e;

    if ((e = document_read(body, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = json_string_plain(token, &s.token)) != ERR_NONE ||
        (e = json_int64(expires, &s.expires_at)) != ERR_NONE ||
        (e = name_read(tee, s.tee, sizeof s.tee)) != ERR_NONE ||
        (e = name_read(policy, s.policy, sizeof s.policy)) != ERR_NONE ||
        (e = name_read(status, s.status, sizeof s.status)) != ERR_NONE ||
        (e = hex_member(claims, s.claims, sizeof s.claims)) != ERR_NONE)
        return e;
    if (!is_jws(s.token) || s.expires_at < 0)
        return ERR_MALFORMED;
    s.advisories = advisories.raw;
    *out = s;
    return ERR_NONE;
}

MUST_CHECK static enum err reply_key_read(struct json_value sealed, struct reply_attested *out)
{
    struct json_value enc, ciphertext;
    const struct json_field fields[] = {
        {"enc",        JSON_STRING, true, &enc       },
        {"ciphertext", JSON_STRING, true, &ciphertext},
    };
    enum err e = json_object_read(sealed, fields, COUNT_OF(fields), true, NULL);

    if (e == ERR_NONE)
        e = base64_member(enc, out->enc, sizeof out->enc);
    return e == ERR_NONE ? base64_member(ciphertext, out->ciphertext, sizeof out->ciphertext) : e;
}

enum err reply_attested_parse(struct span body, struct reply_attested *out)
{
    struct reply_attested a = {0};
    struct json_value reply_key, signature;
    const struct json_field fields[] = {
        {"reply_key", JSON_OBJECT, true, &reply_key},
        {"signature", JSON_STRING, true, &signature},
    };
    enum err e;

    if ((e = session_read(body, &a.session)) != ERR_NONE ||
        (e = document_read(body, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = reply_key_read(reply_key, &a)) != ERR_NONE ||
        (e = base64_member(signature, a.signature, sizeof a.signature)) != ERR_NONE)
        return e;
    *out = a;
    return ERR_NONE;
}

enum err session_file_parse(struct span file, struct session_file *out)
{
    struct json_value version, key, reply_key, identity;
    const struct json_field fields[] = {
        {"v",            JSON_NUMBER, true,  &version  },
        {"key",          JSON_STRING, true,  &key      },
        {"reply_key",    JSON_STRING, true,  &reply_key},
        {"identity_key", JSON_STRING, false, &identity },
    };
    uint32_t v = 0;
    enum err e;

    *out = (struct session_file){0};
    if ((e = session_read(file, &out->session)) != ERR_NONE ||
        (e = document_read(file, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = u32_member(version, &v)) != ERR_NONE ||
        (e = hex_member(key, out->key, sizeof out->key)) != ERR_NONE ||
        (e = hex_member(reply_key, out->reply_key, sizeof out->reply_key)) != ERR_NONE)
        return e;
    out->verified = identity.type == JSON_STRING;
    if (out->verified)
        e = hex_member(identity, out->identity_key, sizeof out->identity_key);
    return e == ERR_NONE && v != SESSION_FILE_VERSION ? ERR_MALFORMED : e;
}

/* Kinds whose evidence binds 64 bytes that the keystore chooses. */
MUST_CHECK static enum err own_kind(const char *tee_type, enum attest_tee *out)
{
    return attest_type_parse(span_string(tee_type), out) == ERR_NONE ? ERR_NONE : ERR_UNSUPPORTED;
}

enum err reply_attestation_parse(struct span body, struct reply_attestation *out)
{
    struct reply_attestation a = {0};
    struct json_value tee, quote, nonce, identity, log_key, origin, session, tls, collateral;
    struct json_value certificates;
    const struct json_field fields[] = {
        {"tee_type",        JSON_STRING, true,  &tee         },
        {"quote",           JSON_STRING, true,  &quote       },
        {"certificates",    JSON_STRING, false, &certificates},
        {"nonce",           JSON_STRING, true,  &nonce       },
        {"identity_key",    JSON_STRING, true,  &identity    },
        {"log_key",         JSON_STRING, true,  &log_key     },
        {"log_origin",      JSON_STRING, true,  &origin      },
        {"session_key",     JSON_STRING, true,  &session     },
        {"tls_spki_sha256", JSON_STRING, false, &tls         },
        {"collateral",      JSON_OBJECT, false, &collateral  },
    };
    enum err e;

    if ((e = document_read(body, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = name_read(tee, a.tee_type, sizeof a.tee_type)) != ERR_NONE ||
        (e = json_string_plain(quote, &a.quote)) != ERR_NONE ||
        (e = hex_member_any(nonce, a.nonce, sizeof a.nonce, &a.nonce_size)) != ERR_NONE ||
        (e = hex_member(identity, a.identity_key, sizeof a.identity_key)) != ERR_NONE ||
        (e = hex_member(log_key, a.log_key, sizeof a.log_key)) != ERR_NONE ||
        (e = name_read(origin, a.log_origin, sizeof a.log_origin)) != ERR_NONE ||
        (e = hex_member(session, a.session_key, sizeof a.session_key)) != ERR_NONE)
        return e;
    a.has_tls = tls.type == JSON_STRING;
    if (a.has_tls)
        e = hex_member(tls, a.tls_spki_sha256, sizeof a.tls_spki_sha256);
    if (e == ERR_NONE && certificates.type == JSON_STRING)
        e = json_string_plain(certificates, &a.certificates);
    if (collateral.type == JSON_OBJECT)
        a.collateral = collateral.raw;
    if (e == ERR_NONE && (e = own_kind(a.tee_type, &a.kind)) == ERR_UNSUPPORTED)
        memcpy(out->tee_type, a.tee_type, sizeof out->tee_type);
    if (e == ERR_NONE)
        *out = a;
    return e;
}

enum err reply_pubkey_parse(struct span body, struct reply_pubkey *out)
{
    struct reply_pubkey p = {0};
    struct json_value seed, key, version, nonce, signature;
    const struct json_field fields[] = {
        {"seed",        JSON_STRING, true,  &seed     },
        {"pubkey",      JSON_STRING, true,  &key      },
        {"key_version", JSON_NUMBER, true,  &version  },
        {"nonce",       JSON_STRING, false, &nonce    },
        {"signature",   JSON_STRING, false, &signature},
    };
    struct span echoed = {0};
    enum err e;

    if ((e = document_read(body, fields, COUNT_OF(fields))) != ERR_NONE ||
        (e = text_read(seed, p.seed, sizeof p.seed)) != ERR_NONE ||
        (e = hex_member(key, p.key, sizeof p.key)) != ERR_NONE ||
        (e = u32_member(version, &p.version)) != ERR_NONE)
        return e;
    /* if the request has no nonce, its echo may be absent, null or empty */
    if (nonce.type == JSON_STRING && (e = json_string_plain(nonce, &echoed)) == ERR_NONE &&
        echoed.size > 0)
        e = hex_member_any(nonce, p.nonce, sizeof p.nonce, &p.nonce_size);
    if (e == ERR_NONE && signature.type == JSON_STRING) {
        p.has_signature = true;
        e = base64_member(signature, p.signature, sizeof p.signature);
    }
    if (e == ERR_NONE)
        *out = p;
    return e;
}

MUST_CHECK static enum err sealed_parse(struct json_value sealed, struct reply_decrypt *out)
{
    struct json_value enc, nonce, ciphertext;
    const struct json_field fields[] = {
        {"enc",        JSON_STRING, false, &enc       },
        {"nonce",      JSON_STRING, false, &nonce     },
        {"ciphertext", JSON_STRING, true,  &ciphertext},
    };
    enum err e = json_object_read(sealed, fields, COUNT_OF(fields), true, NULL);

    if (e != ERR_NONE)
        return e;
    if ((enc.type == JSON_STRING) == (nonce.type == JSON_STRING))
        return ERR_MALFORMED;
    out->form = enc.type == JSON_STRING ? REPLY_SEALED_TO_KEY : REPLY_SEALED_BY_SESSION;
    e = out->form == REPLY_SEALED_TO_KEY ? base64_member(enc, out->enc, sizeof out->enc)
                                         : base64_member(nonce, out->nonce, sizeof out->nonce);
    return e == ERR_NONE ? json_string_plain(ciphertext, &out->ciphertext) : e;
}

enum err reply_decrypt_parse(struct span body, struct reply_decrypt *out)
{
    struct reply_decrypt d = {0};
    struct json_value plain, sealed, receipt;
    const struct json_field fields[] = {
        {"plaintext_secrets", JSON_STRING, false, &plain  },
        {"sealed_secrets",    JSON_OBJECT, false, &sealed },
        {"receipt",           JSON_OBJECT, false, &receipt},
    };
    enum err e = document_read(body, fields, COUNT_OF(fields));

    if (e != ERR_NONE)
        return e;
    if ((sealed.type == JSON_OBJECT) == (plain.type == JSON_STRING))
        return ERR_MALFORMED;
    e = sealed.type == JSON_OBJECT ? sealed_parse(sealed, &d) : json_string_plain(plain, &d.plain);
    if (receipt.type == JSON_OBJECT)
        d.receipt = receipt.raw;
    if (e == ERR_NONE)
        *out = d;
    return e;
}

enum err reply_log_key_parse(struct span body, struct reply_log_key *out)
{
    struct reply_log_key k = {0};
    struct json_value vkey;
    const struct json_field fields[] = {
        {"vkey", JSON_STRING, true, &vkey}
    };
    enum err e = document_read(body, fields, COUNT_OF(fields));

    if (e == ERR_NONE)
        e = name_read(vkey, k.vkey, sizeof k.vkey);
    if (e == ERR_NONE)
        *out = k;
    return e;
}

enum err reply_proof_parse(struct span body, struct merkle_proof *out)
{
    struct merkle_proof proof = {0};
    struct json_iterator i = {0};
    struct json_value list, item;
    const struct json_field fields[] = {
        {"proof", JSON_ARRAY, true, &list}
    };
    enum err e = document_read(body, fields, COUNT_OF(fields));

    while (e == ERR_NONE && json_next(list, &i, NULL, &item)) {
        if (proof.count == MERKLE_PROOF_MAX)
            return ERR_TOO_LARGE;
        e = base64_member(item, proof.hashes[proof.count].bytes, SHA256_SIZE);
        proof.count++;
    }
    if (e == ERR_NONE)
        *out = proof;
    return e;
}
