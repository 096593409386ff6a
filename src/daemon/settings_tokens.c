/* The list of tokens. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "daemon/settings_values.h"

#define TOKENS "tokens[]"

static const struct principal *token_with(const struct settings *s, const char *name,
                                          const uint8_t hash[SHA256_SIZE])
{
    assert(s->tokens || s->token_count == 0);
    for (size_t i = 0; i < s->token_count; i++)
        if ((name && strcmp(s->tokens[i].name, name) == 0) ||
            (hash && bytes_equal_ct(s->tokens[i].id, hash, SHA256_SIZE)))
            return &s->tokens[i];
    return NULL;
}

MUST_CHECK static enum err token_append(struct settings *s, const struct principal *token)
{
    struct principal *grown;

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

static void hash_read(const struct yaml_node *map, struct principal *token)
{
    const struct yaml_node *n = yaml_required(map, "sha256");

    if (n && (n->kind != YAML_TEXT || !settings_hash(n->text, token->id)))
        yaml_blame(n, "%s", hash_hint);
}

/* Rules beyond the form of each member. */
static void entry_check(const struct settings *s, const struct yaml_node *map,
                        const struct principal *token)
{
    if (strcmp(token->name, AUDIT_PRINCIPAL_KEYSTORE) == 0)
        yaml_blame_member(map, "name", "reserved; the log names the keystore itself so");
    if (token->may_administer && token->roles != ROLE_OPERATOR)
        yaml_blame_member(map, "may_administer",
                          "only for tokens with role operator; remove it, or change the role");
    if (*token->name && token_with(s, token->name, NULL))
        yaml_blame_member(map, "name", "given twice; names of tokens must differ");
    if (yaml_member(map, "sha256") && token_with(s, NULL, token->id))
        yaml_blame_member(map, "sha256", "given twice; each token has one entry and one role");
}

static void tenant_read(const struct yaml_node *map, struct principal *token)
{
    const char *tenant = settings_member_text(map, TOKENS, "tenant");

    if (!tenant)
        return;
    if (!settings_plain_name(tenant, TENANT_NAME_MAX))
        yaml_refuse(yaml_member(map, "tenant"), "1 to %d letters, digits and . _ : -",
                    TENANT_NAME_MAX);
    else
        (void)snprintf(token->tenant, sizeof token->tenant, "%s", tenant);
}

static void token_read(struct settings_loader *l, const struct yaml_node *map)
{
    struct principal token = principal_named(PRINCIPAL_TOKEN, "");

    settings_known_members(map, TOKENS);
    (void)snprintf(token.name, sizeof token.name, "%s", settings_member_name(map, TOKEN_NAME_MAX));
    tenant_read(map, &token);
    hash_read(map, &token);
    token.roles = settings_member_choice(map, TOKENS, "role");
    token.may_explain = settings_member_bool(map, TOKENS, "may_explain");
    token.may_administer = settings_member_bool(map, TOKENS, "may_administer");
    entry_check(l->s, map, &token);
    if (token_append(l->s, &token) != ERR_NONE)
        l->problems->out_of_memory = true;
}

void settings_read_tokens(struct settings_loader *l, const struct yaml_node *list)
{
    const size_t before = l->problems->count;

    for (const struct yaml_node *n = list ? list->first : NULL; n; n = n->next)
        if (yaml_mapping(n))
            token_read(l, n);
    l->tokens_faulty = l->tokens_faulty || l->problems->count > before;
}

/* ---- the variables ALLOWED_..._TOKEN_HASHES */

struct hashes {
    struct settings_loader *l;
    const struct settings_origin *origin;
    enum role role;
};

static void hash_blame(const struct hashes *h, const char *what)
{
    const struct problem_place place = {
        .file = h->origin->file, .line = h->origin->line, .setting = "tokens"};

    problems_add(h->l->problems, &place, "%s: %s", h->origin->variable, what);
    h->l->tokens_faulty = true;
}

/* After a fault in one hash, the next hash is still checked. */
MUST_CHECK static enum err hash_add(void *context, struct span part)
{
    const struct hashes *h = context;
    struct settings *s = h->l->s;
    struct principal token = principal_named(PRINCIPAL_TOKEN, "");
    const struct principal *known;
    char text[2 * SHA256_SIZE + 1];
    enum err e;

    token.roles = h->role;
    if (span_to_string(part, text, sizeof text) != ERR_NONE || !settings_hash(text, token.id)) {
        hash_blame(h, hash_hint);
        return ERR_NONE;
    }
    known = token_with(s, NULL, token.id);
    if (known) {
        if (known->roles != h->role)
            hash_blame(h, "a hash is also given with another role; each token has one role");
        return ERR_NONE;
    }
    (void)snprintf(token.name, sizeof token.name, "%s:%.8s", role_name(h->role), text);
    if (token_with(s, token.name, NULL)) {
        hash_blame(h, "two hashes begin alike, or a token has the name that one would get; name "
                      "them under `tokens` in the YAML file");
        return ERR_NONE;
    }
    e = token_append(s, &token);
    if (e == ERR_TOO_LARGE)
        hash_blame(h, "too many tokens; at most 1024");
    return e;
}

void settings_add_hashes(struct settings_loader *l, const struct settings_origin *origin,
                         const char *list, enum role role)
{
    struct hashes h = {l, origin, role};

    if (settings_split(list, hash_add, &h) == ERR_MEMORY)
        l->problems->out_of_memory = true;
}
