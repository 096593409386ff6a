#include "collateral/refresh.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "collateral/refresh_state.h"
#include "net/http_server.h"
#include "unit/collateral/platform.h"

enum { PATIENCE_MS = 60000, DAY_S = 86400, LIFE_S = 30 * DAY_S, BACKOFF_S = 10 };

/* ---- a keystore as a source of collateral, and its refresher ---- */

/* Its answer to each request, and the number of requests. */
struct stub {
    struct http_server *server;
    char url[64];
    unsigned status;
    const char *headers;
    struct buffer body;
    unsigned requests;
    char last[COLLATERAL_NAME_SIZE + 16]; /* the query */
};

static struct platform platform;
static struct timestamp now;
static char item_name[COLLATERAL_NAME_SIZE]; /* of the platform */

static struct timestamp clock_of_test(void)
{
    return now;
}

static void handle(void *context, struct http_exchange *x)
{
    struct stub *stub = context;
    const struct http_request *r = http_exchange_request(x);
    struct http_reply reply = {.status = stub->status,
                               .content_type = "application/json",
                               .extra_headers = stub->headers,
                               .body = buffer_span(&stub->body)};

    stub->requests++;
    (void)snprintf(stub->last, sizeof stub->last, "%.*s", (int)r->query.size,
                   (const char *)r->query.data);
    http_exchange_reply(x, &reply);
}

static void stub_open(struct stub *stub)
{
    const struct http_server_options options = {.host = "127.0.0.1",
                                                .loops = 1,
                                                .body_max = 1 << 20,
                                                .connections_max = 16,
                                                .head_timeout_ms = PATIENCE_MS,
                                                .request_timeout_ms = PATIENCE_MS,
                                                .idle_timeout_ms = PATIENCE_MS,
                                                .handshake_timeout_ms = PATIENCE_MS};
    const struct http_handler handler = {.handle = handle, .context = stub};

    *stub = (struct stub){.status = 200};
    assert_int_equal(http_server_start(&options, &handler, &stub->server), ERR_NONE);
    (void)snprintf(stub->url, sizeof stub->url, "http://127.0.0.1:%u",
                   (unsigned)http_server_port(stub->server));
}

static void stub_close(struct stub *stub)
{
    http_server_stop(&stub->server, 0);
    buffer_clear(&stub->body);
}

/* The next answer: a status with a text, or with 200 the platform's collateral. */
static void stub_answers(struct stub *stub, unsigned status, const char *headers, const char *text)
{
    stub->status = status;
    stub->headers = headers;
    stub->body.size = 0;
    assert_int_equal(buffer_append_string(&stub->body, text), ERR_NONE);
}

static void stub_has(struct stub *stub, struct timestamp issued, uint32_t evaluation)
{
    stub_answers(stub, 200, NULL, "");
    platform_bundle(&platform, issued, evaluation, &stub->body);
}

/* One test's parts. */
struct fixture {
    struct stub stubs[2];
    struct collateral_source_options sources[2];
    struct collateral_refresh_options options;
    struct collateral_store *store;
    struct collateral_refresh *refresh;
    unsigned added, replaced;
};

static void count_change(void *context, const struct collateral_change *change)
{
    struct fixture *f = context;

    if (change->put == COLLATERAL_ADDED)
        f->added++;
    if (change->put == COLLATERAL_REPLACED)
        f->replaced++;
    assert_string_equal(change->item->name, item_name);
}

static void fixture_open(struct fixture *f)
{
    static const char *const names[] = {"first", "second"};

    *f = (struct fixture){
        .options = {.source_count = COUNT_OF(f->stubs),
                    .refresh_percent = 50,
                    .backoff_s = BACKOFF_S,
                    .backoff_max_s = 4 * BACKOFF_S,
                    .reread_s = 60,
                    .clock = clock_of_test,
                    .changed = count_change}
    };
    now = platform_at(0);
    for (size_t i = 0; i < COUNT_OF(f->stubs); i++) {
        stub_open(&f->stubs[i]);
        f->sources[i] = (struct collateral_source_options){.type = COLLATERAL_SOURCE_PEER,
                                                           .name = names[i],
                                                           .url = f->stubs[i].url,
                                                           .timeout_ms = PATIENCE_MS};
    }
    f->options.sources = f->sources;
    f->options.context = f;
    assert_int_equal(collateral_store_new(&platform.trust, &f->store), ERR_NONE);
}

/* Makes the refresher with the present options. */
static void fixture_start(struct fixture *f)
{
    char why[256];

    assert_int_equal(collateral_refresh_new(&f->options, f->store, now, why, &f->refresh),
                     ERR_NONE);
    assert_string_equal(why, "");
}

static void fixture_close(struct fixture *f)
{
    collateral_refresh_free(&f->refresh);
    collateral_store_free(&f->store);
    for (size_t i = 0; i < COUNT_OF(f->stubs); i++)
        stub_close(&f->stubs[i]);
}

/* One turn at `seconds`. */
static bool step(struct fixture *f, int64_t seconds)
{
    now = platform_at(seconds);
    return collateral_refresh_step(f->refresh, now);
}

static struct collateral_source_figures figures(struct fixture *f, size_t index)
{
    struct collateral_source_figures all[COLLATERAL_SOURCES_MAX];

    assert_int_equal(collateral_refresh_figures(f->refresh, now, all), f->options.source_count);
    return all[index];
}

/* Evidence of the platform was refused because its collateral is missing. */
static bool request(struct fixture *f)
{
    struct attest_result r = {
        .reason = ATTEST_COLLATERAL_MISSING,
        .kind = ATTEST_SGX,
        .signatures_valid = true,
        .missing = {.known = true, .vendor = ATTEST_INTEL}
    };
    struct collateral_key key;

    assert_int_equal(collateral_key_parse(span_string(item_name), &key), ERR_NONE);
    memcpy(r.missing.fmspc, key.fmspc, sizeof r.missing.fmspc);
    r.missing.processor_ca = key.processor_ca;
    return collateral_store_request_fetch(f->store, &r, NULL, now);
}

/* The evaluation number of the held item; 0: none. */
static uint32_t held(struct fixture *f)
{
    struct collateral_snapshot *snapshot = collateral_store_hold(f->store);
    const struct collateral_item *item = collateral_snapshot_find(snapshot, span_string(item_name));
    const uint32_t number = item ? item->evaluation_number : 0;

    collateral_snapshot_release(&snapshot);
    return number;
}

/* ---- tests ---- */

static void what_is_missing_is_fetched_once(void **state)
{
    struct fixture f;
    char query[sizeof f.stubs[0].last];

    (void)state;
    fixture_open(&f);
    stub_has(&f.stubs[0], platform_at(0), 17);
    fixture_start(&f);
    assert_false(step(&f, 0)); /* nothing is missing */
    assert_int_equal(f.stubs[0].requests, 0);
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_int_equal(held(&f), 17);
    (void)snprintf(query, sizeof query, "name=%s", item_name);
    assert_string_equal(f.stubs[0].last, query);
    assert_false(step(&f, 1));
    assert_int_equal(f.stubs[0].requests, 1);
    assert_int_equal(f.stubs[1].requests, 0);
    assert_int_equal(f.added, 1);
    assert_int_equal(f.replaced, 0);
    assert_int_equal(figures(&f, 0).fetched, 1);
    assert_int_equal(figures(&f, 0).failed + figures(&f, 0).refused, 0);
    assert_string_equal(figures(&f, 0).name, "first");
    fixture_close(&f);
}

static void what_is_held_is_fetched_again_when_half_of_its_time_passed(void **state)
{
    struct fixture f;
    struct buffer document = {0};
    struct collateral_put_result result;

    (void)state;
    fixture_open(&f);
    f.options.source_count = 1;
    fixture_start(&f);
    /* it came from elsewhere, and is kept fresh, too */
    platform_bundle(&platform, platform_at(0), 17, &document);
    assert_int_equal(collateral_store_put(f.store, buffer_span(&document), "file", NULL,
                                          platform_at(0), &result),
                     ERR_NONE);
    collateral_item_release(&result.item);
    buffer_clear(&document);
    stub_has(&f.stubs[0], platform_at(0), 17);
    assert_false(step(&f, LIFE_S / 2 - 1));
    now = (struct timestamp){platform_at(LIFE_S / 2).ms - 1};
    assert_false(collateral_refresh_step(f.refresh, now));
    assert_int_equal(f.stubs[0].requests, 0);
    assert_true(step(&f, LIFE_S / 2));
    assert_int_equal(f.stubs[0].requests, 1);
    /* the source has nothing newer: it is asked again a day later */
    assert_int_equal(f.replaced, 0);
    assert_int_equal(figures(&f, 0).fetched, 1);
    assert_false(step(&f, LIFE_S / 2 + DAY_S - 1));
    stub_has(&f.stubs[0], platform_at(LIFE_S / 2 + DAY_S), 18);
    assert_true(step(&f, LIFE_S / 2 + DAY_S));
    assert_int_equal(held(&f), 18);
    assert_int_equal(f.replaced, 1);
    assert_false(step(&f, LIFE_S + DAY_S - 1));
    assert_true(step(&f, LIFE_S + DAY_S));
    fixture_close(&f);
}

static void the_age_of_a_held_item_has_its_limit(void **state)
{
    static const struct {
        enum collateral_kind kind;
        int64_t max_age_s, expected_ms;
    } cases[] = {
        {COLLATERAL_INTEL, 3600, 3600000},
        {COLLATERAL_AMD,   3600, 3600000},
        {COLLATERAL_INTEL, 0,    0      },
        {COLLATERAL_VEK,   3600, 0      }, /* it stays the same for years */
        {COLLATERAL_VEK,   0,    0      },
    };
    struct fixture f;

    (void)state;
    fixture_open(&f);
    f.options.max_age_s = 3600;
    f.options.source_count = 1;
    fixture_start(&f);
    assert_true(request(&f));
    stub_has(&f.stubs[0], platform_at(0), 17);
    assert_true(step(&f, 0));
    assert_false(step(&f, 3599));
    assert_true(step(&f, 3600)); /* no news, and asked again after another hour */
    assert_false(step(&f, 7199));
    assert_true(step(&f, 7200));
    assert_int_equal(f.stubs[0].requests, 3);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct collateral_item item = {.kind = cases[i].kind};

        f.refresh->options.max_age_s = cases[i].max_age_s;
        assert_int_equal(refresh_schedule(f.refresh, &item).max_age_ms, cases[i].expected_ms);
        assert_int_equal(refresh_schedule(f.refresh, &item).percent, 50);
        assert_int_equal(refresh_schedule(f.refresh, &item).look_min_ms, BACKOFF_S * 1000);
    }
    fixture_close(&f);
}

/* A clock that was a year ahead and is right again does not stop the fetches for a year. */
static void a_clock_that_is_set_back_ends_the_waits(void **state)
{
    static const struct {
        int64_t max_age_s, ahead_s, later_s; /* from the right time: when it is fetched again */
    } cases[] = {
        {0,    365 * DAY_S, LIFE_S / 2},
        {3600, 365 * DAY_S, 1         },
        {3600, 2,           1         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;

        fixture_open(&f);
        f.options.source_count = 1;
        f.options.max_age_s = cases[i].max_age_s;
        now = platform_at(cases[i].ahead_s);
        fixture_start(&f);
        assert_true(request(&f));
        stub_has(&f.stubs[0], platform_at(0), 17);
        assert_true(step(&f, cases[i].ahead_s));
        assert_int_equal(held(&f), 17);
        assert_int_equal(f.stubs[0].requests, 1);
        assert_false(step(&f, cases[i].ahead_s + 1));
        if (cases[i].later_s > 1)
            assert_false(step(&f, cases[i].later_s - 1));
        assert_true(step(&f, cases[i].later_s));
        assert_int_equal(f.stubs[0].requests, 2);
        assert_false(step(&f, cases[i].later_s + 1)); /* one fetch, not one a turn */
        fixture_close(&f);
    }
}

/* The same for a missing item that no source has, and for one that is to be forgotten. */
static void a_clock_that_is_set_back_forgets_the_missing(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_start(&f);
    stub_answers(&f.stubs[0], 404, NULL, "");
    stub_answers(&f.stubs[1], 404, NULL, "");
    now = platform_at(365 * DAY_S);
    assert_true(request(&f));
    assert_true(step(&f, 365 * DAY_S));
    assert_false(request(&f)); /* no source has it */
    assert_false(step(&f, 0));
    assert_int_equal(f.refresh->target_count, 0);
    stub_has(&f.stubs[0], platform_at(0), 17);
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_int_equal(held(&f), 17);
    fixture_close(&f);
}

static void a_failure_is_counted_and_waited_for(void **state)
{
    static const char other[] = "amd-milan"; /* another item at the same source */
    static const struct {
        const char *headers, *body;
        int64_t not_before_s, again_s; /* backoff is 10 s and a quarter more or less */
        unsigned status, failed, refused;
        bool left_alone;
        bool promised; /* that it is on its way */
    } cases[] = {
        {NULL,                    "",             7,  13,  500, 1, 0, true,  true },
        {"Retry-After: 100\r\n",  "",             99, 100, 503, 1, 0, true,  true },
        {"Retry-After: 100\r\n",  "",             99, 100, 429, 1, 0, true,  true },
        {"Retry-After: 1\r\n",    "",             7,  13,  429, 1, 0, true,  true },
        {"Retry-After: -100\r\n", "",             7,  13,  429, 1, 0, true,  true },
        {"Location: /\r\n",       "",             7,  13,  302, 1, 0, true,  true },
        {NULL,                    "",             7,  13,  404, 1, 0, false, false},
        {NULL,                    "",             7,  13,  200, 0, 1, false, true },
        {NULL,                    "{}",           7,  13,  200, 0, 1, false, true },
        {NULL,                    "<html>",       7,  13,  200, 0, 1, false, true },
        {NULL,                    "{\"amd\":{}}", 7,  13,  200, 0, 1, false, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *const prefetch[] = {other};
        struct fixture f;

        fixture_open(&f);
        f.options.source_count = 1;
        fixture_start(&f);
        stub_answers(&f.stubs[0], cases[i].status, cases[i].headers, cases[i].body);
        assert_true(request(&f));
        assert_true(step(&f, 0));
        assert_int_equal(held(&f), 0);
        assert_int_equal(figures(&f, 0).fetched, 0);
        assert_int_equal(figures(&f, 0).failed, cases[i].failed);
        assert_int_equal(figures(&f, 0).refused, cases[i].refused);
        assert_int_equal(figures(&f, 0).left_alone, cases[i].left_alone);
        assert_int_equal(request(&f), cases[i].promised);
        assert_false(step(&f, cases[i].not_before_s));
        assert_int_equal(f.stubs[0].requests, 1);
        stub_has(&f.stubs[0], platform_at(0), 17);
        assert_true(step(&f, cases[i].again_s));
        assert_int_equal(held(&f), 17);
        assert_false(figures(&f, 0).left_alone);
        collateral_refresh_free(&f.refresh);

        /* another item may be requested at once, unless the whole source waits */
        f.options.prefetch = prefetch;
        f.options.prefetch_count = 1;
        collateral_store_free(&f.store);
        assert_int_equal(collateral_store_new(&platform.trust, &f.store), ERR_NONE);
        fixture_start(&f);
        stub_answers(&f.stubs[0], cases[i].status, cases[i].headers, cases[i].body);
        assert_true(step(&f, 0));
        assert_true(request(&f));
        assert_int_equal(step(&f, 0), !cases[i].left_alone);
        fixture_close(&f);
    }
}

static void documents_that_are_not_the_item_are_refused(void **state)
{
    struct fixture f;
    const char *const prefetch[] = {"intel-sgx-0123456789ab-platform"};

    (void)state;
    fixture_open(&f);
    f.options.prefetch = prefetch;
    f.options.prefetch_count = 1;
    f.options.source_count = 1;
    fixture_start(&f);
    stub_has(&f.stubs[0], platform_at(0), 17); /* genuine, but of another platform */
    assert_true(step(&f, 0));
    assert_int_equal(held(&f), 0);
    assert_int_equal(figures(&f, 0).refused, 1);
    assert_false(step(&f, 1));
    fixture_close(&f);

    fixture_open(&f);
    f.options.source_count = 1;
    fixture_start(&f);
    stub_has(&f.stubs[0], platform_at(0), 17);
    f.stubs[0].body.data[f.stubs[0].body.size / 3] ^= 1;
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_int_equal(held(&f), 0);
    assert_int_equal(figures(&f, 0).refused, 1);
    assert_int_equal(figures(&f, 0).failed, 0);
    fixture_close(&f);
}

static void the_next_source_is_asked_when_one_fails(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    f.options.max_age_s = 20;
    fixture_start(&f);
    stub_answers(&f.stubs[0], 503, "Retry-After: 90\r\n", "");
    stub_has(&f.stubs[1], platform_at(0), 17);
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_int_equal(held(&f), 17);
    assert_int_equal(f.stubs[0].requests, 1);
    assert_int_equal(f.stubs[1].requests, 1);
    for (int64_t s = 20; s < 90; s += 20) /* only the second one */
        assert_true(step(&f, s));
    assert_int_equal(f.stubs[0].requests, 1);
    assert_int_equal(f.stubs[1].requests, 5);
    stub_has(&f.stubs[0], platform_at(90), 18);
    assert_true(step(&f, 100)); /* the first one has news, so the second one is not asked */
    assert_int_equal(f.stubs[0].requests, 2);
    assert_int_equal(f.stubs[1].requests, 5);
    assert_int_equal(held(&f), 18);
    fixture_close(&f);

    /* only when no source has it, callers are not told to wait for it */
    fixture_open(&f);
    fixture_start(&f);
    stub_answers(&f.stubs[0], 404, NULL, "");
    stub_answers(&f.stubs[1], 500, NULL, "");
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_true(request(&f));
    stub_answers(&f.stubs[1], 404, NULL, "");
    assert_true(step(&f, 13));
    assert_false(request(&f));
    fixture_close(&f);
}

static void hurry_ends_all_waits(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_start(&f);
    stub_answers(&f.stubs[0], 503, "Retry-After: 900\r\n", "");
    stub_answers(&f.stubs[1], 404, NULL, "");
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_false(step(&f, 1));
    collateral_refresh_hurry(f.refresh);
    assert_true(step(&f, 1));
    assert_int_equal(f.stubs[0].requests, 2);
    assert_int_equal(f.stubs[1].requests, 2);
    assert_false(step(&f, 1)); /* once */
    fixture_close(&f);
}

static void what_nobody_asks_for_any_more_is_forgotten(void **state)
{
    struct fixture f;
    unsigned requests;

    (void)state;
    fixture_open(&f);
    fixture_start(&f);
    stub_answers(&f.stubs[0], 404, NULL, "");
    stub_answers(&f.stubs[1], 404, NULL, "");
    assert_true(request(&f));
    assert_true(step(&f, 0));
    assert_true(step(&f, 3599));
    requests = f.stubs[0].requests;
    assert_false(step(&f, 3600));
    assert_false(step(&f, 90000));
    assert_int_equal(f.stubs[0].requests, requests);
    assert_int_equal(f.refresh->target_count, 0);
    stub_has(&f.stubs[0], platform_at(0), 17);
    assert_true(request(&f)); /* it is queued as new */
    assert_true(step(&f, 90000));
    assert_int_equal(held(&f), 17);
    fixture_close(&f);
}

static void what_no_source_could_have_is_not_promised(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    f.sources[0].type = f.sources[1].type = COLLATERAL_SOURCE_KDS; /* of the platform: Intel's */
    fixture_start(&f);
    assert_true(request(&f)); /* the refresher has not looked yet */
    assert_false(step(&f, 0));
    assert_false(request(&f));
    assert_int_equal(f.stubs[0].requests + f.stubs[1].requests, 0);
    fixture_close(&f);
}

static void options_that_cannot_work_are_refused_with_a_sentence(void **state)
{
    static const char *const no_names[] = {"", "intel", "amd-milan/../x", "arm-00", "amd-rome"};
    static const char *const others[] = {"amd-milan"};
    static const struct {
        size_t sources, directories, prefetch;
        const char *const *names;
        enum collateral_source_type type;
        bool no_url;
        const char *why;
    } cases[] = {
        {COLLATERAL_SOURCES_MAX + 1, 0,                              0,                           NULL,         COLLATERAL_SOURCE_PEER, false, "too many"                      },
        {1,                          COLLATERAL_DIRECTORIES_MAX + 1, 0,                           NULL,         COLLATERAL_SOURCE_PEER, false, "too many"                      },
        {1,                          0,                              COLLATERAL_PREFETCH_MAX + 1, NULL,         COLLATERAL_SOURCE_PEER, false, "too many"                      },
        {1,                          0,                              0,                           NULL,         COLLATERAL_SOURCE_PEER, true,  "it has no URL"                 },
        {1,                          0,                              1,                           no_names,     COLLATERAL_SOURCE_PEER, false, "is not the name of collateral" },
        {1,                          0,                              1,                           no_names + 1, COLLATERAL_SOURCE_PEER, false, "intel is not the name"         },
        {1,                          0,                              1,                           no_names + 2, COLLATERAL_SOURCE_PEER, false, "is not the name of collateral" },
        {1,                          0,                              1,                           no_names + 3, COLLATERAL_SOURCE_PEER, false, "is not the name of collateral" },
        {1,                          0,                              1,                           no_names + 4, COLLATERAL_SOURCE_PEER, false, "is not the name of collateral" },
        {1,                          0,                              1,                           others,       COLLATERAL_SOURCE_PCCS, false, "no source could have amd-milan"},
        {0,                          0,                              1,                           others,       COLLATERAL_SOURCE_PEER, false, "no source could have amd-milan"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fixture f;
        char why[256] = "";

        fixture_open(&f);
        f.sources[0].type = cases[i].type;
        if (cases[i].no_url)
            f.sources[0].url = NULL;
        f.options.source_count = cases[i].sources;
        f.options.directory_count = cases[i].directories;
        f.options.prefetch_count = cases[i].prefetch;
        f.options.prefetch = cases[i].names;
        assert_int_equal(collateral_refresh_new(&f.options, f.store, now, why, &f.refresh),
                         ERR_CONFIG);
        assert_non_null(strstr(why, cases[i].why));
        assert_null(f.refresh);
        fixture_close(&f);
    }
}

static void a_source_that_cannot_be_used_is_named(void **state)
{
    struct fixture f;
    char why[256] = "";

    (void)state;
    fixture_open(&f);
    f.sources[1].token_file = "/dev/null/token";
    assert_int_equal(collateral_refresh_new(&f.options, f.store, now, why, &f.refresh),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(why, "second"));
    assert_non_null(strstr(why, err_text(ERR_NOT_FOUND)));
    assert_null(strstr(why, "URL"));
    fixture_close(&f);
}

static void without_sources_nobody_is_told_to_wait(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    f.options.source_count = 0;
    fixture_start(&f);
    assert_false(request(&f));
    assert_false(step(&f, 0));
    fixture_close(&f);
}

static void what_was_fetched_is_kept_for_the_next_start(void **state)
{
    struct fixture f;
    char cache[80];
    char path[sizeof cache + COLLATERAL_NAME_SIZE + 8];

    (void)state;
    (void)snprintf(cache, sizeof cache, "%s/cache", platform.parent);
    (void)snprintf(path, sizeof path, "%s/%s.json", cache, item_name);
    assert_int_equal(mkdir(cache, 0700), 0);
    fixture_open(&f);
    f.options.cache = cache;
    fixture_start(&f);
    stub_has(&f.stubs[0], platform_at(0), 17);
    assert_true(request(&f));
    assert_true(step(&f, 0));
    collateral_refresh_free(&f.refresh);
    collateral_store_free(&f.store);
    assert_int_equal(access(path, R_OK), 0);

    assert_int_equal(collateral_store_new(&platform.trust, &f.store), ERR_NONE);
    f.options.source_count = 0;
    fixture_start(&f);
    assert_int_equal(held(&f), 17);
    assert_int_equal(f.stubs[0].requests, 1);
    fixture_close(&f);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(cache), 0);
}

static void directories_are_read_again_when_it_is_time(void **state)
{
    struct fixture f;
    struct buffer document = {0};
    char directory[80];
    const char *const directories[] = {directory};
    char path[sizeof directory + 16];

    (void)state;
    (void)snprintf(directory, sizeof directory, "%s/files", platform.parent);
    (void)snprintf(path, sizeof path, "%s/one.json", directory);
    assert_int_equal(mkdir(directory, 0700), 0);
    fixture_open(&f);
    f.options.source_count = 0;
    f.options.directories = directories;
    f.options.directory_count = 1;
    fixture_start(&f);
    assert_int_equal(held(&f), 0);
    platform_bundle(&platform, platform_at(0), 17, &document);
    document.data[document.size / 3] ^= 1;
    assert_int_equal(file_write(path, buffer_span(&document), 0600, false), ERR_NONE);
    assert_false(step(&f, 60));
    assert_int_equal(held(&f), 0); /* skipped */
    document.data[document.size / 3] ^= 1;
    assert_int_equal(file_write(path, buffer_span(&document), 0600, true), ERR_NONE);
    assert_false(step(&f, 119));
    assert_int_equal(held(&f), 0);
    assert_false(step(&f, 120));
    assert_int_equal(held(&f), 17);
    assert_int_equal(f.added, 1);
    fixture_close(&f);
    buffer_clear(&document);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void the_thread_ends_when_it_is_told_to(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    fixture_start(&f);
    collateral_refresh_stop(f.refresh); /* not started yet */
    fixture_close(&f);
    fixture_open(&f);
    fixture_start(&f);
    assert_int_equal(collateral_refresh_start(f.refresh), ERR_NONE);
    collateral_refresh_stop(f.refresh);
    collateral_refresh_stop(f.refresh);
    fixture_close(&f);
}

static int start(void **state)
{
    struct collateral_store *s = NULL;
    struct collateral_put_result result = {0};
    struct buffer document = {0};

    (void)state;
    if (platform_open(&platform) != 0 || collateral_store_new(&platform.trust, &s) != ERR_NONE)
        return 1;
    platform_bundle(&platform, platform_at(0), 17, &document);
    if (collateral_store_put(s, buffer_span(&document), "test", NULL, platform_at(0), &result) !=
            ERR_NONE ||
        result.put != COLLATERAL_ADDED)
        return 1;
    (void)snprintf(item_name, sizeof item_name, "%s", result.item->name);
    collateral_item_release(&result.item);
    buffer_clear(&document);
    collateral_store_free(&s);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    return platform_close(&platform);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_fetched_once),
        cmocka_unit_test(what_is_held_is_fetched_again_when_half_of_its_time_passed),
        cmocka_unit_test(the_age_of_a_held_item_has_its_limit),
        cmocka_unit_test(a_clock_that_is_set_back_ends_the_waits),
        cmocka_unit_test(a_clock_that_is_set_back_forgets_the_missing),
        cmocka_unit_test(a_failure_is_counted_and_waited_for),
        cmocka_unit_test(documents_that_are_not_the_item_are_refused),
        cmocka_unit_test(the_next_source_is_asked_when_one_fails),
        cmocka_unit_test(hurry_ends_all_waits),
        cmocka_unit_test(what_nobody_asks_for_any_more_is_forgotten),
        cmocka_unit_test(what_no_source_could_have_is_not_promised),
        cmocka_unit_test(options_that_cannot_work_are_refused_with_a_sentence),
        cmocka_unit_test(a_source_that_cannot_be_used_is_named),
        cmocka_unit_test(without_sources_nobody_is_told_to_wait),
        cmocka_unit_test(what_was_fetched_is_kept_for_the_next_start),
        cmocka_unit_test(directories_are_read_again_when_it_is_time),
        cmocka_unit_test(the_thread_ends_when_it_is_told_to),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
