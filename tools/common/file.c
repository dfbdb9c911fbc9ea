#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_SUFFIX_LETTERS = 6, FILE_TRIES = 100 };

/* --- Reading --------------------------------------------------------------------------------- */

/* Fresh pages for up to capacity bytes. Locking is as good as the system grants: a phone picture
 * fits the usual limit, a big one may not, and then hashing it still matters more. */
static enum imprint_error file_map(struct file_bytes *file, size_t capacity)
{
    void *bytes = mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED) {
        return IMPRINT_E_NOMEM;
    }
    (void)madvise(bytes, capacity, MADV_DONTDUMP);
    (void)mlock2(bytes, capacity, MLOCK_ONFAULT);
    *file = (struct file_bytes){.bytes = bytes, .capacity = capacity};
    return IMPRINT_OK;
}

void file_free(struct file_bytes *file)
{
    if (file != NULL && file->bytes != NULL) {
        explicit_bzero(file->bytes, file->len);
        munmap(file->bytes, file->capacity);
        *file = (struct file_bytes){0};
    }
}

/* Fills the mapping, whose last byte is one too many for a file of the allowed size. */
static enum imprint_error file_fill(int fd, struct file_bytes *file)
{
    while (file->len < file->capacity) {
        const ssize_t got = read(fd, file->bytes + file->len, file->capacity - file->len);
        if (got == 0) {
            return IMPRINT_OK;
        }
        if (got < 0 && errno != EINTR) {
            return IMPRINT_E_IO;
        }
        file->len += got > 0 ? (size_t)got : 0;
    }
    return IMPRINT_OK;
}

static enum imprint_error file_read_fd(int fd, size_t bytes_max, enum imprint_error too_large,
                                       struct file_bytes *out_file)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0) {
        return IMPRINT_E_IO;
    }
    if (S_ISDIR(stat.st_mode)) {
        errno = EISDIR;
        return IMPRINT_E_IO;
    }
    size_t capacity = bytes_max + 1;
    if (S_ISREG(stat.st_mode)) {
        if ((uintmax_t)stat.st_size > bytes_max) {
            return too_large;
        }
        capacity = (size_t)stat.st_size + 1;
    }
    struct file_bytes file;
    enum imprint_error error = file_map(&file, capacity);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = file_fill(fd, &file);
    if (error == IMPRINT_OK && file.len > bytes_max) {
        error = too_large;
    } else if (error == IMPRINT_OK && S_ISREG(stat.st_mode) && file.len == capacity) {
        errno = EBUSY; /* it grows while we read */
        error = IMPRINT_E_IO;
    }
    if (error != IMPRINT_OK) {
        const int saved = errno;
        file_free(&file);
        errno = saved;
        return error;
    }
    *out_file = file;
    return IMPRINT_OK;
}

enum imprint_error file_read(const char *path, size_t bytes_max, enum imprint_error too_large,
                             struct file_bytes *out_file)
{
    if (strcmp(path, "-") == 0) {
        return file_read_fd(STDIN_FILENO, bytes_max, too_large, out_file);
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return IMPRINT_E_IO;
    }
    const enum imprint_error error = file_read_fd(fd, bytes_max, too_large, out_file);
    const int saved = errno;
    close(fd);
    errno = saved;
    return error;
}

/* --- Writing --------------------------------------------------------------------------------- */

static enum imprint_error file_write_all(int fd, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len != 0) {
        const ssize_t put = write(fd, at, len);
        if (put < 0 && errno != EINTR) {
            return IMPRINT_E_IO;
        }
        at += put > 0 ? put : 0;
        len -= put > 0 ? (size_t)put : 0;
    }
    return fsync(fd) == 0 ? IMPRINT_OK : IMPRINT_E_IO;
}

/* Gives temporary its name. File systems of memory sticks know neither flags nor links: there the
 * check and the rename are two steps, which only matters if somebody makes the same file meanwhile.
 */
static enum imprint_error file_name(const char *temporary, const char *path,
                                    enum file_overwrite overwrite)
{
    if (overwrite == FILE_REPLACE) {
        return rename(temporary, path) == 0 ? IMPRINT_OK : IMPRINT_E_IO;
    }
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0) {
        return IMPRINT_OK;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return IMPRINT_E_IO;
    }
    struct stat stat;
    if (lstat(path, &stat) == 0) {
        errno = EEXIST;
        return IMPRINT_E_IO;
    }
    return rename(temporary, path) == 0 ? IMPRINT_OK : IMPRINT_E_IO;
}

/* The directory entry is durable too, where the file system can say so. */
static void file_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const size_t len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (len >= sizeof folder) {
        return;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    const int fd = open(len != 0 ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

/* Makes a new file of mode 0600, its last six letters chosen here; -1 with errno. mkostemp would
 * open it for reading too, which the companion's cage does not allow. */
static int file_make_beside(char *temporary)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    char *end = temporary + strlen(temporary) - FILE_SUFFIX_LETTERS;
    for (int i = 0; i < FILE_TRIES; i++) {
        uint8_t random[FILE_SUFFIX_LETTERS];
        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
            return -1;
        }
        for (size_t n = 0; n < FILE_SUFFIX_LETTERS; n++) {
            end[n] = letters[random[n] % 32];
        }
        const int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static enum imprint_error file_write_blocked(const char *path, const void *bytes, size_t len,
                                             enum file_overwrite overwrite)
{
    struct stat stat;
    if (overwrite == FILE_KEEP && lstat(path, &stat) == 0) {
        errno = EEXIST;
        return IMPRINT_E_IO;
    }
    char temporary[PATH_MAX];
    const int n = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return IMPRINT_E_IO;
    }
    const int fd = file_make_beside(temporary);
    if (fd < 0) {
        return IMPRINT_E_IO;
    }
    enum imprint_error error = file_write_all(fd, bytes, len);
    if (close(fd) != 0 && error == IMPRINT_OK) {
        error = IMPRINT_E_IO;
    }
    if (error == IMPRINT_OK) {
        error = file_name(temporary, path, overwrite);
    }
    if (error != IMPRINT_OK) {
        const int saved = errno;
        unlink(temporary);
        errno = saved;
        return error;
    }
    file_sync_folder(path);
    return IMPRINT_OK;
}

enum imprint_error file_write(const char *path, const void *bytes, size_t len,
                              enum file_overwrite overwrite)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    const enum imprint_error error = file_write_blocked(path, bytes, len, overwrite);
    const int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return error;
}
