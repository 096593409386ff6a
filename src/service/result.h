/*
 * The result of an allowed operation, typed and without JSON. It is held back until the log entry
 * is durable. Then server/render_*.c write it, or another caller takes the bytes.
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
    struct buffer sealed;         /* the ciphertext of the other two forms; see docs/protocol.md */
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
    struct attest_result evidence; /* its spans are no longer valid */
};

/* The judgement of one rule of the policy. */
struct rule_verdict {
    char name[POLICY_NAME_MAX + 1];
    bool accepts;
    size_t demands_met;
    struct appraisal_denial denial; /* unless the rule accepts */
};

struct explanation {
    struct attest_result evidence; /* its spans borrow from the request */
    /* Which of Intel's sets decided; only for a platform whose collateral is held. */
    bool has_set, set_is_early;
    uint32_t tcb_evaluation_number;
    bool early_set_missing; /* the early set was requested, and did not decide */
    bool kind_is_right;     /* the evidence has the kind in tee_type */
    bool binding_checked;
    bool tells_rules; /* the token may see `rules` */
    size_t rule_count, rules_left_out;
    struct rule_verdict rules[EXPLAINED_RULES_MAX];
    bool has_nearest;            /* false: no rule was requested */
    struct rule_verdict nearest; /* the rule that accepts, or the nearest one */
};

struct policy_snapshot;
struct reference_rows;
struct policy_changed {
    struct reference_rows *rows;  /* what is written with the entry; see service/reference_rows.h */
    struct policy_snapshot *next; /* takes effect with operation_committed(); then NULL */
    uint8_t version[8];           /* of the policy after the change */
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

/* Wipes and frees the contents of any kind of result. */
void operation_result_clear(struct operation_result *r);

#endif
