/* index.h - exact Hamming range search over the hashes of all lists.
 *
 * Why:       a query must find every entry within its list's threshold and nothing else, in
 *            microseconds, while entries come and go. How (which layout, which instructions) is
 *            hidden here. Pure: no I/O, no log, no clock.
 * Ownership: items are copied in; hits are the caller's and freed by index_hits_done.
 * Threads:   any number of searches at any time, never waiting; one writer at a time
 *            (index_reserve, _add, _remove, _load, _merge are the caller's to serialise, except
 *            that index_merge may run beside searches, adds and removals).
 * Errors:    IMPRINT_E_NOMEM; the index is as before. IMPRINT_E_PARAMETER_INVALID for a query
 *            without hashes or with a threshold outside its range.
 */
#ifndef DAEMON_INDEX_H
#define DAEMON_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imprint/error.h"
#include "imprint/hash.h"

struct index;

struct index_item {
    uint64_t entry; /* unique */
    uint16_t list;  /* the catalog's number of the list, see index_query.thresholds */
    struct imprint_hash hash;
};

#define INDEX_LIST_OFF      255 /* in index_query.thresholds: this list is not searched */
#define INDEX_THRESHOLD_MAX 63

struct index_query {
    const struct imprint_hash *hashes; /* views of one picture */
    size_t hash_count;                 /* 1..IMPRINT_VIEWS_MAX */
    const uint8_t *thresholds;         /* by list: 0..63 bits, or INDEX_LIST_OFF */
    size_t list_count;                 /* items of lists from here on are not searched */
};

struct index_hit {
    uint64_t entry;
    uint16_t list;
    uint16_t distance; /* bits */
    uint16_t hash;     /* which of the query's */
};

/* One hit an (entry, query hash) pair, in no order. Zeroed is empty. */
struct index_hits {
    struct index_hit *items;
    size_t count;
    size_t capacity;
};

IMPRINT_MUST_USE enum imprint_error index_new(struct index **out_index);
void index_free(struct index *index);

/* Replaces everything by these items; entries must be distinct. The quick way to fill an index. */
IMPRINT_MUST_USE enum imprint_error index_load(struct index *index, const struct index_item *items,
                                               size_t count);

/* Makes sure that the next count calls of index_add cannot fail. */
IMPRINT_MUST_USE enum imprint_error index_reserve(struct index *index, size_t count);

/* Visible to every search that begins after this returns. Needs a reservation; cannot fail. */
void index_add(struct index *index, const struct index_item *item);

/* Not found by any search that begins after this returns. False: there was no such entry. Cannot
 * fail. */
bool index_remove(struct index *index, uint64_t entry, const struct imprint_hash *hash);

/* Appends to hits. */
IMPRINT_MUST_USE enum imprint_error
index_search(const struct index *index, const struct index_query *query, struct index_hits *hits);
void index_hits_done(struct index_hits *hits);

/* Live items. */
size_t index_count(const struct index *index);

/* True when a merge would make searches noticeably quicker or give memory back. */
bool index_wants_merge(const struct index *index);

/* Folds what was added and removed into the main part. Long (seconds at ten million); meant for a
 * thread of its own, one at a time. Searches and changes go on. */
IMPRINT_MUST_USE enum imprint_error index_merge(struct index *index);

/* Bytes of memory held. */
size_t index_memory(const struct index *index);

#endif
