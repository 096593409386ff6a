#include <string.h>

#include "attest/collateral.h"

void attest_collateral_facts(const struct attest_collateral *c, struct attest_collateral_facts *out)
{
    *out = (struct attest_collateral_facts){
        .tdx = c->tcb_info.tee == TCB_INFO_TDX,
        .processor_ca = x509_cert_common_name_contains(c->pck_ca, "Processor"),
        .tcb_evaluation_number = c->tcb_info.evaluation_number,
        .qe_evaluation_number = c->qe_identity.evaluation_number,
        .issued = {c->tcb_info.issued, c->qe_identity.issued, x509_crl_this_update(c->pck_crl),
                   x509_crl_this_update(c->root_crl)},
        .valid_from = c->valid_from,
        .valid_until = c->valid_until,
    };
    memcpy(out->fmspc, c->tcb_info.fmspc, sizeof out->fmspc);
}
