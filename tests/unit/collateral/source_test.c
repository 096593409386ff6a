#include "collateral/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json.h"
#include "crypto/random.h"
#include "net/http_server.h"

enum { PATIENCE_MS = 60000 };

#define PEM_FAKE "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
static const uint8_t der[] = {0x30, 0x82, 0x00, 0x01, 0x55};

/* The requests, in order, and the answers to them. */
static char asked[2048];
static unsigned status;
static struct span body = {der, sizeof der};

static void handle(void *context, struct http_exchange *x)
{
    const struct http_request *r = http_exchange_request(x);
    struct http_reply reply = {.status = status, .content_type = "application/octet-stream"};
    size_t used = strlen(asked);

    (void)context;
    (void)snprintf(asked + used, sizeof asked - used, "%.*s%s%.*s\n", (int)r->path.size,
                   (const char *)r->path.data, r->query.size ? "?" : "", (int)r->query.size,
                   (const char *)r->query.data);
    reply.body = strstr(asked + used, "cert_chain") ? SPAN_LITERAL(PEM_FAKE) : body;
    if (strstr(asked + used, "/v1/collateral/"))
        reply.body = SPAN_LITERAL("{\"any\":1}");
    if (status != 200)
        reply.extra_headers = "Retry-After: 17\r\n";
    http_exchange_reply(x, &reply);
}

MUST_CHECK static enum err fetch(enum collateral_source_type type, const char *name,
                                 struct buffer *out, struct collateral_failure *failure)
{
    const struct http_server_options options = {.host = "127.0.0.1",
                                                .loops = 1,
                                                .body_max = 1 << 20,
                                                .connections_max = 16,
                                                .head_timeout_ms = PATIENCE_MS,
                                                .request_timeout_ms = PATIENCE_MS,
                                                .idle_timeout_ms = PATIENCE_MS,
                                                .handshake_timeout_ms = PATIENCE_MS};
    const struct http_handler handler = {.handle = handle};
    struct http_server *server = NULL;
    struct collateral_source *source = NULL;
    struct collateral_key key;
    char url[64];
    enum err e;

    asked[0] = '\0';
    assert_int_equal(collateral_key_parse(span_string(name), &key), ERR_NONE);
    assert_int_equal(http_server_start(&options, &handler, &server), ERR_NONE);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)http_server_port(server));
    assert_int_equal(collateral_source_new(
                         &(struct collateral_source_options){
                             .type = type, .name = "test", .url = url, .timeout_ms = PATIENCE_MS},
                         &source),
                     ERR_NONE);
    assert_true(collateral_source_has(source, &key));
    e = collateral_source_fetch(source, &key, out, failure);
    collateral_source_free(&source);
    http_server_stop(&server, 0);
    return e;
}

static void assert_document(struct buffer *document, const char *kind, const char *member)
{
    struct json_value value, object, text;

    assert_int_equal(json_parse(buffer_span(document), &value, NULL), ERR_NONE);
    assert_int_equal(json_member(value, kind, &object), ERR_NONE);
    assert_int_equal(json_member(object, member, &text), ERR_NONE);
    buffer_clear(document);
}

#define ZEROS_48 "000000000000000000000000000000000000000000000000"

static void amd_is_asked_in_the_form_of_kds(void **state)
{
    static const char chip[] = "abcdef0123456789" ZEROS_48 ZEROS_48 "0000000000000000";
    struct collateral_failure failure;
    struct buffer document = {0};
    char name[COLLATERAL_NAME_SIZE];
    char expected[512];

    (void)state;
    status = 200;
    assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, "amd-milan", &document, &failure), ERR_NONE);
    assert_string_equal(asked, "/vcek/v1/Milan/cert_chain\n/vlek/v1/Milan/cert_chain\n"
                               "/vcek/v1/Milan/crl\n");
    assert_document(&document, "amd", "crl");

    (void)snprintf(name, sizeof name, "vcek-genoa-%s-9-0-23-72", chip);
    assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, name, &document, &failure), ERR_NONE);
    (void)snprintf(expected, sizeof expected,
                   "/vcek/v1/Genoa/%s?blSPL=09&teeSPL=00&snpSPL=23&ucodeSPL=72\n", chip);
    assert_string_equal(asked, expected);
    assert_document(&document, "vek", "name");

    /* Turin: eight bytes, and the firmware's own version */
    (void)snprintf(name, sizeof name, "vcek-turin-%s-1-0-2-3-4", chip);
    assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, name, &document, &failure), ERR_NONE);
    assert_string_equal(asked, "/vcek/v1/Turin/abcdef0123456789"
                               "?blSPL=01&teeSPL=00&snpSPL=02&ucodeSPL=03&fmcSPL=04\n");
    buffer_clear(&document);
}

static void a_peer_is_asked_by_name(void **state)
{
    struct collateral_failure failure;
    struct buffer document = {0};

    (void)state;
    status = 200;
    assert_int_equal(fetch(COLLATERAL_SOURCE_PEER, "amd-genoa", &document, &failure), ERR_NONE);
    assert_string_equal(asked, "/v1/collateral/item?name=amd-genoa\n");
    assert_true(span_equal_string(buffer_span(&document), "{\"any\":1}"));
    buffer_clear(&document);
}

static void a_refusal_is_told_with_its_patience(void **state)
{
    static const struct {
        unsigned status;
        bool absent;
    } cases[] = {
        {404, true },
        {429, false},
        {503, false},
        {302, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collateral_failure failure;
        struct buffer document = {0};

        status = cases[i].status;
        assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, "amd-milan", &document, &failure), ERR_IO);
        assert_int_equal(failure.status, cases[i].status);
        assert_int_equal(failure.absent, cases[i].absent);
        assert_int_equal(failure.retry_after_s, 17);
        assert_non_null(strstr(failure.why, "cert_chain"));
        assert_string_equal(asked, "/vcek/v1/Milan/cert_chain\n"); /* and no other request */
        buffer_clear(&document);
    }
}

static void answers_in_another_form_are_told_as_that(void **state)
{
    static const char vcek[] =
        "vcek-genoa-abcdef0123456789" ZEROS_48 ZEROS_48 "0000000000000000-9-0-23-72";
    struct collateral_failure failure;
    struct buffer document = {0};

    (void)state;
    status = 200;
    body = SPAN_LITERAL("-----BEGIN CERTIFICATE-----\n");
    assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, vcek, &document, &failure), ERR_MALFORMED);
    assert_string_equal(failure.why, "the answers do not have the form of a certificate");
    body = SPAN_LITERAL("no list");
    assert_int_equal(fetch(COLLATERAL_SOURCE_KDS, "amd-milan", &document, &failure), ERR_MALFORMED);
    assert_string_equal(failure.why,
                        "the answers do not have the form of certificate chains and a CRL");
    body = SPAN_OF(der);
    assert_int_equal(document.size, 0);
}

static void a_reply_without_the_issuers_chain_is_none(void **state)
{
    struct collateral_failure failure;
    struct buffer document = {0};

    (void)state;
    status = 200;
    assert_int_equal(
        fetch(COLLATERAL_SOURCE_PCCS, "intel-tdx-90c06f000000-platform", &document, &failure),
        ERR_MALFORMED);
    assert_string_equal(asked, "/tdx/certification/v4/tcb?fmspc=90C06F000000\n");
    assert_int_equal(document.size, 0);
}

static void sources_without_a_default_url_need_one(void **state)
{
    static const struct {
        enum collateral_source_type type;
        const char *url, *token_file;
        enum err expected;
    } cases[] = {
        {COLLATERAL_SOURCE_PCS,   NULL,           NULL,              ERR_NONE     },
        {COLLATERAL_SOURCE_KDS,   "",             NULL,              ERR_NONE     },
        {COLLATERAL_SOURCE_PCCS,  NULL,           NULL,              ERR_CONFIG   },
        {COLLATERAL_SOURCE_PEER,  NULL,           NULL,              ERR_CONFIG   },
        {COLLATERAL_SOURCE_PCCS,  "ftp://host",   NULL,              ERR_CONFIG   },
        {COLLATERAL_SOURCE_PEER,  "https://host", "/dev/null/token", ERR_NOT_FOUND},
        {COLLATERAL_SOURCE_TYPES, "https://host", NULL,              ERR_CONFIG   },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct collateral_source_options o = {.type = cases[i].type,
                                                    .name = "test",
                                                    .url = cases[i].url,
                                                    .token_file = cases[i].token_file};
        struct collateral_source *s = NULL;

        assert_int_equal(collateral_source_new(&o, &s), cases[i].expected);
        collateral_source_free(&s);
    }
}

static void a_source_has_its_vendors_collateral(void **state)
{
    static const char intel[] = "intel-sgx-00906ed50000-platform";
    static const char early[] = "intel-sgx-00906ed50000-platform-early";
    static const struct {
        enum collateral_source_type type;
        bool early;
        unsigned evaluation_number;
        const char *name;
        bool has;
    } cases[] = {
        {COLLATERAL_SOURCE_PCS,  false, 0,  intel,       true },
        {COLLATERAL_SOURCE_PCS,  false, 0,  early,       false},
        {COLLATERAL_SOURCE_PCS,  true,  0,  intel,       false},
        {COLLATERAL_SOURCE_PCS,  true,  0,  early,       true },
        {COLLATERAL_SOURCE_PCS,  false, 18, intel,       false},
        {COLLATERAL_SOURCE_PCS,  false, 18, early,       true },
        {COLLATERAL_SOURCE_PCS,  false, 0,  "amd-milan", false},
        {COLLATERAL_SOURCE_PCCS, false, 0,  intel,       true },
        {COLLATERAL_SOURCE_PCCS, false, 0,  early,       false},
        {COLLATERAL_SOURCE_PCCS, false, 0,  "amd-milan", false},
        {COLLATERAL_SOURCE_KDS,  false, 0,  "amd-milan", true },
        {COLLATERAL_SOURCE_KDS,  false, 0,  intel,       false},
        {COLLATERAL_SOURCE_KDS,  true,  0,  early,       false},
        {COLLATERAL_SOURCE_PEER, false, 0,  intel,       true },
        {COLLATERAL_SOURCE_PEER, false, 0,  early,       true },
        {COLLATERAL_SOURCE_PEER, true,  0,  intel,       true },
        {COLLATERAL_SOURCE_PEER, false, 0,  "amd-turin", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct collateral_source_options o = {.type = cases[i].type,
                                                    .name = "test",
                                                    .url = "https://host",
                                                    .early = cases[i].early,
                                                    .evaluation_number =
                                                        cases[i].evaluation_number};
        struct collateral_source *s = NULL;
        struct collateral_key key;

        assert_int_equal(collateral_key_parse(span_string(cases[i].name), &key), ERR_NONE);
        assert_int_equal(collateral_source_new(&o, &s), ERR_NONE);
        assert_int_equal(collateral_source_has(s, &key), cases[i].has);
        collateral_source_free(&s);
    }
}

static int start(void **state)
{
    (void)state;
    return crypto_start() != ERR_NONE;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amd_is_asked_in_the_form_of_kds),
        cmocka_unit_test(a_peer_is_asked_by_name),
        cmocka_unit_test(a_refusal_is_told_with_its_patience),
        cmocka_unit_test(answers_in_another_form_are_told_as_that),
        cmocka_unit_test(a_reply_without_the_issuers_chain_is_none),
        cmocka_unit_test(a_source_has_its_vendors_collateral),
        cmocka_unit_test(sources_without_a_default_url_need_one),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
