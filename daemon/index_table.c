#include "index_table.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

#include "index_kernels.h"

#define PARTITIONS 256u

/* One record on its way into a table. */
struct table_posting {
    uint16_t value;
    uint8_t bucket_low; /* the bucket's lower byte; the higher is known by where this stands */
    uint32_t slot;
};

static size_t align_line(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static struct table *table_new(struct index_memory *memory, size_t count)
{
    size_t values_at = align_line(sizeof(struct table));
    size_t slots_at = values_at + align_line((count + INDEX_RUN_SLACK) * sizeof(uint16_t));
    size_t bytes = slots_at + count * TABLE_SLOT_BYTES;
    struct table *table = index_memory_map(memory, bytes);
    if (table == NULL) {
        return NULL;
    }
    table->bytes = bytes;
    table->count = (uint32_t)count;
    table->values = (uint16_t *)(void *)((uint8_t *)table + values_at);
    table->slots = (uint8_t *)table + slots_at;
    return table;
}

void table_free(struct index_memory *memory, struct table *table)
{
    if (table != NULL) {
        index_memory_unmap(memory, table, table->bytes);
    }
}

bool table_scratch_reserve(struct index_memory *memory, struct table_scratch *scratch, size_t count)
{
    if (count <= scratch->capacity) {
        return true;
    }
    struct table_posting *postings = index_memory_map(memory, count * sizeof *postings);
    if (postings == NULL) {
        return false;
    }
    table_scratch_done(memory, scratch);
    scratch->postings = postings;
    scratch->capacity = count;
    return true;
}

void table_scratch_done(struct index_memory *memory, struct table_scratch *scratch)
{
    index_memory_unmap(memory, scratch->postings, scratch->capacity * sizeof *scratch->postings);
    *scratch = (struct table_scratch){0};
}

static inline void put_slot(struct table *table, uint32_t position, uint32_t slot)
{
    uint8_t *bytes = table->slots + (size_t)TABLE_SLOT_BYTES * position;
    bytes[0] = (uint8_t)slot;
    bytes[1] = (uint8_t)(slot >> 8);
    bytes[2] = (uint8_t)(slot >> 16);
}

static inline uint32_t source_slot(const struct table_source *source, size_t i)
{
    return source->slots == NULL ? (uint32_t)i : source->slots[i];
}

static inline const struct index_key *source_key(const struct table_source *source, uint32_t slot)
{
    return records_key(source->records, source->segment * SEGMENT_SLOTS + slot);
}

static void count_buckets(struct table *table, const struct table_source *source, unsigned chunk)
{
    for (size_t i = 0; i < source->count; i++) {
        table->offsets[1 + index_key_chunk(source_key(source, source_slot(source, i)), chunk)]++;
    }
    for (uint32_t bucket = 0; bucket < TABLE_BUCKETS; bucket++) {
        table->offsets[bucket + 1] += table->offsets[bucket];
    }
}

/* Sorts by the higher byte of the bucket: 256 places written to in turn stay in the cache, 65,536
 * would not. */
static void partition_postings(const struct table *table, const struct table_source *source,
                               unsigned chunk, struct table_posting *postings)
{
    uint32_t ends[PARTITIONS];
    for (uint32_t i = 0; i < PARTITIONS; i++) {
        ends[i] = table->offsets[i * (TABLE_BUCKETS / PARTITIONS)];
    }
    for (size_t i = 0; i < source->count; i++) {
        uint32_t slot = source_slot(source, i);
        const struct index_key *key = source_key(source, slot);
        uint16_t bucket = index_key_chunk(key, chunk);
        postings[ends[bucket >> 8]++] = (struct table_posting){
            .value = index_key_chunk(key, (chunk + 1) % INDEX_CHUNKS),
            .bucket_low = (uint8_t)bucket,
            .slot = slot,
        };
    }
}

static void place_postings(struct table *table, const struct table_posting *postings)
{
    for (uint32_t part = 0; part < PARTITIONS; part++) {
        const uint32_t *offsets = table->offsets + part * (TABLE_BUCKETS / PARTITIONS);
        uint32_t ends[TABLE_BUCKETS / PARTITIONS];
        memcpy(ends, offsets, sizeof ends);
        for (uint32_t i = offsets[0]; i < offsets[TABLE_BUCKETS / PARTITIONS]; i++) {
            uint32_t position = ends[postings[i].bucket_low]++;
            table->values[position] = postings[i].value;
            put_slot(table, position, postings[i].slot);
        }
    }
}

struct table *table_build(struct index_memory *memory, struct table_scratch *scratch,
                          const struct table_source *source, unsigned chunk)
{
    assert(source->count <= scratch->capacity && source->count <= SEGMENT_SLOTS);
    struct table *table = table_new(memory, source->count);
    if (table != NULL) {
        count_buckets(table, source, chunk);
        partition_postings(table, source, chunk, scratch->postings);
        place_postings(table, scratch->postings);
    }
    return table;
}

static uint32_t copy_bucket(struct table *table, uint32_t position, const struct table *from,
                            uint32_t bucket)
{
    uint32_t begin = from->offsets[bucket];
    uint32_t count = from->offsets[bucket + 1] - begin;
    memcpy(table->values + position, from->values + begin, count * sizeof *table->values);
    memcpy(table->slots + (size_t)TABLE_SLOT_BYTES * position,
           from->slots + (size_t)TABLE_SLOT_BYTES * begin, (size_t)TABLE_SLOT_BYTES * count);
    return position + count;
}

static uint32_t copy_kept(struct table *table, uint32_t position, const struct table *from,
                          uint32_t bucket, const uint64_t *dropped)
{
    for (uint32_t i = from->offsets[bucket]; i < from->offsets[bucket + 1]; i++) {
        uint32_t slot = table_slot(from, i);
        if ((dropped[slot / 64] >> slot % 64 & 1) == 0) {
            table->values[position] = from->values[i];
            put_slot(table, position++, slot);
        }
    }
    return position;
}

struct table *table_merge(struct index_memory *memory, const struct table *old,
                          const struct table *added, const uint64_t *dropped, uint32_t drop_count)
{
    uint32_t count =
        (old == NULL ? 0 : old->count - drop_count) + (added == NULL ? 0 : added->count);
    struct table *table = table_new(memory, count);
    if (table == NULL) {
        return NULL;
    }
    uint32_t position = 0;
    for (uint32_t bucket = 0; bucket < TABLE_BUCKETS; bucket++) {
        table->offsets[bucket] = position;
        if (old != NULL && drop_count > 0) {
            position = copy_kept(table, position, old, bucket, dropped);
        } else if (old != NULL) {
            position = copy_bucket(table, position, old, bucket);
        }
        if (added != NULL) {
            position = copy_bucket(table, position, added, bucket);
        }
    }
    table->offsets[TABLE_BUCKETS] = position;
    assert(position == count);
    return table;
}
