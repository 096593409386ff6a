/* vouchsafe: the command for users, workers and operators of a keystore. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
    &command_init,
    &command_config_check,
    &command_dev,
    &command_dev_stop,
    &command_token_new,
    &command_pubkey,
    &command_encrypt,
    &command_decrypt,
    &command_attest,
    &command_attest_explain,
    &command_attest_verify,
    &command_sim_create,
    &command_sim_quote,
    &command_sim_collateral,
    &command_sim_measure,
    &command_log_key,
    &command_log_checkpoint,
    &command_log_list,
    &command_log_tail,
    &command_log_export,
    &command_log_verify,
    &command_log_receipt,
    &command_log_verify_receipt,
    &command_log_archive,
    &command_explain,
    &command_status,
    &command_collateral_fetch,
    &command_collateral_import,
    &command_collateral_export,
    &command_collateral_show,
    &command_policy_show,
    &command_policy_add_value,
    &command_policy_remove_value,
    &command_reseal,
    &command_state_check,
    &command_state_repair,
    &command_state_export,
    &command_state_import,
    &command_profile_create,
    &command_profile_show,
};

static int overview(FILE *file, int code)
{
    say(file, "Usage: vouchsafe [--url URL] [--token-file FILE] COMMAND [OPTION]...\n\n"
              "Commands:\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        say(file, "  %-20s %s\n", commands[i]->name, commands[i]->summary);
    say(file, "\n`vouchsafe COMMAND --help` explains one; `vouchsafe --version` prints %s.\n",
        vs_version());
    return code;
}

/* The number of words of argv in this command's name; 0 when argv names another one. */
static int words_matching(const struct cli_command *command, int argc, char **argv)
{
    const char *space = strchr(command->name, ' ');
    const size_t first = space == NULL ? strlen(command->name) : (size_t)(space - command->name);

    if (argc < 1 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0)
        return 0;
    if (space == NULL)
        return 1;
    return argc >= 2 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

/* `attest verify` is a longer match than `attest`. */
static const struct cli_command *find_command(int argc, char **argv, int *words)
{
    const struct cli_command *found = NULL;

    *words = 0;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        int matching = words_matching(commands[i], argc, argv);

        if (matching > *words) {
            *words = matching;
            found = commands[i];
        }
    }
    return found;
}

/* `vouchsafe sim --help`: lists the commands of that group. */
static bool list_group(const char *word, FILE *file)
{
    const size_t size = strlen(word);
    bool any = false;

    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strncmp(commands[i]->name, word, size) == 0 && commands[i]->name[size] == ' ') {
            if (!any)
                say(file, "Commands:\n");
            say(file, "  %-20s %s\n", commands[i]->name, commands[i]->summary);
            any = true;
        }
    return any;
}

/* Before the options are parsed: one in front of --json may be wrong. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static int no_such_command(const struct cli *cli, int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) &&
        list_group(argv[0], stdout))
        return EXIT_DONE;
    if (!cli->json_asked)
        (void)list_group(argv[0], stderr);
    return cli_usage_error(cli, "there is no command '%s%s%s'", argv[0], argc > 1 ? " " : "",
                           argc > 1 ? argv[1] : "");
}

/* Plaintexts and keys pass through this process: no core file, no debugger. */
static void harden(void)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
    struct cli_profile profile = {0};
    struct cli cli = {.profile = &profile,
                      .commands = commands,
                      .command_count = COUNT_OF(commands),
                      .json_asked = asks_for_json(argc, argv)};
    int next = 1;
    int words = 0;
    int code;

    harden();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        say(stdout, "vouchsafe %s\n", vs_version());
        return EXIT_DONE;
    }
    if (argc == 3 && strcmp(argv[1], "generate") == 0) /* for the build */
        return generate(&cli, argv[2]);
    code = cli_parse_global(&cli, argc, argv, &next);
    if (code != PARSED)
        return code;
    if (next >= argc)
        return argc > 1 ? overview(stdout, EXIT_DONE) : overview(stderr, EXIT_USAGE);
    argc -= next;
    argv += next;
    cli.command = find_command(argc, argv, &words);
    if (cli.command == NULL)
        return no_such_command(&cli, argc, argv);
    if (vs_start() != VS_OK)
        return fail(&cli, VS_ERR_INTERNAL, "the cryptographic libraries do not start");
    code = cli.command->run(&cli, argc - words + 1, argv + words - 1);
    profile_clear(&profile);
    /* lost output is a failure */
    if (fflush(stdout) != 0 && code == EXIT_DONE) {
        say(stderr, "vouchsafe: cannot write to standard output\n");
        return EXIT_REACH;
    }
    return code;
}
