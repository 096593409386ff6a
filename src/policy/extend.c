#include "policy/extend.h"

#include <string.h>

/* The list of bytes in `rule` for `key`, or NULL. */
static const struct policy_field *list_of(const struct appraisal_rule *rule, const char *key)
{
    const struct policy_field *field = policy_field_find(key);
    const struct policy_value *value;

    if (!field || (field->tees >> rule->kind & 1) == 0 ||
        (field->kind != FIELD_IDENTITY && field->kind != FIELD_BYTES &&
         field->kind != FIELD_BYTES_OR_ANY))
        return NULL;
    value = &rule->fields[field - policy_fields];
    return value->given && !value->any ? field : NULL;
}

static bool has(const struct appraisal_rule *rule, const struct policy_field *field,
                struct span bytes)
{
    return policy_value_lists(rule, (enum policy_field_id)(field - policy_fields), bytes);
}

bool appraisal_rule_lists(const struct appraisal_rule *rule, const char *key, struct span bytes)
{
    const struct policy_field *field = list_of(rule, key);

    return field && has(rule, field, bytes);
}

/* Lists are consecutive: the lists after `value` move to make room. */
MUST_CHECK static enum err insert(struct appraisal_rule *rule, struct policy_value *value,
                                  struct span bytes)
{
    const size_t at = (size_t)value->at + value->size;
    struct buffer *values = &rule->values;
    enum err e = buffer_reserve(values, bytes.size);

    if (e != ERR_NONE)
        return e;
    memmove(values->data + at + bytes.size, values->data + at, values->size - at);
    memcpy(values->data + at, bytes.data, bytes.size);
    values->size += bytes.size;
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++)
        if (&rule->fields[i] != value && rule->fields[i].given && rule->fields[i].at >= at)
            rule->fields[i].at = (uint16_t)(rule->fields[i].at + bytes.size);
    value->size = (uint16_t)(value->size + bytes.size);
    value->count++;
    return ERR_NONE;
}

enum policy_extension appraisal_rule_extend(struct appraisal_rule *rule, const char *key,
                                            struct span bytes)
{
    const struct policy_field *field = list_of(rule, key);
    struct policy_value *value;

    if (!field)
        return EXTENSION_FIELD;
    if (bytes.size != field->size || span_is_zero(bytes))
        return EXTENSION_VALUE;
    if (has(rule, field, bytes))
        return EXTENSION_EXISTS;
    value = &rule->fields[field - policy_fields];
    if (value->count >= field->max || bytes.size > POLICY_VALUES_MAX - rule->values.size)
        return EXTENSION_FULL;
    return insert(rule, value, bytes) == ERR_NONE ? EXTENSION_DONE : EXTENSION_MEMORY;
}
