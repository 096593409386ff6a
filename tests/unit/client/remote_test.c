/* The client against a keystore that lies, forgets and boasts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vouchsafe/vouchsafe.h>

#include "attest/attest.h"
#include "base/text.h"
#include "base/writer.h"
#include "codec/json.h"
#include "crypto/curve25519.h"
#include "crypto/envelope.h"
#include "fake_server.h"

#define SEED "github.com/alice/project:alice.near"
#define OTHER_ID "01932f6e-7b8a-7cc0-9d3e-ffffffffffff"
#define JWT "aaaa.bbbb.cccc"

/* What the keystore does wrong. */
static enum lie {
    HONEST,
    NONCE_ECHO,    /* evidence or key for another nonce */
    REPLAYED,      /* evidence made for another nonce, ours echoed */
    IDENTITY,      /* names another identity key than the evidence binds */
    LOG_KEY,       /* the same with the log's key */
    MEASUREMENT,   /* other code */
    NO_COLLATERAL, /* an empty bundle */
    SIGNER,        /* the public key is signed by somebody else */
    UNSIGNED,
    OTHER_SEED,
    OTHER_KEY, /* the signature is of another key */
    PLAIN,     /* a plain reply though a sealed one was asked for */
    BOTH,      /* plain and sealed */
    SEALED_TO_OTHER,
    SEALED_FOR_OTHER_REQUEST,
    BAD_REQUEST_ID,
    NOT_JSON,
    EMPTY_OBJECT,
    HUGE, /* announces 100 GB and ends */
    LESS_THAN_SAID,
    REFUSES,
    NO_RECEIPT,
} lie;

static char dir[] = "/tmp/vouchsafe-remote-XXXXXX";
static struct vs_sim *sim;
static struct vs_blob bundle;
static struct fake_server *server;
static struct vs_worker_key *worker;
static char last_request[262144];
static const struct vs_sim_enclave enclave = {.mr_enclave = {1}, .isv_svn = 2};
static const struct vs_sim_enclave other_enclave = {.mr_enclave = {2}, .isv_svn = 2};
static const uint8_t identity_seed[32] = {1};
static const uint8_t other_seed[32] = {2};
static const char plain_text[] = "{\"A\":\"b\"}";

static void put_fault(struct fake_reply *reply)
{
    if (lie == NOT_JSON)
        (void)snprintf(reply->body, sizeof reply->body, "<html>hello</html>");
    if (lie == EMPTY_OBJECT)
        (void)snprintf(reply->body, sizeof reply->body, "{}");
    if (lie == HUGE)
        reply->head = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    if (lie == LESS_THAN_SAID)
        reply->head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    if (lie == REFUSES) {
        reply->status = 401;
        (void)snprintf(reply->body, sizeof reply->body,
                       "{\"error\":\"No\\u001b[31m entry\",\"code\":\"measurement_mismatch\","
                       "\"detail\":{\"expected\":\"aa\",\"presented\":\"bb\"}}");
    }
}

static void nonce_of(const char *request, uint8_t out[32], char text[65])
{
    const char *nonce = strstr(request, "nonce=");

    assert_non_null(nonce);
    memcpy(text, nonce + 6, 64);
    text[64] = '\0';
    assert_int_equal(hex_read(span_string(text), out, 32), ERR_NONE);
}

static void sim_quote_over(const uint8_t nonce[32], const uint8_t identity[32],
                           struct vs_blob *quote)
{
    uint8_t context[32 + 64 + 32] = {0};
    uint8_t report_data[64];

    ed25519_public(identity_seed, context); /* the log key; session and TLS keys are zero here */
    report_data_bind(REPORT_DOMAIN_KEYSTORE, span_of(nonce, 32), span_of(identity, 32),
                     SPAN_OF(context), report_data);
    assert_int_equal(
        vs_sim_quote(sim, lie == MEASUREMENT ? &other_enclave : &enclave, report_data, quote),
        VS_OK);
}

static void put_attestation(const char *request, struct fake_reply *reply)
{
    static const uint8_t zeros[64];
    uint8_t nonce[32], identity[32], other[32];
    char text[65];
    struct vs_blob quote = {0};
    struct writer w = writer_over(reply->body, sizeof reply->body);
    struct json_writer j = json_writer_over(&w);

    nonce_of(request, nonce, text);
    ed25519_public(identity_seed, identity);
    ed25519_public(other_seed, other);
    if (lie == REPLAYED)
        nonce[0] ^= 1;
    sim_quote_over(nonce, identity, &quote);
    if (lie == NONCE_ECHO)
        text[0] = text[0] == '0' ? '1' : '0';
    json_open_object(&j, NULL);
    json_put_string(&j, "tee_type", SPAN_LITERAL("simulated"));
    json_put_base64(&j, "quote", span_of(quote.data, quote.size));
    json_put_string(&j, "nonce", span_string(text));
    json_put_hex(&j, "identity_key", span_of(lie == IDENTITY ? other : identity, 32));
    json_put_hex(&j, "log_key", span_of(lie == LOG_KEY ? other : identity, 32));
    json_put_string(&j, "log_origin", SPAN_LITERAL("keystore.example/log"));
    json_put_hex(&j, "session_key", SPAN_OF(zeros));
    json_put_null(&j, "tls_spki_sha256");
    json_put_bool(&j, "simulated", true);
    json_put_raw(&j, "collateral",
                 lie == NO_COLLATERAL ? SPAN_LITERAL("{}") : span_of(bundle.data, bundle.size));
    json_close_object(&j);
    writer_u8(&w, 0);
    assert_false(w.failed);
    vs_blob_clear(&quote);
}

static void put_pubkey(const char *request, struct fake_reply *reply)
{
    const char *seed = lie == OTHER_SEED ? "github.com/mallory/project:mallory.near" : SEED;
    uint8_t nonce[32], statement[512], signature[64], key[32] = {9};
    char text[65];
    struct writer w = writer_over(statement, sizeof statement);
    struct span signed_bytes;

    nonce_of(request, nonce, text);
    if (lie == NONCE_ECHO) {
        nonce[0] ^= 1;
        hex_write(SPAN_OF(nonce), text);
    }
    writer_put(&w, SPAN_OF("vouchsafe-pubkey-v1")); /* with its 0x00 */
    writer_u16be(&w, 32);
    writer_put(&w, SPAN_OF(nonce));
    writer_u16be(&w, (uint16_t)strlen(seed));
    writer_put(&w, span_string(seed));
    writer_u32be(&w, 1);
    writer_put(&w, SPAN_OF(key));
    assert_int_equal(writer_finish(&w, &signed_bytes), ERR_NONE);
    ed25519_sign(lie == SIGNER ? other_seed : identity_seed, signed_bytes, signature);
    if (lie == OTHER_KEY)
        key[0] = 10;
    w = writer_over(reply->body, sizeof reply->body);
    struct json_writer j = json_writer_over(&w);
    json_open_object(&j, NULL);
    json_put_string(&j, "seed", span_string(seed));
    json_put_hex(&j, "pubkey", SPAN_OF(key));
    json_put_int(&j, "key_version", 1);
    json_put_string(&j, "nonce", span_string(text));
    if (lie != UNSIGNED)
        json_put_base64(&j, "signature", SPAN_OF(signature));
    json_close_object(&j);
    writer_u8(&w, 0);
}

static void keystore(const char *request, struct fake_reply *reply)
{
    if (strncmp(request, "GET /v1/attestation?", 20) == 0)
        put_attestation(request, reply);
    else
        put_pubkey(request, reply);
    put_fault(reply);
}

static void put_sealed(struct json_writer *j)
{
    uint8_t info[19 + 36], to[32], enc[32], ciphertext[sizeof plain_text - 1 + 16];

    memcpy(info, "vouchsafe-reply-v1", 19);
    memcpy(info + 19, lie == SEALED_FOR_OTHER_REQUEST ? OTHER_ID : FAKE_REQUEST_ID, 36);
    vs_worker_key_public(worker, to);
    if (lie == SEALED_TO_OTHER)
        x25519_public(other_seed, to);
    assert_int_equal(hpke_seal(to, SPAN_OF(info), (struct span){0}, span_string(plain_text), NULL,
                               enc, ciphertext),
                     ERR_NONE);
    json_open_object(j, "sealed_secrets");
    json_put_base64(j, "enc", SPAN_OF(enc));
    json_put_base64(j, "ciphertext", SPAN_OF(ciphertext));
    json_close_object(j);
}

static void put_decrypted(struct fake_reply *reply)
{
    struct writer w = writer_over(reply->body, sizeof reply->body);
    struct json_writer j = json_writer_over(&w);

    json_open_object(&j, NULL);
    if (lie == PLAIN || lie == BOTH)
        json_put_base64(&j, "plaintext_secrets", span_string(plain_text));
    if (lie != PLAIN)
        put_sealed(&j);
    if (lie != NO_RECEIPT)
        json_put_raw(&j, "receipt", SPAN_LITERAL("{\"index\":0}"));
    json_close_object(&j);
    writer_u8(&w, 0);
    if (lie == BAD_REQUEST_ID)
        reply->request_id = "short";
}

static void decrypter(const char *request, struct fake_reply *reply)
{
    (void)snprintf(last_request, sizeof last_request, "%s", request);
    if (strncmp(request, "POST /v1/attest/challenge", 25) == 0)
        (void)snprintf(reply->body, sizeof reply->body, "{\"nonce\":\"%064d\",\"expires_in\":60}",
                       0);
    else if (strncmp(request, "POST /v1/attest ", 16) == 0)
        (void)snprintf(reply->body, sizeof reply->body,
                       "{\"session\":\"" JWT "\",\"expires_at\":%lld,\"tee\":\"simulated\","
                       "\"policy\":\"worker\",\"status\":\"UpToDate\",\"advisories\":[],"
                       "\"claims\":\"%064d\"}",
                       (long long)time(NULL) + 600, 0);
    else
        put_decrypted(reply);
    put_fault(reply);
}

static enum vs_error give_token(void *context, char *out, size_t capacity, size_t *size)
{
    const char *token = context;

    *size = strlen(token);
    assert_true(*size <= capacity);
    memcpy(out, token, *size);
    return VS_OK;
}

static struct vs_client *connect_with(char *token)
{
    const struct vs_client_options options = {
        .url = fake_server_url(server),
        .token = give_token,
        .token_context = token,
        .timeout_ms = 5000,
    };
    struct vs_client *c = NULL;

    assert_int_equal(vs_client_open(&options, &c), VS_OK);
    return c;
}

static char token[] = "secret-token";

static enum vs_error verify(struct vs_keystore *out)
{
    const struct vs_appraisal appraisal = {
        .mr_enclave = {enclave.mr_enclave, 32}
    };
    struct vs_client *c = connect_with(token);
    enum vs_error e;

    fake_server_answer(server, keystore);
    e = vs_keystore_verify(c, &appraisal, vs_sim_root(sim), out);
    assert_int_equal(vs_client_why(c)[0] == '\0', e == VS_OK);
    vs_client_free(&c);
    return e;
}

static void an_honest_keystore_is_believed(void **state)
{
    struct vs_keystore k;

    (void)state;
    lie = HONEST;
    assert_int_equal(verify(&k), VS_OK);
    assert_true(k.claims.simulated);
    assert_false(k.tls_bound);
    assert_true(strncmp(k.log_vkey, "keystore.example/log+", 21) == 0);
}

static void a_lying_keystore_is_not(void **state)
{
    static const struct {
        enum lie lie;
        enum vs_error expected;
    } cases[] = {
        {NONCE_ECHO,     VS_ERR_UNTRUSTED  },
        {REPLAYED,       VS_ERR_UNTRUSTED  },
        {IDENTITY,       VS_ERR_UNTRUSTED  },
        {LOG_KEY,        VS_ERR_UNTRUSTED  },
        {MEASUREMENT,    VS_ERR_POLICY     },
        {NO_COLLATERAL,  VS_ERR_UNTRUSTED  },
        {NOT_JSON,       VS_ERR_REPLY      },
        {EMPTY_OBJECT,   VS_ERR_REPLY      },
        {HUGE,           VS_ERR_UNREACHABLE},
        {LESS_THAN_SAID, VS_ERR_UNREACHABLE},
        {REFUSES,        VS_ERR_REFUSED    },
    };
    struct vs_keystore k;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lie = cases[i].lie;
        assert_int_equal(verify(&k), cases[i].expected);
    }
}

static enum vs_error get_key(bool attested, struct vs_public_key *out)
{
    const struct vs_key_name name = {.repo = "https://github.com/alice/project.git",
                                     .owner = "alice.near"};
    struct vs_client *c = connect_with(token);
    struct vs_keystore k = {0};
    enum vs_error e;

    ed25519_public(identity_seed, k.identity_key);
    fake_server_answer(server, keystore);
    e = vs_pubkey(c, attested ? &k : NULL, &name, out);
    vs_client_free(&c);
    return e;
}

static void a_public_key_needs_the_attested_signature(void **state)
{
    static const struct {
        enum lie lie;
        enum vs_error attested, plain;
    } cases[] = {
        {HONEST,       VS_OK,            VS_OK           },
        {SIGNER,       VS_ERR_UNTRUSTED, VS_OK           },
        {UNSIGNED,     VS_ERR_UNTRUSTED, VS_OK           },
        {OTHER_KEY,    VS_ERR_UNTRUSTED, VS_OK           },
        {NONCE_ECHO,   VS_ERR_UNTRUSTED, VS_OK           },
        {OTHER_SEED,   VS_ERR_UNTRUSTED, VS_ERR_UNTRUSTED}, /* signed, and somebody else's */
        {NOT_JSON,     VS_ERR_REPLY,     VS_ERR_REPLY    },
        {EMPTY_OBJECT, VS_ERR_REPLY,     VS_ERR_REPLY    },
    };
    struct vs_public_key key;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lie = cases[i].lie;
        assert_int_equal(get_key(true, &key), cases[i].attested);
        assert_true(cases[i].attested != VS_OK || key.verified);
        assert_int_equal(get_key(false, &key), cases[i].plain);
        assert_true(cases[i].plain != VS_OK || !key.verified);
    }
}

static enum vs_error decrypt(bool accept_plain, bool inline_evidence, bool receipt,
                             struct vs_client *c)
{
    static const uint8_t envelope[] = {2, 1, 2, 3};
    const struct vs_key_name name = {.seed = SEED};
    struct vs_sim_source source = {sim, enclave};
    const struct vs_quote_source quote = vs_sim_quote_source(&source);
    struct vs_session *session = NULL;
    struct vs_secret *plain = NULL;
    struct vs_blob proof = {0};
    const enum lie kept = lie;
    enum vs_error e;

    fake_server_answer(server, decrypter);
    lie = HONEST;
    if (!inline_evidence)
        assert_int_equal(vs_attest(c, worker, &quote, &session), VS_OK);
    lie = kept;
    const struct vs_decrypt_request request = {
        .name = &name,
        .envelope = {envelope, sizeof envelope},
        .key = worker,
        .session = session,
        .inline_evidence = inline_evidence ? &quote : NULL,
        .task_id = "task \"7\"",
        .accept_plain = accept_plain,
        .receipt = receipt,
    };
    e = vs_decrypt(c, &request, &plain, &proof);
    if (e == VS_OK)
        assert_true(span_equal(span_of(vs_secret_data(plain), vs_secret_size(plain)),
                               span_string(plain_text)));
    else
        assert_null(plain);
    vs_blob_clear(&proof);
    vs_secret_free(&plain);
    vs_session_free(&session);
    return e;
}

static void a_sealed_reply_opens(void **state)
{
    struct vs_client *c = connect_with(token);

    (void)state;
    lie = HONEST;
    assert_int_equal(decrypt(false, false, true, c), VS_OK);
    assert_non_null(strstr(last_request, "Authorization: Bearer secret-token\r\n"));
    assert_non_null(strstr(last_request, "X-TEE-Session: " JWT "\r\n"));
    assert_non_null(strstr(last_request, "\"seal\":true"));
    assert_non_null(strstr(last_request, "\"seed\":\"" SEED "\""));
    assert_non_null(strstr(last_request, "\"task_id\":\"task \\\"7\\\"\""));
    assert_int_equal(decrypt(false, true, false, c), VS_OK);
    assert_null(strstr(last_request, "X-TEE-Session"));
    assert_non_null(strstr(last_request, "\"worker_pubkey\":"));
    lie = PLAIN;
    assert_int_equal(decrypt(true, false, false, c), VS_OK);
    assert_null(strstr(last_request, "\"seal\""));
    vs_client_free(&c);
}

static void a_reply_that_is_not_for_us_is_refused(void **state)
{
    static const struct {
        enum lie lie;
        enum vs_error expected;
    } cases[] = {
        {PLAIN,                    VS_ERR_DOWNGRADE  },
        {BOTH,                     VS_ERR_REPLY      },
        {SEALED_TO_OTHER,          VS_ERR_CRYPTO     },
        {SEALED_FOR_OTHER_REQUEST, VS_ERR_CRYPTO     },
        {BAD_REQUEST_ID,           VS_ERR_REPLY      },
        {NO_RECEIPT,               VS_ERR_REPLY      },
        {NOT_JSON,                 VS_ERR_REPLY      },
        {EMPTY_OBJECT,             VS_ERR_REPLY      },
        {HUGE,                     VS_ERR_UNREACHABLE},
        {LESS_THAN_SAID,           VS_ERR_UNREACHABLE},
        {REFUSES,                  VS_ERR_REFUSED    },
    };
    struct vs_client *c = connect_with(token);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lie = cases[i].lie;
        assert_int_equal(decrypt(false, false, true, c), cases[i].expected);
    }
    vs_client_free(&c);
}

static void a_refusal_is_handed_on_without_escape_sequences(void **state)
{
    struct vs_client *c = connect_with(token);
    struct vs_reply reply;

    (void)state;
    lie = REFUSES;
    assert_int_equal(decrypt(false, false, false, c), VS_ERR_REFUSED);
    vs_last_reply(c, &reply);
    assert_int_equal(reply.status, 401);
    assert_string_equal(reply.code, "measurement_mismatch");
    assert_string_equal(reply.message, "No?[31m entry");
    assert_string_equal(reply.request_id, FAKE_REQUEST_ID);
    assert_string_equal(reply.detail, "{\"expected\":\"aa\",\"presented\":\"bb\"}");
    vs_client_free(&c);
}

static void a_token_that_would_break_the_header_is_not_sent(void **state)
{
    static char *const tokens[] = {"", "a b", "a\r\nX-Evil: 1", "a\n", "\xc3\xa9"};
    uint8_t nonce[VS_NONCE_SIZE];
    unsigned expires = 0;

    (void)state;
    lie = HONEST;
    fake_server_answer(server, decrypter);
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct vs_client *c = connect_with(tokens[i]);

        last_request[0] = '\0';
        assert_int_equal(vs_challenge(c, nonce, &expires), VS_ERR_MALFORMED);
        assert_string_equal(last_request, "");
        vs_client_free(&c);
    }
}

static void urls_that_are_more_than_a_server_are_refused(void **state)
{
    static const char *const urls[] = {
        "",           "127.0.0.1",   "ftp://host",  "http://",     "http://u:p@host",
        "http://h/x", "http://h/?a", "https://h h", "file:///etc", "http://h\r\n",
    };
    static const uint8_t pin[32] = {1};
    struct vs_client *c = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(urls); i++)
        assert_int_equal(vs_client_open(&(struct vs_client_options){.url = urls[i]}, &c),
                         VS_ERR_ARGUMENT);
    assert_int_equal(
        vs_client_open(&(struct vs_client_options){.url = "http://h", .spki_sha256 = pin}, &c),
        VS_ERR_ARGUMENT);
    assert_null(c);
}

static void a_session_file_is_private_and_bound_to_its_key(void **state)
{
    struct vs_client *c = connect_with(token);
    struct vs_sim_source source = {sim, enclave};
    const struct vs_quote_source quote = vs_sim_quote_source(&source);
    struct vs_session *session = NULL;
    struct vs_session *loaded = NULL;
    struct vs_session_info info;
    uint8_t public_key[VS_KEY_SIZE];
    char path[96];

    (void)state;
    lie = HONEST;
    fake_server_answer(server, decrypter);
    assert_int_equal(vs_attest(c, worker, &quote, &session), VS_OK);
    (void)snprintf(path, sizeof path, "%s/session", dir);
    assert_int_equal(vs_session_save(session, path), VS_OK);
    assert_int_equal(vs_session_load(path, &loaded), VS_OK);
    vs_session_info(loaded, &info);
    vs_worker_key_public(worker, public_key);
    assert_string_equal(info.token, JWT);
    assert_string_equal(info.policy, "worker");
    assert_memory_equal(info.key, public_key, sizeof public_key);
    vs_session_free(&loaded);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(vs_session_load(path, &loaded), VS_ERR_MALFORMED);
    assert_int_equal(vs_file_write(path, (struct vs_bytes){"{}", 2}, 0600, true), VS_OK);
    assert_int_equal(vs_session_load(path, &loaded), VS_ERR_MALFORMED);
    assert_null(loaded);
    vs_session_free(&session);
    vs_client_free(&c);
}

static void a_worker_key_is_saved_once_and_privately(void **state)
{
    struct vs_worker_key *loaded = NULL;
    uint8_t a[VS_KEY_SIZE], b[VS_KEY_SIZE];
    char path[96];

    (void)state;
    (void)snprintf(path, sizeof path, "%s/worker.key", dir);
    assert_int_equal(vs_worker_key_load(path, &loaded), VS_ERR_NOT_FOUND);
    assert_int_equal(vs_worker_key_save(worker, path), VS_OK);
    assert_int_equal(vs_worker_key_save(worker, path), VS_ERR_EXISTS);
    assert_int_equal(vs_worker_key_load(path, &loaded), VS_OK);
    vs_worker_key_public(worker, a);
    vs_worker_key_public(loaded, b);
    assert_memory_equal(a, b, sizeof a);
    vs_worker_key_free(&loaded);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(vs_worker_key_load(path, &loaded), VS_ERR_MALFORMED);
    assert_int_equal(vs_file_write(path, (struct vs_bytes){"x", 1}, 0600, true), VS_OK);
    assert_int_equal(vs_worker_key_load(path, &loaded), VS_ERR_MALFORMED);
    assert_null(loaded);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

static int start(void **state)
{
    const struct vs_sim_collateral good = {0};
    char path[64];

    (void)state;
    if (vs_start() != VS_OK || mkdtemp(dir) == NULL || vs_worker_key_generate(&worker) != VS_OK)
        return -1;
    (void)snprintf(path, sizeof path, "%s/sim", dir);
    if (vs_sim_create(path) != VS_OK || vs_sim_open(path, &sim) != VS_OK ||
        vs_sim_collateral(sim, &good, &bundle) != VS_OK)
        return -1;
    server = fake_server_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fake_server_stop(server);
    vs_worker_key_free(&worker);
    vs_blob_clear(&bundle);
    vs_sim_free(&sim);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_honest_keystore_is_believed),
        cmocka_unit_test(a_lying_keystore_is_not),
        cmocka_unit_test(a_public_key_needs_the_attested_signature),
        cmocka_unit_test(a_sealed_reply_opens),
        cmocka_unit_test(a_reply_that_is_not_for_us_is_refused),
        cmocka_unit_test(a_refusal_is_handed_on_without_escape_sequences),
        cmocka_unit_test(a_token_that_would_break_the_header_is_not_sent),
        cmocka_unit_test(urls_that_are_more_than_a_server_are_refused),
        cmocka_unit_test(a_session_file_is_private_and_bound_to_its_key),
        cmocka_unit_test(a_worker_key_is_saved_once_and_privately),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
