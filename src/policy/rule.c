/* Builds a rule from texts. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "policy/appraisal.h"

/* One field of a rule while it is set. */
struct setter {
    struct appraisal_rule *rule;
    const struct policy_field *field;
    struct policy_value *value;
    struct policy_fault *fault;
};

/* Shows at most 40 characters of a value, without control characters. */
MUST_CHECK static enum err blame_value(const struct setter *s, const char *text, const char *why)
{
    char shown[41];

    (void)snprintf(shown, sizeof shown, "%s", text);
    for (char *c = shown; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return policy_blame(s->fault, s->field->key, "%s%s %s; correct it",
                        *shown ? shown : "an empty value", strlen(text) > 40 ? "..." : "", why);
}

/* ---- values */

struct span policy_value_at(const struct appraisal_rule *rule, enum policy_field_id id, size_t i)
{
    const struct policy_value *value = &rule->fields[id];
    const enum field_kind kind = policy_fields[id].kind;
    const uint8_t *bytes = rule->values.data;
    size_t at = value->at;

    assert(i < value->count);
    if (kind != FIELD_TEXTS && kind != FIELD_EVENTS)
        return span_of(bytes + at + i * policy_fields[id].size, policy_fields[id].size);
    for (; i > 0; i--)
        at += 1u + bytes[at];
    return span_of(bytes + at + 1, bytes[at]);
}

bool policy_value_lists(const struct appraisal_rule *rule, enum policy_field_id id,
                        struct span value)
{
    for (size_t i = 0; i < rule->fields[id].count; i++)
        if (span_equal(policy_value_at(rule, id, i), value))
            return true;
    return false;
}

/* Appends a value: bytes of the field's size, or a text with its length. */
MUST_CHECK static enum err append(const struct setter *s, struct span bytes, bool sized,
                                  const char *text)
{
    struct buffer *values = &s->rule->values;
    const uint8_t length = (uint8_t)bytes.size;
    const struct span prefix = span_of(&length, sized ? 1 : 0);
    const size_t size = prefix.size + bytes.size;
    enum err e;

    if (policy_value_lists(s->rule, (enum policy_field_id)(s->field - policy_fields), bytes))
        return blame_value(s, text, "is given twice");
    if (size > POLICY_VALUES_MAX - values->size)
        return policy_blame(s->fault, s->field->key,
                            "too many values in one policy; write two policies");
    if ((e = buffer_reserve(values, size)) != ERR_NONE ||
        (e = buffer_append(values, prefix)) != ERR_NONE ||
        (e = buffer_append(values, bytes)) != ERR_NONE)
        return e;
    s->value->size = (uint16_t)(s->value->size + size);
    s->value->count++;
    return ERR_NONE;
}

static bool is_lower_hex(const char *text)
{
    return strlen(text) == strspn(text, "0123456789abcdef");
}

MUST_CHECK static enum err parse_bytes(const struct setter *s, const char *text)
{
    const enum field_kind kind = s->field->kind;
    const bool may_be_zero = kind == FIELD_BYTES || kind == FIELD_BYTES_OR_ANY;
    uint8_t bytes[64] = {0};
    struct span value = span_of(bytes, s->field->size);
    char why[96];

    assert(s->field->size <= sizeof bytes);
    if (may_be_zero && strcmp(text, "zero") == 0)
        return append(s, value, false, text);
    if (!is_lower_hex(text) || hex_read(span_string(text), bytes, s->field->size) != ERR_NONE) {
        (void)snprintf(why, sizeof why, "is not %zu hex digits in lower case%s%s",
                       2 * s->field->size, may_be_zero ? ", or zero" : "",
                       kind == FIELD_BYTES_OR_ANY ? ", or only any" : "");
        return blame_value(s, text, why);
    }
    if (!may_be_zero && span_is_zero(value))
        return blame_value(s, text, "is zero, which identifies nothing");
    return append(s, value, false, text);
}

static bool number_read(const char *text, uint64_t *out)
{
    return decimal_read(span_string(text), out) == ERR_NONE;
}

MUST_CHECK static enum err parse_number(const struct setter *s, const char *text)
{
    const bool may_be_any = s->field->kind == FIELD_NUMBER_OR_ANY;
    char why[96];

    if (number_read(text, &s->value->number) && s->value->number >= s->field->min &&
        s->value->number <= s->field->max)
        return ERR_NONE;
    (void)snprintf(why, sizeof why, "is not a whole number from %llu to %llu%s",
                   (unsigned long long)s->field->min, (unsigned long long)s->field->max,
                   may_be_any ? ", or any" : "");
    return blame_value(s, text, why);
}

MUST_CHECK static enum err parse_switch(const struct setter *s, const char *text)
{
    s->value->number = strcmp(text, "true") == 0;
    if (s->value->number == 0 && strcmp(text, "false") != 0)
        return blame_value(s, text, "is neither true nor false");
    return ERR_NONE;
}

MUST_CHECK static enum err parse_version(const struct setter *s, const char *text)
{
    const char *dot = strchr(text, '.');
    char major[8] = "";
    uint64_t parts[2] = {0};

    if (dot && (size_t)(dot - text) < sizeof major)
        memcpy(major, text, (size_t)(dot - text));
    if (!dot || !number_read(major, &parts[0]) || !number_read(dot + 1, &parts[1]) ||
        parts[0] > 255 || parts[1] > 255)
        return blame_value(s, text, "is not MAJOR.MINOR, each 0 to 255");
    s->value->number = parts[0] << 8 | parts[1];
    return ERR_NONE;
}

static bool name_has_bit(const struct bit_names *names, unsigned bit)
{
    for (const struct bit_name *n = names->names; n->name; n++)
        if (n->bit == bit)
            return true;
    return false;
}

/* The bit of a name, or of "bitN" for a numbered bit without a name; 64: none. */
static unsigned bit_read(const struct bit_names *names, const char *text)
{
    uint64_t bit = 64;

    for (const struct bit_name *n = names->names; n->name; n++)
        if (strcmp(n->name, text) == 0)
            return n->bit;
    if (!names->numbered || strncmp(text, "bit", 3) != 0 || !number_read(text + 3, &bit) ||
        bit > 63 || (names->beside >> bit & 1) || name_has_bit(names, (unsigned)bit))
        return 64;
    return (unsigned)bit;
}

MUST_CHECK static enum err parse_name(const struct setter *s, const char *text)
{
    const struct bit_names *names = s->field->names;
    const unsigned bit = bit_read(names, text);
    char why[200] = "is not one of ";
    size_t used = strlen(why);

    if (bit > 63) {
        for (const struct bit_name *n = names->names; n->name && used < sizeof why; n++)
            if ((names->never >> n->bit & 1) == 0)
                used += (size_t)snprintf(why + used, sizeof why - used, "%s%s", n->name,
                                         n[1].name ? ", " : "");
        return blame_value(s, text, why);
    }
    if (names->never >> bit & 1)
        return policy_blame(s->fault, s->field->key, "%s; remove it", names->never_why);
    if (s->value->number >> bit & 1)
        return blame_value(s, text, "is given twice");
    s->value->number |= UINT64_C(1) << bit;
    return ERR_NONE;
}

static bool is_plain(const char *text, size_t size, size_t max)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._:=-";

    return size > 0 && size <= max && strspn(text, allowed) >= size;
}

MUST_CHECK static enum err parse_text(const struct setter *s, const char *text)
{
    if (!is_plain(text, strlen(text), s->field->size))
        return blame_value(s, text, "is not a name of letters, digits and . _ : = -");
    return append(s, span_string(text), true, text);
}

MUST_CHECK static enum err parse_event(const struct setter *s, const char *text)
{
    const size_t name_size = strcspn(text, "=");
    const char *payload = text + name_size + 1;

    if (text[name_size] != '=' || !is_plain(text, name_size, 64) || memchr(text, ':', name_size) ||
        !is_lower_hex(payload) || strlen(payload) % 2 != 0 || strlen(text) > POLICY_TEXT_MAX)
        return blame_value(s, text, "is not NAME=HEX, with the payload in lower case");
    return append(s, span_string(text), true, text);
}

static const struct {
    bool is_list;
    MUST_CHECK enum err (*parse)(const struct setter *s, const char *text);
} kinds[] = {
    [FIELD_IDENTITY] = {true,  parse_bytes  },
      [FIELD_SIGNER] = {false, parse_bytes  },
    [FIELD_BYTES] = {true,  parse_bytes  },
      [FIELD_BYTES_OR_ANY] = {true,  parse_bytes  },
    [FIELD_NUMBER] = {false, parse_number },
      [FIELD_NUMBER_OR_ANY] = {false, parse_number },
    [FIELD_SWITCH] = {false, parse_switch },
      [FIELD_NAMES] = {true,  parse_name   },
    [FIELD_TEXTS] = {true,  parse_text   },
      [FIELD_EVENTS] = {true,  parse_event  },
    [FIELD_VERSION] = {false, parse_version},
};

bool policy_field_lists(const struct policy_field *field)
{
    return kinds[field->kind].is_list;
}

/* ---- start, set, finish */

enum err appraisal_rule_start(struct appraisal_rule *rule, const char *name, const char *tee,
                              struct policy_fault *fault)
{
    *rule = (struct appraisal_rule){0};
    if (attest_type_parse(span_string(tee), &rule->kind) != ERR_NONE)
        return policy_blame(fault, "tee", "not a kind of evidence that policies know; correct it");
    if (*name == '\0' || strlen(name) > POLICY_NAME_MAX)
        return policy_blame(fault, "name", "must have 1 to 64 characters; correct it");
    (void)snprintf(rule->name, sizeof rule->name, "%s", name);
    (void)snprintf(rule->tee, sizeof rule->tee, "%s", tee);
    return ERR_NONE;
}

enum err appraisal_rule_copy(const struct appraisal_rule *from, struct appraisal_rule *to)
{
    struct appraisal_rule copy = *from;
    enum err e;

    copy.values = (struct buffer){0};
    e = buffer_append(&copy.values, buffer_span(&from->values));
    if (e == ERR_NONE)
        *to = copy;
    return e;
}

void appraisal_rule_clear(struct appraisal_rule *rule)
{
    buffer_clear(&rule->values);
    *rule = (struct appraisal_rule){0};
}

static bool is_for(const struct policy_field *field, const struct appraisal_rule *rule)
{
    return field->tees >> rule->kind & 1;
}

static bool may_be_any(const struct policy_field *field)
{
    return field->kind == FIELD_BYTES_OR_ANY || field->kind == FIELD_NUMBER_OR_ANY;
}

MUST_CHECK static enum err check_count(const struct setter *s, size_t count)
{
    const struct policy_field *field = s->field;

    if (!kinds[field->kind].is_list)
        return count == 1 ? ERR_NONE
                          : policy_blame(s->fault, field->key, "is one value; give one of them");
    if (count < field->min || count > field->max)
        return policy_blame(s->fault, field->key, "must have %llu to %llu values; correct it",
                            (unsigned long long)field->min, (unsigned long long)field->max);
    return ERR_NONE;
}

enum err appraisal_rule_set(struct appraisal_rule *rule, const char *key, char *const *texts,
                            size_t count, struct policy_fault *fault)
{
    const struct policy_field *field = policy_field_find(key);
    struct setter s = {rule, field, NULL, fault};
    enum err e;

    if (!field)
        return policy_blame(fault, key, "unknown; correct or remove it");
    if (!is_for(field, rule))
        return policy_blame(fault, field->key,
                            "nothing that evidence of kind %s has; remove it, or correct tee",
                            rule->tee);
    s.value = &rule->fields[field - policy_fields];
    if (s.value->stated)
        return policy_blame(fault, field->key, "given twice; remove one");
    if ((e = check_count(&s, count)) != ERR_NONE)
        return e;
    *s.value =
        (struct policy_value){.given = true, .stated = true, .at = (uint16_t)rule->values.size};
    if (may_be_any(field) && count == 1 && strcmp(texts[0], "any") == 0) {
        s.value->any = true;
        return ERR_NONE;
    }
    for (size_t i = 0; i < count && e == ERR_NONE; i++)
        e = kinds[field->kind].parse(&s, texts[i]);
    return e;
}

/* The comma list of a default. */
MUST_CHECK static enum err set_standard(struct appraisal_rule *rule,
                                        const struct policy_field *field,
                                        struct policy_fault *fault)
{
    struct policy_value *value = &rule->fields[field - policy_fields];
    struct setter s = {rule, field, value, fault};
    const char *list = field->standard;
    char text[64];
    enum err e = ERR_NONE;

    *value = (struct policy_value){.given = true, .at = (uint16_t)rule->values.size};
    while (*list && e == ERR_NONE) {
        const size_t size = strcspn(list, ",");

        assert(size < sizeof text);
        memcpy(text, list, size);
        text[size] = '\0';
        e = kinds[field->kind].parse(&s, text);
        list += size + (list[size] == ',');
    }
    return e;
}

/* A required bit is allowed, too. */
static void allow_required(struct appraisal_rule *rule)
{
    static const enum policy_field_id pairs[][2] = {
        {FIELD_ID_ATTRIBUTES_REQUIRED,    FIELD_ID_ATTRIBUTES_ALLOWED   },
        {FIELD_ID_TD_ATTRIBUTES_REQUIRED, FIELD_ID_TD_ATTRIBUTES_ALLOWED},
        {FIELD_ID_XFAM_REQUIRED,          FIELD_ID_XFAM_ALLOWED         },
        {FIELD_ID_GUEST_POLICY_REQUIRED,  FIELD_ID_GUEST_POLICY_ALLOWED },
        {FIELD_ID_PLATFORM_INFO_REQUIRED, FIELD_ID_PLATFORM_INFO_ALLOWED},
    };

    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        rule->fields[pairs[i][1]].number |= rule->fields[pairs[i][0]].number;
}

enum err appraisal_rule_finish(struct appraisal_rule *rule, struct policy_fault *fault)
{
    enum err e = ERR_NONE;

    for (size_t i = 0; i < POLICY_FIELD_COUNT && e == ERR_NONE; i++)
        if (policy_fields[i].standard && is_for(&policy_fields[i], rule) && !rule->fields[i].stated)
            e = set_standard(rule, &policy_fields[i], fault);
    if (e != ERR_NONE)
        return e;
    allow_required(rule);
    return appraisal_rule_check(rule, fault);
}
