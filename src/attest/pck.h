/*
 * The SGX extension of PCK certificates: the platform and its TCB. Facts: Intel's "SGX PCK
 * Certificate and Certificate Revocation List Profile Specification", section 1.3.5. Internal to
 * attest/.
 */
#ifndef ATTEST_PCK_H
#define ATTEST_PCK_H

#include "base/span.h"

#define PCK_EXTENSION_OID "1.2.840.113741.1.13.1"
#define PCK_COMPONENT_COUNT 16

struct pck {
    uint8_t ppid[16];
    uint8_t components[PCK_COMPONENT_COUNT]; /* SVNs */
    uint16_t pce_svn;
    uint8_t cpu_svn[16];
    uint8_t pce_id[2];
    uint8_t fmspc[6];
    uint8_t sgx_type; /* 0 standard, 1 scalable, 2 scalable with integrity */
    bool has_platform_instance;
    uint8_t platform_instance[16];
    bool has_configuration;
    bool dynamic_platform, cached_keys, smt_enabled;
};

/* ERR_MALFORMED  duplicate, missing or unknown items, wrong types, not DER, trailing bytes */
MUST_CHECK enum err pck_extension_parse(struct span der, struct pck *out);

#endif
