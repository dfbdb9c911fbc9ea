/* paths.h - the files that arguments stand for: a folder is every file in it, in order of name.
 *
 * Ownership: struct paths is the caller's between paths_open and paths_done.
 * Errors:    IMPRINT_E_NOMEM, IMPRINT_E_BODY_TOO_LARGE over PATHS_MAX files.
 * Threads:   one. Folders are read; files are not opened.
 */
#ifndef IMPRINT_PATHS_H
#define IMPRINT_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "imprint/error.h"

#define PATHS_MAX 100000

struct path {
    char *name;
    bool is_found; /* in a folder; not named itself, so it need not be a picture */
};

struct paths {
    struct path *items;
    size_t count;
    size_t capacity;
};

/* Arguments that are not there, or that are "-", are kept as they are. Links in folders are not
 * followed. */
IMPRINT_MUST_USE enum imprint_error paths_open(char *const *arguments, size_t argument_count,
                                               struct paths *out_paths);
void paths_done(struct paths *paths);

/* A file that merely lay in a folder and is no picture: nothing to complain about. */
bool paths_is_no_matter(const struct path *path, enum imprint_error error);

#endif
