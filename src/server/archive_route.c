/* POST and GET /v1/log/archive: moves old entries of the log, and says how far that is. */
#include "codec/json.h"
#include "server/archiver.h"
#include "server/fields.h"
#include "server/render.h"
#include "server/requests.h"
#include "service/archive.h"

enum { REPLY_MAX = 192, DAYS_MAX = 36500 };

/* `*days` is that of the settings when the request names none. */
enum err archive_request_read(struct call *c, char directory[ARCHIVE_DIRECTORY_MAX], uint64_t *days)
{
    static const char needed[] = "Needed: an object with nothing, older_than_days (0 to 36500), or "
                                 "directory (that of log.archive_to)";
    struct json_value older = {0};
    struct json_value where = {0};
    const struct json_field fields[] = {
        {"older_than_days", JSON_NUMBER, false, &older},
        {"directory",       JSON_STRING, false, &where}
    };
    enum err e = body_read(c, fields, COUNT_OF(fields), needed);

    directory[0] = '\0';
    if (e == ERR_NONE && where.type == JSON_STRING)
        e = field_string(where, directory, ARCHIVE_DIRECTORY_MAX);
    else if (e != ERR_NONE)
        return e;
    if (e == ERR_NONE && older.type == JSON_NUMBER)
        e = json_uint64(older, days);
    if (e == ERR_NONE && *days > DAYS_MAX)
        e = ERR_MALFORMED;
    return e == ERR_NONE ? e : fields_refuse(c, e, "bad_field", needed);
}

void route_log_archive(struct call *c, struct service_thread *thread)
{
    char directory[ARCHIVE_DIRECTORY_MAX];
    uint64_t days = c->server->options.archive_after_days;
    struct archive_request request = {.directory = directory};
    struct store *store = service_store(c->server->svc);
    enum err e = archive_request_read(c, directory, &days);

    if (e != ERR_NONE) {
        call_finish(c);
        return;
    }
    if ((e = archive_end(store, days, c->now, &request.before)) != ERR_NONE ||
        (e = buffer_reserve(&c->body, REPLY_MAX)) != ERR_NONE) {
        call_answer(c, e); /* now, because nothing may fail after the commit */
    } else if (call_operate_and_commit(c, thread, OPERATION_ARCHIVE, &request) == ERR_NONE) {
        archiver_ask(c->server->archiver, request.before);
        call_answer(c, buffer_printf(&c->body, "{\"index\":%llu,\"archived\":%llu,\"before\":%llu}",
                                     (unsigned long long)c->outcome.commit.index,
                                     (unsigned long long)store_archived(store),
                                     (unsigned long long)request.before));
    }
    call_finish(c);
}

void route_log_archive_status(struct call *c, struct service_thread *thread)
{
    const char *directory = store_archive_path(service_store(c->server->svc));
    struct archiver_figures f;
    struct writer w;
    struct json_writer j;
    enum err e = render_begin(&c->body, ARCHIVE_DIRECTORY_MAX * 6 + REPLY_MAX, &w, &j);

    (void)thread;
    archiver_figures(c->server->archiver, &f);
    if (e == ERR_NONE) {
        json_open_object(&j, NULL);
        if (directory)
            json_put_string(&j, "directory", span_string(directory));
        json_put_int(&j, "archived", (int64_t)store_archived(service_store(c->server->svc)));
        json_put_int(&j, "before", (int64_t)f.before);
        json_put_bool(&j, "running", f.running);
        json_put_int(&j, "bytes", (int64_t)f.bytes);
        json_put_int(&j, "errors", (int64_t)f.errors);
        if (f.error != ERR_NONE)
            json_put_string(&j, "error", span_string(err_code(f.error)));
        json_close_object(&j);
        e = render_end(&c->body, &w);
    }
    call_answer(c, e);
    call_finish(c);
}
