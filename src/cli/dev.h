/*
 * The directory of `vouchsafe dev`: a keystore for trials, with everything for a worker and an
 * operator.
 *
 *   DIR/sim/              the simulated machine that workers run on
 *   DIR/collateral.json   its collateral, signed again at each start
 *   DIR/worker.token, auditor.token, operator.token      mode 0600
 *   DIR/tokens.yaml       the settings' part for these tokens
 *   DIR/vouchsafe.yaml    the settings, written again at each start
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

/* In dev_files.c. Each returns PARSED, or the exit code after the reason on standard error. */

/* Makes `dir` if necessary, and its absolute path. */
int dev_open(const struct cli *cli, const char *dir, struct dev *out);
/* Makes missing files. Existing ones stay, except the settings and the collateral. */
int dev_make(const struct cli *cli, const struct dev *dev);
/* The file for shells. */
int dev_write_env(const struct cli *cli, const struct dev *dev);
/* Writes the profile, once the keystore has proved its identity. */
int dev_write_profile(const struct dev *dev);
/* DIR/name */
void dev_path(const struct dev *dev, const char *name, char out[PATH_MAX]);

#endif
