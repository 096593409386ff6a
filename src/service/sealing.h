/*
 * The sealed root on the disk: checks whether the next start can open it, and seals it again. A
 * TPM's PCRs change while a keystore runs (firmware and dbx updates). The keystore continues with
 * the root in memory, but the next start would fail.
 */
#ifndef SERVICE_SEALING_H
#define SERVICE_SEALING_H

#include "service/service.h"

enum sealing_state {
    SEALING_UNKNOWN,     /* not checked yet, or this TEE's seal does not depend on a state */
    SEALING_READY,       /* the next start can open it, if nothing changes until then */
    SEALING_CHANGED,     /* it cannot: the state of the machine, or the file, changed */
    SEALING_MISSING,     /* the file is gone */
    SEALING_UNAVAILABLE, /* the device does not answer, so the answer is unknown */
    SEALING_STATES
};

struct sealing_status {
    enum sealing_state state;
    int64_t checked_us;          /* when that was found, monotonic; 0: never */
    char text[TEE_FAILURE_SIZE]; /* the difference; "" when there is none */
};

/* "unknown", "ready", "changed", "missing", "unavailable" */
const char *sealing_state_name(enum sealing_state state);

/* Copies `path`, the file of the sealed root. ERR_MEMORY */
struct sealing;
MUST_CHECK enum err sealing_new(const char *path, struct sealing **out);
void sealing_free(struct sealing **s);

/* Checks file and machine, unless that was done less than a second ago. May take as long as the
 * device does. This function and the next are thread-safe. */
void sealing_check(struct service *svc);
void sealing_status_get(const struct service *svc, struct sealing_status *out);

/* The request of OPERATION_RESEAL. */
#define RESEAL_PCRS_MAX 2048
struct reseal_request {
    const char *pcrs; /* "7=HEX,...": values expected at the next boot; "": the present values */
};

#endif
