/* Reading and verifying everything: checksums, counts, digests, the audit chain. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_internal.h"

/* The smallest row takes this much; more rows than fit mean that the tree runs in circles. */
#define ROW_BYTES_MIN 24
/* Rows between two calls of progress. */
#define PROGRESS_ROWS 65536

struct check {
    const struct store_visitor *visitor;
    struct store_txn txn;
    char *finding;
    uint64_t rows;
    uint64_t rows_expected;
    uint64_t rows_max;
    uint8_t chain[RECORD_CHAIN_BYTES];
};

__attribute__((format(printf, 2, 3))) static enum imprint_error
find(char finding[STORE_FINDING_BYTES], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int ignored = vsnprintf(finding, STORE_FINDING_BYTES, format, arguments);
    (void)ignored;
    va_end(arguments);
    return IMPRINT_E_STORE_DAMAGED;
}

static enum imprint_error visit_entry(struct check *check, const struct store_view *view)
{
    struct store_entry entry;
    enum imprint_error error = store_decode_entry(view, &entry);
    if (error != IMPRINT_OK) {
        return find(check->finding, "an entry has an unknown form");
    }
    const struct store_visitor *visitor = check->visitor;
    return visitor->entry == NULL || visitor->entry(visitor->ctx, &entry.record)
               ? IMPRINT_OK
               : IMPRINT_E_INTERNAL;
}

static enum imprint_error visit_list(struct check *check, const struct store_view *view)
{
    struct record_list list;
    enum imprint_error error = store_decode_list(view, &list);
    if (error != IMPRINT_OK) {
        return find(check->finding, "a list has an unknown form");
    }
    const struct store_visitor *visitor = check->visitor;
    return visitor->list == NULL || visitor->list(visitor->ctx, &list) ? IMPRINT_OK
                                                                       : IMPRINT_E_INTERNAL;
}

static enum imprint_error visit(struct check *check, enum store_db db,
                                const struct store_view *view)
{
    const struct store_visitor *visitor = check->visitor;
    if (++check->rows > check->rows_max) {
        return find(check->finding, "the tree of %s runs in circles", store_db_names[db]);
    }
    if (check->rows % PROGRESS_ROWS == 0 && visitor->progress != NULL) {
        visitor->progress(visitor->ctx, (double)check->rows / (double)check->rows_expected);
    }
    if (db == STORE_DB_LISTS) {
        return visit_list(check, view);
    }
    if (db == STORE_DB_ENTRIES) {
        return visit_entry(check, view);
    }
    if (db == STORE_DB_AUDIT && store_audit_link(view, check->chain) != IMPRINT_OK) {
        return find(check->finding, "the audit chain is broken");
    }
    return IMPRINT_OK;
}

static enum imprint_error check_rows(struct check *check, enum store_db db, MDB_cursor *cursor)
{
    const struct store_state *state = &check->txn.state;
    MDB_val key;
    MDB_val value;
    uint64_t count = 0;
    uint64_t sum = 0;
    int code;
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        struct store_view view;
        uint64_t row_sum;
        if (store_row_verify(check->txn.file, db, &key, &value, &view, &row_sum) != IMPRINT_OK) {
            return find(check->finding, "a record of %s does not match its checksum",
                        store_db_names[db]);
        }
        count++;
        sum += row_sum;
        enum imprint_error error = visit(check, db, &view);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    if (code != MDB_NOTFOUND) {
        return find(check->finding, "the tree of %s cannot be read: %s", store_db_names[db],
                    mdb_strerror(code));
    }
    if (db != STORE_DB_META && (count != state->counts[db] || sum != state->sums[db])) {
        return find(check->finding,
                    "%s has %llu records where %llu were written, or not those that were written",
                    store_db_names[db], (unsigned long long)count,
                    (unsigned long long)state->counts[db]);
    }
    return IMPRINT_OK;
}

static enum imprint_error check_database(struct check *check, enum store_db db)
{
    MDB_cursor *cursor;
    int code = mdb_cursor_open(check->txn.txn, check->txn.file->dbis[db], &cursor);
    if (code != MDB_SUCCESS) {
        return store_error(check->txn.store, code);
    }
    enum imprint_error error = check_rows(check, db, cursor);
    mdb_cursor_close(cursor);
    return error;
}

static enum imprint_error check_all(struct check *check)
{
    /* What the index needs comes first, so that it can be built while the rest is read. */
    static const enum store_db order[] = {
        STORE_DB_META,        STORE_DB_LISTS,   STORE_DB_ENTRIES, STORE_DB_NAMES,
        STORE_DB_HASHES,      STORE_DB_TIMES,   STORE_DB_CASES,   STORE_DB_CASE_ENTRIES,
        STORE_DB_ENTRY_CASES, STORE_DB_CHANGES, STORE_DB_AUDIT,
    };
    const struct store_state *state = &check->txn.state;
    check->rows_expected = 1;
    for (int db = STORE_DB_META + 1; db < STORE_DB_COUNT; db++) {
        check->rows_expected += state->counts[db];
    }
    if (state->counts[STORE_DB_ENTRIES] != state->counts[STORE_DB_HASHES] ||
        state->counts[STORE_DB_LISTS] != state->counts[STORE_DB_NAMES] ||
        state->counts[STORE_DB_CASE_ENTRIES] != state->counts[STORE_DB_ENTRY_CASES]) {
        return find(check->finding, "the digests contradict each other");
    }
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        enum imprint_error error = check_database(check, order[i]);
        if (error != IMPRINT_OK) {
            return error;
        }
        if (order[i] == STORE_DB_ENTRIES && check->visitor->entries_done != NULL) {
            check->visitor->entries_done(check->visitor->ctx);
        }
    }
    if (memcmp(check->chain, state->chain, sizeof check->chain) != 0) {
        return find(check->finding, "the audit chain does not end where it should");
    }
    return IMPRINT_OK;
}

static enum imprint_error check_open(struct store *store, const char *path, struct check *check,
                                     struct store_file *file)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return IMPRINT_E_IO;
    }
    check->rows_max = (uint64_t)status.st_size / ROW_BYTES_MIN;
    enum imprint_error error = store_tree_check(path, check->finding);
    if (error != IMPRINT_OK) {
        return error;
    }
    /* The size of the map that the file asks for may be damaged too. */
    error = store_file_open(path, MDB_RDONLY | MDB_NOLOCK, (size_t)status.st_size, file);
    if (error == IMPRINT_E_STORE_DAMAGED) {
        return find(check->finding, "the file is no list, or its first pages are damaged");
    }
    if (error == IMPRINT_OK) {
        error = store_file_key(store, file);
        if (error == IMPRINT_E_STORE_DAMAGED) {
            return find(check->finding, "the checksum key or the format record is damaged");
        }
    }
    if (error == IMPRINT_OK) {
        error = store_file_begin(store, file, false, &check->txn);
    }
    if (error == IMPRINT_OK) {
        error = store_state_read(&check->txn, &check->txn.state);
        if (error == IMPRINT_E_STORE_DAMAGED) {
            return find(check->finding, "the state record is damaged");
        }
    }
    return error;
}

enum imprint_error store_check_file(const char *path, const struct store_visitor *visitor,
                                    char out_finding[STORE_FINDING_BYTES])
{
    struct store scratch = {0};
    struct store_file file = {0};
    struct check check = {.visitor = visitor, .finding = out_finding};
    out_finding[0] = '\0';
    enum imprint_error error = check_open(&scratch, path, &check, &file);
    if (error == IMPRINT_OK) {
        error = check_all(&check);
    }
    if (check.txn.txn != NULL) {
        mdb_txn_abort(check.txn.txn);
    }
    store_file_close(&file);
    return error;
}

enum imprint_error store_check(const struct store *store, const struct store_visitor *visitor,
                               char out_finding[STORE_FINDING_BYTES])
{
    char *path = store_path(store, STORE_FILE);
    if (path == NULL) {
        return IMPRINT_E_NOMEM;
    }
    enum imprint_error error = store_check_file(path, visitor, out_finding);
    free(path);
    return error;
}
