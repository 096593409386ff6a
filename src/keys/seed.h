/*
 * Seeds: the names of derived keys, in OutLayer's form (spec: OutLayer 4.2 and 5.6).
 *
 *   Repo       {normalised repo}:{owner}[:{branch}]
 *   WasmHash   wasm_hash:{hash}:{owner}
 *   Project    project:{project_id}:{owner}
 *   System     system:payment_key:{owner}:{profile}
 *
 * The parts of a seed have no lengths, so "a:b" + "c" would equal "a" + "b:c". A part is refused if
 * its ':' makes two readings possible. Owner, branch and profile never contain one. A normalised
 * repo contains one only before a port ("host:1234/...": digits up to the next '/'). A repo with
 * the name of the first part of another kind ("project", "wasm_hash", "system", "storage",
 * "wallet", "ecies", "keystore-ckd", "secret-path"), also before a port, is refused: with a branch
 * it would be that kind's seed. A hash is 64 lower-case hex digits, a project id "account/name",
 * and the profile of System a decimal number from 1.
 */
#ifndef KEYS_SEED_H
#define KEYS_SEED_H

#include "base/span.h"
#include "keys/derive.h"

enum accessor_kind { ACCESSOR_REPO, ACCESSOR_WASM_HASH, ACCESSOR_PROJECT, ACCESSOR_SYSTEM };

struct accessor {
    enum accessor_kind kind;
    struct span name;    /* repo as given, hash, project id, or "payment_key" */
    struct span branch;  /* Repo only; empty for none */
    struct span owner;   /* NEAR account id (spec: OutLayer 8.5): 2..64 of [a-z0-9._-] */
    struct span profile; /* System only */
};

/*
 * Trims; removes one of https:// http:// ssh://; removes "git@" and replaces its ':' by '/';
 * removes a final ".git". Keeps upper and lower case. `out` is terminated. ERR_MALFORMED if empty
 * after that, or with control bytes or spaces inside; ERR_TOO_LARGE
 */
MUST_CHECK enum err repo_normalise(struct span repo, char *out, size_t out_size);

/* Writes the seed, terminated. ERR_MALFORMED a part has another form, ERR_TOO_LARGE */
MUST_CHECK enum err seed_build(const struct accessor *a, char *out, size_t out_size);

/* An opaque seed as given by a client: 1..SEED_MAX_SIZE bytes of UTF-8 without control bytes. */
MUST_CHECK enum err seed_check(struct span seed);

/* Names that the store_secrets contract reserves, and PROTECTED_ names, for POST /pubkey (spec:
 * 3.3). */
bool secret_name_is_reserved(struct span name);
bool secret_name_is_protected(struct span name);

#endif
