/* Runs every file of the given files and folders through a fuzz target, in the order of their
 * names.
 *
 * A corpus that is not there or empty is a failure, so that a test cannot pass by testing nothing.
 * Each input stands in memory of exactly its length: one byte too far is noticed by the sanitizer.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

/* What one input may hold; libFuzzer's own default is 4 KiB, and found inputs are small. */
#define REPLAY_INPUT_BYTES_MAX ((long)16 << 20)

static bool replay_failed(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    return false;
}

static bool replay_stream(const char *path, FILE *file)
{
    if (fseek(file, 0, SEEK_END) != 0) {
        return replay_failed(path, strerror(errno));
    }
    const long len = ftell(file);
    if (len < 0 || len > REPLAY_INPUT_BYTES_MAX) {
        return replay_failed(path, "cannot be measured, or is too large for an input");
    }
    rewind(file);
    uint8_t *bytes = malloc(len > 0 ? (size_t)len : 1);
    if (bytes == NULL) {
        return replay_failed(path, strerror(errno));
    }
    const bool is_read = fread(bytes, 1, (size_t)len, file) == (size_t)len;
    if (is_read) {
        LLVMFuzzerTestOneInput(bytes, (size_t)len);
    }
    free(bytes);
    return is_read || replay_failed(path, "cannot be read");
}

static bool replay_file(const char *path, size_t *count)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return replay_failed(path, strerror(errno));
    }
    const bool is_fine = replay_stream(path, file);
    fclose(file);
    *count += 1;
    return is_fine;
}

static int replay_is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool replay_folder(const char *path, size_t *count)
{
    struct dirent **entries = NULL;
    const int found = scandir(path, &entries, replay_is_visible, alphasort);
    if (found < 0) {
        return replay_failed(path, strerror(errno));
    }
    bool is_fine = true;
    for (int i = 0; i < found; i++) {
        char name[4096];
        const int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        is_fine = len > 0 && (size_t)len < sizeof name && replay_file(name, count) && is_fine;
        free(entries[i]);
    }
    free(entries);
    return is_fine;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    bool is_fine = true;
    for (int i = 1; i < argc; i++) {
        struct stat status;
        if (stat(argv[i], &status) != 0) {
            is_fine = replay_failed(argv[i], strerror(errno));
        } else if (S_ISDIR(status.st_mode)) {
            is_fine = replay_folder(argv[i], &count) && is_fine;
        } else {
            is_fine = replay_file(argv[i], &count) && is_fine;
        }
    }
    printf("%zu inputs\n", count);
    return is_fine && count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
