/* TCB info and enclave identity: every member that is missing, doubled or of another form is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/qe_identity.h"
#include "attest/tcb_info.h"
#include "attest/tcb_status.h"

enum { TEXT_MAX = 8192 };

static char text[TEXT_MAX];

/* Components: the first is `first`, the others 0; `count` of them. */
static const char *components(unsigned first, unsigned count)
{
    static char out[2][1024];
    static unsigned turn;
    char *list = out[turn++ % 2];
    size_t used = (size_t)snprintf(list, sizeof out[0], "[{\"svn\":%u}", first);

    for (unsigned i = 1; i < count; i++)
        used += (size_t)snprintf(list + used, sizeof out[0] - used, ",{\"svn\":0}");
    (void)snprintf(list + used, sizeof out[0] - used, "]");
    return list;
}

struct level_text {
    unsigned first, count;
    const char *pce_svn, *date, *status, *advisories;
};

static const struct level_text newest = {
    9, 16, "13", "2024-03-13T00:00:00Z", "UpToDate", "[\"INTEL-SA-00615\"]"};
static const struct level_text older = {8, 16, "5", "2023-03-13T00:00:00Z", "OutOfDate", "[]"};

static struct span tcb_info_text(const char *head, const struct level_text *a,
                                 const struct level_text *b)
{
    const struct level_text *levels[] = {a, b};
    size_t used = (size_t)snprintf(text, sizeof text, "{%s,\"tcbLevels\":[", head);

    for (size_t i = 0; i < 2; i++) {
        const struct level_text *l = levels[i];

        used += (size_t)snprintf(
            text + used, sizeof text - used,
            "%s{\"tcb\":{\"sgxtcbcomponents\":%s,\"pcesvn\":%s},\"tcbDate\":\"%s\","
            "\"tcbStatus\":\"%s\",\"advisoryIDs\":%s}",
            i > 0 ? "," : "", components(l->first, l->count), l->pce_svn, l->date, l->status,
            l->advisories);
    }
    (void)snprintf(text + used, sizeof text - used, "]}");
    return span_string(text);
}

#define HEAD_WITHOUT_VERSION                                                                       \
    "\"id\":\"SGX\",\"issueDate\":\"2025-08-15T05:08:18Z\","                                       \
    "\"nextUpdate\":\"2025-09-14T05:08:18Z\",\"fmspc\":\"00606a000000\",\"pceId\":\"0000\","       \
    "\"tcbType\":0,\"tcbEvaluationDataNumber\":17"
#define HEAD HEAD_WITHOUT_VERSION ",\"version\":3"

static enum attest_reason parse_tcb(struct span json, struct tcb_info *out)
{
    struct refusal r = {.reason = ATTEST_OK};
    enum err e = tcb_info_parse(json, out, &r);

    assert_true((e == ERR_NONE) == (r.reason == ATTEST_OK));
    return r.reason;
}

static void tcb_info_is_read(void **state)
{
    struct pck pck = {.components = {8}, .pce_svn = 12};
    struct tcb_info info;

    (void)state;
    assert_int_equal(parse_tcb(tcb_info_text(HEAD, &newest, &older), &info), ATTEST_OK);
    assert_int_equal(info.level_count, 2);
    assert_int_equal(info.evaluation_number, 17);
    assert_int_equal(info.levels[0].sgx[0], 9);
    assert_int_equal(info.levels[0].pce_svn, 13);
    assert_int_equal(json_count(info.levels[0].judgement.advisories), 1);

    assert_ptr_equal(tcb_info_sgx_level(&info, &pck), &info.levels[1]);
    pck.components[0] = 9; /* all components, but not the PCE */
    assert_ptr_equal(tcb_info_sgx_level(&info, &pck), &info.levels[1]);
    pck.pce_svn = 13;
    assert_ptr_equal(tcb_info_sgx_level(&info, &pck), &info.levels[0]);
    pck.components[0] = 7;
    assert_null(tcb_info_sgx_level(&info, &pck));
    pck.components[0] = 9;
    pck.pce_svn = 4;
    assert_null(tcb_info_sgx_level(&info, &pck));
    tcb_info_clear(&info);
}

static void tcb_info_of_another_form_is_refused(void **state)
{
    static const char *const heads[] = {
        HEAD_WITHOUT_VERSION,
        HEAD ",\"id\":\"SGX\"", /* twice */
        HEAD ",\"fmspc\":\"00606a000000\"",
        "\"version\":3",
        "\"version\":\"3\"," HEAD_WITHOUT_VERSION,
        "\"version\":3.0," HEAD_WITHOUT_VERSION,
    };
    static const struct {
        const char *from, *to;
    } edits[] = {
        {"\"id\":\"SGX\"",                 "\"id\":\"sgx\""                    },
        {"\"id\":\"SGX\"",                 "\"id\":7"                          },
        {"2025-08-15T05:08:18Z",           "2025-08-15 05:08:18"               },
        {"2025-09-14T05:08:18Z",           "2025-13-14T05:08:18Z"              },
        {"00606a000000",                   "00606a0000"                        },
        {"00606a000000",                   "00606a00000g"                      },
        {"\"pceId\":\"0000\"",             "\"pceId\":\"000\""                 },
        {"\"tcbType\":0",                  "\"tcbType\":1"                     },
        {"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":-1"    },
        {"\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":1e1"   },
        {"\"tcbLevels\"",                  "\"tcblevels\""                     },
        {"\"sgxtcbcomponents\"",           "\"tdxtcbcomponents\""              },
        {"\"svn\":9",                      "\"svn\":256"                       },
        {"\"svn\":9",                      "\"svn\":-1"                        },
        {"\"svn\":9",                      "\"svn\":\"9\""                     },
        {"\"svn\":9",                      "\"svn\":9,\"svn\":9"               },
        {"\"pcesvn\":13",                  "\"pcesvn\":65536"                  },
        {"\"pcesvn\":13",                  "\"pcesvn\":null"                   },
        {"2024-03-13T00:00:00Z",           "yesterday"                         },
        {"\"INTEL-SA-00615\"",             "\"INTEL SA\""                      },
        {"\"INTEL-SA-00615\"",             "\"\""                              },
        {"\"INTEL-SA-00615\"",             "\"INTEL-SA-000000000000000000615\""},
        {"\"INTEL-SA-00615\"",             "615"                               },
        {"}]}",                            "}]} "
                "x"                                             },
    };
    struct tcb_info info;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        assert_int_equal(parse_tcb(tcb_info_text(heads[i], &newest, &older), &info),
                         ATTEST_TCB_INFO_MALFORMED);
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        struct span whole = tcb_info_text(HEAD, &newest, &older);
        const char *at = memmem(whole.data, whole.size, edits[i].from, strlen(edits[i].from));
        char edited[TEXT_MAX];

        assert_non_null(at);
        (void)snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - text), text, edits[i].to,
                       at + strlen(edits[i].from));
        assert_int_equal(parse_tcb(span_string(edited), &info), ATTEST_TCB_INFO_MALFORMED);
    }
}

static void levels_that_are_wrong_in_number_or_order_are_refused(void **state)
{
    struct level_text wrong;
    struct tcb_info info;

    (void)state;
    assert_int_equal(parse_tcb(tcb_info_text(HEAD, &older, &newest), &info),
                     ATTEST_TCB_INFO_MALFORMED);
    wrong = older;
    wrong.first = 9; /* the same components with a higher PCE */
    wrong.pce_svn = "14";
    assert_int_equal(parse_tcb(tcb_info_text(HEAD, &newest, &wrong), &info),
                     ATTEST_TCB_INFO_MALFORMED);
    for (unsigned count = 1; count <= 18; count++) {
        if (count == 16)
            continue;
        wrong = older;
        wrong.count = count;
        assert_int_equal(parse_tcb(tcb_info_text(HEAD, &newest, &wrong), &info),
                         ATTEST_TCB_INFO_MALFORMED);
    }
    wrong = older;
    wrong.status = "TotallyFine";
    assert_int_equal(parse_tcb(tcb_info_text(HEAD, &newest, &wrong), &info),
                     ATTEST_TCB_STATUS_UNRECOGNIZED);
    wrong.status = "uptodate";
    assert_int_equal(parse_tcb(tcb_info_text(HEAD, &newest, &wrong), &info),
                     ATTEST_TCB_STATUS_UNRECOGNIZED);
    assert_int_equal(parse_tcb(span_string("{" HEAD ",\"tcbLevels\":[]}"), &info),
                     ATTEST_TCB_INFO_MALFORMED);
    assert_int_equal(
        parse_tcb(tcb_info_text("\"version\":2," HEAD_WITHOUT_VERSION, &newest, &older), &info),
        ATTEST_TCB_INFO_UNSUPPORTED);
}

static void every_prefix_of_tcb_info_is_refused(void **state)
{
    struct span whole = tcb_info_text(HEAD, &newest, &older);
    struct tcb_info info;

    (void)state;
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(parse_tcb(span_slice(whole, 0, size), &info), ATTEST_TCB_INFO_MALFORMED);
}

static const char identity_text[] =
    "{\"id\":\"QE\",\"version\":2,\"issueDate\":\"2025-08-15T04:36:46Z\","
    "\"nextUpdate\":\"2025-09-14T04:36:46Z\",\"tcbEvaluationDataNumber\":17,"
    "\"miscselect\":\"00000001\",\"miscselectMask\":\"FFFFFFFF\","
    "\"attributes\":\"11000000000000000000000000000000\","
    "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
    "\"mrsigner\":\"8C4F5775D796503E96137F77C68A829A0056AC8DED70140B081B094490C57BFF\","
    "\"isvprodid\":1,\"tcbLevels\":["
    "{\"tcb\":{\"isvsvn\":8},\"tcbDate\":\"2024-03-13T00:00:00Z\",\"tcbStatus\":\"UpToDate\"},"
    "{\"tcb\":{\"isvsvn\":6},\"tcbDate\":\"2021-11-10T00:00:00Z\",\"tcbStatus\":\"OutOfDate\","
    "\"advisoryIDs\":[\"INTEL-SA-00615\"]}]}";

static enum attest_reason parse_identity(struct span json, struct qe_identity *out)
{
    struct refusal r = {.reason = ATTEST_OK};
    enum err e = qe_identity_parse(json, out, &r);

    assert_true((e == ERR_NONE) == (r.reason == ATTEST_OK));
    return r.reason;
}

/* A report that the identity above describes. */
static struct sgx_report intel_qe(const struct qe_identity *identity)
{
    struct sgx_report report = {
        .misc_select = 1, .attributes = {0x15}, .isv_prod_id = 1, .isv_svn = 8};

    memcpy(report.mr_signer, identity->mr_signer, sizeof report.mr_signer);
    report.attributes[8] = 0xe7; /* XFRM: masked out */
    return report;
}

static void only_the_enclave_described_matches(void **state)
{
    struct qe_identity identity;
    const struct intel_level *level = NULL;
    struct sgx_report report;
    struct refusal r;

    (void)state;
    assert_int_equal(parse_identity(span_string(identity_text), &identity), ATTEST_OK);
    report = intel_qe(&identity);
    assert_int_equal(qe_identity_match(&identity, &report, &level, &r), ERR_NONE);
    assert_ptr_equal(level, &identity.levels[0]);
    report.isv_svn = 7;
    assert_int_equal(qe_identity_match(&identity, &report, &level, &r), ERR_NONE);
    assert_ptr_equal(level, &identity.levels[1]);
    report.isv_svn = 5;
    assert_int_equal(qe_identity_match(&identity, &report, &level, &r), ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_QE_ISVSVN_NOT_SUPPORTED);

    struct sgx_report wrong[5];

    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        wrong[i] = intel_qe(&identity);
    wrong[0].misc_select = 0x01000000; /* the other byte order */
    wrong[1].attributes[0] = 0x05;
    wrong[2].mr_signer[31] ^= 1;
    wrong[3].isv_prod_id = 2;
    wrong[4].attributes[7] = 0x80;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        assert_int_equal(qe_identity_match(&identity, &wrong[i], &level, &r), ERR_DENIED);
        assert_int_equal(r.reason, ATTEST_QE_IDENTITY_MISMATCH);
    }
    report = intel_qe(&identity);
    report.attributes[0] |= 0x02;
    assert_int_equal(qe_identity_match(&identity, &report, &level, &r), ERR_DENIED);
    assert_int_equal(r.reason, ATTEST_QE_DEBUG);
    qe_identity_clear(&identity);
}

static void identities_of_another_form_are_refused(void **state)
{
    static const struct {
        const char *from, *to;
        enum attest_reason reason;
    } edits[] = {
        {"\"id\":\"QE\"",               "\"id\":\"QVE\"",              ATTEST_QE_IDENTITY_MISMATCH   },
        {"\"id\":\"QE\"",               "\"id\":\"qe\"",               ATTEST_QE_IDENTITY_MISMATCH   },
        {"\"version\":2",               "\"version\":1",               ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"version\":2",               "\"version\":2,\"version\":2", ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"miscselect\":\"00000001\"", "\"miscselect\":\"0001\"",     ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"attributesMask\"",          "\"attributemask\"",           ATTEST_QE_IDENTITY_MALFORMED  },
        {"C57BFF",                      "C57BFFFF",                    ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"isvprodid\":1",             "\"isvprodid\":65536",         ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"isvsvn\":8",                "\"isvsvn\":5",                ATTEST_QE_IDENTITY_MALFORMED  }, /* not sorted */
        {"\"isvsvn\":8",                "\"isvsvn\":\"8\"",            ATTEST_QE_IDENTITY_MALFORMED  },
        {"\"UpToDate\"",                "\"SWHardeningNeeded\"",       ATTEST_TCB_STATUS_UNRECOGNIZED},
        {"\"UpToDate\"",                "\"Fine\"",                    ATTEST_TCB_STATUS_UNRECOGNIZED},
        {"2024-03-13T00:00:00Z",        "2024-03-13",                  ATTEST_QE_IDENTITY_MALFORMED  },
    };
    struct qe_identity identity;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(edits); i++) {
        const char *at = strstr(identity_text, edits[i].from);
        char edited[TEXT_MAX];

        assert_non_null(at);
        (void)snprintf(edited, sizeof edited, "%.*s%s%s", (int)(at - identity_text), identity_text,
                       edits[i].to, at + strlen(edits[i].from));
        assert_int_equal(parse_identity(span_string(edited), &identity), edits[i].reason);
    }
    for (size_t size = 0; size < sizeof identity_text - 1; size++)
        assert_int_equal(parse_identity(span_of(identity_text, size), &identity),
                         ATTEST_QE_IDENTITY_MALFORMED);
}

/* Section "TCB status" of Intel's quote verification library, all of it. */
static void a_status_is_never_improved_by_merging(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TCB_STATUS_COUNT; i++) {
        enum tcb_status platform = (enum tcb_status)i;
        enum tcb_status parsed;

        assert_int_equal(tcb_status_fold(platform, TCB_UP_TO_DATE), platform);
        assert_int_equal(tcb_status_fold(platform, TCB_REVOKED), TCB_REVOKED);
        assert_true(tcb_status_fold(platform, TCB_OUT_OF_DATE) >= TCB_OUT_OF_DATE);
        if (platform <= TCB_REVOKED) /* the other statuses result from a merge before the QE's */
            assert_true(tcb_status_fold(platform, TCB_OUT_OF_DATE) >= platform);
        assert_int_equal(tcb_status_parse(span_string(tcb_status_name(platform)), &parsed),
                         ERR_NONE);
        assert_int_equal(parsed, platform);
    }
    assert_int_equal(tcb_status_fold(TCB_CONFIGURATION_NEEDED, TCB_OUT_OF_DATE),
                     TCB_OUT_OF_DATE_CONFIGURATION_NEEDED);
    assert_int_equal(tcb_status_fold(TCB_SW_HARDENING_NEEDED, TCB_OUT_OF_DATE), TCB_OUT_OF_DATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcb_info_is_read),
        cmocka_unit_test(tcb_info_of_another_form_is_refused),
        cmocka_unit_test(levels_that_are_wrong_in_number_or_order_are_refused),
        cmocka_unit_test(every_prefix_of_tcb_info_is_refused),
        cmocka_unit_test(only_the_enclave_described_matches),
        cmocka_unit_test(identities_of_another_form_are_refused),
        cmocka_unit_test(a_status_is_never_improved_by_merging),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
