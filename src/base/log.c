#include "base/log.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/writer.h"

enum { MODULES_MAX = 16, NAME_MAX_SIZE = 24, LINE_MAX_SIZE = 4096 };

/* Set once by log_configure() before threads start; the only process-wide state. */
static struct {
    bool json;
    bool journal; /* standard error is journald's: each line begins with its priority */
    enum log_level level;
    size_t count;
    struct {
        char name[NAME_MAX_SIZE];
        enum log_level level;
    } modules[MODULES_MAX];
} log_state = {.level = LOG_INFO};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
/* sd-daemon(3): err, warning, info, debug of syslog(3) */
static const char *const journal_priorities[] = {"<3>", "<4>", "<6>", "<7>"};

MUST_CHECK static enum err level_parse(struct span text, enum log_level *out)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (span_equal_string(text, level_names[i])) {
            *out = (enum log_level)i;
            return ERR_NONE;
        }
    }
    /* a name in the seed's settings; there is no level below debug */
    if (span_equal_string(text, "trace")) {
        *out = LOG_DEBUG;
        return ERR_NONE;
    }
    return ERR_CONFIG;
}

MUST_CHECK static enum err rule_apply(struct span rule)
{
    const uint8_t *equals = rule.size ? memchr(rule.data, '=', rule.size) : NULL;
    size_t name_size;
    struct span name;
    enum err e;

    if (!equals)
        return level_parse(rule, &log_state.level);
    name_size = (size_t)(equals - rule.data);
    name = span_of(rule.data, name_size);
    for (size_t i = name_size; i > 0; i--) {
        if (rule.data[i - 1] == ':') {
            name = span_of(rule.data + i, name_size - i);
            break;
        }
    }
    if (log_state.count == MODULES_MAX)
        return ERR_CONFIG;
    e = span_to_string(name, log_state.modules[log_state.count].name, NAME_MAX_SIZE);
    if (e == ERR_NONE)
        e = level_parse(span_of(equals + 1, rule.size - name_size - 1),
                        &log_state.modules[log_state.count].level);
    if (e == ERR_NONE)
        log_state.count++;
    return e == ERR_NONE ? ERR_NONE : ERR_CONFIG;
}

/* The file of standard error, in decimal numbers with a colon; systemd.exec(5), JOURNAL_STREAM. */
static bool is_journal(const char *journal_stream)
{
    struct stat status;
    char own[48];

    if (!journal_stream || fstat(STDERR_FILENO, &status) != 0)
        return false;
    (void)snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
                   (unsigned long long)status.st_ino);
    return strcmp(own, journal_stream) == 0;
}

enum err log_configure(bool json, const char *rules)
{
    struct span rest = span_string(rules);
    enum err e = ERR_NONE;

    log_state.json = json;
    log_state.journal = is_journal(getenv("JOURNAL_STREAM"));
    log_state.level = LOG_INFO;
    log_state.count = 0;
    while (e == ERR_NONE && rest.size > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;

        if (size > 0)
            e = rule_apply(span_of(rest.data, size));
        rest = span_slice(rest, size + 1, rest.size);
    }
    return e;
}

/* When a second ends, several threads may write a few lines more: the limit is approximate. */
bool log_limit_take(struct log_limit *limit, int64_t monotonic_us, uint64_t *left_out)
{
    const int64_t second = monotonic_us / 1000000;

    if (atomic_exchange_explicit(&limit->second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&limit->used, 0, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&limit->used, 1, memory_order_relaxed) >= LOG_LIMIT_PER_S) {
        atomic_fetch_add_explicit(&limit->left_out, 1, memory_order_relaxed);
        return false;
    }
    *left_out = atomic_exchange_explicit(&limit->left_out, 0, memory_order_relaxed);
    return true;
}

bool log_enabled(enum log_level level, const char *module)
{
    for (size_t i = 0; i < log_state.count; i++)
        if (strcmp(log_state.modules[i].name, module) == 0)
            return level <= log_state.modules[i].level;
    return level <= log_state.level;
}

/* Control bytes, quotes and non-ASCII are escaped in both forms: a log line is one line. */
static void put_escaped(struct writer *w, struct span text)
{
    static const char hex[] = "0123456789abcdef";

    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (c == '"' || c == '\\') {
            writer_u8(w, '\\');
            writer_u8(w, c);
        } else if (c < 0x20 || c > 0x7e) {
            writer_put(w, SPAN_LITERAL("\\u00"));
            writer_u8(w, (uint8_t)hex[c >> 4]);
            writer_u8(w, (uint8_t)hex[c & 15]);
        } else {
            writer_u8(w, c);
        }
    }
}

static void put_quoted(struct writer *w, struct span text)
{
    writer_u8(w, '"');
    put_escaped(w, text);
    writer_u8(w, '"');
}

static bool needs_quotes(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > 0x7e || strchr("\"\\=", text.data[i]))
            return true;
    return text.size == 0;
}

static void put_number(struct writer *w, int64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%lld", (long long)number);

    writer_put(w, span_of(text, (size_t)size));
}

static void put_field(struct writer *w, const struct log_field *field)
{
    writer_put(w, log_state.json ? SPAN_LITERAL(",") : SPAN_LITERAL(" "));
    if (log_state.json) {
        put_quoted(w, span_string(field->key));
        writer_u8(w, ':');
    } else {
        writer_put(w, span_string(field->key));
        writer_u8(w, '=');
    }
    if (!field->is_text)
        put_number(w, field->number);
    else if (log_state.json || needs_quotes(field->text))
        put_quoted(w, field->text);
    else
        writer_put(w, field->text);
}

static void put_head(struct writer *w, const char *time, enum log_level level, const char *module,
                     const char *event)
{
    const char *parts[] = {time, level_names[level], module, event};
    static const char *const names[] = {"{\"time\":", ",\"level\":", ",\"module\":", ",\"event\":"};

    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (log_state.json) {
            writer_put(w, span_string(names[i]));
            put_quoted(w, span_string(parts[i]));
        } else {
            writer_put(w, i ? SPAN_LITERAL(" ") : SPAN_LITERAL(""));
            writer_put(w, span_string(parts[i]));
        }
    }
}

void log_write_fields(enum log_level level, const char *module, const char *event,
                      const struct log_field *fields)
{
    char line[LINE_MAX_SIZE];
    char time[TIMESTAMP_TEXT_SIZE];
    struct writer w = writer_over(line, sizeof line - 2);
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (!log_enabled(level, module))
        return;
    timestamp_write(clock_now(), time);
    if (log_state.journal)
        writer_put(&w, span_string(journal_priorities[level]));
    put_head(&w, time, level, module, event);
    for (; fields->key; fields++) {
        struct writer before = w;

        put_field(&w, fields);
        /* the line stays well-formed, because a field that does not fit is left out */
        if (w.failed) {
            w = before;
            break;
        }
    }
    if (log_state.json)
        line[w.size++] = '}';
    line[w.size++] = '\n';
    /* one write, so that lines of different threads do not mix. If the reader has stopped, the
     * line is lost, and the loop still serves requests */
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT))
        return;
    if (write(STDERR_FILENO, line, w.size) < 0)
        return;
}
