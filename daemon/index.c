#include "index.h"

#include <assert.h>
#include <stdlib.h>

#include "index_private.h"

/* --- Views ----------------------------------------------------------------------------------- */

struct view *index_view_new(struct index_memory *memory)
{
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->records = records_new(memory);
    view->tables = calloc(1, sizeof *view->tables);
    view->delta = delta_new();
    if (view->records == NULL || view->tables == NULL || view->delta == NULL) {
        index_view_free(memory, view);
        return NULL;
    }
    return view;
}

void index_view_free(struct index_memory *memory, struct view *view)
{
    if (view == NULL) {
        return;
    }
    for (unsigned i = 0; view->tables != NULL && i < SEGMENTS_MAX * INDEX_CHUNKS; i++) {
        table_free(memory, atomic_load(&view->tables->of[i / INDEX_CHUNKS][i % INDEX_CHUNKS]));
    }
    free(view->tables);
    records_free(memory, view->records);
    delta_free(memory, view->delta);
    delta_free(memory, view->sealed);
    free(view);
}

/* --- Life ------------------------------------------------------------------------------------ */

enum imprint_error index_new(struct index **out_index)
{
    struct index *index = calloc(1, sizeof *index);
    if (index == NULL) {
        return IMPRINT_E_NOMEM;
    }
    index->memory = calloc(1, sizeof *index->memory);
    index->readers = aligned_alloc(alignof(struct index_readers), sizeof *index->readers);
    struct view *view = index->memory == NULL ? NULL : index_view_new(index->memory);
    if (index->readers == NULL || view == NULL) {
        index_view_free(index->memory, view);
        free(index->readers);
        free(index->memory);
        free(index);
        return IMPRINT_E_NOMEM;
    }
    index_permutation_init(&index->permutation);
    index_flips_init(&index->flips);
    index->kernels = index_kernels_at(0);
    index_readers_init(index->readers);
    atomic_init(&index->view, view);
    pthread_mutex_init(&index->changing, NULL);
    *out_index = index;
    return IMPRINT_OK;
}

void index_free(struct index *index)
{
    if (index == NULL) {
        return;
    }
    index_merge_abandon(index);
    index_view_free(index->memory, index_current_view(index));
    pthread_mutex_destroy(&index->changing);
    index_readers_done(index->readers);
    free(index->readers);
    free(index->memory);
    free(index);
}

void index_use_kernels(struct index *index, const struct index_kernels *kernels)
{
    index->kernels = kernels;
}

/* --- Changes --------------------------------------------------------------------------------- */

enum imprint_error index_reserve(struct index *index, size_t count)
{
    enum imprint_error error = IMPRINT_OK;
    pthread_mutex_lock(&index->changing);
    struct view *view = index_current_view(index);
    if (!records_reserve(index->memory, view->records, count) ||
        !delta_reserve(index->memory, view->delta, count)) {
        error = IMPRINT_E_NOMEM;
    } else if (count > index->reserved) {
        index->reserved = count;
    }
    pthread_mutex_unlock(&index->changing);
    return error;
}

void index_add(struct index *index, const struct index_item *item)
{
    struct index_key key;
    index_permutation_apply(&index->permutation, &item->hash, &key);
    pthread_mutex_lock(&index->changing);
    assert(index->reserved > 0);
    index->reserved--;
    struct view *view = index_current_view(index);
    uint32_t slot = records_take(view->records, &key, item->entry, item->list);
    delta_append(view->delta, &key, slot);
    atomic_fetch_add_explicit(&index->live, 1, memory_order_relaxed);
    pthread_mutex_unlock(&index->changing);
}

bool index_remove(struct index *index, uint64_t entry, const struct imprint_hash *hash)
{
    struct index_key key;
    index_permutation_apply(&index->permutation, hash, &key);
    pthread_mutex_lock(&index->changing);
    bool removed = index_mark_dead(index, entry, &key);
    if (removed) {
        atomic_fetch_sub_explicit(&index->live, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&index->dead, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&index->changing);
    return removed;
}

/* --- Loading --------------------------------------------------------------------------------- */

static void fill_records(const struct index *index, struct records *records,
                         const struct index_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct index_key key;
        index_permutation_apply(&index->permutation, &items[i].hash, &key);
        (void)records_take(records, &key, items[i].entry, items[i].list);
    }
}

static bool build_tables(struct index_memory *memory, const struct records *records,
                         struct tables *tables)
{
    struct table_scratch scratch = {0};
    size_t used = records->used;
    if (!table_scratch_reserve(memory, &scratch, used < SEGMENT_SLOTS ? used : SEGMENT_SLOTS)) {
        return false;
    }
    unsigned segments = (unsigned)((used + SEGMENT_SLOTS - 1) / SEGMENT_SLOTS);
    bool is_built = true;
    for (unsigned i = 0; i < segments * INDEX_CHUNKS && is_built; i++) {
        uint32_t segment = i / INDEX_CHUNKS;
        size_t left = used - (size_t)segment * SEGMENT_SLOTS;
        struct table_source source = {
            .records = records,
            .segment = segment,
            .count = left < SEGMENT_SLOTS ? left : SEGMENT_SLOTS,
        };
        struct table *table = table_build(memory, &scratch, &source, i % INDEX_CHUNKS);
        atomic_store(&tables->of[segment][i % INDEX_CHUNKS], table);
        is_built = table != NULL;
    }
    atomic_store(&tables->segment_count, segments);
    table_scratch_done(memory, &scratch);
    return is_built;
}

static bool fill_view(const struct index *index, struct view *view, const struct index_item *items,
                      size_t count)
{
    bool has_tables = count > INDEX_TABLES_FROM;
    size_t in_delta = index->reserved + (has_tables ? 0 : count);
    if (!records_reserve(index->memory, view->records, count + index->reserved) ||
        !delta_reserve(index->memory, view->delta, in_delta)) {
        return false;
    }
    fill_records(index, view->records, items, count);
    if (has_tables) {
        return build_tables(index->memory, view->records, view->tables);
    }
    for (uint32_t slot = 0; slot < count; slot++) {
        delta_append(view->delta, records_key(view->records, slot), slot);
    }
    return true;
}

enum imprint_error index_load(struct index *index, const struct index_item *items, size_t count)
{
    struct view *view = index_view_new(index->memory);
    if (view == NULL || !fill_view(index, view, items, count)) {
        index_view_free(index->memory, view);
        return IMPRINT_E_NOMEM;
    }
    struct view *old = atomic_exchange(&index->view, view);
    index_readers_wait(index->readers);
    index_merge_abandon(index);
    index_view_free(index->memory, old);
    atomic_store(&index->live, count);
    atomic_store(&index->dead, 0);
    return IMPRINT_OK;
}

/* --- Figures --------------------------------------------------------------------------------- */

bool index_wants_merge(const struct index *index)
{
    size_t dead = atomic_load_explicit(&index->dead, memory_order_relaxed);
    size_t live = atomic_load_explicit(&index->live, memory_order_relaxed);
    if (dead > INDEX_DELTA_COMFORTABLE && dead > live / 8) {
        return true;
    }
    atomic_size_t *counter = index_readers_enter(index->readers);
    const struct view *view = atomic_load(&index->view);
    bool has_tables = atomic_load(&view->tables->segment_count) > 0;
    bool is_long =
        delta_count(view->delta) > (has_tables ? INDEX_DELTA_COMFORTABLE : INDEX_TABLES_FROM);
    bool is_half_merged = view->sealed != NULL;
    index_readers_leave(counter);
    return is_long || is_half_merged;
}

size_t index_count(const struct index *index)
{
    return atomic_load_explicit(&index->live, memory_order_relaxed);
}

size_t index_memory(const struct index *index)
{
    return sizeof *index + sizeof *index->readers +
           atomic_load_explicit(&index->memory->bytes, memory_order_relaxed);
}
