/* libvouchsafe: the keystore's log: checkpoints, receipts, exports, and their verification. */
#ifndef VOUCHSAFE_LOG_H
#define VOUCHSAFE_LOG_H

#include <vouchsafe/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The signed checkpoint, unchanged and not verified. Keep it: a later log must contain it. */
VS_MUST_CHECK enum vs_error vs_log_checkpoint(struct vs_client *c, struct vs_blob *note);
/* The log's key as the server states it, without proof. vs_keystore_verify() gives a proven key. */
VS_MUST_CHECK enum vs_error vs_log_vkey(struct vs_client *c, char out[VS_VKEY_SIZE]);
/* The receipt of a request. VS_ERR_REFUSED with "not_found" also if the request used another
 * token. */
VS_MUST_CHECK enum vs_error vs_log_receipt(struct vs_client *c, const char *request_id,
                                           struct vs_blob *receipt);

/* Receives a piece of a stream. Any result except VS_OK ends the stream and is returned. */
typedef VS_MUST_CHECK enum vs_error (*vs_write_function)(void *context, struct vs_bytes piece);

/* The entries from `from` to `to` - 1, one line each, in pieces of whole lines. Needs an
 * auditor's token. */
VS_MUST_CHECK enum vs_error vs_log_export(struct vs_client *c, uint64_t from, uint64_t to,
                                          vs_write_function write, void *context);

/*
 * Fetches the proof that the log of one checkpoint begins with the log of an older checkpoint.
 * Checks the proof and both signatures. VS_ERR_TAMPERED, VS_ERR_UNTRUSTED, VS_ERR_MALFORMED
 */
VS_MUST_CHECK enum vs_error vs_log_consistency(struct vs_client *c, const char *vkey,
                                               struct vs_bytes older, struct vs_bytes newer);

/* The size in a checkpoint. VS_ERR_MALFORMED; VS_ERR_UNTRUSTED not signed by this key */
VS_MUST_CHECK enum vs_error vs_checkpoint_verify(struct vs_bytes note, const char *vkey,
                                                 uint64_t *size, uint8_t root[VS_HASH_SIZE]);

struct vs_receipt_info {
    uint64_t index;
    char request_id[VS_REQUEST_ID_SIZE];
    char op[64], decision[8], code[64];
    char key[VS_SEED_MAX + 1];  /* the seed; "" for the global key, and where no key is involved */
    char task[VS_SEED_MAX + 1]; /* "" when there is none */
    int64_t time;
    char entry[8193]; /* the line, terminated */
};
/*
 * Checks a receipt, offline: the checkpoint is signed by `vkey`, and its tree holds the entry.
 * `request_id` is the expected request, or NULL.
 * VS_ERR_MALFORMED, VS_ERR_UNTRUSTED (signature), VS_ERR_TAMPERED (the proof, or another request)
 */
VS_MUST_CHECK enum vs_error vs_receipt_verify(struct vs_bytes receipt, const char *vkey,
                                              const char *request_id, struct vs_receipt_info *out,
                                              struct vs_why *why);

/*
 * Verifies an exported log, offline and in a stream. Memory use does not depend on its size. Order
 * of calls: new, keep (any number), add (until the end), finish, free.
 */
struct vs_log_verifier;
/* VS_ERR_MALFORMED, VS_ERR_UNTRUSTED the checkpoint is at fault */
VS_MUST_CHECK enum vs_error vs_log_verifier_new(struct vs_bytes checkpoint, const char *vkey,
                                                struct vs_log_verifier **out);
#define VS_LOG_KEPT_MAX 256
/*
 * Adds an older checkpoint that the caller kept. The log must contain it. Call before the first
 * add.
 * VS_ERR_MALFORMED, VS_ERR_UNTRUSTED, VS_ERR_TOO_LARGE (VS_LOG_KEPT_MAX)
 */
VS_MUST_CHECK enum vs_error vs_log_verifier_keep(struct vs_log_verifier *v, struct vs_bytes note);
/* The next bytes of the export, in pieces of any size. vs_log_verify_finish() reports faults. */
VS_MUST_CHECK enum vs_error vs_log_verifier_add(struct vs_log_verifier *v, struct vs_bytes bytes);

enum vs_log_fault {
    VS_LOG_OK = 0,
    VS_LOG_MALFORMED = 1,   /* a line is not an entry, or is too long for one */
    VS_LOG_CHANGED = 2,     /* entries were edited, removed, inserted or put in another order */
    VS_LOG_MISSING = 3,     /* the export ends before the checkpoint's size */
    VS_LOG_UNCOVERED = 4,   /* the export goes on beyond the checkpoint */
    VS_LOG_ROLLED_BACK = 5, /* the checkpoint is older than a kept one */
    VS_LOG_FORKED = 6       /* two signed checkpoints of one size have different roots */
};
struct vs_log_report {
    enum vs_log_fault fault;
    uint64_t entries; /* lines read */
    uint64_t size;    /* of the checkpoint */
    uint64_t intact;  /* so many entries from the start are proven unchanged */
    uint64_t first;   /* the first entry that may be at fault ... */
    uint64_t last;    /* ... and the last one; equal when exactly one is at fault */
    bool has_suspect; /* `suspect` is the first entry in that range that is out of time order */
    uint64_t suspect;
};
/*
 * VS_ERR_TAMPERED when anything is wrong. Then, too, `report` is written, and `why` (may be NULL)
 * has a sentence about it.
 */
VS_MUST_CHECK enum vs_error
vs_log_verifier_finish(struct vs_log_verifier *v, struct vs_log_report *report, struct vs_why *why);
void vs_log_verifier_free(struct vs_log_verifier **v);

#ifdef __cplusplus
}
#endif

#endif
