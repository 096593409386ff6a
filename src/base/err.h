/*
 * The only error type of the tree. Every function that can fail returns it and is MUST_CHECK.
 * Functions return results through `out` parameters and write them on success only.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/compiler.h"

/* Columns: name; stable code (part of the protocol, never renamed); sentence for a person. */
#define ERR_TABLE(X)                                                                               \
    X(ERR_NONE, "ok", "no error")                                                                  \
    X(ERR_MALFORMED, "malformed", "the input does not have the required form")                     \
    X(ERR_TOO_LARGE, "too_large", "the input exceeds a stated limit")                              \
    X(ERR_UNSUPPORTED, "unsupported", "the input is well-formed, but its kind is not supported")   \
    X(ERR_UNAUTHENTICATED, "unauthenticated", "no valid credential was presented")                 \
    X(ERR_DENIED, "denied", "the policy does not allow this")                                      \
    X(ERR_STALE, "stale", "evidence or collateral is out of date")                                 \
    X(ERR_REPLAYED, "replayed", "a nonce was used twice, or was never issued")                     \
    X(ERR_EXPIRED, "expired", "the credential has expired")                                        \
    X(ERR_NOT_FOUND, "not_found", "the requested item does not exist")                             \
    X(ERR_CONFLICT, "conflict", "the request contradicts the present state")                       \
    X(ERR_RATE_LIMITED, "rate_limited", "too many requests")                                       \
    X(ERR_OVERLOADED, "overloaded", "a queue or table is full; try again later")                   \
    X(ERR_UNAVAILABLE, "unavailable", "a required part is not available")                          \
    X(ERR_ARCHIVE, "archive_unavailable",                                                          \
      "the log's archive, or a file of it, is missing or damaged")                                 \
    X(ERR_CRYPTO, "crypto", "a cryptographic check or operation failed")                           \
    X(ERR_TAMPERED, "tampered", "stored data differs from what was written")                       \
    X(ERR_ROLLED_BACK, "rolled_back", "the database is older than its anchor outside the disk")    \
    X(ERR_MEMORY, "out_of_memory", "out of memory, or memory could not be locked")                 \
    X(ERR_IO, "io", "reading or writing failed")                                                   \
    X(ERR_TIMEOUT, "timeout", "the deadline passed")                                               \
    X(ERR_CONFIG, "config", "the configuration is not acceptable")                                 \
    X(ERR_INTERNAL, "internal", "an internal fault")

enum err {
#define ERR_ENUM(name, code, text) name,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

/* The stable code, such as "malformed". Never NULL. */
const char *err_code(enum err e);

/* One sentence without a full stop, for logs and messages. Never NULL. */
const char *err_text(enum err e);

#endif
