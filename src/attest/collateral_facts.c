#include <string.h>

#include "attest/collateral.h"
#include "attest/part.h"

static const struct x509_cert *qe_signer_of(const struct attest_collateral *c)
{
    return c->qe_signer ? c->qe_signer : c->tcb_signer;
}

void attest_collateral_facts(const struct attest_collateral *c, struct attest_collateral_facts *out)
{
    *out = (struct attest_collateral_facts){
        .tdx = c->tcb_info.tee == TCB_INFO_TDX,
        .processor_ca = x509_cert_common_name_contains(c->pck_ca, "Processor"),
        .tcb_evaluation_number = c->tcb_info.evaluation_number,
        .qe_evaluation_number = c->qe_identity.evaluation_number,
        .valid_from = c->valid_from,
        .valid_until = c->valid_until,
    };
    memcpy(out->fmspc, c->tcb_info.fmspc, sizeof out->fmspc);
    memcpy(out->root_spki, c->root_spki, sizeof out->root_spki);
    part_of_document(c->tcb_info.evaluation_number, c->tcb_info.issued, c->tcb_info.next_update,
                     buffer_span(&c->tcb_info_text), c->tcb_signer,
                     &out->parts[ATTEST_PART_TCB_INFO]);
    part_of_document(c->qe_identity.evaluation_number, c->qe_identity.issued,
                     c->qe_identity.next_update, buffer_span(&c->qe_identity_text), qe_signer_of(c),
                     &out->parts[ATTEST_PART_QE_IDENTITY]);
    part_of_crl(c->pck_crl, c->pck_ca, &out->parts[ATTEST_PART_PCK_CRL]);
    /* the key of the root is pinned, so it does not matter which of its certificates came */
    part_of_crl(c->root_crl, NULL, &out->parts[ATTEST_PART_ROOT_CRL]);
}

unsigned attest_collateral_revoked_parts(const struct attest_collateral *c,
                                         const struct attest_collateral *other)
{
    const struct x509_cert *const issuers[ATTEST_INTEL_PARTS] = {
        [ATTEST_PART_TCB_INFO] = c->tcb_signer,
        [ATTEST_PART_QE_IDENTITY] = qe_signer_of(c),
        [ATTEST_PART_PCK_CRL] = c->pck_ca,
    };
    unsigned revoked = 0;

    for (unsigned i = 0; i < ATTEST_INTEL_PARTS; i++)
        if (issuers[i] && x509_crl_lists(other->root_crl, issuers[i]))
            revoked |= 1u << i;
    return revoked;
}
