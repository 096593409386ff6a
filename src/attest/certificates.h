/*
 * Intel's certificate chains, of fixed length: leaf first, pinned root last, each issued by the
 * next. There is no search for a path. Internal to attest/.
 */
#ifndef ATTEST_CERTIFICATES_H
#define ATTEST_CERTIFICATES_H

#include "attest/cache.h"
#include "attest/refusal.h"
#include "crypto/x509.h"

#define CERTIFICATES_MAX 8 /* read from one PEM text, whatever the length wanted */

struct certificates {
    size_t count;
    struct x509_cert *certs[CERTIFICATES_MAX]; /* owned */
    uint8_t root_spki[SHA256_SIZE];
    struct timestamp valid_from, valid_until; /* of all of them */
};

/* What a chain must be, and the codes for what it is not. */
struct certificates_rule {
    const char *step;
    size_t count;
    bool first_is_ca;
    const char *first_name; /* contained in the common name of the first; NULL: caller checks */
    enum attest_reason missing, invalid, too_long;
};

/*
 * Reads and verifies a chain, but for time: certificates_check_time(). The caller clears `out`.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err certificates_read(const struct attest_trust *trust, struct span pem,
                                      const struct certificates_rule *rule,
                                      struct certificates *out, struct refusal *r);

/*
 * The same with a memory (may be NULL) of certificates above the first that verified: under a known
 * CA a new first certificate costs one signature check. Only signatures are remembered; pins and
 * roles are judged every time.
 */
MUST_CHECK enum err certificates_read_cached(const struct attest_trust *trust,
                                             struct attest_cache *cache, struct span pem,
                                             const struct certificates_rule *rule,
                                             struct certificates *out, struct refusal *r);
/* The same in two steps: the certificates of a PEM text (the caller clears them), and whether they
 * are what the rule says and signed up to a pinned root. */
MUST_CHECK enum err certificates_parse(struct span pem, const struct certificates_rule *rule,
                                       struct certificates *out, struct refusal *r);
MUST_CHECK enum err certificates_verify(const struct attest_trust *trust,
                                        struct attest_cache *cache, struct certificates *c,
                                        const struct certificates_rule *rule, struct refusal *r);
/* Of the certificates from `first` on; there is one at least. */
void certificates_names(const struct certificates *c, size_t first, struct cache_names *out);
void certificates_clear(struct certificates *c);

/* ERR_DENIED with certificate_time */
MUST_CHECK enum err certificates_check_time(struct timestamp valid_from,
                                            struct timestamp valid_until, const char *step,
                                            struct timestamp now, struct refusal *r);

/* Whether this is one of the two CAs that issue PCK certificates, by name. */
bool certificates_is_pck_ca(const struct x509_cert *c);

#endif
