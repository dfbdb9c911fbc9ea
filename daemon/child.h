/* child.h - one worker process, seen from outside.
 *
 * Why:       everything about a worker that the pool's policy (how many, when replaced) need not
 *            know: how it is started with nothing inherited, how a picture is handed over and an
 *            answer awaited under one deadline, and how it is ended and its end understood.
 * Ownership: child_start fills the caller's struct; child_stop must follow, whatever happened.
 * Threads:   one child by one thread, and by the thread that started it: the kernel kills a worker
 *            when that thread ends. Different children are independent.
 */
#ifndef DAEMON_CHILD_H
#define DAEMON_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "imprint/error.h"

#include "wire.h"

struct child_options {
    const char *path;         /* of the executable */
    bool is_sandbox_required; /* a worker whose cage is not whole ends instead of starting */
    unsigned cpu_seconds;     /* of processor time in all its life */
    unsigned start_timeout_ms;
};

struct child {
    pid_t pid;
    int fd;         /* our end of the job socket */
    unsigned walls; /* SANDBOX_*: what stands around it */
};

/* What a worker turned out to be. */
enum child_verdict {
    CHILD_FINE,     /* it answered, or waits */
    CHILD_DIED,     /* it hung up */
    CHILD_LATE,     /* it did not take the picture, or not answer, in time */
    CHILD_NONSENSE, /* what it said does not verify, or it spoke unasked */
};

/* How a process ended. */
struct child_end {
    bool is_violation; /* killed by its own cage: it tried what no decoder needs */
    char text[64];     /* for the log: "exited with status 3", "killed by signal 11" */
};

/* Starts a worker and waits until it stands in its cage. IMPRINT_E_SANDBOX if it could not build
 * one, IMPRINT_E_IO for anything else; out_end then says how it ended. */
IMPRINT_MUST_USE enum imprint_error child_start(const struct child_options *options,
                                                struct child *out_child, struct child_end *out_end);

/* Whether an idle worker still listens and has nothing to say. */
enum child_verdict child_check_idle(const struct child *child);

/* Hands one picture over and waits for the answer. timeout_ms bounds the handing over, then the
 * processor time spent on the picture; LIMIT_DECODE_WALL_FACTOR times as long by the clock. After
 * anything but CHILD_FINE the worker is of no more use. */
enum child_verdict child_ask(const struct child *child, const struct wire_job *job,
                             const void *bytes, unsigned timeout_ms,
                             struct wire_answer *out_answer);

/* Ends the worker and waits for its end. A polite stop gives an idle one a moment to leave by
 * itself; one that died is only collected. */
void child_stop(struct child *child, bool is_polite, struct child_end *out_end);

/* Milliseconds of the monotonic clock. */
uint64_t child_now_ms(void);

#endif
