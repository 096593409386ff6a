/*
 * YAML files that people write: settings and policies. yaml_open() reads the text once into a tree
 * of nodes; each node knows its line and column. The getters below check and convert values.
 *
 * Both add every fault to the `problems` of the document and go on, as in
 *
 *   vouchsafe.yaml:12: server.port: "80a" is not allowed; it must be a whole number from 1 to 65535
 *
 * so a reader is as flat as the table of its format, and one run names all faults:
 *
 *   struct problems problems = {0};
 *   struct yaml_file *y = NULL;
 *   enum err e = yaml_open(text, path, &problems, &y);
 *   if (e == ERR_NONE) {
 *       port = (uint16_t)yaml_number(yaml_member(yaml_root(y), "port"), 1, 65535, 8081);
 *       e = problems_err(&problems);    // use `port` only when this is ERR_NONE
 *   }
 *   yaml_close(&y);
 *
 * The accepted language is small: one document, in UTF-8, with texts as keys. The parser refuses
 * anchors, aliases, tags, directives, a key given twice, control characters, a byte order mark, and
 * what exceeds a limit below.
 */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include "base/problems.h"
#include "base/span.h"

#define YAML_SIZE_MAX (1024u * 1024) /* bytes of the file */
#define YAML_DEPTH_MAX 16            /* nested lists and mappings */
#define YAML_NODES_MAX 65536         /* keys and values in all */
#define YAML_MEMBERS_MAX 256         /* of one mapping */
#define YAML_TEXT_MAX 4096           /* bytes of one text */
#define YAML_PATH_SIZE 192           /* of "attestation.policies[2].mrtd", terminated */

struct yaml_file;

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAPPING };

/* Read only. The file owns all pointers; yaml_close() ends them. */
struct yaml_node {
    enum yaml_kind kind;
    unsigned line, column;   /* 1-based start of the value; in a mapping, of its key */
    const char *key;         /* in a mapping; else NULL */
    const char *text;        /* YAML_TEXT: terminated, valid UTF-8; else NULL */
    bool quoted;             /* YAML_TEXT in quotes, or as a block: never a number or boolean */
    size_t index;            /* position among the members or elements of its parent */
    size_t count;            /* members or elements */
    struct yaml_node *first; /* the first of them, or NULL */
    struct yaml_node *next;  /* the next one of the same parent, or NULL */
    struct yaml_node *parent;
    struct yaml_file *file;
    bool faulty; /* a problem names the node already: getters add no other */
};

/*
 * Reads a text. Faults that do not hide the rest of the file, such as a key given twice, are added
 * to `problems`, and the tree has all other values. So a returned tree does not mean a correct
 * file: check problems_err() once all values are read.
 *
 * file      its name for messages; copied
 * problems  borrowed until yaml_close()
 *
 * ERR_CONFIG  no tree: not YAML, or a limit is exceeded; a problem says why
 * ERR_MEMORY
 */
MUST_CHECK enum err yaml_open(struct span text, const char *file, struct problems *problems,
                              struct yaml_file **out);

/* Wipes the texts, because a file may contain a secret by mistake. */
void yaml_close(struct yaml_file **y);

/* The value of the document, or NULL when the file has none. */
const struct yaml_node *yaml_root(const struct yaml_file *y);

/* ---- the tree. Every function takes NULL for an absent node. */

/* The member of a mapping; NULL when it is absent, or `map` is not a mapping. */
const struct yaml_node *yaml_member(const struct yaml_node *map, const char *key);
/* The same. Adds a problem when the member is absent. */
const struct yaml_node *yaml_required(const struct yaml_node *map, const char *key);

/* "attestation.policies[2].mrtd"; "" for the root. Of a path that is too long, only the end. */
void yaml_path(const struct yaml_node *n, char out[YAML_PATH_SIZE]);

/* ---- checks. Each adds a problem and returns NULL when the node has another kind. */

const struct yaml_node *yaml_mapping(const struct yaml_node *n);
/* A list of `min` to `max` elements. */
const struct yaml_node *yaml_list(const struct yaml_node *n, size_t min, size_t max);

/*
 * Adds a problem for each member that `known` does not name. The problem suggests the most similar
 * name, and lists all allowed names.
 */
void yaml_known(const struct yaml_node *map, const char *const *known, size_t count);

/* ---- values. An absent node gives `otherwise`. So does a fault, which also adds a problem. */

/* At most `max` bytes and at least `min`, without control characters. */
const char *yaml_text(const struct yaml_node *n, size_t min, size_t max, const char *otherwise);

/* Decimal digits, without quotes. */
uint64_t yaml_number(const struct yaml_node *n, uint64_t min, uint64_t max, uint64_t otherwise);

/* `true` or `false`, without quotes. */
bool yaml_bool(const struct yaml_node *n, bool otherwise);

/* One name of a table that ends with a NULL name. */
struct yaml_choice {
    const char *name;
    unsigned value;
};
unsigned yaml_choice(const struct yaml_node *n, const struct yaml_choice *choices,
                     unsigned otherwise);

/* ---- faults that only the caller can find */

/* Adds "FILE:LINE: PATH: ..." and marks the node as faulty, unless it is marked already. */
void yaml_blame(const struct yaml_node *n, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for a member. If it is absent, the line is that of the mapping. */
void yaml_blame_member(const struct yaml_node *map, const char *key, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Adds "FILE:LINE: PATH: "<value>" is not allowed; it must be ...". */
void yaml_refuse(const struct yaml_node *n, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
