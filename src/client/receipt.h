/* Checks receipts: their proofs, and that they are for the right request. */
#ifndef CLIENT_RECEIPT_H
#define CLIENT_RECEIPT_H

#include "client/client.h"

/* The required contents of a receipt, in addition to an allowed "open". */
struct receipt_subject {
    const char *request_id;
    const char *seed; /* "" for the global key */
    const char *task; /* NULL or "": none */
};

/*
 * Checks the receipt that came with a reply. `vkey`: as in vs_receipt_verify(); NULL: the proof is
 * not checked. VS_ERR_TAMPERED for another request, or the proof fails; VS_ERR_UNTRUSTED,
 * VS_ERR_MALFORMED
 */
MUST_CHECK enum vs_error receipt_check(struct span receipt, const char *vkey,
                                       const struct receipt_subject *subject, struct vs_why *why);

#endif
