#include "net/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "crypto/tls.h"

static size_t output_size(const struct output *o)
{
    size_t size = 0;

    for (size_t i = 0; i < OUTPUT_PARTS; i++)
        size += o->parts[i].size;
    return size;
}

/* Drops the first `size` bytes. */
static void advance(struct output *o, size_t size)
{
    for (size_t i = 0; i < OUTPUT_PARTS; i++) {
        size_t part = size < o->parts[i].size ? size : o->parts[i].size;

        o->parts[i].size -= part;
        if (part > 0)
            o->parts[i].data += part;
        size -= part;
    }
}

static enum output_result write_plain(int fd, struct output *o, size_t *put)
{
    struct iovec vectors[OUTPUT_PARTS];
    struct msghdr message = {.msg_iov = vectors};
    ssize_t sent;

    for (size_t i = 0; i < OUTPUT_PARTS; i++) {
        if (o->parts[i].size == 0)
            continue;
        vectors[message.msg_iovlen++] =
            (struct iovec){(void *)(uintptr_t)o->parts[i].data, o->parts[i].size};
    }
    do {
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? OUTPUT_WAIT : OUTPUT_FAILED;
    *put = (size_t)sent;
    return OUTPUT_DONE;
}

/*
 * The plaintext of the next record: the parts joined in guarded memory, because separate records
 * would cost a system call each; or a single part from its place. The same rest always gives the
 * same bytes, as OpenSSL requires for a repeated write.
 */
static struct span next_record(struct loop *l, const struct output *o)
{
    uint8_t *record = secret_data(l->tls_record);
    size_t size = 0;

    for (size_t i = 0; i < OUTPUT_PARTS; i++) {
        struct span part = span_slice(o->parts[i], 0, OUTPUT_RECORD_SIZE - size);

        if (size == 0 && i == OUTPUT_PARTS - 1)
            return part;
        if (part.size > 0)
            memcpy(record + size, part.data, part.size);
        size += part.size;
    }
    return span_of(record, size);
}

static enum output_result write_tls(struct loop *l, struct tls_stream *tls, struct output *o,
                                    size_t *put)
{
    struct span record = next_record(l, o);
    enum tls_want want = tls_stream_write(tls, record, put);

    if (o->secret && record.data == secret_data(l->tls_record))
        bytes_wipe(secret_data(l->tls_record), record.size);
    if (want == TLS_DONE)
        return OUTPUT_DONE;
    /* TLS 1.3 has no renegotiation: a write never waits for a read */
    return want == TLS_WANT_WRITE ? OUTPUT_WAIT : OUTPUT_FAILED;
}

enum output_result output_write(struct loop *l, int fd, struct tls_stream *tls, struct output *o)
{
    size_t left = output_size(o);

    while (left > 0) {
        size_t put = 0;
        enum output_result result = tls ? write_tls(l, tls, o, &put) : write_plain(fd, o, &put);

        if (result != OUTPUT_DONE)
            return result;
        loop_count(l, FIGURE_BYTES_OUT, put);
        advance(o, put);
        left -= put;
    }
    return OUTPUT_DONE;
}

enum err output_keep(struct output *o)
{
    size_t borrowed = o->secret ? OUTPUT_PARTS - 1 : OUTPUT_PARTS;
    size_t size = 0;
    uint8_t *at;

    for (size_t i = 0; i < borrowed; i++)
        size += o->parts[i].size;
    at = malloc(size ? size : 1);
    if (!at)
        return ERR_MEMORY;
    o->kept = at;
    o->kept_size = size;
    for (size_t i = 0; i < borrowed; i++) {
        if (o->parts[i].size > 0)
            memcpy(at, o->parts[i].data, o->parts[i].size);
        o->parts[i].data = at;
        at += o->parts[i].size;
    }
    return ERR_NONE;
}

void output_clear(struct output *o)
{
    if (o->kept)
        bytes_wipe(o->kept, o->kept_size);
    free(o->kept);
    secret_free(&o->secret);
    *o = (struct output){0};
}
