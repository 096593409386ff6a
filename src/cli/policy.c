/* vouchsafe policy show, add-value, remove-value. */
#include "cli.h"

static bool member(struct vs_bytes json, const char *path, char *out, size_t size)
{
    return vs_json_get(json, path, out, size) == VS_OK;
}

static bool print_value(struct vs_bytes json, unsigned policy, unsigned value)
{
    static const char *const names[] = {"field", "value", "added_by", "added_at", "index", "used"};
    char texts[COUNT_OF(names)][160];
    char path[96];

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(path, sizeof path, "policies.%u.reference_values.%u.%s", policy, value,
                       names[i]);
        if (!member(json, path, texts[i], sizeof texts[i]))
            return false;
    }
    say(stdout, "  %s %s\n    added by %s at %s, entry %s of the log%s\n", texts[0], texts[1],
        texts[2], texts[3], texts[4],
        texts[5][0] == 't' ? "" : "; not used: the configuration has no place for it");
    return true;
}

static bool print_policy(struct vs_bytes json, unsigned policy)
{
    char name[160];
    char tee[32];
    char path[64];
    unsigned value = 0;

    (void)snprintf(path, sizeof path, "policies.%u.name", policy);
    if (!member(json, path, name, sizeof name))
        return false;
    (void)snprintf(path, sizeof path, "policies.%u.tee", policy);
    if (!member(json, path, tee, sizeof tee))
        (void)snprintf(tee, sizeof tee, "not in the configuration");
    say(stdout, "%s (%s)\n", name, tee);
    while (print_value(json, policy, value))
        value++;
    return true;
}

static int run_show(struct cli *cli, int argc, char **argv)
{
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    unsigned policy = 0;
    char version[32];
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = vs_policies(c, &json);
    const struct vs_bytes bytes = {json.data, json.size};
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
    } else if (cli->json) {
        json_reply(bytes);
    } else {
        if (member(bytes, "policy_version", version, sizeof version))
            say(stdout, "Policy version %s\n", version);
        while (print_policy(bytes, policy))
            policy++;
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

typedef VS_MUST_CHECK enum vs_error change_function(struct vs_client *c, const char *policy,
                                                    const char *field, const char *hex,
                                                    struct vs_blob *json);

static int run_change(struct cli *cli, int argc, char **argv, change_function *change,
                      const char *done)
{
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    char index[32] = "";
    char version[32] = "";
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = change(c, cli->arguments[0], cli->arguments[1], cli->arguments[2], &json);
    const struct vs_bytes bytes = {json.data, json.size};
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
    } else if (cli->json) {
        json_reply(bytes);
    } else if (member(bytes, "index", index, sizeof index) &&
               member(bytes, "policy_version", version, sizeof version)) {
        say(stdout, "%s: entry %s of the log; policy version %s. All sessions have ended.\n", done,
            index, version);
    } else {
        code = fail(cli, VS_ERR_REPLY, "the reply is not of the form of docs/protocol.md");
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

static int run_add(struct cli *cli, int argc, char **argv)
{
    return run_change(cli, argc, argv, vs_reference_value_add, "Added");
}

static int run_remove(struct cli *cli, int argc, char **argv)
{
    return run_change(cli, argc, argv, vs_reference_value_remove, "Removed");
}

const struct cli_command command_policy_show = {
    .name = "policy show",
    .arguments = "",
    .summary = "show the policies of a keystore and the values added to them",
    .help =
        "Lists the policies of a keystore. For each reference value that was added while the\n"
        "keystore ran, it prints the token, the time and the entry of the log. Needs the token of\n"
        "an operator.\n"
        "\n"
        "Example:\n"
        "  vouchsafe policy show --token-file operator.token\n",
    .run = run_show,
};

const struct cli_command command_policy_add_value = {
    .name = "policy add-value",
    .arguments = "POLICY FIELD HEX",
    .summary = "add a measurement to a policy, without a restart",
    .help =
        "Adds a value to a list of bytes that a policy of the keystore has, such as mrenclave, "
        "mrtd,\n"
        "rtmr0, measurement or pcr0. The change takes effect at once, is in the log and survives "
        "a\n"
        "restart. All sessions end, and the workers attest again. Needs the token of an operator\n"
        "with `may_administer`. The exit code is 1 when the keystore refuses.\n"
        "\n"
        "Example:\n"
        "  vouchsafe policy add-value worker mrenclave 8f0e... --token-file operator.token\n",
    .arguments_min = 3,
    .arguments_max = 3,
    .run = run_add,
};

const struct cli_command command_policy_remove_value = {
    .name = "policy remove-value",
    .arguments = "POLICY FIELD HEX",
    .summary = "remove a value that was added",
    .help =
        "Removes a value that `vouchsafe policy add-value` added. A value of the configuration "
        "can\n"
        "only be removed in the configuration. The change takes effect at once and is in the log.\n"
        "All sessions end. Needs the token of an operator with `may_administer`. The exit code is "
        "1\n"
        "when the keystore refuses.\n"
        "\n"
        "Example:\n"
        "  vouchsafe policy remove-value worker mrenclave 8f0e... --token-file operator.token\n",
    .arguments_min = 3,
    .arguments_max = 3,
    .run = run_remove,
};
