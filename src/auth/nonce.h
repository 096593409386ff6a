/*
 * Nonces this server issued: random, single use, short-lived, bounded in number. Thread-safe.
 *
 * Time is monotonic (clock_monotonic_us()): a wall clock that is set changes neither a nonce's
 * lifetime nor the order in which nonces expire.
 *
 * Shares. A principal holds at most NONCES_PER_OWNER unused nonces, and at most as many as are left
 * free in the whole table. So one caller gets at most 1,024 of 65,536; n callers that take all they
 * can get 65,536 / (n + 1) each, and as much stays free for the next one. A nonce that was issued
 * is never taken back: it is used, or expires after 60 s.
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

/* `owner` is the id of the principal it is issued to. ERR_OVERLOADED: its share is used up. */
MUST_CHECK enum err nonce_issue(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE],
                                int64_t now_us, uint8_t out[NONCE_SIZE]);

/* Takes it out. ERR_REPLAYED never issued, used, or another owner's; ERR_EXPIRED */
MUST_CHECK enum err nonce_use(struct nonce_table *t, const uint8_t owner[PRINCIPAL_ID_SIZE],
                              const uint8_t nonce[NONCE_SIZE], int64_t now_us);
void nonce_table_free(struct nonce_table **t);

#endif
