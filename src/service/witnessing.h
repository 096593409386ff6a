/*
 * This keystore as a witness of other logs (C2SP tlog-witness). It keeps, for each configured log,
 * the last checkpoint that it cosigned, as a row of the store. It cosigns only a checkpoint that is
 * consistent with that one, and only after the row and the entry that says so are durable.
 *
 *   table  TABLE_WITNESS      id  the log's origin
 *   value  01 | u64 size, little-endian | root, 32 bytes
 *
 * One thread at a time uses a struct witnessing, except witnessing_facts().
 */
#ifndef SERVICE_WITNESSING_H
#define SERVICE_WITNESSING_H

#include "audit/cosignature.h"
#include "audit/witness.h"
#include "service/outcome.h"
#include "service/service.h"

#define WITNESSING_LOGS_MAX 64
#define WITNESSING_VALUE_SIZE (1 + 8 + SHA256_SIZE)

struct witnessing_log {
    char origin[NOTE_NAME_MAX + 1];
    uint8_t public_key[ED25519_PUBLIC_SIZE];
};

/* Reads the rows. `name` is that of the cosigner. ERR_MEMORY; ERR_UNSUPPORTED a row has another
 * form; errors of the store */
MUST_CHECK enum err service_witness_start(struct service *svc, const char *name,
                                          const struct witnessing_log *logs, size_t count);

struct witnessing;
struct witnessing *service_witnessing(const struct service *svc); /* NULL: it is no witness */
void witnessing_free(struct witnessing **w);

/* The answer to one request. Zero-initialise. */
struct witnessing_answer {
    uint16_t status; /* of C2SP */
    const char *code, *text;
    uint64_t size; /* 409: of the last checkpoint */
    bool has_size; /* 409: the answer is that size */
    /* 200: the transaction that must be durable first, if there is one; it borrows from here */
    bool commits;
    struct transaction transaction;
    struct effect effects[2];
    uint8_t value[WITNESSING_VALUE_SIZE];
    struct witness_request request;
    size_t log;
    char line[COSIGNATURE_LINE_MAX]; /* 200: after witnessing_finish() */
};

/*
 * Judges a request. If `out->commits`, the caller writes the entry (witnessing_entry()), commits
 * `out->transaction`, and gives its result to witnessing_committed(), which changes the answer if
 * another process was faster. Then witnessing_finish() cosigns. `body` is borrowed.
 * ERR_MEMORY; errors of the store, after which nothing is answered
 */
MUST_CHECK enum err witnessing_judge(struct witnessing *w, struct span body,
                                     struct witnessing_answer *out);
/* Makes the line of the log, and the transaction of `o`. ERR_MEMORY */
MUST_CHECK enum err witnessing_entry(const struct service *svc, struct witnessing_answer *a,
                                     struct span request_id, struct timestamp now,
                                     struct outcome *o);
void witnessing_committed(struct witnessing *w, struct witnessing_answer *a,
                          const struct writer_request *commit);
MUST_CHECK enum err witnessing_finish(const struct witnessing *w, struct timestamp now,
                                      struct witnessing_answer *a);

/* The cosigner's name and vkey (NOTE_VKEY_SIZE); any thread. */
void witnessing_facts(const struct witnessing *w, const char **name, const char **vkey,
                      size_t *logs);

#endif
