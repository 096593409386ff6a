#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* What `vouchsafed state VERB` is given. */
struct state_arguments {
    char *list[14];
    size_t count;
};

static void add(struct state_arguments *a, const char *text)
{
    if (a->count < COUNT_OF(a->list))
        a->list[a->count++] = (char *)text;
}

static void add_option(struct state_arguments *a, const char *name, const char *value)
{
    if (value != NULL) {
        add(a, name);
        add(a, value);
    }
}

static int run_daemon(struct cli *cli, struct state_arguments *a, const char *config,
                      const char *state)
{
    if (state != NULL && setenv("VOUCHSAFE_STATE_DIR", state, 1) != 0)
        return fail(cli, VS_ERR_MEMORY, "cannot pass the state directory on");
    if (cli->json)
        add(a, "--json");
    add_option(a, "--config", config);
    return exec_daemon(cli, a->list, a->count);
}

#define COMMON_OPTIONS                                                                             \
    {"config", OPTION_TEXT, &config, "FILE", "the settings of the keystore", 0},                   \
    {                                                                                              \
        "state", OPTION_TEXT, &state, "DIR", "state directory, instead of the settings' one", 0    \
    }

static int run_check(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    const char *kept = NULL;
    const struct cli_option options[] = {
        COMMON_OPTIONS,
        {"kept", OPTION_TEXT, &kept, "FILE", "a checkpoint that the log must contain", 0},
    };
    struct state_arguments a = {
        {"state", "check"},
        2
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    add_option(&a, "--kept", kept);
    return run_daemon(cli, &a, config, state);
}

const struct cli_command command_state_check = {
    .name = "state check",
    .arguments = "",
    .summary = "find every fault of a stopped keystore's state",
    .help =
        "Examines the state directory: files and modes, the database, every row, every entry of\n"
        "the log and the hashes of its tree, by running `vouchsafed state check`. Nothing is\n"
        "changed. The keystore must be stopped. Each fault is one line: its code, its meaning,\n"
        "the row by table and id, or the entries. With --kept, the log must contain the log of\n"
        "that checkpoint, so an older copy of the database is found.\n"
        "\n"
        "The exit code is that of vouchsafed: 0 no fault, 3 faults, 1 it could not be examined.\n"
        "With --json it prints {\"faults\":[{\"code\",\"text\",...}],\"ok\":BOOL,\"rows\":N,...}.\n"
        "\n"
        "Example:\n"
        "  vouchsafe state check --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_check,
};

static int run_repair(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    const char *kept = NULL;
    const char *give_up = NULL;
    bool yes = false;
    const struct cli_option options[] = {
        COMMON_OPTIONS,
        {"kept",    OPTION_TEXT, &kept,    "FILE", "a checkpoint that the log should contain",         0},
        {"give-up", OPTION_TEXT, &give_up, "LIST", "what may be lost: rows,proof,log,newest",          0},
        {"yes",     OPTION_FLAG, &yes,     NULL,   "do it; without this, only say what would be done", 0},
    };
    struct state_arguments a = {
        {"state", "repair"},
        2
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    add_option(&a, "--kept", kept);
    add_option(&a, "--give-up", give_up);
    if (yes)
        add(&a, "--yes");
    return run_daemon(cli, &a, config, state);
}

const struct cli_command command_state_repair = {
    .name = "state repair",
    .arguments = "",
    .summary = "make a whole state from a damaged one",
    .help =
        "Examines the state as `vouchsafe state check` does, and says what a repair would do. "
        "With\n"
        "--yes it makes a new database and keeps the damaged one as log.db.before-repair-TIME.\n"
        "What is derived is made again. Rows that do not belong there go to\n"
        "log.db.set-aside-TIME.jsonl. What is lost must be named with --give-up:\n"
        "  rows    rows that are damaged, missing, or older copies of themselves\n"
        "  proof   the proof that the rows that are left are the newest ones\n"
        "  log     the log: a new one begins, and names the end of the old one\n"
        "  newest  the newest entries and changes\n"
        "The first new entry of the log records what was given up. Restoring a newer backup is\n"
        "better than giving up anything.\n"
        "\n"
        "The exit code is that of vouchsafed: 0 whole or repaired, 3 faults are left, 1 refused.\n"
        "\n"
        "Example:\n"
        "  vouchsafe state repair --give-up rows,proof --yes "
        "--config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_repair,
};

static int run_export(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    const struct cli_option options[] = {COMMON_OPTIONS};
    struct state_arguments a = {
        {"state", "export"},
        2
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    add(&a, cli->arguments[0]);
    return run_daemon(cli, &a, config, state);
}

const struct cli_command command_state_export = {
    .name = "state export",
    .arguments = "FILE",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "write a stopped keystore's rows and log into one encrypted file",
    .help =
        "Writes everything of the database into FILE, which must not exist: the rows, and all\n"
        "entries of the log that are not in an archive. The file is encrypted under the root, so\n"
        "only a keystore with the same root can import it. The sealed root is not in it.\n"
        "The keystore must be stopped. A state with faults is not exported.\n"
        "\n"
        "Example:\n"
        "  vouchsafe state export /backup/keystore.export --config /etc/vouchsafe/vouchsafe.yaml\n",
    .run = run_export,
};

static int run_import(struct cli *cli, int argc, char **argv)
{
    const char *config = NULL;
    const char *state = NULL;
    const char *kept = NULL;
    bool accept_rollback = false;
    const struct cli_option options[] = {
        COMMON_OPTIONS,
        {"kept",            OPTION_TEXT, &kept,            "FILE", "the newest checkpoint of the log that you have", 0},
        {"accept-rollback", OPTION_FLAG, &accept_rollback, NULL,
          "the export may be older than the last state",                                                              0},
    };
    struct state_arguments a = {
        {"state", "import"},
        2
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    add(&a, cli->arguments[0]);
    add_option(&a, "--kept", kept);
    if (accept_rollback)
        add(&a, "--accept-rollback");
    return run_daemon(cli, &a, config, state);
}

const struct cli_command command_state_import = {
    .name = "state import",
    .arguments = "FILE",
    .arguments_min = 1,
    .arguments_max = 1,
    .summary = "fill an empty store from an export",
    .help =
        "Fills the empty store of the settings (store.engine: SQLite or PostgreSQL) from an "
        "export\n"
        "of a keystore with the same root. Everything is verified before it takes effect. The log\n"
        "goes on where the export ends; an entry `import` records it. An interrupted import is\n"
        "repeated from its beginning.\n"
        "\n"
        "An export that is older than the last state is a rollback: what was removed since then\n"
        "comes back. So either give the newest checkpoint that you have with --kept, which the\n"
        "export must contain, or say --accept-rollback.\n"
        "\n"
        "Example:\n"
        "  vouchsafe state import /backup/keystore.export --kept kept.checkpoint\n",
    .run = run_import,
};
