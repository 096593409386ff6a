/* Key files of the simulated TEE: read only when nobody but their owner could. */
#ifndef TEE_KEY_FILE_H
#define TEE_KEY_FILE_H

#include "tee/tee.h"

/*
 * Exactly `size` bytes of a key file; the caller wipes them.
 * ERR_CONFIG     a link, not a file, another owner's, or open to group or world
 * ERR_TAMPERED   of another size
 * ERR_NOT_FOUND, ERR_IO
 */
MUST_CHECK enum err key_file_read(const char *path, uint8_t *out, size_t size,
                                  struct tee_failure *failure);

#endif
