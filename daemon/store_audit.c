/* The audit chain, and the change rows that followers read. */
#include <sodium.h>

#include "store_internal.h"

#define AUDIT_FIXED_BYTES 56
#define CHANGE_BYTES      16

enum imprint_error store_decode_audit(const struct store_view *view,
                                      struct record_audit *out_record)
{
    const uint8_t *v = view->value;
    if (view->key_len != 8 || view->value_len < AUDIT_FIXED_BYTES + RECORD_CHAIN_BYTES ||
        v[0] != STORE_RECORD_VERSION ||
        view->value_len != AUDIT_FIXED_BYTES + (size_t)v[2] + RECORD_CHAIN_BYTES || v[3] != 0 ||
        store_get_le(v + 20, 4) != 0 || memchr(v + AUDIT_FIXED_BYTES, '\0', v[2]) != NULL) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    out_record->seq = store_get_be(view->key, 8);
    out_record->verb = (enum record_verb)v[1];
    out_record->uid = (uint32_t)store_get_le(v + 4, 4);
    out_record->time = (int64_t)store_get_le(v + 8, 8);
    out_record->list = (uint32_t)store_get_le(v + 16, 4);
    out_record->entry = store_get_le(v + 24, 8);
    out_record->count = store_get_le(v + 32, 8);
    memcpy(out_record->case_id.bytes, v + 40, 16);
    memcpy(out_record->reason, v + AUDIT_FIXED_BYTES, v[2]);
    out_record->reason[v[2]] = '\0';
    memcpy(out_record->chain, v + AUDIT_FIXED_BYTES + v[2], RECORD_CHAIN_BYTES);
    return IMPRINT_OK;
}

static void chain_step(uint8_t chain[RECORD_CHAIN_BYTES], const uint8_t *key, const uint8_t *value,
                       size_t value_len)
{
    crypto_generichash_state hash;
    crypto_generichash_init(&hash, NULL, 0, RECORD_CHAIN_BYTES);
    crypto_generichash_update(&hash, chain, RECORD_CHAIN_BYTES);
    crypto_generichash_update(&hash, key, 8);
    crypto_generichash_update(&hash, value, value_len);
    crypto_generichash_final(&hash, chain, RECORD_CHAIN_BYTES);
}

enum imprint_error store_audit_link(const struct store_view *view,
                                    uint8_t chain[RECORD_CHAIN_BYTES])
{
    if (view->key_len != 8 || view->value_len < AUDIT_FIXED_BYTES + RECORD_CHAIN_BYTES) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    size_t covered = view->value_len - RECORD_CHAIN_BYTES;
    chain_step(chain, view->key, view->value, covered);
    return memcmp(chain, view->value + covered, RECORD_CHAIN_BYTES) == 0 ? IMPRINT_OK
                                                                         : IMPRINT_E_STORE_DAMAGED;
}

void store_encode_audit(const struct record_audit *record, struct store_row *row)
{
    size_t reason_len = strnlen(record->reason, LIMIT_REASON_BYTES_MAX);
    store_row_init(row, STORE_DB_AUDIT);
    store_row_key_number(row, record->seq, 8);
    store_row_number(row, STORE_RECORD_VERSION, 1);
    store_row_number(row, (uint64_t)record->verb, 1);
    store_row_number(row, reason_len, 1);
    store_row_number(row, 0, 1);
    store_row_number(row, record->uid, 4);
    store_row_number(row, (uint64_t)record->time, 8);
    store_row_number(row, record->list, 4);
    store_row_number(row, 0, 4);
    store_row_number(row, record->entry, 8);
    store_row_number(row, record->count, 8);
    store_row_bytes(row, record->case_id.bytes, sizeof record->case_id.bytes);
    store_row_bytes(row, record->reason, reason_len);
}

enum imprint_error store_audit_append(struct store_txn *txn, struct record_audit *record)
{
    record->seq = ++txn->state.seq;
    struct store_row row;
    store_encode_audit(record, &row);
    uint8_t chain[RECORD_CHAIN_BYTES];
    memcpy(chain, txn->state.chain, sizeof chain);
    chain_step(chain, row.bytes + 1, row.bytes + 1 + row.key_len, row.value_len);
    store_row_bytes(&row, chain, sizeof chain);
    enum imprint_error error = store_row_put(txn, &row);
    if (error != IMPRINT_OK) {
        return error;
    }
    memcpy(txn->state.chain, chain, sizeof chain);
    memcpy(record->chain, chain, sizeof chain);
    return IMPRINT_OK;
}

static void seq_row(struct store_row *row, enum store_db db, uint64_t seq)
{
    store_row_init(row, db);
    store_row_key_number(row, seq, 8);
}

enum imprint_error store_audit(struct store_txn *txn, uint64_t after,
                               struct record_audit *out_records, size_t capacity, size_t *out_count)
{
    *out_count = 0;
    if (after == UINT64_MAX) {
        return IMPRINT_OK;
    }
    struct store_row start;
    seq_row(&start, STORE_DB_AUDIT, after + 1);
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_AUDIT, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t count = 0;
    while (count < capacity) {
        struct store_view view;
        bool is_end;
        error = store_cursor_next(&cursor, &start, &view, &is_end);
        if (error == IMPRINT_OK && !is_end) {
            error = store_decode_audit(&view, &out_records[count]);
        }
        if (error != IMPRINT_OK || is_end) {
            break;
        }
        count++;
    }
    store_cursor_close(&cursor);
    *out_count = error == IMPRINT_OK ? count : 0;
    return error;
}

enum imprint_error store_audit_verify(struct store_txn *txn, uint64_t *out_count,
                                      uint64_t *out_bad_seq)
{
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_AUDIT, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    uint8_t chain[RECORD_CHAIN_BYTES] = {0};
    uint64_t count = 0;
    uint64_t seq = 0;
    for (;;) {
        struct store_view view = {0};
        bool is_end;
        error = store_cursor_next(&cursor, NULL, &view, &is_end);
        if (error != IMPRINT_OK || is_end) {
            seq++; /* the one behind the last that fits */
            break;
        }
        seq = view.key_len == 8 ? store_get_be(view.key, 8) : seq + 1;
        error = store_audit_link(&view, chain);
        if (error != IMPRINT_OK) {
            break;
        }
        count++;
    }
    store_cursor_close(&cursor);
    if (error == IMPRINT_OK && memcmp(chain, txn->state.chain, sizeof chain) != 0) {
        error = IMPRINT_E_STORE_DAMAGED;
    }
    *out_bad_seq = error == IMPRINT_OK ? 0 : seq;
    *out_count = count;
    return error;
}

enum imprint_error store_decode_change(const struct store_view *view,
                                       struct record_change *out_change)
{
    const uint8_t *v = view->value;
    if (view->key_len != 8 || view->value_len != CHANGE_BYTES || v[0] != STORE_RECORD_VERSION ||
        v[1] < RECORD_CHANGE_PUT || v[1] > RECORD_CHANGE_LIST_REMOVED ||
        store_get_le(v + 2, 2) != 0) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    out_change->seq = store_get_be(view->key, 8);
    out_change->kind = (enum record_change_kind)v[1];
    out_change->list = (uint32_t)store_get_le(v + 4, 4);
    out_change->entry = store_get_le(v + 8, 8);
    return IMPRINT_OK;
}

void store_encode_change(const struct record_change *change, struct store_row *row)
{
    seq_row(row, STORE_DB_CHANGES, change->seq);
    store_row_number(row, STORE_RECORD_VERSION, 1);
    store_row_number(row, (uint64_t)change->kind, 1);
    store_row_number(row, 0, 2);
    store_row_number(row, change->list, 4);
    store_row_number(row, change->entry, 8);
}

enum imprint_error store_change_put(struct store_txn *txn, const struct record_change *change)
{
    struct store_row row;
    store_encode_change(change, &row);
    return store_row_put(txn, &row);
}

enum imprint_error store_change_delete(struct store_txn *txn, uint64_t seq)
{
    struct store_row row;
    seq_row(&row, STORE_DB_CHANGES, seq);
    return store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
}

enum imprint_error store_changes(struct store_txn *txn, uint64_t after,
                                 struct record_change *out_changes, size_t capacity,
                                 size_t *out_count)
{
    *out_count = 0;
    if (after == UINT64_MAX) {
        return IMPRINT_OK;
    }
    struct store_row start;
    seq_row(&start, STORE_DB_CHANGES, after + 1);
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(txn, STORE_DB_CHANGES, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    size_t count = 0;
    while (count < capacity) {
        struct store_view view;
        bool is_end;
        error = store_cursor_next(&cursor, &start, &view, &is_end);
        if (error == IMPRINT_OK && !is_end) {
            error = store_decode_change(&view, &out_changes[count]);
        }
        if (error != IMPRINT_OK || is_end) {
            break;
        }
        count++;
    }
    store_cursor_close(&cursor);
    *out_count = error == IMPRINT_OK ? count : 0;
    return error;
}
