/* vouchsafe log list, log tail: the entries of the log, for people and for collectors. */
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define LIST_DEFAULT 20
#define PAUSE_S 2

/* The filter for entries; NULL shows all. */
struct filter {
    const char *op, *decision, *tenant, *principal, *key;
};
#define FILTER_OPTIONS(f)                                                                          \
    {"op", OPTION_TEXT, &(f).op, "NAME", "only this operation, such as open", 0},                  \
        {"decision", OPTION_TEXT, &(f).decision, "NAME", "only allow, or only deny", 0},           \
        {"tenant", OPTION_TEXT, &(f).tenant, "NAME", "only callers of this tenant", 0},            \
        {"principal", OPTION_TEXT, &(f).principal, "NAME", "only this caller", 0},                 \
    {                                                                                              \
        "key", OPTION_TEXT, &(f).key, "SEED", "only this key", 0                                   \
    }

struct listing {
    const struct cli *cli;
    const struct filter *filter;
    uint64_t index; /* of the next line */
};

static bool member(struct vs_bytes line, const char *name, char *out, size_t size)
{
    out[0] = '\0';
    return vs_json_get(line, name, out, size) == VS_OK;
}

static bool matches(struct vs_bytes line, const char *name, const char *wanted)
{
    char value[VS_SEED_MAX + 1];

    return wanted == NULL ||
           (member(line, name, value, sizeof value) && strcmp(value, wanted) == 0);
}

static void show_line(const struct listing *l, struct vs_bytes line)
{
    char time[40], op[64], decision[16], code[64], principal[80], key[VS_SEED_MAX + 1], id[64];
    char tenant[80], caller[sizeof tenant + sizeof principal];
    const struct filter *f = l->filter;

    if (!matches(line, "op", f->op) || !matches(line, "decision", f->decision) ||
        !matches(line, "tenant", f->tenant) || !matches(line, "principal", f->principal) ||
        !matches(line, "key", f->key))
        return;
    if (l->cli->json) {
        json_reply(line);
        return;
    }
    (void)member(line, "time", time, sizeof time);
    (void)member(line, "op", op, sizeof op);
    (void)member(line, "decision", decision, sizeof decision);
    (void)member(line, "code", code, sizeof code);
    (void)member(line, "principal", principal, sizeof principal);
    (void)member(line, "tenant", tenant, sizeof tenant);
    (void)snprintf(caller, sizeof caller, "%s%s%s", tenant, tenant[0] != '\0' ? "/" : "",
                   principal[0] != '\0' ? principal : "-");
    (void)member(line, "key", key, sizeof key);
    (void)member(line, "request_id", id, sizeof id);
    say(stdout, "%8" PRIu64 "  %.19sZ  %-16s %-5s  %-24s %-16s %s  %s\n", l->index, time, op,
        decision, code, caller, id, key);
}

VS_MUST_CHECK static enum vs_error show_piece(void *context, struct vs_bytes piece)
{
    struct listing *l = context;
    const char *at = piece.data;
    const char *end = at + piece.size;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t size = newline == NULL ? (size_t)(end - at) : (size_t)(newline - at);

        show_line(l, (struct vs_bytes){at, size});
        l->index++;
        at += size + 1;
    }
    return VS_OK;
}

int fetch_log_size(const struct cli *cli, struct vs_client *c, uint64_t *size)
{
    struct vs_blob note = {0};
    char text[32] = "";
    const char *line;
    const enum vs_error e = vs_log_checkpoint(c, &note);
    int code = PARSED;

    if (e != VS_OK)
        return fail_client(cli, c, e);
    /* C2SP tlog-checkpoint: origin, size, root; a line each */
    line = memchr(note.data, '\n', note.size);
    if (line != NULL)
        (void)snprintf(text, sizeof text, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
    if (!count_parse(text, size))
        code =
            fail(cli, VS_ERR_REPLY, "the checkpoint of %s does not say how many entries there are",
                 keystore_url(cli));
    vs_blob_clear(&note);
    return code;
}

/* ---- from a time on ---- */

struct one_time {
    int64_t seconds;
    bool known;
};

VS_MUST_CHECK static enum vs_error read_time(void *context, struct vs_bytes piece)
{
    struct one_time *t = context;
    char text[40];

    if (!member(piece, "time", text, sizeof text) || strlen(text) < 20)
        return VS_OK;
    memcpy(text + 19, "Z", 2); /* removes the fraction */
    t->known = time_parse(text, &t->seconds);
    return VS_OK;
}

/* The times of entries do not decrease, unless the keystore's clock was set back. */
int find_since(const struct cli *cli, struct vs_client *c, const char *since, uint64_t size,
               uint64_t *first)
{
    uint64_t low = 0;
    uint64_t high = size;
    int64_t wanted;

    if (!time_parse(since, &wanted))
        return cli_usage_error(cli, "--since takes 2026-11-21T22:58:00Z or Unix seconds, not '%s'",
                               since);
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        struct one_time t = {0};
        const enum vs_error e = vs_log_export(c, middle, middle + 1, read_time, &t);

        if (e != VS_OK)
            return fail_client(cli, c, e);
        if (!t.known)
            return fail(cli, VS_ERR_REPLY, "entry %" PRIu64 " of the log of %s has no time", middle,
                        keystore_url(cli));
        if (t.seconds >= wanted)
            high = middle;
        else
            low = middle + 1;
    }
    *first = low;
    return PARSED;
}

/* ---- the commands ---- */

static int show(const struct cli *cli, struct vs_client *c, const struct filter *f, uint64_t from,
                uint64_t to)
{
    struct listing l = {.cli = cli, .filter = f, .index = from};
    const enum vs_error e = vs_log_export(c, from, to, show_piece, &l);

    return e == VS_OK ? PARSED : fail_client(cli, c, e);
}

static uint64_t last(uint64_t size, const struct cli_number *count)
{
    const uint64_t wanted = count->set ? count->value : LIST_DEFAULT;

    return wanted < size ? size - wanted : 0;
}

static int run_list(struct cli *cli, int argc, char **argv)
{
    struct filter filter = {0};
    const char *since = NULL;
    struct cli_number count = {0};
    const struct cli_option options[] = {
        {"since", OPTION_TEXT,   &since, "TIME", "from this time on: RFC 3339 or Unix seconds",   0},
        {"count", OPTION_NUMBER, &count, "N",    "read the last N entries (default 20, 0: none)",
         INT32_MAX                                                                                 },
        FILTER_OPTIONS(filter),
    };
    struct vs_client *c = NULL;
    uint64_t size = 0;
    uint64_t from = 0;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED && since != NULL && count.set)
        return cli_usage_error(cli, "--since and --count cannot be used together");
    if (code != PARSED || (code = open_client(cli, &c)) != PARSED ||
        (code = fetch_log_size(cli, c, &size)) != PARSED)
        goto out;
    from = last(size, &count);
    if (since != NULL && (code = find_since(cli, c, since, size, &from)) != PARSED)
        goto out;
    code = show(cli, c, &filter, from, size);
out:
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_list = {
    .name = "log list",
    .arguments = "",
    .summary = "show entries of the log",
    .help = "Prints a line for each entry: its index, time, operation, decision, code, caller, "
            "request\n"
            "id and key. With --json each line is the entry itself. Needs an auditor's token.\n"
            "It shows what the keystore says. To prove it, use `vouchsafe log export` and `log "
            "verify`.\n\n"
            "Examples:\n"
            "  vouchsafe log list --count 50 --decision deny\n"
            "  vouchsafe log list --since 2026-11-21T00:00:00Z --op open --json\n",
    .run = run_list,
};

static int follow(const struct cli *cli, struct vs_client *c, const struct filter *f, uint64_t from)
{
    for (;;) {
        uint64_t size = 0;
        int code;

        (void)fflush(stdout);
        (void)sleep(PAUSE_S);
        if ((code = fetch_log_size(cli, c, &size)) != PARSED)
            return code;
        if (size < from)
            return fail(cli, VS_ERR_TAMPERED,
                        "the log of %s had %" PRIu64 " entries and has %" PRIu64
                        " now: it was rolled back, or another keystore answers",
                        keystore_url(cli), from, size);
        if (size > from && (code = show(cli, c, f, from, size)) != PARSED)
            return code;
        from = size;
        if (ferror(stdout) != 0)
            return EXIT_REACH;
    }
}

static int run_tail(struct cli *cli, int argc, char **argv)
{
    struct filter filter = {0};
    struct cli_number count = {0};
    bool following = false;
    const struct cli_option options[] = {
        {"count",  OPTION_NUMBER, &count,     "N",  "begin with the last N entries (default 20)",
         INT32_MAX                                                                                 },
        {"follow", OPTION_FLAG,   &following, NULL, "go on with new entries until Ctrl-C",        0},
        FILTER_OPTIONS(filter),
    };
    struct vs_client *c = NULL;
    uint64_t size = 0;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code == PARSED && (code = open_client(cli, &c)) == PARSED &&
        (code = fetch_log_size(cli, c, &size)) == PARSED &&
        (code = show(cli, c, &filter, last(size, &count), size)) == PARSED && following)
        code = follow(cli, c, &filter, size);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_tail = {
    .name = "log tail",
    .arguments = "",
    .summary = "show the last entries of the log, and new ones as they come",
    .help =
        "Prints the last entries as `vouchsafe log list` does. With --follow it asks for new ones\n"
        "every two seconds. Needs an auditor's token.\n\n"
        "Examples:\n"
        "  vouchsafe log tail --count 5\n"
        "  vouchsafe log tail --follow --decision deny --json\n",
    .run = run_tail,
};
