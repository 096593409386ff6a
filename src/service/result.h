/*
 * What an allowed operation reveals, typed and without JSON. It is held back until the log entry is
 * durable; then server/render_*.c write it, or another caller takes the bytes.
 */
#ifndef SERVICE_RESULT_H
#define SERVICE_RESULT_H

#include "attest/evidence_fields.h" /* struct attest_result, and the names of its fields */
#include "auth/session.h"
#include "base/secret.h"
#include "policy/appraisal.h"

#define REPLY_KEY_SIZE 32
#define EXPLAINED_RULES_MAX 64 /* of a policy; the others are counted */

/* The plaintext of an envelope, in the form that the policy and the request allow. */
struct opened {
    enum { OPENED_PLAIN, OPENED_FOR_SESSION, OPENED_FOR_KEY } form;
    struct secret *plain;         /* OPENED_PLAIN; else NULL */
    struct buffer sealed;         /* the ciphertext of the other two; see docs/protocol.md */
    uint8_t opening[X25519_SIZE]; /* the nonce (session) or the encapsulated key (HPKE) */
    size_t opening_size;
};

/* The session's reply key, sealed to the attested key, and the keystore's signature over both. */
struct session_grant {
    uint8_t enc[X25519_SIZE];
    uint8_t ciphertext[REPLY_KEY_SIZE + 16];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
};

struct session_issued {
    struct session session;
    char token[SESSION_TOKEN_MAX + 1];
    struct session_grant grant;
    struct attest_result evidence; /* the spans in it are gone */
};

/* What one rule of the policy says of evidence. */
struct rule_verdict {
    char name[POLICY_NAME_MAX + 1];
    bool accepts;
    size_t demands_met;
    struct appraisal_denial denial; /* unless it accepts */
};

struct explanation {
    struct attest_result evidence; /* the spans in it borrow from the request */
    bool kind_is_right;            /* the evidence is what tee_type says */
    bool binding_checked;
    bool tells_rules; /* the token may see `rules` */
    size_t rule_count, rules_left_out;
    struct rule_verdict rules[EXPLAINED_RULES_MAX];
    bool has_nearest;            /* else no rule was asked for */
    struct rule_verdict nearest; /* the rule that accepts, or the one that came nearest */
};

struct policy_snapshot;
struct policy_changed {
    struct policy_snapshot *next; /* takes effect with operation_committed(); then NULL */
    uint8_t version[8];           /* of the policy, once it is in effect */
};

/* Zero-initialise. */
struct operation_result {
    enum {
        RESULT_NONE,
        RESULT_OPENED,
        RESULT_SESSION,
        RESULT_EXPLANATION,
        RESULT_POLICY_CHANGED
    } kind;
    union {
        struct opened opened;
        struct session_issued *session;
        struct explanation *explanation;
        struct policy_changed policy;
    };
};

/* Wipes and frees what it holds, whatever it is. */
void operation_result_clear(struct operation_result *r);

#endif
