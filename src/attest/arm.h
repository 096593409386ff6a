/*
 * Arm attestation tokens: PSA tokens (RFC 9783, and the profiles before it) and CCA tokens
 * (DEN0137, draft-ffm-rats-cca-token), a platform's and a realm's token bound together. The
 * device's key is an endorsement, found by instance id: there is no chain to a root. Internal to
 * attest/.
 */
#ifndef ATTEST_ARM_H
#define ATTEST_ARM_H

#include "attest/cose.h"
#include "attest/verify.h"

#define ARM_TOKEN_MAX (32u * 1024)
#define ARM_TEXT_MAX 128 /* of any text, and of the configuration */
#define ARM_COMPONENT_TEXT_MAX 64
#define ARM_IMPLEMENTATION_ID_SIZE 32
#define ARM_INSTANCE_ID_SIZE 33 /* 0x01, then 32 bytes */
#define ARM_KEY_MAX 256         /* of a realm's key as it is claimed */
#define ARM_CHALLENGE_SIZE 64   /* of a realm */
#define ARM_REALM_PROFILE "tag:arm.com,2023:realm#1.0.0"

/* The claims of a PSA token, and of the platform part of a CCA token. Borrows; absent: data
 * NULL. */
struct arm_platform {
    struct cose_sign1 envelope;
    struct span profile, nonce, implementation_id, instance_id;
    struct span service; /* the service that verifies tokens of this device */
    uint32_t lifecycle;
    size_t component_count; /* at least 1 */
    struct arm_component components[ATTEST_ARM_COMPONENTS_MAX];
    /* PSA only */
    struct span boot_seed, certification;
    int32_t client_id;
    /* CCA only */
    struct span config, hash_algorithm;
};

struct arm_realm {
    struct cose_sign1 envelope;
    struct span profile; /* absent in the first profile, whose key is a bare point */
    struct span challenge, personalization, initial_measurement, extensible_measurements[4];
    struct span hash_algorithm;
    struct span public_key; /* the claim unchanged: 0x04 || x || y, or a COSE_Key */
    struct span public_key_hash;
};

/* Checks the form and verifies nothing. ERR_DENIED fills `r` */
MUST_CHECK enum err arm_psa_parse(struct span token, struct arm_platform *out, struct refusal *r);
MUST_CHECK enum err arm_cca_parse(struct span token, struct arm_platform *platform,
                                  struct arm_realm *realm, struct refusal *r);

/* An endorsed key: attest_arm_key_new(). */
struct attest_arm_key {
    size_t instance_id_size;
    uint8_t instance_id[ATTEST_ARM_INSTANCE_MAX];
    struct cose_key key;
};

/* The first key of this instance; NULL when there is none. `set` may be NULL. */
const struct cose_key *arm_key_find(const struct attest_collateral_set *set,
                                    struct span instance_id);

/* Detects the kind by its form: COSE_Sign1 around a map whose first key is an integer; tag 399. */
bool arm_is_psa(struct span evidence);
bool arm_is_cca(struct span evidence);

#endif
