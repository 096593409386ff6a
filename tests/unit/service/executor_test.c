/* Executors: bounds of jobs, bytes and shares. No executor delays another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <string.h>

#include "service/executor.h"

/* Jobs wait for the test. */
static sem_t started, go, ended;

static void wait_for(sem_t *s)
{
    while (sem_wait(s) != 0)
        continue;
}

static void run(struct executor_job *job, struct service_thread *thread)
{
    assert_non_null(thread);
    (void)job;
    (void)sem_post(&started);
    wait_for(&go);
    (void)sem_post(&ended);
}

static void run_at_once(struct executor_job *job, struct service_thread *thread)
{
    (void)job;
    (void)thread;
    (void)sem_post(&ended);
}

static struct executor_job job_of(uint8_t caller, size_t bytes)
{
    struct executor_job job = {.run = run, .bytes = bytes};

    memset(job.caller, caller, sizeof job.caller);
    return job;
}

static struct executor *start(uint32_t jobs_max, size_t bytes_max, uint32_t share)
{
    const struct executor_options options = {
        .name = "test", .threads = 1, .jobs_max = jobs_max, .bytes_max = bytes_max, .share = share};
    struct executor *x = NULL;

    assert_int_equal(executor_start(&options, &x), ERR_NONE);
    return x;
}

static void finish(struct executor **x, struct executor_job *jobs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)sem_post(&go);
    for (size_t i = 0; i < count; i++)
        wait_for(&ended);
    for (size_t i = 0; i < count; i++)
        executor_release(&jobs[i]);
    executor_free(x);
    while (sem_trywait(&started) == 0)
        continue;
}

static void test_input_that_does_not_fit_is_refused(void **state)
{
    struct executor *x = start(3, 100, 2);
    struct executor_job jobs[] = {job_of(1, 10), job_of(1, 10), job_of(2, 10)};
    struct executor_job third = job_of(1, 10);
    struct executor_job fourth = job_of(3, 10);
    struct executor_figures f;

    (void)state;
    assert_int_equal(executor_submit(x, &jobs[0]), ERR_NONE);
    assert_int_equal(executor_submit(x, &jobs[1]), ERR_NONE);
    assert_int_equal(executor_submit(x, &third), ERR_RATE_LIMITED); /* its caller's third */
    assert_int_equal(executor_submit(x, &jobs[2]), ERR_NONE);       /* another's first */
    assert_int_equal(executor_submit(x, &fourth), ERR_OVERLOADED);  /* the fourth of all */
    executor_figures(x, &f);
    assert_string_equal(f.name, "test");
    assert_int_equal(f.held, 3);
    assert_int_equal(f.bytes, 30);
    assert_int_equal(f.accepted, 3);
    assert_int_equal(f.refused, 2);
    executor_release(&third); /* it was not accepted, so there is nothing to release */
    executor_figures(x, &f);
    assert_int_equal(f.held, 3);
    finish(&x, jobs, COUNT_OF(jobs));
}

static void test_bytes_are_bounded(void **state)
{
    static const struct {
        size_t held, more;
        enum err expected;
    } cases[] = {
        {60, 40,       ERR_NONE      },
        {60, 41,       ERR_OVERLOADED},
        {0,  101,      ERR_OVERLOADED},
        {60, SIZE_MAX, ERR_OVERLOADED}, /* no overflow */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct executor *x = start(10, 100, 10);
        struct executor_job jobs[] = {job_of(1, cases[i].held), job_of(1, cases[i].more)};

        assert_int_equal(executor_submit(x, &jobs[0]), ERR_NONE);
        assert_int_equal(executor_submit(x, &jobs[1]), cases[i].expected);
        finish(&x, jobs, cases[i].expected == ERR_NONE ? 2 : 1);
    }
}

/* A job counts until it is released, not until it has run. */
static void test_a_share_lasts_until_it_is_released(void **state)
{
    struct executor *x = start(10, 100, 1);
    struct executor_job first = job_of(1, 1);
    struct executor_job second = job_of(1, 1);
    struct executor_figures f;

    (void)state;
    assert_int_equal(executor_submit(x, &first), ERR_NONE);
    (void)sem_post(&go);
    wait_for(&ended);
    assert_int_equal(executor_submit(x, &second), ERR_RATE_LIMITED);
    executor_release(&first);
    executor_release(&first); /* once is enough */
    executor_figures(x, &f);
    assert_int_equal(f.held, 0);
    assert_int_equal(f.bytes, 0);
    assert_int_equal(executor_submit(x, &second), ERR_NONE);
    finish(&x, &second, 1);
}

static void test_an_exempt_job_needs_no_share(void **state)
{
    struct executor *x = start(2, 100, 1);
    struct executor_job jobs[] = {job_of(1, 1), job_of(1, 1)};
    struct executor_job third = job_of(1, 1);

    (void)state;
    jobs[1].exempt = third.exempt = true;
    assert_int_equal(executor_submit(x, &jobs[0]), ERR_NONE);
    assert_int_equal(executor_submit(x, &jobs[1]), ERR_NONE);
    assert_int_equal(executor_submit(x, &third), ERR_OVERLOADED); /* but room */
    finish(&x, jobs, COUNT_OF(jobs));
}

static void test_a_full_executor_holds_up_no_other(void **state)
{
    struct executor *slow = start(10, 100, 10);
    struct executor *other = start(10, 100, 10);
    struct executor_job stuck[] = {job_of(1, 1), job_of(1, 1), job_of(1, 1)};
    struct executor_job quick = job_of(1, 1);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(stuck); i++)
        assert_int_equal(executor_submit(slow, &stuck[i]), ERR_NONE);
    wait_for(&started);
    quick.run = run_at_once;
    assert_int_equal(executor_submit(other, &quick), ERR_NONE);
    wait_for(&ended); /* it runs while the other executor stands still */
    finish(&other, &quick, 0);
    finish(&slow, stuck, COUNT_OF(stuck));
}

static void test_stopping_finishes_the_queue(void **state)
{
    struct executor *x = start(10, 100, 10);
    struct executor_job jobs[] = {job_of(1, 1), job_of(1, 1), job_of(1, 1)};
    struct executor_job late = job_of(1, 1);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(jobs); i++) {
        assert_int_equal(executor_submit(x, &jobs[i]), ERR_NONE);
        (void)sem_post(&go);
    }
    executor_stop(x);
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        assert_int_equal(sem_trywait(&ended), 0);
    assert_int_equal(executor_submit(x, &late), ERR_OVERLOADED);
    finish(&x, jobs, 0);
}

static int prepare(void **state)
{
    (void)state;
    return sem_init(&started, 0, 0) | sem_init(&go, 0, 0) | sem_init(&ended, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_input_that_does_not_fit_is_refused),
        cmocka_unit_test(test_bytes_are_bounded),
        cmocka_unit_test(test_a_share_lasts_until_it_is_released),
        cmocka_unit_test(test_an_exempt_job_needs_no_share),
        cmocka_unit_test(test_a_full_executor_holds_up_no_other),
        cmocka_unit_test(test_stopping_finishes_the_queue),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
