#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "attest/ra_tls.h"
#include "codec/cbor.h"
#include "crypto/x509_make.h"

static const uint8_t quote[] = "not a quote, but this module does not look inside";

static struct p256_private *key;
static uint8_t spki[SHA256_SIZE]; /* of `key` */

static struct x509_cert *certificate_with(const char *oid, struct span extension)
{
    const struct x509_template t = {
        .common_name = "RA-TLS",
        .key = key,
        .serial = 1,
        .not_before = timestamp_of_seconds(1700000000),
        .not_after = timestamp_of_seconds(1800000000),
        .extension_oid = oid,
        .extension = extension,
    };
    struct x509_cert *c = NULL;
    struct buffer der = {0};

    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    assert_int_equal(x509_cert_parse(buffer_span(&der), &c), ERR_NONE);
    buffer_clear(&der);
    return c;
}

static int set_up(void **state)
{
    struct x509_cert *c;

    (void)state;
    if (p256_generate(&key) != ERR_NONE)
        return -1;
    c = certificate_with(NULL, (struct span){0});
    x509_cert_spki_sha256(c, spki);
    x509_cert_free(&c);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    p256_private_free(&key);
    return 0;
}

static void extension_of(enum ra_tls_form form, struct buffer *out)
{
    assert_int_equal(ra_tls_write(form, SPAN_OF(quote), spki, out), ERR_NONE);
}

static void what_is_written_is_read_again(void **state)
{
    static const struct {
        enum ra_tls_form form;
        const char *oid;
    } cases[] = {
        {RA_TLS_GRAMINE, RA_TLS_OID_GRAMINE      },
        {RA_TLS_GRAMINE, RA_TLS_OID_GRAMINE_CLEAN},
        {RA_TLS_TCG,     RA_TLS_OID_TCG          },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t expected[REPORT_DATA_SIZE];
        struct ra_tls_evidence e = {0};
        struct buffer extension = {0};
        struct x509_cert *c;

        extension_of(cases[i].form, &extension);
        c = certificate_with(cases[i].oid, buffer_span(&extension));
        assert_int_equal(ra_tls_read(c, &e), ERR_NONE);
        assert_int_equal(e.form, cases[i].form);
        assert_true(span_equal(e.evidence, SPAN_OF(quote)));
        ra_tls_report_data(cases[i].form, spki, expected);
        assert_memory_equal(e.report_data, expected, sizeof expected);
        assert_true(span_is_zero(span_of(e.report_data + SHA256_SIZE, SHA256_SIZE)));
        x509_cert_free(&c);
        buffer_clear(&extension);
    }
}

/* The bytes that Gramine writes: the DER of the OID, with tag and length, as the OID. */
static void gramines_object_identifier_has_its_stray_prefix(void **state)
{
    static const uint8_t oid[] = {0x06, 0x0b, 0x06, 0x09, 0x2a, 0x86, 0x48,
                                  0x86, 0xf8, 0x4d, 0x8a, 0x39, 0x06};
    const struct x509_template t = {
        .common_name = "RA-TLS",
        .key = key,
        .serial = 1,
        .not_before = timestamp_of_seconds(1700000000),
        .not_after = timestamp_of_seconds(1800000000),
        .extension_oid = ra_tls_oid(RA_TLS_GRAMINE),
        .extension = SPAN_OF(quote),
    };
    struct buffer der = {0};
    bool found = false;

    (void)state;
    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    for (size_t i = 0; i + sizeof oid <= der.size; i++)
        found = found || memcmp(der.data + i, oid, sizeof oid) == 0;
    assert_true(found);
    buffer_clear(&der);
}

static void the_key_is_bound_by_the_report_data(void **state)
{
    const uint8_t other[SHA256_SIZE] = {1};
    uint8_t mine[REPORT_DATA_SIZE], theirs[REPORT_DATA_SIZE];

    (void)state;
    ra_tls_report_data(RA_TLS_GRAMINE, spki, mine);
    assert_memory_equal(mine, spki, SHA256_SIZE);
    for (int form = RA_TLS_GRAMINE; form <= RA_TLS_TCG; form++) {
        ra_tls_report_data((enum ra_tls_form)form, spki, mine);
        ra_tls_report_data((enum ra_tls_form)form, other, theirs);
        assert_memory_not_equal(mine, theirs, sizeof mine);
    }
}

static void a_certificate_without_evidence_is_told_apart(void **state)
{
    struct x509_cert *c = certificate_with(NULL, (struct span){0});
    struct ra_tls_evidence e;

    (void)state;
    assert_int_equal(ra_tls_read(c, &e), ERR_NOT_FOUND);
    x509_cert_free(&c);
}

/* The claims come from another certificate. */
static void claims_about_another_key_are_refused(void **state)
{
    const uint8_t other[SHA256_SIZE] = {1};
    struct buffer extension = {0};
    struct ra_tls_evidence e;

    (void)state;
    assert_int_equal(ra_tls_write(RA_TLS_TCG, SPAN_OF(quote), other, &extension), ERR_NONE);
    assert_int_equal(ra_tls_extension_read(RA_TLS_TCG, buffer_span(&extension), spki, &e),
                     ERR_DENIED);
    buffer_clear(&extension);
}

static void every_prefix_and_every_suffix_is_refused(void **state)
{
    struct buffer extension = {0};
    struct ra_tls_evidence e;

    (void)state;
    extension_of(RA_TLS_TCG, &extension);
    for (size_t size = 0; size < extension.size; size++)
        assert_int_not_equal(
            ra_tls_extension_read(RA_TLS_TCG, span_of(extension.data, size), spki, &e), ERR_NONE);
    assert_int_equal(buffer_append(&extension, SPAN_LITERAL("\0")), ERR_NONE);
    assert_int_equal(ra_tls_extension_read(RA_TLS_TCG, buffer_span(&extension), spki, &e),
                     ERR_MALFORMED);
    buffer_clear(&extension);
}

/* A flipped bit outside the quote is refused, or changes the required report data. */
static void every_flipped_bit_of_the_claims_is_noticed(void **state)
{
    uint8_t expected[REPORT_DATA_SIZE];
    struct buffer extension = {0};
    struct ra_tls_evidence e;

    (void)state;
    extension_of(RA_TLS_TCG, &extension);
    ra_tls_report_data(RA_TLS_TCG, spki, expected);
    for (size_t bit = 0; bit < 8 * extension.size; bit++) {
        extension.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (ra_tls_extension_read(RA_TLS_TCG, buffer_span(&extension), spki, &e) == ERR_NONE)
            assert_false(span_equal(e.evidence, SPAN_OF(quote)) &&
                         memcmp(e.report_data, expected, sizeof expected) == 0);
        extension.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    buffer_clear(&extension);
}

struct shape {
    uint64_t tag, elements, algorithm;
    const char *member;
    size_t hash_size;
    enum err expected;
};

static struct span shape_write(const struct shape *s, uint8_t *out, size_t capacity)
{
    uint8_t hash[64], claims[128];
    struct writer h = writer_over(hash, sizeof hash);
    struct writer c = writer_over(claims, sizeof claims);
    struct writer w = writer_over(out, capacity);

    cbor_put_array(&h, 2);
    cbor_put_uint(&h, s->algorithm);
    cbor_put_bytes(&h, span_of(spki, s->hash_size));
    cbor_put_map(&c, 1);
    cbor_put_text(&c, span_string(s->member));
    cbor_put_bytes(&c, span_of(hash, h.size));
    cbor_put_tag(&w, s->tag);
    cbor_put_array(&w, s->elements);
    cbor_put_bytes(&w, SPAN_OF(quote));
    for (uint64_t i = 1; i < s->elements; i++)
        cbor_put_bytes(&w, span_of(claims, c.size));
    assert_false(w.failed);
    return span_of(out, w.size);
}

static void other_shapes_are_refused(void **state)
{
    static const struct shape shapes[] = {
        {60000, 2, 1, "pubkey-hash", 32, ERR_NONE       },
        {60001, 2, 1, "pubkey-hash", 32, ERR_MALFORMED  },
        {60000, 1, 1, "pubkey-hash", 32, ERR_MALFORMED  },
        {60000, 3, 1, "pubkey-hash", 32, ERR_MALFORMED  },
        {60000, 2, 7, "pubkey-hash", 32, ERR_UNSUPPORTED},
        {60000, 2, 1, "pubkey_hash", 32, ERR_MALFORMED  },
        {60000, 2, 1, "pubkey-hash", 31, ERR_DENIED     },
        {60000, 2, 1, "pubkey-hash", 0,  ERR_DENIED     },
    };
    uint8_t bytes[512];
    struct ra_tls_evidence e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        assert_int_equal(ra_tls_extension_read(
                             RA_TLS_TCG, shape_write(&shapes[i], bytes, sizeof bytes), spki, &e),
                         shapes[i].expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(gramines_object_identifier_has_its_stray_prefix),
        cmocka_unit_test(the_key_is_bound_by_the_report_data),
        cmocka_unit_test(a_certificate_without_evidence_is_told_apart),
        cmocka_unit_test(claims_about_another_key_are_refused),
        cmocka_unit_test(every_prefix_and_every_suffix_is_refused),
        cmocka_unit_test(every_flipped_bit_of_the_claims_is_noticed),
        cmocka_unit_test(other_shapes_are_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
