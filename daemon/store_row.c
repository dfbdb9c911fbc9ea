/* Rows: building, checksums, and the digests that follow every write. */
#include <assert.h>
#include <errno.h>

#include <sodium.h>

#include "store_internal.h"

_Static_assert(crypto_shorthash_BYTES == STORE_SUM_BYTES, "checksum size is part of the format");
_Static_assert(crypto_shorthash_KEYBYTES == STORE_KEY_BYTES, "key size is part of the format");

enum imprint_error store_error(struct store *store, int code)
{
    switch (code) {
    case MDB_SUCCESS: return IMPRINT_OK;
    case ENOMEM: return IMPRINT_E_NOMEM;
    case MDB_MAP_FULL: store->is_map_full = true; return IMPRINT_E_STORE_FULL;
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return IMPRINT_E_STORE_FULL;
    case MDB_NOTFOUND: /* where it is expected it is asked for before */
    case MDB_KEYEXIST:
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_VALSIZE: return IMPRINT_E_STORE_DAMAGED;
    case MDB_VERSION_MISMATCH: return IMPRINT_E_STORE_VERSION;
    case MDB_READERS_FULL: return IMPRINT_E_BUSY;
    case MDB_BAD_TXN:
    case MDB_BAD_RSLOT:
    case MDB_BAD_DBI:
    case EINVAL: return IMPRINT_E_INTERNAL;
    default: return IMPRINT_E_IO;
    }
}

void store_row_init(struct store_row *row, enum store_db db)
{
    row->db = db;
    row->key_len = 0;
    row->value_len = 0;
    row->bytes[0] = (uint8_t)db;
}

void store_row_key(struct store_row *row, const void *bytes, size_t len)
{
    assert(row->value_len == 0 && len <= STORE_ROW_KEY_MAX - row->key_len);
    memcpy(row->bytes + 1 + row->key_len, bytes, len);
    row->key_len += len;
}

void store_row_key_number(struct store_row *row, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    store_put_be(bytes, value, len);
    store_row_key(row, bytes, len);
}

void store_row_bytes(struct store_row *row, const void *bytes, size_t len)
{
    assert(len <= STORE_ROW_VALUE_MAX - row->value_len);
    memcpy(row->bytes + 1 + row->key_len + row->value_len, bytes, len);
    row->value_len += len;
}

void store_row_number(struct store_row *row, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    store_put_le(bytes, value, len);
    store_row_bytes(row, bytes, len);
}

/* Completes the row with its checksum, which is returned as a number too. */
static uint64_t row_seal(const struct store_file *file, struct store_row *row)
{
    size_t len = 1 + row->key_len + row->value_len;
    crypto_shorthash(row->bytes + len, row->bytes, len, file->key);
    return store_get_le(row->bytes + len, STORE_SUM_BYTES);
}

static MDB_val row_key(const struct store_row *row)
{
    /* LMDB takes a pointer to non-const but only reads a key. */
    return (MDB_val){row->key_len, (void *)(uintptr_t)(row->bytes + 1)};
}

enum imprint_error store_row_verify(const struct store_file *file, enum store_db db,
                                    const MDB_val *key, const MDB_val *value,
                                    struct store_view *out_view, uint64_t *out_sum)
{
    if (key->mv_size > STORE_ROW_KEY_MAX || value->mv_size < 1 + STORE_SUM_BYTES ||
        value->mv_size > STORE_ROW_VALUE_MAX + STORE_SUM_BYTES) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    size_t value_len = value->mv_size - STORE_SUM_BYTES;
    uint8_t bytes[1 + STORE_ROW_KEY_MAX + STORE_ROW_VALUE_MAX];
    uint8_t sum[STORE_SUM_BYTES];
    bytes[0] = (uint8_t)db;
    memcpy(bytes + 1, key->mv_data, key->mv_size);
    memcpy(bytes + 1 + key->mv_size, value->mv_data, value_len);
    crypto_shorthash(sum, bytes, 1 + key->mv_size + value_len, file->key);
    const uint8_t *stored = (const uint8_t *)value->mv_data + value_len;
    if (memcmp(sum, stored, sizeof sum) != 0) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    if (out_view != NULL) {
        *out_view = (struct store_view){key->mv_data, key->mv_size, value->mv_data, value_len};
    }
    if (out_sum != NULL) {
        *out_sum = store_get_le(sum, sizeof sum);
    }
    return IMPRINT_OK;
}

/* *out_is_there false and the rest untouched where there is no such row. */
static enum imprint_error row_look(struct store_txn *txn, const struct store_row *row,
                                   struct store_view *out_view, uint64_t *out_sum,
                                   bool *out_is_there)
{
    MDB_val key = row_key(row);
    MDB_val value;
    int code = mdb_get(txn->txn, txn->file->dbis[row->db], &key, &value);
    *out_is_there = code == MDB_SUCCESS;
    if (code == MDB_NOTFOUND) {
        return IMPRINT_OK;
    }
    if (code != MDB_SUCCESS) {
        return store_error(txn->store, code);
    }
    return store_row_verify(txn->file, row->db, &key, &value, out_view, out_sum);
}

enum imprint_error store_row_get(struct store_txn *txn, const struct store_row *row,
                                 enum imprint_error missing, struct store_view *out_view)
{
    bool is_there;
    enum imprint_error error = row_look(txn, row, out_view, NULL, &is_there);
    return error != IMPRINT_OK ? error : is_there ? IMPRINT_OK : missing;
}

enum imprint_error store_row_put(struct store_txn *txn, struct store_row *row)
{
    assert(txn->is_write);
    uint64_t old_sum = 0;
    bool is_there;
    enum imprint_error error = row_look(txn, row, NULL, &old_sum, &is_there);
    if (error != IMPRINT_OK) {
        return error;
    }
    uint64_t sum = row_seal(txn->file, row);
    MDB_val key = row_key(row);
    MDB_val value = {row->value_len + STORE_SUM_BYTES, row->bytes + 1 + row->key_len};
    txn->writes++;
    int code = mdb_put(txn->txn, txn->file->dbis[row->db], &key, &value, 0);
    if (code != MDB_SUCCESS) {
        return store_error(txn->store, code);
    }
    if (!is_there) {
        txn->state.counts[row->db]++;
    }
    txn->state.sums[row->db] += sum - old_sum;
    return IMPRINT_OK;
}

enum imprint_error store_row_insert_mark(struct store_txn *txn, struct store_row *row)
{
    store_row_number(row, STORE_RECORD_VERSION, 1);
    return store_row_put(txn, row);
}

enum imprint_error store_row_delete(struct store_txn *txn, const struct store_row *row,
                                    enum imprint_error missing)
{
    assert(txn->is_write);
    uint64_t sum = 0;
    bool is_there;
    enum imprint_error error = row_look(txn, row, NULL, &sum, &is_there);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (!is_there) {
        return missing;
    }
    MDB_val key = row_key(row);
    txn->writes++;
    int code = mdb_del(txn->txn, txn->file->dbis[row->db], &key, NULL);
    if (code != MDB_SUCCESS) {
        return store_error(txn->store, code);
    }
    txn->state.counts[row->db]--;
    txn->state.sums[row->db] -= sum;
    return IMPRINT_OK;
}

enum imprint_error store_cursor_open(struct store_txn *txn, enum store_db db,
                                     struct store_cursor *out_cursor)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(txn->txn, txn->file->dbis[db], &cursor);
    if (code != MDB_SUCCESS) {
        return store_error(txn->store, code);
    }
    *out_cursor = (struct store_cursor){txn, cursor, db, false};
    return IMPRINT_OK;
}

void store_cursor_close(struct store_cursor *cursor)
{
    if (cursor->cursor != NULL) {
        mdb_cursor_close(cursor->cursor);
        cursor->cursor = NULL;
    }
}

enum imprint_error store_cursor_next(struct store_cursor *cursor, const struct store_row *start,
                                     struct store_view *out_view, bool *out_is_end)
{
    MDB_val key = {0, NULL};
    MDB_val value;
    MDB_cursor_op op = MDB_NEXT;
    if (!cursor->is_started && start != NULL) {
        key = row_key(start);
        op = MDB_SET_RANGE;
    }
    cursor->is_started = true;
    int code = mdb_cursor_get(cursor->cursor, &key, &value, op);
    *out_is_end = code == MDB_NOTFOUND;
    if (code == MDB_NOTFOUND) {
        return IMPRINT_OK;
    }
    if (code != MDB_SUCCESS) {
        return store_error(cursor->txn->store, code);
    }
    return store_row_verify(cursor->txn->file, cursor->db, &key, &value, out_view, NULL);
}

enum imprint_error store_row_seek(struct store_txn *txn, const struct store_row *row,
                                  enum imprint_error missing, struct store_view *out_view)
{
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, row->db, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    bool is_end;
    error = store_cursor_next(&cursor, row, out_view, &is_end);
    store_cursor_close(&cursor);
    return error != IMPRINT_OK ? error : is_end ? missing : IMPRINT_OK;
}
