/* The store as a whole: its directory, its transactions, the room it has on disk and in memory. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "store_internal.h"

/* LMDB's lock file is a sparse map: on a full disk the first touch of a page would be a SIGBUS.
 * This is more than the slots of LIMIT_STORE_READERS_MAX readers take. */
#define LOCK_FILE_BYTES (128 * (LIMIT_STORE_READERS_MAX + 4))

static enum imprint_error dir_open(struct store *store)
{
    if (mkdir(store->dir, 0700) != 0 && errno != EEXIST) {
        return errno == ENOSPC ? IMPRINT_E_STORE_FULL : IMPRINT_E_IO;
    }
    store->dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->dir_fd < 0) {
        return IMPRINT_E_IO;
    }
    if (flock(store->dir_fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? IMPRINT_E_BUSY : IMPRINT_E_IO;
    }
    return IMPRINT_OK;
}

enum imprint_error store_sync_dir(const struct store *store)
{
    return fsync(store->dir_fd) == 0 ? IMPRINT_OK : IMPRINT_E_IO;
}

/* Writes an empty list beside and renames it, so that list.mdb is complete from its first moment.
 */
static enum imprint_error list_create(struct store *store)
{
    char *path = store_path(store, STORE_FILE_NEW);
    if (path == NULL) {
        return IMPRINT_E_NOMEM;
    }
    struct store_file file = {0};
    struct store_txn txn;
    struct store_state state = {.next_entry = 1, .next_list = 1};
    randombytes_buf(state.epoch, sizeof state.epoch);
    enum imprint_error error = store_file_create(path, store->map_bytes, &file);
    if (error == IMPRINT_OK) {
        randombytes_buf(file.key, sizeof file.key);
        error = store_file_begin(store, &file, true, &txn);
    }
    if (error == IMPRINT_OK) {
        error = store_meta_create(&txn, &state);
        if (error == IMPRINT_OK) {
            error = store_error(store, mdb_txn_commit(txn.txn));
        } else {
            mdb_txn_abort(txn.txn);
        }
    }
    store_file_close(&file);
    free(path);
    if (error == IMPRINT_OK &&
        renameat(store->dir_fd, STORE_FILE_NEW, store->dir_fd, STORE_FILE) != 0) {
        error = IMPRINT_E_IO;
    }
    return error == IMPRINT_OK ? store_sync_dir(store) : error;
}

enum imprint_error store_open(const struct store_options *options, struct store **out_store)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL || sodium_init() < 0) {
        free(store);
        return IMPRINT_E_NOMEM;
    }
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&store->gate, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    store->dir_fd = -1;
    store->map_bytes = options->map_bytes != 0 ? options->map_bytes : LIMIT_STORE_MAP_BYTES;
    store->reserve = options->reserve != 0 ? options->reserve : LIMIT_STORE_RESERVE_BYTES;
    store->dir = strdup(options->dir);
    enum imprint_error error = store->dir != NULL ? dir_open(store) : IMPRINT_E_NOMEM;
    if (error == IMPRINT_OK) {
        error = store_clear_leftovers(store);
    }
    if (error == IMPRINT_OK && faccessat(store->dir_fd, STORE_FILE, F_OK, 0) != 0) {
        error = errno == ENOENT ? list_create(store) : IMPRINT_E_IO;
    }
    if (error != IMPRINT_OK) {
        store_close(store);
        return error;
    }
    *out_store = store;
    return IMPRINT_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_file_close(&store->file);
    pthread_rwlock_destroy(&store->gate);
    if (store->dir_fd >= 0) {
        close(store->dir_fd);
    }
    free(store->dir);
    free(store);
}

/* --- Room ------------------------------------------------------------------------------------ */

static enum imprint_error lock_file_prepare(const struct store *store)
{
    int fd = openat(store->dir_fd, STORE_FILE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == ENOSPC ? IMPRINT_E_STORE_FULL : IMPRINT_E_IO;
    }
    int code = posix_fallocate(fd, 0, LOCK_FILE_BYTES);
    close(fd);
    if (code == ENOSPC || code == EDQUOT) {
        return IMPRINT_E_STORE_FULL;
    }
    return code == 0 ? IMPRINT_OK : IMPRINT_E_IO;
}

static size_t used_bytes(const struct store *store)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->file.env, &info);
    mdb_env_stat(store->file.env, &stat);
    return (info.me_last_pgno + 1) * stat.ms_psize;
}

enum imprint_error store_room(struct store *store, size_t bytes)
{
    mdb_filehandle_t fd;
    struct stat status;
    if (mdb_env_get_fd(store->file.env, &fd) != MDB_SUCCESS || fstat(fd, &status) != 0) {
        return IMPRINT_E_IO;
    }
    off_t need = (off_t)(used_bytes(store) + bytes + store->reserve);
    if (status.st_size >= need) {
        return IMPRINT_OK;
    }
    if (fallocate(fd, 0, 0, need + (off_t)LIMIT_STORE_EXTEND_BYTES) == 0 ||
        fallocate(fd, 0, 0, need) == 0) {
        return IMPRINT_OK;
    }
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return IMPRINT_E_STORE_FULL;
    case EOPNOTSUPP:
    case EINTR: return IMPRINT_OK; /* then LMDB finds out by itself */
    default: return IMPRINT_E_IO;
    }
}

static enum imprint_error map_resize(struct store *store, size_t bytes)
{
    pthread_rwlock_wrlock(&store->gate);
    int code = mdb_env_set_mapsize(store->file.env, bytes);
    if (code == MDB_SUCCESS) {
        store->map_bytes = bytes;
    }
    pthread_rwlock_unlock(&store->gate);
    return store_error(store, code);
}

bool store_grow(struct store *store)
{
    if (!store->is_map_full || store->map_bytes > SIZE_MAX / 4) {
        return false;
    }
    store->is_map_full = false;
    return map_resize(store, store->map_bytes * 2) == IMPRINT_OK;
}

static enum imprint_error map_make(struct store *store, size_t bytes)
{
    size_t need = used_bytes(store) + 2 * bytes + store->reserve;
    size_t map_bytes = store->map_bytes;
    while (map_bytes / 4 * 3 < need && map_bytes <= SIZE_MAX / 4) {
        map_bytes *= 2;
    }
    return map_bytes == store->map_bytes ? IMPRINT_OK : map_resize(store, map_bytes);
}

enum imprint_error store_start(struct store *store)
{
    enum imprint_error error = lock_file_prepare(store);
    if (error != IMPRINT_OK) {
        return error;
    }
    char *path = store_path(store, STORE_FILE);
    if (path == NULL) {
        return IMPRINT_E_NOMEM;
    }
    error = store_file_open(path, 0, store->map_bytes, &store->file);
    free(path);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = store_file_key(store, &store->file);
    if (error == IMPRINT_OK) {
        MDB_envinfo info;
        mdb_env_info(store->file.env, &info);
        store->map_bytes = info.me_mapsize;
        store_clear_readers(store);
        error = map_make(store, 0);
    }
    if (error == IMPRINT_OK) {
        /* A full disk is no reason not to serve. */
        error = store_room(store, 0);
        error = error == IMPRINT_E_STORE_FULL ? IMPRINT_OK : error;
    }
    if (error != IMPRINT_OK) {
        store_file_close(&store->file);
    }
    return error;
}

void store_clear_readers(struct store *store)
{
    pthread_rwlock_rdlock(&store->gate);
    if (store->file.env != NULL) {
        int dead;
        mdb_reader_check(store->file.env, &dead);
    }
    pthread_rwlock_unlock(&store->gate);
}

void store_size(struct store *store, uint64_t *out_file_bytes, uint64_t *out_used_bytes)
{
    struct stat status = {0};
    pthread_rwlock_rdlock(&store->gate);
    if (fstatat(store->dir_fd, STORE_FILE, &status, 0) != 0) {
        status.st_size = 0;
    }
    *out_file_bytes = (uint64_t)status.st_size;
    *out_used_bytes = store->file.env != NULL ? used_bytes(store) : 0;
    pthread_rwlock_unlock(&store->gate);
}

/* --- Transactions ---------------------------------------------------------------------------- */

static enum imprint_error begin(struct store *store, bool is_write, struct store_txn **out_txn)
{
    struct store_txn *txn = calloc(1, sizeof *txn);
    if (txn == NULL) {
        return IMPRINT_E_NOMEM;
    }
    pthread_rwlock_rdlock(&store->gate);
    enum imprint_error error = store->file.env != NULL
                                   ? store_file_begin(store, &store->file, is_write, txn)
                                   : IMPRINT_E_IO;
    if (error == IMPRINT_OK) {
        error = store_state_read(txn, &txn->state);
        if (error != IMPRINT_OK) {
            mdb_txn_abort(txn->txn);
        }
    }
    if (error != IMPRINT_OK) {
        pthread_rwlock_unlock(&store->gate);
        free(txn);
        return error;
    }
    *out_txn = txn;
    return IMPRINT_OK;
}

enum imprint_error store_begin_read(struct store *store, struct store_txn **out_txn)
{
    return begin(store, false, out_txn);
}

enum imprint_error store_begin_write(struct store *store, size_t bytes, struct store_txn **out_txn)
{
    if (store->file.env == NULL) {
        return IMPRINT_E_IO;
    }
    enum imprint_error error = map_make(store, bytes);
    if (error == IMPRINT_OK && bytes > 0) {
        error = store_room(store, bytes);
    }
    return error != IMPRINT_OK ? error : begin(store, true, out_txn);
}

static void txn_end(struct store_txn *txn)
{
    pthread_rwlock_unlock(&txn->store->gate);
    free(txn);
}

enum imprint_error store_commit(struct store_txn *txn)
{
    enum imprint_error error = store_state_write(txn);
    if (error == IMPRINT_OK) {
        error = store_error(txn->store, mdb_txn_commit(txn->txn));
    } else {
        mdb_txn_abort(txn->txn);
    }
    txn_end(txn);
    return error;
}

void store_abort(struct store_txn *txn)
{
    if (txn != NULL) {
        mdb_txn_abort(txn->txn);
        txn_end(txn);
    }
}

uint64_t store_writes(const struct store_txn *txn)
{
    return txn->writes;
}

struct store_totals store_totals(const struct store_txn *txn)
{
    const struct store_state *state = &txn->state;
    struct store_totals totals = {.seq = state->seq,
                                  .entries = state->counts[STORE_DB_ENTRIES],
                                  .lists = state->counts[STORE_DB_LISTS],
                                  .cases = state->counts[STORE_DB_CASES]};
    memcpy(totals.epoch, state->epoch, sizeof totals.epoch);
    memcpy(totals.chain, state->chain, sizeof totals.chain);
    return totals;
}
