/* The keystore as a witness: which requests read the rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/random.h"
#include "service/witnessing.h"
#include "unit/service/keystore.h"

#define ORIGIN "other.example/log"

static const uint8_t log_seed[ED25519_SEED_SIZE] = {7};
static const uint8_t other_seed[ED25519_SEED_SIZE] = {8};

/* The first checkpoint of a log, from its size 0. */
static void request_make(const char *origin, const uint8_t *seed, struct buffer *out)
{
    const struct merkle_proof none = {0};
    const struct checkpoint c = {.size = 1};
    char note[CHECKPOINT_TEXT_MAX];

    assert_int_equal(checkpoint_sign(&c, origin, seed, note, sizeof note), ERR_NONE);
    assert_int_equal(witness_request_write(0, &none, span_string(note), out), ERR_NONE);
}

MUST_CHECK static enum err judged(struct witnessing *w, const char *origin, const uint8_t *seed,
                                  uint16_t *status)
{
    struct witnessing_answer a = {0};
    struct buffer body = {0};
    enum err e;

    request_make(origin, seed, &body);
    e = witnessing_judge(w, buffer_span(&body), &a);
    *status = a.status;
    buffer_clear(&body);
    return e;
}

/* Puts a row whose form is unknown, so that a read of the rows fails. */
static void row_spoil(const struct keystore *k)
{
    const struct effect put = {.kind = EFFECT_PUT,
                               .table = TABLE_WITNESS,
                               .id = SPAN_LITERAL(ORIGIN),
                               .value = SPAN_LITERAL("x")};
    const struct transaction t = {
        .time = k->now, .effects = &put, .count = 1, .entry = SPAN_LITERAL("{}")};
    const struct transaction *list = &t;
    struct transaction_result result = {0};

    assert_int_equal(store_run(k->store, &list, 1, &result), ERR_NONE);
}

static void only_a_signed_request_reads_the_rows(void **state)
{
    const struct writer_request failed = {.result = ERR_IO};
    struct witnessing_log log = {.origin = ORIGIN};
    struct witnessing_answer a = {0};
    struct witnessing *w;
    struct keystore k;
    uint16_t status = 0;

    (void)state;
    keystore_open(&k);
    ed25519_public(log_seed, log.public_key);
    assert_int_equal(service_witness_start(k.service, "test.example/w", &log, 1), ERR_NONE);
    w = service_witnessing(k.service);
    assert_int_equal(judged(w, ORIGIN, log_seed, &status), ERR_NONE);
    assert_int_equal(status, 200);
    row_spoil(&k);
    witnessing_committed(w, &a, &failed); /* the rows must be read again */
    a = (struct witnessing_answer){0};
    assert_int_equal(witnessing_judge(w, SPAN_LITERAL("old"), &a), ERR_NONE);
    assert_int_equal(a.status, 400);
    assert_int_equal(judged(w, "unknown.example/log", log_seed, &status), ERR_NONE);
    assert_int_equal(status, 404);
    assert_int_equal(judged(w, ORIGIN, other_seed, &status), ERR_NONE);
    assert_int_equal(status, 403);
    assert_int_equal(judged(w, ORIGIN, log_seed, &status), ERR_UNSUPPORTED);
    keystore_close(&k);
}

static int prepare(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_signed_request_reads_the_rows),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
