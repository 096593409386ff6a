#include "unit/collateral/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/random.h"

enum { AGE_S = 400 * 86400 };

struct timestamp platform_at(int64_t seconds)
{
    return timestamp_of_seconds(PLATFORM_NOW_S + seconds);
}

int platform_open(struct platform *p)
{
    (void)snprintf(p->parent, sizeof p->parent, "/tmp/vouchsafe-platform-XXXXXX");
    if (crypto_start() != ERR_NONE || !mkdtemp(p->parent))
        return 1;
    (void)snprintf(p->dir, sizeof p->dir, "%s/sim", p->parent);
    return simulated_create(p->dir, platform_at(-AGE_S)) != ERR_NONE ||
           simulated_open(p->dir, &p->simulated) != ERR_NONE ||
           attest_trust_add_simulated(&p->trust, simulated_root_pem(p->simulated)) != ERR_NONE;
}

int platform_close(struct platform *p)
{
    static const char *const files[] = {"root_ca.pem",     "pck_chain.pem",   "root_ca.key",
                                        "platform_ca.key", "tcb_signing.key", "pck.key",
                                        "attestation.key", "sealing.key"};
    char path[128];

    simulated_close(&p->simulated);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(p->dir);
    return rmdir(p->parent);
}

void platform_bundle(const struct platform *p, struct timestamp issued, uint32_t evaluation,
                     struct buffer *out)
{
    const struct simulated_collateral how = {.tcb_evaluation_number = evaluation};

    assert_int_equal(simulated_collateral_bundle(p->simulated, &how, issued, out), ERR_NONE);
}
