#include "daemon/manual.h"

#include "base/text.h"
#include "daemon/groff.h"
#include "daemon/settings.h"

static const char *const usages[] = {
    "vouchsafed [--config FILE] [--env-file FILE] [--user NAME] [--supervise]",
    "vouchsafed init [--new-log | --new-anchor] [--json] [--config FILE] [--env-file FILE]",
    "vouchsafed state check [--kept FILE] [--json] [--config FILE]",
    "vouchsafed state repair [--kept FILE] [--give-up LIST] [--yes] [--json] [--config FILE]",
    "vouchsafed state export FILE [--json] [--config FILE]",
    "vouchsafed state import FILE --kept FILE|--accept-rollback [--json] [--config FILE]",
    "vouchsafed --check-config [--json] [--config FILE] [--env-file FILE]",
};

const struct daemon_option daemon_options[] = {
    {"config",          "FILE", 'c', "read settings from this YAML file (default: none)"               },
    {"env-file",        "FILE", 'e',
     "read variables from this file, which must exist (default: .env in the\n"
     "working directory, if there is one)"                                                             },
    {"user",            "NAME", 'u', "become this user before anything is read"                        },
    {"supervise",       NULL,   's', "stay as a parent that restarts the daemon when it crashes"       },
    {"check-config",    NULL,   'k', "check the settings, report every mistake, and exit"              },
    {"new-log",         NULL,   'n', "with init: the log was lost; start a new one for the sealed root"},
    {"kept",            "FILE", 'p',
     "with state: a checkpoint that was kept elsewhere; the log must contain its log"                  },
    {"give-up",         "LIST", 'g', "with state repair: what may be lost: rows,proof,log,newest"      },
    {"accept-rollback", NULL,   'r',
     "with state import: the export may be older than the last state"                                  },
    {"yes",             NULL,   'y', "with state repair: do it; without this, only say how"            },
    {"new-anchor",      NULL,   'a',
     "with init: take the database as it is, and adopt the TPM's counter\n"
     "(anchor.tpm2)"                                                                                   },
    {"json",            NULL,   'j',
     "with --check-config, init and state: print the result as JSON on standard\noutput"               },
    {"help",            NULL,   'h', "print this text and all settings"                                },
    {"version",         NULL,   'v', "print the version"                                               },
#ifdef VOUCHSAFE_TEST_CLOCK
    {"test-clock",      "N",    't', "for tests: it is now N, Unix seconds; or see clock_follow()"     },
#endif
};
const size_t daemon_option_count = COUNT_OF(daemon_options);
_Static_assert(COUNT_OF(daemon_options) <= DAEMON_OPTIONS_MAX, "room in the parser");

static const struct {
    const char *name, *help;
} commands[] = {
    {"init",         "make a root, seal it by the TEE, start the log, and exit"     },
    {"state check",  "report every fault of the state directory, and change nothing"},
    {"state export", "write rows and log into one file that only this root opens"   },
    {"state import", "fill an empty store from such a file"                         },
    {"state repair", "make a whole database from a damaged one, with --yes"         },
};

static const struct {
    const char *code, *help;
} statuses[] = {
    {"0",  "stopped as asked, or what was asked for is done"                          },
    {"1",  "refused to start, or failed"                                              },
    {"2",  "wrong usage"                                                              },
    {"3",  "of state: faults were found, and are still there"                         },
    {"78", "the configuration is not acceptable: another start with it cannot succeed"},
};

static const struct {
    const char *name, *help;
} signals[] = {
    {"SIGHUP",          "read the settings and the collateral again; take over what may change while\nthe "
               "daemon runs, or keep all of the old and log why"},
    {"SIGUSR1",         "write the state of the daemon to the operational log"},
    {"SIGTERM, SIGINT", "finish the requests that have begun, and stop"       },
};

/* ---- --help ---- */

enum { HELP_COLUMN = 20 };

static void help_row(FILE *file, const char *left, const char *help)
{
    (void)fprintf(file, "  %-*s", HELP_COLUMN - 2, left);
    for (; *help != '\0'; help++) {
        (void)fputc(*help, file);
        if (*help == '\n')
            (void)fprintf(file, "%*s", HELP_COLUMN, "");
    }
    (void)fputc('\n', file);
}

void manual_write_help(FILE *file)
{
    for (size_t i = 0; i < COUNT_OF(usages); i++)
        (void)fprintf(file, "%s %s\n", i == 0 ? "Usage:" : "      ", usages[i]);
    (void)fputs("\nThe Vouchsafe keystore daemon.\n\n", file);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        help_row(file, commands[i].name, commands[i].help);
    for (size_t i = 0; i < daemon_option_count; i++) {
        const struct daemon_option *o = &daemon_options[i];
        char left[32];

        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "",
                       o->value ? o->value : "");
        help_row(file, left, o->help);
    }
    (void)fputs("\nExit status:\n", file);
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        help_row(file, statuses[i].code, statuses[i].help);
    (void)fputs("\nSignals:\n", file);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        help_row(file, signals[i].name, signals[i].help);
    (void)fputs("\nSettings, in YAML and in the environment:\n\n", file);
    settings_write_manual(file, SETTINGS_MANUAL_PLAIN);
}

/* ---- the manual page ---- */

static void page_row(FILE *file, const char *name, const char *value, const char *help)
{
    (void)fputs(".TP\n.B \"", file);
    groff_write(file, name);
    if (value) {
        (void)fputs(" \\fI", file);
        groff_write(file, value);
        (void)fputs("\\fR", file);
    }
    (void)fputs("\"\n", file);
    groff_write(file, help);
    (void)fputc('\n', file);
}

void manual_write_page(FILE *file)
{
    (void)fputs(".TH VOUCHSAFED 8 \"\" \"vouchsafe " VOUCHSAFE_VERSION
                "\" \"System Administration\"\n.ad l\n"
                ".SH NAME\nvouchsafed \\- the keystore daemon\n.SH SYNOPSIS\n.nf\n",
                file);
    for (size_t i = 0; i < COUNT_OF(usages); i++) {
        groff_write(file, usages[i]);
        (void)fputc('\n', file);
    }
    (void)fputs(".fi\n.SH DESCRIPTION\n"
                "The daemon holds keys in a trusted execution environment (TEE). It uses them only "
                "for callers that prove what code they run, and it writes every operation to an "
                "append\\-only log. Before the first start, run\n.B vouchsafed init\nonce.\n"
                ".SH COMMANDS\n",
                file);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        page_row(file, commands[i].name, NULL, commands[i].help);
    (void)fputs(".SH OPTIONS\n", file);
    for (size_t i = 0; i < daemon_option_count; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "--%s", daemon_options[i].name);
        page_row(file, name, daemon_options[i].value, daemon_options[i].help);
    }
    (void)fputs(".SH EXIT STATUS\n", file);
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        page_row(file, statuses[i].code, NULL, statuses[i].help);
    (void)fputs(".SH SIGNALS\n", file);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        page_row(file, signals[i].name, NULL, signals[i].help);
    (void)fputs(".SH SETTINGS\n", file);
    settings_write_manual(file, SETTINGS_MANUAL_PAGE);
    (void)fputs(".SH SEE ALSO\n.BR vouchsafe (1)\n", file);
}
