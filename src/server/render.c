#include "server/render.h"

enum err render_into(size_t room, render_writer *write, const void *subject, struct secret **out)
{
    struct secret *body = NULL;
    struct writer w;
    struct json_writer j;
    enum err e = secret_new(room, &body);

    if (e != ERR_NONE)
        return e;
    w = writer_over(secret_data(body), room);
    j = json_writer_over(&w);
    write(&j, subject);
    if ((e = writer_finish(&w, NULL)) != ERR_NONE) {
        secret_free(&body);
        return e;
    }
    secret_shrink(body, w.size);
    *out = body;
    return ERR_NONE;
}

enum err render_begin(struct buffer *out, size_t room, struct writer *w, struct json_writer *j)
{
    enum err e = buffer_reserve(out, room);

    if (e == ERR_NONE) {
        *w = writer_over(out->data + out->size, out->capacity - out->size);
        *j = json_writer_over(w);
    }
    return e;
}

enum err render_end(struct buffer *out, const struct writer *w)
{
    enum err e = writer_finish(w, NULL);

    if (e == ERR_NONE)
        out->size += w->size;
    return e;
}

enum err render_result(const struct outcome *o, struct secret **out)
{
    const struct operation_result *r = &o->result;

    switch (r->kind) {
    case RESULT_OPENED:
        return render_opened(&r->opened, out);
    case RESULT_SESSION:
        return render_session(r->session, out);
    case RESULT_EXPLANATION:
        return render_explanation(r->explanation, out);
    case RESULT_POLICY_CHANGED:
    case RESULT_NONE:
        break;
    }
    return ERR_INTERNAL; /* a bug: these results are not rendered before the commit */
}
