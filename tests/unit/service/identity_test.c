/* What the keystore says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/random.h"
#include "keystore.h"
#include "service/identity.h"
#include "service/sealing.h"

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

static void evidence_binds_a_nonce_of_a_limited_size(void **state)
{
    static const struct {
        size_t size;
        enum err e;
    } cases[] = {
        {0,                      ERR_MALFORMED},
        {IDENTITY_NONCE_MIN - 1, ERR_MALFORMED},
        {IDENTITY_NONCE_MIN,     ERR_NONE     },
        {IDENTITY_NONCE_MAX,     ERR_NONE     },
        {IDENTITY_NONCE_MAX + 1, ERR_MALFORMED},
    };
    const uint8_t nonce[IDENTITY_NONCE_MAX + 1] = {1};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct own_evidence own = {0};

        assert_int_equal(
            service_own_evidence(k.service, span_of(nonce, cases[i].size), k.now, &own),
            cases[i].e);
        assert_int_equal(own.evidence.quote.size > 0, cases[i].e == ERR_NONE);
        if (cases[i].e == ERR_NONE) {
            assert_string_equal(own.tee_type, "simulated");
            assert_true(own.simulated);
            assert_true(own.collateral.size > 0);
        }
        own_evidence_clear(&own);
    }
}

/* Without TLS the evidence binds zeros, also when there was a key before. */
static void evidence_names_the_tls_key_in_use(void **state)
{
    const uint8_t nonce[32] = {2};
    const uint8_t zero[SHA256_SIZE] = {0};
    uint8_t key[SHA256_SIZE];
    struct own_evidence own = {0};

    (void)state;
    memset(key, 0x5a, sizeof key);
    for (int round = 0; round < 3; round++) {
        const bool has_tls = round == 1;

        service_tls_key_set(k.service, has_tls ? key : NULL);
        assert_int_equal(service_own_evidence(k.service, SPAN_OF(nonce), k.now, &own), ERR_NONE);
        assert_int_equal(own.tls_spki_sha256 != NULL, has_tls);
        assert_memory_equal(own.tls_key, has_tls ? key : zero, sizeof key);
        own_evidence_clear(&own);
    }
}

static void statements_have_limits(void **state)
{
    static const uint8_t seed[SEED_MAX_SIZE + 1] = {'s'};
    const uint8_t nonce[IDENTITY_NONCE_MAX + 1] = {3};
    struct public_key_statement s;

    (void)state;
    assert_int_equal(service_public_key_statement(k.service, &k.thread, SPAN_LITERAL("s"),
                                                  span_of(nonce, IDENTITY_NONCE_MAX), &s),
                     ERR_NONE);
    assert_int_equal(
        service_public_key_statement(k.service, &k.thread, SPAN_LITERAL("s"), SPAN_OF(nonce), &s),
        ERR_TOO_LARGE);
    assert_int_equal(service_public_key_statement(k.service, &k.thread, SPAN_OF(seed),
                                                  span_of(nonce, IDENTITY_NONCE_MAX), &s),
                     ERR_TOO_LARGE);
}

static void a_sealed_root_has_a_path_of_a_limited_size(void **state)
{
    static char path[8192];
    struct sealing *sealing = NULL;

    (void)state;
    assert_int_equal(sealing_new("/state/root.sealed", &sealing), ERR_NONE);
    assert_non_null(sealing);
    sealing_free(&sealing);
    assert_null(sealing);
    memset(path, 'p', sizeof path - 1);
    assert_int_equal(sealing_new(path, &sealing), ERR_TOO_LARGE);
    assert_null(sealing);
    assert_string_equal(sealing_state_name(SEALING_UNAVAILABLE), "unavailable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_binds_a_nonce_of_a_limited_size),
        cmocka_unit_test(evidence_names_the_tls_key_in_use),
        cmocka_unit_test(statements_have_limits),
        cmocka_unit_test(a_sealed_root_has_a_path_of_a_limited_size),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
