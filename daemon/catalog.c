/* The catalog as a whole: opening and closing, its threads, its clock. */
#include "catalog.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "catalog_internal.h"
#include "log.h"

/* Seconds between two looks for readers that died. */
#define READERS_CHECK_S 60
/* Timed entries handled in one go. */
#define SWEEP_PAGE 256
/* A clock that jumps further than this is worth a line. */
#define CLOCK_JUMP_S 86400

static int64_t system_now(void *ctx)
{
    (void)ctx;
    return (int64_t)time(NULL);
}

/* --- Time --------------------------------------------------------------------------------------
 */

bool catalog_is_matchable(const struct record_entry *entry, int64_t now)
{
    return entry->disabled_until <= now && (entry->expires == 0 || now < entry->expires);
}

/* The edits that lead from one time to another, for the entries with a time in between. One with
 * both its times in between comes by twice and is matchable at neither end, so nothing is done
 * twice.
 */
static enum imprint_error sweep_page(struct catalog *catalog, struct store_txn *txn,
                                     const struct store_time *times, size_t count, int64_t now,
                                     struct catalog_work *work)
{
    enum imprint_error error = catalog_edit_room(work, count);
    for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
        struct store_entry entry;
        error = store_entry_get(txn, times[i].entry, &entry);
        if (error != IMPRINT_OK) {
            break;
        }
        bool was = catalog_is_matchable(&entry.record, catalog->swept);
        bool is = catalog_is_matchable(&entry.record, now);
        if (was != is) {
            catalog_edit(work, is, &entry.record);
        }
    }
    return error;
}

static enum imprint_error sweep_collect(struct catalog *catalog, struct store_txn *txn, int64_t low,
                                        int64_t high, int64_t now, struct catalog_work *work)
{
    struct store_time times[SWEEP_PAGE];
    struct store_time after = {low, UINT64_MAX - 1};
    size_t count;
    do {
        enum imprint_error error = store_times(txn, after, high, times, SWEEP_PAGE, &count);
        if (error == IMPRINT_OK) {
            error = sweep_page(catalog, txn, times, count, now, work);
        }
        if (error != IMPRINT_OK) {
            return error;
        }
        if (count > 0) {
            after = times[count - 1];
        }
    } while (count == SWEEP_PAGE);
    return IMPRINT_OK;
}

/* With the writer lock. */
static enum imprint_error sweep(struct catalog *catalog, int64_t now)
{
    int64_t low = now < catalog->swept ? now : catalog->swept;
    int64_t high = now < catalog->swept ? catalog->swept : now;
    if (high - low > CLOCK_JUMP_S) {
        log_warning("catalog: the clock jumped by %" PRId64 " s", now - catalog->swept);
    }
    struct catalog_work work = {0};
    struct store_txn *txn = NULL;
    enum imprint_error error = store_begin_read(catalog->store, &txn);
    if (error == IMPRINT_OK) {
        error = sweep_collect(catalog, txn, low, high, now, &work);
        store_abort(txn);
    }
    catalog->batch_adds = 0;
    if (error == IMPRINT_OK) {
        error = catalog_reserve_adds(catalog, work.edit_count);
    }
    if (error == IMPRINT_OK) {
        catalog_edits_publish(catalog, catalog->table, &work);
        catalog->swept = now;
    }
    free(work.edits);
    return error;
}

enum imprint_error catalog_tick(struct catalog *catalog)
{
    enum imprint_error error = catalog_ready(catalog);
    if (error != IMPRINT_OK) {
        return error;
    }
    pthread_mutex_lock(&catalog->writer);
    int64_t now = catalog->now(catalog->now_ctx);
    now = now > 0 ? now : 0;
    if (now != catalog->swept) {
        error = sweep(catalog, now);
    }
    pthread_mutex_unlock(&catalog->writer);
    catalog_consider_merge(catalog);
    return error;
}

/* --- Threads -----------------------------------------------------------------------------------
 */

static struct timespec in_a_second(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec++;
    return at;
}

static void keep(struct catalog *catalog, unsigned seconds)
{
    if (atomic_load(&catalog->phase) != CATALOG_READY) {
        return;
    }
    enum imprint_error error = catalog->has_own_clock ? IMPRINT_OK : catalog_tick(catalog);
    if (error != IMPRINT_OK) {
        log_error("catalog: entries could not be enabled or expire: %s", imprint_error_text(error));
    }
    if (seconds % READERS_CHECK_S == 0) {
        store_clear_readers(catalog->store);
    }
}

static void *keeper_thread(void *ctx)
{
    struct catalog *catalog = ctx;
    unsigned seconds = 0;
    pthread_mutex_lock(&catalog->threads_lock);
    while (!catalog->is_closing) {
        struct timespec at = in_a_second();
        int code = 0;
        while (!catalog->is_closing && code != ETIMEDOUT) {
            code = pthread_cond_timedwait(&catalog->threads_wake, &catalog->threads_lock, &at);
        }
        if (catalog->is_closing) {
            break;
        }
        pthread_mutex_unlock(&catalog->threads_lock);
        keep(catalog, ++seconds);
        pthread_mutex_lock(&catalog->threads_lock);
    }
    pthread_mutex_unlock(&catalog->threads_lock);
    return NULL;
}

static void *merger_thread(void *ctx)
{
    struct catalog *catalog = ctx;
    pthread_mutex_lock(&catalog->threads_lock);
    while (!catalog->is_closing) {
        if (!catalog->wants_merge) {
            pthread_cond_wait(&catalog->threads_wake, &catalog->threads_lock);
            continue;
        }
        catalog->wants_merge = false;
        pthread_mutex_unlock(&catalog->threads_lock);
        enum imprint_error error = index_merge(catalog->index);
        if (error == IMPRINT_OK) {
            atomic_fetch_add(&catalog->merges, 1);
        } else {
            log_warning("catalog: merge failed, searches go on slower: %s",
                        imprint_error_text(error));
        }
        pthread_mutex_lock(&catalog->threads_lock);
    }
    pthread_mutex_unlock(&catalog->threads_lock);
    return NULL;
}

void catalog_consider_merge(struct catalog *catalog)
{
    if (!index_wants_merge(catalog->index)) {
        return;
    }
    pthread_mutex_lock(&catalog->threads_lock);
    catalog->wants_merge = true;
    pthread_cond_broadcast(&catalog->threads_wake);
    pthread_mutex_unlock(&catalog->threads_lock);
}

static enum imprint_error threads_start(struct catalog *catalog)
{
    void *(*const bodies[])(void *) = {catalog_load_thread, keeper_thread, merger_thread};
    pthread_t *const threads[] = {&catalog->loader, &catalog->keeper, &catalog->merger};
    for (unsigned i = 0; i < 3; i++) {
        if (pthread_create(threads[i], NULL, bodies[i], catalog) != 0) {
            return IMPRINT_E_NOMEM;
        }
        catalog->thread_count++;
    }
    return IMPRINT_OK;
}

static void threads_stop(struct catalog *catalog)
{
    atomic_store(&catalog->load->is_cancelled, true);
    pthread_mutex_lock(&catalog->threads_lock);
    catalog->is_closing = true;
    pthread_cond_broadcast(&catalog->threads_wake);
    pthread_mutex_unlock(&catalog->threads_lock);
    pthread_t *const threads[] = {&catalog->loader, &catalog->keeper, &catalog->merger};
    for (unsigned i = 0; i < 3 && i < catalog->thread_count; i++) {
        pthread_join(*threads[i], NULL);
    }
}

/* --- Opening and closing ------------------------------------------------------------------------
 */

static void locks_init(struct catalog *catalog)
{
    pthread_mutex_t *const locks[] = {&catalog->phase_lock, &catalog->queue_lock, &catalog->writer,
                                      &catalog->table_lock, &catalog->threads_lock};
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        pthread_mutex_init(locks[i], NULL);
    }
    pthread_cond_init(&catalog->phase_changed, NULL);
    pthread_cond_init(&catalog->queue_changed, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&catalog->threads_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void catalog_free(struct catalog *catalog)
{
    index_free(catalog->index);
    store_close(catalog->store);
    catalog_table_free(catalog->table);
    catalog_table_free(catalog->spare);
    if (catalog->load != NULL) {
        munmap(catalog->load, sizeof *catalog->load);
    }
    free(catalog->matches);
    free(catalog->shadow_hits);
    pthread_mutex_t *const locks[] = {&catalog->phase_lock, &catalog->queue_lock, &catalog->writer,
                                      &catalog->table_lock, &catalog->threads_lock};
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        pthread_mutex_destroy(locks[i]);
    }
    pthread_cond_destroy(&catalog->phase_changed);
    pthread_cond_destroy(&catalog->queue_changed);
    pthread_cond_destroy(&catalog->threads_wake);
    free(catalog);
}

static enum imprint_error memory_take(struct catalog *catalog)
{
    void *load = mmap(NULL, sizeof *catalog->load, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    catalog->load = load == MAP_FAILED ? NULL : load;
    catalog->table = catalog_table_new(0);
    catalog->matches = calloc(CATALOG_SLOTS_MAX + 1, sizeof *catalog->matches);
    catalog->shadow_hits = calloc(CATALOG_SLOTS_MAX + 1, sizeof *catalog->shadow_hits);
    if (catalog->load == NULL || catalog->table == NULL || catalog->matches == NULL ||
        catalog->shadow_hits == NULL) {
        return IMPRINT_E_NOMEM;
    }
    catalog->table->refs = 1;
    return index_new(&catalog->index);
}

enum imprint_error catalog_open(const struct catalog_options *options, struct catalog **out_catalog)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (catalog == NULL) {
        return IMPRINT_E_NOMEM;
    }
    locks_init(catalog);
    catalog->queue_tail = &catalog->queue_head;
    catalog->has_own_clock = options->now != NULL;
    catalog->now = options->now != NULL ? options->now : system_now;
    catalog->now_ctx = options->now_ctx;
    const struct store_options store = {.dir = options->data_dir, .map_bytes = options->map_bytes};
    enum imprint_error error = memory_take(catalog);
    if (error == IMPRINT_OK) {
        error = store_open(&store, &catalog->store);
    }
    if (error != IMPRINT_OK) {
        log_error("catalog: the data directory cannot be used: %s (%s)", imprint_error_text(error),
                  options->data_dir);
        catalog_free(catalog);
        return error;
    }
    error = threads_start(catalog);
    if (error != IMPRINT_OK) {
        catalog_close(catalog);
        return error;
    }
    *out_catalog = catalog;
    return IMPRINT_OK;
}

void catalog_close(struct catalog *catalog)
{
    if (catalog != NULL) {
        threads_stop(catalog);
        catalog_free(catalog);
    }
}

/* --- Status -------------------------------------------------------------------------------------
 */

enum imprint_error catalog_ready(struct catalog *catalog)
{
    switch ((enum catalog_phase)atomic_load(&catalog->phase)) {
    case CATALOG_LOADING: return IMPRINT_E_LOADING;
    case CATALOG_READY: return IMPRINT_OK;
    case CATALOG_FAILED: return catalog->load_error;
    }
    return IMPRINT_E_INTERNAL;
}

enum imprint_error catalog_wait_ready(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->phase_lock);
    while (atomic_load(&catalog->phase) == CATALOG_LOADING) {
        pthread_cond_wait(&catalog->phase_changed, &catalog->phase_lock);
    }
    pthread_mutex_unlock(&catalog->phase_lock);
    return catalog_ready(catalog);
}

void catalog_status(const struct catalog *catalog, struct catalog_status *out_status)
{
    struct catalog_status status = {0};
    status.is_ready = atomic_load(&catalog->phase) == CATALOG_READY;
    status.progress = status.is_ready ? 1.0 : atomic_load(&catalog->load->progress);
    if (status.is_ready) {
        status.entries = atomic_load(&catalog->entries);
        status.lists = (uint32_t)atomic_load(&catalog->lists);
        status.seq = atomic_load(&catalog->seq);
        memcpy(status.epoch, catalog->epoch, sizeof status.epoch);
    }
    *out_status = status;
}

enum imprint_error catalog_begin_read(struct catalog *catalog, struct store_txn **out_txn)
{
    enum imprint_error error = catalog_ready(catalog);
    return error != IMPRINT_OK ? error : store_begin_read(catalog->store, out_txn);
}
