/* AMD's certificates and revocation lists: which one of two is kept. Needs Python's
 * cryptography. */
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "collateral/merge.h"
#include "collateral/store.h"
#include "crypto/random.h"

#define NOW_S 1790000000

extern char **environ;

static char dir[48];
static struct attest_trust trust;
static bool made;

static const char *const names[] = {
    "held",          "newer_shorter", "older_longer",     "number_only",
    "expired_newer", "no_list",       "new_ask_old_list", "new_asvk_no_list"};

static void path_of(const char *name, const char *end, char out[96])
{
    (void)snprintf(out, 96, "%s/%s%s", dir, name, end);
}

static int start(void **state)
{
    char *arguments[] = {"/usr/bin/python3", SOURCE_ROOT "/tests/unit/collateral/amd_lists.py", dir,
                         NULL};
    char path[96];
    struct buffer ark = {0};
    pid_t child;
    int status = -1;

    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/vouchsafe-amd-test-XXXXXX");
    if (crypto_start() != ERR_NONE || !mkdtemp(dir))
        return 1;
    if (posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ) == 0 &&
        waitpid(child, &status, 0) == child)
        made = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!made)
        return 0;
    path_of("ark", ".pem", path);
    if (file_read(path, 65536, &ark) != ERR_NONE ||
        attest_trust_add(&trust, ATTEST_AMD_MILAN, buffer_span(&ark), false) != ERR_NONE)
        return 1;
    buffer_clear(&ark);
    return 0;
}

static int finish(void **state)
{
    char path[96];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        path_of(names[i], ".json", path);
        (void)unlink(path);
    }
    path_of("ark", ".pem", path);
    (void)unlink(path);
    return rmdir(dir);
}

static struct collateral_put_result put(struct collateral_store *s, const char *name)
{
    struct collateral_put_result result = {0};
    struct buffer document = {0};
    char path[96];

    path_of(name, ".json", path);
    assert_int_equal(file_read(path, COLLATERAL_DOCUMENT_MAX, &document), ERR_NONE);
    assert_int_equal(collateral_store_put(s, buffer_span(&document), "test", NULL,
                                          timestamp_of_seconds(NOW_S), &result),
                     ERR_NONE);
    buffer_clear(&document);
    return result;
}

enum { ASK = 1u << ATTEST_PART_VCEK_CHAIN, ASVK = 1u << ATTEST_PART_VLEK_CHAIN };
enum { CRL = 1u << ATTEST_PART_AMD_CRL };

static void the_list_that_was_issued_last_is_kept(void **state)
{
    static const struct {
        const char *first, *second;
        enum collateral_put put;
        unsigned of_second; /* the parts that are the second's in the end */
    } cases[] = {
        {"held",          "older_longer",     COLLATERAL_ROLLBACK, 0        },
        {"older_longer",  "held",             COLLATERAL_REPLACED, CRL      },
        {"newer_shorter", "older_longer",     COLLATERAL_ROLLBACK, 0        },
        {"older_longer",  "newer_shorter",    COLLATERAL_REPLACED, CRL      },
        {"held",          "number_only",      COLLATERAL_REPLACED, CRL      },
        {"number_only",   "held",             COLLATERAL_ROLLBACK, 0        },
        {"held",          "expired_newer",    COLLATERAL_REPLACED, CRL      },
        {"expired_newer", "held",             COLLATERAL_ROLLBACK, 0        },
        {"held",          "no_list",          COLLATERAL_ROLLBACK, 0        },
        {"no_list",       "held",             COLLATERAL_REPLACED, CRL      },
        {"held",          "new_ask_old_list", COLLATERAL_REPLACED, ASK      },
        {"held",          "new_asvk_no_list", COLLATERAL_REPLACED, ASVK     },
        {"no_list",       "new_ask_old_list", COLLATERAL_REPLACED, ASK | CRL},
    };

    (void)state;
    if (!made)
        skip();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct collateral_store *s = NULL;
        struct collateral_store *other = NULL;
        struct collateral_put_result first, second, alone;
        const struct collateral_item *kept;

        assert_int_equal(collateral_store_new(&trust, &s), ERR_NONE);
        assert_int_equal(collateral_store_new(&trust, &other), ERR_NONE);
        first = put(s, cases[i].first);
        assert_int_equal(first.put, COLLATERAL_ADDED);
        alone = put(other, cases[i].second);
        second = put(s, cases[i].second);
        assert_int_equal(second.put, cases[i].put);
        kept = collateral_put_is_good(second.put) ? second.item : first.item;
        for (size_t part = 0; part < ATTEST_AMD_PARTS; part++) {
            const struct attest_part *expected = cases[i].of_second >> part & 1
                                                     ? &alone.item->parts[part]
                                                     : &first.item->parts[part];

            assert_int_equal(attest_part_compare(&kept->parts[part], expected), 0);
        }
        collateral_item_release(&first.item);
        first = put(s, cases[i].second); /* it has nothing newer */
        assert_int_not_equal(first.put, COLLATERAL_REPLACED);
        collateral_item_release(&first.item);
        collateral_item_release(&second.item);
        collateral_item_release(&alone.item);
        collateral_store_free(&s);
        collateral_store_free(&other);
    }
}

static void members_of_another_type_are_refused_not_ignored(void **state)
{
    static const char *const members[] = {
        ",\"crl\":5", ",\"crl\":\"\\u0033080\"", ",\"crl\":{}", ",\"crl\":[]", ",\"crl\":true",
    };
    struct collateral_store *s = NULL;
    struct buffer document = {0};
    char path[96];

    (void)state;
    if (!made)
        skip();
    path_of("no_list", ".json", path);
    assert_int_equal(file_read(path, COLLATERAL_DOCUMENT_MAX, &document), ERR_NONE);
    assert_true(document.size > 2 && memcmp(document.data + document.size - 2, "}}", 2) == 0);
    assert_int_equal(collateral_store_new(&trust, &s), ERR_NONE);
    for (size_t i = 0; i < COUNT_OF(members); i++) {
        struct collateral_put_result result = {0};

        document.size -= i == 0 ? 2 : strlen(members[i - 1]) + 2;
        assert_int_equal(buffer_append_string(&document, members[i]), ERR_NONE);
        assert_int_equal(buffer_append_string(&document, "}}"), ERR_NONE);
        assert_int_equal(collateral_store_put(s, buffer_span(&document), "test", NULL,
                                              timestamp_of_seconds(NOW_S), &result),
                         ERR_NONE);
        assert_int_equal(result.put, COLLATERAL_REFUSED);
        assert_int_equal(result.reason, ATTEST_MALFORMED);
    }
    buffer_clear(&document);
    collateral_store_free(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_that_was_issued_last_is_kept),
        cmocka_unit_test(members_of_another_type_are_refused_not_ignored),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
