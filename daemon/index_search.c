/* Searching one view of the index. */
#include <stdlib.h>

#include "index_private.h"

/* One hash of a query on its way through the index. */
struct search {
    const struct index *index;
    const struct view *view;
    const struct index_query *query;
    struct index_hits *hits;
    struct index_key key;
    unsigned radius; /* the largest threshold of any list */
    uint16_t hash;
};

/* The largest threshold in the query, or -1 when no list is searched. IMPRINT_E_PARAMETER_INVALID
 * for a query that makes no sense. */
static enum imprint_error query_radius(const struct index_query *query, int *out_radius)
{
    if (query->hash_count == 0 || query->hash_count > UINT16_MAX) {
        return IMPRINT_E_PARAMETER_INVALID;
    }
    int radius = -1;
    for (size_t i = 0; i < query->list_count; i++) {
        uint8_t threshold = query->thresholds[i];
        if (threshold == INDEX_LIST_OFF) {
            continue;
        }
        if (threshold > INDEX_THRESHOLD_MAX) {
            return IMPRINT_E_PARAMETER_INVALID;
        }
        radius = threshold > radius ? threshold : radius;
    }
    *out_radius = radius;
    return IMPRINT_OK;
}

static enum imprint_error hits_append(struct index_hits *hits, const struct index_hit *hit)
{
    if (hits->count == hits->capacity) {
        size_t capacity = hits->capacity == 0 ? 16 : 2 * hits->capacity;
        struct index_hit *items = reallocarray(hits->items, capacity, sizeof *items);
        if (items == NULL) {
            return IMPRINT_E_NOMEM;
        }
        hits->items = items;
        hits->capacity = capacity;
    }
    hits->items[hits->count++] = *hit;
    return IMPRINT_OK;
}

/* Takes a record within the radius into the hits, if its own list agrees and it still lives. */
static enum imprint_error offer(const struct search *search, uint32_t slot, unsigned distance)
{
    const struct records *records = search->view->records;
    const struct record_chunk *chunk = records_chunk(records, slot);
    uint16_t list = chunk->lists[slot % RECORDS_A_CHUNK];
    const struct index_query *query = search->query;
    if (list >= query->list_count || query->thresholds[list] == INDEX_LIST_OFF ||
        distance > query->thresholds[list] || records_is_dead(records, slot)) {
        return IMPRINT_OK;
    }
    struct index_hit hit = {
        .entry = chunk->entries[slot % RECORDS_A_CHUNK],
        .list = list,
        .distance = (uint16_t)distance,
        .hash = search->hash,
    };
    return hits_append(search->hits, &hit);
}

static enum imprint_error search_block(const struct search *search, const struct delta_block *block,
                                       size_t count)
{
    const struct index_kernels *kernels = search->index->kernels;
    uint32_t near[INDEX_SURVIVORS_MAX];
    for (size_t start = 0; start < count; start += INDEX_SURVIVORS_MAX) {
        size_t left = count - start;
        const struct index_key *keys = block->keys + start;
        size_t found =
            kernels->scan_keys(keys, left < INDEX_SURVIVORS_MAX ? left : INDEX_SURVIVORS_MAX,
                               &search->key, search->radius, near);
        for (size_t i = 0; i < found; i++) {
            unsigned distance = kernels->distance(&keys[near[i]], &search->key);
            enum imprint_error error = offer(search, block->slots[start + near[i]], distance);
            if (error != IMPRINT_OK) {
                return error;
            }
        }
    }
    return IMPRINT_OK;
}

static enum imprint_error search_delta(const struct search *search, const struct delta *delta)
{
    size_t left = atomic_load_explicit(&delta->count, memory_order_acquire);
    enum imprint_error error = IMPRINT_OK;
    for (unsigned b = 0; left > 0 && error == IMPRINT_OK; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        error = search_block(search, &delta->blocks[b], count);
        left -= count;
    }
    return error;
}

enum imprint_error index_search(const struct index *index, const struct index_query *query,
                                struct index_hits *hits)
{
    int radius = -1;
    enum imprint_error error = query_radius(query, &radius);
    if (error != IMPRINT_OK || radius < 0) {
        return error;
    }
    size_t count_before = hits->count;
    struct search search = {
        .index = index, .query = query, .hits = hits, .radius = (unsigned)radius};
    atomic_size_t *counter = index_readers_enter(index->readers);
    search.view = atomic_load(&index->view);
    for (size_t i = 0; i < query->hash_count && error == IMPRINT_OK; i++) {
        search.hash = (uint16_t)i;
        index_permutation_apply(&index->permutation, &query->hashes[i], &search.key);
        error = search_delta(&search, search.view->delta);
    }
    index_readers_leave(counter);
    if (error != IMPRINT_OK) {
        hits->count = count_before;
    }
    return error;
}

void index_hits_done(struct index_hits *hits)
{
    if (hits == NULL) {
        return;
    }
    free(hits->items);
    *hits = (struct index_hits){0};
}
