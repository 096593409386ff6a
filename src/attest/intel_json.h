/*
 * The common parts of TCB info and enclave identities (PCS API v4): the signed envelope, and the
 * judgement of a level. Internal to attest/.
 */
#ifndef ATTEST_INTEL_JSON_H
#define ATTEST_INTEL_JSON_H

#include "attest/refusal.h"
#include "codec/json.h"
#include "crypto/p256.h"

#define INTEL_LEVELS_MAX 256
#define INTEL_ADVISORY_SIZE sizeof(((struct attest_result *)0)->advisories[0])

/* One signed document: the signed bytes exactly as received, borrowed, and the signature. */
struct intel_signed {
    struct span bytes;
    uint8_t signature[P256_SIGNATURE_SIZE];
};

/* The codes of refusal for one kind of document. */
struct intel_reasons {
    const char *step;
    enum attest_reason malformed, signature_invalid;
};

/* Splits {"<member>":{...},"signature":"<128 hex digits>"}. ERR_DENIED fills `r`. */
MUST_CHECK enum err intel_envelope_read(struct span body, const char *member,
                                        const struct intel_reasons *reasons,
                                        struct intel_signed *out, struct refusal *r);

/* Reads only "signature":"<128 hex digits>". */
MUST_CHECK enum err intel_signature_read(struct span hex, const struct intel_reasons *reasons,
                                         struct intel_signed *out, struct refusal *r);

/* The common part of all levels. `advisories` borrows; type JSON_NULL when there are none. */
struct intel_judgement {
    enum tcb_status status;
    struct timestamp date;
    struct json_value advisories;
};

/* Reads the members tcbDate, tcbStatus and advisoryIDs of `level`. */
MUST_CHECK enum err intel_judgement_read(struct json_value level,
                                         const struct intel_reasons *reasons,
                                         struct intel_judgement *out, struct refusal *r);

/* A level of a part with one SVN: a quoting enclave or a TDX module. */
struct intel_level {
    uint16_t isv_svn;
    struct intel_judgement judgement; /* UpToDate, OutOfDate or Revoked */
};

/*
 * Reads "tcbLevels": 1 to INTEL_LEVELS_MAX levels, newest first. The caller frees `*out`, also on
 * failure. ERR_DENIED fills `r`; ERR_MEMORY
 */
MUST_CHECK enum err intel_levels_read(struct json_value list, const struct intel_reasons *reasons,
                                      struct intel_level **out, size_t *count, struct refusal *r);

/* The first level that `isv_svn` reaches; NULL when it reaches none. */
const struct intel_level *intel_level_find(const struct intel_level *levels, size_t count,
                                           uint16_t isv_svn);

/* Checks the form. ERR_MALFORMED */
MUST_CHECK enum err intel_time_read(struct json_value value, struct timestamp *out);
MUST_CHECK enum err intel_hex_read(struct json_value value, uint8_t *out, size_t size);
MUST_CHECK enum err intel_uint_read(struct json_value value, uint64_t max, uint64_t *out);

#endif
