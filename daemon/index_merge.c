/* Folding the delta and the removals into the tables, one table at a time, beside searches and
 * changes. Every step leaves all searches right, so running out of memory half way costs nothing:
 * the next merge goes on where this one stopped. */
#include <stdlib.h>

#include "index_private.h"

struct merge {
    struct view *last_view; /* of after the merge; made at the start so that the end cannot fail */
    size_t slots;           /* in use when the merge began */
    uint64_t *incoming;     /* a bit a slot: in the sealed delta */
    uint64_t *dropped;      /* a bit a slot: dead when the merge began */
    size_t dropped_count;
    uint32_t *added; /* living slots of the sealed delta, within their segments, by segment */
    size_t added_ends[SEGMENTS_MAX];
    uint32_t drop_counts[SEGMENTS_MAX]; /* dropped and in the tables */
    struct table_scratch scratch;
    unsigned segments;
    unsigned next; /* segment * INDEX_CHUNKS + chunk of the table to be made next */
};

static size_t bitmap_bytes(size_t slots)
{
    return (slots / 64 + 1) * sizeof(uint64_t);
}

/* Frees what the merge alone has. */
static void merge_free(struct index_memory *memory, struct merge *merge)
{
    if (merge == NULL) {
        return;
    }
    index_memory_unmap(memory, merge->incoming, bitmap_bytes(merge->slots));
    index_memory_unmap(memory, merge->dropped, bitmap_bytes(merge->slots));
    table_scratch_done(memory, &merge->scratch);
    free(merge->added);
    free(merge->last_view);
    free(merge);
}

void index_merge_abandon(struct index *index)
{
    merge_free(index->memory, index->merge);
    index->merge = NULL;
}

/* --- Beginning ------------------------------------------------------------------------------- */

static bool allocate_bitmaps(struct index_memory *memory, struct merge *merge, size_t slots)
{
    merge->slots = slots;
    merge->incoming = index_memory_map(memory, bitmap_bytes(slots));
    merge->dropped = index_memory_map(memory, bitmap_bytes(slots));
    return merge->incoming != NULL && merge->dropped != NULL;
}

static void mark_incoming(struct merge *merge, const struct delta *sealed)
{
    size_t left = delta_count(sealed);
    for (unsigned b = 0; left > 0; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        for (size_t i = 0; i < count; i++) {
            uint32_t slot = sealed->blocks[b].slots[i];
            merge->incoming[slot / 64] |= (uint64_t)1 << slot % 64;
        }
        left -= count;
    }
}

/* Those who are dead now: what dies later stays in the tables until the next merge. */
static void mark_dropped(struct merge *merge, const struct records *records)
{
    for (size_t word = 0; word < (merge->slots + 63) / 64; word++) {
        size_t slot = 64 * word;
        const struct record_chunk *chunk = records->chunks[slot / RECORDS_A_CHUNK];
        uint64_t dead =
            atomic_load_explicit(&chunk->dead[slot % RECORDS_A_CHUNK / 64], memory_order_relaxed);
        merge->dropped[word] = dead;
        merge->dropped_count += (size_t)__builtin_popcountll(dead);
        merge->drop_counts[slot / SEGMENT_SLOTS] +=
            (uint32_t)__builtin_popcountll(dead & ~merge->incoming[word]);
    }
}

/* Under the lock: the delta is sealed, an empty one takes its place. */
static bool seal(struct index *index, struct merge *merge, struct view *view, struct delta *delta)
{
    const struct view *old = index_current_view(index);
    if (!delta_reserve(index->memory, delta, index->reserved) ||
        !allocate_bitmaps(index->memory, merge, old->records->used)) {
        return false;
    }
    merge->segments = (unsigned)((merge->slots + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS);
    mark_incoming(merge, old->delta);
    mark_dropped(merge, old->records);
    *merge->last_view =
        (struct view){.records = old->records, .tables = old->tables, .delta = delta};
    *view = *merge->last_view;
    view->sealed = old->delta;
    view->incoming = merge->incoming;
    atomic_store(&old->tables->segment_count, merge->segments);
    atomic_store(&index->view, view);
    return true;
}

static enum imprint_error merge_begin(struct index *index)
{
    struct merge *merge = calloc(1, sizeof *merge);
    struct view *view = calloc(1, sizeof *view);
    struct delta *delta = delta_new();
    bool is_sealed = false;
    if (merge == NULL || view == NULL || delta == NULL) {
        goto done;
    }
    merge->last_view = calloc(1, sizeof *merge->last_view);
    if (merge->last_view == NULL) {
        goto done;
    }
    pthread_mutex_lock(&index->changing);
    struct view *old = index_current_view(index);
    is_sealed = seal(index, merge, view, delta);
    pthread_mutex_unlock(&index->changing);
    if (is_sealed) {
        /* Searches that know nothing of the sealing must not see its records in a table. */
        index_readers_wait(index->readers);
        free(old);
        index->merge = merge;
    }
done:
    if (!is_sealed) {
        merge_free(index->memory, merge);
        delta_free(index->memory, delta);
        free(view);
        return IMPRINT_E_NOMEM;
    }
    return IMPRINT_OK;
}

/* --- The tables ------------------------------------------------------------------------------ */

/* Calls for each living record of the sealed delta, block after block: counts it, or places it. */
static void sort_added(struct merge *merge, const struct delta *sealed, bool is_placing)
{
    size_t left = delta_count(sealed);
    for (unsigned b = 0; left > 0; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        for (size_t i = 0; i < count; i++) {
            uint32_t slot = sealed->blocks[b].slots[i];
            if (bit_is_set(merge->dropped, slot)) {
                continue;
            }
            size_t *end = &merge->added_ends[slot / SEGMENT_SLOTS];
            if (is_placing) {
                merge->added[*end] = slot % SEGMENT_SLOTS;
            }
            ++*end;
        }
        left -= count;
    }
}

/* Sorts the sealed delta's living slots by segment. */
static enum imprint_error collect_added(struct index *index, struct merge *merge)
{
    if (merge->added != NULL) {
        return IMPRINT_OK;
    }
    const struct delta *sealed = index_current_view(index)->sealed;
    size_t count = delta_count(sealed);
    if (!table_scratch_reserve(index->memory, &merge->scratch, count)) {
        return IMPRINT_E_NOMEM;
    }
    merge->added = calloc(count + 1, sizeof *merge->added);
    if (merge->added == NULL) {
        return IMPRINT_E_NOMEM;
    }
    sort_added(merge, sealed, false);
    size_t start = 0;
    for (unsigned segment = 0; segment < SEGMENTS_MAX; segment++) {
        size_t in_segment = merge->added_ends[segment];
        merge->added_ends[segment] = start;
        start += in_segment;
    }
    sort_added(merge, sealed, true);
    return IMPRINT_OK;
}

/* The table that takes the place of old; old itself where nothing changes. */
static enum imprint_error make_table(struct index *index, struct merge *merge, struct table *old,
                                     struct table **out_table)
{
    unsigned segment = merge->next / INDEX_CHUNKS;
    size_t begin = segment == 0 ? 0 : merge->added_ends[segment - 1];
    struct table_source source = {
        .records = index_current_view(index)->records,
        .segment = segment,
        .slots = merge->added + begin,
        .count = merge->added_ends[segment] - begin,
    };
    uint32_t drop_count = merge->drop_counts[segment];
    *out_table = old;
    if (source.count == 0 && drop_count == 0) {
        return IMPRINT_OK;
    }
    struct table *added =
        table_build(index->memory, &merge->scratch, &source, merge->next % INDEX_CHUNKS);
    if (added == NULL) {
        return IMPRINT_E_NOMEM;
    }
    if (old == NULL) {
        *out_table = added;
        return IMPRINT_OK;
    }
    const uint64_t *dropped = merge->dropped + (size_t)segment * (SEGMENT_SLOTS / 64);
    struct table *table = table_merge(index->memory, old, added, dropped, drop_count);
    table_free(index->memory, added);
    if (table == NULL) {
        return IMPRINT_E_NOMEM;
    }
    *out_table = table;
    return IMPRINT_OK;
}

static enum imprint_error merge_tables(struct index *index, struct merge *merge)
{
    struct tables *tables = index_current_view(index)->tables;
    for (; merge->next < merge->segments * INDEX_CHUNKS; merge->next++) {
        _Atomic(struct table *) *place =
            &tables->of[merge->next / INDEX_CHUNKS][merge->next % INDEX_CHUNKS];
        struct table *old = atomic_load(place);
        struct table *table = NULL;
        enum imprint_error error = make_table(index, merge, old, &table);
        if (error != IMPRINT_OK) {
            return error;
        }
        if (table != old) {
            atomic_store(place, table);
            index_readers_wait(index->readers);
            table_free(index->memory, old);
        }
    }
    return IMPRINT_OK;
}

/* --- Ending ---------------------------------------------------------------------------------- */

static void give_back_dropped(struct records *records, const struct merge *merge)
{
    for (size_t word = 0; word < (merge->slots + 63) / 64; word++) {
        for (uint64_t bits = merge->dropped[word]; bits != 0; bits &= bits - 1) {
            records_give_back(records, (uint32_t)(64 * word) + (uint32_t)__builtin_ctzll(bits));
        }
    }
}

static enum imprint_error merge_end(struct index *index, struct merge *merge)
{
    pthread_mutex_lock(&index->changing);
    struct view *old = index_current_view(index);
    struct records *records = old->records;
    bool has_room = records_reserve_free(records, merge->dropped_count);
    if (has_room) {
        atomic_store(&index->view, merge->last_view);
        merge->last_view = NULL;
    }
    pthread_mutex_unlock(&index->changing);
    if (!has_room) {
        return IMPRINT_E_NOMEM;
    }
    index_readers_wait(index->readers);
    pthread_mutex_lock(&index->changing);
    give_back_dropped(records, merge);
    pthread_mutex_unlock(&index->changing);
    atomic_fetch_sub_explicit(&index->dead, merge->dropped_count, memory_order_relaxed);
    delta_free(index->memory, old->sealed);
    free(old);
    index_merge_abandon(index);
    return IMPRINT_OK;
}

enum imprint_error index_merge(struct index *index)
{
    if (index->merge == NULL) {
        enum imprint_error error = merge_begin(index);
        if (error != IMPRINT_OK) {
            return error;
        }
    }
    enum imprint_error error = collect_added(index, index->merge);
    if (error == IMPRINT_OK) {
        error = merge_tables(index, index->merge);
    }
    return error == IMPRINT_OK ? merge_end(index, index->merge) : error;
}
