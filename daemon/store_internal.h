/* store_internal.h - what the files of store share: databases, rows, the state record.
 *
 * A row is built in a buffer as tag, key, value, checksum, so that the checksum covers one run of
 * bytes: the tag is the database's number, which keeps a row from being valid in another one.
 */
#ifndef DAEMON_STORE_INTERNAL_H
#define DAEMON_STORE_INTERNAL_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <lmdb.h>

#include "store.h"

/* Stored in each row's checksum: never renumber. */
enum store_db {
    STORE_DB_META = 0,
    STORE_DB_LISTS,
    STORE_DB_NAMES,
    STORE_DB_ENTRIES,
    STORE_DB_HASHES,
    STORE_DB_TIMES,
    STORE_DB_CASES,
    STORE_DB_CASE_ENTRIES,
    STORE_DB_ENTRY_CASES,
    STORE_DB_CHANGES,
    STORE_DB_AUDIT,
    STORE_DB_COUNT
};

#define STORE_FORMAT         1 /* of the file; the first thing read */
#define STORE_RECORD_VERSION 1 /* of each record */
#define STORE_KEY_BYTES      16
#define STORE_SUM_BYTES      8
#define STORE_ROW_KEY_MAX    LIMIT_LIST_NAME_BYTES_MAX
#define STORE_ROW_VALUE_MAX  640
#define STORE_FILE           "list.mdb"
#define STORE_FILE_NEW       "list.mdb.new"
#define STORE_FILE_OLD       "list.mdb.old"
#define STORE_FILE_LOCK      "list.mdb-lock"

/* The record that changes with every transaction. */
struct store_state {
    uint64_t seq;
    uint64_t next_entry;
    uint32_t next_list;
    uint8_t epoch[16];
    uint8_t chain[RECORD_CHAIN_BYTES];
    uint64_t counts[STORE_DB_COUNT]; /* rows of a database; unused for meta */
    uint64_t sums[STORE_DB_COUNT];   /* of their checksums, modulo 2^64 */
};

/* Of its record, without the checksum; the last eight are the transaction's number. */
#define STORE_STATE_BYTES (8 + 8 + 8 + 16 + RECORD_CHAIN_BYTES + (STORE_DB_COUNT - 1) * 16 + 8)

/* An opened file. */
struct store_file {
    MDB_env *env;
    MDB_dbi dbis[STORE_DB_COUNT];
    uint8_t key[STORE_KEY_BYTES];
};

struct store {
    char *dir;
    int dir_fd; /* also holds the lock that keeps other processes out */
    struct store_file file;
    pthread_rwlock_t gate; /* shared by transactions; exclusive to resize or replace the file */
    size_t map_bytes;
    size_t reserve;
    bool is_map_full;
};

struct store_txn {
    struct store *store;
    MDB_txn *txn;
    const struct store_file *file;
    struct store_state state;
    uint64_t writes;
    bool is_write;
};

struct store_row {
    enum store_db db;
    size_t key_len;
    size_t value_len; /* without the checksum */
    uint8_t bytes[1 + STORE_ROW_KEY_MAX + STORE_ROW_VALUE_MAX + STORE_SUM_BYTES];
};

/* A row as read, verified; points into the map and lives as long as the transaction's next write.
 */
struct store_view {
    const uint8_t *key;
    size_t key_len;
    const uint8_t *value;
    size_t value_len; /* without the checksum */
};

/* --- Bytes ----------------------------------------------------------------------------------- */

static inline void store_put_le(uint8_t *bytes, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

static inline uint64_t store_get_le(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

/* Keys are big-endian, so that their order is that of the numbers. */
static inline void store_put_be(uint8_t *bytes, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
}

static inline uint64_t store_get_be(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* --- Rows: store_row.c ----------------------------------------------------------------------- */

void store_row_init(struct store_row *row, enum store_db db);
void store_row_key(struct store_row *row, const void *bytes, size_t len);
void store_row_key_number(struct store_row *row, uint64_t value, size_t len);
/* After the whole key. */
void store_row_bytes(struct store_row *row, const void *bytes, size_t len);
void store_row_number(struct store_row *row, uint64_t value, size_t len);

/* For databases whose whole content is in the key: a version byte is their value. */
enum imprint_error store_row_insert_mark(struct store_txn *txn, struct store_row *row);

enum imprint_error store_row_put(struct store_txn *txn, struct store_row *row);
/* missing is returned where there is no such row. */
enum imprint_error store_row_delete(struct store_txn *txn, const struct store_row *row,
                                    enum imprint_error missing);
enum imprint_error store_row_get(struct store_txn *txn, const struct store_row *row,
                                 enum imprint_error missing, struct store_view *out_view);
/* The first row whose key is at or above row's. */
enum imprint_error store_row_seek(struct store_txn *txn, const struct store_row *row,
                                  enum imprint_error missing, struct store_view *out_view);

/* Checksum and version of a row as it lies in the file; IMPRINT_E_STORE_DAMAGED. */
enum imprint_error store_row_verify(const struct store_file *file, enum store_db db,
                                    const MDB_val *key, const MDB_val *value,
                                    struct store_view *out_view, uint64_t *out_sum);

/* Rows in order from a key on. Zeroed is closed. */
struct store_cursor {
    struct store_txn *txn;
    MDB_cursor *cursor;
    enum store_db db;
    bool is_started;
};
enum imprint_error store_cursor_open(struct store_txn *txn, enum store_db db,
                                     struct store_cursor *out_cursor);
void store_cursor_close(struct store_cursor *cursor);
/* The first row at or above start the first time, then the next. start may be NULL. */
enum imprint_error store_cursor_next(struct store_cursor *cursor, const struct store_row *start,
                                     struct store_view *out_view, bool *out_is_end);

enum imprint_error store_error(struct store *store, int code);

/* --- Records --------------------------------------------------------------------------------- */

enum imprint_error store_decode_list(const struct store_view *view, struct record_list *out_list);
enum imprint_error store_decode_entry(const struct store_view *view, struct store_entry *out_entry);
enum imprint_error store_decode_case(const struct store_view *view, struct record_case *out_case);
enum imprint_error store_decode_audit(const struct store_view *view,
                                      struct record_audit *out_record);
enum imprint_error store_decode_change(const struct store_view *view,
                                       struct record_change *out_change);
/* The row of a record, without its checksum; of an audit record without its chain. What a decoder
 * takes is encoded as the same bytes. */
void store_encode_list(const struct record_list *list, struct store_row *out_row);
void store_encode_entry(const struct store_entry *entry, struct store_row *out_row);
void store_encode_case(const struct record_case *record, struct store_row *out_row);
void store_encode_audit(const struct record_audit *record, struct store_row *out_row);
void store_encode_change(const struct record_change *change, struct store_row *out_row);
enum imprint_error store_list_count(struct store_txn *txn, uint32_t list, int64_t delta);
enum imprint_error store_change_put(struct store_txn *txn, const struct record_change *change);
enum imprint_error store_change_delete(struct store_txn *txn, uint64_t seq);
/* chain := hash of chain and of the record's bytes without its own chain. */
enum imprint_error store_audit_link(const struct store_view *view,
                                    uint8_t chain[RECORD_CHAIN_BYTES]);
enum imprint_error store_case_of_entry(struct store_txn *txn, struct store_entry *entry);
enum imprint_error store_entry_unlink_all(struct store_txn *txn, uint64_t entry);
enum imprint_error store_list_clear_cases(struct store_txn *txn, uint32_t list);

/* --- Files: store_file.c --------------------------------------------------------------------- */

extern const char *const store_db_names[STORE_DB_COUNT];

/* A path in the store's directory, to be freed; NULL without memory. */
char *store_path(const struct store *store, const char *name);
enum imprint_error store_file_open(const char *path, unsigned flags, size_t map_bytes,
                                   struct store_file *out_file);
void store_file_close(struct store_file *file);
/* An empty database file, without the key, format and state. */
enum imprint_error store_file_create(const char *path, size_t map_bytes,
                                     struct store_file *out_file);
enum imprint_error store_meta_create(struct store_txn *txn, const struct store_state *state);
enum imprint_error store_state_read(struct store_txn *txn, struct store_state *out_state);
enum imprint_error store_state_write(struct store_txn *txn);
/* Reads the format and the key of an opened file; IMPRINT_E_STORE_VERSION. */
enum imprint_error store_file_key(struct store *store, struct store_file *file);
/* A transaction outside the gate. */
enum imprint_error store_file_begin(struct store *store, const struct store_file *file,
                                    bool is_write, struct store_txn *out_txn);
/* Overwrites and removes what an interrupted compaction left: store_compact.c. */
enum imprint_error store_clear_leftovers(struct store *store);
enum imprint_error store_sync_dir(const struct store *store);
/* Makes the file so long that bytes more and the reserve fit: what is allocated cannot run out.
 * Between transactions. */
enum imprint_error store_room(struct store *store, size_t bytes);
/* The shape of a file, page by page, before LMDB reads it: store_tree.c. */
enum imprint_error store_tree_check(const char *path, char out_finding[STORE_FINDING_BYTES]);
enum imprint_error store_check_file(const char *path, const struct store_visitor *visitor,
                                    char out_finding[STORE_FINDING_BYTES]);
/* Copies all rows of a reading transaction to a file that does not exist yet. */
enum imprint_error store_rewrite(struct store_txn *from, const char *path);

#endif
