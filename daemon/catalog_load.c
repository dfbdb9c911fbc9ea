/* From the store to ready: the list is verified in a process of its own, which leaves what the
 * index needs in shared memory, so that the file is read once and by somebody who may die of it. */
#include <inttypes.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "catalog_internal.h"
#include "log.h"

/* An entry takes at least this much of the file, which bounds their number before it is known. */
#define ENTRY_FILE_BYTES_MIN 96

/* What the verifying process tells the loader beside the items, in shared memory. */
struct news {
    sem_t is_over; /* the items are there, or will never be */
    bool has_items;
    size_t count;
};

/* Written by the verifying process, read by the loader. */
struct harvest {
    struct index_item *items; /* shared; sparse */
    size_t capacity;
    struct news *news; /* shared */
    int64_t now;
    struct catalog_load_shared *load;
    /* Of the verifying process alone: lists come before entries. */
    uint32_t *lists;
    size_t list_count;
    size_t last; /* slot found last: entries of a list come in runs */
};

static bool take_list(void *ctx, const struct record_list *list)
{
    struct harvest *harvest = ctx;
    if (harvest->list_count == CATALOG_SLOTS_MAX) {
        return false;
    }
    uint32_t *lists = reallocarray(harvest->lists, harvest->list_count + 1, sizeof *lists);
    if (lists == NULL) {
        return false;
    }
    lists[harvest->list_count++] = list->id;
    harvest->lists = lists;
    return true;
}

static bool find_slot(struct harvest *harvest, uint32_t list)
{
    for (size_t i = 0; i < harvest->list_count; i++) {
        if (harvest->lists[harvest->last] == list) {
            return true;
        }
        harvest->last = (harvest->last + 1) % harvest->list_count;
    }
    return false;
}

static bool take_entry(void *ctx, const struct record_entry *entry)
{
    struct harvest *harvest = ctx;
    if (!find_slot(harvest, entry->list) || harvest->news->count == harvest->capacity) {
        return false;
    }
    if (catalog_is_matchable(entry, harvest->now)) {
        harvest->items[harvest->news->count++] =
            (struct index_item){entry->id, (uint16_t)harvest->last, entry->hash};
    }
    return !atomic_load_explicit(&harvest->load->is_cancelled, memory_order_relaxed);
}

/* The index can be built while the rest is verified. */
static void take_items(void *ctx)
{
    struct harvest *harvest = ctx;
    harvest->news->has_items = true;
    sem_post(&harvest->news->is_over);
}

static void take_progress(void *ctx, double done)
{
    struct harvest *harvest = ctx;
    /* What is left is building the index. */
    atomic_store(&harvest->load->progress, done * 0.7);
}

static void *shared_map(size_t len)
{
    void *map =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

static void harvest_done(struct harvest *harvest)
{
    if (harvest->items != NULL) {
        munmap(harvest->items, (harvest->capacity + 1) * sizeof *harvest->items);
    }
    if (harvest->news != NULL) {
        sem_destroy(&harvest->news->is_over);
        munmap(harvest->news, sizeof *harvest->news);
    }
}

static enum imprint_error harvest_init(struct catalog *catalog, struct harvest *harvest)
{
    uint64_t file_bytes;
    uint64_t used_bytes;
    store_size(catalog->store, &file_bytes, &used_bytes);
    harvest->capacity = (size_t)(file_bytes / ENTRY_FILE_BYTES_MIN);
    harvest->items = shared_map((harvest->capacity + 1) * sizeof *harvest->items);
    harvest->news = shared_map(sizeof *harvest->news);
    harvest->load = catalog->load;
    harvest->now = catalog->now(catalog->now_ctx);
    if (harvest->items == NULL || harvest->news == NULL ||
        sem_init(&harvest->news->is_over, 1, 0) != 0) {
        return IMPRINT_E_NOMEM;
    }
    return IMPRINT_OK;
}

/* The same slots as in the verifying process: lists by id. */
static enum imprint_error table_load(struct catalog *catalog, struct store_txn *txn)
{
    struct store_totals totals = store_totals(txn);
    struct catalog_table *table = catalog_table_new(totals.lists);
    if (table == NULL) {
        return IMPRINT_E_NOMEM;
    }
    table->refs = 1;
    struct record_list list = {.id = 0};
    enum imprint_error error;
    while ((error = store_list_next(txn, list.id, &list)) == IMPRINT_OK) {
        catalog_table_set(table, &list);
    }
    if (error != IMPRINT_E_LIST_NOT_FOUND) {
        catalog_table_free(table);
        return error;
    }
    catalog_table_free(catalog->table);
    catalog->table = table;
    catalog_totals_publish(catalog, &totals);
    for (size_t i = 0; i < sizeof totals.epoch; i++) {
        static const char digits[] = "0123456789abcdef";
        catalog->epoch[2 * i] = digits[totals.epoch[i] >> 4];
        catalog->epoch[2 * i + 1] = digits[totals.epoch[i] & 15];
    }
    return IMPRINT_OK;
}

/* Fills the index as soon as there is something to fill it with. */
struct build {
    struct catalog *catalog;
    const struct harvest *harvest;
    enum imprint_error error;
};

static void *build_thread(void *ctx)
{
    struct build *build = ctx;
    const struct news *news = build->harvest->news;
    while (sem_wait(&build->harvest->news->is_over) != 0) {
    }
    if (news->has_items) {
        build->error = index_load(build->catalog->index, build->harvest->items, news->count);
    }
    return NULL;
}

/* Verifies and builds side by side; what was built of a list that does not verify is never asked.
 */
static enum imprint_error verify_and_build(struct catalog *catalog, struct harvest *harvest,
                                           char finding[STORE_FINDING_BYTES])
{
    const struct store_visitor visitor = {.list = take_list,
                                          .entry = take_entry,
                                          .entries_done = take_items,
                                          .progress = take_progress,
                                          .ctx = harvest};
    struct build build = {catalog, harvest, IMPRINT_OK};
    pthread_t builder;
    if (pthread_create(&builder, NULL, build_thread, &build) != 0) {
        return IMPRINT_E_NOMEM;
    }
    enum imprint_error error = store_verify(catalog->store, &visitor, finding);
    sem_post(&harvest->news->is_over);
    pthread_join(builder, NULL);
    if (error == IMPRINT_OK) {
        error = harvest->news->has_items ? build.error : IMPRINT_E_INTERNAL;
    }
    return error;
}

static enum imprint_error serve_verified(struct catalog *catalog)
{
    struct store_txn *txn;
    enum imprint_error error = store_start(catalog->store);
    if (error == IMPRINT_OK) {
        error = store_begin_read(catalog->store, &txn);
    }
    if (error == IMPRINT_OK) {
        error = table_load(catalog, txn);
        store_abort(txn);
    }
    return error;
}

static enum imprint_error load(struct catalog *catalog, char finding[STORE_FINDING_BYTES])
{
    struct harvest harvest = {0};
    enum imprint_error error = harvest_init(catalog, &harvest);
    if (error == IMPRINT_OK) {
        error = verify_and_build(catalog, &harvest, finding);
    }
    if (error == IMPRINT_OK) {
        error = serve_verified(catalog);
    }
    catalog->swept = harvest.now;
    harvest_done(&harvest);
    return error;
}

static void tell(const struct catalog *catalog, enum imprint_error error, const char *finding)
{
    if (error == IMPRINT_OK) {
        log_notice("catalog: ready: %" PRIuFAST64 " entries in %" PRIuFAST32 " lists, %.1f s",
                   atomic_load(&catalog->entries), atomic_load(&catalog->lists),
                   catalog->load_seconds);
        return;
    }
    if (atomic_load(&catalog->load->is_cancelled)) {
        return;
    }
    log_error("catalog: not serving: %s%s%s", imprint_error_text(error),
              finding[0] != '\0' ? ": " : "", finding);
    if (error == IMPRINT_E_STORE_DAMAGED) {
        log_error(
            "catalog: the list is not answered from while it is in doubt; stop the daemon, move "
            "list.mdb away, put the last good backup in its place and start again; what was "
            "changed since that backup is lost and has to be reported or imported anew");
    }
}

static double seconds_now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

void *catalog_load_thread(void *ctx)
{
    struct catalog *catalog = ctx;
    char finding[STORE_FINDING_BYTES] = "";
    double start = seconds_now();
    enum imprint_error error = load(catalog, finding);
    catalog->load_seconds = seconds_now() - start;
    tell(catalog, error, finding);
    pthread_mutex_lock(&catalog->phase_lock);
    catalog->load_error = error;
    atomic_store(&catalog->phase, error == IMPRINT_OK ? CATALOG_READY : CATALOG_FAILED);
    pthread_cond_broadcast(&catalog->phase_changed);
    pthread_mutex_unlock(&catalog->phase_lock);
    return NULL;
}
