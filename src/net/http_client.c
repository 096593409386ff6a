#include "net/http_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "net/http_date.h"

enum {
    TIMEOUT_DEFAULT_MS = 30000,
    BODY_MAX_DEFAULT = 16 * 1024 * 1024,
    BODY_FIRST_SIZE = 3072, /* with its header one page: base/secret.h keeps such pages ready */
    URL_MAX_SIZE = 8192,
    PIN_TEXT_SIZE = 64, /* "sha256//" and 44 characters */
    RETRY_AFTER_MAX_S = 86400,
};

struct http_client {
    CURL *curl; /* keeps its connection between requests */
    char *base_url;
    size_t body_max;
    const _Atomic bool *stop;
    char error[CURL_ERROR_SIZE];
};

/* The callbacks of one transfer fill this struct. */
struct transfer {
    struct http_client_reply *reply;
    const struct http_client_request *request;
    size_t body_size, body_max;
    enum err failure; /* the reason why a callback ended the transfer */
};

MUST_CHECK static enum err body_grow(struct transfer *t, size_t needed)
{
    size_t capacity = secret_size(t->reply->body);
    struct secret *larger = NULL;
    enum err e;

    while (capacity < needed)
        capacity *= 2;
    if (capacity > SECRET_MAX_SIZE)
        capacity = SECRET_MAX_SIZE;
    if (capacity < needed)
        return ERR_TOO_LARGE;
    e = secret_new(capacity, &larger);
    if (e != ERR_NONE)
        return e;
    memcpy(secret_data(larger), secret_data(t->reply->body), t->body_size);
    secret_free(&t->reply->body);
    t->reply->body = larger;
    return ERR_NONE;
}

static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
    struct transfer *t = context;
    size_t size = unit * count; /* curl: unit is 1, count at most CURL_MAX_WRITE_SIZE */

    if (size > t->body_max - t->body_size)
        t->failure = ERR_TOO_LARGE;
    else if (t->body_size + size > secret_size(t->reply->body))
        t->failure = body_grow(t, t->body_size + size);
    if (t->failure != ERR_NONE)
        return 0;
    if (size > 0)
        memcpy(secret_data(t->reply->body) + t->body_size, data, size);
    t->body_size += size;
    return size;
}

static struct span trimmed(struct span s)
{
    while (s.size > 0 && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = span_of(s.data + 1, s.size - 1);
    while (s.size > 0 && strchr(" \t\r\n", s.data[s.size - 1]) && s.data[s.size - 1] != '\0')
        s.size--;
    return s;
}

static bool header_is(struct span line, const char *name, struct span *value)
{
    size_t size = strlen(name);

    if (line.size <= size || line.data[size] != ':' ||
        strncasecmp((const char *)line.data, name, size) != 0)
        return false;
    *value = trimmed(span_of(line.data + size + 1, line.size - size - 1));
    return true;
}

static unsigned seconds_until(struct timestamp then)
{
    const int64_t left = timestamp_seconds(then) - timestamp_seconds(clock_now());

    return left <= 0 ? 0 : left < RETRY_AFTER_MAX_S ? (unsigned)left : RETRY_AFTER_MAX_S;
}

/* Seconds or a date (RFC 9110 section 10.2.3); all other values are ignored. */
static unsigned retry_after_parse(struct span text)
{
    unsigned seconds = 0;
    struct timestamp then;

    if (http_date_parse(text, &then) == ERR_NONE)
        return seconds_until(then);
    /* not decimal_read(): delay-seconds may begin with zeros, and has no upper limit */
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        if (seconds <= RETRY_AFTER_MAX_S)
            seconds = seconds * 10 + (unsigned)(text.data[i] - '0');
    }
    return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

static bool is_printable(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
            return false;
    return true;
}

/* False when memory or the limit is exhausted. */
static bool header_keep(struct transfer *t, struct span line)
{
    struct span value;

    for (size_t i = 0; i < t->request->wanted_count; i++) {
        struct http_client_header *h = &t->request->wanted[i];

        if (!header_is(line, h->name, &value))
            continue;
        h->value.size = 0;
        t->failure =
            value.size > HTTP_CLIENT_HEADER_MAX ? ERR_TOO_LARGE : buffer_append(&h->value, value);
    }
    return t->failure == ERR_NONE;
}

static size_t on_header(char *data, size_t unit, size_t count, void *context)
{
    struct transfer *t = context;
    struct span line = span_of(data, unit * count);
    struct span value;

    if (header_is(line, "x-request-id", &value)) {
        /* it will be printed, so one that is too long or unprintable is dropped */
        if (!is_printable(value) ||
            span_to_string(value, t->reply->request_id, sizeof t->reply->request_id) != ERR_NONE)
            t->reply->request_id[0] = '\0';
    } else if (header_is(line, "retry-after", &value)) {
        t->reply->retry_after_s = retry_after_parse(value);
    }
    return header_keep(t, line) ? line.size : 0;
}

/* curl calls it at least once a second. */
static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct http_client *client = context;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return atomic_load_explicit(client->stop, memory_order_relaxed) ? 1 : 0;
}

static bool set_stop(struct http_client *c)
{
    return !c->stop ||
           (curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
            curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, c) == CURLE_OK &&
            curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK);
}

static bool set_pin(CURL *c, const uint8_t spki_sha256[SHA256_SIZE])
{
    char pin[PIN_TEXT_SIZE] = "sha256//";

    base64_write(span_of(spki_sha256, SHA256_SIZE), pin + strlen(pin));
    /* the pin names the key, so issuer and name add nothing: the CA is not checked */
    return curl_easy_setopt(c, CURLOPT_PINNEDPUBLICKEY, pin) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK;
}

static bool set_trust(CURL *c, const struct http_client_options *o)
{
    if (o->spki_sha256)
        return set_pin(c, o->spki_sha256);
    return curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           (!o->ca_file || curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file) == CURLE_OK);
}

/* A proxy from the environment could read a plain request. It passes TLS unread. */
static bool set_proxy(CURL *c, const char *base_url)
{
    return strncmp(base_url, "https://", 8) == 0 ||
           curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool set_socket(CURL *c, const char *path)
{
    return !path || curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, path) == CURLE_OK;
}

static bool set_limits(struct http_client *c, const struct http_client_options *o)
{
    long timeout = o->timeout_ms ? (long)o->timeout_ms : (long)TIMEOUT_DEFAULT_MS;

    return curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
               CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
               CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error) == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
}

enum err http_client_new(const struct http_client_options *options, struct http_client **out)
{
    struct http_client *c;

    if (!options->base_url || (strncmp(options->base_url, "http://", 7) != 0 &&
                               strncmp(options->base_url, "https://", 8) != 0))
        return ERR_CONFIG;
    /* curl counts the calls and is thread-safe since 7.84; curl asks libraries never to undo it */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return ERR_MEMORY;
    c = calloc(1, sizeof *c);
    if (!c)
        return ERR_MEMORY;
    c->body_max = options->body_max ? options->body_max : BODY_MAX_DEFAULT;
    if (c->body_max > SECRET_MAX_SIZE)
        c->body_max = SECRET_MAX_SIZE;
    c->stop = options->stop;
    c->base_url = strdup(options->base_url);
    c->curl = curl_easy_init();
    if (!c->base_url || !c->curl || !set_limits(c, options) || !set_trust(c->curl, options) ||
        !set_proxy(c->curl, options->base_url) || !set_socket(c->curl, options->unix_socket) ||
        !set_stop(c)) {
        http_client_free(&c);
        return ERR_MEMORY;
    }
    *out = c;
    return ERR_NONE;
}

void http_client_free(struct http_client **c)
{
    if (!*c)
        return;
    curl_easy_cleanup((*c)->curl);
    free((*c)->base_url);
    free(*c);
    *c = NULL;
}

/* Headers may carry credentials. */
static void headers_free(struct curl_slist *list)
{
    for (struct curl_slist *at = list; at; at = at->next)
        bytes_wipe(at->data, strlen(at->data));
    curl_slist_free_all(list);
}

static bool headers_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer;

    if (strpbrk(line, "\r\n")) /* otherwise one line could become two headers */
        return false;
    longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool headers_make(const struct http_client_request *r, struct curl_slist **out)
{
    char type[160];
    int size = snprintf(type, sizeof type, "Content-Type:%s%s", r->content_type ? " " : "",
                        r->content_type ? r->content_type : "");

    /* curl omits a header that has no value after its colon: here its own Content-Type, and
     * Expect, which would wait for status 100 */
    if (size < 0 || (size_t)size >= sizeof type || !headers_add(out, type) ||
        !headers_add(out, "Expect:"))
        return false;
    for (const char *const *h = r->headers; h && *h; h++)
        if (!headers_add(out, *h))
            return false;
    return true;
}

/* Joins base and path, and refuses a line break in either. */
static bool url_make(const struct http_client *c, const char *path, char out[URL_MAX_SIZE])
{
    size_t base = strlen(c->base_url);
    int size;

    while (base > 0 && c->base_url[base - 1] == '/')
        base--;
    size = snprintf(out, URL_MAX_SIZE, "%.*s%s", (int)base, c->base_url, path);
    return path[0] == '/' && size > 0 && size < URL_MAX_SIZE &&
           is_printable(span_of(out, (size_t)size));
}

static bool set_method(CURL *curl, const struct http_client_request *r)
{
    const bool delete = strcmp(r->method, "DELETE") == 0;

    if (curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, delete ? "DELETE" : NULL) != CURLE_OK)
        return false;
    if (delete || strcmp(r->method, "GET") == 0)
        return r->body.size == 0 && curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    return strcmp(r->method, "POST") == 0 && curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.size) ==
               CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                            r->body.size ? (const char *)r->body.data : "") == CURLE_OK;
}

MUST_CHECK static enum err error_of(CURLcode code, const struct transfer *t)
{
    if (code == CURLE_OK || t->failure != ERR_NONE)
        return t->failure;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ERR_TIMEOUT;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return ERR_UNAVAILABLE;
    return code == CURLE_OUT_OF_MEMORY ? ERR_MEMORY : ERR_IO;
}

MUST_CHECK static enum err perform(struct http_client *c, struct transfer *t, char why[256])
{
    long status = 0;
    CURLcode code = curl_easy_perform(c->curl);
    enum err e = error_of(code, t);

    if (e == ERR_NONE) {
        (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        t->reply->status = (unsigned)status;
        secret_shrink(t->reply->body, t->body_size);
    } else if (t->failure != ERR_NONE) {
        (void)snprintf(why, 256, "the reply: %s", err_text(e));
    } else {
        (void)snprintf(why, 256, "%s", c->error[0] ? c->error : curl_easy_strerror(code));
    }
    return e;
}

MUST_CHECK static enum err send_with(struct http_client *c, const struct http_client_request *r,
                                     struct curl_slist *headers, struct transfer *t, char why[256])
{
    char url[URL_MAX_SIZE];

    if (!url_make(c, r->path, url) || !set_method(c->curl, r)) {
        (void)snprintf(why, 256, "the request is not a GET, POST or DELETE of a path");
        return ERR_MALFORMED;
    }
    c->error[0] = '\0';
    if (curl_easy_setopt(c->curl, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers) != CURLE_OK ||
        curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, t) != CURLE_OK ||
        curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, t) != CURLE_OK)
        return ERR_MEMORY;
    return perform(c, t, why);
}

enum err http_client_send(struct http_client *c, const struct http_client_request *r,
                          struct http_client_reply *reply, char why[256])
{
    struct http_client_reply made = {0};
    struct transfer t = {.reply = &made, .request = r, .body_max = c->body_max};
    struct curl_slist *headers = NULL;
    enum err e;

    (void)snprintf(why, 256, "out of memory");
    e = secret_new(BODY_FIRST_SIZE, &made.body);
    if (e == ERR_NONE && !headers_make(r, &headers)) {
        (void)snprintf(why, 256, "a header of the request is too long or has a line break");
        e = ERR_MALFORMED;
    }
    if (e == ERR_NONE)
        e = send_with(c, r, headers, &t, why);
    /* the settings of this request end with it */
    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, NULL);
    headers_free(headers);
    if (e == ERR_NONE) {
        *reply = made;
        made.body = NULL; /* the caller owns it now */
        why[0] = '\0';
    }
    secret_free(&made.body);
    return e;
}
