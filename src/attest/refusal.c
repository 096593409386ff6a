#include "attest/refusal.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { HEX_BYTES_MAX = 64 };

static void put_text(char *out, size_t capacity, const char *text)
{
    (void)snprintf(out, capacity, "%s", text ? text : "");
}

enum err refuse(struct refusal *r, enum attest_reason reason, const char *step,
                const char *expected, const char *presented)
{
    r->reason = reason;
    put_text(r->step, sizeof r->step, step);
    put_text(r->expected, sizeof r->expected, expected);
    put_text(r->presented, sizeof r->presented, presented);
    return ERR_DENIED;
}

static void put_bytes(char *out, size_t capacity, const char *name, struct span bytes)
{
    char hex[2 * HEX_BYTES_MAX + 1];

    hex_write(span_slice(bytes, 0, HEX_BYTES_MAX), hex);
    (void)snprintf(out, capacity, "%s %s", name, hex);
}

enum err refuse_bytes(struct refusal *r, enum attest_reason reason, const char *step,
                      const char *name, struct span expected, struct span presented)
{
    enum err e = refuse(r, reason, step, NULL, NULL);

    put_bytes(r->expected, sizeof r->expected, name, expected);
    put_bytes(r->presented, sizeof r->presented, name, presented);
    return e;
}

/* The letters of `name` without its bound: "bytes" for "bytes at least". */
static int noun_size(const char *name)
{
    static const char *const bounds[] = {" at least", " at most", " from 1 to", " 1 or", " 4 or"};
    const size_t size = strlen(name);

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const size_t bound = strlen(bounds[i]);

        if (size > bound && strcmp(name + size - bound, bounds[i]) == 0)
            return (int)(size - bound);
    }
    return (int)size;
}

enum err refuse_number(struct refusal *r, enum attest_reason reason, const char *step,
                       const char *name, uint64_t expected, uint64_t presented)
{
    enum err e = refuse(r, reason, step, NULL, NULL);

    (void)snprintf(r->expected, sizeof r->expected, "%s %llu", name, (unsigned long long)expected);
    (void)snprintf(r->presented, sizeof r->presented, "%.*s %llu", noun_size(name), name,
                   (unsigned long long)presented);
    return e;
}

enum err refuse_time(struct refusal *r, enum attest_reason reason, const char *step,
                     const char *limit, struct timestamp expected, struct timestamp now)
{
    char text[TIMESTAMP_TEXT_SIZE];
    enum err e = refuse(r, reason, step, NULL, NULL);

    timestamp_write(expected, text);
    (void)snprintf(r->expected, sizeof r->expected, "%s %s", limit, text);
    timestamp_write(now, text);
    (void)snprintf(r->presented, sizeof r->presented, "now %s", text);
    return e;
}

enum err refuse_unless_memory(struct refusal *r, enum err e, enum attest_reason reason,
                              const char *step, const char *expected, const char *presented)
{
    return e == ERR_MEMORY ? e : refuse(r, reason, step, expected, presented);
}
