/*
 * Anchors over a real database: an anchor in memory counts as a TPM does, or keeps a size as a
 * witness does, and fails when told.
 */
#include "unit/store/support.h"

#include <stdatomic.h>

#include "store/anchor.h"
#include "store/inside.h"
#include "store/writer.h"

struct fake {
    _Atomic uint64_t value; /* of the counter, or the largest size that it knows */
    _Atomic enum err error; /* of each call */
    _Atomic unsigned checks, moves;
    bool witness;
};

MUST_CHECK static enum err fake_check(void *context, const struct anchor_point *stored,
                                      struct anchor_problem *problem)
{
    struct fake *f = context;

    f->checks++;
    anchor_problem_set(problem, "fake: state %llu, anchor %llu",
                       (unsigned long long)stored->counter, (unsigned long long)f->value);
    if (f->error != ERR_NONE)
        return f->error;
    if (f->witness)
        return stored->checkpoint.size < f->value ? ERR_ROLLED_BACK : ERR_NONE;
    if (stored->counter == 0)
        return ERR_CONFIG;
    if (stored->counter < f->value)
        return ERR_ROLLED_BACK;
    if (stored->counter > f->value + 1)
        return ERR_TAMPERED;
    f->value = stored->counter;
    return ERR_NONE;
}

MUST_CHECK static enum err fake_move(void *context, const struct anchor_point *to,
                                     struct anchor_problem *problem)
{
    struct fake *f = context;

    f->moves++;
    anchor_problem_set(problem, "fake: move to %llu from %llu", (unsigned long long)to->counter,
                       (unsigned long long)f->value);
    if (f->error != ERR_NONE)
        return f->error;
    if (f->witness) {
        if (to->checkpoint.size < f->value)
            return ERR_ROLLED_BACK;
        f->value = to->checkpoint.size;
        return ERR_NONE;
    }
    if (f->value != to->counter && f->value + 1 != to->counter)
        return ERR_TAMPERED;
    f->value = to->counter;
    return ERR_NONE;
}

static struct anchor anchor_of(struct fake *f)
{
    return (struct anchor){.name = f->witness ? "witness" : "counter",
                           .context = f,
                           .counts = !f->witness,
                           .check = fake_check,
                           .move = fake_move};
}

static struct anchor_problem problem;

/* Opens with these anchors; a second one may be NULL. */
MUST_CHECK static enum err open_with(struct fake *one, struct fake *two, bool refuse,
                                     uint64_t commits, uint64_t adopt, struct store **out)
{
    struct anchor_settings anchors = {
        .count = two ? 2 : 1,
        .interval_ms = 1000000,
        .commits = commits,
        .refuse = refuse,
        .problem = &problem,
    };
    struct store_options options = {
        .path = database, .origin = ORIGIN, .log_seed = log_seed, .keys = &keys};

    anchors.list[0] = anchor_of(one);
    if (two)
        anchors.list[1] = anchor_of(two);
    options.anchors = &anchors;
    options.adopt = adopt;
    return store_open(&options, out);
}

MUST_CHECK static enum err start_of(struct fake *f, bool refuse)
{
    struct store *store = NULL;
    enum err e = open_with(f, NULL, refuse, 0, 0, &store);

    store_close(&store);
    return e;
}

/* A database with some entries that has adopted the counter. */
static void adopted(struct fake *f)
{
    struct store *store = NULL;

    remove_database();
    store = must_open(true);
    append_many(store, 0, 5);
    store_close(&store);
    f->value = 100;
    assert_int_equal(open_with(f, NULL, true, 0, f->value, &store), ERR_NONE);
    store_close(&store);
}

static void copy_to(const char *suffix)
{
    char command[1200];

    (void)snprintf(command, sizeof command, "%s%s", database, suffix);
    (void)unlink(command);
    {
        FILE *from = fopen(database, "rb");
        FILE *to = fopen(command, "wb");
        char block[4096];
        size_t size;

        assert_non_null(from);
        assert_non_null(to);
        while ((size = fread(block, 1, sizeof block, from)) > 0)
            assert_int_equal(fwrite(block, 1, size, to), size);
        (void)fclose(from);
        assert_int_equal(fclose(to), 0);
    }
}

static void copy_back(const char *suffix)
{
    char path[600];

    (void)snprintf(path, sizeof path, "%s%s", database, suffix);
    assert_int_equal(rename(path, database), 0);
}

static void a_start_and_a_stop_move_the_counter(void **state)
{
    struct fake f = {0};
    struct store *store = NULL;
    struct anchors_figures figures;

    (void)state;
    adopted(&f);
    assert_int_equal(f.value, 101); /* adopted at 100; the stop moved it */
    assert_int_equal(open_with(&f, NULL, true, 0, 0, &store), ERR_NONE);
    store_anchors_figures(store, &figures);
    assert_int_equal(figures.count, 1);
    assert_int_equal(figures.counter, 102);
    assert_int_equal(f.value, 101); /* without threads the move waits for the stop */
    store_close(&store);
    assert_int_equal(f.value, 103); /* that of the start, and that of the stop */
    assert_int_equal(start_of(&f, true), ERR_NONE);
}

static void a_database_that_adopted_no_counter_is_refused(void **state)
{
    struct fake f = {.value = 7};
    struct store *store = NULL;

    (void)state;
    remove_database();
    store = must_open(true);
    store_close(&store);
    assert_int_equal(start_of(&f, true), ERR_CONFIG);
    assert_int_equal(start_of(&f, false), ERR_CONFIG);
    assert_non_null(strstr(problem.text, "state 0"));
}

static void an_older_copy_is_refused(void **state)
{
    struct fake f = {0};

    (void)state;
    adopted(&f);
    copy_to(".copy");
    assert_int_equal(start_of(&f, true), ERR_NONE);
    copy_back(".copy");
    assert_int_equal(start_of(&f, true), ERR_ROLLED_BACK);
    assert_int_equal(start_of(&f, false), ERR_ROLLED_BACK); /* this is no question of a setting */
}

static void another_counter_is_refused(void **state)
{
    struct fake f = {0};

    (void)state;
    adopted(&f);
    f.value -= 2;
    assert_int_equal(start_of(&f, true), ERR_TAMPERED);
    f.value = 0;
    assert_int_equal(start_of(&f, false), ERR_TAMPERED);
}

/* A crash leaves the database as it is at that moment: a copy of it is what the next start finds.
 */
static void a_crash_between_commit_and_move_is_finished(void **state)
{
    struct fake f = {0};
    struct store *store = NULL;
    uint64_t before;

    (void)state;
    adopted(&f);
    before = f.value;
    f.error = ERR_NONE;
    assert_int_equal(open_with(&f, NULL, true, 0, 0, &store), ERR_NONE);
    f.error = ERR_UNAVAILABLE; /* the commit names before + 1, and the counter stays */
    store_close(&store);
    assert_int_equal(f.value, before);
    f.error = ERR_NONE;
    copy_to(".copy");
    assert_int_equal(open_with(&f, NULL, true, 0, 0, &store), ERR_NONE);
    assert_int_equal(f.value, before + 1); /* the check finished it */
    store_close(&store);
    copy_back(".copy"); /* and what the crash left is old now */
    assert_int_equal(start_of(&f, true), ERR_ROLLED_BACK);
}

static void an_anchor_that_does_not_answer(void **state)
{
    struct fake f = {0};
    struct store *store = NULL;
    uint64_t before;

    (void)state;
    adopted(&f);
    before = f.value;
    f.error = ERR_UNAVAILABLE;
    assert_int_equal(start_of(&f, true), ERR_UNAVAILABLE);
    assert_int_equal(start_of(&f, false), ERR_NONE);
    assert_int_equal(start_of(&f, false), ERR_NONE); /* again: no state runs ahead of the counter */
    f.error = ERR_NONE;
    assert_int_equal(start_of(&f, true), ERR_NONE);
    assert_true(f.value > before);
    /* an older copy, started while the counter does not answer: found when it answers */
    copy_to(".copy");
    assert_int_equal(start_of(&f, true), ERR_NONE);
    copy_back(".copy");
    f.error = ERR_UNAVAILABLE;
    assert_int_equal(open_with(&f, NULL, false, 0, 0, &store), ERR_NONE);
    f.error = ERR_NONE;
    assert_int_equal(store_anchors_start(store), ERR_NONE);
    for (;;) {
        bool hold, late;

        if (store_anchor_hold(store, &hold, &late) != ERR_NONE)
            break;
    }
    {
        char text[TEXT_SIZE];
        struct span entry = entry_text(1, text);
        uint64_t first;

        assert_int_equal(store_append(store, &entry, 1, &first), ERR_ROLLED_BACK);
    }
    store_close(&store);
    assert_int_equal(start_of(&f, true), ERR_ROLLED_BACK);
}

static void a_witness_with_a_larger_log(void **state)
{
    struct fake counter = {0};
    struct fake witness = {.witness = true};
    struct store *store = NULL;

    (void)state;
    adopted(&counter);
    witness.value = 5;
    assert_int_equal(open_with(&counter, &witness, true, 0, 0, &store), ERR_NONE);
    append_many(store, 5, 8);
    store_close(&store);
    assert_int_equal(witness.value, 8);
    witness.value = 9;
    assert_int_equal(open_with(&counter, &witness, true, 0, 0, &store), ERR_ROLLED_BACK);
    assert_int_equal(open_with(&counter, &witness, false, 0, 0, &store), ERR_ROLLED_BACK);
    /* to adopt a counter does not excuse a log that a witness knows to be larger */
    assert_int_equal(open_with(&counter, &witness, true, 0, 500, &store), ERR_ROLLED_BACK);
    witness.value = 8;
    assert_int_equal(open_with(&counter, &witness, true, 0, 0, &store), ERR_NONE);
    store_close(&store);
}

/* ---- replies wait ---- */

struct replies {
    _Atomic uint64_t value; /* of the anchor when the last reply left */
    _Atomic unsigned count, failures;
    struct fake *fake;
};

static void replies_take(void *context, struct writer_request *batch, size_t count)
{
    struct replies *r = context;

    (void)count;
    for (; batch; batch = batch->next) {
        r->failures += batch->result != ERR_NONE;
        r->value = r->fake->value;
        r->count++;
    }
}

static void each_commit_is_anchored_before_its_reply(void **state)
{
    struct fake f = {0};
    struct replies replies = {.fake = &f};
    struct store_writer *writer = NULL;
    struct store *store = NULL;
    char text[TEXT_SIZE];
    struct writer_request request;

    (void)state;
    adopted(&f);
    assert_int_equal(open_with(&f, NULL, true, 1, 0, &store), ERR_NONE);
    assert_int_equal(store_writer_start(store, replies_take, &replies, &writer), ERR_NONE);
    for (unsigned i = 0; i < 20; i++) {
        request = (struct writer_request){.entry = entry_text(5 + i, text)};
        assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
        while (replies.count == i)
            (void)usleep(100);
        assert_int_equal(replies.failures, 0);
        assert_int_equal(replies.value, executor_state(store->executor)->anchor);
    }
    /* one that is not anchored is not answered, and is once the anchor is back */
    f.error = ERR_UNAVAILABLE;
    request = (struct writer_request){.entry = entry_text(90, text)};
    assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
    while (f.moves < 23)
        (void)usleep(100);
    assert_int_equal(replies.count, 20);
    f.error = ERR_NONE;
    while (replies.count == 20)
        (void)usleep(100);
    assert_int_equal(replies.failures, 0);
    store_writer_stop(&writer);
    store_close(&store);
    assert_int_equal(start_of(&f, true), ERR_NONE);
}

static void a_conflict_while_running_stops_all_replies(void **state)
{
    struct fake f = {0};
    struct replies replies = {.fake = &f};
    struct store_writer *writer = NULL;
    struct store *store = NULL;
    struct anchors_figures figures;
    char text[TEXT_SIZE];
    struct writer_request request = {.entry = entry_text(5, text)};

    (void)state;
    adopted(&f);
    assert_int_equal(open_with(&f, NULL, false, 1, 0, &store), ERR_NONE);
    assert_int_equal(store_writer_start(store, replies_take, &replies, &writer), ERR_NONE);
    f.error = ERR_ROLLED_BACK;
    for (unsigned i = 0; i < 2; i++) {
        request = (struct writer_request){.entry = entry_text(5, text)};
        assert_int_equal(store_writer_submit(writer, &request), ERR_NONE);
        while (replies.count == i)
            (void)usleep(100);
        if (i > 0)
            assert_int_equal(request.result, ERR_ROLLED_BACK);
    }
    store_anchors_figures(store, &figures);
    assert_true(figures.list[0].conflict);
    store_writer_stop(&writer);
    store_close(&store);
}

/* The place of a change is stored with a commit that begins no move, also after a group that would
 * have begun one and failed. */
static void an_alarm_of_the_scrub_begins_no_move(void **state)
{
    struct fake f = {0};
    struct store *store = NULL;
    const struct span empty = {0};
    uint64_t first = 0, counter;
    bool hold = true, late;

    (void)state;
    adopted(&f);
    assert_int_equal(open_with(&f, NULL, true, 1, 0, &store), ERR_NONE);
    assert_int_equal(store_anchors_start(store), ERR_NONE);
    while (hold)
        assert_int_equal(store_anchor_hold(store, &hold, &late), ERR_NONE);
    counter = executor_state(store->executor)->anchor;
    assert_int_equal(store_append(store, &empty, 1, &first), ERR_MALFORMED);
    store->scrub.tampered = true;
    assert_int_equal(store_check(store), ERR_TAMPERED);
    assert_true(store->tampering_stored);
    assert_int_equal(executor_state(store->executor)->anchor, counter);
    store_close(&store);
    assert_int_equal(start_of(&f, true), ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_and_a_stop_move_the_counter),
        cmocka_unit_test(a_database_that_adopted_no_counter_is_refused),
        cmocka_unit_test(an_older_copy_is_refused),
        cmocka_unit_test(another_counter_is_refused),
        cmocka_unit_test(a_crash_between_commit_and_move_is_finished),
        cmocka_unit_test(an_anchor_that_does_not_answer),
        cmocka_unit_test(a_witness_with_a_larger_log),
        cmocka_unit_test(each_commit_is_anchored_before_its_reply),
        cmocka_unit_test(a_conflict_while_running_stops_all_replies),
        cmocka_unit_test(an_alarm_of_the_scrub_begins_no_move),
    };

    return crypto_start() == ERR_NONE
               ? cmocka_run_group_tests(tests, directory_make, directory_remove)
               : 1;
}
