/*
 * The sealed root on the disk: whether the next start could open it, and sealing it anew. A TPM's
 * PCRs change while a keystore runs (firmware and dbx updates); the keystore goes on with the root
 * in memory, and only the next start would fail.
 */
#ifndef SERVICE_SEALING_H
#define SERVICE_SEALING_H

#include "service/service.h"

enum sealing_state {
    SEALING_UNKNOWN,     /* not looked at yet, or this TEE's seal does not depend on a state */
    SEALING_READY,       /* the next start can open it, if nothing changes until then */
    SEALING_CHANGED,     /* it cannot: the state of the machine, or the file, is another */
    SEALING_MISSING,     /* the file is gone */
    SEALING_UNAVAILABLE, /* the device does not answer, so it is not known */
    SEALING_STATES
};

struct sealing_status {
    enum sealing_state state;
    char text[TEE_FAILURE_SIZE]; /* what differs; "" when nothing does */
};

/* "unknown", "ready", "changed", "missing", "unavailable" */
const char *sealing_state_name(enum sealing_state state);

/* `path` of the sealed root is copied. ERR_MEMORY */
struct sealing;
MUST_CHECK enum err sealing_new(const char *path, struct sealing **out);
void sealing_free(struct sealing **s);

/* Looks at file and machine, unless that was done less than a second ago; may take as long as the
 * device does. Thread-safe, as is the next. */
void sealing_check(struct service *svc);
void sealing_status_get(const struct service *svc, struct sealing_status *out);

/* What OPERATION_RESEAL takes. */
#define RESEAL_PCRS_MAX 2048
struct reseal_request {
    const char *pcrs; /* "7=HEX,...": values expected at the next boot; "": the present ones */
};

#endif
