/*
 * SEV-SNP evidence: a report, then the certificates that come with it. Accepted evidence is
 * authentic and complete; refused evidence has a reason.
 */
#include <assert.h>
#include <string.h>

#include "attest/snp_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parse(struct span bytes)
{
    struct snp_evidence parsed;
    struct refusal r = {0};

    if (snp_report_parse(bytes, &parsed, &r) == ERR_NONE) {
        assert(bytes.size == SNP_REPORT_SIZE);
        assert(parsed.report.version >= 2 && parsed.report.version <= 5);
        assert(parsed.report.vmpl <= 3 && parsed.report.has_cpuid == (parsed.report.version >= 3));
        assert(parsed.signed_bytes.data == bytes.data);
    } else {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
    }
}

static void check_result(enum err e, const struct attest_result *result)
{
    assert((e == ERR_NONE) == (result->reason == ATTEST_OK));
    assert(e == ERR_NONE || (e == ERR_DENIED && result->step[0] != '\0'));
    assert(result->kind == ATTEST_SNP);
    if (e != ERR_NONE)
        return;
    assert(result->authentic && !result->simulated && result->missing.known);
    assert(result->missing.vendor == result->snp.product);
    assert(strcmp(result->steps[result->step_count - 1], "tcb_order") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span all = span_of(data, size);
    const size_t report = size < SNP_REPORT_SIZE ? size : SNP_REPORT_SIZE;
    const struct attest_evidence evidence = {
        .kind = ATTEST_SNP,
        .bytes = span_slice(all, 0, report),
        .certificates = span_slice(all, report, size),
    };
    struct attest_trust trust;
    struct attest_result result;
    enum err e;

    check_parse(evidence.bytes);
    attest_trust_vendors(&trust);
    e = attest_verify(&trust, NULL, NULL, &evidence, timestamp_of_seconds(1767519774), &result);
    check_result(e, &result);
    return 0;
}
