/* The operations that make a session: challenge and attest. */
#ifndef SERVICE_SESSION_H
#define SERVICE_SESSION_H

#include "service/evidence.h"

/* Makes a nonce for this token. ERR_OVERLOADED */
MUST_CHECK enum err service_challenge(struct service *svc, const struct caller *caller,
                                      uint8_t nonce[NONCE_SIZE]);

struct attest_request {
    uint8_t nonce[NONCE_SIZE];
    uint8_t key[X25519_SIZE];
    struct evidence evidence;
    /*
     * RA-TLS: the client's certificate (DER), which contains the evidence; the handshake proved
     * that its key is in use. Then `evidence.quote` is empty and there is no nonce. Otherwise
     * empty.
     */
    bool ra_tls;
    struct span client_certificate;
};

#endif
