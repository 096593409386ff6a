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

static void check_pubkey(struct call *c)
{
    struct span seed = {0};

    if (pubkey_request_read(c, &seed) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(seed_check(seed) == ERR_NONE);
}

static void check_reseal(struct call *c)
{
    char pcrs[RESEAL_PCRS_MAX];

    if (reseal_request_read(c, pcrs) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(strnlen(pcrs, sizeof pcrs) < sizeof pcrs);
}

static void check_own_evidence(struct call *c)
{
    uint8_t nonce[IDENTITY_NONCE_MAX];
    size_t size = 0;

    if (own_evidence_query_read(c, nonce, &size) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(size <= sizeof nonce);
}

static void check_entries(struct call *c)
{
    uint64_t start = UINT64_MAX;
    uint64_t count = UINT64_MAX;

    if (entries_query_read(c, &start, &count) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(start <= INT64_MAX && count <= INT64_MAX);
}

static void check_inclusion(struct call *c)
{
    uint64_t index = UINT64_MAX;
    uint64_t size = UINT64_MAX;

    if (proof_query_read(c, "index", &index, "size", &size) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(index <= INT64_MAX && size <= INT64_MAX);
}

static void check_consistency(struct call *c)
{
    uint64_t from = UINT64_MAX;
    uint64_t to = UINT64_MAX;

    if (proof_query_read(c, "from", &from, "to", &to) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(from <= INT64_MAX && to <= INT64_MAX);
}

static void check_request_id(struct call *c)
{
    char id[REQUEST_ID_SIZE + 1];

    if (request_id_query_read(c, id) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(request_id_check(span_of(id, REQUEST_ID_SIZE)));
}

static void check_item(struct call *c)
{
    char name[COLLATERAL_NAME_SIZE];

    if (item_query_read(c, name) != ERR_NONE)
        assert(c->status >= 400 && c->body.size > 0);
    else
        assert(collateral_name_check(span_string(name)));
}

static void check_add(struct call *c)
{
    check_change(c, false);
}

static void check_remove(struct call *c)
{
    check_change(c, true);
}

/* The first byte of an input is an index; only add at the end, for the corpus. */
static void (*const checks[])(struct call *c) = {
    check_decrypt,   check_attest,      check_explain,    check_add,          check_remove,
    check_seed,      check_pubkey,      check_reseal,     check_own_evidence, check_entries,
    check_inclusion, check_consistency, check_request_id, check_item,
};

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
    checks[data[0] % COUNT_OF(checks)](&c);
    call_memory_free(&c);
    buffer_clear(&c.body);
    return 0;
}
