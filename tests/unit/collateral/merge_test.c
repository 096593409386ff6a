#include "collateral/merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collateral/store.h"
#include "crypto/random.h"
#include "crypto/x509_make.h"
#include "unit/attest/forge.h"

#define ROOT_NAME "Intel SGX Root CA"
#define CA_NAME "Intel SGX PCK Platform CA"
#define DAY_S 86400

enum { CA_SERIAL = 2, SIGNER_SERIAL = 3, PCK_SERIAL = 4 };
enum { BASE_AGE = 5, BASE_EVALUATION = 17, BASE_CRL = 7 };

static struct forge forge;

static int start(void **state)
{
    (void)state;
    if (crypto_start() != ERR_NONE)
        return 1;
    forge_open(&forge);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    forge_close(&forge);
    return 0;
}

/* The differences of a document's parts from the base, whose parts are all five days old: their
 * numbers, and by how many days they are newer. */
struct parts {
    int tcb_number, tcb_newer, qe_number, qe_newer;
    int pck_newer, pck_number, root_newer, root_number;
    uint64_t pck_listed, root_listed; /* serial numbers, 0: none */
    unsigned life_days;               /* 0: 30 */
    const char *status;               /* of the TCB level, NULL: UpToDate */
    const char *signer_pem;           /* NULL: the forge's */
};

static struct timestamp days_ago(int days)
{
    return (struct timestamp){forge.now.ms - (int64_t)days * DAY_S * 1000};
}

static struct timestamp life_of(const struct parts *p, int age)
{
    return (struct timestamp){days_ago(age).ms +
                              (int64_t)(p->life_days ? p->life_days : 30) * DAY_S * 1000};
}

static void put_dates(struct buffer *out, const struct parts *p, int age)
{
    char issued[TIMESTAMP_TEXT_SIZE];
    char until[TIMESTAMP_TEXT_SIZE];
    char *ends[] = {issued, until};

    timestamp_write(days_ago(age), issued);
    timestamp_write(life_of(p, age), until);
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        memcpy(ends[i] + 19, "Z", 2); /* Intel writes no milliseconds */
    assert_int_equal(
        buffer_printf(out, "\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",", issued, until), ERR_NONE);
}

static void put_signed(const char *member, struct buffer *text, struct buffer *out)
{
    uint8_t signature[P256_SIGNATURE_SIZE];

    assert_int_equal(p256_sign(forge.signing, buffer_span(text), signature), ERR_NONE);
    assert_int_equal(buffer_printf(out, "{\"%s\":%.*s,\"signature\":\"", member, (int)text->size,
                                   (const char *)text->data),
                     ERR_NONE);
    for (size_t i = 0; i < sizeof signature; i++)
        assert_int_equal(buffer_printf(out, "%02x", signature[i]), ERR_NONE);
    assert_int_equal(buffer_append_string(out, "\"}"), ERR_NONE);
}

static void tcb_info_make(const struct parts *p, struct buffer *out)
{
    struct buffer text = {0};

    assert_int_equal(buffer_append_string(&text, "{\"id\":\"SGX\",\"version\":3,"), ERR_NONE);
    put_dates(&text, p, BASE_AGE - p->tcb_newer);
    assert_int_equal(buffer_printf(&text,
                                   "\"fmspc\":\"00806F050000\",\"pceId\":\"0000\",\"tcbType\":0,"
                                   "\"tcbEvaluationDataNumber\":%d,\"tcbLevels\":[{\"tcb\":{"
                                   "\"sgxtcbcomponents\":[",
                                   BASE_EVALUATION + p->tcb_number),
                     ERR_NONE);
    for (int i = 0; i < 16; i++)
        assert_int_equal(buffer_printf(&text, "%s{\"svn\":0}", i ? "," : ""), ERR_NONE);
    assert_int_equal(buffer_printf(&text,
                                   "],\"pcesvn\":0},\"tcbDate\":\"2025-05-14T00:00:00Z\","
                                   "\"tcbStatus\":\"%s\"}]}",
                                   p->status ? p->status : "UpToDate"),
                     ERR_NONE);
    put_signed("tcbInfo", &text, out);
    buffer_clear(&text);
}

static void identity_make(const struct parts *p, struct buffer *out)
{
    struct buffer text = {0};

    assert_int_equal(buffer_append_string(&text, "{\"id\":\"QE\",\"version\":2,"), ERR_NONE);
    put_dates(&text, p, BASE_AGE - p->qe_newer);
    assert_int_equal(
        buffer_printf(&text,
                      "\"tcbEvaluationDataNumber\":%d,"
                      "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
                      "\"attributes\":\"11000000000000000000000000000000\","
                      "\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
                      "\"mrsigner\":\"%s\",\"isvprodid\":2,\"tcbLevels\":[{\"tcb\":{\"isvsvn\":0},"
                      "\"tcbDate\":\"2025-05-14T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}]}",
                      BASE_EVALUATION + p->qe_number,
                      "8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c8c"),
        ERR_NONE);
    put_signed("enclaveIdentity", &text, out);
    buffer_clear(&text);
}

static void crl_make(const struct parts *p, bool is_root, struct buffer *out)
{
    const int age = BASE_AGE - (is_root ? p->root_newer : p->pck_newer);
    const uint64_t listed = is_root ? p->root_listed : p->pck_listed;
    const struct x509_crl_template t = {
        .issuer_name = is_root ? ROOT_NAME : CA_NAME,
        .signer = is_root ? forge.root : forge.ca,
        .this_update = days_ago(age),
        .next_update = life_of(p, age),
        .revoked = &listed,
        .revoked_count = listed ? 1 : 0,
        .number = (uint64_t)(BASE_CRL + (is_root ? p->root_number : p->pck_number)),
    };

    assert_int_equal(x509_make_crl(&t, out), ERR_NONE);
}

static void document_make(const struct parts *p, struct buffer *out)
{
    struct buffer info = {0};
    struct buffer identity = {0};
    struct buffer pck_crl = {0};
    struct buffer root_crl = {0};
    const struct span signer =
        p->signer_pem ? span_string(p->signer_pem) : buffer_span(&forge.signing_chain);

    tcb_info_make(p, &info);
    identity_make(p, &identity);
    crl_make(p, false, &pck_crl);
    crl_make(p, true, &root_crl);
    assert_int_equal(collateral_document_intel(
                         &(struct attest_collateral_input){
                             .tcb_info = buffer_span(&info),
                             .qe_identity = buffer_span(&identity),
                             .tcb_signing_chain = signer,
                             .pck_crl = buffer_span(&pck_crl),
                             .pck_crl_issuer_chain = buffer_span(&forge.issuer_chain),
                             .root_crl = buffer_span(&root_crl),
                         },
                         out),
                     ERR_NONE);
    buffer_clear(&info);
    buffer_clear(&identity);
    buffer_clear(&pck_crl);
    buffer_clear(&root_crl);
}

static struct collateral_item *item_make(const struct parts *p)
{
    struct buffer document = {0};
    struct collateral_item *item = NULL;
    enum attest_reason reason;

    document_make(p, &document);
    assert_int_equal(collateral_item_new(&forge.trust, buffer_span(&document), "test", forge.now,
                                         &item, &reason),
                     ERR_NONE);
    buffer_clear(&document);
    return item;
}

enum {
    INFO = 1u << ATTEST_PART_TCB_INFO,
    IDENTITY = 1u << ATTEST_PART_QE_IDENTITY,
    PCK = 1u << ATTEST_PART_PCK_CRL,
    ROOT = 1u << ATTEST_PART_ROOT_CRL,
    ALL = INFO | IDENTITY | PCK | ROOT,
};

static void each_part_is_ordered_by_its_own_number_and_issue(void **state)
{
    static const struct parts held = {0};
    static const struct {
        struct parts candidate;
        unsigned newer, older, early;
    } cases[] = {
        {{0},                                                                                    0,           0,               0},
 /* numbers count before dates, for Intel's documents */
        {{.tcb_number = 1, .tcb_newer = -4},                                                     INFO,        0,               0},
        {{.tcb_number = -1, .tcb_newer = 4},                                                     0,           INFO,            0},
        {{.qe_number = 1, .qe_newer = -4},                                                       IDENTITY,    0,               0},
        {{.qe_number = -1, .qe_newer = 4},                                                       0,           IDENTITY,        0},
        {{.tcb_newer = 1},                                                                       INFO,        0,               0},
        {{.tcb_newer = -1},                                                                      0,           INFO,            0},
 /* for lists the time of issue counts before the number */
        {{.pck_newer = 1, .pck_number = -6},                                                     PCK,         0,               0},
        {{.pck_newer = -1, .pck_number = 92},                                                    0,           PCK,             0},
        {{.pck_number = 1},                                                                      PCK,         0,               0},
        {{.pck_number = -1},                                                                     0,           PCK,             0},
        {{.root_newer = 1},                                                                      ROOT,        0,               0},
        {{.root_number = -1},                                                                    0,           ROOT,            0},
 /* each part separately */
        {{.tcb_newer = 4, .pck_newer = -1, .root_newer = 4},                                     INFO | ROOT, PCK,             0},
        {{.tcb_number = -1, .qe_newer = -1, .pck_newer = 1},                                     PCK,         INFO | IDENTITY, 0},
 /* the expiry never counts: older and longer, newer and shorter, already expired */
        {{.tcb_newer = -1, .qe_newer = -1, .pck_newer = -1, .root_newer = -1, .life_days = 300},
         0,                                                                                                   ALL,
         0                                                                                                                      },
        {{.tcb_newer = 1, .qe_newer = 1, .pck_newer = 1, .root_newer = 1, .life_days = 2},
         ALL,                                                                                                 0,
         0                                                                                                                      },
    };
    struct collateral_item *item = item_make(&held);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collateral_item *candidate = item_make(&cases[i].candidate);
        struct collateral_difference d;

        collateral_compare(item, candidate, forge.now, &d);
        assert_int_equal(d.newer, cases[i].newer);
        assert_int_equal(d.older, cases[i].older);
        assert_int_equal(d.early, cases[i].early);
        collateral_compare(candidate, item, forge.now, &d); /* and in the other direction */
        assert_int_equal(d.newer, cases[i].older);
        assert_int_equal(d.older, cases[i].newer);
        collateral_item_release(&candidate);
    }
    collateral_item_release(&item);
}

static void a_part_that_is_not_valid_yet_waits(void **state)
{
    static const struct parts old = {0}, late = {.tcb_newer = 4, .pck_newer = 3};
    struct collateral_item *held = item_make(&old);
    struct collateral_item *candidate = item_make(&late);
    struct collateral_difference d;

    (void)state;
    collateral_compare(held, candidate, days_ago(2), &d);
    assert_int_equal(d.newer, PCK);
    assert_int_equal(d.older, INFO);
    assert_int_equal(d.early, INFO);
    collateral_compare(candidate, held, days_ago(2), &d);
    assert_int_equal(d.newer, INFO);
    assert_int_equal(d.older, PCK);
    assert_int_equal(d.early, 0);
    collateral_compare(held, candidate, days_ago(20), &d); /* both are: the usual order */
    assert_int_equal(d.newer, INFO | PCK);
    collateral_item_release(&held);
    collateral_item_release(&candidate);
}

static void put(struct collateral_store *s, const struct parts *p, enum collateral_put expected)
{
    struct buffer document = {0};
    struct collateral_put_result result = {0};

    document_make(p, &document);
    assert_int_equal(
        collateral_store_put(s, buffer_span(&document), "test", NULL, forge.now, &result),
        ERR_NONE);
    assert_int_equal(result.put, expected);
    if (collateral_put_is_good(expected)) { /* the store keeps the item of the result */
        struct collateral_snapshot *held = collateral_store_hold(s);

        if (expected != COLLATERAL_UNCHANGED)
            assert_ptr_equal(held->items[0], result.item);
        collateral_snapshot_release(&held);
    }
    collateral_item_release(&result.item);
    buffer_clear(&document);
}

/* The code with which the store's collateral judges an SGX quote of the forge's platform. */
static enum attest_reason judge(struct collateral_store *s, enum tcb_status *status)
{
    struct collateral_snapshot *held = collateral_store_hold(s);
    struct attest_result result;
    struct buffer quote = {0};
    uint8_t body[384] = {0};
    enum err e;

    forge_quote(&forge, &(struct forge_quote){.version = 3, .body = SPAN_OF(body)}, &quote);
    e = attest_verify(&forge.trust, &held->set, NULL,
                      &(struct attest_evidence){.bytes = buffer_span(&quote)}, forge.now, &result);
    assert_true(e == ERR_NONE || e == ERR_DENIED);
    *status = e == ERR_NONE ? result.status : TCB_NOT_JUDGED;
    buffer_clear(&quote);
    collateral_snapshot_release(&held);
    return result.reason;
}

static void a_revocation_counts_with_any_other_parts(void **state)
{
    static const struct parts good = {0};
    /* the CRL is older by a day, the TCB info is newer and says that the platform is revoked */
    static const struct parts news = {.tcb_newer = 4, .status = "Revoked", .pck_newer = -1};
    static const struct parts listed = {.tcb_newer = -4, .pck_newer = 2, .pck_listed = PCK_SERIAL};
    struct collateral_store *s = NULL;
    enum tcb_status status;

    (void)state;
    assert_int_equal(collateral_store_new(&forge.trust, &s), ERR_NONE);
    put(s, &good, COLLATERAL_ADDED);
    assert_int_equal(judge(s, &status), ATTEST_OK);
    assert_int_equal(status, TCB_UP_TO_DATE);
    put(s, &news, COLLATERAL_REPLACED);
    assert_int_equal(judge(s, &status), ATTEST_OK);
    assert_int_equal(status, TCB_REVOKED); /* no policy accepts it */
    assert_int_equal(collateral_store_rollbacks(s), 1);
    put(s, &good, COLLATERAL_ROLLBACK);
    put(s, &listed, COLLATERAL_REPLACED);
    assert_int_equal(judge(s, &status), ATTEST_PCK_REVOKED);
    put(s, &news, COLLATERAL_ROLLBACK);
    put(s, &good, COLLATERAL_ROLLBACK);
    assert_int_equal(judge(s, &status), ATTEST_PCK_REVOKED);
    assert_int_equal(collateral_store_rollbacks(s), 5);
    collateral_store_free(&s);
}

static void a_revoked_signer_or_ca_ends_its_signatures(void **state)
{
    static const struct {
        uint64_t serial;
        enum attest_reason reason;
    } cases[] = {
        {SIGNER_SERIAL, ATTEST_TCB_SIGNING_REVOKED},
        {CA_SERIAL,     ATTEST_PCK_CA_REVOKED     },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct parts good = {0};
        const struct parts news = {.root_newer = 4, .root_listed = cases[i].serial};
        const struct parts replay = {.tcb_number = 82, .tcb_newer = 4, .pck_newer = 4};
        struct collateral_store *s = NULL;
        enum tcb_status status;

        assert_int_equal(collateral_store_new(&forge.trust, &s), ERR_NONE);
        put(s, &good, COLLATERAL_ADDED);
        put(s, &news, COLLATERAL_REPLACED);
        assert_int_equal(judge(s, &status), cases[i].reason);
        /* newer statements by the same signer do not help any more, and the list stays */
        put(s, &replay, COLLATERAL_REPLACED);
        assert_int_equal(judge(s, &status), cases[i].reason);
        put(s, &good, COLLATERAL_ROLLBACK);
        assert_int_equal(judge(s, &status), cases[i].reason);
        collateral_store_free(&s);
    }
}

/* Intel's new signer: documents of the revoked signer go, even with a higher number. */
static void a_new_signer_takes_over_from_a_revoked_one(void **state)
{
    struct x509_template t = {.common_name = "Intel SGX TCB Signing",
                              .issuer_name = ROOT_NAME,
                              .key = forge.signing,
                              .signer = forge.root,
                              .serial = 33,
                              .not_before = days_ago(3),
                              .not_after = days_ago(0)};
    struct buffer der = {0};
    struct buffer pem = {0};
    struct span root = buffer_span(&forge.signing_chain);
    const struct parts forged = {.tcb_number = 82, .tcb_newer = 4};
    struct parts news = {.root_newer = 4, .root_listed = SIGNER_SERIAL};
    struct collateral_store *s = NULL;
    enum tcb_status status;

    (void)state;
    t.not_after.ms += (int64_t)90 * DAY_S * 1000;
    assert_int_equal(x509_make(&t, &der), ERR_NONE);
    assert_int_equal(pem_write("CERTIFICATE", buffer_span(&der), &pem), ERR_NONE);
    /* the second certificate of the forge's chain is the root */
    for (size_t i = 1; i + 27 < root.size; i++)
        if (memcmp(root.data + i, "-----BEGIN CERTIFICATE-----", 27) == 0) {
            root = span_slice(root, i, root.size - i);
            break;
        }
    assert_int_equal(buffer_append(&pem, root), ERR_NONE);
    assert_int_equal(buffer_append(&pem, SPAN_LITERAL("\0")), ERR_NONE);
    news.signer_pem = (const char *)pem.data;
    assert_int_equal(collateral_store_new(&forge.trust, &s), ERR_NONE);
    put(s, &forged, COLLATERAL_ADDED);
    put(s, &news, COLLATERAL_REPLACED);
    assert_int_equal(judge(s, &status), ATTEST_OK);
    put(s, &forged, COLLATERAL_ROLLBACK);
    assert_int_equal(judge(s, &status), ATTEST_OK);
    collateral_store_free(&s);
    /* and in the other order */
    assert_int_equal(collateral_store_new(&forge.trust, &s), ERR_NONE);
    put(s, &news, COLLATERAL_ADDED);
    put(s, &forged, COLLATERAL_ROLLBACK);
    assert_int_equal(judge(s, &status), ATTEST_OK);
    collateral_store_free(&s);
    buffer_clear(&der);
    buffer_clear(&pem);
}

static void what_is_said_is_told_from_when_it_was_said(void **state)
{
    static const struct {
        struct parts parts;
        bool is_same;
    } cases[] = {
        {{0},                                                                              true },
        {{.tcb_newer = 4, .qe_newer = 4, .pck_newer = 4, .root_newer = 4, .life_days = 9}, true },
        {{.tcb_newer = 4, .status = "OutOfDate"},                                          false},
        {{.tcb_number = 1},                                                                false},
        {{.qe_number = 1},                                                                 false},
        {{.pck_newer = 4, .pck_listed = 9},                                                false},
        {{.root_newer = 4, .root_listed = 9},                                              false},
    };
    static const struct parts base = {0};
    struct collateral_item *held = item_make(&base);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collateral_item *other = item_make(&cases[i].parts);

        assert_int_equal(span_equal(SPAN_OF(held->content), SPAN_OF(other->content)),
                         cases[i].is_same);
        collateral_item_release(&other);
    }
    collateral_item_release(&held);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_is_ordered_by_its_own_number_and_issue),
        cmocka_unit_test(a_part_that_is_not_valid_yet_waits),
        cmocka_unit_test(a_revocation_counts_with_any_other_parts),
        cmocka_unit_test(a_revoked_signer_or_ca_ends_its_signatures),
        cmocka_unit_test(a_new_signer_takes_over_from_a_revoked_one),
        cmocka_unit_test(what_is_said_is_told_from_when_it_was_said),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
