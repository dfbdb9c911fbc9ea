/* The check in a process of its own: whatever a damaged file does to it, the daemon lives on. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_internal.h"

struct verdict {
    atomic_bool is_finished;
    enum imprint_error error;
    char finding[STORE_FINDING_BYTES];
};

/* Ends without a core, which would hold hashes, without the daemon's sockets and with its parent.
 */
static void child_prepare(pid_t parent)
{
    const struct rlimit none = {0, 0};
    sigset_t signals;
    sigemptyset(&signals);
    sigprocmask(SIG_SETMASK, &signals, NULL);
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        signal(fatal[i], SIG_DFL);
    }
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 ||
        getppid() != parent || close_range(3, ~0u, 0) != 0) {
        _exit(2);
    }
}

static void child_run(const struct store *store, const struct store_visitor *visitor,
                      struct verdict *verdict)
{
    verdict->error = store_check(store, visitor, verdict->finding);
    atomic_store(&verdict->is_finished, true);
    _exit(0);
}

static enum imprint_error judge(struct verdict *verdict, int status, char *out_finding)
{
    if (atomic_load(&verdict->is_finished)) {
        memcpy(out_finding, verdict->finding, STORE_FINDING_BYTES);
        return verdict->error;
    }
    int signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal_number == SIGKILL || signal_number == SIGTERM || signal_number == SIGINT ||
        signal_number == SIGHUP) {
        return IMPRINT_E_IO; /* somebody ended it: that says nothing about the file */
    }
    int ignored = snprintf(out_finding, STORE_FINDING_BYTES,
                           "the process that reads the list died of it (signal %d)", signal_number);
    (void)ignored;
    return IMPRINT_E_STORE_DAMAGED;
}

enum imprint_error store_verify(const struct store *store, const struct store_visitor *visitor,
                                char out_finding[STORE_FINDING_BYTES])
{
    out_finding[0] = '\0';
    struct verdict *verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (verdict == MAP_FAILED) {
        return IMPRINT_E_NOMEM;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        child_prepare(parent);
        child_run(store, visitor, verdict);
    }
    enum imprint_error error = IMPRINT_E_NOMEM;
    if (child > 0) {
        int status = 0;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        error = judge(verdict, status, out_finding);
    }
    munmap(verdict, sizeof *verdict);
    return error;
}
