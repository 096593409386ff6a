/*
 * What the settings name beside themselves: trust anchors, certificate and key, collateral, and the
 * files of sources. One function reads and judges all of it, for the start, for `config check` and
 * for SIGHUP, so that they cannot disagree. Nothing comes into use here.
 */
#ifndef DAEMON_PREPARE_H
#define DAEMON_PREPARE_H

#include "attest/trust.h"
#include "auth/token.h"
#include "collateral/files.h"
#include "crypto/tls.h"
#include "daemon/settings.h"

/* Zero-initialise; prepared_clear() it. A member that is taken over is set to NULL or zero. */
struct prepared {
    struct attest_trust trust;
    struct token_table *tokens;
    struct tls_server *tls; /* NULL unless tls.mode is files */
    struct collateral_files collateral;
};
void prepared_clear(struct prepared *p);

/* What a running keystore judges by; a reload keeps the trust anchors of the start. */
struct prepare_in_use {
    const struct attest_trust *trust;
    struct collateral_store *collateral;
};

/*
 * in_use    NULL: nothing runs
 * problems  gets every fault, each with its file or setting
 *
 * ERR_CONFIG `problems` has faults; ERR_MEMORY. `out` is to be cleared in any case.
 */
MUST_CHECK enum err prepare(const struct settings *s, const struct prepare_in_use *in_use,
                            struct timestamp now, struct prepared *out, struct problems *problems);

#endif
