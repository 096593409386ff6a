/*
 * The fields of a result, by their names in the vectors' index. The fields of a report come from
 * the table in attest/evidence_fields.h; a field that is derived has a function here.
 */
#include <stdio.h>
#include <string.h>

#include "attest/arm.h"
#include "attest/azure_hcl.h"
#include "attest/evidence_fields.h"
#include "client/attest.h"

struct field_row {
    const char *name;
    enum vs_field_kind kind;
    size_t offset, size; /* in struct attest_result; of a number 1, 2, 4 or 8 */
};

#define ROW(name, kind, member)                                                                    \
    {                                                                                              \
        name, kind, offsetof(struct attest_result, member),                                        \
            sizeof(((struct attest_result *)NULL)->member)                                         \
    }
#define HEX(name, member) ROW(name, VS_FIELD_HEX, member)
#define NUMBER(name, member) ROW(name, VS_FIELD_NUMBER, member)

static const struct field_row intel_rows[] = {
    HEX("fmspc", intel.fmspc),
    HEX("pceid", intel.pce_id),
    NUMBER("platform_level_index", intel.platform_level),
    NUMBER("tcb_evaluation_number", intel.tcb_evaluation_number),
    NUMBER("qe_evaluation_number", intel.qe_evaluation_number),
};

static struct vs_field *next_field(struct vs_result *r, enum vs_field_kind kind, const char *name)
{
    struct vs_field *f = &r->fields[r->field_count];

    if (r->field_count + 1 == COUNT_OF(r->fields))
        return f; /* further fields would overwrite the last one */
    r->field_count++;
    *f = (struct vs_field){.kind = kind};
    (void)snprintf(f->name, sizeof f->name, "%s", name);
    return f;
}

static void put_span(struct vs_result *r, enum vs_field_kind kind, const char *name, struct span s)
{
    struct vs_field *f = next_field(r, s.data == NULL ? VS_FIELD_NULL : kind, name);

    f->bytes = (struct vs_bytes){s.data, s.size};
}

static void put_number(struct vs_result *r, enum vs_field_kind kind, const char *name,
                       uint64_t value)
{
    next_field(r, kind, name)->number = value;
}

static char printable(uint8_t c)
{
    return (char)(c >= 0x20 && c < 0x7f ? c : '?');
}

/*
 * Copies the text, terminated; a long one is cut. It goes to terminals and logs and may come from
 * an attacker, so only printable characters stay.
 */
static void put_text(struct vs_result *r, const char *name, struct span text)
{
    const size_t room = sizeof r->text - r->text_used;
    char *copy = r->text + r->text_used;
    size_t size = 0;

    if (text.data == NULL || room == 0) {
        put_span(r, VS_FIELD_TEXT, name, (struct span){0});
        return;
    }
    for (; size < text.size && size + 1 < room; size++)
        copy[size] = printable(text.data[size]);
    copy[size] = '\0';
    r->text_used += size + 1;
    put_span(r, VS_FIELD_TEXT, name, span_of(copy, size));
}

static uint64_t number_at(const uint8_t *at, size_t size)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;

    switch (size) {
    case 1:
        return *at;
    case 2:
        memcpy(&two, at, sizeof two);
        return two;
    case 4:
        memcpy(&four, at, sizeof four);
        return four;
    default:
        memcpy(&eight, at, sizeof eight);
        return eight;
    }
}

static void put_rows(struct vs_result *r, const struct field_row *rows, size_t count)
{
    const uint8_t *base = (const uint8_t *)&r->verified;

    for (size_t i = 0; i < count; i++) {
        const uint8_t *at = base + rows[i].offset;

        if (rows[i].kind == VS_FIELD_HEX)
            put_span(r, VS_FIELD_HEX, rows[i].name, span_of(at, rows[i].size));
        else
            put_number(r, rows[i].kind, rows[i].name, number_at(at, rows[i].size));
    }
}

/* The fields of the report: "report." and their names. */
static void put_report(struct vs_result *r)
{
    char name[sizeof((struct vs_field *)NULL)->name];

    for (size_t i = 0; i < evidence_field_count; i++) {
        const struct evidence_field *field = &evidence_fields[i];
        const struct span bytes = evidence_bytes(&r->verified, field);

        if (!evidence_has(&r->verified, field))
            continue;
        (void)snprintf(name, sizeof name, "report.%s", field->name);
        if (field->form == EVIDENCE_BYTES)
            put_span(r, VS_FIELD_HEX, name, bytes);
        else
            put_number(r, field->form == EVIDENCE_FLAG ? VS_FIELD_FLAG : VS_FIELD_NUMBER, name,
                       number_at(bytes.data, bytes.size));
    }
}

static void put_status(struct vs_result *r, const char *name, enum tcb_status status)
{
    if (status != TCB_NOT_JUDGED)
        put_text(r, name, span_string(tcb_status_name(status)));
}

/* To the second, as in vendors' documents. */
static void put_date(struct vs_result *r, const char *name, struct timestamp t)
{
    char text[TIMESTAMP_TEXT_SIZE];

    timestamp_write(t, text);
    (void)snprintf(text + 19, sizeof text - 19, "Z"); /* replaces the fraction */
    put_text(r, name, span_string(text));
}

static void put_intel(struct vs_result *r)
{
    const struct attest_intel *intel = &r->verified.intel;

    if (r->verdict != VS_VALID)
        return;
    put_status(r, "platform_level_status", intel->platform_status);
    put_status(r, "qe_status", intel->qe_status);
    put_date(r, "tcb_date", intel->platform_level_date);
    put_rows(r, intel_rows, COUNT_OF(intel_rows));
    if (intel->has_platform_instance_id)
        put_span(r, VS_FIELD_HEX, "platform_instance_id", SPAN_OF(intel->platform_instance_id));
}

static void put_sgx(struct vs_result *r)
{
    const uint32_t misc = r->verified.sgx.misc_select;
    const uint8_t bytes[] = {(uint8_t)misc, (uint8_t)(misc >> 8), (uint8_t)(misc >> 16),
                             (uint8_t)(misc >> 24)}; /* as in the report */
    char *kept = r->text + r->text_used;

    memcpy(kept, bytes, sizeof bytes);
    r->text_used += sizeof bytes;
    put_span(r, VS_FIELD_HEX, "report.miscselect", span_of(kept, sizeof bytes));
    put_report(r);
    put_intel(r);
}

/* The second byte of TEE_TCB_SVN selects the module; 0 means the one without an identity. */
static void put_module(struct vs_result *r)
{
    char id[16];

    if (r->verified.intel.module_status == TCB_NOT_JUDGED)
        return;
    put_status(r, "tdx_module_status", r->verified.intel.module_status);
    if (r->verified.td.tee_tcb_svn[1] == 0)
        return;
    (void)snprintf(id, sizeof id, "TDX_%02X", (unsigned)r->verified.td.tee_tcb_svn[1]);
    put_text(r, "tdx_module_id", span_string(id));
}

static void put_tdx(struct vs_result *r)
{
    put_report(r);
    put_intel(r);
    if (r->verdict == VS_VALID)
        put_module(r);
}

/* The report has build, minor, major; people write major.minor.build. */
static void put_version(struct vs_result *r, const char *name, const uint8_t version[3])
{
    char text[16];

    (void)snprintf(text, sizeof text, "%u.%u.%u", (unsigned)version[2], (unsigned)version[1],
                   (unsigned)version[0]);
    put_text(r, name, span_string(text));
}

#define SNP_POLICY_MIGRATE_MA (1u << 18) /* AMD 56860, table 10 */
#define SNP_AUTHOR_KEY_EN (1u << 0)      /* table 23, at 48h */
#define SNP_MASK_CHIP_KEY (1u << 1)

static void put_snp(struct vs_result *r)
{
    const struct snp_report *s = &r->verified.snp;

    put_text(r, "product", span_string(product_name(s->product)));
    put_report(r);
    put_version(r, "report.current_version", s->current_version);
    put_version(r, "report.committed_version", s->committed_version);
    put_number(r, VS_FIELD_FLAG, "report.migrate_ma", (s->policy & SNP_POLICY_MIGRATE_MA) != 0);
    put_number(r, VS_FIELD_FLAG, "report.author_key_en", (s->key_info & SNP_AUTHOR_KEY_EN) != 0);
    put_number(r, VS_FIELD_FLAG, "report.mask_chip_key", (s->key_info & SNP_MASK_CHIP_KEY) != 0);
    put_text(r, "report.signing_key", span_string(s->by_vlek ? "VLEK" : "VCEK"));
    if (s->by_vlek)
        put_text(r, "csp_id", span_string(s->csp_id));
    if (r->verdict != VS_VALID)
        return;
    /* otherwise the report would not be valid */
    put_number(r, VS_FIELD_FLAG, "vek_tcb_matches_reported", true);
    if (s->by_vlek || span_is_zero(SPAN_OF(s->chip_id)))
        put_span(r, VS_FIELD_NULL, "vek_hwid_matches_chip_id", (struct span){0});
    else
        put_number(r, VS_FIELD_FLAG, "vek_hwid_matches_chip_id", true);
    put_number(r, VS_FIELD_FLAG, "crl_checked", s->crl_checked);
}

static void put_nitro(struct vs_result *r)
{
    const struct nitro_claims *n = &r->verified.nitro;
    char name[16];

    put_text(r, "module_id", span_string(n->module_id));
    put_text(r, "digest", SPAN_LITERAL("SHA384"));
    put_number(r, VS_FIELD_NUMBER, "timestamp_ms", (uint64_t)n->timestamp_ms);
    for (unsigned i = 0; i < ATTEST_NITRO_PCRS; i++) {
        if ((n->pcr_present & 1u << i) == 0)
            continue;
        (void)snprintf(name, sizeof name, "pcrs.%u", i);
        put_span(r, VS_FIELD_HEX, name, span_of(n->pcr[i], n->pcr_size[i]));
    }
    put_span(r, VS_FIELD_HEX, "public_key", n->public_key);
    put_span(r, VS_FIELD_HEX, "user_data", n->user_data);
    put_span(r, VS_FIELD_HEX, "nonce", n->nonce);
    put_number(r, VS_FIELD_NUMBER, "cabundle_count", n->cabundle_count);
}

/* Claims that are absent from a token are left out, not null. */
static void put_if(struct vs_result *r, enum vs_field_kind kind, const char *name, struct span s)
{
    if (s.data == NULL)
        return;
    if (kind == VS_FIELD_TEXT)
        put_text(r, name, s);
    else
        put_span(r, kind, name, s);
}

/* The components measured at boot, and their signers. */
static void put_components(struct vs_result *r)
{
    const struct arm_claims *a = &r->verified.arm;
    char name[48];

    for (size_t i = 0; i < a->component_count; i++) {
        (void)snprintf(name, sizeof name, "component_measurements[%zu]", i);
        put_span(r, VS_FIELD_HEX, name, a->components[i].measurement);
    }
    for (size_t i = 0; i < a->component_count; i++) {
        (void)snprintf(name, sizeof name, "component_signers[%zu]", i);
        put_span(r, VS_FIELD_HEX, name, a->components[i].signer);
    }
}

/*
 * The numbers are the claims' keys: RFC 9783 section 4; Arm DEN0137 section A7.2. Reads the
 * verified bytes again, for claims that results do not have.
 */
static void put_psa(struct vs_result *r)
{
    const struct arm_claims *a = &r->verified.arm;
    struct arm_platform p = {0};
    struct refusal ignored;

    put_if(r, VS_FIELD_TEXT, "claims.265", a->profile);
    put_if(r, VS_FIELD_HEX, "claims.10", a->nonce);
    put_if(r, VS_FIELD_HEX, "claims.256", a->instance_id);
    put_if(r, VS_FIELD_HEX, "claims.2396", a->implementation_id);
    put_if(r, VS_FIELD_HEX, "claims.2397", a->boot_seed);
    put_number(r, VS_FIELD_NUMBER, "claims.2395", a->lifecycle);
    if (arm_psa_parse(buffer_span(&r->evidence), &p, &ignored) == ERR_NONE) {
        put_if(r, VS_FIELD_TEXT, "claims.2398", p.certification);
        put_if(r, VS_FIELD_TEXT, "claims.2400", p.service);
        put_number(r, VS_FIELD_NUMBER, "claims.2394", (uint64_t)p.client_id);
    }
    put_components(r);
}

static void put_cca(struct vs_result *r)
{
    static const char *const rem[] = {"realm.rem[0]", "realm.rem[1]", "realm.rem[2]",
                                      "realm.rem[3]"};
    const struct arm_claims *a = &r->verified.arm;
    struct arm_platform p = {0};
    struct arm_realm realm = {0};
    struct refusal ignored;

    (void)!arm_cca_parse(buffer_span(&r->evidence), &p, &realm, &ignored);
    put_if(r, VS_FIELD_TEXT, "profile", a->profile);
    put_if(r, VS_FIELD_TEXT, "platform.265", a->profile);
    put_if(r, VS_FIELD_HEX, "platform.10", a->nonce);
    put_if(r, VS_FIELD_HEX, "platform.256", a->instance_id);
    put_if(r, VS_FIELD_HEX, "platform.2396", a->implementation_id);
    put_number(r, VS_FIELD_NUMBER, "platform.2395", a->lifecycle);
    put_if(r, VS_FIELD_HEX, "platform.2401", a->config);
    put_if(r, VS_FIELD_TEXT, "platform.2400", p.service);
    put_if(r, VS_FIELD_TEXT, "platform.2402", p.hash_algorithm);
    put_if(r, VS_FIELD_HEX, "realm.challenge", a->challenge);
    put_if(r, VS_FIELD_HEX, "realm.rpv", a->personalization);
    put_if(r, VS_FIELD_HEX, "realm.public_key", a->public_key);
    put_if(r, VS_FIELD_HEX, "realm.rim", a->initial_measurement);
    for (size_t i = 0; i < COUNT_OF(rem); i++)
        put_if(r, VS_FIELD_HEX, rem[i], a->extensible_measurements[i]);
    put_if(r, VS_FIELD_TEXT, "realm.hash_alg", a->realm_hash_algorithm);
    put_if(r, VS_FIELD_TEXT, "realm.public_key_hash_alg", realm.public_key_hash);
    put_components(r);
}

/*
 * Azure's own fields, with the names of the index. The maker of the blob may have invented them,
 * unless the report inside is signed. In that case the claims of the report follow.
 */
static void put_azure(struct vs_result *r)
{
    static const char *const types[] = {[AZURE_HCL_SNP] = "snp", [AZURE_HCL_TDX] = "tdx-tdreport"};
    static const char *const hashes[] = {[AZURE_HCL_SHA256] = "sha256",
                                         [AZURE_HCL_SHA384] = "sha384",
                                         [AZURE_HCL_SHA512] = "sha512"};
    struct azure_hcl hcl = {0};
    struct refusal ignored;

    if (azure_hcl_parse(buffer_span(&r->evidence), &hcl, &ignored) != ERR_NONE)
        return;
    put_number(r, VS_FIELD_FLAG, "binding_valid", true);
    put_text(r, "report_type", span_string(types[hcl.claims.report_type]));
    put_text(r, "hash", span_string(hashes[hcl.claims.hash_type]));
    put_number(r, VS_FIELD_NUMBER, "runtime_data_offset", AZURE_HCL_RUNTIME_OFFSET);
    put_number(r, VS_FIELD_NUMBER, "runtime_data_len", hcl.claims.runtime_data.size);
    put_span(r, VS_FIELD_HEX, "report_data", hcl.report_data);
    if (r->verified.signatures_valid)
        put_snp(r);
}

void result_fill_fields(struct vs_result *r)
{
    static void (*const by_kind[ATTEST_TEE_COUNT])(struct vs_result * r) = {
        [ATTEST_SGX] = put_sgx,     [ATTEST_TDX] = put_tdx, [ATTEST_SNP] = put_snp,
        [ATTEST_NITRO] = put_nitro, [ATTEST_CCA] = put_cca, [ATTEST_PSA] = put_psa,
    };

    if (r->verified.kind == ATTEST_AZURE_HCL)
        put_azure(r);
    else if (r->verified.signatures_valid && by_kind[r->verified.kind] != NULL)
        by_kind[r->verified.kind](r);
}
