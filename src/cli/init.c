#include <stdlib.h>

#include "cli.h"

static int run_init(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    const struct cli_option options[] = {
        {"config", OPTION_TEXT, &config, "FILE", "settings of the keystore",                      0},
        {"state",  OPTION_TEXT, &state,  "DIR",  "state directory, instead of the settings' one", 0},
    };
    char *arguments[3] = {"init", "--config", NULL};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (state != NULL && setenv("VOUCHSAFE_STATE_DIR", state, 1) != 0)
        return fail(cli, VS_ERR_MEMORY, "cannot pass the state directory on");
    arguments[2] = (char *)config;
    return exec_daemon(cli, arguments, config == NULL ? 1 : 3);
}

const struct cli_command command_init = {
    .name = "init",
    .arguments = "",
    .summary = "make a new keystore: root, sealed state, log",
    .help = "Makes a root, seals it by this machine's TEE, and starts the log, by running\n"
            "`vouchsafed init`. Nothing that exists is overwritten. The exit code is that of\n"
            "vouchsafed: 0 done, else not.\n\n"
            "Example:\n"
            "  vouchsafe init --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_init,
};

static int run_config_check(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const struct cli_option options[] = {
        {"config", OPTION_TEXT, &config, "FILE", "settings of the keystore", 0},
    };
    char *arguments[3] = {"--check-config", "--config", NULL};
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    arguments[2] = (char *)config;
    return exec_daemon(cli, arguments, config == NULL ? 1 : 3);
}

const struct cli_command command_config_check = {
    .name = "config check",
    .arguments = "",
    .summary = "check a keystore's settings and say what is wrong",
    .help = "Reads the settings as the keystore would, by running `vouchsafed --check-config`:\n"
            "file, .env and environment. The exit code is that of vouchsafed: 0 good, else not.\n\n"
            "Example:\n"
            "  vouchsafe config check --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_config_check,
};
