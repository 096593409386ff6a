/*
 * Operational log for people: `time level module event key=value ...` or one JSON object a line, on
 * standard error. Never secrets, never plaintext, never tokens. The evidence is the audit log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/span.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *key;
    struct span text; /* used when `is_text` */
    int64_t number;
    bool is_text;
};

#define LOG_STRING(key, value) ((struct log_field){(key), span_string(value), 0, true})
#define LOG_SPAN(key, value) ((struct log_field){(key), (value), 0, true})
#define LOG_NUMBER(key, value) ((struct log_field){(key), {0}, (int64_t)(value), false})

/* log_write(LOG_INFO, "net", "listening", LOG_STRING("address", a), LOG_NUMBER("port", p)); */
#define log_write(level, module, ...) LOG_WRITE_(level, module, __VA_ARGS__, (struct log_field){0})
#define LOG_WRITE_(level, module, event, ...)                                                      \
    log_write_fields((level), (module), (event), (const struct log_field[]){__VA_ARGS__})

/* `fields` ends with one whose key is NULL. A line longer than 4 KiB is cut. Thread-safe. */
void log_write_fields(enum log_level level, const char *module, const char *event,
                      const struct log_field *fields);

/*
 * For lines that strangers can cause: at most LOG_LIMIT_PER_S of them a second. Zero-initialise,
 * one for each kind of line.
 */
#define LOG_LIMIT_PER_S 10
struct log_limit {
    _Atomic int64_t second;
    _Atomic uint32_t used;
    _Atomic uint64_t left_out;
};
/* True when a line may be written; `*left_out` is then how many were not since the last one. */
bool log_limit_take(struct log_limit *limit, int64_t monotonic_us, uint64_t *left_out);

bool log_enabled(enum log_level level, const char *module);

/*
 * json   true for JSON lines
 * rules  comma list of `level` or `module=level` (the seed's RUST_LOG form; a module may be written
 *        with a `crate::` prefix, of which the last part counts), NULL for "info"; copied
 * When JOURNAL_STREAM says that standard error is journald's, each line begins with its priority
 * ("<3>"), which journald takes off.
 * Call before threads are started. ERR_CONFIG for an unknown level, or more than 16 modules.
 */
MUST_CHECK enum err log_configure(bool json, const char *rules);

#endif
