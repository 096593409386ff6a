/* Reads key files of the simulated TEE, if only their owner can read them. */
#ifndef TEE_KEY_FILE_H
#define TEE_KEY_FILE_H

#include "tee/tee.h"

/*
 * Reads exactly `size` bytes of a key file; the caller wipes them.
 * ERR_CONFIG     a link, not a file, of another owner, or readable by group or world
 * ERR_TAMPERED   the file has another size
 * ERR_NOT_FOUND, ERR_IO
 */
MUST_CHECK enum err key_file_read(const char *path, uint8_t *out, size_t size,
                                  struct tee_failure *failure);

#endif
