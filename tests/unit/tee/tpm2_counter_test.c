/* The counter of a real TPM 2.0 (swtpm). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "crypto/random.h"
#include "tee/tpm2_counter.h"
#include "unit/tee/swtpm.h"

#define INDEX TPM2_COUNTER_INDEX_DEFAULT

static const uint8_t auth[TPM2_COUNTER_AUTH_SIZE] = {1, 2, 3};
static const uint8_t other_auth[TPM2_COUNTER_AUTH_SIZE] = {1, 2, 4};

static void need_swtpm(void)
{
    if (!swtpm_have())
        skip();
}

static struct tpm2_counter counter_of(const struct swtpm *t)
{
    return (struct tpm2_counter){t->tcti, INDEX, auth};
}

MUST_CHECK static enum err read_as(const struct tpm2_counter *c, uint64_t *value, const char *says)
{
    struct tee_failure failure = {""};
    enum err e = tpm2_counter_read(c, value, &failure);

    if (!strstr(failure.text, says))
        fail_msg("\"%s\" does not say \"%s\"", failure.text, says);
    return e;
}

static uint64_t created(const struct tpm2_counter *c)
{
    struct tee_failure failure = {""};
    uint64_t value = 0;
    enum err e = tpm2_counter_create(c, &value, &failure);

    if (e != ERR_NONE)
        fail_msg("%s", failure.text);
    return value;
}

static void undefine(const struct swtpm *t)
{
    ESYS_CONTEXT *esys = swtpm_connect(t);
    ESYS_TR nv;

    assert_int_equal(
        Esys_TR_FromTPMPublic(esys, INDEX, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &nv),
        TSS2_RC_SUCCESS);
    assert_int_equal(Esys_NV_UndefineSpace(esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD,
                                           ESYS_TR_NONE, ESYS_TR_NONE),
                     TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
}

/* A new TPM with our counter in it; the counter's value. */
static uint64_t tpm_with_counter(struct swtpm *t, struct tpm2_counter *c)
{
    need_swtpm();
    swtpm_new(t);
    *c = counter_of(t);
    return created(c);
}

static void it_counts_up_and_survives_a_restart(void **state)
{
    struct tee_failure failure = {""};
    struct swtpm t;
    struct tpm2_counter c;
    uint64_t first, value = 0;

    (void)state;
    first = tpm_with_counter(&t, &c);
    assert_int_equal(read_as(&c, &value, ""), ERR_NONE);
    assert_int_equal(value, first);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(tpm2_counter_move(&c, first + i, &value, &failure), ERR_NONE);
        assert_int_equal(value, first + i);
        assert_int_equal(tpm2_counter_move(&c, first + i, &value, &failure), ERR_NONE); /* again */
    }
    swtpm_stop(&t);
    swtpm_start(&t, true);
    c.tcti = t.tcti;
    assert_int_equal(read_as(&c, &value, ""), ERR_NONE);
    assert_int_equal(value, first + 5);
    swtpm_remove(&t);
}

static void it_moves_by_one_only(void **state)
{
    struct tee_failure failure = {""};
    struct swtpm t;
    struct tpm2_counter c;
    uint64_t first, value = 0;

    (void)state;
    first = tpm_with_counter(&t, &c);
    assert_int_equal(tpm2_counter_move(&c, first + 2, &value, &failure), ERR_CONFLICT);
    assert_int_equal(tpm2_counter_move(&c, first - 1, &value, &failure), ERR_CONFLICT);
    assert_int_equal(value, first);
    assert_int_equal(read_as(&c, &value, ""), ERR_NONE);
    assert_int_equal(value, first);
    swtpm_remove(&t);
}

static void a_counter_that_is_made_again_is_higher(void **state)
{
    struct tee_failure failure = {""};
    struct swtpm t;
    struct tpm2_counter c;
    uint64_t first, value = 0;

    (void)state;
    first = tpm_with_counter(&t, &c);
    assert_int_equal(tpm2_counter_move(&c, first + 1, &value, &failure), ERR_NONE);
    undefine(&t);
    assert_int_equal(read_as(&c, &value, "nothing at index"), ERR_NOT_FOUND);
    assert_true(created(&c) > first + 1);
    swtpm_remove(&t);
}

/* An index of 8 bytes with the authorization value `auth`, never written. */
static void define(const struct swtpm *t, TPMA_NV type)
{
    const TPM2B_NV_PUBLIC public = {
        .nvPublic = {.nvIndex = INDEX,
                     .nameAlg = TPM2_ALG_SHA256,
                     .attributes = TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_NO_DA | type,
                     .dataSize = 8}
    };
    TPM2B_AUTH value = {.size = sizeof auth};
    ESYS_CONTEXT *esys = swtpm_connect(t);
    ESYS_TR nv;

    memcpy(value.buffer, auth, sizeof auth);
    assert_int_equal(Esys_NV_DefineSpace(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                         ESYS_TR_NONE, &value, &public, &nv),
                     TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
}

static void an_interrupted_creation_is_completed(void **state)
{
    struct tee_failure failure = {""};
    struct swtpm t;
    struct tpm2_counter c, other;
    uint64_t first, value = 0;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    c = counter_of(&t);
    other = c;
    other.auth = other_auth;
    define(&t, (TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT);
    assert_int_equal(read_as(&c, &value, "creation was interrupted"), ERR_NOT_FOUND);
    assert_int_equal(tpm2_counter_move(&c, 1, &value, &failure), ERR_NOT_FOUND);
    assert_int_equal(tpm2_counter_create(&other, &value, &failure), ERR_TAMPERED);
    assert_non_null(strstr(failure.text, "another authorization value"));
    first = created(&c);
    assert_int_equal(read_as(&c, &value, ""), ERR_NONE);
    assert_int_equal(value, first);
    assert_int_equal(tpm2_counter_create(&c, &value, &failure), ERR_CONFLICT); /* it is complete */
    assert_int_equal(tpm2_counter_move(&c, first + 1, &value, &failure), ERR_NONE);
    swtpm_remove(&t);
}

static void what_is_not_ours_is_refused(void **state)
{
    struct tee_failure failure = {""};
    struct swtpm t;
    struct tpm2_counter c, other;
    uint64_t value = 42;

    (void)state;
    need_swtpm();
    swtpm_new(&t);
    c = counter_of(&t);
    other = c;
    other.auth = other_auth;
    assert_int_equal(read_as(&c, &value, "nothing at index"), ERR_NOT_FOUND);
    (void)created(&other);
    assert_int_equal(tpm2_counter_create(&c, &value, &failure), ERR_CONFLICT);
    for (int i = 0; i < 40; i++) /* wrong guesses cause no lockout */
        assert_int_equal(read_as(&c, &value, "another authorization value"), ERR_TAMPERED);
    assert_int_equal(tpm2_counter_move(&c, 1, &value, &failure), ERR_TAMPERED);
    assert_int_equal(value, 42);
    assert_int_equal(read_as(&other, &value, ""), ERR_NONE);
    undefine(&t);
    define(&t, 0);
    assert_int_equal(read_as(&c, &value, "not the counter"), ERR_TAMPERED);
    assert_int_equal(tpm2_counter_create(&c, &value, &failure), ERR_CONFLICT);
    swtpm_stop(&t);
    assert_int_equal(read_as(&c, &value, "no TPM answers"), ERR_UNAVAILABLE);
    swtpm_remove(&t);
}

static int prepare(void **state)
{
    (void)state;
    return crypto_start() == ERR_NONE ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_up_and_survives_a_restart),
        cmocka_unit_test(it_moves_by_one_only),
        cmocka_unit_test(a_counter_that_is_made_again_is_higher),
        cmocka_unit_test(an_interrupted_creation_is_completed),
        cmocka_unit_test(what_is_not_ours_is_refused),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
