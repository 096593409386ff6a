#include "daemon/answer.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"

enum { ESCAPED_MAX = 6, /* bytes of JSON for one byte of text */ MEMBERS_SIZE = 256 };

static size_t size_of(const char *text)
{
    return text ? ESCAPED_MAX * strlen(text) : 0;
}

/* An upper bound of the object's size. */
static size_t capacity_of(const struct answer *a)
{
    size_t size = 2 * MEMBERS_SIZE + 2 * size_of(a->failure) + size_of(a->state) +
                  size_of(a->log_key) + size_of(a->expired);

    for (size_t i = 0; i < a->problems->count; i++) {
        const struct problem *p = &a->problems->items[i];

        /* "error" repeats a text */
        size += MEMBERS_SIZE + size_of(p->file) + size_of(p->setting) + 2 * size_of(p->text);
    }
    return size;
}

static void put_text(struct json_writer *j, const char *name, const char *text)
{
    if (text && *text)
        json_put_string(j, name, span_string(text));
    else
        json_put_null(j, name);
}

static void put_problem(struct json_writer *j, const struct problem *p)
{
    json_open_object(j, NULL);
    put_text(j, "file", p->file);
    if (p->line > 0)
        json_put_int(j, "line", p->line);
    else
        json_put_null(j, "line");
    put_text(j, "setting", p->setting);
    put_text(j, "text", p->text);
    json_close_object(j);
}

static void put_problems(struct json_writer *j, const struct answer *a)
{
    const struct problem failure = {.text = (char *)a->failure};

    json_open_array(j, "problems");
    for (size_t i = 0; i < a->problems->count; i++)
        put_problem(j, &a->problems->items[i]);
    if (*a->failure)
        put_problem(j, &failure);
    json_close_array(j);
    json_put_int(j, "more_problems", (int64_t)a->problems->left_off);
}

static void check_put(struct json_writer *j, const struct answer *a)
{
    put_problems(j, a);
    if (!a->ok)
        return;
    json_put_bool(j, "initialised", a->initialised);
    put_text(j, "expired_certificate", a->expired);
}

static void init_put(struct json_writer *j, const struct answer *a)
{
    if (a->ok) {
        put_text(j, "state", a->state);
        put_text(j, "log_key", a->log_key);
        return;
    }
    put_text(j, "error", a->problems->count > 0 ? a->problems->items[0].text : a->failure);
    put_problems(j, a);
}

MUST_CHECK static enum err answer_write(const struct answer *a,
                                        void (*put)(struct json_writer *j, const struct answer *a),
                                        FILE *file)
{
    const size_t capacity = capacity_of(a);
    char *text = malloc(capacity);
    struct writer w = writer_over(text, capacity);
    struct json_writer j = json_writer_over(&w);
    enum err e = ERR_NONE;

    if (!text)
        return ERR_MEMORY;
    json_open_object(&j, NULL);
    json_put_bool(&j, "ok", a->ok);
    put(&j, a);
    json_close_object(&j);
    writer_u8(&w, '\n');
    if ((e = writer_finish(&w, NULL)) == ERR_NONE &&
        (fwrite(text, 1, w.size, file) != w.size || fflush(file) != 0))
        e = ERR_IO;
    free(text);
    return e;
}

enum err answer_check_write(const struct answer *a, FILE *file)
{
    return answer_write(a, check_put, file);
}

enum err answer_init_write(const struct answer *a, FILE *file)
{
    return answer_write(a, init_put, file);
}
