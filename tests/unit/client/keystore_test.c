/* A keystore's evidence of every kind, and its judgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/attest.h>

#include "attest/attest.h"
#include "base/text.h"
#include "base/writer.h"
#include "crypto/curve25519.h"
#include "fake_server.h"
#include "support/vectors.h"

#define LOG_ORIGIN "keystore.example/log"
#define TDX_QUOTE "attestation/tdx/tdx-v4-near-b9e238/quote.bin"
#define TDX_COLLATERAL "attestation/collateral/intel/tdx-b0c06f000000-e19-20260809-a1b1"
#define TDX_TIME 1787616698
#define SNP "attestation/snp/snp-v3-milan-vcek-dstack-tee-a20e02/"
#define SNP_COLLATERAL "attestation/collateral/amd/milan"
#define SNP_TIME 1784250304

static char dir[] = "/tmp/vouchsafe-keystore-XXXXXX";
static struct vs_sim *sim;
static struct vs_blob bundle;
static struct fake_server *server;
static const struct vs_sim_enclave enclave = {.mr_enclave = {1}, .isv_svn = 2};
static const struct vs_sim_enclave debug_enclave = {.mr_enclave = {1}, .isv_svn = 2, .debug = true};
static const uint8_t identity_seed[32] = {1};
static char token[] = "secret-token";

/* The keystore's answers, and the requests that it got. */
static struct {
    const char *tee_type;
    const struct vs_sim_enclave *enclave;
    struct span quote;        /* replaces the simulated platform's quote */
    struct span certificates; /* empty: none */
    const char *raw_certificates;
    const char *raw_collateral; /* NULL: none */
    bool bundle;                /* the simulated platform's collateral comes with the evidence */
    bool renamed;               /* the log's name differs from the one that the evidence binds */
    unsigned item_status;       /* of /v1/collateral/item; 0: 200 */
    struct span item;
    size_t attestations, items;
    char item_request[512];
} fake;

static void reset(void)
{
    memset(&fake, 0, sizeof fake);
    fake.tee_type = "simulated";
    fake.enclave = &enclave;
}

static struct vs_bytes bytes_of(const struct vs_blob *b)
{
    return (struct vs_bytes){b->data, b->size};
}

static void sim_quote(struct span nonce, struct vs_blob *quote)
{
    uint8_t identity[32], context[32 + 64 + 32 + 32] = {0};
    uint8_t report_data[64];

    ed25519_public(identity_seed, identity);
    memcpy(context, identity, 32); /* the log key; session and TLS keys are zero here */
    sha256(span_string(LOG_ORIGIN), context + 32 + 64 + 32);
    report_data_bind(REPORT_DOMAIN_KEYSTORE, nonce, SPAN_OF(identity), SPAN_OF(context),
                     report_data);
    assert_int_equal(vs_sim_quote(sim, fake.enclave, report_data, quote), VS_OK);
}

/* By hand: the names of the JSON reader that the vectors need and of our own collide. */
static void put(struct fake_reply *reply, const char *name, const char *json)
{
    const size_t used = strlen(reply->body);
    const size_t room = sizeof reply->body - used;
    const int size =
        snprintf(reply->body + used, room, "%s\"%s\":%s", used == 0 ? "{" : ",", name, json);

    assert_true(size > 0 && (size_t)size < room);
}

static void put_text(struct fake_reply *reply, const char *name, const char *text)
{
    char json[256];

    (void)snprintf(json, sizeof json, "\"%s\"", text);
    put(reply, name, json);
}

static void put_hex(struct fake_reply *reply, const char *name, struct span bytes)
{
    char text[129];

    hex_write(bytes, text);
    put_text(reply, name, text);
}

static void put_base64(struct fake_reply *reply, const char *name, struct span bytes)
{
    char *json = calloc(1, base64_size(bytes.size) + 3);

    assert_non_null(json);
    json[0] = '"';
    base64_write(bytes, json + 1);
    json[1 + base64_size(bytes.size)] = '"';
    put(reply, name, json);
    free(json);
}

static void put_keys(struct fake_reply *reply)
{
    static const uint8_t zeros[64];
    uint8_t identity[32];

    ed25519_public(identity_seed, identity);
    put_hex(reply, "identity_key", SPAN_OF(identity));
    put_hex(reply, "log_key", SPAN_OF(identity));
    put_hex(reply, "session_key", SPAN_OF(zeros));
    put_text(reply, "log_origin", fake.renamed ? "keystore.example/2log" : LOG_ORIGIN);
    put(reply, "tls_spki_sha256", "null");
}

static void put_attestation(const char *request, struct fake_reply *reply)
{
    const char *text = strstr(request, "nonce=") + 6;
    struct vs_blob quote = {0};
    uint8_t nonce[32];

    fake.attestations++;
    assert_int_equal(hex_read(span_of((const uint8_t *)text, 64), nonce, sizeof nonce), ERR_NONE);
    if (fake.quote.size == 0)
        sim_quote(SPAN_OF(nonce), &quote);
    put_text(reply, "tee_type", fake.tee_type);
    put_base64(reply, "quote", fake.quote.size == 0 ? span_of(quote.data, quote.size) : fake.quote);
    put_hex(reply, "nonce", SPAN_OF(nonce));
    put_keys(reply);
    if (fake.certificates.size > 0)
        put_base64(reply, "certificates", fake.certificates);
    if (fake.raw_certificates != NULL)
        put(reply, "certificates", fake.raw_certificates);
    if (fake.bundle)
        put(reply, "collateral", (const char *)bundle.data);
    if (fake.raw_collateral != NULL)
        put(reply, "collateral", fake.raw_collateral);
    (void)strncat(reply->body, "}", sizeof reply->body - strlen(reply->body) - 1);
    vs_blob_clear(&quote);
}

static void put_item(const char *request, struct fake_reply *reply)
{
    fake.items++;
    (void)snprintf(fake.item_request, sizeof fake.item_request, "%s", request);
    reply->status = fake.item_status;
    if (reply->status != 0) {
        (void)snprintf(reply->body, sizeof reply->body, "{\"error\":\"No\",\"code\":\"%s\"}",
                       reply->status == 404 ? "not_found" : "unauthenticated");
        return;
    }
    assert_true(fake.item.size > 0 && fake.item.size < sizeof reply->body);
    memcpy(reply->body, fake.item.data, fake.item.size);
}

static void keystore(const char *request, struct fake_reply *reply)
{
    if (strncmp(request, "GET /v1/attestation?", 20) == 0)
        put_attestation(request, reply);
    else
        put_item(request, reply);
}

MUST_CHECK static enum vs_error give_token(void *context, char *out, size_t capacity, size_t *size)
{
    *size = strlen(context);
    assert_true(*size <= capacity);
    memcpy(out, context, *size);
    return VS_OK;
}

static char why[512];

MUST_CHECK static enum vs_error judge_with(const struct vs_keystore_demand *demand, bool with_token,
                                           struct vs_keystore *out)
{
    const struct vs_client_options options = {
        .url = fake_server_url(server),
        .token = with_token ? give_token : NULL,
        .token_context = token,
        .timeout_ms = 5000,
    };
    struct vs_client *c = NULL;

    assert_int_equal(vs_client_open(&options, &c), VS_OK);
    fake_server_answer(server, keystore);
    memset(out, 0, sizeof *out);
    const enum vs_error e = vs_keystore_judge(c, demand, out);
    (void)snprintf(why, sizeof why, "%s", vs_client_why(c));
    vs_client_free(&c);
    return e;
}

MUST_CHECK static enum vs_error judge(const struct vs_keystore_demand *demand,
                                      struct vs_keystore *out)
{
    return judge_with(demand, true, out);
}

static struct vs_verifier *verifier(bool with_collateral)
{
    struct vs_verifier *v = NULL;

    assert_int_equal(vs_verifier_new(0, &v), VS_OK);
    assert_int_equal(vs_verifier_add_root(v, VS_VENDOR_SIMULATED, vs_sim_root(sim)), VS_OK);
    if (with_collateral)
        assert_int_equal(vs_verifier_add_bundle(v, bytes_of(&bundle)), VS_OK);
    return v;
}

/* A policy of one rule. */
static struct vs_policy *policy(const char *rule)
{
    struct vs_policy *p = NULL;
    struct vs_why fault = {0};
    char path[64], text[2048];

    (void)snprintf(path, sizeof path, "%s/policy.yaml", dir);
    const int size = snprintf(text, sizeof text, "policies:\n  - {name: own, %s}\n", rule);
    assert_int_equal(vs_file_write(path, (struct vs_bytes){text, (size_t)size}, 0600, true), VS_OK);
    if (vs_policy_load(path, &p, &fault) != VS_OK)
        fail_msg("%s", fault.text);
    return p;
}

#define ENCLAVE_1 "0100000000000000000000000000000000000000000000000000000000000000"
#define ENCLAVE_2 "0200000000000000000000000000000000000000000000000000000000000000"
#define HASH_48 ENCLAVE_1 "00000000000000000000000000000000"
#define SOME_TDX                                                                                   \
    "tee: tdx, mrtd: [\"" HASH_48 "\"], rtmr0: [any], rtmr1: [any], rtmr2: [any], rtmr3: [any]"

static void a_policy_says_which_keystore(void **state)
{
    static const struct {
        const char *rule;
        enum vs_error expected;
        const char *code;
    } cases[] = {
        {"tee: simulated, mrenclave: [\"" ENCLAVE_1 "\"]", VS_OK,         "ok"                  },
        {"tee: simulated, mrenclave: [\"" ENCLAVE_2 "\"]", VS_ERR_POLICY, "measurement_mismatch"},
        {"tee: sgx, mrenclave: [\"" ENCLAVE_1 "\"]",       VS_ERR_POLICY, "tee_not_accepted"    },
        {"tee: nitro, pcr0: [\"" HASH_48 "\"]",            VS_ERR_POLICY, "tee_not_accepted"    },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct vs_verifier *v = verifier(false);
        struct vs_policy *p = policy(cases[i].rule);
        const struct vs_keystore_demand demand = {.policy = p, .verifier = v};
        struct vs_keystore k;

        reset();
        fake.bundle = true;
        assert_int_equal(judge(&demand, &k), cases[i].expected);
        assert_string_equal(k.claims.code, cases[i].code);
        assert_int_equal(why[0] == '\0', cases[i].expected == VS_OK);
        assert_true(k.claims.simulated);
        assert_int_equal(k.log_vkey[0] != '\0', cases[i].expected == VS_OK);
        fake.enclave = &debug_enclave;
        assert_int_not_equal(judge(&demand, &k), VS_OK);
        assert_int_equal(k.log_vkey[0], '\0');
        vs_policy_free(&p);
        vs_verifier_free(&v);
    }
}

static void an_empty_or_double_demand_is_refused(void **state)
{
    const struct vs_appraisal appraisal = {
        .mr_enclave = {enclave.mr_enclave, 32}
    };
    const struct vs_appraisal nothing = {0};
    struct vs_verifier *v = verifier(true);
    struct vs_policy *p = policy("tee: simulated, mrenclave: [\"" ENCLAVE_1 "\"]");
    struct vs_keystore k;

    (void)state;
    reset();
    assert_int_equal(judge(&(struct vs_keystore_demand){.verifier = v}, &k), VS_ERR_ARGUMENT);
    assert_int_equal(
        judge(&(struct vs_keystore_demand){.appraisal = &appraisal, .policy = p, .verifier = v},
              &k),
        VS_ERR_ARGUMENT);
    assert_int_equal(fake.attestations, 0);
    assert_int_equal(judge(&(struct vs_keystore_demand){.appraisal = &nothing, .verifier = v}, &k),
                     VS_ERR_POLICY);
    assert_string_equal(k.claims.code, "no_policy");
    /* a simulated root is trusted only by a client that asked for it */
    fake.bundle = true;
    assert_int_equal(judge(&(struct vs_keystore_demand){.policy = p}, &k), VS_ERR_UNTRUSTED);
    vs_policy_free(&p);
    vs_verifier_free(&v);
}

static const struct vs_appraisal first = {
    .mr_enclave = {enclave.mr_enclave, 32}
};

static void collateral_may_be_the_callers(void **state)
{
    struct vs_verifier *with = verifier(true);
    struct vs_verifier *without = verifier(false);
    const struct vs_keystore_demand known = {.appraisal = &first, .verifier = with};
    const struct vs_keystore_demand unknown = {.appraisal = &first, .verifier = without};
    struct vs_keystore k;

    (void)state;
    reset();
    assert_int_equal(judge(&known, &k), VS_OK);
    assert_int_equal(judge(&unknown, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "collateral_missing");
    assert_non_null(strstr(why, "needed: intel-sgx-"));
    /* the client uses a keystore's collateral only for its own evidence */
    fake.bundle = true;
    assert_int_equal(judge(&unknown, &k), VS_OK);
    fake.bundle = false;
    assert_int_equal(judge(&unknown, &k), VS_ERR_UNTRUSTED);
    /* and refuses it if it does not verify, also when other collateral is present */
    fake.raw_collateral = "{}";
    assert_int_equal(judge(&known, &k), VS_ERR_UNTRUSTED);
    fake.raw_collateral = "null";
    assert_int_equal(judge(&known, &k), VS_OK);
    assert_int_equal(fake.items, 0);
    vs_verifier_free(&with);
    vs_verifier_free(&without);
}

static void collateral_is_fetched_when_asked_for(void **state)
{
    struct vs_verifier *v = verifier(false);
    const struct vs_keystore_demand demand = {
        .appraisal = &first, .verifier = v, .fetch_collateral = true};
    struct vs_keystore k;

    (void)state;
    reset();
    fake.item = span_of(bundle.data, bundle.size);
    assert_int_equal(judge(&demand, &k), VS_OK);
    assert_int_equal(fake.items, 1);
    assert_memory_equal(fake.item_request, "GET /v1/collateral/item?name=intel-sgx-", 39);
    assert_non_null(strstr(fake.item_request, "Authorization: Bearer secret-token"));
    /* not if it came with the evidence, not without a token, and not if the evidence binds other
     * keys */
    fake.bundle = true;
    assert_int_equal(judge(&demand, &k), VS_OK);
    fake.bundle = false;
    assert_int_equal(judge_with(&demand, false, &k), VS_ERR_ARGUMENT);
    fake.renamed = true;
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "report_data_mismatch");
    assert_int_equal(fake.items, 1);
    vs_verifier_free(&v);
}

static void code_that_is_not_accepted_gets_no_token(void **state)
{
    static const uint8_t other[32] = {0xee};
    const struct vs_appraisal wrong = {
        .mr_enclave = {other, sizeof other}
    };
    struct vs_verifier *v = verifier(false);
    struct vs_keystore_demand demand = {
        .appraisal = &wrong, .verifier = v, .fetch_collateral = true};
    struct vs_keystore k;

    (void)state;
    reset();
    fake.item = span_of(bundle.data, bundle.size);
    assert_int_equal(judge(&demand, &k), VS_ERR_POLICY);
    assert_string_equal(k.claims.code, "measurement_mismatch");
    assert_int_equal(fake.items, 0);
    /* the collateral determines the status, so a status does not prevent the fetch */
    struct vs_appraisal strict = first;
    strict.min_tcb_evaluation_number = UINT32_MAX;
    demand.appraisal = &strict;
    assert_int_equal(judge(&demand, &k), VS_ERR_POLICY);
    assert_int_equal(fake.items, 1);
    vs_verifier_free(&v);
}

static void collateral_that_is_fetched_is_not_believed(void **state)
{
    static uint8_t changed[65536];
    struct vs_verifier *v = verifier(false);
    const struct vs_keystore_demand demand = {
        .appraisal = &first, .verifier = v, .fetch_collateral = true};
    struct vs_keystore k;
    const uint8_t *tcb = NULL;

    (void)state;
    reset();
    assert_true(bundle.size < sizeof changed);
    memcpy(changed, bundle.data, bundle.size);
    tcb = (const uint8_t *)strstr((const char *)bundle.data, "UpToDate");
    assert_non_null(tcb);
    memcpy(changed + (tcb - bundle.data), "uptodate", 8);
    fake.item = span_of(changed, bundle.size);
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.step, "collateral");
    fake.item = SPAN_LITERAL("{}");
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    fake.item_status = 404;
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "collateral_missing");
    fake.item_status = 401;
    assert_int_equal(judge(&demand, &k), VS_ERR_REFUSED);
    assert_int_equal(fake.items, 4);
    vs_verifier_free(&v);
}

static void what_is_no_attestation_is_refused(void **state)
{
    static const struct {
        const char *tee_type, *certificates, *collateral;
        enum vs_error expected;
    } cases[] = {
        {"simulated", NULL,       NULL,   VS_OK             },
        {"sgx",       NULL,       NULL,   VS_OK             }, /* the root decides, not the name */
        {"tdx",       NULL,       NULL,   VS_ERR_UNTRUSTED  }, /* the quote is another kind's */
        {"snp",       NULL,       NULL,   VS_ERR_UNTRUSTED  },
        {"nitro",     NULL,       NULL,   VS_ERR_UNTRUSTED  },
 /* does not bind 64 bytes that the keystore chooses */
        {"azure-hcl", NULL,       NULL,   VS_ERR_UNSUPPORTED},
        {"arm-cca",   NULL,       NULL,   VS_ERR_UNSUPPORTED},
        {"none",      NULL,       NULL,   VS_ERR_UNSUPPORTED},
        {"",          NULL,       NULL,   VS_ERR_UNSUPPORTED},
        {"SGX",       NULL,       NULL,   VS_ERR_UNSUPPORTED},
        {"simulated", "null",     NULL,   VS_OK             },
        {"simulated", "\"\"",     NULL,   VS_OK             },
        {"simulated", "\"%%%%\"", NULL,   VS_ERR_REPLY      },
        {"simulated", "\"AAA\"",  NULL,   VS_ERR_REPLY      },
        {"simulated", "[]",       NULL,   VS_ERR_REPLY      },
        {"simulated", NULL,       "\"\"", VS_ERR_REPLY      },
        {"simulated", NULL,       "[]",   VS_ERR_REPLY      },
    };
    struct vs_verifier *v = verifier(true);
    const struct vs_keystore_demand demand = {.appraisal = &first, .verifier = v};
    struct vs_keystore k;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        reset();
        fake.tee_type = cases[i].tee_type;
        fake.raw_certificates = cases[i].certificates;
        fake.raw_collateral = cases[i].collateral;
        if (judge(&demand, &k) != cases[i].expected)
            fail_msg("case %zu: %s", i, why);
    }
    vs_verifier_free(&v);
}

/* ----------------------------------------------------- genuine evidence with keys of others */

static void check_is_of_other_keys(const struct vs_keystore_demand *demand, const char *tee,
                                   const char *status)
{
    struct vs_keystore k;

    assert_int_equal(judge(demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "report_data_mismatch");
    assert_string_equal(k.claims.step, "report_data");
    assert_string_equal(k.claims.tee, tee); /* written once everything else verified */
    assert_string_equal(k.claims.status, status);
    assert_int_equal(strlen(k.claims.expected), 128);
    assert_string_not_equal(k.claims.expected, k.claims.presented);
    assert_int_equal(k.log_vkey[0], '\0');
}

static struct vs_verifier *verifier_of(const char *directory)
{
    struct vs_verifier *v = NULL;
    struct vs_why fault = {0};

    assert_int_equal(vs_verifier_new(0, &v), VS_OK);
    if (vs_verifier_add_directory(v, vectors_path(directory), NULL, &fault) != VS_OK)
        fail_msg("%s", fault.text);
    return v;
}

static void a_genuine_tdx_quote_of_others_is_refused(void **state)
{
    struct buffer quote = {0};
    struct vs_keystore k;

    (void)state;
    if (!vectors_have(TDX_QUOTE, "a stored TDX quote as a keystore's"))
        skip();
    struct vs_verifier *v = verifier_of(TDX_COLLATERAL);
    struct vs_policy *p = policy(SOME_TDX);
    struct vs_keystore_demand demand = {.policy = p, .verifier = v, .at = TDX_TIME};
    reset();
    fake.tee_type = "tdx";
    vectors_read(TDX_QUOTE, &quote);
    fake.quote = buffer_span(&quote);
    check_is_of_other_keys(&demand, "tdx", "UpToDate");
    demand.policy = NULL;
    demand.appraisal = &first;
    check_is_of_other_keys(&demand, "tdx", "UpToDate");
    /* authentic, but with other keys: then the client does not ask for collateral */
    demand.verifier = NULL;
    demand.fetch_collateral = true;
    check_is_of_other_keys(&demand, "", "");
    assert_int_equal(fake.items, 0);
    /* not authentic */
    quote.data[200] ^= 1;
    demand.verifier = v;
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "signature_invalid");
    quote.data[200] ^= 1;
    fake.tee_type = "sgx";
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "tee_type_mismatch");
    buffer_clear(&quote);
    vs_policy_free(&p);
    vs_verifier_free(&v);
}

static void table_entry(struct writer *w, const char *guid, size_t *offset, size_t size)
{
    uint8_t bytes[16];

    assert_int_equal(hex_read(span_string(guid), bytes, sizeof bytes), ERR_NONE);
    writer_put(w, SPAN_OF(bytes));
    for (size_t i = 0; i < 4; i++)
        writer_u8(w, (uint8_t)(*offset >> 8 * i));
    for (size_t i = 0; i < 4; i++)
        writer_u8(w, (uint8_t)(size >> 8 * i));
    *offset += size;
}

/* The host's table with the whole chain. */
static struct span table_write(uint8_t *out, size_t capacity)
{
    static const struct {
        const char *guid, *path;
    } rows[] = {
        {"8d75da6364e66445adc5f4b93be8accd", SNP "vek.der"            },
        {"79b3b74aacbbe44fa02f05aef327c782", SNP_COLLATERAL "/ask.der"},
        {"a406b4c003a8524997433fb6014cd0ae", SNP_COLLATERAL "/ark.der"},
    };
    struct buffer certificates[COUNT_OF(rows)] = {{0}};
    struct writer w = writer_over(out, capacity);
    size_t offset = 24 * (COUNT_OF(rows) + 1);
    struct span whole;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        vectors_read(rows[i].path, &certificates[i]);
        table_entry(&w, rows[i].guid, &offset, certificates[i].size);
    }
    writer_put(&w, span_of((uint8_t[24]){0}, 24));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        writer_put(&w, buffer_span(&certificates[i]));
        buffer_clear(&certificates[i]);
    }
    assert_int_equal(writer_finish(&w, &whole), ERR_NONE);
    return whole;
}

static void a_genuine_snp_report_of_others_is_refused(void **state)
{
    uint8_t table[16384];
    struct buffer report = {0};
    struct vs_keystore k;

    (void)state;
    if (!vectors_have(SNP "report.bin", "a stored SEV-SNP report as a keystore's"))
        skip();
    struct vs_policy *p = policy("tee: snp, measurement: [\"" HASH_48
                                 "\"], min_tcb_snp: any, min_tcb_microcode: any");
    struct vs_verifier *v = verifier_of(SNP_COLLATERAL);
    struct vs_keystore_demand demand = {.policy = p, .at = SNP_TIME};
    reset();
    fake.tee_type = "snp";
    vectors_read(SNP "report.bin", &report);
    fake.quote = buffer_span(&report);
    /* the host's certificates are enough: the root is pinned */
    const struct span whole = table_write(table, sizeof table);
    fake.certificates = whole;
    check_is_of_other_keys(&demand, "snp", "");
    demand.verifier = v;
    check_is_of_other_keys(&demand, "snp", "");
    /* cut, changed, and absent */
    fake.certificates.size -= 100;
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.tee, "");
    fake.certificates = whole;
    table[24 * 4 + 700] ^= 1;
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.tee, "");
    fake.certificates = (struct span){0};
    demand.fetch_collateral = true; /* not proven authentic, so it gets no token */
    assert_int_equal(judge(&demand, &k), VS_ERR_UNTRUSTED);
    assert_string_equal(k.claims.code, "collateral_missing");
    assert_non_null(strstr(why, "vcek-milan-"));
    assert_int_equal(fake.items, 0);
    buffer_clear(&report);
    vs_verifier_free(&v);
    vs_policy_free(&p);
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
    if (vs_start() != VS_OK || mkdtemp(dir) == NULL)
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
    vs_blob_clear(&bundle);
    vs_sim_free(&sim);
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_says_which_keystore),
        cmocka_unit_test(an_empty_or_double_demand_is_refused),
        cmocka_unit_test(collateral_may_be_the_callers),
        cmocka_unit_test(collateral_is_fetched_when_asked_for),
        cmocka_unit_test(code_that_is_not_accepted_gets_no_token),
        cmocka_unit_test(collateral_that_is_fetched_is_not_believed),
        cmocka_unit_test(what_is_no_attestation_is_refused),
        cmocka_unit_test(a_genuine_tdx_quote_of_others_is_refused),
        cmocka_unit_test(a_genuine_snp_report_of_others_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
