/* Bodies live in mappings of their own, so that a picture's bytes are gone from this process, wiped
 * and unmapped, as soon as its request is answered. */
#include <string.h>
#include <sys/mman.h>

#include "server_impl.h"

#define PAGE_BYTES ((size_t)4096)

static size_t round_up(size_t bytes)
{
    return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static bool take_budget(struct server *server, size_t bytes)
{
    size_t taken = atomic_load_explicit(&server->body_memory_bytes, memory_order_relaxed);
    do {
        if (bytes > server->body_memory_bytes_max ||
            taken > server->body_memory_bytes_max - bytes) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&server->body_memory_bytes, &taken, taken + bytes));
    return true;
}

enum imprint_error server_body_reserve(struct server *server, struct body *body, size_t capacity)
{
    if (capacity <= body->capacity) {
        return IMPRINT_OK;
    }
    if (capacity > SIZE_MAX - PAGE_BYTES) {
        return IMPRINT_E_BUSY;
    }
    capacity = round_up(capacity);
    size_t more = capacity - body->capacity;
    if (!take_budget(server, more)) {
        return IMPRINT_E_BUSY;
    }
    /* mremap moves pages, it does not copy them: nothing is left behind unwiped. */
    void *bytes =
        body->bytes == NULL
            ? mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            : mremap(body->bytes, body->capacity, capacity, MREMAP_MAYMOVE);
    if (bytes == MAP_FAILED) {
        (void)atomic_fetch_sub(&server->body_memory_bytes, more);
        return IMPRINT_E_NOMEM;
    }
    (void)madvise(bytes, capacity, MADV_DONTDUMP);
    body->bytes = bytes;
    body->capacity = capacity;
    return IMPRINT_OK;
}

void server_body_done(struct server *server, struct body *body)
{
    if (body->bytes != NULL) {
        explicit_bzero(body->bytes, body->len);
        (void)munmap(body->bytes, body->capacity);
        (void)atomic_fetch_sub(&server->body_memory_bytes, body->capacity);
    }
    *body = (struct body){0};
}
