#include "index.h"

#include <assert.h>
#include <stdlib.h>

#include "index_private.h"

/* Scanning so many keys costs about as much as a search of the main part at a million entries. */
#define DELTA_COMFORTABLE 8192

/* --- Views ----------------------------------------------------------------------------------- */

static struct view *view_new(struct index_memory *memory)
{
    struct view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    view->records = records_new(memory);
    view->delta = delta_new();
    if (view->records == NULL || view->delta == NULL) {
        records_free(memory, view->records);
        delta_free(memory, view->delta);
        free(view);
        return NULL;
    }
    return view;
}

/* Everything the view points to goes too. */
static void view_free(struct index_memory *memory, struct view *view)
{
    if (view == NULL) {
        return;
    }
    records_free(memory, view->records);
    delta_free(memory, view->delta);
    free(view);
}

static struct view *current_view(const struct index *index)
{
    return atomic_load_explicit(&index->view, memory_order_acquire);
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
    struct view *view = index->memory == NULL ? NULL : view_new(index->memory);
    if (index->readers == NULL || view == NULL) {
        view_free(index->memory, view);
        free(index->readers);
        free(index->memory);
        free(index);
        return IMPRINT_E_NOMEM;
    }
    index_permutation_init(&index->permutation);
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
    view_free(index->memory, current_view(index));
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
    struct view *view = current_view(index);
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
    struct view *view = current_view(index);
    uint32_t slot = records_take(view->records, &key, item->entry, item->list);
    delta_append(view->delta, &key, slot);
    atomic_fetch_add_explicit(&index->live, 1, memory_order_relaxed);
    pthread_mutex_unlock(&index->changing);
}

/* Marks the slot if it is the entry's and alive. */
static bool kill_slot(struct records *records, uint32_t slot, uint64_t entry)
{
    struct record_chunk *chunk = records_chunk(records, slot);
    size_t place = slot % RECORDS_A_CHUNK;
    uint64_t bit = (uint64_t)1 << place % 64;
    if (chunk->entries[place] != entry || records_is_dead(records, slot)) {
        return false;
    }
    atomic_fetch_or_explicit(&chunk->dead[place / 64], bit, memory_order_release);
    return true;
}

static bool remove_from_block(struct index *index, const struct delta_block *block, size_t count,
                              uint64_t entry, const struct index_key *key)
{
    uint32_t equal[INDEX_SURVIVORS_MAX];
    for (size_t start = 0; start < count; start += INDEX_SURVIVORS_MAX) {
        size_t left = count - start;
        size_t found = index->kernels->scan_keys(
            block->keys + start, left < INDEX_SURVIVORS_MAX ? left : INDEX_SURVIVORS_MAX, key, 0,
            equal);
        for (size_t i = 0; i < found; i++) {
            if (kill_slot(current_view(index)->records, block->slots[start + equal[i]], entry)) {
                return true;
            }
        }
    }
    return false;
}

static bool remove_from_delta(struct index *index, const struct delta *delta, uint64_t entry,
                              const struct index_key *key)
{
    size_t left = atomic_load_explicit(&delta->count, memory_order_relaxed);
    for (unsigned b = 0; left > 0; b++) {
        size_t count = left < delta_block_count(b) ? left : delta_block_count(b);
        if (remove_from_block(index, &delta->blocks[b], count, entry, key)) {
            return true;
        }
        left -= count;
    }
    return false;
}

bool index_remove(struct index *index, uint64_t entry, const struct imprint_hash *hash)
{
    struct index_key key;
    index_permutation_apply(&index->permutation, hash, &key);
    pthread_mutex_lock(&index->changing);
    bool removed = remove_from_delta(index, current_view(index)->delta, entry, &key);
    if (removed) {
        atomic_fetch_sub_explicit(&index->live, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&index->dead, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&index->changing);
    return removed;
}

/* Puts a view in place of the current one and waits until nobody looks at the old one, which is
 * returned. */
static struct view *replace_view(struct index *index, struct view *view)
{
    struct view *old = atomic_exchange(&index->view, view);
    index_readers_wait(index->readers);
    return old;
}

static bool fill_view(struct index *index, struct view *view, const struct index_item *items,
                      size_t count)
{
    if (!records_reserve(index->memory, view->records, count + index->reserved) ||
        !delta_reserve(index->memory, view->delta, count + index->reserved)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct index_key key;
        index_permutation_apply(&index->permutation, &items[i].hash, &key);
        uint32_t slot = records_take(view->records, &key, items[i].entry, items[i].list);
        delta_append(view->delta, &key, slot);
    }
    return true;
}

enum imprint_error index_load(struct index *index, const struct index_item *items, size_t count)
{
    struct view *view = view_new(index->memory);
    if (view == NULL) {
        return IMPRINT_E_NOMEM;
    }
    if (!fill_view(index, view, items, count)) {
        view_free(index->memory, view);
        return IMPRINT_E_NOMEM;
    }
    view_free(index->memory, replace_view(index, view));
    atomic_store(&index->live, count);
    atomic_store(&index->dead, 0);
    return IMPRINT_OK;
}

/* --- Merging --------------------------------------------------------------------------------- */

bool index_wants_merge(const struct index *index)
{
    size_t dead = atomic_load_explicit(&index->dead, memory_order_relaxed);
    size_t live = atomic_load_explicit(&index->live, memory_order_relaxed);
    return dead > DELTA_COMFORTABLE && dead > live / 8;
}

/* Appends the living records of from to view, copies and all. */
static void copy_living(const struct view *from, struct view *view)
{
    size_t count = atomic_load_explicit(&from->delta->count, memory_order_relaxed);
    size_t position = 0;
    for (unsigned b = 0; position < count; b++) {
        const struct delta_block *block = &from->delta->blocks[b];
        for (size_t i = 0; i < delta_block_count(b) && position < count; i++, position++) {
            uint32_t slot = block->slots[i];
            if (!records_is_dead(from->records, slot)) {
                const struct record_chunk *chunk = records_chunk(from->records, slot);
                uint32_t copy = records_take(view->records, &block->keys[i],
                                             chunk->entries[slot % RECORDS_A_CHUNK],
                                             chunk->lists[slot % RECORDS_A_CHUNK]);
                delta_append(view->delta, &block->keys[i], copy);
            }
        }
    }
}

enum imprint_error index_merge(struct index *index)
{
    struct view *view = view_new(index->memory);
    if (view == NULL) {
        return IMPRINT_E_NOMEM;
    }
    pthread_mutex_lock(&index->changing);
    size_t room = atomic_load(&index->live) + index->reserved;
    if (!records_reserve(index->memory, view->records, room) ||
        !delta_reserve(index->memory, view->delta, room)) {
        pthread_mutex_unlock(&index->changing);
        view_free(index->memory, view);
        return IMPRINT_E_NOMEM;
    }
    copy_living(current_view(index), view);
    atomic_store(&index->dead, 0);
    struct view *old = replace_view(index, view);
    pthread_mutex_unlock(&index->changing);
    view_free(index->memory, old);
    return IMPRINT_OK;
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
