/* POST /add-checkpoint and GET /v1/witness: this keystore as a witness (C2SP tlog-witness). */
#include "server/call.h"
#include "service/witnessing.h"

MUST_CHECK static enum err size_answer(struct call *c, const struct witnessing_answer *a)
{
    c->status = a->status;
    c->content_type = WITNESS_SIZE_TYPE;
    return buffer_printf(&c->body, "%llu\n", (unsigned long long)a->size);
}

/* The commit of the row and its entry, if the answer needs one, then the cosignature. */
MUST_CHECK static enum err cosign(struct call *c, struct witnessing *w, struct witnessing_answer *a)
{
    const struct span id = span_of(c->request_id, REQUEST_ID_SIZE);
    enum err e = ERR_NONE;

    if (a->commits) {
        e = witnessing_entry(c->server->svc, a, id, c->now, &c->outcome);
        if (e != ERR_NONE)
            return e;
        c->outcome.commit.result = call_commit(c);
        witnessing_committed(w, a, &c->outcome.commit);
    }
    return a->status == 200 ? witnessing_finish(w, c->now, a) : ERR_NONE;
}

static void answer_request(struct call *c, struct witnessing *w, struct witnessing_answer *a)
{
    enum err e = witnessing_judge(w, c->request->body, a);

    if (e == ERR_NONE && a->status == 200 && a->commits && call_space_check(c) != ERR_NONE)
        return;
    if (e == ERR_NONE && a->status == 200)
        e = cosign(c, w, a);
    if (e == ERR_NONE && a->has_size) {
        e = size_answer(c, a);
    } else if (e == ERR_NONE && a->status == 200) {
        c->content_type = "text/plain; charset=utf-8";
        e = buffer_append_string(&c->body, a->line);
        call_answer(c, e);
    } else if (e == ERR_NONE) {
        c->retry_after_s = a->status == 503;
        call_refuse(c, a->status, a->code, a->text);
    }
    if (e != ERR_NONE)
        call_answer(c, e);
}

void route_add_checkpoint(struct call *c, struct service_thread *thread)
{
    struct witnessing *w = service_witnessing(c->server->svc);
    void *memory = NULL;
    enum err e;

    (void)thread;
    if (!w) {
        call_refuse(c, 404, "no_such_path", "No such path");
    } else {
        e = call_allocate(c, sizeof(struct witnessing_answer), &memory);
        if (e == ERR_NONE)
            answer_request(c, w, memory);
        else
            call_answer(c, e);
    }
    call_finish(c);
}

void route_witness(struct call *c, struct service_thread *thread)
{
    const struct witnessing *w = service_witnessing(c->server->svc);
    const char *name;
    const char *vkey;
    size_t logs;

    (void)thread;
    if (!w) {
        call_refuse(c, 404, "not_a_witness", "This keystore is no witness (witness.serve)");
    } else {
        witnessing_facts(w, &name, &vkey, &logs);
        call_answer(c, buffer_printf(&c->body, "{\"name\":\"%s\",\"vkey\":\"%s\",\"logs\":%zu}",
                                     name, vkey, logs));
    }
    call_finish(c);
}
