/* The pool against a worker that misbehaves on command: each misdeed costs its own job only, is
 * counted under its name, and the next job succeeds on a new worker. */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "pool.h"

/* Of each job; long enough for a good worker on a busy machine. */
#ifdef IMPRINT_SANITIZED
#define TIMEOUT_MS 300
#else
#define TIMEOUT_MS 100
#endif

/* --- Asking and waiting ---------------------------------------------------------------------- */

/* Answers gathered by any number of jobs. */
struct gathering {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    unsigned by_error[IMPRINT_ERROR_COUNT];
    struct pool_answer last;
};

static void gather(void *ctx, const struct pool_answer *answer)
{
    struct gathering *gathering = ctx;
    pthread_mutex_lock(&gathering->lock);
    gathering->count++;
    gathering->by_error[answer->error]++;
    gathering->last = *answer;
    pthread_cond_broadcast(&gathering->changed);
    pthread_mutex_unlock(&gathering->lock);
}

static void wait_for_count(struct gathering *gathering, unsigned count)
{
    pthread_mutex_lock(&gathering->lock);
    while (gathering->count < count) {
        pthread_cond_wait(&gathering->changed, &gathering->lock);
    }
    pthread_mutex_unlock(&gathering->lock);
}

#define GATHERING_INIT                                               \
    {                                                                \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}, \
        {                                                            \
            0                                                        \
        }                                                            \
    }

static enum imprint_error submit(struct pool *pool, const void *bytes, size_t len,
                                 struct gathering *gathering)
{
    const struct pool_job job = {.bytes = bytes,
                                 .len = len,
                                 .views = IMPRINT_VIEWS_UPRIGHT,
                                 .policy = IMPRINT_POLICY_EXACT,
                                 .done = gather,
                                 .ctx = gathering};
    return pool_submit(pool, &job);
}

static struct pool_answer ask_bytes(struct pool *pool, const void *bytes, size_t len)
{
    struct gathering gathering = GATHERING_INIT;
    assert_int_equal(submit(pool, bytes, len, &gathering), IMPRINT_OK);
    wait_for_count(&gathering, 1);
    return gathering.last;
}

static enum imprint_error ask(struct pool *pool, const char *word)
{
    return ask_bytes(pool, word, strlen(word)).error;
}

static struct pool *open_pool(unsigned workers, unsigned queue_max, unsigned worker_pictures)
{
    const struct pool_options options = {.worker_path = HOSTILE_WORKER,
                                         .workers = workers,
                                         .queue_max = queue_max,
                                         .decode_timeout_ms = TIMEOUT_MS,
                                         .is_sandbox_required = true,
                                         .worker_pictures = worker_pictures};
    struct pool *pool = NULL;
    assert_int_equal(pool_open(&options, &pool), IMPRINT_OK);
    return pool;
}

static struct pool_stats stats_of(const struct pool *pool)
{
    struct pool_stats stats;
    pool_stats(pool, &stats);
    return stats;
}

/* --- What the tests look at outside the pool ---------------------------------------------------
 */

/* Processes of this executable that live, ours or fallen to whoever collects orphans. */
static unsigned count_workers(void)
{
    unsigned count = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        char path[300];
        char executable[4096];
        snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
        const ssize_t len = readlink(path, executable, sizeof executable - 1);
        if (len > 0) {
            executable[len] = '\0';
            count += strcmp(executable, HOSTILE_WORKER) == 0 ? 1 : 0;
        }
    }
    closedir(processes);
    return count;
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *descriptors = opendir("/proc/self/fd");
    assert_non_null(descriptors);
    while (readdir(descriptors) != NULL) {
        count++;
    }
    closedir(descriptors);
    return count;
}

/* --- Misdeeds -------------------------------------------------------------------------------- */

static void a_good_worker_is_kept(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    for (unsigned i = 0; i < 20; i++) {
        const struct pool_answer answer = ask_bytes(pool, "good", 4);
        assert_int_equal(answer.error, IMPRINT_OK);
        assert_int_equal(answer.info.width, 8);
        assert_int_equal(answer.view_count, 1);
        assert_int_equal(answer.views[0].hash.bytes[0], 'g');
    }
    const struct pool_stats stats = stats_of(pool);
    assert_int_equal(stats.workers, 1);
    assert_int_equal(stats.jobs, 20);
    assert_int_equal(stats.restarts, 0);
    pool_close(pool);
}

static void each_misdeed_costs_its_own_job_only(void **state)
{
    (void)state;
    static const struct {
        const char *word;
        enum imprint_error error;
        size_t counter; /* that goes up, in struct pool_stats */
    } misdeeds[] = {
        {"crash", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, deaths)},
        {"leave", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, deaths)},
        {"violate", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, violations)},
        {"hang", IMPRINT_E_DECODER_TIMEOUT, offsetof(struct pool_stats, timeouts)},
        {"spin", IMPRINT_E_DECODER_TIMEOUT, offsetof(struct pool_stats, timeouts)},
        {"hang up and stay", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, deaths)},
        {"answer half and hang", IMPRINT_E_DECODER_TIMEOUT, offsetof(struct pool_stats, timeouts)},
        {"answer half and leave", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, deaths)},
        {"answer garbage", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, nonsense)},
        {"answer with a wrong nonce", IMPRINT_E_DECODER_DIED,
         offsetof(struct pool_stats, nonsense)},
        {"answer out of range", IMPRINT_E_DECODER_DIED, offsetof(struct pool_stats, nonsense)},
        {"fork and die", IMPRINT_E_DECODER_TIMEOUT, offsetof(struct pool_stats, timeouts)},
    };
    struct pool *pool = open_pool(1, 4, 1);
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        const struct pool_stats before = stats_of(pool);
        assert_int_equal(ask(pool, misdeeds[i].word), misdeeds[i].error);
        const struct pool_stats after = stats_of(pool);
        uint64_t was;
        uint64_t is;
        memcpy(&was, (const char *)&before + misdeeds[i].counter, sizeof was);
        memcpy(&is, (const char *)&after + misdeeds[i].counter, sizeof is);
        assert_int_equal(is, was + 1);
        assert_int_equal(after.deaths + after.violations + after.timeouts + after.nonsense,
                         before.deaths + before.violations + before.timeouts + before.nonsense + 1);
        assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    }
    pool_close(pool);
}

/* Only a worker's first picture is surely to blame; a job on a used worker is tried again. */
static void a_worker_led_astray_does_not_cost_the_next_job(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(ask(pool, "answer twice"), IMPRINT_OK);
        assert_int_equal(ask(pool, "good"), IMPRINT_OK);
        assert_int_equal(ask(pool, "answer and die"), IMPRINT_OK);
        assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    }
    const struct pool_stats stats = stats_of(pool);
    assert_int_equal(stats.nonsense, 10);
    assert_int_equal(stats.deaths, 10);
    assert_int_equal(stats.jobs, 40);
    pool_close(pool);
}

static void a_picture_is_tried_twice_at_most(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    assert_int_equal(ask(pool, "crash"), IMPRINT_E_DECODER_DIED);
    assert_int_equal(stats_of(pool).deaths, 2);
    assert_int_equal(ask(pool, "crash"), IMPRINT_E_DECODER_DIED);
    assert_int_equal(stats_of(pool).deaths, 3);
    pool_close(pool);
}

static void a_worker_that_takes_no_more_bytes_is_late(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    static char picture[4 << 20] = "take no more";
    assert_int_equal(ask_bytes(pool, picture, sizeof picture).error, IMPRINT_E_DECODER_TIMEOUT);
    assert_int_equal(stats_of(pool).timeouts, 1);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    pool_close(pool);
}

/* A busy machine is not the picture's doing: a worker that has not had its time gets more. One that
 * sleeps is given up by the clock; one that has had its time at once. */
static void the_time_that_counts_is_the_workers_own(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    uint64_t start_ms = child_now_ms();
    assert_int_equal(ask(pool, "hang"), IMPRINT_E_DECODER_TIMEOUT);
    assert_true(child_now_ms() - start_ms >= (uint64_t)TIMEOUT_MS * 4);
    start_ms = child_now_ms();
    assert_int_equal(ask(pool, "answer late"), IMPRINT_OK);
    assert_true(child_now_ms() - start_ms >= (uint64_t)TIMEOUT_MS * 2);
    pool_close(pool);
}

static void nothing_a_worker_started_outlives_it(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    assert_int_equal(ask(pool, "fork and die"), IMPRINT_E_DECODER_TIMEOUT);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    /* It was killed before the answer; the kernel buries it when it next runs. */
    const uint64_t deadline_ms = child_now_ms() + 5000;
    while (count_workers() > 1 && child_now_ms() < deadline_ms) {
        sched_yield();
    }
    assert_int_equal(count_workers(), 1);
    pool_close(pool);
    assert_int_equal(count_workers(), 0);
}

/* --- Replacement ----------------------------------------------------------------------------- */

static void a_worker_is_replaced_after_its_number_of_pictures(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 3);
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    }
    assert_int_equal(stats_of(pool).restarts, 3);
    assert_int_equal(stats_of(pool).deaths, 0);
    pool_close(pool);
}

static void a_worker_is_replaced_after_a_doubtful_picture(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    assert_int_equal(ask(pool, "malformed"), IMPRINT_E_IMAGE_MALFORMED);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    assert_int_equal(stats_of(pool).restarts, 1);
    pool_close(pool);
}

/* The pauses of limits.h, as far as a test can wait: five restarts at once, then 50, 100 and 200
 * ms.
 */
static void restarts_slow_down_while_nothing_succeeds(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    uint64_t start_ms = child_now_ms();
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(ask(pool, "crash"), IMPRINT_E_DECODER_DIED);
    }
    start_ms = child_now_ms();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ask(pool, "crash"), IMPRINT_E_DECODER_DIED);
    }
    assert_true(child_now_ms() - start_ms >= 350);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    pool_close(pool);
}

/* --- Queue ----------------------------------------------------------------------------------- */

static void a_full_queue_says_busy_at_once(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 2, 0);
    struct gathering gathering = GATHERING_INIT;
    assert_int_equal(submit(pool, "hang", 4, &gathering), IMPRINT_OK);
    while (stats_of(pool).queued > 0) {
        sched_yield();
    }
    assert_int_equal(submit(pool, "good", 4, &gathering), IMPRINT_OK);
    assert_int_equal(submit(pool, "good", 4, &gathering), IMPRINT_OK);
    assert_int_equal(submit(pool, "good", 4, &gathering), IMPRINT_E_BUSY);
    assert_int_equal(gathering.count, 0);
    wait_for_count(&gathering, 3);
    assert_int_equal(gathering.by_error[IMPRINT_E_DECODER_TIMEOUT], 1);
    assert_int_equal(gathering.by_error[IMPRINT_OK], 2);
    pool_close(pool);
}

static void draining_answers_what_was_taken_and_takes_no_more(void **state)
{
    (void)state;
    struct pool *pool = open_pool(2, 64, 0);
    struct gathering gathering = GATHERING_INIT;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(submit(pool, "good", 4, &gathering), IMPRINT_OK);
    }
    assert_int_equal(submit(pool, "hang", 4, &gathering), IMPRINT_OK);
    pool_drain(pool);
    assert_int_equal(gathering.count, 51);
    assert_int_equal(submit(pool, "good", 4, &gathering), IMPRINT_E_SHUTTING_DOWN);
    pool_close(pool);
    assert_int_equal(gathering.count, 51);
}

static void jobs_that_cannot_be_meant_are_refused(void **state)
{
    (void)state;
    struct pool *pool = open_pool(1, 4, 0);
    struct gathering gathering = GATHERING_INIT;
    const struct pool_job good = {.bytes = "good", .len = 4, .done = gather, .ctx = &gathering};
    struct pool_job wrong = good;
    wrong.done = NULL;
    assert_int_equal(pool_submit(pool, &wrong), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.bytes = NULL;
    assert_int_equal(pool_submit(pool, &wrong), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.views = IMPRINT_VIEWS_ALL + 1;
    assert_int_equal(pool_submit(pool, &wrong), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.policy = (enum imprint_policy)7;
    assert_int_equal(pool_submit(pool, &wrong), IMPRINT_E_PARAMETER_INVALID);
    assert_int_equal(gathering.count, 0);
    pool_close(pool);
}

static void size_is_checked_before_a_worker_sees_the_bytes(void **state)
{
    (void)state;
    const struct pool_options options = {.worker_path = HOSTILE_WORKER,
                                         .workers = 1,
                                         .queue_max = 4,
                                         .decode_timeout_ms = TIMEOUT_MS,
                                         .limits = {.bytes_max = 4},
                                         .is_sandbox_required = true};
    struct pool *pool = NULL;
    assert_int_equal(pool_open(&options, &pool), IMPRINT_OK);
    assert_int_equal(ask(pool, ""), IMPRINT_E_IMAGE_EMPTY);
    assert_int_equal(ask(pool, "good"), IMPRINT_OK);
    assert_int_equal(ask(pool, "crash"), IMPRINT_E_IMAGE_TOO_LARGE);
    assert_int_equal(stats_of(pool).restarts, 0);
    pool_close(pool);
}

/* --- Many at once ---------------------------------------------------------------------------- */

/* Every third job misbehaves in its own way, and not one of the others notices. */
static void good_jobs_succeed_among_bad_ones(void **state)
{
    (void)state;
    static const char *const bad[] = {"crash",        "leave",          "violate",
                                      "answer twice", "answer garbage", "answer and die",
                                      "malformed",    "fork and die",   "answer half and leave"};
    const unsigned jobs = 270;
    struct pool *pool = open_pool(4, jobs, 0);
    struct gathering good = GATHERING_INIT;
    struct gathering others = GATHERING_INIT;
    for (unsigned i = 0; i < jobs; i++) {
        const char *word = i % 3 != 0 ? "good" : bad[i / 3 % (sizeof bad / sizeof bad[0])];
        assert_int_equal(submit(pool, word, strlen(word), i % 3 != 0 ? &good : &others),
                         IMPRINT_OK);
    }
    wait_for_count(&good, jobs / 3 * 2);
    wait_for_count(&others, jobs / 3);
    assert_int_equal(good.by_error[IMPRINT_OK], jobs / 3 * 2);
    assert_int_equal(others.by_error[IMPRINT_OK], 20);
    assert_int_equal(others.by_error[IMPRINT_E_IMAGE_MALFORMED], 10);
    /* On a busy machine a death may be noticed only at the deadline. */
    const unsigned timeouts = others.by_error[IMPRINT_E_DECODER_TIMEOUT];
    assert_in_range(timeouts, 10, 20);
    assert_int_equal(timeouts + others.by_error[IMPRINT_E_DECODER_DIED], 60);
    pool_close(pool);
}

/* --- Opening and closing --------------------------------------------------------------------- */

static void options_that_cannot_be_meant_are_refused(void **state)
{
    (void)state;
    const struct pool_options good = {
        .worker_path = HOSTILE_WORKER, .workers = 1, .queue_max = 1, .decode_timeout_ms = 1000};
    struct pool *untouched = NULL;
    struct pool_options wrong = good;
    wrong.worker_path = NULL;
    assert_int_equal(pool_open(&wrong, &untouched), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.queue_max = 0;
    assert_int_equal(pool_open(&wrong, &untouched), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.workers = 65;
    assert_int_equal(pool_open(&wrong, &untouched), IMPRINT_E_PARAMETER_INVALID);
    wrong = good;
    wrong.decode_timeout_ms = 0;
    assert_int_equal(pool_open(&wrong, &untouched), IMPRINT_E_PARAMETER_INVALID);
    assert_null(untouched);
}

static void a_worker_that_does_not_start_is_an_error(void **state)
{
    (void)state;
    static const char *const paths[] = {"/nonexistent/imprint-worker", "/dev/null", "/bin/true"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct pool_options options = {.worker_path = paths[i],
                                             .workers = 2,
                                             .queue_max = 1,
                                             .decode_timeout_ms = 1000,
                                             .is_sandbox_required = true};
        struct pool *untouched = NULL;
        assert_int_equal(pool_open(&options, &untouched), IMPRINT_E_IO);
        assert_null(untouched);
    }
}

static void closing_leaves_neither_process_nor_descriptor(void **state)
{
    (void)state;
    const unsigned descriptors = count_descriptors();
    for (unsigned i = 0; i < 3; i++) {
        struct pool *pool = open_pool(3, 4, 0);
        assert_int_equal(count_workers(), 3);
        assert_int_equal(ask(pool, "crash"), IMPRINT_E_DECODER_DIED);
        assert_int_equal(ask(pool, "good"), IMPRINT_OK);
        pool_close(pool);
        assert_int_equal(count_workers(), 0);
        assert_int_equal(count_descriptors(), descriptors);
    }
    pool_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_worker_is_kept),
        cmocka_unit_test(each_misdeed_costs_its_own_job_only),
        cmocka_unit_test(a_worker_led_astray_does_not_cost_the_next_job),
        cmocka_unit_test(a_picture_is_tried_twice_at_most),
        cmocka_unit_test(a_worker_that_takes_no_more_bytes_is_late),
        cmocka_unit_test(the_time_that_counts_is_the_workers_own),
        cmocka_unit_test(nothing_a_worker_started_outlives_it),
        cmocka_unit_test(a_worker_is_replaced_after_its_number_of_pictures),
        cmocka_unit_test(a_worker_is_replaced_after_a_doubtful_picture),
        cmocka_unit_test(restarts_slow_down_while_nothing_succeeds),
        cmocka_unit_test(a_full_queue_says_busy_at_once),
        cmocka_unit_test(draining_answers_what_was_taken_and_takes_no_more),
        cmocka_unit_test(jobs_that_cannot_be_meant_are_refused),
        cmocka_unit_test(size_is_checked_before_a_worker_sees_the_bytes),
        cmocka_unit_test(good_jobs_succeed_among_bad_ones),
        cmocka_unit_test(options_that_cannot_be_meant_are_refused),
        cmocka_unit_test(a_worker_that_does_not_start_is_an_error),
        cmocka_unit_test(closing_leaves_neither_process_nor_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
