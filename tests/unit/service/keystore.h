/*
 * A whole service in memory, but for its log and its simulated platform, which are in a directory
 * under /tmp: for the tests of operations. Everything aborts the test when it fails.
 */
#ifndef TESTS_UNIT_SERVICE_KEYSTORE_H
#define TESTS_UNIT_SERVICE_KEYSTORE_H

#include "service/operation.h"
#include "service/session.h"
#include "tee/simulated.h"

#define KEYSTORE_NOW_S 1800000000

struct keystore {
    char dir[64];
    char root_path[96]; /* of the sealed root, which does not exist yet */
    struct simulated_platform *platform;
    struct attest_trust trust;
    struct collateral_store *collateral;
    /* "worker", for seeds below "app:", sealed replies; "plain", for the token "plain" */
    struct policy_set policies;
    struct principal worker, other, plain, operator, administrator;
    struct token_store *tokens; /* of those, each named like its token */
    struct secret *log_seed;
    struct secret *store_keys;
    struct store *store;
    struct service *service;
    struct service_thread thread;
    struct timestamp now;
};

void keystore_open(struct keystore *k);
/* The same, with a TPM that seals for PCR 7. NULL: the simulated platform. */
void keystore_open_on_tpm(struct keystore *k, const char *tcti);
void keystore_close(struct keystore *k);

/* What the policies accept. */
extern const struct simulated_enclave keystore_enclave;

/* Holds an early set for the platform, with this evaluation number. */
void keystore_add_early(struct keystore *k, uint32_t evaluation_number);

/* Evidence of an enclave that binds `report_data`, appended to `out`. */
void keystore_quote(const struct keystore *k, const struct simulated_enclave *enclave,
                    const uint8_t report_data[TEE_REPORT_DATA_SIZE], struct buffer *out);

/* Attests as `who` with this X25519 key; the session's token in `token`. */
void keystore_attest(struct keystore *k, const struct principal *who,
                     const uint8_t key[X25519_SIZE], char token[SESSION_TOKEN_MAX + 1]);

#endif
