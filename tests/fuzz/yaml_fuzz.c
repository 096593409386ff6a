/* Any bytes are refused with a problem, or give a tree whose links, paths and limits are right. */
#include <assert.h>
#include <string.h>

#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks without recursion, because it checks the depth. */
static void tree_check(const struct yaml_node *root)
{
    static const struct yaml_choice choices[] = {
        {"on",  1},
        {"off", 2},
        {NULL,  0}
    };
    static const char *const known[] = {"a", "host", "port"};
    const struct yaml_node *n = root;
    size_t nodes = 0;
    unsigned depth = 1;

    while (n) {
        char path[YAML_PATH_SIZE];

        assert(++nodes <= YAML_NODES_MAX && depth <= YAML_DEPTH_MAX + 1);
        assert((n->kind == YAML_TEXT) == (n->text != NULL) && n->line > 0 && n->column > 0);
        assert(!n->text || strlen(n->text) <= YAML_TEXT_MAX);
        assert(!n->key || yaml_member(n->parent, n->key) == n); /* keys differ */
        yaml_path(n, path);
        (void)yaml_text(n, 0, 10, "");
        (void)yaml_number(n, 1, 100, 1);
        (void)yaml_bool(n, false);
        (void)yaml_choice(n, choices, 0);
        (void)yaml_list(n, 0, 10);
        (void)yaml_mapping(n);
        yaml_known(n, known, COUNT_OF(known));
        if (n->first) {
            depth++;
            n = n->first;
            continue;
        }
        while (n && !n->next) {
            depth--;
            n = n->parent;
        }
        n = n ? n->next : NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct problems problems = {0};
    struct yaml_file *y = NULL;
    enum err e = yaml_open(span_of(data, size), "fuzz.yaml", &problems, &y);

    if (e == ERR_NONE)
        tree_check(yaml_root(y));
    else
        assert(!y && (e == ERR_MEMORY || problems.count > 0));
    for (size_t i = 0; i < problems.count; i++)
        for (const char *c = problems.items[i].text; *c; c++)
            assert((unsigned char)*c >= 0x20 && *c != 0x7f);
    yaml_close(&y);
    problems_clear(&problems);
    return 0;
}
