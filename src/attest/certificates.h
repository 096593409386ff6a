/*
 * Intel's certificate chains have fixed lengths: leaf first, pinned root last, each issued by the
 * next. There is no path search. Internal to attest/.
 */
#ifndef ATTEST_CERTIFICATES_H
#define ATTEST_CERTIFICATES_H

#include "attest/cache.h"
#include "attest/refusal.h"
#include "crypto/x509.h"

#define CERTIFICATES_MAX 8 /* the maximum in one PEM text, for all wanted lengths */

struct certificates {
    size_t count;
    struct x509_cert *certs[CERTIFICATES_MAX]; /* owned */
    uint8_t root_spki[SHA256_SIZE];
    struct timestamp valid_from, valid_until; /* of all of them */
};

/* The required form of a chain, and the codes for faults. */
struct certificates_rule {
    const char *step;
    size_t count;
    bool first_is_ca;
    const char *first_name; /* must be part of the first common name; NULL: the caller checks it */
    enum attest_reason missing, invalid, too_long;
};

/*
 * Reads and verifies a chain without its times; certificates_check_time() checks those. The caller
 * clears `out`.
 * ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err certificates_read(const struct attest_trust *trust, struct span pem,
                                      const struct certificates_rule *rule,
                                      struct certificates *out, struct refusal *r);

/*
 * The same with a cache (may be NULL) of verified certificates above the first. Under a known CA, a
 * new first certificate costs one signature check. The cache keeps only signatures; pins and roles
 * are checked every time.
 */
MUST_CHECK enum err certificates_read_cached(const struct attest_trust *trust,
                                             struct attest_cache *cache, struct span pem,
                                             const struct certificates_rule *rule,
                                             struct certificates *out, struct refusal *r);
/* The same in two steps. The first reads the certificates of a PEM text; the caller clears them.
 * The second checks them against the rule, and verifies the signatures up to a pinned root. */
MUST_CHECK enum err certificates_parse(struct span pem, const struct certificates_rule *rule,
                                       struct certificates *out, struct refusal *r);
MUST_CHECK enum err certificates_verify(const struct attest_trust *trust,
                                        struct attest_cache *cache, struct certificates *c,
                                        const struct certificates_rule *rule, struct refusal *r);
/* Hash of the certificates from `first` on; there is at least one. */
void certificates_names(const struct certificates *c, size_t first, struct cache_names *out);
void certificates_clear(struct certificates *c);

/* ERR_DENIED with certificate_time */
MUST_CHECK enum err certificates_check_time(struct timestamp valid_from,
                                            struct timestamp valid_until, const char *step,
                                            struct timestamp now, struct refusal *r);

/* Whether this certificate, by its name, is one of the two CAs that issue PCK certificates. */
bool certificates_is_pck_ca(const struct x509_cert *c);

#endif
