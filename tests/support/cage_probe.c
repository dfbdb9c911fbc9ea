/* Steps into the cage and then tries to do what it must not, for test_sandbox.
 *
 *   cage_probe caged NAME     enter the cage, write one byte on descriptor 3, try NAME
 *   cage_probe free NAME      the same without a cage: shows that NAME is harmless in itself
 *   cage_probe deny NUMBER    make the kernel refuse system call NUMBER, enter the cage, write the
 *                             walls that stand as one byte
 *   cage_probe wait           enter the cage, write one byte, wait for the socket to close
 *   cage_probe list           print the names
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

#define JOB_FD      3
#define CPU_SECONDS 5

/* Arguments are such that the call fails or changes nothing where it is let through. */
static const struct {
    const char *name;
    long number;
    long arguments[6];
} calls[] = {
#ifdef SYS_open
    {"open", SYS_open, {0}},
    {"fork", SYS_fork, {0}},
    {"dup2", SYS_dup2, {JOB_FD, JOB_FD}},
    {"time", SYS_time, {0}},
    {"arch_prctl", SYS_arch_prctl, {0}},
#endif
    {"openat", SYS_openat, {AT_FDCWD, 0}},
    {"openat2", SYS_openat2, {AT_FDCWD, 0}},
    {"statx", SYS_statx, {AT_FDCWD, 0}},
    {"unlinkat", SYS_unlinkat, {AT_FDCWD, 0}},
    {"socket", SYS_socket, {1, 1, 0}},
    {"socketpair", SYS_socketpair, {1, 1, 0, 0}},
    {"connect", SYS_connect, {-1}},
    {"sendmsg on its socket", SYS_sendmsg, {JOB_FD, 0}},
    {"recvmsg on its socket", SYS_recvmsg, {JOB_FD, 0}},
    {"sendto on its socket", SYS_sendto, {JOB_FD, 0, 0, 0x4000}},
    {"readv on its socket", SYS_readv, {JOB_FD, 0, 0}},
    {"pread on its socket", SYS_pread64, {JOB_FD, 0, 0, 0}},
    {"ioctl on its socket", SYS_ioctl, {JOB_FD, 0}},
    {"fcntl on its socket", SYS_fcntl, {JOB_FD, F_GETFD}},
    {"read elsewhere", SYS_read, {4, 0, 0}},
    {"read standard input", SYS_read, {0, 0, 0}},
    {"write elsewhere", SYS_write, {4, 0, 0}},
    {"write standard error", SYS_write, {2, 0, 0}},
    {"write standard output", SYS_write, {1, 0, 0}},
    {"clone3", SYS_clone3, {0}},
    {"execve", SYS_execve, {0}},
    {"execveat", SYS_execveat, {-1}},
    {"wait4", SYS_wait4, {0, 0, 1}},
    {"kill itself", SYS_kill, {0, 0}},
    {"kill any", SYS_kill, {1, 0}},
    {"tgkill", SYS_tgkill, {-1, -1, 0}},
    {"ptrace", SYS_ptrace, {-1}},
    {"process_vm_readv", SYS_process_vm_readv, {1}},
    {"process_vm_writev", SYS_process_vm_writev, {1}},
    {"pidfd_open", SYS_pidfd_open, {-1}},
    {"io_uring_setup", SYS_io_uring_setup, {0}},
    {"mmap", SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"mmap to run", SYS_mmap, {0, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {"mprotect", SYS_mprotect, {0, 0, 0}},
    {"mremap", SYS_mremap, {0}},
    {"munmap", SYS_munmap, {0}},
    {"brk", SYS_brk, {0}},
    {"memfd_create", SYS_memfd_create, {0}},
    {"shmget", SYS_shmget, {0}},
    {"userfaultfd", SYS_userfaultfd, {-1}},
    {"madvise for another thing", SYS_madvise, {0, 0, MADV_WILLNEED}},
    {"futex", SYS_futex, {0}},
    {"nanosleep", SYS_nanosleep, {0}},
    {"getpid", SYS_getpid, {0}},
    {"getrandom", SYS_getrandom, {0}},
    {"rt_sigaction", SYS_rt_sigaction, {-1}},
    {"prctl", SYS_prctl, {-1}},
    {"prlimit", SYS_prlimit64, {-1}},
    {"setuid", SYS_setuid, {-1}},
    {"unshare", SYS_unshare, {0}},
    {"mount", SYS_mount, {0}},
    {"bpf", SYS_bpf, {-1}},
    {"perf_event_open", SYS_perf_event_open, {0, -1, -1, -1}},
    {"keyctl", SYS_keyctl, {-1}},
    {"seccomp", SYS_seccomp, {-1}},
    {"landlock", 444, {0}},
    {"a call that does not exist", 0xffff, {0}},
#ifdef __x86_64__
    {"the x32 door", 0x40000000 + SYS_getpid, {0}},
    {"the x32 door with an allowed number", 0x40000000 + SYS_write, {JOB_FD, 0, 0}},
#endif
};

#define CALL_COUNT (sizeof calls / sizeof calls[0])

#ifdef __x86_64__
/* 60 is umask there and the allowed exit on this side. */
static void call_through_the_32_bit_door(void)
{
    long result = 60;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory");
}
#else
static void call_through_the_32_bit_door(void)
{
    syscall(SYS_getpid);
}
#endif

static void use_what_is_allowed(void)
{
    uint8_t byte;
    void *page = NULL;
    syscall(SYS_read, JOB_FD, &byte, 0);
    syscall(SYS_madvise, page, 0, MADV_DONTNEED);
    syscall(SYS_exit, 0);
}

static void overflow_the_stack(void)
{
    for (volatile char *at = (volatile char *)&at;; at -= 1024) {
        *at = 1;
    }
}

static void use_up_the_processor(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static const struct {
    const char *name;
    void (*act)(void);
} acts[] = {
    {"the 32-bit door", call_through_the_32_bit_door},
    {"allowed", use_what_is_allowed},
    {"stack", overflow_the_stack},
    {"processor", use_up_the_processor},
};

static void try(const char *name)
{
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (strcmp(name, calls[i].name) == 0) {
            const long *a = calls[i].arguments;
            syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);
            return;
        }
    }
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(name, acts[i].name) == 0) {
            acts[i].act();
            return;
        }
    }
    _exit(99);
}

static void say(uint8_t byte)
{
    if (write(JOB_FD, &byte, 1) != 1) {
        _exit(98);
    }
}

static int deny(long number)
{
    struct sock_filter rows[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof rows / sizeof rows[0], rows};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        return 97;
    }
    say((uint8_t)sandbox_enter(JOB_FD, CPU_SECONDS));
    _exit(0); /* a sanitizer's own farewell needs what is denied now */
}

static int list(void)
{
    for (size_t i = 0; i < CALL_COUNT; i++) {
        puts(calls[i].name);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "list") == 0) {
        return list();
    }
    if (argc == 3 && strcmp(argv[1], "deny") == 0) {
        return deny(strtol(argv[2], NULL, 10));
    }
    const char *name = argc == 3 ? argv[2] : "";
    const unsigned cpu_seconds = strcmp(name, "processor") == 0 ? 1 : CPU_SECONDS;
    uint8_t walls = SANDBOX_ALL;
    if (argc >= 2 && strcmp(argv[1], "free") != 0) {
        walls = (uint8_t)sandbox_enter(JOB_FD, cpu_seconds);
    }
    say(walls);
    if (argc == 2) {
        uint8_t byte;
        (void)!read(JOB_FD, &byte, 1);
    } else {
        try(name);
    }
    _exit(0);
}
