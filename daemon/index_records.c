#include "index_records.h"

#include <assert.h>
#include <stdlib.h>

/* --- Records --------------------------------------------------------------------------------- */

struct records *records_new(struct index_memory *memory)
{
    return index_memory_map(memory, sizeof(struct records));
}

void records_free(struct index_memory *memory, struct records *records)
{
    if (records == NULL) {
        return;
    }
    for (size_t i = 0; i < records->chunk_count; i++) {
        index_memory_unmap(memory, records->chunks[i], sizeof(struct record_chunk));
    }
    free(records->free);
    index_memory_unmap(memory, records, sizeof *records);
}

bool records_reserve(struct index_memory *memory, struct records *records, size_t count)
{
    size_t room = records->free_count + records->chunk_count * RECORDS_A_CHUNK - records->used;
    while (room < count) {
        if (records->chunk_count == RECORDS_CHUNKS_MAX) {
            return false;
        }
        struct record_chunk *chunk = index_memory_map(memory, sizeof *chunk);
        if (chunk == NULL) {
            return false;
        }
        records->chunks[records->chunk_count++] = chunk;
        room += RECORDS_A_CHUNK;
    }
    return true;
}

uint32_t records_take(struct records *records, const struct index_key *key, uint64_t entry,
                      uint16_t list)
{
    uint32_t slot;
    if (records->free_count > 0) {
        slot = records->free[--records->free_count];
    } else {
        assert(records->used < records->chunk_count * RECORDS_A_CHUNK);
        slot = (uint32_t)records->used++;
    }
    struct record_chunk *chunk = records_chunk(records, slot);
    size_t place = slot % RECORDS_A_CHUNK;
    chunk->keys[place] = *key;
    chunk->entries[place] = entry;
    chunk->lists[place] = list;
    return slot;
}

bool records_reserve_free(struct records *records, size_t count)
{
    size_t needed = records->free_count + count;
    if (needed <= records->free_capacity) {
        return true;
    }
    uint32_t *slots = reallocarray(records->free, needed, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    records->free = slots;
    records->free_capacity = needed;
    return true;
}

void records_give_back(struct records *records, uint32_t slot)
{
    assert(records->free_count < records->free_capacity);
    _Atomic uint64_t *dead = &records_chunk(records, slot)->dead[slot % RECORDS_A_CHUNK / 64];
    atomic_fetch_and_explicit(dead, ~((uint64_t)1 << slot % 64), memory_order_relaxed);
    records->free[records->free_count++] = slot;
}

/* --- Delta ----------------------------------------------------------------------------------- */

static size_t block_bytes(unsigned block)
{
    return delta_block_count(block) * (sizeof(struct index_key) + sizeof(uint32_t));
}

struct delta *delta_new(void)
{
    return calloc(1, sizeof(struct delta));
}

void delta_free(struct index_memory *memory, struct delta *delta)
{
    if (delta == NULL) {
        return;
    }
    for (unsigned block = 0; block < delta->block_count; block++) {
        index_memory_unmap(memory, delta->blocks[block].keys, block_bytes(block));
    }
    free(delta);
}

bool delta_reserve(struct index_memory *memory, struct delta *delta, size_t count)
{
    size_t used = atomic_load_explicit(&delta->count, memory_order_relaxed);
    /* Blocks 0 to b hold DELTA_BLOCK_FIRST * (2^(b+1) - 1) keys. */
    while (delta_block_count(delta->block_count) - DELTA_BLOCK_FIRST < used + count) {
        unsigned block = delta->block_count;
        if (block == DELTA_BLOCKS_MAX) {
            return false;
        }
        struct index_key *keys = index_memory_map(memory, block_bytes(block));
        if (keys == NULL) {
            return false;
        }
        delta->blocks[block].keys = keys;
        delta->blocks[block].slots = (uint32_t *)(void *)(keys + delta_block_count(block));
        delta->block_count++;
    }
    return true;
}

void delta_append(struct delta *delta, const struct index_key *key, uint32_t slot)
{
    size_t position = atomic_load_explicit(&delta->count, memory_order_relaxed);
    unsigned block = 63u - (unsigned)__builtin_clzll(position / DELTA_BLOCK_FIRST + 1);
    size_t place = position - (delta_block_count(block) - DELTA_BLOCK_FIRST);
    assert(block < delta->block_count);
    delta->blocks[block].keys[place] = *key;
    delta->blocks[block].slots[place] = slot;
    atomic_store_explicit(&delta->count, position + 1, memory_order_release);
}
