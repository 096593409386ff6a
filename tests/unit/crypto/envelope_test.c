#include "unit/crypto/cases.h"

#include <sys/resource.h>

#include "crypto/envelope.h"
#include "crypto/random.h"

/* The worked example of OutLayer's ECIES, format 1, recipient 5.2 row 1 (spec: OutLayer 5.5). */
#define PLAIN "{\"OPENAI_KEY\":\"sk-test123\",\"FOO\":\"bar\"}"
#define RECIPIENT "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19"
#define BLOB                                                                                       \
    "01358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254"                           \
    "000102030405060708090a0b"                                                                     \
    "9bf74fd7295780a63ce62326a0852b6bad3ac6e33c12642576daffedc5bc51a194ba65c2f0837e"               \
    "605b82df282e4898cf2356304a60da61"
/* The same text in the keyless formats (spec: OutLayer 5.1, 5.4). */
#define KEYLESS_CHACHA                                                                             \
    "000102030405060708090a0b4db77e30a641d653cfabaf681c03833770b1a49ea24acc697bb8a7f2b7322fc7"     \
    "f123d80e56e6c188ad2fddc0b23a3cd051316d65c5846a"
#define KEYLESS_XOR "141e44f07bcee5f562f948cc2e3e2da046d81082bbf78f6a6ef75f7d9fb3dce6551e69c14ca2d9"
#define BLOB_SIZE 100
#define HPKE_SIZE (sizeof PLAIN - 1 + ENVELOPE_HPKE_OVERHEAD)

static const uint8_t private_key[X25519_SIZE] = {7, 7, 7};
static uint8_t public_key[X25519_SIZE];

static const struct envelope_context here = {
    .key_id = {(const uint8_t *)"repo:alice.near", 15},
    .key_version = 3,
    .context = {(const uint8_t *)"profile",         7 },
};

static int start(void **state)
{
    (void)state;
    if (crypto_start() != ERR_NONE)
        return -1;
    x25519_public(private_key, public_key);
    return 0;
}

static void refuse(const uint8_t key[X25519_SIZE], const struct envelope_context *context,
                   struct span sealed, enum err expected)
{
    struct secret *plain = NULL;

    assert_int_equal(envelope_open(key, NULL, context, sealed, &plain), expected);
    assert_null(plain);
}

static void accept(const uint8_t *with_public, struct span sealed, struct span expected)
{
    struct secret *plain = NULL;

    assert_int_equal(envelope_open(private_key, with_public, &here, sealed, &plain), ERR_NONE);
    assert_true(span_equal(secret_span(plain), expected));
    secret_free(&plain);
}

static void ecies_seals_exactly_as_outlayer(void **state)
{
    uint8_t recipient[X25519_SIZE];
    uint8_t ephemeral[X25519_SIZE];
    uint8_t nonce[12];
    uint8_t sealed[BLOB_SIZE];
    char text[2 * BLOB_SIZE + 1];
    const struct envelope_fixed fixed = {ephemeral, nonce};

    (void)state;
    hex_bytes(RECIPIENT, recipient, sizeof recipient);
    for (uint8_t i = 0; i < sizeof ephemeral; i++)
        ephemeral[i] = (uint8_t)(0x20 + i);
    for (uint8_t i = 0; i < sizeof nonce; i++)
        nonce[i] = i;
    assert_int_equal(
        envelope_seal(ENVELOPE_ECIES, recipient, NULL, SPAN_LITERAL(PLAIN), &fixed, sealed),
        ERR_NONE);
    hex_write(SPAN_OF(sealed), text);
    assert_string_equal(text, BLOB);
}

static void what_is_sealed_opens(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4000, 4096, 100000};
    static const uint8_t formats[] = {ENVELOPE_ECIES, ENVELOPE_HPKE};
    static uint8_t plain[100000];
    static uint8_t sealed[sizeof plain + ENVELOPE_ECIES_OVERHEAD];

    (void)state;
    random_bytes(plain, sizeof plain);
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        for (size_t j = 0; j < COUNT_OF(formats); j++) {
            struct span text = span_of(plain, sizes[i]);
            size_t overhead =
                formats[j] == ENVELOPE_ECIES ? ENVELOPE_ECIES_OVERHEAD : ENVELOPE_HPKE_OVERHEAD;

            assert_int_equal(envelope_seal(formats[j], public_key, &here, text, NULL, sealed),
                             ERR_NONE);
            accept(public_key, span_of(sealed, sizes[i] + overhead), text);
            accept(NULL, span_of(sealed, sizes[i] + overhead), text);
        }
}

static void two_sealings_differ(void **state)
{
    uint8_t one[HPKE_SIZE];
    uint8_t two[HPKE_SIZE];

    (void)state;
    assert_int_equal(
        envelope_seal(ENVELOPE_HPKE, public_key, &here, SPAN_LITERAL(PLAIN), NULL, one), ERR_NONE);
    assert_int_equal(
        envelope_seal(ENVELOPE_HPKE, public_key, &here, SPAN_LITERAL(PLAIN), NULL, two), ERR_NONE);
    assert_false(bytes_equal_ct(one + 1, two + 1, X25519_SIZE));
}

static bool is_marker(uint8_t c)
{
    return c == ENVELOPE_ECIES || c == ENVELOPE_HPKE;
}

static void every_flipped_bit_and_every_prefix_is_refused(void **state)
{
    static const uint8_t formats[] = {ENVELOPE_ECIES, ENVELOPE_HPKE};
    uint8_t sealed[BLOB_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        size_t overhead =
            formats[i] == ENVELOPE_ECIES ? ENVELOPE_ECIES_OVERHEAD : ENVELOPE_HPKE_OVERHEAD;
        size_t size = sizeof PLAIN - 1 + overhead;

        assert_int_equal(
            envelope_seal(formats[i], public_key, &here, SPAN_LITERAL(PLAIN), NULL, sealed),
            ERR_NONE);
        for (size_t bit = 0; bit < 8 * size; bit++) {
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            refuse(private_key, &here, span_of(sealed, size),
                   is_marker(sealed[0]) ? ERR_CRYPTO : ERR_UNSUPPORTED);
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        for (size_t cut = 0; cut < size; cut++)
            refuse(private_key, &here, span_of(sealed, cut),
                   cut < overhead ? ERR_MALFORMED : ERR_CRYPTO);
        accept(NULL, span_of(sealed, size), SPAN_LITERAL(PLAIN));
    }
}

static void another_key_version_or_context_does_not_open_hpke(void **state)
{
    const struct envelope_context others[] = {
        {SPAN_LITERAL("repo:alice.nea"),  3,         SPAN_LITERAL("profile") },
        {SPAN_LITERAL("repo:alice.neaR"), 3,         SPAN_LITERAL("profile") },
        {SPAN_LITERAL("repo:alice.near"), 4,         SPAN_LITERAL("profile") },
        {SPAN_LITERAL("repo:alice.near"), 0x3000000, SPAN_LITERAL("profile") },
        {SPAN_LITERAL("repo:alice.near"), 3,         SPAN_LITERAL("")        },
        {SPAN_LITERAL("repo:alice.near"), 3,         SPAN_LITERAL("profile2")},
        {SPAN_LITERAL(""),                3,         SPAN_LITERAL("profile") },
    };
    const uint8_t other_key[X25519_SIZE] = {8};
    uint8_t other_public[X25519_SIZE];
    uint8_t sealed[HPKE_SIZE];
    struct secret *plain = NULL;

    (void)state;
    assert_int_equal(
        envelope_seal(ENVELOPE_HPKE, public_key, &here, SPAN_LITERAL(PLAIN), NULL, sealed),
        ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        refuse(private_key, &others[i], SPAN_OF(sealed), ERR_CRYPTO);
    refuse(private_key, NULL, SPAN_OF(sealed), ERR_UNSUPPORTED);
    refuse(other_key, &here, SPAN_OF(sealed), ERR_CRYPTO);
    x25519_public(other_key, other_public);
    assert_int_equal(envelope_open(private_key, other_public, &here, SPAN_OF(sealed), &plain),
                     ERR_CRYPTO);
    assert_null(plain);
}

static void sealing_refuses_values_it_cannot_bind(void **state)
{
    static uint8_t long_id[256];
    const struct envelope_context too_long = {.key_id = SPAN_OF(long_id)};
    static const uint8_t low_order[X25519_SIZE] = {1};
    uint8_t out[BLOB_SIZE];
    struct span plain = SPAN_LITERAL(PLAIN);

    (void)state;
    assert_int_equal(envelope_seal(0, public_key, &here, plain, NULL, out), ERR_UNSUPPORTED);
    assert_int_equal(envelope_seal(3, public_key, &here, plain, NULL, out), ERR_UNSUPPORTED);
    assert_int_equal(envelope_seal(ENVELOPE_HPKE, public_key, NULL, plain, NULL, out),
                     ERR_UNSUPPORTED);
    assert_int_equal(envelope_seal(ENVELOPE_HPKE, public_key, &too_long, plain, NULL, out),
                     ERR_TOO_LARGE);
    assert_int_equal(envelope_seal(ENVELOPE_ECIES, public_key, &here,
                                   span_of(long_id, ENVELOPE_MAX_SIZE), NULL, out),
                     ERR_TOO_LARGE);
    assert_int_equal(envelope_seal(ENVELOPE_ECIES, low_order, &here, plain, NULL, out), ERR_CRYPTO);
    assert_int_equal(envelope_seal(ENVELOPE_HPKE, low_order, &here, plain, NULL, out), ERR_CRYPTO);
}

/* If E has low order, the shared secret is zero, and anyone could have sealed this. */
static void an_ephemeral_key_of_low_order_is_refused(void **state)
{
    uint8_t sealed[BLOB_SIZE] = {0};

    (void)state;
    for (uint8_t format = ENVELOPE_ECIES; format <= ENVELOPE_HPKE; format++)
        for (uint8_t point = 0; point < 2; point++) {
            sealed[0] = format;
            sealed[1] = point;
            refuse(private_key, &here, SPAN_OF(sealed), ERR_CRYPTO);
        }
}

static void keyless_formats_are_refused_with_a_way_out(void **state)
{
    static const struct {
        const char *sealed, *names;
    } cases[] = {
        {KEYLESS_CHACHA, "ChaCha20-Poly1305"},
        {KEYLESS_XOR,    "XOR"              },
        {"141e44f0",     "XOR"              },
        {"03",           "XOR"              },
    };
    uint8_t sealed[BLOB_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].sealed) / 2;
        const char *hint;

        hex_bytes(cases[i].sealed, sealed, size);
        refuse(private_key, &here, span_of(sealed, size), ERR_UNSUPPORTED);
        hint = envelope_hint(span_of(sealed, size));
        assert_non_null(strstr(hint, cases[i].names));
        assert_non_null(strstr(hint, "vouchsafe encrypt"));
        assert_non_null(strstr(hint, "/pubkey"));
    }
    assert_non_null(strstr(envelope_hint(SPAN_LITERAL("\x01")), "vouchsafe encrypt"));
    assert_non_null(strstr(envelope_hint((struct span){0}), "vouchsafe encrypt"));
}

static void what_exceeds_the_limit_is_refused_unread(void **state)
{
    static const uint8_t byte = ENVELOPE_ECIES;

    (void)state; /* the span claims more than there is: it must not be touched */
    refuse(private_key, &here, span_of(&byte, ENVELOPE_MAX_SIZE + 1), ERR_TOO_LARGE);
    refuse(private_key, &here, (struct span){0}, ERR_MALFORMED);
}

static void no_guarded_memory_is_an_error(void **state)
{
    struct rlimit before;
    struct rlimit tight;
    static uint8_t plain[1u << 20];
    static uint8_t sealed[sizeof plain + ENVELOPE_ECIES_OVERHEAD];

    (void)state;
    assert_int_equal(envelope_seal(ENVELOPE_ECIES, public_key, &here, SPAN_OF(plain), NULL, sealed),
                     ERR_NONE);
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    tight = before;
    tight.rlim_cur = 1u << 20; /* less than is mapped already: no mapping can be added */
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    refuse(private_key, &here, SPAN_OF(sealed), ERR_MEMORY);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    accept(NULL, SPAN_OF(sealed), SPAN_OF(plain));
}

/* RFC 9180 appendix A.2.1, sequence number 0: our suite in base mode. */
static void hpke_agrees_with_rfc_9180(void **state)
{
    static const char pt[] = "Beauty is truth, truth beauty";
    const struct span info = SPAN_LITERAL("Ode on a Grecian Urn");
    const struct span aad = SPAN_LITERAL("Count-0");
    uint8_t ikm_e[X25519_SIZE];
    uint8_t key[X25519_SIZE];
    uint8_t recipient[X25519_SIZE];
    uint8_t enc[X25519_SIZE];
    uint8_t sealed[sizeof pt - 1 + 16];
    char text[2 * sizeof sealed + 1];
    struct secret *plain = NULL;

    (void)state;
    hex_bytes("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b", ikm_e,
              sizeof ikm_e);
    hex_bytes("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb", key, sizeof key);
    hex_bytes("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a", recipient,
              sizeof recipient);
    assert_int_equal(
        hpke_seal(recipient, info, aad, span_of(pt, sizeof pt - 1), ikm_e, enc, sealed), ERR_NONE);
    hex_write(SPAN_OF(enc), text);
    assert_string_equal(text, "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
    hex_write(SPAN_OF(sealed), text);
    assert_string_equal(text, "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db2199"
                              "3c62ce81883d2dd1b51a28");

    assert_int_equal(hpke_open(key, NULL, enc, info, aad, SPAN_OF(sealed), &plain), ERR_NONE);
    assert_true(span_equal(secret_span(plain), span_of(pt, sizeof pt - 1)));
    secret_free(&plain);
    assert_int_equal(hpke_open(key, recipient, enc, aad, aad, SPAN_OF(sealed), &plain), ERR_CRYPTO);
    assert_int_equal(hpke_open(key, recipient, enc, info, info, SPAN_OF(sealed), &plain),
                     ERR_CRYPTO);
    assert_int_equal(hpke_open(key, recipient, recipient, info, aad, SPAN_OF(sealed), &plain),
                     ERR_CRYPTO);
    for (size_t size = 0; size < sizeof sealed; size++)
        assert_int_equal(hpke_open(key, recipient, enc, info, aad, span_of(sealed, size), &plain),
                         size < 16 ? ERR_MALFORMED : ERR_CRYPTO);
    assert_null(plain);
}

/*
 * The vector file has our suite in no base mode case, but the encapsulated key depends only on the
 * KEM: every case of X25519 must give it.
 */
static void hpke_encapsulates_as_the_vectors(void **state)
{
    static const char file[] = "hpke/rfc9180_x25519_p256.json";
    json_t *json = cases_load(file);
    json_t *c;
    size_t i;
    size_t ran = 0;

    (void)state;
    assert_int_equal(json_array_size(json), cases_expected(file));
    json_array_foreach(json, i, c)
    {
        struct buffer recipient;
        struct buffer ikm_e;
        struct buffer expected;
        uint8_t enc[X25519_SIZE];
        uint8_t tag[16];

        if (json_integer_value(json_object_get(c, "kem_id")) != 32)
            continue;
        recipient = case_bytes(c, "pkRm");
        ikm_e = case_bytes(c, "ikmE");
        expected = case_bytes(c, "enc");
        assert_int_equal(hpke_seal(recipient.data, (struct span){0}, (struct span){0},
                                   (struct span){0}, ikm_e.data, enc, tag),
                         ERR_NONE);
        assert_memory_equal(enc, expected.data, sizeof enc);
        buffer_clear(&recipient);
        buffer_clear(&ikm_e);
        buffer_clear(&expected);
        ran++;
    }
    json_decref(json);
    assert_int_equal(ran, 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ecies_seals_exactly_as_outlayer),
        cmocka_unit_test(what_is_sealed_opens),
        cmocka_unit_test(two_sealings_differ),
        cmocka_unit_test(every_flipped_bit_and_every_prefix_is_refused),
        cmocka_unit_test(another_key_version_or_context_does_not_open_hpke),
        cmocka_unit_test(sealing_refuses_values_it_cannot_bind),
        cmocka_unit_test(an_ephemeral_key_of_low_order_is_refused),
        cmocka_unit_test(keyless_formats_are_refused_with_a_way_out),
        cmocka_unit_test(what_exceeds_the_limit_is_refused_unread),
        cmocka_unit_test(no_guarded_memory_is_an_error),
        cmocka_unit_test(hpke_agrees_with_rfc_9180),
        cmocka_unit_test(hpke_encapsulates_as_the_vectors),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
