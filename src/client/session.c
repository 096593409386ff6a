#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "attest/attest.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/program.h"
#include "client/reply.h"
#include "codec/json.h"
#include "crypto/envelope.h"

#define SESSION_FILE_MAX 16384
#define REPLY_KEY_DOMAIN "vouchsafe-session-key-v1"
#define SIGNATURE_DOMAIN "vouchsafe-session-v1"

struct span session_token(const struct vs_session *s)
{
    return span_of(secret_span(s->token).data, secret_size(s->token) - 1);
}

MUST_CHECK static enum vs_error session_from(const struct reply_session *r,
                                             const uint8_t key[X25519_SIZE], struct span reply_key,
                                             struct vs_session **out)
{
    struct vs_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return VS_ERR_MEMORY;
    s->advisories = strndup((const char *)r->advisories.data, r->advisories.size);
    if (s->advisories == NULL || secret_new(r->token.size + 1, &s->token) != ERR_NONE ||
        secret_copy(reply_key, &s->reply_key) != ERR_NONE) {
        vs_session_free(&s);
        return VS_ERR_MEMORY;
    }
    memcpy(secret_data(s->token), r->token.data, r->token.size);
    s->expires_at = r->expires_at;
    memcpy(s->tee, r->tee, sizeof s->tee);
    memcpy(s->policy, r->policy, sizeof s->policy);
    memcpy(s->status, r->status, sizeof s->status);
    memcpy(s->claims, r->claims, sizeof s->claims);
    memcpy(s->key, key, sizeof s->key);
    *out = s;
    return VS_OK;
}

void vs_session_free(struct vs_session **s)
{
    if (s == NULL || *s == NULL)
        return;
    secret_free(&(*s)->token);
    secret_free(&(*s)->reply_key);
    free((*s)->advisories);
    free(*s);
    *s = NULL;
}

void vs_session_info(const struct vs_session *s, struct vs_session_info *out)
{
    *out = (struct vs_session_info){
        .token = (const char *)secret_span(s->token).data,
        .expires_at = s->expires_at,
        .tee = s->tee,
        .policy = s->policy,
        .status = s->status,
        .advisories = s->advisories,
        .verified = s->verified,
    };
    memcpy(out->claims, s->claims, sizeof out->claims);
    memcpy(out->key, s->key, sizeof out->key);
    memcpy(out->identity_key, s->identity_key, sizeof out->identity_key);
}

MUST_CHECK static enum vs_error challenge(struct vs_client *c, struct reply_challenge *out)
{
    const struct client_call call = {
        .method = "POST", .path = "/v1/attest/challenge", .authorised = true};
    struct secret *body = NULL;
    enum vs_error e = client_send(c, &call, &body);

    if (e == VS_OK && reply_challenge_parse(secret_span(body), out) != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY,
                        "the challenge does not have the form of docs/protocol.md");
    secret_free(&body);
    return e;
}

enum vs_error vs_challenge(struct vs_client *c, uint8_t nonce[VS_NONCE_SIZE],
                           unsigned *expires_in_s)
{
    struct reply_challenge r = {0};
    enum vs_error e;

    if (c == NULL || nonce == NULL || expires_in_s == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    e = challenge(c, &r);
    if (e != VS_OK)
        return e;
    memcpy(nonce, r.nonce, sizeof r.nonce);
    *expires_in_s = r.expires_in_s;
    return VS_OK;
}

enum vs_error quote_fail(struct vs_client *c, const struct vs_quote_source *source, enum vs_error e)
{
    const char *why = quote_source_why(source);

    if (c->why.text[0] != '\0') /* the source has set the reason */
        return e;
    return client_fail(c, e, "cannot get evidence of this machine: %.400s",
                       why[0] != '\0' ? why : vs_error_text(e));
}

enum vs_error quote_take(const struct vs_quote_source *source,
                         const uint8_t report_data[VS_REPORT_DATA_SIZE], uint8_t **quote,
                         size_t *size)
{
    uint8_t *memory = malloc(VS_QUOTE_MAX);
    size_t written = 0;
    enum vs_error e;

    if (memory == NULL)
        return VS_ERR_MEMORY;
    e = source->quote(source->context, report_data, memory, VS_QUOTE_MAX, &written);
    if (e == VS_OK && (written == 0 || written > VS_QUOTE_MAX))
        e = VS_ERR_MALFORMED;
    if (e != VS_OK) {
        free(memory);
        return e;
    }
    *quote = memory;
    *size = written;
    return VS_OK;
}

MUST_CHECK static enum vs_error attest_body(const struct vs_worker_key *key, const char *tee_type,
                                            const uint8_t nonce[VS_NONCE_SIZE], struct span quote,
                                            struct buffer *out)
{
    enum err e = buffer_reserve(out, base64_size(quote.size) + 1024);

    if (e != ERR_NONE)
        return error_of(e);
    struct writer w = writer_over(out->data, out->capacity);
    struct json_writer j = json_writer_over(&w);
    struct span written = {0};

    json_open_object(&j, NULL);
    json_put_hex(&j, "nonce", span_of(nonce, VS_NONCE_SIZE));
    json_put_string(&j, "tee_type", span_string(tee_type));
    json_put_base64(&j, "quote", quote);
    json_put_hex(&j, "public_key", SPAN_OF(key->public_key));
    json_close_object(&j);
    e = writer_finish(&w, &written);
    out->size = written.size;
    return error_of(e);
}

MUST_CHECK static enum vs_error post_evidence(struct vs_client *c, const struct vs_worker_key *key,
                                              const struct vs_quote_source *source,
                                              const uint8_t nonce[VS_NONCE_SIZE],
                                              struct secret **body)
{
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    struct buffer request = {0};
    uint8_t *quote = NULL;
    size_t size = 0;
    enum vs_error e;

    report_data_bind(REPORT_DOMAIN_SESSION, span_of(nonce, VS_NONCE_SIZE), SPAN_OF(key->public_key),
                     (struct span){0}, report_data);
    if ((e = quote_take(source, report_data, &quote, &size)) != VS_OK) {
        return quote_fail(c, source, e);
    }
    e = attest_body(key, source->tee_type, nonce, span_of(quote, size), &request);
    if (e == VS_OK)
        e = client_send(c,
                        &(struct client_call){.method = "POST",
                                              .path = "/v1/attest",
                                              .body = buffer_span(&request),
                                              .authorised = true},
                        body);
    buffer_clear(&request);
    free(quote);
    return e;
}

/* domain 0x00 nonce[32] SHA-256(session JWT)[32] enc[32] ciphertext[48] */
MUST_CHECK static enum vs_error check_signature(struct vs_client *c,
                                                const struct vs_keystore *keystore,
                                                const uint8_t nonce[VS_NONCE_SIZE],
                                                const struct reply_attested *r)
{
    uint8_t statement[sizeof SIGNATURE_DOMAIN + VS_NONCE_SIZE + SHA256_SIZE + sizeof r->enc +
                      sizeof r->ciphertext];
    uint8_t token[SHA256_SIZE];
    struct writer w = writer_over(statement, sizeof statement);

    sha256(r->session.token, token);
    writer_put(&w, SPAN_OF(SIGNATURE_DOMAIN)); /* its terminator is the 0x00 */
    writer_put(&w, span_of(nonce, VS_NONCE_SIZE));
    writer_put(&w, SPAN_OF(token));
    writer_put(&w, SPAN_OF(r->enc));
    writer_put(&w, SPAN_OF(r->ciphertext));
    if (ed25519_verify(keystore->identity_key, SPAN_OF(statement), r->signature) != ERR_NONE)
        return client_fail(c, VS_ERR_UNTRUSTED,
                           "the session is not signed by the keystore's identity key, which was "
                           "verified or pinned: another server answers, or the keystore has a new "
                           "root");
    return VS_OK;
}

/* info = domain 0x00 SHA-256(session JWT), so the key belongs to this session only. */
MUST_CHECK static enum vs_error open_reply_key(struct vs_client *c, const struct vs_worker_key *key,
                                               const struct reply_attested *r, struct secret **out)
{
    uint8_t info[sizeof REPLY_KEY_DOMAIN + SHA256_SIZE];

    memcpy(info, REPLY_KEY_DOMAIN, sizeof REPLY_KEY_DOMAIN);
    sha256(r->session.token, info + sizeof REPLY_KEY_DOMAIN);
    enum err e = hpke_open(secret_data(key->private_key), key->public_key, r->enc, SPAN_OF(info),
                           (struct span){0}, SPAN_OF(r->ciphertext), out);
    if (e == ERR_NONE || e == ERR_MEMORY)
        return error_of(e);
    return client_fail(c, VS_ERR_CRYPTO,
                       "the session's reply key does not open with this worker key");
}

MUST_CHECK static enum vs_error
session_accept(struct vs_client *c, const struct vs_keystore *keystore,
               const struct vs_worker_key *key, const uint8_t nonce[VS_NONCE_SIZE],
               const struct reply_attested *r, struct vs_session **out)
{
    struct secret *reply_key = NULL;
    struct vs_session *s = NULL;
    enum vs_error e;

    if ((keystore != NULL && (e = check_signature(c, keystore, nonce, r)) != VS_OK) ||
        (e = open_reply_key(c, key, r, &reply_key)) != VS_OK ||
        (e = session_from(&r->session, key->public_key, secret_span(reply_key), &s)) != VS_OK)
        goto out;
    s->verified = keystore != NULL;
    if (s->verified)
        memcpy(s->identity_key, keystore->identity_key, sizeof s->identity_key);
    *out = s;
out:
    secret_free(&reply_key);
    return e;
}

enum vs_error vs_attest(struct vs_client *c, const struct vs_keystore *keystore,
                        const struct vs_worker_key *key, const struct vs_quote_source *source,
                        struct vs_session **out)
{
    struct reply_challenge issued = {0};
    struct reply_attested r = {0};
    struct secret *body = NULL;
    enum vs_error e;

    if (c == NULL || key == NULL || source == NULL || source->quote == NULL ||
        source->tee_type == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = challenge(c, &issued)) != VS_OK ||
        (e = post_evidence(c, key, source, issued.nonce, &body)) != VS_OK)
        goto out;
    if (reply_attested_parse(secret_span(body), &r) != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY, "the session does not have the form of docs/protocol.md");
    else
        e = session_accept(c, keystore, key, issued.nonce, &r, out);
out:
    secret_free(&body);
    return e;
}

/* The reply of /v1/attest with its opened reply key, and the worker key's public half. */
MUST_CHECK static enum err session_write_file(const struct vs_session *s, struct writer *w)
{
    struct json_writer j = json_writer_over(w);
    struct span written;

    json_open_object(&j, NULL);
    json_put_int(&j, "v", SESSION_FILE_VERSION);
    json_put_string(&j, "session", session_token(s));
    json_put_int(&j, "expires_at", s->expires_at);
    json_put_string(&j, "tee", span_string(s->tee));
    json_put_string(&j, "policy", span_string(s->policy));
    json_put_string(&j, "status", span_string(s->status));
    json_put_raw(&j, "advisories", span_string(s->advisories));
    json_put_hex(&j, "claims", SPAN_OF(s->claims));
    json_put_hex(&j, "key", SPAN_OF(s->key));
    json_put_hex(&j, "reply_key", secret_span(s->reply_key));
    if (s->verified)
        json_put_hex(&j, "identity_key", SPAN_OF(s->identity_key));
    json_close_object(&j);
    writer_u8(w, '\n');
    return writer_finish(w, &written);
}

enum vs_error vs_session_save(const struct vs_session *s, const char *path)
{
    struct secret *text = NULL;
    enum vs_error e;

    if (s == NULL || path == NULL)
        return VS_ERR_ARGUMENT;
    if ((e = error_of(secret_new(SESSION_FILE_MAX, &text))) != VS_OK)
        return e;
    struct writer w = writer_over(secret_data(text), secret_size(text));
    e = error_of(session_write_file(s, &w));
    if (e == VS_OK)
        e = vs_file_write(path, (struct vs_bytes){secret_data(text), w.size}, 0600, true);
    secret_free(&text);
    return e;
}

enum vs_error vs_session_load(const char *path, struct vs_session **out)
{
    struct session_file f = {0};
    struct vs_session *s = NULL;
    struct secret *file = NULL;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    e = credential_read(path, SESSION_FILE_MAX, &file, NULL);
    if (e != VS_OK)
        return e == VS_ERR_TOO_LARGE ? VS_ERR_MALFORMED : e;
    if (session_file_parse(secret_span(file), &f) != ERR_NONE)
        e = VS_ERR_MALFORMED;
    else if (f.session.expires_at <= timestamp_seconds(clock_now()))
        e = VS_ERR_EXPIRED;
    else
        e = session_from(&f.session, f.key, SPAN_OF(f.reply_key), &s);
    if (e == VS_OK) {
        s->verified = f.verified;
        memcpy(s->identity_key, f.identity_key, sizeof s->identity_key);
        *out = s;
    }
    bytes_wipe(&f, sizeof f);
    secret_free(&file);
    return e;
}
