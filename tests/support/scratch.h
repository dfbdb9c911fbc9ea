/* scratch.h - a directory of its own for each test, removed afterwards. The test's state is its
 * path.
 */
#ifndef TESTS_SUPPORT_SCRATCH_H
#define TESTS_SUPPORT_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int scratch_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline int scratch_make_in(void **state, const char *base)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/imprint-test-XXXXXX", base);
    if (mkdtemp(path) == NULL) {
        return -1;
    }
    *state = strdup(path);
    return *state != NULL ? 0 : -1;
}

static inline int scratch_make(void **state)
{
    const char *base = getenv("TMPDIR");
    return scratch_make_in(state, base != NULL ? base : "/tmp");
}

/* In memory where that is to be had: for thousands of commits whose syncs prove nothing. */
static inline int scratch_make_fast(void **state)
{
    return access("/dev/shm", W_OK) == 0 ? scratch_make_in(state, "/dev/shm") : scratch_make(state);
}

static inline int scratch_clear(void **state)
{
    int code = nftw(*state, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return code;
}

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_clear)

#define scratch_test_fast(name) \
    cmocka_unit_test_setup_teardown(name, scratch_make_fast, scratch_clear)

#endif
