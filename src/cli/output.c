#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

void hex_text(const void *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * size] = '\0';
}

void hex_print(FILE *file, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fprintf(file, "%02x", ((const uint8_t *)bytes)[i]);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_parse(const char *text, uint8_t *out, size_t size)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_print(FILE *file, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const uint32_t group = (uint32_t)bytes[i] << 16 |
                               (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0u);

        fputc(base64_digits[group >> 18], file);
        fputc(base64_digits[group >> 12 & 63], file);
        fputc(left > 1 ? base64_digits[group >> 6 & 63] : '=', file);
        fputc(left > 2 ? base64_digits[group & 63] : '=', file);
    }
}

bool base64_parse(const char *text, size_t text_size, uint8_t *out, size_t *size)
{
    uint32_t group = 0;
    size_t written = 0;
    size_t padding = 0;

    while (text_size > 0 && strchr(" \t\r\n", text[text_size - 1]) != NULL)
        text_size--;
    if (text_size == 0 || text_size % 4 != 0)
        return false;
    while (padding < 2 && text[text_size - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < text_size; i++) {
        const bool pad = i >= text_size - padding;
        const char *digit = pad ? base64_digits : strchr(base64_digits, text[i]);

        if (digit == NULL || *digit == '\0')
            return false;
        group = group << 6 | (uint32_t)(digit - base64_digits);
        if (i % 4 != 3)
            continue;
        out[written++] = (uint8_t)(group >> 16);
        out[written++] = (uint8_t)(group >> 8);
        out[written++] = (uint8_t)group;
        group = 0;
    }
    *size = written - padding;
    return true;
}

void time_text(int64_t seconds, char out[32])
{
    const time_t t = (time_t)seconds;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(out, 32, "%" PRId64, seconds);
}

bool count_parse(const char *text, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    *out = value;
    return true;
}

bool time_parse(const char *text, int64_t *seconds)
{
    struct tm tm = {0};
    char *end = NULL;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

    if (rest != NULL && *rest == '\0') {
        *seconds = timegm(&tm);
        return *seconds > 0;
    }
    long long value = strtoll(text, &end, 10);
    *seconds = value;
    return *text != '\0' && *end == '\0' && value > 0;
}

void json_print_string(FILE *file, const char *text)
{
    (void)fputc('"', file);
    for (size_t size; *text != '\0'; text += size) {
        size = strcspn(text, "\"\\\n\r\t");
        say_json(file, text, size);
        if (size == 0) {
            (void)fprintf(file, *text == '"' || *text == '\\' ? "\\%c" : "\\u%04x",
                          (unsigned char)*text);
            size = 1;
        }
    }
    (void)fputc('"', file);
}

static void begin(struct cli_json *j, const char *name)
{
    if (j->comma)
        putchar(',');
    j->comma = true;
    if (name != NULL) {
        json_print_string(stdout, name);
        putchar(':');
    }
}

void json_open(struct cli_json *j, const char *name, char bracket)
{
    begin(j, name);
    putchar(bracket);
    j->comma = false;
}

void json_close(struct cli_json *j, char bracket)
{
    putchar(bracket);
    j->comma = true;
}

void json_text(struct cli_json *j, const char *name, const char *text)
{
    begin(j, name);
    json_print_string(stdout, text);
}

void json_hex(struct cli_json *j, const char *name, const void *bytes, size_t size)
{
    begin(j, name);
    putchar('"');
    hex_print(stdout, bytes, size);
    putchar('"');
}

void json_base64(struct cli_json *j, const char *name, const uint8_t *bytes, size_t size)
{
    begin(j, name);
    putchar('"');
    base64_print(stdout, bytes, size);
    putchar('"');
}

void json_number(struct cli_json *j, const char *name, int64_t value)
{
    begin(j, name);
    printf("%" PRId64, value);
}

void json_unsigned(struct cli_json *j, const char *name, uint64_t value)
{
    begin(j, name);
    printf("%" PRIu64, value);
}

void json_flag(struct cli_json *j, const char *name, bool value)
{
    begin(j, name);
    printf("%s", value ? "true" : "false");
}

void json_null(struct cli_json *j, const char *name)
{
    begin(j, name);
    printf("null");
}

void json_raw(struct cli_json *j, const char *name, const char *json)
{
    begin(j, name);
    if (json[0] == '\0')
        json = "null";
    say_json(stdout, json, strlen(json));
}

void json_reply(struct vs_bytes json)
{
    size_t size = json.size;

    while (size > 0 && ((const char *)json.data)[size - 1] == '\n')
        size--;
    say_json(stdout, json.data, size);
    putchar('\n');
}

void json_end(void)
{
    putchar('\n');
}
