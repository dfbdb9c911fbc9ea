/* Replacing the file by a fresh one, and taking copies: what was removed is in neither. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_internal.h"

#define SCRUB_BYTES ((size_t)1 << 20)

static bool overwrite(int fd, off_t len)
{
    uint8_t *zeros = calloc(1, SCRUB_BYTES);
    bool is_good = zeros != NULL;
    for (off_t at = 0; at < len && is_good;) {
        size_t part = (off_t)SCRUB_BYTES < len - at ? SCRUB_BYTES : (size_t)(len - at);
        ssize_t written = pwrite(fd, zeros, part, at);
        is_good = written > 0 || (written < 0 && errno == EINTR);
        at += written > 0 ? written : 0;
    }
    free(zeros);
    return is_good && fdatasync(fd) == 0;
}

/* Overwrites a file of the store's directory and removes it; fine when there is none. A file that
 * is list.mdb by another name only loses that name. */
static enum imprint_error scrub(const struct store *store, const char *name)
{
    struct stat status;
    struct stat list = {0};
    int fd = openat(store->dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return errno == ENOENT ? IMPRINT_OK : IMPRINT_E_IO;
    }
    bool is_good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    bool is_list = fstatat(store->dir_fd, STORE_FILE, &list, 0) == 0 &&
                   list.st_ino == status.st_ino && list.st_dev == status.st_dev;
    if (is_good && !is_list) {
        is_good = overwrite(fd, status.st_size);
    }
    close(fd);
    if (!is_good || unlinkat(store->dir_fd, name, 0) != 0) {
        return IMPRINT_E_IO;
    }
    return store_sync_dir(store);
}

enum imprint_error store_clear_leftovers(struct store *store)
{
    enum imprint_error error = scrub(store, STORE_FILE_OLD);
    return error != IMPRINT_OK ? error : scrub(store, STORE_FILE_NEW);
}

/* The state at this moment, written to path, which must not exist. */
static enum imprint_error write_copy(struct store *store, const char *path)
{
    struct store_txn *txn;
    enum imprint_error error = store_begin_read(store, &txn);
    if (error == IMPRINT_OK) {
        error = store_rewrite(txn, path);
        store_abort(txn);
    }
    return error;
}

/* With the gate closed: the old file keeps a second name until it is overwritten. */
static enum imprint_error swap_files(struct store *store, const char *path)
{
    int fd = store->dir_fd;
    if (linkat(fd, STORE_FILE, fd, STORE_FILE_OLD, 0) != 0 ||
        renameat(fd, STORE_FILE_NEW, fd, STORE_FILE) != 0) {
        return IMPRINT_E_IO;
    }
    enum imprint_error error = store_sync_dir(store);
    store_file_close(&store->file);
    enum imprint_error opened = store_file_open(path, 0, store->map_bytes, &store->file);
    if (opened == IMPRINT_OK) {
        opened = store_file_key(store, &store->file);
    }
    if (opened == IMPRINT_OK) {
        opened = store_room(store, 0);
        /* Without a reserve it serves no worse than a full disk does. */
        opened = opened == IMPRINT_E_STORE_FULL ? IMPRINT_OK : opened;
    }
    return opened != IMPRINT_OK ? opened : error;
}

enum imprint_error store_compact(struct store *store)
{
    char *path = store_path(store, STORE_FILE);
    char *path_new = store_path(store, STORE_FILE_NEW);
    enum imprint_error error = IMPRINT_E_NOMEM;
    if (path != NULL && path_new != NULL) {
        error = store_clear_leftovers(store);
    }
    if (error == IMPRINT_OK) {
        error = write_copy(store, path_new);
    }
    if (error == IMPRINT_OK) {
        pthread_rwlock_wrlock(&store->gate);
        error = swap_files(store, path);
        pthread_rwlock_unlock(&store->gate);
    }
    enum imprint_error cleared =
        path != NULL && path_new != NULL ? store_clear_leftovers(store) : IMPRINT_OK;
    free(path);
    free(path_new);
    return error != IMPRINT_OK ? error : cleared;
}

enum imprint_error store_backup(struct store *store, const char *path)
{
    static const struct store_visitor nobody = {0};
    char finding[STORE_FINDING_BYTES];
    enum imprint_error error = write_copy(store, path);
    if (error == IMPRINT_OK) {
        error = store_check_file(path, &nobody, finding);
    }
    return error;
}
