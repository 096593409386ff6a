/* The daemon's collateral: the store, filled from files and the cache at the start, and the
 * thread that keeps it fresh. */
#ifndef DAEMON_COLLATERAL_H
#define DAEMON_COLLATERAL_H

#include "collateral/files.h"
#include "collateral/refresh.h"
#include "daemon/settings.h"
#include "server/server.h"

struct daemon_collateral;

#define DAEMON_COLLATERAL_WHY 1024

/*
 * Takes `files` (daemon/prepare.h) into use, and reads the cache in state.dir. `settings` is
 * borrowed. On failure `why` is a sentence.
 * ERR_CONFIG, ERR_MEMORY
 */
MUST_CHECK enum err daemon_collateral_open(const struct settings *settings,
                                           const struct attest_trust *trust,
                                           const struct collateral_files *files,
                                           struct timestamp now, char why[DAEMON_COLLATERAL_WHY],
                                           struct daemon_collateral **out);
void daemon_collateral_close(struct daemon_collateral **c);

struct collateral_store *daemon_collateral_store(struct daemon_collateral *c);
struct collateral_refresh *daemon_collateral_refresh(struct daemon_collateral *c);

/* The number of items that the stage changes. */
size_t daemon_collateral_changes(const struct collateral_stage *stage);
/* Adopts what collateral_store_stage() staged in the store, and tells of it. Cannot fail. */
void daemon_collateral_adopt(struct daemon_collateral *c, struct collateral_stage *stage);

/* The directories that `settings` name, for collateral_watch_replace(). ERR_MEMORY */
MUST_CHECK enum err daemon_collateral_watch(const struct settings *settings,
                                            struct collateral_watch **out);

/* Begins to refresh; changes become entries of the log. The server must outlive stop(). */
MUST_CHECK enum err daemon_collateral_start(struct daemon_collateral *c, struct server *server);
/* Stops the refresh; the store stays. */
void daemon_collateral_stop(struct daemon_collateral *c);

/*
 * Writes the detail of a log entry about one item: {"change":"added","name":..,"source":..,
 * "evaluation_number":..,"issued":..,"expires":..,"sha256":..}. Returns its size.
 */
#define DAEMON_COLLATERAL_DETAIL_MAX 768
size_t daemon_collateral_detail(const char *change, const struct collateral_item *item,
                                char out[DAEMON_COLLATERAL_DETAIL_MAX]);

#endif
