#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/call.h"

static uint64_t count_of(const struct latency *l, size_t route, size_t bucket)
{
    return l->routes[route].buckets[bucket];
}

static void a_duration_is_in_the_first_bucket_that_holds_it(void **state)
{
    static const struct {
        int64_t us;
        size_t bucket;
    } cases[] = {
        {-5,        0 },
        {0,         0 },
        {500,       0 },
        {501,       1 },
        {1000,      1 },
        {1001,      2 },
        {5000000,   12},
        {5000001,   13},
        {INT64_MAX, 13},
    };

    (void)state;
    assert_true(route_count <= LATENCY_ROUTES_MAX);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct latency l = {0};

        latency_observe(&l, &routes[1], cases[i].us);
        for (size_t b = 0; b <= LATENCY_BUCKETS; b++)
            assert_int_equal(count_of(&l, 1, b), b == cases[i].bucket);
        assert_int_equal(l.routes[1].sum_us, cases[i].us > 0 ? cases[i].us : 0);
        assert_int_equal(l.routes[0].sum_us, 0);
    }
}

static void histograms_of_all_loops_are_one(void **state)
{
    struct loop_state loops[2] = {0};
    struct server s = {.loops = loops};
    struct buffer out = {0};

    (void)state;
    s.options.http.loops = 2;
    latency_observe(&loops[0].latency, &routes[0], 400);
    latency_observe(&loops[1].latency, &routes[0], 2000000);
    latency_observe(&loops[1].latency, &routes[0], 60000000);
    assert_int_equal(latency_write(&s, &out), ERR_NONE);
    assert_int_equal(buffer_append(&out, SPAN_LITERAL("\0")), ERR_NONE);
    assert_non_null(strstr((char *)out.data, "le=\"0.0005\"} 1\n"));
    assert_non_null(strstr((char *)out.data, "le=\"1\"} 1\n"));
    assert_non_null(strstr((char *)out.data, "le=\"2.5\"} 2\n"));
    assert_non_null(strstr((char *)out.data, "le=\"+Inf\"} 3\n"));
    assert_non_null(
        strstr((char *)out.data, "_sum{method=\"POST\",route=\"/decrypt\"} 62.000400\n"));
    assert_non_null(strstr((char *)out.data, "_count{method=\"POST\",route=\"/decrypt\"} 3\n"));
    assert_null(strstr((char *)out.data, "/health")); /* the route has no requests */
    buffer_clear(&out);
}

static void denials_beyond_the_room_count_together(void **state)
{
    struct denial_counters *d = calloc(1, sizeof *d);
    struct buffer out = {0};
    char policy[80];

    (void)state;
    assert_non_null(d);
    denial_counters_init(d);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < DENIALS_MAX + 3; i++) {
            (void)snprintf(policy, sizeof policy, "p%u", i);
            denial_count(d, "open", "code", policy);
        }
    }
    memset(policy, 'x', sizeof policy);
    policy[sizeof policy - 1] = '\0';
    denial_count(d, "open", "code", policy);
    assert_int_equal(denials_write(d, &out), ERR_NONE);
    assert_int_equal(buffer_append(&out, SPAN_LITERAL("\0")), ERR_NONE);
    assert_non_null(strstr((char *)out.data, "{op=\"open\",code=\"code\",policy=\"p0\"} 2\n"));
    assert_non_null(strstr((char *)out.data, "{op=\"open\",code=\"code\",policy=\"p127\"} 2\n"));
    assert_null(strstr((char *)out.data, "policy=\"p128\""));
    assert_non_null(strstr((char *)out.data, "{op=\"other\",code=\"other\",policy=\"\"} 7\n"));
    buffer_clear(&out);
    denial_counters_clear(d);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(histograms_of_all_loops_are_one),
        cmocka_unit_test(denials_beyond_the_room_count_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
