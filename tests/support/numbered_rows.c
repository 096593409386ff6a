#include "support/numbered_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "support/caught_log.h"

struct span row_name(size_t number, char out[ROW_NAME_SIZE])
{
    int size = snprintf(out, ROW_NAME_SIZE, "row %zu", number);

    return span_of(out, (size_t)size);
}

enum err suite_run_one(const struct suite *s, const struct effect *effects, size_t count)
{
    const struct transaction t = {
        .effects = effects, .count = count, .entry = SPAN_LITERAL("entry")};
    const struct transaction *list = &t;
    struct transaction_result result;

    return executor_run(s->executor, &list, 1, &result);
}

enum err suite_row_put(const struct suite *s, size_t number, const char *value)
{
    char name[ROW_NAME_SIZE];
    const struct effect put = {.kind = EFFECT_PUT,
                               .table = TABLE_KEY,
                               .id = row_name(number, name),
                               .lookup = span_of(name + 4, strlen(name) - 4),
                               .value = span_string(value)};

    return suite_run_one(s, &put, 1);
}

void suite_rows_put(const struct suite *s, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(suite_row_put(s, i, value), ERR_NONE);
}

void suite_entries_append(const struct suite *s, size_t count)
{
    const struct transaction entry = {.entry = SPAN_LITERAL("entry")};
    const struct transaction **list = calloc(count, sizeof *list);
    struct transaction_result *results = calloc(count, sizeof *results);

    assert_non_null(list);
    assert_non_null(results);
    for (size_t i = 0; i < count; i++)
        list[i] = &entry;
    assert_int_equal(executor_run(s->executor, list, count, results), ERR_NONE);
    free(results);
    free(list);
}

void row_id_hex(const struct suite *s, size_t number, char out[ROW_HEX_SIZE])
{
    char name[ROW_NAME_SIZE];
    struct row_key key;

    row_key_of(&s->keys, TABLE_KEY, row_name(number, name), &key);
    hex_write(SPAN_OF(key.id), out);
}

void must_name_row(const struct suite *s, int number)
{
    char id[ROW_HEX_SIZE];

    if (number < 0)
        return;
    row_id_hex(s, (size_t)number, id);
    if (!strstr(logged, id))
        fail_msg("row %d, %s, is not named: %s", number, id, logged);
}
