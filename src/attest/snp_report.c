#include "attest/snp_report.h"

#include <string.h>

#include "base/reader.h"

enum { VERSION_MIN = 2, VERSION_CPUID = 3, VERSION_MITIGATIONS = 5, VERSION_MAX = 5 };
enum { ALGORITHM_ECDSA_P384_SHA384 = 1 };
enum { KEY_VCEK = 0, KEY_VLEK = 1 };
#define KEY_INFO_MASK_CHIP_KEY (1u << 1)
#define KEY_INFO_SIGNING_KEY(info) ((info) >> 2 & 7u)
#define KEY_INFO_KNOWN 0x1fu
#define POLICY_RESERVED_ONE (1ull << 17)
#define POLICY_KNOWN ((1ull << 26) - 1)
enum { VMPL_MAX = 3 }; /* 0xffffffff: the host requested the report, so no guest chose its data */
enum { SCALAR_FIELD_SIZE = 72 };

static const char step[] = "report";

/* Reserved bytes of one size; the version decides which bytes are reserved. */
static void reserved_read(struct reader *r, size_t size)
{
    if (!span_is_zero(reader_take(r, size)))
        r->failed = true;
}

static void cpuid_read(struct reader *r, struct snp_report *report)
{
    if (report->version < VERSION_CPUID) {
        reserved_read(r, 3);
        return;
    }
    report->has_cpuid = true;
    report->cpuid_family = reader_u8(r);
    report->cpuid_model = reader_u8(r);
    report->cpuid_stepping = reader_u8(r);
}

static void mitigations_read(struct reader *r, struct snp_report *report)
{
    if (report->version < VERSION_MITIGATIONS) {
        reserved_read(r, 16);
        return;
    }
    report->launch_mitigations = reader_u64le(r);
    report->current_mitigations = reader_u64le(r);
}

static void body_read(struct reader *r, struct snp_report *report)
{
    report->version = reader_u32le(r);
    report->guest_svn = reader_u32le(r);
    report->policy = reader_u64le(r);
    reader_copy(r, report->family_id, sizeof report->family_id);
    reader_copy(r, report->image_id, sizeof report->image_id);
    report->vmpl = reader_u32le(r);
    report->signature_algorithm = reader_u32le(r);
    reader_copy(r, report->current_tcb_bytes, SNP_TCB_SIZE);
    report->platform_info = reader_u64le(r);
    report->key_info = reader_u32le(r);
    reserved_read(r, 4);
    reader_copy(r, report->report_data, sizeof report->report_data);
    reader_copy(r, report->measurement, sizeof report->measurement);
    reader_copy(r, report->host_data, sizeof report->host_data);
    reader_copy(r, report->id_key_digest, sizeof report->id_key_digest);
    reader_copy(r, report->author_key_digest, sizeof report->author_key_digest);
    reader_copy(r, report->report_id, sizeof report->report_id);
    reader_copy(r, report->report_id_ma, sizeof report->report_id_ma);
    reader_copy(r, report->reported_tcb_bytes, SNP_TCB_SIZE);
    cpuid_read(r, report);
    reserved_read(r, 21);
    reader_copy(r, report->chip_id, sizeof report->chip_id);
    reader_copy(r, report->committed_tcb_bytes, SNP_TCB_SIZE);
    reader_copy(r, report->current_version, sizeof report->current_version);
    reserved_read(r, 1);
    reader_copy(r, report->committed_version, sizeof report->committed_version);
    reserved_read(r, 1);
    reader_copy(r, report->launch_tcb_bytes, SNP_TCB_SIZE);
    mitigations_read(r, report);
    reserved_read(r, 152);
}

/* 48 bytes little-endian in a field of 72. The other bytes must be zero, because they do not
 * count. */
static void scalar_read(struct reader *r, uint8_t out[P384_SCALAR_SIZE])
{
    struct span scalar = reader_take(r, P384_SCALAR_SIZE);

    for (size_t i = 0; i < scalar.size; i++)
        out[P384_SCALAR_SIZE - 1 - i] = scalar.data[i];
    reserved_read(r, SCALAR_FIELD_SIZE - P384_SCALAR_SIZE);
}

MUST_CHECK static enum err size_check(struct span bytes, struct refusal *r)
{
    if (bytes.size == SNP_REPORT_SIZE)
        return ERR_NONE;
    return refuse_number(r, bytes.size < SNP_REPORT_SIZE ? ATTEST_MALFORMED : ATTEST_TRAILING_DATA,
                         step, "bytes", SNP_REPORT_SIZE, bytes.size);
}

/* First, because the version determines the layout. */
MUST_CHECK static enum err version_check(struct span bytes, struct refusal *r)
{
    struct reader reader = reader_over(bytes);
    const uint32_t version = reader_u32le(&reader);

    if (version < VERSION_MIN || version > VERSION_MAX)
        return refuse_number(r, ATTEST_UNSUPPORTED_VERSION, step, "version 2 to", VERSION_MAX,
                             version);
    return ERR_NONE;
}

MUST_CHECK static enum err key_check(const struct snp_report *report, struct refusal *r)
{
    const unsigned key = KEY_INFO_SIGNING_KEY(report->key_info);

    if (report->signature_algorithm != ALGORITHM_ECDSA_P384_SHA384)
        return refuse_number(r, ATTEST_UNSUPPORTED_ALGORITHM, step, "signature algorithm",
                             ALGORITHM_ECDSA_P384_SHA384, report->signature_algorithm);
    if ((report->key_info & ~KEY_INFO_KNOWN) != 0)
        return refuse_number(r, ATTEST_MALFORMED, step, "key info at most", KEY_INFO_KNOWN,
                             report->key_info);
    if (key != KEY_VCEK && key != KEY_VLEK)
        return refuse_number(r, ATTEST_VEK_TYPE_MISMATCH, step, "signing key at most", KEY_VLEK,
                             key);
    if ((report->key_info & KEY_INFO_MASK_CHIP_KEY) != 0)
        return refuse(r, ATTEST_VEK_TYPE_MISMATCH, step, "a report signed by VCEK or VLEK",
                      "MASK_CHIP_KEY");
    return ERR_NONE;
}

/* An unknown bit of POLICY could open the guest to the host, as DEBUG does. */
MUST_CHECK static enum err fields_check(const struct snp_report *report, struct refusal *r)
{
    if ((report->policy & POLICY_RESERVED_ONE) == 0 || (report->policy & ~POLICY_KNOWN) != 0)
        return refuse(r, ATTEST_MALFORMED, step, "a guest policy with only known bits", NULL);
    if (report->vmpl > VMPL_MAX)
        return refuse_number(r, ATTEST_MALFORMED, step, "VMPL at most", VMPL_MAX, report->vmpl);
    return ERR_NONE;
}

enum err snp_report_parse(struct span bytes, struct snp_evidence *out, struct refusal *r)
{
    struct snp_evidence parsed = {.signed_bytes = span_slice(bytes, 0, SNP_SIGNED_SIZE)};
    struct reader reader = reader_over(bytes);
    enum err e;

    if ((e = size_check(bytes, r)) != ERR_NONE || (e = version_check(bytes, r)) != ERR_NONE)
        return e;
    body_read(&reader, &parsed.report);
    scalar_read(&reader, parsed.signature);
    scalar_read(&reader, parsed.signature + P384_SCALAR_SIZE);
    reserved_read(&reader, reader.rest.size);
    if (reader_finish(&reader) != ERR_NONE)
        return refuse(r, ATTEST_MALFORMED, step, "zero in all reserved bytes of its version", NULL);
    if ((e = key_check(&parsed.report, r)) != ERR_NONE ||
        (e = fields_check(&parsed.report, r)) != ERR_NONE)
        return e;
    parsed.by_vlek = KEY_INFO_SIGNING_KEY(parsed.report.key_info) == KEY_VLEK;
    *out = parsed;
    return ERR_NONE;
}

enum err snp_report_product(const struct snp_report *report, enum attest_vendor *out)
{
    static const struct {
        uint8_t family, first_model, last_model;
        enum attest_vendor product;
    } cpus[] = {
        {0x19, 0x00, 0x0f, ATTEST_AMD_MILAN},
        {0x19, 0x10, 0x1f, ATTEST_AMD_GENOA},
        {0x19, 0xa0, 0xaf, ATTEST_AMD_GENOA},
        {0x1a, 0x00, 0x1f, ATTEST_AMD_TURIN},
    };

    for (size_t i = 0; report->has_cpuid && i < COUNT_OF(cpus); i++) {
        if (report->cpuid_family == cpus[i].family && report->cpuid_model >= cpus[i].first_model &&
            report->cpuid_model <= cpus[i].last_model) {
            *out = cpus[i].product;
            return ERR_NONE;
        }
    }
    return ERR_NOT_FOUND;
}

const char *snp_product_name(enum attest_vendor product)
{
    static const char *const names[ATTEST_VENDOR_COUNT] = {
        [ATTEST_AMD_MILAN] = "Milan",
        [ATTEST_AMD_GENOA] = "Genoa",
        [ATTEST_AMD_TURIN] = "Turin",
    };

    return (unsigned)product < ATTEST_VENDOR_COUNT && names[product] ? names[product] : "";
}

struct snp_tcb snp_tcb_read(const uint8_t bytes[SNP_TCB_SIZE], enum attest_vendor product)
{
    if (product == ATTEST_AMD_TURIN)
        return (struct snp_tcb){.fmc = bytes[0],
                                .boot_loader = bytes[1],
                                .tee = bytes[2],
                                .snp = bytes[3],
                                .microcode = bytes[7]};
    return (struct snp_tcb){
        .boot_loader = bytes[0], .tee = bytes[1], .snp = bytes[6], .microcode = bytes[7]};
}

bool snp_tcb_reserved_is_zero(const uint8_t bytes[SNP_TCB_SIZE], enum attest_vendor product)
{
    return span_is_zero(product == ATTEST_AMD_TURIN ? span_of(bytes + 4, 3)
                                                    : span_of(bytes + 2, 4));
}

bool snp_tcb_at_most(const struct snp_tcb *a, const struct snp_tcb *b)
{
    return a->boot_loader <= b->boot_loader && a->tee <= b->tee && a->snp <= b->snp &&
           a->microcode <= b->microcode && a->fmc <= b->fmc;
}
