/* index_private.h - what the parts of the index share. For index_*.c, its test and its benchmark.
 *
 * Nearly all records are in the tables, sixteen a segment (index_table.h), which a merge replaces
 * one by one. What was added since the last merge is in the delta, which is scanned key by key.
 * While a merge runs there are two: the sealed delta, whose records are on their way into the
 * tables, and a new one for what is added meanwhile. A record in the sealed delta is in some tables
 * already and in others not yet; until all are done, searches take it from the sealed delta only
 * and ignore it (view.incoming) where a table has it. Removing sets one bit at the record's slot,
 * which holds wherever the record is found.
 */
#ifndef DAEMON_INDEX_PRIVATE_H
#define DAEMON_INDEX_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index.h"
#include "index_kernels.h"
#include "index_memory.h"
#include "index_readers.h"
#include "index_records.h"
#include "index_ring.h"
#include "index_table.h"

/* Up to so many records a scan of the delta is as quick as tables are, and takes less memory. */
#ifndef INDEX_TABLES_FROM
#define INDEX_TABLES_FROM 16384
#endif
/* Scanning so many keys costs about as much as searching the tables of a million records. */
#define INDEX_DELTA_COMFORTABLE 8192

struct tables {
    _Atomic(struct table *) of[SEGMENTS_MAX][INDEX_CHUNKS]; /* NULL: none in this segment yet */
    atomic_uint segment_count;
};

/* What one search sees. Replaced as a whole, never changed; what it points to changes only in ways
 * that leave every search right. */
struct view {
    struct records *records;
    struct tables *tables;
    struct delta *delta;
    struct delta *sealed;     /* NULL when no merge is under way */
    const uint64_t *incoming; /* a bit a slot: in the sealed delta; NULL as above */
};

struct merge;

struct index {
    struct index_permutation permutation;
    struct index_flips flips;
    const struct index_kernels *kernels;
    struct index_memory *memory;
    struct index_readers *readers;
    _Atomic(struct view *) view;
    struct merge *merge;      /* begun and not ended: under way, or out of memory half way */
    pthread_mutex_t changing; /* adds and removals against the steps of a merge; never searches */
    size_t reserved;          /* adds promised not to fail */
    atomic_size_t live;
    atomic_size_t dead; /* removed, not yet folded away */
};

/* The view as the writer sees it, who alone replaces it. */
static inline struct view *index_current_view(const struct index *index)
{
    return atomic_load_explicit(&index->view, memory_order_acquire);
}

/* An empty view; NULL: no memory. */
struct view *index_view_new(struct index_memory *memory);
/* Everything the view points to goes too, but for incoming. NULL is allowed. */
void index_view_free(struct index_memory *memory, struct view *view);

/* Forgets a merge that ran out of memory half way. */
void index_merge_abandon(struct index *index);

/* Marks a living record as dead; false: there is none of this entry and key. */
bool index_mark_dead(struct index *index, uint64_t entry, const struct index_key *key);

/* For the test and the benchmark: search with other instructions than the quickest. */
void index_use_kernels(struct index *index, const struct index_kernels *kernels);

/* --- The choice between two ways to search the tables ------------------------------------------
 */

/* The one rule. In nanoseconds on the machines it was measured on; only the ratios matter. Looking
 * into the tables costs by bucket, however few records there are; scanning costs by record,
 * whatever the radius. Once looking into the tables has verified so many records that a scan would
 * have been cheaper (many equal hashes, or somebody's attempt to be expensive), it is given up for
 * the scan. */
#define COST_BUCKET   7.0
#define COST_SCANNED  3.0
#define COST_VERIFIED 10.0

static inline bool index_scan_is_cheaper(size_t records, size_t buckets)
{
    return (double)records * COST_SCANNED < (double)buckets * COST_BUCKET;
}

static inline size_t index_verified_max(size_t records)
{
    return (size_t)((double)records * (COST_SCANNED / COST_VERIFIED));
}

#endif
