/* Adds collateral from files and documents: src/collateral/ reads it, a verifier takes it. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/arm.h"
#include "base/file.h"
#include "client/attest.h"
#include "client/client.h"
#include "collateral/directory.h"
#include "collateral/item.h"
#include "crypto/x509.h"

/* Makes room for one more of each kind. */
static bool has_room(const struct vs_verifier *v)
{
    return v->intel_count < VS_COLLATERAL_MAX && v->amd_count < VS_COLLATERAL_MAX &&
           v->vek_count < VS_COLLATERAL_MAX && v->arm_key_count < VS_COLLATERAL_MAX;
}

/* Moves the verified collateral to the verifier; the rest of the item is not needed. */
static void take(struct vs_verifier *v, struct collateral_item *u)
{
    switch (u->kind) {
    case COLLATERAL_INTEL:
        v->intel[v->intel_count++] = u->intel;
        u->intel = NULL;
        break;
    case COLLATERAL_AMD:
        v->amd[v->amd_count++] = u->amd;
        u->amd = NULL;
        break;
    case COLLATERAL_VEK:
        v->veks[v->vek_count++] = u->vek;
        u->vek = NULL;
        break;
    case COLLATERAL_ARM_KEY:
        v->arm_keys[v->arm_key_count++] = u->arm_key;
        u->arm_key = NULL;
        break;
    case COLLATERAL_KINDS:
        break;
    }
}

void vs_verifier_use_early(struct vs_verifier *v)
{
    if (v != NULL)
        v->early = true;
}

MUST_CHECK static enum err add_document(struct vs_verifier *v, struct span document, bool early)
{
    struct collateral_item *u = NULL;
    enum attest_reason reason = ATTEST_OK;
    enum err e;

    v->reason = ATTEST_OK;
    if (!has_room(v))
        return ERR_TOO_LARGE;
    e = collateral_item_new(&v->trust, document, "", (struct timestamp){0}, &u, &reason);
    if (e == ERR_NONE && (early || !u->early))
        take(v, u);
    else if (e == ERR_DENIED)
        v->reason = reason;
    collateral_item_release(&u);
    return e;
}

enum vs_error vs_verifier_add_bundle(struct vs_verifier *v, struct vs_bytes json)
{
    return v == NULL ? VS_ERR_ARGUMENT : error_of(add_document(v, span_of_bytes(json), true));
}

struct addition {
    struct vs_verifier *v;
    struct vs_why *why;
    size_t count;
    bool early; /* Intel's early sets, too */
};

/* A piece that cannot be read is refused like one that does not verify: the caller meant to use
 * it. */
MUST_CHECK static enum err add_found(void *context, const char *path, struct timestamp modified,
                                     enum err e, struct span document)
{
    struct addition *a = context;

    (void)modified;
    if (e == ERR_NONE)
        e = add_document(a->v, document, a->early);
    if (e == ERR_MALFORMED) {
        a->v->reason = ATTEST_MALFORMED;
        e = ERR_DENIED;
    }
    if (e == ERR_NONE)
        a->count++;
    else if (a->why != NULL)
        (void)snprintf(a->why->text, sizeof a->why->text, "%s: %s", path,
                       e == ERR_DENIED ? collateral_refusal_text(a->v->reason) : err_text(e));
    return e;
}

/* A file that the caller names is a document, whatever its name is. */
MUST_CHECK static enum err add_file(struct addition *a, const char *path)
{
    const struct timestamp unknown = {0};
    struct buffer document = {0};
    enum err e = file_read(path, COLLATERAL_DOCUMENT_MAX, &document);

    if (e == ERR_NONE)
        e = add_found(a, path, unknown, ERR_NONE, buffer_span(&document));
    buffer_clear(&document);
    return e;
}

static bool is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The reader of a pipe would wait for a writer. */
static bool is_regular(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Whether the file is the certificate of a pinned root. */
static bool is_pinned_root(const struct vs_verifier *v, const char *path)
{
    struct buffer bytes = {0};
    struct x509_cert *c = NULL;
    uint8_t spki[SHA256_SIZE];
    size_t count = 0;
    bool is = false;

    if (is_regular(path) && file_read(path, 2 * X509_MAX_SIZE, &bytes) == ERR_NONE &&
        (x509_cert_parse(buffer_span(&bytes), &c) == ERR_NONE ||
         x509_chain_parse(buffer_span(&bytes), &c, 1, &count) == ERR_NONE) &&
        c != NULL) {
        x509_cert_spki_sha256(c, spki);
        for (size_t i = 0; i < v->trust.count; i++)
            is = is || span_equal(SPAN_OF(v->trust.roots[i].spki_sha256), SPAN_OF(spki));
    }
    x509_cert_free(&c);
    buffer_clear(&bytes);
    return is;
}

/* Nitro needs no collateral: a directory with only AWS's root is complete. */
static bool has_pinned_root(const struct vs_verifier *v, const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool has = false;
    char file[4096];

    while (directory && !has && (entry = readdir(directory)) != NULL)
        has = snprintf(file, sizeof file, "%s/%s", path, entry->d_name) < (int)sizeof file &&
              is_pinned_root(v, file);
    if (directory)
        (void)closedir(directory);
    return has;
}

struct verifier_mark verifier_mark(const struct vs_verifier *v)
{
    return (struct verifier_mark){v->intel_count, v->amd_count, v->vek_count, v->arm_key_count};
}

void verifier_forget_since(struct vs_verifier *v, const struct verifier_mark *m)
{
    while (v->intel_count > m->intel)
        attest_collateral_free(&v->intel[--v->intel_count]);
    while (v->amd_count > m->amd)
        attest_amd_free(&v->amd[--v->amd_count]);
    while (v->vek_count > m->vek)
        attest_vek_free(&v->veks[--v->vek_count]);
    while (v->arm_key_count > m->arm_key)
        attest_arm_key_free(&v->arm_keys[--v->arm_key_count]);
}

enum vs_error vs_verifier_add_directory(struct vs_verifier *v, const char *path, size_t *count,
                                        struct vs_why *why)
{
    struct addition a = {.v = v, .why = why};
    enum err e;

    if (v == NULL || path == NULL)
        return VS_ERR_ARGUMENT;
    if (why != NULL)
        why->text[0] = '\0';
    const struct verifier_mark before = verifier_mark(v);
    a.early = v->early || !is_directory(path);
    v->reason = ATTEST_OK;
    e = collateral_directory_read(path, add_found, &a);
    if (e == ERR_NONE && a.count == 0 && !has_pinned_root(v, path))
        e = ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND && !is_directory(path))
        e = add_file(&a, path);
    if (e != ERR_NONE) {
        verifier_forget_since(v, &before);
        return error_of(e);
    }
    if (count != NULL)
        *count = a.count;
    return VS_OK;
}

enum vs_error vs_evidence_arm_instance(struct vs_bytes evidence, uint8_t out[VS_ARM_INSTANCE_SIZE])
{
    const struct span bytes = span_of_bytes(evidence);
    struct arm_platform platform = {0};
    struct arm_realm realm = {0};
    struct refusal r = {0};
    enum err e = ERR_MALFORMED;

    if (out == NULL)
        return VS_ERR_ARGUMENT;
    if (arm_is_cca(bytes))
        e = arm_cca_parse(bytes, &platform, &realm, &r);
    else if (arm_is_psa(bytes))
        e = arm_psa_parse(bytes, &platform, &r);
    if (e == ERR_MEMORY)
        return VS_ERR_MEMORY;
    if (e != ERR_NONE || platform.instance_id.size != VS_ARM_INSTANCE_SIZE)
        return VS_ERR_MALFORMED;
    memcpy(out, platform.instance_id.data, VS_ARM_INSTANCE_SIZE);
    return VS_OK;
}
