/*
 * Every operation, on a service with a simulated platform: its result, every refusal, the log
 * entry; and no failing allocation leaves a partial effect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/envelope.h"
#include "crypto/random.h"
#include "keystore.h"
#include "service/decrypt.h"
#include "service/explain.h"
#include "support/failing.h"

#define SEED "app:alice.near"
#define ID "0193e0a4-0000-7000-8000-000000000001"

static const uint8_t private_key[X25519_SIZE] = {7, 7, 7};

/* ---- a keystore, and what requests are made of */

static struct keystore k;
static uint8_t public_key[X25519_SIZE];
static char session[SESSION_TOKEN_MAX + 1], plain_session[SESSION_TOKEN_MAX + 1];
static uint8_t envelope[256];
static size_t envelope_size;

static struct caller caller_of(const struct principal *who)
{
    return (struct caller){.principal = who, .request_id = SPAN_LITERAL(ID), .now_us = 1};
}

static int open_keystore(void **state)
{
    uint8_t recipient[X25519_SIZE];

    (void)state;
    if (crypto_start() != ERR_NONE)
        return -1;
    keystore_open(&k);
    x25519_public(private_key, public_key);
    service_public_key(k.service, NULL, SPAN_LITERAL(SEED), recipient);
    assert_int_equal(
        envelope_seal(ENVELOPE_ECIES, recipient, NULL, SPAN_LITERAL("secret"), NULL, envelope),
        ERR_NONE);
    envelope_size = sizeof "secret" - 1 + ENVELOPE_ECIES_OVERHEAD;
    keystore_attest(&k, &k.worker, public_key, session);
    keystore_attest(&k, &k.plain, public_key, plain_session);
    return 0;
}

static int close_keystore(void **state)
{
    (void)state;
    keystore_close(&k);
    return 0;
}

static bool has(const struct outcome *o, const char *text)
{
    struct span entry = buffer_span(&o->entry);

    return memmem(entry.data, entry.size, text, strlen(text)) != NULL;
}

static void assert_refused(const struct outcome *o, enum err e, const char *code)
{
    char text[96];

    assert_string_equal(o->refusal.code, code);
    assert_int_equal(o->refusal.error, e);
    assert_int_equal(o->result.kind, RESULT_NONE); /* nothing is left to reveal */
    (void)snprintf(text, sizeof text, "\"decision\":\"deny\",\"code\":\"%s\"", code);
    assert_true(has(o, text));
    assert_true(has(o, "\"request_id\":\"" ID "\""));
}

static void assert_counted(enum operation_id id, bool allowed, uint64_t before)
{
    assert_int_equal(operation_count(k.service, id, allowed), before + 1);
}

/* ---- open */

static struct decrypt_request by_session(const char *token)
{
    return (struct decrypt_request){.envelope = span_of(envelope, envelope_size),
                                    .seed = SPAN_LITERAL(SEED),
                                    .session = span_string(token),
                                    .body = SPAN_LITERAL("{}")};
}

static void run_open(const struct principal *who, const struct decrypt_request *r,
                     struct timestamp now, struct outcome *o)
{
    const struct caller caller = caller_of(who);
    enum err e = operation_run(k.service, &k.thread, OPERATION_OPEN, &caller, r, now, o);

    assert_int_equal(e, o->refusal.error);
}

static void test_open_seals_for_the_session(void **state)
{
    const struct decrypt_request r = by_session(session);
    uint64_t before = operation_count(k.service, OPERATION_OPEN, true);
    struct outcome o = {0};

    (void)state;
    run_open(&k.worker, &r, k.now, &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_int_equal(o.result.kind, RESULT_OPENED);
    assert_int_equal(o.result.opened.form, OPENED_FOR_SESSION);
    assert_null(o.result.opened.plain);
    assert_int_equal(o.result.opened.opening_size, AEAD_XNONCE_SIZE);
    assert_int_equal(o.result.opened.sealed.size, sizeof "secret" - 1 + AEAD_TAG_SIZE);
    assert_true(has(&o, "\"op\":\"open\",\"decision\":\"allow\",\"code\":\"ok\",\"rule\":"
                        "\"worker\",\"key\":\"" SEED "\""));
    assert_true(has(&o, "\"principal\":\"worker\",\"auth\":\"session\",\"tee\":\"simulated\""));
    assert_false(has(&o, "secret"));
    assert_counted(OPERATION_OPEN, true, before);
    outcome_clear(&o);
    assert_int_equal(o.result.kind, RESULT_NONE);
}

/* Only a released secret can have the receipt of its entry. */
static void test_open_hands_on_the_wish_for_a_receipt(void **state)
{
    static const struct {
        bool wants, is_allowed, gets;
    } cases[] = {
        {false, true,  false},
        {true,  true,  true },
        {true,  false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decrypt_request r = by_session(session);
        struct outcome o = {0};

        r.wants_receipt = cases[i].wants;
        run_open(cases[i].is_allowed ? &k.worker : &k.other, &r, k.now, &o);
        assert_int_equal(o.refusal.error == ERR_NONE, cases[i].is_allowed);
        assert_int_equal(o.wants_receipt, cases[i].gets);
        outcome_clear(&o);
    }
}

/* The entry names the tenant of the caller, unless it is the default one. */
static void test_entries_name_the_tenant(void **state)
{
    struct principal of_tenant = k.worker;
    const struct decrypt_request r = by_session(session);
    struct outcome o = {0};

    (void)state;
    run_open(&k.worker, &r, k.now, &o);
    assert_true(has(&o, "{\"v\":1,"));
    assert_false(has(&o, "tenant"));
    outcome_clear(&o);
    o = (struct outcome){0};
    (void)snprintf(of_tenant.tenant, sizeof of_tenant.tenant, "acme");
    run_open(&of_tenant, &r, k.now, &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_true(has(&o, "{\"v\":2,"));
    assert_true(has(&o, "\"tenant\":\"acme\",\"principal\":\"worker\""));
    outcome_clear(&o);
}

static void test_open_is_plain_only_where_the_policy_allows(void **state)
{
    struct decrypt_request r = by_session(plain_session);
    struct outcome o = {0};

    (void)state;
    run_open(&k.plain, &r, k.now, &o);
    assert_int_equal(o.result.opened.form, OPENED_PLAIN);
    assert_memory_equal(secret_data(o.result.opened.plain), "secret", 6);
    outcome_clear(&o);

    o = (struct outcome){0};
    r.seal = true;
    run_open(&k.plain, &r, k.now, &o);
    assert_int_equal(o.result.opened.form, OPENED_FOR_SESSION);
    outcome_clear(&o);
}

/* Inline evidence over `timestamp`, for this key and no task. */
static struct decrypt_request by_evidence(int64_t timestamp, struct buffer *quote)
{
    struct decrypt_request r = by_session("");
    uint8_t report_data[REPORT_DATA_SIZE];
    uint8_t time[8];
    struct writer w = writer_over(time, sizeof time);

    writer_u64be(&w, (uint64_t)timestamp);
    report_data_bind(REPORT_DOMAIN_DECRYPT, SPAN_OF(time), SPAN_OF(public_key), (struct span){0},
                     report_data);
    keystore_quote(&k, &keystore_enclave, report_data, quote);
    r.has_evidence = r.has_worker_key = true;
    r.timestamp = timestamp;
    memcpy(r.worker_key, public_key, sizeof r.worker_key);
    r.evidence =
        (struct evidence){.tee_type = SPAN_LITERAL("simulated"), .quote = buffer_span(quote)};
    return r;
}

static void test_open_seals_to_the_key_of_inline_evidence_once(void **state)
{
    struct buffer quote = {0};
    const struct decrypt_request r = by_evidence(KEYSTORE_NOW_S, &quote);
    const struct opened *opened;
    struct secret *plain = NULL;
    struct outcome o = {0};

    (void)state;
    run_open(&k.worker, &r, k.now, &o);
    opened = &o.result.opened;
    assert_int_equal(opened->form, OPENED_FOR_KEY);
    assert_int_equal(hpke_open(private_key, NULL, opened->opening,
                               SPAN_LITERAL("vouchsafe-reply-v1\0" ID), (struct span){0},
                               buffer_span(&opened->sealed), &plain),
                     ERR_NONE);
    assert_memory_equal(secret_data(plain), "secret", 6);
    secret_free(&plain);
    outcome_clear(&o);

    o = (struct outcome){0};
    run_open(&k.worker, &r, k.now, &o);
    assert_refused(&o, ERR_UNAUTHENTICATED, "evidence_replayed");
    outcome_clear(&o);
    buffer_clear(&quote);
}

struct change {
    const char *name;
    const struct principal *who; /* NULL: the worker */
    int64_t later_s;
    const char *code;
    enum err error;
};

static void change_session(struct decrypt_request *r, size_t i)
{
    static uint8_t old[64] = {0x77};
    static char forged[SESSION_TOKEN_MAX + 1];

    memcpy(forged, session, sizeof forged);
    forged[strlen(forged) - 2] = forged[strlen(forged) - 2] == 'A' ? 'B' : 'A';
    switch (i) {
    case 0:
        r->session = (struct span){0};
        break;
    case 1:
        r->session = span_string(forged);
        break;
    case 2:
        r->session = SPAN_LITERAL("a.b.c");
        break;
    case 5:
        r->seed = SPAN_LITERAL("other:alice.near");
        break;
    case 6:
        r->seed = (struct span){0}; /* the global key */
        break;
    case 7:
        r->seed = SPAN_LITERAL("app:bob.near");
        break;
    case 8:
        r->envelope = SPAN_OF(old);
        break;
    case 9:
        r->envelope = span_of(envelope, 20);
        break;
    case 10:
        r->envelope = (struct span){0};
        break;
    default:
        break;
    }
}

static void test_open_refuses(void **state)
{
    const struct change cases[] = {
        {"no session, no evidence",   NULL,     0,    "attestation_required",   ERR_UNAUTHENTICATED},
        {"a forged signature",        NULL,     0,    "session_invalid",        ERR_DENIED         },
        {"no token at all",           NULL,     0,    "session_invalid",        ERR_DENIED         },
        {"another token's session",   &k.other, 0,    "session_token_mismatch", ERR_DENIED         },
        {"an expired session",        NULL,     601,  "session_expired",        ERR_EXPIRED        },
        {"a key outside the policy",  NULL,     0,    "seed_not_allowed",       ERR_DENIED         },
        {"the global key",            NULL,     0,    "seed_not_allowed",       ERR_DENIED         },
        {"an envelope to another",    NULL,     0,    "envelope_not_authentic", ERR_CRYPTO         },
        {"a format without a key",    NULL,     0,    "legacy_envelope",        ERR_UNSUPPORTED    },
        {"an envelope cut off",       NULL,     0,    "envelope_malformed",     ERR_MALFORMED      },
        {"no envelope",               NULL,     0,    "envelope_malformed",     ERR_MALFORMED      },
        {"a session from the future", NULL,     -100, "session_not_yet_valid",  ERR_DENIED         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decrypt_request r = by_session(session);
        uint64_t before = operation_count(k.service, OPERATION_OPEN, false);
        struct outcome o = {0};

        change_session(&r, i);
        run_open(cases[i].who ? cases[i].who : &k.worker, &r,
                 timestamp_of_seconds(KEYSTORE_NOW_S + cases[i].later_s), &o);
        assert_refused(&o, cases[i].error, cases[i].code);
        assert_counted(OPERATION_OPEN, false, before);
        outcome_clear(&o);
    }
}

static void test_open_refuses_inline_evidence(void **state)
{
    struct buffer quote = {0};
    struct decrypt_request good = by_evidence(KEYSTORE_NOW_S - 10, &quote);
    const struct {
        int64_t later_s;
        unsigned change; /* a bit each */
        const char *code;
        int64_t limit_s;
    } cases[] = {
        {0,   1,  "evidence_unbound",     0  },
        {300, 0,  "evidence_stale",       300},
        {-50, 0,  "evidence_from_future", 30 },
        {0,   2,  "report_data_mismatch", 0  }, /* another key */
        {0,   4,  "report_data_mismatch", 0  }, /* another time */
        {0,   8,  "tee_type_mismatch",    0  },
        {0,   16, "malformed",            0  },
        {0,   32, "report_data_mismatch", 0  }, /* a task that is not bound */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decrypt_request r = good;
        struct outcome o = {0};

        r.has_worker_key = !(cases[i].change & 1);
        r.worker_key[0] ^= cases[i].change & 2 ? 1 : 0;
        r.timestamp += cases[i].change & 4 ? 1 : 0;
        if (cases[i].change & 8)
            r.evidence.tee_type = SPAN_LITERAL("sgx");
        if (cases[i].change & 16)
            r.evidence.quote.size = 21;
        if (cases[i].change & 32)
            r.task_id = SPAN_LITERAL("task");
        run_open(&k.worker, &r, timestamp_of_seconds(KEYSTORE_NOW_S + cases[i].later_s), &o);
        assert_refused(&o, ERR_UNAUTHENTICATED, cases[i].code);
        assert_int_equal(o.refusal.limit_s, cases[i].limit_s);
        if (cases[i].change & 16)
            assert_string_equal(o.refusal.presented, "bytes 21");
        outcome_clear(&o);
    }
    buffer_clear(&quote);
}

/* ---- attest */

struct attempt {
    struct attest_request request;
    struct buffer quote;
};

static void attempt_make(const struct principal *who, const struct simulated_enclave *enclave,
                         struct attempt *a)
{
    const struct caller caller = caller_of(who);
    uint8_t report_data[REPORT_DATA_SIZE];

    *a = (struct attempt){.request = {.evidence = {.tee_type = SPAN_LITERAL("simulated")}}};
    assert_int_equal(service_challenge(k.service, &caller, a->request.nonce), ERR_NONE);
    memcpy(a->request.key, public_key, X25519_SIZE);
    report_data_bind(REPORT_DOMAIN_SESSION, SPAN_OF(a->request.nonce), SPAN_OF(public_key),
                     (struct span){0}, report_data);
    keystore_quote(&k, enclave, report_data, &a->quote);
    a->request.evidence.quote = buffer_span(&a->quote);
}

static void run_attest(const struct principal *who, const struct attempt *a, struct outcome *o)
{
    const struct caller caller = caller_of(who);
    enum err e =
        operation_run(k.service, &k.thread, OPERATION_ATTEST, &caller, &a->request, k.now, o);

    assert_int_equal(e, o->refusal.error);
}

static void test_attest_issues_a_session(void **state)
{
    struct attempt a;
    struct outcome o = {0};

    (void)state;
    attempt_make(&k.worker, &keystore_enclave, &a);
    run_attest(&k.worker, &a, &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_string_equal(o.result.session->session.policy, "worker");
    assert_string_equal(o.result.session->session.subject, "worker");
    assert_memory_equal(o.result.session->session.nonce, a.request.nonce, NONCE_SIZE);
    assert_true(has(&o, "\"op\":\"attest\",\"decision\":\"allow\""));
    assert_true(has(&o, "\"auth\":\"bearer\""));
    outcome_clear(&o);
    buffer_clear(&a.quote);
}

static void test_attest_refuses(void **state)
{
    static const struct simulated_enclave stranger = {.mr_enclave = {0x33}, .mr_signer = {0x22}};
    static const struct simulated_enclave debug = {.mr_enclave = {0x11}, .debug = true};
    const struct {
        const struct principal *who; /* presents it; the worker asked for the challenge */
        const struct simulated_enclave *enclave;
        unsigned change;
        const char *code;
    } cases[] = {
        {&k.worker, &keystore_enclave, 1,  "nonce_unknown"       },
        {&k.other,  &keystore_enclave, 0,  "nonce_unknown"       }, /* another caller's challenge */
        {&k.worker, &keystore_enclave, 2,  "report_data_mismatch"},
        {&k.worker, &keystore_enclave, 4,  "tee_type_mismatch"   },
        {&k.worker, &keystore_enclave, 8,  "signature_invalid"   },
        {&k.worker, &keystore_enclave, 16, "too_large"           },
        {&k.worker, &keystore_enclave, 32, "malformed"           },
        {&k.worker, &stranger,         0,  "measurement_mismatch"},
        {&k.worker, &debug,            0,  "debug"               },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        static const uint8_t many[ATTEST_CHAIN_MAX + 1];
        struct attempt a;
        struct outcome o = {0};

        attempt_make(&k.worker, cases[i].enclave, &a);
        a.request.nonce[0] ^= cases[i].change & 1 ? 1 : 0;
        a.request.key[0] ^= cases[i].change & 2 ? 1 : 0;
        if (cases[i].change & 4)
            a.request.evidence.tee_type = SPAN_LITERAL("tdx");
        a.quote.data[48 + 64] ^= cases[i].change & 8 ? 1 : 0;
        if (cases[i].change & 16)
            a.request.evidence.certificates = SPAN_OF(many);
        if (cases[i].change & 32)
            a.request.evidence.quote = (struct span){0};
        run_attest(cases[i].who, &a, &o);
        assert_refused(&o, ERR_UNAUTHENTICATED, cases[i].code);
        outcome_clear(&o);
        buffer_clear(&a.quote);
    }
}

static void test_a_challenge_is_good_once(void **state)
{
    struct attempt a;
    struct outcome first = {0}, second = {0};

    (void)state;
    attempt_make(&k.worker, &keystore_enclave, &a);
    run_attest(&k.worker, &a, &first);
    assert_int_equal(first.refusal.error, ERR_NONE);
    run_attest(&k.worker, &a, &second);
    assert_refused(&second, ERR_UNAUTHENTICATED, "nonce_unknown");
    outcome_clear(&first);
    outcome_clear(&second);
    buffer_clear(&a.quote);
}

static void test_ra_tls_without_a_certificate_is_refused(void **state)
{
    struct attempt a = {.request = {.ra_tls = true}};
    struct outcome o = {0};

    (void)state;
    run_attest(&k.worker, &a, &o);
    assert_refused(&o, ERR_UNAUTHENTICATED, "client_certificate_missing");
    outcome_clear(&o);
}

/* ---- explain */

static void run_explain(const struct principal *who, const struct explain_request *r,
                        struct outcome *o)
{
    const struct caller caller = caller_of(who);
    enum err e = operation_run(k.service, &k.thread, OPERATION_EXPLAIN, &caller, r, k.now, o);

    assert_int_equal(e, o->refusal.error);
}

static void test_explain_shows_rules_to_principals_that_may_know(void **state)
{
    struct attempt a;
    struct explain_request r = {0};
    const struct {
        const struct principal *who;
        const char *policy;
        size_t rules;
        bool accepted;
        const char *code; /* NULL: answered */
    } cases[] = {
        {&k.administrator, "",       2, false, NULL              }, /* no rule is for operators */
        {&k.worker,        "",       0, true,  NULL              },
        {&k.worker,        "worker", 0, true,  NULL              },
        {&k.worker,        "plain",  0, false, "policy_not_found"}, /* another token's */
        {&k.worker,        "none",   0, false, "policy_not_found"},
        {&k.administrator, "plain",  1, false, NULL              },
        {&k.administrator, "none",   0, false, "policy_not_found"},
    };

    (void)state;
    attempt_make(&k.worker, &keystore_enclave, &a);
    r.evidence = a.request.evidence;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o = {0};

        (void)snprintf(r.policy, sizeof r.policy, "%s", cases[i].policy);
        run_explain(cases[i].who, &r, &o);
        if (cases[i].code) {
            assert_refused(&o, ERR_NOT_FOUND, cases[i].code);
        } else {
            assert_int_equal(o.refusal.error, ERR_NONE);
            assert_int_equal(o.result.explanation->rule_count, cases[i].rules);
            assert_int_equal(o.result.explanation->nearest.accepts, cases[i].accepted);
            assert_true(has(&o, "\"op\":\"explain\",\"decision\":\"allow\""));
            assert_true(has(&o, "\"rule\":\"dry-run\""));
            assert_true(has(&o, "\"tee\":\"simulated\",\"claims\":\""));
            assert_true(o.result.explanation->kind_is_right);
        }
        outcome_clear(&o);
    }
    buffer_clear(&a.quote);
}

/* A keystore without an early set says that the standard set decided. */
static void test_explain_names_the_set_that_decided(void **state)
{
    static const struct {
        uint32_t early_number; /* 0: no early set is held */
        bool asks, is_early, is_missing;
    } cases[] = {
        {0,  false, false, false},
        {0,  true,  false, true },
        {18, false, false, false},
        {18, true,  true,  false},
    };
    struct attempt a;
    uint32_t standard = 0;

    (void)state;
    attempt_make(&k.worker, &keystore_enclave, &a);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct explain_request r = {.evidence = a.request.evidence, .early = cases[i].asks};
        const struct explanation *said;
        struct outcome o = {0};

        if (cases[i].early_number > 0)
            keystore_add_early(&k, cases[i].early_number);
        run_explain(&k.worker, &r, &o);
        assert_int_equal(o.refusal.error, ERR_NONE);
        said = o.result.explanation;
        assert_true(said->has_set);
        assert_int_equal(said->set_is_early, cases[i].is_early);
        assert_int_equal(said->early_set_missing, cases[i].is_missing);
        if (i == 0)
            standard = said->tcb_evaluation_number;
        assert_int_equal(said->tcb_evaluation_number,
                         cases[i].is_early ? cases[i].early_number : standard);
        assert_int_equal(said->tcb_evaluation_number, said->evidence.intel.tcb_evaluation_number);
        outcome_clear(&o);
    }
    buffer_clear(&a.quote);
}

static void test_explain_answers_about_refused_evidence(void **state)
{
    const struct explain_request r = {
        .evidence = {.tee_type = SPAN_LITERAL("sgx"), .quote = SPAN_LITERAL("no quote")}
    };
    struct outcome o = {0};

    (void)state;
    run_explain(&k.worker, &r, &o);
    assert_int_equal(o.refusal.error, ERR_NONE);
    assert_int_equal(o.result.explanation->evidence.reason, ATTEST_MALFORMED);
    assert_false(o.result.explanation->has_nearest);
    assert_true(o.result.explanation->kind_is_right); /* the failed step says what is wrong */
    assert_false(has(&o, "\"tee\":"));
    outcome_clear(&o);
}

/* ---- changes of a policy */

static struct policy_change change_of(const char *policy, const char *field, uint8_t byte,
                                      bool removes)
{
    struct policy_change c = {.removes = removes, .size = 32};

    (void)snprintf(c.policy, sizeof c.policy, "%s", policy);
    (void)snprintf(c.field, sizeof c.field, "%s", field);
    memset(c.bytes, byte, 32);
    return c;
}

MUST_CHECK static enum err run_change(const struct principal *who, const struct policy_change *c,
                                      struct outcome *o)
{
    const struct caller caller = caller_of(who);

    return operation_run(k.service, &k.thread, OPERATION_CHANGE_POLICY, &caller, c, k.now, o);
}

static void test_a_change_takes_effect_when_it_is_committed(void **state)
{
    const struct policy_change add = change_of("worker", "mrenclave", 0x44, false);
    const struct policy_change take = change_of("worker", "mrenclave", 0x44, true);
    uint8_t before[8];
    struct outcome o = {0};

    (void)state;
    memcpy(before, service_policies(k.service, &k.thread)->policies.version, 8);
    assert_int_equal(run_change(&k.administrator, &add, &o), ERR_NONE);
    assert_true(has(&o, "\"detail\":{\"policy\":\"worker\",\"field\":\"mrenclave\",\"value\":"
                        "\"4444"));
    outcome_clear(&o); /* the log could not be written */
    assert_memory_equal(service_policies(k.service, &k.thread)->policies.version, before, 8);

    o = (struct outcome){0};
    assert_int_equal(run_change(&k.administrator, &add, &o), ERR_NONE);
    o.commit.index = 7;
    operation_committed(k.service, &o);
    assert_null(o.result.policy.next);
    assert_memory_equal(service_policies(k.service, &k.thread)->policies.version,
                        o.result.policy.version, 8);
    assert_memory_not_equal(o.result.policy.version, before, 8);
    outcome_clear(&o);

    o = (struct outcome){0}; /* for the other tests */
    assert_int_equal(run_change(&k.administrator, &take, &o), ERR_NONE);
    operation_committed(k.service, &o);
    outcome_clear(&o);
}

static void test_changes_are_refused(void **state)
{
    const struct {
        const struct principal *who;
        struct policy_change change;
        enum err error;
        const char *code;
    } cases[] = {
        {&k.worker,        change_of("worker", "mrenclave", 5, false), ERR_DENIED,    "may_not_administer"},
        {&k.operator,      change_of("worker", "mrenclave", 5, false), ERR_DENIED,    "may_not_administer"},
        {&k.administrator, change_of("none",   "mrenclave", 5, false), ERR_NOT_FOUND,
         "policy_not_found"                                                                               },
        {&k.administrator, change_of("worker", "none",      5, false), ERR_MALFORMED,
         "field_not_addable"                                                                              },
        {&k.administrator, change_of("worker", "mrenclave", 5, true),  ERR_NOT_FOUND,
         "value_not_found"                                                                                },
        {&k.administrator, change_of("worker", "mrenclave", 0, false), ERR_MALFORMED, "bad_value"         },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct outcome o = {0};

        assert_int_equal(run_change(cases[i].who, &cases[i].change, &o), cases[i].error);
        assert_refused(&o, cases[i].error, cases[i].code);
        assert_true(has(&o, "\"action\":"));
        outcome_clear(&o);
    }
}

/* ---- allocations */

/* Runs `run` with each allocation failing in turn, until all succeed. The result is a refusal
 * for lack of memory, or success; never a mixture. */
static void with_each_allocation_failing(void (*run)(struct outcome *o, bool fails))
{
    bool done = false;

    for (long n = 0; !done; n++) {
        struct outcome o = {0};

        assert_true(n < 1000);
        run(&o, true);
        failing_begin(n);
        run(&o, false);
        done = !failing_end(); /* fewer than n were needed */
        /* out of memory; or a signature did not verify, because AWS-LC had no memory */
        if (o.refusal.error != ERR_NONE)
            assert_int_equal(o.result.kind, RESULT_NONE);
        else
            assert_int_not_equal(o.result.kind, RESULT_NONE);
        if (done)
            assert_int_equal(o.refusal.error, ERR_NONE);
        outcome_clear(&o);
    }
}

static void open_in_session(struct outcome *o, bool prepares)
{
    const struct decrypt_request r = by_session(session);

    if (!prepares)
        run_open(&k.worker, &r, k.now, o);
}

static struct attempt prepared;

static void attest_once(struct outcome *o, bool prepares)
{
    if (prepares) {
        buffer_clear(&prepared.quote);
        attempt_make(&k.worker, &keystore_enclave, &prepared);
    } else {
        run_attest(&k.worker, &prepared, o);
    }
}

static void explain_once(struct outcome *o, bool prepares)
{
    const struct explain_request r = {.evidence = prepared.request.evidence};

    if (!prepares)
        run_explain(&k.administrator, &r, o);
}

static void change_once(struct outcome *o, bool prepares)
{
    const struct policy_change add = change_of("worker", "mrenclave", 0x55, false);
    enum err e;

    if (prepares)
        return;
    e = run_change(&k.administrator, &add, o);
    assert_int_equal(e, o->refusal.error);
}

static void test_no_failing_allocation_leaves_something_half_done(void **state)
{
    (void)state;
    keystore_attest(&k, &k.worker, public_key, session); /* a change of the policy ended it */
    with_each_allocation_failing(open_in_session);
    with_each_allocation_failing(attest_once);
    with_each_allocation_failing(explain_once);
    with_each_allocation_failing(change_once);
    buffer_clear(&prepared.quote);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_seals_for_the_session),
        cmocka_unit_test(test_open_hands_on_the_wish_for_a_receipt),
        cmocka_unit_test(test_entries_name_the_tenant),
        cmocka_unit_test(test_open_is_plain_only_where_the_policy_allows),
        cmocka_unit_test(test_open_seals_to_the_key_of_inline_evidence_once),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_open_refuses_inline_evidence),
        cmocka_unit_test(test_attest_issues_a_session),
        cmocka_unit_test(test_attest_refuses),
        cmocka_unit_test(test_a_challenge_is_good_once),
        cmocka_unit_test(test_ra_tls_without_a_certificate_is_refused),
        cmocka_unit_test(test_explain_shows_rules_to_principals_that_may_know),
        cmocka_unit_test(test_explain_names_the_set_that_decided),
        cmocka_unit_test(test_explain_answers_about_refused_evidence),
        cmocka_unit_test(test_a_change_takes_effect_when_it_is_committed),
        cmocka_unit_test(test_changes_are_refused),
        cmocka_unit_test(test_no_failing_allocation_leaves_something_half_done),
    };

    return cmocka_run_group_tests(tests, open_keystore, close_keystore);
}
