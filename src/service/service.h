/*
 * The operations of the keystore and what they share. Knows nothing of HTTP. A service is made
 * once, before threads start, and is immutable afterwards but for the parts that say otherwise
 * (nonces, store, counters).
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdatomic.h>

#include "attest/attest.h"
#include "auth/nonce.h"
#include "auth/replay_cache.h"
#include "auth/session.h"
#include "auth/token.h"
#include "collateral/store.h"
#include "keys/derive.h"
#include "service/policies.h"
#include "store/store.h"
#include "tee/tee.h"

#define OPERATIONS_MAX 64 /* of enum operation_id */

struct service_options {
    const char *prefix;   /* of repository seeds */
    const char *origin;   /* of the log, and the issuer of sessions */
    const char *tee_mode; /* as GET /health names it: "Simulated", "None", ... */
    int64_t session_lifetime_s;
    int64_t evidence_max_age_s;     /* of inline evidence */
    int64_t clock_skew_s;           /* how far ahead a timestamp may be */
    const uint8_t *tls_spki_sha256; /* NULL without TLS */
};

struct service_counters {
    _Atomic uint64_t decided[OPERATIONS_MAX][2]; /* by operation; refused, allowed */
    _Atomic uint64_t challenges, evidence, receipts, session_cache_hits, session_cache_misses;
};

struct service {
    struct service_options options;
    const struct token_table *tokens; /* borrowed */
    struct policy_store *policies;    /* owned */
    struct attest_trust trust;
    struct collateral_store *collateral; /* borrowed */
    struct root *root;                   /* owned */
    struct tee *tee;                     /* owned; NULL when TEE_MODE is none */
    struct store *store;                 /* borrowed */
    struct nonce_table *nonces;
    struct replay_cache *replay_cache; /* inline evidence that was accepted */
    struct p256_private *session_key;
    struct p256_public *session_public;
    uint8_t session_point[P256_POINT_SIZE];
    struct secret *identity_seed; /* Ed25519 */
    struct secret *reply_keys;    /* LABEL_REPLY_KEYS; see service/reply.h */
    uint8_t identity_key[ED25519_PUBLIC_SIZE];
    uint8_t log_key[ED25519_PUBLIC_SIZE];
    uint8_t global_key[X25519_SIZE]; /* public */
    bool simulated;
    struct timestamp started;
    struct service_counters counters;
    struct own_collateral *own_collateral; /* of our own evidence; see service/identity.h */
};

/* What each thread that runs operations has for itself. */
struct service_thread {
    struct session_cache *sessions;
    struct attest_cache *chains;
    struct public_key_cache *public_keys;
    struct collateral_view collateral;
    struct policy_view policy;
};
MUST_CHECK enum err service_thread_init(struct service_thread *t);
void service_thread_clear(struct service_thread *t);

/*
 * Derives the service's own keys. Takes over `root` and `tee` (also on failure). The rest is
 * borrowed and must outlive it.
 */
MUST_CHECK enum err service_new(const struct service_options *options, struct root *root,
                                struct tee *tee, const struct token_table *tokens,
                                const struct appraisal_policy *policy,
                                const struct attest_trust *trust,
                                struct collateral_store *collateral, struct timestamp now,
                                struct service **out);
void service_free(struct service **svc);

/* The Ed25519 seed that signs checkpoints, for store_open(), before there is a service. */
MUST_CHECK enum err service_log_seed(const struct root *root, struct secret **out);

/*
 * The public key of a seed ("" for the global key) in one epoch. Remembers; a miss costs a scalar
 * multiplication. `thread` may be NULL.
 */
void service_public_key(const struct service *svc, struct service_thread *thread,
                        const struct root_epoch *epoch, struct span seed, uint8_t out[X25519_SIZE]);
/* The private key likewise; the caller wipes it. */
void service_private_key(const struct service *svc, const struct root_epoch *epoch,
                         struct span seed, uint8_t out[X25519_SIZE]);

/* The caller after authentication. */
struct caller {
    const struct principal *principal;
    struct span request_id; /* REQUEST_ID_SIZE characters */
    int64_t now_us;         /* monotonic: for lifetimes and orders in this process */
};

#endif
