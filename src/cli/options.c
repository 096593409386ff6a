#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define HELP_CODE 1000

const char cli_exit_codes[] = "Exit codes:\n"
                              "  0  done\n"
                              "  1  the keystore refused, or a verification failed\n"
                              "  2  wrong usage\n"
                              "  3  the keystore cannot be reached, or input or output failed\n"
                              "  4  a local input is bad\n";

static size_t global_options(struct cli *cli, struct cli_option *out)
{
    const struct cli_option options[] = {
        {"url",           OPTION_TEXT,   &cli->url,           "URL",
         "address of the keystore, or unix:/path (default http://127.0.0.1:8081)",                                      0   },
        {"token-file",    OPTION_TEXT,   &cli->token_file,    "FILE", "file with the bearer token",                     0   },
        {"ca",            OPTION_TEXT,   &cli->ca,            "PEM",  "trust this CA for TLS",                          0   },
        {"pin",           OPTION_TEXT,   &cli->pin,           "HEX",  "accept only this TLS key (SHA-256 of its SPKI)", 0   },
        {"timeout",       OPTION_NUMBER, &cli->timeout_s,     "S",    "per request, seconds (default 30)",              3600},
        {"json",          OPTION_FLAG,   &cli->json,          NULL,   "print JSON for programs",                        0   },
        {"quiet",         OPTION_FLAG,   &cli->quiet,         NULL,   "print results and errors only; also -q",         0   },
        {"profile",       OPTION_TEXT,   &cli->profile_name,  "FILE",
         "take options that are not given from this profile (see `vouchsafe profile create`)",                          0   },
        {"insecure-http", OPTION_FLAG,   &cli->insecure_http, NULL,
         "allow http:// to another machine: tokens and keys are then readable on the way",                              0   },
    };
    memcpy(out, options, sizeof options);
    return COUNT_OF(options);
}

/* The option behind an old name. */
static const struct cli_option *find_option(const struct cli_option *options, size_t count,
                                            size_t index)
{
    if (options[index].kind != OPTION_ALIAS)
        return &options[index];
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, options[index].argument) == 0)
            return &options[i];
    return &options[index];
}

static void print_options(const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct cli_option *o = find_option(options, count, i);
        char left[64];

        (void)snprintf(left, sizeof left, "--%s%s%s", options[i].name,
                       o->argument == NULL ? "" : " ", o->argument == NULL ? "" : o->argument);
        say(stdout, "  %-24s %s\n", left, options[i].help);
    }
}

static int print_help(const struct cli *cli, const struct cli_option *options, size_t count,
                      size_t global_count)
{
    const struct cli_command *c = cli->command;

    say(stdout, "Usage: vouchsafe %s [OPTION]...%s%s\n\n", c->name, c->arguments[0] ? " " : "",
        c->arguments);
    (void)fputs(c->help, stdout);
    say(stdout, "\n");
    if (count > global_count) {
        say(stdout, "Options:\n");
        print_options(options + global_count, count - global_count);
        say(stdout, "\n");
    }
    say(stdout, "Common options:\n");
    print_options(options, global_count);
    say(stdout, "  %-24s %s\n\n", "--help", "this text");
    (void)fputs(cli_exit_codes, stdout);
    return EXIT_DONE;
}

int cli_usage_error(const struct cli *cli, const char *format, ...)
{
    const char *name = cli->command ? cli->command->name : "";
    const char *space = cli->command ? " " : "";
    char text[1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (cli->json || cli->json_asked) {
        (void)fputs("{\"error\":", stderr);
        json_print_string(stderr, text);
        say(stderr, ",\"code\":\"usage\",\"advice\":\"try `vouchsafe %s%s--help`\"}\n", name,
            space);
    } else {
        say(stderr, "vouchsafe: %s\nTry `vouchsafe %s%s--help`.\n", text, name, space);
    }
    return EXIT_USAGE;
}

static bool number_parse(const char *text, uint64_t max, struct cli_number *out)
{
    char *end = NULL;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return false;
    *out = (struct cli_number){true, value};
    return true;
}

int set_option(const struct cli *cli, const struct cli_option *o, const char *text,
               const char *where)
{
    struct cli_list *list = o->out;
    struct cli_hash *hash = o->out;

    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)o->out = true;
        return PARSED;
    case OPTION_TEXT:
        *(const char **)o->out = text;
        return PARSED;
    case OPTION_LIST:
        if (list->count == CLI_LIST_MAX)
            return cli_usage_error(cli, "%s--%s is given more than %d times", where, o->name,
                                   CLI_LIST_MAX);
        list->items[list->count++] = text;
        return PARSED;
    case OPTION_HASH:
        if (!hex_parse(text, hash->bytes, sizeof hash->bytes))
            return cli_usage_error(cli, "%s--%s takes 64 hex digits, not '%s'", where, o->name,
                                   text);
        hash->set = true;
        return PARSED;
    case OPTION_NUMBER:
        if (!number_parse(text, o->max, o->out))
            return cli_usage_error(cli, "%s--%s takes a number from 0 to %" PRIu64 ", not '%s'",
                                   where, o->name, o->max, text);
        return PARSED;
    case OPTION_ALIAS:
        break;
    }
    return PARSED;
}

int cli_parse_update(const struct cli *cli, const char *name, bool *early)
{
    *early = name != NULL && strcmp(name, "early") == 0;
    if (name == NULL || *early || strcmp(name, "standard") == 0)
        return PARSED;
    return cli_usage_error(cli, "--update takes standard or early, not '%s'", name);
}

/* getopt's own messages are replaced, because they do not name the subcommand. */
static int unknown_option(const struct cli *cli, int c, char **argv)
{
    const char *what = argv[optind - 1];

    if (c == ':')
        return cli_usage_error(cli, "%s needs a value", what);
    return cli_usage_error(cli, "there is no option %s, or it takes no value", what);
}

static int parse_table(struct cli *cli, int argc, char **argv, const char *order,
                       const struct cli_option *options, size_t count, bool *help)
{
    struct option longs[CLI_OPTIONS_MAX + 2] = {{0}};
    int c;

    assert(count <= CLI_OPTIONS_MAX);
    for (size_t i = 0; i < count; i++) {
        const bool flag = find_option(options, count, i)->kind == OPTION_FLAG;

        longs[i] = (struct option){options[i].name, flag ? no_argument : required_argument, NULL,
                                   (int)i + HELP_CODE + 1};
    }
    longs[count] = (struct option){"help", no_argument, NULL, HELP_CODE};
    optind = 0; /* glibc: start again */
    opterr = 0;
    while ((c = getopt_long(argc, argv, order, longs, NULL)) != -1) {
        if (c == HELP_CODE || c == 'h') {
            *help = true;
            return PARSED;
        }
        if (c == 'q') {
            cli->quiet = true;
            continue;
        }
        if (c < HELP_CODE)
            return unknown_option(cli, c, argv);
        const struct cli_option *o = find_option(options, count, (size_t)c - HELP_CODE - 1);
        int code = set_option(cli, o, optarg, "");
        if (code != PARSED)
            return code;
    }
    return PARSED;
}

int cli_parse(struct cli *cli, int argc, char **argv, const struct cli_option *options,
              size_t count)
{
    struct cli_option all[CLI_OPTIONS_MAX];
    const size_t global_count = global_options(cli, all);
    bool help = false;
    int code;

    if (count > 0)
        memcpy(all + global_count, options, count * sizeof all[0]);
    if (cli->describe != NULL) {
        cli->describe(cli, all, global_count + count, global_count);
        return EXIT_DONE;
    }
    code = parse_table(cli, argc, argv, ":hq", all, global_count + count, &help);
    if (code != PARSED)
        return code;
    if (help)
        return print_help(cli, all, global_count + count, global_count);
    cli->count = argc - optind;
    cli->arguments = argv + optind;
    if (cli->count < cli->command->arguments_min)
        return cli_usage_error(cli, "missing argument: %s", cli->command->arguments);
    if (cli->count > cli->command->arguments_max)
        return cli_usage_error(cli, "unexpected argument '%s'",
                               cli->arguments[cli->command->arguments_max]);
    return PARSED;
}

int cli_parse_global(struct cli *cli, int argc, char **argv, int *next)
{
    struct cli_option all[CLI_OPTIONS_MAX];
    const size_t count = global_options(cli, all);
    bool help = false;
    int code = parse_table(cli, argc, argv, "+:hq", all, count, &help);

    *next = help ? argc : optind;
    return code;
}
