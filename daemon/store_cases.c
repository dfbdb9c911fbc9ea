/* Cases, and which entries they hold. */
#include "store_internal.h"

#define CASE_BYTES 128

enum imprint_error store_decode_case(const struct store_view *view, struct record_case *out_case)
{
    const uint8_t *v = view->value;
    if (view->key_len != 16 || view->value_len != CASE_BYTES || v[0] != STORE_RECORD_VERSION ||
        v[1] < RECORD_CASE_ACTIVE || v[1] > RECORD_CASE_WITHDRAWN || store_get_le(v + 2, 2) != 0) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    memcpy(out_case->id.bytes, view->key, 16);
    out_case->state = (enum record_case_state)v[1];
    out_case->list = (uint32_t)store_get_le(v + 4, 4);
    out_case->actor = (uint32_t)store_get_le(v + 8, 4);
    out_case->items = (uint32_t)store_get_le(v + 12, 4);
    out_case->accepted = (int64_t)store_get_le(v + 16, 8);
    out_case->withdrawn = (int64_t)store_get_le(v + 24, 8);
    memcpy(out_case->status_verifier, v + 32, 32);
    memcpy(out_case->withdraw_verifier, v + 64, 32);
    memcpy(out_case->append_verifier, v + 96, 32);
    return IMPRINT_OK;
}

static void case_row(struct store_row *row, const struct record_case_id *id)
{
    store_row_init(row, STORE_DB_CASES);
    store_row_key(row, id->bytes, sizeof id->bytes);
}

enum imprint_error store_case_get(struct store_txn *txn, const struct record_case_id *id,
                                  struct record_case *out_case)
{
    struct store_row row;
    case_row(&row, id);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_CASE_NOT_FOUND, &view);
    return error != IMPRINT_OK ? error : store_decode_case(&view, out_case);
}

void store_encode_case(const struct record_case *record, struct store_row *row)
{
    case_row(row, &record->id);
    store_row_number(row, STORE_RECORD_VERSION, 1);
    store_row_number(row, (uint64_t)record->state, 1);
    store_row_number(row, 0, 2);
    store_row_number(row, record->list, 4);
    store_row_number(row, record->actor, 4);
    store_row_number(row, record->items, 4);
    store_row_number(row, (uint64_t)record->accepted, 8);
    store_row_number(row, (uint64_t)record->withdrawn, 8);
    store_row_bytes(row, record->status_verifier, 32);
    store_row_bytes(row, record->withdraw_verifier, 32);
    store_row_bytes(row, record->append_verifier, 32);
}

enum imprint_error store_case_put(struct store_txn *txn, const struct record_case *record)
{
    struct store_row row;
    store_encode_case(record, &row);
    return store_row_put(txn, &row);
}

static void case_entry_row(struct store_row *row, const struct record_case_id *id, uint64_t entry)
{
    store_row_init(row, STORE_DB_CASE_ENTRIES);
    store_row_key(row, id->bytes, sizeof id->bytes);
    store_row_key_number(row, entry, 8);
}

static void entry_case_row(struct store_row *row, uint64_t entry, const struct record_case_id *id)
{
    store_row_init(row, STORE_DB_ENTRY_CASES);
    store_row_key_number(row, entry, 8);
    store_row_key(row, id->bytes, sizeof id->bytes);
}

enum imprint_error store_case_link(struct store_txn *txn, const struct record_case_id *id,
                                   struct store_entry *entry, bool *out_is_new)
{
    struct store_row row;
    struct store_view view;
    case_entry_row(&row, id, entry->record.id);
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_CASE_NOT_FOUND, &view);
    if (error != IMPRINT_E_CASE_NOT_FOUND) {
        *out_is_new = false;
        return error;
    }
    error = store_row_insert_mark(txn, &row);
    if (error == IMPRINT_OK) {
        entry_case_row(&row, entry->record.id, id);
        error = store_row_insert_mark(txn, &row);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    struct store_entry old = *entry;
    entry->cases++;
    *out_is_new = true;
    return store_entry_update(txn, &old, entry);
}

static enum imprint_error link_delete(struct store_txn *txn, const struct record_case_id *id,
                                      uint64_t entry)
{
    struct store_row row;
    case_entry_row(&row, id, entry);
    enum imprint_error error = store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
    if (error != IMPRINT_OK) {
        return error;
    }
    entry_case_row(&row, entry, id);
    return store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
}

enum imprint_error store_case_unlink(struct store_txn *txn, const struct record_case_id *id,
                                     struct store_entry *entry)
{
    if (entry->cases == 0) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    enum imprint_error error = link_delete(txn, id, entry->record.id);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct store_entry old = *entry;
    entry->cases--;
    return store_entry_update(txn, &old, entry);
}

enum imprint_error store_case_next(struct store_txn *txn, const struct record_case_id *id,
                                   uint64_t after, uint64_t *out_entry)
{
    struct store_row row;
    case_entry_row(&row, id, after + 1);
    struct store_view view;
    enum imprint_error error = store_row_seek(txn, &row, IMPRINT_E_ENTRY_NOT_FOUND, &view);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (view.key_len != 24) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    if (memcmp(view.key, id->bytes, 16) != 0) {
        return IMPRINT_E_ENTRY_NOT_FOUND;
    }
    *out_entry = store_get_be(view.key + 16, 8);
    return IMPRINT_OK;
}

/* The lowest case of an entry; IMPRINT_E_CASE_NOT_FOUND. */
static enum imprint_error first_case(struct store_txn *txn, uint64_t entry,
                                     struct record_case_id *out_id)
{
    static const struct record_case_id lowest = {{0}};
    struct store_row row;
    entry_case_row(&row, entry, &lowest);
    struct store_view view;
    enum imprint_error error = store_row_seek(txn, &row, IMPRINT_E_CASE_NOT_FOUND, &view);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (view.key_len != 24) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    if (store_get_be(view.key, 8) != entry) {
        return IMPRINT_E_CASE_NOT_FOUND;
    }
    memcpy(out_id->bytes, view.key + 8, 16);
    return IMPRINT_OK;
}

enum imprint_error store_case_of_entry(struct store_txn *txn, struct store_entry *entry)
{
    if (entry->cases == 0) {
        return IMPRINT_OK;
    }
    enum imprint_error error = first_case(txn, entry->record.id, &entry->record.case_id);
    return error == IMPRINT_E_CASE_NOT_FOUND ? IMPRINT_E_STORE_DAMAGED : error;
}

enum imprint_error store_entry_unlink_all(struct store_txn *txn, uint64_t entry)
{
    struct record_case_id id;
    enum imprint_error error;
    while ((error = first_case(txn, entry, &id)) == IMPRINT_OK) {
        error = link_delete(txn, &id, entry);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return error == IMPRINT_E_CASE_NOT_FOUND ? IMPRINT_OK : error;
}

enum imprint_error store_list_clear_cases(struct store_txn *txn, uint32_t list)
{
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_CASES, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct store_row start;
    static const struct record_case_id lowest = {{0}};
    case_row(&start, &lowest);
    for (;;) {
        struct store_view view;
        struct record_case record;
        bool is_end;
        error = store_cursor_next(&cursor, &start, &view, &is_end);
        if (error == IMPRINT_OK && !is_end) {
            error = store_decode_case(&view, &record);
        }
        if (error != IMPRINT_OK || is_end) {
            break;
        }
        if (record.list != list || record.state != RECORD_CASE_ACTIVE) {
            continue;
        }
        case_row(&start, &record.id);
        error = store_row_delete(txn, &start, IMPRINT_E_STORE_DAMAGED);
        if (error != IMPRINT_OK) {
            break;
        }
        /* A deletion moves other cursors: seek to where it was. */
        cursor.is_started = false;
    }
    store_cursor_close(&cursor);
    return error;
}
