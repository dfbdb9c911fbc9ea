/* Lists: the record by id, and the id by name. */
#include "imprint/pdq.h"

#include "store_internal.h"

#define LIST_FIXED_BYTES 24

static void row_text(struct store_row *row, const char *text)
{
    size_t len = strlen(text);
    store_row_number(row, len, 1);
    store_row_bytes(row, text, len);
}

static bool view_text(const struct store_view *view, size_t *at, char *out_text, size_t capacity)
{
    if (*at >= view->value_len) {
        return false;
    }
    size_t len = view->value[*at];
    if (len >= capacity || len > view->value_len - *at - 1) {
        return false;
    }
    if (memchr(view->value + *at + 1, '\0', len) != NULL) {
        return false;
    }
    memcpy(out_text, view->value + *at + 1, len);
    out_text[len] = '\0';
    *at += 1 + len;
    return true;
}

static bool is_sound(const struct record_list *list)
{
    return list->id != 0 && list->name[0] != '\0' && list->state >= RECORD_LIST_ACTIVE &&
           list->state <= RECORD_LIST_OFF && list->kind >= RECORD_LIST_BLOCK &&
           list->kind <= RECORD_LIST_BENIGN && list->threshold <= LIMIT_THRESHOLD_MAX &&
           list->quality_floor <= IMPRINT_QUALITY_MAX && list->expiry_days <= LIMIT_EXPIRY_DAYS_MAX;
}

enum imprint_error store_decode_list(const struct store_view *view, struct record_list *out_list)
{
    const uint8_t *v = view->value;
    if (view->key_len != 4 || view->value_len < LIST_FIXED_BYTES || v[0] != STORE_RECORD_VERSION) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    struct record_list list = {
        .id = (uint32_t)store_get_be(view->key, 4),
        .state = (enum record_list_state)v[1],
        .kind = (enum record_list_kind)v[2],
        .threshold = v[3],
        .quality_floor = v[4],
        .expiry_days = (uint32_t)store_get_le(v + 5, 3),
        .created = (int64_t)store_get_le(v + 8, 8),
        .entries = store_get_le(v + 16, 8),
    };
    size_t at = LIST_FIXED_BYTES;
    if (!view_text(view, &at, list.name, sizeof list.name) ||
        !view_text(view, &at, list.note, sizeof list.note) ||
        !view_text(view, &at, list.source, sizeof list.source) ||
        !view_text(view, &at, list.action, sizeof list.action) || at != view->value_len ||
        !is_sound(&list)) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    *out_list = list;
    return IMPRINT_OK;
}

void store_encode_list(const struct record_list *list, struct store_row *row)
{
    store_row_init(row, STORE_DB_LISTS);
    store_row_key_number(row, list->id, 4);
    store_row_number(row, STORE_RECORD_VERSION, 1);
    store_row_number(row, (uint64_t)list->state, 1);
    store_row_number(row, (uint64_t)list->kind, 1);
    store_row_number(row, list->threshold, 1);
    store_row_number(row, list->quality_floor, 1);
    store_row_number(row, list->expiry_days, 3);
    store_row_number(row, (uint64_t)list->created, 8);
    store_row_number(row, list->entries, 8);
    row_text(row, list->name);
    row_text(row, list->note);
    row_text(row, list->source);
    row_text(row, list->action);
}

static enum imprint_error list_write(struct store_txn *txn, const struct record_list *list)
{
    struct store_row row;
    store_encode_list(list, &row);
    return store_row_put(txn, &row);
}

static void name_row(struct store_row *row, const char *name)
{
    store_row_init(row, STORE_DB_NAMES);
    store_row_key(row, name, strnlen(name, LIMIT_LIST_NAME_BYTES_MAX));
}

enum imprint_error store_list_insert(struct store_txn *txn, struct record_list *list)
{
    list->id = txn->state.next_list;
    list->entries = 0;
    struct store_row row;
    name_row(&row, list->name);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_LIST_NOT_FOUND, &view);
    if (error != IMPRINT_E_LIST_NOT_FOUND) {
        return error == IMPRINT_OK ? IMPRINT_E_LIST_EXISTS : error;
    }
    txn->state.next_list++;
    store_row_number(&row, STORE_RECORD_VERSION, 1);
    store_row_number(&row, list->id, 4);
    error = store_row_put(txn, &row);
    return error != IMPRINT_OK ? error : list_write(txn, list);
}

enum imprint_error store_list_update(struct store_txn *txn, const struct record_list *list)
{
    struct record_list stored;
    enum imprint_error error = store_list_get(txn, list->id, &stored);
    if (error != IMPRINT_OK) {
        return error;
    }
    struct record_list next = *list;
    memcpy(next.name, stored.name, sizeof next.name);
    next.entries = stored.entries;
    return list_write(txn, &next);
}

enum imprint_error store_list_remove(struct store_txn *txn, const struct record_list *list)
{
    struct store_row row;
    name_row(&row, list->name);
    enum imprint_error error = store_row_delete(txn, &row, IMPRINT_E_LIST_NOT_FOUND);
    if (error != IMPRINT_OK) {
        return error;
    }
    store_row_init(&row, STORE_DB_LISTS);
    store_row_key_number(&row, list->id, 4);
    return store_row_delete(txn, &row, IMPRINT_E_STORE_DAMAGED);
}

enum imprint_error store_list_get(struct store_txn *txn, uint32_t id, struct record_list *out_list)
{
    struct store_row row;
    store_row_init(&row, STORE_DB_LISTS);
    store_row_key_number(&row, id, 4);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_LIST_NOT_FOUND, &view);
    return error != IMPRINT_OK ? error : store_decode_list(&view, out_list);
}

enum imprint_error store_list_find(struct store_txn *txn, const char *name,
                                   struct record_list *out_list)
{
    size_t len = strlen(name);
    if (len == 0 || len > LIMIT_LIST_NAME_BYTES_MAX) {
        return IMPRINT_E_LIST_NOT_FOUND;
    }
    struct store_row row;
    name_row(&row, name);
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_LIST_NOT_FOUND, &view);
    if (error != IMPRINT_OK) {
        return error;
    }
    if (view.value_len != 5) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    error = store_list_get(txn, (uint32_t)store_get_le(view.value + 1, 4), out_list);
    return error == IMPRINT_E_LIST_NOT_FOUND ? IMPRINT_E_STORE_DAMAGED : error;
}

enum imprint_error store_list_next(struct store_txn *txn, uint32_t after,
                                   struct record_list *out_list)
{
    if (after == UINT32_MAX) {
        return IMPRINT_E_LIST_NOT_FOUND;
    }
    struct store_row row;
    store_row_init(&row, STORE_DB_LISTS);
    store_row_key_number(&row, after + 1, 4);
    struct store_view view;
    enum imprint_error error = store_row_seek(txn, &row, IMPRINT_E_LIST_NOT_FOUND, &view);
    return error != IMPRINT_OK ? error : store_decode_list(&view, out_list);
}

enum imprint_error store_list_count(struct store_txn *txn, uint32_t list, int64_t delta)
{
    struct record_list stored;
    enum imprint_error error = store_list_get(txn, list, &stored);
    if (error != IMPRINT_OK) {
        return error;
    }
    stored.entries += (uint64_t)delta;
    return list_write(txn, &stored);
}

enum imprint_error store_list_clear(struct store_txn *txn, const struct record_list *list,
                                    store_removed_fn *removed, void *ctx)
{
    enum { PAGE = 64 };
    struct store_entry entries[PAGE];
    uint64_t after = 0;
    size_t count = 0;
    do {
        enum imprint_error error = store_entries(txn, list->id, after, entries, PAGE, &count);
        for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
            after = entries[i].record.id;
            error = store_entry_remove(txn, &entries[i]);
            /* One row for the list stands for those of its entries. */
            if (error == IMPRINT_OK) {
                error = store_change_delete(txn, txn->state.seq);
            }
            if (error == IMPRINT_OK) {
                error = removed(ctx, &entries[i].record);
            }
        }
        if (error != IMPRINT_OK) {
            return error;
        }
    } while (count == PAGE);
    enum imprint_error error = store_list_clear_cases(txn, list->id);
    if (error != IMPRINT_OK) {
        return error;
    }
    const struct record_change change = {
        .seq = ++txn->state.seq, .kind = RECORD_CHANGE_LIST_REMOVED, .list = list->id, .entry = 0};
    return store_change_put(txn, &change);
}
