/*
 * The demands that a rule can make: one row per field. A row gives the member of a policy in YAML,
 * its limits and its manual, the place of the value in the evidence, the comparison, and the code
 * of the denial. The order of the rows is the order of the checks. The column of defaults
 * implements default deny: a member that a rule leaves out has its default. A field without a
 * default is then not checked. Facts: Intel SDM vol. 3D and TDX module base specification
 * (attributes, XFAM), AMD 56860 tables 10, 23 and 24 (guest policy, report, platform info), AWS's
 * "Cryptographic attestation" (PCRs).
 */
#ifndef POLICY_FIELDS_H
#define POLICY_FIELDS_H

#include "attest/attest.h"

enum field_kind {
    FIELD_IDENTITY,     /* list of bytes in hex; none may be zero */
    FIELD_SIGNER,       /* exactly one value of that form */
    FIELD_BYTES,        /* list of bytes in hex, or "zero" */
    FIELD_BYTES_OR_ANY, /* the same, or only "any": explicitly not compared */
    FIELD_NUMBER,
    FIELD_NUMBER_OR_ANY, /* a number, or "any": explicitly not compared */
    FIELD_SWITCH,        /* true, false */
    FIELD_NAMES,         /* list of names, or of bits */
    FIELD_TEXTS,         /* list of plain names */
    FIELD_EVENTS,        /* list of NAME=HEX */
    FIELD_VERSION        /* MAJOR.MINOR */
};

/* The kinds of evidence that have a field, as bits. The simulated TEE has the fields of its
 * kind. */
#define FOR_SGX (1u << ATTEST_SGX)
#define FOR_TDX (1u << ATTEST_TDX)
#define FOR_SNP (1u << ATTEST_SNP)
#define FOR_NITRO (1u << ATTEST_NITRO)
#define FOR_INTEL (FOR_SGX | FOR_TDX)
#define FOR_ALL (FOR_INTEL | FOR_SNP | FOR_NITRO)

/* clang-format off */
#define POLICY_PCR(X, n, kind) \
X(PCR##n, "pcr" #n, FOR_NITRO, kind, 48, nitro.pcr[n], NULL, pcr_listed, "measurement_mismatch", NULL, 1, 32, "96 hex digits each", \
 "Accepted values of PCR " #n ".")

/*
 * name, key, for, kind, bytes of a value, where in the evidence, names, check, code, default, least, most, unit, help
 */
#define POLICY_FIELDS(X) \
X(REPORT_DATA, "report_data", FOR_ALL, FIELD_NAMES, 0, report_data, &convention_names, binding_accepted, "report_data_mismatch", "vouchsafe", 1, 8, NULL, \
 "How the evidence binds the caller's key and nonce: vouchsafe, dstack or rcar. outlayer binds the key only, and is for inline evidence only. native is Nitro's own nonce and public_key.") \
/* SGX: the identity of the code */ \
X(MRENCLAVE, "mrenclave", FOR_SGX, FIELD_IDENTITY, 32, sgx.mr_enclave, NULL, bytes_listed, "measurement_mismatch", NULL, 1, 32, "64 hex digits each", \
 "SGX: measurements of accepted enclaves. Required, unless mrsigner, isvprodid and min_isvsvn are set.") \
X(MRSIGNER, "mrsigner", FOR_SGX, FIELD_SIGNER, 32, sgx.mr_signer, NULL, bytes_listed, "signer_mismatch", NULL, 64, 64, "64 hex digits", \
 "SGX: signer of accepted enclaves. Needs isvprodid and min_isvsvn.") \
X(ISVPRODID, "isvprodid", FOR_SGX, FIELD_NUMBER, 0, sgx.isv_prod_id, NULL, u16_equal, "product_mismatch", NULL, 0, 65535, NULL, \
 "SGX: product number. Required with mrsigner.") \
X(MIN_ISVSVN, "min_isvsvn", FOR_SGX, FIELD_NUMBER, 0, sgx.isv_svn, NULL, u16_at_least, "svn_too_low", NULL, 0, 65535, NULL, \
 "SGX: lowest security version. Required with mrsigner.") \
X(CONFIGID, "configid", FOR_SGX, FIELD_BYTES_OR_ANY, 64, sgx.config_id, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "128 hex digits each, zero, or any", \
 "SGX: accepted CONFIGIDs. The host chooses the CONFIGID.") \
X(ISVFAMILYID, "isvfamilyid", FOR_SGX, FIELD_BYTES, 16, sgx.isv_family_id, NULL, bytes_listed, "product_mismatch", NULL, 1, 32, "32 hex digits each, or zero", \
 "SGX: accepted ISVFAMILYIDs.") \
X(ISVEXTPRODID, "isvextprodid", FOR_SGX, FIELD_BYTES, 16, sgx.isv_ext_prod_id, NULL, bytes_listed, "product_mismatch", NULL, 1, 32, "32 hex digits each, or zero", \
 "SGX: accepted ISVEXTPRODIDs.") \
X(ATTRIBUTES_REQUIRED, "attributes_required", FOR_SGX, FIELD_NAMES, 0, sgx.attributes, &sgx_attribute_names, le_bits_required, "attributes_not_accepted", "INIT", 0, 64, NULL, \
 "SGX: attributes that must be set.") \
X(ATTRIBUTES_ALLOWED, "attributes_allowed", FOR_SGX, FIELD_NAMES, 0, sgx.attributes, &sgx_attribute_names, le_bits_allowed, "attributes_not_accepted", "INIT,MODE64BIT,CET,KSS,AEXNOTIFY", 0, 64, NULL, \
 "SGX: attributes that may be set. PROVISIONKEY and EINITTOKENKEY are refused unless named here. DEBUG is always refused.") \
/* TDX */ \
X(MRTD, "mrtd", FOR_TDX, FIELD_IDENTITY, 48, td.mr_td, NULL, bytes_listed, "measurement_mismatch", NULL, 1, 32, "96 hex digits each", \
 "TDX: measurements of accepted firmware. Required, together with rtmr0 to rtmr3.") \
X(RTMR0, "rtmr0", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.rtmr[0], NULL, bytes_listed, "rtmr_mismatch", NULL, 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted values of RTMR0 (firmware configuration). Required. any: the value is not compared.") \
X(RTMR1, "rtmr1", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.rtmr[1], NULL, bytes_listed, "rtmr_mismatch", NULL, 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted values of RTMR1 (kernel, boot loader). Required.") \
X(RTMR2, "rtmr2", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.rtmr[2], NULL, bytes_listed, "rtmr_mismatch", NULL, 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted values of RTMR2 (command line, initrd). Required.") \
X(RTMR3, "rtmr3", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.rtmr[3], NULL, bytes_listed, "rtmr_mismatch", NULL, 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted values of RTMR3 (measured at run time). Required, unless events are set.") \
X(EVENTS, "events", FOR_TDX, FIELD_EVENTS, 0, td.rtmr[3], NULL, events_proved, "event_not_accepted", NULL, 1, 32, "NAME=HEX each", \
 "TDX: runtime events that the caller's event log must have, such as compose-hash=.... The log must replay to the quoted RTMR3. If one name has several values, one of them must match.") \
X(MRCONFIGID, "mrconfigid", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.mr_config_id, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted MRCONFIGIDs. The host chooses the MRCONFIGID.") \
X(MROWNER, "mrowner", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.mr_owner, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted MROWNERs.") \
X(MROWNERCONFIG, "mrownerconfig", FOR_TDX, FIELD_BYTES_OR_ANY, 48, td.mr_owner_config, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "96 hex digits each, zero, or any", \
 "TDX: accepted MROWNERCONFIGs.") \
X(MRSERVICETD, "mrservicetd", FOR_TDX, FIELD_BYTES, 48, td.mr_service_td, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "96 hex digits each, or zero", \
 "TDX: accepted service TDs. A service TD can migrate the TD.") \
X(MRSEAM, "mrseam", FOR_TDX, FIELD_IDENTITY, 48, td.mr_seam, NULL, bytes_listed, "platform_not_accepted", NULL, 1, 32, "96 hex digits each", \
 "TDX: accepted TDX modules. Their TCB status is checked as well.") \
X(TD_ATTRIBUTES_REQUIRED, "td_attributes_required", FOR_TDX, FIELD_NAMES, 0, td.td_attributes, &td_attribute_names, le_bits_required, "attributes_not_accepted", "SEPT_VE_DISABLE", 0, 64, NULL, \
 "TDX: attributes that must be set. Without SEPT_VE_DISABLE the host can cause exceptions in the guest.") \
X(TD_ATTRIBUTES_ALLOWED, "td_attributes_allowed", FOR_TDX, FIELD_NAMES, 0, td.td_attributes, &td_attribute_names, le_bits_allowed, "attributes_not_accepted", "SEPT_VE_DISABLE", 0, 64, NULL, \
 "TDX: attributes that may be set. MIGRATABLE needs mrservicetd. DEBUG is always refused. Reserved attributes are written as bitN.") \
X(XFAM_REQUIRED, "xfam_required", FOR_TDX, FIELD_NAMES, 0, td.xfam, &xfam_names, le_bits_required, "attributes_not_accepted", NULL, 0, 64, NULL, \
 "TDX: extended features that must be on.") \
X(XFAM_ALLOWED, "xfam_allowed", FOR_TDX, FIELD_NAMES, 0, td.xfam, &xfam_names, le_bits_allowed, "attributes_not_accepted", NULL, 0, 64, NULL, \
 "TDX: extended features that may be on. Absent: all.") \
/* SEV-SNP */ \
X(MEASUREMENT, "measurement", FOR_SNP, FIELD_IDENTITY, 48, snp.measurement, NULL, bytes_listed, "measurement_mismatch", NULL, 1, 32, "96 hex digits each", \
 "SNP: accepted launch measurements. Required, unless id_key_digest or author_key_digest is set together with family_id, image_id and min_guest_svn.") \
X(ID_KEY_DIGEST, "id_key_digest", FOR_SNP, FIELD_IDENTITY, 48, snp.id_key_digest, NULL, bytes_listed, "signer_mismatch", NULL, 1, 32, "96 hex digits each", \
 "SNP: accepted keys that signed the guest's id block.") \
X(AUTHOR_KEY_DIGEST, "author_key_digest", FOR_SNP, FIELD_IDENTITY, 48, snp.author_key_digest, NULL, bytes_listed, "signer_mismatch", NULL, 1, 32, "96 hex digits each", \
 "SNP: accepted keys that signed the id key.") \
X(FAMILY_ID, "family_id", FOR_SNP, FIELD_BYTES, 16, snp.family_id, NULL, bytes_listed, "product_mismatch", NULL, 1, 32, "32 hex digits each, or zero", \
 "SNP: accepted families, as the id block names them.") \
X(IMAGE_ID, "image_id", FOR_SNP, FIELD_BYTES, 16, snp.image_id, NULL, bytes_listed, "product_mismatch", NULL, 1, 32, "32 hex digits each, or zero", \
 "SNP: accepted images, as the id block names them.") \
X(MIN_GUEST_SVN, "min_guest_svn", FOR_SNP, FIELD_NUMBER, 0, snp.guest_svn, NULL, u32_at_least, "svn_too_low", NULL, 0, UINT32_MAX, NULL, \
 "SNP: lowest security version of the guest, as the id block names it.") \
X(HOST_DATA, "host_data", FOR_SNP, FIELD_BYTES_OR_ANY, 32, snp.host_data, NULL, bytes_listed, "configuration_mismatch", "zero", 1, 32, "64 hex digits each, zero, or any", \
 "SNP: accepted HOST_DATA. The host chooses HOST_DATA.") \
X(VMPL, "vmpl", FOR_SNP, FIELD_NAMES, 0, snp.vmpl, &vmpl_names, u32_listed, "vmpl_not_accepted", "0", 1, 4, NULL, \
 "SNP: privilege levels that may request reports. Under a paravisor or SVSM the guest has a level other than 0.") \
X(GUEST_POLICY_REQUIRED, "guest_policy_required", FOR_SNP, FIELD_NAMES, 0, snp.policy, &guest_policy_names, u64_bits_required, "guest_policy_not_accepted", NULL, 0, 64, NULL, \
 "SNP: bits that the guest's policy must have.") \
X(GUEST_POLICY_ALLOWED, "guest_policy_allowed", FOR_SNP, FIELD_NAMES, 0, snp.policy, &guest_policy_names, u64_bits_allowed, "guest_policy_not_accepted", "SINGLE_SOCKET,MEM_AES_256_XTS,RAPL_DIS,CIPHERTEXT_HIDING_DRAM,PAGE_SWAP_DISABLE", 0, 64, NULL, \
 "SNP: bits that the guest's policy may have. SMT and CXL are refused unless named here. MIGRATE_MA needs report_id_ma. DEBUG is always refused.") \
X(REPORT_ID_MA, "report_id_ma", FOR_SNP, FIELD_IDENTITY, 32, snp.report_id_ma, NULL, agent_listed, "platform_not_accepted", NULL, 1, 32, "64 hex digits each", \
 "SNP: accepted migration agents of guests that may migrate.") \
X(MIN_ABI, "min_abi", FOR_SNP, FIELD_VERSION, 0, snp.policy, NULL, abi_at_least, "guest_policy_not_accepted", NULL, 3, 7, "MAJOR.MINOR", \
 "SNP: lowest firmware ABI that the guest's policy may demand.") \
X(PLATFORM_INFO_REQUIRED, "platform_info_required", FOR_SNP, FIELD_NAMES, 0, snp.platform_info, &platform_info_names, u64_bits_required, "platform_info_not_accepted", NULL, 0, 64, NULL, \
 "SNP: bits of PLATFORM_INFO that must be set. ALIAS_CHECK_COMPLETE is the defence against BadRAM.") \
X(PLATFORM_INFO_ALLOWED, "platform_info_allowed", FOR_SNP, FIELD_NAMES, 0, snp.platform_info, &platform_info_names, u64_bits_allowed, "platform_info_not_accepted", NULL, 0, 64, NULL, \
 "SNP: bits of PLATFORM_INFO that may be set. Absent: all.") \
X(MIN_TCB_BOOT_LOADER, "min_tcb_boot_loader", FOR_SNP, FIELD_NUMBER_OR_ANY, 0, snp.reported_tcb.boot_loader, NULL, tcb_at_least, "tcb_too_low", NULL, 0, 255, "or any", \
 "SNP: lowest version of the boot loader, in the reported, committed and launch TCB. A number needs exactly one product, because products count differently.") \
X(MIN_TCB_TEE, "min_tcb_tee", FOR_SNP, FIELD_NUMBER_OR_ANY, 0, snp.reported_tcb.tee, NULL, tcb_at_least, "tcb_too_low", NULL, 0, 255, "or any", \
 "SNP: lowest version of the security processor's operating system, as for min_tcb_boot_loader.") \
X(MIN_TCB_SNP, "min_tcb_snp", FOR_SNP, FIELD_NUMBER_OR_ANY, 0, snp.reported_tcb.snp, NULL, tcb_at_least, "tcb_too_low", NULL, 0, 255, "or any", \
 "SNP: lowest version of the SNP firmware, as for min_tcb_boot_loader. Required, because AMD calls no version out of date: without a minimum, every old version stays accepted. any: the version is not compared.") \
X(MIN_TCB_MICROCODE, "min_tcb_microcode", FOR_SNP, FIELD_NUMBER_OR_ANY, 0, snp.reported_tcb.microcode, NULL, tcb_at_least, "tcb_too_low", NULL, 0, 255, "or any", \
 "SNP: lowest version of the microcode, as for min_tcb_boot_loader. Required. any: the version is not compared.") \
X(MIN_TCB_FMC, "min_tcb_fmc", FOR_SNP, FIELD_NUMBER_OR_ANY, 0, snp.reported_tcb.fmc, NULL, tcb_at_least, "tcb_too_low", NULL, 0, 255, "or any", \
 "SNP: lowest version of the FMC, as for min_tcb_boot_loader. Only Turin has an FMC.") \
X(PRODUCT, "product", FOR_SNP, FIELD_NAMES, 0, snp.product, &product_names, u32_listed, "platform_not_accepted", NULL, 1, 3, NULL, \
 "SNP: accepted products: milan, genoa, turin. Absent: all. Minimums of the TCB need exactly one product.") \
X(CHIP_ID, "chip_id", FOR_SNP, FIELD_IDENTITY, 64, snp.chip_id, NULL, bytes_listed, "platform_not_accepted", NULL, 1, 32, "128 hex digits each", \
 "SNP: accepted chips. Absent: all.") \
X(CSP_ID, "csp_id", FOR_SNP, FIELD_TEXTS, 31, snp.csp_id, NULL, csp_listed, "platform_not_accepted", "", 1, 32, NULL, \
 "SNP: clouds whose VLEKs may sign, as the VLEK names them, such as CN=cc-us-east-2.amazonaws.com. Absent: no VLEK is accepted, and chips sign with their own key.") \
X(REQUIRE_CRL, "require_crl", FOR_SNP, FIELD_SWITCH, 0, snp.crl_checked, NULL, set_if_required, "crl_required", "true", 0, 0, NULL, \
 "SNP: refuse evidence whose revocation was not checked.") \
/* Nitro */ \
POLICY_PCR(X, 0, FIELD_IDENTITY) \
POLICY_PCR(X, 1, FIELD_IDENTITY) \
POLICY_PCR(X, 2, FIELD_IDENTITY) \
POLICY_PCR(X, 3, FIELD_BYTES) \
POLICY_PCR(X, 4, FIELD_BYTES) \
POLICY_PCR(X, 5, FIELD_BYTES) \
POLICY_PCR(X, 6, FIELD_BYTES) \
POLICY_PCR(X, 7, FIELD_BYTES) \
POLICY_PCR(X, 8, FIELD_IDENTITY) \
POLICY_PCR(X, 9, FIELD_BYTES) \
POLICY_PCR(X, 10, FIELD_BYTES) \
POLICY_PCR(X, 11, FIELD_BYTES) \
POLICY_PCR(X, 12, FIELD_BYTES) \
POLICY_PCR(X, 13, FIELD_BYTES) \
POLICY_PCR(X, 14, FIELD_BYTES) \
POLICY_PCR(X, 15, FIELD_BYTES) \
X(MAX_DOCUMENT_AGE_S, "max_document_age_s", FOR_NITRO, FIELD_NUMBER, 0, nitro.timestamp_ms, NULL, document_recent, "document_too_old", "300", 1, 10800, "s", \
 "Nitro: largest difference between the document's time and now, in both directions.") \
/* Intel's platforms */ \
X(FMSPC, "fmspc", FOR_INTEL, FIELD_IDENTITY, 6, intel.fmspc, NULL, bytes_listed, "platform_not_accepted", NULL, 1, 32, "12 hex digits each", \
 "SGX, TDX: accepted kinds of platform. Absent: all.") \
X(PLATFORM_INSTANCE_ID, "platform_instance_id", FOR_INTEL, FIELD_IDENTITY, 16, intel.platform_instance_id, NULL, bytes_listed, "platform_not_accepted", NULL, 1, 32, "32 hex digits each", \
 "SGX, TDX: accepted machines. Machines with a processor CA have no such id. Absent: all.") \
X(ALLOW_SMT, "allow_smt", FOR_INTEL, FIELD_SWITCH, 0, intel.smt_enabled, NULL, clear_unless_allowed, "platform_not_accepted", "true", 0, 0, NULL, \
 "SGX, TDX: whether simultaneous multithreading may be on, as the PCK certificate says.") \
X(ALLOW_DYNAMIC_PLATFORM, "allow_dynamic_platform", FOR_INTEL, FIELD_SWITCH, 0, intel.dynamic_platform, NULL, clear_unless_allowed, "platform_not_accepted", "true", 0, 0, NULL, \
 "SGX, TDX: whether packages may be added to the platform later.") \
X(ALLOW_CACHED_KEYS, "allow_cached_keys", FOR_INTEL, FIELD_SWITCH, 0, intel.cached_keys, NULL, clear_unless_allowed, "platform_not_accepted", "true", 0, 0, NULL, \
 "SGX, TDX: whether Intel may have cached the platform's keys.") \
X(TCB_STATUS, "tcb_status", FOR_INTEL, FIELD_NAMES, 0, status, &status_names, status_listed, "tcb_status_not_accepted", "UpToDate", 1, TCB_STATUS_COUNT, NULL, \
 "SGX, TDX: accepted TCB statuses in Intel's spelling. Statuses other than UpToDate need advisories. OutOfDate also needs out_of_date_grace_days. Revoked is always refused.") \
X(OUT_OF_DATE_GRACE_DAYS, "out_of_date_grace_days", FOR_INTEL, FIELD_NUMBER, 0, status, NULL, within_grace, "out_of_date_too_long", NULL, 1, 3650, "days", \
 "SGX, TDX: how long an OutOfDate platform is accepted. The period starts on the date of the next newer TCB level.") \
X(ADVISORIES, "advisories", FOR_INTEL, FIELD_TEXTS, 23, advisories, NULL, advisories_listed, "advisory_not_accepted", NULL, 0, ATTEST_ADVISORIES_MAX, NULL, \
 "SGX, TDX: tolerated advisories when a status other than UpToDate is accepted, such as INTEL-SA-00615. An empty list tolerates none.") \
X(MIN_TCB_EVALUATION_NUMBER, "min_tcb_evaluation_number", FOR_INTEL, FIELD_NUMBER, 0, intel.tcb_evaluation_number, NULL, u32_at_least, "tcb_evaluation_too_old", "0", 0, UINT32_MAX, NULL, \
 "SGX, TDX: lowest tcbEvaluationDataNumber of the TCB info.") \
X(MIN_QE_EVALUATION_NUMBER, "min_qe_evaluation_number", FOR_INTEL, FIELD_NUMBER, 0, intel.qe_evaluation_number, NULL, u32_at_least, "qe_evaluation_too_old", "0", 0, UINT32_MAX, NULL, \
 "SGX, TDX: lowest tcbEvaluationDataNumber of the QE identity.")
/* clang-format on */

enum policy_field_id {
#define POLICY_ENUM(name, ...) FIELD_ID_##name,
    POLICY_FIELDS(POLICY_ENUM)
#undef POLICY_ENUM
        POLICY_FIELD_COUNT
};

/* Names of bits. */
struct bit_name {
    const char *name;
    uint8_t bit;
};
struct bit_names {
    const struct bit_name *names; /* ends with a NULL name */
    bool numbered;                /* bits without a name are written bitN */
    uint64_t never;               /* no rule can demand these */
    uint64_t beside;              /* these bits are not flags */
    const char *never_why;
};

struct appraisal_check;
typedef bool policy_check(const struct appraisal_check *c);

struct policy_field {
    const char *key;
    unsigned tees; /* FOR_... */
    enum field_kind kind;
    size_t size;   /* bytes of one value, maximum for texts; 0 for other kinds */
    size_t offset; /* in struct attest_result */
    const struct bit_names *names;
    policy_check *holds; /* or denies, and fills everything except the code */
    const char *code;
    const char *standard; /* comma list; NULL: nothing is checked */
    uint64_t min, max;    /* of a number, or of the elements of a list */
};
extern const struct policy_field policy_fields[POLICY_FIELD_COUNT];

/* The row of `key`, or NULL. */
const struct policy_field *policy_field_find(const char *key);

/* "SEPT_VE_DISABLE, bit40"; a long text is cut. */
void bit_names_write(const struct bit_names *names, uint64_t bits, char *out, size_t size);

#endif
