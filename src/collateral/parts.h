/*
 * From what vendors serve to documents, and the pieces in between. A document is the form in which
 * an item is kept, sent and written to disk, one JSON object:
 *
 *   Intel    {"tcb_info":"..","tcb_info_signature":"<hex>","tcb_info_issuer_chain":"<PEM>",..}:
 *            dcap-qvl's QuoteCollateralV3, see attest_collateral_from_bundle(); with
 *            "set":"early" it is held beside the standard set and judges nothing by itself
 *   AMD      {"amd":{"vcek_chain":"<PEM>","vlek_chain":"<PEM>","crl":"<hex>"}}, each optional
 *   VEK      {"vek":{"certificate":"<hex of DER>","name":"vcek-milan-.."}}, name optional
 *   Arm key  {"arm_key":{"instance_id":"<hex>","public_key":"<PEM>"}}
 *
 * Nothing here is believed: form only. What may be believed says collateral/item.h.
 */
#ifndef COLLATERAL_PARTS_H
#define COLLATERAL_PARTS_H

#include "attest/attest.h"

#define COLLATERAL_DOCUMENT_MAX (4u * 1024 * 1024)

/*
 * The parts of PCS (`input` as for attest_collateral_new(); CRLs may also be hex, as PCCS serves
 * them) as a document, appended to `out`. ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err collateral_document_intel(const struct attest_collateral_input *input,
                                              struct buffer *out);
/* Says of such a document, which has just been made, that it is of the early set. ERR_MEMORY */
MUST_CHECK enum err collateral_document_early(struct buffer *document);
/* CRL as above. */
MUST_CHECK enum err collateral_document_amd(const struct attest_amd_input *input,
                                            struct buffer *out);
/* One certificate, DER or PEM; `name` may be NULL. */
MUST_CHECK enum err collateral_document_vek(struct span certificate, const char *name,
                                            struct buffer *out);
MUST_CHECK enum err collateral_document_arm(struct span instance_id, struct span pem,
                                            struct buffer *out);

/*
 * A header's value without its percent-encoding (RFC 3986 section 2.1), appended to `out`; "+" is
 * itself, base64 has it. ERR_MALFORMED: a percent sign without two hex digits, a NUL, a byte that
 * is not ASCII
 */
MUST_CHECK enum err collateral_url_decode(struct span text, struct buffer *out);

/* DER of a CRL in DER, PEM or hex (white space at the end is ignored). ERR_MALFORMED, ERR_TOO_LARGE
 */
MUST_CHECK enum err collateral_crl_der(struct span bytes, struct buffer *out);

#endif
