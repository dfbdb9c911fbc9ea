/* pool.h - worker processes that decode and hash, at a distance.
 *
 * Why:       a picture is hostile bytes. A job costs at most one worker: a worker that dies, hangs
 *            or answers nonsense is killed and replaced, and only its own job fails. Every field of
 *            an answer is checked before anyone sees it.
 * Ownership: a job's bytes stay the submitter's until done is called.
 * Threads:   submit from any; done is called on a thread of the pool and must not block.
 * Errors:    IMPRINT_E_BUSY when the queue is full, IMPRINT_E_SHUTTING_DOWN after pool_drain,
 *            IMPRINT_E_PARAMETER_INVALID for an option or job that cannot be meant. A job's answer
 *            carries IMPRINT_E_IMAGE_*, IMPRINT_E_DECODER_*, or IMPRINT_E_BUSY if it waited too
 *            long for a worker.
 *
 * A worker is kept after a picture that decoded whole, and after one that was refused before its
 * decoder saw more than a header (IMAGE_EMPTY, _UNKNOWN, _TOO_LARGE). Any other answer may be the
 * trace of a decoder that was led astray: the worker is replaced, off the path of the answer. Since
 * a worker may be lost on one picture by the doing of the one before, a job that loses a worker
 * which had seen other pictures is tried once more, on a fresh one; then it is the picture's own
 * doing.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/pdq.h"

struct pool;

struct pool_options {
    const char *worker_path;    /* the imprint-worker executable */
    unsigned workers;           /* processes; 0: one a core */
    unsigned queue_max;         /* jobs waiting */
    unsigned decode_timeout_ms; /* a worker's processor time; LIMIT_DECODE_WALL_FACTOR times by the
                                   clock */
    struct imprint_limits limits;
    bool is_sandbox_required; /* false: a worker without a cage is better than none (config says) */
    unsigned worker_pictures; /* a worker is replaced after so many; 0: LIMIT_WORKER_PICTURES,
                                 1: a fresh worker for every picture */
};

/* What a worker found. error says how far it came; the other fields are meaningful at IMPRINT_OK
 * only. view_count 0: unhashable (too small or too flat). views[0] is the upright one. */
struct pool_answer {
    enum imprint_error error;
    struct imprint_image_info info;
    uint8_t quality; /* of the upright view, also when it is unhashable */
    size_t view_count;
    struct imprint_view views[IMPRINT_VIEWS_MAX];
};

typedef void pool_done_fn(void *ctx, const struct pool_answer *answer);

struct pool_job {
    const void *bytes;
    size_t len;
    unsigned views; /* IMPRINT_VIEWS_* */
    enum imprint_policy policy;
    pool_done_fn *done; /* called exactly once for each job that was taken */
    void *ctx;
};

/* Starts the workers and waits until each stands in its cage. IMPRINT_E_SANDBOX if one cannot,
 * IMPRINT_E_IO if one does not start, IMPRINT_E_NOMEM; the log says why. */
IMPRINT_MUST_USE enum imprint_error pool_open(const struct pool_options *options,
                                              struct pool **out_pool);

IMPRINT_MUST_USE enum imprint_error pool_submit(struct pool *pool, const struct pool_job *job);

/* Takes no more jobs, and returns when those it has are answered. */
void pool_drain(struct pool *pool);

/* Drains, then ends the workers. NULL is allowed. */
void pool_close(struct pool *pool);

struct pool_stats {
    unsigned workers;    /* alive */
    unsigned queued;     /* jobs waiting now */
    uint64_t jobs;       /* answered, whatever the answer */
    uint64_t restarts;   /* workers replaced for any reason */
    uint64_t deaths;     /* ended by themselves: crash, exit */
    uint64_t timeouts;   /* killed at the deadline */
    uint64_t violations; /* killed by their own cage (SIGSYS): somebody is trying */
    uint64_t nonsense;   /* killed for an answer that does not verify */
};
void pool_stats(const struct pool *pool, struct pool_stats *out_stats);

#endif
