/* Changes on their way to disk and index: several callers share a transaction and its sync.
 *
 * The first caller to find no leader becomes it, takes all that wait and runs them in one
 * transaction; whoever comes meanwhile waits for the next one. A change that fails before it has
 * written costs the others nothing; one that fails after that, or a commit that fails, leads to
 * another run without it.
 */
#include <assert.h>
#include <stdlib.h>

#include "catalog_internal.h"

/* --- For apply -------------------------------------------------------------------------------- */

enum imprint_error catalog_edit_room(struct catalog_work *work, size_t count)
{
    if (count <= work->edit_capacity - work->edit_count) {
        return IMPRINT_OK;
    }
    size_t capacity = work->edit_count + count;
    if (capacity < 2 * work->edit_capacity) {
        capacity = 2 * work->edit_capacity;
    }
    struct catalog_edit *edits = reallocarray(work->edits, capacity, sizeof *edits);
    if (edits == NULL) {
        return IMPRINT_E_NOMEM;
    }
    work->edits = edits;
    work->edit_capacity = capacity;
    return IMPRINT_OK;
}

void catalog_edit(struct catalog_work *work, bool is_add, const struct record_entry *entry)
{
    assert(work->edit_count < work->edit_capacity);
    work->edits[work->edit_count++] =
        (struct catalog_edit){is_add, entry->id, entry->list, entry->hash};
}

enum imprint_error catalog_reserve_adds(struct catalog *catalog, size_t count)
{
    enum imprint_error error = index_reserve(catalog->index, catalog->batch_adds + count);
    if (error == IMPRINT_OK) {
        catalog->batch_adds += count;
    }
    return error;
}

enum imprint_error catalog_reserve_table(struct catalog *catalog)
{
    size_t capacity = catalog->table->count + catalog->batch_lists + 1;
    if (catalog->spare == NULL || catalog->spare->capacity < capacity) {
        struct catalog_table *spare = catalog_table_new(capacity);
        if (spare == NULL) {
            return IMPRINT_E_NOMEM;
        }
        catalog_table_free(catalog->spare);
        catalog->spare = spare;
    }
    catalog->batch_lists++;
    return IMPRINT_OK;
}

enum imprint_error catalog_note(struct catalog *catalog, struct store_txn *txn,
                                const struct catalog_work *work, struct record_audit record)
{
    record.time = catalog->now(catalog->now_ctx);
    record.uid = work->actor->uid;
    if (work->actor->reason != NULL) {
        memcpy(record.reason, work->actor->reason,
               strnlen(work->actor->reason, LIMIT_REASON_BYTES_MAX));
    }
    return store_audit_append(txn, &record);
}

/* --- Publishing: nothing here can fail ---------------------------------------------------------
 */

void catalog_edits_publish(struct catalog *catalog, const struct catalog_table *table,
                           const struct catalog_work *work)
{
    uint32_t list = 0;
    uint16_t slot = UINT16_MAX;
    for (size_t i = 0; i < work->edit_count; i++) {
        const struct catalog_edit *edit = &work->edits[i];
        if (!edit->is_add) {
            (void)index_remove(catalog->index, edit->entry, &edit->hash);
            continue;
        }
        if (edit->list != list) {
            list = edit->list;
            slot = catalog_table_slot(table, list);
        }
        assert(slot != UINT16_MAX);
        const struct index_item item = {edit->entry, slot, edit->hash};
        index_add(catalog->index, &item);
    }
}

static void publish(struct catalog *catalog, struct catalog_work *first,
                    const struct store_totals *totals)
{
    struct catalog_table *next = catalog->table;
    if (catalog->batch_lists > 0) {
        next = catalog->spare;
        catalog_table_copy(next, catalog->table);
    }
    for (struct catalog_work *work = first; work != NULL; work = work->next) {
        if (work->is_failed) {
            continue;
        }
        if (work->sets_list) {
            catalog_table_set(next, &work->list);
        }
        catalog_edits_publish(catalog, next, work);
        if (work->removes_list) {
            catalog_table_remove(next, work->list.id);
        }
    }
    if (next != catalog->table) {
        struct catalog_table *old = catalog->table;
        pthread_mutex_lock(&catalog->table_lock);
        next->refs = 1;
        catalog->table = next;
        pthread_mutex_unlock(&catalog->table_lock);
        catalog->spare = NULL;
        catalog_table_release(catalog, old);
    }
    catalog_totals_publish(catalog, totals);
}

void catalog_totals_publish(struct catalog *catalog, const struct store_totals *totals)
{
    atomic_store(&catalog->entries, totals->entries);
    atomic_store(&catalog->lists, (uint_fast32_t)totals->lists);
    atomic_store(&catalog->seq, totals->seq);
}

/* --- Running a batch ---------------------------------------------------------------------------
 */

static void work_reset(struct catalog_work *work)
{
    work->edit_count = 0;
    work->sets_list = false;
    work->removes_list = false;
}

/* Applies all that have not failed. False: one failed after it had written, so the transaction is
 * spoilt. */
static bool apply_all(struct catalog *catalog, struct store_txn *txn, struct catalog_work *first)
{
    catalog->batch_adds = 0;
    catalog->batch_lists = 0;
    for (struct catalog_work *work = first; work != NULL; work = work->next) {
        if (work->is_failed) {
            continue;
        }
        uint64_t writes = store_writes(txn);
        work_reset(work);
        work->result = work->apply(catalog, txn, work);
        if (work->result != IMPRINT_OK) {
            work->is_failed = true;
            if (store_writes(txn) != writes) {
                return false;
            }
        }
    }
    return true;
}

static size_t batch_bytes(const struct catalog_work *first)
{
    size_t bytes = 0;
    for (const struct catalog_work *work = first; work != NULL; work = work->next) {
        bytes += work->is_failed ? 0 : work->bytes;
    }
    return bytes;
}

/* The map is larger now: what failed for want of room may be tried again. */
static void forgive_full(struct catalog_work *first)
{
    for (struct catalog_work *work = first; work != NULL; work = work->next) {
        if (work->is_failed && work->result == IMPRINT_E_STORE_FULL) {
            work->is_failed = false;
        }
    }
}

/* One attempt. *out_is_settled false: another one is due. The error is of the whole batch. */
static enum imprint_error batch_try(struct catalog *catalog, struct catalog_work *first,
                                    bool *out_is_settled)
{
    *out_is_settled = true;
    struct store_txn *txn;
    enum imprint_error error = store_begin_write(catalog->store, batch_bytes(first), &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (!apply_all(catalog, txn, first)) {
        store_abort(txn);
        if (store_grow(catalog->store)) {
            forgive_full(first);
        }
        *out_is_settled = false;
        return IMPRINT_OK;
    }
    if (store_writes(txn) == 0) {
        store_abort(txn);
        return IMPRINT_OK;
    }
    struct store_totals totals = store_totals(txn);
    error = store_commit(txn);
    if (error == IMPRINT_OK) {
        atomic_fetch_add(&catalog->commits, 1);
        publish(catalog, first, &totals);
    } else if (error == IMPRINT_E_STORE_FULL && store_grow(catalog->store)) {
        *out_is_settled = false;
        error = IMPRINT_OK;
    }
    return error;
}

static enum imprint_error batch_run(struct catalog *catalog, struct catalog_work *first)
{
    enum imprint_error error;
    bool is_settled;
    do {
        error = batch_try(catalog, first, &is_settled);
    } while (!is_settled);
    return error;
}

/* Together; and where that does not go, one by one, so that the one that is too much (an import on
 * a full disk) does not stop the others (a withdrawal). */
static void batch_settle(struct catalog *catalog, struct catalog_work *first)
{
    enum imprint_error error = batch_run(catalog, first);
    if (error == IMPRINT_OK) {
        return;
    }
    bool is_alone = first->next == NULL;
    for (struct catalog_work *work = first; work != NULL; work = work->next) {
        if (work->is_failed) {
            continue;
        }
        struct catalog_work *next = work->next;
        work->next = NULL;
        enum imprint_error own = is_alone ? error : batch_run(catalog, work);
        if (!work->is_failed) {
            work->result = own;
        }
        work->next = next;
    }
}

/* --- The queue ---------------------------------------------------------------------------------
 */

/* Under the queue lock: the batch the leader runs next. */
static struct catalog_work *queue_take(struct catalog *catalog)
{
    struct catalog_work *first = catalog->queue_head;
    struct catalog_work *last = first;
    size_t count = 1;
    while (last->next != NULL && count < LIMIT_STORE_BATCH_MAX) {
        last = last->next;
        count++;
    }
    catalog->queue_head = last->next;
    last->next = NULL;
    catalog->queue_count -= count;
    if (catalog->queue_head == NULL) {
        catalog->queue_tail = &catalog->queue_head;
    }
    return first;
}

static void lead(struct catalog *catalog)
{
    struct catalog_work *first = queue_take(catalog);
    catalog->has_leader = true;
    pthread_mutex_unlock(&catalog->queue_lock);

    pthread_mutex_lock(&catalog->writer);
    batch_settle(catalog, first);
    pthread_mutex_unlock(&catalog->writer);
    catalog_consider_merge(catalog);

    pthread_mutex_lock(&catalog->queue_lock);
    catalog->has_leader = false;
    while (first != NULL) {
        struct catalog_work *next = first->next;
        atomic_fetch_add(&catalog->changes, first->result == IMPRINT_OK);
        first->is_done = true; /* from here on it may be gone */
        first = next;
    }
    pthread_cond_broadcast(&catalog->queue_changed);
}

enum imprint_error catalog_commit(struct catalog *catalog, struct catalog_work *work)
{
    enum imprint_error error = catalog_ready(catalog);
    if (error != IMPRINT_OK) {
        return error;
    }
    pthread_mutex_lock(&catalog->queue_lock);
    work->next = NULL;
    *catalog->queue_tail = work;
    catalog->queue_tail = &work->next;
    catalog->queue_count++;
    while (!work->is_done) {
        if (catalog->has_leader) {
            pthread_cond_wait(&catalog->queue_changed, &catalog->queue_lock);
        } else {
            lead(catalog);
        }
    }
    pthread_mutex_unlock(&catalog->queue_lock);
    free(work->edits);
    work->edits = NULL;
    return work->result;
}
