#include "client/client.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    enum vs_error error;
    const char *code;
    const char *text;
} errors[] = {
    {VS_OK,              "ok",            "no error"                                              },
    {VS_ERR_ARGUMENT,    "argument",      "the call is wrong"                                     },
    {VS_ERR_MALFORMED,   "malformed",     "the input does not have the required form"             },
    {VS_ERR_TOO_LARGE,   "too_large",     "the input exceeds a limit"                             },
    {VS_ERR_UNSUPPORTED, "unsupported",   "this is not supported"                                 },
    {VS_ERR_MEMORY,      "out_of_memory", "out of memory, or memory could not be locked"          },
    {VS_ERR_IO,          "io",            "a file cannot be read or written"                      },
    {VS_ERR_NOT_FOUND,   "not_found",     "it does not exist"                                     },
    {VS_ERR_EXISTS,      "exists",        "it exists already and is not overwritten"              },
    {VS_ERR_UNREACHABLE, "unreachable",   "the keystore cannot be reached"                        },
    {VS_ERR_TIMEOUT,     "timeout",       "the keystore did not answer in time"                   },
    {VS_ERR_REFUSED,     "refused",       "the keystore refused the request"                      },
    {VS_ERR_REPLY,       "reply",         "the reply does not follow the protocol"                },
    {VS_ERR_UNTRUSTED,   "untrusted",     "evidence or a signature does not verify"               },
    {VS_ERR_POLICY,      "policy",        "the evidence is genuine, but not accepted"             },
    {VS_ERR_DOWNGRADE,   "downgrade",     "a plain reply came although a sealed one was asked for"},
    {VS_ERR_CRYPTO,      "crypto",        "it does not decrypt"                                   },
    {VS_ERR_TAMPERED,    "tampered",      "it is not what the checkpoint says"                    },
    {VS_ERR_RESERVED,    "reserved_name", "a secret has a reserved name"                          },
    {VS_ERR_EXPIRED,     "expired",       "the session has expired"                               },
    {VS_ERR_INTERNAL,    "internal",      "an internal fault"                                     },
};

const char *vs_error_code(enum vs_error e)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (errors[i].error == e)
            return errors[i].code;
    return "unknown";
}

const char *vs_error_text(enum vs_error e)
{
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        if (errors[i].error == e)
            return errors[i].text;
    return "an unknown error";
}

enum vs_error error_of(enum err e)
{
    static const enum vs_error table[ERR_COUNT] = {
        [ERR_NONE] = VS_OK,
        [ERR_MALFORMED] = VS_ERR_MALFORMED,
        [ERR_TOO_LARGE] = VS_ERR_TOO_LARGE,
        [ERR_UNSUPPORTED] = VS_ERR_UNSUPPORTED,
        [ERR_UNAUTHENTICATED] = VS_ERR_REFUSED,
        [ERR_DENIED] = VS_ERR_UNTRUSTED,
        [ERR_STALE] = VS_ERR_UNTRUSTED,
        [ERR_REPLAYED] = VS_ERR_REFUSED,
        [ERR_EXPIRED] = VS_ERR_EXPIRED,
        [ERR_NOT_FOUND] = VS_ERR_NOT_FOUND,
        [ERR_CONFLICT] = VS_ERR_EXISTS,
        [ERR_RATE_LIMITED] = VS_ERR_REFUSED,
        [ERR_OVERLOADED] = VS_ERR_REFUSED,
        [ERR_UNAVAILABLE] = VS_ERR_UNREACHABLE,
        [ERR_CRYPTO] = VS_ERR_CRYPTO,
        [ERR_TAMPERED] = VS_ERR_TAMPERED,
        [ERR_MEMORY] = VS_ERR_MEMORY,
        [ERR_IO] = VS_ERR_IO,
        [ERR_TIMEOUT] = VS_ERR_TIMEOUT,
        [ERR_CONFIG] = VS_ERR_MALFORMED,
        [ERR_INTERNAL] = VS_ERR_INTERNAL,
    };
    return e < ERR_COUNT ? table[e] : VS_ERR_INTERNAL;
}

enum vs_error why_fail(struct vs_why *why, enum vs_error e, const char *format, ...)
{
    va_list arguments;

    if (why == NULL)
        return e;
    va_start(arguments, format);
    (void)vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return e;
}

enum vs_error client_fail(struct vs_client *c, enum vs_error e, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(c->why.text, sizeof c->why.text, format, arguments);
    va_end(arguments);
    return e;
}
