#include "server/status.h"

static const unsigned short statuses[ERR_COUNT] = {
    [ERR_NONE] = 200,        [ERR_MALFORMED] = 400,       [ERR_TOO_LARGE] = 413,
    [ERR_UNSUPPORTED] = 400, [ERR_UNAUTHENTICATED] = 401, [ERR_DENIED] = 403,
    [ERR_STALE] = 401,       [ERR_REPLAYED] = 401,        [ERR_EXPIRED] = 403,
    [ERR_NOT_FOUND] = 404,   [ERR_CONFLICT] = 409,        [ERR_RATE_LIMITED] = 429,
    [ERR_OVERLOADED] = 503,  [ERR_UNAVAILABLE] = 503,     [ERR_ARCHIVE] = 503,
    [ERR_CRYPTO] = 400, /* the caller's envelope or point is at fault */
    [ERR_TAMPERED] = 500,    [ERR_ROLLED_BACK] = 503,     [ERR_MEMORY] = 503,
    [ERR_IO] = 503,          [ERR_TIMEOUT] = 503,         [ERR_CONFIG] = 500,
    [ERR_INTERNAL] = 500,
};

unsigned status_of(enum err e)
{
    return (unsigned)e < ERR_COUNT ? statuses[e] : 500;
}
