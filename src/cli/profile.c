/* The profile: a file of `option = value` lines, the environment, and `vouchsafe profile`. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cli.h"

#define PROFILE_MAX 65536u
#define VARIABLE_MAX 64

/* The options that a profile can set, by name. */
#define PROFILE_OPTIONS(p)                                                                         \
    {"url", OPTION_TEXT, &(p)->url, "URL", "address of the keystore", 0},                          \
        {"token-file", OPTION_TEXT, &(p)->token_file, "FILE", "file with the bearer token", 0},    \
        {"ca", OPTION_TEXT, &(p)->ca, "PEM", "trust this CA for TLS", 0},                          \
        {"pin", OPTION_TEXT, &(p)->pin, "HEX", "accept only this TLS key", 0},                     \
        {"timeout", OPTION_NUMBER, &(p)->timeout_s, "S", "seconds per request", 3600},             \
        {"insecure-http",                                                                          \
         OPTION_FLAG,                                                                              \
         &(p)->insecure_http,                                                                      \
         NULL,                                                                                     \
         "allow http:// to another machine",                                                       \
         0},                                                                                       \
        {"identity", OPTION_HASH, &(p)->trust.identity, "HEX", "the keystore's identity key", 0},  \
        {"vkey", OPTION_TEXT, &(p)->vkey, "KEY", "the key of the keystore's log", 0},              \
        {"require-attestation",                                                                    \
         OPTION_FLAG,                                                                              \
         &(p)->trust.required,                                                                     \
         NULL,                                                                                     \
         "verify the keystore's evidence in every command",                                        \
         0},                                                                                       \
        JUDGE_OPTIONS((p)->trust)

static bool is_path(const char *name)
{
    static const char *const names[] = {"token-file", "ca", "keystore-policy", "trust-root",
                                        "collateral"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static char *trim(char *text)
{
    char *end = text + strlen(text);

    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static int set_flag(const struct cli *cli, const struct cli_option *o, const char *text,
                    const char *where)
{
    if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
        return cli_usage_error(cli, "%s%s takes yes or no, not '%s'", where, o->name, text);
    *(bool *)o->out = text[0] == 'y';
    return PARSED;
}

static int set_value(const struct cli *cli, const struct cli_option *o, const char *text,
                     const char *where)
{
    if (text[0] == '\0')
        return cli_usage_error(cli, "%s%s has no value", where, o->name);
    if (is_path(o->name) && text[0] != '/')
        return cli_usage_error(cli, "%s%s takes an absolute path, not '%s'", where, o->name, text);
    return o->kind == OPTION_FLAG ? set_flag(cli, o, text, where) : set_option(cli, o, text, where);
}

static const struct cli_option *find(const struct cli_option *options, size_t count,
                                     const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

static int parse_line(const struct cli *cli, char *line, const char *where,
                      const struct cli_option *options, size_t count)
{
    char *text = trim(line);
    char *equals = strchr(text, '=');

    if (text[0] == '\0' || text[0] == '#')
        return PARSED;
    if (equals == NULL)
        return cli_usage_error(cli, "%sexpected `option = value`, found '%s'", where, text);
    *equals = '\0';
    const char *name = trim(text);
    const struct cli_option *o = find(options, count, name);
    if (o == NULL)
        return cli_usage_error(cli,
                               "%sa profile cannot hold '%s' (`vouchsafe profile show --help` "
                               "lists what it can)",
                               where, name);
    return set_value(cli, o, trim(equals + 1), where);
}

static int parse_file(const struct cli *cli, const struct cli_option *options, size_t count)
{
    struct cli_profile *p = cli->profile;
    char *rest = (char *)p->text.data;
    int code = PARSED;

    if (memchr(p->text.data, 0, p->text.size) != NULL)
        return cli_usage_error(cli, "%s is not a profile: it holds a zero byte", p->path);
    for (unsigned number = 1; rest != NULL && code == PARSED; number++) {
        char where[PATH_MAX + 16];
        char *line = strsep(&rest, "\n");

        (void)snprintf(where, sizeof where, "%s:%u: ", p->path, number);
        code = parse_line(cli, line, where, options, count);
    }
    return code;
}

/* "VOUCHSAFE_TOKEN_FILE" */
static void variable_name(const char *option, char out[VARIABLE_MAX])
{
    size_t size = (size_t)snprintf(out, VARIABLE_MAX, "VOUCHSAFE_%s", option);

    for (size_t i = 0; i < size && i < VARIABLE_MAX; i++)
        if (out[i] == '-')
            out[i] = '_';
        else
            out[i] = (char)toupper((unsigned char)out[i]);
}

/* Lists are separated by commas, and replace the file's. */
static int set_list(const struct cli *cli, const struct cli_option *o, const char *text,
                    const char *where)
{
    struct cli_profile *p = cli->profile;
    char *rest = strdup(text);
    int code = PARSED;

    if (rest == NULL)
        return fail(cli, VS_ERR_MEMORY, "out of memory");
    p->copies[p->copy_count++] = rest;
    *(struct cli_list *)o->out = (struct cli_list){0};
    while (rest != NULL && code == PARSED)
        code = set_value(cli, o, trim(strsep(&rest, ",")), where);
    return code;
}

static int parse_environment(const struct cli *cli, const struct cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[VARIABLE_MAX];
        char where[VARIABLE_MAX + 4];
        int code = PARSED;

        variable_name(options[i].name, name);
        const char *text = getenv(name);
        if (text == NULL || text[0] == '\0')
            continue;
        (void)snprintf(where, sizeof where, "%s: ", name);
        if (options[i].kind == OPTION_LIST)
            code = set_list(cli, &options[i], text, where);
        else if (options[i].kind == OPTION_TEXT)
            *(const char **)options[i].out = text; /* paths of a shell may be relative */
        else
            code = set_value(cli, &options[i], text, where);
        if (code != PARSED)
            return code;
    }
    return PARSED;
}

/* The path of the profile; `*named`: the user chose it. "" when there is no home directory. */
static int find_path(const struct cli *cli, char out[PATH_MAX], bool *named)
{
    const char *name = cli->profile_name != NULL ? cli->profile_name : getenv("VOUCHSAFE_PROFILE");
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int size = 0;

    *named = name != NULL && name[0] != '\0';
    out[0] = '\0';
    if (*named)
        size = snprintf(out, PATH_MAX, "%s", name);
    else if (config != NULL && config[0] == '/')
        size = snprintf(out, PATH_MAX, "%s/vouchsafe/profile", config);
    else if (home != NULL && home[0] == '/')
        size = snprintf(out, PATH_MAX, "%s/.config/vouchsafe/profile", home);
    return size < PATH_MAX ? PARSED : cli_usage_error(cli, "the path of the profile is too long");
}

static int read_profile(const struct cli *cli, const struct cli_option *options, size_t count)
{
    struct cli_profile *p = cli->profile;
    struct vs_why why = {0};
    bool named = false;
    int code = find_path(cli, p->path, &named);

    if (code != PARSED || p->path[0] == '\0')
        return code;
    const enum vs_error e = vs_trusted_file_read(p->path, PROFILE_MAX, &p->text, &why);
    if (e == VS_ERR_NOT_FOUND && !named) {
        p->path[0] = '\0';
        return PARSED;
    }
    if (e != VS_OK)
        return fail(cli, e, "cannot use the profile %s: %s", p->path,
                    why.text[0] != '\0' ? why.text : vs_error_text(e));
    return parse_file(cli, options, count);
}

int load_profile(const struct cli *cli)
{
    struct cli_profile *p = cli->profile;
    const struct cli_option options[] = {PROFILE_OPTIONS(p)};
    int code;

    if (p->loaded)
        return PARSED;
    if ((code = read_profile(cli, options, COUNT_OF(options))) != PARSED ||
        (code = parse_environment(cli, options, COUNT_OF(options))) != PARSED)
        return code;
    p->loaded = true;
    return PARSED;
}

void profile_clear(struct cli_profile *p)
{
    for (size_t i = 0; i < p->copy_count; i++)
        free(p->copies[i]);
    vs_blob_clear(&p->text);
    *p = (struct cli_profile){0};
}

/* ---- writing and showing ---- */

/* Prints only options with a value. */
static bool has_value(const struct cli_option *o)
{
    switch (o->kind) {
    case OPTION_FLAG:
        return *(bool *)o->out;
    case OPTION_TEXT:
        return *(const char **)o->out != NULL;
    case OPTION_LIST:
        return ((struct cli_list *)o->out)->count > 0;
    case OPTION_HASH:
        return ((struct cli_hash *)o->out)->set;
    case OPTION_NUMBER:
        return ((struct cli_number *)o->out)->set;
    case OPTION_ALIAS:
        break;
    }
    return false;
}

static void value_text(const struct cli_option *o, size_t index, char *out, size_t size)
{
    const struct cli_number *number = o->out;
    const struct cli_hash *hash = o->out;
    const struct cli_list *list = o->out;

    if (o->kind == OPTION_FLAG)
        (void)snprintf(out, size, "yes");
    else if (o->kind == OPTION_TEXT)
        (void)snprintf(out, size, "%s", *(const char **)o->out);
    else if (o->kind == OPTION_LIST)
        (void)snprintf(out, size, "%s", list->items[index]);
    else if (o->kind == OPTION_NUMBER)
        (void)snprintf(out, size, "%llu", (unsigned long long)number->value);
    else
        hex_text(hash->bytes, sizeof hash->bytes, out);
}

static size_t value_count(const struct cli_option *o)
{
    if (!has_value(o))
        return 0;
    return o->kind == OPTION_LIST ? ((struct cli_list *)o->out)->count : 1;
}

static void write_lines(FILE *file, const struct cli_option *options, size_t count)
{
    char text[PATH_MAX];

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < value_count(&options[i]); k++) {
            value_text(&options[i], k, text, sizeof text);
            say(file, "%s = %s\n", options[i].name, text);
        }
}

static void print_json(const struct cli_option *options, size_t count, const char *path)
{
    struct cli_json j = {0};
    char text[PATH_MAX];

    json_open(&j, NULL, '{');
    json_text(&j, "path", path);
    for (size_t i = 0; i < count; i++) {
        if (!has_value(&options[i]))
            continue;
        if (options[i].kind == OPTION_LIST)
            json_open(&j, options[i].name, '[');
        for (size_t k = 0; k < value_count(&options[i]); k++) {
            value_text(&options[i], k, text, sizeof text);
            if (options[i].kind == OPTION_FLAG)
                json_flag(&j, options[i].name, true);
            else if (options[i].kind == OPTION_NUMBER)
                json_raw(&j, options[i].name, text);
            else
                json_text(&j, options[i].kind == OPTION_LIST ? NULL : options[i].name, text);
        }
        if (options[i].kind == OPTION_LIST)
            json_close(&j, ']');
    }
    json_close(&j, '}');
    json_end();
}

static int run_show(struct cli *cli, int argc, char **argv)
{
    const struct cli_option options[] = {PROFILE_OPTIONS(cli->profile)};
    int code = cli_parse(cli, argc, argv, NULL, 0);

    if (code != PARSED || (code = load_profile(cli)) != PARSED)
        return code;
    if (cli->json) {
        print_json(options, COUNT_OF(options), cli->profile->path);
        return EXIT_DONE;
    }
    if (cli->profile->path[0] == '\0')
        say(stdout, "# There is no profile. `vouchsafe profile create` makes one.\n");
    else
        say(stdout, "# %s\n", cli->profile->path);
    write_lines(stdout, options, COUNT_OF(options));
    return EXIT_DONE;
}

const struct cli_command command_profile_show = {
    .name = "profile show",
    .arguments = "",
    .summary = "show the profile and the values from the environment",
    .help =
        "Prints the values that commands use when the command line does not give them. They come\n"
        "from the profile and from the environment. A value of the environment replaces the\n"
        "value of the profile: VOUCHSAFE_URL for url, VOUCHSAFE_KEYSTORE_MRENCLAVE for "
        "keystore-mrenclave,\n"
        "and so on. Lists in the environment are separated by commas.\n\n"
        "The profile is the file that --profile or $VOUCHSAFE_PROFILE names, else\n"
        "~/.config/vouchsafe/profile. It must belong to you or to root, and no other user may be\n"
        "able to write to it. Each line is `option = value`. Options are url, token-file, ca, "
        "pin,\n"
        "timeout, insecure-http, identity, vkey, require-attestation, keystore-mrenclave,\n"
        "keystore-mrsigner, keystore-isvprodid, keystore-min-isvsvn, accept-status, grace-days,\n"
        "min-evaluation, accept-advisory, keystore-policy, trust-root, collateral and\n"
        "fetch-collateral. Flags take yes or no. Paths are absolute.\n\n"
        "Example:\n"
        "  vouchsafe profile show\n",
    .run = run_show,
};

struct create_options {
    struct cli_trust trust;
    const char *vkey;
    bool force;
};

/* A relative path would name another file in another directory. */
static int make_absolute(const struct cli *cli, const char **path)
{
    struct cli_profile *p = cli->profile;

    if (*path == NULL || (*path)[0] == '/')
        return PARSED;
    char *absolute = realpath(*path, NULL);
    if (absolute == NULL)
        return fail(cli, errno == ENOENT ? VS_ERR_NOT_FOUND : VS_ERR_IO, "cannot find %s: %s",
                    *path, strerror(errno));
    if (p->copy_count == COUNT_OF(p->copies)) {
        free(absolute);
        return cli_usage_error(cli, "there are too many paths");
    }
    p->copies[p->copy_count++] = absolute;
    *path = absolute;
    return PARSED;
}

static int make_paths_absolute(const struct cli *cli, struct cli_profile *p)
{
    const char **paths[] = {&p->token_file, &p->ca, &p->trust.policy, &p->trust.trust_root};
    int code = PARSED;

    for (size_t i = 0; i < COUNT_OF(paths) && code == PARSED; i++)
        code = make_absolute(cli, paths[i]);
    for (size_t i = 0; i < p->trust.collateral.count && code == PARSED; i++)
        code = make_absolute(cli, &p->trust.collateral.items[i]);
    return code;
}

/* Makes each directory above the file, 0700. */
static int make_directories(const struct cli *cli, const char *path)
{
    char directory[PATH_MAX];

    (void)snprintf(directory, sizeof directory, "%s", path);
    for (char *p = directory + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdir(directory, 0700) != 0 && errno != EEXIST)
            return fail(cli, VS_ERR_IO, "cannot make the directory %s: %s", directory,
                        strerror(errno));
        *p = '/';
    }
    return PARSED;
}

static int write_profile(const struct cli *cli, struct cli_profile *p, bool force)
{
    const struct cli_option options[] = {PROFILE_OPTIONS(p)};
    char *text = NULL;
    size_t size = 0;
    char now[32];
    FILE *memory = open_memstream(&text, &size);
    int code = make_directories(cli, p->path);

    if (memory == NULL)
        return fail(cli, VS_ERR_MEMORY, "out of memory");
    time_text((int64_t)time(NULL), now);
    say(memory, "# Made by `vouchsafe profile create` at %s.\n", now);
    write_lines(memory, options, COUNT_OF(options));
    if (fclose(memory) != 0 && code == PARSED)
        code = fail(cli, VS_ERR_MEMORY, "out of memory");
    if (code == PARSED) {
        const enum vs_error e = vs_file_write(p->path, (struct vs_bytes){text, size}, 0600, force);

        if (e == VS_ERR_EXISTS)
            code = fail(cli, e, "%s exists already; replace it with --force", p->path);
        else if (e != VS_OK)
            code = fail(cli, e, "cannot write %s: %s", p->path, vs_error_text(e));
    }
    free(text);
    return code;
}

/* Makes a profile from the options and the keystore's evidence. */
static int fill_profile(const struct cli *cli, const struct create_options *o,
                        const struct cli_proof *proof, struct cli_profile *out)
{
    static char pin[2 * VS_HASH_SIZE + 1];
    const struct cli_profile *environment = cli->profile;

    out->url = keystore_url(cli);
    out->token_file = cli->token_file != NULL ? cli->token_file : environment->token_file;
    out->ca = cli->ca != NULL ? cli->ca : environment->ca;
    out->pin = cli->pin != NULL ? cli->pin : environment->pin;
    out->insecure_http = cli->insecure_http || environment->insecure_http;
    out->timeout_s = cli->timeout_s.set ? cli->timeout_s : environment->timeout_s;
    out->trust = o->trust;
    out->trust.required = false;
    out->trust.identity.set = true;
    memcpy(out->trust.identity.bytes, proof->keystore.identity_key, VS_KEY_SIZE);
    out->vkey = o->vkey != NULL ? o->vkey : environment->vkey;
    if (proof->kind == PROOF_ATTESTED && out->vkey == NULL)
        out->vkey = proof->keystore.log_vkey;
    if (proof->kind == PROOF_ATTESTED && proof->keystore.tls_bound) {
        hex_text(proof->keystore.tls_spki_sha256, VS_HASH_SIZE, pin);
        out->pin = pin;
    }
    return make_paths_absolute(cli, out);
}

/* A new profile uses the environment, but not an old profile. */
static int start_anew(const struct cli *cli)
{
    const struct cli_option options[] = {PROFILE_OPTIONS(cli->profile)};
    bool named = false;
    int code = find_path(cli, cli->profile->path, &named);

    if (code == PARSED)
        code = parse_environment(cli, options, COUNT_OF(options));
    cli->profile->loaded = true;
    if (code == PARSED && cli->profile->path[0] == '\0')
        code = cli_usage_error(cli, "say where the profile goes: --profile, or set HOME");
    return code;
}

static int create(const struct cli *cli, struct create_options *o)
{
    struct cli_profile made = {0};
    struct cli_proof proof;
    struct vs_client *c = NULL;
    int code;

    if ((code = start_anew(cli)) != PARSED ||
        (code = settle_trust(cli, &o->trust, "its identity")) != PARSED ||
        (code = open_client(cli, &c)) != PARSED ||
        (code = prove_keystore(cli, c, &o->trust, &proof)) != PARSED)
        goto out;
    memcpy(made.path, cli->profile->path, sizeof made.path);
    if ((code = fill_profile(cli, o, &proof, &made)) != PARSED ||
        (code = write_profile(cli, &made, o->force)) != PARSED)
        goto out;
    if (cli->json) {
        const struct cli_option options[] = {PROFILE_OPTIONS(&made)};

        print_json(options, COUNT_OF(options), made.path);
    } else if (!cli->quiet) {
        say(stdout, "%s the keystore at %s. Wrote %s.\n",
            proof.kind == PROOF_ATTESTED ? "Verified" : "Pinned", made.url, made.path);
    }
    code = EXIT_DONE;
out:
    vs_client_free(&c);
    return code;
}

static int run_create(struct cli *cli, int argc, char **argv)
{
    struct create_options o = {0};
    const struct cli_option options[] = {
        {"vkey",  OPTION_TEXT, &o.vkey,  "KEY", "with --identity: the key of the keystore's log", 0},
        {"force", OPTION_FLAG, &o.force, NULL,  "replace a profile that exists",                  0},
        KEYSTORE_OPTIONS(o.trust),
    };
    int code = cli_parse(cli, argc, argv, options, COUNT_OF(options));

    if (code != PARSED)
        return code;
    if (o.trust.unverified)
        return cli_usage_error(cli, "a profile pins the keystore, so it is not made from one that "
                                    "is not verified: omit --unverified");
    return create(cli, &o);
}

const struct cli_command command_profile_create = {
    .name = "profile create",
    .arguments = "",
    .summary = "verify a keystore once, and save the result for later commands",
    .help =
        "Verifies the keystore's evidence and writes a profile: its URL, your token file, its\n"
        "identity key, the key of its log, its TLS key, and what you accept. Later commands take\n"
        "these values from the profile. They accept only what this identity signs, until the\n"
        "keystore gets a new root. With --require-attestation they verify the evidence each time.\n"
        "With --identity, a key that you know from elsewhere is pinned without evidence.\n\n"
        "Example:\n"
        "  vouchsafe profile create --url https://keystore.example:8081 --require-attestation \\\n"
        "      --keystore-mrenclave 5f3e... --token-file worker.token\n"
        "  vouchsafe encrypt --seed SEED < secrets.json\n",
    .run = run_create,
};
