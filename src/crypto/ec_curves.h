/*
 * The two implementations behind crypto/ec.h. Internal to crypto/. The functions mean what ec.h
 * says. Scalars are in range, and points are on the curve or come from an untrusted encoding only
 * where a function says so.
 */
#ifndef CRYPTO_EC_CURVES_H
#define CRYPTO_EC_CURVES_H

#include "crypto/ec.h"

struct ec_ops {
    MUST_CHECK enum err (*public_of)(enum ec_curve curve, const uint8_t *scalar, uint8_t *point);
    /* 0x04, 0x02 or 0x03 and the size that belongs to it; not yet known to be on the curve */
    MUST_CHECK enum err (*point_read)(enum ec_curve curve, struct span encoded, uint8_t *point);
    MUST_CHECK enum err (*sign)(enum ec_curve curve, const uint8_t *scalar, const uint8_t *digest,
                                bool deterministic, uint8_t *signature);
    MUST_CHECK enum err (*verify)(enum ec_curve curve, const uint8_t *point, const uint8_t *digest,
                                  const uint8_t *signature);
    MUST_CHECK enum err (*shared)(enum ec_curve curve, const uint8_t *scalar, const uint8_t *peer,
                                  uint8_t *out);
};

extern const struct ec_ops ec_nist;
extern const struct ec_ops ec_secp256k1;

/* The order n of a curve, ec_size() bytes, big-endian. */
const uint8_t *ec_order(enum ec_curve curve);

#endif
