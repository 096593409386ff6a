/* The daemon's own TLS certificate, which may carry its evidence (attest/ra_tls.h). */
#ifndef DAEMON_CERTIFICATE_H
#define DAEMON_CERTIFICATE_H

#include "crypto/tls.h"
#include "daemon/settings.h"
#include "keys/root.h"
#include "tee/tee.h"

/*
 * Makes a self-signed certificate. Its key is derived from the root, so it is the same after
 * restarts and on all replicas, and can be pinned. If the settings say so, `tee` makes evidence
 * over the key.
 *
 * ERR_UNAVAILABLE, ERR_UNSUPPORTED  no evidence: `tee->failure` says why
 * ERR_TOO_LARGE                     the evidence does not fit into a certificate
 * ERR_CRYPTO, ERR_MEMORY
 */
MUST_CHECK enum err certificate_self_signed(const struct settings *s, const struct root *root,
                                            struct tee *tee, struct timestamp now,
                                            struct tls_server **out);

#endif
