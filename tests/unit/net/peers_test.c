#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/peers.h"

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&out, &v4, sizeof v4);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&out, &v6, sizeof v6);
    }
    return out;
}

static struct peer_key key_of(const char *text)
{
    struct sockaddr_storage address = address_of(text);
    struct peer_key key;

    peer_key_of(&address, &key);
    return key;
}

static void who_counts_as_one_peer(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"192.0.2.1",   "192.0.2.1",            true },
        {"192.0.2.1",   "192.0.2.2",            false},
        {"192.0.2.1",   "::ffff:192.0.2.1",     true },
        {"192.0.2.1",   "::ffff:192.0.2.2",     false}, /* not all of ::/64 */
        {"2001:db8::1", "2001:db8::ffff:1:2:3", true },
        {"2001:db8::1", "2001:db8:0:1::1",      false},
        {"::1",         "::ffff:0.0.0.0",       false},
        {"::192.0.2.1", "192.0.2.1",            false},
        {"2001:db8::1", "2001:db9::1",          false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct peer_key a = key_of(cases[i].a);
        struct peer_key b = key_of(cases[i].b);

        if ((memcmp(&a, &b, sizeof a) == 0) != cases[i].same)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
}

static void addresses_as_text(void **state)
{
    static const struct {
        const char *address, *text;
    } cases[] = {
        {"192.0.2.1",                               "192.0.2.1"                              },
        {"::ffff:192.0.2.1",                        "192.0.2.1"                              },
        {"2001:0db8::0001",                         "2001:db8::1"                            },
        {"1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888"},
    };
    struct sockaddr_storage unknown = {.ss_family = AF_UNIX};
    char text[PEER_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct sockaddr_storage address = address_of(cases[i].address);

        peer_text(&address, text);
        assert_string_equal(text, cases[i].text);
    }
    peer_text(&unknown, text);
    assert_string_equal(text, "");
}

static void limits_hold_and_places_come_back(void **state)
{
    struct peer_key a = key_of("192.0.2.1");
    struct peer_key b = key_of("2001:db8::1");
    struct peer_key c = key_of("2001:db8:0:1::1");
    struct peers *p = NULL;

    (void)state;
    assert_int_equal(peers_new(3, 2, &p), ERR_NONE);
    assert_int_equal(peers_enter(p, &a, false), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &a, false), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &a, false), PEERS_SHARE_USED);
    assert_int_equal(peers_enter(p, &a, true), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &b, true), PEERS_FULL);
    peers_leave(p, &a);
    assert_int_equal(peers_enter(p, &b, false), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &c, false), PEERS_FULL);
    peers_leave(p, &a);
    assert_int_equal(peers_enter(p, &c, false), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &a, false), PEERS_FULL);
    peers_leave(p, &b);
    peers_leave(p, &c);
    assert_int_equal(peers_enter(p, &a, false), PEERS_ENTERED);
    assert_int_equal(peers_enter(p, &a, false), PEERS_SHARE_USED);
    peers_leave(p, &a);
    peers_leave(p, &a);
    peers_free(&p);
    assert_null(p);
}

/* There are as many entries as connections, for any order of arrivals and departures. */
static void many_addresses_never_use_it_up(void **state)
{
    enum { COUNT = 100, ROUNDS = 50 };
    struct peers *p = NULL;

    (void)state;
    assert_int_equal(peers_new(COUNT, 0, &p), ERR_NONE);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct peer_key key = key_of("2001:db8::");

        for (unsigned i = 0; i <= COUNT; i++) {
            key.bytes[6] = (uint8_t)round;
            key.bytes[7] = (uint8_t)i;
            assert_int_equal(peers_enter(p, &key, false), i < COUNT ? PEERS_ENTERED : PEERS_FULL);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            key.bytes[7] = (uint8_t)i;
            peers_leave(p, &key);
        }
    }
    peers_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_counts_as_one_peer),
        cmocka_unit_test(addresses_as_text),
        cmocka_unit_test(limits_hold_and_places_come_back),
        cmocka_unit_test(many_addresses_never_use_it_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
