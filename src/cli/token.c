#include <string.h>

#include "cli.h"

/* The entry of the settings without its hash. */
struct holder {
    const char *name, *role;
    const char *tenant; /* NULL: the default tenant */
};

static void print_snippet(const struct holder *h, const struct vs_token *token)
{
    say(stderr,
        "SHA-256: %s\n\n"
        "For the keystore's settings:\n\n"
        "tokens:\n"
        "  - name: %s\n"
        "    role: %s\n",
        token->sha256, h->name, h->role);
    if (h->tenant)
        say(stderr, "    tenant: %s\n", h->tenant);
    say(stderr, "    sha256: %s\n", token->sha256);
}

static void print_json(const struct holder *h, const char *out, const struct vs_token *token)
{
    struct cli_json j = {0};

    json_open(&j, NULL, '{');
    json_text(&j, "name", h->name);
    json_text(&j, "role", h->role);
    if (h->tenant)
        json_text(&j, "tenant", h->tenant);
    json_text(&j, "sha256", token->sha256);
    if (is_standard(out))
        json_text(&j, "token", token->text);
    else
        json_text(&j, "file", out);
    json_close(&j, '}');
    json_end();
}

static int save_token(const struct cli *cli, const char *path, const struct vs_token *token)
{
    char line[sizeof token->text + 1];
    enum vs_error e;

    (void)snprintf(line, sizeof line, "%s\n", token->text);
    e = vs_file_write(path, (struct vs_bytes){line, strlen(line)}, 0600, false);
    explicit_bzero(line, sizeof line);
    if (e == VS_OK)
        return PARSED;
    return fail(cli, e, "cannot write %s: %s", path, vs_error_text(e));
}

static bool is_plain_name(const char *text)
{
    const size_t size = strlen(text);

    return size > 0 && size <= 64 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") ==
               size;
}

static int run(struct cli *cli, int argc, char **argv)
{
    struct holder h = {.name = "worker-1", .role = "worker"};
    const char *out = NULL;
    const struct cli_option options[] = {
        {"name",   OPTION_TEXT, &h.name,   "NAME", "name in the log (default worker-1)",    0},
        {"role",   OPTION_TEXT, &h.role,   "ROLE", "worker (default), auditor or operator", 0},
        {"tenant", OPTION_TEXT, &h.tenant, "NAME",
         "tenant in the log (default: the default tenant)",                                 0},
        {"out",    OPTION_TEXT, &out,      "FILE", "write the token there, mode 0600",      0},
    };
    struct vs_token token;
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (strcmp(h.role, "worker") != 0 && strcmp(h.role, "auditor") != 0 &&
        strcmp(h.role, "operator") != 0)
        return cli_usage_error(cli, "--role is worker, auditor or operator");
    if (!is_plain_name(h.name) || (h.tenant && !is_plain_name(h.tenant)))
        return cli_usage_error(cli, "--name and --tenant take 1 to 64 letters, digits, '.', '_', "
                                    "':' and '-'");
    if (vs_token_make(&token) != VS_OK)
        return fail(cli, VS_ERR_INTERNAL, "cannot make a token");
    if (!is_standard(out))
        code = save_token(cli, out, &token);
    if (code == PARSED && cli->json)
        print_json(&h, out, &token);
    else if (code == PARSED) {
        if (is_standard(out))
            say(stdout, "%s\n", token.text);
        print_snippet(&h, &token);
    }
    vs_token_wipe(&token);
    return code == PARSED ? EXIT_DONE : code;
}

const struct cli_command command_token_new = {
    .name = "token new",
    .arguments = "",
    .summary = "make a bearer token and its entry for the settings",
    .help = "Makes a random token. The settings of the keystore hold only its SHA-256. The caller\n"
            "keeps the token itself in a file.\n"
            "\n"
            "Example:\n"
            "  vouchsafe token new --name executor-1 --role worker --out executor-1.token\n",
    .run = run,
};
