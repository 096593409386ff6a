#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/writer.h"
#include "rules.h"

#define X8(x) x x x x x x x x
#define B16(x) X8(x x)
#define B32(x) X8(x x) X8(x x)
#define B48(x) B32(x) X8(x x)
#define B64(x) B32(x) B32(x)

enum { RULE_MAX = 24 };
static const struct timestamp now = {1750000000000};
static const char *const tees[] = {"sgx", "tdx", "snp", "nitro", "simulated"};

static struct appraisal_question question_of(const struct attest_result *evidence)
{
    return (struct appraisal_question){.evidence = evidence, .binding = &good_binding, .now = now};
}

MUST_CHECK static enum err ask(const struct appraisal_rule *rule,
                               const struct appraisal_question *q, struct appraisal_denial *denial)
{
    return appraise(rule, q, NULL, denial);
}

static bool names(const struct rule_text *texts, const char *key)
{
    for (; texts && texts->key; texts++)
        if (strcmp(texts->key, key) == 0)
            return true;
    return false;
}

/* The smallest rule of a TEE plus fields, or other values for its fields; values NULL: without. */
MUST_CHECK static enum err rule_with(struct appraisal_rule *rule, const char *tee,
                                     const struct rule_text *extra, struct policy_fault *fault)
{
    struct rule_text texts[RULE_MAX] = {{0}};
    size_t count = 0;

    for (const struct rule_text *t = least_rule(tee); t->key; t++)
        if (!names(extra, t->key))
            texts[count++] = *t;
    for (; extra && extra->key; extra++)
        if (extra->values)
            texts[count++] = *extra;
    return rule_of(rule, tee, texts, fault);
}

static void make_rule(struct appraisal_rule *rule, const char *tee, const struct rule_text *extra)
{
    struct policy_fault fault = {0};
    enum err e = rule_with(rule, tee, extra, &fault);

    if (e != ERR_NONE)
        print_message("%s: %s\n", fault.key, fault.text);
    assert_int_equal(e, ERR_NONE);
}

static void the_least_rule_accepts_its_evidence_and_no_other_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tees); i++) {
        struct appraisal_rule rule;

        make_rule(&rule, tees[i], NULL);
        for (size_t j = 0; j < COUNT_OF(tees); j++) {
            struct attest_result evidence;
            struct appraisal_denial denial = {0};

            evidence_of(tees[j], &evidence);
            const struct appraisal_question q = question_of(&evidence);

            assert_int_equal(ask(&rule, &q, &denial), i == j ? ERR_NONE : ERR_DENIED);
            if (i != j)
                assert_string_equal(denial.code, "tee_not_accepted");
        }
        appraisal_rule_clear(&rule);
    }
}

/*
 * Each case has a rule that accepts the evidence. Then one part of the evidence changes, and it is
 * denied with that code, and with the field's name in the expected value.
 */
struct spoiled {
    const char *tee;
    struct rule_text rule[4];
    const char *code, *field;
    void (*spoil)(struct attest_result *e);
    const char *presented; /* contained */
};

#define SPOIL(name, body)                                                                          \
    static void name(struct attest_result *e)                                                      \
    {                                                                                              \
        body;                                                                                      \
    }
SPOIL(mr_enclave, e->sgx.mr_enclave[31] ^= 1)
SPOIL(mr_signer, e->sgx.mr_signer[0] ^= 1)
SPOIL(prod_id, e->sgx.isv_prod_id = 8)
SPOIL(isv_svn, e->sgx.isv_svn = 4)
SPOIL(config_id, e->sgx.config_id[63] = 1)
SPOIL(family, e->sgx.isv_family_id[0] ^= 1)
SPOIL(ext_prod, e->sgx.isv_ext_prod_id[15] ^= 1)
SPOIL(provision_key, e->sgx.attributes[0] |= 1 << 4)
SPOIL(token_key, e->sgx.attributes[0] |= 1 << 5)
SPOIL(reserved_attribute, e->sgx.attributes[7] |= 0x80)
SPOIL(not_init, e->sgx.attributes[0] &= 0xfe)
SPOIL(binding, e->report_data[63] ^= 1)
SPOIL(mr_td, e->td.mr_td[0] ^= 0x80)
SPOIL(rtmr0, e->td.rtmr[0][47] ^= 1)
SPOIL(rtmr1, e->td.rtmr[1][0] ^= 1)
SPOIL(rtmr2, e->td.rtmr[2][20] ^= 1)
SPOIL(rtmr3, e->td.rtmr[3][47] ^= 1)
SPOIL(mr_config, e->td.mr_config_id[0] = 1)
SPOIL(mr_owner, e->td.mr_owner[47] = 1)
SPOIL(mr_owner_config, e->td.mr_owner_config[47] = 1)
SPOIL(service_td, e->td.is_15 = true; e->td.mr_service_td[0] = 1)
SPOIL(mr_seam, e->td.mr_seam[0] ^= 1)
SPOIL(no_sept, e->td.td_attributes[3] = 0)
SPOIL(migratable, e->td.td_attributes[3] |= 0x20)
SPOIL(perfmon, e->td.td_attributes[7] = 0x80)
SPOIL(reserved_td, e->td.td_attributes[5] = 1)
SPOIL(xfam_more, e->td.xfam[2] = 6)
SPOIL(xfam_less, e->td.xfam[0] = 3)
SPOIL(measurement, e->snp.measurement[47] ^= 1)
SPOIL(id_key, e->snp.id_key_digest[0] ^= 1)
SPOIL(author_key, e->snp.author_key_digest[47] ^= 1)
SPOIL(family_id, e->snp.family_id[0] ^= 1)
SPOIL(image_id, e->snp.image_id[15] ^= 1)
SPOIL(guest_svn, e->snp.guest_svn = 8)
SPOIL(host_data, e->snp.host_data[31] = 1)
SPOIL(vmpl1, e->snp.vmpl = 1)
SPOIL(vmpl_huge, e->snp.vmpl = UINT32_MAX)
SPOIL(smt, e->snp.policy |= 1u << 16)
SPOIL(migrate_ma, e->snp.policy |= 1u << 18)
SPOIL(cxl, e->snp.policy |= 1u << 21)
SPOIL(reserved_policy, e->snp.policy |= UINT64_C(1) << 40)
SPOIL(policy_none, e->snp.policy = 0x20000)
SPOIL(agent, e->snp.policy |= 1u << 18)
SPOIL(abi, e->snp.policy = 0x20000 | 1 << 8 | 50)
SPOIL(platform_none, e->snp.platform_info = 0)
SPOIL(platform_more, e->snp.platform_info |= 1)
SPOIL(reported, e->snp.reported_tcb.microcode = 5)
SPOIL(committed, e->snp.committed_tcb.microcode = 5)
SPOIL(launch, e->snp.launch_tcb.microcode = 5)
SPOIL(boot_loader, e->snp.launch_tcb.boot_loader = 2)
SPOIL(tcb_tee, e->snp.committed_tcb.tee = 3)
SPOIL(tcb_snp, e->snp.reported_tcb.snp = 0)
SPOIL(tcb_fmc, e->snp.launch_tcb.fmc = 6)
SPOIL(genoa, e->snp.product = ATTEST_AMD_GENOA)
SPOIL(chip, e->snp.chip_id[63] ^= 1)
SPOIL(vlek, e->snp.by_vlek = true; memcpy(e->snp.csp_id, "azure", 6))
SPOIL(vlek_aws, e->snp.by_vlek = true; memcpy(e->snp.csp_id, "CN=cc-us-east-2.amazonaws.com", 30))
SPOIL(no_crl, e->snp.crl_checked = false)
SPOIL(pcr0, e->nitro.pcr[0][0] ^= 1)
SPOIL(pcr0_absent, e->nitro.pcr_present &= ~1u)
SPOIL(pcr0_short, e->nitro.pcr_size[0] = 32)
SPOIL(pcr1, e->nitro.pcr[1][47] ^= 1)
SPOIL(pcr2, e->nitro.pcr[2][0] ^= 1)
SPOIL(pcr3, e->nitro.pcr[3][0] ^= 1)
SPOIL(pcr8, e->nitro.pcr[8][0] ^= 1)
SPOIL(pcr15, e->nitro.pcr[15][0] ^= 1)
SPOIL(too_old, e->nitro.timestamp_ms -= 300001)
SPOIL(too_new, e->nitro.timestamp_ms += 300001)
SPOIL(no_time, e->nitro.timestamp_ms = INT64_MIN)
SPOIL(fmspc, e->intel.fmspc[5] ^= 1)
SPOIL(instance, e->intel.platform_instance_id[0] ^= 1)
SPOIL(no_instance, memset(e->intel.platform_instance_id, 0, 16))
SPOIL(intel_smt, e->intel.smt_enabled = true)
SPOIL(dynamic, e->intel.dynamic_platform = true)
SPOIL(cached, e->intel.cached_keys = true)
SPOIL(evaluation, e->intel.tcb_evaluation_number = 16)
SPOIL(qe_evaluation, e->intel.qe_evaluation_number = 16)
SPOIL(out_of_date, e->status = TCB_OUT_OF_DATE; e->advisory_count = 1;
      memcpy(e->advisories[0], "INTEL-SA-00615", 15))
SPOIL(revoked, e->status = TCB_REVOKED)
SPOIL(not_judged, e->status = TCB_NOT_JUDGED)
SPOIL(relaunch, e->status = TCB_TD_RELAUNCH_ADVISED)
SPOIL(hardening, e->status = TCB_SW_HARDENING_NEEDED; e->advisory_count = 2;
      memcpy(e->advisories[0], "INTEL-SA-00334", 15);
      memcpy(e->advisories[1], "INTEL-SA-00615", 15))
SPOIL(sgx_debug, e->debug = true)
SPOIL(sgx_debug_bit, e->sgx.attributes[0] |= 2)
SPOIL(td_debug_bit, e->td.td_attributes[0] = 1)
SPOIL(td_tud_bit, e->td.td_attributes[0] = 0x80)
SPOIL(snp_debug_bit, e->snp.policy |= 1u << 19)
SPOIL(nitro_zero, memset(e->nitro.pcr, 0, 3 * sizeof e->nitro.pcr[0]))
SPOIL(nitro_none, e->nitro.pcr_present &= ~7u)
SPOIL(other_form, e->kind = e->kind == ATTEST_SGX ? ATTEST_TDX : ATTEST_SGX)
SPOIL(simulated_root, e->simulated = !e->simulated)

/* clang-format off */
static const struct spoiled spoiled[] = {
    {"sgx", {{0}}, "measurement_mismatch", "mrenclave", mr_enclave, "aaab"},
    {"simulated", {{0}}, "measurement_mismatch", "mrenclave", mr_enclave, "aaab"},
    {"sgx", {{0}}, "report_data_mismatch", "report_data vouchsafe", binding, ""},
    {"sgx", {{0}}, "configuration_mismatch", "configid", config_id, "01"},
    {"sgx", {{"configid", B64("00")}}, "configuration_mismatch", "configid", config_id, "01"},
    {"sgx", {{"isvfamilyid", "zero"}}, "product_mismatch", "isvfamilyid", family, "01"},
    {"sgx", {{"isvextprodid", B16("11") "," "zero"}}, "product_mismatch", "isvextprodid", ext_prod, "01"},
    {"sgx", {{0}}, "attributes_not_accepted", "attributes_allowed", provision_key, "PROVISIONKEY"},
    {"sgx", {{0}}, "attributes_not_accepted", "attributes_allowed", token_key, "EINITTOKENKEY"},
    {"sgx", {{0}}, "attributes_not_accepted", "attributes_allowed", reserved_attribute, "bit63"},
    {"sgx", {{0}}, "attributes_not_accepted", "attributes_required INIT", not_init, "MODE64BIT"},
    {"sgx", {{0}}, "debug", "", sgx_debug, ""},
    {"sgx", {{0}}, "debug", "", sgx_debug_bit, ""},
    {"simulated", {{0}}, "debug", "", sgx_debug_bit, ""},
    {"sgx", {{0}}, "tee_not_accepted", "sgx", other_form, ""},
    {"sgx", {{0}}, "tee_not_accepted", "sgx", simulated_root, ""},
    {"simulated", {{0}}, "tee_not_accepted", "simulated", simulated_root, ""},
    {"sgx", {{"fmspc", "e0e0e0e0e0e0"}}, "platform_not_accepted", "fmspc", fmspc, "e0e1"},
    {"sgx", {{"platform_instance_id", B16("e1")}}, "platform_not_accepted", "platform_instance_id", instance, "e0e1"},
    {"sgx", {{"platform_instance_id", B16("e1")}}, "platform_not_accepted", "platform_instance_id", no_instance, "0000"},
    {"sgx", {{"allow_smt", "false"}}, "platform_not_accepted", "allow_smt", intel_smt, "set"},
    {"sgx", {{"allow_dynamic_platform", "false"}}, "platform_not_accepted", "allow_dynamic_platform", dynamic, "set"},
    {"tdx", {{"allow_cached_keys", "false"}}, "platform_not_accepted", "allow_cached_keys", cached, "set"},
    {"sgx", {{"min_tcb_evaluation_number", "17"}}, "tcb_evaluation_too_old", "min_tcb_evaluation_number 17", evaluation, "16"},
    {"tdx", {{"min_qe_evaluation_number", "17"}}, "qe_evaluation_too_old", "min_qe_evaluation_number 17", qe_evaluation, "16"},
    {"sgx", {{0}}, "tcb_status_not_accepted", "tcb_status UpToDate", out_of_date, "OutOfDate: INTEL-SA-00615"},
    {"tdx", {{"tcb_status", "UpToDate,SWHardeningNeeded"}, {"advisories", "INTEL-SA-00615"}}, "tcb_status_not_accepted", "UpToDate, SWHardeningNeeded", out_of_date, "OutOfDate: INTEL-SA-00615"},
    {"sgx", {{0}}, "tcb_status_not_accepted", "tcb_status", revoked, "Revoked"},
    {"sgx", {{0}}, "tcb_status_not_accepted", "tcb_status", not_judged, ""},
    {"tdx", {{0}}, "tcb_status_not_accepted", "tcb_status", relaunch, "TDRelaunchAdvised"},
    {"sgx", {{"tcb_status", "UpToDate,SWHardeningNeeded"}, {"advisories", "INTEL-SA-00334"}}, "advisory_not_accepted", "advisories INTEL-SA-00334", hardening, "INTEL-SA-00615"},
    {"sgx", {{"tcb_status", "UpToDate,SWHardeningNeeded"}, {"advisories", ""}}, "advisory_not_accepted", "advisories none", hardening, "INTEL-SA-00334, INTEL-SA-00615"},
    {"tdx", {{0}}, "measurement_mismatch", "mrtd a0a0", mr_td, "20a0"},
    {"tdx", {{0}}, "rtmr_mismatch", "rtmr0", rtmr0, "b0b1"},
    {"tdx", {{0}}, "rtmr_mismatch", "rtmr1", rtmr1, "b0b1"},
    {"tdx", {{0}}, "rtmr_mismatch", "rtmr2", rtmr2, "b3b2"},
    {"tdx", {{0}}, "rtmr_mismatch", "rtmr3", rtmr3, "b3b2"},
    {"tdx", {{"rtmr3", "zero," B48("b3") "," B48("11")}}, "rtmr_mismatch", "rtmr3 0000", rtmr3, "b3b2"},
    {"tdx", {{0}}, "configuration_mismatch", "mrconfigid 0000", mr_config, "0100"},
    {"tdx", {{0}}, "configuration_mismatch", "mrowner 0000", mr_owner, "01"},
    {"tdx", {{0}}, "configuration_mismatch", "mrownerconfig 0000", mr_owner_config, "01"},
    {"tdx", {{0}}, "configuration_mismatch", "mrservicetd 0000", service_td, "0100"},
    {"tdx", {{"mrseam", B48("5e")}}, "platform_not_accepted", "mrseam", mr_seam, "5f5e"},
    {"tdx", {{0}}, "attributes_not_accepted", "td_attributes_required SEPT_VE_DISABLE", no_sept, "none"},
    {"tdx", {{0}}, "attributes_not_accepted", "td_attributes_allowed SEPT_VE_DISABLE", migratable, "MIGRATABLE"},
    {"tdx", {{0}}, "attributes_not_accepted", "td_attributes_allowed", perfmon, "PERFMON"},
    {"tdx", {{0}}, "attributes_not_accepted", "td_attributes_allowed", reserved_td, "bit40"},
    {"tdx", {{"td_attributes_allowed", "PKS"}}, "attributes_not_accepted", "td_attributes_allowed", perfmon, "PERFMON"},
    {"tdx", {{"xfam_allowed", "X87,SSE,AVX,OPMASK,ZMM_HI256,HI16_ZMM"}}, "attributes_not_accepted", "xfam_allowed", xfam_more, "TILEDATA"},
    {"tdx", {{"xfam_required", "AVX"}}, "attributes_not_accepted", "xfam_required AVX", xfam_less, "X87, SSE"},
    {"tdx", {{0}}, "debug", "", td_debug_bit, ""},
    {"tdx", {{0}}, "debug", "", td_tud_bit, ""},
    {"tdx", {{0}}, "debug", "", sgx_debug, ""},
    {"tdx", {{0}}, "report_data_mismatch", "report_data", binding, ""},
    {"snp", {{0}}, "measurement_mismatch", "measurement", measurement, "c0c1"},
    {"snp", {{"id_key_digest", B48("c2")}}, "signer_mismatch", "id_key_digest", id_key, "c3c2"},
    {"snp", {{"author_key_digest", B48("c3")}}, "signer_mismatch", "author_key_digest", author_key, "c3c2"},
    {"snp", {{"family_id", B16("c4")}}, "product_mismatch", "family_id", family_id, "c5c4"},
    {"snp", {{"image_id", B16("c5")}}, "product_mismatch", "image_id", image_id, "c5c4"},
    {"snp", {{"min_guest_svn", "9"}}, "svn_too_low", "min_guest_svn 9", guest_svn, "8"},
    {"snp", {{0}}, "configuration_mismatch", "host_data", host_data, "01"},
    {"snp", {{0}}, "vmpl_not_accepted", "vmpl 0", vmpl1, "1"},
    {"snp", {{0}}, "vmpl_not_accepted", "vmpl 0", vmpl_huge, ""},
    {"snp", {{0}}, "guest_policy_not_accepted", "guest_policy_allowed", smt, "SMT"},
    {"snp", {{0}}, "guest_policy_not_accepted", "guest_policy_allowed", migrate_ma, "MIGRATE_MA"},
    {"snp", {{0}}, "guest_policy_not_accepted", "guest_policy_allowed", cxl, "CXL"},
    {"snp", {{0}}, "guest_policy_not_accepted", "guest_policy_allowed", reserved_policy, "bit40"},
    {"snp", {{"guest_policy_allowed", "SMT"}}, "guest_policy_not_accepted", "guest_policy_allowed SMT", cxl, "CXL"},
    {"snp", {{"guest_policy_allowed", "MIGRATE_MA"}, {"report_id_ma", B32("11")}}, "platform_not_accepted", "report_id_ma", agent, "ffff"},
    {"snp", {{"platform_info_required", "ALIAS_CHECK_COMPLETE"}}, "platform_info_not_accepted", "platform_info_required ALIAS_CHECK_COMPLETE", platform_none, "none"},
    {"snp", {{"platform_info_allowed", "ECC_EN,ALIAS_CHECK_COMPLETE"}}, "platform_info_not_accepted", "platform_info_allowed ECC_EN", platform_more, "SMT_EN"},
    {"snp", {{"min_abi", "1.51"}}, "guest_policy_not_accepted", "min_abi 1.51", abi, "1.50"},
    {"snp", {{"min_abi", "0.255"}}, "guest_policy_not_accepted", "min_abi 0.255", policy_none, "0.0"},
    {"snp", {{"min_tcb_microcode", "6"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_microcode 6", reported, "reported 5"},
    {"snp", {{"min_tcb_microcode", "6"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_microcode 6", committed, "committed 5"},
    {"snp", {{"min_tcb_microcode", "6"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_microcode 6", launch, "launch 5"},
    {"snp", {{"min_tcb_boot_loader", "3"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_boot_loader 3", boot_loader, "launch 2"},
    {"snp", {{"min_tcb_tee", "4"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_tee 4", tcb_tee, "committed 3"},
    {"snp", {{"min_tcb_snp", "1"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_snp 1", tcb_snp, "reported 0"},
    {"snp", {{"min_tcb_fmc", "7"}, {"product", "milan"}}, "tcb_too_low", "min_tcb_fmc 7", tcb_fmc, "launch 6"},
    {"snp", {{"product", "milan,turin"}}, "platform_not_accepted", "product milan, turin", genoa, "genoa"},
    {"snp", {{"chip_id", B64("c1")}}, "platform_not_accepted", "chip_id", chip, "c1c0"},
    {"snp", {{0}}, "platform_not_accepted", "csp_id", vlek, "azure"},
    {"snp", {{"csp_id", "aws,gcp"}}, "platform_not_accepted", "csp_id", vlek, "azure"},
    {"snp", {{0}}, "crl_required", "require_crl", no_crl, ""},
    {"snp", {{0}}, "debug", "", snp_debug_bit, ""},
    {"snp", {{"guest_policy_allowed", "bit40,SMT,CXL"}}, "debug", "", snp_debug_bit, ""},
    {"snp", {{0}}, "report_data_mismatch", "report_data", binding, ""},
    {"nitro", {{0}}, "measurement_mismatch", "pcr0", pcr0, "d1d0"},
    {"nitro", {{0}}, "measurement_mismatch", "pcr0", pcr0_absent, ""},
    {"nitro", {{0}}, "measurement_mismatch", "pcr0", pcr0_short, ""},
    {"nitro", {{"pcr1", B48("d1")}}, "measurement_mismatch", "pcr1", pcr1, "d0"},
    {"nitro", {{"pcr2", B48("d2")}}, "measurement_mismatch", "pcr2", pcr2, "d3d2"},
    {"nitro", {{"pcr3", B48("d3")}}, "measurement_mismatch", "pcr3", pcr3, "d2d3"},
    {"nitro", {{"pcr8", B48("d8")}}, "measurement_mismatch", "pcr8", pcr8, "d9d8"},
    {"nitro", {{"pcr15", "zero," B48("df")}}, "measurement_mismatch", "pcr15", pcr15, "dedf"},
    {"nitro", {{0}}, "document_too_old", "max_document_age_s 300", too_old, "300 seconds"},
    {"nitro", {{0}}, "document_too_old", "max_document_age_s 300", too_new, "-300 seconds"},
    {"nitro", {{0}}, "document_too_old", "max_document_age_s 300", no_time, "range"},
    {"nitro", {{0}}, "debug", "", nitro_zero, ""},
    {"nitro", {{0}}, "debug", "", nitro_none, ""},
    {"nitro", {{0}}, "debug", "", sgx_debug, ""},
    {"nitro", {{0}}, "report_data_mismatch", "report_data", binding, ""},
};
/* clang-format on */

static void every_field_denies_by_its_own_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(spoiled); i++) {
        const struct spoiled *s = &spoiled[i];
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, s->tee, s->rule);
        evidence_of(s->tee, &evidence);
        const struct appraisal_question q = question_of(&evidence);

        if (ask(&rule, &q, &denial) != ERR_NONE)
            fail_msg("case %zu is denied unspoiled: %s, %s, %s", i, denial.code, denial.expected,
                     denial.presented);
        s->spoil(&evidence);
        if (ask(&rule, &q, &denial) != ERR_DENIED)
            fail_msg("case %zu (%s) is accepted though spoiled", i, s->field);
        assert_string_equal(denial.code, s->code);
        assert_string_equal(denial.rule, "rule");
        assert_non_null(strstr(denial.expected, s->field));
        assert_non_null(strstr(denial.presented, s->presented));
        appraisal_rule_clear(&rule);
    }
}

/* Values that a rule allows or does not check are accepted. */
static const struct {
    const char *tee;
    struct rule_text rule[4];
    void (*change)(struct attest_result *e);
} opened[] = {
    {"sgx",   {{"configid", "any"}},                                                     config_id         },
    {"sgx",   {{"attributes_allowed", "MODE64BIT,PROVISIONKEY"}},                        provision_key     },
    {"sgx",   {{"attributes_allowed", "MODE64BIT,bit63"}},                               reserved_attribute},
    {"sgx",   {{"attributes_required", ""}},                                             not_init          },
    {"sgx",   {{0}},                                                                     family            },
    {"sgx",   {{0}},                                                                     fmspc             },
    {"sgx",   {{0}},                                                                     intel_smt         },
    {"sgx",   {{0}},                                                                     dynamic           },
    {"sgx",   {{0}},                                                                     evaluation        },
    {"sgx",
     {{"tcb_status", "UpToDate,SWHardeningNeeded"},
      {"advisories", "INTEL-SA-00615,INTEL-SA-00334"}},
     hardening                                                                                             },
    {"tdx",   {{"tcb_status", "TDRelaunchAdvised"}, {"advisories", ""}},                 relaunch          },
    {"tdx",   {{"rtmr0", "any"}},                                                        rtmr0             },
    {"tdx",   {{"rtmr3", "any"}},                                                        rtmr3             },
    {"tdx",   {{"mrconfigid", "any"}},                                                   mr_config         },
    {"tdx",   {{"mrowner", "any"}, {"mrownerconfig", "any"}},                            mr_owner          },
    {"tdx",   {{"td_attributes_required", ""}},                                          no_sept           },
    {"tdx",   {{"td_attributes_allowed", "PERFMON,SEPT_VE_DISABLE"}},                    perfmon           },
    {"tdx",   {{"td_attributes_allowed", "bit40"}},                                      reserved_td       },
    {"tdx",   {{0}},                                                                     xfam_more         },
    {"snp",   {{"host_data", "any"}},                                                    host_data         },
    {"snp",   {{"vmpl", "1,2"}},                                                         vmpl1             },
    {"snp",   {{"guest_policy_allowed", "SMT"}},                                         smt               },
    {"snp",   {{"guest_policy_required", "SMT"}},                                        smt               },
    {"snp",   {{"guest_policy_allowed", "MIGRATE_MA"}, {"report_id_ma", B32("ff")}},     agent             },
    {"snp",   {{"csp_id", "aws,azure"}},                                                 vlek              },
    {"snp",   {{"csp_id", "CN=cc-us-east-2.amazonaws.com"}},                             vlek_aws          },
    {"snp",   {{"require_crl", "false"}},                                                no_crl            },
    {"snp",   {{0}},                                                                     genoa             },
    {"snp",
     {{"min_tcb_boot_loader", "any"}, {"min_tcb_microcode", "6"}, {"product", "milan"}},
     boot_loader                                                                                           },
    {"snp",   {{"min_tcb_snp", "5"}, {"product", "milan"}},                              reported          },
    {"snp",   {{0}},                                                                     platform_more     },
    {"nitro", {{"pcr8", B48("d8")}, {"pcr0", NULL}},                                     pcr0              },
    {"nitro", {{"max_document_age_s", "301"}},                                           too_old           },
    {"nitro", {{0}},                                                                     pcr3              },
};

static void what_a_rule_opens_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(opened); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, opened[i].tee, opened[i].rule);
        evidence_of(opened[i].tee, &evidence);
        opened[i].change(&evidence);
        const struct appraisal_question q = question_of(&evidence);

        if (ask(&rule, &q, &denial) != ERR_NONE)
            fail_msg("case %zu is denied: %s, %s, %s", i, denial.code, denial.expected,
                     denial.presented);
        appraisal_rule_clear(&rule);
    }
}

static void identity_by_signer_needs_all_of_it(void **state)
{
    static const struct rule_text by_signer[] = {
        {"mrsigner",   B32("bb")},
        {"isvprodid",  "7"      },
        {"min_isvsvn", "5"      },
        {NULL,         NULL     }
    };
    static const struct rule_text by_id_key[] = {
        {"id_key_digest",     B48("c2")},
        {"family_id",         B16("c4")},
        {"image_id",          B16("c5")},
        {"min_guest_svn",     "9"      },
        {"min_tcb_snp",       "any"    },
        {"min_tcb_microcode", "any"    },
        {NULL,                NULL     }
    };
    static const struct {
        const char *tee;
        const struct rule_text *texts;
        void (*spoil)(struct attest_result *e);
        const char *code;
    } cases[] = {
        {"sgx",       by_signer, mr_signer, "signer_mismatch" },
        {"sgx",       by_signer, prod_id,   "product_mismatch"},
        {"simulated", by_signer, isv_svn,   "svn_too_low"     },
        {"snp",       by_id_key, id_key,    "signer_mismatch" },
        {"snp",       by_id_key, family_id, "product_mismatch"},
        {"snp",       by_id_key, image_id,  "product_mismatch"},
        {"snp",       by_id_key, guest_svn, "svn_too_low"     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct policy_fault fault;
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        assert_int_equal(rule_of(&rule, cases[i].tee, cases[i].texts, &fault), ERR_NONE);
        evidence_of(cases[i].tee, &evidence);
        const struct appraisal_question q = question_of(&evidence);

        assert_int_equal(ask(&rule, &q, &denial), ERR_NONE);
        cases[i].spoil(&evidence);
        assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
        assert_string_equal(denial.code, cases[i].code);
        appraisal_rule_clear(&rule);
    }
}

static void out_of_date_is_accepted_for_its_grace_only(void **state)
{
    static const struct rule_text late[] = {
        {"tcb_status",             "UpToDate,OutOfDate,OutOfDateConfigurationNeeded"},
        {"advisories",             "INTEL-SA-00615"                                 },
        {"out_of_date_grace_days", "30"                                             },
        {NULL,                     NULL                                             }
    };
    static const int64_t day = INT64_C(24) * 60 * 60 * 1000;
    const struct {
        enum tcb_status status;
        bool newer;
        int64_t age_ms;
        bool accepted;
    } cases[] = {
        {TCB_OUT_OF_DATE,                      true,  0,            true },
        {TCB_OUT_OF_DATE,                      true,  30 * day,     true },
        {TCB_OUT_OF_DATE,                      true,  30 * day + 1, false},
        {TCB_OUT_OF_DATE,                      true,  400 * day,    false},
        {TCB_OUT_OF_DATE,                      false, 0,            false}, /* the QE, or the module */
        {TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, true,  30 * day,     true },
        {TCB_OUT_OF_DATE_CONFIGURATION_NEEDED, true,  31 * day,     false},
        {TCB_UP_TO_DATE,                       false, 400 * day,    true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, i % 2 ? "sgx" : "tdx", late);
        evidence_of(i % 2 ? "sgx" : "tdx", &evidence);
        evidence.status = cases[i].status;
        evidence.intel.has_newer_level = cases[i].newer;
        evidence.intel.newer_level_date.ms = now.ms - cases[i].age_ms;
        const struct appraisal_question q = question_of(&evidence);

        assert_int_equal(ask(&rule, &q, &denial), cases[i].accepted ? ERR_NONE : ERR_DENIED);
        if (!cases[i].accepted)
            assert_string_equal(denial.code, "out_of_date_too_long");
        appraisal_rule_clear(&rule);
    }
}

/* A dry run judges one rule, and checks the binding only if the caller gives one. */
static void one_rule_says_how_far_it_came(void **state)
{
    struct appraisal_denial denial = {0};
    struct attest_result evidence;
    struct appraisal_rule rule;
    size_t all = 0;
    size_t passed = 0;

    (void)state;
    make_rule(&rule, "sgx", NULL);
    evidence_of("sgx", &evidence);
    struct appraisal_question q = question_of(&evidence);

    assert_true(appraise_dry(&rule, &q, &all, &denial));
    assert_true(appraise_dry(&rule, &q, NULL, &denial));
    evidence.report_data[0] ^= 1;
    assert_false(appraise_dry(&rule, &q, &passed, &denial));
    assert_string_equal(denial.code, "report_data_mismatch");
    assert_string_equal(denial.rule, rule.name);
    assert_true(passed < all);
    q.binding = NULL;
    assert_true(appraise_dry(&rule, &q, &passed, &denial));
    assert_int_equal(passed, all - 1);
    evidence.debug = true;
    assert_false(appraise_dry(&rule, &q, &passed, &denial));
    assert_string_equal(denial.code, "debug");
    assert_int_equal(passed, 0);
    appraisal_rule_clear(&rule);
}

/* ---- bindings */

static const uint8_t time_bytes[8] = {0, 0, 0, 0, 0x68, 0x4a, 0, 0};
static const struct binding request_binding = {
    .domain = REPORT_DOMAIN_DECRYPT,
    .nonce = {time_bytes,                                          sizeof time_bytes},
    .key = {(const uint8_t *)"0123456789abcdefghijklmnopqrstuv", 32               },
};

static void a_rule_takes_the_conventions_it_names(void **state)
{
    static const char *const conventions[] = {"vouchsafe", "outlayer", "dstack", "rcar"};

    (void)state;
    for (size_t made = 0; made < COUNT_OF(conventions); made++) {
        for (size_t taken = 0; taken < COUNT_OF(conventions); taken++) {
            const struct rule_text texts[] = {
                {"report_data", conventions[taken]},
                {NULL,          NULL              }
            };
            struct appraisal_denial denial = {0};
            struct attest_result evidence;
            struct appraisal_rule rule;

            make_rule(&rule, "tdx", texts);
            evidence_of("tdx", &evidence);
            assert_int_equal(binding_bytes((enum binding_convention)made, &request_binding,
                                           evidence.report_data),
                             ERR_NONE);
            struct appraisal_question q = question_of(&evidence);

            q.binding = &request_binding;
            assert_int_equal(ask(&rule, &q, &denial), made == taken ? ERR_NONE : ERR_DENIED);
            appraisal_rule_clear(&rule);
            if (made == taken)
                continue;
            assert_string_equal(denial.code, "report_data_mismatch");
            assert_non_null(strstr(denial.expected, conventions[taken]));
        }
    }
}

/* Without a nonce, an old quote would open a new session. */
static void a_key_without_a_challenge_opens_no_session(void **state)
{
    static const struct rule_text texts[] = {
        {"report_data", "outlayer"},
        {NULL,          NULL      }
    };
    struct appraisal_denial denial = {0};
    struct attest_result evidence;
    struct appraisal_rule rule;

    (void)state;
    make_rule(&rule, "sgx", texts);
    evidence_of("sgx", &evidence);
    memset(evidence.report_data, 0, sizeof evidence.report_data);
    memcpy(evidence.report_data, good_binding.key.data, good_binding.key.size);
    const struct appraisal_question q = question_of(&evidence);

    assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
    assert_string_equal(denial.code, "report_data_mismatch");
    appraisal_rule_clear(&rule);
}

static void nitro_may_bind_by_its_own_members(void **state)
{
    static const struct rule_text texts[] = {
        {"report_data", "native"},
        {NULL,          NULL    }
    };
    static const uint8_t other[32] = {9};
    const struct {
        struct span nonce, public_key;
        bool accepted;
    } cases[] = {
        {good_binding.nonce,            good_binding.key, true },
        {SPAN_OF(other),                good_binding.key, false},
        {good_binding.nonce,            SPAN_OF(other),   false},
        {{0},                           good_binding.key, false},
        {good_binding.nonce,            {0},              false},
        {span_slice(good_binding.nonce, 0,                31),   good_binding.key, false},
        {good_binding.nonce,                        span_slice(good_binding.key,                                        0,                            31), false},
        {good_binding.key,                            good_binding.nonce,  false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, "nitro", texts);
        evidence_of("nitro", &evidence);
        evidence.nitro.nonce = cases[i].nonce;
        evidence.nitro.public_key = cases[i].public_key;
        const struct appraisal_question q = question_of(&evidence);

        assert_int_equal(ask(&rule, &q, &denial), cases[i].accepted ? ERR_NONE : ERR_DENIED);
        appraisal_rule_clear(&rule);
    }
}

/* ---- events */

static void put_event(struct buffer *log, struct attest_result *evidence, const char *name,
                      const char *told_name, const char *payload, unsigned rtmr)
{
    uint8_t payload_bytes[64];
    uint8_t text[256];
    uint8_t both[96];
    uint8_t digest[48];
    char hex[97];
    struct writer w = writer_over(text, sizeof text);
    struct span measured;

    assert_int_equal(hex_read(span_string(payload), payload_bytes, strlen(payload) / 2), ERR_NONE);
    writer_u32le(&w, 0x08000001);
    writer_u8(&w, ':');
    writer_put(&w, span_string(name));
    writer_u8(&w, ':');
    writer_put(&w, span_of(payload_bytes, strlen(payload) / 2));
    assert_int_equal(writer_finish(&w, &measured), ERR_NONE);
    sha384(measured, digest);
    memcpy(both, evidence->td.rtmr[rtmr], 48);
    memcpy(both + 48, digest, 48);
    sha384(SPAN_OF(both), evidence->td.rtmr[rtmr]);
    hex_write(SPAN_OF(digest), hex);
    assert_int_equal(buffer_printf(log,
                                   "%s{\"imr\":%u,\"event_type\":134217729,\"digest\":\"%s\","
                                   "\"event\":\"%s\",\"event_payload\":\"%s\"}",
                                   log->size > 1 ? "," : "", rtmr, hex, told_name, payload),
                     ERR_NONE);
}

struct told {
    const char *name, *told, *payload;
};

MUST_CHECK static enum err ask_with_events(const char *wanted, const struct told *events,
                                           size_t count, bool other_rtmr,
                                           struct appraisal_denial *denial)
{
    const struct rule_text texts[] = {
        {"rtmr3",  NULL  },
        {"events", wanted},
        {NULL,     NULL  }
    };
    struct attest_result evidence;
    struct appraisal_rule rule;
    struct buffer log = {0};
    enum err e;

    make_rule(&rule, "tdx", texts);
    evidence_of("tdx", &evidence);
    memset(evidence.td.rtmr[3], 0, 48);
    assert_int_equal(buffer_append_string(&log, "["), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        put_event(&log, &evidence, events[i].name, events[i].told, events[i].payload, 3);
    assert_int_equal(buffer_append_string(&log, "]"), ERR_NONE);
    if (other_rtmr)
        evidence.td.rtmr[3][0] ^= 1;
    struct appraisal_question q = question_of(&evidence);

    q.event_log = buffer_span(&log);
    e = ask(&rule, &q, denial);
    buffer_clear(&log);
    appraisal_rule_clear(&rule);
    return e;
}

static void events_count_when_they_are_proved(void **state)
{
    static const struct told dstack[] = {
        {"system-preparing", "system-preparing", ""      },
        {"app-id",           "app-id",           "aabb"  },
        {"compose-hash",     "compose-hash",     "c0ffee"},
        {"system-ready",     "system-ready",     ""      },
    };
    static const struct told corrected[] = {
        {"compose-hash", "compose-hash", "badbad"},
        {"compose-hash", "compose-hash", "c0ffee"},
    };
    static const struct told hidden[] = {
        {"compose-hash", "nothing",      "badbad"},
        {"compose-hash", "compose-hash", "c0ffee"},
    };
    static const struct told lied[] = {
        {"compose-hash2", "compose-hash", "c0ffee"},
    };
    static const struct told colon[] = {
        {"compose-hash", "compose-hash", "badbad"},
        {"a:b",          "a:b",          "00"    },
    };
    static const struct {
        const char *wanted;
        const struct told *events;
        size_t count;
        bool other_rtmr;
        const char *code; /* NULL: accepted */
    } cases[] = {
        {"compose-hash=c0ffee",                     dstack,    4, false, NULL                },
        {"compose-hash=c0ffee,app-id=aabb",         dstack,    4, false, NULL                },
        {"compose-hash=c0ffee,compose-hash=badbad", dstack,    4, false, NULL                },
        {"system-ready=",                           dstack,    4, false, NULL                },
        {"compose-hash=c0ffee,compose-hash=badbad", corrected, 2, false, NULL                },
        {"compose-hash=c0ffef",                     dstack,    4, false, "event_not_accepted"},
        {"compose-hash=c0ff",                       dstack,    4, false, "event_not_accepted"},
        {"compose-hash=",                           dstack,    4, false, "event_not_accepted"},
        {"compose-hash=c0ffee,app-id=aabc",         dstack,    4, false, "event_not_accepted"},
        {"compose-hash=c0ffee,key-id=00",           dstack,    4, false, "event_not_accepted"},
        {"compose-hash=c0ffee",                     dstack,    2, false, "event_not_accepted"},
        {"compose-hash=c0ffee",                     corrected, 2, false, "event_not_accepted"},
        {"compose-hash=c0ffee",                     dstack,    4, true,  "event_log_mismatch"},
        {"compose-hash=c0ffee",                     hidden,    2, false, "event_log_mismatch"},
        {"compose-hash=c0ffee",                     lied,      1, false, "event_log_mismatch"},
        {"compose-hash=badbad",                     colon,     2, false, "event_log_mismatch"},
        {"compose-hash=c0ffee",                     dstack,    0, false, "event_not_accepted"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_denial denial = {0};
        enum err e = ask_with_events(cases[i].wanted, cases[i].events, cases[i].count,
                                     cases[i].other_rtmr, &denial);

        if ((e == ERR_NONE) != (cases[i].code == NULL))
            fail_msg("case %zu: %s %s %s", i, denial.code, denial.expected, denial.presented);
        if (cases[i].code)
            assert_string_equal(denial.code, cases[i].code);
    }
}

static void without_an_event_log_events_are_not_proved(void **state)
{
    static const struct rule_text texts[] = {
        {"rtmr3",  "any"                },
        {"events", "compose-hash=c0ffee"},
        {NULL,     NULL                 }
    };
    static const struct {
        const char *log, *code;
    } cases[] = {
        {"",   "event_log_missing" },
        {"{}", "event_log_mismatch"},
        {"[",  "event_log_mismatch"},
        {"[]", "event_log_mismatch"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, "tdx", texts);
        evidence_of("tdx", &evidence);
        struct appraisal_question q = question_of(&evidence);

        q.event_log = span_string(cases[i].log);
        assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
        assert_string_equal(denial.code, cases[i].code);
        appraisal_rule_clear(&rule);
    }
}

/* A list that does not fit ends with one mark, and is never longer. */
static void a_long_list_is_cut_with_a_mark(void **state)
{
    struct appraisal_denial denial = {0};
    struct attest_result evidence;
    struct appraisal_rule rule;
    char values[32 * 65] = "";
    char hex[66];

    (void)state;
    for (unsigned i = 1; i <= 32; i++) {
        (void)snprintf(hex, sizeof hex, "%s%064x", i > 1 ? "," : "", i);
        memcpy(values + strlen(values), hex, strlen(hex) + 1);
    }
    const struct rule_text extra[] = {
        {"mrenclave", values},
        {NULL,        NULL  }
    };

    make_rule(&rule, "sgx", extra);
    evidence_of("sgx", &evidence);
    const struct appraisal_question q = question_of(&evidence);

    assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
    const char *mark = strstr(denial.expected, ", ...");

    assert_non_null(mark);
    assert_string_equal(mark, ", ...");
    assert_true(strlen(denial.expected) > 200);
    appraisal_rule_clear(&rule);
}

/* ---- policies */

/* A rule with every switch on and every bit allowed, which no setting can make. */
static void allow_all(struct appraisal_rule *rule)
{
    for (size_t i = 0; i < POLICY_FIELD_COUNT; i++) {
        struct policy_value *value = &rule->fields[i];

        if (policy_fields[i].kind == FIELD_NAMES && strstr(policy_fields[i].key, "required"))
            value->number = 0;
        else if (policy_fields[i].kind == FIELD_NAMES && i != FIELD_ID_REPORT_DATA)
            value->number = UINT64_MAX;
        else if (policy_fields[i].kind == FIELD_BYTES_OR_ANY)
            value->any = true;
    }
    rule->fields[FIELD_ID_OUT_OF_DATE_GRACE_DAYS].stated = true;
    rule->fields[FIELD_ID_ADVISORIES].stated = true;
    /* but not these, which name no agent */
    rule->fields[FIELD_ID_TD_ATTRIBUTES_ALLOWED].number ^= 1u << 29;
    rule->fields[FIELD_ID_GUEST_POLICY_ALLOWED].number ^= 1u << 18;
}

static void set_debug_bit(struct attest_result *e)
{
    e->sgx.attributes[0] |= e->kind == ATTEST_SGX ? 2 : 0;
    e->td.td_attributes[0] |= e->kind == ATTEST_TDX ? 1 : 0;
    e->snp.policy |= e->kind == ATTEST_SNP ? 1u << 19 : 0;
    if (e->kind == ATTEST_NITRO)
        memset(e->nitro.pcr, 0, sizeof e->nitro.pcr);
}
SPOIL(debug_found, e->debug = true)
SPOIL(not_verified, e->reason = ATTEST_SIGNATURE_INVALID)

static void no_rule_lets_debug_or_revoked_or_unverified_through(void **state)
{
    static const struct {
        void (*spoil)(struct attest_result *e);
        const char *code;
    } never[] = {
        {set_debug_bit, "debug"                  },
        {debug_found,   "debug"                  },
        {revoked,       "tcb_status_not_accepted"},
        {not_verified,  "signature_invalid"      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(tees); i++) {
        for (size_t j = 0; j < COUNT_OF(never); j++) {
            struct appraisal_denial denial = {0};
            struct attest_result evidence;
            struct appraisal_rule rule;

            make_rule(&rule, tees[i], NULL);
            allow_all(&rule);
            evidence_of(tees[i], &evidence);
            struct appraisal_question q = question_of(&evidence);

            assert_int_equal(ask(&rule, &q, &denial), ERR_NONE);
            never[j].spoil(&evidence);
            assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
            assert_string_equal(denial.code, never[j].code);
            assert_string_equal(denial.rule, "rule");
            q.binding = NULL; /* nor a dry run */
            assert_false(appraise_dry(&rule, &q, NULL, &denial));
            assert_string_equal(denial.code, never[j].code);
            appraisal_rule_clear(&rule);
        }
    }
}

/* A dry run may omit the binding; a decision may not. */
static void without_a_binding_nothing_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tees); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, tees[i], NULL);
        evidence_of(tees[i], &evidence);
        struct appraisal_question q = question_of(&evidence);

        q.binding = NULL;
        assert_true(appraise_dry(&rule, &q, NULL, &denial));
        assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
        assert_string_equal(denial.code, "report_data_mismatch");
        assert_string_equal(denial.rule, "rule");
        appraisal_rule_clear(&rule);
    }
}

/* An unchecked rule without an identity accepts no evidence. */
static void a_rule_without_identity_accepts_no_evidence(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(tees); i++) {
        struct appraisal_denial denial = {0};
        struct attest_result evidence;
        struct appraisal_rule rule;

        make_rule(&rule, tees[i], NULL);
        for (size_t id = 0; id < POLICY_FIELD_COUNT; id++)
            if (policy_fields[id].kind == FIELD_IDENTITY)
                rule.fields[id] = (struct policy_value){0};
        evidence_of(tees[i], &evidence);
        const struct appraisal_question q = question_of(&evidence);

        assert_int_equal(ask(&rule, &q, &denial), ERR_DENIED);
        appraisal_rule_clear(&rule);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_rule_accepts_its_evidence_and_no_other_kind),
        cmocka_unit_test(every_field_denies_by_its_own_code),
        cmocka_unit_test(what_a_rule_opens_is_accepted),
        cmocka_unit_test(identity_by_signer_needs_all_of_it),
        cmocka_unit_test(out_of_date_is_accepted_for_its_grace_only),
        cmocka_unit_test(one_rule_says_how_far_it_came),
        cmocka_unit_test(a_rule_takes_the_conventions_it_names),
        cmocka_unit_test(a_key_without_a_challenge_opens_no_session),
        cmocka_unit_test(nitro_may_bind_by_its_own_members),
        cmocka_unit_test(events_count_when_they_are_proved),
        cmocka_unit_test(without_an_event_log_events_are_not_proved),
        cmocka_unit_test(no_rule_lets_debug_or_revoked_or_unverified_through),
        cmocka_unit_test(a_long_list_is_cut_with_a_mark),
        cmocka_unit_test(without_a_binding_nothing_is_accepted),
        cmocka_unit_test(a_rule_without_identity_accepts_no_evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
