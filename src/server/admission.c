#include "server/admission.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/render.h"
#include "service/request_id.h"

enum {
    ADDRESSES_MAX = 65536,
    EXPENSIVE_PER_SECOND = 50, /* of one address: own evidence, proofs */
    EXPENSIVE_BURST = 100,
    TILES_PER_SECOND = 200, /* of one address: a monitor that catches up reads many */
    TILES_BURST = 1000,
    /* each costs as much CPU as one GET of 25 us */
    STRANGERS_BODY_SIZE = 2048, /* bytes; JSON that is only escapes takes 11 ns a byte */
    TOKENS_BODY_SIZE = 16384,   /* bytes; mostly base64 */
    HANDSHAKE_COST = 20,        /* requests: about 500 us */
};

static void count_refusal(struct server *s, enum rejection kind)
{
    atomic_fetch_add_explicit(&s->refused[kind], 1, memory_order_relaxed);
}

/* `path` must be equal, or have one segment in the place of the route's {name}; {path} at the end
 * stands for any number of segments. */
static bool path_is(const struct route *route, struct span path)
{
    const char *open = strchr(route->path, '{');
    const char *close = open ? strchr(open, '}') : NULL;
    struct span before, behind;

    if (!close)
        return span_equal_string(path, route->path);
    before = span_of(route->path, (size_t)(open - route->path));
    behind = span_string(close + 1);
    if (path.size <= before.size + behind.size || !span_starts_with(path, before) ||
        !span_equal(span_slice(path, path.size - behind.size, behind.size), behind))
        return false;
    if (behind.size == 0 && strcmp(open, "{path}") == 0)
        return true;
    path = span_slice(path, before.size, path.size - before.size - behind.size);
    return memchr(path.data, '/', path.size) == NULL;
}

/* With a second listener, only that one serves these routes. */
static bool is_administrative(const struct route *route)
{
    return authorize_is_administrative(route->action) || strcmp(route->path, "/metrics") == 0;
}

const struct route *admission_route(const struct server *s, const struct http_request *r,
                                    bool *path_known)
{
    bool is_head = span_equal_string(r->method, "HEAD");

    *path_known = false;
    for (size_t i = 0; i < route_count; i++) {
        if (!path_is(&routes[i], r->path) ||
            (s->has_admin_listener && !r->admin && is_administrative(&routes[i])))
            continue;
        *path_known = true;
        if (span_equal_string(r->method, routes[i].method) ||
            (is_head && strcmp(routes[i].method, "GET") == 0))
            return &routes[i];
    }
    return NULL;
}

static const char *allowed_methods(const struct http_request *r)
{
    static const char *const names[8] = {"",       "GET, HEAD", "POST",        "GET, HEAD, POST",
                                         "DELETE", NULL,        "POST, DELETE"};
    unsigned methods = 0;

    for (size_t i = 0; i < route_count; i++) {
        if (!path_is(&routes[i], r->path))
            continue;
        methods |= strcmp(routes[i].method, "GET") == 0 ? 1u : 0;
        methods |= strcmp(routes[i].method, "POST") == 0 ? 2u : 0;
        methods |= strcmp(routes[i].method, "DELETE") == 0 ? 4u : 0;
    }
    return names[methods];
}

/* Makes a refusal that gets no log entry, only a count. Its texts stay valid until the loop's
 * next refusal. */
void admission_refusal(struct server *s, unsigned loop, enum rejection kind,
                       const struct http_refusal *why, int64_t wait_ms, struct http_reply *reply)
{
    struct loop_state *l = &s->loops[loop];
    char request_id[REQUEST_ID_SIZE + 1] = {0};
    struct writer w = writer_over(l->reply, sizeof l->reply);

    count_refusal(s, kind);
    atomic_fetch_add_explicit(&s->replies[why->status / 100 % 6], 1, memory_order_relaxed);
    request_id_write(clock_now(), request_id);
    render_error(why->code, why->text, request_id, &w);
    headers_write(l->headers, sizeof l->headers, request_id,
                  wait_ms > 0 ? (unsigned)((wait_ms + 999) / 1000) : 0, NULL);
    *reply = (struct http_reply){.status = why->status,
                                 .content_type = "application/json",
                                 .body = span_of(l->reply, w.size),
                                 .extra_headers = l->headers};
}

/* Refuses before the body is read. `*reply` is complete, with Allow and WWW-Authenticate. */
static unsigned refuse(struct server *s, const struct http_request *r, enum rejection kind,
                       unsigned status, const char *code, const char *text, int64_t wait_ms,
                       struct http_reply *reply)
{
    char *headers = s->loops[r->loop].headers;
    size_t capacity = sizeof s->loops[r->loop].headers;
    size_t used;

    admission_refusal(s, r->loop, kind, &(struct http_refusal){status, code, text}, wait_ms, reply);
    used = strlen(headers);
    if (status == 405)
        (void)snprintf(headers + used, capacity - used, "Allow: %s\r\n", allowed_methods(r));
    if (status == 401)
        (void)snprintf(headers + used, capacity - used, "WWW-Authenticate: Bearer\r\n");
    return status;
}

/* The cost in cheap requests. */
static uint32_t cost_of_body(size_t size, bool authenticated)
{
    return 1 + (uint32_t)(size / (authenticated ? TOKENS_BODY_SIZE : STRANGERS_BODY_SIZE));
}

/*
 * An address without allowance left takes nothing from the shared allowance. Callers with a valid
 * token share one allowance, logs that want a cosignature another, and all others a third. So
 * strangers cannot exclude workers or logs.
 */
static int64_t rates_of_stranger(struct server *s, const struct http_request *r, bool expensive,
                                 struct span share, uint32_t cost, int64_t now_us)
{
    int64_t wait = rate_take_cost(s->per_address, SPAN_OF(r->peer_key), cost, now_us);

    if (wait == 0 && expensive)
        wait = rate_take(s->expensive, SPAN_OF(r->peer_key), now_us);
    return wait != 0 ? wait : rate_take_cost(s->total, share, cost, now_us);
}

/* Monitors have shares of their own, and take nothing from other callers. */
static int64_t rates_of_monitor(struct server *s, const struct http_request *r, uint32_t cost,
                                int64_t now_us)
{
    int64_t wait = rate_take_cost(s->tiles, SPAN_OF(r->peer_key), cost, now_us);

    return wait != 0 ? wait : rate_take_cost(s->total, SPAN_LITERAL("tiles"), cost, now_us);
}

static int64_t rates_of_principal(struct server *s, const struct principal *principal,
                                  uint32_t cost, int64_t now_us)
{
    /* so that an idle token can send several large requests at once, with any settings */
    uint32_t most = 1 + s->options.per_token.burst / 4;
    int64_t wait;

    if (cost > most)
        cost = most;
    wait = rate_take_cost(s->per_token, SPAN_OF(principal->id), cost, now_us);

    if (wait == 0)
        wait = rate_take_cost(s->total, SPAN_LITERAL("tokens"), cost, now_us);
    return wait;
}

static bool is_json(const struct http_request *r)
{
    struct span type;
    struct span wanted = SPAN_LITERAL("application/json");

    if (!http_header(r, "content-type", &type) || type.size < wanted.size)
        return false;
    for (size_t i = 0; i < wanted.size; i++)
        if ((type.data[i] | 0x20) != wanted.data[i] && type.data[i] != wanted.data[i])
            return false;
    return type.size == wanted.size || type.data[wanted.size] == ';' ||
           type.data[wanted.size] == ' ';
}

enum err admission_authenticate(const struct server *s, const struct http_request *r,
                                struct principal *principal, const char **why)
{
    struct span value = {0};
    bool present = http_header(r, "authorization", &value);

    return service_authenticate(s->svc, value, !present, principal, why);
}

/* Logs the address only: the presented text may be a secret with one wrong character. */
static void log_bad_token(struct server *s, const struct http_request *r, const char *why)
{
    uint64_t left_out = 0;

    if (log_limit_take(&s->tokens_logged, clock_monotonic_us(), &left_out))
        log_write(LOG_WARN, "server", "bad_token", LOG_STRING("address", r->peer),
                  LOG_STRING("reason", why), LOG_NUMBER("left_out", left_out));
}

/* For routes that need a token. Returns 0, or the status of the refusal. */
static unsigned admit_token(struct server *s, const struct http_request *r,
                            const struct route *route, uint32_t cost, int64_t now_us,
                            struct http_owner *owner, struct http_reply *reply)
{
    struct principal principal;
    const char *why = "";
    int64_t wait;

    if (admission_authenticate(s, r, &principal, &why) != ERR_NONE) {
        wait = rates_of_stranger(s, r, false, SPAN_LITERAL("strangers"), 1, now_us);
        if (wait > 0)
            return refuse(s, r, REFUSED_RATE, 429, "rate_limited", "Too many requests", wait,
                          reply);
        log_bad_token(s, r, why);
        return refuse(s, r, REFUSED_TOKEN, 401, "unauthenticated", why, 0, reply);
    }
    owner->authenticated = true;
    memcpy(owner->key.key, principal.id, sizeof owner->key.key);
    s->loops[r->loop].admitted = principal;
    /* before the role is checked: a refusal has its price, too */
    wait = rates_of_principal(s, &principal, cost, now_us);
    if (wait > 0)
        return refuse(s, r, REFUSED_RATE, 429, "rate_limited", "Too many requests", wait, reply);
    if (!authorize_admits(&principal, route->action))
        return refuse(s, r, REFUSED_ROLE, 403, "role_not_allowed", ROLE_NOT_ALLOWED, 0, reply);
    /* every denial is a log entry, so a token that causes many must not fill the disk */
    wait = rate_wait(s->denials, SPAN_OF(principal.id), now_us);
    if (wait > 0)
        return refuse(s, r, REFUSED_RATE, 429, "too_many_denials",
                      "Too many of this token's requests were denied", wait, reply);
    return 0;
}

static unsigned admit_stranger(struct server *s, const struct http_request *r,
                               const struct route *route, uint32_t cost, int64_t now_us,
                               struct http_reply *reply)
{
    const bool reads_tiles = route && route->action == ACTION_READ_TILES;
    const bool is_log = route && route->action == ACTION_WITNESS;
    const struct span share = is_log ? SPAN_LITERAL("logs") : SPAN_LITERAL("strangers");
    int64_t wait = reads_tiles
                       ? rates_of_monitor(s, r, cost, now_us)
                       : rates_of_stranger(s, r, route && route->expensive, share, cost, now_us);

    if (wait > 0)
        return refuse(s, r, REFUSED_RATE, 429, "rate_limited", "Too many requests", wait, reply);
    return 0;
}

static unsigned admit_body(struct server *s, const struct http_request *r,
                           const struct route *route, size_t body_size, struct http_reply *reply)
{
    if (route->body_max > 0 && route->action != ACTION_WITNESS && !is_json(r))
        return refuse(s, r, REFUSED_OTHER, 415, "content_type",
                      "Expected request with `Content-Type: application/json`", 0, reply);
    if (route->body_max == 0 && body_size > 0 && strcmp(route->method, "POST") != 0)
        return refuse(s, r, REFUSED_OTHER, 400, "unexpected_body", "This request has no body", 0,
                      reply);
    if (body_size > (route->body_max > 0 ? route->body_max : EMPTY_BODY_MAX))
        return refuse(s, r, REFUSED_OTHER, 413, "body_too_large",
                      "The body is larger than this request's can be", 0, reply);
    return 0;
}

unsigned admission_check(void *context, const struct http_request *r, size_t body_size,
                         struct http_owner *owner, struct http_reply *reply)
{
    struct server *s = context;
    bool path_known;
    const struct route *route = admission_route(s, r, &path_known);
    int64_t now_us = clock_monotonic_us();
    const bool is_public = !route || authorize_is_public(route->action);
    uint32_t cost = cost_of_body(body_size, !is_public);
    unsigned status;

    if (is_public)
        status = admit_stranger(s, r, route, cost, now_us, reply);
    else
        status = admit_token(s, r, route, cost, now_us, owner, reply);
    if (status != 0)
        return status;
    if (!path_known)
        return refuse(s, r, REFUSED_OTHER, 404, "no_such_path", "No such path", 0, reply);
    if (!route)
        return refuse(s, r, REFUSED_OTHER, 405, "method_not_allowed", "Method not allowed", 0,
                      reply);
    return admit_body(s, r, route, body_size, reply);
}

/* Refusals of net/: bad framing and missed deadlines. */
void admission_net_refused(void *context, unsigned loop, const char *peer,
                           const struct http_refusal *why, struct http_reply *reply)
{
    admission_refusal(context, loop, REFUSED_FRAMING, why, 0, reply);
    log_write(LOG_DEBUG, "net", "request_refused", LOG_STRING("peer", peer),
              LOG_STRING("code", why->code));
}

bool admission_handshake(void *context, const uint8_t peer_key[16])
{
    struct server *s = context;

    if (rate_take_cost(s->per_address, span_of(peer_key, 16), HANDSHAKE_COST,
                       clock_monotonic_us()) == 0)
        return true;
    count_refusal(s, REFUSED_RATE);
    return false;
}

enum err admission_rates_new(struct server *s)
{
    struct rate_limit expensive = {EXPENSIVE_PER_SECOND, EXPENSIVE_BURST};
    struct rate_limit tiles = {TILES_PER_SECOND, TILES_BURST};
    enum err e;

    if ((e = rate_table_new(s->options.per_token, 4 * TOKENS_MAX, &s->per_token)) != ERR_NONE ||
        (e = rate_table_new(s->options.denials, 4 * TOKENS_MAX, &s->denials)) != ERR_NONE ||
        (e = growth_new(s->options.growth, 4 * TOKENS_MAX, &s->growth)) != ERR_NONE ||
        (e = rate_table_new(s->options.per_address, ADDRESSES_MAX, &s->per_address)) != ERR_NONE ||
        (e = rate_table_new(expensive, ADDRESSES_MAX, &s->expensive)) != ERR_NONE ||
        (e = rate_table_new(tiles, ADDRESSES_MAX, &s->tiles)) != ERR_NONE)
        return e;
    return rate_table_new(s->options.total, 4, &s->total);
}

void admission_rates_free(struct server *s)
{
    rate_table_free(&s->per_token);
    rate_table_free(&s->denials);
    growth_free(&s->growth);
    rate_table_free(&s->per_address);
    rate_table_free(&s->expensive);
    rate_table_free(&s->tiles);
    rate_table_free(&s->total);
}
