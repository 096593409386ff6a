#include "rules.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define X8(x) x x x x x x x x
#define B32(x) X8(x x) X8(x x)
#define B48(x) B32(x) X8(x x)

static const uint8_t nonce[32] = {1, 2, 3};
static const uint8_t key[32] = {4, 5, 6};
const struct binding good_binding = {
    .domain = REPORT_DOMAIN_SESSION,
    .for_session = true,
    .nonce = {nonce, sizeof nonce},
    .key = {key,   sizeof key  },
};

enum { TEXTS_MAX = 64 };

MUST_CHECK static enum err set(struct appraisal_rule *rule, const struct rule_text *text,
                               struct policy_fault *fault)
{
    char *copy = strdup(text->values);
    char *values[TEXTS_MAX];
    char *rest = copy;
    size_t count = 0;
    enum err e;

    assert(copy);
    for (char *value = strsep(&rest, ","); value && *text->values; value = strsep(&rest, ",")) {
        assert(count < TEXTS_MAX);
        values[count++] = value;
    }
    e = appraisal_rule_set(rule, text->key, values, count, fault);
    free(copy);
    return e;
}

enum err rule_of(struct appraisal_rule *rule, const char *tee, const struct rule_text *texts,
                 struct policy_fault *fault)
{
    enum err e = appraisal_rule_start(rule, "rule", tee, fault);

    for (; e == ERR_NONE && texts->key; texts++)
        e = set(rule, texts, fault);
    return e == ERR_NONE ? appraisal_rule_finish(rule, fault) : e;
}

static void fill_sgx(struct sgx_report *sgx)
{
    memset(sgx->mr_enclave, 0xaa, sizeof sgx->mr_enclave);
    memset(sgx->mr_signer, 0xbb, sizeof sgx->mr_signer);
    sgx->attributes[0] = 5; /* INIT, MODE64BIT */
    sgx->attributes[8] = 7;
    sgx->isv_prod_id = 7;
    sgx->isv_svn = 5;
}

static void fill_td(struct td_report *td)
{
    memset(td->mr_td, 0xa0, sizeof td->mr_td);
    memset(td->mr_seam, 0x5e, sizeof td->mr_seam);
    for (size_t i = 0; i < 4; i++)
        memset(td->rtmr[i], (int)(0xb0 + i), sizeof td->rtmr[i]);
    td->td_attributes[3] = 0x10; /* SEPT_VE_DISABLE */
    td->xfam[0] = 0xe7;
}

static void fill_snp(struct snp_report *snp)
{
    const struct snp_tcb tcb = {3, 4, 5, 6, 7};

    snp->version = 3;
    snp->guest_svn = 9;
    snp->platform_info = 0x24; /* ECC_EN, ALIAS_CHECK_COMPLETE */
    snp->policy = 0x20000 | 1 << 8 | 51;
    memset(snp->measurement, 0xc0, sizeof snp->measurement);
    memset(snp->report_id_ma, 0xff, sizeof snp->report_id_ma);
    memset(snp->chip_id, 0xc1, sizeof snp->chip_id);
    memset(snp->id_key_digest, 0xc2, sizeof snp->id_key_digest);
    memset(snp->author_key_digest, 0xc3, sizeof snp->author_key_digest);
    memset(snp->family_id, 0xc4, sizeof snp->family_id);
    memset(snp->image_id, 0xc5, sizeof snp->image_id);
    snp->reported_tcb = snp->committed_tcb = snp->launch_tcb = snp->current_tcb = tcb;
    snp->product = ATTEST_AMD_MILAN;
    snp->crl_checked = true;
}

static void fill_nitro(struct nitro_claims *nitro)
{
    nitro->timestamp_ms = 1750000000000;
    nitro->pcr_present = 0xffff;
    for (size_t i = 0; i < 16; i++) {
        nitro->pcr_size[i] = 48;
        memset(nitro->pcr[i], (int)(0xd0 + i), 48);
    }
}

void evidence_of(const char *tee, struct attest_result *out)
{
    memset(out, 0, sizeof *out);
    out->tee = tee;
    out->status = TCB_NOT_JUDGED;
    out->simulated = strcmp(tee, "simulated") == 0;
    if (strcmp(tee, "sgx") == 0 || out->simulated)
        out->kind = ATTEST_SGX;
    else
        assert(attest_tee_parse(span_string(tee), &out->kind) == ERR_NONE);
    if (out->kind == ATTEST_SGX)
        fill_sgx(&out->sgx);
    else if (out->kind == ATTEST_TDX)
        fill_td(&out->td);
    else if (out->kind == ATTEST_SNP)
        fill_snp(&out->snp);
    else
        fill_nitro(&out->nitro);
    if (out->kind == ATTEST_SGX || out->kind == ATTEST_TDX) {
        out->status = TCB_UP_TO_DATE;
        out->intel.tcb_evaluation_number = 17;
        out->intel.qe_evaluation_number = 18;
        memset(out->intel.fmspc, 0xe0, sizeof out->intel.fmspc);
        memset(out->intel.platform_instance_id, 0xe1, sizeof out->intel.platform_instance_id);
        out->intel.has_platform_instance_id = true;
    }
    report_data_bind(good_binding.domain, good_binding.nonce, good_binding.key,
                     good_binding.context, out->report_data);
}

const struct rule_text *least_rule(const char *tee)
{
    static const struct rule_text sgx[] = {
        {"mrenclave", B32("aa")},
        {NULL,        NULL     }
    };
    static const struct rule_text tdx[] = {
        {"mrtd",  B48("a0")},
        {"rtmr0", B48("b0")},
        {"rtmr1", B48("b1")},
        {"rtmr2", B48("b2")},
        {"rtmr3", B48("b3")},
        {NULL,    NULL     }
    };
    static const struct rule_text snp[] = {
        {"measurement",       B48("c0")},
        {"min_tcb_snp",       "any"    },
        {"min_tcb_microcode", "any"    },
        {NULL,                NULL     }
    };
    static const struct rule_text nitro[] = {
        {"pcr0", B48("d0")},
        {NULL,   NULL     }
    };

    switch (*tee) {
    case 't':
        return tdx;
    case 'n':
        return nitro;
    default:
        return strcmp(tee, "snp") == 0 ? snp : sgx;
    }
}
