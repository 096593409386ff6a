/* The operation `open` for a derived key: POST /decrypt. */
#ifndef SERVICE_DECRYPT_H
#define SERVICE_DECRYPT_H

#include "service/evidence.h"

#define TASK_ID_MAX 256

struct decrypt_request {
    struct span envelope; /* decoded */
    struct span seed;     /* built or opaque, already checked; empty for the global key */
    struct span task_id;  /* at most TASK_ID_MAX */
    struct span session;  /* empty when there is none */
    bool has_evidence;
    struct evidence evidence;
    int64_t timestamp; /* of the evidence, Unix seconds */
    bool has_worker_key;
    uint8_t worker_key[X25519_SIZE];
    bool seal;
    bool wants_receipt; /* outcome.wants_receipt */
    struct span body;   /* the request's bytes exactly as sent: a sealed reply binds them */
};

#endif
