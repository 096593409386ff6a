/*
 * Conventions of several systems for the caller's own bytes in evidence. Pure.
 *
 *   vouchsafe  SHA-512 over domain, nonce, key and context (report_data_bind())
 *   outlayer   the key (32 bytes), 32 zeros. Binds no nonce, no time and no task: good for one
 *              request's evidence, never for a session
 *   dstack     SHA-512("app-data:" || the bytes of vouchsafe), as dstack's GetQuote does for app
 *              data
 *   rcar       SHA-384 of {"nonce":"<base64>","tee-pubkey":{"crv":"X25519","kty":"OKP",
 *              "x":"<base64url>"}}, 16 zeros: CoCo's RCAR handshake. Binds no task
 *   native     only Nitro: the document's `nonce` and `public_key` are the nonce and the key, raw.
 *              Binds no task
 *   ra-tls     the key of the client's certificate (attest/ra_tls.h), which the handshake proved to
 *              be in use; its holder names the key for replies. This convention and evidence from a
 *              certificate belong together; neither works with others. Binds no nonce of ours
 */
#ifndef ATTEST_BINDING_H
#define ATTEST_BINDING_H

#include "attest/attest.h"

#define BINDING_NONCE_MAX 64
#define BINDING_KEY_SIZE 32 /* in conventions that bind the key itself */

enum binding_convention {
    BINDING_VOUCHSAFE,
    BINDING_OUTLAYER,
    BINDING_DSTACK,
    BINDING_RCAR,
    BINDING_NATIVE,
    BINDING_RA_TLS,
    BINDING_CONVENTION_COUNT
};
const char *binding_convention_name(enum binding_convention c); /* never NULL */

/* Borrowed. */
struct binding {
    const char *domain; /* REPORT_DOMAIN_... */
    bool for_session;   /* `nonce` is a challenge, which every convention must bind */
    struct span nonce, key, context;
    /* 64 bytes that evidence from the client's certificate must carry; empty: the evidence did
     * not come from there */
    struct span channel;
};

/*
 * The 64 bytes that evidence must carry. ERR_UNSUPPORTED when this convention cannot bind that: no
 * key; a task, but no room for one; a session, but no nonce; evidence that came another way; or
 * `native`, which has no such 64 bytes.
 */
MUST_CHECK enum err binding_bytes(enum binding_convention c, const struct binding *b,
                                  uint8_t out[REPORT_DATA_SIZE]);

/* Whether evidence binds all values; constant-time over all 64 bytes. */
bool binding_holds(enum binding_convention c, const struct binding *b,
                   const struct attest_result *evidence);

#endif
