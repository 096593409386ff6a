/* A self-signed P-256 certificate for 127.0.0.1, made when a test asks for it. */
#ifndef TESTS_UNIT_NET_CERTIFICATE_H
#define TESTS_UNIT_NET_CERTIFICATE_H

#include "crypto/tls.h"

/* Aborts the test when it cannot. `pem` gets the certificate; the caller frees and clears both. */
void certificate_server(struct tls_server **out, struct buffer *pem);

#endif
