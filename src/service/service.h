/*
 * The service: everything that the operations share. It does not depend on HTTP. It is made once,
 * before threads start. Its contents belong to service/ (service/inside.h). Other folders use these
 * functions and run operations (service/operation.h).
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "auth/session.h"
#include "auth/token.h"
#include "service/keyring.h"
#include "service/verifier.h"
#include "store/scrub.h"
#include "tee/tee.h"

struct service_options {
    const char *prefix;   /* of repository seeds */
    const char *origin;   /* of the log */
    const char *issuer;   /* of sessions: the same for all keystores with this root */
    const char *tee_mode; /* as in GET /health: "Simulated", "None", ... */
    int64_t session_lifetime_s;
    int64_t evidence_max_age_s;     /* of inline evidence */
    int64_t clock_skew_s;           /* how far in the future a timestamp may be */
    const char *root_path;          /* of the sealed root; NULL: none. Copied */
    const uint8_t *tls_spki_sha256; /* NULL without TLS; copied */
};

struct service_parts {
    struct root *root; /* taken over, also on failure; so is `tee` */
    struct tee *tee;   /* NULL when TEE_MODE is none */
    /* borrowed: these must outlive the service */
    struct token_store *tokens;
    const struct policy_set *policies; /* copied */
    const struct attest_trust *trust;
    struct collateral_store *collateral;
    struct store *store;
};

struct service;

/* Derives the service's own keys. ERR_MEMORY, ERR_CRYPTO */
MUST_CHECK enum err service_new(const struct service_options *options,
                                const struct service_parts *parts, struct timestamp now,
                                struct service **out);
void service_free(struct service **svc);

/* The data of one thread that runs operations. */
struct service_thread {
    struct session_cache *sessions;
    struct public_key_cache *public_keys;
    struct verifier_view verifier;
};
MUST_CHECK enum err service_thread_init(struct service_thread *t);
void service_thread_clear(struct service_thread *t);

/* Authenticates the sender of this Authorization header, like token_check(). */
MUST_CHECK enum err service_authenticate(const struct service *svc, struct span authorization,
                                         bool missing, struct principal *out, const char **why);

/* Public facts about a service: keys and figures. Texts and keys are borrowed from it. */
struct service_facts {
    const char *tee;      /* name of the provider, or "none" */
    const char *evidence; /* kind of its evidence, or NULL */
    const char *tee_mode;
    bool simulated;
    const char *origin;        /* of the log */
    const uint8_t *log_key;    /* ED25519_PUBLIC_SIZE bytes */
    const uint8_t *global_key; /* X25519_SIZE bytes */
    uint32_t epoch;
    const char *root_origin;
    struct timestamp started;
    size_t tokens;
    uint64_t session_cache_hits, session_cache_misses;
};
void service_facts(const struct service *svc, struct service_facts *out);

/* The public key of a seed ("" for the global key) in the current epoch. `thread` may be NULL. */
void service_public_key(const struct service *svc, struct service_thread *thread, struct span seed,
                        uint8_t out[X25519_SIZE]);

/* The log, for its writer and its checkpoint; borrowed. */
struct store *service_store(const struct service *svc);
struct collateral_store *service_collateral(const struct service *svc); /* borrowed */

/* The thread's view of the policies, valid until the thread's next operation. */
const struct policy_snapshot *service_policies(const struct service *svc,
                                               struct service_thread *thread);
/* Restores the changes that a start found in the log; see policy_store_restore(). */
MUST_CHECK enum err service_restore_policies(struct service *svc, struct reference_values *added);
/*
 * Takes the reference values of the database when they are not those that this process knows: other
 * nodes have changed them, or the start made rows of them. On the thread that changes policies.
 * Errors of the store; ERR_MEMORY
 */
MUST_CHECK enum err service_refresh_policies(struct service *svc);
/* Other configured policies, in the two steps of policy_store_stage(), on the thread that changes
 * policies. If the stage differs, adopting it changes the version and ends all sessions. */
MUST_CHECK enum err service_stage_policies(struct service *svc, const struct policy_set *configured,
                                           struct policy_stage *out);
bool service_policies_differ(const struct service *svc, const struct policy_stage *stage);
void service_adopt_policies(struct service *svc, struct policy_stage *stage);

/* The caller after authentication. */
struct caller {
    const struct principal *principal;
    struct span request_id; /* REQUEST_ID_SIZE characters */
    int64_t now_us;         /* monotonic: for lifetimes and order in this process */
};

#endif
