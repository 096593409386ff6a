#include "collateral/directory.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/x509.h"
#include "crypto/x509_make.h"

struct walk {
    collateral_found *found;
    void *context;
    size_t files;
};

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name);
    size_t tail = strlen(end);

    return size >= tail && strcmp(name + size - tail, end) == 0;
}

MUST_CHECK static enum err join(const char *directory, const char *name, char out[PATH_MAX])
{
    int size = snprintf(out, PATH_MAX, "%s/%s", directory, name);

    return size < 0 || size >= PATH_MAX ? ERR_TOO_LARGE : ERR_NONE;
}

static struct timestamp modified_of(const struct stat *s)
{
    return (struct timestamp){(int64_t)s->st_mtim.tv_sec * 1000 + s->st_mtim.tv_nsec / 1000000};
}

/* Reads <directory>/<stem><one of the endings>; ERR_NOT_FOUND when there is no such file. */
MUST_CHECK static enum err part_read(const char *directory, const char *stem, size_t max,
                                     struct buffer *out)
{
    static const char *const endings[] = {".der", ".pem"};
    char path[PATH_MAX];
    char name[64];
    enum err e = ERR_NOT_FOUND;

    for (size_t i = 0; i < COUNT_OF(endings) && e == ERR_NOT_FOUND; i++) {
        (void)snprintf(name, sizeof name, "%s%s", stem, endings[i]);
        if ((e = join(directory, name, path)) == ERR_NONE)
            e = file_read(path, max, out);
    }
    return e;
}

/* The same, with the exact name. */
MUST_CHECK static enum err file_of(const char *directory, const char *name, size_t max,
                                   struct buffer *out)
{
    char path[PATH_MAX];
    enum err e = join(directory, name, path);

    return e == ERR_NONE ? file_read(path, max, out) : e;
}

MUST_CHECK static enum err optional(enum err e)
{
    return e == ERR_NOT_FOUND ? ERR_NONE : e;
}

MUST_CHECK static enum err intel_read(const char *directory, struct buffer *document)
{
    struct buffer parts[7] = {{0}};
    struct attest_collateral_input input;
    enum err e;

    if ((e = file_of(directory, "tcb_info.json", ATTEST_JSON_MAX, &parts[0])) == ERR_NONE &&
        (e = file_of(directory, "qe_identity.json", ATTEST_JSON_MAX, &parts[1])) == ERR_NONE &&
        (e = file_of(directory, "tcb_signing_chain.pem", ATTEST_CHAIN_MAX, &parts[2])) ==
            ERR_NONE &&
        (e = optional(file_of(directory, "qe_identity_chain.pem", ATTEST_CHAIN_MAX, &parts[3]))) ==
            ERR_NONE &&
        (e = part_read(directory, "pck_crl", 2 * ATTEST_CRL_MAX, &parts[4])) == ERR_NONE &&
        (e = file_of(directory, "pck_crl_issuer_chain.pem", ATTEST_CHAIN_MAX, &parts[5])) ==
            ERR_NONE &&
        (e = part_read(directory, "root_ca_crl", 2 * ATTEST_CRL_MAX, &parts[6])) == ERR_NONE) {
        input = (struct attest_collateral_input){
            .tcb_info = buffer_span(&parts[0]),
            .qe_identity = buffer_span(&parts[1]),
            .tcb_signing_chain = buffer_span(&parts[2]),
            .qe_identity_chain = buffer_span(&parts[3]),
            .pck_crl = buffer_span(&parts[4]),
            .pck_crl_issuer_chain = buffer_span(&parts[5]),
            .root_crl = buffer_span(&parts[6]),
        };
        e = collateral_document_intel(&input, document);
    }
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        buffer_clear(&parts[i]);
    return e;
}

/* Appends one certificate as PEM to `out`. */
MUST_CHECK static enum err certificate_read(const char *directory, const char *stem,
                                            struct buffer *out)
{
    struct buffer bytes = {0};
    enum err e = part_read(directory, stem, 2 * X509_MAX_SIZE, &bytes);

    if (e == ERR_NONE && span_starts_with(buffer_span(&bytes), SPAN_LITERAL("-----BEGIN")))
        e = buffer_append(out, buffer_span(&bytes));
    else if (e == ERR_NONE)
        e = pem_write("CERTIFICATE", buffer_span(&bytes), out);
    buffer_clear(&bytes);
    return e;
}

/* The chain of one kind of VEK; empty when its intermediate is absent. */
MUST_CHECK static enum err amd_chain(const char *directory, const char *intermediate,
                                     struct buffer *out)
{
    enum err e = certificate_read(directory, intermediate, out);

    if (e == ERR_NOT_FOUND)
        return ERR_NONE;
    return e == ERR_NONE ? certificate_read(directory, "ark", out) : e;
}

MUST_CHECK static enum err amd_read(const char *directory, struct buffer *document)
{
    struct buffer vcek = {0};
    struct buffer vlek = {0};
    struct buffer crl = {0};
    enum err e;

    if ((e = amd_chain(directory, "ask", &vcek)) == ERR_NONE &&
        (e = amd_chain(directory, "asvk", &vlek)) == ERR_NONE &&
        (e = optional(part_read(directory, "crl", 2 * ATTEST_CRL_MAX, &crl))) == ERR_NONE)
        e = collateral_document_amd(
            &(struct attest_amd_input){buffer_span(&vcek), buffer_span(&vlek), buffer_span(&crl)},
            document);
    buffer_clear(&vcek);
    buffer_clear(&vlek);
    buffer_clear(&crl);
    return e;
}

MUST_CHECK static enum err json_read(const char *path, struct buffer *document)
{
    return file_read(path, COLLATERAL_DOCUMENT_MAX, document);
}

MUST_CHECK static enum err vek_read(const char *path, struct buffer *document)
{
    struct buffer bytes = {0};
    enum err e = file_read(path, 2 * X509_MAX_SIZE, &bytes);

    if (e == ERR_NONE)
        e = collateral_document_vek(buffer_span(&bytes), NULL, document);
    buffer_clear(&bytes);
    return e;
}

/* The name contains the instance id: "arm-<hex>.pem". */
MUST_CHECK static enum err arm_read(const char *path, struct buffer *document)
{
    uint8_t id[ATTEST_ARM_INSTANCE_MAX];
    const char *name = strrchr(path, '/');
    size_t digits = strspn((name ? name + 1 : path) + strlen("arm-"), "0123456789abcdef");
    struct buffer bytes = {0};
    enum err e;

    name = (name ? name + 1 : path) + strlen("arm-");
    if (digits / 2 > sizeof id || strcmp(name + digits, ".pem") != 0)
        return ERR_MALFORMED;
    if ((e = hex_read(span_of(name, digits), id, digits / 2)) == ERR_NONE &&
        (e = file_read(path, ATTEST_CHAIN_MAX, &bytes)) == ERR_NONE)
        e = collateral_document_arm(span_of(id, digits / 2), buffer_span(&bytes), document);
    buffer_clear(&bytes);
    return e;
}

static bool is_json(const char *name)
{
    return ends_with(name, ".json");
}

static bool is_vek(const char *name)
{
    return ends_with(name, "vek.der") || ends_with(name, "vek.pem") ||
           ends_with(name, "vcek.der") || ends_with(name, "vcek.pem") ||
           ends_with(name, "vlek.der") || ends_with(name, "vlek.pem");
}

static bool is_arm(const char *name)
{
    return strncmp(name, "arm-", strlen("arm-")) == 0 && ends_with(name, ".pem");
}

/* Files that are one item each. */
static const struct {
    bool (*is)(const char *name);
    MUST_CHECK enum err (*read)(const char *path, struct buffer *document);
} file_kinds[] = {
    {is_json, json_read},
    {is_vek,  vek_read },
    {is_arm,  arm_read },
};

/* Directories that are one item each, detected by a file that only they have. */
static const struct {
    const char *marks[2];
    MUST_CHECK enum err (*read)(const char *directory, struct buffer *document);
} directory_kinds[] = {
    {{"tcb_info.json", "tcb_info.json"}, intel_read},
    {{"ark.pem", "ark.der"},             amd_read  },
};

MUST_CHECK static enum err tell(struct walk *w, const char *path, const struct stat *s, enum err e,
                                struct buffer *document)
{
    e = w->found(w->context, path, modified_of(s), e, buffer_span(document));
    buffer_clear(document);
    return e;
}

MUST_CHECK static enum err file_walk(struct walk *w, const char *path, const struct stat *s)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct buffer document = {0};

    for (size_t i = 0; i < COUNT_OF(file_kinds); i++)
        if (file_kinds[i].is(name)) {
            enum err e = file_kinds[i].read(path, &document);

            return tell(w, path, s, e, &document);
        }
    return ERR_NONE;
}

static bool has_file(const char *directory, const char *name)
{
    char path[PATH_MAX];
    struct stat s;

    return join(directory, name, path) == ERR_NONE && stat(path, &s) == 0 && S_ISREG(s.st_mode);
}

/* True when the directory is one item, which is then reported. */
static bool is_one_thing(struct walk *w, const char *directory, const struct stat *s, enum err *e)
{
    for (size_t i = 0; i < COUNT_OF(directory_kinds); i++) {
        struct buffer document = {0};
        enum err read;

        if (!has_file(directory, directory_kinds[i].marks[0]) &&
            !has_file(directory, directory_kinds[i].marks[1]))
            continue;
        read = directory_kinds[i].read(directory, &document);
        *e = tell(w, directory, s, read, &document);
        return true;
    }
    return false;
}

/* One step of a walk: called for each file and directory, in the order of their names. */
typedef MUST_CHECK enum err visit(struct walk *w, const char *path, const struct stat *s,
                                  unsigned depth);

MUST_CHECK static enum err each_entry(struct walk *w, const char *directory, unsigned depth,
                                      visit *each)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, NULL, alphasort);
    enum err e = count < 0 ? ERR_IO : ERR_NONE;

    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat s;

        if (e == ERR_NONE && entries[i]->d_name[0] != '.' &&
            (e = join(directory, entries[i]->d_name, path)) == ERR_NONE && stat(path, &s) == 0)
            e = ++w->files > COLLATERAL_FILES_MAX ? ERR_TOO_LARGE : each(w, path, &s, depth);
        free(entries[i]);
    }
    free(entries);
    return e;
}

MUST_CHECK static enum err read_visit(struct walk *w, const char *path, const struct stat *s,
                                      unsigned depth)
{
    enum err e = ERR_NONE;

    if (S_ISREG(s->st_mode))
        return file_walk(w, path, s);
    if (!S_ISDIR(s->st_mode) || depth == 0 || is_one_thing(w, path, s, &e))
        return e;
    return each_entry(w, path, depth - 1, read_visit);
}

enum err collateral_directory_read(const char *path, collateral_found *found, void *context)
{
    struct walk w = {.found = found, .context = context};
    struct stat s;

    if (stat(path, &s) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    return read_visit(&w, path, &s, COLLATERAL_DEPTH_MAX);
}

/* Combines the fingerprint so far with this entry. */
static void state_add(uint8_t state[SHA256_SIZE], const char *path, const struct stat *s)
{
    uint8_t figures[24];
    struct writer w = writer_over(figures, sizeof figures);
    const struct span parts[] = {span_of(state, SHA256_SIZE), SPAN_OF(figures), span_string(path)};
    uint8_t next[SHA256_SIZE];

    writer_u64be(&w, (uint64_t)s->st_ino);
    writer_u64be(&w, (uint64_t)s->st_size);
    writer_u64be(&w, (uint64_t)s->st_mtim.tv_sec * 1000000000u + (uint64_t)s->st_mtim.tv_nsec);
    sha256_parts(parts, COUNT_OF(parts), next);
    memcpy(state, next, sizeof next);
}

MUST_CHECK static enum err state_visit(struct walk *w, const char *path, const struct stat *s,
                                       unsigned depth)
{
    state_add(w->context, path, s);
    if (!S_ISDIR(s->st_mode) || depth == 0)
        return ERR_NONE;
    return each_entry(w, path, depth - 1, state_visit);
}

enum err collateral_directory_state(const char *path, uint8_t out[SHA256_SIZE])
{
    uint8_t state[SHA256_SIZE] = {0};
    struct walk w = {.context = state};
    struct stat s;
    enum err e;

    memset(out, 0, SHA256_SIZE);
    if (stat(path, &s) != 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    e = state_visit(&w, path, &s, COLLATERAL_DEPTH_MAX);
    if (e == ERR_NONE)
        memcpy(out, state, SHA256_SIZE);
    return e;
}

enum err collateral_directory_write(const char *path, const char *name, struct span document)
{
    char file[PATH_MAX];
    int size = snprintf(file, sizeof file, "%s/%s.json", path, name);

    if (size < 0 || (size_t)size >= sizeof file)
        return ERR_TOO_LARGE;
    return file_write(file, document, 0644, true);
}
