#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define CAGE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CAGE_ARCH AUDIT_ARCH_AARCH64
#endif

/* --- Landlock -------------------------------------------------------------------------------- */

/* Numbers and structs of the kernel's interface, newer than the headers of Debian 12. */
enum {
    CAGE_CREATE_RULESET = 444,
    CAGE_ADD_RULE = 445,
    CAGE_RESTRICT_SELF = 446,
    CAGE_RULE_PATH_BENEATH = 1,
    CAGE_QUERY_VERSION = 1,
};

#define CAGE_FS_WRITE_FILE  (UINT64_C(1) << 1)
#define CAGE_FS_READ_FILE   (UINT64_C(1) << 2)
#define CAGE_FS_READ_DIR    (UINT64_C(1) << 3)
#define CAGE_FS_REMOVE_FILE (UINT64_C(1) << 5)
#define CAGE_FS_MAKE_REG    (UINT64_C(1) << 8)

struct cage_handled {
    uint64_t file_system;
    uint64_t network;
    uint64_t scope;
};

struct cage_beneath {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

/* By version of the interface: what it can refuse, and how much of the struct it knows. */
static const struct {
    struct cage_handled handled;
    size_t size;
} cage_versions[] = {
    {{0x1fff, 0, 0}, 8},    {{0x3fff, 0, 0}, 8},    {{0x7fff, 0, 0}, 8},
    {{0x7fff, 0x3, 0}, 16}, {{0xffff, 0x3, 0}, 16}, {{0xffff, 0x3, 0x3}, 24},
};

/* A path that is not there, or cannot be opened, gets no rule; reading it then says why. */
static void cage_allow(int ruleset, const char *path, uint64_t for_file, uint64_t for_folder)
{
    const int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    struct stat stat;
    if (fstat(fd, &stat) == 0) {
        const bool is_folder = S_ISDIR(stat.st_mode);
        const struct cage_beneath rule = {.allowed = is_folder ? for_file | for_folder : for_file,
                                          .fd = fd};
        (void)syscall(CAGE_ADD_RULE, ruleset, CAGE_RULE_PATH_BENEATH, &rule, 0);
    }
    close(fd);
}

static void cage_allow_output(int ruleset, const char *output)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(output, '/');
    if (slash != NULL) {
        const size_t len = slash == output ? 1 : (size_t)(slash - output);
        if (len >= sizeof folder) {
            return;
        }
        memcpy(folder, output, len);
        folder[len] = '\0';
    }
    cage_allow(ruleset, folder, 0,
               CAGE_FS_WRITE_FILE | CAGE_FS_READ_DIR | CAGE_FS_REMOVE_FILE | CAGE_FS_MAKE_REG);
}

static bool cage_landlock(const struct cage_paths *paths)
{
    const long version = syscall(CAGE_CREATE_RULESET, NULL, (size_t)0, CAGE_QUERY_VERSION);
    if (version < 1) {
        return false;
    }
    const size_t known = sizeof cage_versions / sizeof cage_versions[0];
    const size_t row = (size_t)version < known ? (size_t)version - 1 : known - 1;
    const long ruleset =
        syscall(CAGE_CREATE_RULESET, &cage_versions[row].handled, cage_versions[row].size, 0);
    if (ruleset < 0) {
        return false;
    }
    for (size_t i = 0; i < paths->count; i++) {
        cage_allow((int)ruleset, paths->readable[i], CAGE_FS_READ_FILE, CAGE_FS_READ_DIR);
    }
    if (paths->output != NULL) {
        cage_allow_output((int)ruleset, paths->output);
    }
    const long result = syscall(CAGE_RESTRICT_SELF, (int)ruleset, 0);
    close((int)ruleset);
    return result == 0;
}

/* --- seccomp --------------------------------------------------------------------------------- */

#ifdef CAGE_ARCH

/* What hashing, asking at a terminal and saving need. Everything else fails with EPERM. */
static const uint32_t cage_calls[] = {
    __NR_read,
    __NR_write,
    __NR_readv,
    __NR_writev,
    __NR_pread64,
    __NR_lseek,
    __NR_close,
    __NR_openat,
    __NR_fstat,
    __NR_newfstatat,
    __NR_statx,
    __NR_faccessat,
    __NR_getdents64,
    __NR_fcntl,
    __NR_ioctl,
    __NR_fsync,
    __NR_renameat,
    __NR_renameat2,
    __NR_unlinkat,
    __NR_ppoll,
    __NR_mmap,
    __NR_munmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_madvise,
    __NR_brk,
    __NR_mlock,
    __NR_mlock2,
    __NR_munlock,
    __NR_getrandom,
    __NR_clock_gettime,
    __NR_clock_nanosleep,
    __NR_gettimeofday,
    __NR_getpid,
    __NR_gettid,
    __NR_tgkill,
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_restart_syscall,
    __NR_futex,
    __NR_sched_yield,
    __NR_exit,
    __NR_exit_group,
#ifdef __NR_open
    __NR_open,
    __NR_stat,
    __NR_lstat,
    __NR_access,
    __NR_rename,
    __NR_unlink,
    __NR_poll,
    __NR_time,
#endif
};

enum { CAGE_CALLS = sizeof cage_calls / sizeof cage_calls[0], CAGE_PROGRAM_MAX = CAGE_CALLS + 8 };

static bool cage_seccomp(void)
{
    struct sock_filter program[CAGE_PROGRAM_MAX];
    unsigned short n = 0;
    const uint32_t arch = offsetof(struct seccomp_data, arch);
    const uint32_t number = offsetof(struct seccomp_data, nr);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, arch);
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CAGE_ARCH, 1, 0);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number);
    for (unsigned i = 0; i < CAGE_CALLS; i++) {
        /* Allowed: on to the last instruction. Those between are the calls still to compare with,
         * and the refusal. */
        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, cage_calls[i],
                                                    (uint8_t)(CAGE_CALLS - i), 0);
    }
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog filter = {.len = n, .filter = program};
    return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0;
}

#else

static bool cage_seccomp(void)
{
    return false;
}

#endif

enum cage_result cage_enter(const struct cage_paths *paths)
{
#ifdef IMPRINT_SANITIZED
    /* Sanitizers read and start what they like at the end. */
    (void)paths;
    (void)cage_landlock;
    (void)cage_seccomp;
    return CAGE_FULL;
#else
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return CAGE_NOT_HERE;
    }
    const bool has_landlock = cage_landlock(paths);
    if (!cage_seccomp()) {
        return CAGE_NOT_HERE;
    }
    return has_landlock ? CAGE_FULL : CAGE_PARTIAL;
#endif
}
