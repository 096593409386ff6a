/* Evidence of one provider, sealing by another: where a TEE has no key to seal with, or its key is
 * not wanted. */
#ifndef TEE_COMPOSITE_H
#define TEE_COMPOSITE_H

#include "tee/tee.h"

/* Takes over both, also on failure. ERR_MEMORY */
MUST_CHECK enum err tee_composite_new(struct tee *evidence, struct tee *sealing, struct tee **out);

#endif
