/* sandbox.h - the cage a worker stands in before it sees the first byte of a picture.
 *
 * Why:       a decoder that is taken over by a picture must not be able to do anything but give a
 *            wrong answer about that picture: no file, no network, no process, no new memory, no
 *            look at another process, no core file.
 * Ownership: the process as a whole, for the rest of its life.
 * Threads:   the process must have one only.
 * Errors:    a wall that cannot be built is missing from the result; the caller decides. Nothing
 *            allows a caged process to get out again.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include <stdbool.h>

/* The walls. */
#define SANDBOX_NO_NEW_PRIVS 0x01u /* no exec gives rights */
#define SANDBOX_UNDUMPABLE                                                                     \
    0x02u                      /* no core file (not even through a pipe), no ptrace by its uid \
                                */
#define SANDBOX_MORTAL   0x04u /* dies with the thread that started it */
#define SANDBOX_CLOSED   0x08u /* no open descriptor but the socket */
#define SANDBOX_LIMITED  0x10u /* no core, file, descriptor or process more; bounded CPU time */
#define SANDBOX_LANDLOCK 0x20u /* the kernel denies all of the file system and TCP */
#define SANDBOX_SECCOMP  0x40u /* five system calls, on the socket and on memory it has */
#define SANDBOX_ALL      0x7fu

/* Without these a worker has no cage. Landlock came with Linux 5.13 and may be off; seccomp, which
 * denies more, is there wherever systemd is. Builds with sanitizers need system calls that no cage
 * allows: there seccomp is not compiled in, and the pool says so when it starts. */
#ifdef IMPRINT_SANITIZED
#define SANDBOX_REQUIRED (SANDBOX_ALL & ~(SANDBOX_LANDLOCK | SANDBOX_SECCOMP))
#else
#define SANDBOX_REQUIRED (SANDBOX_ALL & ~SANDBOX_LANDLOCK)
#endif

/* Closes the process in, leaving it read and write on fd, MADV_DONTNEED and exit; any other system
 * call kills it with SIGSYS. cpu_seconds bounds the processor time of its whole life. Returns the
 * walls that stand. */
unsigned sandbox_enter(int fd, unsigned cpu_seconds);

/* The name of the first missing wall, for the log: "seccomp"; "none" where all stand. */
const char *sandbox_missing(unsigned walls);

#endif
