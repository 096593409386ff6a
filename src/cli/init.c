#include <stdlib.h>

#include "cli.h"

static int run_init(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    bool new_log = false;
    bool new_anchor = false;
    const struct cli_option options[] = {
        {"config",     OPTION_TEXT, &config,     "FILE", "the settings of the keystore",                  0},
        {"state",      OPTION_TEXT, &state,      "DIR",  "state directory, instead of the settings' one", 0},
        {"new-log",    OPTION_FLAG, &new_log,    NULL,
         "the log was lost: start a new one for the same root",                                           0},
        {"new-anchor", OPTION_FLAG, &new_anchor, NULL,
         "take the database as it is, and adopt the TPM's counter",                                       0},
    };
    char *arguments[6] = {"init"};
    size_t count = 1;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (state != NULL && setenv("VOUCHSAFE_STATE_DIR", state, 1) != 0)
        return fail(cli, VS_ERR_MEMORY, "cannot pass the state directory on");
    if (new_log)
        arguments[count++] = "--new-log";
    if (new_anchor)
        arguments[count++] = "--new-anchor";
    if (cli->json)
        arguments[count++] = "--json";
    if (config != NULL) {
        arguments[count++] = "--config";
        arguments[count++] = (char *)config;
    }
    return exec_daemon(cli, arguments, count);
}

const struct cli_command command_init = {
    .name = "init",
    .arguments = "",
    .summary = "make a new keystore: root, sealed state, log",
    .help =
        "Makes a root, seals it with the TEE of this machine, and starts the log, by running\n"
        "`vouchsafed init`. It overwrites nothing. The exit code is that of vouchsafed: 0 when it\n"
        "is done, 1 or 78 when it is not. With --json it prints {\"ok\":true,\"state\":DIR,\n"
        "\"log_key\":KEY} or {\"ok\":false,\"error\":TEXT,\"problems\":[...]}.\n"
        "\n"
        "With --new-log it starts an empty log for a root that is sealed already, after the old\n"
        "log was lost. The first entry says so. Checkpoints and receipts of the old log do not\n"
        "fit the new one.\n"
        "\n"
        "With --new-anchor it accepts the database as it is, makes the TPM's counter if it is\n"
        "missing, and adopts its value (setting anchor.tpm2). Use it for the first counter of a\n"
        "keystore, or after a rollback or the loss of the counter that you accept. An entry of\n"
        "the log says so.\n"
        "\n"
        "Example:\n"
        "  vouchsafe init --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_init,
};

static int run_config_check(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *env_file = NULL;
    const struct cli_option options[] = {
        {"config",   OPTION_TEXT, &config,   "FILE", "the settings of the keystore",              0},
        {"env-file", OPTION_TEXT, &env_file, "FILE", "variables; default: .env, if there is one",
         0                                                                                         },
    };
    char *arguments[6] = {"--check-config"};
    size_t count = 1;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (cli->json)
        arguments[count++] = "--json";
    if (config != NULL) {
        arguments[count++] = "--config";
        arguments[count++] = (char *)config;
    }
    if (env_file != NULL) {
        arguments[count++] = "--env-file";
        arguments[count++] = (char *)env_file;
    }
    return exec_daemon(cli, arguments, count);
}

const struct cli_command command_config_check = {
    .name = "config check",
    .arguments = "",
    .summary = "check the settings of a keystore and list every mistake",
    .help =
        "Reads the settings from the file, .env and the environment, as the keystore does, by\n"
        "running `vouchsafed --check-config`. It lists every mistake with file and line. The exit\n"
        "code is that of vouchsafed: 0 good, 78 not acceptable. With --json it prints "
        "{\"ok\":BOOL,\n"
        "\"problems\":[{\"file\",\"line\",\"setting\",\"text\"}]} and more on standard output.\n"
        "\n"
        "Example:\n"
        "  vouchsafe config check --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_config_check,
};
