#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "limits.h"
#include "sandbox.h"

/* The worker's number for its end of the socket; worker.c relies on it. */
#define JOB_FD 3

/* Between hanging up and being gone a process only tidies up; then it is killed. */
#define LEAVE_TIMEOUT_MS 250
/* A killed process is gone unless it hangs in the kernel; we do not hang with it. */
#define KILLED_TIMEOUT_MS 5000

uint64_t child_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- Start ----------------------------------------------------------------------------------- */

/* Nothing of ours goes over: no descriptor but the socket, no signal disposition, not our process
 * group (a Ctrl-C is for us to handle). */
static bool describe_spawn(int theirs, posix_spawn_file_actions_t *actions,
                           posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    int failed = 0;
    failed |= posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    failed |= posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
#ifndef IMPRINT_SANITIZED /* whose reports must be seen */
    failed |= posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#endif
    failed |= posix_spawn_file_actions_adddup2(actions, theirs, JOB_FD);
    failed |= posix_spawn_file_actions_addclosefrom_np(actions, JOB_FD + 1);
    failed |= posix_spawnattr_setsigdefault(attributes, &all);
    failed |= posix_spawnattr_setsigmask(attributes, &none);
    failed |= posix_spawnattr_setpgroup(attributes, 0);
    failed |= posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETPGROUP);
    return failed == 0;
}

/* 0 or an errno. */
static int spawn(const struct child_options *options, int theirs, pid_t *out_pid)
{
    char cage[32];
    snprintf(cage, sizeof cage, "--cage=%s:%u",
             options->is_sandbox_required ? "required" : "optional", options->cpu_seconds);
    char name[] = "imprint-worker";
    char *arguments[] = {name, cage, NULL};
    char *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawnattr_init(&attributes);
    if (error == 0) {
        error =
            describe_spawn(theirs, &actions, &attributes)
                ? posix_spawn(out_pid, options->path, &actions, &attributes, arguments, environment)
                : ENOMEM;
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* A connected pair; the second is no standard descriptor, which the spawn would overwrite. */
static bool open_pair(int out_pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_pair) != 0) {
        return false;
    }
    if (out_pair[1] > STDERR_FILENO) {
        return true;
    }
    const int higher = fcntl(out_pair[1], F_DUPFD_CLOEXEC, JOB_FD);
    close(out_pair[1]);
    if (higher < 0) {
        close(out_pair[0]);
        return false;
    }
    out_pair[1] = higher;
    return true;
}

/* --- Moving bytes ---------------------------------------------------------------------------- */

/* Waits until the socket can do what events says; false at the deadline. */
static bool wait_for(int fd, short events, uint64_t deadline_ms)
{
    for (;;) {
        const uint64_t now = child_now_ms();
        if (now >= deadline_ms) {
            return false;
        }
        struct pollfd poller = {.fd = fd, .events = events};
        const int ready = poll(&poller, 1, (int)(deadline_ms - now));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
}

/* Drops what was sent from the front. */
static void advance(struct msghdr *message, size_t sent)
{
    while (message->msg_iovlen > 0 && sent >= message->msg_iov->iov_len) {
        sent -= message->msg_iov->iov_len;
        message->msg_iov++;
        message->msg_iovlen--;
    }
    if (message->msg_iovlen > 0) {
        message->msg_iov->iov_base = (uint8_t *)message->msg_iov->iov_base + sent;
        message->msg_iov->iov_len -= sent;
    }
}

static enum child_verdict send_parts(int fd, struct iovec *parts, size_t count,
                                     uint64_t deadline_ms)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    while (message.msg_iovlen > 0) {
        const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            advance(&message, (size_t)sent);
        } else if (errno == EAGAIN) {
            if (!wait_for(fd, POLLOUT, deadline_ms)) {
                return CHILD_LATE;
            }
        } else if (errno != EINTR) {
            return CHILD_DIED;
        }
    }
    return CHILD_FINE;
}

static enum child_verdict receive(int fd, uint8_t *out_bytes, size_t len, uint64_t deadline_ms)
{
    while (len > 0) {
        if (!wait_for(fd, POLLIN, deadline_ms)) {
            return CHILD_LATE;
        }
        const ssize_t got = recv(fd, out_bytes, len, MSG_DONTWAIT);
        if (got > 0) {
            out_bytes += got;
            len -= (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return CHILD_DIED;
        }
    }
    return CHILD_FINE;
}

/* Processor time the worker has used in its life. */
static uint64_t spent_ms(pid_t pid)
{
    clockid_t clock;
    struct timespec spent;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &spent) != 0) {
        return 0; /* the clock on the wall still ends it */
    }
    return (uint64_t)spent.tv_sec * 1000 + (uint64_t)spent.tv_nsec / 1000000;
}

/* Until the worker speaks or hangs up. A machine that is busy with something else is not the
 * picture's doing, so the time that counts is the worker's own. It cannot have used timeout_ms
 * before as much has passed, so we look again after what is left. */
static enum child_verdict await_answer(const struct child *child, unsigned timeout_ms)
{
    const uint64_t start_spent_ms = spent_ms(child->pid);
    const uint64_t last_ms = child_now_ms() + (uint64_t)timeout_ms * LIMIT_DECODE_WALL_FACTOR;
    uint64_t left_ms = timeout_ms;
    while (left_ms > 0) {
        const uint64_t look_ms = child_now_ms() + left_ms;
        if (wait_for(child->fd, POLLIN, look_ms < last_ms ? look_ms : last_ms)) {
            return CHILD_FINE;
        }
        const uint64_t spent = spent_ms(child->pid) - start_spent_ms;
        left_ms = spent < timeout_ms && child_now_ms() < last_ms ? timeout_ms - spent : 0;
    }
    return CHILD_LATE;
}

enum child_verdict child_ask(const struct child *child, const struct wire_job *job,
                             const void *bytes, unsigned timeout_ms, struct wire_answer *out_answer)
{
    uint8_t head[WIRE_JOB_BYTES];
    wire_job_encode(job, head);
    /* iovec has no const form; sendmsg only reads. */
    union {
        const void *readable;
        void *base;
    } body = {.readable = bytes};
    struct iovec parts[] = {{head, sizeof head}, {body.base, (size_t)job->len}};
    enum child_verdict verdict = send_parts(child->fd, parts, 2, child_now_ms() + timeout_ms);
    if (verdict != CHILD_FINE) {
        return verdict;
    }
    uint8_t message[WIRE_ANSWER_BYTES];
    verdict = await_answer(child, timeout_ms);
    if (verdict == CHILD_FINE) {
        verdict = receive(child->fd, message, sizeof message, child_now_ms() + timeout_ms);
    }
    if (verdict == CHILD_FINE && !wire_answer_decode(message, job, out_answer)) {
        verdict = CHILD_NONSENSE;
    }
    return verdict;
}

enum child_verdict child_check_idle(const struct child *child)
{
    uint8_t byte;
    const ssize_t got = recv(child->fd, &byte, 1, MSG_DONTWAIT);
    if (got > 0) {
        return CHILD_NONSENSE;
    }
    return got < 0 && errno == EAGAIN ? CHILD_FINE : CHILD_DIED;
}

/* --- End ------------------------------------------------------------------------------------- */

/* Waits for the end of the process, without collecting it. There is no such wait with a deadline;
 * the pauses only bound how often we look. */
static bool wait_for_end(pid_t pid, unsigned timeout_ms)
{
    const uint64_t deadline_ms = child_now_ms() + timeout_ms;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        const int result = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
        if ((result == 0 && info.si_pid == pid) || (result != 0 && errno == ECHILD)) {
            return true;
        }
        if (child_now_ms() >= deadline_ms) {
            return false;
        }
        const struct timespec pause = {0, 100000};
        nanosleep(&pause, NULL);
    }
}

static void describe_end(int status, struct child_end *out_end)
{
    *out_end = (struct child_end){.is_violation = false};
    if (WIFSIGNALED(status)) {
        out_end->is_violation = WTERMSIG(status) == SIGSYS;
        snprintf(out_end->text, sizeof out_end->text, "killed by signal %d", WTERMSIG(status));
    } else {
        snprintf(out_end->text, sizeof out_end->text, "exited with status %d", WEXITSTATUS(status));
    }
}

/* The wait status. The process leads a group of its own, so whatever it may have started goes with
 * it; its number stays taken until it is collected. */
static int end_process(struct child *child, bool is_polite)
{
    int status = 0;
    shutdown(child->fd, SHUT_RDWR);
    if (!is_polite || !wait_for_end(child->pid, LEAVE_TIMEOUT_MS)) {
        (void)kill(child->pid, SIGKILL);
        (void)wait_for_end(child->pid, KILLED_TIMEOUT_MS);
    }
    (void)kill(-child->pid, SIGKILL);
    (void)waitpid(child->pid, &status, WNOHANG);
    close(child->fd);
    *child = (struct child){.fd = -1};
    return status;
}

void child_stop(struct child *child, bool is_polite, struct child_end *out_end)
{
    describe_end(end_process(child, is_polite), out_end);
}

/* --- Starting, as a whole ----------------------------------------------------------------------
 */

/* Why a worker that was started did not become ready. */
static enum imprint_error explain_start(struct child *child, bool is_polite,
                                        struct child_end *out_end)
{
    const int status = end_process(child, is_polite);
    describe_end(status, out_end);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) & WIRE_EXIT_NO_CAGE) == 0) {
        return IMPRINT_E_IO;
    }
    const unsigned missing = (unsigned)WEXITSTATUS(status) & SANDBOX_ALL;
    snprintf(out_end->text, sizeof out_end->text, "no %s here", sandbox_missing(~missing));
    return IMPRINT_E_SANDBOX;
}

enum imprint_error child_start(const struct child_options *options, struct child *out_child,
                               struct child_end *out_end)
{
    int pair[2];
    *out_end = (struct child_end){.is_violation = false};
    if (!open_pair(pair)) {
        snprintf(out_end->text, sizeof out_end->text, "no socket: errno %d", errno);
        return IMPRINT_E_IO;
    }
    struct child child = {.fd = pair[0]};
    const int failed = spawn(options, pair[1], &child.pid);
    close(pair[1]);
    if (failed != 0) {
        close(pair[0]);
        snprintf(out_end->text, sizeof out_end->text, "not executable: errno %d", failed);
        return IMPRINT_E_IO;
    }
    uint8_t message[WIRE_READY_BYTES];
    const enum child_verdict verdict =
        receive(child.fd, message, sizeof message, child_now_ms() + options->start_timeout_ms);
    struct wire_ready ready;
    if (verdict != CHILD_FINE || !wire_ready_decode(message, &ready)) {
        return explain_start(&child, verdict == CHILD_DIED, out_end);
    }
    child.walls = ready.walls;
    if (options->is_sandbox_required && (SANDBOX_REQUIRED & ~ready.walls) != 0) {
        child_stop(&child, false, out_end);
        return IMPRINT_E_SANDBOX;
    }
    *out_child = child;
    return IMPRINT_OK;
}
