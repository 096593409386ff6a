/*
 * Bodies and queries of the server's routes, up to the typed request. The first byte chooses the
 * route, the others are the body, the query or the name in the path. An accepted request keeps the
 * limits that the operations require; a refused one has a reply.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "keys/seed.h"
#include "server/requests.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decrypt(struct call *c)
{
    const struct decrypt_request *r = NULL;

    if (decrypt_request_read(c, &r) != ERR_NONE) {
        assert(c->status >= 400 && c->body.size > 0);
        return;
    }
    assert(r->seed.size <= SEED_MAX_SIZE && r->task_id.size <= TASK_ID_MAX);
    assert(r->seed.size == 0 || seed_check(r->seed) == ERR_NONE);
    assert(r->has_evidence || !r->has_worker_key);
    assert(!r->has_evidence || r->timestamp >= 0);
}

static void check_attest(struct call *c)
{
    struct attest_request r = {0};

    if (attest_request_read(c, &r) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(r.evidence.certificates.size <= ATTEST_CHAIN_MAX);
}

static void check_explain(struct call *c)
{
    struct explain_request r = {0};

    if (explain_request_read(c, &r) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(strlen(r.policy) <= POLICY_NAME_MAX);
}

static void check_change(struct call *c, bool removes)
{
    struct policy_change change = {.removes = removes};

    if (policy_change_read(c, &change) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(change.size <= POLICY_BYTES_MAX && strlen(change.policy) <= POLICY_NAME_MAX);
}

static void check_seed(struct call *c)
{
    struct span seed = {0};

    if (seed_query_read(c, &seed) == ERR_NONE)
        assert(seed_check(seed) == ERR_NONE);
}

/* The path that the router lets through: one segment without '/'. */
static void set_path(struct http_request *request, char path[512], struct span name)
{
    static const char before[] = "/v1/policies/";
    static const char behind[] = "/reference-values";
    struct writer w = writer_over(path, 512);

    writer_put(&w, span_string(before));
    for (size_t i = 0; i < name.size && i < 200; i++)
        writer_u8(&w, name.data[i] == '/' || name.data[i] == 0 ? 'x' : name.data[i]);
    writer_u8(&w, 'p');
    writer_put(&w, span_string(behind));
    request->path = span_of(path, w.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request = {0};
    struct call c = {.request = &request, .request_id = "0193e0a4-0000-7000-8000-000000000000"};
    char path[512];

    if (size == 0)
        return 0;
    request.body = request.query = span_of(data + 1, size - 1);
    set_path(&request, path, span_of(data + 1, size - 1));
    switch (data[0] % 6) {
    case 0:
        check_decrypt(&c);
        break;
    case 1:
        check_attest(&c);
        break;
    case 2:
        check_explain(&c);
        break;
    case 3:
        check_change(&c, false);
        break;
    case 4:
        check_change(&c, true);
        break;
    default:
        check_seed(&c);
        break;
    }
    call_memory_free(&c);
    buffer_clear(&c.body);
    return 0;
}
