/*
 * SIGHUP: reads the configuration again and exchanges what can be exchanged while serving, as one
 * checked whole: everything new is made and checked first, and only if all of it is good does any
 * of it come into use.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "crypto/tls.h"
#include "daemon/settings.h"
#include "service/service.h"

struct reload {
    struct settings_files files; /* as at the start */
    char **environment;
    const struct settings *settings; /* of the start */
    struct tls_server *tls;          /* NULL: TLS is off */
    struct service *service;
    struct token_store *tokens;
};

/* What was exchanged, for the log. */
struct reload_report {
    size_t tokens; /* how many there are now */
    bool certificate;
    struct timestamp certificate_not_after;
    uint8_t tls_spki_sha256[SHA256_SIZE];
};

#define RELOAD_WHY_SIZE 1280 /* of the first fault; more are counted */

/*
 * On any error nothing was changed, and `why` says what was found where.
 * ERR_CONFIG  settings, certificate or key are not acceptable, or one that cannot change while
 *             serving did
 * ERR_EXPIRED the new certificate is past its end
 * ERR_IO, ERR_MEMORY
 */
MUST_CHECK enum err reload_run(const struct reload *r, struct timestamp now,
                               struct reload_report *report, char why[RELOAD_WHY_SIZE]);

#endif
