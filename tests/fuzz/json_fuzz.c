/*
 * Compares codec/json with jansson. If ours accepts, jansson accepts with the same values. If
 * jansson accepts input within our limits, ours accepts. Then the writer: values that are written
 * parse as the same values.
 */
#include <stdlib.h>
#include <string.h>

/* Both libraries use these names; jansson's are wanted under others here. */
#define JSON_OBJECT JANSSON_OBJECT
#define JSON_ARRAY JANSSON_ARRAY
#define JSON_STRING JANSSON_STRING
#define JSON_TRUE JANSSON_TRUE
#define JSON_FALSE JANSSON_FALSE
#define JSON_NULL JANSSON_NULL
#define json_string jansson_string
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_STRING
#undef JSON_TRUE
#undef JSON_FALSE
#undef JSON_NULL
#undef json_string

#include "codec/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A copy with a NUL appended, for the interfaces that need one; text may have NULs inside. */
static char *contents(struct json_value string, size_t *size)
{
    char *text = malloc(string.raw.size + 1);

    require(text && json_string(string, text, string.raw.size, size) == ERR_NONE);
    text[*size] = '\0';
    return text;
}

static void compare(struct json_value ours, const json_t *theirs);

static void compare_strings(struct json_value ours, const json_t *theirs)
{
    struct span plain;
    size_t size;
    char *text = contents(ours, &size);

    require(json_string_length(theirs) == size);
    require(memcmp(text, json_string_value(theirs), size) == 0); /* public */
    if (json_string_plain(ours, &plain) == ERR_NONE)
        require(span_equal(plain, span_of(text, size)));
    else
        require(memchr(ours.raw.data, '\\', ours.raw.size) != NULL);
    require(json_string_equal(ours, text) == (strlen(text) == size));
    if (size > 0)
        require(json_string(ours, text, size - 1, &size) == ERR_TOO_LARGE);
    free(text);
}

static void compare_numbers(struct json_value ours, const json_t *theirs)
{
    bool whole = true;
    bool minus_zero = ours.raw.size == 2 && ours.raw.data[0] == '-' && ours.raw.data[1] == '0';
    int64_t value;
    uint64_t positive;
    enum err e = json_int64(ours, &value);

    for (size_t i = 0; i < ours.raw.size; i++)
        whole = whole && !strchr(".eE", ours.raw.data[i]);
    require(whole == (theirs->type == JSON_INTEGER));
    require((e == ERR_NONE) == (whole && !minus_zero));
    if (e != ERR_NONE)
        return;
    require(value == json_integer_value(theirs));
    require((json_uint64(ours, &positive) == ERR_NONE) == (value >= 0));
    require(value < 0 || positive == (uint64_t)value);
}

static void compare_containers(struct json_value ours, const json_t *theirs)
{
    struct json_iterator i = {0};
    struct json_value name;
    struct json_value value;
    size_t count = 0;

    while (json_next(ours, &i, &name, &value)) {
        if (ours.type == JSON_ARRAY) {
            compare(value, json_array_get(theirs, count++));
            continue;
        }
        size_t size;
        char *text = contents(name, &size);
        struct json_value found;

        compare(value, json_object_get(theirs, text));
        require(json_member(ours, text, &found) == ERR_NONE);
        require(found.raw.data == value.raw.data);
        free(text);
        count++;
    }
    require(count ==
            (ours.type == JSON_ARRAY ? json_array_size(theirs) : json_object_size(theirs)));
    require(count == json_count(ours));
}

static void compare(struct json_value ours, const json_t *theirs)
{
    require(theirs != NULL);
    switch (ours.type) {
    case JSON_NULL:
        require(theirs->type == JANSSON_NULL);
        return;
    case JSON_TRUE:
        require(theirs->type == JANSSON_TRUE);
        return;
    case JSON_FALSE:
        require(theirs->type == JANSSON_FALSE);
        return;
    case JSON_NUMBER:
        compare_numbers(ours, theirs);
        return;
    case JSON_STRING:
        require(theirs->type == JANSSON_STRING);
        compare_strings(ours, theirs);
        return;
    case JSON_ARRAY:
        require(theirs->type == JANSSON_ARRAY);
        compare_containers(ours, theirs);
        return;
    case JSON_OBJECT:
        require(theirs->type == JANSSON_OBJECT);
        compare_containers(ours, theirs);
        return;
    }
    abort();
}

static void rewrite(struct json_writer *j, const char *name, struct json_value value);

static void rewrite_container(struct json_writer *j, const char *name, struct json_value container)
{
    bool is_object = container.type == JSON_OBJECT;
    struct json_iterator i = {0};
    struct json_value key;
    struct json_value value;

    if (is_object)
        json_open_object(j, name);
    else
        json_open_array(j, name);
    while (json_next(container, &i, &key, &value)) {
        size_t size;
        char *text = is_object ? contents(key, &size) : NULL;

        rewrite(j, text, value);
        free(text);
    }
    if (is_object)
        json_close_object(j);
    else
        json_close_array(j);
}

static void rewrite(struct json_writer *j, const char *name, struct json_value value)
{
    int64_t number;
    size_t size;
    char *text;

    switch (value.type) {
    case JSON_NULL:
        json_put_null(j, name);
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(j, name, value.type == JSON_TRUE);
        return;
    case JSON_NUMBER:
        if (json_int64(value, &number) == ERR_NONE)
            json_put_int(j, name, number);
        else
            json_put_raw(j, name, value.raw);
        return;
    case JSON_STRING:
        text = contents(value, &size);
        json_put_string(j, name, span_of(text, size));
        free(text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        rewrite_container(j, name, value);
        return;
    }
}

/* The written text is compact and loses nothing: jansson reads the same value from it. */
static void check_writer(struct json_value value, json_t *theirs)
{
    size_t capacity = 6 * value.raw.size + 16; /* a control byte becomes six characters */
    uint8_t *out = malloc(capacity);
    struct writer w = writer_over(out, capacity);
    struct json_writer j = json_writer_over(&w);
    struct json_value again;
    struct span text;
    json_t *reread;

    require(out != NULL);
    rewrite(&j, NULL, value);
    require(writer_finish(&w, &text) == ERR_NONE);
    require(json_parse(text, &again, NULL) == ERR_NONE && span_equal(again.raw, text));
    reread = json_loadb((const char *)text.data, text.size,
                        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    require(reread && json_equal(reread, theirs));
    json_decref(reread);
    free(out);
}

/* Any bytes can be written as a string that both libraries read. */
static void check_string_writer(struct span bytes)
{
    size_t capacity = 6 * bytes.size + 2;
    uint8_t *out = malloc(capacity);
    struct writer w = writer_over(out, capacity);
    struct json_writer j = json_writer_over(&w);
    struct json_value value;
    struct span text;
    json_t *theirs;

    require(out != NULL);
    json_put_string(&j, NULL, bytes);
    require(writer_finish(&w, &text) == ERR_NONE);
    require(json_parse(text, &value, NULL) == ERR_NONE);
    theirs = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
    compare(value, theirs);
    json_decref(theirs);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span document = span_of(data, size);
    struct json_value value;
    json_error_t error;
    size_t offset = 0;
    enum err e = json_parse(document, &value, &offset);
    json_t *theirs = json_loadb((const char *)data, size,
                                JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);

    require(offset <= size);
    if (!theirs && e == ERR_NONE) {
        /* jansson keeps numbers in 64 bits, and names without NUL; we keep the text of both */
        enum json_error_code code = json_error_code(&error);

        require(code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
    }
    /* jansson 2.14 loses a NUL that follows a number or literal, and accepts "1\0" */
    if (theirs && !(size > 0 && memchr(data, 0, size)))
        require(e == ERR_NONE || e == ERR_TOO_LARGE);
    if (theirs && e == ERR_NONE) {
        compare(value, theirs);
        check_writer(value, theirs);
    }
    check_string_writer(document);
    json_decref(theirs);
    return 0;
}
