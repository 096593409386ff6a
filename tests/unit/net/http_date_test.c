#include "net/http_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"

/* RFC 9110 section 5.6.7 has the first three. */
static void all_forms_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT",     784111777 },
        {"Sunday, 06-Nov-94 08:49:37 GMT",    784111777 },
        {"Sun Nov  6 08:49:37 1994",          784111777 },
        {"Wed Nov 16 08:49:37 1994",          784975777 },
        {"Thu, 01 Jan 1970 00:00:00 GMT",     0         },
        {"Tue, 29 Feb 2028 23:59:59 GMT",     1835481599},
        {"Wednesday, 01-Jan-70 00:00:01 GMT", 1         },
        {"Tuesday, 31-Dec-69 00:00:00 GMT",   3155673600},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct timestamp t = {-1};

        assert_int_equal(http_date_parse(span_string(cases[i].text), &t), ERR_NONE);
        assert_int_equal(timestamp_seconds(t), cases[i].seconds);
    }
}

static void what_is_no_date_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "120",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:60 GMT",
        "Sun, 06 Nov 1994 08:49:3 GMT",
        "Sun, 06 Nov 1969 08:49:37 GMT",
        "Sun,  06 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08-49-37 1994",
        "1994-11-06T08:49:37Z",
    };
    static const char good[] = "Sun, 06 Nov 1994 08:49:37 GMT";
    struct timestamp t = {-1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(http_date_parse(span_string(texts[i]), &t), ERR_MALFORMED);
    for (size_t size = 0; size + 1 < sizeof good; size++)
        assert_int_equal(http_date_parse(span_of(good, size), &t), ERR_MALFORMED);
    assert_int_equal(t.ms, -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_are_read),
        cmocka_unit_test(what_is_no_date_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
