#include "attest/tcb_info.h"

#include <stdlib.h>
#include <string.h>

#include "attest/td_report.h"
#include "base/text.h"

#define TCB_INFO_VERSION 3
#define TDX_MODULES_MAX 64

const struct intel_reasons tcb_info_reasons = {"tcb_info", ATTEST_TCB_INFO_MALFORMED,
                                               ATTEST_TCB_INFO_SIGNATURE_INVALID};

MUST_CHECK static enum err malformed(struct refusal *r, const char *expected, const char *presented)
{
    return refuse(r, ATTEST_TCB_INFO_MALFORMED, "tcb_info", expected, presented);
}

/* Reads exactly 16 objects with an "svn". */
MUST_CHECK static enum err components_read(struct json_value list, uint8_t out[PCK_COMPONENT_COUNT])
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

MUST_CHECK static enum err level_read(struct json_value value, enum tcb_info_tee tee,
                                      struct tcb_level *out, struct refusal *r)
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

MUST_CHECK static enum err module_read(struct json_value value, struct tdx_module *out,
                                       struct refusal *r)
{
    struct json_value mr_signer, attributes, attributes_mask;
    const struct json_field fields[] = {
        {"mrsigner",       JSON_STRING, true, &mr_signer      },
        {"attributes",     JSON_STRING, true, &attributes     },
        {"attributesMask", JSON_STRING, true, &attributes_mask},
    };
    const char *bad = "";

    if (json_object_read(value, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "all members of a TDX module", bad);
    if (intel_hex_read(mr_signer, out->mr_signer, sizeof out->mr_signer) != ERR_NONE ||
        intel_hex_read(attributes, out->attributes, sizeof out->attributes) != ERR_NONE ||
        intel_hex_read(attributes_mask, out->attributes_mask, sizeof out->attributes_mask) !=
            ERR_NONE)
        return malformed(r, "96, 16 and 16 hex digits", "a TDX module");
    return ERR_NONE;
}

/* "TDX_03"; upper and lower case are equal. */
MUST_CHECK static enum err module_version_read(struct json_value id, uint8_t *out)
{
    static const char prefix[] = "TDX_";
    struct span text;

    if (json_string_plain(id, &text) != ERR_NONE || text.size < sizeof prefix - 1)
        return ERR_MALFORMED;
    for (size_t i = 0; i < sizeof prefix - 1; i++)
        if (prefix[i] != (text.data[i] >= 'a' ? text.data[i] - 'a' + 'A' : text.data[i]))
            return ERR_MALFORMED;
    return hex_read(span_slice(text, sizeof prefix - 1, text.size), out, 1);
}

MUST_CHECK static enum err module_identity_read(struct json_value value,
                                                struct tdx_module_identity *out, struct refusal *r)
{
    struct json_value id, levels;
    const struct json_field fields[] = {
        {"id",        JSON_STRING, true, &id    },
        {"tcbLevels", JSON_ARRAY,  true, &levels},
    };
    const char *bad = "";
    enum err e;

    if (json_object_read(value, fields, COUNT_OF(fields), true, &bad) != ERR_NONE)
        return malformed(r, "all members of a TDX module identity", bad);
    if (module_version_read(id, &out->version) != ERR_NONE)
        return malformed(r, "TDX_ and two hex digits", "id of a TDX module identity");
    if ((e = module_read(value, &out->module, r)) != ERR_NONE)
        return e;
    return intel_levels_read(levels, &tcb_info_reasons, &out->levels, &out->level_count, r);
}

MUST_CHECK static enum err modules_read(struct json_value list, struct tcb_info *info,
                                        struct refusal *r)
{
    size_t count = json_count(list);
    struct json_iterator i = {0};
    struct json_value value;
    enum err e;

    if (count > TDX_MODULES_MAX)
        return malformed(r, "at most 64 TDX modules", "tdxModuleIdentities");
    if (count == 0)
        return ERR_NONE;
    info->modules = calloc(count, sizeof *info->modules);
    if (!info->modules)
        return ERR_MEMORY;
    while (json_next(list, &i, NULL, &value)) {
        /* counted before it is read, so that it is freed on failure */
        struct tdx_module_identity *identity = &info->modules[info->module_count++];

        if ((e = module_identity_read(value, identity, r)) != ERR_NONE)
            return e;
        if (tcb_info_module(info, identity->version) != identity)
            return malformed(r, "one identity per TDX module", "tdxModuleIdentities");
    }
    return ERR_NONE;
}

/* Intel's order of levels: SGX components, TDX components, PCE. */
static int level_compare(const struct tcb_level *a, const struct tcb_level *b)
{
    int c = memcmp(a->sgx, b->sgx, sizeof a->sgx); /* public */

    if (c == 0)
        c = memcmp(a->tdx, b->tdx, sizeof a->tdx); /* public */
    return c != 0 ? c : (a->pce_svn > b->pce_svn) - (a->pce_svn < b->pce_svn);
}

MUST_CHECK static enum err levels_read(struct json_value list, struct tcb_info *info,
                                       struct refusal *r)
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
        /* the first match decides, so the order matters */
        if (info->level_count > 0 && level_compare(level - 1, level) < 0)
            return malformed(r, "levels sorted from newest to oldest", "tcbLevels");
        info->level_count++;
    }
    return ERR_NONE;
}

/* Reads the version first, because other versions have other members. */
MUST_CHECK static enum err version_check(struct json_value document, struct refusal *r)
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

MUST_CHECK static enum err tee_read(struct json_value id, enum tcb_info_tee *out, struct refusal *r)
{
    if (json_string_equal(id, "SGX"))
        *out = TCB_INFO_SGX;
    else if (json_string_equal(id, "TDX"))
        *out = TCB_INFO_TDX;
    else
        return malformed(r, "SGX or TDX", "id");
    return ERR_NONE;
}

MUST_CHECK static enum err info_read(struct json_value document, struct tcb_info *info,
                                     struct refusal *r)
{
    struct json_value id, issued, next_update, fmspc, pce_id, type, evaluation, levels;
    struct json_value module, modules;
    const struct json_field fields[] = {
        {"id",                      JSON_STRING, true,  &id         },
        {"issueDate",               JSON_STRING, true,  &issued     },
        {"nextUpdate",              JSON_STRING, true,  &next_update},
        {"fmspc",                   JSON_STRING, true,  &fmspc      },
        {"pceId",                   JSON_STRING, true,  &pce_id     },
        {"tcbType",                 JSON_NUMBER, true,  &type       },
        {"tcbEvaluationDataNumber", JSON_NUMBER, true,  &evaluation },
        {"tcbLevels",               JSON_ARRAY,  true,  &levels     },
        {"tdxModule",               JSON_OBJECT, false, &module     },
        {"tdxModuleIdentities",     JSON_ARRAY,  false, &modules    },
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
    /* type 0: SVNs are compared one by one, which is the only known rule */
    if (intel_uint_read(type, 0, &number) != ERR_NONE)
        return malformed(r, "tcbType 0", "tcbType");
    if (intel_uint_read(evaluation, UINT32_MAX, &number) != ERR_NONE)
        return malformed(r, "a whole number", "tcbEvaluationDataNumber");
    info->evaluation_number = (uint32_t)number;
    if (info->tee == TCB_INFO_TDX && ((e = module_read(module, &info->module, r)) != ERR_NONE ||
                                      (e = modules_read(modules, info, r)) != ERR_NONE))
        return e;
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
    for (size_t i = 0; i < info->module_count; i++)
        free(info->modules[i].levels);
    free(info->modules);
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

static bool td_reaches(const uint8_t tee_tcb_svn[PCK_COMPONENT_COUNT],
                       const struct tcb_level *level)
{
    for (size_t i = tee_tcb_svn[TD_SVN_MODULE_VERSION] > 0 ? 2 : 0; i < PCK_COMPONENT_COUNT; i++)
        if (tee_tcb_svn[i] < level->tdx[i])
            return false;
    return true;
}

const struct tcb_level *tcb_info_sgx_level(const struct tcb_info *info, const struct pck *pck)
{
    for (size_t i = 0; i < info->level_count; i++)
        if (platform_reaches(pck, &info->levels[i]))
            return &info->levels[i];
    return NULL;
}

const struct tcb_level *tcb_info_tdx_level(const struct tcb_info *info, const struct pck *pck,
                                           const uint8_t tee_tcb_svn[PCK_COMPONENT_COUNT])
{
    for (size_t i = 0; i < info->level_count; i++)
        if (platform_reaches(pck, &info->levels[i]) && td_reaches(tee_tcb_svn, &info->levels[i]))
            return &info->levels[i];
    return NULL;
}

const struct tdx_module_identity *tcb_info_module(const struct tcb_info *info, uint8_t version)
{
    for (size_t i = 0; i < info->module_count; i++)
        if (info->modules[i].version == version)
            return &info->modules[i];
    return NULL;
}
