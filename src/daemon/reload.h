/*
 * SIGHUP: reads the configuration again and replaces the tokens, the certificate and its key, the
 * policies and the collateral in files, as one checked whole. Everything new is read and judged
 * first (daemon/prepare.h). If all of it is good, all of it comes into use. Otherwise nothing
 * changes.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "crypto/tls.h"
#include "daemon/collateral.h"
#include "daemon/prepare.h"
#include "server/server.h"
#include "service/service.h"

struct reload {
    struct settings_files files; /* as at the start */
    char **environment;
    const struct settings *settings;  /* of the start */
    const struct attest_trust *trust; /* of the start */
    struct tls_server *tls;           /* NULL: TLS is off */
    struct service *service;
    struct token_store *tokens;
    struct daemon_collateral *collateral;
    struct server *server;
};

/* What was replaced, for the log. */
struct reload_report {
    size_t tokens;         /* how many there are now */
    size_t policies;       /* how many there are now */
    bool policies_changed; /* all sessions have ended */
    size_t collateral;     /* items that changed */
    bool certificate;
    struct timestamp certificate_not_after;
    uint8_t tls_spki_sha256[SHA256_SIZE];
    char restart[512]; /* the settings that changed and need a restart, by name; "" for none */
};

/*
 * waiting   called about once a second while a change of policies is being recorded
 * problems  on any error nothing was changed, and this has every fault
 *
 * ERR_CONFIG     settings, certificate, key or collateral are not acceptable, the certificate has
 *                expired, or a setting changed that cannot change while serving
 * ERR_OVERLOADED too many changes of policies wait; ERR_MEMORY
 */
MUST_CHECK enum err reload_run(const struct reload *r, struct timestamp now,
                               void (*waiting)(void *context), void *context,
                               struct reload_report *report, struct problems *problems);

#endif
