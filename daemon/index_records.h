/* index_records.h - the records themselves, and the delta of those not yet in the tables.
 *
 * Private to the index. Records (key, entry, list) stand in slots. A slot keeps its number and its
 * contents for as long as any reader can reach it, so everything else refers to records by slot.
 */
#ifndef DAEMON_INDEX_RECORDS_H
#define DAEMON_INDEX_RECORDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index_kernels.h"
#include "index_memory.h"

/* --- Records --------------------------------------------------------------------------------- */

/* A test makes them smaller, so that little data fills several segments. */
#ifndef SEGMENT_SLOTS
#define SEGMENT_SLOTS   ((uint32_t)1 << 24)
#define SEGMENTS_MAX    64u
#define RECORDS_A_CHUNK 65536u
#endif
#define RECORDS_CHUNKS_MAX (SEGMENTS_MAX * (SEGMENT_SLOTS / RECORDS_A_CHUNK))

struct record_chunk {
    struct index_key keys[RECORDS_A_CHUNK];
    uint64_t entries[RECORDS_A_CHUNK];
    uint16_t lists[RECORDS_A_CHUNK];
    _Atomic uint64_t dead[RECORDS_A_CHUNK / 64]; /* a bit a slot: removed, not yet folded away */
};

/* Readers use chunks only; the rest is the writer's. */
struct records {
    struct record_chunk *chunks[RECORDS_CHUNKS_MAX];
    size_t chunk_count;
    size_t used;    /* slots handed out so far, freed ones included */
    uint32_t *free; /* slots that no reader can reach any more */
    size_t free_count;
    size_t free_capacity;
};

struct records *records_new(struct index_memory *memory);
void records_free(struct index_memory *memory, struct records *records);
/* Makes room for count more records. False: no memory, nothing changed. */
bool records_reserve(struct index_memory *memory, struct records *records, size_t count);
/* Needs room. The record can be reached by no reader before its slot is published. */
uint32_t records_take(struct records *records, const struct index_key *key, uint64_t entry,
                      uint16_t list);
/* Makes room for giving back count slots. */
bool records_reserve_free(struct records *records, size_t count);
/* Gives back a slot that is dead and that no reader can reach any more. */
void records_give_back(struct records *records, uint32_t slot);

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

static inline bool bit_is_set(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> i % 64 & 1;
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

static inline size_t delta_count(const struct delta *delta)
{
    return atomic_load_explicit(&delta->count, memory_order_acquire);
}

#endif
