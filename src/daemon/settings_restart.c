/* Which settings a running daemon cannot take over. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "daemon/settings_table.h"

/* What SIGHUP takes into use (daemon/reload.h), and secrets, which are not kept. */
static bool is_reloaded(const struct setting *row)
{
    static const struct {
        const char *group, *key;
    } reloaded[] = {
        {"tls",         "certificate_file"},
        {"tls",         "key_file"        },
        {"attestation", "collateral"      },
        {"attestation", "policy_files"    },
        {"collateral",  "directories"     },
    };

    for (size_t i = 0; i < COUNT_OF(reloaded); i++)
        if (strcmp(row->group, reloaded[i].group) == 0 && strcmp(row->key, reloaded[i].key) == 0)
            return true;
    return row->type == SETTING_SECRET;
}

static const void *value_of(const struct settings *s, const struct setting *row)
{
    return (const uint8_t *)s + row->offset;
}

static bool texts_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool lists_equal(const struct settings *a, const struct settings *b,
                        const struct setting *row)
{
    const size_t count = *(const size_t *)(const void *)((const uint8_t *)a + row->count_offset);
    const size_t other = *(const size_t *)(const void *)((const uint8_t *)b + row->count_offset);
    char *const *items = *(char *const *const *)value_of(a, row);
    char *const *others = *(char *const *const *)value_of(b, row);

    if (count != other)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!texts_equal(items[i], others[i]))
            return false;
    return true;
}

static bool values_equal(const struct settings *a, const struct settings *b,
                         const struct setting *row)
{
    switch (row->type) {
    case SETTING_TEXT:
        return texts_equal(*(const char *const *)value_of(a, row),
                           *(const char *const *)value_of(b, row));
    case SETTING_TEXTS:
        return lists_equal(a, b, row);
    case SETTING_NUMBER:
    case SETTING_BOOL:
    case SETTING_CHOICE:
        return span_equal(span_of(value_of(a, row), row->size),
                          span_of(value_of(b, row), row->size));
    case SETTING_SECRET:
    case SETTING_ENTRIES:
        break;
    }
    return true;
}

static bool sources_equal(const struct settings *a, const struct settings *b)
{
    if (a->collateral.source_count != b->collateral.source_count)
        return false;
    for (size_t i = 0; i < a->collateral.source_count; i++) {
        const struct collateral_source_options *s = &a->collateral.sources[i];
        const struct collateral_source_options *t = &b->collateral.sources[i];

        if (s->type != t->type || s->early != t->early ||
            s->evaluation_number != t->evaluation_number || s->timeout_ms != t->timeout_ms ||
            !texts_equal(s->name, t->name) || !texts_equal(s->url, t->url) ||
            !texts_equal(s->root_crl_url, t->root_crl_url) ||
            !texts_equal(s->ca_file, t->ca_file) || !texts_equal(s->token_file, t->token_file))
            return false;
    }
    return true;
}

/* Room for the three dots is always left. */
static void list_name(struct writer *w, const struct setting *row, bool *full)
{
    char name[SETTINGS_NAME_SIZE];

    setting_name(row, name);
    if (*full || w->size + strlen(name) + sizeof ",,..." > w->capacity) {
        *full = true;
        return;
    }
    if (w->size > 0)
        writer_u8(w, ',');
    writer_put(w, span_string(name));
}

void settings_needing_restart(const struct settings *before, const struct settings *after,
                              char *out, size_t size)
{
    struct writer w = writer_over(out, size);
    bool full = false;

    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];

        if (row->size > 0 && !is_reloaded(row) && !values_equal(before, after, row))
            list_name(&w, row, &full);
    }
    if (!sources_equal(before, after))
        list_name(&w, setting_find("collateral", "sources"), &full);
    if (full)
        writer_put(&w, SPAN_LITERAL(",..."));
    writer_u8(&w, '\0');
}
