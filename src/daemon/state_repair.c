/* `vouchsafed state repair`: a whole database takes the place of the damaged one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "codec/json.h"
#include "daemon/state_inside.h"

enum { LINE_SIZE = 2 * STORE_SEALED_MAX + 1024 };

struct repairing {
    struct state_context *c;
    struct store_engine *engine;
    struct examine_options options;
    struct examination x;
    struct repair_plan plan;
    unsigned accepted;
    char made[STATE_PATH_SIZE], copy[STATE_PATH_SIZE], aside[STATE_PATH_SIZE];
    FILE *aside_file; /* opened when there is something to set aside */
    char *line;
};

/* The list of --give-up. */
MUST_CHECK static enum err losses_read(const struct state_context *c, unsigned *out)
{
    const char *at = c->command->give_up ? c->command->give_up : "";

    while (*at) {
        const size_t size = strcspn(at, ",");
        enum repair_loss loss = 0;

        while (loss < REPAIR_LOSS_COUNT &&
               !span_equal_string(span_of(at, size), repair_loss_word(loss)))
            loss++;
        if (loss == REPAIR_LOSS_COUNT)
            return state_explain(c->problem, ERR_MALFORMED,
                                 "--give-up: \"%.*s\" is unknown; known are rows, proof, log and "
                                 "newest, separated by commas",
                                 (int)size, at);
        *out |= 1u << loss;
        at += size + (at[size] == ',');
    }
    return ERR_NONE;
}

/* One line of JSON for each row. */
MUST_CHECK static enum err set_aside(void *context, const struct stored_row *row)
{
    struct repairing *r = context;
    struct writer w;
    struct json_writer j;
    int fd;

    if (!r->aside_file) {
        fd = open(r->aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        r->aside_file = fd < 0 ? NULL : fdopen(fd, "w");
        r->line = malloc(LINE_SIZE);
        if (!r->aside_file || !r->line)
            return state_explain(r->c->problem, ERR_IO, "%s cannot be made: %s", r->aside,
                                 strerror(errno));
    }
    w = writer_over(r->line, LINE_SIZE);
    j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_int(&j, "table", row->key.table);
    json_put_hex(&j, "row", SPAN_OF(row->key.id));
    json_put_int(&j, "version", (int64_t)row->version);
    if (row->has_lookup)
        json_put_hex(&j, "lookup", SPAN_OF(row->lookup));
    json_put_int(&j, "sealed_size", (int64_t)row->sealed.size);
    json_put_base64(&j, "sealed",
                    span_of(row->sealed.data, row->sealed.size > STORE_SEALED_MAX
                                                  ? STORE_SEALED_MAX
                                                  : row->sealed.size));
    json_close_object(&j);
    writer_u8(&w, '\n');
    if (writer_finish(&w, NULL) != ERR_NONE || fwrite(r->line, 1, w.size, r->aside_file) != w.size)
        return state_explain(r->c->problem, ERR_IO, "%s cannot be written", r->aside);
    return ERR_NONE;
}

MUST_CHECK static enum err aside_close(struct repairing *r)
{
    enum err e = ERR_NONE;

    if (r->aside_file && (fflush(r->aside_file) != 0 || fsync(fileno(r->aside_file)) != 0))
        e = state_explain(r->c->problem, ERR_IO, "%s cannot be written: %s", r->aside,
                          strerror(errno));
    if (r->aside_file)
        (void)fclose(r->aside_file);
    r->aside_file = NULL;
    return e;
}

/* Says what was given up, and where the old log ended. */
MUST_CHECK static enum err entry_write(void *context, const struct repair_result *result,
                                       struct buffer *out)
{
    struct repairing *r = context;
    const struct node_state *state = &r->x.state;
    char text[1024];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);
    struct merkle_hash root;

    json_open_object(&j, NULL);
    json_open_array(&j, "given_up");
    for (enum repair_loss loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (r->plan.losses >> loss & 1)
            json_put_string(&j, NULL, span_string(repair_loss_word(loss)));
    json_close_array(&j);
    json_put_int(&j, "faults", (int64_t)r->x.fault_count);
    json_put_int(&j, "rows_kept", (int64_t)result->rows_kept);
    json_put_int(&j, "rows_set_aside", (int64_t)result->rows_set_aside);
    if (r->plan.new_log && r->x.has_state) {
        merkle_root(&state->log, &root);
        json_open_object(&j, "old_log");
        json_put_int(&j, "size", (int64_t)state->log.size);
        json_put_base64(&j, "root", SPAN_OF(root.bytes));
        json_close_object(&j);
    }
    json_close_object(&j);
    return writer_finish(&w, NULL) == ERR_NONE
               ? state_entry_write(
                     r->c, r->plan.new_log ? SPAN_LITERAL("new-log") : SPAN_LITERAL("repair"),
                     span_of(text, w.size), out)
               : ERR_TOO_LARGE;
}

/* The new database must have no fault before it takes the place of the old one. */
MUST_CHECK static enum err made_verify(const struct repairing *r)
{
    struct store_engine *engine = NULL;
    struct examine_options options;
    struct examination x = {0};
    enum err e = state_inspect(r->c, r->made, &engine);

    if (e != ERR_NONE)
        return e;
    options = state_examine_options(r->c, engine);
    options.known_size = 0;
    e = examine(&options, &x);
    if (e == ERR_NONE && x.fault_count > 0)
        e = state_explain(r->c->problem, ERR_TAMPERED,
                          "the repaired database %s has faults; the old one is as it was", r->made);
    bytes_wipe(&x, sizeof x);
    engine->ops->close(&engine);
    return e;
}

MUST_CHECK static enum err make(struct repairing *r)
{
    const struct engine_options engine = {.address = r->made, .create = true};
    struct repair_options options = {
        .from = &r->options,
        .examination = &r->x,
        .plan = &r->plan,
        .accepted = r->accepted,
        .set_aside = set_aside,
        .entry = entry_write,
        .context = r,
    };
    struct repair_result result = {0};
    enum err e, closed;

    state_database_remove(r->made); /* of a repair that was interrupted */
    e = store_sqlite.open(&engine, &options.into);
    if (e == ERR_NONE)
        e = repair_run(&options, &result);
    store_sqlite.close(&options.into);
    closed = aside_close(r);
    if (e == ERR_NONE)
        e = closed;
    if (e == ERR_NONE)
        e = made_verify(r);
    if (e != ERR_NONE && !*r->c->problem->text)
        e = state_explain(r->c->problem, e, "%s cannot be made: %s", r->made, err_text(e));
    if (e == ERR_NONE)
        e = state_database_replace(r->c, r->made, r->copy);
    if (e != ERR_NONE)
        state_database_remove(r->made);
    return e;
}

/* What is missing in --give-up. */
MUST_CHECK static enum err losses_check(const struct repairing *r)
{
    const unsigned missing = r->plan.losses & ~r->accepted;

    for (enum repair_loss loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (missing >> loss & 1)
            return state_explain(r->c->problem, ERR_DENIED,
                                 "nothing was changed: repairing gives up %s. If that is right, "
                                 "add \"%s\" to --give-up",
                                 repair_loss_text(loss), repair_loss_word(loss));
    return ERR_NONE;
}

MUST_CHECK static enum err decide(struct repairing *r, struct state_report *report, int *status)
{
    struct state_report_end end = {.examination = &r->x, .plan = &r->plan};
    enum err e = ERR_NONE;

    *status = r->plan.needed ? STATE_FAULTY : 0;
    if (r->plan.needed && r->c->command->yes) {
        if (!r->plan.possible)
            e = state_explain(r->c->problem, ERR_CONFLICT, "this cannot be repaired: %s",
                              r->plan.why);
        if (e == ERR_NONE)
            e = losses_check(r);
        if (e == ERR_NONE)
            e = make(r);
        if (e == ERR_NONE) {
            end.repaired = r->c->database;
            end.copy = r->copy;
            end.set_aside = r->line ? r->aside : NULL;
            *status = 0;
        }
    }
    if (e == ERR_NONE)
        state_report_end(report, &end);
    return e;
}

enum err state_repair(struct state_context *c, int *status)
{
    struct state_report report = {.file = c->out, .json = c->command->json};
    struct repairing *r = calloc(1, sizeof *r);
    const long long seconds = (long long)timestamp_seconds(c->now);
    enum err e = r ? ERR_NONE : ERR_MEMORY;

    if (e == ERR_NONE) {
        r->c = c;
        (void)snprintf(r->made, sizeof r->made, "%s/" STATE_LOG_FILE ".repaired",
                       c->settings->state.dir);
        (void)snprintf(r->copy, sizeof r->copy, "%s/" STATE_LOG_FILE ".before-repair-%lld",
                       c->settings->state.dir, seconds);
        (void)snprintf(r->aside, sizeof r->aside, "%s/" STATE_LOG_FILE ".set-aside-%lld.jsonl",
                       c->settings->state.dir, seconds);
        e = losses_read(c, &r->accepted);
    }
    if (e == ERR_NONE && c->engine != &store_sqlite && c->command->yes)
        e = state_explain(c->problem, ERR_UNSUPPORTED,
                          "state repair changes SQLite databases only: restore the PostgreSQL "
                          "database from a backup, or import an export into an empty one");
    if (e == ERR_NONE)
        e = state_inspect(c, NULL, &r->engine);
    if (e == ERR_NONE) {
        r->options = state_examine_options(c, r->engine);
        r->options.each = state_report_fault;
        r->options.context = &report;
        state_report_begin(&report);
        e = examine(&r->options, &r->x);
    }
    if (e == ERR_NONE) {
        repair_plan(&r->x, &r->plan);
        e = decide(r, &report, status);
    }
    if (r) {
        if (r->engine)
            r->engine->ops->close(&r->engine);
        free(r->line);
        bytes_wipe(r, sizeof *r);
    }
    free(r);
    return e;
}
