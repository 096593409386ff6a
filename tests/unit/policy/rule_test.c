/* Rules that can never be right are refused, and the refusal names the field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/evidence_fields.h"
#include "policy/policy_file.h"
#include "rules.h"

#define X8(x) x x x x x x x x
#define B16(x) X8(x x)
#define B32(x) X8(x x) X8(x x)
#define B48(x) B32(x) X8(x x)

#define ANY_TCB                                                                                    \
    {"min_tcb_snp", "any"},                                                                        \
    {                                                                                              \
        "min_tcb_microcode", "any"                                                                 \
    }

enum { TEXTS_MAX = 8 };

/* clang-format off */
static const struct {
    const char *tee;
    struct rule_text texts[TEXTS_MAX];
    const char *key;
} wrong[] = {
    {"", {{0}}, "tee"}, {"SGX", {{0}}, "tee"}, {"sev", {{0}}, "tee"}, {"any", {{0}}, "tee"},
    {"arm-cca", {{0}}, "tee"}, {"azure-hcl", {{0}}, "tee"},
    /* no identity, half of one, two */
    {"sgx", {{0}}, "mrenclave"}, {"simulated", {{0}}, "mrenclave"}, {"tdx", {{0}}, "mrtd"},
    {"snp", {{0}}, "measurement"}, {"nitro", {{0}}, "pcr0"},
    {"sgx", {{"mrsigner", B32("bb")}}, "mrsigner"},
    {"sgx", {{"mrsigner", B32("bb")}, {"isvprodid", "1"}}, "mrsigner"},
    {"sgx", {{"mrsigner", B32("bb")}, {"min_isvsvn", "1"}}, "mrsigner"},
    {"sgx", {{"isvprodid", "1"}, {"min_isvsvn", "1"}}, "mrsigner"},
    {"sgx", {{"mrenclave", B32("aa")}, {"min_isvsvn", "1"}}, "mrsigner"},
    {"sgx", {{"mrenclave", B32("aa")}, {"mrsigner", B32("bb")}, {"isvprodid", "1"}, {"min_isvsvn", "1"}}, "mrsigner"},
    {"tdx", {{"mrtd", B48("a0")}}, "rtmr0"},
    {"tdx", {{"mrtd", B48("a0")}, {"rtmr0", "any"}, {"rtmr2", "any"}, {"rtmr3", "any"}}, "rtmr1"},
    {"tdx", {{"mrtd", B48("a0")}, {"rtmr0", "any"}, {"rtmr1", "any"}, {"rtmr2", "any"}}, "rtmr3"},
    {"tdx", {{"rtmr0", "any"}, {"rtmr1", "any"}, {"rtmr2", "any"}, {"rtmr3", "any"}}, "mrtd"},
    {"tdx", {{"mrtd", "any"}}, "mrtd"}, {"tdx", {{"mrtd", "zero"}}, "mrtd"}, {"tdx", {{"mrtd", B48("00")}}, "mrtd"},
    {"snp", {{"id_key_digest", B48("c2")}}, "id_key_digest"},
    {"snp", {{"author_key_digest", B48("c2")}, {"family_id", "zero"}, {"image_id", "zero"}}, "id_key_digest"},
    {"snp", {{"id_key_digest", B48("c2")}, {"family_id", "zero"}, {"min_guest_svn", "0"}}, "id_key_digest"},
    {"snp", {{"host_data", B32("01")}}, "measurement"},
    {"snp", {{"measurement", B48("00")}}, "measurement"}, {"snp", {{"measurement", "any"}}, "measurement"},
    {"nitro", {{"pcr1", B48("d1")}, {"pcr2", B48("d2")}}, "pcr0"},
    {"nitro", {{"pcr0", B48("00")}}, "pcr0"}, {"nitro", {{"pcr0", "zero"}}, "pcr0"}, {"nitro", {{"pcr8", "zero"}}, "pcr8"},
    /* fields of another TEE */
    {"sgx", {{"mrtd", B48("a0")}}, "mrtd"}, {"sgx", {{"pcr0", B48("d0")}}, "pcr0"}, {"sgx", {{"vmpl", "0"}}, "vmpl"},
    {"tdx", {{"mrenclave", B32("aa")}}, "mrenclave"}, {"tdx", {{"attributes_allowed", "INIT"}}, "attributes_allowed"},
    {"snp", {{"tcb_status", "UpToDate"}}, "tcb_status"}, {"snp", {{"rtmr0", "any"}}, "rtmr0"}, {"snp", {{"fmspc", "000000000001"}}, "fmspc"},
    {"nitro", {{"advisories", ""}}, "advisories"}, {"nitro", {{"measurement", B48("c0")}}, "measurement"},
    {"simulated", {{"mrtd", B48("a0")}}, "mrtd"}, {"simulated", {{"pcr0", B48("a0")}}, "pcr0"},
    {"sgx", {{"nothing", "1"}}, "nothing"}, {"sgx", {{"", "1"}}, ""},
    /* values */
    {"sgx", {{"mrenclave", ""}}, "mrenclave"}, {"sgx", {{"mrenclave", "aa"}}, "mrenclave"}, {"sgx", {{"mrenclave", B48("aa")}}, "mrenclave"},
    {"sgx", {{"mrenclave", B32("AA")}}, "mrenclave"}, {"sgx", {{"mrenclave", B32("gg")}}, "mrenclave"},
    {"sgx", {{"mrenclave", B32("aa") "," B32("aa")}}, "mrenclave"}, {"sgx", {{"mrenclave", "zero"}}, "mrenclave"},
    {"sgx", {{"mrenclave", B32("aa")}, {"mrenclave", B32("ab")}}, "mrenclave"},
    {"sgx", {{"mrsigner", B32("bb") "," B32("bc")}}, "mrsigner"}, {"sgx", {{"mrsigner", "zero"}}, "mrsigner"},
    {"sgx", {{"isvprodid", "65536"}}, "isvprodid"}, {"sgx", {{"isvprodid", "-1"}}, "isvprodid"}, {"sgx", {{"isvprodid", "01"}}, "isvprodid"},
    {"sgx", {{"isvprodid", "0x1"}}, "isvprodid"}, {"sgx", {{"isvprodid", "1.0"}}, "isvprodid"}, {"sgx", {{"isvprodid", " 1"}}, "isvprodid"},
    {"sgx", {{"isvprodid", "99999999999999999999"}}, "isvprodid"}, {"sgx", {{"isvprodid", "1,2"}}, "isvprodid"},
    {"sgx", {{"configid", "any,zero"}}, "configid"}, {"sgx", {{"configid", "any,any"}}, "configid"}, {"sgx", {{"configid", ""}}, "configid"},
    {"sgx", {{"isvfamilyid", "any"}}, "isvfamilyid"},
    {"sgx", {{"attributes_allowed", "DEBUG"}}, "attributes_allowed"}, {"sgx", {{"attributes_allowed", "bit1"}}, "attributes_allowed"},
    {"sgx", {{"attributes_allowed", "INIT,INIT"}}, "attributes_allowed"}, {"sgx", {{"attributes_allowed", "init"}}, "attributes_allowed"},
    {"sgx", {{"attributes_allowed", "bit0"}}, "attributes_allowed"}, {"sgx", {{"attributes_allowed", "bit64"}}, "attributes_allowed"},
    {"sgx", {{"attributes_allowed", "bit063"}}, "attributes_allowed"}, {"sgx", {{"attributes_allowed", "bit"}}, "attributes_allowed"},
    {"tdx", {{"td_attributes_allowed", "DEBUG"}}, "td_attributes_allowed"}, {"tdx", {{"td_attributes_allowed", "bit7"}}, "td_attributes_allowed"},
    {"tdx", {{"td_attributes_required", "bit3"}}, "td_attributes_required"},
    {"tdx", {{"events", ""}}, "events"}, {"tdx", {{"events", "app-id"}}, "events"}, {"tdx", {{"events", "=00"}}, "events"},
    {"tdx", {{"events", "app-id=0"}}, "events"}, {"tdx", {{"events", "app-id=0G"}}, "events"}, {"tdx", {{"events", "app-id=AA"}}, "events"},
    {"tdx", {{"events", "app id=00"}}, "events"}, {"tdx", {{"events", "a:b=00"}}, "events"}, {"tdx", {{"events", "a=00,a=00"}}, "events"},
    {"snp", {{"vmpl", "4"}}, "vmpl"}, {"snp", {{"vmpl", ""}}, "vmpl"}, {"snp", {{"vmpl", "00"}}, "vmpl"}, {"snp", {{"vmpl", "0,0"}}, "vmpl"},
    {"snp", {{"guest_policy_allowed", "DEBUG"}}, "guest_policy_allowed"}, {"snp", {{"guest_policy_required", "bit19"}}, "guest_policy_required"},
    {"snp", {{"guest_policy_allowed", "bit17"}}, "guest_policy_allowed"}, {"snp", {{"guest_policy_allowed", "bit0"}}, "guest_policy_allowed"},
    {"snp", {{"min_abi", "1"}}, "min_abi"}, {"snp", {{"min_abi", "1.256"}}, "min_abi"}, {"snp", {{"min_abi", "256.0"}}, "min_abi"},
    {"snp", {{"min_abi", ".5"}}, "min_abi"}, {"snp", {{"min_abi", "1."}}, "min_abi"}, {"snp", {{"min_abi", "1.5.1"}}, "min_abi"}, {"snp", {{"min_abi", "01.5"}}, "min_abi"},
    {"snp", {{"min_tcb_snp", "256"}}, "min_tcb_snp"}, {"snp", {{"product", "naples"}}, "product"}, {"snp", {{"product", "Milan"}}, "product"},
    {"snp", {{"require_crl", "yes"}}, "require_crl"}, {"snp", {{"require_crl", ""}}, "require_crl"}, {"snp", {{"require_crl", "True"}}, "require_crl"},
    {"snp", {{"csp_id", ""}}, "csp_id"}, {"snp", {{"csp_id", "a b"}}, "csp_id"}, {"snp", {{"chip_id", "zero"}}, "chip_id"},
    {"nitro", {{"max_document_age_s", "0"}}, "max_document_age_s"}, {"nitro", {{"max_document_age_s", "10801"}}, "max_document_age_s"},
    {"sgx", {{"tcb_status", "Revoked"}}, "tcb_status"}, {"sgx", {{"tcb_status", "UpToDate,Revoked"}}, "tcb_status"},
    {"sgx", {{"tcb_status", ""}}, "tcb_status"}, {"sgx", {{"tcb_status", "uptodate"}}, "tcb_status"}, {"sgx", {{"tcb_status", "UpToDate,UpToDate"}}, "tcb_status"},
    {"sgx", {{"advisories", "INTEL-SA-00615-00615-00615"}}, "advisories"}, {"sgx", {{"advisories", "INTEL SA"}}, "advisories"},
    {"sgx", {{"advisories", "INTEL-SA-00615,INTEL-SA-00615"}}, "advisories"},
    {"sgx", {{"out_of_date_grace_days", "0"}}, "out_of_date_grace_days"},
    {"sgx", {{"report_data", "none"}}, "report_data"}, {"sgx", {{"report_data", ""}}, "report_data"}, {"sgx", {{"report_data", "any"}}, "report_data"},
    /* values that need another value */
    {"sgx", {{"mrenclave", B32("aa")}, {"tcb_status", "SWHardeningNeeded"}}, "advisories"},
    {"sgx", {{"mrenclave", B32("aa")}, {"tcb_status", "TDRelaunchAdvised"}}, "advisories"},
    {"sgx", {{"mrenclave", B32("aa")}, {"tcb_status", "OutOfDate"}, {"advisories", ""}}, "out_of_date_grace_days"},
    {"sgx", {{"mrenclave", B32("aa")}, {"tcb_status", "OutOfDateConfigurationNeeded"}, {"advisories", ""}}, "out_of_date_grace_days"},
    {"sgx", {{"mrenclave", B32("aa")}, {"tcb_status", "OutOfDate"}, {"out_of_date_grace_days", "5"}}, "advisories"},
    {"sgx", {{"mrenclave", B32("aa")}, {"out_of_date_grace_days", "5"}}, "out_of_date_grace_days"},
    {"sgx", {{"mrenclave", B32("aa")}, {"report_data", "native"}}, "report_data"},
    {"snp", {{"measurement", B48("c0")}, {"guest_policy_allowed", "MIGRATE_MA"}}, "report_id_ma"},
    {"snp", {{"measurement", B48("c0")}, {"guest_policy_required", "MIGRATE_MA"}}, "report_id_ma"},
    {"snp", {{"measurement", B48("c0")}, ANY_TCB, {"report_data", "vouchsafe,native"}}, "report_data"},
    /* SNP: minimums are required, for the right product */
    {"snp", {{"measurement", B48("c0")}}, "min_tcb_snp"},
    {"snp", {{"measurement", B48("c0")}, {"product", "milan"}, {"min_tcb_snp", "22"}}, "min_tcb_microcode"},
    {"snp", {{"measurement", B48("c0")}, {"product", "milan"}, {"min_tcb_microcode", "213"}}, "min_tcb_snp"},
    {"snp", {{"measurement", B48("c0")}, {"min_tcb_snp", "any"}}, "min_tcb_microcode"},
    {"snp", {{"id_key_digest", B48("c2")}, {"family_id", "zero"}, {"image_id", "zero"}, {"min_guest_svn", "1"}}, "min_tcb_snp"},
    {"snp", {{"measurement", B48("c0")}, {"min_tcb_snp", "22"}, {"min_tcb_microcode", "213"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, {"min_tcb_snp", "any"}, {"min_tcb_microcode", "213"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, {"min_tcb_snp", "22"}, {"min_tcb_microcode", "any"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, {"product", "milan,genoa"}, {"min_tcb_snp", "22"}, {"min_tcb_microcode", "213"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, ANY_TCB, {"min_tcb_boot_loader", "0"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, ANY_TCB, {"min_tcb_tee", "1"}}, "product"},
    {"snp", {{"measurement", B48("c0")}, ANY_TCB, {"min_tcb_fmc", "1"}}, "product"},
    {"snp", {{"min_abi", "12345678.1"}}, "min_abi"}, {"snp", {{"min_abi", "1234567.1"}}, "min_abi"},
    {"snp", {{"min_tcb_snp", "Any"}}, "min_tcb_snp"}, {"snp", {{"min_tcb_snp", "any,any"}}, "min_tcb_snp"}, {"snp", {{"min_tcb_snp", "any,1"}}, "min_tcb_snp"},
    {"snp", {{"min_tcb_microcode", ""}}, "min_tcb_microcode"}, {"snp", {{"min_guest_svn", "any"}}, "min_guest_svn"},
    {"tdx", {{"mrtd", B48("a0")}, {"rtmr0", "any"}, {"rtmr1", "any"}, {"rtmr2", "any"}, {"rtmr3", "any"}, {"td_attributes_allowed", "MIGRATABLE"}}, "mrservicetd"},
    {"tdx", {{"mrtd", B48("a0")}, {"rtmr0", "any"}, {"rtmr1", "any"}, {"rtmr2", "any"}, {"rtmr3", "any"}, {"td_attributes_required", "MIGRATABLE"}, {"mrservicetd", "zero"}}, "mrservicetd"},
};
/* clang-format on */

static void rules_that_cannot_be_right_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct policy_fault fault = {0};
        struct appraisal_rule rule;

        if (rule_of(&rule, wrong[i].tee, wrong[i].texts, &fault) != ERR_CONFIG)
            fail_msg("case %zu (%s) is accepted", i, wrong[i].key);
        if (strcmp(fault.key, wrong[i].key) != 0)
            fail_msg("case %zu: %s is blamed: %s", i, fault.key, fault.text);
        assert_true(strlen(fault.text) > 10 && strlen(fault.text) < sizeof fault.text - 1);
        appraisal_rule_clear(&rule);
    }
}

/* Every field belongs to some TEE and is refused for every other. */
static void every_field_is_refused_for_other_tees(void **state)
{
    static const char *const tees[] = {"sgx", "tdx", "snp", "nitro", "simulated"};
    char one[] = "1";
    char *const texts[] = {one};

    (void)state;
    for (size_t id = 0; id < POLICY_FIELD_COUNT; id++) {
        assert_ptr_equal(policy_field_find(policy_fields[id].key), &policy_fields[id]);
        for (size_t i = 0; i < COUNT_OF(tees); i++) {
            struct policy_fault fault = {0};
            struct appraisal_rule rule;

            assert_int_equal(appraisal_rule_start(&rule, "rule", tees[i], &fault), ERR_NONE);
            if (policy_fields[id].tees >> rule.kind & 1)
                continue; /* nothing is set yet, so there is nothing to clear */
            assert_int_equal(appraisal_rule_set(&rule, policy_fields[id].key, texts, 1, &fault),
                             ERR_CONFIG);
            assert_non_null(strstr(fault.text, tees[i]));
            assert_false(rule.fields[id].given);
            appraisal_rule_clear(&rule);
        }
    }
}

static void the_types_of_evidence_are_those_of_one_table(void **state)
{
    static const char *const others[] = {"", "sev", "SGX", "none", "arm-cca", "simulate"};
    size_t count = 0;

    (void)state;
    for (; policy_tees[count].name; count++) {
        const char *name = policy_tees[count].name;
        struct policy_fault fault = {0};
        struct appraisal_rule rule;
        enum attest_tee tee;

        assert_int_equal(attest_type_parse(span_string(name), &tee), ERR_NONE);
        assert_int_equal(appraisal_rule_start(&rule, "rule", name, &fault), ERR_NONE);
        assert_int_equal(rule.kind, tee);
        assert_string_equal(attest_type_name(tee, strcmp(name, "simulated") == 0), name);
    }
    assert_int_equal(count, 5);
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct policy_fault fault = {0};
        struct appraisal_rule rule;

        assert_int_equal(appraisal_rule_start(&rule, "rule", others[i], &fault), ERR_CONFIG);
        assert_string_equal(fault.key, "tee");
    }
}

static bool is_bytes(const struct policy_field *field)
{
    return field->kind == FIELD_IDENTITY || field->kind == FIELD_SIGNER ||
           field->kind == FIELD_BYTES || field->kind == FIELD_BYTES_OR_ANY;
}

/* A policy names a field of a report as the client and replies do, and looks at the same bytes. */
static void policies_name_fields_as_evidence_does(void **state)
{
    size_t same = 0;

    (void)state;
    for (size_t id = 0; id < POLICY_FIELD_COUNT; id++) {
        const struct policy_field *field = &policy_fields[id];

        for (size_t i = 0; i < evidence_field_count; i++) {
            const struct evidence_field *of = &evidence_fields[i];
            const bool named = strcmp(of->name, field->key) == 0;

            if ((field->tees >> of->kind & 1) == 0 || strcmp(of->name, "report_data") == 0)
                continue;
            if (is_bytes(field) && (named || of->offset == field->offset)) {
                assert_string_equal(of->name, field->key);
                assert_int_equal(of->offset, field->offset);
                assert_int_equal(of->size, field->size);
                assert_int_equal(of->form, EVIDENCE_BYTES);
                same++;
            } else if (named) {
                assert_int_equal(of->offset, field->offset);
            }
        }
    }
    assert_int_equal(same, 23); /* all that list bytes of a report */
}

static void names_have_a_limit(void **state)
{
    char name[POLICY_NAME_MAX + 2];
    struct policy_fault fault = {0};
    struct appraisal_rule rule;

    (void)state;
    memset(name, 'n', sizeof name);
    name[POLICY_NAME_MAX] = '\0';
    assert_int_equal(appraisal_rule_start(&rule, name, "sgx", &fault), ERR_NONE);
    name[POLICY_NAME_MAX] = 'n';
    name[POLICY_NAME_MAX + 1] = '\0';
    assert_int_equal(appraisal_rule_start(&rule, name, "sgx", &fault), ERR_CONFIG);
    assert_int_equal(appraisal_rule_start(&rule, "", "sgx", &fault), ERR_CONFIG);
    appraisal_rule_clear(&rule);
}

static void lists_have_a_limit(void **state)
{
    char texts[POLICY_LIST_MAX + 1][65];
    char *list[POLICY_LIST_MAX + 1];
    struct policy_fault fault = {0};
    struct appraisal_rule rule;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%064zx", i + 1);
        list[i] = texts[i];
    }
    assert_int_equal(appraisal_rule_start(&rule, "rule", "sgx", &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_set(&rule, "mrenclave", list, POLICY_LIST_MAX + 1, &fault),
                     ERR_CONFIG);
    assert_int_equal(appraisal_rule_start(&rule, "rule", "sgx", &fault), ERR_NONE);
    assert_int_equal(appraisal_rule_set(&rule, "mrenclave", list, POLICY_LIST_MAX, &fault),
                     ERR_NONE);
    assert_int_equal(appraisal_rule_finish(&rule, &fault), ERR_NONE);
    assert_int_equal(policy_value_at(&rule, FIELD_ID_MRENCLAVE, 31).data[31], 32);
    appraisal_rule_clear(&rule);
}

static void the_values_of_one_rule_have_a_limit(void **state)
{
    static const char *const keys[] = {"pcr0", "pcr1", "pcr2", "pcr3", "pcr4",
                                       "pcr5", "pcr6", "pcr7", "pcr8", "pcr9"};
    char texts[POLICY_LIST_MAX][97];
    char *list[POLICY_LIST_MAX];
    struct policy_fault fault = {0};
    struct appraisal_rule rule;
    enum err e = ERR_NONE;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        (void)snprintf(texts[i], sizeof texts[i], "%096zx", i + 1);
        list[i] = texts[i];
    }
    assert_int_equal(appraisal_rule_start(&rule, "rule", "nitro", &fault), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(keys) && e == ERR_NONE; i++) {
        e = appraisal_rule_set(&rule, keys[i], list, COUNT_OF(list), &fault);
        assert_int_equal(e, i < 8 ? ERR_NONE : ERR_CONFIG); /* 8 x 32 x 48 bytes fit exactly */
    }
    assert_non_null(strstr(fault.text, "two policies"));
    assert_int_equal(rule.values.size, POLICY_VALUES_MAX);
    for (enum policy_field_id id = FIELD_ID_PCR0; id <= FIELD_ID_PCR7; id++)
        for (size_t i = 0; i < COUNT_OF(list); i++) {
            struct span value = policy_value_at(&rule, id, i);

            assert_int_equal(value.size, 48);
            assert_int_equal(value.data[47], i + 1);
        }
    assert_int_equal(appraisal_rule_finish(&rule, &fault), ERR_NONE);
    appraisal_rule_clear(&rule);
}

/* The values take as much memory as they need: a small rule is much smaller than the largest. */
static void the_memory_of_a_rule_follows_its_values(void **state)
{
    static const char *const tees[] = {"sgx", "tdx", "snp", "nitro", "simulated"};

    (void)state;
    assert_true(sizeof(struct appraisal_rule) <= 1536);
    for (size_t i = 0; i < COUNT_OF(tees); i++) {
        struct policy_fault fault = {0};
        struct appraisal_rule rule, copy;

        assert_int_equal(rule_of(&rule, tees[i], least_rule(tees[i]), &fault), ERR_NONE);
        assert_true(rule.values.size > 0);
        assert_true(rule.values.capacity < 2 * rule.values.size + 64);
        assert_true(sizeof rule + rule.values.capacity <= 2048);
        assert_int_equal(appraisal_rule_copy(&rule, &copy), ERR_NONE);
        assert_ptr_not_equal(copy.values.data, rule.values.data);
        appraisal_rule_clear(&rule);
        assert_null(rule.values.data);
        assert_int_equal(appraisal_rule_check(&copy, &fault), ERR_NONE);
        assert_true(sizeof copy + copy.values.capacity <= 2048);
        appraisal_rule_clear(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_that_cannot_be_right_are_refused),
        cmocka_unit_test(every_field_is_refused_for_other_tees),
        cmocka_unit_test(the_types_of_evidence_are_those_of_one_table),
        cmocka_unit_test(policies_name_fields_as_evidence_does),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test(lists_have_a_limit),
        cmocka_unit_test(the_values_of_one_rule_have_a_limit),
        cmocka_unit_test(the_memory_of_a_rule_follows_its_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
