#include "attest/qe_identity.h"

#include <stdlib.h>

#include "attest/sgx_report.h"

#define QE_IDENTITY_VERSION 2

const struct intel_reasons qe_identity_reasons = {"qe_identity", ATTEST_QE_IDENTITY_MALFORMED,
                                                  ATTEST_QE_IDENTITY_SIGNATURE_INVALID};

MUST_CHECK static enum err malformed(struct refusal *r, const char *expected, const char *presented)
{
    return refuse(r, ATTEST_QE_IDENTITY_MALFORMED, "qe_identity", expected, presented);
}

MUST_CHECK static enum err kind_read(struct json_value id, enum qe_identity_kind *out,
                                     struct refusal *r)
{
    if (json_string_equal(id, "QE"))
        *out = QE_IDENTITY_SGX;
    else if (json_string_equal(id, "TD_QE"))
        *out = QE_IDENTITY_TDX;
    else /* also the quote verification enclave, "QVE": it never signs quotes */
        return refuse(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "id QE or TD_QE", NULL);
    return ERR_NONE;
}

/* MISCSELECT is written most significant digit first, unlike the byte strings. */
MUST_CHECK static enum err misc_select_read(struct json_value value, uint32_t *out)
{
    uint8_t bytes[4];

    if (intel_hex_read(value, bytes, sizeof bytes) != ERR_NONE)
        return ERR_MALFORMED;
    *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return ERR_NONE;
}

MUST_CHECK static enum err measurements_read(struct json_value document,
                                             struct qe_identity *identity, struct refusal *r)
{
    struct json_value misc, misc_mask, attributes, attributes_mask, mr_signer, isv_prod_id;
    const struct json_field fields[] = {
        {"miscselect",     JSON_STRING, true, &misc           },
        {"miscselectMask", JSON_STRING, true, &misc_mask      },
        {"attributes",     JSON_STRING, true, &attributes     },
        {"attributesMask", JSON_STRING, true, &attributes_mask},
        {"mrsigner",       JSON_STRING, true, &mr_signer      },
        {"isvprodid",      JSON_NUMBER, true, &isv_prod_id    },
    };
    const char *bad = "";
    uint64_t number = 0;

    if (json_object_read(document, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "all members of an enclave identity", bad);
    if (misc_select_read(misc, &identity->misc_select) != ERR_NONE ||
        misc_select_read(misc_mask, &identity->misc_select_mask) != ERR_NONE ||
        intel_hex_read(attributes, identity->attributes, 16) != ERR_NONE ||
        intel_hex_read(attributes_mask, identity->attributes_mask, 16) != ERR_NONE ||
        intel_hex_read(mr_signer, identity->mr_signer, 32) != ERR_NONE ||
        intel_uint_read(isv_prod_id, UINT16_MAX, &number) != ERR_NONE)
        return malformed(r, "hex digits of the right number", "measurements");
    identity->isv_prod_id = (uint16_t)number;
    return ERR_NONE;
}

MUST_CHECK static enum err identity_read(struct json_value document, struct qe_identity *identity,
                                         struct refusal *r)
{
    struct json_value id, version, issued, next_update, evaluation, levels;
    const struct json_field fields[] = {
        {"id",                      JSON_STRING, true, &id         },
        {"version",                 JSON_NUMBER, true, &version    },
        {"issueDate",               JSON_STRING, true, &issued     },
        {"nextUpdate",              JSON_STRING, true, &next_update},
        {"tcbEvaluationDataNumber", JSON_NUMBER, true, &evaluation },
        {"tcbLevels",               JSON_ARRAY,  true, &levels     },
    };
    const char *bad = "";
    uint64_t number = 0;
    enum err e;

    if (json_object_read(document, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "all members of an enclave identity", bad);
    if (intel_uint_read(version, UINT32_MAX, &number) != ERR_NONE || number != QE_IDENTITY_VERSION)
        return malformed(r, "version 2", "version");
    if ((e = kind_read(id, &identity->kind, r)) != ERR_NONE)
        return e;
    if (intel_time_read(issued, &identity->issued) != ERR_NONE ||
        intel_time_read(next_update, &identity->next_update) != ERR_NONE)
        return malformed(r, "times in UTC", "issueDate, nextUpdate");
    if (intel_uint_read(evaluation, UINT32_MAX, &number) != ERR_NONE)
        return malformed(r, "a whole number", "tcbEvaluationDataNumber");
    identity->evaluation_number = (uint32_t)number;
    if ((e = measurements_read(document, identity, r)) != ERR_NONE)
        return e;
    return intel_levels_read(levels, &qe_identity_reasons, &identity->levels,
                             &identity->level_count, r);
}

enum err qe_identity_parse(struct span json, struct qe_identity *out, struct refusal *r)
{
    struct qe_identity identity = {0};
    struct json_value document;
    enum err e;

    if (json_parse(json, &document, NULL) != ERR_NONE)
        return malformed(r, "JSON", NULL);
    e = identity_read(document, &identity, r);
    if (e == ERR_NONE)
        *out = identity;
    else
        qe_identity_clear(&identity);
    return e;
}

void qe_identity_clear(struct qe_identity *identity)
{
    free(identity->levels);
    *identity = (struct qe_identity){0};
}

static bool attributes_match(const struct qe_identity *identity, const struct sgx_report *report)
{
    for (size_t i = 0; i < sizeof report->attributes; i++)
        if ((report->attributes[i] & identity->attributes_mask[i]) != identity->attributes[i])
            return false;
    return true;
}

MUST_CHECK static enum err measurements_match(const struct qe_identity *identity,
                                              const struct sgx_report *report, struct refusal *r)
{
    if ((report->misc_select & identity->misc_select_mask) != identity->misc_select)
        return refuse_number(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "MISCSELECT",
                             identity->misc_select, report->misc_select);
    if (!attributes_match(identity, report))
        return refuse_bytes(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "ATTRIBUTES",
                            SPAN_OF(identity->attributes), SPAN_OF(report->attributes));
    if (!span_equal(SPAN_OF(report->mr_signer), SPAN_OF(identity->mr_signer)))
        return refuse_bytes(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "MRSIGNER",
                            SPAN_OF(identity->mr_signer), SPAN_OF(report->mr_signer));
    if (report->isv_prod_id != identity->isv_prod_id)
        return refuse_number(r, ATTEST_QE_IDENTITY_MISMATCH, "qe_identity", "ISVPRODID",
                             identity->isv_prod_id, report->isv_prod_id);
    return ERR_NONE;
}

enum err qe_identity_match(const struct qe_identity *identity, const struct sgx_report *report,
                           const struct intel_level **level, struct refusal *r)
{
    enum err e;

    if (sgx_report_is_debug(report))
        return refuse(r, ATTEST_QE_DEBUG, "qe_identity", "a production enclave", "a debug enclave");
    if ((e = measurements_match(identity, report, r)) != ERR_NONE)
        return e;
    *level = intel_level_find(identity->levels, identity->level_count, report->isv_svn);
    if (*level)
        return ERR_NONE;
    return refuse_number(r, ATTEST_QE_ISVSVN_NOT_SUPPORTED, "qe_identity", "ISVSVN at least",
                         identity->levels[identity->level_count - 1].isv_svn, report->isv_svn);
}
