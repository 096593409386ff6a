/*
 * A source of collateral. It returns documents; collateral/store.h verifies them. URLs: Intel's
 * "PCS API v4", Intel's PCCS (the same under its own host, with the root CRL beside it and CRLs in
 * hex), AMD 57230 (KDS), docs/openapi.yaml.
 *
 *   pcs    <url>/sgx/certification/v4/tcb?fmspc=, /tdx/.., ../qe/identity,
 *          /sgx/certification/v4/pckcrl?ca=&encoding=der; issuer chains in headers, URL-encoded;
 *          the root CRL from `root_crl_url`
 *   pccs   the same; the root CRL from <url>/sgx/certification/v4/rootcacrl
 *   kds    <url>/vcek/v1/<Product>/cert_chain, /crl, /<hwid>?blSPL=..;
 *          /vlek/v1/<Product>/cert_chain
 *   peer   <url>/v1/collateral/item?name=, of another keystore, with a token
 */
#ifndef COLLATERAL_SOURCE_H
#define COLLATERAL_SOURCE_H

#include <stdatomic.h>

#include "collateral/item.h"

enum collateral_source_type {
    COLLATERAL_SOURCE_PCS,
    COLLATERAL_SOURCE_PCCS,
    COLLATERAL_SOURCE_KDS,
    COLLATERAL_SOURCE_PEER,
    COLLATERAL_SOURCE_TYPES
};
const char *collateral_source_type_name(enum collateral_source_type type); /* "pcs", ... */

#define COLLATERAL_PCS_URL "https://api.trustedservices.intel.com"
#define COLLATERAL_PCS_ROOT_CRL_URL "https://certificates.trustedservices.intel.com"
#define COLLATERAL_KDS_URL "https://kdsintf.amd.com"

/* Strings are borrowed and must outlive the source. */
struct collateral_source_options {
    enum collateral_source_type type;
    const char *name;         /* for logs and metrics; unique */
    const char *url;          /* NULL or "": the vendor's (pcs, kds) */
    const char *root_crl_url; /* pcs: host of /IntelSGXRootCA.der; NULL or "": Intel's, or `url`
                                 when that is given */
    const char *ca_file;      /* NULL or "": the system's */
    /* pcs, pccs: the early set (update=early) instead of the standard one */
    bool early;
    unsigned
        evaluation_number;  /* pcs, pccs: the set of this tcbEvaluationDataNumber; 0: by `early` */
    const char *token_file; /* peer: the file of the bearer token; NULL or "": none */
    unsigned timeout_ms;    /* of one item in total, for all its requests */
    const _Atomic bool *stop; /* NULL, or a flag that ends a fetch within about a second */
};

struct collateral_source;
/* ERR_CONFIG no URL where one is required, or not a URL; ERR_IO, ERR_TOO_LARGE the token's file;
 * ERR_MEMORY */
MUST_CHECK enum err collateral_source_new(const struct collateral_source_options *options,
                                          struct collateral_source **out);
void collateral_source_free(struct collateral_source **s);

const char *collateral_source_name(const struct collateral_source *s);
/* Whether the source can have this item. */
bool collateral_source_has(const struct collateral_source *s, const struct collateral_key *key);

/* The reason why a fetch failed. */
struct collateral_failure {
    char why[256];          /* a sentence */
    unsigned status;        /* HTTP, or 0 */
    unsigned retry_after_s; /* requested by the source, or 0 */
    bool absent;            /* the source answered that the item does not exist (404) */
};

/*
 * Fetches one item's document and appends it to `out`. Blocks up to the time limit. ERR_IO,
 * ERR_TIMEOUT, ERR_TOO_LARGE, ERR_MALFORMED, ERR_UNAVAILABLE (stopped), ERR_MEMORY; all except the
 * last fill `failure`.
 */
MUST_CHECK enum err collateral_source_fetch(struct collateral_source *s,
                                            const struct collateral_key *key, struct buffer *out,
                                            struct collateral_failure *failure);

#endif
