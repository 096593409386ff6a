/*
 * Real SEV-SNP reports, and cases that snp_cases.py derives from them: every verdict and every
 * claim, with certificates from collateral and with the report's own.
 *
 * VOUCHSAFE_EXHAUSTIVE=1 flips every bit of every real report and of its VEK instead of a sample
 * (minutes).
 */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/snp_report.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/x509_make.h"
#include "support/tally.h"
#include "support/vectors.h"

#define FOLDER "attestation"
#define GENERATED BUILD_ROOT "/snp-cases"
#define MILAN "snp-v3-milan-vcek-confidential-containers-05b743"
#define MILAN_V2 "snp-v2-milan-vcek-automata-network-597d1f"
#define GENOA "snp-v5-genoa-vcek-veehaitch-643565"
#define TURIN "snp-v5-turin-vcek-veehaitch-3f44a0"
#define VLEK "snp-v3-milan-vlek-confidential-containers-decdab"
#define FLIPS_PER_REPORT 100
#define FLIPS_PER_VEK 60

struct snp_case {
    const char *id;
    const json_t *expected;
    enum attest_vendor product; /* of the seed */
    bool by_vlek;
    struct timestamp now;
    struct buffer report, vek, intermediate, ark, crl;
    struct attest_trust trust;
};

/*
 * Loading.
 */

static void read_absolute(const char *path, struct buffer *out)
{
    uint8_t chunk[4096];
    FILE *file = fopen(path, "rb");
    size_t got;

    assert_non_null(file);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        assert_int_equal(buffer_append(out, span_of(chunk, got)), ERR_NONE);
    (void)fclose(file);
}

static void read_file(const char *path, bool generated, struct buffer *out)
{
    char full[1024];

    (void)snprintf(full, sizeof full, "%s/%s", generated ? GENERATED : FOLDER, path);
    if (generated)
        read_absolute(full, out);
    else
        vectors_read(full, out);
}

static bool is_generated(const json_t *root)
{
    return json_is_string(root) && strcmp(json_string_value(root), "generated") == 0;
}

/* In the stored index a path is a string, in the generated one {path, root}. */
static bool read_reference(const json_t *reference, struct buffer *out)
{
    if (json_is_string(reference))
        read_file(json_string_value(reference), false, out);
    else if (json_is_object(reference) && json_is_string(json_object_get(reference, "path")))
        read_file(json_string_value(json_object_get(reference, "path")),
                  is_generated(json_object_get(reference, "root")), out);
    else
        return false;
    return true;
}

/* "snp-v5-genoa-vcek-...": the seed, not the derived case. */
static enum attest_vendor product_of(const char *id)
{
    const char *product = id + strlen("snp-v5-");

    assert_true(strlen(id) > strlen("snp-v5-"));
    if (strncmp(product, "genoa", 5) == 0)
        return ATTEST_AMD_GENOA;
    return strncmp(product, "turin", 5) == 0 ? ATTEST_AMD_TURIN : ATTEST_AMD_MILAN;
}

static void case_load(const json_t *json, struct snp_case *out)
{
    const json_t *collateral = json_object_get(json, "collateral");
    const json_t *anchor = json_object_get(json, "trust_anchor");
    struct buffer root = {0};

    *out = (struct snp_case){
        .id = json_string_value(json_object_get(json, "id")),
        .expected = json_object_get(json, "expected"),
        .now = timestamp_of_seconds(json_integer_value(json_object_get(json, "verify_time"))),
    };
    out->product = product_of(out->id);
    out->by_vlek = json_object_get(collateral, "asvk") != NULL;
    read_file(json_string_value(json_object_get(json, "evidence")),
              is_generated(json_object_get(json, "evidence_root")), &out->report);
    assert_true(read_reference(json_object_get(collateral, "vek"), &out->vek));
    assert_true(read_reference(json_object_get(collateral, out->by_vlek ? "asvk" : "ask"),
                               &out->intermediate));
    assert_true(read_reference(json_object_get(collateral, "ark"), &out->ark));
    (void)read_reference(json_object_get(collateral, "crl"), &out->crl);
    attest_trust_vendors(&out->trust);
    if (read_reference(anchor, &root))
        assert_int_equal(attest_trust_add(&out->trust, out->product, buffer_span(&root), false),
                         ERR_NONE);
    buffer_clear(&root);
}

static void case_clear(struct snp_case *c)
{
    buffer_clear(&c->report);
    buffer_clear(&c->vek);
    buffer_clear(&c->intermediate);
    buffer_clear(&c->ark);
    buffer_clear(&c->crl);
}

static json_t *stored_index(void)
{
    if (!vectors_have(FOLDER "/index.json", "SEV-SNP reports"))
        return NULL;
    return vectors_json(FOLDER "/index.json");
}

static bool is_snp(const json_t *entry)
{
    return strcmp(json_string_value(json_object_get(entry, "tee")), "snp") == 0;
}

static void load_by_id(const json_t *index, const char *id, struct snp_case *out)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) == 0) {
            case_load(entry, out);
            return;
        }
    }
    fail_msg("no case %s", id);
}

/*
 * Judging: with collateral, with PEM, and with the host's table.
 */

static void pem_add(const struct buffer *der, struct buffer *out)
{
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(der), out), ERR_NONE);
}

static enum attest_reason verify(const struct snp_case *c, struct span certificates,
                                 const struct attest_collateral_set *set,
                                 struct attest_cache *cache, struct attest_result *result)
{
    const struct attest_evidence evidence = {
        .kind = ATTEST_SNP, .bytes = buffer_span(&c->report), .certificates = certificates};
    enum err e = attest_verify(&c->trust, set, cache, &evidence, c->now, result);

    assert_true(e == ERR_NONE || e == ERR_DENIED);
    assert_int_equal(e == ERR_NONE, result->reason == ATTEST_OK);
    assert_true(result->reason == ATTEST_OK || result->step[0] != '\0');
    assert_int_equal(result->kind, ATTEST_SNP);
    return result->reason;
}

/* Collateral of one product; NULL and the reason when it is refused. */
static struct attest_amd *amd_of(const struct snp_case *c, enum attest_reason *reason)
{
    struct attest_amd_input input = {.crl = buffer_span(&c->crl)};
    struct attest_amd *amd = NULL;
    struct buffer pem = {0};
    enum err e;

    pem_add(&c->intermediate, &pem);
    pem_add(&c->ark, &pem);
    if (c->by_vlek)
        input.vlek_chain = buffer_span(&pem);
    else
        input.vcek_chain = buffer_span(&pem);
    e = attest_amd_new(&c->trust, &input, &amd, reason);
    assert_int_equal(e == ERR_NONE, *reason == ATTEST_OK);
    assert_int_equal(amd != NULL, *reason == ATTEST_OK);
    buffer_clear(&pem);
    return amd;
}

static struct attest_vek *vek_of(const struct snp_case *c, enum attest_reason *reason)
{
    struct attest_vek *vek = NULL;
    enum err e = attest_vek_new(buffer_span(&c->vek), &vek, reason);

    assert_int_equal(e == ERR_NONE, *reason == ATTEST_OK);
    assert_int_equal(vek != NULL, *reason == ATTEST_OK);
    return vek;
}

static enum attest_reason judge_with_collateral(const struct snp_case *c,
                                                struct attest_cache *cache,
                                                struct attest_result *result)
{
    enum attest_reason reason = ATTEST_INTERNAL;
    struct attest_amd *amd = amd_of(c, &reason);
    struct attest_vek *vek = amd ? vek_of(c, &reason) : NULL;
    const struct attest_amd *amds[] = {amd};
    const struct attest_vek *veks[] = {vek};
    const struct attest_collateral_set set = {
        .amd_count = 1, .amd = amds, .vek_count = 1, .veks = veks};

    memset(result, 0, sizeof *result);
    if (amd && vek)
        reason = verify(c, (struct span){0}, &set, cache, result);
    attest_vek_free(&vek);
    attest_amd_free(&amd);
    return reason;
}

/* Uses only the certificates of the report: the key of the root is pinned. */
static enum attest_reason judge_with_pem(const struct snp_case *c, struct attest_cache *cache,
                                         struct attest_result *result)
{
    struct buffer pem = {0};
    enum attest_reason reason;

    pem_add(&c->ark, &pem);
    pem_add(&c->vek, &pem);
    pem_add(&c->intermediate, &pem);
    reason = verify(c, buffer_span(&pem), NULL, cache, result);
    buffer_clear(&pem);
    return reason;
}

static void table_entry(struct writer *w, const char *guid, size_t *offset,
                        const struct buffer *certificate)
{
    uint8_t bytes[16];
    size_t size = certificate->size;

    assert_int_equal(hex_read(span_string(guid), bytes, sizeof bytes), ERR_NONE);
    writer_put(w, SPAN_OF(bytes));
    for (size_t i = 0; i < 4; i++)
        writer_u8(w, (uint8_t)(*offset >> 8 * i));
    for (size_t i = 0; i < 4; i++)
        writer_u8(w, (uint8_t)(size >> 8 * i));
    *offset += size;
}

/* The form that Linux returns: GUIDs with their first three fields little-endian, 4 KiB pages of
 * zeros. */
static struct span table_write(const struct snp_case *c, uint8_t out[16384])
{
    struct writer w = writer_over(out, 16384);
    size_t offset = 96;
    struct span whole;

    memset(out, 0, 16384);
    table_entry(
        &w, c->by_vlek ? "c24b07a85aa23e48aae639c045a0b8a1" : "8d75da6364e66445adc5f4b93be8accd",
        &offset, &c->vek);
    table_entry(&w, "79b3b74aacbbe44fa02f05aef327c782", &offset, &c->intermediate);
    table_entry(&w, "a406b4c003a8524997433fb6014cd0ae", &offset, &c->ark);
    writer_put(&w, span_of((uint8_t[24]){0}, 24));
    writer_put(&w, buffer_span(&c->vek));
    writer_put(&w, buffer_span(&c->intermediate));
    writer_put(&w, buffer_span(&c->ark));
    assert_int_equal(writer_finish(&w, &whole), ERR_NONE);
    return span_of(out, 16384);
}

/*
 * Comparing.
 */

static void check_hex(const json_t *report, const char *member, struct span bytes)
{
    char hex[2 * 64 + 1];

    hex_write(bytes, hex);
    assert_string_equal(json_string_value(json_object_get(report, member)), hex);
}

static void check_number(const json_t *report, const char *member, uint64_t value)
{
    assert_true(json_is_integer(json_object_get(report, member)));
    assert_int_equal(json_integer_value(json_object_get(report, member)), value);
}

static void check_version(const json_t *report, const char *member, const uint8_t version[3])
{
    char text[16]; /* major.minor.build */

    (void)snprintf(text, sizeof text, "%u.%u.%u", version[2], version[1], version[0]);
    assert_string_equal(json_string_value(json_object_get(report, member)), text);
}

static void check_report(const json_t *report, const struct snp_report *r)
{
    check_number(report, "version", r->version);
    check_number(report, "guest_svn", r->guest_svn);
    check_number(report, "policy", r->policy);
    check_number(report, "vmpl", r->vmpl);
    check_number(report, "signature_algo", r->signature_algorithm);
    check_number(report, "platform_info", r->platform_info);
    check_number(report, "key_info", r->key_info);
    check_hex(report, "family_id", SPAN_OF(r->family_id));
    check_hex(report, "image_id", SPAN_OF(r->image_id));
    check_hex(report, "report_data", SPAN_OF(r->report_data));
    check_hex(report, "measurement", SPAN_OF(r->measurement));
    check_hex(report, "host_data", SPAN_OF(r->host_data));
    check_hex(report, "id_key_digest", SPAN_OF(r->id_key_digest));
    check_hex(report, "author_key_digest", SPAN_OF(r->author_key_digest));
    check_hex(report, "report_id", SPAN_OF(r->report_id));
    check_hex(report, "report_id_ma", SPAN_OF(r->report_id_ma));
    check_hex(report, "chip_id", SPAN_OF(r->chip_id));
    check_hex(report, "current_tcb", SPAN_OF(r->current_tcb_bytes));
    check_hex(report, "reported_tcb", SPAN_OF(r->reported_tcb_bytes));
    check_hex(report, "committed_tcb", SPAN_OF(r->committed_tcb_bytes));
    check_hex(report, "launch_tcb", SPAN_OF(r->launch_tcb_bytes));
    check_version(report, "current_version", r->current_version);
    check_version(report, "committed_version", r->committed_version);
    assert_int_equal(json_object_get(report, "cpuid_fam_id") != NULL, r->has_cpuid);
    if (r->has_cpuid) {
        check_number(report, "cpuid_fam_id", r->cpuid_family);
        check_number(report, "cpuid_mod_id", r->cpuid_model);
        check_number(report, "cpuid_step", r->cpuid_stepping);
    }
    if (json_object_get(report, "launch_mit_vector")) {
        check_number(report, "launch_mit_vector", r->launch_mitigations);
        check_number(report, "current_mit_vector", r->current_mitigations);
    } else {
        assert_int_equal(r->launch_mitigations | r->current_mitigations, 0);
    }
    assert_string_equal(json_string_value(json_object_get(report, "signing_key")),
                        r->by_vlek ? "VLEK" : "VCEK");
}

/* The SPLs of the VEK are those of the reported TCB. */
static void check_vek(const json_t *extensions, const struct snp_report *r)
{
    const char *csp = json_string_value(json_object_get(extensions, "csp_id"));

    check_number(extensions, "blSPL", r->reported_tcb.boot_loader);
    check_number(extensions, "teeSPL", r->reported_tcb.tee);
    check_number(extensions, "snpSPL", r->reported_tcb.snp);
    check_number(extensions, "ucodeSPL", r->reported_tcb.microcode);
    if (json_object_get(extensions, "fmcSPL"))
        check_number(extensions, "fmcSPL", r->reported_tcb.fmc);
    assert_string_equal(csp ? csp : "", r->csp_id);
}

static void check_accepted(const struct snp_case *c, const struct attest_result *r)
{
    const json_t *report = json_object_get(c->expected, "report");
    const json_t *debug = json_object_get(c->expected, "debug");

    assert_true(r->authentic);
    assert_string_equal(r->tee, "snp");
    assert_int_equal(r->version, r->snp.version);
    assert_int_equal(r->status, TCB_NOT_JUDGED);
    assert_int_equal(r->advisory_count, 0);
    assert_int_equal(r->snp.product, c->product);
    assert_int_equal(r->snp.by_vlek, c->by_vlek);
    assert_int_equal(r->debug, (r->snp.policy >> 19 & 1) != 0);
    assert_memory_equal(r->report_data, r->snp.report_data, sizeof r->report_data);
    assert_true(r->earliest_expiry.ms >= c->now.ms);
    assert_true(r->missing.known);
    assert_int_equal(r->missing.vendor, c->product);
    assert_int_equal(r->missing.by_vlek, c->by_vlek);
    assert_memory_equal(r->missing.chip_id, r->snp.chip_id, sizeof r->missing.chip_id);
    assert_memory_equal(&r->missing.tcb, &r->snp.reported_tcb, sizeof r->missing.tcb);
    assert_string_equal(r->steps[0], "report");
    assert_string_equal(r->steps[r->step_count - 1], "tcb_order");
    if (debug)
        assert_int_equal(json_is_true(debug), r->debug);
    if (report)
        check_report(report, &r->snp);
    if (json_object_get(c->expected, "vek_extensions"))
        check_vek(json_object_get(c->expected, "vek_extensions"), &r->snp);
}

static bool expects_valid(const struct snp_case *c)
{
    return strcmp(json_string_value(json_object_get(c->expected, "result")), "valid") == 0;
}

static bool reason_accepted(const struct snp_case *c, const char *code)
{
    size_t i;
    json_t *entry;

    json_array_foreach(json_object_get(c->expected, "reasons"), i, entry)
    {
        if (strcmp(json_string_value(entry), code) == 0)
            return true;
    }
    return false;
}

static size_t check_verdict(const struct snp_case *c, const char *way, enum attest_reason reason,
                            const struct attest_result *r)
{
    const char *code = attest_reason_code(reason);

    if (expects_valid(c) ? reason != ATTEST_OK : !reason_accepted(c, code)) {
        (void)fprintf(stderr, "%s, %s: %s at %s: %s, not %s\n", c->id, way, code, r->step,
                      r->presented, r->expected);
        return 1;
    }
    if (reason == ATTEST_OK)
        check_accepted(c, r);
    return 0;
}

struct tally {
    size_t valid, refused, wrong;
    size_t by_reason[ATTEST_REASON_COUNT];
};

/* With collateral, and with PEM; without a cache, then twice with one: a hit is judged as a miss.
 */
static void run_case(const struct snp_case *c, struct attest_cache *cache, struct tally *t)
{
    struct attest_cache *caches[] = {NULL, cache, cache};
    struct attest_result r;
    enum attest_reason reason = ATTEST_INTERNAL;

    for (size_t i = 0; i < COUNT_OF(caches); i++) {
        reason = judge_with_collateral(c, caches[i], &r);
        t->wrong += check_verdict(c, "collateral", reason, &r);
        if (reason == ATTEST_OK)
            assert_int_equal(r.snp.crl_checked, c->crl.size > 0);
        if (c->vek.size == 0 || c->crl.size > 0)
            continue; /* nothing to put into PEM; CRLs are collateral */
        t->wrong += check_verdict(c, "PEM", judge_with_pem(c, caches[i], &r), &r);
    }
    t->valid += reason == ATTEST_OK;
    t->refused += reason != ATTEST_OK;
    t->by_reason[reason]++;
}

static void run_index(const json_t *index, struct tally *t)
{
    struct attest_cache *cache = NULL;
    size_t i;
    json_t *entry;

    assert_int_equal(attest_cache_new(3, &cache), ERR_NONE);
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct snp_case c;

        if (!is_snp(entry))
            continue;
        case_load(entry, &c);
        run_case(&c, cache, t);
        case_clear(&c);
    }
    attest_cache_free(&cache);
    (void)fprintf(stderr, "# snp: %zu valid, %zu refused, %zu wrong\n", t->valid, t->refused,
                  t->wrong);
    for (i = 0; i < ATTEST_REASON_COUNT; i++)
        if (t->by_reason[i] > 0)
            (void)fprintf(stderr, "#   %-24s %zu\n", attest_reason_code((enum attest_reason)i),
                          t->by_reason[i]);
}

static void stored_reports_are_judged_as_documented(void **state)
{
    json_t *index = stored_index();
    struct tally t = {0};

    (void)state;
    if (!index)
        skip();
    run_index(index, &t);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(t.valid, 15);
    assert_int_equal(t.refused, 0);
    json_decref(index);
}

static bool generator_runs(void)
{
    char vectors[1024];
    char *arguments[] = {"/usr/bin/python3", SOURCE_ROOT "/tests/unit/attest/snp_cases.py", vectors,
                         GENERATED, NULL};
    pid_t child;
    int status = -1;

    (void)snprintf(vectors, sizeof vectors, "%s", vectors_path(FOLDER));
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0)
        assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void derived_reports_are_judged_as_documented(void **state)
{
    struct tally t = {0};
    json_error_t error;
    json_t *index;

    (void)state;
    if (!vectors_have(FOLDER "/gen_negative.py", "derived SEV-SNP reports"))
        skip();
    (void)remove(GENERATED "/index.json"); /* of an earlier run */
    assert_true(generator_runs());
    index = json_load_file(GENERATED "/index.json", 0, &error);
    assert_non_null(index);
    run_index(index, &t);
    tally_stored(t.valid + t.refused);
    assert_int_equal(t.wrong, 0);
    assert_true(t.valid >= 40);
    assert_true(t.refused >= 450);
    json_decref(index);
}

/* Of every kind that is stored. */
static void the_hosts_table_is_enough(void **state)
{
    json_t *index = stored_index();
    uint8_t table[16384];
    size_t i;
    json_t *entry;

    (void)state;
    if (!index)
        skip();
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct attest_result r;
        struct snp_case c;

        if (!is_snp(entry))
            continue;
        case_load(entry, &c);
        assert_int_equal(verify(&c, table_write(&c, table), NULL, NULL, &r), ATTEST_OK);
        check_accepted(&c, &r);
        case_clear(&c);
    }
    json_decref(index);
}

/* The form that AWS's hosts write: GUIDs big-endian; some pad the certificate with zeros. */
static void a_big_endian_table_with_a_padded_certificate_is_enough(void **state)
{
    static const uint8_t zeros[24];
    json_t *index = stored_index();
    uint8_t table[16384] = {0};
    struct writer w = writer_over(table, sizeof table);
    struct attest_result r;
    struct buffer padded = {0};
    struct snp_case c;
    size_t offset = 96;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, VLEK, &c);
    assert_int_equal(buffer_append(&padded, buffer_span(&c.vek)), ERR_NONE);
    assert_int_equal(buffer_append(&padded, SPAN_OF(zeros)), ERR_NONE);
    table_entry(&w, "a8074bc2a25a483eaae639c045a0b8a1", &offset, &padded);
    table_entry(&w, "4ab7b379bbac4fe4a02f05aef327c782", &offset, &c.intermediate);
    table_entry(&w, "c0b406a4a803495297433fb6014cd0ae", &offset, &c.ark);
    writer_put(&w, SPAN_OF(zeros));
    writer_put(&w, buffer_span(&padded));
    writer_put(&w, buffer_span(&c.intermediate));
    writer_put(&w, buffer_span(&c.ark));
    assert_int_equal(verify(&c, SPAN_OF(table), NULL, NULL, &r), ATTEST_OK);
    buffer_clear(&padded);
    case_clear(&c);
    json_decref(index);
}

/* After a firmware update, the host still sends the earlier VCEK. */
static void a_vek_that_does_not_fit_is_passed_over_for_one_that_does(void **state)
{
    json_t *index = stored_index();
    struct attest_vek *vek = NULL;
    enum attest_reason reason;
    struct attest_result r;
    struct snp_case c, other;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, MILAN, &c);
    load_by_id(index, MILAN_V2, &other);
    struct attest_amd *amd = amd_of(&c, &reason);
    const struct attest_amd *amds[] = {amd};
    assert_int_equal(attest_vek_new(buffer_span(&c.vek), &vek, &reason), ERR_NONE);
    const struct attest_vek *veks[] = {vek};
    const struct attest_collateral_set without = {.amd_count = 1, .amd = amds};
    const struct attest_collateral_set with = {
        .amd_count = 1, .amd = amds, .vek_count = 1, .veks = veks};

    assert_int_not_equal(verify(&c, buffer_span(&other.vek), &without, NULL, &r), ATTEST_OK);
    assert_string_equal(r.step, "vek");
    assert_true(r.missing.known); /* so the right one can be fetched */
    assert_memory_equal(r.missing.chip_id, c.report.data + 0x1a0, sizeof r.missing.chip_id);
    assert_int_equal(verify(&c, buffer_span(&other.vek), &with, NULL, &r), ATTEST_OK);
    attest_vek_free(&vek);
    attest_amd_free(&amd);
    case_clear(&c);
    case_clear(&other);
    json_decref(index);
}

static void a_masked_chip_gets_advice_that_can_work(void **state)
{
    json_t *index = stored_index();
    struct attest_result r;
    struct snp_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, MILAN, &c);
    memset(c.report.data + 0x1a0, 0, 64);
    assert_int_equal(verify(&c, (struct span){0}, NULL, NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_non_null(strstr(r.expected, "certificate table of the host"));
    assert_non_null(strstr(r.expected, "masks"));
    case_clear(&c);
    load_by_id(index, VLEK, &c);
    assert_int_equal(verify(&c, (struct span){0}, NULL, NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_non_null(strstr(r.expected, "certificate table of the host"));
    case_clear(&c);
    json_decref(index);
}

/*
 * Damage.
 */

static void every_prefix_and_every_tail_is_refused(void **state)
{
    json_t *index = stored_index();
    struct attest_result r;
    struct snp_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, TURIN, &c);
    for (size_t size = 0; size < SNP_REPORT_SIZE; size++) {
        c.report.size = size;
        assert_int_equal(judge_with_pem(&c, NULL, &r), ATTEST_MALFORMED);
        assert_false(r.authentic);
        assert_int_equal(attest_evidence_kind(buffer_span(&c.report)), ATTEST_TEE_NONE);
    }
    c.report.size = SNP_REPORT_SIZE;
    assert_int_equal(attest_evidence_kind(buffer_span(&c.report)), ATTEST_SNP);
    assert_int_equal(buffer_append(&c.report, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(judge_with_pem(&c, NULL, &r), ATTEST_TRAILING_DATA);
    case_clear(&c);
    json_decref(index);
}

/* Flips `bytes`, the report or the VEK of `c`; the chain is read once. */
static size_t flip_all(struct snp_case *c, struct buffer *bytes, size_t step, size_t first)
{
    struct attest_cache *cache = NULL;
    enum attest_reason reason;
    struct attest_amd *amd = amd_of(c, &reason);
    const struct attest_amd *amds[] = {amd};
    const struct attest_collateral_set set = {.amd_count = 1, .amd = amds};
    struct attest_result r;
    size_t flipped = 0;

    assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
    assert_int_equal(verify(c, buffer_span(&c->vek), &set, cache, &r), ATTEST_OK);
    for (size_t bit = first; bit < 8 * bytes->size; bit += step, flipped++) {
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (verify(c, buffer_span(&c->vek), &set, cache, &r) == ATTEST_OK)
            fail_msg("%s: accepted with bit %zu flipped", c->id, bit);
        assert_false(r.authentic);
        bytes->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(verify(c, buffer_span(&c->vek), &set, cache, &r), ATTEST_OK); /* and back */
    attest_cache_free(&cache);
    attest_amd_free(&amd);
    return flipped;
}

/* The genuine chain stays in the cache: the fast path is tested. */
static void every_flipped_bit_is_refused(void **state)
{
    const bool exhaustive = getenv("VOUCHSAFE_EXHAUSTIVE") != NULL;
    json_t *index = stored_index();
    size_t flipped = 0;
    size_t i;
    json_t *entry;

    (void)state;
    if (!index)
        skip();
    json_array_foreach(json_object_get(index, "cases"), i, entry)
    {
        struct snp_case c;

        if (!is_snp(entry))
            continue;
        case_load(entry, &c);
        flipped += flip_all(&c, &c.report, exhaustive ? 1 : 8 * c.report.size / FLIPS_PER_REPORT,
                            exhaustive ? 0 : i % 64);
        flipped += flip_all(&c, &c.vek, exhaustive ? 1 : 8 * c.vek.size / FLIPS_PER_VEK,
                            exhaustive ? 0 : i % 64);
        case_clear(&c);
    }
    (void)fprintf(stderr, "# %zu bits flipped\n", flipped);
    assert_true(flipped >= 15 * (FLIPS_PER_REPORT + FLIPS_PER_VEK));
    json_decref(index);
}

/*
 * Which certificates are used, and which are missing.
 */

static void what_is_missing_is_named(void **state)
{
    static const struct {
        const char *id;
        bool known; /* without a VEK: from the CPUID */
    } cases[] = {
        {MILAN,    true },
        {MILAN_V2, false},
        {GENOA,    true },
        {TURIN,    true },
        {VLEK,     true }
    };
    json_t *index = stored_index();

    (void)state;
    if (!index)
        skip();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum attest_reason reason;
        struct attest_result r;
        struct snp_case c;

        load_by_id(index, cases[i].id, &c);
        assert_int_equal(verify(&c, (struct span){0}, NULL, NULL, &r), ATTEST_COLLATERAL_MISSING);
        assert_string_equal(r.step, "vek");
        assert_int_equal(r.missing.known, cases[i].known);
        assert_int_equal(r.missing.by_vlek, c.by_vlek);
        assert_memory_equal(r.missing.chip_id, c.report.data + 0x1a0, sizeof r.missing.chip_id);
        assert_int_equal(r.missing.vendor, cases[i].known ? c.product : ATTEST_INTEL);
        assert_false(r.authentic);

        /* only the VEK: now the product is known, and its chain is missing */
        assert_int_equal(verify(&c, buffer_span(&c.vek), NULL, NULL, &r),
                         ATTEST_COLLATERAL_MISSING);
        assert_string_equal(r.step, "vek_chain");
        assert_true(r.missing.known);
        assert_int_equal(r.missing.vendor, c.product);
        assert_int_equal(r.missing.tcb.microcode, c.report.data[0x187]);

        /* with the chain, the report verifies */
        struct attest_amd *amd = amd_of(&c, &reason);
        const struct attest_amd *amds[] = {amd};
        const struct attest_collateral_set set = {.amd_count = 1, .amd = amds};

        assert_int_equal(attest_amd_product(amd), c.product);
        assert_true(attest_amd_expiry(amd).ms > c.now.ms);
        assert_int_equal(verify(&c, buffer_span(&c.vek), &set, NULL, &r), ATTEST_OK);
        attest_amd_free(&amd);
        case_clear(&c);
    }
    json_decref(index);
}

enum { MANY = 5 };
static const char *const many[MANY] = {MILAN, GENOA, TURIN, VLEK, MILAN_V2};

/* With all certificates at once, each report finds its own. */
static void certificates_are_chosen_from_a_set(void **state)
{
    json_t *index = stored_index();
    struct snp_case c[MANY];
    struct attest_amd *amd[MANY];
    struct attest_vek *vek[MANY];
    const struct attest_amd *amds[MANY];
    const struct attest_vek *veks[MANY];
    struct attest_collateral_set set = {
        .amd_count = MANY, .amd = amds, .vek_count = MANY, .veks = veks};
    enum attest_reason reason;
    struct attest_result r;

    (void)state;
    if (!index)
        skip();
    for (size_t i = 0; i < MANY; i++) {
        load_by_id(index, many[i], &c[i]);
        amds[i] = amd[i] = amd_of(&c[i], &reason);
        veks[i] = vek[i] = vek_of(&c[i], &reason);
        assert_true(attest_vek_expiry(vek[i]).ms > c[i].now.ms);
    }
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(verify(&c[i], (struct span){0}, &set, NULL, &r), ATTEST_OK);
        check_accepted(&c[i], &r);
        /* the host's outdated certificate does not hide the right one */
        assert_int_equal(verify(&c[i], buffer_span(&c[(i + 1) % MANY].vek), &set, NULL, &r),
                         ATTEST_OK);
    }
    set.vek_count = 2; /* Milan's and Genoa's: neither is Turin's */
    assert_int_equal(verify(&c[2], (struct span){0}, &set, NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_true(r.missing.known);
    set.vek_count = 1; /* the only one: the refusal names the difference */
    assert_int_equal(verify(&c[2], (struct span){0}, &set, NULL, &r), ATTEST_VEK_TCB_MISMATCH);
    assert_true(r.missing.known);
    set.vek_count = MANY;
    set.amd_count = 1; /* Milan's VCEK chain is not for a VLEK, and not for Turin */
    assert_int_equal(verify(&c[3], (struct span){0}, &set, NULL, &r), ATTEST_COLLATERAL_MISSING);
    assert_int_equal(verify(&c[2], (struct span){0}, &set, NULL, &r), ATTEST_PRODUCT_MISMATCH);
    for (size_t i = 0; i < MANY; i++) {
        attest_vek_free(&vek[i]);
        attest_amd_free(&amd[i]);
        case_clear(&c[i]);
    }
    json_decref(index);
}

/* Certificates with a report may be any bytes; malformed ones never verify. */
static void input_that_is_not_a_certificate_is_refused(void **state)
{
    const struct {
        struct span certificates;
        enum attest_reason reason;
    } cases[] = {
        {SPAN_LITERAL("x"),                                                        ATTEST_VEK_CHAIN_INVALID},
        {SPAN_LITERAL("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"),
         ATTEST_VEK_CHAIN_INVALID                                                                          },
        {SPAN_LITERAL("-----BEGIN"),                                               ATTEST_VEK_CHAIN_INVALID},
        {SPAN_LITERAL("\x30\x82\x01\x00"),                                         ATTEST_VEK_CHAIN_INVALID},
        {SPAN_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
         ATTEST_COLLATERAL_MISSING                                                                         },
    };
    json_t *index = stored_index();
    struct buffer pem = {0};
    struct attest_result r;
    struct snp_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, MILAN, &c);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(verify(&c, cases[i].certificates, NULL, NULL, &r), cases[i].reason);
    pem_add(&c.vek, &pem);
    pem_add(&c.vek, &pem); /* two of one role */
    assert_int_equal(verify(&c, buffer_span(&pem), NULL, NULL, &r), ATTEST_VEK_CHAIN_INVALID);
    for (size_t i = 0; i < 9; i++)
        pem_add(&c.ark, &pem);
    assert_int_equal(verify(&c, buffer_span(&pem), NULL, NULL, &r), ATTEST_VEK_CHAIN_INVALID);
    while (pem.size <= ATTEST_CHAIN_MAX)
        pem_add(&c.ark, &pem);
    assert_int_equal(verify(&c, buffer_span(&pem), NULL, NULL, &r), ATTEST_TOO_LARGE);
    buffer_clear(&pem);
    case_clear(&c);
    json_decref(index);
}

static void input_that_is_not_collateral_is_refused(void **state)
{
    json_t *index = stored_index();
    struct buffer pem = {0}, two = {0};
    struct attest_amd_input input = {0};
    struct attest_amd *amd = NULL;
    struct attest_vek *vek = NULL;
    enum attest_reason reason;
    struct snp_case milan, genoa, vlek;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, MILAN, &milan);
    load_by_id(index, GENOA, &genoa);
    load_by_id(index, VLEK, &vlek);
    assert_int_equal(attest_amd_new(&milan.trust, &input, &amd, &reason), ERR_DENIED);
    assert_int_equal(reason, ATTEST_COLLATERAL_MISSING);

    pem_add(&milan.ark, &pem); /* the ARK comes second */
    pem_add(&milan.intermediate, &pem);
    input.vcek_chain = buffer_span(&pem);
    assert_int_equal(attest_amd_new(&milan.trust, &input, &amd, &reason), ERR_DENIED);
    assert_int_equal(reason, ATTEST_VEK_CHAIN_INVALID);

    pem.size = 0;
    pem_add(&genoa.intermediate, &pem); /* both products at once */
    pem_add(&genoa.ark, &pem);
    pem_add(&vlek.intermediate, &two);
    pem_add(&vlek.ark, &two);
    input =
        (struct attest_amd_input){.vcek_chain = buffer_span(&pem), .vlek_chain = buffer_span(&two)};
    assert_int_equal(attest_amd_new(&milan.trust, &input, &amd, &reason), ERR_DENIED);
    assert_int_equal(reason, ATTEST_PRODUCT_MISMATCH);

    pem.size = 0;
    pem_add(&milan.intermediate, &pem); /* both types of one product */
    pem_add(&milan.ark, &pem);
    input.vcek_chain = buffer_span(&pem);
    assert_int_equal(attest_amd_new(&milan.trust, &input, &amd, &reason), ERR_NONE);
    assert_int_equal(attest_amd_product(amd), ATTEST_AMD_MILAN);
    attest_amd_free(&amd);

    assert_int_equal(attest_vek_new(buffer_span(&milan.ark), &vek, &reason), ERR_DENIED);
    assert_int_equal(reason, ATTEST_VEK_CHAIN_INVALID);
    assert_int_equal(attest_vek_new(buffer_span(&pem), &vek, &reason), ERR_DENIED);
    pem.size = 0;
    pem_add(&milan.vek, &pem);
    assert_int_equal(attest_vek_new(buffer_span(&pem), &vek, &reason), ERR_NONE);
    attest_vek_free(&vek);
    buffer_clear(&pem);
    buffer_clear(&two);
    case_clear(&milan);
    case_clear(&genoa);
    case_clear(&vlek);
    json_decref(index);
}

/* Cached results do not replace the checks of pins and time. */
static void a_cached_chain_is_checked_again(void **state)
{
    json_t *index = stored_index();
    struct attest_cache *cache = NULL;
    struct attest_trust vendors;
    struct attest_result r;
    struct timestamp now;
    struct snp_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, GENOA, &c);
    assert_int_equal(attest_cache_new(4, &cache), ERR_NONE);
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_OK);
    now = c.now;
    c.now = timestamp_of_seconds(2840140800); /* 2060 */
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_CERTIFICATE_TIME);
    c.now = timestamp_of_seconds(1600000000);
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_CERTIFICATE_TIME);
    c.now = now;
    vendors = c.trust;
    c.trust.count = 0;
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_ROOT_NOT_PINNED);
    assert_false(r.authentic);
    c.trust = vendors;
    for (size_t i = 0; i < c.trust.count; i++) /* the same key, but another product's */
        if (c.trust.roots[i].vendor == ATTEST_AMD_GENOA)
            c.trust.roots[i].vendor = ATTEST_AMD_MILAN;
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_ROOT_NOT_PINNED);
    c.trust = vendors;
    for (size_t i = 0; i < c.trust.count; i++)
        c.trust.roots[i].simulated = true;
    assert_int_equal(judge_with_pem(&c, cache, &r), ATTEST_OK);
    assert_true(r.simulated);
    assert_string_equal(r.tee, "simulated");
    attest_cache_free(&cache);
    case_clear(&c);
    json_decref(index);
}

/* s may become n - s, and padding of the table may change: the id stays the same. */
static void the_signed_bytes_identify_evidence(void **state)
{
    json_t *index = stored_index();
    uint8_t first[SHA256_SIZE];
    struct attest_result r;
    struct snp_case c;

    (void)state;
    if (!index)
        skip();
    load_by_id(index, MILAN, &c);
    assert_int_equal(judge_with_pem(&c, NULL, &r), ATTEST_OK);
    memcpy(first, r.evidence_id, sizeof first);
    assert_int_equal(judge_with_collateral(&c, NULL, &r), ATTEST_OK);
    assert_memory_equal(first, r.evidence_id, sizeof first);
    case_clear(&c);
    load_by_id(index, "snp-v3-milan-vcek-confidential-containers-2cf09f", &c);
    assert_int_equal(judge_with_pem(&c, NULL, &r), ATTEST_OK);
    assert_memory_not_equal(first, r.evidence_id, sizeof first);
    case_clear(&c);
    json_decref(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_reports_are_judged_as_documented),
        cmocka_unit_test(derived_reports_are_judged_as_documented),
        cmocka_unit_test(the_hosts_table_is_enough),
        cmocka_unit_test(a_big_endian_table_with_a_padded_certificate_is_enough),
        cmocka_unit_test(a_vek_that_does_not_fit_is_passed_over_for_one_that_does),
        cmocka_unit_test(a_masked_chip_gets_advice_that_can_work),
        cmocka_unit_test(every_prefix_and_every_tail_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(certificates_are_chosen_from_a_set),
        cmocka_unit_test(input_that_is_not_a_certificate_is_refused),
        cmocka_unit_test(input_that_is_not_collateral_is_refused),
        cmocka_unit_test(a_cached_chain_is_checked_again),
        cmocka_unit_test(the_signed_bytes_identify_evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
