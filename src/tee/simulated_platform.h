/* The parts that the files of the simulated TEE share. See tee/simulated.h. */
#ifndef TEE_SIMULATED_PLATFORM_H
#define TEE_SIMULATED_PLATFORM_H

#include "crypto/p256.h"
#include "tee/simulated.h"

#define SGX_REPORT_SIZE 384
#define SIMULATED_SEALING_KEY_SIZE 32
#define SIMULATED_COMPONENTS 16

/* The simulated processor: component SVNs as in a PCK certificate. */
extern const uint8_t simulated_components[SIMULATED_COMPONENTS];
#define SIMULATED_PCE_SVN 13
#define SIMULATED_QE_SVN 8
#define SIMULATED_QE_PROD_ID 1

enum simulated_key {
    SIMULATED_ROOT,
    SIMULATED_PLATFORM_CA,
    SIMULATED_TCB_SIGNING,
    SIMULATED_PCK,
    SIMULATED_ATTESTATION,
    SIMULATED_KEYS
};

/* Serial numbers of the certificates. */
enum { SERIAL_ROOT = 1, SERIAL_PLATFORM_CA = 2, SERIAL_TCB_SIGNING = 3, SERIAL_PCK = 4 };

#define NAME_ROOT "Intel SGX Root CA"
#define NAME_PLATFORM_CA "Intel SGX PCK Platform CA"
#define NAME_TCB_SIGNING "Intel SGX TCB Signing"
#define NAME_PCK "Intel SGX PCK Certificate"

/* Names of the platform, hashed from its public keys, so they need not be stored. */
struct simulated_identity {
    uint8_t fmspc[6];
    uint8_t ppid[16];
    uint8_t instance[16];
    uint8_t qe_id[16];
};

struct simulated_platform {
    struct p256_private *keys[SIMULATED_KEYS];
    struct secret *sealing;
    struct simulated_identity identity;
    struct buffer root_pem;
    struct buffer pck_chain;
    struct span ca_chain;      /* pck_chain without its leaf */
    struct buffer tcb_signing; /* the chain in PEM, made on opening, valid as long as the root */
    uint8_t qe_report[SGX_REPORT_SIZE]; /* the same for every quote, so it is signed once */
    uint8_t qe_report_signature[P256_SIGNATURE_SIZE];
};

MUST_CHECK enum err simulated_open_explained(const char *dir, struct simulated_platform **out,
                                             struct tee_failure *failure);

/* In simulated_certificates.c. `root` and `chain` are in PEM. */
MUST_CHECK enum err simulated_certificates(const struct simulated_platform *p, struct timestamp now,
                                           struct buffer *root, struct buffer *chain);
MUST_CHECK enum err simulated_tcb_signing_chain(struct simulated_platform *p,
                                                struct timestamp not_before,
                                                struct timestamp not_after);

/* In simulated_quote.c: fills qe_report and its signature. */
MUST_CHECK enum err simulated_quoting_enclave(struct simulated_platform *p);
void simulated_qe_signer(uint8_t out[32]);

#endif
