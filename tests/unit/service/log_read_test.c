/* A caller gets only its own receipts, by the entry's tenant and principal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "crypto/random.h"
#include "keystore.h"
#include "service/log_read.h"

static struct keystore k;

static int set_up(void **state)
{
    (void)state;
    if (crypto_start() != ERR_NONE)
        return -1;
    keystore_open(&k);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keystore_close(&k);
    return 0;
}

enum { CALLERS = 5 };
static char ids[CALLERS][REQUEST_ID_SIZE + 1];

/* An entry of its own request; its index is `number`. */
static void append(unsigned number, const char *tenant, const char *name)
{
    uint8_t line[AUDIT_ENTRY_MAX];
    struct writer w = writer_over(line, sizeof line);
    const struct audit_entry entry = {.time = k.now,
                                      .request_id = span_of(ids[number], REQUEST_ID_SIZE),
                                      .op = SPAN_LITERAL("open"),
                                      .code = SPAN_LITERAL("ok"),
                                      .tenant = span_string(tenant),
                                      .principal = span_string(name),
                                      .allowed = true};
    struct span written;
    uint64_t first = 0;

    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    assert_int_equal(store_append(k.store, &written, 1, &first), ERR_NONE);
    assert_int_equal(first, number);
}

MUST_CHECK static enum err receipt(const char id[REQUEST_ID_SIZE + 1], const struct principal *who)
{
    struct buffer out = {0};
    enum err e = log_read_receipt_of_request(k.store, span_of(id, REQUEST_ID_SIZE), who, &out);

    assert_int_equal(e == ERR_NONE, out.size > 0);
    buffer_clear(&out);
    return e;
}

static void a_receipt_is_for_the_principal_of_the_tenant(void **state)
{
    static const struct {
        const char *tenant, *name;
    } callers[CALLERS] = {
        {"default", "w" },
        {"acme",    "w" },
        {"other",   "w" },
        {"default", "v" },
        {"acme",    "ww"},
    };

    (void)state;
    for (unsigned i = 0; i < COUNT_OF(callers); i++) {
        request_id_write(k.now, ids[i]);
        append(i, i % 3 == 0 ? "" : callers[i].tenant, callers[i].name);
    }
    for (unsigned entry = 0; entry < COUNT_OF(callers); entry++) {
        for (unsigned who = 0; who < COUNT_OF(callers); who++) {
            struct principal p = principal_named(PRINCIPAL_TOKEN, callers[who].name);

            (void)snprintf(p.tenant, sizeof p.tenant, "%s", callers[who].tenant);
            assert_int_equal(receipt(ids[entry], &p), entry == who ? ERR_NONE : ERR_NOT_FOUND);
        }
        assert_int_equal(receipt(ids[entry], NULL), ERR_NONE);
    }
    assert_int_equal(receipt("0193e0a4-0000-7000-8000-000000000000", NULL), ERR_NOT_FOUND);
}

static size_t lines_of(const struct buffer *b)
{
    size_t count = 0;

    for (size_t i = 0; i < b->size; i++)
        count += b->data[i] == '\n';
    return count;
}

/* After the test above: the log has CALLERS entries. */
static void entries_are_read_as_lines(void **state)
{
    static const struct {
        uint64_t start, count;
        size_t lines;
    } cases[] = {
        {0,           CALLERS,    CALLERS},
        {1,           2,          2      },
        {CALLERS - 1, 5,          1      },
        {0,           UINT64_MAX, CALLERS},
        {CALLERS,     1,          0      },
        {0,           0,          0      },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer out = {0};

        assert_int_equal(log_read_entries(k.store, cases[i].start, cases[i].count, &out), ERR_NONE);
        assert_int_equal(lines_of(&out), cases[i].lines);
        if (out.size > 0)
            assert_int_equal(out.data[out.size - 1], '\n');
        buffer_clear(&out);
    }
}

static void a_request_is_explained_by_its_entries(void **state)
{
    struct buffer out = {0};
    char expected[128];

    (void)state;
    (void)snprintf(expected, sizeof expected,
                   "{\"request_id\":\"%s\",\"entries\":[{\"index\":1,\"entry\":{\"v\":2,", ids[1]);
    assert_int_equal(log_read_explain(k.store, span_of(ids[1], REQUEST_ID_SIZE), &out), ERR_NONE);
    assert_true(span_starts_with(buffer_span(&out), span_string(expected)));
    assert_memory_equal(out.data + out.size - 4, "}}]}", 4);
    buffer_clear(&out);
    assert_int_equal(
        log_read_explain(k.store, SPAN_LITERAL("0193e0a4-0000-7000-8000-000000000000"), &out),
        ERR_NOT_FOUND);
    assert_int_equal(out.size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_is_for_the_principal_of_the_tenant),
        cmocka_unit_test(entries_are_read_as_lines),
        cmocka_unit_test(a_request_is_explained_by_its_entries),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
