#include "arena.h"

#ifdef IMPRINT_SANITIZED

bool arena_open(void)
{
    return true;
}

void arena_seal(void)
{
}

void arena_wipe(void)
{
}

void arena_shrink(void)
{
}

size_t arena_room(void)
{
    return ARENA_BYTES;
}

#else

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define EXPORTED     __attribute__((visibility("default")))

/* Every block starts with its capacity; 16 bytes keep it aligned for SSE and for long double. */
#define HEADER_BYTES 16u
#define ALIGN_BYTES  16u

/* Up to here wiping by hand is cheaper than having the kernel take the pages away and give new ones
 * (0.4 ms for a 512x512 picture); beyond it they go back at once, and these when there is no work.
 */
#define KEPT_BYTES   ((size_t)4 << 20)
#define PAGE_BYTES   ((size_t)4096)

/* Freed blocks wait in lists by capacity. Capacities have the form (9..16) << n, so a block is at
 * most an eighth larger than asked for (and at least 128 bytes) and any block of a list fits. */
#define CLASSES      8
#define LISTS        (CLASSES * 32)

struct block {
    size_t capacity;    /* of the bytes after the header; of the form above */
    struct block *next; /* while free: overlays the second half of the header */
};

_Static_assert(sizeof(struct block) == HEADER_BYTES, "a header keeps the alignment");

static struct {
    uint8_t *start;
    size_t used;   /* bytes handed out so far, from the start */
    size_t peak;   /* the largest value of used since the last wipe */
    size_t sealed; /* used at arena_seal */
    struct block *free[LISTS];
} arena;

bool arena_open(void)
{
    if (arena.start != NULL) {
        return true;
    }
    void *start = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED) {
        return false;
    }
    /* Best effort: no such kernel is known, and core files are off anyway. */
    (void)madvise(start, ARENA_BYTES, MADV_DONTDUMP);
    /* A huge page would make every small picture pay for wiping two megabytes. */
    (void)madvise(start, ARENA_BYTES, MADV_NOHUGEPAGE);
    arena.start = start;
    return true;
}

void arena_seal(void)
{
    memset(arena.free, 0, sizeof arena.free);
    memset(arena.start + arena.used, 0, arena.peak - arena.used);
    arena.sealed = arena.used;
    arena.peak = arena.used;
}

void arena_wipe(void)
{
#ifndef IMPRINT_TEST_UNWIPED
    const size_t kept_end = (arena.sealed + KEPT_BYTES) & ~(PAGE_BYTES - 1);
    const size_t by_hand = arena.peak < kept_end ? arena.peak : kept_end;
    explicit_bzero(arena.start + arena.sealed, by_hand - arena.sealed);
    if (arena.peak > kept_end &&
        madvise(arena.start + kept_end, arena.peak - kept_end, MADV_DONTNEED) != 0) {
        explicit_bzero(arena.start + kept_end, arena.peak - kept_end);
    }
    arena.peak = arena.sealed; /* an unwiped arena is written up to its peak */
#endif
    memset(arena.free, 0, sizeof arena.free);
    arena.used = arena.sealed;
}

void arena_shrink(void)
{
    const size_t start = (arena.used + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    const size_t end = (arena.sealed + KEPT_BYTES) & ~(PAGE_BYTES - 1);
    if (arena.start != NULL && start < end) {
        /* They are zero; all that could go wrong is that they stay. */
        (void)madvise(arena.start + start, end - start, MADV_DONTNEED);
    }
}

size_t arena_room(void)
{
    return ARENA_BYTES - arena.used;
}

/* --- Blocks ---------------------------------------------------------------------------------- */

/* Rounds up to the next capacity and gives its list. bytes is at most ARENA_BYTES. */
static size_t round_up(size_t bytes, unsigned *out_list)
{
    if (bytes < CLASSES * ALIGN_BYTES) {
        bytes = CLASSES * ALIGN_BYTES;
    }
    unsigned shift = 63 - (unsigned)__builtin_clzll(bytes - 1) - 3;
    size_t steps = ((bytes - 1) >> shift) + 1; /* 9..16 */
    *out_list = shift * CLASSES + (unsigned)(steps - 9);
    return steps << shift;
}

static struct block *block_of(void *memory)
{
    return (struct block *)(void *)((uint8_t *)memory - HEADER_BYTES);
}

static bool is_last(const struct block *block)
{
    return (const uint8_t *)block + HEADER_BYTES + block->capacity == arena.start + arena.used;
}

static void *take_fresh(size_t capacity)
{
    if (!arena_open() || capacity + HEADER_BYTES > arena_room()) {
        return NULL;
    }
    struct block *block = (struct block *)(void *)(arena.start + arena.used);
    block->capacity = capacity;
    arena.used += HEADER_BYTES + capacity;
    if (arena.used > arena.peak) {
        arena.peak = arena.used;
    }
    return (uint8_t *)block + HEADER_BYTES;
}

EXPORTED void *malloc(size_t bytes)
{
    void *memory = NULL;
    if (bytes <= ARENA_BYTES) {
        unsigned list;
        const size_t capacity = round_up(bytes, &list);
        struct block *block = arena.free[list];
        if (block != NULL) {
            arena.free[list] = block->next;
            memory = (uint8_t *)block + HEADER_BYTES;
        } else {
            memory = take_fresh(capacity);
        }
    }
    if (memory == NULL) {
        errno = ENOMEM;
    }
    return memory;
}

EXPORTED void free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct block *block = block_of(memory);
    if ((const uint8_t *)block < arena.start + arena.sealed) {
        return; /* below the seal nothing is wiped, so no picture may get it */
    }
    if (is_last(block)) {
        arena.used = (size_t)((uint8_t *)block - arena.start);
        return;
    }
    unsigned list;
    (void)round_up(block->capacity, &list);
    block->next = arena.free[list];
    arena.free[list] = block;
}

EXPORTED void *calloc(size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    const size_t peak = arena.peak;
    uint8_t *memory = malloc(total);
    if (memory != NULL) {
        /* Beyond the peak nobody has written since the last wipe. */
        const size_t offset = (size_t)(memory - arena.start);
        const size_t written = offset < peak ? peak - offset : 0;
        memset(memory, 0, total < written ? total : written);
    }
    return memory;
}

EXPORTED void *realloc(void *memory, size_t bytes)
{
    if (memory == NULL) {
        return malloc(bytes);
    }
    struct block *block = block_of(memory);
    if (bytes <= block->capacity) {
        return memory;
    }
    void *larger = malloc(bytes);
    if (larger != NULL) {
        memcpy(larger, memory, block->capacity);
        free(memory);
    }
    return larger;
}

EXPORTED void *reallocarray(void *memory, size_t count, size_t bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(memory, total);
}

/* Larger alignments are rare (a vector buffer); the slack before such a block is not given back
 * until the wipe. */
EXPORTED void *memalign(size_t alignment, size_t bytes)
{
    if (alignment <= ALIGN_BYTES) {
        return malloc(bytes);
    }
    if ((alignment & (alignment - 1)) != 0 || alignment > ARENA_BYTES || !arena_open()) {
        errno = EINVAL;
        return NULL;
    }
    const size_t memory = (size_t)(arena.start + arena.used) + HEADER_BYTES;
    const size_t slack = (alignment - (memory & (alignment - 1))) & (alignment - 1);
    unsigned list;
    if (bytes > ARENA_BYTES || slack > arena_room()) {
        errno = ENOMEM;
        return NULL;
    }
    const size_t capacity = round_up(bytes, &list);
    arena.used += slack;
    void *aligned = take_fresh(capacity);
    if (aligned == NULL) {
        arena.used -= slack;
        errno = ENOMEM;
    }
    return aligned;
}

EXPORTED void *aligned_alloc(size_t alignment, size_t bytes)
{
    return memalign(alignment, bytes);
}

EXPORTED int posix_memalign(void **out_memory, size_t alignment, size_t bytes)
{
    void *memory = memalign(alignment, bytes);
    if (memory == NULL) {
        return ENOMEM;
    }
    *out_memory = memory;
    return 0;
}

EXPORTED size_t malloc_usable_size(void *memory)
{
    return memory == NULL ? 0 : block_of(memory)->capacity;
}

#endif
