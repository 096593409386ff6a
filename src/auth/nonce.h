/* Nonces this server issued: random, single use, short-lived, bounded in number. Thread-safe. */
#ifndef AUTH_NONCE_H
#define AUTH_NONCE_H

#include "base/clock.h"

#define NONCE_SIZE 32
#define NONCE_LIFETIME_MS 60000
#define NONCES_MAX 65536
#define NONCES_PER_OWNER 1024 /* so that one token cannot use up the table */

struct nonce_table;

MUST_CHECK enum err nonce_table_new(struct nonce_table **out);

/* `owner` is the hash of the token it is issued to. ERR_OVERLOADED */
MUST_CHECK enum err nonce_issue(struct nonce_table *t, const uint8_t owner[32],
                                struct timestamp now, uint8_t out[NONCE_SIZE]);

/* Takes it out. ERR_REPLAYED never issued, used, or another owner's; ERR_EXPIRED */
MUST_CHECK enum err nonce_use(struct nonce_table *t, const uint8_t owner[32],
                              const uint8_t nonce[NONCE_SIZE], struct timestamp now);
void nonce_table_free(struct nonce_table **t);

#endif
