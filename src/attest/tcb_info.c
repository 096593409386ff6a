#include "attest/tcb_info.h"

#include <stdlib.h>
#include <string.h>

#define TCB_INFO_VERSION 3

const struct intel_reasons tcb_info_reasons = {"tcb_info", ATTEST_TCB_INFO_MALFORMED,
                                               ATTEST_TCB_INFO_SIGNATURE_INVALID};

static enum err malformed(struct refusal *r, const char *expected, const char *presented)
{
    return refuse(r, ATTEST_TCB_INFO_MALFORMED, "tcb_info", expected, presented);
}

/* Exactly 16 objects with an "svn". */
static enum err components_read(struct json_value list, uint8_t out[PCK_COMPONENT_COUNT])
{
    struct json_iterator i = {0};
    struct json_value component, svn;
    uint64_t number;
    size_t count = 0;

    if (json_count(list) != PCK_COMPONENT_COUNT)
        return ERR_MALFORMED;
    while (json_next(list, &i, NULL, &component)) {
        if (json_member(component, "svn", &svn) != ERR_NONE ||
            intel_uint_read(svn, UINT8_MAX, &number) != ERR_NONE)
            return ERR_MALFORMED;
        out[count++] = (uint8_t)number;
    }
    return ERR_NONE;
}

static enum err level_read(struct json_value value, enum tcb_info_tee tee, struct tcb_level *out,
                           struct refusal *r)
{
    struct json_value tcb, sgx, tdx, pce_svn;
    const struct json_field fields[] = {
        {"sgxtcbcomponents", JSON_ARRAY,  true,                &sgx    },
        {"tdxtcbcomponents", JSON_ARRAY,  tee == TCB_INFO_TDX, &tdx    },
        {"pcesvn",           JSON_NUMBER, true,                &pce_svn},
    };
    struct tcb_level level = {0};
    const char *bad = "tcb";
    uint64_t number = 0;

    if (json_member(value, "tcb", &tcb) != ERR_NONE ||
        json_object_read(tcb, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "a well-formed level", bad);
    if (intel_uint_read(pce_svn, UINT16_MAX, &number) != ERR_NONE)
        return malformed(r, "a whole number up to 65535", "pcesvn");
    level.pce_svn = (uint16_t)number;
    if (components_read(sgx, level.sgx) != ERR_NONE)
        return malformed(r, "16 components with an svn up to 255", "sgxtcbcomponents");
    if (tee == TCB_INFO_TDX && components_read(tdx, level.tdx) != ERR_NONE)
        return malformed(r, "16 components with an svn up to 255", "tdxtcbcomponents");
    *out = level;
    return intel_judgement_read(value, &tcb_info_reasons, &out->judgement, r);
}

/* Intel's order of levels: SGX components, TDX components, PCE. */
static int level_compare(const struct tcb_level *a, const struct tcb_level *b)
{
    int c = memcmp(a->sgx, b->sgx, sizeof a->sgx); /* public */

    if (c == 0)
        c = memcmp(a->tdx, b->tdx, sizeof a->tdx); /* public */
    return c != 0 ? c : (a->pce_svn > b->pce_svn) - (a->pce_svn < b->pce_svn);
}

static enum err levels_read(struct json_value list, struct tcb_info *info, struct refusal *r)
{
    size_t count = json_count(list);
    struct json_iterator i = {0};
    struct json_value value;
    enum err e;

    if (count == 0 || count > INTEL_LEVELS_MAX)
        return malformed(r, "between 1 and 256 levels", "tcbLevels");
    info->levels = calloc(count, sizeof *info->levels);
    if (!info->levels)
        return ERR_MEMORY;
    while (json_next(list, &i, NULL, &value)) {
        struct tcb_level *level = &info->levels[info->level_count];

        if ((e = level_read(value, info->tee, level, r)) != ERR_NONE)
            return e;
        /* the first match decides, so the order is part of the meaning */
        if (info->level_count > 0 && level_compare(level - 1, level) < 0)
            return malformed(r, "levels sorted from newest to oldest", "tcbLevels");
        info->level_count++;
    }
    return ERR_NONE;
}

/* The version first: another one has other members. */
static enum err version_check(struct json_value document, struct refusal *r)
{
    struct json_value version;
    uint64_t number;

    if (json_member(document, "version", &version) != ERR_NONE ||
        intel_uint_read(version, UINT32_MAX, &number) != ERR_NONE)
        return malformed(r, "a version", "version");
    if (number != TCB_INFO_VERSION)
        return refuse_number(r, ATTEST_TCB_INFO_UNSUPPORTED, "tcb_info", "version",
                             TCB_INFO_VERSION, number);
    return ERR_NONE;
}

static enum err tee_read(struct json_value id, enum tcb_info_tee *out, struct refusal *r)
{
    if (json_string_equal(id, "SGX"))
        *out = TCB_INFO_SGX;
    else if (json_string_equal(id, "TDX"))
        *out = TCB_INFO_TDX;
    else
        return malformed(r, "SGX or TDX", "id");
    return ERR_NONE;
}

static enum err info_read(struct json_value document, struct tcb_info *info, struct refusal *r)
{
    struct json_value id, issued, next_update, fmspc, pce_id, type, evaluation, levels;
    const struct json_field fields[] = {
        {"id",                      JSON_STRING, true, &id         },
        {"issueDate",               JSON_STRING, true, &issued     },
        {"nextUpdate",              JSON_STRING, true, &next_update},
        {"fmspc",                   JSON_STRING, true, &fmspc      },
        {"pceId",                   JSON_STRING, true, &pce_id     },
        {"tcbType",                 JSON_NUMBER, true, &type       },
        {"tcbEvaluationDataNumber", JSON_NUMBER, true, &evaluation },
        {"tcbLevels",               JSON_ARRAY,  true, &levels     },
    };
    const char *bad = "";
    uint64_t number = 0;
    enum err e;

    if ((e = version_check(document, r)) != ERR_NONE)
        return e;
    if (json_object_read(document, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "all members of TCB info version 3", bad);
    if ((e = tee_read(id, &info->tee, r)) != ERR_NONE)
        return e;
    if (intel_time_read(issued, &info->issued) != ERR_NONE ||
        intel_time_read(next_update, &info->next_update) != ERR_NONE)
        return malformed(r, "times in UTC", "issueDate, nextUpdate");
    if (intel_hex_read(fmspc, info->fmspc, sizeof info->fmspc) != ERR_NONE ||
        intel_hex_read(pce_id, info->pce_id, sizeof info->pce_id) != ERR_NONE)
        return malformed(r, "12 and 4 hex digits", "fmspc, pceId");
    /* type 0: SVNs are compared one by one, the only rule there is */
    if (intel_uint_read(type, 0, &number) != ERR_NONE)
        return malformed(r, "tcbType 0", "tcbType");
    if (intel_uint_read(evaluation, UINT32_MAX, &number) != ERR_NONE)
        return malformed(r, "a whole number", "tcbEvaluationDataNumber");
    info->evaluation_number = (uint32_t)number;
    return levels_read(levels, info, r);
}

enum err tcb_info_parse(struct span json, struct tcb_info *out, struct refusal *r)
{
    struct tcb_info info = {0};
    struct json_value document;
    enum err e;

    if (json_parse(json, &document, NULL) != ERR_NONE)
        return malformed(r, "JSON", NULL);
    e = info_read(document, &info, r);
    if (e == ERR_NONE)
        *out = info;
    else
        tcb_info_clear(&info);
    return e;
}

void tcb_info_clear(struct tcb_info *info)
{
    free(info->levels);
    *info = (struct tcb_info){0};
}

static bool platform_reaches(const struct pck *pck, const struct tcb_level *level)
{
    for (size_t i = 0; i < PCK_COMPONENT_COUNT; i++)
        if (pck->components[i] < level->sgx[i])
            return false;
    return pck->pce_svn >= level->pce_svn;
}

const struct tcb_level *tcb_info_sgx_level(const struct tcb_info *info, const struct pck *pck)
{
    for (size_t i = 0; i < info->level_count; i++)
        if (platform_reaches(pck, &info->levels[i]))
            return &info->levels[i];
    return NULL;
}
