/* P-256 certificates for TLS servers, made when a test asks for them. */
#ifndef TESTS_UNIT_NET_CERTIFICATE_H
#define TESTS_UNIT_NET_CERTIFICATE_H

#include "base/clock.h"
#include "crypto/tls.h"

/* Self-signed, for 127.0.0.1. Aborts the test when it cannot. `pem` gets the certificate; the
 * caller frees and clears both. */
void certificate_server(struct tls_server **out, struct buffer *pem);

/*
 * Signed by an authority of its own, for `host` and until `not_after`. `ca_pem` gets that
 * authority's certificate; the caller frees and clears both.
 */
void certificate_server_of(const char *host, struct timestamp not_after, struct tls_server **out,
                           struct buffer *ca_pem);

/* The certificate of another authority with the same name. */
void certificate_authority(struct buffer *ca_pem);

#endif
