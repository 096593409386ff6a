/* The parts of a service. Internal to service/ and its tests. */
#ifndef SERVICE_INSIDE_H
#define SERVICE_INSIDE_H

#include <stdatomic.h>

#include "service/operation.h"
#include "service/service.h"

struct service_counters {
    _Atomic uint64_t decided[OPERATION_COUNT][2]; /* by operation; refused, allowed */
    _Atomic uint64_t session_cache_hits, session_cache_misses;
};

/* Immutable once threads start, except for members that lock themselves. */
struct service {
    struct service_options options;
    struct token_store *tokens; /* borrowed */
    struct keyring keys;
    struct verifier verifier;
    struct store *store; /* borrowed */
    struct tee *tee;     /* owned; NULL when TEE_MODE is none */
    bool simulated;
    struct timestamp started;
    struct service_counters counters;
    /* owned; NULL when the root is not in a file of the keystore */
    struct sealing *sealing;
    struct witnessing *witnessing;         /* owned; NULL: it is no witness of other logs */
    struct own_collateral *own_collateral; /* of our own evidence; see service/identity.h */
};

#endif
