/* PSA and CCA tokens: if one parses, its spans are inside the input, and none verifies without
 * keys. */
#include <assert.h>

#include "attest/arm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

static void check_platform(const struct arm_platform *p, struct span token)
{
    assert_inside(p->profile, token);
    assert_inside(p->config, token);
    assert_inside(p->boot_seed, token);
    assert_inside(p->certification, token);
    assert_inside(p->service, token);
    assert_inside(p->instance_id, token);
    assert(p->instance_id.size == ARM_INSTANCE_ID_SIZE);
    assert(p->implementation_id.size == ARM_IMPLEMENTATION_ID_SIZE);
    assert(p->nonce.size >= SHA256_SIZE && p->nonce.size <= SHA512_SIZE);
    assert(p->component_count > 0 && p->component_count <= ATTEST_ARM_COMPONENTS_MAX);
    for (size_t i = 0; i < p->component_count; i++) {
        assert_inside(p->components[i].type, token);
        assert_inside(p->components[i].measurement, token);
        assert(p->components[i].signer.size >= SHA256_SIZE);
    }
}

static void check_realm(const struct arm_realm *realm, struct span token)
{
    struct cose_key key = {0};

    assert(realm->challenge.size == ARM_CHALLENGE_SIZE);
    assert_inside(realm->challenge, token);
    assert_inside(realm->initial_measurement, token);
    assert_inside(realm->public_key, token);
    for (size_t i = 0; i < COUNT_OF(realm->extensible_measurements); i++)
        assert_inside(realm->extensible_measurements[i], token);
    if (cose_key_parse(realm->public_key, &key) == ERR_NONE)
        assert((key.p256 != NULL) != (key.p384 != NULL));
    cose_key_clear(&key);
}

static void judge(enum attest_tee kind, struct span token)
{
    const struct attest_evidence evidence = {.kind = kind, .bytes = token};
    const struct attest_trust nobody = {0};
    struct attest_result result;

    assert(attest_verify(&nobody, NULL, NULL, &evidence, timestamp_of_seconds(1756530546),
                         &result) != ERR_NONE);
    assert(result.reason != ATTEST_OK && result.step[0] != '\0' && !result.authentic);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span token = span_of(data, size);
    struct arm_platform p;
    struct arm_realm realm;
    struct cose_key key = {0};
    struct refusal r = {0};

    if (arm_psa_parse(token, &p, &r) == ERR_NONE) {
        assert(arm_is_psa(token));
        check_platform(&p, token);
    }
    if (arm_cca_parse(token, &p, &realm, &r) == ERR_NONE) {
        assert(arm_is_cca(token));
        check_platform(&p, token);
        check_realm(&realm, token);
    }
    (void)cose_key_parse(token, &key);
    cose_key_clear(&key);
    judge(ATTEST_PSA, token);
    judge(ATTEST_CCA, token);
    return 0;
}
