/*
 * Vector files of ../shared/vectors/crypto for the tests of this folder: walks every case of a
 * Wycheproof file and checks that as many ran as the index says, so that a slip of the walk cannot
 * pass for success.
 */
#ifndef TESTS_UNIT_CRYPTO_CASES_H
#define TESTS_UNIT_CRYPTO_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "support/vectors.h"

/* Skips the test, aloud, when the file is not there. */
static inline void cases_need(const char *file)
{
    char path[256];

    (void)snprintf(path, sizeof path, "crypto/%s", file);
    if (!vectors_have(path, file))
        skip();
}

static inline json_t *cases_load(const char *file)
{
    char path[256];

    cases_need(file);
    (void)snprintf(path, sizeof path, "crypto/%s", file);
    return vectors_json(path);
}

static inline size_t cases_expected(const char *file)
{
    json_t *index = vectors_json("crypto/index.json");
    json_t *entry;
    size_t i;
    size_t count = 0;

    json_array_foreach(json_object_get(index, "entries"), i, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "file"));

        if (name && strcmp(name, file) == 0)
            count = (size_t)json_integer_value(json_object_get(entry, "cases"));
    }
    json_decref(index);
    assert_true(count > 0);
    return count;
}

static inline const char *case_text(const json_t *c, const char *member)
{
    const char *text = json_string_value(json_object_get(c, member));

    assert_non_null(text);
    return text;
}

static inline bool case_is(const json_t *c, const char *member, const char *value)
{
    return strcmp(case_text(c, member), value) == 0;
}

/* A fresh buffer with a hex member; the caller clears it. */
static inline struct buffer case_bytes(const json_t *c, const char *member)
{
    struct buffer b = {0};

    vectors_hex(c, member, &b);
    return b;
}

/* Reads exactly `size` bytes of hex written in the source. */
static inline void hex_bytes(const char *text, uint8_t *out, size_t size)
{
    assert_int_equal(hex_read(span_string(text), out, size), ERR_NONE);
}

/* Calls `run` for every case of a Wycheproof file. */
static inline void wycheproof(const char *file, void (*run)(const json_t *group, const json_t *c))
{
    json_t *json = cases_load(file);
    json_t *group;
    json_t *c;
    size_t i;
    size_t j;
    size_t ran = 0;

    json_array_foreach(json_object_get(json, "testGroups"), i, group)
    {
        json_array_foreach(json_object_get(group, "tests"), j, c)
        {
            run(group, c);
            ran++;
        }
    }
    json_decref(json);
    assert_int_equal(ran, cases_expected(file));
}

#endif
