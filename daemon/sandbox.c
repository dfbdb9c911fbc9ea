#include "sandbox.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter knows x86-64 and arm64; add this processor's AUDIT_ARCH_*"
#endif

/* --- Landlock -------------------------------------------------------------------------------- */

/* struct landlock_ruleset_attr as of ABI 6, which is longer than Debian 12's header knows. */
struct landlock_handled {
    uint64_t file_system;
    uint64_t network;
    uint64_t scope;
};

#define LANDLOCK_VERSION_QUERY    1u
#define SYSCALL_LANDLOCK_CREATE   444
#define SYSCALL_LANDLOCK_RESTRICT 446

/* What each version of the kernel's interface can deny, and how much of the struct it reads. A
 * newer kernel is asked for what version 6 denies. */
static const struct {
    struct landlock_handled handled;
    size_t size;
} landlock_abis[] = {
    {{0x1fff, 0, 0}, 8},      /* 1: 13 ways to touch a file */
    {{0x3fff, 0, 0}, 8},      /* 2: and moving it between folders */
    {{0x7fff, 0, 0}, 8},      /* 3: and truncating it */
    {{0x7fff, 0x3, 0}, 16},   /* 4: and TCP bind and connect */
    {{0xffff, 0x3, 0}, 16},   /* 5: and device ioctls */
    {{0xffff, 0x3, 0x3}, 24}, /* 6: and abstract sockets and signals to others */
};

/* A ruleset that handles everything and allows nothing. */
static bool deny_files_and_network(void)
{
    const long abi = syscall(SYSCALL_LANDLOCK_CREATE, NULL, (size_t)0, LANDLOCK_VERSION_QUERY);
    if (abi < 1) {
        return false;
    }
    const size_t known = sizeof landlock_abis / sizeof landlock_abis[0];
    const size_t row = (size_t)abi < known ? (size_t)abi - 1 : known - 1;
    const long ruleset =
        syscall(SYSCALL_LANDLOCK_CREATE, &landlock_abis[row].handled, landlock_abis[row].size, 0);
    if (ruleset < 0) {
        return false;
    }
    const long result = syscall(SYSCALL_LANDLOCK_RESTRICT, (int)ruleset, 0);
    return close((int)ruleset) == 0 && result == 0;
}

/* --- Descriptors and limits ------------------------------------------------------------------ */

static bool close_all_but(int fd)
{
#ifdef IMPRINT_SANITIZED
    const unsigned first = STDERR_FILENO + 1; /* where a sanitizer reports */
#else
    const unsigned first = 0;
#endif
    if ((unsigned)fd > first && close_range(first, (unsigned)fd - 1, 0) != 0) {
        return false;
    }
    return close_range((unsigned)fd + 1, UINT32_MAX, 0) == 0;
}

static bool set_limits(unsigned cpu_seconds)
{
    const struct {
        __rlimit_resource_t resource;
        rlim_t value;
    } limits[] = {
        {RLIMIT_CORE, 0},    {RLIMIT_FSIZE, 0},    {RLIMIT_NOFILE, 0},        {RLIMIT_NPROC, 0},
        {RLIMIT_MEMLOCK, 0}, {RLIMIT_MSGQUEUE, 0}, {RLIMIT_CPU, cpu_seconds},
    };
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct rlimit limit = {limits[i].value, limits[i].value};
        if (setrlimit(limits[i].resource, &limit) != 0) {
            return false;
        }
    }
    return true;
}

/* --- seccomp --------------------------------------------------------------------------------- */

#ifdef IMPRINT_SANITIZED

static bool allow_five_system_calls(int fd)
{
    (void)fd;
    return false;
}

#else

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The kernel, too, takes descriptors and advice from the low half of their registers. Both
 * processors are little endian. */
#define LOAD_ARGUMENT(n) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define IF(value, then, otherwise) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), then, otherwise)

static bool allow_five_system_calls(int fd)
{
    /* Jumps count the rows to skip. Last but one is "kill", last is "allow". */
    struct sock_filter rows[] = {
        /*  0 */ LOAD(arch),               /* numbers mean other calls elsewhere */
        /*  1 */ IF(OUR_ARCH, 0, 10),      /* no: 12 */
        /*  2 */ LOAD(nr),                 /* x32 has a bit set: equal to none below */
        /*  3 */ IF(SYS_read, 4, 0),       /* yes: 8 */
        /*  4 */ IF(SYS_write, 3, 0),      /* yes: 8 */
        /*  5 */ IF(SYS_madvise, 4, 0),    /* yes: 10 */
        /*  6 */ IF(SYS_exit, 6, 0),       /* yes: 13 */
        /*  7 */ IF(SYS_exit_group, 5, 4), /* yes: 13, no: 12 */
        /*  8 */ LOAD_ARGUMENT(0),         /* the descriptor */
        /*  9 */ IF(fd, 3, 2),             /* yes: 13, no: 12 */
        /* 10 */ LOAD_ARGUMENT(2),         /* the advice */
        /* 11 */ IF(MADV_DONTNEED, 1, 0),  /* yes: 13, no: 12 */
        /* 12 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        /* 13 */ BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof rows / sizeof rows[0], rows};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

#endif

/* --- The cage -------------------------------------------------------------------------------- */

/* Each wall needs the calls of those after it, so seccomp is last; Landlock wants no_new_privs
 * first. */
unsigned sandbox_enter(int fd, unsigned cpu_seconds)
{
    unsigned walls = 0;
    walls |= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? SANDBOX_NO_NEW_PRIVS : 0;
    walls |= prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? SANDBOX_UNDUMPABLE : 0;
    walls |= prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 ? SANDBOX_MORTAL : 0;
    walls |= close_all_but(fd) ? SANDBOX_CLOSED : 0;
    walls |= deny_files_and_network() ? SANDBOX_LANDLOCK : 0;
    walls |= set_limits(cpu_seconds) ? SANDBOX_LIMITED : 0;
    walls |= allow_five_system_calls(fd) ? SANDBOX_SECCOMP : 0;
    return walls;
}

const char *sandbox_missing(unsigned walls)
{
    static const struct {
        unsigned wall;
        const char *name;
    } names[] = {
        {SANDBOX_NO_NEW_PRIVS, "no_new_privs"},  {SANDBOX_UNDUMPABLE, "dumpable off"},
        {SANDBOX_MORTAL, "parent death signal"}, {SANDBOX_CLOSED, "closed descriptors"},
        {SANDBOX_LIMITED, "resource limits"},    {SANDBOX_SECCOMP, "seccomp"},
        {SANDBOX_LANDLOCK, "landlock"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((walls & names[i].wall) == 0) {
            return names[i].name;
        }
    }
    return "none";
}
