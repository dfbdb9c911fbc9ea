/* fuzz.h - the one function a fuzz target is.
 *
 * Why:     the same source is linked with libFuzzer (preset fuzz) and with replay_main.c, which
 * runs a corpus through it as an ordinary test. Errors:  none; a target aborts where a promise is
 * broken, and the sanitizers do the rest. Threads: one.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns 0. data may be NULL when len is 0, and is the caller's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A promise of the room under test. */
static inline void fuzz_must(bool is_kept)
{
    if (!is_kept) {
        abort();
    }
}

#endif
