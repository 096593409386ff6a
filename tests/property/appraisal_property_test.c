/*
 * For every field of every TEE: evidence with random values is accepted by a rule that demands
 * exactly these. If one demand is no longer met, the evidence is denied, by that field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/random.h"
#include "policy/checks.h"

enum { ROUNDS = 40, TEXT_MAX = 200 };
static const struct timestamp now = {1750000000000};
static const char *const tees[] = {"sgx", "tdx", "snp", "nitro", "simulated"};
static uint8_t nonce[32], key[32];
static const struct binding binding = {
    .domain = REPORT_DOMAIN_SESSION,
    .for_session = true,
    .nonce = {nonce, sizeof nonce},
    .key = {key,   sizeof key  },
};

static uint64_t below(uint64_t limit)
{
    uint64_t random;

    random_bytes(&random, sizeof random);
    return random % limit;
}

static uint8_t *place(struct attest_result *evidence, size_t id)
{
    return (uint8_t *)evidence + policy_fields[id].offset;
}

static bool has_field(const struct attest_result *evidence, size_t id)
{
    return policy_fields[id].tees >> evidence->kind & 1;
}

/* ---- random evidence that every rule accepts */

static void fill_sgx(struct sgx_report *sgx)
{
    random_bytes(sgx, sizeof *sgx);
    memset(sgx->attributes, 0, sizeof sgx->attributes);
    sgx->attributes[0] = 5;
}

static void fill_td(struct td_report *td)
{
    random_bytes(td, offsetof(struct td_report, is_15));
    td->is_15 = true;
    random_bytes(td->mr_service_td, sizeof td->mr_service_td);
    memset(td->td_attributes, 0, sizeof td->td_attributes);
    td->td_attributes[3] = 0x10;
    memset(td->xfam, 0, sizeof td->xfam);
    td->xfam[0] = 3;
    td->xfam[below(8)] |= (uint8_t)(1u << below(8));
}

static void fill_snp(struct snp_report *snp)
{
    random_bytes(snp->measurement, sizeof snp->measurement);
    random_bytes(snp->host_data, sizeof snp->host_data);
    random_bytes(snp->id_key_digest, sizeof snp->id_key_digest);
    random_bytes(snp->author_key_digest, sizeof snp->author_key_digest);
    random_bytes(snp->family_id, sizeof snp->family_id);
    random_bytes(snp->image_id, sizeof snp->image_id);
    random_bytes(snp->chip_id, sizeof snp->chip_id);
    random_bytes(snp->report_id_ma, sizeof snp->report_id_ma);
    snp->guest_svn = 1 + (uint32_t)below(1000);
    snp->vmpl = (uint32_t)below(4);
    snp->policy = 0x20000 | 1u << 18 | 1u << 20 | (1 + below(255)) << 8 | below(256);
    snp->platform_info = 1 + below(255);
    snp->reported_tcb = (struct snp_tcb){1, 2, 3, 4, 5};
    snp->committed_tcb = snp->launch_tcb = snp->reported_tcb;
    snp->product = (enum attest_vendor)(ATTEST_AMD_MILAN + below(3));
    snp->by_vlek = true;
    memcpy(snp->csp_id, "cloud-1", 8);
    snp->crl_checked = true;
}

static void fill_nitro(struct nitro_claims *nitro)
{
    nitro->timestamp_ms = now.ms - 100000 + (int64_t)below(200000);
    nitro->pcr_present = 0xffff;
    for (size_t i = 0; i < 16; i++) {
        nitro->pcr_size[i] = 48;
        random_bytes(nitro->pcr[i], 48);
    }
}

static void fill_intel(struct attest_result *e)
{
    random_bytes(e->intel.fmspc, sizeof e->intel.fmspc);
    random_bytes(e->intel.platform_instance_id, sizeof e->intel.platform_instance_id);
    e->intel.has_platform_instance_id = true;
    e->intel.tcb_evaluation_number = 1 + (uint32_t)below(100);
    e->intel.qe_evaluation_number = 1 + (uint32_t)below(100);
    e->intel.has_newer_level = true;
    e->intel.newer_level_date.ms = now.ms - (int64_t)30 * 24 * 60 * 60 * 1000;
    e->status = TCB_OUT_OF_DATE;
    e->advisory_count = 1;
    (void)snprintf(e->advisories[0], sizeof e->advisories[0], "INTEL-SA-%05u",
                   (unsigned)below(90000));
}

static void fill(const char *tee, struct attest_result *e)
{
    memset(e, 0, sizeof *e);
    e->tee = tee;
    e->simulated = strcmp(tee, "simulated") == 0;
    e->kind = ATTEST_SGX;
    if (!e->simulated)
        assert_int_equal(attest_tee_parse(span_string(tee), &e->kind), ERR_NONE);
    if (e->kind == ATTEST_SGX)
        fill_sgx(&e->sgx);
    else if (e->kind == ATTEST_TDX)
        fill_td(&e->td);
    else if (e->kind == ATTEST_SNP)
        fill_snp(&e->snp);
    else
        fill_nitro(&e->nitro);
    if (e->kind == ATTEST_SGX || e->kind == ATTEST_TDX)
        fill_intel(e);
    random_bytes(nonce, sizeof nonce);
    random_bytes(key, sizeof key);
    assert_int_equal(binding_bytes(BINDING_VOUCHSAFE, &binding, e->report_data), ERR_NONE);
}

/* ---- the rule that demands just that */

static uint64_t bits_of(struct attest_result *e, size_t id)
{
    uint64_t value = 0;

    if (policy_fields[id].holds == u32_listed) {
        uint32_t number;

        memcpy(&number, place(e, id), sizeof number);
        return UINT64_C(1) << number;
    }
    memcpy(&value, place(e, id), sizeof value); /* the tests run on little-endian machines */
    return value & ~policy_fields[id].names->beside;
}

MUST_CHECK static enum err set_texts(struct appraisal_rule *rule, size_t id, char *list,
                                     struct policy_fault *fault)
{
    char *texts[64];
    size_t count = 0;

    for (char *text = strsep(&list, ","); text; text = strsep(&list, ","))
        texts[count++] = *text == ' ' ? text + 1 : text;
    return appraisal_rule_set(rule, policy_fields[id].key, texts, count, fault);
}

static uint64_t number_of(struct attest_result *e, size_t id)
{
    policy_check *const holds = policy_fields[id].holds;
    uint16_t narrow;
    uint32_t wide;

    if (holds == tcb_at_least)
        return *place(e, id);
    if (holds == u32_at_least) {
        memcpy(&wide, place(e, id), sizeof wide);
        return wide;
    }
    if (holds == document_recent)
        return 100;
    if (holds == within_grace)
        return 30;
    memcpy(&narrow, place(e, id), sizeof narrow);
    return narrow;
}

/* The value for field `id` that `e` meets, and no more. */
static void demand(struct attest_result *e, size_t id, char text[TEXT_MAX])
{
    const struct policy_field *field = &policy_fields[id];

    switch (field->kind) {
    case FIELD_IDENTITY:
    case FIELD_SIGNER:
    case FIELD_BYTES:
    case FIELD_BYTES_OR_ANY:
        hex_write(span_of(place(e, id), field->size), text);
        break;
    case FIELD_NUMBER:
    case FIELD_NUMBER_OR_ANY:
        (void)snprintf(text, TEXT_MAX, "%llu", (unsigned long long)number_of(e, id));
        break;
    case FIELD_SWITCH:
        (void)snprintf(text, TEXT_MAX, "%s", field->holds == set_if_required ? "true" : "false");
        break;
    case FIELD_NAMES:
        if (id == FIELD_ID_REPORT_DATA)
            (void)snprintf(text, TEXT_MAX, "vouchsafe");
        else if (id == FIELD_ID_TCB_STATUS)
            (void)snprintf(text, TEXT_MAX, "OutOfDate");
        else
            bit_names_write(field->names, bits_of(e, id), text, TEXT_MAX);
        break;
    case FIELD_TEXTS:
        (void)snprintf(text, TEXT_MAX, "%s", (const char *)place(e, id));
        break;
    case FIELD_EVENTS:
        text[0] = '\0'; /* tests/unit/policy has them */
        break;
    case FIELD_VERSION:
        (void)snprintf(text, TEXT_MAX, "%u.%u", (unsigned)(e->snp.policy >> 8 & 0xff),
                       (unsigned)(e->snp.policy & 0xff));
        break;
    }
}

/* SGX has two ways to name code, and no rule may use both. */
static bool left_out(size_t id, bool by_signer)
{
    const bool is_signer =
        id == FIELD_ID_MRSIGNER || id == FIELD_ID_ISVPRODID || id == FIELD_ID_MIN_ISVSVN;

    return id == FIELD_ID_EVENTS || (by_signer ? id == FIELD_ID_MRENCLAVE : is_signer);
}

static void make_rule(struct attest_result *e, bool by_signer, struct appraisal_rule *rule)
{
    struct policy_fault fault = {0};
    char text[TEXT_MAX];
    enum err error = appraisal_rule_start(rule, "rule", e->tee, &fault);

    for (size_t id = 0; id < POLICY_FIELD_COUNT && error == ERR_NONE; id++) {
        if (!has_field(e, id) || left_out(id, by_signer))
            continue;
        demand(e, id, text);
        error = set_texts(rule, id, text, &fault);
    }
    if (error == ERR_NONE)
        error = appraisal_rule_finish(rule, &fault);
    if (error != ERR_NONE)
        fail_msg("%s: %s: %s", e->tee, fault.key, fault.text);
}

/* ---- no longer met */

static void spoil_bits(struct attest_result *e, size_t id)
{
    const struct policy_field *field = &policy_fields[id];
    const bool required = field->holds == le_bits_required || field->holds == u64_bits_required;
    uint64_t value;
    uint64_t bit;

    memcpy(&value, place(e, id), sizeof value);
    do
        bit = UINT64_C(1) << below(64);
    while ((field->names->beside & bit) || (field->names->never & bit) ||
           ((value & bit) != 0) != required);
    value ^= bit;
    memcpy(place(e, id), &value, sizeof value);
}

static void spoil_number(struct attest_result *e, size_t id)
{
    policy_check *const holds = policy_fields[id].holds;

    if (holds == document_recent)
        e->nitro.timestamp_ms = now.ms + (below(2) ? 1 : -1) * (int64_t)(100001 + below(1000000));
    else if (holds == within_grace)
        e->intel.newer_level_date.ms -= 1 + (int64_t)below(1000000);
    else if (holds == tcb_at_least) {
        struct snp_tcb *const versions[] = {&e->snp.reported_tcb, &e->snp.committed_tcb,
                                            &e->snp.launch_tcb};
        size_t component =
            policy_fields[id].offset - offsetof(struct attest_result, snp.reported_tcb);

        ((uint8_t *)versions[below(3)])[component]--;
    } else if (holds == u32_at_least) {
        uint32_t value;

        memcpy(&value, place(e, id), sizeof value);
        value--;
        memcpy(place(e, id), &value, sizeof value);
    } else {
        uint16_t value;

        memcpy(&value, place(e, id), sizeof value);
        value = (uint16_t)(holds == u16_equal ? value ^ 1u << below(16) : value - 1u);
        memcpy(place(e, id), &value, sizeof value);
    }
}

static void spoil(struct attest_result *e, size_t id)
{
    const struct policy_field *field = &policy_fields[id];

    switch (field->kind) {
    case FIELD_IDENTITY:
    case FIELD_SIGNER:
    case FIELD_BYTES:
    case FIELD_BYTES_OR_ANY:
        place(e, id)[below(field->size)] ^= (uint8_t)(1u << below(8));
        break;
    case FIELD_NUMBER:
    case FIELD_NUMBER_OR_ANY:
        spoil_number(e, id);
        break;
    case FIELD_SWITCH:
        *place(e, id) ^= 1;
        break;
    case FIELD_NAMES:
        if (id == FIELD_ID_REPORT_DATA)
            e->report_data[below(64)] ^= (uint8_t)(1u << below(8));
        else if (id == FIELD_ID_TCB_STATUS)
            e->status = TCB_CONFIGURATION_NEEDED;
        else if (id == FIELD_ID_VMPL)
            e->snp.vmpl ^= 1;
        else if (id == FIELD_ID_PRODUCT)
            e->snp.product =
                e->snp.product == ATTEST_AMD_TURIN ? ATTEST_AMD_MILAN : ATTEST_AMD_TURIN;
        else
            spoil_bits(e, id);
        break;
    case FIELD_TEXTS:
        place(e, id)[5] ^= 1;
        break;
    case FIELD_EVENTS:
        break;
    case FIELD_VERSION:
        e->snp.policy -= 0x100;
        break;
    }
}

MUST_CHECK static enum err ask(const struct appraisal_rule *rule, const struct attest_result *e,
                               struct appraisal_denial *denial)
{
    const struct appraisal_question q = {.evidence = e, .binding = &binding, .now = now};

    return appraise(rule, &q, NULL, denial);
}

static void check_tee(const char *tee, bool by_signer)
{
    struct appraisal_denial denial = {0};
    struct attest_result evidence;
    struct appraisal_rule rule;

    fill(tee, &evidence);
    if (evidence.kind == ATTEST_SGX && evidence.sgx.isv_svn == 0)
        evidence.sgx.isv_svn = 1;
    make_rule(&evidence, by_signer, &rule);
    if (ask(&rule, &evidence, &denial) != ERR_NONE)
        fail_msg("%s: denied unspoiled: %s, %s, %s", tee, denial.code, denial.expected,
                 denial.presented);
    for (size_t id = 0; id < POLICY_FIELD_COUNT; id++) {
        struct attest_result spoiled = evidence;

        if (!has_field(&evidence, id) || left_out(id, by_signer))
            continue;
        spoil(&spoiled, id);
        if (ask(&rule, &spoiled, &denial) != ERR_DENIED)
            fail_msg("%s: accepted though %s is not met", tee, policy_fields[id].key);
        if (strcmp(denial.code, policy_fields[id].code) != 0)
            fail_msg("%s: %s is not met, but %s: %s", tee, policy_fields[id].key, denial.code,
                     denial.expected);
    }
    appraisal_rule_clear(&rule);
}

static void every_demand_counts(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < COUNT_OF(tees); i++)
            check_tee(tees[i], round % 2 == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_demand_counts),
    };

    if (crypto_start() != ERR_NONE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
