#include <assert.h>

#include "attest/attest.h"
#include "base/writer.h"

#define CLAIMS_DOMAIN "vouchsafe-claims-v1"
#define CLAIMS_MAX 4096

static void put_sized(struct writer *w, const char *text)
{
    struct span s = span_string(text);

    writer_u16be(w, (uint16_t)s.size);
    writer_put(w, s);
}

static void put_report(struct writer *w, const struct sgx_report *report)
{
    writer_put(w, SPAN_OF(report->cpu_svn));
    writer_u32be(w, report->misc_select);
    writer_put(w, SPAN_OF(report->attributes));
    writer_put(w, SPAN_OF(report->mr_enclave));
    writer_put(w, SPAN_OF(report->mr_signer));
    writer_put(w, SPAN_OF(report->config_id));
    writer_u16be(w, report->isv_prod_id);
    writer_u16be(w, report->isv_svn);
    writer_u16be(w, report->config_svn);
    writer_put(w, SPAN_OF(report->isv_ext_prod_id));
    writer_put(w, SPAN_OF(report->isv_family_id));
}

/*
 * Fixed order, big-endian, every text with its length. The expiry is left out: it belongs to the
 * collateral of the day, not to what the evidence says.
 */
void attest_claims_digest(const struct attest_result *result, uint8_t out[SHA256_SIZE])
{
    uint8_t bytes[CLAIMS_MAX];
    struct writer w = writer_over(bytes, sizeof bytes);
    struct span encoded = {0};

    put_sized(&w, CLAIMS_DOMAIN);
    put_sized(&w, result->tee);
    writer_u8(&w, result->simulated ? 1 : 0);
    writer_u16be(&w, result->version);
    writer_u8(&w, result->debug ? 1 : 0);
    put_report(&w, &result->sgx);
    writer_put(&w, SPAN_OF(result->report_data));
    put_sized(&w, tcb_status_name(result->status));
    writer_u16be(&w, (uint16_t)result->advisory_count);
    for (size_t i = 0; i < result->advisory_count; i++)
        put_sized(&w, result->advisories[i]);
    writer_u64be(&w, (uint64_t)result->tcb_date.ms);
    writer_u32be(&w, result->tcb_evaluation_number);
    writer_put(&w, SPAN_OF(result->fmspc));
    writer_put(&w, SPAN_OF(result->pce_id));
    writer_put(&w, SPAN_OF(result->ppid));
    enum err e = writer_finish(&w, &encoded);
    assert(e == ERR_NONE); /* every field is bounded, and CLAIMS_MAX is above their sum */
    sha256(encoded, out);
}
