/*
 * Makes the manual page and the completions of shells from the tables that --help prints. The build
 * runs `vouchsafe generate KIND`; the overview does not list it. To get the options of a command,
 * this code runs the command with `cli->describe` set: cli_parse() passes the options to it and
 * ends the command.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static bool is_group(const char *name, const char *word)
{
    const size_t size = strlen(word);

    return strncmp(name, word, size) == 0 && name[size] == ' ';
}

/* Length of the first word. */
static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

/* The first command of its group, or a command without a group. */
static bool is_first_of_group(const struct cli_command *const *commands, size_t i)
{
    const size_t size = first_word(commands[i]->name);

    for (size_t k = 0; k < i; k++)
        if (first_word(commands[k]->name) == size &&
            strncmp(commands[k]->name, commands[i]->name, size) == 0)
            return false;
    return true;
}

static bool has_group(const struct cli *cli, const char *word)
{
    for (size_t i = 0; i < cli->command_count; i++)
        if (is_group(cli->commands[i]->name, word))
            return true;
    return false;
}

static bool takes_value(const struct cli_option *o)
{
    return o->kind != OPTION_FLAG;
}

static bool takes_file(const struct cli_option *o)
{
    static const char *const names[] = {"FILE", "PEM", "DIR", "PATH", "PROGRAM"};

    for (size_t i = 0; o->argument != NULL && i < COUNT_OF(names); i++)
        if (strcmp(o->argument, names[i]) == 0)
            return true;
    return false;
}

/* Options of every command, one after the other. */
static void each_command(struct cli *cli, cli_describe *describe)
{
    char *none[] = {(char *)(uintptr_t) "vouchsafe", NULL};

    cli->describe = describe;
    for (size_t i = 0; i < cli->command_count; i++) {
        cli->command = cli->commands[i];
        (void)cli->command->run(cli, 1, none);
    }
    cli->describe = NULL;
}

/* ---- man ---- */

/* Text for groff, without requests and escapes. */
static void man_text(const char *text)
{
    bool start = true;

    for (; *text != '\0'; text++) {
        if (start && (*text == '.' || *text == '\''))
            (void)fputs("\\&", stdout);
        start = *text == '\n';
        if (*text == '\\')
            (void)fputs("\\e", stdout);
        else if (*text == '-')
            (void)fputs("\\-", stdout);
        else if (*text == '\'')
            (void)fputs("\\(aq", stdout);
        else if (*text == '`')
            (void)fputs("\\(ga", stdout);
        else
            (void)fputc(*text, stdout);
    }
}

static void man_options(const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        say(stdout, ".TP\n.B \\-\\-");
        man_text(options[i].name);
        if (options[i].argument != NULL && options[i].kind != OPTION_ALIAS) {
            say(stdout, " \\fI");
            man_text(options[i].argument);
            say(stdout, "\\fR");
        }
        say(stdout, "\n");
        man_text(options[i].help);
        say(stdout, "\n");
    }
}

static void man_command(const struct cli *cli, const struct cli_option *options, size_t count,
                        size_t global_count)
{
    const struct cli_command *c = cli->command;

    say(stdout, ".SS \"vouchsafe %s [OPTION]...%s%s\"\n.nf\n", c->name,
        c->arguments[0] != '\0' ? " " : "", c->arguments);
    man_text(c->help);
    say(stdout, ".fi\n");
    if (count > global_count)
        man_options(options + global_count, count - global_count);
}

static void man_globals(const struct cli *cli, const struct cli_option *options, size_t count,
                        size_t global_count)
{
    (void)count;
    if (cli->command != cli->commands[0])
        return;
    man_options(options, global_count);
    say(stdout, ".TP\n.B \\-\\-help\nexplain a command\n");
}

static void generate_man(struct cli *cli)
{
    say(stdout,
        ".TH VOUCHSAFE 1 \"\" \"vouchsafe %s\" \"User Commands\"\n"
        ".SH NAME\nvouchsafe \\- the command for users, workers and operators of a keystore\n"
        ".SH SYNOPSIS\n.B vouchsafe\n[\\fIOPTION\\fR]... \\fICOMMAND\\fR [\\fIOPTION\\fR]...\n"
        ".SH DESCRIPTION\n"
        "A Vouchsafe keystore holds keys in a trusted execution environment and opens secrets only "
        "for callers that prove what code they run. This command encrypts secrets, attests "
        "workers, verifies evidence, and reads and verifies the log of a keystore.\n"
        ".SH COMMON OPTIONS\n",
        vs_version());
    each_command(cli, man_globals);
    say(stdout, ".SH COMMANDS\n");
    each_command(cli, man_command);
    say(stdout, ".SH EXIT STATUS\n.nf\n");
    man_text(strchr(cli_exit_codes, '\n') + 1);
    say(stdout,
        ".fi\n.SH ENVIRONMENT\n"
        "Every option that a profile can hold has a variable: VOUCHSAFE_URL, VOUCHSAFE_TOKEN_FILE "
        "and so on. Options go before variables, and variables before the profile.\n"
        ".SH FILES\n.TP\n.I ~/.config/vouchsafe/profile\n"
        "The profile, unless \\-\\-profile or VOUCHSAFE_PROFILE names another file.\n");
}

/* ---- bash ---- */

static void bash_values(const struct cli *cli, const struct cli_option *options, size_t count,
                        size_t global_count)
{
    (void)cli;
    (void)global_count;
    for (size_t i = 0; i < count; i++)
        if (takes_value(&options[i]) && !takes_file(&options[i]) && options[i].kind != OPTION_ALIAS)
            say(stdout, " --%s", options[i].name);
}

static void bash_files(const struct cli *cli, const struct cli_option *options, size_t count,
                       size_t global_count)
{
    (void)cli;
    (void)global_count;
    for (size_t i = 0; i < count; i++)
        if (takes_file(&options[i]))
            say(stdout, " --%s", options[i].name);
}

static void bash_command(const struct cli *cli, const struct cli_option *options, size_t count,
                         size_t global_count)
{
    (void)global_count;
    say(stdout, "    '%s') words='--help", cli->command->name);
    for (size_t i = 0; i < count; i++)
        if (options[i].kind != OPTION_ALIAS)
            say(stdout, " --%s", options[i].name);
    say(stdout, "' ;;\n");
}

/* The words that can follow: of the first level, or of a group. */
static void print_words(const struct cli *cli, const char *group)
{
    for (size_t i = 0; i < cli->command_count; i++) {
        const char *name = cli->commands[i]->name;

        if (group == NULL && is_first_of_group(cli->commands, i))
            say(stdout, " %.*s", (int)first_word(name), name);
        if (group != NULL && is_group(name, group))
            say(stdout, " %s", name + strlen(group) + 1);
    }
}

typedef void words_printer(const struct cli *cli, const char *group);

/* A case of the shell for each group: the words behind its name, between `open` and `close`. */
static void print_groups(const struct cli *cli, const char *open, words_printer *print,
                         const char *close)
{
    for (size_t i = 0; i < cli->command_count; i++) {
        char word[64];

        (void)snprintf(word, sizeof word, "%.*s", (int)first_word(cli->commands[i]->name),
                       cli->commands[i]->name);
        if (!is_first_of_group(cli->commands, i) || !has_group(cli, word))
            continue;
        say(stdout, "    '%s') more=%s", word, open);
        print(cli, word);
        say(stdout, "%s ;;\n", close);
    }
}

static void generate_bash(struct cli *cli)
{
    say(stdout, "# Completion of vouchsafe for bash. Made by the build.\n"
                "_vouchsafe() {\n"
                "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local command='' words='' more='' i word\n"
                "    local values='");
    each_command(cli, bash_values);
    say(stdout, " '\n    local files='");
    each_command(cli, bash_files);
    say(stdout, " '\n"
                "    COMPREPLY=()\n"
                "    if [[ $files == *\" $prev \"* ]]; then\n"
                "        compopt -o filenames 2>/dev/null\n"
                "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                "        return\n"
                "    fi\n"
                "    [[ $values == *\" $prev \"* ]] && return\n"
                "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                "        word=${COMP_WORDS[i]}\n"
                "        if [[ $values$files == *\" $word \"* ]]; then\n"
                "            ((i++))\n"
                "        elif [[ $word != -* ]]; then\n"
                "            command+=${command:+ }$word\n"
                "        fi\n"
                "    done\n"
                "    case $command in\n"
                "    '') more='");
    print_words(cli, NULL);
    say(stdout, " --help --version' ;;\n");
    print_groups(cli, "'", print_words, "'");
    say(stdout, "    esac\n"
                "    case $command in\n");
    each_command(cli, bash_command);
    say(stdout, "    esac\n"
                "    if [[ $cur == -* || -z $more ]]; then\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                "        [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
                "    else\n"
                "        COMPREPLY=($(compgen -W \"$more\" -- \"$cur\"))\n"
                "    fi\n"
                "}\n"
                "complete -F _vouchsafe vouchsafe\n");
}

/* ---- zsh ---- */

/* In single quotes, for _arguments and _describe. */
static void zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)fputs("'\\''", stdout);
        else if (strchr("[]:\\", *text) != NULL)
            say(stdout, "\\%.1s", text);
        else
            (void)fputc(*text, stdout);
    }
}

static void zsh_command(const struct cli *cli, const struct cli_option *options, size_t count,
                        size_t global_count)
{
    (void)global_count;
    say(stdout, "    '%s') _arguments", cli->command->name);
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *o = &options[i];

        if (o->kind == OPTION_ALIAS)
            continue;
        say(stdout, " \\\n        '%s--%s[", o->kind == OPTION_LIST ? "*" : "", o->name);
        zsh_text(o->help);
        say(stdout, "]");
        if (takes_value(o))
            say(stdout, ":%s:%s", o->argument, takes_file(o) ? "_files" : "");
        say(stdout, "'");
    }
    say(stdout, " \\\n        '--help[explain this command]' '*:file:_files' ;;\n");
}

static void zsh_words(const struct cli *cli, const char *group)
{
    for (size_t i = 0; i < cli->command_count; i++) {
        const struct cli_command *c = cli->commands[i];
        char word[64];

        (void)snprintf(word, sizeof word, "%.*s", (int)first_word(c->name), c->name);
        if (group == NULL && is_first_of_group(cli->commands, i)) {
            say(stdout, " '%s:", word);
            zsh_text(has_group(cli, word) ? "commands of this group" : c->summary);
            say(stdout, "'");
        } else if (group != NULL && is_group(c->name, group)) {
            say(stdout, " '%s:", c->name + strlen(group) + 1);
            zsh_text(c->summary);
            say(stdout, "'");
        }
    }
}

static void generate_zsh(struct cli *cli)
{
    say(stdout, "#compdef vouchsafe\n"
                "# Completion of vouchsafe for zsh. Made by the build.\n"
                "_vouchsafe() {\n"
                "    local command=$words[2]\n"
                "    local -a more\n"
                "    if (( CURRENT == 2 )); then\n"
                "        more=(");
    zsh_words(cli, NULL);
    say(stdout, " )\n"
                "        _describe 'command' more\n"
                "        return\n"
                "    fi\n"
                "    case $command in\n");
    print_groups(cli, "(", zsh_words, " )");
    say(stdout, "    esac\n"
                "    if (( CURRENT == 3 && $#more )) && [[ $words[3] != -* ]]; then\n"
                "        _describe 'command' more\n"
                "        return\n"
                "    fi\n"
                "    (( $#more )) && [[ $words[3] != -* ]] && command+=\" $words[3]\"\n"
                "    case $command in\n");
    each_command(cli, zsh_command);
    say(stdout, "    esac\n"
                "}\n"
                "compdef _vouchsafe vouchsafe\n");
}

/* ---- fish ---- */

static void fish_text(const char *text)
{
    (void)fputc('\'', stdout);
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            (void)fputc('\\', stdout);
        (void)fputc(*text, stdout);
    }
    (void)fputc('\'', stdout);
}

/* Whether the command line has this command, and not a longer one of its group. */
static void fish_condition(const struct cli *cli, const char *name)
{
    const char *space = strchr(name, ' ');

    say(stdout, "complete -c vouchsafe -n '__fish_seen_subcommand_from %.*s", (int)first_word(name),
        name);
    if (space != NULL) {
        say(stdout, "; and __fish_seen_subcommand_from %s'", space + 1);
    } else if (has_group(cli, name)) {
        say(stdout, "; and not __fish_seen_subcommand_from");
        print_words(cli, name);
        say(stdout, "'");
    } else {
        say(stdout, "'");
    }
}

static void fish_command(const struct cli *cli, const struct cli_option *options, size_t count,
                         size_t global_count)
{
    for (size_t i = global_count; i < count; i++) {
        const struct cli_option *o = &options[i];

        if (o->kind == OPTION_ALIAS)
            continue;
        fish_condition(cli, cli->command->name);
        say(stdout, " -l %s%s -d ", o->name,
            !takes_value(o) ? ""
            : takes_file(o) ? " -r -F"
                            : " -x");
        fish_text(o->help);
        say(stdout, "\n");
    }
    for (size_t i = 0; i < global_count && cli->command == cli->commands[0]; i++) {
        const struct cli_option *o = &options[i];

        say(stdout, "complete -c vouchsafe -l %s%s -d ", o->name,
            !takes_value(o) ? ""
            : takes_file(o) ? " -r -F"
                            : " -x");
        fish_text(o->help);
        say(stdout, "\n");
    }
}

static void fish_words(const struct cli *cli)
{
    for (size_t i = 0; i < cli->command_count; i++) {
        const struct cli_command *c = cli->commands[i];
        char word[64];

        (void)snprintf(word, sizeof word, "%.*s", (int)first_word(c->name), c->name);
        if (is_first_of_group(cli->commands, i)) {
            say(stdout, "complete -c vouchsafe -n '__fish_use_subcommand' -f -a %s -d ", word);
            fish_text(has_group(cli, word) ? "commands of this group" : c->summary);
            say(stdout, "\n");
        }
        if (strchr(c->name, ' ') == NULL)
            continue;
        say(stdout,
            "complete -c vouchsafe -n '__fish_seen_subcommand_from %s; and not "
            "__fish_seen_subcommand_from",
            word);
        print_words(cli, word);
        say(stdout, "' -f -a %s -d ", c->name + first_word(c->name) + 1);
        fish_text(c->summary);
        say(stdout, "\n");
    }
}

static void generate_fish(struct cli *cli)
{
    say(stdout, "# Completion of vouchsafe for fish. Made by the build.\n");
    fish_words(cli);
    each_command(cli, fish_command);
}

int generate(struct cli *cli, const char *kind)
{
    static const struct {
        const char *kind;
        void (*generate)(struct cli *cli);
    } kinds[] = {
        {"man",  generate_man },
        {"bash", generate_bash},
        {"zsh",  generate_zsh },
        {"fish", generate_fish},
    };

    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0) {
            kinds[i].generate(cli);
            return fflush(stdout) == 0 ? EXIT_DONE : EXIT_REACH;
        }
    return cli_usage_error(cli, "generate takes man, bash, zsh or fish, not '%s'", kind);
}
