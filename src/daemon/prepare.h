/*
 * The files that the settings name: trust anchors, certificate and key, collateral, and the files
 * of sources. One function reads and checks all of them, for the start, for `config check` and for
 * SIGHUP, so that these cannot differ. It puts nothing into use.
 */
#ifndef DAEMON_PREPARE_H
#define DAEMON_PREPARE_H

#include "attest/trust.h"
#include "auth/token.h"
#include "collateral/files.h"
#include "crypto/tls.h"
#include "daemon/settings.h"

/* Zero-initialise; prepared_clear() it. A member that another module takes over is set to NULL
 * or zero. */
struct prepared {
    struct attest_trust trust;
    struct token_table *tokens;
    struct tls_server *tls; /* NULL unless tls.mode is files */
    struct collateral_files collateral;
};
void prepared_clear(struct prepared *p);

/* The data by which a running keystore judges; a reload keeps the trust anchors of the start. */
struct prepare_in_use {
    const struct attest_trust *trust;
    struct collateral_store *collateral;
};

/*
 * s         may be partial. Then only faults are reported that do not depend on other settings: for
 *           collateral, those of the files and their form
 * in_use    NULL: nothing runs
 * problems  gets every fault, each with its file or setting
 *
 * ERR_CONFIG `problems` has faults; ERR_MEMORY. The caller always clears `out`.
 */
MUST_CHECK enum err prepare(const struct settings *s, const struct prepare_in_use *in_use,
                            struct timestamp now, struct prepared *out, struct problems *problems);

#endif
