/* Where in a YAML file a setting stands: libcyaml knows no lines once it has loaded. */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "daemon/settings_yaml.h"

/* The next part of a path: a key, or "[N]" as an index. */
struct part {
    const char *key;
    size_t size;
    bool is_index;
    unsigned long index;
};

static struct part part_next(const char **path)
{
    struct part p = {.key = *path};

    if (**path == '[') {
        char *end;

        p.is_index = true;
        p.index = strtoul(*path + 1, &end, 10);
        *path = *end == ']' ? end + 1 : end;
    } else {
        p.size = strcspn(*path, ".[");
        *path += p.size;
    }
    if (**path == '.')
        (*path)++;
    return p;
}

static const yaml_node_t *item_find(yaml_document_t *document, const yaml_node_t *node,
                                    const struct part *p)
{
    if (node->type != YAML_SEQUENCE_NODE ||
        p->index >= (size_t)(node->data.sequence.items.top - node->data.sequence.items.start))
        return NULL;
    return yaml_document_get_node(document, node->data.sequence.items.start[p->index]);
}

/* The value, and in `*line` where its key stands. */
static const yaml_node_t *member_find(yaml_document_t *document, const yaml_node_t *node,
                                      const struct part *p, size_t *line)
{
    if (node->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);

        if (key && key->type == YAML_SCALAR_NODE && key->data.scalar.length == p->size &&
            memcmp(key->data.scalar.value, p->key, p->size) == 0 /* public */) {
            *line = key->start_mark.line;
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

/* As far as the path leads. */
static unsigned path_follow(yaml_document_t *document, const char *path, bool *exact)
{
    const yaml_node_t *node = yaml_document_get_root_node(document);
    size_t line = node ? node->start_mark.line : 0;

    while (node && *path) {
        struct part p = part_next(&path);

        if (p.is_index) {
            node = item_find(document, node, &p);
            line = node ? node->start_mark.line : line;
        } else {
            node = member_find(document, node, &p, &line);
        }
    }
    *exact = node != NULL;
    return (unsigned)line + 1;
}

unsigned settings_yaml_line(struct span text, const char *path, bool *exact)
{
    yaml_parser_t parser;
    yaml_document_t document;
    bool found = false;
    unsigned line = 0;

    if (text.size > 0 && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_string(&parser, text.data, text.size);
        if (yaml_parser_load(&parser, &document)) {
            line = path_follow(&document, path, &found);
            yaml_document_delete(&document);
        }
        yaml_parser_delete(&parser);
    }
    if (exact)
        *exact = found;
    return line;
}
