/* index_table.h - for one chunk of the keys: which records have which value there.
 *
 * Private to the index. The records of a segment (2^24 slots) are sorted into 65,536 buckets by the
 * value of one chunk. Beside each stands the value of the *next* chunk, by which nearly all are
 * dismissed without a look at the record; the slots stand in an array of their own, three bytes
 * each, because few are asked for. A table never changes; a merge makes a new one of the old.
 */
#ifndef DAEMON_INDEX_TABLE_H
#define DAEMON_INDEX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index_memory.h"
#include "index_records.h"
#include "index_ring.h"

#define TABLE_BUCKETS    65536u
#define TABLE_SLOT_BYTES 3

struct table {
    size_t bytes;     /* mapped, this included */
    uint32_t count;   /* records */
    uint16_t *values; /* of the next chunk, by bucket */
    uint8_t *slots;   /* within the segment, little-endian, by bucket */
    uint32_t offsets[TABLE_BUCKETS + 1];
};

static inline uint32_t table_slot(const struct table *table, uint32_t position)
{
    const uint8_t *bytes = table->slots + (size_t)TABLE_SLOT_BYTES * position;
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

/* Records of one segment: those in slots[0..count), or, where slots is NULL, the first count. */
struct table_source {
    const struct records *records;
    uint32_t segment;
    const uint32_t *slots; /* within the segment */
    size_t count;
};

/* Memory for sorting, used for table after table. */
struct table_scratch {
    struct table_posting *postings;
    size_t capacity;
};

bool table_scratch_reserve(struct index_memory *memory, struct table_scratch *scratch,
                           size_t count);
void table_scratch_done(struct index_memory *memory, struct table_scratch *scratch);

/* NULL: no memory. scratch has room for the source's count. */
struct table *table_build(struct index_memory *memory, struct table_scratch *scratch,
                          const struct table_source *source, unsigned chunk);

/* The records of old (which may be NULL) but those whose bit is set in dropped, and all of added
 * (which may be NULL). dropped has a bit for each slot of the segment in use, or is NULL;
 * drop_count of its bits are in old. NULL: no memory. */
struct table *table_merge(struct index_memory *memory, const struct table *old,
                          const struct table *added, const uint64_t *dropped, uint32_t drop_count);

void table_free(struct index_memory *memory, struct table *table);

#endif
