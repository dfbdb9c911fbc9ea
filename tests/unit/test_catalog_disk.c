/* The list and its disk: a process that dies, a file that is damaged, a disk that is full, a list
 * that is written afresh while it is served, and what is left of removed hashes after that. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "catalog.h"
#include "catalog_internal.h"
#include "catalog_tools.h"
#include "log.h"
#include "scratch.h"

/* --- Loading, dying, damage ----------------------------------------------------------------------
 */

struct gate {
    pthread_mutex_t lock;
    int64_t now;
};

static int64_t gated_clock(void *ctx)
{
    struct gate *gate = ctx;
    pthread_mutex_lock(&gate->lock);
    int64_t now = gate->now;
    pthread_mutex_unlock(&gate->lock);
    return now;
}

static void nothing_is_answered_before_the_list_is_loaded(void **state)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, 1000};
    const struct catalog_options options = {
        .data_dir = *state, .now = gated_clock, .now_ctx = &gate};
    struct catalog *catalog = NULL;
    pthread_mutex_lock(&gate.lock); /* the loader asks for the time first and gets stuck here */
    assert_int_equal(catalog_open(&options, &catalog), IMPRINT_OK);
    const struct imprint_view view = {.hash = random_hash()};
    struct catalog_matches matches;
    struct record_list list = catalog_list_default();
    assert_int_equal(catalog_match(catalog, &view, 1, NULL, &matches), IMPRINT_E_LOADING);
    assert_int_equal(catalog_list_get(catalog, "l", &list), IMPRINT_E_LOADING);
    memcpy(list.name, "l", 2);
    assert_int_equal(catalog_list_create(catalog, &admin, &list, &list), IMPRINT_E_LOADING);
    struct catalog_status status;
    catalog_status(catalog, &status);
    assert_false(status.is_ready);
    pthread_mutex_unlock(&gate.lock);
    assert_int_equal(catalog_wait_ready(catalog), IMPRINT_OK);
    catalog_status(catalog, &status);
    assert_true(status.is_ready);
    assert_int_equal(strlen(status.epoch), 32);
    catalog_close(catalog);
}

/* Adds until it is killed, telling through the pipe what was acknowledged. */
static void add_until_killed(const char *dir, int pipe_fd, uint64_t seed)
{
    struct catalog *catalog = open_catalog(dir, NULL);
    random_state = seed;
    for (;;) {
        struct imprint_hash hash = random_hash();
        struct record_entry spec = spec_of(hash);
        if (catalog_entries_add(catalog, &admin, "l", &spec, 1, NULL, NULL) != IMPRINT_OK ||
            write(pipe_fd, &hash, sizeof hash) != (ssize_t)sizeof hash) {
            _exit(1);
        }
    }
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    enum { ROUNDS = 6, ADDS = 40 };
    static struct imprint_hash acknowledged[ROUNDS * ADDS * 100];
    size_t count = 0;
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    make_list(catalog, "l");
    catalog_close(catalog);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
            add_until_killed(dir, ends[1], 77 + round);
        }
        assert_true(child > 0);
        close(ends[1]);
        size_t goal = count + ADDS;
        struct imprint_hash hash;
        while (read(ends[0], &hash, sizeof hash) == (ssize_t)sizeof hash) {
            assert_true(count < sizeof acknowledged / sizeof acknowledged[0]);
            acknowledged[count++] = hash;
            if (count == goal) {
                kill(child, SIGKILL); /* and read on what it had said until then */
            }
        }
        close(ends[0]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        catalog = open_catalog(dir, NULL);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(count_matches(catalog, acknowledged[i]), 1);
        }
        catalog_close(catalog);
    }
}

static void a_damaged_list_is_not_served(void **state)
{
    const char *dir = *state;
    struct catalog *catalog = open_catalog(dir, NULL);
    make_list(catalog, "l");
    struct imprint_hash hash = random_hash();
    add(catalog, "l", hash);
    catalog_close(catalog);
    char path[4200];
    snprintf(path, sizeof path, "%s/list.mdb", dir);
    assert_int_equal(truncate(path, 5000), 0);
    const struct catalog_options options = {.data_dir = dir};
    log_set_level((enum log_level) - 1);
    assert_int_equal(catalog_open(&options, &catalog), IMPRINT_OK);
    assert_int_equal(catalog_wait_ready(catalog), IMPRINT_E_STORE_DAMAGED);
    log_set_level(LOG_LEVEL_ERROR);
    const struct imprint_view view = {.hash = hash};
    struct catalog_matches matches;
    assert_int_equal(catalog_match(catalog, &view, 1, NULL, &matches), IMPRINT_E_STORE_DAMAGED);
    struct catalog_status status;
    catalog_status(catalog, &status);
    assert_false(status.is_ready);
    catalog_close(catalog);
}

int main(void)
{
    random_state = 20260103;
    log_set_level(LOG_LEVEL_ERROR);
    const struct CMUnitTest tests[] = {
        scratch_test(nothing_is_answered_before_the_list_is_loaded),
        scratch_test(what_was_acknowledged_survives_kill_9),
        scratch_test(a_damaged_list_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
