/*
 * The directory of `vouchsafe dev`: a keystore for trials, with all that a worker and an operator
 * need.
 *
 *   DIR/sim/              the simulated machine that workers run on
 *   DIR/collateral.json   its collateral, signed anew at each start
 *   DIR/worker.token, auditor.token, operator.token      mode 0600
 *   DIR/tokens.yaml       the settings' part for these tokens
 *   DIR/vouchsafe.yaml    the settings, written anew at each start
 *   DIR/state/            the keystore's own
 *   DIR/env               what a shell sources: VOUCHSAFE_DEV and VOUCHSAFE_PROFILE
 *   DIR/profile           for the `vouchsafe` command: URL, operator's token, the verified identity
 *   DIR/daemon.log, daemon.pid                           of a keystore in the background
 */
#ifndef CLI_DEV_H
#define CLI_DEV_H

#include <limits.h>

#include "cli.h"

struct dev {
    char dir[PATH_MAX / 2]; /* absolute */
    unsigned port;
};

/* dev_files.c. Each gives PARSED, or the exit code with the reason on standard error. */

/* `dir` made if it is missing, as an absolute path. */
int dev_open(const struct cli *cli, const char *dir, struct dev *out);
/* What is missing; what exists stays, but for the settings and the collateral. */
int dev_make(const struct cli *cli, const struct dev *dev);
/* The file that shells source. */
int dev_write_env(const struct cli *cli, const struct dev *dev);
/* The profile, once the keystore has proved what it is. */
int dev_write_profile(const struct dev *dev);
/* DIR/name */
void dev_path(const struct dev *dev, const char *name, char out[PATH_MAX]);

#endif
