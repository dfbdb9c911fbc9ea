/* index_private.h - what the parts of the index share. For index_*.c, its test and its benchmark.
 *
 * Records (key, entry, list) stand in slots. A slot keeps its number and its contents for as long
 * as any reader can reach it, so everything else refers to records by slot. New records are scanned
 * one by one out of the delta.
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
#include "index_ring.h"

/* --- Records --------------------------------------------------------------------------------- */

#define RECORDS_A_CHUNK    65536u
#define RECORDS_CHUNKS_MAX 16384u /* 2^30 slots */

struct record_chunk {
    struct index_key keys[RECORDS_A_CHUNK];
    uint64_t entries[RECORDS_A_CHUNK];
    uint16_t lists[RECORDS_A_CHUNK];
    _Atomic uint64_t dead[RECORDS_A_CHUNK / 64]; /* one bit a slot: removed */
};

/* Readers use chunks only; the rest is the writer's. */
struct records {
    struct record_chunk *chunks[RECORDS_CHUNKS_MAX];
    size_t chunk_count;
    size_t used;    /* slots handed out so far, freed ones included */
    uint32_t *free; /* slots that no reader can reach any more */
    size_t free_count;
};

struct records *records_new(struct index_memory *memory);
void records_free(struct index_memory *memory, struct records *records);
/* Makes room for count more records. False: no memory, nothing changed. */
bool records_reserve(struct index_memory *memory, struct records *records, size_t count);
/* Needs room. The record can be reached by no reader before its slot is published. */
uint32_t records_take(struct records *records, const struct index_key *key, uint64_t entry,
                      uint16_t list);

static inline struct record_chunk *records_chunk(const struct records *records, uint32_t slot)
{
    return records->chunks[slot / RECORDS_A_CHUNK];
}

static inline const struct index_key *records_key(const struct records *records, uint32_t slot)
{
    return &records_chunk(records, slot)->keys[slot % RECORDS_A_CHUNK];
}

static inline bool records_is_dead(const struct records *records, uint32_t slot)
{
    const _Atomic uint64_t *dead = records_chunk(records, slot)->dead;
    uint64_t word = atomic_load_explicit(&dead[slot % RECORDS_A_CHUNK / 64], memory_order_acquire);
    return word >> slot % 64 & 1;
}

/* --- Delta ----------------------------------------------------------------------------------- */

/* Block b holds DELTA_BLOCK_FIRST << b keys and their slots, so that nothing moves when it grows
 * and no reader sees anything replaced. */
#define DELTA_BLOCK_FIRST 1024u
#define DELTA_BLOCKS_MAX  21u /* 2^31 keys */

struct delta_block {
    struct index_key *keys;
    uint32_t *slots;
};

struct delta {
    struct delta_block blocks[DELTA_BLOCKS_MAX];
    unsigned block_count;
    atomic_size_t count; /* keys that readers may look at */
};

struct delta *delta_new(void);
void delta_free(struct index_memory *memory, struct delta *delta);
bool delta_reserve(struct index_memory *memory, struct delta *delta, size_t count);
void delta_append(struct delta *delta, const struct index_key *key, uint32_t slot);

static inline size_t delta_block_count(unsigned block)
{
    return (size_t)DELTA_BLOCK_FIRST << block;
}

/* --- The whole ------------------------------------------------------------------------------- */

/* What one search sees. Replaced as a whole, never changed; only what it points to grows. */
struct view {
    struct records *records;
    struct delta *delta;
};

struct index {
    struct index_permutation permutation;
    const struct index_kernels *kernels;
    struct index_memory *memory;
    struct index_readers *readers;
    _Atomic(struct view *) view;
    pthread_mutex_t changing; /* adds and removals against the steps of a merge; never searches */
    size_t reserved;          /* adds promised not to fail */
    atomic_size_t live;
    atomic_size_t dead; /* removed, not yet folded away */
};

/* For the test and the benchmark: search with other instructions than the quickest. */
void index_use_kernels(struct index *index, const struct index_kernels *kernels);

#endif
