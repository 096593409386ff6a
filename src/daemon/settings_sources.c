/* The list collateral.sources. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings_values.h"

#define SOURCES "collateral.sources[]"

static void text_copy(struct settings_loader *l, const struct yaml_node *map, const char *key,
                      const char **out)
{
    const char *text = settings_member_text(map, SOURCES, key);

    *out = text ? strdup(text) : NULL;
    if (text && !*out)
        l->problems->out_of_memory = true;
}

static bool is_url(const char *text)
{
    return strncmp(text, "https://", 8) == 0 || strncmp(text, "http://", 7) == 0;
}

static void url_check(const struct yaml_node *map, const char *key, const char *url)
{
    if (url && !is_url(url))
        yaml_refuse(yaml_member(map, key), "a URL that begins with https://");
}

bool settings_is_in_the_clear(const char *url)
{
    static const char *const loopback[] = {"http://127.", "http://[::1]", "http://localhost"};

    for (size_t i = 0; i < COUNT_OF(loopback); i++) {
        const size_t size = strlen(loopback[i]);
        const int after = strncmp(url, loopback[i], size) == 0 ? url[size] : 'x';

        if (i == 0 ? after >= '0' && after <= '9' : !after || after == ':' || after == '/')
            return false;
    }
    return strncmp(url, "http://", 7) == 0;
}

/* Members that must occur together. */
static void source_check(const struct settings *s, const struct yaml_node *map,
                         const struct collateral_source_options *o)
{
    const bool needs_url = o->type == COLLATERAL_SOURCE_PCCS || o->type == COLLATERAL_SOURCE_PEER;

    if (o->name && !settings_plain_name(o->name, COLLATERAL_SOURCE_SIZE - 1))
        yaml_blame_member(map, "name", "not allowed; 1 to 63 letters, digits and . _ : -");
    for (size_t i = 0; o->name && i < s->collateral.source_count; i++) {
        const char *other = s->collateral.sources[i].name;

        if (other && strcmp(other, o->name) == 0)
            yaml_blame_member(map, "name", "%s is given twice; names of sources must differ",
                              o->name);
    }
    if (needs_url && !yaml_member(map, "url"))
        yaml_blame_member(map, "url", "missing; only pcs and kds have one of their own");
    url_check(map, "url", o->url);
    url_check(map, "root_crl_url", o->root_crl_url);
    if (o->token_file && o->url && settings_is_in_the_clear(o->url) &&
        !settings_member_bool(map, SOURCES, "allow_plain_http"))
        yaml_blame_member(map, "url",
                          "%s would carry the token of token_file in the clear; use https://, or "
                          "set allow_plain_http of this source to true",
                          o->url);
    if ((o->early || o->evaluation_number > 0) && o->type != COLLATERAL_SOURCE_PCS &&
        o->type != COLLATERAL_SOURCE_PCCS)
        yaml_blame_member(map, o->early ? "update" : "tcb_evaluation_number",
                          "only pcs and pccs have sets of Intel's; remove it");
    if (o->token_file && o->type != COLLATERAL_SOURCE_PEER)
        yaml_blame_member(map, "token_file", "only a peer asks for a token; remove it");
}

static void source_read(struct settings_loader *l, const struct yaml_node *map,
                        struct collateral_source_options *o)
{
    const struct yaml_node *type = yaml_member(map, "type");

    settings_known_members(map, SOURCES);
    o->type = (enum collateral_source_type)settings_member_choice(map, SOURCES, "type");
    o->timeout_ms = (unsigned)settings_member_number(map, SOURCES, "timeout_ms");
    o->early = yaml_member(map, "update") && settings_member_choice(map, SOURCES, "update") == 1;
    o->evaluation_number = (unsigned)settings_member_number(map, SOURCES, "tcb_evaluation_number");
    text_copy(l, map, "name", &o->name);
    text_copy(l, map, "url", &o->url);
    text_copy(l, map, "root_crl_url", &o->root_crl_url);
    text_copy(l, map, "ca_file", &o->ca_file);
    text_copy(l, map, "token_file", &o->token_file);
    if (!o->name && !yaml_member(map, "name") && type && type->kind == YAML_TEXT) {
        o->name = strdup(type->text);
        l->problems->out_of_memory = l->problems->out_of_memory || !o->name;
    }
    if (type && !type->faulty)
        source_check(l->s, map, o);
}

static void source_clear(struct collateral_source_options *o)
{
    free((void *)o->name);
    free((void *)o->url);
    free((void *)o->root_crl_url);
    free((void *)o->ca_file);
    free((void *)o->token_file);
}

void settings_read_sources(struct settings_loader *l, const struct yaml_node *list)
{
    struct settings *s = l->s;

    if (!list || list->count == 0)
        return;
    s->collateral.sources = calloc(list->count, sizeof *s->collateral.sources);
    if (!s->collateral.sources) {
        l->problems->out_of_memory = true;
        return;
    }
    for (const struct yaml_node *n = list->first; n; n = n->next) {
        struct collateral_source_options o = {0};

        if (!yaml_mapping(n))
            continue;
        source_read(l, n, &o);
        s->collateral.sources[s->collateral.source_count++] = o;
    }
}

void settings_clear_sources(struct settings *s)
{
    for (size_t i = 0; i < s->collateral.source_count; i++)
        source_clear(&s->collateral.sources[i]);
    free(s->collateral.sources);
}
