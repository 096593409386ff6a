#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "client/reply.h"
#include "crypto/random.h"

enum vs_error vs_start(void)
{
    return error_of(crypto_start());
}

const char *vs_version(void)
{
    return VOUCHSAFE_VERSION;
}

MUST_CHECK static enum vs_error copy_text(const char *text, char **out)
{
    *out = NULL;
    if (text == NULL)
        return VS_OK;
    *out = strdup(text);
    return *out == NULL ? VS_ERR_MEMORY : VS_OK;
}

#define UNIX_SCHEME "unix:"

/* The path of unix:/path, or NULL. */
static const char *socket_path(const char *url)
{
    return strncmp(url, UNIX_SCHEME, sizeof UNIX_SCHEME - 1) == 0 ? url + sizeof UNIX_SCHEME - 1
                                                                  : NULL;
}

/* An absolute path of a file that fits into an address, without control characters. */
static bool socket_path_is_good(const char *path)
{
    const size_t size = strlen(path);

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
            return false;
    return path[0] == '/' && size < sizeof(((struct sockaddr_un *)NULL)->sun_path) &&
           path[size - 1] != '/';
}

/* Accepts unix:/path; scheme://host[:port], and one slash after it. Refuses paths, users and
 * queries. */
static bool url_is_plain(const char *url, bool *tls)
{
    const char *rest;

    if (socket_path(url) != NULL)
        return socket_path_is_good(socket_path(url));
    if (strncmp(url, "https://", 8) == 0)
        rest = url + 8;
    else if (strncmp(url, "http://", 7) == 0)
        rest = url + 7;
    else
        return false;
    *tls = url[4] == 's';
    size_t size = strspn(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               ".-_:[]");
    return size > 0 && size < 512 && (rest[size] == '\0' || strcmp(rest + size, "/") == 0);
}

MUST_CHECK static enum vs_error connect_anew(struct vs_client *c)
{
    const struct http_client_options options = {
        .base_url = socket_path(c->url) == NULL ? c->url : "http://localhost",
        .unix_socket = socket_path(c->url),
        .ca_file = c->ca_file,
        .spki_sha256 = c->pinned ? c->pin : NULL,
        .timeout_ms = c->timeout_ms,
        .body_max = CLIENT_REPLY_MAX,
    };
    struct http_client *http = NULL;
    enum err e = http_client_new(&options, &http);

    if (e != ERR_NONE)
        return error_of(e);
    http_client_free(&c->http);
    c->http = http;
    return VS_OK;
}

enum vs_error vs_client_open(const struct vs_client_options *options, struct vs_client **out)
{
    struct vs_client *c = NULL;
    bool tls = false;
    enum vs_error e;

    if (options == NULL || out == NULL || options->url == NULL || !url_is_plain(options->url, &tls))
        return VS_ERR_ARGUMENT;
    if (options->spki_sha256 != NULL && !tls)
        return VS_ERR_ARGUMENT; /* without TLS a pin would have no effect */
    c = calloc(1, sizeof *c);
    if (c == NULL)
        return VS_ERR_MEMORY;
    c->tls = tls;
    c->token = options->token;
    c->token_context = options->token_context;
    c->timeout_ms = options->timeout_ms;
    if (options->spki_sha256 != NULL) {
        c->pinned = true;
        memcpy(c->pin, options->spki_sha256, sizeof c->pin);
    }
    if ((e = copy_text(options->url, &c->url)) == VS_OK &&
        (e = copy_text(options->ca_file, &c->ca_file)) == VS_OK &&
        (e = copy_text(options->token_file, &c->token_file)) == VS_OK) {
        size_t size = strlen(c->url);

        if (c->url[size - 1] == '/')
            c->url[size - 1] = '\0';
        e = connect_anew(c);
    }
    if (e != VS_OK) {
        vs_client_free(&c);
        return e;
    }
    *out = c;
    return VS_OK;
}

void vs_client_free(struct vs_client **c)
{
    if (c == NULL || *c == NULL)
        return;
    http_client_free(&(*c)->http);
    free((*c)->url);
    free((*c)->ca_file);
    free((*c)->token_file);
    free(*c);
    *c = NULL;
}

const char *vs_client_why(const struct vs_client *c)
{
    return c == NULL ? "" : c->why.text;
}

void vs_last_reply(const struct vs_client *c, struct vs_reply *out)
{
    static const struct client_last none = {0};
    const struct client_last *last = c == NULL ? &none : &c->last;

    *out = (struct vs_reply){last->status, last->retry_after_s, last->request_id,
                             last->code,   last->message,       last->detail};
}

void client_begin(struct vs_client *c)
{
    c->last = (struct client_last){0};
    c->why = (struct vs_why){0};
}

enum vs_error client_pin(struct vs_client *c, const uint8_t spki_sha256[SHA256_SIZE])
{
    memcpy(c->pin, spki_sha256, sizeof c->pin);
    c->pinned = true;
    return connect_anew(c);
}

MUST_CHECK static enum vs_error token_from_file(struct vs_client *c, struct secret *token,
                                                size_t *size)
{
    struct secret *file = NULL;
    struct vs_why why = {0};
    enum vs_error e = credential_read(c->token_file, CLIENT_TOKEN_MAX + 2, &file, &why);

    if (e != VS_OK)
        return client_fail(c, e, "cannot use the token file %.200s: %.250s", c->token_file,
                           why.text);
    struct span text = secret_span(file);
    while (text.size > 0 && (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
        text.size--;
    if (text.size > CLIENT_TOKEN_MAX) {
        secret_free(&file);
        return client_fail(c, VS_ERR_TOO_LARGE, "the token file %s holds more than a token",
                           c->token_file);
    }
    memcpy(secret_data(token), text.data, text.size);
    *size = text.size;
    secret_free(&file);
    return VS_OK;
}

/* A token that is not one word, or could end the header's line, is never sent. */
static bool token_is_printable(const uint8_t *token, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (token[i] <= 0x20 || token[i] >= 0x7f)
            return false;
    return size > 0;
}

MUST_CHECK static enum vs_error get_token(struct vs_client *c, struct secret *token, size_t *size)
{
    enum vs_error e;

    if (c->token_file != NULL)
        e = token_from_file(c, token, size);
    else if (c->token != NULL)
        e = c->token(c->token_context, (char *)secret_data(token), CLIENT_TOKEN_MAX, size);
    else
        return client_fail(c, VS_ERR_ARGUMENT, "this request needs a token, and none is set");
    if (e != VS_OK)
        return e;
    if (*size > CLIENT_TOKEN_MAX || !token_is_printable(secret_data(token), *size))
        return client_fail(c, VS_ERR_MALFORMED,
                           "the token is empty or is not one line of printable characters");
    return VS_OK;
}

/* "Authorization: Bearer ..." in guarded memory. */
MUST_CHECK static enum vs_error authorization_header(struct vs_client *c, struct secret **out)
{
    static const char prefix[] = "Authorization: Bearer ";
    struct secret *token = NULL;
    struct secret *header = NULL;
    size_t size = 0;
    enum vs_error e;

    if ((e = error_of(secret_new(CLIENT_TOKEN_MAX + 1, &token))) != VS_OK ||
        (e = error_of(secret_new(sizeof prefix + CLIENT_TOKEN_MAX, &header))) != VS_OK ||
        (e = get_token(c, token, &size)) != VS_OK)
        goto out;
    memcpy(secret_data(header), prefix, sizeof prefix - 1);
    memcpy(secret_data(header) + sizeof prefix - 1, secret_data(token), size);
    *out = header;
    header = NULL; /* the caller owns it now; zeros after the text end the string */
out:
    secret_free(&token);
    secret_free(&header);
    return e;
}

MUST_CHECK static enum vs_error session_header(struct span session, struct secret **out)
{
    static const char prefix[] = "X-TEE-Session: ";
    struct secret *header = NULL;
    enum err e = secret_new(sizeof prefix + session.size, &header);

    if (e != ERR_NONE)
        return error_of(e);
    memcpy(secret_data(header), prefix, sizeof prefix - 1);
    memcpy(secret_data(header) + sizeof prefix - 1, session.data, session.size);
    *out = header;
    return VS_OK;
}

MUST_CHECK static enum vs_error transport_fault(struct vs_client *c, enum err e, const char *why)
{
    const char *sentence = why[0] == '\0' ? err_text(e) : why;

    if (e == ERR_TIMEOUT)
        return client_fail(c, VS_ERR_TIMEOUT, "%s did not answer in time", c->url);
    if (e == ERR_TOO_LARGE)
        return client_fail(c, VS_ERR_REPLY, "the reply of %s is too large", c->url);
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    return client_fail(c, VS_ERR_UNREACHABLE, "cannot reach %s: %s", c->url, sentence);
}

static void remember_reply(struct client_last *last, const struct http_client_reply *reply)
{
    last->status = reply->status;
    last->retry_after_s = reply->retry_after_s;
    (void)snprintf(last->request_id, sizeof last->request_id, "%s", reply->request_id);
    text_make_printable(last->request_id);
}

MUST_CHECK static enum vs_error refused(struct vs_client *c, struct span body)
{
    struct reply_error said = {0};

    reply_error_parse(body, &said);
    memcpy(c->last.code, said.code, sizeof c->last.code);
    memcpy(c->last.message, said.message, sizeof c->last.message);
    memcpy(c->last.detail, said.detail, sizeof c->last.detail);
    if (said.message[0] != '\0')
        return client_fail(c, VS_ERR_REFUSED, "%.500s", said.message);
    return client_fail(c, VS_ERR_REFUSED, "the keystore answered with HTTP status %u",
                       c->last.status);
}

enum vs_error client_send(struct vs_client *c, const struct client_call *call, struct secret **body)
{
    struct secret *authorization = NULL;
    struct secret *session = NULL;
    struct http_client_reply reply = {0};
    const char *headers[3] = {0};
    size_t count = 0;
    char why[256] = "";
    enum vs_error e = VS_OK;

    if (call->authorised && (e = authorization_header(c, &authorization)) != VS_OK)
        goto out;
    if (call->session.size > 0 && (e = session_header(call->session, &session)) != VS_OK)
        goto out;
    if (authorization != NULL)
        headers[count++] = (const char *)secret_data(authorization);
    if (session != NULL)
        headers[count++] = (const char *)secret_data(session);
    const struct http_client_request request = {
        .method = call->method,
        .path = call->path,
        .body = call->body,
        .content_type = call->body.size > 0 ? "application/json" : NULL,
        .headers = headers,
    };
    enum err sent = http_client_send(c->http, &request, &reply, why);
    if (sent != ERR_NONE) {
        e = transport_fault(c, sent, why);
        goto out;
    }
    remember_reply(&c->last, &reply);
    if (reply.status != 200) {
        e = refused(c, reply.body == NULL ? (struct span){0} : secret_span(reply.body));
        goto out;
    }
    if (reply.body == NULL && (e = error_of(secret_new(0, &reply.body))) != VS_OK)
        goto out;
    *body = reply.body;
    reply.body = NULL; /* the caller owns it now */
out:
    secret_free(&reply.body);
    secret_free(&session);
    secret_free(&authorization);
    return e;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

enum vs_error client_reply_fault(struct vs_client *c, enum err e, const char *what)
{
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    return client_fail(c, VS_ERR_REPLY, "%s does not have the form of docs/protocol.md", what);
}

enum err query_append(struct buffer *b, const char *name, struct span text)
{
    enum err e = buffer_printf(b, "%s=", name);

    for (size_t i = 0; i < text.size && e == ERR_NONE; i++)
        e = is_unreserved(text.data[i]) ? buffer_append(b, span_slice(text, i, 1))
                                        : buffer_printf(b, "%%%02X", text.data[i]);
    return e;
}
