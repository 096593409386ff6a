/* A store on PostgreSQL, with several nodes and one lease for each. */
#include "unit/store/support.h"

#include <poll.h>
#include <semaphore.h>

#include "store/store_ops.h"
#include "store/writer.h"
#include "support/postgres.h"

static struct postgres postgres;
static char address[POSTGRES_ADDRESS_SIZE];

static int new_schema(void **state)
{
    (void)state;
    postgres_address(&postgres, "", address);
    return 0;
}

static const uint8_t holder_a[16] = {1};
static const uint8_t holder_b[16] = {2};

MUST_CHECK static enum err open_node(uint32_t node, const uint8_t holder[16], bool create,
                                     struct store **out)
{
    char origin[64];
    const struct store_options options = {
        .engine = &store_postgres,
        .path = address,
        .node = node,
        .holder = holder,
        .origin = origin,
        .log_seed = log_seed,
        .keys = &keys,
        .create = create,
    };

    (void)snprintf(origin, sizeof origin, ORIGIN "/%u", node);
    return store_open(&options, out);
}

static struct store *must_open_node(uint32_t node, const uint8_t holder[16], bool create)
{
    struct store *store = NULL;

    assert_int_equal(open_node(node, holder, create, &store), ERR_NONE);
    return store;
}

static void expect_size(struct store *store, uint64_t size)
{
    char note[CHECKPOINT_TEXT_MAX];
    struct checkpoint c;

    store_checkpoint(store, &c, note);
    assert_int_equal(c.size, size);
}

static void test_each_node_has_its_log(void **state)
{
    struct store *one = must_open_node(1, holder_a, true);
    struct store *two = must_open_node(2, holder_b, true);

    (void)state;
    append_many(one, 0, 700);
    append_many(two, 0, 30);
    append_many(one, 700, 720);
    store_close(&one);
    store_close(&two);
    one = must_open_node(1, holder_a, false);
    two = must_open_node(2, holder_b, false);
    expect_size(one, 720);
    expect_size(two, 30);
    store_close(&one);
    store_close(&two);
}

static void test_a_node_is_made_once(void **state)
{
    struct store *store = must_open_node(1, holder_a, true);

    (void)state;
    store_close(&store);
    assert_int_equal(open_node(1, holder_a, true, &store), ERR_CONFLICT);
    assert_int_equal(open_node(2, holder_b, false, &store), ERR_NOT_FOUND);
}

static void test_another_root_does_not_join(void **state)
{
    static const struct rows_keys others = {1, {9}, {9}, {9}, {9}};
    const struct store_options options = {.engine = &store_postgres,
                                          .path = address,
                                          .node = 2,
                                          .origin = ORIGIN "/2",
                                          .log_seed = log_seed,
                                          .keys = &others,
                                          .create = true};
    struct store *store = must_open_node(1, holder_a, true);

    (void)state;
    store_close(&store);
    assert_int_equal(store_open(&options, &store), ERR_TAMPERED);
    assert_int_equal(postgres_run(address, "SELECT count(*) FROM node"), 1);
}

static void test_a_running_lease_is_for_its_holder_only(void **state)
{
    struct store *first = must_open_node(1, holder_a, true);
    struct store *second = NULL;
    struct span entry = SPAN_LITERAL("{}");
    uint64_t index;

    (void)state;
    append_many(first, 0, 5);
    assert_int_equal(open_node(1, holder_b, false, &second), ERR_CONFLICT);
    second = must_open_node(1, holder_a, false); /* after a crash: it does not wait */
    append_many(second, 5, 10);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_append(first, &entry, 1, &index), ERR_DENIED);
        assert_int_equal(store_check(first), ERR_DENIED);
    }
    store_close(&first);
    append_many(second, 10, 20); /* closing the old one took nothing from it */
    assert_int_equal(store_check(second), ERR_NONE);
    store_close(&second);
    second = must_open_node(1, holder_b, false); /* the lease was given back */
    expect_size(second, 20);
    store_close(&second);
}

static void test_a_lease_that_ran_out_can_be_taken(void **state)
{
    struct store *paused = must_open_node(1, holder_a, true);
    struct store *other = NULL;
    struct span entry = SPAN_LITERAL("{}");
    uint64_t index;

    (void)state;
    append_many(paused, 0, 5);
    (void)postgres_run(address, "UPDATE node SET expires = 1");
    append_many(paused, 5, 6); /* no process took it */
    other = must_open_node(1, holder_b, false);
    assert_int_equal(store_append(paused, &entry, 1, &index), ERR_DENIED);
    append_many(other, 6, 7);
    expect_size(other, 7);
    store_close(&paused);
    store_close(&other);
}

static void test_a_lost_server_is_noticed_and_comes_back(void **state)
{
    struct store *store = must_open_node(1, holder_a, true);

    (void)state;
    append_many(store, 0, 10);
    assert_int_equal(store_check(store), ERR_NONE);
    postgres_halt(&postgres);
    assert_int_equal(store_check(store), ERR_UNAVAILABLE);
    assert_int_equal(store_check(store), ERR_UNAVAILABLE); /* the same, without another try */
    postgres_crash(&postgres);
    while (store_check(store) == ERR_UNAVAILABLE)
        (void)poll(NULL, 0, 10); /* until the next try is due */
    assert_int_equal(store_check(store), ERR_NONE);
    append_many(store, 10, 20);
    store_close(&store);
    store = must_open_node(1, holder_b, false);
    expect_size(store, 20);
    store_close(&store);
}

static void take_result(void *context, struct writer_request *batch, size_t count)
{
    (void)count;
    (void)batch;
    (void)sem_post(context);
}

MUST_CHECK static enum err commit_one(struct store_writer *writer, sem_t *done)
{
    struct writer_request request = {.entry = SPAN_LITERAL("{}")};
    enum err e = store_writer_submit(writer, &request);

    if (e != ERR_NONE)
        return e;
    while (sem_wait(done) != 0)
        continue;
    return request.result;
}

static void test_a_writer_refuses_at_once_until_the_server_is_back(void **state)
{
    struct store *store = must_open_node(1, holder_a, true);
    struct store_writer *writer = NULL;
    struct writer_figures figures;
    sem_t done;

    (void)state;
    (void)sem_init(&done, 0, 0);
    assert_int_equal(store_writer_start(store, take_result, &done, &writer), ERR_NONE);
    assert_int_equal(commit_one(writer, &done), ERR_NONE);
    postgres_halt(&postgres);
    for (int i = 0; i < 3; i++) { /* nothing of these is stored, and the result says so */
        assert_int_equal(commit_one(writer, &done), ERR_IO);
        store_writer_figures(writer, &figures);
        assert_true(figures.failing && figures.unreachable && !figures.lost && !figures.fenced);
        assert_true(figures.outages == 1);
    }
    postgres_crash(&postgres);
    while (store_writer_figures(writer, &figures), figures.unreachable)
        (void)poll(NULL, 0, 10);
    assert_true(figures.failing); /* until something was committed */
    assert_int_equal(commit_one(writer, &done), ERR_NONE);
    store_writer_figures(writer, &figures);
    assert_true(!figures.failing && figures.outages == 1);
    store_writer_stop(&writer);
    expect_size(store, 2);
    store_close(&store);
}

static void test_a_writer_whose_lease_was_taken_says_so(void **state)
{
    struct store *store = must_open_node(1, holder_a, true);
    struct store *other = must_open_node(1, holder_a, false);
    struct store_writer *writer = NULL;
    struct writer_figures figures;
    sem_t done;

    (void)state;
    (void)sem_init(&done, 0, 0);
    assert_int_equal(store_writer_start(store, take_result, &done, &writer), ERR_NONE);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(commit_one(writer, &done), ERR_DENIED);
        store_writer_figures(writer, &figures);
        assert_true(figures.failing && figures.fenced && !figures.unreachable);
    }
    store_writer_stop(&writer);
    store_close(&store);
    expect_size(other, 0);
    store_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_node_has_its_log, new_schema),
        cmocka_unit_test_setup(test_a_node_is_made_once, new_schema),
        cmocka_unit_test_setup(test_another_root_does_not_join, new_schema),
        cmocka_unit_test_setup(test_a_running_lease_is_for_its_holder_only, new_schema),
        cmocka_unit_test_setup(test_a_lease_that_ran_out_can_be_taken, new_schema),
        cmocka_unit_test_setup(test_a_lost_server_is_noticed_and_comes_back, new_schema),
        cmocka_unit_test_setup(test_a_writer_refuses_at_once_until_the_server_is_back, new_schema),
        cmocka_unit_test_setup(test_a_writer_whose_lease_was_taken_says_so, new_schema),
    };
    int failed;

    (void)directory_make;
    (void)directory_remove;
    if (!postgres_start(&postgres)) {
        (void)puts("1..0 # SKIP no PostgreSQL");
        return 0;
    }
    failed = cmocka_run_group_tests_name("store/nodes", tests, NULL, NULL);
    postgres_stop(&postgres);
    return failed;
}
