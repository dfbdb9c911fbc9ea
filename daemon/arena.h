/* arena.h - the one piece of memory a worker has, in place of the C library's heap.
 *
 * Why:       a caged worker may not ask the kernel for memory, and what a picture left behind must
 *            be findable to be wiped. Linking arena.c replaces malloc, calloc, realloc and free
 * (and their aligned kin) for the whole program, libraries included. Ownership: blocks made before
 * arena_seal live on; all later ones end with arena_wipe. Threads:   one. Errors:    a full arena
 * gives NULL and ENOMEM, as malloc does.
 *
 * Builds with sanitizers keep their own allocator: there the arena is not compiled in and only the
 * numbers remain.
 */
#ifndef DAEMON_ARENA_H
#define DAEMON_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/* The most one picture can take: its bytes, its decoder and its samples together. */
#define ARENA_BYTES ((size_t)256 << 20)

/* Maps the arena, if the C library did not need it already. False: no memory. */
bool arena_open(void);

/* All blocks that exist now are the program's own. */
void arena_seal(void);

/* Overwrites with zeros and takes back whatever was used since arena_seal. */
void arena_wipe(void);

/* Gives the memory that arena_wipe kept for the next picture back to the kernel. */
void arena_shrink(void);

/* Bytes that can still be had. */
size_t arena_room(void);

#endif
