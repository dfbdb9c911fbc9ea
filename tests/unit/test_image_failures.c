/* Memory that cannot be had: each allocation of opening and hashing a picture is failed in turn,
 * those of the codecs' libraries included, as this program brings the malloc they all use. What
 * they got is counted, so that nothing is left behind either. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imprint/pdq.h"

#include "pictures.h"

/* --- The allocator ---------------------------------------------------------------------------- */

/* Seen by the shared libraries too, whatever this program is compiled with. */
#pragma GCC visibility push(default)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static long fail_at = -1; /* the allocation to fail; negative: none */
static long allocations;
static long live;
static bool is_counting;

static bool is_failing(void)
{
    if (!is_counting) {
        return false;
    }
    if (allocations++ == fail_at) {
        errno = ENOMEM;
        return true;
    }
    live++;
    return false;
}

void *malloc(size_t size)
{
    return is_failing() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return is_failing() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    if (memory == NULL) {
        return malloc(size);
    }
    if (is_counting && allocations++ == fail_at) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    if (is_counting && memory != NULL) {
        live--;
    }
    __libc_free(memory);
}

#pragma GCC visibility pop

/* --- Tests ------------------------------------------------------------------------------------ */

static enum imprint_error open_and_hash(const struct picture_file *file,
                                        const struct imprint_image_options *options,
                                        struct imprint_pdq *out_pdq)
{
    struct imprint_image *image;
    enum imprint_error error = imprint_image_open(file->bytes, file->len, options, &image);
    if (error != IMPRINT_OK) {
        return error;
    }
    error = imprint_pdq(image, out_pdq);
    struct imprint_view views[IMPRINT_VIEWS_MAX];
    size_t count;
    if (error == IMPRINT_OK) {
        error = imprint_pdq_views(image, views, IMPRINT_VIEWS_MAX, &count);
    }
    imprint_image_free(image);
    return error;
}

static void fail_first(struct picture_file file, long count)
{
    const struct imprint_image_options options = {.views = IMPRINT_VIEWS_ALL};
    struct imprint_pdq expected;
    long refused = 0;
    assert_int_equal(open_and_hash(&file, &options, &expected), IMPRINT_OK);
    for (fail_at = 0; fail_at < count; fail_at++) {
        allocations = 0;
        live = 0;
        is_counting = true;
        struct imprint_pdq pdq;
        enum imprint_error error = open_and_hash(&file, &options, &pdq);
        is_counting = false;
        assert_int_equal(live, 0);
        /* libjpeg tries again with less: then the result must be the right one. */
        if (error == IMPRINT_OK) {
            assert_true(imprint_hash_equal(&pdq.hash, &expected.hash));
        } else {
            assert_int_equal(error, IMPRINT_E_NOMEM);
            refused++;
        }
        if (allocations <= fail_at) {
            break;
        }
    }
    /* A decoder alone takes several: fewer would mean that only our own are seen. */
    assert_in_range(refused, count < 8 ? count : 8, fail_at);
    fail_at = -1;
    picture_file_done(&file);
}

static void fail_each(struct picture_file file)
{
    fail_first(file, LONG_MAX);
}

static void no_memory_is_said_and_nothing_leaks(void **state)
{
    (void)state;
    struct picture picture = picture_make(71, 600, 90);
    struct picture symmetric = picture_symmetric(&picture);
    const struct picture_jpeg progressive = {.is_progressive = true, .orientation = 6};
    const struct picture_jpeg arithmetic = {.is_arithmetic = true, .colour = PICTURE_YCCK};
    const struct picture_png interlaced = {.type = PICTURE_PNG_RGBA, .is_interlaced = true};
    const struct picture_png palette = {.type = PICTURE_PNG_PALETTE_ALPHA};
    fail_each(picture_to_jpeg(&picture, NULL));
    fail_each(picture_to_jpeg(&picture, &progressive));
    fail_each(picture_to_jpeg(&picture, &arithmetic));
    fail_each(picture_to_png(&symmetric, NULL));
    fail_each(picture_to_png(&picture, &interlaced));
    fail_each(picture_to_png(&picture, &palette));
    /* Our own for WebP; libwebp itself calls a want of memory damage, or dies of it. */
    const struct picture_webp webp = {.is_lossy = true, .has_alpha = true, .orientation = 3};
    fail_first(picture_to_webp(&picture, NULL), 6);
    fail_first(picture_to_webp(&picture, &webp), 6);
    fail_each(picture_to_gif(&picture, NULL));
    picture_done(&symmetric);
    picture_done(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_memory_is_said_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
