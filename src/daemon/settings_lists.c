/* The lists of mappings: tokens and attestation policies. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/text.h"
#include "daemon/settings_values.h"

#define TOKENS "tokens[]"
#define POLICIES "attestation.policies[]"

/* One entry of a list while it is read. */
struct view {
    const struct settings_entry *entry;
    const char *group;
    size_t index;
    struct settings_source source;
    struct settings_problem *problem;
};

static const struct settings_cell *view_cell(const struct view *v, const char *key)
{
    const struct setting *row = setting_find(v->group, key);

    return &v->entry->cells[setting_index(row) - setting_group_first(v->group)];
}

static const char *view_text(const struct view *v, const char *key)
{
    return view_cell(v, key)->data;
}

/* "tokens[2].sha256" */
static void view_name(const struct view *v, const char *key, char out[SETTINGS_NAME_SIZE])
{
    (void)snprintf(out, SETTINGS_NAME_SIZE, "%.*s[%zu].%s", (int)strlen(v->group) - 2, v->group,
                   v->index, key);
}

static enum err view_refuse(const struct view *v, const char *key, const char *text)
{
    char name[SETTINGS_NAME_SIZE];

    view_name(v, key, name);
    return settings_refuse(setting_find(v->group, key), &v->source, name, text, v->problem);
}

static enum err view_blame(const struct view *v, const char *key, const char *what)
{
    char name[SETTINGS_NAME_SIZE];

    view_name(v, key, name);
    settings_problem_set(v->problem, v->source.file, v->source.line, name, "%s", what);
    return ERR_CONFIG;
}

static enum err view_number(const struct view *v, const char *key, uint64_t *out)
{
    const char *text = view_text(v, key);

    if (text && !settings_number(setting_find(v->group, key), text, out))
        return view_refuse(v, key, text);
    return ERR_NONE;
}

static enum err view_choice(const struct view *v, const char *key, unsigned *out)
{
    const char *text = view_text(v, key);

    if (!text)
        return view_blame(v, key, "missing; it must be given");
    if (!settings_choice(setting_find(v->group, key), text, out))
        return view_refuse(v, key, text);
    return ERR_NONE;
}

static enum err view_plain_name(const struct view *v, char *out, size_t out_size)
{
    const char *text = view_text(v, "name");

    if (!text)
        return view_blame(v, "name", "missing; it must be given");
    if (!settings_plain_name(text, out_size - 1))
        return view_blame(v, "name", "not allowed; 1 to 64 letters, digits and . _ : -");
    memcpy(out, text, strlen(text) + 1);
    return ERR_NONE;
}

/* Calls `each` for every text of a list member. */
static enum err view_each(const struct view *v, const char *key, void *context,
                          enum err (*each)(const struct view *v, void *context, const char *text))
{
    const struct settings_cell *cell = view_cell(v, key);
    char *const *texts = cell->data;
    enum err e = ERR_NONE;

    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++)
        e = each(v, context, texts[i]);
    return e;
}

static const struct token_entry *token_with(const struct settings *s, const char *name,
                                            const uint8_t hash[SHA256_SIZE])
{
    assert(s->tokens || s->token_count == 0);
    for (size_t i = 0; i < s->token_count; i++)
        if ((name && strcmp(s->tokens[i].name, name) == 0) ||
            (hash && bytes_equal_ct(s->tokens[i].hash, hash, SHA256_SIZE)))
            return &s->tokens[i];
    return NULL;
}

static enum err token_append(struct settings *s, const struct token_entry *token)
{
    struct token_entry *grown;

    if (s->token_count == TOKENS_MAX)
        return ERR_TOO_LARGE;
    grown = reallocarray(s->tokens, s->token_count + 1, sizeof *grown);
    if (!grown)
        return ERR_MEMORY;
    s->tokens = grown;
    s->tokens[s->token_count++] = *token;
    return ERR_NONE;
}

static const char hash_hint[] =
    "not a token hash: 64 hex digits in lower case (an upper-case hash never matches a token); "
    "make one with: printf %s \"$TOKEN\" | sha256sum";

static enum err token_read(struct settings *s, const struct view *v)
{
    struct token_entry token = {0};
    const char *hash = view_text(v, "sha256");
    unsigned role = ROLE_NONE;
    enum err e = view_plain_name(v, token.name, sizeof token.name);

    if (e == ERR_NONE && strcmp(token.name, AUDIT_PRINCIPAL_KEYSTORE) == 0)
        return view_blame(v, "name", "reserved; the log names the keystore itself so");
    if (e == ERR_NONE)
        e = view_choice(v, "role", &role);
    if (e != ERR_NONE)
        return e;
    token.role = (enum role)role;
    if (!hash || !settings_hash(hash, token.hash))
        return view_blame(v, "sha256", hash ? hash_hint : "missing; it must be given");
    if (token_with(s, token.name, NULL))
        return view_blame(v, "name", "given twice; names of tokens must differ");
    if (token_with(s, NULL, token.hash))
        return view_blame(v, "sha256", "given twice; each token has one entry and one role");
    return token_append(s, &token);
}

enum err settings_read_tokens(struct settings *s, const struct settings_yaml *yaml,
                              const char *file, struct settings_problem *problem)
{
    const struct settings_cell *cell = settings_yaml_cell(yaml, setting_find("", "tokens"));
    enum err e = ERR_NONE;

    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++) {
        struct view v = {.entry = (const struct settings_entry *)cell->data + i,
                         .group = TOKENS,
                         .index = i,
                         .source = {.file = file},
                         .problem = problem};

        e = token_read(s, &v);
    }
    return e;
}

struct hashes {
    struct settings *s;
    const struct settings_source *source;
    enum role role;
    struct settings_problem *problem;
};

static enum err hash_blame(const struct hashes *h, const char *what)
{
    settings_problem_set(h->problem, h->source->file, h->source->line, "tokens", "%s: %s",
                         h->source->variable, what);
    return ERR_CONFIG;
}

static enum err hash_add(void *context, struct span part)
{
    const struct hashes *h = context;
    struct token_entry token = {.role = h->role};
    const struct token_entry *known;
    char text[2 * SHA256_SIZE + 1];
    enum err e;

    if (span_to_string(part, text, sizeof text) != ERR_NONE || !settings_hash(text, token.hash))
        return hash_blame(h, hash_hint);
    known = token_with(h->s, NULL, token.hash);
    if (known && known->role == h->role)
        return ERR_NONE;
    if (known)
        return hash_blame(h, "a hash is also given with another role; each token has one role");
    (void)snprintf(token.name, sizeof token.name, "%s:%.8s", role_name(h->role), text);
    if (token_with(h->s, token.name, NULL))
        return hash_blame(h, "two hashes begin alike, or a token has the name that one would get; "
                             "name them under `tokens` in the YAML file");
    e = token_append(h->s, &token);
    return e == ERR_TOO_LARGE ? hash_blame(h, "too many tokens; at most 1024") : e;
}

enum err settings_add_hashes(struct settings *s, const struct settings_source *source,
                             const char *list, enum role role, struct settings_problem *problem)
{
    struct hashes h = {s, source, role, problem};

    return settings_split(list, hash_add, &h);
}

static enum err measurement_add(const struct view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;

    if (!settings_hash(text, rule->mr_enclave[rule->mr_enclave_count]))
        return view_blame(v, "mrenclave", "not a measurement: 64 hex digits in lower case");
    rule->mr_enclave_count++;
    return ERR_NONE;
}

static enum err status_add(const struct view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;
    enum tcb_status status;

    if (tcb_status_parse(span_string(text), &status) != ERR_NONE)
        return view_blame(v, "tcb_status",
                          "not one of Intel's names, such as UpToDate, "
                          "SWHardeningNeeded, ConfigurationNeeded");
    rule->accepted_statuses |= 1u << status;
    return ERR_NONE;
}

static enum err advisory_add(const struct view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;

    if (!settings_plain_name(text, sizeof rule->advisories[0] - 1))
        return view_blame(v, "advisories", "not the name of an advisory, such as INTEL-SA-00615");
    memcpy(rule->advisories[rule->advisory_count++], text, strlen(text) + 1);
    return ERR_NONE;
}

static enum err seed_add(const struct view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;
    const char *star = strchr(text, '*');

    if (*text == '\0' || strlen(text) > POLICY_SEED_PATTERN_MAX || (star && star[1] != '\0'))
        return view_blame(v, "seeds", "1 to 256 characters, with * at the end only");
    memcpy(rule->seeds[rule->seed_count++], text, strlen(text) + 1);
    return ERR_NONE;
}

static enum err token_name_add(const struct view *v, void *context, const char *text)
{
    struct appraisal_rule *rule = context;

    if (!settings_plain_name(text, TOKEN_NAME_MAX))
        return view_blame(v, "tokens", "not the name of a token");
    memcpy(rule->tokens[rule->token_count++], text, strlen(text) + 1);
    return ERR_NONE;
}

static enum err policy_read_signer(const struct view *v, struct appraisal_rule *rule)
{
    const char *signer = view_text(v, "mrsigner");
    const char *product = view_text(v, "isvprodid");
    const char *version = view_text(v, "min_isvsvn");
    uint64_t number = 0;
    enum err e;

    if (!signer && !product && !version)
        return ERR_NONE;
    if (!signer || !product || !version)
        return view_blame(v, "mrsigner",
                          "mrsigner, isvprodid and min_isvsvn go together: a signer "
                          "may sign other products, and old versions");
    if (!settings_hash(signer, rule->mr_signer))
        return view_blame(v, "mrsigner", "not a measurement: 64 hex digits in lower case");
    rule->by_signer = true;
    e = view_number(v, "isvprodid", &number);
    rule->isv_prod_id = (uint16_t)number;
    if (e == ERR_NONE)
        e = view_number(v, "min_isvsvn", &number);
    rule->min_isv_svn = (uint16_t)number;
    return e;
}

static enum err policy_read_numbers(const struct view *v, struct appraisal_rule *rule)
{
    const char *plain = view_text(v, "allow_plain");
    uint64_t number = 0;
    enum err e = view_number(v, "min_tcb_evaluation_number", &number);

    rule->min_tcb_evaluation_number = (uint32_t)number;
    if (e == ERR_NONE && plain && !settings_bool(plain, &rule->allow_plain))
        e = view_refuse(v, "allow_plain", plain);
    return e;
}

static enum err policy_read(const struct view *v, struct appraisal_rule *rule)
{
    const char *why = NULL;
    unsigned tee = 0;
    enum err e = view_plain_name(v, rule->name, sizeof rule->name);

    if (e == ERR_NONE)
        e = view_choice(v, "tee", &tee);
    if (e == ERR_NONE)
        e = view_each(v, "mrenclave", rule, measurement_add);
    if (e == ERR_NONE)
        e = policy_read_signer(v, rule);
    if (e == ERR_NONE)
        e = view_each(v, "tcb_status", rule, status_add);
    if (e == ERR_NONE)
        e = view_each(v, "advisories", rule, advisory_add);
    if (e == ERR_NONE)
        e = view_each(v, "seeds", rule, seed_add);
    if (e == ERR_NONE)
        e = view_each(v, "tokens", rule, token_name_add);
    if (e == ERR_NONE)
        e = policy_read_numbers(v, rule);
    if (e != ERR_NONE)
        return e;
    if (rule->accepted_statuses == 0)
        rule->accepted_statuses = 1u << TCB_UP_TO_DATE;
    (void)snprintf(rule->tee, sizeof rule->tee, "%s", view_text(v, "tee"));
    if (strcmp(rule->name, "default-deny") == 0)
        return view_blame(v, "name", "reserved; denials without a policy are named so");
    e = appraisal_rule_check(rule, &why);
    return e == ERR_CONFIG ? view_blame(v, "name", why) : e;
}

static bool policy_known(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->attestation.policy_count; i++)
        if (strcmp(s->attestation.policies[i].name, name) == 0)
            return true;
    return false;
}

enum err settings_read_policies(struct settings *s, const struct settings_yaml *yaml,
                                const char *file, struct settings_problem *problem)
{
    const struct setting *row = setting_find("attestation", "policies");
    const struct settings_cell *cell = settings_yaml_cell(yaml, row);
    enum err e = ERR_NONE;

    if (cell->count == 0)
        return ERR_NONE;
    s->attestation.policies = calloc(cell->count, sizeof *s->attestation.policies);
    if (!s->attestation.policies)
        return ERR_MEMORY;
    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++) {
        struct appraisal_rule *rule = &s->attestation.policies[i];
        struct view v = {.entry = (const struct settings_entry *)cell->data + i,
                         .group = POLICIES,
                         .index = i,
                         .source = {.file = file},
                         .problem = problem};

        e = policy_read(&v, rule);
        if (e == ERR_NONE && policy_known(s, rule->name))
            e = view_blame(&v, "name", "given twice; names of policies must differ");
        s->attestation.policy_count += e == ERR_NONE;
    }
    return e;
}
