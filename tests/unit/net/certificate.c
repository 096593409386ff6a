#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "certificate.h"
#include "crypto/random.h"
#include "crypto/x509_make.h"

void certificate_server(struct tls_server **out, struct buffer *pem)
{
    struct p256_private *key = NULL;
    struct buffer der = {0};
    struct x509_template t = {.common_name = "127.0.0.1",
                              .serial = 1,
                              .not_before = timestamp_of_seconds(1700000000),
                              .not_after = timestamp_of_seconds(4000000000),
                              .is_tls_server = true,
                              .dns_name = "127.0.0.1"};

    assert_int_equal(crypto_start(), ERR_NONE);
    assert_int_equal(p256_generate(&key), ERR_NONE);
    t.key = key;
    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&der), pem), ERR_NONE);
    assert_int_equal(tls_server_new(key, buffer_span(pem), out), ERR_NONE);
    buffer_clear(&der);
    p256_private_free(&key);
}

static const char authority_name[] = "test authority";

static void make(const struct x509_template *t, struct buffer *pem)
{
    struct buffer der = {0};

    assert_int_equal(x509_make(t, &der), ERR_NONE);
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&der), pem), ERR_NONE);
    buffer_clear(&der);
}

static void authority_make(struct p256_private **key, struct buffer *pem)
{
    struct x509_template t = {.common_name = authority_name,
                              .serial = 1,
                              .not_before = timestamp_of_seconds(1700000000),
                              .not_after = timestamp_of_seconds(4000000000),
                              .is_ca = true};

    assert_int_equal(crypto_start(), ERR_NONE);
    assert_int_equal(p256_generate(key), ERR_NONE);
    t.key = *key;
    make(&t, pem);
}

void certificate_authority(struct buffer *ca_pem)
{
    struct p256_private *key = NULL;

    authority_make(&key, ca_pem);
    p256_private_free(&key);
}

void certificate_server_of(const char *host, struct timestamp not_after, struct tls_server **out,
                           struct buffer *ca_pem)
{
    struct p256_private *authority = NULL;
    struct p256_private *key = NULL;
    struct buffer pem = {0};
    struct x509_template t = {.common_name = host,
                              .issuer_name = authority_name,
                              .serial = 2,
                              .not_before = timestamp_of_seconds(1700000000),
                              .not_after = not_after,
                              .is_tls_server = true,
                              .dns_name = host};

    authority_make(&authority, ca_pem);
    assert_int_equal(p256_generate(&key), ERR_NONE);
    t.key = key;
    t.signer = authority;
    make(&t, &pem);
    assert_int_equal(tls_server_new(key, buffer_span(&pem), out), ERR_NONE);
    buffer_clear(&pem);
    p256_private_free(&key);
    p256_private_free(&authority);
}
