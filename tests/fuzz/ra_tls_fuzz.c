/* attest/ra_tls: input as the contents of an extension, and as a certificate. Parsed evidence is
 * inside the input; an extension written from it parses again. */
#include <stdlib.h>
#include <string.h>

#include "attest/ra_tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The subject of the seed's claims. */
static const uint8_t spki[SHA256_SIZE] = "0123456789abcdef0123456789abcde";

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void read_extension(struct span bytes)
{
    struct ra_tls_evidence e, again;
    struct buffer written = {0};

    if (ra_tls_extension_read(RA_TLS_TCG, bytes, spki, &e) != ERR_NONE)
        return;
    require(e.evidence.size <= bytes.size);
    require(e.evidence.size == 0 || (e.evidence.data >= bytes.data &&
                                     e.evidence.data + e.evidence.size <= bytes.data + bytes.size));
    if (ra_tls_write(RA_TLS_TCG, e.evidence, spki, &written) == ERR_NONE) {
        require(ra_tls_extension_read(RA_TLS_TCG, buffer_span(&written), spki, &again) == ERR_NONE);
        require(span_equal(again.evidence, e.evidence));
    }
    buffer_clear(&written);
}

static void read_certificate(struct span bytes)
{
    struct x509_cert *c = NULL;
    struct ra_tls_evidence e;

    if (x509_cert_parse(bytes, &c) == ERR_NONE && ra_tls_read(c, &e) == ERR_NONE)
        require(e.evidence.size <= X509_MAX_SIZE);
    x509_cert_free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_extension(span_of(data, size));
    read_certificate(span_of(data, size));
    return 0;
}
