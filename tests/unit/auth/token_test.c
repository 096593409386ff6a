#include "auth/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/random.h"

/* Token and hash: NEAR OutLayer's documentation of the keystore worker. */
#define TOKEN "my-secure-token-123"
#define TOKEN_HASH "dc45a475737b6a2646743fcc1f110ac782120e4e501b7780d8896ffca659bb17"
#define OTHER "test-token"
#define OTHER_HASH "4c5dc9b7708905f77f5e5d16316b5dfb425e68cb326dcd55a860e90a7707031e"

static struct token_entry entries[3] = {
    {.name = "first",           .role = ROLE_AUDITOR },
    {.name = "worker:dc45a475", .role = ROLE_WORKER  },
    {.name = "last",            .role = ROLE_OPERATOR}
};
static const struct token_table table = {entries, COUNT_OF(entries)};

static int start(void **state)
{
    (void)state;
    memset(entries[0].hash, 0x11, SHA256_SIZE);
    return crypto_start() != ERR_NONE ||
           hex_read(span_string(TOKEN_HASH), entries[1].hash, SHA256_SIZE) != ERR_NONE ||
           hex_read(span_string(OTHER_HASH), entries[2].hash, SHA256_SIZE) != ERR_NONE;
}

static void accepts_known_tokens(void **state)
{
    const struct token_entry *out = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(token_check(&table, span_string("Bearer " TOKEN), false, &out, &why),
                     ERR_NONE);
    assert_ptr_equal(out, &entries[1]);
    assert_int_equal(token_check(&table, span_string("Bearer " OTHER), false, &out, &why),
                     ERR_NONE);
    assert_ptr_equal(out, &entries[2]);
}

static void refuses_everything_else(void **state)
{
    static const char missing[] = "Missing Authorization header";
    static const char format[] = "Invalid Authorization format";
    static const char token[] = "Invalid token";
    static const struct {
        const char *header; /* NULL: none */
        const char *why;
    } cases[] = {
        {NULL,                          missing},
        {"",                            format },
        {"Bearer",                      format },
        {"bearer " TOKEN,               format },
        {"BEARER " TOKEN,               format },
        {" Bearer " TOKEN,              format },
        {"Bearer\t" TOKEN,              format },
        {"Basic " TOKEN,                format },
        {TOKEN,                         format },
        {"Bearer ",                     token  },
        {"Bearer  " TOKEN,              token  },
        {"Bearer " TOKEN " ",           token  },
        {"Bearer my-secure-token-12",   token  },
        {"Bearer my-secure-token-1234", token  },
        {"Bearer My-secure-token-123",  token  },
        {"Bearer " TOKEN_HASH,          token  },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct token_entry *out = NULL;
        const char *why = NULL;

        assert_int_equal(
            token_check(&table, span_string(cases[i].header), !cases[i].header, &out, &why),
            ERR_UNAUTHENTICATED);
        assert_string_equal(why, cases[i].why);
        assert_null(out);
    }
}

static void refuses_what_is_too_long(void **state)
{
    char header[7 + TOKEN_MAX_SIZE + 2];
    struct token_entry entry = {.name = "long", .role = ROLE_WORKER};
    struct token_table one = {&entry, 1};
    const struct token_entry *out = NULL;
    const char *why = NULL;

    (void)state;
    memset(header, 'a', sizeof header);
    memcpy(header, "Bearer ", 7);
    sha256(span_of(header + 7, TOKEN_MAX_SIZE), entry.hash);
    assert_int_equal(token_check(&one, span_of(header, 7 + TOKEN_MAX_SIZE), false, &out, &why),
                     ERR_NONE);
    sha256(span_of(header + 7, TOKEN_MAX_SIZE + 1), entry.hash);
    assert_int_equal(token_check(&one, span_of(header, 7 + TOKEN_MAX_SIZE + 1), false, &out, &why),
                     ERR_UNAUTHENTICATED);
}

static void every_flipped_bit_of_a_hash_is_another_token(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * (size_t)SHA256_SIZE; bit++) {
        struct token_entry entry = entries[1];
        struct token_table one = {&entry, 1};
        const struct token_entry *out = NULL;
        const char *why = NULL;

        entry.hash[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(token_check(&one, span_string("Bearer " TOKEN), false, &out, &why),
                         ERR_UNAUTHENTICATED);
    }
}

static void an_empty_table_refuses_all(void **state)
{
    const struct token_table none = {NULL, 0};
    const struct token_entry *out = NULL;
    const char *why = NULL;

    (void)state;
    assert_int_equal(token_check(&none, span_string("Bearer " TOKEN), false, &out, &why),
                     ERR_UNAUTHENTICATED);
    assert_string_equal(why, "Invalid token");
}

/*
 * All entries are compared whichever matches: when two have the same hash the later one is found,
 * which a search that stops at the first could not do.
 */
static void the_whole_table_is_compared(void **state)
{
    struct token_entry twins[5];
    struct token_table five = {twins, COUNT_OF(twins)};
    const struct token_entry *out = NULL;
    const char *why = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(twins); i++)
        twins[i] = entries[1];
    assert_int_equal(token_check(&five, span_string("Bearer " TOKEN), false, &out, &why), ERR_NONE);
    assert_ptr_equal(out, &twins[4]);
}

static void roles_have_names(void **state)
{
    (void)state;
    assert_string_equal(role_name(ROLE_WORKER), "worker");
    assert_string_equal(role_name(ROLE_OPERATOR), "operator");
    assert_string_equal(role_name(ROLE_AUDITOR), "auditor");
    assert_string_equal(role_name(ROLE_NONE), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_known_tokens),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(refuses_what_is_too_long),
        cmocka_unit_test(every_flipped_bit_of_a_hash_is_another_token),
        cmocka_unit_test(an_empty_table_refuses_all),
        cmocka_unit_test(the_whole_table_is_compared),
        cmocka_unit_test(roles_have_names),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
