/*
 * The operational log for people, on standard error. A line is `time level module event
 * key=value ...` or one JSON object. A line never contains secrets, plaintext or tokens. The audit
 * log, not this log, serves as evidence.
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

/* The last element of `fields` has the key NULL. A line is cut after 4 KiB. Thread-safe. */
void log_write_fields(enum log_level level, const char *module, const char *event,
                      const struct log_field *fields);

/*
 * Limits lines that strangers can cause to LOG_LIMIT_PER_S per second. Use one limit for each kind
 * of line. Zero-initialise it.
 */
#define LOG_LIMIT_PER_S 10
struct log_limit {
    _Atomic int64_t second;
    _Atomic uint32_t used;
    _Atomic uint64_t left_out;
};
/* True when the caller may write a line. `*left_out` is then the number of lines that the limit
 * suppressed since the last written line. */
bool log_limit_take(struct log_limit *limit, int64_t monotonic_us, uint64_t *left_out);

bool log_enabled(enum log_level level, const char *module);

/*
 * Configures the log. Call it before threads start.
 *
 * json   true for JSON lines
 * rules  comma-separated list of `level` or `module=level`, in the form of RUST_LOG; NULL means
 *        "info". A module may have a `crate::` prefix; only its last part counts. Copied
 *
 * When JOURNAL_STREAM shows that standard error belongs to journald, each line begins with its
 * priority ("<3>"). journald removes the priority.
 * ERR_CONFIG an unknown level, or more than 16 modules
 */
MUST_CHECK enum err log_configure(bool json, const char *rules);

#endif
