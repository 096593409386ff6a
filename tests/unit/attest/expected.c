#include "unit/attest/expected.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "crypto/hash.h"

/* Members that describe the index itself, or that no result repeats. */
static const char *const not_compared[] = {
    "result",
    "reason",
    "reasons",
    "note",
    "check_errors",
    "signatures_valid",
    "sgx_level_status",
    "tcb_date", /* compared by date_differs() */
    "vek_extensions",
    "digest",
    "runtime_data_offset",
    "vek_tcb_matches_reported",
    "vek_hwid_matches_chip_id",
    /* of Arm's tokens: client, certification reference, verification service, configuration */
    "2394",
    "2398",
    "2400",
    "2401",
    "2402",
    "public_key_hash_alg",
};

static bool is_compared(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(not_compared); i++)
        if (strcmp(name, not_compared[i]) == 0)
            return false;
    return true;
}

/* Not json_string(): codec/json.h has another of this name. */
static json_t *text(const char *value)
{
    return json_stringn(value, strlen(value));
}

static json_t *hex(struct span bytes)
{
    char *digits = malloc(2 * bytes.size + 1);
    json_t *value;

    if (!digits)
        abort();
    hex_write(bytes, digits);
    value = text(digits);
    free(digits);
    return value;
}

static void put(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0)
        abort();
}

static void put_hex(json_t *object, const char *name, struct span bytes)
{
    put(object, name, bytes.data ? hex(bytes) : json_null());
}

static void put_text(json_t *object, const char *name, struct span value)
{
    put(object, name, json_stringn((const char *)value.data, value.size));
}

static json_t *sgx_facts(const struct attest_result *r)
{
    const struct sgx_report *s = &r->sgx;
    const uint8_t misc[] = {(uint8_t)s->misc_select, (uint8_t)(s->misc_select >> 8),
                            (uint8_t)(s->misc_select >> 16), (uint8_t)(s->misc_select >> 24)};
    json_t *o = json_object();

    put_hex(o, "cpusvn", SPAN_OF(s->cpu_svn));
    put_hex(o, "miscselect", SPAN_OF(misc));
    put_hex(o, "attributes", SPAN_OF(s->attributes));
    put_hex(o, "mrenclave", SPAN_OF(s->mr_enclave));
    put_hex(o, "mrsigner", SPAN_OF(s->mr_signer));
    put_hex(o, "configid", SPAN_OF(s->config_id));
    put(o, "isvprodid", json_integer(s->isv_prod_id));
    put(o, "isvsvn", json_integer(s->isv_svn));
    put(o, "configsvn", json_integer(s->config_svn));
    put_hex(o, "isvfamilyid", SPAN_OF(s->isv_family_id));
    put_hex(o, "isvextprodid", SPAN_OF(s->isv_ext_prod_id));
    put_hex(o, "report_data", SPAN_OF(r->report_data));
    put(o, "debug", json_boolean(r->debug));
    return o;
}

static json_t *td_facts(const struct attest_result *r)
{
    const struct td_report *t = &r->td;
    json_t *o = json_object();

    put_hex(o, "tee_tcb_svn", SPAN_OF(t->tee_tcb_svn));
    put_hex(o, "mrseam", SPAN_OF(t->mr_seam));
    put_hex(o, "mrsignerseam", SPAN_OF(t->mr_signer_seam));
    put_hex(o, "seam_attributes", SPAN_OF(t->seam_attributes));
    put_hex(o, "td_attributes", SPAN_OF(t->td_attributes));
    put_hex(o, "xfam", SPAN_OF(t->xfam));
    put_hex(o, "mrtd", SPAN_OF(t->mr_td));
    put_hex(o, "mrconfigid", SPAN_OF(t->mr_config_id));
    put_hex(o, "mrowner", SPAN_OF(t->mr_owner));
    put_hex(o, "mrownerconfig", SPAN_OF(t->mr_owner_config));
    put_hex(o, "rtmr0", SPAN_OF(t->rtmr[0]));
    put_hex(o, "rtmr1", SPAN_OF(t->rtmr[1]));
    put_hex(o, "rtmr2", SPAN_OF(t->rtmr[2]));
    put_hex(o, "rtmr3", SPAN_OF(t->rtmr[3]));
    put_hex(o, "report_data", SPAN_OF(r->report_data));
    put(o, "debug", json_boolean(r->debug));
    if (t->is_15) {
        put_hex(o, "tee_tcb_svn2", SPAN_OF(t->tee_tcb_svn_2));
        put_hex(o, "mrservicetd", SPAN_OF(t->mr_service_td));
    }
    return o;
}

/* "major.minor.build" */
static void put_version(json_t *o, const char *name, const uint8_t version[3])
{
    put(o, name, json_sprintf("%u.%u.%u", version[2], version[1], version[0]));
}

static json_t *snp_facts(const struct attest_result *r)
{
    const struct snp_report *s = &r->snp;
    const unsigned key = s->key_info >> 2 & 7;
    json_t *o = json_object();

    put(o, "version", json_integer(s->version));
    put(o, "guest_svn", json_integer(s->guest_svn));
    put(o, "policy", json_integer((json_int_t)s->policy));
    put_hex(o, "family_id", SPAN_OF(s->family_id));
    put_hex(o, "image_id", SPAN_OF(s->image_id));
    put(o, "vmpl", json_integer(s->vmpl));
    put(o, "signature_algo", json_integer(s->signature_algorithm));
    put(o, "platform_info", json_integer((json_int_t)s->platform_info));
    put(o, "key_info", json_integer(s->key_info));
    put_hex(o, "report_data", SPAN_OF(r->report_data));
    put_hex(o, "measurement", SPAN_OF(s->measurement));
    put_hex(o, "host_data", SPAN_OF(s->host_data));
    put_hex(o, "id_key_digest", SPAN_OF(s->id_key_digest));
    put_hex(o, "author_key_digest", SPAN_OF(s->author_key_digest));
    put_hex(o, "report_id", SPAN_OF(s->report_id));
    put_hex(o, "report_id_ma", SPAN_OF(s->report_id_ma));
    put_hex(o, "chip_id", SPAN_OF(s->chip_id));
    put_hex(o, "current_tcb", SPAN_OF(s->current_tcb_bytes));
    put_hex(o, "reported_tcb", SPAN_OF(s->reported_tcb_bytes));
    put_hex(o, "committed_tcb", SPAN_OF(s->committed_tcb_bytes));
    put_hex(o, "launch_tcb", SPAN_OF(s->launch_tcb_bytes));
    put_version(o, "current_version", s->current_version);
    put_version(o, "committed_version", s->committed_version);
    if (s->has_cpuid) {
        put(o, "cpuid_fam_id", json_integer(s->cpuid_family));
        put(o, "cpuid_mod_id", json_integer(s->cpuid_model));
        put(o, "cpuid_step", json_integer(s->cpuid_stepping));
    }
    put(o, "launch_mit_vector", json_integer((json_int_t)s->launch_mitigations));
    put(o, "current_mit_vector", json_integer((json_int_t)s->current_mitigations));
    put(o, "debug", json_boolean(r->debug));
    put(o, "migrate_ma", json_boolean(s->policy >> 18 & 1));
    put(o, "signing_key", text(key == 0 ? "VCEK" : key == 1 ? "VLEK" : "?"));
    put(o, "mask_chip_key", json_boolean(s->key_info >> 1 & 1));
    put(o, "author_key_en", json_boolean(s->key_info & 1));
    return o;
}

static void put_nitro(json_t *o, const struct nitro_claims *n)
{
    json_t *pcrs = json_object();

    for (unsigned i = 0; i < ATTEST_NITRO_PCRS; i++) {
        char name[8];

        (void)snprintf(name, sizeof name, "%u", i);
        if ((n->pcr_present >> i & 1) != 0)
            put_hex(pcrs, name, span_of(n->pcr[i], n->pcr_size[i]));
    }
    put(o, "pcrs", pcrs);
    put(o, "module_id", text(n->module_id));
    put(o, "timestamp_ms", json_integer(n->timestamp_ms));
    put_hex(o, "user_data", n->user_data);
    put_hex(o, "public_key", n->public_key);
    put_hex(o, "nonce", n->nonce);
    put(o, "cabundle_count", json_integer((json_int_t)n->cabundle_count));
}

static json_t *arm_facts(const struct arm_claims *a)
{
    json_t *o = json_object();

    put_text(o, "265", a->profile);
    put_hex(o, "10", a->nonce);
    put_hex(o, "2396", a->implementation_id);
    put_hex(o, "256", a->instance_id);
    put_hex(o, "2397", a->boot_seed);
    put(o, "2395", json_integer(a->lifecycle));
    return o;
}

static json_t *realm_facts(const struct arm_claims *a)
{
    json_t *o = json_object();
    json_t *measurements = json_array();

    for (size_t i = 0; i < COUNT_OF(a->extensible_measurements); i++)
        if (json_array_append_new(measurements, hex(a->extensible_measurements[i])) != 0)
            abort();
    put_hex(o, "challenge", a->challenge);
    put_hex(o, "rpv", a->personalization);
    put_hex(o, "public_key", a->public_key);
    put_hex(o, "rim", a->initial_measurement);
    put(o, "rem", measurements);
    put_text(o, "hash_alg", a->realm_hash_algorithm);
    return o;
}

static void put_azure(json_t *o, const struct attest_result *r)
{
    static const char *const hashes[] = {NULL, "sha256", "sha384", "sha512"};
    const struct azure_hcl_claims *a = &r->azure;
    uint8_t sum[SHA256_SIZE];

    sha256(a->runtime_data, sum);
    put(o, "report_type", text(a->report_type == 2 ? "snp" : "tdx-tdreport"));
    put(o, "hash", text(hashes[a->hash_type % COUNT_OF(hashes)]));
    put(o, "runtime_data_len", json_integer((json_int_t)a->runtime_data.size));
    put_hex(o, "runtime_data_sha", SPAN_OF(sum));
    put_hex(o, "report_data", SPAN_OF(r->report_data));
}

static const char *product_name(enum attest_vendor product)
{
    return product == ATTEST_AMD_MILAN   ? "milan"
           : product == ATTEST_AMD_GENOA ? "genoa"
           : product == ATTEST_AMD_TURIN ? "turin"
                                         : "?";
}

/* The claims of the evidence. */
static void put_claims(json_t *o, const struct attest_result *r)
{
    put(o, "debug", json_boolean(r->debug));
    switch (r->kind) {
    case ATTEST_SGX:
        put(o, "report", sgx_facts(r));
        break;
    case ATTEST_TDX:
        put(o, "report", td_facts(r));
        put(o, "tdx_module_id", json_sprintf("TDX_%02x", r->td.tee_tcb_svn[1]));
        break;
    case ATTEST_SNP:
        put(o, "report", snp_facts(r));
        put(o, "product", text(product_name(r->snp.product)));
        break;
    case ATTEST_NITRO:
        put_nitro(o, &r->nitro);
        break;
    case ATTEST_CCA:
        put_text(o, "profile", r->arm.profile);
        put(o, "platform", arm_facts(&r->arm));
        put(o, "realm", realm_facts(&r->arm));
        break;
    case ATTEST_PSA:
        put(o, "claims", arm_facts(&r->arm));
        break;
    case ATTEST_AZURE_HCL:
        put_azure(o, r);
        break;
    case ATTEST_TEE_NONE:
    case ATTEST_TEE_COUNT:
        break;
    }
}

/* The judgement by the collateral. */
static void put_judgement(json_t *o, const struct attest_result *r)
{
    json_t *advisories = json_array();

    for (size_t i = 0; i < r->advisory_count; i++)
        if (json_array_append_new(advisories, text(r->advisories[i])) != 0)
            abort();
    put(o, "advisory_ids", advisories);
    put(o, "tcb_status", text(tcb_status_name(r->status)));
    put(o, "qe_status", text(tcb_status_name(r->intel.qe_status)));
    put(o, "platform_level_status", text(tcb_status_name(r->intel.platform_status)));
    put(o, "platform_level_index", json_integer((json_int_t)r->intel.platform_level));
    put(o, "tdx_module_status", text(tcb_status_name(r->intel.module_status)));
}

static size_t differences(const char *id, const json_t *expected, const json_t *facts)
{
    size_t wrong = 0;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)expected, name, value)
    {
        const json_t *fact = json_object_get(facts, name);
        char *want, *got;

        if (!is_compared(name))
            continue;
        if (json_is_object(value) && json_is_object(fact)) {
            wrong += differences(id, value, fact);
            continue;
        }
        if (fact && json_equal(value, fact))
            continue;
        want = json_dumps(value, JSON_ENCODE_ANY);
        got = fact ? json_dumps(fact, JSON_ENCODE_ANY) : NULL;
        (void)fprintf(stderr, "%s: %s: expected %s, got %s\n", id, name, want, got ? got : "-");
        free(want);
        free(got);
        wrong++;
    }
    return wrong;
}

static struct timestamp date_of(const json_t *level)
{
    const char *date = json_string_value(json_object_get(level, "tcbDate"));
    struct timestamp out = {INT64_MAX};

    if (date && timestamp_parse(span_string(date), &out) != ERR_NONE)
        abort();
    return out;
}

static json_t *document(const struct buffer *bytes)
{
    return json_loadb((const char *)bytes->data, bytes->size, 0, NULL);
}

/* The date of the level of this TD's module; far in the future for SGX and old modules. */
static struct timestamp module_date(const json_t *tcb_info, const struct attest_result *r)
{
    char name[8];
    size_t i, k;
    json_t *identity, *level;

    (void)snprintf(name, sizeof name, "TDX_%02X", r->td.tee_tcb_svn[1]);
    json_array_foreach(json_object_get(tcb_info, "tdxModuleIdentities"), i, identity)
    {
        if (strcmp(json_string_value(json_object_get(identity, "id")), name) != 0)
            continue;
        json_array_foreach(json_object_get(identity, "tcbLevels"), k, level)
        {
            json_t *tcb = json_object_get(level, "tcb");

            if (json_integer_value(json_object_get(tcb, "isvsvn")) <= r->td.tee_tcb_svn[0])
                return date_of(level);
        }
    }
    return (struct timestamp){INT64_MAX};
}

/*
 * The index has the date of the platform's level; a result's is the earliest of all levels used.
 * In all stored evidence the QE is at the newest level of its identity.
 */
static bool date_differs(const struct evidence_case *c, const struct attest_result *r)
{
    const char *expected = json_string_value(json_object_get(c->expected, "tcb_date"));
    json_t *info = document(&c->tcb_info);
    json_t *identity = document(&c->qe_identity);
    const json_t *tcb_info = json_object_get(info, "tcbInfo");
    const json_t *levels = json_object_get(tcb_info, "tcbLevels");
    const json_t *qe = json_object_get(json_object_get(identity, "enclaveIdentity"), "tcbLevels");
    const json_t *level = json_array_get(levels, r->intel.platform_level);
    const struct timestamp dates[] = {date_of(level), date_of(json_array_get(qe, 0)),
                                      r->kind == ATTEST_TDX ? module_date(tcb_info, r)
                                                            : (struct timestamp){INT64_MAX}};
    struct timestamp earliest = {INT64_MAX};
    bool differs = strcmp(expected, json_string_value(json_object_get(level, "tcbDate"))) != 0;

    for (size_t i = 0; i < COUNT_OF(dates); i++)
        if (dates[i].ms < earliest.ms)
            earliest = dates[i];
    differs = differs || earliest.ms != r->tcb_date.ms;
    if (differs)
        (void)fprintf(stderr, "%s: tcb_date differs\n", c->id);
    json_decref(info);
    json_decref(identity);
    return differs;
}

size_t expected_differences(const struct evidence_case *c, const struct attest_result *r)
{
    json_t *facts, *wanted;
    size_t wrong = 0;

    if (!r->signatures_valid && r->kind != ATTEST_AZURE_HCL)
        return 0;
    facts = json_object();
    wanted = json_copy((json_t *)(uintptr_t)c->expected);
    put_claims(facts, r);
    put_judgement(facts, r);
    if (r->reason != ATTEST_OK)
        for (size_t i = 0; i < 6; i++)
            (void)json_object_del(
                wanted, (const char *const[]){"advisory_ids", "tcb_status", "qe_status",
                                              "platform_level_status", "platform_level_index",
                                              "tdx_module_status"}[i]);
    wrong = differences(c->id, wanted, facts);
    if (r->reason == ATTEST_OK && json_object_get(c->expected, "tcb_date"))
        wrong += date_differs(c, r);
    json_decref(wanted);
    json_decref(facts);
    return wrong;
}

static bool reason_is_listed(const struct evidence_case *c, const char *code)
{
    const json_t *reasons = json_object_get(c->expected, "reasons");
    const char *only = json_string_value(json_object_get(c->expected, "reason"));
    size_t i;
    json_t *entry;

    if (only)
        return strcmp(only, code) == 0;
    json_array_foreach(reasons, i, entry)
    {
        if (strcmp(json_string_value(entry), code) == 0)
            return true;
    }
    return false;
}

bool expected_verdict(const struct evidence_case *c, const struct attest_result *r)
{
    const char *result = json_string_value(json_object_get(c->expected, "result"));

    /* there is no collateral for the report inside: the index has only the hash */
    if (r->kind == ATTEST_AZURE_HCL && strcmp(result, "valid") == 0)
        return r->reason == ATTEST_COLLATERAL_MISSING && r->azure.runtime_data.size > 0;
    if (strcmp(result, "valid") == 0)
        return r->reason == ATTEST_OK;
    /* the verifier looks for collateral after structure, chain and signatures */
    if (strcmp(result, "signature_only") == 0)
        return r->reason == ATTEST_COLLATERAL_MISSING && r->signatures_valid;
    return r->reason != ATTEST_OK && reason_is_listed(c, attest_reason_code(r->reason));
}
