/* What admins and followers read, and the care of the file. */
#include <stdlib.h>

#include "catalog_internal.h"
#include "log.h"

enum imprint_error catalog_audit(struct catalog *catalog, uint64_t after,
                                 struct record_audit *out_records, size_t capacity,
                                 size_t *out_count)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error == IMPRINT_OK) {
        error = store_audit(txn, after, out_records, capacity, out_count);
        store_abort(txn);
    }
    return error;
}

enum imprint_error catalog_audit_verify(struct catalog *catalog, uint64_t *out_count,
                                        uint64_t *out_bad_seq)
{
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error == IMPRINT_OK) {
        error = store_audit_verify(txn, out_count, out_bad_seq);
        store_abort(txn);
    }
    return error;
}

static enum imprint_error change_fill(struct store_txn *txn, const struct record_change *change,
                                      struct catalog_change *out_change)
{
    struct store_entry entry = {0};
    enum imprint_error error = IMPRINT_OK;
    if (change->kind == RECORD_CHANGE_PUT) {
        error = store_entry_get(txn, change->entry, &entry);
    }
    out_change->change = *change;
    out_change->entry = entry.record;
    return error == IMPRINT_E_ENTRY_NOT_FOUND ? IMPRINT_E_STORE_DAMAGED : error;
}

enum imprint_error catalog_changes(struct catalog *catalog, uint64_t after,
                                   struct catalog_change *out_changes, size_t capacity,
                                   size_t *out_count)
{
    enum { PAGE = 256 };
    struct record_change page[PAGE];
    struct store_txn *txn;
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t total = 0;
    size_t count = PAGE;
    while (total < capacity && count == PAGE && error == IMPRINT_OK) {
        size_t wanted = capacity - total < PAGE ? capacity - total : PAGE;
        error = store_changes(txn, after, page, wanted, &count);
        for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
            error = change_fill(txn, &page[i], &out_changes[total++]);
            after = page[i].seq;
        }
    }
    store_abort(txn);
    if (error == IMPRINT_OK) {
        *out_count = total;
    }
    return error;
}

/* --- Statistics
 * ----------------------------------------------------------------------------------- */

static enum imprint_error count_entries(struct store_txn *txn, uint32_t list, int64_t now,
                                        struct catalog_list_stats *stats)
{
    enum { PAGE = 64 };
    struct store_entry entries[PAGE];
    uint64_t after = 0;
    size_t count;
    do {
        enum imprint_error error = store_entries(txn, list, after, entries, PAGE, &count);
        if (error != IMPRINT_OK) {
            return error;
        }
        for (size_t i = 0; i < count; i++) {
            const struct record_entry *record = &entries[i].record;
            stats->entries++;
            stats->disabled += record->disabled_until > now;
            stats->expired += record->expires != 0 && record->expires <= now;
            stats->of_cases += entries[i].cases > 0;
            after = record->id;
        }
    } while (count == PAGE);
    return IMPRINT_OK;
}

enum imprint_error catalog_list_stats(struct catalog *catalog, const char *name,
                                      struct catalog_list_stats *out_stats)
{
    struct store_txn *txn;
    struct record_list list;
    struct catalog_list_stats stats = {0};
    enum imprint_error error = catalog_begin_read(catalog, &txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = store_list_find(txn, name, &list);
    if (error == IMPRINT_OK) {
        error = count_entries(txn, list.id, catalog->now(catalog->now_ctx), &stats);
    }
    store_abort(txn);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct catalog_table *table = catalog_table_acquire(catalog);
    uint16_t slot = catalog_table_slot(table, list.id);
    catalog_table_release(catalog, table);
    if (slot != UINT16_MAX) {
        stats.matches = atomic_load(&catalog->matches[slot]);
        stats.shadow_hits = atomic_load(&catalog->shadow_hits[slot]);
    }
    *out_stats = stats;
    return IMPRINT_OK;
}

void catalog_stats(struct catalog *catalog, struct catalog_stats *out_stats)
{
    *out_stats = (struct catalog_stats){
        .changes = atomic_load(&catalog->changes),
        .commits = atomic_load(&catalog->commits),
        .merges = atomic_load(&catalog->merges),
        .index_bytes = index_memory(catalog->index),
        .matchable = index_count(catalog->index),
    };
    if (catalog_ready(catalog) == IMPRINT_OK) {
        out_stats->load_seconds = catalog->load_seconds;
        store_size(catalog->store, &out_stats->file_bytes, &out_stats->used_bytes);
    }
}

/* --- The file
 * ------------------------------------------------------------------------------------- */

static enum imprint_error apply_compacted(struct catalog *catalog, struct store_txn *txn,
                                          struct catalog_work *work)
{
    return catalog_note(catalog, txn, work, (struct record_audit){.verb = RECORD_VERB_COMPACT});
}

enum imprint_error catalog_compact(struct catalog *catalog, const struct catalog_actor *actor)
{
    enum imprint_error error = catalog_ready(catalog);
    if (error != IMPRINT_OK) {
        return error;
    }
    pthread_mutex_lock(&catalog->writer);
    error = store_compact(catalog->store);
    pthread_mutex_unlock(&catalog->writer);
    if (error != IMPRINT_OK) {
        log_error("catalog: compaction failed: %s", imprint_error_text(error));
        return error;
    }
    struct catalog_work work = {.apply = apply_compacted, .actor = actor};
    return catalog_commit(catalog, &work);
}

enum imprint_error catalog_backup(struct catalog *catalog, const char *path)
{
    enum imprint_error error = catalog_ready(catalog);
    return error != IMPRINT_OK ? error : store_backup(catalog->store, path);
}
