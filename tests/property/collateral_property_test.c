/*
 * For every order of documents and every mixture of their parts, the store ends with the newest of
 * each part. On the way no held part is replaced by an older one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "collateral/store.h"
#include "crypto/random.h"
#include "support/bundle_mix.h"
#include "tee/simulated.h"

#define NOW_S 1790000000
#define DAY_S 86400

enum { ROUNDS = 30, PURE = 4, MIXED = 6, ORDERS = 3 };

static char parent[48];
static char dir[64];
static struct simulated_platform *platform;
static struct attest_trust trust;

static unsigned below(unsigned limit)
{
    uint32_t random;

    random_bytes(&random, sizeof random);
    return random % limit;
}

static int start(void **state)
{
    (void)state;
    (void)snprintf(parent, sizeof parent, "/tmp/vouchsafe-property-XXXXXX");
    if (crypto_start() != ERR_NONE || !mkdtemp(parent))
        return 1;
    (void)snprintf(dir, sizeof dir, "%s/sim", parent);
    return simulated_create(dir, timestamp_of_seconds(NOW_S - 400 * DAY_S)) != ERR_NONE ||
           simulated_open(dir, &platform) != ERR_NONE ||
           attest_trust_add_simulated(&trust, simulated_root_pem(platform)) != ERR_NONE;
}

static int finish(void **state)
{
    static const char *const files[] = {"root_ca.pem",     "pck_chain.pem",   "root_ca.key",
                                        "platform_ca.key", "tcb_signing.key", "pck.key",
                                        "attestation.key", "sealing.key"};
    char path[128];

    (void)state;
    simulated_close(&platform);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
    return rmdir(parent);
}

/* Issued up to nine days ago, or up to two days from now; few values, so that some are equal. */
static void bundle_make(struct buffer *out)
{
    static const char *const statuses[] = {"UpToDate", "OutOfDate", "Revoked"};
    const struct simulated_collateral how = {
        .tcb_evaluation_number = 17 + below(3),
        .tcb_status = statuses[below(COUNT_OF(statuses))],
        .revoke_pck = below(4) == 0,
        .lifetime_s = (int64_t)(1 + below(60)) * DAY_S,
    };
    const int64_t issued = NOW_S + ((int64_t)below(12) - 9) * DAY_S;

    assert_int_equal(simulated_collateral_bundle(platform, &how, timestamp_of_seconds(issued), out),
                     ERR_NONE);
}

static void shuffle(size_t *order, size_t count)
{
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        const size_t j = below((unsigned)i);
        const size_t other = order[j];

        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}

/* From the text of the rule, not from the code: a part that is valid already wins, then the
 * order decides. */
static bool is_newer(const struct attest_part *a, const struct attest_part *b)
{
    const bool a_early = a->issued.ms > timestamp_of_seconds(NOW_S).ms;
    const bool b_early = b->issued.ms > timestamp_of_seconds(NOW_S).ms;

    return a_early != b_early ? b_early : attest_part_compare(a, b) > 0;
}

static void best_of(const struct buffer *documents, struct attest_part best[ATTEST_INTEL_PARTS])
{
    for (size_t i = 0; i < MIXED; i++) {
        struct collateral_item *item = NULL;
        enum attest_reason reason;

        assert_int_equal(collateral_item_new(&trust, buffer_span(&documents[i]), "",
                                             timestamp_of_seconds(NOW_S), &item, &reason),
                         ERR_NONE);
        for (size_t part = 0; part < ATTEST_INTEL_PARTS; part++)
            if (i == 0 || is_newer(&item->parts[part], &best[part]))
                best[part] = item->parts[part];
        collateral_item_release(&item);
    }
}

/* Puts all of them in a random order; returns the parts that are held at the end. */
static void put_all(const struct buffer *documents, struct attest_part out[ATTEST_INTEL_PARTS])
{
    struct collateral_store *s = NULL;
    struct collateral_snapshot *held;
    size_t order[MIXED];

    shuffle(order, MIXED);
    assert_int_equal(collateral_store_new(&trust, &s), ERR_NONE);
    for (size_t i = 0; i < MIXED; i++) {
        struct collateral_put_result result = {0};

        assert_int_equal(collateral_store_put(s, buffer_span(&documents[order[i]]), "test", NULL,
                                              timestamp_of_seconds(NOW_S), &result),
                         ERR_NONE);
        assert_int_not_equal(result.put, COLLATERAL_REFUSED);
        collateral_item_release(&result.item);
        held = collateral_store_hold(s);
        assert_int_equal(held->count, 1);
        for (size_t part = 0; part < ATTEST_INTEL_PARTS && i > 0; part++)
            assert_false(is_newer(&out[part], &held->items[0]->parts[part]));
        memcpy(out, held->items[0]->parts, ATTEST_INTEL_PARTS * sizeof *out);
        collateral_snapshot_release(&held);
    }
    collateral_store_free(&s);
}

static void any_order_ends_with_the_newest_of_each_part(void **state)
{
    (void)state;
    for (size_t round = 0; round < ROUNDS; round++) {
        struct attest_part best[ATTEST_INTEL_PARTS];
        struct buffer pure[PURE] = {{0}};
        struct buffer mixed[MIXED] = {{0}};

        for (size_t i = 0; i < PURE; i++)
            bundle_make(&pure[i]);
        for (size_t i = 0; i < MIXED; i++) {
            struct span sources[4];

            for (size_t j = 0; j < COUNT_OF(sources); j++)
                sources[j] = buffer_span(&pure[below(PURE)]);
            bundle_mix(sources, &mixed[i]);
        }
        best_of(mixed, best);
        for (size_t i = 0; i < ORDERS; i++) {
            struct attest_part held[ATTEST_INTEL_PARTS];

            put_all(mixed, held);
            for (size_t part = 0; part < ATTEST_INTEL_PARTS; part++)
                assert_int_equal(attest_part_compare(&held[part], &best[part]), 0);
        }
        for (size_t i = 0; i < PURE; i++)
            buffer_clear(&pure[i]);
        for (size_t i = 0; i < MIXED; i++)
            buffer_clear(&mixed[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_ends_with_the_newest_of_each_part),
    };

    return cmocka_run_group_tests(tests, start, finish);
}
