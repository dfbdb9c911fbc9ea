/* cage.h - the companion's own cage: once in it, a decoder that a picture has taken over can read
 * the files that were named, write where the report goes, and do nothing else.
 *
 * Why:     pictures come from strangers, and hashing them must not open the device to those.
 * How:     Landlock lets through the named paths only; seccomp refuses every system call that
 *          hashing and saving do not need, first of all sockets and new programs. Both last until
 *          the process ends.
 * Threads: one, before any other is started.
 */
#ifndef IMPRINT_CAGE_H
#define IMPRINT_CAGE_H

#include <stdbool.h>
#include <stddef.h>

struct cage_paths {
    char *const *readable; /* files, or folders with all that is in them; what is not there is
                              passed over */
    size_t count;
    const char *output; /* a file to be made: its folder may be written; NULL: none */
};

enum cage_result {
    CAGE_FULL,     /* both walls stand */
    CAGE_PARTIAL,  /* no Landlock here: any file may be read, still no network and no program */
    CAGE_NOT_HERE, /* this system has no seccomp: nothing was changed */
};

enum cage_result cage_enter(const struct cage_paths *paths);

#endif
