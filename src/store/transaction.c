#include "store/transaction.h"

#include "audit/entry.h"
#include "audit/tiles.h"

static bool id_is_good(struct span id)
{
    return id.size >= 1 && id.size <= ROW_ID_MAX;
}

MUST_CHECK static enum err put_check(const struct effect *f)
{
    if (f->lookup.size > ROW_LOOKUP_MAX || f->value.size > ROW_VALUE_MAX)
        return ERR_TOO_LARGE;
    return f->table == TABLE_COUNTER ? ERR_MALFORMED : ERR_NONE;
}

MUST_CHECK static enum err count_check(const struct effect *f)
{
    return f->table == TABLE_COUNTER && f->uses >= 1 && f->window_ms >= 0 ? ERR_NONE
                                                                          : ERR_MALFORMED;
}

MUST_CHECK static enum err effect_check(const struct effect *f)
{
    if (f->table < TABLE_COUNTER || f->table >= TABLE_END || !id_is_good(f->id))
        return ERR_MALFORMED;
    switch (f->kind) {
    case EFFECT_PUT:
        return put_check(f);
    case EFFECT_COUNT:
        return count_check(f);
    case EFFECT_DELETE:
    case EFFECT_REQUIRE:
        return ERR_NONE;
    }
    return ERR_MALFORMED;
}

enum err transaction_check(const struct transaction *t)
{
    enum err e = ERR_NONE;

    if (t->count > TRANSACTION_EFFECTS_MAX || t->entry.size > AUDIT_ENTRY_MAX ||
        t->entry_limit.size > AUDIT_ENTRY_MAX || t->entry_conflict.size > AUDIT_ENTRY_MAX)
        return ERR_TOO_LARGE;
    if (t->entry.size == 0 || t->time.ms < 0 || t->archived % TILE_WIDTH != 0)
        return ERR_MALFORMED;
    for (size_t i = 0; e == ERR_NONE && i < t->count; i++)
        e = effect_check(&t->effects[i]);
    return e;
}
