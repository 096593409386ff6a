/*
 * A server of one connection at a time that answers what a test wants, also what no keystore would.
 * On a thread of its own, on the loopback.
 */
#ifndef CLIENT_FAKE_SERVER_H
#define CLIENT_FAKE_SERVER_H

#include <stddef.h>

#define FAKE_REQUEST_ID "01932f6e-7b8a-7cc0-9d3e-0123456789ab"

struct fake_reply {
    unsigned status;        /* 0: 200 */
    const char *request_id; /* NULL: FAKE_REQUEST_ID */
    const char *head;       /* NULL, or the whole head instead of the usual one */
    char body[65536];
    size_t size; /* 0: up to the terminator */
};

/* Fills the reply to a request, given as its bytes, head and body. */
typedef void (*fake_handler)(const char *request, struct fake_reply *reply);

struct fake_server;
struct fake_server *fake_server_start(void);
/* "http://127.0.0.1:port" */
const char *fake_server_url(const struct fake_server *s);
void fake_server_answer(struct fake_server *s, fake_handler handler);
void fake_server_stop(struct fake_server *s);

#endif
