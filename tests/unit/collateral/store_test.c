#include "collateral/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/collateral/platform.h"

static struct platform platform;

static struct timestamp at(int64_t seconds)
{
    return platform_at(seconds);
}

static int start(void **state)
{
    (void)state;
    return platform_open(&platform);
}

static int finish(void **state)
{
    (void)state;
    return platform_close(&platform);
}

/* Puts collateral that the platform signs when its clock says `issued`. */
static enum collateral_put put(struct collateral_store *s, int64_t issued, uint32_t evaluation,
                               int64_t now)
{
    struct collateral_put_result result;
    struct buffer bundle = {0};

    platform_bundle(&platform, at(issued), evaluation, &bundle);
    assert_int_equal(collateral_store_put(s, buffer_span(&bundle), "test", NULL, at(now), &result),
                     ERR_NONE);
    collateral_item_release(&result.item);
    buffer_clear(&bundle);
    return result.put;
}

static void nothing_goes_back(void **state)
{
    enum { DAY = 86400 };
    struct collateral_store *s = NULL;
    struct snapshot_view view = {0};
    const struct collateral_snapshot *first, *second;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_int_equal(collateral_store_view(s, &view)->count, 0);
    assert_int_equal(put(s, 0, 17, 0), COLLATERAL_ADDED);
    first = collateral_store_view(s, &view);
    assert_int_equal(first->set.count, 1);
    assert_ptr_equal(collateral_store_view(s, &view), first);
    /* ECDSA is random: the same statement in other bytes is not newer */
    assert_int_equal(put(s, 0, 17, 0), COLLATERAL_UNCHANGED);
    assert_int_equal(put(s, -DAY, 17, 0), COLLATERAL_ROLLBACK);
    assert_int_equal(collateral_store_rollbacks(s), 1);
    assert_int_equal(put(s, 10 * DAY, 17, 0), COLLATERAL_NOT_VALID);
    assert_ptr_equal(collateral_store_view(s, &view), first);
    assert_int_equal(put(s, 1, 17, 2), COLLATERAL_REPLACED);
    second = collateral_store_view(s, &view);
    assert_int_equal(second->set.count, 1);
    assert_int_equal(second->items[0]->issued.ms, at(1).ms);
    assert_int_equal(put(s, 2, 18, 3), COLLATERAL_REPLACED);
    /* its CRLs are newer, its TCB info and QE identity are not */
    assert_int_equal(put(s, 3, 17, 4), COLLATERAL_REPLACED);
    second = collateral_store_view(s, &view);
    assert_int_equal(second->items[0]->evaluation_number, 18);
    assert_int_equal(second->items[0]->facts.parts[ATTEST_PART_TCB_INFO].issued.ms, at(2).ms);
    assert_int_equal(second->items[0]->facts.parts[ATTEST_PART_PCK_CRL].issued.ms, at(3).ms);
    assert_int_equal(put(s, 3, 17, 4), COLLATERAL_ROLLBACK);
    /* an item that is not older is accepted, even long after its expiry */
    assert_int_equal(put(s, 20 * DAY, 18, 90 * DAY), COLLATERAL_REPLACED);
    snapshot_view_clear(&view);
    collateral_store_free(&s);
}

static void who_looks_keeps_what_was_replaced(void **state)
{
    struct collateral_store *s = NULL;
    struct collateral_snapshot *held;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_int_equal(put(s, 0, 17, 0), COLLATERAL_ADDED);
    held = collateral_store_hold(s);
    assert_int_equal(put(s, 1, 17, 1), COLLATERAL_REPLACED);
    assert_int_equal(held->items[0]->issued.ms, at(0).ms);
    assert_non_null(collateral_snapshot_find(held, span_string(held->items[0]->name)));
    assert_null(collateral_snapshot_find(held, SPAN_LITERAL("amd-milan")));
    collateral_store_free(&s);
    assert_int_equal(held->count, 1); /* and outlives the store */
    collateral_snapshot_release(&held);
}

static void what_does_not_verify_or_was_not_asked_for_changes_nothing(void **state)
{
    static const char *const documents[] = {
        "",
        "{}",
        "[]",
        "{\"tcb_info\":\"{}\"}",
        "{\"amd\":{}}",
        "{\"amd\":{\"vcek_chain\":\"x\"}}",
        "{\"amd\":{\"unknown\":\"x\"}}",
        "{\"vek\":{\"certificate\":\"3080\"}}",
        "{\"vek\":{\"certificate\":\"3080\",\"name\":\"amd-milan\"}}",
        "{\"vek\":{\"certificate\":\"308\"}}",
        "{\"arm_key\":{\"instance_id\":\"00\",\"public_key\":\"x\"}}",
        "{\"vek\":{\"certificate\":\"3080\"},\"amd\":{}}",
    };
    struct collateral_store *s = NULL;
    struct collateral_put_result result;
    struct buffer bundle = {0};
    struct collateral_snapshot *held;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        assert_int_equal(
            collateral_store_put(s, span_string(documents[i]), "test", NULL, at(0), &result),
            ERR_NONE);
        assert_int_equal(result.put, COLLATERAL_REFUSED);
        assert_int_not_equal(result.reason, ATTEST_OK);
        assert_null(result.item);
    }
    platform_bundle(&platform, at(0), 17, &bundle);
    assert_int_equal(
        collateral_store_put(s, buffer_span(&bundle), "test", "amd-milan", at(0), &result),
        ERR_NONE);
    assert_int_equal(result.put, COLLATERAL_OTHER);
    collateral_item_release(&result.item);
    for (size_t i = 0; i < bundle.size; i += 7) { /* the signatures cover nearly all of it */
        bundle.data[i] ^= 1;
        assert_int_equal(
            collateral_store_put(s, buffer_span(&bundle), "test", NULL, at(0), &result), ERR_NONE);
        if (result.put != COLLATERAL_REFUSED) /* only a hex letter changed its case */
            assert_true(collateral_put_is_good(result.put));
        collateral_item_release(&result.item);
        bundle.data[i] ^= 1;
    }
    held = collateral_store_hold(s);
    assert_true(held->count <= 1);
    collateral_snapshot_release(&held);
    buffer_clear(&bundle);
    collateral_store_free(&s);
}

static struct attest_result refusal(uint8_t chip, bool is_signed)
{
    struct attest_result r = {
        .reason = ATTEST_COLLATERAL_MISSING,
        .kind = ATTEST_SGX,
        .signatures_valid = is_signed,
        .missing = {.known = true, .vendor = ATTEST_INTEL}
    };

    r.missing.fmspc[0] = chip;
    return r;
}

static void wants_are_bounded_and_queued_once(void **state)
{
    struct collateral_store *s = NULL;
    struct collateral_queue_figures figures;
    struct attest_result r = refusal(1, true);
    struct collateral_key key;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(0)));
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(0)));
    collateral_store_queue_figures(s, &figures);
    assert_int_equal(figures.waiting, 1);
    for (unsigned i = 2; i < 200; i++) { /* strangers have a share of the minute */
        const uint8_t caller[SHA256_SIZE] = {(uint8_t)(i % 7)};

        r = refusal((uint8_t)i, false);
        (void)collateral_store_request_fetch(s, &r, caller, at(1));
    }
    collateral_store_queue_figures(s, &figures);
    assert_int_equal(figures.waiting, 1 + COLLATERAL_STRANGERS_PER_MINUTE);
    for (unsigned i = 2; i < 200; i++) { /* and of the queue, for any number of attempts */
        const uint8_t caller[SHA256_SIZE] = {(uint8_t)(i % 7)};

        r = refusal((uint8_t)i, false);
        (void)collateral_store_request_fetch(s, &r, caller, at(100 * (int64_t)i));
    }
    collateral_store_queue_figures(s, &figures);
    assert_int_equal(figures.waiting, COLLATERAL_QUEUE_MAX / 2);
    r = refusal(250, true); /* there is room for evidence with valid signatures */
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(1)));
    assert_true(collateral_store_take(s, &key));
    assert_int_equal(key.fmspc[0], 1);
    while (collateral_store_take(s, &key))
        ;
    assert_int_equal(key.fmspc[0], 250);
    collateral_store_no_sources(s);
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(1)));
    collateral_store_free(&s);
}

/* As a refresher that has done with all of them. */
static void take_all(struct collateral_store *s)
{
    struct collateral_key key;
    char name[COLLATERAL_NAME_SIZE];

    while (collateral_store_take(s, &key)) {
        collateral_key_name(&key, name);
        collateral_store_forget(s, name);
    }
}

static void one_caller_has_a_share_of_the_queue(void **state)
{
    static const uint8_t callers[][SHA256_SIZE] = {{1}, {2}};
    struct collateral_queue_figures figures;
    struct collateral_store *s = NULL;
    struct collateral_key key;
    struct attest_result r;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    for (unsigned i = 0; i < 60; i++) {
        r = refusal((uint8_t)i, true);
        assert_int_equal(collateral_store_request_fetch(s, &r, callers[0], at(1)),
                         i < COLLATERAL_QUEUE_SHARE);
    }
    r = refusal(0, true); /* an item already in the queue is under way for this caller, too */
    assert_true(collateral_store_request_fetch(s, &r, callers[0], at(1)));
    r = refusal(100, true);
    assert_true(collateral_store_request_fetch(s, &r, callers[1], at(1)));
    collateral_store_queue_figures(s, &figures);
    assert_int_equal(figures.waiting, COLLATERAL_QUEUE_SHARE + 1);
    assert_int_equal(figures.dropped, 60 - COLLATERAL_QUEUE_SHARE);
    assert_true(collateral_store_take(s, &key)); /* a place is free again */
    r = refusal(101, true);
    assert_true(collateral_store_request_fetch(s, &r, callers[0], at(1)));
    take_all(s);
    for (unsigned i = 0; i < 10; i++) { /* unsigned evidence: fewer, each minute */
        r = refusal((uint8_t)(20 + i), false);
        assert_int_equal(collateral_store_request_fetch(s, &r, callers[0], at(100)),
                         i < COLLATERAL_STRANGER_SHARE);
        r = refusal((uint8_t)(120 + i), false);
        assert_int_equal(collateral_store_request_fetch(s, &r, callers[1], at(159)),
                         i < COLLATERAL_STRANGER_SHARE);
    }
    take_all(s);
    r = refusal(7, false);
    assert_false(collateral_store_request_fetch(s, &r, callers[0], at(159)));
    assert_true(collateral_store_request_fetch(s, &r, callers[0], at(160)));
    collateral_store_free(&s);
}

static void what_was_taken_is_promised_at_no_cost(void **state)
{
    static const uint8_t caller[SHA256_SIZE] = {1};
    struct collateral_queue_figures figures;
    struct collateral_store *s = NULL;
    struct collateral_key key;
    struct attest_result r = refusal(1, false);
    char name[COLLATERAL_NAME_SIZE];

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_true(collateral_store_request_fetch(s, &r, caller, at(1)));
    assert_true(collateral_store_take(s, &key));
    for (unsigned i = 0; i < 10 * COLLATERAL_STRANGERS_PER_MINUTE; i++)
        assert_true(collateral_store_request_fetch(s, &r, caller, at(1)));
    collateral_store_queue_figures(s, &figures);
    assert_int_equal(figures.waiting, 0);
    assert_int_equal(figures.dropped, 0);
    for (unsigned i = 0; i < 10; i++) { /* the share is for others */
        r = refusal((uint8_t)(2 + i), false);
        assert_int_equal(collateral_store_request_fetch(s, &r, caller, at(1)),
                         i + 1 < COLLATERAL_STRANGER_SHARE);
    }
    collateral_key_name(&key, name); /* absent from all sources, and later not any more */
    r = refusal(1, false);
    collateral_store_absent(s, name, at(40), at(50));
    assert_false(collateral_store_request_fetch(s, &r, caller, at(49)));
    assert_true(collateral_store_request_fetch(s, &r, caller, at(50)));
    collateral_store_forget(s, name);
    assert_false(collateral_store_request_fetch(s, &r, caller, at(50))); /* no share is left */
    assert_true(collateral_store_request_fetch(s, &r, caller, at(61)));
    take_all(s);
    for (unsigned i = 0; i <= COLLATERAL_TAKEN_MAX; i++) { /* the oldest is not known any more */
        r = refusal((uint8_t)(100 + i), true);
        assert_true(collateral_store_request_fetch(s, &r, NULL, at(61)));
        assert_true(collateral_store_take(s, &key));
    }
    for (unsigned i = 0; i <= COLLATERAL_TAKEN_MAX; i++) {
        r = refusal((uint8_t)(100 + i), true);
        assert_true(collateral_store_request_fetch(s, &r, NULL, at(61)));
        collateral_store_queue_figures(s, &figures);
        assert_int_equal(figures.waiting, 1); /* only the first was queued again */
    }
    collateral_store_free(&s);
}

static void what_no_source_has_is_not_promised(void **state)
{
    struct collateral_store *s = NULL;
    struct attest_result r = refusal(5, true);
    char name[COLLATERAL_NAME_SIZE];

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    collateral_key_name(&(struct collateral_key){.kind = COLLATERAL_INTEL, .fmspc = {5}}, name);
    collateral_store_absent(s, name, at(30), at(60));
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(30)));
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(59)));
    collateral_store_absent(s, name, at(60), at(90));
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(89)));
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(90)));
    /* the oldest is forgotten first */
    for (unsigned i = 0; i < COLLATERAL_ABSENT_MAX; i++) {
        char other[COLLATERAL_NAME_SIZE];

        collateral_key_name(
            &(struct collateral_key){
                .kind = COLLATERAL_INTEL, .fmspc = {6, (uint8_t)i}
        },
            other);
        collateral_store_absent(s, other, at(90), at(200));
    }
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(91)));
    r = refusal(6, true);
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(91)));
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(89))); /* the clock was set back */
    collateral_store_free(&s);
}

static void fetching_is_promised_only_where_it_can_help(void **state)
{
    struct collateral_store *s = NULL;
    struct attest_result r = {
        .reason = ATTEST_COLLATERAL_MISSING,
        .kind = ATTEST_SNP,
        .signatures_valid = true,
        .missing = {.known = true, .vendor = ATTEST_AMD_MILAN},
        .step = "vek"
    };

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(0))); /* its chip id is masked */
    r.missing.chip_id[0] = 1;
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(0)));
    r.missing.by_vlek = true;
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(0)));
    (void)memcpy(r.step, "vek_chain", sizeof "vek_chain");
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(0)));
    collateral_store_free(&s);
}

static void a_verdict_stands_while_its_collateral_says_the_same(void **state)
{
    struct collateral_store *s = NULL;
    struct collateral_snapshot *held;
    struct attest_result r = refusal(0, true);
    char mark[COLLATERAL_MARK_SIZE];
    char other[COLLATERAL_MARK_SIZE];

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    held = collateral_store_hold(s);
    collateral_mark(held, &r, mark); /* a platform without collateral */
    assert_string_equal(mark, "");
    assert_true(collateral_mark_holds(held, "", at(0)));
    assert_false(collateral_mark_holds(held, "x", at(0)));
    collateral_snapshot_release(&held);
    assert_int_equal(put(s, 0, 17, 0), COLLATERAL_ADDED);
    held = collateral_store_hold(s);
    memcpy(r.missing.fmspc, held->items[0]->facts.fmspc, sizeof r.missing.fmspc);
    collateral_mark(held, &r, mark);
    assert_true(strncmp(mark, "intel-sgx-", 10) == 0);
    assert_true(collateral_mark_holds(held, mark, at(0)));
    collateral_snapshot_release(&held);
    assert_int_equal(put(s, 50, 17, 60), COLLATERAL_REPLACED); /* newer, with the same content */
    held = collateral_store_hold(s);
    assert_true(collateral_mark_holds(held, mark, at(1)));
    collateral_snapshot_release(&held);
    assert_int_equal(put(s, 90, 18, 100), COLLATERAL_REPLACED); /* with other content */
    held = collateral_store_hold(s);
    assert_false(collateral_mark_holds(held, mark, at(1)));
    assert_false(collateral_mark_holds(held, mark, at(100)));
    /* from another keystore, which had other collateral while ours stayed the same */
    assert_true(collateral_mark_holds(held, mark, at(101)));
    collateral_mark(held, &r, other);
    assert_true(collateral_mark_holds(held, other, at(1)));
    assert_true(collateral_mark_holds(held, "intel-sgx-000000000000-platform:00", at(1)));
    collateral_snapshot_release(&held);
    collateral_store_free(&s);
}

static void what_is_at_hand_is_not_requested(void **state)
{
    enum { DAY = 86400 };
    struct collateral_store *s = NULL;
    struct attest_result r = refusal(0, true);
    struct collateral_snapshot *held;

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    assert_int_equal(put(s, 0, 17, 0), COLLATERAL_ADDED);
    held = collateral_store_hold(s);
    memcpy(r.missing.fmspc, held->items[0]->facts.fmspc, sizeof r.missing.fmspc);
    collateral_snapshot_release(&held);
    assert_false(collateral_store_request_fetch(s, &r, NULL, at(1)));
    assert_true(collateral_store_request_fetch(s, &r, NULL, at(31 * DAY))); /* it has ended */
    collateral_store_free(&s);
}

static struct collateral_item *item_of(int64_t issued, uint32_t evaluation)
{
    struct collateral_item *item = NULL;
    enum attest_reason reason;
    struct buffer bundle = {0};

    platform_bundle(&platform, at(issued), evaluation, &bundle);
    assert_int_equal(collateral_item_new(&platform.trust, buffer_span(&bundle), "test", at(issued),
                                         &item, &reason),
                     ERR_NONE);
    buffer_clear(&bundle);
    return item;
}

static void items_come_into_use_together_or_not_at_all(void **state)
{
    static const enum collateral_put expected[] = {COLLATERAL_ADDED, COLLATERAL_REPLACED,
                                                   COLLATERAL_ROLLBACK};
    struct collateral_item *items[] = {item_of(0, 17), item_of(2, 18), item_of(-86400, 17)};
    struct collateral_store *s = NULL;
    struct collateral_stage stage = {0};
    struct snapshot_view view = {0};

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
    for (unsigned turn = 0; turn < 2; turn++) { /* dropped, then adopted */
        assert_int_equal(collateral_store_stage(s, items, COUNT_OF(items), at(3), &stage),
                         ERR_NONE);
        assert_int_equal(stage.count, COUNT_OF(items));
        for (size_t i = 0; i < COUNT_OF(items); i++)
            assert_int_equal(stage.results[i].put, expected[i]);
        assert_int_equal(collateral_store_view(s, &view)->count, 0);
        if (turn == 1)
            collateral_store_adopt(&stage);
        assert_int_equal(collateral_store_view(s, &view)->count, turn);
        collateral_stage_clear(&stage);
    }
    assert_int_equal(collateral_store_view(s, &view)->items[0]->evaluation_number, 18);
    assert_int_equal(put(s, 4, 18, 4), COLLATERAL_REPLACED); /* writers wait no longer */
    /* without items nothing changes */
    assert_int_equal(collateral_store_stage(s, NULL, 0, at(5), &stage), ERR_NONE);
    assert_null(stage.next);
    collateral_store_adopt(&stage);
    collateral_stage_clear(&stage);
    snapshot_view_clear(&view);
    for (size_t i = 0; i < COUNT_OF(items); i++)
        collateral_item_release(&items[i]);
    collateral_store_free(&s);
}

/* Appends spaces after the first brace until the document has `size` bytes. */
static void pad(struct buffer *document, size_t size)
{
    const size_t old = document->size;

    assert_int_equal(buffer_reserve(document, size - old), ERR_NONE);
    memmove(document->data + 1 + size - old, document->data + 1, old - 1);
    memset(document->data + 1, ' ', size - old);
    document->size = size;
}

static void a_document_may_have_the_largest_size_and_no_more(void **state)
{
    static const struct {
        size_t size;
        enum collateral_put put;
        enum attest_reason reason;
    } cases[] = {
        {COLLATERAL_DOCUMENT_MAX,     COLLATERAL_ADDED,   ATTEST_OK       },
        {COLLATERAL_DOCUMENT_MAX + 1, COLLATERAL_REFUSED, ATTEST_TOO_LARGE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collateral_store *s = NULL;
        struct collateral_put_result result;
        struct buffer document = {0};

        assert_int_equal(collateral_store_new(&platform.trust, &s), ERR_NONE);
        platform_bundle(&platform, at(0), 17, &document);
        pad(&document, cases[i].size);
        assert_int_equal(
            collateral_store_put(s, buffer_span(&document), "test", NULL, at(0), &result),
            ERR_NONE);
        assert_int_equal(result.put, cases[i].put);
        assert_int_equal(result.reason, cases[i].reason);
        collateral_item_release(&result.item);
        buffer_clear(&document);
        collateral_store_free(&s);
    }
}

static void refusals_speak_of_documents(void **state)
{
    static const enum attest_reason reasons[] = {ATTEST_MALFORMED, ATTEST_TOO_LARGE,
                                                 ATTEST_COLLATERAL_MISSING};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        assert_non_null(strstr(collateral_refusal_text(reasons[i]), "The document"));
    assert_string_equal(collateral_refusal_text(ATTEST_CRL_INVALID),
                        attest_reason_text(ATTEST_CRL_INVALID));
}

static void only_some_refusals_are_for_want_of_collateral(void **state)
{
    static const enum attest_reason missing[] = {
        ATTEST_COLLATERAL_MISSING, ATTEST_COLLATERAL_EXPIRED, ATTEST_CRL_MISSING, ATTEST_CRL_TIME};
    static const enum attest_reason another[] = {
        ATTEST_TCB_INFO_MISMATCH, ATTEST_CRL_ISSUER_MISMATCH, ATTEST_VEK_TCB_MISMATCH,
        ATTEST_VEK_HWID_MISMATCH, ATTEST_VEK_TYPE_MISMATCH};

    (void)state;
    for (unsigned reason = 0; reason < ATTEST_REASON_COUNT; reason++) {
        bool is_missing = false;
        bool is_another = false;

        for (size_t i = 0; i < COUNT_OF(missing); i++)
            is_missing = is_missing || reason == (unsigned)missing[i];
        for (size_t i = 0; i < COUNT_OF(another); i++)
            is_another = is_another || reason == (unsigned)another[i];
        assert_int_equal(collateral_is_missing((enum attest_reason)reason), is_missing);
        assert_int_equal(collateral_is_another((enum attest_reason)reason), is_another);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_into_use_together_or_not_at_all),
        cmocka_unit_test(nothing_goes_back),
        cmocka_unit_test(who_looks_keeps_what_was_replaced),
        cmocka_unit_test(what_does_not_verify_or_was_not_asked_for_changes_nothing),
        cmocka_unit_test(wants_are_bounded_and_queued_once),
        cmocka_unit_test(one_caller_has_a_share_of_the_queue),
        cmocka_unit_test(what_was_taken_is_promised_at_no_cost),
        cmocka_unit_test(what_no_source_has_is_not_promised),
        cmocka_unit_test(fetching_is_promised_only_where_it_can_help),
        cmocka_unit_test(a_verdict_stands_while_its_collateral_says_the_same),
        cmocka_unit_test(what_is_at_hand_is_not_requested),
        cmocka_unit_test(a_document_may_have_the_largest_size_and_no_more),
        cmocka_unit_test(refusals_speak_of_documents),
        cmocka_unit_test(only_some_refusals_are_for_want_of_collateral),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
