/*
 * One entry of the log: a JSON object on one line; the leaf is exactly these bytes. Never secrets,
 * never plaintext, never a token. Members, in this order, absent when empty:
 *
 *   v            1; 2 when the entry has a tenant, which is what version 1 lacks
 *   time         RFC 3339, milliseconds
 *   request_id   UUIDv7 of the request
 *   op           "open", "attest", "init", "new-log", "start", "collateral", "policy", ...
 *   decision     "allow" or "deny"
 *   code         stable code; "ok" when allowed
 *   rule         what decided, the name of a policy, or "default-deny"
 *   key, key_version   the seed; absent for the global key
 *   tenant       of the principal; absent for the default tenant
 *   principal    e.g. "worker:3f2a..." (a name or a prefix of the token's hash); names are unique
 *                within a tenant
 *   auth         "bearer", "session", "evidence"
 *   tee          "sgx", "simulated", ...
 *   claims       SHA-256 of the verified evidence's claims, hex
 *   task         the caller's task id
 *   detail       JSON: what an operator needs to understand a refusal (expected, presented, ...)
 *   simulated    true when this keystore runs on the simulated TEE
 */
#ifndef AUDIT_ENTRY_H
#define AUDIT_ENTRY_H

#include "base/clock.h"
#include "base/writer.h"

#define AUDIT_PRINCIPAL_KEYSTORE "keystore" /* of entries about the keystore; no token's name */
#define AUDIT_ENTRY_MAX 8192
#define AUDIT_TEXT_MAX 1024 /* bytes of any one text; longer ones are cut and end with "..." */

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
 * What a reader of the log needs: ERR_MALFORMED if it is no entry. Spans borrow from `line`. A
 * principal with characters that JSON escapes, which no name has, is left empty.
 */
struct audit_entry_view {
    struct span request_id, op, decision, code, tenant, principal;
    struct timestamp time;
};
MUST_CHECK enum err audit_entry_view(struct span line, struct audit_entry_view *out);

#endif
