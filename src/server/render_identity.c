/* The keystore's statements about itself: GET /v1/attestation, GET /v1/pubkey. */
#include "server/render.h"

enum { DOCUMENT_EXTRA = 8192, STATEMENT_EXTRA = 1024 };

static void put_evidence(struct json_writer *j, const struct own_evidence *own, struct span nonce)
{
    const struct tee_evidence *evidence = &own->evidence;

    json_open_object(j, NULL);
    json_put_string(j, "tee_type", span_string(own->tee_type));
    json_put_base64(j, "quote", buffer_span(&evidence->quote));
    if (evidence->certificates.size > 0)
        json_put_base64(j, "certificates", buffer_span(&evidence->certificates));
    json_put_hex(j, "nonce", nonce);
    json_put_hex(j, "identity_key", span_of(own->identity_key, ED25519_PUBLIC_SIZE));
    json_put_hex(j, "log_key", span_of(own->log_key, ED25519_PUBLIC_SIZE));
    json_put_string(j, "log_origin", span_string(own->origin));
    json_put_hex(j, "session_key", span_of(own->session_key, P256_POINT_SIZE));
    if (own->tls_spki_sha256)
        json_put_hex(j, "tls_spki_sha256", span_of(own->tls_spki_sha256, SHA256_SIZE));
    else
        json_put_null(j, "tls_spki_sha256");
    json_put_bool(j, "simulated", own->simulated);
    if (own->collateral.size > 0)
        json_put_raw(j, "collateral", buffer_span(&own->collateral));
    json_close_object(j);
}

enum err render_own_evidence(const struct own_evidence *own, struct span nonce, struct buffer *out)
{
    const size_t room = 2 * (own->evidence.quote.size + own->evidence.certificates.size) +
                        own->collateral.size + DOCUMENT_EXTRA;
    struct writer w;
    struct json_writer j;
    enum err e = render_begin(out, room, &w, &j);

    if (e != ERR_NONE)
        return e;
    put_evidence(&j, own, nonce);
    return render_end(out, &w);
}

enum err render_public_key_statement(const struct public_key_statement *s, struct span seed,
                                     struct span nonce, struct buffer *out)
{
    struct writer w;
    struct json_writer j;
    enum err e = render_begin(out, 6 * seed.size + STATEMENT_EXTRA, &w, &j);

    if (e != ERR_NONE)
        return e;
    json_open_object(&j, NULL);
    json_put_string(&j, "seed", seed);
    json_put_hex(&j, "pubkey", SPAN_OF(s->key));
    json_put_int(&j, "key_version", s->key_version);
    json_put_hex(&j, "nonce", nonce);
    json_put_base64(&j, "signature", SPAN_OF(s->signature));
    json_close_object(&j);
    return render_end(out, &w);
}
