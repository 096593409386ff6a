/*
 * The daemon's anchors (store/anchor.h): the TPM's counter, and the witnesses that cosign
 * checkpoints over HTTP (C2SP tlog-witness).
 */
#ifndef DAEMON_ANCHORS_H
#define DAEMON_ANCHORS_H

#include "daemon/settings.h"
#include "keys/root.h"
#include "store/anchor.h"

struct daemon_anchors;

/* What anchors serve for: a start has all of them. An init knows only the counter. */
enum anchors_use { ANCHORS_START, ANCHORS_INIT };

/* `settings` is borrowed. `*out` is NULL when no anchor is set. ERR_MEMORY, ERR_CONFIG */
MUST_CHECK enum err daemon_anchors_open(const struct settings *settings, const struct root *root,
                                        enum anchors_use use, struct daemon_anchors **out,
                                        struct anchor_problem *problem);
void daemon_anchors_close(struct daemon_anchors **a); /* accepts NULL; after store_close() */

/* NULL when `a` is. `problem` gets what store_open() finds; borrowed. */
const struct anchor_settings *daemon_anchors_settings(struct daemon_anchors *a,
                                                      struct anchor_problem *problem);

/*
 * The value of the TPM's counter, which is made if it is missing. 0 when no counter is set.
 * ERR_UNAVAILABLE, ERR_TAMPERED: `problem` has a sentence
 */
MUST_CHECK enum err daemon_anchors_adopt(struct daemon_anchors *a, uint64_t *value,
                                         struct anchor_problem *problem);

/* Says once, before the start, what could not be noticed without an anchor. */
void daemon_anchors_warn(const struct settings *settings);

/*
 * For `config check`: whether the TPM has a counter at the index. Its value is not read, because
 * that needs the root. ERR_NOT_FOUND, ERR_TAMPERED, ERR_UNAVAILABLE
 */
MUST_CHECK enum err daemon_anchors_look(const struct settings *settings,
                                        struct anchor_problem *problem);

#endif
