#include "paths.h"

#include <fts.h>
#include <stdlib.h>
#include <string.h>

static enum imprint_error paths_add(struct paths *paths, const char *name, bool is_found)
{
    if (paths->count == PATHS_MAX) {
        return IMPRINT_E_BODY_TOO_LARGE;
    }
    if (paths->count == paths->capacity) {
        const size_t capacity = paths->capacity != 0 ? paths->capacity * 2 : 64;
        struct path *items = reallocarray(paths->items, capacity, sizeof *items);
        if (items == NULL) {
            return IMPRINT_E_NOMEM;
        }
        paths->items = items;
        paths->capacity = capacity;
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        return IMPRINT_E_NOMEM;
    }
    paths->items[paths->count++] = (struct path){.name = copy, .is_found = is_found};
    return IMPRINT_OK;
}

static int paths_compare(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* One argument, and all below it. */
static enum imprint_error paths_walk(struct paths *paths, char *argument)
{
    char *const roots[] = {argument, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, paths_compare);
    if (walk == NULL) {
        return IMPRINT_E_NOMEM;
    }
    enum imprint_error error = IMPRINT_OK;
    const FTSENT *entry = NULL;
    while (error == IMPRINT_OK && (entry = fts_read(walk)) != NULL) {
        const bool is_found = entry->fts_level > 0;
        /* A folder that cannot be read is kept: opening it will say so. */
        if (entry->fts_info == FTS_F || entry->fts_info == FTS_DNR ||
            (!is_found && entry->fts_info != FTS_D && entry->fts_info != FTS_DP)) {
            error = paths_add(paths, entry->fts_path, is_found && entry->fts_info == FTS_F);
        }
    }
    fts_close(walk);
    return error;
}

enum imprint_error paths_open(char *const *arguments, size_t argument_count,
                              struct paths *out_paths)
{
    struct paths paths = {0};
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < argument_count && error == IMPRINT_OK; i++) {
        const bool is_plain = strcmp(arguments[i], "-") == 0 || arguments[i][0] == '\0';
        error =
            is_plain ? paths_add(&paths, arguments[i], false) : paths_walk(&paths, arguments[i]);
    }
    if (error != IMPRINT_OK) {
        paths_done(&paths);
        return error;
    }
    *out_paths = paths;
    return IMPRINT_OK;
}

void paths_done(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++) {
        explicit_bzero(paths->items[i].name, strlen(paths->items[i].name));
        free(paths->items[i].name);
    }
    free(paths->items);
    *paths = (struct paths){0};
}

bool paths_is_no_matter(const struct path *path, enum imprint_error error)
{
    return path->is_found && (error == IMPRINT_E_IMAGE_UNKNOWN || error == IMPRINT_E_IMAGE_EMPTY);
}
