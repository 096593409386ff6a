/* Real blobs of Azure's paravisor, and input that must not be accepted as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/azure_hcl.h"
#include "base/text.h"
#include "base/writer.h"
#include "support/tally.h"
#include "support/vectors.h"

#define FOLDER "attestation"

static const char *const ids[] = {"azure-hcl-snp-c1035b", "azure-hcl-tdx-f7d67c"};

struct hcl_case {
    json_t *index;
    const json_t *expected;
    struct buffer blob;
};

static bool case_load(const char *id, struct hcl_case *out)
{
    char path[512];
    size_t i;
    json_t *entry;

    *out = (struct hcl_case){0};
    if (!vectors_have(FOLDER "/index.json", "Azure HCL blobs"))
        return false;
    out->index = vectors_json(FOLDER "/index.json");
    json_array_foreach(json_object_get(out->index, "cases"), i, entry)
    {
        if (strcmp(json_string_value(json_object_get(entry, "id")), id) != 0)
            continue;
        out->expected = json_object_get(entry, "expected");
        (void)snprintf(path, sizeof path, "%s/%s", FOLDER,
                       json_string_value(json_object_get(entry, "evidence")));
        vectors_read(path, &out->blob);
    }
    assert_non_null(out->expected);
    return true;
}

static void case_clear(struct hcl_case *c)
{
    buffer_clear(&c->blob);
    json_decref(c->index);
}

static enum attest_reason parse(struct span blob, struct azure_hcl *out)
{
    struct refusal r = {0};

    if (azure_hcl_parse(blob, out, &r) == ERR_NONE)
        return ATTEST_OK;
    assert_int_not_equal(r.reason, ATTEST_OK);
    assert_string_not_equal(r.step, "");
    return r.reason;
}

static void check_hex(const json_t *expected, const char *member, struct span got)
{
    char hex[2 * 64 + 1];

    assert_in_range(got.size, 1, 64);
    hex_write(got, hex);
    assert_string_equal(json_string_value(json_object_get(expected, member)), hex);
}

static void test_stored_blobs_bind_their_runtime_data(void **state)
{
    static const char *const types[] = {
        [AZURE_HCL_SNP] = "snp", [3] = "", [AZURE_HCL_TDX] = "tdx-tdreport"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct hcl_case c;
        struct azure_hcl hcl;
        uint8_t hash[SHA256_SIZE];

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(parse(buffer_span(&c.blob), &hcl), ATTEST_OK);
        assert_string_equal(json_string_value(json_object_get(c.expected, "report_type")),
                            types[hcl.claims.report_type]);
        assert_string_equal(json_string_value(json_object_get(c.expected, "hash")), "sha256");
        assert_int_equal(hcl.claims.hash_type, AZURE_HCL_SHA256);
        assert_int_equal(json_integer_value(json_object_get(c.expected, "runtime_data_offset")),
                         hcl.claims.runtime_data.data - c.blob.data);
        assert_int_equal(json_integer_value(json_object_get(c.expected, "runtime_data_len")),
                         hcl.claims.runtime_data.size);
        sha256(hcl.claims.runtime_data, hash);
        check_hex(c.expected, "runtime_data_sha", SPAN_OF(hash));
        check_hex(c.expected, "report_data", hcl.report_data);
        assert_true(azure_hcl_is(buffer_span(&c.blob)));
        case_clear(&c);
    }
}

/* The hash does not prove who made the report. */
static void test_by_itself_no_blob_is_authentic(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct attest_trust trust;
        struct attest_result r;
        struct hcl_case c;

        if (!case_load(ids[i], &c))
            skip();
        attest_trust_vendors(&trust);
        const struct attest_evidence evidence = {.bytes = buffer_span(&c.blob)};

        assert_int_equal(attest_evidence_kind(evidence.bytes), ATTEST_AZURE_HCL);
        assert_int_equal(
            attest_verify(&trust, NULL, NULL, &evidence, timestamp_of_seconds(1678652405), &r),
            ERR_DENIED);
        assert_int_equal(r.reason, ATTEST_COLLATERAL_MISSING);
        assert_int_equal(r.kind, ATTEST_AZURE_HCL);
        assert_false(r.authentic);
        assert_string_equal(r.steps[0], "hcl_report");
        assert_int_equal(json_integer_value(json_object_get(c.expected, "runtime_data_len")),
                         r.azure.runtime_data.size);
        check_hex(c.expected, "report_data", SPAN_OF(r.report_data));
        case_clear(&c);
    }
}

/* Up to the end of the JSON; only zeros follow it. */
static void test_every_prefix_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct hcl_case c;
        struct azure_hcl hcl;
        size_t end;

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(parse(buffer_span(&c.blob), &hcl), ATTEST_OK);
        end = AZURE_HCL_RUNTIME_OFFSET + hcl.claims.runtime_data.size;
        for (size_t size = 0; size < end; size++)
            assert_int_equal(parse(span_of(c.blob.data, size), &hcl), ATTEST_MALFORMED);
        assert_int_equal(parse(span_of(c.blob.data, end), &hcl), ATTEST_OK);
        case_clear(&c);
    }
}

/* The verifier of its kind checks the report without its data. Nothing checks the rest of the
 * header. */
static bool is_bound(const struct azure_hcl *hcl, struct span blob, size_t at)
{
    size_t report_data = (size_t)(hcl->report_data.data - blob.data);

    return at < 8 || (at >= report_data && at < report_data + 64) || at >= 32 + 1184;
}

static void test_every_flipped_bit_of_bound_data_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct hcl_case c;
        struct azure_hcl hcl;
        struct azure_hcl ignored;

        if (!case_load(ids[i], &c))
            skip();
        assert_int_equal(parse(buffer_span(&c.blob), &hcl), ATTEST_OK);
        for (size_t bit = 0; bit < 8 * c.blob.size; bit++) {
            if (!is_bound(&hcl, buffer_span(&c.blob), bit / 8))
                continue;
            c.blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (parse(buffer_span(&c.blob), &ignored) == ATTEST_OK)
                fail_msg("%s: accepted with bit %zu flipped", ids[i], bit);
            c.blob.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        case_clear(&c);
    }
}

/*
 * Blobs made here.
 */

struct made {
    uint32_t version, data_size_off_by, data_version, report_type, hash_type;
    uint8_t first_byte; /* of the report */
    size_t report_data; /* where in the report */
    const char *json;
};

static struct span make(const struct made *m, uint8_t *space, size_t capacity)
{
    struct writer w = writer_over(space, capacity);
    struct span json = span_string(m->json);
    uint8_t report[1184] = {m->first_byte};
    struct span written;

    if (m->hash_type == AZURE_HCL_SHA384)
        sha384(json, report + m->report_data);
    else if (m->hash_type == AZURE_HCL_SHA512)
        sha512(json, report + m->report_data);
    else
        sha256(json, report + m->report_data);
    writer_put(&w, SPAN_LITERAL("HCLA"));
    writer_u32le(&w, m->version);
    writer_zero(&w, 24);
    writer_put(&w, SPAN_OF(report));
    writer_u32le(&w, (uint32_t)json.size + 20 + m->data_size_off_by);
    writer_u32le(&w, m->data_version);
    writer_u32le(&w, m->report_type);
    writer_u32le(&w, m->hash_type);
    writer_u32le(&w, (uint32_t)json.size);
    writer_put(&w, json);
    assert_int_equal(writer_finish(&w, &written), ERR_NONE);
    tally_made(1);
    return written;
}

static void test_made_blobs_are_judged_field_by_field(void **state)
{
    static const struct {
        struct made made;
        enum attest_reason expected;
    } cases[] = {
        {{1, 0, 1, 2, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_OK                   },
        {{2, 0, 1, 2, 2, 3, 80, "{\"keys\":[]}"},             ATTEST_OK                   },
        {{2, 0, 1, 2, 3, 5, 80, "{\"keys\":[]}"},             ATTEST_OK                   },
        {{2, 0, 1, 4, 1, 0x81, 128, "{\"keys\":[{}]}"},       ATTEST_OK                   },
        {{0, 0, 1, 2, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_VERSION  },
        {{3, 0, 1, 2, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_VERSION  },
        {{1, 0, 2, 2, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_VERSION  },
        {{1, 0, 1, 3, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_VERSION  },
        {{1, 0, 1, 0, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_VERSION  },
        {{1, 0, 1, 2, 0, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_ALGORITHM},
        {{1, 0, 1, 2, 4, 2, 80, "{\"keys\":[]}"},             ATTEST_UNSUPPORTED_ALGORITHM},
        {{1, 1, 1, 2, 1, 2, 80, "{\"keys\":[]}"},             ATTEST_MALFORMED            },
        {{1, 0, 1, 2, 1, 0x81, 80, "{\"keys\":[]}"},          ATTEST_TEE_TYPE_MISMATCH    },
        {{1, 0, 1, 2, 1, 6, 80, "{\"keys\":[]}"},             ATTEST_TEE_TYPE_MISMATCH    },
        {{1, 0, 1, 4, 1, 2, 128, "{\"keys\":[]}"},            ATTEST_TEE_TYPE_MISMATCH    },
        {{1, 0, 1, 4, 1, 0x81, 1100, "{\"keys\":[]}"},        ATTEST_TEE_TYPE_MISMATCH    }, /* no zeros */
        {{1, 0, 1, 2, 1, 2, 81, "{\"keys\":[]}"},             ATTEST_BINDING_MISMATCH     },
        {{1, 0, 1, 2, 1, 2, 128, "{\"keys\":[]}"},            ATTEST_BINDING_MISMATCH     },
        {{1, 0, 1, 2, 1, 2, 80, ""},                          ATTEST_MALFORMED            },
        {{1, 0, 1, 2, 1, 2, 80, "{}"},                        ATTEST_MALFORMED            },
        {{1, 0, 1, 2, 1, 2, 80, "{\"keys\":{}}"},             ATTEST_MALFORMED            },
        {{1, 0, 1, 2, 1, 2, 80, "[]"},                        ATTEST_MALFORMED            },
        {{1, 0, 1, 2, 1, 2, 80, "{\"keys\":[],\"keys\":[]}"}, ATTEST_MALFORMED            },
    };
    uint8_t space[2048];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct azure_hcl hcl;
        enum attest_reason reason = parse(make(&cases[i].made, space, sizeof space), &hcl);

        if (reason != cases[i].expected)
            fail_msg("case %zu: %s", i, attest_reason_code(reason));
    }
}

/* Only the paravisor's own report proves the data around it. */
static void test_a_report_of_a_lower_privilege_is_refused(void **state)
{
    static const struct made good = {1, 0, 1, 2, 1, 2, 80, "{\"keys\":[]}"};
    uint8_t space[2048] = {0};
    struct span blob = make(&good, space, sizeof space);
    struct azure_hcl hcl;

    (void)state;
    for (unsigned bit = 0; bit < 32; bit++) {
        uint8_t *byte = space + 32 + 0x30 + bit / 8;

        *byte = (uint8_t)(1u << bit % 8);
        assert_int_equal(parse(blob, &hcl), ATTEST_MALFORMED);
        *byte = 0;
        assert_int_equal(parse(blob, &hcl), ATTEST_OK);
    }
}

static void test_only_zeros_may_follow(void **state)
{
    static const struct made good = {1, 0, 1, 2, 1, 2, 80, "{\"keys\":[]}"};
    uint8_t space[2048] = {0};
    struct span blob = make(&good, space, sizeof space);
    struct azure_hcl hcl;

    (void)state;
    assert_int_equal(parse(span_of(space, blob.size + 100), &hcl), ATTEST_OK);
    space[blob.size + 50] = 1;
    assert_int_equal(parse(span_of(space, blob.size + 100), &hcl), ATTEST_TRAILING_DATA);
}

static void test_a_blob_that_is_too_large_is_refused(void **state)
{
    static uint8_t blob[ATTEST_EVIDENCE_MAX + 1] = "HCLA";
    struct azure_hcl hcl;

    (void)state;
    assert_int_equal(parse(SPAN_OF(blob), &hcl), ATTEST_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_blobs_bind_their_runtime_data),
        cmocka_unit_test(test_by_itself_no_blob_is_authentic),
        cmocka_unit_test(test_every_prefix_is_refused),
        cmocka_unit_test(test_every_flipped_bit_of_bound_data_is_refused),
        cmocka_unit_test(test_made_blobs_are_judged_field_by_field),
        cmocka_unit_test(test_a_report_of_a_lower_privilege_is_refused),
        cmocka_unit_test(test_only_zeros_may_follow),
        cmocka_unit_test(test_a_blob_that_is_too_large_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
