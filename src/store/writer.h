/*
 * The one thread that writes. Requests queue up; it takes all that are there, commits them as one
 * group, and hands them back in one call. When a row of the group was tampered with, each request
 * is run by itself, so that only those that name the row fail. A group whose outcome is unknown is
 * held until it is known, or until store_writer_hurry(). While no server answers, waiting and new
 * requests are refused at once: nothing of them is stored. When the last batch had 8 or more it
 * waits until as many requests are there as that batch had and as waited at its end, but at most
 * 2 ms; at low load it does not wait. Without work it looks once a second whether a group could be
 * stored, so that the loss of files, server or lease is noticed on an idle keystore, too.
 * A batch is handed back once the anchors let its replies leave (store/anchor.h); a stop waits two
 * seconds for that.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include "store/store.h"

#define WRITER_QUEUE_MAX 8192 /* waiting requests; when full, store_writer_submit() refuses */
#define WRITER_BATCH_MAX 1024

/*
 * What to commit: `transaction`, or, without one, only `entry`. What they borrow must stay until
 * the request is handed back.
 */
struct writer_request {
    struct writer_request *next;
    const struct transaction *transaction; /* or NULL */
    struct span entry;
    uint64_t index;  /* of the appended entry, if one was */
    enum err result; /* ERR_NONE when durable, else why not; ERR_UNAVAILABLE: may be stored */
    struct transaction_result outcome; /* when `result` is ERR_NONE */
    void *owner;                       /* the caller's */
};

/* Called on the writer thread once per batch, with the list in order of submission. */
typedef void writer_done(void *context, struct writer_request *batch, size_t count);

struct store_writer;

MUST_CHECK enum err store_writer_start(struct store *store, writer_done *done, void *context,
                                       struct store_writer **out);

/*
 * Thread-safe. ERR_OVERLOADED when the queue is full, ERR_UNAVAILABLE once stopping, ERR_IO
 * while no server answers; ERR_TOO_LARGE, ERR_MALFORMED as transaction_check(). A refused request
 * is not handed back.
 */
MUST_CHECK enum err store_writer_submit(struct store_writer *w, struct writer_request *request);

struct writer_figures {
    uint64_t batches, requests, failures;
    uint64_t commit_us;    /* total time inside commits */
    uint64_t queue_length; /* now */
    uint64_t last_batch_size;
    bool failing;     /* the last commit failed: no reply can be sent */
    bool lost;        /* a file of the log was deleted, replaced or cut; a new start is needed */
    bool unreachable; /* no server answers: it is asked again until one does */
    bool fenced;      /* another process took the lease; a new start is needed */
    uint64_t outages; /* times that `unreachable` began */
};
void store_writer_figures(struct store_writer *w, struct writer_figures *out);

/*
 * From now on a group whose outcome is unknown is not held: its requests get ERR_UNAVAILABLE. Call
 * it before the end of threads that wait for a commit: the outcome may be unknown for ever.
 */
void store_writer_hurry(struct store_writer *w);

/* Commits the queue, ends the thread, frees. */
void store_writer_stop(struct store_writer **w);

#endif
