#include <string.h>

#include "cli.h"

static const char *const members[] = {
    "time",   "op",        "decision", "code", "rule",   "key",  "key_version",
    "tenant", "principal", "auth",     "tee",  "claims", "task", "simulated",
};

static bool entry_member(struct vs_bytes json, unsigned entry, const char *name, char *out,
                         size_t size)
{
    char path[96];

    (void)snprintf(path, sizeof path, "entries.%u.%s", entry, name);
    return vs_json_get(json, path, out, size) == VS_OK;
}

static void print_value(const char *label, const char *value)
{
    say(stdout, "  %-12s %s\n", label, value);
}

static bool print_entry(struct vs_bytes json, unsigned entry)
{
    char value[8200];
    char name[64];

    if (!entry_member(json, entry, "index", value, sizeof value))
        return false;
    say(stdout, "Entry %s of the log\n", value);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        (void)snprintf(name, sizeof name, "entry.%s", members[i]);
        if (entry_member(json, entry, name, value, sizeof value))
            print_value(members[i], value);
    }
    if (entry_member(json, entry, "entry.detail", value, sizeof value))
        print_value("detail", value);
    say(stdout, "\n");
    return true;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    unsigned entry = 0;
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = vs_explain(c, cli->arguments[0], &json);
    const struct vs_bytes bytes = {json.data, json.size};
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
    } else if (cli->json) {
        json_reply(bytes);
    } else {
        while (print_entry(bytes, entry))
            entry++;
        if (entry == 0)
            say(stdout, "The log holds no entry of request %s.\n", cli->arguments[0]);
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_explain = {
    .name = "explain",
    .arguments = "REQUEST-ID",
    .summary = "show why a request was allowed or refused",
    .help = "Prints what the log holds about one request: the caller, the decision, the rule that\n"
            "decided, the expected and the presented value. Every reply names its request in the "
            "header\n"
            "X-Request-Id. Needs the token of an auditor or operator.\n"
            "It shows what the keystore says. To prove it, use `vouchsafe log export` and `log "
            "verify`.\n"
            "\n"
            "Example:\n"
            "  vouchsafe explain 01932f6e-7b8a-7cc0-9d3e-0123456789ab --token-file op.token\n",
    .arguments_min = 1,
    .arguments_max = 1,
    .run = run,
};
