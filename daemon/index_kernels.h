/* index_kernels.h - the loops in which a search spends its time, once for each set of instructions.
 *
 * Private to the index. All sets give the same results in the same order; which one runs is decided
 * once, when an index is made.
 */
#ifndef DAEMON_INDEX_KERNELS_H
#define DAEMON_INDEX_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* A hash with its bits permuted (index_ring.h). */
struct index_key {
    uint64_t words[4];
};

/* The most survivors one call of a kernel gives, and so the most keys one call may be asked for. */
#define INDEX_SURVIVORS_MAX 256

struct index_kernels {
    const char *name;
    /* Bits in which two keys differ. */
    unsigned (*distance)(const struct index_key *a, const struct index_key *b);
    /* Writes the positions, ascending, of those among count (at most INDEX_SURVIVORS_MAX) keys that
     * lie within radius of query; returns how many. */
    size_t (*scan_keys)(const struct index_key *keys, size_t count, const struct index_key *query,
                        unsigned radius, uint32_t *out_positions);
};

/* The sets this processor can run, quickest first; NULL past the last one. */
const struct index_kernels *index_kernels_at(size_t rank);

#endif
