/* index_memory.h - memory for the index's large arrays, zeroed, counted, on huge pages.
 *
 * Private to the index. A search touches hundreds of random places; with 4 KiB pages each of them
 * would miss the TLB as well as the cache.
 */
#ifndef DAEMON_INDEX_MEMORY_H
#define DAEMON_INDEX_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>

struct index_memory {
    atomic_size_t bytes; /* mapped now, over everything that counts here */
};

/* Zeroed memory, or NULL. Small requests are rounded up to a page, large ones begin on a huge
 * page. */
void *index_memory_map(struct index_memory *memory, size_t bytes);

/* bytes as given to _map. NULL is allowed. */
void index_memory_unmap(struct index_memory *memory, void *address, size_t bytes);

#endif
