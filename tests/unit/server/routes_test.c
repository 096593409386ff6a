/*
 * Every route over HTTP on a whole keystore with a simulated platform: its answers to each kind of
 * caller. Then each allocation of a request fails in turn.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"
#include "server/server.h"
#include "support/failing.h"
#include "unit/service/keystore.h"

enum { WAIT_MS = 20000 };

/* ---- a keystore that serves */

static struct keystore k;
static struct server *server;

static int open_server(void **state)
{
    const struct rate_limit free_for_all = {0, 1};
    const struct server_options options = {
        .http = {.host = "127.0.0.1",
                 .loops = 1,
                 .body_max = 1024 * 1024,
                 .connections_max = 100,
                 .head_timeout_ms = WAIT_MS,
                 .request_timeout_ms = WAIT_MS,
                 .idle_timeout_ms = WAIT_MS,
                 .handshake_timeout_ms = WAIT_MS},
        .per_token = free_for_all,
        .per_address = free_for_all,
        .total = free_for_all,
        .denials = free_for_all,
        .attest_threads = 1,
        .summary_interval_s = 60,
        .version = "test",
    };

    (void)state;
    if (crypto_start() != ERR_NONE)
        return -1;
    keystore_open(&k);
    assert_int_equal(server_start(&options, k.service, &server), ERR_NONE);
    return 0;
}

static int close_server(void **state)
{
    (void)state;
    server_stop(&server);
    keystore_close(&k);
    return 0;
}

static const char *content_type = "application/json"; /* of bodies; "": none is named */

static int connect_to_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(server_port(server)),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(s >= 0);
    assert_int_equal(connect(s, (struct sockaddr *)&address, sizeof address), 0);
    return s;
}

/* The status, 0 when the connection was closed instead; the whole reply in `text`, terminated. */
static int ask(const char *method, const char *target, const char *token, const char *body,
               char *text, size_t size)
{
    char request[8192];
    char authorization[128] = "";
    char type[128] = "";
    int s = connect_to_server();
    size_t used = 0;
    int status = 0;
    int length;

    if (token)
        (void)snprintf(authorization, sizeof authorization, "Authorization: Bearer %s\r\n", token);
    if (body && *content_type)
        (void)snprintf(type, sizeof type, "Content-Type: %s\r\n", content_type);
    length =
        snprintf(request, sizeof request,
                 "%s %s HTTP/1.1\r\nHost: keystore\r\nConnection: close\r\n%s"
                 "%sContent-Length: %zu\r\n\r\n%s",
                 method, target, authorization, type, body ? strlen(body) : 0, body ? body : "");
    assert_true(length > 0 && (size_t)length < sizeof request);
    assert_int_equal(send(s, request, (size_t)length, MSG_NOSIGNAL), length);
    for (;;) {
        struct pollfd ready = {.fd = s, .events = POLLIN};
        ssize_t got;

        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        got = recv(s, text + used, size - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    (void)close(s);
    text[used] = '\0';
    if (used > 0)
        assert_int_equal(sscanf(text, "HTTP/1.1 %3d", &status), 1);
    return status;
}

#define ID "0193e0a4-0000-7000-8000-000000000000"
#define KEY "fb3234db8f36e87a8ec08c1b77799b55788f8855931c76eec948f33b76f9ff19"
#define FIELD31 "fffffffffffffffffffffffffffffff"
#define NAME64 FIELD31 FIELD31 "ff"
#define VALUES "/v1/policies/worker/reference-values"

static const struct question {
    const char *method, *target, *token, *body;
    int status;
    const char *expected; /* in the reply */
} questions[] = {
  /* public */
    {"GET",    "/health",                                                NULL,            NULL,                                                             200, "\"tee_mode\":\"Simulated\""                          },
    {"GET",    "/pubkey",                                                NULL,            NULL,                                                             200, "\"public_key_hex\":"                                 },
    {"GET",    "/pubkey?seed=app:alice.near",                            NULL,            NULL,                                                             200, "\"pubkey\":"                                         },
    {"GET",    "/pubkey?repo=a/b&owner=alice.near",                      NULL,            NULL,                                                             200, "\"pubkey\":"                                         },
    {"GET",    "/pubkey?sead=x",                                         NULL,            NULL,                                                             400, "bad_key"                                             },
    {"GET",    "/pubkey?seed=",                                          NULL,            NULL,                                                             400, "bad_key"                                             },
    {"GET",    "/pubkey?repo=a/b",                                       NULL,            NULL,                                                             400, "bad_key"                                             },
    {"GET",    "/pubkey?branch=main",                                    NULL,            NULL,                                                             400, "bad_key"                                             },
    {"POST",   "/pubkey",                                                NULL,            "{\"seed\":\"s\",\"secrets_json\":\"{}\"}",                       200, "\"pubkey\":"                                         },
    {"POST",   "/pubkey",                                                NULL,            "{\"seed\":\"s\",\"secrets_json\":\"[]\"}",                       400, "bad_json"                                            },
    {"POST",   "/pubkey",                                                NULL,            "{\"seed\":\"s\",\"secrets_json\":\"{\\\"PROTECTED_A\\\":1}\"}",  400,
     "protected_name"                                                                                                                                                                                                  },
    {"POST",   "/pubkey",                                                NULL,            "{\"seed\":\"s\"}",                                               422, "bad_field"                                           },
    {"POST",   "/pubkey",                                                NULL,            "{",                                                              400, "bad_json"                                            },
    {"GET",    "/v1/pubkey?seed=s&nonce=00",                             NULL,            NULL,                                                             200, "\"signature\":"                                      },
    {"GET",    "/v1/pubkey?nonce=0",                                     NULL,            NULL,                                                             400, "bad_nonce"                                           },
    {"GET",    "/v1/attestation?nonce=000102030405060708090a0b0c0d0e0f", NULL,            NULL,                                                             200,
     "\"tee_type\":\"simulated\""                                                                                                                                                                                      },
    {"GET",    "/v1/attestation?nonce=00",                               NULL,            NULL,                                                             400, "bad_nonce"                                           },
    {"GET",    "/v1/attestation",                                        NULL,            NULL,                                                             400, "bad_nonce"                                           },
    {"GET",    "/v1/log/checkpoint",                                     NULL,            NULL,                                                             200, "keystore.example/log"                                },
    {"GET",    "/v1/log/key",                                            NULL,            NULL,                                                             200, "\"vkey\":"                                           },
    {"GET",    "/v1/log/inclusion?index=0&size=0",                       NULL,            NULL,                                                             404, "not_found"                                           },
    {"GET",    "/v1/log/inclusion?index=00&size=1",                      NULL,            NULL,                                                             400, "bad_query"                                           },
    {"GET",    "/v1/log/consistency?from=-1&to=1",                       NULL,            NULL,                                                             400, "bad_query"                                           },
    {"GET",    "/healthz",                                               NULL,            NULL,                                                             200, "ok"                                                  },
    {"GET",    "/readyz",                                                NULL,            NULL,                                                             200, "ready"                                               },
    {"GET",    "/metrics",                                               NULL,            NULL,                                                             200, "vouchsafe_executor_waiting_jobs{executor=\"attest\"}"},
    {"GET",    "/openapi.json",                                          NULL,            NULL,                                                             200, "\"openapi\":"                                        },
    {"GET",    "/nothing",                                               NULL,            NULL,                                                             404, "no_such_path"                                        },
    {"DELETE", "/health",                                                NULL,            NULL,                                                             405, "method_not_allowed"                                  },
 /* without a token, or with another role's */
    {"POST",   "/decrypt",                                               NULL,            "{}",                                                             401, "unauthenticated"                                     },
    {"POST",   "/decrypt",                                               "nobody",        "{}",                                                             401, "unauthenticated"                                     },
    {"GET",    "/v1/status",                                             "worker",        NULL,                                                             403, "role_not_allowed"                                    },
    {"GET",    "/v1/explain?request_id=" ID,                             "worker",        NULL,                                                             403, "role_not_allowed"                                    },
    {"GET",    "/v1/log/entries?start=0",                                "worker",        NULL,                                                             403, "role_not_allowed"                                    },
    {"GET",    "/v1/policies",                                           "worker",        NULL,                                                             403, "role_not_allowed"                                    },
    {"POST",   VALUES,                                                   "worker",        "{}",                                                             403, "role_not_allowed"                                    },
 /* workers */
    {"POST",   "/decrypt",                                               "worker",        "{",                                                              400, "bad_json"                                            },
    {"POST",   "/decrypt",                                               "worker",        "[]",                                                             400, "bad_field"                                           },
    {"POST",   "/decrypt",                                               "worker",        "{\"encrypted_secrets\":\"A\"}",                                  400, "bad_base64"                                          },
    {"POST",   "/decrypt",                                               "worker",        "{\"encrypted_secrets\":\"AQ==\",\"seed\":\"s\",\"repo\":\"r\"}",
     400,                                                                                                                                                        "bad_key"                                             },
    {"POST",   "/decrypt",                                               "worker",        "{\"encrypted_secrets\":\"AQ==\",\"attestation\":{}}",            400,
     "bad_field"                                                                                                                                                                                                       },
    {"POST",   "/decrypt",                                               "worker",        "{\"encrypted_secrets\":\"AQ==\"}",                               401, "attestation_required"                                },
    {"POST",   "/v1/attest/challenge",                                   "worker",        NULL,                                                             200, "\"nonce\":"                                          },
    {"POST",   "/v1/attest",                                             "worker",        "{}",                                                             400, "bad_field"                                           },
    {"POST",   "/v1/attest",                                             "worker",
     "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\",\"nonce\":\"" KEY "\",\"public_key\":\"" KEY "\"}",
     401,                                                                                                                                                        "nonce_unknown"                                       },
    {"POST",   "/v1/attest",                                             "worker",
     "{\"tee_type\":\"sgx\",\"ra_tls\":true,\"public_key\":\"" KEY "\"}",                                                                                   401,
     "client_certificate_missing"                                                                                                                                                                                      },
    {"POST",   "/v1/attest/explain",                                     "worker",        "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\"}",                      200,
     "\"result\":\"reject\""                                                                                                                                                                                           },
    {"POST",   "/v1/attest/explain",                                     "worker",
     "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\",\"policy\":\"plain\"}",                                                                                      404, "policy_not_found"                                    },
    {"POST",   "/v1/attest/explain",                                     "worker",
     "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\",\"policy\":null}",                                                                                           400, "bad_field"                                           },
    {"GET",    "/v1/collateral",                                         "worker",        NULL,                                                             200, "["                                                   },
    {"GET",    "/v1/collateral/item?name=none",                          "worker",        NULL,                                                             404, "not_found"                                           },
    {"GET",    "/v1/log/receipt?request_id=" ID,                         "worker",        NULL,                                                             404, "not_found"                                           },
    {"GET",    "/v1/log/receipt?request_id=x",                           "worker",        NULL,                                                             400, "bad_query"                                           },
    {"POST",   "/v1/attest/explain",                                     "worker",
     "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\",\"nonce\":\"" KEY "\"}",                                                                                     400, "bad_field"                                           },
    {"POST",   "/v1/attest/explain",                                     "worker",
     "{\"tee_type\":\"sgx\",\"quote\":\"AAAA\",\"public_key\":\"" KEY "\"}",                                                                                400, "bad_field"                                           },
    {"POST",   "/v1/attest/explain",                                     "worker",        "{\"tee_type\":\"sev\",\"quote\":\"AAAA\"}",                      200,
     "reject"                                                                                                                                                                                                          },
    {"POST",   "/v1/attest/explain",                                     "worker",        "{\"tee_type\":\"arm-cca\",\"quote\":\"AAAA\"}",                  400,
     "bad_field"                                                                                                                                                                                                       },
    {"POST",   "/decrypt",                                               "worker",
     "{\"encrypted_secrets\":\"AQ==\",\"attestation\":{\"tee_type\":\"sgx\",\"quote\":\"AAAA\","
     "\"timestamp\":1}}",                                                                                                                                   401, "evidence_unbound"                                    },
    {"POST",   "/decrypt",                                               "worker",
     "{\"encrypted_secrets\":\"AQ==\",\"attestation\":{\"tee_type\":\"sgx\",\"quote\":\"A\","
     "\"timestamp\":1}}",                                                                                                                                   400, "bad_base64"                                          },
    {"POST",   "/v1/reseal",                                             "worker",        "{}",                                                             403, "role_not_allowed"                                    },
    {"POST",   "/v1/reseal",                                             "operator",      "{}",                                                             403, "may_not_administer"                                  },
    {"POST",   "/v1/reseal",                                             "administrator", "{\"pcrs\":1}",                                                   400, "bad_field"                                           },
    {"POST",   "/v1/reseal",                                             "administrator", "{\"pcr\":\"\"}",                                                 400, "bad_field"                                           },
 /* operators */
    {"GET",    "/v1/status",                                             "operator",      NULL,                                                             200, "\"tee\":\"simulated\""                               },
    {"GET",    "/v1/policies",                                           "operator",      NULL,                                                             200, "\"name\":\"worker\""                                 },
    {"GET",    "/v1/log/entries?start=0",                                "operator",      NULL,                                                             200, "\"op\":"                                             },
    {"GET",    "/v1/explain?request_id=" ID,                             "operator",      NULL,                                                             404, "not_found"                                           },
    {"POST",   VALUES,                                                   "operator",      "{\"field\":\"mrenclave\",\"value\":\"" KEY "\"}",                403,
     "may_not_administer"                                                                                                                                                                                              },
    {"POST",   VALUES,                                                   "administrator", "{\"field\":\"mrenclave\",\"value\":\"0\"}",                      400,
     "bad_value"                                                                                                                                                                                                       },
    {"POST",   "/v1/policies/none/reference-values",                     "administrator",
     "{\"field\":\"mrenclave\",\"value\":\"" KEY "\"}",                                                                                                     404, "policy_not_found"                                    },
    {"DELETE", VALUES "?field=mrenclave&value=" KEY,                     "administrator", NULL,                                                             404, "value_not_found"                                     },
    {"DELETE", VALUES,                                                   "administrator", NULL,                                                             400, "bad_query"                                           },
};

static char reply[512 * 1024];

static void test_every_route_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        const struct question *q = &questions[i];
        int status = ask(q->method, q->target, q->token, q->body, reply, sizeof reply);

        if (status != q->status || !strstr(reply, q->expected))
            print_error("%s %s: %d\n%.400s\n", q->method, q->target, status, reply);
        assert_int_equal(status, q->status);
        assert_non_null(strstr(reply, q->expected));
    }
}

static void test_bodies_are_json_by_their_type(void **state)
{
    static const struct {
        const char *type;
        int status;
    } cases[] = {
        {"",                                415},
        {"application/jso",                 415},
        {"application/jsonx",               415},
        {"text/plain",                      415},
        {"application/json",                401},
        {"APPLICATION/JSON; charset=utf-8", 401},
        {"application/json ; x",            401},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        content_type = cases[i].type;
        assert_int_equal(ask("POST", "/decrypt", "worker", "{\"encrypted_secrets\":\"AQ==\"}",
                             reply, sizeof reply),
                         cases[i].status);
    }
    content_type = "application/json";
}

/* After the requests above, which have entries. */
static void test_entries_have_proofs(void **state)
{
    (void)state;
    assert_int_equal(
        ask("GET", "/v1/log/inclusion?index=0&size=2", NULL, NULL, reply, sizeof reply), 200);
    assert_non_null(strstr(reply, "{\"proof\":[\""));
    assert_int_equal(ask("GET", "/v1/log/consistency?from=1&to=2", NULL, NULL, reply, sizeof reply),
                     200);
    assert_non_null(strstr(reply, "{\"proof\":[\""));
}

static void test_all_metrics_are_there(void **state)
{
    static const char *const names[] = {
        "vouchsafe_http_replies_total{",
        "vouchsafe_http_open_connections ",
        "vouchsafe_http_refused_connections_total ",
        "vouchsafe_http_evicted_connections_total ",
        "vouchsafe_http_held_bytes{",
        "vouchsafe_log_commit_seconds_total ",
        "vouchsafe_log_failures_total ",
        "vouchsafe_log_files_lost ",
        "vouchsafe_log_queue_length ",
        "vouchsafe_collateral_age_seconds{",
        "vouchsafe_collateral_expiry_seconds{",
        "vouchsafe_collateral_rollbacks_total ",
        "vouchsafe_build_info{",
    };

    (void)state;
    assert_int_equal(ask("GET", "/metrics", NULL, NULL, reply, sizeof reply), 200);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char line[96];

        (void)snprintf(line, sizeof line, "\n%s", names[i]);
        if (!strstr(reply, line))
            fail_msg("%s is missing", names[i]);
    }
    assert_null(strstr(reply, "vouchsafe_sealed_root_ready")); /* this TEE's seal has no state */
    assert_int_equal(ask("GET", "/readyz", NULL, NULL, reply, sizeof reply), 200);
    assert_null(strstr(reply, "warning"));
}

static void test_a_value_is_added_and_removed(void **state)
{
    (void)state;
    assert_int_equal(ask("POST", VALUES, "administrator",
                         "{\"field\":\"mrenclave\",\"value\":\"" KEY "\"}", reply, sizeof reply),
                     200);
    assert_non_null(strstr(reply, "\"policy_version\":"));
    assert_int_equal(ask("POST", VALUES, "administrator",
                         "{\"field\":\"mrenclave\",\"value\":\"" KEY "\"}", reply, sizeof reply),
                     409);
    assert_int_equal(ask("DELETE", VALUES "?field=mrenclave&value=" KEY, "administrator", NULL,
                         reply, sizeof reply),
                     200);
}

/* A request whose n-th allocation fails, for every n: the right answer, 503, or a closed
 * connection; never a crash, a hang, or another answer. AWS-LC has no memory either, and then a
 * signature does not verify: 401 where the request is about evidence. */
static void test_no_failing_allocation_gives_a_wrong_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        const struct question *q = &questions[i];
        bool done = false;

        for (long n = 0; !done && n < 300; n++) {
            int status;

            failing_begin(n);
            status = ask(q->method, q->target, q->token, q->body, reply, sizeof reply);
            done = !failing_end(); /* fewer than n were needed */
            if (status != 0 && status != q->status && status != 503)
                print_error("%s %s, allocation %ld: %d\n%.400s\n", q->method, q->target, n, status,
                            reply);
            assert_true(status == 0 || status == q->status || status == 503);
        }
    }
    assert_int_equal(ask("GET", "/readyz", NULL, NULL, reply, sizeof reply), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_answers),
        cmocka_unit_test(test_bodies_are_json_by_their_type),
        cmocka_unit_test(test_entries_have_proofs),
        cmocka_unit_test(test_all_metrics_are_there),
        cmocka_unit_test(test_a_value_is_added_and_removed),
        cmocka_unit_test(test_no_failing_allocation_gives_a_wrong_answer),
    };

    return cmocka_run_group_tests(tests, open_server, close_server);
}
