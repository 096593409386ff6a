/*
 * The client of C2SP tlog-witness: sends the log's checkpoint with a consistency proof to each
 * witness, verifies the cosignatures, and gives them to the store. It is an anchor
 * (store/anchor.h): a witness that has cosigned a larger log, or another log of the same size,
 * proves that the database is old. Nothing that a witness says is believed without its cosignature,
 * except such a proof: so a false witness can prevent the start, and cannot hide a rollback that
 * another witness of the quorum reports.
 */
#ifndef DAEMON_WITNESSES_H
#define DAEMON_WITNESSES_H

#include "daemon/settings.h"
#include "store/anchor.h"

struct witnesses;

/* `settings` is borrowed. ERR_MEMORY, ERR_CONFIG */
MUST_CHECK enum err witnesses_new(const struct settings *settings, struct witnesses **out);
void witnesses_free(struct witnesses **w); /* accepts NULL */

/* As struct anchor's functions; `context` is the struct witnesses. */
MUST_CHECK enum err witnesses_move(void *context, const struct anchor_point *to,
                                   struct anchor_problem *problem);

#endif
