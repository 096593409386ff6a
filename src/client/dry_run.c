/* Asks how the keystore would judge evidence. */
#include <string.h>

#include "base/text.h"
#include "client/client.h"
#include "codec/json.h"

#define EVENT_LOG_MAX (1024u * 1024)

static void put_bytes(struct json_writer *j, const char *name, struct vs_bytes bytes)
{
    if (bytes.size > 0)
        json_put_base64(j, name, span_of_bytes(bytes));
}

static void put_run(struct json_writer *j, const struct vs_dry_run *run)
{
    json_open_object(j, NULL);
    json_put_string(j, "tee_type", span_string(run->tee_type));
    json_put_base64(j, "quote", span_of_bytes(run->quote));
    put_bytes(j, "certificates", run->certificates);
    if (run->event_log.size > 0)
        json_put_raw(j, "event_log", span_of_bytes(run->event_log));
    if (run->policy != NULL)
        json_put_string(j, "policy", span_string(run->policy));
    if (run->nonce != NULL) {
        json_put_hex(j, "nonce", span_of(run->nonce, VS_NONCE_SIZE));
        json_put_hex(j, "public_key", span_of(run->key, VS_KEY_SIZE));
    }
    if (run->early)
        json_put_string(j, "update", span_string("early"));
    json_close_object(j);
}

MUST_CHECK static enum vs_error body_write(const struct vs_dry_run *run, struct buffer *out)
{
    const size_t names =
        6 * strlen(run->tee_type) + (run->policy == NULL ? 0 : 6 * strlen(run->policy)) + 1024;
    struct span written = {0};
    enum err e =
        buffer_reserve(out, base64_size(run->quote.size) + base64_size(run->certificates.size) +
                                run->event_log.size + names);

    if (e != ERR_NONE)
        return error_of(e);
    struct writer w = writer_over(out->data, out->capacity);
    struct json_writer j = json_writer_over(&w);
    put_run(&j, run);
    e = writer_finish(&w, &written);
    out->size = written.size;
    return error_of(e);
}

/* The text goes into the body unchanged, so it must be an array. */
static bool is_event_log(struct vs_bytes bytes)
{
    struct json_value document;

    return bytes.size == 0 || (bytes.size <= EVENT_LOG_MAX &&
                               json_parse(span_of_bytes(bytes), &document, NULL) == ERR_NONE &&
                               document.type == JSON_ARRAY);
}

enum vs_error vs_explain_evidence(struct vs_client *c, const struct vs_dry_run *run,
                                  struct vs_blob *json)
{
    struct buffer body = {0};
    struct secret *reply = NULL;
    enum vs_error e;

    if (c == NULL || run == NULL || json == NULL || run->tee_type == NULL ||
        run->quote.size > VS_QUOTE_MAX || run->certificates.size > VS_QUOTE_MAX ||
        (run->nonce == NULL) != (run->key == NULL))
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if (!is_event_log(run->event_log))
        return client_fail(c, VS_ERR_MALFORMED, "the event log is not a JSON array");
    if ((e = body_write(run, &body)) == VS_OK) {
        const struct client_call call = {.method = "POST",
                                         .path = "/v1/attest/explain",
                                         .body = buffer_span(&body),
                                         .authorised = true};

        e = client_send(c, &call, &reply);
    }
    if (e == VS_OK)
        e = blob_copy(secret_span(reply), json);
    secret_free(&reply);
    buffer_clear(&body);
    return e;
}
