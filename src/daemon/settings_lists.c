/* The list of tokens. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "base/text.h"
#include "daemon/settings_view.h"

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

MUST_CHECK static enum err token_read(struct settings *s, const struct settings_view *v)
{
    struct principal token = principal_named(PRINCIPAL_TOKEN, "");
    const char *hash = view_text(v, "sha256");
    const char *may_explain = view_text(v, "may_explain");
    const char *may_administer = view_text(v, "may_administer");
    unsigned role = ROLE_NONE;
    enum err e = view_plain_name(v, token.name, sizeof token.name);

    if (e == ERR_NONE && strcmp(token.name, AUDIT_PRINCIPAL_KEYSTORE) == 0)
        return view_blame(v, "name", "reserved; the log names the keystore itself so");
    if (e == ERR_NONE)
        e = view_choice(v, "role", &role);
    if (e != ERR_NONE)
        return e;
    token.roles = role;
    if (!hash || !settings_hash(hash, token.id))
        return view_blame(v, "sha256", hash ? hash_hint : "missing; it must be given");
    if (may_explain && !settings_bool(may_explain, &token.may_explain))
        return view_refuse(v, "may_explain", may_explain);
    if (may_administer && !settings_bool(may_administer, &token.may_administer))
        return view_refuse(v, "may_administer", may_administer);
    if (token.may_administer && token.roles != ROLE_OPERATOR)
        return view_blame(v, "may_administer", "for tokens with role operator alone; remove it");
    if (token_with(s, token.name, NULL))
        return view_blame(v, "name", "given twice; names of tokens must differ");
    if (token_with(s, NULL, token.id))
        return view_blame(v, "sha256", "given twice; each token has one entry and one role");
    return token_append(s, &token);
}

enum err settings_read_tokens(struct settings *s, const struct settings_yaml *yaml,
                              struct span text, const char *file, struct settings_problem *problem)
{
    const struct settings_cell *cell = settings_yaml_cell(yaml, setting_find("", "tokens"));
    enum err e = ERR_NONE;

    for (unsigned i = 0; i < cell->count && e == ERR_NONE; i++) {
        struct settings_view v = {.entry = (const struct settings_entry *)cell->data + i,
                                  .group = TOKENS,
                                  .list = "tokens",
                                  .index = i,
                                  .file = file,
                                  .text = text,
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

MUST_CHECK static enum err hash_blame(const struct hashes *h, const char *what)
{
    settings_problem_set(h->problem, h->source->file, h->source->line, "tokens", "%s: %s",
                         h->source->variable, what);
    return ERR_CONFIG;
}

MUST_CHECK static enum err hash_add(void *context, struct span part)
{
    const struct hashes *h = context;
    struct principal token = principal_named(PRINCIPAL_TOKEN, "");
    const struct principal *known;
    char text[2 * SHA256_SIZE + 1];
    enum err e;

    token.roles = h->role;
    if (span_to_string(part, text, sizeof text) != ERR_NONE || !settings_hash(text, token.id))
        return hash_blame(h, hash_hint);
    known = token_with(h->s, NULL, token.id);
    if (known && known->roles == h->role)
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
