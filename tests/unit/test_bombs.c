/* Hostile files through the real worker: each, whatever its answer, costs at most two seconds of
 * processor time and 256 MiB, kills nothing, and the next good picture is answered. Every file has
 * a worker of its own, so that the kernel's account of ended children is its account. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "asking.h"
#include "bombs.h"
#include "pictures.h"

/* And the start of the process, and what it takes to notice. */
#define CPU_MS_MAX (2000 + 50)
/* The arena, and the program itself. */
#define MEMORY_KIB_MAX ((256 + 8) * 1024)

static struct pool *pool;
static struct picture_file good_png;
static struct picture_file good_jpeg;

static int set_up(void **state)
{
    (void)state;
    struct picture picture = picture_make(5, 96, 72);
    good_png = picture_to_png(&picture, NULL);
    good_jpeg = picture_to_jpeg(&picture, NULL);
    picture_done(&picture);
    pool = ask_open_pool(IMPRINT_WORKER, 1, 1);
    return pool != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pool_close(pool);
    picture_file_done(&good_png);
    picture_file_done(&good_jpeg);
    return 0;
}

/* --- Costs ----------------------------------------------------------------------------------- */

/* Of all children that have ended, in milliseconds. */
static uint64_t spent_cpu_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    const uint64_t us =
        ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000 +
        (uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec;
    return us / 1000;
}

/* The largest of all children that have ended. */
static long peak_kib(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return usage.ru_maxrss;
}

/* Answered by the next worker, so that the one before has ended. */
static void assert_good_picture_is_answered(void)
{
    const struct pool_answer answer = ask_pool(pool, good_png.bytes, good_png.len, 0);
    assert_int_equal(answer.error, IMPRINT_OK);
    assert_int_equal(answer.view_count, 1);
}

struct cost {
    enum imprint_error error;
    uint64_t cpu_ms;
};

static struct cost detonate(const char *name, struct picture_file file)
{
    struct pool_stats before;
    struct pool_stats after;
    assert_good_picture_is_answered();
    pool_stats(pool, &before);
    const uint64_t start_ms = spent_cpu_ms();
    const struct pool_answer answer = ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_ALL);
    assert_good_picture_is_answered();
    const struct cost cost = {answer.error, spent_cpu_ms() - start_ms};
    pool_stats(pool, &after);
    print_message("%-28s %9zu bytes  %-18s %5llu ms  peak so far %3ld MiB\n", name, file.len,
                  imprint_error_name(answer.error), (unsigned long long)cost.cpu_ms,
                  peak_kib() / 1024);
    assert_int_equal(after.deaths + after.violations + after.nonsense,
                     before.deaths + before.violations + before.nonsense);
#ifndef IMPRINT_SANITIZED
    assert_true(cost.cpu_ms <= CPU_MS_MAX);
    assert_true(peak_kib() <= MEMORY_KIB_MAX);
#endif
    picture_file_done(&file);
    return cost;
}

/* --- Sizes ----------------------------------------------------------------------------------- */

static void promised_sizes_are_refused_from_the_header(void **state)
{
    (void)state;
    assert_int_equal(detonate("png 50000x50000", bomb_png_size(50000, 50000)).error,
                     IMPRINT_E_IMAGE_TOO_LARGE);
    assert_int_equal(detonate("png 1x2^31-1", bomb_png_size(1, 0x7fffffff)).error,
                     IMPRINT_E_IMAGE_TOO_LARGE);
    assert_int_equal(detonate("jpeg 65500x65500", bomb_jpeg_size(65500, 65500)).error,
                     IMPRINT_E_IMAGE_TOO_LARGE);
}

static void large_flat_pictures_stay_within_bounds(void **state)
{
    (void)state;
    (void)detonate("png 8000x8000 rgba16", bomb_png_black(8000, false, 0));
    (void)detonate("png 8000x8000 interlaced", bomb_png_black(8000, true, 0));
}

/* --- Metadata -------------------------------------------------------------------------------- */

static void metadata_is_never_inflated(void **state)
{
    (void)state;
    static const char *const types[] = {"iTXt", "zTXt", "iCCP"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const struct cost cost =
            detonate(types[i], bomb_png_inflating(&good_png, types[i], (size_t)200 << 20));
        assert_int_equal(cost.error, IMPRINT_OK);
        assert_true(cost.cpu_ms <= 100);
    }
}

static void many_small_pieces_stay_within_bounds(void **state)
{
    (void)state;
    (void)detonate("png 300000 tEXt", bomb_png_chunks(&good_png, "tEXt", "a\0b", 3, 300000));
    (void)detonate("png 500000 empty IDAT", bomb_png_chunks(&good_png, "IDAT", NULL, 0, 500000));
    (void)detonate("jpeg 9 MB fill", bomb_jpeg_fill(&good_jpeg, 9000000));
    (void)detonate("jpeg 100000 DQT", bomb_jpeg_segments(&good_jpeg, 0xdb, 67, 100000));
    (void)detonate("jpeg 200 full APP2", bomb_jpeg_segments(&good_jpeg, 0xe2, 65535, 200));
    (void)detonate("jpeg 400000 COM", bomb_jpeg_segments(&good_jpeg, 0xfe, 12, 400000));
}

/* libpng inflates what follows the last row before it gives that row up. */
static void data_beyond_the_picture_stays_within_bounds(void **state)
{
    (void)state;
    (void)detonate("png 300 MB past the end", bomb_png_black(64, false, (size_t)300 << 20));
}

/* --- Scans ----------------------------------------------------------------------------------- */

static void scan_bombs_are_refused_or_cheap(void **state)
{
    (void)state;
    (void)detonate("jpeg 8000x8000, 10 scans", bomb_jpeg_scans(8000, 10));
    assert_int_equal(detonate("jpeg 8000x8000, 94 scans", bomb_jpeg_scans(8000, 94)).error,
                     IMPRINT_E_IMAGE_TOO_COMPLEX);
    assert_int_equal(detonate("jpeg 8000x8000, 10000 scans", bomb_jpeg_scans(8000, 10000)).error,
                     IMPRINT_E_IMAGE_TOO_COMPLEX);
    (void)detonate("jpeg 16x16, 100000 scans", bomb_jpeg_scans(16, 100000));
}

/* --- Damage ---------------------------------------------------------------------------------- */

/* Whatever the answer is, it is an answer about the picture. */
static void assert_is_about_the_picture(enum imprint_error error)
{
    assert_true(error == IMPRINT_OK ||
                (error >= IMPRINT_E_IMAGE_EMPTY && error <= IMPRINT_E_IMAGE_TOO_COMPLEX));
}

static void truncation_at_every_byte_is_answered(void **state)
{
    (void)state;
    struct pool *kept = ask_open_pool(IMPRINT_WORKER, 1, 0);
    struct picture picture = picture_make(5, 20, 16);
    struct picture_file files[] = {picture_to_png(&picture, NULL), picture_to_jpeg(&picture, NULL)};
    for (size_t i = 0; i < 2; i++) {
        for (size_t len = 0; len < files[i].len; len++) {
            assert_is_about_the_picture(ask_pool(kept, files[i].bytes, len, 0).error);
        }
        picture_file_done(&files[i]);
    }
    struct pool_stats stats;
    pool_stats(kept, &stats);
    assert_int_equal(stats.deaths + stats.violations + stats.timeouts + stats.nonsense, 0);
    picture_done(&picture);
    pool_close(kept);
}

static void flipped_bits_are_answered(void **state)
{
    (void)state;
    struct pool *kept = ask_open_pool(IMPRINT_WORKER, 1, 0);
    const struct picture_file *files[] = {&good_png, &good_jpeg};
    uint32_t seed = 1;
    for (unsigned round = 0; round < 400; round++) {
        const struct picture_file *file = files[round % 2];
        struct picture_file hurt = bomb_joined(file->bytes, file->len, NULL, 0);
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            seed = seed * 1664525 + 1013904223;
            hurt.bytes[(seed >> 8) % hurt.len] ^= (uint8_t)(1u << (seed >> 4) % 8);
        }
        assert_is_about_the_picture(ask_pool(kept, hurt.bytes, hurt.len, 0).error);
        picture_file_done(&hurt);
    }
    struct pool_stats stats;
    pool_stats(kept, &stats);
    assert_int_equal(stats.deaths + stats.violations + stats.timeouts + stats.nonsense, 0);
    pool_close(kept);
}

static void a_file_is_what_it_starts_as(void **state)
{
    (void)state;
    assert_int_equal(detonate("png, then jpeg", bomb_joined(good_png.bytes, good_png.len,
                                                            good_jpeg.bytes, good_jpeg.len))
                         .error,
                     IMPRINT_OK);
    assert_int_equal(
        detonate("jpeg, then zip", bomb_joined(good_jpeg.bytes, good_jpeg.len, "PK\3\4", 4)).error,
        IMPRINT_OK);
    assert_int_equal(
        detonate("zip, then jpeg", bomb_joined("PK\3\4", 4, good_jpeg.bytes, good_jpeg.len)).error,
        IMPRINT_E_IMAGE_UNKNOWN);
    assert_is_about_the_picture(
        detonate("gif start, then jpeg", bomb_joined("GIF89a", 6, good_jpeg.bytes, good_jpeg.len))
            .error);
    assert_is_about_the_picture(
        detonate("png start, then jpeg",
                 bomb_joined(good_png.bytes, 8, good_jpeg.bytes, good_jpeg.len))
            .error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promised_sizes_are_refused_from_the_header),
        cmocka_unit_test(large_flat_pictures_stay_within_bounds),
        cmocka_unit_test(metadata_is_never_inflated),
        cmocka_unit_test(many_small_pieces_stay_within_bounds),
        cmocka_unit_test(data_beyond_the_picture_stays_within_bounds),
        cmocka_unit_test(scan_bombs_are_refused_or_cheap),
        cmocka_unit_test(truncation_at_every_byte_is_answered),
        cmocka_unit_test(flipped_bits_are_answered),
        cmocka_unit_test(a_file_is_what_it_starts_as),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
