#include "attest/collateral.h"

#include "base/text.h"

static bool is_for(const struct attest_collateral *c, enum tcb_info_tee tee,
                   const struct pck_chain *chain)
{
    return c->tcb_info.tee == tee &&
           span_equal(SPAN_OF(c->tcb_info.fmspc), SPAN_OF(chain->pck.fmspc)) &&
           span_equal(SPAN_OF(c->root_spki), SPAN_OF(chain->certificates.root_spki)) &&
           span_equal(SPAN_OF(c->pck_ca_spki), SPAN_OF(chain->ca_spki));
}

static bool is_valid_at(const struct attest_collateral *c, struct timestamp now)
{
    return c->valid_from.ms <= now.ms && now.ms <= c->valid_until.ms;
}

/* Collateral that is valid now comes first; then the higher evaluation number; then the later
 * issue. */
static bool is_better(const struct attest_collateral *a, const struct attest_collateral *b,
                      struct timestamp now)
{
    if (is_valid_at(a, now) != is_valid_at(b, now))
        return is_valid_at(a, now);
    if (a->tcb_info.evaluation_number != b->tcb_info.evaluation_number)
        return a->tcb_info.evaluation_number > b->tcb_info.evaluation_number;
    return a->tcb_info.issued.ms > b->tcb_info.issued.ms;
}

enum err collateral_choose(const struct attest_collateral_set *set, enum tcb_info_tee tee,
                           const struct pck_chain *chain, struct timestamp now,
                           const struct attest_collateral **out, struct refusal *r)
{
    const struct attest_collateral *best = NULL;

    for (size_t i = 0; set && i < set->count; i++)
        if (is_for(set->items[i], tee, chain) && (!best || is_better(set->items[i], best, now)))
            best = set->items[i];
    if (!best && set && set->count == 1)
        best = set->items[0];
    if (!best) {
        enum err e = refuse_bytes(r, ATTEST_COLLATERAL_MISSING, "collateral", "fmspc",
                                  SPAN_OF(chain->pck.fmspc), (struct span){0});

        r->presented[0] = '\0';
        return e;
    }
    *out = best;
    return ERR_NONE;
}

MUST_CHECK static enum err document_check_time(struct timestamp issued,
                                               struct timestamp next_update, const char *step,
                                               struct timestamp now, struct refusal *r)
{
    if (now.ms < issued.ms)
        return refuse_time(r, ATTEST_COLLATERAL_NOT_YET_VALID, step, "valid from", issued, now);
    if (now.ms > next_update.ms)
        return refuse_time(r, ATTEST_COLLATERAL_EXPIRED, step, "valid until", next_update, now);
    return ERR_NONE;
}

MUST_CHECK static enum err crl_check_time(const struct x509_crl *crl, struct timestamp now,
                                          struct refusal *r)
{
    struct timestamp from = x509_crl_this_update(crl);

    if (x509_crl_valid_at(crl, now))
        return ERR_NONE;
    if (now.ms < from.ms)
        return refuse_time(r, ATTEST_CRL_TIME, "crl", "valid from", from, now);
    return refuse_time(r, ATTEST_CRL_TIME, "crl", "valid until", x509_crl_next_update(crl), now);
}

enum err collateral_check_signing(const struct attest_collateral *c, struct timestamp now,
                                  struct refusal *r)
{
    if (c->revoked == ATTEST_TCB_SIGNING_REVOKED)
        return refuse(r, c->revoked, "tcb_signing", "a certificate that is not revoked",
                      "a revoked certificate");
    return certificates_check_time(c->certificates_from, c->certificates_until, "tcb_signing", now,
                                   r);
}

MUST_CHECK static enum err check_revocation(const struct attest_collateral *c,
                                            const struct pck_chain *chain, struct refusal *r)
{
    if (!span_equal(SPAN_OF(c->root_spki), SPAN_OF(chain->certificates.root_spki)))
        return refuse_bytes(r, ATTEST_CRL_ISSUER_MISMATCH, "crl", "SHA-256 of root key",
                            SPAN_OF(chain->certificates.root_spki), SPAN_OF(c->root_spki));
    /* compare name and key: the list must be from this CA, not from another one of the same name */
    if (!x509_cert_same_subject(c->pck_ca, pck_chain_ca(chain)) ||
        !span_equal(SPAN_OF(c->pck_ca_spki), SPAN_OF(chain->ca_spki)))
        return refuse(r, ATTEST_CRL_ISSUER_MISMATCH, "crl",
                      "the list of the CA that issued the PCK certificate",
                      "the list of another CA");
    if (x509_crl_lists(c->root_crl, pck_chain_ca(chain)))
        return refuse(r, ATTEST_PCK_CA_REVOKED, "crl", "a CA that is not revoked", "a revoked CA");
    if (x509_crl_lists(c->pck_crl, pck_chain_leaf(chain)))
        return refuse(r, ATTEST_PCK_REVOKED, "crl", "a PCK certificate that is not revoked",
                      "a revoked certificate");
    return ERR_NONE;
}

enum err collateral_check_crls(const struct attest_collateral *c, const struct pck_chain *chain,
                               struct timestamp now, struct refusal *r)
{
    enum err e;

    if ((e = crl_check_time(c->root_crl, now, r)) != ERR_NONE ||
        (e = crl_check_time(c->pck_crl, now, r)) != ERR_NONE)
        return e;
    return check_revocation(c, chain, r);
}

enum err collateral_check_tcb_info(const struct attest_collateral *c, enum tcb_info_tee tee,
                                   const struct pck *pck, struct timestamp now, struct refusal *r)
{
    static const char *const ids[] = {[TCB_INFO_SGX] = "id SGX", [TCB_INFO_TDX] = "id TDX"};
    const struct tcb_info *info = &c->tcb_info;

    if (info->tee != tee)
        return refuse(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", ids[tee], ids[info->tee]);
    if (!span_equal(SPAN_OF(info->fmspc), SPAN_OF(pck->fmspc)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "fmspc", SPAN_OF(info->fmspc),
                            SPAN_OF(pck->fmspc));
    if (!span_equal(SPAN_OF(info->pce_id), SPAN_OF(pck->pce_id)))
        return refuse_bytes(r, ATTEST_TCB_INFO_MISMATCH, "tcb_info", "pceId", SPAN_OF(info->pce_id),
                            SPAN_OF(pck->pce_id));
    return document_check_time(info->issued, info->next_update, "tcb_info", now, r);
}

enum err collateral_check_qe_identity(const struct attest_collateral *c, enum qe_identity_kind kind,
                                      struct timestamp now, struct refusal *r)
{
    static const char *const ids[] = {[QE_IDENTITY_SGX] = "id QE", [QE_IDENTITY_TDX] = "id TD_QE"};
    const struct qe_identity *identity = &c->qe_identity;

    if (identity->kind != kind)
        return refuse(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", ids[kind],
                      ids[identity->kind]);
    return document_check_time(identity->issued, identity->next_update, "qe_identity", now, r);
}
