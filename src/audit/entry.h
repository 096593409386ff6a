/*
 * One entry of the log: a JSON object on one line. The leaf is exactly these bytes. An entry never
 * contains a secret, a plaintext or a token. Its members, in this order, absent when empty:
 *
 *   v            1; 2 when the entry has a tenant
 *   time         RFC 3339, milliseconds
 *   request_id   UUIDv7 of the request
 *   op           "open", "attest", "init", "new-log", "repair", "import", "start", "collateral",
 *                "policy",
 *                "reference-values" (rows made from an older log), ...
 *   decision     "allow" or "deny"
 *   code         stable code; "ok" when allowed
 *   rule         the policy that decided, or "default-deny"
 *   key, key_version   the seed; absent for the global key
 *   tenant       of the principal; absent for the default tenant
 *   principal    e.g. "worker:3f2a..." (a name or a prefix of the token's hash); names are unique
 *                within a tenant
 *   auth         "bearer", "session", "evidence"
 *   tee          "sgx", "simulated", ...
 *   claims       SHA-256 of the verified evidence's claims, hex
 *   task         the caller's task id
 *   detail       JSON that explains a refusal to the operator (expected, presented, ...)
 *   simulated    true when this keystore runs on the simulated TEE
 */
#ifndef AUDIT_ENTRY_H
#define AUDIT_ENTRY_H

#include "base/clock.h"
#include "base/writer.h"

/* principal of entries about the keystore; no token has this name */
#define AUDIT_PRINCIPAL_KEYSTORE "keystore"
#define AUDIT_ENTRY_MAX 8192
#define AUDIT_TEXT_MAX 1024 /* bytes of one text; a longer one is cut and ends with "..." */

struct audit_entry {
    struct timestamp time;
    struct span request_id, op, code, rule, key, tenant, principal, auth, tee, task;
    struct span detail; /* JSON, or empty */
    uint32_t key_version;
    bool allowed;
    bool has_claims;
    uint8_t claims[32];
    bool simulated;
};

/* ERR_TOO_LARGE beyond AUDIT_ENTRY_MAX. The line ends without a newline. */
MUST_CHECK enum err audit_entry_write(const struct audit_entry *entry, struct writer *w);

/*
 * Reads the members for a reader of the log. ERR_MALFORMED not an entry. Spans borrow from `line`.
 * A principal with characters that JSON escapes is left empty: no name has such characters.
 */
struct audit_entry_view {
    struct span request_id, op, decision, code, tenant, principal;
    struct timestamp time;
};
MUST_CHECK enum err audit_entry_view(struct span line, struct audit_entry_view *out);

#endif
