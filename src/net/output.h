/*
 * Output to a peer. It is written at once from its place. Only bytes that the socket does not take
 * are copied.
 */
#ifndef NET_OUTPUT_H
#define NET_OUTPUT_H

#include "net/loop.h"

#define OUTPUT_PARTS 4            /* head, extra headers, empty line, body */
#define OUTPUT_RECORD_SIZE 16384u /* plaintext of one TLS record, RFC 8446 section 5.1 */

struct tls_stream;

struct output {
    struct span parts[OUTPUT_PARTS]; /* the unwritten rest of each part */
    struct secret *secret;           /* owned; the last part borrows from it */
    uint8_t *kept;                   /* owned copy of the parts that had to wait, or NULL */
    size_t kept_size;
};

enum output_result { OUTPUT_DONE, OUTPUT_WAIT, OUTPUT_FAILED };

/* Writes as much as the peer takes now; `tls` NULL for plain TCP. */
enum output_result output_write(struct loop *l, int fd, struct tls_stream *tls, struct output *o);

/* Copies borrowed parts, but not the secret, so that the output can wait. ERR_MEMORY */
MUST_CHECK enum err output_keep(struct output *o);

/* Wipes and frees, also the secret. */
void output_clear(struct output *o);

#endif
