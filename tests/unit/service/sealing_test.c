/* The operation `reseal`, with a software TPM. */
#include "service/sealing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "crypto/random.h"
#include "keystore.h"
#include "unit/tee/swtpm.h"

#define ID "0193e0a4-0000-7000-8000-000000000001"

static void run_reseal(struct keystore *k, const struct principal *who, const char *pcrs,
                       struct outcome *o)
{
    const struct caller caller = {.principal = who, .request_id = SPAN_LITERAL(ID), .now_us = 1};
    const struct reseal_request r = {.pcrs = pcrs};
    enum err e = operation_run(k->service, &k->thread, OPERATION_RESEAL, &caller, &r, k->now, o);

    assert_int_equal(e, o->refusal.error);
}

static void assert_refused(const struct outcome *o, enum err e, const char *code)
{
    assert_int_equal(o->refusal.error, e);
    assert_string_equal(o->refusal.code, code);
}

static bool has(const struct outcome *o, const char *text)
{
    struct span entry = buffer_span(&o->entry);

    return memmem(entry.data, entry.size, text, strlen(text)) != NULL;
}

static bool exists(const struct keystore *k, const char *suffix)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s%s", k->root_path, suffix);
    return access(path, F_OK) == 0;
}

static enum sealing_state state_of(const struct keystore *k)
{
    struct sealing_status status;

    sealing_status_get(k->service, &status);
    return status.state;
}

static void extend_pcr7(const struct swtpm *t)
{
    ESYS_CONTEXT *esys = swtpm_connect(t);
    TPML_DIGEST_VALUES values = {.count = 1};

    values.digests[0].hashAlg = TPM2_ALG_SHA256;
    memset(&values.digests[0].digest.sha256, 0x5a, SHA256_SIZE);
    assert_int_equal(
        Esys_PCR_Extend(esys, ESYS_TR_PCR7, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &values),
        TSS2_RC_SUCCESS);
    swtpm_disconnect(&esys);
}

/* "7=HEX" of the value that extend_pcr7() gives the zero PCR. */
static void expected_pcrs(char out[2 + 2 * SHA256_SIZE + 1])
{
    uint8_t joined[2 * SHA256_SIZE] = {0};
    uint8_t value[SHA256_SIZE];

    memset(joined + SHA256_SIZE, 0x5a, SHA256_SIZE);
    sha256(SPAN_OF(joined), value);
    memcpy(out, "7=", 2);
    hex_write(SPAN_OF(value), out + 2);
}

/* The next start: the file opens on this TPM, and it is the root of this keystore. */
MUST_CHECK static enum err start_again(const struct keystore *k, const struct swtpm *t)
{
    struct tee_failure failure = {""};
    struct tee *tee = NULL;
    struct root *root = NULL;
    struct secret *plain = NULL;
    struct secret *seed = NULL;
    struct buffer sealed = {0};
    enum err e;

    assert_int_equal(
        tee_open(&(struct tee_settings){.kind = TEE_TPM2, .tpm2_tcti = t->tcti, .tpm2_pcrs = "7"},
                 &tee, &failure),
        ERR_NONE);
    assert_int_equal(file_read(k->root_path, TEE_SEALED_MAX, &sealed), ERR_NONE);
    e = tee->ops->unseal(tee, buffer_span(&sealed), &plain);
    if (e == ERR_NONE) {
        assert_int_equal(root_parse(secret_span(plain), &root), ERR_NONE);
        assert_int_equal(keyring_log_seed(root, &seed), ERR_NONE);
        assert_true(span_equal(secret_span(seed), secret_span(k->log_seed)));
    }
    secret_free(&seed);
    root_free(&root);
    secret_free(&plain);
    buffer_clear(&sealed);
    tee_close(&tee);
    return e;
}

static void commit(struct keystore *k, struct outcome *o)
{
    o->commit.result = ERR_NONE;
    operation_committed(k->service, o);
    outcome_clear(o);
}

static void a_new_seal_takes_effect_when_it_is_committed(void **state)
{
    char pcrs[2 + 2 * SHA256_SIZE + 1];
    struct swtpm t;
    struct keystore k;
    struct outcome o = {0};

    (void)state;
    if (!swtpm_have())
        skip();
    swtpm_new(&t);
    keystore_open_on_tpm(&k, t.tcti);
    run_reseal(&k, &k.administrator, "", &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_true(has(&o, "\"op\":\"reseal\",\"decision\":\"allow\""));
    assert_true(has(&o, "\"rule\":\"administration\""));
    assert_true(has(&o, "{\"pcrs\":\"present\"}"));
    assert_true(exists(&k, ".next"));
    assert_false(exists(&k, ""));
    commit(&k, &o);
    assert_false(exists(&k, ".next"));
    assert_false(exists(&k, ".previous")); /* there was none */
    assert_int_equal(state_of(&k), SEALING_READY);
    assert_int_equal(start_again(&k, &t), ERR_NONE);

    /* for the PCR of the next boot: it opens only then */
    expected_pcrs(pcrs);
    run_reseal(&k, &k.administrator, pcrs, &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_true(has(&o, "{\"pcrs\":\"given\"}"));
    assert_int_equal(start_again(&k, &t), ERR_NONE); /* the old file still */
    commit(&k, &o);
    assert_true(exists(&k, ".previous"));
    assert_int_equal(state_of(&k), SEALING_CHANGED);
    assert_int_equal(start_again(&k, &t), ERR_DENIED);
    extend_pcr7(&t);
    sealing_check(k.service);
    assert_int_equal(state_of(&k), SEALING_READY);
    assert_int_equal(start_again(&k, &t), ERR_NONE);
    keystore_close(&k);
    swtpm_remove(&t);
}

static void a_refused_seal_changes_nothing(void **state)
{
    struct swtpm t;
    struct keystore k;
    struct outcome o = {0};

    (void)state;
    if (!swtpm_have())
        skip();
    swtpm_new(&t);
    keystore_open_on_tpm(&k, t.tcti);
    const struct {
        const struct principal *who;
        const char *pcrs;
        enum err e;
        const char *code;
    } cases[] = {
        {&k.worker,        "",     ERR_DENIED,    "may_not_administer"},
        {&k.operator,      "",     ERR_DENIED,    "may_not_administer"},
        {&k.administrator, "7",    ERR_MALFORMED, "bad_pcrs"          },
        {&k.administrator, "7=00", ERR_MALFORMED, "bad_pcrs"          },
        {&k.administrator, "1=",   ERR_MALFORMED, "bad_pcrs"          },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run_reseal(&k, cases[i].who, cases[i].pcrs, &o);
        assert_refused(&o, cases[i].e, cases[i].code);
        assert_true(has(&o, "\"op\":\"reseal\",\"decision\":\"deny\""));
        outcome_clear(&o);
        o = (struct outcome){0};
    }
    swtpm_stop(&t); /* the device does not answer */
    run_reseal(&k, &k.administrator, "", &o);
    assert_refused(&o, ERR_UNAVAILABLE, "reseal_failed");
    outcome_clear(&o);
    assert_false(exists(&k, ""));
    assert_false(exists(&k, ".next"));
    keystore_close(&k);
    swtpm_remove(&t);
}

static void a_seal_without_a_state_needs_no_new_one(void **state)
{
    struct keystore k;
    struct outcome o = {0};

    (void)state;
    keystore_open(&k);
    run_reseal(&k, &k.administrator, "", &o);
    assert_refused(&o, ERR_UNSUPPORTED, "reseal_unsupported");
    assert_false(exists(&k, ".next"));
    outcome_clear(&o);
    keystore_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_seal_takes_effect_when_it_is_committed),
        cmocka_unit_test(a_refused_seal_changes_nothing),
        cmocka_unit_test(a_seal_without_a_state_needs_no_new_one),
    };

    return crypto_start() == ERR_NONE ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
