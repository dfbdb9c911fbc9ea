/* The database file: opening, its first records, writing it afresh. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "store_internal.h"

/* Rows a transaction of a rewrite takes: LMDB keeps what is not committed in memory. */
#define REWRITE_ROWS 100000

const char *const store_db_names[STORE_DB_COUNT] = {
    [STORE_DB_META] = "meta",
    [STORE_DB_LISTS] = "lists",
    [STORE_DB_NAMES] = "names",
    [STORE_DB_ENTRIES] = "entries",
    [STORE_DB_HASHES] = "hashes",
    [STORE_DB_TIMES] = "times",
    [STORE_DB_CASES] = "cases",
    [STORE_DB_CASE_ENTRIES] = "case_entries",
    [STORE_DB_ENTRY_CASES] = "entry_cases",
    [STORE_DB_CHANGES] = "changes",
    [STORE_DB_AUDIT] = "audit",
};

char *store_path(const struct store *store, const char *name)
{
    size_t len = strlen(store->dir) + 1 + strlen(name) + 1;
    char *path = malloc(len);
    if (path != NULL) {
        int ignored = snprintf(path, len, "%s/%s", store->dir, name);
        (void)ignored;
    }
    return path;
}

static int open_databases(struct store_file *file, unsigned flags)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(file->env, NULL, flags & MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        return code;
    }
    unsigned create = (flags & MDB_RDONLY) != 0 ? 0 : MDB_CREATE;
    for (int db = 0; db < STORE_DB_COUNT && code == MDB_SUCCESS; db++) {
        code = mdb_dbi_open(txn, store_db_names[db], create, &file->dbis[db]);
    }
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

enum imprint_error store_file_open(const char *path, unsigned flags, size_t map_bytes,
                                   struct store_file *out_file)
{
    struct store_file file = {0};
    struct store scratch = {0}; /* takes the map-full mark of store_error */
    int code = mdb_env_create(&file.env);
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxdbs(file.env, STORE_DB_COUNT);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxreaders(file.env, LIMIT_STORE_READERS_MAX);
    }
    if (code == MDB_SUCCESS && map_bytes != 0) {
        code = mdb_env_set_mapsize(file.env, map_bytes);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_open(file.env, path, flags | MDB_NOSUBDIR | MDB_NOTLS, 0600);
    }
    if (code == MDB_SUCCESS) {
        code = open_databases(&file, flags);
    }
    if (code != MDB_SUCCESS) {
        store_file_close(&file);
        return store_error(&scratch, code);
    }
    *out_file = file;
    return IMPRINT_OK;
}

void store_file_close(struct store_file *file)
{
    if (file->env != NULL) {
        mdb_env_close(file->env);
        file->env = NULL;
    }
    sodium_memzero(file->key, sizeof file->key);
}

enum imprint_error store_file_create(const char *path, size_t map_bytes,
                                     struct store_file *out_file)
{
    if (access(path, F_OK) == 0 || errno != ENOENT) {
        return IMPRINT_E_IO;
    }
    return store_file_open(path, MDB_NOLOCK, map_bytes, out_file);
}

static void meta_row(struct store_row *row, const char *name)
{
    store_row_init(row, STORE_DB_META);
    store_row_key(row, name, strlen(name));
    store_row_number(row, STORE_RECORD_VERSION, 1);
}

enum imprint_error store_state_write(struct store_txn *txn)
{
    const struct store_state *state = &txn->state;
    struct store_row row;
    meta_row(&row, "state");
    store_row_number(&row, 0, 3);
    store_row_number(&row, state->next_list, 4);
    store_row_number(&row, state->seq, 8);
    store_row_number(&row, state->next_entry, 8);
    store_row_bytes(&row, state->epoch, sizeof state->epoch);
    store_row_bytes(&row, state->chain, sizeof state->chain);
    for (int db = STORE_DB_META + 1; db < STORE_DB_COUNT; db++) {
        store_row_number(&row, state->counts[db], 8);
        store_row_number(&row, state->sums[db], 8);
    }
    store_row_number(&row, mdb_txn_id(txn->txn), 8);
    return store_row_put(txn, &row);
}

enum imprint_error store_meta_create(struct store_txn *txn, const struct store_state *state)
{
    struct store_row row;
    txn->state = *state;
    meta_row(&row, "format");
    store_row_number(&row, STORE_FORMAT, 4);
    enum imprint_error error = store_row_put(txn, &row);
    if (error == IMPRINT_OK) {
        meta_row(&row, "key");
        store_row_bytes(&row, txn->file->key, STORE_KEY_BYTES);
        error = store_row_put(txn, &row);
    }
    sodium_memzero(&row, sizeof row);
    return error != IMPRINT_OK ? error : store_state_write(txn);
}

/* The format and the key have to be read before any checksum can be. */
static enum imprint_error meta_raw(struct store_txn *txn, const char *name, size_t len,
                                   uint8_t *out_bytes)
{
    MDB_val key = {strlen(name), (void *)(uintptr_t)name};
    MDB_val value;
    /* store_error never makes a success of a failure, which the analyzer cannot see from here. */
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    int code = mdb_get(txn->txn, txn->file->dbis[STORE_DB_META], &key, &value);
    if (code != MDB_SUCCESS) {
        return store_error(txn->store, code);
    }
    if (value.mv_size != 1 + len + STORE_SUM_BYTES) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    memcpy(out_bytes, (const uint8_t *)value.mv_data + 1, len);
    return IMPRINT_OK;
}

static enum imprint_error key_read(struct store_txn *txn, struct store_file *file)
{
    uint8_t format[4];
    enum imprint_error error = meta_raw(txn, "format", sizeof format, format);
    if (error == IMPRINT_OK) {
        error = meta_raw(txn, "key", sizeof file->key, file->key);
    }
    if (error != IMPRINT_OK) {
        return error;
    }
    struct store_view view;
    static const char *const names[] = {"format", "key"};
    for (size_t i = 0; i < 2; i++) {
        struct store_row row;
        meta_row(&row, names[i]);
        error = store_row_get(txn, &row, IMPRINT_E_STORE_DAMAGED, &view);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    return store_get_le(format, 4) > STORE_FORMAT ? IMPRINT_E_STORE_VERSION : IMPRINT_OK;
}

enum imprint_error store_state_read(struct store_txn *txn, struct store_state *out_state)
{
    struct store_row row;
    meta_row(&row, "state");
    struct store_view view;
    enum imprint_error error = store_row_get(txn, &row, IMPRINT_E_STORE_DAMAGED, &view);
    if (error != IMPRINT_OK) {
        return error;
    }
    const uint8_t *v = view.value;
    if (view.value_len != STORE_STATE_BYTES || v[0] != STORE_RECORD_VERSION) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    struct store_state state = {.next_list = (uint32_t)store_get_le(v + 4, 4),
                                .seq = store_get_le(v + 8, 8),
                                .next_entry = store_get_le(v + 16, 8)};
    memcpy(state.epoch, v + 24, sizeof state.epoch);
    memcpy(state.chain, v + 40, sizeof state.chain);
    v += 40 + RECORD_CHAIN_BYTES;
    for (int db = STORE_DB_META + 1; db < STORE_DB_COUNT; db++, v += 16) {
        state.counts[db] = store_get_le(v, 8);
        state.sums[db] = store_get_le(v + 8, 8);
    }
    /* Every transaction writes the state. One that was written by another transaction than the last
     * is an older state brought back, by damage to the number of a meta page. */
    if (store_get_le(v, 8) + (txn->is_write ? 1 : 0) != mdb_txn_id(txn->txn)) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    *out_state = state;
    return IMPRINT_OK;
}

enum imprint_error store_file_begin(struct store *store, const struct store_file *file,
                                    bool is_write, struct store_txn *out_txn)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(file->env, NULL, is_write ? 0 : MDB_RDONLY, &txn);
    if (code != MDB_SUCCESS) {
        return store_error(store, code);
    }
    *out_txn = (struct store_txn){.store = store, .txn = txn, .file = file, .is_write = is_write};
    return IMPRINT_OK;
}

enum imprint_error store_file_key(struct store *store, struct store_file *file)
{
    struct store_txn txn;
    enum imprint_error error = store_file_begin(store, file, false, &txn);
    if (error == IMPRINT_OK) {
        error = key_read(&txn, file);
        mdb_txn_abort(txn.txn);
    }
    return error;
}

/* A rewrite in progress: the transaction is committed now and then. */
struct rewrite {
    struct store_txn *from;
    struct store_file file;
    struct store_txn to;
    struct store_state found;
    size_t rows;
};

static enum imprint_error rewrite_commit(struct rewrite *rewrite)
{
    int code = mdb_txn_commit(rewrite->to.txn);
    rewrite->to.txn = NULL;
    rewrite->rows = 0;
    return store_error(rewrite->from->store, code);
}

static enum imprint_error rewrite_begin(struct rewrite *rewrite)
{
    return rewrite->to.txn != NULL
               ? IMPRINT_OK
               : store_file_begin(rewrite->from->store, &rewrite->file, true, &rewrite->to);
}

static enum imprint_error rewrite_row(struct rewrite *rewrite, enum store_db db,
                                      const struct store_view *view)
{
    enum imprint_error error = rewrite_begin(rewrite);
    if (error != IMPRINT_OK) {
        return error;
    }
    MDB_val key = {view->key_len, (void *)(uintptr_t)view->key};
    MDB_val value = {view->value_len + STORE_SUM_BYTES, (void *)(uintptr_t)view->value};
    int code = mdb_put(rewrite->to.txn, rewrite->file.dbis[db], &key, &value, MDB_APPEND);
    if (code != MDB_SUCCESS) {
        return store_error(rewrite->from->store, code);
    }
    rewrite->found.counts[db]++;
    rewrite->found.sums[db] += store_get_le(view->value + view->value_len, STORE_SUM_BYTES);
    return ++rewrite->rows < REWRITE_ROWS ? IMPRINT_OK : rewrite_commit(rewrite);
}

static enum imprint_error rewrite_database(struct rewrite *rewrite, enum store_db db)
{
    struct store_cursor cursor = {0};
    enum imprint_error error = store_cursor_open(rewrite->from, db, &cursor);
    if (error != IMPRINT_OK) {
        return error;
    }
    bool is_end = false;
    while (error == IMPRINT_OK && !is_end) {
        struct store_view view;
        error = store_cursor_next(&cursor, NULL, &view, &is_end);
        if (error == IMPRINT_OK && !is_end) {
            error = rewrite_row(rewrite, db, &view);
        }
    }
    store_cursor_close(&cursor);
    return error;
}

/* The format, key and state rows come last: a file without them is nobody's list. */
static enum imprint_error rewrite_all(struct rewrite *rewrite)
{
    for (int db = STORE_DB_META + 1; db < STORE_DB_COUNT; db++) {
        enum imprint_error error = rewrite_database(rewrite, (enum store_db)db);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    const struct store_state *state = &rewrite->from->state;
    if (memcmp(state->counts, rewrite->found.counts, sizeof state->counts) != 0 ||
        memcmp(state->sums, rewrite->found.sums, sizeof state->sums) != 0) {
        return IMPRINT_E_STORE_DAMAGED;
    }
    enum imprint_error error = rewrite_begin(rewrite);
    if (error == IMPRINT_OK) {
        memcpy(rewrite->file.key, rewrite->from->file->key, sizeof rewrite->file.key);
        error = store_meta_create(&rewrite->to, state);
    }
    return error == IMPRINT_OK ? rewrite_commit(rewrite) : error;
}

enum imprint_error store_rewrite(struct store_txn *from, const char *path)
{
    struct rewrite rewrite = {.from = from};
    enum imprint_error error = store_file_create(path, from->store->map_bytes, &rewrite.file);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = rewrite_all(&rewrite);
    if (rewrite.to.txn != NULL) {
        mdb_txn_abort(rewrite.to.txn);
    }
    if (error == IMPRINT_OK) {
        error = store_error(from->store, mdb_env_sync(rewrite.file.env, 1));
    }
    store_file_close(&rewrite.file);
    return error;
}
