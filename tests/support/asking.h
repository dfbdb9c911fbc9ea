/* asking.h - one job at a time through a pool, for tests and benchmarks.
 *
 * Threads: one asker at a time.
 */
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#include <stddef.h>
#include <sys/types.h>

#include "pool.h"

/* Submits and waits. A job that is not taken gives its error. */
struct pool_answer ask_pool(struct pool *pool, const void *bytes, size_t len, unsigned views);

/* A pool of that many caged workers with default limits, a deadline of 2 s and room for 64 jobs.
 * NULL where it does not open. */
struct pool *ask_open_pool(const char *worker_path, unsigned workers, unsigned worker_pictures);

/* The only child process of this one; 0 where there is none or more than one. */
pid_t ask_worker_pid(void);

#endif
