#include "daemon/settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/dotenv.h"
#include "daemon/settings_values.h"

/* What is known while settings are being loaded. */
struct loader {
    struct settings settings;
    struct settings_problem *problem;
    bool stated[SETTINGS_ROWS_MAX]; /* given by a file or variable, not by default */
    bool named_by_mode;             /* the provider was named by TEE_MODE */
};

/* Variables of NEAR OutLayer's worker that mean nothing here. Their values are never looked at. */
static const char *const unused_variables[] = {
    "ALLOWED_COORDINATOR_TOKEN_HASHES",
    "OFFCHAINVM_CONTRACT_ID",
    "KEYSTORE_ACCOUNT_ID",
    "KEYSTORE_PRIVATE_KEY",
    "OPERATOR_ACCOUNT_ID",
    "REGISTER_CONTRACT_ID",
    "KEYSTORE_DAO_CONTRACT",
    "INIT_ACCOUNT_ID",
    "INIT_ACCOUNT_PRIVATE_KEY",
    "MPC_CONTRACT_ID",
    "MPC_PUBLIC_KEY",
    "MPC_DOMAIN_ID",
    "KEYSTORE_KEY_TYPE",
    "TEE_ALLOWED_KEY_TYPES",
    "LOG_MASTER_KEY_HASH",
    "KEYSTORE_MASTER_SECRET_OUT_PATH",
    "DSTACK_SIMULATOR_ENDPOINT",
};

/* Variables that are not rows of the table. */
static const struct {
    const char *name;
    enum role role;
} hash_variables[] = {
    {"ALLOWED_WORKER_TOKEN_HASHES",   ROLE_WORKER  },
    {"ALLOWED_OPERATOR_TOKEN_HASHES", ROLE_OPERATOR}
};

/* One set of variables: the process environment, or a .env file. */
struct variables {
    const char *file;
    char **environment;          /* this, */
    const struct dotenv *dotenv; /* or this */
};

/* The value of "NAME=VALUE" when its name is `name`, else NULL. */
static char *pair_value(char *pair, const char *name)
{
    size_t size = strlen(name);

    return strncmp(pair, name, size) == 0 && pair[size] == '=' ? pair + size + 1 : NULL;
}

static const char *variable_find(const struct variables *v, const char *name, unsigned *line)
{
    const struct dotenv_entry *entry = v->dotenv ? dotenv_find(v->dotenv, name) : NULL;

    *line = entry ? entry->line : 0;
    if (entry)
        return entry->value;
    for (char **pair = v->environment; pair && *pair; pair++) {
        char *value = pair_value(*pair, name);

        if (value)
            return value;
    }
    return NULL;
}

/* Calls for the name of each variable; names only, so that no value is touched. */
MUST_CHECK static enum err variables_each(const struct variables *v, struct loader *l,
                                          MUST_CHECK enum err (*each)(struct loader *l,
                                                                      const struct variables *v,
                                                                      const char *name))
{
    enum err e = ERR_NONE;

    for (size_t i = 0; v->dotenv && i < v->dotenv->count && e == ERR_NONE; i++)
        e = each(l, v, v->dotenv->entries[i].name);
    for (char **pair = v->environment; pair && *pair && e == ERR_NONE; pair++) {
        char name[DOTENV_NAME_MAX + 1];
        size_t size = strcspn(*pair, "=");

        if (size <= DOTENV_NAME_MAX &&
            span_to_string(span_of(*pair, size), name, sizeof name) == ERR_NONE)
            e = each(l, v, name);
    }
    return e;
}

/* TEE_MODE is forgiving about case, quotes and white space (spec: OutLayer 7.1). */
static void mode_normalise(const char *text, char out[32])
{
    size_t size = 0;

    for (; *text && size < 31; text++)
        if (!strchr(" \t\"'", *text))
            out[size++] = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    out[size] = '\0';
}

MUST_CHECK static enum err provider_set(struct loader *l, const struct setting *row,
                                        const struct settings_source *source, const char *text)
{
    char mode[32];

    if (source->variable) {
        mode_normalise(text, mode);
        text = strcmp(mode, "sev") == 0 ? "snp" : mode; /* OutLayer's name for it */
    }
    if (strcmp(text, "outlayer_tee") == 0) {
        settings_problem_set(l->problem, source->file, source->line, "tee.provider",
                             "outlayer_tee says how callers register, not what this machine is; "
                             "name it, or auto");
        return ERR_CONFIG;
    }
    l->named_by_mode = source->variable != NULL;
    return settings_set(&l->settings, row, source, text, l->problem);
}

MUST_CHECK static enum err row_set(struct loader *l, const struct setting *row,
                                   const struct settings_source *source, const char *text)
{
    l->stated[setting_index(row)] = true;
    if (row == setting_find("tee", "provider"))
        return provider_set(l, row, source, text);
    return settings_set(&l->settings, row, source, text, l->problem);
}

MUST_CHECK static enum err defaults_set(struct loader *l)
{
    static const struct settings_source source = {.file = "built-in default"};
    enum err e = ERR_NONE;

    for (size_t i = 0; i < settings_table_count && e == ERR_NONE; i++) {
        const struct setting *row = &settings_table[i];

        if (row->size > 0 && row->standard)
            e = settings_set(&l->settings, row, &source, row->standard, l->problem);
    }
    return e;
}

MUST_CHECK static enum err yaml_row_set(struct loader *l, const struct setting *row,
                                        const struct settings_cell *cell, const char *file)
{
    struct settings_source source = {.file = file};
    char name[SETTINGS_NAME_SIZE];
    enum err e;

    setting_name(row, name);
    if (row->type == SETTING_SECRET) {
        settings_problem_set(l->problem, file, 0, name,
                             "a secret does not belong in this file; remove it, and give it as %s "
                             "in the environment",
                             row->variable);
        return ERR_CONFIG;
    }
    if (row->type != SETTING_TEXTS)
        return row_set(l, row, &source, cell->data);
    e = settings_set_texts(&l->settings, row, cell->data, cell->count);
    return e == ERR_MALFORMED ? settings_refuse(row, &source, name, "an empty path", l->problem)
                              : e;
}

MUST_CHECK static enum err yaml_set(struct loader *l, struct span text, const char *file)
{
    struct settings_yaml *yaml = NULL;
    enum err e = settings_yaml_load(text, file, &yaml, l->problem);

    for (size_t i = 0; i < settings_table_count && e == ERR_NONE; i++) {
        const struct setting *row = &settings_table[i];

        if (row->size > 0 && settings_yaml_cell(yaml, row)->data)
            e = yaml_row_set(l, row, settings_yaml_cell(yaml, row), file);
    }
    if (e == ERR_NONE)
        e = settings_read_tokens(&l->settings, yaml, text, file, l->problem);
    if (e == ERR_NONE)
        e = settings_read_policies(&l->settings, yaml, text, file, l->problem);
    if (e == ERR_NONE)
        e = settings_read_collateral(&l->settings, yaml, file, l->problem);
    settings_yaml_free(&yaml);
    return e;
}

MUST_CHECK static enum err variable_set(struct loader *l, const struct variables *v,
                                        const struct setting *row, const char *name)
{
    struct settings_source source = {.file = v->file, .variable = name};
    const char *text = name ? variable_find(v, name, &source.line) : NULL;

    return text ? row_set(l, row, &source, text) : ERR_NONE;
}

MUST_CHECK static enum err variables_set(struct loader *l, const struct variables *v)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < settings_table_count && e == ERR_NONE; i++) {
        e = variable_set(l, v, &settings_table[i], settings_table[i].alias);
        if (e == ERR_NONE)
            e = variable_set(l, v, &settings_table[i], settings_table[i].variable);
    }
    return e;
}

/* Each list once, from the environment or else from .env. */
MUST_CHECK static enum err hashes_set(struct loader *l, const struct variables *strong,
                                      const struct variables *weak)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < COUNT_OF(hash_variables) && e == ERR_NONE; i++) {
        struct settings_source source = {.file = strong->file, .variable = hash_variables[i].name};
        const char *list = variable_find(strong, source.variable, &source.line);

        if (!list) {
            list = variable_find(weak, source.variable, &source.line);
            source.file = weak->file;
        }
        if (list)
            e = settings_add_hashes(&l->settings, &source, list, hash_variables[i].role,
                                    l->problem);
    }
    return e;
}

static bool variable_known(const char *name)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];

        if ((row->variable && strcmp(row->variable, name) == 0) ||
            (row->alias && strcmp(row->alias, name) == 0))
            return true;
    }
    return false;
}

/* VOUCHSAFE_<section>_...: meant as a setting, so a misspelt one must not pass unseen. */
static bool variable_meant_as_setting(const char *name)
{
    static const char prefix[] = "VOUCHSAFE_";
    const char *rest = name + sizeof prefix - 1;

    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return false;
    for (size_t i = 0; i < settings_table_count; i++) {
        const char *group = settings_table[i].group;
        size_t size = strlen(group);

        if (size > 0 && strncasecmp(rest, group, size) == 0 && rest[size] == '_')
            return true;
    }
    return false;
}

static bool variable_unused(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(unused_variables); i++)
        if (strcmp(name, unused_variables[i]) == 0)
            return true;
    return strncmp(name, "NEAR_", 5) == 0;
}

MUST_CHECK static enum err variable_check(struct loader *l, const struct variables *v,
                                          const char *name)
{
    unsigned line;
    const char *value;

    if (variable_unused(name)) {
        settings_warn(&l->settings, "%s: %s is not used by this version", v->file, name);
    } else if (strcmp(name, "USE_TEE_REGISTRATION") == 0) {
        value = variable_find(v, name, &line);
        if (value && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0) {
            settings_problem_set(l->problem, v->file, line, "",
                                 "USE_TEE_REGISTRATION: this version does not take its root from "
                                 "the MPC network; set it to false or remove it");
            return ERR_CONFIG;
        }
    } else if (variable_meant_as_setting(name) && !variable_known(name)) {
        (void)variable_find(v, name, &line);
        settings_problem_set(l->problem, v->file, line, "",
                             "%s: there is no such setting; correct or remove it (--help lists "
                             "them)",
                             name);
        return ERR_CONFIG;
    }
    return ERR_NONE;
}

static bool is_loopback(const char *host)
{
    return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

MUST_CHECK static enum err blame(struct settings_problem *problem, const char *setting,
                                 const char *what)
{
    settings_problem_set(problem, "settings", 0, setting, "%s", what);
    return ERR_CONFIG;
}

MUST_CHECK static enum err check_tee(const struct settings *s, struct settings_problem *problem)
{
    unsigned long seen = 0;
    const char *at = s->tee.tpm2_pcrs;

    if (s->tee.provider == TEE_PROVIDER_UNSET)
        return blame(problem, "tee.provider",
                     "not set; it must be named: auto, sgx, snp, tdx, tpm2, none, or simulated for "
                     "trials. Write `tee: {provider: auto}` in the YAML file, or set TEE_MODE");
    if (s->tee.provider == TEE_PROVIDER_SIMULATED && !s->tee.allow_simulated)
        return blame(problem, "tee.allow_simulated",
                     "the simulated TEE protects nothing, so it must be allowed in so many words: "
                     "set this to true for a trial, or name another tee.provider");
    if (s->tee.provider == TEE_PROVIDER_NONE && s->tee.sealing == TEE_SEALING_TPM2)
        return blame(problem, "tee.sealing",
                     "tpm2, but tee.provider is none, which seals nothing; to seal without "
                     "evidence name the provider tpm2");
    for (;;) { /* comma list of 0..23, each once */
        size_t digits = strspn(at, "0123456789");
        unsigned long pcr = digits > 0 && digits <= 2 ? strtoul(at, NULL, 10) : 24;

        if (pcr > 23 || (digits == 2 && at[0] == '0') || (seen >> pcr & 1) ||
            (at[digits] != ',' && at[digits] != '\0'))
            return blame(problem, "tee.tpm2_pcrs",
                         "must be a comma list of PCR numbers from 0 to 23, each once, such as "
                         "0,7; correct it");
        seen |= 1ul << pcr;
        if (at[digits] == '\0')
            return ERR_NONE;
        at += digits + 1;
    }
}

MUST_CHECK static enum err check_tls(struct settings *s, struct settings_problem *problem)
{
    bool files = *s->tls.certificate_file || *s->tls.key_file;

    if (s->tls.mode == TLS_MODE_FILES && (!*s->tls.certificate_file || !*s->tls.key_file))
        return blame(problem, *s->tls.certificate_file ? "tls.key_file" : "tls.certificate_file",
                     "not set, but tls.mode is files; name the file, or choose another mode");
    if (s->tls.mode != TLS_MODE_FILES && files)
        return blame(problem, "tls.mode",
                     "a certificate or key file is named, but would not be used; set this to "
                     "files, or remove the file settings");
    if (s->tls.mode != TLS_MODE_SELF_SIGNED && s->tls.evidence != TLS_EVIDENCE_NONE)
        return blame(problem, "tls.evidence",
                     "only a certificate that the keystore makes itself can carry its evidence; "
                     "set tls.mode to self-signed, or this to none");
    if (s->tls.mode == TLS_MODE_OFF && s->tls.client_evidence)
        return blame(problem, "tls.client_evidence",
                     "clients show certificates in TLS only; set tls.mode, or this to false");
    if (!settings_plain_name(s->tls.name, 253))
        return blame(problem, "tls.name", "must be a DNS name or a numeric address; correct it");
    if (s->tls.mode == TLS_MODE_OFF && !is_loopback(s->server.host))
        settings_warn(s,
                      "tls.mode: off while listening on %s: tokens and replies travel in the "
                      "clear unless a gateway ends TLS in front",
                      s->server.host);
    return ERR_NONE;
}

MUST_CHECK static enum err check_server(const struct settings *s, struct settings_problem *problem)
{
    struct in6_addr address;

    if (inet_pton(AF_INET, s->server.host, &address) != 1 &&
        inet_pton(AF_INET6, s->server.host, &address) != 1)
        return blame(problem, "server.host",
                     "must be a numeric IPv4 or IPv6 address, such as 0.0.0.0 or ::1; correct it");
    if (s->server.head_timeout_ms > s->server.request_timeout_ms)
        return blame(problem, "server.head_timeout_ms",
                     "must not exceed server.request_timeout_ms, which includes it; lower it");
    return ERR_NONE;
}

/* One part of log.level as log_configure() takes it: `level` or `module=level`. */
MUST_CHECK static enum err level_check(void *context, struct span part)
{
    static const char *const levels[] = {"error", "warn", "info", "debug", "trace"};
    const uint8_t *equals = memchr(part.data, '=', part.size);
    size_t *modules = context;
    struct span level = part;

    if (equals) {
        size_t name_size = (size_t)(equals - part.data);

        if (name_size == 0 || name_size > 23 || ++*modules > 16)
            return ERR_CONFIG;
        level = span_slice(part, name_size + 1, part.size);
    }
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (span_equal_string(level, levels[i]))
            return ERR_NONE;
    return ERR_CONFIG;
}

MUST_CHECK static enum err check_log(const struct settings *s, struct settings_problem *problem)
{
    size_t modules = 0;

    if (strpbrk(s->log.level, " \t") || settings_split(s->log.level, level_check, &modules))
        return blame(problem, "log.level",
                     "must be error, warn, info or debug, or a comma list that also has "
                     "module=level (at most 16); correct it, or VOUCHSAFE_LOG, or RUST_LOG");
    for (const char *c = s->log.origin; *c; c++)
        if (*c <= ' ' || *c > '~' || *c == '+')
            return blame(problem, "log.origin",
                         "must be printable ASCII without spaces and + (it is the name in signed "
                         "notes); correct it");
    return ERR_NONE;
}

MUST_CHECK static enum err check_policy_tokens(const struct settings *s,
                                               struct settings_problem *problem)
{
    for (size_t p = 0; p < s->attestation.policy_count; p++) {
        const struct appraisal_rule *rule = &s->attestation.policies[p];

        for (size_t t = 0; t < rule->token_count; t++) {
            size_t i = 0;

            while (i < s->token_count && strcmp(s->tokens[i].name, rule->tokens[t]) != 0)
                i++;
            if (i == s->token_count) {
                settings_problem_set(problem, "settings", 0, "attestation.policies",
                                     "policy %s is for the token %s, which does not exist; add "
                                     "the token, or correct the name",
                                     rule->name, rule->tokens[t]);
                return ERR_CONFIG;
            }
        }
    }
    return ERR_NONE;
}

/* What binds no nonce and no time can be presented by whoever has it, or has it quoted again. */
static void warn_of_plain_replays(struct settings *s)
{
    for (size_t i = 0; i < s->attestation.policy_count; i++) {
        const struct appraisal_rule *rule = &s->attestation.policies[i];

        if (rule->allow_plain &&
            (rule->fields[FIELD_ID_REPORT_DATA].number >> BINDING_OUTLAYER & 1))
            settings_warn(s,
                          "attestation.policies: %s: report_data outlayer binds no nonce and no "
                          "time, and allow_plain needs no key: a worker's host that has its token "
                          "gets the secrets; remove one of them",
                          rule->name);
    }
}

static void warn_of_weakness(struct settings *s)
{
    if (s->token_count == 0)
        settings_warn(s, "tokens: none, so every protected request will be refused; add one under "
                         "`tokens` or in ALLOWED_WORKER_TOKEN_HASHES");
    if (s->tee.provider == TEE_PROVIDER_SIMULATED)
        settings_warn(s, "tee.provider: simulated: keys are not protected; for trials only");
    if (s->attestation.simulated_root_count > 0)
        settings_warn(s, "attestation.trust_simulated_roots: evidence of simulated platforms is "
                         "accepted; for trials only");
    warn_of_plain_replays(s);
}

enum err settings_check(struct settings *s, struct settings_problem *problem)
{
    enum err e = check_server(s, problem);

    if (e == ERR_NONE)
        e = check_tls(s, problem);
    if (e == ERR_NONE)
        e = check_tee(s, problem);
    if (e == ERR_NONE)
        e = check_log(s, problem);
    if (e == ERR_NONE)
        e = check_policy_tokens(s, problem);
    if (e == ERR_NONE)
        warn_of_weakness(s);
    return e;
}

/* What follows from other settings when it was not given. */
MUST_CHECK static enum err derived_set(struct loader *l)
{
    struct settings *s = &l->settings;
    const struct setting *allowed = setting_find("tee", "allow_simulated");
    char *dir = NULL;

    if (l->named_by_mode && s->tee.provider == TEE_PROVIDER_SIMULATED &&
        !l->stated[setting_index(allowed)])
        s->tee.allow_simulated = true;
    if (*s->tee.simulated_dir)
        return ERR_NONE;
    if (asprintf(&dir, "%s/sim", s->state.dir) < 0)
        return ERR_MEMORY;
    free(s->tee.simulated_dir);
    s->tee.simulated_dir = dir;
    return ERR_NONE;
}

MUST_CHECK static enum err dotenv_read(struct loader *l, struct buffer *text, const char *file,
                                       struct dotenv *out)
{
    unsigned line = 0;
    const char *why = "";
    enum err e = buffer_reserve(text, 1); /* the parser's terminator */

    if (e == ERR_NONE)
        e = dotenv_parse((char *)text->data, text->size, out, &line, &why);
    if (e == ERR_MALFORMED || e == ERR_TOO_LARGE) {
        settings_problem_set(l->problem, file, line, "", "%s", why);
        return ERR_CONFIG;
    }
    return e;
}

MUST_CHECK static enum err load_all(struct loader *l, struct span yaml, const char *yaml_file,
                                    const struct variables *dotenv,
                                    const struct variables *environment)
{
    enum err e = defaults_set(l);

    if (e == ERR_NONE)
        e = yaml_set(l, yaml, yaml_file);
    if (e == ERR_NONE)
        e = variables_set(l, dotenv);
    if (e == ERR_NONE)
        e = variables_set(l, environment);
    if (e == ERR_NONE)
        e = hashes_set(l, environment, dotenv);
    if (e == ERR_NONE)
        e = variables_each(dotenv, l, variable_check);
    if (e == ERR_NONE)
        e = variables_each(environment, l, variable_check);
    if (e == ERR_NONE)
        e = derived_set(l);
    if (e == ERR_NONE)
        e = settings_load_policy_files(&l->settings, l->problem);
    return e == ERR_NONE ? settings_check(&l->settings, l->problem) : e;
}

/* /proc/PID/environ shows the same memory, so this hides the secret there, too. */
static void secrets_wipe(char **environment)
{
    for (char **pair = environment; pair && *pair; pair++) {
        for (size_t i = 0; i < settings_table_count; i++) {
            const struct setting *row = &settings_table[i];
            char *value = row->type == SETTING_SECRET ? pair_value(*pair, row->variable) : NULL;

            if (value)
                bytes_wipe(value, strlen(value));
        }
    }
}

void settings_forget_secrets(char **environment)
{
    char **kept = environment;

    secrets_wipe(environment);
    for (char **pair = environment; *pair; pair++) {
        bool secret = false;

        for (size_t i = 0; i < settings_table_count; i++)
            secret |= settings_table[i].type == SETTING_SECRET &&
                      pair_value(*pair, settings_table[i].variable) != NULL;
        if (!secret)
            *kept++ = *pair;
    }
    *kept = NULL;
}

/* `dotenv` is the text, which is parsed in place. */
MUST_CHECK static enum err load_texts(struct span yaml, const char *yaml_file,
                                      struct buffer *dotenv_text, const char *dotenv_file,
                                      char **environment, struct settings *out,
                                      struct settings_problem *problem)
{
    struct loader *l = calloc(1, sizeof *l);
    struct dotenv *dotenv = calloc(1, sizeof *dotenv);
    struct variables weak = {.file = dotenv_file, .dotenv = dotenv};
    struct variables strong = {.file = "environment", .environment = environment};
    enum err e = l && dotenv ? ERR_NONE : ERR_MEMORY;

    if (e == ERR_NONE) {
        l->problem = problem;
        e = dotenv_read(l, dotenv_text, dotenv_file, dotenv);
    }
    if (e == ERR_NONE)
        e = load_all(l, yaml, yaml_file, &weak, &strong);
    if (e == ERR_NONE)
        *out = l->settings; /* the caller owns it now */
    else if (l)
        settings_clear(&l->settings);
    if (e == ERR_MEMORY)
        settings_problem_set(problem, yaml_file, 0, "",
                             "out of memory, or memory could not be "
                             "locked; raise the limit (ulimit -l)");
    free(dotenv);
    free(l);
    return e;
}

enum err settings_load_text(struct span yaml, const char *name, struct span dotenv,
                            char **environment, struct settings *out,
                            struct settings_problem *problem)
{
    struct buffer text = {0};
    enum err e;

    *problem = (struct settings_problem){0};
    e = buffer_append(&text, dotenv);
    if (e == ERR_NONE)
        e = load_texts(yaml, name, &text, ".env", environment, out, problem);
    buffer_clear(&text);
    secrets_wipe(environment);
    return e;
}

MUST_CHECK static enum err file_blame(const char *path, const char *what, enum err e,
                                      struct settings_problem *problem)
{
    settings_problem_set(problem, path, 0, "", "%s", what);
    return e;
}

MUST_CHECK static enum err descriptor_read(int fd, const char *path, struct buffer *out,
                                           struct settings_problem *problem)
{
    struct stat status;
    uint8_t chunk[4096];
    ssize_t got = 0;
    enum err e = ERR_NONE;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return file_blame(path, "not a regular file", ERR_IO, problem);
    while (e == ERR_NONE && (got = read(fd, chunk, sizeof chunk)) > 0) {
        e = buffer_append(out, span_of(chunk, (size_t)got));
        if (out->size > SETTINGS_FILE_MAX)
            e = file_blame(path, "larger than 1 MiB", ERR_TOO_LARGE, problem);
    }
    bytes_wipe(chunk, sizeof chunk);
    return got < 0 ? file_blame(path, strerror(errno), ERR_IO, problem) : e;
}

enum err settings_file_read(const char *path, bool may_be_missing, struct buffer *out,
                            struct settings_problem *problem)
{
    int fd;
    enum err e;

    if (!path)
        return ERR_NONE;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && may_be_missing)
        return ERR_NONE;
    if (fd < 0)
        return file_blame(path, strerror(errno), ERR_IO, problem);
    e = descriptor_read(fd, path, out, problem);
    (void)close(fd);
    return e;
}

enum err settings_load(const char *yaml_path, const char *dotenv_path, char **environment,
                       struct settings *out, struct settings_problem *problem)
{
    struct buffer yaml = {0};
    struct buffer dotenv = {0};
    enum err e;

    *problem = (struct settings_problem){0};
    e = settings_file_read(yaml_path, false, &yaml, problem);
    if (e == ERR_NONE)
        e = settings_file_read(dotenv_path, true, &dotenv, problem);
    if (e == ERR_NONE)
        e = load_texts(buffer_span(&yaml), yaml_path ? yaml_path : "no file", &dotenv,
                       dotenv_path ? dotenv_path : ".env", environment, out, problem);
    buffer_clear(&yaml);
    buffer_clear(&dotenv);
    secrets_wipe(environment);
    return e;
}

void settings_clear(struct settings *s)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];
        void *where = (uint8_t *)s + row->offset;

        if (row->size > 0 && row->type == SETTING_TEXT)
            free(*(char **)where);
        else if (row->size > 0 && row->type == SETTING_SECRET)
            secret_free(where);
    }
    for (size_t i = 0; i < s->attestation.simulated_root_count; i++)
        free(s->attestation.simulated_roots[i]);
    for (size_t i = 0; i < s->attestation.collateral_count; i++)
        free(s->attestation.collateral[i]);
    for (size_t i = 0; i < s->attestation.policy_file_count; i++)
        free(s->attestation.policy_files[i]);
    settings_clear_collateral(s);
    free(s->attestation.simulated_roots);
    free(s->attestation.collateral);
    free(s->attestation.policy_files);
    free(s->attestation.policies);
    free(s->tokens);
    *s = (struct settings){0};
}
