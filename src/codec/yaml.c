/* Builds the tree from libyaml's events. The getters are in yaml_value.c. */
#include "codec/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A node and its text, in the chain of all nodes that the file owns. */
struct block {
    struct block *older;
    size_t size; /* of `chars` */
    struct yaml_node node;
    struct yaml_node *last; /* child */
    char chars[];
};

struct yaml_file {
    char *name;
    struct problems *problems;
    struct block *newest;
    size_t node_count;
    struct yaml_node *root;
};

/* The state between two events. */
struct builder {
    yaml_parser_t parser;
    struct yaml_file *file;
    struct yaml_node *open; /* the list or mapping that is being filled; NULL at the top */
    struct yaml_node *key;  /* has been read; its value comes next */
    unsigned depth;
    unsigned documents;
};

static struct block *block_of(struct yaml_node *n)
{
    return (struct block *)(void *)((char *)n - offsetof(struct block, node));
}

static struct problem_place place_of(const struct yaml_file *file, yaml_mark_t mark)
{
    return (struct problem_place){
        .file = file->name, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
}

/* Adds a fault of the form, when there is no node yet. */
static void blame_mark(const struct builder *b, yaml_mark_t mark, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void blame_mark(const struct builder *b, yaml_mark_t mark, const char *format, ...)
{
    struct problem_place place = place_of(b->file, mark);
    char path[YAML_PATH_SIZE];
    va_list arguments;

    yaml_path(b->open, path);
    place.setting = path;
    va_start(arguments, format);
    problems_add_list(b->file->problems, &place, format, arguments);
    va_end(arguments);
}

MUST_CHECK static enum err node_new(struct builder *b, enum yaml_kind kind, yaml_mark_t mark,
                                    struct span text, struct yaml_node **out)
{
    struct yaml_file *file = b->file;
    struct block *block;

    if (file->node_count == YAML_NODES_MAX) {
        blame_mark(b, mark, "more than %d keys and values in one file; split it", YAML_NODES_MAX);
        return ERR_CONFIG;
    }
    block = calloc(1, sizeof *block + text.size + 1);
    if (!block)
        return ERR_MEMORY;
    block->older = file->newest;
    block->size = text.size;
    if (text.size > 0)
        memcpy(block->chars, text.data, text.size);
    block->node = (struct yaml_node){.kind = kind,
                                     .line = (unsigned)mark.line + 1,
                                     .column = (unsigned)mark.column + 1,
                                     .text = kind == YAML_TEXT ? block->chars : NULL,
                                     .file = file};
    file->newest = block;
    file->node_count++;
    *out = &block->node;
    return ERR_NONE;
}

static void append(struct yaml_node *parent, struct yaml_node *n)
{
    struct block *block = block_of(parent);

    n->index = parent->count++;
    if (block->last)
        block->last->next = n;
    else
        parent->first = n;
    block->last = n;
}

/*
 * Adds a value to the tree, under its key. Of two members with the same key, the second is not
 * added. It is still read, so that its faults are found.
 */
MUST_CHECK static enum err node_place(struct builder *b, struct yaml_node *n)
{
    struct yaml_node *parent = b->open;
    const struct yaml_node *first;

    n->parent = parent;
    if (!parent) {
        b->file->root = n;
        return ERR_NONE;
    }
    if (parent->kind == YAML_LIST) {
        append(parent, n);
        return ERR_NONE;
    }
    n->key = b->key->text;
    n->line = b->key->line;
    n->column = b->key->column;
    b->key = NULL;
    first = yaml_member(parent, n->key);
    if (first) {
        yaml_blame(n, "given twice, first on line %u; remove one of the two", first->line);
        return ERR_NONE;
    }
    if (parent->count == YAML_MEMBERS_MAX) {
        yaml_blame(n, "more than %d members in one mapping", YAML_MEMBERS_MAX);
        return ERR_CONFIG;
    }
    append(parent, n);
    return ERR_NONE;
}

static bool expects_key(const struct builder *b)
{
    return b->open && b->open->kind == YAML_MAPPING && !b->key;
}

/* Anchors and tags change the meaning of a value, which a reader of the file can miss. */
static bool is_plain(const struct builder *b, const yaml_event_t *event, const yaml_char_t *anchor,
                     const yaml_char_t *tag)
{
    if (anchor)
        blame_mark(b, event->start_mark, "anchors (&%s) are not allowed; write the value",
                   (const char *)anchor);
    if (tag)
        blame_mark(b, event->start_mark, "tags (%s) are not allowed; remove it", (const char *)tag);
    return !anchor && !tag;
}

MUST_CHECK static enum err key_read(struct builder *b, const yaml_event_t *event)
{
    const struct span text = span_of(event->data.scalar.value, event->data.scalar.length);

    if (text.size == 0 || text.size >= YAML_PATH_SIZE / 2 || memchr(text.data, 0, text.size)) {
        blame_mark(b, event->start_mark, "a key must have 1 to %d characters",
                   YAML_PATH_SIZE / 2 - 1);
        return ERR_CONFIG;
    }
    return node_new(b, YAML_TEXT, event->start_mark, text, &b->key);
}

/* Checks a text for forbidden characters. A text with one becomes empty and faulty. */
static bool text_is_safe(const struct builder *b, const struct yaml_node *n, struct span text)
{
    (void)b;
    if (text.size > YAML_TEXT_MAX) {
        yaml_blame(n, "longer than %d bytes; shorten it", YAML_TEXT_MAX);
        return false;
    }
    if (text.size > 0 && memchr(text.data, 0, text.size)) {
        yaml_blame(n, "contains a NUL character; remove it");
        return false;
    }
    return true;
}

MUST_CHECK static enum err scalar_read(struct builder *b, const yaml_event_t *event)
{
    const struct span text = span_of(event->data.scalar.value, event->data.scalar.length);
    const bool plain = is_plain(b, event, event->data.scalar.anchor, event->data.scalar.tag);
    struct yaml_node *n = NULL;
    enum err e;

    if (expects_key(b))
        return key_read(b, event);
    if ((e = node_new(b, YAML_TEXT, event->start_mark, text, &n)) != ERR_NONE)
        return e;
    n->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    n->faulty = !plain;
    if ((e = node_place(b, n)) == ERR_NONE && !text_is_safe(b, n, text))
        n->text = "";
    return e;
}

MUST_CHECK static enum err container_open(struct builder *b, const yaml_event_t *event,
                                          enum yaml_kind kind, bool plain)
{
    struct yaml_node *n = NULL;
    enum err e;

    if (expects_key(b)) {
        blame_mark(b, event->start_mark, "a key must be a text, not a list or a mapping");
        return ERR_CONFIG;
    }
    if (b->depth == YAML_DEPTH_MAX) {
        blame_mark(b, event->start_mark, "nested deeper than %d levels", YAML_DEPTH_MAX);
        return ERR_CONFIG;
    }
    if ((e = node_new(b, kind, event->start_mark, (struct span){0}, &n)) != ERR_NONE ||
        (e = node_place(b, n)) != ERR_NONE)
        return e;
    n->faulty = n->faulty || !plain;
    b->open = n;
    b->depth++;
    return ERR_NONE;
}

MUST_CHECK static enum err alias_read(struct builder *b, const yaml_event_t *event)
{
    struct yaml_node *n = NULL;
    enum err e;

    blame_mark(b, event->start_mark, "aliases (*%s) are not allowed; write the value",
               (const char *)event->data.alias.anchor);
    if (expects_key(b))
        return ERR_CONFIG;
    if ((e = node_new(b, YAML_TEXT, event->start_mark, (struct span){0}, &n)) != ERR_NONE)
        return e;
    n->faulty = true;
    return node_place(b, n);
}

MUST_CHECK static enum err document_start(struct builder *b, const yaml_event_t *event)
{
    const bool directives = event->data.document_start.version_directive ||
                            event->data.document_start.tag_directives.start !=
                                event->data.document_start.tag_directives.end;

    if (++b->documents > 1) {
        blame_mark(b, event->start_mark, "a second document begins here; the file must hold one");
        return ERR_CONFIG;
    }
    if (directives)
        blame_mark(b, event->start_mark, "directives (%%) are not allowed; remove them");
    return ERR_NONE;
}

MUST_CHECK static enum err event_take(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return document_start(b, event);
    case YAML_ALIAS_EVENT:
        return alias_read(b, event);
    case YAML_SCALAR_EVENT:
        return scalar_read(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return container_open(
            b, event, YAML_LIST,
            is_plain(b, event, event->data.sequence_start.anchor, event->data.sequence_start.tag));
    case YAML_MAPPING_START_EVENT:
        return container_open(
            b, event, YAML_MAPPING,
            is_plain(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag));
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->open = b->open->parent;
        b->depth--;
        return ERR_NONE;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return ERR_NONE;
}

/* libyaml's message and position: "did not find expected key while parsing a mapping". */
MUST_CHECK static enum err syntax_blame(const struct builder *b)
{
    const yaml_parser_t *p = &b->parser;

    if (p->error == YAML_MEMORY_ERROR)
        return ERR_MEMORY;
    if (p->error == YAML_READER_ERROR)
        problems_add(b->file->problems, &(struct problem_place){.file = b->file->name},
                     "not UTF-8 at byte %zu: %s", p->problem_offset, p->problem);
    else if (p->context)
        blame_mark(b, p->problem_mark, "not YAML at column %zu: %s, %s that begins on line %zu",
                   p->problem_mark.column + 1, p->problem, p->context, p->context_mark.line + 1);
    else
        blame_mark(b, p->problem_mark, "not YAML at column %zu: %s", p->problem_mark.column + 1,
                   p->problem);
    return ERR_CONFIG;
}

MUST_CHECK static enum err events_read(struct builder *b)
{
    enum err e = ERR_NONE;
    bool ended = false;

    while (e == ERR_NONE && !ended) {
        yaml_event_t event;

        if (!yaml_parser_parse(&b->parser, &event))
            return syntax_blame(b);
        e = event_take(b, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    return e;
}

/* YAML allows some of these characters; a settings file does not need them. */
MUST_CHECK static enum err bytes_check(struct yaml_file *file, struct span text)
{
    struct problem_place place = {.file = file->name, .line = 1};

    if (text.size > YAML_SIZE_MAX) {
        place.line = 0;
        problems_add(file->problems, &place, "%zu bytes; at most %u are allowed", text.size,
                     YAML_SIZE_MAX);
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];

        if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f || c >= 0xfe ||
            (i == 0 && span_starts_with(text, SPAN_LITERAL("\xef\xbb\xbf")))) {
            problems_add(file->problems, &place,
                         "a control character or byte order mark (0x%02x); save the file as UTF-8 "
                         "without byte order mark",
                         c);
            return ERR_CONFIG;
        }
        place.line += c == '\n';
    }
    return ERR_NONE;
}

MUST_CHECK static enum err file_fill(struct yaml_file *file, struct span text)
{
    struct builder b = {.file = file};
    enum err e = bytes_check(file, text);

    if (e != ERR_NONE || text.size == 0)
        return e;
    if (!yaml_parser_initialize(&b.parser))
        return ERR_MEMORY;
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, text.data, text.size);
    e = events_read(&b);
    yaml_parser_delete(&b.parser);
    return e;
}

enum err yaml_open(struct span text, const char *file, struct problems *problems,
                   struct yaml_file **out)
{
    struct yaml_file *y = calloc(1, sizeof *y);
    enum err e = ERR_MEMORY;

    if (!y)
        return ERR_MEMORY;
    y->problems = problems;
    y->name = strdup(file);
    if (y->name)
        e = file_fill(y, text);
    if (e == ERR_NONE)
        *out = y; /* the caller owns it now */
    else
        yaml_close(&y);
    return e;
}

void yaml_close(struct yaml_file **y)
{
    struct block *block = *y ? (*y)->newest : NULL;

    if (!*y)
        return;
    while (block) {
        struct block *older = block->older;

        bytes_wipe(block->chars, block->size);
        free(block);
        block = older;
    }
    free((*y)->name);
    free(*y);
    *y = NULL;
}

const struct yaml_node *yaml_root(const struct yaml_file *y)
{
    return y->root;
}

static void blame_at(const struct yaml_node *n, const char *path, const char *format,
                     va_list arguments) PRINTF_LIKE(3, 0);

static void blame_at(const struct yaml_node *n, const char *path, const char *format,
                     va_list arguments)
{
    const struct problem_place place = {
        .file = n->file->name, .line = n->line, .column = n->column, .setting = path};

    problems_add_list(n->file->problems, &place, format, arguments);
}

/* In a finished tree only this mark changes. */
static void blame_node(const struct yaml_node *n, const char *format, va_list arguments)
    PRINTF_LIKE(2, 0);

static void blame_node(const struct yaml_node *n, const char *format, va_list arguments)
{
    char path[YAML_PATH_SIZE];

    if (n->faulty)
        return;
    ((struct yaml_node *)(uintptr_t)n)->faulty = true;
    yaml_path(n, path);
    blame_at(n, path, format, arguments);
}

void yaml_blame(const struct yaml_node *n, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    blame_node(n, format, arguments);
    va_end(arguments);
}

void yaml_blame_member(const struct yaml_node *map, const char *key, const char *format, ...)
{
    const struct yaml_node *n = yaml_member(map, key);
    char path[YAML_PATH_SIZE];
    size_t size;
    va_list arguments;

    va_start(arguments, format);
    if (n) {
        blame_node(n, format, arguments);
    } else {
        yaml_path(map, path);
        size = strlen(path);
        (void)snprintf(path + size, sizeof path - size, "%s%s", size > 0 ? "." : "", key);
        blame_at(map, path, format, arguments);
    }
    va_end(arguments);
}
