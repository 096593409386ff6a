/*
 * Names of collateral. One item is fetched, verified and replaced as a whole:
 *
 *   intel-<sgx|tdx>-<fmspc>-<platform|processor>[-early]
 *                                                  TCB info, QE identity, CRLs and their chains
 *   amd-<product>                                  ARK, ASK, ASVK and the CRL
 *   vcek-<product>-<chip id>-<boot loader>-<tee>-<snp>-<microcode>[-<fmc>]
 *                                                  one chip's certificate at one TCB; fmc: Turin
 *   vek-<sha256>                                   a VCEK or VLEK by its digest; only from files
 *   arm-<instance id>                              the key of one Arm device
 *
 * Products are milan, genoa, turin; hex is in lower case. The first three can be fetched.
 */
#ifndef COLLATERAL_KEY_H
#define COLLATERAL_KEY_H

#include "attest/attest.h"

enum collateral_kind {
    COLLATERAL_INTEL,
    COLLATERAL_AMD,
    COLLATERAL_VEK,
    COLLATERAL_ARM_KEY,
    COLLATERAL_KINDS
};

#define COLLATERAL_NAME_SIZE 192 /* with the terminator */

/* The name of an item that a source can have. */
struct collateral_key {
    enum collateral_kind kind; /* never COLLATERAL_ARM_KEY */
    /* Intel */
    bool tdx, processor_ca;
    bool early; /* the set that Intel publishes before the standard one, for previews */
    uint8_t fmspc[6];
    /* AMD, VEK */
    enum attest_vendor product;
    /* VEK: a VCEK */
    uint8_t chip_id[64];
    struct snp_tcb tcb;
};

void collateral_key_name(const struct collateral_key *key, char out[COLLATERAL_NAME_SIZE]);

/* ERR_NOT_FOUND not the name of an item that can be fetched */
MUST_CHECK enum err collateral_key_parse(struct span name, struct collateral_key *out);

/*
 * The collateral that refused evidence needs: writes at most COLLATERAL_MISSING_MAX keys and
 * returns their count. 0 when nothing that it names can be fetched (a masked chip id, VLEKs).
 */
#define COLLATERAL_MISSING_MAX 2
size_t collateral_keys_missing(const struct attest_result *result,
                               struct collateral_key out[COLLATERAL_MISSING_MAX]);

/* "milan", "genoa", "turin"; NULL for other vendors. */
const char *collateral_product_name(enum attest_vendor vendor);
/* Their spelling in URLs of KDS: "Milan". */
const char *collateral_product_title(enum attest_vendor vendor);

/* Whether a name has one of the forms above: only letters, digits and -. */
bool collateral_name_check(struct span name);

#endif
