/* The PCK extension, built item by item: each item missing, twice, of another type or size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "attest/pck.h"
#include "base/writer.h"
#include "codec/der.h"

enum { EXTENSION_MAX = 1024, TCB_ITEMS = 18 };

/* What to do to the item with this arc (of the outer list, or of the TCB list). */
enum change { KEEP, DROP, DOUBLE, WRONG_TAG, TOO_LONG };
struct plan {
    unsigned outer;
    unsigned tcb;
    enum change change;
    bool without_platform; /* .6 and .7: processor CA certificates have none */
};

static void put_tlv(struct writer *w, uint8_t tag, struct span contents)
{
    der_put_head(w, tag, contents.size);
    writer_put(w, contents);
}

static void put_item(struct writer *w, unsigned parent, unsigned arc, uint8_t tag,
                     struct span contents, enum change change)
{
    uint8_t oid[16] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};
    uint8_t body[512], longer[300];
    struct writer inner = writer_over(body, sizeof body);
    size_t oid_size = 9;
    struct span whole;

    if (change == DROP)
        return;
    if (parent != 0)
        oid[oid_size++] = (uint8_t)parent;
    oid[oid_size++] = (uint8_t)arc;
    if (change == TOO_LONG) {
        memset(longer, 0x01, sizeof longer);
        memcpy(longer, contents.data, contents.size);
        contents = span_of(longer, contents.size + 3);
    }
    put_tlv(&inner, DER_OID, span_of(oid, oid_size));
    put_tlv(&inner, change == WRONG_TAG ? DER_UTF8_STRING : tag, contents);
    assert_int_equal(writer_finish(&inner, &whole), ERR_NONE);
    put_tlv(w, DER_SEQUENCE, whole);
    if (change == DOUBLE)
        put_tlv(w, DER_SEQUENCE, whole);
}

static enum change planned(unsigned wanted, unsigned arc, enum change change)
{
    return wanted == arc ? change : KEEP;
}

static struct span tcb_list(const struct plan *plan, uint8_t *out, size_t capacity)
{
    static const uint8_t cpu_svn[16] = {1};
    struct writer w = writer_over(out, capacity);
    struct span whole;

    for (unsigned i = 1; i <= TCB_ITEMS; i++) {
        uint8_t svn[] = {(uint8_t)i};

        put_item(&w, 2, i, i == TCB_ITEMS ? DER_OCTET_STRING : DER_INTEGER,
                 i == TCB_ITEMS ? SPAN_OF(cpu_svn) : SPAN_OF(svn),
                 planned(plan->tcb, i, plan->change));
    }
    assert_int_equal(writer_finish(&w, &whole), ERR_NONE);
    return whole;
}

static struct span extension(const struct plan *plan, uint8_t *out)
{
    static const uint8_t bytes[16] = {0x77};
    static const uint8_t one[] = {1}, truth[] = {0xff};
    uint8_t tcb[768], configuration[128], list[EXTENSION_MAX - 8];
    struct writer w = writer_over(list, sizeof list);
    struct writer c = writer_over(configuration, sizeof configuration);
    struct writer whole_writer = writer_over(out, EXTENSION_MAX);
    struct span contents, whole;

    put_item(&w, 0, 1, DER_OCTET_STRING, SPAN_OF(bytes), planned(plan->outer, 1, plan->change));
    put_item(&w, 0, 2, DER_SEQUENCE, tcb_list(plan, tcb, sizeof tcb),
             planned(plan->outer, 2, plan->change == TOO_LONG ? WRONG_TAG : plan->change));
    put_item(&w, 0, 3, DER_OCTET_STRING, span_of(bytes, 2), planned(plan->outer, 3, plan->change));
    put_item(&w, 0, 4, DER_OCTET_STRING, span_of(bytes, 6), planned(plan->outer, 4, plan->change));
    put_item(&w, 0, 5, DER_ENUMERATED, SPAN_OF(one), planned(plan->outer, 5, plan->change));
    if (!plan->without_platform) {
        put_item(&w, 0, 6, DER_OCTET_STRING, SPAN_OF(bytes), planned(plan->outer, 6, plan->change));
        for (unsigned i = 1; i <= 3; i++)
            put_item(&c, 7, i, DER_BOOLEAN, SPAN_OF(truth), KEEP);
        assert_int_equal(writer_finish(&c, &contents), ERR_NONE);
        put_item(&w, 0, 7, DER_SEQUENCE, contents, planned(plan->outer, 7, plan->change));
    }
    put_item(&w, 0, 8, DER_INTEGER, SPAN_OF(one), plan->outer == 8 ? KEEP : DROP);
    assert_int_equal(writer_finish(&w, &contents), ERR_NONE);
    put_tlv(&whole_writer, DER_SEQUENCE, contents);
    assert_int_equal(writer_finish(&whole_writer, &whole), ERR_NONE);
    return whole;
}

static void the_items_are_read(void **state)
{
    uint8_t bytes[EXTENSION_MAX];
    struct plan plan = {0};
    struct pck p;

    (void)state;
    assert_int_equal(pck_extension_parse(extension(&plan, bytes), &p), ERR_NONE);
    for (size_t i = 0; i < PCK_COMPONENT_COUNT; i++)
        assert_int_equal(p.components[i], i + 1);
    assert_int_equal(p.pce_svn, 17);
    assert_int_equal(p.ppid[0], 0x77);
    assert_int_equal(p.fmspc[0], 0x77);
    assert_int_equal(p.sgx_type, 1);
    assert_true(p.has_platform_instance && p.has_configuration && p.smt_enabled);
    plan.without_platform = true;
    assert_int_equal(pck_extension_parse(extension(&plan, bytes), &p), ERR_NONE);
    assert_false(p.has_platform_instance || p.has_configuration);
}

static void items_missing_doubled_or_of_another_form_are_refused(void **state)
{
    uint8_t bytes[EXTENSION_MAX];
    struct pck p;

    (void)state;
    for (unsigned change = DROP; change <= TOO_LONG; change++) {
        for (unsigned arc = 1; arc <= 7; arc++) {
            struct plan plan = {.outer = arc, .change = (enum change)change};

            if (arc >= 6 && change == DROP) /* these two are optional */
                assert_int_equal(pck_extension_parse(extension(&plan, bytes), &p), ERR_NONE);
            else
                assert_int_equal(pck_extension_parse(extension(&plan, bytes), &p), ERR_MALFORMED);
        }
        for (unsigned arc = 1; arc <= TCB_ITEMS; arc++) {
            struct plan plan = {.tcb = arc, .change = (enum change)change};

            assert_int_equal(pck_extension_parse(extension(&plan, bytes), &p), ERR_MALFORMED);
        }
    }
    struct plan unknown = {.outer = 8};

    assert_int_equal(pck_extension_parse(extension(&unknown, bytes), &p), ERR_MALFORMED);
}

static void every_prefix_and_every_tail_is_refused(void **state)
{
    uint8_t bytes[EXTENSION_MAX + 1] = {0};
    struct plan plan = {0};
    struct span whole = extension(&plan, bytes);
    struct pck p;

    (void)state;
    for (size_t size = 0; size < whole.size; size++)
        assert_int_equal(pck_extension_parse(span_of(bytes, size), &p), ERR_MALFORMED);
    assert_int_equal(pck_extension_parse(span_of(bytes, whole.size + 1), &p), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_items_are_read),
        cmocka_unit_test(items_missing_doubled_or_of_another_form_are_refused),
        cmocka_unit_test(every_prefix_and_every_tail_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
