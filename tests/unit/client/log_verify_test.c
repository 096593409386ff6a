#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vouchsafe/vouchsafe.h>

#include "audit/checkpoint.h"
#include "audit/entry.h"
#include "audit/receipt.h"

#define ORIGIN "keystore.example/log"
#define ENTRIES 20

static const uint8_t seed[ED25519_SEED_SIZE] = {5};
static char vkey[VS_VKEY_SIZE];
static char lines[ENTRIES][512];
static char notes[ENTRIES + 1][CHECKPOINT_TEXT_MAX]; /* of every size */

static void make_line(size_t i, char out[512])
{
    struct writer w = writer_over(out, 511);
    char id[40];

    (void)snprintf(id, sizeof id, "01932f6e-7b8a-7cc0-9d3e-%012zu", i);
    const struct audit_entry entry = {
        .time = {1700000000000 + (int64_t)i * 1000},
        .request_id = span_string(id),
        .op = SPAN_LITERAL("open"),
        .code = SPAN_LITERAL("ok"),
        .principal = SPAN_LITERAL("worker:a"),
        .allowed = true,
    };
    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    out[w.size] = '\0';
}

static int make_log(void **state)
{
    struct merkle_frontier tree = {0};
    uint8_t key[ED25519_PUBLIC_SIZE];

    (void)state;
    if (vs_start() != VS_OK)
        return -1;
    ed25519_public(seed, key);
    assert_int_equal(checkpoint_vkey_write(ORIGIN, key, vkey, sizeof vkey), ERR_NONE);
    for (size_t i = 0; i <= ENTRIES; i++) {
        struct checkpoint point = {.size = i};
        struct merkle_hash leaf;

        merkle_root(&tree, &point.root);
        assert_int_equal(checkpoint_sign(&point, ORIGIN, seed, notes[i], sizeof notes[i]),
                         ERR_NONE);
        if (i == ENTRIES)
            break;
        make_line(i, lines[i]);
        merkle_leaf(span_string(lines[i]), &leaf);
        merkle_append(&tree, &leaf);
    }
    return 0;
}

static struct vs_bytes text(const char *s)
{
    return (struct vs_bytes){s, strlen(s)};
}

/* Verifies lines `order[0..count-1]` (NULL entries end it) in pieces of `piece` bytes. */
MUST_CHECK static enum vs_error verify(const char *const *order, size_t count, size_t head,
                                       const size_t *kept, size_t kept_count, size_t piece,
                                       struct vs_log_report *report)
{
    static char log[ENTRIES * 600];
    struct vs_log_verifier *v = NULL;
    struct vs_why why = {0};
    size_t size = 0;
    enum vs_error e;

    for (size_t i = 0; i < count; i++)
        size += (size_t)snprintf(log + size, sizeof log - size, "%s\n", order[i]);
    assert_int_equal(vs_log_verifier_new(text(notes[head]), vkey, &v), VS_OK);
    for (size_t i = 0; i < kept_count; i++)
        assert_int_equal(vs_log_verifier_keep(v, text(notes[kept[i]])), VS_OK);
    for (size_t at = 0; at < size; at += piece)
        assert_int_equal(vs_log_verifier_add(
                             v, (struct vs_bytes){log + at, size - at < piece ? size - at : piece}),
                         VS_OK);
    e = vs_log_verifier_finish(v, report, &why);
    assert_int_equal(why.text[0] == '\0', e == VS_OK);
    vs_log_verifier_free(&v);
    return e;
}

static void in_order(const char *order[ENTRIES])
{
    for (size_t i = 0; i < ENTRIES; i++)
        order[i] = lines[i];
}

static const size_t kept[] = {15, 8, 0, 4}; /* in any order */

static void an_intact_log_verifies_however_it_is_cut(void **state)
{
    static const size_t pieces[] = {1, 7, 200, 100000};
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        assert_int_equal(verify(order, ENTRIES, ENTRIES, kept, 4, pieces[i], &r), VS_OK);
        assert_int_equal(r.fault, VS_LOG_OK);
        assert_int_equal(r.intact, ENTRIES);
    }
    assert_int_equal(verify(order, 0, 0, kept, 0, 10, &r), VS_OK); /* the empty log */
}

static void an_edited_entry_is_found_between_its_checkpoints(void **state)
{
    const char *order[ENTRIES];
    char edited[512];
    struct vs_log_report r;

    (void)state;
    for (size_t i = 0; i < ENTRIES; i++) {
        in_order(order);
        memcpy(edited, lines[i], sizeof edited);
        strstr(edited, "worker:a")[7] = 'b';
        order[i] = edited;
        assert_int_equal(verify(order, ENTRIES, ENTRIES, kept, 4, 1000, &r), VS_ERR_TAMPERED);
        assert_int_equal(r.fault, VS_LOG_CHANGED);
        assert_true(r.first <= i && i <= r.last);
        assert_int_equal(r.first, i < 4 ? 0 : i < 8 ? 4 : i < 15 ? 8 : 15);
        assert_int_equal(r.last, i < 4 ? 3 : i < 8 ? 7 : i < 15 ? 14 : 19);
    }
}

static void a_damaged_line_is_named_exactly(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    order[6] = "{\"v\":1,";
    assert_int_equal(verify(order, ENTRIES, ENTRIES, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_MALFORMED);
    assert_int_equal(r.first, 6);
    assert_int_equal(r.last, 6);
}

static void a_removed_entry_is_found(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    memmove(order + 5, order + 6, (ENTRIES - 6) * sizeof order[0]);
    assert_int_equal(verify(order, ENTRIES - 1, ENTRIES, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_CHANGED);
    assert_int_equal(r.first, 4);
    assert_int_equal(r.last, 7);
    /* without kept checkpoints, only the count shows it */
    assert_int_equal(verify(order, ENTRIES - 1, ENTRIES, NULL, 0, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_MISSING);
    assert_int_equal(r.first, 0);
}

static void reordered_entries_are_found_and_pointed_at(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    order[9] = lines[11];
    order[11] = lines[9];
    assert_int_equal(verify(order, ENTRIES, ENTRIES, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_CHANGED);
    assert_int_equal(r.first, 8);
    assert_int_equal(r.last, 14);
    assert_true(r.has_suspect);
    assert_int_equal(r.suspect, 10);
}

static void a_truncated_export_is_found(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    assert_int_equal(verify(order, 17, ENTRIES, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_MISSING);
    assert_int_equal(r.intact, 15);
    assert_int_equal(r.entries, 17);
}

/* The operator cuts the log and signs a smaller checkpoint. A kept checkpoint detects it. */
static void truncation_behind_a_kept_checkpoint_is_found(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    assert_int_equal(verify(order, 12, 12, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_ROLLED_BACK);
    assert_int_equal(r.first, 12);
    assert_int_equal(r.last, 14);
    assert_int_equal(verify(order, 15, 15, kept, 4, 1000, &r), VS_OK);
}

static void entries_beyond_the_checkpoint_are_not_vouched_for(void **state)
{
    const char *order[ENTRIES];
    struct vs_log_report r;

    (void)state;
    in_order(order);
    assert_int_equal(verify(order, 18, 16, kept, 4, 1000, &r), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_UNCOVERED);
    assert_int_equal(r.first, 16);
    assert_int_equal(r.intact, 16);
}

/* If a key signs two different logs, either checkpoint detects it. */
static void a_fork_is_found(void **state)
{
    const char *order[ENTRIES];
    struct checkpoint point = {.size = 8};
    char other[CHECKPOINT_TEXT_MAX];
    struct vs_log_verifier *v = NULL;
    struct vs_log_report r;

    (void)state;
    in_order(order);
    assert_int_equal(checkpoint_sign(&point, ORIGIN, seed, other, sizeof other), ERR_NONE);
    assert_int_equal(vs_log_verifier_new(text(notes[8]), vkey, &v), VS_OK);
    assert_int_equal(vs_log_verifier_keep(v, text(other)), VS_OK);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(vs_log_verifier_add(v, text(lines[i])), VS_OK);
        assert_int_equal(vs_log_verifier_add(v, text("\n")), VS_OK);
    }
    assert_int_equal(vs_log_verifier_finish(v, &r, NULL), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_FORKED);
    vs_log_verifier_free(&v);
}

static void a_line_without_end_is_no_entry(void **state)
{
    struct vs_log_verifier *v = NULL;
    struct vs_log_report r;
    char piece[4096];

    (void)state;
    memset(piece, 'x', sizeof piece);
    assert_int_equal(vs_log_verifier_new(text(notes[1]), vkey, &v), VS_OK);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(vs_log_verifier_add(v, (struct vs_bytes){piece, sizeof piece}), VS_OK);
    assert_int_equal(vs_log_verifier_finish(v, &r, NULL), VS_ERR_TAMPERED);
    assert_int_equal(r.fault, VS_LOG_MALFORMED);
    assert_int_equal(r.entries, 1);
    vs_log_verifier_free(&v);
}

/* Its first AUDIT_ENTRY_MAX bytes are the logged entry; the bytes after them were not logged. */
static void what_hangs_on_the_longest_entry_is_found(void **state)
{
    static const char *const tails[] = {"", "x", "}", " "};
    const struct audit_entry entry = {.time = {1700000000000}, .op = SPAN_LITERAL("open")};
    struct checkpoint point = {.size = 1};
    struct vs_log_verifier *v = NULL;
    struct vs_log_report r;
    char line[AUDIT_ENTRY_MAX + 1];
    char note[CHECKPOINT_TEXT_MAX];
    struct writer w = writer_over(line, sizeof line);

    (void)state;
    assert_int_equal(audit_entry_write(&entry, &w), ERR_NONE);
    memset(line + w.size - 1, ' ', AUDIT_ENTRY_MAX - w.size); /* the longest possible */
    line[AUDIT_ENTRY_MAX - 1] = '}';
    line[AUDIT_ENTRY_MAX] = '\0';
    merkle_leaf(span_string(line), &point.root);
    assert_int_equal(checkpoint_sign(&point, ORIGIN, seed, note, sizeof note), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(tails); i++) {
        const bool whole = tails[i][0] == '\0';

        assert_int_equal(vs_log_verifier_new(text(note), vkey, &v), VS_OK);
        assert_int_equal(vs_log_verifier_add(v, text(line)), VS_OK);
        assert_int_equal(vs_log_verifier_add(v, text(tails[i])), VS_OK);
        assert_int_equal(vs_log_verifier_add(v, text("\n")), VS_OK);
        assert_int_equal(vs_log_verifier_finish(v, &r, NULL), whole ? VS_OK : VS_ERR_TAMPERED);
        assert_int_equal(r.fault, whole ? VS_LOG_OK : VS_LOG_MALFORMED);
        assert_int_equal(r.first, 0);
        assert_int_equal(r.intact, whole);
        vs_log_verifier_free(&v);
    }
}

static void checkpoints_of_others_are_refused(void **state)
{
    static const uint8_t other_seed[ED25519_SEED_SIZE] = {6};
    struct checkpoint point = {.size = 3};
    char other[CHECKPOINT_TEXT_MAX];
    struct vs_log_verifier *v = NULL;

    (void)state;
    assert_int_equal(checkpoint_sign(&point, ORIGIN, other_seed, other, sizeof other), ERR_NONE);
    assert_int_equal(vs_log_verifier_new(text(other), vkey, &v), VS_ERR_UNTRUSTED);
    assert_int_equal(vs_log_verifier_new(text("x"), vkey, &v), VS_ERR_MALFORMED);
    assert_int_equal(vs_log_verifier_new(text(notes[3]), "no key", &v), VS_ERR_MALFORMED);
    assert_null(v);
    assert_int_equal(vs_log_verifier_new(text(notes[3]), vkey, &v), VS_OK);
    assert_int_equal(vs_log_verifier_keep(v, text(other)), VS_ERR_UNTRUSTED);
    assert_int_equal(vs_log_verifier_add(v, text("x")), VS_OK);
    assert_int_equal(vs_log_verifier_keep(v, text(notes[2])), VS_ERR_ARGUMENT); /* too late */
    vs_log_verifier_free(&v);
}

/* The receipt of the only entry of a log of one: its proof is empty. */
static size_t make_receipt(char *out, size_t capacity)
{
    const struct merkle_proof proof = {0};
    struct writer w = writer_over(out, capacity);

    assert_int_equal(receipt_write(0, span_string(lines[0]), &proof, span_string(notes[1]), &w),
                     ERR_NONE);
    return w.size;
}

static void a_receipt_has_the_logged_entry(void **state)
{
    static struct vs_receipt_info info;
    char receipt[RECEIPT_MAX];
    const struct vs_bytes bytes = {receipt, make_receipt(receipt, sizeof receipt)};

    (void)state;
    assert_int_equal(vs_receipt_verify(bytes, vkey, NULL, &info, NULL), VS_OK);
    assert_int_equal(info.index, 0);
    assert_string_equal(info.op, "open");
    assert_string_equal(info.decision, "allow");
    assert_string_equal(info.entry, lines[0]);
    assert_int_equal(info.time, 1700000000);
    assert_string_equal(info.key, "");
    assert_string_equal(info.task, "");
    assert_int_equal(
        vs_receipt_verify(bytes, vkey, "01932f6e-7b8a-7cc0-9d3e-000000000000", &info, NULL), VS_OK);
}

static void a_wrong_receipt_is_refused(void **state)
{
    static struct vs_receipt_info info;
    char receipt[RECEIPT_MAX];
    char other_vkey[VS_VKEY_SIZE];
    uint8_t other_key[ED25519_PUBLIC_SIZE];
    struct vs_why why = {0};
    struct vs_bytes bytes = {receipt, make_receipt(receipt, sizeof receipt)};

    (void)state;
    assert_int_equal(
        vs_receipt_verify(bytes, vkey, "01932f6e-7b8a-7cc0-9d3e-000000000001", &info, &why),
        VS_ERR_TAMPERED);
    assert_true(why.text[0] != '\0');
    ed25519_public((const uint8_t[ED25519_SEED_SIZE]){1}, other_key);
    assert_int_equal(checkpoint_vkey_write(ORIGIN, other_key, other_vkey, sizeof other_vkey),
                     ERR_NONE);
    assert_int_equal(vs_receipt_verify(bytes, other_vkey, NULL, &info, NULL), VS_ERR_UNTRUSTED);
    strstr(receipt, "worker:a")[7] = 'b';
    assert_int_equal(vs_receipt_verify(bytes, vkey, NULL, &info, NULL), VS_ERR_TAMPERED);
    for (bytes.size--; bytes.size > 0; bytes.size--)
        assert_int_equal(vs_receipt_verify(bytes, vkey, NULL, &info, NULL), VS_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_intact_log_verifies_however_it_is_cut),
        cmocka_unit_test(an_edited_entry_is_found_between_its_checkpoints),
        cmocka_unit_test(a_damaged_line_is_named_exactly),
        cmocka_unit_test(a_removed_entry_is_found),
        cmocka_unit_test(reordered_entries_are_found_and_pointed_at),
        cmocka_unit_test(a_truncated_export_is_found),
        cmocka_unit_test(truncation_behind_a_kept_checkpoint_is_found),
        cmocka_unit_test(entries_beyond_the_checkpoint_are_not_vouched_for),
        cmocka_unit_test(a_fork_is_found),
        cmocka_unit_test(a_line_without_end_is_no_entry),
        cmocka_unit_test(what_hangs_on_the_longest_entry_is_found),
        cmocka_unit_test(checkpoints_of_others_are_refused),
        cmocka_unit_test(a_receipt_has_the_logged_entry),
        cmocka_unit_test(a_wrong_receipt_is_refused),
    };
    return cmocka_run_group_tests(tests, make_log, NULL);
}
