/* The arena as the heap of this very program: blocks keep their bytes apart from each other
 * whatever the order of calls, calloc gives zeros whatever was there before, a full arena says so,
 * and a wipe leaves nothing but zeros behind the seal. Between seal and wipe the test itself
 * allocates nothing. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"

#define BLOCKS 64

/* A compiler may not reason about what these return. */
static void *(*volatile take)(size_t) = malloc;
static void *(*volatile take_zeroed)(size_t, size_t) = calloc;
static void *(*volatile resize)(void *, size_t) = realloc;
static void *(*volatile resize_array)(void *, size_t, size_t) = reallocarray;
static void (*volatile give_back)(void *) = free;

static uint32_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static bool is_filled(const uint8_t *bytes, size_t len, uint8_t value)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

/* Sizes over all orders of magnitude. */
static size_t draw_size(void)
{
    return draw(1u << (1 + draw(18)));
}

static struct {
    uint8_t *bytes;
    size_t len;
} blocks[BLOCKS];

static void replace(size_t i)
{
    const uint8_t mark = (uint8_t)(i + 1);
    const size_t len = draw_size();
    switch (draw(3)) {
    case 0:
        give_back(blocks[i].bytes);
        blocks[i].bytes = take(len);
        break;
    case 1:
        give_back(blocks[i].bytes);
        blocks[i].bytes = take_zeroed(1, len);
        assert_true(is_filled(blocks[i].bytes, len, 0));
        break;
    default:
        blocks[i].bytes = resize(blocks[i].bytes, len);
        assert_true(is_filled(blocks[i].bytes, len < blocks[i].len ? len : blocks[i].len, mark));
    }
    assert_non_null(blocks[i].bytes);
    assert_int_equal((uintptr_t)blocks[i].bytes % 16, 0);
    assert_true(malloc_usable_size(blocks[i].bytes) >= len);
    memset(blocks[i].bytes, mark, len);
    blocks[i].len = len;
}

static void blocks_keep_to_themselves(void **state)
{
    (void)state;
    arena_seal();
    for (unsigned picture = 0; picture < 20; picture++) {
        memset(blocks, 0, sizeof blocks);
        for (unsigned step = 0; step < 2000; step++) {
            const size_t i = draw(BLOCKS);
            assert_true(is_filled(blocks[i].bytes, blocks[i].len, (uint8_t)(i + 1)));
            replace(i);
        }
        arena_wipe();
    }
}

/* The same memory is had again after the wipe, so its old content can be looked for. */
static void a_wipe_leaves_zeros(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 5000, 300000, (size_t)5 << 20, (size_t)60 << 20};
    arena_seal();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *before = take(sizes[i]);
        memset(before, 0xa5, sizes[i]);
        give_back(before);
        arena_wipe();
        uint8_t *after = take(sizes[i]);
        assert_ptr_equal(after, before);
        assert_true(is_filled(after, sizes[i], 0));
        memset(after, 0x5a, sizes[i]);
        arena_wipe();
        arena_shrink();
    }
}

static void a_full_arena_says_so_and_recovers(void **state)
{
    (void)state;
    arena_seal();
    const size_t room = arena_room();
    assert_true(room <= ARENA_BYTES);
    errno = 0;
    assert_null(take(room + 1));
    assert_int_equal(errno, ENOMEM);
    assert_null(take(SIZE_MAX));
    assert_null(take_zeroed(SIZE_MAX / 2, 3));
    assert_null(resize_array(NULL, SIZE_MAX / 2, 3));
    void *most = take(room / 10 * 8);
    assert_non_null(most);
    assert_null(take(room / 10 * 8));
    give_back(most);
    assert_non_null(take(room / 10 * 8));
    arena_wipe();
    assert_int_equal(arena_room(), room);
}

static void what_is_older_than_the_seal_is_not_given_to_a_picture(void **state)
{
    (void)state;
    uint8_t *own = take(1000);
    memset(own, 7, 1000);
    arena_seal();
    give_back(own);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t *block = take(1000);
        assert_true(block > own);
    }
    arena_wipe();
    assert_true(is_filled(own, 1000, 7));
}

static void aligned_blocks_are_aligned(void **state)
{
    (void)state;
    arena_seal();
    for (size_t alignment = 16; alignment <= 4096; alignment *= 2) {
        void *block = NULL;
        assert_int_equal(posix_memalign(&block, alignment, 100), 0);
        assert_int_equal((uintptr_t)block % alignment, 0);
        memset(block, 1, 100);
        assert_int_equal((uintptr_t)aligned_alloc(alignment, alignment) % alignment, 0);
    }
    assert_null(memalign(48, 100));
    arena_wipe();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_to_themselves),
        cmocka_unit_test(a_wipe_leaves_zeros),
        cmocka_unit_test(a_full_arena_says_so_and_recovers),
        cmocka_unit_test(what_is_older_than_the_seal_is_not_given_to_a_picture),
        cmocka_unit_test(aligned_blocks_are_aligned),
    };
    return arena_open() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
