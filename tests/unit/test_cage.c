/* The companion's cage, from inside: each attempt runs in a child of its own, once without the
 * cage, where it must succeed, and once within, where it must fail, so that no test passes because
 * the attempt could not have worked anyway. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cage.h"
#include "file.h"

static char folder[64];

typedef bool attempt_fn(void);

/* True when the attempt succeeds in a child, caged or free. A child that is killed fails. */
static bool tried(attempt_fn *attempt, bool is_caged)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const readable[] = {(char[]){"named"}, (char[]){"missing"}, (char[]){"in"}};
        const struct cage_paths paths = {.readable = readable, .count = 3, .output = "out/report"};
        if (chdir(folder) != 0 || (is_caged && cage_enter(&paths) == CAGE_NOT_HERE)) {
            _exit(2);
        }
        _exit(attempt() ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool reads(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte = '\0';
    return fd >= 0 && read(fd, &byte, 1) == 1;
}

static bool read_named(void)
{
    return reads("named");
}

static bool read_in_folder(void)
{
    return reads("in/deep/picture");
}

static bool read_other(void)
{
    return reads("other");
}

static bool read_passwords(void)
{
    return reads("/etc/passwd");
}

static bool save_report(void)
{
    return file_write("out/report", "x", 1, FILE_REPLACE) == IMPRINT_OK &&
           file_write("out/report", "x", 1, FILE_REPLACE) == IMPRINT_OK;
}

static bool save_elsewhere(void)
{
    return file_write("elsewhere", "x", 1, FILE_REPLACE) == IMPRINT_OK;
}

static bool overwrite_named(void)
{
    const int fd = open("named", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "x", 1) == 1;
}

static bool make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool make_local_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0;
}

static bool make_pair(void)
{
    int pair[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0;
}

static bool start_child(void)
{
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool start_program(void)
{
    char *const words[] = {(char[]){"true"}, NULL};
    execv("/bin/true", words);
    return false;
}

static bool be_traced(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool watch_files(void)
{
    return syscall(SYS_inotify_init1, 0) >= 0;
}

static bool use_memory_and_clock(void)
{
    void *memory = malloc((size_t)8 << 20);
    struct timespec now;
    const bool is_fine = memory != NULL && clock_gettime(CLOCK_REALTIME, &now) == 0;
    free(memory);
    return is_fine && isatty(STDIN_FILENO) <= 1;
}

static const struct attempt {
    const char *name;
    attempt_fn *attempt;
    bool is_allowed;
    bool needs_landlock;
} attempts[] = {
    {"read a named file", read_named, true, false},
    {"read in a named folder", read_in_folder, true, false},
    {"save the report", save_report, true, false},
    {"use memory and clock", use_memory_and_clock, true, false},
    {"read another file", read_other, false, true},
    {"read the passwords", read_passwords, false, true},
    {"save elsewhere", save_elsewhere, false, true},
    {"overwrite a named file", overwrite_named, false, true},
    {"make a socket", make_socket, false, false},
    {"make a local socket", make_local_socket, false, false},
    {"make a pair of sockets", make_pair, false, false},
    {"start a child", start_child, false, false},
    {"start a program", start_program, false, false},
    {"be traced", be_traced, false, false},
    {"watch files", watch_files, false, false},
};

static bool has_landlock(void)
{
    return syscall(444, NULL, (size_t)0, 1) >= 1;
}

static void free_every_attempt_succeeds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        if (!tried(attempts[i].attempt, false)) {
            fail_msg("free, this should work: %s", attempts[i].name);
        }
    }
}

static void caged_only_the_work_itself_does(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
        if (attempts[i].needs_landlock && !has_landlock()) {
            print_message("no Landlock here: not tried: %s\n", attempts[i].name);
            continue;
        }
        const bool succeeded = tried(attempts[i].attempt, true);
        if (succeeded != attempts[i].is_allowed) {
            fail_msg("%s: %s", succeeded ? "should be refused" : "should work", attempts[i].name);
        }
        refused += !succeeded;
    }
    assert_true(refused >= 7);
}

static int make_folder(void **state)
{
    (void)state;
    static const char *const files[] = {"named", "other", "in/deep/picture"};
    static const char *const folders[] = {"in", "in/deep", "out"};
    snprintf(folder, sizeof folder, "/tmp/imprint-cage-XXXXXX");
    bool is_fine = mkdtemp(folder) != NULL && chdir(folder) == 0;
    for (size_t i = 0; i < 3 && is_fine; i++) {
        is_fine = mkdir(folders[i], 0700) == 0;
    }
    for (size_t i = 0; i < 3 && is_fine; i++) {
        is_fine = file_write(files[i], "x", 1, FILE_KEEP) == IMPRINT_OK;
    }
    return is_fine ? 0 : 1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const files[] = {"named", "other", "in/deep/picture", "out/report",
                                        "elsewhere"};
    static const char *const folders[] = {"in/deep", "in", "out"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        unlink(files[i]);
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        rmdir(folders[i]);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(free_every_attempt_succeeds),
        cmocka_unit_test(caged_only_the_work_itself_does),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
