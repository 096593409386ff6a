/* vouchsafe log archive. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

enum { DAYS_MAX = 36500, PAUSE_S = 1 };

static bool number_of(struct vs_bytes json, const char *name, uint64_t *out)
{
    char text[32];

    return vs_json_get(json, name, text, sizeof text) == VS_OK && count_parse(text, out);
}

/* Asks again until the archiver rests. `json` is its last answer. */
static int await_end(const struct cli *cli, struct vs_client *c, uint64_t before,
                     struct vs_blob *json)
{
    for (;;) {
        const enum vs_error e = vs_log_archive_status(c, json);
        const struct vs_bytes bytes = {json->data, json->size};
        uint64_t archived = 0;
        char text[64] = "";

        if (e != VS_OK)
            return fail_client(cli, c, e);
        if (!number_of(bytes, "archived", &archived))
            return fail(cli, VS_ERR_REPLY, "the reply is not of the form of docs/protocol.md");
        if (archived >= before)
            return PARSED;
        if (vs_json_get(bytes, "running", text, sizeof text) == VS_OK &&
            strcmp(text, "false") == 0 && vs_json_get(bytes, "error", text, sizeof text) == VS_OK)
            return fail(cli, VS_ERR_REFUSED,
                        "archiving stopped at entry %" PRIu64 " of %" PRIu64
                        ": %s. The operational log of the keystore names the file",
                        archived, before, text);
        vs_blob_clear(json);
        (void)sleep(PAUSE_S);
    }
}

static int report(const struct cli *cli, const struct vs_blob *json, uint64_t moved,
                  uint64_t before, bool waited)
{
    const struct vs_bytes bytes = {json->data, json->size};

    if (cli->json) {
        json_reply(bytes);
        return PARSED;
    }
    if (!waited)
        say(stdout, "The keystore moves entries before %" PRIu64 " into its archive.\n", before);
    else
        say(stdout, "Moved %" PRIu64 " entries: the archive has all entries before %" PRIu64 ".\n",
            moved, before);
    return PARSED;
}

static int run_archive(struct cli *cli, int argc, char **argv)
{
    const char *to = NULL;
    struct cli_number days = {0};
    bool no_wait = false;
    const struct cli_option options[] = {
        {"to",              OPTION_TEXT,   &to,      "DIR", "the archive (default: the keystore's)",      0},
        {"older-than-days", OPTION_NUMBER, &days,    "N",   "leave younger entries (0: only the newest)",
         DAYS_MAX                                                                                          },
        {"no-wait",         OPTION_FLAG,   &no_wait, NULL,  "ask, and do not wait for the end",           0},
    };
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    uint64_t archived = 0;
    uint64_t before = 0;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = vs_log_archive(c, to, days.set ? (int64_t)days.value : -1, &json);
    if (e != VS_OK)
        code = fail_client(cli, c, e);
    else if (!number_of((struct vs_bytes){json.data, json.size}, "archived", &archived) ||
             !number_of((struct vs_bytes){json.data, json.size}, "before", &before))
        code = fail(cli, VS_ERR_REPLY, "the reply is not of the form of docs/protocol.md");
    if (code == PARSED && !no_wait) {
        vs_blob_clear(&json);
        code = await_end(cli, c, before, &json);
    }
    if (code == PARSED)
        code = report(cli, &json, before > archived ? before - archived : 0,
                      before > archived ? before : archived, !no_wait);
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_log_archive = {
    .name = "log archive",
    .arguments = "",
    .summary = "move old entries of the log into files",
    .help =
        "Asks a running keystore to move old entries of its log from the database into the\n"
        "directory of its setting log.archive_to, and waits. The entries stay readable as long as\n"
        "the directory is there. Without --older-than-days the age is that of the setting\n"
        "log.archive_after_days. --to refuses another directory. Needs the token of an operator\n"
        "with `may_administer`.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe log archive --to /var/lib/vouchsafe-archive --token-file operator.token\n"
        "  vouchsafe log archive --older-than-days 90 --token-file operator.token\n",
    .run = run_archive,
};
