#include "attest/evidence_fields.h"

#define ROW(kind, name, form, since, is_measurement, member)                                       \
    {                                                                                              \
        name, offsetof(struct attest_result, member),                                              \
            sizeof(((struct attest_result *)NULL)->member), kind, form, since, is_measurement      \
    }

/* clang-format off */
const struct evidence_field evidence_fields[] = {
    ROW(ATTEST_SGX, "cpusvn", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.cpu_svn),
    ROW(ATTEST_SGX, "attributes", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.attributes),
    ROW(ATTEST_SGX, "mrenclave", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, sgx.mr_enclave),
    ROW(ATTEST_SGX, "mrsigner", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, sgx.mr_signer),
    ROW(ATTEST_SGX, "configid", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.config_id),
    ROW(ATTEST_SGX, "isvprodid", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, sgx.isv_prod_id),
    ROW(ATTEST_SGX, "isvsvn", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, sgx.isv_svn),
    ROW(ATTEST_SGX, "configsvn", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, sgx.config_svn),
    ROW(ATTEST_SGX, "isvfamilyid", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.isv_family_id),
    ROW(ATTEST_SGX, "isvextprodid", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.isv_ext_prod_id),
    ROW(ATTEST_SGX, "report_data", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, sgx.report_data),
    ROW(ATTEST_SGX, "debug", EVIDENCE_FLAG, EVIDENCE_ALWAYS, false, debug),
    ROW(ATTEST_TDX, "tee_tcb_svn", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.tee_tcb_svn),
    ROW(ATTEST_TDX, "mrseam", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.mr_seam),
    ROW(ATTEST_TDX, "mrsignerseam", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.mr_signer_seam),
    ROW(ATTEST_TDX, "seam_attributes", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.seam_attributes),
    ROW(ATTEST_TDX, "td_attributes", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.td_attributes),
    ROW(ATTEST_TDX, "xfam", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.xfam),
    ROW(ATTEST_TDX, "mrtd", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.mr_td),
    ROW(ATTEST_TDX, "mrconfigid", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.mr_config_id),
    ROW(ATTEST_TDX, "mrowner", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.mr_owner),
    ROW(ATTEST_TDX, "mrownerconfig", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.mr_owner_config),
    ROW(ATTEST_TDX, "rtmr0", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.rtmr[0]),
    ROW(ATTEST_TDX, "rtmr1", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.rtmr[1]),
    ROW(ATTEST_TDX, "rtmr2", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.rtmr[2]),
    ROW(ATTEST_TDX, "rtmr3", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, td.rtmr[3]),
    ROW(ATTEST_TDX, "report_data", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, td.report_data),
    ROW(ATTEST_TDX, "debug", EVIDENCE_FLAG, EVIDENCE_ALWAYS, false, debug),
    ROW(ATTEST_TDX, "tee_tcb_svn2", EVIDENCE_BYTES, EVIDENCE_TD_15, false, td.tee_tcb_svn_2),
    ROW(ATTEST_TDX, "mrservicetd", EVIDENCE_BYTES, EVIDENCE_TD_15, false, td.mr_service_td),
    ROW(ATTEST_SNP, "version", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.version),
    ROW(ATTEST_SNP, "guest_svn", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.guest_svn),
    ROW(ATTEST_SNP, "policy", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.policy),
    ROW(ATTEST_SNP, "family_id", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.family_id),
    ROW(ATTEST_SNP, "image_id", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.image_id),
    ROW(ATTEST_SNP, "vmpl", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.vmpl),
    ROW(ATTEST_SNP, "signature_algo", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.signature_algorithm),
    ROW(ATTEST_SNP, "current_tcb", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.current_tcb_bytes),
    ROW(ATTEST_SNP, "platform_info", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.platform_info),
    ROW(ATTEST_SNP, "key_info", EVIDENCE_NUMBER, EVIDENCE_ALWAYS, false, snp.key_info),
    ROW(ATTEST_SNP, "report_data", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.report_data),
    ROW(ATTEST_SNP, "measurement", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, snp.measurement),
    ROW(ATTEST_SNP, "host_data", EVIDENCE_BYTES, EVIDENCE_ALWAYS, true, snp.host_data),
    ROW(ATTEST_SNP, "id_key_digest", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.id_key_digest),
    ROW(ATTEST_SNP, "author_key_digest", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.author_key_digest),
    ROW(ATTEST_SNP, "report_id", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.report_id),
    ROW(ATTEST_SNP, "report_id_ma", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.report_id_ma),
    ROW(ATTEST_SNP, "reported_tcb", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.reported_tcb_bytes),
    ROW(ATTEST_SNP, "chip_id", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.chip_id),
    ROW(ATTEST_SNP, "committed_tcb", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.committed_tcb_bytes),
    ROW(ATTEST_SNP, "launch_tcb", EVIDENCE_BYTES, EVIDENCE_ALWAYS, false, snp.launch_tcb_bytes),
    ROW(ATTEST_SNP, "debug", EVIDENCE_FLAG, EVIDENCE_ALWAYS, false, debug),
    ROW(ATTEST_SNP, "cpuid_fam_id", EVIDENCE_NUMBER, EVIDENCE_SNP_3, false, snp.cpuid_family),
    ROW(ATTEST_SNP, "cpuid_mod_id", EVIDENCE_NUMBER, EVIDENCE_SNP_3, false, snp.cpuid_model),
    ROW(ATTEST_SNP, "cpuid_step", EVIDENCE_NUMBER, EVIDENCE_SNP_3, false, snp.cpuid_stepping),
    ROW(ATTEST_SNP, "launch_mit_vector", EVIDENCE_NUMBER, EVIDENCE_SNP_5, false, snp.launch_mitigations),
    ROW(ATTEST_SNP, "current_mit_vector", EVIDENCE_NUMBER, EVIDENCE_SNP_5, false, snp.current_mitigations),
};
/* clang-format on */
const size_t evidence_field_count = COUNT_OF(evidence_fields);

bool evidence_has(const struct attest_result *evidence, const struct evidence_field *field)
{
    const enum attest_tee kind = evidence->kind == ATTEST_AZURE_HCL ? ATTEST_SNP : evidence->kind;

    if (field->kind != kind)
        return false;
    switch (field->since) {
    case EVIDENCE_ALWAYS:
        return true;
    case EVIDENCE_TD_15:
        return evidence->td.is_15;
    case EVIDENCE_SNP_3:
        return evidence->snp.has_cpuid;
    case EVIDENCE_SNP_5:
        return evidence->snp.version >= 5;
    }
    return false;
}

struct span evidence_bytes(const struct attest_result *evidence, const struct evidence_field *field)
{
    return span_of((const uint8_t *)evidence + field->offset, field->size);
}
