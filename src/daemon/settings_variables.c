/* Reads settings from variables: the process environment and a .env file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "daemon/dotenv.h"
#include "daemon/settings_values.h"

#define OWN_PREFIX "VOUCHSAFE_"

/* Variables of NEAR OutLayer's worker without a meaning here. Their values are never read. */
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

/* Variables of the command `vouchsafe` and of the tests, which the same shell may set. */
static const char *const foreign_variables[] = {
    "VOUCHSAFE_URL",
    "VOUCHSAFE_TOKEN_FILE",
    "VOUCHSAFE_PROFILE",
    "VOUCHSAFE_CA",
    "VOUCHSAFE_PIN",
    "VOUCHSAFE_TIMEOUT",
    "VOUCHSAFE_INSECURE_HTTP",
    "VOUCHSAFE_IDENTITY",
    "VOUCHSAFE_VKEY",
    "VOUCHSAFE_REQUIRE_ATTESTATION",
    "VOUCHSAFE_KEYSTORE_MRENCLAVE",
    "VOUCHSAFE_KEYSTORE_MRSIGNER",
    "VOUCHSAFE_KEYSTORE_ISVPRODID",
    "VOUCHSAFE_KEYSTORE_MIN_ISVSVN",
    "VOUCHSAFE_ACCEPT_STATUS",
    "VOUCHSAFE_GRACE_DAYS",
    "VOUCHSAFE_MIN_EVALUATION",
    "VOUCHSAFE_ACCEPT_ADVISORY",
    "VOUCHSAFE_KEYSTORE_POLICY",
    "VOUCHSAFE_TRUST_ROOT",
    "VOUCHSAFE_COLLATERAL",
    "VOUCHSAFE_FETCH_COLLATERAL",
    "VOUCHSAFE_CONFIG",
    "VOUCHSAFE_DEV",
    "VOUCHSAFE_BUILD",
    "VOUCHSAFE_VECTORS",
    "VOUCHSAFE_TSAN_BUILD",
    "VOUCHSAFE_RACE_SECONDS",
    "VOUCHSAFE_FUZZ_SECONDS",
    "VOUCHSAFE_FUZZ_CORPUS",
    "VOUCHSAFE_EXHAUSTIVE",
};

/* Variables without a row in the table. */
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
    char **environment;          /* either this */
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

/* ---- values */

/* TEE_MODE ignores case, quotes and white space (spec: OutLayer 7.1). */
static void mode_normalise(const char *text, char out[32])
{
    size_t size = 0;

    for (; *text && size < 31; text++)
        if (!strchr(" \t\"'", *text))
            out[size++] = (char)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
    out[size] = '\0';
}

static void provider_set(struct settings_loader *l, const struct setting *row,
                         const struct settings_origin *origin, const char *text)
{
    char mode[32];

    mode_normalise(text, mode);
    if (strcmp(mode, "outlayer_tee") != 0) {
        settings_set(l, row, origin, strcmp(mode, "sev") == 0 ? "snp" : mode); /* OutLayer's name */
        return;
    }
    l->origins[setting_index(row)] = *origin;
    settings_blame(l, row,
                   "outlayer_tee says how callers register, not what this machine is; name the "
                   "machine's TEE in %s, or auto",
                   origin->variable);
}

static void row_read(struct settings_loader *l, const struct variables *v,
                     const struct setting *row, const char *name)
{
    struct settings_origin origin = {.file = v->file, .variable = name};
    const char *text = name ? variable_find(v, name, &origin.line) : NULL;

    if (text && row == setting_find("tee", "provider"))
        provider_set(l, row, &origin, text);
    else if (text)
        settings_set(l, row, &origin, text);
}

static void rows_read(struct settings_loader *l, const struct variables *v)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        row_read(l, v, &settings_table[i], settings_table[i].alias);
        row_read(l, v, &settings_table[i], settings_table[i].variable);
    }
}

/* Reads each list once, from the environment or else from .env. */
static void hashes_read(struct settings_loader *l, const struct variables *strong,
                        const struct variables *weak)
{
    for (size_t i = 0; i < COUNT_OF(hash_variables); i++) {
        struct settings_origin origin = {.file = strong->file, .variable = hash_variables[i].name};
        const char *list = variable_find(strong, origin.variable, &origin.line);

        if (!list) {
            list = variable_find(weak, origin.variable, &origin.line);
            origin.file = weak->file;
        }
        if (list)
            settings_add_hashes(l, &origin, list, hash_variables[i].role);
    }
}

/* ---- names */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* The variable and the alias of every row. */
struct names {
    size_t count;
    const char *names[2 * SETTINGS_ROWS_MAX + COUNT_OF(hash_variables)];
};

static void names_collect(struct names *out)
{
    out->count = 0;
    for (size_t i = 0; i < settings_table_count; i++) {
        if (settings_table[i].variable)
            out->names[out->count++] = settings_table[i].variable;
        if (settings_table[i].alias)
            out->names[out->count++] = settings_table[i].alias;
    }
    for (size_t i = 0; i < COUNT_OF(hash_variables); i++)
        out->names[out->count++] = hash_variables[i].name;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text);
    size_t end_size = strlen(end);

    return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/*
 * Kubernetes and Docker links put variables into every container for a service that is called
 * vouchsafe or vouchsafe-NAME: ..._SERVICE_HOST, ..._SERVICE_PORT[_NAME], ..._PORT=tcp://ADDRESS
 * and ..._PORT_8081_TCP[_ADDR]. They are not settings.
 */
static bool is_of_a_service(const char *name, const char *value)
{
    const char *port = strstr(name, "_PORT_");

    if (ends_with(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT"))
        return true;
    if (port && port[6] >= '0' && port[6] <= '9')
        return true;
    return ends_with(name, "_PORT") && value && strstr(value, "://");
}

static void unknown_blame(struct settings_loader *l, const struct variables *v, const char *name,
                          const struct names *known)
{
    struct problem_place place = {.file = v->file};
    const char *nearest = text_nearest(name, known->names, known->count);

    (void)variable_find(v, name, &place.line);
    problems_add(l->problems, &place,
                 "%s: unknown variable%s%s%s; correct or remove it (vouchsafed --help lists all)",
                 name, nearest ? "; did you mean " : "", nearest ? nearest : "",
                 nearest ? "?" : "");
}

static void registration_check(struct settings_loader *l, const struct variables *v,
                               const char *name)
{
    struct problem_place place = {.file = v->file};
    const char *value = variable_find(v, name, &place.line);

    if (value && strcasecmp(value, "false") != 0 && strcmp(value, "0") != 0)
        problems_add(l->problems, &place,
                     "USE_TEE_REGISTRATION: this version does not take its root from the MPC "
                     "network; set it to false or remove it");
}

static void name_check(struct settings_loader *l, const struct variables *v, const char *name,
                       const struct names *known)
{
    const bool own = strncmp(name, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0;
    unsigned line;

    if (is_one_of(name, unused_variables, COUNT_OF(unused_variables)) ||
        strncmp(name, "NEAR_", 5) == 0)
        settings_warn(l->s, "%s: %s is not used by this version", v->file, name);
    else if (strcmp(name, "USE_TEE_REGISTRATION") == 0)
        registration_check(l, v, name);
    else if (own && !is_one_of(name, known->names, known->count) &&
             !is_one_of(name, foreign_variables, COUNT_OF(foreign_variables)) &&
             !(v->environment && is_of_a_service(name, variable_find(v, name, &line))))
        unknown_blame(l, v, name, known);
}

/* Reads only names, and no value of an unknown variable. */
static void names_check(struct settings_loader *l, const struct variables *v)
{
    struct names known;

    names_collect(&known);
    for (size_t i = 0; v->dotenv && i < v->dotenv->count; i++)
        name_check(l, v, v->dotenv->entries[i].name, &known);
    for (char **pair = v->environment; pair && *pair; pair++) {
        char name[DOTENV_NAME_MAX + 1];
        size_t size = strcspn(*pair, "=");

        if (size <= DOTENV_NAME_MAX &&
            span_to_string(span_of(*pair, size), name, sizeof name) == ERR_NONE)
            name_check(l, v, name, &known);
    }
}

void settings_read_variables(struct settings_loader *l, const struct dotenv *dotenv,
                             const char *dotenv_file, char **environment)
{
    const struct variables weak = {.file = dotenv_file, .dotenv = dotenv};
    const struct variables strong = {.file = "environment", .environment = environment};

    rows_read(l, &weak);
    rows_read(l, &strong);
    hashes_read(l, &strong, &weak);
    names_check(l, &weak);
    names_check(l, &strong);
}

/* The value of "NAME=VALUE" when NAME is one of the secrets, else NULL. */
static char *secret_value(char *pair)
{
    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];
        char *value = row->type == SETTING_SECRET ? pair_value(pair, row->variable) : NULL;

        if (value)
            return value;
    }
    return NULL;
}

/* /proc/PID/environ shows the same memory, so this removes the secret there, too. */
void settings_wipe_environment(char **environment)
{
    for (char **pair = environment; pair && *pair; pair++) {
        char *value = secret_value(*pair);

        if (value)
            bytes_wipe(value, strlen(value));
    }
}

void settings_forget_secrets(char **environment)
{
    char **kept = environment;

    settings_wipe_environment(environment);
    for (char **pair = environment; *pair; pair++)
        if (!secret_value(*pair))
            *kept++ = *pair;
    *kept = NULL;
}
