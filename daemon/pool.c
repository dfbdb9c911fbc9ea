#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "child.h"
#include "limits.h"
#include "log.h"
#include "sandbox.h"
#include "wire.h"

/* A job in the queue. */
struct ticket {
    struct pool_job job;
    uint64_t since_ms;
};

/* One thread and the worker it minds; only that thread touches it. */
struct slot {
    struct pool *pool;
    pthread_t thread;
    struct child child;
    bool has_child;
    bool has_reported; /* its first start, to pool_open */
    unsigned pictures; /* this worker's */
    uint64_t busy_ms;  /* this worker's */
    unsigned losses;   /* in a row, without an answer between */
    uint64_t retry_at_ms;
};

struct pool {
    struct pool_options options;
    char *worker_path;
    struct child_options child_options;
    pthread_mutex_t mutex;
    pthread_mutex_t *lock;  /* the same, for pool_stats, which changes nothing else */
    pthread_cond_t work;    /* slots with a worker wait for jobs */
    pthread_cond_t retry;   /* slots without one wait for their next attempt */
    pthread_cond_t settled; /* pool_open and pool_drain wait for the slots */
    struct ticket *queue;   /* a ring of options.queue_max */
    size_t queue_first;
    size_t queue_count;
    unsigned busy;     /* jobs taken from the queue and not finished */
    unsigned starting; /* slots that have not reported */
    enum imprint_error start_error;
    unsigned walls; /* that stand around all workers first started */
    bool is_draining;
    bool is_closing;
    struct pool_stats stats;
    size_t slot_count;
    struct slot slots[];
};

/* Why a worker is given up. */
enum loss {
    LOSS_RETIRED,  /* it has done its part; not a failure */
    LOSS_DIED,     /* on a picture */
    LOSS_LATE,     /* on a picture */
    LOSS_NONSENSE, /* on a picture, or talking out of turn */
};

/* --- Workers come and go --------------------------------------------------------------------- */

static void schedule_retry(struct slot *slot, unsigned pause_max_ms)
{
    slot->losses++;
    uint64_t pause_ms = 0;
    if (slot->losses > LIMIT_RESTARTS_AT_ONCE) {
        const unsigned doublings = slot->losses - LIMIT_RESTARTS_AT_ONCE - 1;
        pause_ms = doublings < 16 ? (uint64_t)LIMIT_RESTART_PAUSE_MIN_MS << doublings : UINT64_MAX;
        pause_ms = pause_ms < pause_max_ms ? pause_ms : pause_max_ms;
    }
    slot->retry_at_ms = child_now_ms() + pause_ms;
}

static void start_worker(struct slot *slot)
{
    struct pool *pool = slot->pool;
    struct child_end end;
    const enum imprint_error error = child_start(&pool->child_options, &slot->child, &end);
    slot->has_child = error == IMPRINT_OK;
    slot->pictures = 0;
    slot->busy_ms = 0;
    if (!slot->has_child) {
        log_error("pool: worker not started: %s: %s", imprint_error_name(error), end.text);
        /* Trying again at once would only repeat it. */
        slot->losses =
            slot->losses > LIMIT_RESTARTS_AT_ONCE ? slot->losses : LIMIT_RESTARTS_AT_ONCE;
        schedule_retry(slot, LIMIT_RESTART_PAUSE_START_MAX_MS);
    }
    pthread_mutex_lock(pool->lock);
    pool->stats.workers += slot->has_child ? 1 : 0;
    if (!slot->has_reported) {
        slot->has_reported = true;
        pool->starting--;
        pool->walls &= slot->has_child ? slot->child.walls : SANDBOX_ALL;
        pool->start_error = pool->start_error == IMPRINT_OK ? error : pool->start_error;
        pthread_cond_broadcast(&pool->settled);
    }
    pthread_mutex_unlock(pool->lock);
}

static void log_loss(enum loss loss, pid_t pid, const struct child_end *end)
{
    switch (loss) {
    case LOSS_RETIRED: log_debug("pool: worker replaced: retired (%d)", (int)pid); return;
    case LOSS_LATE: log_warning("pool: worker replaced: no answer in time (%d)", (int)pid); return;
    case LOSS_NONSENSE:
        log_error("pool: worker replaced: its answer does not verify (%d)", (int)pid);
        return;
    case LOSS_DIED: break;
    }
    if (end->is_violation) {
        log_error("pool: worker replaced: it tried to break out of its cage (%d)", (int)pid);
    } else {
        log_warning("pool: worker replaced: %s (%d)", end->text, (int)pid);
    }
}

/* Ends the worker. The next one is started by the slot's loop. */
static void lose_worker(struct slot *slot, enum loss loss)
{
    struct pool *pool = slot->pool;
    const pid_t pid = slot->child.pid;
    struct child_end end;
    child_stop(&slot->child, loss == LOSS_RETIRED || loss == LOSS_DIED, &end);
    slot->has_child = false;
    slot->retry_at_ms = 0;
    if (loss != LOSS_RETIRED) {
        schedule_retry(slot, LIMIT_RESTART_PAUSE_LOST_MAX_MS);
    }
    log_loss(loss, pid, &end);
    pthread_mutex_lock(pool->lock);
    pool->stats.workers--;
    pool->stats.restarts++;
    pool->stats.timeouts += loss == LOSS_LATE ? 1 : 0;
    pool->stats.nonsense += loss == LOSS_NONSENSE ? 1 : 0;
    pool->stats.violations += loss == LOSS_DIED && end.is_violation ? 1 : 0;
    pool->stats.deaths += loss == LOSS_DIED && !end.is_violation ? 1 : 0;
    pthread_mutex_unlock(pool->lock);
}

/* --- One job --------------------------------------------------------------------------------- */

static void finish_job(struct pool *pool, const struct pool_job *job,
                       const struct pool_answer *answer)
{
    pthread_mutex_lock(pool->lock);
    pool->stats.jobs++;
    pthread_mutex_unlock(pool->lock);
    job->done(job->ctx, answer);
    pthread_mutex_lock(pool->lock);
    pool->busy--;
    if (pool->busy == 0 && pool->queue_count == 0) {
        pthread_cond_broadcast(&pool->settled);
    }
    pthread_mutex_unlock(pool->lock);
}

static void finish_job_with(struct pool *pool, const struct pool_job *job, enum imprint_error error)
{
    const struct pool_answer answer = {.error = error};
    finish_job(pool, job, &answer);
}

/* What can be said without a worker. */
static enum imprint_error check_size(const struct pool *pool, const struct pool_job *job)
{
    const size_t bytes_max = pool->options.limits.bytes_max;
    if (job->len == 0) {
        return IMPRINT_E_IMAGE_EMPTY;
    }
    if (job->len > WIRE_IMAGE_BYTES_MAX || (bytes_max != 0 && job->len > bytes_max)) {
        return IMPRINT_E_IMAGE_TOO_LARGE;
    }
    return IMPRINT_OK;
}

/* See pool.h: which answers leave no doubt about the decoder. */
static bool is_plainly_fine(const struct wire_answer *answer)
{
    return (answer->error == IMPRINT_OK && !answer->info.is_truncated) ||
           answer->error == IMPRINT_E_IMAGE_EMPTY || answer->error == IMPRINT_E_IMAGE_UNKNOWN ||
           answer->error == IMPRINT_E_IMAGE_TOO_LARGE;
}

static bool is_worn(const struct slot *slot)
{
    return slot->pictures >= slot->pool->options.worker_pictures ||
           slot->busy_ms >= LIMIT_WORKER_BUSY_MS;
}

static void copy_answer(const struct wire_answer *from, struct pool_answer *out_answer)
{
    out_answer->error = from->error;
    out_answer->info = from->info;
    out_answer->quality = from->quality;
    out_answer->view_count = from->view_count;
    memcpy(out_answer->views, from->views, from->view_count * sizeof from->views[0]);
}

static enum loss loss_of(enum child_verdict verdict)
{
    switch (verdict) {
    case CHILD_DIED: return LOSS_DIED;
    case CHILD_LATE: return LOSS_LATE;
    case CHILD_NONSENSE: return LOSS_NONSENSE;
    case CHILD_FINE: break;
    }
    return LOSS_RETIRED;
}

static enum child_verdict ask_worker(struct slot *slot, const struct pool_job *job,
                                     struct wire_answer *out_found)
{
    const struct pool_options *options = &slot->pool->options;
    struct wire_job wire = {
        .len = job->len, .views = job->views, .policy = job->policy, .limits = options->limits};
    const ssize_t drawn = getrandom(&wire.nonce, sizeof wire.nonce, 0);
    assert(drawn == (ssize_t)sizeof wire.nonce); /* so few bytes come whole, at once */
    const uint64_t start_ms = child_now_ms();
    const enum child_verdict verdict =
        child_ask(&slot->child, &wire, job->bytes, options->decode_timeout_ms, out_found);
    slot->busy_ms += child_now_ms() - start_ms;
    slot->pictures++;
    return verdict;
}

/* A worker that is answered for is replaced after its job is finished, a lost one is counted
 * before: whoever got the answer sees the count. */
static void finish_answered(struct slot *slot, const struct pool_job *job,
                            const struct wire_answer *found)
{
    slot->losses = 0;
    struct pool_answer answer = {.error = IMPRINT_E_INTERNAL};
    copy_answer(found, &answer);
    finish_job(slot->pool, job, &answer);
    if (!is_plainly_fine(found) || is_worn(slot)) {
        lose_worker(slot, LOSS_RETIRED);
    }
}

/* A worker that is lost on this picture may have been led astray by an earlier one. That must not
 * cost this job, so it gets a second worker, once, which has seen no other picture. A late one gets
 * none: its time is over. */
static void serve_job(struct slot *slot, const struct pool_job *job)
{
    struct pool *pool = slot->pool;
    bool is_other_suspect = true;
    while (slot->has_child && is_other_suspect) {
        struct wire_answer found = {.error = IMPRINT_E_INTERNAL};
        const enum child_verdict verdict = ask_worker(slot, job, &found);
        if (verdict == CHILD_FINE) {
            finish_answered(slot, job, &found);
            return;
        }
        is_other_suspect = slot->pictures > 1 && verdict != CHILD_LATE;
        lose_worker(slot, loss_of(verdict));
        if (!is_other_suspect) {
            finish_job_with(pool, job,
                            verdict == CHILD_LATE ? IMPRINT_E_DECODER_TIMEOUT
                                                  : IMPRINT_E_DECODER_DIED);
            return;
        }
        start_worker(slot);
    }
    finish_job_with(pool, job, IMPRINT_E_BUSY);
}

static void serve_ticket(struct slot *slot, const struct ticket *ticket)
{
    struct pool *pool = slot->pool;
    enum imprint_error error = check_size(pool, &ticket->job);
    if (child_now_ms() - ticket->since_ms > LIMIT_QUEUE_WAIT_MS) {
        error = IMPRINT_E_BUSY;
    }
    if (error != IMPRINT_OK) {
        finish_job_with(pool, &ticket->job, error);
        return;
    }
    /* One that died or spoke while idle costs nobody's picture. */
    const enum child_verdict idle = child_check_idle(&slot->child);
    if (idle != CHILD_FINE) {
        lose_worker(slot, loss_of(idle));
        start_worker(slot);
    }
    serve_job(slot, &ticket->job);
}

/* --- Queue and threads ----------------------------------------------------------------------- */

/* Under the lock. */
static bool take_ticket(struct pool *pool, struct ticket *out_ticket)
{
    if (pool->queue_count == 0) {
        return false;
    }
    *out_ticket = pool->queue[pool->queue_first];
    pool->queue_first = (pool->queue_first + 1) % pool->options.queue_max;
    pool->queue_count--;
    pool->busy++;
    return true;
}

/* False when the pool closes. */
static bool wait_for_ticket(struct slot *slot, struct ticket *out_ticket)
{
    struct pool *pool = slot->pool;
    pthread_mutex_lock(pool->lock);
    bool has_ticket = take_ticket(pool, out_ticket);
    while (!has_ticket && !pool->is_closing) {
        pthread_cond_wait(&pool->work, pool->lock);
        has_ticket = take_ticket(pool, out_ticket);
    }
    pthread_mutex_unlock(pool->lock);
    return has_ticket;
}

/* Answers jobs nobody came for while workers do not start. */
static void expire_tickets(struct pool *pool)
{
    for (;;) {
        struct ticket ticket;
        pthread_mutex_lock(pool->lock);
        const bool is_old =
            pool->queue_count > 0 &&
            child_now_ms() - pool->queue[pool->queue_first].since_ms > LIMIT_QUEUE_WAIT_MS &&
            take_ticket(pool, &ticket);
        pthread_mutex_unlock(pool->lock);
        if (!is_old) {
            return;
        }
        finish_job_with(pool, &ticket.job, IMPRINT_E_BUSY);
    }
}

/* False when the pool closes. */
static bool wait_for_retry(struct slot *slot)
{
    struct pool *pool = slot->pool;
    const struct timespec until = {(time_t)(slot->retry_at_ms / 1000),
                                   (long)(slot->retry_at_ms % 1000) * 1000000};
    pthread_mutex_lock(pool->lock);
    int result = 0;
    while (!pool->is_closing && result != ETIMEDOUT && child_now_ms() < slot->retry_at_ms) {
        result = pthread_cond_timedwait(&pool->retry, pool->lock, &until);
    }
    const bool is_open = !pool->is_closing;
    pthread_mutex_unlock(pool->lock);
    return is_open;
}

static void *run_slot(void *ctx)
{
    struct slot *slot = ctx;
    bool is_open = true;
    while (is_open) {
        struct ticket ticket;
        if (!slot->has_child) {
            start_worker(slot);
        }
        if (slot->has_child) {
            is_open = wait_for_ticket(slot, &ticket);
            if (is_open) {
                serve_ticket(slot, &ticket);
            }
        } else {
            expire_tickets(slot->pool);
        }
        if (!slot->has_child) {
            is_open = wait_for_retry(slot);
        }
    }
    if (slot->has_child) {
        struct child_end end;
        child_stop(&slot->child, true, &end);
    }
    return NULL;
}

/* --- Open and close -------------------------------------------------------------------------- */

static unsigned count_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    const unsigned cores = (unsigned)CPU_COUNT(&set);
    return cores < LIMIT_WORKERS_MAX ? cores : LIMIT_WORKERS_MAX;
}

static bool are_options_meant(const struct pool_options *options)
{
    return options->worker_path != NULL && options->workers <= LIMIT_WORKERS_MAX &&
           options->queue_max > 0 && options->decode_timeout_ms > 0 &&
           options->decode_timeout_ms <= LIMIT_DECODE_TIMEOUT_MS_MAX;
}

static void init_waiting(struct pool *pool)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->retry, &monotonic);
    pthread_cond_init(&pool->settled, NULL);
    pthread_condattr_destroy(&monotonic);
    pool->lock = &pool->mutex;
}

static void free_pool(struct pool *pool)
{
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->retry);
    pthread_cond_destroy(&pool->settled);
    pthread_mutex_destroy(&pool->mutex);
    free(pool->queue);
    free(pool->worker_path);
    free(pool);
}

/* A pool without threads. */
static struct pool *make_pool(const struct pool_options *options)
{
    const unsigned workers = options->workers != 0 ? options->workers : count_cores();
    struct pool *pool = calloc(1, sizeof *pool + workers * sizeof pool->slots[0]);
    if (pool == NULL) {
        return NULL;
    }
    init_waiting(pool);
    pool->options = *options;
    pool->options.workers = workers;
    if (options->worker_pictures == 0) {
        pool->options.worker_pictures = LIMIT_WORKER_PICTURES;
    }
    pool->worker_path = strdup(options->worker_path);
    pool->queue = calloc(options->queue_max, sizeof *pool->queue);
    pool->walls = SANDBOX_ALL;
    pool->child_options = (struct child_options){
        .path = pool->worker_path,
        .is_sandbox_required = options->is_sandbox_required,
        .cpu_seconds = (LIMIT_WORKER_BUSY_MS + options->decode_timeout_ms) / 1000 + 2,
        .start_timeout_ms = LIMIT_WORKER_START_TIMEOUT_MS};
    if (pool->worker_path == NULL || pool->queue == NULL) {
        free_pool(pool);
        return NULL;
    }
    return pool;
}

/* Threads are started in full or as many as there can be; starting counts those. */
static enum imprint_error start_slots(struct pool *pool)
{
    enum imprint_error error = IMPRINT_OK;
    pthread_mutex_lock(pool->lock);
    for (size_t i = 0; i < pool->options.workers && error == IMPRINT_OK; i++) {
        struct slot *slot = &pool->slots[i];
        slot->pool = pool;
        if (pthread_create(&slot->thread, NULL, run_slot, slot) == 0) {
            pool->slot_count++;
            pool->starting++;
        } else {
            error = IMPRINT_E_NOMEM;
        }
    }
    while (pool->starting > 0) {
        pthread_cond_wait(&pool->settled, pool->lock);
    }
    error = error == IMPRINT_OK ? pool->start_error : error;
    pthread_mutex_unlock(pool->lock);
    return error;
}

static void log_start(const struct pool *pool)
{
    log_notice("pool: started: %zu workers", pool->slot_count);
#ifdef IMPRINT_SANITIZED
    log_warning("pool: built with sanitizers: workers have neither arena nor seccomp");
#endif
    const unsigned missing = SANDBOX_ALL & ~pool->walls;
    if ((missing & SANDBOX_REQUIRED) != 0) {
        log_warning("pool: workers run without a whole cage, as configured: no %s here",
                    sandbox_missing(pool->walls));
    } else if ((missing & SANDBOX_LANDLOCK) != 0) {
        log_notice("pool: this kernel has no Landlock; the other walls stand");
    }
}

enum imprint_error pool_open(const struct pool_options *options, struct pool **out_pool)
{
    if (!are_options_meant(options)) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    struct pool *pool = make_pool(options);
    if (pool == NULL) {
        return IMPRINT_E_NOMEM;
    }
    const enum imprint_error error = start_slots(pool);
    if (error != IMPRINT_OK) {
        pool_close(pool);
        return error;
    }
    log_start(pool);
    *out_pool = pool;
    return IMPRINT_OK;
}

enum imprint_error pool_submit(struct pool *pool, const struct pool_job *job)
{
    if (job->done == NULL || (job->bytes == NULL && job->len != 0) ||
        (job->views & ~IMPRINT_VIEWS_ALL) != 0 || (unsigned)job->policy > IMPRINT_POLICY_FAST) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    enum imprint_error error = IMPRINT_OK;
    pthread_mutex_lock(pool->lock);
    if (pool->is_draining) {
        error = IMPRINT_E_SHUTTING_DOWN;
    } else if (pool->queue_count == pool->options.queue_max) {
        error = IMPRINT_E_BUSY;
    } else {
        const size_t last = (pool->queue_first + pool->queue_count) % pool->options.queue_max;
        pool->queue[last] = (struct ticket){*job, child_now_ms()};
        pool->queue_count++;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(pool->lock);
    return error;
}

void pool_drain(struct pool *pool)
{
    pthread_mutex_lock(pool->lock);
    pool->is_draining = true;
    while (pool->queue_count > 0 || pool->busy > 0) {
        pthread_cond_wait(&pool->settled, pool->lock);
    }
    pthread_mutex_unlock(pool->lock);
}

void pool_close(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pool_drain(pool);
    pthread_mutex_lock(pool->lock);
    pool->is_closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_cond_broadcast(&pool->retry);
    pthread_mutex_unlock(pool->lock);
    for (size_t i = 0; i < pool->slot_count; i++) {
        pthread_join(pool->slots[i].thread, NULL);
    }
    free_pool(pool);
}

void pool_stats(const struct pool *pool, struct pool_stats *out_stats)
{
    pthread_mutex_lock(pool->lock);
    *out_stats = pool->stats;
    out_stats->queued = (unsigned)pool->queue_count;
    pthread_mutex_unlock(pool->lock);
}
