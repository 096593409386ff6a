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
