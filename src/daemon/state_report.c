/* What `vouchsafed state check` and `repair` print. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "codec/json.h"
#include "daemon/state_inside.h"

enum { LINE_SIZE = 4096 };

static const char *table_name(uint8_t table)
{
    static const char *const names[TABLE_END] = {
        [TABLE_COUNTER] = "counter", [TABLE_REFERENCE_VALUE] = "reference-value",
        [TABLE_KEY] = "key",         [TABLE_PRINCIPAL] = "principal",
        [TABLE_POLICY] = "policy",   [TABLE_FUNCTION] = "function",
    };

    return table < TABLE_END && names[table] ? names[table] : "unknown";
}

static bool is_of_row(enum fault_kind kind)
{
    return kind >= FAULT_ROW_EDITED && kind <= FAULT_ROW_OLDER;
}

static bool is_of_entries(enum fault_kind kind)
{
    return kind >= FAULT_ENTRY_MISSING;
}

static void print_text(FILE *file, const struct fault *f)
{
    char id[2 * STORE_HASH_SIZE + 1];

    (void)fprintf(file, "%s: %s", fault_code(f->kind), fault_text(f->kind));
    if (is_of_row(f->kind)) {
        hex_write(SPAN_OF(f->row.id), id);
        (void)fprintf(file, ": table %u (%s), row %s", (unsigned)f->row.table,
                      table_name(f->row.table), id);
        if (f->version != 0)
            (void)fprintf(file, ", version %" PRIu64, f->version);
        if (f->recorded != 0)
            (void)fprintf(file, ", recorded version %" PRIu64, f->recorded);
    } else if (is_of_entries(f->kind)) {
        (void)fprintf(file, ": entries %" PRId64 " to %" PRId64, (int64_t)f->first,
                      (int64_t)f->last);
    }
    if (f->text)
        (void)fprintf(file, ": %s", f->text);
    (void)fputc('\n', file);
}

static void put_json(struct json_writer *j, const struct fault *f)
{
    json_open_object(j, NULL);
    json_put_string(j, "code", span_string(fault_code(f->kind)));
    json_put_string(j, "text", span_string(fault_text(f->kind)));
    if (is_of_row(f->kind)) {
        json_put_int(j, "table", f->row.table);
        json_put_string(j, "table_name", span_string(table_name(f->row.table)));
        json_put_hex(j, "row", SPAN_OF(f->row.id));
        json_put_int(j, "version", (int64_t)f->version);
        json_put_int(j, "recorded_version", (int64_t)f->recorded);
    }
    if (is_of_entries(f->kind)) {
        json_put_int(j, "first", (int64_t)f->first);
        json_put_int(j, "last", (int64_t)f->last);
    }
    if (f->text)
        json_put_string(j, "detail", span_of(f->text, strnlen(f->text, LINE_SIZE / 8)));
    json_close_object(j);
}

enum err state_report_fault(void *context, const struct fault *fault)
{
    struct state_report *r = context;
    char line[LINE_SIZE];
    struct writer w = writer_over(line, sizeof line);
    struct json_writer j = json_writer_over(&w);

    if (!r->file)
        return ERR_NONE;
    if (!r->json) {
        print_text(r->file, fault);
        return ERR_NONE;
    }
    put_json(&j, fault);
    if (writer_finish(&w, NULL) == ERR_NONE)
        (void)fprintf(r->file, "%s%.*s", r->written > 0 ? "," : "", (int)w.size, line);
    r->written++;
    return ERR_NONE;
}

void state_report_begin(const struct state_report *r)
{
    if (r->json)
        (void)fputs("{\"faults\":[", r->file);
}

static void put_losses(struct json_writer *j, const struct repair_plan *plan)
{
    json_open_array(j, "give_up");
    for (enum repair_loss loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (plan->losses >> loss & 1)
            json_put_string(j, NULL, span_string(repair_loss_word(loss)));
    json_close_array(j);
}

static void end_json(FILE *file, const struct state_report_end *end)
{
    const struct examination *x = end->examination;
    char text[LINE_SIZE];
    struct writer w = writer_over(text, sizeof text);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    json_put_bool(&j, "ok", x->fault_count == 0 || end->repaired);
    json_put_int(&j, "rows", (int64_t)x->rows);
    json_put_int(&j, "entries", (int64_t)x->entries);
    if (x->has_state)
        json_put_int(&j, "log_size", (int64_t)x->state.log.size);
    if (end->plan && end->plan->needed) {
        json_open_object(&j, "repair");
        json_put_bool(&j, "possible", end->plan->possible);
        put_losses(&j, end->plan);
        json_put_bool(&j, "new_log", end->plan->new_log);
        if (end->plan->why)
            json_put_string(&j, "instead", span_string(end->plan->why));
        json_put_bool(&j, "done", end->repaired != NULL);
        if (end->copy)
            json_put_string(&j, "copy", span_string(end->copy));
        if (end->set_aside)
            json_put_string(&j, "set_aside", span_string(end->set_aside));
        json_close_object(&j);
    }
    json_close_object(&j);
    if (writer_finish(&w, NULL) == ERR_NONE) /* without the brace: the object is open already */
        (void)fprintf(file, "],%.*s\n", (int)w.size - 1, text + 1);
}

static void print_command(FILE *file, const struct repair_plan *plan)
{
    const char *before = " --give-up ";

    (void)fputs("  vouchsafe state repair", file);
    for (enum repair_loss loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (plan->losses >> loss & 1) {
            (void)fprintf(file, "%s%s", before, repair_loss_word(loss));
            before = ",";
        }
    (void)fputs(" --yes\n", file);
}

static void print_plan(FILE *file, const struct repair_plan *plan)
{
    if (!plan->possible) {
        (void)fprintf(file, "This cannot be repaired: %s.\n", plan->why);
        return;
    }
    (void)fputs("To repair this, run:\n", file);
    print_command(file, plan);
    (void)fputs(plan->losses ? "It gives up:\n" : "Nothing is lost.\n", file);
    for (enum repair_loss loss = 0; loss < REPAIR_LOSS_COUNT; loss++)
        if (plan->losses >> loss & 1)
            (void)fprintf(file, "  %-7s %s\n", repair_loss_word(loss), repair_loss_text(loss));
    if (plan->losses)
        (void)fputs("If there is a newer backup, restore that instead.\n", file);
}

static void end_text(FILE *file, const struct state_report_end *end)
{
    const struct examination *x = end->examination;

    if (x->fault_count == 0)
        (void)fprintf(file, "No fault: %" PRIu64 " rows, %" PRIu64 " entries of the log.\n",
                      x->rows, x->entries);
    else
        (void)fprintf(file,
                      "%zu fault%s. Found: %" PRIu64 " rows that open, %" PRIu64
                      " entries of the log.\n",
                      x->fault_count, x->fault_count == 1 ? "" : "s", x->rows, x->entries);
    if (end->repaired) {
        (void)fprintf(file, "Repaired: %s. The damaged database is kept as %s.\n", end->repaired,
                      end->copy);
        if (end->set_aside)
            (void)fprintf(file, "Rows that were set aside are in %s.\n", end->set_aside);
    } else if (end->plan && end->plan->needed) {
        print_plan(file, end->plan);
    }
}

void state_report_end(const struct state_report *r, const struct state_report_end *end)
{
    if (r->json)
        end_json(r->file, end);
    else
        end_text(r->file, end);
}
