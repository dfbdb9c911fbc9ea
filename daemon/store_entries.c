/* Entries: by id, by hash and list, and by the times at which their state changes. */
#include <assert.h>

#include "imprint/pdq.h"

#include "store_internal.h"

#define ENTRY_FIXED_BYTES 80
#define ENTRY_FLAG_DIRECT 1u
#define ENTRY_ID_MAX      (((uint64_t)1 << 53) - 1)

/* Of a row that is long enough: nothing but what is written below. */
static bool is_sound(const struct store_view *view)
{
    const uint8_t *v = view->value;
    uint64_t id = store_get_be(view->key, 8);
    return id > 0 && id <= ENTRY_ID_MAX && v[1] <= ENTRY_FLAG_DIRECT &&
           (v[2] <= IMPRINT_QUALITY_MAX || v[2] == RECORD_QUALITY_UNKNOWN) &&
           store_get_le(v + 4, 4) != 0 && memchr(v + ENTRY_FIXED_BYTES, '\0', v[3]) == NULL;
}

enum imprint_error store_decode_entry(const struct store_view *view, struct store_entry *out_entry)
{
    const uint8_t *v = view->value;
    if (view->key_len != 8 || view->value_len < ENTRY_FIXED_BYTES || v[0] != STORE_RECORD_VERSION ||
        view->value_len != ENTRY_FIXED_BYTES + (size_t)v[3] || !is_sound(view)) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    struct record_entry *record = &out_entry->record;
    out_entry->is_direct = (v[1] & ENTRY_FLAG_DIRECT) != 0;
    out_entry->cases = (uint32_t)store_get_le(v + 12, 4);
    record->id = store_get_be(view->key, 8);
    record->quality = v[2];
    record->list = (uint32_t)store_get_le(v + 4, 4);
    record->actor = (uint32_t)store_get_le(v + 8, 4);
    record->added = (int64_t)store_get_le(v + 16, 8);
    record->disabled_until = (int64_t)store_get_le(v + 24, 8);
    record->expires = (int64_t)store_get_le(v + 32, 8);
    record->seq = store_get_le(v + 40, 8);
    memcpy(record->hash.bytes, v + 48, IMPRINT_HASH_BYTES);
    memset(record->case_id.bytes, 0, sizeof record->case_id.bytes);
    memcpy(record->note, v + ENTRY_FIXED_BYTES, v[3]);
    record->note[v[3]] = '\0';
    return IMPRINT_OK;
}

void store_encode_entry(const struct store_entry *entry, struct store_row *row)
{
    const struct record_entry *record = &entry->record;
    size_t note_len = strnlen(record->note, LIMIT_NOTE_BYTES_MAX);
    store_row_init(row, STORE_DB_ENTRIES);
    store_row_key_number(row, record->id, 8);
    store_row_number(row, STORE_RECORD_VERSION, 1);
    store_row_number(row, entry->is_direct ? ENTRY_FLAG_DIRECT : 0, 1);
    store_row_number(row, record->quality, 1);
    store_row_number(row, note_len, 1);
    store_row_number(row, record->list, 4);
    store_row_number(row, record->actor, 4);
    store_row_number(row, entry->cases, 4);
    store_row_number(row, (uint64_t)record->added, 8);
    store_row_number(row, (uint64_t)record->disabled_until, 8);
    store_row_number(row, (uint64_t)record->expires, 8);
    store_row_number(row, record->seq, 8);
    store_row_bytes(row, record->hash.bytes, IMPRINT_HASH_BYTES);
    store_row_bytes(row, record->note, note_len);
}

static enum imprint_error entry_write(struct store_txn *txn, const struct store_entry *entry)
{
    struct store_row row;
    store_encode_entry(entry, &row);
    return store_row_put(txn, &row);
}

static void entry_row(struct store_row *row, uint64_t id)
{
    store_row_init(row, STORE_DB_ENTRIES);
    store_row_key_number(row, id, 8);
}

static void hash_row(struct store_row *row, const struct imprint_hash *hash, uint32_t list)
{
    store_row_init(row, STORE_DB_HASHES);
    store_row_key(row, hash->bytes, IMPRINT_HASH_BYTES);
    store_row_key_number(row, list, 4);
}

static void time_row(struct store_row *row, struct store_time time)
{
    store_row_init(row, STORE_DB_TIMES);
    store_row_key_number(row, (uint64_t)time.time, 8);
    store_row_key_number(row, time.entry, 8);
}

/* The times at which the entry's state changes, without repetition. */
static size_t entry_times(const struct record_entry *record, struct store_time out_times[2])
{
    size_t count = 0;
    if (record->disabled_until > 0 && record->disabled_until < INT64_MAX) {
        out_times[count++] = (struct store_time){record->disabled_until, record->id};
    }
    if (record->expires > 0 && record->expires != record->disabled_until) {
        out_times[count++] = (struct store_time){record->expires, record->id};
    }
    return count;
}

static enum imprint_error times_insert(struct store_txn *txn, const struct record_entry *record)
{
    struct store_time times[2];
    size_t count = entry_times(record, times);
    for (size_t i = 0; i < count; i++) {
        struct store_row row;
        time_row(&row, times[i]);
        enum imprint_error error = store_row_insert_mark(txn, &row);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return IMPRINT_OK;
}

static enum imprint_error times_delete(struct store_txn *txn, const struct record_entry *record)
{
    struct store_time times[2];
    size_t count = entry_times(record, times);
    for (size_t i = 0; i < count; i++) {
        struct store_row row;
        time_row(&row, times[i]);
        enum imprint_error error = store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return IMPRINT_OK;
}

static enum imprint_error entry_change(struct store_txn *txn, struct record_entry *record,
                                       enum record_change_kind kind)
{
    record->seq = ++txn->state.seq;
    const struct record_change change = {record->seq, kind, record->list, record->id};
    return store_change_put(txn, &change);
}

enum imprint_error store_entry_insert(struct store_txn *txn, struct store_entry *entry)
{
    struct record_entry *record = &entry->record;
    assert(txn->state.next_entry <= ENTRY_ID_MAX);
    record->id = txn->state.next_entry++;
    struct store_row row;
    hash_row(&row, &record->hash, record->list);
    store_row_number(&row, STORE_RECORD_VERSION, 1);
    store_row_number(&row, record->id, 7);
    enum imprint_error error = store_row_put(txn, &row);
    if (error == IMPRINT_OK) {
        error = entry_change(txn, record, RECORD_CHANGE_PUT);
    }
    if (error == IMPRINT_OK) {
        error = times_insert(txn, record);
    }
    if (error == IMPRINT_OK) {
        error = entry_write(txn, entry);
    }
    return error != IMPRINT_OK ? error : store_list_count(txn, record->list, 1);
}

enum imprint_error store_entry_update(struct store_txn *txn, const struct store_entry *old,
                                      struct store_entry *entry)
{
    assert(old->record.id == entry->record.id && old->record.list == entry->record.list);
    enum imprint_error error = store_change_delete(txn, old->record.seq);
    if (error == IMPRINT_OK) {
        error = entry_change(txn, &entry->record, RECORD_CHANGE_PUT);
    }
    if (error == IMPRINT_OK) {
        error = times_delete(txn, &old->record);
    }
    if (error == IMPRINT_OK) {
        error = times_insert(txn, &entry->record);
    }
    return error != IMPRINT_OK ? error : entry_write(txn, entry);
}

enum imprint_error store_entry_remove(struct store_txn *txn, const struct store_entry *entry)
{
    struct record_entry record = entry->record;
    struct store_row row;
    hash_row(&row, &record.hash, record.list);
    enum imprint_error error = store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
    if (error == IMPRINT_OK) {
        error = store_change_delete(txn, record.seq);
    }
    if (error == IMPRINT_OK) {
        error = times_delete(txn, &record);
    }
    if (error == IMPRINT_OK && entry->cases > 0) {
        error = store_entry_unlink_all(txn, record.id);
    }
    if (error == IMPRINT_OK) {
        entry_row(&row, record.id);
        error = store_row_delete(txn, &row, IMPRINT_E_ENTRY_NOT_FOUND);
    }
    if (error == IMPRINT_OK) {
        error = entry_change(txn, &record, RECORD_CHANGE_REMOVED);
    }
    return error != IMPRINT_OK ? error : store_list_count(txn, record.list, -1);
}

enum imprint_error store_entry_get(struct store_txn *txn, uint64_t id,
                                   struct store_entry *out_entry)
{
    struct store_row row;
    entry_row(&row, id);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_ENTRY_NOT_FOUND, &view);
    if (error == IMPRINT_OK) {
        error = store_decode_entry(&view, out_entry);
    }
    return error != IMPRINT_OK ? error : store_case_of_entry(txn, out_entry);
}

static enum imprint_error entry_of_hash(struct store_txn *txn, const struct store_view *view,
                                        struct store_entry *out_entry)
{
    if (view->value_len != 8) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    enum imprint_error error = store_entry_get(txn, store_get_le(view->value + 1, 7), out_entry);
    return error == IMPRINT_E_ENTRY_NOT_FOUND ? IMPRINT_E_STORE_DAMAGED : error;
}

enum imprint_error store_entry_find(struct store_txn *txn, uint32_t list,
                                    const struct imprint_hash *hash, struct store_entry *out_entry)
{
    struct store_row row;
    hash_row(&row, hash, list);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_ENTRY_NOT_FOUND, &view);
    return error != IMPRINT_OK ? error : entry_of_hash(txn, &view, out_entry);
}

enum imprint_error store_entry_find_next(struct store_txn *txn, const struct imprint_hash *hash,
                                         uint32_t after, struct store_entry *out_entry)
{
    if (after == UINT32_MAX) {
        return IMPRINT_E_ENTRY_NOT_FOUND;
    }
    struct store_row row;
    hash_row(&row, hash, after + 1);
    struct store_view view;
    enum imprint_error error = store_row_seek(txn, &row, IMPRINT_E_ENTRY_NOT_FOUND, &view);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (view.key_len != IMPRINT_HASH_BYTES + 4) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    if (memcmp(view.key, hash->bytes, IMPRINT_HASH_BYTES) != 0) {
        return IMPRINT_E_ENTRY_NOT_FOUND;
    }
    return entry_of_hash(txn, &view, out_entry);
}

/* Fills out_entries from the cursor; a list of 0 takes every entry. */
static enum imprint_error entries_read(struct store_cursor *cursor, const struct store_row *start,
                                       uint32_t list, struct store_entry *out_entries,
                                       size_t capacity, size_t *out_count)
{
    size_t count = 0;
    while (count < capacity) {
        struct store_view view;
        bool is_end;
        enum imprint_error error = store_cursor_next(cursor, start, &view, &is_end);
        if (error == IMPRINT_OK && !is_end) {
            error = store_decode_entry(&view, &out_entries[count]);
        }
        if (error != IMPRINT_OK) {
            return error;
        }
        if (is_end) {
            break;
        }
        if (list == 0 || out_entries[count].record.list == list) {
            count++;
        }
    }
    *out_count = count;
    return IMPRINT_OK;
}

enum imprint_error store_entries(struct store_txn *txn, uint32_t list, uint64_t after,
                                 struct store_entry *out_entries, size_t capacity,
                                 size_t *out_count)
{
    *out_count = 0;
    if (after >= ENTRY_ID_MAX) {
        return IMPRINT_OK;
    }
    struct store_row start;
    entry_row(&start, after + 1);
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_ENTRIES, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = entries_read(&cursor, &start, list, out_entries, capacity, out_count);
    store_cursor_close(&cursor);
    for (size_t i = 0; i < *out_count && error == IMPRINT_OK; i++) {
        error = store_case_of_entry(txn, &out_entries[i]);
    }
    return error;
}

enum imprint_error store_times(struct store_txn *txn, struct store_time after, int64_t until,
                               struct store_time *out_times, size_t capacity, size_t *out_count)
{
    *out_count = 0;
    struct store_row start;
    after.entry++;
    time_row(&start, after);
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_TIMES, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t count = 0;
    while (count < capacity) {
        struct store_view view;
        bool is_end;
        error = store_cursor_next(&cursor, &start, &view, &is_end);
        if (error == IMPRINT_OK && !is_end && view.key_len != 16) {
            error = IMPRINT_E_STORE_DAMAGED;
        }
        if (error != IMPRINT_OK || is_end) {
            break;
        }
        out_times[count].time = (int64_t)store_get_be(view.key, 8);
        out_times[count].entry = store_get_be(view.key + 8, 8);
        if (out_times[count].time > until) {
            break;
        }
        count++;
    }
    store_cursor_close(&cursor);
    *out_count = error == IMPRINT_OK ? count : 0;
    return error;
}
