/* Rules that can never be right: the parts that a complete rule of each kind of evidence needs. */
#include "policy/appraisal.h"

static bool states(const struct appraisal_rule *rule, enum policy_field_id id)
{
    return rule->fields[id].stated;
}

MUST_CHECK static enum err check_sgx(const struct appraisal_rule *rule, struct policy_fault *fault)
{
    const bool by_enclave = states(rule, FIELD_ID_MRENCLAVE);
    const bool by_signer = states(rule, FIELD_ID_MRSIGNER);
    const bool has_version = states(rule, FIELD_ID_ISVPRODID) && states(rule, FIELD_ID_MIN_ISVSVN);
    const bool has_part = states(rule, FIELD_ID_ISVPRODID) || states(rule, FIELD_ID_MIN_ISVSVN);

    if (by_signer != has_part || has_part != has_version)
        return policy_blame(
            fault, "mrsigner",
            "mrsigner, isvprodid and min_isvsvn go together: a signer may sign other "
            "products, and old versions; give all three");
    if (!by_enclave && !by_signer)
        return policy_blame(fault, "mrenclave",
                            "missing; a policy needs mrenclave, or mrsigner with isvprodid and "
                            "min_isvsvn");
    if (by_enclave && by_signer)
        return policy_blame(
            fault, "mrsigner",
            "a policy has either mrenclave or mrsigner; write two policies for both");
    return ERR_NONE;
}

static bool allows_bit(const struct appraisal_rule *rule, enum policy_field_id id, unsigned bit)
{
    return rule->fields[id].number >> bit & 1;
}

static bool lists_zero(const struct appraisal_rule *rule, enum policy_field_id id)
{
    for (size_t i = 0; i < rule->fields[id].count; i++)
        if (span_is_zero(policy_value_at(rule, id, i)))
            return true;
    return false;
}

MUST_CHECK static enum err check_tdx(const struct appraisal_rule *rule, struct policy_fault *fault)
{
    static const enum policy_field_id rtmrs[] = {FIELD_ID_RTMR0, FIELD_ID_RTMR1, FIELD_ID_RTMR2,
                                                 FIELD_ID_RTMR3};

    if (!states(rule, FIELD_ID_MRTD))
        return policy_blame(fault, "mrtd",
                            "missing; a policy for TDX needs mrtd and rtmr0 to rtmr3");
    for (size_t i = 0; i < COUNT_OF(rtmrs); i++)
        if (!states(rule, rtmrs[i]) &&
            !(rtmrs[i] == FIELD_ID_RTMR3 && states(rule, FIELD_ID_EVENTS)))
            return policy_blame(fault, policy_fields[rtmrs[i]].key,
                                "missing; mrtd covers only the firmware, so give its values, or "
                                "write [any]%s",
                                rtmrs[i] == FIELD_ID_RTMR3 ? ", or demand events" : "");
    if (allows_bit(rule, FIELD_ID_TD_ATTRIBUTES_ALLOWED, 29) &&
        (!states(rule, FIELD_ID_MRSERVICETD) || lists_zero(rule, FIELD_ID_MRSERVICETD)))
        return policy_blame(
            fault, "mrservicetd",
            "missing or zero, but MIGRATABLE is allowed; name the service TDs that may "
            "migrate, or do not allow it");
    return ERR_NONE;
}

/* Whether the numbers of the minimums belong to one product. Each product counts in its own way. */
static bool names_one_product(const struct appraisal_rule *rule)
{
    const uint64_t products = rule->fields[FIELD_ID_PRODUCT].number;

    return states(rule, FIELD_ID_PRODUCT) && products != 0 && (products & (products - 1)) == 0;
}

/*
 * Intel's TCB info tells which platforms are out of date. AMD publishes nothing like it: a VEK of
 * every version that was ever current is certified and not revoked. Old firmware has
 * vulnerabilities that void every guarantee (CVE-2024-21944 in SNP firmware, CVE-2024-56161 in
 * microcode). So a rule must set minimums.
 */
MUST_CHECK static enum err check_snp_tcb(const struct appraisal_rule *rule,
                                         struct policy_fault *fault)
{
    static const enum policy_field_id minimums[] = {
        FIELD_ID_MIN_TCB_SNP, FIELD_ID_MIN_TCB_MICROCODE, /* required */
        FIELD_ID_MIN_TCB_BOOT_LOADER, FIELD_ID_MIN_TCB_TEE, FIELD_ID_MIN_TCB_FMC};
    enum { REQUIRED = 2 };

    for (size_t i = 0; i < COUNT_OF(minimums); i++) {
        const bool stated = states(rule, minimums[i]);

        if (i < REQUIRED && !stated)
            return policy_blame(
                fault, policy_fields[minimums[i]].key,
                "missing; AMD calls no firmware out of date, so a policy for SNP needs "
                "min_tcb_snp and min_tcb_microcode, or any for each, which says that it "
                "does not matter");
        if (stated && !rule->fields[minimums[i]].any && !names_one_product(rule))
            return policy_blame(
                fault, "product",
                "must be one of milan, genoa, turin beside %s: each product counts its "
                "versions its own way; name it, and write a policy for each",
                policy_fields[minimums[i]].key);
    }
    return ERR_NONE;
}

MUST_CHECK static enum err check_snp(const struct appraisal_rule *rule, struct policy_fault *fault)
{
    const bool by_key =
        states(rule, FIELD_ID_ID_KEY_DIGEST) || states(rule, FIELD_ID_AUTHOR_KEY_DIGEST);

    if (!states(rule, FIELD_ID_MEASUREMENT) && !by_key)
        return policy_blame(fault, "measurement",
                            "missing; a policy for SNP needs measurement, or id_key_digest or "
                            "author_key_digest with family_id, image_id and min_guest_svn");
    if (!states(rule, FIELD_ID_MEASUREMENT) &&
        (!states(rule, FIELD_ID_FAMILY_ID) || !states(rule, FIELD_ID_IMAGE_ID) ||
         !states(rule, FIELD_ID_MIN_GUEST_SVN)))
        return policy_blame(
            fault, "id_key_digest",
            "without measurement, family_id, image_id and min_guest_svn go with the key: "
            "it may sign other images, and old versions; give all three");
    if (allows_bit(rule, FIELD_ID_GUEST_POLICY_ALLOWED, 18) && !states(rule, FIELD_ID_REPORT_ID_MA))
        return policy_blame(
            fault, "report_id_ma",
            "missing, but MIGRATE_MA is allowed; name the migration agents, or do not "
            "allow it");
    return check_snp_tcb(rule, fault);
}

MUST_CHECK static enum err check_nitro(const struct appraisal_rule *rule,
                                       struct policy_fault *fault)
{
    if (!states(rule, FIELD_ID_PCR0) && !states(rule, FIELD_ID_PCR8))
        return policy_blame(
            fault, "pcr0",
            "missing; a policy for Nitro needs pcr0 (the image) or pcr8 (its signer)");
    return ERR_NONE;
}

MUST_CHECK static enum err check_status(const struct appraisal_rule *rule,
                                        struct policy_fault *fault)
{
    const uint64_t accepted = rule->fields[FIELD_ID_TCB_STATUS].number;
    const uint64_t late = 1u << TCB_OUT_OF_DATE | 1u << TCB_OUT_OF_DATE_CONFIGURATION_NEEDED;

    if ((accepted & late) != 0 && !states(rule, FIELD_ID_OUT_OF_DATE_GRACE_DAYS))
        return policy_blame(fault, "out_of_date_grace_days",
                            "missing, but tcb_status has OutOfDate; say for how long");
    if ((accepted & late) == 0 && states(rule, FIELD_ID_OUT_OF_DATE_GRACE_DAYS))
        return policy_blame(
            fault, "out_of_date_grace_days",
            "of no use: tcb_status does not have OutOfDate; remove it, or add that");
    if ((accepted & ~(UINT64_C(1) << TCB_UP_TO_DATE)) != 0 && !states(rule, FIELD_ID_ADVISORIES))
        return policy_blame(
            fault, "advisories",
            "missing, but tcb_status has others than UpToDate; list the weaknesses that "
            "are tolerated ([] for none)");
    return ERR_NONE;
}

MUST_CHECK static enum err check_binding(const struct appraisal_rule *rule,
                                         struct policy_fault *fault)
{
    const struct policy_value *accepted = &rule->fields[FIELD_ID_REPORT_DATA];

    if (accepted->number == 0)
        return policy_blame(fault, "report_data", "missing; name a convention");
    if (rule->kind != ATTEST_NITRO && (accepted->number >> BINDING_NATIVE & 1))
        return policy_blame(fault, "report_data", "native is only for Nitro; remove it");
    return ERR_NONE;
}

MUST_CHECK static enum err check_identity(const struct appraisal_rule *rule,
                                          struct policy_fault *fault)
{
    switch (rule->kind) {
    case ATTEST_SGX:
        return check_sgx(rule, fault);
    case ATTEST_TDX:
        return check_tdx(rule, fault);
    case ATTEST_SNP:
        return check_snp(rule, fault);
    case ATTEST_NITRO:
        return check_nitro(rule, fault);
    case ATTEST_TEE_NONE:
    case ATTEST_CCA:
    case ATTEST_PSA:
    case ATTEST_AZURE_HCL:
    case ATTEST_TEE_COUNT:
        break;
    }
    return policy_blame(fault, "tee", "of no kind that can be appraised; correct it");
}

enum err appraisal_rule_check(const struct appraisal_rule *rule, struct policy_fault *fault)
{
    enum err e = ERR_NONE;

    if (rule->name[0] == '\0')
        return policy_blame(fault, "name", "a policy needs a name");
    if ((e = check_identity(rule, fault)) != ERR_NONE)
        return e;
    if (rule->kind == ATTEST_SGX || rule->kind == ATTEST_TDX)
        e = check_status(rule, fault);
    return e == ERR_NONE ? check_binding(rule, fault) : e;
}
