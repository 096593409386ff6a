/*
 * What reading the head of a request costs: one line "name nanoseconds" per head. Each is the best
 * of many short rounds, so that a busy machine disturbs less.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/http_parse.h"

enum { ROUNDS = 300, ROUND_US = 1000, BATCH = 100, SESSION_SIZE = 1000, PIECES = 4 };

/* A head as clients send it with a decrypt request; `session` stands for the session's JWT. */
static size_t head_make(char *out, size_t capacity, size_t session_size)
{
    static char session[SESSION_SIZE + 1];

    memset(session, 'e', sizeof session);
    session[session_size] = '\0';
    return (size_t)snprintf(out, capacity,
                            "POST /decrypt HTTP/1.1\r\n"
                            "Host: keystore.example.org:8443\r\n"
                            "User-Agent: worker/1.4.2\r\n"
                            "Accept: */*\r\n"
                            "Authorization: Bearer 0123456789abcdef0123456789abcdef0123456789abcdef"
                            "0123456789abcdef\r\n"
                            "Content-Type: application/json\r\n"
                            "X-Session: %s\r\n"
                            "Content-Length: 512\r\n\r\n",
                            session);
}

/* Whole, or in `pieces` that arrive one after the other. */
static void parse(struct span head, size_t pieces)
{
    static struct http_request request;
    struct http_framing framing;
    const struct http_refusal *refusal;
    struct http_scan scan = {0};
    enum http_parsed parsed = HTTP_INCOMPLETE;

    for (size_t i = 1; i <= pieces; i++)
        parsed = http_head_parse(span_of(head.data, head.size * i / pieces), 1 << 20, &scan,
                                 &request, &framing, &refusal);
    if (parsed != HTTP_COMPLETE || framing.head_size != head.size)
        abort();
}

static double measure(struct span head, size_t pieces)
{
    double best = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        int64_t begun = clock_monotonic_us();
        int64_t passed;
        size_t count = 0;

        do {
            for (int i = 0; i < BATCH; i++)
                parse(head, pieces);
            count += BATCH;
            passed = clock_monotonic_us() - begun;
        } while (passed < ROUND_US);
        if ((double)passed * 1000 / (double)count < best)
            best = (double)passed * 1000 / (double)count;
    }
    return best;
}

int main(void)
{
    static const struct {
        const char *name;
        size_t session_size, pieces;
    } cases[] = {
        {"http_head_small",    10,           1     },
        {"http_head_session",  SESSION_SIZE, 1     },
        {"http_head_in_parts", SESSION_SIZE, PIECES},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char head[2048];
        size_t size = head_make(head, sizeof head, cases[i].session_size);

        printf("%s %.0f\n", cases[i].name, measure(span_of(head, size), cases[i].pieces));
    }
    return 0;
}
