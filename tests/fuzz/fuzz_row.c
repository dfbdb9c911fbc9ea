/* Any bytes as a row of the list's file: a record that is taken is within its bounds and is encoded
 * as the same bytes, one that is refused changes nothing. A row sealed with its checksum verifies,
 * and no longer does with one bit turned or in another database. The first byte chooses the record,
 * the second the bit; key and value follow. */
#include <string.h>

#include <sodium.h>

#include "imprint/pdq.h"

#include "fuzz.h"
#include "store_internal.h"

#define FUZZ_UNTOUCHED 0x5a

union fuzz_record {
    struct record_list list;
    struct store_entry entry;
    struct record_case of_case;
    struct record_audit audit;
    struct record_change change;
};

/* What is left in the row has to be encoded as in the view; an audit row ends in its chain. */
static void fuzz_check_row(const struct store_row *row, const struct store_view *view,
                           size_t rest_len)
{
    fuzz_must(row->key_len == view->key_len && row->value_len + rest_len == view->value_len);
    fuzz_must(memcmp(row->bytes + 1, view->key, view->key_len) == 0);
    fuzz_must(memcmp(row->bytes + 1 + row->key_len, view->value, row->value_len) == 0);
}

static void fuzz_check_list(const struct record_list *list)
{
    fuzz_must(list->id > 0 && list->name[0] != '\0');
    fuzz_must(list->state >= RECORD_LIST_ACTIVE && list->state <= RECORD_LIST_OFF);
    fuzz_must(list->kind == RECORD_LIST_BLOCK || list->kind == RECORD_LIST_BENIGN);
    fuzz_must(list->threshold <= LIMIT_THRESHOLD_MAX);
    fuzz_must(list->quality_floor <= IMPRINT_QUALITY_MAX);
}

static void fuzz_check_entry(const struct record_entry *entry)
{
    fuzz_must(entry->id > 0 && entry->id < (uint64_t)1 << 53 && entry->list > 0);
    fuzz_must(entry->quality <= IMPRINT_QUALITY_MAX || entry->quality == RECORD_QUALITY_UNKNOWN);
}

static enum imprint_error fuzz_decode(enum store_db db, const struct store_view *view,
                                      union fuzz_record *record, struct store_row *row)
{
    enum imprint_error error = IMPRINT_E_STORE_DAMAGED;
    if (db == STORE_DB_LISTS) {
        error = store_decode_list(view, &record->list);
        if (error == IMPRINT_OK) {
            fuzz_check_list(&record->list);
            store_encode_list(&record->list, row);
        }
    } else if (db == STORE_DB_ENTRIES) {
        error = store_decode_entry(view, &record->entry);
        if (error == IMPRINT_OK) {
            fuzz_check_entry(&record->entry.record);
            store_encode_entry(&record->entry, row);
        }
    } else if (db == STORE_DB_CASES) {
        error = store_decode_case(view, &record->of_case);
        if (error == IMPRINT_OK) {
            store_encode_case(&record->of_case, row);
        }
    } else if (db == STORE_DB_AUDIT) {
        error = store_decode_audit(view, &record->audit);
        if (error == IMPRINT_OK) {
            store_encode_audit(&record->audit, row);
        }
    } else {
        error = store_decode_change(view, &record->change);
        if (error == IMPRINT_OK) {
            store_encode_change(&record->change, row);
        }
    }
    return error;
}

/* The first record of a chain fits exactly when it ends in the hash of what stands before. */
static void fuzz_link(const struct store_view *view)
{
    uint8_t chain[RECORD_CHAIN_BYTES] = {0};
    uint8_t bytes[RECORD_CHAIN_BYTES + 8 + STORE_ROW_VALUE_MAX] = {0};
    const bool fits = store_audit_link(view, chain) == IMPRINT_OK;
    if (view->key_len != 8 || view->value_len < RECORD_CHAIN_BYTES ||
        view->value_len > STORE_ROW_VALUE_MAX) {
        return;
    }
    const size_t covered = view->value_len - RECORD_CHAIN_BYTES;
    memcpy(bytes + RECORD_CHAIN_BYTES, view->key, 8);
    memcpy(bytes + RECORD_CHAIN_BYTES + 8, view->value, covered);
    uint8_t wanted[RECORD_CHAIN_BYTES];
    crypto_generichash(wanted, sizeof wanted, bytes, RECORD_CHAIN_BYTES + 8 + covered, NULL, 0);
    const bool is_same = memcmp(wanted, view->value + covered, sizeof wanted) == 0;
    fuzz_must(fits ? is_same : !is_same || view->value_len < 56 + RECORD_CHAIN_BYTES);
}

static void fuzz_record(enum store_db db, const struct store_view *view)
{
    union fuzz_record record;
    struct store_row row;
    memset(&record, FUZZ_UNTOUCHED, sizeof record);
    const union fuzz_record before = record;
    if (fuzz_decode(db, view, &record, &row) == IMPRINT_OK) {
        fuzz_check_row(&row, view, db == STORE_DB_AUDIT ? RECORD_CHAIN_BYTES : 0);
    } else {
        fuzz_must(memcmp(&record, &before, sizeof before) == 0);
    }
    if (db == STORE_DB_AUDIT) {
        fuzz_link(view);
    }
}

static bool fuzz_verifies(enum store_db db, const uint8_t *key, size_t key_len,
                          const uint8_t *value, size_t value_len)
{
    const struct store_file file = {.key = "0123456789abcde"};
    const MDB_val key_val = {key_len, (void *)(uintptr_t)key};
    const MDB_val value_val = {value_len, (void *)(uintptr_t)value};
    struct store_view view;
    memset(&view, FUZZ_UNTOUCHED, sizeof view);
    const struct store_view before = view;
    if (store_row_verify(&file, db, &key_val, &value_val, &view, NULL) != IMPRINT_OK) {
        fuzz_must(memcmp(&view, &before, sizeof view) == 0);
        return false;
    }
    fuzz_must(view.key_len == key_len && view.value_len == value_len - STORE_SUM_BYTES);
    return true;
}

static void fuzz_seal(enum store_db db, const struct store_view *view, uint8_t bit)
{
    const uint8_t sealing_key[STORE_KEY_BYTES] = "0123456789abcde";
    uint8_t bytes[1 + STORE_ROW_KEY_MAX + STORE_ROW_VALUE_MAX + STORE_SUM_BYTES];
    if (view->key_len > STORE_ROW_KEY_MAX || view->value_len > STORE_ROW_VALUE_MAX ||
        view->value_len == 0) {
        return;
    }
    bytes[0] = (uint8_t)db;
    uint8_t *key = bytes + 1;
    uint8_t *value = key + view->key_len;
    memcpy(key, view->key, view->key_len);
    memcpy(value, view->value, view->value_len);
    const size_t len = 1 + view->key_len + view->value_len;
    crypto_shorthash(bytes + len, bytes, len, sealing_key);
    const size_t value_len = view->value_len + STORE_SUM_BYTES;
    fuzz_must(fuzz_verifies(db, key, view->key_len, value, value_len));
    fuzz_must(!fuzz_verifies(STORE_DB_META, key, view->key_len, value, value_len));
    const size_t at = 1 + (size_t)bit * 8 % (len + STORE_SUM_BYTES - 1);
    bytes[at] ^= (uint8_t)(1u << bit % 8);
    fuzz_must(!fuzz_verifies(db, key, view->key_len, value, value_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct {
        enum store_db db;
        size_t key_len;
    } kinds[] = {{STORE_DB_LISTS, 4},
                 {STORE_DB_ENTRIES, 8},
                 {STORE_DB_CASES, 16},
                 {STORE_DB_AUDIT, 8},
                 {STORE_DB_CHANGES, 8}};
    if (len < 2 || sodium_init() < 0) {
        return 0;
    }
    const size_t kind = data[0] % (sizeof kinds / sizeof kinds[0]);
    const enum store_db db = kinds[kind].db;
    size_t key_len = kinds[kind].key_len;
    key_len = key_len < len - 2 ? key_len : len - 2;
    const struct store_view view = {data + 2, key_len, data + 2 + key_len, len - 2 - key_len};
    fuzz_record(db, &view);
    fuzz_seal(db, &view, data[1]);
    /* And as it lies there, checksum and all. */
    (void)fuzz_verifies(db, view.key, view.key_len, view.value, view.value_len);
    return 0;
}
