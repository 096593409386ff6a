/* Cases of the evidence vectors, loaded; shared by the tests of attest/. */
#ifndef TESTS_UNIT_ATTEST_EVIDENCE_H
#define TESTS_UNIT_ATTEST_EVIDENCE_H

#include <jansson.h>

#include "attest/attest.h"

/* Where the files of a case come from. */
struct evidence_roots {
    const char *stored;    /* relative to the vectors */
    const char *generated; /* absolute; NULL when there is none */
};

struct evidence_case {
    const char *id;
    enum attest_tee kind;
    const json_t *expected;
    struct timestamp now;
    struct buffer quote;
    struct buffer tcb_info, qe_identity, signing_chain, pck_crl, issuer_chain, root_crl;
    bool has_collateral;            /* Intel's */
    struct attest_arm_key *arm_key; /* NULL: none */
    struct buffer vek, amd_chain;   /* DER; PEM: ASK or ASVK, ARK */
    bool by_vlek;
    struct attest_trust trust;
};

void evidence_load(const json_t *json, const struct evidence_roots *roots,
                   struct evidence_case *out);
void evidence_clear(struct evidence_case *c);

struct attest_collateral_input evidence_input(const struct evidence_case *c);

/*
 * Collateral and evidence together; the reason is that of whichever refused. evidence_judge() lets
 * the form tell the kind, evidence_judge_as() names it.
 */
enum attest_reason evidence_judge(const struct evidence_case *c, struct attest_cache *cache,
                                  struct attest_result *result);
enum attest_reason evidence_judge_as(const struct evidence_case *c, enum attest_tee kind,
                                     struct attest_cache *cache, struct attest_result *result);

/* A stored case by its id; aborts when there is none. `index` is vectors_json() of the index. */
const json_t *evidence_find(const json_t *index, const char *id);

/* Where the stored cases are, relative to the vectors. */
#define EVIDENCE_FOLDER "attestation"
#define EVIDENCE_INDEX EVIDENCE_FOLDER "/index.json"

/* A case that is valid, SWHardeningNeeded, under the Intel root. */
#define EVIDENCE_GOOD "sgx-v3-automata-network-c81a90-swhardeningneeded-e17"

#endif
