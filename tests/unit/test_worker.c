/* The real worker in its cage, through the pool: it finds what the library finds in this process,
 * for every kind of file the library reads, under five system calls and 256 MiB; it is small while
 * idle; and it does not start where its cage cannot be built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "asking.h"
#include "child.h"
#include "pictures.h"

static struct pool *pool;

static int open_pool(void **state)
{
    (void)state;
    pool = ask_open_pool(IMPRINT_WORKER, 1, 0);
    return pool != NULL ? 0 : -1;
}

static int close_pool(void **state)
{
    (void)state;
    pool_close(pool);
    return 0;
}

static uint64_t restarts(void)
{
    struct pool_stats stats;
    pool_stats(pool, &stats);
    return stats.restarts;
}

/* The worker's answer is this process's answer, and the worker stays. */
static void assert_same_as_here(const struct picture_file *file)
{
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
    struct imprint_image *image;
    struct imprint_pdq upright;
    struct imprint_view views[IMPRINT_VIEWS_MAX];
    size_t count;
    assert_int_equal(imprint_image_open(file->bytes, file->len, &options, &image), IMPRINT_OK);
    assert_int_equal(imprint_pdq(image, &upright), IMPRINT_OK);
    assert_int_equal(imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count), IMPRINT_OK);

    const uint64_t before = restarts();
    const struct pool_answer answer = ask_pool(pool, file->bytes, file->len, IMPRINT_VIEWS_ALL);
    assert_int_equal(answer.error, IMPRINT_OK);
    assert_int_equal(answer.quality, upright.quality);
    assert_int_equal(answer.view_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(answer.views[i].id, views[i].id);
        assert_int_equal(answer.views[i].quality, views[i].quality);
        assert_true(imprint_hash_equal(&answer.views[i].hash, &views[i].hash));
    }
    const struct imprint_image_info *info = imprint_image_info(image);
    assert_int_equal(answer.info.format, info->format);
    assert_int_equal(answer.info.width, info->width);
    assert_int_equal(answer.info.height, info->height);
    assert_int_equal(answer.info.orientation, info->orientation);
    assert_int_equal(answer.info.is_truncated, info->is_truncated);
    assert_int_equal(restarts(), before);
    imprint_image_free(image);
}

/* --- What it finds --------------------------------------------------------------------------- */

static void jpegs_of_every_kind_are_hashed_as_here(void **state)
{
    (void)state;
    static const struct picture_jpeg kinds[] = {
        {.quality = 90},
        {.is_progressive = true},
        {.is_arithmetic = true},
        {.is_multiscan = true},
        {.colour = PICTURE_GRAY},
        {.colour = PICTURE_RGB},
        {.colour = PICTURE_CMYK},
        {.colour = PICTURE_YCCK},
        {.restart_rows = 1, .sampling_h = 1, .sampling_v = 1},
        {.orientation = 6},
    };
    static const uint32_t sizes[][2] = {{40, 30}, {640, 480}, {1500, 1000}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct picture picture = picture_make((uint32_t)i + 1, sizes[i][0], sizes[i][1]);
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            struct picture_file file = picture_to_jpeg(&picture, &kinds[k]);
            assert_same_as_here(&file);
            picture_file_done(&file);
        }
        picture_done(&picture);
    }
}

static void pngs_of_every_kind_are_hashed_as_here(void **state)
{
    (void)state;
    static const struct picture_png kinds[] = {
        {.type = PICTURE_PNG_RGB},
        {.type = PICTURE_PNG_RGB, .depth = 16, .is_interlaced = true},
        {.type = PICTURE_PNG_GRAY, .depth = 1},
        {.type = PICTURE_PNG_RGBA},
        {.type = PICTURE_PNG_GRAY_ALPHA, .orientation = 3},
        {.type = PICTURE_PNG_RGB_KEY},
    };
    struct picture picture = picture_make(7, 700, 500);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct picture_file file = picture_to_png(&picture, &kinds[k]);
        assert_same_as_here(&file);
        picture_file_done(&file);
    }
    picture_done(&picture);
}

static void webps_and_gifs_of_every_kind_are_hashed_as_here(void **state)
{
    (void)state;
    static const struct picture_webp webps[] = {
        {.is_lossy = false},
        {.is_lossy = true, .has_alpha = true},
        {.is_lossy = true, .is_animated = true, .inset = 20},
        {.is_lossy = true, .orientation = 8},
    };
    static const struct picture_gif gifs[] = {
        {.is_interlaced = false}, {.is_interlaced = true}, {.is_black_clear = true, .inset = 9}};
    struct picture made = picture_make(9, 700, 500);
    struct picture picture = picture_posterized(&made);
    for (size_t k = 0; k < sizeof webps / sizeof webps[0]; k++) {
        struct picture_file file = picture_to_webp(&picture, &webps[k]);
        assert_same_as_here(&file);
        picture_file_done(&file);
    }
    for (size_t k = 0; k < sizeof gifs / sizeof gifs[0]; k++) {
        struct picture_file file = picture_to_gif(&picture, &gifs[k]);
        assert_same_as_here(&file);
        picture_file_done(&file);
    }
    picture_done(&picture);
    picture_done(&made);
}

static void a_twelve_megapixel_picture_fits(void **state)
{
    (void)state;
    struct picture picture = picture_make(3, 4000, 3000);
    struct picture_file file =
        picture_to_jpeg(&picture, &(struct picture_jpeg){.is_progressive = true});
    const struct pool_answer answer = ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_ALL);
    assert_int_equal(answer.error, IMPRINT_OK);
    assert_int_equal(answer.info.width, 4000);
    picture_file_done(&file);
    picture_done(&picture);
}

static void a_flat_picture_is_answered_without_views(void **state)
{
    (void)state;
    struct picture picture = picture_make_flat(100, 100, 9, 9, 9);
    struct picture_file file = picture_to_png(&picture, NULL);
    const struct pool_answer answer = ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_UPRIGHT);
    assert_int_equal(answer.error, IMPRINT_OK);
    assert_int_equal(answer.quality, 0);
    assert_int_equal(answer.view_count, 0);
    picture_file_done(&file);
    picture_done(&picture);
}

static void what_is_no_picture_is_said_to_be_none(void **state)
{
    (void)state;
    const uint64_t before = restarts();
    assert_int_equal(ask_pool(pool, "", 0, 0).error, IMPRINT_E_IMAGE_EMPTY);
    assert_int_equal(ask_pool(pool, "a", 1, 0).error, IMPRINT_E_IMAGE_UNKNOWN);
    assert_int_equal(ask_pool(pool, "not a picture", 13, 0).error, IMPRINT_E_IMAGE_UNKNOWN);
    assert_int_equal(restarts(), before);
    assert_int_equal(ask_pool(pool, "\xff\xd8\xff\xe0garbage", 11, 0).error,
                     IMPRINT_E_IMAGE_TRUNCATED);
}

/* --- What it is ------------------------------------------------------------------------------ */

#ifndef IMPRINT_SANITIZED

/* Private memory of the worker in KiB, which root may see although it is not dumpable. */
static unsigned long private_kib(void)
{
    char path[64];
    char line[256];
    unsigned long total = 0;
    unsigned long kib;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)ask_worker_pid());
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Private_Clean: %lu kB", &kib) == 1 ||
            sscanf(line, "Private_Dirty: %lu kB", &kib) == 1) {
            total += kib;
        }
    }
    fclose(file);
    return total;
}

static void an_idle_worker_has_less_than_a_mebibyte_of_its_own(void **state)
{
    (void)state;
    struct pool *fresh = ask_open_pool(IMPRINT_WORKER, 1, 0);
    struct pool *shared = pool;
    pool_close(shared); /* so that there is one worker only */
    pool = fresh;
    const unsigned long before = private_kib();
    if (before == 0) {
        print_message("skipped: only root may look at a worker\n");
        skip();
    }
    struct picture picture = picture_make(3, 2000, 1500);
    struct picture_file file = picture_to_jpeg(&picture, NULL);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_ALL).error, IMPRINT_OK);
    }
    const unsigned long busy = private_kib();
    const uint64_t deadline_ms = child_now_ms() + 20000;
    unsigned long after = busy;
    while (after >= 1024 && child_now_ms() < deadline_ms) {
        after = private_kib(); /* it gives memory back after two seconds without work */
    }
    print_message("private memory: %lu KiB fresh, %lu KiB after three pictures, %lu KiB idle\n",
                  before, busy, after);
    assert_int_equal(ask_pool(pool, file.bytes, file.len, IMPRINT_VIEWS_ALL).error, IMPRINT_OK);
    assert_int_equal(restarts(), 0);
    assert_true(before < 1024);
    assert_true(after < 1024);
    picture_file_done(&file);
    picture_done(&picture);
}

static void without_seccomp_it_starts_only_where_that_is_allowed(void **state)
{
    (void)state;
    struct pool_options options = {.worker_path = WORKER_WITHOUT_SECCOMP,
                                   .workers = 1,
                                   .queue_max = 1,
                                   .decode_timeout_ms = 2000,
                                   .is_sandbox_required = true};
    struct pool *other = NULL;
    assert_int_equal(pool_open(&options, &other), IMPRINT_E_SANDBOX);
    assert_null(other);
    options.is_sandbox_required = false;
    assert_int_equal(pool_open(&options, &other), IMPRINT_OK);
    assert_int_equal(ask_pool(other, "no picture", 10, 0).error, IMPRINT_E_IMAGE_UNKNOWN);
    pool_close(other);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jpegs_of_every_kind_are_hashed_as_here),
        cmocka_unit_test(pngs_of_every_kind_are_hashed_as_here),
        cmocka_unit_test(webps_and_gifs_of_every_kind_are_hashed_as_here),
        cmocka_unit_test(a_twelve_megapixel_picture_fits),
        cmocka_unit_test(a_flat_picture_is_answered_without_views),
        cmocka_unit_test(what_is_no_picture_is_said_to_be_none),
#ifndef IMPRINT_SANITIZED
        cmocka_unit_test(an_idle_worker_has_less_than_a_mebibyte_of_its_own),
        cmocka_unit_test(without_seccomp_it_starts_only_where_that_is_allowed),
#endif
    };
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
