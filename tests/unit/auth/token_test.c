#include "auth/token.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "crypto/hash.h"
#include "crypto/random.h"

/* Token and hash: NEAR OutLayer's documentation of the keystore worker. */
#define TOKEN "my-secure-token-123"
#define TOKEN_HASH "dc45a475737b6a2646743fcc1f110ac782120e4e501b7780d8896ffca659bb17"
#define OTHER "test-token"
#define OTHER_HASH "4c5dc9b7708905f77f5e5d16316b5dfb425e68cb326dcd55a860e90a7707031e"

static struct principal principals[3] = {
    {.kind = PRINCIPAL_TOKEN, .name = "first",           .roles = ROLE_AUDITOR },
    {.kind = PRINCIPAL_TOKEN, .name = "worker:dc45a475", .roles = ROLE_WORKER  },
    {.kind = PRINCIPAL_TOKEN, .name = "last",            .roles = ROLE_OPERATOR}
};
static struct token_table *table;

static int start(void **state)
{
    (void)state;
    memset(principals[0].id, 0x11, PRINCIPAL_ID_SIZE);
    return crypto_start() != ERR_NONE ||
           hex_read(span_string(TOKEN_HASH), principals[1].id, PRINCIPAL_ID_SIZE) != ERR_NONE ||
           hex_read(span_string(OTHER_HASH), principals[2].id, PRINCIPAL_ID_SIZE) != ERR_NONE ||
           token_table_new(principals, COUNT_OF(principals), &table) != ERR_NONE;
}

static int finish(void **state)
{
    (void)state;
    token_table_free(&table);
    return 0;
}

/* The result of a table with these tokens for a header. */
MUST_CHECK static enum err check_in(const struct principal *of, size_t count, struct span header,
                                    struct principal *out)
{
    struct token_table *t = NULL;
    const char *why = NULL;
    enum err e;

    assert_int_equal(token_table_new(of, count, &t), ERR_NONE);
    e = token_check(t, header, false, out, &why);
    if (e != ERR_NONE)
        assert_string_equal(why, "Invalid token");
    token_table_free(&t);
    return e;
}

static void accepts_known_tokens(void **state)
{
    static const char *const spellings[] = {"bearer " TOKEN, "BEARER " TOKEN, "bEaReR " TOKEN};
    struct principal out = {0};
    const char *why = NULL;

    (void)state;
    assert_int_equal(token_check(table, span_string("Bearer " TOKEN), false, &out, &why), ERR_NONE);
    assert_memory_equal(&out, &principals[1], sizeof out);
    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        assert_int_equal(token_check(table, span_string(spellings[i]), false, &out, &why),
                         ERR_NONE);
        assert_memory_equal(&out, &principals[1], sizeof out);
    }
    assert_int_equal(token_check(table, span_string("Bearer " OTHER), false, &out, &why), ERR_NONE);
    assert_memory_equal(&out, &principals[2], sizeof out);
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
        {"Bearer:" TOKEN,               format },
        {"Bearer\0" TOKEN,              format },
        {"Bearers " TOKEN,              format },
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
        struct principal out = {0};
        const char *why = NULL;

        assert_int_equal(
            token_check(table, span_string(cases[i].header), !cases[i].header, &out, &why),
            ERR_UNAUTHENTICATED);
        assert_string_equal(why, cases[i].why);
        assert_int_equal(out.kind, PRINCIPAL_NONE);
    }
}

static void refuses_too_long_input(void **state)
{
    char header[7 + TOKEN_MAX_SIZE + 2];
    struct principal one = {.kind = PRINCIPAL_TOKEN, .name = "long", .roles = ROLE_WORKER};
    struct principal out;

    (void)state;
    memset(header, 'a', sizeof header);
    memcpy(header, "Bearer ", 7);
    sha256(span_of(header + 7, TOKEN_MAX_SIZE), one.id);
    assert_int_equal(check_in(&one, 1, span_of(header, 7 + TOKEN_MAX_SIZE), &out), ERR_NONE);
    sha256(span_of(header + 7, TOKEN_MAX_SIZE + 1), one.id);
    assert_int_equal(check_in(&one, 1, span_of(header, 7 + TOKEN_MAX_SIZE + 1), &out),
                     ERR_UNAUTHENTICATED);
}

static void every_flipped_bit_of_a_hash_is_another_token(void **state)
{
    (void)state;
    for (size_t bit = 0; bit < 8 * (size_t)PRINCIPAL_ID_SIZE; bit++) {
        struct principal one = principals[1];
        struct principal out;

        one.id[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(check_in(&one, 1, span_string("Bearer " TOKEN), &out),
                         ERR_UNAUTHENTICATED);
    }
}

static void an_empty_table_refuses_all(void **state)
{
    struct principal out;

    (void)state;
    assert_int_equal(check_in(NULL, 0, span_string("Bearer " TOKEN), &out), ERR_UNAUTHENTICATED);
}

/* Settings with the same hash twice are refused. A table of such tokens has only the later one. */
static void the_last_of_equal_tokens_counts(void **state)
{
    struct principal twins[5];
    struct principal out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(twins); i++) {
        twins[i] = principals[1];
        twins[i].name[0] = (char)('0' + i);
    }
    assert_int_equal(check_in(twins, COUNT_OF(twins), span_string("Bearer " TOKEN), &out),
                     ERR_NONE);
    assert_int_equal(out.name[0], '4');
}

static void tokens_whose_hashes_begin_alike_are_told_apart(void **state)
{
    struct principal alike[40];
    struct principal out;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(alike); i++) {
        alike[i] = principals[1];
        alike[i].name[0] = (char)('0' + i);
        alike[i].id[31] = (uint8_t)(alike[i].id[31] ^ (i + 1));
    }
    assert_int_equal(check_in(alike, COUNT_OF(alike), span_string("Bearer " TOKEN), &out),
                     ERR_UNAUTHENTICATED);
    for (size_t i = 0; i < COUNT_OF(alike); i++) {
        struct principal other = alike[i];

        alike[i].id[31] = principals[1].id[31];
        assert_int_equal(check_in(alike, COUNT_OF(alike), span_string("Bearer " TOKEN), &out),
                         ERR_NONE);
        assert_int_equal(out.name[0], '0' + i);
        alike[i] = other;
    }
}

static void a_table_has_a_bound(void **state)
{
    struct principal *many = calloc(TOKENS_MAX + 1, sizeof *many);
    struct token_table *t = NULL;

    (void)state;
    assert_non_null(many);
    for (size_t i = 0; i <= TOKENS_MAX; i++)
        many[i].kind = PRINCIPAL_TOKEN;
    assert_int_equal(token_table_new(many, TOKENS_MAX + 1, &t), ERR_TOO_LARGE);
    assert_null(t);
    assert_int_equal(token_table_new(many, TOKENS_MAX, &t), ERR_NONE);
    assert_int_equal(token_table_count(t), TOKENS_MAX);
    token_table_free(&t);
    assert_null(t);
    free(many);
}

struct asking {
    struct token_store *store;
    _Atomic bool stop;
    unsigned odd;
};

/* Both tables have the first token; the table in use decides its principal. */
static void *ask_all_the_time(void *argument)
{
    struct asking *a = argument;
    struct principal out;
    const char *why;

    while (!a->stop)
        a->odd += token_store_check(a->store, span_string("Bearer " TOKEN), false, &out, &why) !=
                      ERR_NONE ||
                  strcmp(out.name, "worker:dc45a475") != 0;
    return NULL;
}

static void a_table_is_replaced_while_requests_run(void **state)
{
    struct token_table *t = NULL;
    struct asking a = {.store = NULL};
    struct principal out;
    const char *why;
    pthread_t thread;

    (void)state;
    assert_int_equal(token_table_new(principals, 3, &t), ERR_NONE);
    assert_int_equal(token_store_new(&t, &a.store), ERR_NONE);
    assert_null(t);
    assert_int_equal(token_store_count(a.store), 3);
    assert_int_equal(token_store_check(a.store, span_string("Bearer " OTHER), false, &out, &why),
                     ERR_NONE);
    assert_int_equal(pthread_create(&thread, NULL, ask_all_the_time, &a), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(token_table_new(principals, 2 + (size_t)(i % 2), &t), ERR_NONE);
        token_store_replace(a.store, &t);
        assert_null(t);
    }
    assert_int_equal(token_table_new(principals, 2, &t), ERR_NONE);
    token_store_replace(a.store, &t);
    a.stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(a.odd, 0);
    assert_int_equal(token_store_count(a.store), 2);
    assert_int_equal(token_store_check(a.store, span_string("Bearer " OTHER), false, &out, &why),
                     ERR_UNAUTHENTICATED);
    token_store_free(&a.store);
    assert_null(a.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_known_tokens),
        cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(refuses_too_long_input),
        cmocka_unit_test(every_flipped_bit_of_a_hash_is_another_token),
        cmocka_unit_test(an_empty_table_refuses_all),
        cmocka_unit_test(the_last_of_equal_tokens_counts),
        cmocka_unit_test(tokens_whose_hashes_begin_alike_are_told_apart),
        cmocka_unit_test(a_table_has_a_bound),
        cmocka_unit_test(a_table_is_replaced_while_requests_run),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
