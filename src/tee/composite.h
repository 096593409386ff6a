/* Evidence from one provider, sealing by another, for TEEs without a sealing key, or whose key
 * the operator does not want. */
#ifndef TEE_COMPOSITE_H
#define TEE_COMPOSITE_H

#include "tee/tee.h"

/* Takes over both, also on failure. ERR_MEMORY */
MUST_CHECK enum err tee_composite_new(struct tee *evidence, struct tee *sealing, struct tee **out);

#endif
