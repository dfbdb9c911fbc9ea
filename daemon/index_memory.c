#include "index_memory.h"

#include <stdint.h>
#include <sys/mman.h>

#define PAGE_BYTES      ((size_t)4096)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static void *map_anonymous(size_t bytes)
{
    void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return address == MAP_FAILED ? NULL : address;
}

/* Maps a huge page more than asked for, cuts what lies before and after. The tail that fills no
 * huge page stays on small ones, so rounding wastes nothing. */
static void *map_huge(size_t bytes)
{
    uint8_t *start = map_anonymous(bytes + HUGE_PAGE_BYTES);
    if (start == NULL) {
        return NULL;
    }
    size_t head = round_up((uintptr_t)start, HUGE_PAGE_BYTES) - (uintptr_t)start;
    if (head > 0) {
        (void)munmap(start, head);
    }
    if (head < HUGE_PAGE_BYTES) {
        (void)munmap(start + head + bytes, HUGE_PAGE_BYTES - head);
    }
    /* A kernel without huge pages only makes us slower. */
    (void)madvise(start + head, bytes, MADV_HUGEPAGE);
    return start + head;
}

void *index_memory_map(struct index_memory *memory, size_t bytes)
{
    if (bytes > SIZE_MAX - 2 * HUGE_PAGE_BYTES) {
        return NULL;
    }
    size_t rounded = round_up(bytes, PAGE_BYTES);
    void *address = rounded < HUGE_PAGE_BYTES ? map_anonymous(rounded) : map_huge(rounded);
    if (address != NULL) {
        atomic_fetch_add_explicit(&memory->bytes, rounded, memory_order_relaxed);
    }
    return address;
}

void index_memory_unmap(struct index_memory *memory, void *address, size_t bytes)
{
    if (address == NULL) {
        return;
    }
    size_t rounded = round_up(bytes, PAGE_BYTES);
    (void)munmap(address, rounded);
    atomic_fetch_sub_explicit(&memory->bytes, rounded, memory_order_relaxed);
}
