/*
 * Converts the answers of vendors to documents and parts. A document is the form in which an item
 * is kept, sent and written to disk, one JSON object:
 *
 *   Intel    {"tcb_info":"..","tcb_info_signature":"<hex>","tcb_info_issuer_chain":"<PEM>",..}:
 *            dcap-qvl's QuoteCollateralV3, see attest_collateral_from_bundle(); with
 *            "set":"early" it is kept next to the standard set, and judges previews only
 *   AMD      {"amd":{"vcek_chain":"<PEM>","vlek_chain":"<PEM>","crl":"<hex>"}}, each optional
 *   VEK      {"vek":{"certificate":"<hex of DER>","name":"vcek-milan-.."}}, name optional
 *   Arm key  {"arm_key":{"instance_id":"<hex>","public_key":"<PEM>"}}
 *
 * This code checks only the form. collateral/item.h verifies.
 */
#ifndef COLLATERAL_PARTS_H
#define COLLATERAL_PARTS_H

#include "attest/attest.h"

#define COLLATERAL_DOCUMENT_MAX (4u * 1024 * 1024)

/*
 * Appends a document of the parts of PCS to `out` (`input` as for attest_collateral_new(); CRLs may
 * also be hex, as PCCS serves them). ERR_MALFORMED, ERR_TOO_LARGE, ERR_MEMORY
 */
MUST_CHECK enum err collateral_document_intel(const struct attest_collateral_input *input,
                                              struct buffer *out);
/* Marks a document just made as one of the early set. ERR_MEMORY */
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
 * Decodes a header's percent-encoding (RFC 3986 section 2.1) and appends the value to `out`. "+"
 * stays, because base64 contains it. ERR_MALFORMED a percent sign without two hex digits, a NUL, a
 * byte that is not ASCII
 */
MUST_CHECK enum err collateral_url_decode(struct span text, struct buffer *out);

/* The DER of a CRL in DER, PEM or hex (white space at the end is ignored). ERR_MALFORMED,
 * ERR_TOO_LARGE */
MUST_CHECK enum err collateral_crl_der(struct span bytes, struct buffer *out);

#endif
