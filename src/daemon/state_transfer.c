/* `vouchsafed state export` and `import`: a whole state as one encrypted file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "crypto/random.h"
#include "daemon/state_inside.h"
#include "store/export.h"

enum { LEASE_MS = 60000, TEXT_SIZE = 2048 };

MUST_CHECK static enum err file_put(void *context, struct span bytes)
{
    return fwrite(bytes.data, 1, bytes.size, context) == bytes.size ? ERR_NONE : ERR_IO;
}

MUST_CHECK static enum err file_take(void *context, uint8_t *out, size_t capacity, size_t *size)
{
    *size = fread(out, 1, capacity, context);
    return ferror((FILE *)context) ? ERR_IO : ERR_NONE;
}

static void result_print(const struct state_context *c, const char *verb, uint64_t size,
                         const struct export_counts *counts)
{
    char text[TEXT_SIZE];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);

    if (!c->command->json) {
        (void)fprintf(c->out,
                      "%s: %" PRIu64 " rows, %" PRIu64 " entries, %" PRIu64
                      " of them in the archive: %s\n",
                      verb, counts->rows, size, counts->blocks * 256, c->command->file);
        return;
    }
    json_open_object(&j, NULL);
    json_put_bool(&j, "ok", true);
    json_put_string(&j, "file", span_string(c->command->file));
    json_put_int(&j, "rows", (int64_t)counts->rows);
    json_put_int(&j, "log_size", (int64_t)size);
    json_put_int(&j, "archived", (int64_t)counts->blocks * 256);
    json_close_object(&j);
    if (writer_finish(&w, NULL) == ERR_NONE)
        (void)fprintf(c->out, "%.*s\n", (int)w.size, text);
}

/* ---- export ---- */

MUST_CHECK static enum err node_count(void *context, const struct stored_node_state *node)
{
    (void)node;
    ++*(size_t *)context;
    return ERR_NONE;
}

MUST_CHECK static enum err single_node_require(const struct state_context *c,
                                               struct store_engine *engine)
{
    size_t nodes = 0;
    enum err e = engine->ops->nodes(engine, node_count, &nodes);

    if (e != ERR_NONE || nodes <= 1)
        return e;
    return state_explain(c->problem, ERR_UNSUPPORTED,
                         "the database has %zu nodes; only the database of a single node can "
                         "be exported. Use the backup of the PostgreSQL server",
                         nodes);
}

/* Of a file, the lock file is the lease. On a server, no process may hold the lease meanwhile. */
MUST_CHECK static enum err lease_hold(const struct state_context *c, struct store_engine *engine,
                                      uint64_t *token)
{
    uint8_t holder[16];
    enum err e;

    if (c->engine == &store_sqlite)
        return ERR_NONE;
    e = single_node_require(c, engine);
    if (e != ERR_NONE)
        return e;
    random_bytes(holder, sizeof holder);
    e = engine->ops->lease_take(engine, c->node, holder, LEASE_MS, token);
    if (e == ERR_CONFLICT)
        return state_explain(c->problem, e,
                             "another process holds the lease of node %u: stop the daemon first, "
                             "then repeat",
                             (unsigned)c->node);
    return e == ERR_NONE ? e
                         : state_explain(c->problem, e, "the lease of node %u: %s",
                                         (unsigned)c->node, err_text(e));
}

MUST_CHECK static enum err sound_require(const struct state_context *c, const struct examination *x)
{
    if (x->fault_count == x->faults[FAULT_MODE])
        return ERR_NONE;
    return state_explain(c->problem, ERR_TAMPERED,
                         "the state has %zu faults, and is not exported: see `vouchsafe state "
                         "check`, and `vouchsafe state repair`",
                         x->fault_count);
}

/* What was read is of one state only if the lease was ours until the end, and no node came. */
MUST_CHECK static enum err lease_require(const struct state_context *c, struct store_engine *engine,
                                         uint64_t token)
{
    enum err e;

    if (token == 0)
        return ERR_NONE;
    e = engine->ops->lease_renew(engine, c->node, token, LEASE_MS);
    if (e == ERR_DENIED)
        return state_explain(c->problem, ERR_CONFLICT,
                             "another process took the lease of node %u meanwhile, and may have "
                             "changed the state: stop it, then repeat",
                             (unsigned)c->node);
    return e == ERR_NONE ? single_node_require(c, engine) : e;
}

MUST_CHECK static enum err export_to(const struct state_context *c, struct store_engine *engine,
                                     uint64_t token, FILE *file)
{
    struct examine_options options = state_examine_options(c, engine);
    struct examination x = {0};
    struct export_counts counts = {0};
    struct export_writer *w = NULL;
    uint8_t salt[EXPORT_SALT_SIZE];
    enum err e = examine(&options, &x);

    random_bytes(salt, sizeof salt);
    if (e == ERR_NONE)
        e = sound_require(c, &x);
    if (e == ERR_NONE)
        e = export_writer_new(root_current(c->root), salt, file_put, file, &w);
    if (e == ERR_NONE)
        e = export_write(&options, &x, c->now, w, &counts);
    export_writer_free(&w);
    if (e == ERR_NONE)
        e = lease_require(c, engine, token);
    if (e == ERR_NONE && (fflush(file) != 0 || fsync(fileno(file)) != 0))
        e = ERR_IO;
    if (e == ERR_NONE)
        result_print(c, "Exported", x.state.log.size, &counts);
    bytes_wipe(&x, sizeof x);
    return e;
}

enum err state_export(struct state_context *c, int *status)
{
    const char *path = c->command->file;
    struct store_engine *engine = NULL;
    uint64_t token = 0;
    FILE *file = NULL;
    int fd = -1;
    enum err e = state_inspect(c, NULL, &engine);

    *status = 0;
    if (e == ERR_NONE)
        e = lease_hold(c, engine, &token);
    if (e != ERR_NONE)
        goto out;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file) {
        e = state_explain(c->problem, ERR_IO, "%s cannot be made: %s", path, strerror(errno));
        goto out;
    }
    e = export_to(c, engine, token, file);
    if (fclose(file) != 0 && e == ERR_NONE)
        e = ERR_IO;
    if (e != ERR_NONE) {
        (void)unlink(path); /* we made it */
        if (!*c->problem->text)
            e = state_explain(c->problem, e, "%s cannot be written: %s", path, err_text(e));
    }
out:
    if (engine) {
        if (token != 0 && engine->ops->lease_release(engine, c->node, token) != ERR_NONE)
            (void)fputs("vouchsafed: the lease ends by itself in a minute\n", stderr);
        engine->ops->close(&engine);
    }
    return e;
}

/* ---- import ---- */

struct importing {
    struct state_context *c;
    struct store_engine *into;
    struct builder *builder;
    struct export_begin begin;
    struct export_counts counts;
    char made[STATE_PATH_SIZE]; /* of SQLite */
    char left[STATE_PATH_SIZE]; /* for files that SQLite left of a lost database */
};

/* The origin may change with the engine, between NAME and NAME/NODE. */
MUST_CHECK static enum err begun(void *context, struct export_begin *begin)
{
    const struct importing *x = context;
    const struct state_context *c = x->c;
    char time[TIMESTAMP_TEXT_SIZE];

    timestamp_write(begin->time, time);
    if (!state_origin_fits(c, begin->origin))
        return state_explain(c->problem, ERR_DENIED,
                             "the export is of the log %s, and log.origin is %s: set log.origin to "
                             "the origin that the log had",
                             begin->origin, c->settings->log.origin);
    if (c->has_kept && c->kept.size > begin->size && !c->command->accept_rollback)
        return state_explain(c->problem, ERR_STALE,
                             "the export of %s has a log of %" PRIu64
                             " entries, and the checkpoint "
                             "that was kept has %" PRIu64 ": importing it is a rollback. Use a "
                             "newer export, or --accept-rollback if there is none",
                             time, begin->size, c->kept.size);
    begin->node = c->node;
    (void)snprintf(begin->origin, sizeof begin->origin, "%s", c->settings->store.origin);
    return ERR_NONE;
}

MUST_CHECK static enum err entry_add(const struct importing *x)
{
    char text[TEXT_SIZE], time[TIMESTAMP_TEXT_SIZE];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct buffer entry = {0};
    enum err e;

    timestamp_write(x->begin.time, time);
    json_open_object(&j, NULL);
    json_put_string(&j, "exported", span_string(time));
    json_put_int(&j, "rows", (int64_t)x->counts.rows);
    json_put_int(&j, "size", (int64_t)x->begin.size);
    json_put_base64(&j, "root", SPAN_OF(x->begin.root.bytes));
    json_put_bool(&j, "rollback_accepted", x->c->command->accept_rollback);
    json_close_object(&j);
    e = writer_finish(&w, NULL);
    if (e == ERR_NONE)
        e = state_entry_write(x->c, SPAN_LITERAL("import"), span_of(text, w.size), &entry);
    if (e == ERR_NONE)
        e = builder_entry(x->builder, buffer_span(&entry));
    buffer_clear(&entry);
    return e;
}

/* Everything once more, as it was written; only the end is missing. */
MUST_CHECK static enum err made_verify(const struct importing *x)
{
    struct examine_options options = state_examine_options(x->c, x->into);
    struct examination found = {0};
    enum err e;

    if (x->c->command->accept_rollback && x->c->kept.size > x->begin.size)
        options.known_size = 0;
    e = examine(&options, &found);
    if (e == ERR_NONE && found.faults[FAULT_CHECKPOINT] > 0)
        e = state_explain(x->c->problem, ERR_TAMPERED,
                          "the export's log does not contain the log of the checkpoint %s",
                          x->c->command->kept);
    else if (e == ERR_NONE && (found.fault_count != 1 || found.faults[FAULT_NODE_UNFINISHED] != 1))
        e = state_explain(x->c->problem, ERR_TAMPERED,
                          "the imported state differs from what was written");
    bytes_wipe(&found, sizeof found);
    return e;
}

MUST_CHECK static enum err import_from(struct importing *x, FILE *file)
{
    struct state_context *c = x->c;
    const struct examine_options keys = state_examine_options(c, x->into);
    struct import_options options = {
        .keys = keys.keys, .into = x->into, .begun = begun, .context = x};
    struct node_state like = {0};
    enum err e = export_reader_new(c->root, file_take, file, &options.reader);

    if (e == ERR_NONE)
        e = import_run(&options, &x->builder, &x->begin, &x->counts);
    export_reader_free(&options.reader);
    if (e == ERR_NONE)
        e = entry_add(x);
    if (e == ERR_NONE)
        e = builder_flush(x->builder);
    if (e == ERR_NONE)
        e = made_verify(x);
    like.commits = x->begin.commits + 1;
    like.anchor = x->begin.anchor;
    like.log_archived = x->counts.blocks * 256;
    return e == ERR_NONE ? builder_end(x->builder, &like) : e;
}

MUST_CHECK static enum err not_empty(const struct state_context *c, const char *what)
{
    return state_explain(c->problem, ERR_CONFLICT,
                         "%s is not empty: an import needs an empty store. If its state is lost or "
                         "damaged, move it to another place and keep it",
                         what);
}

MUST_CHECK static enum err left_clear(const struct state_context *c, struct store_engine *engine)
{
    enum err e = engine->ops->clear(engine);

    if (e == ERR_CONFLICT)
        return state_explain(c->problem, e,
                             "the database of store.url_file has an import that is not finished, "
                             "and its process holds the lease: if that import was killed, the "
                             "lease ends by itself in a minute; then repeat");
    return e;
}

/* What an interrupted import left is removed; anything else stays, and is refused. */
MUST_CHECK static enum err server_empty(const struct state_context *c, struct store_engine *engine)
{
    struct examine_options options = state_examine_options(c, engine);
    struct examination x = {0};
    size_t nodes = 0;
    enum err e = engine->ops->nodes(engine, node_count, &nodes);

    options.known_size = 0;
    if (e != ERR_NONE || nodes == 0)
        return e;
    e = nodes == 1 ? examine(&options, &x) : ERR_NONE;
    if (e == ERR_NONE && x.faults[FAULT_NODE_UNFINISHED] == 0)
        e = not_empty(c, "the database of store.url_file");
    else if (e == ERR_NONE)
        e = left_clear(c, engine);
    bytes_wipe(&x, sizeof x);
    return e;
}

MUST_CHECK static enum err into_open(struct importing *x)
{
    const struct state_context *c = x->c;
    const bool file = c->engine == &store_sqlite;
    const struct engine_options options = {.address = file ? x->made : (const char *)c->url.data,
                                           .create = true};
    enum err e;

    if (file && access(c->database, F_OK) == 0)
        return not_empty(c, c->database);
    if (file)
        state_database_remove(x->made);
    e = c->engine->open(&options, &x->into);
    return e == ERR_NONE && !file ? server_empty(c, x->into) : e;
}

MUST_CHECK static enum err statement_require(const struct state_context *c)
{
    if (c->has_kept || c->command->accept_rollback)
        return ERR_NONE;
    return state_explain(c->problem, ERR_DENIED,
                         "an export may be older than the last state, and importing it is then a "
                         "rollback: give the newest checkpoint that you have with --kept FILE, or "
                         "say --accept-rollback. The log records it");
}

/* Says why, for the errors of a file. */
MUST_CHECK static enum err file_problem(const struct state_context *c, enum err e)
{
    const char *path = c->command->file;

    if (*c->problem->text)
        return e;
    if (e == ERR_CRYPTO || e == ERR_MALFORMED)
        return state_explain(c->problem, e,
                             "%s is not an export that a keystore with this root wrote, or it was "
                             "changed or cut",
                             path);
    if (e == ERR_NOT_FOUND)
        return state_explain(c->problem, e, "%s was written under an epoch that the root has not",
                             path);
    return state_explain(c->problem, e, "%s cannot be imported: %s", path, err_text(e));
}

enum err state_import(struct state_context *c, int *status)
{
    struct importing *x = calloc(1, sizeof *x);
    FILE *file = NULL;
    enum err e = x ? statement_require(c) : ERR_MEMORY;

    *status = 0;
    if (e != ERR_NONE)
        goto out;
    x->c = c;
    (void)snprintf(x->made, sizeof x->made, "%s/" STATE_LOG_FILE ".imported",
                   c->settings->state.dir);
    (void)snprintf(x->left, sizeof x->left, "%s/" STATE_LOG_FILE ".before-import-%lld",
                   c->settings->state.dir, (long long)timestamp_seconds(c->now));
    file = fopen(c->command->file, "re");
    if (!file) {
        e = state_explain(c->problem, ERR_IO, "%s cannot be opened: %s", c->command->file,
                          strerror(errno));
        goto out;
    }
    e = into_open(x);
    if (e == ERR_NONE)
        e = import_from(x, file);
    builder_free(&x->builder);
    if (x->into)
        x->into->ops->close(&x->into);
    if (c->engine == &store_sqlite)
        e = e == ERR_NONE ? state_database_replace(c, x->made, x->left) : e;
    if (e == ERR_NONE)
        result_print(c, "Imported", x->begin.size, &x->counts);
    else if (c->engine == &store_sqlite)
        state_database_remove(x->made);
    if (e != ERR_NONE)
        e = file_problem(c, e);
out:
    if (file)
        (void)fclose(file);
    free(x);
    return e;
}
