#include "attest/intel_json.h"

#include <stdlib.h>

#include "base/text.h"

enum err intel_time_read(struct json_value value, struct timestamp *out)
{
    struct span text;

    return json_string_plain(value, &text) == ERR_NONE ? timestamp_parse(text, out) : ERR_MALFORMED;
}

enum err intel_hex_read(struct json_value value, uint8_t *out, size_t size)
{
    struct span text;

    return json_string_plain(value, &text) == ERR_NONE ? hex_read(text, out, size) : ERR_MALFORMED;
}

enum err intel_uint_read(struct json_value value, uint64_t max, uint64_t *out)
{
    uint64_t number;

    if (json_uint64(value, &number) != ERR_NONE || number > max)
        return ERR_MALFORMED;
    *out = number;
    return ERR_NONE;
}

enum err intel_signature_read(struct span hex, const struct intel_reasons *reasons,
                              struct intel_signed *out, struct refusal *r)
{
    if (hex_read(hex, out->signature, sizeof out->signature) != ERR_NONE)
        return refuse(r, reasons->signature_invalid, reasons->step, "a signature of 128 hex digits",
                      NULL);
    return ERR_NONE;
}

enum err intel_envelope_read(struct span body, const char *member,
                             const struct intel_reasons *reasons, struct intel_signed *out,
                             struct refusal *r)
{
    struct json_value document, signed_part, signature;
    const struct json_field fields[] = {
        {member,      JSON_OBJECT, true, &signed_part},
        {"signature", JSON_STRING, true, &signature  },
    };
    struct span hex;

    if (body.size > ATTEST_JSON_MAX)
        return refuse_number(r, ATTEST_TOO_LARGE, reasons->step, "bytes at most", ATTEST_JSON_MAX,
                             body.size);
    if (json_parse(body, &document, NULL) != ERR_NONE ||
        json_object_read(document, fields, COUNT_OF(fields), false, NULL) != ERR_NONE ||
        json_string_plain(signature, &hex) != ERR_NONE)
        return refuse(r, reasons->malformed, reasons->step,
                      "a JSON object of the signed document and its signature", NULL);
    out->bytes = signed_part.raw; /* exactly as received, because these bytes are signed */
    return intel_signature_read(hex, reasons, out, r);
}

/* "INTEL-SA-00615"; refuses characters that could confuse a log or a list. */
static bool is_advisory(struct json_value value)
{
    struct span text;

    if (json_string_plain(value, &text) != ERR_NONE || text.size == 0 ||
        text.size >= INTEL_ADVISORY_SIZE)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];

        if (!(c == '-' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return true;
}

static bool are_advisories(struct json_value list)
{
    struct json_iterator i = {0};
    struct json_value entry;

    if (json_count(list) > ATTEST_ADVISORIES_MAX)
        return false;
    while (json_next(list, &i, NULL, &entry))
        if (!is_advisory(entry))
            return false;
    return true;
}

enum err intel_judgement_read(struct json_value level, const struct intel_reasons *reasons,
                              struct intel_judgement *out, struct refusal *r)
{
    struct json_value date, status, advisories;
    const struct json_field fields[] = {
        {"tcbDate",     JSON_STRING, true,  &date      },
        {"tcbStatus",   JSON_STRING, true,  &status    },
        {"advisoryIDs", JSON_ARRAY,  false, &advisories},
    };
    const char *bad = "tcbDate";
    struct span name;

    if (json_object_read(level, fields, COUNT_OF(fields), true, &bad) != ERR_NONE ||
        intel_time_read(date, &out->date) != ERR_NONE)
        return refuse(r, reasons->malformed, reasons->step, "a well-formed level", bad);
    /* statuses beyond Revoked result from a merge; no level has them */
    if (json_string_plain(status, &name) != ERR_NONE ||
        tcb_status_parse(name, &out->status) != ERR_NONE || out->status > TCB_REVOKED)
        return refuse(r, ATTEST_TCB_STATUS_UNRECOGNIZED, reasons->step, "a known tcbStatus", NULL);
    if (advisories.type != JSON_NULL && !are_advisories(advisories))
        return refuse(r, reasons->malformed, reasons->step, "a list of advisory names",
                      "advisoryIDs");
    out->advisories = advisories;
    return ERR_NONE;
}

MUST_CHECK static enum err level_read(struct json_value value, const struct intel_reasons *reasons,
                                      struct intel_level *out, struct refusal *r)
{
    struct json_value tcb, isv_svn;
    uint64_t number;
    enum err e;

    if (json_member(value, "tcb", &tcb) != ERR_NONE ||
        json_member(tcb, "isvsvn", &isv_svn) != ERR_NONE ||
        intel_uint_read(isv_svn, UINT16_MAX, &number) != ERR_NONE)
        return refuse(r, reasons->malformed, reasons->step, "a whole number up to 65535", "isvsvn");
    out->isv_svn = (uint16_t)number;
    if ((e = intel_judgement_read(value, reasons, &out->judgement, r)) != ERR_NONE)
        return e;
    /* the merge knows no other statuses; to ignore one would be more lenient than Intel intends */
    if (out->judgement.status != TCB_UP_TO_DATE && out->judgement.status != TCB_OUT_OF_DATE &&
        out->judgement.status != TCB_REVOKED)
        return refuse(r, ATTEST_TCB_STATUS_UNRECOGNIZED, reasons->step,
                      "UpToDate, OutOfDate or Revoked", tcb_status_name(out->judgement.status));
    return ERR_NONE;
}

enum err intel_levels_read(struct json_value list, const struct intel_reasons *reasons,
                           struct intel_level **out, size_t *count, struct refusal *r)
{
    size_t expected = json_count(list);
    struct json_iterator i = {0};
    struct json_value value;
    enum err e;

    if (expected == 0 || expected > INTEL_LEVELS_MAX)
        return refuse(r, reasons->malformed, reasons->step, "between 1 and 256 levels",
                      "tcbLevels");
    *out = calloc(expected, sizeof **out);
    if (!*out)
        return ERR_MEMORY;
    for (*count = 0; json_next(list, &i, NULL, &value); (*count)++) {
        struct intel_level *level = &(*out)[*count];

        if ((e = level_read(value, reasons, level, r)) != ERR_NONE)
            return e;
        /* the first match decides, so the order matters */
        if (*count > 0 && level[-1].isv_svn < level->isv_svn)
            return refuse(r, reasons->malformed, reasons->step,
                          "levels sorted from newest to oldest", "tcbLevels");
    }
    return ERR_NONE;
}

const struct intel_level *intel_level_find(const struct intel_level *levels, size_t count,
                                           uint16_t isv_svn)
{
    for (size_t i = 0; i < count; i++)
        if (levels[i].isv_svn <= isv_svn)
            return &levels[i];
    return NULL;
}
