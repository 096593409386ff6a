#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_parse.h"

enum { BODY_MAX = 1000 };

struct result {
    enum http_parsed parsed;
    const struct http_refusal *refusal;
    struct http_framing framing;
    struct http_request request;
};

static void parse_from(struct span bytes, struct http_scan *scan, struct result *r)
{
    memset(r, 0, sizeof *r);
    r->parsed = http_head_parse(bytes, BODY_MAX, scan, &r->request, &r->framing, &r->refusal);
}

static void parse(struct span bytes, struct result *r)
{
    struct http_scan scan = {0};

    parse_from(bytes, &scan, r);
}

/* In an allocation of its exact size, so that the sanitizer detects a read beyond it. */
static void parse_exact(struct span bytes, struct http_scan *scan, struct result *r)
{
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);

    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    parse_from(span_of(copy, bytes.size), scan, r);
    free(copy);
}

static void assert_same(const struct result *a, const struct result *b)
{
    assert_int_equal(a->parsed, b->parsed);
    assert_ptr_equal(a->refusal, b->refusal);
    assert_int_equal(a->framing.head_size, b->framing.head_size);
    assert_int_equal(a->framing.body_size, b->framing.body_size);
    assert_int_equal(a->framing.close, b->framing.close);
    assert_int_equal(a->framing.expect_continue, b->framing.expect_continue);
    if (a->parsed == HTTP_COMPLETE) {
        assert_int_equal(a->request.header_count, b->request.header_count);
        assert_int_equal(a->request.path.size, b->request.path.size);
        assert_int_equal(a->request.query.size, b->request.query.size);
    }
}

/* For every division of the bytes into two parts, the result is the same. */
static void assert_cut_anywhere(struct span bytes)
{
    struct result whole;

    parse(bytes, &whole);
    for (size_t cut = 0; cut <= bytes.size; cut++) {
        struct http_scan scan = {0};
        struct result r;

        parse_exact(span_of(bytes.data, cut), &scan, &r);
        if (r.parsed == HTTP_INCOMPLETE)
            parse_exact(bytes, &scan, &r);
        assert_same(&r, &whole);
    }
}

#define OK "HTTP/1.1\r\nHost: h\r\n"

static void accepted_requests(void **state)
{
    static const struct {
        const char *text, *method, *path, *query;
        size_t headers, body_size;
        bool close, expect_continue;
    } cases[] = {
        {"GET / " OK "\r\n",                                                         "GET",    "/",    "",      1, 0,    false, false},
        {"GET /a/b?c=d&e HTTP/1.1\r\nHost: h:80\r\n\r\n",                            "GET",    "/a/b", "c=d&e", 1, 0,    false,
         false                                                                                                                       },
        {"GET /? " OK "\r\n",                                                        "GET",    "/",    "",      1, 0,    false, false},
        {"GET /a?b?c " OK "\r\n",                                                    "GET",    "/a",   "b?c",   1, 0,    false, false},
        {"HEAD / " OK "\r\n",                                                        "HEAD",   "/",    "",      1, 0,    false, false},
        {"DELETE /x " OK "\r\n",                                                     "DELETE", "/x",   "",      1, 0,    false, false},
        {"POST / " OK "Content-Length: 0\r\n\r\n",                                   "POST",   "/",    "",      2, 0,    false, false},
        {"POST / " OK "Content-Length: 1000\r\n\r\n",                                "POST",   "/",    "",      2, 1000, false, false},
        {"POST / " OK "content-length:5\r\n\r\nhello",                               "POST",   "/",    "",      2, 5,    false, false},
        {"POST / " OK "Content-Length: \t 5 \t\r\n\r\n",                             "POST",   "/",    "",      2, 5,    false, false},
        {"POST / " OK "Content-Length: 5\r\nExpect: 100-Continue\r\n\r\n",           "POST",   "/",    "",      3, 5,
         false,                                                                                                                 true },
        {"GET / " OK "Connection: close\r\n\r\n",                                    "GET",    "/",    "",      2, 0,    true,  false},
        {"GET / " OK "Connection: keep-alive , CLOSE\r\n\r\n",                       "GET",    "/",    "",      2, 0,    true,  false},
        {"GET / " OK "Connection: closed\r\n\r\n",                                   "GET",    "/",    "",      2, 0,    false, false},
        {"GET / " OK "Connection: close\r\nConnection: keep-alive\r\n\r\n",          "GET",    "/",    "",      3, 0,
         true,                                                                                                                  false},
        {"GET / HTTP/1.0\r\n\r\n",                                                   "GET",    "/",    "",      0, 0,    true,  false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n", "GET",    "/",    "",
         2,                                                                                                        0,    true,  false},
        {"GET / " OK "X-Empty:\r\nX-Text: a\tb \xc3\xa9\r\n\r\n",                    "GET",    "/",    "",      3, 0,    false,
         false                                                                                                                       },
        {"GET http://h/a/b?c " OK "\r\n",                                            "GET",    "/a/b", "c",     1, 0,    false, false},
        {"GET HTTPS://H/a " OK "\r\n",                                               "GET",    "/a",   "",      1, 0,    false, false},
        {"GET http://h " OK "\r\n",                                                  "GET",    "/",    "",      1, 0,    false, false},
        {"GET https://h?c/d?e " OK "\r\n",                                           "GET",    "/",    "c/d?e", 1, 0,    false, false},
        {"GET http://h/ HTTP/1.0\r\n\r\n",                                           "GET",    "/",    "",      0, 0,    true,  false},
        {"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\nGET / HT",                       "GET",    "/",    "",      1, 0,    false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct span bytes = span_string(cases[i].text);
        struct result r;

        parse(bytes, &r);
        if (r.parsed != HTTP_COMPLETE)
            print_error("not accepted: %s\n", cases[i].text);
        assert_int_equal(r.parsed, HTTP_COMPLETE);
        assert_true(span_equal_string(r.request.method, cases[i].method));
        assert_true(span_equal_string(r.request.path, cases[i].path));
        assert_true(span_equal_string(r.request.query, cases[i].query));
        assert_int_equal(r.request.header_count, cases[i].headers);
        assert_int_equal(r.framing.body_size, cases[i].body_size);
        assert_int_equal(r.framing.close, cases[i].close);
        assert_int_equal(r.framing.expect_continue, cases[i].expect_continue);
        assert_cut_anywhere(bytes);
    }
}

#define TEXT(t)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(t), sizeof(t) - 1                                                        \
    }

static void refused_requests(void **state)
{
    static const struct {
        struct span bytes;
        unsigned status;
        const char *code;
    } cases[] = {
  /* the request line */
        {TEXT("\r\nGET / " OK "\r\n"),                                                 400, "bad_request_line"     },
        {TEXT("GET /\r\n"),                                                            400, "bad_request_line"     }, /* HTTP/0.9 */
        {TEXT("GET / \r\n"),                                                           400, "bad_request_line"     },
        {TEXT("GET  / HTTP/1.1\r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET /  HTTP/1.1\r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET / HTTP/1.1 \r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET\t/\tHTTP/1.1\r\n"),                                                 400, "bad_request_line"     },
        {TEXT(" GET / HTTP/1.1\r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET / x HTTP/1.1\r\n"),                                                 400, "bad_request_line"     },
        {TEXT("GET / http/1.1\r\n"),                                                   400, "bad_request_line"     },
        {TEXT("GET / HTTP/1.10\r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET / HTTP/1.\r\n"),                                                    400, "bad_request_line"     },
        {TEXT("GET / HTTP/11\r\n"),                                                    400, "bad_request_line"     },
        {TEXT("G(T / HTTP/1.1\r\n"),                                                   400, "bad_request_line"     },
        {TEXT("G\xc3\x89T / HTTP/1.1\r\n"),                                            400, "bad_request_line"     },
        {TEXT("AMETHODTHATISLONG / HTTP/1.1\r\n"),                                     400, "bad_request_line"     },
        {TEXT("GET http:///a HTTP/1.1\r\n"),                                           400, "bad_request_line"     }, /* absolute-form */
        {TEXT("GET http://?a HTTP/1.1\r\n"),                                           400, "bad_request_line"     },
        {TEXT("GET http:// HTTP/1.1\r\n"),                                             400, "bad_request_line"     },
        {TEXT("GET http:/h/ HTTP/1.1\r\n"),                                            400, "bad_request_line"     },
        {TEXT("GET h/ HTTP/1.1\r\n"),                                                  400, "bad_request_line"     },
        {TEXT("GET ftp://h/ HTTP/1.1\r\n"),                                            400, "bad_request_line"     },
        {TEXT("GET http://u@h/ HTTP/1.1\r\n"),                                         400, "bad_request_line"     },
        {TEXT("GET http://h\\/ HTTP/1.1\r\n"),                                         400, "bad_request_line"     },
        {TEXT("GET http://h/#a HTTP/1.1\r\n"),                                         400, "bad_request_line"     },
        {TEXT("GET http://g/ " OK "\r\n"),                                             400, "host_mismatch"        },
        {TEXT("GET http://h:80/ " OK "\r\n"),                                          400, "host_mismatch"        },
        {TEXT("GET http://hh/ " OK "\r\n"),                                            400, "host_mismatch"        },
        {TEXT("GET http://h/ HTTP/1.1\r\n\r\n"),                                       400, "missing_host"         },
        {TEXT("CONNECT h:443 HTTP/1.1\r\n"),                                           400, "bad_request_line"     },
        {TEXT("OPTIONS * HTTP/1.1\r\n"),                                               400, "bad_request_line"     },
        {TEXT("GET /#a HTTP/1.1\r\n"),                                                 400, "bad_request_line"     },
        {TEXT("GET /\x80 HTTP/1.1\r\n"),                                               400, "bad_request_line"     },
        {TEXT("GET /\x7f HTTP/1.1\r\n"),                                               400, "bad_request_line"     },
        {TEXT("GET /\0 HTTP/1.1\r\n"),                                                 400, "bad_request_line"     },
        {TEXT("GET /\rx HTTP/1.1\r\n"),                                                400, "bad_request_line"     },
        {TEXT("GET / HTTP/1.1\n"),                                                     400, "bad_request_line"     },
        {TEXT("GET / HTTP/1.1\r\r\n"),                                                 400, "bad_request_line"     },
        {TEXT("\x16\x03\x01\x02\x00\x01\x00"),                                         400, "bad_request_line"     }, /* TLS */
        {TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),                                     400, "version_not_supported"}, /* HTTP/2 */
        {TEXT("GET / HTTP/2.0\r\n"),                                                   400, "version_not_supported"},
        {TEXT("GET / HTTP/1.2\r\n"),                                                   400, "version_not_supported"},
        {TEXT("GET / HTTP/0.9\r\n"),                                                   400, "version_not_supported"},
        {TEXT("GET / HTTP/3.0\r\n"),                                                   400, "version_not_supported"},
 /* the form of headers */
        {TEXT("GET / " OK "X: a\n"),                                                   400, "bad_header"           },
        {TEXT("GET / " OK "X: a\rb\r\n"),                                              400, "bad_header"           },
        {TEXT("GET / " OK "X: a\r\r\n"),                                               400, "bad_header"           },
        {TEXT("GET / " OK "X: a\0b\r\n"),                                              400, "bad_header"           },
        {TEXT("GET / " OK "X: a\x01"),                                                 400, "bad_header"           },
        {TEXT("GET / " OK "X: a\x1b"),                                                 400, "bad_header"           },
        {TEXT("GET / " OK "X: a\x7f"),                                                 400, "bad_header"           },
        {TEXT("GET / " OK "X: a\r\n b\r\n\r\n"),                                       400, "bad_header"           }, /* obs-fold */
        {TEXT("GET / " OK "X: a\r\n\tb: c\r\n\r\n"),                                   400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\n Host: h\r\n\r\n"),                                   400, "bad_header"           },
        {TEXT("GET / " OK "X : a\r\n\r\n"),                                            400, "bad_header"           },
        {TEXT("GET / " OK "X\t: a\r\n\r\n"),                                           400, "bad_header"           },
        {TEXT("GET / " OK "X Y: a\r\n\r\n"),                                           400, "bad_header"           },
        {TEXT("GET / " OK ": a\r\n\r\n"),                                              400, "bad_header"           },
        {TEXT("GET / " OK "X\r\n\r\n"),                                                400, "bad_header"           },
        {TEXT("GET / " OK "X\xc3: a\r\n\r\n"),                                         400, "bad_header"           },
        {TEXT("GET / " OK "X/Y: a\r\n\r\n"),                                           400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),                                  400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),                                  400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n"),                                  400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),                                 400, "bad_header"           },
        {TEXT("GET / HTTP/1.1\r\n\r\n"),                                               400, "missing_host"         },
        {TEXT("GET / HTTP/1.1\r\nHost:\r\n\r\n"),                                      400, "missing_host"         },
        {TEXT("GET / HTTP/1.1\r\nHosts: h\r\n\r\n"),                                   400, "missing_host"         },
        {TEXT("GET / " OK "Host: h\r\n\r\n"),                                          400, "duplicate_header"     },
        {TEXT("GET / " OK "hOST: g\r\n\r\n"),                                          400, "duplicate_header"     },
        {TEXT("GET / " OK "Authorization: a\r\nauthorization: a\r\n\r\n"),             400, "duplicate_header"     },
        {TEXT("GET / " OK "Content-Type: a\r\nContent-Type: b\r\n\r\n"),               400, "duplicate_header"     },
        {TEXT("GET / " OK "Expect: 200-ok\r\n\r\n"),                                   417, "bad_expectation"      },
 /* the framing of the body */
        {TEXT("POST / " OK "Transfer-Encoding: chunked\r\n\r\n"),                      400, "bad_framing"          },
        {TEXT("POST / " OK "transfer-encoding: identity\r\n\r\n"),                     400, "bad_framing"          },
        {TEXT("POST / " OK "Transfer-Encoding:\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400,
         "bad_framing"                                                                                             },
        {TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),                400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),          400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5\r\ncontent-length: 5\r\n\r\n"),          400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5, 5\r\n\r\n"),                            400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: +5\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: -5\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 0x5\r\n\r\n"),                             400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5 5\r\n\r\n"),                             400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5a\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 5.0\r\n\r\n"),                             400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 1e2\r\n\r\n"),                             400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 05\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 00\r\n\r\n"),                              400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length:\r\n\r\n"),                                 400, "bad_framing"          },
        {TEXT("POST / " OK "Content-Length: 1001\r\n\r\n"),                            413, "body_too_large"       },
        {TEXT("POST / " OK "Content-Length: 18446744073709551617\r\n\r\n"),            413, "body_too_large"       },
        {TEXT("POST / " OK "Content-Length: 99999999999999999999999999\r\n\r\n"),      413,
         "body_too_large"                                                                                          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct result r;

        parse(cases[i].bytes, &r);
        if (r.parsed != HTTP_REFUSED || strcmp(r.refusal->code, cases[i].code) != 0)
            print_error("case %zu: %s\n", i, (const char *)cases[i].bytes.data);
        assert_int_equal(r.parsed, HTTP_REFUSED);
        assert_string_equal(r.refusal->code, cases[i].code);
        assert_int_equal(r.refusal->status, cases[i].status);
        assert_cut_anywhere(cases[i].bytes);
    }
}

static void every_prefix_is_incomplete(void **state)
{
    static const char text[] = "POST /decrypt?x=1 HTTP/1.1\r\nHost: keystore:8081\r\n"
                               "Authorization: Bearer t\r\nContent-Length: 2\r\n\r\n";

    (void)state;
    for (size_t size = 0; size < sizeof text - 1; size++) {
        struct http_scan scan = {0};
        struct result r;

        parse_exact(span_of(text, size), &scan, &r);
        assert_int_equal(r.parsed, HTTP_INCOMPLETE);
    }
}

/* `count` headers, each filled up to `size` bytes. */
static void many_headers(struct buffer *b, size_t count, int size)
{
    assert_int_equal(buffer_append_string(b, "GET / " OK), ERR_NONE);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(buffer_printf(b, "X%zu: %0*d\r\n", i, size, 0), ERR_NONE);
    assert_int_equal(buffer_append_string(b, "\r\n"), ERR_NONE);
}

static void limits_hold(void **state)
{
    static const struct {
        size_t count;
        int size;
        const char *code; /* NULL: accepted */
    } cases[] = {
        {63,    10,    NULL              },
        {64,    10,    "too_many_headers"}, /* and Host */
        {1,     16300, NULL              },
        {1,     16384, "header_too_large"},
        {1,     65536, "header_too_large"},
        {64,    1000,  "header_too_large"},
        {10000, 1,     "header_too_large"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buffer b = {0};
        struct result r;

        many_headers(&b, cases[i].count, cases[i].size);
        parse(buffer_span(&b), &r);
        assert_int_equal(r.parsed, cases[i].code ? HTTP_REFUSED : HTTP_COMPLETE);
        if (cases[i].code) {
            assert_string_equal(r.refusal->code, cases[i].code);
            assert_int_equal(r.refusal->status, 431);
        }
        buffer_clear(&b);
    }
}

static void long_request_line_is_refused_before_its_end(void **state)
{
    struct buffer b = {0};
    struct result r;

    (void)state;
    assert_int_equal(buffer_printf(&b, "GET /%0*d", HTTP_LINE_MAX_SIZE - 5, 0), ERR_NONE);
    parse(buffer_span(&b), &r);
    assert_int_equal(r.parsed, HTTP_INCOMPLETE);
    assert_int_equal(buffer_append_string(&b, "0"), ERR_NONE);
    parse(buffer_span(&b), &r);
    assert_int_equal(r.parsed, HTTP_REFUSED);
    assert_string_equal(r.refusal->code, "uri_too_long");
    assert_int_equal(r.refusal->status, 414);
    buffer_clear(&b);
}

/* A change of any byte of a request to a value outside the table above is refused. */
static void control_bytes_are_refused_everywhere(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n";

    (void)state;
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (unsigned c = 0; c < 0x20; c++) {
            char changed[sizeof text];
            struct result r;

            if (c == '\t' || c == '\r' || c == '\n')
                continue;
            memcpy(changed, text, sizeof text);
            changed[at] = (char)c;
            parse(span_of(changed, sizeof text - 1), &r);
            assert_int_equal(r.parsed, HTTP_REFUSED);
        }
    }
}

static void headers_are_found_in_any_case(void **state)
{
    struct result r;
    struct span value;

    (void)state;
    parse(SPAN_LITERAL("GET / " OK "X-A: 1\r\nx-a: 2\r\n\r\n"), &r);
    assert_int_equal(r.parsed, HTTP_COMPLETE);
    assert_true(http_header(&r.request, "x-A", &value));
    assert_true(span_equal_string(value, "1"));
    assert_false(http_header(&r.request, "x-", &value));
    assert_false(http_header(&r.request, "x-ab", &value));
}

static void query_parameters(void **state)
{
    static const struct {
        const char *query, *name;
        enum err expected;
        const char *value;
    } cases[] = {
        {"a=1",          "a", ERR_NONE,      "1"   },
        {"a=1&b=2",      "b", ERR_NONE,      "2"   },
        {"a",            "a", ERR_NONE,      ""    },
        {"a=",           "a", ERR_NONE,      ""    },
        {"a=b=c",        "a", ERR_NONE,      "b=c" },
        {"%61=%41%2f+x", "a", ERR_NONE,      "A/ x"},
        {"aa=1&ab=2",    "a", ERR_NOT_FOUND, NULL  },
        {"",             "a", ERR_NOT_FOUND, NULL  },
        {"A=1",          "a", ERR_NOT_FOUND, NULL  },
        {"a=1&a=1",      "a", ERR_MALFORMED, NULL  },
        {"a=1&%61=2",    "a", ERR_MALFORMED, NULL  },
        {"a=%",          "a", ERR_MALFORMED, NULL  },
        {"a=%4",         "a", ERR_MALFORMED, NULL  },
        {"a=%4g",        "a", ERR_MALFORMED, NULL  },
        {"%=1&a=1",      "a", ERR_MALFORMED, NULL  },
        {"a=123456789",  "a", ERR_TOO_LARGE, NULL  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[8];
        size_t size = 0;

        assert_int_equal(
            http_query(span_string(cases[i].query), cases[i].name, out, sizeof out, &size),
            cases[i].expected);
        if (cases[i].value)
            assert_true(span_equal_string(span_of(out, size), cases[i].value));
    }
}

/* The scan reads several bytes at once. The place within them makes no difference. */
static void every_byte_at_every_place_of_a_value(void **state)
{
    enum { PLACES = 40 };
    static const char head[] = "GET / HTTP/1.1\r\nHost: h\r\nX: ";

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        bool allowed = byte == '\t' || (byte >= 0x20 && byte != 0x7f);

        for (size_t place = 0; place < PLACES; place++) {
            uint8_t text[sizeof head - 1 + PLACES + 4];
            struct result r;

            memcpy(text, head, sizeof head - 1);
            memset(text + sizeof head - 1, 'x', PLACES);
            memcpy(text + sizeof text - 4, "\r\n\r\n", 4);
            text[sizeof head - 1 + place] = (uint8_t)byte;
            parse(SPAN_OF(text), &r);
            if (r.parsed != (allowed ? HTTP_COMPLETE : HTTP_REFUSED))
                fail_msg("byte %02x at %zu", byte, place);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_requests),
        cmocka_unit_test(refused_requests),
        cmocka_unit_test(every_prefix_is_incomplete),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(long_request_line_is_refused_before_its_end),
        cmocka_unit_test(control_bytes_are_refused_everywhere),
        cmocka_unit_test(headers_are_found_in_any_case),
        cmocka_unit_test(query_parameters),
        cmocka_unit_test(every_byte_at_every_place_of_a_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
