/*
 * A software TPM (swtpm) for tests: a real TPM 2.0 in a process of its own, on two neighbouring
 * loopback ports, with its state in a temporary directory. It dies with the test.
 */
#ifndef TESTS_UNIT_TEE_SWTPM_H
#define TESTS_UNIT_TEE_SWTPM_H

#include <stdbool.h>
#include <sys/types.h>
#include <tss2/tss2_esys.h>

struct swtpm {
    pid_t pid; /* 0: not running */
    int port;
    char dir[64];
    char tcti[64];
};

/* False, after saying so, when there is no swtpm to start. */
bool swtpm_have(void);

void swtpm_new(struct swtpm *t);                    /* fresh state, started */
void swtpm_start(struct swtpm *t, bool initialise); /* again, with its state; sends TPM2_Startup */
void swtpm_stop(struct swtpm *t);
void swtpm_remove(struct swtpm *t); /* stops it and deletes its state */

/* A connection of the test's own. */
ESYS_CONTEXT *swtpm_connect(const struct swtpm *t);
void swtpm_disconnect(ESYS_CONTEXT **esys);

#endif
