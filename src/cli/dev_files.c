#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev.h"

enum { TEXT_MAX = 16384 };

/* Text that grows up to TEXT_MAX; `failed` if it did not fit. */
struct text {
    char bytes[TEXT_MAX];
    size_t size;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(t->bytes + t->size, sizeof t->bytes - t->size, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= sizeof t->bytes - t->size)
        t->failed = true;
    else
        t->size += (size_t)size;
}

/* A double-quoted scalar: YAML 1.2 section 7.3.1. */
static void put_quoted(struct text *t, const char *value)
{
    put(t, "\"");
    for (const char *c = value; *c != '\0'; c++)
        put(t, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    put(t, "\"");
}

/* For a POSIX shell: in single quotes, where only the single quote needs an escape. */
static void put_shell(struct text *t, const char *value)
{
    put(t, "'");
    for (const char *c = value; *c != '\0'; c++)
        put(t, *c == '\'' ? "'\\''" : "%c", *c);
    put(t, "'");
}

static int save(const struct cli *cli, const struct dev *dev, const char *name,
                const struct text *t)
{
    char path[PATH_MAX];
    enum vs_error e;

    dev_path(dev, name, path);
    if (t->failed)
        return fail(cli, VS_ERR_TOO_LARGE, "cannot write %s: the paths in it are too long", path);
    e = vs_file_write(path, (struct vs_bytes){(const uint8_t *)t->bytes, t->size}, 0600, true);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot write %s: %s", path, vs_error_text(e));
}

void dev_path(const struct dev *dev, const char *name, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s/%s", dev->dir, name);
}

static bool is_printable(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

int dev_open(const struct cli *cli, const char *dir, struct dev *out)
{
    char path[PATH_MAX];

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(cli, VS_ERR_IO, "cannot make the directory %s: %s", dir, strerror(errno));
    if (realpath(dir, path) == NULL)
        return fail(cli, VS_ERR_IO, "cannot use the directory %s: %s", dir, strerror(errno));
    if (strlen(path) >= sizeof out->dir || !is_printable(path))
        return fail(cli, VS_ERR_MALFORMED,
                    "cannot use the directory %s: its path is longer than %zu bytes or has control "
                    "characters",
                    dir, sizeof out->dir - 1);
    memcpy(out->dir, path, strlen(path) + 1);
    return PARSED;
}

static int make_platform(const struct cli *cli, const struct dev *dev)
{
    static const struct vs_sim_collateral current = {0};
    struct vs_sim *sim = NULL;
    struct vs_blob bundle = {0};
    char path[PATH_MAX];
    enum vs_error e;

    dev_path(dev, "sim", path);
    e = vs_sim_create(path);
    if (e == VS_OK || e == VS_ERR_EXISTS)
        e = vs_sim_open(path, &sim);
    if (e == VS_OK)
        e = vs_sim_collateral(sim, &current, &bundle);
    if (e == VS_OK) {
        dev_path(dev, "collateral.json", path);
        e = vs_file_write(path, (struct vs_bytes){bundle.data, bundle.size}, 0644, true);
    }
    vs_blob_clear(&bundle);
    vs_sim_free(&sim);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot make %s: %s", path, vs_error_text(e));
}

static int make_token(const struct cli *cli, const struct dev *dev, const char *role,
                      struct text *yaml)
{
    struct vs_token token;
    char line[sizeof token.text + 1];
    char name[32];
    char path[PATH_MAX];
    enum vs_error e = vs_token_make(&token);

    if (e != VS_OK)
        return fail(cli, e, "cannot make a token: %s", vs_error_text(e));
    (void)snprintf(name, sizeof name, "%s.token", role);
    dev_path(dev, name, path);
    (void)snprintf(line, sizeof line, "%s\n", token.text);
    e = vs_file_write(path, (struct vs_bytes){(const uint8_t *)line, strlen(line)}, 0600, true);
    put(yaml, "  - {name: %s, role: %s, sha256: %s%s}\n", role, role, token.sha256,
        strcmp(role, "operator") == 0 ? ", may_explain: true, may_administer: true" : "");
    explicit_bzero(line, sizeof line);
    vs_token_wipe(&token);
    return e == VS_OK ? PARSED : fail(cli, e, "cannot write %s: %s", path, vs_error_text(e));
}

static int make_tokens(const struct cli *cli, const struct dev *dev)
{
    static const char *const roles[] = {"worker", "auditor", "operator"};
    static struct text yaml;
    char path[PATH_MAX];
    int code = PARSED;

    dev_path(dev, "tokens.yaml", path);
    if (access(path, F_OK) == 0)
        return PARSED;
    put(&yaml, "tokens:\n");
    for (size_t i = 0; i < COUNT_OF(roles) && code == PARSED; i++)
        code = make_token(cli, dev, roles[i], &yaml);
    return code == PARSED ? save(cli, dev, "tokens.yaml", &yaml) : code;
}

static int read_tokens(const struct cli *cli, const struct dev *dev, struct text *settings)
{
    struct vs_blob yaml = {0};
    char path[PATH_MAX];
    enum vs_error e;

    dev_path(dev, "tokens.yaml", path);
    e = vs_file_read(path, TEXT_MAX / 2, &yaml);
    if (e != VS_OK)
        return fail(cli, e, "cannot read %s: %s", path, vs_error_text(e));
    put(settings, "%.*s", (int)yaml.size, (const char *)yaml.data);
    vs_blob_clear(&yaml);
    return PARSED;
}

static void put_setting(struct text *t, const char *before, const struct dev *dev, const char *name,
                        const char *behind)
{
    char path[PATH_MAX];

    dev_path(dev, name, path);
    put(t, "%s", before);
    put_quoted(t, path);
    put(t, "%s", behind);
}

static int make_settings(const struct cli *cli, const struct dev *dev)
{
    static struct text t;
    uint8_t worker[32];
    char hex[65];
    enum vs_error e = vs_file_sha256("/proc/self/exe", worker);
    int code;

    if (e != VS_OK)
        return fail(cli, e, "cannot measure this program: %s", vs_error_text(e));
    hex_text(worker, sizeof worker, hex);
    put(&t,
        "# `vouchsafe dev` writes this file at each start. The TEE is simulated: this keystore\n"
        "# protects nothing. The policy accepts the `vouchsafe` command as the worker.\n");
    put_setting(&t, "state: {dir: ", dev, "state", "}\n");
    put(&t, "server: {host: 127.0.0.1, port: %u}\n", dev->port);
    put(&t, "tee: {provider: simulated, allow_simulated: true}\n"
            "log: {origin: localhost/dev}\n");
    if ((code = read_tokens(cli, dev, &t)) != PARSED)
        return code;
    put_setting(&t, "attestation:\n  trust_simulated_roots: [", dev, "sim/root_ca.pem", "]\n");
    put_setting(&t, "  collateral: [", dev, "collateral.json", "]\n");
    put(&t,
        "  policies:\n"
        "    - name: dev-worker\n"
        "      tee: simulated\n"
        "      mrenclave: [%s]\n"
        "      tcb_status: [UpToDate]\n",
        hex);
    return save(cli, dev, "vouchsafe.yaml", &t);
}

int dev_make(const struct cli *cli, const struct dev *dev)
{
    int code = make_platform(cli, dev);

    if (code == PARSED)
        code = make_tokens(cli, dev);
    return code == PARSED ? make_settings(cli, dev) : code;
}

int dev_write_env(const struct cli *cli, const struct dev *dev)
{
    static struct text t;
    char path[PATH_MAX];

    put(&t,
        "# `vouchsafe dev` wrote this file; source it in a shell.\n"
        "export VOUCHSAFE_URL=http://127.0.0.1:%u\n"
        "export VOUCHSAFE_DEV=",
        dev->port);
    put_shell(&t, dev->dir);
    put(&t, "\nexport VOUCHSAFE_PROFILE=");
    dev_path(dev, "profile", path);
    put_shell(&t, path);
    put(&t, "\n");
    return save(cli, dev, "env", &t);
}

int dev_write_profile(const struct dev *dev)
{
    char url[64], profile[PATH_MAX], token[PATH_MAX], root[PATH_MAX], daemon[PATH_MAX], hex[65];
    char *arguments[] = {
        "profile create", "--force", "--require-attestation", "--keystore-mrenclave", hex,
        "--trust-root",   root};
    static struct cli_profile empty;
    struct cli cli = {.command = &command_profile_create,
                      .url = url,
                      .token_file = token,
                      .profile_name = profile,
                      .profile = &empty,
                      .quiet = true};
    uint8_t keystore[32];
    enum vs_error e;

    if (!find_daemon(daemon))
        return fail(&cli, VS_ERR_NOT_FOUND,
                    "vouchsafed is neither next to this program nor in PATH");
    if ((e = vs_file_sha256(daemon, keystore)) != VS_OK)
        return fail(&cli, e, "cannot measure %s: %s", daemon, vs_error_text(e));
    hex_text(keystore, sizeof keystore, hex);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", dev->port);
    dev_path(dev, "profile", profile);
    dev_path(dev, "operator.token", token);
    dev_path(dev, "state/sim/root_ca.pem", root);
    const int code = command_profile_create.run(&cli, COUNT_OF(arguments), arguments);
    profile_clear(&empty);
    return code == EXIT_DONE ? PARSED : code;
}
