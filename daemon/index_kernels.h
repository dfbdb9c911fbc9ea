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

/* A stretch of 16-bit values, of which those within limit bits of query survive. */
struct index_run {
    const uint16_t *values; /* readable up to INDEX_RUN_SLACK values past the end */
    uint32_t begin;         /* positions in values */
    uint32_t end;
    uint16_t query;
    uint8_t limit;
    uint8_t chunk; /* the caller's */
};

#define INDEX_RUN_SLACK 32

/* Runs lie far apart in memory. Short ones are best fetched into the cache all at once, as soon as
 * it is known where they are; of long ones that would be more than the cache holds, so scan_runs
 * fetches each a little ahead of its turn. */
#define INDEX_RUN_SHORT 64

static inline void index_run_prefetch(const struct index_run *run, uint32_t values_max)
{
    uint32_t end = run->end - run->begin > values_max ? run->begin + values_max : run->end;
    for (uint32_t position = run->begin; position < end; position += 32) {
        __builtin_prefetch(run->values + position);
    }
    __builtin_prefetch(run->values + end - 1);
}

struct index_survivor {
    uint32_t position;
    uint32_t run;
};

/* Runs to be scanned, and how far it went: next and the begin of that run move on. */
struct index_runs {
    struct index_run *runs;
    size_t count;
    size_t next;
};

struct index_kernels {
    const char *name;
    /* Bits in which two keys differ. */
    unsigned (*distance)(const struct index_key *a, const struct index_key *b);
    /* Writes the positions, ascending, of those among count (at most INDEX_SURVIVORS_MAX) keys that
     * lie within radius of query; returns how many. */
    size_t (*scan_keys)(const struct index_key *keys, size_t count, const struct index_key *query,
                        unsigned radius, uint32_t *out_positions);
    /* Goes on with the runs until they are done (next == count) or the survivors might exceed
     * INDEX_SURVIVORS_MAX; returns how many were written, in order of runs and positions. */
    size_t (*scan_runs)(struct index_runs *runs, struct index_survivor *out_survivors);
};

/* The sets this processor can run, quickest first; NULL past the last one. */
const struct index_kernels *index_kernels_at(size_t rank);

#endif
