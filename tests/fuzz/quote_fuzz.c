/*
 * Quotes. Unchanged input: if it parses, its spans are inside the input, and no random bytes
 * verify. After a first byte of 0xfe, the input is a body that a forged root signs. So it passes
 * the signatures, and reaches the checks of reports, TDX modules and TCB levels.
 */
#include <assert.h>
#include <string.h>

#include "attest/quote.h"
#include "attest/sgx_report.h"
#include "attest/td_report.h"
#include "unit/attest/forge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void assert_inside(struct span part, struct span whole)
{
    assert(part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
                              (size_t)(part.data - whole.data) <= whole.size - part.size));
}

static void assert_body_fits(const struct quote *q)
{
    const struct quote_header *h = &q->header;

    assert(h->version >= 3 && h->version <= 5);
    if (h->tee_type == QUOTE_TEE_SGX)
        assert(q->body.size == SGX_REPORT_SIZE);
    else
        assert(h->tee_type == QUOTE_TEE_TDX && h->version >= 4 &&
               (q->body.size == TD_REPORT_10_SIZE ||
                (q->body.size == TD_REPORT_15_SIZE && h->version == 5)));
    assert(q->signed_bytes.size == QUOTE_HEADER_SIZE + (h->version == 5 ? 6 : 0) + q->body.size);
}

static void as_it_comes(struct span evidence)
{
    const struct attest_collateral_set none = {0};
    struct attest_trust trust;
    struct attest_result result;
    struct refusal r = {0};
    struct quote q;

    if (quote_parse(evidence, &q, &r) == ERR_NONE) {
        assert_inside(q.signed_bytes, evidence);
        assert_inside(q.body, evidence);
        assert_inside(q.certification.qe_report, evidence);
        assert_inside(q.certification.qe_auth_data, evidence);
        assert_inside(q.certification.data, evidence);
        assert_body_fits(&q);
    } else {
        assert(r.reason != ATTEST_OK && r.step[0] != '\0');
    }
    attest_trust_vendors(&trust);
    assert(attest_verify(&trust, &none, NULL, &(struct attest_evidence){.bytes = evidence},
                         timestamp_of_seconds(1756530546), &result) != ERR_NONE);
    assert(result.reason != ATTEST_OK);
}

#define ZEROS_48                                                                                   \
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"   \
    "000000"
#define MODULE                                                                                     \
    "\"mrsigner\":\"" ZEROS_48 "\",\"attributes\":\"0000000000000000\","                           \
    "\"attributesMask\":\"FFFFFFFFFFFFFFFF\""
#define SVNS(a, b, c)                                                                              \
    "[{\"svn\":" a "},{\"svn\":" b "},{\"svn\":" c "},{\"svn\":0},{\"svn\":0},{\"svn\":0},"        \
    "{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},{\"svn\":0},"         \
    "{\"svn\":0},{\"svn\":0},{\"svn\":0}]"
#define LEVEL(sgx, tdx, status)                                                                    \
    "{\"tcb\":{\"sgxtcbcomponents\":" sgx ",\"pcesvn\":11,\"tdxtcbcomponents\":" tdx               \
    "},\"tcbDate\":\"2025-05-14T00:00:00Z\",\"tcbStatus\":\"" status "\"}"
#define MODULE_LEVEL(svn, status)                                                                  \
    "{\"tcb\":{\"isvsvn\":" svn "},\"tcbDate\":\"2025-05-14T00:00:00Z\",\"tcbStatus\":\"" status   \
    "\"}"
#define HEAD(id)                                                                                   \
    "{\"id\":\"" id "\",\"version\":3,\"issueDate\":\"2025-10-01T00:00:00Z\","                     \
    "\"nextUpdate\":\"2025-10-31T00:00:00Z\",\"fmspc\":\"" FORGE_FMSPC "\",\"pceId\":\"0000\","    \
    "\"tcbType\":0,\"tcbEvaluationDataNumber\":17"
#define LEVELS                                                                                     \
    ",\"tcbLevels\":[" LEVEL(SVNS("7", "7", "2"), SVNS("5", "0", "7"),                             \
                             "SWHardeningNeeded") "," LEVEL(SVNS("6", "6", "2"),                   \
                                                            SVNS("3", "0", "6"), "OutOfDate") "]}"

static const char sgx_info[] = HEAD("SGX") LEVELS;
static const char tdx_info[] =
    HEAD("TDX") ",\"tdxModule\":{" MODULE "},\"tdxModuleIdentities\":[{\"id\":\"TDX_01\"," MODULE
                ",\"tcbLevels\":[" MODULE_LEVEL("6", "UpToDate") "," MODULE_LEVEL(
                    "4", "OutOfDate") "," MODULE_LEVEL("2", "Revoked") "]}]" LEVELS;

static struct forge forge;
static struct attest_collateral *collateral[2];
static struct attest_cache *cache;

static struct attest_collateral *collateral_of(enum attest_tee tee, const char *info)
{
    struct buffer identity = {0};
    enum attest_reason reason = ATTEST_OK;
    struct attest_collateral *c;

    forge_qe_identity(tee, "UpToDate", &identity);
    c = forge_collateral(&forge, info, (const char *)identity.data, &reason);
    assert(c);
    buffer_clear(&identity);
    return c;
}

/* All forms of quotes, by the input's second byte. */
static const struct form {
    uint16_t version;
    uint32_t tee_type;
    uint16_t body_type;
    size_t size;
} forms[] = {
    {3, QUOTE_TEE_SGX, 0,                SGX_REPORT_SIZE  },
    {4, QUOTE_TEE_SGX, 0,                SGX_REPORT_SIZE  },
    {5, QUOTE_TEE_SGX, QUOTE_BODY_SGX,   SGX_REPORT_SIZE  },
    {4, QUOTE_TEE_TDX, 0,                TD_REPORT_10_SIZE},
    {5, QUOTE_TEE_TDX, QUOTE_BODY_TD_10, TD_REPORT_10_SIZE},
    {5, QUOTE_TEE_TDX, QUOTE_BODY_TD_15, TD_REPORT_15_SIZE},
};

static void signed_for(uint8_t choice, struct span body)
{
    const struct form *form = &forms[choice % COUNT_OF(forms)];
    const bool is_td = form->tee_type == QUOTE_TEE_TDX;
    const struct attest_collateral *items[] = {collateral[is_td ? 1 : 0]};
    const struct attest_collateral_set set = {.count = 1, .items = items};
    uint8_t bytes[TD_REPORT_15_SIZE] = {0};
    struct buffer quote = {0};
    struct attest_result result;
    enum err e;

    if (body.size > 0)
        memcpy(bytes, body.data, body.size < sizeof bytes ? body.size : sizeof bytes);
    forge_quote(&forge,
                &(struct forge_quote){.version = form->version,
                                      .tee_type = form->tee_type,
                                      .body_type = form->body_type,
                                      .body = span_of(bytes, form->size)},
                &quote);
    e = attest_verify(&forge.trust, &set, cache,
                      &(struct attest_evidence){.bytes = buffer_span(&quote)}, forge.now, &result);
    assert(result.authentic && result.kind == (is_td ? ATTEST_TDX : ATTEST_SGX));
    if (e == ERR_NONE)
        assert(result.status < TCB_STATUS_COUNT && result.status != TCB_UP_TO_DATE);
    else /* a body may be from a bad platform, but no other refusal is right */
        assert(is_td && (result.reason == ATTEST_TCB_NOT_SUPPORTED ||
                         result.reason == ATTEST_TDX_MODULE_MISMATCH));
    buffer_clear(&quote);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!cache) {
        forge_open(&forge);
        collateral[0] = collateral_of(ATTEST_SGX, sgx_info);
        collateral[1] = collateral_of(ATTEST_TDX, tdx_info);
        assert(attest_cache_new(4, &cache) == ERR_NONE);
    }
    if (size >= 2 && data[0] == 0xfe)
        signed_for(data[1], span_of(data + 2, size - 2));
    else
        as_it_comes(span_of(data, size));
    return 0;
}
