#include "attest/ra_tls.h"

#include <string.h>

#include "codec/cbor.h"

#define TAG_TCG_EVIDENCE 60000
#define PUBKEY_HASH "pubkey-hash"
#define HASH_SHA256 1 /* IANA "Named Information Hash Algorithm Registry" */

enum { KEY_HASH_SIZE_MAX = 64, CLAIMS_OVERHEAD = 32, TCG_OVERHEAD = 32 };

const char *ra_tls_oid(enum ra_tls_form form)
{
    return form == RA_TLS_TCG ? RA_TLS_OID_TCG : RA_TLS_OID_GRAMINE;
}

/* A hash, then zero bytes. */
static void padded_hash(struct span bytes, uint8_t out[REPORT_DATA_SIZE])
{
    memset(out, 0, REPORT_DATA_SIZE);
    sha256(bytes, out);
}

/* [1, SHA-256 of the key]: whether the hash is that of this key. */
MUST_CHECK static enum err key_hash_check(struct span bytes, const uint8_t spki_sha256[SHA256_SIZE])
{
    struct cbor_iterator i = {0};
    struct cbor_value pair, algorithm, hash;
    struct span digest;
    uint64_t id = 0;

    if (cbor_parse(bytes, &pair, NULL) != ERR_NONE || pair.kind != CBOR_ARRAY ||
        cbor_count(pair) != 2 || !cbor_next(pair, &i, NULL, &algorithm) ||
        !cbor_next(pair, &i, NULL, &hash) || cbor_uint64(algorithm, &id) != ERR_NONE ||
        cbor_bytes(hash, &digest) != ERR_NONE)
        return ERR_MALFORMED;
    if (id != HASH_SHA256)
        return ERR_UNSUPPORTED;
    return span_equal(digest, span_of(spki_sha256, SHA256_SIZE)) ? ERR_NONE : ERR_DENIED;
}

MUST_CHECK static enum err claims_check(struct span claims, const uint8_t spki_sha256[SHA256_SIZE])
{
    struct cbor_value map, hash;
    struct span bytes;

    if (claims.size > RA_TLS_CLAIMS_MAX || cbor_parse(claims, &map, NULL) != ERR_NONE ||
        cbor_member(map, PUBKEY_HASH, &hash) != ERR_NONE || cbor_bytes(hash, &bytes) != ERR_NONE)
        return ERR_MALFORMED;
    return key_hash_check(bytes, spki_sha256);
}

MUST_CHECK static enum err tcg_read(struct span extension, const uint8_t spki_sha256[SHA256_SIZE],
                                    struct ra_tls_evidence *out)
{
    struct cbor_iterator i = {0};
    struct cbor_value document, pair, quote, claims;
    struct span evidence, claims_bytes;
    uint64_t tag = 0;
    enum err e;

    if (cbor_parse(extension, &document, NULL) != ERR_NONE ||
        cbor_tagged(document, &tag, &pair) != ERR_NONE || tag != TAG_TCG_EVIDENCE ||
        pair.kind != CBOR_ARRAY || cbor_count(pair) != 2 || !cbor_next(pair, &i, NULL, &quote) ||
        !cbor_next(pair, &i, NULL, &claims) || cbor_bytes(quote, &evidence) != ERR_NONE ||
        cbor_bytes(claims, &claims_bytes) != ERR_NONE)
        return ERR_MALFORMED;
    if ((e = claims_check(claims_bytes, spki_sha256)) != ERR_NONE)
        return e;
    *out = (struct ra_tls_evidence){.form = RA_TLS_TCG, .evidence = evidence};
    padded_hash(claims_bytes, out->report_data);
    return ERR_NONE;
}

MUST_CHECK static enum err gramine_read(struct span extension,
                                        const uint8_t spki_sha256[SHA256_SIZE],
                                        struct ra_tls_evidence *out)
{
    *out = (struct ra_tls_evidence){.form = RA_TLS_GRAMINE, .evidence = extension};
    memcpy(out->report_data, spki_sha256, SHA256_SIZE);
    return ERR_NONE;
}

enum err ra_tls_extension_read(enum ra_tls_form form, struct span extension,
                               const uint8_t spki_sha256[SHA256_SIZE], struct ra_tls_evidence *out)
{
    return form == RA_TLS_TCG ? tcg_read(extension, spki_sha256, out)
                              : gramine_read(extension, spki_sha256, out);
}

enum err ra_tls_read(const struct x509_cert *certificate, struct ra_tls_evidence *out)
{
    static const struct {
        const char *oid;
        enum ra_tls_form form;
    } places[] = {
        {RA_TLS_OID_TCG,           RA_TLS_TCG    },
        {RA_TLS_OID_GRAMINE,       RA_TLS_GRAMINE},
        {RA_TLS_OID_GRAMINE_CLEAN, RA_TLS_GRAMINE},
    };
    uint8_t spki_sha256[SHA256_SIZE];
    struct span extension;
    enum err e;

    x509_cert_spki_sha256(certificate, spki_sha256);
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        e = x509_cert_extension(certificate, places[i].oid, &extension);
        if (e == ERR_NONE)
            return ra_tls_extension_read(places[i].form, extension, spki_sha256, out);
        if (e != ERR_NOT_FOUND)
            return e;
    }
    return ERR_NOT_FOUND;
}

/* {"pubkey-hash": << [1, hash] >>}: 51 bytes. */
static struct span claims_write(const uint8_t spki_sha256[SHA256_SIZE],
                                uint8_t out[KEY_HASH_SIZE_MAX + CLAIMS_OVERHEAD])
{
    uint8_t key_hash[KEY_HASH_SIZE_MAX];
    struct writer inner = writer_over(key_hash, sizeof key_hash);
    struct writer w = writer_over(out, KEY_HASH_SIZE_MAX + CLAIMS_OVERHEAD);

    cbor_put_array(&inner, 2);
    cbor_put_uint(&inner, HASH_SHA256);
    cbor_put_bytes(&inner, span_of(spki_sha256, SHA256_SIZE));
    cbor_put_map(&w, 1);
    cbor_put_text(&w, SPAN_LITERAL(PUBKEY_HASH));
    cbor_put_bytes(&w, span_of(key_hash, inner.size));
    return span_of(out, w.size);
}

void ra_tls_report_data(enum ra_tls_form form, const uint8_t spki_sha256[SHA256_SIZE],
                        uint8_t out[REPORT_DATA_SIZE])
{
    uint8_t claims[KEY_HASH_SIZE_MAX + CLAIMS_OVERHEAD];

    memset(out, 0, REPORT_DATA_SIZE);
    if (form == RA_TLS_TCG)
        padded_hash(claims_write(spki_sha256, claims), out);
    else
        memcpy(out, spki_sha256, SHA256_SIZE);
}

enum err ra_tls_write(enum ra_tls_form form, struct span evidence,
                      const uint8_t spki_sha256[SHA256_SIZE], struct buffer *out)
{
    uint8_t claims_bytes[KEY_HASH_SIZE_MAX + CLAIMS_OVERHEAD];
    uint8_t head[TCG_OVERHEAD];
    uint8_t tail[sizeof claims_bytes + TCG_OVERHEAD];
    struct writer before = writer_over(head, sizeof head);
    struct writer after = writer_over(tail, sizeof tail);
    enum err e;

    if (evidence.size > ATTEST_EVIDENCE_MAX)
        return ERR_TOO_LARGE;
    if (form == RA_TLS_GRAMINE)
        return buffer_append(out, evidence);
    cbor_put_tag(&before, TAG_TCG_EVIDENCE);
    cbor_put_array(&before, 2);
    cbor_put_bytes_head(&before, evidence.size);
    cbor_put_bytes(&after, claims_write(spki_sha256, claims_bytes));
    if ((e = buffer_append(out, span_of(head, before.size))) != ERR_NONE ||
        (e = buffer_append(out, evidence)) != ERR_NONE)
        return e;
    return buffer_append(out, span_of(tail, after.size));
}
