/* file.h - whole files in and out, with care for what they hold.
 *
 * Why:       a picture's bytes must not reach swap or a core file, and a report must be there whole
 *            or not at all.
 * Ownership: file_bytes are the caller's until file_free, which wipes them.
 * Errors:    IMPRINT_E_IO with errno telling more, IMPRINT_E_NOMEM, and as named.
 * Threads:   any, one file each.
 */
#ifndef TOOLS_FILE_H
#define TOOLS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"

struct file_bytes {
    uint8_t *bytes;
    size_t len;
    size_t capacity; /* of the mapping */
};

/* Reads a file, or standard input for "-", into memory that is kept out of core files and, as far
 * as the system allows, out of swap. A file over bytes_max is too_large. A directory is
 * IMPRINT_E_IO with EISDIR. */
IMPRINT_MUST_USE enum imprint_error file_read(const char *path, size_t bytes_max,
                                              enum imprint_error too_large,
                                              struct file_bytes *out_file);
/* NULL or a zeroed struct is allowed. */
void file_free(struct file_bytes *file);

enum file_overwrite {
    FILE_KEEP,    /* an existing file is IMPRINT_E_IO with EEXIST */
    FILE_REPLACE, /* an existing file is replaced */
};

/* Writes a file of mode 0600 under a name beside path, makes it durable, then gives it its name;
 * signals wait meanwhile. So path is whole or as it was, also after Ctrl-C. */
IMPRINT_MUST_USE enum imprint_error file_write(const char *path, const void *bytes, size_t len,
                                               enum file_overwrite overwrite);

#endif
