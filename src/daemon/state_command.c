#include "daemon/state_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "codec/json.h"
#include "daemon/state_inside.h"
#include "service/keyring.h"
#include "service/outcome.h"
#include "tee/tee.h"

enum err state_explain(struct state_problem *problem, enum err e, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is above */
    (void)vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return e;
}

/* "process 123 (vouchsafed)", from the lock file that the process wrote. */
static void holder_name(const char *database, char *out, size_t size)
{
    char path[STATE_PATH_SIZE + 8], number[32] = "", comm[64] = "";
    struct buffer text = {0};
    long pid;

    (void)snprintf(path, sizeof path, "%s.lock", database);
    if (file_read(path, sizeof number - 1, &text) == ERR_NONE)
        (void)snprintf(number, sizeof number, "%.*s", (int)text.size, (const char *)text.data);
    buffer_clear(&text);
    pid = strtol(number, NULL, 10);
    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    if (pid > 0 && file_read(path, sizeof comm - 1, &text) == ERR_NONE && text.size > 0)
        (void)snprintf(comm, sizeof comm, " (%.*s)", (int)text.size - 1, (const char *)text.data);
    buffer_clear(&text);
    if (pid > 0)
        (void)snprintf(out, size, "process %ld%s", pid, comm);
    else
        (void)snprintf(out, size, "another process");
}

MUST_CHECK static enum err server_inspect(const struct state_context *c, struct store_engine **out)
{
    const struct engine_options options = {.address = (const char *)c->url.data, .inspect = true};
    enum err e = store_postgres.open(&options, out);

    return e == ERR_NONE ? e
                         : state_explain(c->problem, e,
                                         "the PostgreSQL database of store.url_file does not open: "
                                         "%s",
                                         err_text(e));
}

enum err state_inspect(const struct state_context *c, const char *path, struct store_engine **out)
{
    const struct engine_options options = {.address = path ? path : c->database, .inspect = true};
    char holder[128];
    enum err e;

    if (!path && c->engine == &store_postgres)
        return server_inspect(c, out);
    path = options.address;
    e = store_sqlite.open(&options, out);
    if (e == ERR_CONFLICT) {
        holder_name(path, holder, sizeof holder);
        return state_explain(
            c->problem, e, "%s is in use by %s: stop the daemon first, then repeat", path, holder);
    }
    if (e == ERR_NOT_FOUND || (e != ERR_NONE && access(path, F_OK) != 0))
        return state_explain(c->problem, ERR_NOT_FOUND,
                             "%s does not exist: restore it from a backup, import an export with "
                             "`vouchsafe state import`, or start a new log for the same root with "
                             "`vouchsafe init --new-log`",
                             path);
    if (e != ERR_NONE)
        return state_explain(c->problem, e, "%s does not open: %s", path, err_text(e));
    return ERR_NONE;
}

struct examine_options state_examine_options(const struct state_context *c,
                                             struct store_engine *engine)
{
    struct examine_options o = {
        .engine = engine,
        .keys = keyring_store_keys_of(c->keys),
        .origin = c->settings->store.origin,
        .node = c->node,
    };

    if (c->has_kept) {
        o.known_size = c->kept.size;
        o.known_root = c->kept.root;
    }
    return o;
}

enum err state_entry_write(const struct state_context *c, struct span op, struct span detail,
                           struct buffer *out)
{
    const bool simulated = c->settings->tee.provider == TEE_PROVIDER_SIMULATED;
    struct outcome outcome = {0};
    char id[REQUEST_ID_SIZE];
    enum err e;

    request_id_write(c->now, id);
    e = outcome_event(&outcome, simulated, op, detail, SPAN_OF(id), c->now);
    if (e == ERR_NONE)
        e = buffer_append(out, buffer_span(&outcome.entry));
    outcome_clear(&outcome);
    return e;
}

/* ---- files ---- */

enum { SUFFIXES = 4 };
static const char *const suffixes[SUFFIXES] = {"", "-wal", "-shm", ".lock"};

void state_database_remove(const char *path)
{
    char file[STATE_PATH_SIZE + 16];

    for (size_t i = 0; i < SUFFIXES; i++) {
        (void)snprintf(file, sizeof file, "%s%s", path, suffixes[i]);
        (void)unlink(file);
    }
}

MUST_CHECK static enum err directory_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e = fd >= 0 && fsync(fd) == 0 ? ERR_NONE : ERR_IO;

    if (fd >= 0)
        (void)close(fd);
    return e;
}

MUST_CHECK static enum err move(const struct state_context *c, const char *from, const char *to)
{
    if (rename(from, to) == 0 || errno == ENOENT)
        return ERR_NONE;
    return state_explain(c->problem, ERR_IO, "%s cannot be renamed to %s: %s", from, to,
                         strerror(errno));
}

/*
 * The write-ahead log goes first: it must never be next to another database, and a database
 * without it is refused by the start.
 */
enum err state_database_replace(const struct state_context *c, const char *made, const char *copy)
{
    char from[STATE_PATH_SIZE + 16], to[STATE_PATH_SIZE + 16];
    enum err e = ERR_NONE;

    if (access(c->database, F_OK) == 0 && link(c->database, copy) != 0)
        return state_explain(c->problem, ERR_IO, "%s cannot be kept as %s: %s", c->database, copy,
                             strerror(errno));
    (void)snprintf(from, sizeof from, "%s-wal", c->database);
    (void)snprintf(to, sizeof to, "%s-wal", copy);
    e = move(c, from, to);
    (void)snprintf(from, sizeof from, "%s-shm", c->database);
    (void)unlink(from);
    if (e == ERR_NONE && directory_sync(c->settings->state.dir) != ERR_NONE)
        e = state_explain(c->problem, ERR_IO, "%s cannot be synced", c->settings->state.dir);
    if (e == ERR_NONE)
        e = move(c, made, c->database);
    if (e == ERR_NONE && directory_sync(c->settings->state.dir) != ERR_NONE)
        e = state_explain(c->problem, ERR_IO, "%s cannot be synced", c->settings->state.dir);
    if (e == ERR_NONE)
        state_database_remove(made); /* its lock file */
    return e;
}

/* ---- check ---- */

MUST_CHECK static enum err mode_report(struct state_report *r, struct examination *x,
                                       const char *path, const char *why)
{
    char text[STATE_PATH_SIZE + FILE_WHY_SIZE];
    const struct fault fault = {.kind = FAULT_MODE, .text = text};

    (void)snprintf(text, sizeof text, "%s: %s", path, why);
    x->faults[FAULT_MODE]++;
    x->fault_count++;
    return state_report_fault(r, &fault);
}

/* The directory and the sealed root; the engine looks at its own files. */
MUST_CHECK static enum err files_check(const struct state_context *c, struct state_report *r,
                                       struct examination *x)
{
    char why[FILE_WHY_SIZE] = "";
    char path[STATE_PATH_SIZE];
    int fd = -1;
    enum err e = ERR_NONE;

    if (directory_check_trusted(c->settings->state.dir, why) != ERR_NONE)
        e = mode_report(r, x, c->settings->state.dir, why);
    (void)snprintf(path, sizeof path, "%s/%s", c->settings->state.dir, STATE_ROOT_FILE);
    if (e == ERR_NONE && file_open_trusted(path, FILE_STATE, &fd, why) != ERR_NONE)
        e = mode_report(r, x, path, why);
    if (fd >= 0)
        (void)close(fd);
    return e;
}

MUST_CHECK static enum err state_check(struct state_context *c, int *status)
{
    struct state_report report = {.file = c->out, .json = c->command->json};
    struct store_engine *engine = NULL;
    struct examine_options options;
    struct examination x = {0};
    struct repair_plan plan;
    enum err e = state_inspect(c, NULL, &engine);

    if (e != ERR_NONE)
        return e;
    options = state_examine_options(c, engine);
    options.each = state_report_fault;
    options.context = &report;
    state_report_begin(&report);
    e = examine(&options, &x);
    if (e == ERR_NONE) {
        repair_plan(&x, &plan); /* of the database: modes of files are the operator's */
        e = files_check(c, &report, &x);
    }
    if (e == ERR_NONE) {
        const struct state_report_end end = {.examination = &x, .plan = &plan};

        state_report_end(&report, &end);
        *status = x.fault_count == 0 ? 0 : STATE_FAULTY;
    } else {
        e = state_explain(c->problem, e, "%s cannot be examined to its end: %s", c->database,
                          e == ERR_UNSUPPORTED
                              ? "its tables are of another release. The first start of a newer "
                                "release brings an older database up to date"
                              : err_text(e));
    }
    bytes_wipe(&x, sizeof x);
    engine->ops->close(&engine);
    return e;
}

/* ---- all ---- */

static const struct {
    const char *verb;
    bool takes_file;
    MUST_CHECK enum err (*run)(struct state_context *c, int *status);
} verbs[] = {
    {"check",  false, state_check },
    {"repair", false, state_repair},
    {"export", true,  state_export},
    {"import", true,  state_import},
};

bool state_command_known(const char *verb)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verb, verbs[i].verb) == 0)
            return true;
    return false;
}

bool state_origin_fits(const struct state_context *c, const char *origin)
{
    const size_t size = strlen(c->settings->log.origin);

    return strncmp(origin, c->settings->log.origin, size) == 0 &&
           (origin[size] == '\0' || origin[size] == '/');
}

/* The first line of a checkpoint. */
MUST_CHECK static enum err origin_of(struct span note, char out[STORE_ORIGIN_MAX + 1])
{
    const uint8_t *end = note.size > 0 ? memchr(note.data, '\n', note.size) : NULL;

    return end ? span_to_string(span_of(note.data, (size_t)(end - note.data)), out,
                                STORE_ORIGIN_MAX + 1)
               : ERR_MALFORMED;
}

MUST_CHECK static enum err kept_load(struct state_context *c)
{
    char origin[STORE_ORIGIN_MAX + 1] = "";
    struct buffer note = {0};
    enum err e;

    if (!c->command->kept)
        return ERR_NONE;
    e = file_read(c->command->kept, CHECKPOINT_TEXT_MAX, &note);
    if (e != ERR_NONE)
        e = state_explain(c->problem, e, "%s (--kept) cannot be read: %s", c->command->kept,
                          err_text(e));
    else if ((e = origin_of(buffer_span(&note), origin)) != ERR_NONE ||
             (e = state_origin_fits(c, origin) ? ERR_NONE : ERR_MALFORMED) != ERR_NONE ||
             (e = checkpoint_verify(buffer_span(&note), origin, c->public_key, &c->kept)) !=
                 ERR_NONE)
        e = state_explain(c->problem, e,
                          "%s (--kept) is not a checkpoint of %s that this root's log key signed",
                          c->command->kept, c->settings->log.origin);
    c->has_kept = e == ERR_NONE;
    buffer_clear(&note);
    return e;
}

bool state_command_takes_file(const char *verb)
{
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verb, verbs[i].verb) == 0)
            return verbs[i].takes_file;
    return false;
}

MUST_CHECK static enum err context_open(struct state_context *c)
{
    const struct settings *s = c->settings;
    enum err e;

    (void)snprintf(c->database, sizeof c->database, "%s/%s", s->state.dir, STATE_LOG_FILE);
    c->engine = &store_sqlite;
    c->node = 1;
    if (s->store.engine == DATABASE_POSTGRES) {
        c->engine = &store_postgres;
        c->node = s->store.node;
        if ((e = state_url_read(s, &c->url, c->problem)) != ERR_NONE)
            return e;
    }
    if ((e = state_tee_open(s, &c->tee, c->problem)) != ERR_NONE ||
        (e = state_root_open(s, c->tee, &c->root, c->problem)) != ERR_NONE)
        return e;
    e = keyring_log_seed(c->root, &c->seed);
    if (e == ERR_NONE)
        e = keyring_store_keys(c->root, &c->keys);
    if (e != ERR_NONE)
        return e;
    ed25519_public(secret_span(c->seed).data, c->public_key);
    return kept_load(c);
}

/* With an error: why, as JSON; the text form is the caller's. */
static void error_write(const struct state_context *c, enum err e)
{
    char text[8 * sizeof c->problem->text];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_bool(&j, "ok", false);
    json_put_string(&j, "error", span_string(*c->problem->text ? c->problem->text : err_text(e)));
    json_close_object(&j);
    if (writer_finish(&w, NULL) == ERR_NONE)
        (void)printf("%.*s\n", (int)w.size, text);
}

MUST_CHECK static enum err verb_run(struct state_context *c, int *status)
{
    enum err e = context_open(c);

    for (size_t i = 0; e == ERR_NONE && i < COUNT_OF(verbs); i++)
        if (strcmp(c->command->verb, verbs[i].verb) == 0)
            e = verbs[i].run(c, status);
    return e;
}

enum err state_command_run(const struct settings *s, const struct state_command *command,
                           struct timestamp now, int *status, struct state_problem *problem)
{
    struct state_context *c = calloc(1, sizeof *c);
    char *text = NULL;
    size_t size = 0;
    enum err e;

    if (!c)
        return ERR_MEMORY;
    c->settings = s;
    c->command = command;
    c->now = now;
    c->problem = problem;
    c->out = open_memstream(&text, &size);
    e = c->out ? verb_run(c, status) : ERR_MEMORY;
    if (c->out && fclose(c->out) != 0)
        e = ERR_MEMORY;
    if (e != ERR_NONE && command->json)
        error_write(c, e);
    /* what was found is said, also when the repair is refused then */
    else if ((e == ERR_NONE || !command->json) && text)
        (void)fwrite(text, 1, size, stdout);
    if (fflush(stdout) != 0 && e == ERR_NONE)
        e = state_explain(problem, ERR_IO, "standard output: %s", strerror(errno));
    free(text);
    buffer_clear(&c->url);
    secret_free(&c->keys);
    secret_free(&c->seed);
    root_free(&c->root);
    tee_close(&c->tee);
    free(c);
    return e;
}
