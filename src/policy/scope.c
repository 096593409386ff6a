#include "policy/scope.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists */

static void list_clear(struct text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct text_list){0};
}

MUST_CHECK static enum err list_add(struct text_list *list, const char *text)
{
    char **grown = reallocarray(list->items, list->count + 1, sizeof *grown);

    if (!grown)
        return ERR_MEMORY;
    list->items = grown;
    list->items[list->count] = strdup(text);
    if (!list->items[list->count])
        return ERR_MEMORY;
    list->count++;
    return ERR_NONE;
}

MUST_CHECK static enum err list_copy(const struct text_list *from, struct text_list *to)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < from->count && e == ERR_NONE; i++)
        e = list_add(to, from->items[i]);
    return e;
}

/* ---- making */

enum err policy_scope_add_seed(struct policy_scope *scope, const char *pattern,
                               struct policy_fault *fault)
{
    const size_t size = strlen(pattern);
    const char *star = strchr(pattern, '*');

    if (scope->seeds.count >= POLICY_SCOPE_MAX)
        return policy_blame(fault, "seeds", "too many; at most %d", POLICY_SCOPE_MAX);
    if (size == 0 || size > POLICY_SEED_PATTERN_MAX || (star && star[1] != '\0'))
        return policy_blame(fault, "seeds",
                            "must have 1 to %d characters, with * at the end only; correct it",
                            POLICY_SEED_PATTERN_MAX);
    if (star && star > pattern && star[-1] != '/' && star[-1] != ':')
        return policy_blame(fault, "seeds",
                            "* in a seed pattern must follow '/' or ':', or be the whole pattern; "
                            "correct it");
    return list_add(&scope->seeds, pattern);
}

enum err policy_scope_add_token(struct policy_scope *scope, const char *name,
                                struct policy_fault *fault)
{
    if (scope->tokens.count >= POLICY_SCOPE_MAX)
        return policy_blame(fault, "tokens", "too many; at most %d", POLICY_SCOPE_MAX);
    if (!principal_name_is_plain(name))
        return policy_blame(fault, "tokens",
                            "not the name of a token, which has 1 to %d characters of A-Z a-z 0-9 "
                            ". _ : -; correct it",
                            PRINCIPAL_NAME_MAX);
    return list_add(&scope->tokens, name);
}

enum err policy_scope_copy(const struct policy_scope *from, struct policy_scope *to)
{
    struct policy_scope copy = {.allow_plain = from->allow_plain};

    if (list_copy(&from->seeds, &copy.seeds) != ERR_NONE ||
        list_copy(&from->tokens, &copy.tokens) != ERR_NONE) {
        policy_scope_clear(&copy);
        return ERR_MEMORY;
    }
    *to = copy;
    return ERR_NONE;
}

void policy_scope_clear(struct policy_scope *scope)
{
    list_clear(&scope->seeds);
    list_clear(&scope->tokens);
    *scope = (struct policy_scope){0};
}

/* ---- deciding */

bool policy_scope_is_for(const struct policy_scope *scope, const struct principal *principal)
{
    for (size_t i = 0; i < scope->tokens.count; i++)
        if (strcmp(scope->tokens.items[i], principal->name) == 0)
            return true;
    return scope->tokens.count == 0;
}

static bool pattern_covers(const char *pattern, struct span seed)
{
    struct span p = span_string(pattern);

    if (p.size > 0 && p.data[p.size - 1] == '*')
        return span_starts_with(seed, span_slice(p, 0, p.size - 1));
    return span_equal(p, seed);
}

bool policy_scope_covers(const struct policy_scope *scope, struct span seed)
{
    for (size_t i = 0; i < scope->seeds.count; i++)
        if (pattern_covers(scope->seeds.items[i], seed))
            return true;
    return scope->seeds.count == 0;
}
