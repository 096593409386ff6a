#include "base/gramine.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

bool gramine_is_here(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) < 0 && errno == ENOSYS &&
           access("/dev/attestation/attestation_type", F_OK) == 0;
}
