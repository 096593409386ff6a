/*
 * The suite that every engine passes, on SQLite. STORE_SEQUENCES and STORE_SEED run more of it, or
 * another part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "crypto/random.h"
#include "support/fault_vfs.h"
#include "support/sqlite_directory.h"
#include "support/store_suite.h"

enum { SEQUENCES = 10000, ROUNDS = 1000 };

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = otherwise;

    if (text && decimal_read(span_string(text), &number) != ERR_NONE)
        fail_msg("%s is no number", name);
    return number;
}

static void generated_sequences_do_what_the_model_does(void **state)
{
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE + 1];

    (void)state;
    suite_sequences(&store_sqlite, database, number_from("STORE_SEED", 1),
                    number_from("STORE_SEQUENCES", SEQUENCES), digest);
    hex_write(SPAN_OF(digest), text);
    print_message("# digest %s\n", text);
}

static void a_counter_never_passes_its_limit(void **state)
{
    (void)state;
    suite_limits(&store_sqlite, database, ROUNDS);
}

static void a_demoted_process_appends_nothing(void **state)
{
    (void)state;
    suite_fencing(&store_sqlite, database);
}

static void rows_and_entries_are_found_again(void **state)
{
    (void)state;
    suite_reads(&store_sqlite, database);
}

#define ON_AN_EMPTY_DATABASE(test)                                                                 \
    cmocka_unit_test_setup_teardown(test, database_directory_make, database_directory_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_AN_EMPTY_DATABASE(generated_sequences_do_what_the_model_does),
        ON_AN_EMPTY_DATABASE(a_counter_never_passes_its_limit),
        ON_AN_EMPTY_DATABASE(a_demoted_process_appends_nothing),
        ON_AN_EMPTY_DATABASE(rows_and_entries_are_found_again),
    };

    fault_vfs.no_sync = true; /* nothing here is about crashes */
    return crypto_start() == ERR_NONE && fault_vfs_register()
               ? cmocka_run_group_tests_name("property/store", tests, NULL, NULL)
               : 1;
}
