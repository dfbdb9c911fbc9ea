/* Searching one view of the index. */
#include <stdlib.h>
#include <string.h>

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

/* The same for a record found in a table, unless the sealed delta answers for it. */
static enum imprint_error offer_of_table(const struct search *search, uint32_t slot,
                                         unsigned distance)
{
    const uint64_t *incoming = search->view->incoming;
    if (incoming != NULL && bit_is_set(incoming, slot)) {
        return IMPRINT_OK;
    }
    return offer(search, slot, distance);
}

/* --- Delta ----------------------------------------------------------------------------------- */

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
    size_t left = delta_count(delta);
    enum imprint_error error = IMPRINT_OK;
    for (unsigned b = 0; left > 0 && error == IMPRINT_OK; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        error = search_block(search, &delta->blocks[b], count);
        left -= count;
    }
    return error;
}

/* --- Tables: every record --------------------------------------------------------------------- */

/* Any table of the segment has all its records. */
static enum imprint_error scan_segment(const struct search *search, const struct table *table,
                                       uint32_t segment)
{
    const struct records *records = search->view->records;
    for (uint32_t start = 0; start < table->count; start += INDEX_SURVIVORS_MAX) {
        uint32_t slots[INDEX_SURVIVORS_MAX];
        uint32_t left = table->count - start;
        uint32_t count = left < INDEX_SURVIVORS_MAX ? left : INDEX_SURVIVORS_MAX;
        for (uint32_t i = 0; i < count; i++) {
            slots[i] = segment * SEGMENT_SLOTS + table_slot(table, start + i);
            __builtin_prefetch(records_key(records, slots[i]));
        }
        for (uint32_t i = 0; i < count; i++) {
            unsigned distance =
                search->index->kernels->distance(records_key(records, slots[i]), &search->key);
            if (distance > search->radius) {
                continue;
            }
            enum imprint_error error = offer_of_table(search, slots[i], distance);
            if (error != IMPRINT_OK) {
                return error;
            }
        }
    }
    return IMPRINT_OK;
}

/* --- Tables: the buckets that matter -----------------------------------------------------------
 */

/* Enough for all buckets of all chunks up to radius 31, and for those of one chunk up to 63. */
#define RUNS_MAX 704

struct probe {
    const struct search *search;
    const struct table *tables[INDEX_CHUNKS];
    uint32_t segment;
    int8_t limits[INDEX_CHUNKS];
    size_t verified_max; /* then a scan is cheaper */
    size_t verified;
    struct index_runs runs;
    struct index_run room[RUNS_MAX];
};

/* Fetches the ends of the chunk's buckets into the cache. */
static void prefetch_buckets(const struct probe *probe, unsigned chunk)
{
    const struct table *table = probe->tables[chunk];
    const uint16_t *flips = probe->search->index->flips.values;
    uint16_t value = index_key_chunk(&probe->search->key, chunk);
    unsigned count = table == NULL ? 0 : index_flips_within(probe->limits[chunk]);
    for (unsigned i = 0; i < count; i++) {
        __builtin_prefetch(&table->offsets[value ^ flips[i]]);
    }
}

/* The chunk's buckets within its limit become runs: those of the next chunk's values that may lie
 * in a pair of chunks that begins a start. */
static void collect_runs(struct probe *probe, unsigned chunk)
{
    const struct table *table = probe->tables[chunk];
    if (table == NULL) {
        return;
    }
    const struct index_key *key = &probe->search->key;
    const uint16_t *flips = probe->search->index->flips.values;
    unsigned next = (chunk + 1) % INDEX_CHUNKS;
    uint16_t value = index_key_chunk(key, chunk);
    struct index_run run = {
        .values = table->values, .query = index_key_chunk(key, next), .chunk = (uint8_t)chunk};
    unsigned i = 0;
    for (int bits = 0; bits <= probe->limits[chunk]; bits++) {
        run.limit = (uint8_t)(probe->limits[chunk] + probe->limits[next] + 1 - bits);
        for (; i < index_flips_within(bits); i++) {
            uint32_t bucket = value ^ flips[i];
            run.begin = table->offsets[bucket];
            run.end = table->offsets[bucket + 1];
            if (run.begin == run.end) {
                continue;
            }
            probe->runs.runs[probe->runs.count++] = run;
            if (run.end - run.begin <= INDEX_RUN_SHORT) {
                index_run_prefetch(&run, INDEX_RUN_SHORT);
            }
        }
    }
}

static enum imprint_error verify(struct probe *probe, uint32_t slot, unsigned chunk)
{
    const struct search *search = probe->search;
    const struct index_key *key = records_key(search->view->records, slot);
    unsigned distance = search->index->kernels->distance(key, &search->key);
    if (distance > search->radius) {
        return IMPRINT_OK;
    }
    uint8_t distances[INDEX_CHUNKS];
    for (unsigned i = 0; i < INDEX_CHUNKS; i++) {
        unsigned differing = index_key_chunk(key, i) ^ index_key_chunk(&search->key, i);
        distances[i] = (uint8_t)__builtin_popcount(differing);
    }
    if (index_ring_first_start(distances, probe->limits, INDEX_CHUNKS) != (int)chunk) {
        return IMPRINT_OK;
    }
    return offer_of_table(search, slot, distance);
}

/* In three passes, so that the misses of each overlap: where the slots are, the slots, the keys. */
static enum imprint_error verify_all(struct probe *probe, const struct index_survivor *survivors,
                                     size_t count)
{
    uint32_t slots[INDEX_SURVIVORS_MAX];
    for (size_t i = 0; i < count; i++) {
        const struct table *table = probe->tables[probe->runs.runs[survivors[i].run].chunk];
        __builtin_prefetch(table->slots + (size_t)TABLE_SLOT_BYTES * survivors[i].position);
    }
    for (size_t i = 0; i < count; i++) {
        const struct table *table = probe->tables[probe->runs.runs[survivors[i].run].chunk];
        slots[i] = probe->segment * SEGMENT_SLOTS + table_slot(table, survivors[i].position);
        __builtin_prefetch(records_key(probe->search->view->records, slots[i]));
    }
    enum imprint_error error = IMPRINT_OK;
    for (size_t i = 0; i < count && error == IMPRINT_OK; i++) {
        error = verify(probe, slots[i], probe->runs.runs[survivors[i].run].chunk);
    }
    probe->verified += count;
    return error;
}

/* Scans the runs collected so far and forgets them. */
static enum imprint_error follow_runs(struct probe *probe)
{
    enum imprint_error error = IMPRINT_OK;
    while (probe->runs.next < probe->runs.count && error == IMPRINT_OK &&
           probe->verified <= probe->verified_max) {
        struct index_survivor survivors[INDEX_SURVIVORS_MAX];
        size_t count = probe->search->index->kernels->scan_runs(&probe->runs, survivors);
        error = verify_all(probe, survivors, count);
    }
    probe->runs.count = 0;
    probe->runs.next = 0;
    return error;
}

/* Sets *out_is_given_up, with hits left over, when a scan is the cheaper way after all. */
static enum imprint_error probe_segment(struct probe *probe, bool *out_is_given_up)
{
    enum imprint_error error = IMPRINT_OK;
    unsigned chunk = 0;
    while (chunk < INDEX_CHUNKS && error == IMPRINT_OK && probe->verified <= probe->verified_max) {
        unsigned end = chunk;
        size_t buckets = index_flips_within(probe->limits[chunk]);
        do {
            prefetch_buckets(probe, end++);
            buckets += end < INDEX_CHUNKS ? index_flips_within(probe->limits[end]) : 0;
        } while (end < INDEX_CHUNKS && buckets <= RUNS_MAX);
        for (; chunk < end; chunk++) {
            collect_runs(probe, chunk);
        }
        error = follow_runs(probe);
    }
    *out_is_given_up = probe->verified > probe->verified_max;
    return error;
}

static enum imprint_error search_segment(const struct search *search, uint32_t segment)
{
    struct probe probe;
    const struct table *any = NULL;
    size_t buckets = 0;
    index_ring_limits(search->radius, INDEX_CHUNKS, probe.limits);
    for (unsigned chunk = 0; chunk < INDEX_CHUNKS; chunk++) {
        probe.tables[chunk] = atomic_load(&search->view->tables->of[segment][chunk]);
        any = probe.tables[chunk] != NULL ? probe.tables[chunk] : any;
        buckets += index_flips_within(probe.limits[chunk]);
    }
    if (any == NULL) {
        return IMPRINT_OK;
    }
    size_t count_before = search->hits->count;
    if (!index_scan_is_cheaper(any->count, buckets)) {
        probe.search = search;
        probe.segment = segment;
        probe.verified = 0;
        probe.verified_max = index_verified_max(any->count);
        probe.runs = (struct index_runs){.runs = probe.room};
        bool is_given_up = false;
        enum imprint_error error = probe_segment(&probe, &is_given_up);
        if (error != IMPRINT_OK || !is_given_up) {
            return error;
        }
    }
    search->hits->count = count_before;
    return scan_segment(search, any, segment);
}

/* --- All of it ------------------------------------------------------------------------------- */

static enum imprint_error search_view(const struct search *search)
{
    const struct view *view = search->view;
    enum imprint_error error = search_delta(search, view->delta);
    if (error == IMPRINT_OK && view->sealed != NULL) {
        error = search_delta(search, view->sealed);
    }
    unsigned segments = atomic_load_explicit(&view->tables->segment_count, memory_order_acquire);
    for (unsigned segment = 0; segment < segments && error == IMPRINT_OK; segment++) {
        error = search_segment(search, segment);
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
        error = search_view(&search);
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

/* --- Finding one record ------------------------------------------------------------------------
 */

/* Marks the slot if it is the entry's and alive. */
static bool kill_slot(struct records *records, uint32_t slot, uint64_t entry)
{
    struct record_chunk *chunk = records_chunk(records, slot);
    size_t place = slot % RECORDS_A_CHUNK;
    if (chunk->entries[place] != entry || records_is_dead(records, slot)) {
        return false;
    }
    atomic_fetch_or_explicit(&chunk->dead[place / 64], (uint64_t)1 << place % 64,
                             memory_order_release);
    return true;
}

static bool kill_in_block(const struct index *index, const struct delta_block *block, size_t count,
                          uint64_t entry, const struct index_key *key)
{
    uint32_t equal[INDEX_SURVIVORS_MAX];
    for (size_t start = 0; start < count; start += INDEX_SURVIVORS_MAX) {
        size_t left = count - start;
        size_t found = index->kernels->scan_keys(
            block->keys + start, left < INDEX_SURVIVORS_MAX ? left : INDEX_SURVIVORS_MAX, key, 0,
            equal);
        for (size_t i = 0; i < found; i++) {
            uint32_t slot = block->slots[start + equal[i]];
            if (kill_slot(index_current_view(index)->records, slot, entry)) {
                return true;
            }
        }
    }
    return false;
}

static bool kill_in_delta(const struct index *index, const struct delta *delta, uint64_t entry,
                          const struct index_key *key)
{
    size_t left = delta == NULL ? 0 : delta_count(delta);
    for (unsigned b = 0; left > 0; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        if (kill_in_block(index, &delta->blocks[b], count, entry, key)) {
            return true;
        }
        left -= count;
    }
    return false;
}

static uint32_t bucket_size(const struct table *table, uint32_t bucket)
{
    return table->offsets[bucket + 1] - table->offsets[bucket];
}

/* Looks through the smallest of the key's sixteen buckets. */
static bool kill_in_segment(const struct index *index, uint32_t segment, uint64_t entry,
                            const struct index_key *key)
{
    const struct view *view = index_current_view(index);
    const struct table *best = NULL;
    uint32_t best_bucket = 0;
    for (unsigned chunk = 0; chunk < INDEX_CHUNKS; chunk++) {
        const struct table *table = atomic_load(&view->tables->of[segment][chunk]);
        uint32_t bucket = index_key_chunk(key, chunk);
        if (table == NULL) {
            continue;
        }
        if (best == NULL || bucket_size(table, bucket) < bucket_size(best, best_bucket)) {
            best = table;
            best_bucket = bucket;
        }
    }
    if (best == NULL) {
        return false;
    }
    for (uint32_t i = best->offsets[best_bucket]; i < best->offsets[best_bucket + 1]; i++) {
        uint32_t slot = segment * SEGMENT_SLOTS + table_slot(best, i);
        if (memcmp(records_key(view->records, slot), key, sizeof *key) == 0 &&
            kill_slot(view->records, slot, entry)) {
            return true;
        }
    }
    return false;
}

static bool kill_in_view(const struct index *index, const struct view *view, uint64_t entry,
                         const struct index_key *key)
{
    unsigned segments = atomic_load(&view->tables->segment_count);
    for (uint32_t segment = 0; segment < segments; segment++) {
        if (kill_in_segment(index, segment, entry, key)) {
            return true;
        }
    }
    return kill_in_delta(index, view->delta, entry, key) ||
           kill_in_delta(index, view->sealed, entry, key);
}

/* The caller's lock keeps the view in place, but not the tables: those a merge replaces at any
 * time. So this reads as a search does. */
bool index_mark_dead(struct index *index, uint64_t entry, const struct index_key *key)
{
    atomic_size_t *counter = index_readers_enter(index->readers);
    bool is_marked = kill_in_view(index, index_current_view(index), entry, key);
    index_readers_leave(counter);
    return is_marked;
}
