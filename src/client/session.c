#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "attest/attest.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/reply.h"
#include "codec/json.h"

#define SESSION_FILE_MAX 16384

struct span session_token(const struct vs_session *s)
{
    return span_of(secret_span(s->token).data, secret_size(s->token) - 1);
}

static enum vs_error session_from(const struct reply_session *r, const uint8_t key[X25519_SIZE],
                                  struct vs_session **out)
{
    struct vs_session *s = calloc(1, sizeof *s);

    if (s == NULL)
        return VS_ERR_MEMORY;
    s->advisories = strndup((const char *)r->advisories.data, r->advisories.size);
    if (s->advisories == NULL || secret_new(r->token.size + 1, &s->token) != ERR_NONE) {
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
    };
    memcpy(out->claims, s->claims, sizeof out->claims);
    memcpy(out->key, s->key, sizeof out->key);
}

static enum vs_error challenge(struct vs_client *c, struct reply_challenge *out)
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

static enum vs_error attest_body(const struct vs_worker_key *key, const char *tee_type,
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

static enum vs_error post_evidence(struct vs_client *c, const struct vs_worker_key *key,
                                   const struct vs_quote_source *source,
                                   const uint8_t nonce[VS_NONCE_SIZE], struct secret **body)
{
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    struct buffer request = {0};
    uint8_t *quote = NULL;
    size_t size = 0;
    enum vs_error e;

    report_data_bind(REPORT_DOMAIN_SESSION, span_of(nonce, VS_NONCE_SIZE), SPAN_OF(key->public_key),
                     (struct span){0}, report_data);
    if ((e = quote_take(source, report_data, &quote, &size)) != VS_OK) {
        if (c->why.text[0] == '\0')
            (void)client_fail(c, e, "this platform gave no quote: %s", vs_error_text(e));
        return e;
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

enum vs_error vs_attest(struct vs_client *c, const struct vs_worker_key *key,
                        const struct vs_quote_source *source, struct vs_session **out)
{
    struct reply_challenge issued = {0};
    struct reply_session r = {0};
    struct secret *body = NULL;
    enum vs_error e;

    if (c == NULL || key == NULL || source == NULL || source->quote == NULL ||
        source->tee_type == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = challenge(c, &issued)) != VS_OK ||
        (e = post_evidence(c, key, source, issued.nonce, &body)) != VS_OK)
        goto out;
    if (reply_session_parse(secret_span(body), &r) != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY, "the session does not have the form of docs/protocol.md");
    else
        e = session_from(&r, key->public_key, out);
out:
    secret_free(&body);
    return e;
}

/* The file is the reply of /v1/attest and the worker key's public half. */
static enum err session_write_file(const struct vs_session *s, struct writer *w)
{
    struct json_writer j = json_writer_over(w);
    struct span written;

    json_open_object(&j, NULL);
    json_put_int(&j, "v", 1);
    json_put_string(&j, "session", session_token(s));
    json_put_int(&j, "expires_at", s->expires_at);
    json_put_string(&j, "tee", span_string(s->tee));
    json_put_string(&j, "policy", span_string(s->policy));
    json_put_string(&j, "status", span_string(s->status));
    json_put_raw(&j, "advisories", span_string(s->advisories));
    json_put_hex(&j, "claims", SPAN_OF(s->claims));
    json_put_hex(&j, "key", SPAN_OF(s->key));
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

static enum err session_key_read(struct span file, uint8_t out[X25519_SIZE])
{
    struct json_value document, key;
    struct span text = {0};
    enum err e = json_parse(file, &document, NULL);

    if (e == ERR_NONE)
        e = json_member(document, "key", &key);
    if (e == ERR_NONE)
        e = json_string_plain(key, &text);
    return e == ERR_NONE ? hex_read(text, out, X25519_SIZE) : ERR_MALFORMED;
}

enum vs_error vs_session_load(const char *path, struct vs_session **out)
{
    struct reply_session r = {0};
    uint8_t key[X25519_SIZE];
    struct secret *file = NULL;
    enum vs_error e;

    if (path == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    e = file_read_secret(path, SESSION_FILE_MAX, true, &file);
    if (e != VS_OK)
        return e == VS_ERR_TOO_LARGE ? VS_ERR_MALFORMED : e;
    if (reply_session_parse(secret_span(file), &r) != ERR_NONE ||
        session_key_read(secret_span(file), key) != ERR_NONE)
        e = VS_ERR_MALFORMED;
    else if (r.expires_at <= timestamp_seconds(clock_now()))
        e = VS_ERR_EXPIRED;
    else
        e = session_from(&r, key, out);
    secret_free(&file);
    return e;
}
