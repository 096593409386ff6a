/*
 * The root: one 32-byte secret per epoch. It exists only in guarded memory, and sealed by the TEE.
 * All keys are derived from it (keys/derive.h). New data uses the newest epoch. Older epochs can
 * open their data until they are retired.
 */
#ifndef KEYS_ROOT_H
#define KEYS_ROOT_H

#include "base/clock.h"
#include "base/secret.h"

#define ROOT_SIZE 32
#define ROOT_EPOCHS_MAX 32

enum root_origin { ROOT_GENERATED = 1, ROOT_FROM_MASTER_SECRET = 2 };

struct root_epoch {
    uint32_t epoch; /* 1, 2, ... */
    enum root_origin origin;
    struct timestamp created; /* whole seconds */
    struct secret *secret;    /* ROOT_SIZE bytes, owned */
};

struct root {
    /* The store of this root has had a sealed state. So a log without one is not this root's any
     * more. False only for a root that release 0.1.0 wrote. */
    bool has_store_state;
    size_t count; /* epochs[count - 1] is the current one; ascending, never empty */
    struct root_epoch epochs[ROOT_EPOCHS_MAX];
};

/* Makes a root of one epoch from the random generator, with `has_store_state`. The caller owns it.
 * ERR_MEMORY */
MUST_CHECK enum err root_generate(struct timestamp now, struct root **out);

/* Makes a root of one epoch from given bytes (KEYSTORE_MASTER_SECRET). ERR_MALFORMED unless
 * ROOT_SIZE. */
MUST_CHECK enum err root_import(struct span bytes, struct timestamp now, struct root **out);

/*
 * The form in which the root is sealed: "VSROOT" | u8 version | u32 count | count x { u32 epoch |
 * u8 origin | u64 created (s) | 32 bytes }, integers little-endian. Version 2 says
 * `has_store_state`; release 0.1.0 wrote version 1.
 */
MUST_CHECK enum err root_write(const struct root *root, struct secret **out);
MUST_CHECK enum err root_parse(struct span bytes,
                               struct root **out); /* ERR_MALFORMED, ERR_MEMORY */

const struct root_epoch *root_current(const struct root *root);
/* NULL if there is none */
const struct root_epoch *root_find(const struct root *root, uint32_t epoch);
const char *root_origin_name(enum root_origin origin); /* "generated", "master-secret" */
void root_free(struct root **root);

#endif
