/*
 * What the caller's own bytes in evidence must say, in the manner of one system or another. Pure.
 *
 *   vouchsafe  SHA-512 over domain, nonce, key and context (report_data_bind())
 *   outlayer   the key (32 bytes), 32 zeros. Binds no nonce, no time and no task: good for one
 *              request's evidence, never for a session
 *   dstack     SHA-512("app-data:" || what vouchsafe has), as dstack's GetQuote makes of app data
 *   rcar       SHA-384 of {"nonce":"<base64>","tee-pubkey":{"crv":"X25519","kty":"OKP",
 *              "x":"<base64url>"}}, 16 zeros: CoCo's RCAR handshake. Binds no task
 *   native     Nitro alone: the document's `nonce` and `public_key` are the nonce and the key, raw.
 *              Binds no task
 *   ra-tls     the key of the client's certificate (attest/ra_tls.h), which the handshake proved to
 *              be in use; who holds it names the key it wants. Alone for evidence that came that
 * way, and no other convention is for that: it binds no nonce of ours
 */
#ifndef ATTEST_BINDING_H
#define ATTEST_BINDING_H

#include "attest/attest.h"

#define BINDING_NONCE_MAX 64
#define BINDING_KEY_SIZE 32 /* of the conventions that name the key itself */

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
    bool for_session;   /* `nonce` is a challenge, which must be bound whatever the convention */
    struct span nonce, key, context;
    struct span channel; /* 64 bytes: evidence from the client's certificate must carry them; empty:
                            it did not come that way */
};

/*
 * The 64 bytes that evidence must carry. ERR_UNSUPPORTED when this convention cannot bind that:
 * no key, a task where there is no room for one, a session where there is no nonce, evidence that
 * came another way; `native`, which has no such 64 bytes.
 */
MUST_CHECK enum err binding_bytes(enum binding_convention c, const struct binding *b,
                                  uint8_t out[REPORT_DATA_SIZE]);

/* Whether evidence binds all of it; constant-time over all 64 bytes. */
bool binding_holds(enum binding_convention c, const struct binding *b,
                   const struct attest_result *evidence);

#endif
