/* Whole files in and out, against the file system: limits, modes whatever the umask, no file
 * replaced unasked, and nothing left beside it after success, failure or a signal. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file.h"

static char folder[64];

static int enter_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/imprint-file-XXXXXX");
    return mkdtemp(folder) != NULL && chdir(folder) == 0 ? 0 : 1;
}

/* How many files there are; they are removed. */
static unsigned clear_folder(void)
{
    unsigned count = 0;
    DIR *dir = opendir(".");
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] != '.') {
            assert_int_equal(unlink(entry->d_name), 0);
            count++;
        }
    }
    closedir(dir);
    return count;
}

static int leave_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : 1;
}

static void assert_holds(const char *path, const char *expected)
{
    struct file_bytes file = {0};
    assert_int_equal(file_read(path, 1000, IMPRINT_E_IMAGE_TOO_LARGE, &file), IMPRINT_OK);
    assert_int_equal(file.len, strlen(expected));
    assert_memory_equal(file.bytes, expected, file.len);
    file_free(&file);
    file_free(&file);
}

static void what_is_written_is_read_and_private(void **state)
{
    (void)state;
    const mode_t before = umask(0);
    assert_int_equal(file_write("a", "hello", 5, FILE_KEEP), IMPRINT_OK);
    umask(before);
    struct stat stat_a;
    assert_int_equal(stat("a", &stat_a), 0);
    assert_int_equal(stat_a.st_mode & 07777, 0600);
    assert_holds("a", "hello");
    assert_int_equal(clear_folder(), 1);
}

static void a_file_is_replaced_only_when_asked(void **state)
{
    (void)state;
    assert_int_equal(file_write("a", "old", 3, FILE_KEEP), IMPRINT_OK);
    assert_int_equal(file_write("a", "new", 3, FILE_KEEP), IMPRINT_E_IO);
    assert_int_equal(errno, EEXIST);
    assert_holds("a", "old");
    assert_int_equal(file_write("a", "newer", 5, FILE_REPLACE), IMPRINT_OK);
    assert_holds("a", "newer");
    assert_int_equal(clear_folder(), 1);
}

static void a_link_is_not_written_through(void **state)
{
    (void)state;
    assert_int_equal(file_write("a", "old", 3, FILE_KEEP), IMPRINT_OK);
    assert_int_equal(symlink("a", "link"), 0);
    assert_int_equal(symlink("missing", "dangling"), 0);
    assert_int_equal(file_write("link", "new", 3, FILE_KEEP), IMPRINT_E_IO);
    assert_int_equal(file_write("dangling", "new", 3, FILE_KEEP), IMPRINT_E_IO);
    assert_int_equal(file_write("link", "new", 3, FILE_REPLACE), IMPRINT_OK);
    assert_holds("a", "old");
    assert_holds("link", "new");
    assert_int_equal(clear_folder(), 3);
}

static void a_failure_leaves_nothing_beside(void **state)
{
    (void)state;
    assert_int_equal(file_write("no/such/folder", "x", 1, FILE_KEEP), IMPRINT_E_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(mkdir("d", 0700), 0);
    assert_int_equal(file_write("d", "x", 1, FILE_REPLACE), IMPRINT_E_IO);
    assert_int_equal(rmdir("d"), 0);
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(file_write(name, "x", 1, FILE_KEEP), IMPRINT_E_IO);
    assert_int_equal(clear_folder(), 0);
}

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void signals_that_waited_arrive_afterwards(void **state)
{
    (void)state;
    sigset_t interrupt;
    sigset_t pending;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    assert_true(signal(SIGINT, count_signal) != SIG_ERR);
    sigprocmask(SIG_BLOCK, &interrupt, NULL);
    raise(SIGINT);
    assert_int_equal(file_write("a", "x", 1, FILE_KEEP), IMPRINT_OK);
    /* The mask is as it was: still blocked, still waiting. */
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGINT), 1);
    sigprocmask(SIG_UNBLOCK, &interrupt, NULL);
    assert_int_equal(signals, 1);
    signal(SIGINT, SIG_DFL);
    assert_int_equal(clear_folder(), 1);
}

static void a_file_is_read_up_to_the_limit_and_not_beyond(void **state)
{
    (void)state;
    struct file_bytes file = {0};
    assert_int_equal(file_write("a", "12345", 5, FILE_KEEP), IMPRINT_OK);
    assert_int_equal(file_read("a", 5, IMPRINT_E_IMAGE_TOO_LARGE, &file), IMPRINT_OK);
    assert_int_equal(file.len, 5);
    file_free(&file);
    assert_int_equal(file_read("a", 4, IMPRINT_E_IMAGE_TOO_LARGE, &file),
                     IMPRINT_E_IMAGE_TOO_LARGE);
    assert_int_equal(file_read("a", 4, IMPRINT_E_REPORT_INVALID, &file), IMPRINT_E_REPORT_INVALID);
    assert_int_equal(file_write("empty", "", 0, FILE_KEEP), IMPRINT_OK);
    assert_int_equal(file_read("empty", 4, IMPRINT_E_IMAGE_TOO_LARGE, &file), IMPRINT_OK);
    assert_int_equal(file.len, 0);
    file_free(&file);
    assert_int_equal(file_read("/dev/zero", 100, IMPRINT_E_IMAGE_TOO_LARGE, &file),
                     IMPRINT_E_IMAGE_TOO_LARGE);
    assert_null(file.bytes);
    assert_int_equal(clear_folder(), 2);
}

static void what_is_no_file_says_so(void **state)
{
    (void)state;
    struct file_bytes file = {0};
    assert_int_equal(file_read("missing", 10, IMPRINT_E_IMAGE_TOO_LARGE, &file), IMPRINT_E_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(file_read(".", 10, IMPRINT_E_IMAGE_TOO_LARGE, &file), IMPRINT_E_IO);
    assert_int_equal(errno, EISDIR);
    file_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_private),
        cmocka_unit_test(a_file_is_replaced_only_when_asked),
        cmocka_unit_test(a_link_is_not_written_through),
        cmocka_unit_test(a_failure_leaves_nothing_beside),
        cmocka_unit_test(signals_that_waited_arrive_afterwards),
        cmocka_unit_test(a_file_is_read_up_to_the_limit_and_not_beyond),
        cmocka_unit_test(what_is_no_file_says_so),
    };
    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
