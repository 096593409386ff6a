#include <stdlib.h>
#include <string.h>

#include "attest/arm.h"

enum err attest_arm_key_new(struct span instance_id, struct span pem, struct attest_arm_key **out,
                            enum attest_reason *reason)
{
    struct attest_arm_key *key = NULL;
    enum err e;

    *reason = ATTEST_MALFORMED;
    if (instance_id.size == 0 || instance_id.size > ATTEST_ARM_INSTANCE_MAX)
        return ERR_DENIED;
    key = calloc(1, sizeof *key);
    if (!key)
        return ERR_MEMORY;
    memcpy(key->instance_id, instance_id.data, instance_id.size);
    key->instance_id_size = instance_id.size;
    if ((e = cose_key_from_spki(pem, &key->key)) == ERR_NONE) {
        *out = key;
        return ERR_NONE;
    }
    if (e == ERR_CRYPTO)
        *reason = ATTEST_ATTESTATION_KEY_INVALID;
    attest_arm_key_free(&key);
    return e == ERR_MEMORY ? e : ERR_DENIED;
}

void attest_arm_key_free(struct attest_arm_key **key)
{
    if (*key)
        cose_key_clear(&(*key)->key);
    free(*key);
    *key = NULL;
}

const struct cose_key *arm_key_find(const struct attest_collateral_set *set,
                                    struct span instance_id)
{
    for (size_t i = 0; set && i < set->arm_key_count; i++) {
        const struct attest_arm_key *key = set->arm_keys[i];

        if (span_equal(span_of(key->instance_id, key->instance_id_size), instance_id))
            return &key->key;
    }
    return NULL;
}
