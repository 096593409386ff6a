#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/peers.h"
#include "net/proxy.h"

static struct network network_of(const char *text)
{
    struct network n;

    assert_int_equal(network_parse(span_string(text), &n), ERR_NONE);
    return n;
}

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&out, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&out, &v6, sizeof v6);
    return out;
}

static void assert_address(const struct sockaddr_storage *address, const char *expected)
{
    char text[PEER_TEXT_SIZE];

    peer_text(address, text);
    assert_string_equal(text, expected);
}

static void networks(void **state)
{
    static const struct {
        const char *network, *address;
        bool has;
    } cases[] = {
        {"192.0.2.0/24",      "192.0.2.255",     true },
        {"192.0.2.0/24",      "192.0.3.0",       false},
        {"192.0.2.0/24",      "::ffff:c000:201", true },
        {"192.0.2.4/30",      "192.0.2.7",       true },
        {"192.0.2.4/30",      "192.0.2.8",       false},
        {"192.0.2.1",         "192.0.2.1",       true },
        {"192.0.2.1",         "192.0.2.2",       false},
        {"0.0.0.0/0",         "203.0.113.9",     true },
        {"0.0.0.0/0",         "2001:db8::1",     false},
        {"2001:db8::/32",     "2001:db8:ff::1",  true },
        {"2001:db8::/32",     "2001:db9::1",     false},
        {"2001:db8:0:8::/61", "2001:db8:0:f::1", true },
        {"2001:db8:0:8::/61", "2001:db8:0:10::", false},
        {"::/0",              "192.0.2.1",       true },
        {"::1/128",           "::1",             true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct network n = network_of(cases[i].network);
        struct sockaddr_storage address = address_of(cases[i].address);

        assert_int_equal(network_has(&n, 1, &address), cases[i].has);
        assert_false(network_has(&n, 0, &address));
        address.ss_family = AF_UNIX; /* no address of a network */
        assert_false(network_has(&n, 1, &address));
    }
}

static void texts_that_are_no_network(void **state)
{
    static const char *const cases[] = {
        "",
        "192.0.2.0/",
        "/24",
        "192.0.2.0/33",
        "192.0.2.0/024",
        "192.0.2/24",
        "192.0.2.1/24",
        "192.0.2.0/-1",
        "192.0.2.0/+8",
        "192.0.2.0/24/24",
        "localhost",
        "192.0.2.0 /8",
        "2001:db8::/129",
        "[::1]",
        "2001:db8::1/32",
        "::1%lo",
        "192.0.2.0/8x",
        "192.0.2.0/99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct network n;

        if (network_parse(span_string(cases[i]), &n) != ERR_MALFORMED)
            fail_msg("accepted: %s", cases[i]);
    }
}

#define TEXT(t)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(t), sizeof(t) - 1                                                        \
    }
#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4 "\xc0\x00\x02\x01\xc0\x00\x02\x02\x04\xd2\x01\xbb"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x04\xd2" \
    "\x01\xbb"

/* Every prefix of a header is incomplete. */
static void headers_that_name_the_client(void **state)
{
    static const struct {
        struct span header;
        const char *client;
    } cases[] = {
        {TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n"),            "192.0.2.1"      },
        {TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 0\r\n"), "255.255.255.255"},
        {TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n"),        "2001:db8::1"    },
        {TEXT("PROXY UNKNOWN\r\n"),                                      ""               },
        {TEXT("PROXY UNKNOWN what ever\r\n"),                            ""               },
        {TEXT(V2 "\x21\x11\x00\x0c" V4),                                 "192.0.2.1"      },
        {TEXT(V2 "\x21\x11\x00\x10" V4 "\x04\x00\x01\x00"),              "192.0.2.1"      },
        {TEXT(V2 "\x21\x21\x00\x24" V6),                                 "2001:db8::1"    },
        {TEXT(V2 "\x20\x11\x00\x0c" V4),                                 ""               },
        {TEXT(V2 "\x20\x00\x00\x00"),                                    ""               },
        {TEXT(V2 "\x21\x00\x00\x00"),                                    ""               },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t bytes[256];
        size_t size = cases[i].header.size;

        memcpy(bytes, cases[i].header.data, size);
        memcpy(bytes + size, "GET /", 5);
        for (size_t have = 0; have <= size + 5; have++) {
            struct sockaddr_storage client = {0};
            size_t used = 0;
            enum proxy_parsed parsed = proxy_header_parse(span_of(bytes, have), &client, &used);

            assert_int_equal(parsed, have < size ? PROXY_INCOMPLETE : PROXY_COMPLETE);
            if (have < size)
                continue;
            assert_int_equal(used, size);
            assert_address(&client, cases[i].client);
        }
    }
}

static void headers_that_are_refused(void **state)
{
    static const struct span cases[] = {
        TEXT("GET / HTTP/1.1\r\n"),
        TEXT("\x16\x03\x01\x02\x00\x01\x00"),
        TEXT("proxy TCP4 192.0.2.1 192.0.2.2 1234 443\r\n"),
        TEXT("PROXY\r\n"),
        TEXT("PROXY TCP4\r\n"),
        TEXT("PROXY TCP5 192.0.2.1 192.0.2.2 1234 443\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1234\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443 \r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 1234 443 5\r\n"),
        TEXT("PROXY TCP4  192.0.2.1 192.0.2.2 1234 443\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 01234 443\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443\r\n"),
        TEXT("PROXY TCP4 192.0.2.256 192.0.2.2 1234 443\r\n"),
        TEXT("PROXY TCP4 2001:db8::1 2001:db8::2 1234 443\r\n"),
        TEXT("PROXY TCP6 192.0.2.1 192.0.2.2 1234 443\r\n"),
        TEXT("PROXY UNKNOWN "
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        TEXT(V2 "\x11\x11\x00\x0c" V4), /* version 1 in the form of version 2 */
        TEXT(V2 "\x22\x11\x00\x0c" V4),
        TEXT(V2 "\x21\x12\x00\x0c" V4), /* UDP */
        TEXT(V2 "\x21\x31\x00\x0c" V4), /* Unix sockets */
        TEXT(V2 "\x21\x11\x00\x0b" V4),
        TEXT(V2 "\x21\x21\x00\x0c" V4),
        TEXT(V2 "\x21\x11\x02\x09" V4), /* longer than a header may be */
        TEXT("\r\n\r\n\0\r\nQUIT\r"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sockaddr_storage client;
        size_t used;

        if (proxy_header_parse(cases[i], &client, &used) != PROXY_REFUSED)
            fail_msg("case %zu is not refused", i);
    }
}

static void the_rightmost_untrusted_address_is_the_client(void **state)
{
    static const struct {
        const char *value, *client;
        bool all_trusted;
    } cases[] = {
        {"203.0.113.7",                          "203.0.113.7", false},
        {"198.51.100.1, 203.0.113.7",            "203.0.113.7", false},
        {"198.51.100.1, 203.0.113.7, 192.0.2.9", "203.0.113.7", false},
        {"203.0.113.7 ,\t192.0.2.9,192.0.2.8",   "203.0.113.7", false},
        {"192.0.2.9, 192.0.2.8",                 "192.0.2.9",   true },
        {"203.0.113.7:5555, 192.0.2.9:1",        "203.0.113.7", false},
        {"2001:db8::7",                          "2001:db8::7", false},
        {"[2001:db8::7]:443",                    "2001:db8::7", false},
        {"[2001:db8::7], 192.0.2.9",             "2001:db8::7", false},
        {"203.0.113.7, unknown",                 "192.0.2.1",   false},
        {"203.0.113.7, unknown, 192.0.2.9",      "192.0.2.9",   false},
        {"203.0.113.7,",                         "192.0.2.1",   false},
        {"",                                     "192.0.2.1",   false},
        {",",                                    "192.0.2.1",   false},
        {"[2001:db8::7",                         "192.0.2.1",   false},
        {"[2001:db8::7]x",                       "192.0.2.1",   false},
        {"[]",                                   "192.0.2.1",   false},
        {":80",                                  "192.0.2.1",   false},
    };
    const struct network trusted = network_of("192.0.2.0/24");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sockaddr_storage client = address_of("192.0.2.1");

        assert_int_equal(proxy_forwarded_for(span_string(cases[i].value), &trusted, 1, &client),
                         cases[i].all_trusted);
        assert_address(&client, cases[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(networks),
        cmocka_unit_test(texts_that_are_no_network),
        cmocka_unit_test(headers_that_name_the_client),
        cmocka_unit_test(headers_that_are_refused),
        cmocka_unit_test(the_rightmost_untrusted_address_is_the_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
