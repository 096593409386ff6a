/* The client against a keystore that lies, forgets and exaggerates. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <vouchsafe/vouchsafe.h>

#include "attest/attest.h"
#include "audit/entry.h"
#include "audit/receipt.h"
#include "base/text.h"
#include "base/writer.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "crypto/curve25519.h"
#include "crypto/envelope.h"
#include "fake_server.h"

#define SEED "github.com/alice/project:alice.near"
#define OTHER_ID "01932f6e-7b8a-7cc0-9d3e-ffffffffffff"
#define JWT "aaaa.bbbb.cccc"
#define LOG_ORIGIN "keystore.example/log"
#define TASK "task \"7\""

/* The fault of the keystore. */
static enum lie {
    HONEST,
    NONCE_ECHO,    /* evidence or key for another nonce */
    REPLAYED,      /* evidence made for another nonce, ours echoed */
    IDENTITY,      /* names another identity key than the evidence binds */
    LOG_KEY,       /* the same with the log's key */
    ORIGIN,        /* the same with the log's name */
    MEASUREMENT,   /* other code */
    NO_COLLATERAL, /* an empty bundle */
    SIGNER,        /* another key signed the public key */
    UNSIGNED,
    WIDE_VERSION,
    OTHER_SEED,
    OTHER_KEY,          /* the signature is of another key */
    SESSION_SIGNER,     /* another key signed the session */
    SESSION_NONCE,      /* signed for another challenge */
    SESSION_TOKEN,      /* signed for another JWT */
    REPLY_KEY,          /* an attacker in between seals his own reply key to the worker */
    REPLY_KEY_TO_OTHER, /* signed, and sealed to another worker */
    REPLY_KEY_OF_OTHER, /* signed, and sealed for another session */
    REPLY_KEY_SHORT,    /* of 31 bytes */
    REPLY_KEY_MISSING,  /* an old keystore */
    SIGNATURE_MISSING,  /* the same */
    PLAIN,              /* a plain reply, although the client asked for a sealed one */
    BOTH,               /* plain and sealed */
    SEALED_BY_ANYBODY,  /* HPKE to the worker's public key, for a session */
    SEALED_WITH_OTHER,  /* with another reply key */
    SEALED_BOTH,        /* enc and nonce */
    SEALED_FOR_NO_BODY, /* sealed for another body */
    SEALED_SHORT,       /* no room for a tag */
    SEALED_FOR_SESSION, /* although there is no session */
    SEALED_TO_OTHER,
    SEALED_FOR_OTHER_REQUEST,
    BAD_REQUEST_ID,
    RECEIPT_OP,
    RECEIPT_DENIED,
    RECEIPT_REQUEST,
    RECEIPT_KEY,
    RECEIPT_NO_KEY,
    RECEIPT_TASK,
    RECEIPT_NO_TASK,
    RECEIPT_SIGNER,
    RECEIPT_PROOF,
    RECEIPT_NOTHING,
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
static const uint8_t reply_key[32] = {3};
static const uint8_t other_reply_key[32] = {4};
static const char plain_text[] = "{\"A\":\"b\"}";
static char seed_asked[64] = SEED; /* "": the global key */

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
    uint8_t context[32 + 64 + 32 + 32] = {0};
    uint8_t report_data[64];

    ed25519_public(identity_seed, context); /* the log key; session and TLS keys are zero here */
    sha256(span_string(LOG_ORIGIN), context + 32 + 64 + 32);
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
    json_put_string(&j, "log_origin",
                    span_string(lie == ORIGIN ? "keystore.example/2log" : LOG_ORIGIN));
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
    json_put_int(&j, "key_version", lie == WIDE_VERSION ? (INT64_C(1) << 32) + 1 : 1);
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

static void seal_reply_key(uint8_t enc[32], uint8_t ciphertext[48])
{
    uint8_t info[25 + 32], to[32];

    memcpy(info, "vouchsafe-session-key-v1", 25);
    sha256(span_string(lie == REPLY_KEY_OF_OTHER ? "aaaa.bbbb.dddd" : JWT), info + 25);
    vs_worker_key_public(worker, to);
    if (lie == REPLY_KEY_TO_OTHER)
        x25519_public(other_seed, to);
    assert_int_equal(
        hpke_seal(to, SPAN_OF(info), (struct span){0}, SPAN_OF(reply_key), NULL, enc, ciphertext),
        ERR_NONE);
}

static void sign_session(const uint8_t enc[32], const uint8_t ciphertext[48], uint8_t out[64])
{
    uint8_t statement[21 + 32 + 32 + 32 + 48] = "vouchsafe-session-v1";

    statement[21] = lie == SESSION_NONCE; /* the challenge is all zero */
    sha256(span_string(lie == SESSION_TOKEN ? "aaaa.bbbb.dddd" : JWT), statement + 53);
    memcpy(statement + 85, enc, 32);
    memcpy(statement + 117, ciphertext, 48);
    ed25519_sign(lie == SESSION_SIGNER ? other_seed : identity_seed, SPAN_OF(statement), out);
}

static void put_session(struct fake_reply *reply)
{
    uint8_t enc[32], ciphertext[48], signature[64], claims[32] = {0};
    struct writer w = writer_over(reply->body, sizeof reply->body);
    struct json_writer j = json_writer_over(&w);

    seal_reply_key(enc, ciphertext);
    sign_session(enc, ciphertext, signature);
    if (lie == REPLY_KEY)
        seal_reply_key(enc, ciphertext); /* a new seal, which anyone can make */
    json_open_object(&j, NULL);
    json_put_string(&j, "session", SPAN_LITERAL(JWT));
    json_put_int(&j, "expires_at", (int64_t)time(NULL) + 600);
    json_put_string(&j, "tee", SPAN_LITERAL("simulated"));
    json_put_string(&j, "policy", SPAN_LITERAL("worker"));
    json_put_string(&j, "status", SPAN_LITERAL("UpToDate"));
    json_open_array(&j, "advisories");
    json_close_array(&j);
    json_put_hex(&j, "claims", SPAN_OF(claims));
    if (lie != REPLY_KEY_MISSING) {
        json_open_object(&j, "reply_key");
        json_put_base64(&j, "enc", SPAN_OF(enc));
        json_put_base64(&j, "ciphertext", span_of(ciphertext, lie == REPLY_KEY_SHORT ? 47 : 48));
        json_close_object(&j);
    }
    if (lie != SIGNATURE_MISSING)
        json_put_base64(&j, "signature", SPAN_OF(signature));
    json_close_object(&j);
    writer_u8(&w, 0);
    assert_false(w.failed);
}

static const char *id_sealed_for(void)
{
    return lie == SEALED_FOR_OTHER_REQUEST ? OTHER_ID : FAKE_REQUEST_ID;
}

static void put_sealed_to_key(struct json_writer *j)
{
    uint8_t info[19 + 36], to[32], enc[32], ciphertext[sizeof plain_text - 1 + 16];

    memcpy(info, "vouchsafe-reply-v1", 19);
    memcpy(info + 19, id_sealed_for(), 36);
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

static void put_sealed_by_session(const char *request, struct json_writer *j)
{
    static const uint8_t nonce[AEAD_XNONCE_SIZE] = {5};
    uint8_t aad[19 + 36 + 32], ciphertext[sizeof plain_text - 1 + 16];
    const char *body = strstr(request, "\r\n\r\n") + 4;

    memcpy(aad, "vouchsafe-reply-v2", 19);
    memcpy(aad + 19, id_sealed_for(), 36);
    sha256(span_string(lie == SEALED_FOR_NO_BODY ? body + 1 : body), aad + 55);
    aead_seal(AEAD_XCHACHA20_POLY1305, lie == SEALED_WITH_OTHER ? other_reply_key : reply_key,
              nonce, SPAN_OF(aad), span_string(plain_text), ciphertext);
    json_open_object(j, "sealed_secrets");
    json_put_base64(j, "nonce", SPAN_OF(nonce));
    if (lie == SEALED_BOTH)
        json_put_base64(j, "enc", SPAN_OF(reply_key));
    json_put_base64(j, "ciphertext",
                    span_of(ciphertext, lie == SEALED_SHORT ? 15 : sizeof ciphertext));
    json_close_object(j);
}

static void put_receipt(struct json_writer *j)
{
    const struct merkle_proof empty = {0};
    struct checkpoint point = {.size = 1};
    struct audit_entry entry = {
        .time = {1700000000000},
        .request_id = span_string(lie == RECEIPT_REQUEST ? OTHER_ID : FAKE_REQUEST_ID),
        .op = span_string(lie == RECEIPT_OP ? "attest" : "open"),
        .code = SPAN_LITERAL("ok"),
        .key = span_string(lie == RECEIPT_KEY      ? SEED "2"
                           : lie == RECEIPT_NO_KEY ? ""
                                                   : seed_asked),
        .task = span_string(lie == RECEIPT_TASK      ? "task 8"
                            : lie == RECEIPT_NO_TASK ? ""
                                                     : TASK),
        .allowed = lie != RECEIPT_DENIED,
    };
    char line[AUDIT_ENTRY_MAX], note[CHECKPOINT_TEXT_MAX], receipt[RECEIPT_MAX];
    struct writer w = writer_over(line, sizeof line);
    struct writer r = writer_over(receipt, sizeof receipt);

    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    merkle_leaf(span_of(line, w.size), &point.root); /* the only entry: the leaf is the root */
    if (lie == RECEIPT_PROOF)
        point.root.bytes[0] ^= 1;
    assert_int_equal(checkpoint_sign(&point, LOG_ORIGIN,
                                     lie == RECEIPT_SIGNER ? other_seed : identity_seed, note,
                                     sizeof note),
                     ERR_NONE);
    assert_int_equal(receipt_write(0, span_of(line, w.size), &empty, span_string(note), &r),
                     ERR_NONE);
    json_put_raw(j, "receipt",
                 lie == RECEIPT_NOTHING ? SPAN_LITERAL("{\"index\":0}") : span_of(receipt, r.size));
}

static void put_decrypted(const char *request, struct fake_reply *reply)
{
    struct writer w = writer_over(reply->body, sizeof reply->body);
    struct json_writer j = json_writer_over(&w);
    const bool session = strstr(request, "X-TEE-Session") != NULL;

    json_open_object(&j, NULL);
    if (lie == PLAIN || lie == BOTH)
        json_put_base64(&j, "plaintext_secrets", span_string(plain_text));
    if (lie != PLAIN && (session ? lie != SEALED_BY_ANYBODY : lie == SEALED_FOR_SESSION))
        put_sealed_by_session(request, &j);
    else if (lie != PLAIN)
        put_sealed_to_key(&j);
    if (lie != NO_RECEIPT)
        put_receipt(&j);
    json_close_object(&j);
    writer_u8(&w, 0);
    assert_false(w.failed);
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
        put_session(reply);
    else
        put_decrypted(request, reply);
    put_fault(reply);
}

MUST_CHECK static enum vs_error give_token(void *context, char *out, size_t capacity, size_t *size)
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

MUST_CHECK static enum vs_error verify(struct vs_keystore *out)
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
        {ORIGIN,         VS_ERR_UNTRUSTED  },
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

MUST_CHECK static enum vs_error get_key(bool attested, struct vs_public_key *out)
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
        {OTHER_SEED,   VS_ERR_UNTRUSTED, VS_ERR_UNTRUSTED}, /* signed, but for another seed */
        {NOT_JSON,     VS_ERR_REPLY,     VS_ERR_REPLY    },
        {EMPTY_OBJECT, VS_ERR_REPLY,     VS_ERR_REPLY    },
        {WIDE_VERSION, VS_ERR_REPLY,     VS_ERR_REPLY    }, /* cut to 32 bits it is the signed one */
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

MUST_CHECK static enum vs_error attest(struct vs_client *c, bool verified, struct vs_session **out)
{
    struct vs_sim_source source = {sim, enclave};
    const struct vs_quote_source quote = vs_sim_quote_source(&source);
    struct vs_keystore k = {0};

    ed25519_public(identity_seed, k.identity_key);
    fake_server_answer(server, decrypter);
    return vs_attest(c, verified ? &k : NULL, worker, &quote, out);
}

static void a_session_needs_the_attested_signature(void **state)
{
    static const struct {
        enum lie lie;
        enum vs_error verified, unverified;
    } cases[] = {
        {HONEST,             VS_OK,            VS_OK         },
        {SESSION_SIGNER,     VS_ERR_UNTRUSTED, VS_OK         },
        {SESSION_NONCE,      VS_ERR_UNTRUSTED, VS_OK         },
        {SESSION_TOKEN,      VS_ERR_UNTRUSTED, VS_OK         },
        {REPLY_KEY,          VS_ERR_UNTRUSTED, VS_OK         },
        {REPLY_KEY_TO_OTHER, VS_ERR_CRYPTO,    VS_ERR_CRYPTO },
        {REPLY_KEY_OF_OTHER, VS_ERR_CRYPTO,    VS_ERR_CRYPTO },
        {REPLY_KEY_SHORT,    VS_ERR_REPLY,     VS_ERR_REPLY  },
        {REPLY_KEY_MISSING,  VS_ERR_REPLY,     VS_ERR_REPLY  },
        {SIGNATURE_MISSING,  VS_ERR_REPLY,     VS_ERR_REPLY  },
        {NOT_JSON,           VS_ERR_REPLY,     VS_ERR_REPLY  },
        {REFUSES,            VS_ERR_REFUSED,   VS_ERR_REFUSED},
    };
    struct vs_client *c = connect_with(token);
    struct vs_session_info info;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int verified = 0; verified < 2; verified++) {
            const enum vs_error expected = verified ? cases[i].verified : cases[i].unverified;
            struct vs_session *session = NULL;

            lie = cases[i].lie;
            assert_int_equal(attest(c, verified, &session), expected);
            assert_int_equal(session != NULL, expected == VS_OK);
            if (session == NULL)
                continue;
            vs_session_info(session, &info);
            assert_int_equal(info.verified, verified);
            vs_session_free(&session);
        }
    }
    vs_client_free(&c);
}

enum how { BY_SESSION, BY_SESSION_OR_PLAIN, INLINE, INLINE_OR_PLAIN };

MUST_CHECK static enum vs_error decrypt(enum how how, bool receipt, const char *vkey,
                                        struct vs_client *c)
{
    static const uint8_t envelope[] = {2, 1, 2, 3};
    const struct vs_key_name name = {.seed = seed_asked};
    const bool inline_evidence = how == INLINE || how == INLINE_OR_PLAIN;
    struct vs_sim_source source = {sim, enclave};
    const struct vs_quote_source quote = vs_sim_quote_source(&source);
    struct vs_session *session = NULL;
    struct vs_secret *plain = NULL;
    struct vs_blob proof = {0};
    const enum lie kept = lie;
    enum vs_error e;

    lie = HONEST;
    fake_server_answer(server, decrypter);
    if (!inline_evidence)
        assert_int_equal(attest(c, true, &session), VS_OK);
    lie = kept;
    const struct vs_decrypt_request request = {
        .name = &name,
        .envelope = {envelope, sizeof envelope},
        .key = worker,
        .session = session,
        .inline_evidence = inline_evidence ? &quote : NULL,
        .task_id = TASK,
        .accept_plain = how == BY_SESSION_OR_PLAIN || how == INLINE_OR_PLAIN,
        .receipt = receipt,
        .log_vkey = vkey,
    };
    e = vs_decrypt(c, &request, &plain, &proof);
    if (e == VS_OK)
        assert_true(span_equal(span_of(vs_secret_data(plain), vs_secret_size(plain)),
                               span_string(plain_text)));
    else
        assert_null(plain);
    assert_int_equal(proof.data != NULL, e == VS_OK && receipt);
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
    assert_int_equal(decrypt(BY_SESSION, true, NULL, c), VS_OK);
    assert_non_null(strstr(last_request, "Authorization: Bearer secret-token\r\n"));
    assert_non_null(strstr(last_request, "X-TEE-Session: " JWT "\r\n"));
    assert_non_null(strstr(last_request, "\"seal\":true"));
    assert_non_null(strstr(last_request, "\"seed\":\"" SEED "\""));
    assert_non_null(strstr(last_request, "\"task_id\":\"task \\\"7\\\"\""));
    assert_int_equal(decrypt(BY_SESSION_OR_PLAIN, false, NULL, c), VS_OK);
    assert_null(strstr(last_request, "\"seal\""));
    assert_int_equal(decrypt(INLINE, false, NULL, c), VS_OK);
    assert_null(strstr(last_request, "X-TEE-Session"));
    assert_non_null(strstr(last_request, "\"worker_pubkey\":"));
    lie = PLAIN;
    assert_int_equal(decrypt(BY_SESSION_OR_PLAIN, false, NULL, c), VS_OK);
    assert_int_equal(decrypt(INLINE_OR_PLAIN, false, NULL, c), VS_OK);
    vs_client_free(&c);
}

static void a_reply_that_is_not_for_us_is_refused(void **state)
{
    static const struct {
        enum lie lie;
        enum how how;
        enum vs_error expected;
    } cases[] = {
        {PLAIN,                    BY_SESSION,          VS_ERR_DOWNGRADE  },
        {PLAIN,                    INLINE,              VS_ERR_DOWNGRADE  },
        {BOTH,                     BY_SESSION_OR_PLAIN, VS_ERR_REPLY      },
        {SEALED_BY_ANYBODY,        BY_SESSION,          VS_ERR_DOWNGRADE  },
        {SEALED_BY_ANYBODY,        BY_SESSION_OR_PLAIN, VS_ERR_DOWNGRADE  },
        {SEALED_WITH_OTHER,        BY_SESSION,          VS_ERR_CRYPTO     },
        {SEALED_WITH_OTHER,        BY_SESSION_OR_PLAIN, VS_ERR_CRYPTO     },
        {SEALED_FOR_NO_BODY,       BY_SESSION,          VS_ERR_CRYPTO     },
        {SEALED_FOR_OTHER_REQUEST, BY_SESSION,          VS_ERR_CRYPTO     },
        {SEALED_FOR_OTHER_REQUEST, INLINE,              VS_ERR_CRYPTO     },
        {SEALED_SHORT,             BY_SESSION,          VS_ERR_CRYPTO     },
        {SEALED_BOTH,              BY_SESSION,          VS_ERR_REPLY      },
        {SEALED_TO_OTHER,          INLINE,              VS_ERR_CRYPTO     },
        {SEALED_FOR_SESSION,       INLINE,              VS_ERR_REPLY      },
        {BAD_REQUEST_ID,           BY_SESSION,          VS_ERR_REPLY      },
        {BAD_REQUEST_ID,           INLINE,              VS_ERR_REPLY      },
        {NO_RECEIPT,               BY_SESSION,          VS_ERR_REPLY      },
        {NOT_JSON,                 BY_SESSION,          VS_ERR_REPLY      },
        {EMPTY_OBJECT,             BY_SESSION,          VS_ERR_REPLY      },
        {HUGE,                     BY_SESSION,          VS_ERR_UNREACHABLE},
        {LESS_THAN_SAID,           BY_SESSION,          VS_ERR_UNREACHABLE},
        {REFUSES,                  BY_SESSION,          VS_ERR_REFUSED    },
    };
    struct vs_client *c = connect_with(token);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lie = cases[i].lie;
        assert_int_equal(decrypt(cases[i].how, true, NULL, c), cases[i].expected);
        assert_true(vs_client_why(c)[0] != '\0');
    }
    vs_client_free(&c);
}

static void a_receipt_of_something_else_releases_nothing(void **state)
{
    static const struct {
        enum lie lie;
        enum vs_error checked, proven; /* without and with the log's key */
    } cases[] = {
        {HONEST,          VS_OK,           VS_OK           },
        {RECEIPT_OP,      VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_DENIED,  VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_REQUEST, VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_KEY,     VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_NO_KEY,  VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_TASK,    VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_NO_TASK, VS_ERR_TAMPERED, VS_ERR_TAMPERED },
        {RECEIPT_SIGNER,  VS_OK,           VS_ERR_UNTRUSTED},
        {RECEIPT_PROOF,   VS_OK,           VS_ERR_TAMPERED },
        {RECEIPT_NOTHING, VS_ERR_REPLY,    VS_ERR_REPLY    },
    };
    struct vs_client *c = connect_with(token);
    uint8_t log_key[ED25519_PUBLIC_SIZE];
    char vkey[VS_VKEY_SIZE];

    (void)state;
    ed25519_public(identity_seed, log_key);
    assert_int_equal(checkpoint_vkey_write(LOG_ORIGIN, log_key, vkey, sizeof vkey), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        lie = cases[i].lie;
        assert_int_equal(decrypt(BY_SESSION, true, NULL, c), cases[i].checked);
        assert_int_equal(decrypt(BY_SESSION, true, vkey, c), cases[i].proven);
        assert_int_equal(decrypt(INLINE, true, vkey, c), cases[i].proven);
    }
    lie = HONEST;
    /* the global key: its entries have no seed, and entries of other keys do not match */
    seed_asked[0] = '\0';
    assert_int_equal(decrypt(BY_SESSION, true, vkey, c), VS_OK);
    lie = RECEIPT_KEY;
    assert_int_equal(decrypt(BY_SESSION, true, vkey, c), VS_ERR_TAMPERED);
    (void)snprintf(seed_asked, sizeof seed_asked, "%s", SEED);
    last_request[0] = '\0';
    assert_int_equal(decrypt(INLINE, true, "no key", c), VS_ERR_MALFORMED);
    assert_int_equal(decrypt(INLINE, false, vkey, c), VS_ERR_ARGUMENT);
    assert_string_equal(last_request, ""); /* refused before any request */
    vs_client_free(&c);
}

static void a_refusal_is_handed_on_without_escape_sequences(void **state)
{
    struct vs_client *c = connect_with(token);
    struct vs_reply reply;

    (void)state;
    lie = REFUSES;
    assert_int_equal(decrypt(BY_SESSION, false, NULL, c), VS_ERR_REFUSED);
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

/* A loaded session opens replies: the reply key was kept, too. */
MUST_CHECK static enum vs_error decrypt_with(const struct vs_session *session, struct vs_client *c)
{
    const struct vs_key_name name = {.seed = SEED};
    const struct vs_decrypt_request request = {
        .name = &name, .envelope = {"\x02xxx", 4},
             .key = worker, .session = session
    };
    struct vs_secret *plain = NULL;
    enum vs_error e = vs_decrypt(c, &request, &plain, NULL);

    vs_secret_free(&plain);
    return e;
}

static void a_session_file_is_private_and_bound_to_its_key(void **state)
{
    struct vs_client *c = connect_with(token);
    struct vs_session *session = NULL;
    struct vs_session *loaded = NULL;
    struct vs_session_info info;
    struct stat status;
    uint8_t public_key[VS_KEY_SIZE], identity[VS_KEY_SIZE];
    char path[96];

    (void)state;
    lie = HONEST;
    ed25519_public(identity_seed, identity);
    (void)snprintf(path, sizeof path, "%s/session", dir);
    for (int verified = 0; verified < 2; verified++) {
        assert_int_equal(attest(c, verified, &session), VS_OK);
        assert_int_equal(vs_session_save(session, path), VS_OK);
        assert_int_equal(vs_session_load(path, &loaded), VS_OK);
        vs_session_info(loaded, &info);
        vs_worker_key_public(worker, public_key);
        assert_string_equal(info.token, JWT);
        assert_string_equal(info.policy, "worker");
        assert_memory_equal(info.key, public_key, sizeof public_key);
        assert_int_equal(info.verified, verified);
        assert_int_equal(span_equal(SPAN_OF(info.identity_key), SPAN_OF(identity)), verified);
        assert_int_equal(decrypt_with(loaded, c), VS_OK);
        vs_session_free(&loaded);
        vs_session_free(&session);
    }
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    for (mode_t bit = 0001; bit <= 0004; bit <<= 1) {
        assert_int_equal(chmod(path, 0600 | bit), 0);
        assert_int_equal(vs_session_load(path, &loaded), VS_ERR_MALFORMED);
    }
    assert_null(loaded);
    vs_client_free(&c);
}

static void a_session_file_that_is_not_whole_is_refused(void **state)
{
    static const struct {
        const char *member, *instead;
    } cases[] = {
        {"\"v\":2",             "\"v\":1"             },
        {"\"reply_key\":\"",    "\"reply_kex\":\""    },
        {"\"reply_key\":\"",    "\"reply_key\":\"x"   },
        {"\"reply_key\":\"",    "\"reply_key\":\"00"  },
        {"\"identity_key\":\"", "\"identity_key\":\"0"},
        {"\"key\":\"",          "\"kex\":\""          },
        {"\"session\":\"",      "\"session\":\" "     },
        {"}\n",                 ""                    },
    };
    struct vs_client *c = connect_with(token);
    struct vs_session *session = NULL;
    struct vs_session *loaded = NULL;
    struct vs_blob file = {0};
    char path[96];

    (void)state;
    lie = HONEST;
    (void)snprintf(path, sizeof path, "%s/session", dir);
    assert_int_equal(attest(c, true, &session), VS_OK);
    assert_int_equal(vs_session_save(session, path), VS_OK);
    assert_int_equal(vs_file_read(path, 16384, &file), VS_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *found = strstr((const char *)file.data, cases[i].member);
        char text[16384];

        assert_non_null(found);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(found - (const char *)file.data),
                       file.data, cases[i].instead, found + strlen(cases[i].member));
        assert_int_equal(vs_file_write(path, (struct vs_bytes){text, strlen(text)}, 0600, true),
                         VS_OK);
        assert_int_equal(vs_session_load(path, &loaded), VS_ERR_MALFORMED);
        assert_null(loaded);
    }
    vs_blob_clear(&file);
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
    assert_int_equal(chmod(path, 0644), 0);
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
        cmocka_unit_test(a_session_needs_the_attested_signature),
        cmocka_unit_test(a_sealed_reply_opens),
        cmocka_unit_test(a_reply_that_is_not_for_us_is_refused),
        cmocka_unit_test(a_receipt_of_something_else_releases_nothing),
        cmocka_unit_test(a_refusal_is_handed_on_without_escape_sequences),
        cmocka_unit_test(a_token_that_would_break_the_header_is_not_sent),
        cmocka_unit_test(urls_that_are_more_than_a_server_are_refused),
        cmocka_unit_test(a_session_file_is_private_and_bound_to_its_key),
        cmocka_unit_test(a_session_file_that_is_not_whole_is_refused),
        cmocka_unit_test(a_worker_key_is_saved_once_and_privately),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
