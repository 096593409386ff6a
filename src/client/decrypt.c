#include "client/session.h"

#include <stdlib.h>
#include <string.h>

#include "attest/attest.h"
#include "audit/checkpoint.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/receipt.h"
#include "client/reply.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/envelope.h"

#define TO_KEY_DOMAIN "vouchsafe-reply-v1"
#define BY_SESSION_DOMAIN "vouchsafe-reply-v2"

/* The parts of the request that the reply must match. */
struct question {
    const struct vs_decrypt_request *request;
    const char *seed;
    struct span body; /* exactly as sent */
};

struct inline_evidence {
    uint8_t *quote;
    size_t size;
    int64_t timestamp;
};

/* Before the request: a malformed key would refuse every receipt. */
static bool vkey_is_good(const char *vkey)
{
    char origin[VS_ORIGIN_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];

    return checkpoint_vkey_parse(span_string(vkey), origin, sizeof origin, key) == ERR_NONE;
}

MUST_CHECK static enum vs_error check_request(const struct vs_decrypt_request *r)
{
    if (r->name == NULL || r->key == NULL || r->envelope.data == NULL || r->envelope.size == 0)
        return VS_ERR_ARGUMENT;
    if ((r->session == NULL) == (r->inline_evidence == NULL))
        return VS_ERR_ARGUMENT;
    if (r->inline_evidence != NULL &&
        (r->inline_evidence->quote == NULL || r->inline_evidence->tee_type == NULL))
        return VS_ERR_ARGUMENT;
    if (r->log_vkey != NULL && !r->receipt)
        return VS_ERR_ARGUMENT;
    if (r->log_vkey != NULL && !vkey_is_good(r->log_vkey))
        return VS_ERR_MALFORMED;
    if (r->task_id != NULL && strlen(r->task_id) > VS_TASK_ID_MAX)
        return VS_ERR_TOO_LARGE;
    return r->envelope.size > VS_ENVELOPE_MAX ? VS_ERR_TOO_LARGE : VS_OK;
}

MUST_CHECK static enum vs_error check_session(struct vs_client *c,
                                              const struct vs_decrypt_request *r)
{
    if (r->session == NULL)
        return VS_OK;
    if (!span_equal(SPAN_OF(r->session->key), SPAN_OF(r->key->public_key)))
        return client_fail(c, VS_ERR_ARGUMENT, "the session belongs to another worker key");
    if (r->session->expires_at <= timestamp_seconds(clock_now()))
        return client_fail(c, VS_ERR_EXPIRED, "the session has expired; attest again");
    return VS_OK;
}

MUST_CHECK static enum vs_error
take_evidence(struct vs_client *c, const struct vs_decrypt_request *r, struct inline_evidence *out)
{
    uint8_t report_data[VS_REPORT_DATA_SIZE];
    uint8_t nonce[8];
    struct writer w = writer_over(nonce, sizeof nonce);
    enum vs_error e;

    if (r->inline_evidence == NULL)
        return VS_OK;
    out->timestamp = timestamp_seconds(clock_now());
    writer_u64be(&w, (uint64_t)out->timestamp);
    report_data_bind(REPORT_DOMAIN_DECRYPT, SPAN_OF(nonce), SPAN_OF(r->key->public_key),
                     span_string(r->task_id), report_data);
    e = quote_take(r->inline_evidence, report_data, &out->quote, &out->size);
    return e == VS_OK ? VS_OK : quote_fail(c, r->inline_evidence, e);
}

static void put_evidence(struct json_writer *j, const struct vs_decrypt_request *r,
                         const struct inline_evidence *evidence)
{
    if (r->inline_evidence == NULL)
        return;
    json_open_object(j, "attestation");
    json_put_string(j, "tee_type", span_string(r->inline_evidence->tee_type));
    json_put_base64(j, "quote", span_of(evidence->quote, evidence->size));
    json_put_hex(j, "worker_pubkey", SPAN_OF(r->key->public_key));
    json_put_int(j, "timestamp", evidence->timestamp);
    json_close_object(j);
}

MUST_CHECK static enum vs_error request_body(const struct vs_decrypt_request *r, const char *seed,
                                             const struct inline_evidence *evidence,
                                             struct buffer *out)
{
    /* a byte of seed or task may take six (\u00xx) */
    const size_t texts = 6 * (strlen(seed) + VS_TASK_ID_MAX);
    enum err e = buffer_reserve(out, base64_size(r->envelope.size) + base64_size(evidence->size) +
                                         texts + 1024);

    if (e != ERR_NONE)
        return error_of(e);
    struct writer w = writer_over(out->data, out->capacity);
    struct json_writer j = json_writer_over(&w);
    struct span written = {0};

    json_open_object(&j, NULL);
    json_put_base64(&j, "encrypted_secrets", span_of_bytes(r->envelope));
    if (seed[0] != '\0')
        json_put_string(&j, "seed", span_string(seed));
    put_evidence(&j, r, evidence);
    if (r->task_id != NULL)
        json_put_string(&j, "task_id", span_string(r->task_id));
    if (!r->accept_plain)
        json_put_bool(&j, "seal", true);
    if (r->receipt)
        json_put_bool(&j, "receipt", true);
    json_close_object(&j);
    e = writer_finish(&w, &written);
    out->size = written.size;
    return error_of(e);
}

MUST_CHECK static enum vs_error open_plain(struct vs_client *c, const struct reply_decrypt *reply,
                                           struct secret **out)
{
    struct secret *plain = NULL;
    size_t size = 0;
    enum err e = secret_new(reply->plain.size / 4 * 3, &plain);

    if (e == ERR_NONE)
        e = base64_read(reply->plain, secret_data(plain), secret_size(plain), &size);
    if (e != ERR_NONE) {
        secret_free(&plain);
        return e == ERR_MEMORY
                   ? VS_ERR_MEMORY
                   : client_fail(c, VS_ERR_REPLY, "the reply's plaintext is not base64");
    }
    secret_shrink(plain, size);
    *out = plain;
    return VS_OK;
}

MUST_CHECK static enum vs_error check_request_id(struct vs_client *c)
{
    if (strlen(c->last.request_id) != REPLY_REQUEST_ID_SIZE)
        return client_fail(c, VS_ERR_REPLY, "the reply carries no proper X-Request-Id");
    return VS_OK;
}

/* info = domain 0x00 request id */
MUST_CHECK static enum vs_error open_to_key(struct vs_client *c, const struct question *q,
                                            const struct reply_decrypt *reply,
                                            struct span ciphertext, struct secret **out)
{
    const struct vs_worker_key *key = q->request->key;
    uint8_t info[sizeof TO_KEY_DOMAIN + REPLY_REQUEST_ID_SIZE]; /* its terminator is the 0x00 */

    memcpy(info, TO_KEY_DOMAIN, sizeof TO_KEY_DOMAIN);
    memcpy(info + sizeof TO_KEY_DOMAIN, c->last.request_id, REPLY_REQUEST_ID_SIZE);
    enum err e = hpke_open(secret_data(key->private_key), key->public_key, reply->enc,
                           SPAN_OF(info), (struct span){0}, ciphertext, out);
    if (e == ERR_NONE || e == ERR_MEMORY)
        return error_of(e);
    return client_fail(c, VS_ERR_CRYPTO,
                       "the sealed reply does not open with this worker key for this request");
}

/* AAD = domain 0x00 request id SHA-256(request body): the reply answers exactly this request. */
MUST_CHECK static enum vs_error open_by_session(struct vs_client *c, const struct question *q,
                                                const struct reply_decrypt *reply,
                                                struct span ciphertext, struct secret **out)
{
    uint8_t aad[sizeof BY_SESSION_DOMAIN + REPLY_REQUEST_ID_SIZE + SHA256_SIZE];
    struct secret *plain = NULL;
    enum err e = ERR_CRYPTO;

    memcpy(aad, BY_SESSION_DOMAIN, sizeof BY_SESSION_DOMAIN);
    memcpy(aad + sizeof BY_SESSION_DOMAIN, c->last.request_id, REPLY_REQUEST_ID_SIZE);
    sha256(q->body, aad + sizeof BY_SESSION_DOMAIN + REPLY_REQUEST_ID_SIZE);
    if (ciphertext.size >= AEAD_TAG_SIZE)
        e = secret_new(ciphertext.size - AEAD_TAG_SIZE, &plain);
    if (e == ERR_NONE)
        e = aead_open(AEAD_XCHACHA20_POLY1305, secret_data(q->request->session->reply_key),
                      reply->nonce, SPAN_OF(aad), ciphertext, secret_data(plain));
    if (e == ERR_NONE) {
        *out = plain;
        return VS_OK;
    }
    secret_free(&plain);
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    return client_fail(c, VS_ERR_CRYPTO,
                       "the sealed reply was not made by this session's keystore for this request");
}

MUST_CHECK static enum vs_error open_sealed(struct vs_client *c, const struct question *q,
                                            const struct reply_decrypt *reply, struct secret **out)
{
    struct buffer ciphertext = {0};
    size_t size = 0;
    enum vs_error e = check_request_id(c);
    enum err read;

    if (e != VS_OK)
        return e;
    read = buffer_reserve(&ciphertext, reply->ciphertext.size / 4 * 3 + 1);
    if (read == ERR_NONE)
        read = base64_read(reply->ciphertext, ciphertext.data, ciphertext.capacity, &size);
    const struct span bytes = span_of(ciphertext.data, size);
    if (read == ERR_MEMORY)
        e = VS_ERR_MEMORY;
    else if (read != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY, "the reply's ciphertext is not base64");
    else if (reply->form == REPLY_SEALED_BY_SESSION)
        e = open_by_session(c, q, reply, bytes, out);
    else
        e = open_to_key(c, q, reply, bytes, out);
    buffer_clear(&ciphertext);
    return e;
}

/* Replies to a session are sealed with its reply key, others to the worker key; plain if
 * allowed. */
MUST_CHECK static enum vs_error check_form(struct vs_client *c, const struct vs_decrypt_request *r,
                                           const struct reply_decrypt *reply)
{
    if (reply->form == REPLY_PLAIN && !r->accept_plain)
        return client_fail(
            c, VS_ERR_DOWNGRADE,
            "the reply is not sealed although the request asked for it; it is discarded");
    if (reply->form == REPLY_SEALED_TO_KEY && r->session != NULL)
        return client_fail(c, VS_ERR_DOWNGRADE,
                           "the reply is sealed only to the worker key, which anyone can do, and "
                           "not by the session's keystore; it is discarded");
    if (reply->form == REPLY_SEALED_BY_SESSION && r->session == NULL)
        return client_fail(c, VS_ERR_REPLY,
                           "the reply is sealed for a session, but the request used none");
    return VS_OK;
}

MUST_CHECK static enum vs_error check_receipt(struct vs_client *c, const struct question *q,
                                              struct span receipt)
{
    const struct receipt_subject subject = {c->last.request_id, q->seed, q->request->task_id};
    struct vs_why why = {0};
    enum vs_error e;

    if (!q->request->receipt)
        return VS_OK;
    if (receipt.size == 0)
        return client_fail(c, VS_ERR_REPLY, "the reply has no receipt although one was asked for");
    e = receipt_check(receipt, q->request->log_vkey, &subject, &why);
    return e == VS_OK
               ? VS_OK
               : client_fail(c, e == VS_ERR_MALFORMED ? VS_ERR_REPLY : e,
                             "the receipt is not good, and the reply is not used: %s", why.text);
}

MUST_CHECK static enum vs_error open_reply(struct vs_client *c, const struct question *q,
                                           struct span body, struct secret **plain,
                                           struct vs_blob *receipt)
{
    struct reply_decrypt reply = {0};
    struct secret *opened = NULL;
    enum vs_error e;

    if (reply_decrypt_parse(body, &reply) != ERR_NONE)
        return client_fail(c, VS_ERR_REPLY, "the reply does not have the form of docs/protocol.md");
    if ((e = check_form(c, q->request, &reply)) != VS_OK)
        return e;
    e = reply.form == REPLY_PLAIN ? open_plain(c, &reply, &opened)
                                  : open_sealed(c, q, &reply, &opened);
    if (e == VS_OK)
        e = check_receipt(c, q, reply.receipt);
    if (e == VS_OK && q->request->receipt && receipt != NULL)
        e = blob_copy(reply.receipt, receipt);
    if (e != VS_OK) {
        secret_free(&opened);
        return e;
    }
    *plain = opened;
    return VS_OK;
}

enum vs_error vs_decrypt(struct vs_client *c, const struct vs_decrypt_request *r,
                         struct vs_secret **plain, struct vs_blob *receipt)
{
    char seed[VS_SEED_MAX + 1] = "";
    struct inline_evidence evidence = {0};
    struct buffer request = {0};
    struct secret *body = NULL;
    struct secret *opened = NULL;
    enum vs_error e;

    if (c == NULL || r == NULL || plain == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = check_request(r)) != VS_OK || (e = check_session(c, r)) != VS_OK ||
        (e = vs_seed_build(r->name, seed, sizeof seed)) != VS_OK ||
        (e = take_evidence(c, r, &evidence)) != VS_OK ||
        (e = request_body(r, seed, &evidence, &request)) != VS_OK)
        goto out;
    const struct client_call call = {
        .method = "POST",
        .path = "/decrypt",
        .body = buffer_span(&request),
        .authorised = true,
        .session = r->session == NULL ? (struct span){0} : session_token(r->session),
    };
    const struct question question = {r, seed, call.body};
    if ((e = client_send(c, &call, &body)) == VS_OK &&
        (e = open_reply(c, &question, secret_span(body), &opened, receipt)) == VS_OK)
        *plain = secret_to_public(opened);
out:
    secret_free(&body);
    buffer_clear(&request);
    free(evidence.quote);
    return e;
}
