/* GET /v1/log/..., GET /v1/explain: read the log. */
#include <string.h>

#include "base/text.h"
#include "server/fields.h"
#include "server/render.h"
#include "service/log_read.h"

static void refuse_query(struct call *c, const char *text)
{
    call_refuse(c, 400, "bad_query", text);
}

void route_checkpoint(struct call *c, struct service_thread *thread)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint checkpoint;

    (void)thread;
    store_checkpoint(service_store(c->server->svc), &checkpoint, note);
    c->content_type = "text/plain; charset=utf-8";
    call_answer(c, buffer_append_string(&c->body, note));
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

void route_log_entries(struct call *c, struct service_thread *thread)
{
    uint64_t start = 0;
    uint64_t count = LOG_READ_ENTRIES_MAX;

    (void)thread;
    if (query_number(c, "start", &start) != ERR_NONE ||
        query_number(c, "count", &count) == ERR_MALFORMED) {
        refuse_query(c, "Needed: start, a number; count is optional, at most 1000");
    } else {
        c->content_type = "application/x-ndjson";
        call_answer(c, log_read_entries(service_store(c->server->svc), start, count, &c->body));
    }
    call_finish(c);
}

static void answer_proof(struct call *c, enum err e, const struct merkle_proof *proof)
{
    call_answer(c, e == ERR_NONE ? render_proof(proof, &c->body) : e);
}

void route_log_inclusion(struct call *c, struct service_thread *thread)
{
    struct store *store = service_store(c->server->svc);
    struct merkle_proof proof;
    uint64_t index, size;

    (void)thread;
    if (query_number(c, "index", &index) != ERR_NONE || query_number(c, "size", &size) != ERR_NONE)
        refuse_query(c, "Needed: index and size, numbers");
    else
        answer_proof(c, log_read_inclusion(store, index, size, &proof), &proof);
    call_finish(c);
}

void route_log_consistency(struct call *c, struct service_thread *thread)
{
    struct store *store = service_store(c->server->svc);
    struct merkle_proof proof;
    uint64_t from, to;

    (void)thread;
    if (query_number(c, "from", &from) != ERR_NONE || query_number(c, "to", &to) != ERR_NONE)
        refuse_query(c, "Needed: from and to, numbers");
    else
        answer_proof(c, log_read_consistency(store, from, to, &proof), &proof);
    call_finish(c);
}

MUST_CHECK static enum err query_request_id(struct call *c, char id[REQUEST_ID_SIZE + 1])
{
    size_t size = 0;

    if (http_query(c->request->query, "request_id", id, REQUEST_ID_SIZE + 1, &size) != ERR_NONE ||
        !request_id_check(span_of(id, size))) {
        refuse_query(c, "Needed: request_id, as in X-Request-Id");
        return ERR_MALFORMED;
    }
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
    else if (query_request_id(c, id) == ERR_NONE)
        call_answer(c, log_read_receipt_of_request(
                           service_store(c->server->svc), span_of(id, REQUEST_ID_SIZE),
                           decision.sees_all ? NULL : &c->principal, &c->body));
    call_finish(c);
}

void route_explain(struct call *c, struct service_thread *thread)
{
    char id[REQUEST_ID_SIZE + 1];

    (void)thread;
    if (query_request_id(c, id) == ERR_NONE)
        call_answer(c, log_read_explain(service_store(c->server->svc), span_of(id, REQUEST_ID_SIZE),
                                        &c->body));
    call_finish(c);
}
