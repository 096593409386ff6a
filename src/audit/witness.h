/*
 * The messages and the decision of C2SP tlog-witness: what a log sends to a witness
 * (add-checkpoint) and what a witness may cosign.
 *
 *   old <size>\n<base64 hash>\n...\n\n<checkpoint: a signed note>
 *
 * Pure: the state of the witness is an argument.
 */
#ifndef AUDIT_WITNESS_H
#define AUDIT_WITNESS_H

#include "audit/checkpoint.h"
#include "audit/note.h"

#define WITNESS_PROOF_MAX 63 /* lines */
#define WITNESS_SIZE_TYPE "text/x.tlog.size"
#define WITNESS_REQUEST_MAX (128u * 1024)

/* A request; spans borrow from its body. */
struct witness_request {
    uint64_t old_size;
    struct merkle_proof proof; /* at most WITNESS_PROOF_MAX hashes */
    struct span text;          /* of the checkpoint, with its last newline; maybe extension lines */
    struct span signatures;    /* lines, none verified */
    struct span origin;
    struct checkpoint checkpoint;
};

/* Appends to `out`. `note` is the signed checkpoint. ERR_TOO_LARGE, ERR_MEMORY */
MUST_CHECK enum err witness_request_write(uint64_t old_size, const struct merkle_proof *proof,
                                          struct span note, struct buffer *out);
/* ERR_MALFORMED: C2SP's 400; ERR_TOO_LARGE, also a text that cosignature_sign() does not take */
MUST_CHECK enum err witness_request_parse(struct span body, struct witness_request *out);

/* The body of a 409: "<size>\n". ERR_MALFORMED */
MUST_CHECK enum err witness_size_parse(struct span body, uint64_t *out);

/*
 * What a witness answers to a request whose origin it knows and whose signature is good. `last` is
 * the checkpoint that it cosigned last of this log; size 0: none.
 */
enum witness_answer {
    WITNESS_COSIGN,     /* newer and consistent: keep it, then cosign. 200 */
    WITNESS_SAME,       /* it is `last`, or the empty log: cosign, nothing to keep. 200 */
    WITNESS_BAD_OLD,    /* old size beyond the checkpoint's. 400 */
    WITNESS_OTHER_OLD,  /* old size is not that of `last`. 409 with the size */
    WITNESS_OTHER_ROOT, /* the size of `last` with another root: the log was forked. 409 */
    WITNESS_BAD_PROOF,  /* 422 */
};
enum witness_answer witness_judge(const struct checkpoint *last,
                                  const struct witness_request *request);

#endif
