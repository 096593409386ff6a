/*
 * The nonces that this server issued. A nonce is random, short-lived and usable once. The number of
 * nonces is bounded. Thread-safe.
 *
 * Time is monotonic (clock_monotonic_us()). So a change of the wall clock affects neither a nonce's
 * lifetime nor the order in which nonces expire.
 *
 * Shares: a principal holds at most NONCES_PER_OWNER unused nonces, and at most as many as remain
 * free in the whole table. So one caller gets at most 1,024 of 65,536. When n callers take as many
 * as they can, each gets 65,536 / (n + 1), and the same number stays free for the next caller. The
 * server never withdraws an issued nonce: the caller uses it, or it expires after 60 s.
 */
#ifndef AUTH_NONCE_H
#define AUTH_NONCE_H

#include "auth/principal.h"

#define NONCE_SIZE 32
#define NONCE_LIFETIME_MS 60000
#define NONCES_MAX 65536
#define NONCES_PER_OWNER 1024

struct nonce_table;

MUST_CHECK enum err nonce_table_new(struct nonce_table **out);

/* Issues a nonce to the principal with the id `owner`. ERR_OVERLOADED the owner's share is used up
 */
MUST_CHECK enum err nonce_issue(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE],
                                int64_t now_us, uint8_t out[NONCE_SIZE]);

/*
 * Uses a nonce and removes it from the table.
 * ERR_REPLAYED the nonce was never issued, was used, or belongs to another owner; ERR_EXPIRED
 */
MUST_CHECK enum err nonce_use(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE],
                              const uint8_t nonce[NONCE_SIZE], int64_t now_us);
void nonce_table_free(struct nonce_table **t);

#endif
