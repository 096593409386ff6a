/* vouchsafe reseal. */
#include "cli.h"

static int run_reseal(struct cli *cli, int argc, char **argv)
{
    const char *pcrs = NULL;
    const struct cli_option options[] = {
        {"pcrs", OPTION_TEXT, &pcrs, "LIST", "values after the next boot: 7=HEX,11=HEX", 0},
    };
    struct vs_client *c = NULL;
    struct vs_blob json = {0};
    char index[32] = "";
    enum vs_error e;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED || (code = open_client(cli, &c)) != PARSED)
        return code;
    e = vs_reseal(c, pcrs, &json);
    const struct vs_bytes bytes = {json.data, json.size};
    if (e != VS_OK) {
        code = fail_client(cli, c, e);
    } else if (cli->json) {
        code = write_output(cli, NULL, bytes, 0);
        say(stdout, "\n");
    } else if (vs_json_get(bytes, "index", index, sizeof index) == VS_OK) {
        say(stdout,
            "Sealed the root for %s: entry %s of the log. The seal before is kept in "
            "root.sealed.previous.\n",
            pcrs == NULL || *pcrs == '\0' ? "the present PCRs" : "the PCRs given", index);
    } else {
        code = fail(cli, VS_ERR_REPLY, "the reply is not of the form of docs/protocol.md");
    }
    vs_blob_clear(&json);
    vs_client_free(&c);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_reseal = {
    .name = "reseal",
    .arguments = "",
    .summary = "seal a keystore's root for the next boot",
    .help =
        "Asks a running keystore to seal its root again after the PCRs of its TPM changed, for\n"
        "example by an update of the firmware or of dbx; or before such an update, if the new PCR\n"
        "values are known. Needs the token of an operator with `may_administer`. The exit code is "
        "1\n"
        "when the keystore refuses.\n"
        "\n"
        "Examples:\n"
        "  vouchsafe reseal --token-file operator.token\n"
        "  vouchsafe reseal --pcrs 7=5f2a... --token-file operator.token\n",
    .run = run_reseal,
};
