#include "collateral/directory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "collateral/store.h"
#include "crypto/random.h"
#include "support/vectors.h"

static struct attest_trust trust;
static char dir[64];

static int start(void **state)
{
    (void)state;
    attest_trust_vendors(&trust);
    (void)snprintf(dir, sizeof dir, "/tmp/vouchsafe-directory-test-XXXXXX");
    return crypto_start() != ERR_NONE || !mkdtemp(dir);
}

static int finish(void **state)
{
    (void)state;
    return rmdir(dir);
}

struct tally {
    struct collateral_store *store;
    size_t found, unreadable, good;
    char last[COLLATERAL_NAME_SIZE];
};

MUST_CHECK static enum err take(void *context, const char *path, struct timestamp modified,
                                enum err e, struct span document)
{
    struct tally *t = context;
    struct collateral_put_result result = {0};

    (void)path;
    (void)modified;
    t->found++;
    t->unreadable += e != ERR_NONE;
    if (e != ERR_NONE)
        return ERR_NONE;
    assert_int_equal(collateral_store_put(t->store, document, "test", NULL,
                                          timestamp_of_seconds(1800000000), &result),
                     ERR_NONE);
    t->good += collateral_put_is_good(result.put) || result.put == COLLATERAL_ROLLBACK;
    if (result.item)
        memcpy(t->last, result.item->name, sizeof t->last);
    collateral_item_release(&result.item);
    return ERR_NONE;
}

static void real_collateral_is_read_from_its_directories(void **state)
{
    static const char *const names[] = {"amd-genoa", "amd-milan", "amd-turin",
                                        "intel-tdx-90c06f000000-platform"};
    struct tally t = {0};
    struct collateral_snapshot *held;

    (void)state;
    if (!vectors_have("attestation/collateral", "collateral in directories"))
        skip();
    assert_int_equal(collateral_store_new(&trust, &t.store), ERR_NONE);
    assert_int_equal(collateral_directory_read(vectors_path("attestation/collateral"), take, &t),
                     ERR_NONE);
    held = collateral_store_hold(t.store);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_non_null(collateral_snapshot_find(held, span_string(names[i])));
    assert_int_equal(held->set.amd_count, 3);
    assert_true(held->set.count > 5);
    collateral_snapshot_release(&held);
    assert_int_equal(t.unreadable, 0);
    assert_int_equal(t.good, t.found);
    collateral_store_free(&t.store);
}

static void a_chips_certificate_is_known_by_its_name(void **state)
{
    struct tally t = {0};

    (void)state;
    if (!vectors_have("attestation/snp", "VCEKs in files"))
        skip();
    assert_int_equal(collateral_store_new(&trust, &t.store), ERR_NONE);
    assert_int_equal(collateral_directory_read(vectors_path("attestation/snp"), take, &t),
                     ERR_NONE);
    assert_true(t.found >= 10);
    assert_int_equal(t.good, t.found);
    assert_true(strncmp(t.last, "vek-", 4) == 0);
    collateral_store_free(&t.store);
}

static void write_file(const char *name, const char *text)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(file_write(path, span_string(text), 0600, true), ERR_NONE);
}

static void remove_file(const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(unlink(path), 0);
}

static void what_is_none_of_it_is_passed_over_or_told(void **state)
{
    struct tally t = {0};

    (void)state;
    assert_int_equal(collateral_store_new(&trust, &t.store), ERR_NONE);
    write_file(".hidden.json", "{}");
    write_file("README", "{}");
    write_file("asvk.pem", "x");
    assert_int_equal(collateral_directory_read(dir, take, &t), ERR_NONE);
    assert_int_equal(t.found, 0);
    write_file("a.json", "{}");
    write_file("chip.vcek.pem", "-----BEGIN CERTIFICATE-----\n");
    write_file("arm-00zz.pem", "x");
    assert_int_equal(collateral_directory_read(dir, take, &t), ERR_NONE);
    assert_int_equal(t.found, 3);
    assert_int_equal(t.unreadable, 2);
    assert_int_equal(t.good, 0);
    write_file("tcb_info.json", "{}"); /* now the directory is one item, with missing files */
    t.found = t.unreadable = 0;
    assert_int_equal(collateral_directory_read(dir, take, &t), ERR_NONE);
    assert_int_equal(t.found, 1);
    assert_int_equal(t.unreadable, 1);
    assert_int_equal(collateral_directory_read("/dev/null/missing", take, &t), ERR_NOT_FOUND);
    remove_file(".hidden.json");
    remove_file("README");
    remove_file("asvk.pem");
    remove_file("a.json");
    remove_file("chip.vcek.pem");
    remove_file("arm-00zz.pem");
    remove_file("tcb_info.json");
    collateral_store_free(&t.store);
}

static void a_change_is_seen(void **state)
{
    uint8_t empty[SHA256_SIZE], one[SHA256_SIZE], again[SHA256_SIZE];

    (void)state;
    assert_int_equal(collateral_directory_state(dir, empty), ERR_NONE);
    assert_int_equal(collateral_directory_write(dir, "amd-milan", SPAN_LITERAL("{}")), ERR_NONE);
    assert_int_equal(collateral_directory_state(dir, one), ERR_NONE);
    assert_memory_not_equal(empty, one, sizeof one);
    assert_int_equal(collateral_directory_state(dir, again), ERR_NONE);
    assert_memory_equal(again, one, sizeof one);
    assert_int_equal(collateral_directory_write(dir, "amd-milan", SPAN_LITERAL("{ }")), ERR_NONE);
    assert_int_equal(collateral_directory_state(dir, again), ERR_NONE);
    assert_memory_not_equal(again, one, sizeof one);
    remove_file("amd-milan.json");
    assert_int_equal(collateral_directory_state("/dev/null/missing", again), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_collateral_is_read_from_its_directories),
        cmocka_unit_test(a_chips_certificate_is_known_by_its_name),
        cmocka_unit_test(what_is_none_of_it_is_passed_over_or_told),
        cmocka_unit_test(a_change_is_seen),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
