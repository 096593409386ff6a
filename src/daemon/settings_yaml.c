#include "daemon/settings_yaml.h"

#include <assert.h>
#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>

/* A text longer than this is refused whatever the setting. */
enum { TEXT_MAX = 4096, FIELDS_MAX = SETTINGS_ROWS_MAX + 32, ENTRY_GROUPS_MAX = 4, LOG_MAX = 512 };

struct cells {
    struct settings_cell cells[SETTINGS_ROWS_MAX];
};

/*
 * libcyaml's schema, made from the table. Every scalar is loaded as a text, so that one parser of
 * values serves file and variables. Sections are mappings laid over the same array of cells.
 */
struct schema {
    cyaml_schema_value_t top;
    cyaml_schema_value_t text;
    cyaml_schema_value_t entries[ENTRY_GROUPS_MAX];
    size_t entries_used;
    cyaml_schema_field_t fields[FIELDS_MAX];
    size_t fields_used;
};

struct settings_yaml {
    struct schema schema;
    struct cells *cells; /* libcyaml's */
    struct cells none;
};

static const cyaml_schema_field_t *group_build(struct schema *x, const char *group);

static bool is_members(const char *group)
{
    const char *bracket = strchr(group, '[');

    return bracket && bracket > group && strcmp(bracket, "[]") == 0;
}

/* Whether row `i` begins a section: a group that is neither the top nor made of members. */
static bool begins_section(size_t i)
{
    const char *group = settings_table[i].group;

    return *group && !is_members(group) && setting_group_first(group) == i;
}

static const cyaml_schema_value_t *entry_build(struct schema *x, const struct setting *row)
{
    char group[SETTINGS_NAME_SIZE + 2];
    char name[SETTINGS_NAME_SIZE];
    cyaml_schema_value_t *entry = &x->entries[x->entries_used++];

    assert(x->entries_used <= ENTRY_GROUPS_MAX);
    setting_name(row, name);
    (void)snprintf(group, sizeof group, "%s[]", name);
    *entry = (cyaml_schema_value_t){.type = CYAML_MAPPING,
                                    .flags = CYAML_FLAG_DEFAULT,
                                    .data_size = sizeof(struct settings_entry),
                                    .mapping.fields = group_build(x, group)};
    return entry;
}

static void field_build(struct schema *x, const struct setting *row, size_t cell,
                        cyaml_schema_field_t *field)
{
    bool is_list = row->type == SETTING_TEXTS || row->type == SETTING_ENTRIES;

    field->key = row->key;
    field->data_offset =
        (uint32_t)(cell * sizeof(struct settings_cell) + offsetof(struct settings_cell, data));
    field->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    if (!is_list) {
        field->value.type = CYAML_STRING;
        field->value.data_size = sizeof(char);
        field->value.string.max = TEXT_MAX;
        return;
    }
    field->count_offset =
        (uint32_t)(cell * sizeof(struct settings_cell) + offsetof(struct settings_cell, count));
    field->count_size = sizeof(unsigned);
    field->value.type = CYAML_SEQUENCE;
    field->value.sequence.min = (uint32_t)row->min;
    field->value.sequence.max = (uint32_t)row->max;
    field->value.sequence.entry = row->type == SETTING_TEXTS ? &x->text : entry_build(x, row);
    field->value.data_size =
        row->type == SETTING_TEXTS ? sizeof(char *) : sizeof(struct settings_entry);
}

/* Reserves the fields of a group (and their end, which stays zero) before it fills them. */
static cyaml_schema_field_t *group_reserve(struct schema *x, const char *group)
{
    cyaml_schema_field_t *first = &x->fields[x->fields_used];

    for (size_t i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].group, group) == 0 || (!*group && begins_section(i)))
            x->fields_used++;
    x->fields_used++;
    assert(x->fields_used <= FIELDS_MAX);
    return first;
}

static const cyaml_schema_field_t *group_build(struct schema *x, const char *group)
{
    cyaml_schema_field_t *first = group_reserve(x, group);
    cyaml_schema_field_t *field = first;
    size_t base = is_members(group) ? setting_group_first(group) : 0;

    for (size_t i = 0; i < settings_table_count; i++) {
        const struct setting *row = &settings_table[i];

        if (strcmp(row->group, group) == 0) {
            assert(!is_members(group) || i - base < SETTINGS_MEMBERS_MAX);
            field_build(x, row, i - base, field++);
        } else if (!*group && begins_section(i)) {
            field->key = row->group;
            field->value.type = CYAML_MAPPING;
            field->value.flags = CYAML_FLAG_OPTIONAL;
            field->value.data_size = sizeof(struct cells);
            field->value.mapping.fields = group_build(x, row->group);
            field++;
        }
    }
    return first;
}

/* The mapping of a file that holds the list `row` alone. */
static const cyaml_schema_field_t *list_build(struct schema *x, const struct setting *row)
{
    cyaml_schema_field_t *field = &x->fields[x->fields_used];

    x->fields_used += 2; /* and its end */
    field_build(x, row, setting_index(row), field);
    return field;
}

/* `row`: NULL for the settings as a whole. */
static void schema_build(struct schema *x, const struct setting *row)
{
    x->text = (cyaml_schema_value_t){
        .type = CYAML_STRING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = sizeof(char),
        .string = {.min = 0, .max = TEXT_MAX}
    };
    x->top =
        (cyaml_schema_value_t){.type = CYAML_MAPPING,
                               .flags = CYAML_FLAG_POINTER,
                               .data_size = sizeof(struct cells),
                               .mapping.fields = row ? list_build(x, row) : group_build(x, "")};
}

/* libcyaml's memory, with sizes, so that what was a secret by mistake is wiped as well. */
struct block {
    size_t size;
    size_t reserved;
};

static void *memory(void *context, void *old, size_t size)
{
    struct block *block = old ? (struct block *)old - 1 : NULL;
    struct block *grown = NULL;
    size_t kept;

    (void)context;
    if (size > 0) {
        grown = size <= SIZE_MAX - sizeof *grown ? calloc(1, sizeof *grown + size) : NULL;
        if (!grown)
            return NULL;
        grown->size = size;
        kept = !block ? 0 : block->size < size ? block->size : size;
        if (kept > 0)
            memcpy(grown + 1, block + 1, kept);
    }
    if (block)
        bytes_wipe(block + 1, block->size);
    free(block);
    return grown ? grown + 1 : NULL;
}

/* What libcyaml tells in its log: first the fault, then a backtrace from the inside out. */
struct story {
    char fault[LOG_MAX];
    char path[SETTINGS_NAME_SIZE];
    unsigned line;
    bool warned;
};

static void path_prepend(struct story *story, const char *part)
{
    char joined[SETTINGS_NAME_SIZE * 2];
    bool needs_dot = story->path[0] && story->path[0] != '[';

    (void)snprintf(joined, sizeof joined, "%.*s%s%s", SETTINGS_NAME_SIZE - 1, part,
                   needs_dot ? "." : "", story->path);
    joined[SETTINGS_NAME_SIZE - 1] = '\0';
    memcpy(story->path, joined, SETTINGS_NAME_SIZE);
}

static void story_place(struct story *story, const char *message)
{
    char name[64];
    unsigned entry;
    unsigned line = 0;

    /* NOLINTBEGIN(cert-err34-c): libcyaml wrote these numbers, at most nine digits are read */
    if (sscanf(message, "  in mapping field '%63[^']' (line: %9u", name, &line) == 2) {
        path_prepend(story, name);
    } else if (sscanf(message, "  in sequence entry '%9u' (line: %9u", &entry, &line) == 2) {
        (void)snprintf(name, sizeof name, "[%u]", entry > 0 ? entry - 1 : 0);
        path_prepend(story, name);
    } else {
        (void)sscanf(message, "  in mapping (line: %9u", &line);
    }
    /* NOLINTEND(cert-err34-c) */
    if (story->line == 0)
        story->line = line;
}

static void story_tell(cyaml_log_t level, void *context, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

static void story_tell(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    struct story *story = context;
    char message[LOG_MAX];
    static const char prefix[] = "Load: ";

    (void)vsnprintf(message, sizeof message, format, arguments);
    message[strcspn(message, "\n")] = '\0';
    story->warned = story->warned || level == CYAML_LOG_WARNING;
    if (strncmp(message, "  in ", 5) == 0)
        story_place(story, message);
    else if (!story->fault[0] && !strstr(message, "Backtrace"))
        (void)snprintf(story->fault, sizeof story->fault, "%s",
                       strncmp(message, prefix, sizeof prefix - 1) == 0
                           ? message + sizeof prefix - 1
                           : message);
}

/* "allowed here: host, port, ..." for the group that the path names. */
static void keys_write(const struct setting *list, const char *path, char *out, size_t out_size)
{
    char group[2 * SETTINGS_NAME_SIZE];
    size_t used = 0;
    size_t to = 0;

    if (list && !*path) {
        (void)snprintf(out, out_size, "%s", list->key);
        return;
    }
    if (list) /* the file's top is that section */
        to = (size_t)snprintf(group, SETTINGS_NAME_SIZE, "%s.", list->group);

    for (const char *from = path; *from; from++) { /* entry numbers are not part of a group */
        if (*from >= '0' && *from <= '9' && to > 0 && group[to - 1] == '[')
            from += strspn(from, "0123456789");
        group[to++] = *from;
    }
    group[to] = '\0';
    *out = '\0';
    for (size_t i = 0; i < settings_table_count && used < out_size; i++) {
        const struct setting *row = &settings_table[i];
        bool section = !*group && begins_section(i);

        if (section || strcmp(row->group, group) == 0)
            used += (size_t)snprintf(out + used, out_size - used, "%s%s", used ? ", " : "",
                                     section ? row->group : row->key);
    }
}

static void story_explain(struct story *story, cyaml_err_t result, const struct setting *list,
                          struct span text, const char *file, struct settings_problem *problem)
{
    static const char unknown[] = "Unexpected key: ";
    char keys[600];

    if (result == CYAML_ERR_INVALID_KEY &&
        strncmp(story->fault, unknown, sizeof unknown - 1) == 0) {
        struct story named = *story;

        keys_write(list, story->path, keys, sizeof keys);
        named.path[0] = '\0';
        path_prepend(&named, story->fault + sizeof unknown - 1);
        if (story->path[0])
            path_prepend(&named, story->path);
        settings_problem_set(problem, file, settings_yaml_line(text, named.path, NULL), named.path,
                             "unknown setting; allowed here: %s; correct or remove it", keys);
        return;
    }
    settings_problem_set(problem, file, story->line, story->path, "%s%s%s; see the manual (--help)",
                         cyaml_strerror(result), story->fault[0] ? ": " : "", story->fault);
}

/* NUL would hide the rest of a text, other control characters of YAML's own are never needed. */
MUST_CHECK static enum err text_check(struct span text, const char *file,
                                      struct settings_problem *problem)
{
    unsigned line = 1;

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f || c >= 0xfe) {
            settings_problem_set(problem, file, line, "",
                                 "control character or byte order mark; the file must be UTF-8");
            return ERR_CONFIG;
        }
        line += c == '\n';
    }
    return ERR_NONE;
}

static cyaml_config_t config_of(struct story *story)
{
    return (cyaml_config_t){.log_fn = story ? story_tell : NULL,
                            .log_ctx = story,
                            .log_level = CYAML_LOG_WARNING,
                            .mem_fn = memory,
                            .flags = CYAML_CFG_NO_ALIAS};
}

MUST_CHECK static enum err document_load(struct settings_yaml *y, struct span text,
                                         const struct setting *list, const char *file,
                                         struct settings_problem *problem)
{
    struct story story = {0};
    cyaml_config_t config = config_of(&story);
    cyaml_data_t *data = NULL;
    cyaml_err_t result =
        cyaml_load_data(text.data, text.size, &config, &y->schema.top, &data, NULL);

    y->cells = data;
    if (result == CYAML_ERR_OOM)
        return ERR_MEMORY;
    if (result != CYAML_OK) {
        story_explain(&story, result, list, text, file, problem);
        return ERR_CONFIG;
    }
    if (story.warned) {
        settings_problem_set(problem, file, 0, "", "%s; the file must hold one document",
                             story.fault);
        return ERR_CONFIG;
    }
    return ERR_NONE;
}

MUST_CHECK static enum err load(struct span text, const char *file, const struct setting *list,
                                struct settings_yaml **out, struct settings_problem *problem)
{
    struct settings_yaml *y = NULL;
    enum err e = text_check(text, file, problem);

    if (e != ERR_NONE)
        return e;
    y = calloc(1, sizeof *y);
    if (!y)
        return ERR_MEMORY;
    schema_build(&y->schema, list);
    e = text.size > 0 ? document_load(y, text, list, file, problem) : ERR_NONE;
    if (e != ERR_NONE) {
        settings_yaml_free(&y);
        return e;
    }
    *out = y;
    return ERR_NONE;
}

enum err settings_yaml_load(struct span text, const char *file, struct settings_yaml **out,
                            struct settings_problem *problem)
{
    return load(text, file, NULL, out, problem);
}

enum err settings_yaml_load_list(struct span text, const char *file, const struct setting *row,
                                 struct settings_yaml **out, struct settings_problem *problem)
{
    return load(text, file, row, out, problem);
}

const struct settings_cell *settings_yaml_cell(const struct settings_yaml *y,
                                               const struct setting *row)
{
    return &(y->cells ? y->cells : &y->none)->cells[setting_index(row)];
}

void settings_yaml_free(struct settings_yaml **y)
{
    cyaml_config_t config = config_of(NULL);

    if (*y && (*y)->cells)
        (void)cyaml_free(&config, &(*y)->schema.top, (*y)->cells, 0);
    free(*y);
    *y = NULL;
}
