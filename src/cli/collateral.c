/* vouchsafe collateral fetch, import, export, show. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vouchsafe/collateral.h>

#include "cli.h"

#define QUOTE_MAX (64u * 1024)

struct job {
    const char *trust_root, *quote, *out, *pccs, *pcs, *kds, *source_ca, *update;
    bool early;
    struct cli_number evaluation_number;
    struct vs_verifier *roots;
    struct cli_json json;
    const struct cli *cli;
    bool listing; /* the list has begun, so a failure becomes a member of it */
    size_t count, refused;
    /* export: names, while the list is read */
    size_t name_count, name_capacity;
    char (*names)[VS_COLLATERAL_NAME_SIZE];
};

#define ROOT_OPTION(j)                                                                             \
    {                                                                                              \
        "trust-root", OPTION_TEXT, &(j).trust_root, "PEM",                                         \
            "also trust this simulated root (vendors' roots are built in)", 0                      \
    }
#define OUT_OPTION(j, help)                                                                        \
    {                                                                                              \
        "out", OPTION_TEXT, &(j).out, "DIR", help, 0                                               \
    }

static int open_roots(const struct cli *cli, struct job *j)
{
    enum vs_error e = vs_verifier_new(0, &j->roots);

    j->cli = cli;
    if (e != VS_OK)
        return fail(cli, e, "%s", vs_error_text(e));
    return add_root(cli, j->trust_root, j->roots);
}

static void item_json(struct job *j, const struct vs_collateral_item *item)
{
    char text[32];

    json_open(&j->json, NULL, '{');
    json_text(&j->json, "name", item->name);
    json_text(&j->json, "kind", item->kind);
    json_text(&j->json, "source", item->source);
    json_text(&j->json, "result", item->result);
    if (item->issued != 0) {
        time_text(item->issued, text);
        json_text(&j->json, "issued", text);
    }
    if (item->expires != 0) {
        time_text(item->expires, text);
        json_text(&j->json, "expires", text);
        json_number(&j->json, "days_left", (item->expires - (int64_t)time(NULL)) / 86400);
    }
    if (item->evaluation_number != 0)
        json_number(&j->json, "evaluation_number", item->evaluation_number);
    json_close(&j->json, '}');
}

static void date(int64_t seconds, char out[32])
{
    if (seconds == 0)
        memcpy(out, "-", sizeof "-");
    else
        time_text(seconds, out);
    out[10 < strlen(out) ? 10 : strlen(out)] = '\0'; /* the day is enough */
}

static void put_line(struct job *j, const struct vs_collateral_item *item)
{
    char issued[32];
    char expires[32];
    char number[16] = "-";
    char days[24] = "-";

    if (strcmp(item->result, "good") != 0) {
        say(stdout, "%s: not taken: %s (%s)\n", *item->name ? item->name : item->source, item->text,
            item->result);
        return;
    }
    if (j->count == 0)
        say(stdout, "%-10s  %-10s  %4s  %9s  %s\n", "ISSUED", "EXPIRES", "EVAL", "DAYS LEFT",
            "NAME, SOURCE");
    date(item->issued, issued);
    date(item->expires, expires);
    if (item->evaluation_number != 0)
        (void)snprintf(number, sizeof number, "%u", (unsigned)item->evaluation_number);
    if (item->expires != 0)
        (void)snprintf(days, sizeof days, "%lld",
                       (long long)((item->expires - (int64_t)time(NULL)) / 86400));
    say(stdout, "%-10s  %-10s  %4s  %9s  %s, %s\n", issued, expires, number, days, item->name,
        item->source);
}

static void list_open(struct job *j)
{
    if (j->listing)
        return;
    j->listing = true;
    if (j->cli->json) {
        json_open(&j->json, NULL, '{');
        json_open(&j->json, "items", '[');
    }
}

static void each(void *context, const struct vs_collateral_item *item)
{
    struct job *j = context;

    list_open(j);
    if (j->cli->json)
        item_json(j, item);
    else
        put_line(j, item);
    if (strcmp(item->result, "good") == 0)
        j->count++;
    else
        j->refused++;
}

/* About `name`, or about all items when that is "". Always prints one document on standard
 * output. */
static int list_fail(struct job *j, const struct vs_client *c, enum vs_error e, const char *name,
                     const char *text)
{
    if (!j->cli->json || !j->listing)
        return c != NULL ? fail_client(j->cli, c, e)
                         : fail(j->cli, e, "%s%s%s", name, name[0] != '\0' ? ": " : "", text);
    json_open(&j->json, NULL, '{');
    json_text(&j->json, "name", name);
    json_text(&j->json, "result", vs_error_code(e));
    json_text(&j->json, "text", c != NULL ? vs_client_why(c) : text);
    json_close(&j->json, '}');
    return exit_code_of(e);
}

/* Prints an empty list unless there was other output. `code` is the result. */
static void list_close(struct job *j, int code)
{
    if (code == EXIT_DONE)
        list_open(j);
    if (!j->cli->json || !j->listing)
        return;
    json_close(&j->json, ']');
    json_close(&j->json, '}');
    json_end();
}

/* ---- fetch ---- */

static int fetch_names(struct job *j, const char *const *names, size_t count)
{
    const struct vs_collateral_source from = {.pccs_url = j->pccs,
                                              .pcs_url = j->pcs,
                                              .kds_url = j->kds,
                                              .ca_file = j->source_ca,
                                              .timeout_s = (unsigned)j->cli->timeout_s.value,
                                              .early = j->early,
                                              .evaluation_number =
                                                  (uint32_t)j->evaluation_number.value};
    int code = EXIT_DONE;

    for (size_t i = 0; i < count; i++) {
        struct vs_why why = {{0}};
        enum vs_error e = vs_collateral_fetch(j->roots, &from, names[i], j->out, each, j, &why);

        if (e != VS_OK) {
            list_open(j); /* the next ones follow */
            code = list_fail(j, NULL, e, names[i], why.text);
        }
    }
    return code;
}

static int fetch_for_quote(struct job *j)
{
    char names[VS_COLLATERAL_NAMES_MAX][VS_COLLATERAL_NAME_SIZE];
    const char *list[VS_COLLATERAL_NAMES_MAX];
    struct vs_blob text = {0};
    struct vs_blob evidence = {0};
    struct vs_why why = {0};
    size_t count = 0;
    enum vs_error e = VS_OK;
    int code = read_file(j->cli, j->quote, 2 * QUOTE_MAX, &text);

    if (code == PARSED)
        e = vs_evidence_read((struct vs_bytes){text.data, text.size}, &evidence, &why);
    if (code == PARSED && e == VS_ERR_MALFORMED)
        code = cli_usage_error(j->cli, "%s holds no evidence: %s", j->quote, why.text);
    if (code == PARSED &&
        (e != VS_OK ||
         (e = vs_collateral_names(j->roots, (struct vs_bytes){evidence.data, evidence.size}, names,
                                  &count, &why)) != VS_OK))
        code = fail(j->cli, e, "%s does not say what collateral it needs: %s", j->quote, why.text);
    for (size_t i = 0; i < count; i++)
        list[i] = names[i];
    if (code == PARSED) {
        code = fetch_names(j, list, count);
        if (why.text[0] != '\0')
            note(j->cli, "%s", why.text);
    }
    vs_blob_clear(&text);
    vs_blob_clear(&evidence);
    return code;
}

static int run_fetch(struct cli *cli, int argc, char **argv)
{
    struct job j = {0};
    const struct cli_option options[] = {
        OUT_OPTION(j, "where to put it (default .)"),
        {"quote",                 OPTION_TEXT,   &j.quote,             "FILE", "fetch what this evidence needs",                0         },
        {"pccs",                  OPTION_TEXT,   &j.pccs,              "URL",  "Intel's collateral from this caching service",  0         },
        {"pcs",                   OPTION_TEXT,   &j.pcs,               "URL",  "... or from this stand-in for Intel's service", 0         },
        {"kds",                   OPTION_TEXT,   &j.kds,               "URL",  "stand-in for AMD's service",                    0         },
        {"update",                OPTION_TEXT,   &j.update,            "NAME", "Intel's set: standard (default) or early",      0         },
        {"tcb-evaluation-number", OPTION_NUMBER, &j.evaluation_number, "N",
                                            "Intel's set with this tcbEvaluationDataNumber",                                                                       UINT32_MAX},
        {"source-ca",             OPTION_TEXT,   &j.source_ca,         "PEM",  "CA of these services' TLS certificates",
                                            0                                                                                                                                },
        ROOT_OPTION(j),
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = cli_parse_update(cli, j.update, &j.early)) != PARSED)
        return code;
    if (j.evaluation_number.set && (j.update != NULL || j.evaluation_number.value == 0))
        return cli_usage_error(cli,
                               "--tcb-evaluation-number takes a number from 1, and no --update "
                               "beside it: the number names the set");
    if ((j.quote == NULL) == (cli->count == 0))
        return cli_usage_error(cli, "name what to fetch, or give --quote");
    if (j.out == NULL)
        j.out = ".";
    if (j.source_ca != NULL && (code = check_trusted(cli, j.source_ca)) != PARSED)
        return code;
    if ((code = open_roots(cli, &j)) == PARSED) {
        code = j.quote != NULL
                   ? fetch_for_quote(&j)
                   : fetch_names(&j, (const char *const *)cli->arguments, (size_t)cli->count);
        list_close(&j, code);
    }
    vs_verifier_free(&j.roots);
    return code;
}

/* ---- import ---- */

static int run_import(struct cli *cli, int argc, char **argv)
{
    struct job j = {0};
    const struct cli_option options[] = {
        OUT_OPTION(j, "the keystore's directory, such as STATE/collateral (required)"),
        ROOT_OPTION(j),
    };
    struct vs_why why = {{0}};
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (j.out == NULL)
        return cli_usage_error(cli, "--out is missing");
    if ((code = open_roots(cli, &j)) == PARSED) {
        e = vs_collateral_import(j.roots, cli->arguments[0], j.out, each, &j, &why);
        code = e != VS_OK ? list_fail(&j, NULL, e, "", why.text) : EXIT_DONE;
        list_close(&j, code);
    }
    vs_verifier_free(&j.roots);
    return code;
}

/* ---- export ---- */

static void keep_name(void *context, const struct vs_collateral_item *item)
{
    struct job *j = context;

    if (j->name_count == j->name_capacity) {
        size_t capacity = j->name_capacity * 2 + 16;
        void *grown = realloc(j->names, capacity * sizeof *j->names);

        if (grown == NULL)
            return;
        j->names = grown;
        j->name_capacity = capacity;
    }
    (void)snprintf(j->names[j->name_count++], VS_COLLATERAL_NAME_SIZE, "%s", item->name);
}

static int export_one(struct job *j, struct vs_client *c, const char *name)
{
    struct vs_blob document = {0};
    struct vs_why why = {{0}};
    enum vs_error e = vs_collateral_get(c, name, &document);
    int code = EXIT_DONE;

    if (e != VS_OK)
        code = list_fail(j, c, e, name, "");
    else if ((e = vs_collateral_save(j->roots, (struct vs_bytes){document.data, document.size},
                                     j->out, each, j, &why)) != VS_OK)
        code = list_fail(j, NULL, e, name, why.text);
    vs_blob_clear(&document);
    return code;
}

static int run_export(struct cli *cli, int argc, char **argv)
{
    struct job j = {0};
    const struct cli_option options[] = {
        OUT_OPTION(j, "where to put it (required)"),
        ROOT_OPTION(j),
    };
    struct vs_client *c = NULL;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (j.out == NULL)
        return cli_usage_error(cli, "--out is missing");
    if ((code = open_roots(cli, &j)) != PARSED || (code = open_client(cli, &c)) != PARSED)
        goto out;
    code = EXIT_DONE;
    e = vs_collateral_held(c, keep_name, &j);
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
        goto out;
    }
    list_open(&j);
    for (size_t i = 0; i < j.name_count; i++) {
        int one = export_one(&j, c, j.names[i]);

        code = one != EXIT_DONE ? one : code;
    }
    list_close(&j, code);
out:
    free(j.names);
    vs_client_free(&c);
    vs_verifier_free(&j.roots);
    return code;
}

/* ---- show ---- */

static int run_show(struct cli *cli, int argc, char **argv)
{
    struct job j = {0};
    const struct cli_option options[] = {ROOT_OPTION(j)};
    struct vs_client *c = NULL;
    struct vs_why why = {{0}};
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if ((code = open_roots(cli, &j)) != PARSED ||
        (cli->count == 0 && (code = open_client(cli, &c)) != PARSED))
        goto out;
    e = cli->count > 0 ? vs_collateral_list(j.roots, cli->arguments[0], each, &j, &why)
                       : vs_collateral_held(c, each, &j);
    code = j.refused > 0 ? EXIT_REFUSED : EXIT_DONE;
    if (e != VS_OK)
        code = list_fail(&j, cli->count > 0 ? NULL : c, e, "", why.text);
    list_close(&j, code);
out:
    vs_client_free(&c);
    vs_verifier_free(&j.roots);
    return code;
}

const struct cli_command command_collateral_fetch = {
    .name = "collateral fetch",
    .arguments = "[NAME]...",
    .summary = "fetch collateral from the vendors, without a keystore",
    .help =
        "Fetches collateral from Intel or AMD (or where --pccs, --pcs, --kds say), verifies it\n"
        "and writes DIR/NAME.json: a bundle for machines without a network. Names are\n"
        "intel-<sgx|tdx>-<fmspc>-<platform|processor>, amd-<milan|genoa|turin>, vcek-...;\n"
        "--quote finds them in a piece of evidence. An older one never replaces a newer one.\n\n"
        "Intel publishes new TCB levels in its early set first, and in the standard set months\n"
        "later. --update early fetches the early set, --tcb-evaluation-number the set with that\n"
        "number. The names of both end in -early. A keystore holds them beside the standard set\n"
        "and uses them for previews only (`vouchsafe attest explain --update early`).\n\n"
        "Examples:\n"
        "  vouchsafe collateral fetch --out bundle --quote quote.bin\n"
        "  vouchsafe collateral fetch --out bundle intel-tdx-90c06f000000-platform amd-milan\n"
        "  vouchsafe collateral fetch --out bundle --quote quote.bin --update early\n",
    .arguments_max = CLI_LIST_MAX,
    .run = run_fetch,
};

const struct cli_command command_collateral_import = {
    .name = "collateral import",
    .arguments = "PATH",
    .summary = "verify collateral in files and put it where the keystore reads it",
    .help =
        "Reads a directory or file, verifies the collateral in it, and writes DIR/NAME.json for\n"
        "each good item. A newer item in DIR stays. The keystore reads the directory `collateral`\n"
        "in its state directory within a minute, or at once on SIGHUP.\n"
        "\n"
        "Example:\n"
        "  vouchsafe collateral import bundle --out /var/lib/vouchsafe/collateral\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run_import,
};

const struct cli_command command_collateral_export = {
    .name = "collateral export",
    .arguments = "",
    .summary = "write the collateral that a keystore holds",
    .help = "Fetches all collateral that a keystore holds, verifies it and writes DIR/NAME.json. "
            "Needs\n"
            "a token of any role.\n"
            "\n"
            "Example:\n"
            "  vouchsafe collateral export --token-file auditor.token --out bundle\n",
    .run = run_export,
};

const struct cli_command command_collateral_show = {
    .name = "collateral show",
    .arguments = "[PATH]",
    .summary = "list collateral with its dates",
    .help =
        "Lists the collateral of a keystore, or of a directory or file, with its issue date, end,\n"
        "tcbEvaluationDataNumber, days left, name and source. Collateral in PATH is verified. The\n"
        "exit code is 1 when something in PATH does not verify.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe collateral show --token-file auditor.token\n"
        "  vouchsafe collateral show bundle --json\n",
    .arguments_max = 1,
    .run = run_show,
};
