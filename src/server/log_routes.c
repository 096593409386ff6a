/* GET /v1/log/..., GET /v1/explain: read the log. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"
#include "service/log_read.h"

MUST_CHECK static enum err refuse_query(struct call *c, const char *text)
{
    call_refuse(c, 400, "bad_query", text);
    return ERR_MALFORMED;
}

/* The newest checkpoint, or with cosigned=true the newest one that witnesses have cosigned. */
MUST_CHECK static enum err checkpoint_read(struct call *c, char note[CHECKPOINT_TEXT_MAX])
{
    struct store *store = service_store(c->server->svc);
    struct checkpoint checkpoint;
    char cosigned[8] = "";
    size_t size = 0;
    enum err e = http_query(c->request->query, "cosigned", cosigned, sizeof cosigned, &size);

    if (e == ERR_NOT_FOUND || (e == ERR_NONE && strcmp(cosigned, "false") == 0)) {
        store_checkpoint(store, &checkpoint, note);
        return ERR_NONE;
    }
    if (e != ERR_NONE || strcmp(cosigned, "true") != 0)
        return refuse_query(c, "cosigned must be true or false");
    e = store_cosigned(store, note);
    if (e != ERR_NONE)
        call_refuse(c, 404, "not_cosigned", "No witness has cosigned a checkpoint yet");
    return e;
}

void route_checkpoint(struct call *c, struct service_thread *thread)
{
    char note[CHECKPOINT_TEXT_MAX];

    (void)thread;
    if (checkpoint_read(c, note) == ERR_NONE) {
        c->content_type = "text/plain; charset=utf-8";
        call_answer(c, buffer_append_string(&c->body, note));
    }
    call_finish(c);
}

void route_log_key(struct call *c, struct service_thread *thread)
{
    struct service_facts facts;
    char vkey[CHECKPOINT_VKEY_SIZE];
    char hex[2 * ED25519_PUBLIC_SIZE + 1];
    enum err e;

    (void)thread;
    service_facts(c->server->svc, &facts);
    hex_write(span_of(facts.log_key, ED25519_PUBLIC_SIZE), hex);
    e = checkpoint_vkey_write(facts.origin, facts.log_key, vkey, sizeof vkey);
    if (e == ERR_NONE) /* an origin has no character that JSON would escape */
        e = buffer_printf(&c->body, "{\"origin\":\"%s\",\"vkey\":\"%s\",\"public_key\":\"%s\"}",
                          facts.origin, vkey, hex);
    call_answer(c, e);
    call_finish(c);
}

enum err entries_query_read(struct call *c, uint64_t *start, uint64_t *count)
{
    *count = LOG_READ_ENTRIES_MAX;
    if (query_number(c, "start", start) != ERR_NONE ||
        query_number(c, "count", count) == ERR_MALFORMED)
        return refuse_query(c, "Needed: start, a number; count is optional, at most 1000");
    return ERR_NONE;
}

void route_log_entries(struct call *c, struct service_thread *thread)
{
    uint64_t start, count;

    (void)thread;
    if (entries_query_read(c, &start, &count) == ERR_NONE) {
        c->content_type = "application/x-ndjson";
        call_answer(c, log_read_entries(service_store(c->server->svc), start, count, &c->body));
    }
    call_finish(c);
}

static void answer_proof(struct call *c, enum err e, const struct merkle_proof *proof)
{
    call_answer(c, e == ERR_NONE ? render_proof(proof, &c->body) : e);
}

enum err proof_query_read(struct call *c, const char *first, uint64_t *a, const char *second,
                          uint64_t *b)
{
    char text[64];

    if (query_number(c, first, a) == ERR_NONE && query_number(c, second, b) == ERR_NONE)
        return ERR_NONE;
    (void)snprintf(text, sizeof text, "Needed: %s and %s, numbers", first, second);
    return refuse_query(c, text);
}

void route_log_inclusion(struct call *c, struct service_thread *thread)
{
    struct store *store = service_store(c->server->svc);
    struct merkle_proof proof;
    uint64_t index, size;

    (void)thread;
    if (proof_query_read(c, "index", &index, "size", &size) == ERR_NONE)
        answer_proof(c, log_read_inclusion(store, index, size, &proof), &proof);
    call_finish(c);
}

void route_log_consistency(struct call *c, struct service_thread *thread)
{
    struct store *store = service_store(c->server->svc);
    struct merkle_proof proof;
    uint64_t from, to;

    (void)thread;
    if (proof_query_read(c, "from", &from, "to", &to) == ERR_NONE)
        answer_proof(c, log_read_consistency(store, from, to, &proof), &proof);
    call_finish(c);
}

enum err request_id_query_read(struct call *c, char id[REQUEST_ID_SIZE + 1])
{
    size_t size = 0;

    if (http_query(c->request->query, "request_id", id, REQUEST_ID_SIZE + 1, &size) != ERR_NONE ||
        !request_id_check(span_of(id, size)))
        return refuse_query(c, "Needed: request_id, as in X-Request-Id");
    return ERR_NONE;
}

void route_log_receipt(struct call *c, struct service_thread *thread)
{
    const struct authorize_question question = {
        .principal = &c->principal, .action = ACTION_READ_RECEIPT, .now = c->now};
    struct decision decision;
    char id[REQUEST_ID_SIZE + 1];
    enum err e = authorize(&question, &decision);

    (void)thread;
    if (e != ERR_NONE)
        call_answer(c, e);
    else if (request_id_query_read(c, id) == ERR_NONE)
        call_answer(c, log_read_receipt_of_request(
                           service_store(c->server->svc), span_of(id, REQUEST_ID_SIZE),
                           decision.sees_all ? NULL : &c->principal, &c->body));
    call_finish(c);
}

void route_explain(struct call *c, struct service_thread *thread)
{
    char id[REQUEST_ID_SIZE + 1];

    (void)thread;
    if (request_id_query_read(c, id) == ERR_NONE)
        call_answer(c, log_read_explain(service_store(c->server->svc), span_of(id, REQUEST_ID_SIZE),
                                        &c->body));
    call_finish(c);
}
