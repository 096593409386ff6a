/* The operations that lead to a session: challenge and attest. */
#ifndef SERVICE_SESSION_H
#define SERVICE_SESSION_H

#include "service/evidence.h"

/* A nonce for this token. ERR_OVERLOADED */
MUST_CHECK enum err service_challenge(struct service *svc, const struct caller *caller,
                                      uint8_t nonce[NONCE_SIZE]);

struct attest_request {
    uint8_t nonce[NONCE_SIZE];
    uint8_t key[X25519_SIZE];
    struct evidence evidence;
    /*
     * RA-TLS: the evidence is in the client's certificate (DER), whose key the handshake proved to
     * be in use; `evidence.quote` is empty and there is no nonce. Else empty.
     */
    bool ra_tls;
    struct span client_certificate;
};

#endif
