/* The cage, tried from inside: a probe steps in and makes one forbidden system call after another,
 * each of which must kill it with SIGSYS; outside the cage the same call must not. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox.h"

#define JOB_FD 3

struct probe {
    pid_t pid;
    int fd;
};

/* The probe's process, with theirs as its socket. */
static pid_t spawn_probe(int theirs, const char *how, const char *name)
{
    const pid_t pid = fork();
    if (pid == 0) {
        /* Descriptor 4 is open and readable, so that only the filter can refuse it. */
        if (dup2(theirs, JOB_FD) == JOB_FD && dup2(JOB_FD, 4) == 4) {
            execl(CAGE_PROBE, "cage_probe", how, name, (char *)NULL);
        }
        _exit(96);
    }
    return pid;
}

static struct probe start_probe(const char *how, const char *name)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const pid_t pid = spawn_probe(pair[1], how, name);
    assert_true(pid > 0);
    close(pair[1]);
    return (struct probe){pid, pair[0]};
}

/* The walls it reports. */
static unsigned hear(const struct probe *probe)
{
    uint8_t walls = 0;
    assert_int_equal(read(probe->fd, &walls, 1), 1);
    return walls;
}

static int end_of(struct probe *probe)
{
    int status = 0;
    assert_int_equal(waitpid(probe->pid, &status, 0), probe->pid);
    close(probe->fd);
    return status;
}

static int run_probe(const char *how, const char *name)
{
    struct probe probe = start_probe(how, name);
    (void)hear(&probe);
    return end_of(&probe);
}

/* What a file of /proc says about a probe. */
static void read_proc(pid_t pid, const char *file, char *out_text, size_t capacity)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    const size_t len = fread(out_text, 1, capacity - 1, stream);
    out_text[len] = '\0';
    fclose(stream);
}

/* --- Tests ----------------------------------------------------------------------------------- */

static void walls_stand_and_are_seen_from_outside(void **state)
{
    (void)state;
    struct probe probe = start_probe("wait", NULL);
    assert_int_equal(hear(&probe) & SANDBOX_REQUIRED, SANDBOX_REQUIRED);
    char text[8192];
    read_proc(probe.pid, "status", text, sizeof text);
    assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
#ifndef IMPRINT_SANITIZED
    assert_non_null(strstr(text, "Seccomp:\t2\n"));
#endif
    read_proc(probe.pid, "limits", text, sizeof text);
    assert_non_null(strstr(text, "Max core file size        0                    0 "));
    assert_non_null(strstr(text, "Max file size             0                    0 "));
    assert_non_null(strstr(text, "Max open files            0                    0 "));
    assert_non_null(strstr(text, "Max processes             0                    0 "));
    assert_non_null(strstr(text, "Max cpu time              5                    5 "));
    shutdown(probe.fd, SHUT_RDWR);
    assert_int_equal(end_of(&probe), 0);
}

static void no_descriptor_but_the_socket_is_left(void **state)
{
    (void)state;
    struct probe probe = start_probe("wait", NULL);
    (void)hear(&probe);
    char path[64];
    char target[64];
    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)probe.pid, fd);
        const bool is_open = readlink(path, target, sizeof target) >= 0;
#ifdef IMPRINT_SANITIZED
        assert_true(is_open == (fd <= JOB_FD) || fd < JOB_FD);
#else
        assert_int_equal(is_open, fd == JOB_FD);
#endif
    }
    shutdown(probe.fd, SHUT_RDWR);
    assert_int_equal(end_of(&probe), 0);
}

/* The socket stays open here, so that its end is not what ends the probe. */
static void a_caged_process_dies_with_the_one_that_started_it(void **state)
{
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    int pair[2];
    int orders[2];
    pid_t pid;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orders), 0);
    const pid_t starter = fork();
    assert_true(starter >= 0);
    if (starter == 0) {
        char order;
        pid = spawn_probe(pair[1], "wait", NULL);
        _exit(write(orders[1], &pid, sizeof pid) == sizeof pid && read(orders[1], &order, 1) == 1
                  ? 0
                  : 1);
    }
    struct probe probe = {0, pair[0]};
    assert_int_equal(read(orders[0], &probe.pid, sizeof probe.pid), sizeof probe.pid);
    assert_int_equal(hear(&probe) & SANDBOX_MORTAL, SANDBOX_MORTAL);
    assert_int_equal(write(orders[0], "x", 1), 1);
    int status;
    assert_int_equal(waitpid(starter, &status, 0), starter);
    assert_int_equal(status, 0);
    const int end = end_of(&probe);
    assert_true(WIFSIGNALED(end) && WTERMSIG(end) == SIGKILL);
    close(pair[1]);
    close(orders[0]);
    close(orders[1]);
}

/* Without the walls that such a call would be needed for, the rest stand and the gap is named. */
static void a_wall_that_cannot_be_built_is_reported_missing(void **state)
{
    (void)state;
    static const struct {
        long number;
        unsigned missing;
        const char *name;
    } denials[] = {
        {SYS_close_range, SANDBOX_CLOSED, "closed descriptors"},
        {SYS_prlimit64, SANDBOX_LIMITED, "resource limits"},
        {SYS_seccomp, SANDBOX_SECCOMP, "seccomp"},
        {444, SANDBOX_LANDLOCK, "landlock"},
        {446, SANDBOX_LANDLOCK, "landlock"},
    };
    struct probe whole = start_probe("deny", "65535");
    const unsigned all = hear(&whole);
    (void)end_of(&whole);
    for (size_t i = 0; i < sizeof denials / sizeof denials[0]; i++) {
        char number[24];
        snprintf(number, sizeof number, "%ld", denials[i].number);
        struct probe probe = start_probe("deny", number);
        const unsigned walls = hear(&probe);
        (void)end_of(&probe);
        assert_int_equal(walls, all & ~denials[i].missing);
        assert_string_equal(sandbox_missing(SANDBOX_ALL & ~denials[i].missing), denials[i].name);
    }
    assert_string_equal(sandbox_missing(SANDBOX_ALL), "none");
}

static void what_a_worker_needs_is_allowed(void **state)
{
    (void)state;
    assert_int_equal(run_probe("caged", "allowed"), 0);
}

static void processor_time_is_bounded_for_life(void **state)
{
    (void)state;
    const int status = run_probe("caged", "processor");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    assert_true(usage.ru_utime.tv_sec < 5);
}

#ifndef IMPRINT_SANITIZED

static void every_other_system_call_kills(void **state)
{
    (void)state;
    FILE *names = popen(CAGE_PROBE " list", "r");
    assert_non_null(names);
    char name[64];
    unsigned count = 0;
    while (fgets(name, sizeof name, names) != NULL) {
        name[strcspn(name, "\n")] = '\0';
        const int caged = run_probe("caged", name);
        if (!WIFSIGNALED(caged) || WTERMSIG(caged) != SIGSYS) {
            fail_msg("%s: wait status %x instead of SIGSYS", name, (unsigned)caged);
        }
        assert_false(WCOREDUMP(caged));
        const int free_of_it = run_probe("free", name);
        if (WIFSIGNALED(free_of_it)) {
            fail_msg("%s: killed by signal %d without a cage", name, WTERMSIG(free_of_it));
        }
        count++;
    }
    assert_int_equal(pclose(names), 0);
    assert_true(count >= 58);
    print_message("%u forbidden calls, %u killed by SIGSYS\n", count, count);
}

/* A kernel without 32-bit emulation answers int 0x80 with SIGSEGV, which will do as well. */
static void the_32_bit_door_is_shut(void **state)
{
    (void)state;
    const int status = run_probe("caged", "the 32-bit door");
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGSEGV);
}

static void crashes_leave_no_core(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
    const struct rlimit most = {before.rlim_max, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_CORE, &most), 0);
    const int status = run_probe("caged", "stack");
    assert_int_equal(setrlimit(RLIMIT_CORE, &before), 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    assert_false(WCOREDUMP(status));
}

#endif

int main(void)
{
    alarm(120); /* a probe that should have been killed is waited for */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walls_stand_and_are_seen_from_outside),
        cmocka_unit_test(no_descriptor_but_the_socket_is_left),
        cmocka_unit_test(a_caged_process_dies_with_the_one_that_started_it),
        cmocka_unit_test(a_wall_that_cannot_be_built_is_reported_missing),
        cmocka_unit_test(what_a_worker_needs_is_allowed),
        cmocka_unit_test(processor_time_is_bounded_for_life),
#ifndef IMPRINT_SANITIZED
        cmocka_unit_test(every_other_system_call_kills),
        cmocka_unit_test(the_32_bit_door_is_shut),
        cmocka_unit_test(crashes_leave_no_core),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
