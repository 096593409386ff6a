#include "collateral/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "unit/collateral/platform.h"

static struct platform platform;
static struct buffer bundle;
static const struct timestamp now = {PLATFORM_NOW_S * INT64_C(1000)};

static void path_of(const char *name, char out[128])
{
    (void)snprintf(out, 128, "%s/%s", platform.parent, name);
}

static int start(void **state)
{
    char dir[128];

    (void)state;
    if (platform_open(&platform) != 0)
        return 1;
    platform_bundle(&platform, now, 17, &bundle);
    path_of("dir", dir);
    return mkdir(dir, 0700);
}

static int finish(void **state)
{
    static const char *const files[] = {"bundle", "dir/a.json"};
    char path[128];

    (void)state;
    buffer_clear(&bundle);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        path_of(files[i], path);
        (void)unlink(path);
    }
    path_of("dir", path);
    (void)rmdir(path);
    return platform_close(&platform);
}

static void write_file(const char *name, struct span bytes, unsigned mode)
{
    char path[128];

    path_of(name, path);
    assert_int_equal(file_write(path, bytes, mode, true), ERR_NONE);
}

static void remove_file(const char *name)
{
    char path[128];

    path_of(name, path);
    assert_int_equal(unlink(path), 0);
}

static void read_path(struct collateral_files *f, struct collateral_store *in_use, const char *name,
                      struct problems *problems)
{
    const struct collateral_reading reading = {
        .trust = &platform.trust, .in_use = in_use, .setting = "the.setting", .now = now};
    char path[128];

    path_of(name, path);
    collateral_files_read(f, &reading, path, problems);
}

static void what_verifies_is_returned(void **state)
{
    struct collateral_files f = {0};
    struct problems problems = {0};

    (void)state;
    write_file("bundle", buffer_span(&bundle), 0600);
    write_file("dir/a.json", buffer_span(&bundle), 0600);
    read_path(&f, NULL, "bundle", &problems);
    read_path(&f, NULL, "dir", &problems);
    assert_int_equal(problems_err(&problems), ERR_NONE);
    assert_int_equal(f.count, 2);
    assert_string_equal(f.items[0]->source, "file");
    assert_string_equal(f.items[1]->source, "directory");
    assert_int_equal(f.items[1]->fetched.ms, now.ms);
    collateral_files_clear(&f);
    assert_int_equal(f.count, 0);
}

static void what_is_in_use_is_not_read_again(void **state)
{
    struct collateral_put_result result = {0};
    struct collateral_store *store = NULL;
    struct collateral_files f = {0};
    struct problems problems = {0};

    (void)state;
    assert_int_equal(collateral_store_new(&platform.trust, &store), ERR_NONE);
    read_path(&f, store, "dir", &problems);
    assert_int_equal(f.count, 1);
    assert_int_equal(collateral_store_put(store, buffer_span(&bundle), "test", NULL, now, &result),
                     ERR_NONE);
    collateral_item_release(&result.item);
    read_path(&f, store, "dir", &problems);
    assert_int_equal(f.count, 1);
    assert_int_equal(problems_err(&problems), ERR_NONE);
    collateral_files_clear(&f);
    collateral_store_free(&store);
}

static void every_fault_is_told(void **state)
{
    static const struct {
        const char *path, *says;
    } faults[] = {
        {"missing",         "no such file"             },
        {"open",            "0666"                     },
        {"dir/bad.json",    "(malformed): The document"},
        {"dir/no.vcek.pem", "required form"            },
    };
    struct collateral_files f = {0};
    struct problems problems = {0};
    char open_path[128];

    (void)state;
    write_file("open", buffer_span(&bundle), 0600);
    path_of("open", open_path);
    assert_int_equal(chmod(open_path, 0666), 0);
    write_file("dir/bad.json", SPAN_LITERAL("{}"), 0600);
    write_file("dir/no.vcek.pem", SPAN_LITERAL("-----BEGIN CERTIFICATE-----\n"), 0600);
    read_path(&f, NULL, "missing", &problems);
    read_path(&f, NULL, "open", &problems);
    read_path(&f, NULL, "dir", &problems);
    assert_int_equal(f.count, 1); /* the good one beside them */
    assert_int_equal(problems.count, COUNT_OF(faults));
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        char path[128];

        path_of(faults[i].path, path);
        assert_string_equal(problems.items[i].file, path);
        assert_string_equal(problems.items[i].setting, "the.setting");
        assert_non_null(strstr(problems.items[i].text, faults[i].says));
    }
    problems_clear(&problems);
    collateral_files_clear(&f);
    remove_file("open");
    remove_file("dir/bad.json");
    remove_file("dir/no.vcek.pem");
}

/* Without the anchor of the bundle its chain cannot be judged, but its form can. */
static void the_form_is_judged_without_anchors(void **state)
{
    static const struct attest_trust no_anchors;
    struct collateral_reading reading = {
        .trust = &no_anchors, .setting = "the.setting", .now = now, .form_only = true};
    struct collateral_files f = {0};
    struct problems problems = {0};
    char path[128];

    (void)state;
    write_file("open", SPAN_LITERAL("{}"), 0600);
    for (int i = 0; i < 2; i++) {
        path_of("bundle", path);
        collateral_files_read(&f, &reading, path, &problems);
        assert_int_equal(problems.count, 3 * i); /* a refusal, when it is verified */
        path_of("missing", path);
        collateral_files_read(&f, &reading, path, &problems);
        path_of("open", path);
        collateral_files_read(&f, &reading, path, &problems);
        assert_int_equal(f.count, 0);
        if (i == 0) {
            assert_int_equal(problems.count, 2);
            assert_non_null(strstr(problems.items[0].text, "no such file"));
            assert_non_null(strstr(problems.items[1].text, "(malformed)"));
        }
        reading.form_only = false;
    }
    assert_int_equal(problems.count, 5);
    problems_clear(&problems);
    remove_file("open");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_verifies_is_returned),
        cmocka_unit_test(what_is_in_use_is_not_read_again),
        cmocka_unit_test(every_fault_is_told),
        cmocka_unit_test(the_form_is_judged_without_anchors),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
