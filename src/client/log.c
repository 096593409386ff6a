/* The log as the keystore serves it. */
#include "client/client.h"

#include <stdio.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "client/reply.h"

#define ENTRIES_PER_REQUEST 1000

_Static_assert(VS_VKEY_SIZE >= CHECKPOINT_VKEY_SIZE && VS_ORIGIN_SIZE > CHECKPOINT_ORIGIN_MAX,
               "vkeys");

MUST_CHECK static enum vs_error get(struct vs_client *c, const char *path, bool authorised,
                                    struct secret **body)
{
    return client_send(
        c, &(struct client_call){.method = "GET", .path = path, .authorised = authorised}, body);
}

MUST_CHECK static enum vs_error get_blob(struct vs_client *c, const char *path, bool authorised,
                                         struct vs_blob *out)
{
    struct secret *body = NULL;
    enum vs_error e = get(c, path, authorised, &body);

    if (e == VS_OK)
        e = blob_copy(secret_span(body), out);
    secret_free(&body);
    return e;
}

enum vs_error vs_log_checkpoint(struct vs_client *c, struct vs_blob *note)
{
    if (c == NULL || note == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    return get_blob(c, "/v1/log/checkpoint", false, note);
}

enum vs_error vs_log_vkey(struct vs_client *c, char out[VS_VKEY_SIZE])
{
    struct reply_log_key r = {0};
    struct secret *body = NULL;
    enum vs_error e;

    if (c == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    e = get(c, "/v1/log/key", false, &body);
    if (e == VS_OK && reply_log_key_parse(secret_span(body), &r) != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY, "the log key does not have the form of docs/protocol.md");
    if (e == VS_OK)
        memcpy(out, r.vkey, sizeof r.vkey);
    secret_free(&body);
    return e;
}

/* The 36 characters of a UUID: other text is a mistake of the user, and is not sent. */
static bool is_request_id(const char *id)
{
    return id != NULL && strlen(id) == VS_REQUEST_ID_SIZE - 1 &&
           strspn(id, "0123456789abcdefABCDEF-") == VS_REQUEST_ID_SIZE - 1;
}

MUST_CHECK static enum vs_error get_by_request_id(struct vs_client *c, const char *route,
                                                  const char *id, struct vs_blob *out)
{
    char path[128];

    if (c == NULL || out == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if (!is_request_id(id))
        return client_fail(c, VS_ERR_MALFORMED,
                           "a request id has 36 characters, such as "
                           "01932f6e-7b8a-7cc0-9d3e-0123456789ab");
    (void)snprintf(path, sizeof path, "%s?request_id=%s", route, id);
    return get_blob(c, path, true, out);
}

enum vs_error vs_log_receipt(struct vs_client *c, const char *request_id, struct vs_blob *receipt)
{
    return get_by_request_id(c, "/v1/log/receipt", request_id, receipt);
}

enum vs_error vs_explain(struct vs_client *c, const char *request_id, struct vs_blob *json)
{
    return get_by_request_id(c, "/v1/explain", request_id, json);
}

enum vs_error vs_status(struct vs_client *c, struct vs_blob *json)
{
    if (c == NULL || json == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    return get_blob(c, "/v1/status", true, json);
}

static uint64_t lines_of(struct span piece)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < piece.size; i++)
        lines += piece.data[i] == '\n';
    return lines;
}

/* Fetches entries with one request; advances `*from` by their number. */
MUST_CHECK static enum vs_error export_piece(struct vs_client *c, uint64_t *from, uint64_t to,
                                             vs_write_function write, void *context)
{
    const uint64_t left = to - *from;
    const uint64_t count = left < ENTRIES_PER_REQUEST ? left : ENTRIES_PER_REQUEST;
    struct secret *body = NULL;
    char path[96];
    enum vs_error e;

    (void)snprintf(path, sizeof path, "/v1/log/entries?start=%llu&count=%llu",
                   (unsigned long long)*from, (unsigned long long)count);
    e = get(c, path, true, &body);
    if (e != VS_OK)
        return e;
    const struct span piece = secret_span(body);
    const uint64_t lines = lines_of(piece);
    if (lines == 0 || lines > count || piece.data[piece.size - 1] != '\n')
        e = client_fail(c, VS_ERR_REPLY,
                        "the keystore does not hand out entry %llu of the %llu its checkpoint has",
                        (unsigned long long)*from, (unsigned long long)to);
    else
        e = write(context, (struct vs_bytes){piece.data, piece.size});
    secret_free(&body);
    *from += lines;
    return e;
}

enum vs_error vs_log_export(struct vs_client *c, uint64_t from, uint64_t to,
                            vs_write_function write, void *context)
{
    enum vs_error e = VS_OK;

    if (c == NULL || write == NULL || from > to)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    while (e == VS_OK && from < to)
        e = export_piece(c, &from, to, write, context);
    return e;
}

/* A note without the key's signature is a fault of trust, not of form. */
MUST_CHECK static enum vs_error note_error(enum err e)
{
    return e == ERR_CRYPTO ? VS_ERR_UNTRUSTED : error_of(e);
}

MUST_CHECK static enum vs_error checkpoint_read(struct vs_bytes note, const char *vkey,
                                                struct checkpoint *out)
{
    char origin[VS_ORIGIN_SIZE];
    uint8_t key[ED25519_PUBLIC_SIZE];
    enum err e = checkpoint_vkey_parse(span_string(vkey), origin, sizeof origin, key);

    if (e == ERR_NONE)
        e = checkpoint_verify(span_of_bytes(note), origin, key, out);
    else
        e = ERR_MALFORMED;
    return note_error(e);
}

enum vs_error vs_checkpoint_verify(struct vs_bytes note, const char *vkey, uint64_t *size,
                                   uint8_t root[VS_HASH_SIZE])
{
    struct checkpoint point = {0};
    enum vs_error e;

    if (vkey == NULL || size == NULL || root == NULL || note.data == NULL)
        return VS_ERR_ARGUMENT;
    e = checkpoint_read(note, vkey, &point);
    if (e != VS_OK)
        return e;
    *size = point.size;
    memcpy(root, point.root.bytes, VS_HASH_SIZE);
    return VS_OK;
}

MUST_CHECK static enum vs_error fetch_proof(struct vs_client *c, uint64_t from, uint64_t to,
                                            struct merkle_proof *out)
{
    struct secret *body = NULL;
    char path[96];
    enum vs_error e;

    (void)snprintf(path, sizeof path, "/v1/log/consistency?from=%llu&to=%llu",
                   (unsigned long long)from, (unsigned long long)to);
    e = get(c, path, false, &body);
    if (e == VS_OK && reply_proof_parse(secret_span(body), out) != ERR_NONE)
        e = client_fail(c, VS_ERR_REPLY, "the proof does not have the form of docs/protocol.md");
    secret_free(&body);
    return e;
}

enum vs_error vs_log_consistency(struct vs_client *c, const char *vkey, struct vs_bytes older,
                                 struct vs_bytes newer)
{
    struct checkpoint from = {0};
    struct checkpoint to = {0};
    struct merkle_proof proof = {0};
    enum vs_error e;

    if (c == NULL || vkey == NULL || older.data == NULL || newer.data == NULL)
        return VS_ERR_ARGUMENT;
    client_begin(c);
    if ((e = checkpoint_read(older, vkey, &from)) != VS_OK ||
        (e = checkpoint_read(newer, vkey, &to)) != VS_OK)
        return client_fail(c, e, "a checkpoint is malformed or not signed by this log's key");
    if (from.size > to.size)
        return client_fail(c, VS_ERR_TAMPERED,
                           "the log was rolled back: it had %llu entries and has %llu",
                           (unsigned long long)from.size, (unsigned long long)to.size);
    /* every log begins with the empty one, so there is no proof to fetch (RFC 9162 2.1.4) */
    if (from.size == 0)
        return VS_OK;
    if (from.size < to.size && (e = fetch_proof(c, from.size, to.size, &proof)) != VS_OK)
        return e;
    const bool same =
        from.size == to.size && span_equal(SPAN_OF(from.root.bytes), SPAN_OF(to.root.bytes));
    if (same || (from.size < to.size && merkle_verify_consistency(from.size, &from.root, to.size,
                                                                  &to.root, &proof) == ERR_NONE))
        return VS_OK;
    return client_fail(c, VS_ERR_TAMPERED,
                       "the first %llu entries are not what they were at the older checkpoint",
                       (unsigned long long)from.size);
}
