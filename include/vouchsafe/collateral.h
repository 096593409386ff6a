/*
 * Collateral: the data that vendors publish for judging evidence. These functions fetch it from the
 * vendors without a keystore, verify it, and keep it in a directory. A keystore or a verifier
 * without a network reads that directory (docs/guides/collateral.md). The conventions are those of
 * <vouchsafe/vouchsafe.h>.
 *
 *   vs_verifier_new(0, &roots);                              the vendors' roots
 *   vs_collateral_names(roots, quote, names, &count, &why);  what this quote needs
 *   vs_collateral_fetch(roots, &from, names[0], "bundle", &item, &why);
 */
#ifndef VOUCHSAFE_COLLATERAL_H
#define VOUCHSAFE_COLLATERAL_H

#include <vouchsafe/attest.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VS_COLLATERAL_NAME_SIZE 192 /* with the terminator */
#define VS_COLLATERAL_NAMES_MAX 2   /* for one piece of evidence */

/*
 * Names: intel-<sgx|tdx>-<fmspc>-<platform|processor>[-early], amd-<product>, vcek-<product>-
 * <chip id>-<boot loader>-<tee>-<snp>-<microcode>[-<fmc>]; these can be fetched. vek-<sha256> and
 * arm-<instance> come in files.
 *
 * why  may be NULL. On success, what else the evidence needs and where that is found, or "": no
 *      service has VLEKs, nor the VCEK of a report that masks its chip id
 *
 * VS_ERR_NOT_FOUND  a SEV-SNP report of version 2, which does not name the CPU; `why` names what
 *                   each CPU needs
 * VS_ERR_MALFORMED  not evidence of SGX, TDX or SEV-SNP, or it is damaged
 */
VS_MUST_CHECK enum vs_error
vs_collateral_names(const struct vs_verifier *roots, struct vs_bytes evidence,
                    char names[VS_COLLATERAL_NAMES_MAX][VS_COLLATERAL_NAME_SIZE], size_t *count,
                    struct vs_why *why);

/* The sources. Zero-initialise to use the vendors themselves. */
struct vs_collateral_source {
    const char *pccs_url; /* URL of a caching service for Intel's collateral */
    const char *pcs_url;  /* ... or of a replacement for Intel's service */
    const char *kds_url;  /* URL of a replacement for AMD's service */
    const char *ca_file;  /* PEM of the CA of their TLS certificates; NULL: the system's */
    unsigned timeout_s;   /* for one name; 0: 30 s */
    /* Intel's other sets. Their names end in "-early" (asking for such a name is asking for the
     * early set); a directory holds them beside the standard set. At most one of the two: */
    bool early;                 /* the early set (update=early) */
    uint32_t evaluation_number; /* the set of this tcbEvaluationDataNumber; 0: by `early` */
};

/* One item, as a line of a list. The strings are valid during the call of vs_collateral_each. */
struct vs_collateral_item {
    const char *name, *kind;    /* "intel", "amd", "vek", "arm-key" */
    const char *source;         /* file, URL, or as the keystore states it */
    const char *result;         /* "good", or a stable code: why it was refused */
    const char *text;           /* that code as a sentence; "" when good */
    int64_t issued, expires;    /* 0 when there is none */
    uint32_t evaluation_number; /* Intel's tcbEvaluationDataNumber */
    size_t size;                /* of the item's document */
};
typedef void (*vs_collateral_each)(void *context, const struct vs_collateral_item *item);

/*
 * Fetches one item, verifies it against the roots and writes <directory>/<name>.json; the directory
 * is created if necessary. An older item never replaces a newer one. `each` (may be NULL) gets the
 * item.
 *
 * VS_ERR_ARGUMENT `early` and a number together; VS_ERR_MALFORMED not a name that can be fetched;
 * VS_ERR_UNREACHABLE, VS_ERR_TIMEOUT; VS_ERR_REPLY not what was asked for; VS_ERR_NOT_FOUND;
 * VS_ERR_UNTRUSTED does not verify, or is older; VS_ERR_IO. `why` (may be NULL) has the sentence.
 */
VS_MUST_CHECK enum vs_error vs_collateral_fetch(const struct vs_verifier *roots,
                                                const struct vs_collateral_source *from,
                                                const char *name, const char *directory,
                                                vs_collateral_each each, void *context,
                                                struct vs_why *why);

/*
 * Reads a directory or file, in any of the forms of docs/guides/collateral.md. Passes each item to
 * `each`, good or not.
 * VS_ERR_NOT_FOUND, VS_ERR_IO
 */
VS_MUST_CHECK enum vs_error vs_collateral_list(const struct vs_verifier *roots, const char *path,
                                               vs_collateral_each each, void *context,
                                               struct vs_why *why);

/*
 * The same, and writes good items to <directory>/<name>.json. Each file is written completely or
 * not at all. An older item never replaces a newer one. VS_ERR_UNTRUSTED when some items were
 * refused; the others were written.
 */
VS_MUST_CHECK enum vs_error vs_collateral_import(const struct vs_verifier *roots, const char *path,
                                                 const char *directory, vs_collateral_each each,
                                                 void *context, struct vs_why *why);

/* The same for one document in memory (at most 4 MiB). */
VS_MUST_CHECK enum vs_error vs_collateral_save(const struct vs_verifier *roots,
                                               struct vs_bytes document, const char *directory,
                                               vs_collateral_each each, void *context,
                                               struct vs_why *why);

/* The list of items that a keystore states, and one item as a document. Any token may ask. */
VS_MUST_CHECK enum vs_error vs_collateral_held(struct vs_client *c, vs_collateral_each each,
                                               void *context);
VS_MUST_CHECK enum vs_error vs_collateral_get(struct vs_client *c, const char *name,
                                              struct vs_blob *document);

#ifdef __cplusplus
}
#endif

#endif
