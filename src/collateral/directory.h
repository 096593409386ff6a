/*
 * Collateral in files: the bundle for machines without a network, and the daemon's own cache. A
 * directory, and its subdirectories to a depth of COLLATERAL_DEPTH_MAX, contain
 *
 *   NAME.json            a document (collateral/parts.h)
 *   a directory with     tcb_info.json, qe_identity.json, tcb_signing_chain.pem,
 *                        pck_crl.der|.pem, pck_crl_issuer_chain.pem, root_ca_crl.der|.pem and
 *                        perhaps qe_identity_chain.pem: one Intel platform, as PCS serves it
 *   a directory with     ark.pem|.der, and ask or asvk or both in the same form, perhaps
 *                        crl.der|.pem: one AMD product
 *   ...vek.der|.pem      a VCEK or VLEK, as in vek.der, vcek.pem, host-1.vlek.der
 *   arm-INSTANCE.pem     the public key of an Arm device; INSTANCE in hex
 *
 * Other names, and names that begin with a dot, are skipped. Files are not trusted.
 */
#ifndef COLLATERAL_DIRECTORY_H
#define COLLATERAL_DIRECTORY_H

#include "base/clock.h"
#include "collateral/parts.h"
#include "crypto/hash.h"

#define COLLATERAL_DEPTH_MAX 4
#define COLLATERAL_FILES_MAX 8192

/*
 * Called for each item found, with its document, or with the error `e` that prevented reading it.
 * Any result except ERR_NONE ends the walk.
 */
typedef MUST_CHECK enum err collateral_found(void *context, const char *path,
                                             struct timestamp modified, enum err e,
                                             struct span document);

/*
 * Walks `path`, a directory or one file. ERR_NOT_FOUND, ERR_IO; ERR_TOO_LARGE too many files; the
 * error of `found`; ERR_MEMORY
 */
MUST_CHECK enum err collateral_directory_read(const char *path, collateral_found *found,
                                              void *context);

/*
 * Computes a fingerprint of names, sizes and times of change, which tells cheaply whether to read
 * again. All zeros when there are no files. Errors as above.
 */
MUST_CHECK enum err collateral_directory_state(const char *path, uint8_t out[SHA256_SIZE]);

/*
 * Writes a document as <path>/<name>.json, completely or not at all. The directory must exist.
 * ERR_IO, ERR_TOO_LARGE
 */
MUST_CHECK enum err collateral_directory_write(const char *path, const char *name,
                                               struct span document);

#endif
