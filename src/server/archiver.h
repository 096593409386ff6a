/*
 * The thread that moves old entries of the log into the archive, piece by piece (store/archiver.h):
 * when an operator asks for it, and once an hour those older than the setting says.
 */
#ifndef SERVER_ARCHIVER_H
#define SERVER_ARCHIVER_H

#include "base/clock.h"
#include "base/err.h"

struct server;
struct archiver;

/* `after_days` 0: only when asked. Without an archive of the store, `*out` is NULL. ERR_MEMORY */
MUST_CHECK enum err archiver_start(struct server *s, uint32_t after_days, struct archiver **out);
/* Ends after the present piece. Accepts NULL. */
void archiver_stop(struct archiver **a);

/* From now on, entries before this one are moved. */
void archiver_ask(struct archiver *a, uint64_t before);

struct archiver_figures {
    uint64_t archived; /* entries in the archive */
    uint64_t before;   /* those that were asked for */
    uint64_t bytes;    /* of the archive's files, as measured after the last run; 0: not known */
    uint64_t errors;   /* since the start */
    enum err error;    /* of the last run; ERR_NONE: it succeeded */
    bool running;
};
/* Accepts NULL: all zero. */
void archiver_figures(struct archiver *a, struct archiver_figures *out);

#endif
